//! What holds for a session, whatever a peer, an application and a clock do to it. The fuzz target and the tests of
//! `smpp-core` share it.

use std::time::Duration;

use smpp_core::arbitrary::{self, Unstructured, with_pdu};
use smpp_core::session::{
    CloseReason, Config, Esme, Event, Instant, Outcome, Rate, Readiness, Refusal, Refused, Reply, Request,
    Role, Session, Smsc, State, UnansweredReason,
};
use smpp_core::{
    Bind, BindMode, BindResp, BroadcastSmResp, COctets, CommandId, CommandStatus, DataSmResp,
    DecodeErrorKind, DeliverSm, DeliverSmResp, EnquireLink, InterfaceVersion, NoBody, Operation, Password,
    Pdu, QueryBroadcastSmResp, QuerySmResp, Quirks, SequenceNumber, SubmitMultiResp, SubmitSm, SubmitSmResp,
    Tag, Tlv, Tlvs, Tolerance, frame,
};

/// In each bind that is sent and heard, unless the octets themselves make it up.
const PASSWORD: &str = "hunter22";

/// The octets decide on the role, the configuration, and then on one step after the other.
pub(crate) fn session(octets: &[u8]) {
    let mut steps = Unstructured::new(octets);
    let secret = !octets.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
    let smsc = steps.arbitrary().unwrap_or(false);
    let Ok(config) = config(&mut steps) else { return };
    if smsc {
        Play::<Smsc>::new(config, secret).run(&mut steps);
    } else {
        Play::<Esme>::new(config, secret).run(&mut steps);
    }
}

/// Small limits and short times, so that rare paths become common.
fn config(u: &mut Unstructured<'_>) -> arbitrary::Result<Config> {
    let rate = match u.int_in_range(0..=20)? {
        0..=15 => None,
        per_second => Some(Rate::per_second(per_second - 15).with_burst(u.int_in_range(0..=3)?)),
    };
    let times = Config {
        session_init_timeout: time(u)?,
        enquire_link_interval: u.arbitrary::<bool>()?.then(|| time(u)).transpose()?,
        response_timeout: time(u)?,
        inactivity_timeout: u.arbitrary::<bool>()?.then(|| time(u)).transpose()?,
        drain_timeout: time(u)?,
        ..Config::default()
    };
    Ok(Config {
        window: u.int_in_range(0..=4)?,
        max_unanswered: u.int_in_range(0..=3)?,
        max_pdu: *u.choose(&[frame::DEFAULT_MAX_LENGTH, 128, 40, 16, 0])?,
        max_output: *u.choose(&[10_000, 200, 60, 1, 0])?,
        max_malformed: u.int_in_range(0..=3)?,
        tolerance: *u.choose(&[Tolerance::LENIENT, Tolerance::STRICT, Tolerance(Quirks::all())])?,
        rate,
        ..times
    })
}

fn time(u: &mut Unstructured<'_>) -> arbitrary::Result<Duration> {
    Ok(Duration::from_millis(*u.choose(&[10_000, 1000, 30_000, 1, 0])?))
}

/// A request that was taken and has no outcome yet.
struct Open {
    tag: u32,
    sequence: SequenceNumber,
    /// Its command and the octets of the stream up to its end, once it was seen there.
    seen: Option<(CommandId, u64)>,
}

/// Answers a request of the peer, well or with a status.
type Answer<R> = Box<dyn FnOnce(&mut Session<R, u32>, Option<CommandStatus>) -> Result<(), Refusal>>;

/// What the application does with a request of the peer.
#[derive(Clone, Copy)]
enum Manner {
    Keep,
    Accept,
    Refuse,
}

struct Play<R> {
    session: Session<R, u32>,
    config: Config,
    now: Instant,
    manner: Manner,
    secret: bool,
    /// Octets that came and are not read yet.
    input: Vec<u8>,
    /// Octets that the transport has not taken yet, and how many the session gave and the transport took.
    output: Vec<u8>,
    given: u64,
    taken: u64,
    open: Vec<Open>,
    requests: u32,
    /// Requests that are with the application, and how many it has thrown away.
    replies: Vec<Answer<R>>,
    dropped: usize,
    /// The answers that the peer's requests allow, one each.
    owed: Vec<(CommandId, SequenceNumber)>,
    /// The numbers of those that the octets being read answer.
    answered: Vec<SequenceNumber>,
    /// What the session asked of late, all kinds of requests.
    asked: Vec<(CommandId, SequenceNumber)>,
    closed: Option<CloseReason>,
}

