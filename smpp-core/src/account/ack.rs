//! The token that acknowledges what the SMSC delivered.

use alloc::vec::{self, Vec};
use core::iter::Chain;
use core::{fmt, option};

use super::link::LinkId;
use super::receipt::ReportedReceipt;
use crate::pdu::{DataSm, DeliverSm};
use crate::session::Reply;
use crate::sms;

/// A token that acknowledges a delivered receipt or message once, with
/// [`Account::acknowledge`](super::Account::acknowledge).
///
/// A dropped token leaves the SMSC without a response: its PDUs count against
/// [`max_unanswered`](crate::session::Config::max_unanswered) for the life of the bind. The account does not
/// acknowledge a redelivery on another bind either, because the caller has not accepted the first one: it refuses the
/// redelivery, or leaves it without a response too.
#[must_use = "a delivery must be acknowledged or refused"]
pub struct Ack {
    pub(super) tokens: Tokens,
    pub(super) subject: AckSubject,
    /// Whether the account has acknowledged one of the PDUs already.
    pub(super) is_acknowledged: bool,
}

/// The tokens of the PDUs of a delivery. A receipt and most messages have one PDU, which needs no allocation.
pub(super) enum Tokens {
    One(ReplyToken),
    /// Any number.
    Several(Vec<ReplyToken>),
}

impl Tokens {
    const fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Several(all) => all.len(),
        }
    }
}

impl IntoIterator for Tokens {
    type Item = ReplyToken;
    type IntoIter = Chain<option::IntoIter<ReplyToken>, vec::IntoIter<ReplyToken>>;

    fn into_iter(self) -> Self::IntoIter {
        let (one, several) = match self {
            Self::One(token) => (Some(token), Vec::new()),
            Self::Several(all) => (None, all),
        };
        one.into_iter().chain(several)
    }
}

/// What an [`Ack`] acknowledges, and what the account forgets if the caller refuses it.
pub(super) enum AckSubject {
    /// One PDU without an id, by its number in [`DeliveredPdus`](super::delivered_pdus::DeliveredPdus).
    Pdu(u64),
    /// A receipt that is held until it is known whether it matches a message.
    EarlyReceipt,
    /// A reassembled message.
    Message(sms::MessageIdentity),
    /// A receipt that matched a message.
    Receipt(ReportedReceipt),
}

/// Responds to one PDU on the session that it arrived on.
pub(super) struct ReplyToken {
    pub(super) link: LinkId,
    /// The generation of the session on that link: see `LinkSlot::generation`.
    pub(super) generation: u64,
    pub(super) reply: PendingReply,
}

/// The session's reply token, by operation.
pub(super) enum PendingReply {
    DeliverSm(Reply<DeliverSm<'static>>),
    DataSm(Reply<DataSm<'static>>),
}

impl PendingReply {
    /// Returns the sequence number of the request.
    pub(super) const fn sequence(&self) -> u32 {
        match self {
            Self::DeliverSm(reply) => reply.sequence().0,
            Self::DataSm(reply) => reply.sequence().0,
        }
    }
}

impl Ack {
    /// Returns whether a refusal cannot reach the SMSC for all segments: it has an acknowledgement for one of them.
    pub(super) const fn is_only_copy(&self) -> bool {
        self.is_acknowledged
    }
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ack").field(&self.tokens.len()).finish()
    }
}
