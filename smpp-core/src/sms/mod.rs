//! Message content: splitting and reassembling long texts, alphabets, delivery receipts, message ids and times.
//!
//! Start from one of these:
//!
//! | to | use |
//! | --- | --- |
//! | send a text of any length | [`Text`], or [`TextOptions`] to choose among more alphabets |
//! | read the text of a PDU | [`UserData`] and [`Codings`] |
//! | reassemble a concatenated message | [`Reassembler`] |
//! | read or write a delivery receipt (DLR) | [`Receipt`] |
//! | find the submitted message of a receipt | [`MessageIdPolicy`] |
//! | avoid UCS-2 for typographic characters | [`transliterate`] |
//! | use validity periods and receipt dates | [`time`] |
//!
//! A session never reads the content of a message, so all of this is independent of it: no function here does I/O or
//! reads a clock. The [`account`](crate::account) module combines both.
//!
//! # Splitting a long text
//!
//! [`Text::segments`] splits a text into segments for one `submit_sm` each. [`Segments::submissions`] returns complete
//! `submit_sm` bodies instead.
//!
//! ```
//! use smpp_proto::sms::Text;
//! use smpp_proto::sms::udh::ConcatRef;
//!
//! let text = Text::new("Grüße aus Zürich: 25 € [bar]");
//! for segment in text.segments(ConcatRef::Wide(0x1234))? {
//!     // short_message: segment.as_bytes(), with segment.data_coding() and segment.esm_class()
//!     assert_eq!((segment.number(), segment.total()), (1, 1));
//!     assert_eq!(segment.as_bytes().len(), 31, "three characters take two septets");
//! }
//! # Ok::<(), smpp_proto::sms::SegmentError>(())
//! ```
//!
//! # Alphabets and data_coding
//!
//! The `data_coding` of a PDU selects an [`Alphabet`]: GSM 7-bit, ASCII, Latin-1, UCS-2, binary data, and with the
//! feature `charsets` all others of SMPP 3.4 §5.2.19. `data_coding` 0 depends on the account: set it in [`Codings`].
//!
//! # National language tables
//!
//! [`Language`](gsm7::Language) and [`Shifts`](gsm7::Shifts) select the Turkish, Spanish and Portuguese tables of the [GSM 7-bit alphabet](gsm7).
//! [`TextOptions::languages`] allows them for a text, and decoding follows the [user data header](udh).
//!
//! # Transliteration
//!
//! [`transliterate`] replaces typographic quotes, dashes and other characters that GSM 7-bit lacks, so that a text does
//! not need UCS-2.
//!
//! # Reassembling concatenated messages
//!
//! A mobile-originated (MO) message may arrive in several segments. A [`Reassembler`] joins the [`UserData`] of their
//! PDUs within limits of memory and time, and detects duplicates.
//!
//! # Delivery receipts
//!
//! [`Receipt::of`] reads the delivery receipt of a `deliver_sm` or `data_sm`, from its text and its TLVs.
//!
//! ```
//! use smpp_proto::sms::{Detection, MessageIdPolicy, Receipt};
//! use smpp_proto::{DeliverSm, EsmClass, MessageState, ShortMessage};
//!
//! let message = DeliverSm {
//!     esm_class: EsmClass::DELIVERY_RECEIPT,
//!     short_message: ShortMessage::new(b"id:2130747826 stat:DELIVRD err:000 Text:Hello")?,
//!     ..DeliverSm::default()
//! };
//! let receipt = Receipt::of(&message, Detection::ByEsmClass).ok_or("not a receipt")??;
//! assert_eq!(receipt.state(), Some(MessageState::DELIVERED));
//! assert!(MessageIdPolicy::HEXADECIMAL_TO_DECIMAL.same(b"7F00A1B2", receipt.id));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Message ids
//!
//! Some SMSCs write the id of a `submit_sm_resp` in another notation in the receipt. A [`MessageIdPolicy`] compares the
//! two, and its keys find the submitted message in a map.

mod alphabet;
mod coding;
mod decode;
mod digest;
pub mod gsm7;
mod message_id;
mod message_id_key;
mod reassemble;
mod receipt;
mod segment;
mod segmentation;
mod splitter;
mod text;
pub mod time;
mod transliterate;
pub mod ucs2;
pub mod udh;
mod unencodable;
mod user_data;

pub use alphabet::Alphabet;
pub use coding::Codings;
pub(crate) use digest::digest;
pub use message_id::{IdFallback, IdNotation, MessageIdPolicy, NumericIds};
pub use message_id_key::MessageIdKey;
pub use reassemble::{
    MessageIdentity, PushError, PushErrorReason, Pushed, ReassembledMessage, Reassembler, ReassemblyLimits,
    ReceivedSegment,
};
pub(crate) use receipt::UsualReceipt;
pub use receipt::{Detection, IdSource, Receipt, ReceiptCarrier, ReceiptError, ReceiptParser};
pub use segment::{Segment, SegmentError, Segments, Submission, Submissions};
pub use segmentation::{Segmentation, TextSize};
pub(crate) use splitter::Source as TextSource;
pub(crate) use text::TextForm;
pub use text::{Text, TextError, TextOptions};
pub use transliterate::{Replacement, Transliterated, transliterate};
pub(crate) use udh::ConcatRef;
pub use unencodable::Unencodable;
pub use user_data::{MessageReference, SegmentInfo, UserData};
