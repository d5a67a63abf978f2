//! Where `smpp smsc` listens, and the certificate that it reloads.

use std::fmt;
#[cfg(unix)]
use std::io::ErrorKind;
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::unix::fs::FileTypeExt as _;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use smpp_proto::session::Config;
use smpp_tokio::testing::Certificate;
use smpp_tokio::tls::{self, ServerTls};
use smpp_tokio::{Listener, ProxyProtocol};
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Arguments;
use super::events::EventPrinter;
use crate::failure::Failure;

/// Octets that wait for an ESME before no more is read from it: an ESME that never reads costs at most a megabyte.
const MAX_OUTPUT: usize = 128 * 1024;

/// The listeners of the SMSC.
pub(super) struct Listeners {
    /// On Unix sockets, on addresses without TLS, on addresses with TLS.
    pub(super) listeners: Vec<Listener>,
    pub(super) listening: Listening,
}

/// What stays of the listeners while they run. Dropping it removes the files of Unix sockets.
pub(super) struct Listening {
    tls_from: usize,
    sockets: SocketFiles,
    /// The certificate if it was read from files, and the signal to read them again.
    #[cfg(unix)]
    reloaded: Option<(ServerTls, Signal)>,
}

/// Removes the files when it is dropped.
#[derive(Default)]
struct SocketFiles(Vec<PathBuf>);

impl Drop for SocketFiles {
    fn drop(&mut self) {
        for path in &self.0 {
            // Somebody may have removed it.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// An address, and how connections reach it.
pub(super) enum ListenAddress<'a> {
    Ip(SocketAddr, bool),
    Unix(&'a Path),
}

impl ListenAddress<'_> {
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Ip(address, tls) => json!({ "address": address, "tls": tls }),
            Self::Unix(path) => json!({ "unix": path.to_string_lossy(), "tls": false }),
        }
    }
}

impl fmt::Display for ListenAddress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address, false) => address.fmt(f),
            Self::Ip(address, true) => write!(f, "{address} (TLS)"),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

impl Listeners {
    /// Listens where the arguments say.
    pub(super) async fn listen(arguments: &Arguments) -> Result<Self, Failure> {
        let config = Config::default()
            .max_output(MAX_OUTPUT)
            .inactivity_timeout(arguments.rules().dialect.idle_timeout)
            .enquire_link_is_activity(true);
        let proxies = (!arguments.proxy_protocol.is_empty())
            .then(|| ProxyProtocol::from_trusted(arguments.proxy_protocol.iter().copied()));
        let with_proxies = |listener: Listener| match &proxies {
            Some(proxies) => listener.proxy_protocol(proxies.clone()),
            None => listener,
        };
        let (mut listeners, sockets) = (Vec::new(), SocketFiles::default());
        #[cfg(unix)]
        let mut sockets = sockets;
        #[cfg(unix)]
        for path in &arguments.unix {
            listeners.push(with_proxies(listen_unix(path, config)?));
            sockets.0.push(path.clone());
        }
        for address in arguments.listen() {
            listeners.push(with_proxies(listen(&address, config).await?));
        }
        let tls_from = listeners.len();
        #[cfg(unix)]
        let mut reloaded = None;
        if !arguments.tls_listen.is_empty() {
            let tls = server_tls(arguments)?;
            for address in &arguments.tls_listen {
                listeners.push(with_proxies(listen(address, config).await?).tls(tls.clone()));
            }
            #[cfg(unix)]
            if arguments.cert.is_some() {
                reloaded = Some((tls, signal(SignalKind::hangup()).map_err(Failure::other)?));
            }
        }
        let listening = Listening {
            tls_from,
            sockets,
            #[cfg(unix)]
            reloaded,
        };
        Ok(Self { listeners, listening })
    }
}

impl Listening {
    /// Returns where the SMSC listens, from the addresses of its listeners.
    pub(super) fn addresses(&self, local: &[SocketAddr]) -> Vec<ListenAddress<'_>> {
        let unix = self.sockets.0.iter().map(|path| ListenAddress::Unix(path));
        let ip = local.iter().enumerate().skip(self.sockets.0.len());
        unix.chain(ip.map(|(index, address)| ListenAddress::Ip(*address, index >= self.tls_from))).collect()
    }

    /// Reads the files of the certificate again at each SIGHUP. Never returns.
    #[cfg(unix)]
    pub(super) async fn reload(&mut self, arguments: &Arguments, printer: &EventPrinter) {
        if let Some((certificate, hangup)) = &mut self.reloaded {
            while hangup.recv().await.is_some() {
                let error = match server_tls(arguments) {
                    Ok(tls) => {
                        certificate.replace(tls.config());
                        None
                    }
                    Err(failure) => Some(failure.what),
                };
                printer.certificate_reloaded(error.as_deref());
            }
        }
        std::future::pending::<()>().await;
    }

    /// There is no such signal. Never returns.
    #[cfg(not(unix))]
    pub(super) async fn reload(&mut self, _: &Arguments, _: &EventPrinter) {
        std::future::pending::<()>().await;
    }
}

/// Returns the configuration with the certificate of the arguments, or with one made now.
fn server_tls(arguments: &Arguments) -> Result<ServerTls, Failure> {
    if let (Some(cert), Some(key)) = (&arguments.cert, &arguments.key) {
        return tls::server_files(cert, key).map(ServerTls::new).map_err(|error| {
            Failure::other(format_args!("--cert and --key cannot be used for TLS: {error}"))
        });
    }
    let certificate = Certificate::for_localhost().map_err(Failure::other)?;
    if let Some(path) = &arguments.tls_ca {
        std::fs::write(path, certificate.ca_pem())
            .map_err(|error| Failure::other(format_args!("--tls-ca {}: {error}", path.display())))?;
    }
    Ok(certificate.server_tls())
}

async fn listen(address: &str, config: Config) -> Result<Listener, Failure> {
    Listener::bind(address, config).await.map_err(|error| Failure::listen(address, &error))
}

/// Listens on a Unix socket. The socket of a process that has ended is replaced; any other file stays.
#[cfg(unix)]
fn listen_unix(path: &Path, config: Config) -> Result<Listener, Failure> {
    let listener = Listener::bind_unix(path, config).or_else(|error| {
        // Connecting to a file that is no socket is refused, too.
        let is_socket = std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
        let is_left = is_socket
            && UnixStream::connect(path).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused);
        if error.kind() != ErrorKind::AddrInUse || !is_left {
            return Err(error);
        }
        std::fs::remove_file(path)?;
        Listener::bind_unix(path, config)
    });
    listener.map_err(|error| Failure::other(format_args!("cannot listen on {}: {error}", path.display())))
}
