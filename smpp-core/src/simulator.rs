//! An SMSC to test against: decides what an 8x8-like service would answer, and when receipts go where.
//!
//! Without I/O, as everything here: the adapter's server asks it about each bind and each message, and
//! delivers the receipts it gives out.
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
//! let receipt = smsc.poll_receipt(due).unwrap();
//! assert!(receipt.deliver_sm().text().starts_with(format!("id:{message_id}").as_bytes()));
//! # Ok::<(), smpp_core::InvalidOctets>(())
//! ```

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::pdu::{
    Address, Bind, BindMode, CommandStatus, DeliverSm, EsmClass, MessageState, Npi, RegisteredDelivery,
    ShortMessage, SubmitSm, Ton,
};
use crate::provider::Provider;
use crate::session::{Instant, Rate};
use crate::sms::time::{LocalTime, UnixTime, UtcOffset};
use crate::sms::{Receipt, gsm7};
use crate::tlv::{Tlv, Tlvs};
use crate::wire::COctets;

const SECOND: Duration = Duration::from_secs(1);

/// What the simulated service allows and does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Binds an account may hold at once; one more is refused with `ESME_RALYBND`.
    pub max_binds: u16,
    /// Messages a bind may submit in a second; one more is refused with `ESME_RTHROTTLED`.
    pub rate: u32,
    /// From the submission to the receipt, and between two tries to deliver one.
    pub receipt_delay: Duration,
    /// What becomes of each message.
    pub state: MessageState,
    /// Receipts kept for delivery; above it messages are refused with `ESME_RMSGQFUL`.
    pub max_receipts: usize,
    /// The wall clock at [`Instant::ZERO`]: seconds since 1970 in UTC, for the dates in receipts.
    pub epoch: u64,
    /// What message ids are made from.
    pub seed: u64,
}

impl Default for Rules {
    fn default() -> Self {
        let provider = Provider::EIGHT_BY_EIGHT;
        Self {
            max_binds: provider.max_binds.unwrap_or(u16::MAX),
            rate: provider.rate.map_or(u32::MAX, Rate::limit),
            receipt_delay: Duration::from_millis(200),
            state: MessageState::DELIVERED,
            max_receipts: 100_000,
            epoch: 0,
            seed: 0x8A8,
        }
    }
}

/// A bind that the simulator has admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BindId(u64);

#[derive(Debug)]
struct Bound {
    id: BindId,
    system_id: String,
    mode: BindMode,
    /// The second that is counted, from its start, and the messages in it.
    second: Instant,
    submitted: u32,
}

/// A receipt, ready to be sent on one bind.
#[derive(Debug)]
pub struct Delivery {
    /// Where to send it.
    pub bind: BindId,
    receipt: Pending,
    tlvs: [Tlv<'static>; 1],
}

#[derive(Clone, Debug)]
struct Pending {
    due: Instant,
    system_id: String,
    source: (Ton, Npi, Vec<u8>),
    destination: (Ton, Npi, Vec<u8>),
    text: Vec<u8>,
}

impl Delivery {
    /// The receipt as a deliver_sm: text as in SMPP 3.4 Appendix B, and the message_state TLV.
    pub fn deliver_sm(&self) -> DeliverSm<'_> {
        // The message's addresses, the other way round.
        DeliverSm {
            source: address(&self.receipt.destination),
            destination: address(&self.receipt.source),
            esm_class: EsmClass::DELIVERY_RECEIPT,
            short_message: ShortMessage::new(&self.receipt.text).unwrap_or_default(),
            tlvs: Tlvs::list(&self.tlvs),
            ..DeliverSm::default()
        }
    }
}

fn address((ton, npi, digits): &(Ton, Npi, Vec<u8>)) -> Address<'_> {
    Address { ton: *ton, npi: *npi, digits: COctets::new(digits).unwrap_or_default() }
}

/// Accounts, their binds, and the receipts on their way. Bounded by its [`Rules`].
pub struct Simulator {
    rules: Rules,
    accounts: Vec<(String, String)>,
    binds: Vec<Bound>,
    last_bind: u64,
    messages: u64,
    /// In the order they are due: the delay is the same for all.
    receipts: VecDeque<Pending>,
}

/// Without the accounts, which hold passwords.
impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator")
            .field("rules", &self.rules)
            .field("binds", &self.binds)
            .field("messages", &self.messages)
            .field("receipts", &self.receipts.len())
            .finish_non_exhaustive()
    }
}

