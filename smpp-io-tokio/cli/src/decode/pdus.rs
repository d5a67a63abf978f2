//! Octets of one stream to PDUs.

use smpp_core::{CommandId, Frame, FramingError, frame};

/// Octets that tell whether a header is plausible: `command_length` and `command_id`.
pub(crate) const PLAUSIBLE: usize = 8;

/// Whether a PDU may begin here: a length that can be, and a command that is known.
pub(crate) fn is_plausible(octets: &[u8], max_pdu: usize) -> bool {
    let Some([l0, l1, l2, l3, c0, c1, c2, c3]) = octets.first_chunk() else { return false };
    let length = u32::from_be_bytes([*l0, *l1, *l2, *l3]) as usize;
    let command = CommandId(u32::from_be_bytes([*c0, *c1, *c2, *c3]));
    (frame::HEADER_LENGTH..=max_pdu).contains(&length) && command.name().is_some()
}

/// Cuts a stream into PDUs.
#[derive(Debug)]
pub(crate) struct Pdus {
    max_pdu: usize,
    resync: bool,
    buffer: Vec<u8>,
    /// Octets of the buffer that were read.
    read: usize,
    state: State,
    /// Octets passed over since the position was lost.
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

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// A whole PDU.
    Pdu(Frame<Vec<u8>>),
    /// The position is lost.
    Broken(FramingError),
    /// A plausible header was found behind this many octets.
    Skipped(u64),
}

/// What was not read when the stream ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// The beginning of a PDU.
    Incomplete { octets: usize },
    /// Octets after the position was lost.
    Unread { octets: u64 },
}

impl Pdus {
    /// `resync`: looks for the next plausible header once the position is lost.
    pub(crate) fn new(max_pdu: usize, resync: bool) -> Self {
        Self { max_pdu, resync, buffer: Vec::new(), read: 0, state: State::Reading, unread: 0 }
    }

    /// The octets that follow.
    pub(crate) fn push(&mut self, octets: &[u8]) {
        if self.state == State::Stopped {
            self.unread += octets.len() as u64;
            return;
        }
        self.buffer.drain(..self.read);
        self.read = 0;
        self.buffer.extend_from_slice(octets);
    }

    /// Octets are missing here: the position is lost. Whether that is news.
    pub(crate) fn lose(&mut self) -> bool {
        if self.state == State::Stopped {
            return false;
        }
        self.pass_over(self.buffer.len() - self.read);
        self.state = if self.resync { State::Searching } else { State::Stopped };
        true
    }

    /// The next PDU, or why there is none. `None` if more octets are needed.
    pub(crate) fn item(&mut self) -> Option<Item> {
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
                self.pass_over(found.unwrap_or_else(|| rest.len().saturating_sub(PLAUSIBLE - 1)));
                found.map(|_| {
                    self.state = State::Reading;
                    Item::Skipped(std::mem::take(&mut self.unread))
                })
            }
        }
    }

    /// What is left at the end of the stream.
    pub(crate) fn rest(&self) -> Option<Rest> {
        let octets = self.buffer.len() - self.read;
        match self.state {
            State::Reading if octets == 0 => None,
            State::Reading => Some(Rest::Incomplete { octets }),
            State::Searching | State::Stopped => Some(Rest::Unread { octets: self.unread + octets as u64 }),
        }
    }

    fn pass_over(&mut self, octets: usize) {
        self.read += octets;
        self.unread += octets as u64;
    }
}

#[cfg(test)]
mod tests {
    use smpp_core::{CommandStatus, Pdu, SequenceNumber};

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
        let error = FramingError { length: 0x4745_5420, limit: LIMIT };
        pdus.push(b"GET / HTTP");
        assert_eq!(items(&mut pdus), [Item::Broken(error)]);
        pdus.push(enquire_link().octets());
        assert_eq!(items(&mut pdus), []);
        assert_eq!(pdus.rest(), Some(Rest::Unread { octets: 26 }));
    }

    #[test]
    fn a_plausible_header_is_searched_if_that_is_wanted() {
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
