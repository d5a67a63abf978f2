//! bind_receiver, bind_transmitter, bind_transceiver and their responses (SMPP 3.4 §4.1).

use core::fmt;

use super::{Address, CommandId, CommandStatus, Operation, Pdu, ResponseBody};
use crate::tlv::Tlvs;
use crate::wire::{
    COctets, Emit, Name, Parse, Parsed, Password, Reader, Sink, Watch, octet_field, open_enum, wire_struct,
};

open_enum! {
    /// Which version of the protocol a side speaks (SMPP 3.4 §5.2.4). Up to `0x33`: 3.3 or older. The default
    /// is 3.4.
    pub struct InterfaceVersion(u8) default V3_4 {
        /// SMPP 3.3.
        V3_3 = 0x33,
        /// SMPP 3.4.
        V3_4 = 0x34,
        /// SMPP 5.0.
        V5_0 = 0x50,
    }
}

octet_field! {
    InterfaceVersion = InterfaceVersion, |version: InterfaceVersion| version.0;
}

impl InterfaceVersion {
    /// Whether the side can read TLVs: 3.4 and later.
    pub const fn reads_tlvs(self) -> bool {
        self.0 >= Self::V3_4.0
    }

    /// Returns the version if it is one that exists: 3.3, 3.4 or 5.0. Some peers state 0, 0x03, 0x22 or other values that
    /// name no version; a session treats them like none.
    ///
    /// ```
    /// use smpp_core::InterfaceVersion;
    /// assert_eq!(InterfaceVersion(0x33).known(), Some(InterfaceVersion::V3_3));
    /// assert_eq!(InterfaceVersion(0x22).known(), None);
    /// ```
    pub const fn known(self) -> Option<Self> {
        match self {
            Self::V3_3 | Self::V3_4 | Self::V5_0 => Some(self),
            _ => None,
        }
    }
}

/// `3.4`.
impl fmt::Display for InterfaceVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 >> 4, self.0 & 0xF)
    }
}

/// In which directions a bind carries messages (SMPP 3.4 §2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum BindMode {
    /// Messages and receipts to the ESME: bind_receiver.
    Receiver,
    /// Messages from the ESME: bind_transmitter.
    Transmitter,
    /// Both: bind_transceiver.
    #[default]
    Transceiver,
}

impl BindMode {
    /// The request that binds in this mode.
    pub const fn command(self) -> CommandId {
        match self {
            Self::Receiver => CommandId::BIND_RECEIVER,
            Self::Transmitter => CommandId::BIND_TRANSMITTER,
            Self::Transceiver => CommandId::BIND_TRANSCEIVER,
        }
    }

    /// Whether the ESME may submit.
    pub const fn transmits(self) -> bool {
        matches!(self, Self::Transmitter | Self::Transceiver)
    }

    /// Whether the SMSC may deliver.
    pub const fn receives(self) -> bool {
        matches!(self, Self::Receiver | Self::Transceiver)
    }

    /// The mode of a bind request or response.
    pub(crate) const fn of(command: CommandId) -> Option<Self> {
        match command.response() {
            CommandId::BIND_RECEIVER_RESP => Some(Self::Receiver),
            CommandId::BIND_TRANSMITTER_RESP => Some(Self::Transmitter),
            CommandId::BIND_TRANSCEIVER_RESP => Some(Self::Transceiver),
            _ => None,
        }
    }
}

/// The mode takes no octet of the body: the `command_id` carries it.
impl<'a> Parse<'a> for BindMode {
    type Found = Self;

    #[inline(always)]
    fn find<W: Watch>(reader: &mut Reader<'_, W>, _: Name, input: &'a [u8]) -> Parsed<'a, Self> {
        Ok((input, Self::of(reader.header().command).unwrap_or_default()))
    }
}

impl Emit for BindMode {
    fn emit<S: Sink>(&self, _: &mut S) {}
}

wire_struct! {
    /// A bind request of any mode: who the ESME is (SMPP 3.4 §4.1.1, §4.1.3, §4.1.5).
    pub struct Bind<'a> {
        /// In which directions messages go.
        pub mode: BindMode,
        /// The ESME's name: 1 to 15 octets. At 8x8, the sub-account id.
        pub system_id: COctets<'a, 16>,
        /// Its password.
        pub password: Password<'a>,
        /// The kind of ESME: at most 12 octets, usually empty.
        pub system_type: COctets<'a, 13>,
        /// The version the ESME speaks: 3.4 unless set otherwise.
        pub interface_version: InterfaceVersion,
        /// The addresses the ESME serves, `address_range` being a pattern of at most 40 octets.
        pub address_range: Address<'a, 41>,
        /// Optional parameters: none in the specification; some vendors define their own.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// An SMSC that has connected to an ESME asks it to bind (SMPP 3.4 §4.1.7). It has no response: the ESME
    /// binds, or closes the connection.
    pub struct Outbind<'a> {
        /// The SMSC's name: at most 15 octets.
        pub system_id: COctets<'a, 16>,
        /// Its password.
        pub password: Password<'a>,
        /// Optional parameters: none in the specification.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// The response to a bind (SMPP 3.4 §4.1.2, §4.1.4, §4.1.6). An error response has no body.
    pub struct BindResp<'a> needs [SC_INTERFACE_VERSION] {
        /// The SMSC's name: at most 15 octets.
        pub system_id: COctets<'a, 16>,
        /// `sc_interface_version`, usually.
        pub tlvs: Tlvs<'a>,
    }
}

impl Operation for Bind<'_> {
    type Response<'r> = BindResp<'r>;
    type View<'a> = Bind<'a>;

    const UNANSWERED: CommandStatus = CommandStatus::RBINDFAIL;

    fn command(&self) -> CommandId {
        self.mode.command()
    }

    fn view(pdu: Pdu<'_>) -> Option<Bind<'_>> {
        if let Pdu::Bind(body) = pdu { Some(body) } else { None }
    }
}

impl ResponseBody for BindResp<'_> {
    const BODY_ON_ERROR: bool = false;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_states_version_3_4_unless_told_otherwise() {
        assert_eq!(Bind::default().interface_version.0, 0x34);
        assert!(InterfaceVersion::default().reads_tlvs());
    }
}
