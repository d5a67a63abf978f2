//! Operations: which response belongs to which request.

use super::bind::{Bind, BindResp};
use super::broadcast::{
    BroadcastSm, BroadcastSmResp, CancelBroadcastSm, QueryBroadcastSm, QueryBroadcastSmResp,
};
use super::data::{DataSm, DataSmResp};
use super::link::{EnquireLink, NoBody, Unbind};
use super::message::{DeliverSm, DeliverSmResp, SubmitSm, SubmitSmResp};
use super::multi::{SubmitMulti, SubmitMultiResp};
use super::query::{CancelSm, QuerySm, QuerySmResp, ReplaceSm};
use super::variants::Pdu;
use crate::header::{CommandId, CommandStatus};
use crate::wire::Emit;

/// A request that has a response.
pub trait Operation: Emit + Copy {
    /// The body of the response.
    type Response<'r>: ResponseBody;
    /// The same request with another lifetime: `SubmitSm<'static>` names the operation, and a received request is
    /// its view `SubmitSm<'a>`.
    type View<'a>: Operation + Default;

    /// The status that a session responds with if the application drops the request without a response. It asks the
    /// peer to retry later, where the operation has such a status.
    const UNANSWERED: CommandStatus;

    /// Returns the `command_id` of the request.
    fn command(&self) -> CommandId;

    /// Returns how many messages a rate limit counts the request as: the number of destinations of a submit_multi, at least
    /// 1, where a distribution list counts as one; 1 for every other request.
    fn recipients(&self) -> u32 {
        1
    }

    /// Returns the request in a PDU, or `None` if the PDU is another one.
    fn view(pdu: Pdu<'_>) -> Option<Self::View<'_>>;
}

/// The body of a response.
pub trait ResponseBody: Emit + Copy + Default {
    /// Whether an error response has a body. If it has, the session sends the default value of the body.
    const BODY_ON_ERROR: bool;
}

/// Implements [`Operation`]: `Request = COMMAND, Response, status if unanswered, recipients;`.
macro_rules! operations {
    ($($name:ident = $command:ident, $response:ty, $unanswered:ident $(, $recipients:ident)?;)+) => {$(
        impl Operation for $name<'_> {
            type Response<'r> = $response;
            type View<'a> = $name<'a>;

            const UNANSWERED: CommandStatus = CommandStatus::$unanswered;

            fn command(&self) -> CommandId {
                CommandId::$command
            }

            $(fn recipients(&self) -> u32 {
                $recipients(self)
            })?

            fn view(pdu: Pdu<'_>) -> Option<$name<'_>> {
                if let Pdu::$name(body) = pdu { Some(body) } else { None }
            }
        }
    )+};
}

operations! {
    SubmitSm = SUBMIT_SM, SubmitSmResp<'r>, RSYSERR;
    SubmitMulti = SUBMIT_MULTI, SubmitMultiResp<'r>, RSYSERR, destinations;
    DeliverSm = DELIVER_SM, DeliverSmResp<'r>, RX_T_APPN;
    DataSm = DATA_SM, DataSmResp<'r>, RX_T_APPN;
    QuerySm = QUERY_SM, QuerySmResp<'r>, RQUERYFAIL;
    CancelSm = CANCEL_SM, NoBody, RCANCELFAIL;
    ReplaceSm = REPLACE_SM, NoBody, RREPLACEFAIL;
    BroadcastSm = BROADCAST_SM, BroadcastSmResp<'r>, RBCASTFAIL;
    QueryBroadcastSm = QUERY_BROADCAST_SM, QueryBroadcastSmResp<'r>, RBCASTQUERYFAIL;
    CancelBroadcastSm = CANCEL_BROADCAST_SM, NoBody, RBCASTCANCELFAIL;
}

fn destinations(message: &SubmitMulti<'_>) -> u32 {
    // A list has 254 items at most.
    message.destinations.len().max(1) as u32
}

/// A bind has one of three commands, depending on its mode.
impl Operation for Bind<'_> {
    type Response<'r> = BindResp<'r>;
    type View<'a> = Bind<'a>;

    const UNANSWERED: CommandStatus = CommandStatus::RBINDFAIL;

    fn command(&self) -> CommandId {
        self.mode.command()
    }

    fn view(pdu: Pdu<'_>) -> Option<Bind<'_>> {
        if let Pdu::Bind(body) = pdu { Some(body) } else { None }
    }
}

/// Implements [`Operation`] for requests without a body.
macro_rules! operations_without_body {
    ($($name:ident = $command:ident;)+) => {$(
        impl Operation for $name {
            type Response<'r> = NoBody;
            type View<'a> = Self;

            const UNANSWERED: CommandStatus = CommandStatus::RSYSERR;

            fn command(&self) -> CommandId {
                CommandId::$command
            }

            fn view(pdu: Pdu<'_>) -> Option<Self> {
                matches!(pdu, Pdu::$name).then_some(Self)
            }
        }
    )+};
}

operations_without_body! {
    EnquireLink = ENQUIRE_LINK;
    Unbind = UNBIND;
}

/// Implements [`ResponseBody`]: `Response = whether an error response has a body;`.
macro_rules! response_bodies {
    ($($name:ty = $body_on_error:literal;)+) => {$(
        impl ResponseBody for $name {
            const BODY_ON_ERROR: bool = $body_on_error;
        }
    )+};
}

response_bodies! {
    BindResp<'_> = false;
    SubmitSmResp<'_> = false;
    SubmitMultiResp<'_> = false;
    DeliverSmResp<'_> = true;
    DataSmResp<'_> = false;
    QuerySmResp<'_> = false;
    BroadcastSmResp<'_> = false;
    QueryBroadcastSmResp<'_> = false;
    NoBody = false;
}
