//! Generates valid PDUs from unstructured octets, for fuzzing and property tests. Feature `arbitrary`.
//!
//! The octets of the fuzzer select the PDU and the content of its fields. Every generated PDU is valid: it decodes with
//! [`Tolerance::STRICT`](crate::Tolerance::STRICT).
//!
//! ```
//! use smpp_proto::arbitrary::{Unstructured, with_pdu};
//! use smpp_proto::{CommandStatus, Frame, Quirks, SequenceNumber, Tolerance};
//!
//! let mut octets = Unstructured::new(b"octets from the fuzzer, of any length");
//! with_pdu(&mut octets, |pdu| {
//!     let frame = Frame::encode(pdu, CommandStatus::ROK, SequenceNumber::FIRST);
//!     assert_eq!(frame.pdu(Tolerance::STRICT), Ok((*pdu, Quirks::empty())));
//! })?;
//! # Ok::<(), smpp_proto::arbitrary::Error>(())
//! ```

use alloc::vec::Vec;

pub use ::arbitrary::{Arbitrary, Error, Result, Unstructured};

use crate::frame::Frame;
use crate::header::SequenceNumber;
use crate::pdu::{
    Address, AlertNotification, Bind, BindMode, BindResp, BroadcastSm, BroadcastSmResp, CancelBroadcastSm,
    CancelSm, CommandId, CommandStatus, DataCoding, DataSm, DataSmResp, DeliverSm, DeliverSmResp,
    Destination, EsmClass, InterfaceVersion, MessageState, Npi, Outbind, Pdu, PriorityFlag, QueryBroadcastSm,
    QueryBroadcastSmResp, QuerySm, QuerySmResp, RegisteredDelivery, ReplaceIfPresent, ReplaceSm,
    ShortMessage, SubmitMulti, SubmitMultiResp, SubmitSm, SubmitSmResp, Ton, UnsuccessSme,
};
use crate::tlv::{Tag, Tlv, Tlvs};
use crate::wire::{COctets, List, Password, Time};

/// The maximum number of TLVs of a PDU and of items of a list. It is small, to save octets of the fuzzer for other
/// fields.
const MAX_ITEMS: usize = 6;

/// Every command, including the bind commands of each mode.
const COMMANDS: [CommandId; 33] = [
    CommandId::BIND_RECEIVER,
    CommandId::BIND_RECEIVER_RESP,
    CommandId::BIND_TRANSMITTER,
    CommandId::BIND_TRANSMITTER_RESP,
    CommandId::QUERY_SM,
    CommandId::QUERY_SM_RESP,
    CommandId::SUBMIT_SM,
    CommandId::SUBMIT_SM_RESP,
    CommandId::DELIVER_SM,
    CommandId::DELIVER_SM_RESP,
    CommandId::UNBIND,
    CommandId::UNBIND_RESP,
    CommandId::REPLACE_SM,
    CommandId::REPLACE_SM_RESP,
    CommandId::CANCEL_SM,
    CommandId::CANCEL_SM_RESP,
    CommandId::BIND_TRANSCEIVER,
    CommandId::BIND_TRANSCEIVER_RESP,
    CommandId::OUTBIND,
    CommandId::ENQUIRE_LINK,
    CommandId::ENQUIRE_LINK_RESP,
    CommandId::SUBMIT_MULTI,
    CommandId::SUBMIT_MULTI_RESP,
    CommandId::ALERT_NOTIFICATION,
    CommandId::DATA_SM,
    CommandId::DATA_SM_RESP,
    CommandId::BROADCAST_SM,
    CommandId::BROADCAST_SM_RESP,
    CommandId::QUERY_BROADCAST_SM,
    CommandId::QUERY_BROADCAST_SM_RESP,
    CommandId::CANCEL_BROADCAST_SM,
    CommandId::CANCEL_BROADCAST_SM_RESP,
    CommandId::GENERIC_NACK,
];

