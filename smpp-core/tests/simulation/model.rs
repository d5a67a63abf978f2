//! The guarantees of one session: a model that the test compares with the session after every call.

use std::collections::VecDeque;
use std::time::Duration;

use smpp_proto::session::{
    CloseReason, Event, Instant, Kind, Outcome, Readiness, Refusal, Refused, Session, Side, State, Stats,
    UnansweredReason,
};
use smpp_proto::{
    CommandId, CommandStatus, DecodeErrorKind, Frame, Header, SequenceNumber, Tolerance, frame,
};

use super::liveness::Liveness;
use super::messages::{Octets, SendPdu, Tag, pdu, without_tlvs};
use super::settings::Settings;

#[expect(clippy::struct_excessive_bools, reason = "each happened or did not")]
pub(crate) struct Model {
    side: Side,
    settings: Settings,
    /// The longest response of the application, for the limit of the output.
    longest_answer: usize,
    /// The latest time that was passed to the session.
    pub(super) clock: Instant,
    /// The application has answered since then. `respond` takes no time.
    answered: bool,
    answered_bind: bool,
    /// Such a response is the first output that waits for the transport.
    answered_first: bool,
    pub(super) start: Instant,
    open: Vec<Open>,
    /// Requests that the session has accepted and that were not yet taken as output.
    expected_output: VecDeque<(SequenceNumber, Octets)>,
    /// Octets taken as output of the session, and octets that the transport has accepted.
    output: u64,
    transmitted: u64,
    /// When messages were sent, within the last second.
    recent: VecDeque<Instant>,
    /// Requests of the peer whose response was not yet taken as output.
    missing_responses: Vec<(CommandId, SequenceNumber)>,
    nacks_due: u64,
    unanswered: u16,
    /// The application has a bind to answer.
    binding: bool,
    frames: u64,
    octets: u64,
    unexpected_responses: u64,
    timeouts: u64,
    refused: u64,
    /// The counters after the last call, and the octets encoded by then.
    stats: Stats,
    encoded: u64,
    /// Position of the end of the application's last response in the output stream, in octets.
    responses_end: u64,
    pub(super) history: History,
    pub(super) liveness: Liveness,
    pub(crate) closed: Option<CloseReason>,
}

/// One accepted request without an outcome.
pub(super) struct Open {
    pub(super) tag: Tag,
    pub(super) sequence: SequenceNumber,
    pub(super) command: CommandId,
    pub(super) sent: Instant,
    pub(super) deadline: Instant,
    /// Position of its end in the output stream, in octets.
    end: u64,
}

/// What has happened in a session, and when.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each happens or does not")]
pub(super) struct History {
    /// When the session was bound, by its own clock. That may be earlier than the real time, because `respond` takes none.
    pub(super) bound: Option<Instant>,
    pub(super) bound_at: Option<Instant>,
    /// When the last PDU arrived.
    pub(super) received: Option<Instant>,
    /// When the last PDU passed that counts as activity.
    pub(super) activity: Instant,
    /// When an outbind was sent or received.
    pub(super) outbound: Option<Instant>,
    /// When the transport last accepted octets, or had none to accept.
    pub(super) progress: Instant,
    pub(super) unbind: Option<Instant>,
    pub(super) peer_unbind: Option<Instant>,
    /// When the session stopped accepting requests.
    pub(super) shutdown: Option<Instant>,
    /// Whether the session accepts no requests and waits for none.
    pub(super) unbinding: bool,
    pub(super) broken: bool,
    pub(super) aborted: bool,
    pub(super) eof: bool,
    /// Whether the stream ended while output waited, possibly with an unbind in it that got no response.
    pub(super) cut_short: bool,
    /// Whether a PDU arrived that can answer an unbind.
    pub(super) unbind_answered: bool,
    /// The close reason that outcomes have reported.
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
            expected_output: VecDeque::new(),
            output: 0,
            transmitted: 0,
            recent: VecDeque::new(),
            missing_responses: Vec::new(),
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
            responses_end: 0,
            history: History { activity: start, progress: start, ..History::default() },
            liveness: Liveness::new(start),
            closed: None,
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Records a time that is passed to the session.
    pub(crate) fn advance_clock(&mut self, now: Instant) {
        self.clock = self.clock.max(now);
        self.date_eof();
        if std::mem::take(&mut self.answered) {
            self.history.activity = self.clock;
        }
        if std::mem::take(&mut self.answered_bind) {
            self.history.bound_at = self.history.bound_at.map(|_| self.clock);
        }
        if std::mem::take(&mut self.answered_first) {
            self.history.progress = self.clock;
        }
    }

    /// Returns whether the application has answered every request, and the transport has accepted the responses.
    pub(super) fn has_sent_responses(&self) -> bool {
        self.unanswered == 0 && self.responses_end <= self.transmitted
    }

