//! The turns of a driver: what it does between two reads, when reads and writes fail, and deadlines that pass meanwhile.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use smpp_proto::session::{CloseReason, Config, Esme, NotSentReason, Rate, UnansweredReason};
use smpp_proto::{Bind, SubmitSm};
use smpp_tokio::{Client, Inbox, RequestError, start};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::JoinHandle;
use tokio::time::{Instant, advance, sleep, timeout};

use crate::drivers::peer::{DELIVER_SM, RESPONSE, SUBMIT_SM, UNBIND, pdu};

/// The state of an SMSC inside a transport: it queues a response for each request that is written, and returns one in each
/// read.
#[derive(Default)]
pub(crate) struct Smsc {
    pub(crate) responses: VecDeque<Vec<u8>>,
    /// The responses are not returned yet.
    pub(crate) is_held: bool,
    /// What a write returns.
    write_error: Option<io::ErrorKind>,
    /// What a read returns after the responses.
    pub(crate) then: Then,
    pub(crate) reads: usize,
    reader: Option<Waker>,
    /// `w` for each write of submit_sm, `r` for each read of a submit_sm_resp.
    log: String,
}

#[derive(Clone, Copy, Default)]
pub(crate) enum Then {
    /// Nothing yet.
    #[default]
    Wait,
    Fail(io::ErrorKind),
    /// An unexpected response of 16 KiB in each read, which takes a tenth of a second. After 5,000 reads comes the end.
    Busy,
    /// The end of the stream.
    End,
    /// The end of the stream was read: another read fails the test.
    Ended,
}

/// Lets the transport of a busy SMSC wait, when it is woken.
struct StopWhenWoken(Transport);

impl Wake for StopWhenWoken {
    fn wake(self: Arc<Self>) {
        self.0.change(|smsc| smsc.then = Then::Wait);
    }
}

#[derive(Clone, Default)]
pub(crate) struct Transport(pub(crate) Arc<Mutex<Smsc>>);

