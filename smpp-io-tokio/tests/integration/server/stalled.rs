//! A connection whose output never leaves.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use smpp_proto::session::{Config, Smsc};
use smpp_proto::{Bind, CommandStatus};
use smpp_tokio::{
    Admission, BindRequest, BoundSession, Inbound, Listener, Server, ServerEvent, ServerStream, Service,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::{pause, timeout};

use crate::server::support::{TIMEOUT, begin, connect};

/// Refuses every bind, and sends the events to the test.
struct RefusesAll(mpsc::UnboundedSender<&'static str>);

impl Service for RefusesAll {
    async fn bind(&self, _: &BindRequest) -> Result<Admission, CommandStatus> {
        Err(CommandStatus::RINVPASWD)
    }

    async fn request(&self, _: &BoundSession, _: Inbound<Smsc>) {}

    fn event(&self, event: ServerEvent<'_>) {
        let _ = self.0.send(match event {
            ServerEvent::Connected { .. } => "connected",
            ServerEvent::BindRefused { .. } => "refused",
            _ => "other",
        });
    }

    fn transport(&self, stream: ServerStream) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
        StalledWrites(stream)
    }
}

struct StalledWrites(ServerStream);

impl AsyncRead for StalledWrites {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, out)
    }
}

impl AsyncWrite for StalledWrites {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_refused_bind_that_is_closed_emits_one_event() {
    let (sender, mut events) = mpsc::unbounded_channel();
    let listener = Listener::bind("127.0.0.1:0", Config::default()).await.unwrap();
    let server = Server::builder(RefusesAll(sender)).listen(listener).start().unwrap();
    let (client, _inbox) = connect(server.local_addrs()[0]).await;
    let bind = Bind::default();
    begin(&mut Box::pin(client.bind(&bind))).await;
    for expected in ["connected", "refused"] {
        assert_eq!(timeout(TIMEOUT, events.recv()).await.unwrap(), Some(expected));
    }
    // The response has not left. From here on only timers are waited for, so that the clock can be paused.
    pause();
    server.shutdown(Duration::ZERO).await;
    assert_eq!(
        timeout(TIMEOUT, events.recv()).await.unwrap(),
        None,
        "no further event, and the service is dropped"
    );
}
