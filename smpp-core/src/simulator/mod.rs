//! A simulated SMSC for tests: it decides how an SMSC such as 8x8's responds, and which receipts it delivers when.
//!
//! It simulates the rules of an SMSC, not its protocol: accounts and passwords, the limit of binds, the rate limit,
//! throttling, message ids, the states of messages, delivery receipts and mobile-originated (MO) messages. [`Rules`] sets
//! them. It has no I/O: a server, for example that of an adapter, runs the sessions and
//!
//! 1. calls [`bind`](Simulator::bind) for each bind request, [`submit`](Simulator::submit) for each `submit_sm`,
//!    [`query`](Simulator::query), [`cancel`](Simulator::cancel) and [`replace`](Simulator::replace) for the requests about
//!    messages, and responds with the result; [`release`](Simulator::release) when the session ends;
//! 2. at [`poll_timeout`](Simulator::poll_timeout), sends each [`poll_delivery`](Simulator::poll_delivery) on the bind that
//!    it names; [`redeliver`](Simulator::redeliver) if the ESME does not accept it.
//!
//! For tests it also has scripted answers ([`respond`](Simulator::respond) instead of `submit`, [`When`] and [`Answer`]), a
//! [`Log`] to assert on, messages of phones ([`deliver`](Simulator::deliver)) and faults of connections ([`Faults`]). The
//! modules `testing` of the adapters are a running SMSC around it.
//!
//! The same calls with the same [`Rules`] give the same results: the random decisions depend on [`Rules::seed`] only.
//!
//! ```
//! use smpp_proto::session::Instant;
//! use smpp_proto::simulator::{Rules, Simulator};
//! use smpp_proto::{Address, Bind, COctets, CommandStatus, Password, RegisteredDelivery, SubmitSm};
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
//! # Ok::<(), smpp_proto::InvalidOctets>(())
//! ```

mod bind;
mod delivery;
mod dialect;
#[cfg(test)]
mod dialect_tests;
mod fault_filter;
mod id_form;
mod log;
mod mobile_originated;
mod receipts;
mod records;
#[cfg(test)]
mod request_tests;
mod respond;
mod rng;
mod rules;
mod script;
#[cfg(test)]
mod script_tests;
mod segments;
#[cfg(test)]
mod tests;
mod waiting;

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

pub use bind::SimulatedBind;
pub use delivery::Delivery;
pub use dialect::{DeliveryRoute, Dialect, DialectError, Echo, ReceiptContent, SegmentReceipts, SubmitTlvs};
#[doc(hidden)]
pub use fault_filter::FaultFilter;
pub use fault_filter::{Faults, ResponseFault, StreamEnd};
pub use id_form::{IdForm, UnknownIdForm};
pub use log::{DeliveryFailure, Log, LogEntry, LoggedBind, LoggedDelivery, LoggedMessage};
pub use mobile_originated::{MoId, MoMessage, MoSegmentation};
pub use records::QueriedMessage;
pub use respond::SimulatedResponse;
#[doc(hidden)]
pub use rng::Rng;
pub use rules::{ReceiptTiming, Rules, StateWeights, StateWeightsError};
pub use script::{Answer, When};
pub use waiting::{DeliverError, NotLogged};

use crate::pdu::{Address, Bind, BindMode, CommandStatus, SubmitSm};
use crate::session::{Instant, InvalidOption, RateMeter};
use crate::sms::{ConcatRef, SegmentError, Segmentation, Text, TextError};
use crate::wire::InvalidOctets;
use delivery::PendingDelivery;
use mobile_originated::MoMessages;
use receipts::Accepted;
use records::Records;
use rng::mix;
use script::{Script, ScriptedReceipt};
use segments::SharedIds;

/// The shortest time until a delivery is sent again. Without it, a receipt for a bind that refuses it at once, or that is
/// unbinding and takes no more, is tried without a pause if [`Rules::receipt_delay`] is zero.
const MIN_REDELIVERY_DELAY: Duration = Duration::from_millis(100);

#[derive(Debug)]
struct Bound {
    id: SimulatedBind,
    account: usize,
    meter: Option<RateMeter>,
    /// The accepted and refused messages that have no response yet.
    unanswered: u16,
    /// As the log shows it.
    logged: Arc<LoggedBind>,
}

struct Account {
    system_id: String,
    password: String,
    /// The deliveries of the account, in the order in which they are due.
    pending: VecDeque<PendingDelivery>,
    /// How many messages and how many receipts were returned; the next one of each goes to another bind with
    /// [`DeliveryRoute::InTurn`].
    turns: [usize; 2],
    /// A delivery was returned, and the ESME has not accepted it: the next one waits with [`Dialect::one_at_a_time`].
    is_delivering: bool,
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
    /// The alphabet lacks a character of the text, or the `data_coding` means no text.
    Encoding(TextError),
    /// The source or the destination is no address.
    Address(InvalidOctets),
}

