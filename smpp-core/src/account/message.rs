//! The messages that an account sends.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::content::Content;
use super::error::SubmitError;
use super::link::BindId;
use super::message_key::MessageKey;
use super::options::{Options, UnansweredPolicy};
use super::outbound_pdu::{Frames, OutboundPdu, PduTraits, decode, encode};
use super::receipt::ReceiptDestination;
use crate::frame::Frame;
use crate::pdu::{CommandId, DataSm, MessageClass, Pdu, SubmitMulti, SubmitSm};
use crate::provider::ReceiptScope;
use crate::sms::Text;
use crate::sms::udh::{Ports, UserDataHeader, UserDataHeaderBuf};

/// A message to send: a text or octets of any length with a template, or a whole `submit_sm`, `data_sm` or `submit_multi`.
///
/// ```
/// use core::time::Duration;
/// use smpp_proto::account::{Message, Priority};
/// use smpp_proto::{Address, RegisteredDelivery, SubmitSm};
///
/// let template = SubmitSm {
///     source: Address::alphanumeric("8x8")?,
///     destination: Address::international("6591234567")?,
///     registered_delivery: RegisteredDelivery::RECEIPT,
///     ..SubmitSm::default()
/// };
/// let code = Message::text(&template, "Your code is 123456")
///     .priority(Priority::High)
///     .deadline(Duration::from_secs(60));
/// assert!(!format!("{code:?}").contains("123456"), "Debug does not show the text");
/// # Ok::<(), smpp_proto::InvalidOctets>(())
/// ```
#[derive(Clone)]
pub struct Message {
    /// The whole PDU, or the template of the segments.
    pdu: Frame<Vec<u8>>,
    pub(super) traits: PduTraits,
    content: Content,
    pub(super) priority: Priority,
    pub(super) deadline: Option<Duration>,
    pub(super) in_order: bool,
    pub(super) unanswered_policy: Option<UnansweredPolicy>,
    pub(super) key: Option<MessageKey>,
    pub(super) receipt_destination: ReceiptDestination,
    pub(super) bind: Option<BindId>,
}

/// Which messages the account sends first. Within one priority, the older message goes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// After all others, for example newsletters.
    Low,
    /// The usual priority.
    #[default]
    Normal,
    /// Before all others, for example one-time passwords.
    High,
}

impl Message {
    fn new(pdu: &Pdu<'_>, content: Content) -> Self {
        Self {
            pdu: encode(pdu),
            traits: PduTraits::new(pdu),
            content: content.with_template(pdu),
            priority: Priority::default(),
            deadline: None,
            in_order: false,
            unanswered_policy: None,
            key: None,
            receipt_destination: ReceiptDestination::default(),
            bind: None,
        }
    }

    /// Creates a message of one `submit_sm` that is sent as it is.
    pub fn submit_sm(message: &SubmitSm<'_>) -> Self {
        Self::new(&Pdu::SubmitSm(*message), Content::whole())
    }

    /// Creates a message of one `data_sm` that is sent as it is. Its text is in the TLV `message_payload`.
    ///
    /// ```
    /// use smpp_proto::account::Message;
    /// use smpp_proto::{Address, DataSm, Tag, Tlv, Tlvs};
    ///
    /// let tlvs = [Tlv::new(Tag::MESSAGE_PAYLOAD, b"Hello").expect("short enough")];
    /// let message = Message::data_sm(&DataSm {
    ///     destination: Address::international("6591234567")?.into(),
    ///     tlvs: Tlvs::list(&tlvs),
    ///     ..DataSm::default()
    /// });
    /// # let _ = message;
    /// # Ok::<(), smpp_proto::InvalidOctets>(())
    /// ```
    pub fn data_sm(message: &DataSm<'_>) -> Self {
        Self::new(&Pdu::DataSm(*message), Content::whole())
    }

