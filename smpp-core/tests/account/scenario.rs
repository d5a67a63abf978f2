//! What the seed decides before the simulation starts.

use std::time::Duration;

use smpp_proto::account::{
    Backoff, BindGroup, Binds, Credentials, Options, ReceiptOptions, SegmentAckMode, Statuses,
    UnansweredPolicy,
};
use smpp_proto::provider::{
    BindAction, LongMessages, Provider, ReceiptDialect, ReceiptScope, StateWord, SubmitAction,
};
use smpp_proto::session::{Config, Rate};
use smpp_proto::sms::{IdFallback, MessageIdPolicy, ReassemblyLimits};
use smpp_proto::{BindMode, CommandStatus, Endpoint, EsmClass, MessageState};

use super::deliveries::ShareOfDataSm;
use super::harness::link::PipeSettings;
use super::harness::rng::Rng;
use super::harness::{span, ticks};
use super::smsc::{SERVER_SHARE, ServerSettings};

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
pub(crate) struct Scenario {
    pub(crate) options: Options,
    /// The limits of receipts and reassembly are never reached: every receipt and segment is accounted for.
    pub(crate) ample_limits: bool,
    /// The account is handed one PDU at a time.
    pub(crate) piecewise: bool,
    /// The SMSC gives every message this id (which may be empty): its receipts cannot be matched.
    pub(crate) fixed_id: Option<&'static str>,
    /// How the SMSC writes receipts.
    pub(crate) receipts: ReceiptStyle,
    /// Which deliveries are a data_sm.
    pub(crate) share_of_data_sm: ShareOfDataSm,
    /// How long the random actions and faults last.
    pub(crate) active: Duration,
    /// Whether the application shuts down during that time.
    pub(crate) shuts_down_early: bool,
    /// How late the timers run.
    pub(crate) lateness: Duration,
    pub(crate) way: PipeSettings,
    pub(crate) behaviour: Behaviour,
    /// The faults: when each begins, and for how long it lasts.
    pub(crate) faults: Vec<(Duration, Duration, Fault)>,
    /// Whether the SMSC knows a message only on the bind that it came on.
    pub(crate) asks_same_bind: bool,
    /// How many binds the SMSC allows beyond those of the account.
    pub(crate) spare_binds: usize,
    /// The server that is the SMSC; `None` for a scripted one.
    pub(crate) server: Option<ServerSettings>,
}

/// How the SMSC writes receipts, beside what the dialect in the account's options says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReceiptStyle {
    /// Which segment the one receipt of a message names, if the dialect says that there is one.
    pub(crate) named: NamedSegment,
    pub(crate) ids: ReceiptIds,
    /// A final state changes (probability in a thousand).
    pub(crate) changes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NamedSegment {
    First,
    Last,
    /// All segments have the same id.
    All,
}

/// Where a receipt has the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReceiptIds {
    Text,
    /// In a TLV, in the notation of the response, with or without a text.
    Tlv,
    /// In the text, with another number in the TLV.
    OtherInTlv,
    /// In a TLV, in the notation of texts.
    TlvAsText,
}

/// Probabilities in a thousand; maximum times in ticks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behaviour {
    /// The time between two actions of the application.
    pub(crate) pause: u64,
    /// How long the SMSC takes to answer.
    pub(crate) smsc_delay: u64,
    /// How long the application takes to acknowledge.
    pub(crate) app_delay: u64,
    /// The SMSC refuses a message for good.
    pub(crate) smsc_refuses: u64,
    /// The application refuses a delivery.
    pub(crate) app_refuses: u64,
    /// The SMSC redelivers what was acknowledged.
    pub(crate) repeats: u64,
    /// How long until a delivery is retried.
    pub(crate) retry: u64,
    /// The SMSC sends a segment only after the ones before it are acknowledged.
    pub(crate) one_at_a_time: bool,
    /// How long the adapter_delay takes to resolve, connect and close.
    pub(crate) adapter_delay: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The host's name has no address.
    NoName,
    /// The host's name has other addresses.
    Renamed,
    /// Some servers cannot be reached.
    Down,
    /// Binds are refused: too many binds, a failed bind, or a system error.
    RefusesBinds,
    /// Binds are not answered.
    IgnoresBinds,
    /// Other applications hold binds of the account.
    Crowded,
    /// The SMSC refuses the credentials.
    WrongPassword,
    /// The SMSC throttles messages, or its queue is full.
    Busy,
    /// Some messages are not answered; the SMSC has accepted some of them.
    Forgetful,
    /// One connection carries nothing in either direction until the fault ends.
    Stall,
    /// A connection fails, and both sides see it.
    Cut,
    /// A connection fails, and the SMSC sees it late.
    CutUnseenByServer,
    /// A connection fails, and the account sees it late or never.
    CutUnseenByAccount,
    /// The SMSC unbinds.
    Unbind,
    /// The SMSC unbinds each session as soon as it is bound.
    Flapping,
    /// The SMSC shuts down, and starts again.
    Restart,
    /// Between two PDUs of a connection comes what is no correct PDU.
    Corrupted,
    /// All octets of a connection are lost from now on, in both directions, and neither side sees its end.
    BlackHole,
}

