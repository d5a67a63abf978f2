//! What travels inside `short_message` and `message_payload`: text, segments and receipts; and [times](time).
//!
//! A PDU carries octets; what they mean is agreed elsewhere. `data_coding` names an [`Alphabet`], the UDHI
//! bit of `esm_class` announces a [user data header](udh), and a delivery receipt is a line of text. Each is
//! a pure function of octets here. A session never looks inside a message, so nothing in it depends on this.
//!
//! Sending a text of any length, one `submit_sm` per segment:
//!
//! ```
//! use smpp_core::sms::{ConcatRef, Text};
//!
//! let text = Text::new("Grüße aus Zürich: 25 € [bar]");
//! for segment in text.segments(ConcatRef::Wide(0x1234))? {
//!     // short_message: segment.as_bytes(), with segment.data_coding() and segment.esm_class()
//!     assert_eq!((segment.number(), segment.total()), (1, 1));
//!     assert_eq!(segment.as_bytes().len(), 31, "three characters take two septets");
//! }
//! # Ok::<(), smpp_core::sms::SegmentError>(())
//! ```
//!
//! Reading what comes back: a receipt if `esm_class` says so, and the submission that it is about.
//!
//! ```
//! use smpp_core::sms::{Detection, MessageIdPolicy, Receipt};
//! use smpp_core::{DeliverSm, EsmClass, MessageState, ShortMessage};
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
//! What people send may come in parts: a [`Reassembler`] puts the [`UserData`] of their PDUs together.

mod alphabet;
mod coding;
mod decode;
mod digest;
pub mod gsm7;
mod message_id;
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
pub use gsm7::{Language, Shifts};
pub use message_id::{IdNotation, MessageIdKey, MessageIdPolicy, NumericIds};
pub use reassemble::{
    MessageIdentity, PushError, PushErrorReason, Pushed, ReassembledMessage, Reassembler, ReassemblyLimits,
    ReceivedSegment,
};
pub use receipt::{Detection, IdSource, Receipt, ReceiptCarrier, ReceiptError};
pub use segment::{Segment, SegmentError, Segments, Submission, Submissions};
pub use segmentation::{Segmentation, TextSize};
pub use text::{Text, TextError, TextOptions};
pub use transliterate::{Replacement, Transliterated, transliterate};
pub use udh::{ConcatRef, Concatenation};
pub use unencodable::Unencodable;
pub use user_data::{MessageReference, SegmentInfo, UserData};
