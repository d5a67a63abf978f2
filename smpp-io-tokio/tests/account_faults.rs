//! An account whose SMSC is killed, cut off, silent or full: what becomes of each message adds up.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use smpp_core::account::{Backoff, Binds, Credentials, LinkEvent, Message, Options, SegmentOutcome};
use smpp_core::provider::Provider;
use smpp_core::session::{Config, RequestError};
use smpp_core::{
    Address, COctets, CommandStatus, Endpoint, MessageState, RegisteredDelivery, SubmitSm, SubmitSmResp,
};
use smpp_io_tokio::account::{Account, AccountConnector, Arrival, Arrivals, SendError};
use smpp_io_tokio::testing::{ACCOUNT, Smsc};
use smpp_io_tokio::{Inbound, Listener};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

/// Tells a process of this test that it is the SMSC, and where it listens.
const LISTEN: &str = "SMPP_TEST_SMSC";

fn options(binds: Binds) -> Options {
    let (system_id, password) = ACCOUNT;
    let backoff =
        Backoff { initial: Duration::from_millis(20), max: Duration::from_millis(100), ..Backoff::default() };
    Options {
        binds,
        backoff,
        max_binds: 5,
        connect_interval: Duration::from_millis(1),
        ..Options::new(Credentials::new(system_id, password), &Provider::UNSTATED)
    }
}

fn template(asks: RegisteredDelivery) -> SubmitSm<'static> {
    SubmitSm {
        destination: Address::international("6591234567").unwrap(),
        registered_delivery: asks,
        ..SubmitSm::default()
    }
}

fn endpoint(scheme: &str, port: u16) -> Endpoint {
    format!("{scheme}://localhost:{port}").parse().unwrap()
}

/// What became of messages, by their texts.
type Told = HashMap<String, Result<(), SendError>>;

/// Sends so many messages at once.
async fn send_all(account: &Account, count: usize) -> Told {
    let mut sending = tokio::task::JoinSet::new();
    for number in 0..count {
        let account = account.clone();
        sending.spawn(async move {
            let text = format!("message {number}");
            let sent = account.send(&Message::text(&template(RegisteredDelivery::empty()), &*text)).await;
            (text, sent.map(drop))
        });
    }
    sending.join_all().await.into_iter().collect()
}

/// The SMSC of the test below, in a process of its own: it says what it takes before it answers. Without the variable
/// it is no test at all.
#[tokio::test]
async fn the_smsc_that_is_killed() {
    let Ok(address) = std::env::var(LISTEN) else { return };
    let listener = Listener::bind(&address, Config::default()).await.unwrap();
    println!("\nlistening {}", listener.local_addr().unwrap().port());
    loop {
        let connecting = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let Ok(request) = connecting.bind_request().await else { return };
            let Ok((_peer, mut inbox)) = request.accept(COctets::default()) else { return };
            while let Some(inbound) = inbox.recv().await {
                if let Inbound::SubmitSm(message) = inbound {
                    println!("took {}", message.get().short_message.as_bytes().escape_ascii());
                    let message_id = COctets::new(b"1").unwrap();
                    let _ = message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }));
                }
            }
        });
    }
}

/// Starts the SMSC; what it takes goes into `took`.
async fn start_smsc(port: u16, took: mpsc::UnboundedSender<String>) -> (Child, u16) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_smsc_that_is_killed", "--nocapture"])
        .env(LISTEN, format!("127.0.0.1:{port}"))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let port = loop {
        let line = lines.next_line().await.unwrap().expect("the SMSC listens");
        if let Some(port) = line.strip_prefix("listening ") {
            break port.parse().unwrap();
        }
    };
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some(text) = line.strip_prefix("took ") {
                took.send(text.to_owned()).unwrap();
            }
        }
    });
    (child, port)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_mid_load_the_sums_add_up() {
    const MESSAGES: usize = 3_000;
    let (took, mut taken) = mpsc::unbounded_channel();
    let (mut smsc, port) = start_smsc(0, took.clone()).await;
    let resolved: SocketAddr = ([127, 0, 0, 1], port).into();
    let connector = AccountConnector::new(&endpoint("smpp", port), options(Binds::Transceivers(4)));
    let (account, _arrivals) =
        connector.resolver(move |_| async move { Ok(vec![resolved]) }).connect().await.unwrap();
    let sending = tokio::spawn({
        let account = account.clone();
        async move { send_all(&account, MESSAGES).await }
    });
    let mut log: HashMap<String, usize> = HashMap::new();
    for kills in 1..=3 {
        while log.len() < kills * MESSAGES / 5 {
            *log.entry(taken.recv().await.unwrap()).or_default() += 1;
        }
        smsc.kill().await.unwrap();
        (smsc, _) = start_smsc(port, took.clone()).await;
    }
    let told = sending.await.unwrap();
    // Whatever the SMSC takes from now on, the account has not told of.
    smsc.kill().await.unwrap();
    drop(took);
    while let Some(text) = taken.recv().await {
        *log.entry(text).or_default() += 1;
    }
    assert_eq!(told.len(), MESSAGES);
    let mut unanswered = 0;
    for (text, result) in &told {
        let times = log.get(text).copied().unwrap_or(0);
        match result {
            Ok(()) => assert_eq!(times, 1, "{text} was accepted"),
            Err(SendError::Failed { outcome, .. }) => match outcome.segments[..] {
                [SegmentOutcome::Unanswered(_)] => {
                    unanswered += 1;
                    assert!(times <= 1, "{text} was sent {times} times");
                }
                _ => panic!("{text}: {outcome:?}"),
            },
            Err(other) => panic!("{text}: {other}"),
        }
    }
    // No more than was in flight when it was killed.
    assert!(unanswered <= 3 * 4 * 16, "{unanswered} unanswered");
    assert!(log.keys().all(|text| told.contains_key(text)));
}