/// Generates a valid PDU from the octets in `u`, passes it to `visit`, and returns the result of `visit`.
///
/// The PDU lives only during the call: its strings borrow from `u`, its TLVs and lists from local buffers.
///
/// # Errors
///
/// [`Error`] if `u` has too few octets.
pub fn with_pdu<R>(u: &mut Unstructured<'_>, visit: impl FnOnce(&Pdu<'_>) -> R) -> Result<R> {
    let command = *u.choose(&COMMANDS)?;
    let text = if bool::arbitrary(u)? { octets(u, 254)? } else { &[] };
    let short_message = ShortMessage::new(text).unwrap_or_default();
    let list = parameters(u, command, !short_message.is_empty())?;
    let mut destinations = Vec::new();
    let mut unsuccessful = Vec::new();
    for _ in 0..u.int_in_range(1..=MAX_ITEMS)? {
        let destination = Address::arbitrary(u)?;
        destinations.push(if bool::arbitrary(u)? {
            Destination::Sme(destination)
        } else {
            Destination::DistributionList(COctets::arbitrary(u)?)
        });
        unsuccessful.push(UnsuccessSme { destination, error_status_code: CommandStatus::arbitrary(u)? });
    }
    let lists = Lists {
        short_message,
        tlvs: Tlvs::list(&list),
        destinations: List::new(&destinations).unwrap_or_default(),
        unsuccessful: List::new(&unsuccessful).unwrap_or_default(),
    };
    pdu(u, command, lists).map(|pdu| visit(&pdu))
}

/// The fields of a PDU that are not generated one by one.
#[derive(Clone, Copy)]
struct Lists<'a> {
    short_message: ShortMessage<'a>,
    tlvs: Tlvs<'a>,
    destinations: List<'a, Destination<'a>>,
    unsuccessful: List<'a, UnsuccessSme<'a>>,
}

/// Makes a struct of fields generated from `u` and of given fields:
/// `fill!(u, SubmitSm { service_type, source; tlvs: lists.tlvs })`.
macro_rules! fill {
    ($u:ident, $name:ident { $($field:ident),*; $($given:ident: $value:expr),* }) => {
        $name { $($field: Arbitrary::arbitrary($u)?,)* $($given: $value,)* }
    };
}

