//! The faults of a test SMSC, and what they do to the octets that it sends.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

use super::rng::Rng;
use super::rules::check_percent;
use crate::frame::{Frame, SequenceNumber};
use crate::pdu::{CommandId, CommandStatus};
use crate::session::InvalidOption;

/// The longest extra delay of a response with [`Faults::reorder`], in milliseconds.
const MAX_REORDER_DELAY: u64 = 100;

/// The most responses of a connection whose fault is known before they are sent. Further ones replace the oldest.
const MAX_PLANNED: usize = 10_000;

/// Faults that a test SMSC injects into all its connections; none by default.
///
/// At most one fault with a share concerns a message: they are drawn in the order reset, drop, wrong sequence, cut, corrupt length,
/// corrupt body, half-close, each among the messages that none before it concerns. So with a reset of 100 in a hundred there is
/// no other.
///
/// [`Rules::throttled_percent`](super::Rules::throttled_percent) refuses messages with `ESME_RTHROTTLED`, and
/// [`Answer`](super::Answer) chooses the messages that a fault concerns.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own: any combination makes sense")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Faults {
    /// Each submit_sm_resp is sent so much later; 0 by default.
    pub response_delay: Duration,
    /// Each submit_sm_resp is delayed by a random time of up to 100 ms, so that responses arrive out of order.
    pub reorder: bool,
    /// Messages in a hundred, 0 to 100, that the SMSC accepts and never responds to.
    pub drop_percent: u8,
    /// Messages in a hundred that the SMSC accepts and responds to with a reset of the connection.
    pub reset_percent: u8,
    /// Messages in a hundred with [`ResponseFault::WrongSequence`].
    pub wrong_sequence_percent: u8,
    /// Messages in a hundred with [`ResponseFault::Cut`].
    pub cut_percent: u8,
    /// Messages in a hundred with [`ResponseFault::CorruptLength`].
    pub corrupt_length_percent: u8,
    /// Messages in a hundred with [`ResponseFault::CorruptBody`].
    pub corrupt_body_percent: u8,
    /// Messages in a hundred with [`ResponseFault::HalfClose`].
    pub half_close_percent: u8,
    /// Output is held back for 50 ms, so that the client reads many PDUs at once.
    pub coalesce: bool,
    /// unbind gets no response, and the connection stays open.
    pub no_unbind_resp: bool,
    /// The SMSC hangs: it sends nothing at all, not even a response to enquire_link, and its connections stay open.
    pub silent: bool,
    /// The most octets of one write, so that the client reads PDUs in pieces; 0 for no limit.
    pub max_write: usize,
    /// Binds are refused with this status, for example `ESME_RBINDFAIL` or `ESME_RSYSERR`.
    pub refuse_binds: Option<CommandStatus>,
}

impl Faults {
    /// Returns the delay of the next submit_sm_resp.
    #[doc(hidden)]
    pub fn delay(&self, rng: &mut Rng) -> Duration {
        let reorder = if self.reorder { rng.below(MAX_REORDER_DELAY) } else { 0 };
        self.response_delay + Duration::from_millis(reorder)
    }

    /// Returns whether a connection sends all octets as they are.
    fn is_unfiltered(&self) -> bool {
        let Self { coalesce, no_unbind_resp, silent, .. } = *self;
        self.shares().iter().all(|(percent, _)| *percent == 0) && !coalesce && !no_unbind_resp && !silent
    }

    /// Returns the share of the messages that each fault concerns. The first that is drawn for a message counts.
    const fn shares(&self) -> [(u8, ResponseFault); 7] {
        [
            (self.reset_percent, ResponseFault::Reset),
            (self.drop_percent, ResponseFault::Never),
            (self.wrong_sequence_percent, ResponseFault::WrongSequence),
            (self.cut_percent, ResponseFault::Cut),
            (self.corrupt_length_percent, ResponseFault::CorruptLength),
            (self.corrupt_body_percent, ResponseFault::CorruptBody),
            (self.half_close_percent, ResponseFault::HalfClose),
        ]
    }

