//! A session against a model that is too simple to be wrong: an ESME's requests, from the bind to the end.
//!
//! The model knows which requests are in flight, in a `Vec`, and counts seconds and octets. It foretells what each
//! step makes the session tell and say. Of sequence numbers it is asked only what they have to be: in range, in
//! order, not those of anything that awaits a response.

use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use super::window::Window;
use super::{
    CloseReason, Config, Esme, Event, Instant, NotSentReason, Outcome, Refusal, RequestError, Session, State,
    UnansweredReason,
};
use crate::frame::{self, SequenceNumber};
use crate::pdu::{
    Bind, BindMode, BindResp, CommandId, CommandStatus, Pdu, ShortMessage, SubmitSm, SubmitSmResp,
};

prop_state_machine! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn a_session_does_what_the_model_does(sequential 1..60 => Rig);
}

/// Seconds from a request to its response, of silence before an enquire_link, and that an unbind waits.
const RESPONSE: u64 = 10;
const IDLE: u64 = 30;
const DRAIN: u64 = 8;

/// Octets of a submit_sm without its text.
const SUBMIT: u64 = 33;

/// What a request of ours is called by the model, which knows no sequence numbers.
type Tag = usize;

#[derive(Clone, Debug)]
enum Step {
    /// Submits a text of so many octets.
    Submit(u64),
    /// The peer answers what awaits, or awaited, a response. Its number has this bit flipped, if any.
    Respond(To, Answer, Option<u32>),
    PeerEnquires,
    PeerUnbinds,
    /// The transport takes so many octets.
    Transmit(u64),
    /// So many seconds pass, one by one.
    Pass(u64),
    /// All numbers have been given once: the next one is, again, that of a request without a response.
    ComeRound(To),
    Unbind,
    Eof,
    Abort,
}

/// A request of ours.
#[derive(Clone, Copy, Debug, PartialEq)]
enum To {
    Submit(Tag),
    /// The enquire_link that was sent as the so many-th.
    Probe(usize),
    Unbind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Accept,
    Refuse,
    Nack,
    /// The response to another operation.
    Mistake,
}

/// An event.
#[derive(Clone, Debug, PartialEq)]
enum Told {
    Outcome(Tag, Result<(), RequestError>),
    Stray,
    PeerUnbind,
    Closed(CloseReason),
}

#[derive(Clone, Debug)]
struct Model {
    window: usize,
    max_output: u64,
    start: SequenceNumber,

    now: u64,
    stage: Stage,
    /// When it takes the next step to its end by itself.
    stage_ends: Option<u64>,

    in_flight: Vec<InFlight>,
    /// Submits taken and enquire_links sent so far. Tags and places are counted.
    submits: usize,
    probes: usize,
    /// The enquire_link that awaits its answer, and until when, unless other signs of life have come.
    probe: Option<usize>,
    probe_ends: Option<u64>,
    /// Whether silence is answered with an enquire_link.
    probing: bool,
    unbind: bool,
    /// What was given a number before these has a number that may have been given again.
    remembered: (usize, usize),
    last_heard: u64,

    /// Octets ever encoded, and ever taken by the transport.
    encoded: u64,
    transmitted: u64,
    /// When it is next looked whether the transport has taken anything, and whether it has.
    stall_check: Option<u64>,
    moved: bool,

    /// What the last step brings about: events, and PDUs of so many octets.
    told: Vec<Told>,
    said: Vec<(CommandId, u64)>,
    /// Why the last submit is refused. Each of the reasons will do.
    objections: Vec<Refusal>,
}

#[derive(Clone, Debug)]
struct InFlight {
    tag: Tag,
    sent: u64,
    /// Octets of the stream up to its end.
    end: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Bound,
    /// Unbinds when nothing is in flight any more.
    Draining,
    Unbinding,
    /// The peer has unbound, and what is in flight may still be answered.
    PeerUnbound,
    /// Over when all is transmitted.
    Flushing(CloseReason),
    Closed,
}

