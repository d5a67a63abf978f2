//! The commands of the node.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::{AckKind, Message as QueueMessage};
use smpp_proto::account::{Binds, LinkState, ReceiptDestination, SendError};
use smpp_proto::session::State;
use time::OffsetDateTime;
use tokio::time::{Instant as Clock, sleep};

use super::{Body, Driver, Input};
use crate::account::{accepted_part, failed, not_taken};
use crate::json::{WhenUncertain, parse};
use crate::log;
use crate::nats;
use crate::node::{
    AckToken, Command, Ended, EventKind, ItemId, Outcome, Priority, Reply, Request, RequestId, Work,
    WorkContent,
};

/// How long a message that was given back waits before it is delivered again.
const GIVE_BACK_DELAY: Duration = Duration::from_secs(1);

impl Driver {
    /// Carries out the commands of the node.
    pub(super) fn pump(&mut self) {
        while let Some(command) = self.node.poll_command() {
            match command {
                Command::Pull { priority, count } => self.pull(priority, count),
                Command::InProgress(token) => self.send_ack(token, AckKind::Progress),
                Command::GiveBack(token) => self.send_ack(token, AckKind::Nak(Some(GIVE_BACK_DELAY))),
                Command::AckDuplicate(token) => self.send_ack(token, AckKind::Ack),
                Command::Abandon(token) => self.engine.forget(token),
                Command::Request(id, request) => self.request(id, request),
                Command::Submit { item, body, .. } => self.submit(item, body),
                Command::Cancel(item) => {
                    if let Some(message) = self.submitted.get(&item) {
                        self.account.cancel(*message);
                    }
                }
                Command::SetBinds(count) => {
                    let binds = if count == 0 { Binds::NONE } else { Binds::transceivers(count) };
                    // The leases never allow more binds than the options.
                    if let Err(error) = self.account.set_binds(binds) {
                        log(&self.instance, &error.to_string());
                    }
                    self.report_binds();
                }
                Command::CloseConnections(left) => {
                    let closed = self.connections.close_beyond(usize::from(left));
                    if closed > 0 {
                        self.metrics.forced_closes.fetch_add(closed as u64, Ordering::Relaxed);
                        let text = format!("{closed} connections closed: their leases were not renewed");
                        log(&self.instance, &text);
                    }
                    self.report_binds();
                }
                Command::Answer { delivery, accept } => self.answer(delivery, accept),
            }
        }
    }

    /// Tells the node how many connections the account has.
    pub(super) fn report_binds(&mut self) {
        let (mut open, mut bound) = (0, 0);
        for (_, state, _) in self.account.links() {
            open += u16::from(state != LinkState::Idle);
            bound += u16::from(matches!(state, LinkState::Open(_, State::Bound(_))));
        }
        self.metrics.binds.store(bound.into(), Ordering::Relaxed);
        let now = self.now();
        self.node.handle_binds(now, open, bound);
    }

    fn request(&self, id: RequestId, request: Request) {
        let (engine, inputs) = (Arc::clone(&self.engine), self.inputs.clone());
        let metrics = Arc::clone(&self.metrics);
        let kind = match &request {
            Request::Publish(event) => Some(event.kind()),
            _ => None,
        };
        tokio::spawn(async move {
            let reply = engine.request(request).await;
            metrics.requests.fetch_add(1, Ordering::Relaxed);
            match (&reply, kind) {
                (Reply::Failed, _) => {
                    metrics.requests_failed.fetch_add(1, Ordering::Relaxed);
                }
                (Reply::Done(_), Some(kind)) => metrics.count(kind),
                _ => {}
            }
            // It fails only if the node has ended.
            let _ = inputs.send(Input::Reply(id, reply));
        });
    }

    fn send_ack(&self, token: AckToken, kind: AckKind) {
        let engine = Arc::clone(&self.engine);
        tokio::spawn(async move { engine.send_ack(token, kind).await });
    }

    fn pull(&self, priority: Priority, count: usize) {
        let (engine, inputs, start) = (Arc::clone(&self.engine), self.inputs.clone(), self.start);
        tokio::spawn(async move {
            if !engine.is_connected() {
                sleep(Duration::from_millis(500)).await;
            } else if let Some(queue) = engine.queue(priority) {
                let handle = |message: QueueMessage| {
                    if let Some((work, acker)) = read_work(message, priority, start) {
                        engine.keep(work.token, acker);
                        let _ = inputs.send(Input::Work(Box::new(work)));
                    }
                };
                nats::pull(queue, (count, engine.most_octets()), handle).await;
            }
            let _ = inputs.send(Input::PullEnded(priority));
        });
    }

    fn submit(&mut self, item: ItemId, body: Body) {
        let mut message = body.message.receipts_to(ReceiptDestination::Arrivals);
        if let Some(deadline) = body.deadline {
            message = message.deadline(deadline.saturating_duration_since(Clock::now()));
        }
        let inputs = self.inputs.clone();
        let ticket = match self.account.try_submit(&message) {
            Ok(ticket) => ticket,
            Err(error) => {
                let _ = inputs.send(Input::Ended(item, not_taken(&error)));
                return;
            }
        };
        self.submitted.insert(item, ticket.message());
        let policy = self.dialect.message_ids;
        let has_receipts = message.asks_for_receipts();
        tokio::spawn(async move {
            let ended = match ticket.outcome().await {
                Ok(sent) => {
                    let ids = sent.ids();
                    let parts = u8::try_from(ids.len()).unwrap_or(u8::MAX);
                    let numbered = (1..=u8::MAX).zip(ids);
                    let accepted =
                        numbered.map(|(part, id)| accepted_part(part, id, policy, has_receipts)).collect();
                    let accepted =
                        Outcome { parts, accepted, reason: None, ..Outcome::new(EventKind::Accepted, "") };
                    Ended::Outcome(accepted)
                }
                Err(SendError::NotAccepted(error)) => not_taken(&error),
                Err(SendError::Failed { outcome, .. }) => failed(&outcome, policy, has_receipts),
                Err(error) => Ended::Outcome(Outcome::new(EventKind::Uncertain, error.to_string())),
            };
            let _ = inputs.send(Input::Ended(item, ended));
        });
    }
}

/// Reads a message of the queue, and what acknowledges it.
fn read_work(
    message: QueueMessage,
    priority: Priority,
    start: Clock,
) -> Option<(Work<Body>, async_nats::jetstream::message::Acker)> {
    let info = message.info().ok()?;
    let (sequence, published) = (info.stream_sequence, info.published);
    let published = i64::try_from(published.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
    let (message, acker) = message.split();
    let id = message.headers.as_ref().and_then(|headers| headers.get(NATS_MESSAGE_ID));
    let id = id.map(async_nats::HeaderValue::as_str);
    let content = parse(&message.payload, id, priority, OffsetDateTime::now_utc()).map(|parsed| {
        let now = smpp_proto::session::Instant::after(start.elapsed());
        WorkContent {
            key: parsed.key,
            resend_when_uncertain: parsed.when_uncertain == WhenUncertain::Resend,
            expires: parsed.deadline.map(|deadline| now + deadline),
            body: Body {
                message: parsed.message,
                deadline: parsed.deadline.map(|deadline| Clock::now() + deadline),
            },
        }
    });
    Some((Work { priority, sequence, published, token: AckToken(sequence), content }, acker))
}
