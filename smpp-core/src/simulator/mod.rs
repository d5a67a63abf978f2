//! A simulated SMSC for tests: it decides how an SMSC such as 8x8's responds, and which receipts it delivers when.
//!
//! It simulates the rules of an SMSC, not its protocol: accounts and passwords, the limit of binds, the rate limit,
//! throttling, message ids, the states of messages, delivery receipts and mobile-originated (MO) messages. [`Rules`] sets
//! them. It has no I/O: a server, for example that of an adapter, runs the sessions and
//!
//! 1. calls [`bind`](Simulator::bind) for each bind request, [`submit`](Simulator::submit) for each `submit_sm`, and
//!    responds with the result; [`release`](Simulator::release) when the session ends;
//! 2. at [`poll_timeout`](Simulator::poll_timeout), sends each [`poll_delivery`](Simulator::poll_delivery) on the bind that
//!    it names; [`redeliver`](Simulator::redeliver) if the ESME does not accept it.
//!
//! The same calls with the same [`Rules`] give the same results: the random decisions depend on [`Rules::seed`] only.
//!
//! ```
//! use smpp_core::session::Instant;
//! use smpp_core::simulator::{Rules, Simulator};
//! use smpp_core::{Address, Bind, COctets, CommandStatus, Password, RegisteredDelivery, SubmitSm};
//!
//! let mut smsc = Simulator::new(Rules::default());
//! smsc.add_account("shop", "secret");
//! let bind = Bind { system_id: COctets::new(b"shop")?, password: Password::new(b"secret")?, ..Bind::default() };
//! let id = smsc.bind(&bind).unwrap();
//! let message = SubmitSm {
//!     destination: Address::international("6591234567")?,
//!     registered_delivery: RegisteredDelivery::RECEIPT,
//!     ..SubmitSm::default()
//! };
//! let message_id = smsc.submit(Instant::ZERO, id, &message).unwrap();
//! let due = smsc.poll_timeout().unwrap();
//! let receipt = smsc.poll_delivery(due).unwrap();
//! assert!(receipt.deliver_sm().text().starts_with(format!("id:{message_id}").as_bytes()));
//! # Ok::<(), smpp_core::InvalidOctets>(())
//! ```

mod bind;
mod delivery;
mod rng;
mod rules;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

pub use bind::SimulatedBind;
pub use delivery::Delivery;
pub use rng::Rng;
pub use rules::{ReceiptTiming, Rules, StateWeights, StateWeightsError};

use crate::pdu::{Address, Bind, BindMode, CommandStatus, MessageState, RegisteredDelivery, SubmitSm};
use crate::provider::Provider;
use crate::session::{Instant, RateMeter};
use crate::sms::time::{LocalTime, UnixTime, UtcOffset};
use crate::sms::{ConcatRef, Receipt, SegmentError, Segmentation, Text, gsm7};
use delivery::{Content, PendingDelivery};
use rng::mix;

#[derive(Debug)]
struct Bound {
    id: SimulatedBind,
    account: usize,
    mode: BindMode,
    meter: Option<RateMeter>,
}

struct Account {
    system_id: String,
    password: String,
    /// The deliveries of the account, in the order in which they are due.
    pending: VecDeque<PendingDelivery>,
}

/// Why the simulator did not accept a mobile-originated message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginateError {
    /// The system_id belongs to no account.
    NoAccount,
    /// [`Rules::max_receipts`] deliveries are waiting.
    Full,
    /// The text is too long.
    Text(SegmentError),
}

impl fmt::Display for OriginateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAccount => f.write_str("no account has this system_id: add it with add_account"),
            Self::Full => {
                f.write_str("max_receipts deliveries are waiting: retry after some have been delivered")
            }
            Self::Text(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for OriginateError {}

/// A simulated SMSC: its accounts, their binds, and their pending deliveries. [`Rules`] bounds them.
pub struct Simulator {
    rules: Rules,
    rng: Rng,
    accounts: Vec<Account>,
    binds: Vec<Bound>,
    last_bind: u64,
    messages: u64,
    /// The concatenation reference of the next MO message with several segments.
    reference: u8,
}

/// Omits the accounts, which hold passwords.
impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator")
            .field("rules", &self.rules)
            .field("binds", &self.binds)
            .field("messages", &self.messages)
            .field("pending", &self.pending())
            .finish_non_exhaustive()
    }
}