const FAULTS: [Fault; 17] = [
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
    Fault::Restart,
    Fault::Corrupted,
    Fault::BlackHole,
];

fn group(rng: &mut Rng, most: u16) -> Binds {
    let count = rng.within(1..=u64::from(most)) as u16;
    match rng.index(10) {
        0..4 if most >= 2 => Binds::pairs((count / 2).max(1)),
        0..8 => Binds::transceivers(count),
        8 => Binds::transmitters(count),
        _ => Binds::receivers(count),
    }
}

/// Returns up to three groups of binds.
pub(crate) fn binds(rng: &mut Rng, most: u16) -> Binds {
    let mut binds = Binds::NONE;
    for _ in 0..rng.pick(&[0, 1, 1, 1, 1, 2, 3]) {
        if binds.count() < most {
            let group = group(rng, most - binds.count());
            binds = binds.and(if rng.chance(300) { group.at(endpoints(rng)) } else { group });
        }
    }
    binds
}

/// Returns binds that send and receive.
pub(crate) fn working_binds(rng: &mut Rng, most: u16) -> Binds {
    let binds = binds(rng, most);
    let has = |is: fn(BindMode) -> bool| binds.groups().iter().flat_map(BindGroup::modes).any(is);
    if has(BindMode::transmits) && has(BindMode::receives) { binds } else { Binds::transceivers(most) }
}

/// Returns up to three different endpoints.
pub(crate) fn endpoints(rng: &mut Rng) -> Vec<Endpoint> {
    let mut names = vec!["a", "b", "c"];
    (0..rng.count(3)).map(|_| Endpoint::plain(names.swap_remove(rng.index(names.len())), 2776)).collect()
}

impl Scenario {
    /// Returns whether all segments of a message get the same id.
    pub(crate) fn has_shared_ids(&self) -> bool {
        let has_one_receipt = self.options.receipts.dialect.receipt_scope() == ReceiptScope::Message;
        has_one_receipt && self.receipts.named == NamedSegment::All
    }

