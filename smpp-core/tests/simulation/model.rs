//! What must be true of one session, whatever happens: kept beside it and compared after every call.

use std::collections::VecDeque;
use std::time::Duration;

use smpp_core::session::{
    CloseReason, Event, Instant, Outcome, Readiness, Refusal, Refused, Session, Side, State, Stats,
    UnansweredReason,
};
use smpp_core::{CommandId, CommandStatus, DecodeErrorKind, Frame, Header, SequenceNumber, Tolerance, frame};

use super::messages::{Octets, Speaker, Tag, pdu};
use super::settings::Settings;

#[expect(clippy::struct_excessive_bools, reason = "each happened or did not")]
pub(crate) struct Model {
    side: Side,
    settings: Settings,
    /// The longest answer of an application, for the bound of the output.
    longest_answer: usize,
    /// The latest time that was passed in.
    pub(super) clock: Instant,
    /// An answer was given since: it passes no time in.
    answered: bool,
    answered_bind: bool,
    /// The answer is the first that waits for the transport.
    answered_first: bool,
    pub(super) start: Instant,
    open: Vec<Open>,
    /// Requests of ours that were taken and have not come out of the session yet.
    coming: VecDeque<(SequenceNumber, Octets)>,
    /// Octets that have come out of the session, and those that the transport took.
    taken: u64,
    transmitted: u64,
    /// When messages went, within the last second.
    recent: VecDeque<Instant>,
    /// Requests of the peer that no response has left for.
    owed: Vec<(CommandId, SequenceNumber)>,
    nacks_due: u64,
    unanswered: u16,
    /// The application is asked for a bind.
    binding: bool,
    frames: u64,
    octets: u64,
    unexpected_responses: u64,
    timeouts: u64,
    refused: u64,
    /// The counters at the last look, and the octets that were encoded by then.
    stats: Stats,
    encoded: u64,
    pub(super) life: Life,
    pub(crate) closed: Option<CloseReason>,
}

/// One request of ours without an outcome.
struct Open {
    tag: Tag,
    sequence: SequenceNumber,
    command: CommandId,
    deadline: Instant,
    /// Octets of the stream up to its end.
    end: u64,
}

/// What a session goes through, and when.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each happens or does not")]
pub(super) struct Life {
    /// Bound, by the session's clock, which is no later than the time: an answer passes none in.
    pub(super) bound: Option<Instant>,
    pub(super) bound_at: Option<Instant>,
    pub(super) heard: Option<Instant>,
    pub(super) message: Instant,
    /// An outbind went or came.
    pub(super) outbound: Option<Instant>,
    /// The transport took something, or there was nothing to take.
    pub(super) moved: Instant,
    pub(super) unbind: Option<Instant>,
    pub(super) peer_unbind: Option<Instant>,
    /// Takes no more requests.
    pub(super) leaving: Option<Instant>,
    /// Takes no more requests, and nothing is waited for.
    pub(super) unbinding: bool,
    pub(super) broken: bool,
    pub(super) aborted: bool,
    pub(super) eof: bool,
    /// The stream ended while octets waited, an unbind of ours among them if there was one.
    pub(super) cut_short: bool,
    /// Something came that can be the answer to an unbind.
    pub(super) parted: bool,
    /// The end that outcomes spoke of.
    pub(super) announced: Option<CloseReason>,
}