/// Generates a PDU with this command and these lists.
fn pdu<'a: 'p, 'p>(u: &mut Unstructured<'a>, command: CommandId, lists: Lists<'p>) -> Result<Pdu<'p>> {
    let Lists { short_message, tlvs, destinations, unsuccessful } = lists;
    if let (Some(mode), true) = (BindMode::from_command(command), command.is_response()) {
        return Ok(Pdu::BindResp(mode, Some(fill!(u, BindResp { system_id; tlvs: tlvs }))));
    }
    if let Some(mode) = BindMode::from_command(command) {
        return Ok(Pdu::Bind(fill!(u, Bind {
            system_id, password, system_type, interface_version, address_range; mode: mode, tlvs: tlvs
        })));
    }
    Ok(match command {
        CommandId::OUTBIND => Pdu::Outbind(fill!(u, Outbind { system_id, password; tlvs: tlvs })),
        CommandId::SUBMIT_SM => Pdu::SubmitSm(fill!(u, SubmitSm {
            service_type, source, destination, esm_class, protocol_id, priority_flag, schedule_delivery_time,
            validity_period, registered_delivery, replace_if_present_flag, data_coding, sm_default_msg_id;
            short_message: short_message, tlvs: tlvs
        })),
        CommandId::DELIVER_SM => Pdu::DeliverSm(fill!(u, DeliverSm {
            service_type, source, destination, esm_class, protocol_id, priority_flag, schedule_delivery_time,
            validity_period, registered_delivery, replace_if_present_flag, data_coding, sm_default_msg_id;
            short_message: short_message, tlvs: tlvs
        })),
        CommandId::SUBMIT_MULTI => Pdu::SubmitMulti(fill!(u, SubmitMulti {
            service_type, source, esm_class, protocol_id, priority_flag, schedule_delivery_time,
            validity_period, registered_delivery, replace_if_present_flag, data_coding, sm_default_msg_id;
            destinations: destinations, short_message: short_message, tlvs: tlvs
        })),
        CommandId::DATA_SM => Pdu::DataSm(fill!(u, DataSm {
            service_type, source, destination, esm_class, registered_delivery, data_coding; tlvs: tlvs
        })),
        CommandId::QUERY_SM => Pdu::QuerySm(fill!(u, QuerySm { message_id, source; tlvs: tlvs })),
        CommandId::CANCEL_SM => Pdu::CancelSm(fill!(u, CancelSm {
            service_type, message_id, source, destination; tlvs: tlvs
        })),
        CommandId::REPLACE_SM => Pdu::ReplaceSm(fill!(u, ReplaceSm {
            message_id, source, schedule_delivery_time, validity_period, registered_delivery, sm_default_msg_id;
            short_message: short_message, tlvs: tlvs
        })),
        CommandId::ALERT_NOTIFICATION => {
            Pdu::AlertNotification(fill!(u, AlertNotification { source, esme; tlvs: tlvs }))
        }
        CommandId::BROADCAST_SM => Pdu::BroadcastSm(fill!(u, BroadcastSm {
            service_type, source, message_id, priority_flag, schedule_delivery_time, validity_period,
            replace_if_present_flag, data_coding, sm_default_msg_id; tlvs: tlvs
        })),
        CommandId::QUERY_BROADCAST_SM => {
            Pdu::QueryBroadcastSm(fill!(u, QueryBroadcastSm { message_id, source; tlvs: tlvs }))
        }
        CommandId::CANCEL_BROADCAST_SM => Pdu::CancelBroadcastSm(fill!(u, CancelBroadcastSm {
            service_type, message_id, source; tlvs: tlvs
        })),
        CommandId::SUBMIT_SM_RESP => {
            Pdu::SubmitSmResp(Some(fill!(u, SubmitSmResp { message_id; tlvs: tlvs })))
        }
        CommandId::DELIVER_SM_RESP => {
            Pdu::DeliverSmResp(Some(fill!(u, DeliverSmResp { message_id; tlvs: tlvs })))
        }
        CommandId::DATA_SM_RESP => Pdu::DataSmResp(Some(fill!(u, DataSmResp { message_id; tlvs: tlvs }))),
        CommandId::QUERY_SM_RESP => Pdu::QuerySmResp(Some(fill!(u, QuerySmResp {
            message_id, final_date, message_state, error_code; tlvs: tlvs
        }))),
        CommandId::SUBMIT_MULTI_RESP => Pdu::SubmitMultiResp(Some(fill!(u, SubmitMultiResp {
            message_id; unsuccessful: unsuccessful, tlvs: tlvs
        }))),
        CommandId::BROADCAST_SM_RESP => {
            Pdu::BroadcastSmResp(Some(fill!(u, BroadcastSmResp { message_id; tlvs: tlvs })))
        }
        CommandId::QUERY_BROADCAST_SM_RESP => {
            Pdu::QueryBroadcastSmResp(Some(fill!(u, QueryBroadcastSmResp { message_id; tlvs: tlvs })))
        }
        CommandId::CANCEL_SM_RESP => Pdu::CancelSmResp,
        CommandId::REPLACE_SM_RESP => Pdu::ReplaceSmResp,
        CommandId::CANCEL_BROADCAST_SM_RESP => Pdu::CancelBroadcastSmResp,
        CommandId::UNBIND => Pdu::Unbind,
        CommandId::UNBIND_RESP => Pdu::UnbindResp,
        CommandId::ENQUIRE_LINK => Pdu::EnquireLink,
        CommandId::ENQUIRE_LINK_RESP => Pdu::EnquireLinkResp,
        _ => Pdu::GenericNack,
    })
}

/// Generates a few parameters with valid lengths, and those that the command requires.
fn parameters<'a>(u: &mut Unstructured<'a>, command: CommandId, has_text: bool) -> Result<Vec<Tlv<'a>>> {
    let required: &[Tag] = match command {
        CommandId::BIND_RECEIVER_RESP
        | CommandId::BIND_TRANSMITTER_RESP
        | CommandId::BIND_TRANSCEIVER_RESP => &[Tag::SC_INTERFACE_VERSION],
        CommandId::BROADCAST_SM => {
            &[Tag::BROADCAST_AREA_IDENTIFIER, Tag::BROADCAST_CONTENT_TYPE, Tag::BROADCAST_FREQUENCY_INTERVAL]
        }
        CommandId::QUERY_BROADCAST_SM_RESP => {
            &[Tag::MESSAGE_STATE, Tag::BROADCAST_AREA_IDENTIFIER, Tag::BROADCAST_AREA_SUCCESS]
        }
        _ => &[],
    };
    let mut list = Vec::new();
    for tag in required {
        list.extend(parameter(u, *tag)?);
    }
    for _ in 0..u.int_in_range(0..=MAX_ITEMS)? {
        let tag = if bool::arbitrary(u)? { *u.choose(&Tag::ALL)? } else { Tag(u.arbitrary()?) };
        // Only one of short_message and message_payload may contain text.
        if tag != Tag::MESSAGE_PAYLOAD || !has_text {
            list.extend(parameter(u, tag)?);
        }
    }
    Ok(list)
}

