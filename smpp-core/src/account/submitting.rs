//! Submitting messages: what is checked, and what is sent at once.

use super::error::SubmitError;
use super::event::StopCause;
use super::link::{BindId, LinkId};
use super::link_slot::LinkSlot;
use super::message::Message;
use super::message_key::MessageKey;
use super::outcome::{MessageNumber, SegmentNotSentReason};
use super::queue::SegmentRef;
use super::queued_message::QueuedMessage;
use super::sending::request;
use super::state::{Account, Shutdown};
use crate::session::{NotSentReason, Observer, Operations, Session, State};
use crate::time::Instant;

/// A message was not passed to a session.
struct NotTaken;

impl<O: Observer> Account<O> {
    /// Accepts a message, and sends it when its turn has come. A text is split into segments here.
    ///
    /// # Errors
    ///
    /// [`SubmitError`] says why the account did not accept the message. Nothing was sent.
    pub fn submit(&mut self, now: Instant, message: &Message) -> Result<MessageNumber, SubmitError> {
        let (number, is_sent) = self.accept(now, message)?;
        if !is_sent {
            self.advance(now);
        }
        Ok(number)
    }

    /// Accepts a message as [`submit`](Self::submit) does. If it cannot be sent at once, because other messages wait or no bind can
    /// send it, it waits for the next call of another method that takes the time, for example
    /// [`send_queued`](Self::send_queued). Many messages that wait cost less if they are sent in one call.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    pub fn enqueue(&mut self, now: Instant, message: &Message) -> Result<MessageNumber, SubmitError> {
        self.accept(now, message).map(|(number, _)| number)
    }

    /// Accepts a message. Returns also whether it has been sent at once.
    fn accept(&mut self, now: Instant, message: &Message) -> Result<(MessageNumber, bool), SubmitError> {
        self.check_running()?;
        if let Some(key) = message.message_key()
            && key.as_bytes().len() > MessageKey::MAX_OCTETS
        {
            return Err(SubmitError::KeyTooLong { octets: key.as_bytes().len() });
        }
        if self.queue.available_capacity() == 0 && self.queue.capacity() > 0 {
            // No need to split the message: no segment fits.
            return Err(SubmitError::Full);
        }
        let command = message.command();
        if !self.options.session.operations.contains(Operations::of(command)) {
            return Err(SubmitError::Unsupported(command));
        }
        let reference = self.reference.wrapping_add(1);
        let mut queued = self.queue.take_spare();
        let encoded = message.encode(&self.options, reference, &mut queued.frames);
        if let Err(error) = encoded.and_then(|()| self.check_room(queued.frames.len())) {
            self.queue.discard(queued);
            return Err(error);
        }
        if queued.frames.len() > 1 {
            self.reference = reference;
        }
        queued.fill(now, message, self.options.unanswered_policy);
        let number = self.queue.next_number();
        let segment = SegmentRef { message: number, index: 0 };
        if let Some(link) = self.direct_link(now, &queued)
            && let Ok(capacity) = self.send_directly(now, segment, &queued, link)
        {
            self.queue.push_sent(number, queued);
            self.handle_sent(now, segment, link, capacity);
            return Ok((number, true));
        }
        self.queue.push(number, queued);
        if let Some(reason) = message.bind.and_then(|bind| self.cannot_send_on(bind)) {
            let outcome = self.queue.abandon(number, reason);
            self.finish_message(now, number, outcome);
        }
        Ok((number, false))
    }

    /// Returns the bind that sends a new message at once; `None` if it has to wait, or something else comes first.
    fn direct_link(&mut self, now: Instant, message: &QueuedMessage) -> Option<LinkId> {
        if self.stopped.is_some() || self.abandoning.is_some() || self.requests.any_waits() {
            return None;
        }
        self.refresh_links(now);
        self.queue.direct_link(now, message)
    }

    /// Passes a new message to the session of a bind. Returns what [`Session::window_after_request`] does; an error if the session
    /// has not taken it, and it is to be queued: then it is dealt with in its turn.
    fn send_directly(
        &mut self,
        now: Instant,
        segment: SegmentRef,
        message: &QueuedMessage,
        link: LinkId,
    ) -> Result<Option<u16>, NotTaken> {
        let recipients = message.traits.recipients;
        if self.rate_limiter.is_some_and(|limiter| limiter.ready_for(now, recipients) > now) {
            return Err(NotTaken);
        }
        let slot = self.links.get_mut(link.index());
        let session = slot.and_then(LinkSlot::session_mut).ok_or(NotTaken)?;
        request(session, now, message.frames.get(0), message.traits, segment).map_err(|_| NotTaken)?;
        let capacity = session.window_after_request();
        if let Some(limiter) = &mut self.rate_limiter {
            limiter.take_many(now, recipients);
        }
        Ok(capacity)
    }

    /// Sends what can be sent of the messages that wait: see [`enqueue`](Self::enqueue).
    ///
    /// ```
    /// use smpp_proto::account::{Account, Credentials, Message, Options};
    /// use smpp_proto::provider::Provider;
    /// use smpp_proto::session::Instant;
    /// use smpp_proto::SubmitSm;
    ///
    /// let now = Instant::ZERO;
    /// let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::EIGHT_BY_EIGHT);
    /// let mut account = Account::<()>::new(options, now)?;
    /// for text in ["one", "two", "three"] {
    ///     account.enqueue(now, &Message::text(&SubmitSm::default(), text))?;
    /// }
    /// account.send_queued(now);
    /// assert_eq!(account.queued(), 3, "there is no bind yet");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send_queued(&mut self, now: Instant) {
        self.advance(now);
    }

    /// Checks that the queue has room for a message of this many segments.
    const fn check_room(&self, segments: usize) -> Result<(), SubmitError> {
        if segments > self.queue.capacity() {
            return Err(SubmitError::TooManySegments { segments });
        }
        if segments > self.queue.available_capacity() { Err(SubmitError::Full) } else { Ok(()) }
    }

    /// Returns why a message that names this bind can never be sent.
    fn cannot_send_on(&self, bind: BindId) -> Option<SegmentNotSentReason> {
        let session =
            self.links.get(bind.link().index()).filter(|link| link.holds(bind)).and_then(LinkSlot::session);
        match session.map(Session::state) {
            None | Some(State::Closed) => Some(SegmentNotSentReason::BindEnded),
            Some(state @ State::Bound(mode)) if !mode.transmits() => {
                Some(SegmentNotSentReason::Request(NotSentReason::State(state)))
            }
            Some(_) => None,
        }
    }

    /// Returns whether the account has stopped, and sends no message any more.
    pub(super) fn refuses_messages(&self) -> bool {
        match self.stopped {
            None => false,
            Some(StopCause::Bind) => self.cannot_send(),
            Some(StopCause::Message) => true,
        }
    }

    /// Checks that the account accepts messages.
    pub(super) fn check_running(&self) -> Result<(), SubmitError> {
        if !matches!(self.shutdown, Shutdown::Running) {
            return Err(SubmitError::ShutDown);
        }
        // Binds that live send, although the SMSC refuses further ones.
        if self.refuses_messages() { Err(SubmitError::Stopped) } else { Ok(()) }
    }
}
