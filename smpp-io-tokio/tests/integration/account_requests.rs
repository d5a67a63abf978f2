//! An account over real sockets: responses with TLVs, flash messages, data_sm, submit_multi, and requests about messages.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use smpp_proto::account::{
    AccountEvent, Binds, Credentials, Message, MessageKey, MessageRequest, MessageRequestError, Options,
    RequestNotSentReason,
};
use smpp_proto::provider::Provider;
use smpp_proto::session::{Config, Smsc};
use smpp_proto::simulator::Rules;
use smpp_proto::{
    Address, COctets, CancelSm, CommandStatus, DataSm, DataSmResp, Destination, List, MessageClass,
    MessageState, QuerySm, QuerySmResp, RegisteredDelivery, ReplaceSm, SubmitMulti, SubmitMultiResp,
    SubmitSm, SubmitSmResp, Tag, Tlv, Tlvs, UnsuccessSme,
};
use smpp_tokio::account::{Account, AccountConnector};
use smpp_tokio::testing::{ACCOUNT, TestSmsc};
use smpp_tokio::{Admission, BindRequest, BoundSession, Inbound, Listener, Server, Service};
use tokio::time::timeout;

const PRICE: Tag = Tag(0x1400);
const TIMEOUT: Duration = Duration::from_secs(30);

/// An SMSC that knows a message only on the bind that submitted it, and writes down each request.
#[derive(Default)]
struct Accountant {
    log: Mutex<Vec<String>>,
    /// The bind that sent the last message.
    submitter: Mutex<Option<smpp_tokio::BindId>>,
}

impl Service for Accountant {
    async fn bind(&self, _: &BindRequest) -> Result<Admission, CommandStatus> {
        Ok(Admission::default())
    }

    async fn request(&self, bound: &BoundSession, request: Inbound<Smsc>) {
        let log = |line: String| self.log.lock().unwrap().push(line);
        let tlvs = [Tlv::new(PRICE, b"0.042").unwrap()];
        let tlvs = Tlvs::list(&tlvs);
        let message_id = COctets::new(b"id-1").unwrap();
        let is_submitter = *self.submitter.lock().unwrap() == Some(bound.id());
        let status = if is_submitter { Ok(()) } else { Err(CommandStatus::RQUERYFAIL) };
        let _ = match request {
            Inbound::SubmitSm(message) => {
                *self.submitter.lock().unwrap() = Some(bound.id());
                log(format!("submit_sm {:#04x}", message.get().data_coding.0));
                message.respond(Ok(SubmitSmResp { message_id, tlvs }))
            }
            Inbound::DataSm(message) => {
                log(format!("data_sm {}", message.get().text().escape_ascii()));
                message.respond(Ok(DataSmResp { message_id, tlvs }))
            }
            Inbound::SubmitMulti(message) => {
                log(format!("submit_multi {}", message.get().destinations.len()));
                let destination = Address::international("6591234568").unwrap();
                let refused = [UnsuccessSme { destination, error_status_code: CommandStatus::RINVDSTADR }];
                let unsuccessful = List::new(&refused).unwrap();
                message.respond(Ok(SubmitMultiResp {
                    message_id,
                    unsuccessful,
                    ..SubmitMultiResp::default()
                }))
            }
            Inbound::QuerySm(query) => {
                let message_state = MessageState::ENROUTE;
                let response = QuerySmResp { message_id, message_state, ..QuerySmResp::default() };
                query.respond(status.map(|()| response))
            }
            Inbound::CancelSm(cancel) => cancel.respond(Err(CommandStatus::RCANCELFAIL)),
            Inbound::ReplaceSm(replace) => {
                log(format!("replace_sm {}", replace.get().short_message.as_bytes().escape_ascii()));
                replace.accept()
            }
            _ => Ok(()),
        };
    }
}

async fn connected(options: Options) -> (Arc<Accountant>, Server, Account) {
    let smsc = Arc::new(Accountant::default());
    let listener = Listener::bind("127.0.0.1:0", Config::default()).await.unwrap();
    let url = format!("smpp://{}", listener.local_addr().unwrap());
    let server = Server::builder(Arc::clone(&smsc)).listen(listener).start().unwrap();
    let connector = AccountConnector::new(&url.parse().unwrap(), options);
    let (account, _) = connector.connect().await.unwrap();
    (smsc, server, account)
}

