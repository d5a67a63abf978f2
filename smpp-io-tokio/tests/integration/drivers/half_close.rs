//! A peer that writes requests, closes its side of the connection, and reads the responses.

use std::time::Duration;

use smpp_proto::CommandStatus;
use smpp_proto::session::{CloseReason, Config, Smsc};
use smpp_tokio::{Admission, BindRequest, BoundSession, Client, Inbound, Listener, Server, Service, start};
use tokio::io::{AsyncWriteExt, duplex};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::drivers::peer::{SUBMIT_SM, accepted, bind, messages, read};

/// Accepts each message, or waits until the test drops the sender.
struct Accepting(Option<watch::Receiver<()>>);

impl Service for Accepting {
    async fn bind(&self, _: &BindRequest) -> Result<Admission, CommandStatus> {
        Ok(Admission::default())
    }

    async fn request(&self, _: &BoundSession, request: Inbound<Smsc>) {
        if let Some(mut released) = self.0.clone() {
            while released.changed().await.is_ok() {}
        }
        if let Inbound::SubmitSm(message) = request {
            let _ = message.accept();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_answers_all_requests_of_a_client_that_has_closed_its_side() {
    for waits in [false, true] {
        for _ in 0..10 {
            let (release, released) = watch::channel(());
            let service = Accepting(waits.then_some(released));
            let listener = Listener::bind("127.0.0.1:0", Config::default()).await.unwrap();
            let server = Server::builder(service).listen(listener).start().unwrap();
            let address = server.local_addrs()[0];
            let mut closed = JoinSet::new();
            for _ in 0..10 {
                closed.spawn(async move {
                    let mut io = TcpStream::connect(address).await.unwrap();
                    bind(&mut io).await;
                    io.write_all(&messages(SUBMIT_SM, 5)).await.unwrap();
                    io.shutdown().await.unwrap();
                    io
                });
            }
            let closed = closed.join_all().await;
            // Each server session has the requests and, mostly, the end of the stream.
            while waits && server.binds().list().iter().any(|bound| bound.stats().unanswered < 5) {
                tokio::task::yield_now().await;
            }
            drop(release);
            for mut io in closed {
                assert_eq!(accepted(&mut io, 5).await, 5, "waits: {waits}");
                assert_eq!(read(&mut io).await, None, "waits: {waits}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_inbox_answers_all_requests_of_a_client_that_has_closed_its_side() {
    // More requests than may wait for the application: the end of the stream is behind unread input.
    for count in [5, 600] {
        for _ in 0..30 {
            let (near, mut far) = duplex(1 << 16);
            let (peer, mut inbox) = start::<Smsc, _>(near, Config::default());
            crate::spawn(async move {
                while let Some(inbound) = inbox.recv().await {
                    match inbound {
                        Inbound::Bind(bind) => bind.accept().unwrap(),
                        Inbound::SubmitSm(message) => {
                            tokio::task::yield_now().await;
                            message.accept().unwrap();
                        }
                        other => panic!("{other:?}"),
                    }
                }
            });
            bind(&mut far).await;
            far.write_all(&messages(SUBMIT_SM, count)).await.unwrap();
            far.shutdown().await.unwrap();
            assert_eq!(accepted(&mut far, count as usize).await, count as usize);
            assert_eq!(read(&mut far).await, None);
            let end = peer.closed().await;
            assert_eq!((end.reason, end.error.is_none()), (CloseReason::Disconnected, true));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_half_closed_session_ends_after_drain_timeout() {
    let (near, mut far) = duplex(1 << 16);
    let (peer, mut inbox) = start::<Smsc, _>(near, Config::default());
    let binding = tokio::join!(bind(&mut far), async {
        let Some(Inbound::Bind(bind)) = inbox.recv().await else { panic!() };
        bind.accept().unwrap();
    });
    let ((), ()) = binding;
    far.write_all(&messages(SUBMIT_SM, 1)).await.unwrap();
    far.shutdown().await.unwrap();
    let _unanswered = inbox.recv().await;
    let start = Instant::now();
    peer.closed().await;
    assert_eq!(start.elapsed().as_millis(), Config::default().drain_timeout.as_millis());
}

#[tokio::test(start_paused = true)]
async fn a_session_without_outstanding_responses_ends_with_the_stream() {
    let (near, far) = duplex(1 << 16);
    let (client, _inbox): (Client, _) = start(near, Config::default());
    drop(far);
    let start = Instant::now();
    assert_eq!(client.closed().await.reason, CloseReason::Disconnected);
    assert_eq!(start.elapsed(), Duration::ZERO);
}