/// The requests of a side.
trait Side: Role + Sized {
    /// The message that [`Session::readiness`] is about.
    fn message(session: &mut Session<Self, u32>, now: Instant, tag: u32) -> Taken;

    /// The request in the PDU; an enquire_link, if the other side sends it.
    fn send(session: &mut Session<Self, u32>, now: Instant, pdu: &Pdu<'_>, tag: u32) -> Taken;
}

type Taken = Result<SequenceNumber, Refused<u32>>;

impl Side for Esme {
    fn message(session: &mut Session<Self, u32>, now: Instant, tag: u32) -> Taken {
        session.request(now, &SubmitSm::default(), tag)
    }

    fn send(session: &mut Session<Self, u32>, now: Instant, pdu: &Pdu<'_>, tag: u32) -> Taken {
        match pdu {
            Pdu::Bind(bind) => session.request(now, &with_password(bind), tag),
            Pdu::SubmitSm(body) => session.request(now, body, tag),
            Pdu::SubmitMulti(body) => session.request(now, body, tag),
            Pdu::DataSm(body) => session.request(now, body, tag),
            Pdu::QuerySm(body) => session.request(now, body, tag),
            Pdu::CancelSm(body) => session.request(now, body, tag),
            Pdu::ReplaceSm(body) => session.request(now, body, tag),
            Pdu::BroadcastSm(body) => session.request(now, body, tag),
            Pdu::QueryBroadcastSm(body) => session.request(now, body, tag),
            Pdu::CancelBroadcastSm(body) => session.request(now, body, tag),
            _ => session.request(now, &EnquireLink, tag),
        }
    }
}

impl Side for Smsc {
    fn message(session: &mut Session<Self, u32>, now: Instant, tag: u32) -> Taken {
        session.request(now, &DeliverSm::default(), tag)
    }

    fn send(session: &mut Session<Self, u32>, now: Instant, pdu: &Pdu<'_>, tag: u32) -> Taken {
        match pdu {
            Pdu::DeliverSm(body) => session.request(now, body, tag),
            Pdu::DataSm(body) => session.request(now, body, tag),
            _ => session.request(now, &EnquireLink, tag),
        }
    }
}

impl<R: Side> Play<R> {
    fn new(config: Config, secret: bool) -> Self {
        Self {
            session: Session::new(config, Instant::ZERO),
            config,
            now: Instant::ZERO,
            manner: Manner::Keep,
            secret,
            input: Vec::new(),
            output: Vec::new(),
            given: 0,
            taken: 0,
            open: Vec::new(),
            requests: 0,
            replies: Vec::new(),
            dropped: 0,
            owed: Vec::new(),
            answered: Vec::new(),
            asked: Vec::new(),
            closed: None,
        }
    }

    /// Until the octets are used up; then the connection ends.
    fn run(mut self, u: &mut Unstructured<'_>) {
        while !u.is_empty() && self.step(u).is_ok() {
            self.settle();
        }
        self.session.handle_eof();
        self.settle();
        assert!(self.closed.is_some(), "a connection that ends, ends the session");
        assert!(self.open.is_empty(), "each request has an outcome");
    }

