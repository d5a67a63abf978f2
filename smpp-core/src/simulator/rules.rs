//! The rules of the simulated SMSC: its limits, its receipts and its faults.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use super::dialect::Dialect;
use super::rng::Rng;
use crate::pdu::MessageState;
use crate::provider::Provider;
use crate::session::{InvalidOption, Rate};
use crate::sms::Receipt;

/// The rules of the simulated SMSC: its limits, its receipts and its faults. The default limits are those that 8x8
/// publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rules {
    /// How many binds an account may hold at once; a further one is refused with [`Dialect::bind_status`]. Default 4.
    pub max_binds: u16,
    /// The rate limit of each bind ([`RateMeter`](crate::session::RateMeter)); a message beyond it is refused with
    /// [`Dialect::rate_status`]. `None` for no limit. Default 50 messages a second.
    pub rate: Option<Rate>,
    /// The percentage of messages, 0 to 100, that are refused with [`Dialect::rate_status`] although the rate limit allows them. Default
    /// 0.
    pub throttled_percent: u8,
    /// Whether messages that request receipts get them, and when. Default [`ReceiptTiming::Delayed`].
    pub receipt_timing: ReceiptTiming,
    /// The time from the submission to the receipt, and between two attempts to deliver one. Default 200 ms.
    pub receipt_delay: Duration,
    /// The final states of messages. Default `DELIVERED` for all.
    pub states: StateWeights,
    /// The most receipts and MO messages that wait for delivery; from there on messages are refused with `ESME_RMSGQFUL`. A
    /// message may add four: two receipts more and one MO message with some dialects. Default 100,000.
    pub max_receipts: usize,
    /// The wall clock at [`Instant::ZERO`](crate::session::Instant::ZERO), for the dates in receipts: seconds since 1970 in
    /// UTC. Default 0.
    pub epoch: u64,
    /// What the SMSC does in its own way. Default [`Dialect::default`].
    pub dialect: Dialect,
    /// The seed of message ids and random decisions. Default 0x8A8.
    pub seed: u64,
}

impl Rules {
    /// Checks that no percentage is above 100, and that no limit has a value with which nothing could work. The test SMSCs of the
    /// adapters call it.
    ///
    /// ```
    /// use smpp_proto::simulator::Rules;
    /// let error = Rules::default().throttled_percent(200).check().unwrap_err();
    /// assert_eq!(error.to_string(), "throttled_percent is above 100: set it to 0 to 100");
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidOption`] names the first field that cannot work.
    pub fn check(&self) -> Result<(), InvalidOption> {
        Rate::check(self.rate, "rate")?;
        check_percent(self.throttled_percent, "throttled_percent")?;
        InvalidOption::check(
            self.dialect.window != Some(0),
            "dialect.window",
            "is 0, so no message could be accepted: set it to 1 or more, or None for no limit",
        )?;
        InvalidOption::check(
            self.dialect.idle_timeout != Some(Duration::ZERO),
            "dialect.idle_timeout",
            "is zero, so every bind would end at once: set a longer time, or None to keep it",
        )
    }

    crate::setters! {
        max_binds: u16,
        rate: impl Into<Option<Rate>>,
        throttled_percent: u8,
        receipt_timing: ReceiptTiming,
        receipt_delay: Duration,
        states: StateWeights,
        max_receipts: usize,
        epoch: u64,
        dialect: Dialect,
        seed: u64,
    }
}

/// Checks a share of messages.
pub(super) fn check_percent(percent: u8, option: &'static str) -> Result<(), InvalidOption> {
    InvalidOption::check(percent <= 100, option, "is above 100: set it to 0 to 100")
}

/// Whether there are receipts, and when they are due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReceiptTiming {
    /// There are no receipts, even if a message requests them.
    Never,
    /// After [`Rules::receipt_delay`].
    #[default]
    Delayed,
    /// They are due at once: send them before the submit_sm_resp, as some SMSCs do.
    BeforeResponse,
}

impl Default for Rules {
    fn default() -> Self {
        let provider = Provider::EIGHT_BY_EIGHT;
        Self {
            max_binds: provider.max_binds.unwrap_or(u16::MAX),
            rate: provider.rate,
            throttled_percent: 0,
            receipt_timing: ReceiptTiming::default(),
            receipt_delay: Duration::from_millis(200),
            states: StateWeights::all(MessageState::DELIVERED),
            max_receipts: 100_000,
            epoch: 0,
            dialect: Dialect::default(),
            seed: 0x8A8,
        }
    }
}

/// The final states of messages: each is drawn at random with its weight.
///
/// ```
/// use smpp_proto::MessageState;
/// use smpp_proto::simulator::StateWeights;
/// let weights: StateWeights = "DELIVRD=90,UNDELIV=10".parse()?;
/// assert_eq!(StateWeights::new([(MessageState::DELIVERED, 90), (MessageState::UNDELIVERABLE, 10)]), Some(weights));
/// assert_eq!("EXPIRED".parse(), Ok(StateWeights::all(MessageState::EXPIRED)));
/// # Ok::<(), smpp_proto::simulator::StateWeightsError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateWeights {
    states: Vec<(MessageState, u32)>,
    total: u64,
}

