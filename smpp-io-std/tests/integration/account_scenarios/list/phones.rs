//! Messages from phones.

use smpp_proto::CommandStatus;
use smpp_proto::account::SegmentAckMode;

use crate::account_scenarios::Scenario;
use crate::account_scenarios::stage::{LONG, SHORT, options};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a message from a phone is accepted, refused, or left to the SMSC",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc));
            let mut peer = smsc.bound();
            peer.sends_text("accept me");
            let message = stage.arrival();
            stage.accept(message);
            peer.reads();
            peer.sends_text("refuse me");
            let message = stage.arrival();
            stage.respond(message, Err(CommandStatus::RX_P_APPN));
            peer.reads();
            peer.sends_text("drop me");
            drop(stage.arrival());
            peer.reads();
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "arrives: message from 6591234567 on bind 0.1: accept me",
            "accept",
            "smsc: deliver_sm_resp ESME_ROK",
            "arrives: message from 6591234567 on bind 0.1: refuse me",
            "refuse",
            "smsc: deliver_sm_resp ESME_RX_P_APPN",
            "arrives: message from 6591234567 on bind 0.1: drop me",
            "smsc: deliver_sm_resp ESME_RX_T_APPN",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
        ],
    },
    Scenario {
        name: "an alert says that a phone is reachable",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc));
            let mut peer = smsc.bound();
            peer.sends_alert();
            stage.arrival();
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "arrives: alert_notification (acknowledged)",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
        ],
    },
    Scenario {
        name: "an SMSC that sends one part at a time does not wait long",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc));
            let mut peer = smsc.bound();
            peer.sends_part(1, "one, ");
            peer.reads();
            peer.sends_part(2, "two, ");
            peer.reads();
            peer.sends_part(3, "three");
            let message = stage.arrival();
            stage.accept(message);
            peer.reads();
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: deliver_sm_resp ESME_ROK",
            "smsc: deliver_sm_resp ESME_ROK",
            "arrives: message from 6591234567 in 3 parts on bind 0.1: one, two, three",
            "accept",
            "smsc: deliver_sm_resp ESME_ROK",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
        ],
    },
    Scenario {
        name: "parts that arrive together are acknowledged when the application accepts the message",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            let mut options = options(&smsc);
            options.segment_ack_mode = SegmentAckMode::Strict;
            options.segment_ack_timeout = LONG;
            stage.start(options);
            let mut peer = smsc.bound();
            peer.sends_part(2, "two, ");
            peer.sends_part(3, "three");
            peer.sends_part(1, "one, ");
            let message = stage.arrival();
            peer.enquires();
            stage.accept(message);
            for _ in 0..3 {
                peer.reads();
            }
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "arrives: message from 6591234567 in 3 parts on bind 0.1: one, two, three",
            "smsc: enquire_link_resp ESME_ROK",
            "accept",
            "smsc: deliver_sm_resp ESME_ROK",
            "smsc: deliver_sm_resp ESME_ROK",
            "smsc: deliver_sm_resp ESME_ROK",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
        ],
    },
    Scenario {
        name: "a message whose bind has ended comes again on another, and the application gets it once",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            let mut options = options(&smsc);
            // How long the account waits for the application once the SMSC has closed its side.
            options.session.drain_timeout = SHORT;
            stage.start(options);
            let mut old = smsc.bound_as("old");
            old.sends_text("once");
            let message = stage.arrival();
            old.cuts();
            let mut new = smsc.bound_as("new");
            stage.wait_for_binds(2);
            stage.accept(message);
            new.sends_text("once");
            new.reads();
            new.sends_text("another");
            let message = stage.arrival();
            stage.accept(message);
            new.reads();
            stage.end_with(&mut [&mut new]);
        },
        expected: &[
            "old: bind_transceiver shop secret",
            "arrives: message from 6591234567 on bind 0.1: once",
            "new: bind_transceiver shop secret",
            "accept: no response was sent, and the SMSC redelivers it: the session has ended: the connection ended without unbind",
            "new: deliver_sm_resp ESME_ROK",
            "arrives: message from 6591234567 on bind 0.2: another",
            "accept",
            "new: deliver_sm_resp ESME_ROK",
            "new: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed binding bound link_closed",
        ],
    },
];
