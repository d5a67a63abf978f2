//! The metrics of an account.

use metrics::{Counter, SharedString, counter, gauge};
use smpp_proto::account::{Account, AccountStats, LinkState, LinkStats};
use smpp_proto::session::{Observer, State};

use super::gauge::{GaugeShare, add, level};
use super::traffic::{TrafficPublisher, with};

/// The label of a counter that has none.
const NO_LABEL: (&str, &str) = ("", "");

/// The values of the label `state`.
const LINK_STATES: [&str; 4] = ["idle", "connecting", "bound", "closing"];

/// What the metrics of an account show at one time.
#[derive(Debug)]
pub struct AccountValues {
    states: [u32; LINK_STATES.len()],
    stats: AccountStats,
}

impl AccountValues {
    /// Reads the values. They are published after the lock of the account is released.
    pub fn of<O: Observer>(account: &Account<O>) -> Self {
        let mut states = [0_u32; LINK_STATES.len()];
        account.links().for_each(|(_, state)| count(&mut states, state));
        Self { states, stats: account.stats() }
    }
}

fn count(states: &mut [u32; LINK_STATES.len()], state: LinkState) {
    let [idle, connecting, bound, closing] = states;
    *match state {
        LinkState::Open(_, State::Bound(_)) => bound,
        LinkState::Closing => closing,
        LinkState::Idle => idle,
        // Resolving, connecting, or open without a bind.
        _ => connecting,
    } += 1;
}

/// The metrics of one account.
#[derive(Debug)]
pub struct AccountPublisher {
    account: SharedString,
    states: [GaugeShare; LINK_STATES.len()],
    queued: GaugeShare,
    pending_receipts: GaugeShare,
    tracked_receipts: GaugeShare,
    /// The metrics of each connection slot.
    links: Vec<TrafficPublisher>,
    counters: Vec<Counter>,
    /// The values of the last publication.
    published: Vec<u64>,
}

/// A counter of an account: its name, the name and the value of its label, and the count.
type NamedCounter = (&'static str, (&'static str, &'static str), u64);

fn counters(stats: &AccountStats) -> [NamedCounter; 17] {
    let counters = &stats.counters;
    let segments = |outcome, count| ("smpp_account_segments_total", ("outcome", outcome), count);
    let delivered = |of_type, count| ("smpp_account_delivered_total", ("type", of_type), count);
    let binds = |outcome, count| ("smpp_account_binds_total", ("outcome", outcome), count);
    [
        segments("accepted", counters.segments_accepted),
        segments("refused", counters.segments_refused),
        segments("nacked", counters.segments_nacked),
        segments("never_sent", counters.segments_never_sent),
        segments("unanswered", counters.segments_unanswered),
        delivered("message", counters.messages_received),
        delivered("receipt", counters.receipts_matched),
        delivered("unmatched_receipt", counters.receipts_unmatched),
        binds("bound", stats.total.bound),
        binds("refused", counters.binds_refused),
        binds("connect_failed", counters.connects_failed),
        ("smpp_account_rebinds_total", NO_LABEL, stats.links.iter().map(LinkStats::rebinds).sum()),
        ("smpp_account_links_closed_total", NO_LABEL, counters.links_closed),
        ("smpp_account_pauses_total", NO_LABEL, counters.pauses),
        ("smpp_account_in_doubt_total", NO_LABEL, counters.in_doubt),
        ("smpp_account_late_outcomes_total", NO_LABEL, counters.late_outcomes),
        ("smpp_account_receipts_expired_total", NO_LABEL, counters.receipts_expired),
    ]
}

impl AccountPublisher {
    /// Registers the metrics of an account with so many connections with the recorder that is installed. `account` is the value
    /// of a label.
    pub fn new(account: String, links: usize) -> Self {
        let account = SharedString::from(account);
        let gauge = |name: &'static str| GaugeShare::new(gauge!(name, "account" => account.clone()));
        let counters = counters(&AccountStats::default());
        let mut publisher = Self {
            states: LINK_STATES.map(|state| {
                GaugeShare::new(gauge!("smpp_account_links", "account" => account.clone(), "state" => state))
            }),
            queued: gauge("smpp_account_queued_segments"),
            pending_receipts: gauge("smpp_account_pending_receipts"),
            tracked_receipts: gauge("smpp_account_tracked_receipts"),
            links: Vec::new(),
            published: vec![0; counters.len()],
            counters: counters
                .into_iter()
                .map(|(name, label, _)| {
                    let labels = [("account", account.clone()), (label.0, label.1.into())];
                    let labels = if label == NO_LABEL { &labels[..1] } else { &labels };
                    counter!(name, with(labels, &[]))
                })
                .collect(),
            account,
        };
        publisher.add_links(links);
        publisher
    }

    /// Registers the metrics of the connection slots that are new.
    fn add_links(&mut self, links: usize) {
        for link in self.links.len()..links {
            let labels = [("account", self.account.clone()), ("link", link.to_string().into())];
            self.links.push(TrafficPublisher::new("smpp_account", &labels));
        }
    }

    /// Publishes the differences to the last publication.
    pub fn publish(&mut self, AccountValues { states, stats: current }: AccountValues) {
        self.states.iter_mut().zip(states).for_each(|(gauge, count)| gauge.set(count.into()));
        self.queued.set(level(current.queued));
        self.pending_receipts.set(level(current.pending_receipts));
        self.tracked_receipts.set(level(current.tracked_receipts));
        for ((counter, published), (.., count)) in
            self.counters.iter().zip(&mut self.published).zip(counters(&current))
        {
            add(counter, count, std::mem::replace(published, count));
        }
        self.add_links(current.links.len());
        for (publisher, link) in self.links.iter_mut().zip(&current.links) {
            publisher.publish(&link.session, &link.requests, &link.response_histogram);
        }
    }
}
