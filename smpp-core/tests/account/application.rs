//! The application: what it wants, what it is told, and how it answers.

use std::collections::BTreeMap;
use std::time::Duration;

use smpp_core::account::{
    Ack, Event, Message, MessageId, MessageNumber, Priority, SegmentOutcome, SubmitError, Unresolved,
};
use smpp_core::session::Instant;
use smpp_core::sms::Text;
use smpp_core::{Address, CommandStatus, RegisteredDelivery, ShortMessage, SubmitSm};

use super::deliveries::Given;
use super::harness::{span, ticks};
use super::messages;
use super::scenario::{binds, unanswered};
use super::smsc::text;
use super::world::World;

pub(crate) struct Application {
    /// When it does the next thing that comes to its mind.
    pub(crate) acts: Option<Instant>,
    /// What it will answer.
    owed: Vec<(Instant, Ack, Given)>,
    /// When it shut down, and how long it gave what was left.
    pub(crate) quit: Option<(Instant, Duration)>,
    pub(crate) closed: bool,
    pub(crate) stopped: Option<CommandStatus>,
}

impl Application {
    pub(crate) fn new() -> Self {
        Self { acts: Some(Instant::ZERO), owed: Vec::new(), quit: None, closed: false, stopped: None }
    }

    pub(crate) fn due(&self) -> Option<Instant> {
        self.owed.iter().map(|(due, ..)| *due).chain(self.acts).min()
    }

    pub(crate) fn owes(&self) -> bool {
        !self.owed.is_empty()
    }
}

impl World {
    /// What the application does at this time. Whether there was anything.
    pub(crate) fn apply(&mut self) -> bool {
        let now = self.scene.now;
        let mut moved = false;
        while let Some(index) = self.application.owed.iter().position(|(due, ..)| *due <= now) {
            let (_, ack, given) = self.application.owed.swap_remove(index);
            self.answer(ack, &given);
            moved = true;
        }
        if self.application.acts.is_some_and(|at| at <= now) {
            self.act();
            moved = true;
        }
        moved
    }

    fn answer(&mut self, ack: Ack, given: &Given) {
        let refuses = !self.smsc.healthy && self.scene.rng.chance(self.scenario.habits.app_refuses);
        let result = if refuses { Err(CommandStatus::RX_T_APPN) } else { Ok(()) };
        self.smsc.deliveries.answered(self.scene.now, given, !refuses);
        let answered = self.account.acknowledge(self.scene.now, ack, result);
        self.scene.tell(|| format!("the application answers {given:?} {result:?}: {answered:?}"));
        self.scene.count(|| format!("answer {} {}", result.is_ok(), answered.is_ok()));
        self.after();
    }

    fn act(&mut self) {
        let now = self.scene.now;
        self.application.acts = Some(now + span(&mut self.scene.rng, 1, self.scenario.habits.pause));
        match self.scene.rng.within(0..=999) {
            0..650 => {
                let count = self.scene.rng.pick(&[1, 1, 1, 5]);
                for _ in 0..count {
                    self.submit();
                }
            }
            650..690 => self.cancel(),
            690..720 => self.change_binds(),
            _ => {
                let count = self.scene.rng.count(3);
                for _ in 0..count {
                    self.smsc.originate(&mut self.scene);
                }
            }
        }
    }

    fn change_binds(&mut self) {
        let binds = binds(&mut self.scene.rng, self.scenario.options.max_binds);
        self.scene.tell(|| format!("the application wants {binds:?}"));
        self.scene.count(|| "binds changed".into());
        self.account.set_binds(self.scene.now, binds).expect("as many as there may be");
        let too_many = smpp_core::account::Binds::Transceivers(self.scenario.options.max_binds + 1);
        assert!(self.account.set_binds(self.scene.now, too_many).is_err());
        self.after();
    }

    fn cancel(&mut self) {
        let open = self.messages.open_numbers();
        if open.is_empty() {
            return;
        }
        let number = self.scene.rng.pick(&open);
        let index = self.messages.index(number);
        self.scene.tell(|| format!("the application cancels {index}"));
        self.messages.all[index].cancelled = true;
        self.account.cancel(self.scene.now, number);
        self.after();
    }

