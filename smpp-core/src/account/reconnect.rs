//! Connecting, binding and reconnecting.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::event::{Action, Event, StopCause};
use super::group::{Group, UnboundBackoff};
use super::link::{BindId, ConnectFailure, LinkEvent, LinkId};
use super::link_slot::{LinkSlot, OpenLink, Phase, Replacement, Tag};
use super::state::{Account, LinkPlan, SLICE, Shutdown};
use crate::frame::Frame;
use crate::provider::BindAction;
use crate::session::{
    self, CloseReason, Esme, Observer, Operations, RequestError, ResponseTimes, Session, State,
};
use crate::time::Instant;

/// How long the SMSC may count the messages of a closed bind against the rate limit of the next.
const RATE_PERIOD: Duration = Duration::from_secs(1);

/// The most octets of the text in [`LinkEvent::ConnectFailed`] and [`LinkEvent::ResolveFailed`].
const MAX_DETAIL: usize = 200;

impl<O: Observer> Account<O> {
    pub(super) fn session(&mut self, link: LinkId) -> Option<&mut Session<Esme, Tag, O>> {
        self.touch(link);
        self.links.get_mut(link.index())?.session_mut()
    }

    pub(super) fn generation(&self, link: LinkId) -> Option<u64> {
        Some(self.links.get(link.index())?.generation)
    }

    /// Returns the session with this generation, unless it has ended.
    pub(super) fn session_of(&mut self, link: LinkId, generation: u64) -> Option<&mut Session<Esme, Tag, O>> {
        self.touch(link);
        self.links.get_mut(link.index()).filter(|link| link.generation == generation)?.session_mut()
    }

    /// Returns whether the account keeps a bind in this slot.
    pub(super) fn is_wanted(&self, link: LinkId) -> bool {
        let is_open = matches!(self.shutdown, Shutdown::Running | Shutdown::Draining { .. });
        let wanted = self.links.get(link.index()).and_then(|link| link.wanted);
        is_open && self.stopped.is_none() && wanted.is_some()
    }

    fn is_group_bound(&self, group: usize) -> bool {
        self.link_index.group(group).is_some_and(|group| group.bound > 0)
    }

    /// Returns whether no bind is left that could send, and the account makes none: it has stopped, or is to keep none.
    pub(super) fn cannot_send(&self) -> bool {
        let may_send = |link: &LinkSlot<O>| match &link.phase {
            Phase::Open(open) if open.mode.transmits() => true,
            _ => self.stopped.is_none() && link.wanted.is_some_and(|wanted| wanted.mode.transmits()),
        };
        !self.links.iter().any(may_send)
    }

    pub(super) fn link_ids(&self) -> impl Iterator<Item = LinkId> + use<O> {
        // There are at most as many as the largest `max_binds`, a `u16`.
        (0..self.links.len() as u16).map(LinkId)
    }

    /// Ends the connections that are not wanted, and starts those that are due. It looks only at the slots on which something has
    /// changed.
    pub(super) fn start_links(&mut self, now: Instant) {
        self.check_touched();
        if self.link_plan.is_some_and(|plan| plan.next_start.is_none_or(|at| at > now)) {
            return;
        }
        // What changes from here on is considered in the next call.
        self.link_plan = Some(LinkPlan { next_start: None });
        let changed = match self.link_index.take_pending() {
            Some(changed) => changed,
            None => self.link_ids().collect(),
        };
        for link in &changed {
            self.end_unwanted(now, *link);
        }
        self.replace_outdated(now);
        // Finds those whose sessions have ended here.
        self.check_touched();
        self.handle_ended_sessions(now, changed);
        self.trim_slots();
        while let Some((at, id)) = self.next_start()
            && at <= now
        {
            let Some(link) = self.links.get_mut(id.index()) else { return };
            let group = link.wanted.and_then(|wanted| self.groups.get(wanted.group));
            link.route = group.map(Group::route).unwrap_or_default();
            link.phase = Phase::Resolving;
            self.next_start = now + self.options.connect_interval;
            self.link_index.set(id, link.key());
            self.actions.push_back(Action::Resolve { link: id });
        }
        if self.link_plan.is_some() {
            self.link_plan = Some(LinkPlan { next_start: self.next_start().map(|(at, _)| at) });
        }
    }

