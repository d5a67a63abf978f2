//! Receiving: delivery receipts, and MO messages reassembled from segments on any bind.

use alloc::vec::Vec;

use super::ack::{Ack, AckSubject, PendingReply, ReplyToken, Tokens};
use super::delivered_pdus::ArrivedPdu;
use super::delivery::Delivery;
use super::error::AckError;
use super::event::Event;
use super::expected::{ExpectError, Expected, ExpectedId};
use super::inbound_message::{InboundContent, InboundMessage, SegmentTag, user_data};
use super::link::{BindId, LinkId};
use super::outcome::MessageNumber;
use super::receipt::{DeliveryReceipt, ReceiptDestination, ReportedReceipt};
use super::receipt_tracker::{EarlyReceipt, IdKey, Match, SegmentId, TrackedMessage};
use super::state::{Account, Shutdown};
use crate::frame::Frame;
use crate::pdu::{CommandStatus, DataSmResp, DeliverSm, DeliverSmResp, MessageState, Operation, Pdu};
use crate::session::{CloseReason, Observer, Refusal, Request, State};
use crate::sms::{self, MessageIdKey, Pushed, Receipt};
use crate::time::Instant;

/// How many acknowledgements, and how many messages, one call handles because they are due.
const HANDLED_AT_ONCE: usize = 64;

impl<O: Observer> Account<O> {
    /// Acknowledges or refuses what the SMSC delivered: `Ok` once the application has stored it, or a status. A temporary
    /// status such as [`RX_T_APPN`](CommandStatus::RX_T_APPN) makes the SMSC keep the message and redeliver it.
    ///
    /// If the application accepts a receipt or a message, the account acknowledges later redeliveries of it by itself and
    /// emits no event: see [*Redelivery*](super#redelivery-what-the-application-gets-once).
    ///
    /// Segments that were acknowledged before (see [`SegmentAckMode`](super::SegmentAckMode)) are not redelivered if the
    /// message is refused now: the application has the only copy.
    ///
    /// # Errors
    ///
    /// - [`AckError::BindEnded`] if a bind that the PDU arrived on has ended, with the reason of the last session that has
    ///   ended on its connection slot. The SMSC has seen no response there, and redelivers the PDU; the account handles the
    ///   redelivery as above.
    /// - [`AckError::AlreadyAcknowledged`] if the application refuses a message of which a segment has been acknowledged:
    ///   the SMSC does not redeliver that segment. It redelivers the others, and the account acknowledges them within
    ///   [`duplicate_window`](crate::sms::ReassemblyLimits::duplicate_window), for without that segment they are no message.
    pub fn acknowledge(
        &mut self,
        now: Instant,
        ack: Ack,
        result: Result<(), CommandStatus>,
    ) -> Result<(), AckError> {
        let answered = self.respond_to(now, ack, result);
        self.advance(now);
        answered
    }

    /// As [`acknowledge`](Self::acknowledge), for the caller that polls the events: what the response makes possible happens
    /// once it has polled all of them.
    pub(super) fn acknowledge_event(
        &mut self,
        now: Instant,
        ack: Ack,
        result: Result<(), CommandStatus>,
    ) -> Result<(), AckError> {
        self.acknowledged_at = Some(now);
        self.respond_to(now, ack, result)
    }

    fn respond_to(
        &mut self,
        now: Instant,
        ack: Ack,
        result: Result<(), CommandStatus>,
    ) -> Result<(), AckError> {
        match ack.subject {
            AckSubject::Pdu(number) => {
                return self.acknowledge_pdu(now, number, ack.tokens, result).map_err(AckError::from);
            }
            AckSubject::Message(identity) => {
                // The SMSC redelivers only the segments that were not acknowledged: no message could be made of them.
                let is_kept = result.is_ok() || ack.is_acknowledged;
                self.inbound.record_acknowledged(now, &identity, is_kept);
            }
            AckSubject::Receipt(reported) => self.receipts.acknowledge(now, &reported, result.is_ok()),
            AckSubject::EarlyReceipt => {}
        }
        let answered = match ack.tokens {
            Tokens::One(token) => self.reply(now, token, result),
            Tokens::Several(all) => {
                let mut answered = Ok(());
                for token in all {
                    answered = answered.and(self.reply(now, token, result));
                }
                answered
            }
        };
        if ack.is_acknowledged && result.is_err() {
            return Err(AckError::AlreadyAcknowledged);
        }
        answered.map_err(AckError::from)
    }

