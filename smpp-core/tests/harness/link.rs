//! One direction of a faulty connection.

use std::collections::VecDeque;

use smpp_proto::session::Instant;

use super::rng::Rng;
use super::ticks;

/// The properties of a pipe without faults.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PipeSettings {
    /// The longest latency, in ticks.
    pub(crate) latency: u64,
    /// The largest number of octets accepted, or delivered, at once.
    pub(crate) chunk: usize,
    /// The largest number of octets in transit.
    pub(crate) capacity: usize,
}

#[expect(clippy::struct_excessive_bools, reason = "faults are independent")]
pub(crate) struct Pipe {
    settings: PipeSettings,
    in_transit: VecDeque<(Instant, Vec<u8>)>,
    octets: usize,
    /// When the last accepted octets arrive. Later octets do not overtake them.
    last_arrival: Instant,
    /// When the sender closed the stream, if it has.
    end_time: Option<Instant>,
    /// Accepts no octets.
    pub(crate) stalled: bool,
    /// Accepts octets and delivers none until this fault ends.
    pub(crate) held: bool,
    /// Has a capacity of only 8 octets.
    pub(crate) limited: bool,
    /// Accepts all octets and loses them.
    pub(crate) lossy: bool,
    /// Flips bits.
    pub(crate) corrupting: bool,
}

impl Pipe {
    pub(crate) fn new(settings: PipeSettings, now: Instant) -> Self {
        Self {
            settings,
            in_transit: VecDeque::new(),
            octets: 0,
            last_arrival: now,
            end_time: None,
            stalled: false,
            held: false,
            limited: false,
            lossy: false,
            corrupting: false,
        }
    }

    /// Returns how many octets the pipe accepts now.
    pub(crate) fn capacity(&self) -> usize {
        let capacity = if self.limited { 8 } else { self.settings.capacity };
        if self.stalled || self.end_time.is_some() { 0 } else { capacity - self.octets.min(capacity) }
    }

    /// Accepts some octets from the front. Returns how many, and whether the pipe damaged them.
    pub(crate) fn accept(&mut self, rng: &mut Rng, now: Instant, octets: &[u8]) -> (usize, bool) {
        let accepted = rng.count(self.settings.chunk).min(octets.len()).min(self.capacity());
        if self.lossy || accepted == 0 {
            return (accepted, false);
        }
        let mut chunk = octets[..accepted].to_vec();
        let damaged = self.corrupting && rng.chance(300);
        if damaged {
            let at = rng.index(accepted);
            chunk[at] ^= 1 << rng.index(8);
        }
        self.octets += accepted;
        self.last_arrival = self.last_arrival.max(now + ticks(rng.within(0..=self.settings.latency)));
        self.in_transit.push_back((self.last_arrival, chunk));
        (accepted, damaged)
    }

    /// Puts octets that neither side has sent behind those in transit. Returns false if the pipe takes none now.
    pub(crate) fn inject(&mut self, now: Instant, octets: Vec<u8>) -> bool {
        if self.lossy || self.capacity() == 0 {
            return false;
        }
        self.octets += octets.len();
        self.last_arrival = self.last_arrival.max(now);
        self.in_transit.push_back((self.last_arrival, octets));
        true
    }

    /// Returns when octets arrive next.
    pub(crate) fn arrival(&self) -> Option<Instant> {
        self.in_transit.front().filter(|_| !self.held).map(|(at, _)| *at)
    }

    /// Removes and returns the octets that arrive next.
    pub(crate) fn deliver(&mut self, rng: &mut Rng) -> Vec<u8> {
        let Some((at, mut octets)) = self.in_transit.pop_front() else { return Vec::new() };
        let rest = octets.split_off(rng.count(self.settings.chunk).min(octets.len()));
        if !rest.is_empty() {
            self.in_transit.push_front((at, rest));
        }
        self.octets -= octets.len();
        octets
    }

    /// Closes the stream. Octets in transit still arrive.
    pub(crate) fn finish(&mut self, now: Instant) {
        self.end_time.get_or_insert(now);
    }

    /// Breaks the connection. Octets in transit are lost.
    pub(crate) fn cut(&mut self, now: Instant) {
        self.in_transit.clear();
        self.octets = 0;
        self.finish(now);
    }

    /// Returns when the end of the stream arrives.
    pub(crate) fn end(&self) -> Option<Instant> {
        let whole = self.in_transit.is_empty() && !self.held && !self.lossy;
        self.end_time.filter(|_| whole).map(|at| at.max(self.last_arrival))
    }

    /// Ends all faults except loss and the end of the stream.
    pub(crate) fn heal(&mut self) {
        (self.stalled, self.held, self.limited, self.corrupting) = (false, false, false, false);
    }
}
