//! The account's state, its counters and timers.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::{fmt, mem};

use super::credentials::Logins;
use super::delivered_pdus::DeliveredPdus;
use super::event::{Action, Event, StopCause};
use super::group::Group;
use super::inbound_segments::InboundSegments;
use super::link::{LinkId, LinkState};
use super::link_index::LinkIndex;
use super::link_slot::LinkSlot;
use super::options::Options;
use super::options_error::OptionsError;
use super::outcome::{MessageNumber, MessageOutcome, SegmentNotSentReason, Unresolved};
use super::per_segment::PerSegment;
use super::queue::Queue;
use super::receipt::SpareBuffers;
use super::receipt_tracker::ReceiptTracker;
use super::request_table::RequestTable;
use super::stats::{AccountCounters, LinkStats};
use super::touched_links::TouchedLinks;
use crate::endpoint::Endpoint;
use crate::pdu::BindMode;
use crate::session::{Observer, RateLimiter, State, Stats, Timer};
use crate::time::Instant;

/// An ESME's account at an SMSC: its binds, messages and receipts.
///
/// An account keeps the configured number of binds, reconnects with back-off, queues and spreads messages over the binds,
/// retries throttled ones, matches delivery receipts and reassembles MO messages. It is sans-IO: an adapter does what
/// [`poll_action`](Self::poll_action) returns. See the [module documentation](super) for the run loop.
///
/// An [`Observer`] `O` sees the PDUs of each bind.
///
/// ```
/// use core::net::SocketAddr;
/// use smpp_proto::account::{Account, Action, Credentials, Options};
/// use smpp_proto::provider::Provider;
/// use smpp_proto::session::Instant;
///
/// let now = Instant::ZERO;
/// let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::EIGHT_BY_EIGHT);
/// let mut account = Account::<()>::new(options, now)?;
///
/// // The account has no bind yet, and begins one.
/// let Some(Action::Resolve { link }) = account.poll_action() else { panic!() };
/// let address: SocketAddr = "192.0.2.1:2776".parse()?;
/// account.handle_resolved(now, link, Ok(&[address]));
/// assert_eq!(account.poll_action(), Some(Action::Connect { link, address }));
/// assert!(account.handle_connected(now, link, ()));
/// let mut bind = Vec::new();
/// assert!(account.poll_transmit(link, &mut bind));
/// assert_eq!(bind[4..8], [0, 0, 0, 9], "bind_transceiver");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "client")]
#[doc(alias = "pool")]
#[expect(clippy::struct_excessive_bools, reason = "each is true or false independently of the others")]
pub struct Account<O = ()> {
    pub(super) options: Options,
    pub(super) links: Vec<LinkSlot<O>>,
    pub(super) queue: Queue,
    pub(super) requests: RequestTable,
    pub(super) receipts: ReceiptTracker,
    pub(super) inbound: InboundSegments,
    /// For the PDUs of receipts.
    pub(super) spare_buffers: SpareBuffers,
    pub(super) delivered_pdus: DeliveredPdus,
    pub(super) actions: VecDeque<Action>,
    pub(super) events: VecDeque<Event>,
    /// The earliest time of the next connection attempt of any slot.
    pub(super) next_start: Instant,
    /// The groups of [`Options::binds`].
    pub(super) groups: Vec<Group>,
    pub(super) logins: Logins,
    /// Whether a bind may have outdated credentials or an outdated endpoint.
    pub(super) has_outdated: bool,
    /// The highest generation of the slots that no longer exist.
    pub(super) last_generation: u64,
    /// The concatenation reference of the last message with several segments.
    pub(super) reference: u16,
    /// The state of the random number generator.
    pub(super) random: u64,
    pub(super) shutdown: Shutdown,
    /// The rate limit of all binds together.
    pub(super) rate_limiter: Option<RateLimiter>,
    /// The rate limit before the last change, if there was one.
    pub(super) former_rate_limiter: Option<RateLimiter>,
    /// The time of the last [`dispatch`](Self::dispatch).
    pub(super) dispatched_at: Instant,
    /// Until then the next message waits for a rate limit that counts it more than once, or for that of the account.
    pub(super) blocked_until: Option<Instant>,
    /// Whether no caller takes MO messages: see [`refuse_messages`](Self::refuse_messages).
    pub(super) refuses_messages: bool,
    /// When a delivery was acknowledged, if [`advance`](Self::advance) has not followed.
    pub(super) acknowledged_at: Option<Instant>,
    /// Why the account has stopped.
    pub(super) stopped: Option<StopCause>,
    /// Whether the account has emitted, since it last made binds, that the SMSC refused one with a status that stops it.
    pub(super) is_bind_stop_reported: bool,
    /// The messages that are being abandoned, a slice at a time.
    pub(super) abandoning: Option<Abandoning>,
    /// Whether the last call left work for the next one, which is due at once: see [`SLICE`].
    pub(super) is_unfinished: bool,
    pub(super) touched: TouchedLinks,
    /// Whether it emits [`Event::HandedToTransport`].
    pub(super) reports_handed_over: bool,
    /// The slots whose binds may send more or less than the queue remembers.
    pub(super) stale: Vec<LinkId>,
    /// When the pause or the rate limit of a bind is over that is in the way of a message.
    pub(super) wakes: BTreeSet<(Instant, LinkId)>,
    /// When the pauses are over that the account has reported.
    pub(super) pauses: BTreeSet<(Instant, LinkId)>,
    /// When the next connection starts; `None` if something has changed that decides which connections start and end.
    pub(super) link_plan: Option<LinkPlan>,
    pub(super) link_index: LinkIndex,
    pub(super) counters: AccountCounters,
    /// The counters of the slots that no longer exist, the one with the lowest id last: a new slot goes on with them.
    pub(super) removed_stats: Vec<LinkStats>,
}