    fn step(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        match u.int_in_range(0..=21)? {
            0 | 1 => self.send_message(),
            2 => {
                let (session, now, tag) = (&mut self.session, self.now, self.requests);
                let taken = with_pdu(u, |pdu| R::send(session, now, pdu, tag))?;
                self.note_request(taken);
            }
            3 => {
                let bind = Bind { mode: *u.choose(&MODES)?, ..Bind::default() };
                let taken = R::send(&mut self.session, self.now, &Pdu::Bind(bind), self.requests);
                self.note_request(taken);
            }
            4 => {
                let length = u.int_in_range(0..=24)?;
                self.hear(u.bytes(length)?);
            }
            5 => {
                let number = self.number(u)?;
                let status = status(u)?;
                let octets = with_pdu(u, |pdu| match pdu {
                    Pdu::Bind(bind) => octets(&Pdu::Bind(with_password(bind)), status, number),
                    pdu => octets(pdu, status, number),
                })?;
                self.hear(&octets);
            }
            6 => {
                let header = [u.choose(&COMMANDS)?.0, status(u)?.0, self.number(u)?.0];
                let length = u.int_in_range(0..=8_u8)?;
                let body = u.bytes(length.into())?;
                let mut octets = (16 + u32::from(length)).to_be_bytes().to_vec();
                octets.extend(header.iter().flat_map(|word| word.to_be_bytes()));
                octets.extend(body);
                self.hear(&octets);
            }
            7 | 8 => self.hear_answer(u)?,
            9 => {
                let interface_version = *u.choose(&[InterfaceVersion::V3_4, InterfaceVersion::V3_3])?;
                let bind = Bind { mode: *u.choose(&MODES)?, interface_version, ..Bind::default() };
                self.hear(&octets(&Pdu::Bind(with_password(&bind)), CommandStatus::ROK, SequenceNumber(1)));
            }
            10 => {
                let pdus = [
                    Pdu::DeliverSm(DeliverSm::default()),
                    Pdu::SubmitSm(SubmitSm::default()),
                    Pdu::EnquireLink,
                    Pdu::Unbind,
                ];
                let pdu = u.choose(&pdus)?;
                self.hear(&octets(pdu, CommandStatus::ROK, self.number(u)?));
            }
            11 => self.manner = *u.choose(&[Manner::Keep, Manner::Accept, Manner::Refuse])?,
            12 if !self.replies.is_empty() => {
                let place = u.choose_index(self.replies.len())?;
                let answer = self.replies.swap_remove(place);
                let status = if u.arbitrary()? { None } else { Some(status(u)?) };
                self.respond(answer, status);
            }
            13 if !self.replies.is_empty() => {
                let place = u.choose_index(self.replies.len())?;
                drop(self.replies.swap_remove(place));
                self.dropped += 1;
            }
            12..=15 => self.transmit(u.int_in_range(0..=255)?),
            16 => self.now = self.now + Duration::from_millis(u.int_in_range(0..=255)?),
            17 => self.now = self.now + Duration::from_secs(u.int_in_range(0..=60)?),
            18 | 19 => self.now = self.session.poll_timeout().map_or(self.now, |(at, _)| self.now.max(at)),
            20 => self.session.unbind(self.now),
            _ if u.ratio(1, 4)? => self.session.abort(),
            _ => self.session.handle_eof(),
        }
        Ok(())
    }

    fn send_message(&mut self) {
        let ready = self.session.readiness(self.now);
        let taken = R::message(&mut self.session, self.now, self.requests);
        match (ready, &taken) {
            (Readiness::Refusing(why), Err(refused)) => assert_eq!(why, refused.reason),
            (Readiness::Ready { capacity: room }, Ok(_)) => assert_ne!(room, 0),
            (Readiness::Ready { .. }, Err(refused)) => assert_eq!(refused.reason, Refusal::TooLong),
            (Readiness::Refusing(why), Ok(_)) => panic!("{why:?}, and taken all the same"),
        }
        self.note_request(taken);
    }

    fn note_request(&mut self, taken: Taken) {
        let tag = self.requests;
        match taken {
            Ok(sequence) => {
                assert_eq!(self.closed, None, "a request is taken after the end");
                assert!(sequence.is_valid());
                assert!(
                    self.open.iter().all(|open| open.sequence != sequence),
                    "two in flight with one number"
                );
                self.open.push(Open { tag, sequence, seen: None });
                self.requests += 1;
            }
            Err(refused) => {
                assert_eq!(refused.tag, tag);
                assert!(
                    self.closed.is_none() || refused.reason == Refusal::State(State::Closed),
                    "{refused:?}"
                );
            }
        }
    }

    /// Answers one of the session's latest requests, as it wants or not.
    fn hear_answer(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        if self.asked.is_empty() {
            return Ok(());
        }
        let (command, number) = self.asked[u.choose_index(self.asked.len())?];
        let version = [Tlv::u8(Tag::SC_INTERFACE_VERSION, *u.choose(&[0x34, 0x33])?)];
        let status = status(u)?;
        let answer =
            if u.ratio(1, 8)? { Pdu::GenericNack } else { acceptance(command, Tlvs::list(&version)) };
        self.hear(&octets(&answer, status, number));
        Ok(())
    }

    fn hear(&mut self, octets: &[u8]) {
        self.input.extend_from_slice(octets);
    }

    /// The number of a request of either side, or any small one.
    fn number(&self, u: &mut Unstructured<'_>) -> arbitrary::Result<SequenceNumber> {
        match self.asked.len() {
            asked if asked > 0 && u.arbitrary()? => Ok(self.asked[u.choose_index(asked)?].1),
            _ => Ok(SequenceNumber(i32::from(u.arbitrary::<i8>()?).cast_unsigned())),
        }
    }

