//! Properties that hold for any input, in any sequence of reads.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test helpers"
)]

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use smpp_proto::arbitrary::{Unstructured, with_pdu};
use smpp_proto::session::{Config, Esme, Event, Instant, Request, Role, Session, Smsc, Stats, Timer};
use smpp_proto::{
    Bind, BindResp, BroadcastSmResp, COctets, CommandStatus, DataSmResp, DeliverSmResp, NoBody, Pdu,
    QuerySmResp, SequenceNumber, SubmitMultiResp, SubmitSm, SubmitSmResp, Tag, Tlv, Tlvs, Tolerance, frame,
};

use crate::check;

/// The other tests depend on this: the generator makes every command and every defined TLV.
#[test]
fn the_generator_makes_every_kind_of_pdu() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let octets = vec(any::<u8>(), 600);
    let (mut commands, mut tags) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..3000 {
        let octets = octets.new_tree(&mut runner).unwrap().current();
        with_pdu(&mut Unstructured::new(&octets), |pdu| {
            commands.insert(pdu.command());
            tags.extend(pdu.tlvs().iter().filter_map(|tlv| tlv.tag.name()));
        })
        .unwrap();
    }
    assert_eq!((commands.len(), tags.len()), (33, 64));
}

/// Returns the octets of every vector that is one whole PDU.
fn vectors() -> Vec<Vec<u8>> {
    let lines = include_str!("../data/vectors.jsonl").lines();
    let all = lines.map(|line| {
        let vector: serde_json::Value = line.parse().unwrap();
        let hex = vector["hex"].as_str().unwrap();
        hex.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    });
    let whole: Vec<Vec<u8>> =
        all.filter(|octets: &Vec<u8>| matches!(frame::split(octets, 1 << 16), Ok(Some((_, []))))).collect();
    assert!(whole.len() > 150, "{}", whole.len());
    whole
}

/// A change to a PDU. Most values are small, since they replace lengths, flags and NULs.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Parameter(u16, Vec<u8>),
}

