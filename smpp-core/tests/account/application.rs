//! The application: it submits, cancels, acknowledges and shuts down, and checks the account's events.

use std::collections::BTreeMap;
use std::time::Duration;

use smpp_proto::account::{
    self, Ack, BindId, Event, LinkEvent, LinkId, MessageId, MessageKey, MessageNumber, Priority,
    ReceiptDestination, ReceiptMatch, SegmentOutcome, StopCause, SubmitError, Unresolved,
};
use smpp_proto::session::{CloseReason, Instant};
use smpp_proto::{Address, CommandId, CommandStatus, Pdu, RegisteredDelivery, SubmitSm};

use super::answers::PRICE;
use super::content::{draw, to_several};
use super::deliveries::{RECIPIENTS, Received};
use super::harness::{span, ticks};
use super::log::{ConnectionId, DeliveryCopy};
use super::messages;
use super::scenario::unanswered;
use super::simulation::AccountSimulation;
use super::slots::SlotState;

pub(crate) struct Application {
    /// When it does its next random action.
    pub(crate) next_action: Option<Instant>,
    /// The deliveries that it has not acknowledged yet, and when it does.
    pending_acks: Vec<(Instant, Ack, Received, Option<DeliveryCopy>)>,
    /// When it shut down, and with which deadline.
    pub(crate) shutdown: Option<(Instant, Duration)>,
    /// Whether a bind has ended since then because the SMSC had unbound. Its drain began with that, perhaps after the shutdown.
    is_unbound_by_peer: bool,
    pub(crate) closed: bool,
    pub(crate) stopped: Option<CommandStatus>,
    /// What has stopped the account, since it last resumed.
    stop_causes: Vec<StopCause>,
    /// The binds that were accepted, those that have ended included.
    binds: Vec<(BindId, ConnectionId)>,
}

impl Application {
    pub(crate) fn new() -> Self {
        Self {
            next_action: Some(Instant::ZERO),
            pending_acks: Vec::new(),
            shutdown: None,
            is_unbound_by_peer: false,
            closed: false,
            stopped: None,
            stop_causes: Vec::new(),
            binds: Vec::new(),
        }
    }

    pub(crate) fn due(&self) -> impl Iterator<Item = Instant> {
        self.pending_acks.iter().map(|(due, ..)| *due).chain(self.next_action)
    }

    pub(crate) fn has_pending_acks(&self) -> bool {
        !self.pending_acks.is_empty()
    }
}

impl AccountSimulation {
    /// Does what the application has to do at this time, and returns whether there was anything.
    pub(crate) fn run_application(&mut self) -> bool {
        let now = self.context.now;
        let mut moved = false;
        while let Some(index) = self.application.pending_acks.iter().position(|(due, ..)| *due <= now) {
            let (_, ack, received, copy) = self.application.pending_acks.swap_remove(index);
            self.acknowledge(ack, &received, copy);
            moved = true;
        }
        if self.application.next_action.is_some_and(|at| at <= now) {
            self.do_next_action();
            moved = true;
        }
        moved
    }

    fn acknowledge(&mut self, ack: Ack, received: &Received, copy: Option<DeliveryCopy>) {
        let refuses = !self.smsc.healthy && self.context.rng.chance(self.scenario.behaviour.app_refuses);
        let result = if refuses { Err(CommandStatus::RX_T_APPN) } else { Ok(()) };
        self.smsc.deliveries.record_ack(self.context.now, received, !refuses);
        let answered = self.account.acknowledge(self.context.now, ack, result);
        self.smsc.deliveries.record_answer(copy, !refuses, answered.is_ok(), &self.messages.alive);
        self.context.trace(|| format!("the application acknowledges {received:?} {result:?}: {answered:?}"));
        self.context.count(|| format!("acknowledge {} {}", result.is_ok(), answered.is_ok()));
        self.after();
    }

