//! The groups of binds while the account runs: where their connections go, and which slot serves which bind.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::binds::Binds;
use super::options::Options;
use crate::endpoint::Endpoint;
use crate::pdu::BindMode;
use crate::time::Instant;

/// What the account keeps for a group of [`Binds`].
pub(super) struct Group {
    /// Where its connections go, in the order of the options. Without any, the adapter has one endpoint of its own.
    endpoints: Vec<Endpoint>,
    /// The endpoint and the address of the last bind that was accepted.
    last_good: Option<(Option<Endpoint>, SocketAddr)>,
    pub(super) backoff: UnboundBackoff,
}

/// The back-off that all slots of a group share while the group has no bind.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnboundBackoff {
    pub(super) until: Instant,
    pub(super) failures: u32,
}

/// The bind that a slot serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The index of the group.
    pub(super) group: usize,
    pub(super) mode: BindMode,
}

/// Where a slot's connection goes, and where it goes next if that fails.
#[derive(Debug, Default)]
pub(super) struct Route {
    /// The endpoint of the current or last connection.
    pub(super) endpoint: Option<Endpoint>,
    /// The addresses of the endpoint that were not tried yet.
    pub(super) addresses: VecDeque<SocketAddr>,
    /// The endpoints of the group that were not tried yet.
    pub(super) endpoints: VecDeque<Endpoint>,
}

impl Route {
    /// Forgets what was not tried yet.
    pub(super) fn end(&mut self) {
        self.addresses.clear();
        self.endpoints.clear();
    }

    /// Returns whether every address of every endpoint was tried.
    pub(super) fn is_at_end(&self) -> bool {
        self.addresses.is_empty() && self.endpoints.is_empty()
    }
}

impl Group {
    /// Returns the groups of these binds. They keep what the account has learned about their endpoints.
    pub(super) fn all(now: Instant, options: &Options, before: &[Self]) -> Vec<Self> {
        let endpoints = |binds: &Binds| -> Vec<Vec<Endpoint>> {
            let own = binds.groups().iter().map(super::binds::BindGroup::endpoints);
            own.map(|own| if own.is_empty() { options.endpoints.clone() } else { own.to_vec() }).collect()
        };
        let new = |endpoints: Vec<Endpoint>| {
            let known = before.iter().find(|group| group.has_endpoints(&endpoints));
            let backoff = UnboundBackoff { until: now, failures: 0 };
            Self {
                endpoints,
                last_good: known.and_then(|known| known.last_good.clone()),
                backoff: known.map_or(backoff, |known| known.backoff),
            }
        };
        endpoints(&options.binds).into_iter().map(new).collect()
    }

    /// Returns whether these are the group's endpoints, in its order.
    fn has_endpoints(&self, endpoints: &[Endpoint]) -> bool {
        self.endpoints.len() == endpoints.len()
            && self.endpoints.iter().zip(endpoints).all(|(own, other)| own.is_same_place(other))
    }

    /// Returns whether the connections of the group may go there.
    pub(super) fn has_endpoint(&self, endpoint: Option<&Endpoint>) -> bool {
        match endpoint {
            None => self.endpoints.is_empty(),
            Some(endpoint) => self.endpoints.iter().any(|own| own.is_same_place(endpoint)),
        }
    }

    /// Returns where a new attempt goes: first to the endpoint of the last accepted bind.
    pub(super) fn route(&self) -> Route {
        let good = self.last_good.as_ref().and_then(|(endpoint, _)| endpoint.as_ref());
        let mut endpoints: VecDeque<Endpoint> = VecDeque::new();
        let known = good.filter(|good| self.has_endpoint(Some(good)));
        for endpoint in known.into_iter().chain(&self.endpoints) {
            if !endpoints.iter().any(|other| other.is_same_place(endpoint)) {
                endpoints.push_back(endpoint.clone());
            }
        }
        Route { endpoint: endpoints.pop_front(), addresses: VecDeque::new(), endpoints }
    }

    /// Returns each address once, the one of the last accepted bind first.
    pub(super) fn ordered(
        &self,
        endpoint: Option<&Endpoint>,
        addresses: &[SocketAddr],
    ) -> VecDeque<SocketAddr> {
        let mut ordered = VecDeque::new();
        let good = self.last_good.as_ref().filter(|(good, _)| is_same(good.as_ref(), endpoint));
        let first = addresses.iter().filter(|address| good.is_some_and(|(_, good)| good == *address));
        for address in first.chain(addresses) {
            if !ordered.contains(address) {
                ordered.push_back(*address);
            }
        }
        ordered
    }

    /// Records an accepted bind.
    pub(super) fn record_bound(&mut self, endpoint: Option<&Endpoint>, address: SocketAddr) {
        self.last_good = Some((endpoint.cloned(), address));
    }
}

