//! The requests of a node, carried out in JetStream.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::Client;
use async_nats::connection::State;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, pull};
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::{Acker, PublishMessage, StreamMessage};
use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};
use async_nats::jetstream::{AckKind, Context};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::json;
use smpp_proto::sms::Codings;
use time::OffsetDateTime;
use tokio::time::timeout;

use super::NatsError;
use super::setup::context;
use crate::json::event_json;
use crate::names::{Names, token};
use crate::node::{AckToken, Attempt, Event, EventKind, Priority, Reply, Request, StoredParts};

/// How far the clocks of the servers of a cluster may differ, in milliseconds.
const CLOCK_SKEW: i64 = 10_000;

/// The last token of the subject of the digests of a message that is told.
const TOLD: &str = "told";

/// The engine of one node.
pub struct Engine {
    client: Client,
    context: Context,
    names: Names,
    instance: String,
    timeout: Duration,
    /// How long an attempt with an outcome is kept.
    remember: Duration,
    /// How long the digests of a message from a phone are kept.
    told: Duration,
    codings: Codings,
    binds: Stream,
    nodes: Stream,
    attempts: Stream,
    ids: Stream,
    parts: Stream,
    events: Stream,
    queues: Vec<Consumer<pull::Config>>,
    ackers: Mutex<BTreeMap<AckToken, Arc<Acker>>>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("instance", &self.instance).finish_non_exhaustive()
    }
}

/// The reply to a request, or that it is not known what became of it.
type Outcome = Result<Reply, ()>;

impl Engine {
    /// Opens the streams of the account, which exist.
    ///
    /// # Errors
    ///
    /// [`NatsError`] if one does not exist, or NATS is not there.
    pub async fn open(
        client: Client,
        names: Names,
        instance: String,
        timeout: Duration,
        (remember, told): (Duration, Duration),
        codings: Codings,
    ) -> Result<Self, NatsError> {
        let context = context(client.clone(), timeout);
        let stream = async |name: String| {
            let found = context.get_stream(&name).await;
            found.map_err(|error| NatsError::new(&format!("the stream {name}"), error))
        };
        let send = stream(names.stream("SEND")).await?;
        let mut queues = Vec::new();
        for priority in Priority::ALL {
            let consumer = send.get_consumer(priority.name()).await;
            queues.push(consumer.map_err(|error| NatsError::new("a consumer of the queue", error))?);
        }
        Ok(Self {
            binds: stream(names.bucket_stream("BINDS")).await?,
            nodes: stream(names.bucket_stream("NODES")).await?,
            attempts: stream(names.bucket_stream("ATTEMPTS")).await?,
            ids: stream(names.bucket_stream("IDS")).await?,
            parts: stream(names.stream("PARTS")).await?,
            events: stream(names.stream("EVENT")).await?,
            queues,
            client,
            context,
            names,
            instance,
            timeout,
            remember,
            told,
            codings,
            ackers: Mutex::default(),
        })
    }

    /// Returns the consumer of a queue.
    pub fn queue(&self, priority: Priority) -> Option<&Consumer<pull::Config>> {
        self.queues.get(priority as usize)
    }

    /// Keeps what acknowledges a delivery of a message. A later delivery of the same message replaces it.
    pub fn keep(&self, token: AckToken, acker: Acker) {
        self.ackers().insert(token, Arc::new(acker));
    }

    /// Forgets it.
    pub fn forget(&self, token: AckToken) {
        self.ackers().remove(&token);
    }

    /// Sends an acknowledgement, and does not wait for the result.
    pub async fn send_ack(&self, token: AckToken, kind: AckKind) {
        let is_last = !matches!(kind, AckKind::Progress);
        let acker = self.ackers().get(&token).cloned();
        if is_last {
            self.forget(token);
        }
        if let Some(acker) = acker.filter(|_| self.is_connected()) {
            let _ = timeout(self.timeout, acker.ack_with(kind)).await;
        }
    }

    fn ackers(&self) -> std::sync::MutexGuard<'_, BTreeMap<AckToken, Arc<Acker>>> {
        self.ackers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether NATS is connected. What the client takes while it is not, it would send at any time later.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Returns the most octets to pull at a time: a message that is larger would never come.
    pub fn most_octets(&self) -> usize {
        self.client.server_info().max_payload.saturating_mul(2).max(4 << 20)
    }

    /// Carries out a request of the node. Without a connection it fails at once.
    pub async fn request(&self, request: Request) -> Reply {
        if !self.is_connected() {
            return Reply::Failed;
        }
        // A lease can be renewed a second time before its bind is given up.
        let limit = match &request {
            Request::PutNode { .. }
            | Request::ListMembers
            | Request::RenewLease { .. }
            | Request::ReadLease { .. } => self.timeout * 2 / 3,
            _ => self.timeout,
        };
        let result = timeout(limit, self.carry_out(request)).await;
        result.unwrap_or(Err(())).unwrap_or(Reply::Failed)
    }