    /// Creates a message of one `submit_multi` that is sent as it is: one text for up to 254 recipients.
    ///
    /// The SMSC accepts it as a whole with one id, and may refuse single recipients:
    /// [`AcceptedResponse::unsuccessful`](crate::session::AcceptedResponse::unsuccessful). The receipts of
    /// several recipients all have that id: the account matches as many as there are recipients that the SMSC has accepted,
    /// each to its recipient if the receipt's source is the address in the message. Each counts as a segment:
    /// [`ReceiptMatch::segment`](super::ReceiptMatch::segment), [`ReceiptOptions`](super::ReceiptOptions).
    ///
    /// The account matches no receipts of a distribution list, and of several recipients none if the provider has one receipt
    /// for each message ([`ReceiptScope::Message`]): [`NoMoreReceipts::ToArrivals`](super::NoMoreReceipts::ToArrivals).
    pub fn submit_multi(message: &SubmitMulti<'_>) -> Self {
        Self::new(&Pdu::SubmitMulti(*message), Content::whole())
    }

    /// Creates a message with a text of any length. The account chooses the alphabet and the `data_coding`, and splits the
    /// text into segments.
    ///
    /// The template states everything else, and may state more about the text:
    ///
    /// | `data_coding` of the template | the text is sent |
    /// | --- | --- |
    /// | 0 (default) | in the alphabet of [`Options::text`](super::Options::text) that needs the fewest segments |
    /// | with a message class: `0x10`, `0xF1`, ... | in GSM 7-bit, or if that lacks a character with `0x18..=0x1B` in UCS-2 of the same class |
    /// | `0x18..=0x1B`, 8 | in UCS-2 |
    /// | 1, 3, and others that mean an alphabet | in this alphabet |
    /// | of binary data, or reserved | not: [`DataCodingError`](super::DataCodingError) |
    ///
    /// A template that describes another content is refused when the message is submitted: one with a `short_message`, a
    /// `sm_default_msg_id`, a `message_payload`, sar_ parameters or UDHI ([`TemplateField`](super::TemplateField)). A
    /// `replace_if_present_flag` is sent with a text of one segment, and refused with several.
    ///
    /// ```
    /// use smpp_proto::SubmitSm;
    /// use smpp_proto::account::Message;
    ///
    /// let template = SubmitSm::default();
    /// let message = Message::text(&template, "Your code is 123456");
    /// # let _ = message;
    /// ```
    pub fn text(template: &SubmitSm<'_>, text: impl Into<String>) -> Self {
        Self::new(&Pdu::SubmitSm(*template), Content::text(text.into()))
    }

    /// Creates a message with eight-bit data of any length. It is split into segments like a text.
    ///
    /// It is sent with the `data_coding` of the template, or with [`OCTETS`](crate::DataCoding::OCTETS) if that is 0. If the
    /// `data_coding` means an alphabet, the octets must fit into one segment. The template is checked as by
    /// [`text`](Self::text).
    pub fn octets(template: &SubmitSm<'_>, octets: impl Into<Vec<u8>>) -> Self {
        Self::new(&Pdu::SubmitSm(*template), Content::octets(octets.into()))
    }

    /// Creates a message with a text whose alphabet, national language tables, `data_coding` and user data header the caller
    /// has chosen. It is sent like that, in as many segments as it needs.
    ///
    /// The `data_coding` of the template is 0, or that of the text. The template is checked as by [`text`](Self::text).
    ///
    /// ```
    /// use smpp_proto::account::Message;
    /// use smpp_proto::sms::TextOptions;
    /// use smpp_proto::sms::gsm7::Language;
    /// use smpp_proto::SubmitSm;
    ///
    /// let options = TextOptions::default().languages(&[Language::TURKISH]);
    /// let message = Message::prepared(&SubmitSm::default(), &options.text("Dağ")?);
    /// # let _ = message;
    /// # Ok::<(), smpp_proto::sms::TextError>(())
    /// ```
    pub fn prepared(template: &SubmitSm<'_>, text: &Text<'_>) -> Self {
        Self::new(&Pdu::SubmitSm(*template), Content::prepared(text))
    }

