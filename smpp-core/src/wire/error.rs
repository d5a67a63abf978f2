//! What was wrong with a body, and where.

use core::fmt;

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
    /// The value of a TLV has a length that its tag does not allow.
    TlvLength,
    /// The text in a TLV lacks its NUL.
    TlvUnterminated,
    /// A TLV that the operation needs is missing.
    MissingTlv,
    /// An octet above 0x7F in a string that is ASCII by the specification.
    NonAscii,
    /// Neither empty nor a time of 16 characters (SMPP 3.4 §7.1).
    Time,
    /// Both `short_message` and `message_payload` hold a text.
    BothMessageFields,
    /// A `dest_flag` other than 1 and 2.
    DestFlag,
    /// `number_of_dests` outside `1..=254`.
    DestinationCount,
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
            DecodeErrorKind::UnknownCommand | DecodeErrorKind::MissingBody => "the mandatory body is missing",
            DecodeErrorKind::Truncated => "the PDU ends within the field",
            DecodeErrorKind::Unterminated => "no NUL before the end of the PDU",
            DecodeErrorKind::TooLong => "longer than the field allows",
            DecodeErrorKind::LengthOverrun => "reaches past the end of the PDU",
            DecodeErrorKind::TlvHeader => "octets left over that are no TLV header",
            DecodeErrorKind::TlvOverrun => "a TLV reaches past the end of the PDU",
            DecodeErrorKind::TlvLength => "a length that the tag does not allow",
            DecodeErrorKind::TlvUnterminated => "text without its NUL",
            DecodeErrorKind::MissingTlv => "needed, and missing",
            DecodeErrorKind::NonAscii => "an octet above 0x7f where ASCII is wanted",
            DecodeErrorKind::Time => "neither empty nor a time of 16 characters",
            DecodeErrorKind::BothMessageFields => "a text here and in short_message",
            DecodeErrorKind::DestFlag => "neither 1 nor 2",
            DecodeErrorKind::DestinationCount => "outside 1..=254",
            DecodeErrorKind::TrailingOctets => "octets after a PDU that has no body",
            DecodeErrorKind::SequenceRange => "outside 1..=0x7fffffff",
            DecodeErrorKind::StatusInRequest => "not zero in a request",
        };
        write!(f, "{command}: {field} at octet {offset}: {what}")
    }
}

impl core::error::Error for DecodeError {}

/// What the specification calls a field: an address has three names, for TON, NPI and digits; a counted field
/// two, for count and content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name {
    parts: &'static [&'static str; 3],
    part: usize,
}

impl Name {
    /// The names of a field of a PDU's struct.
    pub(crate) const fn parts(field: &'static str) -> [&'static str; 3] {
        match field.as_bytes() {
            b"source" => ["source_addr_ton", "source_addr_npi", "source_addr"],
            b"destination" => ["dest_addr_ton", "dest_addr_npi", "destination_addr"],
            b"esme" => ["esme_addr_ton", "esme_addr_npi", "esme_addr"],
            b"address_range" => ["addr_ton", "addr_npi", "address_range"],
            b"short_message" => ["sm_length", "short_message", ""],
            b"destinations" => ["number_of_dests", "dest_flag", ""],
            b"unsuccessful" => ["no_unsuccess", "", ""],
            _ => [field; 3],
        }
    }

    pub(crate) const fn new(parts: &'static [&'static str; 3]) -> Self {
        Self { parts, part: 0 }
    }

    /// The same field's name of this number.
    #[inline]
    pub(crate) const fn part(self, part: usize) -> Self {
        Self { parts: self.parts, part }
    }

    pub(crate) fn get(self) -> &'static str {
        self.parts.get(self.part).copied().unwrap_or_default()
    }
}

/// The error inside the parsers: the position needs no start to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) field: &'static str,
    /// Octets that were left of the PDU.
    pub(crate) left: usize,
    pub(crate) kind: DecodeErrorKind,
}

impl Fault {
    /// Turns the position into an offset within a PDU of `length` octets.
    pub(crate) fn locate(self, command: CommandId, length: usize) -> DecodeError {
        let Self { field, left, kind } = self;
        DecodeError { command, field, offset: length.saturating_sub(left), kind }
    }
}

/// The parsers' error: no value at all, so that it costs nothing on the way up. The [`Reader`](super::Reader)
/// keeps the [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stop;

impl<I> nom::error::ParseError<I> for Stop {
    #[inline]
    fn from_error_kind(_: I, _: nom::error::ErrorKind) -> Self {
        Self
    }

    #[inline]
    fn append(_: I, _: nom::error::ErrorKind, other: Self) -> Self {
        other
    }
}

/// What a parser gives: the rest and the value.
pub(crate) type Parsed<'a, T> = nom::IResult<&'a [u8], T, Stop>;
