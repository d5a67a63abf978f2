//! Which binds the node may have: leases, each renewed long before it ends, and a fair share of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use smpp_proto::session::Instant;

use super::protocol::{Command, Reply, Request};
use super::timers::Timer;
use super::{Node, Purpose};

/// The leases of the node, and what it knows about the other nodes.
#[derive(Debug, Default)]
pub(super) struct Leases {
    held: BTreeMap<u16, Lease>,
    /// Those that are being created.
    creating: BTreeSet<u16>,
    /// The nodes that share the binds, this one not included.
    sharing: BTreeSet<String>,
    /// All nodes that live, this one not included.
    alive: BTreeSet<String>,
    /// What the account was told last.
    target: u16,
    /// The connections of the account that are not closed.
    open: u16,
    /// The binds that the SMSC has accepted.
    bound: u16,
    /// How many [`Command::SetBinds`] the driver has not taken yet.
    queued_sets: u32,
    /// Whether the connections were reported after the last of them.
    is_current: bool,
    put_pending: bool,
    list_pending: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Held,
    /// It is deleted once a connection is closed.
    GivingUp,
    Deleting,
}

#[derive(Debug)]
struct Lease {
    revision: u64,
    /// When the last write that succeeded was sent: the engine lets it live for the whole time from a later moment on.
    renewed: Instant,
    phase: Phase,
    /// A request about it has no reply yet.
    is_pending: bool,
}

/// What a request about leases and nodes was for.
#[derive(Clone, Copy, Debug)]
pub(super) enum MemberPurpose {
    Put,
    Delete,
    List,
    Create(u16),
    /// A lease, and the revision that the request names.
    Renew(u16, u64),
    Read(u16),
    DeleteLease(u16),
}

impl Leases {
    pub(super) const fn target(&self) -> u16 {
        self.target
    }

    pub(super) const fn bound(&self) -> u16 {
        self.bound
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = u16> {
        self.held.keys().copied()
    }

    pub(super) fn is_alive(&self, instance: &str) -> bool {
        self.alive.contains(instance)
    }

    /// The driver has carried out a [`Command::SetBinds`].
    pub(super) const fn binds_were_set(&mut self) {
        self.queued_sets -= 1;
    }

    /// Returns how many leases the account may still use a connection for.
    fn allowed(&self) -> u16 {
        self.held.values().filter(|lease| lease.phase != Phase::Deleting).count() as u16
    }
}

impl<M> Node<M> {
    /// The account uses the leases until then.
    fn stop_at(&self, lease: &Lease) -> Instant {
        lease.renewed + self.options.lease * 2 / 3
    }

    /// Connections are closed by force then, a twelfth of the lease before the engine deletes it.
    fn close_at(&self, lease: &Lease) -> Instant {
        lease.renewed + self.options.lease * 11 / 12
    }

    /// Renews the node's entry and its leases, and asks who else lives.
    pub(super) fn renew_members(&mut self) {
        self.timers.set(Timer::Members, self.now + self.options.lease / 3);
        self.put_entry();
        if !self.leases.list_pending {
            self.leases.list_pending = true;
            self.request(Request::ListMembers, Purpose::Member(MemberPurpose::List));
        }
        for number in self.leases() {
            self.renew(number);
        }
    }

    /// Renews the node's entry: without it the others take its messages for those of a node that has died.
    pub(super) fn put_entry(&mut self) {
        if !self.leases.put_pending && !self.is_gone {
            self.leases.put_pending = true;
            let request = Request::PutNode { binds: self.leases.bound, leaving: self.is_draining };
            self.request(request, Purpose::Member(MemberPurpose::Put));
        }
    }

    /// Renews a lease, unless it is deleted or a request about it has no reply yet.
    pub(super) fn renew(&mut self, number: u16) {
        let lease = self.leases.held.get_mut(&number);
        let Some(lease) = lease.filter(|it| it.phase != Phase::Deleting && !it.is_pending) else { return };
        lease.is_pending = true;
        let revision = lease.revision;
        let purpose = Purpose::Member(MemberPurpose::Renew(number, revision));
        self.request(Request::RenewLease { lease: number, revision }, purpose);
    }

