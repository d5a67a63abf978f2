//! The drivers, which perform the steps of a scenario.

pub(crate) mod memory;
pub(crate) mod one_thread;
pub(crate) mod threads;
pub(crate) mod tokio;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use smpp_proto::CommandStatus;
use smpp_proto::session::{CloseReason, RequestError, Response};

/// One session of an ESME, and its peer.
pub(crate) trait Driver {
    fn bind(&mut self);
    fn submit(&mut self);
    fn outcome(&mut self, number: usize) -> Result<Response, RequestError>;
    /// Waits for the next request of the peer, responds to it or drops it, and returns its command and sequence number.
    fn receive(&mut self, answer: Option<Result<(), CommandStatus>>) -> String;
    fn unbind(&mut self);
    fn abort(&mut self);
    fn end(&mut self) -> CloseReason;
    fn peer_sends(&mut self, octets: &[u8]);
    /// Reads the next PDU. Returns `None` at the end of the stream.
    fn peer_reads(&mut self) -> Option<Vec<u8>>;
    fn peer_disconnects(&mut self);
}

/// The peer at the other end of a socket.
pub(crate) struct Peer(TcpStream);

impl Peer {
    const READ_TIMEOUT: Duration = Duration::from_secs(20);

    /// Returns a peer and a connection to it.
    pub(crate) fn connected() -> (Self, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let here = listener.accept().unwrap().0;
        there.set_nodelay(true).unwrap();
        here.set_nodelay(true).unwrap();
        here.set_read_timeout(Some(Self::READ_TIMEOUT)).unwrap();
        (Self(here), there)
    }

    pub(crate) fn send(&mut self, octets: &[u8]) {
        self.0.write_all(octets).unwrap();
    }

    pub(crate) fn read(&mut self) -> Option<Vec<u8>> {
        let mut pdu = vec![0; 4];
        self.0.read_exact(&mut pdu).ok()?;
        let length = u32::from_be_bytes(pdu[..].try_into().unwrap());
        pdu.resize(length as usize, 0);
        self.0.read_exact(&mut pdu[4..]).ok()?;
        Some(pdu)
    }

    pub(crate) fn has_sent(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let sent = self.0.peek(&mut [0; 1]).is_ok();
        self.0.set_nonblocking(false).unwrap();
        sent
    }

    pub(crate) fn cut(&mut self) {
        self.0.shutdown(Shutdown::Both).unwrap();
    }
}