    pub(crate) fn submit(&mut self) -> Option<MessageNumber> {
        let now = self.scene.now;
        let rng = &mut self.scene.rng;
        let index = self.messages.all.len();
        let source = index.to_string();
        let lane = rng.index(3);
        let destination = format!("659{lane}");
        let registered_delivery = rng.pick(&[
            RegisteredDelivery::RECEIPT,
            RegisteredDelivery::RECEIPT,
            RegisteredDelivery::RECEIPT_ON_FAILURE,
            RegisteredDelivery::default(),
        ]);
        let template = SubmitSm {
            source: Address::international(&source).expect("digits"),
            destination: Address::international(&destination).expect("digits"),
            registered_delivery,
            short_message: ShortMessage::new(b"as it is").expect("short"),
            ..SubmitSm::default()
        };
        let length = rng.pick(&[0, 10, 10, 100, 300, 500]);
        let content = text(rng, length);
        let form = self.scenario.options.long_messages.segmentation(1);
        let (mut message, parts) = match rng.index(4) {
            0 => (Message::submit_sm(&template), 1),
            1 => {
                let octets = content.as_bytes();
                let parts = Text::octets(octets).segments(form).expect("short").submissions(template).count();
                (Message::octets(&template, octets), parts)
            }
            _ => {
                let text = self.scenario.options.text.text(&content).expect("UCS-2 has all");
                let parts = text.segments(form).expect("short").submissions(template).count();
                (Message::text(&template, content), parts)
            }
        };
        let policy = rng.chance(300).then(|| unanswered(rng));
        let mut model =
            messages::Message::new(policy.unwrap_or(self.scenario.options.unanswered_policy), parts);
        if let Some(policy) = policy {
            message = message.unanswered_policy(policy);
        }
        model.receipts = !registered_delivery.is_empty();
        model.is_sure = registered_delivery == RegisteredDelivery::RECEIPT;
        if rng.chance(400) {
            model.priority = rng.pick(&[Priority::Low, Priority::High]);
            message = message.priority(model.priority);
        }
        if rng.chance(300) {
            model.lane = Some(lane);
            message = message.in_order();
        }
        if !self.smsc.healthy && rng.chance(200) {
            let within = span(rng, 0, 200);
            model.deadline = Some(now + within);
            message = message.deadline(within);
        }
        self.scene.tell(|| {
            let (priority, deadline, lane) = (model.priority, model.deadline, model.lane);
            format!("{index}: {priority:?} until {deadline:?} in {lane:?} {:?}", model.unanswered)
        });
        self.messages.begin(model);
        let taken = self.account.submit(now, &message);
        self.scene.tell(|| format!("the application submits {index}, {parts} parts: {taken:?}"));
        self.scene.count(|| match taken {
            Ok(_) => format!("submitted, {}", if parts > 1 { "several parts" } else { "one part" }),
            Err(why) => format!("not taken, {}", format!("{why:?}").split([' ', '(']).next().unwrap()),
        });
        let before = self.messages.open_parts() - parts;
        match taken {
            Ok(_) => {}
            Err(SubmitError::Full) => {
                assert!(
                    self.account.queued() + parts > self.scenario.options.queue_capacity,
                    "there is room"
                );
            }
            Err(SubmitError::TooManySegments { segments: stated }) => {
                assert_eq!((stated, parts > self.scenario.options.queue_capacity), (parts, true));
            }
            Err(SubmitError::Stopped) => assert!(self.application.stopped.is_some()),
            Err(SubmitError::ShutDown) => assert!(self.application.quit.is_some()),
            Err(why) => panic!("{why:?}, with {before} parts open"),
        }
        self.hear_log();
        self.messages.taken(taken.ok());
        self.after();
        taken.ok()
    }

    pub(crate) fn quit(&mut self) {
        let now = self.scene.now;
        let deadline = ticks(self.scene.rng.pick(&[0, 10, 200, 1000]));
        self.scene.tell(|| format!("the application shuts down within {deadline:?}"));
        self.application.quit = Some((now, deadline));
        self.messages.shutting_down = true;
        self.account.shutdown(now, deadline);
        self.after();
    }

