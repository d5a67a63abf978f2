//! What the seed decides before the simulation starts.

use std::time::Duration;

use smpp_proto::server::{BindLimits, DeliveryOptions, Options};
use smpp_proto::session::{Config, Rate};
use smpp_proto::{CommandStatus, Tolerance};

use super::harness::link::PipeSettings;
use super::harness::rng::Rng;
use super::harness::{span, ticks};
use super::model::Limits;

#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) options: Options,
    pub(crate) config: Config,
    pub(crate) way: PipeSettings,
    /// How many clients connect.
    pub(crate) clients: usize,
    /// How many addresses they have.
    pub(crate) addresses: usize,
    /// The longest time between two connections, in ticks.
    pub(crate) connect_pause: u64,
    /// The system_ids differ in their case, and name the same accounts.
    pub(crate) ignores_case: bool,
    /// What the application states for its binds; `None` for the default of the server.
    pub(crate) binds: Option<BindLimits>,
    pub(crate) account_rate: Option<Rate>,
    pub(crate) tolerance: Option<Tolerance>,
    /// Probabilities in a thousand.
    pub(crate) floods: u64,
    pub(crate) proxied: u64,
    pub(crate) quirks: u64,
    pub(crate) misbehaves: u64,
    pub(crate) never_decides: u64,
    pub(crate) never_replies: u64,
    pub(crate) refuses: u64,
    /// The longest times, in ticks.
    pub(crate) header_delay: u64,
    pub(crate) decision_delay: u64,
    pub(crate) reply_delay: u64,
    pub(crate) close_delay: u64,
    pub(crate) client_pause: u64,
    /// How late the timers run.
    pub(crate) lateness: Duration,
    pub(crate) shutdown_timeout: Duration,
    /// When the server is shut down, if that is before the clients are done.
    pub(crate) early_shutdown: Option<Duration>,
}

fn limits(rng: &mut Rng) -> BindLimits {
    let total = rng.within(0..=5) as u16;
    if rng.chance(500) {
        return BindLimits::total(total);
    }
    let mut some = || rng.within(0..=3) as u16;
    BindLimits::total(total).transmitters(some()).receivers(some()).transceivers(some())
}

impl Scenario {
    pub(crate) const fn limits(&self) -> Limits<'_> {
        Limits {
            options: &self.options,
            config: &self.config,
            binds: self.binds,
            account_rate: self.account_rate,
            lateness: self.lateness,
        }
    }

    pub(crate) fn new(rng: &mut Rng) -> Self {
        let is_large = rng.chance(20);
        let connections = if is_large { 400 } else { rng.within(1..=12) as usize };
        let rate = |rng: &mut Rng| rng.chance(400).then(|| Rate::per_second(rng.within(1..=6) as u32));
        let options = Options::default()
            .connections(connections)
            .connections_per_address(if is_large { 100 } else { rng.within(1..=8) as usize })
            .unbound_connections(rng.within(0..=connections as u64) as usize)
            .unbound_octets(rng.pick(&[40, 300, 5_000, 1 << 20]))
            .unbound_pdu(rng.pick(&[120, 1024]))
            .binds(if is_large { BindLimits::total(300) } else { limits(rng) })
            .binds_status(rng.pick(&[
                CommandStatus::RALYBND,
                CommandStatus::RBINDFAIL,
                CommandStatus::RSYSERR,
            ]))
            .rate(rate(rng))
            .account_rate(rate(rng))
            .decision_timeout(span(rng, 0, 200))
            .deliveries(
                DeliveryOptions::default()
                    .capacity(rng.within(0..=8) as usize)
                    .octets(rng.pick(&[80, 400, 100_000]))
                    .total_octets(rng.pick(&[100, 1_000, 1_000_000]))
                    .max_age(span(rng, 10, 2_000))
                    .max_attempts(rng.within(0..=6) as u16)
                    .retry_interval(span(rng, 0, 50)),
            );
        let config = Config::default()
            .window(rng.within(1..=3) as u16)
            .max_unanswered(rng.within(2..=6) as u16)
            .backpressure_timeout(span(rng, 1, 100))
            .session_init_timeout(span(rng, 20, 400))
            .response_timeout(span(rng, 20, 300))
            .late_response_timeout(span(rng, 0, 100))
            .enquire_link_interval(span(rng, 20, 400))
            .drain_timeout(span(rng, 0, 200))
            .rate(rate(rng));
        Self {
            options,
            config,
            way: PipeSettings {
                latency: rng.pick(&[0, 1, 10]),
                chunk: rng.pick(&[1_000, 40, 7]),
                capacity: rng.pick(&[10_000, 200]),
            },
            clients: if is_large { 1_500 } else { rng.count(60) },
            addresses: if is_large { 30 } else { rng.count(6) },
            connect_pause: if is_large { 2 } else { rng.pick(&[0, 10, 100]) },
            ignores_case: rng.chance(500),
            binds: (rng.chance(400) && !is_large).then(|| limits(rng)),
            account_rate: rate(rng),
            tolerance: rng.pick(&[None, Some(Tolerance::STRICT), Some(Tolerance::LENIENT)]),
            proxied: rng.pick(&[0, 300, 1_000]),
            quirks: rng.pick(&[0, 200]),
            header_delay: rng.pick(&[0, 20, 500]),
            floods: rng.pick(&[0, 200, 800]),
            misbehaves: rng.pick(&[0, 100, 400]),
            never_decides: rng.pick(&[0, 0, 200]),
            never_replies: rng.pick(&[0, 0, 100]),
            refuses: rng.pick(&[0, 100, 700]),
            decision_delay: rng.pick(&[0, 20, 150]),
            reply_delay: rng.pick(&[0, 10, 100]),
            close_delay: rng.pick(&[0, 10]),
            client_pause: rng.pick(&[5, 50, 200]),
            lateness: rng.pick(&[Duration::ZERO, ticks(3)]),
            shutdown_timeout: span(rng, 0, 500),
            early_shutdown: rng.chance(300).then(|| span(rng, 0, 1_000)),
        }
    }
}
