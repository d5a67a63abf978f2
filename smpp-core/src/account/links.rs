//! The connections: when one is begun, where to, and what becomes of it.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::net::SocketAddr;
use core::time::Duration;

use super::event::{Action, ConnectFailure, Event, LinkEvent, LinkId};
use super::options::Backoff;
use super::queue::PartRef;
use super::{Account, Ending, LinkState};
use crate::frame::Frame;
use crate::pdu::{BindMode, CommandStatus};
use crate::session::{self, CloseReason, Esme, Observer, RequestError, Session, State};
use crate::time::Instant;

/// What a session gives back with the outcome of a request.
#[derive(Debug)]
pub(super) enum Tag {
    Bind,
    Part(PartRef),
}

/// A place for a connection.
pub(super) struct Link<O> {
    phase: Phase<O>,
    /// When it may be begun again.
    ready_at: Instant,
    /// Failures since the last bind that lasted.
    failures: u32,
    /// Counts its sessions: an answer is for one of them.
    serial: u64,
    /// Until then it sends no messages: the SMSC is overloaded, or may still count those of the bind before.
    pub(super) paused_until: Instant,
}

enum Phase<O> {
    Idle,
    Resolving,
    IncomingConnection {
        address: SocketAddr,
        untried: VecDeque<SocketAddr>,
    },
    Open(Box<Open<O>>),
    /// Until the adapter has closed it. Then the next address, or none.
    Closing {
        untried: VecDeque<SocketAddr>,
    },
}

struct Open<O> {
    session: Session<Esme, Tag, O>,
    mode: BindMode,
    address: SocketAddr,
    untried: VecDeque<SocketAddr>,
    /// Since when it is bound.
    bound: Option<Instant>,
    /// Why it is not.
    refused: Option<RequestError>,
}

impl<O> Link<O> {
    pub(super) const fn new(now: Instant) -> Self {
        Self { phase: Phase::Idle, ready_at: now, failures: 0, serial: 0, paused_until: Instant::ZERO }
    }

    pub(super) const fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle)
    }

    const fn is_bound(&self) -> bool {
        matches!(&self.phase, Phase::Open(open) if open.bound.is_some())
    }
}

