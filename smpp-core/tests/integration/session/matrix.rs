//! Which side may send which request in which state: every combination, on real sessions.

use smpp_proto::session::{
    CloseReason, Config, Esme, Event, Instant, Notification, Operations, Refusal, Role, SentBy, Session,
    Smsc, State,
};
use smpp_proto::{
    AlertNotification, Bind, BindMode, BroadcastSm, CancelBroadcastSm, CancelSm, CommandId, CommandStatus,
    DataSm, DeliverSm, EnquireLink, Operation, Outbind, Pdu, QueryBroadcastSm, QuerySm, ReplaceSm,
    SubmitMulti, SubmitSm, Tag, Tlv, Tlvs,
};

use super::support::{Peer, bind, bound_esme, bound_smsc, pdus, raw, request};

const NOW: Instant = Instant::ZERO;

/// The states, in the order of the columns below.
const STATES: [&str; 7] = ["open", "outbound", "tx", "rx", "trx", "unbinding", "closed"];

/// The matrix of the specification (SMPP 3.4 §2.3, 5.0 §2.4): which side may send the request in each state. `e` is the
/// ESME, `s` the SMSC, `b` both, `-` neither.
const MATRIX: [(CommandId, &str); 17] = [
    (CommandId::BIND_RECEIVER, "ee-----"),
    (CommandId::BIND_TRANSMITTER, "ee-----"),
    (CommandId::BIND_TRANSCEIVER, "ee-----"),
    (CommandId::OUTBIND, "s------"),
    (CommandId::SUBMIT_SM, "--e-e--"),
    (CommandId::SUBMIT_MULTI, "--e-e--"),
    (CommandId::QUERY_SM, "--e-e--"),
    (CommandId::CANCEL_SM, "--e-e--"),
    (CommandId::REPLACE_SM, "--e-e--"),
    (CommandId::BROADCAST_SM, "--e-e--"),
    (CommandId::QUERY_BROADCAST_SM, "--e-e--"),
    (CommandId::CANCEL_BROADCAST_SM, "--e-e--"),
    (CommandId::DELIVER_SM, "---ss--"),
    (CommandId::ALERT_NOTIFICATION, "---ss--"),
    // As in 3.4. In 5.0 the direction depends on the mode of the bind.
    (CommandId::DATA_SM, "--bbb--"),
    // The unbinds of both sides may cross.
    (CommandId::UNBIND, "--bbbb-"),
    (CommandId::ENQUIRE_LINK, "bbbbbb-"),
];

/// Returns the cells of the matrix: the name of the state, the command, and whether `side` may send it.
fn cells(side: char) -> impl Iterator<Item = (&'static str, CommandId, bool)> {
    MATRIX.into_iter().flat_map(move |(command, row)| {
        let row = STATES.into_iter().zip(row.chars());
        row.map(move |(state, who)| (state, command, who == side || who == 'b'))
    })
}

fn mode(state: &str) -> BindMode {
    match state {
        "tx" => BindMode::Transmitter,
        "rx" => BindMode::Receiver,
        _ => BindMode::Transceiver,
    }
}

fn esme(state: &str) -> Session<Esme, &'static str> {
    if state == "open" || state == "outbound" {
        let mut esme = Peer::<Esme>::new(Config::default()).session;
        if state == "outbound" {
            let octets = request(Pdu::Outbind(Outbind::default()), 1);
            let event = esme.handle_input(NOW, &mut &octets[..]);
            assert!(matches!(event, Some(Event::Notification { pdu: Pdu::Outbind(_), .. })), "{event:?}");
        }
        return esme;
    }
    let mut esme = bound_esme(Config::default(), mode(state)).session;
    end(&mut esme, state);
    esme
}

fn smsc(state: &str) -> Session<Smsc, &'static str> {
    if state == "open" || state == "outbound" {
        let mut smsc = Peer::<Smsc>::new(Config::default()).session;
        if state == "outbound" {
            smsc.notify(NOW, &Outbind::default()).unwrap();
        }
        return smsc;
    }
    let mut smsc = bound_smsc(Config::default(), mode(state)).session;
    end(&mut smsc, state);
    smsc
}

/// Ends the session if the state is one of the last two.
fn end<R: Role>(session: &mut Session<R, &'static str>, state: &str) {
    match state {
        "unbinding" => session.unbind(NOW),
        "closed" => {
            session.abort();
            while session.handle_timeout(NOW).is_some() {}
        }
        _ => {}
    }
}

/// Checks that the session has the state with this name.
fn check_state(state: &str, actual: State) {
    let expected = match state {
        "open" => State::Open,
        "outbound" => State::Outbound,
        "unbinding" => State::Unbinding,
        "closed" => State::Closed,
        bound => State::Bound(mode(bound)),
    };
    assert_eq!(actual, expected);
}

/// Sends the request, and returns the refusal if there is one.
fn send<R: Role, O: Operation + SentBy<R>>(
    session: &mut Session<R, &'static str>,
    operation: &O,
) -> Result<(), Refusal> {
    session.request(NOW, operation, "tag").map(drop).map_err(|refused| refused.reason)
}

