//! Responses with TLVs, flash messages, data_sm, submit_multi, and requests about messages.

use smpp_proto::account::{MessageKey, MessageRequest, MessageRequestError, RequestNotSentReason};
use smpp_proto::session::UnansweredReason;
use smpp_proto::simulator::Rules;
use smpp_proto::{
    COctets, CancelSm, DataSm, Destination, List, MessageClass, QuerySm, ReplaceSm, SubmitMulti, Tag, Tlv,
    Tlvs,
};

use super::smsc::PRICE;
use super::*;

fn connected(server: &Server, options: Options) -> Account {
    AccountConnector::new(&server.endpoint(), options).connect().unwrap().0
}

/// The options of a provider that takes every operation.
fn unstated() -> Options {
    quick(&Provider::UNSTATED)
}

#[test]
fn messages_of_each_operation_are_sent_and_their_responses_returned() {
    alone(|| {
        let server = Server::start("127.0.0.1:0");
        server.shared.is_pricing.store(true, Ordering::SeqCst);
        let account = connected(&server, unstated());
        let template = SubmitSm { registered_delivery: RegisteredDelivery::default(), ..template() };
        let flash = Message::text(&template, "Leave now").class(MessageClass::Flash);
        let sent = account.send(&flash).unwrap();
        let prices: Vec<_> = sent.responses().map(|response| response.tlv(PRICE)).collect();
        assert_eq!(prices, [Some(&b"0.042"[..])]);
        assert!(sent.bind().is_some());

        let payload = [Tlv::new(Tag::MESSAGE_PAYLOAD, b"data").unwrap()];
        let destination = template.destination;
        let data_sm =
            DataSm { destination: destination.into(), tlvs: Tlvs::list(&payload), ..DataSm::default() };
        let sent = account.send(&Message::data_sm(&data_sm)).unwrap();
        assert_eq!((sent.ids()[0].as_bytes(), sent.responses().count()), (&b"id-1"[..], 1));

        let destinations = [Destination::Sme(destination); 2];
        let multi = SubmitMulti { destinations: List::new(&destinations).unwrap(), ..SubmitMulti::default() };
        let sent = account.send(&Message::submit_multi(&multi)).unwrap();
        let refused = sent.responses().flat_map(smpp_proto::session::AcceptedResponse::unsuccessful);
        let refused: Vec<_> = refused.map(|recipient| recipient.error_status_code).collect();
        assert_eq!(refused, [CommandStatus::RINVDSTADR]);
        account.shutdown(SECOND);
    });
}

#[test]
fn requests_about_a_message_return_the_response() {
    alone(|| {
        let server = Server::start("127.0.0.1:0");
        let account = connected(&server, unstated());
        let sent = account.send(&text("Hello")).unwrap();
        let query = MessageRequest::query_sm(&QuerySm::default()).bind(sent.bind().unwrap());
        let response = account.request(&query).unwrap();
        assert_eq!(response.query_sm_resp().unwrap().message_state, MessageState::ENROUTE);
        assert!(account.query_sm_until(&QuerySm::default(), Instant::now() + 10 * SECOND).is_ok());
        let refused = account.cancel_sm(&CancelSm::default()).unwrap_err();
        assert_eq!(refused.status(), Some(CommandStatus::RCANCELFAIL));
        assert!(account.replace_sm(&ReplaceSm::default()).is_ok());
        let later = Instant::now() + 10 * SECOND;
        let refused = account.cancel_sm_until(&CancelSm::default(), later).unwrap_err();
        assert_eq!(refused.status(), Some(CommandStatus::RCANCELFAIL));
        assert!(account.replace_sm_until(&ReplaceSm::default(), later).is_ok());

        server.shared.mute.store(true, Ordering::SeqCst);
        let unanswered = || Err(MessageRequestError::Unanswered(UnansweredReason::Timeout));
        // On a busy machine, a request leaves in less.
        let soon = || Instant::now() + Duration::from_millis(300);
        assert_eq!(account.query_sm_until(&QuerySm::default(), soon()), unanswered());
        assert_eq!(account.cancel_sm_until(&CancelSm::default(), soon()), unanswered());
        assert_eq!(account.replace_sm_until(&ReplaceSm::default(), soon()), unanswered());
        account.shutdown(Duration::ZERO);
        let shut_down = MessageRequestError::NeverSent(RequestNotSentReason::ShutDown);
        assert_eq!(account.query_sm(&QuerySm::default()), Err(shut_down));
    });
}

