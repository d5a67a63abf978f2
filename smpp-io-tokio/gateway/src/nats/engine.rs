//! The requests of a node, carried out in JetStream.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
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

use super::setup::{PART_OCTETS, context};
use super::{CLOCK_SKEW, NatsError};
use crate::json::event_json;
use crate::names::{Names, token};
use crate::node::{AckToken, Attempt, EventKind, Group, Priority, Reply, Request};

/// How many parts of messages from phones are looked at for old ones at a time.
const OLD_GROUPS: usize = 200;

/// The engine of one node.
pub struct Engine {
    client: Client,
    context: Context,
    names: Names,
    instance: String,
    timeout: Duration,
    /// How long a key is remembered after its outcome.
    remember: Duration,
    /// How long the digests of a message from a phone are remembered.
    told: Duration,
    codings: Codings,
    send: Stream,
    binds: Stream,
    nodes: Stream,
    attempts: Stream,
    ids: Stream,
    parts: Stream,
    events: Stream,
    queues: Vec<Consumer<pull::Config>>,
    /// Whether there is little room left for parts of messages from phones.
    is_full: AtomicBool,
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
            send,
            queues,
            client,
            context,
            names,
            instance,
            timeout,
            remember,
            told,
            codings,
            is_full: AtomicBool::new(false),
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
            // They read much, and nobody waits for them.
            Request::ListGroups { .. } | Request::ForgetKeys => Duration::from_secs(30),
            _ => self.timeout,
        };
        let result = timeout(limit, self.carry_out(request)).await;
        result.unwrap_or(Err(())).unwrap_or(Reply::Failed)
    }

    /// Stores an event about the node: the number distinguishes those of one node. It is lost if NATS is not there.
    pub async fn publish_node_event(&self, number: u64, event: &serde_json::Value) {
        if self.is_connected() {
            let (kind, number) = (EventKind::Node.name(), number.to_string());
            let stored = self.store_event(kind, &self.instance, &number, event);
            let _ = timeout(self.timeout, stored).await;
        }
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
                let attempt = |it: StreamMessage| (it.sequence, Attempt::read(&it.payload));
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
            Request::Publish(event) => {
                let content = event_json(&event, self.codings);
                self.store_event(event.kind().name(), &event.about, &event.detail, &content).await
            }
            Request::FindEvent(event) => {
                let subject = self.names.event(event.kind().name(), &event.about, &event.detail);
                Ok(Reply::Found(last(&self.events, &subject).await?.is_some()))
            }
            Request::Acknowledge(token) => self.acknowledge(token, AckKind::Ack).await,
            Request::Terminate(token) => self.acknowledge(token, AckKind::Term).await,
            Request::ReadGroup { group } => {
                let found = last(&self.parts, &self.names.group(&group)).await?;
                // One that cannot be read is of another version: its parts are not touched.
                let group = |it: StreamMessage| {
                    let mut group = read_group(&it.payload)?;
                    let age = self.told.as_secs();
                    group.told.retain(|part| part.at + age > seconds_since_1970());
                    Some((it.sequence, group))
                };
                found.map(|it| group(it).ok_or(())).transpose().map(Reply::Group)
            }
            Request::WriteGroup { group, revision, mut content } => {
                if content.decided.is_none()
                    && !content.parts.is_empty()
                    && self.is_full.load(Ordering::Relaxed)
                {
                    return Err(());
                }
                for part in content.told.iter_mut().filter(|part| part.at == 0) {
                    part.at = seconds_since_1970();
                }
                let payload = serde_json::to_vec(&content).map_err(|_| ())?;
                let mut message =
                    PublishMessage::build().payload(payload.into()).expected_last_subject_sequence(revision);
                if content.parts.is_empty() {
                    message = message.ttl(self.told);
                }
                self.publish(self.names.group(&group), message).await
            }
            Request::ListGroups { age } => self.list_groups(age).await,
            Request::ForgetKeys => self.forget_keys().await,
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
        let message =
            PublishMessage::build().payload(payload.into()).expected_last_subject_sequence(revision);
        self.publish(self.names.key("ATTEMPTS", &token(key)), message).await
    }

    /// Stores an event, unless its subject has one.
    async fn store_event(
        &self,
        kind: &str,
        about: &str,
        detail: &str,
        content: &serde_json::Value,
    ) -> Outcome {
        let message = PublishMessage::build()
            .payload(content.to_string().into())
            .message_id(Names::event_id(kind, about, detail))
            .expected_last_subject_sequence(0);
        self.publish(self.names.event(kind, about, detail), message).await
    }

    /// Lists the groups whose parts have waited so long, the oldest first; and the oldest of all if most of the room is used.
    async fn list_groups(&self, age: Duration) -> Outcome {
        let state = self.parts.get_info().await.map_err(|_| ())?.state;
        let room = PART_OCTETS.unsigned_abs();
        // What is left is for the groups that are given up or completed: they are written once more before they shrink.
        self.is_full.store(state.bytes > room / 8 * 7, Ordering::Relaxed);
        let is_full = state.bytes > room / 4 * 3;
        let limit = self.time().await? - age;
        let mut groups = Vec::new();
        if state.messages == 0 || (state.first_timestamp > limit && !is_full) {
            return Ok(Reply::Groups(groups));
        }
        let config = pull::Config {
            filter_subject: self.names.group("*"),
            ack_policy: AckPolicy::None,
            inactive_threshold: Duration::from_secs(5),
            ..pull::Config::default()
        };
        let consumer = self.parts.create_consumer(config).await.map_err(|_| ())?;
        let mut left = consumer.cached_info().num_pending;
        while left > 0 && groups.len() < OLD_GROUPS {
            let mut batch = consumer.fetch().max_messages(OLD_GROUPS).messages().await.map_err(|_| ())?;
            let before = left;
            while let Some(message) = batch.next().await {
                let message = message.map_err(|_| ())?;
                left = left.saturating_sub(1);
                let info = message.info().map_err(|_| ())?;
                if info.published > limit && !is_full {
                    return Ok(Reply::Groups(groups));
                }
                let name = message.subject.rsplit('.').next().unwrap_or_default();
                if read_group(&message.payload).is_some_and(|group| !group.parts.is_empty()) {
                    groups.push((name.to_owned(), info.stream_sequence));
                }
            }
            if left == before {
                return Err(());
            }
        }
        Ok(Reply::Groups(groups))
    }

    /// Returns the time of the engine, late by less than a lease: when a node has last said that it lives.
    async fn time(&self) -> Result<OffsetDateTime, ()> {
        Ok(self.nodes.get_info().await.map_err(|_| ())?.state.last_timestamp)
    }

    /// Deletes the attempts that were written so long before the oldest message of the queue was published, or so long ago.
    async fn forget_keys(&self) -> Outcome {
        let queue = self.send.get_info().await.map_err(|_| ())?.state;
        let attempts = self.attempts.get_info().await.map_err(|_| ())?.state;
        let mut oldest = self.time().await?;
        if queue.messages > 0 {
            oldest = oldest.min(queue.first_timestamp);
        }
        let start_time = oldest - self.remember - CLOCK_SKEW;
        if attempts.messages == 0 || attempts.first_timestamp >= start_time {
            return Ok(Reply::Done(0));
        }
        let kept = if attempts.last_timestamp < start_time {
            attempts.last_sequence + 1
        } else {
            self.first_attempt_since(start_time).await?
        };
        self.attempts.purge().sequence(kept).await.map_err(|_| ())?;
        Ok(Reply::Done(0))
    }

    /// Returns the sequence number of the first attempt that was written then or later. There is one.
    async fn first_attempt_since(&self, start_time: OffsetDateTime) -> Result<u64, ()> {
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartTime { start_time },
            ack_policy: AckPolicy::None,
            headers_only: true,
            inactive_threshold: Duration::from_secs(5),
            ..pull::Config::default()
        };
        let consumer = self.attempts.create_consumer(config).await.map_err(|_| ())?;
        let mut batch = consumer.fetch().max_messages(1).messages().await.map_err(|_| ())?;
        let first = batch.next().await.ok_or(())?.map_err(|_| ())?;
        Ok(first.info().map_err(|_| ())?.stream_sequence)
    }

    async fn acknowledge(&self, token: AckToken, kind: AckKind) -> Outcome {
        let acker = self.ackers().get(&token).cloned().ok_or(())?;
        acker.double_ack_with(kind).await.map_err(|_| ())?;
        self.forget(token);
        Ok(Reply::Done(0))
    }
}

fn seconds_since_1970() -> u64 {
    OffsetDateTime::now_utc().unix_timestamp().try_into().unwrap_or(0)
}

fn read_group(payload: &[u8]) -> Option<Group> {
    serde_json::from_slice(payload).ok()
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
