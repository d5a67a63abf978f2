//! The reference model, and the random steps that drive it.

use alloc::vec::Vec;

use proptest::prelude::*;
use proptest::sample::select;
use proptest_state_machine::ReferenceStateMachine;

use crate::frame::SequenceNumber;
use crate::pdu::{CommandId, CommandStatus};
use crate::session::{CloseReason, NotSentReason, Refusal, RequestError, State, UnansweredReason};

/// The configured timeouts, in seconds.
pub(super) const RESPONSE_TIMEOUT: u64 = 10;
pub(super) const ENQUIRE_LINK_INTERVAL: u64 = 30;
pub(super) const DRAIN_TIMEOUT: u64 = 8;

/// Octets of a submit_sm without its text.
pub(super) const EMPTY_SUBMIT_LENGTH: u64 = 33;

/// Identifies a submit_sm. The model has no sequence numbers.
pub(super) type Tag = usize;

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Submits a text of this many octets.
    Submit(u64),
    /// The peer answers a request that waits, or waited, for a response. This bit of the sequence number is flipped.
    Respond(Target, Answer, Option<u32>),
    PeerEnquires,
    PeerUnbinds,
    /// The transport accepts this many octets.
    Transmit(u64),
    /// This many seconds pass, one by one.
    Wait(u64),
    /// The sequence numbers wrap: the next number is that of a request that still waits for its response.
    WrapSequence(Target),
    Unbind,
    Eof,
    Abort,
}

/// A request of the session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Target {
    Submit(Tag),
    /// The enquire_link with this index, in the order of sending.
    EnquireLink(usize),
    Unbind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Answer {
    Accept,
    Refuse,
    Nack,
    /// The response to another operation.
    WrongCommand,
}

/// An event of the session, without the octets.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reported {
    Outcome(Tag, Result<(), RequestError>),
    UnexpectedResponse,
    PeerUnbind,
    Closed(CloseReason),
}

#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) window: usize,
    pub(super) max_output: u64,
    pub(super) start: SequenceNumber,

    pub(super) now: u64,
    pub(super) stage: Stage,
    /// When the stage times out.
    pub(super) stage_timeout: Option<u64>,

    pub(super) in_flight: Vec<InFlight>,
    /// Submits accepted and enquire_links sent so far.
    pub(super) submits: usize,
    pub(super) enquire_links: usize,
    /// The enquire_link that waits for its response, and its timeout unless another PDU has arrived since.
    pub(super) enquire_link: Option<usize>,
    pub(super) enquire_link_timeout: Option<u64>,
    /// Whether the session sends enquire_link when the peer is silent.
    pub(super) keep_alive: bool,
    /// Whether an unbind waits for its response.
    pub(super) unbind: bool,
    /// Requests with lower indices than these may share their sequence number with a later request.
    pub(super) unique_from: (usize, usize),
    pub(super) last_received: u64,

    /// Octets encoded, and octets that the transport has accepted, since the start.
    pub(super) encoded: u64,
    pub(super) transmitted: u64,
    /// When the session next checks whether the transport has accepted octets, and whether it has.
    pub(super) stall_check: Option<u64>,
    pub(super) has_progress: bool,

    /// The effects of the last step: events, and PDUs with their lengths.
    pub(super) reported: Vec<Reported>,
    pub(super) sent: Vec<(CommandId, u64)>,
    /// Valid reasons to refuse the last submit. The session may return any of them.
    pub(super) refusals: Vec<Refusal>,
}