impl Simulator {
    /// A service without accounts.
    pub fn new(rules: Rules) -> Self {
        let (accounts, binds, receipts) = (Vec::new(), Vec::new(), VecDeque::new());
        Self { rules, accounts, binds, last_bind: 0, messages: 0, receipts }
    }

    /// Opens an account.
    pub fn add_account(&mut self, system_id: &str, password: &str) {
        self.accounts.push((system_id.into(), password.into()));
    }

    /// Admits a bind, or says with which status to refuse it.
    pub fn bind(&mut self, bind: &Bind<'_>) -> Result<BindId, CommandStatus> {
        let account = |(system_id, _): &&(String, String)| system_id.as_bytes() == bind.system_id.as_bytes();
        let (system_id, password) = self.accounts.iter().find(account).ok_or(CommandStatus::RINVSYSID)?;
        if !bind.password.equals(password.as_bytes()) {
            return Err(CommandStatus::RINVPASWD);
        }
        let held = self.binds.iter().filter(|bound| bound.system_id == *system_id).count();
        if held >= usize::from(self.rules.max_binds) {
            return Err(CommandStatus::RALYBND);
        }
        self.last_bind += 1;
        let id = BindId(self.last_bind);
        let (system_id, mode) = (system_id.clone(), bind.mode);
        self.binds.push(Bound { id, system_id, mode, second: Instant::ZERO, submitted: 0 });
        Ok(id)
    }

    /// The bind is over.
    pub fn release(&mut self, bind: BindId) {
        self.binds.retain(|bound| bound.id != bind);
    }

    /// Binds held at the moment, of all accounts.
    pub fn binds(&self) -> usize {
        self.binds.len()
    }

    /// Takes a message and gives its id, or the status to refuse it with.
    pub fn submit(
        &mut self,
        now: Instant,
        bind: BindId,
        message: &SubmitSm<'_>,
    ) -> Result<String, CommandStatus> {
        let bound = self.binds.iter_mut().find(|bound| bound.id == bind).ok_or(CommandStatus::RINVBNDSTS)?;
        if now - bound.second >= SECOND {
            (bound.second, bound.submitted) = (now, 0);
        }
        if bound.submitted >= self.rules.rate {
            return Err(CommandStatus::RTHROTTLED);
        }
        let to = message.destination.digits.as_bytes();
        if to.is_empty() || !to.iter().all(u8::is_ascii_digit) {
            return Err(CommandStatus::RINVDSTADR);
        }
        if self.receipts.len() >= self.rules.max_receipts {
            return Err(CommandStatus::RMSGQFUL);
        }
        bound.submitted += 1;
        let system_id = bound.system_id.clone();
        self.messages += 1;
        let id = self.message_id();
        if wants_receipt(message.registered_delivery, self.rules.state) {
            let due = now + self.rules.receipt_delay;
            let text = self.receipt_text(&id, now, due, &excerpt(message));
            let (source, destination) = (owned(message.source), owned(message.destination));
            self.receipts.push_back(Pending { due, system_id, source, destination, text });
        }
        Ok(id)
    }

    /// A receipt that is due, and a receiving bind of its account to send it on. One whose account has none
    /// stays for later.
    pub fn poll_receipt(&mut self, now: Instant) -> Option<Delivery> {
        let ready = self.receipts.iter().take_while(|pending| pending.due <= now);
        let (index, bind) = ready
            .enumerate()
            .find_map(|(index, pending)| Some((index, self.receiver(&pending.system_id)?)))?;
        let receipt = self.receipts.remove(index)?;
        Some(Delivery { bind, receipt, tlvs: [Tlv::message_state(self.rules.state)] })
    }

    /// A delivery that was not accepted: it is tried again later, on any bind.
    pub fn redeliver(&mut self, now: Instant, delivery: Delivery) {
        let due = now + self.rules.receipt_delay;
        let at = self.receipts.partition_point(|pending| pending.due <= due);
        self.receipts.insert(at, Pending { due, ..delivery.receipt });
    }