impl Model {
    fn new(window: usize, max_output: u64, start: u32) -> Self {
        Self {
            window,
            max_output,
            start: SequenceNumber(start),
            now: 0,
            stage: Stage::Bound,
            stage_ends: None,
            in_flight: Vec::new(),
            submits: 0,
            probes: 0,
            probe: None,
            probe_ends: None,
            probing: true,
            unbind: false,
            remembered: (0, 0),
            last_heard: 0,
            encoded: 0,
            transmitted: 0,
            stall_check: None,
            moved: false,
            told: Vec::new(),
            said: Vec::new(),
            objections: Vec::new(),
        }
    }

    fn take(&mut self, step: &Step) {
        self.told.clear();
        self.said.clear();
        self.objections.clear();
        match *step {
            Step::Submit(text) => self.submit(text),
            Step::Respond(to, answer, flipped) => self.hear_response(to, answer, flipped.is_some()),
            Step::PeerEnquires if self.reads() => {
                self.hear();
                self.say(CommandId::ENQUIRE_LINK_RESP, 16);
            }
            Step::PeerUnbinds if self.reads() => self.hear_unbind(),
            Step::Transmit(octets) => self.transmit(octets),
            Step::Pass(seconds) => (0..seconds).for_each(|_| self.pass_a_second()),
            Step::ComeRound(_) => self.remembered = (self.submits, self.probes),
            Step::Unbind if self.stage == Stage::Bound => {
                self.stage = Stage::Draining;
                self.stage_ends = Some(self.now + DRAIN);
                self.move_on();
            }
            Step::Eof => self.close(match self.stage {
                Stage::Unbinding if self.pending() == 0 => CloseReason::Unbound,
                Stage::PeerUnbound => CloseReason::PeerUnbound,
                Stage::Flushing(why) => why,
                _ => CloseReason::Disconnected,
            }),
            Step::Abort => self.close(CloseReason::Aborted),
            // The session no longer reads, or is ending.
            Step::PeerEnquires | Step::PeerUnbinds | Step::Unbind => {}
        }
    }

    fn submit(&mut self, text: u64) {
        match self.stage {
            Stage::Bound => {}
            Stage::Closed => self.objections.push(Refusal::State(State::Closed)),
            _ => self.objections.push(Refusal::State(State::Unbinding)),
        }
        if self.objections.is_empty() && self.in_flight.len() == self.window {
            self.objections.push(Refusal::WindowFull);
        }
        if self.stage == Stage::Bound && self.pending() >= self.max_output {
            self.objections.push(Refusal::OutputFull);
        }
        if self.objections.is_empty() {
            self.say(CommandId::SUBMIT_SM, SUBMIT + text);
            self.in_flight.push(InFlight { tag: self.submits, sent: self.now, end: self.encoded });
            self.submits += 1;
        }
    }

    fn hear_response(&mut self, to: To, answer: Answer, other_number: bool) {
        if !self.reads() {
            return;
        }
        self.hear();
        if other_number || answer == Answer::Mistake || !self.awaits(to) {
            return self.told.push(Told::Stray);
        }
        match to {
            To::Submit(tag) => {
                self.in_flight.retain(|request| request.tag != tag);
                self.told.push(Told::Outcome(
                    tag,
                    match answer {
                        Answer::Accept => Ok(()),
                        Answer::Refuse => Err(RequestError::Refused(CommandStatus::RSUBMITFAIL)),
                        Answer::Nack | Answer::Mistake => Err(RequestError::Nacked(CommandStatus::RINVCMDID)),
                    },
                ));
                self.move_on();
            }
            To::Probe(_) => self.probe = None,
            To::Unbind => self.flush(CloseReason::Unbound),
        }
    }

    fn hear_unbind(&mut self) {
        self.hear();
        if matches!(self.stage, Stage::Bound | Stage::Draining) {
            self.told.push(Told::PeerUnbind);
            self.part(Stage::PeerUnbound, DRAIN);
        }
        self.say(CommandId::UNBIND_RESP, 16);
        self.move_on();
    }

    /// Whatever comes is a sign of life.
    fn hear(&mut self) {
        self.last_received = self.now;
        if self.probe.is_some() {
            self.probe_ends = None;
        }
    }

