//! What a message carries, wherever its PDU has it.

use super::udh::{self, ConcatRef, MalformedHeader};
use crate::pdu::{DataCoding, DataSm, DeliverSm, EsmClass, SubmitMulti, SubmitSm};
use crate::tlv::Tlvs;

/// The user data of a message: `short_message` or `message_payload`, without its header, and what the header or the
/// optional parameters say about it.
///
/// ```
/// use smpp_core::sms::{Codings, ConcatRef, MessageReference};
/// use smpp_core::{DeliverSm, EsmClass, ShortMessage};
///
/// let deliver_sm = DeliverSm {
///     esm_class: EsmClass::UDHI,
///     short_message: ShortMessage::new(&[5, 0x00, 3, 42, 2, 1, b'H', b'i'])?,
///     ..DeliverSm::default()
/// };
/// let user_data = deliver_sm.user_data()?;
/// let part = user_data.segment.ok_or("it stands alone")?;
/// assert_eq!((part.number, part.total), (1, 2));
/// assert_eq!(part.reference, MessageReference::Udh(ConcatRef::Narrow(42)));
/// assert_eq!(user_data.text(Codings::default()).as_deref(), Some("Hi"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserData<'a> {
    /// The user data header, if `esm_class` announces one.
    pub header: Option<udh::Header<'a>>,
    /// What follows it: text, or data.
    pub octets: &'a [u8],
    /// The message's mode, type and features.
    pub esm_class: EsmClass,
    /// How it is coded.
    pub data_coding: DataCoding,
    /// Which part of a longer message it is. `None` for one that stands alone.
    pub segment: Option<SegmentInfo>,
}

/// Which part of a longer message a message is: `1 <= number <= total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SegmentInfo {
    /// What all parts of the message share.
    pub reference: MessageReference,
    /// How many parts there are: 1 to 255.
    pub total: u8,
    /// Which one this is, from 1.
    pub number: u8,
}

/// The reference that all parts of a message share. Those of different kinds are never of the same message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageReference {
    /// That of the user data header.
    Udh(ConcatRef),
    /// sar_msg_ref_num (SMPP 3.4 §5.3.2.22).
    Sar(u16),
}

impl<'a> UserData<'a> {
    /// The user data of a PDU with these fields.
    ///
    /// Concatenation is what the header says, and without that what the three sar_ parameters say, if all are there
    /// and make sense. An error if the header reaches past the end: where the text begins cannot be known then.
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
        let of_header = header.and_then(|header| header.concatenation()).map(|part| SegmentInfo {
            reference: MessageReference::Udh(part.reference()),
            total: part.total(),
            number: part.number(),
        });
        Ok(Self { header, octets, esm_class, data_coding, segment: of_header.or_else(|| sar(tlvs)) })
    }
}

fn sar(tlvs: &Tlvs<'_>) -> Option<SegmentInfo> {
    let reference = MessageReference::Sar(tlvs.sar_msg_ref_num()?);
    let (total, number) = (tlvs.sar_total_segments()?, tlvs.sar_segment_seqnum()?);
    (1..=total).contains(&number).then_some(SegmentInfo { reference, total, number })
}

impl<'a> DeliverSm<'a> {
    /// What it carries: see [`UserData::of`].
    pub fn user_data(&self) -> Result<UserData<'a>, MalformedHeader> {
        UserData::of(self.esm_class, self.data_coding, self.text(), &self.tlvs)
    }
}

impl<'a> SubmitSm<'a> {
    /// What it carries: see [`UserData::of`].
    pub fn user_data(&self) -> Result<UserData<'a>, MalformedHeader> {
        UserData::of(self.esm_class, self.data_coding, self.text(), &self.tlvs)
    }
}

impl<'a> SubmitMulti<'a> {
    /// What it carries: see [`UserData::of`].
    pub fn user_data(&self) -> Result<UserData<'a>, MalformedHeader> {
        UserData::of(self.esm_class, self.data_coding, self.text(), &self.tlvs)
    }
}

impl<'a> DataSm<'a> {
    /// What it carries: see [`UserData::of`].
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
    fn the_three_parameters_count_together_and_if_they_make_sense() {
        let part = |tlvs: &[Tlv<'_>]| {
            UserData::of(EsmClass::empty(), DataCoding(0), b"Hi", &Tlvs::list(tlvs)).unwrap().segment
        };
        let expected = SegmentInfo { reference: MessageReference::Sar(0x0102), total: 3, number: 2 };
        assert_eq!(part(&sar(0x0102, 3, 2)), Some(expected));
        for tlvs in [sar(1, 3, 0), sar(1, 3, 4), sar(1, 0, 0)] {
            assert_eq!(part(&tlvs), None, "{tlvs:?}");
        }
        assert_eq!(part(&sar(1, 3, 2)[..2]), None);
        assert_eq!(part(&[]), None);
    }

    #[test]
    fn the_header_wins_over_the_parameters() {
        let tlvs = sar(7, 3, 2);
        let deliver_sm = |octets: &'static [u8]| DeliverSm {
            esm_class: EsmClass::UDHI,
            short_message: ShortMessage::new(octets).unwrap(),
            tlvs: Tlvs::list(&tlvs),
            ..DeliverSm::default()
        };
        let part = |octets| deliver_sm(octets).user_data().unwrap().segment.unwrap();
        assert_eq!(part(&[5, 0, 3, 9, 2, 1]).reference, MessageReference::Udh(ConcatRef::Narrow(9)));
        assert_eq!(
            part(&[3, 0x24, 1, 1]).reference,
            MessageReference::Sar(7),
            "the header says nothing of it"
        );
        assert!(deliver_sm(&[9, 0]).user_data().is_err());
    }

    #[test]
    fn a_payload_has_a_header_too() {
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
