//! An account with several binds, over real sockets with TLS.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use smpp_proto::account::{Binds, Credentials, Message, Options};
use smpp_proto::provider::Provider;
use smpp_proto::session::{Direction, Instant, Kind, ObservedPdu, Observer, Stats};
use smpp_proto::sms::MessageReference;
use smpp_proto::{
    Address, CommandStatus, DeliverSm, Endpoint, Frame, MessageState, Pdu, RegisteredDelivery, ShortMessage,
    SubmitSm, Tolerance,
};
use smpp_tokio::account::{Account, AccountConnector, AccountError, Arrival, Arrivals};
use smpp_tokio::testing::{ACCOUNT, TestSmsc};

fn options(binds: Binds) -> Options {
    let (system_id, password) = ACCOUNT;
    Options::new(Credentials::new(system_id, password), &Provider::EIGHT_BY_EIGHT)
        .binds(binds)
        .connect_interval(Duration::from_millis(1))
}

fn template() -> SubmitSm<'static> {
    SubmitSm {
        source: Address::alphanumeric("8x8").unwrap(),
        destination: Address::international("6591234567").unwrap(),
        registered_delivery: RegisteredDelivery::RECEIPT,
        ..SubmitSm::default()
    }
}

async fn connected(binds: Binds) -> (TestSmsc, Account, Arrivals) {
    let smsc = TestSmsc::builder().tls().start().await.unwrap();
    let endpoint: Endpoint = format!("smpps://localhost:{}", smsc.local_addr().port()).parse().unwrap();
    let connector = AccountConnector::new(&endpoint, options(binds)).tls(smsc.client_tls());
    let (account, arrivals) = connector.connect().await.unwrap();
    (smsc, account, arrivals)
}

#[tokio::test]
async fn long_messages_are_accepted_and_receipted_over_several_binds() {
    for binds in [Binds::transceivers(4), Binds::pairs(2)] {
        let (_smsc, account, _arrivals) = connected(binds).await;
        let account = Arc::new(account);
        let sending = (0..40).map(|number| {
            let account = Arc::clone(&account);
            crate::spawn(async move {
                let text = "Grüße, 1 € ".repeat(1 + number);
                let mut sent = account.send(&Message::text(&template(), text)).await.unwrap();
                (sent.ids().len(), sent.receipt().await.unwrap())
            })
        });
        let mut segments = 0;
        for sent in sending.collect::<Vec<_>>() {
            let (ids, state) = sent.await.unwrap();
            assert_eq!(state, MessageState::DELIVERED);
            segments += ids;
        }
        let stats = account.links().into_iter().filter_map(|(.., stats)| stats);
        let submitted: u64 = stats.map(|stats| stats.sent.of(Kind::Message).requests).sum();
        assert_eq!(submitted, segments as u64);
        assert_eq!(account.shutdown(Duration::from_secs(5)).await, []);
    }
}

/// Collects the references of the concatenated messages that a session sends.
struct References(Arc<Mutex<Vec<MessageReference>>>);

impl Observer for References {
    fn observe(&mut self, _: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        let octets = pdu.octets();
        let Some(frame) = Frame::new(&octets[..]) else { return };
        if let (Direction::Out, Ok((Pdu::SubmitSm(message), _))) = (direction, frame.pdu(Tolerance::LENIENT))
            && let Some(segment) = message.user_data().unwrap().segment
        {
            self.0.lock().unwrap().push(segment.reference);
        }
    }
}

#[tokio::test]
async fn accounts_of_one_process_use_different_references_unless_they_have_one_seed() {
    /// Returns the reference of the account's first long message.
    async fn first_reference(smsc: &TestSmsc, seed: Option<u64>) -> MessageReference {
        let references = Arc::new(Mutex::new(Vec::new()));
        let observed = Arc::clone(&references);
        let options = options(Binds::transceivers(1)).seed(seed);
        let connector = AccountConnector::new(&smsc.endpoint(), options);
        let connector = connector.observe(move |_| References(Arc::clone(&observed)));
        let (account, _arrivals) = connector.connect().await.unwrap();
        account.send(&Message::text(&template(), "x".repeat(200))).await.unwrap();
        account.shutdown(Duration::from_secs(5)).await;
        references.lock().unwrap()[0]
    }
    let smsc = TestSmsc::start().await.unwrap();
    let mut random = Vec::new();
    for _ in 0..4 {
        random.push(first_reference(&smsc, None).await);
    }
    // All four are equal once in 2^48 runs.
    assert!(random.iter().any(|reference| *reference != random[0]), "{random:?}");
    assert_eq!(first_reference(&smsc, Some(7)).await, first_reference(&smsc, Some(7)).await);
}

#[tokio::test]
async fn a_wrong_password_is_reported_and_not_retried() {
    let smsc = TestSmsc::builder().tls().start().await.unwrap();
    let url = format!("smpps://{}:wrong@localhost:{}", ACCOUNT.0, smsc.local_addr().port());
    let connector = AccountConnector::new(&url.parse().unwrap(), options(Binds::transceivers(4)));
    let error = connector.tls(smsc.client_tls()).connect().await.unwrap_err();
    assert!(matches!(error, AccountError::Refused { status: CommandStatus::RINVPASWD, .. }), "{error}");
}

#[tokio::test]
async fn an_untrusted_certificate_is_reported() {
    let smsc = TestSmsc::builder().tls().start().await.unwrap();
    let other = TestSmsc::builder().tls().start().await.unwrap();
    let url = format!("smpps://localhost:{}", smsc.local_addr().port());
    let connector = AccountConnector::new(&url.parse().unwrap(), options(Binds::transceivers(1)));
    let error = connector.tls(other.client_tls()).connect().await.unwrap_err();
    assert!(
        matches!(&error, AccountError::Untrusted(why) if why.to_string().contains("certificate")),
        "{error}"
    );
}

/// Returns how many messages each bind has sent.
fn sent_by_link(account: &Account) -> Vec<u64> {
    let sent = |stats: Option<Stats>| stats.map_or(0, |stats| stats.sent.of(Kind::Message).requests);
    account.links().into_iter().map(|(.., stats)| sent(stats)).collect()
}

#[tokio::test]
async fn an_answer_goes_out_on_the_bind_that_the_question_came_on() {
    let (smsc, account, mut arrivals) = connected(Binds::transceivers(4)).await;
    let mut events = account.events();
    while smsc.binds().list().len() < 4 {
        events.recv().await.unwrap();
    }
    let question = DeliverSm {
        source: Address::international("6591234567").unwrap(),
        short_message: ShortMessage::new(b"*100#").unwrap(),
        ..DeliverSm::default()
    };
    let mut links = Vec::new();
    for bound in smsc.binds().list() {
        let asked = async { bound.peer().deliver(&question).await };
        let answered = async {
            let Some(Arrival::Message(question)) = arrivals.recv().await else { panic!("no message") };
            let bind = question.get().bind();
            question.accept().unwrap();
            let mut expected = sent_by_link(&account);
            account.send(&Message::text(&template(), "1. Balance").bind(bind)).await.unwrap();
            expected[bind.link().index()] += 1;
            assert_eq!(sent_by_link(&account), expected);
            links.push(bind.link().index());
        };
        let (delivered, ()) = tokio::join!(asked, answered);
        delivered.unwrap();
    }
    links.sort_unstable();
    assert_eq!(links, [0, 1, 2, 3]);
}
