//! Checks the guarantees of a session under random actions of a peer, an application and a clock. The fuzz target and the
//! tests of `smpp-proto` share this file.

use std::time::Duration;

use smpp_proto::arbitrary::{self, Unstructured, with_pdu};
use smpp_proto::session::{
    CloseReason, Config, Esme, Event, Instant, Outcome, Rate, Readiness, Refusal, Request, Session, Smsc,
    State, Timer, UnansweredReason,
};
use smpp_proto::{
    Bind, CommandId, CommandStatus, DecodeErrorKind, DeliverSm, InterfaceVersion, Pdu, Quirks,
    SequenceNumber, SubmitSm, Tag, Tlv, Tlvs, Tolerance, frame,
};

// Two crates include this file, so the path is stated.
#[path = "session_steps/pdus.rs"]
mod pdus;

use pdus::{
    Answer, COMMANDS, MODES, PASSWORD, RequestResult, Side, acceptance, deferred_answer, octets, status,
    with_password,
};

/// Runs a session. The octets decide the role, the configuration, and then each step.
pub(crate) fn session(octets: &[u8]) {
    let mut steps = Unstructured::new(octets);
    let checks_password = !octets.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
    let smsc = steps.arbitrary().unwrap_or(false);
    let Ok(config) = config(&mut steps) else { return };
    if smsc {
        Driver::<Smsc>::new(config, checks_password).run(&mut steps);
    } else {
        Driver::<Esme>::new(config, checks_password).run(&mut steps);
    }
}

/// Small limits and short times, so that rare paths become common.
fn config(u: &mut Unstructured<'_>) -> arbitrary::Result<Config> {
    let rate = match u.int_in_range(0..=20)? {
        0..=15 => None,
        per_second => Some(Rate::per_second(per_second - 15).with_burst(u.int_in_range(0..=3)?)),
    };
    let times = Config::default()
        .session_init_timeout(time(u)?)
        .enquire_link_interval(u.arbitrary::<bool>()?.then(|| time(u)).transpose()?)
        .response_timeout(time(u)?)
        .late_response_timeout(time(u)?)
        .max_response_timeouts(u.int_in_range(0..=2)?)
        .backpressure_timeout(time(u)?)
        .inactivity_timeout(u.arbitrary::<bool>()?.then(|| time(u)).transpose()?)
        .drain_timeout(time(u)?);
    Ok(times
        .window(u.int_in_range(0..=4)?)
        .max_unanswered(u.int_in_range(0..=3)?)
        .max_pdu(*u.choose(&[frame::DEFAULT_MAX_LENGTH, 128, 40, 16, 0])?)
        .max_output(*u.choose(&[10_000, 200, 60, 1, 0])?)
        .max_malformed(u.int_in_range(0..=3)?)
        .tolerance(*u.choose(&[None, Some(Tolerance::STRICT), Some(Tolerance(Quirks::all()))])?)
        .rate(rate))
}

fn time(u: &mut Unstructured<'_>) -> arbitrary::Result<Duration> {
    Ok(Duration::from_millis(*u.choose(&[10_000, 1000, 30_000, 1, 0])?))
}

/// An accepted request without an outcome.
struct Open {
    tag: u32,
    sequence: SequenceNumber,
    /// The command, and the position of its end in the output stream, once it was taken as output.
    seen: Option<(CommandId, u64)>,
}

/// How the application reacts to a request of the peer.
#[derive(Clone, Copy)]
enum Reaction {
    Defer,
    Accept,
    Refuse,
}