/// How many messages, receipts or outcomes one call handles at most of work that grows with what is outstanding. The rest is due
/// at once: so no call takes much longer than a slice, about a third of a millisecond. What is bounded otherwise is handled at
/// once: the messages that name a bind which ends, by the capacity of the queue; requests, by
/// [`request_capacity`](Options::request_capacity).
pub(super) const SLICE: usize = 512;

/// What is known of the connections until something changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct LinkPlan {
    pub(super) next_start: Option<Instant>,
}

/// Messages that are being abandoned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Abandoning {
    /// The next one, if it is still queued.
    pub(super) next: MessageNumber,
    pub(super) last: MessageNumber,
    pub(super) reason: SegmentNotSentReason,
}

/// The progress of the account's shutdown.
#[derive(Debug)]
pub(super) enum Shutdown {
    Running,
    /// The account sends what it has accepted, until the deadline.
    Draining {
        deadline: Instant,
        unresolved: Vec<Unresolved>,
    },
    /// The account unbinds.
    Unbinding {
        /// When the sessions stop waiting for the requests in flight, and send unbind.
        drained_by: Instant,
        /// When the account ends the sessions that are left; `None` once it has.
        until: Option<Instant>,
        unresolved: Vec<Unresolved>,
    },
    Closed,
}

impl<O> fmt::Debug for Account<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("system_id", &self.options.credentials.system_id)
            .field("queued", &self.queue.open())
            .field("pending_receipts", &self.receipts.len())
            .finish_non_exhaustive()
    }
}

impl<O: Observer> Account<O> {
    /// Creates an account. The first [`Action`] is ready at once: it begins the first bind.
    ///
    /// # Errors
    ///
    /// The error of [`Options::check`].
    pub fn new(options: Options, now: Instant) -> Result<Self, OptionsError> {
        options.check()?;
        let random = options.seed.unwrap_or_default();
        let mut account = Self {
            links: Vec::new(),
            queue: Queue::new(options.queue_capacity, options.spread_segments),
            requests: RequestTable::new(options.request_capacity),
            receipts: ReceiptTracker::new(options.receipts, random),
            inbound: InboundSegments::new(
                options.reassembly,
                options.segment_ack_timeout,
                options.segment_ack_mode,
                random,
            ),
            spare_buffers: SpareBuffers::new(),
            delivered_pdus: DeliveredPdus::new(options.reassembly),
            actions: VecDeque::new(),
            events: VecDeque::new(),
            next_start: now,
            groups: Vec::new(),
            logins: Logins::new(&options.credentials, options.interface_version),
            has_outdated: false,
            last_generation: 0,
            reference: random as u16,
            random,
            shutdown: Shutdown::Running,
            rate_limiter: None,
            former_rate_limiter: None,
            dispatched_at: now,
            blocked_until: None,
            refuses_messages: false,
            acknowledged_at: None,
            stopped: None,
            is_bind_stop_reported: false,
            abandoning: None,
            is_unfinished: false,
            touched: TouchedLinks::default(),
            reports_handed_over: true,
            stale: Vec::new(),
            wakes: BTreeSet::new(),
            pauses: BTreeSet::new(),
            link_plan: None,
            link_index: LinkIndex::default(),
            counters: AccountCounters::default(),
            removed_stats: Vec::new(),
            options,
        };
        account.assign_slots(now);
        account.apply_sending_options(now);
        account.advance(now);
        Ok(account)
    }