impl fmt::Display for OriginateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAccount => f.write_str("no account has this system_id: add it with add_account"),
            Self::Full => {
                f.write_str("max_receipts deliveries are waiting: retry after some have been delivered")
            }
            Self::Text(error) => error.fmt(f),
            Self::Encoding(error) => error.fmt(f),
            Self::Address(error) => write!(f, "an address of the message cannot be used: {error}"),
        }
    }
}

impl core::error::Error for OriginateError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Text(error) => Some(error),
            Self::Encoding(error) => Some(error),
            Self::Address(error) => Some(error),
            Self::NoAccount | Self::Full => None,
        }
    }
}

/// A simulated SMSC: its accounts, their binds, and their pending deliveries. [`Rules`] bounds them.
pub struct Simulator {
    rules: Rules,
    rng: Rng,
    accounts: Vec<Account>,
    binds: Vec<Bound>,
    last_bind: u64,
    messages: u64,
    /// The number before that of the first message.
    first_number: u64,
    shared_ids: SharedIds,
    records: Records,
    /// The concatenation reference of the next MO message with several segments.
    reference: u8,
    script: Script,
    log: Log,
    mo_messages: MoMessages,
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
        // Ten digits in decimal, eight in hexadecimal.
        let first_number = 0x9000_0000 | mix(rules.seed) & 0x0FFF_FFFF;
        Self {
            rules,
            rng,
            accounts: Vec::new(),
            binds: Vec::new(),
            last_bind: 0,
            messages: 0,
            first_number,
            shared_ids: SharedIds::default(),
            records: Records::default(),
            reference: 0,
            script: Script::default(),
            log: Log::default(),
            mo_messages: MoMessages::default(),
        }
    }

    /// Returns the rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Changes the rules of the binds and messages that follow. Binds keep their rate limit, and what waits for delivery its
    /// time and its state. [`Rules::seed`] keeps its value: message ids depend on it.
    ///
    /// ```
    /// use smpp_proto::simulator::{Rules, Simulator};
    /// let mut smsc = Simulator::new(Rules::default());
    /// smsc.change_rules(|rules| rules.throttled_percent = 20)?;
    /// assert_eq!(smsc.rules().throttled_percent, 20);
    /// # Ok::<(), smpp_proto::session::InvalidOption>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The error of [`Rules::check`]; the rules are unchanged then.
    pub fn change_rules(&mut self, change: impl FnOnce(&mut Rules)) -> Result<(), InvalidOption> {
        let mut rules = self.rules.clone();
        change(&mut rules);
        rules.check()?;
        rules.seed = self.rules.seed;
        self.rules = rules;
        Ok(())
    }

    /// Adds an account.
    pub fn add_account(&mut self, system_id: &str, password: &str) {
        let (system_id, password) = (system_id.into(), password.into());
        let pending = VecDeque::new();
        self.accounts.push(Account { system_id, password, pending, turns: [0; 2], is_delivering: false });
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
    /// The status to refuse the bind with: that of [`authenticate`](Self::authenticate), or [`Dialect::bind_status`] if the
    /// account holds [`Rules::max_binds`].
    pub fn bind(&mut self, bind: &Bind<'_>) -> Result<SimulatedBind, CommandStatus> {
        self.bind_from(bind, None)
    }

    /// Records a bind that the server has admitted by itself. Returns `None` if no account has this system_id.
    pub fn admit(&mut self, system_id: &[u8], mode: BindMode) -> Option<SimulatedBind> {
        self.admit_from(system_id, mode, None)
    }

    /// Removes a bind that has ended.
    pub fn release(&mut self, bind: SimulatedBind) {
        self.release_for(bind, None);
    }

    /// Returns how many binds all accounts hold.
    pub fn binds(&self) -> usize {
        self.binds.len()
    }

    /// Returns how many receipts and MO messages of all accounts wait for delivery.
    pub fn pending(&self) -> usize {
        self.accounts.iter().map(|account| account.pending.len()).sum()
    }

    /// Accepts a message, schedules its receipts, and returns its id.
    ///
    /// # Errors
    ///
    /// The status to refuse the message with: `ESME_RINVBNDSTS` for an unknown bind, `ESME_RINVDSTADR` for a destination
    /// that is not all digits, `ESME_RMSGQFUL` beyond [`Rules::max_receipts`], [`Dialect::rate_status`] beyond
    /// [`Rules::rate`] or by [`Rules::throttled_percent`], and those of [`Dialect::window_status`],
    /// [`Dialect::refused_destinations`] and [`Dialect::submit_tlvs`].
    pub fn submit(
        &mut self,
        now: Instant,
        bind: SimulatedBind,
        message: &SubmitSm<'_>,
    ) -> Result<String, CommandStatus> {
        self.submit_with(now, bind, message, ScriptedReceipt::default())
    }

    fn submit_with(
        &mut self,
        now: Instant,
        bind: SimulatedBind,
        message: &SubmitSm<'_>,
        receipt: ScriptedReceipt,
    ) -> Result<String, CommandStatus> {
        let is_full = self.pending() >= self.rules.max_receipts;
        let bound = self.binds.iter_mut().find(|bound| bound.id == bind).ok_or(CommandStatus::RINVBNDSTS)?;
        bound.unanswered = bound.unanswered.saturating_add(1);
        let dialect = &self.rules.dialect;
        let to = message.destination.digits.as_bytes();
        if to.is_empty() || !to.iter().all(u8::is_ascii_digit) {
            return Err(CommandStatus::RINVDSTADR);
        }
        if is_full {
            return Err(CommandStatus::RMSGQFUL);
        }
        if dialect.window.is_some_and(|window| bound.unanswered > window) {
            return Err(dialect.window_status);
        }
        let exceeds_rate = bound.meter.as_mut().is_some_and(|meter| meter.take(now).is_err());
        let account = bound.account;
        if exceeds_rate || self.rng.percent(self.rules.throttled_percent) {
            return Err(dialect.rate_status);
        }
        match (dialect.refusal(to), dialect.submit_tlvs) {
            (Some(status), _) => return Err(status),
            (None, SubmitTlvs::Refuse(status)) if !message.tlvs.is_empty() => return Err(status),
            _ => {}
        }
        let (number, is_reported) = self.number(account, message);
        self.schedule(now, &Accepted { account, bind, message, number, is_reported }, receipt);
        Ok(self.rules.dialect.response_ids.id(self.rules.seed, number))
    }

    /// Records that a message of this bind was responded to, whatever its outcome. Only [`Dialect::window`] needs it.
    pub fn responded(&mut self, bind: SimulatedBind) {
        if let Some(bound) = self.binds.iter_mut().find(|bound| bound.id == bind) {
            bound.unanswered = bound.unanswered.saturating_sub(1);
        }
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
            let (source, destination, content) = (source.into(), destination.into(), segment.into());
            self.enqueue(
                account,
                PendingDelivery {
                    due: now,
                    source,
                    destination,
                    submitter: None,
                    number: None,
                    mo: None,
                    content,
                },
            );
        }
        Ok(total)
    }

    /// Returns the next delivery that is due, with a receiving bind of its account. Deliveries of an account without a
    /// receiving bind wait.
    pub fn poll_delivery(&mut self, now: Instant) -> Option<Delivery> {
        let (account, _, bind) = self.next().filter(|(_, due, _)| *due <= now)?;
        let account = self.accounts.get_mut(account)?;
        let pending = account.pending.pop_front()?;
        let [messages, receipts] = &mut account.turns;
        let turns = if pending.content.state.is_some() { receipts } else { messages };
        *turns = turns.wrapping_add(1);
        account.is_delivering = true;
        Some(Delivery::new(bind, account.system_id.clone(), pending))
    }

    /// Records that the ESME has accepted a delivery. Only [`Dialect::one_at_a_time`] needs it.
    pub fn accepted(&mut self, delivery: &Delivery) {
        self.end_delivery(&delivery.system_id);
    }

    fn end_delivery(&mut self, system_id: &str) {
        if let Some(account) = self.accounts.iter_mut().find(|account| account.system_id == system_id) {
            account.is_delivering = false;
        }
    }

    /// Schedules a delivery again that the ESME did not accept: after [`Rules::receipt_delay`], but not before 100 ms, on any
    /// bind of the account.
    pub fn redeliver(&mut self, now: Instant, delivery: Delivery) {
        let due = now + self.rules.receipt_delay.max(MIN_REDELIVERY_DELAY);
        self.end_delivery(&delivery.system_id);
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
            let first = it.pending.front()?;
            if it.is_delivering && self.rules.dialect.one_at_a_time {
                return None;
            }
            let [messages, receipts] = it.turns;
            let turns = if first.content.state.is_some() { receipts } else { messages };
            Some((account, first.due, self.receiver(account, turns, first.submitter)?))
        };
        self.accounts.iter().enumerate().filter_map(first).min_by_key(|(_, due, _)| *due)
    }

    /// Returns the receiving bind for the next delivery of an account.
    fn receiver(
        &self,
        account: usize,
        turns: usize,
        submitter: Option<SimulatedBind>,
    ) -> Option<SimulatedBind> {
        let receives = |bound: &&Bound| bound.account == account && bound.logged.mode.receives();
        let mut receiving = self.binds.iter().filter(receives).map(|bound| bound.id);
        match self.rules.dialect.route {
            DeliveryRoute::Any => receiving.next(),
            DeliveryRoute::SubmittingBind => {
                let first = receiving.clone().next();
                receiving.find(|id| Some(*id) == submitter).or(first)
            }
            DeliveryRoute::InTurn => {
                let count = receiving.clone().count().max(1);
                receiving.nth(turns % count)
            }
        }
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
}