/// Generates a parameter with a valid length.
fn parameter<'a>(u: &mut Unstructured<'a>, tag: Tag) -> Result<Option<Tlv<'a>>> {
    /// The value if `u` has too few octets left.
    const ZEROS: &[u8] = &[0; 128];
    let (min, max) = tag.lengths().unwrap_or(0..=64).into_inner();
    let length = match u.int_in_range(min..=max.min(min + 64))? {
        // ms_validity has one octet or four.
        2 | 3 if tag == Tag::MS_VALIDITY => 4,
        length => length,
    };
    let octets = u.bytes(length.min(u.len()))?;
    let octets = if octets.len() < length { ZEROS.get(..length).unwrap_or_default() } else { octets };
    if !tag.is_text() {
        return Ok(Tlv::new(tag, octets));
    }
    // The constructor adds the NUL.
    let text = octets.split_last().map_or(octets, |(_, text)| text);
    let text = if text.contains(&0) { b"text without NUL" } else { text };
    Ok(Tlv::text(tag, text, min.saturating_sub(1), max.saturating_sub(1)).ok())
}

/// Takes at most `max` octets.
fn octets<'a>(u: &mut Unstructured<'a>, max: usize) -> Result<&'a [u8]> {
    let length = u.int_in_range(0..=max)?;
    u.bytes(length.min(u.len()))
}

/// Takes at most `max` octets of ASCII without NUL.
fn ascii<'a>(u: &mut Unstructured<'a>, max: usize) -> Result<&'a [u8]> {
    let octets = octets(u, max)?;
    let end = octets.iter().position(|octet| !(1..=0x7F).contains(octet)).unwrap_or(octets.len());
    Ok(octets.get(..end).unwrap_or_default())
}

/// Generates a whole PDU with status 0 and a valid sequence number.
impl<'a> Arbitrary<'a> for Frame<Vec<u8>> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let sequence = SequenceNumber(u.int_in_range(SequenceNumber::FIRST.0..=SequenceNumber::LAST.0)?);
        with_pdu(u, |pdu| Self::encode(pdu, CommandStatus::ROK, sequence))
    }
}

impl<'a: 'p, 'p, const MAX: usize> Arbitrary<'a> for COctets<'p, MAX> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self::new(ascii(u, MAX.saturating_sub(1))?).unwrap_or_default())
    }
}

impl<'a: 'p, 'p> Arbitrary<'a> for Password<'p> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self::new(ascii(u, Self::SPECIFIED)?).unwrap_or_default())
    }
}

impl<'a> Arbitrary<'a> for Time<'_> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let text = *u.choose(&["", "020610233429000R", "261123035800000+", "991231235959948-"])?;
        Ok(Self::try_from(text).unwrap_or_default())
    }
}

impl<'a: 'p, 'p, const MAX: usize> Arbitrary<'a> for Address<'p, MAX> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self { ton: u.arbitrary()?, npi: u.arbitrary()?, digits: u.arbitrary()? })
    }
}

/// Generates newtypes over an integer, with any value.
macro_rules! integers {
    ($($name:ident = $from:expr;)+) => {$(
        impl<'a> Arbitrary<'a> for $name {
            fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
                u.arbitrary().map($from)
            }
        }
    )+};
}

integers! {
    CommandStatus = CommandStatus;
    DataCoding = DataCoding;
    EsmClass = EsmClass::from_bits_retain;
    InterfaceVersion = InterfaceVersion;
    MessageState = MessageState;
    Npi = Npi;
    PriorityFlag = PriorityFlag;
    RegisteredDelivery = RegisteredDelivery::from_bits_retain;
    ReplaceIfPresent = ReplaceIfPresent;
    Ton = Ton;
}
