//! Responses with scripted answers, and what the log records of them.

use alloc::string::String;
use alloc::sync::Arc;
use core::net::SocketAddr;
use core::time::Duration;

use super::fault_filter::ResponseFault;
use super::log::{DeliveryFailure, Log, LogEntry, LoggedBind, LoggedDelivery, lossy};
use super::script::{Answer, When};
use super::{Bound, Delivery, SimulatedBind, Simulator};
use crate::pdu::{Bind, BindMode, CommandStatus, SubmitSm};
use crate::session::{CloseReason, Instant, RateMeter};
use crate::sms::Codings;

/// How to respond to a message: what [`Simulator::respond`] returns.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SimulatedResponse {
    /// The message id, or the status to refuse the message with.
    pub outcome: Result<String, CommandStatus>,
    /// How much later to respond.
    pub delay: Duration,
    /// A fault of the response: [`FaultFilter::plan`](super::FaultFilter::plan).
    pub fault: Option<ResponseFault>,
}

impl Simulator {
    /// Decides on a message as [`submit`](Self::submit) does, unless the script has an answer for it, and logs the message.
    pub fn respond(
        &mut self,
        now: Instant,
        bind: SimulatedBind,
        message: &SubmitSm<'_>,
    ) -> SimulatedResponse {
        let codings = self.codings();
        let text = || message.user_data().ok()?.text(codings);
        let answer =
            if self.script.is_empty() { None } else { self.script.answer(message, text().as_deref()) };
        let Answer { status, message_id, delay, fault, receipt } = answer.unwrap_or(Answer::accept());
        let outcome = match status {
            None => self.submit_with(now, bind, message, receipt),
            Some(status) => {
                self.count_unanswered(bind);
                Err(status)
            }
        };
        let outcome = outcome.map(|id| message_id.unwrap_or(id));
        if let Some(bound) = self.binds.iter().find(|bound| bound.id == bind) {
            let logged = outcome.as_deref().map_err(|status| *status);
            self.log.record_message(now, (&bound.logged, message), logged, codings);
        }
        SimulatedResponse { outcome, delay, fault }
    }

    /// Adds a scripted answer. Of several rules for a message the oldest applies.
    ///
    /// ```
    /// use smpp_proto::CommandStatus;
    /// use smpp_proto::simulator::{Answer, Rules, Simulator, When};
    /// let mut smsc = Simulator::new(Rules::default());
    /// smsc.script(When::every(3), Answer::refuse(CommandStatus::RTHROTTLED));
    /// ```
    pub fn script(&mut self, when: When, answer: Answer) {
        self.script.add(when, answer);
    }

    /// Removes all scripted answers.
    pub fn clear_script(&mut self) {
        self.script.clear();
    }

    /// Returns the log.
    pub const fn log(&self) -> &Log {
        &self.log
    }

    /// Returns the log, to take entries from it or to bound it.
    pub const fn log_mut(&mut self) -> &mut Log {
        &mut self.log
    }

    /// As [`bind`](Self::bind), with the address of the ESME for the log, which also gets a refused bind.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub fn bind_from(
        &mut self,
        bind: &Bind<'_>,
        peer: Option<SocketAddr>,
    ) -> Result<SimulatedBind, CommandStatus> {
        let admitted = self.authenticate(bind).and_then(|()| {
            let account = self.account(bind.system_id.as_bytes());
            let held = self.binds.iter().filter(|bound| Some(bound.account) == account).count();
            if held >= usize::from(self.rules.max_binds) {
                return Err(self.rules.dialect.bind_status);
            }
            self.admit_from(bind.system_id.as_bytes(), bind.mode, peer).ok_or(CommandStatus::RINVSYSID)
        });
        admitted.inspect_err(|status| self.record_refused_bind(bind, peer, *status))
    }

    /// As [`admit`](Self::admit), with the address of the ESME for the log.
    pub fn admit_from(
        &mut self,
        system_id: &[u8],
        mode: BindMode,
        peer: Option<SocketAddr>,
    ) -> Option<SimulatedBind> {
        let account = self.account(system_id)?;
        self.last_bind += 1;
        let id = SimulatedBind(self.last_bind);
        let meter = self.rules.rate.map(RateMeter::new);
        let logged = Arc::new(LoggedBind { system_id: lossy(system_id), mode, peer });
        self.log.record(|| LogEntry::Bound(Arc::clone(&logged)));
        self.binds.push(Bound { id, account, meter, unanswered: 0, logged });
        Some(id)
    }

    /// Logs a bind that was refused with this status.
    pub fn record_refused_bind(&mut self, bind: &Bind<'_>, peer: Option<SocketAddr>, status: CommandStatus) {
        let refused = LoggedBind { system_id: lossy(bind.system_id.as_bytes()), mode: bind.mode, peer };
        self.log.record(|| LogEntry::BindRefused(Arc::new(refused), status));
    }

    /// As [`release`](Self::release), with the reason for the log.
    pub fn release_for(&mut self, bind: SimulatedBind, reason: Option<CloseReason>) {
        let Some(at) = self.binds.iter().position(|bound| bound.id == bind) else { return };
        let bound = self.binds.remove(at);
        self.log.record(|| LogEntry::Ended(bound.logged, reason));
    }

    /// Records and logs the end of an attempt to deliver. If it has failed, the delivery is scheduled again as by
    /// [`redeliver`](Self::redeliver), except for a message of [`deliver`](Self::deliver).
    pub fn delivered(&mut self, now: Instant, delivery: Delivery, outcome: Result<(), DeliveryFailure>) {
        let codings = self.codings();
        let (ids, seed) = (self.rules.dialect.response_ids, self.rules.seed);
        self.log.record(|| {
            let deliver_sm = delivery.deliver_sm();
            let is_receipt = delivery.state().is_some();
            LogEntry::Delivered(LoggedDelivery {
                system_id: delivery.system_id.clone(),
                source: lossy(deliver_sm.source.digits.as_bytes()),
                destination: lossy(deliver_sm.destination.digits.as_bytes()),
                state: delivery.state(),
                message_id: delivery.pending.number.filter(|_| is_receipt).map(|number| ids.id(seed, number)),
                text: deliver_sm.user_data().ok().and_then(|user_data| user_data.text(codings)),
                outcome,
            })
        });
        let is_tracked = delivery.pending.mo.is_some_and(|id| self.mo_messages.record(id, outcome));
        match outcome {
            Err(_) if !is_tracked => self.redeliver(now, delivery),
            _ => self.accepted(&delivery),
        }
    }

    /// Returns what the `data_coding` values mean to the SMSC.
    pub(super) fn codings(&self) -> Codings {
        Codings { smsc_default: self.rules.dialect.default_alphabet, ..Codings::default() }
    }

    /// Counts a message that is refused without the rules.
    fn count_unanswered(&mut self, bind: SimulatedBind) {
        if let Some(bound) = self.binds.iter_mut().find(|bound| bound.id == bind) {
            bound.unanswered = bound.unanswered.saturating_add(1);
        }
    }
}