#[derive(Clone, Debug)]
pub(super) struct InFlight {
    pub(super) tag: Tag,
    pub(super) sent_at: u64,
    /// Position of the request's end in the output stream, in octets.
    pub(super) end: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stage {
    Bound,
    /// Sends unbind when no request is in flight.
    Draining,
    Unbinding,
    /// The peer has unbound. Requests in flight may still be answered.
    PeerUnbound,
    /// Ends when all output is transmitted.
    Flushing(CloseReason),
    Closed,
}

impl Model {
    pub(super) fn new(window: usize, max_output: u64, start: u32) -> Self {
        Self {
            window,
            max_output,
            start: SequenceNumber(start),
            now: 0,
            stage: Stage::Bound,
            stage_timeout: None,
            in_flight: Vec::new(),
            submits: 0,
            enquire_links: 0,
            enquire_link: None,
            enquire_link_timeout: None,
            keep_alive: true,
            unbind: false,
            unique_from: (0, 0),
            last_received: 0,
            encoded: 0,
            transmitted: 0,
            stall_check: None,
            has_progress: false,
            reported: Vec::new(),
            sent: Vec::new(),
            refusals: Vec::new(),
        }
    }

    pub(super) fn run(&mut self, step: &Step) {
        self.reported.clear();
        self.sent.clear();
        self.refusals.clear();
        match *step {
            Step::Submit(text) => self.submit(text),
            Step::Respond(to, answer, flipped) => self.receive_response(to, answer, flipped.is_some()),
            Step::PeerEnquires if self.reads() => {
                self.receive();
                self.send(CommandId::ENQUIRE_LINK_RESP, 16);
            }
            Step::PeerUnbinds if self.reads() => self.receive_unbind(),
            Step::Transmit(octets) => self.transmit(octets),
            Step::Wait(seconds) => (0..seconds).for_each(|_| self.wait_one_second()),
            Step::WrapSequence(_) => self.unique_from = (self.submits, self.enquire_links),
            Step::Unbind if self.stage == Stage::Bound => {
                self.stage = Stage::Draining;
                self.stage_timeout = Some(self.now + DRAIN_TIMEOUT);
                self.advance();
            }
            Step::Eof => self.close(match self.stage {
                Stage::Unbinding if self.pending() == 0 => CloseReason::Unbound,
                Stage::PeerUnbound => CloseReason::PeerUnbound,
                Stage::Flushing(reason) => reason,
                _ => CloseReason::Disconnected,
            }),
            Step::Abort => self.close(CloseReason::Aborted),
            // The session reads no input, or its shutdown has begun.
            Step::PeerEnquires | Step::PeerUnbinds | Step::Unbind => {}
        }
    }

    fn submit(&mut self, text: u64) {
        match self.stage {
            Stage::Bound => {}
            Stage::Closed => self.refusals.push(Refusal::State(State::Closed)),
            _ => self.refusals.push(Refusal::State(State::Unbinding)),
        }
        if self.refusals.is_empty() && self.in_flight.len() == self.window {
            self.refusals.push(Refusal::WindowFull);
        }
        if self.stage == Stage::Bound && self.pending() >= self.max_output {
            self.refusals.push(Refusal::OutputFull);
        }
        if self.refusals.is_empty() {
            self.send(CommandId::SUBMIT_SM, EMPTY_SUBMIT_LENGTH + text);
            self.in_flight.push(InFlight { tag: self.submits, sent_at: self.now, end: self.encoded });
            self.submits += 1;
        }
    }

    fn receive_response(&mut self, to: Target, answer: Answer, other_number: bool) {
        if !self.reads() {
            return;
        }
        self.receive();
        if other_number || answer == Answer::WrongCommand || !self.awaits(to) {
            return self.reported.push(Reported::UnexpectedResponse);
        }
        match to {
            Target::Submit(tag) => {
                self.in_flight.retain(|request| request.tag != tag);
                self.reported.push(Reported::Outcome(
                    tag,
                    match answer {
                        Answer::Accept => Ok(()),
                        Answer::Refuse => Err(RequestError::Refused(CommandStatus::RSUBMITFAIL)),
                        Answer::Nack | Answer::WrongCommand => {
                            Err(RequestError::Nacked(CommandStatus::RINVCMDID))
                        }
                    },
                ));
                self.advance();
            }
            Target::EnquireLink(_) => self.enquire_link = None,
            Target::Unbind => self.flush(CloseReason::Unbound),
        }
    }

