//! data_sm, which carries its text in `message_payload`, and its response (SMPP 3.4 §4.7).

use super::{
    Address, CommandStatus, DataCoding, EsmClass, RegisteredDelivery, ResponseBody, ServiceType, operation,
};
use crate::tlv::Tlvs;
use crate::wire::{COctets, wire_struct};

wire_struct! {
    /// A message, in either direction, with everything optional in TLVs (SMPP 3.4 §4.7.1).
    ///
    /// Addresses may have 64 octets; several peers take 20 at most, so that is what [`Address`] makes.
    ///
    /// ```
    /// use smpp_core::{Address, DataSm, Tag, Tlv, Tlvs};
    /// let tlvs = [Tlv::new(Tag::MESSAGE_PAYLOAD, b"Hello").expect("short enough")];
    /// let message = DataSm {
    ///     destination: Address::international("6591234567")?.into(),
    ///     tlvs: Tlvs::list(&tlvs),
    ///     ..DataSm::default()
    /// };
    /// assert_eq!(message.text(), b"Hello");
    /// # Ok::<(), smpp_core::InvalidOctets>(())
    /// ```
    pub struct DataSm<'a> {
        /// The kind of service: at most 5 octets; empty for the SMSC's default.
        pub service_type: ServiceType<'a>,
        /// The sender.
        pub source: Address<'a, 65>,
        /// The recipient.
        pub destination: Address<'a, 65>,
        /// Mode, type and features.
        pub esm_class: EsmClass,
        /// Which receipts are wanted.
        pub registered_delivery: RegisteredDelivery,
        /// How `message_payload` is coded.
        pub data_coding: DataCoding,
        /// Optional parameters, `message_payload` among them.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// The response to a data_sm (SMPP 3.4 §4.7.2).
    pub struct DataSmResp<'a> {
        /// The SMSC's name for the message: opaque, at most 64 octets.
        pub message_id: COctets<'a, 65>,
        /// Why it failed: `delivery_failure_reason`, `network_error_code`, `additional_status_info_text`.
        pub tlvs: Tlvs<'a>,
    }
}

impl<'a> DataSm<'a> {
    /// The text: `message_payload`.
    pub fn text(&self) -> &'a [u8] {
        self.tlvs.message_payload().unwrap_or_default()
    }
}

operation!(DataSm = DATA_SM, DataSmResp, CommandStatus::RX_T_APPN);

impl ResponseBody for DataSmResp<'_> {
    const BODY_ON_ERROR: bool = false;
}
