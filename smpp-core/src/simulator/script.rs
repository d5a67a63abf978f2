//! Scripted answers: how the simulated SMSC responds to chosen messages.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::fault_filter::ResponseFault;
use crate::pdu::{CommandStatus, MessageState, SubmitSm};

/// The most rules of a script. Further ones replace the oldest.
const MAX_RULES: usize = 10_000;

/// The octets of a message_id, without its NUL.
const MAX_MESSAGE_ID: usize = 64;

/// Which `submit_sm` an [`Answer`] is for: those that meet all conditions, and of these the next one, every Nth, or all.
///
/// ```
/// use smpp_proto::simulator::When;
/// let third_to_this_number = When::nth(3).to("6591234567");
/// let every_tenth_with_a_code = When::every(10).containing("code");
/// # let _ = (third_to_this_number, every_tenth_with_a_code);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    to: Option<String>,
    from: Option<String>,
    containing: Option<String>,
    /// How many `submit_sm` pass before the first one that is answered.
    skip: u32,
    /// One of so many is answered.
    every: u32,
    /// How many are answered; `None` for no limit.
    times: Option<u32>,
}

impl When {
    /// The next message.
    pub fn next() -> Self {
        Self::nth(1)
    }

    /// The `n`th message from now on, from 1.
    pub fn nth(n: u32) -> Self {
        Self { times: Some(1), skip: n.saturating_sub(1), ..Self::always() }
    }

    /// Every `n`th message: the `n`th first. 0 is as 1.
    pub fn every(n: u32) -> Self {
        Self { skip: n.saturating_sub(1), every: if n == 0 { 1 } else { n }, ..Self::always() }
    }

    /// Every message.
    pub const fn always() -> Self {
        Self { to: None, from: None, containing: None, skip: 0, every: 1, times: None }
    }

    /// Only messages to this destination: the digits as in the `submit_sm`, a leading `+` aside.
    #[must_use]
    pub fn to(self, digits: &str) -> Self {
        Self { to: Some(without_plus(digits).into()), ..self }
    }

    /// Only messages from this source: digits, a leading `+` aside, or a name.
    #[must_use]
    pub fn from(self, source: &str) -> Self {
        Self { from: Some(without_plus(source).into()), ..self }
    }

    /// Only messages whose text contains this one. The text of a segment is that of the segment.
    #[must_use]
    pub fn containing(self, text: &str) -> Self {
        Self { containing: Some(text.into()), ..self }
    }

    /// At most so many messages; then the rule has no effect any more.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    fn meets(&self, message: &SubmitSm<'_>, text: Option<&str>) -> bool {
        let is = |expected: &Option<String>, octets: &[u8]| {
            expected.as_ref().is_none_or(|expected| expected.as_bytes() == octets)
        };
        is(&self.to, message.destination.digits.as_bytes())
            && is(&self.from, message.source.digits.as_bytes())
            && self.containing.as_ref().is_none_or(|part| text.is_some_and(|text| text.contains(&**part)))
    }
}

fn without_plus(digits: &str) -> &str {
    digits.strip_prefix('+').unwrap_or(digits)
}

/// How the SMSC responds to a message, instead of as its [`Rules`](super::Rules) say.
///
/// ```
/// use core::time::Duration;
/// use smpp_proto::simulator::{Answer, ResponseFault};
/// use smpp_proto::{CommandStatus, MessageState};
///
/// let refused = Answer::refuse(CommandStatus::RMSGQFUL);
/// let late_and_expired = Answer::accept().after(Duration::from_secs(2)).receipt(MessageState::EXPIRED);
/// let with_another_id = Answer::accept().message_id("no-such-message");
/// let cut = Answer::accept().fault(ResponseFault::Cut);
/// # let _ = (refused, late_and_expired, with_another_id, cut);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub(super) status: Option<CommandStatus>,
    pub(super) message_id: Option<String>,
    pub(super) delay: Duration,
    pub(super) fault: Option<ResponseFault>,
    pub(super) receipt: ScriptedReceipt,
}

/// The receipt of a message whose answer is scripted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ScriptedReceipt {
    /// The final state; `None` for that of the rules.
    pub(super) state: Option<MessageState>,
    pub(super) is_omitted: bool,
}

impl Answer {
    /// Accepts the message, if the rules accept it.
    pub const fn accept() -> Self {
        let receipt = ScriptedReceipt { state: None, is_omitted: false };
        Self { status: None, message_id: None, delay: Duration::ZERO, fault: None, receipt }
    }

    /// Refuses the message with this status, for example `ESME_RTHROTTLED` or `ESME_RMSGQFUL`.
    pub fn refuse(status: CommandStatus) -> Self {
        Self { status: Some(status), ..Self::accept() }
    }

    /// Accepts the message and never responds.
    pub fn never() -> Self {
        Self { fault: Some(ResponseFault::Never), ..Self::accept() }
    }

    /// Puts another message id into the response. Receipts keep the real one, so that they match no message.
    ///
    /// The response has what fits into its field: the first 64 octets, cut before a character that is not complete, and nothing
    /// from the first NUL on (SMPP 3.4 §5.2.23).
    #[must_use]
    pub fn message_id(self, id: &str) -> Self {
        let id = id.split('\0').next().unwrap_or_default();
        let id = (0..=id.len().min(MAX_MESSAGE_ID)).rev().find_map(|end| id.get(..end)).unwrap_or_default();
        Self { message_id: Some(id.into()), ..self }
    }

    /// Responds so much later.
    #[must_use]
    pub const fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Injects a fault into the response.
    #[must_use]
    pub const fn fault(mut self, fault: ResponseFault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Gives the message this final state, which its receipt reports.
    #[must_use]
    pub const fn receipt(mut self, state: MessageState) -> Self {
        self.receipt.state = Some(state);
        self
    }

    /// Sends no receipt, even if the message requests one.
    #[must_use]
    pub const fn no_receipt(mut self) -> Self {
        self.receipt.is_omitted = true;
        self
    }
}

/// The scripted answers, oldest first.
#[derive(Debug, Default)]
pub(super) struct Script(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    when: When,
    answer: Answer,
    /// The messages that met its conditions.
    seen: u32,
}

impl Script {
    pub(super) fn add(&mut self, when: When, answer: Answer) {
        if self.0.len() >= MAX_RULES {
            self.0.remove(0);
        }
        self.0.push(Rule { when, answer, seen: 0 });
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the answer of the first rule whose turn it is. Only the rules up to it count the message.
    pub(super) fn answer(&mut self, message: &SubmitSm<'_>, text: Option<&str>) -> Option<Answer> {
        let at = self.0.iter_mut().position(|rule| rule.meets(message, text))?;
        let rule = self.0.get_mut(at)?;
        let answer = rule.answer.clone();
        if let Some(times) = &mut rule.when.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.0.remove(at);
            }
        }
        Some(answer)
    }
}

impl Rule {
    /// Counts the message if it meets the conditions, and returns whether it is its turn.
    fn meets(&mut self, message: &SubmitSm<'_>, text: Option<&str>) -> bool {
        if self.when.times == Some(0) || !self.when.meets(message, text) {
            return false;
        }
        let before = self.seen;
        self.seen = self.seen.wrapping_add(1);
        before.checked_sub(self.when.skip).is_some_and(|since| since % self.when.every == 0)
    }
}