    fn receive_unbind(&mut self) {
        self.receive();
        if matches!(self.stage, Stage::Bound | Stage::Draining) {
            self.reported.push(Reported::PeerUnbind);
            self.stop_keep_alive_and_enter(Stage::PeerUnbound, DRAIN_TIMEOUT);
        }
        self.send(CommandId::UNBIND_RESP, 16);
        self.advance();
    }

    /// Records a received PDU: any PDU proves that the link works.
    fn receive(&mut self) {
        self.last_received = self.now;
        if self.enquire_link.is_some() {
            self.enquire_link_timeout = None;
        }
    }

    fn transmit(&mut self, octets: u64) {
        self.transmitted = self.encoded.min(self.transmitted + octets);
        self.has_progress |= octets > 0;
        if self.pending() == 0 {
            self.stall_check = None;
        }
        self.advance();
    }

    /// Lets a second pass. Timeouts of requests come first among those due in the same second.
    fn wait_one_second(&mut self) {
        self.now += 1;
        let now = Some(self.now);
        let sent_before = self.sent.len();
        while self.in_flight.first().is_some_and(|request| request.sent_at + RESPONSE_TIMEOUT == self.now) {
            let request = self.in_flight.remove(0);
            self.reported.push(Reported::Outcome(
                request.tag,
                Err(RequestError::Unanswered(UnansweredReason::Timeout)),
            ));
            self.advance();
        }
        if self.keep_alive
            && self.enquire_link_timeout.is_none()
            && self.last_received + ENQUIRE_LINK_INTERVAL == self.now
        {
            self.enquire_link = Some(self.enquire_links);
            self.enquire_link_timeout = Some(self.now + RESPONSE_TIMEOUT);
            self.enquire_links += 1;
            self.send(CommandId::ENQUIRE_LINK, 16);
        }
        if self.enquire_link_timeout == now {
            self.close(CloseReason::LinkDead);
        }
        if self.stall_check == now && self.has_progress {
            self.has_progress = false;
            self.stall_check = Some(self.now + RESPONSE_TIMEOUT);
        } else if self.stall_check == now {
            self.close(CloseReason::Stalled);
        }
        if self.stage_timeout == now {
            match self.stage {
                Stage::Bound | Stage::Closed => {}
                Stage::Draining => self.send_unbind(),
                Stage::Unbinding => self.close(CloseReason::UnbindTimeout),
                Stage::PeerUnbound => self.flush(CloseReason::PeerUnbound),
                Stage::Flushing(reason) => self.close(reason),
            }
        }
        if self.stage == Stage::Closed {
            // A PDU encoded in the second of the end is not transmitted.
            self.sent.truncate(sent_before);
        }
    }

    /// Enters the next stage if nothing is left to wait for in this one.
    fn advance(&mut self) {
        match self.stage {
            Stage::Draining if self.in_flight.is_empty() => self.send_unbind(),
            Stage::PeerUnbound if self.in_flight.is_empty() => self.flush(CloseReason::PeerUnbound),
            Stage::Flushing(reason) if self.pending() == 0 => self.close(reason),
            _ => {}
        }
    }

    fn send_unbind(&mut self) {
        self.send(CommandId::UNBIND, 16);
        self.unbind = true;
        self.stop_keep_alive_and_enter(Stage::Unbinding, RESPONSE_TIMEOUT);
    }

    /// After an unbind the session sends no enquire_link.
    fn stop_keep_alive_and_enter(&mut self, stage: Stage, seconds: u64) {
        (self.keep_alive, self.enquire_link_timeout) = (false, None);
        self.stage = stage;
        self.stage_timeout = Some(self.now + seconds);
    }

    fn flush(&mut self, reason: CloseReason) {
        (self.keep_alive, self.enquire_link, self.enquire_link_timeout) = (false, None, None);
        (self.unbind, self.stall_check) = (false, None);
        self.stage = Stage::Flushing(reason);
        self.stage_timeout = Some(self.now + RESPONSE_TIMEOUT);
        self.advance();
    }

