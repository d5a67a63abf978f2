//! What is delivered to the account: receipts that nobody waits for, and messages from phones.

use smpp_core::session::{Config, RequestError, Smsc};
use smpp_core::{COctets, DeliverSm, EsmClass, ShortMessage, SubmitSmResp};
use smpp_io_std::{
    BindRequest, BoundSession, HandleRoute, Inbound, Listener, PendingResponse, Response, Server as Smscs,
    Service,
};

use super::*;

#[test]
fn receipts_that_nobody_waits_for_arrive_and_others_do_not() {
    alone(|| {
        let server = Server::start("127.0.0.1:0");
        let connector = AccountConnector::new(&server.endpoint(), options(Binds::Transceivers(2)));
        let (account, mut arrivals) = connector.connect().unwrap();
        let mut kept = account.send(&text("kept")).unwrap();
        assert_eq!(kept.receipt(), Ok(MessageState::DELIVERED));
        assert_eq!(kept.next_receipt().unwrap_err(), NoMoreReceipts::AllReceived);
        assert_eq!(kept.receipt_until(soon()), Err(NoMoreReceipts::AllReceived));
        let ticket = account.submit(&text("dropped")).unwrap();
        let number = ticket.message();
        drop(ticket);
        let Some(Arrival::Receipt(receipt)) = arrivals.recv() else { panic!("no receipt") };
        assert_eq!(receipt.get().1.map(|about| about.message), Some(number));
        receipt.accept().unwrap();
        let template = SubmitSm { registered_delivery: RegisteredDelivery::default(), ..template() };
        let mut sent = account.send(&Message::text(&template, "no receipt")).unwrap();
        assert_eq!(sent.receipt_until(soon()), Err(NoMoreReceipts::NotRequested));
    });
}

struct Everyone;

impl Service for Everyone {
    fn bind(&self, _: &BindRequest) -> Result<(), CommandStatus> {
        Ok(())
    }

    fn request(&self, _: &BoundSession, _: Inbound<HandleRoute<Smsc>>) {}
}

/// Takes every message, under the number that its text is.
struct Counting;

impl Service for Counting {
    fn bind(&self, _: &BindRequest) -> Result<(), CommandStatus> {
        Ok(())
    }

    fn request(&self, _: &BoundSession, request: Inbound<HandleRoute<Smsc>>) {
        let Inbound::SubmitSm(message) = request else { return };
        let id = message.get().short_message.as_bytes().to_vec();
        let message_id = COctets::new(&id).unwrap();
        message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() })).unwrap();
    }
}

#[test]
fn a_receipt_that_its_owner_leaves_behind_is_not_lost() {
    alone(|| {
        let listener = Listener::bind("127.0.0.1:0", Config::default()).unwrap();
        let server = Smscs::builder(Counting).listen(listener).start().unwrap();
        let endpoint: Endpoint = format!("smpp://{}", server.local_addrs()[0]).parse().unwrap();
        let connector = AccountConnector::new(&endpoint, options(Binds::Transceivers(1)));
        let (account, mut arrivals) = connector.connect().unwrap();
        let bind = server.bound().remove(0);
        let sent = account.send(&text("1")).unwrap();
        // It has been acknowledged, to whoever it was for then.
        assert_eq!(told(deliver(&bind, EsmClass::DELIVERY_RECEIPT, b"id:1 stat:DELIVRD")), Ok(()));
        drop(sent);
        let Some(Arrival::Receipt(receipt)) = arrivals.recv() else { panic!("no receipt") };
        assert_eq!(receipt.get().1.unwrap().message_state, Some(MessageState::DELIVERED));
        receipt.accept().unwrap();

        // Of a message without an id no receipt can be known.
        let mut sent = account.send(&text("")).unwrap();
        assert_eq!(sent.receipt(), Err(NoMoreReceipts::NotReceived));
    });
}

/// One of the two parts of a message from a phone.
fn part(reference: u8, number: u8, text: &[u8]) -> Vec<u8> {
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

fn told(ticket: PendingResponse<Smsc>) -> Result<(), RequestError> {
    ticket.wait().map(|_: Response| ())
}

#[test]
fn a_message_from_a_phone_is_whole_and_answered_once_it_is_taken_whichever_binds_its_parts_take() {
    alone(|| {
        let listener = Listener::bind("127.0.0.1:0", Config::default()).unwrap();
        let server = Smscs::builder(Everyone).listen(listener).start().unwrap();
        let endpoint: Endpoint = format!("smpp://{}", server.local_addrs()[0]).parse().unwrap();
        let connector = AccountConnector::new(&endpoint, options(Binds::Transceivers(2)));
        let (sender, ended) = mpsc::channel();
        let connector = connector.subscribe(move |_, change| {
            if matches!(change, LinkEvent::Closed { .. }) {
                let _ = sender.send(());
            }
        });
        let (account, mut arrivals) = connector.connect().unwrap();
        until(|| bound(&account) == 2);
        let binds = server.bound();
        let mut fetch = || match arrivals.recv() {
            Some(Arrival::Message(message)) => message,
            other => panic!("{other:?}"),
        };
        let two = |reference| {
            let second = deliver(&binds[1], EsmClass::UDHI, &part(reference, 2, b"a phone"));
            (deliver(&binds[0], EsmClass::UDHI, &part(reference, 1, b"Hello from ")), second)
        };

        let (first, second) = two(1);
        let message = fetch();
        assert_eq!(message.get().text().as_deref(), Some("Hello from a phone"));
        assert_eq!(message.get().source().digits.as_bytes(), b"6591234567");
        // Not before it is safe.
        let (first, second) = (first.try_outcome().unwrap_err(), second.try_outcome().unwrap_err());
        message.accept().unwrap();
        assert_eq!((told(first), told(second)), (Ok(()), Ok(())));

        // What is refused or dropped, is so for each part.
        let (first, second) = two(2);
        fetch().refuse(CommandStatus::RX_P_APPN).unwrap();
        let refused = Err(RequestError::Refused(CommandStatus::RX_P_APPN));
        assert_eq!((told(first), told(second)), (refused, refused));
        let dropped = deliver(&binds[0], EsmClass::empty(), b"dropped");
        drop(fetch());
        let kept = Err(RequestError::Refused(CommandStatus::RX_T_APPN));
        assert_eq!(told(dropped), kept);

        // A bind that ends amid it takes the right to answer along.
        let lost = deliver(&binds[0], EsmClass::empty(), b"lost");
        let message = fetch();
        binds[0].peer().abort();
        assert!(matches!(told(lost), Err(RequestError::Unanswered(_))));
        assert!(ended.recv().is_ok());
        assert!(message.accept().is_err(), "it will come again");

        // Nobody fetches any more: it stays with the SMSC.
        drop(arrivals);
        assert_eq!(told(deliver(&binds[1], EsmClass::empty(), b"late")), kept);
        assert_eq!(account.shutdown(SECOND), []);
    });
}
