//! Deliveries to an account: receipts that no `Sent` waits for, and mobile-originated messages.

use std::sync::mpsc;

use smpp_proto::account::{Expected, ReceiptDestination};
use smpp_proto::session::{Config, RequestError, Smsc};
use smpp_proto::{COctets, DeliverSm, EsmClass, ShortMessage, SubmitSmResp};
use smpp_std::account::AckError;
use smpp_std::{
    Admission, BindRequest, BoundSession, HandleRoute, Inbound, Listener, PendingResponse, Response,
    Server as SmscServer, Service,
};

use super::*;

#[test]
fn a_receipt_arrives_if_no_sent_waits_for_it() {
    alone(|| {
        let server = Server::start("127.0.0.1:0");
        let connector = AccountConnector::new(&server.endpoint(), options(Binds::transceivers(2)));
        let (account, mut arrivals) = connector.connect().unwrap();
        let mut kept = account.send(&text("kept")).unwrap();
        assert_eq!(kept.receipt(), Ok(MessageState::DELIVERED));
        assert_eq!(kept.next_receipt().unwrap_err(), NoMoreReceipts::AllReceived);
        assert_eq!(kept.receipt_until(soon()), Err(NoMoreReceipts::AllReceived));
        let ticket = account.submit(&text("dropped")).unwrap();
        let number = ticket.message();
        drop(ticket);
        let Some(Arrival::Receipt(receipt)) = arrivals.recv() else { panic!("no receipt") };
        assert_eq!(receipt.get().1.as_ref().map(|matched| matched.message), Some(number));
        // It may have come before the drop: then it was acknowledged.
        let is_acknowledged = receipt.is_acknowledged();
        assert_eq!(receipt.accept().is_ok(), !is_acknowledged);
        let template = SubmitSm { registered_delivery: RegisteredDelivery::default(), ..template() };
        let mut sent = account.send(&Message::text(&template, "no receipt")).unwrap();
        assert_eq!(sent.receipt_until(soon()), Err(NoMoreReceipts::NotRequested));
    });
}

struct AcceptAll;

impl Service for AcceptAll {
    fn bind(&self, _: &BindRequest) -> Result<Admission, CommandStatus> {
        Ok(Admission::default())
    }

    fn request(&self, _: &BoundSession, _: Inbound<HandleRoute<Smsc>>) {}
}

/// Accepts every message. Its message id is its text.
struct EchoId;

impl Service for EchoId {
    fn bind(&self, _: &BindRequest) -> Result<Admission, CommandStatus> {
        Ok(Admission::default())
    }

    fn request(&self, _: &BoundSession, request: Inbound<HandleRoute<Smsc>>) {
        let Inbound::SubmitSm(message) = request else { return };
        let id = message.get().short_message.as_bytes().to_vec();
        let message_id = COctets::new(&id).unwrap();
        message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() })).unwrap();
    }
}

#[test]
fn a_receipt_that_was_not_fetched_before_the_drop_is_not_lost() {
    alone(|| {
        let listener = Listener::bind("127.0.0.1:0", Config::default()).unwrap();
        let server = SmscServer::builder(EchoId).listen(listener).start().unwrap();
        let endpoint: Endpoint = format!("smpp://{}", server.local_addrs()[0]).parse().unwrap();
        let connector = AccountConnector::new(&endpoint, options(Binds::transceivers(1)));
        let (account, mut arrivals) = connector.connect().unwrap();
        let bind = server.binds().list().remove(0);
        let sent = account.send(&text("1")).unwrap();
        // The receipt was acknowledged while `sent` existed.
        assert_eq!(outcome(deliver(&bind, EsmClass::DELIVERY_RECEIPT, b"id:1 stat:DELIVRD")), Ok(()));
        drop(sent);
        let Some(Arrival::Receipt(receipt)) = arrivals.recv() else { panic!("no receipt") };
        assert_eq!(receipt.get().1.as_ref().unwrap().message_state, Some(MessageState::DELIVERED));
        assert!(receipt.is_acknowledged());
        assert_eq!(receipt.refuse(CommandStatus::RX_T_APPN), Err(AckError::AlreadyAcknowledged));

        // No receipt can be matched to a message without an id.
        let mut sent = account.send(&text("")).unwrap();
        assert_eq!(sent.receipt(), Err(NoMoreReceipts::NotReceived));
    });
}

