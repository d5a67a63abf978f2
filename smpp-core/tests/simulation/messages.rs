//! Requests that carry their tag, responses that carry an identifier, and how a session sends them.
//!
//! Both are encoded first and decoded again when they are sent, because a trace holds only octets.

use smpp_proto::arbitrary::{Unstructured, with_pdu};
use smpp_proto::session::{Esme, Instant, Refusal, Refused, Reply, Request, Role, Session, Smsc};
use smpp_proto::{
    Address, AlertNotification, Bind, BindMode, BindResp, BroadcastSm, BroadcastSmResp, COctets,
    CancelBroadcastSm, CancelSm, CommandId, CommandStatus, DataSm, DataSmResp, DeliverSm, DeliverSmResp,
    Destination, EnquireLink, Frame, Header, InterfaceVersion, List, MessageState, NoBody, Outbind, Password,
    Pdu, QueryBroadcastSm, QueryBroadcastSmResp, QuerySm, QuerySmResp, ReplaceSm, SequenceNumber,
    ShortMessage, SubmitMulti, SubmitMultiResp, SubmitSm, SubmitSmResp, Tag as TlvTag, Tlv, Tlvs, Tolerance,
};

use super::harness::rng::Rng;

/// The number of a request in the scenario, on either side.
pub(crate) type Tag = u32;

pub(crate) type Octets = Frame<Vec<u8>>;

pub(crate) fn pdu(frame: &Octets) -> Pdu<'_> {
    frame.pdu(Tolerance::LENIENT).expect("encoded by this module").0
}

/// A side that sends requests given as PDUs.
pub(crate) trait SendPdu: Role + Sized {
    /// The requests of this side, except binds and enquire_link.
    const MESSAGES: &'static [CommandId];

    fn send(
        session: &mut Session<Self, Tag>,
        now: Instant,
        pdu: &Pdu<'_>,
        tag: Tag,
    ) -> Result<SequenceNumber, Refused<Tag>>;

    /// Sends a notification. Returns `None` if this side has none.
    fn notify(_: &mut Session<Self, Tag>, _: Instant, _: &Pdu<'_>) -> Option<Result<(), Refusal>> {
        None
    }
}

macro_rules! impl_send_pdu {
    ($role:ident { $($name:ident = $command:ident),+ } $(and $bind:ident)? $(notifies |$session:ident, $now:ident, $pdu:ident| $notify:expr)?) => {
        impl SendPdu for $role {
            const MESSAGES: &'static [CommandId] = &[$(CommandId::$command),+];

            fn send(
                session: &mut Session<Self, Tag>,
                now: Instant,
                pdu: &Pdu<'_>,
                tag: Tag,
            ) -> Result<SequenceNumber, Refused<Tag>> {
                match pdu {
                    $(Pdu::$name(operation) => session.request(now, operation, tag),)+
                    $(Pdu::$bind(operation) => session.request(now, operation, tag),)?
                    Pdu::EnquireLink => session.request(now, &EnquireLink, tag),
                    other => panic!("{} is not sent by this side", other.command()),
                }
            }

            $(fn notify(
                $session: &mut Session<Self, Tag>,
                $now: Instant,
                $pdu: &Pdu<'_>,
            ) -> Option<Result<(), Refusal>> {
                Some($notify)
            })?
        }
    };
}

impl_send_pdu! {
    Esme {
        SubmitSm = SUBMIT_SM,
        SubmitMulti = SUBMIT_MULTI,
        DataSm = DATA_SM,
        QuerySm = QUERY_SM,
        CancelSm = CANCEL_SM,
        ReplaceSm = REPLACE_SM,
        BroadcastSm = BROADCAST_SM,
        QueryBroadcastSm = QUERY_BROADCAST_SM,
        CancelBroadcastSm = CANCEL_BROADCAST_SM
    } and Bind
}
impl_send_pdu! {
    Smsc { DeliverSm = DELIVER_SM, DataSm = DATA_SM }
    notifies |session, now, pdu| match pdu {
        Pdu::Outbind(outbind) => session.notify(now, outbind),
        Pdu::AlertNotification(alert) => session.notify(now, alert),
        other => panic!("{} has a response", other.command()),
    }
}

