//! A text of any length as messages that fit the air, each ready to be sent.

use alloc::vec::Vec;
use core::fmt;
use core::iter::FusedIterator;

use super::segmentation::Segmentation;
use super::splitter::Splitter;
use super::udh::{Concatenation, MalformedHeader};
use crate::pdu::{DataCoding, EsmClass, ReplaceIfPresent, ShortMessage, SubmitSm};
use crate::tlv::{Tag, Tlv, Tlvs};
use crate::wire::{Emit, Sink};

/// The most octets of user data that one segment has in SMPP, where each septet fills an octet.
const MAX_USER_DATA: usize = 160;

/// Optional parameters that are about the text: the segment's own to write.
const OF_THE_TEXT: [Tag; 4] =
    [Tag::MESSAGE_PAYLOAD, Tag::SAR_MSG_REF_NUM, Tag::SAR_TOTAL_SEGMENTS, Tag::SAR_SEGMENT_SEQNUM];

/// The segments of a [`Text`](super::Text), in order. `len()` tells how many are left.
#[derive(Clone, Debug)]
pub struct Segments<'a> {
    splitter: Splitter<'a>,
    data_coding: DataCoding,
    segmentation: Segmentation,
    /// How many were given out: 0 to `total`.
    number: u8,
    total: u8,
}

/// One segment: the user data of one `submit_sm`, and what the PDU has to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    user_data: UserData,
    data_coding: DataCoding,
    esm_class: EsmClass,
    /// sar_msg_ref_num.
    sar: Option<u16>,
    number: u8,
    total: u8,
}

/// The bodies of the `submit_sm`s of a text, made from a template.
#[derive(Clone, Debug)]
pub struct Submissions<'a> {
    segments: Segments<'a>,
    template: SubmitSm<'a>,
}

/// One segment in its PDU.
#[derive(Clone, Debug)]
pub struct Submission<'a> {
    segment: Segment,
    template: SubmitSm<'a>,
    /// The segment's optional parameters and the template's. Empty: those that `template` still has.
    tlvs: Vec<u8>,
}

/// Why a text cannot be sent as segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SegmentError {
    /// It needs more than 255 segments, which is as far as one octet counts, whoever makes them.
    TooMany {
        /// How many it needs.
        needed: usize,
    },
    /// Further elements of the user data header leave no room for the text.
    HeaderTooLong {
        /// Octets of the header without concatenation, its length octet included.
        length: usize,
    },
    /// Further elements of the user data header do not add up.
    MalformedHeader(MalformedHeader),
    /// A further element of the user data header would stand against the segment's own.
    ReservedElement {
        /// What it is.
        id: u8,
    },
    /// A message with sar_ parameters has no user data header (SMPP 3.4 §5.3.2.22), so neither further elements nor
    /// national tables.
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
            Segmentation::Sar(_) if splitter.has_header() => Err(SegmentError::HeaderWithSar),
            Segmentation::Sar(_) | Segmentation::Udh(_) => Ok(segments(total)),
            // What the SMSC can cut into 255 is less than a TLV counts.
            Segmentation::Payload => Ok(segments(1)),
        }
    }

    /// The same as bodies of `submit_sm`: the template with each segment's text, `data_coding`, UDHI bit and optional
    /// parameters.
    ///
    /// Those of the segment come before those of the template. What the template says of the text itself is not looked
    /// at: `short_message`, `sm_default_msg_id`, `message_payload`, sar_ parameters; nor is `replace_if_present_flag` if
    /// there are several segments, as each would replace the one before.
    ///
    /// ```
    /// use smpp_core::sms::{Segmentation, Text};
    /// use smpp_core::{Address, Frame, SequenceNumber, SubmitSm, CommandStatus, Pdu};
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
            (splitter.rest, UserData::Payload(Vec::new()))
        } else {
            // The SMSC makes a header of sar_ parameters.
            let (chunk, _, rest) =
                splitter.split(if sar.is_some() { 1 + segmentation.concatenation() } else { header });
            self.splitter.rest = rest;
            (chunk, UserData::EMPTY)
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
        let left = usize::from(self.total - self.number);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Segments<'_> {}
impl FusedIterator for Segments<'_> {}

impl Segment {
    /// The user data, its header included: at most 160 octets, for `short_message`; of a [`Segmentation::Payload`] up to
    /// 65,535, for `message_payload`.
    pub fn as_bytes(&self) -> &[u8] {
        self.user_data.as_bytes()
    }

    /// The `data_coding` for the PDU.
    pub const fn data_coding(&self) -> DataCoding {
        self.data_coding
    }

    /// The `esm_class` bits for the PDU: UDHI if the segment has a header, none otherwise.
    pub const fn esm_class(&self) -> EsmClass {
        self.esm_class
    }

    /// Which segment this is: 1 to [`total`](Self::total).
    pub const fn number(&self) -> u8 {
        self.number
    }

    /// How many segments the text has: 1 to 255.
    pub const fn total(&self) -> u8 {
        self.total
    }

    /// Appends the optional parameters for the PDU: none in the form [`Segmentation::Udh`].
    fn emit_tlvs(&self, out: &mut Vec<u8>) {
        if let UserData::Payload(octets) = &self.user_data {
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
        let others = || template.tlvs.iter().filter(|tlv| !OF_THE_TEXT.contains(&tlv.tag));
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
    /// The body.
    pub fn submit_sm(&self) -> SubmitSm<'_> {
        let Self { segment, template, tlvs } = self;
        let short_message = match &segment.user_data {
            UserData::Inline { .. } => ShortMessage::new(segment.as_bytes()).unwrap_or_default(),
            UserData::Payload(_) => ShortMessage::EMPTY,
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
            tlvs: if tlvs.is_empty() { template.tlvs } else { Tlvs::wire(tlvs) },
            ..*template
        }
    }

    /// The segment.
    pub const fn segment(&self) -> &Segment {
        &self.segment
    }
}

/// Octets in place: a segment needs no allocation.
#[derive(Clone, PartialEq, Eq)]
enum UserData {
    Inline {
        octets: [u8; MAX_USER_DATA],
        length: usize,
    },
    /// A whole text, however long.
    Payload(Vec<u8>),
}

impl UserData {
    const EMPTY: Self = Self::Inline { octets: [0; MAX_USER_DATA], length: 0 };

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Inline { octets, length } => octets.get(..*length).unwrap_or_default(),
            Self::Payload(octets) => octets,
        }
    }
}

impl Sink for UserData {
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
        self.put(&[octet]);
    }
}

impl fmt::Debug for UserData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().fmt(f)
    }
}

impl fmt::Display for SegmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { needed } => write!(f, "the text needs {needed} segments, 255 can be numbered"),
            Self::HeaderTooLong { length } => {
                write!(f, "a user data header of {length} octets leaves no room for the text")
            }
            Self::MalformedHeader(malformed) => malformed.fmt(f),
            Self::ReservedElement { id } => {
                write!(f, "the element {id:#04x} of a user data header is the segment's own to write")
            }
            Self::HeaderWithSar => {
                f.write_str("a message with sar_ parameters has no user data header: use another form")
            }
        }
    }
}

impl core::error::Error for SegmentError {}

#[cfg(test)]
mod tests;
