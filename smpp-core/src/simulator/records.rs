//! The states of accepted messages, and the requests about them: query_sm, cancel_sm, replace_sm.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use super::delivery::{OwnedAddress, PendingDelivery};
use super::receipts::Accepted;
use super::{SimulatedBind, Simulator};
use crate::pdu::{
    Address, CancelSm, CommandStatus, EsmClass, MessageState, QuerySm, QuerySmResp, ReplaceSm, SubmitSm,
};
use crate::session::Instant;
use crate::sms::digest;
use crate::sms::time::{AbsoluteTime, TimeText, UnixTime};
use crate::wire::COctets;

/// The most messages whose states the simulator knows. Beyond it the oldest one is removed.
const MAX_RECORDS: usize = 10_000;

/// The accepted messages, oldest first.
#[derive(Debug, Default)]
pub(super) struct Records(VecDeque<Record>);

#[derive(Debug)]
struct Record {
    account: usize,
    number: u64,
    /// The digests of the addresses.
    source: u64,
    destination: u64,
    submitted: Instant,
    /// When the message reaches its final state.
    due: Instant,
    state: MessageState,
}

/// The state of a message: what [`Simulator::query`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueriedMessage {
    state: MessageState,
    final_date: Option<TimeText>,
}

impl QueriedMessage {
    /// Returns the state: `ENROUTE` until the message has reached its final state.
    pub const fn state(&self) -> MessageState {
        self.state
    }

    /// Returns the response, with the message_id of the request.
    pub fn response<'a>(&'a self, message_id: &'a [u8]) -> QuerySmResp<'a> {
        QuerySmResp {
            // The request had it.
            message_id: COctets::new(message_id).unwrap_or_default(),
            final_date: self.final_date.as_ref().map(TimeText::as_time).unwrap_or_default(),
            message_state: self.state,
            ..QuerySmResp::default()
        }
    }
}

fn digest_of(address: Address<'_>) -> u64 {
    digest([address.ton.0, address.npi.0].into_iter().chain(address.digits.as_bytes().iter().copied()))
}

impl Simulator {
    /// Records the state that an accepted message reaches after the delay.
    pub(super) fn record(
        &mut self,
        now: Instant,
        accepted: &Accepted<'_>,
        state: MessageState,
        delay: Duration,
    ) {
        let Records(records) = &mut self.records;
        if records.len() >= MAX_RECORDS {
            records.pop_front();
        }
        records.push_back(Record {
            account: accepted.account,
            number: accepted.number,
            source: digest_of(accepted.message.source),
            destination: digest_of(accepted.message.destination),
            submitted: now,
            due: now + delay,
            state,
        });
    }

    /// Returns the index of the record of a message that this account has sent from this address. Of several segments with
    /// the id, it is the last one.
    fn find(&self, bind: SimulatedBind, id: &[u8], source: Address<'_>) -> Result<usize, CommandStatus> {
        let account = self.account_of(bind)?;
        let (form, seed) = (self.rules.dialect.response_ids, self.rules.seed);
        let source = digest_of(source);
        let is_this = |record: &Record| {
            record.account == account
                && record.source == source
                && form.id(seed, record.number).as_bytes() == id
        };
        self.records.0.iter().rposition(is_this).ok_or(CommandStatus::RINVMSGID)
    }

    fn account_of(&self, bind: SimulatedBind) -> Result<usize, CommandStatus> {
        let bound = self.binds.iter().find(|bound| bound.id == bind);
        bound.map(|bound| bound.account).ok_or(CommandStatus::RINVBNDSTS)
    }

    /// Returns the state of a message (SMPP 3.4 §4.8): `ENROUTE`, from [`Rules::receipt_delay`](super::Rules::receipt_delay)
    /// after its submission the final state that was drawn for it, or `DELETED`. The simulator knows the last 10,000 messages.
    ///
    /// # Errors
    ///
    /// The status to refuse the request with: `ESME_RINVMSGID` if the account has sent no message with this id from this
    /// address, `ESME_RINVBNDSTS` for an unknown bind.
    pub fn query(
        &self,
        now: Instant,
        bind: SimulatedBind,
        request: &QuerySm<'_>,
    ) -> Result<QueriedMessage, CommandStatus> {
        let index = self.find(bind, request.message_id.as_bytes(), request.source)?;
        let record = self.records.0.get(index).ok_or(CommandStatus::RQUERYFAIL)?;
        if record.due > now {
            return Ok(QueriedMessage { state: MessageState::ENROUTE, final_date: None });
        }
        let since_start = Duration::from_nanos(record.due.as_nanos());
        let at = UnixTime::from_duration(Duration::from_secs(self.rules.epoch).saturating_add(since_start));
        let final_date = AbsoluteTime::from_unix(at, self.rules.dialect.receipt_offset).ok();
        Ok(QueriedMessage { state: record.state, final_date: final_date.map(AbsoluteTime::encode) })
    }

