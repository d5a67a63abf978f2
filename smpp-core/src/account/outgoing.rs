//! What goes out: messages on the bind with most room, each to its outcome.

use alloc::vec::Vec;
use core::cmp::Reverse;

use super::event::{Event, LinkId, Unresolved};
use super::links::Tag;
use super::message::{
    Message, MessageId, MessageNumber, MessageOutcome, SegmentNotSentReason, SegmentOutcome, SubmitError,
    asks_for_receipts,
};
use super::queue::{Back, PartRef};
use super::receipts::Early;
use super::{Account, Ending};
use crate::pdu::{CommandStatus, RegisteredDelivery};
use crate::session::{self, Observer, Readiness, Refusal, State};
use crate::time::Instant;

impl<O: Observer> Account<O> {
    /// Takes a message, and sends it when its turn has come. It is cut into parts here; what cannot be cut or coded is
    /// refused at once.
    pub fn submit(&mut self, now: Instant, message: &Message) -> Result<MessageNumber, SubmitError> {
        match (&self.ending, self.stopped) {
            (Ending::No, None) => {}
            (Ending::No, Some(_)) => return Err(SubmitError::Stopped),
            _ => return Err(SubmitError::ShutDown),
        }
        if self.queue.room() == 0 && self.queue.capacity() > 0 {
            // Whatever it is: no need to cut it.
            return Err(SubmitError::Full);
        }
        let reference = self.reference.wrapping_add(1);
        let parts = message.parts(&self.options, reference)?;
        if parts.len() > self.queue.capacity() {
            return Err(SubmitError::TooManySegments { segments: parts.len() });
        }
        if parts.len() > self.queue.room() {
            return Err(SubmitError::Full);
        }
        if parts.len() > 1 {
            self.reference = reference;
        }
        let number = self.queue.push(now, message, parts, self.options.unanswered_policy);
        self.drive(now);
        Ok(number)
    }

    /// Sends no more of a message. What is in flight still gets its answer and is not sent again; the outcome is told as
    /// always.
    pub fn cancel(&mut self, now: Instant, message: MessageNumber) {
        let outcome = self.queue.give_up(message, SegmentNotSentReason::Cancelled);
        self.conclude(now, message, outcome);
        self.drive(now);
    }

    /// Sends what may go now; what is too late is given up first.
    pub(super) fn dispatch(&mut self, now: Instant) {
        while let Some((message, outcome)) = self.queue.expire(now) {
            self.conclude(now, message, outcome);
        }
        if self.stopped.is_some() && self.is_stuck() {
            self.give_up_all(now, SegmentNotSentReason::Stopped);
        }
        while self.queue.is_ready()
            && let Some(link) = self.freest(now)
        {
            let Some((part, submit_sm)) = self.queue.next() else { return };
            let Some(session) = self.links.get_mut(link.index()).and_then(|link| link.session_mut()) else {
                return;
            };
            match session.request(now, &submit_sm, Tag::Part(part)).map_err(|refused| refused.reason) {
                Ok(_) => self.queue.sent(part),
                // Of another bind's state nothing follows for this one.
                Err(
                    Refusal::State(_) | Refusal::WindowFull | Refusal::RateLimited(_) | Refusal::OutputFull,
                ) => {
                    return;
                }
                Err(why) => {
                    let why = why.permanent().unwrap_or(session::NotSentReason::State(State::Closed));
                    let fate = SegmentOutcome::NeverSent(SegmentNotSentReason::Request(why));
                    self.back(now, part, Back::Settled(fate));
                }
            }
        }
    }

    /// The bind that can send now and has most room.
    fn freest(&self, now: Instant) -> Option<LinkId> {
        let rooms =
            self.links.iter().zip(0..).filter_map(|(link, index)| match link.transmitter()?.readiness(now) {
                Readiness::Ready { capacity: room } if link.paused_until <= now => {
                    Some((room, LinkId(index)))
                }
                _ => None,
            });
        // Of several, the first.
        rooms.max_by_key(|&(room, link)| (room, Reverse(link))).map(|(_, link)| link)
    }