    /// Stores an event about the node. It is lost if NATS is not there.
    pub async fn publish_node_event(&self, id: &str, event: &serde_json::Value) {
        if !self.is_connected() {
            return;
        }
        let message = PublishMessage::build().payload(event.to_string().into()).message_id(id);
        let _ = timeout(self.timeout, self.publish(self.names.event(EventKind::Node.name()), message)).await;
    }

    async fn carry_out(&self, request: Request) -> Outcome {
        match request {
            Request::PutNode { binds, leaving } => self.put_node(binds, leaving).await,
            Request::DeleteNode => {
                for state in ["active", "leaving"] {
                    self.purge_node(state).await?;
                }
                Ok(Reply::Done(0))
            }
            Request::ListMembers => self.list_members().await,
            Request::CreateLease { lease } => self.write_lease(lease, 0).await,
            Request::RenewLease { lease, revision } => self.write_lease(lease, revision).await,
            Request::ReadLease { lease } => {
                let subject = self.names.key("BINDS", &lease.to_string());
                let found = last(&self.binds, &subject).await?;
                Ok(Reply::Lease(
                    found.map(|it| (it.sequence, String::from_utf8_lossy(&it.payload).into_owned())),
                ))
            }
            Request::DeleteLease { revision, .. } => {
                // No such message: it was deleted before, or has expired.
                let _ = self.binds.delete_message(revision).await;
                Ok(Reply::Done(0))
            }
            Request::WriteAttempt { key, revision, attempt } => {
                self.write_attempt(&key, revision, &attempt).await
            }
            Request::ReadAttempt { key } => {
                let found = last(&self.attempts, &self.names.key("ATTEMPTS", &token(&key))).await?;
                let attempt =
                    |it: StreamMessage| (it.sequence, milliseconds(it.time), Attempt::read(&it.payload));
                Ok(Reply::Attempt(found.map(attempt)))
            }
            Request::StoreId { id, owner } => {
                let payload = serde_json::to_vec(&owner).map_err(|_| ())?;
                let message = PublishMessage::build().payload(payload.into());
                self.publish(self.names.key("IDS", &id), message).await
            }
            Request::FindId { ids } => {
                for id in ids {
                    let owner = read(&self.ids, &self.names.key("IDS", &id)).await?;
                    if owner.is_some() {
                        return Ok(Reply::Owner(owner));
                    }
                }
                Ok(Reply::Owner(None))
            }
            Request::Publish(event) => self.publish_event(&event).await,
            Request::FindEvent { id, kind, since } => self.find_event(&id, kind, since).await,
            Request::Acknowledge(token) => self.acknowledge(token, AckKind::Ack).await,
            Request::Terminate(token) => self.acknowledge(token, AckKind::Term).await,
            Request::StorePart(part) => {
                let payload = serde_json::to_vec(&part).map_err(|_| ())?;
                let subject = self.names.part(&part.group, &part.number.to_string());
                self.publish(subject, PublishMessage::build().payload(payload.into())).await
            }
            Request::ReadParts { group } => self.read_parts(&group).await,
            Request::FinishParts { group, up_to, digests } => {
                let payload = json!(digests).to_string();
                let message = PublishMessage::build().payload(payload.into()).ttl(self.told);
                self.publish(self.names.part(&group, TOLD), message).await?;
                let purge = self.parts.purge().filter(self.names.part(&group, "*")).sequence(up_to + 1);
                purge.await.map_err(|_| ())?;
                Ok(Reply::Done(0))
            }
        }
    }

    /// Publishes a message, and waits until it is stored.
    async fn publish(&self, subject: String, message: PublishMessage) -> Outcome {
        let sent = self.context.send_publish(subject, message).await;
        let stored = match sent {
            Ok(stored) => stored.await,
            Err(error) => Err(error),
        };
        match stored {
            Ok(stored) => Ok(Reply::Done(stored.sequence)),
            Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Ok(Reply::Conflict),
            Err(_) => Err(()),
        }
    }

    async fn put_node(&self, binds: u16, leaving: bool) -> Outcome {
        let state = if leaving { "leaving" } else { "active" };
        let subject = self.names.key("NODES", &format!("{state}.{}", self.instance));
        let payload = json!({"binds": binds}).to_string();
        let reply = self.publish(subject, PublishMessage::build().payload(payload.into())).await?;
        if leaving {
            self.purge_node("active").await?;
        }
        Ok(reply)
    }

    async fn purge_node(&self, state: &str) -> Result<(), ()> {
        let subject = self.names.key("NODES", &format!("{state}.{}", self.instance));
        self.nodes.purge().filter(subject).await.map(|_| ()).map_err(|_| ())
    }

