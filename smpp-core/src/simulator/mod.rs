//! An SMSC to test against: decides what an 8x8-like service would answer, and when receipts go where.
//!
//! Without I/O, as everything here: the adapter's server asks it about each bind and each message, and
//! delivers the receipts it gives out. The same calls with the same [`Rules`] have the same answers, chance included.
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

pub use delivery::Delivery;
pub use rng::Rng;
pub use rules::{ReceiptTiming, Rules, StateWeights, StateWeightsError};

use crate::pdu::{Address, Bind, BindMode, CommandStatus, MessageState, RegisteredDelivery, SubmitSm};
use crate::provider::Provider;
use crate::session::{Instant, RateMeter};
use crate::sms::time::{LocalTime, UnixTime, UtcOffset};
use crate::sms::{ConcatRef, Receipt, SegmentError, Segmentation, Text, gsm7};
use delivery::{Content, Pending};
use rng::mix;

/// A bind that the simulator has admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BindId(u64);

#[derive(Debug)]
struct Bound {
    id: BindId,
    account: usize,
    mode: BindMode,
    meter: Option<RateMeter>,
}

struct Account {
    system_id: String,
    password: String,
    /// What is to be delivered, in the order it is due.
    pending: VecDeque<Pending>,
}

/// Why a message from a phone was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginateError {
    /// There is no such account.
    NoAccount,
    /// [`Rules::max_receipts`] are waiting.
    Full,
    /// The text is too long.
    Text(SegmentError),
}

impl fmt::Display for OriginateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAccount => f.write_str("there is no such account"),
            Self::Full => f.write_str("too much waits to be delivered"),
            Self::Text(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for OriginateError {}

/// Accounts, their binds, and what is on its way to them. Bounded by its [`Rules`].
pub struct Simulator {
    rules: Rules,
    dice: Rng,
    accounts: Vec<Account>,
    binds: Vec<Bound>,
    last_bind: u64,
    messages: u64,
    /// Texts in parts that phones have sent.
    concatenated: u8,
}

/// Without the accounts, which hold passwords.
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
    /// A service without accounts.
    pub fn new(rules: Rules) -> Self {
        let dice = Rng::new(rules.seed);
        let (accounts, binds) = (Vec::new(), Vec::new());
        Self { rules, dice, accounts, binds, last_bind: 0, messages: 0, concatenated: 0 }
    }

    /// Opens an account.
    pub fn add_account(&mut self, system_id: &str, password: &str) {
        let (system_id, password) = (system_id.into(), password.into());
        self.accounts.push(Account { system_id, password, pending: VecDeque::new() });
    }

    /// Whether this is an account and its password, or the status to refuse the bind with.
    pub fn authenticate(&self, bind: &Bind<'_>) -> Result<(), CommandStatus> {
        let account = self.account(bind.system_id.as_bytes()).ok_or(CommandStatus::RINVSYSID)?;
        let known = self.accounts.get(account).is_some_and(|it| bind.password.equals(it.password.as_bytes()));
        if known { Ok(()) } else { Err(CommandStatus::RINVPASWD) }
    }

    /// Admits a bind, or says with which status to refuse it.
    pub fn bind(&mut self, bind: &Bind<'_>) -> Result<BindId, CommandStatus> {
        self.authenticate(bind)?;
        let account = self.account(bind.system_id.as_bytes());
        let held = self.binds.iter().filter(|bound| Some(bound.account) == account).count();
        if held >= usize::from(self.rules.max_binds) {
            return Err(CommandStatus::RALYBND);
        }
        self.admit(bind.system_id.as_bytes(), bind.mode).ok_or(CommandStatus::RINVSYSID)
    }

    /// Notes a bind that someone else has admitted; `None` if there is no such account.
    pub fn admit(&mut self, system_id: &[u8], mode: BindMode) -> Option<BindId> {
        let account = self.account(system_id)?;
        self.last_bind += 1;
        let id = BindId(self.last_bind);
        self.binds.push(Bound { id, account, mode, meter: self.rules.rate.map(RateMeter::new) });
        Some(id)
    }

    /// The bind is over.
    pub fn release(&mut self, bind: BindId) {
        self.binds.retain(|bound| bound.id != bind);
    }

    /// Binds held at the moment, of all accounts.
    pub fn binds(&self) -> usize {
        self.binds.len()
    }

    /// Receipts and messages that are still to be delivered, of all accounts.
    pub fn pending(&self) -> usize {
        self.accounts.iter().map(|account| account.pending.len()).sum()
    }

    /// Takes a message and gives its id, or the status to refuse it with.
    pub fn submit(
        &mut self,
        now: Instant,
        bind: BindId,
        message: &SubmitSm<'_>,
    ) -> Result<String, CommandStatus> {
        let full = self.pending() >= self.rules.max_receipts;
        let bound = self.binds.iter_mut().find(|bound| bound.id == bind).ok_or(CommandStatus::RINVBNDSTS)?;
        let to = message.destination.digits.as_bytes();
        if to.is_empty() || !to.iter().all(u8::is_ascii_digit) {
            return Err(CommandStatus::RINVDSTADR);
        }
        if full {
            return Err(CommandStatus::RMSGQFUL);
        }
        let above = bound.meter.as_mut().is_some_and(|meter| meter.take(now).is_err());
        let account = bound.account;
        if above || self.dice.percent(self.rules.throttled_percent) {
            return Err(CommandStatus::RTHROTTLED);
        }
        self.messages += 1;
        let id = self.message_id();
        let state = self.rules.states.draw(&mut self.dice);
        let delay = match self.rules.receipt_timing {
            ReceiptTiming::Never => return Ok(id),
            ReceiptTiming::Delayed => self.rules.receipt_delay,
            ReceiptTiming::BeforeResponse => Duration::ZERO,
        };
        if wants_receipt(message.registered_delivery, state) {
            let due = now + delay;
            let text = self.receipt_text(&id, state, (now, due), &excerpt(message));
            // The message's addresses, the other way round.
            let (source, destination) = (message.destination.into(), message.source.into());
            let content = Content::Receipt { state, text };
            self.keep(account, Pending { due, source, destination, content });
        }
        Ok(id)
    }

    /// A phone sends a text to an account: as many messages as it needs, with a user data header if that is more than
    /// one. Says how many.
    pub fn originate(
        &mut self,
        now: Instant,
        system_id: &str,
        (source, destination): (Address<'_>, Address<'_>),
        text: &str,
    ) -> Result<usize, OriginateError> {
        let account = self.account(system_id.as_bytes()).ok_or(OriginateError::NoAccount)?;
        let form = Segmentation::Udh(ConcatRef::Narrow(self.concatenated));
        let segments = Text::new(text).segments(form).map_err(OriginateError::Text)?;
        let total = segments.len();
        if self.pending() + total > self.rules.max_receipts {
            return Err(OriginateError::Full);
        }
        self.concatenated = self.concatenated.wrapping_add((total > 1).into());
        for segment in segments {
            let content = Content::Message(segment);
            let (source, destination) = (source.into(), destination.into());
            self.keep(account, Pending { due: now, source, destination, content });
        }
        Ok(total)
    }

    /// A receipt or a message that is due, and a receiving bind of its account to send it on. One whose account has
    /// none stays for later.
    pub fn poll_delivery(&mut self, now: Instant) -> Option<Delivery> {
        let (account, _, bind) = self.next().filter(|(_, due, _)| *due <= now)?;
        let account = self.accounts.get_mut(account)?;
        let pending = account.pending.pop_front()?;
        Some(Delivery::new(bind, account.system_id.clone(), pending))
    }

    /// A delivery that was not accepted: it is tried again later, on any bind.
    pub fn redeliver(&mut self, now: Instant, delivery: Delivery) {
        let due = now + self.rules.receipt_delay;
        if let Some(account) = self.account(delivery.system_id.as_bytes()) {
            self.keep(account, Pending { due, ..delivery.pending });
        }
    }

    /// When the next receipt or message that has somewhere to go is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next().map(|(_, due, _)| due)
    }

    /// What is due first and has somewhere to go: its account, when, and on which bind.
    fn next(&self) -> Option<(usize, Instant, BindId)> {
        let first = |(account, it): (usize, &Account)| {
            let due = it.pending.front()?.due;
            Some((account, due, self.receiver(account)?))
        };
        self.accounts.iter().enumerate().filter_map(first).min_by_key(|(_, due, _)| *due)
    }

    fn receiver(&self, account: usize) -> Option<BindId> {
        let receives = |bound: &&Bound| bound.account == account && bound.mode.receives();
        self.binds.iter().find(receives).map(|bound| bound.id)
    }

    fn account(&self, system_id: &[u8]) -> Option<usize> {
        self.accounts.iter().position(|account| account.system_id.as_bytes() == system_id)
    }

    /// Puts it where it belongs by its time: behind what is due then.
    fn keep(&mut self, account: usize, pending: Pending) {
        let Some(account) = self.accounts.get_mut(account) else { return };
        let at = account.pending.partition_point(|other| other.due <= pending.due);
        account.pending.insert(at, pending);
    }

    /// An id in the shape of a random UUID: 36 characters.
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

    /// `YYMMDDhhmm` in UTC; nothing beyond the year 9999.
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