    fn close(&mut self, reason: CloseReason) {
        if self.stage == Stage::Closed {
            return;
        }
        for request in self.in_flight.drain(..) {
            let error = if request.end > self.transmitted {
                RequestError::NeverSent(NotSentReason::Closed(reason))
            } else {
                RequestError::Unanswered(UnansweredReason::Closed(reason))
            };
            self.reported.push(Reported::Outcome(request.tag, Err(error)));
        }
        self.reported.push(Reported::Closed(reason));
        (self.keep_alive, self.enquire_link, self.enquire_link_timeout) = (false, None, None);
        (self.unbind, self.stall_check) = (false, None);
        self.stage = Stage::Closed;
        self.stage_timeout = None;
        self.unique_from = (self.submits, self.enquire_links);
    }

    fn send(&mut self, command: CommandId, octets: u64) {
        if self.pending() == 0 {
            self.has_progress = true;
            self.stall_check = Some(self.now + RESPONSE_TIMEOUT);
        }
        self.encoded += octets;
        self.sent.push((command, octets));
    }

    pub(super) fn pending(&self) -> u64 {
        self.encoded - self.transmitted
    }

    pub(super) fn reads(&self) -> bool {
        !matches!(self.stage, Stage::Flushing(_) | Stage::Closed)
    }

    pub(super) fn awaits(&self, to: Target) -> bool {
        self.awaiting().contains(&to)
    }

    /// Returns the requests that wait for a response.
    pub(super) fn awaiting(&self) -> Vec<Target> {
        let submits = self.in_flight.iter().map(|request| Target::Submit(request.tag));
        submits
            .chain(self.enquire_link.map(Target::EnquireLink))
            .chain(self.unbind.then_some(Target::Unbind))
            .collect()
    }

    /// Returns the latest requests that no longer wait for a response, and whose sequence numbers are unique.
    pub(super) fn finished(&self) -> Vec<Target> {
        let (submits, enquire_links) = self.unique_from;
        let submits = (submits..self.submits).map(Target::Submit);
        let all = submits.chain((enquire_links..self.enquire_links).map(Target::EnquireLink));
        let mut finished: Vec<Target> = all.filter(|to| !self.awaits(*to)).collect();
        finished.drain(..finished.len().saturating_sub(4));
        finished
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
            (8, (1..4_u64).prop_map(Step::Wait).boxed()),
            (6, (4..35_u64).prop_map(Step::Wait).boxed()),
            (4, Just(Step::PeerEnquires).boxed()),
            (2, Just(Step::PeerUnbinds).boxed()),
            (4, Just(Step::Unbind).boxed()),
            // Cut the connection often during the shutdown.
            (if model.stage == Stage::Bound { 1 } else { 10 }, Just(Step::Eof).boxed()),
            (1, Just(Step::Abort).boxed()),
        ];
        let answer = || select(&[Answer::Accept, Answer::Refuse, Answer::Nack, Answer::WrongCommand][..]);
        let flipped = || prop::option::weighted(0.1, 8..32_u32);
        for (weight, to) in [(40, model.awaiting()), (8, model.finished())] {
            if !to.is_empty() {
                let respond = (select(to), answer(), flipped());
                steps.push((
                    weight,
                    respond.prop_map(|(to, answer, bit)| Step::Respond(to, answer, bit)).boxed(),
                ));
            }
        }
        if !model.awaiting().is_empty() {
            steps.push((4, select(model.awaiting()).prop_map(Step::WrapSequence).boxed()));
        }
        prop::strategy::Union::new_weighted(steps).boxed()
    }

    fn apply(mut model: Self, step: &Step) -> Self {
        model.run(step);
        model
    }

    fn preconditions(model: &Self, step: &Step) -> bool {
        match step {
            Step::Respond(to, ..) => model.awaits(*to) || model.finished().contains(to),
            Step::WrapSequence(to) => model.awaits(*to),
            _ => true,
        }
    }
}
