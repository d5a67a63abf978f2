//! An account whose SMSC is killed, disconnected, silent or full: every message has exactly one true outcome.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use smpp_proto::account::{
    AccountEvent, Backoff, Binds, Credentials, LinkEvent, Message, Options, SegmentOutcome,
};
use smpp_proto::provider::Provider;
use smpp_proto::session::Config;
use smpp_proto::{
    Address, COctets, CommandStatus, Endpoint, MessageState, RegisteredDelivery, SubmitSm, SubmitSmResp,
};
use smpp_tokio::account::{Account, AccountConnector, Arrival, Arrivals, SendError};
use smpp_tokio::testing::{ACCOUNT, TestSmsc};
use smpp_tokio::{Inbound, Listener};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

/// The environment variable with the address that the SMSC process listens on.
const LISTEN: &str = "SMPP_TEST_SMSC";

fn options(binds: Binds) -> Options {
    let (system_id, password) = ACCOUNT;
    let backoff = Backoff::default().initial(Duration::from_millis(20)).max(Duration::from_millis(100));
    Options::new(Credentials::new(system_id, password), &Provider::UNSTATED)
        .binds(binds)
        .backoff(backoff)
        .max_binds(5)
        .connect_interval(Duration::from_millis(1))
}

fn template(registered_delivery: RegisteredDelivery) -> SubmitSm<'static> {
    SubmitSm {
        destination: Address::international("6591234567").unwrap(),
        registered_delivery,
        ..SubmitSm::default()
    }
}

fn endpoint(scheme: &str, port: u16) -> Endpoint {
    format!("{scheme}://localhost:{port}").parse().unwrap()
}

/// The results of messages, by their texts.
type Results = HashMap<String, Result<(), SendError>>;

/// Sends `count` messages concurrently.
async fn send_all(account: &Account, count: usize) -> Results {
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

/// The SMSC of the test below, in a process of its own. It prints each message before it responds. Without the
/// environment variable it does nothing.
#[tokio::test]
async fn smsc_process() {
    let Ok(address) = std::env::var(LISTEN) else { return };
    let listener = Listener::bind(&address, Config::default()).await.unwrap();
    println!("\nlistening {}", listener.local_addr().unwrap().port());
    loop {
        let connecting = listener.accept().await.unwrap();
        crate::spawn(async move {
            let Ok(request) = connecting.bind_request().await else { return };
            let Ok((_peer, mut inbox)) = request.accept(COctets::default()) else { return };
            while let Some(inbound) = inbox.recv().await {
                if let Inbound::SubmitSm(message) = inbound {
                    println!("received {}", message.get().short_message.as_bytes().escape_ascii());
                    let message_id = COctets::new(b"1").unwrap();
                    let _ = message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }));
                }
            }
        });
    }
}

/// Starts the SMSC process. Sends the texts that it receives to `received`.
async fn start_smsc(port: u16, received: mpsc::UnboundedSender<String>) -> (Child, u16) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "account_faults::smsc_process", "--nocapture"])
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
    crate::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some(text) = line.strip_prefix("received ") {
                received.send(text.to_owned()).unwrap();
            }
        }
    });
    (child, port)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outcomes_are_true_when_the_smsc_is_killed_under_load() {
    const MESSAGES: usize = 3_000;
    let (received, mut texts) = mpsc::unbounded_channel();
    let (mut smsc, port) = start_smsc(0, received.clone()).await;
    let resolved: SocketAddr = ([127, 0, 0, 1], port).into();
    let connector = AccountConnector::new(&endpoint("smpp", port), options(Binds::transceivers(4)));
    let (account, _arrivals) =
        connector.resolver(move |_| async move { Ok(vec![resolved]) }).connect().await.unwrap();
    let sending = crate::spawn({
        let account = account.clone();
        async move { send_all(&account, MESSAGES).await }
    });
    let mut log: HashMap<String, usize> = HashMap::new();
    for kills in 1..=3 {
        while log.len() < kills * MESSAGES / 5 {
            *log.entry(texts.recv().await.unwrap()).or_default() += 1;
        }
        smsc.kill().await.unwrap();
        (smsc, _) = start_smsc(port, received.clone()).await;
    }
    let results = sending.await.unwrap();
    // All outcomes are known. Stops the SMSC and reads the rest of its output.
    smsc.kill().await.unwrap();
    drop(received);
    while let Some(text) = texts.recv().await {
        *log.entry(text).or_default() += 1;
    }
    assert_eq!(results.len(), MESSAGES);
    let mut unanswered = 0;
    for (text, result) in &results {
        let count = log.get(text).copied().unwrap_or(0);
        match result {
            Ok(()) => assert_eq!(count, 1, "{text} was accepted"),
            Err(SendError::Failed { outcome, .. }) => match outcome.segments[..] {
                [SegmentOutcome::Unanswered(_)] => {
                    unanswered += 1;
                    assert!(count <= 1, "{text} was sent {count} times");
                }
                _ => panic!("{text}: {outcome:?}"),
            },
            Err(other) => panic!("{text}: {other}"),
        }
    }
    // At most the messages in flight at the three kills.
    assert!(unanswered <= 3 * 4 * 16, "{unanswered} unanswered");
    assert!(log.keys().all(|text| results.contains_key(text)));
}

