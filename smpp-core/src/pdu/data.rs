//! data_sm and its response (SMPP 3.4 §4.7).

use super::wire_struct::wire_struct;
use crate::tlv::Tlvs;
use crate::values::{Address, DataCoding, EsmClass, RegisteredDelivery, ServiceType};
use crate::wire::COctets;

wire_struct! {
    /// A message in either direction (SMPP 3.4 §4.7.1). The text is in the TLV `message_payload`.
    ///
    /// The specification allows addresses of 64 octets. Several peers accept at most 20, so the constructors of
    /// [`Address`] make addresses of at most 20, which convert to these fields with `into()`.
    ///
    /// ```
    /// use smpp_proto::{Address, DataSm, Tag, Tlv, Tlvs};
    /// let tlvs = [Tlv::new(Tag::MESSAGE_PAYLOAD, b"Hello").expect("short enough")];
    /// let message = DataSm {
    ///     destination: Address::international("6591234567")?.into(),
    ///     tlvs: Tlvs::list(&tlvs),
    ///     ..DataSm::default()
    /// };
    /// assert_eq!(message.text(), b"Hello");
    /// # Ok::<(), smpp_proto::InvalidOctets>(())
    /// ```
    pub struct DataSm<'a> {
        /// The service type: at most 5 octets. Empty for the default of the SMSC.
        pub service_type: ServiceType<'a>,
        /// The sender.
        pub source: Address<'a, 65>,
        /// The recipient.
        pub destination: Address<'a, 65>,
        /// Messaging mode, message type and features.
        pub esm_class: EsmClass,
        /// Which delivery receipts and acknowledgements the ESME requests.
        pub registered_delivery: RegisteredDelivery,
        /// The character encoding of `message_payload`.
        pub data_coding: DataCoding,
        /// Optional parameters, including `message_payload`.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// The response to a data_sm (SMPP 3.4 §4.7.2).
    pub struct DataSmResp<'a> {
        /// The message id that the SMSC assigned: opaque, at most 64 octets.
        pub message_id: COctets<'a, 65>,
        /// Optional parameters. They give the reason for a failure: `delivery_failure_reason`, `network_error_code`,
        /// `additional_status_info_text`.
        pub tlvs: Tlvs<'a>,
    }
}

impl<'a> DataSm<'a> {
    /// Returns the message text: `message_payload`, or no octets if it is absent.
    pub fn text(&self) -> &'a [u8] {
        self.tlvs.message_payload().unwrap_or_default()
    }
}
