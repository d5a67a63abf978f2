//! The segments of a text, and the `submit_sm` of each.

use alloc::vec::Vec;
use core::fmt;
use core::iter::FusedIterator;

use super::segmentation::Segmentation;
use super::splitter::Splitter;
use super::udh::{Concatenation, MalformedHeader};
use crate::pdu::{DataCoding, EsmClass, ReplaceIfPresent, ShortMessage, SubmitSm};
use crate::tlv::{Tag, Tlv, Tlvs};
use crate::wire::{Emit, Sink};

/// The maximum octets of user data in one segment. In SMPP an unpacked septet takes a whole octet.
const MAX_USER_DATA: usize = 160;

/// Optional parameters that a segment writes itself. They are not copied from the template.
const TEXT_PARAMETERS: [Tag; 4] =
    [Tag::MESSAGE_PAYLOAD, Tag::SAR_MSG_REF_NUM, Tag::SAR_TOTAL_SEGMENTS, Tag::SAR_SEGMENT_SEQNUM];

/// The segments of a [`Text`](super::Text), in order. `len()` returns how many are left.
///
/// Returned by [`Text::segments`](super::Text::segments).
#[derive(Clone, Debug)]
pub struct Segments<'a> {
    splitter: Splitter<'a>,
    data_coding: DataCoding,
    segmentation: Segmentation,
    /// How many segments were returned: 0 to `total`.
    number: u8,
    total: u8,
}

/// One segment: the user data of one `submit_sm`, and the PDU fields that describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    user_data: SegmentData,
    data_coding: DataCoding,
    esm_class: EsmClass,
    /// The sar_msg_ref_num.
    sar: Option<u16>,
    number: u8,
    total: u8,
}

/// The segments of a text as `submit_sm` bodies, built from a template. Returned by [`Segments::submissions`].
#[derive(Clone, Debug)]
pub struct Submissions<'a> {
    segments: Segments<'a>,
    template: SubmitSm<'a>,
}

/// One segment with the template of its `submit_sm`.
#[derive(Clone, Debug)]
pub struct Submission<'a> {
    segment: Segment,
    template: SubmitSm<'a>,
    /// The optional parameters of the segment and the template. If it is empty, those of `template` apply.
    tlvs: Vec<u8>,
}

/// Why a text cannot be sent as segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SegmentError {
    /// The text needs more than 255 segments. Neither the ESME nor the SMSC can number more, as the number is one
    /// octet.
    TooMany {
        /// The number of segments that the text needs.
        needed: usize,
    },
    /// The additional elements of the user data header leave no room for the text.
    HeaderTooLong {
        /// The octets of the header without the concatenation element, its length octet included.
        length: usize,
    },
    /// The additional elements of the user data header are malformed.
    MalformedHeader(MalformedHeader),
    /// An additional element of the user data header would conflict with one that the segment writes itself.
    ReservedElement {
        /// The id of the element.
        id: u8,
    },
    /// A message of several segments with sar_ parameters has no user data header (SMPP 3.4 §5.3.2.22), so it can have
    /// neither additional elements nor national language tables.
    HeaderWithSar,
}

impl<'a> Segments<'a> {
    pub(super) fn new(
        splitter: Splitter<'a>,
        data_coding: DataCoding,
        segmentation: Segmentation,
    ) -> Result<Self, SegmentError> {
        let segments = |total| Self { splitter, data_coding, segmentation, number: 0, total };
        let needed = splitter.size(segmentation).segments;
        let total = u8::try_from(needed).map_err(|_| SegmentError::TooMany { needed })?;
        match segmentation {
            Segmentation::Sar(_) if total > 1 && splitter.has_header() => Err(SegmentError::HeaderWithSar),
            Segmentation::Sar(_) | Segmentation::Udh(_) => Ok(segments(total)),
            // A text that the SMSC can split into 255 segments is shorter than the maximum length of a TLV.
            Segmentation::Payload => Ok(segments(1)),
        }
    }