    /// No fault, for constants.
    pub const DEFAULT: Self = Self {
        response_delay: Duration::ZERO,
        reorder: false,
        drop_percent: 0,
        reset_percent: 0,
        wrong_sequence_percent: 0,
        cut_percent: 0,
        corrupt_length_percent: 0,
        corrupt_body_percent: 0,
        half_close_percent: 0,
        coalesce: false,
        no_unbind_resp: false,
        silent: false,
        max_write: 0,
        refuse_binds: None,
    };

    /// Checks that no share is above 100. The test SMSCs of the adapters call it.
    ///
    /// # Errors
    ///
    /// [`InvalidOption`] names the first field that is.
    pub fn check(&self) -> Result<(), InvalidOption> {
        check_percent(self.drop_percent, "drop_percent")?;
        check_percent(self.reset_percent, "reset_percent")?;
        check_percent(self.wrong_sequence_percent, "wrong_sequence_percent")?;
        check_percent(self.cut_percent, "cut_percent")?;
        check_percent(self.corrupt_length_percent, "corrupt_length_percent")?;
        check_percent(self.corrupt_body_percent, "corrupt_body_percent")?;
        check_percent(self.half_close_percent, "half_close_percent")
    }

    crate::setters! {
        const response_delay: Duration,
        const reorder: bool,
        const drop_percent: u8,
        const reset_percent: u8,
        const wrong_sequence_percent: u8,
        const cut_percent: u8,
        const corrupt_length_percent: u8,
        const corrupt_body_percent: u8,
        const half_close_percent: u8,
        const coalesce: bool,
        const no_unbind_resp: bool,
        const silent: bool,
        const max_write: usize,
        refuse_binds: impl Into<Option<CommandStatus>>,
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A fault of one response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseFault {
    /// It is never sent.
    Never,
    /// It is sent after the next response to a message: out of order. A connection without a next one never sends it.
    AfterNext,
    /// It has the sequence number of no request.
    WrongSequence,
    /// Half of it is sent, then the connection is closed.
    Cut,
    /// Its first octets are wrong: a `command_length` of 4 GiB. The client cannot find the next PDU.
    CorruptLength,
    /// Its body is wrong: each octet after the header is inverted.
    CorruptBody,
    /// The connection is reset instead.
    Reset,
    /// It is sent, then the SMSC closes its side of the connection and reads on: half-close.
    HalfClose,
}

/// How the sending side of a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamEnd {
    /// Reset the connection, at once.
    Reset,
    /// Close the connection after the output.
    Close,
    /// Close the sending side after the output. What the session sends from there on is discarded.
    HalfClose,
}

/// The faults of one connection: an adapter passes what the session sends through it. It has no I/O.
///
/// 1. As long as [`unchanged`](Self::unchanged) returns how many of the octets pass, write these, and report them with
///    [`advance`](Self::advance).
/// 2. Otherwise pass the octets to [`filter`](Self::filter) and write what it returns.
/// 3. After that, do what [`stream_end`](Self::stream_end) says.
#[derive(Debug)]
pub struct FaultFilter {
    rng: Rng,
    /// Where the octets end that were written unchanged.
    position: Position,
    /// Octets that the session wrote and that do not yet make a whole PDU.
    partial: Vec<u8>,
    /// The faults of responses that are not yet sent.
    planned: VecDeque<(SequenceNumber, ResponseFault)>,
    /// Responses that follow the next one.
    after_next: Vec<u8>,
    is_unbind_unanswered: bool,
    end: Option<StreamEnd>,
}

impl FaultFilter {
    /// Creates the filter of a new connection.
    pub const fn new(rng: Rng) -> Self {
        Self {
            rng,
            position: Position { left: 0, length: [0; 4], known: 0 },
            partial: Vec::new(),
            planned: VecDeque::new(),
            after_next: Vec::new(),
            is_unbind_unanswered: false,
            end: None,
        }
    }

    /// Plans a fault of the submit_sm_resp with this sequence number, before it is sent.
    pub fn plan(&mut self, sequence: SequenceNumber, fault: ResponseFault) {
        if self.planned.len() >= MAX_PLANNED {
            self.planned.pop_front();
        }
        self.planned.push_back((sequence, fault));
    }

    /// Ends the connection: see [`stream_end`](Self::stream_end).
    pub fn end(&mut self, end: StreamEnd) {
        if !matches!(self.end, Some(StreamEnd::Reset | StreamEnd::Close)) {
            self.end = Some(end);
        }
    }