    /// Reads what came, does what is due, takes what is to be transmitted.
    fn settle(&mut self) {
        self.read();
        self.wake();
        self.look();
        self.poll_transmit();
    }

    fn read(&mut self) {
        let came = std::mem::take(&mut self.input);
        let mut rest = &came[..];
        let most = came.len() / frame::HEADER_LENGTH + self.open.len() + 2;
        let mut events = Vec::new();
        while let Some(event) = self.session.handle_input(self.now, &mut rest) {
            events.push(self.note(event));
            assert!(events.len() <= most, "{events:?}");
        }
        let whole = !matches!(frame::split(rest, self.config.max_pdu), Ok(None));
        assert!(!(whole && self.session.wants_input()), "a PDU is left unread");
        self.note_read(&came[..came.len() - rest.len()]);
        self.input = rest.to_vec();
    }

    /// What the peer has answered, and asked: each question allows one answer.
    fn note_read(&mut self, mut stream: &[u8]) {
        while let Ok(Some((pdu, rest))) = frame::split(stream, self.config.max_pdu) {
            let header = pdu.header();
            if header.command.is_response() {
                let answered = self.answered.iter().position(|number| *number == header.sequence);
                answered.map(|place| self.answered.swap_remove(place));
            }
            let unknown =
                pdu.pdu(Tolerance::LENIENT).is_err_and(|error| error.kind == DecodeErrorKind::UnknownCommand);
            if unknown && !header.command.is_response() {
                self.owed.push((CommandId::GENERIC_NACK, header.sequence));
            } else if header.command.has_response() {
                self.owed.push((header.command.response(), header.sequence));
            }
            stream = rest;
        }
        assert_eq!(self.answered, [], "nobody has answered these");
        if frame::split(stream, self.config.max_pdu).is_err() {
            self.owed.push((CommandId::GENERIC_NACK, SequenceNumber(0)));
        }
    }

    fn wake(&mut self) {
        let most = self.open.len() + 2;
        let mut events = Vec::new();
        while let Some(event) = self.session.handle_timeout(self.now) {
            events.push(self.note(event));
            assert!(events.len() <= most, "{events:?}");
        }
        let due = self.session.poll_timeout();
        assert!(due.is_none_or(|(at, _)| at > self.now), "{due:?} stays due");
    }

    /// What the event is, as a log would tell it.
    fn note(&mut self, event: Event<'_, u32>) -> String {
        let line = format!("{event:?} of {:?}", self.session);
        assert_eq!(self.closed, None, "{line} follows the end");
        assert!(!self.secret || !line.contains(PASSWORD), "{line}");
        match event {
            Event::Request { request, .. } => {
                self.note_request_of_peer(request);
                let handed_out = self.replies.len() + self.dropped;
                assert!(handed_out <= usize::from(self.config.max_unanswered.max(1)));
            }
            Event::Outcome { tag, sequence, outcome } => self.note_outcome(tag, sequence, outcome),
            Event::Closed(why) => {
                assert!(self.open.is_empty(), "the end comes last");
                self.closed = Some(why);
            }
            _ => {}
        }
        line
    }

    fn note_outcome(&mut self, tag: u32, sequence: SequenceNumber, outcome: Outcome<'_>) {
        let place = self.open.iter().position(|open| open.tag == tag);
        let open = self.open.remove(place.expect("a request has one outcome"));
        assert_eq!(open.sequence, sequence);
        let left = open.seen.is_some_and(|(_, end)| end <= self.taken);
        if let (Outcome::Accepted(response) | Outcome::Refused { response, .. }, Some((command, _))) =
            (outcome, open.seen)
        {
            let pdu = response.pdu().expect("the session has read it");
            assert_eq!(pdu.command(), command.response(), "the response to another operation");
        }
        if let Outcome::Accepted(_) | Outcome::Refused { .. } | Outcome::Nacked(_) = outcome {
            self.answered.push(sequence);
        }
        match outcome {
            Outcome::NeverSent(_) => assert!(!left, "it has left"),
            Outcome::Unanswered(UnansweredReason::Closed(_)) => assert!(left, "it has not left"),
            Outcome::Refused { status, .. } => assert_ne!(status, CommandStatus::ROK),
            Outcome::Accepted(_) | Outcome::Nacked(_) | Outcome::Unanswered(_) => {}
        }
    }

