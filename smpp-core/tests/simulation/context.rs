//! Shared state of both sides of a simulation: the time, random numbers, and a record of each request.

use smpp_proto::session::{Instant, Outcome, Side};
use smpp_proto::{CommandId, CommandStatus};

use super::harness::rng::Rng;
use super::harness::{Recorder, Verbosity};
use super::messages::{Tag, response_id};

pub(crate) struct Context {
    pub(crate) rng: Rng,
    pub(crate) now: Instant,
    /// Octets have arrived that the peer did not send. From then on the two sides may disagree.
    pub(crate) tainted: bool,
    /// No faults, and all requests are answered.
    pub(crate) calm: bool,
    /// All binds use a version with TLVs.
    pub(crate) modern: bool,
    pub(crate) recorder: Recorder,
    records: Vec<Record>,
}

/// What happened to one request.
#[derive(Debug)]
struct Record {
    side: Side,
    command: CommandId,
    accepted: bool,
    /// The application of the other side has received the request.
    arrived: bool,
    /// The status and the identifier of the response.
    answer: Option<(CommandStatus, Vec<u8>)>,
    outcome: Option<EndKind>,
    /// A late response has been reported.
    late: bool,
}

/// How a request ended, to compare with the record of the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EndKind {
    Answered,
    NeverSent,
    Unanswered,
}

impl Context {
    pub(crate) fn new(rng: Rng, now: Instant, calm: bool, modern: bool, verbosity: Verbosity) -> Self {
        Self {
            rng,
            now,
            tainted: false,
            calm,
            modern,
            recorder: Recorder::new(verbosity),
            records: Vec::new(),
        }
    }

    pub(crate) fn count(&mut self, what: impl FnOnce() -> String) {
        self.recorder.count(what);
    }

    pub(crate) fn print(&self, what: impl FnOnce() -> String) {
        self.recorder.print(self.now, what);
    }

    pub(crate) fn next_tag(&self) -> Tag {
        self.records.len() as Tag
    }

    /// Records a request with the next tag.
    pub(crate) fn record_request(&mut self, side: Side, command: CommandId, accepted: bool) {
        self.records.push(Record {
            side,
            command,
            accepted,
            arrived: false,
            answer: None,
            outcome: None,
            late: false,
        });
    }

    /// Records that the application of `side` has received a request.
    pub(crate) fn record_arrival(&mut self, side: Side, command: CommandId, tag: Option<Tag>) {
        if self.tainted {
            return;
        }
        let record = self.record(tag);
        assert!(record.accepted, "a refused request arrived: {record:?}");
        assert_eq!(
            (record.side, record.command),
            (side.peer(), command),
            "a request arrived with another side or command"
        );
        assert!(!record.arrived, "a request arrived twice: {record:?}");
        assert_ne!(
            record.outcome,
            Some(EndKind::NeverSent),
            "a request that was never sent arrived: {record:?}"
        );
        record.arrived = true;
    }

    /// Records the response, of the application or of the session itself.
    pub(crate) fn record_response(&mut self, tag: Option<Tag>, status: CommandStatus, name: Vec<u8>) {
        if self.tainted {
            return;
        }
        let record = self.record(tag);
        assert_eq!(record.answer, None, "answered twice");
        record.answer = Some((status, name));
    }

    /// Records the outcome of a request, and compares it with the response.
    pub(crate) fn record_outcome(&mut self, side: Side, tag: Tag, outcome: &Outcome<'_>) {
        let tainted = self.tainted;
        let record = self.record(Some(tag));
        assert!(record.accepted && record.side == side, "{outcome:?} for {record:?}");
        assert_eq!(record.outcome, None, "a second outcome: {outcome:?} for {record:?}");
        record.outcome = Some(match outcome {
            Outcome::NeverSent(_) => EndKind::NeverSent,
            Outcome::Unanswered(_) => EndKind::Unanswered,
            _ => EndKind::Answered,
        });
        if !tainted {
            record.compare(outcome);
        }
    }

    /// Records the late response to a request, and compares it with the response.
    pub(crate) fn record_late_response(&mut self, side: Side, tag: Tag, outcome: &Outcome<'_>) {
        let tainted = self.tainted;
        let record = self.record(Some(tag));
        assert!(record.side == side && !record.late, "a second late response: {outcome:?} for {record:?}");
        assert_eq!(record.outcome, Some(EndKind::Unanswered), "{outcome:?} for {record:?}");
        record.late = true;
        if !tainted {
            record.compare(outcome);
        }
    }

    /// Checks that every accepted request has an outcome. If `answered`, no request may be unanswered.
    pub(crate) fn check_end(&self, answered: bool) {
        for (tag, record) in self.records.iter().enumerate() {
            assert_eq!(record.outcome.is_some(), record.accepted, "{tag}: {record:?}");
            let in_doubt = matches!(record.outcome, Some(EndKind::NeverSent | EndKind::Unanswered));
            assert!(!(answered && in_doubt), "all requests must be answered: {record:?}");
        }
    }

    fn record(&mut self, tag: Option<Tag>) -> &mut Record {
        let tag = tag.expect("a request with a tag");
        self.records.get_mut(tag as usize).expect("a tag of a recorded request")
    }
}

impl Record {
    /// Compares the outcome with the response of the other side.
    fn compare(&self, outcome: &Outcome<'_>) {
        let answer = self.answer.as_ref().map(|(status, name)| (*status, &name[..]));
        match outcome {
            Outcome::Accepted(_) if self.command == CommandId::ENQUIRE_LINK => {}
            Outcome::Accepted(response) => {
                let name = response.pdu().map(|pdu| response_id(&pdu)).expect("the session has decoded it");
                assert_eq!(Some((CommandStatus::ROK, &name[..])), answer, "the answer to {self:?}");
            }
            Outcome::Refused { status, .. } => {
                assert_eq!(Some(*status), answer.map(|(status, _)| status), "the answer to {self:?}");
            }
            Outcome::Nacked(_) => panic!("no side sends generic_nack for {self:?}"),
            Outcome::NeverSent(_) => {
                assert!(!self.arrived, "a request arrived that was never sent: {self:?}");
            }
            Outcome::Unanswered(_) => {}
        }
    }
}
