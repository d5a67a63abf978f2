//! What a seed decides before anything happens.

use std::time::Duration;

use smpp_core::account::{Backoff, Binds, Credentials, Options, ReceiptOptions, UnansweredPolicy};
use smpp_core::provider::{LongMessages, Provider, ReceiptDialect};
use smpp_core::session::{Config, Rate};
use smpp_core::sms::{MessageIdPolicy, ReassemblyLimits};

use super::harness::link::PipeSettings;
use super::harness::rng::Rng;
use super::harness::{span, ticks};

#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) options: Options,
    /// Nothing is forgotten for want of room or for its age: then every receipt and part is accounted for.
    pub(crate) roomy: bool,
    /// The account is handed one PDU at a time.
    pub(crate) piecewise: bool,
    /// The SMSC gives every message the same id, or none: what it says of them is of no use.
    pub(crate) dull: Option<&'static str>,
    /// How long everyone does what comes to mind, and things go wrong.
    pub(crate) active: Duration,
    /// Whether the application shuts down while all that goes on.
    pub(crate) quits: bool,
    /// How late timers are looked at.
    pub(crate) lateness: Duration,
    pub(crate) way: PipeSettings,
    pub(crate) habits: Habits,
    /// Things that go wrong: when, for how long.
    pub(crate) faults: Vec<(Duration, Duration, Fault)>,
    /// Binds that the SMSC allows beyond those of the account.
    pub(crate) spare: usize,
}

/// Chances in a thousand; times in ticks, at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    /// Between two things that the application does.
    pub(crate) pause: u64,
    /// How long the SMSC takes to answer, and the application.
    pub(crate) smsc_thinks: u64,
    pub(crate) app_thinks: u64,
    /// The SMSC refuses a message for good; the application refuses what it is given.
    pub(crate) smsc_refuses: u64,
    pub(crate) app_refuses: u64,
    /// The SMSC delivers again what was taken.
    pub(crate) repeats: u64,
    /// How long until a receipt, or a message, is delivered again.
    pub(crate) retry: u64,
    /// How long the adapter takes to resolve, connect and close.
    pub(crate) adapter: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The host's name has no address.
    NoName,
    /// The host's name means other servers.
    Renamed,
    /// Some servers cannot be reached.
    Down,
    /// Binds are refused: too many, for no stated reason, or because of the system.
    RefusesBinds,
    /// Binds are not answered.
    IgnoresBinds,
    /// Other programs take places of the account.
    Crowded,
    /// The password is wrong.
    WrongPassword,
    /// Messages are throttled, or find a full queue.
    Busy,
    /// Some messages are not answered: of those some are taken.
    Forgetful,
    /// Everything the SMSC receives stays unanswered on one connection, or comes late.
    Stall,
    /// A connection fails, and both sides know.
    Cut,
    /// A connection fails, and the server learns of it late.
    CutUnseenByServer,
    /// A connection fails, and the account learns of it late, if ever.
    CutUnseenByAccount,
    /// The SMSC unbinds.
    Unbind,
    /// The SMSC drops each bind as soon as it is made.
    Flapping,
}

const FAULTS: [Fault; 14] = [
    Fault::NoName,
    Fault::Renamed,
    Fault::Down,
    Fault::RefusesBinds,
    Fault::IgnoresBinds,
    Fault::Crowded,
    Fault::Busy,
    Fault::Forgetful,
    Fault::Stall,
    Fault::Cut,
    Fault::CutUnseenByServer,
    Fault::CutUnseenByAccount,
    Fault::Unbind,
    Fault::Flapping,
];

pub(crate) fn binds(rng: &mut Rng, most: u16) -> Binds {
    if most >= 2 && rng.chance(400) {
        Binds::Pairs(rng.within(1..=u64::from(most / 2)) as u16)
    } else {
        Binds::Transceivers(rng.within(1..=u64::from(most)) as u16)
    }
}

