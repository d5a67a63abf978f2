//! The log of the simulated SMSC: what a test asserts on.

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use crate::pdu::{BindMode, CommandStatus, DataCoding, MessageState, RegisteredDelivery, SubmitSm};
use crate::session::{CloseReason, Instant};
use crate::sms::{Codings, Pushed, Reassembler, ReassemblyLimits};

/// A bind, or a request for one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoggedBind {
    /// The system_id. Octets that are no UTF-8 are replaced.
    pub system_id: String,
    /// Whether it sends, receives, or both.
    pub mode: BindMode,
    /// The address of the ESME; `None` if the server does not tell it.
    pub peer: Option<SocketAddr>,
}

/// A message of an ESME: whole, if its segments have all arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoggedMessage {
    /// The bind that submitted it, or its last segment.
    pub bind: Arc<LoggedBind>,
    /// The source address: digits or a name.
    pub source: String,
    /// The destination address: digits.
    pub destination: String,
    /// The decoded text of all segments; `None` if the `data_coding` means no text or the octets are not in its alphabet.
    pub text: Option<String>,
    /// The octets of all segments, without their headers.
    pub octets: Vec<u8>,
    /// The `data_coding` of the last segment that arrived.
    pub data_coding: DataCoding,
    /// Which receipts it requests.
    pub registered_delivery: RegisteredDelivery,
    /// The message id of each segment, in the order of the segments; as in the responses.
    pub message_ids: Vec<String>,
}

/// The end of an attempt to deliver a receipt or a mobile-originated (MO) message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoggedDelivery {
    /// The account.
    pub system_id: String,
    /// The source address of the deliver_sm.
    pub source: String,
    /// The destination address of the deliver_sm.
    pub destination: String,
    /// The message state of a receipt; `None` for an MO message.
    pub state: Option<MessageState>,
    /// The id of the message that a receipt is about, as in its response.
    pub message_id: Option<String>,
    /// The text: that of the receipt, or of the segment of an MO message; `None` if it is no text.
    pub text: Option<String>,
    /// Whether the ESME has accepted it.
    pub outcome: Result<(), DeliveryFailure>,
}

/// Why an ESME did not accept a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryFailure {
    /// It refused the delivery with this status.
    Refused(CommandStatus),
    /// It did not respond, or the bind ended.
    Unanswered,
}

/// One entry of the [`Log`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogEntry {
    /// An ESME has bound.
    Bound(Arc<LoggedBind>),
    /// A bind was refused with this status.
    BindRefused(Arc<LoggedBind>, CommandStatus),
    /// A message was accepted, with all its segments.
    Message(LoggedMessage),
    /// A message, or one segment of it, was refused with this status.
    MessageRefused(LoggedMessage, CommandStatus),
    /// A receipt or an MO message was delivered, or refused.
    Delivered(LoggedDelivery),
    /// A bind has ended. `None` if the server does not tell why.
    Ended(Arc<LoggedBind>, Option<CloseReason>),
}

/// What has happened at the SMSC, in order. It holds the last 10,000 entries unless
/// [`set_capacity`](Self::set_capacity) changes that.
///
/// ```
/// use smpp_proto::session::Instant;
/// use smpp_proto::simulator::{Rules, Simulator};
/// use smpp_proto::{Address, Bind, BindMode, COctets, ShortMessage, SubmitSm};
///
/// let mut smsc = Simulator::new(Rules::default());
/// smsc.add_account("shop", "secret");
/// let bind = smsc.admit(b"shop", BindMode::Transceiver).unwrap();
/// let message = SubmitSm {
///     destination: Address::international("6591234567")?,
///     short_message: ShortMessage::new(b"Hello")?,
///     ..SubmitSm::default()
/// };
/// smsc.respond(Instant::ZERO, bind, &message);
/// let logged = smsc.log_mut().take_message().unwrap();
/// assert_eq!((&*logged.destination, logged.text.as_deref()), ("6591234567", Some("Hello")));
/// assert_eq!(smsc.log_mut().take_message(), None, "each is taken once");
/// assert_eq!(smsc.log().messages().count(), 1, "and stays in the log");
/// # Ok::<(), smpp_proto::InvalidOctets>(())
/// ```
#[derive(Debug)]
pub struct Log {
    entries: VecDeque<LogEntry>,
    capacity: usize,
    /// The number of entries that were removed.
    removed: u64,
    /// Where each kind was taken last: see [`take`](Self::take).
    taken: [u64; 4],
    reassembler: Reassembler<String>,
}

