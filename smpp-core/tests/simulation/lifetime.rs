//! When a session is allowed to end, and when it has to.

use std::time::Duration;

use smpp_core::session::{CloseReason, Instant, Readiness, Refusal, Session, Side, State};

use super::messages::{Speaker, Tag};
use super::model::Model;

impl Model {
    /// Nobody stops taking requests, stops waiting, or goes on waiting without a reason.
    pub(super) fn check_end<R: Speaker>(&mut self, session: &Session<R, Tag>, now: Instant) {
        let state = session.state();
        if state.is_bound() && self.life.bound.is_none() {
            self.life.bound = Some(self.clock);
            self.life.bound_at = Some(now);
            self.life.message = self.clock;
        }
        let clock = self.clock;
        let over = self.life.broken || self.too_many_malformed();
        let leaving = session.readiness(clock) == Readiness::Refusing(Refusal::State(State::Unbinding));
        if leaving && self.life.leaving.is_none() {
            self.life.leaving = Some(clock);
            let asked = self.life.unbind.is_some() || self.life.peer_unbind.is_some();
            assert!(asked || over || self.is_inactive(), "it leaves and nobody has asked it to");
        }
        if state == State::Unbinding && !self.life.unbinding {
            self.life.unbinding = true;
            let begun = self.life.peer_unbind.max(self.life.leaving).expect("it leaves");
            let waited = clock >= begun + self.settings().drain;
            let done = if self.life.peer_unbind.is_some() { !self.owes() } else { self.is_idle() };
            assert!(done || waited || over || self.life.bound.is_none(), "it does not wait for what is open");
        }
        let waits = leaving && state.is_bound() && !over;
        assert!(!(waits && self.is_idle()), "it waits for nothing");
    }

    fn is_inactive(&self) -> bool {
        self.settings().inactivity.is_some_and(|limit| self.clock >= self.life.message + limit)
    }

    /// Whether it can be why the session is over.
    pub(super) fn check_reason(&self, why: CloseReason) {
        let Self { life, .. } = self;
        let settings = self.settings();
        let since = |then: Option<_>| then.map(|then| self.clock - then);
        let silence = since(life.heard.max(life.bound));
        let good = match why {
            CloseReason::Unbound => {
                let parted = life.parted || life.eof || life.bound.is_none();
                life.unbind.is_some() && parted && !life.cut_short
            }
            CloseReason::PeerUnbound => life.peer_unbind.is_some(),
            CloseReason::Disconnected => life.eof,
            CloseReason::Aborted => life.aborted,
            CloseReason::SessionInit => {
                let begun = life.outbound.unwrap_or(self.start);
                let expects = self.side() == Side::Smsc || life.outbound.is_some();
                expects && life.bound.is_none() && self.clock >= begun + settings.session_init
            }
            CloseReason::LinkDead => settings
                .enquire_link
                .is_some_and(|idle| silence.is_some_and(|silence| silence >= idle + settings.response)),
            CloseReason::Stalled => self.pending() > 0 && self.clock >= life.moved + settings.response,
            CloseReason::Inactive => settings.inactivity.is_some() && life.leaving.is_some(),
            CloseReason::UnbindTimeout => since(life.unbind).is_some_and(|since| since >= settings.response),
            CloseReason::Framing(error) => life.broken && error.limit == settings.max_pdu,
            CloseReason::TooManyMalformed => self.too_many_malformed(),
            _ => true,
        };
        assert!(good, "{why:?} is not what happened");
        // Once the last words are on their way, nothing that comes later is the reason.
        let unbound = life.unbind.is_some() && life.bound.is_none();
        let decided = life.broken || self.too_many_malformed() || unbound;
        let later = matches!(
            why,
            CloseReason::SessionInit
                | CloseReason::LinkDead
                | CloseReason::Stalled
                | CloseReason::UnbindTimeout
                | CloseReason::Disconnected
        );
        assert!(!(decided && later), "{why:?} came later");
    }

    /// After all that was due: nothing is overdue. Timers are looked at so late at most.
    pub(crate) fn check_timers<R: Speaker>(&self, session: &Session<R, Tag>, lateness: Duration) {
        let due = session.poll_timeout().filter(|(at, _)| *at <= self.clock);
        assert_eq!(due, None, "it stays due");
        let state = session.state();
        if state == State::Closed {
            return;
        }
        let settings = self.settings();
        assert_eq!(self.overdue(), None, "a request has no outcome in time");
        // What is left when nothing is waited for has a deadline of its own.
        if self.pending() > 0 && !self.life.unbinding {
            let most = (settings.response + lateness) * 2;
            assert!(self.clock <= self.life.moved + most, "nobody takes the output, and nobody minds");
        }
        if self.life.leaving.is_some() {
            return;
        }
        match (state, self.life.bound_at) {
            (State::Open, _) if self.side() == Side::Smsc => {
                assert!(self.clock < self.start + settings.session_init, "no bind in time");
            }
            (State::Bound(_), Some(bound)) => {
                let heard = self.life.heard.map_or(bound, |heard| heard.max(bound));
                if let Some(idle) = settings.enquire_link {
                    let most = idle + settings.response + lateness * 2;
                    assert!(self.clock <= heard + most, "the link is dead, and nobody minds");
                }
                assert!(!self.is_inactive(), "it is inactive, and nobody minds");
            }
            _ => {}
        }
    }
}
