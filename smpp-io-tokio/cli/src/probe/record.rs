//! What was observed: binds, PDUs and ends. No I/O; the conclusions are drawn from it alone.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use smpp_proto::session::Direction;
use smpp_proto::tlv::Tag;
use smpp_proto::{
    Address, COctets, CommandId, CommandStatus, DataSm, DeliverSm, Frame, Pdu, Quirks, SubmitSm, Tolerance,
};

use super::plan::Purpose;

/// The most receipts and messages that are kept: far more than the probe can cause.
const MAX_DELIVERIES: usize = 2_000;

/// The most octets of PDUs that are kept.
const MAX_OCTETS: usize = 64 * 1024 * 1024;

/// The fewest digits of a number without its country code.
const MIN_DIGITS: usize = 7;

/// Everything that was observed.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// The number of --to: what is delivered about other numbers belongs to other programs.
    pub(super) to: String,
    /// The wall clock at the start, in seconds since 1970 in UTC.
    pub(super) epoch: i64,
    /// The outcome of each bind request, in order. The bind's number is its index.
    pub(super) binds: Vec<BindOutcome>,
    pub(super) pdus: Vec<Observed>,
    pub(super) ends: Vec<Ended>,
    /// How many receipts and messages of others were delivered to the probe. It refuses them with a temporary error.
    pub(super) foreign: u64,
    /// When the last of them was delivered on each bind.
    last_foreign: BTreeMap<u16, Duration>,
    /// How long a bind was left idle.
    pub(super) idle: Option<Idle>,
    /// The purposes of the next submit_sm of each bind.
    expected: VecDeque<(u16, Purpose)>,
    /// How many receipts and messages are in `pdus`.
    deliveries: usize,
    /// The octets of `pdus`.
    octets: usize,
}

/// The outcome of a bind request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BindOutcome {
    Accepted {
        /// The `sc_interface_version`, if the SMSC states one.
        version: Option<u8>,
        /// The name that the SMSC gives itself.
        system_id: String,
    },
    Refused(CommandStatus),
    /// No response, or the connection failed.
    Failed(String),
}

/// A PDU of a session.
#[derive(Debug)]
pub(super) struct Observed {
    /// The time since the start.
    pub(super) at: Duration,
    pub(super) bind: u16,
    pub(super) direction: Direction,
    /// Why it was sent, for a submit_sm.
    pub(super) purpose: Option<Purpose>,
    frame: Frame<Vec<u8>>,
}

/// The end of a session.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) at: Duration,
    pub(super) bind: u16,
    /// Whether the SMSC ended it.
    pub(super) by_smsc: bool,
    pub(super) reason: String,
}

/// A bind that was left idle.
#[derive(Debug)]
pub(super) struct Idle {
    pub(super) bind: u16,
    /// When it began, since the start.
    pub(super) since: Duration,
    /// How long it could be idle.
    pub(super) limit: Duration,
    /// Whether the test ran to its end: until the limit, or until the SMSC ended the session.
    pub(super) complete: bool,
}

/// A message that was sent, and its response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent<'a> {
    pub(super) purpose: Purpose,
    pub(super) bind: u16,
    pub(super) at: Duration,
    /// Its position among the PDUs.
    pub(super) index: usize,
    pub(super) request: SubmitSm<'a>,
    pub(super) response: Option<Answer<'a>>,
}

/// A submit_sm_resp.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer<'a> {
    pub(super) index: usize,
    pub(super) status: CommandStatus,
    pub(super) message_id: &'a [u8],
    pub(super) pdu: Pdu<'a>,
}

