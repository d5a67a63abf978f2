//! Single PDUs that were given to the application: MO messages of one PDU, and receipts that match no message.
//!
//! Such a PDU has no id that is unique, so only its bind tells whether an equal PDU is a redelivery or another message: a
//! person may send "yes" twice. The account counts an equal PDU as a redelivery only if the SMSC cannot have read a
//! response to the first one:
//!
//! | the first PDU | an equal PDU |
//! | --- | --- |
//! | waits for the application, on a bind that lives | with the same sequence number on this bind: the same request. Otherwise another message |
//! | waits for the application, and its bind has ended | the redelivery. It gets the response that the application gives to the first |
//! | was accepted, and the bind ended before the transport had accepted the whole response | the redelivery, once. The account accepts it |
//! | was accepted, and the transport has accepted the response | another message, even if the response was lost on the way |
//! | was refused | a new delivery |
//!
//! A redelivery is counted once, so of two equal messages the application gets two if the SMSC delivers both.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use super::ack::ReplyToken;
use super::link::LinkId;
use crate::sms::{ReassemblyLimits, digest};
use crate::time::Instant;

/// How many records are forgotten in one call, so that no call takes long.
const FORGOTTEN_AT_ONCE: usize = 64;

/// The PDUs that the application has not acknowledged, and those it has accepted whose responses have not left.
///
/// While a bind lives, its records are bounded by [`max_unanswered`](crate::session::Config::max_unanswered) and by its
/// output. Of those whose bind has ended there are at most [`ReassemblyLimits::max_messages`]; if there are more, the oldest
/// is forgotten, and its redelivery counts as a new message.
pub(super) struct DeliveredPdus {
    max_orphans: usize,
    window: Duration,
    last_number: u64,
    all: BTreeMap<u64, DeliveredPdu>,
    /// The PDUs that the application has not acknowledged, on binds that live: link, generation, sequence number, number.
    waiting: BTreeSet<(LinkId, u64, u32, u64)>,
    /// The accepted PDUs whose responses have not left: link, generation, end of the response in the output, number.
    leaving: BTreeSet<(LinkId, u64, u64, u64)>,
    /// The PDUs whose bind has ended, by digest.
    orphans: BTreeSet<(u64, u64)>,
    /// The orphans that the application has not acknowledged.
    waiting_orphans: BTreeSet<u64>,
    /// The orphans that the application has accepted, and when the bind ended or they were accepted.
    accepted_orphans: BTreeSet<(Instant, u64)>,
}

struct DeliveredPdu {
    digest: u64,
    /// The tokens of the same PDU that arrived again, to answer with the first.
    repeats: Vec<ReplyToken>,
    position: Position,
}

/// In which of the sets a record is.
#[derive(Clone, Copy)]
enum Position {
    Waiting(LinkId, u64, u32),
    Leaving(LinkId, u64, u64),
    WaitingOrphan,
    AcceptedOrphan(Instant),
}

/// What an arriving PDU is.
pub(super) enum ArrivedPdu {
    /// A new PDU: emit it with this number.
    New(u64, ReplyToken),
    /// A PDU that waits for the application. Its token is kept.
    Repeated,
    /// A PDU that the application has accepted: accept it again, and report with
    /// [`record_accepted`](DeliveredPdus::record_accepted).
    Accepted(u64, ReplyToken),
}