    fn transmit(&mut self, octets: u64) {
        self.transmitted = self.encoded.min(self.transmitted + octets);
        self.moved |= octets > 0;
        if self.pending() == 0 {
            self.stall_check = None;
        }
        self.move_on();
    }

    /// Of what is due in the same second, time-outs of requests come first.
    fn pass_a_second(&mut self) {
        self.now += 1;
        let now = Some(self.now);
        let said = self.said.len();
        while self.in_flight.first().is_some_and(|request| request.sent + RESPONSE == self.now) {
            let request = self.in_flight.remove(0);
            self.told
                .push(Told::Outcome(request.tag, Err(RequestError::Unanswered(UnansweredReason::Timeout))));
            self.move_on();
        }
        if self.probing && self.probe_ends.is_none() && self.last_received + IDLE == self.now {
            self.probe = Some(self.probes);
            self.probe_ends = Some(self.now + RESPONSE);
            self.probes += 1;
            self.say(CommandId::ENQUIRE_LINK, 16);
        }
        if self.probe_ends == now {
            self.close(CloseReason::LinkDead);
        }
        if self.stall_check == now && self.moved {
            self.moved = false;
            self.stall_check = Some(self.now + RESPONSE);
        } else if self.stall_check == now {
            self.close(CloseReason::Stalled);
        }
        if self.stage_ends == now {
            match self.stage {
                Stage::Bound | Stage::Closed => {}
                Stage::Draining => self.send_unbind(),
                Stage::Unbinding => self.close(CloseReason::UnbindTimeout),
                Stage::PeerUnbound => self.flush(CloseReason::PeerUnbound),
                Stage::Flushing(why) => self.close(why),
            }
        }
        if self.stage == Stage::Closed {
            // It comes too late to be transmitted.
            self.said.truncate(said);
        }
    }

    /// To the next stage, if nothing is left to wait for in this one.
    fn move_on(&mut self) {
        match self.stage {
            Stage::Draining if self.in_flight.is_empty() => self.send_unbind(),
            Stage::PeerUnbound if self.in_flight.is_empty() => self.flush(CloseReason::PeerUnbound),
            Stage::Flushing(why) if self.pending() == 0 => self.close(why),
            _ => {}
        }
    }

    fn send_unbind(&mut self) {
        self.say(CommandId::UNBIND, 16);
        self.unbind = true;
        self.part(Stage::Unbinding, RESPONSE);
    }

    /// Who has unbound does not ask whether the link lives.
    fn part(&mut self, stage: Stage, seconds: u64) {
        (self.probing, self.probe_ends) = (false, None);
        self.stage = stage;
        self.stage_ends = Some(self.now + seconds);
    }

    fn flush(&mut self, why: CloseReason) {
        (self.probing, self.probe, self.probe_ends) = (false, None, None);
        (self.unbind, self.stall_check) = (false, None);
        self.stage = Stage::Flushing(why);
        self.stage_ends = Some(self.now + RESPONSE);
        self.move_on();
    }

    fn close(&mut self, why: CloseReason) {
        if self.stage == Stage::Closed {
            return;
        }
        for request in self.in_flight.drain(..) {
            let error = if request.end > self.transmitted {
                RequestError::NeverSent(NotSentReason::Closed(why))
            } else {
                RequestError::Unanswered(UnansweredReason::Closed(why))
            };
            self.told.push(Told::Outcome(request.tag, Err(error)));
        }
        self.told.push(Told::Closed(why));
        (self.probing, self.probe, self.probe_ends) = (false, None, None);
        (self.unbind, self.stall_check) = (false, None);
        self.stage = Stage::Closed;
        self.stage_ends = None;
        self.remembered = (self.submits, self.probes);
    }

    fn say(&mut self, command: CommandId, octets: u64) {
        if self.pending() == 0 {
            self.moved = true;
            self.stall_check = Some(self.now + RESPONSE);
        }
        self.encoded += octets;
        self.said.push((command, octets));
    }

    fn pending(&self) -> u64 {
        self.encoded - self.transmitted
    }

    fn reads(&self) -> bool {
        !matches!(self.stage, Stage::Flushing(_) | Stage::Closed)
    }

