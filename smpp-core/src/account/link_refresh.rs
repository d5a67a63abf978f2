//! What each bind can do, found out anew only after something has happened on it or its time has come: so a message costs the
//! same with one bind as with thousands.

use core::mem;

use super::link::LinkId;
use super::link_slot::LinkSlot;
use super::ready_messages::Sending;
use super::state::Account;
use crate::pdu::CommandId;
use crate::session::{Observer, Readiness, Refusal, Session};
use crate::time::Instant;

impl<O: Observer> Account<O> {
    /// Returns the next connection on which something may have changed since this method returned it last: its state, its
    /// output, whether it wants input, its deadline. So an adapter with many connections looks only at these after a call. It
    /// returns each connection once, however much has changed on it.
    ///
    /// [`poll_transmit`](Self::poll_transmit) does not count as a change.
    pub fn poll_changed_link(&mut self) -> Option<LinkId> {
        loop {
            let link = self.touched.next_changed()?;
            if let Some(slot) = self.links.get_mut(link.index()) {
                slot.touched.is_changed = false;
                return Some(link);
            }
        }
    }

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
        self.link_plan = None;
    }

    /// Finds the sessions whose state has changed, and remembers that the binds may send more or less than before.
    pub(super) fn check_touched(&mut self) {
        while let Some(id) = self.touched.next_unchecked() {
            let Some(link) = self.links.get_mut(id.index()) else { continue };
            link.touched.is_unchecked = false;
            let state = link.session().map(Session::state);
            if mem::replace(&mut link.seen_state, state) != state {
                self.link_plan = None;
            }
            if !mem::replace(&mut link.is_stale, true) {
                self.stale.push(id);
            }
        }
    }

    /// Finds out what the binds can do on which something has happened, and those whose pause or rate limit is over.
    pub(super) fn refresh_links(&mut self, now: Instant, command: CommandId) {
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
