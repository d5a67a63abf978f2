//! What a [`Node`](super::Node) asks for, and what it is told: commands, requests to the engine and their replies, and what the
//! engine stores.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Identifies a request to the engine. Its reply names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(super) u64);

/// Identifies a message that the node has taken from the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId(pub(super) u64);

/// Identifies a receipt or a message from a phone that waits for its acknowledgement. The driver chooses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub u64);

/// Identifies one delivery of a message by the queue: what an acknowledgement names. The driver chooses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AckToken(pub u64);

/// The queue that a message comes from. High goes before normal, normal before low.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Before all others.
    High,
    /// The usual priority.
    Normal,
    /// After all others.
    Low,
}

impl Priority {
    /// All, the highest first.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    /// Returns the last token of the subject: `high`, `normal` or `low`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }
}

/// A message from the queue.
#[derive(Clone, Debug)]
pub struct Work<M> {
    /// The queue that it comes from.
    pub priority: Priority,
    /// Its sequence number in the stream of the queue.
    pub sequence: u64,
    /// When it was published, by the engine's clock in milliseconds. With the sequence number it distinguishes the message from
    /// those of a queue that was deleted.
    pub published: i64,
    /// This delivery.
    pub token: AckToken,
    /// The message, or what is wrong with it.
    pub content: Result<WorkContent<M>, Invalid>,
}

/// A valid message from the queue.
#[derive(Clone, Debug)]
pub struct WorkContent<M> {
    /// The sender's key.
    pub key: String,
    /// Whether the message is sent again if an earlier node may have sent it.
    pub resend_when_uncertain: bool,
    /// When it expires, if it does.
    pub expires: Option<smpp_proto::session::Instant>,
    /// What [`Command::Submit`] hands out.
    pub body: M,
}

/// What is wrong with an entry of the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invalid {
    /// The key of the message, if it can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The field that is wrong, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong, and what would be right.
    pub reason: String,
}

/// What the driver does for the node. It does each at once, in this order, and reports what the variant says.
#[derive(Debug)]
pub enum Command<M> {
    /// Fetch up to `count` messages of this queue, and wait for them for some seconds:
    /// [`handle_work`](super::Node::handle_work) for each, then [`handle_pull_ended`](super::Node::handle_pull_ended).
    Pull {
        /// The queue.
        priority: Priority,
        /// How many messages.
        count: usize,
    },
    /// Tell the queue that the message is being worked on. Its redelivery is postponed by the whole wait.
    InProgress(AckToken),
    /// Give the message back to the queue, which delivers it again after the node's retry delay.
    GiveBack(AckToken),
    /// Acknowledge a message that is in hand already, and was published again under another sequence number. Nobody waits
    /// for the result.
    AckDuplicate(AckToken),
    /// Forget this delivery. The node neither works on it any more nor acknowledges it.
    Abandon(AckToken),
    /// Send a request to the engine: [`handle_reply`](super::Node::handle_reply).
    Request(RequestId, Request),
    /// Submit the message to the account: [`handle_ended`](super::Node::handle_ended).
    Submit {
        /// The message.
        item: ItemId,
        /// Its key.
        key: String,
        /// What the driver has passed with the work.
        body: M,
    },
    /// Cancel what is not sent yet of a message. Its end is reported as always.
    Cancel(ItemId),
    /// Keep this many binds. Fewer: unbind gracefully. [`handle_binds`](super::Node::handle_binds) on each change.
    SetBinds(u16),
    /// Close connections at once until no more than this many are left: their leases end. Only the number of connections
    /// counts, not whether they are bound.
    CloseConnections(u16),
    /// Acknowledge a receipt or a message from a phone: it is stored. Or refuse it with a temporary error, so that the
    /// SMSC delivers it again.
    Answer {
        /// Which one.
        delivery: DeliveryId,
        /// Whether it is stored.
        accept: bool,
    },
}