    fn awaits(&self, to: To) -> bool {
        self.awaiting().contains(&to)
    }

    /// What awaits a response.
    fn awaiting(&self) -> Vec<To> {
        let submits = self.in_flight.iter().map(|request| To::Submit(request.tag));
        submits.chain(self.probe.map(To::Probe)).chain(self.unbind.then_some(To::Unbind)).collect()
    }

    /// What has awaited a response of late, and has a number that nothing else has.
    fn over(&self) -> Vec<To> {
        let (submits, probes) = self.remembered;
        let submits = (submits..self.submits).map(To::Submit);
        let all = submits.chain((probes..self.probes).map(To::Probe));
        let mut over: Vec<To> = all.filter(|to| !self.awaits(*to)).collect();
        over.drain(..over.len().saturating_sub(4));
        over
    }
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        let last = SequenceNumber::LAST.0;
        let start = prop_oneof![Just(1), last - 12..=last];
        let max_output = prop_oneof![Just(10_000), 1..300_u64];
        (1..8_usize, max_output, start)
            .prop_map(|(window, max_output, start)| Self::new(window, max_output, start))
            .boxed()
    }

    fn transitions(model: &Self) -> BoxedStrategy<Step> {
        let mut steps = alloc::vec![
            (40, (0..40_u64).prop_map(Step::Submit).boxed()),
            (15, (0..120_u64).prop_map(Step::Transmit).boxed()),
            (10, (0..20_u64).prop_map(Step::Transmit).boxed()),
            (8, (1..4_u64).prop_map(Step::Pass).boxed()),
            (6, (4..35_u64).prop_map(Step::Pass).boxed()),
            (4, Just(Step::PeerEnquires).boxed()),
            (2, Just(Step::PeerUnbinds).boxed()),
            (4, Just(Step::Unbind).boxed()),
            // Many a connection is cut while it ends.
            (if model.stage == Stage::Bound { 1 } else { 10 }, Just(Step::Eof).boxed()),
            (1, Just(Step::Abort).boxed()),
        ];
        let answer = || select(&[Answer::Accept, Answer::Refuse, Answer::Nack, Answer::Mistake][..]);
        let flipped = || prop::option::weighted(0.1, 8..32_u32);
        for (weight, to) in [(40, model.awaiting()), (8, model.over())] {
            if !to.is_empty() {
                let respond = (select(to), answer(), flipped());
                steps.push((
                    weight,
                    respond.prop_map(|(to, answer, bit)| Step::Respond(to, answer, bit)).boxed(),
                ));
            }
        }
        if !model.awaiting().is_empty() {
            steps.push((4, select(model.awaiting()).prop_map(Step::ComeRound).boxed()));
        }
        prop::strategy::Union::new_weighted(steps).boxed()
    }

    fn apply(mut model: Self, step: &Step) -> Self {
        model.take(step);
        model
    }

    fn preconditions(model: &Self, step: &Step) -> bool {
        match step {
            Step::Respond(to, ..) => model.awaits(*to) || model.over().contains(to),
            Step::ComeRound(to) => model.awaits(*to),
            _ => true,
        }
    }
}

/// The session, and the numbers that it gives.
struct Rig {
    session: Session<Esme, Tag>,
    submits: Vec<SequenceNumber>,
    probes: Vec<SequenceNumber>,
    unbind: SequenceNumber,
    /// Those that await a response.
    awaiting: Vec<SequenceNumber>,
    /// The number after the last one.
    next: SequenceNumber,
}

impl StateMachineTest for Rig {
    type SystemUnderTest = Self;
    type Reference = Model;