impl Scenario {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let roomy = rng.chance(700);
        let active = rng.within(100..=1200);
        let count = rng.pick(&[0, 1, 2, 4, 8]);
        let mut faults: Vec<_> =
            (0..count).map(|_| (span(rng, 0, active), span(rng, 0, 600), rng.pick(&FAULTS))).collect();
        if rng.chance(50) {
            let begins = if rng.chance(500) { 0 } else { active };
            faults.push((span(rng, 0, begins), ticks(active), Fault::WrongPassword));
        }
        faults.sort_by_key(|(at, ..)| *at);
        Self {
            options: options(rng, roomy),
            roomy,
            piecewise: rng.chance(600),
            dull: (!roomy && rng.chance(100)).then(|| rng.pick(&["", "1"])),
            active: ticks(active),
            quits: rng.chance(250),
            lateness: if rng.chance(700) { Duration::ZERO } else { span(rng, 1, 5) },
            way: PipeSettings {
                latency: rng.within(0..=10),
                chunk: rng.pick(&[10, 50, 1000, 100_000]),
                capacity: rng.pick(&[50, 1000, 100_000]),
            },
            habits: Habits {
                pause: rng.pick(&[10, 30, 60]),
                smsc_thinks: rng.pick(&[0, 5, 40]),
                app_thinks: rng.pick(&[0, 5, 100]),
                smsc_refuses: rng.pick(&[0, 0, 50]),
                app_refuses: rng.pick(&[0, 0, 100]),
                repeats: rng.pick(&[0, 100]),
                retry: rng.within(5..=100),
                adapter: rng.pick(&[0, 3, 30]),
            },
            faults,
            spare: rng.index(2),
        }
    }
}

fn options(rng: &mut Rng, roomy: bool) -> Options {
    let max_binds = rng.within(1..=4) as u16;
    let first = rng.within(10..=100);
    let policies = [
        MessageIdPolicy::EXACT,
        MessageIdPolicy::HEXADECIMAL_TO_DECIMAL,
        MessageIdPolicy::DECIMAL_TO_HEXADECIMAL,
        MessageIdPolicy::IGNORE_LEADING_ZEROS,
    ];
    let dialect = ReceiptDialect { message_ids: rng.pick(&policies), ..ReceiptDialect::UNSTATED };
    let full = ReceiptOptions { dialect, ..ReceiptOptions::default() };
    let tight = ReceiptOptions {
        capacity: rng.index(10),
        max_age: span(rng, 10, 1000),
        early_capacity: rng.index(4),
        ..full
    };
    let reassembly = ReassemblyLimits {
        max_messages: rng.index(4),
        max_octets: rng.pick(&[200, 1000, 10_000]),
        max_age: span(rng, 50, 500),
        duplicate_window: span(rng, 0, 200),
    };
    let ample = ReassemblyLimits { duplicate_window: ticks(1_000_000), ..ReassemblyLimits::default() };
    Options {
        binds: binds(rng, max_binds),
        max_binds,
        connect_interval: span(rng, 0, 30),
        backoff: Backoff {
            initial: ticks(first),
            max: ticks(first * rng.within(1..=16)),
            reset_after: span(rng, 0, 500),
        },
        session: session(rng),
        long_messages: rng.pick(&[
            LongMessages::Udh8,
            LongMessages::Udh16,
            LongMessages::Sar,
            LongMessages::Payload,
        ]),
        queue_capacity: rng.within(3..=40) as usize,
        unanswered_policy: unanswered(rng),
        throttle_retries: rng.pick(&[0, 1, 3, 10]),
        throttle_pause: span(rng, 0, 100),
        receipts: if roomy { full } else { tight },
        reassembly: if roomy { ample } else { reassembly },
        segment_ack_timeout: span(rng, 0, 200),
        seed: rng.next(),
        ..Options::new(Credentials::new("shop", "s3cret"), &Provider::UNSTATED)
    }
}

pub(crate) fn unanswered(rng: &mut Rng) -> UnansweredPolicy {
    if rng.chance(500) {
        UnansweredPolicy::Report
    } else {
        UnansweredPolicy::Resend(rng.within(1..=3) as u16)
    }
}

fn session(rng: &mut Rng) -> Config {
    let rate = |rng: &mut Rng| Rate::per_second(rng.within(1..=40) as u32).with_burst(rng.index(6) as u32);
    Config {
        window: rng.within(1..=8) as u16,
        max_unanswered: rng.pick(&[4, 256]),
        max_output: rng.pick(&[1, 300, 100_000]),
        rate: rng.chance(600).then(|| rate(rng)),
        slow_down_when_throttled: rng.chance(500),
        enquire_link_interval: rng.chance(900).then(|| span(rng, 50, 300)),
        response_timeout: span(rng, 50, 300),
        drain_timeout: span(rng, 0, 100),
        ..Config::default()
    }
}