/// A request to the engine.
///
/// A request without a reply in time, or whose connection was lost, has the reply [`Reply::Failed`]. It may have been carried
/// out all the same, or still be, at any later time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Store that the node lives: [`Reply::Done`].
    PutNode {
        /// How many binds it has.
        binds: u16,
        /// Whether it ends: it takes no share of the binds any more, and its messages in flight are still its own.
        leaving: bool,
    },
    /// Delete that entry: [`Reply::Done`].
    DeleteNode,
    /// List the nodes and the leases that exist: [`Reply::Members`].
    ListMembers,
    /// Create a lease that must not exist: [`Reply::Done`] or [`Reply::Conflict`].
    CreateLease {
        /// Its number, from 0.
        lease: u16,
    },
    /// Write the lease again if its revision is this one: [`Reply::Done`] or [`Reply::Conflict`].
    RenewLease {
        /// Its number.
        lease: u16,
        /// The revision that the node knows.
        revision: u64,
    },
    /// Read a lease: [`Reply::Lease`].
    ReadLease {
        /// Its number.
        lease: u16,
    },
    /// Delete exactly this revision of the lease: [`Reply::Done`], also if it does not exist.
    DeleteLease {
        /// Its number.
        lease: u16,
        /// The revision.
        revision: u64,
    },
    /// Write the attempt if the revision of its key is this one, 0 if it must not exist: [`Reply::Done`] or
    /// [`Reply::Conflict`]. It stays until [`ForgetKeys`](Self::ForgetKeys).
    WriteAttempt {
        /// The key of the message.
        key: String,
        /// The revision that the node knows, or 0.
        revision: u64,
        /// What to write.
        attempt: Attempt,
    },
    /// Read the attempt of a key: [`Reply::Attempt`].
    ReadAttempt {
        /// The key of the message.
        key: String,
    },
    /// Store whose id it is: [`Reply::Done`].
    StoreId {
        /// The normalised id of the SMSC.
        id: String,
        /// The part of the message that has it.
        owner: IdOwner,
    },
    /// Find the first of these ids that is stored: [`Reply::Owner`].
    FindId {
        /// The normalised ids that the receipt may mean, the most likely first.
        ids: Vec<String>,
    },
    /// Store an event, unless one of the same [identity](Event::identity) is stored: [`Reply::Done`], or [`Reply::Conflict`] if it is.
    Publish(Box<Event>),
    /// Look for an event: [`Reply::Found`].
    FindEvent(Box<Event>),
    /// Acknowledge a message, so that the queue deletes it: [`Reply::Done`] once the engine has confirmed that.
    Acknowledge(AckToken),
    /// Tell the queue never to deliver the message again: [`Reply::Done`] once that has been sent.
    Terminate(AckToken),
    /// Read the group: [`Reply::Group`].
    ReadGroup {
        /// Its name: [`PhonePart::group`].
        group: String,
    },
    /// Write the group if its revision is this one, 0 if it must not exist: [`Reply::Done`] or [`Reply::Conflict`]. One
    /// without parts disappears after the time that digests are remembered, one with parts stays.
    WriteGroup {
        /// Its name.
        group: String,
        /// The revision that the node knows, or 0.
        revision: u64,
        /// What to write. If there is little room left, a part that makes nothing complete is not written: [`Reply::Failed`].
        content: Box<Group>,
    },
    /// List the groups with parts that were not written for so long, the oldest first, and the oldest of all if there is little
    /// room left for others: [`Reply::Groups`].
    ListGroups {
        /// How long.
        age: Duration,
    },
    /// Delete the attempts that nobody needs any more: [`Reply::Done`]. An attempt is needed until all messages have left the
    /// queue that were published before it was written, or within the time that keys are remembered after that.
    ForgetKeys,
}

/// The reply to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is done. The number is the revision that was written, 0 if nothing was.
    Done(u64),
    /// The revision is another one: nothing was written.
    Conflict,
    /// It is not known whether it was done.
    Failed,
    /// The nodes that live, and the numbers of the leases that exist.
    Members {
        /// The instances of the nodes that share the binds.
        nodes: Vec<String>,
        /// The instances of those that end.
        leaving: Vec<String>,
        /// The leases.
        leases: Vec<u16>,
    },
    /// The lease: its revision and its holder.
    Lease(Option<(u64, String)>),
    /// The attempt of the key: its revision, and what it says.
    Attempt(Option<(u64, Attempt)>),
    /// The part of the message that has the id.
    Owner(Option<IdOwner>),
    /// Whether the event is stored.
    Found(bool),
    /// The group: its revision, and what it says.
    Group(Option<(u64, Group)>),
    /// The names of groups, each with its revision.
    Groups(Vec<(String, u64)>),
}

/// What is stored about a message that a node is about to submit, or that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The instance of the node that submits it, or that has recorded its outcome; empty if no node does.
    pub node: String,
    /// Distinguishes the attempts of one instance.
    pub nonce: u64,
    /// The sequence number of the message in the queue.
    #[serde(default)]
    pub sequence: u64,
    /// How many earlier attempts may have sent it.
    #[serde(default)]
    pub sent_before: u32,
    /// How it ended, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