/// The `err` of a receipt, by 8x8's table.
const fn error(state: MessageState) -> &'static [u8] {
    match state {
        MessageState::DELIVERED | MessageState::ACCEPTED | MessageState::ENROUTE => b"000",
        MessageState::EXPIRED => b"036",
        MessageState::DELETED => b"039",
        MessageState::REJECTED => b"041",
        _ => b"007",
    }
}

/// Bits 1 and 0 of registered_delivery, as SMPP 5.0 completes them.
fn wants_receipt(wanted: RegisteredDelivery, state: MessageState) -> bool {
    match RegisteredDelivery::from_bits_retain(wanted.bits() & 3) {
        RegisteredDelivery::RECEIPT => true,
        RegisteredDelivery::RECEIPT_ON_FAILURE => state != MessageState::DELIVERED,
        RegisteredDelivery::RECEIPT_ON_SUCCESS => state == MessageState::DELIVERED,
        _ => false,
    }
}

/// The first twenty characters, in the GSM alphabet as receipts are: `?` for what it lacks.
fn excerpt(message: &SubmitSm<'_>) -> Vec<u8> {
    let codings = Provider::EIGHT_BY_EIGHT.codings;
    let text = message.user_data().ok().and_then(|user_data| user_data.text(codings)).unwrap_or_default();
    let plain = |character| if gsm7::septets(character).is_some() { character } else { '?' };
    let text: String = text.chars().take(20).map(plain).collect();
    let mut out = Vec::new();
    // Cannot fail: what the alphabet lacks has been replaced.
    let _ = gsm7::encode(&text, &mut out);
    out
}