struct Driver<R> {
    session: Session<R, u32>,
    config: Config,
    now: Instant,
    reaction: Reaction,
    /// Whether debug output must not contain the password: false if the octets contain it by chance.
    checks_password: bool,
    /// Octets that have arrived and that the session has not read.
    input: Vec<u8>,
    /// Octets that the transport has not accepted, the octets that the session returned, and those that the transport
    /// accepted.
    output: Vec<u8>,
    polled: u64,
    transmitted: u64,
    open: Vec<Open>,
    /// Requests that have timed out: they may still be answered.
    timed_out: Vec<Open>,
    requests: u32,
    /// Requests that the application has not answered, and the number of those whose token it has dropped.
    replies: Vec<Answer<R>>,
    dropped: usize,
    /// Since when the application has answered none of `max_unanswered` requests.
    full: Option<Instant>,
    /// The responses that the session may send: one for each request of the peer.
    allowed_responses: Vec<(CommandId, SequenceNumber)>,
    /// The sequence numbers for which the octets being read must contain a response.
    answered: Vec<SequenceNumber>,
    /// The latest requests of the session, of any kind.
    recent_requests: Vec<(CommandId, SequenceNumber)>,
    closed: Option<CloseReason>,
}

impl<R: Side> Driver<R> {
    fn new(config: Config, checks_password: bool) -> Self {
        Self {
            session: Session::new(config, Instant::ZERO),
            config,
            now: Instant::ZERO,
            reaction: Reaction::Defer,
            checks_password,
            input: Vec::new(),
            output: Vec::new(),
            polled: 0,
            transmitted: 0,
            open: Vec::new(),
            timed_out: Vec::new(),
            requests: 0,
            replies: Vec::new(),
            dropped: 0,
            full: None,
            allowed_responses: Vec::new(),
            answered: Vec::new(),
            recent_requests: Vec::new(),
            closed: None,
        }
    }

    /// Runs steps until the octets are used up, and then ends the connection.
    fn run(mut self, u: &mut Unstructured<'_>) {
        while !u.is_empty() && self.step(u).is_ok() {
            self.settle();
        }
        self.session.handle_disconnect();
        self.settle();
        assert!(self.closed.is_some(), "the session must end with the connection");
        assert!(self.open.is_empty(), "a request has no outcome");
    }

    fn step(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        match u.int_in_range(0..=21)? {
            0 | 1 => self.send_message(),
            2 => {
                let (session, now, tag) = (&mut self.session, self.now, self.requests);
                let result = with_pdu(u, |pdu| R::send(session, now, pdu, tag))?;
                self.record_request(result);
            }
            3 => {
                let bind = Bind { mode: *u.choose(&MODES)?, ..Bind::default() };
                let result = R::send(&mut self.session, self.now, &Pdu::Bind(bind), self.requests);
                self.record_request(result);
            }
            4 => {
                let length = u.int_in_range(0..=24)?;
                self.receive(u.bytes(length)?);
            }
            5 => {
                let number = self.number(u)?;
                let status = status(u)?;
                let octets = with_pdu(u, |pdu| match pdu {
                    Pdu::Bind(bind) => octets(&Pdu::Bind(with_password(bind)), status, number),
                    pdu => octets(pdu, status, number),
                })?;
                self.receive(&octets);
            }
            6 => {
                let header = [u.choose(&COMMANDS)?.0, status(u)?.0, self.number(u)?.0];
                let length = u.int_in_range(0..=8_u8)?;
                let body = u.bytes(length.into())?;
                let mut octets = (16 + u32::from(length)).to_be_bytes().to_vec();
                octets.extend(header.iter().flat_map(|word| word.to_be_bytes()));
                octets.extend(body);
                self.receive(&octets);
            }
            7 | 8 => self.receive_response(u)?,
            9 => {
                let interface_version = *u.choose(&[InterfaceVersion::V3_4, InterfaceVersion::V3_3])?;
                let bind = Bind { mode: *u.choose(&MODES)?, interface_version, ..Bind::default() };
                self.receive(&octets(
                    &Pdu::Bind(with_password(&bind)),
                    CommandStatus::ROK,
                    SequenceNumber(1),
                ));
            }
            10 => {
                let pdus = [
                    Pdu::DeliverSm(DeliverSm::default()),
                    Pdu::SubmitSm(SubmitSm::default()),
                    Pdu::EnquireLink,
                    Pdu::Unbind,
                ];
                let pdu = u.choose(&pdus)?;
                self.receive(&octets(pdu, CommandStatus::ROK, self.number(u)?));
            }
            11 => self.reaction = *u.choose(&[Reaction::Defer, Reaction::Accept, Reaction::Refuse])?,
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
            _ if u.ratio(1, 3)? => self.session.handle_disconnect(),
            _ => self.session.handle_eof(),
        }
        Ok(())
    }

