//! What each bind can do, found out anew only after something has happened on it or its time has come: so a message costs the
//! same with one bind as with thousands.

use core::mem;

use super::error::SubmitError;
use super::link::LinkId;
use super::link_slot::LinkSlot;
use super::ready_messages::Sending;
use super::state::Account;
use crate::pdu::CommandId;
use crate::session::{Observer, Readiness, Refusal, Session};
use crate::time::Instant;

impl<O: Observer> Account<O> {
    /// Records that the session of a slot may have changed.
    #[inline]
    pub(super) fn touch(&mut self, link: LinkId) {
        if let Some(slot) = self.links.get_mut(link.index()) {
            self.touched.add(link, &mut slot.touched);
        }
    }

    /// Records that all slots may have changed.
    pub(super) fn touch_all(&mut self) {
        for link in self.link_ids() {
            self.touch(link);
        }
        self.replan_all();
    }

    /// Records that something has changed on a slot that decides which connections start and end.
    pub(super) fn replan(&mut self, link: LinkId) {
        self.link_plan = None;
        if let Some(slot) = self.links.get(link.index()) {
            self.link_index.set(link, slot.key());
            self.link_index.add_pending(link);
        }
    }

    /// Records that something has changed that decides for all slots which connections start and end.
    pub(super) const fn replan_all(&mut self) {
        self.link_plan = None;
        self.link_index.add_all_pending();
    }

    /// Reads anew what of each slot decides when its connection starts.
    pub(super) fn index_all(&mut self) {
        self.replan_all();
        self.link_index.truncate(self.links.len());
        for (slot, index) in self.links.iter().zip(0..) {
            self.link_index.set(LinkId(index), slot.key());
        }
    }

    /// Finds the sessions whose state has changed, and remembers that the binds may send more or less than before.
    pub(super) fn check_touched(&mut self) {
        while let Some(id) = self.touched.next_unchecked() {
            let Some(link) = self.links.get_mut(id.index()) else { continue };
            link.touched.is_unchecked = false;
            let state = link.session().map(Session::state);
            let has_changed = mem::replace(&mut link.seen_state, state) != state;
            if !mem::replace(&mut link.is_stale, true) {
                self.stale.push(id);
            }
            if has_changed {
                self.replan(id);
            }
        }
    }

    /// Records that the output, the input or the timers of a slot may have changed: see
    /// [`poll_changed_link`](Self::poll_changed_link).
    #[inline]
    pub(super) fn record_change(&mut self, link: LinkId) {
        if let Some(slot) = self.links.get_mut(link.index()) {
            self.touched.add_changed(link, &mut slot.touched);
        }
    }

    /// Returns a connection on which something may have changed since the call that returned it before: its state, whether it
    /// [wants to transmit](Self::wants_transmit) or [wants input](Self::wants_input), or when its
    /// [timer](Self::poll_link_timeout) is due. Each once; `None` if there is no other. An adapter that runs many connections
    /// looks only at these after a call, so that a call costs the same with one connection as with thousands.
    ///
    /// ```
    /// use core::time::Duration;
    /// use smpp_proto::account::{Account, Action, Credentials, Options};
    /// use smpp_proto::provider::Provider;
    /// use smpp_proto::session::Instant;
    ///
    /// let now = Instant::ZERO;
    /// let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::EIGHT_BY_EIGHT);
    /// let mut account = Account::<()>::new(options, now)?;
    /// let Some(Action::Resolve { link }) = account.poll_action() else { panic!() };
    /// let address = ([192, 0, 2, 1], 2775).into();
    /// account.handle_resolved(now, link, Ok(&[address]));
    /// while account.poll_changed_link().is_some() {}
    /// account.handle_connected(now, link, ());
    /// assert_eq!(account.poll_changed_link(), Some(link), "the bind is to be transmitted");
    /// assert_eq!(account.poll_changed_link(), None);
    /// # Ok::<(), smpp_proto::account::OptionsError>(())
    /// ```
    pub fn poll_changed_link(&mut self) -> Option<LinkId> {
        loop {
            let link = self.touched.next_changed()?;
            if let Some(slot) = self.links.get_mut(link.index()) {
                slot.touched.is_changed = false;
                return Some(link);
            }
        }
    }