/// Forwards octets to `to`; each connection is cut after as many octets, of both directions, as `cuts` says next, and
/// none any more once it is empty.
async fn proxy(to: SocketAddr, cuts: Vec<usize>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let cuts = Arc::new(Mutex::new(cuts));
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let cut = cuts.lock().unwrap().pop().unwrap_or(usize::MAX);
            tokio::spawn(forward(client, to, cut));
        }
    });
    port
}

async fn forward(mut client: TcpStream, to: SocketAddr, cut: usize) {
    let mut server = TcpStream::connect(to).await.unwrap();
    let mut left = cut;
    let (mut up, mut down) = ([0; 512], [0; 512]);
    while left > 0 {
        let (from, octets, into) = tokio::select! {
            read = client.read(&mut up) => (read, &up, &mut server),
            read = server.read(&mut down) => (read, &down, &mut client),
        };
        let Ok(read @ 1..) = from else { return };
        let passed = read.min(left);
        left -= passed;
        if into.write_all(&octets[..passed]).await.is_err() {
            return;
        }
    }
    // A reset, in the middle of whatever record it is.
    let _ = (client.set_zero_linger(), server.set_zero_linger());
}

#[tokio::test]
async fn cut_in_the_middle_of_tls_records_every_accepted_message_is_receipted() {
    const MESSAGES: usize = 100;
    let smsc = Smsc::builder().tls().start().await.unwrap();
    // Within the handshake, within the bind, and within records of messages and their answers.
    let cuts = (0..24).map(|cut| 500 + 397 * (23 - cut)).collect();
    let port = proxy(smsc.local_addr(), cuts).await;
    let connector = AccountConnector::new(&endpoint("smpps", port), options(Binds::Transceivers(3)));
    let connector = connector.tls(smsc.client_tls());
    let (account, mut arrivals) = connector.connect().await.unwrap();
    // Receipts of messages whose answer was cut off are about nothing that is known.
    tokio::spawn(async move {
        while let Some(Arrival::Receipt(receipt)) = arrivals.recv().await {
            assert_eq!(receipt.get().1, None);
            let _ = receipt.accept();
        }
    });
    let mut sending = tokio::task::JoinSet::new();
    for number in 0..MESSAGES {
        let account = account.clone();
        sending.spawn(async move {
            let message =
                Message::text(&template(RegisteredDelivery::RECEIPT), "A message. ".repeat(1 + number % 30));
            match account.send(&message).await {
                Ok(mut sent) => Some(sent.receipt().await),
                Err(SendError::Failed { outcome, .. }) => {
                    let fits = |fate: &SegmentOutcome| {
                        matches!(
                            fate,
                            SegmentOutcome::Accepted(_)
                                | SegmentOutcome::Unanswered(_)
                                | SegmentOutcome::NeverSent(_)
                        )
                    };
                    assert!(outcome.segments.iter().all(fits), "{outcome:?}");
                    None
                }
                Err(other) => panic!("{other}"),
            }
        });
    }
    let told = sending.join_all().await;
    assert_eq!(told.len(), MESSAGES);
    let receipted = told.iter().flatten().inspect(|state| assert_eq!(**state, Ok(MessageState::DELIVERED)));
    assert!(receipted.count() <= MESSAGES);
    // Once the link holds, nothing is in the way.
    let mut well = 0;
    while well < 20 {
        let message = Message::text(&template(RegisteredDelivery::empty()), "A message. ");
        well = if account.send(&message).await.is_ok() { well + 1 } else { 0 };
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_passed_over() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let smsc = Smsc::builder().tls().start().await.unwrap();
    let addresses = vec![silent.local_addr().unwrap(), smsc.local_addr()];
    tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            held.push(silent.accept().await.unwrap());
        }
    });
    let options = Options {
        connect_timeout: Duration::from_millis(200),
        session: Config { response_timeout: Duration::from_millis(200), ..Config::default() },
        ..options(Binds::Transceivers(2))
    };
    let connector =
        AccountConnector::new(&endpoint("smpps", 1), options).tls(smsc.client_tls()).resolver(move |_| {
            let addresses = addresses.clone();
            async move { Ok(addresses) }
        });
    let (account, _arrivals) = connector.connect().await.unwrap();
    account.send(&Message::text(&template(RegisteredDelivery::empty()), "Hello")).await.unwrap();
}

#[tokio::test]
async fn the_fifth_bind_waits_while_four_work() {
    let smsc = Smsc::builder().tls().start().await.unwrap();
    let (refused, mut refusals) = mpsc::unbounded_channel();
    let connector =
        AccountConnector::new(&endpoint("smpps", smsc.local_addr().port()), options(Binds::Transceivers(5)))
            .tls(smsc.client_tls())
            .subscribe(move |_, change| {
                if let LinkEvent::BindRefused { error, .. } = change {
                    let _ = refused.send(error);
                }
            });
    let (account, _arrivals): (Account, Arrivals) = connector.connect().await.unwrap();
    for _ in 0..2 {
        assert_eq!(refusals.recv().await, Some(RequestError::Refused(CommandStatus::RALYBND)));
    }
    let told = send_all(&account, 100).await;
    assert!(told.values().all(Result::is_ok));
    let bound = account.links().iter().filter(|(.., stats)| stats.is_some()).count();
    assert!((4..=5).contains(&bound), "{bound}");
    account.set_binds(Binds::Transceivers(4)).unwrap();
    assert_eq!(account.shutdown(Duration::from_secs(5)).await, []);
}
