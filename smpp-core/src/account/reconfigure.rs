//! Changing an account while it runs: its binds, its options, and the end of a stop.

use alloc::vec::Vec;

use super::binds::Binds;
use super::event::Event;
use super::group::{self, Group, UnboundBackoff};
use super::link::LinkId;
use super::link_slot::{LinkSlot, Phase, Replacement};
use super::options::Options;
use super::options_error::OptionsError;
use super::outcome::SegmentNotSentReason;
use super::state::{Account, Shutdown};
use crate::session::{Observer, State};
use crate::time::Instant;

impl<O: Observer> Account<O> {
    /// Changes which binds the account keeps. It makes more, or unbinds those that it no longer needs, once the SMSC has
    /// responded to what they have in flight. The other binds stay: of a group that shrinks, the slots without
    /// a bind go first, then those with the highest ids.
    ///
    /// A bind whose mode no longer matches is ended and made anew. A bind whose group has other endpoints now is replaced as
    /// [`reconfigure`](Self::reconfigure) says.
    ///
    /// With [`Binds::NONE`] the account unbinds all. It keeps its messages, accepts further ones up to
    /// [`queue_capacity`](Options::queue_capacity), abandons those whose deadlines pass, and waits for its receipts.
    ///
    /// # Errors
    ///
    /// [`OptionsError::TooManyBinds`]; the account then keeps its binds.
    pub fn set_binds(&mut self, now: Instant, binds: Binds) -> Result<(), OptionsError> {
        self.options.check_binds(&binds)?;
        self.options.binds = binds;
        self.assign_slots(now);
        self.advance(now);
        Ok(())
    }

    /// Changes the options while the account runs. It keeps its messages, its receipts and the binds that still fit.
    ///
    /// Start from [`options`](Self::options), and change what differs:
    ///
    /// | fields | take effect |
    /// | --- | --- |
    /// | `credentials`, `interface_version` | for the next bind. Binds with others are replaced one at a time: each is unbound once the SMSC has responded to what it has in flight, and the next one waits until the new bind is accepted. Slots without a bind go first. A [stopped](Event::Stopped) account resumes |
    /// | `binds`, `max_binds` | at once: see [`set_binds`](Self::set_binds) |
    /// | `endpoints` | for the next attempt. Attempts on the way to an endpoint that is gone end; binds there are replaced one at a time, as for `credentials` |
    /// | `session` | at once on existing binds: see [`Session::reconfigure`](crate::session::Session::reconfigure). Without any message operation the queued messages end as [`Unsupported`](crate::session::NotSentReason::Unsupported) |
    /// | `rate` | at once. What was sent before still counts |
    /// | `spread_segments` | true: for messages whose first segment is not sent; the others still follow their bind. False: from the next segment of each message |
    /// | `statuses` | from the next refusal. An account that has stopped stays so |
    /// | `connect_interval`, `backoff`, `connect_timeout`, `bind_quirks` | for the next attempt |
    /// | `queue_capacity`, `request_capacity` | at once. Messages and requests beyond a smaller capacity stay |
    /// | `text`, `long_messages`, `unanswered_policy` | for the messages that are submitted from now on |
    /// | `receipts` | at once, also for the messages that wait for receipts. Beyond a smaller `capacity`, or if they are older than `max_age`, they expire. An id that is not kept [whole](super::MessageId) is compared as before |
    /// | `reassembly`, `segment_ack_timeout`, `segment_ack_mode` | at once for what is held. A segment that exceeds the limits stays |
    /// | `unbind_timeout` | for a shutdown whose unbinds have not begun |
    /// | `seed` | never: the random numbers continue |
    ///
    /// ```
    /// use smpp_proto::account::{Account, Binds, Credentials, Options};
    /// use smpp_proto::provider::Provider;
    /// use smpp_proto::session::{Instant, Rate};
    ///
    /// let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::EIGHT_BY_EIGHT);
    /// let mut account = Account::<()>::new(options, Instant::ZERO)?;
    /// let mut options = account.options().clone().binds(Binds::transceivers(2));
    /// options.credentials.password = "n3w".into();
    /// options.session.rate = Some(Rate::per_second(20));
    /// account.reconfigure(Instant::ZERO, options)?;
    /// # Ok::<(), smpp_proto::account::OptionsError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The error of [`Options::check`]; the account then keeps its options.
    pub fn reconfigure(&mut self, now: Instant, options: Options) -> Result<(), OptionsError> {
        options.check()?;
        for link in &mut self.links {
            if let Phase::Open(open) = &mut link.phase {
                open.session.reconfigure(now, options.session);
                open.window = open.window.max(options.session.window);
            }
        }
        self.queue.set_capacity(options.queue_capacity);
        self.receipts.set_options(options.receipts);
        self.requests.set_capacity(options.request_capacity);
        self.delivered_pdus.set_limits(options.reassembly);
        self.inbound.set_options(options.reassembly, options.segment_ack_timeout, options.segment_ack_mode);
        let login = self.logins.current();
        self.logins.select(&options.credentials, options.interface_version);
        self.options = options;
        self.touch_all();
        self.apply_sending_options(now);
        self.assign_slots(now);
        if self.logins.current() != login {
            let unbound = |link: &&mut LinkSlot<O>| link.wanted.is_some() && !link.is_bound();
            for link in self.links.iter_mut().filter(unbound) {
                if link.replacement == Replacement::None {
                    link.replacement = Replacement::Trying;
                }
            }
            self.reset_backoff(now);
            self.end_stop();
        }
        self.expire_receipts(now);
        self.handle_inbound_timeout(now);
        self.advance(now);
        Ok(())
    }

