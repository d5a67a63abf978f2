//! How are long texts and other alphabets sent, how many segments does a text need, and how are long MO messages read?
//!
//! **Short answer.** [`Message::text`] takes any Rust string: the account chooses the alphabet with the fewest
//! segments, sets `data_coding`, splits the text into segments, numbers them, and joins the segments of mobile-originated
//! (MO) messages. To count segments before you send, call [`Text::size`]. [`Options::text`] and
//! [`Options::long_messages`] change the choices.
//!
//! # GSM 7-bit, UCS-2 and `data_coding`
//!
//! | alphabet | `data_coding` | one message | each segment (8-bit reference) | each segment (16-bit reference, `sar_`) |
//! | --- | --- | --- | --- | --- |
//! | GSM 7-bit ([`Alphabet::Gsm7`]) | 0 | 160 characters | 153 | 152 |
//! | Latin-1 ([`Alphabet::Latin1`]) | 3 | 140 | 134 | 133 |
//! | octets ([`Alphabet::Octets`]) | 4 | 140 | 134 | 133 |
//! | UCS-2, sent as UTF-16 ([`Alphabet::Ucs2`]) | 8 | 70 | 67 | 66 |
//!
//! - In GSM 7-bit the characters `^{}\[~]|€` take two places. An emoji takes two places in UCS-2.
//! - A segment never ends inside a character, an escape sequence or a surrogate pair. With the feature `graphemes` of
//!   `smpp-proto` it does not end between a letter and its accent either: `Message::whole_graphemes`.
//! - `data_coding` 0 means "SMSC default alphabet" (SMPP 3.4 §5.2.19). It is a property of your account: ask the
//!   provider. [`Codings`] states what 0 and 1 mean. The default is GSM 7-bit for 0 and ASCII for 1; [`Codings::GSM7`]
//!   means GSM 7-bit for both.
//! - GSM 7-bit travels in SMPP as one septet per octet. For an SMSC that wants packed septets use
//!   [`Alphabet::Gsm7Packed`].
//!
//! ```
//! use smpp_proto::sms::{Alphabet, Codings, TextOptions};
//! use smpp_proto::sms::gsm7::Language;
//!
//! let options = TextOptions::default()
//!     .codings(Codings::GSM7)
//!     .alphabets(&[Alphabet::Gsm7, Alphabet::Latin1, Alphabet::Ucs2]); // the best first
//! assert_eq!(options.text("10 €")?.alphabet(), Alphabet::Gsm7);
//! assert_eq!(options.text("naïve")?.alphabet(), Alphabet::Latin1);
//! assert_eq!(options.text("Привет")?.data_coding(), smpp_proto::DataCoding::UCS2);
//! # let _ = Language::TURKISH;
//! # Ok::<(), smpp_proto::sms::TextError>(())
//! ```
//!
//! The account uses [`Options::text`], which [`Options::new`] takes from the provider. Without UCS-2 in the list a text
//! that does not fit is refused before anything is sent: [`SubmitError::Text`].
//!
//! # Count segments before sending
//!
//! ```
//! use smpp_proto::sms::Text;
//! use smpp_proto::sms::udh::ConcatRef;
//!
//! let size = Text::new("Grüße aus Zürich").size(ConcatRef::Wide(0));
//! assert_eq!((size.segments, size.units), (1, 16));
//! let size = Text::new(&"五".repeat(71)).size(ConcatRef::Wide(0));
//! assert_eq!((size.segments, size.units), (2, 71));
//! ```
//!
//! For the alphabets of your account use its options: `options.text.text("...")?.size(ConcatRef::Wide(0))`. A text has
//! at most 255 segments; a longer one is refused ([`SubmitError::Segments`]).
//!
//! # Replace look-alikes to stay in GSM 7-bit (transliteration)
//!
//! One typographic quote turns a text of 160 characters into three segments of UCS-2. [`transliterate`] replaces such
//! characters and lists what it replaced. It changes what the recipient reads, so nothing calls it for you.
//!
//! ```
//! use smpp_proto::sms::{Alphabet, Text, transliterate};
//! use smpp_proto::sms::gsm7::Shifts;
//!
//! let plain = transliterate("“Olá” – 5 €…", Shifts::NONE);
//! assert_eq!(plain.text, "\"Ola\" - 5 €...");
//! assert_eq!(Text::new(&plain.text).alphabet(), Alphabet::Gsm7);
//! ```
//!
//! # National language tables
//!
//! Turkish, Spanish and Portuguese have tables that replace parts of the GSM alphabet; a user data header names them in
//! each segment (3GPP TS 23.038). List them in [`TextOptions::languages`] only if SMSC and phones support them: others
//! show wrong letters.
//!
//! ```
//! use smpp_proto::sms::{Alphabet, Codings, TextOptions};
//! use smpp_proto::sms::gsm7::Language;
//!
//! let options = TextOptions::default()
//!     .codings(Codings::GSM7)
//!     .alphabets(&[Alphabet::Gsm7, Alphabet::Ucs2])
//!     .languages(&[Language::TURKISH]);
//! assert_eq!(options.text("Dağ")?.alphabet(), Alphabet::Gsm7);
//! # Ok::<(), smpp_proto::sms::TextError>(())
//! ```
//!
//! # How a long message is sent: UDH, `sar_` parameters, `message_payload`
//!
//! | [`Options::long_messages`] | what is sent | when |
//! | --- | --- | --- |
//! | [`Udh16`](smpp_proto::provider::LongMessages::Udh16) (default) | segments with a user data header (UDH), 16-bit reference | most SMSCs |
//! | [`Udh8`](smpp_proto::provider::LongMessages::Udh8) | the same, 8-bit reference: one octet more text | old phones or SMSCs |
//! | [`Sar`](smpp_proto::provider::LongMessages::Sar) | segments with `sar_msg_ref_num`, `sar_total_segments`, `sar_segment_seqnum` (SMPP 3.4 §5.3.2.22 to §5.3.2.24) | if the SMSC asks for it |
//! | [`Payload`](smpp_proto::provider::LongMessages::Payload) | one `submit_sm` with `message_payload` (SMPP 3.4 §5.3.2.32); the SMSC cuts it | if the SMSC asks for it |
//!
//! Each segment counts against the rate and the window, and has its own message id and receipts. If one segment is not
//! accepted, the account does not send the others ([`SegmentNotSentReason::Abandoned`]); those already in flight may be
//! accepted. A message of several segments with national tables or further UDH elements cannot use `Sar`. A peer of version
//! 3.3 reads no TLVs, so `Sar` and `Payload` are refused there
//! ([`NotSentReason::TlvsUnsupported`](crate::NotSentReason::TlvsUnsupported)).
//!
//! The account gives consecutive long messages consecutive references, counted from the low 16 bits of
//! [`Options::seed`]. Unless you set it, the adapter takes a random seed from the system for each account, so that two
//! processes seldom use the same references to the same phone.
//!
//! # Flash messages, binary data, ports: what a message states
//!
//! What a template or a message states about its content is sent, or the message is refused with a [`SubmitError`] that says
//! what to do. Nothing is dropped.
//!
//! ```
//! use smpp_proto::account::Message;
//! use smpp_proto::sms::Text;
//! use smpp_proto::{Address, DataCoding, MessageClass, SubmitSm};
//!
//! let template = SubmitSm { destination: Address::international("6591234567")?, ..SubmitSm::default() };
//! // Shown at once: data_coding 0x10 in GSM 7-bit, 0x18 in UCS-2.
//! let flash = Message::text(&template, "Evacuate now").class(MessageClass::Flash);
//! // The same, stated by the template.
//! let flash = Message::text(&SubmitSm { data_coding: DataCoding(0x10), ..template }, "Evacuate now");
//! // Binary data for an application: WAP push.
//! let wap = SubmitSm { data_coding: DataCoding::GSM_8BIT_CLASS1, ..template };
//! let push = Message::octets(&wap, [0x01, 0x06, 0x01, 0xAE]).ports(9200, 2948);
//! // You choose the alphabet and the data_coding yourself.
//! let ucs2 = Text::ucs2("Hello").with_data_coding(DataCoding(0x19));
//! let prepared = Message::prepared(&template, &ucs2);
//! # let _ = (flash, push, prepared);
//! # Ok::<(), smpp_proto::InvalidOctets>(())
//! ```
//!
//! | `data_coding` of the template | [`Message::text`] | [`Message::octets`] |
//! | --- | --- | --- |
//! | 0 (default) | the account chooses the alphabet | `data_coding` 4 |
//! | `0x10..=0x13`, `0xF0..=0xF3` (a message class) | GSM 7-bit; if that lacks a character, `0x18..=0x1B` of the same class, in UCS-2 | one segment |
//! | 8, `0x18..=0x1B` | UCS-2 | one segment |
//! | 1, 3, 5, ...: others that mean an alphabet | this alphabet, or [`DataCodingError::Unencodable`] | one segment |
//! | 2, 4, `0x14..=0x17`, `0xF4..=0xF7` (binary data) | [`DataCodingError::NotText`] | this `data_coding`, any length |
//!
//! - [`Message::class`] adds a message class to the `data_coding`. Latin-1 and other alphabets cannot have one:
//!   [`DataCodingError::Class`].
//! - [`Message::ports`] and [`Message::header`] add elements to the user data header of each segment. They cannot go with
//!   several segments by `sar_` parameters.
//! - [`Message::prepared`] sends a [`Text`](smpp_proto::sms::Text) with its alphabet, national tables, `data_coding` and
//!   header.
//! - `Message::whole_graphemes` (feature `graphemes`) does not cut a letter from its accent.
//! - A template with a `short_message`, `sm_default_msg_id`, `message_payload`, `sar_` parameters or UDHI beside a text is
//!   refused: [`TemplateField`](smpp_proto::account::TemplateField). So is `replace_if_present_flag` with several segments.
//!
//! [`Message::submit_sm`], [`Message::data_sm`] and [`Message::submit_multi`] send a whole PDU as it is, with the same queue,
//! retries and outcomes.
//!
//! ```no_run
//! use smpp_proto::account::Message;
//! use smpp_proto::{Address, Destination, List, ShortMessage, SubmitMulti};
//!
//! # async fn example(account: &smpp_tokio::account::Account) -> Result<(), Box<dyn std::error::Error>> {
//! let destinations = [
//!     Destination::Sme(Address::international("6591234567")?),
//!     Destination::Sme(Address::international("6591234568")?),
//! ];
//! let multi = SubmitMulti {
//!     destinations: List::new(&destinations)?,
//!     short_message: ShortMessage::new(b"Hello to both")?,
//!     ..SubmitMulti::default()
//! };
//! let sent = account.send(&Message::submit_multi(&multi)).await?;
//! for response in sent.responses() {
//!     for refused in response.unsuccessful() {
//!         println!("{}: {}", refused.destination.digits, refused.error_status_code);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The receipts of a `submit_multi` to several recipients all have the id of the message. The account matches one for each
//! recipient that the SMSC has accepted; the source of the receipt is the recipient. Those of a distribution list come out of
//! [`Arrivals`](crate::account::Arrivals).
//!
//! # Receive long MO messages (reassembly)
//!
//! The account joins the segments of an MO message, by UDH or `sar_` parameters, in any order and across its binds. You
//! get one [`InboundMessage`] through [`Arrivals`](crate::account::Arrivals).
//!
//! ```no_run
//! # fn example(message: smpp_tokio::account::Unacknowledged<smpp_proto::account::InboundMessage>) {
//! let inbound = message.get();
//! match inbound.text() {
//!     Some(text) if inbound.is_complete() => println!("{}: {text}", inbound.source().digits),
//!     Some(text) => println!("{}: incomplete: {text}", inbound.source().digits),
//!     None => println!("not text: {} octets", inbound.octets().len()),
//! }
//! let _ = message.accept();
//! # }
//! ```
//!
//! | limit ([`ReassemblyLimits`], in [`Options::reassembly`]) | default | when it is reached |
//! | --- | --- | --- |
//! | `max_messages_per_sender`: messages of one sender that wait for segments | 50 | the oldest of this sender makes room |
//! | `max_octets_per_sender`: memory of the segments of one sender | 128 KiB | the same; a message that alone is more than the limit is delivered segment by segment |
//! | `max_messages`: messages of all senders that wait for segments | 1,000 | the oldest of all makes room |
//! | `max_octets`: memory of the segments of all senders | 1 MiB | the same |
//! | `max_age`, from the first segment | 10 minutes | you get what there is; `is_complete()` is false |
//! | `duplicate_window`: a message is remembered, from its last segment and from your `accept()` | 2 minutes | a segment that comes later starts a new message |
//!
//! The segments of a message that makes room are refused with `ESME_RX_T_APPN`, so that the SMSC keeps them and sends them
//! again. If one of them was acknowledged before, or if the message comes back and has to make room again, you get what there
//! is, as after `max_age`. The segment that completes a message needs no room.
//!
//! ## When segments are acknowledged
//!
//! The account holds the response to a segment while the others are missing, so that the SMSC keeps it. But many SMSCs send
//! the next segment only after that response. [`Options::segment_ack_mode`] says how long it is held:
//!
//! | [`SegmentAckMode`] | held for | a killed process loses |
//! | --- | --- | --- |
//! | `Adaptive` (default) | 50 ms while the SMSC may wait for the response, otherwise at most [`Options::segment_ack_timeout`] (5 s) | segments that were acknowledged and wait in memory for the others |
//! | `Strict` | at most `segment_ack_timeout` | the same, but only after that time. An SMSC that sends one segment at a time takes 10 s for a message of three segments |
//!
//! The adaptive account learns. An SMSC that has once completed a message while an earlier segment was unacknowledged does
//! not wait, unless it has as many unanswered requests on the bind as ever before and nothing has arrived for 50 ms. An
//! SMSC that sends one segment at a time needs about 0.1 s for a message of three segments. To keep everything at the SMSC
//! with any SMSC, use a session and store each segment before you acknowledge it.
//!
//! At session level use [`Reassembler`](smpp_proto::sms::Reassembler) and [`UserData`](smpp_proto::sms::UserData)
//! yourself.
//!
//! # Other character sets
//!
//! With the feature `charsets` of `smpp-proto` (`cargo add smpp-proto --features charsets`; `graphemes` in the same way),
//! `data_coding` 5, 6, 7, 10, 13 and 14 are read and written too
//! (Shift_JIS, ISO 8859-5, ISO 8859-8, ISO-2022-JP, EUC-JP, EUC-KR).
//!
//! # Blocking crate
//!
//! Texts, segments and reassembly are in `smpp-proto`: they are the same for `smpp-std`.
//!
//! [`Alphabet::Gsm7`]: smpp_proto::sms::Alphabet::Gsm7
//! [`DataCodingError::Class`]: smpp_proto::account::DataCodingError::Class
//! [`DataCodingError::NotText`]: smpp_proto::account::DataCodingError::NotText
//! [`DataCodingError::Unencodable`]: smpp_proto::account::DataCodingError::Unencodable
//! [`Message::class`]: smpp_proto::account::Message::class
//! [`Message::data_sm`]: smpp_proto::account::Message::data_sm
//! [`Message::header`]: smpp_proto::account::Message::header
//! [`Message::ports`]: smpp_proto::account::Message::ports
//! [`Message::prepared`]: smpp_proto::account::Message::prepared
//! [`Message::submit_multi`]: smpp_proto::account::Message::submit_multi
//! [`SubmitError`]: smpp_proto::account::SubmitError
//! [`Alphabet::Gsm7Packed`]: smpp_proto::sms::Alphabet::Gsm7Packed
//! [`Alphabet::Latin1`]: smpp_proto::sms::Alphabet::Latin1
//! [`Alphabet::Octets`]: smpp_proto::sms::Alphabet::Octets
//! [`Alphabet::Ucs2`]: smpp_proto::sms::Alphabet::Ucs2
//! [`Codings`]: smpp_proto::sms::Codings
//! [`Codings::GSM7`]: smpp_proto::sms::Codings::GSM7
//! [`InboundMessage`]: smpp_proto::account::InboundMessage
//! [`Message::octets`]: smpp_proto::account::Message::octets
//! [`Message::submit_sm`]: smpp_proto::account::Message::submit_sm
//! [`Message::text`]: smpp_proto::account::Message::text
//! [`Options::long_messages`]: smpp_proto::account::Options::long_messages
//! [`Options::new`]: smpp_proto::account::Options::new
//! [`Options::reassembly`]: smpp_proto::account::Options::reassembly
//! [`Options::seed`]: smpp_proto::account::Options::seed
//! [`Options::segment_ack_mode`]: smpp_proto::account::Options::segment_ack_mode
//! [`Options::segment_ack_timeout`]: smpp_proto::account::Options::segment_ack_timeout
//! [`Options::text`]: smpp_proto::account::Options::text
//! [`ReassemblyLimits`]: smpp_proto::sms::ReassemblyLimits
//! [`SegmentAckMode`]: smpp_proto::account::SegmentAckMode
//! [`SegmentNotSentReason::Abandoned`]: smpp_proto::account::SegmentNotSentReason::Abandoned
//! [`SubmitError::Segments`]: smpp_proto::account::SubmitError::Segments
//! [`SubmitError::Text`]: smpp_proto::account::SubmitError::Text
//! [`Text::size`]: smpp_proto::sms::Text::size
//! [`TextOptions::languages`]: smpp_proto::sms::TextOptions::languages
//! [`transliterate`]: smpp_proto::sms::transliterate