    /// Returns the segments as `submit_sm` bodies: copies of the template, each with the text, `data_coding`, UDHI bit
    /// and optional parameters of its segment.
    ///
    /// The optional parameters of the segment precede those of the template. The segment replaces everything in the
    /// template that describes the text: `short_message`, `sm_default_msg_id`, `message_payload` and the sar_
    /// parameters. If there are several segments, `replace_if_present_flag` is reset too, because each segment would
    /// replace the previous one.
    ///
    /// ```
    /// use smpp_proto::sms::{Segmentation, Text};
    /// use smpp_proto::{Address, Frame, SequenceNumber, SubmitSm, CommandStatus, Pdu};
    ///
    /// let template = SubmitSm { destination: Address::international("6591234567")?, ..SubmitSm::default() };
    /// let text = "Long ago, in a kingdom by the sea, ".repeat(10);
    /// let submissions = Text::new(&text).segments(Segmentation::Sar(7))?.submissions(template);
    /// assert_eq!(submissions.len(), 3);
    /// for submission in submissions {
    ///     let submit_sm = submission.submit_sm();
    ///     assert_eq!(submit_sm.tlvs.sar_msg_ref_num(), Some(7));
    ///     assert_eq!(submit_sm.destination, template.destination);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn submissions(self, template: SubmitSm<'a>) -> Submissions<'a> {
        Submissions { segments: self, template }
    }
}

impl Iterator for Segments<'_> {
    type Item = Segment;

    fn next(&mut self) -> Option<Segment> {
        let Self { splitter, data_coding, segmentation, total, .. } = *self;
        if self.number == total {
            return None;
        }
        self.number += 1;
        let number = self.number;
        let mut sar = None;
        let mut concatenation = None;
        if total > 1 {
            match segmentation {
                Segmentation::Udh(reference) => concatenation = Concatenation::new(reference, total, number),
                Segmentation::Sar(reference) => sar = Some(reference),
                Segmentation::Payload => {}
            }
        }
        let header =
            splitter.header_len(concatenation.map_or(0, |concatenation| concatenation.encoded_len()));
        let (chunk, mut user_data) = if segmentation == Segmentation::Payload {
            (splitter.rest, SegmentData::Payload(Vec::new()))
        } else {
            // The SMSC makes a header of the sar_ parameters, so the segment leaves room for it.
            let (chunk, units, rest) =
                splitter.split(if sar.is_some() { 1 + segmentation.concatenation() } else { header });
            self.splitter.advance(units, rest);
            (chunk, SegmentData::EMPTY)
        };
        if header > 0 {
            user_data.octet((header - 1) as u8);
            if let Some(concatenation) = concatenation {
                concatenation.emit_to(&mut user_data);
            }
            splitter.emit_elements(&mut user_data);
        }
        splitter.emit(chunk, header, &mut user_data);
        let esm_class = if header > 0 { EsmClass::UDHI } else { EsmClass::empty() };
        Some(Segment { user_data, data_coding, esm_class, sar, number, total })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let remaining = usize::from(self.total - self.number);
        (remaining, Some(remaining))
    }
}

impl ExactSizeIterator for Segments<'_> {}
impl FusedIterator for Segments<'_> {}

impl Segment {
    /// Returns the user data, its header included: at most 160 octets for `short_message`. With
    /// [`Segmentation::Payload`] it is up to 65,535 octets for `message_payload`.
    pub fn as_bytes(&self) -> &[u8] {
        self.user_data.as_bytes()
    }

    /// Returns the `data_coding` of the PDU.
    pub const fn data_coding(&self) -> DataCoding {
        self.data_coding
    }

    /// Returns the `esm_class` bits of the PDU: UDHI if the segment has a header, none otherwise.
    pub const fn esm_class(&self) -> EsmClass {
        self.esm_class
    }

    /// Returns the segment number: 1 to [`total`](Self::total).
    pub const fn number(&self) -> u8 {
        self.number
    }

    /// Returns the number of segments of the text: 1 to 255.
    pub const fn total(&self) -> u8 {
        self.total
    }

    /// Returns whether the user data is the value of `message_payload`.
    pub(crate) const fn is_payload(&self) -> bool {
        matches!(self.user_data, SegmentData::Payload(_))
    }

    /// Appends the optional parameters of the PDU. There are none with [`Segmentation::Udh`].
    pub(crate) fn emit_tlvs(&self, out: &mut Vec<u8>) {
        if let SegmentData::Payload(octets) = &self.user_data {
            Tlvs::list(Tlv::new(Tag::MESSAGE_PAYLOAD, octets).as_slice()).emit(out);
        }
        if let Some(reference) = self.sar {
            let tlvs = [
                Tlv::sar_msg_ref_num(reference),
                Tlv::sar_total_segments(self.total),
                Tlv::sar_segment_seqnum(self.number),
            ];
            Tlvs::list(&tlvs).emit(out);
        }
    }
}

