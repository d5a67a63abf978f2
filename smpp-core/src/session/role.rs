//! The two sides of a session.

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

/// The side that binds: an external short message entity.
#[derive(Clone, Copy, Debug)]
pub enum Esme {}

/// The side that is bound to: a short message service centre.
#[derive(Clone, Copy, Debug)]
pub enum Smsc {}

/// One of the two sides: [`Esme`] or [`Smsc`].
pub trait Role: sealed::Sealed + Send + Sync + 'static {
    /// Which of the two it is, as a value.
    const SIDE: Side;
}

/// One of the two sides, as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The side that binds.
    Esme,
    /// The side that is bound to.
    Smsc,
}

impl Side {
    /// The other one.
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

/// Which requests a side may send: sending another's does not compile.
///
/// ```compile_fail,E0277
/// use smpp_core::session::{Config, Instant, Session, Smsc};
/// let mut smsc = Session::<Smsc, ()>::new(Config::default(), Instant::ZERO);
/// smsc.request(Instant::ZERO, &smpp_core::SubmitSm::default(), ());
/// ```
#[diagnostic::on_unimplemented(message = "the {R} side does not send `{Self}`")]
pub trait SentBy<R: Role>: Operation {}

/// What an SMSC tells and nobody answers: [`notify`](super::Session::notify).
///
/// ```compile_fail,E0599
/// use smpp_core::session::{Config, Esme, Instant, Session};
/// let mut esme = Session::<Esme, ()>::new(Config::default(), Instant::ZERO);
/// esme.notify(Instant::ZERO, &smpp_core::Outbind::default());
/// ```
pub trait Notification: Emit + sealed::Sealed {
    /// Its `command_id`.
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
