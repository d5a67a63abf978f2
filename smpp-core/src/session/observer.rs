//! Observability of PDUs: logs, captures, and your own metrics.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use core::fmt;

use super::password::{has_password, mask_password};
use super::rejected::RejectedPdu;
use crate::frame::{Frame, Header};
use crate::time::Instant;

/// Sees every PDU of a session, when the session reads it and when it encodes it. Use it for logging, captures and
/// metrics.
///
/// The observer sees a received PDU before the session acts on it, even if it is malformed. An encoded PDU may still wait
/// for the transport when the session ends. Octets that break the framing are no PDU: only [`rejected`](Self::rejected)
/// shows them. The observer `()` costs nothing.
///
/// ```
/// use smpp_proto::session::{Config, Direction, Esme, Instant, ObservedPdu, Observer, Session};
/// use smpp_proto::{Bind, Password};
///
/// #[derive(Default)]
/// struct Log(Vec<String>);
///
/// impl Observer for Log {
///     fn observe(&mut self, at: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
///         self.0.push(format!("{:?} {direction:?} {pdu}", at - Instant::ZERO));
///     }
/// }
///
/// let now = Instant::ZERO;
/// let mut session = Session::<Esme, (), Log>::with_observer(Config::default(), now, Log::default());
/// let bind = Bind { password: Password::new(b"secret08")?, ..Bind::default() };
/// session.request(now, &bind, ()).expect("an open session accepts a bind");
/// assert_eq!(session.observer().0, ["0ns Out bind_transceiver 1, 31 octets"]);
/// # Ok::<(), smpp_proto::InvalidOctets>(())
/// ```
pub trait Observer {
    /// Called for each PDU that the session reads or encodes, at the time `at`.
    fn observe(&mut self, at: Instant, direction: Direction, pdu: ObservedPdu<'_>);

    /// Called for each PDU of the peer that the session rejects by itself, at the time `at`: malformed, refused because of
    /// the session's state or a limit, or a response to no request. [`observe`](Self::observe) was called for it before,
    /// except for octets that break the framing. The default does nothing.
    ///
    /// ```
    /// use smpp_proto::session::{
    ///     Config, Direction, Instant, ObservedPdu, Observer, RejectedPdu, RejectedPduReason, Session, Smsc,
    /// };
    /// use smpp_proto::{CommandStatus, Frame, Pdu, SequenceNumber, SubmitSm};
    ///
    /// #[derive(Default)]
    /// struct Rejections(Vec<String>);
    ///
    /// impl Observer for Rejections {
    ///     fn observe(&mut self, _: Instant, _: Direction, _: ObservedPdu<'_>) {}
    ///
    ///     fn rejected(&mut self, _: Instant, pdu: RejectedPdu<'_>) {
    ///         match pdu.reason() {
    ///             RejectedPduReason::Malformed(_) => self.0.push(format!("{pdu} {:02x?}", pdu.octets())),
    ///             _ => self.0.push(pdu.to_string()),
    ///         }
    ///     }
    /// }
    ///
    /// let now = Instant::ZERO;
    /// let mut smsc = Session::<Smsc, (), _>::with_observer(Config::default(), now, Rejections::default());
    /// let early: Frame<Vec<u8>> =
    ///     Frame::encode(&Pdu::SubmitSm(SubmitSm::default()), CommandStatus::ROK, SequenceNumber(1));
    /// smsc.handle_input(now, &mut early.octets());
    /// let rejection = "submit_sm 1, 33 octets: refused with \
    ///                  ESME_RINVBNDSTS (0x00000004): operation not allowed in this session state";
    /// assert_eq!(smsc.observer().0, [rejection]);
    /// assert_eq!(smsc.stats().refused, 1);
    /// ```
    fn rejected(&mut self, at: Instant, pdu: RejectedPdu<'_>) {
        let _ = (at, pdu);
    }
}

/// Observes nothing.
impl Observer for () {
    #[inline(always)]
    fn observe(&mut self, _: Instant, _: Direction, _: ObservedPdu<'_>) {}
}

/// Observes if there is an observer.
impl<O: Observer> Observer for Option<O> {
    #[inline]
    fn observe(&mut self, at: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        if let Some(observer) = self {
            observer.observe(at, direction, pdu);
        }
    }

    fn rejected(&mut self, at: Instant, pdu: RejectedPdu<'_>) {
        if let Some(observer) = self {
            observer.rejected(at, pdu);
        }
    }
}

/// Calls both observers, one after the other.
impl<A: Observer, B: Observer> Observer for (A, B) {
    #[inline]
    fn observe(&mut self, at: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        self.0.observe(at, direction, pdu);
        self.1.observe(at, direction, pdu);
    }

    fn rejected(&mut self, at: Instant, pdu: RejectedPdu<'_>) {
        self.0.rejected(at, pdu);
        self.1.rejected(at, pdu);
    }
}

impl<O: Observer + ?Sized> Observer for Box<O> {
    #[inline]
    fn observe(&mut self, at: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        (**self).observe(at, direction, pdu);
    }

    fn rejected(&mut self, at: Instant, pdu: RejectedPdu<'_>) {
        (**self).rejected(at, pdu);
    }
}

/// The direction of a PDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the peer.
    In,
    /// To the peer.
    Out,
}

/// A PDU as an [`Observer`] sees it. It never shows the password.
#[derive(Clone, Copy)]
pub struct ObservedPdu<'a>(pub(super) Frame<&'a [u8]>);

impl<'a> ObservedPdu<'a> {
    /// Returns the header.
    pub fn header(&self) -> Header {
        self.0.header()
    }

    /// Returns all octets of the PDU, header included. Each octet of the password in a bind or an outbind is replaced by an
    /// asterisk.
    pub fn octets(&self) -> Cow<'a, [u8]> {
        let octets: &'a [u8] = self.0.into_inner();
        if has_password(self.header().command) {
            Cow::Owned(mask_password(octets))
        } else {
            Cow::Borrowed(octets)
        }
    }
}

/// One line: `submit_sm_resp 7 ESME_ROK, 53 octets`. Requests show no status.
impl fmt::Display for ObservedPdu<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Header { length, command, status, sequence } = self.header();
        write!(f, "{command} {}", sequence.0)?;
        if command.is_response() {
            match status.name() {
                Some(name) => write!(f, " {name}")?,
                None => write!(f, " {:#010x}", status.0)?,
            }
        }
        write!(f, ", {length} octets")
    }
}

/// The same as `Display`: it shows nothing of the body.
impl fmt::Debug for ObservedPdu<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