    /// Returns the octets that wait, as of the last call.
    pub(super) fn pending(&self) -> u64 {
        self.encoded - self.transmitted
    }

    fn has_output_capacity(&self) -> bool {
        self.pending() < self.settings.max_output.max(1) as u64
    }

    pub(crate) fn in_flight(&self) -> Vec<SequenceNumber> {
        self.open.iter().map(|open| open.sequence).chain(self.timed_out()).collect()
    }

    /// Returns the latest request without an outcome.
    pub(crate) fn latest_request(&self) -> Option<Tag> {
        self.open.last().map(|open| open.tag)
    }

    pub(crate) fn is_open(&self, tag: Tag) -> bool {
        self.open.iter().any(|open| open.tag == tag)
    }

    pub(super) fn open(&self) -> &[Open] {
        &self.open
    }

    pub(super) fn unanswered(&self) -> u16 {
        self.unanswered
    }

    /// Records a request and its result. `readiness` is from before the request.
    pub(crate) fn record_request(
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
        let in_window = self.open.len() + usize::from(self.stats.timed_out);
        let message_command =
            if self.side == Side::Esme { CommandId::SUBMIT_SM } else { CommandId::DELIVER_SM };
        match result {
            Ok(sequence) => {
                assert!(in_window < window, "the window was full for {tag}");
                self.check_not_suspended(*sequence);
                assert!(self.has_output_capacity(), "{} octets already wait", self.pending());
                assert!(encoded <= self.settings.max_pdu as u64, "{encoded} octets exceed max_pdu");
                let sent = if encoded < length as u64 { without_tlvs(octets) } else { octets.clone() };
                assert_eq!(encoded, sent.octets().len() as u64, "the encoded length differs");
                self.expected_output.push_back((*sequence, sent));
                assert!(sequence.is_valid(), "{sequence:?}");
                assert!(self.open.iter().all(|open| open.sequence != *sequence), "{sequence:?} is in flight");
                if command == message_command {
                    let capacity = (window - in_window) as u16;
                    assert_eq!(readiness, Readiness::Ready { capacity });
                }
                if command.is_message() {
                    self.record_message();
                }
                if command != CommandId::ENQUIRE_LINK {
                    self.history.activity = self.clock;
                }
                let deadline = self.clock + self.settings.response;
                let end = stats.sent.total().octets;
                let sent = self.clock;
                self.open.push(Open { tag, sequence: *sequence, command, sent, deadline, end });
            }
            Err(Refused { tag: returned, reason, .. }) => {
                assert_eq!(*returned, tag, "a refused request returns its tag");
                assert_eq!(encoded, 0, "a refused request is not sent");
                match *reason {
                    Refusal::WindowFull => assert!(in_window == window || self.is_suspended()),
                    Refusal::OutputFull => assert!(!self.has_output_capacity()),
                    Refusal::TooLong => assert!(length > self.settings.max_pdu),
                    Refusal::TlvsUnsupported => assert!(!pdu(octets).tlvs().is_empty()),
                    Refusal::RateLimited(until) => assert!(until > self.clock && command.is_message()),
                    Refusal::Closed(given) => {
                        assert!(self.closed.is_none_or(|reason| given == reason), "{given:?} after the end");
                    }
                    Refusal::Closing(given) => assert_eq!(self.closed, None, "closing: {given}"),
                    Refusal::State(given) => {
                        assert_eq!(self.closed, None, "{given:?} after the end");
                        let binding = self.open.iter().any(|open| open.command.is_bind());
                        let waits = matches!(given, State::Open | State::Outbound) && !binding;
                        let binds = self.side == Side::Esme && command.is_bind();
                        assert!(!(waits && binds), "the session must accept a bind");
                    }
                    _ => {}
                }
                let permanent =
                    matches!(reason, Refusal::TooLong | Refusal::TlvsUnsupported | Refusal::Version(_));
                if command == message_command && !permanent {
                    assert_eq!(readiness, Readiness::Refusing(*reason));
                }
            }
        }
    }

    fn record_message(&mut self) {
        let Some((limit, _)) = self.settings.rate else { return };
        let now = self.clock;
        self.recent.retain(|at| now - *at < Duration::from_secs(1));
        self.recent.push_back(now);
        assert!(self.recent.len() <= limit as usize, "{} messages in a second", self.recent.len());
    }

    /// Records a notification that was sent.
    pub(crate) fn record_notification(&mut self, octets: &Octets) {
        self.history.activity = self.clock;
        if octets.header().command == CommandId::OUTBIND {
            self.history.outbound = Some(self.clock);
        }
        self.expected_output.push_back((SequenceNumber(0), octets.clone()));
    }

