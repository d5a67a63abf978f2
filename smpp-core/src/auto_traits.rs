//! Which types may be sent to and shared between threads: a change that takes this away does not compile. Not in unit tests, which count
//! look-ups in a `Cell` of the accounts and servers.

use crate::account;
use crate::provider::{Provider, ReceiptDialect, StatusTable};
use crate::server;
use crate::session::{self, Esme, Session, Smsc};
use crate::simulator;
use crate::sms;
use crate::{Bind, BufferTooSmall, Endpoint, EndpointError, Frame, FramingError, Pdu, SubmitSm, Tlvs};

const fn send_and_sync<T: Send + Sync>() {}

macro_rules! send_and_sync {
    ($($type:ty),* $(,)?) => {
        const _: () = { $(send_and_sync::<$type>();)* };
    };
}

send_and_sync![
    Session<Esme, u64>,
    Session<Smsc, u64>,
    session::Config,
    session::Event<'static, u64>,
    session::Request<'static>,
    session::Outcome<'static>,
    session::Response,
    session::ResponseBuf,
    session::RefusedResponse,
    session::RequestError,
    session::Refused<u64>,
    session::Refusal,
    session::CloseReason,
    session::Stats,
    session::ObservedPdu<'static>,
    session::RejectedPdu<'static>,
    session::RateLimiter,
    session::RateMeter,
    session::Histogram,
];

send_and_sync![
    account::Account,
    account::EventRouter<core::task::Waker>,
    account::AccountEvent,
    account::RoutedEvent,
    account::Action,
    account::Event,
    account::Options,
    account::Binds,
    account::Credentials,
    account::Message,
    account::MessageRequest,
    account::MessageRequestError,
    account::MessageOutcome,
    account::SegmentOutcome,
    account::InboundMessage,
    account::DeliveryReceipt,
    account::Expected,
    account::Unresolved,
    account::Ack,
    account::AckError,
    account::SendError,
    account::SubmitError,
    account::OptionsError,
    account::ExpectError,
    account::NoMoreReceipts,
    account::AccountStats,
];

send_and_sync![
    server::Server<u64>,
    server::Registry,
    server::Options,
    server::Event,
    server::Action,
    server::Delivery,
    server::DeliveryOutcome,
    server::DeliverError,
    server::RejectReason,
    server::NotBoundReason,
    server::BindRefusal,
    server::ServerStats,
    simulator::Simulator,
    simulator::Rules,
    simulator::Faults,
    simulator::Dialect,
    simulator::Log,
    simulator::Answer,
    simulator::When,
    simulator::DeliverError,
    simulator::NotLogged,
];

send_and_sync![
    Endpoint,
    EndpointError,
    Provider,
    ReceiptDialect,
    StatusTable,
    Frame<alloc::vec::Vec<u8>>,
    FramingError,
    BufferTooSmall,
    Pdu<'static>,
    Bind<'static>,
    SubmitSm<'static>,
    Tlvs<'static>,
    sms::Text<'static>,
    sms::Segments<'static>,
    sms::Segment,
    sms::Reassembler<u64>,
    sms::ReassembledMessage<u64>,
    sms::PushError<u64>,
    sms::Receipt<'static>,
    sms::ReceiptParser,
    sms::TextError,
    sms::SegmentError,
    sms::udh::UserDataHeaderBuf,
    sms::time::TimeError,
];