    fn send_message(&mut self) {
        let ready = self.session.readiness(self.now);
        let result = R::message(&mut self.session, self.now, self.requests);
        match (ready, &result) {
            (Readiness::Refusing(reason), Err(refused)) => assert_eq!(reason, refused.reason),
            (Readiness::Ready { capacity }, Ok(_)) => assert_ne!(capacity, 0),
            (Readiness::Ready { .. }, Err(refused)) => assert_eq!(refused.reason, Refusal::TooLong),
            (Readiness::Refusing(reason), Ok(_)) => panic!("{reason:?}, but the request was accepted"),
        }
        self.record_request(result);
    }

    fn record_request(&mut self, result: RequestResult) {
        let tag = self.requests;
        match result {
            Ok(sequence) => {
                assert_eq!(self.closed, None, "a request is accepted after the end");
                assert!(sequence.is_valid());
                assert!(
                    self.open.iter().all(|open| open.sequence != sequence),
                    "two requests in flight have the same number"
                );
                // Its place may have been given up after `late_response_timeout`.
                self.timed_out.retain(|late| late.sequence != sequence);
                self.open.push(Open { tag, sequence, seen: None });
                self.requests += 1;
            }
            Err(refused) => {
                assert_eq!(refused.tag, tag);
                let ended = self.closed.map(Refusal::Closed);
                assert!(ended.is_none_or(|ended| ended == refused.reason), "{refused:?}");
            }
        }
    }

    /// Answers one of the latest requests of the session. The response may be invalid.
    fn receive_response(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        if self.recent_requests.is_empty() {
            return Ok(());
        }
        let (command, number) = self.recent_requests[u.choose_index(self.recent_requests.len())?];
        let version = [Tlv::u8(Tag::SC_INTERFACE_VERSION, *u.choose(&[0x34, 0x33])?)];
        let status = status(u)?;
        let answer =
            if u.ratio(1, 8)? { Pdu::GenericNack } else { acceptance(command, Tlvs::list(&version)) };
        self.receive(&octets(&answer, status, number));
        Ok(())
    }

    fn receive(&mut self, octets: &[u8]) {
        self.input.extend_from_slice(octets);
    }

    /// Returns the sequence number of a recent request, or any small number.
    fn number(&self, u: &mut Unstructured<'_>) -> arbitrary::Result<SequenceNumber> {
        match self.recent_requests.len() {
            count if count > 0 && u.arbitrary()? => Ok(self.recent_requests[u.choose_index(count)?].1),
            _ => Ok(SequenceNumber(i32::from(u.arbitrary::<i8>()?).cast_unsigned())),
        }
    }

    /// Passes input, handles timers, checks the state, and takes output.
    fn settle(&mut self) {
        loop {
            self.read();
            self.handle_timeouts();
            // After a time the session reads on although the application does not answer.
            if self.session.poll_timeout().is_none_or(|(_, timer)| timer != Timer::Input) {
                break;
            }
        }
        self.check_state();
        self.poll_transmit();
    }

    fn read(&mut self) {
        let arrived = std::mem::take(&mut self.input);
        let mut rest = &arrived[..];
        let most = arrived.len() / frame::HEADER_LENGTH + self.open.len() + 2;
        let mut events = Vec::new();
        while let Some(event) = self.session.handle_input(self.now, &mut rest) {
            events.push(self.record_event(event));
            assert!(events.len() <= most, "{events:?}");
        }
        let whole = !matches!(frame::split(rest, self.config.max_pdu), Ok(None));
        assert!(!(whole && self.session.wants_input()), "a whole PDU is left unread");
        self.record_input(&arrived[..arrived.len() - rest.len()]);
        self.input = rest.to_vec();
    }

