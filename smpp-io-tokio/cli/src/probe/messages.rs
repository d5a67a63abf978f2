//! The messages of the probe. No I/O.

use smpp_proto::sms::udh::ConcatRef;
use smpp_proto::sms::{Text, ucs2};
use smpp_proto::{Address, DataCoding, EsmClass, RegisteredDelivery, ShortMessage, SubmitSm, Tlv, Tlvs};

use super::alphabet::{TELLING_OCTETS, TELLING_TEXT};
use super::plan::Purpose;

/// The value of the TLV user_message_reference.
const REFERENCE: u16 = 0x5150;

/// A message to send.
#[derive(Clone, Debug, Default)]
pub(super) struct Message {
    /// The bind to send it on, by its position; the last one if there are fewer.
    pub(super) bind: usize,
    esm_class: EsmClass,
    data_coding: DataCoding,
    octets: Vec<u8>,
    tlvs: Vec<Tlv<'static>>,
    registered_delivery: RegisteredDelivery,
}

impl Message {
    /// Returns the request.
    pub(super) fn submit_sm<'a>(&'a self, source: Address<'a>, destination: Address<'a>) -> SubmitSm<'a> {
        SubmitSm {
            source,
            destination,
            esm_class: self.esm_class,
            data_coding: self.data_coding,
            registered_delivery: self.registered_delivery,
            // Cannot fail: all are short.
            short_message: ShortMessage::new(&self.octets).unwrap_or_default(),
            tlvs: Tlvs::list(&self.tlvs),
            ..SubmitSm::default()
        }
    }
}

/// Returns the messages for a purpose. Those of other purposes go on two binds in turn, so that receipts show on which bind
/// they come. `reference` is that of the segments.
pub(super) fn messages(purpose: Purpose, count: u16, reference: u8) -> Vec<Message> {
    let template = Message { registered_delivery: RegisteredDelivery::RECEIPT, ..Message::default() };
    match purpose {
        Purpose::Plain => vec![Message { octets: b"smpp probe".into(), ..template }],
        Purpose::Tlvs => {
            let tlvs = vec![Tlv::user_message_reference(REFERENCE)];
            vec![Message { bind: 1, octets: b"smpp probe tlv".into(), tlvs, ..template }]
        }
        Purpose::Segment => {
            let text = "smpp probe: this text is cut into segments. ".repeat(5);
            let segments = Text::new(&text).segments(ConcatRef::Narrow(reference));
            let segments = segments.into_iter().flatten().map(|segment| Message {
                esm_class: segment.esm_class(),
                data_coding: segment.data_coding(),
                octets: segment.as_bytes().into(),
                ..template.clone()
            });
            segments.take(count.into()).collect()
        }
        Purpose::DefaultAlphabet => vec![Message { bind: 1, octets: TELLING_OCTETS.into(), ..template }],
        Purpose::Ucs2 => {
            let mut octets = Vec::new();
            ucs2::encode(TELLING_TEXT, &mut octets);
            vec![Message { data_coding: DataCoding::UCS2, octets, ..template }]
        }
        // Many receipts would show nothing more.
        Purpose::Window | Purpose::Rate => {
            let one = Message { octets: b"smpp probe many".into(), ..Message::default() };
            vec![one; count.into()]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_messages_as_planned() {
        for (purpose, count) in [
            (Purpose::Plain, 1),
            (Purpose::Tlvs, 1),
            (Purpose::Segment, 2),
            (Purpose::DefaultAlphabet, 1),
            (Purpose::Ucs2, 1),
            (Purpose::Window, 16),
            (Purpose::Rate, 70),
        ] {
            let messages = messages(purpose, count, 7);
            assert_eq!(messages.len(), usize::from(count), "{purpose:?}");
            let address = Address::international("6591234567").unwrap();
            for message in &messages {
                let sm = message.submit_sm(address, address);
                assert_eq!(sm.user_data().unwrap().segment.map(|it| it.total), (count == 2).then_some(2));
                assert!(!sm.text().is_empty());
            }
        }
    }
}