fn notify<N: Notification>(
    session: &mut Session<Smsc, &'static str>,
    notification: &N,
) -> Result<(), Refusal> {
    session.notify(NOW, notification)
}

#[test]
fn an_esme_sends_what_the_matrix_allows() {
    for (state, command, allowed) in cells('e') {
        let mut session = esme(state);
        check_state(state, session.state());
        let modes = [BindMode::Receiver, BindMode::Transmitter, BindMode::Transceiver];
        let sent = match command {
            CommandId::SUBMIT_SM => send(&mut session, &SubmitSm::default()),
            CommandId::SUBMIT_MULTI => send(&mut session, &SubmitMulti::default()),
            CommandId::QUERY_SM => send(&mut session, &QuerySm::default()),
            CommandId::CANCEL_SM => send(&mut session, &CancelSm::default()),
            CommandId::REPLACE_SM => send(&mut session, &ReplaceSm::default()),
            CommandId::BROADCAST_SM => send(&mut session, &BroadcastSm::default()),
            CommandId::QUERY_BROADCAST_SM => send(&mut session, &QueryBroadcastSm::default()),
            CommandId::CANCEL_BROADCAST_SM => send(&mut session, &CancelBroadcastSm::default()),
            CommandId::DATA_SM => send(&mut session, &DataSm::default()),
            CommandId::ENQUIRE_LINK => send(&mut session, &EnquireLink),
            // An ESME cannot send the first three: that does not compile. `unbind` is a method and never refused.
            CommandId::DELIVER_SM
            | CommandId::ALERT_NOTIFICATION
            | CommandId::OUTBIND
            | CommandId::UNBIND => {
                continue;
            }
            command => {
                let mode = modes.into_iter().find(|mode| mode.command() == command).unwrap();
                send(&mut session, &bind(mode))
            }
        };
        check_sent(sent, state, command, allowed);
    }
}

#[test]
fn an_smsc_sends_what_the_matrix_allows() {
    for (state, command, allowed) in cells('s') {
        let mut session = smsc(state);
        check_state(state, session.state());
        let sent = match command {
            CommandId::DELIVER_SM => send(&mut session, &DeliverSm::default()),
            CommandId::DATA_SM => send(&mut session, &DataSm::default()),
            CommandId::ENQUIRE_LINK => send(&mut session, &EnquireLink),
            CommandId::OUTBIND => notify(&mut session, &Outbind::default()),
            CommandId::ALERT_NOTIFICATION => notify(&mut session, &AlertNotification::default()),
            _ => continue,
        };
        check_sent(sent, state, command, allowed);
    }
}

/// Checks the result. While unbinding the session accepts no request, even where the protocol allows it. It says why it ends.
fn check_sent(sent: Result<(), Refusal>, state: &str, command: CommandId, allowed: bool) {
    match sent {
        Err(Refusal::Closing(CloseReason::Unbound)) if state == "unbinding" => {}
        Err(Refusal::Closed(CloseReason::Aborted)) if state == "closed" => {}
        Ok(()) => assert!(allowed && state != "unbinding", "{command} in {state}"),
        Err(Refusal::State(actual)) => {
            assert!(!allowed && state != "unbinding", "{command} in {state}");
            check_state(state, actual);
        }
        Err(other) => panic!("{command} in {state}: {other:?}"),
    }
}

/// Encodes the request as a peer sends it.
fn pdu(command: CommandId) -> Vec<u8> {
    let area = [
        Tlv::new(Tag::BROADCAST_AREA_IDENTIFIER, &[0, 1]).unwrap(),
        Tlv::new(Tag::BROADCAST_CONTENT_TYPE, &[0, 0, 0]).unwrap(),
        Tlv::new(Tag::BROADCAST_REP_NUM, &[0, 1]).unwrap(),
        Tlv::new(Tag::BROADCAST_FREQUENCY_INTERVAL, &[9, 0, 1]).unwrap(),
    ];
    let broadcast = BroadcastSm { tlvs: Tlvs::list(&area), ..BroadcastSm::default() };
    let all = [
        Pdu::Bind(bind(BindMode::Receiver)),
        Pdu::Bind(bind(BindMode::Transmitter)),
        Pdu::Bind(bind(BindMode::Transceiver)),
        Pdu::Outbind(Outbind::default()),
        Pdu::SubmitSm(SubmitSm::default()),
        Pdu::SubmitMulti(SubmitMulti::default()),
        Pdu::QuerySm(QuerySm::default()),
        Pdu::CancelSm(CancelSm::default()),
        Pdu::ReplaceSm(ReplaceSm::default()),
        Pdu::BroadcastSm(broadcast),
        Pdu::QueryBroadcastSm(QueryBroadcastSm::default()),
        Pdu::CancelBroadcastSm(CancelBroadcastSm::default()),
        Pdu::DeliverSm(DeliverSm::default()),
        Pdu::AlertNotification(AlertNotification::default()),
        Pdu::DataSm(DataSm::default()),
        Pdu::Unbind,
        Pdu::EnquireLink,
    ];
    request(all.into_iter().find(|pdu| pdu.command() == command).unwrap(), 7)
}

