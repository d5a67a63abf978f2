//! TLS over a transport that fails between two writes: a request that has reached the peer is never reported as never sent.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use smpp_proto::session::{Config, Esme};
use smpp_proto::{Bind, CommandId, CommandStatus, Frame, Pdu, ShortMessage, SubmitSm};
use smpp_tokio::start;
use smpp_tokio::testing::Certificate;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::task::JoinSet;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Accepts `left` more writes, then fails. `usize::MAX` means no limit.
struct FailingTransport {
    io: DuplexStream,
    left: Arc<AtomicUsize>,
}

impl AsyncRead for FailingTransport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, out)
    }
}

impl AsyncWrite for FailingTransport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self.left.load(Ordering::SeqCst) {
            0 => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            usize::MAX => {}
            left => self.left.store(left - 1, Ordering::SeqCst),
        }
        Pin::new(&mut self.io).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

async fn read_pdu(stream: &mut (impl AsyncRead + Unpin)) -> Option<Frame<Vec<u8>>> {
    let mut octets = vec![0; 4];
    stream.read_exact(&mut octets).await.ok()?;
    let length = u32::from_be_bytes(octets[..4].try_into().unwrap()) as usize;
    octets.resize(length, 0);
    stream.read_exact(&mut octets[4..]).await.ok()?;
    Frame::new(octets)
}

#[tokio::test]
async fn requests_in_a_written_record_are_not_reported_as_never_sent() {
    let certificate = Certificate::for_localhost().unwrap();
    let server = TlsAcceptor::from(certificate.server_tls().config());
    let (near, far) = duplex(1 << 20);
    let peer = crate::spawn(async move {
        let mut stream = server.accept(far).await.unwrap();
        let bind = read_pdu(&mut stream).await.unwrap();
        let response = Pdu::BindResp(Bind::default().mode, None);
        let response = Frame::encode(&response, CommandStatus::ROK, bind.header().sequence);
        stream.write_all(response.octets()).await.unwrap();
        stream.flush().await.unwrap();
        let mut reached = 0;
        while let Some(pdu) = read_pdu(&mut stream).await {
            reached += usize::from(pdu.header().command == CommandId::SUBMIT_SM);
        }
        reached
    });

    let left = Arc::new(AtomicUsize::new(usize::MAX));
    let connector = TlsConnector::from(certificate.client_tls().config().unwrap());
    let transport = FailingTransport { io: near, left: Arc::clone(&left) };
    let stream = connector.connect("localhost".try_into().unwrap(), transport).await.unwrap();
    let (client, _inbox) = start::<Esme, _>(stream, Config::default().window(400));
    client.bind(&Bind::default()).await.unwrap();
    // 300 messages take many TLS records. The transport accepts one of them and fails.
    left.store(1, Ordering::SeqCst);
    let mut submits = JoinSet::new();
    for _ in 0..300 {
        let client = client.clone();
        submits.spawn(async move {
            let short_message = ShortMessage::new(&[b'x'; 200]).unwrap();
            client.submit(&SubmitSm { short_message, ..SubmitSm::default() }).await
        });
    }
    let (mut never_sent, mut unknown) = (0, 0);
    while let Some(outcome) = submits.join_next().await {
        match outcome.unwrap() {
            Err(error) if error.is_safe_to_resend() => never_sent += 1,
            _ => unknown += 1,
        }
    }
    let reached = peer.await.unwrap();
    assert!(reached > 0 && never_sent > 0, "the transport fails in the middle: {reached} reached the peer");
    assert!(unknown >= reached, "{reached} reached the peer, {never_sent} are reported as never sent");
}
