//! The input of an account whose events are routed: receipts that a caller waits for are no events.

use super::ack::{PendingReply, ReplyToken};
use super::buffered_receipt::{BufferedReceipt, ReceiptFields, UnreadReceipt};
use super::delivery::Delivery;
use super::event_router::EventRouter;
use super::link::{BindId, LinkId};
use super::link_slot::Tag;
use super::receipt_tracker::IdKey;
use super::state::Account;
use crate::frame::Frame;
use crate::session::{self, Observer, Response, Taken, TakenAcceptance, TakenDelivery};
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
            while let Some(taken) = account.take_usual(now, link, input) {
                match taken {
                    Taken::Delivery(delivery) => self.handle_usual_receipt(now, account, link, delivery),
                    Taken::Acceptance(acceptance) => self.handle_acceptance(now, account, link, acceptance),
                }
            }
            let Some(event) = account.next_input_event(now, link, input) else { break };
            account.handle_session_event(now, link, event);
        }
        account.finish_input(now, link);
    }

    /// Handles the acceptance of a message.
    #[inline(always)]
    fn handle_acceptance<O: Observer>(
        &mut self,
        now: Instant,
        account: &mut Account<O>,
        link: LinkId,
        TakenAcceptance { tag, sequence, id, frame }: TakenAcceptance<'_, Tag>,
    ) {
        let event = |tag| {
            let outcome = session::Outcome::Accepted(Response::new(frame));
            session::Event::Outcome { tag, sequence, outcome }
        };
        // Only a message is sent as a submit_sm.
        let Tag::Segment(segment) = tag else { return account.handle_session_event(now, link, event(tag)) };
        // What has happened before goes first.
        let ended = if account.events.is_empty() { account.end_accepted(segment.message) } else { None };
        let Some((key, receipts)) = ended else {
            return account.handle_session_event(now, link, event(Tag::Segment(segment)));
        };
        let bind = account.count_acceptance(link);
        account.track_accepted(now, (segment, bind, id), (key, receipts));
        let waiter = self.messages.record_accepted(segment.message, id, bind);
        self.wake(waiter);
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
