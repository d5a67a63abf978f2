//! What the account does when the SMSC refuses a message: the table of statuses.

use smpp_proto::CommandStatus;
use smpp_proto::account::{Binds, Message, MessageRequest, Options, Statuses};
use smpp_proto::provider::{StatusTable, SubmitAction};
use smpp_proto::{Address, QuerySm, SubmitSm};

use crate::account_scenarios::Scenario;
use crate::account_scenarios::smsc::Smsc;
use crate::account_scenarios::stage::{SHORT, options, template, text};

/// A status of the provider's own: the account has no credit.
const NO_CREDIT: CommandStatus = CommandStatus(0x450);

/// The options of an account that sends one message at a time, with this action on a status.
fn one_at_a_time(smsc: &Smsc, status: CommandStatus, action: SubmitAction) -> Options {
    let statuses = Statuses::new(&StatusTable::UNSTATED).on_submit(status, action);
    let mut options = options(smsc).statuses(statuses);
    options.session.window = 1;
    options
}

fn to(destination: &str, text: &str) -> Message {
    let destination = Address::international(destination).unwrap();
    Message::text(&SubmitSm { destination, ..template() }, text)
}

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a full subscriber queue delays only its message",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            let retry = SubmitAction::Retry { times: 3, delay: SHORT };
            stage.start(one_at_a_time(&smsc, CommandStatus::RMSGQFUL, retry));
            stage.submit("full", &to("6591", "full"));
            stage.submit("other", &to("6592", "other"));
            let mut peer = smsc.bound();
            peer.refuses(CommandStatus::RMSGQFUL);
            peer.accepts("id1");
            stage.outcome("other");
            peer.accepts("id2");
            stage.outcome("full");
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: full",
            "smsc: submit_sm to 6592: other",
            "other: accepted as id1 on bind 0.1",
            "smsc: submit_sm to 6591: full",
            "full: accepted as id2 on bind 0.1",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bound retrying link_closed",
        ],
    },
    Scenario {
        name: "after its last retry a message is refused",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            let retry = SubmitAction::Retry { times: 1, delay: SHORT };
            stage.start(one_at_a_time(&smsc, CommandStatus::RMSGQFUL, retry));
            stage.submit("m", &text("Hello").key("row 1"));
            let mut peer = smsc.bound();
            peer.refuses(CommandStatus::RMSGQFUL);
            peer.refuses(CommandStatus::RMSGQFUL);
            stage.outcome("m");
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: Hello",
            "smsc: submit_sm to 6591: Hello",
            "m: refused by the peer: ESME_RMSGQFUL (0x00000014): message queue full; a resend is safe, key row 1",
            "smsc: unbind",
            "events of account: message_failed closed",
            "events of link 0: binding bound retrying link_closed",
        ],
    },
    Scenario {
        name: "a rate that is exceeded pauses the bind",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            let pause = SubmitAction::Pause { times: 3, delay: SHORT };
            stage.start(one_at_a_time(&smsc, CommandStatus::RTHROTTLED, pause));
            stage.submit("m", &to("6591", "first"));
            stage.submit("n", &to("6592", "second"));
            let mut peer = smsc.bound();
            peer.refuses(CommandStatus::RTHROTTLED);
            peer.accepts("id1");
            peer.accepts("id2");
            stage.outcome("m");
            stage.outcome("n");
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: first",
            "smsc: submit_sm to 6591: first",
            "smsc: submit_sm to 6592: second",
            "m: accepted as id1 on bind 0.1",
            "n: accepted as id2 on bind 0.1",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bound throttled paused resumed link_closed",
        ],
    },
    Scenario {
        name: "a bind that refuses two messages with RINVBNDSTS is made again",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc));
            stage.submit("m", &text("first"));
            stage.submit("n", &text("second"));
            let mut dead = smsc.bound_as("dead");
            dead.refuses(CommandStatus::RINVBNDSTS);
            dead.refuses(CommandStatus::RINVBNDSTS);
            dead.unbinds();
            let mut peer = smsc.bound();
            peer.accepts("id1");
            peer.accepts("id2");
            stage.outcome("m");
            stage.outcome("n");
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "dead: bind_transceiver shop secret",
            "dead: submit_sm to 6591: first",
            "dead: submit_sm to 6591: second",
            "dead: unbind",
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: first",
            "smsc: submit_sm to 6591: second",
            "m: accepted as id1 on bind 0.2",
            "n: accepted as id2 on bind 0.2",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed binding bound link_closed",
        ],
    },
    Scenario {
        name: "a message that one bind refuses with RINVBNDSTS goes on another",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc).binds(Binds::transceivers(2)));
            let (mut a, mut b) = (smsc.bound_as("a"), smsc.bound_as("b"));
            stage.wait_for_binds(2);
            stage.submit("m", &text("Hello"));
            a.refuses(CommandStatus::RINVBNDSTS);
            b.accepts("id1");
            stage.outcome("m");
            stage.end_with(&mut [&mut a, &mut b]);
        },
        expected: &[
            "a: bind_transceiver shop secret",
            "b: bind_transceiver shop secret",
            "a: submit_sm to 6591: Hello",
            "b: submit_sm to 6591: Hello",
            "m: accepted as id1 on bind 1.1",
            "a: unbind",
            "b: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
            "events of link 1: binding bound link_closed",
        ],
    },
    Scenario {
        name: "a bind that the SMSC does not take now is tried again",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc));
            smsc.refuses_bind(CommandStatus::RALYBND);
            stage.shows("bind_refused", "");
            let mut peer = smsc.bound();
            stage.wait_for_binds(1);
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "event: link 0: bind failed at 127.0.0.1:PORT: refused by the peer: ESME_RALYBND (0x00000005): the account is already at its limit of binds, or the session is bound; the account has reached its number of binds: end one, or wait until the SMSC has closed an old one",
            "smsc: bind_transceiver shop secret",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bind_refused link_closed binding bound link_closed",
        ],
    },
    Scenario {
        name: "a status that means no credit stops the account, and its bind stays",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(one_at_a_time(&smsc, NO_CREDIT, SubmitAction::Stop));
            stage.submit("m", &text("refused").key("row 1"));
            stage.submit("n", &text("not sent").key("row 2"));
            let mut peer = smsc.bound();
            peer.refuses(NO_CREDIT);
            stage.shows("stopped", "");
            stage.outcome("m");
            stage.outcome("n");
            stage.submit("o", &text("not taken"));
            // The bind still serves requests and receipts.
            stage.request(MessageRequest::query_sm(&QuerySm::default()));
            peer.refuses(CommandStatus::RQUERYFAIL);
            stage.response();
            stage.app().resume();
            stage.submit("p", &text("paid"));
            peer.accepts("id1");
            stage.outcome("p");
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: refused",
            "event: stopped, the account sends no more: message refused by the peer: 0x00000450: a vendor's own status; resume the account once the provider takes its messages",
            "m: refused by the peer: 0x00000450: a vendor's own status; a resend is safe, key row 1",
            "n: not sent: the account has stopped: the SMSC refuses its credentials, or its messages; a resend is safe, key row 2",
            "o: the account has stopped, because the SMSC refuses its credentials or its messages: reconfigure or resume it",
            "smsc: query_sm ",
            "response: refused by the peer: ESME_RQUERYFAIL (0x00000067): query_sm could not be carried out",
            "smsc: submit_sm to 6591: paid",
            "p: accepted as id1 on bind 0.1",
            "smsc: unbind",
            "events of account: message_failed stopped message_failed account_resumed closed",
            "events of link 0: binding bound link_closed",
        ],
    },
];
