//! Many concurrent requests on one session: their order, their results, and requests that are dropped.

use std::collections::HashSet;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use smpp_proto::session::{
    CloseReason, Config, Direction, Esme, Instant, ObservedPdu, Observer, Request, Smsc,
};
use smpp_proto::{
    Bind, BindResp, COctets, CommandStatus, DataSm, DataSmResp, QuerySm, ShortMessage, SubmitSm,
    SubmitSmResp, Tag, Tlv, Tlvs,
};
use smpp_tokio::{Client, Inbound, Inbox, NotSentReason, Peer, RequestError, start};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::task::{JoinHandle, JoinSet, yield_now};
use tokio::time::timeout;

/// Returns a bound client and its server.
async fn bound(config: Config) -> (Client, Peer, Inbox<Smsc>) {
    let (near, far) = duplex(4096);
    let (client, _) = start::<Esme, _>(near, config);
    let (peer, mut inbox) = start::<Smsc, _>(far, config);
    let bind = Bind::default();
    let (answer, ()) = tokio::join!(client.bind(&bind), async {
        let Some(Inbound::Bind(bind)) = inbox.recv().await else { panic!("no bind") };
        bind.respond(Ok(BindResp::default())).unwrap();
    });
    answer.unwrap();
    (client, peer, inbox)
}

fn text(octets: &[u8]) -> SubmitSm<'_> {
    SubmitSm { short_message: ShortMessage::new(octets).unwrap(), ..SubmitSm::default() }
}

fn id(octets: &[u8]) -> SubmitSmResp<'_> {
    SubmitSmResp { message_id: COctets::new(octets).unwrap(), ..SubmitSmResp::default() }
}

/// Submits a message in a task of its own. Returns its message id.
fn submit(client: &Client, what: impl Into<Vec<u8>>) -> JoinHandle<Result<Vec<u8>, RequestError>> {
    let (client, what) = (client.clone(), what.into());
    crate::spawn(async move { client.submit(&text(&what)).await.map(|answer| answer.message_id().to_vec()) })
}

/// Responds to each message with its text as the message id.
async fn echo(mut inbox: Inbox<Smsc>) {
    while let Some(inbound) = inbox.recv().await {
        let Inbound::SubmitSm(message) = inbound else { continue };
        let text = message.get().text().to_vec();
        let _ = message.respond(Ok(id(&text)));
    }
}

fn echo_inline(peer: &Peer) {
    peer.respond_inline(|request, responder| match request {
        Request::SubmitSm(message, reply) => {
            let _ = responder.respond(reply, Ok(id(message.text())));
            None
        }
        other => Some(other),
    });
}

#[tokio::test(start_paused = true)]
async fn a_refusal_inside_the_driver_has_its_reason() {
    let (client, peer, _inbox) = bound(Config::default()).await;
    peer.respond_inline(|request, responder| match request {
        Request::DataSm(_, reply) => {
            assert_eq!(format!("{responder:?}"), "Responder { .. }");
            let list = [Tlv::u8(Tag::DELIVERY_FAILURE_REASON, 2)];
            let reason = DataSmResp { tlvs: Tlvs::list(&list), ..DataSmResp::default() };
            responder.respond_with_reason(reply, CommandStatus::RDELIVERYFAILURE, &reason).unwrap();
            None
        }
        other => Some(other),
    });
    let Err(RequestError::Refused { status, response }) = client.request(&DataSm::default()).await else {
        panic!("the request was accepted")
    };
    assert_eq!(status, CommandStatus::RDELIVERYFAILURE);
    assert_eq!(response.tlv(Tag::DELIVERY_FAILURE_REASON), Some(&[2][..]));
}

#[tokio::test(start_paused = true)]
async fn requests_are_sent_in_order_also_when_some_are_dropped() {
    let (client, _peer, mut inbox) = bound(Config::default().window(1)).await;
    let mut tasks = Vec::new();
    for number in 0..30_u8 {
        tasks.push(submit(&client, [number]));
        // Each request is in the queue before the next one.
        yield_now().await;
    }
    // The first is in flight. Dropped are the next one, two in the middle and the last one.
    let dropped = [1, 7, 8, 29];
    for number in dropped {
        tasks[usize::from(number)].abort();
    }
    let mut received = Vec::new();
    while received.len() < 30 - dropped.len() {
        let next = timeout(Duration::from_secs(1), inbox.recv()).await.expect("a request was not woken");
        let Some(Inbound::SubmitSm(message)) = next else { panic!("no message") };
        received.push(message.get().text()[0]);
        message.accept().unwrap();
    }
    let expected: Vec<u8> = (0..30).filter(|number| !dropped.contains(number)).collect();
    assert_eq!(received, expected);
}

/// A transport that counts the writes.
struct CountingTransport(DuplexStream, Arc<AtomicUsize>);

impl AsyncRead for CountingTransport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, out)
    }
}

impl AsyncWrite for CountingTransport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.0).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_requests_leave_in_one_write() {
    let (near, far) = duplex(64 * 1024);
    let writes = Arc::new(AtomicUsize::new(0));
    let config = Config::default().window(32);
    let (client, _) = start::<Esme, _>(CountingTransport(near, Arc::clone(&writes)), config);
    let (peer, mut inbox) = start::<Smsc, _>(far, config);
    echo_inline(&peer);
    let bind = Bind::default();
    let (answer, ()) = tokio::join!(client.bind(&bind), async {
        let Some(Inbound::Bind(bind)) = inbox.recv().await else { panic!("no bind") };
        bind.accept().unwrap();
    });
    answer.unwrap();
    let tasks: Vec<_> = (0..320).map(|number| submit(&client, number.to_string())).collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let writes = writes.load(Ordering::Relaxed);
    assert!(writes <= 20, "{writes} writes for ten windows and a bind");
}

