//! What a message costs in instructions, counted by `.ci/instructions`: an ESME that awaits each submit_sm by itself, with a
//! window of 64, and an SMSC that answers each where it is read, in two processes.
//!
//! `instructions serve` prints its address, and ends with its first session; `instructions submit ADDRESS MESSAGES` submits.
//! Without arguments it does both in one process.

use std::error::Error;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::task::Poll;

use smpp_core::session::{Config, Request};
use smpp_core::{Address, Bind, COctets, Endpoint, ShortMessage, SubmitSm, SubmitSmResp};
use smpp_io_tokio::{Connector, Listener};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const WINDOW: u16 = 64;

/// Messages that one task has in flight. With fewer, tasks cost more than the messages.
const IN_FLIGHT_PER_TASK: u16 = 16;

/// The text: with its addresses the submit_sm has 60 octets.
const TEXT: &[u8] = b"The quick brown f";

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["serve"] => {
                let listener = Listener::bind("127.0.0.1:0", Config::default()).await?;
                println!("{}", listener.local_addr()?);
                serve(listener).await
            }
            ["submit", address, messages] => submit(address.parse()?, messages.parse()?).await,
            // The arguments of `cargo bench`.
            _ => {
                let listener = Listener::bind("127.0.0.1:0", Config::default()).await?;
                let address = listener.local_addr()?;
                let (served, submitted) = tokio::join!(serve(listener), submit(address, 1_000));
                served.and(submitted)
            }
        }
    })
}

/// Accepts one bind and all its messages.
async fn serve(listener: Listener) -> Result<()> {
    let request = listener.accept().await?.bind_request().await?;
    let (peer, _inbox) = request.accept(COctets::new(b"bench")?)?;
    peer.respond_inline(|request, responder| match request {
        Request::SubmitSm(_, reply) => {
            let message_id = COctets::new(b"0000000001").unwrap_or_default();
            // It fails only if the session has ended: no response is expected then.
            let _ = responder.respond(reply, Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }));
            None
        }
        other => Some(other),
    });
    peer.closed().await;
    Ok(())
}

/// Submits so many messages, each awaited by itself, a window of them at once.
async fn submit(address: SocketAddr, messages: u32) -> Result<()> {
    let endpoint: Endpoint = format!("smpp://{address}").parse()?;
    let connector = Connector::new().config(Config { window: WINDOW, ..Config::default() });
    let (client, _) = connector.connect(&endpoint).await?;
    client.bind(&Bind { system_id: COctets::new(b"bench")?, ..Bind::default() }).await?;
    let tasks: Vec<_> = (0..WINDOW / IN_FLIGHT_PER_TASK)
        .map(|_| {
            let client = client.clone();
            let mut left = messages / u32::from(WINDOW / IN_FLIGHT_PER_TASK);
            tokio::spawn(async move {
                let message = SubmitSm {
                    destination: Address::international("6591234567").unwrap_or_default(),
                    short_message: ShortMessage::new(TEXT).unwrap_or_default(),
                    ..SubmitSm::default()
                };
                let mut accepted = 0;
                let mut slots: Vec<_> = Vec::new();
                for _ in 0..u32::from(IN_FLIGHT_PER_TASK).min(left) {
                    left -= 1;
                    slots.push(Some(Box::pin(client.submit(&message))));
                }
                poll_fn(|cx| {
                    for slot in &mut slots {
                        while let Some(submission) = slot {
                            let Poll::Ready(outcome) = submission.as_mut().poll(cx) else { break };
                            accepted += u32::from(outcome.is_ok());
                            if left == 0 {
                                *slot = None;
                                break;
                            }
                            left -= 1;
                            submission.set(client.submit(&message));
                        }
                    }
                    if slots.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
                accepted
            })
        })
        .collect();
    let mut accepted = 0;
    for task in tasks {
        accepted += task.await?;
    }
    client.unbind().await;
    if accepted == messages { Ok(()) } else { Err(format!("{accepted} of {messages} accepted").into()) }
}