#[test]
fn a_request_without_a_bind_is_withdrawn_at_its_deadline() {
    alone(|| {
        let mut server = Server::start("127.0.0.1:0");
        let account = connected(&server, unstated().request_capacity(1));
        server.kill();
        while bound(&account) > 0 {
            thread::yield_now();
        }
        for _ in 0..2 {
            let withdrawn = MessageRequestError::NeverSent(RequestNotSentReason::Withdrawn);
            assert_eq!(account.query_sm_until(&QuerySm::default(), soon()), Err(withdrawn));
        }
        let request = MessageRequest::query_sm(&QuerySm::default()).deadline(Duration::from_millis(1));
        let expired = MessageRequestError::NeverSent(RequestNotSentReason::Expired);
        assert_eq!(account.request(&request), Err(expired));
    });
}

#[test]
fn detailed_events_say_what_is_handed_to_the_transport_and_others_do_not() {
    alone(|| {
        let server = Server::start("127.0.0.1:0");
        let account = connected(&server, unstated());
        let (mut detailed, events) = (account.detailed_events(), account.events());
        let sent = account.send(&text("Hello").key("row 1")).unwrap();
        let handed = detailed.recv().unwrap();
        let AccountEvent::HandedToTransport { key, segment: 0, bind, .. } = &handed else {
            panic!("{handed}")
        };
        assert_eq!((key.as_ref().map(MessageKey::as_bytes), Some(*bind)), (Some(&b"row 1"[..]), sent.bind()));
        account.shutdown(SECOND);
        for event in events {
            assert_ne!(event.kind(), "handed_to_transport");
        }
    });
}

#[test]
fn the_simulated_smsc_answers_requests_about_messages() {
    alone(|| {
        let rules = Rules::default().receipt_delay(Duration::from_secs(3600));
        let smsc = TestSmsc::builder().rules(rules).start().unwrap();
        let options = unstated();
        let endpoint = smsc.endpoint();
        let (account, _arrivals) = AccountConnector::new(&endpoint, options).connect().unwrap();
        let template = SubmitSm {
            destination: Address::international("6591234567").unwrap(),
            registered_delivery: RegisteredDelivery::RECEIPT,
            ..SubmitSm::default()
        };
        let mut sent = account.send(&Message::text(&template, "Hello")).unwrap();
        let id = sent.ids()[0].as_bytes().to_vec();
        let message_id = COctets::new(&id).unwrap();
        let query = QuerySm { message_id, ..QuerySm::default() };
        let state = account.query_sm(&query).unwrap().query_sm_resp().unwrap().message_state;
        assert_eq!(state, MessageState::ENROUTE);
        let replace = ReplaceSm { message_id, ..ReplaceSm::default() };
        account.replace_sm(&replace).unwrap();
        let cancel = CancelSm { message_id, ..CancelSm::default() };
        account.cancel_sm(&cancel).unwrap();
        assert_eq!(sent.receipt().unwrap(), MessageState::DELETED);
        let final_state = account.query_sm(&query).unwrap();
        assert_eq!(final_state.query_sm_resp().unwrap().message_state, MessageState::DELETED);
        let again = account.cancel_sm(&cancel).unwrap_err();
        assert_eq!(again.status(), Some(CommandStatus::RCANCELFAIL));
        account.shutdown(SECOND);
    });
}