#[tokio::test(start_paused = true)]
async fn the_result_of_a_dropped_request_does_not_reach_another() {
    let (client, _peer, mut inbox) = bound(Config::default().window(2)).await;
    let first = submit(&client, "first");
    let Some(Inbound::SubmitSm(held)) = inbox.recv().await else { panic!("no message") };
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let second = submit(&client, "second");
    let Some(Inbound::SubmitSm(other)) = inbox.recv().await else { panic!("no message") };
    held.respond(Ok(id(b"first"))).unwrap();
    yield_now().await;
    let third = submit(&client, "third");
    let Some(Inbound::SubmitSm(last)) = inbox.recv().await else { panic!("no message") };
    last.respond(Ok(id(b"third"))).unwrap();
    other.respond(Ok(id(b"second"))).unwrap();
    assert_eq!(second.await.unwrap().unwrap(), b"second");
    assert_eq!(third.await.unwrap().unwrap(), b"third");
}

/// The future is polled in several tasks: in the queue, then in flight.
#[tokio::test(start_paused = true)]
async fn a_request_may_move_between_tasks() {
    let (client, _peer, mut inbox) = bound(Config::default().window(1)).await;
    let message: &'static SubmitSm<'static> = Box::leak(Box::new(text(b"moves")));
    let client: &'static Client = Box::leak(Box::new(client));
    let first = submit(client, "first");
    let Some(Inbound::SubmitSm(held)) = inbox.recv().await else { panic!("no message") };
    let mut moving = Box::pin(client.submit(message));
    for step in 0..2 {
        (moving,) = crate::spawn(async move {
            let pending = poll_fn(|cx| Poll::Ready(moving.as_mut().poll(cx).is_pending())).await;
            assert!(pending, "step {step}");
            (moving,)
        })
        .await
        .unwrap();
    }
    let moved = crate::spawn(moving);
    yield_now().await;
    held.accept().unwrap();
    crate::spawn(echo(inbox));
    first.await.unwrap().unwrap();
    let answer =
        timeout(Duration::from_secs(1), moved).await.expect("the request was not woken").unwrap().unwrap();
    assert_eq!(answer.message_id(), b"moves");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_session_fails_waiting_requests() {
    let (client, _peer, mut inbox) = bound(Config::default().window(1)).await;
    let first = submit(&client, "first");
    let held = inbox.recv().await;
    let waiting = [submit(&client, "second"), submit(&client, "third")];
    yield_now().await;
    client.abort().await;
    assert!(matches!(first.await.unwrap(), Err(RequestError::Unanswered(_))));
    for waiting in waiting {
        let result =
            timeout(Duration::from_secs(1), waiting).await.expect("the request was not woken").unwrap();
        assert_eq!(result, Err(RequestError::NeverSent(NotSentReason::Closed(CloseReason::Aborted))));
    }
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn requests_without_an_inline_response_go_to_the_inbox() {
    let (client, peer, mut inbox) = bound(Config::default()).await;
    echo_inline(&peer);
    assert_eq!(submit(&client, "inline").await.unwrap().unwrap(), b"inline");
    let query = QuerySm::default();
    let (answer, ()) = tokio::join!(client.request(&query), async {
        let Some(Inbound::QuerySm(query)) = inbox.recv().await else { panic!("no query") };
        query.refuse(CommandStatus::RQUERYFAIL).unwrap();
    });
    assert_eq!(answer.unwrap_err().status(), Some(CommandStatus::RQUERYFAIL));
}

/// More tasks than the window allows, on several threads: each gets its own response.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_many_threads_each_request_gets_its_own_response() {
    for (window, inline) in [(1, true), (16, false), (64, true), (300, false)] {
        let (client, peer, inbox) = bound(Config::default().window(window)).await;
        if inline {
            echo_inline(&peer);
        }
        let serving = crate::spawn(echo(inbox));
        let mut tasks = JoinSet::new();
        for number in 0..100 {
            let client = client.clone();
            tasks.spawn(async move {
                let mut ids = Vec::new();
                for message in 0..30 {
                    let what = format!("{number}.{message}");
                    let answer = client.submit(&text(what.as_bytes())).await.unwrap();
                    assert_eq!(answer.message_id(), what.as_bytes());
                    ids.push(what);
                }
                ids
            });
        }
        let mut ids = HashSet::new();
        while let Some(task) = tasks.join_next().await {
            ids.extend(task.unwrap());
        }
        assert_eq!(ids.len(), 3000);
        assert_eq!(client.unbind().await.reason, CloseReason::Unbound);
        serving.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_panics_affects_one_request() {
    struct Panics;
    impl Observer for Panics {
        fn observe(&mut self, _: Instant, _: Direction, _: ObservedPdu<'_>) {
            panic!("expected panic");
        }
    }
    let (client, peer, _inbox) = bound(Config::default()).await;
    echo_inline(&peer);
    client.observe(Panics);
    assert!(submit(&client, "1").await.unwrap_err().is_panic());
    client.observe(());
    let before = tokio::time::Instant::now();
    assert_eq!(submit(&client, "2").await.unwrap().unwrap(), b"2");
    assert_eq!(before.elapsed(), Duration::ZERO);
}