impl Model {
    pub(crate) fn new(side: Side, settings: Settings, start: Instant) -> Self {
        Self {
            side,
            settings,
            longest_answer: 0,
            clock: start,
            answered: false,
            answered_bind: false,
            answered_first: false,
            start,
            open: Vec::new(),
            coming: VecDeque::new(),
            taken: 0,
            transmitted: 0,
            recent: VecDeque::new(),
            owed: Vec::new(),
            nacks_due: 0,
            unanswered: 0,
            binding: false,
            frames: 0,
            octets: 0,
            unexpected_responses: 0,
            timeouts: 0,
            refused: 0,
            stats: Stats::default(),
            encoded: 0,
            life: Life { message: start, moved: start, ..Life::default() },
            closed: None,
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The time is passed in.
    pub(crate) fn pass(&mut self, now: Instant) {
        self.clock = self.clock.max(now);
        if std::mem::take(&mut self.answered) {
            self.life.message = self.clock;
        }
        if std::mem::take(&mut self.answered_bind) {
            self.life.bound_at = self.life.bound_at.map(|_| self.clock);
        }
        if std::mem::take(&mut self.answered_first) {
            self.life.moved = self.clock;
        }
    }

    /// Octets that wait, as of the last look.
    pub(super) fn pending(&self) -> u64 {
        self.encoded - self.transmitted
    }

    fn has_room(&self) -> bool {
        self.pending() < self.settings.max_output.max(1) as u64
    }

    pub(crate) fn in_flight(&self) -> Vec<SequenceNumber> {
        self.open.iter().map(|open| open.sequence).collect()
    }

    /// A request was taken or refused; `readiness` is what was said before.
    pub(crate) fn requested(
        &mut self,
        tag: Tag,
        octets: &Octets,
        readiness: Readiness,
        result: &Result<SequenceNumber, Refused<Tag>>,
        stats: &Stats,
    ) {
        let command = octets.header().command;
        let length = octets.octets().len();
        let encoded = stats.sent.total().octets - self.encoded;
        let window = usize::from(self.settings.window.max(1));
        let foretold = if self.side == Side::Esme { CommandId::SUBMIT_SM } else { CommandId::DELIVER_SM };
        match result {
            Ok(sequence) => {
                assert!(self.open.len() < window, "no place in the window for {tag}");
                assert!(self.has_room(), "{} octets wait already", self.pending());
                assert!(length <= self.settings.max_pdu, "{length} octets are too many");
                assert_eq!(encoded, length as u64, "it is encoded as it was given");
                assert!(sequence.is_valid(), "{sequence:?}");
                assert!(self.open.iter().all(|open| open.sequence != *sequence), "{sequence:?} is in flight");
                if command == foretold {
                    let room = (window - self.open.len()) as u16;
                    assert_eq!(readiness, Readiness::Ready { capacity: room });
                }
                if command.is_message() {
                    self.message_went();
                }
                if command != CommandId::ENQUIRE_LINK {
                    self.life.message = self.clock;
                }
                let deadline = self.clock + self.settings.response;
                let end = stats.sent.total().octets;
                self.open.push(Open { tag, sequence: *sequence, command, deadline, end });
                self.coming.push_back((*sequence, octets.clone()));
            }
            Err(Refused { tag: back, reason: why }) => {
                assert_eq!(*back, tag, "a refused request gives its tag back");
                assert_eq!(encoded, 0, "a refused request is not sent");
                match *why {
                    Refusal::WindowFull => assert_eq!(self.open.len(), window),
                    Refusal::OutputFull => assert!(!self.has_room()),
                    Refusal::TooLong => assert!(length > self.settings.max_pdu),
                    Refusal::TlvsUnsupported => assert!(!pdu(octets).tlvs().is_empty()),
                    Refusal::RateLimited(until) => assert!(until > self.clock && command.is_message()),
                    Refusal::State(given) => {
                        assert!(self.closed.is_none() || given == State::Closed, "{given:?} after the end");
                        let binding = self.open.iter().any(|open| open.command.is_bind());
                        let waits = matches!(given, State::Open | State::Outbound) && !binding;
                        let binds = self.side == Side::Esme && command.is_bind();
                        assert!(!(waits && binds), "it can bind again");
                    }
                    _ => {}
                }
                let permanent =
                    matches!(why, Refusal::TooLong | Refusal::TlvsUnsupported | Refusal::Version(_));
                if command == foretold && !permanent {
                    assert_eq!(readiness, Readiness::Refusing(*why));
                }
            }
        }
    }

    fn message_went(&mut self) {
        let Some((limit, _)) = self.settings.rate else { return };
        let now = self.clock;
        self.recent.retain(|at| now - *at < Duration::from_secs(1));
        self.recent.push_back(now);
        assert!(self.recent.len() <= limit as usize, "{} messages in a second", self.recent.len());
    }

    /// A notification was sent.
    pub(crate) fn notified(&mut self, octets: &Octets) {
        self.life.message = self.clock;
        if octets.header().command == CommandId::OUTBIND {
            self.life.outbound = Some(self.clock);
        }
        self.coming.push_back((SequenceNumber(0), octets.clone()));
    }

    /// The application answers.
    pub(crate) fn answered(&mut self, octets: &Octets, result: Result<(), Refusal>) {
        self.unanswered -= 1;
        self.binding &= !octets.header().command.is_bind();
        self.answered_first |= result.is_ok() && self.pending() == 0;
        self.answered_bind |= octets.header().command.is_bind();
        let length = octets.octets().len();
        self.longest_answer = self.longest_answer.max(length);
        match result {
            Ok(()) => self.answered = true,
            Err(Refusal::TooLong) => {
                assert!(length > self.settings.max_pdu);
                self.answered = true;
            }
            Err(why) => assert_eq!(why, Refusal::State(State::Closed)),
        }
    }

    /// Octets have come out of the session: whole PDUs, in the order in which they were made.
    pub(crate) fn took(&mut self, mut octets: &[u8], stats: &Stats) {
        self.taken += octets.len() as u64;
        assert_eq!(self.taken, stats.sent.total().octets, "all that was encoded comes out");
        while let Some((pdu, rest)) = frame::split(octets, usize::MAX).expect("a PDU of ours") {
            octets = rest;
            let header = pdu.header();
            if header.command == CommandId::GENERIC_NACK {
                self.nacks_due = self.nacks_due.checked_sub(1).expect("a generic_nack for nothing");
            } else if header.command.is_response() {
                let request = (header.command.request(), header.sequence);
                let index = self.owed.iter().position(|owed| *owed == request);
                self.owed.swap_remove(index.unwrap_or_else(|| panic!("{header:?} answers nothing")));
            } else {
                self.came_out(pdu);
            }
        }
        assert!(octets.is_empty(), "a part of a PDU came out");
    }

    fn came_out(&mut self, pdu: Frame<&[u8]>) {
        let header = pdu.header();
        let next = self.coming.front().filter(|(sequence, octets)| {
            let same = octets.header().command == header.command && octets.body() == pdu.body();
            // A notification has a number of which nobody was told.
            same && (*sequence == header.sequence || !header.command.has_response())
        });
        if next.is_some() {
            self.coming.pop_front();
            return;
        }
        let own = matches!(header.command, CommandId::ENQUIRE_LINK | CommandId::UNBIND);
        assert!(own, "{header:?} was not asked for, or not at this place");
        assert!(!self.in_flight().contains(&header.sequence), "{header:?} shares its number");
    }

    /// The transport took octets.
    pub(crate) fn transmitted(&mut self, octets: usize, now: Instant) {
        self.transmitted += octets as u64;
        self.life.moved = now;
    }

    /// The session has read these octets, with one PDU at their end that it may have something to tell about.
    pub(crate) fn read(&mut self, mut octets: &[u8]) {
        while !octets.is_empty() {
            let Ok(Some((pdu, rest))) = frame::split(octets, self.settings.max_pdu) else {
                self.life.broken = true;
                self.nacks_due += 1;
                return;
            };
            octets = rest;
            self.heard(pdu);
        }
    }

    fn heard(&mut self, pdu: Frame<&[u8]>) {
        let Header { command, sequence, .. } = pdu.header();
        self.frames += 1;
        self.octets += pdu.octets().len() as u64;
        self.life.heard = Some(self.clock);
        if command.request() != CommandId::ENQUIRE_LINK {
            self.life.message = self.clock;
        }
        let unknown = |pdu: Frame<&[u8]>| {
            pdu.pdu(Tolerance::LENIENT).is_err_and(|error| error.kind == DecodeErrorKind::UnknownCommand)
        };
        if command.is_response() {
            self.life.parted |= matches!(command, CommandId::UNBIND_RESP | CommandId::GENERIC_NACK);
            return;
        }
        if unknown(pdu) {
            self.nacks_due += 1;
        } else if command.has_response() {
            self.owed.push((command, sequence));
        }
    }

    /// Something was told.
    pub(crate) fn told(&mut self, event: &Event<'_, Tag>) {
        assert_eq!(self.closed, None, "{event:?} follows the end");
        match event {
            Event::Request { frame, .. } => {
                self.unanswered += 1;
                self.binding |= frame.header().command.is_bind();
            }
            Event::Outcome { tag, sequence, outcome } => self.ended(*tag, *sequence, outcome),
            Event::Refused { status, .. } => {
                self.refused += 1;
                if *status == CommandStatus::RTHROTTLED {
                    assert_eq!(self.unanswered, self.settings.max_unanswered.max(1), "there was room");
                }
                if *status == CommandStatus::RALYBND {
                    assert!(self.binding || self.life.bound.is_some(), "nobody has bound");
                }
            }
            Event::Notification { frame, .. } if frame.header().command == CommandId::OUTBIND => {
                self.life.outbound = Some(self.clock);
            }
            Event::UnexpectedResponse { .. } => self.unexpected_responses += 1,
            Event::PeerUnbind => self.life.peer_unbind = Some(self.clock),
            Event::Closed(why) => {
                assert!(self.open.is_empty(), "{} requests have no outcome", self.open.len());
                assert!(self.life.announced.is_none_or(|announced| announced == *why), "{why:?}");
                self.check_reason(*why);
                self.closed = Some(*why);
            }
            _ => {}
        }
    }

    fn ended(&mut self, tag: Tag, sequence: SequenceNumber, outcome: &Outcome<'_>) {
        let index = self.open.iter().position(|open| open.tag == tag);
        let open = self.open.remove(index.unwrap_or_else(|| panic!("{tag} is not open: {outcome:?}")));
        assert_eq!(open.sequence, sequence, "{tag}");
        let left = open.end <= self.transmitted;
        match *outcome {
            Outcome::Accepted(response) => {
                assert_eq!(response.pdu().map(|pdu| pdu.command()), Some(open.command.response()), "{tag}");
            }
            Outcome::Refused { response, status } => {
                assert_eq!(response.pdu().map(|pdu| pdu.command()), Some(open.command.response()), "{tag}");
                assert!(!status.is_ok());
            }
            Outcome::Unanswered(UnansweredReason::Timeout) => {
                self.timeouts += 1;
                assert!(self.clock >= open.deadline, "{tag} was given up too early");
            }
            Outcome::NeverSent(why) => {
                assert!(!left, "{tag} has left");
                assert_eq!(*self.life.announced.get_or_insert(why), why);
            }
            Outcome::Unanswered(UnansweredReason::Closed(why)) => {
                assert!(left, "{tag} has not left");
                assert_eq!(*self.life.announced.get_or_insert(why), why);
            }
            Outcome::Nacked(_) | Outcome::Unanswered(_) => {}
        }
    }

    /// After every call.
    pub(crate) fn check<R: Speaker>(&mut self, session: &Session<R, Tag>, now: Instant) {
        let stats = session.stats();
        self.check_stats(&stats, now);
        let settings = &self.settings;
        assert_eq!(session.in_flight(), self.open.len());
        assert!(self.open.len() <= usize::from(settings.window.max(1)), "the window overflows");
        assert!(self.unanswered <= settings.max_unanswered.max(1), "too much was asked at once");
        assert_eq!(session.is_full(), !self.has_room());
        // A response and a probe or an unbind on top of what the limits allow.
        let answers = usize::from(settings.max_unanswered.max(1)) * self.longest_answer;
        let most = 2 * settings.max_output.max(1) + settings.max_pdu + answers + 4 * 17;
        assert!(self.pending() <= most as u64, "{} octets wait, {most} at most", self.pending());
        if self.closed.is_some() {
            assert_eq!((session.poll_timeout(), session.state()), (None, State::Closed));
            assert!(!session.wants_input());
        }
        self.check_end(session, now);
    }

    fn check_stats(&mut self, stats: &Stats, now: Instant) {
        let before = self.stats;
        let (sent, received) = (stats.sent.total(), stats.received.total());
        assert!(sent.octets >= self.encoded);
        assert!(stats.quirks >= before.quirks && stats.malformed >= before.malformed);
        assert!(stats.throttled >= before.throttled);
        assert_eq!(stats.transmitted, self.transmitted);
        assert_eq!((received.pdus(), received.octets), (self.frames, self.octets));
        assert_eq!((usize::from(stats.in_flight), stats.unanswered), (self.open.len(), self.unanswered));
        assert_eq!(
            (stats.unexpected_responses, stats.timeouts, stats.refused),
            (self.unexpected_responses, self.timeouts, self.refused)
        );
        if self.encoded == self.transmitted && sent.octets > self.transmitted {
            self.life.moved = now;
        }
        self.stats = *stats;
        self.encoded = sent.octets;
    }

    pub(super) fn too_many_malformed(&self) -> bool {
        self.stats.malformed > u64::from(self.settings.max_malformed)
    }

    pub(super) fn side(&self) -> Side {
        self.side
    }

    /// Nothing is in flight and nothing owed.
    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty() && self.unanswered == 0
    }

    pub(super) fn owes(&self) -> bool {
        self.unanswered > 0
    }

    pub(super) fn overdue(&self) -> Option<Tag> {
        self.open.iter().find(|open| open.deadline <= self.clock).map(|open| open.tag)
    }

    /// Whether a request of the peer is left without an answer. A last enquire_link is, if the peer was gone before
    /// the answer left.
    pub(crate) fn is_silent(&self) -> bool {
        self.owed.iter().any(|(command, _)| *command != CommandId::ENQUIRE_LINK)
    }
}