    /// The account tells the application something.
    pub(crate) fn hear(&mut self, event: Event) {
        let now = self.scene.now;
        assert!(!self.application.closed, "something comes after the end: {event:?}");
        self.scene.tell(|| format!("the account tells {event:?}"));
        match event {
            Event::Outcome { message, outcome } => {
                for fate in &outcome.segments {
                    self.scene.count(|| format!("fate {}", kind(fate)));
                }
                self.messages.ended(now, message, outcome);
            }
            Event::Receipt { receipt, about, ack } => {
                self.scene.count(|| format!("receipt, known {}", about.is_some()));
                if about.is_some_and(|about| about.message_state.is_some() && about.segments > 1) {
                    self.scene.count(|| "receipts of all parts".into());
                }
                let given = self.smsc.deliveries.tell_receipt(now, &receipt, about, &self.messages);
                self.owe(ack, given);
            }
            Event::Message { message, ack } => {
                self.scene.count(|| format!("message from a phone, whole {}", message.is_complete()));
                let given = self.smsc.deliveries.tell_mo(now, &message, self.application.quit.is_some());
                self.owe(ack, given);
            }
            Event::ReceiptsExpired { ids, .. } if ids.is_empty() => {
                self.scene.count(|| "unreported, perhaps with reason".into());
            }
            Event::ReceiptsExpired { message, ids } => {
                self.scene.count(|| "unreported".into());
                assert!(!self.scenario.roomy, "there is room and time for receipts");
                let parts = &self.messages.all[self.messages.index(message)].parts;
                let awaited =
                    |id: &MessageId| parts.iter().any(|part| part.id.as_deref() == Some(id.as_bytes()));
                assert!(ids.iter().all(awaited), "ids of its parts");
            }
            Event::Link { link, event: change } => {
                self.scene.count(|| {
                    let words = format!("{change:?}");
                    let reason =
                        words.split("reason: ").nth(1).map(|rest| rest.split([',', '(']).next().unwrap());
                    let link = words.split(' ').next().unwrap();
                    reason.map_or(format!("link {link}"), |reason| format!("link {link} {reason}"))
                });
                self.places.told(now, link.index(), change);
            }
            Event::Stopped { status } => {
                assert_eq!(self.application.stopped, None, "said once");
                self.scene.count(|| "stopped".into());
                self.application.stopped = Some(status);
                self.places.stopped = true;
                self.messages.stopped = true;
            }
            Event::Closed { unresolved } => self.end(unresolved),
            _ => {}
        }
    }

    fn owe(&mut self, ack: Ack, given: Given) {
        let due = self.scene.now + span(&mut self.scene.rng, 0, self.scenario.habits.app_thinks);
        self.application.owed.push((due, ack, given));
    }

    /// The account says that it is over.
    fn end(&mut self, unresolved: Vec<Unresolved>) {
        self.application.closed = true;
        self.smsc.deliveries.closed = true;
        self.scene.count(|| "closed".into());
        let (quit, deadline) = self.application.quit.expect("it was shut down");
        let options = &self.scenario.options;
        let adapter = ticks(self.scenario.habits.adapter) + self.scenario.lateness * 4;
        let most =
            deadline + options.session.drain_timeout + options.session.response_timeout + adapter + ticks(1);
        let took = self.scene.now - quit;
        assert!(took <= most, "it takes {took:?} to close, not {most:?}");
        let mut failed = Vec::new();
        let mut unreported = BTreeMap::new();
        for unresolved in unresolved {
            match unresolved {
                Unresolved::NotAccepted { message, outcome } => {
                    let told = self.messages.all[self.messages.index(message)].outcome.as_ref();
                    assert_eq!(told, Some(&outcome), "what was told of it");
                    failed.push(message);
                }
                Unresolved::NoReceipt { message, ids } => {
                    assert!(unreported.insert(self.messages.index(message), ids).is_none(), "said once");
                }
            }
        }
        assert_eq!(failed, self.messages.unresolved, "what was not accepted");
        if !self.scenario.roomy {
            return;
        }
        for (index, message) in self.messages.all.iter().enumerate() {
            let missing: Vec<&[u8]> = (message.parts.iter().zip(0..))
                .filter(|(_, part)| message.is_sure && !self.smsc.deliveries.has_last(index, *part))
                .filter_map(|(part, _)| part.id.as_deref())
                .collect();
            let mut told: Vec<_> =
                unreported.get(&index).into_iter().flatten().map(MessageId::as_bytes).collect();
            told.sort_unstable();
            let mut missing = missing;
            missing.sort_unstable();
            assert_eq!(told, missing, "the receipts that are missing of message {index}");
        }
    }
}

fn kind(fate: &SegmentOutcome) -> String {
    match fate {
        SegmentOutcome::NeverSent(why) => format!("NeverSent {why:?}"),
        other => format!("{other:?}").split('(').next().unwrap().to_owned(),
    }
}
