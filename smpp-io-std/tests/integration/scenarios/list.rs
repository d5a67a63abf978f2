//! The scenarios.

use std::time::Duration;

use smpp_proto::session::Rate;
use smpp_proto::{CommandId, CommandStatus, Pdu};

use crate::scenarios::Step::{Abort, Bind, Disconnect, End, Expect, Outcome, Peer, Receive, Submit, Unbind};
use crate::scenarios::pdus::{bind_refused, bind_resp, deliver, pdu, raw, submit_refused, submit_resp};
use crate::scenarios::{Scenario, Step, config};

/// A timeout that fires in a scenario. On a busy machine, the other steps of the scenario take less.
const SOON: Duration = Duration::from_millis(500);
const OK: CommandStatus = CommandStatus::ROK;

/// Steps of a session that binds first. The bind is request 0 and has sequence number 1.
fn bound(steps: impl IntoIterator<Item = Step>) -> Vec<Step> {
    [Bind, Expect, Peer(bind_resp()), Outcome(0)].into_iter().chain(steps).collect()
}

macro_rules! scenarios {
    ($($name:literal $config:expr, $steps:expr => [$($seen:literal),* $(,)?])+) => {
        pub(crate) fn all() -> Vec<Scenario> {
            vec![$(Scenario { name: $name, config: $config, steps: $steps.into(), expected: &[$($seen),*] }),+]
        }
    };
}