    /// Answers a PDU that has no id, and its repetitions. It succeeds if one of the binds takes the response.
    fn acknowledge_pdu(
        &mut self,
        now: Instant,
        number: u64,
        tokens: Tokens,
        result: Result<(), CommandStatus>,
    ) -> Result<(), Refusal> {
        let mut answered = Ok(());
        let mut response = None;
        for token in tokens.into_iter().chain(self.delivered_pdus.take_repeats(number)) {
            let (link, generation) = (token.link, token.generation);
            let replied = self.reply(now, token, result);
            if replied.is_ok()
                && response.is_none()
                && let Some(session) = self.session_of(link, generation)
            {
                response = Some((link, generation, session.responses_end()));
            }
            answered = answered.and(replied);
        }
        if result.is_ok() {
            self.delivered_pdus.record_accepted(now, number, response);
        } else {
            self.delivered_pdus.forget(number);
        }
        if response.is_some() { Ok(()) } else { answered }
    }

    fn reply(
        &mut self,
        now: Instant,
        token: ReplyToken,
        result: Result<(), CommandStatus>,
    ) -> Result<(), Refusal> {
        let Some(session) = self.session_of(token.link, token.generation) else {
            let slot = self.links.get(token.link.index());
            return Err(Refusal::Closed(slot.map_or(CloseReason::Disconnected, |slot| slot.last_end)));
        };
        session.at(now, |session| match token.reply {
            PendingReply::DeliverSm(reply) => {
                session.respond(reply, result.map(|()| DeliverSmResp::default()))
            }
            PendingReply::DataSm(reply) => session.respond(reply, result.map(|()| DataSmResp::default())),
        })
    }

    /// Waits for the receipts of a message that an earlier process sent: they are matched as those of a message of this
    /// account, and have its key. Returns the account's number of the message, which is new.
    ///
    /// Call it before the first bind exists, at the latest before the adapter does the first
    /// [`Action::Connect`](super::Action::Connect): a receipt that arrives earlier is emitted without a match.
    ///
    /// [`ReceiptMatch::message_state`](super::ReceiptMatch::message_state) stays `None` unless all segments of the message
    /// are expected.
    ///
    /// # Errors
    ///
    /// [`ExpectError`]: nothing is expected then.
    pub fn expect(&mut self, now: Instant, expected: Expected) -> Result<MessageNumber, ExpectError> {
        expected.check()?;
        if !matches!(self.shutdown, Shutdown::Running) {
            return Err(ExpectError::ShutDown);
        }
        if !self.receipts.make_room(expected.ids.len()) {
            return Err(ExpectError::Full);
        }
        let message = self.queue.next_number();
        let Expected { segments: total, ids, key, wait } = expected;
        let destination = ReceiptDestination::Arrivals;
        let tracked = TrackedMessage { number: message, bind: None, total, is_due: true, key, destination };
        let segment_ids = ids.iter().map(|(segment, id)| match id {
            ExpectedId::Id(id) => (*segment, SegmentId::Id(id)),
            ExpectedId::Key(key) => (*segment, SegmentId::Key(*key)),
        });
        self.receipts.expect(now, &tracked, segment_ids, wait);
        for (_, id) in &ids {
            let key = match id {
                ExpectedId::Id(id) => self.receipts.submitted_key(id),
                ExpectedId::Key(key) => *key,
            };
            for receipt in self.receipts.early.take(&key) {
                self.handle_early_receipt(now, receipt);
            }
        }
        self.advance(now);
        Ok(message)
    }