    fn note_request_of_peer(&mut self, request: Request<'_>) {
        if let Manner::Refuse = self.manner {
            let answered = self.session.refuse(request);
            return self.note_answer(answered);
        }
        let answer = answer(request);
        match self.manner {
            Manner::Accept => self.respond(answer, None),
            Manner::Keep | Manner::Refuse => self.replies.push(answer),
        }
    }

    fn respond(&mut self, answer: Answer<R>, status: Option<CommandStatus>) {
        let answered = answer(&mut self.session, status);
        self.note_answer(answered);
    }

    fn note_answer(&self, answered: Result<(), Refusal>) {
        match answered {
            Ok(()) => assert_eq!(self.closed, None, "a request is answered after the end"),
            Err(why) => assert!(matches!(why, Refusal::State(State::Closed) | Refusal::TooLong), "{why:?}"),
        }
    }

    /// What holds at any time.
    fn look(&self) {
        assert_eq!(self.session.in_flight(), self.open.len());
        assert!(self.open.len() <= usize::from(self.config.window.max(1)));
        assert_eq!(self.session.state() == State::Closed, self.closed.is_some());
        if self.closed.is_some() {
            assert_eq!(self.session.poll_timeout(), None);
            assert!(!self.session.wants_input());
        }
    }

    /// What the session transmits is whole PDUs, valid ones: its requests, and one answer to each of the peer's.
    fn poll_transmit(&mut self) {
        let mut given = Vec::new();
        assert_eq!(self.session.poll_transmit(&mut given), !given.is_empty());
        assert!(given.is_empty() || self.closed.is_none(), "the end is the end");
        let mut stream = &given[..];
        while let Some((pdu, rest)) =
            frame::split(stream, self.config.max_pdu.max(frame::HEADER_LENGTH)).expect("a stream of PDUs")
        {
            let header = pdu.header();
            self.given += u64::from(header.length);
            let (_, quirks) = pdu.pdu(Tolerance(Quirks::all())).expect("a PDU that can be read");
            if header.command.is_response() {
                // The peer's numbers, whatever they are; and for a peer of version 3.3, no TLVs.
                assert!(
                    (Quirks::SEQUENCE_RANGE | Quirks::MISSING_TLV).contains(quirks),
                    "{quirks:?} in {pdu:?}"
                );
                let owed = self.owed.iter().position(|owed| *owed == (header.command, header.sequence));
                self.owed.swap_remove(owed.unwrap_or_else(|| panic!("{pdu:?} answers nothing")));
            } else {
                assert_eq!(quirks, Quirks::empty(), "{pdu:?}");
                self.asked.drain(..self.asked.len().saturating_sub(7));
                self.asked.push((header.command, header.sequence));
                let open = self.open.iter_mut().find(|open| open.sequence == header.sequence);
                if let Some(open) = open {
                    open.seen = open.seen.or(Some((header.command, self.given)));
                }
            }
            stream = rest;
        }
        assert_eq!(stream, [], "a part of a PDU was transmitted");
        self.output.append(&mut given);
        let Config { max_output, max_pdu, max_unanswered, .. } = self.config;
        let most = 2 * max_output.max(1) + max_pdu + 24 * (usize::from(max_unanswered) + 4);
        assert!(self.output.len() <= most, "{} octets wait, of {most} at most", self.output.len());
    }

    fn transmit(&mut self, octets: usize) {
        let octets = octets.min(self.output.len());
        self.output.drain(..octets);
        self.taken += octets as u64;
        self.session.handle_transmitted(octets);
    }
}

/// The answer to a request of the peer, kept for later.
fn answer<R: Role>(request: Request<'_>) -> Answer<R> {
    match request {
        Request::Bind(_, reply) => keep(reply, BindResp { tlvs: VERSION, ..BindResp::default() }),
        Request::SubmitSm(_, reply) => keep(reply, SubmitSmResp { message_id: id(), ..Default::default() }),
        Request::DeliverSm(_, reply) => keep(reply, DeliverSmResp::default()),
        Request::DataSm(_, reply) => keep(reply, DataSmResp { message_id: id(), ..Default::default() }),
        Request::SubmitMulti(_, reply) => keep(reply, SubmitMultiResp::default()),
        Request::QuerySm(_, reply) => keep(reply, QuerySmResp::default()),
        Request::CancelSm(_, reply) => keep(reply, NoBody),
        Request::ReplaceSm(_, reply) => keep(reply, NoBody),
        Request::BroadcastSm(_, reply) => keep(reply, BroadcastSmResp::default()),
        Request::QueryBroadcastSm(_, reply) => keep(reply, QueryBroadcastSmResp::default()),
        Request::CancelBroadcastSm(_, reply) => keep(reply, NoBody),
        other => panic!("{other:?}"),
    }
}

fn keep<R: Role, O: Operation + 'static>(reply: Reply<O>, response: O::Response<'static>) -> Answer<R>
where
    O::Response<'static>: 'static,
{
    Box::new(move |session, status| session.respond(reply, status.map_or(Ok(response), Err)))
}