    fn end_unwanted(&mut self, now: Instant, id: LinkId) {
        #[cfg(test)]
        self.link_index.visits.set(self.link_index.visits.get() + 1);
        let wanted = self.is_wanted(id);
        let is_shut_down = matches!(self.shutdown, Shutdown::Unbinding { .. } | Shutdown::Closed);
        let drained_by = match self.shutdown {
            Shutdown::Unbinding { drained_by, .. } => Some(drained_by),
            _ => None,
        };
        let has_stopped = self.stopped.is_some();
        let Some(link) = self.links.get_mut(id.index()) else { return };
        match &mut link.phase {
            Phase::Resolving | Phase::Connecting { .. } if !wanted => self.close(id),
            Phase::Open(open)
                if is_shut_down
                    || link.wanted.is_none_or(|wanted| {
                        // Existing binds stay when the SMSC refuses the credentials of a new one.
                        !has_stopped && wanted.mode != open.mode
                    }) =>
            {
                link.route.end();
                self.touched.add(id, &mut link.touched);
                match drained_by {
                    _ if matches!(open.session.state(), State::Unbinding | State::Closed) => {}
                    Some(at) => open.session.unbind_by(now, at),
                    None => open.session.unbind(now),
                }
            }
            _ => {}
        }
    }

    /// Stops resolving or connecting.
    pub(super) fn close(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(id.index()) else { return };
        link.route.end();
        link.phase = Phase::Closing;
        self.record_change(id);
        self.replan(id);
        self.actions.push_back(Action::Close { link: id });
    }

    /// Returns which connection starts next, and when.
    fn next_start(&self) -> Option<(Instant, LinkId)> {
        let is_open = matches!(self.shutdown, Shutdown::Running | Shutdown::Draining { .. });
        if !is_open || self.stopped.is_some() || self.link_index.busy() >= usize::from(self.options.max_binds)
        {
            return None;
        }
        let starts = self.groups.iter().enumerate().filter_map(|(number, group)| {
            let index = self.link_index.group(number)?;
            if index.bound > 0 {
                let (ready_at, link) = index.first_idle()?;
                return Some((ready_at.max(self.next_start), link));
            }
            // While a group has no bind, only one of its connections at a time probes the host, always the same one if it can.
            if index.busy > 0 {
                return None;
            }
            let earliest = self.next_start.max(group.backoff.until);
            let (ready_at, link) = index.lowest_idle(earliest)?;
            Some((ready_at.max(earliest), link))
        });
        starts.min()
    }

    pub(super) fn next_link_start(&self) -> Option<Instant> {
        match self.link_plan {
            Some(plan) => plan.next_start,
            None => self.next_start().map(|(at, _)| at),
        }
    }

    /// Handles the result of [`Action::Resolve`]: the host's addresses, or the error in words. Without an address the account
    /// tries the next endpoint, or backs off. The event has the first 200 octets of the error.
    pub fn handle_resolved(&mut self, now: Instant, id: LinkId, resolved: Result<&[SocketAddr], &str>) {
        if let Some(link) = self.links.get_mut(id.index())
            && matches!(link.phase, Phase::Resolving)
        {
            let (addresses, detail) = match resolved {
                Ok(addresses) => (addresses, "it has no address"),
                Err(detail) => (&[][..], detail),
            };
            if let Some(group) = link.wanted.and_then(|wanted| self.groups.get(wanted.group)) {
                link.route.addresses = group.ordered(link.route.endpoint.as_ref(), addresses);
            }
            let is_empty = link.route.addresses.is_empty();
            let retry_in = if self.try_next(id) { None } else { Some(self.back_off(now, id) - now) };
            if is_empty {
                let event = LinkEvent::ResolveFailed { detail: shorten(detail), retry_in };
                self.emit(Event::Link { link: id, event });
            }
        }
        self.advance(now);
    }

    /// Connects to the next address, or resolves the next endpoint. Without either, makes the slot idle and returns false.
    fn try_next(&mut self, id: LinkId) -> bool {
        let Some(link) = self.links.get_mut(id.index()) else { return false };
        let action = if let Some(address) = link.route.addresses.pop_front() {
            link.phase = Phase::Connecting { address };
            Some(Action::Connect { link: id, address })
        } else if let Some(endpoint) = link.route.endpoints.pop_front() {
            link.route.endpoint = Some(endpoint);
            link.phase = Phase::Resolving;
            Some(Action::Resolve { link: id })
        } else {
            link.phase = Phase::Idle;
            None
        };
        self.actions.extend(action);
        self.replan(id);
        action.is_some()
    }