#[test]
fn the_state_that_comes_with_the_outcome_is_returned_and_its_receipts_are_consumed() {
    alone(|| {
        let listener = Listener::bind("127.0.0.1:0", Config::default()).unwrap();
        let server = SmscServer::builder(EchoId).listen(listener).start().unwrap();
        let endpoint: Endpoint = format!("smpp://{}", server.local_addrs()[0]).parse().unwrap();
        // A message that waits for the rate limit is not in flight when its receipt comes.
        let mut options = options(Binds::transceivers(1));
        options.session.rate = None;
        let connector = AccountConnector::new(&endpoint, options);
        let (account, mut arrivals) = connector.connect().unwrap();
        let bind = server.binds().list().remove(0);
        let deliver = |id, stat| {
            let receipt = format!("id:{id} stat:{stat}");
            assert_eq!(outcome(deliver(&bind, EsmClass::DELIVERY_RECEIPT, receipt.as_bytes())), Ok(()));
        };
        // The receipt is there before the outcome is fetched.
        let send = |id| {
            let ticket = account.submit(&text(id)).unwrap();
            deliver(id, "DELIVRD");
            ticket.outcome().unwrap()
        };
        let mut by_state = send("1");
        assert_eq!(by_state.receipt(), Ok(MessageState::DELIVERED));
        assert_eq!(by_state.next_receipt().unwrap_err(), NoMoreReceipts::AllReceived);
        deliver("1", "EXPIRED");
        let (receipt, matched) = by_state.next_receipt().unwrap();
        assert_eq!((receipt.state, matched.previous), (MessageState::EXPIRED, Some(MessageState::DELIVERED)));

        let mut by_receipt = send("2");
        assert_eq!(by_receipt.next_receipt().unwrap().0.state, MessageState::DELIVERED);
        assert_eq!(by_receipt.receipt(), Err(NoMoreReceipts::AllReceived));

        let mut again = send("3");
        assert_eq!(again.receipt(), Ok(MessageState::DELIVERED));
        assert_eq!(again.receipt_until(soon()), Err(NoMoreReceipts::AllReceived));

        // A state that was returned is no arrival when its message is dropped; one that was not is.
        let mut read = send("4");
        assert_eq!(read.receipt(), Ok(MessageState::DELIVERED));
        drop(read);
        let unread = send("5");
        let number = unread.message();
        drop(unread);
        let Some(Arrival::Receipt(receipt)) = arrivals.recv() else { panic!("no receipt") };
        assert_eq!(receipt.get().1.as_ref().map(|matched| matched.message), Some(number));
    });
}

#[test]
fn a_program_with_a_database_gets_its_keys_and_acknowledges_after_its_commit() {
    alone(|| {
        let listener = Listener::bind("127.0.0.1:0", Config::default()).unwrap();
        let server = SmscServer::builder(EchoId).listen(listener).start().unwrap();
        let endpoint: Endpoint = format!("smpp://{}", server.local_addrs()[0]).parse().unwrap();
        let mut options = options(Binds::transceivers(1));
        options.session.window = 2;
        let connector = AccountConnector::new(&endpoint, options);
        let expected = Expected::new(1).id(0, b"old").key("row 0");
        let (account, mut arrivals) = connector.expect([expected]).start().unwrap();
        assert_eq!(account.ready(), Ok(2), "it waits for the bind");
        let bind = server.binds().list().remove(0);
        let message = text("1").key("row 1").receipts_to(ReceiptDestination::Arrivals);
        let mut sent = account.send(&message).unwrap();
        assert_eq!(sent.key().unwrap().as_bytes(), b"row 1");
        assert_eq!(sent.receipt(), Err(NoMoreReceipts::ToArrivals));
        for (id, key) in [("old", b"row 0"), ("1", b"row 1")] {
            let text = format!("id:{id} stat:DELIVRD");
            let receipt = deliver(&bind, EsmClass::DELIVERY_RECEIPT, text.as_bytes());
            let Some(Arrival::Receipt(arrived)) = arrivals.recv() else { panic!("no receipt") };
            assert_eq!(arrived.get().1.as_ref().unwrap().key.as_ref().unwrap().as_bytes(), key);
            // Not acknowledged before the application has stored it.
            let receipt = receipt.try_outcome().unwrap_err();
            arrived.accept().unwrap();
            assert_eq!(outcome(receipt), Ok(()));
        }
        assert_eq!(account.expect(Expected::new(1).id(0, b"2").key("row 2")).map(|_| ()), Ok(()));
        let waiting = account.clone();
        bind.peer().abort();
        until(|| bound(&account) == 0);
        let (sender, shut_down) = mpsc::channel();
        thread::spawn(move || {
            sender.send(loop {
                // It may be bound again meanwhile.
                match waiting.ready_until(soon()) {
                    Ok(_) => {}
                    Err(error) => break error,
                }
            })
        });
        account.shutdown(Duration::ZERO);
        assert_eq!(shut_down.recv(), Ok(SubmitError::ShutDown));
    });
}