    /// Resumes a [stopped](Event::Stopped) account: it makes its binds again, with the same credentials and without
    /// waiting: the [back-off](Options::backoff) begins anew. Call it once the provider has corrected the account; repeated
    /// attempts may lock it. Emits [`Event::Resumed`]. Does nothing if the account has not stopped, or unbinds at its shutdown.
    ///
    /// A stop ends the queued messages, a slice at a time. Those that it has not ended yet stay in the queue, and are sent. A
    /// message of which a segment was in flight ends once that has its response.
    pub fn resume(&mut self, now: Instant) {
        if self.stopped.is_some() {
            self.reset_backoff(now);
            self.end_stop();
        }
        self.advance(now);
    }

    fn end_stop(&mut self) {
        let is_open = matches!(self.shutdown, Shutdown::Running | Shutdown::Draining { .. });
        if is_open && self.stopped.take().is_some() {
            self.is_bind_stop_reported = false;
            self.abandoning = self.abandoning.filter(|rest| rest.reason != SegmentNotSentReason::Stopped);
            self.replan_all();
            self.emit(Event::Resumed);
        }
    }

    /// Lets each slot connect without waiting.
    fn reset_backoff(&mut self, now: Instant) {
        for group in &mut self.groups {
            group.backoff = UnboundBackoff { until: now, failures: 0 };
        }
        for link in &mut self.links {
            (link.ready_at, link.failures) = (now, 0);
        }
        self.index_all();
    }

    /// Decides which slot serves which of the binds, and ends the attempts that go to the wrong place.
    pub(super) fn assign_slots(&mut self, now: Instant) {
        let max_binds = usize::from(self.options.max_binds);
        while self.links.len() < max_binds {
            let mut slot = LinkSlot::new(now, self.last_generation);
            slot.stats = self.removed_stats.pop().unwrap_or_default();
            self.links.push(slot);
        }
        let groups = Group::all(now, &self.options, &self.groups);
        let candidates: Vec<_> = self.links.iter().map(LinkSlot::candidate).collect();
        let binds = (&self.options.binds, &groups[..]);
        let assigned = group::assign(&candidates, &self.groups, binds, self.options.max_binds);
        if !groups.is_empty() {
            // Without any bind, what was learned about the endpoints is kept for later.
            self.groups = groups;
        }
        self.has_outdated = true;
        for (id, wanted) in self.link_ids().zip(assigned) {
            let Some(link) = self.links.get_mut(id.index()) else { return };
            link.wanted = wanted;
            let Some(group) = wanted.and_then(|wanted| self.groups.get(wanted.group)) else {
                link.replacement = Replacement::None;
                continue;
            };
            link.route.endpoints.retain(|endpoint| group.has_endpoint(Some(endpoint)));
            if group.has_endpoint(link.route.endpoint.as_ref()) {
                continue;
            }
            link.route.addresses.clear();
            match link.phase {
                Phase::Resolving | Phase::Connecting { .. } => self.close(id),
                // The failures were those of another endpoint.
                Phase::Idle | Phase::Closing => (link.ready_at, link.failures) = (now, 0),
                // It is replaced once it is bound.
                Phase::Open(_) => {}
            }
        }
        self.index_all();
    }