    /// Finds out what the binds can do on which something has happened, and those whose pause or rate limit is over.
    #[inline]
    pub(super) fn refresh_links(&mut self, now: Instant) {
        if !self.stale.is_empty() || !self.touched.is_checked() || !self.wakes.is_empty() {
            self.refresh_stale_links(now, self.message_command());
        }
    }

    fn refresh_stale_links(&mut self, now: Instant, command: CommandId) {
        self.check_touched();
        while let Some(link) = self.stale.pop() {
            self.refresh_link(now, link, command);
        }
        while let Some(&(at, link)) = self.wakes.first()
            && at <= now
        {
            self.wakes.pop_first();
            if let Some(slot) = self.links.get_mut(link.index()) {
                slot.wakes_at = None;
            }
            self.refresh_link(now, link, command);
        }
    }

    /// Finds out what a bind can do now, and when that changes by itself.
    pub(super) fn refresh_link(&mut self, now: Instant, id: LinkId, command: CommandId) {
        let Some(link) = self.links.get_mut(id.index()) else { return };
        link.is_stale = false;
        // Perhaps it has just taken a message.
        self.touched.add_changed(id, &mut link.touched);
        let (sending, wakes_at) = sending_of(link, now, command);
        let before = mem::replace(&mut link.wakes_at, wakes_at);
        if before != wakes_at {
            if let Some(before) = before {
                self.wakes.remove(&(before, id));
            }
            self.wakes.extend(wakes_at.map(|at| (at, id)));
        }
        self.queue.set_sending(id, sending);
    }

    /// Returns how many segments the account can send without waiting for a response: the free places in the windows of the
    /// binds that send, less the segments that wait in the queue. 0 while there is no such bind. A bind that is being ended
    /// does not count.
    ///
    /// A program whose queue is a database submits no more than this. Then no message waits in the account that could as
    /// well wait in the database, and few messages are in doubt if the process is killed: at most the
    /// [`window`](crate::session::Config::window) of each bind. A rate limit or a throttled bind may delay those.
    ///
    /// # Errors
    ///
    /// [`SubmitError::ShutDown`] and [`SubmitError::Stopped`], as [`submit`](Self::submit).
    pub fn ready_capacity(&self) -> Result<usize, SubmitError> {
        self.check_running()?;
        let command = self.message_command();
        let binds = self.links.iter().filter_map(LinkSlot::transmitter);
        let binds = binds.filter(|session| match session.readiness_after(self.dispatched_at, 0, command) {
            Readiness::Ready { .. } => true,
            Readiness::Refusing(refusal) => refusal.permanent().is_none(),
        });
        let free: usize = binds.map(Session::window_capacity).sum();
        Ok(free.saturating_sub(self.queue.unsent()).min(self.queue.available_capacity()))
    }

    /// Forgets the last slot, which no longer exists.
    pub(super) fn forget_link(&mut self, id: LinkId, wakes_at: Option<Instant>) {
        if let Some(at) = wakes_at {
            self.wakes.remove(&(at, id));
        }
        self.queue.set_sending(id, Sending::Unusable);
    }
}

/// Returns what the bind of a slot can do now, and when that changes by itself.
pub(super) fn sending_of<O: Observer>(
    link: &LinkSlot<O>,
    now: Instant,
    command: CommandId,
) -> (Sending, Option<Instant>) {
    match link.transmitter() {
        None => (Sending::Unusable, None),
        Some(_) if link.paused_until > now => (Sending::Unusable, Some(link.paused_until)),
        Some(session) => match session.readiness_after(now, 0, command) {
            Readiness::Ready { capacity } => (Sending::Ready { capacity }, None),
            // The time is after `now`.
            Readiness::Refusing(Refusal::RateLimited(at)) => (Sending::Busy, Some(at)),
            // A bind that is being ended sends nothing more.
            Readiness::Refusing(refusal) if refusal.permanent().is_some() => (Sending::Unusable, None),
            Readiness::Refusing(_) => (Sending::Busy, None),
        },
    }
}
