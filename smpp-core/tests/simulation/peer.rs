//! One side: a session, the application that uses it, and the model it is compared with.

use std::time::Duration;

use smpp_core::session::{CloseReason, Event, Instant, Outcome, Refusal, State};
use smpp_core::{CommandId, CommandStatus, Header};

use super::harness::ticks;
use super::messages::{self, Octets, Owed, Speaker, Tag, name_of, pdu, tag_of};
use super::model::Model;
use super::scenario::{Habits, Plan};
use super::scene::Scene;
use super::trace::{Traced, refusal};

pub(crate) struct Peer<R> {
    traced: Traced<R>,
    pub(crate) model: Model,
    habits: Habits,
    /// Taken from the session and not yet by the transport.
    pub(crate) output: Vec<u8>,
    /// Arrived, and not read.
    unread: Vec<u8>,
    /// Reading stopped although there may be whole PDUs.
    interrupted: bool,
    debts: Vec<Debt>,
    /// When the application wants something again.
    pub(crate) acts: Option<Instant>,
    /// When the output is taken from the session.
    pub(crate) takes: Option<Instant>,
    lateness: Duration,
}

/// A request of the other side that the application will answer.
struct Debt {
    due: Instant,
    owed: Owed,
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

impl<R: Speaker> Peer<R> {
    pub(crate) fn new(plan: &Plan, start: Instant, lateness: Duration, traced: bool) -> Self {
        Self {
            traced: Traced::new(&plan.settings, start, traced),
            model: Model::new(R::SIDE, plan.settings, start),
            habits: plan.habits,
            output: Vec::new(),
            unread: Vec::new(),
            interrupted: false,
            debts: Vec::new(),
            acts: Some(start),
            takes: None,
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

    /// Whether the next octet that arrives begins a PDU.
    pub(crate) fn is_between_pdus(&self) -> bool {
        self.unread.is_empty()
    }

    /// When a timer is looked at; at once if there is something to tell.
    pub(crate) fn wakes(&self) -> Option<Instant> {
        let (at, _) = self.traced.session.poll_timeout()?;
        Some(if self.state() == State::Closed { at } else { at + self.lateness })
    }

    /// When reading can go on.
    pub(crate) fn reads(&self, now: Instant) -> Option<Instant> {
        (self.interrupted && self.wants_input()).then_some(now)
    }

    pub(crate) fn answers(&self) -> Option<Instant> {
        self.debts.iter().map(|debt| debt.due).min()
    }

    fn check(&mut self, scene: &mut Scene) {
        self.model.check(&self.traced.session, scene.now);
        if self.closed().is_none() && self.takes.is_none() {
            self.takes = Some(scene.now + ticks(scene.rng.pick(&[0, 0, 0, 1, 3])));
        }
    }

    /// The time may be one that was read before others were passed in.
    fn request(&mut self, scene: &mut Scene, now: Instant, tag: Tag, octets: &Octets) {
        self.model.pass(now);
        let readiness = self.traced.session.readiness(self.model.clock);
        let result = self.traced.request(now, tag, octets);
        self.model.requested(tag, octets, readiness, &result, &self.traced.session.stats());
        let command = octets.header().command;
        scene.tell(|| format!("{:?} requests {command} {tag}: {result:?}", R::SIDE));
        scene.count(|| match &result {
            Ok(_) => format!("request {command}"),
            Err(refused) => format!("refusal {}", word(&refused.reason)),
        });
        scene.requested(R::SIDE, command, result.is_ok());
        self.check(scene);
    }

    /// The application wants something.
    pub(crate) fn act(&mut self, scene: &mut Scene) {
        self.acts = Some(scene.now + ticks(scene.rng.within(0..=self.habits.pause)));
        if scene.rng.chance(self.habits.unbinds) {
            return self.unbind(scene);
        }
        if scene.rng.chance(self.habits.leaves) {
            return if scene.rng.chance(500) { self.abort(scene) } else { self.eof(scene) };
        }
        if scene.rng.chance(20) {
            return self.wake(scene);
        }
        let tag = scene.next_tag();
        let open = matches!(self.state(), State::Open | State::Outbound);
        let rng = &mut scene.rng;
        let binds = R::MESSAGES.contains(&CommandId::SUBMIT_SM) && rng.chance(if open { 600 } else { 20 });
        if !binds && rng.chance(if open { 5 } else { 30 }) && self.notify(scene) {
            return;
        }
        let rng = &mut scene.rng;
        let octets = if binds {
            messages::bind(rng, tag, scene.modern)
        } else if rng.chance(50) {
            messages::enquire_link()
        } else {
            let command = rng.pick(R::MESSAGES);
            messages::message(rng, command, tag)
        };
        let early = if rng.chance(100) { ticks(rng.within(1..=5)) } else { ticks(0) };
        let now = Instant::from_nanos(scene.now.as_nanos().saturating_sub(early.as_nanos() as u64));
        self.request(scene, now, tag, &octets);
    }

    /// Tells the other side something, if it is ours to tell.
    fn notify(&mut self, scene: &mut Scene) -> bool {
        let outbind = !self.state().is_bound();
        let octets = messages::notification(outbind);
        let Some(result) = self.traced.notify(scene.now, &octets) else { return false };
        self.model.pass(scene.now);
        if result.is_ok() {
            self.model.notified(&octets);
        }
        scene.tell(|| format!("{:?} notifies {}: {result:?}", R::SIDE, octets.header().command));
        scene.count(|| format!("notify {} {}", octets.header().command, result.is_ok()));
        self.check(scene);
        true
    }

    pub(crate) fn unbind(&mut self, scene: &mut Scene) {
        if scene.calm && !self.state().is_bound() && self.acts.is_some() {
            return;
        }
        scene.tell(|| format!("{:?} unbinds", R::SIDE));
        self.model.pass(scene.now);
        if self.state() != State::Closed {
            self.model.life.unbind.get_or_insert(scene.now);
        }
        self.traced.unbind(scene.now);
        self.check(scene);
    }

    pub(crate) fn abort(&mut self, scene: &mut Scene) {
        scene.tell(|| format!("{:?} aborts", R::SIDE));
        self.model.life.aborted = true;
        self.traced.abort();
        self.check(scene);
    }

    /// The connection is found to have ended.
    pub(crate) fn eof(&mut self, scene: &mut Scene) {
        scene.tell(|| format!("{:?} is at the end of the stream", R::SIDE));
        self.model.life.eof = true;
        self.model.life.cut_short |= self.wants_input() && self.model.pending() > 0;
        self.traced.eof();
        self.check(scene);
    }

    /// Looks at the timers.
    pub(crate) fn wake(&mut self, scene: &mut Scene) {
        let now = scene.now;
        for told in 0.. {
            assert!(told < 1000, "time stands still");
            self.model.pass(now);
            let Some(event) = self.traced.wake(now) else { break };
            self.note(scene, event);
            self.check(scene);
        }
        self.check(scene);
        self.model.check_timers(&self.traced.session, self.lateness);
    }

    pub(crate) fn hear(&mut self, scene: &mut Scene, octets: &[u8]) {
        if self.closed().is_some() {
            return;
        }
        scene.tell(|| format!("{:?} hears {} octets", R::SIDE, octets.len()));
        self.traced.hear(octets);
        self.unread.extend_from_slice(octets);
        self.read(scene);
    }

    /// Reads what has arrived.
    pub(crate) fn read(&mut self, scene: &mut Scene) {
        let now = scene.now;
        let unread = std::mem::take(&mut self.unread);
        let mut rest = &unread[..];
        loop {
            let before = rest;
            self.model.pass(now);
            let event = self.traced.read(now, &mut rest);
            self.model.read(&before[..before.len() - rest.len()]);
            let Some(event) = event else { break };
            self.note(scene, event);
            self.check(scene);
        }
        self.unread = rest.to_vec();
        self.interrupted = !rest.is_empty() && !self.wants_input();
        self.check(scene);
    }

    fn note(&mut self, scene: &mut Scene, event: Event<'_, Tag>) {
        scene.tell(|| format!("{:?} is told {event:?}", R::SIDE));
        self.model.told(&event);
        scene.count(|| describe(&event));
        match event {
            Event::Request { request, frame, .. } => {
                let (header, tag) = (frame.header(), tag_of(frame));
                scene.seen(R::SIDE, header.command, tag);
                self.owe(scene, Owed::new(request), header, tag);
            }
            Event::Outcome { tag, outcome, .. } => scene.ended(R::SIDE, tag, &outcome),
            Event::Refused { frame, status } if frame.header().command.has_response() => {
                if let Some(tag) = tag_of(frame) {
                    scene.answered(Some(tag), status, Vec::new());
                }
            }
            Event::Malformed { frame, error } => {
                assert!(scene.tainted || !scene.modern, "{error:?} in what nobody damaged: {frame:?}");
                if let Some(tag) = tag_of(frame).filter(|_| !frame.header().command.is_response()) {
                    scene.answered(Some(tag), error.status(), Vec::new());
                }
            }
            Event::Closed(_) => {
                (self.acts, self.takes) = (None, None);
                self.output.clear();
            }
            _ => {}
        }
    }

    /// The application is asked: it answers at once, later, or never.
    fn owe(&mut self, scene: &mut Scene, owed: Owed, request: Header, tag: Option<Tag>) {
        if scene.rng.chance(self.habits.never_answers) {
            scene.count(|| "never answered".into());
            return;
        }
        let thinks = if scene.rng.chance(self.habits.answers_at_once) { 0 } else { self.habits.thinks };
        let debt = Debt { due: scene.now + ticks(scene.rng.within(0..=thinks)), owed, request, tag };
        if thinks == 0 {
            self.check(scene);
            self.settle(scene, debt);
        } else {
            self.debts.push(debt);
        }
    }

    /// Answers one of those requests that are due, whichever it is.
    pub(crate) fn answer(&mut self, scene: &mut Scene) {
        let due: Vec<usize> = (0..self.debts.len()).filter(|at| self.debts[*at].due <= scene.now).collect();
        let debt = self.debts.swap_remove(scene.rng.pick(&due));
        self.settle(scene, debt);
    }

    fn settle(&mut self, scene: &mut Scene, debt: Debt) {
        let Debt { owed, request, tag, .. } = debt;
        let refuses = self.habits.refuses / if request.command.is_bind() { 4 } else { 1 };
        let octets = if scene.rng.chance(refuses) {
            refusal(request.command, scene.rng.pick(&ERRORS), request.sequence)
        } else {
            messages::response(&mut scene.rng, request, scene.modern)
        };
        let result = self.traced.respond(owed, &octets);
        scene.tell(|| format!("{:?} answers {tag:?} {:?}: {result:?}", R::SIDE, octets.header()));
        scene.count(|| format!("answer {}", result.is_ok()));
        self.model.answered(&octets, result);
        let accepts = result.is_ok() && octets.header().status.is_ok();
        let bound = self.state().is_bound();
        assert!(!request.command.is_bind() || accepts || !bound, "bound to whom it has refused");
        match result {
            Ok(()) => {
                let status = octets.header().status;
                let name = if status.is_ok() { name_of(&pdu(&octets)) } else { Vec::new() };
                scene.answered(tag, status, name);
            }
            Err(Refusal::TooLong) => scene.answered(tag, CommandStatus::RSYSERR, Vec::new()),
            Err(_) => {}
        }
        self.check(scene);
    }

    /// Takes what the session has to transmit.
    pub(crate) fn take(&mut self, scene: &mut Scene) {
        self.takes = None;
        let before = self.output.len();
        let any = self.traced.take(&mut self.output);
        let taken = &self.output[before..];
        assert_eq!(any, !taken.is_empty());
        if self.state() == State::Closed {
            assert!(!any, "the session is over");
        } else {
            self.model.took(taken, &self.traced.session.stats());
        }
        self.model.check(&self.traced.session, scene.now);
    }

    /// The transport has taken so many octets.
    pub(crate) fn transmit(&mut self, scene: &mut Scene, octets: usize) {
        self.output.drain(..octets);
        let mut rest = octets;
        while rest > 0 {
            let piece = scene.rng.count(rest);
            rest -= piece;
            self.model.transmitted(piece, scene.now);
            self.traced.transmitted(piece);
            self.check(scene);
        }
    }

    /// Everything that can be done to a session that is over.
    pub(crate) fn disturb(&mut self, scene: &mut Scene) {
        let enquiry = messages::enquire_link();
        self.traced.hear(enquiry.octets());
        let mut input = enquiry.octets();
        assert!(self.traced.read(scene.now, &mut input).is_none(), "it reads after the end");
        assert!(self.traced.wake(scene.now + ticks(100_000)).is_none(), "it speaks after the end");
        self.unbind(scene);
        self.abort(scene);
        self.eof(scene);
        self.take(scene);
        let tag = scene.next_tag();
        self.request(scene, scene.now, tag, &enquiry);
        assert!(self.traced.wake(scene.now).is_none());
    }
}

/// The first word of a value's name.
fn word(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
    text[..end].to_owned()
}

fn describe(event: &Event<'_, Tag>) -> String {
    match event {
        Event::Outcome { outcome, .. } => match outcome {
            Outcome::Unanswered(cause) => format!("outcome Unanswered {}", word(cause)),
            other => format!("outcome {}", word(other)),
        },
        Event::Closed(why) => format!("closed {}", word(why)),
        Event::Request { frame, .. } => format!("asked {}", frame.header().command),
        other => format!("event {}", word(other)),
    }
}