    /// Sets whether the account refuses MO messages, because no caller takes them: each PDU at once, with `ESME_RX_T_APPN`,
    /// so that the SMSC keeps it. Default `false`. A redelivery of what the application has accepted is acknowledged all the
    /// same.
    ///
    /// `true` also releases the incomplete messages: the account refuses the segments of those of which none has been
    /// acknowledged, and emits the others as [`Event::Message`], because the SMSC does not deliver them again.
    pub fn refuse_messages(&mut self, now: Instant, refuse: bool) {
        self.refuses_messages = refuse;
        if refuse {
            self.release_inbound(now);
        }
        self.advance(now);
    }

    /// Handles a request of the SMSC.
    pub(super) fn handle_request(
        &mut self,
        now: Instant,
        link: LinkId,
        request: Request<'_>,
        frame: Frame<&[u8]>,
    ) {
        match request {
            Request::DeliverSm(message, reply) => {
                let Some(generation) = self.record_arrival(now, link) else { return };
                let token = ReplyToken { link, generation, reply: PendingReply::DeliverSm(reply) };
                self.handle_delivery(now, Delivery::DeliverSm(&message), frame, token);
            }
            Request::DataSm(message, reply) => {
                let Some(generation) = self.record_arrival(now, link) else { return };
                let token = ReplyToken { link, generation, reply: PendingReply::DataSm(reply) };
                self.handle_delivery(now, Delivery::DataSm(&message), frame, token);
            }
            other => {
                if let Some(session) = self.session(link) {
                    // Fails only if the session has ended: then the peer sees no response.
                    let _ = session.refuse(other);
                }
            }
        }
    }

    /// Handles what is marked as a receipt and cannot be read.
    #[cold]
    pub(super) fn handle_unreadable_receipt(&mut self, now: Instant, frame: Frame<&[u8]>, token: ReplyToken) {
        let bind = BindId::new(token.link, token.generation);
        let unread = (MessageState::UNKNOWN, false);
        let receipt = DeliveryReceipt::new(&Receipt::default(), unread, frame.to_vec(), bind);
        self.emit_unmatched(now, receipt, Tokens::One(token));
    }

    /// Handles a receipt that can be read. It is copied only if the application gets it, or if it is held.
    pub(super) fn handle_receipt(
        &mut self,
        now: Instant,
        delivery: Delivery<'_, '_>,
        frame: Frame<&[u8]>,
        receipt: &Receipt<'_>,
        token: ReplyToken,
    ) {
        let bind = BindId::new(token.link, token.generation);
        let dialect = &self.options.receipts.dialect;
        let (policy, state) = (dialect.message_ids, dialect.reported_state(receipt));
        let key = IdKey::of_receipt(policy, receipt);
        match self.receipts.match_receipt_of(now, &key, state, || delivery.recipient()) {
            Match::New(matched, node) => {
                let frame = frame.copy_into(self.spare_buffers.take());
                let receipt = DeliveryReceipt::new(receipt, state, frame, bind);
                let subject = AckSubject::Receipt(ReportedReceipt::new(&matched, node, &receipt));
                let ack = Ack { tokens: Tokens::One(token), subject, is_acknowledged: false };
                self.emit(Event::Receipt { receipt, matched: Some(matched), ack });
            }
            Match::Unknown => {
                let key = policy.receipt_key(receipt);
                let fallback = policy.fallback_keys(receipt, dialect.id_fallback).collect();
                let receipt = DeliveryReceipt::new(receipt, state, frame.to_vec(), bind);
                self.handle_unknown_receipt(now, (key, fallback), receipt, token);
            }
            result => self.handle_repetition(now, &result, Tokens::One(token)),
        }
    }

    /// Handles a receipt whose id matches no message. `keys` are that of its id, and the others that it may have.
    #[cold]
    fn handle_unknown_receipt(
        &mut self,
        now: Instant,
        (key, fallback): (MessageIdKey, Vec<MessageIdKey>),
        receipt: DeliveryReceipt,
        token: ReplyToken,
    ) {
        let last_sent = self.queue.last_sent();
        let ack =
            Ack { tokens: Tokens::One(token), subject: AckSubject::EarlyReceipt, is_acknowledged: false };
        let early = EarlyReceipt { last_sent, key, fallback, receipt, ack };
        if !self.queue.is_in_flight(last_sent) {
            return self.handle_overdue_receipt(now, early);
        }
        // The submit_sm_resp may still arrive.
        self.receipts.early.hold(early);
        self.queue.separate_sent();
        self.release_early_excess(now);
    }

