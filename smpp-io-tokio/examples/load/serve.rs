//! The SMSC that is measured against: it takes everything.

use std::time::Duration;

use smpp_core::session::Config;
use smpp_core::{COctets, SubmitSmResp};
use smpp_io_tokio::{AcceptError, BindRequest, Inbound, Listener};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Stop;
use super::report::cpu_time;

/// Serves until so many sessions have ended.
pub(crate) async fn serve(address: &str, sessions: Option<usize>) -> Result<bool, Stop> {
    let config = Config { max_unanswered: u16::MAX, ..Config::default() };
    let listener = Listener::bind(address, config).await;
    let listener = listener.map_err(|error| Stop::failed(format!("cannot listen on {address}: {error}")))?;
    println!("listening on {}", listener.local_addr().map_err(|error| Stop::failed(error.to_string()))?);
    let mut tasks = JoinSet::new();
    let mut ended = 0;
    while sessions.is_none_or(|sessions| ended < sessions) {
        tokio::select! {
            connecting = listener.accept() => match connecting {
                Ok(connecting) => drop(tasks.spawn(session(Box::pin(connecting.bind_request())))),
                // Short of something, file descriptors perhaps: sessions that end make room.
                Err(_) => sleep(Duration::from_millis(100)).await,
            },
            Some(messages) = tasks.join_next() => {
                ended += 1;
                let messages = messages.unwrap_or_default();
                let cpu = cpu_time().map(|cpu| format!(", {cpu:.2} s of CPU time so far")).unwrap_or_default();
                println!("a session has ended: {messages} messages{cpu}");
            }
        }
    }
    Ok(true)
}

/// One session to its end: how many messages came. What brings about the bind is boxed: the TLS handshake in it takes
/// more memory than the session.
async fn session(bind_request: impl Future<Output = Result<BindRequest, AcceptError>> + Unpin) -> u64 {
    let Ok(request) = bind_request.await else { return 0 };
    let Ok((_peer, mut inbox)) = request.accept(COctets::new(b"load").unwrap_or_default()) else { return 0 };
    let mut messages = 0_u64;
    let mut digits = [b'0'; 10];
    while let Some(inbound) = inbox.recv().await {
        if let Inbound::SubmitSm(message) = inbound {
            messages += 1;
            count(&mut digits);
            let message_id = COctets::new(&digits).unwrap_or_default();
            // If the session has ended, the ESME has seen no answer.
            let _ = message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }));
        }
    }
    messages
}

/// The next number, in decimal digits.
fn count(digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
}
