//! The end of an account, and receivers of events that are too slow.

use std::time::Duration;

use smpp_proto::account::{Binds, Expected, MessageRequest};
use smpp_proto::{CommandStatus, QuerySm, Tlvs};

use crate::account_scenarios::Scenario;
use crate::account_scenarios::drivers::Settings;
use crate::account_scenarios::stage::{LONG, options, receipted, text};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a shutdown sends what is queued, and returns the messages without receipts",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            let mut options = options(&smsc);
            options.session.window = 1;
            stage.start(options);
            stage.submit("m", &receipted("first").key("row 1"));
            stage.submit("n", &receipted("second").key("row 2"));
            let mut peer = smsc.bound();
            let first = peer.reads();
            stage.shutdown(LONG);
            peer.respond(&first, CommandStatus::ROK, b"id1", Tlvs::EMPTY);
            peer.accepts("id2");
            peer.unbinds();
            stage.outcome("m");
            stage.outcome("n");
            stage.receipt("m");
            stage.end();
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: first",
            "smsc: submit_sm to 6591: second",
            "smsc: unbind",
            "m: accepted as id1 on bind 0.1, key row 1",
            "n: accepted as id2 on bind 0.1, key row 2",
            "m: the account ended before the receipt arrived",
            "unresolved: no receipt for id1, key row 1",
            "unresolved: no receipt for id2, key row 2",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
        ],
    },
    Scenario {
        name: "a silent SMSC does not hold up a shutdown",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            let mut options = options(&smsc).unbind_timeout(Duration::from_millis(1_500));
            options.session.window = 1;
            stage.start(options);
            stage.submit("m", &receipted("in flight").key("row 1"));
            stage.submit("n", &text("queued").key("row 2"));
            let mut peer = smsc.bound();
            peer.reads();
            stage.shutdown(Duration::ZERO);
            peer.reads();
            stage.outcome("n");
            stage.outcome("m");
            peer.reads_end();
            stage.end();
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: in flight",
            "smsc: unbind",
            "n: not sent: the account was shut down; a resend is safe, key row 2",
            "m: sent but not answered, the peer may have accepted it: aborted; a resend may deliver it twice, key row 1",
            "unresolved: not accepted: not sent: the account was shut down, key row 2",
            "unresolved: not accepted: sent but not answered, the peer may have accepted it: aborted, key row 1",
            "events of account: message_failed message_failed closed",
            "events of link 0: binding bound message_in_doubt link_closed",
        ],
    },
    Scenario {
        name: "an account without binds shuts down at once",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc).binds(Binds::NONE));
            stage.submit("m", &text("kept").key("row 1"));
            stage.shutdown(Duration::ZERO);
            stage.outcome("m");
            stage.end();
        },
        expected: &[
            "m: not sent: the account was shut down; a resend is safe, key row 1",
            "unresolved: not accepted: not sent: the account was shut down, key row 1",
            "events of account: message_failed closed",
        ],
    },
    Scenario {
        name: "after the shutdown, each call says so",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc));
            let mut peer = smsc.bound();
            stage.submit("m", &receipted("Hello"));
            peer.accepts("id1");
            stage.outcome("m");
            stage.end_with(&mut [&mut peer]);
            stage.submit("n", &text("Hello"));
            stage.try_submit("o", &text("Hello"));
            stage.ready();
            stage.request(MessageRequest::query_sm(&QuerySm::default()));
            stage.response();
            stage.expect(Expected::new(1).id(0, b"id1"));
            stage.receipt("m");
            stage.set_binds(Binds::NONE);
            stage.reconfigure(|options| options.credentials.password = "n3w".into());
            stage.app().resume();
            stage.shutdown(LONG);
            stage.end();
            assert!(stage.app().arrival().is_none());
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: Hello",
            "m: accepted as id1 on bind 0.1",
            "smsc: unbind",
            "unresolved: no receipt for id1",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
            "n: the account is being shut down: send the message with another account",
            "o: the account is being shut down: send the message with another account",
            "ready: the account is being shut down: send the message with another account",
            "response: not sent: the account is being shut down: send it with another account",
            "expect: the account is being shut down: use another account",
            "m: the account ended before the receipt arrived",
        ],
    },
    Scenario {
        name: "an account that is dropped with its Arrivals unbinds, and sends nothing more",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            let mut options = options(&smsc);
            options.session.window = 1;
            stage.start(options);
            let mut peer = smsc.bound();
            stage.submit("m", &text("in flight"));
            stage.submit("n", &text("queued"));
            let submit = peer.reads();
            stage.drop_account();
            peer.respond(&submit, CommandStatus::ROK, b"id1", Tlvs::EMPTY);
            peer.unbinds();
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: in flight",
            "smsc: unbind",
        ],
    },
    Scenario {
        name: "the counters are those of the whole life of the account",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc));
            smsc.refuses_bind(CommandStatus::RALYBND);
            let mut peer = smsc.bound();
            stage.submit("accepted", &receipted("Hello"));
            stage.submit("refused", &text("Hello"));
            peer.accepts("id1");
            peer.refuses(CommandStatus::RINVDSTADR);
            stage.outcome("accepted");
            stage.outcome("refused");
            peer.sends_receipt("id1", "DELIVRD");
            peer.reads();
            stage.receipt("accepted");
            stage.end_with(&mut [&mut peer]);
            let counters = stage.app().counters();
            stage.log(format!("{counters:?}"));
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: Hello",
            "smsc: submit_sm to 6591: Hello",
            "accepted: accepted as id1 on bind 0.2",
            "refused: refused by the peer: ESME_RINVDSTADR (0x0000000b): destination address not accepted; a resend is safe",
            "smsc: deliver_sm_resp ESME_ROK",
            "accepted: receipt id1 DELIVERED on bind 0.2, message DELIVERED",
            "smsc: unbind",
            "events of account: message_failed closed",
            "events of link 0: binding bind_refused link_closed binding bound link_closed",
            "AccountCounters { segments_accepted: 1, segments_refused: 1, segments_nacked: 0, segments_never_sent: 0, segments_unanswered: 0, in_doubt: 0, late_outcomes: 0, binds_refused: 1, connects_failed: 0, links_closed: 2, pauses: 0, receipts_matched: 1, receipts_unmatched: 0, receipts_expired: 0, messages_received: 0 }",
        ],
    },
    Scenario {
        name: "an account without an endpoint does not start",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc).endpoints(Vec::new()));
        },
        expected: &[
            "the account does not start: a group of binds has no endpoint: set the option endpoints, or give the group its own with Binds::at",
        ],
    },
    Scenario {
        name: "a receiver of events that reads too slowly is told how many it has lost",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            let options = options(&smsc).binds(Binds::NONE);
            stage.start_with(Settings {
                options,
                expected: Vec::new(),
                events_capacity: 3,
                bind_timeout: None,
            });
            for _ in 0..10 {
                stage.submit("m", &text("Hello"));
                stage.cancel("m");
            }
            stage.outcome("m");
            let lagged = stage.wait_for("lagged");
            stage.log(lagged.to_string());
            stage.shutdown(Duration::ZERO);
            stage.end();
        },
        expected: &[
            "m: not sent: the message was cancelled; a resend is safe",
            "7 events lost: the receiver reads too slowly",
            "events of account: lagged lagged message_failed message_failed closed",
        ],
    },
];
