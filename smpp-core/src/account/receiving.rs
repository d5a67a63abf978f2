//! Receiving: delivery receipts, and MO messages reassembled from segments on any bind.

use alloc::vec::Vec;

use super::ack::{Ack, AckSubject, PendingReply, ReplyToken};
use super::event::Event;
use super::inbound_message::{InboundContent, InboundMessage, user_data};
use super::link::LinkId;
use super::receipt::{DeliveryReceipt, ReportedReceipt};
use super::receipt_tracker::{EarlyReceipt, Match};
use super::state::Account;
use crate::frame::Frame;
use crate::pdu::{CommandStatus, DataSmResp, DeliverSm, DeliverSmResp, Operation, Pdu};
use crate::session::{CloseReason, Observer, Refusal, Request};
use crate::sms::{self, MessageIdKey, Pushed};
use crate::time::Instant;

/// The keys that the message id of a receipt may have.
struct ReceiptKeys {
    key: MessageIdKey,
    /// To try if `key` matches no message.
    fallback: Vec<MessageIdKey>,
}

impl<O: Observer> Account<O> {
    /// Acknowledges or refuses what the SMSC delivered: `Ok` once the application has stored it, or a status. A temporary
    /// status such as [`RX_T_APPN`](CommandStatus::RX_T_APPN) makes the SMSC keep the message and redeliver it.
    ///
    /// If the application accepts a receipt or a concatenated message, the account acknowledges later redeliveries of it
    /// by itself and emits no event.
    ///
    /// Segments that were acknowledged after [`Options::segment_ack_timeout`](super::Options::segment_ack_timeout) are
    /// not redelivered if the message is refused now: the application has the only copy.
    ///
    /// # Errors
    ///
    /// [`Refusal::Closed`] if a bind that the PDU arrived on has ended, with the reason of the last session that has ended on
    /// its connection slot. The SMSC has seen no response there, and redelivers the PDU.
    pub fn acknowledge(
        &mut self,
        now: Instant,
        ack: Ack,
        result: Result<(), CommandStatus>,
    ) -> Result<(), Refusal> {
        match &ack.subject {
            AckSubject::Pdu => {}
            AckSubject::Message(identity) => {
                self.unacknowledged = self.unacknowledged.saturating_sub(1);
                if result.is_err() {
                    self.inbound.reassembler.forget_completed(identity);
                }
            }
            AckSubject::Receipt(reported) => self.receipts.acknowledge(now, reported, result.is_ok()),
        }
        let mut answered = Ok(());
        for token in ack.tokens {
            answered = answered.and(self.reply(now, token, result));
        }
        self.advance(now);
        answered
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
        session.advance_clock(now);
        let answered = match token.reply {
            PendingReply::DeliverSm(reply) => {
                session.respond(reply, result.map(|()| DeliverSmResp::default()))
            }
            PendingReply::DataSm(reply) => session.respond(reply, result.map(|()| DataSmResp::default())),
        };
        // Dates the response: otherwise the timers that it has started count from the next call with a time.
        session.advance_clock(now);
        answered
    }

    /// Handles a request of the SMSC.
    pub(super) fn handle_request(
        &mut self,
        now: Instant,
        link: LinkId,
        request: Request<'_>,
        frame: Frame<&[u8]>,
    ) {
        let (pdu, reply) = match request {
            Request::DeliverSm(message, reply) => (Pdu::DeliverSm(message), PendingReply::DeliverSm(reply)),
            Request::DataSm(message, reply) => (Pdu::DataSm(message), PendingReply::DataSm(reply)),
            other => {
                if let Some(session) = self.session(link) {
                    // Fails only if the session has ended: then the peer sees no response.
                    let _ = session.refuse(other);
                }
                return;
            }
        };
        let Some(generation) = self.generation(link) else { return };
        let token = ReplyToken { link, generation, reply };
        let Some(frame) = Frame::new(frame.octets().to_vec()) else { return };
        match self.parse_receipt(pdu, &frame) {
            Some((receipt, keys)) => self.handle_receipt(now, receipt, keys, token),
            None => self.handle_message(now, pdu, frame, token),
        }
    }

