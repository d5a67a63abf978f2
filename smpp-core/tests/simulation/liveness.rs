//! What a session does while its application does not answer, while the peer does not answer, and after the peer has closed
//! its side.

use std::time::Duration;

use smpp_proto::session::{CloseReason, Instant, Outcome, Refusal, Session, State, Timer};
use smpp_proto::{CommandId, Header, SequenceNumber};

use super::messages::{SendPdu, Tag};
use super::model::{Model, Open};

/// Backpressure, requests that have timed out, and a half-closed connection.
#[derive(Default)]
pub(super) struct Liveness {
    /// Since when `max_unanswered` requests wait for the application, and it answers none.
    full: Option<Instant>,
    /// Since when the session reads input. `None` while it does not. After the end it stays as it was.
    reading: Option<Instant>,
    /// Since when all output has left. `None` while some waits.
    flushed: Option<Instant>,
    /// Requests that have timed out, and may still be answered.
    timed_out: Vec<Open>,
    /// When a request timed out. The peer has sent nothing since.
    suspended: Option<Instant>,
    /// When the first request that has timed out was sent. The peer has answered no request since the timeout.
    unanswered: Option<Instant>,
    /// The session may have noticed since then that no request was left to answer.
    may_be_over: bool,
    /// When the peer closed its side of a session that may still serve requests.
    finished: Option<Instant>,
    /// No time has been passed since then.
    finished_now: bool,
    /// Whether the connection has failed.
    pub(super) disconnected: bool,
}

impl Liveness {
    pub(super) fn new(start: Instant) -> Self {
        Self { reading: Some(start), flushed: Some(start), ..Self::default() }
    }
}

impl Model {
    /// Records that the application has received a request.
    pub(super) fn record_full(&mut self) {
        if self.unanswered() == self.settings().max_unanswered.max(1) {
            self.liveness.full = Some(self.clock);
        }
    }

    /// Records that the application has answered a request.
    pub(super) fn record_answer(&mut self) {
        self.liveness.full = None;
    }

    /// Checks that the application had `backpressure_timeout` before the session throttled the peer.
    pub(super) fn check_throttled(&self) {
        let full = self.liveness.full.expect("throttled below max_unanswered");
        assert!(self.clock >= full + self.settings().backpressure, "throttled before backpressure_timeout");
    }

    /// Records a PDU of the peer: it lifts the suspension.
    pub(super) fn record_life(&mut self) {
        self.liveness.suspended = None;
    }

    /// Records a response to a request.
    pub(super) fn record_answered(&mut self) {
        (self.liveness.unanswered, self.liveness.may_be_over) = (None, false);
    }

    /// Records that a request has timed out.
    pub(super) fn record_timeout(&mut self, open: Open) {
        if open.command.is_bind() {
            return;
        }
        if self.history.bound.is_some() {
            if self.settings().enquire_link.is_some() {
                self.liveness.suspended.get_or_insert(self.clock);
            }
            self.liveness.unanswered.get_or_insert(open.sent);
        }
        self.liveness.timed_out.push(open);
    }

    /// Records a late response, and returns the tag of the request.
    pub(crate) fn record_late_response(&mut self, sequence: SequenceNumber, outcome: &Outcome<'_>) -> Tag {
        let Liveness { timed_out, .. } = &mut self.liveness;
        let index = timed_out.iter().position(|request| request.sequence == sequence);
        let request = timed_out.remove(index.expect("a late response to a request that has timed out"));
        if let Outcome::Accepted(response) | Outcome::Refused { response, .. } = outcome {
            let command = response.pdu().map(|pdu| pdu.command());
            assert_eq!(command, Some(request.command.response()), "{}", request.tag);
        }
        self.record_answered();
        request.tag
    }

    /// Checks that the response matches no request that waits for one, in time or late.
    pub(super) fn check_unexpected(&self, response: Header) {
        let answers = |request: CommandId| {
            response.command == CommandId::GENERIC_NACK || response.command == request.response()
        };
        let clock = self.clock;
        let in_time = self.open().iter().map(|request| (request, true));
        let late =
            self.liveness.timed_out.iter().map(|request| (request, self.late_deadline(request) > clock));
        for (request, waits) in in_time.chain(late) {
            let matches = request.sequence == response.sequence && answers(request.command);
            assert!(!(waits && matches), "{response:?} answers {}", request.tag);
        }
    }

    fn late_deadline(&self, request: &Open) -> Instant {
        request.deadline + self.settings().late_response
    }