/// A deliver_sm or data_sm.
#[derive(Clone, Copy, Debug)]
pub(super) enum Delivered<'a> {
    DeliverSm(DeliverSm<'a>),
    DataSm(DataSm<'a>),
}

impl Record {
    pub(super) fn new(to: &str, epoch: i64) -> Self {
        Self { to: to.trim_start_matches('+').into(), epoch, ..Self::default() }
    }

    /// Announces that the next submit_sm of the bind is sent for this purpose.
    pub(super) fn expect(&mut self, bind: u16, purpose: Purpose) {
        self.expected.push_back((bind, purpose));
    }

    /// Records a PDU.
    pub(super) fn observe(&mut self, at: Duration, bind: u16, direction: Direction, octets: &[u8]) {
        if self.octets + octets.len() > MAX_OCTETS {
            return;
        }
        let Some(frame) = Frame::new(octets.to_vec()) else { return };
        let observed = Observed { at, bind, direction, purpose: None, frame };
        if let Some(delivered) = observed.delivered().filter(|_| direction == Direction::In) {
            if !self.is_ours(delivered) {
                self.foreign += 1;
                self.last_foreign.insert(bind, at);
                return;
            }
            if self.deliveries == MAX_DELIVERIES {
                return;
            }
            self.deliveries += 1;
        }
        self.octets += octets.len();
        let is_message = direction == Direction::Out && observed.command() == CommandId::SUBMIT_SM;
        let purpose = if is_message { self.next_purpose(bind) } else { None };
        self.pdus.push(Observed { purpose, ..observed });
    }

    fn next_purpose(&mut self, bind: u16) -> Option<Purpose> {
        let at = self.expected.iter().position(|(of, _)| *of == bind)?;
        self.expected.remove(at).map(|(_, purpose)| purpose)
    }

    /// Returns whether a receipt or a message is about the number of --to.
    pub(super) fn is_ours(&self, delivered: Delivered<'_>) -> bool {
        delivered.digits().iter().any(|digits| is_same_number(digits, self.to.as_bytes()))
    }

    /// Returns the messages that were sent, each with its response.
    pub(super) fn sent(&self) -> Vec<Sent<'_>> {
        let mut sent: Vec<Sent<'_>> = Vec::new();
        let mut unanswered = HashMap::new();
        for (index, observed) in self.pdus.iter().enumerate() {
            let header = observed.frame.header();
            let key = (observed.bind, header.sequence);
            match (observed.direction, observed.pdu()) {
                (Direction::Out, Some(Pdu::SubmitSm(request))) => {
                    let Some(purpose) = observed.purpose else { continue };
                    let (bind, at) = (observed.bind, observed.at);
                    unanswered.insert(key, sent.len());
                    sent.push(Sent { purpose, bind, at, index, request, response: None });
                }
                (Direction::In, pdu) if observed.command() == CommandId::SUBMIT_SM_RESP => {
                    let pdu = pdu.unwrap_or(Pdu::SubmitSmResp(None));
                    let message_id = match pdu {
                        Pdu::SubmitSmResp(Some(response)) => response.message_id.as_bytes(),
                        _ => &[],
                    };
                    let message = unanswered.remove(&key).and_then(|at| sent.get_mut(at));
                    if let Some(message) = message {
                        message.response = Some(Answer { index, status: header.status, message_id, pdu });
                    }
                }
                _ => {}
            }
        }
        sent
    }

    /// Returns what was delivered, each with its position among the PDUs.
    pub(super) fn delivered(&self) -> impl Iterator<Item = (usize, &Observed, Delivered<'_>)> {
        let inbound = self.pdus.iter().enumerate().filter(|(_, it)| it.direction == Direction::In);
        inbound.filter_map(|(index, observed)| Some((index, observed, observed.delivered()?)))
    }

    /// Returns the position of the response of the probe to a delivery.
    pub(super) fn acknowledged(&self, delivery: &Observed) -> Option<usize> {
        let header = delivery.frame.header();
        self.pdus.iter().position(|other| {
            other.direction == Direction::Out
                && other.bind == delivery.bind
                && other.command() == header.command.response()
                && other.frame.header().sequence == header.sequence
        })
    }

    /// Returns when anything was last sent or received on a bind.
    pub(super) fn last_activity(&self, bind: u16) -> Option<Duration> {
        let of_bind = self.pdus.iter().filter(|it| it.bind == bind);
        let is_end = |it: &&Observed| {
            let of_smsc = it.direction == Direction::In && it.command() == CommandId::UNBIND;
            of_smsc || it.command() == CommandId::UNBIND.response()
        };
        of_bind.filter(|it| !is_end(it)).map(|it| it.at).chain(self.last_foreign(bind)).max()
    }

    /// Returns when a receipt or a message of others was last delivered on a bind.
    pub(super) fn last_foreign(&self, bind: u16) -> Option<Duration> {
        self.last_foreign.get(&bind).copied()
    }

    /// Returns how many binds were accepted.
    pub(super) fn bound(&self) -> usize {
        self.binds.iter().filter(|it| matches!(it, BindOutcome::Accepted { .. })).count()
    }
}

