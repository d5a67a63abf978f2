//! A peer that sends without a pause.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use smpp_proto::session::{Config, Smsc};
use smpp_proto::{Bind, CommandStatus, Frame, Pdu, SequenceNumber, SubmitSm};
use smpp_tokio::{Admission, BindRequest, BoundSession, Inbound, Listener, Server, ServerStream, Service};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::{coop, yield_now};
use tokio::time::timeout;

use crate::server::support::TIMEOUT;

/// The number of reads until the end of the input.
const READS: u32 = 20_000;

/// Responds to each message after one wait, and sends its sequence number to the test.
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
        Flood { _stream: stream, reads: 0, requests: 0, responses: 0 }
    }
}

/// Sends a bind, then messages, each after the response of the one before, and enquire_links without a pause meanwhile.
struct Flood {
    /// Held for its drop.
    _stream: ServerStream,
    reads: u32,
    requests: usize,
    responses: usize,
}

impl AsyncRead for Flood {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // As a socket does: the task has to yield now and then.
        ready!(pin!(coop::consume_budget()).poll(cx));
        self.reads += 1;
        if self.reads < READS {
            let pdu = match self.requests {
                requests if requests > self.responses => Pdu::EnquireLink,
                0 => Pdu::Bind(Bind::default()),
                _ => Pdu::SubmitSm(SubmitSm::default()),
            };
            self.requests += usize::from(pdu != Pdu::EnquireLink);
            out.put_slice(Frame::encode(&pdu, CommandStatus::ROK, SequenceNumber(self.reads)).octets());
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flood {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let is_response = |word: &&[u8]| matches!(word, [0x80, 0, 0, 4 | 9]);
        self.responses += octets.windows(4).filter(is_response).count();
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
async fn a_peer_that_sends_without_a_pause_gets_its_responses() {
    let (sender, mut numbers) = mpsc::unbounded_channel();
    let config = Config::default().max_unanswered(1);
    let listener = Listener::bind("127.0.0.1:0", config).await.unwrap();
    let server = Server::builder(Slow(sender)).listen(listener).start().unwrap();
    let _stream = TcpStream::connect(server.local_addrs()[0]).await.unwrap();
    for _ in 0..10 {
        let number = timeout(TIMEOUT, numbers.recv()).await.expect("no message before the end of the input");
        assert!(number.is_some_and(|number| number.0 < READS));
    }
}
