//! --trace and --pcap: the PDUs of the session.

use std::fs::File;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::SystemTime;

use smpp_proto::Endpoint;
use smpp_proto::pcap::Capture;
use smpp_proto::session::{Direction, Instant, ObservedPdu, Observer};

use super::Arguments;
use crate::failure::Failure;

/// Prints the direction and the header of each PDU.
struct Trace;

impl Observer for Trace {
    fn observe(&mut self, at: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        let arrow = match direction {
            Direction::In => "<-",
            Direction::Out => "->",
        };
        eprintln!("{:>10.6} {arrow} {pdu}", (at - Instant::ZERO).as_secs_f64());
    }
}

impl Arguments {
    /// Creates the file of --pcap, if there is one.
    pub(super) fn capture_file(&self) -> Result<Option<Arc<File>>, Failure> {
        let Some(path) = &self.pcap else { return Ok(None) };
        let file = File::create(path).map_err(|error| {
            Failure::usage(
                format_args!("--pcap {}: {error}", path.display()),
                "Give a file that can be written.",
            )
        })?;
        Ok(Some(Arc::new(file)))
    }

    /// Returns the observer of a session that begins now, with the file of --pcap.
    pub(super) fn observer(
        &self,
        endpoint: &Endpoint,
        file: Option<Arc<File>>,
    ) -> impl Observer + Send + 'static {
        let trace = self.trace.then_some(Trace);
        let capture = file.map(|file| {
            Capture::new(move |octets: &[u8]| {
                if let Err(error) = (&*file).write_all(octets) {
                    eprintln!("--pcap: {error}");
                }
            })
        });
        // The addresses are made up where they are not known; the port is the SMSC's.
        let unknown = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let host = endpoint.host.parse().unwrap_or(unknown);
        let (local, peer) = (SocketAddr::new(unknown, 49152), SocketAddr::new(host, endpoint.port));
        let epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        (trace, capture.map(|capture| capture.stream(local, peer, Direction::Out, epoch)))
    }
}
