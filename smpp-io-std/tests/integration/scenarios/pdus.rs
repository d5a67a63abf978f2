//! The PDUs that the peer sends. The peer is an SMSC.

use smpp_proto::{
    BindMode, BindResp, COctets, CommandId, CommandStatus, DeliverSm, Pdu, SequenceNumber, ShortMessage,
    SubmitSmResp,
};

pub(crate) fn pdu(pdu: &Pdu<'_>, status: CommandStatus, sequence: u32) -> Vec<u8> {
    let mut out = Vec::new();
    pdu.encode(status, SequenceNumber(sequence), &mut out);
    out
}

pub(crate) fn bind_resp() -> Vec<u8> {
    pdu(&Pdu::BindResp(BindMode::Transceiver, Some(BindResp::default())), CommandStatus::ROK, 1)
}

pub(crate) fn bind_refused(status: CommandStatus) -> Vec<u8> {
    pdu(&Pdu::BindResp(BindMode::Transceiver, None), status, 1)
}

pub(crate) fn submit_resp(sequence: u32) -> Vec<u8> {
    let message_id = COctets::new(b"id").unwrap();
    let response = SubmitSmResp { message_id, ..SubmitSmResp::default() };
    pdu(&Pdu::SubmitSmResp(Some(response)), CommandStatus::ROK, sequence)
}

pub(crate) fn submit_refused(sequence: u32, status: CommandStatus) -> Vec<u8> {
    pdu(&Pdu::SubmitSmResp(None), status, sequence)
}

pub(crate) fn deliver(sequence: u32) -> Vec<u8> {
    let deliver = DeliverSm {
        short_message: ShortMessage::new(b"id:id stat:DELIVRD").unwrap(),
        ..DeliverSm::default()
    };
    pdu(&Pdu::DeliverSm(deliver), CommandStatus::ROK, sequence)
}

/// Returns a PDU with any command and any body.
pub(crate) fn raw(command: CommandId, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = 16 + u32::try_from(body.len()).unwrap();
    let header = [length, command.0, 0, sequence];
    header.iter().flat_map(|field| field.to_be_bytes()).chain(body.iter().copied()).collect()
}