    /// Handles a receipt that arrived before the `submit_sm_resp` of its segment.
    pub(super) fn handle_early_receipt(&mut self, now: Instant, early: EarlyReceipt) {
        let result =
            self.receipts.match_receipt_of(now, &IdKey::Key(early.key), early.state(), || early.recipient());
        self.handle_match(now, early.receipt, result, early.ack);
    }

    /// Handles a receipt whose id matches no message, and for which no `submit_sm_resp` can arrive: tries the other ids.
    fn handle_overdue_receipt(&mut self, now: Instant, early: EarlyReceipt) {
        let recipient = || early.recipient();
        let mut results = early
            .fallback
            .iter()
            .map(|key| self.receipts.match_receipt_of(now, &IdKey::Key(*key), early.state(), recipient));
        let result = results.find(|result| *result != Match::Unknown).unwrap_or(Match::Unknown);
        self.handle_match(now, early.receipt, result, early.ack);
    }

    fn handle_match(&mut self, now: Instant, receipt: DeliveryReceipt, result: Match, ack: Ack) {
        match result {
            Match::New(matched, node) => {
                let subject = AckSubject::Receipt(ReportedReceipt::new(&matched, node, &receipt));
                self.emit(Event::Receipt { receipt, matched: Some(matched), ack: Ack { subject, ..ack } });
            }
            Match::Unknown => self.emit_unmatched(now, receipt, ack.tokens),
            result => self.handle_repetition(now, &result, ack.tokens),
        }
    }

    /// Responds to a receipt that the application has.
    fn handle_repetition(&mut self, now: Instant, result: &Match, tokens: Tokens) {
        let is_acknowledged = *result == Match::Repeated;
        // The application may still refuse the first copy.
        self.reply_all(now, tokens, if is_acknowledged { Ok(()) } else { Err(DeliverSm::UNANSWERED) });
    }

    /// Handles the early receipts whose `submit_sm_resp` cannot arrive any more: every request that was in flight when
    /// they arrived has a response.
    pub(super) fn release_early(&mut self, now: Instant) {
        while let Some(last_sent) = self.receipts.early.oldest()
            && !self.queue.is_in_flight(last_sent)
            && let Some(early) = self.receipts.early.pop()
        {
            self.handle_overdue_receipt(now, early);
        }
    }

    /// Handles the oldest early receipts as overdue if there are too many.
    fn release_early_excess(&mut self, now: Instant) {
        while let Some(early) = self.receipts.early.pop_excess() {
            self.handle_overdue_receipt(now, early);
        }
    }

    /// Emits a receipt that matches no message, unless it is the redelivery of one.
    fn emit_unmatched(&mut self, now: Instant, receipt: DeliveryReceipt, tokens: Tokens) {
        for token in tokens {
            if let Some(ack) = self.record_pdu(now, receipt.frame().octets(), token) {
                return self.emit(Event::Receipt { receipt, matched: None, ack });
            }
        }
    }

    /// Records a PDU that has no id. Returns its ack, unless it is the redelivery of one that the application has received.
    fn record_pdu(&mut self, now: Instant, octets: &[u8], token: ReplyToken) -> Option<Ack> {
        let (link, generation) = (token.link, token.generation);
        let arrived = self.delivered_pdus.arrive(now, octets, token);
        if self.session_of(link, generation).is_none() {
            // The account held it, and its bind has ended since.
            self.delivered_pdus.handle_bind_ended(now, link, generation);
        }
        match arrived {
            ArrivedPdu::New(number, token) => Some(Ack {
                tokens: Tokens::One(token),
                subject: AckSubject::Pdu(number),
                is_acknowledged: false,
            }),
            ArrivedPdu::Repeated => None,
            ArrivedPdu::Accepted(number, token) => {
                // If this bind has ended too, the SMSC redelivers the PDU again.
                let _ = self.acknowledge_pdu(now, number, Tokens::One(token), Ok(()));
                None
            }
        }
    }

