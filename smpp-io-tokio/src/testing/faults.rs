//! Faults that the test SMSC injects between itself and its client.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use smpp_core::simulator::Rng;
use smpp_core::{CommandId, Frame};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::ServerStream;

/// How long [`Faults::coalesce`] holds output back.
const COALESCE_DELAY: Duration = Duration::from_millis(50);

/// The longest extra delay of a response with [`Faults::reorder`], in milliseconds.
const MAX_REORDER_DELAY: u64 = 100;

/// Octets of output that are held back before they are written anyway.
const MAX_HELD: usize = 64 * 1024;

/// Faults that the SMSC injects; none by default.
///
/// `smpp_core::simulator::Rules::throttled_percent` refuses messages with `ESME_RTHROTTLED`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Each submit_sm_resp is sent so much later; 0 by default.
    pub response_delay: Duration,
    /// Each submit_sm_resp is delayed by a random time of up to 100 ms, so that responses arrive out of order.
    pub reorder: bool,
    /// Messages in a hundred that the SMSC accepts and never responds to.
    pub drop_percent: u8,
    /// Messages in a hundred that the SMSC accepts and responds to with a reset of the connection.
    pub reset_percent: u8,
    /// Output is held back for 50 ms, so that the client reads many PDUs at once.
    pub coalesce: bool,
    /// unbind gets no response, and the connection stays open.
    pub no_unbind_resp: bool,
}

impl Faults {
    /// Returns the delay of the next submit_sm_resp.
    pub(super) fn delay(&self, rng: &mut Rng) -> Duration {
        let reorder = if self.reorder { rng.below(MAX_REORDER_DELAY) } else { 0 };
        self.response_delay + Duration::from_millis(reorder)
    }
}

/// The faults of all connections. They may change at any time.
#[derive(Debug, Default)]
pub(super) struct FaultSwitch {
    /// Whether there is any fault: most SMSCs have none, and then read no more than this.
    any: AtomicBool,
    faults: Mutex<Faults>,
}

impl FaultSwitch {
    pub(super) fn new(faults: Faults) -> Self {
        let switch = Self::default();
        switch.set(faults);
        switch
    }

