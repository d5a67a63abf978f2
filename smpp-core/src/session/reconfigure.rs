//! Changes the configuration of a session that runs.

use super::config::Config;
use super::observer::Observer;
use super::role::Role;
use super::timers::Timer;
use super::{Session, Shutdown};
use crate::time::Instant;

impl<R: Role, T, O: Observer> Session<R, T, O> {
    /// Changes the configuration while the session runs.
    ///
    /// - The window, the rate limit, [`max_unanswered`](Config::max_unanswered), `max_output`, `max_malformed`, `tolerance`
    ///   and `operations` change at once. Requests in flight that exceed a smaller window stay in flight.
    ///   After a change of the rate limit the next message waits for one interval of the new rate from the last one, and a
    ///   burst is available only after a pause. What was sent in a burst before counts at the new rate, for a second at most.
    /// - [`response_timeout`](Config::response_timeout) and [`late_response_timeout`](Config::late_response_timeout) change
    ///   at once, also for the requests in flight; `enquire_link_interval` and `inactivity_timeout` count from the last
    ///   PDU. The deadlines of an enquire_link or unbind that was sent, and of a shutdown, stay as they are.
    /// - `assumed_version` and `peer_version` are for the next bind; `session_init_timeout`, `awaits_outbind` and `max_pdu`
    ///   are for new sessions.
    ///
    /// ```
    /// use smpp_proto::CommandId;
    /// use smpp_proto::session::{Config, Esme, Instant, Readiness, Session};
    /// let mut session = Session::<Esme, ()>::new(Config::default().window(1), Instant::ZERO);
    /// session.reconfigure(Instant::ZERO, Config::default().window(3));
    /// let readiness = session.readiness_after(Instant::ZERO, 0, CommandId::BIND_TRANSCEIVER);
    /// assert_eq!(readiness, Readiness::Ready { capacity: 3 });
    /// ```
    pub fn reconfigure(&mut self, now: Instant, config: Config) {
        self.advance_clock(now);
        // The buffer of the adapter has the size of the largest PDU.
        let config = Config { max_pdu: self.config.max_pdu, ..config };
        let before = core::mem::replace(&mut self.config, config);
        self.window.set_limit(config.window);
        if before.rate != config.rate {
            self.rate_limiter.set_rate(now, config.rate);
        }
        let is_full = self.is_full_of_requests();
        if !is_full {
            self.is_overloaded = false;
            self.timers.set(Timer::Backpressure, None);
        } else if !self.timers.is_set(Timer::Backpressure) && !self.is_overloaded {
            self.timers.set(Timer::Backpressure, Some(self.now + config.backpressure_timeout));
        }
        if !self.state.is_bound() || self.shutdown != Shutdown::NotStarted {
            return;
        }
        if before.keep_alive() != config.keep_alive() && !self.timers.is_set(Timer::EnquireLinkResponse) {
            let at = config.keep_alive().map(|idle| self.last_received + idle);
            self.timers.set(Timer::EnquireLink, at);
        }
        if before.inactivity_timeout != config.inactivity_timeout {
            let at = config.inactivity_timeout.map(|idle| self.last_activity + idle);
            self.timers.set(Timer::Inactivity, at);
        }
    }

    /// Allows larger PDUs of both sides from now on; a smaller `max_pdu` than before changes nothing. A server accepts only
    /// small PDUs until a session is bound, so that connections without a bind hold little. The caller's input buffer has to
    /// hold as much.
    pub fn raise_max_pdu(&mut self, max_pdu: usize) {
        self.config.max_pdu = self.config.max_pdu.max(max_pdu);
    }
}