impl<'a> Iterator for Submissions<'a> {
    type Item = Submission<'a>;

    fn next(&mut self) -> Option<Submission<'a>> {
        let segment = self.segments.next()?;
        let mut template = self.template;
        let mut tlvs = Vec::new();
        segment.emit_tlvs(&mut tlvs);
        let others = || template.tlvs.iter().filter(|tlv| !TEXT_PARAMETERS.contains(&tlv.tag));
        if !tlvs.is_empty() || others().count() < template.tlvs.iter().count() {
            others().for_each(|tlv| Tlvs::list(&[tlv]).emit(&mut tlvs));
            template.tlvs = Tlvs::EMPTY;
        }
        Some(Submission { segment, template, tlvs })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.segments.size_hint()
    }
}

impl ExactSizeIterator for Submissions<'_> {}
impl FusedIterator for Submissions<'_> {}

impl Submission<'_> {
    /// Returns the `submit_sm` body.
    pub fn submit_sm(&self) -> SubmitSm<'_> {
        let Self { segment, template, tlvs } = self;
        let short_message = match &segment.user_data {
            SegmentData::Inline { .. } => ShortMessage::new(segment.as_bytes()).unwrap_or_default(),
            SegmentData::Payload(_) => ShortMessage::EMPTY,
        };
        SubmitSm {
            esm_class: template.esm_class.difference(EsmClass::UDHI).union(segment.esm_class),
            data_coding: segment.data_coding,
            short_message,
            sm_default_msg_id: 0,
            replace_if_present_flag: if segment.total > 1 {
                ReplaceIfPresent::default()
            } else {
                template.replace_if_present_flag
            },
            tlvs: if tlvs.is_empty() { template.tlvs } else { Tlvs::from_wire(tlvs) },
            ..*template
        }
    }

    /// Returns the segment.
    pub const fn segment(&self) -> &Segment {
        &self.segment
    }
}

/// The user data of a segment. It is stored inline, so that a segment needs no allocation.
#[derive(Clone, PartialEq, Eq)]
enum SegmentData {
    Inline {
        octets: [u8; MAX_USER_DATA],
        length: usize,
    },
    /// A whole text of any length.
    Payload(Vec<u8>),
}

impl SegmentData {
    const EMPTY: Self = Self::Inline { octets: [0; MAX_USER_DATA], length: 0 };

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Inline { octets, length } => octets.get(..*length).unwrap_or_default(),
            Self::Payload(octets) => octets,
        }
    }
}

impl Sink for SegmentData {
    #[inline]
    fn put(&mut self, more: &[u8]) {
        match self {
            Self::Inline { octets, length } => {
                if let Some(free) = octets.get_mut(*length..*length + more.len()) {
                    free.copy_from_slice(more);
                    *length += more.len();
                }
            }
            Self::Payload(octets) => octets.put(more),
        }
    }

    #[inline]
    fn octet(&mut self, octet: u8) {
        match self {
            Self::Inline { octets, length } => {
                if let Some(free) = octets.get_mut(*length) {
                    *free = octet;
                    *length += 1;
                }
            }
            Self::Payload(octets) => octets.octet(octet),
        }
    }
}

impl fmt::Debug for SegmentData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().fmt(f)
    }
}

impl fmt::Display for SegmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { needed } => {
                write!(
                    f,
                    "the text needs {needed} segments, but a message has at most 255: send it as several messages"
                )
            }
            Self::HeaderTooLong { length } => {
                write!(
                    f,
                    "a user data header of {length} octets leaves no room for the text: it may have {}, without \
                     concatenation",
                    Splitter::MAX_ELEMENTS + 1
                )
            }
            Self::MalformedHeader(malformed) => {
                write!(f, "{malformed}: build the elements with UserDataHeaderBuf")
            }
            Self::ReservedElement { id } => {
                write!(
                    f,
                    "the element {id:#04x} of the user data header is reserved: leave it out, the segment writes \
                     it itself"
                )
            }
            Self::HeaderWithSar => f.write_str(
                "several segments with sar_ parameters have no user data header: use Segmentation::Udh (an account: \
                 LongMessages::Udh16), or shorten the text to one segment",
            ),
        }
    }
}

impl core::error::Error for SegmentError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::MalformedHeader(malformed) => Some(malformed),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
