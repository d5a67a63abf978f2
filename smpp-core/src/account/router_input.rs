//! The input of an account whose events are routed: receipts that a caller waits for are no events.

use super::ack::{PendingReply, ReplyToken};
use super::buffered_receipt::{BufferedReceipt, ReceiptFields, UnreadReceipt};
use super::delivery::Delivery;
use super::event_router::EventRouter;
use super::link::{BindId, LinkId};
use super::link_slot::Tag;
use super::queue::SegmentRef;
use super::receipt_tracker::IdKey;
use super::state::Account;
use crate::frame::{Frame, SequenceNumber};
use crate::session::{self, Observer, Response, TakenDelivery};
use crate::sms::{Receipt, UsualReceipt};
use crate::time::Instant;

impl<W> EventRouter<W> {
    /// As [`Account::handle_input`], for an account whose events are all passed to this router. The receipts of a message of one
    /// segment go into its slot and are acknowledged at once, and so does its outcome if the SMSC accepts it, without an
    /// [`Event`](super::Event): as [`handle_event`](Self::handle_event) would do it. So they cost less; nothing else differs.
    pub fn handle_input<O: Observer>(
        &mut self,
        now: Instant,
        account: &mut Account<O>,
        link: LinkId,
        input: &mut &[u8],
    ) {
        account.touch(link);
        loop {
            while let Some(taken) = account.take_usual_receipt(now, link, input) {
                self.handle_usual_receipt(now, account, link, taken);
            }
            let Some(event) = account.next_input_event(now, link, input) else { break };
            match event {
                session::Event::Outcome {
                    tag: Tag::Segment(segment),
                    sequence,
                    outcome: session::Outcome::Accepted(response),
                } => {
                    account.count_acceptance(link);
                    self.handle_acceptance(now, account, (link, sequence), (segment, response));
                }
                event => account.handle_session_event(now, link, event),
            }
        }
        account.finish_input(now, link);
    }

    /// Handles the response to a segment that the SMSC has accepted.
    fn handle_acceptance<O: Observer>(
        &mut self,
        now: Instant,
        account: &mut Account<O>,
        (link, sequence): (LinkId, SequenceNumber),
        (segment, response): (SegmentRef, Response<&[u8]>),
    ) {
        // What has happened before goes first.
        let taken = if account.events.is_empty() {
            account.take_accepted(now, link, segment, response)
        } else {
            Err(response)
        };
        match taken {
            Ok(outcome) => {
                let scope = account.options.receipts.dialect.receipt_scope();
                self.record_outcome(segment.message, outcome, scope);
            }
            Err(response) => {
                let outcome = session::Outcome::Accepted(response);
                account.handle_submit_outcome(now, (link, sequence), segment, outcome);
            }
        }
    }

    #[inline]
    fn handle_usual_receipt<O: Observer>(
        &mut self,
        now: Instant,
        account: &mut Account<O>,
        link: LinkId,
        TakenDelivery { read: receipt, frame, reply }: TakenDelivery<'_, UsualReceipt<'_>>,
    ) {
        let Some(generation) = account.record_arrival(now, link) else { return };
        if self.take_receipt(now, account, receipt, &frame, BindId::new(link, generation)).is_some() {
            return account.acknowledge_input(link, reply);
        }
        let token = ReplyToken { link, generation, reply: PendingReply::DeliverSm(reply) };
        // It has been decoded before.
        if let Some(message) = frame.plain_deliver_sm() {
            account.handle_delivery(now, Delivery::DeliverSm(&message), frame, token);
        }
    }

    /// Puts a receipt into the slot of its message, if the message has one segment and its caller waits for receipts. Returns
    /// `None`, and changes nothing, for any other receipt.
    #[inline]
    fn take_receipt<O: Observer>(
        &mut self,
        now: Instant,
        account: &mut Account<O>,
        receipt: UsualReceipt<'_>,
        frame: &Frame<&[u8]>,
        bind: BindId,
    ) -> Option<()> {
        let dialect = &account.options.receipts.dialect;
        let fields = ReceiptFields::locate(frame, &receipt)?;
        let receipt = Receipt { id: receipt.id, stat: receipt.stat, ..Receipt::default() };
        let (state, is_final) = dialect.reported_state(&receipt);
        let key = IdKey::of_receipt(dialect.message_ids, &receipt);
        let new = account.receipts.find_new(&key, (state, is_final))?;
        // What has happened before goes first.
        self.take_outcomes(account);
        if !account.events.is_empty() {
            return None;
        }
        let slot = self.messages.receipt_slot(new.message, new.previous.is_some())?;
        if slot.is_full() {
            return None;
        }
        let (pending, message_state) = account.receipts.record_accepted(now, &new, (state, is_final));
        account.counters.receipts_matched += 1;
        let receipt = UnreadReceipt {
            frame: frame.copy_into(self.spare_buffers.take()),
            bind,
            fields,
            state,
            is_final,
            pending,
            message_state,
            previous: new.previous,
        };
        let waiter = self.messages.push_receipt(&slot, BufferedReceipt::Unread(receipt));
        self.wake(waiter);
        Some(())
    }
}
