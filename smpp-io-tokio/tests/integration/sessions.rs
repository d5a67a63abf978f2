//! Client and server sessions over an in-memory pipe, in simulated time.

use std::io;
use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::time::Duration;

use smpp_proto::session::{
    self, CloseReason, Config, Direction, Esme, ObservedPdu, Observer, Rate, Refusal, Smsc, State,
    UnansweredReason,
};
use smpp_proto::{
    AlertNotification, Bind, BindResp, COctets, CommandId, CommandStatus, DataSm, DataSmResp, DeliverSm,
    Frame, Outbind, Password, Pdu, SequenceNumber, ShortMessage, SubmitSm, SubmitSmResp, Tag, Tlv, Tlvs,
};
use smpp_tokio::{Client, Inbound, Inbox, NotSentReason, Peer, RequestError, start};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// Returns a bound client and its server, over a pipe of `pipe` octets.
async fn bound(config: Config, pipe: usize) -> ((Client, Inbox<Esme>), (Peer, Inbox<Smsc>)) {
    let (near, far) = duplex(pipe);
    let client = start::<Esme, _>(near, config);
    let (peer, mut inbox) = start::<Smsc, _>(far, config);
    let server = async {
        let Some(Inbound::Bind(bind)) = inbox.recv().await else { panic!("no bind") };
        bind.respond(Ok(BindResp::default())).unwrap();
    };
    let bind = Bind::default();
    let (answer, ()) = tokio::join!(client.0.bind(&bind), server);
    answer.unwrap();
    (client, (peer, inbox))
}

/// Responds to each message with its text as the message id.
async fn echo(mut inbox: Inbox<Smsc>) {
    while let Some(inbound) = inbox.recv().await {
        let Inbound::SubmitSm(message) = inbound else { continue };
        let text = message.get().text().to_vec();
        // A long text is no message_id: the response has an empty one.
        let message_id = COctets::new(&text).unwrap_or_default();
        let _ = message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }));
    }
}

fn text(octets: &[u8]) -> SubmitSm<'_> {
    SubmitSm { short_message: ShortMessage::new(octets).unwrap(), ..SubmitSm::default() }
}

#[tokio::test(start_paused = true)]
async fn many_submits_share_a_small_window_and_each_gets_its_own_response() {
    let config = Config::default().window(3);
    // A pipe of 50 octets is smaller than one PDU, so every write is partial.
    let ((client, _inbox), (_peer, inbox)) = bound(config, 50).await;
    crate::spawn(echo(inbox));
    let mut tasks = JoinSet::new();
    for number in 0..200 {
        let client = client.clone();
        tasks.spawn(async move {
            let id = format!("message {number}");
            let response = client.submit(&text(id.as_bytes())).await.unwrap();
            assert_eq!(response.message_id(), id.as_bytes());
        });
    }
    let done = timeout(Duration::from_secs(5), async {
        while tasks.join_next().await.transpose().unwrap().is_some() {}
    });
    done.await.expect("a request was not woken");
}

#[tokio::test(start_paused = true)]
async fn both_sides_send_more_than_the_buffers_hold_and_all_of_it_arrives() {
    // Sixteen messages of 30,000 octets each way: more than the pipe and the output of both sides hold.
    let ((client, mut inbox), (peer, server)) = bound(Config::default(), 64 * 1024).await;
    crate::spawn(echo(server));
    crate::spawn(async move {
        while let Some(Inbound::DeliverSm(message)) = inbox.recv().await {
            message.accept().unwrap();
        }
    });
    let payload = vec![b'x'; 30_000];
    let mut tasks = JoinSet::new();
    for _ in 0..32 {
        let (client, peer, payload) = (client.clone(), peer.clone(), payload.clone());
        tasks.spawn(async move {
            let tlvs = [Tlv::new(Tag::MESSAGE_PAYLOAD, &payload).unwrap()];
            let tlvs = Tlvs::list(&tlvs);
            let (submit, deliver) =
                (SubmitSm { tlvs, ..SubmitSm::default() }, DeliverSm { tlvs, ..DeliverSm::default() });
            let (submitted, delivered) = tokio::join!(client.submit(&submit), peer.deliver(&deliver));
            submitted.unwrap();
            delivered.unwrap();
        });
    }
    while tasks.join_next().await.transpose().unwrap().is_some() {}
}