    fn do_next_action(&mut self) {
        let now = self.context.now;
        self.application.next_action =
            Some(now + span(&mut self.context.rng, 1, self.scenario.behaviour.pause));
        match self.context.rng.within(0..=999) {
            0..650 => {
                let count = self.context.rng.pick(&[1, 1, 1, 5]);
                for _ in 0..count {
                    self.submit();
                }
            }
            650..690 => self.cancel(),
            690..720 => self.change_binds(),
            720..745 => self.reconfigure(),
            745..755 => self.resume(),
            755..780 => self.ask(),
            _ => {
                let count = self.context.rng.count(3);
                for _ in 0..count {
                    self.smsc.originate(&mut self.context);
                }
            }
        }
    }

    fn cancel(&mut self) {
        let open = self.messages.open_numbers();
        if open.is_empty() {
            return;
        }
        let number = self.context.rng.pick(&open);
        let index = self.messages.index(number);
        self.context.trace(|| format!("the application cancels {index}"));
        self.messages.all[index].cancelled = true;
        self.account.cancel(self.context.now, number);
        self.after();
    }

    /// Submits a message, and checks that the account says which timers it has set.
    fn pass_message(
        &mut self,
        now: Instant,
        message: &account::Message,
    ) -> Result<MessageNumber, SubmitError> {
        let timer = self.account.poll_timeout();
        let accepted = self.account.submit(now, message);
        let known = timer.into_iter().chain(self.account.poll_submit_timeout()).min();
        let timer = self.account.poll_timeout();
        assert!(
            timer.is_none_or(|timer| known.is_some_and(|known| known <= timer)),
            "a message has set the timer {timer:?}, and only {known:?} is known"
        );
        accepted
    }