    /// Records a response of the application.
    pub(crate) fn record_response(&mut self, octets: &Octets, result: Result<(), Refusal>, stats: &Stats) {
        self.unanswered -= 1;
        self.record_answer();
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
            Err(Refusal::Closed(given)) => {
                assert!(self.closed.is_none_or(|reason| given == reason), "{given:?} after the end");
                return;
            }
            Err(reason) => {
                assert!(matches!(reason, Refusal::Closing(_)) && self.closed.is_none(), "{reason:?}");
                return;
            }
        }
        // The session may have sent an unbind or unbind_resp after the response.
        let unbinds = |stats: &Stats| stats.sent.of(Kind::Unbind).octets;
        self.responses_end = stats.sent.total().octets - (unbinds(stats) - unbinds(&self.stats));
    }

    /// Checks output of the session: whole PDUs, in the order of encoding.
    pub(crate) fn record_output(&mut self, mut octets: &[u8], stats: &Stats) {
        self.output += octets.len() as u64;
        assert_eq!(self.output, stats.sent.total().octets, "output differs from the encoded octets");
        while let Some((pdu, rest)) = frame::split(octets, usize::MAX).expect("a PDU of the session") {
            octets = rest;
            let header = pdu.header();
            if header.command == CommandId::GENERIC_NACK {
                self.nacks_due =
                    self.nacks_due.checked_sub(1).expect("a request to answer with generic_nack");
            } else if header.command.is_response() {
                let request = (header.command.request(), header.sequence);
                let index = self.missing_responses.iter().position(|waiting| *waiting == request);
                self.missing_responses
                    .swap_remove(index.unwrap_or_else(|| panic!("{header:?} answers no request")));
            } else {
                self.check_own_request(pdu);
            }
        }
        assert!(octets.is_empty(), "the output ends within a PDU");
    }

    fn check_own_request(&mut self, pdu: Frame<&[u8]>) {
        let header = pdu.header();
        let next = self.expected_output.front().filter(|(sequence, octets)| {
            let same = octets.header().command == header.command && octets.body() == pdu.body();
            // The sequence number of a notification is not returned to the caller.
            same && (*sequence == header.sequence || !header.command.has_response())
        });
        if next.is_some() {
            self.expected_output.pop_front();
            return;
        }
        let own = matches!(header.command, CommandId::ENQUIRE_LINK | CommandId::UNBIND);
        assert!(own, "{header:?} was not requested, or is out of order");
        let in_flight = self.open.iter().any(|open| open.sequence == header.sequence);
        assert!(!in_flight, "the number of {header:?} is in flight");
    }

    /// Records octets that the transport has accepted.
    pub(crate) fn record_transmitted(&mut self, octets: usize, now: Instant) {
        self.transmitted += octets as u64;
        self.history.progress = now;
    }

    /// Records octets that the session has read. Only the last PDU in them may cause an event.
    pub(crate) fn record_input(&mut self, mut octets: &[u8]) {
        while !octets.is_empty() {
            let Ok(Some((pdu, rest))) = frame::split(octets, self.settings.max_pdu) else {
                self.history.broken = true;
                self.nacks_due += 1;
                return;
            };
            octets = rest;
            self.record_pdu(pdu);
        }
    }

    fn record_pdu(&mut self, pdu: Frame<&[u8]>) {
        let Header { command, sequence, .. } = pdu.header();
        self.frames += 1;
        self.octets += pdu.octets().len() as u64;
        self.history.received = Some(self.clock);
        self.record_life();
        if command.request() != CommandId::ENQUIRE_LINK {
            self.history.activity = self.clock;
        }
        let unknown = |pdu: Frame<&[u8]>| {
            pdu.pdu(Tolerance::LENIENT).is_err_and(|error| error.kind == DecodeErrorKind::UnknownCommand)
        };
        if command.is_response() {
            self.history.unbind_answered |=
                matches!(command, CommandId::UNBIND_RESP | CommandId::GENERIC_NACK);
            return;
        }
        if unknown(pdu) {
            self.nacks_due += 1;
        } else if command.has_response() {
            self.missing_responses.push((command, sequence));
        }
    }

    /// Records an event.
    pub(crate) fn record_event(&mut self, event: &Event<'_, Tag>) {
        assert_eq!(self.closed, None, "{event:?} follows the end");
        match event {
            Event::Request { frame, .. } => {
                self.unanswered += 1;
                self.binding |= frame.header().command.is_bind();
                self.record_full();
            }
            Event::Outcome { tag, sequence, outcome, .. } => self.record_outcome(*tag, *sequence, outcome),
            Event::Refused { status, .. } => {
                self.refused += 1;
                if *status == CommandStatus::RTHROTTLED {
                    self.check_throttled();
                }
                if *status == CommandStatus::RALYBND {
                    assert!(
                        self.binding || self.history.bound.is_some(),
                        "refused as already bound, without a bind"
                    );
                }
            }
            Event::Notification { frame, .. } if frame.header().command == CommandId::OUTBIND => {
                self.history.outbound = Some(self.clock);
            }
            Event::UnexpectedResponse { frame, .. } => {
                self.unexpected_responses += 1;
                self.check_unexpected(frame.header());
            }
            Event::PeerUnbind => self.history.peer_unbind = Some(self.clock),
            Event::Closed(reason) => {
                assert!(self.open.is_empty(), "{} requests have no outcome", self.open.len());
                assert!(self.history.announced.is_none_or(|announced| announced == *reason), "{reason:?}");
                self.check_reason(*reason);
                self.closed = Some(*reason);
            }
            _ => {}
        }
    }

    fn record_outcome(&mut self, tag: Tag, sequence: SequenceNumber, outcome: &Outcome<'_>) {
        let index = self.open.iter().position(|open| open.tag == tag);
        let open = self.open.remove(index.unwrap_or_else(|| panic!("{tag} is not open: {outcome:?}")));
        assert_eq!(open.sequence, sequence, "{tag}");
        let transmitted = open.end <= self.transmitted;
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
                assert!(self.clock >= open.deadline, "{tag} timed out too early");
                return self.record_timeout(open);
            }
            Outcome::NeverSent(reason) => {
                assert!(!transmitted, "{tag} was transmitted");
                return assert_eq!(*self.history.announced.get_or_insert(reason), reason);
            }
            Outcome::Unanswered(UnansweredReason::Closed(reason)) => {
                assert!(transmitted, "{tag} was not transmitted");
                return assert_eq!(*self.history.announced.get_or_insert(reason), reason);
            }
            Outcome::Nacked(_) | Outcome::Unanswered(_) => {}
        }
        self.record_answered();
    }

    /// Compares the session with the model. Called after every call of the session.
    pub(crate) fn check<R: SendPdu>(&mut self, session: &Session<R, Tag>, now: Instant) {
        let stats = session.stats();
        self.check_stats(&stats, now);
        self.check_requests(session);
        let settings = &self.settings;
        assert_eq!(session.in_flight(), self.open.len());
        assert!(
            self.unanswered <= settings.max_unanswered.max(1),
            "more than max_unanswered requests reached the application"
        );
        assert_eq!(session.is_full(), !self.has_output_capacity());
        // The limits allow one more response, and an enquire_link or unbind.
        let answers = usize::from(settings.max_unanswered.max(1)) * self.longest_answer;
        let most = 2 * settings.max_output.max(1) + settings.max_pdu + answers + 4 * 17;
        assert!(self.pending() <= most as u64, "{} octets wait, {most} at most", self.pending());
        if self.closed.is_some() {
            assert_eq!((session.poll_timeout(), session.state()), (None, State::Closed));
            assert!(!session.wants_input());
        }
        self.check_shutdown(session, now);
    }

    fn check_stats(&mut self, stats: &Stats, now: Instant) {
        let before = self.stats;
        let (sent, received) = (stats.sent.total(), stats.received.total());
        assert!(sent.octets >= self.encoded);
        assert!(stats.quirks >= before.quirks && stats.malformed >= before.malformed);
        assert!(stats.unknown_commands >= before.unknown_commands);
        assert!(stats.throttled >= before.throttled);
        assert_eq!(stats.transmitted, self.transmitted);
        assert_eq!((received.pdus(), received.octets), (self.frames, self.octets));
        assert_eq!((usize::from(stats.in_flight), stats.unanswered), (self.open.len(), self.unanswered));
        assert_eq!(
            (stats.unexpected_responses, stats.timeouts, stats.refused),
            (self.unexpected_responses, self.timeouts, self.refused)
        );
        if self.encoded == self.transmitted && sent.octets > self.transmitted {
            self.history.progress = now;
        }
        self.stats = *stats;
        self.encoded = sent.octets;
    }

    pub(super) fn too_many_malformed(&self) -> bool {
        self.stats.malformed + self.stats.unknown_commands > u64::from(self.settings.max_malformed)
    }

    pub(super) fn side(&self) -> Side {
        self.side
    }

    /// Returns whether no request is in flight in either direction.
    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty() && self.unanswered == 0
    }

    pub(super) fn has_unanswered(&self) -> bool {
        self.unanswered > 0
    }

    pub(super) fn overdue(&self) -> Option<Tag> {
        self.open.iter().find(|open| open.deadline <= self.clock).map(|open| open.tag)
    }

    /// Returns whether a request of the peer has no response. A last enquire_link does not count: the peer may have closed
    /// before the response was transmitted.
    pub(crate) fn has_missing_responses(&self) -> bool {
        self.missing_responses.iter().any(|(command, _)| *command != CommandId::ENQUIRE_LINK)
    }
}