impl DeliveredPdus {
    pub(super) const fn new(limits: ReassemblyLimits) -> Self {
        Self {
            max_orphans: limits.max_messages,
            window: limits.duplicate_window,
            last_number: 0,
            all: BTreeMap::new(),
            waiting: BTreeSet::new(),
            leaving: BTreeSet::new(),
            orphans: BTreeSet::new(),
            waiting_orphans: BTreeSet::new(),
            accepted_orphans: BTreeSet::new(),
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Changes the limits.
    pub(super) fn set_limits(&mut self, limits: ReassemblyLimits) {
        (self.max_orphans, self.window) = (limits.max_messages, limits.duplicate_window);
        self.trim();
    }

    /// Records a PDU that has arrived. `octets` is the whole PDU.
    pub(super) fn arrive(&mut self, now: Instant, octets: &[u8], token: ReplyToken) -> ArrivedPdu {
        self.expire(now);
        let digest = pdu_digest(octets);
        let (link, generation, sequence) = (token.link, token.generation, token.reply.sequence());
        let same = (link, generation, sequence, 0)..=(link, generation, sequence, u64::MAX);
        let same = self.waiting.range(same).next_back().map(|(.., number)| *number);
        if let Some(pdu) = same.and_then(|number| self.all.get_mut(&number))
            && pdu.digest == digest
        {
            pdu.repeats.push(token);
            return ArrivedPdu::Repeated;
        }
        let same = self.orphans.range((digest, 0)..=(digest, u64::MAX)).map(|(_, number)| *number);
        let orphan = same.take(FORGOTTEN_AT_ONCE).find(|number| !self.is_expired(now, *number));
        let waiting = Position::Waiting(link, generation, sequence);
        if let Some(number) = orphan {
            let is_accepted = !self.waiting_orphans.contains(&number);
            self.reposition(number, waiting);
            if is_accepted {
                return ArrivedPdu::Accepted(number, token);
            }
            if let Some(pdu) = self.all.get_mut(&number) {
                // The binds of the other tokens have ended.
                pdu.repeats = alloc::vec![token];
                return ArrivedPdu::Repeated;
            }
        }
        self.last_number += 1;
        let number = self.last_number;
        self.all.insert(number, DeliveredPdu { digest, repeats: Vec::new(), position: waiting });
        self.enter(number, digest, waiting);
        ArrivedPdu::New(number, token)
    }

    /// Removes and returns the tokens of the repetitions of a PDU.
    pub(super) fn take_repeats(&mut self, number: u64) -> Vec<ReplyToken> {
        self.all.get_mut(&number).map(|pdu| core::mem::take(&mut pdu.repeats)).unwrap_or_default()
    }

    /// Records that the application has accepted a PDU: its response ends at this position in the output of a bind; `None`
    /// if no bind took the response.
    pub(super) fn record_accepted(
        &mut self,
        now: Instant,
        number: u64,
        response: Option<(LinkId, u64, u64)>,
    ) {
        let accepted = match response {
            Some((link, generation, end)) => Position::Leaving(link, generation, end),
            None => Position::AcceptedOrphan(now),
        };
        self.reposition(number, accepted);
    }

    /// Forgets a PDU: the application has refused it, or its response has left.
    pub(super) fn forget(&mut self, number: u64) {
        if let Some(pdu) = self.all.remove(&number) {
            self.leave(number, pdu.digest, pdu.position);
        }
    }

    /// Forgets the accepted PDUs of a bind whose transport has accepted this many octets.
    pub(super) fn handle_transmitted(&mut self, link: LinkId, generation: u64, transmitted: u64) {
        if self.leaving.is_empty() {
            return;
        }
        let bind = (link, generation, 0, 0)..=(link, generation, transmitted, u64::MAX);
        while let Some(&(.., number)) = self.leaving.range(bind.clone()).next() {
            self.forget(number);
        }
    }

    /// Handles the end of a bind: the SMSC redelivers what is left of it.
    pub(super) fn handle_bind_ended(&mut self, now: Instant, link: LinkId, generation: u64) {
        let bind = (link, generation, 0, 0)..=(link, generation, u32::MAX, u64::MAX);
        while let Some(&(.., number)) = self.waiting.range(bind.clone()).next() {
            self.reposition(number, Position::WaitingOrphan);
        }
        let bind = (link, generation, 0, 0)..=(link, generation, u64::MAX, u64::MAX);
        while let Some(&(.., number)) = self.leaving.range(bind.clone()).next() {
            self.reposition(number, Position::AcceptedOrphan(now));
        }
    }

    /// Forgets some of the orphans that are too old: more than one call adds.
    fn expire(&mut self, now: Instant) {
        for _ in 0..FORGOTTEN_AT_ONCE {
            let Some(&(at, number)) = self.accepted_orphans.first() else { return };
            if now - at < self.window {
                return;
            }
            self.forget(number);
        }
    }

    /// Returns whether a PDU is an accepted orphan that is too old.
    fn is_expired(&self, now: Instant, number: u64) -> bool {
        let position = self.all.get(&number).map(|pdu| pdu.position);
        matches!(position, Some(Position::AcceptedOrphan(at)) if now - at >= self.window)
    }

    fn reposition(&mut self, number: u64, position: Position) {
        let Some(pdu) = self.all.get_mut(&number) else { return };
        let (digest, before) = (pdu.digest, core::mem::replace(&mut pdu.position, position));
        self.leave(number, digest, before);
        self.enter(number, digest, position);
        self.trim();
    }

    /// Forgets the oldest orphans of those that are too many: some of them if the limit was lowered, and the others with the
    /// next calls.
    fn trim(&mut self) {
        for _ in 0..FORGOTTEN_AT_ONCE {
            if self.orphans.len() <= self.max_orphans {
                return;
            }
            let accepted = self.accepted_orphans.first().map(|(_, number)| *number);
            let Some(oldest) = accepted.or_else(|| self.waiting_orphans.first().copied()) else { return };
            self.forget(oldest);
        }
    }

    fn enter(&mut self, number: u64, digest: u64, position: Position) {
        match position {
            Position::Waiting(link, generation, sequence) => {
                self.waiting.insert((link, generation, sequence, number));
            }
            Position::Leaving(link, generation, end) => {
                self.leaving.insert((link, generation, end, number));
            }
            Position::WaitingOrphan => {
                self.orphans.insert((digest, number));
                self.waiting_orphans.insert(number);
            }
            Position::AcceptedOrphan(at) => {
                self.orphans.insert((digest, number));
                self.accepted_orphans.insert((at, number));
            }
        }
    }

    fn leave(&mut self, number: u64, digest: u64, position: Position) {
        match position {
            Position::Waiting(link, generation, sequence) => {
                self.waiting.remove(&(link, generation, sequence, number));
            }
            Position::Leaving(link, generation, end) => {
                self.leaving.remove(&(link, generation, end, number));
            }
            Position::WaitingOrphan => {
                self.orphans.remove(&(digest, number));
                self.waiting_orphans.remove(&number);
            }
            Position::AcceptedOrphan(at) => {
                self.orphans.remove(&(digest, number));
                self.accepted_orphans.remove(&(at, number));
            }
        }
    }
}

/// Returns the digest of a PDU without its sequence number: of the command and the body.
fn pdu_digest(octets: &[u8]) -> u64 {
    let (command, body) = (octets.get(4..8).unwrap_or_default(), octets.get(16..).unwrap_or_default());
    digest(command.iter().chain(body).copied())
}