    /// Handles an open connection, TLS included: the account sends its bind. The observer sees every PDU of it.
    ///
    /// Returns `false` if the account does not need the connection any more: close it, then call
    /// [`handle_closed`](Self::handle_closed).
    #[must_use = "if it is false, close the connection and call handle_closed"]
    pub fn handle_connected(&mut self, now: Instant, id: LinkId, observer: O) -> bool {
        let Some(link) = self.links.get_mut(id.index()) else { return false };
        let (Phase::Connecting { address }, Some(wanted)) = (&link.phase, link.wanted) else { return false };
        let (address, mode) = (*address, wanted.mode);
        let mut config = self.options.session;
        config.operations |= Operations::of(mode.command());
        let mut session = Session::with_observer(config, now, observer);
        // The options were checked, and a new session accepts a bind. If it did not, the end of the session would report it.
        let tlvs = self.options.credentials.tlv_list().unwrap_or_default();
        if let Ok(bind) = self.options.bind(mode, &tlvs) {
            let _ = session.request(now, &bind, Tag::Bind);
        }
        link.generation += 1;
        link.phase = Phase::Open(Box::new(OpenLink {
            session,
            mode,
            address,
            login: self.logins.current(),
            bound_at: None,
            bind_failed: false,
            refused: None,
            reported_retries: Vec::new(),
            window: self.options.session.window,
            counted: ResponseTimes::default(),
            is_paused: false,
            is_gone: false,
            timed_out: VecDeque::new(),
        }));
        self.touch(id);
        self.emit(Event::Link { link: id, event: LinkEvent::Binding { mode, address } });
        self.advance(now);
        true
    }

    /// Handles a connection attempt that failed: the account tries the next address or endpoint, or backs off. `detail` is the
    /// error in words, for example that of the operating system. The event has its first 200 octets.
    pub fn handle_connect_failed(&mut self, now: Instant, id: LinkId, failure: ConnectFailure, detail: &str) {
        let Some(link) = self.links.get(id.index()) else { return };
        if let Phase::Connecting { address } = link.phase {
            let retry_in = if self.try_next(id) { None } else { Some(self.back_off(now, id) - now) };
            self.emit(Event::Link {
                link: id,
                event: LinkEvent::ConnectFailed { address, failure, detail: shorten(detail), retry_in },
            });
        }
        self.advance(now);
    }

    /// Runs the timers of one connection. Call it once all octets that have arrived have been passed in: otherwise a
    /// response that is there already may count as a timeout.
    pub fn handle_link_timeout(&mut self, now: Instant, link: LinkId) {
        // The timers of the rest are still due.
        for _ in 0..SLICE {
            let Some(event) = self.session(link).and_then(|session| session.handle_timeout(now)) else {
                break;
            };
            self.handle_session_event(now, link, event);
        }
        self.advance(now);
    }

    /// Handles the end of the stream: the SMSC has closed its side of the connection. Responses of the application are still
    /// transmitted: see [`Session::handle_eof`].
    pub fn handle_eof(&mut self, now: Instant, link: LinkId) {
        if let Some(session) = self.session(link) {
            session.at(now, Session::handle_eof);
        }
        self.advance(now);
    }

    /// Handles the failure of a connection: no more octets arrive or leave.
    pub fn handle_disconnect(&mut self, now: Instant, link: LinkId) {
        if let Some(session) = self.session(link) {
            session.handle_disconnect();
        }
        self.advance(now);
    }

    /// Handles a connection that has been closed, after [`Action::Close`] or without it: the slot is free for the next
    /// connection.
    pub fn handle_closed(&mut self, now: Instant, id: LinkId) {
        // Without a preceding `Action::Close` the connection was lost: the action is not needed any more. Perhaps the outcomes of
        // its session are not all emitted yet: then the slot is free after the last one.
        self.handle_disconnect(now, id);
        if let Some(Phase::Open(open)) = self.links.get_mut(id.index()).map(|link| &mut link.phase) {
            open.is_gone = true;
        }
        self.actions.retain(|action| *action != Action::Close { link: id });
        self.free_slot(id);
        self.advance(now);
    }

