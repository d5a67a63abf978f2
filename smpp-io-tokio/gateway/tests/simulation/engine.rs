//! A model of JetStream: the queue, the events, the key-value stores. It does what a request says at the moment that it is
//! called; the network between decides when that is, and what is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use smpp_gateway::node::{AckToken, Attempt, Event, EventKind, Group, IdOwner, Priority, Reply, Request};
use smpp_proto::session::Instant;

/// How long the digests of a group are remembered.
const TOLD: Duration = Duration::from_secs(3_600);

pub(crate) struct Engine {
    pub(crate) lease: Duration,
    pub(crate) ack_wait: Duration,
    /// How long a key is remembered after its outcome.
    pub(crate) remember: Duration,
    pub(crate) queue: Vec<Queued>,
    /// The messages of the deliveries, by token.
    deliveries: Vec<usize>,
    pub(crate) events: Vec<(Instant, Event)>,
    identities: BTreeSet<(EventKind, String, String)>,
    leases: BTreeMap<u16, (u64, String, Instant)>,
    nodes: BTreeMap<String, (bool, Instant)>,
    pub(crate) attempts: BTreeMap<String, (u64, Instant, Attempt)>,
    /// The ids, and when each was first stored.
    pub(crate) ids: BTreeMap<String, (IdOwner, Instant)>,
    /// When each outcome was recorded, and the sequence number of its message, by key.
    pub(crate) recorded: BTreeMap<String, Vec<(Instant, u64)>>,
    /// When a node has last said that it lives: the time that the engine knows.
    time: Instant,
    pub(crate) groups: BTreeMap<String, (u64, Instant, Group)>,
    revision: u64,
}

/// A message in the queue.
pub(crate) struct Queued {
    pub(crate) priority: Priority,
    pub(crate) published: Instant,
    /// When it may be delivered.
    pub(crate) ready: Instant,
    /// When it left the queue.
    pub(crate) left: Option<Instant>,
}

impl Engine {
    pub(crate) const fn new(lease: Duration, ack_wait: Duration, remember: Duration) -> Self {
        Self {
            lease,
            ack_wait,
            remember,
            queue: Vec::new(),
            deliveries: Vec::new(),
            events: Vec::new(),
            identities: BTreeSet::new(),
            leases: BTreeMap::new(),
            nodes: BTreeMap::new(),
            attempts: BTreeMap::new(),
            ids: BTreeMap::new(),
            recorded: BTreeMap::new(),
            time: Instant::ZERO,
            groups: BTreeMap::new(),
            revision: 0,
        }
    }

    fn next_revision(&mut self) -> u64 {
        self.revision += 1;
        self.revision
    }

    /// Publishes a message; its index is its sequence number.
    pub(crate) fn publish(&mut self, now: Instant, priority: Priority) {
        self.queue.push(Queued { priority, published: now, ready: now, left: None });
    }

    /// Delivers a message of the queue, if one is ready.
    pub(crate) fn deliver(&mut self, now: Instant, priority: Priority) -> Option<(AckToken, usize)> {
        let is_ready = |it: &Queued| it.priority == priority && it.left.is_none() && it.ready <= now;
        let index = self.queue.iter().position(is_ready)?;
        self.queue[index].ready = now + self.ack_wait;
        self.deliveries.push(index);
        Some((AckToken(self.deliveries.len() as u64 - 1), index))
    }

    fn queued(&mut self, token: AckToken) -> &mut Queued {
        &mut self.queue[self.deliveries[token.0 as usize]]
    }

    pub(crate) fn in_progress(&mut self, now: Instant, token: AckToken) {
        let until = now + self.ack_wait;
        self.queued(token).ready = until;
    }

    pub(crate) fn give_back(&mut self, now: Instant, token: AckToken) {
        self.queued(token).ready = now + Duration::from_millis(500);
    }

    pub(crate) fn delete(&mut self, now: Instant, token: AckToken) {
        let queued = self.queued(token);
        queued.left.get_or_insert(now);
    }

    /// Returns how many leases the node holds.
    pub(crate) fn held(&self, now: Instant, instance: &str) -> usize {
        self.leases.values().filter(|(_, holder, ends)| holder == instance && *ends > now).count()
    }

    fn expire(&mut self, now: Instant) {
        self.leases.retain(|_, (_, _, ends)| *ends > now);
        self.nodes.retain(|_, (_, ends)| *ends > now);
        self.groups.retain(|_, (_, at, group)| !group.parts.is_empty() || *at + TOLD > now);
    }