impl<O: Observer> Link<O> {
    pub(super) fn state(&self) -> LinkState {
        match &self.phase {
            Phase::Idle => LinkState::Idle,
            Phase::Resolving => LinkState::Resolving,
            Phase::IncomingConnection { address, .. } => LinkState::IncomingConnection(*address),
            Phase::Open(open) => LinkState::Open(open.address, open.session.state()),
            Phase::Closing { .. } => LinkState::Closing,
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

    /// The session, if it is bound to send.
    pub(super) fn transmitter(&self) -> Option<&Session<Esme, Tag, O>> {
        let transmits = |session: &&Session<Esme, Tag, O>| matches!(session.state(), State::Bound(mode) if mode.transmits());
        self.session().filter(transmits)
    }
}

impl<O: Observer> Account<O> {
    pub(super) fn session(&mut self, link: LinkId) -> Option<&mut Session<Esme, Tag, O>> {
        self.links.get_mut(link.index())?.session_mut()
    }

    pub(super) fn serial(&self, link: LinkId) -> Option<u64> {
        Some(self.links.get(link.index())?.serial)
    }

    /// The session that has this number, unless it is over.
    pub(super) fn session_of(&mut self, link: LinkId, serial: u64) -> Option<&mut Session<Esme, Tag, O>> {
        self.links.get_mut(link.index()).filter(|link| link.serial == serial)?.session_mut()
    }

    /// Whether the place is one of those that are to be bound.
    fn is_wanted(&self, link: LinkId) -> bool {
        let taking = matches!(self.ending, Ending::No | Ending::Draining { .. });
        taking && self.stopped.is_none() && link.0 < self.options.binds.count()
    }

    fn mode_of(&self, link: LinkId) -> BindMode {
        self.options.binds.mode(link.0)
    }

    fn any_bound(&self) -> bool {
        self.links.iter().any(Link::is_bound)
    }

    /// Whether nothing can be sent, now or later.
    pub(super) fn is_stuck(&self) -> bool {
        let may_send = |link: &Link<O>| matches!(&link.phase, Phase::Open(open) if open.mode.transmits());
        self.stopped.is_some() && !self.links.iter().any(may_send)
    }

    fn ids(&self) -> impl Iterator<Item = LinkId> + use<O> {
        (0..self.options.max_binds).map(LinkId)
    }

    /// Ends the connections that are not wanted, and begins those whose time has come: what is over is no bind any more.
    pub(super) fn start_links(&mut self, now: Instant) {
        for link in self.ids() {
            self.end_unwanted(now, link);
        }
        self.reap(now);
        while let Some((at, link)) = self.next_start()
            && at <= now
        {
            if let Some(link) = self.links.get_mut(link.index()) {
                link.phase = Phase::Resolving;
            }
            self.next_start = now + self.options.connect_interval;
            self.actions.push_back(Action::Resolve { link });
        }
    }

    fn end_unwanted(&mut self, now: Instant, id: LinkId) {
        let (wanted, mode) = (self.is_wanted(id), self.mode_of(id));
        let leaving = matches!(self.ending, Ending::Leaving { .. } | Ending::Over);
        // Binds that there are live on when no more can be made.
        let stopped = self.stopped.is_some() && id.0 < self.options.binds.count();
        let Some(link) = self.links.get_mut(id.index()) else { return };
        match &mut link.phase {
            Phase::Resolving | Phase::IncomingConnection { .. } if !wanted => {
                link.phase = Phase::Closing { untried: VecDeque::new() };
                self.actions.push_back(Action::Close { link: id });
            }
            Phase::Open(open) if leaving || !(stopped || wanted && open.mode == mode) => {
                open.untried.clear();
                if open.session.state() != State::Unbinding && open.session.state() != State::Closed {
                    open.session.unbind(now);
                }
            }
            _ => {}
        }
    }

    /// Which connection is begun next, and when.
    fn next_start(&self) -> Option<(Instant, LinkId)> {
        let busy = |link: &Link<O>| !link.is_idle() && !link.is_bound();
        if !self.any_bound() && self.links.iter().any(busy) {
            // One at a time finds the way.
            return None;
        }
        let wanted = self.ids().zip(&self.links).filter(|(id, link)| link.is_idle() && self.is_wanted(*id));
        let earliest = if self.any_bound() { self.next_start } else { self.next_start.max(self.blocked.0) };
        wanted.map(|(id, link)| (link.ready_at.max(earliest), id)).min()
    }

    pub(super) fn next_link_start(&self) -> Option<Instant> {
        self.next_start().map(|(at, _)| at)
    }

    /// The addresses of the host: none, if it has none or could not be asked for.
    pub fn handle_resolved(&mut self, now: Instant, link: LinkId, addresses: &[SocketAddr]) {
        if self.is_in(link, |phase| matches!(phase, Phase::Resolving)) {
            let mut untried = VecDeque::new();
            // The last good one first.
            let good = addresses.iter().filter(|address| Some(**address) == self.good);
            for address in good.chain(addresses) {
                if !untried.contains(address) {
                    untried.push_back(*address);
                }
            }
            if !self.connect(link, untried) {
                let retry = self.back_off(now, link);
                self.tell(Event::Link { link, event: LinkEvent::ResolveFailed { retry_at: retry } });
            }
        }
        self.drive(now);
    }

    /// Connects to the first of the addresses. Whether there is one; if not, the place is idle.
    fn connect(&mut self, id: LinkId, mut untried: VecDeque<SocketAddr>) -> bool {
        let Some(link) = self.links.get_mut(id.index()) else { return false };
        let Some(address) = untried.pop_front() else {
            link.phase = Phase::Idle;
            return false;
        };
        link.phase = Phase::IncomingConnection { address, untried };
        self.actions.push_back(Action::Connect { link: id, address });
        true
    }

    /// The connection is there, TLS included: it is bound now. `observer` sees every PDU of it.
    ///
    /// `false` if it is not wanted any more: close it, then call [`handle_closed`](Self::handle_closed).
    pub fn handle_connected(&mut self, now: Instant, id: LinkId, observer: O) -> bool {
        let mode = self.mode_of(id);
        let Some(link) = self.links.get_mut(id.index()) else { return false };
        let Phase::IncomingConnection { address, untried } = &mut link.phase else { return false };
        let mut session = Session::with_observer(self.options.session, now, observer);
        if let Ok(bind) = self.options.credentials.bind(mode, self.options.interface_version) {
            // Nothing is in the way of a first bind; if something were, it would be told as the end of the session.
            let _ = session.request(now, &bind, Tag::Bind);
        }
        let (address, untried) = (*address, core::mem::take(untried));
        link.serial += 1;
        link.phase =
            Phase::Open(Box::new(Open { session, mode, address, untried, bound: None, refused: None }));
        self.drive(now);
        true
    }

    /// There is no connection to the address.
    pub fn handle_connect_failed(&mut self, now: Instant, id: LinkId, failure: ConnectFailure) {
        let Some(link) = self.links.get_mut(id.index()) else { return };
        if let Phase::IncomingConnection { address, untried } = &mut link.phase {
            let (address, untried) = (*address, core::mem::take(untried));
            let retry = if self.connect(id, untried) { None } else { Some(self.back_off(now, id)) };
            self.tell(Event::Link {
                link: id,
                event: LinkEvent::ConnectFailed { address, failure, retry_at: retry },
            });
        }
        self.drive(now);
    }

    fn is_in(&self, link: LinkId, phase: impl Fn(&Phase<O>) -> bool) -> bool {
        self.links.get(link.index()).is_some_and(|link| phase(&link.phase))
    }

    /// Octets from the peer: a PDU that is not complete stays in `input`. Nothing is taken while the connection does
    /// not [want input](Self::wants_input).
    pub fn handle_input(&mut self, now: Instant, link: LinkId, input: &mut &[u8]) {
        while let Some(event) = self.session(link).and_then(|session| session.handle_input(now, input)) {
            self.handle_event(now, link, event);
        }
        self.expire_receipts(now);
        self.drive(now);
    }

    /// Acts on the time, for one connection: call it once all that has come on it has been passed in.
    pub fn handle_link_timeout(&mut self, now: Instant, link: LinkId) {
        while let Some(event) = self.session(link).and_then(|session| session.handle_timeout(now)) {
            self.handle_event(now, link, event);
        }
        self.drive(now);
    }

    /// So many octets, of those that [`poll_transmit`](Self::poll_transmit) gave, have been handed to the transport.
    pub fn handle_transmitted(&mut self, now: Instant, link: LinkId, octets: usize) {
        if let Some(session) = self.session(link) {
            session.handle_transmitted(octets);
        }
        self.drive(now);
    }

    /// The connection has ended, or failed: nothing more comes in or goes out.
    pub fn handle_eof(&mut self, now: Instant, link: LinkId) {
        if let Some(session) = self.session(link) {
            session.handle_disconnect();
        }
        self.drive(now);
    }

    /// The connection is gone, after [`Action::Close`]: its place may be used again.
    pub fn handle_closed(&mut self, now: Instant, id: LinkId) {
        // One that was not asked to go is lost, and need not be asked any more.
        self.handle_eof(now, id);
        self.actions.retain(|action| *action != Action::Close { link: id });
        let wanted = self.is_wanted(id);
        if let Some(link) = self.links.get_mut(id.index())
            && let Phase::Closing { untried } = &mut link.phase
        {
            let untried = core::mem::take(untried);
            self.connect(id, if wanted { untried } else { VecDeque::new() });
        }
        self.drive(now);
    }

    /// Appends what is to be transmitted to `out`, and says whether there was anything.
    pub fn poll_transmit(&mut self, link: LinkId, out: &mut alloc::vec::Vec<u8>) -> bool {
        self.session(link).is_some_and(|session| session.poll_transmit(out))
    }

    /// Whether there is something to be transmitted.
    pub fn wants_transmit(&self, link: LinkId) -> bool {
        let session = self.links.get(link.index()).and_then(Link::session);
        session.is_some_and(Session::wants_transmit)
    }

    /// Whether the connection wants to read: see [`Session::wants_input`].
    pub fn wants_input(&self, link: LinkId) -> bool {
        self.links.get(link.index()).and_then(Link::session).is_some_and(Session::wants_input)
    }

    /// Hears how sessions ended that are over, whatever ended them.
    fn reap(&mut self, now: Instant) {
        for link in self.ids() {
            while let Some(event) = self
                .session(link)
                .filter(|session| session.state() == State::Closed)
                .and_then(|session| session.handle_timeout(now))
            {
                self.handle_event(now, link, event);
            }
        }
    }

    fn handle_event(&mut self, now: Instant, link: LinkId, event: session::Event<'_, Tag>) {
        match event {
            session::Event::Outcome { tag: Tag::Part(part), outcome, .. } => {
                self.answered(now, link, part, outcome);
            }
            session::Event::Outcome { tag: Tag::Bind, outcome, .. } => match outcome {
                session::Outcome::Accepted(_) => self.bound(now, link),
                other => {
                    if let Err(error) = other.into_result() {
                        self.bind_failed(now, link, error);
                    }
                }
            },
            session::Event::Request { request, frame, .. } => self.requested(now, link, request, frame),
            session::Event::Notification { frame, .. } => {
                if let Some(frame) = Frame::new(frame.octets().to_vec()) {
                    self.tell(Event::Notification { frame });
                }
            }
            session::Event::PeerUnbind => self.tell(Event::Link { link, event: LinkEvent::PeerUnbind }),
            session::Event::Closed(reason) => self.ended(now, link, reason),
            // Counted in the session's statistics, answered by the session.
            _ => {}
        }
    }

    fn bound(&mut self, now: Instant, id: LinkId) {
        let Some(Phase::Open(open)) = self.links.get_mut(id.index()).map(|link| &mut link.phase) else {
            return;
        };
        open.bound = Some(now);
        open.untried.clear();
        let change = LinkEvent::Bound { mode: open.mode, address: open.address };
        self.good = Some(open.address);
        self.tell(Event::Link { link: id, event: change });
    }

    fn bind_failed(&mut self, now: Instant, id: LinkId, error: RequestError) {
        let Some(Phase::Open(open)) = self.links.get_mut(id.index()).map(|link| &mut link.phase) else {
            return;
        };
        open.refused = Some(error);
        let address = open.address;
        match error {
            // Another server may answer.
            RequestError::Unanswered(_) | RequestError::NeverSent(_) => open.session.abort(),
            RequestError::Refused(_) | RequestError::Nacked(_) => {
                open.untried.clear();
                open.session.unbind(now);
            }
        }
        self.tell(Event::Link { link: id, event: LinkEvent::BindRefused { address, error } });
        if let RequestError::Refused(status) = error
            && is_about_credentials(status)
            && self.stopped.is_none()
        {
            self.stopped = Some(status);
            self.tell(Event::Stopped { status });
        }
    }

    /// The session is over.
    fn ended(&mut self, now: Instant, id: LinkId, reason: CloseReason) {
        let wanted = self.is_wanted(id);
        let steady = self.options.backoff.reset_after;
        let Some(link) = self.links.get_mut(id.index()) else { return };
        let Phase::Open(open) = &mut link.phase else { return };
        let (address, untried) = (open.address, core::mem::take(&mut open.untried));
        if open.bound.is_some_and(|since| now - since >= steady) {
            link.failures = 0;
            self.blocked.1 = 0;
        }
        let (again, as_asked) =
            (wanted && untried.is_empty(), reason == CloseReason::Unbound && open.refused.is_none());
        if self.options.session.rate.is_some() {
            // What was sent in the last second still counts.
            link.paused_until = link.paused_until.max(now + Duration::from_secs(1));
        }
        link.phase = Phase::Closing { untried };
        let retry = match again {
            true if as_asked => Some(now),
            true => Some(self.back_off(now, id)),
            false => None,
        };
        self.actions.push_back(Action::Close { link: id });
        self.tell(Event::Link { link: id, event: LinkEvent::Closed { address, reason, retry_at: retry } });
    }

    /// After a failure: when the place is used again. Where there is no bind, the others wait as long: what was in the
    /// way of one is in the way of all, whichever of them it is that finds out.
    fn back_off(&mut self, now: Instant, id: LinkId) -> Instant {
        let random = self.random();
        let backoff = self.options.backoff;
        let alone = !self.any_bound();
        let (_, others) = self.blocked;
        let Some(link) = self.links.get_mut(id.index()) else { return now };
        let failures = if alone { link.failures.max(others) } else { link.failures };
        link.failures = failures.saturating_add(1);
        link.ready_at = now + backoff.delay(link.failures, random);
        if alone {
            self.blocked = (link.ready_at, link.failures);
        }
        link.ready_at
    }

    /// A random number: splitmix64.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let number = self.random;
        let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        number ^ (number >> 31)
    }
}

/// The shortest wait after a failure: whoever sets none must not be kept busy by it.
const SHORTEST: Duration = Duration::from_millis(2);

impl Backoff {
    /// The wait after so many failures, at least 1: from half of it to all of it.
    fn delay(self, failures: u32, random: u64) -> Duration {
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let whole = self.initial.saturating_mul(doubled).min(self.max).max(SHORTEST);
        let half = whole / 2;
        let nanos = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX);
        half + Duration::from_nanos(random.checked_rem(nanos).unwrap_or_default())
    }
}

/// Whether the SMSC refuses who the account is: trying again does not help, and may lock the account.
fn is_about_credentials(status: CommandStatus) -> bool {
    matches!(
        status,
        CommandStatus::RINVPASWD
            | CommandStatus::RINVSYSID
            | CommandStatus::RINVSYSTYP
            | CommandStatus::RPROHIBITED
    )
}
