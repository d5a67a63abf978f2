//! What the SMSC sends on a connection.

use alloc::vec::Vec;

use super::ack::ReplyToken;
use super::delivery::Delivery;
use super::link::LinkId;
use super::link_slot::{LinkSlot, Tag};
use super::state::Account;
use crate::frame::Frame;
use crate::pdu::DeliverSm;
use crate::session::{self, Observer, ReadDelivery, Reply, Session, Taken};
use crate::sms::UsualReceipt;
use crate::time::Instant;

/// Reads the receipts that most SMSCs write, unless there is a parser of the user's.
struct UsualReceipts {
    has_parser: bool,
}

impl<'b> ReadDelivery<'b> for UsualReceipts {
    type Read = UsualReceipt<'b>;

    #[inline(always)]
    fn read(&self, message: &DeliverSm<'b>) -> Option<UsualReceipt<'b>> {
        if self.has_parser { None } else { UsualReceipt::of(message) }
    }
}

impl<O: Observer> Account<O> {
    /// Handles octets from the peer, and removes what it has read from `input`: an incomplete PDU stays there. It reads
    /// nothing while the connection does not [want input](Self::wants_input).
    pub fn handle_input(&mut self, now: Instant, link: LinkId, input: &mut &[u8]) {
        self.touch(link);
        while let Some(event) = self.next_input_event(now, link, input) {
            self.handle_session_event(now, link, event);
        }
        self.finish_input(now, link);
    }

    /// Returns the next event of the input of a connection: see [`Session::handle_input`].
    #[inline(always)]
    pub(super) fn next_input_event<'b>(
        &mut self,
        now: Instant,
        link: LinkId,
        input: &mut &'b [u8],
    ) -> Option<session::Event<'b, Tag>> {
        self.links.get_mut(link.index())?.session_mut()?.handle_input(now, input)
    }

    /// Does what follows the events of the input of a connection.
    pub(super) fn finish_input(&mut self, now: Instant, link: LinkId) {
        // What the events have made the account do may have looked at it already.
        self.touch(link);
        self.expire_receipts(now);
        self.advance(now);
    }

    /// Handles a deliver_sm or a data_sm whose arrival was recorded.
    pub(super) fn handle_delivery(
        &mut self,
        now: Instant,
        delivery: Delivery<'_, '_>,
        frame: Frame<&[u8]>,
        token: ReplyToken,
    ) {
        let mut buffer = Vec::new();
        match self.options.receipts.dialect.read(delivery, &mut buffer) {
            Some(Ok(receipt)) => self.handle_receipt(now, delivery, frame, &receipt, token),
            Some(Err(_)) => self.handle_unreadable_receipt(now, frame, token),
            None => self.handle_message(now, delivery.pdu(), frame, token),
        }
    }

    /// Records that a delivery has arrived. Returns the generation of its session.
    #[inline]
    pub(super) fn record_arrival(&mut self, now: Instant, link: LinkId) -> Option<u64> {
        let slot = self.links.get(link.index())?;
        let (generation, unanswered) = (slot.generation, slot.session().map_or(0, Session::unanswered));
        self.inbound.record_arrival(now, link, generation, unanswered);
        Some(generation)
    }

    /// Returns the next PDU of the input, if it is a receipt as most SMSCs write it or the acceptance of a message: see
    /// [`Session::take_usual`].
    #[inline(always)]
    pub(super) fn take_usual<'b>(
        &mut self,
        now: Instant,
        link: LinkId,
        input: &mut &'b [u8],
    ) -> Option<Taken<'b, Tag, UsualReceipt<'b>>> {
        let has_parser = self.options.receipts.dialect.parser.is_some();
        let session = self.links.get_mut(link.index())?.session_mut()?;
        session.take_usual(now, input, &UsualReceipts { has_parser })
    }

    /// Acknowledges a deliver_sm that [`take_usual`](Self::take_usual) has just returned.
    #[inline]
    pub(super) fn acknowledge_input(&mut self, link: LinkId, reply: Reply<DeliverSm<'static>>) {
        if let Some(session) = self.links.get_mut(link.index()).and_then(LinkSlot::session_mut) {
            // If the session ends, the SMSC redelivers it.
            let _ = session.acknowledge(reply);
        }
    }
}
