//! The accounts of a server that have a bind or a delivery.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::connection::{AccountName, BindRefusal};
use super::connection_table::Chain;
use super::options::BindLimits;
use crate::pdu::BindMode;
use crate::session::RateMeter;
use crate::time::Instant;

/// How many accounts without a connection or a delivery are kept at most, because messages still count for their rate limits.
const MAX_RETAINED: usize = 1024;

/// An account.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) name: AccountName,
    /// The binds that count, by mode.
    binds: [u32; 3],
    /// The connections that are bound, or were and have not ended.
    pub(super) members: Chain,
    /// The binds that take a delivery and have none in flight.
    pub(super) idle: Chain,
    /// The binds that take a delivery, with others in flight.
    pub(super) busy: Chain,
    /// The rate limit of all binds, and what it has counted.
    pub(super) meter: Option<RateMeter>,
    /// The deliveries that wait for a bind, the oldest first.
    waiting: BTreeSet<u64>,
    /// Those of them that are only for an account that is bound.
    waiting_for_bind: BTreeSet<u64>,
    /// The deliveries without an outcome.
    pub(super) deliveries: usize,
    /// The octets of their PDUs.
    pub(super) octets: usize,
    /// Whether it is in the list of accounts that may have something to assign.
    pub(super) is_scheduled: bool,
    /// Until when it is kept, although it has neither a connection nor a delivery.
    retained_until: Option<Instant>,
}

/// The accounts.
#[derive(Debug, Default)]
pub(super) struct AccountTable {
    slots: Vec<Option<Box<Account>>>,
    free: Vec<u32>,
    names: BTreeMap<AccountName, u32>,
    /// The accounts that are kept although they have neither a connection nor a delivery. Otherwise an ESME could evade the rate
    /// limit of its account with a new connection.
    retained: BTreeSet<(Instant, u32)>,
}

const fn position(mode: BindMode) -> usize {
    match mode {
        BindMode::Receiver => 0,
        BindMode::Transmitter => 1,
        BindMode::Transceiver => 2,
    }
}

impl Account {
    fn new(name: AccountName) -> Self {
        Self {
            name,
            binds: [0; 3],
            members: Chain::EMPTY,
            idle: Chain::EMPTY,
            busy: Chain::EMPTY,
            meter: None,
            waiting: BTreeSet::new(),
            waiting_for_bind: BTreeSet::new(),
            deliveries: 0,
            octets: 0,
            is_scheduled: false,
            retained_until: None,
        }
    }

    /// Returns how many binds count.
    pub(super) fn binds(&self) -> usize {
        self.binds.iter().sum::<u32>() as usize
    }

    /// Returns whether a bind receives.
    pub(super) const fn has_receiver(&self) -> bool {
        let [receivers, _, transceivers] = self.binds;
        receivers + transceivers > 0
    }

    pub(super) fn add_bind(&mut self, mode: BindMode) {
        if let Some(count) = self.binds.get_mut(position(mode)) {
            *count += 1;
        }
    }

    pub(super) fn remove_bind(&mut self, mode: BindMode) {
        if let Some(count) = self.binds.get_mut(position(mode)) {
            *count = count.saturating_sub(1);
        }
    }

    /// Returns the delivery that waits longest.
    pub(super) fn first_waiting(&self) -> Option<u64> {
        self.waiting.first().copied()
    }

    /// Returns a delivery that waits for nothing, because it is only for an account that is bound, and no bind receives.
    pub(super) fn first_without_bind(&self) -> Option<u64> {
        self.waiting_for_bind.first().copied().filter(|_| !self.has_receiver())
    }

    pub(super) fn add_waiting(&mut self, id: u64, only_if_bound: bool) {
        self.waiting.insert(id);
        if only_if_bound {
            self.waiting_for_bind.insert(id);
        }
    }

    pub(super) fn remove_waiting(&mut self, id: u64) {
        self.waiting.remove(&id);
        self.waiting_for_bind.remove(&id);
    }

    fn held(&self, mode: BindMode) -> u32 {
        self.binds.get(position(mode)).copied().unwrap_or_default()
    }
}

/// Checks whether an account, if there is one, may have another bind.
pub(super) fn check_limits(
    account: Option<&Account>,
    limits: BindLimits,
    mode: BindMode,
) -> Result<(), BindRefusal> {
    let (total, same) = account.map_or((0, 0), |account| (account.binds(), account.held(mode)));
    if total >= limits.total.into() {
        Err(BindRefusal::TooManyBinds)
    } else if same >= limits.of(mode).into() {
        Err(BindRefusal::TooManyOfMode)
    } else {
        Ok(())
    }
}

impl AccountTable {
    pub(super) fn find(&self, name: &[u8]) -> Option<u32> {
        self.names.get(name).copied()
    }

    pub(super) fn get(&self, index: u32) -> Option<&Account> {
        self.slots.get(index as usize)?.as_deref()
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Account> {
        self.slots.get_mut(index as usize)?.as_deref_mut()
    }

    pub(super) fn len(&self) -> usize {
        self.names.len() - self.retained.len()
    }

    /// Returns the account with this name to add a bind or a delivery to it, and creates it if there is none.
    pub(super) fn find_or_insert(&mut self, name: &AccountName) -> u32 {
        if let Some(index) = self.find(name.as_bytes()) {
            self.end_retention(index);
            return index;
        }
        let account = Some(Box::new(Account::new(name.clone())));
        let index = if let Some(index) = self.free.pop() {
            if let Some(slot) = self.slots.get_mut(index as usize) {
                *slot = account;
            }
            index
        } else {
            self.slots.push(account);
            self.slots.len() as u32 - 1
        };
        self.names.insert(name.clone(), index);
        index
    }

    /// Removes an account that has neither a connection nor a delivery: at once, or when no message counts for its rate limit
    /// any more.
    pub(super) fn remove_if_unused(&mut self, index: u32) {
        let Some(account) = self.get_mut(index) else { return };
        if account.members.first().is_some() || account.deliveries > 0 || account.is_scheduled {
            return;
        }
        let Some(until) = account.meter.as_ref().and_then(RateMeter::counts_until) else {
            return self.remove(index);
        };
        account.retained_until = Some(until);
        self.retained.insert((until, index));
        if self.retained.len() > MAX_RETAINED
            && let Some(&(_, first)) = self.retained.first()
        {
            self.remove(first);
        }
    }

    /// An account that was kept has a connection or a delivery again.
    pub(super) fn end_retention(&mut self, index: u32) {
        if let Some(until) = self.get_mut(index).and_then(|account| account.retained_until.take()) {
            self.retained.remove(&(until, index));
        }
    }

    fn remove(&mut self, index: u32) {
        self.end_retention(index);
        let Some(account) = self.slots.get_mut(index as usize).and_then(Option::take) else { return };
        self.names.remove(account.name.as_bytes());
        self.free.push(index);
    }

    /// Returns when to call [`remove_next_retained`](Self::remove_next_retained).
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.retained.first().map(|(at, _)| *at)
    }

    /// Removes an account that was kept until now. Returns whether there was one.
    pub(super) fn remove_next_retained(&mut self, now: Instant) -> bool {
        let Some(&(_, index)) = self.retained.first().filter(|(at, _)| *at <= now) else { return false };
        self.remove(index);
        true
    }
}
