//! A connection slot: its phase, its session, and when it may reconnect.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::group::{Activity, Candidate, Route, Wanted};
use super::link::{BindId, LinkState};
use super::link_index::SlotKey;
use super::message_key::MessageKey;
use super::message_request::RequestNumber;
use super::queue::SegmentRef;
use super::queued_message::ReceiptRequest;
use super::stats::LinkStats;
use super::touched_links::Touched;
use crate::frame::SequenceNumber;
use crate::pdu::{BindMode, CommandStatus};
use crate::session::{CloseReason, Esme, Observer, ResponseTimes, Session, State};
use crate::time::Instant;

/// What a session returns with the outcome of a request.
#[derive(Debug)]
pub(super) enum Tag {
    Bind,
    Segment(SegmentRef),
    Request(RequestNumber),
}

/// A slot for one connection.
pub(super) struct LinkSlot<O> {
    pub(super) phase: Phase<O>,
    /// The bind that it serves; `None` if the account needs none here.
    pub(super) wanted: Option<Wanted>,
    pub(super) route: Route,
    pub(super) replacement: Replacement,
    /// The earliest time of the next connection attempt.
    pub(super) ready_at: Instant,
    /// The failures since the last bind that lived for [`Backoff::reset_after`](super::Backoff::reset_after).
    pub(super) failures: u32,
    /// Counts the sessions of the slot: a reply token is valid for one of them.
    pub(super) generation: u64,
    /// Until then the bind sends no messages: the SMSC throttles, or may still count those of the bind before.
    pub(super) paused_until: Instant,
    health: BindHealth,
    /// Why the last session of the slot that has ended did so.
    pub(super) last_end: CloseReason,
    pub(super) touched: Touched,
    /// The state of its session when that was looked at last.
    pub(super) seen_state: Option<State>,
    /// Whether what the account remembers of what its bind can send may be wrong.
    pub(super) is_stale: bool,
    /// When what its bind can send changes by itself.
    pub(super) wakes_at: Option<Instant>,
    /// The counters of the sessions of this slot that have ended.
    pub(super) stats: LinkStats,
}

/// How a bind has answered messages.
#[derive(Debug, Default)]
pub(super) struct BindHealth {
    /// The session that it belongs to.
    pub(super) generation: u64,
    /// How many segments in a row it has refused in a way that may mean that the SMSC has lost the bind.
    pub(super) refusals_in_a_row: u8,
    /// The destination of a message that it has refused for now, if it has accepted none since.
    pub(super) refused_destination: Option<Box<[u8]>>,
}

pub(super) enum Phase<O> {
    Idle,
    Resolving,
    Connecting {
        address: SocketAddr,
    },
    Open(Box<OpenLink<O>>),
    /// The adapter closes the connection. Then the account goes on with the route, if it is not at its end.
    Closing,
}

/// The replacement of a bind whose credentials or endpoint are outdated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replacement {
    None,
    /// There was no bind when the credentials changed: the slot tries them before a bind is ended for them.
    Trying,
    /// The old bind has been ended, and the new one is not accepted yet.
    Running,
    /// As `Running`, and every endpoint has failed once.
    Failing,
}

pub(super) struct OpenLink<O> {
    pub(super) session: Session<Esme, Tag, O>,
    pub(super) mode: BindMode,
    pub(super) address: SocketAddr,
    /// The number of the credentials that its bind states.
    pub(super) login: u64,
    /// When the SMSC accepted the bind.
    pub(super) bound_at: Option<Instant>,
    /// Whether the SMSC did not accept the bind, or refuses its messages as if it had not: the account backs off.
    pub(super) bind_failed: bool,
    /// The status with which the SMSC refused the bind, if it did.
    pub(super) refused: Option<CommandStatus>,
    /// The statuses of refused segments for which the account has emitted
    /// [`LinkEvent::Retrying`](super::LinkEvent::Retrying).
    pub(super) reported_retries: Vec<CommandStatus>,
    /// The response times of the session that are in the histogram of the slot.
    pub(super) counted: ResponseTimes,
    /// Whether the account has emitted [`LinkEvent::Paused`](super::LinkEvent::Paused), and not the end of the pause.
    pub(super) is_paused: bool,
    /// Whether the adapter has closed the connection before all outcomes of the session were emitted.
    pub(super) is_gone: bool,
    /// The largest window that the session has had.
    pub(super) window: u16,
    /// The segments whose responses may still arrive after their timeout, the oldest first; at most as many as that window.
    pub(super) timed_out: VecDeque<TimedOutSegment>,
}