    /// Returns how the sending side ends; `None` as long as it does not.
    pub const fn stream_end(&self) -> Option<StreamEnd> {
        self.end
    }

    /// Returns whether an unbind got no response: the connection then stays open until the client closes it.
    pub const fn is_unbind_unanswered(&self) -> bool {
        self.is_unbind_unanswered
    }

    /// Returns how many of the first octets are written as they are; 0 if all go through [`filter`](Self::filter). A fault
    /// that begins inside a PDU applies from the next one on.
    pub fn unchanged(&self, faults: &Faults, octets: &[u8]) -> usize {
        let is_idle = self.partial.is_empty() && self.after_next.is_empty() && self.end.is_none();
        if is_idle && faults.is_unfiltered() && self.planned.is_empty() {
            return octets.len();
        }
        if !self.partial.is_empty() || self.position.is_boundary() {
            return 0;
        }
        let mut end = self.position;
        end.advance(octets)
    }

    /// Records that these octets were written unchanged.
    pub fn advance(&mut self, mut octets: &[u8]) {
        while !octets.is_empty() {
            let moved = self.position.advance(octets);
            octets = octets.get(moved..).unwrap_or_default();
        }
    }

    /// Takes what the session sends, and appends to `out` what the client gets: whole PDUs.
    pub fn filter(&mut self, faults: &Faults, octets: &[u8], out: &mut Vec<u8>) {
        let mut partial = core::mem::take(&mut self.partial);
        partial.extend_from_slice(octets);
        let mut rest = partial.as_slice();
        while let Some((pdu, after)) = first_pdu(rest) {
            self.filter_pdu(faults, pdu, out);
            rest = after;
        }
        let whole = partial.len() - rest.len();
        partial.drain(..whole);
        self.partial = partial;
    }

    fn filter_pdu(&mut self, faults: &Faults, pdu: &[u8], out: &mut Vec<u8>) {
        let header = Frame::new(pdu).map(|frame| frame.header());
        let command = header.map(|header| header.command);
        let is_response = command == Some(CommandId::SUBMIT_SM_RESP);
        let is_unbind_resp = faults.no_unbind_resp && command == Some(CommandId::UNBIND_RESP);
        self.is_unbind_unanswered |= is_unbind_resp;
        let mut fault = None;
        if is_response {
            let at =
                self.planned.iter().position(|(sequence, _)| Some(*sequence) == header.map(|it| it.sequence));
            fault = at.and_then(|at| self.planned.remove(at)).map(|(_, fault)| fault);
            let mut shares = faults.shares().into_iter();
            let drawn = shares.find(|(percent, _)| self.rng.percent(*percent));
            fault = drawn.map(|(_, fault)| fault).or(fault);
        }
        if self.end.is_some() || faults.silent || is_unbind_resp {
            return;
        }
        match fault {
            None => out.extend_from_slice(pdu),
            Some(ResponseFault::Never) => return,
            Some(ResponseFault::AfterNext) => {
                self.after_next.extend_from_slice(pdu);
                return;
            }
            // The first octet of the sequence number: far from those of requests.
            Some(ResponseFault::WrongSequence) => push(pdu, out, 12..13, |octet| octet ^ 1),
            Some(ResponseFault::CorruptLength) => push(pdu, out, 0..4, |_| 0xFF),
            Some(ResponseFault::CorruptBody) => push(pdu, out, 16..pdu.len(), |octet| !octet),
            Some(ResponseFault::Cut) => {
                out.extend_from_slice(pdu.get(..pdu.len() / 2).unwrap_or_default());
                self.end = Some(StreamEnd::Close);
            }
            Some(ResponseFault::Reset) => self.end = Some(StreamEnd::Reset),
            Some(ResponseFault::HalfClose) => {
                out.extend_from_slice(pdu);
                self.end = Some(StreamEnd::HalfClose);
            }
        }
        if is_response && self.end.is_none() {
            out.append(&mut self.after_next);
        }
    }
}

/// Appends a copy of a PDU with these octets changed.
fn push(pdu: &[u8], out: &mut Vec<u8>, changed: Range<usize>, change: impl Fn(u8) -> u8) {
    let octets = pdu.iter().enumerate();
    out.extend(octets.map(|(at, octet)| if changed.contains(&at) { change(*octet) } else { *octet }));
}

/// Returns the first whole PDU and the octets after it.
fn first_pdu(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = u32::from_be_bytes(*octets.first_chunk()?);
    octets.split_at_checked(usize::try_from(length).ok()?.max(4))
}

/// A position in a stream of PDUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Position {
    /// Octets of the current PDU that follow; 0 if its length is not complete.
    left: usize,
    /// The first octets of the length of the current PDU.
    length: [u8; 4],
    known: usize,
}