#[tokio::test(start_paused = true)]
async fn a_submit_that_is_dropped_in_the_queue_does_not_block_the_next() {
    let config = Config::default().window(1);
    let ((client, _inbox), (_peer, mut server)) = bound(config, 4096).await;
    let first = crate::spawn({
        let client = client.clone();
        async move { client.submit(&text(b"first")).await }
    });
    let Some(Inbound::SubmitSm(held)) = server.recv().await else { panic!("no message") };
    // One waits for the window and is dropped; one waits behind it.
    let dropped = timeout(Duration::from_secs(1), client.submit(&text(b"dropped"))).await;
    assert!(dropped.is_err());
    let third = crate::spawn(async move { client.submit(&text(b"third")).await });
    held.accept().unwrap();
    first.await.unwrap().unwrap();
    crate::spawn(echo(server));
    assert_eq!(third.await.unwrap().unwrap().message_id(), b"third");
}

#[tokio::test(start_paused = true)]
async fn the_rate_limit_delays_submits() {
    let config = Config::default().rate(Rate::per_second(50)).window(100);
    let ((client, _inbox), (_peer, inbox)) = bound(config, 4096).await;
    crate::spawn(echo(inbox));
    let began = Instant::now();
    for _ in 0..101 {
        client.submit(&text(b"x")).await.unwrap();
    }
    // A hundred intervals of 20.16 ms, less 8 ms. The clock of the runtime rounds each up to a millisecond, which costs
    // nothing but at the last one.
    let took = began.elapsed();
    assert!((2008..=2010).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_submit_that_is_dropped_while_rate_limited_does_not_block_the_next() {
    let config = Config::default().window(1).rate(Rate::per_second(1));
    let ((client, _inbox), (_peer, mut server)) = bound(config, 4096).await;
    let submit = |id: &'static [u8]| {
        let client = client.clone();
        crate::spawn(async move { client.submit(&text(id)).await })
    };
    let first = submit(b"first");
    let Some(Inbound::SubmitSm(held)) = server.recv().await else { panic!("no message") };
    // Both wait for the window. When it has capacity, the second waits for the rate limit.
    let (second, third) = (submit(b"second"), submit(b"third"));
    tokio::task::yield_now().await;
    held.accept().unwrap();
    first.await.unwrap().unwrap();
    tokio::task::yield_now().await;
    second.abort();
    crate::spawn(echo(server));
    let response =
        timeout(Duration::from_secs(5), third).await.expect("the third was not woken").unwrap().unwrap();
    assert_eq!(response.message_id(), b"third");
}

/// Accepts one write of `accepts` octets, then fails. `input` can still be read.
struct FailingTransport {
    accepts: usize,
    wrote: bool,
    input: Vec<u8>,
}

impl AsyncRead for FailingTransport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.wrote || self.input.is_empty() {
            return Poll::Pending;
        }
        out.put_slice(&std::mem::take(&mut self.input));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for FailingTransport {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        if std::mem::replace(&mut self.wrote, true) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Poll::Ready(Ok(self.accepts.min(octets.len())))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_write_separates_never_sent_from_unanswered() {
    let closed = CloseReason::Disconnected;
    let bind = Bind::default();
    for (accepts, outcome) in [
        (15, RequestError::NeverSent(NotSentReason::Closed(closed))),
        (usize::MAX, RequestError::Unanswered(UnansweredReason::Closed(closed))),
    ] {
        let transport = FailingTransport { accepts, wrote: false, input: Vec::new() };
        let (client, _inbox) = start::<Esme, _>(transport, Config::default());
        assert_eq!(client.bind(&bind).await.unwrap_err(), outcome, "{accepts} octets accepted");
        let end = client.closed().await;
        assert_eq!(end.error.unwrap().kind(), io::ErrorKind::BrokenPipe);
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_that_arrived_before_the_failure_is_processed() {
    let bind = Bind::default();
    let response = Frame::encode(&Pdu::BindResp(bind.mode, None), CommandStatus::ROK, SequenceNumber(1));
    let transport = FailingTransport { accepts: usize::MAX, wrote: false, input: response.into_inner() };
    let (client, _inbox) = start::<Esme, _>(transport, Config::default());
    client.bind(&bind).await.unwrap();
    assert_eq!(client.closed().await.reason, CloseReason::Disconnected);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_respond_leaves_the_request_unanswered() {
    let ((client, _inbox), (_peer, mut server)) = bound(Config::default(), 4096).await;
    let message = text(b"?");
    let (answer, held) = tokio::join!(client.submit(&message), server.recv());
    assert_eq!(answer.unwrap_err(), RequestError::Unanswered(UnansweredReason::Timeout));
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn requests_before_a_disconnect_are_unanswered_and_later_ones_never_sent() {
    let ((client, _inbox), (peer, mut server)) = bound(Config::default(), 4096).await;
    let disconnect = async {
        let held = server.recv().await;
        peer.abort().await;
        drop(held);
    };
    let message = text(b"?");
    let (answer, ()) = tokio::join!(client.submit(&message), disconnect);
    let closed = CloseReason::Disconnected;
    assert_eq!(answer.unwrap_err(), RequestError::Unanswered(UnansweredReason::Closed(closed)));
    let after = client.submit(&message).await.unwrap_err();
    assert_eq!(after, RequestError::NeverSent(NotSentReason::Closed(closed)));
    assert!(after.is_safe_to_resend());
}

#[tokio::test(start_paused = true)]
async fn a_submit_before_the_bind_is_never_sent() {
    let (near, _far) = duplex(4096);
    let (client, _inbox) = start::<Esme, _>(near, Config::default());
    let error = client.submit(&text(b"early")).await.unwrap_err();
    assert_eq!(error, RequestError::NeverSent(NotSentReason::State(State::Open)));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_inbox_leaves_messages_to_the_smsc() {
    let ((client, inbox), (peer, _server)) = bound(Config::default(), 4096).await;
    drop(inbox);
    let error = peer.deliver(&DeliverSm::default()).await.unwrap_err();
    assert_eq!(error.status(), Some(CommandStatus::RX_T_APPN));
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_unbinds() {
    let ((client, inbox), (peer, server)) = bound(Config::default(), 4096).await;
    crate::spawn(echo(server));
    drop((client.clone(), inbox));
    client.submit(&text(b"still here")).await.unwrap();
    drop(client);
    assert_eq!(peer.closed().await.reason, CloseReason::PeerUnbound);
}

#[test]
fn a_session_without_its_runtime_reports_its_requests_and_its_end() {
    let runtime = || Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (driving, waiting) = (runtime(), runtime());
    let config = Config::default().window(1);
    let ((client, inbox), _server) = driving.block_on(bound(config, 4096));
    let submit = || {
        let client = client.clone();
        // The first is accepted by the session, the second waits for the window.
        waiting.spawn(async move { client.submit(&text(b"Hello")).await.map(drop) })
    };
    let (submits, handle) = ([submit(), submit()], client.clone());
    let closed = waiting.spawn(async move { handle.closed().await.reason });
    let received = waiting.spawn(async move { { inbox }.recv().await.is_none() });
    waiting.block_on(tokio::task::yield_now());
    drop(driving);
    waiting.block_on(async {
        let limit = Duration::from_secs(60);
        for submit in submits {
            let result = timeout(limit, submit).await.expect("the request has no result").unwrap();
            let reason = NotSentReason::Closed(CloseReason::Aborted);
            assert_eq!(result, Err(RequestError::NeverSent(reason)));
        }
        assert_eq!(timeout(limit, closed).await.expect("no end").unwrap(), CloseReason::Aborted);
        assert!(timeout(limit, received).await.expect("the inbox does not end").unwrap());
    });
}

#[tokio::test(start_paused = true)]
async fn notifications_arrive_and_errors_carry_a_reason() {
    let ((client, mut inbox), (peer, mut server)) = bound(Config::default(), 4096).await;
    peer.notify(&AlertNotification::default()).unwrap();
    assert_eq!(
        peer.notify(&Outbind::default()),
        Err(Refusal::State(peer.state())),
        "the session is bound already"
    );
    let Some(Inbound::Notification(alert)) = inbox.recv().await else { panic!() };
    assert_eq!(alert.header().command, CommandId::ALERT_NOTIFICATION);

    let (sender, seen) = mpsc::channel();
    client.observe(LineObserver(sender));
    let list = [Tlv::u8(Tag::DELIVERY_FAILURE_REASON, 2)];
    let message = DataSm::default();
    let (answer, ()) = tokio::join!(client.request(&message), async {
        let Some(Inbound::DataSm(message)) = server.recv().await else { panic!() };
        let reason = DataSmResp { tlvs: Tlvs::list(&list), ..DataSmResp::default() };
        message.respond_with_reason(CommandStatus::RDELIVERYFAILURE, &reason).unwrap();
    });
    assert_eq!(answer.unwrap_err().status(), Some(CommandStatus::RDELIVERYFAILURE));
    // A header, an empty message_id and the TLV.
    assert_eq!(seen.try_iter().last().unwrap(), "In data_sm_resp 2 ESME_RDELIVERYFAILURE, 22 octets");
}

/// Sends a line for each PDU.
struct LineObserver(mpsc::Sender<String>);

impl Observer for LineObserver {
    fn observe(&mut self, _: session::Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        assert!(!String::from_utf8_lossy(&pdu.octets()).contains("hunter2"));
        let _ = self.0.send(format!("{direction:?} {pdu}"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_gets_every_pdu_without_the_password() {
    let (near, mut far) = duplex(4096);
    let (client, _inbox) = start::<Esme, _>(near, Config::default());
    let (sender, seen) = mpsc::channel();
    client.observe(LineObserver(sender));
    let bind = Bind { password: Password::new(b"hunter2").unwrap(), ..Bind::default() };
    let (answer, ()) = tokio::join!(client.bind(&bind), async {
        read_pdu(&mut far).await;
        let resp = Frame::encode(&Pdu::BindResp(bind.mode, None), CommandStatus::ROK, SequenceNumber(1));
        far.write_all(resp.octets()).await.unwrap();
    });
    answer.unwrap();
    let seen: Vec<String> = seen.try_iter().collect();
    assert_eq!(seen, ["Out bind_transceiver 1, 30 octets", "In bind_transceiver_resp 1 ESME_ROK, 16 octets"]);
}

#[tokio::test(start_paused = true)]
async fn a_late_response_reaches_the_inbox() {
    let ((client, mut client_inbox), (_peer, mut inbox)) = bound(Config::default(), 4096).await;
    let serving = crate::spawn(async move {
        let Some(Inbound::SubmitSm(message)) = inbox.recv().await else { panic!("no message") };
        tokio::time::sleep(Duration::from_secs(12)).await;
        let message_id = COctets::new(b"late").unwrap();
        message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() })).unwrap();
        inbox.recv().await;
    });
    let error = client.submit(&text(b"Hello")).await.unwrap_err();
    assert_eq!(error, RequestError::Unanswered(UnansweredReason::Timeout));
    let Some(Inbound::LateResponse { result, .. }) = client_inbox.recv().await else { panic!("no response") };
    assert_eq!(result.unwrap().message_id(), b"late");
    assert_eq!(client.stats().late_responses, 1);
    client.abort().await;
    serving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_idle_link_is_probed_and_a_dead_one_is_closed() {
    let (near, mut far) = duplex(4096);
    let (client, _inbox) = start::<Esme, _>(near, Config::default());
    let bind = Bind::default();
    let (answer, ()) = tokio::join!(client.bind(&bind), async {
        read_pdu(&mut far).await;
        let resp = Frame::encode(&Pdu::BindResp(bind.mode, None), CommandStatus::ROK, SequenceNumber(1));
        far.write_all(resp.octets()).await.unwrap();
    });
    answer.unwrap();
    let began = Instant::now();
    let probe = read_pdu(&mut far).await;
    assert_eq!(probe.header().command.to_string(), "enquire_link");
    assert_eq!(client.closed().await.reason, CloseReason::LinkDead);
    assert_eq!(began.elapsed().as_secs(), 30, "20 s without input, 10 s for the response");
}

#[tokio::test(start_paused = true)]
async fn the_session_stops_reading_from_a_peer_that_does_not_read() {
    let (near, mut far) = duplex(1024);
    let config = Config::default().max_output(2048).max_pdu(512);
    let (peer, _inbox) = start::<Smsc, _>(near, config);
    let enquire_link = Frame::encode(&Pdu::EnquireLink, CommandStatus::ROK, SequenceNumber(1));
    let mut written = 0;
    while timeout(Duration::from_secs(1), far.write_all(enquire_link.octets())).await.is_ok() {
        written += 16;
        assert!(written < 1 << 20, "the server does not stop reading");
    }
    assert!(peer.stats().sent.total().pdus() * 16 <= 1024 + 2 * 2048 + 512 + 16, "{:?}", peer.stats());
    // The session continues when the peer reads. The last write of the peer was partial: half a PDU at most.
    let mut answers = vec![0; 16];
    far.read_exact(&mut answers).await.unwrap();
    assert_eq!(answers[4..8], [0x80, 0, 0, 0x15]);
    assert_eq!(peer.state(), State::Open);
}

async fn read_pdu(stream: &mut DuplexStream) -> Frame<Vec<u8>> {
    let mut octets = vec![0; 4];
    stream.read_exact(&mut octets).await.unwrap();
    let length = u32::from_be_bytes(octets[..4].try_into().unwrap()) as usize;
    octets.resize(length, 0);
    stream.read_exact(&mut octets[4..]).await.unwrap();
    Frame::new(octets).unwrap()
}