/// Why a text is not a list of [`StateWeights`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateWeightsError {
    /// This is not the name of a state.
    State(String),
    /// This is not a weight: a whole number.
    Weight(String),
    /// No state has a weight above 0.
    Empty,
}

impl StateWeights {
    /// Gives all messages the same state.
    pub fn all(state: MessageState) -> Self {
        Self { states: [(state, 1)].into(), total: 1 }
    }

    /// Gives each state its weight. Returns `None` if no weight is above 0.
    pub fn new(states: impl IntoIterator<Item = (MessageState, u32)>) -> Option<Self> {
        let states: Vec<_> = states.into_iter().filter(|(_, weight)| *weight > 0).collect();
        let total = states.iter().map(|(_, weight)| u64::from(*weight)).sum();
        (total > 0).then_some(Self { states, total })
    }

    /// Draws the state of one message.
    pub(super) fn draw(&self, rng: &mut Rng) -> MessageState {
        let mut left = rng.below(self.total);
        for (state, weight) in &self.states {
            match left.checked_sub(u64::from(*weight)) {
                Some(rest) => left = rest,
                None => return *state,
            }
        }
        MessageState::UNKNOWN
    }
}

/// Parses `DELIVRD=90,UNDELIV=10`: the state words of receipts (SMPP 3.4 Appendix B), each with its weight; 1 if there is
/// none.
impl FromStr for StateWeights {
    type Err = StateWeightsError;

    fn from_str(text: &str) -> Result<Self, StateWeightsError> {
        let state = |item: &str| {
            let (word, weight) = item.split_once('=').unwrap_or((item, "1"));
            let receipt = Receipt { stat: word.trim().as_bytes(), ..Receipt::default() };
            let state = receipt.state().ok_or_else(|| StateWeightsError::State(word.trim().to_string()))?;
            let weight =
                weight.trim().parse().map_err(|_| StateWeightsError::Weight(weight.trim().to_string()))?;
            Ok((state, weight))
        };
        let states: Vec<_> = text.split(',').map(state).collect::<Result<_, _>>()?;
        Self::new(states).ok_or(StateWeightsError::Empty)
    }
}

impl fmt::Display for StateWeightsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(word) => {
                write!(
                    f,
                    "\"{word}\" is not a message state: use DELIVRD, UNDELIV, EXPIRED, REJECTD or another state word"
                )
            }
            Self::Weight(weight) => write!(f, "\"{weight}\" is not a weight: use a whole number such as 10"),
            Self::Empty => f.write_str("no state has a weight above 0"),
        }
    }
}

impl core::error::Error for StateWeightsError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_drawn_with_their_weights() {
        let weights: StateWeights = "DELIVRD=90,UNDELIV=10".parse().unwrap();
        let mut rng = Rng::new(1);
        let failed = (0..1000).filter(|_| weights.draw(&mut rng) == MessageState::UNDELIVERABLE).count();
        assert!((50..150).contains(&failed), "{failed}");
    }
}