/// The index in [`Log::taken`] of each kind of entries.
#[derive(Clone, Copy)]
enum Kind {
    Bind,
    Message,
    Refusal,
    Delivery,
}

impl Default for Log {
    fn default() -> Self {
        let limits = ReassemblyLimits::default();
        let (max_messages_per_sender, max_octets_per_sender) = (limits.max_messages, limits.max_octets);
        // A message that is sent again, with all its segments, is logged again.
        let duplicate_window = Duration::ZERO;
        let limits =
            ReassemblyLimits { max_messages_per_sender, max_octets_per_sender, duplicate_window, ..limits };
        let reassembler = Reassembler::new(limits);
        Self { entries: VecDeque::new(), capacity: 10_000, removed: 0, taken: [0; 4], reassembler }
    }
}

impl Log {
    /// Sets how many entries the log holds; the oldest are removed for new ones. With 0 nothing is logged.
    pub fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
        self.shrink_to(capacity);
    }

    /// Returns the entries, oldest first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &LogEntry> {
        self.entries.iter()
    }

    /// Returns the accepted messages, oldest first.
    pub fn messages(&self) -> impl DoubleEndedIterator<Item = &LoggedMessage> {
        self.entries.iter().filter_map(|entry| match entry {
            LogEntry::Message(message) => Some(message),
            _ => None,
        })
    }

    /// Returns the number of entries that were removed because the log was full.
    pub const fn removed(&self) -> u64 {
        self.removed
    }

    /// Returns the next accepted message that was not taken before; it stays in the log.
    pub fn take_message(&mut self) -> Option<LoggedMessage> {
        self.take(Kind::Message, |entry| match entry {
            LogEntry::Message(message) => Some(message.clone()),
            _ => None,
        })
    }

    /// Returns the next bind that was not taken before, accepted or refused: with the status of a refused one.
    pub fn take_bind(&mut self) -> Option<(Arc<LoggedBind>, Result<(), CommandStatus>)> {
        self.take(Kind::Bind, |entry| match entry {
            LogEntry::Bound(bind) => Some((Arc::clone(bind), Ok(()))),
            LogEntry::BindRefused(bind, status) => Some((Arc::clone(bind), Err(*status))),
            _ => None,
        })
    }

    /// Returns the next refused message that was not taken before, and the status.
    pub fn take_refusal(&mut self) -> Option<(LoggedMessage, CommandStatus)> {
        self.take(Kind::Refusal, |entry| match entry {
            LogEntry::MessageRefused(message, status) => Some((message.clone(), *status)),
            _ => None,
        })
    }

    /// Returns the next delivery that was not taken before, of a receipt or an MO message.
    pub fn take_delivery(&mut self) -> Option<LoggedDelivery> {
        self.take(Kind::Delivery, |entry| match entry {
            LogEntry::Delivered(delivery) => Some(delivery.clone()),
            _ => None,
        })
    }

    /// Removes all entries, and the segments of incomplete messages.
    pub fn clear(&mut self) {
        self.shrink_to(0);
        while self.reassembler.evict().is_some() {}
    }

    fn take<T>(&mut self, kind: Kind, pick: impl Fn(&LogEntry) -> Option<T>) -> Option<T> {
        let taken = self.taken.get_mut(kind as usize)?;
        let skipped = usize::try_from(taken.saturating_sub(self.removed)).unwrap_or(usize::MAX);
        let found =
            self.entries.iter().enumerate().skip(skipped).find_map(|(at, entry)| Some((at, pick(entry)?)));
        let end = found.as_ref().map_or(self.entries.len(), |(at, _)| at + 1);
        *taken = self.removed + end as u64;
        found.map(|(_, picked)| picked)
    }

    fn shrink_to(&mut self, length: usize) {
        let surplus = self.entries.len().saturating_sub(length);
        self.entries.drain(..surplus);
        self.removed += surplus as u64;
    }

    /// Returns whether entries are recorded.
    pub(super) const fn is_enabled(&self) -> bool {
        self.capacity > 0
    }

    /// Appends an entry.
    pub(super) fn record(&mut self, entry: impl FnOnce() -> LogEntry) {
        if self.is_enabled() {
            self.shrink_to(self.capacity - 1);
            self.entries.push_back(entry());
        }
    }

    /// Records a message that was accepted with this id, or refused.
    pub(super) fn record_message(
        &mut self,
        now: Instant,
        (bind, message): (&Arc<LoggedBind>, &SubmitSm<'_>),
        outcome: Result<&str, CommandStatus>,
        codings: Codings,
    ) {
        if !self.is_enabled() {
            return;
        }
        let user_data = message.user_data().ok();
        let mut logged = LoggedMessage {
            bind: Arc::clone(bind),
            source: lossy(message.source.digits.as_bytes()),
            destination: lossy(message.destination.digits.as_bytes()),
            text: user_data.as_ref().and_then(|user_data| user_data.text(codings)),
            octets: user_data.as_ref().map_or(message.text(), |user_data| user_data.octets).to_vec(),
            data_coding: message.data_coding,
            registered_delivery: message.registered_delivery,
            message_ids: Vec::new(),
        };
        let id = match outcome {
            Ok(id) => id.to_string(),
            Err(status) => return self.record(|| LogEntry::MessageRefused(logged, status)),
        };
        while self.reassembler.handle_timeout(now).is_some() {}
        let (source, destination) = (message.source, message.destination);
        let pushed = user_data.as_ref().map(|user_data| {
            loop {
                match self.reassembler.push(now, source, destination, user_data, id.clone()) {
                    Err(error) if self.reassembler.evict_for(&error).is_some() => {}
                    pushed => break pushed.ok(),
                }
            }
        });
        match pushed.flatten() {
            Some(Pushed::Stored { .. } | Pushed::Duplicate { .. }) => return,
            Some(Pushed::Complete(whole)) => {
                (logged.text, logged.octets) = (whole.text(codings), whole.octets());
                logged.message_ids.extend(whole.into_tags());
            }
            _ => logged.message_ids.push(id),
        }
        self.record(|| LogEntry::Message(logged));
    }
}

