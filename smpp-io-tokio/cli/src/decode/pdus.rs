//! Splits the octets of one stream into PDUs.

use smpp_proto::{CommandId, Frame, FramingError, frame};

/// The octets that show whether a header is plausible: `command_length` and `command_id`.
pub(super) const PLAUSIBLE: usize = 8;

/// Returns whether a PDU may begin here: its length is possible, and its command is known.
pub(super) fn is_plausible(octets: &[u8], max_pdu: usize) -> bool {
    let Some([l0, l1, l2, l3, c0, c1, c2, c3]) = octets.first_chunk() else { return false };
    let length = u32::from_be_bytes([*l0, *l1, *l2, *l3]) as usize;
    let command = CommandId(u32::from_be_bytes([*c0, *c1, *c2, *c3]));
    (frame::HEADER_LENGTH..=max_pdu).contains(&length) && command.name().is_some()
}

/// Splits a stream into PDUs.
#[derive(Debug)]
pub(super) struct Pdus {
    max_pdu: usize,
    resync: bool,
    buffer: Vec<u8>,
    /// Octets of the buffer that were consumed.
    read: usize,
    state: State,
    /// Octets skipped since the position was lost.
    unread: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reading,
    /// The position is lost: looking for a plausible header.
    Searching,
    /// The position is lost for good.
    Stopped,
}

/// The next item of the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A whole PDU.
    Pdu(Frame<Vec<u8>>),
    /// The position is lost.
    Broken(FramingError),
    /// A plausible header was found after this many octets.
    Skipped(u64),
}

/// The octets that were not decoded when the stream ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// The beginning of a PDU.
    Incomplete { octets: usize },
    /// Octets after the position was lost.
    Unread { octets: u64 },
}

impl Pdus {
    /// With `resync`, looks for the next plausible header after the position is lost.
    pub(super) fn new(max_pdu: usize, resync: bool) -> Self {
        Self { max_pdu, resync, buffer: Vec::new(), read: 0, state: State::Reading, unread: 0 }
    }

    /// Adds the octets that follow.
    pub(super) fn push(&mut self, octets: &[u8]) {
        if self.state == State::Stopped {
            self.unread += octets.len() as u64;
            return;
        }
        self.buffer.drain(..self.read);
        self.read = 0;
        self.buffer.extend_from_slice(octets);
    }

    /// Marks the position as lost, because octets are missing here. Returns `false` if decoding had stopped before.
    pub(super) fn lose(&mut self) -> bool {
        if self.state == State::Stopped {
            return false;
        }
        self.skip(self.buffer.len() - self.read);
        self.state = if self.resync { State::Searching } else { State::Stopped };
        true
    }

    /// Returns the next PDU, or why there is none; `None` if more octets are needed.
    pub(super) fn item(&mut self) -> Option<Item> {
        let rest = self.buffer.get(self.read..).unwrap_or_default();
        match self.state {
            State::Stopped => None,
            State::Reading => match frame::split(rest, self.max_pdu) {
                Ok(pdu) => pdu.and_then(|(pdu, _)| {
                    self.read += pdu.octets().len();
                    Frame::new(pdu.octets().to_vec()).map(Item::Pdu)
                }),
                Err(error) => {
                    if self.resync {
                        self.state = State::Searching;
                    } else {
                        self.lose();
                    }
                    Some(Item::Broken(error))
                }
            },
            State::Searching => {
                let found = rest.windows(PLAUSIBLE).position(|octets| is_plausible(octets, self.max_pdu));
                // The last octets may be the beginning of a header.
                self.skip(found.unwrap_or_else(|| rest.len().saturating_sub(PLAUSIBLE - 1)));
                found.map(|_| {
                    self.state = State::Reading;
                    Item::Skipped(std::mem::take(&mut self.unread))
                })
            }
        }
    }

    /// Returns what is left at the end of the stream.
    pub(super) fn rest(&self) -> Option<Rest> {
        let octets = self.buffer.len() - self.read;
        match self.state {
            State::Reading if octets == 0 => None,
            State::Reading => Some(Rest::Incomplete { octets }),
            State::Searching | State::Stopped => Some(Rest::Unread { octets: self.unread + octets as u64 }),
        }
    }

    fn skip(&mut self, octets: usize) {
        self.read += octets;
        self.unread += octets as u64;
    }
}

#[cfg(test)]
mod tests {
    use smpp_proto::{CommandStatus, Pdu, SequenceNumber};

    use super::*;

    const LIMIT: usize = frame::DEFAULT_MAX_LENGTH;

    fn enquire_link() -> Frame<Vec<u8>> {
        Frame::encode(&Pdu::EnquireLink, CommandStatus::ROK, SequenceNumber(7))
    }

    fn items(pdus: &mut Pdus) -> Vec<Item> {
        std::iter::from_fn(|| pdus.item()).collect()
    }

    #[test]
    fn a_pdu_in_single_octets() {
        let mut pdus = Pdus::new(LIMIT, false);
        for (at, octet) in enquire_link().octets().iter().enumerate() {
            assert_eq!(pdus.item(), None);
            assert_eq!(pdus.rest(), (at > 0).then_some(Rest::Incomplete { octets: at }));
            pdus.push(&[*octet]);
        }
        assert_eq!(items(&mut pdus), [Item::Pdu(enquire_link())]);
        assert_eq!(pdus.rest(), None);
    }

    #[test]
    fn a_lost_position_is_not_found_again_by_itself() {
        let mut pdus = Pdus::new(LIMIT, false);
        let error = frame::split(b"GET ", LIMIT).unwrap_err();
        pdus.push(b"GET / HTTP");
        assert_eq!(items(&mut pdus), [Item::Broken(error)]);
        pdus.push(enquire_link().octets());
        assert_eq!(items(&mut pdus), []);
        assert_eq!(pdus.rest(), Some(Rest::Unread { octets: 26 }));
    }

    #[test]
    fn resync_finds_the_next_plausible_header() {
        let mut pdus = Pdus::new(LIMIT, true);
        pdus.push(b"GET / HTTP");
        assert!(matches!(items(&mut pdus)[..], [Item::Broken(_)]));
        let whole = enquire_link();
        let (first, last) = whole.octets().split_at(5);
        pdus.push(first);
        assert_eq!(items(&mut pdus), []);
        assert_eq!(pdus.rest(), Some(Rest::Unread { octets: 15 }));
        pdus.push(last);
        assert_eq!(items(&mut pdus), [Item::Skipped(10), Item::Pdu(enquire_link())]);
        assert_eq!(pdus.rest(), None);
    }

    #[test]
    fn octets_lost_inside_a_pdu() {
        let mut pdus = Pdus::new(LIMIT, true);
        pdus.push(&enquire_link().octets()[..9]);
        pdus.lose();
        pdus.push(enquire_link().octets());
        assert_eq!(items(&mut pdus), [Item::Skipped(9), Item::Pdu(enquire_link())]);
    }
}
