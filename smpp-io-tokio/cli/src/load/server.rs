//! The SMSC that is measured against, over tokio: it accepts everything.

use std::time::Duration;

use smpp_proto::COctets;
use smpp_proto::session::{Config, Kind, Request};
use smpp_tokio::{AcceptError, BindRequest, Inbound, Listener};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::message::MessageIds;
use super::results::cpu_time;
use crate::failure::Failure;

/// How long to wait after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Listens.
pub(super) async fn listen(address: &str) -> Result<Listener, Failure> {
    let config = Config::default().max_unanswered(1000);
    Listener::bind(address, config).await.map_err(|error| Failure::listen(address, &error))
}

/// Serves until so many sessions have ended, or without end.
pub(super) async fn serve(listener: Listener, sessions: Option<usize>, queued: bool) {
    let mut tasks = JoinSet::new();
    let mut ended = 0;
    while sessions.is_none_or(|sessions| ended < sessions) {
        tokio::select! {
            connecting = listener.accept() => match connecting {
                Ok(connecting) => drop(tasks.spawn(session(Box::pin(connecting.bind_request()), queued))),
                // The process may have no file descriptors left: sessions that end free some.
                Err(_) => sleep(ACCEPT_PAUSE).await,
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

/// Serves one session until it ends. Returns the number of messages. The future of the bind is boxed: the TLS handshake
/// in it takes more memory than the session.
async fn session(
    bind_request: impl Future<Output = Result<BindRequest, AcceptError>> + Unpin,
    queued: bool,
) -> u64 {
    let Ok(request) = bind_request.await else { return 0 };
    let Ok((peer, mut inbox)) = request.accept(COctets::new(b"load").unwrap_or_default()) else { return 0 };
    if !queued {
        let mut ids = MessageIds::after(*b"0000000000");
        peer.respond_inline(move |request, responder| match request {
            Request::SubmitSm(_, reply) => {
                // It fails only if the session has ended: no response is expected then.
                let _ = responder.respond(reply, Ok(ids.next()));
                None
            }
            other => Some(other),
        });
    }
    let mut ids = MessageIds::after(*b"5000000000");
    while let Some(inbound) = inbox.recv().await {
        if let Inbound::SubmitSm(message) = inbound {
            let _ = message.respond(Ok(ids.next()));
        }
    }
    peer.stats().received.of(Kind::Message).requests
}