    /// Returns the receipt in the PDU and the keys that its message id may have; no key if the receipt cannot be read.
    fn parse_receipt(
        &self,
        pdu: Pdu<'_>,
        frame: &Frame<Vec<u8>>,
    ) -> Option<(DeliveryReceipt, Option<ReceiptKeys>)> {
        let dialect = &self.options.receipts.dialect;
        let mut buffer = Vec::new();
        let read = match pdu {
            Pdu::DeliverSm(message) => dialect.read(&message, &mut buffer),
            Pdu::DataSm(message) => dialect.read(&message, &mut buffer),
            _ => None,
        }?;
        let policy = dialect.message_ids;
        let keys = read.ok().map(|receipt| ReceiptKeys {
            key: policy.receipt_key(&receipt),
            fallback: policy.fallback_keys(&receipt, dialect.id_fallback).collect(),
        });
        Some((DeliveryReceipt::new(read.ok(), dialect, frame.clone()), keys))
    }

    fn handle_receipt(
        &mut self,
        now: Instant,
        receipt: DeliveryReceipt,
        keys: Option<ReceiptKeys>,
        token: ReplyToken,
    ) {
        let ack = Ack { tokens: alloc::vec![token], subject: AckSubject::Pdu };
        let Some(ReceiptKeys { key, fallback }) = keys else {
            return self.emit(Event::Receipt { receipt, matched: None, ack });
        };
        let last_sent = self.queue.last_sent();
        let early = EarlyReceipt { last_sent, key, fallback, receipt, ack };
        match self.receipts.match_receipt(now, &key, early.state()) {
            // The submit_sm_resp may still arrive.
            Match::Unknown if self.queue.is_in_flight(last_sent) => {
                self.receipts.early.hold(early);
                while let Some(early) = self.receipts.early.pop_excess() {
                    self.handle_overdue_receipt(now, early);
                }
            }
            Match::Unknown => self.handle_overdue_receipt(now, early),
            result => self.handle_match(now, early.receipt, result, early.ack),
        }
    }

    /// Handles a receipt that arrived before the `submit_sm_resp` of its segment.
    pub(super) fn handle_early_receipt(&mut self, now: Instant, early: EarlyReceipt) {
        let result = self.receipts.match_receipt(now, &early.key, early.state());
        self.handle_match(now, early.receipt, result, early.ack);
    }

    /// Handles a receipt whose id matches no message, and for which no `submit_sm_resp` can arrive: tries the other ids.
    fn handle_overdue_receipt(&mut self, now: Instant, early: EarlyReceipt) {
        let mut results =
            early.fallback.iter().map(|key| self.receipts.match_receipt(now, key, early.state()));
        let result = results.find(|result| *result != Match::Unknown).unwrap_or(Match::Unknown);
        self.handle_match(now, early.receipt, result, early.ack);
    }

