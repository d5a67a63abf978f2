//! One direction of a TCP connection: puts the octets of its segments in order.

use std::collections::BTreeMap;

/// The largest number of octets held while earlier ones are missing. Above it, the missing ones count as lost.
const LIMIT: usize = 1 << 20;
/// The memory cost of a held segment, besides its octets.
const OVERHEAD: usize = 64;

/// Puts segments in order.
///
/// A position is a sequence number that does not wrap around: its low 32 bits are the sequence number.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    /// The position of the next octet. `None` before the first segment.
    next: Option<u64>,
    /// The sequence number of the first octet.
    first: u32,
    /// The position of the FIN.
    fin: Option<u64>,
    /// The segments that have arrived, by position. They may overlap.
    held: BTreeMap<u64, Vec<u8>>,
    memory: usize,
    ended: bool,
}

/// The next piece of the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// At least one octet.
    Octets(Vec<u8>),
    /// This many octets were never seen.
    Lost(u64),
}

impl Reassembly {
    /// Sets the sequence number of the first octet, unless it is known.
    fn start(&mut self, first: u32) {
        if self.next.is_none() {
            self.first = first;
            self.next = Some((1 << 32) + u64::from(first));
        }
    }

    /// Returns whether a SYN with this first octet opens another connection.
    pub(super) fn is_other(&self, first: u32) -> bool {
        self.next.is_some() && self.first != first
    }

    /// Adds a segment; `sequence` is the number of its first octet. The first segment starts the stream.
    ///
    /// `cut` octets at its end were not captured.
    pub(super) fn segment(&mut self, sequence: u32, octets: &[u8], cut: u32, fin: bool) {
        self.start(sequence);
        let position = self.position(sequence);
        self.hold(position, octets);
        let end = position + octets.len() as u64 + u64::from(cut);
        if fin {
            self.fin.get_or_insert(end);
        }
        if fin || cut > 0 {
            // An empty piece at the end shows which octets before it are missing.
            self.hold(end, &[]);
        }
    }

    /// Ends the stream: missing octets are lost.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Returns whether all octets up to the FIN were returned, or the stream was ended.
    pub(super) fn is_over(&self) -> bool {
        self.ended || self.fin.is_some_and(|fin| self.next >= Some(fin))
    }

    /// Returns the next piece; `None` while it is unknown.
    pub(super) fn piece(&mut self) -> Option<Piece> {
        let next = self.next.as_mut()?;
        while let Some(entry) = self.held.first_entry() {
            let position = *entry.key();
            if position > *next {
                if !self.ended && self.memory <= LIMIT {
                    return None;
                }
                let lost = position - *next;
                *next = position;
                return Some(Piece::Lost(lost));
            }
            let mut octets = entry.remove();
            self.memory -= octets.len() + OVERHEAD;
            // A retransmission repeats known octets.
            let known = octets.len().min((*next - position) as usize);
            octets.drain(..known);
            if !octets.is_empty() {
                *next += octets.len() as u64;
                return Some(Piece::Octets(octets));
            }
        }
        None
    }

    /// Returns the position with this sequence number that is nearest to the next octet.
    fn position(&self, sequence: u32) -> u64 {
        let next = self.next.unwrap_or_default();
        let ahead = sequence.wrapping_sub(next as u32).cast_signed();
        next.saturating_add_signed(ahead.into())
    }

