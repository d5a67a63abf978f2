//! When a session may end, and when it must.

use std::time::Duration;

use smpp_proto::session::{CloseReason, Instant, Readiness, Refusal, Session, Side, State, Timer};

use super::messages::{SendPdu, Tag};
use super::model::Model;

impl Model {
    /// Checks that the session begins its shutdown, stops waiting, and continues to wait only with a reason.
    pub(super) fn check_shutdown<R: SendPdu>(&mut self, session: &Session<R, Tag>, now: Instant) {
        let state = session.state();
        if state.is_bound() && self.history.bound.is_none() {
            self.history.bound = Some(self.clock);
            self.history.bound_at = Some(now);
            self.history.activity = self.clock;
        }
        let clock = self.clock;
        let failed = self.history.broken || self.too_many_malformed();
        let shutting_down = matches!(session.readiness(clock), Readiness::Refusing(Refusal::Closing(_)));
        if shutting_down && self.history.shutdown.is_none() {
            self.history.shutdown = Some(clock);
            let history = &self.history;
            let asked = history.unbind.is_some() || history.peer_unbind.is_some() || history.eof;
            assert!(asked || failed || self.is_inactive(), "the session shuts down without a reason");
        }
        if state == State::Unbinding && !self.history.unbinding {
            self.history.unbinding = true;
            let begun = self.history.peer_unbind.max(self.history.shutdown).expect("a shutdown has begun");
            let waited = clock >= begun + self.settings().drain;
            let done =
                if self.history.peer_unbind.is_some() { !self.has_unanswered() } else { self.is_idle() };
            assert!(
                done || waited || failed || self.history.eof || self.history.bound.is_none(),
                "the session does not wait for requests in flight"
            );
        }
        let waits = shutting_down && state.is_bound() && !failed;
        assert!(!(waits && self.is_idle()), "the session waits although no request is in flight");
    }

    fn is_inactive(&self) -> bool {
        self.settings().inactivity.is_some_and(|limit| self.clock >= self.history.activity + limit)
    }

    /// Checks that the close reason is a possible one.
    pub(super) fn check_reason(&self, reason: CloseReason) {
        let Self { history, .. } = self;
        let settings = self.settings();
        let since = |then: Option<_>| then.map(|then| self.clock - then);
        let possible = match reason {
            CloseReason::Unbound => {
                let ended = history.eof || self.liveness.disconnected;
                let answered = history.unbind_answered || ended || history.bound.is_none();
                history.unbind.is_some() && answered && !history.cut_short
            }
            CloseReason::PeerUnbound => history.peer_unbind.is_some(),
            CloseReason::Aborted => history.aborted,
            CloseReason::SessionInit => {
                let begun = history.outbound.unwrap_or(self.start);
                let expects = self.side() == Side::Smsc || history.outbound.is_some();
                expects && history.bound.is_none() && self.clock >= begun + settings.session_init
            }
            CloseReason::Stalled => {
                let stands = self.clock >= history.progress + settings.response;
                self.pending() > 0 && (stands || self.enquire_link_may_wait())
            }
            CloseReason::Inactive => settings.inactivity.is_some() && history.shutdown.is_some(),
            CloseReason::UnbindTimeout => {
                since(history.unbind).is_some_and(|since| since >= settings.response)
            }
            CloseReason::Framing(error) => history.broken && error.limit as usize == settings.max_pdu,
            CloseReason::TooManyMalformed => self.too_many_malformed(),
            _ => self.check_liveness(reason),
        };
        assert!(possible, "{reason:?} is not possible here");
        // While the last output is transmitted, nothing that happens later is the reason.
        let unbound = history.unbind.is_some() && history.bound.is_none();
        let decided = history.broken || self.too_many_malformed() || unbound;
        let later = matches!(
            reason,
            CloseReason::SessionInit
                | CloseReason::LinkDead
                | CloseReason::Unresponsive
                | CloseReason::Stalled
                | CloseReason::UnbindTimeout
                | CloseReason::Disconnected
        );
        assert!(!(decided && later), "{reason:?} happened after the reason was decided");
    }

    /// Checks, after all due timers were handled, that nothing is overdue. Timers are handled at most `lateness` late.
    pub(crate) fn check_timers<R: SendPdu>(&mut self, session: &Session<R, Tag>, lateness: Duration) {
        let due = session.poll_timeout().filter(|(at, timer)| *at <= self.clock && *timer != Timer::Input);
        assert_eq!(due, None, "a timer stays due");
        self.check_liveness_timers(session, lateness);
        let state = session.state();
        if state == State::Closed {
            return;
        }
        let settings = self.settings();
        assert_eq!(self.overdue(), None, "a request is overdue");
        // The last output of a session that is unbinding has a deadline of its own.
        if self.pending() > 0 && !self.history.unbinding {
            let most = (settings.response + lateness) * 2;
            assert!(self.clock <= self.history.progress + most, "the stalled transport was not detected");
        }
        if self.history.shutdown.is_some() {
            return;
        }
        match (state, self.history.bound_at) {
            (State::Open, _) if self.side() == Side::Smsc => {
                assert!(
                    self.clock < self.start + settings.session_init,
                    "the session init timeout was missed"
                );
            }
            (State::Bound(_), Some(_)) => {
                assert!(!self.is_inactive(), "the inactivity timeout was missed");
            }
            _ => {}
        }
    }
}
