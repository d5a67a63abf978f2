//! The requests and responses of both sides.

use smpp_proto::arbitrary::{self, Unstructured};
use smpp_proto::session::{Esme, Instant, Refusal, Refused, Reply, Request, Role, Session, Smsc};
use smpp_proto::{
    Bind, BindMode, BindResp, BroadcastSmResp, COctets, CommandId, CommandStatus, DataSmResp, DeliverSm,
    DeliverSmResp, EnquireLink, NoBody, Operation, Password, Pdu, QueryBroadcastSmResp, QuerySmResp,
    SequenceNumber, SubmitMultiResp, SubmitSm, SubmitSmResp, Tag, Tlv, Tlvs,
};

/// The password in each bind that is sent or received.
pub(super) const PASSWORD: &str = "hunter22";

/// Answers a request of the peer, with a response or with a status.
pub(super) type Answer<R> =
    Box<dyn FnOnce(&mut Session<R, u32>, Option<CommandStatus>) -> Result<(), Refusal>>;

pub(super) type RequestResult = Result<SequenceNumber, Refused<u32>>;

/// How a side sends requests.
pub(super) trait Side: Role + Sized {
    /// Sends the message that [`Session::readiness`] checks.
    fn message(session: &mut Session<Self, u32>, now: Instant, tag: u32) -> RequestResult;

    /// Sends the request in the PDU, or an enquire_link if only the other side sends such requests.
    fn send(session: &mut Session<Self, u32>, now: Instant, pdu: &Pdu<'_>, tag: u32) -> RequestResult;
}

impl Side for Esme {
    fn message(session: &mut Session<Self, u32>, now: Instant, tag: u32) -> RequestResult {
        session.request(now, &SubmitSm::default(), tag)
    }

    fn send(session: &mut Session<Self, u32>, now: Instant, pdu: &Pdu<'_>, tag: u32) -> RequestResult {
        match pdu {
            Pdu::Bind(bind) => session.request(now, &with_password(bind), tag),
            Pdu::SubmitSm(body) => session.request(now, body, tag),
            Pdu::SubmitMulti(body) => session.request(now, body, tag),
            Pdu::DataSm(body) => session.request(now, body, tag),
            Pdu::QuerySm(body) => session.request(now, body, tag),
            Pdu::CancelSm(body) => session.request(now, body, tag),
            Pdu::ReplaceSm(body) => session.request(now, body, tag),
            Pdu::BroadcastSm(body) => session.request(now, body, tag),
            Pdu::QueryBroadcastSm(body) => session.request(now, body, tag),
            Pdu::CancelBroadcastSm(body) => session.request(now, body, tag),
            _ => session.request(now, &EnquireLink, tag),
        }
    }
}

impl Side for Smsc {
    fn message(session: &mut Session<Self, u32>, now: Instant, tag: u32) -> RequestResult {
        session.request(now, &DeliverSm::default(), tag)
    }

    fn send(session: &mut Session<Self, u32>, now: Instant, pdu: &Pdu<'_>, tag: u32) -> RequestResult {
        match pdu {
            Pdu::DeliverSm(body) => session.request(now, body, tag),
            Pdu::DataSm(body) => session.request(now, body, tag),
            _ => session.request(now, &EnquireLink, tag),
        }
    }
}

/// Returns the answer to a request of the peer, for later.
pub(super) fn deferred_answer<R: Role>(request: Request<'_>) -> Answer<R> {
    match request {
        Request::Bind(_, reply) => defer(reply, BindResp { tlvs: VERSION, ..BindResp::default() }),
        Request::SubmitSm(_, reply) => defer(reply, SubmitSmResp { message_id: id(), ..Default::default() }),
        Request::DeliverSm(_, reply) => defer(reply, DeliverSmResp::default()),
        Request::DataSm(_, reply) => defer(reply, DataSmResp { message_id: id(), ..Default::default() }),
        Request::SubmitMulti(_, reply) => defer(reply, SubmitMultiResp::default()),
        Request::QuerySm(_, reply) => defer(reply, QuerySmResp::default()),
        Request::CancelSm(_, reply) => defer(reply, NoBody),
        Request::ReplaceSm(_, reply) => defer(reply, NoBody),
        Request::BroadcastSm(_, reply) => defer(reply, BroadcastSmResp::default()),
        Request::QueryBroadcastSm(_, reply) => defer(reply, QueryBroadcastSmResp::default()),
        Request::CancelBroadcastSm(_, reply) => defer(reply, NoBody),
        other => panic!("{other:?}"),
    }
}

fn defer<R: Role, O: Operation + 'static>(reply: Reply<O>, response: O::Response<'static>) -> Answer<R>
where
    O::Response<'static>: 'static,
{
    Box::new(move |session, status| session.respond(reply, status.map_or(Ok(response), Err)))
}

