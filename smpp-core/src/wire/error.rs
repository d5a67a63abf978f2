//! Decoding errors.

use core::fmt;

use crate::header::{CommandId, CommandStatus};

/// A PDU that cannot be decoded: which field is wrong, where, and why.
///
/// The `command_length` of the PDU is intact, so the next PDU of the stream can be read. A session responds to the
/// PDU with [`status`](Self::status) and stays open.
///
/// ```
/// use smpp_proto::{CommandStatus, DecodeErrorKind, Frame, Tolerance};
/// // A submit_sm whose body ends after service_type.
/// let octets = [0, 0, 0, 17, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 0];
/// let error = Frame::new(octets).expect("one PDU").pdu(Tolerance::LENIENT).expect_err("incomplete");
/// assert_eq!((error.field, error.offset, error.kind), ("source_addr_ton", 17, DecodeErrorKind::Truncated));
/// assert_eq!(error.status(), CommandStatus::RINVSRCTON);
/// assert_eq!(error.to_string(), "submit_sm: source_addr_ton at octet 17: the PDU ends before the end of the field");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeError {
    /// The command of the PDU.
    pub command: CommandId,
    /// The name of the field in the specification, such as `source_addr` or `sm_length`.
    pub field: &'static str,
    /// Where decoding stopped: octets from the first octet of the PDU, header included.
    pub offset: usize,
    /// What is wrong with the field.
    pub kind: DecodeErrorKind,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The crate does not support the `command_id`.
    UnknownCommand,
    /// The mandatory body is missing.
    MissingBody,
    /// The PDU ends before the end of the field.
    Truncated,
    /// A NUL-terminated string has no NUL before the end of the PDU.
    Unterminated,
    /// A string is longer than its field allows.
    TooLong,
    /// A length field reaches past the end of the PDU.
    LengthOverrun,
    /// The last octets of the PDU are not a TLV header.
    TlvHeader,
    /// A TLV reaches past the end of the PDU.
    TlvOverrun,
    /// The value of a TLV has a length that the specification does not allow for its tag.
    TlvLength,
    /// The text in a TLV does not end with NUL.
    TlvUnterminated,
    /// A TLV that the operation requires is missing.
    MissingTlv,
    /// A string that must be ASCII contains an octet above 0x7F.
    NonAscii,
    /// A time is neither empty nor 16 characters in the format of SMPP 3.4 §7.1.
    Time,
    /// Both `short_message` and `message_payload` contain text.
    BothMessageFields,
    /// `dest_flag` is neither 1 nor 2.
    DestFlag,
    /// `number_of_dests` is outside `1..=254`.
    DestinationCount,
    /// Octets follow the end of the PDU. Also the body of an error response that must have none.
    TrailingOctets,
    /// `sequence_number` is outside `1..=0x7FFF_FFFF`.
    SequenceRange,
    /// A request has a `command_status` other than 0.
    StatusInRequest,
}