    /// Records the responses and requests in the input. Each request allows one response.
    fn record_input(&mut self, mut stream: &[u8]) {
        while let Ok(Some((pdu, rest))) = frame::split(stream, self.config.max_pdu) {
            let header = pdu.header();
            if header.command.is_response() {
                let answered = self.answered.iter().position(|number| *number == header.sequence);
                answered.map(|place| self.answered.swap_remove(place));
            }
            let unknown =
                pdu.pdu(Tolerance::LENIENT).is_err_and(|error| error.kind == DecodeErrorKind::UnknownCommand);
            if unknown && !header.command.is_response() {
                self.allowed_responses.push((CommandId::GENERIC_NACK, header.sequence));
            } else if header.command.has_response() {
                self.allowed_responses.push((header.command.response(), header.sequence));
            }
            stream = rest;
        }
        assert_eq!(self.answered, [], "outcomes without a response in the input");
        if frame::split(stream, self.config.max_pdu).is_err() {
            self.allowed_responses.push((CommandId::GENERIC_NACK, SequenceNumber(0)));
        }
    }

    fn handle_timeouts(&mut self) {
        let most = self.open.len() + 2;
        let mut events = Vec::new();
        while let Some(event) = self.session.handle_timeout(self.now) {
            events.push(self.record_event(event));
            assert!(events.len() <= most, "{events:?}");
        }
        let due = self.session.poll_timeout().filter(|(_, timer)| *timer != Timer::Input);
        assert!(due.is_none_or(|(at, _)| at > self.now), "{due:?} stays due");
    }

    /// Records and checks an event. Returns it as text.
    fn record_event(&mut self, event: Event<'_, u32>) -> String {
        let line = format!("{event:?} of {:?}", self.session);
        assert_eq!(self.closed, None, "{line}: an event after the end");
        assert!(!self.checks_password || !line.contains(PASSWORD), "{line}");
        match event {
            Event::Request { request, .. } => {
                self.react_to_request(request);
                let handed_out = self.replies.len() + self.dropped;
                let most = usize::from(self.config.max_unanswered.max(1));
                assert!(handed_out <= most);
                self.full = (handed_out == most).then_some(self.now);
            }
            Event::Refused { status: CommandStatus::RTHROTTLED, .. } => {
                let full = self.full.expect("throttled below max_unanswered");
                assert!(self.now >= full + self.config.backpressure_timeout, "throttled too early");
            }
            Event::LateResponse { sequence, .. } => {
                let place = self.timed_out.iter().position(|late| late.sequence == sequence);
                self.timed_out.swap_remove(place.expect("a request that has timed out"));
                self.answered.push(sequence);
            }
            Event::Outcome { tag, sequence, outcome, .. } => self.record_outcome(tag, sequence, outcome),
            Event::Closed(reason) => {
                assert!(self.open.is_empty(), "the end precedes an outcome");
                self.closed = Some(reason);
            }
            _ => {}
        }
        line
    }

    fn record_outcome(&mut self, tag: u32, sequence: SequenceNumber, outcome: Outcome<'_>) {
        let place = self.open.iter().position(|open| open.tag == tag);
        let open = self.open.remove(place.expect("an open request"));
        assert_eq!(open.sequence, sequence);
        let transmitted = open.seen.is_some_and(|(_, end)| end <= self.transmitted);
        if let (Outcome::Accepted(response) | Outcome::Refused { response, .. }, Some((command, _))) =
            (outcome, open.seen)
        {
            let pdu = response.pdu().expect("the session has decoded it");
            assert_eq!(pdu.command(), command.response(), "the response to another operation");
        }
        if let Outcome::Accepted(_) | Outcome::Refused { .. } | Outcome::Nacked(_) = outcome {
            self.answered.push(sequence);
        }
        match outcome {
            Outcome::NeverSent(_) => assert!(!transmitted, "the request was transmitted"),
            Outcome::Unanswered(UnansweredReason::Closed(_)) => {
                assert!(transmitted, "the request was not transmitted");
            }
            Outcome::Unanswered(UnansweredReason::Timeout) => self.timed_out.push(open),
            Outcome::Refused { status, .. } => assert_ne!(status, CommandStatus::ROK),
            Outcome::Accepted(_) | Outcome::Nacked(_) | Outcome::Unanswered(_) => {}
        }
    }