impl Transport {
    /// Changes the state, and lets the driver read again.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Smsc)) {
        let mut smsc = self.0.lock().unwrap();
        change(&mut smsc);
        let reader = smsc.reader.take();
        drop(smsc);
        reader.into_iter().for_each(Waker::wake);
    }

    /// Returns `w` for each write of submit_sm, `r` for each read of a submit_sm_resp.
    pub(crate) fn log(&self) -> String {
        self.0.lock().unwrap().log.clone()
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let smsc = &mut *self.0.lock().unwrap();
        smsc.reads += 1;
        let response = if smsc.is_held { None } else { smsc.responses.pop_front() };
        if let Some(response) = response {
            if response[7] == SUBMIT_SM as u8 {
                smsc.log.push('r');
            }
            out.put_slice(&response);
            return Poll::Ready(Ok(()));
        }
        match smsc.then {
            Then::Wait => {
                smsc.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            Then::Fail(error) => return Poll::Ready(Err(error.into())),
            Then::Busy => {
                if smsc.reads == 5_000 {
                    smsc.then = Then::End;
                }
                pass(Duration::from_millis(100));
                // A TLV that is not known.
                let body = [&[0, 0x3F, 0xF0, 0x3F, 0xEB][..], &[0; 0x3FEB]].concat();
                out.put_slice(&pdu(DELIVER_SM | RESPONSE, 1_000_000, &body));
            }
            Then::End => smsc.then = Then::Ended,
            Then::Ended => panic!("read after the end of the stream"),
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let mut smsc = self.0.lock().unwrap();
        if let Some(error) = smsc.write_error {
            return Poll::Ready(Err(error.into()));
        }
        if octets[7] == SUBMIT_SM as u8 {
            smsc.log.push('w');
        }
        let mut rest = octets;
        while let Some((header, _)) = rest.split_first_chunk::<16>() {
            let field = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().unwrap());
            let body: &[u8] = if field(4) == UNBIND { b"" } else { b"\0" };
            smsc.responses.push_back(pdu(field(4) | RESPONSE, field(12), body));
            rest = &rest[field(0) as usize..];
        }
        let reader = smsc.reader.take();
        drop(smsc);
        reader.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

async fn bound(config: Config) -> (Transport, Client, Inbox<Esme>) {
    let transport = Transport::default();
    let (client, inbox) = start::<Esme, _>(transport.clone(), config);
    client.bind(&Bind::default()).await.unwrap();
    (transport, client, inbox)
}

type Submit = JoinHandle<Result<(), RequestError>>;

fn submit(client: &Client) -> Submit {
    let client = client.clone();
    crate::spawn(async move { client.submit(&SubmitSm::default()).await.map(drop) })
}

/// Submits messages that are written and not answered.
async fn submit_held(transport: &Transport, client: &Client, count: usize) -> Vec<Submit> {
    transport.change(|smsc| smsc.is_held = true);
    let submits = (0..count).map(|_| submit(client)).collect();
    sleep(Duration::from_millis(1)).await;
    assert_eq!(transport.0.lock().unwrap().responses.len(), count);
    submits
}

/// Lets time pass within a poll.
pub(crate) fn pass(time: Duration) {
    // The first poll advances the clock.
    let _ = pin!(advance(time)).poll(&mut Context::from_waker(Waker::noop()));
}

#[tokio::test(start_paused = true)]
async fn tasks_that_a_read_wakes_run_although_there_is_more_to_read() {
    let (transport, client, _inbox) = bound(Config::default()).await;
    let submit_twice = |client: Client| async move {
        for _ in 0..2 {
            client.submit(&SubmitSm::default()).await.unwrap();
        }
    };
    let tasks = [crate::spawn(submit_twice(client.clone())), crate::spawn(submit_twice(client.clone()))];
    for task in tasks {
        task.await.unwrap();
    }
    // The first write has two messages. While the driver has more to read, the task of the first response sends its next
    // message, which the turn after the second read writes: not one write for both.
    assert_eq!(transport.log(), "wrrwrwr");
}

#[tokio::test(start_paused = true)]
async fn all_responses_that_arrived_before_a_failed_write_are_processed() {
    let (transport, client, _inbox) = bound(Config::default()).await;
    let submits = submit_held(&transport, &client, 3).await;
    transport.change(|smsc| {
        smsc.is_held = false;
        smsc.write_error = Some(io::ErrorKind::BrokenPipe);
        smsc.then = Then::Fail(io::ErrorKind::ConnectionReset);
    });
    let failed = submit(&client);
    for submit in submits {
        assert_eq!(submit.await.unwrap(), Ok(()), "each response is read in a poll of its own");
    }
    let reason = NotSentReason::Closed(CloseReason::Disconnected);
    assert_eq!(failed.await.unwrap(), Err(RequestError::NeverSent(reason)));
    // The first error is the cause.
    assert_eq!(client.closed().await.error.unwrap().kind(), io::ErrorKind::BrokenPipe);
}

#[tokio::test(start_paused = true)]
async fn responses_that_arrived_before_their_timeout_count_however_late_they_are_read() {
    let config = Config::default().enquire_link_interval(None);
    let (transport, client, _inbox) = bound(config).await;
    let submits = submit_held(&transport, &client, 3).await;
    // No task runs in between.
    pass(Duration::from_secs(15));
    transport.change(|smsc| smsc.is_held = false);
    for submit in submits {
        assert_eq!(submit.await.unwrap(), Ok(()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_sends_without_a_pause_does_not_stop_the_clock() {
    let config = Config::default().enquire_link_interval(None);
    let (transport, client, _inbox) = bound(config).await;
    let [request] = &mut submit_held(&transport, &client, 1).await[..] else { panic!() };
    // The second request is polled by a waker that ends the test, in the turn in which its timeout is reported.
    let message = SubmitSm::default();
    let mut second = pin!(client.submit(&message));
    let waker = Arc::new(StopWhenWoken(transport.clone())).into();
    assert!(second.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    sleep(Duration::from_millis(1)).await;
    transport.change(|smsc| (smsc.then, smsc.reads) = (Then::Busy, 0));
    assert_eq!(request.await.unwrap(), Err(RequestError::Unanswered(UnansweredReason::Timeout)));
    // 10 s are a hundred reads, and 8 MiB are 512.
    let reads = transport.0.lock().unwrap().reads;
    assert!((512..600).contains(&reads), "{reads}");
}

#[tokio::test(start_paused = true)]
async fn the_stream_is_not_read_after_its_end() {
    let (transport, client, inbox) = bound(Config::default()).await;
    let submits = submit_held(&transport, &client, 1).await;
    transport.change(|smsc| (smsc.is_held, smsc.then) = (false, Then::End));
    for submit in submits {
        assert_eq!(submit.await.unwrap(), Ok(()));
    }
    drop(inbox);
    assert_eq!(client.closed().await.reason, CloseReason::Disconnected);
}

#[tokio::test(start_paused = true)]
async fn a_request_times_out_while_another_waits_for_the_rate_limit() {
    let rate = Some(Rate::per_second(1).with_burst(1));
    let response_timeout = Duration::from_millis(100);
    let config = Config::default().enquire_link_interval(None).rate(rate).response_timeout(response_timeout);
    let (transport, client, _inbox) = bound(config).await;
    let began = Instant::now();
    let submits = submit_held(&transport, &client, 1).await;
    let _waiting = submit(&client);
    for submit in submits {
        assert_eq!(submit.await.unwrap(), Err(RequestError::Unanswered(UnansweredReason::Timeout)));
    }
    assert_eq!(began.elapsed(), response_timeout);
}

/// Lets time pass when a task is woken, as if its waker took so long.
pub(crate) struct SlowWaker(pub(crate) Duration);

impl Wake for SlowWaker {
    fn wake(self: Arc<Self>) {
        pass(self.0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_while_tasks_are_woken_is_kept() {
    // Without keep-alive, the session sends nothing after a timeout.
    let (transport, client, _inbox) = bound(Config::default().enquire_link_interval(None)).await;
    transport.change(|smsc| smsc.is_held = true);
    let message = SubmitSm::default();
    let mut first = pin!(client.submit(&message));
    let waker = Arc::new(SlowWaker(Duration::from_secs(3))).into();
    assert!(first.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    sleep(Duration::from_secs(2)).await;
    let began = Instant::now();
    let second = timeout(Duration::from_secs(60), client.submit(&message)).await;
    let second = second.expect("the request has no result");
    assert_eq!(second.unwrap_err(), RequestError::Unanswered(UnansweredReason::Timeout));
    // The first has timed out after 10 s, when the second had 2 s left. The waker of the first took 3 s.
    assert_eq!(began.elapsed(), Duration::from_secs(11));
}
