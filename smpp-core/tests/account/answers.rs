//! The answers of the simulated SMSC.

use smpp_core::session::{Refusal, Reply, Session, Smsc};
use smpp_core::{
    BindResp, COctets, CancelSm, CommandStatus, DataSm, DataSmResp, NoBody, QuerySm, QuerySmResp, ReplaceSm,
    SubmitMulti, SubmitMultiResp, SubmitSm, SubmitSmResp, Tag, Tlv, Tlvs,
};

/// What the SMSC answers, and to which request.
pub(crate) enum ReplyTo {
    Bind(Reply<smpp_core::Bind<'static>>, Result<(), CommandStatus>),
    /// An accepting response has a TLV if the flag is set.
    Message(MessageReply, Result<String, CommandStatus>, bool),
    Query(Reply<QuerySm<'static>>, usize, Result<(), CommandStatus>),
    Cancel(Reply<CancelSm<'static>>, Result<(), CommandStatus>),
    Replace(Reply<ReplaceSm<'static>>, Result<(), CommandStatus>),
}

pub(crate) enum MessageReply {
    SubmitSm(Reply<SubmitSm<'static>>),
    DataSm(Reply<DataSm<'static>>),
    SubmitMulti(Reply<SubmitMulti<'static>>),
}

/// The TLV in some responses: it repeats the message id.
pub(crate) const PRICE: Tag = Tag(0x1400);

impl ReplyTo {
    pub(crate) fn answer(self, session: &mut Session<Smsc, usize>) -> Result<(), Refusal> {
        match self {
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
                    MessageReply::SubmitMulti(reply) => {
                        let response = SubmitMultiResp { message_id, tlvs, ..SubmitMultiResp::default() };
                        session.respond(reply, result.map(|()| response))
                    }
                }
            }
            Self::Query(reply, index, result) => {
                let id = index.to_string();
                let message_id = COctets::new(id.as_bytes()).expect("short");
                session.respond(reply, result.map(|()| QuerySmResp { message_id, ..QuerySmResp::default() }))
            }
            Self::Cancel(reply, result) => session.respond(reply, result.map(|()| NoBody)),
            Self::Replace(reply, result) => session.respond(reply, result.map(|()| NoBody)),
        }
    }
}
