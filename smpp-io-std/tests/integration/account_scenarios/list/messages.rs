//! What messages state and what their responses say, and requests about messages.

use std::time::Duration;

use smpp_proto::account::{Binds, Message, MessageRequest};
use smpp_proto::{
    Address, COctets, CancelSm, CommandStatus, DataSm, Destination, EsmClass, List, MessageClass,
    MessageState, Pdu, QuerySm, QuerySmResp, ReplaceSm, ShortMessage, SubmitMulti, SubmitMultiResp, SubmitSm,
    Tag, Tlv, Tlvs, UnsuccessSme,
};

use crate::account_scenarios::Scenario;
use crate::account_scenarios::describe::PRICE;
use crate::account_scenarios::stage::{options, template, text};

fn id() -> COctets<'static, 65> {
    COctets::new(b"id1").unwrap()
}

fn destination() -> Address<'static> {
    Address::international("6591").unwrap()
}

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "the response to a message is in its outcome, with the TLVs of the SMSC",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc));
            stage.submit("m", &text("Hello").key("row 1"));
            let mut peer = smsc.bound();
            let submit = peer.reads();
            let tlvs = [Tlv::new(PRICE, b"0.042").unwrap()];
            peer.respond(&submit, CommandStatus::ROK, b"id1", Tlvs::list(&tlvs));
            stage.outcome("m");
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: Hello",
            "m: accepted as id1 on bind 0.1, price 0.042, key row 1",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
        ],
    },
    Scenario {
        name: "a flash message is sent in class 0, in the alphabet that it needs",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc));
            stage.submit("gsm", &text("Leave now").class(MessageClass::Flash));
            let mut peer = smsc.bound();
            peer.accepts("id1");
            stage.outcome("gsm");
            stage.submit("ucs2", &text("走").class(MessageClass::Flash));
            peer.accepts("id2");
            stage.outcome("ucs2");
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: Leave now, data_coding 0x10",
            "gsm: accepted as id1 on bind 0.1",
            "smsc: submit_sm to 6591: \\x8dp, data_coding 0x18",
            "ucs2: accepted as id2 on bind 0.1",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
        ],
    },
    Scenario {
        name: "a data_sm is sent as it is",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc));
            let payload = [Tlv::new(Tag::MESSAGE_PAYLOAD, b"Hello").unwrap()];
            let destination = destination().into();
            let data_sm = DataSm { destination, tlvs: Tlvs::list(&payload), ..DataSm::default() };
            stage.submit("m", &Message::data_sm(&data_sm).key("row 1"));
            let mut peer = smsc.bound();
            peer.accepts("id1");
            stage.outcome("m");
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: data_sm: Hello",
            "m: accepted as id1 on bind 0.1, key row 1",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
        ],
    },
    Scenario {
        name: "the SMSC may refuse single recipients of a submit_multi",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc));
            let destinations =
                ["6591", "6592"].map(|digits| Destination::Sme(Address::international(digits).unwrap()));
            let destinations = List::new(&destinations).unwrap();
            stage
                .submit("m", &Message::submit_multi(&SubmitMulti { destinations, ..SubmitMulti::default() }));
            let mut peer = smsc.bound();
            let submit = peer.reads();
            let refused =
                [UnsuccessSme { destination: destination(), error_status_code: CommandStatus::RINVDSTADR }];
            let response = SubmitMultiResp {
                message_id: id(),
                unsuccessful: List::new(&refused).unwrap(),
                ..SubmitMultiResp::default()
            };
            peer.send(&Pdu::SubmitMultiResp(Some(response)), CommandStatus::ROK, submit.sequence);
            stage.outcome("m");
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: submit_multi to 2 recipients",
            "m: accepted as id1 on bind 0.1, but not for 6591: ESME_RINVDSTADR",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
        ],
    },
    Scenario {
        name: "requests about a message go on the bind that sent it",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc).binds(Binds::NONE));
            let message_id = id();
            let query = QuerySm { message_id, ..QuerySm::default() };
            stage.request(MessageRequest::query_sm(&query).deadline(Duration::from_millis(1)));
            stage.response();

            stage.set_binds(Binds::transceivers(1));
            stage.submit("m", &text("Hello"));
            let mut peer = smsc.bound();
            peer.accepts("id1");
            let bind = stage.outcome("m").expect("it was accepted");
            stage.request(MessageRequest::query_sm(&query).bind(bind));
            let request = peer.reads();
            let message_state = MessageState::ENROUTE;
            let state = QuerySmResp { message_id, message_state, ..QuerySmResp::default() };
            peer.send(&Pdu::QuerySmResp(Some(state)), CommandStatus::ROK, request.sequence);
            stage.response();

            let short_message = ShortMessage::new(b"Bye").unwrap();
            let replace = ReplaceSm { message_id, short_message, ..ReplaceSm::default() };
            stage.request(MessageRequest::replace_sm(&replace).bind(bind));
            peer.accepts("");
            stage.response();

            let cancel = CancelSm { message_id, ..CancelSm::default() };
            stage.request(MessageRequest::cancel_sm(&cancel).bind(bind));
            peer.refuses(CommandStatus::RCANCELFAIL);
            stage.response();

            peer.cuts();
            let mut peer = smsc.bound_as("new");
            stage.wait_for_binds(2);
            stage.request(MessageRequest::query_sm(&query).bind(bind));
            stage.response();
            stage.request(MessageRequest::query_sm(&query));
            peer.reads();
            peer.cuts();
            stage.response();
            let mut peer = smsc.bound();
            stage.wait_for_binds(1);
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "response: not sent: no bind could send it before its deadline: retry later, or set a longer deadline",
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: Hello",
            "m: accepted as id1 on bind 0.1",
            "smsc: query_sm id1",
            "response: ENROUTE",
            "smsc: replace_sm id1: Bye",
            "response: replace_sm_resp",
            "smsc: cancel_sm id1",
            "response: refused by the peer: ESME_RCANCELFAIL (0x00000011): cancel_sm could not be carried out",
            "new: bind_transceiver shop secret",
            "response: not sent: the bind that it names has ended: send it on any bind",
            "new: query_sm id1",
            "response: sent but not answered, the peer may have accepted it: the connection ended without unbind",
            "smsc: bind_transceiver shop secret",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed binding bound link_closed binding bound link_closed",
        ],
    },
    Scenario {
        name: "a response after its timeout is a late outcome, with the key",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            let mut options = options(&smsc);
            options.session.response_timeout = Duration::from_millis(500);
            stage.start(options);
            stage.submit("m", &text("slow").key("row 1"));
            let mut peer = smsc.bound();
            let submit = peer.reads();
            stage.outcome("m");
            peer.respond(&submit, CommandStatus::ROK, b"id1", Tlvs::EMPTY);
            stage.arrival();
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: slow",
            "m: sent but not answered, the peer may have accepted it: no response within response_timeout; a resend may deliver it twice, key row 1",
            "arrives: late outcome of segment 0: accepted as id1, key row 1 (acknowledged)",
            "smsc: unbind",
            "events of account: message_failed late_outcome closed",
            "events of link 0: binding bound message_in_doubt link_closed",
        ],
    },
    Scenario {
        name: "what cannot be sent as it is stated is not taken",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc).queue_capacity(2));
            stage.submit("key", &text("Hello").key([b'k'; 65]));
            stage.submit("long", &text(&"long ".repeat(80)));
            let short_message = ShortMessage::new(b"Hello").unwrap();
            stage.submit("twice", &Message::text(&SubmitSm { short_message, ..template() }, "Hello"));
            let headed = SubmitSm { esm_class: EsmClass::UDHI, ..template() };
            stage.submit("header", &Message::text(&headed, "Hello"));
            let mut peer = smsc.bound();
            stage.wait_for_binds(1);
            stage.end_with(&mut [&mut peer]);
            stage.submit("late", &text("Hello"));
        },
        expected: &[
            "key: the key has 65 octets, more than 64: shorten it",
            "long: the message has 3 segments, more than queue_capacity: shorten it or raise the limit",
            "twice: the template has a short_message beside the text: leave it empty, or send it with Message::submit_sm",
            "header: the template states a user data header: clear UDHI in its esm_class, and add the elements with Message::header",
            "smsc: bind_transceiver shop secret",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
            "late: the account is being shut down: send the message with another account",
        ],
    },
    Scenario {
        name: "after a segment that is refused, no further segment is sent",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            let mut options = options(&smsc);
            options.session.window = 1;
            stage.start(options);
            stage.submit("m", &text(&"long ".repeat(80)).key("row 1"));
            let mut peer = smsc.bound();
            peer.accepts("id1");
            peer.refuses(CommandStatus::RINVDSTADR);
            stage.outcome("m");
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: long long lo (part 1 of 3)",
            "smsc: submit_sm to 6591: ng long long (part 2 of 3)",
            "m: refused by the peer: ESME_RINVDSTADR (0x0000000b): destination address not accepted; a resend may deliver it twice, key row 1",
            "smsc: unbind",
            "events of account: message_failed closed",
            "events of link 0: binding bound link_closed",
        ],
    },
    Scenario {
        name: "a full queue takes no message, and the account says when it can send",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            let mut options = options(&smsc).queue_capacity(2);
            options.session.window = 2;
            stage.start(options);
            let mut peer = smsc.bound();
            stage.ready();
            stage.try_submit("m", &text("first"));
            stage.try_submit("n", &text("second"));
            stage.try_submit("o", &text("third"));
            peer.accepts("id1");
            stage.outcome("m");
            stage.ready();
            stage.try_submit("p", &text("fourth"));
            peer.accepts("id2");
            peer.accepts("id3");
            stage.outcome("n");
            stage.outcome("p");
            stage.end_with(&mut [&mut peer]);
            stage.ready();
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "ready for 2",
            "o: the queue is full: retry after the next outcome",
            "smsc: submit_sm to 6591: first",
            "m: accepted as id1 on bind 0.1",
            "ready for 1",
            "smsc: submit_sm to 6591: second",
            "smsc: submit_sm to 6591: fourth",
            "n: accepted as id2 on bind 0.1",
            "p: accepted as id3 on bind 0.1",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
            "ready: the account is being shut down: send the message with another account",
        ],
    },
    Scenario {
        name: "a message that waits can be cancelled, and one that waits too long expires",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc));
            stage.submit("cancelled", &text("Hello").key("row 1"));
            stage.submit("expired", &text("Hello").key("row 2").deadline(Duration::from_millis(1)));
            stage.cancel("cancelled");
            stage.outcome("cancelled");
            stage.outcome("expired");
            let mut peer = smsc.bound();
            stage.wait_for_binds(1);
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "cancelled: not sent: the message was cancelled; a resend is safe, key row 1",
            "expired: not sent: the message's deadline passed; a resend is safe, key row 2",
            "smsc: bind_transceiver shop secret",
            "smsc: unbind",
            "events of account: message_failed message_failed closed",
            "events of link 0: binding bound link_closed",
        ],
    },
];
