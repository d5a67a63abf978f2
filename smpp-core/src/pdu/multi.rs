//! submit_multi, one message to many, and its response (SMPP 3.4 §4.5).

use core::ops::RangeInclusive;

use super::{
    Address, CommandStatus, DataCoding, EsmClass, PriorityFlag, RegisteredDelivery, ReplaceIfPresent,
    ResponseBody, ServiceType, ShortMessage, operation,
};
use crate::tlv::Tlvs;
use crate::wire::{
    COctets, DecodeErrorKind, Emit, Item, List, Name, Parse, Parsed, Reader, Sink, Time, Watch, name, octet,
    reread, wire_struct, word,
};

wire_struct! {
    /// A message to up to 254 destinations (SMPP 3.4 §4.5.1).
    ///
    /// ```
    /// use smpp_core::{Address, COctets, Destination, List, SubmitMulti};
    /// let destinations = [
    ///     Destination::Sme(Address::international("6591234567")?),
    ///     Destination::DistributionList(COctets::new(b"friends")?),
    /// ];
    /// let message = SubmitMulti { destinations: List::new(&destinations)?, ..SubmitMulti::default() };
    /// assert!(message.destinations.iter().eq(destinations));
    /// # Ok::<(), smpp_core::InvalidOctets>(())
    /// ```
    pub struct SubmitMulti<'a> {
        /// The kind of service: at most 5 octets; empty for the SMSC's default.
        pub service_type: ServiceType<'a>,
        /// The sender. Empty: the SMSC supplies it.
        pub source: Address<'a>,
        /// The recipients: 1 to 254.
        pub destinations: List<'a, Destination<'a>>,
        /// Mode, type and features.
        pub esm_class: EsmClass,
        /// TP-PID on GSM.
        pub protocol_id: u8,
        /// How urgent it is.
        pub priority_flag: PriorityFlag,
        /// When to deliver it. Empty: at once.
        pub schedule_delivery_time: Time<'a>,
        /// Until when to try. Empty: as long as the SMSC does by default.
        pub validity_period: Time<'a>,
        /// Which receipts are wanted.
        pub registered_delivery: RegisteredDelivery,
        /// Not used in SMPP 3.4.
        pub replace_if_present_flag: ReplaceIfPresent,
        /// How `short_message` is coded.
        pub data_coding: DataCoding,
        /// A text stored at the SMSC, `1..=254`; 0 for none.
        pub sm_default_msg_id: u8,
        /// The text: at most 254 octets.
        pub short_message: ShortMessage<'a>,
        /// Optional parameters.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// The response to a submit_multi (SMPP 3.4 §4.5.2).
    pub struct SubmitMultiResp<'a> {
        /// The SMSC's name for the message.
        pub message_id: COctets<'a, 65>,
        /// The destinations that were refused. The others were accepted.
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
    /// `dest_flag` 2: the name of a list kept at the SMSC, at most 20 octets.
    DistributionList(COctets<'a, 21>),
}

/// A destination of a submit_multi that was refused (SMPP 3.4 §4.5.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct UnsuccessSme<'a> {
    /// The destination.
    pub destination: Address<'a>,
    /// Why it was refused.
    pub error_status_code: CommandStatus,
}

impl<'a> SubmitMulti<'a> {
    /// The text: `short_message`, or `message_payload` where that is empty (SMPP 3.4 §5.3.2.32).
    pub fn text(&self) -> &'a [u8] {
        super::message::text(self.short_message, self.tlvs)
    }
}

const DESTINATION: Name = name!("destination");
const DL_NAME: Name = name!("dl_name");
const ERROR_STATUS_CODE: Name = name!("error_status_code");

impl<'a> Parse<'a> for Destination<'a> {
    type Found = Self;

    /// `%x01 address / %x02 dl_name`; `name` is that of the list.
    fn find<W: Watch>(reader: &mut Reader<'_, W>, name: Name, input: &'a [u8]) -> Parsed<'a, Self> {
        let name = name.part(1);
        let (rest, &flag) = octet(reader, name, input)?;
        if !matches!(flag, 1 | 2) {
            return Err(reader.stop(name.get(), input, DecodeErrorKind::DestFlag));
        }
        reader.watch.field(name.get(), &flag, input, rest);
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
        reread(octets)
    }
}

impl<'a> Parse<'a> for UnsuccessSme<'a> {
    type Found = Self;

    fn find<W: Watch>(reader: &mut Reader<'_, W>, _: Name, input: &'a [u8]) -> Parsed<'a, Self> {
        let (after, destination) = Address::parse(reader, DESTINATION, input)?;
        let (rest, status) = word(reader, ERROR_STATUS_CODE, after)?;
        let error_status_code = CommandStatus(status);
        reader.watch.field(ERROR_STATUS_CODE.get(), &error_status_code, after, rest);
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
        reread(octets)
    }
}

operation!(SubmitMulti = SUBMIT_MULTI, SubmitMultiResp, CommandStatus::RSYSERR);

impl ResponseBody for SubmitMultiResp<'_> {
    const BODY_ON_ERROR: bool = false;
}
