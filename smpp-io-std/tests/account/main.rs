//! Accounts with several binds, over TCP and TLS on loopback: here outcomes, shutdown, panics, threads.

mod arrivals;
mod batches;
#[path = "../common/mod.rs"]
mod common;
mod requests;
mod resolving;
mod shape;
mod smsc;
mod stalled;

use std::collections::HashSet;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::watched;
use smpp_proto::account::{
    AccountEvent, Backoff, Binds, Credentials, LinkEvent, LinkState, Message, Options, SegmentNotSentReason,
    SegmentOutcome, SubmitError, UnansweredPolicy, Unresolved,
};
use smpp_proto::provider::Provider;
use smpp_proto::session::{CloseReason, Kind};
use smpp_proto::{Address, CommandStatus, Endpoint, MessageState, RegisteredDelivery, SubmitSm};
use smpp_std::account::{
    Account, AccountConnector, AccountError, Arrival, Arrivals, Ended, NoMoreReceipts, SendError,
};
use smpp_std::testing::{ACCOUNT, TestSmsc};

use smsc::Server;

const SECOND: Duration = Duration::from_secs(1);

/// The options of a test: an end does not wait long for requests that one of the sides leaves unanswered.
fn quick(provider: &Provider) -> Options {
    let mut options = Options::new(Credentials::new(ACCOUNT.0, ACCOUNT.1), provider)
        .connect_interval(Duration::from_millis(1));
    options.session.drain_timeout = Duration::from_millis(100);
    options
}

fn options(binds: Binds) -> Options {
    quick(&Provider::EIGHT_BY_EIGHT).binds(binds)
}

fn template() -> SubmitSm<'static> {
    SubmitSm {
        source: Address::alphanumeric("8x8").unwrap(),
        destination: Address::international("6591234567").unwrap(),
        registered_delivery: RegisteredDelivery::RECEIPT,
        ..SubmitSm::default()
    }
}

fn text(text: impl Into<String>) -> Message {
    Message::text(&template(), text)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_millis(30)
}

fn bound(account: &Account) -> usize {
    let is_bound = |state| matches!(state, LinkState::Open(_, state) if state.is_bound());
    account.links().into_iter().filter(|(_, state, _)| is_bound(*state)).count()
}

/// Returns why the account's connections end, one after the other.
fn ends(account: &Account) -> impl Iterator<Item = CloseReason> + use<> {
    account.events().filter_map(|event| match event {
        AccountEvent::Link { event: LinkEvent::Closed { reason, .. }, .. } => Some(reason),
        _ => None,
    })
}

/// Waits until the condition holds. A test that waits too long fails by its time limit.
fn until(holds: impl Fn() -> bool) {
    while !holds() {
        thread::yield_now();
    }
}

/// Returns the number of threads of accounts in this process.
#[cfg(target_os = "linux")]
fn threads() -> usize {
    let names = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = names.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.starts_with("smpp link") || name.starts_with("smpp account")).count()
}

/// The environment variable of a process that runs one test.
const ALONE: &str = "SMPP_TEST_ALONE";

/// Runs a test that must not hang and must leave no thread, in a process of its own: the tests count the threads of accounts
/// in their process.
fn alone(test: impl FnOnce() + Send + 'static) {
    run_alone(Box::new(test));
}

/// Compiled once, not for each test.
fn run_alone(test: Box<dyn FnOnce() + Send>) {
    let thread = thread::current();
    // One test at a time runs in the main thread.
    let name = thread.name().filter(|name| *name != "main" && std::env::var_os(ALONE).is_none());
    let Some(name) = name else {
        watched(test);
        #[cfg(target_os = "linux")]
        watched(|| until(|| threads() == 0));
        return;
    };
    let mut process = Command::new(std::env::current_exe().unwrap());
    let output = process.args(["--exact", name, "--nocapture"]).env(ALONE, "1").output().unwrap();
    let [out, error] = [&output.stdout, &output.stderr].map(|octets| String::from_utf8_lossy(octets));
    assert!(output.status.success() && out.contains("1 passed"), "{out}\n{error}");
}