impl Observed {
    pub(super) fn command(&self) -> CommandId {
        self.frame.header().command
    }

    /// Returns the fields of the PDU, with every deviation tolerated.
    pub(super) fn pdu(&self) -> Option<Pdu<'_>> {
        self.frame.pdu(Tolerance(Quirks::all())).ok().map(|(pdu, _)| pdu)
    }

    fn delivered(&self) -> Option<Delivered<'_>> {
        match self.pdu()? {
            Pdu::DeliverSm(sm) => Some(Delivered::DeliverSm(sm)),
            Pdu::DataSm(sm) => Some(Delivered::DataSm(sm)),
            _ => None,
        }
    }
}

impl<'a> Delivered<'a> {
    fn digits(self) -> [&'a [u8]; 2] {
        match self {
            Self::DeliverSm(sm) => [sm.source.digits.as_bytes(), sm.destination.digits.as_bytes()],
            Self::DataSm(sm) => [digits(sm.source), digits(sm.destination)],
        }
    }
}

fn digits<const N: usize>(address: Address<'_, N>) -> &[u8] {
    let digits: COctets<'_, N> = address.digits;
    digits.as_bytes()
}

/// Returns whether two numbers are the same: one may have no country code, a `+` or zeros before it.
fn is_same_number(one: &[u8], other: &[u8]) -> bool {
    let [one, other] = [one, other].map(|it| it.trim_ascii_start().strip_prefix(b"+").unwrap_or(it));
    let zeros = |digits: &[u8]| digits.iter().take_while(|digit| **digit == b'0').count();
    let [one, other] = [one, other].map(|it| it.get(zeros(it)..).unwrap_or_default());
    let shorter = one.len().min(other.len());
    one == other || (shorter >= MIN_DIGITS && (one.ends_with(other) || other.ends_with(one)))
}

/// Returns the name of a tag, or its number.
pub(super) fn tag_name(tag: Tag) -> String {
    tag.name().map_or_else(|| format!("{:#06x}", tag.0), str::to_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use smpp_proto::SequenceNumber;

    use super::*;

    #[test]
    fn a_number_may_have_another_prefix() {
        for (one, other, same) in [
            ("6591234567", "6591234567", true),
            ("91234567", "6591234567", true),
            ("+6591234567", "6591234567", true),
            ("006591234567", "6591234567", true),
            ("091234567", "6591234567", true),
            ("6581234567", "6591234567", false),
            ("6591234568", "6591234567", false),
            ("234567", "6591234567", false),
            ("", "6591234567", false),
            ("12345", "12345", true),
        ] {
            assert_eq!(is_same_number(one.as_bytes(), other.as_bytes()), same, "{one} {other}");
        }
    }

    #[test]
    fn what_an_smsc_delivers_is_kept_within_bounds() {
        let mut record = Record::new("6591234567", 0);
        let number = |digits| Address::international(digits).unwrap();
        let of = |digits| {
            let sm = DeliverSm { source: number(digits), ..DeliverSm::default() };
            Frame::<Vec<u8>>::encode(&Pdu::DeliverSm(sm), CommandStatus::ROK, SequenceNumber(1))
        };
        let (ours, foreign) = (of("6591234567"), of("6581234567"));
        for _ in 0..2 * MAX_DELIVERIES {
            record.observe(Duration::ZERO, 0, Direction::In, ours.octets());
            record.observe(Duration::ZERO, 0, Direction::In, foreign.octets());
        }
        assert_eq!((record.delivered().count(), record.foreign), (MAX_DELIVERIES, 2 * MAX_DELIVERIES as u64));
        let large = vec![0; MAX_OCTETS];
        record.observe(Duration::ZERO, 0, Direction::In, &large);
        assert_eq!(record.pdus.len(), MAX_DELIVERIES);
    }
}
