//! A change by one task reaches the task that sleeps until a later deadline.

use std::future::pending;
use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use smpp_proto::account::{Binds, Credentials, Message, Options};
use smpp_proto::provider::Provider;
use smpp_proto::session::{CloseReason, Config, Smsc};
use smpp_proto::{CommandStatus, RegisteredDelivery, SubmitSm};
use smpp_tokio::account::{Account, AccountConnector, Arrival, Arrivals, Unacknowledged};
use smpp_tokio::{Admission, BindRequest, BoundSession, Inbound, Listener, Server, Service};
use tokio::io::{AsyncWriteExt, duplex};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use crate::drivers::peer::{
    BIND_TRANSCEIVER, DELIVER_SM, RESPONSE, SUBMIT_SM, ScriptedSmsc, UNBIND, bind, messages, pdu, read,
    receipt, settle,
};

const SECOND: Duration = Duration::from_secs(1);

fn config(enquire_link_interval: Option<Duration>) -> Config {
    Config::default().enquire_link_interval(enquire_link_interval).drain_timeout(SECOND)
}

async fn bound(config: Config, answers: bool) -> (ScriptedSmsc, Account, Arrivals) {
    let (smsc, connector) = ScriptedSmsc::new(config, answers);
    let (account, arrivals) = connector.connect().await.unwrap();
    (smsc, account, arrivals)
}

