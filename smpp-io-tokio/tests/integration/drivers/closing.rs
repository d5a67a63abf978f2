//! The drivers wait for the transport to close, for example for the close_notify of TLS to leave, but only for two seconds.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::Duration;

use smpp_proto::account::{Credentials, Options};
use smpp_proto::provider::Provider;
use smpp_proto::session::{Config, Esme};
use smpp_tokio::account::AccountConnector;
use smpp_tokio::start;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep, timeout};

use crate::drivers::peer::{RESPONSE, pdu, read};

/// A transport that takes its time to close: it wakes its task every half second, and completes after `wakes` of these.
struct Closing {
    io: DuplexStream,
    wakes: usize,
    next: Pin<Box<Sleep>>,
    begun: bool,
    /// Notified when the transport is dropped.
    _dropped: oneshot::Sender<()>,
}

const STEP: Duration = Duration::from_millis(500);

impl AsyncRead for Closing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        assert!(!self.begun, "a transport that is being closed is not read");
        Pin::new(&mut self.io).poll_read(cx, out)
    }
}

impl AsyncWrite for Closing {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !std::mem::replace(&mut this.begun, true) {
            this.next.as_mut().reset(Instant::now() + STEP);
        }
        while this.wakes > 0 {
            if this.next.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            this.next.as_mut().reset(Instant::now() + STEP);
            this.wakes -= 1;
        }
        Pin::new(&mut this.io).poll_shutdown(cx)
    }
}

fn closing(wakes: usize) -> (Closing, DuplexStream, oneshot::Receiver<()>) {
    let (io, far) = duplex(1 << 16);
    let (sender, dropped) = oneshot::channel();
    let next = Box::pin(sleep(Duration::ZERO));
    (Closing { io, wakes, next, begun: false, _dropped: sender }, far, dropped)
}

/// How often the transport wakes its task before it is closed, and after how much time the driver has dropped it.
const CASES: [(usize, Duration); 4] =
    [(0, Duration::ZERO), (1, STEP), (3, Duration::from_millis(1500)), (usize::MAX, Duration::from_secs(2))];

#[tokio::test(start_paused = true)]
async fn a_session_waits_two_seconds_for_its_transport_to_close() {
    for (wakes, expected) in CASES {
        let (transport, _far, dropped) = closing(wakes);
        let (client, _inbox) = start::<Esme, _>(transport, Config::default());
        // The driver has a timer by then, which is not that of the end.
        sleep(Duration::from_secs(7)).await;
        client.abort().await;
        let began = Instant::now();
        assert!(timeout(Duration::from_secs(60), dropped).await.expect("not dropped").is_err());
        assert_eq!(began.elapsed(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_waits_two_seconds_for_its_transport_to_close() {
    for (wakes, expected) in CASES {
        let (transport, mut far, dropped) = closing(wakes);
        let transport = Mutex::new(Some(transport));
        let options = Options::new(Credentials::new("shop", "secret"), &Provider::UNSTATED);
        let connector =
            AccountConnector::new(&"smpp://192.0.2.1".parse().unwrap(), options).dial(move |_| {
                let transport = transport.lock().unwrap().take();
                async move { transport.ok_or_else(|| io::ErrorKind::ConnectionRefused.into()) }
            });
        let peer = async {
            let bind = read(&mut far).await.unwrap();
            far.write_all(&pdu(bind.command | RESPONSE, bind.sequence, b"\0")).await.unwrap();
        };
        let (bound, ()) = tokio::join!(connector.connect(), peer);
        let _bound = bound.unwrap();
        sleep(Duration::from_secs(7)).await;
        drop(far);
        let began = Instant::now();
        assert!(timeout(Duration::from_secs(60), dropped).await.expect("not dropped").is_err());
        assert_eq!(began.elapsed(), expected);
    }
}