    /// Returns the options: a start for [`reconfigure`](Self::reconfigure).
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// Returns the next action for the adapter.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        if self.events.is_empty()
            && let Some(now) = self.acknowledged_at
        {
            self.advance(now);
        }
        self.events.pop_front()
    }

    /// Removes the next event if it is the outcome of a message of which the SMSC has accepted all segments.
    pub(super) fn pop_accepted(&mut self) -> Option<(MessageNumber, MessageOutcome)> {
        let Event::Outcome { message, outcome, key } = self.events.front_mut()? else { return None };
        if !outcome.is_accepted() {
            return None;
        }
        let accepted = (*message, mem::replace(outcome, MessageOutcome { segments: PerSegment::empty() }));
        drop(key.take());
        // Nothing is left in it to be dropped, so it need not be copied.
        mem::forget(self.events.pop_front());
        Some(accepted)
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout); `None` if no timer runs. Each call of another
    /// method may change it.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if matches!(self.shutdown, Shutdown::Closed) {
            return None;
        }
        let shutdown = match self.shutdown {
            Shutdown::Draining { deadline, .. } => Some(deadline),
            Shutdown::Unbinding { until, .. } => until,
            _ => None,
        };
        // An adapter asks after each of its calls: one comparison for each timer that runs.
        let mut first = self.next_link_start();
        let mut add = |timer: Option<Instant>| {
            if let Some(at) = timer
                && first.is_none_or(|first| at < first)
            {
                first = Some(at);
            }
        };
        add(self.next_dispatch());
        add(self.queue.poll_timeout());
        add(self.requests.poll_timeout());
        add(self.receipts.poll_timeout());
        add(self.next_inbound_timeout());
        add(self.next_resume());
        add(self.is_unfinished.then_some(self.dispatched_at));
        add(shutdown);
        first
    }

    /// Returns the first of the timers that [`submit`](Self::submit) can set. An adapter that waited for
    /// [`poll_timeout`](Self::poll_timeout) before the call wakes at the earlier of the two after it. This costs less than
    /// [`poll_timeout`](Self::poll_timeout), whose result may be later than both.
    #[inline]
    pub fn poll_submit_timeout(&self) -> Option<Instant> {
        if self.is_unfinished || !self.queue.ready().is_empty() {
            return self.poll_timeout();
        }
        self.queue.poll_timeout()
    }

    /// Runs the timers that are due: connection attempts, rate limits, deadlines, receipts and segments that are too old.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.expire_receipts(now);
        let is_due = |account: &Self| account.receipts.poll_timeout().is_some_and(|at| at <= now);
        let has_more = is_due(self);
        self.handle_inbound_timeout(now);
        self.advance(now);
        // A message that has just ended may have had its last receipt long ago. A further slice is left to the next call.
        if !has_more && is_due(self) {
            self.expire_receipts(now);
        }
    }

    /// Returns the state of each connection slot, in the order of their ids.
    pub fn links(&self) -> impl Iterator<Item = (LinkId, LinkState)> {
        self.links.iter().zip(0..).map(|(link, index)| (LinkId(index), link.state()))
    }

    /// Returns the state of a connection slot; `None` if there is no such slot.
    pub fn link_state(&self, link: LinkId) -> Option<LinkState> {
        Some(self.links.get(link.index())?.state())
    }

    /// Returns where the connection of this slot goes: the endpoint for its [`Action::Resolve`] and [`Action::Connect`],
    /// or that of its open or last connection. `None` if its group of binds has no endpoint: then the adapter connects to
    /// a host of its own.
    pub fn endpoint(&self, link: LinkId) -> Option<&Endpoint> {
        self.links.get(link.index())?.route.endpoint.as_ref()
    }

    /// Returns the mode of a bind; `None` if the connection is not bound.
    pub fn mode(&self, link: LinkId) -> Option<BindMode> {
        match self.links.get(link.index())?.state() {
            LinkState::Open(_, State::Bound(mode)) => Some(mode),
            _ => None,
        }
    }

    /// Returns the counters of a connection's current session; `None` if the connection is not open. See
    /// [`stats`](Self::stats) for those of all sessions.
    pub fn session_stats(&self, link: LinkId) -> Option<Stats> {
        Some(self.links.get(link.index())?.session()?.stats())
    }

    /// Returns how many more segments the queue can hold.
    pub const fn available_capacity(&self) -> usize {
        self.queue.available_capacity()
    }

    /// Returns how many segments wait in the queue or are in flight.
    pub const fn queued(&self) -> usize {
        self.queue.open()
    }

    /// Returns how many segments wait for their final delivery receipt. Segments of a message that requests receipts only for
    /// some final states do not count: perhaps none is due.
    pub fn pending_receipts(&self) -> usize {
        self.receipts.awaited()
    }

    /// Returns how many segments count against [`ReceiptOptions::capacity`](super::ReceiptOptions::capacity): those that wait
    /// for a receipt, those for which perhaps none is due, and those that had their last one
    /// within [`remember_completed`](super::ReceiptOptions::remember_completed).
    pub fn tracked_receipts(&self) -> usize {
        self.receipts.len()
    }

    /// Returns when to call [`handle_link_timeout`](Self::handle_link_timeout) for this connection, and for which timer.
    pub fn poll_link_timeout(&self, link: LinkId) -> Option<(Instant, Timer)> {
        self.links.get(link.index())?.session()?.poll_timeout()
    }

    pub(super) fn emit(&mut self, event: Event) {
        // Moved once: an event has many fields.
        self.events.push_back(event);
        let Some(event) = self.events.back() else { return };
        self.counters.record(event);
        if let Event::Link { link, event } = event
            && let Some(slot) = self.links.get_mut(link.index())
        {
            slot.stats.record(event);
            let link = *link;
            self.replan(link);
        }
    }

    /// Does everything that can be done now: starts connections, sends messages, proceeds with a shutdown.
    pub(super) fn advance(&mut self, now: Instant) {
        self.acknowledged_at = None;
        self.is_unfinished = false;
        self.resume_links(now);
        self.start_links(now);
        self.dispatch_requests(now);
        self.dispatch(now);
        self.advance_shutdown(now);
    }
}
