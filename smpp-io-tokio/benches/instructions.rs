//! What a message costs in instructions, counted by `.ci/instructions`: a client with a window of 64, and an SMSC, in two
//! processes. The other side of the one that is counted does as little as it can.
//!
//! An SMSC prints its address:
//!
//! | arguments | the SMSC |
//! | --- | --- |
//! | `serve` | a session that responds to each request where it is read |
//! | `serve-inbox` | a session whose requests are taken from its inbox |
//! | `serve-service` | a server whose service awaits once for each request |
//! | `serve-in-place` | no session: it responds to 64 messages at once, in one write, and sends each receipt behind the response |
//!
//! The first three end with their first session. A client submits, and unbinds:
//!
//! | arguments | the client |
//! | --- | --- |
//! | `submit ADDRESS MESSAGES` | a session: each submit_sm awaited by itself |
//! | `account ADDRESS MESSAGES` | an account: a whole submit_sm, its outcome awaited |
//! | `account-receipts ADDRESS MESSAGES` | an account: a text of one part, its outcome and then its receipt awaited |
//!
//! Without arguments it does each of them in one process.

use std::error::Error;
use std::future::poll_fn;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use smpp_common::in_place_smsc::InPlaceSmsc;
use smpp_proto::account::{Credentials, Message, Options};
use smpp_proto::provider::Provider;
use smpp_proto::session::{Config, Request, Smsc};
use smpp_proto::{
    Address, Bind, COctets, CommandStatus, Endpoint, MessageState, RegisteredDelivery, ShortMessage,
    SubmitSm, SubmitSmResp,
};
use smpp_tokio::account::AccountConnector;
use smpp_tokio::{
    Admission, BindRequest, BoundSession, Connector, Inbound, Listener, Server, ServerEvent, Service,
};
use tokio::sync::Notify;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const WINDOW: u16 = 64;

/// Messages that one task has in flight. With fewer, tasks cost more than the messages.
const IN_FLIGHT_PER_TASK: u16 = 16;

/// The text: with its addresses the submit_sm has 60 octets.
const TEXT: &str = "The quick brown f";

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["serve-in-place"] => {
                let listener = TcpListener::bind("127.0.0.1:0")?;
                println!("{}", listener.local_addr()?);
                Ok(InPlaceSmsc::in_batches_of(WINDOW.into()).listen(&listener)?)
            }
            [how] if how.starts_with("serve") => {
                let listener = Listener::bind("127.0.0.1:0", Config::default()).await?;
                println!("{}", listener.local_addr()?);
                serve(how, listener).await
            }
            [how, address, messages] => submit(how, address.parse()?, messages.parse()?).await,
            // The arguments of `cargo bench`.
            _ => {
                for how in ["serve", "serve-inbox", "serve-service"] {
                    let listener = Listener::bind("127.0.0.1:0", Config::default()).await?;
                    let address = listener.local_addr()?;
                    let (served, submitted) =
                        tokio::join!(serve(how, listener), submit("submit", address, 1_000));
                    served.and(submitted)?;
                }
                for how in ["account", "account-receipts"] {
                    submit(how, InPlaceSmsc::default().start()?, 1_000).await?;
                }
                Ok(())
            }
        }
    })
}

async fn serve(how: &str, listener: Listener) -> Result<()> {
    match how {
        "serve" => respond_inline(listener).await,
        "serve-inbox" => respond_from_inbox(listener).await,
        "serve-service" => respond_from_service(listener).await,
        _ => Err(format!("no such SMSC: {how}").into()),
    }
}

async fn submit(how: &str, address: SocketAddr, messages: u32) -> Result<()> {
    match how {
        "submit" => submit_to_session(address, messages).await,
        "account" => submit_to_account(address, messages, false).await,
        "account-receipts" => submit_to_account(address, messages, true).await,
        _ => Err(format!("no such client: {how}").into()),
    }
}

fn response() -> SubmitSmResp<'static> {
    let message_id = COctets::new(b"0000000001").unwrap_or_default();
    SubmitSmResp { message_id, ..SubmitSmResp::default() }
}

/// Accepts one bind and all its messages.
async fn respond_inline(listener: Listener) -> Result<()> {
    let request = listener.accept().await?.bind_request().await?;
    let (peer, _inbox) = request.accept(COctets::new(b"bench")?)?;
    peer.respond_inline(|request, responder| match request {
        Request::SubmitSm(_, reply) => {
            // It fails only if the session has ended: no response is expected then.
            let _ = responder.respond(reply, Ok(response()));
            None
        }
        other => Some(other),
    });
    peer.closed().await;
    Ok(())
}

