//! A model of JetStream: the queue, the events, the key-value stores. It does what a request says at the moment that it is
//! called; the network between decides when that is, and what is lost.

use std::collections::BTreeMap;
use std::time::Duration;

use smpp_gateway::node::{
    AckToken, Attempt, Event, EventKind, IdOwner, PhonePart, Priority, Reply, Request, StoredParts,
};
use smpp_proto::session::Instant;

/// How long an outcome is remembered.
const REMEMBER: Duration = Duration::from_secs(24 * 3600);

pub(crate) struct Engine {
    pub(crate) lease: Duration,
    pub(crate) ack_wait: Duration,
    /// How long it remembers the ids of events.
    pub(crate) window: Duration,
    pub(crate) queue: Vec<Queued>,
    /// The messages of the deliveries, by token.
    deliveries: Vec<usize>,
    pub(crate) events: Vec<(Instant, Event)>,
    event_ids: BTreeMap<String, Instant>,
    leases: BTreeMap<u16, (u64, String, Instant)>,
    nodes: BTreeMap<String, (bool, Instant)>,
    pub(crate) attempts: BTreeMap<String, (u64, Instant, Attempt)>,
    /// The ids, and when each was first stored.
    pub(crate) ids: BTreeMap<String, (IdOwner, Instant)>,
    parts: BTreeMap<(String, u8), (u64, PhonePart)>,
    told: BTreeMap<String, Vec<String>>,
    revision: u64,
}

/// A message in the queue.
pub(crate) struct Queued {
    pub(crate) priority: Priority,
    /// When it may be delivered.
    pub(crate) ready: Instant,
    pub(crate) is_deleted: bool,
}

impl Engine {
    pub(crate) const fn new(lease: Duration, ack_wait: Duration, window: Duration) -> Self {
        Self {
            lease,
            ack_wait,
            window,
            queue: Vec::new(),
            deliveries: Vec::new(),
            events: Vec::new(),
            event_ids: BTreeMap::new(),
            leases: BTreeMap::new(),
            nodes: BTreeMap::new(),
            attempts: BTreeMap::new(),
            ids: BTreeMap::new(),
            parts: BTreeMap::new(),
            told: BTreeMap::new(),
            revision: 0,
        }
    }

    fn next_revision(&mut self) -> u64 {
        self.revision += 1;
        self.revision
    }

    /// Publishes a message; its index is its sequence number.
    pub(crate) fn publish(&mut self, now: Instant, priority: Priority) {
        self.queue.push(Queued { priority, ready: now, is_deleted: false });
    }

    /// Delivers a message of the queue, if one is ready.
    pub(crate) fn deliver(&mut self, now: Instant, priority: Priority) -> Option<(AckToken, usize)> {
        let is_ready = |it: &Queued| it.priority == priority && !it.is_deleted && it.ready <= now;
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

    pub(crate) fn delete(&mut self, token: AckToken) {
        self.queued(token).is_deleted = true;
    }

    /// Returns how many leases the node holds.
    pub(crate) fn held(&self, now: Instant, instance: &str) -> usize {
        self.leases.values().filter(|(_, holder, ends)| holder == instance && *ends > now).count()
    }

    fn expire(&mut self, now: Instant) {
        self.leases.retain(|_, (_, _, ends)| *ends > now);
        self.nodes.retain(|_, (_, ends)| *ends > now);
        self.attempts.retain(|_, (_, at, attempt)| attempt.outcome.is_none() || *at + REMEMBER > now);
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
                self.attempts.insert(key, (revision, now, attempt));
                return Reply::Done(revision);
            }
            Request::ReadAttempt { key } => {
                let found = self.attempts.get(&key);
                let at = |at: &Instant| at.as_nanos().cast_signed();
                return Reply::Attempt(
                    found.map(|(it, written, attempt)| (*it, at(written), attempt.clone())),
                );
            }
            Request::StoreId { id, owner } => {
                self.ids.entry(id).or_insert((owner, now));
            }
            Request::FindId { ids } => {
                return Reply::Owner(ids.iter().find_map(|id| self.ids.get(id)).map(|(it, _)| it.clone()));
            }
            Request::Publish(event) => self.store_event(now, *event),
            Request::FindEvent { id, kind, since } => return Reply::Found(self.has_event(&id, kind, since)),
            Request::Acknowledge(token) | Request::Terminate(token) => self.delete(token),
            Request::StorePart(part) => {
                let revision = self.next_revision();
                self.parts.insert((part.group.clone(), part.number), (revision, *part));
            }
            Request::ReadParts { group } => {
                let of_group = self.parts.iter().filter(|((it, _), _)| *it == group);
                let parts = of_group.map(|(_, stored)| stored.clone()).collect();
                return Reply::Parts(StoredParts {
                    parts,
                    told: self.told.get(&group).cloned().unwrap_or_default(),
                });
            }
            Request::FinishParts { group, up_to, digests } => {
                self.told.insert(group.clone(), digests);
                self.parts.retain(|(it, _), (sequence, _)| *it != group || *sequence > up_to);
            }
        }
        Reply::Done(0)
    }

    fn store_event(&mut self, now: Instant, event: Event) {
        let is_known = self.event_ids.get(&event.id).is_some_and(|at| *at + self.window > now);
        if !is_known {
            self.event_ids.insert(event.id.clone(), now);
            self.events.push((now, event));
        }
    }

    fn has_event(&self, id: &str, kind: EventKind, since: i64) -> bool {
        let is_it = |(at, event): &(Instant, Event)| {
            event.id == id && event.kind() == kind && at.as_nanos().cast_signed() >= since
        };
        self.events.iter().any(is_it)
    }
}
