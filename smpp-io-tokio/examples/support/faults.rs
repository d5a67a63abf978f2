//! What goes wrong on purpose, between an SMSC and its client.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use smpp_core::simulator::Rng;
use smpp_core::{CommandId, Frame};
use smpp_io_tokio::ServerStream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How long output is held to leave together.
const HELD: Duration = Duration::from_millis(50);

/// The latest that an answer out of order comes.
const SHUFFLED: Duration = Duration::from_millis(100);

/// Octets that are held before no more are taken.
const HOLDS: usize = 64 * 1024;

/// What goes wrong: nothing, by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// Messages are answered so much later.
    pub(crate) slow: Duration,
    /// Messages are answered in another order than they came.
    pub(crate) reorder: bool,
    /// Messages in a hundred that are taken and never answered.
    pub(crate) drop: u8,
    /// Messages in a hundred that are taken, and the connection is reset instead of the answer.
    pub(crate) reset: u8,
    /// What is sent is held for a while, so that many PDUs come with one read.
    pub(crate) coalesce: bool,
    /// unbind is not answered, nor the connection closed.
    pub(crate) no_unbind_resp: bool,
}

impl Faults {
    /// How much later a message is answered.
    pub(crate) fn lateness(&self, dice: &mut Rng) -> Duration {
        let shuffled = if self.reorder { dice.below(SHUFFLED.as_millis() as u64) } else { 0 };
        self.slow + Duration::from_millis(shuffled)
    }
}

/// What a session runs over.
pub(crate) trait Line: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Line for T {}

/// A connection on which the faults happen.
struct Faulty {
    /// Until someone else waits for its end.
    io: Option<ServerStream>,
    faults: Faults,
    dice: Rng,
    /// The PDU that is being written.
    partial: Vec<u8>,
    /// What is to leave, and when the oldest of it does.
    output: Vec<u8>,
    timer: Option<Pin<Box<Sleep>>>,
    reset: bool,
    /// An unbind was not answered.
    silent: bool,
}

/// The connection, with the faults that there are.
pub(crate) fn line(io: ServerStream, faults: Faults, dice: Rng) -> Box<dyn Line> {
    if faults == Faults::default() {
        return Box::new(io);
    }
    let (io, partial, output, timer) = (Some(io), Vec::new(), Vec::new(), None);
    Box::new(Faulty { io, faults, dice, partial, output, timer, reset: false, silent: false })
}

impl Faulty {
    fn io(&mut self) -> io::Result<&mut ServerStream> {
        self.io.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Takes what the session writes, PDU after PDU.
    fn pass_on(&mut self, octets: &[u8]) {
        self.partial.extend_from_slice(octets);
        let mut rest = self.partial.as_slice();
        while let Some((pdu, behind)) = first_pdu(rest) {
            let command = Frame::new(pdu).map(|frame| frame.header().command);
            let answers = command == Some(CommandId::SUBMIT_SM_RESP);
            self.reset |= answers && self.dice.percent(self.faults.reset);
            let silent = self.faults.no_unbind_resp && command == Some(CommandId::UNBIND_RESP);
            self.silent |= silent;
            let dropped = answers && self.dice.percent(self.faults.drop);
            if !dropped && !silent && !self.reset {
                self.output.extend_from_slice(pdu);
            }
            rest = behind;
        }
        let taken = self.partial.len() - rest.len();
        self.partial.drain(..taken);
    }

    /// Writes what is to leave.
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

/// The first whole PDU, and what is behind it.
fn first_pdu(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = u32::from_be_bytes(*octets.first_chunk()?);
    octets.split_at_checked(length as usize)
}

impl AsyncRead for Faulty {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(self.io()?).poll_read(cx, out)
    }
}

impl AsyncWrite for Faulty {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        if self.output.len() >= HOLDS {
            ready!(self.poll_drain(cx))?;
        }
        self.pass_on(octets);
        if self.reset {
            // Closed like this it is reset, whatever was on its way.
            self.io()?.tcp().set_zero_linger()?;
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.faults.coalesce && !self.output.is_empty() && self.output.len() < HOLDS {
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(HELD)));
            ready!(timer.as_mut().poll(cx));
        }
        self.poll_drain(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.reset {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_drain(cx))?;
        let silent = self.silent;
        if let Some(io) = self.io.take_if(|_| silent) {
            tokio::spawn(wait_for_end(io));
            return Poll::Ready(Ok(()));
        }
        Pin::new(self.io()?).poll_shutdown(cx)
    }
}

/// Keeps the connection until the client has had enough of it.
async fn wait_for_end(mut io: ServerStream) {
    let mut ignored = [0; 1024];
    while let Ok(1..) = io.read(&mut ignored).await {}
}