/// Accepts one bind, and all its messages from the inbox.
async fn respond_from_inbox(listener: Listener) -> Result<()> {
    let request = listener.accept().await?.bind_request().await?;
    let (_peer, mut inbox) = request.accept(COctets::new(b"bench")?)?;
    while let Some(inbound) = inbox.recv().await {
        if let Inbound::SubmitSm(message) = inbound {
            let _ = message.respond(Ok(response()));
        }
    }
    Ok(())
}

/// A service that awaits once before it responds to a request.
struct AwaitsOnce {
    ended: Arc<Notify>,
}

impl Service for AwaitsOnce {
    async fn bind(&self, _request: &BindRequest) -> std::result::Result<Admission, CommandStatus> {
        Ok(Admission::default())
    }

    async fn request(&self, _bound: &BoundSession, request: Inbound<Smsc>) {
        tokio::task::yield_now().await;
        if let Inbound::SubmitSm(message) = request {
            let _ = message.respond(Ok(response()));
        }
    }

    fn event(&self, event: ServerEvent<'_>) {
        if let ServerEvent::Ended { .. } = event {
            self.ended.notify_one();
        }
    }
}

/// Serves until one bind has ended.
async fn respond_from_service(listener: Listener) -> Result<()> {
    let ended = Arc::new(Notify::new());
    let service = AwaitsOnce { ended: Arc::clone(&ended) };
    let _server = Server::builder(service).listen(listener).start()?;
    ended.notified().await;
    Ok(())
}

fn message() -> SubmitSm<'static> {
    SubmitSm {
        destination: Address::international("6591234567").unwrap_or_default(),
        short_message: ShortMessage::new(TEXT.as_bytes()).unwrap_or_default(),
        ..SubmitSm::default()
    }
}

fn all_accepted(accepted: u32, messages: u32) -> Result<()> {
    if accepted == messages { Ok(()) } else { Err(format!("{accepted} of {messages} accepted").into()) }
}

/// Submits so many messages, each awaited by itself, a window of them at once.
async fn submit_to_session(address: SocketAddr, messages: u32) -> Result<()> {
    let endpoint: Endpoint = format!("smpp://{address}").parse()?;
    let connector = Connector::new().config(Config::default().window(WINDOW));
    let (client, _) = connector.connect(&endpoint).await?;
    client.bind(&Bind { system_id: COctets::new(b"bench")?, ..Bind::default() }).await?;
    let tasks: Vec<_> = (0..WINDOW / IN_FLIGHT_PER_TASK)
        .map(|_| {
            let client = client.clone();
            let mut left = messages / u32::from(WINDOW / IN_FLIGHT_PER_TASK);
            tokio::spawn(async move {
                let message = message();
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
    all_accepted(accepted, messages)
}

/// Sends so many messages through an account with one bind, a window of them at once, each awaited by a task. The message is
/// built once.
async fn submit_to_account(address: SocketAddr, messages: u32, receipts: bool) -> Result<()> {
    let endpoint: Endpoint = format!("smpp://{address}").parse()?;
    let mut options = Options::new(Credentials::new("bench", ""), &Provider::UNSTATED);
    options.session.window = WINDOW;
    let (account, _) = AccountConnector::new(&endpoint, options).connect().await?;
    let whole = message();
    let template = SubmitSm {
        short_message: ShortMessage::default(),
        registered_delivery: RegisteredDelivery::RECEIPT,
        ..whole
    };
    let message = if receipts { Message::text(&template, TEXT) } else { Message::submit_sm(&whole) };
    let message = Arc::new(message);
    let each = messages / u32::from(WINDOW);
    let rest = messages % u32::from(WINDOW);
    let tasks: Vec<_> = (0..u32::from(WINDOW))
        .map(|task| {
            let (account, message) = (account.clone(), Arc::clone(&message));
            let messages = each + u32::from(task < rest);
            tokio::spawn(async move {
                let mut accepted = 0;
                for _ in 0..messages {
                    let Ok(mut sent) = account.send(&message).await else { continue };
                    let delivered = !receipts || sent.receipt().await == Ok(MessageState::DELIVERED);
                    accepted += u32::from(delivered);
                }
                accepted
            })
        })
        .collect();
    let mut accepted = 0;
    for task in tasks {
        accepted += task.await?;
    }
    account.shutdown(Duration::from_secs(1)).await;
    all_accepted(accepted, messages)
}
