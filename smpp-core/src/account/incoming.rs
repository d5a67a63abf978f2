//! What comes in: receipts, and messages from phones, put together whichever binds their parts came on.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::event::Event;
use super::receipts::{DeliveryReceipt, Early, Matched, Told};
use super::{Account, LinkId};
use crate::frame::Frame;
use crate::pdu::{Address, CommandStatus, DataSm, DataSmResp, DeliverSm, DeliverSmResp, Operation, Pdu};
use crate::session::{Observer, Refusal, Reply, Request, State};
use crate::sms::{self, Codings, MessageIdKey, Pushed, Reassembler, Receipt, ReceivedSegment, UserData};
use crate::time::Instant;
use crate::wire::{COctets, Quirks, Tolerance};

/// The right to answer what the SMSC has delivered, once: see [`Account::acknowledge`].
///
/// One that is dropped leaves the SMSC without an answer, and places of
/// [`max_unanswered`](crate::session::Config::max_unanswered) taken for as long as the bind lives; what comes again on
/// another bind is not acknowledged either, as nobody has said that it is safe.
#[must_use = "what was delivered must be answered"]
pub struct Ack {
    tokens: Vec<Token>,
    about: What,
}

/// What is told again if it is not taken now.
enum What {
    /// A whole PDU, which nothing is remembered of.
    Pdu,
    /// A message that was put together.
    Message(sms::MessageIdentity),
    /// A receipt of a message that is known.
    Receipt(Told),
}

/// The right to answer one PDU, on the session that it came on.
struct Token {
    link: LinkId,
    serial: u64,
    reply: Answerable,
}

enum Answerable {
    DeliverSm(Reply<DeliverSm<'static>>),
    DataSm(Reply<DataSm<'static>>),
}

/// A message from a phone, or from another program: whole.
#[derive(Debug)]
pub struct InboundMessage {
    content: Content,
    codings: Codings,
}

enum Content {
    One(Frame<Vec<u8>>),
    Parts(sms::ReassembledMessage<u64>),
}

/// The parts that wait for others, and the answers that are held for them.
pub(super) struct Inbox {
    reassembler: Reassembler<u64>,
    held: BTreeMap<u64, (Instant, Token)>,
    last: u64,
    hold: Duration,
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ack").field(&self.tokens.len()).finish()
    }
}

/// Whether it is whole: addresses and text are somebody's.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(frame) => frame.fmt(f),
            Self::Parts(message) => message.fmt(f),
        }
    }
}

impl InboundMessage {
    /// The sender.
    pub fn source(&self) -> Address<'_, 65> {
        match &self.content {
            Content::One(frame) => match pdu(frame) {
                Some(Pdu::DeliverSm(message)) => wide(message.source),
                Some(Pdu::DataSm(message)) => message.source,
                _ => Address::default(),
            },
            Content::Parts(message) => message.source(),
        }
    }

    /// The recipient: a number of the account.
    pub fn destination(&self) -> Address<'_, 65> {
        match &self.content {
            Content::One(frame) => match pdu(frame) {
                Some(Pdu::DeliverSm(message)) => wide(message.destination),
                Some(Pdu::DataSm(message)) => message.destination,
                _ => Address::default(),
            },
            Content::Parts(message) => message.destination(),
        }
    }

    /// The text, in the character sets of [`Options::text`](super::Options::text); `None` if it is not text, or in a
    /// character set that is not known.
    pub fn text(&self) -> Option<String> {
        match &self.content {
            Content::One(frame) => {
                let (whole, user_data) = user_data(pdu(frame)?)?;
                // Where the header is malformed, all of it is shown.
                match user_data {
                    Some(user_data) => user_data.text(self.codings),
                    None => whole.text(self.codings),
                }
            }
            Content::Parts(message) => message.text(self.codings),
        }
    }

    /// The octets of all parts that are there, without their headers.
    pub fn octets(&self) -> Vec<u8> {
        match &self.content {
            Content::One(frame) => pdu(frame)
                .and_then(user_data)
                .map(|(whole, user_data)| user_data.unwrap_or(whole).octets.into())
                .unwrap_or_default(),
            Content::Parts(message) => message.octets(),
        }
    }

    /// The PDU as it came, unless the message came in parts.
    pub fn frame(&self) -> Option<&Frame<Vec<u8>>> {
        match &self.content {
            Content::One(frame) => Some(frame),
            Content::Parts(_) => None,
        }
    }

    /// The parts that it came in; none if it came whole.
    pub fn parts(&self) -> impl Iterator<Item = ReceivedSegment<'_>> {
        let message = match &self.content {
            Content::One(_) => None,
            Content::Parts(message) => Some(message),
        };
        message.into_iter().flat_map(sms::ReassembledMessage::segments)
    }

    /// Whether all of it is there. If not, the others have not come in time.
    pub fn is_complete(&self) -> bool {
        match &self.content {
            Content::One(_) => true,
            Content::Parts(message) => message.is_complete(),
        }
    }
}