    fn reply_all(&mut self, now: Instant, tokens: Tokens, result: Result<(), CommandStatus>) {
        for token in tokens {
            // If the bind has ended, the SMSC redelivers the PDU.
            let _ = self.reply(now, token, result);
        }
    }

    /// Handles a PDU that is not a receipt: an MO message, or a segment of one.
    pub(super) fn handle_message(
        &mut self,
        now: Instant,
        pdu: Pdu<'_>,
        frame: Frame<&[u8]>,
        token: ReplyToken,
    ) {
        let Some((_, Some(user_data))) = user_data(pdu) else { return self.emit_single(now, frame, token) };
        let tag = self.inbound.next_tag(BindId::new(token.link, token.generation));
        let pushed = loop {
            let reassembler = &mut self.inbound.reassembler;
            let pushed = match pdu {
                Pdu::DeliverSm(message) => {
                    reassembler.push(now, message.source, message.destination, &user_data, tag)
                }
                Pdu::DataSm(message) => {
                    reassembler.push(now, message.source, message.destination, &user_data, tag)
                }
                _ => return,
            };
            let evicted = pushed.as_ref().err().and_then(|error| reassembler.evict_for(error));
            match evicted {
                Some(evicted) => self.make_room(now, evicted),
                None => break pushed,
            }
        };
        match pushed {
            Ok(Pushed::Stored { segments, superseded, .. }) => {
                if segments > 1 {
                    self.inbound.record_continuation(now, None);
                }
                self.inbound.hold(now, tag.number, token);
                if let Some(message) = superseded {
                    self.emit_concatenated(now, message);
                }
                if self.refuses_messages {
                    self.release_inbound(now);
                }
            }
            Ok(Pushed::Complete(message)) => {
                if message.total() > 1 {
                    let is_waiting = |tag: &SegmentTag| {
                        self.inbound.held(tag.number).is_some_and(|token| self.is_live(token))
                    };
                    let sent_ahead = message.tags().any(is_waiting);
                    self.inbound.record_continuation(now, Some(sent_ahead));
                }
                self.inbound.hold(now, tag.number, token);
                if self.refuses_messages && self.inbound.is_at_smsc(&message) {
                    self.inbound.reassembler.forget_completed(&message.identity());
                    self.leave_to_smsc(now, &message);
                } else {
                    self.emit_concatenated(now, message);
                }
            }
            Ok(Pushed::Duplicate { message, number, .. }) => {
                let first = self.inbound.reassembler.tag(&message, number).map(|tag| tag.number);
                let result = match first {
                    Some(first) => match self.inbound.held(first) {
                        Some(held) if self.is_live(held) => Err(DeliverSm::UNANSWERED),
                        Some(_) => return self.inbound.replace(first, token),
                        // It was acknowledged: the account has it.
                        None => Ok(()),
                    },
                    None if self.inbound.is_acknowledged(&message) => Ok(()),
                    // The application may still refuse the first copy.
                    None => Err(DeliverSm::UNANSWERED),
                };
                let _ = self.reply(now, token, result);
            }
            // It is no segment, or the message exceeds the reassembly limits: the application gets it alone.
            Ok(Pushed::Standalone(_)) | Err(_) => self.emit_single(now, frame, token),
        }
    }

    /// Returns whether the bind of a token lives, so that a response can leave on it.
    fn is_live(&self, token: &ReplyToken) -> bool {
        let link = self.links.get(token.link.index()).filter(|link| link.generation == token.generation);
        link.and_then(|link| link.session()).is_some_and(|session| session.state() != State::Closed)
    }

    /// Emits an MO message of one PDU, unless it is the redelivery of one.
    fn emit_single(&mut self, now: Instant, frame: Frame<&[u8]>, token: ReplyToken) {
        let bind = BindId::new(token.link, token.generation);
        let Some(ack) = self.record_pdu(now, frame.octets(), token) else { return };
        if self.refuses_messages
            && let AckSubject::Pdu(number) = ack.subject
        {
            // If the bind has ended, the SMSC redelivers it.
            let _ = self.acknowledge_pdu(now, number, ack.tokens, Err(DeliverSm::UNANSWERED));
            return;
        }
        let content = InboundContent::Single(frame.to_vec());
        let message = InboundMessage { content, codings: self.options.text.codings, bind };
        self.emit(Event::Message { message, ack });
    }