/// Checks how the session itself handles the request of its peer.
fn check_received<R: Role>(
    session: &mut Session<R, &'static str>,
    state: &str,
    command: CommandId,
    allowed: bool,
) {
    let at = format!("{command} in {state}");
    let mut before = Vec::new();
    session.poll_transmit(&mut before);
    session.handle_transmitted(before.len());
    let octets = pdu(command);
    let event = session.handle_input(NOW, &mut &octets[..]);
    let mut answer = Vec::new();
    session.poll_transmit(&mut answer);
    let answers = pdus(&answer);
    let is_smsc = R::SIDE == Smsc::SIDE;
    match event {
        _ if state == "closed" => assert!(event.is_none() && answers.is_empty(), "{at}: {event:?}"),
        // The session has answered by itself.
        None => {
            assert!(matches!(command, CommandId::ENQUIRE_LINK | CommandId::UNBIND) && allowed, "{at}");
            assert_eq!(answers, [(command.response(), CommandStatus::ROK, 7, &b""[..])], "{at}");
        }
        Some(Event::PeerUnbind) => {
            assert!(command == CommandId::UNBIND && allowed, "{at}");
            assert_eq!(answers, [(command.response(), CommandStatus::ROK, 7, &b""[..])], "{at}");
        }
        Some(Event::Request { .. } | Event::Notification { .. }) => {
            assert!(allowed, "{at}");
            assert!(answers.is_empty(), "{at}: the application answers");
        }
        Some(Event::Refused { status, .. }) => {
            assert!(!allowed, "{at}");
            let expected = match command {
                _ if command.is_bind() && is_smsc => CommandStatus::RALYBND,
                _ => CommandStatus::RINVBNDSTS,
            };
            assert_eq!(status, expected, "{at}");
            match command {
                CommandId::OUTBIND | CommandId::ALERT_NOTIFICATION => {
                    assert!(answers.is_empty(), "{at}: it has no response");
                }
                CommandId::DELIVER_SM => {
                    assert_eq!(answers, [(command.response(), status, 7, &b"\0"[..])], "{at}");
                }
                _ => assert_eq!(answers, [(command.response(), status, 7, &b""[..])], "{at}"),
            }
        }
        Some(other) => panic!("{at}: {other:?}"),
    }
    let alive = !matches!(session.state(), State::Closed);
    assert_eq!(alive, state != "closed", "{at}: no request ends a session");
}

#[test]
fn an_smsc_accepts_what_the_matrix_allows_and_refuses_the_rest() {
    for (state, command, allowed) in cells('e') {
        let mut session = smsc(state);
        check_received(&mut session, state, command, allowed);
    }
}

#[test]
fn an_esme_accepts_what_the_matrix_allows_and_refuses_the_rest() {
    for (state, command, allowed) in cells('s') {
        let mut session = esme(state);
        check_received(&mut session, state, command, allowed);
    }
}

#[test]
fn an_unknown_command_is_nacked_in_every_state() {
    for state in STATES.into_iter().filter(|state| *state != "closed") {
        let mut session = smsc(state);
        let mut octets = Vec::new();
        session.poll_transmit(&mut octets);
        octets.clear();
        let unknown = raw(CommandId(0x0000_0022), CommandStatus::ROK, 9, b"");
        assert!(matches!(session.handle_input(NOW, &mut &unknown[..]), Some(Event::Malformed { .. })));
        session.poll_transmit(&mut octets);
        let nack = (CommandId::GENERIC_NACK, CommandStatus::RINVCMDID, 9, &b""[..]);
        assert_eq!(pdus(&octets), [nack], "{state}");
    }
}

#[test]
fn operations_that_are_not_configured_are_refused() {
    let operations = Operations::BINDS | Operations::SUBMIT_SM;
    let config = Config::default().operations(operations);
    let mut esme = bound_esme(config, BindMode::Transceiver).session;
    let unsupported = |command| Err(Refusal::Unsupported(command));
    assert_eq!(send(&mut esme, &SubmitSm::default()), Ok(()));
    assert_eq!(send(&mut esme, &EnquireLink), Ok(()), "always allowed");
    assert_eq!(send(&mut esme, &QuerySm::default()), unsupported(CommandId::QUERY_SM));
    assert_eq!(send(&mut esme, &DataSm::default()), unsupported(CommandId::DATA_SM));
    let receivers = Config::default().operations(Operations::BIND_RECEIVER);
    let mut esme = Session::<Esme, &str>::new(receivers, NOW);
    let transceiver = Bind { mode: BindMode::Transceiver, ..Bind::default() };
    assert_eq!(send(&mut esme, &transceiver), unsupported(CommandId::BIND_TRANSCEIVER));
    // Each request has its own bit.
    for (command, _) in MATRIX {
        let own = Operations::of(command);
        assert_eq!(
            own.bits().count_ones(),
            u32::from(
                command.has_response() && !matches!(command, CommandId::ENQUIRE_LINK | CommandId::UNBIND)
            )
        );
    }
    let all = MATRIX.iter().fold(Operations::empty(), |all, (command, _)| all | Operations::of(*command));
    assert_eq!(all, Operations::all());
}