    fn init_test(model: &Model) -> Self {
        let config = Config {
            window: model.window as u16,
            max_output: model.max_output as usize,
            response_timeout: Duration::from_secs(RESPONSE),
            enquire_link_interval: Some(Duration::from_secs(IDLE)),
            drain_timeout: Duration::from_secs(DRAIN),
            ..Config::default()
        };
        let mut session = Session::new(config, Instant::ZERO);
        session.window = Window::starting_at(config.window, model.start);
        assert_eq!(session.request(Instant::ZERO, &Bind::default(), Tag::MAX), Ok(model.start));
        let mut octets = Vec::new();
        session.poll_transmit(&mut octets);
        session.handle_transmitted(octets.len());
        octets.clear();
        let resp = Pdu::BindResp(BindMode::Transceiver, Some(BindResp::default()));
        resp.encode(CommandStatus::ROK, model.start, &mut octets);
        let event = session.handle_input(Instant::ZERO, &mut &octets[..]);
        assert!(matches!(event, Some(Event::Outcome { outcome: Outcome::Accepted(_), .. })), "{event:?}");
        Self {
            session,
            submits: Vec::new(),
            probes: Vec::new(),
            unbind: SequenceNumber::default(),
            awaiting: Vec::new(),
            next: model.start.next(),
        }
    }

    fn apply(mut rig: Self, model: &Model, step: Step) -> Self {
        let now = Instant::after(Duration::from_secs(model.now));
        let mut told = model.told.iter();
        let mut said = model.said.iter();
        match step {
            Step::Submit(text) => rig.submit(now, text, model),
            Step::Respond(to, answer, flipped) => {
                let SequenceNumber(number) = rig.number(to);
                let number = SequenceNumber(flipped.map_or(number, |bit| number ^ 1 << bit));
                rig.hear(now, &response(to, answer, number), &mut told);
            }
            Step::PeerEnquires => rig.hear(now, &request(Pdu::EnquireLink), &mut told),
            Step::PeerUnbinds => rig.hear(now, &request(Pdu::Unbind), &mut told),
            Step::Transmit(octets) => rig.session.handle_transmitted(octets as usize),
            Step::Pass(seconds) => {
                for left in (0..seconds).rev() {
                    let now = Instant::after(Duration::from_secs(model.now - left));
                    rig.wake(now, &mut told);
                    rig.speak(&mut said);
                }
            }
            Step::ComeRound(to) => {
                rig.next = rig.number(to);
                rig.session.window.skip_to(rig.next);
            }
            Step::Unbind => rig.session.unbind(now),
            Step::Eof => rig.session.handle_eof(),
            Step::Abort => rig.session.abort(),
        }
        rig.wake(now, &mut told);
        rig.speak(&mut said);
        assert_eq!((told.next(), said.next()), (None, None), "did not happen");
        rig.awaiting = model.awaiting().into_iter().map(|to| rig.number(to)).collect();
        rig
    }

    fn check_invariants(rig: &Self, model: &Model) {
        assert_eq!(rig.session.in_flight(), model.in_flight.len());
        assert_eq!(rig.session.wants_input(), model.reads());
        assert_eq!(rig.session.is_full(), model.pending() >= model.max_output);
        let state = match model.stage {
            Stage::Bound | Stage::Draining => State::Bound(BindMode::Transceiver),
            Stage::Unbinding | Stage::PeerUnbound | Stage::Flushing(_) => State::Unbinding,
            Stage::Closed => State::Closed,
        };
        assert_eq!(rig.session.state(), state);
        let now = Instant::after(Duration::from_secs(model.now));
        assert!(rig.session.poll_timeout().is_none_or(|(at, _)| at > now), "nothing stays due");
    }
}

impl Rig {
    fn submit(&mut self, now: Instant, text: u64, model: &Model) {
        let text = alloc::vec![b'x'; text as usize];
        let short_message = ShortMessage::new(&text).unwrap();
        match self.session.request(
            now,
            &SubmitSm { short_message, ..SubmitSm::default() },
            self.submits.len(),
        ) {
            Ok(_) => assert_eq!(model.objections, [], "taken all the same"),
            Err(refused) => {
                assert_eq!(refused.tag, self.submits.len());
                assert!(
                    model.objections.contains(&refused.reason),
                    "{refused:?}, not {:?}",
                    model.objections
                );
            }
        }
    }