/// A segment that was sent and got no response in time.
#[derive(Debug)]
pub(super) struct TimedOutSegment {
    pub(super) sequence: SequenceNumber,
    pub(super) segment: SegmentRef,
    /// The caller's key of its message.
    pub(super) key: Option<MessageKey>,
    /// How to track its receipts; `None` if it requests none.
    pub(super) receipts: Option<ReceiptRequest>,
    /// The numbers of its recipients, if each has receipts of its own.
    pub(super) recipients: Vec<u32>,
}

impl<O> LinkSlot<O> {
    /// Creates an idle slot. Its sessions get the numbers after `generation`.
    pub(super) fn new(now: Instant, generation: u64) -> Self {
        Self {
            phase: Phase::Idle,
            wanted: None,
            route: Route::default(),
            replacement: Replacement::None,
            ready_at: now,
            failures: 0,
            generation,
            paused_until: Instant::ZERO,
            health: BindHealth { generation: 0, refusals_in_a_row: 0, refused_destination: None },
            last_end: CloseReason::Disconnected,
            touched: Touched::default(),
            seen_state: None,
            is_stale: false,
            wakes_at: None,
            stats: LinkStats::default(),
        }
    }

    /// Returns whether this is the last bind of the slot.
    pub(super) fn holds(&self, bind: BindId) -> bool {
        bind.is_generation(self.generation)
    }

    /// Returns how the current bind has answered messages.
    pub(super) fn health(&mut self) -> &mut BindHealth {
        if self.health.generation != self.generation {
            self.health = BindHealth { generation: self.generation, ..BindHealth::default() };
        }
        &mut self.health
    }

    /// Records that the current bind has accepted a message.
    #[inline]
    pub(super) fn record_acceptance(&mut self) {
        if self.health.refusals_in_a_row > 0 || self.health.refused_destination.is_some() {
            self.health = BindHealth { generation: self.generation, ..BindHealth::default() };
        }
    }

    pub(super) const fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle)
    }

    pub(super) const fn is_bound(&self) -> bool {
        matches!(&self.phase, Phase::Open(open) if open.bound_at.is_some())
    }

    /// Returns what decides when its connection starts.
    pub(super) fn key(&self) -> SlotKey {
        let group = self.wanted.map(|wanted| wanted.group);
        SlotKey { group, is_idle: self.is_idle(), is_bound: self.is_bound(), ready_at: self.ready_at }
    }

    /// Returns what decides which bind it serves.
    pub(super) fn candidate(&self) -> Candidate<'_> {
        let mode = match &self.phase {
            Phase::Open(open) => Some(open.mode),
            _ => None,
        };
        let activity = match self.phase {
            Phase::Idle => Activity::Idle,
            _ if self.is_bound() => Activity::Bound,
            _ => Activity::Busy,
        };
        Candidate { wanted: self.wanted, activity, mode, endpoint: self.route.endpoint.as_ref() }
    }
}

impl<O: Observer> LinkSlot<O> {
    pub(super) fn state(&self) -> LinkState {
        match &self.phase {
            Phase::Idle => LinkState::Idle,
            Phase::Resolving => LinkState::Resolving,
            Phase::Connecting { address } => LinkState::Connecting(*address),
            Phase::Open(open) => LinkState::Open(open.address, open.session.state()),
            Phase::Closing => LinkState::Closing,
        }
    }

    pub(super) fn session(&self) -> Option<&Session<Esme, Tag, O>> {
        match &self.phase {
            Phase::Open(open) => Some(&open.session),
            _ => None,
        }
    }

    pub(super) fn session_mut(&mut self) -> Option<&mut Session<Esme, Tag, O>> {
        match &mut self.phase {
            Phase::Open(open) => Some(&mut open.session),
            _ => None,
        }
    }

    /// Returns the session, if it is bound as a transmitter or transceiver.
    pub(super) fn transmitter(&self) -> Option<&Session<Esme, Tag, O>> {
        let transmits = |session: &&Session<Esme, Tag, O>| matches!(session.state(), State::Bound(mode) if mode.transmits());
        self.session().filter(transmits)
    }
}