    /// Handles a reply about leases and nodes. `sent` is when its request was sent.
    pub(super) fn handle_member_reply(&mut self, sent: Instant, purpose: MemberPurpose, reply: Reply) {
        match (purpose, reply) {
            (MemberPurpose::Put, reply) => {
                self.leases.put_pending = false;
                if reply == Reply::Failed {
                    self.timers.set(Timer::Entry, self.now + self.options.retry);
                }
            }
            (MemberPurpose::Delete, reply) => {
                if matches!(reply, Reply::Failed) {
                    // The entry ends by itself if it is not renewed.
                    self.is_gone = true;
                }
            }
            (MemberPurpose::List, reply) => {
                self.leases.list_pending = false;
                if let Reply::Members { nodes, leaving, leases } = reply {
                    let others = |all: Vec<String>| all.into_iter().filter(|it| *it != self.instance);
                    let sharing: BTreeSet<String> = others(nodes).collect();
                    let mut alive = sharing.clone();
                    alive.extend(others(leaving));
                    self.leases.sharing = sharing;
                    self.leases.alive = alive;
                    self.balance(&leases.into_iter().collect());
                }
            }
            (MemberPurpose::Create(number), reply) => {
                self.leases.creating.remove(&number);
                if let Reply::Done(revision) = reply {
                    self.handle_created(sent, number, revision);
                }
            }
            (MemberPurpose::Renew(number, revision), reply) => {
                let Some(lease) = self.leases.held.get_mut(&number) else { return };
                if lease.revision != revision {
                    return;
                }
                lease.is_pending = false;
                match reply {
                    Reply::Done(revision) => {
                        (lease.revision, lease.renewed) = (revision, sent);
                        self.check_leases();
                    }
                    Reply::Conflict => {
                        // Perhaps an earlier renewal was carried out, and its reply lost.
                        lease.is_pending = true;
                        let purpose = Purpose::Member(MemberPurpose::Read(number));
                        self.request(Request::ReadLease { lease: number }, purpose);
                    }
                    _ => self.timers.set(Timer::Renew(number), self.now + self.options.retry),
                }
            }
            (MemberPurpose::Read(number), reply) => {
                let Some(lease) = self.leases.held.get_mut(&number) else { return };
                lease.is_pending = false;
                match reply {
                    Reply::Lease(Some((revision, holder))) if holder == self.instance => {
                        lease.revision = revision;
                        self.renew(number);
                    }
                    Reply::Lease(_) => self.lose(number),
                    _ => self.timers.set(Timer::Renew(number), self.now + self.options.retry),
                }
            }
            (MemberPurpose::DeleteLease(number), _) => {
                // If it was not deleted, it ends by itself: it is not renewed.
                if self.leases.held.get(&number).is_some_and(|lease| lease.phase == Phase::Deleting) {
                    self.leases.held.remove(&number);
                }
            }
        }
    }

    fn handle_created(&mut self, sent: Instant, number: u16, revision: u64) {
        let lease = Lease { revision, renewed: sent, phase: Phase::Held, is_pending: false };
        let is_late = self.now >= self.stop_at(&lease);
        if is_late || self.is_draining || self.leases.held.contains_key(&number) {
            let purpose = Purpose::Member(MemberPurpose::DeleteLease(number));
            self.request(Request::DeleteLease { lease: number, revision }, purpose);
            return;
        }
        self.leases.held.insert(number, lease);
        self.check_leases();
    }

    /// Returns how many of the binds are the share of this node. The shares of all nodes add up.
    fn share(&self) -> usize {
        if self.is_draining {
            return 0;
        }
        let nodes = self.leases.sharing.len() + 1;
        let before = self.leases.sharing.iter().filter(|other| **other < self.instance).count();
        let binds = usize::from(self.options.max_binds);
        binds / nodes + usize::from(before < binds % nodes)
    }

