//! The turns of the driver of an account's connection.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use smpp_proto::account::{Credentials, Message, Options, SegmentOutcome};
use smpp_proto::provider::Provider;
use smpp_proto::session::{Config, UnansweredReason};
use smpp_proto::{CommandStatus, SubmitSm};
use smpp_tokio::account::{Account, AccountConnector, Arrival, Arrivals, SendError};
use tokio::time::{Instant, sleep, timeout};

use crate::drivers::peer::{DELIVER_SM, RESPONSE, ScriptedSmsc, messages, settle};
use crate::drivers::turns::{SlowWaker, Then, Transport, pass};

const SECOND: Duration = Duration::from_secs(1);

/// Binds without keep-alive: the session sends nothing after a timeout.
async fn bound(max_unanswered: u16) -> (Transport, Account, Arrivals) {
    let session = Config::default().enquire_link_interval(None).max_unanswered(max_unanswered);
    let options = Options::new(Credentials::new("shop", "secret"), &Provider::UNSTATED);
    let transport = Transport::default();
    let dialed = transport.clone();
    let connector = AccountConnector::new(&"smpp://192.0.2.1".parse().unwrap(), options.session(session))
        .dial(move |_| {
            let transport = dialed.clone();
            async move { io::Result::Ok(transport) }
        });
    let (account, arrivals) = connector.connect().await.unwrap();
    transport.change(|smsc| smsc.is_held = true);
    (transport, account, arrivals)
}

fn message() -> Message {
    Message::text(&SubmitSm::default(), "Hello")
}

#[tokio::test(start_paused = true)]
async fn responses_that_arrived_before_their_timeout_count_however_late_they_are_read() {
    let (transport, account, _arrivals) = bound(100).await;
    let sending = [0, 1, 2].map(|_| {
        let account = account.clone();
        crate::spawn(async move { account.send(&message()).await.map(drop) })
    });
    sleep(SECOND).await;
    assert_eq!(transport.0.lock().unwrap().responses.len(), 3);
    // No task runs in between.
    pass(15 * SECOND);
    transport.change(|smsc| smsc.is_held = false);
    for send in sending {
        assert_eq!(send.await.unwrap(), Ok(()));
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_tasks_send_that_a_read_wakes_leaves_in_one_write() {
    let (transport, account, arrivals) = bound(100).await;
    drop(arrivals);
    let send_twice = |account: Account| async move {
        for _ in 0..2 {
            account.send(&message()).await.unwrap();
        }
    };
    let tasks: Vec<_> = (0..3).map(|_| crate::spawn(send_twice(account.clone()))).collect();
    sleep(SECOND).await;
    transport.change(|smsc| {
        smsc.is_held = false;
        // In one read: all three responses, and a message, which is refused at once.
        let responses = smsc.responses.drain(..).collect::<Vec<_>>().concat();
        smsc.responses = [[responses, messages(DELIVER_SM, 1)].concat()].into();
    });
    for task in tasks {
        task.await.unwrap();
    }
    // No write begins with the second submit_sm: they are behind the deliver_sm_resp.
    assert_eq!(transport.log(), "wrrrr");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_while_tasks_are_woken_is_kept() {
    let (_transport, account, _arrivals) = bound(100).await;
    let message = message();
    let mut first = pin!(account.send(&message));
    let waker = Arc::new(SlowWaker(3 * SECOND)).into();
    assert!(first.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    sleep(2 * SECOND).await;
    let began = Instant::now();
    let second = timeout(60 * SECOND, account.send(&message)).await.expect("the message has no outcome");
    let Err(SendError::Failed { outcome, .. }) = second else { panic!("{second:?}") };
    assert_eq!(outcome.segments, [SegmentOutcome::Unanswered(UnansweredReason::Timeout)]);
    // The first has timed out after 10 s, when the second had 2 s left. The waker of the first took 3 s.
    assert_eq!(began.elapsed(), 11 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_not_read_while_its_requests_wait_for_the_application() {
    let (transport, _account, mut arrivals) = bound(1).await;
    transport.change(|smsc| {
        smsc.is_held = false;
        smsc.responses.extend([messages(DELIVER_SM, 1)]);
    });
    let _unanswered = arrivals.recv().await.unwrap();
    transport.change(|smsc| (smsc.then, smsc.reads) = (Then::Busy, 0));
    sleep(SECOND).await;
    assert_eq!(transport.0.lock().unwrap().reads, 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_paused_reading_reads_again() {
    let (smsc, connector) = ScriptedSmsc::new(Config::default().max_unanswered(1), true);
    let (_account, mut arrivals) = connector.connect().await.unwrap();
    for count in [3, 1] {
        smsc.send(0, messages(DELIVER_SM, count));
        for _ in 0..count {
            let arrival = timeout(SECOND, arrivals.recv()).await.expect("the message is not read");
            let Some(Arrival::Message(message)) = arrival else { panic!("no message") };
            message.accept().unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_reads_again_after_backpressure_timeout() {
    let session = Config::default().max_unanswered(1).enquire_link_interval(None);
    let (smsc, connector) = ScriptedSmsc::new(session, true);
    let (_account, mut arrivals) = connector.connect().await.unwrap();
    smsc.send(0, messages(DELIVER_SM, 1));
    let _unanswered = arrivals.recv().await.unwrap();
    sleep(session.backpressure_timeout + SECOND).await;
    smsc.send(0, messages(DELIVER_SM, 1));
    settle().await;
    let [(.., response)] = smsc.received(DELIVER_SM | RESPONSE)[..] else { panic!("not read") };
    assert_eq!(response.status, CommandStatus::RTHROTTLED.0);
}