const VERSION: Tlvs<'static> = Tlvs::list(&[Tlv::u8(Tag::SC_INTERFACE_VERSION, 0x34)]);

pub(super) const MODES: [BindMode; 3] = [BindMode::Transceiver, BindMode::Transmitter, BindMode::Receiver];

/// Known, unknown and vendor-specific commands.
pub(super) const COMMANDS: [CommandId; 20] = [
    CommandId::BIND_TRANSCEIVER,
    CommandId::BIND_TRANSCEIVER_RESP,
    CommandId::BIND_RECEIVER_RESP,
    CommandId::OUTBIND,
    CommandId::ALERT_NOTIFICATION,
    CommandId::SUBMIT_SM,
    CommandId::SUBMIT_SM_RESP,
    CommandId::DELIVER_SM,
    CommandId::DELIVER_SM_RESP,
    CommandId::DATA_SM,
    CommandId::DATA_SM_RESP,
    CommandId::CANCEL_SM,
    CommandId::CANCEL_SM_RESP,
    CommandId::UNBIND,
    CommandId::UNBIND_RESP,
    CommandId::ENQUIRE_LINK,
    CommandId::ENQUIRE_LINK_RESP,
    CommandId::GENERIC_NACK,
    CommandId(0x0001_0200),
    CommandId(0x8001_0200),
];

pub(super) fn status(u: &mut Unstructured<'_>) -> arbitrary::Result<CommandStatus> {
    u.choose(&[
        CommandStatus::ROK,
        CommandStatus::RTHROTTLED,
        CommandStatus::RSYSERR,
        CommandStatus::RBINDFAIL,
        CommandStatus(0x0450),
    ])
    .copied()
}

/// Returns the response that accepts a request.
pub(super) fn acceptance(command: CommandId, tlvs: Tlvs<'_>) -> Pdu<'_> {
    match command {
        CommandId::SUBMIT_SM => {
            Pdu::SubmitSmResp(Some(SubmitSmResp { message_id: id(), ..Default::default() }))
        }
        CommandId::DELIVER_SM => Pdu::DeliverSmResp(Some(DeliverSmResp::default())),
        CommandId::DATA_SM => Pdu::DataSmResp(Some(DataSmResp::default())),
        CommandId::SUBMIT_MULTI => Pdu::SubmitMultiResp(Some(SubmitMultiResp::default())),
        CommandId::QUERY_SM => Pdu::QuerySmResp(Some(QuerySmResp::default())),
        CommandId::CANCEL_SM => Pdu::CancelSmResp,
        CommandId::REPLACE_SM => Pdu::ReplaceSmResp,
        CommandId::BROADCAST_SM => Pdu::BroadcastSmResp(Some(BroadcastSmResp::default())),
        CommandId::QUERY_BROADCAST_SM => Pdu::QueryBroadcastSmResp(Some(QueryBroadcastSmResp::default())),
        CommandId::CANCEL_BROADCAST_SM => Pdu::CancelBroadcastSmResp,
        CommandId::ENQUIRE_LINK => Pdu::EnquireLinkResp,
        CommandId::UNBIND => Pdu::UnbindResp,
        _ => match MODES.into_iter().find(|mode| mode.command() == command) {
            Some(mode) => Pdu::BindResp(mode, Some(BindResp { tlvs, ..BindResp::default() })),
            None => Pdu::GenericNack,
        },
    }
}

fn id() -> COctets<'static, 65> {
    COctets::new(b"id").expect("fits")
}

pub(super) fn with_password<'a>(bind: &Bind<'a>) -> Bind<'a> {
    Bind { password: Password::new(PASSWORD.as_bytes()).expect("fits"), ..*bind }
}

pub(super) fn octets(pdu: &Pdu<'_>, status: CommandStatus, number: SequenceNumber) -> Vec<u8> {
    let mut out = Vec::new();
    pdu.encode(status, number, &mut out);
    out
}