    pub(super) fn set(&self, faults: Faults) {
        let mut current = self.lock();
        *current = faults;
        self.any.store(faults != Faults::default(), Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Faults {
        if self.any.load(Ordering::Relaxed) { *self.lock() } else { Faults::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The transport of a session.
pub(super) trait Transport: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Transport for T {}

/// A connection with injected faults.
struct FaultyTransport {
    /// `None` once a task waits for the end of the connection.
    io: Option<ServerStream>,
    switch: Arc<FaultSwitch>,
    rng: Rng,
    /// Where the octets end that were written without faults.
    position: Position,
    /// Octets that the session wrote and that do not yet make a whole PDU.
    partial: Vec<u8>,
    /// PDUs that wait to be written.
    output: Vec<u8>,
    /// When the held output is written.
    timer: Option<Pin<Box<Sleep>>>,
    reset: bool,
    /// An unbind_resp was dropped.
    unbind_unanswered: bool,
}

/// Returns a transport that injects the faults of the switch.
pub(super) fn transport(io: ServerStream, switch: Arc<FaultSwitch>, rng: Rng) -> Box<dyn Transport> {
    Box::new(FaultyTransport {
        io: Some(io),
        switch,
        rng,
        position: Position::default(),
        partial: Vec::new(),
        output: Vec::new(),
        timer: None,
        reset: false,
        unbind_unanswered: false,
    })
}

/// A position in a stream of PDUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Position {
    /// Octets of the current PDU that follow; 0 if its length is not complete.
    left: usize,
    /// The first octets of the length of the current PDU.
    length: [u8; 4],
    known: usize,
}

impl Position {
    fn is_boundary(&self) -> bool {
        self.left == 0 && self.known == 0
    }

    /// Moves by these octets, but at most to the next boundary. Returns the number of octets.
    fn advance(&mut self, octets: &[u8]) -> usize {
        let mut moved = 0;
        while let (0, Some(octet)) = (self.left, octets.get(moved)) {
            let Some(place) = self.length.get_mut(self.known) else { return moved };
            *place = *octet;
            self.known += 1;
            moved += 1;
            if self.known == 4 {
                self.known = 0;
                self.left = (u32::from_be_bytes(self.length) as usize).saturating_sub(4);
                if self.left == 0 {
                    return moved;
                }
            }
        }
        let rest = self.left.min(octets.len() - moved);
        self.left -= rest;
        moved + rest
    }

    /// Moves by all of these octets.
    fn advance_all(&mut self, mut octets: &[u8]) {
        while !octets.is_empty() {
            let moved = self.advance(octets);
            octets = octets.get(moved..).unwrap_or_default();
        }
    }
}

impl FaultyTransport {
    fn io(&mut self) -> io::Result<&mut ServerStream> {
        self.io.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Moves the whole PDUs of what the session writes to the output, except those that a fault drops.
    fn filter(&mut self, octets: &[u8]) {
        let faults = self.switch.get();
        self.partial.extend_from_slice(octets);
        let mut rest = self.partial.as_slice();
        while let Some((pdu, after)) = first_pdu(rest) {
            let command = Frame::new(pdu).map(|frame| frame.header().command);
            let is_response = command == Some(CommandId::SUBMIT_SM_RESP);
            self.reset |= is_response && self.rng.percent(faults.reset_percent);
            let is_unbind_resp = faults.no_unbind_resp && command == Some(CommandId::UNBIND_RESP);
            self.unbind_unanswered |= is_unbind_resp;
            let dropped = is_response && self.rng.percent(faults.drop_percent);
            if !dropped && !is_unbind_resp && !self.reset {
                self.output.extend_from_slice(pdu);
            }
            rest = after;
        }
        let whole = self.partial.len() - rest.len();
        self.partial.drain(..whole);
    }

    /// Writes the output.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let io = self.io.as_mut().ok_or(io::ErrorKind::NotConnected)?;
            let written = ready!(Pin::new(io).poll_write(cx, &self.output))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.drain(..written);
        }
        self.timer = None;
        Pin::new(self.io()?).poll_flush(cx)
    }
}

/// Returns the first whole PDU and the octets after it.
fn first_pdu(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = u32::from_be_bytes(*octets.first_chunk()?);
    octets.split_at_checked(length as usize)
}

impl AsyncRead for FaultyTransport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(self.io()?).poll_read(cx, out)
    }
}

impl AsyncWrite for FaultyTransport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let is_empty = self.partial.is_empty() && self.output.is_empty();
        let faults = self.switch.get();
        if is_empty && (faults == Faults::default() || !self.position.is_boundary()) {
            // Faults that were switched on inside a PDU begin with the next one.
            let mut end = self.position;
            let length = if faults == Faults::default() { octets.len() } else { end.advance(octets) };
            let octets = octets.get(..length).unwrap_or(octets);
            let written = ready!(Pin::new(self.io()?).poll_write(cx, octets))?;
            self.position.advance_all(octets.get(..written).unwrap_or(octets));
            return Poll::Ready(Ok(written));
        }
        if self.output.len() >= MAX_HELD {
            ready!(self.poll_drain(cx))?;
        }
        self.filter(octets);
        if self.reset {
            // Without lingering, closing resets the connection and discards what is in flight.
            if let Some(tcp) = self.io()?.tcp() {
                tcp.set_zero_linger()?;
            }
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.switch.get().coalesce && !self.output.is_empty() && self.output.len() < MAX_HELD {
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(COALESCE_DELAY)));
            ready!(timer.as_mut().poll(cx));
        }
        self.poll_drain(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.reset {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_drain(cx))?;
        let unanswered = self.unbind_unanswered;
        if let Some(io) = self.io.take_if(|_| unanswered) {
            tokio::spawn(wait_for_end(io));
            return Poll::Ready(Ok(()));
        }
        Pin::new(self.io()?).poll_shutdown(cx)
    }
}

/// Keeps the connection open until the client closes it.
async fn wait_for_end(mut io: ServerStream) {
    let mut ignored = [0; 1024];
    while let Ok(1..) = io.read(&mut ignored).await {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_a_boundary_after_each_pdu_only() {
        let stream = [[0, 0, 0, 16].as_slice(), &[9; 12], &[0, 0, 0, 17], &[9; 13]].concat();
        for split in 0..=stream.len() {
            let mut position = Position::default();
            position.advance_all(&stream[..split]);
            assert_eq!(position.is_boundary(), [0, 16, 33].contains(&split), "{split}");
            let next = if split < 16 { 16 } else { 33 };
            assert_eq!(position.advance(&stream[split..]), next - split, "{split}");
        }
    }
}
