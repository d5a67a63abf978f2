//! The segments of MO messages that wait for the others, and their delayed acknowledgements.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use super::ack::{Ack, AckSubject, ReplyToken, Tokens};
use super::inbound_message::SegmentTag;
use super::link::{BindId, LinkId};
use super::options::SegmentAckMode;
use crate::sms::{self, MessageIdentity, Reassembler};
use crate::time::Instant;

/// In [`SegmentAckMode::Adaptive`], how long the acknowledgement of a segment is delayed for an SMSC that may wait for it.
pub(super) const EARLY_ACK: Duration = Duration::from_millis(50);

/// A segment that arrives within this time after an overdue acknowledgement has waited for it.
const WAS_WAITING: Duration = Duration::from_secs(1);

/// The least number of messages that are remembered because they were left to the SMSC, also for a smaller
/// [`max_messages`](sms::ReassemblyLimits::max_messages).
const MIN_LEFT: usize = 100;

/// Reassembles concatenated MO messages, whichever binds their segments arrive on, and holds the reply token of each
/// segment until the message is complete or its acknowledgement is due.
///
/// # When an acknowledgement is due
///
/// An SMSC may send the next segment only after the acknowledgement of the previous one, or have reached its window. It
/// gets the acknowledgement after [`EARLY_ACK`]. Otherwise the acknowledgement is delayed until
/// [`Options::segment_ack_timeout`](super::Options::segment_ack_timeout). The account counts an SMSC as waiting
///
/// - until a message was completed while an earlier segment of it was unacknowledged: `sends_ahead`. If a segment arrives
///   right after an acknowledgement that was delayed for the whole time, the SMSC has waited, and this starts again;
/// - on a bind with as many unanswered requests as the SMSC has ever had on it, where nothing has arrived for
///   [`EARLY_ACK`].
pub(super) struct InboundSegments {
    pub(super) reassembler: Reassembler<SegmentTag>,
    /// The delayed acknowledgements by the segment's tag, which counts upwards.
    held: BTreeMap<u64, (Instant, ReplyToken)>,
    /// The tags of `held` by the connection slot of their tokens.
    held_by_link: BTreeSet<(LinkId, u64)>,
    last_tag: u64,
    ack_timeout: Duration,
    mode: SegmentAckMode,
    /// Whether the SMSC sends segments before the earlier ones of their message are acknowledged.
    sends_ahead: bool,
    /// When the last acknowledgement left that was delayed for `ack_timeout`.
    overdue_ack: Option<Instant>,
    /// By connection slot.
    traffic: Vec<LinkTraffic>,
    /// How many emitted messages with this identity the application has not acknowledged.
    unacknowledged: BTreeMap<MessageIdentity, usize>,
    /// The messages that have made room and were left to the SMSC, to be emitted if they have to make room again: at most
    /// `max_left`.
    left_to_smsc: BTreeSet<MessageIdentity>,
    /// The same, the oldest first.
    left_order: VecDeque<MessageIdentity>,
    max_left: usize,
}

/// The requests of the SMSC on one bind.
#[derive(Clone, Copy)]
struct LinkTraffic {
    generation: u64,
    last_arrival: Instant,
    /// The most requests that were unanswered at one time: the window of the SMSC is at least as large.
    max_unanswered: u16,
}

impl InboundSegments {
    pub(super) const fn new(
        limits: sms::ReassemblyLimits,
        ack_timeout: Duration,
        mode: SegmentAckMode,
        seed: u64,
    ) -> Self {
        Self {
            reassembler: Reassembler::with_seed(limits, seed),
            held: BTreeMap::new(),
            held_by_link: BTreeSet::new(),
            last_tag: 0,
            ack_timeout,
            mode,
            sends_ahead: false,
            overdue_ack: None,
            traffic: Vec::new(),
            unacknowledged: BTreeMap::new(),
            left_to_smsc: BTreeSet::new(),
            left_order: VecDeque::new(),
            max_left: max_left(limits),
        }
    }

