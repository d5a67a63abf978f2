//! The octets that each connection sends, and what it can take.

use alloc::vec::Vec;

use super::link::LinkId;
use super::link_slot::LinkSlot;
use super::receipt::SpareBuffers;
use super::state::Account;
use crate::session::{Observer, Session};
use crate::time::Instant;

impl<O: Observer> Account<O> {
    /// Appends the octets to transmit to `out`, and returns whether there were any. To the rate limits they leave at the time of
    /// the last call for the connection: call it right after that, or [`poll_transmit_at`](Self::poll_transmit_at).
    pub fn poll_transmit(&mut self, link: LinkId, out: &mut Vec<u8>) -> bool {
        self.poll_transmit_at(Instant::ZERO, link, out)
    }

    /// As [`poll_transmit`](Self::poll_transmit), for octets that leave later than the call that has encoded them.
    pub fn poll_transmit_at(&mut self, now: Instant, link: LinkId, out: &mut Vec<u8>) -> bool {
        let session = self.links.get_mut(link.index()).and_then(LinkSlot::session_mut);
        let Some((at, messages)) = session.and_then(|session| session.poll_transmit_messages(now, out))
        else {
            return false;
        };
        if let Some(limiter) = &mut self.rate_limiter {
            limiter.leave(at, messages);
        }
        true
    }

    /// Returns whether there are octets to transmit.
    pub fn wants_transmit(&self, link: LinkId) -> bool {
        let session = self.links.get(link.index()).and_then(LinkSlot::session);
        session.is_some_and(Session::wants_transmit)
    }

    /// Returns whether the adapter should read from the connection: see [`Session::wants_input`].
    pub fn wants_input(&self, link: LinkId) -> bool {
        self.links.get(link.index()).and_then(LinkSlot::session).is_some_and(Session::wants_input)
    }

    /// Frees the memory of empty buffers and tables: of one connection, see [`Session::shrink`], and of the account.
    pub fn shrink(&mut self, link: LinkId) {
        self.actions.shrink_to_fit();
        self.events.shrink_to_fit();
        self.spare_buffers = SpareBuffers::new();
        self.queue.shrink();
        if let Some(session) = self.session(link) {
            session.shrink();
        }
    }

    /// Records that the transport has taken this many of the octets that [`poll_transmit`](Self::poll_transmit) returned. Returns
    /// whether the account may have new events or actions, or an earlier [timeout](Self::poll_timeout): otherwise only what
    /// [`poll_changed_link`](Self::poll_changed_link) reports may have changed.
    pub fn handle_transmitted(&mut self, now: Instant, link: LinkId, octets: usize) -> bool {
        self.handle_transmitted_at(link, octets, || now)
    }

    /// As [`handle_transmitted`](Self::handle_transmitted), and calls `now` for the time only if it is needed: not if the result is
    /// `false`, which is most often.
    #[inline]
    pub fn handle_transmitted_at(
        &mut self,
        link: LinkId,
        octets: usize,
        now: impl FnOnce() -> Instant,
    ) -> bool {
        let Some(slot) = self.links.get_mut(link.index()) else { return false };
        let generation = slot.generation;
        let Some(session) = slot.session_mut() else { return false };
        let before = (session.state(), session.is_full());
        session.handle_transmitted(octets);
        let (transmitted, after) = (session.transmitted(), (session.state(), session.is_full()));
        self.delivered_pdus.handle_transmitted(link, generation, transmitted);
        let advances = before != after || !self.queue.ready().is_empty() || self.requests.any_waits();
        if advances {
            self.touch(link);
            self.advance(now());
        } else {
            // Only its timers have changed: the account can do nothing that it could not do before.
            self.record_change(link);
        }
        advances
    }
}