impl DecodeError {
    /// Returns the `command_status` of the response to the PDU (SMPP 3.4 §5.1.3).
    pub fn status(&self) -> CommandStatus {
        use DecodeErrorKind as Kind;
        match (self.kind, self.field) {
            (Kind::UnknownCommand, _) => CommandStatus::RINVCMDID,
            (Kind::MissingBody, _) if self.command.is_bind() => CommandStatus::RBINDFAIL,
            (Kind::MissingBody | Kind::TrailingOctets, _) => CommandStatus::RINVCMDLEN,
            (Kind::TlvHeader | Kind::TlvOverrun, _) => CommandStatus::RINVOPTPARSTREAM,
            (Kind::TlvLength, _) => CommandStatus::RINVPARLEN,
            (Kind::TlvUnterminated, _) => CommandStatus::RINVOPTPARAMVAL,
            (Kind::MissingTlv, _) => CommandStatus::RMISSINGOPTPARAM,
            (_, "system_id") => CommandStatus::RINVSYSID,
            (_, "password") => CommandStatus::RINVPASWD,
            (_, "system_type") => CommandStatus::RINVSYSTYP,
            (_, "service_type") => CommandStatus::RINVSERTYP,
            (_, "source_addr_ton") => CommandStatus::RINVSRCTON,
            (_, "source_addr_npi") => CommandStatus::RINVSRCNPI,
            (_, "source_addr") => CommandStatus::RINVSRCADR,
            (_, "dest_addr_ton") => CommandStatus::RINVDSTTON,
            (_, "dest_addr_npi") => CommandStatus::RINVDSTNPI,
            (_, "destination_addr") => CommandStatus::RINVDSTADR,
            (_, "esm_class") => CommandStatus::RINVESMCLASS,
            (_, "priority_flag") => CommandStatus::RINVPRTFLG,
            (_, "schedule_delivery_time") => CommandStatus::RINVSCHED,
            (_, "validity_period") => CommandStatus::RINVEXPIRY,
            (_, "registered_delivery") => CommandStatus::RINVREGDLVFLG,
            (_, "replace_if_present_flag") => CommandStatus::RINVREPFLAG,
            (_, "sm_default_msg_id") => CommandStatus::RINVDFTMSGID,
            (_, "sm_length") | (Kind::BothMessageFields, _) => CommandStatus::RINVMSGLEN,
            (_, "message_id") => CommandStatus::RINVMSGID,
            (_, "number_of_dests") => CommandStatus::RINVNUMDESTS,
            (_, "dest_flag") => CommandStatus::RINVDESTFLAG,
            (_, "dl_name") => CommandStatus::RINVDLNAME,
            _ if self.command.is_bind() => CommandStatus::RBINDFAIL,
            _ => CommandStatus::RSYSERR,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { command, field, offset, kind } = self;
        if *kind == DecodeErrorKind::UnknownCommand {
            return write!(f, "command_id {:#010x} is not known", command.0);
        }
        let what = match kind {
            DecodeErrorKind::UnknownCommand => "the command_id is not known",
            DecodeErrorKind::MissingBody => "the mandatory body is missing",
            DecodeErrorKind::Truncated => "the PDU ends before the end of the field",
            DecodeErrorKind::Unterminated => "the string has no NUL before the end of the PDU",
            DecodeErrorKind::TooLong => "the value is longer than the field allows",
            DecodeErrorKind::LengthOverrun => "the length reaches past the end of the PDU",
            DecodeErrorKind::TlvHeader => "the last octets of the PDU are not a TLV header",
            DecodeErrorKind::TlvOverrun => "the TLV reaches past the end of the PDU",
            DecodeErrorKind::TlvLength => "the TLV has a length that its tag does not allow",
            DecodeErrorKind::TlvUnterminated => "the text in the TLV does not end with NUL",
            DecodeErrorKind::MissingTlv => "the TLV is required, but missing",
            DecodeErrorKind::NonAscii => "the string must be ASCII, but contains an octet above 0x7f",
            DecodeErrorKind::Time => "the time is neither empty nor 16 characters as YYMMDDhhmmsstnnp",
            DecodeErrorKind::BothMessageFields => "both message_payload and short_message contain text",
            DecodeErrorKind::DestFlag => "the value is neither 1 nor 2",
            DecodeErrorKind::DestinationCount => "the number is outside 1..=254",
            DecodeErrorKind::TrailingOctets => "octets follow the end of the PDU",
            DecodeErrorKind::SequenceRange => "the number is outside 1..=0x7fffffff",
            DecodeErrorKind::StatusInRequest => "the status of a request must be zero",
        };
        write!(f, "{command}: {field} at octet {offset}: {what}")
    }
}

impl core::error::Error for DecodeError {}

/// A decoding error while its PDU is read. The position counts from the end of the PDU, so that a parser needs
/// only its remaining input to state it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) field: &'static str,
    /// Octets from the position of the fault to the end of the PDU.
    pub(crate) remaining: usize,
    pub(crate) kind: DecodeErrorKind,
}

impl Fault {
    /// Converts the position to an offset within a PDU of `length` octets.
    pub(crate) fn locate(self, command: CommandId, length: usize) -> DecodeError {
        let Self { field, remaining, kind } = self;
        DecodeError { command, field, offset: length.saturating_sub(remaining), kind }
    }
}

/// The error type of the parsers. It has no size, so returning it costs nothing. The
/// [`Reader`](super::reader::Reader) holds the details in a [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ParseFailed;

impl<I> nom::error::ParseError<I> for ParseFailed {
    #[inline]
    fn from_error_kind(_: I, _: nom::error::ErrorKind) -> Self {
        Self
    }

    #[inline]
    fn append(_: I, _: nom::error::ErrorKind, other: Self) -> Self {
        other
    }
}

/// The result of a parser: the remaining input and the value.
pub(crate) type Parsed<'a, T> = nom::IResult<&'a [u8], T, ParseFailed>;
