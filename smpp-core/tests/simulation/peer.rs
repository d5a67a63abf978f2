//! One side: a session, its application, and the model of the session.

use std::time::Duration;

use smpp_proto::session::{CloseReason, Event, Instant, Outcome, Refusal, State, Timer};
use smpp_proto::{CommandId, CommandStatus, Header, frame};

use super::context::Context;
use super::harness::ticks;
use super::messages::{self, Octets, PendingReply, SendPdu, Tag, pdu, response_id, tag_of};
use super::model::Model;
use super::scenario::{Behavior, SidePlan};
use super::trace::{Traced, refusal};

pub(crate) struct Peer<R> {
    traced: Traced<R>,
    pub(crate) model: Model,
    behavior: Behavior,
    /// Octets taken from the session that the transport has not accepted.
    pub(crate) output: Vec<u8>,
    /// Octets that have arrived and that the session has not read.
    unread: Vec<u8>,
    pending: Vec<PendingResponse>,
    /// When the application acts next.
    pub(crate) next_action: Option<Instant>,
    /// When the output is taken from the session.
    pub(crate) next_poll: Option<Instant>,
    lateness: Duration,
}

/// A request of the other side that the application will answer.
struct PendingResponse {
    due: Instant,
    /// The application waits for the outcome of this request of its own first.
    waits_for: Option<Tag>,
    reply: PendingReply,
    request: Header,
    tag: Option<Tag>,
}

const ERRORS: [CommandStatus; 5] = [
    CommandStatus::RTHROTTLED,
    CommandStatus::RMSGQFUL,
    CommandStatus::RSYSERR,
    CommandStatus::RINVDSTADR,
    CommandStatus(0x450),
];

impl<R: SendPdu> Peer<R> {
    pub(crate) fn new(plan: &SidePlan, start: Instant, lateness: Duration, traced: bool) -> Self {
        Self {
            traced: Traced::new(&plan.settings, start, traced),
            model: Model::new(R::SIDE, plan.settings, start),
            behavior: plan.behavior,
            output: Vec::new(),
            unread: Vec::new(),
            pending: Vec::new(),
            next_action: Some(start),
            next_poll: None,
            lateness,
        }
    }

    pub(crate) fn closed(&self) -> Option<CloseReason> {
        self.model.closed
    }

    pub(crate) fn state(&self) -> State {
        self.traced.session.state()
    }

    pub(crate) fn into_trace(self) -> Option<String> {
        self.traced.into_trace()
    }

    pub(crate) fn wants_input(&self) -> bool {
        self.traced.session.wants_input()
    }

    /// Returns whether the next octet that arrives begins a PDU.
    pub(crate) fn is_between_pdus(&self) -> bool {
        self.unread.is_empty()
    }

