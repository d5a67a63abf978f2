//! How a long text is sent, and how many segments it needs.

use super::udh::ConcatRef;

/// How a text is sent that needs more than one segment (long SMS, concatenated message).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Segmentation {
    /// A user data header with this reference in each segment (3GPP TS 23.040 §9.2.3.24). Every SMSC supports it.
    Udh(ConcatRef),
    /// The parameters sar_msg_ref_num (this reference), sar_total_segments and sar_segment_seqnum in each segment. The
    /// SMSC makes user data headers of them (SMPP 3.4 §5.3.2.22 to §5.3.2.24).
    Sar(u16),
    /// The whole text in one `message_payload`, even if it is short. The SMSC splits it into segments (SMPP 3.4
    /// §5.3.2.32).
    Payload,
}

/// The length of a text: see [`Text::size`](super::Text::size).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TextSize {
    /// The number of segments, that is the number of short messages that are charged. Up to 255 segments can be sent.
    pub segments: usize,
    /// The length of the text in septets, octets or UTF-16 units.
    pub units: usize,
    /// The unused septets, octets or UTF-16 units of the last segment.
    pub remaining: usize,
}

impl Segmentation {
    /// Returns the octets of the concatenation element in a user data header. If the SMSC makes the header, the longer
    /// element with a 16-bit reference is assumed.
    pub(super) fn concatenation(self) -> usize {
        match self {
            Self::Udh(reference) => usize::from(reference.header_len()) - 1,
            Self::Sar(_) | Self::Payload => 6,
        }
    }
}

impl From<ConcatRef> for Segmentation {
    fn from(reference: ConcatRef) -> Self {
        Self::Udh(reference)
    }
}