fn trusting(smsc: &TestSmsc, port: u16, options: Options) -> AccountConnector {
    let endpoint: Endpoint = format!("smpps://localhost:{port}").parse().unwrap();
    AccountConnector::new(&endpoint, options).tls(smsc.client_tls())
}

fn connected(binds: Binds) -> (TestSmsc, Account, Arrivals) {
    let smsc = TestSmsc::builder().tls().start().unwrap();
    let (account, arrivals) = trusting(&smsc, smsc.local_addr().port(), options(binds)).connect().unwrap();
    (smsc, account, arrivals)
}

/// Options with a short back-off and no rate limit.
fn fast(binds: Binds) -> Options {
    let quick = Duration::from_millis(20);
    let mut options = options(binds);
    options.session.rate = None;
    options.backoff(Backoff::default().initial(quick).max(quick).reset_after(SECOND))
}

#[test]
fn messages_of_any_length_are_accepted_and_receipted_on_any_bind() {
    alone(|| {
        for binds in [Binds::transceivers(4), Binds::pairs(2)] {
            let (_smsc, account, _arrivals) = connected(binds);
            let sending = (0..40).map(|number| {
                let account = account.clone();
                thread::spawn(move || {
                    let mut sent = account.send(&text("Grüße, 1 € ".repeat(1 + number))).unwrap();
                    (sent.ids().len(), sent.receipt().unwrap())
                })
            });
            let mut segments = 0;
            for sent in sending.collect::<Vec<_>>() {
                let (ids, state) = sent.join().unwrap();
                assert_eq!(state, MessageState::DELIVERED);
                segments += ids;
            }
            let stats = account.links().into_iter().filter_map(|(.., stats)| stats);
            let submitted: u64 = stats.map(|stats| stats.sent.of(Kind::Message).requests).sum();
            assert_eq!(submitted, segments as u64);
            assert_eq!(account.shutdown(5 * SECOND), []);
        }
    });
}

#[test]
fn a_wrong_password_is_reported_and_not_retried() {
    alone(|| {
        let smsc = TestSmsc::builder().tls().start().unwrap();
        let options = options(Binds::transceivers(4));
        let credentials = Credentials::new(ACCOUNT.0, "wrong");
        let connector =
            || trusting(&smsc, smsc.local_addr().port(), options.clone().credentials(credentials.clone()));
        let error = connector().connect().unwrap_err();
        assert!(matches!(error, AccountError::Refused { status: CommandStatus::RINVPASWD, .. }), "{error}");

        let (account, _arrivals) = connector().start().unwrap();
        let mut events = account.events();
        let until_closed = std::iter::from_fn(|| events.recv().filter(|event| event.kind() != "link_closed"));
        let kinds: Vec<_> = until_closed.map(|event| event.kind()).collect();
        assert_eq!(kinds, ["binding", "bind_refused", "stopped"]);
        assert_eq!(account.stats().counters.binds_refused, 1);
        account.shutdown(Duration::ZERO);
        // The next event is the end: it was not retried.
        assert_eq!(events.recv().map(|event| event.kind()), Some("closed"));
        assert_eq!((events.recv(), events.recv_until(Instant::now())), (None, Err(Ended)));
    });
}

#[test]
fn an_untrusted_certificate_is_reported() {
    alone(|| {
        let smsc = TestSmsc::builder().tls().start().unwrap();
        let stranger = TestSmsc::builder().tls().start().unwrap();
        let error = trusting(&stranger, smsc.local_addr().port(), options(Binds::transceivers(1)))
            .connect()
            .unwrap_err();
        assert!(
            matches!(&error, AccountError::Untrusted(why) if why.to_string().contains("certificate")),
            "{error}"
        );
    });
}

