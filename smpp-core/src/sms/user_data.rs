//! The user data of a PDU, and the segment information in it.

use super::udh::{self, ConcatRef, MalformedHeader};
use crate::pdu::{DataCoding, DataSm, DeliverSm, EsmClass, SubmitMulti, SubmitSm};
use crate::tlv::Tlvs;

/// The user data of a message: `short_message` or `message_payload` without the user data header, and what the header
/// or the sar_ parameters say about it.
///
/// The method `user_data` of a PDU returns it, for example [`DeliverSm::user_data`].
///
/// ```
/// use smpp_proto::sms::{Codings, MessageReference};
/// use smpp_proto::sms::udh::ConcatRef;
/// use smpp_proto::{DeliverSm, EsmClass, ShortMessage};
///
/// let deliver_sm = DeliverSm {
///     esm_class: EsmClass::UDHI,
///     short_message: ShortMessage::new(&[5, 0x00, 3, 42, 2, 1, b'H', b'i'])?,
///     ..DeliverSm::default()
/// };
/// let user_data = deliver_sm.user_data()?;
/// let segment = user_data.segment.ok_or("not concatenated")?;
/// assert_eq!((segment.number, segment.total), (1, 2));
/// assert_eq!(segment.reference, MessageReference::Udh(ConcatRef::Narrow(42)));
/// assert_eq!(user_data.text(Codings::default()).as_deref(), Some("Hi"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserData<'a> {
    /// The user data header, if the UDHI bit of `esm_class` is set.
    pub header: Option<udh::UserDataHeader<'a>>,
    /// The octets after the header: text or binary data.
    pub octets: &'a [u8],
    /// The `esm_class` of the PDU.
    pub esm_class: EsmClass,
    /// The `data_coding` of the PDU.
    pub data_coding: DataCoding,
    /// Which segment of a concatenated message this is; `None` if the message is not concatenated.
    pub segment: Option<SegmentInfo>,
}

/// Which segment of a concatenated message a PDU carries: `1 <= number <= total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SegmentInfo {
    /// The reference that all segments of the message share.
    pub reference: MessageReference,
    /// The number of segments of the message: 1 to 255.
    pub total: u8,
    /// The segment number, from 1.
    pub number: u8,
}

/// The reference number of a concatenated message, which all its segments share.
///
/// It is either the reference of the user data header ([`ConcatRef`]) or that of the sar_ parameters. Segments with
/// different kinds of reference never belong to the same message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageReference {
    /// The reference in the user data header.
    Udh(ConcatRef),
    /// The sar_msg_ref_num (SMPP 3.4 §5.3.2.22).
    Sar(u16),
}

impl<'a> UserData<'a> {
    /// Returns the user data of a PDU with these fields.
    ///
    /// The segment information is that of the header. Without it, the three sar_ parameters apply if all are present
    /// and valid.
    ///
    /// # Errors
    ///
    /// [`MalformedHeader`] if the header is longer than the user data: the start of the text is unknown then.
    pub fn of(
        esm_class: EsmClass,
        data_coding: DataCoding,
        text: &'a [u8],
        tlvs: &Tlvs<'_>,
    ) -> Result<Self, MalformedHeader> {
        let (header, octets) = if esm_class.contains(EsmClass::UDHI) {
            let (header, octets) = udh::split(text)?;
            (Some(header), octets)
        } else {
            (None, text)
        };
        let in_header = header.and_then(|header| header.concatenation()).map(|element| SegmentInfo {
            reference: MessageReference::Udh(element.reference()),
            total: element.total(),
            number: element.number(),
        });
        Ok(Self { header, octets, esm_class, data_coding, segment: in_header.or_else(|| sar(tlvs)) })
    }

    crate::setters! {
        header: impl Into<Option<udh::UserDataHeader<'a>>>,
        const octets: &'a [u8],
        const esm_class: EsmClass,
        const data_coding: DataCoding,
        segment: impl Into<Option<SegmentInfo>>,
    }
}

fn sar(tlvs: &Tlvs<'_>) -> Option<SegmentInfo> {
    let reference = MessageReference::Sar(tlvs.sar_msg_ref_num()?);
    let (total, number) = (tlvs.sar_total_segments()?, tlvs.sar_segment_seqnum()?);
    (1..=total).contains(&number).then_some(SegmentInfo { reference, total, number })
}

