//! A mix of PDUs as on a busy bind, and a scan of them that is a lower bound for the time of any decoder.

use smpp_proto::{
    Address, Bind, BindMode, BindResp, COctets, CommandId, CommandStatus, DataCoding, DeliverSm,
    DeliverSmResp, EsmClass, InterfaceVersion, Password, Pdu, RegisteredDelivery, SequenceNumber,
    ShortMessage, SubmitSm, SubmitSmResp, Tag, Tlv, Tlvs,
};

/// One PDU of the mix.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) octets: Vec<u8>,
}

fn row(name: &'static str, status: CommandStatus, pdu: &Pdu<'_>) -> Row {
    let mut octets = Vec::new();
    pdu.encode(status, SequenceNumber(0x0102_0304), &mut octets);
    Row { name, octets }
}

/// Returns the submit_sm of 110 octets that the instruction limits apply to.
pub(crate) fn message() -> SubmitSm<'static> {
    SubmitSm {
        source: Address::alphanumeric("8x8").unwrap(),
        destination: Address::international("6591234567").unwrap(),
        registered_delivery: RegisteredDelivery::RECEIPT,
        short_message: ShortMessage::new(b"Your code is 12345678. It is valid for ten minutes. Keep secret.")
            .unwrap(),
        ..SubmitSm::default()
    }
}

/// Returns the PDUs of the mix.
pub(crate) fn mix() -> Vec<Row> {
    let ok = CommandStatus::ROK;
    let message = message();
    let id = COctets::new(b"09a66b04-28ca-40c3-8a4a-33c251caab19").unwrap();
    let sixty = b"Your parcel is at the door. Show the code 123456 to get it.!";
    let udh = [&[5, 0, 3, 7, 3, 1][..], &[b'x'; 153]].concat();
    let payload = [b'y'; 400];
    let long = [
        Tlv::u16(Tag::USER_MESSAGE_REFERENCE, 7),
        Tlv::u8(Tag::MORE_MESSAGES_TO_SEND, 1),
        Tlv::new(Tag::MESSAGE_PAYLOAD, &payload).unwrap(),
    ];
    let receipt_tlvs = [
        Tlv::new(Tag::RECEIPTED_MESSAGE_ID, b"09a66b04-28ca-40c3-8a4a-33c251caab19\0").unwrap(),
        Tlv::u8(Tag::MESSAGE_STATE, 2),
        Tlv::new(Tag::NETWORK_ERROR_CODE, &[3, 0, 0]).unwrap(),
    ];
    let receipt = b"id:09a66b04-28ca-40c3-8a4a-33c251caab19 sub:001 dlvrd:001 submit date:2611230358 \
        done date:2611230358 stat:DELIVRD err:000 Text:Your parcel is at th";
    let version = [Tlv::u8(Tag::SC_INTERFACE_VERSION, InterfaceVersion::V3_4.0)];
    let from_smsc = DeliverSm {
        source: Address::international("6591234567").unwrap(),
        destination: Address::alphanumeric("8x8").unwrap(),
        ..DeliverSm::default()
    };
    vec![
        row("submit_sm, 110 octets", ok, &Pdu::SubmitSm(message)),
        row(
            "submit_sm, 60 characters",
            ok,
            &Pdu::SubmitSm(SubmitSm { short_message: ShortMessage::new(sixty).unwrap(), ..message }),
        ),
        row(
            "submit_sm, UDH and 153 characters",
            ok,
            &Pdu::SubmitSm(SubmitSm {
                esm_class: EsmClass::UDHI,
                short_message: ShortMessage::new(&udh).unwrap(),
                ..message
            }),
        ),
        row(
            "submit_sm, TLVs and payload of 400",
            ok,
            &Pdu::SubmitSm(SubmitSm {
                short_message: ShortMessage::EMPTY,
                tlvs: Tlvs::list(&long),
                ..message
            }),
        ),
        row(
            "submit_sm_resp",
            ok,
            &Pdu::SubmitSmResp(Some(SubmitSmResp { message_id: id, ..Default::default() })),
        ),
        row("submit_sm_resp, throttled", CommandStatus::RTHROTTLED, &Pdu::SubmitSmResp(None)),
        row(
            "deliver_sm, receipt with text and TLVs",
            ok,
            &Pdu::DeliverSm(DeliverSm {
                esm_class: EsmClass::DELIVERY_RECEIPT,
                short_message: ShortMessage::new(receipt).unwrap(),
                tlvs: Tlvs::list(&receipt_tlvs),
                ..from_smsc
            }),
        ),
        row(
            "deliver_sm, MO in UCS-2",
            ok,
            &Pdu::DeliverSm(DeliverSm {
                data_coding: DataCoding::UCS2,
                short_message: ShortMessage::new(&[4; 60]).unwrap(),
                ..from_smsc
            }),
        ),
        row("deliver_sm_resp", ok, &Pdu::DeliverSmResp(Some(DeliverSmResp::default()))),
        row("enquire_link", ok, &Pdu::EnquireLink),
        row("enquire_link_resp", ok, &Pdu::EnquireLinkResp),
        row(
            "bind_transceiver",
            ok,
            &Pdu::Bind(Bind {
                system_id: COctets::new(b"demo_shop").unwrap(),
                password: Password::new(b"secret08").unwrap(),
                ..Bind::default()
            }),
        ),
        row(
            "bind_transceiver_resp",
            ok,
            &Pdu::BindResp(
                BindMode::Transceiver,
                Some(BindResp { system_id: COctets::new(b"8x8").unwrap(), tlvs: Tlvs::list(&version) }),
            ),
        ),
    ]
}

/// Finds the NUL of each string and skips fields of fixed size, texts and TLVs. Returns the length of the PDU, or
/// `None` if a field reaches past its end.
pub(crate) fn scan(pdu: &[u8]) -> Option<usize> {
    let command = CommandId(u32::from_be_bytes(*pdu.get(4..)?.first_chunk()?));
    let mut at = 16;
    match command {
        CommandId::SUBMIT_SM | CommandId::DELIVER_SM => {
            at = string(pdu, at)?;
            at = string(pdu, at + 2)?;
            at = string(pdu, at + 2)?;
            at = string(pdu, at + 3)?;
            at = string(pdu, at)?;
            at += 5 + usize::from(*pdu.get(at + 4)?);
            tlvs(pdu, at)
        }
        CommandId::SUBMIT_SM_RESP | CommandId::DELIVER_SM_RESP | CommandId::BIND_TRANSCEIVER_RESP => {
            if at < pdu.len() {
                at = string(pdu, at)?;
            }
            tlvs(pdu, at)
        }
        CommandId::BIND_TRANSCEIVER => {
            at = string(pdu, at)?;
            at = string(pdu, at)?;
            at = string(pdu, at)?;
            tlvs(pdu, string(pdu, at + 3)?)
        }
        _ => Some(at),
    }
}

#[inline]
fn string(pdu: &[u8], at: usize) -> Option<usize> {
    Some(at + pdu.get(at..)?.iter().position(|octet| *octet == 0)? + 1)
}

#[inline]
fn tlvs(pdu: &[u8], mut at: usize) -> Option<usize> {
    while at < pdu.len() {
        let [_, _, high, low] = *pdu.get(at..)?.first_chunk()?;
        at += 4 + usize::from(u16::from_be_bytes([high, low]));
    }
    (at == pdu.len()).then_some(at)
}