    pub(crate) fn submit(&mut self) -> Option<MessageNumber> {
        let now = self.context.now;
        let rng = &mut self.context.rng;
        let index = self.messages.all.len();
        let source = index.to_string();
        // The last one stands for several recipients.
        let lane = if rng.chance(50) { 3 } else { rng.index(3) };
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
            ..SubmitSm::default()
        };
        let recorder = &mut self.context.recorder;
        let (mut message, segments) = match lane {
            3 => {
                // The receipts of several recipients cannot be matched if a message has one receipt.
                let has_receipts = !self.smsc.deliveries.has_one_receipt();
                let registered_delivery =
                    if has_receipts { registered_delivery } else { RegisteredDelivery::default() };
                to_several(recorder, &SubmitSm { registered_delivery, ..template })
            }
            _ => draw(rng, recorder, &self.scenario.options, &template),
        };
        let registered_delivery =
            if message.asks_for_receipts() { registered_delivery } else { RegisteredDelivery::default() };
        message = message.key(index.to_string());
        let policy = rng.chance(300).then(|| unanswered(rng));
        let mut model =
            messages::Message::new(policy.unwrap_or(self.scenario.options.unanswered_policy), segments);
        if let Some(policy) = policy {
            message = message.unanswered_policy(policy);
        }
        if rng.chance(300) {
            model.receipts_to = ReceiptDestination::Arrivals;
            message = message.receipts_to(model.receipts_to);
        }
        model.registered_delivery = registered_delivery;
        model.recipients = if lane == 3 { RECIPIENTS.len() } else { 1 };
        if rng.chance(400) {
            model.priority = rng.pick(&[Priority::Low, Priority::High]);
            message = message.priority(model.priority);
        }
        if rng.chance(300) {
            model.lane = Some(lane);
            message = message.in_order();
        }
        model.destination = lane;
        if !self.smsc.healthy && !self.application.binds.is_empty() && rng.chance(150) {
            // One of the last binds: perhaps it has ended.
            let back = rng.index(self.application.binds.len().min(6));
            let (bind, connection) = self.application.binds[self.application.binds.len() - 1 - back];
            model.named = Some(connection);
            self.context.recorder.count(|| "a message names a bind".into());
            message = message.bind(bind);
        }
        if !self.smsc.healthy && rng.chance(200) {
            let within = span(rng, 0, 200);
            model.deadline = Some(now + within);
            message = message.deadline(within);
        }
        self.context.trace(|| {
            let (priority, deadline, lane) = (model.priority, model.deadline, model.lane);
            let (policy, named) = (model.unanswered, model.named);
            format!("{index}: {priority:?} until {deadline:?} in {lane:?} {policy:?} on {named:?}")
        });
        self.messages.add(model);
        let accepted = self.pass_message(now, &message);
        self.context.trace(|| format!("the application submits {index}, {segments} segments: {accepted:?}"));
        self.context.count(|| match accepted {
            Ok(_) => format!("submitted, {}", if segments > 1 { "several segments" } else { "one segment" }),
            Err(reason) => {
                format!("not accepted, {}", format!("{reason:?}").split([' ', '(']).next().unwrap())
            }
        });
        let before = self.messages.open_segments() - segments;
        match accepted {
            Ok(_) => {}
            Err(SubmitError::Full) => {
                assert!(
                    self.account.queued() + segments > self.scenario.options.queue_capacity,
                    "the queue had capacity"
                );
            }
            Err(SubmitError::TooManySegments { segments: stated }) => {
                assert_eq!((stated, segments > self.scenario.options.queue_capacity), (segments, true));
            }
            Err(SubmitError::Stopped) => assert!(self.application.stopped.is_some()),
            Err(SubmitError::ShutDown) => assert!(self.application.shutdown.is_some()),
            Err(reason) => panic!("{reason:?}, with {before} segments open"),
        }
        self.process_log();
        self.messages.record_submit(accepted.ok());
        self.after();
        accepted.ok()
    }

    pub(crate) fn shut_down(&mut self) {
        let now = self.context.now;
        let deadline = ticks(self.context.rng.pick(&[0, 10, 200, 1000]));
        self.context.trace(|| format!("the application shuts down with a deadline of {deadline:?}"));
        self.application.shutdown = Some((now, deadline));
        self.messages.shutting_down = true;
        self.smsc.deliveries.closing = true;
        self.slots.closing = true;
        self.account.shutdown(now, deadline);
        self.after();
    }

    /// Handles an event of the account.
    pub(crate) fn handle_event(&mut self, event: Event) {
        let now = self.context.now;
        assert!(!self.application.closed, "an event after Closed: {event:?}");
        self.context.trace(|| format!("the account emits {event:?}"));
        if let Some(kind) = self.events.handle(&event) {
            self.context.count(|| format!("event {kind}"));
        }
        match event {
            Event::HandedToTransport { message, key, segment, bind, .. } => {
                self.check_key(message, key.as_ref());
                let SlotState::Open(connection) = self.slots.all[bind.link().index()].state else {
                    panic!("handed to a transport that is not open: {bind}")
                };
                self.messages.record_handed(message, segment, connection);
            }
            Event::Outcome { message, key, outcome, .. } => {
                self.check_key(message, key.as_ref());
                for (outcome, segment) in outcome.segments.iter().zip(0..) {
                    self.context.count(|| format!("outcome {}", kind(outcome)));
                    self.check_accepted(message, segment, outcome);
                }
                self.messages.record_outcome(now, message, outcome);
            }
            Event::RequestOutcome { request, result, .. } => self.record_request_outcome(request, result),
            Event::LateOutcome { message, key, segment, outcome, .. } => {
                self.check_key(message, key.as_ref());
                self.context.count(|| format!("late outcome {}", kind(&outcome)));
                self.check_accepted(message, segment, &outcome);
                self.messages.record_late_outcome(message, segment, outcome);
            }
            Event::Receipt { receipt, matched, ack, .. } => {
                self.context.count(|| format!("receipt, known {}", matched.is_some()));
                if matches!(receipt.pdu(), Some(Pdu::DataSm(_))) {
                    self.context.count(|| format!("receipt in a data_sm, known {}", matched.is_some()));
                }
                if let Some(matched) = &matched {
                    self.check_match(matched);
                }
                self.check_bind(receipt.bind());
                let received = self.smsc.deliveries.record_receipt(now, &receipt, matched, &self.messages);
                self.schedule_ack(ack, received);
            }
            Event::Message { message, ack, .. } => {
                self.context.count(|| format!("MO message, complete {}", message.is_complete()));
                if message.frame().is_some_and(|frame| frame.header().command == CommandId::DATA_SM) {
                    self.context.count(|| "MO message in a data_sm".into());
                }
                self.check_bind(message.bind());
                let received =
                    self.smsc.deliveries.record_mo(now, &message, self.application.shutdown.is_some());
                self.schedule_ack(ack, received);
            }
            Event::ReceiptsExpired { ids, .. } if ids.is_empty() => {
                self.context.count(|| "receipts expired, perhaps none was due".into());
            }
            Event::ReceiptsExpired { message, key, .. } if self.is_earlier(message, key.as_ref()) => {
                assert!(!self.scenario.ample_limits, "receipts expired below the limits");
            }
            Event::ReceiptsExpired { message, key, ids, .. } => {
                self.check_key(message, key.as_ref());
                self.context.count(|| "receipts expired".into());
                assert!(!self.scenario.ample_limits, "receipts expired below the limits");
                let message = &self.messages.all[self.messages.index(message)];
                let segments = message.segments.len() as u8;
                let is_segment_id =
                    |id: &MessageId| (0..segments).any(|segment| message.is_id(segment, id.as_bytes()));
                assert!(ids.iter().all(is_segment_id), "ids of the message's segments");
            }
            Event::Link { link, event, .. } => self.handle_link_event(link, &event),
            Event::Notification { bind, frame, .. } => self.record_alert(bind, &frame),
            Event::Stopped { cause, status, .. } => self.record_stop(cause, status),
            Event::Resumed => {
                self.context.count(|| "resumed".into());
                assert!(self.application.stopped.take().is_some(), "emitted after a stop");
                self.application.stop_causes.clear();
                self.slots.stopped = false;
                self.messages.resume();
            }
            Event::Closed { unresolved, .. } => self.end(unresolved),
            _ => {}
        }
    }

    /// Records and checks a change of a connection.
    fn handle_link_event(&mut self, link: LinkId, event: &LinkEvent) {
        self.context.count(|| {
            let words = format!("{event:?}");
            let reason = words.split("reason: ").nth(1).map(|rest| rest.split([',', '(']).next().unwrap());
            let link = words.split(' ').next().unwrap();
            reason.map_or(format!("link {link}"), |reason| format!("link {link} {reason}"))
        });
        if let (LinkEvent::Bound { bind, .. }, SlotState::Open(connection)) =
            (event, self.slots.all[link.index()].state)
        {
            assert_eq!(bind.link(), link);
            assert!(self.application.binds.iter().all(|(other, _)| other != bind), "a bind twice");
            self.application.binds.push((*bind, connection));
        }
        if matches!(event, LinkEvent::Closed { reason: CloseReason::Unbound, retry_in: Some(delay), .. } if !delay.is_zero())
        {
            self.context.count(|| "a dead bind is made again".into());
        }
        match event {
            LinkEvent::Closed { reason: CloseReason::PeerUnbound, .. }
                if self.application.shutdown.is_some() =>
            {
                self.application.is_unbound_by_peer = true;
            }
            LinkEvent::Closed { reason: CloseReason::Framing(_), .. } => {
                self.smsc.corrupted.check_down(self.slots.all[link.index()].connection);
            }
            LinkEvent::Closed { reason: CloseReason::TooManyMalformed, .. } => {
                panic!("closed after few malformed PDUs")
            }
            _ => {}
        }
        self.slots.handle_link_event(&mut self.context, link.index(), event);
    }

    fn record_stop(&mut self, cause: StopCause, status: CommandStatus) {
        let is_new = !self.application.stop_causes.contains(&cause);
        assert!(is_new, "emitted once for each cause");
        self.application.stop_causes.push(cause);
        self.context.count(|| "stopped".into());
        self.application.stopped = Some(status);
        self.slots.stop();
        self.messages.stop(cause);
    }

    /// Checks the key of a message: its number in the test.
    fn check_key(&self, message: MessageNumber, key: Option<&MessageKey>) {
        let index = self.messages.index(message).to_string();
        assert_eq!(key.map(MessageKey::as_bytes), Some(index.as_bytes()), "the key of message {index}");
    }

    /// Checks that an accepted segment has the response to itself, and the bind that sent it.
    fn check_accepted(&mut self, message: MessageNumber, segment: u8, outcome: &SegmentOutcome) {
        let SegmentOutcome::Accepted { id, bind, response, .. } = outcome else { return };
        if let Some(price) = response.tlv(PRICE) {
            assert_eq!(price, id.as_bytes(), "the response to another segment");
            self.context.count(|| "response with a TLV".into());
        }
        let index = self.messages.index(message);
        let refused: Vec<_> = response.unsuccessful().map(|it| it.destination.digits.to_string()).collect();
        let accepted = self.smsc.deliveries.accepted_recipients(index).unwrap_or(&RECIPIENTS);
        let others: Vec<_> = RECIPIENTS.into_iter().filter(|it| !accepted.contains(it)).collect();
        assert_eq!(refused, others, "the refused recipients of message {index}");
        let connection = self.connection_of(*bind).expect("a bind that the account has reported");
        let sent_on = &self.messages.all[index].segments[usize::from(segment)].sent_on;
        assert!(sent_on.contains(&connection), "{bind} did not send segment {segment} of message {index}");
        if self.scenario.fixed_id.is_none() && !self.scenario.has_shared_ids() {
            let came_on = self.smsc.connection_of(id.as_bytes());
            assert_eq!(came_on, Some(connection), "{id} was not sent on {bind}");
        }
    }

    /// Returns the connection of a bind that was accepted.
    pub(crate) fn connection_of(&self, bind: BindId) -> Option<ConnectionId> {
        let found = self.application.binds.iter().find(|(known, _)| *known == bind);
        found.map(|(_, connection)| *connection)
    }

    /// Returns one of the last binds: perhaps it has ended.
    pub(crate) fn recent_bind(&mut self) -> Option<(BindId, ConnectionId)> {
        let count = self.application.binds.len();
        let back = self.context.rng.index(count.clamp(1, 6));
        self.application.binds.get(count.checked_sub(1 + back)?).copied()
    }

    pub(crate) const fn is_shutting_down(&self) -> bool {
        self.application.shutdown.is_some()
    }

    pub(crate) const fn is_stopped(&self) -> bool {
        self.application.stopped.is_some()
    }

    /// Checks that the account has reported the bind.
    fn check_bind(&self, bind: BindId) {
        assert!(self.connection_of(bind).is_some(), "a bind that is not known");
    }

    /// Checks the key and the destination of a receipt.
    fn check_match(&mut self, matched: &ReceiptMatch) {
        if self.is_earlier(matched.message, matched.key.as_ref()) {
            return self.check_earlier(matched);
        }
        self.check_key(matched.message, matched.key.as_ref());
        let index = self.messages.index(matched.message);
        assert_eq!(matched.destination, self.messages.all[index].receipts_to);
        if matched.message_state.is_some() && matched.segments > 1 {
            self.context.count(|| "receipts of all segments".into());
        }
        if matched.previous.is_some() {
            self.context.count(|| "receipt that changes the state".into());
        }
    }

    fn schedule_ack(&mut self, ack: Ack, received: Received) {
        let due = self.context.now + span(&mut self.context.rng, 0, self.scenario.behaviour.app_delay);
        let copy = self.smsc.deliveries.copy(&received);
        self.application.pending_acks.push((due, ack, received, copy));
    }

    /// Checks the last event.
    fn end(&mut self, unresolved: Vec<Unresolved>) {
        self.application.closed = true;
        self.smsc.deliveries.closed = true;
        self.context.count(|| "closed".into());
        let (start, deadline) = self.application.shutdown.expect("the application shut down");
        let options = &self.scenario.options;
        let adapter = ticks(self.scenario.behaviour.adapter_delay) + self.scenario.lateness * 4;
        let session = options.session.drain_timeout + options.session.response_timeout;
        let unbinding = if self.application.is_unbound_by_peer { Duration::MAX } else { session };
        let most = deadline + unbinding.min(options.unbind_timeout) + adapter + ticks(1);
        let took = self.context.now - start;
        if options.unbind_timeout < session && took >= deadline + options.unbind_timeout {
            self.context.count(|| "the unbind timeout ends the shutdown".into());
        }
        assert!(took <= most, "closed after {took:?}, more than {most:?}");
        let mut failed = Vec::new();
        let mut without_receipt = BTreeMap::new();
        for unresolved in unresolved {
            match unresolved {
                Unresolved::NotAccepted { message, key, outcome, .. } => {
                    self.check_key(message, key.as_ref());
                    let emitted = self.messages.all[self.messages.index(message)].outcome.as_ref();
                    assert_eq!(emitted, Some(&outcome), "the outcome in its event");
                    failed.push(message);
                }
                Unresolved::NoReceipt { message, key, .. } if self.is_earlier(message, key.as_ref()) => {}
                Unresolved::NoReceipt { message, key, ids, .. } => {
                    self.check_key(message, key.as_ref());
                    assert!(
                        without_receipt.insert(self.messages.index(message), ids).is_none(),
                        "emitted once"
                    );
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(failed, self.messages.unresolved, "the messages that were not accepted");
        if !self.scenario.ample_limits {
            return;
        }
        for (index, message) in self.messages.all.iter().enumerate() {
            if message.was_answered_too_late {
                continue;
            }
            // The last segment requests the receipt, and was not accepted.
            let outcome = message.outcome.as_ref().and_then(|outcome| outcome.segments.last());
            let is_unrequested = self.scenario.options.receipts.dialect.request_on_last_segment
                && message.segments.len() > 1
                && outcome.is_some_and(|last| {
                    !matches!(last, SegmentOutcome::Accepted { .. } | SegmentOutcome::Unanswered(_))
                });
            if is_unrequested {
                self.context.count(|| "no receipt was requested of a message that failed".into());
                assert!(!without_receipt.contains_key(&index), "message {index} waits for no receipt");
                continue;
            }
            let deliveries = &self.smsc.deliveries;
            let missing: Vec<&[u8]> = (0..deliveries.count(index, &self.messages) as u8)
                .filter(|subject| {
                    message.registered_delivery == RegisteredDelivery::RECEIPT
                        && !deliveries.has_final_receipt(index, *subject)
                })
                .filter_map(|subject| {
                    message.segments[usize::from(deliveries.segment(index, subject))].id.as_deref()
                })
                .collect();
            let mut reported: Vec<_> =
                without_receipt.get(&index).into_iter().flatten().map(MessageId::as_bytes).collect();
            reported.sort_unstable();
            let mut missing = missing;
            missing.sort_unstable();
            assert_eq!(reported, missing, "the missing receipts of message {index}");
        }
    }
}

fn kind(outcome: &SegmentOutcome) -> String {
    match outcome {
        SegmentOutcome::NeverSent(reason) => format!("NeverSent {reason:?}"),
        other => format!("{other:?}").split(['(', ' ']).next().unwrap().to_owned(),
    }
}
