//! What both sides of a simulation share: the time, chance, and who knows what about each request.

use smpp_core::session::{Instant, Outcome, Side};
use smpp_core::{CommandId, CommandStatus};

use super::harness::rng::Rng;
use super::harness::{Watch, Witness};
use super::messages::{Tag, name_of};

pub(crate) struct Scene {
    pub(crate) rng: Rng,
    pub(crate) now: Instant,
    /// Octets came that nobody sent: the two sides may disagree from here on.
    pub(crate) tainted: bool,
    /// Nothing fails and everyone answers.
    pub(crate) calm: bool,
    /// Nobody asks for a version without TLVs.
    pub(crate) modern: bool,
    pub(crate) witness: Witness,
    records: Vec<Record>,
}

/// One request.
#[derive(Debug)]
struct Record {
    side: Side,
    command: CommandId,
    accepted: bool,
    /// The application of the other side has been asked.
    seen: bool,
    /// What the other side answered, and under which name.
    answer: Option<(CommandStatus, Vec<u8>)>,
    ended: Option<Ended>,
}

/// How it ended, as far as the other side can agree or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Answered,
    NeverSent,
    Unanswered,
}

impl Scene {
    pub(crate) fn new(rng: Rng, now: Instant, calm: bool, modern: bool, watch: Watch) -> Self {
        Self { rng, now, tainted: false, calm, modern, witness: Witness::new(watch), records: Vec::new() }
    }

    pub(crate) fn count(&mut self, what: impl FnOnce() -> String) {
        self.witness.count(what);
    }

    pub(crate) fn tell(&self, what: impl FnOnce() -> String) {
        self.witness.tell(self.now, what);
    }

    pub(crate) fn next_tag(&self) -> Tag {
        self.records.len() as Tag
    }

    /// A request was made under the tag that was next.
    pub(crate) fn requested(&mut self, side: Side, command: CommandId, accepted: bool) {
        self.records.push(Record { side, command, accepted, seen: false, answer: None, ended: None });
    }

    /// The application of `side` is asked.
    pub(crate) fn seen(&mut self, side: Side, command: CommandId, tag: Option<Tag>) {
        if self.tainted {
            return;
        }
        let record = self.record(tag);
        assert!(record.accepted, "a refused request arrived: {record:?}");
        assert_eq!((record.side, record.command), (side.peer(), command), "it arrived as it was sent");
        assert!(!record.seen, "a request arrived twice: {record:?}");
        assert_ne!(record.ended, Some(Ended::NeverSent), "it arrived all the same: {record:?}");
        record.seen = true;
    }

    /// The request was answered, by the application or by the session itself.
    pub(crate) fn answered(&mut self, tag: Option<Tag>, status: CommandStatus, name: Vec<u8>) {
        if self.tainted {
            return;
        }
        let record = self.record(tag);
        assert_eq!(record.answer, None, "answered twice");
        record.answer = Some((status, name));
    }

    /// The request has its outcome.
    pub(crate) fn ended(&mut self, side: Side, tag: Tag, outcome: &Outcome<'_>) {
        let tainted = self.tainted;
        let record = self.record(Some(tag));
        assert!(record.accepted && record.side == side, "{outcome:?} for {record:?}");
        assert_eq!(record.ended, None, "a second outcome: {outcome:?} for {record:?}");
        record.ended = Some(match outcome {
            Outcome::NeverSent(_) => Ended::NeverSent,
            Outcome::Unanswered(_) => Ended::Unanswered,
            _ => Ended::Answered,
        });
        if tainted {
            return;
        }
        let answer = record.answer.as_ref().map(|(status, name)| (*status, &name[..]));
        match outcome {
            Outcome::Accepted(_) if record.command == CommandId::ENQUIRE_LINK => {}
            Outcome::Accepted(response) => {
                let name = response.pdu().map(|pdu| name_of(&pdu)).expect("it was read before");
                assert_eq!(Some((CommandStatus::ROK, &name[..])), answer, "the answer to {record:?}");
            }
            Outcome::Refused { status, .. } => {
                assert_eq!(Some(*status), answer.map(|(status, _)| status), "the answer to {record:?}");
            }
            Outcome::Nacked(_) => panic!("nobody sends a generic_nack for {record:?}"),
            Outcome::NeverSent(_) => assert!(!record.seen, "it was seen: {record:?}"),
            Outcome::Unanswered(_) => {}
        }
    }

    /// Every request has its outcome; if `answered`, a good one.
    pub(crate) fn check_end(&self, answered: bool) {
        for (tag, record) in self.records.iter().enumerate() {
            assert_eq!(record.ended.is_some(), record.accepted, "{tag}: {record:?}");
            let in_doubt = matches!(record.ended, Some(Ended::NeverSent | Ended::Unanswered));
            assert!(!(answered && in_doubt), "everybody answers: {record:?}");
        }
    }

    fn record(&mut self, tag: Option<Tag>) -> &mut Record {
        let tag = tag.expect("a request with a tag");
        self.records.get_mut(tag as usize).expect("a tag that was given")
    }
}