/// Returns a delivery that is not acknowledged, after its connection has slept for a while.
async fn unacknowledged(
    smsc: &ScriptedSmsc,
    arrivals: &mut Arrivals,
) -> Unacknowledged<smpp_proto::account::InboundMessage> {
    smsc.send(0, messages(DELIVER_SM, 1));
    let Some(Arrival::Message(message)) = arrivals.recv().await else { panic!("no message") };
    sleep(Duration::from_secs(12)).await;
    message
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_with_an_unanswered_delivery_ends_after_drain_timeout() {
    for interval in [None, Some(Duration::from_secs(20))] {
        let (smsc, account, mut arrivals) = bound(config(interval), true).await;
        let _message = unacknowledged(&smsc, &mut arrivals).await;
        let start = Instant::now();
        timeout(SECOND * 60, account.shutdown(SECOND / 2)).await.expect("the shutdown does not end");
        assert_eq!(start.elapsed().as_millis(), 1_000);
    }
}

/// The SMSC accepts the bind, then answers nothing, and perhaps reads nothing.
#[tokio::test(start_paused = true)]
async fn a_shutdown_returns_in_time_whatever_the_smsc_does() {
    for reads in [true, false] {
        let options = Options::new(Credentials::new("shop", "secret"), &Provider::UNSTATED);
        let connector = AccountConnector::new(&"smpp://192.0.2.1".parse().unwrap(), options);
        let connector = connector.dial(move |_| async move {
            let (near, mut far) = duplex(256);
            crate::spawn(async move {
                assert_eq!(read(&mut far).await.unwrap().command, BIND_TRANSCEIVER);
                far.write_all(&pdu(BIND_TRANSCEIVER | RESPONSE, 1, &[0])).await.unwrap();
                while reads && read(&mut far).await.is_some() {}
                pending::<()>().await;
                drop(far);
            });
            io::Result::Ok(near)
        });
        let (account, _arrivals) = connector.connect().await.unwrap();
        for _ in 0..50 {
            drop(account.try_submit(&Message::submit_sm(&SubmitSm::default())).unwrap());
        }
        settle().await;
        let start = Instant::now();
        let unresolved = account.shutdown(4 * SECOND).await;
        let took = start.elapsed();
        assert_eq!(unresolved.len(), 50);
        // The queue, `unbind_timeout`, and 2 s to close the connection.
        assert!(took >= 7 * SECOND && took <= 9 * SECOND, "{took:?}, reads: {reads}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_leaves_at_once() {
    let (smsc, _account, mut arrivals) = bound(config(None), true).await;
    let message = unacknowledged(&smsc, &mut arrivals).await;
    let start = Instant::now();
    message.accept().unwrap();
    settle().await;
    let responses = smsc.received(DELIVER_SM | RESPONSE);
    assert_eq!(responses.iter().map(|(at, ..)| *at - start).collect::<Vec<_>>(), [Duration::ZERO]);
}

#[tokio::test(start_paused = true)]
async fn a_receipt_that_the_account_acknowledges_itself_is_answered_at_once() {
    let (smsc, account, _arrivals) = bound(config(None), true).await;
    let template = SubmitSm { registered_delivery: RegisteredDelivery::RECEIPT, ..SubmitSm::default() };
    let mut sent = account.send(&Message::text(&template, "Hello")).await.unwrap();
    sleep(Duration::from_secs(12)).await;
    let start = Instant::now();
    smsc.send(0, receipt(77, "id"));
    assert!(timeout(SECOND, sent.receipt()).await.expect("no receipt").is_ok());
    settle().await;
    let responses = smsc.received(DELIVER_SM | RESPONSE);
    assert_eq!(responses.iter().map(|(at, ..)| *at - start).collect::<Vec<_>>(), [Duration::ZERO]);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_binds_acts_at_once() {
    let (smsc, account, _arrivals) = bound(config(None), true).await;
    account.set_binds(Binds::transceivers(2)).unwrap();
    sleep(SECOND).await;
    assert_eq!(smsc.connections.lock().unwrap().len(), 2);
    sleep(SECOND * 12).await;
    let start = Instant::now();
    account.set_binds(Binds::transceivers(1)).unwrap();
    settle().await;
    assert_eq!(
        smsc.received(UNBIND).iter().map(|(at, ..)| *at - start).collect::<Vec<_>>(),
        [Duration::ZERO]
    );
}

#[tokio::test(start_paused = true)]
async fn the_drop_of_the_last_handle_ends_the_account_within_drain_timeout() {
    let (smsc, account, arrivals) = bound(config(None), false).await;
    let ticket = account.try_submit(&Message::text(&SubmitSm::default(), "Hello")).unwrap();
    settle().await;
    assert_eq!(smsc.received(SUBMIT_SM).len(), 1);
    drop(ticket);
    let start = Instant::now();
    drop((account, arrivals));
    sleep(SECOND * 5).await;
    let unbinds = smsc.received(UNBIND);
    assert_eq!(unbinds.iter().map(|(at, ..)| (*at - start).as_millis()).collect::<Vec<_>>(), [1_000]);
    // The tasks of the SMSC remain: two for each connection, until the connection is closed.
    assert_eq!(
        tokio::runtime::Handle::current().metrics().num_alive_tasks(),
        1,
        "only the writer of the SMSC"
    );
}

/// Reports each request. Then it blocks its thread until the end of the test, or never completes.
struct StuckService(mpsc::UnboundedSender<()>);

impl Service for StuckService {
    async fn bind(&self, _: &BindRequest) -> Result<Admission, CommandStatus> {
        Ok(Admission::default())
    }

    async fn request(&self, bound: &BoundSession, request: Inbound<Smsc>) {
        self.0.send(()).unwrap();
        if bound.id() == *BLOCKED.wait() {
            RELEASED.wait();
        }
        let _request = request;
        std::future::pending::<()>().await;
    }
}

static BLOCKED: OnceLock<smpp_tokio::BindId> = OnceLock::new();
static RELEASED: OnceLock<()> = OnceLock::new();

/// Releases the blocked thread, for which the end of the runtime waits.
struct Release;

impl Drop for Release {
    fn drop(&mut self) {
        _ = RELEASED.set(());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_shutdown_of_a_server_keeps_its_bound_whatever_a_handler_does() {
    let listener = Listener::bind("127.0.0.1:0", Config::default()).await.unwrap();
    let (called, mut calls) = mpsc::unbounded_channel();
    let server = Server::builder(StuckService(called)).listen(listener).start().unwrap();
    let _release = Release;
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut io = TcpStream::connect(server.local_addrs()[0]).await.unwrap();
        bind(&mut io).await;
        clients.push(io);
    }
    BLOCKED.set(server.binds().list()[0].id()).unwrap();
    // The one that blocks is the last: a task that was woken by its thread just before would not run any more.
    for io in clients.iter_mut().rev() {
        io.write_all(&messages(SUBMIT_SM, 1)).await.unwrap();
        calls.recv().await.unwrap();
    }
    let start = Instant::now();
    let shutdown = server.shutdown(Duration::from_millis(500)).await;
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert_eq!(shutdown.ended.len(), 2);
    assert!(shutdown.ended.iter().all(|(_, end)| end.reason == CloseReason::Aborted));
}

#[tokio::test(start_paused = true)]
async fn an_smsc_that_sends_one_segment_at_a_time_does_not_wait() {
    let (smsc, _account, mut arrivals) = bound(config(None), true).await;
    // The account and its connection sleep.
    sleep(Duration::from_secs(12)).await;
    let start = Instant::now();
    for number in 1..=3_u8 {
        let header = [5, 0, 3, 7, 3, number];
        let mut body = vec![0; 7];
        // The esm_class of a user data header.
        body.extend_from_slice(&[0x40, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
        body.extend_from_slice(&header);
        body.push(b'0' + number);
        smsc.send(0, pdu(DELIVER_SM, u32::from(number), &body));
        // The SMSC waits for each response but the last.
        while number < 3 && smsc.received(DELIVER_SM | RESPONSE).len() < usize::from(number) {
            settle().await;
        }
    }
    let Some(Arrival::Message(message)) = arrivals.recv().await else { panic!("no message") };
    assert_eq!(message.get().text().as_deref(), Some("123"));
    message.accept().unwrap();
    settle().await;
    assert_eq!(smsc.received(DELIVER_SM | RESPONSE).len(), 3);
    let took = start.elapsed();
    assert!(took < Duration::from_millis(300), "{took:?}");
}