    pub(crate) fn new(rng: &mut Rng) -> Self {
        let ample_limits = rng.chance(700);
        let active = rng.within(100..=1200);
        let count = rng.pick(&[0, 1, 2, 4, 8]);
        let mut faults: Vec<_> =
            (0..count).map(|_| (span(rng, 0, active), span(rng, 0, 600), rng.pick(&FAULTS))).collect();
        if rng.chance(50) {
            let begins = if rng.chance(500) { 0 } else { active };
            faults.push((span(rng, 0, begins), ticks(active), Fault::WrongPassword));
        }
        faults.sort_by_key(|(at, ..)| *at);
        let (options, ids) = options(rng, ample_limits);
        if options.session.enquire_link_interval.is_none() {
            // Nothing would show the account that such a connection is dead.
            faults.retain(|(.., fault)| *fault != Fault::BlackHole);
        }
        let spare_binds = rng.index(2);
        let server = rng
            .chance(SERVER_SHARE)
            .then(|| ServerSettings::new(rng, options.max_binds + spare_binds as u16));
        Self {
            options,
            ample_limits,
            receipts: ReceiptStyle {
                named: rng.pick(&[NamedSegment::First, NamedSegment::Last, NamedSegment::All]),
                ids,
                changes: rng.pick(&[0, 0, 300]),
            },
            piecewise: rng.chance(600),
            fixed_id: (!ample_limits && rng.chance(100)).then(|| rng.pick(&["", "1"])),
            share_of_data_sm: rng.pick(&[
                ShareOfDataSm::None,
                ShareOfDataSm::None,
                ShareOfDataSm::Third,
                ShareOfDataSm::All,
            ]),
            active: ticks(active),
            shuts_down_early: rng.chance(250),
            lateness: if rng.chance(700) { Duration::ZERO } else { span(rng, 1, 5) },
            way: PipeSettings {
                latency: rng.within(0..=10),
                chunk: rng.pick(&[10, 50, 1000, 100_000]),
                capacity: rng.pick(&[50, 1000, 100_000]),
            },
            behaviour: Behaviour {
                pause: rng.pick(&[10, 30, 60]),
                smsc_delay: rng.pick(&[0, 5, 40, 400]),
                app_delay: rng.pick(&[0, 5, 100]),
                smsc_refuses: rng.pick(&[0, 0, 50]),
                app_refuses: rng.pick(&[0, 0, 100]),
                repeats: rng.pick(&[0, 100]),
                retry: rng.within(5..=100),
                one_at_a_time: rng.chance(300),
                adapter_delay: rng.pick(&[0, 3, 30]),
            },
            faults,
            asks_same_bind: rng.chance(500),
            spare_binds,
            server,
        }
    }
}

/// Returns a dialect of receipts, and where receipts have the id then.
fn dialect(rng: &mut Rng) -> (ReceiptDialect, ReceiptIds) {
    const FINAL: &[MessageState] =
        &[MessageState::DELIVERED, MessageState::UNDELIVERABLE, MessageState::EXPIRED, MessageState::UNKNOWN];
    const CLASSES: &[EsmClass] = &[EsmClass::DELIVERY_ACKNOWLEDGEMENT, EsmClass::from_bits_retain(0x24)];
    const WORDS: &[StateWord] = &[StateWord::new("NACK", MessageState::REJECTED)];
    let policies = [
        MessageIdPolicy::EXACT,
        MessageIdPolicy::HEXADECIMAL_TO_DECIMAL,
        MessageIdPolicy::DECIMAL_TO_HEXADECIMAL,
        MessageIdPolicy::IGNORE_LEADING_ZEROS,
    ];
    let unstated = ReceiptDialect::UNSTATED.message_ids(rng.pick(&policies));
    if rng.chance(400) {
        return (unstated, ReceiptIds::Text);
    }
    let fallback = rng.pick(&[IdFallback::None, IdFallback::OtherId, IdFallback::OtherNotation]);
    let ids = match fallback {
        IdFallback::None => rng.pick(&[ReceiptIds::Text, ReceiptIds::Tlv]),
        IdFallback::OtherId => rng.pick(&[ReceiptIds::Tlv, ReceiptIds::OtherInTlv]),
        _ => rng.pick(&[ReceiptIds::OtherInTlv, ReceiptIds::TlvAsText]),
    };
    let dialect = unstated
        .scope(rng.pick(&[ReceiptScope::Segment, ReceiptScope::Message]))
        .request_on_last_segment(rng.chance(200))
        .final_states(if rng.chance(500) { FINAL } else { unstated.final_states })
        .state_words(if rng.chance(500) { WORDS } else { &[] })
        .esm_classes(if rng.chance(500) { CLASSES } else { &[] })
        .id_fallback(fallback);
    (dialect, ids)
}

/// Returns limits of receipts that are reached.
pub(crate) fn tight_receipts(rng: &mut Rng, options: ReceiptOptions) -> ReceiptOptions {
    options
        .capacity(rng.index(10))
        .max_age(span(rng, 10, 1000))
        .remember_completed(span(rng, 0, 500))
        .early_capacity(rng.index(4))
}

/// Returns limits of reassembly that are reached.
pub(crate) fn tight_reassembly(rng: &mut Rng) -> ReassemblyLimits {
    ReassemblyLimits::default()
        .max_messages(rng.index(4))
        .max_octets(rng.pick(&[200, 1000, 10_000]))
        .max_messages_per_sender(rng.index(4))
        .max_octets_per_sender(rng.pick(&[1000, 10_000]))
        .max_age(span(rng, 50, 500))
        .duplicate_window(span(rng, 0, 200))
}

