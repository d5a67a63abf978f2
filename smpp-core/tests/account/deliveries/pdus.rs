//! The PDUs that deliver: deliver_sm, or data_sm.

use smpp_proto::{Address, COctets, DataSm, DeliverSm, ShortMessage, Tlv, Tlvs};

use super::Deliveries;

/// Which deliveries are a data_sm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShareOfDataSm {
    None,
    /// Every third: one message may have segments of both.
    Third,
    All,
}

pub(crate) enum DeliveryPdu<'p, 'a> {
    DeliverSm(&'p DeliverSm<'a>),
    DataSm(&'p DataSm<'a>),
}

impl Deliveries {
    pub(crate) const fn is_data_sm(&self, index: usize) -> bool {
        match self.share_of_data_sm {
            ShareOfDataSm::None => false,
            ShareOfDataSm::Third => index.is_multiple_of(3),
            ShareOfDataSm::All => true,
        }
    }

    /// Calls `then` with the PDU of a delivery.
    pub(crate) fn with_pdu<R>(&self, index: usize, then: impl FnOnce(DeliveryPdu<'_, '_>) -> R) -> R {
        let delivery = &self.all[index];
        let number = index.to_string();
        let service_type = COctets::new(number.as_bytes()).expect("short");
        let id = delivery.tlv_id.as_ref().map(|id| Tlv::receipted_message_id(id.as_bytes()).expect("short"));
        if self.is_data_sm(index) {
            let payload = Tlv::message_payload(&delivery.octets).expect("short");
            let tlvs: Vec<_> = id.into_iter().chain([payload]).collect();
            return then(DeliveryPdu::DataSm(&DataSm {
                tlvs: Tlvs::list(&tlvs),
                service_type,
                source: Address::international(&delivery.source).expect("digits").into(),
                destination: Address::international("6580001").expect("digits").into(),
                esm_class: delivery.esm_class,
                data_coding: delivery.data_coding,
                ..DataSm::default()
            }));
        }
        then(DeliveryPdu::DeliverSm(&DeliverSm {
            tlvs: Tlvs::list(id.as_slice()),
            service_type,
            source: Address::international(&delivery.source).expect("digits"),
            destination: Address::international("6580001").expect("digits"),
            esm_class: delivery.esm_class,
            data_coding: delivery.data_coding,
            short_message: ShortMessage::new(&delivery.octets).expect("short"),
            ..DeliverSm::default()
        }))
    }
}
