//! How a text that needs several segments is sent, and how many it needs.

use super::udh::ConcatRef;

/// How a text that needs more than one message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Segmentation {
    /// Each segment begins with a user data header that has this reference (3GPP TS 23.040 §9.2.3.24). What every SMSC
    /// takes.
    Udh(ConcatRef),
    /// Each segment has the parameters sar_msg_ref_num with this reference, sar_total_segments and sar_segment_seqnum;
    /// the SMSC makes headers of them (SMPP 3.4 §5.3.2.22 to §5.3.2.24).
    Sar(u16),
    /// All of it in one `message_payload`, also if it is short: the SMSC cuts it (SMPP 3.4 §5.3.2.32).
    Payload,
}

/// How long a text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextSize {
    /// Messages on the air: what is paid for. More than 255 cannot be sent as segments.
    pub segments: usize,
    /// Septets, octets or UTF-16 units of the text.
    pub units: usize,
    /// Septets, octets or UTF-16 units that the last segment has room for.
    pub remaining: usize,
}

impl Segmentation {
    /// Octets of a header's element that concatenates: where the SMSC makes it, the longer one.
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