/// Defines an enum of the reply tokens of all requests.
macro_rules! pending_reply {
    ($($name:ident: $response:pat => $body:expr,)+) => {
        #[derive(Debug)]
        pub(crate) enum PendingReply {
            $($name(Reply<$name<'static>>),)+
        }

        impl PendingReply {
            pub(crate) fn new(request: Request<'_>) -> Self {
                match request {
                    $(Request::$name(_, reply) => Self::$name(reply),)+
                    other => panic!("unknown request {other:?}"),
                }
            }

            /// Answers with the response in the PDU, or with a status.
            pub(crate) fn answer<R: Role, T>(
                self,
                session: &mut Session<R, T>,
                result: Result<Pdu<'_>, CommandStatus>,
            ) -> Result<(), Refusal> {
                match self {
                    $(Self::$name(reply) => {
                        let result = result.map(|pdu| match pdu {
                            $response => $body,
                            other => panic!("{} answers another request", other.command()),
                        });
                        session.respond(reply, result)
                    })+
                }
            }
        }
    };
}

pending_reply! {
    Bind: Pdu::BindResp(_, Some(body)) => body,
    SubmitSm: Pdu::SubmitSmResp(Some(body)) => body,
    DeliverSm: Pdu::DeliverSmResp(Some(body)) => body,
    DataSm: Pdu::DataSmResp(Some(body)) => body,
    SubmitMulti: Pdu::SubmitMultiResp(Some(body)) => body,
    QuerySm: Pdu::QuerySmResp(Some(body)) => body,
    CancelSm: Pdu::CancelSmResp => NoBody,
    ReplaceSm: Pdu::ReplaceSmResp => NoBody,
    BroadcastSm: Pdu::BroadcastSmResp(Some(body)) => body,
    QueryBroadcastSm: Pdu::QueryBroadcastSmResp(Some(body)) => body,
    CancelBroadcastSm: Pdu::CancelBroadcastSmResp => NoBody,
}

const VERSIONS: [InterfaceVersion; 5] = [
    InterfaceVersion::V3_4,
    InterfaceVersion::V3_4,
    InterfaceVersion::V3_4,
    InterfaceVersion::V3_3,
    InterfaceVersion::V5_0,
];

fn version(rng: &mut Rng, modern: bool) -> InterfaceVersion {
    let version = rng.pick(&VERSIONS);
    if modern && !version.reads_tlvs() { InterfaceVersion::V3_4 } else { version }
}

fn encode(pdu: Pdu<'_>) -> Octets {
    Frame::encode(&pdu, CommandStatus::ROK, SequenceNumber::FIRST)
}

/// Returns a bind in any mode. If `modern`, its version has TLVs.
pub(crate) fn bind(rng: &mut Rng, tag: Tag, modern: bool) -> Octets {
    encode(Pdu::Bind(Bind {
        mode: rng.pick(&[
            BindMode::Transceiver,
            BindMode::Transceiver,
            BindMode::Receiver,
            BindMode::Transmitter,
        ]),
        system_id: tag.to_string().as_str().try_into().expect("short"),
        password: Password::new(b"secret").expect("short"),
        interface_version: version(rng, modern),
        ..Bind::default()
    }))
}

/// Returns an outbind or an alert_notification.
pub(crate) fn notification(outbind: bool) -> Octets {
    encode(if outbind {
        Pdu::Outbind(Outbind::default())
    } else {
        Pdu::AlertNotification(AlertNotification::default())
    })
}

pub(crate) fn enquire_link() -> Octets {
    encode(Pdu::EnquireLink)
}

/// Returns a request with its tag as the source address.
pub(crate) fn message(rng: &mut Rng, command: CommandId, tag: Tag) -> Octets {
    let digits = tag.to_string();
    let source = Address::international(&digits).expect("digits");
    let length = rng.pick(&[0, 5, 30, 100]);
    let text = vec![b'x'; rng.index(length + 1)];
    let short_message = ShortMessage::new(&text).expect("short");
    let payload = [Tlv::new(TlvTag::MESSAGE_PAYLOAD, &text).expect("short")];
    let reference = [Tlv::u16(TlvTag::USER_MESSAGE_REFERENCE, tag as u16)];
    let broadcast = [
        Tlv::new(TlvTag::BROADCAST_AREA_IDENTIFIER, b"\0area").expect("short"),
        Tlv::new(TlvTag::BROADCAST_CONTENT_TYPE, &[0, 0, 1]).expect("short"),
        Tlv::new(TlvTag::BROADCAST_FREQUENCY_INTERVAL, &[9, 0, 1]).expect("short"),
    ];
    let some = rng.chance(300);
    let tlvs = if some { Tlvs::list(&reference) } else { Tlvs::EMPTY };
    let destinations = [Destination::Sme(source)];
    let message_id = COctets::new(b"id").expect("short");
    encode(match command {
        CommandId::SUBMIT_SM => Pdu::SubmitSm(SubmitSm { source, short_message, tlvs, ..Default::default() }),
        CommandId::DELIVER_SM => {
            Pdu::DeliverSm(DeliverSm { source, short_message, tlvs, ..Default::default() })
        }
        CommandId::SUBMIT_MULTI => {
            let destinations = List::new(&destinations).expect("one");
            Pdu::SubmitMulti(SubmitMulti { source, destinations, short_message, tlvs, ..Default::default() })
        }
        CommandId::DATA_SM => {
            let tlvs = if some { Tlvs::EMPTY } else { Tlvs::list(&payload) };
            Pdu::DataSm(DataSm { source: source.into(), tlvs, ..Default::default() })
        }
        CommandId::QUERY_SM => Pdu::QuerySm(QuerySm { message_id, source, ..Default::default() }),
        CommandId::CANCEL_SM => Pdu::CancelSm(CancelSm { message_id, source, ..Default::default() }),
        CommandId::REPLACE_SM => {
            Pdu::ReplaceSm(ReplaceSm { message_id, source, short_message, ..Default::default() })
        }
        CommandId::BROADCAST_SM => {
            Pdu::BroadcastSm(BroadcastSm { source, tlvs: Tlvs::list(&broadcast), ..Default::default() })
        }
        CommandId::QUERY_BROADCAST_SM => Pdu::QueryBroadcastSm(QueryBroadcastSm { message_id, source, tlvs }),
        CommandId::CANCEL_BROADCAST_SM => {
            Pdu::CancelBroadcastSm(CancelBroadcastSm { message_id, source, tlvs, ..Default::default() })
        }
        other => panic!("{other} carries no tag"),
    })
}

/// Returns a deliver_sm without its TLVs. A session sends that to an ESME of version 3.3.
pub(crate) fn without_tlvs(deliver_sm: &Octets) -> Octets {
    let Pdu::DeliverSm(body) = pdu(deliver_sm) else { panic!("only a deliver_sm can do without its TLVs") };
    encode(Pdu::DeliverSm(DeliverSm { tlvs: Tlvs::EMPTY, ..body }))
}

/// Returns the tag of a request. The octets may be damaged.
pub(crate) fn tag_of(frame: Frame<&[u8]>) -> Option<Tag> {
    let name = match frame.pdu(Tolerance::LENIENT).ok()?.0 {
        Pdu::Bind(body) => body.system_id.to_string(),
        Pdu::SubmitSm(body) => body.source.digits.to_string(),
        Pdu::DeliverSm(body) => body.source.digits.to_string(),
        Pdu::SubmitMulti(body) => body.source.digits.to_string(),
        Pdu::DataSm(body) => body.source.digits.to_string(),
        Pdu::QuerySm(body) => body.source.digits.to_string(),
        Pdu::CancelSm(body) => body.source.digits.to_string(),
        Pdu::ReplaceSm(body) => body.source.digits.to_string(),
        Pdu::BroadcastSm(body) => body.source.digits.to_string(),
        Pdu::QueryBroadcastSm(body) => body.source.digits.to_string(),
        Pdu::CancelBroadcastSm(body) => body.source.digits.to_string(),
        _ => return None,
    };
    name.parse().ok()
}

/// Returns a response to the request with this header, with a unique identifier.
pub(crate) fn response(rng: &mut Rng, request: Header, modern: bool) -> Octets {
    let name = format!("{:x}", rng.next() >> 16);
    let message_id = name.as_str().try_into().expect("short");
    let text = rng.octets(20);
    let text = [Tlv::new(TlvTag::NETWORK_ERROR_CODE, &text[..3]).expect("short")];
    let tlvs = if rng.chance(200) { Tlvs::list(&text) } else { Tlvs::EMPTY };
    let stated = [Tlv::u8(TlvTag::SC_INTERFACE_VERSION, version(rng, modern).0)];
    let broadcast = [
        Tlv::u8(TlvTag::MESSAGE_STATE, MessageState::ENROUTE.0),
        Tlv::new(TlvTag::BROADCAST_AREA_IDENTIFIER, b"\0area").expect("short"),
        Tlv::u8(TlvTag::BROADCAST_AREA_SUCCESS, 100),
    ];
    let bind = |mode| {
        let tlvs = Tlvs::list(&stated);
        Pdu::BindResp(mode, Some(BindResp { system_id: name.as_str().try_into().expect("short"), tlvs }))
    };
    let pdu = match request.command {
        CommandId::BIND_RECEIVER => bind(BindMode::Receiver),
        CommandId::BIND_TRANSMITTER => bind(BindMode::Transmitter),
        CommandId::BIND_TRANSCEIVER => bind(BindMode::Transceiver),
        CommandId::SUBMIT_SM => Pdu::SubmitSmResp(Some(SubmitSmResp { message_id, tlvs })),
        CommandId::DELIVER_SM => Pdu::DeliverSmResp(Some(DeliverSmResp { message_id, tlvs })),
        CommandId::DATA_SM => Pdu::DataSmResp(Some(DataSmResp { message_id, tlvs })),
        CommandId::SUBMIT_MULTI => {
            Pdu::SubmitMultiResp(Some(SubmitMultiResp { message_id, tlvs, ..Default::default() }))
        }
        CommandId::QUERY_SM => {
            let message_state = MessageState::ENROUTE;
            Pdu::QuerySmResp(Some(QuerySmResp { message_id, message_state, ..Default::default() }))
        }
        CommandId::CANCEL_SM => Pdu::CancelSmResp,
        CommandId::REPLACE_SM => Pdu::ReplaceSmResp,
        CommandId::BROADCAST_SM => Pdu::BroadcastSmResp(Some(BroadcastSmResp { message_id, tlvs })),
        CommandId::QUERY_BROADCAST_SM => {
            let tlvs = Tlvs::list(&broadcast);
            Pdu::QueryBroadcastSmResp(Some(QueryBroadcastSmResp { message_id, tlvs }))
        }
        CommandId::CANCEL_BROADCAST_SM => Pdu::CancelBroadcastSmResp,
        other => panic!("{other} is not answered by the application"),
    };
    Frame::encode(&pdu, CommandStatus::ROK, request.sequence)
}

/// Returns the identifier of a response. It is empty for responses that have none.
pub(crate) fn response_id(pdu: &Pdu<'_>) -> Vec<u8> {
    match pdu {
        Pdu::BindResp(_, Some(body)) => body.system_id.as_bytes(),
        Pdu::SubmitSmResp(Some(body)) => body.message_id.as_bytes(),
        Pdu::DeliverSmResp(Some(body)) => body.message_id.as_bytes(),
        Pdu::DataSmResp(Some(body)) => body.message_id.as_bytes(),
        Pdu::SubmitMultiResp(Some(body)) => body.message_id.as_bytes(),
        Pdu::QuerySmResp(Some(body)) => body.message_id.as_bytes(),
        Pdu::BroadcastSmResp(Some(body)) => body.message_id.as_bytes(),
        Pdu::QueryBroadcastSmResp(Some(body)) => body.message_id.as_bytes(),
        _ => b"",
    }
    .to_vec()
}

/// Returns a PDU of any kind, with a sequence number that may be in flight. If `damaged`, the body is random.
pub(crate) fn unsolicited_pdu(rng: &mut Rng, in_flight: &[SequenceNumber], damaged: bool) -> Octets {
    let guess = SequenceNumber(rng.within(0..=12) as u32);
    let sequence = if in_flight.is_empty() || rng.chance(300) { guess } else { rng.pick(in_flight) };
    let status = if rng.chance(500) { CommandStatus::ROK } else { CommandStatus::RTHROTTLED };
    if damaged {
        let unknown = CommandId(rng.next() as u32);
        let command = rng.pick(&[
            CommandId::SUBMIT_SM,
            CommandId::DELIVER_SM,
            CommandId::SUBMIT_SM_RESP,
            CommandId::DELIVER_SM_RESP,
            CommandId::DATA_SM_RESP,
            CommandId::UNBIND_RESP,
            unknown,
        ]);
        let length = rng.index(40);
        let header = [16 + length as u32, command.0, status.0, sequence.0].map(u32::to_be_bytes).concat();
        return Frame::new([header, rng.octets(length)].concat()).expect("one PDU");
    }
    if rng.chance(500) {
        let short = [
            Pdu::EnquireLinkResp,
            Pdu::UnbindResp,
            Pdu::GenericNack,
            Pdu::CancelSmResp,
            Pdu::SubmitSmResp(Some(SubmitSmResp::default())),
            Pdu::DeliverSmResp(Some(DeliverSmResp::default())),
            Pdu::Unbind,
        ];
        return Frame::encode(&rng.pick(&short), status, sequence);
    }
    loop {
        let octets = rng.octets(300);
        let made = with_pdu(&mut Unstructured::new(&octets), |pdu| Frame::encode(pdu, status, sequence));
        if let Ok(frame) = made {
            return frame;
        }
    }
}