impl Position {
    const fn is_boundary(&self) -> bool {
        self.left == 0 && self.known == 0
    }

    /// Moves by these octets, but at most to the next boundary. Returns the number of octets.
    fn advance(&mut self, octets: &[u8]) -> usize {
        let mut moved = 0;
        while let (0, Some(octet)) = (self.left, octets.get(moved)) {
            let Some(place) = self.length.get_mut(self.known) else { return moved };
            *place = *octet;
            self.known += 1;
            moved += 1;
            if self.known == 4 {
                self.known = 0;
                self.left = (u32::from_be_bytes(self.length) as usize).saturating_sub(4);
                if self.left == 0 {
                    return moved;
                }
            }
        }
        let rest = self.left.min(octets.len() - moved);
        self.left -= rest;
        moved + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PDU with this command and sequence number and a body of `length` octets.
    fn pdu(command: CommandId, sequence: u32, length: usize) -> Vec<u8> {
        let header = [16 + length as u32, command.0, 0, sequence];
        let mut octets: Vec<u8> = header.into_iter().flat_map(u32::to_be_bytes).collect();
        octets.resize(16 + length, b'x');
        octets
    }

    fn response(sequence: u32) -> Vec<u8> {
        pdu(CommandId::SUBMIT_SM_RESP, sequence, 9)
    }

    /// Returns what the client gets of these PDUs, written in pieces of `chunk` octets.
    fn sent(filter: &mut FaultFilter, faults: Faults, pdus: &[Vec<u8>], chunk: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for mut octets in pdus.concat().chunks(chunk) {
            while !octets.is_empty() {
                let unchanged = filter.unchanged(&faults, octets);
                let (written, rest) = octets.split_at(unchanged);
                filter.advance(written);
                out.extend_from_slice(written);
                octets = rest;
                if unchanged == 0 {
                    filter.filter(&faults, octets, &mut out);
                    break;
                }
            }
        }
        out
    }

    #[test]
    fn a_position_is_a_boundary_after_each_pdu_only() {
        let stream = [[0, 0, 0, 16].as_slice(), &[9; 12], &[0, 0, 0, 17], &[9; 13]].concat();
        for split in 0..=stream.len() {
            let mut filter = FaultFilter::new(Rng::new(1));
            filter.advance(&stream[..split]);
            assert_eq!(filter.position.is_boundary(), [0, 16, 33].contains(&split), "{split}");
            let next = if split < 16 { 16 } else { 33 };
            assert_eq!(filter.position.advance(&stream[split..]), next - split, "{split}");
        }
    }

    #[test]
    fn each_planned_fault_concerns_its_response_alone_in_any_chunking() {
        use ResponseFault::{AfterNext, CorruptBody, CorruptLength, Never, WrongSequence};
        let [one, two, three] = [1, 2, 3].map(response);
        let mut wrong = two.clone();
        wrong[12] = 1;
        let mut length = two.clone();
        length[..4].fill(0xFF);
        let mut body = two.clone();
        body[16..].fill(!b'x');
        let cases = [
            (Never, [&one[..], &three].concat()),
            (AfterNext, [&one[..], &three, &two].concat()),
            (WrongSequence, [&one[..], &wrong, &three].concat()),
            (CorruptLength, [&one[..], &length, &three].concat()),
            (CorruptBody, [&one[..], &body, &three].concat()),
        ];
        for chunk in [1, 7, 25, 100] {
            for (fault, expected) in &cases {
                let mut filter = FaultFilter::new(Rng::new(1));
                filter.plan(SequenceNumber(2), *fault);
                let pdus = [one.clone(), two.clone(), three.clone()];
                let out = sent(&mut filter, Faults::default(), &pdus, chunk);
                assert_eq!(&out, expected, "{fault:?}, chunks of {chunk}");
                assert_eq!(filter.stream_end(), None);
            }
        }
    }

    #[test]
    fn each_share_draws_its_fault() {
        use ResponseFault::{CorruptBody, CorruptLength, Cut, HalfClose, Never, Reset, WrongSequence};

        let shares: [fn(&mut Faults) -> &mut u8; 7] = [
            |faults| &mut faults.reset_percent,
            |faults| &mut faults.drop_percent,
            |faults| &mut faults.wrong_sequence_percent,
            |faults| &mut faults.cut_percent,
            |faults| &mut faults.corrupt_length_percent,
            |faults| &mut faults.corrupt_body_percent,
            |faults| &mut faults.half_close_percent,
        ];
        let expected = [Reset, Never, WrongSequence, Cut, CorruptLength, CorruptBody, HalfClose];
        for (share, fault) in shares.into_iter().zip(expected) {
            let mut faults = Faults::default();
            *share(&mut faults) = 100;
            let mut planned = FaultFilter::new(Rng::new(1));
            planned.plan(SequenceNumber(1), fault);
            let mut drawn = FaultFilter::new(Rng::new(1));
            let pdus = [response(1)];
            let octets = sent(&mut drawn, faults, &pdus, 100);
            assert_eq!(octets, sent(&mut planned, Faults::default(), &pdus, 100), "{fault:?}");
            assert_eq!(drawn.stream_end(), planned.stream_end(), "{fault:?}");
            // Other PDUs pass.
            *share(&mut faults) = 0;
            assert_eq!(faults, Faults::default());
            *share(&mut faults) = 100;
            let other = [pdu(CommandId::ENQUIRE_LINK_RESP, 1, 0)];
            assert_eq!(sent(&mut FaultFilter::new(Rng::new(1)), faults, &other, 100), other[0]);
        }
    }

    #[test]
    fn faults_that_end_the_stream_send_nothing_after_it() {
        let [one, two, three] = [1, 2, 3].map(response);
        let cases = [
            (ResponseFault::Cut, StreamEnd::Close, [&one[..], &two[..12]].concat()),
            (ResponseFault::Reset, StreamEnd::Reset, one.clone()),
            (ResponseFault::HalfClose, StreamEnd::HalfClose, [&one[..], &two].concat()),
        ];
        for chunk in [1, 7, 25, 100] {
            for (fault, end, expected) in &cases {
                let mut filter = FaultFilter::new(Rng::new(1));
                filter.plan(SequenceNumber(2), *fault);
                let pdus = [one.clone(), two.clone(), three.clone()];
                assert_eq!(&sent(&mut filter, Faults::default(), &pdus, chunk), expected);
                assert_eq!(filter.stream_end(), Some(*end));
            }
        }
    }

    #[test]
    fn a_silent_smsc_completes_the_pdu_that_it_is_in() {
        let mut filter = FaultFilter::new(Rng::new(1));
        let alive = pdu(CommandId::ENQUIRE_LINK_RESP, 1, 0);
        assert_eq!(sent(&mut filter, Faults::default(), &[alive[..5].to_vec()], 16), alive[..5]);
        let silent = Faults { silent: true, ..Faults::default() };
        assert_eq!(sent(&mut filter, silent, &[alive[5..].to_vec(), alive.clone()], 100), alive[5..]);
        // And then speaks again.
        assert_eq!(sent(&mut filter, Faults::default(), core::slice::from_ref(&alive), 16), alive);
    }

    #[test]
    fn a_planned_response_waits_for_its_turn_behind_others() {
        let mut filter = FaultFilter::new(Rng::new(1));
        filter.plan(SequenceNumber(9), ResponseFault::Never);
        let others = [response(1), pdu(CommandId::DELIVER_SM, 9, 20)];
        assert_eq!(sent(&mut filter, Faults::default(), &others, 100), others.concat());
        assert!(sent(&mut filter, Faults::default(), &[response(9)], 100).is_empty());
    }
}