const VERSION: Tlvs<'static> = Tlvs::list(&[Tlv::u8(Tag::SC_INTERFACE_VERSION, 0x34)]);

const MODES: [BindMode; 3] = [BindMode::Transceiver, BindMode::Transmitter, BindMode::Receiver];

/// Known, unknown and vendors' own.
const COMMANDS: [CommandId; 20] = [
    CommandId::BIND_TRANSCEIVER,
    CommandId::BIND_TRANSCEIVER_RESP,
    CommandId::BIND_RECEIVER_RESP,
    CommandId::OUTBIND,
    CommandId::ALERT_NOTIFICATION,
    CommandId::SUBMIT_SM,
    CommandId::SUBMIT_SM_RESP,
    CommandId::DELIVER_SM,
    CommandId::DELIVER_SM_RESP,
    CommandId::DATA_SM,
    CommandId::DATA_SM_RESP,
    CommandId::CANCEL_SM,
    CommandId::CANCEL_SM_RESP,
    CommandId::UNBIND,
    CommandId::UNBIND_RESP,
    CommandId::ENQUIRE_LINK,
    CommandId::ENQUIRE_LINK_RESP,
    CommandId::GENERIC_NACK,
    CommandId(0x0001_0200),
    CommandId(0x8001_0200),
];

fn status(u: &mut Unstructured<'_>) -> arbitrary::Result<CommandStatus> {
    u.choose(&[
        CommandStatus::ROK,
        CommandStatus::RTHROTTLED,
        CommandStatus::RSYSERR,
        CommandStatus::RBINDFAIL,
        CommandStatus(0x0450),
    ])
    .copied()
}

/// The response that accepts a request.
fn acceptance(command: CommandId, tlvs: Tlvs<'_>) -> Pdu<'_> {
    match command {
        CommandId::SUBMIT_SM => {
            Pdu::SubmitSmResp(Some(SubmitSmResp { message_id: id(), ..Default::default() }))
        }
        CommandId::DELIVER_SM => Pdu::DeliverSmResp(Some(DeliverSmResp::default())),
        CommandId::DATA_SM => Pdu::DataSmResp(Some(DataSmResp::default())),
        CommandId::SUBMIT_MULTI => Pdu::SubmitMultiResp(Some(SubmitMultiResp::default())),
        CommandId::QUERY_SM => Pdu::QuerySmResp(Some(QuerySmResp::default())),
        CommandId::CANCEL_SM => Pdu::CancelSmResp,
        CommandId::REPLACE_SM => Pdu::ReplaceSmResp,
        CommandId::BROADCAST_SM => Pdu::BroadcastSmResp(Some(BroadcastSmResp::default())),
        CommandId::QUERY_BROADCAST_SM => Pdu::QueryBroadcastSmResp(Some(QueryBroadcastSmResp::default())),
        CommandId::CANCEL_BROADCAST_SM => Pdu::CancelBroadcastSmResp,
        CommandId::ENQUIRE_LINK => Pdu::EnquireLinkResp,
        CommandId::UNBIND => Pdu::UnbindResp,
        _ => match MODES.into_iter().find(|mode| mode.command() == command) {
            Some(mode) => Pdu::BindResp(mode, Some(BindResp { tlvs, ..BindResp::default() })),
            None => Pdu::GenericNack,
        },
    }
}

fn id() -> COctets<'static, 65> {
    COctets::new(b"id").expect("fits")
}

fn with_password<'a>(bind: &Bind<'a>) -> Bind<'a> {
    Bind { password: Password::new(PASSWORD.as_bytes()).expect("fits"), ..*bind }
}

fn octets(pdu: &Pdu<'_>, status: CommandStatus, number: SequenceNumber) -> Vec<u8> {
    let mut out = Vec::new();
    pdu.encode(status, number, &mut out);
    out
}