fn pdu(frame: &Frame<Vec<u8>>) -> Option<Pdu<'_>> {
    frame.pdu(Tolerance(Quirks::all())).ok().map(|(pdu, _)| pdu)
}

fn wide(address: Address<'_>) -> Address<'_, 65> {
    let Address { ton, npi, digits } = address;
    Address { ton, npi, digits: COctets::from_valid(digits.as_bytes()) }
}

/// All of it as it is, and behind its header if that can be read.
fn user_data(pdu: Pdu<'_>) -> Option<(UserData<'_>, Option<UserData<'_>>)> {
    let (esm_class, data_coding, text, user_data) = match pdu {
        Pdu::DeliverSm(message) => {
            (message.esm_class, message.data_coding, message.text(), message.user_data())
        }
        Pdu::DataSm(message) => (message.esm_class, message.data_coding, message.text(), message.user_data()),
        _ => return None,
    };
    let whole = UserData { header: None, octets: text, esm_class, data_coding, segment: None };
    Some((whole, user_data.ok()))
}

impl Inbox {
    pub(super) const fn new(limits: sms::ReassemblyLimits, hold: Duration) -> Self {
        Self { reassembler: Reassembler::new(limits), held: BTreeMap::new(), last: 0, hold }
    }

    fn ack(&mut self, message: &sms::ReassembledMessage<u64>) -> Ack {
        let tokens = message.tags().filter_map(|tag| self.held.remove(tag)).map(|(_, token)| token);
        Ack { tokens: tokens.collect(), about: What::Message(message.identity()) }
    }

    /// When a part is too old, or has waited for its answer for long enough.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let held = self.held.first_key_value().map(|(_, (at, _))| *at + self.hold);
        held.into_iter().chain(self.reassembler.poll_timeout()).min()
    }
}

impl<O: Observer> Account<O> {
    /// Answers what the SMSC has delivered: `Ok` once it is safe with the application, or a status; a temporary one
    /// such as [`RX_T_APPN`](CommandStatus::RX_T_APPN) makes the SMSC keep the message and deliver it again.
    ///
    /// An error if a bind that it came on is gone: the SMSC has seen no answer there, and will deliver it again. What
    /// comes again of a receipt or a message in parts that was taken is answered here, and not told.
    ///
    /// Parts that were answered after [`Options::segment_ack_timeout`](super::Options::segment_ack_timeout) are not delivered again if the message is
    /// refused now: the application has all there will be of them.
    pub fn acknowledge(
        &mut self,
        now: Instant,
        ack: Ack,
        result: Result<(), CommandStatus>,
    ) -> Result<(), Refusal> {
        match &ack.about {
            What::Pdu => {}
            What::Message(whole) => {
                self.untaken = self.untaken.saturating_sub(1);
                if result.is_err() {
                    self.inbox.reassembler.forget_completed(whole);
                }
            }
            What::Receipt(told) => self.ledger.taken(now, *told, result.is_ok()),
        }
        let mut answered = Ok(());
        for token in ack.tokens {
            answered = answered.and(self.reply(now, token, result));
        }
        self.drive(now);
        answered
    }