    /// Changes the options. They count for what arrives from now on, and for what is held.
    pub(super) const fn set_options(
        &mut self,
        limits: sms::ReassemblyLimits,
        ack_timeout: Duration,
        mode: SegmentAckMode,
    ) {
        self.reassembler.set_limits(limits);
        self.ack_timeout = ack_timeout;
        self.mode = mode;
        self.max_left = max_left(limits);
    }

    /// Returns the tag of the next segment.
    pub(super) const fn next_tag(&mut self, bind: BindId) -> SegmentTag {
        self.last_tag += 1;
        SegmentTag { number: self.last_tag, bind }
    }

    /// Records that a request has arrived on a bind, which now has this many unanswered ones.
    #[inline]
    pub(super) fn record_arrival(&mut self, now: Instant, link: LinkId, generation: u64, unanswered: u16) {
        let new = LinkTraffic { generation, last_arrival: now, max_unanswered: unanswered };
        match self.traffic.get_mut(link.index()) {
            Some(traffic) if traffic.generation == generation => {
                traffic.last_arrival = now;
                traffic.max_unanswered = traffic.max_unanswered.max(unanswered);
            }
            Some(traffic) => *traffic = new,
            None => self.traffic.resize(link.index() + 1, new),
        }
    }

    /// Delays the acknowledgement of a segment.
    pub(super) fn hold(&mut self, now: Instant, tag: u64, token: ReplyToken) {
        self.held_by_link.insert((token.link, tag));
        self.held.insert(tag, (now, token));
    }

    /// Replaces the token of a segment whose bind has ended by that of its redelivery.
    pub(super) fn replace(&mut self, tag: u64, token: ReplyToken) {
        let link = token.link;
        if let Some((_, held)) = self.held.get_mut(&tag) {
            let old = core::mem::replace(held, token);
            self.held_by_link.remove(&(old.link, tag));
            self.held_by_link.insert((link, tag));
        }
    }

    /// Returns the token of a segment that has not been acknowledged.
    pub(super) fn held(&self, tag: u64) -> Option<&ReplyToken> {
        self.held.get(&tag).map(|(_, token)| token)
    }

    /// Returns whether no segment of a message has been acknowledged, so that the SMSC has all of it.
    pub(super) fn is_at_smsc(&self, message: &sms::ReassembledMessage<SegmentTag>) -> bool {
        message.tags().all(|tag| self.held.contains_key(&tag.number))
    }

    /// Records that a message makes room and is left to the SMSC. Returns false if it has done so before: redelivered
    /// messages that displace each other would never end.
    pub(super) fn record_left_to_smsc(&mut self, message: MessageIdentity) -> bool {
        if self.left_to_smsc.remove(&message) {
            return false;
        }
        while self.left_order.len() >= self.max_left
            && let Some(oldest) = self.left_order.pop_front()
        {
            self.left_to_smsc.remove(&oldest);
        }
        self.left_order.push_back(message.clone());
        self.left_to_smsc.insert(message);
        true
    }

    fn release(&mut self, tag: u64) -> Option<ReplyToken> {
        let (_, token) = self.held.remove(&tag)?;
        self.held_by_link.remove(&(token.link, tag));
        Some(token)
    }

    /// Returns the token that acknowledges the segments of `message` that have not been acknowledged yet.
    pub(super) fn take_ack(&mut self, message: &sms::ReassembledMessage<SegmentTag>) -> Ack {
        let tokens: Vec<_> = message.tags().filter_map(|tag| self.release(tag.number)).collect();
        let is_acknowledged = tokens.len() < message.tags().count();
        let subject = AckSubject::Message(message.identity());
        Ack { tokens: Tokens::Several(tokens), subject, is_acknowledged }
    }

    /// Records that a message is emitted: its redelivered segments are refused until the application acknowledges it.
    pub(super) fn record_emitted(&mut self, now: Instant, message: &sms::ReassembledMessage<SegmentTag>) {
        *self.unacknowledged.entry(message.identity()).or_default() += 1;
        if !message.is_complete() {
            self.reassembler.record_incomplete(now, message);
        }
    }

