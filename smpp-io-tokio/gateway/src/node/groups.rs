//! The parts of messages from phones: each is stored in its group, and told in one event, whole or as what there is of it.
//!
//! A group is written only if nobody else has written it meanwhile. So one node decides when its parts are told, also if others
//! store parts or give the group up at the same moment. Whoever finds it decided stores the event, before anything else.

use super::protocol::{Group, PhonePart, Reply, Request};

/// What stores a part, or gives up a group whose parts have waited too long.
#[derive(Clone, Debug)]
pub(super) struct GroupTask {
    name: String,
    purpose: Purpose,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Purpose {
    Store(PhonePart),
    /// Give up the group if it still has this revision.
    GiveUp(u64),
}

#[derive(Clone, Debug)]
enum Stage {
    Reading,
    /// The part is being added, or the parts are being decided.
    Writing(u64, Group),
    /// The event of this revision is being stored.
    Publishing(u64, Group),
    /// The digests are being stored in place of the parts.
    Finishing(u64, Group),
}

impl GroupTask {
    pub(super) fn of_part(part: PhonePart) -> Self {
        Self { name: part.group.clone(), purpose: Purpose::Store(part), stage: Stage::Reading }
    }

    pub(super) const fn of_old_group(name: String, revision: u64) -> Self {
        Self { name, purpose: Purpose::GiveUp(revision), stage: Stage::Reading }
    }

    /// Returns the request of the stage.
    pub(super) fn request(&self) -> Request {
        let group = self.name.clone();
        match &self.stage {
            Stage::Reading => Request::ReadGroup { group },
            Stage::Writing(revision, content) | Stage::Finishing(revision, content) => {
                Request::WriteGroup { group, revision: *revision, content: Box::new(content.clone()) }
            }
            Stage::Publishing(_, content) => match content.event(&self.name) {
                Some(event) => Request::Publish(Box::new(event)),
                None => Request::ReadGroup { group },
            },
        }
    }

    /// It is not known what became of the request: perhaps it was written.
    pub(super) fn failed(&mut self) {
        if matches!(self.stage, Stage::Writing(..) | Stage::Finishing(..)) {
            self.stage = Stage::Reading;
        }
    }

    /// Handles a reply other than [`Reply::Failed`], and returns whether the task is done. `decided` returns a word that no
    /// other call returns, on no node.
    pub(super) fn handle_reply(&mut self, reply: Reply, decided: impl FnOnce() -> String) -> bool {
        let stage = std::mem::replace(&mut self.stage, Stage::Reading);
        match (stage, reply) {
            (Stage::Reading, Reply::Group(found)) => return self.handle_group(found, decided),
            (Stage::Writing(_, group), Reply::Done(revision)) => {
                if group.decided.is_none() {
                    return true;
                }
                self.stage = Stage::Publishing(revision, group);
            }
            (Stage::Publishing(revision, group), Reply::Done(_) | Reply::Conflict) => {
                self.stage = Stage::Finishing(revision, group.after_telling());
            }
            // It is read again, because another node has written it, or because the part itself is not stored yet.
            _ => {}
        }
        false
    }

    /// Decides what comes next, and returns whether nothing does.
    fn handle_group(&mut self, found: Option<(u64, Group)>, decided: impl FnOnce() -> String) -> bool {
        let (revision, mut group) = found.unwrap_or_default();
        if group.decided.is_some() && !group.parts.is_empty() {
            self.stage = Stage::Publishing(revision, group);
            return false;
        }
        let part = match &self.purpose {
            Purpose::GiveUp(old) => {
                if revision != *old || group.parts.is_empty() {
                    return true;
                }
                group.decided = Some(decided());
                self.stage = Stage::Writing(revision, group);
                return false;
            }
            Purpose::Store(part) => part,
        };
        let of_number = group.parts.iter().find(|it| it.number == part.number);
        if group.was_told(part) || of_number.is_some_and(|it| it.digest == part.digest) {
            // The SMSC has delivered it again.
            return true;
        }
        if of_number.is_some() {
            // A part of another message: this one can never be whole.
            group.decided = Some(decided());
        } else {
            let at = group.parts.partition_point(|it| it.number < part.number);
            group.parts.insert(at, part.clone());
            if group.parts.len() == usize::from(part.total) {
                group.decided = Some(decided());
            }
        }
        self.stage = Stage::Writing(revision, group);
        false
    }
}