impl Simulator {
    /// Creates an SMSC without accounts.
    pub fn new(rules: Rules) -> Self {
        let rng = Rng::new(rules.seed);
        let (accounts, binds) = (Vec::new(), Vec::new());
        Self { rules, rng, accounts, binds, last_bind: 0, messages: 0, reference: 0 }
    }

    /// Adds an account.
    pub fn add_account(&mut self, system_id: &str, password: &str) {
        let (system_id, password) = (system_id.into(), password.into());
        self.accounts.push(Account { system_id, password, pending: VecDeque::new() });
    }

    /// Checks the system_id and the password of a bind.
    ///
    /// # Errors
    ///
    /// The status to refuse the bind with: `ESME_RINVSYSID` or `ESME_RINVPASWD`.
    pub fn authenticate(&self, bind: &Bind<'_>) -> Result<(), CommandStatus> {
        let account = self.account(bind.system_id.as_bytes()).ok_or(CommandStatus::RINVSYSID)?;
        let known = self.accounts.get(account).is_some_and(|it| bind.password.equals(it.password.as_bytes()));
        if known { Ok(()) } else { Err(CommandStatus::RINVPASWD) }
    }

    /// Checks and admits a bind.
    ///
    /// # Errors
    ///
    /// The status to refuse the bind with: that of [`authenticate`](Self::authenticate), or `ESME_RALYBND` if the account
    /// holds [`Rules::max_binds`].
    pub fn bind(&mut self, bind: &Bind<'_>) -> Result<SimulatedBind, CommandStatus> {
        self.authenticate(bind)?;
        let account = self.account(bind.system_id.as_bytes());
        let held = self.binds.iter().filter(|bound| Some(bound.account) == account).count();
        if held >= usize::from(self.rules.max_binds) {
            return Err(CommandStatus::RALYBND);
        }
        self.admit(bind.system_id.as_bytes(), bind.mode).ok_or(CommandStatus::RINVSYSID)
    }

    /// Records a bind that the server has admitted by itself. Returns `None` if no account has this system_id.
    pub fn admit(&mut self, system_id: &[u8], mode: BindMode) -> Option<SimulatedBind> {
        let account = self.account(system_id)?;
        self.last_bind += 1;
        let id = SimulatedBind(self.last_bind);
        self.binds.push(Bound { id, account, mode, meter: self.rules.rate.map(RateMeter::new) });
        Some(id)
    }

    /// Removes a bind that has ended.
    pub fn release(&mut self, bind: SimulatedBind) {
        self.binds.retain(|bound| bound.id != bind);
    }

    /// Returns how many binds all accounts hold.
    pub fn binds(&self) -> usize {
        self.binds.len()
    }

    /// Returns how many receipts and MO messages of all accounts wait for delivery.
    pub fn pending(&self) -> usize {
        self.accounts.iter().map(|account| account.pending.len()).sum()
    }

