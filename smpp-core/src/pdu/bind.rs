//! bind_receiver, bind_transmitter, bind_transceiver, their responses, and outbind (SMPP 3.4 §4.1).

use core::fmt;

use super::wire_struct::wire_struct;
use crate::header::{CommandId, InterfaceVersion};
use crate::tlv::Tlvs;
use crate::values::Address;
use crate::wire::{
    COctets, Emit, FieldName, FieldVisitor, Parse, Parsed, Password, Reader, Sink, octet_field,
};

octet_field! {
    InterfaceVersion = InterfaceVersion, |version: InterfaceVersion| version.0;
}

/// The directions in which a bind carries messages (SMPP 3.4 §2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum BindMode {
    /// bind_receiver: the SMSC delivers mobile-originated (MO) messages and delivery receipts to the ESME.
    Receiver,
    /// bind_transmitter: the ESME submits messages.
    Transmitter,
    /// bind_transceiver: both directions. The default.
    #[default]
    Transceiver,
}

impl BindMode {
    /// Returns the `command_id` of the bind request with this mode.
    pub const fn command(self) -> CommandId {
        match self {
            Self::Receiver => CommandId::BIND_RECEIVER,
            Self::Transmitter => CommandId::BIND_TRANSMITTER,
            Self::Transceiver => CommandId::BIND_TRANSCEIVER,
        }
    }

    /// Returns whether the ESME may submit messages.
    pub const fn transmits(self) -> bool {
        matches!(self, Self::Transmitter | Self::Transceiver)
    }

    /// Returns whether the SMSC may deliver messages.
    pub const fn receives(self) -> bool {
        matches!(self, Self::Receiver | Self::Transceiver)
    }

    /// Returns the mode of a bind request or response, and `None` for any other command.
    pub(crate) const fn from_command(command: CommandId) -> Option<Self> {
        match command.response() {
            CommandId::BIND_RECEIVER_RESP => Some(Self::Receiver),
            CommandId::BIND_TRANSMITTER_RESP => Some(Self::Transmitter),
            CommandId::BIND_TRANSCEIVER_RESP => Some(Self::Transceiver),
            _ => None,
        }
    }
}

/// `receiver`, `transmitter` or `transceiver`.
impl fmt::Display for BindMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Receiver => "receiver",
            Self::Transmitter => "transmitter",
            Self::Transceiver => "transceiver",
        })
    }
}

/// The mode is part of the `command_id`, so it takes no octets of the body.
impl<'a> Parse<'a> for BindMode {
    type Located = Self;

    #[inline(always)]
    fn locate<V: FieldVisitor>(
        reader: &mut Reader<'_, V>,
        _: FieldName,
        input: &'a [u8],
    ) -> Parsed<'a, Self> {
        Ok((input, Self::from_command(reader.header().command).unwrap_or_default()))
    }
}

impl Emit for BindMode {
    fn emit<S: Sink>(&self, _: &mut S) {}
}

wire_struct! {
    /// Requests a bind: the ESME logs in to the SMSC (SMPP 3.4 §4.1.1, §4.1.3, §4.1.5).
    ///
    /// ```
    /// use smpp_proto::{Bind, BindMode, COctets, Password};
    /// let bind = Bind {
    ///     mode: BindMode::Transmitter,
    ///     system_id: COctets::new(b"shop")?,
    ///     password: Password::new(b"s3cret")?,
    ///     ..Bind::default()
    /// };
    /// # assert!(bind.mode.transmits());
    /// # Ok::<(), smpp_proto::InvalidOctets>(())
    /// ```
    pub struct Bind<'a> {
        /// The directions in which the bind carries messages.
        pub mode: BindMode,
        /// The account name of the ESME: 1 to 15 octets. At 8x8 it is the sub-account id.
        pub system_id: COctets<'a, 16>,
        /// The password of the account.
        pub password: Password<'a>,
        /// The type of the ESME: at most 12 octets, usually empty.
        pub system_type: COctets<'a, 13>,
        /// The protocol version that the ESME speaks. The default is 3.4.
        pub interface_version: InterfaceVersion,
        /// The addresses that the ESME serves. `address_range` is a pattern of at most 40 octets.
        pub address_range: Address<'a, 41>,
        /// Optional parameters. The specification defines none; some vendors define their own.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// Requests a bind from the ESME after the SMSC connected to it (SMPP 3.4 §4.1.7). It has no response: the ESME
    /// binds or closes the connection.
    pub struct Outbind<'a> {
        /// The name of the SMSC: at most 15 octets.
        pub system_id: COctets<'a, 16>,
        /// The password of the SMSC.
        pub password: Password<'a>,
        /// Optional parameters. The specification defines none.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// The response to a bind (SMPP 3.4 §4.1.2, §4.1.4, §4.1.6). An error response has no body.
    pub struct BindResp<'a> requires [SC_INTERFACE_VERSION] {
        /// The name of the SMSC: at most 15 octets.
        pub system_id: COctets<'a, 16>,
        /// Optional parameters, usually `sc_interface_version`.
        pub tlvs: Tlvs<'a>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_states_version_3_4_by_default() {
        assert_eq!(Bind::default().interface_version.0, 0x34);
        assert!(InterfaceVersion::default().reads_tlvs());
    }
}