fn is_same(left: Option<&Endpoint>, right: Option<&Endpoint>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => left.is_same_place(right),
        (left, right) => left.is_none() && right.is_none(),
    }
}

/// What a slot does, from what is best kept to what is best replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Activity {
    Bound,
    /// It resolves, connects, binds or closes.
    Busy,
    Idle,
}

/// What [`assign`] considers of a slot.
pub(super) struct Candidate<'a> {
    /// The bind that it serves now.
    pub(super) wanted: Option<Wanted>,
    pub(super) activity: Activity,
    /// The mode of its open connection.
    pub(super) mode: Option<BindMode>,
    /// Where its open connection goes.
    pub(super) endpoint: Option<&'a Endpoint>,
}

/// Decides which slot serves which bind, so that as few connections as possible end: the slots that serve such a bind
/// already keep it, then the connections with the mode and an endpoint of a bind, then those with its mode alone.
pub(super) fn assign(
    slots: &[Candidate<'_>],
    before: &[Group],
    (binds, groups): (&Binds, &[Group]),
    max_binds: u16,
) -> Vec<Option<Wanted>> {
    let mut order: Vec<usize> = (0..slots.len()).collect();
    order.sort_by_key(|index| (slots.get(*index).map(|slot| slot.activity), *index));
    let all = binds.groups().iter().enumerate();
    let mut open: Vec<Wanted> =
        all.flat_map(|(group, binds)| binds.modes().map(move |mode| Wanted { group, mode })).collect();
    let mut assigned = alloc::vec![None; slots.len()];
    let mut take = |fits: &dyn Fn(&Candidate<'_>, Wanted, Option<&Group>) -> bool, order: &[usize]| {
        for index in order {
            let (Some(slot), Some(place)) = (slots.get(*index), assigned.get_mut(*index)) else { continue };
            let fits = |wanted: &Wanted| fits(slot, *wanted, groups.get(wanted.group));
            if place.is_none()
                && let Some(position) = open.iter().position(fits)
            {
                *place = Some(open.remove(position));
            }
        }
    };
    take(
        &|slot, wanted, group| {
            let serves = slot.wanted.filter(|serves| serves.mode == wanted.mode);
            let from = serves.and_then(|serves| before.get(serves.group));
            group.zip(from).is_some_and(|(group, from)| group.has_endpoints(&from.endpoints))
        },
        &order,
    );
    take(
        &|slot, wanted, group| {
            slot.mode == Some(wanted.mode) && group.is_some_and(|group| group.has_endpoint(slot.endpoint))
        },
        &order,
    );
    take(&|slot, wanted, _| slot.mode == Some(wanted.mode), &order);
    // The rest begin in the idle slots, below the limit.
    order.retain(|index| *index < usize::from(max_binds));
    order.sort_by_key(|index| (slots.get(*index).is_none_or(|slot| slot.activity != Activity::Idle), *index));
    take(&|_, _, _| true, &order);
    assigned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_goes_to_each_endpoint_of_the_group_once_the_last_good_one_first() {
        let [a, b, former] = ["a", "b", "former"].map(|host| Endpoint::plain(host, 2775));
        let good =
            |endpoint: &Endpoint| Some((Some(endpoint.clone()), SocketAddr::from(([192, 0, 2, 1], 2775))));
        let route = |last_good| {
            let backoff = UnboundBackoff { until: Instant::ZERO, failures: 0 };
            let Route { endpoint, endpoints, .. } =
                Group { endpoints: alloc::vec![a.clone(), b.clone()], last_good, backoff }.route();
            endpoint.into_iter().chain(endpoints).map(|endpoint| endpoint.host).collect::<Vec<_>>()
        };
        assert_eq!(route(None), ["a", "b"]);
        assert_eq!(route(good(&b)), ["b", "a"]);
        assert_eq!(route(good(&former)), ["a", "b"], "it is no longer one of the group");
    }

    #[test]
    fn a_connection_serves_a_bind_with_its_endpoint_rather_than_the_first_with_its_mode() {
        let [a, b, c] = ["a", "b", "c"].map(|host| Endpoint::plain(host, 2775));
        let mode = BindMode::Transceiver;
        let binds = Binds::transceivers(1).and(Binds::transceivers(1));
        let group = |endpoints: [&Endpoint; 2]| Group {
            endpoints: endpoints.map(Endpoint::clone).into(),
            last_good: None,
            backoff: UnboundBackoff { until: Instant::ZERO, failures: 0 },
        };
        let slot = |endpoint| Candidate {
            wanted: None,
            activity: Activity::Bound,
            mode: Some(mode),
            endpoint: Some(endpoint),
        };
        let groups = [group([&b, &c]), group([&c, &a])];
        let assigned = assign(&[slot(&a), slot(&b)], &[], (&binds, &groups), 9);
        assert_eq!(assigned, [1, 0].map(|group| Some(Wanted { group, mode })));
    }
}