    /// Records that the application has acknowledged a message, and whether its segments are redeliveries from now on.
    pub(super) fn record_acknowledged(&mut self, now: Instant, message: &MessageIdentity, is_kept: bool) {
        if let Some(count) = self.unacknowledged.get_mut(message) {
            *count -= 1;
            if *count == 0 {
                self.unacknowledged.remove(message);
            }
        }
        if is_kept {
            self.reassembler.renew_completed(now, message);
        } else {
            self.reassembler.forget_completed(message);
        }
    }

    /// Returns whether the application has acknowledged all emitted messages with this identity.
    pub(super) fn is_acknowledged(&self, message: &MessageIdentity) -> bool {
        !self.unacknowledged.contains_key(message)
    }

    /// Records that a segment has arrived that is not the first of its message. `sent_ahead` is whether an earlier one is
    /// still unacknowledged; `None` if that is not known.
    pub(super) fn record_continuation(&mut self, now: Instant, sent_ahead: Option<bool>) {
        if sent_ahead == Some(true) {
            self.sends_ahead = true;
        } else if self.overdue_ack.take().is_some_and(|at| now - at < WAS_WAITING) {
            self.sends_ahead = false;
        }
    }

    const fn delays_until_timeout(&self) -> bool {
        self.sends_ahead || matches!(self.mode, SegmentAckMode::Strict)
    }

    /// Returns when the oldest delayed acknowledgement is due, on whichever bind.
    pub(super) fn oldest_due(&self) -> Option<Instant> {
        let early = if self.delays_until_timeout() { self.ack_timeout } else { EARLY_ACK };
        let (_, (at, _)) = self.held.first_key_value()?;
        Some(*at + early.min(self.ack_timeout))
    }

    /// Removes and returns the token whose acknowledgement has been due for the longest time.
    pub(super) fn pop_oldest(&mut self, now: Instant) -> Option<ReplyToken> {
        if self.delays_until_timeout() {
            self.overdue_ack = Some(now);
        }
        let tag = *self.held.first_key_value()?.0;
        self.release(tag)
    }

    /// Returns the connection slots with delayed acknowledgements on which the SMSC may have reached its window, and when
    /// these acknowledgements are due. `unanswered` returns how many requests are unanswered on a bind that lives.
    pub(super) fn blocked_links(
        &self,
        unanswered: impl Fn(LinkId, u64) -> Option<u16>,
    ) -> impl Iterator<Item = (Instant, LinkId)> {
        let applies = self.sends_ahead
            && matches!(self.mode, SegmentAckMode::Adaptive)
            && !self.held_by_link.is_empty();
        let mut next = applies.then_some((LinkId(0), 0));
        let links = core::iter::from_fn(move || {
            let (link, _) = *self.held_by_link.range(next?..).next()?;
            next = link.0.checked_add(1).map(|index| (LinkId(index), 0));
            Some(link)
        });
        links.filter_map(move |link| {
            let traffic = self.traffic.get(link.index())?;
            let is_blocked = unanswered(link, traffic.generation)? >= traffic.max_unanswered;
            is_blocked.then_some((traffic.last_arrival + EARLY_ACK.min(self.ack_timeout), link))
        })
    }

    /// Removes and returns the tokens of a connection slot.
    pub(super) fn take_held_on(&mut self, link: LinkId) -> Vec<ReplyToken> {
        let tags = self.held_by_link.range((link, 0)..=(link, u64::MAX)).map(|(_, tag)| *tag);
        let tags: Vec<u64> = tags.collect();
        tags.into_iter().filter_map(|tag| self.release(tag)).collect()
    }
}

/// Returns how many messages are remembered because they were left to the SMSC.
const fn max_left(limits: sms::ReassemblyLimits) -> usize {
    if limits.max_messages > MIN_LEFT { limits.max_messages } else { MIN_LEFT }
}