    /// Sets the message class: where the phone shows and stores the message. [`MessageClass::Flash`] shows it at once.
    ///
    /// The `data_coding` states the class: `0x10..=0x1B`, or the value of the template if that states the same class. A
    /// text is sent in GSM 7-bit or UCS-2 then. Other alphabets cannot have a class:
    /// [`DataCodingError::Class`](super::DataCodingError::Class).
    ///
    /// ```
    /// use smpp_proto::account::Message;
    /// use smpp_proto::{MessageClass, SubmitSm};
    ///
    /// let flash = Message::text(&SubmitSm::default(), "Leave the building").class(MessageClass::Flash);
    /// # let _ = flash;
    /// ```
    #[must_use]
    #[doc(alias = "flash")]
    pub fn class(mut self, class: MessageClass) -> Self {
        self.content.class = Some(class);
        self
    }

    /// Adds application ports to the user data header of each segment (3GPP TS 23.040 §9.2.3.24.3, §9.2.3.24.4): the port of
    /// the sending application, and that of the receiving one.
    ///
    /// ```
    /// use smpp_proto::account::Message;
    /// use smpp_proto::{DataCoding, SubmitSm};
    ///
    /// // WAP push.
    /// let template = SubmitSm { data_coding: DataCoding::GSM_8BIT_CLASS1, ..SubmitSm::default() };
    /// let push = Message::octets(&template, [0x01, 0x06, 0x01, 0xAE]).ports(9200, 2948);
    /// # let _ = push;
    /// ```
    #[must_use]
    #[doc(alias = "UDH")]
    pub fn ports(self, source: u16, destination: u16) -> Self {
        let mut ports = UserDataHeaderBuf::new();
        // One element always fits.
        let _ = ports.push_ports(Ports { destination, originator: source });
        self.header(ports.as_header())
    }

    /// Adds elements to the user data header of each segment, behind those that it has. Up to 115 octets of elements are
    /// sent: [`SegmentError::HeaderTooLong`](crate::sms::SegmentError::HeaderTooLong).
    ///
    /// The account writes the elements of concatenation and national language tables itself.
    ///
    /// ```
    /// use smpp_proto::SubmitSm;
    /// use smpp_proto::account::Message;
    /// use smpp_proto::sms::udh::{Element, UserDataHeaderBuf};
    ///
    /// let mut header = UserDataHeaderBuf::new();
    /// header.push(Element { id: Element::REPLY_ADDRESS, data: &[0x91, 0x56] })?;
    /// let message = Message::text(&SubmitSm::default(), "Hello").header(header.as_header());
    /// # let _ = message;
    /// # Ok::<(), smpp_proto::sms::udh::HeaderFull>(())
    /// ```
    #[must_use]
    #[doc(alias = "UDH")]
    pub fn header(mut self, elements: UserDataHeader<'_>) -> Self {
        self.content.header.extend_from_slice(elements.as_bytes());
        self
    }

    /// Splits the text only between grapheme clusters: see [`Text::whole_graphemes`].
    #[cfg(feature = "graphemes")]
    #[must_use]
    pub fn whole_graphemes(mut self) -> Self {
        self.content.whole_graphemes = true;
        self
    }

    /// Sets the priority. Default [`Priority::Normal`].
    #[must_use]
    pub fn priority(self, priority: Priority) -> Self {
        Self { priority, ..self }
    }

    /// Limits how long the message waits to be sent, from when the account accepted it. A segment that is in flight at
    /// the deadline still gets its response, and is not resent. Default no deadline.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// Sends the message in order with the other in-order messages to the same destination, regardless of their
    /// priorities: each ends before the next is sent. It costs a round trip for each message.
    #[must_use]
    pub fn in_order(self) -> Self {
        Self { in_order: true, ..self }
    }

