//! Options that several subcommands share: the account, whom to trust.

use std::env;
use std::path::Path;

use smpp_proto::{Bind, BindMode, COctets, Endpoint, Password};
use smpp_tokio::tls::{self, ClientTls};

use crate::failure::Failure;

/// Parses --url. The password comes from the URL or, if that has none, from SMPP_PASSWORD.
pub(crate) fn endpoint(url: &str) -> Result<Endpoint, Failure> {
    let mut endpoint: Endpoint = url.parse().map_err(|error| {
        Failure::usage(
            format_args!("--url: {error}"),
            "Characters such as @ : / ? # in an id or a password are written %40 %3A %2F %3F %23.",
        )
    })?;
    if endpoint.password.is_none() {
        endpoint.password = env::var("SMPP_PASSWORD").ok();
    }
    Ok(endpoint)
}

/// Returns the system_id of the endpoint.
pub(crate) fn system_id(endpoint: &Endpoint) -> Result<&str, Failure> {
    endpoint.system_id.as_deref().ok_or_else(|| {
        Failure::usage(
            "--url has no SYSTEM_ID",
            "Write it before the host: smpps://SYSTEM_ID@HOST:2776. At 8x8 it is the sub-account id.",
        )
    })
}

/// Returns the bind request of the endpoint's account.
pub(crate) fn bind(endpoint: &Endpoint, mode: BindMode) -> Result<Bind<'_>, Failure> {
    let [system_id, password] =
        [&endpoint.system_id, &endpoint.password].map(|text| text.as_deref().unwrap_or_default().as_bytes());
    let advice = "Use it as the provider gave it.";
    Ok(Bind {
        mode,
        system_id: COctets::new(system_id)
            .map_err(|error| Failure::usage(format_args!("system_id: {error}"), advice))?,
        password: Password::new(password)
            .map_err(|error| Failure::usage(format_args!("password: {error}"), advice))?,
        ..Bind::default()
    })
}

/// Returns the TLS configuration that trusts the authorities of --ca; `None` without --ca.
pub(crate) fn trust(endpoint: &Endpoint, ca: Option<&Path>) -> Result<Option<ClientTls>, Failure> {
    let Some(ca) = ca else { return Ok(None) };
    if !endpoint.tls {
        return Err(Failure::usage("--ca with smpp://, which is without TLS", "Write smpps:// for TLS."));
    }
    let trust = tls::ca_file(ca).map_err(|error| {
        Failure::usage(format_args!("--ca: {error}"), "Give a PEM file with the authority's certificate.")
    })?;
    Ok(Some(trust.into()))
}
