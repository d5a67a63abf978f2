//! Mobile-originated (MO) messages whose outcome a test waits for.

use alloc::collections::VecDeque;

use super::delivery::{Content, PendingDelivery};
use super::log::DeliveryFailure;
use super::waiting::{DeliverError, NotLogged};
use super::{OriginateError, Simulator};
use crate::pdu::{Address, DataCoding};
use crate::session::Instant;
use crate::sms::{ConcatRef, Segmentation, TextOptions};

/// The most messages whose outcome is known. Beyond it that of the oldest is forgotten.
const MAX_MESSAGES: usize = 10_000;

/// A mobile-originated (MO) message: the text of a phone to an account.
///
/// ```
/// use smpp_proto::DataCoding;
/// use smpp_proto::simulator::{MoMessage, MoSegmentation};
///
/// let long = "A long text. ".repeat(30);
/// let message = MoMessage::new("+6591234567", "8888", &long).segmentation(MoSegmentation::Sar);
/// let chinese = MoMessage::new("+6591234567", "8888", "你好").data_coding(DataCoding::UCS2);
/// # let _ = (message, chinese);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MoMessage<'a> {
    /// The system_id of the account; `None` for the first one.
    pub account: Option<&'a str>,
    /// The phone: its type by its form, as [`Address::sender`] decides.
    pub source: &'a str,
    /// The number of the account, likewise.
    pub destination: &'a str,
    /// The text, of any length up to 255 segments.
    pub text: &'a str,
    /// The alphabet; `None` for the default one of the SMSC if it has all characters, otherwise UCS-2.
    pub data_coding: Option<DataCoding>,
    /// How a long text is sent. Default: user data headers.
    pub segmentation: MoSegmentation,
}

/// How a long mobile-originated text is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MoSegmentation {
    /// Several segments with user data headers and an 8-bit reference.
    #[default]
    Udh,
    /// Several segments with user data headers and a 16-bit reference.
    WideUdh,
    /// Several segments with the sar_ parameters.
    Sar,
    /// One `message_payload`, even for a short text.
    Payload,
}

/// Identifies a mobile-originated message of [`Simulator::deliver`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MoId(u64);

/// The messages whose outcome is awaited, oldest first.
#[derive(Debug, Default)]
pub(super) struct MoMessages {
    last: u64,
    awaited: VecDeque<AwaitedMo>,
}

#[derive(Debug)]
struct AwaitedMo {
    id: MoId,
    /// The segments that have no outcome yet.
    left: usize,
    failure: Option<DeliveryFailure>,
}

impl<'a> MoMessage<'a> {
    /// Returns the message of a phone for the first account.
    pub const fn new(source: &'a str, destination: &'a str, text: &'a str) -> Self {
        let segmentation = MoSegmentation::Udh;
        Self { account: None, source, destination, text, data_coding: None, segmentation }
    }

    crate::setters! {
        account: impl Into<Option<&'a str>>,
        data_coding: impl Into<Option<DataCoding>>,
        const segmentation: MoSegmentation,
    }
}

impl MoMessages {
    fn add(&mut self, segments: usize) -> MoId {
        if self.awaited.len() >= MAX_MESSAGES {
            self.awaited.pop_front();
        }
        self.last += 1;
        let id = MoId(self.last);
        self.awaited.push_back(AwaitedMo { id, left: segments, failure: None });
        id
    }

    /// Records the outcome of one segment. Returns whether the message is still known.
    pub(super) fn record(&mut self, id: MoId, outcome: Result<(), DeliveryFailure>) -> bool {
        let Some(message) = self.awaited.iter_mut().find(|message| message.id == id) else { return false };
        message.left = message.left.saturating_sub(1);
        message.failure = message.failure.or(outcome.err());
        true
    }
}

impl Simulator {
    /// Schedules a mobile-originated message, whose outcome [`poll_delivered`](Self::poll_delivered) returns. It is sent
    /// once: unlike one of [`originate`](Self::originate), a segment that the ESME refuses is not sent again. As long as the
    /// account has no receiving bind it waits.
    ///
    /// # Errors
    ///
    /// [`OriginateError`] says why; nothing is scheduled then.
    pub fn deliver(&mut self, now: Instant, message: &MoMessage<'_>) -> Result<MoId, OriginateError> {
        let account = self.recipient(message).ok_or(OriginateError::NoAccount)?;
        let source = Address::sender(message.source).map_err(OriginateError::Address)?;
        let destination = Address::sender(message.destination).map_err(OriginateError::Address)?;
        let options = TextOptions { codings: self.codings(), ..TextOptions::default() };
        let text = match message.data_coding {
            Some(data_coding) => options.text_as(message.text, data_coding),
            None => options.text(message.text),
        };
        let narrow = self.reference;
        let form = match message.segmentation {
            MoSegmentation::Udh => Segmentation::Udh(ConcatRef::Narrow(narrow)),
            MoSegmentation::WideUdh => Segmentation::Udh(ConcatRef::Wide(narrow.into())),
            MoSegmentation::Sar => Segmentation::Sar(narrow.into()),
            MoSegmentation::Payload => Segmentation::Payload,
        };
        let segments =
            text.map_err(OriginateError::Encoding)?.segments(form).map_err(OriginateError::Text)?;
        let total = segments.len();
        if self.pending() + total > self.rules.max_receipts {
            return Err(OriginateError::Full);
        }
        self.reference = narrow.wrapping_add((total > 1).into());
        let id = self.mo_messages.add(total);
        for segment in segments {
            let (source, destination) = (source.into(), destination.into());
            let content = Content::from(segment);
            let pending = PendingDelivery {
                due: now,
                source,
                destination,
                submitter: None,
                number: None,
                mo: Some(id),
                content,
            };
            self.enqueue(account, pending);
        }
        Ok(id)
    }

    /// Returns the account that a message is for.
    fn recipient(&self, message: &MoMessage<'_>) -> Option<usize> {
        match message.account {
            Some(system_id) => self.account(system_id.as_bytes()),
            None => (!self.accounts.is_empty()).then_some(0),
        }
    }

    /// Returns why a test has waited in vain for the outcome of a message of [`deliver`](Self::deliver): the account has no bind
    /// that receives, or the client has not responded.
    pub fn no_outcome(&self, message: &MoMessage<'_>, waited: NotLogged) -> DeliverError {
        let Some(account) = self.recipient(message) else { return DeliverError::Timeout(waited) };
        if self.receiver(account, 0, None).is_some() {
            return DeliverError::Timeout(waited);
        }
        let system_id = self.accounts.get(account).map(|account| account.system_id.clone());
        DeliverError::NoBind { system_id: system_id.unwrap_or_default(), waited }
    }

    /// Returns the outcome of a message once all its segments have one, and forgets it; `None` before.
    pub fn poll_delivered(&mut self, id: MoId) -> Option<Result<(), DeliveryFailure>> {
        let awaited = &mut self.mo_messages.awaited;
        let Some(at) = awaited.iter().position(|message| message.id == id) else {
            // It was forgotten.
            return Some(Err(DeliveryFailure::Unanswered));
        };
        let message = awaited.get(at).filter(|message| message.left == 0)?;
        let outcome = message.failure.map_or(Ok(()), Err);
        awaited.remove(at);
        Some(outcome)
    }
}