    /// Returns the sequence numbers of the requests that have timed out and may still be answered.
    pub(super) fn timed_out(&self) -> impl Iterator<Item = SequenceNumber> + '_ {
        self.liveness.timed_out.iter().map(|request| request.sequence)
    }

    /// Checks that the session may send a new request.
    pub(super) fn check_not_suspended(&self, sequence: SequenceNumber) {
        assert_eq!(self.liveness.suspended, None, "a new request although requests are suspended");
        let clock = self.clock;
        let mut late = self.liveness.timed_out.iter().filter(|request| self.late_deadline(request) > clock);
        assert!(late.all(|request| request.sequence != sequence), "{sequence:?} may still be answered");
    }

    pub(crate) fn is_suspended(&self) -> bool {
        self.liveness.suspended.is_some()
    }

    /// Records that the peer has closed its side.
    pub(crate) fn record_eof(&mut self, state: State) {
        let serves = state.is_bound() && self.history.peer_unbind.is_none();
        if serves && !self.history.eof {
            // A shutdown that has begun keeps its timeout.
            self.liveness.finished = Some(self.history.shutdown.unwrap_or(self.clock));
            self.liveness.finished_now = self.history.shutdown.is_none();
        }
        self.history.eof = true;
    }

    /// Dates the end of the stream. `handle_eof` takes no time.
    pub(super) fn date_eof(&mut self) {
        if std::mem::take(&mut self.liveness.finished_now) {
            self.liveness.finished = Some(self.clock);
        }
    }

    pub(crate) fn record_disconnect(&mut self) {
        self.liveness.disconnected = true;
    }

    /// Checks that the session transmits responses for `drain_timeout` after the peer has closed its side. Returns whether
    /// it does so now.
    pub(crate) fn check_half_close(&self, state: State, now: Instant, result: Result<(), Refusal>) -> bool {
        let Some(finished) = self.liveness.finished.filter(|_| state != State::Closed) else { return false };
        if now < finished + self.settings().drain {
            assert!(
                matches!(result, Ok(()) | Err(Refusal::TooLong)),
                "not served after half-close: {result:?}"
            );
        }
        result.is_ok()
    }

    /// Checks the reasons that depend on what the session has read, and on the end of the stream.
    pub(super) fn check_liveness(&self, reason: CloseReason) -> bool {
        let Self { clock, liveness, .. } = self;
        let settings = self.settings();
        match reason {
            CloseReason::LinkDead => {
                let Some(idle) = settings.enquire_link else { return false };
                let silent = self.history.received.max(self.history.bound);
                let silent = silent.is_some_and(|since| *clock >= since + idle + settings.response);
                let probed = liveness.suspended.is_some_and(|since| *clock >= since + settings.response);
                liveness.reading.is_some() && (silent || probed)
            }
            CloseReason::Unresponsive => {
                let patience = settings.response * u32::from(settings.max_timeouts);
                let waited = liveness.unanswered.is_some_and(|since| *clock >= since + patience);
                settings.max_timeouts > 0 && liveness.reading.is_some() && waited
            }
            CloseReason::Disconnected if !liveness.disconnected => {
                let served = liveness
                    .finished
                    .is_none_or(|finished| self.has_sent_responses() || *clock >= finished + settings.drain);
                self.history.eof && served
            }
            _ => true,
        }
    }

    /// Compares the session with the model. Called after every call of the session.
    pub(super) fn check_requests<R: SendPdu>(&mut self, session: &Session<R, Tag>) {
        let stats = session.stats();
        let in_window = usize::from(stats.in_flight + stats.timed_out);
        assert!(
            in_window <= usize::from(self.settings().window.max(1)),
            "{in_window} requests in the window"
        );
        let timed_out = usize::from(stats.timed_out);
        let clock = self.clock;
        let waiting = self.liveness.timed_out.iter().filter(|request| self.late_deadline(request) > clock);
        let ended = session.state() == State::Closed;
        let half_closed = self.liveness.finished.is_some();
        assert!(ended || !half_closed || !self.has_sent_responses(), "does not end after half-close");
        assert!(
            ended || timed_out >= waiting.count(),
            "a request lost its place before late_response_timeout"
        );
        assert!(timed_out <= self.liveness.timed_out.len(), "too many requests have timed out");
        if !ended {
            self.liveness.reading = session.wants_input().then(|| self.liveness.reading.unwrap_or(clock));
            self.liveness.flushed = (self.pending() == 0).then(|| self.liveness.flushed.unwrap_or(clock));
        }
        if let Some(full) = self.liveness.full.filter(|full| clock < *full + self.settings().backpressure) {
            assert!(!session.wants_input(), "reads although the application has not answered since {full:?}");
        }
    }

    /// Checks, after all due timers were handled, that nothing is overdue. Timers are handled at most `lateness` late.
    pub(super) fn check_liveness_timers<R: SendPdu>(
        &mut self,
        session: &Session<R, Tag>,
        lateness: Duration,
    ) {
        if session.state() == State::Closed {
            return;
        }
        let clock = self.clock;
        let settings = *self.settings();
        let late = settings.late_response;
        self.liveness.timed_out.retain(|request| request.deadline + late > clock);
        let timed_out = usize::from(session.stats().timed_out);
        assert_eq!(timed_out, self.liveness.timed_out.len(), "late_response_timeout was missed");
        let patience = settings.response * u32::from(settings.max_timeouts);
        if timed_out == 0 && self.open().is_empty() {
            let due = self.liveness.unanswered.map(|since| since + patience).filter(|due| clock >= *due);
            // While the session does not read, it looks again one `response_timeout` later.
            match (due, self.liveness.reading) {
                (Some(due), Some(reading)) if reading < due => self.record_answered(),
                (Some(_), _) => self.liveness.may_be_over = true,
                (None, _) => {}
            }
        }
        let output = (self.pending() as usize).saturating_sub(settings.max_pdu) / 2;
        let serves = self.history.shutdown.is_none();
        if serves && output < settings.max_output.max(1) {
            let grace = self.liveness.full.map(|full| full + settings.backpressure);
            let reads = grace.is_none_or(|end| clock >= end);
            assert_eq!(session.wants_input(), reads, "backpressure_timeout was missed");
        }
        let Some(reading) = self.liveness.reading.filter(|_| serves && session.state().is_bound()) else {
            return;
        };
        let (lateness, may_be_over) = (lateness * 3, self.liveness.may_be_over);
        if let Some(since) = self.liveness.suspended {
            let most = self.enquire_link_left(since.max(reading)) + settings.response + lateness;
            assert!(clock <= most, "requests stay suspended");
        }
        if let Some(since) = self.liveness.unanswered.filter(|_| settings.max_timeouts > 0 && !may_be_over) {
            let most = (since + patience).max(reading + settings.response) + lateness;
            assert!(clock <= most, "the unresponsive peer was not detected");
        }
        let bound = self.history.bound_at.expect("bound");
        let received = self.history.received.map_or(bound, |received| received.max(bound));
        if let Some(idle) = settings.enquire_link {
            let left = self.enquire_link_left((received + idle).max(reading + settings.response));
            assert!(clock <= left + settings.response + lateness, "the dead link was not detected");
        }
    }

    /// Returns whether an enquire_link may have waited for twice `response_timeout`.
    pub(super) fn enquire_link_may_wait(&self) -> bool {
        let settings = self.settings();
        let Some((idle, bound)) = settings.enquire_link.zip(self.history.bound_at) else { return false };
        let silent = self.history.received.map_or(bound, |received| received.max(bound)) + idle;
        let encoded = self.liveness.suspended.map_or(silent, |suspended| suspended.min(silent));
        self.clock >= encoded + settings.response * 2
    }

    /// Returns when the enquire_link left at the latest, if it was encoded by then. If it does not leave at once, the session
    /// waits up to twice `response_timeout` for it, or that much longer for a response.
    fn enquire_link_left(&self, latest: Instant) -> Instant {
        let bound = self.history.bound_at.expect("bound");
        let received = self.history.received.map_or(bound, |received| received.max(bound));
        let due = self.settings().enquire_link.map_or(latest, |idle| received + idle);
        let earliest = self.liveness.suspended.map_or(due, |suspended| suspended.min(due));
        let at_once = self.liveness.flushed.is_some_and(|flushed| flushed <= earliest);
        if at_once { latest } else { latest + self.settings().response * 2 }
    }

    /// Checks that the session asks for input that was left over, when it reads again.
    pub(crate) fn check_input<R: SendPdu>(&self, session: &Session<R, Tag>, whole_pdu: bool) {
        if whole_pdu && session.wants_input() {
            let next = session.poll_timeout().map(|(_, timer)| timer);
            assert_eq!(next, Some(Timer::Input), "{:?}: input is left over", self.side());
        }
    }
}