impl Attempt {
    /// Reads what is stored. An empty entry is one that was deleted: it counts as withdrawn. What cannot be read counts as the
    /// attempt of a node that has died: the message may have been sent.
    pub fn read(stored: &[u8]) -> Self {
        let unreadable = || {
            let node = if stored.is_empty() { String::new() } else { "?".into() };
            Self { node, nonce: 0, sequence: 0, sent_before: 0, outcome: None }
        };
        serde_json::from_slice(stored).unwrap_or_else(|_| unreadable())
    }
}

/// How a message ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// `accepted`, `refused`, `expired`, `uncertain` or `invalid`.
    pub kind: EventKind,
    /// How many parts the message has; 0 if that is not known.
    #[serde(default)]
    pub parts: u8,
    /// The parts that the SMSC has accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<AcceptedPart>,
    /// Why it was not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The `command_status` with which the SMSC refused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u32>,
    /// Whether an earlier attempt may have sent it too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub possible_duplicate: bool,
}

impl Outcome {
    /// Returns an outcome without an accepted part.
    pub fn new(kind: EventKind, reason: impl Into<String>) -> Self {
        Self {
            kind,
            parts: 0,
            accepted: Vec::new(),
            reason: Some(reason.into()),
            status: None,
            possible_duplicate: false,
        }
    }
}

/// A part that the SMSC has accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedPart {
    /// The part, from 1.
    pub part: u8,
    /// The id as the SMSC wrote it.
    pub id: String,
    /// The id normalised, as receipts are matched: hexadecimal. Empty if no receipt will have it.
    pub normalised: String,
}

/// Whose id it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdOwner {
    /// The key of the message.
    pub key: String,
    /// The part, from 1.
    pub part: u8,
    /// How many parts the message has.
    pub parts: u8,
}

/// How the driver reports the end of a submitted message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It has an outcome. [`Outcome::possible_duplicate`] is set by the node.
    Outcome(Outcome),
    /// Nothing of it was sent, for a reason that is not its own: it goes back to the queue.
    NeverSent,
}

/// The kind of an event: the last token of its subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// The SMSC has accepted all parts of a message.
    Accepted,
    /// The SMSC has refused it.
    Refused,
    /// Its deadline passed before all of it was sent.
    Expired,
    /// The SMSC may have accepted it.
    Uncertain,
    /// A delivery receipt of a message whose key is known.
    Receipt,
    /// A message from a phone.
    Message,
    /// A delivery receipt whose id nobody knows.
    Unmatched,
    /// What was published is no message, or cannot be sent.
    Invalid,
    /// A node began, ended, bound or lost a bind.
    Node,
}

impl EventKind {
    /// Returns the last token of the subject.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Uncertain => "uncertain",
            Self::Receipt => "receipt",
            Self::Message => "message",
            Self::Unmatched => "unmatched",
            Self::Invalid => "invalid",
            Self::Node => "node",
        }
    }
}

/// An event to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What it is about: the key of a message, the id of a receipt whose key nobody knows.
    pub about: String,
    /// Distinguishes it from others of the same kind about the same.
    pub detail: String,
    /// What it says.
    pub body: EventBody,
}

impl Event {
    /// Returns the event with the outcome of a message that has this sequence number in the queue.
    pub fn outcome(key: &str, sequence: u64, outcome: Outcome) -> Self {
        let body = EventBody::Outcome { key: key.to_owned(), outcome };
        Self { about: key.to_owned(), detail: sequence.to_string(), body }
    }

    /// Returns the event of a receipt. The same receipt on another bind or node has the same id. A message that was sent twice has
    /// the receipts of two ids. An SMSC may use an id again: what tells two receipts apart that nobody knows is their content.
    pub fn receipt(owner: Option<IdOwner>, receipt: ReceiptDetails) -> Self {
        let ReceiptDetails { id, stat, digest, .. } = &receipt;
        let (about, detail) = match &owner {
            Some(owner) => (owner.key.clone(), format!("{id}-{stat}")),
            None => (id.clone(), format!("{stat}-{digest}")),
        };
        Self { about, detail, body: EventBody::Receipt { owner, receipt } }
    }

    /// Returns what identifies it, whoever tells it.
    pub fn identity(&self) -> (EventKind, &str, &str) {
        (self.kind(), &self.about, &self.detail)
    }

