//! The accounts of a server that have a bind or a delivery.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::connection::{AccountName, BindRefusal};
use super::connection_table::Chain;
use super::options::BindLimits;
use crate::pdu::BindMode;
use crate::session::RateMeter;

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
    pub(super) waiting: BTreeSet<u64>,
    /// The deliveries without an outcome.
    pub(super) deliveries: usize,
    /// The octets of their PDUs.
    pub(super) octets: usize,
    /// How many of the deliveries are only for an account that is bound.
    pub(super) only_if_bound: usize,
    /// Whether it is in the list of accounts that may have something to assign.
    pub(super) is_scheduled: bool,
}

/// The accounts.
#[derive(Debug, Default)]
pub(super) struct AccountTable {
    slots: Vec<Option<Box<Account>>>,
    free: Vec<u32>,
    names: BTreeMap<AccountName, u32>,
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
            deliveries: 0,
            octets: 0,
            only_if_bound: 0,
            is_scheduled: false,
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
        self.names.len()
    }

    /// Returns the account with this name, and creates it if there is none.
    pub(super) fn find_or_insert(&mut self, name: &AccountName) -> u32 {
        if let Some(index) = self.find(name.as_bytes()) {
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

    /// Removes an account that has neither a connection nor a delivery.
    pub(super) fn remove_if_unused(&mut self, index: u32) {
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        let is_unused = |account: &mut Box<Account>| {
            account.members.first().is_none() && account.deliveries == 0 && !account.is_scheduled
        };
        let Some(account) = slot.take_if(is_unused) else { return };
        self.names.remove(account.name.as_bytes());
        self.free.push(index);
    }
}