/// Replaces octets that are no UTF-8.
pub(super) fn lossy(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

impl fmt::Display for DeliveryFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(status) => write!(f, "the ESME refused it with {status}"),
            Self::Unanswered => f.write_str("the ESME did not respond, or the bind ended"),
        }
    }
}

impl core::error::Error for DeliveryFailure {}

/// One line: for the output of a test that fails.
impl fmt::Display for LogEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bound(bind) => write!(f, "bound: {bind}"),
            Self::BindRefused(bind, status) => write!(f, "bind refused with {status}: {bind}"),
            Self::Message(message) => write!(f, "message: {message}"),
            Self::MessageRefused(message, status) => write!(f, "message refused with {status}: {message}"),
            Self::Delivered(delivery) => write!(f, "{delivery}"),
            Self::Ended(bind, None) => write!(f, "ended: {bind}"),
            Self::Ended(bind, Some(reason)) => write!(f, "ended ({reason}): {bind}"),
        }
    }
}

impl fmt::Display for LoggedBind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?})", self.system_id, self.mode)?;
        self.peer.map_or(Ok(()), |peer| write!(f, " from {peer}"))
    }
}

impl fmt::Display for LoggedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, destination, octets, .. } = self;
        match &self.text {
            Some(text) => write!(f, "from \"{source}\" to \"{destination}\": {text:?}"),
            None => write!(f, "from \"{source}\" to \"{destination}\": {} octets", octets.len()),
        }
    }
}

impl fmt::Display for LoggedDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.state, &self.message_id) {
            (Some(state), Some(id)) => write!(f, "receipt {state:?} of {id}")?,
            (Some(state), None) => write!(f, "receipt {state:?}")?,
            (None, _) => f.write_str("MO message")?,
        }
        write!(f, " from \"{}\" to \"{}\": ", self.source, self.destination)?;
        match &self.outcome {
            Ok(()) => f.write_str("accepted"),
            Err(failure) => failure.fmt(f),
        }
    }
}
