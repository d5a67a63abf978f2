//! Providers as data: ports, limits and dialects.

use crate::session::Rate;
use crate::sms::Codings;

/// What a provider of SMPP publishes about its service. Define another one as a constant of your own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provider {
    /// The provider's name.
    pub name: &'static str,
    /// The host that clients connect to unless told another.
    pub host: &'static str,
    /// TCP port without TLS.
    pub plain_port: u16,
    /// TCP port with TLS from the first octet.
    pub tls_port: u16,
    /// Binds that one account may hold at once.
    pub max_binds: u16,
    /// Messages that one bind may send.
    pub rate: Rate,
    /// What data_coding 0 and 1 stand for.
    pub codings: Codings,
}

impl Provider {
    /// 8x8, SMPP 3.4: four binds for each sub-account, fifty messages a second for each bind, receipts on any
    /// bind of the account.
    ///
    /// As 8x8 publishes it on <https://developer.8x8.com/connect/docs/smpp-connection>.
    pub const EIGHT_BY_EIGHT: Self = Self {
        name: "8x8",
        host: "smpp.8x8.com",
        plain_port: 2775,
        tls_port: 2776,
        max_binds: 4,
        rate: Rate::per_second(50),
        codings: Codings::GSM7,
    };
}
