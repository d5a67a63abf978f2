//! The part of a scenario that the seed decides in advance.

use std::time::Duration;

use smpp_proto::session::{Instant, Side};

use super::harness::link::PipeSettings;
use super::harness::rng::Rng;
use super::harness::ticks;
use super::settings::Settings;

#[derive(Debug)]
pub(crate) struct Scenario {
    /// No faults, all requests are answered, and no timer is short. Then the outcome of each request is known.
    pub(crate) calm: bool,
    pub(crate) start: Instant,
    /// How long the two applications act at random.
    pub(crate) active: Duration,
    /// How late timers are handled.
    pub(crate) lateness: Duration,
    pub(crate) esme: SidePlan,
    pub(crate) smsc: SidePlan,
    pub(crate) faults: Vec<Fault>,
    /// The side whose trace is recorded and replayed.
    pub(crate) traced: Option<Side>,
}

/// One side, and the pipe from it to the other side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SidePlan {
    pub(crate) settings: Settings,
    pub(crate) behavior: Behavior,
    pub(crate) pipe: PipeSettings,
}

/// How an application behaves. Probabilities are per thousand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behavior {
    /// The longest pause between two actions, in ticks.
    pub(crate) pause: u64,
    pub(crate) unbinds: u64,
    /// The application aborts, or the connection ends.
    pub(crate) aborts: u64,
    pub(crate) answers_at_once: u64,
    pub(crate) never_answers: u64,
    /// The application waits for the response to its own latest request before it answers.
    pub(crate) waits_for_response: u64,
    pub(crate) refuses: u64,
    /// The longest time to answer a request, in ticks.
    pub(crate) max_delay: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    /// The direction: the side that sends the octets.
    pub(crate) from: Side,
    /// In ticks since the start.
    pub(crate) begins: u64,
    pub(crate) ends: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// The link accepts no octets.
    Stall,
    /// The link accepts octets and delivers them after the fault.
    Hold,
    /// The link has capacity for only a few octets.
    SmallBuffer,
    /// One side closes its direction of the stream, and still reads.
    HalfClose,
    /// The connection breaks. Octets in transit are lost.
    Cut,
    /// The link accepts all octets, loses them, and never recovers.
    Loss,
    /// The link flips bits.
    Corrupt,
    /// Valid PDUs arrive that the peer did not send.
    UnsolicitedPdus,
    /// Malformed PDUs arrive that the peer did not send.
    MalformedPdus,
    /// Octets arrive that the peer did not send.
    RandomOctets,
    /// Many requests arrive that the peer did not send.
    Flood,
}

const FAULTS: [FaultKind; 11] = [
    FaultKind::Stall,
    FaultKind::Hold,
    FaultKind::SmallBuffer,
    FaultKind::HalfClose,
    FaultKind::Cut,
    FaultKind::Loss,
    FaultKind::Corrupt,
    FaultKind::UnsolicitedPdus,
    FaultKind::MalformedPdus,
    FaultKind::RandomOctets,
    FaultKind::Flood,
];

pub(crate) fn side(rng: &mut Rng) -> Side {
    rng.pick(&[Side::Esme, Side::Smsc])
}

impl Scenario {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let calm = rng.chance(250);
        let active = rng.within(20..=160);
        let faults = match rng.within(0..=9) {
            _ if calm => 0,
            0..=2 => 0,
            3..=7 => 1,
            _ => rng.within(2..=3),
        };
        let zero = Instant::ZERO;
        let early = zero + ticks(rng.within(0..=1000));
        let late = Instant::from_nanos(rng.next() >> 1);
        Self {
            calm,
            start: rng.pick(&[zero, early, late]),
            active: ticks(active),
            lateness: if rng.chance(800) { Duration::ZERO } else { ticks(rng.within(1..=5)) },
            esme: SidePlan::new(rng, Side::Esme, calm),
            smsc: SidePlan::new(rng, Side::Smsc, calm),
            faults: (0..faults).map(|_| Fault::new(rng, active)).collect(),
            traced: rng.chance(60).then(|| side(rng)),
        }
    }
}

impl SidePlan {
    fn new(rng: &mut Rng, side: Side, calm: bool) -> Self {
        Self {
            settings: settings(rng, calm),
            behavior: Behavior::new(rng, side, calm),
            pipe: PipeSettings::new(rng, calm),
        }
    }
}

impl Behavior {
    fn new(rng: &mut Rng, side: Side, calm: bool) -> Self {
        let waits = rng.pick(&[0, 0, 0, 300, 1000]);
        let calm_behavior = Self {
            pause: rng.within(1..=8),
            unbinds: rng.pick(&[0, 5]),
            aborts: 0,
            answers_at_once: rng.pick(&[0, 500, 1000]),
            never_answers: 0,
            // Two applications that wait for each other would wait until the timeout.
            waits_for_response: if calm && side == Side::Smsc { 0 } else { waits },
            refuses: rng.pick(&[0, 100, 500]),
            max_delay: rng.within(0..=6),
        };
        if calm {
            return calm_behavior;
        }
        Self {
            aborts: rng.pick(&[0, 0, 3]),
            never_answers: rng.pick(&[0, 0, 100, 1000]),
            max_delay: rng.pick(&[5, 30, 100]),
            ..calm_behavior
        }
    }
}

impl PipeSettings {
    fn new(rng: &mut Rng, calm: bool) -> Self {
        Self {
            latency: rng.within(0..=if calm { 2 } else { 10 }),
            chunk: rng.pick(&[2, 10, 50, 1000, 100_000]).max(if calm { 7 } else { 1 }),
            capacity: rng.pick(&[20, 200, 100_000]),
        }
    }
}

impl Fault {
    fn new(rng: &mut Rng, active: u64) -> Self {
        let begins = rng.within(1..=active);
        let ends = rng.within(begins..=active);
        Self { kind: rng.pick(&FAULTS), from: side(rng), begins, ends }
    }
}

fn settings(rng: &mut Rng, calm: bool) -> Settings {
    let rate = rng.chance(400).then(|| (rng.within(1..=40) as u32, rng.within(0..=10) as u32));
    let tiny = Settings {
        window: rng.within(1..=8) as u16,
        max_unanswered: rng.within(1..=4) as u16,
        backpressure: ticks(rng.within(0..=20)),
        max_pdu: rng.pick(&[33, 80, 110, 150, 300, 1000, 70 * 1024]),
        max_output: rng.pick(&[1, 16, 100, 400, 4096]),
        max_malformed: rng.within(0..=3) as u32,
        strict: rng.chance(400),
        rate,
        session_init: ticks(rng.within(5..=60)),
        enquire_link: rng.chance(700).then(|| ticks(rng.within(3..=40))),
        response: ticks(rng.within(5..=60)),
        late_response: ticks(rng.pick(&[0, 5, 20, 100])),
        max_timeouts: rng.within(0..=4) as u16,
        inactivity: rng.chance(200).then(|| ticks(rng.within(5..=60))),
        drain: ticks(rng.within(0..=30)),
    };
    if !calm {
        return tiny;
    }
    Settings {
        max_pdu: 70 * 1024,
        max_malformed: 3,
        session_init: Duration::from_secs(600),
        enquire_link: rng.chance(700).then(|| ticks(rng.within(5..=40))),
        response: Duration::from_secs(60),
        inactivity: None,
        drain: Duration::from_secs(60),
        ..tiny
    }
}
