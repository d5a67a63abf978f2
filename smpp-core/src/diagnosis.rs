//! Says what a peer sent instead of SMPP, and what to check.
//!
//! Many failures of a first bind have one cause: the other side is no SMSC, or expects TLS. The functions here name it from the
//! first octets that arrived. A session applies them: see [`Session::diagnose_bind`](crate::session::Session::diagnose_bind)
//! and the text of [`FramingError`](crate::FramingError).
//!
//! ```
//! use smpp_proto::diagnosis::ReceivedInstead;
//!
//! let received = ReceivedInstead::from_first_octets(*b"HTTP");
//! assert_eq!(received, ReceivedInstead::Http);
//! println!("{received}; {}", received.advice_for_esme());
//! ```

use core::fmt;

use crate::pdu::CommandStatus;

/// What a peer sent instead of a bind or a bind response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceivedInstead {
    /// No octet.
    Nothing,
    /// Octets of HTTP: a browser, a health check, a web server, an HTTP API or a proxy.
    Http,
    /// A TLS record, although the connection is without TLS.
    Tls,
    /// Octets of another protocol.
    OtherProtocol,
    /// A `command_length` that is impossible or above the limit: SMPP, but damaged or too long.
    InvalidLength,
    /// The beginning of a PDU, and not its rest.
    IncompletePdu,
    /// SMPP PDUs, none of which is the bind or its response.
    OtherPdus,
}

impl ReceivedInstead {
    /// Names the protocol of a stream whose first octets are no valid `command_length`.
    pub const fn from_first_octets(octets: [u8; 4]) -> Self {
        match &octets {
            b"HTTP" | b"GET " | b"POST" | b"HEAD" | b"PUT " | b"DELE" | b"OPTI" | b"CONN" | b"TRAC"
            | b"PATC" | b"PRI " | b"<htm" | b"<HTM" | b"<!DO" | b"<!do" => Self::Http,
            // Alert or handshake, of SSL 3.0 to TLS 1.3.
            [0x15 | 0x16, 3, 0..=4, _] => Self::Tls,
            [0, ..] => Self::InvalidLength,
            _ => Self::OtherProtocol,
        }
    }

    /// Returns what the user of an ESME can check.
    pub const fn advice_for_esme(self) -> &'static str {
        match self {
            Self::Nothing => {
                "check that an SMSC listens on this port, whether it expects TLS (smpps://), and its IP allow-list"
            }
            Self::Http => {
                "check the port: this is that of a web server, an HTTP API or a proxy, not of an SMSC"
            }
            Self::Tls => "connect by smpps:// to this port, or to the plain port",
            Self::OtherProtocol => "check the port: no SMSC answers there",
            Self::InvalidLength => {
                "the SMSC counts command_length wrong, or sends longer PDUs than max_pdu allows: raise max_pdu if so"
            }
            Self::IncompletePdu => "check that an SMSC for SMPP 3.4 listens on this port",
            Self::OtherPdus => {
                "check the bind mode, and whether the SMSC echoes the sequence number and the command of a request"
            }
        }
    }

    /// Returns what the operator of an SMSC can check.
    pub const fn advice_for_smsc(self) -> &'static str {
        match self {
            Self::Nothing => {
                "check the client: it connected and sent no bind, as a port scan or a health check does"
            }
            Self::Http => {
                "check the client: a browser, a health check or an HTTP client uses the port of SMPP"
            }
            Self::Tls => {
                "let the client connect without TLS (smpp://) or to the TLS port, or configure TLS here"
            }
            Self::OtherProtocol => "check the client: it does not speak SMPP",
            Self::InvalidLength => {
                "the client counts command_length wrong, or sends longer PDUs than max_pdu allows: raise max_pdu if so"
            }
            Self::IncompletePdu => "check the client: its PDU is shorter than its command_length",
            Self::OtherPdus => "let the client bind before it sends other requests",
        }
    }
}

impl fmt::Display for ReceivedInstead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "the peer sent nothing",
            Self::Http => "the peer sent HTTP, not SMPP",
            Self::Tls => "the peer sent TLS on a connection without TLS",
            Self::OtherProtocol => "the peer sent octets that are not SMPP",
            Self::InvalidLength => "the peer sent an invalid command_length",
            Self::IncompletePdu => "the peer sent only the beginning of a PDU",
            Self::OtherPdus => "the peer sent SMPP PDUs, but none for this bind",
        })
    }
}

/// Returns what the user of an ESME can do if the SMSC refuses its bind with this status.
pub const fn refused_bind_advice(status: CommandStatus) -> &'static str {
    match status {
        CommandStatus::RINVPASWD => "check the password",
        CommandStatus::RINVSYSID => "check the system_id",
        CommandStatus::RALYBND => {
            "the account has reached its number of binds: end one, or wait until the SMSC has closed an old one"
        }
        _ => "check system_id, password and whether the account may connect from this address",
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn the_first_octets_name_the_protocol() {
        let cases = [
            (*b"HTTP", ReceivedInstead::Http),
            (*b"GET ", ReceivedInstead::Http),
            (*b"POST", ReceivedInstead::Http),
            (*b"PRI ", ReceivedInstead::Http),
            (*b"<htm", ReceivedInstead::Http),
            // ClientHello, of TLS 1.0 to 1.3, and an alert.
            ([0x16, 3, 1, 2], ReceivedInstead::Tls),
            ([0x16, 3, 3, 0], ReceivedInstead::Tls),
            ([0x15, 3, 3, 0], ReceivedInstead::Tls),
            // No version of TLS, and no type of a record.
            ([0x16, 3, 5, 0], ReceivedInstead::OtherProtocol),
            ([0x16, 2, 3, 0], ReceivedInstead::OtherProtocol),
            ([0x14, 3, 3, 0], ReceivedInstead::OtherProtocol),
            (*b"SSH-", ReceivedInstead::OtherProtocol),
            (*b"GETA", ReceivedInstead::OtherProtocol),
            ([0, 0, 0, 15], ReceivedInstead::InvalidLength),
            ([0, 1, 0x11, 0x70], ReceivedInstead::InvalidLength),
        ];
        for (octets, expected) in cases {
            assert_eq!(ReceivedInstead::from_first_octets(octets), expected, "{octets:x?}");
        }
    }

    #[test]
    fn each_text_and_each_advice_differs_from_the_others() {
        let all = [
            ReceivedInstead::Nothing,
            ReceivedInstead::Http,
            ReceivedInstead::Tls,
            ReceivedInstead::OtherProtocol,
            ReceivedInstead::InvalidLength,
            ReceivedInstead::IncompletePdu,
            ReceivedInstead::OtherPdus,
        ];
        for (index, one) in all.into_iter().enumerate() {
            assert_ne!(one.advice_for_esme(), one.advice_for_smsc());
            for other in all.into_iter().skip(index + 1) {
                assert_ne!(one.to_string(), other.to_string());
                assert_ne!(one.advice_for_esme(), other.advice_for_esme());
                assert_ne!(one.advice_for_smsc(), other.advice_for_smsc());
            }
        }
    }
}