    /// Deletes a message that has not reached its final state (SMPP 3.4 §4.9): its receipt, if it requested one, says
    /// `DELETED`, and it has no echo. Without a message_id, deletes all such messages with the addresses of the request.
    ///
    /// # Errors
    ///
    /// The status to refuse the request with: that of [`query`](Self::query), or `ESME_RCANCELFAIL` if the message has reached
    /// its final state, or there is no message with these addresses.
    pub fn cancel(
        &mut self,
        now: Instant,
        bind: SimulatedBind,
        request: &CancelSm<'_>,
    ) -> Result<(), CommandStatus> {
        let id = request.message_id.as_bytes();
        let account = self.account_of(bind)?;
        let is_pending = |record: &Record| record.account == account && record.due > now;
        let numbers: Vec<u64> = if id.is_empty() {
            let (source, destination) = (digest_of(request.source), digest_of(request.destination));
            let is_meant = |record: &&Record| {
                is_pending(record) && (record.source, record.destination) == (source, destination)
            };
            self.records.0.iter().filter(is_meant).map(|record| record.number).collect()
        } else {
            let found = self.find(bind, id, request.source)?;
            let record = self.records.0.get(found).filter(|record| is_pending(record));
            record.map(|record| record.number).into_iter().collect()
        };
        if numbers.is_empty() {
            return Err(CommandStatus::RCANCELFAIL);
        }
        for number in numbers {
            self.rewrite(now, account, number, Change::Deleted);
        }
        Ok(())
    }

    /// Replaces the text of a message that has not reached its final state (SMPP 3.4 §4.10): its receipt shows the new one.
    /// The other fields of the request change nothing.
    ///
    /// # Errors
    ///
    /// The status to refuse the request with: that of [`query`](Self::query), or `ESME_RREPLACEFAIL` if the message has reached
    /// its final state.
    pub fn replace(
        &mut self,
        now: Instant,
        bind: SimulatedBind,
        request: &ReplaceSm<'_>,
    ) -> Result<(), CommandStatus> {
        let found = self.find(bind, request.message_id.as_bytes(), request.source)?;
        let record = self.records.0.get(found).filter(|record| record.due > now);
        let (account, number) =
            record.map(|record| (record.account, record.number)).ok_or(CommandStatus::RREPLACEFAIL)?;
        self.rewrite(now, account, number, Change::Replaced(request));
        Ok(())
    }

    /// Changes the messages with this number, and their deliveries that are pending.
    fn rewrite(&mut self, now: Instant, account: usize, number: u64, change: Change<'_>) {
        let mut submitted = now;
        for record in &mut self.records.0 {
            if (record.account, record.number) == (account, number) && record.due > now {
                submitted = record.submitted;
                if let Change::Deleted = change {
                    (record.state, record.due) = (MessageState::DELETED, now);
                }
            }
        }
        let Some(pending) = self.accounts.get_mut(account).map(|account| &mut account.pending) else {
            return;
        };
        let (changed, others): (VecDeque<_>, VecDeque<_>) =
            core::mem::take(pending).into_iter().partition(|delivery| delivery.number == Some(number));
        *pending = others;
        // Intermediate receipts and corrections of a deleted message are not sent.
        let mut has_receipt = false;
        for delivery in changed {
            match (change, delivery.content.state) {
                (Change::Deleted, None) => {}
                (Change::Deleted, Some(_)) if core::mem::replace(&mut has_receipt, true) => {}
                (Change::Deleted, Some(_)) => {
                    let class = self.rules.dialect.receipt_esm_class;
                    let text = SubmitSm::default();
                    self.rewrite_receipt(
                        account,
                        delivery,
                        (MessageState::DELETED, class),
                        (submitted, now),
                        text,
                    );
                }
                (Change::Replaced(_), None) => self.enqueue(account, delivery),
                (Change::Replaced(request), Some(state)) => {
                    let text = SubmitSm { short_message: request.short_message, ..SubmitSm::default() };
                    let (class, due) = (delivery.content.esm_class, delivery.due);
                    self.rewrite_receipt(account, delivery, (state, class), (submitted, due), text);
                }
            }
        }
    }

    /// Schedules a receipt again, about another state or text.
    fn rewrite_receipt(
        &mut self,
        account: usize,
        delivery: PendingDelivery,
        kind: (MessageState, EsmClass),
        (submitted, due): (Instant, Instant),
        text: SubmitSm<'_>,
    ) {
        let (Some(bind), Some(number)) = (delivery.submitter, delivery.number) else { return };
        // The receipt has swapped the addresses of the message.
        let message = SubmitSm {
            source: OwnedAddress::address(&delivery.destination),
            destination: OwnedAddress::address(&delivery.source),
            ..text
        };
        let accepted = Accepted { account, bind, message: &message, number, is_reported: true };
        let content = self.receipt(&accepted, kind, (submitted, due));
        self.enqueue(account, PendingDelivery { due, content, ..delivery });
    }
}

/// How a request changes a message.
#[derive(Clone, Copy)]
enum Change<'a> {
    Deleted,
    Replaced(&'a ReplaceSm<'a>),
}
