//! [`Binds`]: how many binds an account keeps, in which modes, and at which endpoints.

use alloc::vec::Vec;

use crate::endpoint::Endpoint;
use crate::pdu::BindMode;

/// The binds that an account keeps: groups of them, each with its modes, its number of binds and its endpoints.
///
/// A group is connected to one [`Endpoint`] after the other: the next one is tried at once when every address of the one
/// before has failed (failover). A group without endpoints of its own uses [`Options::endpoints`](super::Options::endpoints).
///
/// ```
/// use smpp_proto::account::Binds;
/// use smpp_proto::{BindMode, Endpoint};
///
/// // Four transceivers, at the endpoints of the account.
/// assert_eq!(Binds::transceivers(4).count(), 4);
///
/// // Transmitters and receivers on different hosts.
/// let (tx, rx) = (Endpoint::tls("tx.example.com", 2776), Endpoint::tls("rx.example.com", 2776));
/// let binds = Binds::transmitters(2).at([tx]).and(Binds::receivers(1).at([rx]));
/// let modes: Vec<_> = binds.groups().iter().flat_map(|group| group.modes()).collect();
/// assert_eq!(modes, [BindMode::Transmitter, BindMode::Transmitter, BindMode::Receiver]);
///
/// // One bind on each of two hosts while both work; each host stands in for the other.
/// let (a, b) = (Endpoint::tls("a.example.com", 2776), Endpoint::tls("b.example.com", 2776));
/// let first = Binds::transceivers(1).at([a.clone(), b.clone()]);
/// let binds = first.and(Binds::transceivers(1).at([b, a]));
/// assert_eq!((binds.count(), binds.groups().len()), (2, 2));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Binds {
    groups: Vec<BindGroup>,
}

/// Binds that share their endpoints: a part of [`Binds`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BindGroup {
    modes: GroupModes,
    count: u16,
    endpoints: Vec<Endpoint>,
}

/// The modes of a group's binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum GroupModes {
    Transceivers,
    Transmitters,
    Receivers,
    /// A transmitter and a receiver for each of the count.
    Pairs,
}

impl Binds {
    /// No bind at all. The account keeps what it has accepted, and sends nothing.
    pub const NONE: Self = Self { groups: Vec::new() };

    fn group(modes: GroupModes, count: u16) -> Self {
        Self { groups: alloc::vec![BindGroup { modes, count, endpoints: Vec::new() }] }
    }

    /// Returns a group of this many transceivers.
    pub fn transceivers(count: u16) -> Self {
        Self::group(GroupModes::Transceivers, count)
    }

    /// Returns a group of this many transmitters. An account with transmitters only receives nothing: no receipts.
    pub fn transmitters(count: u16) -> Self {
        Self::group(GroupModes::Transmitters, count)
    }

    /// Returns a group of this many receivers. An account with receivers only sends nothing: messages wait in its queue.
    pub fn receivers(count: u16) -> Self {
        Self::group(GroupModes::Receivers, count)
    }

    /// Returns a group of this many transmitters and as many receivers at the same endpoints: receipts do not queue behind
    /// submissions.
    pub fn pairs(count: u16) -> Self {
        Self::group(GroupModes::Pairs, count)
    }

    /// Sets the endpoints of the last group, in the order in which they are tried: the next one is tried when all addresses
    /// of the one before have failed. The endpoint of the group's last accepted bind goes first. The system_id and the
    /// password of an endpoint are not used.
    #[must_use]
    pub fn at(mut self, endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        if let Some(last) = self.groups.last_mut() {
            last.endpoints = endpoints.into_iter().collect();
        }
        self
    }

    /// Adds the groups of `other` behind these.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.groups.extend(other.groups);
        self
    }

    /// Returns the number of connections of all groups; 65,535 if there are more.
    pub fn count(&self) -> u16 {
        self.groups.iter().fold(0, |count, group| count.saturating_add(group.count()))
    }

    /// Returns the groups.
    pub fn groups(&self) -> &[BindGroup] {
        &self.groups
    }
}

impl BindGroup {
    /// Returns the number of connections of the group; 65,535 if there are more.
    pub const fn count(&self) -> u16 {
        match self.modes {
            GroupModes::Pairs => self.count.saturating_mul(2),
            _ => self.count,
        }
    }

    /// Returns the mode of each bind. A pair begins with its transmitter.
    pub fn modes(&self) -> impl Iterator<Item = BindMode> + use<> {
        let modes = self.modes;
        (0..self.count()).map(move |index| match modes {
            GroupModes::Transceivers => BindMode::Transceiver,
            GroupModes::Pairs if index % 2 == 1 => BindMode::Receiver,
            GroupModes::Transmitters | GroupModes::Pairs => BindMode::Transmitter,
            GroupModes::Receivers => BindMode::Receiver,
        })
    }

    /// Returns the endpoints of the group, in the order in which they are tried; none if it uses those of the account.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }
}
