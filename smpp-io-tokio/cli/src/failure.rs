//! Failures that end a subcommand: what failed, what to do about it, and the exit status.

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::process::ExitCode;

use smpp_proto::diagnosis::ReceivedInstead;
use smpp_proto::session::RequestError;
use smpp_proto::{BindMode, CommandStatus, Endpoint};
use smpp_tokio::tls::TlsError;
use smpp_tokio::tls::rustls::{self, CertificateError};
use smpp_tokio::{ConnectError, ConnectErrorKind};

use crate::output::printable;

const RESOLVE_ADVICE: &str = "Check the host name, and that this machine can resolve names.";
const CONNECT_ADVICE: &str = "Check host and port (2775 plain, 2776 TLS) and that no firewall is in the way.";
const TLS_ADVICE: &str = "Check that the port speaks TLS (2776 at 8x8); smpp:// is without TLS.";
const CERTIFICATE_ADVICE: &str = "If the server's certificate authority is your own, name its PEM file with --ca; and use \
                                  the host name that the certificate is for.";

/// A failure that ends the subcommand.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What failed, and where.
    pub(crate) what: String,
    /// What to do; may be empty.
    pub(crate) advice: String,
    status: u8,
}

impl Failure {
    /// Returns a failure caused by the arguments: exit status 2.
    pub(crate) fn usage(what: impl Display, advice: &str) -> Self {
        Self { what: what.to_string(), advice: advice.into(), status: 2 }
    }

    /// Returns any other failure: exit status 1.
    pub(crate) fn failed(what: impl Display, advice: &str) -> Self {
        Self { what: what.to_string(), advice: advice.into(), status: 1 }
    }

    /// Returns the failure of an operation without advice, for `map_err`.
    pub(crate) fn other(what: impl Display) -> Self {
        Self::failed(what, "")
    }

    /// Returns the failure to start the SMSC inside this process.
    pub(crate) fn local_smsc(error: impl Display) -> Self {
        Self::failed(error, "The SMSC inside this process could not be started: give another with --url.")
    }

    /// Returns the failure to listen on an address.
    pub(crate) fn listen(address: &str, error: &io::Error) -> Self {
        let advice = match error.kind() {
            ErrorKind::AddrInUse => {
                "Another program listens there: stop it, or give another port; port 0 means any free one."
            }
            ErrorKind::PermissionDenied => "Give a port from 1024 on: lower ones need a privilege.",
            _ => "Write ADDRESS:PORT with an address of this machine, such as 127.0.0.1:2775.",
        };
        Self::failed(format_args!("cannot listen on {address}: {error}"), advice)
    }

    /// Returns the failure of a bind to this endpoint. `received` is what the server sent instead of a response.
    pub(crate) fn bind(
        endpoint: &Endpoint,
        mode: BindMode,
        received: Option<ReceivedInstead>,
        error: RequestError,
    ) -> Self {
        let advice = match received {
            Some(received) => sentence(received.advice_for_esme()),
            None => bind_advice(&error).into(),
        };
        let detail = ConnectErrorKind::bind(error, received, None).detail();
        let system_id = endpoint.system_id.as_deref().unwrap_or_default();
        let what = format!("the bind_{mode} to {endpoint} as \"{system_id}\" failed: {detail}");
        Self { what, advice, status: 1 }
    }

    /// Prints the failure to the standard error.
    pub(crate) fn print(&self) {
        eprintln!("error: {}", printable(&self.what));
        if !self.advice.is_empty() {
            eprintln!("       {}", self.advice);
        }
    }

    /// Returns the exit status of the process.
    pub(crate) fn exit_code(&self) -> ExitCode {
        self.status.into()
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        let for_programs = error.kind.advice().unwrap_or_default();
        let advice = match &error.kind {
            ConnectErrorKind::Bind(error) => bind_advice(error).into(),
            ConnectErrorKind::Resolve(_) => RESOLVE_ADVICE.into(),
            ConnectErrorKind::Connect(_) => CONNECT_ADVICE.into(),
            ConnectErrorKind::Handshake(_, tls) if tls.certificate_error().is_some_and(is_untrusted) => {
                CERTIFICATE_ADVICE.into()
            }
            ConnectErrorKind::Handshake(_, TlsError::Protocol(rustls::Error::InvalidMessage(_))) => {
                TLS_ADVICE.into()
            }
            _ => sentence(for_programs),
        };
        let text = error.to_string();
        let what = text.strip_suffix(for_programs).unwrap_or(&text).trim_end_matches("; ");
        Self { what: what.into(), advice, status: 1 }
    }
}

/// Returns whether `--ca` may help.
const fn is_untrusted(error: &CertificateError) -> bool {
    matches!(error, CertificateError::UnknownIssuer | CertificateError::Other(_))
}

/// Returns what to do after a response that refuses a bind.
fn bind_advice(error: &RequestError) -> &'static str {
    match error {
        RequestError::Refused { status: CommandStatus::RINVPASWD, .. } => {
            "Check the password: the one in --url or, if that has none, in SMPP_PASSWORD."
        }
        RequestError::Refused { status: CommandStatus::RINVSYSID, .. } => {
            "Check the system_id: at 8x8, the sub-account id."
        }
        RequestError::Refused { status: CommandStatus::RALYBND, .. } => {
            "The account holds all the binds it may (4 at 8x8): end one, or wait until a dead one is noticed."
        }
        RequestError::Refused { .. } => {
            "Check credentials, the provider's address allow-list, and how many binds the account holds."
        }
        RequestError::NeverSent(_) => "",
        _ => "Check that the port speaks SMPP 3.4, and smpp or smpps in the URL.",
    }
}

/// Returns the advice of a library error as a sentence.
fn sentence(advice: &str) -> String {
    let mut letters = advice.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(first.map(|_| '.')).collect()
}

/// Returns the exit status of a subcommand that succeeds, does not succeed, or ends with a failure, which is printed.
pub(crate) fn finish(result: Result<bool, Failure>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            failure.print();
            failure.exit_code()
        }
    }
}