/// Starts a proxy that forwards octets to `to`. It resets each connection after the next number of octets in `limits`, of
/// both directions; without a limit once the list is empty.
async fn proxy(to: SocketAddr, limits: Vec<usize>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let limits = Arc::new(Mutex::new(limits));
    crate::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let limit = limits.lock().unwrap().pop().unwrap_or(usize::MAX);
            crate::spawn(forward(client, to, limit));
        }
    });
    port
}

async fn forward(mut client: TcpStream, to: SocketAddr, limit: usize) {
    let mut server = TcpStream::connect(to).await.unwrap();
    let mut left = limit;
    let (mut up, mut down) = ([0; 512], [0; 512]);
    while left > 0 {
        let (from, octets, into) = tokio::select! {
            read = client.read(&mut up) => (read, &up, &mut server),
            read = server.read(&mut down) => (read, &down, &mut client),
        };
        let Ok(read @ 1..) = from else { return };
        let forwarded = read.min(left);
        left -= forwarded;
        if into.write_all(&octets[..forwarded]).await.is_err() {
            return;
        }
    }
    // A reset, usually in the middle of a TLS record.
    let _ = (client.set_zero_linger(), server.set_zero_linger());
}

#[tokio::test]
async fn accepted_messages_get_their_receipts_when_tls_connections_are_reset() {
    const MESSAGES: usize = 100;
    let smsc = TestSmsc::builder().tls().start().await.unwrap();
    // Within the handshake, the bind, and the records of messages and their responses.
    let limits = (0..24).map(|index| 500 + 397 * (23 - index)).collect();
    let port = proxy(smsc.local_addr(), limits).await;
    let connector = AccountConnector::new(&endpoint("smpps", port), options(Binds::transceivers(3)));
    let connector = connector.tls(smsc.client_tls());
    let (account, mut arrivals) = connector.connect().await.unwrap();
    // Receipts of messages whose response was lost match no message.
    crate::spawn(async move {
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
                    let is_expected = |outcome: &SegmentOutcome| {
                        matches!(
                            outcome,
                            SegmentOutcome::Accepted { .. }
                                | SegmentOutcome::Unanswered(_)
                                | SegmentOutcome::NeverSent(_)
                        )
                    };
                    assert!(outcome.segments.iter().all(is_expected), "{outcome:?}");
                    None
                }
                Err(other) => panic!("{other}"),
            }
        });
    }
    let results = sending.join_all().await;
    assert_eq!(results.len(), MESSAGES);
    let receipted =
        results.iter().flatten().inspect(|state| assert_eq!(**state, Ok(MessageState::DELIVERED)));
    assert!(receipted.count() <= MESSAGES);
    // After the last reset, messages are accepted again.
    let mut accepted = 0;
    while accepted < 20 {
        let message = Message::text(&template(RegisteredDelivery::empty()), "A message. ");
        accepted = if account.send(&message).await.is_ok() { accepted + 1 } else { 0 };
    }
}

#[tokio::test]
async fn an_address_that_never_responds_is_skipped() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let smsc = TestSmsc::builder().tls().start().await.unwrap();
    let addresses = vec![silent.local_addr().unwrap(), smsc.local_addr()];
    crate::spawn(async move {
        let mut held = Vec::new();
        loop {
            held.push(silent.accept().await.unwrap());
        }
    });
    // On a busy machine, the handshake with the other address takes less.
    let options = options(Binds::transceivers(2))
        .connect_timeout(Duration::from_secs(1))
        .session(Config::default().response_timeout(Duration::from_secs(1)));
    let connector =
        AccountConnector::new(&endpoint("smpps", 1), options).tls(smsc.client_tls()).resolver(move |_| {
            let addresses = addresses.clone();
            async move { Ok(addresses) }
        });
    let (account, _arrivals) = connector.connect().await.unwrap();
    account.send(&Message::text(&template(RegisteredDelivery::empty()), "Hello")).await.unwrap();
}

#[tokio::test]
async fn a_fifth_bind_is_refused_while_four_work() {
    let smsc = TestSmsc::builder().tls().start().await.unwrap();
    let connector =
        AccountConnector::new(&endpoint("smpps", smsc.local_addr().port()), options(Binds::transceivers(5)))
            .tls(smsc.client_tls());
    let (account, _arrivals): (Account, Arrivals) = connector.connect().await.unwrap();
    let (mut events, mut refused) = (account.events(), 0);
    while refused < 2 {
        if let AccountEvent::Link { event: LinkEvent::BindRefused { error, .. }, .. } =
            events.recv().await.unwrap()
        {
            assert_eq!(error.status(), Some(CommandStatus::RALYBND));
            refused += 1;
        }
    }
    let results = send_all(&account, 100).await;
    assert!(results.values().all(Result::is_ok));
    let bound = account.links().iter().filter(|(.., stats)| stats.is_some()).count();
    assert!((4..=5).contains(&bound), "{bound}");
    account.set_binds(Binds::transceivers(4)).unwrap();
    assert_eq!(account.shutdown(Duration::from_secs(5)).await, []);
}