    /// A PDU arrives: it is read whole, or left where it is.
    fn hear<'m>(&mut self, now: Instant, pdu: &[u8], told: &mut impl Iterator<Item = &'m Told>) {
        let wanted = self.session.wants_input();
        let mut input = pdu;
        while let Some(event) = self.session.handle_input(now, &mut input) {
            self.note(event, told);
        }
        assert_eq!(input.is_empty(), wanted);
    }

    fn wake<'m>(&mut self, now: Instant, told: &mut impl Iterator<Item = &'m Told>) {
        while let Some(event) = self.session.handle_timeout(now) {
            self.note(event, told);
        }
    }

    fn note<'m>(&mut self, event: Event<'_, Tag>, told: &mut impl Iterator<Item = &'m Told>) {
        let event = match event {
            Event::Outcome { tag, sequence, outcome } => {
                assert_eq!(self.submits[tag], sequence);
                self.awaiting.retain(|number| *number != sequence);
                Told::Outcome(tag, outcome.into_result().map(drop))
            }
            Event::UnexpectedResponse { .. } => Told::Stray,
            Event::PeerUnbind => Told::PeerUnbind,
            Event::Closed(why) => Told::Closed(why),
            other => panic!("{other:?}"),
        };
        assert_eq!(Some(&event), told.next());
    }

    /// Takes what the session has encoded, and looks at the numbers.
    fn speak<'m>(&mut self, said: &mut impl Iterator<Item = &'m (CommandId, u64)>) {
        let mut octets = Vec::new();
        self.session.poll_transmit(&mut octets);
        let mut stream = &octets[..];
        while let Some((pdu, rest)) = frame::split(stream, frame::DEFAULT_MAX_LENGTH).unwrap() {
            let header = pdu.header();
            assert_eq!(Some(&(header.command, header.length.into())), said.next());
            match header.command {
                CommandId::SUBMIT_SM => self.submits.push(header.sequence),
                CommandId::ENQUIRE_LINK => self.probes.push(header.sequence),
                CommandId::UNBIND => self.unbind = header.sequence,
                _ => assert_eq!(header.sequence, PEERS),
            }
            if !header.command.is_response() {
                self.check_number(header.sequence);
            }
            stream = rest;
        }
        assert_eq!(stream, [], "a part of a PDU was transmitted");
    }

    /// It is the next number, but for some that await a response; each of these makes it one more at most. Where
    /// numbers start again it may be another one: without 0, the last and the first may share a slot.
    fn check_number(&mut self, given: SequenceNumber) {
        assert!(given.is_valid(), "{given:?}");
        assert!(!self.awaiting.contains(&given), "{given:?} awaits a response");
        let most = self.awaiting.len() + usize::from(given < self.next);
        let mut skipped = 0;
        while self.next != given {
            skipped += 1;
            self.next = self.next.next();
            assert!(skipped <= most, "{given:?} is out of order");
        }
        self.next = given.next();
        self.awaiting.push(given);
    }

    fn number(&self, to: To) -> SequenceNumber {
        match to {
            To::Submit(tag) => self.submits[tag],
            To::Probe(place) => self.probes[place],
            To::Unbind => self.unbind,
        }
    }
}

/// The number of the peer's requests, which is one of ours, too.
const PEERS: SequenceNumber = SequenceNumber(2);

fn request(pdu: Pdu<'_>) -> Vec<u8> {
    let mut octets = Vec::new();
    pdu.encode(CommandStatus::ROK, PEERS, &mut octets);
    octets
}

fn response(to: To, answer: Answer, number: SequenceNumber) -> Vec<u8> {
    let right = match to {
        To::Submit(_) => Pdu::SubmitSmResp(Some(SubmitSmResp::default())),
        To::Probe(_) => Pdu::EnquireLinkResp,
        To::Unbind => Pdu::UnbindResp,
    };
    let (pdu, status) = match answer {
        Answer::Accept => (right, CommandStatus::ROK),
        Answer::Refuse => (right, CommandStatus::RSUBMITFAIL),
        Answer::Nack => (Pdu::GenericNack, CommandStatus::RINVCMDID),
        Answer::Mistake => (Pdu::CancelSmResp, CommandStatus::ROK),
    };
    let mut octets = Vec::new();
    pdu.encode(status, number, &mut octets);
    octets
}