fn options(rng: &mut Rng, ample_limits: bool) -> (Options, ReceiptIds) {
    let max_binds = rng.within(1..=4) as u16;
    let first = rng.within(10..=100);
    let (dialect, ids) = dialect(rng);
    let full = ReceiptOptions::default().dialect(dialect);
    let tight = tight_receipts(rng, full);
    let reassembly = tight_reassembly(rng);
    let ample = ReassemblyLimits::default()
        // The floods of one sender exceed both.
        .max_messages(100)
        .max_messages_per_sender(20)
        .duplicate_window(ticks(1_000_000));
    let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::UNSTATED)
        .binds(working_binds(rng, max_binds))
        .endpoints(if rng.chance(500) { endpoints(rng) } else { Vec::new() })
        .max_binds(max_binds)
        .connect_interval(span(rng, 0, 30))
        .backoff(
            Backoff::default()
                .initial(ticks(first))
                .max(ticks(first * rng.within(1..=16)))
                .reset_after(span(rng, 0, 500)),
        )
        .session(session(rng))
        .long_messages(rng.pick(&[
            LongMessages::Udh8,
            LongMessages::Udh16,
            LongMessages::Sar,
            LongMessages::Payload,
        ]))
        .queue_capacity(rng.within(3..=40) as usize)
        .request_capacity(rng.within(1..=5) as usize)
        .unanswered_policy(unanswered(rng))
        .statuses(statuses(rng))
        .rate(
            rng.chance(300)
                .then(|| Rate::per_second(rng.within(5..=60) as u32).with_burst(rng.index(6) as u32)),
        )
        .spread_segments(rng.chance(300))
        .receipts(if ample_limits { full } else { tight })
        .reassembly(if ample_limits { ample } else { reassembly })
        .segment_ack_timeout(span(rng, 0, 200))
        .unbind_timeout(ticks(rng.pick(&[0, 20, 100, 300])))
        .segment_ack_mode(rng.pick(&[
            SegmentAckMode::Adaptive,
            SegmentAckMode::Adaptive,
            SegmentAckMode::Strict,
        ]))
        .seed(rng.next());
    (options, ids)
}

/// The statuses with which the SMSC refuses messages.
pub(crate) const REFUSALS: [CommandStatus; 5] = [
    CommandStatus::RTHROTTLED,
    CommandStatus::RMSGQFUL,
    CommandStatus::RINVBNDSTS,
    CommandStatus::RSYSERR,
    CommandStatus::RINVDSTADR,
];

pub(crate) fn statuses(rng: &mut Rng) -> Statuses {
    let mut statuses = Statuses::default();
    for status in REFUSALS {
        let times = rng.pick(&[0, 1, 3, 10]);
        let delay = span(rng, 0, 100);
        let action = match rng.index(8) {
            0 => SubmitAction::Refuse,
            1 | 2 => SubmitAction::Retry { times, delay },
            3 | 4 => SubmitAction::Pause { times, delay },
            5 => SubmitAction::Rebind { times },
            6 if rng.chance(100) => SubmitAction::Stop,
            _ => continue,
        };
        statuses = statuses.on_submit(status, action);
    }
    if rng.chance(20) {
        statuses = statuses.on_bind(CommandStatus::RBINDFAIL, BindAction::Stop);
    }
    if rng.chance(200) {
        statuses = statuses.on_bind(CommandStatus::RINVPASWD, BindAction::Retry);
    }
    statuses
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
    Config::default()
        .window(rng.within(1..=8) as u16)
        .max_unanswered(rng.pick(&[4, 256]))
        .max_output(rng.pick(&[1, 300, 100_000]))
        .rate(rng.chance(600).then(|| rate(rng)))
        .slow_down_when_throttled(rng.chance(500))
        .enquire_link_interval(rng.chance(900).then(|| span(rng, 50, 300)))
        .response_timeout(span(rng, 50, 300))
        .late_response_timeout(span(rng, 1, 600))
        .drain_timeout(span(rng, 0, 100))
}
