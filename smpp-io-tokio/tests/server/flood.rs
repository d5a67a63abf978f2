//! A peer that never pauses.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use smpp_core::session::{Config, Smsc};
use smpp_core::{Bind, CommandStatus, Frame, Pdu, SequenceNumber, SubmitSm};
use smpp_io_tokio::{Admission, BindRequest, BoundSession, Inbound, Listener, Server, ServerStream, Service};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::{coop, yield_now};
use tokio::time::timeout;

use crate::support::PATIENCE;

/// Reads until the peer is at its end.
const READS: u32 = 20_000;

/// Answers each message a little later, and shows the test its number.
struct Slow(mpsc::UnboundedSender<SequenceNumber>);

impl Service for Slow {
    async fn bind(&self, _: &BindRequest) -> Result<Admission, CommandStatus> {
        Ok(Admission::default())
    }

    async fn request(&self, _: &BoundSession, request: Inbound<Smsc>) {
        yield_now().await;
        if let Inbound::SubmitSm(message) = request {
            let _ = self.0.send(message.frame().header().sequence);
            let _ = message.accept();
        }
    }

    fn transport(&self, stream: ServerStream) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
        Flood { _stream: stream, reads: 0, asked: 0, answers: 0 }
    }
}

/// A bind and messages, each once the one before has been answered; enquire_link without a pause meanwhile.
struct Flood {
    /// Held for its drop.
    _stream: ServerStream,
    reads: u32,
    asked: usize,
    answers: usize,
}

impl AsyncRead for Flood {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // As a socket does.
        ready!(pin!(coop::consume_budget()).poll(cx));
        self.reads += 1;
        if self.reads < READS {
            let pdu = match self.asked {
                asked if asked > self.answers => Pdu::EnquireLink,
                0 => Pdu::Bind(Bind::default()),
                _ => Pdu::SubmitSm(SubmitSm::default()),
            };
            self.asked += usize::from(pdu != Pdu::EnquireLink);
            out.put_slice(Frame::encode(&pdu, CommandStatus::ROK, SequenceNumber(self.reads)).octets());
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flood {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let is_answer = |it: &&[u8]| matches!(it, [0x80, 0, 0, 4 | 9]);
        self.answers += octets.windows(4).filter(is_answer).count();
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_peer_that_never_pauses_is_answered() {
    let (shown, mut numbers) = mpsc::unbounded_channel();
    let config = Config { max_unanswered: 1, ..Config::default() };
    let listener = Listener::bind("127.0.0.1:0", config).await.unwrap();
    let server = Server::builder(Slow(shown)).listen(listener).start().unwrap();
    let _stream = TcpStream::connect(server.local_addrs()[0]).await.unwrap();
    for _ in 0..10 {
        let number = timeout(PATIENCE, numbers.recv()).await.expect("not heard until it ended");
        assert!(number.is_some_and(|number| number.0 < READS));
    }
}
