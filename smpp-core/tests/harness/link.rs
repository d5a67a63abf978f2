//! One direction of a connection.

use std::collections::VecDeque;

use smpp_core::session::Instant;

use super::rng::Rng;
use super::ticks;

/// One direction of a connection while it is healthy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// The longest latency, in ticks.
    pub(crate) latency: u64,
    /// The most octets taken, or delivered, at once.
    pub(crate) chunk: usize,
    /// The most octets on the way.
    pub(crate) capacity: usize,
}

#[expect(clippy::struct_excessive_bools, reason = "each fault comes and goes by itself")]
pub(crate) struct Pipe {
    way: Way,
    on_the_way: VecDeque<(Instant, Vec<u8>)>,
    octets: usize,
    /// When the last octets that were taken arrive: later ones do not overtake them.
    latest: Instant,
    /// When the stream ends, if it does.
    ends: Option<Instant>,
    pub(crate) stalled: bool,
    pub(crate) held: bool,
    pub(crate) squeezed: bool,
    pub(crate) lossy: bool,
    pub(crate) corrupting: bool,
}

impl Pipe {
    pub(crate) fn new(way: Way, now: Instant) -> Self {
        Self {
            way,
            on_the_way: VecDeque::new(),
            octets: 0,
            latest: now,
            ends: None,
            stalled: false,
            held: false,
            squeezed: false,
            lossy: false,
            corrupting: false,
        }
    }

    /// How many octets it takes now.
    pub(crate) fn room(&self) -> usize {
        let capacity = if self.squeezed { 8 } else { self.way.capacity };
        if self.stalled || self.ends.is_some() { 0 } else { capacity - self.octets.min(capacity) }
    }

    /// Takes some octets off the front. Says how many, and whether it damaged them.
    pub(crate) fn take(&mut self, rng: &mut Rng, now: Instant, octets: &[u8]) -> (usize, bool) {
        let taken = rng.count(self.way.chunk).min(octets.len()).min(self.room());
        if self.lossy || taken == 0 {
            return (taken, false);
        }
        let mut chunk = octets[..taken].to_vec();
        let damaged = self.corrupting && rng.chance(300);
        if damaged {
            let at = rng.index(taken);
            chunk[at] ^= 1 << rng.index(8);
        }
        self.octets += taken;
        self.latest = self.latest.max(now + ticks(rng.within(0..=self.way.latency)));
        self.on_the_way.push_back((self.latest, chunk));
        (taken, damaged)
    }

    /// When octets arrive next.
    pub(crate) fn arrival(&self) -> Option<Instant> {
        self.on_the_way.front().filter(|_| !self.held).map(|(at, _)| *at)
    }

    /// The octets that arrive next.
    pub(crate) fn deliver(&mut self, rng: &mut Rng) -> Vec<u8> {
        let Some((at, mut octets)) = self.on_the_way.pop_front() else { return Vec::new() };
        let rest = octets.split_off(rng.count(self.way.chunk).min(octets.len()));
        if !rest.is_empty() {
            self.on_the_way.push_front((at, rest));
        }
        self.octets -= octets.len();
        octets
    }

    /// No more octets come, but those on the way.
    pub(crate) fn finish(&mut self, now: Instant) {
        self.ends.get_or_insert(now);
    }

    /// No more octets come.
    pub(crate) fn cut(&mut self, now: Instant) {
        self.on_the_way.clear();
        self.octets = 0;
        self.finish(now);
    }

    /// When the end of the stream arrives.
    pub(crate) fn end(&self) -> Option<Instant> {
        let whole = self.on_the_way.is_empty() && !self.held && !self.lossy;
        self.ends.filter(|_| whole).map(|at| at.max(self.latest))
    }

    /// All that can recover does.
    pub(crate) fn heal(&mut self) {
        (self.stalled, self.held, self.squeezed, self.corrupting) = (false, false, false, false);
    }
}