    /// Lets a slot go on whose connection is closed.
    fn free_slot(&mut self, id: LinkId) {
        let wanted = self.is_wanted(id);
        self.replan(id);
        if let Some(link) = self.links.get_mut(id.index())
            && matches!(link.phase, Phase::Closing)
        {
            if !wanted {
                link.route.end();
            }
            self.try_next(id);
        }
    }

    /// Handles the last events of the sessions that have ended, of the slots that have changed.
    fn handle_ended_sessions(&mut self, now: Instant, mut changed: Vec<LinkId>) {
        let mut left = SLICE;
        changed.extend_from_slice(self.link_index.pending());
        let mut changed = changed.into_iter();
        while let Some(link) = changed.next() {
            let is_closed = |session: &Session<Esme, Tag, O>| session.state() == State::Closed;
            if !self.links.get(link.index()).and_then(LinkSlot::session).is_some_and(is_closed) {
                continue;
            }
            while let Some(event) = self.session(link).and_then(|session| session.handle_timeout(now)) {
                self.handle_session_event(now, link, event);
                left -= 1;
                if left == 0 {
                    self.is_unfinished = true;
                    return core::iter::once(link).chain(changed).for_each(|link| self.replan(link));
                }
            }
        }
    }

    pub(super) fn handle_session_event(
        &mut self,
        now: Instant,
        link: LinkId,
        event: session::Event<'_, Tag>,
    ) {
        self.count_session_event(link, &event);
        match event {
            session::Event::Outcome { tag: Tag::Segment(segment), sequence, outcome } => {
                self.handle_submit_outcome(now, (link, sequence), segment, outcome);
            }
            session::Event::Outcome { tag: Tag::Request(request), outcome, .. } => {
                self.handle_request_outcome(request, outcome);
            }
            session::Event::LateResponse { sequence, outcome } => {
                self.handle_late_outcome(now, (link, sequence), outcome);
            }
            session::Event::Outcome { tag: Tag::Bind, outcome, .. } => match outcome {
                session::Outcome::Accepted(_) => self.handle_bound(now, link),
                other => {
                    if let Err(error) = other.into_result() {
                        self.handle_bind_failed(now, link, error);
                    }
                }
            },
            session::Event::Request { request, frame, .. } => self.handle_request(now, link, request, frame),
            session::Event::Notification { frame, .. } => {
                if let Some(generation) = self.generation(link)
                    && let Some(frame) = Frame::new(frame.octets().to_vec())
                {
                    self.emit(Event::Notification { bind: BindId::new(link, generation), frame });
                }
            }
            session::Event::PeerUnbind => self.emit(Event::Link { link, event: LinkEvent::PeerUnbind }),
            session::Event::Closed(reason) => self.handle_session_closed(now, link, reason),
            // The session has responded to it, and counts it in its statistics.
            _ => {}
        }
    }

    fn handle_bound(&mut self, now: Instant, id: LinkId) {
        self.touch(id);
        let Some(link) = self.links.get_mut(id.index()) else { return };
        let bind = BindId::new(id, link.generation);
        let Phase::Open(open) = &mut link.phase else { return };
        open.bound_at = Some(now);
        link.route.end();
        link.replacement = Replacement::None;
        self.logins.accept(open.login);
        if let Some(group) = link.wanted.and_then(|wanted| self.groups.get_mut(wanted.group)) {
            group.record_bound(link.route.endpoint.as_ref(), open.address);
        }
        let event = LinkEvent::Bound { bind, mode: open.mode, address: open.address };
        self.emit(Event::Link { link: id, event });
    }

    fn handle_bind_failed(&mut self, now: Instant, id: LinkId, error: RequestError) {
        let Some(link) = self.links.get_mut(id.index()) else { return };
        let Phase::Open(open) = &mut link.phase else { return };
        open.bind_failed = true;
        let (address, login) = (open.address, open.login);
        let received = open.session.diagnose_bind(&error);
        match error {
            // Another address of the host may answer.
            RequestError::Unanswered(_) | RequestError::NeverSent(_) => open.session.abort(),
            RequestError::Refused { status, .. } | RequestError::Nacked(status) => {
                open.refused = Some(status);
                // The host has answered. Another endpoint may accept the bind.
                link.route.addresses.clear();
                open.session.unbind(now);
            }
        }
        self.emit(Event::Link {
            link: id,
            event: LinkEvent::BindRefused { address, error: error.clone(), received },
        });
        if let RequestError::Refused { status, response } = error
            && self.options.statuses.bind_action(status) == BindAction::Stop
            && !self.is_bind_stop_reported
            // Credentials that the SMSC has accepted before are refused for another reason, for example while it starts.
            && login == self.logins.current()
            && !self.logins.is_accepted()
        {
            // Messages that stopped the account stay the reason why it sends none.
            self.stopped.get_or_insert(StopCause::Bind);
            self.is_bind_stop_reported = true;
            self.replan_all();
            self.emit(Event::Stopped { cause: StopCause::Bind, status, response });
        }
    }

