//! submit_multi, one message to several recipients, and its response (SMPP 3.4 §4.5).

use super::message::{self, ShortMessage};
use super::wire_struct::wire_struct;
use crate::header::CommandStatus;
use crate::tlv::Tlvs;
use crate::values::{
    Address, DataCoding, EsmClass, PriorityFlag, RegisteredDelivery, ReplaceIfPresent, ServiceType,
};
use crate::wire::{
    COctets, DecodeErrorKind, Emit, FieldName, FieldVisitor, Item, List, Parse, Parsed, Reader, Sink, Time,
    field_name, octet, parse_item, word,
};

use core::ops::RangeInclusive;

wire_struct! {
    /// Submits one message to 1 to 254 recipients (SMPP 3.4 §4.5.1).
    ///
    /// ```
    /// use smpp_proto::{Address, COctets, Destination, List, SubmitMulti};
    /// let destinations = [
    ///     Destination::Sme(Address::international("6591234567")?),
    ///     Destination::DistributionList(COctets::new(b"friends")?),
    /// ];
    /// let message = SubmitMulti { destinations: List::new(&destinations)?, ..SubmitMulti::default() };
    /// assert!(message.destinations.iter().eq(destinations));
    /// # Ok::<(), smpp_proto::InvalidOctets>(())
    /// ```
    pub struct SubmitMulti<'a> {
        /// The service type: at most 5 octets. Empty for the default of the SMSC.
        pub service_type: ServiceType<'a>,
        /// The sender. Empty: the SMSC inserts a default sender.
        pub source: Address<'a>,
        /// The recipients: 1 to 254.
        pub destinations: List<'a, Destination<'a>>,
        /// Messaging mode, message type and features.
        pub esm_class: EsmClass,
        /// The protocol identifier: TP-PID on GSM.
        pub protocol_id: u8,
        /// The priority.
        pub priority_flag: PriorityFlag,
        /// The delivery time. Empty: the SMSC delivers at once.
        pub schedule_delivery_time: Time<'a>,
        /// How long the SMSC tries to deliver. Empty: the default of the SMSC.
        pub validity_period: Time<'a>,
        /// Which delivery receipts and acknowledgements the ESME requests.
        pub registered_delivery: RegisteredDelivery,
        /// Not used in SMPP 3.4.
        pub replace_if_present_flag: ReplaceIfPresent,
        /// The character encoding of `short_message`.
        pub data_coding: DataCoding,
        /// The index of a canned message at the SMSC, `1..=254`. 0 for none.
        pub sm_default_msg_id: u8,
        /// The message text: at most 254 octets.
        pub short_message: ShortMessage<'a>,
        /// Optional parameters.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// The response to a submit_multi (SMPP 3.4 §4.5.2).
    pub struct SubmitMultiResp<'a> {
        /// The message id that the SMSC assigned.
        pub message_id: COctets<'a, 65>,
        /// The recipients that the SMSC rejected. It accepted all others.
        pub unsuccessful: List<'a, UnsuccessSme<'a>>,
        /// Optional parameters (SMPP 5.0).
        pub tlvs: Tlvs<'a>,
    }
}

/// One recipient of a submit_multi (SMPP 3.4 §4.5.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Destination<'a> {
    /// `dest_flag` 1: a subscriber's address.
    Sme(Address<'a>),
    /// `dest_flag` 2: the name of a distribution list at the SMSC, at most 20 octets.
    DistributionList(COctets<'a, 21>),
}

/// A recipient of a submit_multi that the SMSC rejected (SMPP 3.4 §4.5.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct UnsuccessSme<'a> {
    /// The recipient.
    pub destination: Address<'a>,
    /// The reason.
    pub error_status_code: CommandStatus,
}

impl<'a> SubmitMulti<'a> {
    /// Returns the message text: `short_message`, or `message_payload` if `short_message` is empty
    /// (SMPP 3.4 §5.3.2.32).
    pub fn text(&self) -> &'a [u8] {
        message::text(self.short_message, self.tlvs)
    }
}

const DESTINATION: FieldName = field_name!("destination");
const DL_NAME: FieldName = field_name!("dl_name");
const ERROR_STATUS_CODE: FieldName = field_name!("error_status_code");

impl<'a> Parse<'a> for Destination<'a> {
    type Located = Self;

    /// `%x01 address / %x02 dl_name`. `name` is the name of the list.
    fn locate<V: FieldVisitor>(
        reader: &mut Reader<'_, V>,
        name: FieldName,
        input: &'a [u8],
    ) -> Parsed<'a, Self> {
        let name = name.part(1);
        let (rest, &flag) = octet(reader, name, input)?;
        if !matches!(flag, 1 | 2) {
            return Err(reader.fail(name.get(), input, DecodeErrorKind::DestFlag));
        }
        reader.visitor.visit(name.get(), &flag, input, rest);
        if flag == 1 {
            let (rest, address) = Address::parse(reader, DESTINATION, rest)?;
            Ok((rest, Self::Sme(address)))
        } else {
            let (rest, list) = COctets::parse(reader, DL_NAME, rest)?;
            Ok((rest, Self::DistributionList(list)))
        }
    }
}

impl Emit for Destination<'_> {
    fn emit<S: Sink>(&self, out: &mut S) {
        match self {
            Self::Sme(address) => {
                out.octet(1);
                address.emit(out);
            }
            Self::DistributionList(list) => {
                out.octet(2);
                list.emit(out);
            }
        }
    }
}

impl<'a> Item<'a> for Destination<'a> {
    const COUNT: RangeInclusive<u8> = 1..=254;

    fn read(octets: &'a [u8]) -> Option<(&'a [u8], Self)> {
        parse_item(octets)
    }
}

impl<'a> Parse<'a> for UnsuccessSme<'a> {
    type Located = Self;

    fn locate<V: FieldVisitor>(
        reader: &mut Reader<'_, V>,
        _: FieldName,
        input: &'a [u8],
    ) -> Parsed<'a, Self> {
        let (after, destination) = Address::parse(reader, DESTINATION, input)?;
        let (rest, status) = word(reader, ERROR_STATUS_CODE, after)?;
        let error_status_code = CommandStatus(status);
        reader.visitor.visit(ERROR_STATUS_CODE.get(), &error_status_code, after, rest);
        Ok((rest, Self { destination, error_status_code }))
    }
}

impl Emit for UnsuccessSme<'_> {
    fn emit<S: Sink>(&self, out: &mut S) {
        self.destination.emit(out);
        out.put(&self.error_status_code.0.to_be_bytes());
    }
}

impl<'a> Item<'a> for UnsuccessSme<'a> {
    const COUNT: RangeInclusive<u8> = 0..=255;

    fn read(octets: &'a [u8]) -> Option<(&'a [u8], Self)> {
        parse_item(octets)
    }
}
