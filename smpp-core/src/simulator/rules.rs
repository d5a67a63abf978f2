//! What the simulated service allows and does.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use super::Rng;
use crate::pdu::MessageState;
use crate::provider::Provider;
use crate::session::Rate;
use crate::sms::Receipt;

/// What the simulated service allows and does. The default is what 8x8 publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Binds an account may hold at once; one more is refused with `ESME_RALYBND`.
    pub max_binds: u16,
    /// Messages a bind may submit ([`RateMeter`](crate::session::RateMeter)); one more is refused with `ESME_RTHROTTLED`.
    /// `None` for any number.
    pub rate: Option<Rate>,
    /// Messages in a hundred that are refused with `ESME_RTHROTTLED` though the rate allows them.
    pub throttled_percent: u8,
    /// Which messages have receipts, of those that ask for one, and when these come.
    pub receipt_timing: ReceiptTiming,
    /// From the submission to the receipt, and between two tries to deliver one.
    pub receipt_delay: Duration,
    /// What becomes of messages.
    pub states: StateWeights,
    /// Receipts and messages kept for delivery; above it messages are refused with `ESME_RMSGQFUL`.
    pub max_receipts: usize,
    /// The wall clock at [`Instant::ZERO`](crate::session::Instant::ZERO): seconds since 1970 in UTC, for the dates in
    /// receipts.
    pub epoch: u64,
    /// What message ids are made from, and what chance decides.
    pub seed: u64,
}

/// Whether there are receipts, and when they come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReceiptTiming {
    /// There are none, whatever a message asks for.
    Never,
    /// After [`Rules::receipt_delay`].
    #[default]
    Delayed,
    /// They are due at once: send them before the submit_sm_resp, as some services do.
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
            seed: 0x8A8,
        }
    }
}

/// What becomes of messages: the state of each, drawn by its share.
///
/// ```
/// use smpp_core::MessageState;
/// use smpp_core::simulator::{Rng, StateWeights};
/// let shares: StateWeights = "DELIVRD=90,UNDELIV=10".parse()?;
/// let mut dice = Rng::new(1);
/// let failed = (0..1000).filter(|_| shares.draw(&mut dice) == MessageState::UNDELIVERABLE).count();
/// assert!((50..150).contains(&failed));
/// assert_eq!("EXPIRED".parse(), Ok(StateWeights::all(MessageState::EXPIRED)));
/// # Ok::<(), smpp_core::simulator::StateWeightsError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateWeights {
    states: Vec<(MessageState, u32)>,
    sum: u64,
}

/// Why a text names no [`StateWeights`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateWeightsError {
    /// No state has this name.
    State(String),
    /// This is no share: a whole number.
    Share(String),
    /// Nothing has a share.
    Empty,
}

impl StateWeights {
    /// The same for all.
    pub fn all(state: MessageState) -> Self {
        Self { states: [(state, 1)].into(), sum: 1 }
    }

    /// These states, each with its share of the sum. `None` if nothing has one.
    pub fn new(states: impl IntoIterator<Item = (MessageState, u32)>) -> Option<Self> {
        let states: Vec<_> = states.into_iter().filter(|(_, share)| *share > 0).collect();
        let sum = states.iter().map(|(_, share)| u64::from(*share)).sum();
        (sum > 0).then_some(Self { states, sum })
    }

    /// The state of one message.
    pub fn draw(&self, dice: &mut Rng) -> MessageState {
        let mut left = dice.below(self.sum);
        for (state, share) in &self.states {
            match left.checked_sub(u64::from(*share)) {
                Some(rest) => left = rest,
                None => return *state,
            }
        }
        MessageState::UNKNOWN
    }
}

/// `DELIVRD=90,UNDELIV=10`: the words of receipts (SMPP 3.4 Appendix B), each with its share; 1 if there is none.
impl FromStr for StateWeights {
    type Err = StateWeightsError;

    fn from_str(text: &str) -> Result<Self, StateWeightsError> {
        let state = |item: &str| {
            let (word, share) = item.split_once('=').unwrap_or((item, "1"));
            let receipt = Receipt { stat: word.trim().as_bytes(), ..Receipt::default() };
            let state = receipt.state().ok_or_else(|| StateWeightsError::State(word.trim().to_string()))?;
            let share =
                share.trim().parse().map_err(|_| StateWeightsError::Share(share.trim().to_string()))?;
            Ok((state, share))
        };
        let states: Vec<_> = text.split(',').map(state).collect::<Result<_, _>>()?;
        Self::new(states).ok_or(StateWeightsError::Empty)
    }
}

impl fmt::Display for StateWeightsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(word) => {
                write!(f, "\"{word}\" is no state of a message, such as DELIVRD, UNDELIV, EXPIRED or REJECTD")
            }
            Self::Share(share) => write!(f, "\"{share}\" is no share, such as 10"),
            Self::Empty => f.write_str("no state has a share"),
        }
    }
}

impl core::error::Error for StateWeightsError {}
