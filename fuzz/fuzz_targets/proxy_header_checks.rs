//! A header of the PROXY protocol in any octets: it is bounded, its result does not depend on how the octets arrive, and no octet
//! after it is read. Used by the fuzz target and by the replay of its corpus.

use std::net::SocketAddr;

use smpp_common::{HeaderProgress, ProxyProtocol};

const MAX_HEADER: usize = 300;

/// Reads a header, at most `chunk` octets at a time. Returns what it states (`Err` if it is no header, or incomplete), and how many
/// octets were read.
fn read(octets: &[u8], chunk: usize) -> (Result<Option<SocketAddr>, ()>, usize) {
    let mut reader = ProxyProtocol::from_trusted([]).max_header(MAX_HEADER).reader();
    let mut rest = octets;
    loop {
        let space = reader.space();
        assert!(!space.is_empty() && space.len() <= MAX_HEADER);
        let length = space.len().min(chunk).min(rest.len());
        let (next, after) = rest.split_at(length);
        space[..length].copy_from_slice(next);
        rest = after;
        let read = octets.len() - rest.len();
        assert!(read <= MAX_HEADER);
        match reader.advance(length) {
            Ok(HeaderProgress::Complete(stated)) => return (Ok(stated), read),
            Ok(HeaderProgress::Incomplete) if length > 0 => {}
            _ => return (Err(()), read),
        }
    }
}

/// The first octet says how many octets arrive at a time.
pub(crate) fn header(octets: &[u8]) {
    let Some((chunk, octets)) = octets.split_first() else { return };
    let (stated, length) = read(octets, usize::from(*chunk).max(1));
    for chunk in [1, usize::MAX] {
        let (other, other_length) = read(octets, chunk);
        assert_eq!(other, stated);
        assert!(stated.is_err() || other_length == length);
    }
    if stated.is_ok() {
        // The header alone is complete.
        assert_eq!(read(&octets[..length], usize::MAX), (stated, length));
        assert!(read(&octets[..length - 1], usize::MAX).0.is_err());
    }
}