impl<'a> DeliverSm<'a> {
    /// Returns the user data: see [`UserData::of`].
    pub fn user_data(&self) -> Result<UserData<'a>, MalformedHeader> {
        UserData::of(self.esm_class, self.data_coding, self.text(), &self.tlvs)
    }
}

impl<'a> SubmitSm<'a> {
    /// Returns the user data: see [`UserData::of`].
    pub fn user_data(&self) -> Result<UserData<'a>, MalformedHeader> {
        UserData::of(self.esm_class, self.data_coding, self.text(), &self.tlvs)
    }
}

impl<'a> SubmitMulti<'a> {
    /// Returns the user data: see [`UserData::of`].
    pub fn user_data(&self) -> Result<UserData<'a>, MalformedHeader> {
        UserData::of(self.esm_class, self.data_coding, self.text(), &self.tlvs)
    }
}

impl<'a> DataSm<'a> {
    /// Returns the user data: see [`UserData::of`].
    pub fn user_data(&self) -> Result<UserData<'a>, MalformedHeader> {
        UserData::of(self.esm_class, self.data_coding, self.text(), &self.tlvs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdu::ShortMessage;
    use crate::sms::{Alphabet, Codings};
    use crate::tlv::{Tag, Tlv};

    fn sar(reference: u16, total: u8, number: u8) -> [Tlv<'static>; 3] {
        [Tlv::sar_msg_ref_num(reference), Tlv::sar_total_segments(total), Tlv::sar_segment_seqnum(number)]
    }

    #[test]
    fn sar_parameters_count_if_all_are_present_and_valid() {
        let segment = |tlvs: &[Tlv<'_>]| {
            UserData::of(EsmClass::empty(), DataCoding(0), b"Hi", &Tlvs::list(tlvs)).unwrap().segment
        };
        let expected = SegmentInfo { reference: MessageReference::Sar(0x0102), total: 3, number: 2 };
        assert_eq!(segment(&sar(0x0102, 3, 2)), Some(expected));
        for tlvs in [sar(1, 3, 0), sar(1, 3, 4), sar(1, 0, 0)] {
            assert_eq!(segment(&tlvs), None, "{tlvs:?}");
        }
        assert_eq!(segment(&sar(1, 3, 2)[..2]), None);
        assert_eq!(segment(&[]), None);
    }

    #[test]
    fn the_header_takes_precedence_over_sar_parameters() {
        let tlvs = sar(7, 3, 2);
        let deliver_sm = |octets: &'static [u8]| DeliverSm {
            esm_class: EsmClass::UDHI,
            short_message: ShortMessage::new(octets).unwrap(),
            tlvs: Tlvs::list(&tlvs),
            ..DeliverSm::default()
        };
        let segment = |octets| deliver_sm(octets).user_data().unwrap().segment.unwrap();
        assert_eq!(segment(&[5, 0, 3, 9, 2, 1]).reference, MessageReference::Udh(ConcatRef::Narrow(9)));
        assert_eq!(
            segment(&[3, 0x24, 1, 1]).reference,
            MessageReference::Sar(7),
            "the header has no concatenation"
        );
        assert!(deliver_sm(&[9, 0]).user_data().is_err());
    }

    #[test]
    fn message_payload_may_have_a_header() {
        let payload = [Tlv::new(Tag::MESSAGE_PAYLOAD, &[3, 0x25, 1, 1, 0x0C]).unwrap()];
        let (esm_class, tlvs) = (EsmClass::UDHI, Tlvs::list(&payload));
        let of_data_sm = DataSm { esm_class, tlvs, ..DataSm::default() }.user_data().unwrap();
        assert_eq!(of_data_sm.text(Codings::default()).as_deref(), Some("ğ"));
        assert_eq!(of_data_sm.esm_class, esm_class);
        let of_submit_sm = SubmitSm { esm_class, tlvs, ..SubmitSm::default() }.user_data().unwrap();
        let of_submit_multi = SubmitMulti { esm_class, tlvs, ..SubmitMulti::default() }.user_data().unwrap();
        assert_eq!([of_submit_sm, of_submit_multi], [of_data_sm; 2]);
        assert_eq!(of_data_sm.alphabet(Codings::default()), Some(Alphabet::Gsm7));
    }
}
