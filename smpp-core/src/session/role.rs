//! The two roles of a session, and which requests each sends.

use crate::pdu::{
    AlertNotification, Bind, BroadcastSm, CancelBroadcastSm, CancelSm, CommandId, DataSm, DeliverSm,
    EnquireLink, Operation, Outbind, QueryBroadcastSm, QuerySm, ReplaceSm, SubmitMulti, SubmitSm,
};
use crate::wire::Emit;

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Esme {}
    impl Sealed for super::Smsc {}
    impl Sealed for super::Outbind<'_> {}
    impl Sealed for super::AlertNotification<'_> {}
}

/// The role that binds: an external short message entity (ESME), the client.
#[derive(Clone, Copy, Debug)]
pub enum Esme {}

/// The role that accepts binds: a short message service centre (SMSC), the server.
#[derive(Clone, Copy, Debug)]
pub enum Smsc {}

/// The role of a session as a type: [`Esme`] or [`Smsc`].
pub trait Role: sealed::Sealed + Send + Sync + 'static {
    /// The role as a value.
    const SIDE: Side;
}

/// The role of a session as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client, which binds.
    Esme,
    /// The server, which accepts binds.
    Smsc,
}

impl Side {
    /// Returns the other side.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Esme => Self::Smsc,
            Self::Smsc => Self::Esme,
        }
    }
}

impl Role for Esme {
    const SIDE: Side = Side::Esme;
}

impl Role for Smsc {
    const SIDE: Side = Side::Smsc;
}

/// Implemented for each request that the role `R` may send. Sending a request of the other role does not compile.
///
/// ```compile_fail,E0277
/// use smpp_proto::session::{Config, Instant, Session, Smsc};
/// let mut smsc = Session::<Smsc, ()>::new(Config::default(), Instant::ZERO);
/// smsc.request(Instant::ZERO, &smpp_proto::SubmitSm::default(), ());
/// ```
#[diagnostic::on_unimplemented(message = "the {R} side does not send `{Self}`")]
pub trait SentBy<R: Role>: Operation {}

/// A PDU of the SMSC that has no response. Send it with [`notify`](super::Session::notify).
///
/// ```compile_fail,E0599
/// use smpp_proto::session::{Config, Esme, Instant, Session};
/// let mut esme = Session::<Esme, ()>::new(Config::default(), Instant::ZERO);
/// esme.notify(Instant::ZERO, &smpp_proto::Outbind::default());
/// ```
pub trait Notification: Emit + sealed::Sealed {
    /// The `command_id` of the PDU.
    const COMMAND: CommandId;
}

impl Notification for Outbind<'_> {
    const COMMAND: CommandId = CommandId::OUTBIND;
}

impl Notification for AlertNotification<'_> {
    const COMMAND: CommandId = CommandId::ALERT_NOTIFICATION;
}

impl SentBy<Esme> for Bind<'_> {}
impl SentBy<Esme> for SubmitSm<'_> {}
impl SentBy<Esme> for SubmitMulti<'_> {}
impl SentBy<Esme> for QuerySm<'_> {}
impl SentBy<Esme> for CancelSm<'_> {}
impl SentBy<Esme> for ReplaceSm<'_> {}
impl SentBy<Esme> for BroadcastSm<'_> {}
impl SentBy<Esme> for QueryBroadcastSm<'_> {}
impl SentBy<Esme> for CancelBroadcastSm<'_> {}
impl SentBy<Smsc> for DeliverSm<'_> {}
impl<R: Role> SentBy<R> for DataSm<'_> {}
impl<R: Role> SentBy<R> for EnquireLink {}