    fn handle_session_closed(&mut self, now: Instant, id: LinkId, reason: CloseReason) {
        let wanted = self.is_wanted(id);
        let reset_after = self.options.backoff.reset_after;
        self.touch(id);
        let Some(link) = self.links.get_mut(id.index()) else { return };
        let Phase::Open(open) = &link.phase else { return };
        let (address, refused, is_gone) = (open.address, open.refused, open.is_gone);
        if open.bound_at.is_some_and(|since| now - since >= reset_after) {
            link.failures = 0;
            if let Some(group) = link.wanted.and_then(|wanted| self.groups.get_mut(wanted.group)) {
                group.backoff.failures = 0;
            }
        }
        let (reconnects, is_planned) =
            (wanted && link.route.is_at_end(), reason == CloseReason::Unbound && !open.bind_failed);
        let paused_until = link.paused_until;
        if self.options.session.rate.is_some() {
            link.paused_until = link.paused_until.max(now + RATE_PERIOD);
        }
        if let Some(limiter) = &mut self.rate_limiter {
            limiter.forget(open.session.unsent_messages());
        }
        link.stats.end_session(&open.session.stats());
        self.delivered_pdus.handle_bind_ended(now, id, link.generation);
        link.last_end = reason;
        self.pauses.remove(&(paused_until, id));
        link.phase = Phase::Closing;
        self.link_index.set(id, link.key());
        let bind = BindId::new(id, link.generation);
        let retry_in = match reconnects {
            true if is_planned => Some(Duration::ZERO),
            true => Some(self.back_off(now, id) - now),
            false => None,
        };
        self.end_named(now, bind);
        if !is_gone {
            self.actions.push_back(Action::Close { link: id });
        }
        self.emit(Event::Link { link: id, event: LinkEvent::Closed { address, reason, refused, retry_in } });
        if is_gone {
            self.free_slot(id);
        }
    }

    /// Records a failure, and returns when the slot reconnects. While its group has no bind, all slots of the group wait:
    /// what made one of them fail probably affects the others too.
    fn back_off(&mut self, now: Instant, id: LinkId) -> Instant {
        let random = self.next_random();
        let backoff = self.options.backoff;
        let wanted = self.links.get(id.index()).and_then(|link| link.wanted);
        let is_unbound = wanted.is_some_and(|wanted| !self.is_group_bound(wanted.group));
        let group = wanted.and_then(|wanted| self.groups.get_mut(wanted.group)).filter(|_| is_unbound);
        let Some(link) = self.links.get_mut(id.index()) else { return now };
        let shared = group.as_ref().map_or(0, |group| group.backoff.failures);
        link.failures = link.failures.max(shared).saturating_add(1);
        link.ready_at = now + backoff.delay(link.failures, random);
        link.replacement = match link.replacement {
            Replacement::None | Replacement::Trying => Replacement::None,
            Replacement::Running | Replacement::Failing => Replacement::Failing,
        };
        let ready_at = link.ready_at;
        self.link_index.set(id, link.key());
        if let Some(group) = group {
            group.backoff = UnboundBackoff { until: ready_at, failures: link.failures };
            // The attempt stands for all slots of the group: the binds of other groups are replaced meanwhile.
            let of_group = |link: &&mut LinkSlot<O>| {
                link.wanted.map(|wanted| wanted.group) == wanted.map(|wanted| wanted.group)
            };
            for link in self.links.iter_mut().filter(of_group) {
                if link.replacement == Replacement::Trying {
                    link.replacement = Replacement::None;
                }
            }
        }
        ready_at
    }

    /// Returns the next random number (splitmix64).
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let number = self.random;
        let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        number ^ (number >> 31)
    }
}

/// Returns at most the first [`MAX_DETAIL`] octets of the text, up to the end of a character.
fn shorten(text: &str) -> Box<str> {
    let end = (0..=MAX_DETAIL).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text.get(..end).unwrap_or_default().into()
}