    fn reply(
        &mut self,
        now: Instant,
        token: Token,
        result: Result<(), CommandStatus>,
    ) -> Result<(), Refusal> {
        let Some(session) = self.session_of(token.link, token.serial) else {
            return Err(Refusal::State(State::Closed));
        };
        session.advance_clock(now);
        match token.reply {
            Answerable::DeliverSm(reply) => session.respond(reply, result.map(|()| DeliverSmResp::default())),
            Answerable::DataSm(reply) => session.respond(reply, result.map(|()| DataSmResp::default())),
        }
    }

    /// A request of the SMSC.
    pub(super) fn requested(
        &mut self,
        now: Instant,
        link: LinkId,
        request: Request<'_>,
        frame: Frame<&[u8]>,
    ) {
        let (pdu, reply) = match request {
            Request::DeliverSm(message, reply) => (Pdu::DeliverSm(message), Answerable::DeliverSm(reply)),
            Request::DataSm(message, reply) => (Pdu::DataSm(message), Answerable::DataSm(reply)),
            other => {
                if let Some(session) = self.session(link) {
                    // If the session has ended, the peer knows that nothing was taken.
                    let _ = session.refuse(other);
                }
                return;
            }
        };
        let Some(serial) = self.serial(link) else { return };
        let token = Token { link, serial, reply };
        let Some(frame) = Frame::new(frame.octets().to_vec()) else { return };
        match self.receipt_in(pdu, &frame) {
            Some((receipt, key)) => self.receipted(now, receipt, key, token),
            None => self.message(now, pdu, frame, token),
        }
    }

    /// The receipt that the PDU carries, and the key of the id in it; without a key if it cannot be read.
    fn receipt_in(
        &self,
        pdu: Pdu<'_>,
        frame: &Frame<Vec<u8>>,
    ) -> Option<(DeliveryReceipt, Option<MessageIdKey>)> {
        let dialect = self.options.receipts.dialect;
        let mut buffer = Vec::new();
        let read = match pdu {
            Pdu::DeliverSm(message) => Receipt::of_with_buffer(&message, dialect.detection, &mut buffer),
            Pdu::DataSm(message) => Receipt::of_with_buffer(&message, dialect.detection, &mut buffer),
            _ => None,
        }?;
        let key = read.ok().map(|receipt| dialect.message_ids.receipt_key(&receipt));
        Some((DeliveryReceipt::new(read.ok(), frame.clone()), key))
    }

    fn receipted(&mut self, now: Instant, receipt: DeliveryReceipt, key: Option<MessageIdKey>, token: Token) {
        let ack = Ack { tokens: alloc::vec![token], about: What::Pdu };
        let Some(key) = key else { return self.tell(Event::Receipt { receipt, about: None, ack }) };
        match self.ledger.matched(now, &receipt, key) {
            // The submit_sm_resp may be on its way.
            Matched::Unknown if self.queue.is_flying(self.queue.last_sent()) => {
                if let Some(early) = self.ledger.keep(self.queue.last_sent(), key, receipt, ack) {
                    self.unmatched(early);
                }
            }
            matched => self.tell_receipt(now, receipt, matched, ack),
        }
    }

    /// A receipt that came before the answer to what it is about.
    pub(super) fn recall(&mut self, now: Instant, early: Early) {
        let Early { key, receipt, ack, .. } = early;
        let matched = self.ledger.matched(now, &receipt, key);
        self.tell_receipt(now, receipt, matched, ack);
    }

    fn tell_receipt(&mut self, now: Instant, receipt: DeliveryReceipt, matched: Matched, ack: Ack) {
        match matched {
            Matched::About(about) => {
                let ack = Ack { about: What::Receipt(Told::new(&about, &receipt)), ..ack };
                self.tell(Event::Receipt { receipt, about: Some(about), ack });
            }
            Matched::Unknown => self.tell(Event::Receipt { receipt, about: None, ack }),
            Matched::Repeated => self.acknowledge_all(now, ack, Ok(())),
            // Nobody knows yet what the answer will be.
            Matched::Untaken => self.acknowledge_all(now, ack, Err(DeliverSm::UNANSWERED)),
        }
    }