    /// Returns when timers are handled next: without delay if the session has ended.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let (at, _) = self.traced.session.poll_timeout().filter(|(_, timer)| *timer != Timer::Input)?;
        Some(if self.state() == State::Closed { at } else { at + self.lateness })
    }

    /// Returns when to pass the octets that the session has left over.
    pub(crate) fn next_read(&self) -> Option<Instant> {
        let (at, timer) = self.traced.session.poll_timeout()?;
        (timer == Timer::Input).then_some(at)
    }

    /// Returns whether the session reads octets that arrive, or the end of the stream.
    pub(crate) fn reads_stream(&self) -> bool {
        self.wants_input() && self.next_read().is_none()
    }

    /// Returns when the application answers next.
    pub(crate) fn next_response(&self) -> Option<Instant> {
        self.pending.iter().filter(|response| self.can_answer(response)).map(|response| response.due).min()
    }

    fn can_answer(&self, response: &PendingResponse) -> bool {
        response.waits_for.is_none_or(|tag| !self.model.is_open(tag))
    }

    fn check(&mut self, context: &mut Context) {
        self.model.check(&self.traced.session, context.now);
        let whole_pdu = matches!(frame::split(&self.unread, usize::MAX), Ok(Some(_)));
        self.model.check_input(&self.traced.session, whole_pdu);
        if self.closed().is_none() && self.next_poll.is_none() {
            self.next_poll = Some(context.now + ticks(context.rng.pick(&[0, 0, 0, 1, 3])));
        }
    }

    /// Sends a request. `now` may be before a time that was passed earlier.
    fn request(&mut self, context: &mut Context, now: Instant, tag: Tag, octets: &Octets) {
        self.model.advance_clock(now);
        let readiness = self.traced.session.readiness(self.model.clock);
        let result = self.traced.request(now, tag, octets);
        self.model.record_request(tag, octets, readiness, &result, &self.traced.session.stats());
        if self.model.is_suspended()
            && matches!(&result, Err(refused) if refused.reason == Refusal::WindowFull)
        {
            context.count(|| "suspended".into());
        }
        let command = octets.header().command;
        context.print(|| format!("{:?} requests {command} {tag}: {result:?}", R::SIDE));
        context.count(|| match &result {
            Ok(_) => format!("own request {command}"),
            Err(refused) => format!("refusal {}", first_word(&refused.reason)),
        });
        context.record_request(R::SIDE, command, result.is_ok());
        self.check(context);
    }

    /// Lets the application act: send, unbind, abort or handle timers.
    pub(crate) fn act(&mut self, context: &mut Context) {
        self.next_action = Some(context.now + ticks(context.rng.within(0..=self.behavior.pause)));
        if context.rng.chance(self.behavior.unbinds) {
            return self.unbind(context);
        }
        if context.rng.chance(self.behavior.aborts) {
            return match context.rng.within(0..=3) {
                0 | 1 => self.abort(context),
                2 => self.disconnect(context),
                _ => self.eof(context),
            };
        }
        if context.rng.chance(20) {
            return self.handle_timeouts(context);
        }
        let tag = context.next_tag();
        let open = matches!(self.state(), State::Open | State::Outbound);
        let rng = &mut context.rng;
        let binds = R::MESSAGES.contains(&CommandId::SUBMIT_SM) && rng.chance(if open { 600 } else { 20 });
        if !binds && rng.chance(if open { 5 } else { 30 }) && self.notify(context) {
            return;
        }
        let rng = &mut context.rng;
        let octets = if binds {
            messages::bind(rng, tag, context.modern)
        } else if rng.chance(50) {
            messages::enquire_link()
        } else {
            let command = rng.pick(R::MESSAGES);
            messages::message(rng, command, tag)
        };
        let early = if rng.chance(100) { ticks(rng.within(1..=5)) } else { ticks(0) };
        let now = Instant::from_nanos(context.now.as_nanos().saturating_sub(early.as_nanos() as u64));
        self.request(context, now, tag, &octets);
    }

    /// Sends a notification if this side has any.
    fn notify(&mut self, context: &mut Context) -> bool {
        let outbind = !self.state().is_bound();
        let octets = messages::notification(outbind);
        let Some(result) = self.traced.notify(context.now, &octets) else { return false };
        self.model.advance_clock(context.now);
        if result.is_ok() {
            self.model.record_notification(&octets);
        }
        context.print(|| format!("{:?} notifies {}: {result:?}", R::SIDE, octets.header().command));
        let word = if result.is_ok() { "sent" } else { "refused" };
        context.count(|| format!("{} {word}", octets.header().command));
        self.check(context);
        true
    }

    pub(crate) fn unbind(&mut self, context: &mut Context) {
        if context.calm && !self.state().is_bound() && self.next_action.is_some() {
            return;
        }
        context.print(|| format!("{:?} unbinds", R::SIDE));
        self.model.advance_clock(context.now);
        if self.state() != State::Closed && !self.model.history.eof {
            self.model.history.unbind.get_or_insert(context.now);
        }
        self.traced.unbind(context.now);
        self.check(context);
    }

    pub(crate) fn abort(&mut self, context: &mut Context) {
        context.print(|| format!("{:?} aborts", R::SIDE));
        self.model.history.aborted = true;
        self.traced.abort();
        self.check(context);
    }

    /// Reports the end of the connection to the session.
    pub(crate) fn eof(&mut self, context: &mut Context) {
        context.print(|| format!("{:?} sees the end of the stream", R::SIDE));
        let answered = self.model.history.unbind_answered;
        self.model.history.cut_short |= self.model.pending() > 0 && !answered;
        self.model.record_eof(self.state());
        self.traced.eof();
        self.check(context);
    }

    /// Reports to the session that the connection has failed.
    pub(crate) fn disconnect(&mut self, context: &mut Context) {
        context.print(|| format!("{:?} sees that the connection has failed", R::SIDE));
        self.model.history.cut_short |= self.wants_input() && self.model.pending() > 0;
        self.model.record_disconnect();
        self.traced.disconnect();
        self.check(context);
    }

    /// Handles timers.
    pub(crate) fn handle_timeouts(&mut self, context: &mut Context) {
        let now = context.now;
        for events in 0.. {
            assert!(events < 1000, "endless events");
            self.model.advance_clock(now);
            let Some(event) = self.traced.handle_timeout(now) else { break };
            self.handle_event(context, event);
            self.check(context);
        }
        self.check(context);
        self.model.check_timers(&self.traced.session, self.lateness);
    }

    pub(crate) fn receive(&mut self, context: &mut Context, octets: &[u8]) {
        if self.closed().is_some() {
            return;
        }
        context.print(|| format!("{:?} receives {} octets", R::SIDE, octets.len()));
        self.traced.receive(octets);
        self.unread.extend_from_slice(octets);
        self.read(context);
    }

    /// Passes the octets that have arrived to the session.
    pub(crate) fn read(&mut self, context: &mut Context) {
        let now = context.now;
        let unread = std::mem::take(&mut self.unread);
        let mut rest = &unread[..];
        loop {
            let before = rest;
            self.model.advance_clock(now);
            let event = self.traced.read(now, &mut rest);
            self.model.record_input(&before[..before.len() - rest.len()]);
            let Some(event) = event else { break };
            self.handle_event(context, event);
            self.check(context);
        }
        self.unread = rest.to_vec();
        self.check(context);
    }

    fn handle_event(&mut self, context: &mut Context, event: Event<'_, Tag>) {
        context.print(|| format!("{:?} emits {event:?}", R::SIDE));
        self.model.record_event(&event);
        context.count(|| describe(&event));
        match event {
            Event::Request { request, frame, .. } => {
                let (header, tag) = (frame.header(), tag_of(frame));
                context.record_arrival(R::SIDE, header.command, tag);
                self.schedule_response(context, PendingReply::new(request), header, tag);
            }
            Event::Outcome { tag, outcome, .. } => context.record_outcome(R::SIDE, tag, &outcome),
            Event::LateResponse { sequence, outcome, .. } => {
                let tag = self.model.record_late_response(sequence, &outcome);
                context.record_late_response(R::SIDE, tag, &outcome);
            }
            Event::Refused { frame, status, .. } if frame.header().command.has_response() => {
                if status == CommandStatus::RTHROTTLED {
                    context.count(|| "throttled after backpressure_timeout".into());
                }
                if let Some(tag) = tag_of(frame) {
                    context.record_response(Some(tag), status, Vec::new());
                }
            }
            Event::Malformed { frame, error, .. } => {
                assert!(
                    context.tainted || !context.modern,
                    "{error:?} in a PDU that is not damaged: {frame:?}"
                );
                if let Some(tag) = tag_of(frame).filter(|_| !frame.header().command.is_response()) {
                    context.record_response(Some(tag), error.status(), Vec::new());
                }
            }
            Event::Closed(_) => {
                (self.next_action, self.next_poll) = (None, None);
                self.output.clear();
            }
            _ => {}
        }
    }

    /// Decides when the application answers a request: immediately, later, or never.
    fn schedule_response(
        &mut self,
        context: &mut Context,
        reply: PendingReply,
        request: Header,
        tag: Option<Tag>,
    ) {
        let Behavior { never_answers, answers_at_once, waits_for_response, .. } = self.behavior;
        let binds = request.command.is_bind();
        if context.rng.chance(if binds { never_answers / 10 } else { never_answers }) {
            context.count(|| "never answered".into());
            return;
        }
        let waits_for =
            self.model.latest_request().filter(|_| !binds && context.rng.chance(waits_for_response));
        if waits_for.is_some() {
            context.count(|| "waits for its own response".into());
        }
        let at_once = waits_for.is_none() && context.rng.chance(answers_at_once);
        let max_delay = if at_once { 0 } else { self.behavior.max_delay };
        let response = PendingResponse {
            due: context.now + ticks(context.rng.within(0..=max_delay)),
            waits_for,
            reply,
            request,
            tag,
        };
        if at_once {
            self.check(context);
            self.send_response(context, response);
        } else {
            self.pending.push(response);
        }
    }

    /// Answers one of the requests that are due, chosen at random.
    pub(crate) fn answer(&mut self, context: &mut Context) {
        let is_due = |response: &PendingResponse| response.due <= context.now && self.can_answer(response);
        let due: Vec<usize> = (0..self.pending.len()).filter(|at| is_due(&self.pending[*at])).collect();
        let response = self.pending.swap_remove(context.rng.pick(&due));
        self.send_response(context, response);
    }

    fn send_response(&mut self, context: &mut Context, response: PendingResponse) {
        let PendingResponse { reply, request, tag, .. } = response;
        let refuses = self.behavior.refuses / if request.command.is_bind() { 4 } else { 1 };
        let octets = if context.rng.chance(refuses) {
            refusal(request.command, context.rng.pick(&ERRORS), request.sequence)
        } else {
            messages::response(&mut context.rng, request, context.modern)
        };
        let before = self.state();
        let result = self.traced.respond(reply, &octets);
        if self.model.check_half_close(before, context.now, result) {
            context.count(|| "half-close served".into());
        }
        context.print(|| format!("{:?} answers {tag:?} {:?}: {result:?}", R::SIDE, octets.header()));
        context.count(|| format!("response {}", if result.is_ok() { "sent" } else { "refused" }));
        self.model.record_response(&octets, result, &self.traced.session.stats());
        let accepts = result.is_ok() && octets.header().status.is_ok();
        let bound = self.state().is_bound();
        assert!(!request.command.is_bind() || accepts || !bound, "bound after a refused bind");
        match result {
            Ok(()) => {
                let status = octets.header().status;
                let name = if status.is_ok() { response_id(&pdu(&octets)) } else { Vec::new() };
                context.record_response(tag, status, name);
            }
            Err(Refusal::TooLong) => context.record_response(tag, CommandStatus::RSYSERR, Vec::new()),
            Err(_) => {}
        }
        self.check(context);
    }

    /// Takes the output of the session.
    pub(crate) fn poll_transmit(&mut self, context: &mut Context) {
        self.next_poll = None;
        let before = self.output.len();
        let any = self.traced.poll_transmit(&mut self.output);
        let taken = &self.output[before..];
        assert_eq!(any, !taken.is_empty());
        if self.state() == State::Closed {
            assert!(!any, "a session that has ended has no output");
        } else {
            self.model.record_output(taken, &self.traced.session.stats());
        }
        self.model.check(&self.traced.session, context.now);
    }

    /// Reports octets that the transport has accepted, in random pieces.
    pub(crate) fn transmit(&mut self, context: &mut Context, octets: usize) {
        self.output.drain(..octets);
        let mut rest = octets;
        while rest > 0 {
            let piece = context.rng.count(rest);
            rest -= piece;
            self.model.record_transmitted(piece, context.now);
            self.traced.transmitted(piece);
            self.check(context);
        }
    }

    /// Calls every method of a session that has ended.
    pub(crate) fn use_after_end(&mut self, context: &mut Context) {
        let enquiry = messages::enquire_link();
        self.traced.receive(enquiry.octets());
        let mut input = enquiry.octets();
        assert!(self.traced.read(context.now, &mut input).is_none(), "an event follows the end");
        assert!(
            self.traced.handle_timeout(context.now + ticks(100_000)).is_none(),
            "an event follows the end"
        );
        self.unbind(context);
        self.abort(context);
        self.eof(context);
        self.disconnect(context);
        self.poll_transmit(context);
        let tag = context.next_tag();
        self.request(context, context.now, tag, &enquiry);
        assert!(self.traced.handle_timeout(context.now).is_none());
    }
}

/// Returns the first word of a value in `Debug` form.
fn first_word(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
    text[..end].to_owned()
}

fn describe(event: &Event<'_, Tag>) -> String {
    match event {
        Event::Outcome { outcome, .. } => match outcome {
            Outcome::Unanswered(reason) => format!("outcome Unanswered {}", first_word(reason)),
            other => format!("outcome {}", first_word(other)),
        },
        Event::Closed(reason) => format!("closed {}", first_word(reason)),
        Event::Request { frame, .. } => format!("request of peer {}", frame.header().command),
        other => format!("event {}", first_word(other)),
    }
}