    fn handle_match(&mut self, now: Instant, receipt: DeliveryReceipt, result: Match, ack: Ack) {
        match result {
            Match::New(matched) => {
                let subject = AckSubject::Receipt(ReportedReceipt::new(&matched, &receipt));
                self.emit(Event::Receipt { receipt, matched: Some(matched), ack: Ack { subject, ..ack } });
            }
            Match::Unknown => self.emit(Event::Receipt { receipt, matched: None, ack }),
            Match::Repeated => self.reply_all(now, ack, Ok(())),
            // The application may still refuse the first copy.
            Match::Unacknowledged => self.reply_all(now, ack, Err(DeliverSm::UNANSWERED)),
        }
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

    fn reply_all(&mut self, now: Instant, ack: Ack, result: Result<(), CommandStatus>) {
        for token in ack.tokens {
            // If the bind has ended, the SMSC redelivers the PDU.
            let _ = self.reply(now, token, result);
        }
    }

    /// Handles a PDU that is not a receipt: an MO message, or a segment of one.
    fn handle_message(&mut self, now: Instant, pdu: Pdu<'_>, frame: Frame<Vec<u8>>, token: ReplyToken) {
        let codings = self.options.text.codings;
        let single = |frame, token| Event::Message {
            message: InboundMessage { content: InboundContent::Single(frame), codings },
            ack: Ack { tokens: alloc::vec![token], subject: AckSubject::Pdu },
        };
        let Some((_, Some(user_data))) = user_data(pdu) else { return self.emit(single(frame, token)) };
        let inbound = &mut self.inbound;
        inbound.last_tag += 1;
        let tag = inbound.last_tag;
        let pushed = match pdu {
            Pdu::DeliverSm(message) => {
                inbound.reassembler.push(now, message.source, message.destination, &user_data, tag)
            }
            Pdu::DataSm(message) => {
                inbound.reassembler.push(now, message.source, message.destination, &user_data, tag)
            }
            _ => return,
        };
        match pushed {
            Ok(Pushed::Stored { superseded, .. }) => {
                inbound.held.insert(tag, (now, token));
                if let Some(message) = superseded {
                    self.emit_concatenated(message);
                }
            }
            Ok(Pushed::Complete(message)) => {
                inbound.held.insert(tag, (now, token));
                self.emit_concatenated(message);
            }
            Ok(Pushed::Duplicate(_)) => {
                // The first copy may still be refused while acknowledgements are outstanding.
                let is_pending = !inbound.held.is_empty() || self.unacknowledged > 0;
                let result = if is_pending { Err(DeliverSm::UNANSWERED) } else { Ok(()) };
                let _ = self.reply(now, token, result);
            }
            // No capacity for it now: the SMSC keeps it.
            Err(error) if error.reason == sms::PushErrorReason::Full => {
                let _ = self.reply(now, token, Err(DeliverSm::UNANSWERED));
            }
            // It is no segment, or the message exceeds the reassembly limits: the application gets it alone.
            Ok(Pushed::Standalone(_)) | Err(_) => self.emit(single(frame, token)),
        }
    }

    /// Emits the segments of a concatenated message that are there.
    fn emit_concatenated(&mut self, message: sms::ReassembledMessage<u64>) {
        let ack = self.inbound.take_ack(&message);
        self.unacknowledged += 1;
        let content = InboundContent::Segments(message);
        let message = InboundMessage { content, codings: self.options.text.codings };
        self.emit(Event::Message { message, ack });
    }

    /// Acknowledges the segments whose [`Options::segment_ack_timeout`](super::Options::segment_ack_timeout) has passed,
    /// and emits the messages that are too old to be completed.
    pub(super) fn handle_inbound_timeout(&mut self, now: Instant) {
        while let Some((&tag, &(at, _))) = self.inbound.held.first_key_value()
            && now - at >= self.inbound.ack_timeout
            && let Some((_, token)) = self.inbound.held.remove(&tag)
        {
            // If the bind has ended, the SMSC redelivers the segment, and it counts as a duplicate.
            let _ = self.reply(now, token, Ok(()));
        }
        while let Some(message) = self.inbound.reassembler.handle_timeout(now) {
            self.emit_concatenated(message);
        }
    }

    /// Releases the incomplete messages at shutdown. If no segment of a message has been acknowledged, the SMSC keeps all
    /// of them; otherwise the account emits those that are there.
    pub(super) fn release_inbound(&mut self, now: Instant) {
        while let Some(message) = self.inbound.reassembler.evict() {
            if message.tags().all(|tag| self.inbound.held.contains_key(tag)) {
                let ack = self.inbound.take_ack(&message);
                self.reply_all(now, ack, Err(DeliverSm::UNANSWERED));
            } else {
                self.emit_concatenated(message);
            }
        }
    }
}