    /// Gives up leases beyond the share, or takes those that are free.
    fn balance(&mut self, taken: &BTreeSet<u16>) {
        let share = self.share();
        let mut kept = self.leases.held.values().filter(|lease| lease.phase == Phase::Held).count();
        for lease in self.leases.held.values_mut().rev() {
            if kept > share && lease.phase == Phase::Held {
                lease.phase = Phase::GivingUp;
                kept -= 1;
            } else if kept < share && lease.phase == Phase::GivingUp {
                lease.phase = Phase::Held;
                kept += 1;
            }
        }
        kept += self.leases.creating.len();
        let free = (0..self.options.max_binds).filter(|number| {
            let leases = &self.leases;
            !taken.contains(number) && !leases.held.contains_key(number) && !leases.creating.contains(number)
        });
        let wanted: Vec<u16> = free.take(share.saturating_sub(kept)).collect();
        for number in wanted {
            self.leases.creating.insert(number);
            let purpose = Purpose::Member(MemberPurpose::Create(number));
            self.request(Request::CreateLease { lease: number }, purpose);
        }
        self.check_leases();
    }

    /// Gives up all leases: the node ends.
    pub(super) fn give_up_leases(&mut self) {
        self.balance(&BTreeSet::new());
    }

    /// Another node has the lease, or nobody.
    fn lose(&mut self, number: u16) {
        self.leases.held.remove(&number);
        self.commands.push_back(Command::CloseConnections(self.leases.allowed()));
        self.check_leases();
    }

    /// Adapts the account's binds to the leases, and ends those that could not be renewed.
    pub(super) fn check_leases(&mut self) {
        let ended: Vec<u16> = self
            .leases
            .held
            .iter()
            .filter(|(_, lease)| self.close_at(lease) <= self.now)
            .map(|(number, _)| *number)
            .collect();
        let has_ended = !ended.is_empty();
        for number in ended {
            self.leases.held.remove(&number);
        }
        if has_ended {
            self.commands.push_back(Command::CloseConnections(self.leases.allowed()));
        }
        let usable = |lease: &&Lease| lease.phase == Phase::Held && self.stop_at(lease) > self.now;
        let target = self.leases.held.values().filter(usable).count() as u16;
        if target != self.leases.target {
            self.leases.target = target;
            self.leases.queued_sets += 1;
            self.leases.is_current = false;
            self.commands.push_back(Command::SetBinds(target));
            if target == 0 {
                self.release_unsent();
            }
        }
        let next = self.leases.held.values().map(|lease| match self.stop_at(lease) {
            stop if stop > self.now => stop,
            _ => self.close_at(lease),
        });
        match next.min() {
            Some(next) => self.timers.set(Timer::Leases, next),
            None => self.timers.clear(Timer::Leases),
        }
        self.delete_unused();
        self.advance_work();
    }

    /// Deletes the leases to give up for which no connection is left.
    fn delete_unused(&mut self) {
        while self.leases.is_current && self.leases.open < self.leases.allowed() {
            let unused = self
                .leases
                .held
                .iter_mut()
                .rev()
                .find(|(_, lease)| lease.phase == Phase::GivingUp && !lease.is_pending);
            let Some((&number, lease)) = unused else { return };
            lease.phase = Phase::Deleting;
            let revision = lease.revision;
            let purpose = Purpose::Member(MemberPurpose::DeleteLease(number));
            self.request(Request::DeleteLease { lease: number, revision }, purpose);
        }
    }

    /// Reports the connections of the account: how many are not closed, and how many of them are bound. After
    /// [`Command::SetBinds`] the account opens none beyond that number.
    pub fn handle_binds(&mut self, now: Instant, open: u16, bound: u16) {
        self.now = now;
        (self.leases.open, self.leases.bound) = (open, bound);
        self.leases.is_current = self.leases.queued_sets == 0;
        self.check_leases();
    }

    /// Deletes the node's entry, as the last thing before it ends.
    pub(super) fn delete_entry(&mut self) {
        self.is_gone = true;
        self.request(Request::DeleteNode, Purpose::Member(MemberPurpose::Delete));
    }

    /// Returns how long the node may be without the engine before it gives up its binds: two thirds of a lease.
    pub fn grace(&self) -> Duration {
        self.options.lease * 2 / 3
    }
}
