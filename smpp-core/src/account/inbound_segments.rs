//! The segments of MO messages that wait for the others, and their delayed acknowledgements.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use super::ack::{Ack, AckSubject, ReplyToken};
use super::inbound_message::SegmentTag;
use crate::sms::{self, Reassembler};
use crate::time::Instant;

/// Reassembles concatenated MO messages, whichever binds their segments arrive on, and holds the reply token of each
/// segment until the message is complete or [`Options::segment_ack_timeout`](super::Options::segment_ack_timeout) passes.
pub(super) struct InboundSegments {
    pub(super) reassembler: Reassembler<SegmentTag>,
    /// The delayed acknowledgements by the number of the segment's tag.
    pub(super) held: BTreeMap<u64, (Instant, ReplyToken)>,
    pub(super) last_tag: u64,
    pub(super) ack_timeout: Duration,
}

impl InboundSegments {
    pub(super) const fn new(limits: sms::ReassemblyLimits, ack_timeout: Duration) -> Self {
        Self { reassembler: Reassembler::new(limits), held: BTreeMap::new(), last_tag: 0, ack_timeout }
    }

    /// Returns the token that acknowledges the segments of `message` that have not been acknowledged yet.
    pub(super) fn take_ack(&mut self, message: &sms::ReassembledMessage<SegmentTag>) -> Ack {
        let tokens = message.tags().filter_map(|tag| self.held.remove(&tag.number)).map(|(_, token)| token);
        let tokens: Vec<_> = tokens.collect();
        let is_acknowledged = tokens.len() < message.tags().count();
        Ack { tokens, subject: AckSubject::Message(message.identity()), is_acknowledged }
    }

    /// Returns when a segment is too old, or its acknowledgement is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let held = self.held.first_key_value().map(|(_, (at, _))| *at + self.ack_timeout);
        held.into_iter().chain(self.reassembler.poll_timeout()).min()
    }
}