    /// A receipt is early for as long as something is in flight that was so when it came.
    pub(super) fn release_early(&mut self) {
        while let Some(last_sent) = self.ledger.earliest()
            && !self.queue.is_flying(last_sent)
            && let Some(early) = self.ledger.pop_early()
        {
            self.unmatched(early);
        }
    }

    fn unmatched(&mut self, Early { receipt, ack, .. }: Early) {
        self.tell(Event::Receipt { receipt, about: None, ack });
    }

    fn acknowledge_all(&mut self, now: Instant, ack: Ack, result: Result<(), CommandStatus>) {
        for token in ack.tokens {
            // If the bind is gone, the SMSC will ask again.
            let _ = self.reply(now, token, result);
        }
    }

    fn message(&mut self, now: Instant, pdu: Pdu<'_>, frame: Frame<Vec<u8>>, token: Token) {
        let codings = self.options.text.codings;
        let one = |frame, token| Event::Message {
            message: InboundMessage { content: Content::One(frame), codings },
            ack: Ack { tokens: alloc::vec![token], about: What::Pdu },
        };
        let Some((_, Some(user_data))) = user_data(pdu) else { return self.tell(one(frame, token)) };
        let inbox = &mut self.inbox;
        inbox.last += 1;
        let tag = inbox.last;
        let pushed = match pdu {
            Pdu::DeliverSm(message) => {
                inbox.reassembler.push(now, message.source, message.destination, &user_data, tag)
            }
            Pdu::DataSm(message) => {
                inbox.reassembler.push(now, message.source, message.destination, &user_data, tag)
            }
            _ => return,
        };
        match pushed {
            Ok(Pushed::Stored { superseded, .. }) => {
                inbox.held.insert(tag, (now, token));
                if let Some(message) = superseded {
                    self.whole(message);
                }
            }
            Ok(Pushed::Complete(message)) => {
                inbox.held.insert(tag, (now, token));
                self.whole(message);
            }
            Ok(Pushed::Duplicate(_)) => {
                // While the answer to the first is held, nobody knows yet what it will be.
                let waits = !inbox.held.is_empty() || self.untaken > 0;
                let result = if waits { Err(DeliverSm::UNANSWERED) } else { Ok(()) };
                let _ = self.reply(now, token, result);
            }
            // There is no room for it now: the SMSC keeps it.
            Err(unkept) if unkept.reason == sms::PushErrorReason::Full => {
                let _ = self.reply(now, token, Err(DeliverSm::UNANSWERED));
            }
            // It is no part; or there will never be room for the others: the application has what there is.
            Ok(Pushed::Standalone(_)) | Err(_) => self.tell(one(frame, token)),
        }
    }

    /// Gives the application what there is of a message in parts.
    fn whole(&mut self, message: sms::ReassembledMessage<u64>) {
        let ack = self.inbox.ack(&message);
        self.untaken += 1;
        let message = InboundMessage { content: Content::Parts(message), codings: self.options.text.codings };
        self.tell(Event::Message { message, ack });
    }

    /// Answers the parts that have waited for long enough, and gives out what will not be completed.
    pub(super) fn handle_inbox_timeout(&mut self, now: Instant) {
        while let Some((&tag, &(at, _))) = self.inbox.held.first_key_value()
            && now - at >= self.inbox.hold
            && let Some((_, token)) = self.inbox.held.remove(&tag)
        {
            // If the bind is gone, the SMSC delivers the part again, and it counts as repeated.
            let _ = self.reply(now, token, Ok(()));
        }
        while let Some(message) = self.inbox.reassembler.handle_timeout(now) {
            self.whole(message);
        }
    }

    /// What is not complete at the end: what was not answered at all the SMSC keeps, of the rest the application gets
    /// what there is.
    pub(super) fn empty_inbox(&mut self, now: Instant) {
        while let Some(message) = self.inbox.reassembler.evict() {
            if message.tags().all(|tag| self.inbox.held.contains_key(tag)) {
                let ack = self.inbox.ack(&message);
                self.acknowledge_all(now, ack, Err(DeliverSm::UNANSWERED));
            } else {
                self.whole(message);
            }
        }
    }
}