/// Returns one of the two segments of a concatenated message.
fn segment(reference: u8, number: u8, text: &[u8]) -> Vec<u8> {
    [&[5, 0, 3, reference, 2, number], text].concat()
}

fn deliver(bound: &BoundSession, esm_class: EsmClass, octets: &[u8]) -> PendingResponse<Smsc> {
    let message = DeliverSm {
        source: Address::international("6591234567").unwrap(),
        destination: Address::international("6587654321").unwrap(),
        esm_class,
        short_message: ShortMessage::new(octets).unwrap(),
        ..DeliverSm::default()
    };
    bound.peer().deliver_pipelined(&message).unwrap()
}

fn outcome(pending: PendingResponse<Smsc>) -> Result<(), RequestError> {
    pending.wait().map(|_: Response| ())
}

/// Returns how many messages each bind has sent.
fn sent_by_link(account: &Account) -> Vec<u64> {
    let links = account.links().into_iter();
    links.map(|(.., stats)| stats.map_or(0, |stats| stats.sent.of(Kind::Message).requests)).collect()
}

#[test]
fn an_answer_goes_out_on_the_bind_that_the_question_came_on() {
    alone(|| {
        let listener = Listener::bind("127.0.0.1:0", Config::default()).unwrap();
        let server = SmscServer::builder(EchoId).listen(listener).start().unwrap();
        let endpoint: Endpoint = format!("smpp://{}", server.local_addrs()[0]).parse().unwrap();
        let connector = AccountConnector::new(&endpoint, options(Binds::transceivers(4)));
        let (account, mut arrivals) = connector.connect().unwrap();
        until(|| bound(&account) == 4);
        let mut links = Vec::new();
        for bind in server.binds().list() {
            let asked = deliver(&bind, EsmClass::default(), b"*100#");
            let Some(Arrival::Message(question)) = arrivals.recv() else { panic!("no message") };
            let bind = question.get().bind();
            question.accept().unwrap();
            assert_eq!(outcome(asked), Ok(()));
            let mut expected = sent_by_link(&account);
            drop(account.send(&text("1. Balance").bind(bind)).unwrap());
            expected[bind.link().index()] += 1;
            assert_eq!(sent_by_link(&account), expected);
            links.push(bind.link().index());
        }
        links.sort_unstable();
        assert_eq!(links, [0, 1, 2, 3]);
    });
}

#[test]
fn arrivals_are_an_iterator_that_ends_with_the_account() {
    alone(|| {
        let listener = Listener::bind("127.0.0.1:0", Config::default()).unwrap();
        let server = SmscServer::builder(AcceptAll).listen(listener).start().unwrap();
        let endpoint: Endpoint = format!("smpp://{}", server.local_addrs()[0]).parse().unwrap();
        let connector = AccountConnector::new(&endpoint, options(Binds::transceivers(1)));
        let (account, mut arrivals) = connector.connect().unwrap();
        let bind = server.binds().list().remove(0);
        let pending = [&b"one"[..], b"two"].map(|text| deliver(&bind, EsmClass::empty(), text));
        let texts: Vec<_> = arrivals
            .by_ref()
            .take(2)
            .map(|arrival| {
                let Arrival::Message(message) = arrival else { panic!("{arrival:?}") };
                let text = message.get().text().unwrap();
                message.accept().unwrap();
                text
            })
            .collect();
        assert_eq!(texts, ["one", "two"]);
        assert_eq!(pending.map(outcome), [Ok(()), Ok(())]);
        account.shutdown(SECOND);
        assert!(arrivals.next().is_none() && arrivals.next().is_none());
    });
}

#[test]
fn an_smsc_that_sends_one_segment_at_a_time_does_not_wait() {
    alone(|| {
        let listener = Listener::bind("127.0.0.1:0", Config::default()).unwrap();
        let server = SmscServer::builder(AcceptAll).listen(listener).start().unwrap();
        let endpoint: Endpoint = format!("smpp://{}", server.local_addrs()[0]).parse().unwrap();
        let options = options(Binds::transceivers(1)).segment_ack_timeout(30 * SECOND);
        let (_account, mut arrivals) = AccountConnector::new(&endpoint, options).connect().unwrap();
        let bind = server.binds().list().remove(0);
        let start = std::time::Instant::now();
        // The SMSC waits for the first response before it sends the second segment.
        assert_eq!(outcome(deliver(&bind, EsmClass::UDHI, &segment(1, 1, b"Hello "))), Ok(()));
        let last = deliver(&bind, EsmClass::UDHI, &segment(1, 2, b"again"));
        let Some(Arrival::Message(message)) = arrivals.recv() else { panic!("no message") };
        assert_eq!(message.get().text().as_deref(), Some("Hello again"));
        message.accept().unwrap();
        assert_eq!(outcome(last), Ok(()));
        // Not the time of `segment_ack_timeout`.
        assert!(start.elapsed() < 15 * SECOND, "{:?}", start.elapsed());
    });
}

