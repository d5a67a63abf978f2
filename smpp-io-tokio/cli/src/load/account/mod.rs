//! `smpp load --account`: what an account costs instead of bare sessions. The message is built once.

pub(super) mod blocking;
pub(super) mod tokio;

use std::net::TcpListener;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use smpp_common::in_place_smsc::InPlaceSmsc;
use smpp_proto::account::{
    Binds, Credentials, LinkState, Message, NoMoreReceipts, Options, SegmentOutcome, SendError,
};
use smpp_proto::provider::{LongMessages, Provider};
use smpp_proto::session::State;
use smpp_proto::{MessageState, RegisteredDelivery, ShortMessage, SubmitSm, Tlvs};

use super::{Arguments, message};
use crate::failure::Failure;

/// How long all binds of the account may take, and how long it may take to shut down.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How often to look whether all binds are there.
const INTERVAL: Duration = Duration::from_millis(5);

/// Serves without end: responds where it reads, and sends the receipts.
pub(super) fn serve(arguments: &Arguments, address: &str) -> Result<bool, Failure> {
    let listener = TcpListener::bind(address).map_err(|error| Failure::listen(address, &error))?;
    println!("listening on {}", listener.local_addr().map_err(Failure::other)?);
    smsc(arguments).listen(&listener).map_err(Failure::other)?;
    Ok(true)
}

/// Starts an SMSC in threads of this process, unless there is a URL. Returns its URL.
pub(super) fn url(arguments: &Arguments) -> Result<String, Failure> {
    if let Some(url) = &arguments.url {
        return Ok(url.clone());
    }
    let address = smsc(arguments).start().map_err(Failure::local_smsc)?;
    Ok(format!("smpp://load:load@{address}"))
}

fn smsc(arguments: &Arguments) -> InPlaceSmsc {
    InPlaceSmsc::holding_back(arguments.outstanding)
}

/// What the tasks or threads share.
struct Load {
    message: Message,
    receipts: bool,
    /// Messages that are not submitted yet.
    left: AtomicI64,
    /// Messages with an outcome and, if they request one, a receipt.
    done: AtomicU64,
    start: Instant,
}

impl Load {
    fn new(arguments: &Arguments) -> Self {
        let text = message::text(arguments.length);
        let payload = message::payload(&text);
        let whole = SubmitSm { tlvs: Tlvs::list(&payload), ..message::submit_sm(&text, arguments.to()) };
        let message = if arguments.receipts {
            let template = SubmitSm {
                registered_delivery: RegisteredDelivery::RECEIPT,
                short_message: ShortMessage::default(),
                tlvs: Tlvs::default(),
                ..whole
            };
            Message::text(&template, String::from_utf8_lossy(&text))
        } else {
            Message::submit_sm(&whole)
        };
        Self {
            message,
            receipts: arguments.receipts,
            left: AtomicI64::new(arguments.messages().cast_signed()),
            done: AtomicU64::new(0),
            start: Instant::now(),
        }
    }

    /// Returns the nanoseconds since the start.
    fn nanos(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// Takes one of the messages that are left. Returns whether there was one.
    fn take(&self) -> bool {
        self.left.fetch_sub(1, Ordering::Relaxed) > 0
    }
}

/// Returns the options of the account: a transceiver for each connection.
fn options(arguments: &Arguments) -> Options {
    let options = Options::new(Credentials::default(), &Provider::UNSTATED);
    let in_flight = arguments.in_flight();
    let receipts =
        options.receipts.capacity(options.receipts.capacity.max(in_flight + arguments.outstanding));
    let queue_capacity = options.queue_capacity.max(in_flight);
    options
        .binds(Binds::transceivers(arguments.connections))
        .max_binds(arguments.connections)
        .connect_interval(Duration::ZERO)
        .session(arguments.config())
        .long_messages(LongMessages::Payload)
        .queue_capacity(queue_capacity)
        .receipts(receipts)
}

/// Returns whether a link is bound.
fn is_bound(state: &LinkState) -> bool {
    matches!(state, LinkState::Open(_, State::Bound(_)))
}

fn not_all_bound(bound: usize, arguments: &Arguments) -> Failure {
    let (all, limit) = (arguments.connections, TIMEOUT.as_secs());
    Failure::failed(
        format_args!("{bound} of {all} connections are bound after {limit} s"),
        "The SMSC may allow fewer: lower --connections. Without --account the status of the SMSC is shown.",
    )
}

/// Returns how a message ended that was not accepted.
fn segment(error: &SendError) -> Option<&SegmentOutcome> {
    match error {
        SendError::Failed { outcome, .. } => outcome.result().err(),
        _ => None,
    }
}

fn is_delivered(state: Result<MessageState, NoMoreReceipts>) -> bool {
    state == Ok(MessageState::DELIVERED)
}
