//! Delivery receipts: where they arrive, how they are matched, and what changes.

use smpp_proto::account::{Expected, ReceiptDestination};
use smpp_proto::provider::ReceiptScope;
use smpp_proto::{CommandStatus, Tlvs};

use crate::account_scenarios::Scenario;
use crate::account_scenarios::stage::{SHORT, options, receipted, text};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "receipts have the key of their message and the progress of its segments",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc));
            stage.submit("m", &receipted(&"long ".repeat(50)).key("row 1"));
            let mut peer = smsc.bound();
            peer.accepts("id1");
            peer.accepts("id2");
            stage.outcome("m");
            for (id, stat) in [("id2", "DELIVRD"), ("id1", "ENROUTE"), ("id1", "EXPIRED")] {
                peer.sends_receipt(id, stat);
                peer.reads();
                stage.receipt("m");
            }
            stage.receipt("m");
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: long long lo (part 1 of 2)",
            "smsc: submit_sm to 6591: ng long long (part 2 of 2)",
            "m: accepted as id1, id2 on bind 0.1, key row 1",
            "smsc: deliver_sm_resp ESME_ROK",
            "m: receipt id2 DELIVERED on bind 0.1, segment 1 of 2, 1 to come, key row 1",
            "smsc: deliver_sm_resp ESME_ROK",
            "m: intermediate receipt id1 ENROUTE on bind 0.1, segment 0 of 2, 1 to come, key row 1",
            "smsc: deliver_sm_resp ESME_ROK",
            "m: receipt id1 EXPIRED on bind 0.1, segment 0 of 2, 0 to come, message EXPIRED, key row 1",
            "m: all receipts have been returned",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
        ],
    },
    Scenario {
        name: "a receipt for Arrivals is acknowledged when the application accepts it",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc));
            stage.submit("m", &receipted("Hello").key("row 1").receipts_to(ReceiptDestination::Arrivals));
            let mut peer = smsc.bound();
            peer.accepts("id1");
            stage.outcome("m");
            stage.receipt("m");
            peer.sends_receipt("id1", "DELIVRD");
            let receipt = stage.arrival();
            // No response to the receipt comes before this one.
            peer.enquires();
            stage.respond(receipt, Err(CommandStatus::RX_T_APPN));
            peer.reads();
            peer.sends_receipt("id1", "DELIVRD");
            let receipt = stage.arrival();
            peer.enquires();
            stage.accept(receipt);
            peer.reads();
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: Hello",
            "m: accepted as id1 on bind 0.1, key row 1",
            "m: the receipts of the message arrive through Arrivals: it says so with Message::receipts_to, or it is a submit_multi whose receipts cannot be matched",
            "arrives: receipt id1 DELIVERED on bind 0.1, message DELIVERED, key row 1",
            "smsc: enquire_link_resp ESME_ROK",
            "refuse",
            "smsc: deliver_sm_resp ESME_RX_T_APPN",
            "arrives: receipt id1 DELIVERED on bind 0.1, message DELIVERED, key row 1",
            "smsc: enquire_link_resp ESME_ROK",
            "accept",
            "smsc: deliver_sm_resp ESME_ROK",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
        ],
    },
    Scenario {
        name: "a receipt of a message that the application has dropped arrives, and is acknowledged by it",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc));
            stage.submit("m", &receipted("Hello").key("row 1"));
            let mut peer = smsc.bound();
            peer.accepts("id1");
            stage.outcome("m");
            stage.forget("m");
            peer.sends_receipt("id1", "DELIVRD");
            let receipt = stage.arrival();
            peer.enquires();
            stage.accept(receipt);
            peer.reads();
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: Hello",
            "m: accepted as id1 on bind 0.1, key row 1",
            "arrives: receipt id1 DELIVERED on bind 0.1, message DELIVERED, key row 1",
            "smsc: enquire_link_resp ESME_ROK",
            "accept",
            "smsc: deliver_sm_resp ESME_ROK",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
        ],
    },
    Scenario {
        name: "accepting or refusing what is acknowledged already is an error",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc));
            let mut peer = smsc.bound();
            for (name, id) in [("m", "id1"), ("n", "id2")] {
                stage.submit(name, &receipted("Hello"));
                peer.accepts(id);
                stage.outcome(name);
                peer.sends_receipt(id, "DELIVRD");
                // The account acknowledges it for the message that the application still holds.
                peer.reads();
                stage.forget(name);
                let receipt = stage.arrival();
                stage.respond(receipt, if name == "m" { Ok(()) } else { Err(CommandStatus::RX_T_APPN) });
            }
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: Hello",
            "m: accepted as id1 on bind 0.1",
            "smsc: deliver_sm_resp ESME_ROK",
            "arrives: receipt id1 DELIVERED on bind 0.1, message DELIVERED (acknowledged)",
            "accept: it has been acknowledged before, and the SMSC does not redeliver it: store it, or refuse only what is not acknowledged yet (Message::receipts_to, Options::segment_ack_timeout)",
            "smsc: submit_sm to 6591: Hello",
            "n: accepted as id2 on bind 0.1",
            "smsc: deliver_sm_resp ESME_ROK",
            "arrives: receipt id2 DELIVERED on bind 0.1, message DELIVERED (acknowledged)",
            "refuse: it has been acknowledged before, and the SMSC does not redeliver it: store it, or refuse only what is not acknowledged yet (Message::receipts_to, Options::segment_ack_timeout)",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
        ],
    },
    Scenario {
        name: "the receipts of an earlier run are matched",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start_expecting(options(&smsc), vec![Expected::new(1).id(0, b"old1").key("row 1")]);
            let mut peer = smsc.bound();
            let expected = Expected::new(2).id(0, b"old2").id(1, b"old3").key("row 2");
            stage.expect(expected);
            for (id, stat) in
                [("old1", "DELIVRD"), ("old3", "DELIVRD"), ("old2", "UNDELIV"), ("old4", "DELIVRD")]
            {
                peer.sends_receipt(id, stat);
                let receipt = stage.arrival();
                stage.accept(receipt);
                peer.reads();
            }
            stage.expect(Expected::new(1).id(1, b"id"));
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "arrives: receipt old1 DELIVERED on bind 0.1, message DELIVERED, key row 1",
            "accept",
            "smsc: deliver_sm_resp ESME_ROK",
            "arrives: receipt old3 DELIVERED on bind 0.1, segment 1 of 2, 1 to come, key row 2",
            "accept",
            "smsc: deliver_sm_resp ESME_ROK",
            "arrives: receipt old2 UNDELIVERABLE on bind 0.1, segment 0 of 2, 0 to come, message UNDELIVERABLE, key row 2",
            "accept",
            "smsc: deliver_sm_resp ESME_ROK",
            "arrives: receipt old4 DELIVERED on bind 0.1, of an unknown message",
            "accept",
            "smsc: deliver_sm_resp ESME_ROK",
            "expect: segment 1 of 1: the segments are counted from 0",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
        ],
    },
    Scenario {
        name: "a provider that sends one receipt for a message of several segments",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            let mut options = options(&smsc);
            options.receipts.dialect.scope = ReceiptScope::Message;
            stage.start(options);
            stage.submit("m", &receipted(&"long ".repeat(50)).key("row 1"));
            let mut peer = smsc.bound();
            peer.accepts("id1");
            peer.accepts("id2");
            stage.outcome("m");
            peer.sends_receipt("id1", "DELIVRD");
            peer.reads();
            stage.receipt("m");
            stage.receipt("m");
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: long long lo (part 1 of 2)",
            "smsc: submit_sm to 6591: ng long long (part 2 of 2)",
            "m: accepted as id1, id2 on bind 0.1, key row 1",
            "smsc: deliver_sm_resp ESME_ROK",
            "m: receipt id1 DELIVERED on bind 0.1, segment 0 of 2, 0 to come, message DELIVERED, key row 1",
            "m: all receipts have been returned",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
        ],
    },
    Scenario {
        name: "a final state that changes is reported, and a repetition is not",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc));
            stage.submit("m", &receipted("Hello").key("row 1").receipts_to(ReceiptDestination::Arrivals));
            let mut peer = smsc.bound();
            peer.accepts("id1");
            stage.outcome("m");
            peer.sends_receipt("id1", "UNDELIV");
            let receipt = stage.arrival();
            stage.accept(receipt);
            peer.reads();
            peer.sends_receipt("id1", "UNDELIV");
            peer.reads();
            peer.sends_receipt("id1", "DELIVRD");
            let receipt = stage.arrival();
            stage.accept(receipt);
            peer.reads();
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: Hello",
            "m: accepted as id1 on bind 0.1, key row 1",
            "arrives: receipt id1 UNDELIVERABLE on bind 0.1, message UNDELIVERABLE, key row 1",
            "accept",
            "smsc: deliver_sm_resp ESME_ROK",
            "smsc: deliver_sm_resp ESME_ROK",
            "arrives: receipt id1 DELIVERED on bind 0.1, message DELIVERED, before UNDELIVERABLE, key row 1",
            "accept",
            "smsc: deliver_sm_resp ESME_ROK",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
        ],
    },
    Scenario {
        name: "a receipt that comes before the response of its message is held",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc));
            stage.submit("m", &receipted("Hello"));
            stage.submit("n", &text("no receipt"));
            let mut peer = smsc.bound();
            let (first, second) = (peer.reads(), peer.reads());
            peer.sends_receipt("id1", "DELIVRD");
            peer.respond(&second, CommandStatus::ROK, b"id2", Tlvs::EMPTY);
            stage.outcome("n");
            stage.receipt("n");
            peer.respond(&first, CommandStatus::ROK, b"id1", Tlvs::EMPTY);
            stage.outcome("m");
            peer.reads();
            stage.receipt("m");
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: Hello",
            "smsc: submit_sm to 6591: no receipt",
            "n: accepted as id2 on bind 0.1",
            "n: the message requested no receipts: set registered_delivery",
            "m: accepted as id1 on bind 0.1",
            "smsc: deliver_sm_resp ESME_ROK",
            "m: receipt id1 DELIVERED on bind 0.1, message DELIVERED",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
        ],
    },
    Scenario {
        name: "without Arrivals, receipts for them are left to the SMSC, and others are discarded",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc));
            stage.app().drop_arrivals();
            let mut peer = smsc.bound();
            stage.submit("stored", &receipted("Hello").receipts_to(ReceiptDestination::Arrivals));
            peer.accepts("id1");
            stage.outcome("stored");
            stage.submit("dropped", &receipted("Hello"));
            peer.accepts("id2");
            stage.outcome("dropped");
            stage.forget("dropped");
            for id in ["id1", "id2"] {
                peer.sends_receipt(id, "DELIVRD");
                peer.reads();
            }
            peer.sends_text("a message");
            peer.reads();
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: Hello",
            "stored: accepted as id1 on bind 0.1",
            "smsc: submit_sm to 6591: Hello",
            "dropped: accepted as id2 on bind 0.1",
            "smsc: deliver_sm_resp ESME_RX_T_APPN",
            "smsc: deliver_sm_resp ESME_ROK",
            "smsc: deliver_sm_resp ESME_RX_T_APPN",
            "smsc: unbind",
            "unresolved: no receipt for id1",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
        ],
    },
    Scenario {
        name: "a receipt that does not come in time expires",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc));
            stage.submit("m", &receipted("Hello").key("row 1"));
            let mut peer = smsc.bound();
            peer.accepts("id1");
            stage.outcome("m");
            stage.reconfigure(|options| options.receipts.max_age = SHORT);
            stage.receipt("m");
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: Hello",
            "m: accepted as id1 on bind 0.1, key row 1",
            "m: the receipt did not arrive in time",
            "smsc: unbind",
            "events of account: receipts_expired closed",
            "events of link 0: binding bound link_closed",
        ],
    },
];