    /// Emits the segments of a concatenated message that are there.
    fn emit_concatenated(&mut self, now: Instant, message: sms::ReassembledMessage<SegmentTag>) {
        // A reassembled message has at least one segment.
        let Some(last) = message.tags().max_by_key(|tag| tag.number).copied() else { return };
        let ack = self.inbound.take_ack(&message);
        self.inbound.record_emitted(now, &message);
        let content = InboundContent::Segments(message);
        let message = InboundMessage { content, codings: self.options.text.codings, bind: last.bind };
        self.emit(Event::Message { message, ack });
    }

    /// Returns when a segment is too old, or its acknowledgement is due.
    pub(super) fn next_inbound_timeout(&self) -> Option<Instant> {
        let incomplete = self.inbound.reassembler.poll_timeout();
        // If no acknowledgement is delayed, no link waits for one.
        let Some(due) = self.inbound.oldest_due() else { return incomplete };
        let blocked = self.blocked_link().map(|(at, _)| at);
        [Some(due), blocked, incomplete].into_iter().flatten().min()
    }

    /// Returns the connection slot on which the SMSC may first have to wait for the acknowledgement of a segment, and when it
    /// is due.
    fn blocked_link(&self) -> Option<(Instant, LinkId)> {
        let unanswered = |link: LinkId, generation| {
            let link = self.links.get(link.index()).filter(|link| link.generation == generation)?;
            Some(link.session()?.unanswered())
        };
        self.inbound.blocked_links(unanswered).min()
    }

    /// Acknowledges segments whose acknowledgement is due, emits messages that are too old to be completed, and gives up the
    /// early receipts that exceed a capacity that was lowered. The next call, which is due at once, continues: so no call
    /// takes long, however much is due.
    pub(super) fn handle_inbound_timeout(&mut self, now: Instant) {
        self.release_early_excess(now);
        for _ in 0..HANDLED_AT_ONCE {
            if self.inbound.oldest_due().is_none_or(|at| at > now) {
                break;
            }
            let Some(token) = self.inbound.pop_oldest(now) else { break };
            // If the bind has ended, the SMSC redelivers the segment, and it counts as a duplicate.
            let _ = self.reply(now, token, Ok(()));
        }
        for _ in 0..HANDLED_AT_ONCE {
            let Some((_, link)) = self.blocked_link().filter(|(at, _)| *at <= now) else { break };
            for token in self.inbound.take_held_on(link) {
                let _ = self.reply(now, token, Ok(()));
            }
        }
        for _ in 0..HANDLED_AT_ONCE {
            let Some(message) = self.inbound.reassembler.handle_timeout(now) else { break };
            self.emit_concatenated(now, message);
        }
    }

    /// Releases the incomplete messages at shutdown. If no segment of a message has been acknowledged, the SMSC keeps all
    /// of them; otherwise the account emits those that are there.
    pub(super) fn release_inbound(&mut self, now: Instant) {
        while let Some(message) = self.inbound.reassembler.evict() {
            if self.inbound.is_at_smsc(&message) {
                self.leave_to_smsc(now, &message);
            } else {
                self.emit_concatenated(now, message);
            }
        }
    }

    /// Releases an incomplete message that makes room, as at shutdown. If it comes back and has to make room again, the
    /// account emits it.
    fn make_room(&mut self, now: Instant, message: sms::ReassembledMessage<SegmentTag>) {
        if self.inbound.is_at_smsc(&message) && self.inbound.record_left_to_smsc(message.identity()) {
            self.leave_to_smsc(now, &message);
        } else {
            self.emit_concatenated(now, message);
        }
    }

    fn leave_to_smsc(&mut self, now: Instant, message: &sms::ReassembledMessage<SegmentTag>) {
        let ack = self.inbound.take_ack(message);
        self.reply_all(now, ack.tokens, Err(DeliverSm::UNANSWERED));
    }
}
