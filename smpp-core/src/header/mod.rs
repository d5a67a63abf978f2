//! The PDU header and the types of its fields (SMPP 3.4 §3.2, §5.1).

mod command;
mod status;
mod version;

pub use command::CommandId;
pub use status::CommandStatus;
pub use version::InterfaceVersion;

/// The number of octets in a PDU header.
pub const HEADER_LENGTH: usize = 16;

/// The `sequence_number` of a PDU, which matches a response to its request (SMPP 3.4 §3.2).
///
/// The specification allows `1..=0x7FFF_FFFF`. A session sends only those; a received PDU may carry any value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct SequenceNumber(pub u32);

impl SequenceNumber {
    /// The first number of a session: 1.
    pub const FIRST: Self = Self(1);
    /// The largest number: [`FIRST`](Self::FIRST) follows it.
    pub const LAST: Self = Self(0x7FFF_FFFF);

    /// Returns the number after this one. 1 follows `0x7FFF_FFFF`.
    #[must_use]
    pub const fn next(self) -> Self {
        if self.0 >= Self::LAST.0 { Self::FIRST } else { Self(self.0 + 1) }
    }

    /// Returns whether the specification allows the number in a request: `1..=0x7FFF_FFFF`.
    pub const fn is_valid(self) -> bool {
        self.0.wrapping_sub(Self::FIRST.0) < Self::LAST.0
    }
}

/// The header of a PDU: its first sixteen octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Header {
    /// `command_length`: the number of octets in the whole PDU, header included.
    pub length: u32,
    /// `command_id`.
    pub command: CommandId,
    /// `command_status`: 0 in requests.
    pub status: CommandStatus,
    /// `sequence_number`.
    pub sequence: SequenceNumber,
}

impl Header {
    /// Reads `command_length command_id command_status sequence_number`, four octets each. Returns `None` if
    /// there are fewer than sixteen octets.
    #[inline]
    pub(crate) fn read(octets: &[u8]) -> Option<Self> {
        let (words, _) = octets.first_chunk::<HEADER_LENGTH>()?.as_chunks();
        let [length, command, status, sequence] = *words else { return None };
        Some(Self {
            length: u32::from_be_bytes(length),
            command: CommandId(u32::from_be_bytes(command)),
            status: CommandStatus(u32::from_be_bytes(status)),
            sequence: SequenceNumber(u32::from_be_bytes(sequence)),
        })
    }

    /// Returns the header of octets that are known to begin with one.
    #[inline]
    pub(crate) fn of(octets: &[u8]) -> Self {
        Self::read(octets).unwrap_or_default()
    }
}
