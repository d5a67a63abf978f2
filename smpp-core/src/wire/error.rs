//! What was wrong with a body, and where.

use core::fmt;

use nom::error::{ErrorKind, ParseError};

use crate::pdu::{CommandId, CommandStatus};

/// Why a PDU could not be read. The frame around it is intact: the next PDU starts where
/// `command_length` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The command whose body it was.
    pub command: CommandId,
    /// The field, as the specification names it (`source_addr`, `sm_length`).
    pub field: &'static str,
    /// Octets from the first octet of the PDU, header included, to where reading stopped.
    pub offset: usize,
    /// What was wrong there.
    pub kind: DecodeErrorKind,
}

/// What was wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The command is not one this crate knows.
    UnknownCommand,
    /// A request came without its mandatory body.
    MissingBody,
    /// The PDU ends within the field.
    Truncated,
    /// A string without NUL before the end of the PDU.
    Unterminated,
    /// A string longer than its field.
    TooLong,
    /// A length field reaches past the end of the PDU.
    LengthOverrun,
    /// Octets at the end that cannot be a TLV header.
    TlvHeader,
    /// A TLV reaches past the end of the PDU.
    TlvOverrun,
    /// Octets after the end of a PDU that has no body.
    TrailingOctets,
    /// `sequence_number` outside `1..=0x7FFF_FFFF`.
    SequenceRange,
    /// `command_status` other than 0 in a request.
    StatusInRequest,
}

impl DecodeError {
    /// The `command_status` to answer with (SMPP 3.4 §5.1.3).
    pub fn status(&self) -> CommandStatus {
        use DecodeErrorKind as Kind;
        match (self.kind, self.field) {
            (Kind::UnknownCommand, _) => CommandStatus::RINVCMDID,
            (Kind::MissingBody, _) if self.command.is_bind() => CommandStatus::RBINDFAIL,
            (Kind::MissingBody | Kind::TrailingOctets, _) => CommandStatus::RINVCMDLEN,
            (Kind::TlvHeader | Kind::TlvOverrun, _) => CommandStatus::RINVOPTPARSTREAM,
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
            (_, "sm_length") => CommandStatus::RINVMSGLEN,
            (_, "message_id") => CommandStatus::RINVMSGID,
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
            DecodeErrorKind::UnknownCommand | DecodeErrorKind::MissingBody => "the mandatory body is missing",
            DecodeErrorKind::Truncated => "the PDU ends within the field",
            DecodeErrorKind::Unterminated => "no NUL before the end of the PDU",
            DecodeErrorKind::TooLong => "longer than the field allows",
            DecodeErrorKind::LengthOverrun => "reaches past the end of the PDU",
            DecodeErrorKind::TlvHeader => "octets left over that are no TLV header",
            DecodeErrorKind::TlvOverrun => "a TLV reaches past the end of the PDU",
            DecodeErrorKind::TrailingOctets => "octets after a PDU that has no body",
            DecodeErrorKind::SequenceRange => "outside 1..=0x7fffffff",
            DecodeErrorKind::StatusInRequest => "not zero in a request",
        };
        write!(f, "{command}: {field} at octet {offset}: {what}")
    }
}

impl core::error::Error for DecodeError {}

/// The error inside the parsers: small, and with a position that needs no start to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) field: &'static str,
    /// Octets that were left of the PDU.
    pub(crate) left: usize,
    pub(crate) kind: DecodeErrorKind,
}

/// What a parser gives: the rest and the value.
pub(crate) type Parsed<'a, T> = nom::IResult<&'a [u8], T, Fault>;

impl Fault {
    #[cold]
    pub(crate) fn new<'a, T>(field: &'static str, input: &'a [u8], kind: DecodeErrorKind) -> Parsed<'a, T> {
        Err(nom::Err::Error(Self { field, left: input.len(), kind }))
    }

    #[cold]
    pub(crate) fn rename(error: nom::Err<Self>, field: &'static str) -> nom::Err<Self> {
        error.map(|fault| Self { field, ..fault })
    }

    /// Turns the position into an offset within a PDU of `length` octets.
    pub(crate) fn locate(self, command: CommandId, length: usize) -> DecodeError {
        let Self { field, left, kind } = self;
        DecodeError { command, field, offset: length.saturating_sub(left), kind }
    }
}

impl ParseError<&[u8]> for Fault {
    fn from_error_kind(input: &[u8], _: ErrorKind) -> Self {
        Self { field: "", left: input.len(), kind: DecodeErrorKind::Truncated }
    }

    fn append(_: &[u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}