    /// Accepts a message, schedules its receipt, and returns its id.
    ///
    /// # Errors
    ///
    /// The status to refuse the message with: `ESME_RINVBNDSTS` for an unknown bind, `ESME_RINVDSTADR` for a destination
    /// that is not all digits, `ESME_RMSGQFUL` beyond [`Rules::max_receipts`], `ESME_RTHROTTLED` beyond [`Rules::rate`] or by
    /// [`Rules::throttled_percent`].
    pub fn submit(
        &mut self,
        now: Instant,
        bind: SimulatedBind,
        message: &SubmitSm<'_>,
    ) -> Result<String, CommandStatus> {
        let is_full = self.pending() >= self.rules.max_receipts;
        let bound = self.binds.iter_mut().find(|bound| bound.id == bind).ok_or(CommandStatus::RINVBNDSTS)?;
        let to = message.destination.digits.as_bytes();
        if to.is_empty() || !to.iter().all(u8::is_ascii_digit) {
            return Err(CommandStatus::RINVDSTADR);
        }
        if is_full {
            return Err(CommandStatus::RMSGQFUL);
        }
        let exceeds_rate = bound.meter.as_mut().is_some_and(|meter| meter.take(now).is_err());
        let account = bound.account;
        if exceeds_rate || self.rng.percent(self.rules.throttled_percent) {
            return Err(CommandStatus::RTHROTTLED);
        }
        self.messages += 1;
        let id = self.message_id();
        let state = self.rules.states.draw(&mut self.rng);
        let delay = match self.rules.receipt_timing {
            ReceiptTiming::Never => return Ok(id),
            ReceiptTiming::Delayed => self.rules.receipt_delay,
            ReceiptTiming::BeforeResponse => Duration::ZERO,
        };
        if wants_receipt(message.registered_delivery, state) {
            let due = now + delay;
            let text = self.receipt_text(&id, state, (now, due), &excerpt(message));
            // The receipt swaps the addresses of the message.
            let (source, destination) = (message.destination.into(), message.source.into());
            let content = Content::Receipt { state, text };
            self.enqueue(account, PendingDelivery { due, source, destination, content });
        }
        Ok(id)
    }

    /// Schedules a mobile-originated (MO) text for an account, and returns its number of segments. Several segments have a
    /// user data header.
    ///
    /// # Errors
    ///
    /// [`OriginateError`] says why; nothing is scheduled then.
    pub fn originate(
        &mut self,
        now: Instant,
        system_id: &str,
        (source, destination): (Address<'_>, Address<'_>),
        text: &str,
    ) -> Result<usize, OriginateError> {
        let account = self.account(system_id.as_bytes()).ok_or(OriginateError::NoAccount)?;
        let form = Segmentation::Udh(ConcatRef::Narrow(self.reference));
        let segments = Text::new(text).segments(form).map_err(OriginateError::Text)?;
        let total = segments.len();
        if self.pending() + total > self.rules.max_receipts {
            return Err(OriginateError::Full);
        }
        self.reference = self.reference.wrapping_add((total > 1).into());
        for segment in segments {
            let content = Content::Message(segment);
            let (source, destination) = (source.into(), destination.into());
            self.enqueue(account, PendingDelivery { due: now, source, destination, content });
        }
        Ok(total)
    }

    /// Returns the next delivery that is due, with a receiving bind of its account. Deliveries of an account without a
    /// receiving bind wait.
    pub fn poll_delivery(&mut self, now: Instant) -> Option<Delivery> {
        let (account, _, bind) = self.next().filter(|(_, due, _)| *due <= now)?;
        let account = self.accounts.get_mut(account)?;
        let pending = account.pending.pop_front()?;
        Some(Delivery::new(bind, account.system_id.clone(), pending))
    }

    /// Schedules a delivery again that the ESME did not accept: after [`Rules::receipt_delay`], on any bind of the account.
    pub fn redeliver(&mut self, now: Instant, delivery: Delivery) {
        let due = now + self.rules.receipt_delay;
        if let Some(account) = self.account(delivery.system_id.as_bytes()) {
            self.enqueue(account, PendingDelivery { due, ..delivery.pending });
        }
    }