    /// When the next receipt that has somewhere to go is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.receipts
            .iter()
            .find(|pending| self.receiver(&pending.system_id).is_some())
            .map(|first| first.due)
    }

    fn receiver(&self, system_id: &str) -> Option<BindId> {
        let receives = |bound: &&Bound| bound.system_id == system_id && bound.mode.receives();
        self.binds.iter().find(receives).map(|bound| bound.id)
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

    fn receipt_text(&self, id: &str, submitted: Instant, done: Instant, text: &[u8]) -> Vec<u8> {
        let delivered = self.rules.state == MessageState::DELIVERED;
        let (submit_date, done_date) = (self.date(submitted), self.date(done));
        let receipt = Receipt {
            id: id.as_bytes(),
            sub: Some(1),
            dlvrd: Some(delivered.into()),
            submit_date: Some(submit_date.as_bytes()),
            done_date: Some(done_date.as_bytes()),
            stat: Receipt::word(self.rules.state).unwrap_or(b"UNKNOWN"),
            err: Some(if delivered { b"000" } else { b"007" }),
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

fn owned(address: Address<'_>) -> (Ton, Npi, Vec<u8>) {
    (address.ton, address.npi, address.digits.as_bytes().into())
}

/// Spreads a number over 64 bits.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(password: &'static [u8], mode: BindMode) -> Bind<'static> {
        Bind {
            mode,
            system_id: COctets::new(b"shop").unwrap(),
            password: crate::Password::new(password).unwrap(),
            ..Bind::default()
        }
    }

    fn smsc() -> Simulator {
        // 2026-11-23 01:02:03 UTC
        let mut smsc = Simulator::new(Rules { epoch: 1_795_395_723, ..Rules::default() });
        smsc.add_account("shop", "secret");
        smsc
    }

    fn message() -> SubmitSm<'static> {
        SubmitSm {
            destination: Address::international("6591234567").unwrap(),
            registered_delivery: RegisteredDelivery::RECEIPT,
            short_message: ShortMessage::new(b"Hello, this is a longer text").unwrap(),
            ..SubmitSm::default()
        }
    }

    #[test]
    fn the_fifth_bind_is_refused_until_one_ends() {
        let mut smsc = smsc();
        let good = bind(b"secret", BindMode::Transceiver);
        let ids: Vec<_> = (0..4).map(|_| smsc.bind(&good).unwrap()).collect();
        assert_eq!(smsc.bind(&good), Err(CommandStatus::RALYBND));
        smsc.release(ids[0]);
        assert!(smsc.bind(&good).is_ok());
        assert_eq!(smsc.bind(&bind(b"wrong!", BindMode::Receiver)), Err(CommandStatus::RINVPASWD));
        assert_eq!(smsc.bind(&Bind::default()), Err(CommandStatus::RINVSYSID));
    }

    #[test]
    fn the_fifty_first_message_of_a_second_is_throttled() {
        let mut smsc = smsc();
        let id = smsc.bind(&bind(b"secret", BindMode::Transceiver)).unwrap();
        let now = Instant::ZERO + SECOND;
        assert!((0..50).all(|_| smsc.submit(now, id, &message()).is_ok()));
        assert_eq!(smsc.submit(now, id, &message()), Err(CommandStatus::RTHROTTLED));
        assert!(smsc.submit(now + SECOND, id, &message()).is_ok());
    }

    #[test]
    fn a_receipt_goes_to_a_receiving_bind_and_comes_again_if_refused() {
        let mut smsc = smsc();
        let transmitter = smsc.bind(&bind(b"secret", BindMode::Transmitter)).unwrap();
        let now = Instant::ZERO + SECOND;
        let message_id = smsc.submit(now, transmitter, &message()).unwrap();
        assert_eq!(smsc.poll_timeout(), None, "nobody receives");
        let receiver = smsc.bind(&bind(b"secret", BindMode::Receiver)).unwrap();
        let due = smsc.poll_timeout().unwrap();
        assert!(smsc.poll_receipt(now).is_none(), "not yet due");
        let delivery = smsc.poll_receipt(due).unwrap();
        assert_eq!(delivery.bind, receiver);
        let deliver_sm = delivery.deliver_sm();
        assert_eq!(deliver_sm.source.digits.as_bytes(), b"6591234567", "addresses are swapped");
        let text = core::str::from_utf8(deliver_sm.text()).unwrap();
        assert_eq!(
            text,
            format!(
                "id:{message_id} sub:001 dlvrd:001 submit date:2611230102 done date:2611230102 \
                 stat:DELIVRD err:000 Text:Hello, this is a lon"
            )
        );
        smsc.redeliver(due, delivery);
        assert!(smsc.poll_receipt(due).is_none());
        assert!(smsc.poll_receipt(due + SECOND).is_some());
    }

    #[test]
    fn ids_look_like_uuids_and_differ() {
        let mut smsc = smsc();
        let id = smsc.bind(&bind(b"secret", BindMode::Transceiver)).unwrap();
        let a = smsc.submit(Instant::ZERO, id, &message()).unwrap();
        let b = smsc.submit(Instant::ZERO, id, &message()).unwrap();
        assert_ne!(a, b);
        let groups: Vec<_> = a.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12]);
    }
}
