//! Decodes octets to fields and encodes fields to octets. `nom` combinators run on exactly one PDU.
//!
//! Every field type implements [`Parse`] and [`Emit`]. `wire_struct!` in `pdu` puts fields together, so that the
//! layout of a PDU is written once, in wire order (SMPP 3.4 §4).
//!
//! Parsers are small. The compiler inlines them into one function per PDU, which writes the struct once, directly
//! where the caller wants it. Three rules make this possible:
//!
//! - A parser copies no field until all fields were located ([`IntoField`]).
//! - The error type has no size ([`ParseFailed`]).
//! - The fast path ([`FastPath`]) stops at the first deviation from the specification. Only then a second function,
//!   the slow path, reads the PDU again and records which deviations or which error it finds.

mod error;
mod list;
mod name;
mod octet_field;
mod octets;
mod quirks;
mod reader;
mod sink;
mod time;

pub(crate) use crate::open_enum::open_enum;
pub use error::{DecodeError, DecodeErrorKind};
pub(crate) use error::{ParseFailed, Parsed};
pub(crate) use list::{Item, parse_item};
pub use list::{List, ListIter};
pub(crate) use name::{FieldName, field_name};
pub(crate) use octet_field::octet_field;
pub(crate) use octets::check as check_text;
pub use octets::{COctets, InvalidOctets, Octets, Password};
pub use quirks::{Quirks, Tolerance};
pub(crate) use reader::{FastPath, FieldVisitor, IntoField, OctetRef, Parse, Reader, octet, word};
pub(crate) use sink::{Emit, PendingOctets, Sink, SliceSink, WithoutTlvs};
pub use time::Time;