    /// Returns when the next delivery is due whose account has a receiving bind.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next().map(|(_, due, _)| due)
    }

    /// Returns the account, due time and bind of the next delivery whose account has a receiving bind.
    fn next(&self) -> Option<(usize, Instant, SimulatedBind)> {
        let first = |(account, it): (usize, &Account)| {
            let due = it.pending.front()?.due;
            Some((account, due, self.receiver(account)?))
        };
        self.accounts.iter().enumerate().filter_map(first).min_by_key(|(_, due, _)| *due)
    }

    fn receiver(&self, account: usize) -> Option<SimulatedBind> {
        let receives = |bound: &&Bound| bound.account == account && bound.mode.receives();
        self.binds.iter().find(receives).map(|bound| bound.id)
    }

    fn account(&self, system_id: &[u8]) -> Option<usize> {
        self.accounts.iter().position(|account| account.system_id.as_bytes() == system_id)
    }

    /// Inserts a delivery by its due time, behind those that are due at the same time.
    fn enqueue(&mut self, account: usize, pending: PendingDelivery) {
        let Some(account) = self.accounts.get_mut(account) else { return };
        let at = account.pending.partition_point(|other| other.due <= pending.due);
        account.pending.insert(at, pending);
    }

    /// Returns a new id in the form of a random UUID: 36 characters.
    fn message_id(&self) -> String {
        let high = mix(self.rules.seed ^ self.messages.rotate_left(32));
        let low = mix(high ^ self.messages);
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xFFFF,
            high & 0xFFF,
            (low >> 48) & 0x3FFF | 0x8000,
            low & 0xFFFF_FFFF_FFFF
        )
    }

    fn receipt_text(
        &self,
        id: &str,
        state: MessageState,
        (submitted, done): (Instant, Instant),
        text: &[u8],
    ) -> Vec<u8> {
        let (submit_date, done_date) = (self.date(submitted), self.date(done));
        let receipt = Receipt {
            id: id.as_bytes(),
            sub: Some(1),
            dlvrd: Some((state == MessageState::DELIVERED).into()),
            submit_date: Some(submit_date.as_bytes()),
            done_date: Some(done_date.as_bytes()),
            stat: Receipt::stat_word(state).unwrap_or(b"UNKNOWN"),
            err: Some(error(state)),
            text: Some(text),
            ..Receipt::default()
        };
        let mut out = Vec::new();
        receipt.emit(&mut out);
        out
    }

    /// Formats a time as `YYMMDDhhmm` in UTC; empty beyond the year 9999.
    fn date(&self, at: Instant) -> String {
        let since_start = Duration::from_nanos(at.as_nanos());
        let since_epoch = Duration::from_secs(self.rules.epoch).saturating_add(since_start);
        let Ok(date) = LocalTime::from_unix(UnixTime::from_duration(since_epoch), UtcOffset::UTC) else {
            return String::new();
        };
        let (year, month, day) = (date.year() % 100, date.month(), date.day());
        format!("{year:02}{month:02}{day:02}{:02}{:02}", date.hour(), date.minute())
    }
}

/// Returns the `err` field of a receipt, from 8x8's table.
const fn error(state: MessageState) -> &'static [u8] {
    match state {
        MessageState::DELIVERED | MessageState::ACCEPTED | MessageState::ENROUTE => b"000",
        MessageState::EXPIRED => b"036",
        MessageState::DELETED => b"039",
        MessageState::REJECTED => b"041",
        _ => b"007",
    }
}

/// Returns whether a receipt is requested for the state: bits 1 and 0 of registered_delivery, as SMPP 5.0 defines them.
fn wants_receipt(registered_delivery: RegisteredDelivery, state: MessageState) -> bool {
    match RegisteredDelivery::from_bits_retain(registered_delivery.bits() & 3) {
        RegisteredDelivery::RECEIPT => true,
        RegisteredDelivery::RECEIPT_ON_FAILURE => state != MessageState::DELIVERED,
        RegisteredDelivery::RECEIPT_ON_SUCCESS => state == MessageState::DELIVERED,
        _ => false,
    }
}

/// Returns the first twenty characters in the GSM alphabet, with `?` for characters that it lacks.
fn excerpt(message: &SubmitSm<'_>) -> Vec<u8> {
    let codings = Provider::EIGHT_BY_EIGHT.codings;
    let text = message.user_data().ok().and_then(|user_data| user_data.text(codings)).unwrap_or_default();
    let plain = |character| if gsm7::septets(character).is_some() { character } else { '?' };
    let text: String = text.chars().take(20).map(plain).collect();
    let mut out = Vec::new();
    // Cannot fail: characters that the alphabet lacks have been replaced.
    let _ = gsm7::encode(&text, &mut out);
    out
}