    /// Sets what the account does about a segment that was sent and got no response, instead of
    /// [`Options::unanswered_policy`].
    #[must_use]
    pub fn unanswered_policy(self, policy: UnansweredPolicy) -> Self {
        Self { unanswered_policy: Some(policy), ..self }
    }

    /// Sets the caller's own key of the message, at most [`MessageKey::MAX_OCTETS`] (64). The account returns it with the
    /// outcome, with each receipt and with whatever else it reports about the message. Default none.
    ///
    /// With a longer key the account does not accept the message: [`SubmitError::KeyTooLong`].
    #[must_use]
    pub fn key(self, key: impl Into<Vec<u8>>) -> Self {
        Self { key: Some(MessageKey::new(key.into())), ..self }
    }

    /// Sets where an adapter passes the receipts of the message. Default [`ReceiptDestination::Sent`]. A program that
    /// stores receipts sets [`ReceiptDestination::Arrivals`]: no receipt is then acknowledged before it is stored.
    #[must_use]
    pub fn receipts_to(self, receipt_destination: ReceiptDestination) -> Self {
        Self { receipt_destination, ..self }
    }

    /// Sends the message on this bind and on no other, as an answer within a USSD session requires:
    /// [`InboundMessage::bind`](super::InboundMessage::bind) says on which bind the question came. Default: the bind with the
    /// most free capacity.
    ///
    /// If the bind ends before a segment was sent, the segment ends with
    /// [`SegmentNotSentReason::BindEnded`](super::SegmentNotSentReason::BindEnded). A bind that receives only cannot send:
    /// then no segment is sent.
    ///
    /// ```
    /// use smpp_proto::account::{Account, InboundMessage, Message, MessageNumber, SubmitError};
    /// use smpp_proto::session::Instant;
    /// use smpp_proto::SubmitSm;
    ///
    /// /// Answers a USSD request.
    /// fn answer(
    ///     account: &mut Account,
    ///     now: Instant,
    ///     request: &InboundMessage,
    ///     template: &SubmitSm<'_>,
    /// ) -> Result<MessageNumber, SubmitError> {
    ///     account.submit(now, &Message::text(template, "1. Balance").bind(request.bind()))
    /// }
    /// ```
    #[must_use]
    pub fn bind(self, bind: BindId) -> Self {
        Self { bind: Some(bind), ..self }
    }

    /// Returns the key, if it has one.
    pub const fn message_key(&self) -> Option<&MessageKey> {
        self.key.as_ref()
    }

    /// Returns the PDU that the message was made from: the template of a text, or the whole PDU.
    pub fn pdu(&self) -> Pdu<'_> {
        decode(&self.pdu)
    }

    /// Returns the operation that sends the message.
    pub(super) const fn command(&self) -> CommandId {
        self.traits.command
    }

    /// Returns whether the message requests delivery receipts, final or intermediate (SMPP 3.4 §5.2.17).
    pub const fn asks_for_receipts(&self) -> bool {
        self.traits.asks_for_receipts()
    }

    /// Returns whether the account matches the receipts of the message: see [`PduTraits::receipts_of_each`].
    pub(super) const fn has_matched_receipts(&self, scope: ReceiptScope) -> bool {
        self.traits.receipts_of_each(scope) > 0
    }

    /// Returns the key of the recipients: see [`OutboundPdu::recipients_key`].
    pub(super) fn recipients_key(&self) -> Box<[u8]> {
        OutboundPdu::decode(self.pdu.octets()).recipients_key()
    }

    /// Splits the message into segments, and adds a PDU for each to `frames`, which is empty.
    pub(super) fn encode(
        &self,
        options: &Options,
        reference: u16,
        frames: &mut Frames,
    ) -> Result<(), SubmitError> {
        self.content.encode(&self.pdu, options, reference, frames)
    }
}

/// Omits addresses and text.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("key", &self.key)
            .field("priority", &self.priority)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
