//! The answers of the simulated SMSC.

use smpp_proto::session::{Observer, Refusal, Reply, Session, Smsc};
use smpp_proto::{
    Address, BindResp, COctets, CancelSm, CommandStatus, DataSm, DataSmResp, List, MessageState, NoBody,
    Operation, QuerySm, QuerySmResp, ReplaceSm, SubmitMulti, SubmitMultiResp, SubmitSm, SubmitSmResp, Tag,
    Tlv, Tlvs, UnsuccessSme,
};

/// What the SMSC answers, and to which request.
pub(crate) enum ReplyTo {
    Bind(Reply<smpp_proto::Bind<'static>>, Result<(), CommandStatus>),
    /// The decision on a bind whose token the server has.
    Decision(Result<(), CommandStatus>),
    /// An accepting response has a TLV if the flag is set.
    Message(MessageReply, Result<String, CommandStatus>, bool),
    Query(Reply<QuerySm<'static>>, String, Result<MessageState, CommandStatus>),
    Cancel(Reply<CancelSm<'static>>, Result<(), CommandStatus>),
    Replace(Reply<ReplaceSm<'static>>, Result<(), CommandStatus>),
}

pub(crate) enum MessageReply {
    SubmitSm(Reply<SubmitSm<'static>>),
    DataSm(Reply<DataSm<'static>>),
    /// With the recipients that the SMSC refuses.
    SubmitMulti(Reply<SubmitMulti<'static>>, Vec<&'static str>),
}

/// The TLV in some responses: it repeats the message id.
pub(crate) const PRICE: Tag = Tag(0x1400);

/// What takes the responses of one connection.
pub(crate) trait Responder {
    fn respond<P: Operation>(
        &mut self,
        reply: Reply<P>,
        result: Result<P::Response<'_>, CommandStatus>,
    ) -> Result<(), Refusal>;
}

impl<O: Observer> Responder for Session<Smsc, usize, O> {
    fn respond<P: Operation>(
        &mut self,
        reply: Reply<P>,
        result: Result<P::Response<'_>, CommandStatus>,
    ) -> Result<(), Refusal> {
        Session::respond(self, reply, result)
    }
}

impl ReplyTo {
    pub(crate) fn answer(self, session: &mut impl Responder) -> Result<(), Refusal> {
        match self {
            Self::Decision(_) => unreachable!("the server answers the bind"),
            Self::Bind(reply, result) => session.respond(reply, result.map(|()| BindResp::default())),
            Self::Message(reply, result, has_tlv) => {
                let id = result.clone().unwrap_or_default();
                let message_id = COctets::new(id.as_bytes()).expect("short");
                let tlvs = [Tlv::new(PRICE, id.as_bytes()).expect("short")];
                let tlvs = Tlvs::list(if has_tlv { &tlvs } else { &[] });
                let result = result.map(drop);
                match reply {
                    MessageReply::SubmitSm(reply) => {
                        session.respond(reply, result.map(|()| SubmitSmResp { message_id, tlvs }))
                    }
                    MessageReply::DataSm(reply) => {
                        session.respond(reply, result.map(|()| DataSmResp { message_id, tlvs }))
                    }
                    MessageReply::SubmitMulti(reply, refused) => {
                        let refused: Vec<_> = refused.into_iter().map(unsuccess).collect();
                        let unsuccessful = List::new(&refused).expect("few");
                        let response = SubmitMultiResp { message_id, unsuccessful, tlvs };
                        session.respond(reply, result.map(|()| response))
                    }
                }
            }
            Self::Query(reply, id, result) => {
                let message_id = COctets::new(id.as_bytes()).expect("short");
                let response =
                    |message_state| QuerySmResp { message_id, message_state, ..QuerySmResp::default() };
                session.respond(reply, result.map(response))
            }
            Self::Cancel(reply, result) => session.respond(reply, result.map(|()| NoBody)),
            Self::Replace(reply, result) => session.respond(reply, result.map(|()| NoBody)),
        }
    }
}

fn unsuccess(digits: &'static str) -> UnsuccessSme<'static> {
    let destination = Address::international(digits).expect("digits");
    UnsuccessSme { destination, error_status_code: CommandStatus::RINVDSTADR }
}