    fn write_lease(&mut self, now: Instant, lease: u16, known: u64, instance: &str) -> Reply {
        if self.leases.get(&lease).map_or(0, |(revision, ..)| *revision) != known {
            return Reply::Conflict;
        }
        let revision = self.next_revision();
        self.leases.insert(lease, (revision, instance.into(), now + self.lease));
        Reply::Done(revision)
    }

    pub(crate) fn handle(&mut self, now: Instant, instance: &str, request: Request) -> Reply {
        self.expire(now);
        match request {
            Request::PutNode { leaving, .. } => {
                self.time = now;
                self.nodes.insert(instance.into(), (leaving, now + self.lease));
            }
            Request::DeleteNode => {
                self.nodes.remove(instance);
            }
            Request::ListMembers => {
                let of = |leaving: bool| {
                    let nodes = self.nodes.iter().filter(|(_, (it, _))| *it == leaving);
                    nodes.map(|(instance, _)| instance.clone()).collect()
                };
                let leases = self.leases.keys().copied().collect();
                return Reply::Members { nodes: of(false), leaving: of(true), leases };
            }
            Request::CreateLease { lease } => return self.write_lease(now, lease, 0, instance),
            Request::RenewLease { lease, revision } => {
                return self.write_lease(now, lease, revision, instance);
            }
            Request::ReadLease { lease } => {
                let found = self.leases.get(&lease);
                return Reply::Lease(found.map(|(revision, holder, _)| (*revision, holder.clone())));
            }
            Request::DeleteLease { lease, revision } => {
                if self.leases.get(&lease).is_some_and(|(it, ..)| *it == revision) {
                    self.leases.remove(&lease);
                }
            }
            Request::WriteAttempt { key, revision, attempt } => {
                if self.attempts.get(&key).map_or(0, |(revision, ..)| *revision) != revision {
                    return Reply::Conflict;
                }
                let revision = self.next_revision();
                // The same outcome again is remembered for longer.
                let before = self.attempts.get(&key).map(|(_, _, before)| &before.outcome);
                if attempt.outcome.is_some() && before != Some(&attempt.outcome) {
                    self.recorded.entry(key.clone()).or_default().push((now, attempt.sequence));
                }
                self.attempts.insert(key, (revision, now, attempt));
                return Reply::Done(revision);
            }
            Request::ReadAttempt { key } => {
                let found = self.attempts.get(&key);
                return Reply::Attempt(found.map(|(revision, _, attempt)| (*revision, attempt.clone())));
            }
            Request::StoreId { id, owner } => {
                self.ids.entry(id).or_insert((owner, now));
            }
            Request::FindId { ids } => {
                return Reply::Owner(ids.iter().find_map(|id| self.ids.get(id)).map(|(it, _)| it.clone()));
            }
            Request::Publish(event) => return self.store_event(now, *event),
            Request::FindEvent(event) => {
                let (kind, about, detail) = event.identity();
                return Reply::Found(self.identities.contains(&(kind, about.into(), detail.into())));
            }
            Request::Acknowledge(token) | Request::Terminate(token) => self.delete(now, token),
            Request::ReadGroup { group } => {
                let found = self.groups.get(&group);
                return Reply::Group(found.map(|(revision, _, group)| (*revision, group.clone())));
            }
            Request::WriteGroup { group, revision, content } => {
                if self.groups.get(&group).map_or(0, |(revision, ..)| *revision) != revision {
                    return Reply::Conflict;
                }
                let revision = self.next_revision();
                self.groups.insert(group, (revision, now, *content));
                return Reply::Done(revision);
            }
            Request::ListGroups { age } => {
                let is_old = |at: &Instant, group: &Group| !group.parts.is_empty() && *at + age <= now;
                let old = self.groups.iter().filter(|(_, (_, at, group))| is_old(at, group));
                return Reply::Groups(old.map(|(name, (revision, ..))| (name.clone(), *revision)).collect());
            }
            Request::ForgetKeys => {
                let queued = self.queue.iter().filter(|it| it.left.is_none()).map(|it| it.published);
                let oldest = queued.min().unwrap_or(self.time).min(self.time);
                let remember = self.remember;
                self.attempts.retain(|_, (_, at, _)| *at + remember >= oldest);
            }
        }
        Reply::Done(0)
    }

    fn store_event(&mut self, now: Instant, event: Event) -> Reply {
        let (kind, about, detail) = event.identity();
        if !self.identities.insert((kind, about.into(), detail.into())) {
            return Reply::Conflict;
        }
        self.events.push((now, event));
        Reply::Done(self.next_revision())
    }
}