#[test]
fn segments_from_several_binds_become_one_message_and_are_acknowledged_when_it_is_accepted() {
    alone(|| {
        let listener = Listener::bind("127.0.0.1:0", Config::default()).unwrap();
        let server = SmscServer::builder(AcceptAll).listen(listener).start().unwrap();
        let endpoint: Endpoint = format!("smpp://{}", server.local_addrs()[0]).parse().unwrap();
        let connector = AccountConnector::new(&endpoint, options(Binds::transceivers(2)));
        let (account, mut arrivals) = connector.connect().unwrap();
        let mut ended = ends(&account);
        until(|| bound(&account) == 2);
        let binds = server.binds().list();
        let mut fetch = || match arrivals.recv() {
            Some(Arrival::Message(message)) => message,
            other => panic!("{other:?}"),
        };
        let two = |reference| {
            let second = deliver(&binds[1], EsmClass::UDHI, &segment(reference, 2, b"a phone"));
            (deliver(&binds[0], EsmClass::UDHI, &segment(reference, 1, b"Hello from ")), second)
        };

        let (first, second) = two(1);
        let message = fetch();
        assert_eq!(message.get().text().as_deref(), Some("Hello from a phone"));
        assert_eq!(message.get().source().digits.as_bytes(), b"6591234567");
        // Not acknowledged before the application accepts the message.
        let (first, second) = (first.try_outcome().unwrap_err(), second.try_outcome().unwrap_err());
        message.accept().unwrap();
        assert_eq!((outcome(first), outcome(second)), (Ok(()), Ok(())));

        // Refusing or dropping the message refuses each segment.
        let (first, second) = two(2);
        fetch().refuse(CommandStatus::RX_P_APPN).unwrap();
        let status = |sent| outcome(sent).map_err(|error| error.status());
        let refused = Err(Some(CommandStatus::RX_P_APPN));
        assert_eq!((status(first), status(second)), (refused, refused));
        let dropped = deliver(&binds[0], EsmClass::empty(), b"dropped");
        drop(fetch());
        let temporary_error = Err(Some(CommandStatus::RX_T_APPN));
        assert_eq!(status(dropped), temporary_error);

        // A message cannot be acknowledged after its bind has ended.
        let lost = deliver(&binds[0], EsmClass::empty(), b"lost");
        let message = fetch();
        binds[0].peer().abort();
        assert!(matches!(outcome(lost), Err(RequestError::Unanswered(_))));
        assert!(ended.next().is_some());
        assert!(message.accept().is_err(), "the SMSC will redeliver it");

        // Without `Arrivals`, messages are refused, and the SMSC keeps them.
        drop(arrivals);
        assert_eq!(status(deliver(&binds[1], EsmClass::empty(), b"late")), temporary_error);
        assert_eq!(account.shutdown(SECOND), []);
    });
}

#[test]
fn a_ticket_has_the_number_and_the_key_of_its_message() {
    alone(|| {
        let (_smsc, account, _arrivals) = connected(Binds::transceivers(1));
        let ticket = account.submit(&text("Hello").key("row 1")).unwrap();
        assert_eq!(ticket.key().unwrap().as_bytes(), b"row 1");
        let number = ticket.message();
        assert_eq!(format!("{ticket:?}"), format!("Ticket({number:?})"));
        let Ok(sent) = ticket.outcome_until(Instant::now() + 10 * SECOND) else { panic!("no outcome") };
        let mut sent = sent.unwrap();
        let shown = format!("{sent:?}");
        assert!(shown.contains(&format!("{number:?}")) && !shown.contains("Hello"), "{shown}");
        let (receipt, _) = sent.next_receipt_until(Instant::now() + 10 * SECOND).unwrap().unwrap();
        assert_eq!((receipt.state, receipt.is_final), (MessageState::DELIVERED, true));
        // No other comes.
        assert!(sent.next_receipt_until(soon()).is_err());
    });
}
