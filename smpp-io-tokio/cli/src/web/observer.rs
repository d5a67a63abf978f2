//! Fills the log and the capture from the sessions of the SMSC.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as Clock, SystemTime};

use smpp_proto::Frame;
use smpp_proto::pcap::Capture;
use smpp_proto::session::{Direction, Instant, ObservedPdu, Observer, RejectedPdu, RejectedPduReason};

use super::log::{Log, Recorder};

/// Octets of packets that are kept for the download.
const MAX_CAPTURE: usize = 16 << 20;

type Stream = Box<dyn Observer + Send>;

/// The capture of all sessions: a pcap file with the newest 16 MiB of packets.
#[derive(Clone)]
pub(crate) struct Captures {
    packets: Arc<Mutex<Packets>>,
    /// Opens the capture of a connection: its two ends, and the time of its `Instant::ZERO` since 1970.
    open: Arc<dyn Fn(SocketAddr, SocketAddr, Duration) -> Stream + Send + Sync>,
}

#[derive(Default)]
struct Packets {
    header: Vec<u8>,
    queue: VecDeque<Box<[u8]>>,
    octets: usize,
}

impl Captures {
    pub(crate) fn new() -> Self {
        let packets = Arc::new(Mutex::new(Packets::default()));
        let sink = Arc::clone(&packets);
        // The capture calls it with the header of the file first, then with one packet at a time.
        let capture = Capture::new(move |octets: &[u8]| lock(&sink).push(octets));
        let open = move |local, peer, epoch| -> Stream {
            Box::new(capture.stream(local, peer, Direction::In, epoch))
        };
        Self { packets, open: Arc::new(open) }
    }

    /// Returns the file.
    pub(super) fn file(&self) -> Vec<u8> {
        let packets = lock(&self.packets);
        let mut file = packets.header.clone();
        packets.queue.iter().for_each(|packet| file.extend_from_slice(packet));
        file
    }
}

impl Packets {
    fn push(&mut self, octets: &[u8]) {
        if self.header.is_empty() {
            self.header = octets.to_vec();
            return;
        }
        self.octets += octets.len();
        self.queue.push_back(octets.into());
        while self.octets > MAX_CAPTURE {
            let Some(oldest) = self.queue.pop_front() else { return };
            self.octets -= oldest.len();
        }
    }
}

fn lock(packets: &Mutex<Packets>) -> MutexGuard<'_, Packets> {
    packets.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Captures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Captures").finish_non_exhaustive()
    }
}

/// Observes one session of the SMSC.
pub(crate) struct LogObserver {
    recorder: Recorder,
    /// When the log began.
    start: Clock,
    captures: Captures,
    /// The capture of this session; `None` before its first PDU.
    stream: Option<Stream>,
    local: SocketAddr,
    peer: SocketAddr,
}

impl LogObserver {
    /// Observes the session of `peer`. `start` is when the log began, and `local` an address of the SMSC.
    pub(crate) fn new(
        log: &Arc<Log>,
        captures: &Captures,
        start: Clock,
        local: SocketAddr,
        peer: SocketAddr,
    ) -> Self {
        let recorder = Recorder::new(Arc::clone(log));
        Self { recorder, start, captures: captures.clone(), stream: None, local, peer }
    }
}

impl Observer for LogObserver {
    fn observe(&mut self, at: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        let stream = self.stream.get_or_insert_with(|| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            (self.captures.open)(self.local, self.peer, now.saturating_sub(at - Instant::ZERO))
        });
        stream.observe(at, direction, pdu);
        let ends = match direction {
            Direction::In => (self.peer, self.local),
            Direction::Out => (self.local, self.peer),
        };
        if let Some(frame) = Frame::new(pdu.octets().into_owned()) {
            self.recorder.pdu(self.start.elapsed(), ends, frame);
        }
    }

    fn rejected(&mut self, _: Instant, pdu: RejectedPdu<'_>) {
        let why = pdu.reason().to_string();
        match pdu.reason() {
            // What the peer has sent is no PDU: none was observed before.
            RejectedPduReason::Framing(_) => {
                self.recorder.broken(self.start.elapsed(), (self.peer, self.local), why);
            }
            _ => self.recorder.rejected(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_capture_drops_its_oldest_packets_and_keeps_its_header() {
        let captures = Captures::new();
        assert_eq!(captures.file().len(), 24);
        let packet = vec![7; 1 << 20];
        for _ in 0..20 {
            lock(&captures.packets).push(&packet);
        }
        let file = captures.file();
        assert_eq!(file.len(), 24 + MAX_CAPTURE);
        assert_eq!(file[..4], [0xA1, 0xB2, 0x3C, 0x4D]);
    }
}