    /// Removes the slots beyond `max_binds` once they are idle.
    pub(super) fn trim_slots(&mut self) {
        let max_binds = usize::from(self.options.max_binds);
        let before = self.links.len();
        while self.links.len() > max_binds && self.links.last().is_some_and(LinkSlot::is_idle) {
            let Some(last) = self.links.pop() else { return };
            self.last_generation = self.last_generation.max(last.generation);
            // There are at most as many as the largest `max_binds`, a `u16`.
            self.forget_link(LinkId(self.links.len() as u16), last.wakes_at);
            self.removed_stats.push(last.stats);
            let free = self.links.iter_mut().take(max_binds).filter(|link| link.wanted.is_none());
            if last.wanted.is_some()
                && let Some(free) = free.min_by_key(|link| !link.is_idle())
            {
                (free.wanted, free.replacement) = (last.wanted, last.replacement);
                (free.ready_at, free.failures) = (last.ready_at.max(free.ready_at), last.failures);
                free.paused_until = free.paused_until.max(last.paused_until);
            }
        }
        if self.links.len() < before {
            self.index_all();
        }
    }

    /// Ends one bind with outdated credentials or an outdated endpoint, unless the replacement of another is in progress.
    ///
    /// If every endpoint of a group fails during a replacement, the other binds of the group stay as they are until it
    /// succeeds. The binds of other groups are replaced meanwhile.
    pub(super) fn replace_outdated(&mut self, now: Instant) {
        let is_running = matches!(self.shutdown, Shutdown::Running) && self.stopped.is_none();
        if !self.has_outdated || !is_running {
            return;
        }
        let outdated = self.link_ids().filter(|id| self.is_outdated(*id));
        let outdated: Vec<_> = outdated.collect();
        self.has_outdated = !outdated.is_empty();
        let next = outdated.into_iter().find(|id| self.may_replace(*id));
        if let Some(link) = next.and_then(|id| self.links.get_mut(id.index()))
            && let Phase::Open(open) = &mut link.phase
        {
            link.replacement = Replacement::Running;
            open.session.unbind(now);
            if let Some(id) = next {
                self.touched.add(id, &mut link.touched);
            }
        }
    }

    /// Returns whether the slot has a connection with outdated credentials or an outdated endpoint.
    fn is_outdated(&self, id: LinkId) -> bool {
        let Some(link) = self.links.get(id.index()) else { return false };
        let (Phase::Open(open), Some(wanted)) = (&link.phase, link.wanted) else { return false };
        let group = self.groups.get(wanted.group);
        open.login != self.logins.current()
            || group.is_some_and(|group| !group.has_endpoint(link.route.endpoint.as_ref()))
    }

    /// Returns whether the bind of this slot may be ended now, to replace it.
    fn may_replace(&self, id: LinkId) -> bool {
        let Some(link) = self.links.get(id.index()) else { return false };
        let group = link.wanted.map(|wanted| wanted.group);
        let allows = |other: &LinkSlot<O>| match other.replacement {
            Replacement::None => true,
            Replacement::Trying | Replacement::Running => false,
            Replacement::Failing => other.wanted.map(|wanted| wanted.group) != group,
        };
        let is_bound = link.session().is_some_and(|session| matches!(session.state(), State::Bound(_)));
        is_bound && self.links.iter().all(allows)
    }
}
