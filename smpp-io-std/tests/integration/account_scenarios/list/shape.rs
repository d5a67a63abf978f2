//! Endpoints, numbers of binds, credentials, and messages that name their bind.

use std::net::TcpStream;
use std::time::Duration;

use smpp_proto::account::{Backoff, Binds, MessageRequest, UnansweredPolicy};
use smpp_proto::{CommandStatus, QuerySm, Tlvs};

use crate::account_scenarios::Scenario;
use crate::account_scenarios::stage::{LONG, SHORT, closed, options, receipted, text};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "the second endpoint stands in for the first",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            let down = closed();
            let error = TcpStream::connect(("127.0.0.1", down.port)).unwrap_err().to_string();
            stage.start(options(&smsc).endpoints(vec![down, smsc.endpoint()]));
            stage.shows("connect_failed", &error);
            stage.submit("m", &text("Hello"));
            let mut peer = smsc.bound();
            stage.shows("bound", "");
            peer.accepts("id1");
            stage.outcome("m");
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "event: link 0: cannot connect to 127.0.0.1:PORT: no connection to the server: ...; trying the next address",
            "smsc: bind_transceiver shop secret",
            "event: link 0: bound as transceiver at 127.0.0.1:PORT",
            "smsc: submit_sm to 6591: Hello",
            "m: accepted as id1 on bind 0.1",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: connect_failed binding bound link_closed",
        ],
    },
    Scenario {
        name: "a transmitter at one host and a receiver at another",
        play: |stage| {
            let (sending, receiving) = (stage.smsc("tx"), stage.smsc("rx"));
            let binds = Binds::transmitters(1).at([sending.endpoint()]);
            let binds = binds.and(Binds::receivers(1).at([receiving.endpoint()]));
            stage.start(options(&sending).binds(binds));
            let (mut tx, mut rx) = (sending.bound(), receiving.bound());
            stage.submit("m", &receipted("Hello"));
            tx.accepts("id1");
            stage.outcome("m");
            rx.sends_receipt("id1", "DELIVRD");
            rx.reads();
            stage.receipt("m");
            stage.end_with(&mut [&mut tx, &mut rx]);
        },
        expected: &[
            "tx: bind_transmitter shop secret",
            "rx: bind_receiver shop secret",
            "tx: submit_sm to 6591: Hello",
            "m: accepted as id1 on bind 0.1",
            "rx: deliver_sm_resp ESME_ROK",
            "m: receipt id1 DELIVERED on bind 1.1, message DELIVERED",
            "tx: unbind",
            "rx: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
            "events of link 1: binding bound link_closed",
        ],
    },
    Scenario {
        name: "without binds, messages are kept until there is one",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc).binds(Binds::NONE).max_binds(1));
            stage.submit("m", &text("kept"));
            stage.set_binds(Binds::transceivers(1));
            let mut peer = smsc.bound();
            peer.accepts("id1");
            stage.outcome("m");
            stage.set_binds(Binds::NONE);
            peer.unbinds();
            stage.submit("n", &text("kept, too"));
            stage.set_binds(Binds::transceivers(1));
            let mut peer = smsc.bound();
            peer.accepts("id2");
            stage.outcome("n");
            stage.set_binds(Binds::transceivers(3));
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: kept",
            "m: accepted as id1 on bind 0.1",
            "smsc: unbind",
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: kept, too",
            "n: accepted as id2 on bind 0.2",
            "set_binds: 3 binds exceed the limit of 1: request fewer, or raise max_binds",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed binding bound link_closed",
        ],
    },
    Scenario {
        name: "a new password rebinds once the SMSC has responded to what is in flight",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc));
            stage.submit("m", &receipted("in flight"));
            let mut old = smsc.bound_as("old");
            let submit = old.reads();
            stage.reconfigure(|options| options.credentials.password = "n3w".into());
            old.enquires();
            stage.submit("n", &text("waits"));
            old.respond(&submit, CommandStatus::ROK, b"id1", Tlvs::EMPTY);
            old.unbinds();
            stage.outcome("m");
            let mut new = smsc.bound_as("new");
            new.accepts("id2");
            stage.outcome("n");
            new.sends_receipt("id1", "DELIVRD");
            new.reads();
            stage.receipt("m");
            stage.end_with(&mut [&mut new]);
        },
        expected: &[
            "old: bind_transceiver shop secret",
            "old: submit_sm to 6591: in flight",
            "old: enquire_link_resp ESME_ROK",
            "old: unbind",
            "m: accepted as id1 on bind 0.1",
            "new: bind_transceiver shop n3w",
            "new: submit_sm to 6591: waits",
            "n: accepted as id2 on bind 0.2",
            "new: deliver_sm_resp ESME_ROK",
            "m: receipt id1 DELIVERED on bind 0.2, message DELIVERED",
            "new: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed binding bound link_closed",
        ],
    },
    Scenario {
        name: "refused credentials stop the account, and it resumes",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc));
            stage.submit("m", &text("waits").key("row 1"));
            smsc.refuses_bind(CommandStatus::RINVPASWD);
            stage.outcome("m");
            stage.wait_for("stopped");
            stage.submit("n", &text("not taken"));
            stage.ready();
            stage.request(MessageRequest::query_sm(&QuerySm::default()));
            stage.response();
            stage.app().resume();
            let mut peer = smsc.bound();
            stage.submit("o", &text("Hello"));
            peer.accepts("id1");
            stage.outcome("o");
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "m: not sent: the account has stopped: the SMSC refuses its credentials, or its messages; a resend is safe, key row 1",
            "n: the account has stopped, because the SMSC refuses its credentials or its messages: reconfigure or resume it",
            "ready: the account has stopped, because the SMSC refuses its credentials or its messages: reconfigure or resume it",
            "response: not sent: the account has stopped, because the SMSC refuses its credentials or its messages: reconfigure or resume it",
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: Hello",
            "o: accepted as id1 on bind 0.2",
            "smsc: unbind",
            "events of account: stopped message_failed account_resumed closed",
            "events of link 0: binding bind_refused link_closed binding bound link_closed",
        ],
    },
    Scenario {
        name: "connect waits for the first bind, and says why there is none",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            // Nothing responds.
            stage.connect(options(&smsc), SHORT);
            drop(smsc);
            let smsc = stage.smsc("smsc");
            let refused = smsc.responds_in_background(CommandStatus::RINVPASWD);
            stage.connect(options(&smsc), LONG);
            refused.join().unwrap();
            let bound = smsc.responds_in_background(CommandStatus::ROK);
            stage.connect(options(&smsc), LONG);
            let mut peer = smsc.goes_on(bound);
            stage.ready();
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "the account does not start: no bind succeeded within 20ms",
            "the account does not start: the bind to smpp://127.0.0.1:PORT as \"shop\" failed: refused by the peer: ESME_RINVPASWD (0x0000000e): password wrong; check the password",
            "ready for 16",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
        ],
    },
    Scenario {
        name: "a peer that is not an SMSC is said to be none",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            let backoff = Backoff::default().initial(LONG).max(LONG).reset_after(LONG);
            stage.start(options(&smsc).backoff(backoff));
            let mut peer = smsc.accept();
            peer.reads();
            peer.sends_octets(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            stage.shows("bind_refused", "");
            stage.shutdown(Duration::ZERO);
            stage.end();
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "event: link 0: bind failed at 127.0.0.1:PORT: sent but not answered, the peer may have accepted it: the peer sent HTTP, not SMPP: \"HTTP\"; the peer sent HTTP, not SMPP; check the port: this is that of a web server, an HTTP API or a proxy, not of an SMSC",
            "events of account: closed",
            "events of link 0: binding bind_refused link_closed",
        ],
    },
    Scenario {
        name: "new credentials end the stop",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc));
            smsc.refuses_bind(CommandStatus::RINVPASWD);
            stage.wait_for("stopped");
            stage.reconfigure(|options| options.credentials.password = "n3w".into());
            let mut peer = smsc.bound();
            stage.submit("m", &text("Hello"));
            peer.accepts("id1");
            stage.outcome("m");
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: bind_transceiver shop n3w",
            "smsc: submit_sm to 6591: Hello",
            "m: accepted as id1 on bind 0.2",
            "smsc: unbind",
            "events of account: stopped account_resumed closed",
            "events of link 0: binding bind_refused link_closed binding bound link_closed",
        ],
    },
    Scenario {
        name: "credentials that were accepted once are tried again",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc));
            let mut peer = smsc.bound();
            stage.wait_for("bound");
            peer.cuts();
            smsc.refuses_bind(CommandStatus::RINVPASWD);
            stage.submit("m", &text("Hello"));
            let mut peer = smsc.bound();
            peer.accepts("id1");
            stage.outcome("m");
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: bind_transceiver shop secret",
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: Hello",
            "m: accepted as id1 on bind 0.3",
            "smsc: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed binding bind_refused link_closed binding bound link_closed",
        ],
    },
    Scenario {
        name: "an answer goes on the bind of the question, as in a USSD session",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc).binds(Binds::transceivers(2)));
            let (mut a, mut b) = (smsc.bound_as("a"), smsc.bound_as("b"));
            stage.wait_for_binds(2);
            b.sends_text("*100#");
            let question = stage.arrival();
            let bind = question.bind.expect("a message has a bind");
            stage.accept(question);
            b.reads();
            stage.submit("first", &text("1. Balance").bind(bind));
            b.accepts("id1");
            stage.outcome("first");
            stage.submit("second", &text("2. Bye").bind(bind));
            b.accepts("id2");
            stage.outcome("second");
            b.cuts();
            let mut c = smsc.bound_as("c");
            stage.wait_for_binds(1);
            stage.submit("third", &text("too late").bind(bind).key("row 3"));
            stage.outcome("third");
            stage.end_with(&mut [&mut a, &mut c]);
        },
        expected: &[
            "a: bind_transceiver shop secret",
            "b: bind_transceiver shop secret",
            "arrives: message from 6591234567 on bind 1.1: *100#",
            "accept",
            "b: deliver_sm_resp ESME_ROK",
            "b: submit_sm to 6591: 1. Balance",
            "first: accepted as id1 on bind 1.1",
            "b: submit_sm to 6591: 2. Bye",
            "second: accepted as id2 on bind 1.1",
            "c: bind_transceiver shop secret",
            "third: not sent: the bind that the message names has ended; a resend is safe, key row 3",
            "a: unbind",
            "c: unbind",
            "events of account: message_failed closed",
            "events of link 0: binding bound link_closed",
            "events of link 1: binding bound link_closed binding bound link_closed",
        ],
    },
    Scenario {
        name: "the segments of a message go on one bind in order",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc).binds(Binds::transceivers(2)));
            let (mut a, mut b) = (smsc.bound_as("a"), smsc.bound_as("b"));
            stage.wait_for_binds(2);
            stage.submit("m", &text(&"long ".repeat(80)));
            for id in ["id1", "id2", "id3"] {
                a.accepts(id);
            }
            stage.outcome("m");
            stage.end_with(&mut [&mut a, &mut b]);
        },
        expected: &[
            "a: bind_transceiver shop secret",
            "b: bind_transceiver shop secret",
            "a: submit_sm to 6591: long long lo (part 1 of 3)",
            "a: submit_sm to 6591: ng long long (part 2 of 3)",
            "a: submit_sm to 6591:  long long l (part 3 of 3)",
            "m: accepted as id1, id2, id3 on bind 0.1",
            "a: unbind",
            "b: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
            "events of link 1: binding bound link_closed",
        ],
    },
    Scenario {
        name: "the segments of a message go on all binds if the account says so",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            let binds = Binds::transceivers(2);
            let mut options = options(&smsc).binds(binds).spread_segments(true);
            options.session.window = 1;
            stage.start(options);
            let (mut a, mut b) = (smsc.bound_as("a"), smsc.bound_as("b"));
            stage.wait_for_binds(2);
            stage.submit("m", &text(&"long ".repeat(50)));
            a.accepts("id1");
            b.accepts("id2");
            stage.outcome("m");
            stage.end_with(&mut [&mut a, &mut b]);
        },
        expected: &[
            "a: bind_transceiver shop secret",
            "b: bind_transceiver shop secret",
            "a: submit_sm to 6591: long long lo (part 1 of 2)",
            "b: submit_sm to 6591: ng long long (part 2 of 2)",
            "m: accepted as id1, id2 on bind 1.1",
            "a: unbind",
            "b: unbind",
            "events of account: closed",
            "events of link 0: binding bound link_closed",
            "events of link 1: binding bound link_closed",
        ],
    },
    Scenario {
        name: "a message that got no response is reported, or sent again if it says so",
        play: |stage| {
            let smsc = stage.smsc("smsc");
            stage.start(options(&smsc));
            stage.submit("once", &text("once").key("row 1"));
            stage.submit("again", &text("again").key("row 2").unanswered_policy(UnansweredPolicy::Resend(1)));
            let mut peer = smsc.bound();
            peer.reads();
            peer.reads();
            peer.cuts();
            stage.outcome("once");
            let mut peer = smsc.bound();
            peer.accepts("id1");
            stage.outcome("again");
            stage.end_with(&mut [&mut peer]);
        },
        expected: &[
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: once",
            "smsc: submit_sm to 6591: again",
            "once: sent but not answered, the peer may have accepted it: the connection ended without unbind; a resend may deliver it twice, key row 1",
            "smsc: bind_transceiver shop secret",
            "smsc: submit_sm to 6591: again",
            "again: accepted as id1 on bind 0.2, key row 2",
            "smsc: unbind",
            "events of account: message_failed closed",
            "events of link 0: binding bound message_in_doubt message_in_doubt link_closed binding bound link_closed",
        ],
    },
];