    async fn list_members(&self) -> Outcome {
        let (mut active, mut leaving) = (Vec::new(), Vec::new());
        for subject in subjects(&self.nodes, &self.names.key("NODES", ">")).await? {
            let mut tokens = subject.rsplit('.');
            let (instance, state) = (tokens.next().unwrap_or_default(), tokens.next().unwrap_or_default());
            let list = if state == "leaving" { &mut leaving } else { &mut active };
            list.push(instance.to_owned());
        }
        let leases = subjects(&self.binds, &self.names.key("BINDS", ">")).await?;
        let number = |subject: &String| subject.rsplit('.').next().and_then(|token| token.parse().ok());
        Ok(Reply::Members { nodes: active, leaving, leases: leases.iter().filter_map(number).collect() })
    }

    async fn write_lease(&self, lease: u16, revision: u64) -> Outcome {
        let message = PublishMessage::build()
            .payload(self.instance.clone().into())
            .expected_last_subject_sequence(revision);
        self.publish(self.names.key("BINDS", &lease.to_string()), message).await
    }

    async fn write_attempt(&self, key: &str, revision: u64, attempt: &Attempt) -> Outcome {
        let payload = serde_json::to_vec(attempt).map_err(|_| ())?;
        let mut message =
            PublishMessage::build().payload(payload.into()).expected_last_subject_sequence(revision);
        if attempt.outcome.is_some() || attempt.node.is_empty() {
            message = message.ttl(self.remember);
        }
        self.publish(self.names.key("ATTEMPTS", &token(key)), message).await
    }

    async fn publish_event(&self, event: &Event) -> Outcome {
        let payload = event_json(event, self.codings).to_string();
        let message = PublishMessage::build().payload(payload.into()).message_id(&event.id);
        self.publish(self.names.event(event.kind().name()), message).await
    }

    /// Reads the ids of the events since then. Only after a node has died.
    async fn find_event(&self, id: &str, kind: EventKind, since: i64) -> Outcome {
        let start_time =
            OffsetDateTime::from_unix_timestamp_nanos(i128::from(since - CLOCK_SKEW) * 1_000_000);
        let config = pull::Config {
            filter_subject: self.names.event(kind.name()),
            deliver_policy: DeliverPolicy::ByStartTime { start_time: start_time.map_err(|_| ())? },
            ack_policy: AckPolicy::None,
            headers_only: true,
            inactive_threshold: Duration::from_secs(5),
            ..pull::Config::default()
        };
        let consumer = self.events.create_consumer(config).await.map_err(|_| ())?;
        let mut left = consumer.cached_info().num_pending;
        while left > 0 {
            let fetch = consumer.fetch().max_messages(1_000).messages().await;
            let mut batch = fetch.map_err(|_| ())?;
            let before = left;
            while let Some(message) = batch.next().await {
                let message = message.map_err(|_| ())?;
                let header =
                    message.headers.as_ref().and_then(|it| it.get(async_nats::header::NATS_MESSAGE_ID));
                if header.is_some_and(|header| header.as_str() == id) {
                    return Ok(Reply::Found(true));
                }
                left = left.saturating_sub(1);
            }
            if left == before {
                return Err(());
            }
        }
        Ok(Reply::Found(false))
    }

    async fn acknowledge(&self, token: AckToken, kind: AckKind) -> Outcome {
        let acker = self.ackers().get(&token).cloned().ok_or(())?;
        acker.double_ack_with(kind).await.map_err(|_| ())?;
        self.forget(token);
        Ok(Reply::Done(0))
    }

    async fn read_parts(&self, group: &str) -> Outcome {
        let mut stored = StoredParts::default();
        for subject in subjects(&self.parts, &self.names.part(group, "*")).await? {
            let Some(found) = last(&self.parts, &subject).await? else { continue };
            if subject.ends_with(TOLD) {
                stored.told = serde_json::from_slice(&found.payload).unwrap_or_default();
            } else if let Ok(part) = serde_json::from_slice(&found.payload) {
                stored.parts.push((found.sequence, part));
            }
        }
        Ok(Reply::Parts(stored))
    }
}

fn milliseconds(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or_default()
}

/// Returns the last message of a subject.
async fn last(stream: &Stream, subject: &str) -> Result<Option<StreamMessage>, ()> {
    match stream.get_last_raw_message_by_subject(subject).await {
        Ok(message) => Ok(Some(message)),
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
        Err(_) => Err(()),
    }
}

async fn read<T: DeserializeOwned>(stream: &Stream, subject: &str) -> Result<Option<T>, ()> {
    let found = last(stream, subject).await?;
    Ok(found.and_then(|message| serde_json::from_slice(&message.payload).ok()))
}

/// Returns the subjects that have a message.
async fn subjects(stream: &Stream, filter: &str) -> Result<Vec<String>, ()> {
    let mut info = stream.info_with_subjects(filter).await.map_err(|_| ())?;
    let mut subjects = Vec::new();
    while let Some(subject) = info.next().await {
        subjects.push(subject.map_err(|_| ())?.0);
    }
    Ok(subjects)
}