    /// Returns its kind.
    pub const fn kind(&self) -> EventKind {
        match &self.body {
            EventBody::Outcome { outcome, .. } => outcome.kind,
            EventBody::Receipt { owner: Some(_), .. } => EventKind::Receipt,
            EventBody::Receipt { owner: None, .. } => EventKind::Unmatched,
            EventBody::Message { .. } => EventKind::Message,
            EventBody::Invalid(_) => EventKind::Invalid,
        }
    }
}

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventBody {
    /// How a message ended.
    Outcome {
        /// Its key.
        key: String,
        /// How it ended.
        outcome: Outcome,
    },
    /// A delivery receipt.
    Receipt {
        /// The part that it is about; `None` if nobody knows its id.
        owner: Option<IdOwner>,
        /// The receipt.
        receipt: ReceiptDetails,
    },
    /// A message from a phone.
    Message {
        /// Its parts in order; one for a message that is not concatenated. Fewer than their [`PhonePart::total`] if the others did
        /// not come.
        parts: Vec<PhonePart>,
    },
    /// What was published is no message.
    Invalid(Invalid),
}

/// A delivery receipt as an event shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptDetails {
    /// The id as the receipt writes it.
    pub id: String,
    /// The state, for example `DELIVERED`.
    pub state: String,
    /// Whether no other receipt of the part follows.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// The state as the receipt writes it.
    pub stat: String,
    /// The error code of the SMSC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub err: Option<String>,
    /// Identifies the content of the receipt.
    #[serde(skip)]
    pub digest: String,
}

/// One part of a message from a phone, or a whole one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhonePart {
    /// A hash of sender and recipient, the reference and the number of parts in one word that is safe in a subject; empty
    /// for a message that is not concatenated.
    pub group: String,
    /// The number of the part, from 1.
    pub number: u8,
    /// How many parts the message has.
    pub total: u8,
    /// Identifies the content of the part.
    pub digest: String,
    /// The phone.
    pub from: String,
    /// The number or name that it wrote to.
    pub to: String,
    /// The `data_coding`.
    pub data_coding: u8,
    /// The `esm_class`.
    pub esm_class: u8,
    /// The user data as it arrived, with its header if `esm_class` says that it has one: hexadecimal.
    pub octets: String,
}

/// Omits numbers and text, and the group, which follows from the numbers.
impl std::fmt::Debug for PhonePart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PhonePart")
            .field("number", &self.number)
            .field("total", &self.total)
            .finish_non_exhaustive()
    }
}

/// The parts of messages from phones that have the same sender, recipient, reference and number of parts.
///
/// The parts that are stored wait for the others. Then they are decided: as a whole message, or as what there is of it. From
/// then on the group takes no part until their event is stored, so that each part is in one event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The parts by their numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PhonePart>,
    /// The [detail](Event::detail) of their event, once they are decided. No other event has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<String>,
    /// The parts that were told, the last ones last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<ToldPart>,
}

/// A part that was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldPart {
    /// Its number.
    pub number: u8,
    /// The digest of its text.
    pub digest: String,
    /// When it was told, in seconds since 1970. The engine sets it when it stores a part for which it is 0, and does not
    /// return parts that are too old.
    #[serde(default)]
    pub at: u64,
}

/// How many parts a group remembers that were told: those of two messages at least.
const MAX_TOLD: usize = 510;

impl Group {
    /// Returns whether the part was told, so that it is one that the SMSC has delivered again.
    pub fn was_told(&self, part: &PhonePart) -> bool {
        self.told.iter().any(|it| it.number == part.number && it.digest == part.digest)
    }

    /// Returns the event of the parts, if they are decided.
    pub fn event(&self, name: &str) -> Option<Event> {
        let detail = self.decided.clone().filter(|_| !self.parts.is_empty())?;
        Some(Event { about: name.to_owned(), detail, body: EventBody::Message { parts: self.parts.clone() } })
    }

    /// Returns the group once the event of its parts is stored.
    #[must_use]
    pub fn after_telling(mut self) -> Self {
        let told = |part: PhonePart| ToldPart { number: part.number, digest: part.digest, at: 0 };
        self.told.extend(self.parts.into_iter().map(told));
        let surplus = self.told.len().saturating_sub(MAX_TOLD);
        self.told.drain(..surplus);
        Self { parts: Vec::new(), decided: None, told: self.told }
    }
}
