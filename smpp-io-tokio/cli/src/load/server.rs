//! The SMSC that is measured against: it takes everything.

use std::net::SocketAddr;
use std::time::Duration;

use smpp_core::session::{Config, Kind, Request};
use smpp_core::{COctets, SubmitSmResp};
use smpp_io_tokio::{AcceptError, BindRequest, Inbound, Listener};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Stop;
use super::report::cpu_time;

/// Listens.
pub(crate) async fn listen(address: &str) -> Result<Listener, Stop> {
    let config = Config { max_unanswered: 1000, ..Config::default() };
    let listener = Listener::bind(address, config).await;
    listener.map_err(|error| Stop::failed(format!("cannot listen on {address}: {error}")))
}

/// Where it listens.
pub(crate) fn address(listener: &Listener) -> Result<SocketAddr, Stop> {
    listener.local_addr().map_err(|error| Stop::failed(error.to_string()))
}

/// Serves until so many sessions have ended, or for ever.
pub(crate) async fn serve(listener: Listener, sessions: Option<usize>, queued: bool) {
    let mut tasks = JoinSet::new();
    let mut ended = 0;
    while sessions.is_none_or(|sessions| ended < sessions) {
        tokio::select! {
            connecting = listener.accept() => match connecting {
                Ok(connecting) => drop(tasks.spawn(session(Box::pin(connecting.bind_request()), queued))),
                // Short of something, file descriptors perhaps: sessions that end make room.
                Err(_) => sleep(Duration::from_millis(100)).await,
            },
            Some(messages) = tasks.join_next() => {
                ended += 1;
                if sessions.is_some() {
                    let messages = messages.unwrap_or_default();
                    let cpu = cpu_time().map(|cpu| format!(", {cpu:.2} s of CPU time so far"));
                    println!("a session has ended: {messages} messages{}", cpu.unwrap_or_default());
                }
            }
        }
    }
}

/// One session to its end: how many messages came. What brings about the bind is boxed: the TLS handshake in it takes
/// more memory than the session.
async fn session(
    bind_request: impl Future<Output = Result<BindRequest, AcceptError>> + Unpin,
    queued: bool,
) -> u64 {
    let Ok(request) = bind_request.await else { return 0 };
    let Ok((peer, mut inbox)) = request.accept(COctets::new(b"load").unwrap_or_default()) else { return 0 };
    if !queued {
        let mut ids = Ids(*b"0000000000");
        peer.respond_inline(move |request, responder| match request {
            Request::SubmitSm(_, reply) => {
                // If the session has ended, the ESME has seen no answer.
                let _ = responder.respond(reply, Ok(ids.next()));
                None
            }
            other => Some(other),
        });
    }
    let mut ids = Ids(*b"5000000000");
    while let Some(inbound) = inbox.recv().await {
        if let Inbound::SubmitSm(message) = inbound {
            let _ = message.respond(Ok(ids.next()));
        }
    }
    peer.stats().received.of(Kind::Message).requests
}

/// Message ids: numbers of ten digits.
struct Ids([u8; 10]);

impl Ids {
    /// A response with the next id.
    fn next(&mut self) -> SubmitSmResp<'_> {
        for digit in self.0.iter_mut().rev() {
            if *digit < b'9' {
                *digit += 1;
                break;
            }
            *digit = b'0';
        }
        SubmitSmResp { message_id: COctets::new(&self.0).unwrap_or_default(), ..SubmitSmResp::default() }
    }
}