#[test]
fn the_outcomes_add_up_after_an_smsc_was_killed() {
    alone(|| {
        let mut server = Server::start("127.0.0.1:0");
        let connector = AccountConnector::new(&server.endpoint(), fast(Binds::transceivers(4)));
        let (account, arrivals) = connector.connect().unwrap();
        // Without `Arrivals`, receipts are acknowledged and dropped.
        drop(arrivals);
        let done = Arc::new(AtomicU64::new(0));
        let sending: Vec<_> = (0..8)
            .map(|_| {
                let (account, done) = (account.clone(), Arc::clone(&done));
                thread::spawn(move || {
                    let mut counts = [0; 3];
                    for _ in 0..250 {
                        let index = match account.send(&text("Hello")) {
                            Ok(_) => 0,
                            Err(SendError::Failed { outcome, .. }) => match &outcome.segments[..] {
                                [SegmentOutcome::Unanswered(_)] => 1,
                                [SegmentOutcome::Refused { .. } | SegmentOutcome::NeverSent(_)] => 2,
                                other => panic!("{other:?}"),
                            },
                            Err(error) => panic!("{error}"),
                        };
                        counts[index] += 1;
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                    counts
                })
            })
            .collect();
        let mut answered = 0;
        for kill in 1..=3 {
            until(|| done.load(Ordering::SeqCst) >= kill * 400);
            server.kill();
            answered += server.shared.ids.load(Ordering::SeqCst);
            let address = server.address.to_string();
            server = Server::start(&address);
        }
        let mut totals = [0; 3];
        for counts in sending.into_iter().map(|thread| thread.join().unwrap()) {
            totals.iter_mut().zip(counts).for_each(|(all, some)| *all += some);
        }
        answered += server.shared.ids.load(Ordering::SeqCst);
        let [accepted, unanswered, others] = totals;
        assert_eq!(accepted + unanswered, 2000, "a message that was never sent is sent on another bind");
        assert_eq!(others, 0);
        assert!(accepted <= answered && answered <= 2000, "{accepted} of {answered}");
        assert!(unanswered <= 3 * 4 * 16, "no more than was in flight");
    });
}

#[test]
fn an_unanswered_message_is_resent_if_its_policy_says_so() {
    alone(|| {
        let mut server = Server::start("127.0.0.1:0");
        server.shared.mute.store(true, Ordering::SeqCst);
        let connector = AccountConnector::new(&server.endpoint(), fast(Binds::transceivers(1)));
        let (account, _arrivals) = connector.connect().unwrap();
        let again = account.submit(&text("again").unanswered_policy(UnansweredPolicy::Resend(1))).unwrap();
        let once = account.submit(&text("once")).unwrap();
        until(|| server.shared.received.load(Ordering::SeqCst) == 2);
        server.kill();
        let address = server.address.to_string();
        let _server = Server::start(&address);
        assert!(again.outcome().is_ok());
        let Err(SendError::Failed { outcome, .. }) = once.outcome() else {
            panic!("the message was accepted")
        };
        assert!(matches!(outcome.segments[..], [SegmentOutcome::Unanswered(_)]));
    });
}

#[test]
fn shutdown_returns_the_unresolved_messages() {
    alone(|| {
        let server = Server::start("127.0.0.1:0");
        server.shared.mute.store(true, Ordering::SeqCst);
        let mut options = options(Binds::transceivers(1)).max_binds(1);
        options.session.window = 1;
        let (account, mut arrivals) = AccountConnector::new(&server.endpoint(), options).connect().unwrap();
        let [in_flight, waiting] = [(); 2].map(|()| account.submit(&text("Hello")).unwrap());
        until(|| server.shared.received.load(Ordering::SeqCst) == 1);
        let unresolved = account.shutdown(Duration::from_millis(20));
        let mut outcomes = unresolved.iter().map(|unresolved| match unresolved {
            Unresolved::NotAccepted { message, outcome, .. } => (*message, outcome.segments[0].clone()),
            _ => panic!("{unresolved:?}"),
        });
        let (first, second) = (outcomes.next().unwrap(), outcomes.next().unwrap());
        assert_eq!(first, (waiting.message(), SegmentOutcome::NeverSent(SegmentNotSentReason::ShutDown)));
        assert_eq!(second.0, in_flight.message());
        assert!(matches!(second.1, SegmentOutcome::Unanswered(_)), "{second:?}");
        assert!(waiting.outcome().is_err() && in_flight.outcome().is_err());
        assert_eq!(account.submit(&text("Hello")).unwrap_err(), SubmitError::ShutDown);
        assert!(arrivals.recv().is_none());
        assert_eq!(arrivals.recv_until(soon()).unwrap_err(), Ended);
        assert_eq!(account.shutdown(SECOND), [], "returned already");
    });
}

#[test]
fn a_deadline_returns_the_ticket_of_a_message_that_is_still_being_sent() {
    alone(|| {
        let server = Server::start("127.0.0.1:0");
        server.shared.mute.store(true, Ordering::SeqCst);
        let options = options(Binds::transceivers(1)).queue_capacity(1);
        let (account, mut arrivals) = AccountConnector::new(&server.endpoint(), options).connect().unwrap();
        assert!(arrivals.recv_until(soon()).unwrap().is_none());
        let ticket = account.send_until(&text("Hello"), soon()).unwrap_err();
        assert_eq!(account.submit_until(&text("Hello"), soon()).unwrap_err(), SubmitError::Full);
        assert_eq!(account.try_submit(&text("Hello")).unwrap_err(), SubmitError::Full);
        assert!(matches!(
            account.send_until(&text("Hello"), soon()),
            Ok(Err(SendError::NotAccepted(SubmitError::Full)))
        ));
        // A thread that waits for room is woken by the shutdown.
        let blocked = account.clone();
        let blocked = thread::spawn(move || blocked.submit(&text("Hello")).unwrap_err());
        let ticket = ticket.outcome_until(soon()).unwrap_err();
        assert!(!account.closed_until(soon()));
        account.shutdown(Duration::ZERO);
        assert_eq!(blocked.join().unwrap(), SubmitError::ShutDown);
        assert!(ticket.outcome().is_err());
    });
}

#[test]
fn the_number_of_binds_can_be_changed() {
    alone(|| {
        let server = Server::start("127.0.0.1:0");
        let connector = AccountConnector::new(&server.endpoint(), options(Binds::transceivers(1)));
        let (account, _arrivals) = connector.connect().unwrap();
        let open = || account.links().iter().filter(|(_, state, _)| *state != LinkState::Idle).count();
        account.set_binds(Binds::transceivers(4)).unwrap();
        until(|| bound(&account) == 4);
        account.set_binds(Binds::transceivers(2)).unwrap();
        until(|| (bound(&account), open()) == (2, 2));
        account.set_binds(Binds::pairs(2)).unwrap();
        until(|| (bound(&account), open()) == (4, 4));
        assert!(account.set_binds(Binds::transceivers(1000)).is_err());
    });
}

#[test]
fn every_thread_that_waits_for_room_gets_its_turn() {
    alone(|| {
        let server = Server::start("127.0.0.1:0");
        let options = fast(Binds::transceivers(2)).queue_capacity(2);
        let (account, arrivals) = AccountConnector::new(&server.endpoint(), options).connect().unwrap();
        // Without `Arrivals`, receipts are acknowledged and dropped.
        drop(arrivals);
        let sending: Vec<_> = (0..20)
            .map(|_| {
                let account = account.clone();
                thread::spawn(move || {
                    (0..50).map(|_| account.send(&text("Hello")).unwrap().ids()[0].clone()).collect()
                })
            })
            .collect();
        let ids: Vec<HashSet<_>> = sending.into_iter().map(|thread| thread.join().unwrap()).collect();
        let all: HashSet<_> = ids.into_iter().flatten().collect();
        assert_eq!(all.len(), 1000);
        assert_eq!(account.queued(), 0);
    });
}

#[test]
fn a_panic_in_a_thread_of_the_application_does_not_affect_others() {
    alone(|| {
        let server = Server::start("127.0.0.1:0");
        let connector = AccountConnector::new(&server.endpoint(), fast(Binds::transceivers(2)));
        let (account, _arrivals) = connector.connect().unwrap();
        let shared = account.clone();
        let panicked = thread::spawn(move || {
            let _sent = shared.send(&text("Hello")).unwrap();
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert_eq!(account.send(&text("Hello")).unwrap().receipt(), Ok(MessageState::DELIVERED));
    });
}

#[test]
fn dropping_in_any_order_leaves_no_thread() {
    alone(|| {
        for order in 0..6 {
            let server = Server::start("127.0.0.1:0");
            let connector = AccountConnector::new(&server.endpoint(), fast(Binds::transceivers(4)));
            let (account, arrivals) = connector.connect().unwrap();
            let sent = account.send(&text("Hello")).unwrap();
            let ticket = account.submit(&text("Hello")).unwrap();
            let (mut account, mut arrivals, mut rest) = (Some(account), Some(arrivals), Some((sent, ticket)));
            for step in 0..3 {
                match (order + step * (1 + order / 3)) % 3 {
                    0 => drop(account.take()),
                    1 => drop(arrivals.take()),
                    _ => drop(rest.take()),
                }
            }
            #[cfg(target_os = "linux")]
            until(|| threads() == 0);
        }
    });
}

#[test]
fn an_account_that_never_connects_leaves_no_thread() {
    alone(|| {
        // A host that accepts connections and sends nothing: the handshake waits.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let smsc = TestSmsc::builder().tls().start().unwrap();
        let connector = trusting(&smsc, silent.local_addr().unwrap().port(), options(Binds::transceivers(4)));
        let error = connector.bind_timeout(Duration::from_millis(50)).connect().unwrap_err();
        assert!(matches!(error, AccountError::Timeout { .. }), "{error}");
        let (shown, advice) = (error.to_string(), " was not made yet; check host, port and scheme, ");
        assert!(
            shown.contains("; at the end, the connection to smpps://localhost:") && shown.contains(advice),
            "{shown}"
        );
        // The thread that waits for the handshake is interrupted, long before its connect timeout.
        #[cfg(target_os = "linux")]
        {
            let began = Instant::now();
            until(|| threads() == 0);
            assert!(began.elapsed() < 5 * SECOND);
        }
    });
}

#[test]
fn each_receiver_gets_the_events_and_a_slow_one_is_told_what_it_has_lost() {
    alone(|| {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint: Endpoint = format!("smpp://{}", silent.local_addr().unwrap()).parse().unwrap();
        let connector = AccountConnector::new(&endpoint, fast(Binds::transceivers(1))).events_capacity(3);
        let (account, _arrivals) = connector.start().unwrap();
        let (mut slow, mut quick) = (account.events(), account.events());
        // The thread of the connection makes it, and the SMSC answers nothing.
        let binding = "link 0: connected to ";
        assert!(slow.recv().unwrap().to_string().starts_with(binding));
        let failed = |number| {
            format!("message {number} failed: not sent: the message was cancelled; a resend is safe")
        };
        let seen = thread::spawn(move || {
            let shown = std::iter::from_fn(|| quick.recv()).map(|event| event.to_string());
            shown.skip_while(|text| text.starts_with(binding)).take(1).collect::<Vec<_>>()
        });
        account.try_submit(&text("Hello")).unwrap().cancel();
        assert_eq!(seen.join().unwrap(), [failed(1)], "a waiting receiver is woken");
        for _ in 0..9 {
            account.try_submit(&text("Hello")).unwrap().cancel();
        }
        let shown: Vec<_> = slow.by_ref().take(4).map(|event| event.to_string()).collect();
        let lost = "7 events lost: the receiver reads too slowly".to_owned();
        assert_eq!(shown, [lost, failed(8), failed(9), failed(10)]);
    });
}