scenarios! {
    "a bind, a message, an unbind"
    config(), bound([
        Submit, Expect, Peer(submit_resp(2)), Outcome(1),
        Unbind, Expect, Peer(pdu(&Pdu::UnbindResp, OK, 3)), End,
    ]) => [
        "the peer sees bind_transceiver 1",
        "0: bind_transceiver_resp",
        "the peer sees submit_sm 2",
        "1: submit_sm_resp",
        "the peer sees unbind 3",
        "end: Unbound",
    ]

    "a bind that is refused"
    config(), [Bind, Expect, Peer(bind_refused(CommandStatus::RINVPASWD)), Outcome(0), Submit, Outcome(1)] => [
        "the peer sees bind_transceiver 1",
        "0: refused ESME_RINVPASWD",
        "1: NeverSent(State(Open))",
    ]

    "a message before the bind"
    config(), [Submit, Outcome(0)] => [
        "0: NeverSent(State(Open))",
    ]

    "a message that is throttled, and one that is answered with generic_nack"
    config().slow_down_when_throttled(false), bound([
        Submit, Expect, Submit, Expect,
        Peer(submit_refused(2, CommandStatus::RTHROTTLED)),
        Peer(pdu(&Pdu::GenericNack, CommandStatus::RINVCMDID, 3)),
        Outcome(1), Outcome(2),
    ]) => [
        "the peer sees bind_transceiver 1",
        "0: bind_transceiver_resp",
        "the peer sees submit_sm 2",
        "the peer sees submit_sm 3",
        "1: refused ESME_RTHROTTLED",
        "2: nacked ESME_RINVCMDID",
    ]

    "responses in another order"
    config(), bound([
        Submit, Expect, Submit, Expect, Peer([submit_resp(3), submit_resp(2)].concat()), Outcome(1), Outcome(2),
    ]) => [
        "the peer sees bind_transceiver 1",
        "0: bind_transceiver_resp",
        "the peer sees submit_sm 2",
        "the peer sees submit_sm 3",
        "1: submit_sm_resp",
        "2: submit_sm_resp",
    ]

    "a window that is full"
    config().window(1), bound([
        Submit, Expect, Submit, Peer(submit_resp(2)), Outcome(1), Expect, Peer(submit_resp(3)), Outcome(2),
    ]) => [
        "the peer sees bind_transceiver 1",
        "0: bind_transceiver_resp",
        "the peer sees submit_sm 2",
        "1: submit_sm_resp",
        "the peer sees submit_sm 3",
        "2: submit_sm_resp",
    ]

    "a message that times out, and its late response"
    config().response_timeout(SOON), bound([
        Submit, Expect, Outcome(1), Peer(submit_resp(2)), Submit, Expect, Peer(submit_resp(3)), Outcome(2),
    ]) => [
        "the peer sees bind_transceiver 1",
        "0: bind_transceiver_resp",
        "the peer sees submit_sm 2",
        "1: Unanswered(Timeout)",
        "the peer sees submit_sm 3",
        "2: submit_sm_resp",
    ]

    "a connection that is cut"
    config(), bound([Submit, Expect, Disconnect, Outcome(1), End, Submit, Outcome(2)]) => [
        "the peer sees bind_transceiver 1",
        "0: bind_transceiver_resp",
        "the peer sees submit_sm 2",
        "1: Unanswered(Closed(Disconnected))",
        "end: Disconnected",
        "2: NeverSent(Closed(Disconnected))",
    ]

    "a connection that is cut before the bind is answered"
    config(), [Bind, Expect, Disconnect, Outcome(0), End] => [
        "the peer sees bind_transceiver 1",
        "0: Unanswered(Closed(Disconnected))",
        "end: Disconnected",
    ]

    "a connection that is cut in the middle of a response, while another request waits for capacity"
    config().window(1), bound([
        Submit, Expect, Submit, Peer(submit_resp(2)[..18].into()), Disconnect, Outcome(1), Outcome(2), End,
    ]) => [
        "the peer sees bind_transceiver 1",
        "0: bind_transceiver_resp",
        "the peer sees submit_sm 2",
        "1: Unanswered(Closed(Disconnected))",
        "2: NeverSent(Closed(Disconnected))",
        "end: Disconnected",
    ]

    "a connection that is cut before the unbind is answered"
    config(), bound([Unbind, Expect, Disconnect, End]) => [
        "the peer sees bind_transceiver 1",
        "0: bind_transceiver_resp",
        "the peer sees unbind 2",
        "end: Unbound",
    ]

    "messages above the rate"
    config().rate(Rate::per_second(20)), bound([
        Submit, Submit, Expect, Expect, Peer([submit_resp(2), submit_resp(3)].concat()), Outcome(1), Outcome(2),
    ]) => [
        "the peer sees bind_transceiver 1",
        "0: bind_transceiver_resp",
        "the peer sees submit_sm 2",
        "the peer sees submit_sm 3",
        "1: submit_sm_resp",
        "2: submit_sm_resp",
    ]

    "a receipt while the window is full, and before the response to its message"
    config().window(1), bound([
        Submit, Expect, Submit, Peer(deliver(7)), Receive(Some(Ok(()))), Expect,
        Peer(submit_resp(2)), Outcome(1), Expect, Peer(submit_resp(3)), Outcome(2),
    ]) => [
        "the peer sees bind_transceiver 1",
        "0: bind_transceiver_resp",
        "the peer sees submit_sm 2",
        "received deliver_sm 7",
        "the peer sees deliver_sm_resp 7 ESME_ROK",
        "1: submit_sm_resp",
        "the peer sees submit_sm 3",
        "2: submit_sm_resp",
    ]

    "receipts: one accepted, one refused, one dropped"
    config(), bound([
        Peer(deliver(7)), Receive(Some(Ok(()))), Expect,
        Peer([deliver(8), deliver(9)].concat()),
        Receive(Some(Err(CommandStatus::RX_P_APPN))), Expect, Receive(None), Expect,
    ]) => [
        "the peer sees bind_transceiver 1",
        "0: bind_transceiver_resp",
        "received deliver_sm 7",
        "the peer sees deliver_sm_resp 7 ESME_ROK",
        "received deliver_sm 8",
        "the peer sees deliver_sm_resp 8 ESME_RX_P_APPN",
        "received deliver_sm 9",
        "the peer sees deliver_sm_resp 9 ESME_RX_T_APPN",
    ]

    "the peer unbinds"
    config(), bound([
        Submit, Expect, Peer([pdu(&Pdu::Unbind, OK, 5), submit_resp(2)].concat()), Outcome(1), Expect, End,
    ]) => [
        "the peer sees bind_transceiver 1",
        "0: bind_transceiver_resp",
        "the peer sees submit_sm 2",
        "1: submit_sm_resp",
        "the peer sees unbind_resp 5 ESME_ROK",
        "end: PeerUnbound",
    ]

    "an unbind that is not answered"
    config().response_timeout(SOON), bound([Unbind, Expect, End]) => [
        "the peer sees bind_transceiver 1",
        "0: bind_transceiver_resp",
        "the peer sees unbind 2",
        "end: UnbindTimeout",
    ]

    "the application aborts"
    config(), bound([Submit, Expect, Abort, Outcome(1), End, Expect]) => [
        "the peer sees bind_transceiver 1",
        "0: bind_transceiver_resp",
        "the peer sees submit_sm 2",
        "1: Unanswered(Closed(Aborted))",
        "end: Aborted",
        "the peer sees the end",
    ]

    "the peer sends enquire_link"
    config(), bound([Peer(pdu(&Pdu::EnquireLink, OK, 6)), Expect]) => [
        "the peer sees bind_transceiver 1",
        "0: bind_transceiver_resp",
        "the peer sees enquire_link_resp 6 ESME_ROK",
    ]

    "enquire_link is answered"
    config().enquire_link_interval(SOON), bound([
        Expect, Peer(pdu(&Pdu::EnquireLinkResp, OK, 2)), Expect, Abort, End,
    ]) => [
        "the peer sees bind_transceiver 1",
        "0: bind_transceiver_resp",
        "the peer sees enquire_link 2",
        "the peer sees enquire_link 3",
        "end: Aborted",
    ]

    "enquire_link is not answered"
    config().enquire_link_interval(SOON).response_timeout(SOON), bound([Expect, End]) => [
        "the peer sees bind_transceiver 1",
        "0: bind_transceiver_resp",
        "the peer sees enquire_link 2",
        "end: LinkDead",
    ]

    "a malformed PDU, and one with an unknown command: the session goes on"
    config(), bound([
        Peer(raw(CommandId::DELIVER_SM, 7, b"\0\x01")), Expect,
        Peer(raw(CommandId(0x0000_0123), 8, b"?")), Expect,
        Submit, Expect, Peer(submit_resp(2)), Outcome(1),
    ]) => [
        "the peer sees bind_transceiver 1",
        "0: bind_transceiver_resp",
        "the peer sees deliver_sm_resp 7 ESME_RINVSRCNPI",
        "the peer sees generic_nack 8 ESME_RINVCMDID",
        "the peer sees submit_sm 2",
        "1: submit_sm_resp",
    ]

    "an invalid length: the session ends"
    config(), bound([Submit, Expect, Peer(vec![0, 0, 0, 3, 0, 0, 0, 0]), Expect, Outcome(1), End]) => [
        "the peer sees bind_transceiver 1",
        "0: bind_transceiver_resp",
        "the peer sees submit_sm 2",
        "the peer sees generic_nack 0 ESME_RINVCMDLEN",
        "1: Unanswered(Closed(Framing(FramingError { length: 3, limit: 71680 })))",
        "end: Framing(FramingError { length: 3, limit: 71680 })",
    ]

    "an unexpected response, and a request that an SMSC must not send"
    config(), bound([
        Peer(submit_resp(99)),
        Peer(raw(CommandId::QUERY_SM, 7, b"id\0\0\0\0")), Expect,
        Submit, Expect, Peer(submit_resp(2)), Outcome(1),
    ]) => [
        "the peer sees bind_transceiver 1",
        "0: bind_transceiver_resp",
        "the peer sees query_sm_resp 7 ESME_RINVBNDSTS",
        "the peer sees submit_sm 2",
        "1: submit_sm_resp",
    ]

    "more messages than the application answers"
    config().max_unanswered(1).backpressure_timeout(SOON), bound([
        Peer([deliver(7), deliver(8)].concat()), Expect, Receive(Some(Ok(()))), Expect,
    ]) => [
        "the peer sees bind_transceiver 1",
        "0: bind_transceiver_resp",
        "the peer sees deliver_sm_resp 8 ESME_RTHROTTLED",
        "received deliver_sm 7",
        "the peer sees deliver_sm_resp 7 ESME_ROK",
    ]
}