fn options() -> Options {
    let credentials = Credentials::new("shop", "secret");
    Options::new(credentials, &Provider::UNSTATED).connect_interval(Duration::from_millis(1))
}

fn destination() -> Address<'static> {
    Address::international("6591234567").unwrap()
}

#[tokio::test]
async fn messages_of_each_operation_are_sent_and_their_responses_returned() {
    let (smsc, _server, account) = connected(options()).await;
    let template = SubmitSm { destination: destination(), ..SubmitSm::default() };
    let flash = Message::text(&template, "Leave now").class(MessageClass::Flash);
    let sent = timeout(TIMEOUT, account.send(&flash)).await.unwrap().unwrap();
    let prices: Vec<_> = sent.responses().map(|response| response.tlv(PRICE)).collect();
    assert_eq!(prices, [Some(&b"0.042"[..])]);

    let payload = [Tlv::new(Tag::MESSAGE_PAYLOAD, b"data").unwrap()];
    let data_sm =
        DataSm { destination: destination().into(), tlvs: Tlvs::list(&payload), ..DataSm::default() };
    let sent = timeout(TIMEOUT, account.send(&Message::data_sm(&data_sm))).await.unwrap().unwrap();
    assert_eq!((sent.ids()[0].as_bytes(), sent.responses().count()), (&b"id-1"[..], 1));

    let destinations = [Destination::Sme(destination()); 2];
    let multi = SubmitMulti { destinations: List::new(&destinations).unwrap(), ..SubmitMulti::default() };
    let sent = timeout(TIMEOUT, account.send(&Message::submit_multi(&multi))).await.unwrap().unwrap();
    let refused = sent.responses().flat_map(smpp_proto::session::AcceptedResponse::unsuccessful);
    let refused: Vec<_> = refused.map(|recipient| recipient.error_status_code).collect();
    assert_eq!(refused, [CommandStatus::RINVDSTADR]);
    assert_eq!(*smsc.log.lock().unwrap(), ["submit_sm 0x10", "data_sm data", "submit_multi 2"]);
    account.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn requests_about_a_message_go_on_the_bind_that_sent_it() {
    let (smsc, _server, account) = connected(options().binds(Binds::transceivers(2)).max_binds(2)).await;
    while account.links().iter().filter(|(_, state, _)| matches!(state, smpp_proto::account::LinkState::Open(_, state) if state.is_bound())).count() < 2 {
        tokio::task::yield_now().await;
    }
    let template = SubmitSm { destination: destination(), ..SubmitSm::default() };
    let sent = timeout(TIMEOUT, account.send(&Message::text(&template, "Hello"))).await.unwrap().unwrap();
    let bind = sent.bind().expect("it was sent");
    let query = QuerySm { message_id: COctets::new(b"id-1").unwrap(), ..QuerySm::default() };
    for _ in 0..4 {
        let request = MessageRequest::query_sm(&query).bind(bind);
        let response = timeout(TIMEOUT, account.request(&request)).await.unwrap().unwrap();
        assert_eq!(response.query_sm_resp().unwrap().message_state, MessageState::ENROUTE);
    }
    assert!(timeout(TIMEOUT, account.query_sm(&query)).await.unwrap().is_ok(), "the first of two idle binds");

    let refused = timeout(TIMEOUT, account.cancel_sm(&CancelSm::default())).await.unwrap().unwrap_err();
    assert_eq!(refused.status(), Some(CommandStatus::RCANCELFAIL));
    let short_message = smpp_proto::ShortMessage::new(b"new").unwrap();
    let replace = ReplaceSm { short_message, ..ReplaceSm::default() };
    timeout(TIMEOUT, account.replace_sm(&replace)).await.unwrap().unwrap();
    assert_eq!(smsc.log.lock().unwrap().last().unwrap(), "replace_sm new");
    account.shutdown(Duration::from_secs(5)).await;
    let shut_down = account.query_sm(&query).await.unwrap_err();
    assert_eq!(shut_down, MessageRequestError::NeverSent(RequestNotSentReason::ShutDown));
}

#[tokio::test]
async fn a_request_that_is_dropped_before_it_was_sent_frees_its_place() {
    let options = options().request_capacity(1);
    let (_smsc, server, account) = connected(options).await;
    server.shutdown(Duration::ZERO).await;
    while account.links().iter().any(|(_, _, stats)| stats.is_some()) {
        tokio::task::yield_now().await;
    }
    let query = QuerySm::default();
    let mut waiting = Box::pin(account.query_sm(&query));
    assert!(timeout(Duration::ZERO, waiting.as_mut()).await.is_err(), "there is no bind");
    let full = MessageRequestError::NeverSent(RequestNotSentReason::Full);
    assert_eq!(account.query_sm(&query).await.unwrap_err(), full);
    drop(waiting);
    let request = MessageRequest::query_sm(&query).deadline(Duration::from_millis(1));
    let expired = MessageRequestError::NeverSent(RequestNotSentReason::Expired);
    assert_eq!(timeout(TIMEOUT, account.request(&request)).await.unwrap().unwrap_err(), expired);
}

#[tokio::test]
async fn detailed_events_say_what_is_handed_to_the_transport_and_others_do_not() {
    let (_, server, account) = connected(options()).await;
    let (mut detailed, mut events) = (account.detailed_events(), account.events());
    let template = SubmitSm { destination: destination(), ..SubmitSm::default() };
    let message = Message::text(&template, "Hello").key("row 1");
    let sent = account.send(&message).await.unwrap();
    let handed = timeout(TIMEOUT, detailed.recv()).await.unwrap().unwrap();
    let AccountEvent::HandedToTransport { key, segment: 0, bind, .. } = &handed else { panic!("{handed}") };
    assert_eq!((key.as_ref().map(MessageKey::as_bytes), Some(*bind)), (Some(&b"row 1"[..]), sent.bind()));
    account.shutdown(TIMEOUT).await;
    while let Some(event) = events.recv().await {
        assert_ne!(event.kind(), "handed_to_transport");
    }
    server.shutdown(TIMEOUT).await;
}

#[tokio::test]
async fn the_simulated_smsc_answers_requests_about_messages() {
    let rules = Rules::default().receipt_delay(Duration::from_secs(3600));
    let smsc = TestSmsc::builder().rules(rules).start().await.unwrap();
    let options = options().credentials(Credentials::new(ACCOUNT.0, ACCOUNT.1));
    let endpoint = smsc.endpoint();
    let (account, _arrivals) = AccountConnector::new(&endpoint, options).connect().await.unwrap();
    let template = SubmitSm {
        destination: Address::international("6591234567").unwrap(),
        registered_delivery: RegisteredDelivery::RECEIPT,
        ..SubmitSm::default()
    };
    let mut sent = account.send(&Message::text(&template, "Hello")).await.unwrap();
    let id = sent.ids()[0].as_bytes().to_vec();
    let message_id = COctets::new(&id).unwrap();
    let query = QuerySm { message_id, ..QuerySm::default() };
    let state = account.query_sm(&query).await.unwrap().query_sm_resp().unwrap().message_state;
    assert_eq!(state, MessageState::ENROUTE);
    let replace = ReplaceSm { message_id, ..ReplaceSm::default() };
    account.replace_sm(&replace).await.unwrap();
    let cancel = CancelSm { message_id, ..CancelSm::default() };
    account.cancel_sm(&cancel).await.unwrap();
    assert_eq!(sent.receipt().await.unwrap(), MessageState::DELETED);
    let final_state = account.query_sm(&query).await.unwrap();
    assert_eq!(final_state.query_sm_resp().unwrap().message_state, MessageState::DELETED);
    let again = account.cancel_sm(&cancel).await.unwrap_err();
    assert_eq!(again.status(), Some(CommandStatus::RCANCELFAIL));
    account.shutdown(TIMEOUT).await;
}
