//! What the seed decides about the server that is the SMSC.

use smpp_proto::server::{BindLimits, DeliveryOptions, Options};
use smpp_proto::session::{Config, Rate};
use smpp_proto::{CommandStatus, InterfaceVersion};

use super::super::harness::rng::Rng;
use super::super::harness::{span, ticks};

/// Of a thousand scenarios so many have a server as their SMSC. The others have a scripted one, which delivers on any bind
/// and forgets nothing.
pub(crate) const SERVER_SHARE: u64 = 800;

/// The server, and how its adapter and the application use it.
#[derive(Clone, Debug)]
pub(crate) struct ServerSettings {
    pub(crate) options: Options,
    /// How long the adapter takes to close a connection, at most, in ticks.
    pub(crate) close_delay: u64,
    /// Probabilities in a thousand of deliveries that are only for a bind, and of those that are sent at most once.
    pub(crate) only_if_bound: u64,
    pub(crate) at_most_once: u64,
    /// The longest time that a shutdown takes, in ticks.
    pub(crate) shutdown: u64,
}

impl ServerSettings {
    /// Draws the settings of a server that allows so many binds of the account.
    pub(crate) fn new(rng: &mut Rng, max_binds: u16) -> Self {
        let spare = |rng: &mut Rng| rng.pick(&[0, 1, 2, 20]);
        let rate = |rng: &mut Rng| rng.chance(150).then(|| Rate::per_second(rng.within(5..=60) as u32));
        let options = Options::default()
            // The account needs so many connections.
            .connections(usize::from(max_binds) + spare(rng))
            .connections_per_address(usize::from(max_binds) + spare(rng))
            .unbound_connections(rng.pick(&[0, 1, 3, 20]))
            .unbound_octets(rng.pick(&[64, 300, 1 << 20]))
            .unbound_pdu(rng.pick(&[120, 1024]))
            .binds(BindLimits::total(max_binds))
            .binds_status(rng.pick(&[
                CommandStatus::RALYBND,
                CommandStatus::RALYBND,
                CommandStatus::RBINDFAIL,
                CommandStatus::RSYSERR,
            ]))
            .rate(rate(rng))
            .account_rate(rate(rng))
            .rate_status(rng.pick(&[CommandStatus::RTHROTTLED, CommandStatus::RMSGQFUL]))
            .decision_timeout(span(rng, 50, 1000))
            .interface_version(rng.pick(&[None, Some(InterfaceVersion::V3_4)]))
            .deliveries(
                DeliveryOptions::default()
                    .capacity(rng.pick(&[2, 10, 1000]))
                    .octets(rng.pick(&[1_000, 1 << 20]))
                    .max_age(span(rng, 100, 10_000))
                    .max_attempts(rng.pick(&[0, 1, 3, 100]))
                    .retry_interval(span(rng, 0, 100)),
            );
        Self {
            options,
            close_delay: rng.pick(&[0, 5, 30]),
            only_if_bound: rng.pick(&[0, 300]),
            at_most_once: rng.pick(&[0, 300]),
            shutdown: rng.pick(&[0, 50, 400]),
        }
    }
}

/// The configuration of the sessions of the SMSC.
pub(crate) fn config() -> Config {
    Config::default()
        .window(4)
        .max_unanswered(1000)
        .response_timeout(ticks(400))
        .enquire_link_interval(ticks(400))
        .session_init_timeout(ticks(300))
        .drain_timeout(ticks(50))
}