impl Change {
    fn apply(&self, pdu: &mut Vec<u8>) {
        match self {
            Self::Set(at, octet) => {
                let at = at.index(pdu.len());
                pdu[at] = *octet;
            }
            Self::Insert(at, octets) => {
                let at = at.index(pdu.len() + 1);
                pdu.splice(at..at, octets.iter().copied());
            }
            Self::Remove(at, length) => {
                let at = 4 + at.index(pdu.len() - 3);
                pdu.drain(at..pdu.len().min(at + length));
            }
            Self::Parameter(tag, value) => {
                pdu.extend(tag.to_be_bytes());
                pdu.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
                pdu.extend(value);
            }
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let octet = prop_oneof![Just(0), Just(0xFF), 0_u8..20, any::<u8>()];
    let at = any::<Index>;
    prop_oneof![
        (at(), octet.clone()).prop_map(|(at, octet)| Change::Set(at, octet)),
        (at(), vec(octet.clone(), 1..20)).prop_map(|(at, octets)| Change::Insert(at, octets)),
        (at(), 1_usize..20).prop_map(|(at, length)| Change::Remove(at, length)),
        (prop_oneof![Just(0x0424), any::<u16>()], vec(octet, 0..20))
            .prop_map(|(tag, value)| Change::Parameter(tag, value)),
    ]
}

/// Generates a vector that is changed in a few places, with a correct length and a sequence number that may be in
/// flight.
fn pdu() -> impl Strategy<Value = Vec<u8>> {
    (select(vectors()), vec(change(), 0..4), prop::option::of(0_u32..8)).prop_map(
        |(mut pdu, changes, sequence)| {
            for change in changes {
                change.apply(&mut pdu);
            }
            pdu.resize(pdu.len().max(16), 0);
            let length = u32::try_from(pdu.len()).unwrap();
            pdu[..4].copy_from_slice(&length.to_be_bytes());
            if let Some(sequence) = sequence {
                pdu[12..16].copy_from_slice(&sequence.to_be_bytes());
            }
            pdu
        },
    )
}

/// Generates a stream of PDUs, sometimes with an invalid length at the end.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let end = prop_oneof![3 => Just(vec![]), 1 => Just(vec![0, 0, 0, 3]), 1 => vec(any::<u8>(), 0..20)];
    (vec(pdu(), 0..30), end).prop_map(|(pdus, end)| [pdus.concat(), end].concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_pdu_is_decoded_within_its_frame_or_rejected(pdu in pdu()) {
        check::decode(&pdu);
    }

    #[test]
    fn any_valid_pdu_round_trips(octets in vec(any::<u8>(), 8..600)) {
        check::round_trip(&octets);
    }

    #[test]
    fn any_octets_are_decoded_or_rejected(octets in vec(any::<u8>(), 0..200)) {
        check::decode(&octets);
    }

    #[test]
    fn any_body_of_a_known_command_is_decoded_or_rejected(
        pdu in select(vectors()),
        body in vec(prop_oneof![Just(0), any::<u8>()], 0..80),
    ) {
        let mut pdu = [&pdu[..16], &body].concat();
        pdu[..4].copy_from_slice(&u32::try_from(16 + body.len()).unwrap().to_be_bytes());
        check::decode(&pdu);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_sizes_of_reads_do_not_change_the_events(
        stream in stream(),
        pieces in vec(1_usize..60, 1..50),
        strict in any::<bool>(),
    ) {
        let tolerance = if strict { Tolerance::STRICT } else { Tolerance::LENIENT };
        let config = Config::default().tolerance(tolerance).max_malformed(8);
        for run_session in [run_esme, run_bound_smsc, run_open_smsc] {
            let whole = run_session(config, &stream, &[usize::MAX]);
            prop_assert_eq!(&run_session(config, &stream, &[1]), &whole, "octet by octet");
            prop_assert_eq!(&run_session(config, &stream, &pieces), &whole, "in pieces");
            prop_assert_eq!(whole.events.iter().filter(|event| event.starts_with("Closed")).count(), 1);
        }
    }
}

/// The events and the output of a session.
#[derive(Debug, Default, PartialEq)]
struct Observed {
    events: Vec<String>,
    output: Vec<u8>,
}

/// The counters and the next timer of a session.
type State = (Stats, Option<(Instant, Timer)>);

/// Runs a bound ESME with submitted messages: sequence numbers 2 to 5 are in flight.
fn run_esme(config: Config, stream: &[u8], pieces: &[usize]) -> Observed {
    let mut esme = Session::<Esme, u32>::new(config, Instant::ZERO);
    esme.request(Instant::ZERO, &Bind::default(), 0).unwrap();
    let mut accepted = Vec::new();
    let version = [Tlv::u8(Tag::SC_INTERFACE_VERSION, 0x34)];
    let resp = BindResp { system_id: COctets::new(b"SMSC").unwrap(), tlvs: Tlvs::list(&version) };
    Pdu::BindResp(Bind::default().mode, Some(resp)).encode(
        CommandStatus::ROK,
        SequenceNumber(1),
        &mut accepted,
    );
    assert!(matches!(esme.handle_input(Instant::ZERO, &mut &accepted[..]), Some(Event::Outcome { .. })));
    for tag in 1..5 {
        esme.request(Instant::ZERO, &SubmitSm::default(), tag).unwrap();
    }
    run(esme, stream, pieces, false).0
}

/// Runs an SMSC session that is not bound yet. The stream may contain a bind. With and without
/// [`take_submit_sm`](Session::take_submit_sm) the session does the same.
fn run_open_smsc(config: Config, stream: &[u8], pieces: &[usize]) -> Observed {
    let observe = |takes| run(Session::<Smsc, u32>::new(config, Instant::ZERO), stream, pieces, takes);
    let observed = observe(false);
    assert_eq!(observe(true), observed, "submit_sm taken without an event");
    observed.0
}

/// Runs an SMSC session to which a transceiver is bound.
fn run_bound_smsc(config: Config, stream: &[u8], pieces: &[usize]) -> Observed {
    let mut bind = Vec::new();
    let system_id = COctets::new(b"ESME").unwrap();
    Pdu::Bind(Bind { system_id, ..Bind::default() }).encode(CommandStatus::ROK, SequenceNumber(1), &mut bind);
    run_open_smsc(config, &[&bind, stream].concat(), pieces)
}

/// Passes the stream to the session in pieces of these sizes, repeated to the end. Answers each request immediately. If it `takes`
/// the submit_sm PDUs without events, it makes the events of them itself. Also returns the counters and the next timer after each
/// piece.
fn run<R: Role>(
    mut session: Session<R, u32>,
    stream: &[u8],
    pieces: &[usize],
    takes: bool,
) -> (Observed, Vec<State>) {
    let now = Instant::ZERO;
    let (mut observed, mut states) = (Observed::default(), Vec::new());
    let mut unread: Vec<u8> = Vec::new();
    let mut stream = stream;
    for piece in pieces.iter().cycle() {
        let (arrived, rest) = stream.split_at(stream.len().min(*piece));
        unread.extend_from_slice(arrived);
        let mut input = &unread[..];
        loop {
            if let Some((shown, request)) = takes.then(|| take(&mut session, &mut input)).flatten() {
                observed.events.push(shown);
                answer(&mut session, request);
                continue;
            }
            let Some(event) = session.handle_input(now, &mut input) else { break };
            observed.events.push(format!("{event:?}"));
            if let Event::Request { request, .. } = event {
                answer(&mut session, request);
            }
        }
        unread = input.to_vec();
        states.push((session.stats(), session.poll_timeout()));
        let sent = observed.output.len();
        session.poll_transmit(&mut observed.output);
        session.handle_transmitted(observed.output.len() - sent);
        if rest.is_empty() {
            break;
        }
        stream = rest;
    }
    session.handle_disconnect();
    while let Some(event) = session.handle_timeout(now) {
        observed.events.push(format!("{event:?}"));
    }
    (observed, states)
}

/// Takes a submit_sm. Returns it, and how the event shows it that [`Session::handle_input`] returns.
fn take<'b, R: Role>(session: &mut Session<R, u32>, input: &mut &'b [u8]) -> Option<(String, Request<'b>)> {
    let (frame, reply) = session.take_submit_sm(Instant::ZERO, input)?;
    let Ok((Pdu::SubmitSm(message), quirks)) = frame.into_pdu(Tolerance::LENIENT) else {
        panic!("{frame:?}")
    };
    assert!(quirks.is_empty(), "{quirks:?}");
    let request = Request::SubmitSm(message, reply);
    Some((format!("Request {{ request: {request:?}, frame: {frame:?}, quirks: {quirks:?} }}"), request))
}

fn answer<R: Role>(session: &mut Session<R, u32>, request: Request<'_>) {
    let answered = match request {
        Request::Bind(bind, reply) if bind.system_id.is_empty() => {
            session.respond(reply, Err(CommandStatus::RINVSYSID))
        }
        Request::Bind(_, reply) => session.respond(reply, Ok(BindResp::default())),
        Request::SubmitSm(_, reply) => session.respond(reply, Ok(SubmitSmResp::default())),
        Request::DeliverSm(_, reply) => session.respond(reply, Ok(DeliverSmResp::default())),
        Request::DataSm(_, reply) => session.respond(reply, Ok(DataSmResp::default())),
        Request::SubmitMulti(_, reply) => session.respond(reply, Ok(SubmitMultiResp::default())),
        Request::QuerySm(_, reply) => session.respond(reply, Ok(QuerySmResp::default())),
        Request::CancelSm(_, reply) => session.respond(reply, Ok(NoBody)),
        Request::ReplaceSm(_, reply) => session.respond(reply, Err(CommandStatus::RREPLACEFAIL)),
        Request::BroadcastSm(_, reply) => session.respond(reply, Ok(BroadcastSmResp::default())),
        Request::QueryBroadcastSm(_, reply) => session.respond(reply, Err(CommandStatus::RINVMSGID)),
        Request::CancelBroadcastSm(_, reply) => session.respond(reply, Ok(NoBody)),
        other => panic!("{other:?}"),
    };
    assert_eq!(answered, Ok(()));
}