    fn react_to_request(&mut self, request: Request<'_>) {
        if let Reaction::Refuse = self.reaction {
            let answered = self.session.refuse(request);
            self.full = None;
            return self.check_response(answered);
        }
        let answer = deferred_answer(request);
        match self.reaction {
            Reaction::Accept => self.respond(answer, None),
            Reaction::Defer | Reaction::Refuse => self.replies.push(answer),
        }
    }

    fn respond(&mut self, answer: Answer<R>, status: Option<CommandStatus>) {
        self.full = None;
        let answered = answer(&mut self.session, status);
        self.check_response(answered);
    }

    fn check_response(&self, answered: Result<(), Refusal>) {
        match answered {
            Ok(()) => assert_eq!(self.closed, None, "a request is answered after the end"),
            Err(reason) => {
                let expected = matches!(reason, Refusal::Closing(_) | Refusal::Closed(_) | Refusal::TooLong);
                assert!(expected, "{reason:?}");
            }
        }
    }

    /// Checks what must hold at any time.
    fn check_state(&self) {
        assert_eq!(self.session.in_flight(), self.open.len());
        let timed_out = usize::from(self.session.stats().timed_out);
        assert!(timed_out <= self.timed_out.len());
        assert!(self.open.len() + timed_out <= usize::from(self.config.window.max(1)));
        assert_eq!(self.session.state() == State::Closed, self.closed.is_some());
        if self.closed.is_some() {
            assert_eq!(self.session.poll_timeout(), None);
            assert!(!self.session.wants_input());
        }
    }

    /// Takes output and checks it: valid and whole PDUs, and at most one response to each request of the peer.
    fn poll_transmit(&mut self) {
        let mut polled = Vec::new();
        assert_eq!(self.session.poll_transmit(&mut polled), !polled.is_empty());
        assert!(polled.is_empty() || self.closed.is_none(), "output follows the end");
        let mut stream = &polled[..];
        while let Some((pdu, rest)) =
            frame::split(stream, self.config.max_pdu.max(frame::HEADER_LENGTH)).expect("a stream of PDUs")
        {
            let header = pdu.header();
            self.polled += u64::from(header.length);
            let (_, quirks) = pdu.pdu(Tolerance(Quirks::all())).expect("a valid PDU");
            if header.command.is_response() {
                // A response repeats the peer's sequence number, which may be invalid. For version 3.3 it has no TLVs.
                assert!(
                    (Quirks::SEQUENCE_RANGE | Quirks::MISSING_TLV).contains(quirks),
                    "{quirks:?} in {pdu:?}"
                );
                let index = self
                    .allowed_responses
                    .iter()
                    .position(|response| *response == (header.command, header.sequence));
                self.allowed_responses
                    .swap_remove(index.unwrap_or_else(|| panic!("{pdu:?} answers no request")));
            } else {
                assert_eq!(quirks, Quirks::empty(), "{pdu:?}");
                self.recent_requests.drain(..self.recent_requests.len().saturating_sub(7));
                self.recent_requests.push((header.command, header.sequence));
                let open = self.open.iter_mut().find(|open| open.sequence == header.sequence);
                if let Some(open) = open {
                    open.seen = open.seen.or(Some((header.command, self.polled)));
                }
            }
            stream = rest;
        }
        assert!(stream.is_empty(), "the output ends within a PDU");
        self.output.append(&mut polled);
        let Config { max_output, max_pdu, max_unanswered, .. } = self.config;
        let most = 2 * max_output.max(1) + max_pdu + 24 * (usize::from(max_unanswered) + 4);
        assert!(self.output.len() <= most, "{} octets wait, at most {most} may", self.output.len());
    }

    fn transmit(&mut self, octets: usize) {
        let octets = octets.min(self.output.len());
        self.output.drain(..octets);
        self.transmitted += octets as u64;
        self.session.handle_transmitted(octets);
    }
}