    fn hold(&mut self, position: u64, octets: &[u8]) {
        if self.next >= Some(position + octets.len() as u64) {
            return;
        }
        let held = self.held.entry(position).or_insert_with(|| {
            self.memory += OVERHEAD;
            Vec::new()
        });
        if let Some(more) = octets.get(held.len()..) {
            self.memory += more.len();
            held.extend_from_slice(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream whose first octet has this sequence number.
    fn from(first: u32) -> Reassembly {
        let mut stream = Reassembly::default();
        stream.start(first);
        stream
    }

    /// Returns all available pieces as text; `<n>` for lost octets.
    fn text(stream: &mut Reassembly) -> String {
        let pieces = std::iter::from_fn(|| stream.piece());
        pieces
            .map(|piece| match piece {
                Piece::Octets(octets) => String::from_utf8(octets).unwrap(),
                Piece::Lost(octets) => format!("<{octets}>"),
            })
            .collect()
    }

    #[test]
    fn segments_out_of_order_wait_for_the_missing_one() {
        let mut stream = from(100);
        stream.segment(103, b"def", 0, false);
        stream.segment(106, b"gh", 0, false);
        assert_eq!(text(&mut stream), "");
        stream.segment(100, b"abc", 0, false);
        assert_eq!(text(&mut stream), "abcdefgh");
    }

    #[test]
    fn retransmissions_and_overlaps_are_read_once() {
        let mut stream = from(100);
        stream.segment(100, b"abc", 0, false);
        assert_eq!(text(&mut stream), "abc");
        stream.segment(100, b"abc", 0, false);
        stream.segment(101, b"bcd", 0, false);
        assert_eq!(text(&mut stream), "d");
        stream.segment(106, b"gh", 0, false);
        stream.segment(106, b"ghij", 0, false);
        stream.segment(106, b"g", 0, false);
        stream.segment(107, b"hi", 0, false);
        stream.segment(104, b"efg", 0, false);
        assert_eq!(text(&mut stream), "efghij");
        assert_eq!(stream.memory, 0, "nothing is held any more");
    }

    #[test]
    fn sequence_numbers_wrap_around() {
        let mut stream = from(0xFFFF_FFFE);
        stream.segment(1, b"de", 0, false);
        stream.segment(0xFFFF_FFFE, b"abc", 0, false);
        stream.segment(0xFFFF_FFFE, b"abc", 0, false);
        assert_eq!(text(&mut stream), "abcde");
        // They do not lead before the start.
        let mut stream = from(1);
        stream.segment(0xFFFF_FFFF, b"yzab", 0, false);
        assert_eq!(text(&mut stream), "ab");
    }

    #[test]
    fn a_gap_is_reported_once_it_cannot_be_filled() {
        let mut stream = from(100);
        stream.segment(100, b"a", 0, false);
        stream.segment(103, b"d", 0, false);
        assert_eq!(text(&mut stream), "a");
        stream.end();
        assert_eq!(text(&mut stream), "<2>d");
    }

    #[test]
    fn held_octets_are_bounded() {
        let mut stream = from(0);
        let mut given = 0;
        for sequence in (1..).step_by(1000).take(5000) {
            stream.segment(sequence, &[b'x'; 1000], 0, false);
            given += text(&mut stream).len();
            assert!(stream.memory <= LIMIT + 1000 + OVERHEAD);
        }
        assert_eq!(given, "<1>".len() + 5_000_000);
    }

    #[test]
    fn without_a_syn_the_stream_starts_with_the_first_segment() {
        let mut stream = Reassembly::default();
        stream.segment(7000, b"abc", 0, false);
        assert_eq!(text(&mut stream), "abc");
        assert!(stream.is_other(7001));
        assert!(!stream.is_other(7000), "a SYN again");
    }

    #[test]
    fn the_fin_completes_the_stream_and_shows_what_is_missing() {
        let mut stream = from(100);
        stream.segment(103, b"de", 0, true);
        stream.segment(100, b"ab", 0, false);
        assert_eq!(text(&mut stream), "ab");
        assert!(!stream.is_over());
        stream.segment(102, b"c", 0, false);
        assert_eq!(text(&mut stream), "cde");
        assert!(stream.is_over());

        let mut stream = from(100);
        stream.segment(105, b"", 0, true);
        assert!(!stream.is_over());
        stream.end();
        assert_eq!(text(&mut stream), "<5>");
    }

    #[test]
    fn octets_of_a_segment_that_were_not_captured_are_missing() {
        let mut stream = from(100);
        stream.segment(100, b"abc", 5, true);
        assert_eq!(text(&mut stream), "abc");
        stream.end();
        assert_eq!(text(&mut stream), "<5>");
    }
}
