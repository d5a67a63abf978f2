//! Mobile-originated messages as the caller receives them.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::link::BindId;
use crate::frame::Frame;
use crate::pdu::{Address, Pdu};
use crate::sms::{self, Codings, ReceivedSegment, UserData};
use crate::wire::{COctets, Quirks, Tolerance};

/// A mobile-originated (MO) message, from a phone or from another application, with its segments reassembled.
#[derive(Debug)]
#[doc(alias = "mo")]
pub struct InboundMessage {
    pub(super) content: InboundContent,
    pub(super) codings: Codings,
    pub(super) bind: BindId,
}

pub(super) enum InboundContent {
    /// One PDU that is no segment of a concatenated message.
    Single(Frame<Vec<u8>>),
    Segments(sms::ReassembledMessage<SegmentTag>),
}

/// Shows whether the message is complete, and omits addresses and text.
impl fmt::Debug for InboundContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Single(frame) => frame.fmt(f),
            Self::Segments(message) => message.fmt(f),
        }
    }
}

/// Identifies a segment that was received.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentTag {
    /// Counts upwards.
    pub(super) number: u64,
    /// The bind that it arrived on.
    pub(super) bind: BindId,
}

impl InboundMessage {
    /// Returns the bind that the message arrived on: of a concatenated message, its last segment.
    /// [`Message::bind`](super::Message::bind) answers on the same bind.
    pub const fn bind(&self) -> BindId {
        self.bind
    }

    /// Returns the sender's address.
    pub fn source(&self) -> Address<'_, 65> {
        match &self.content {
            InboundContent::Single(frame) => match pdu(frame) {
                Some(Pdu::DeliverSm(message)) => widen(message.source),
                Some(Pdu::DataSm(message)) => message.source,
                _ => Address::default(),
            },
            InboundContent::Segments(message) => message.source(),
        }
    }

    /// Returns the recipient's address: a number of the account.
    pub fn destination(&self) -> Address<'_, 65> {
        match &self.content {
            InboundContent::Single(frame) => match pdu(frame) {
                Some(Pdu::DeliverSm(message)) => widen(message.destination),
                Some(Pdu::DataSm(message)) => message.destination,
                _ => Address::default(),
            },
            InboundContent::Segments(message) => message.destination(),
        }
    }

    /// Returns the text, decoded with the character sets of [`Options::text`](super::Options::text); `None` if the
    /// message is not text, or its character set is not supported.
    pub fn text(&self) -> Option<String> {
        match &self.content {
            InboundContent::Single(frame) => {
                let (whole, user_data) = user_data(pdu(frame)?)?;
                // A malformed user data header is shown as part of the text.
                match user_data {
                    Some(user_data) => user_data.text(self.codings),
                    None => whole.text(self.codings),
                }
            }
            InboundContent::Segments(message) => message.text(self.codings),
        }
    }

    /// Returns the octets of all segments that are there, without their user data headers.
    pub fn octets(&self) -> Vec<u8> {
        match &self.content {
            InboundContent::Single(frame) => pdu(frame)
                .and_then(user_data)
                .map(|(whole, user_data)| user_data.unwrap_or(whole).octets.into())
                .unwrap_or_default(),
            InboundContent::Segments(message) => message.octets(),
        }
    }

    /// Returns the PDU as it arrived; `None` for a concatenated message.
    pub fn frame(&self) -> Option<&Frame<Vec<u8>>> {
        match &self.content {
            InboundContent::Single(frame) => Some(frame),
            InboundContent::Segments(_) => None,
        }
    }

    /// Returns the segments of a concatenated message; none for a message of one PDU.
    pub fn segments(&self) -> impl Iterator<Item = ReceivedSegment<'_>> {
        let message = match &self.content {
            InboundContent::Single(_) => None,
            InboundContent::Segments(message) => Some(message),
        };
        message.into_iter().flat_map(sms::ReassembledMessage::segments)
    }

    /// Returns how many octets of PDUs it holds.
    pub(super) fn held_octets(&self) -> usize {
        let segment = |segment: ReceivedSegment<'_>| {
            segment.octets.len() + segment.header.map_or(0, |header| header.0.len())
        };
        match &self.content {
            InboundContent::Single(frame) => frame.octets().len(),
            InboundContent::Segments(message) => message.segments().map(segment).sum(),
        }
    }

    /// Returns whether all segments are there. If not, the others did not arrive in time.
    pub fn is_complete(&self) -> bool {
        match &self.content {
            InboundContent::Single(_) => true,
            InboundContent::Segments(message) => message.is_complete(),
        }
    }
}

fn pdu(frame: &Frame<Vec<u8>>) -> Option<Pdu<'_>> {
    frame.pdu(Tolerance(Quirks::all())).ok().map(|(pdu, _)| pdu)
}

/// Converts an address of `deliver_sm` to the longer form of `data_sm`.
fn widen(address: Address<'_>) -> Address<'_, 65> {
    let Address { ton, npi, digits } = address;
    Address { ton, npi, digits: COctets::from_valid(digits.as_bytes()) }
}

/// Returns the user data as it is, and split at its header if that can be read.
pub(super) fn user_data(pdu: Pdu<'_>) -> Option<(UserData<'_>, Option<UserData<'_>>)> {
    let (esm_class, data_coding, text, user_data) = match pdu {
        Pdu::DeliverSm(message) => {
            (message.esm_class, message.data_coding, message.text(), message.user_data())
        }
        Pdu::DataSm(message) => (message.esm_class, message.data_coding, message.text(), message.user_data()),
        _ => return None,
    };
    let whole = UserData { header: None, octets: text, esm_class, data_coding, segment: None };
    Some((whole, user_data.ok()))
}
