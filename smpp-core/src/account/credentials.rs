//! What the account's binds state, and which credentials the SMSC has accepted.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::options_error::OptionsError;
use crate::pdu::{InterfaceVersion, Npi, Ton};
use crate::tlv::{Tag, Tlv};
use crate::wire::InvalidOctets;

/// The most credentials that an account remembers.
const MAX_KNOWN: usize = 8;

/// The credentials of the account: what each of its binds states (SMPP 3.4 §4.1).
///
/// `Debug` does not show the password and the values of the TLVs.
///
/// ```
/// use smpp_proto::account::Credentials;
/// use smpp_proto::{Npi, Tag, Ton};
///
/// let credentials = Credentials::new("shop", "s3cret")
///     .system_type("VMA")
///     .addr_ton(Ton::NATIONAL)
///     .addr_npi(Npi::ISDN)
///     .address_range("^49")
///     .tlvs(vec![(Tag(0x1500), b"token".to_vec())]);
/// let shown = format!("{credentials:?}");
/// assert!(shown.contains("shop") && !shown.contains("s3cret") && !shown.contains("token"));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credentials {
    /// The name of the ESME: 1 to 15 octets of ASCII, or more with [`Options::bind_quirks`](super::Options::bind_quirks).
    /// At 8x8, the sub-account id.
    pub system_id: String,
    /// The password: at most 8 octets by the specification. A longer one, up to 64 octets, is sent as it is.
    pub password: String,
    /// The kind of ESME: at most 12 octets, or more with [`Options::bind_quirks`](super::Options::bind_quirks); usually
    /// empty.
    pub system_type: String,
    /// The type of number of the addresses that the ESME serves. Default unknown, 0.
    pub addr_ton: Ton,
    /// The numbering plan of the addresses that the ESME serves. Default unknown, 0.
    pub addr_npi: Npi,
    /// The addresses that the ESME serves: at most 40 octets, or more with
    /// [`Options::bind_quirks`](super::Options::bind_quirks); usually empty.
    pub address_range: String,
    /// The TLVs of the bind, tag and value, in this order. The specification defines none. Default none.
    pub tlvs: Vec<(Tag, Vec<u8>)>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tags: Vec<Tag> = self.tlvs.iter().map(|(tag, _)| *tag).collect();
        f.debug_struct("Credentials")
            .field("system_id", &self.system_id)
            .field("system_type", &self.system_type)
            .field("addr_ton", &self.addr_ton)
            .field("addr_npi", &self.addr_npi)
            .field("address_range", &self.address_range)
            .field("tlvs", &tags)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// Creates credentials of a name and a password.
    pub fn new(system_id: impl Into<String>, password: impl Into<String>) -> Self {
        Self { system_id: system_id.into(), password: password.into(), ..Self::default() }
    }

    /// Returns the TLVs of the bind.
    pub(super) fn tlv_list(&self) -> Result<Vec<Tlv<'_>>, OptionsError> {
        let mut tlvs = Vec::new();
        for (tag, value) in &self.tlvs {
            let error = InvalidOctets::TooLong { length: value.len(), limit: 0xFFFF };
            tlvs.push(Tlv::new(*tag, value).ok_or(OptionsError::BindField { field: "a TLV", error })?);
        }
        Ok(tlvs)
    }

    crate::setters! {
        system_id: impl Into<String>,
        password: impl Into<String>,
        system_type: impl Into<String>,
        addr_ton: Ton,
        addr_npi: Npi,
        address_range: impl Into<String>,
        tlvs: impl Into<Vec<(Tag, Vec<u8>)>>,
    }
}

/// Credentials that the account uses or has used.
struct Login {
    number: u64,
    credentials: Credentials,
    interface_version: InterfaceVersion,
    /// Whether the SMSC has accepted a bind with them.
    is_accepted: bool,
}

/// The credentials that the account uses and those that it has used, 8 at most.
pub(super) struct Logins {
    /// The current one is the last.
    known: VecDeque<Login>,
    last_number: u64,
}

impl Logins {
    pub(super) fn new(credentials: &Credentials, interface_version: InterfaceVersion) -> Self {
        let mut logins = Self { known: VecDeque::new(), last_number: 0 };
        logins.select(credentials, interface_version);
        logins
    }

    /// Makes these the current ones.
    pub(super) fn select(&mut self, credentials: &Credentials, interface_version: InterfaceVersion) {
        let is_same =
            |known: &Login| known.credentials == *credentials && known.interface_version == interface_version;
        let known = self.known.iter().position(is_same).and_then(|index| self.known.remove(index));
        let login = known.unwrap_or_else(|| {
            self.last_number += 1;
            Login {
                number: self.last_number,
                credentials: credentials.clone(),
                interface_version,
                is_accepted: false,
            }
        });
        self.known.push_back(login);
        if self.known.len() > MAX_KNOWN {
            self.known.pop_front();
        }
    }

    /// Returns the number of the current ones.
    pub(super) fn current(&self) -> u64 {
        self.known.back().map_or(0, |login| login.number)
    }

    /// Records that the SMSC has accepted a bind with these.
    pub(super) fn accept(&mut self, number: u64) {
        if let Some(login) = self.known.iter_mut().find(|login| login.number == number) {
            login.is_accepted = true;
        }
    }

    /// Returns whether the SMSC has accepted the current credentials before.
    pub(super) fn is_accepted(&self) -> bool {
        let current = self.known.back().map(|login| &login.credentials);
        self.known.iter().any(|login| login.is_accepted && Some(&login.credentials) == current)
    }
}