    /// When a bind may send again that has to wait for nothing but the time.
    pub(super) fn next_dispatch(&self) -> Option<Instant> {
        if !self.queue.is_ready() {
            return None;
        }
        let times = self.links.iter().filter_map(|link| {
            // At the end of the pause it will be seen what the pace says.
            match link.transmitter()?.readiness(link.paused_until) {
                Readiness::Ready { .. } => Some(link.paused_until),
                Readiness::Refusing(Refusal::RateLimited(at)) => Some(at),
                Readiness::Refusing(_) => None,
            }
        });
        times.min()
    }

    /// A part that was in flight has its outcome.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        link: LinkId,
        part: PartRef,
        outcome: session::Outcome<'_>,
    ) {
        let mut early = Vec::new();
        let back = match outcome {
            session::Outcome::Accepted(response) => {
                let id = MessageId::new(response.message_id());
                early = self.accepted(now, part, &id);
                Back::Settled(SegmentOutcome::Accepted(id))
            }
            session::Outcome::Refused { status, .. } if is_passing(status) => {
                if let Some(link) = self.links.get_mut(link.index()) {
                    link.paused_until = link.paused_until.max(now + self.options.throttle_pause);
                }
                Back::Throttled(self.options.throttle_retries, SegmentOutcome::Refused(status))
            }
            session::Outcome::Refused { status, .. } => Back::Settled(SegmentOutcome::Refused(status)),
            session::Outcome::Nacked(status) => Back::Settled(SegmentOutcome::Nacked(status)),
            session::Outcome::NeverSent(_) => Back::Again,
            session::Outcome::Unanswered(cause) => Back::Unanswered(SegmentOutcome::Unanswered(cause)),
        };
        self.back(now, part, back);
        // After the outcome: who has heard the last receipt expects nothing more.
        for receipt in early {
            self.recall(now, receipt);
        }
    }

    /// A part was accepted: its receipts are waited for. Those that have come.
    fn accepted(&mut self, now: Instant, part: PartRef, id: &MessageId) -> Vec<Early> {
        let Some((submit_sm, parts)) = self.queue.pdu(part) else { return Vec::new() };
        if !asks_for_receipts(&submit_sm) {
            return Vec::new();
        }
        self.ledger.expect(
            now,
            (part.message, part.index),
            parts,
            id,
            is_sure(submit_sm.registered_delivery),
        );
        self.ledger.early(id)
    }

    fn back(&mut self, now: Instant, part: PartRef, back: Back) {
        let outcome = self.queue.back(part, back);
        self.conclude(now, part.message, outcome);
        self.release_early();
    }

    /// Tells the outcome of a message, if it has one.
    fn conclude(&mut self, now: Instant, message: MessageNumber, outcome: Option<MessageOutcome>) {
        let Some(outcome) = outcome else { return };
        self.ledger.complete(now, message);
        if let Ending::Draining { unresolved, .. } | Ending::Leaving { unresolved } = &mut self.ending
            && outcome.result().is_err()
        {
            unresolved.push(Unresolved::NotAccepted { message, outcome: outcome.clone() });
        }
        self.tell(Event::Outcome { message, outcome });
    }

    /// Nothing that is not in flight is sent any more.
    pub(super) fn give_up_all(&mut self, now: Instant, why: SegmentNotSentReason) {
        let all: Vec<_> = self.queue.messages().collect();
        for message in all {
            let outcome = self.queue.give_up(message, why);
            self.conclude(now, message, outcome);
        }
    }

    /// Gives up waits for receipts that are too old.
    pub(super) fn expire_receipts(&mut self, now: Instant) {
        while let Some((message, ids)) = self.ledger.expire(now) {
            self.tell(Event::ReceiptsExpired { message, ids });
        }
    }
}

/// Whether the refusal passes: the SMSC is overloaded, or has begun to end the bind.
fn is_passing(status: CommandStatus) -> bool {
    matches!(status, CommandStatus::RTHROTTLED | CommandStatus::RMSGQFUL | CommandStatus::RINVBNDSTS)
}

/// Whether a last receipt comes whatever becomes of the message: bits 1 and 0 (SMPP 3.4 §5.2.17). One for some states
/// only may never come.
fn is_sure(wanted: RegisteredDelivery) -> bool {
    wanted.bits() & 0b11 == RegisteredDelivery::RECEIPT.bits()
}
