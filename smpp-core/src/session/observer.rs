//! Who looks on: logs, captures, metrics of one's own.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use core::fmt;

use crate::frame::{Frame, HEADER_LENGTH, Header};
use crate::pdu::CommandId;
use crate::time::Instant;

/// Is shown every PDU of a session: each as it is read, and as it is encoded.
///
/// A PDU that is read is shown before the session acts on it, also when it is malformed; one that is encoded may
/// still be waiting for the transport when the session ends. What breaks the framing is no PDU and is not shown.
/// The observer `()` sees nothing and costs nothing.
///
/// ```
/// use smpp_core::session::{Config, Direction, Esme, Instant, ObservedPdu, Observer, Session};
/// use smpp_core::{Bind, Password};
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
/// session.request(now, &bind, ()).expect("nothing is in the way of a first bind");
/// assert_eq!(session.observer().0, ["0ns Out bind_transceiver 1, 31 octets"]);
/// # Ok::<(), smpp_core::InvalidOctets>(())
/// ```
pub trait Observer {
    /// A PDU was read or encoded.
    fn observe(&mut self, at: Instant, direction: Direction, pdu: ObservedPdu<'_>);
}

/// Nobody looks on.
impl Observer for () {
    #[inline(always)]
    fn observe(&mut self, _: Instant, _: Direction, _: ObservedPdu<'_>) {}
}

/// Somebody looks on, or nobody.
impl<O: Observer> Observer for Option<O> {
    #[inline]
    fn observe(&mut self, at: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        if let Some(observer) = self {
            observer.observe(at, direction, pdu);
        }
    }
}

/// Two look on, one after the other.
impl<A: Observer, B: Observer> Observer for (A, B) {
    #[inline]
    fn observe(&mut self, at: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        self.0.observe(at, direction, pdu);
        self.1.observe(at, direction, pdu);
    }
}

impl<O: Observer + ?Sized> Observer for Box<O> {
    #[inline]
    fn observe(&mut self, at: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        (**self).observe(at, direction, pdu);
    }
}

/// Which way a PDU goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the peer.
    In,
    /// To the peer.
    Out,
}

/// A PDU as an [`Observer`] sees it: without the password.
#[derive(Clone, Copy)]
pub struct ObservedPdu<'a>(pub(super) Frame<&'a [u8]>);

impl<'a> ObservedPdu<'a> {
    /// The header.
    pub fn header(&self) -> Header {
        self.0.header()
    }

    /// All octets, the header's included; the password of a bind or an outbind is as many asterisks.
    pub fn octets(&self) -> Cow<'a, [u8]> {
        let octets: &'a [u8] = self.0.into_inner();
        let command = self.header().command;
        let is_secret = command == CommandId::OUTBIND || (command.is_bind() && !command.is_response());
        if is_secret { Cow::Owned(without_password(octets)) } else { Cow::Borrowed(octets) }
    }
}

/// What stands behind the first string of the body, the system_id, up to the next NUL is the password. A body
/// without a NUL may be anything.
fn without_password(octets: &[u8]) -> alloc::vec::Vec<u8> {
    let mut octets = octets.to_vec();
    let body = octets.get_mut(HEADER_LENGTH..).unwrap_or_default();
    let password = body.iter().position(|octet| *octet == 0).map_or(0, |nul| nul + 1);
    for octet in body.iter_mut().skip(password).take_while(|octet| **octet != 0) {
        *octet = b'*';
    }
    octets
}

/// One line: `submit_sm_resp 7 ESME_ROK, 53 octets`; the status in responses alone.
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

/// As its `Display`: nothing of the body.
impl fmt::Debug for ObservedPdu<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
