//! The I/O of the probe: binds, sends what the plan says within the allowance, and records every PDU.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use smpp_proto::session::{CloseReason, Config, Direction, Esme, ObservedPdu, Observer, RequestError, State};
use smpp_proto::{Address, BindMode, Endpoint, EnquireLink, InterfaceVersion, SubmitSm};
use smpp_tokio::{Client, Connector, End, Inbound, Inbox};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{self, MissedTickBehavior};

use super::limits;
use super::messages::messages;
use super::plan::{Allowance, Limits, Plan, Purpose};
use super::record::{BindOutcome, Delivered, Ended, Idle, Record};
use crate::connecting::{Connecting, SESSION_LIMIT};
use crate::failure::Failure;
use crate::interrupts::Interrupts;
use crate::options;
use crate::output::printable;

/// How long the response to a segment of a message that comes back is delayed: whether the SMSC sends the next segment
/// meanwhile shows if it sends them one at a time.
const ACK_DELAY: Duration = Duration::from_millis(500);

/// How often a silent bind sends enquire_link, except while idleness is tested.
const KEEP_ALIVE: Duration = Duration::from_secs(3);

/// The pause before messages at once: a rate limit of the SMSC then counts none of those before.
const RATE_PAUSE: Duration = Duration::from_millis(1100);

/// What the probe talks to, and about what.
pub(super) struct Target<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) source: Address<'a>,
    pub(super) destination: Address<'a>,
}

/// A probe that runs.
struct Probe<'a> {
    target: &'a Target<'a>,
    allowance: Allowance,
    record: Arc<Mutex<Record>>,
    start: Instant,
    binds: Vec<Bound>,
}

/// A bound session.
struct Bound {
    number: u16,
    client: Client,
    /// Returns when the session ended.
    receiving: JoinHandle<Duration>,
}

/// Records the PDUs of one session.
struct Recorder {
    record: Arc<Mutex<Record>>,
    bind: u16,
    start: Instant,
}

impl Observer for Recorder {
    fn observe(&mut self, _: smpp_proto::session::Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        lock(&self.record).observe(self.start.elapsed(), self.bind, direction, &pdu.octets());
    }
}

fn lock(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the connector: no automatic enquire_link, since idleness is tested, and TLVs whatever version the SMSC states.
pub(super) fn connector(plan: &Plan) -> Connector {
    Connector::new().config(
        Config::default()
            .window(plan.most_at_once().max(Config::default().window))
            .peer_version(InterfaceVersion::V3_4)
            .enquire_link_interval(None)
            .slow_down_when_throttled(false),
    )
}

/// Carries out the plan. An interrupt ends it early: what was observed until then is returned.
pub(super) async fn run(
    target: &Target<'_>,
    connector: &Connector,
    (limits, plan): (&Limits, &Plan),
    record: Record,
) -> Result<Record, Failure> {
    let mut interrupts = Interrupts::new().map_err(Failure::other)?;
    let mut probe = Probe {
        target,
        allowance: Allowance::new(limits),
        record: Arc::new(Mutex::new(record)),
        start: Instant::now(),
        binds: Vec::new(),
    };
    let is_interrupted = tokio::select! {
        bound = probe.bind(connector, plan.binds) => {
            bound?;
            false
        }
        () = interrupts.next() => {
            lock(&probe.record).binds.push(BindOutcome::Failed("interrupted".into()));
            true
        }
    };
    if is_interrupted && probe.binds.is_empty() {
        return Err(Failure::other("interrupted before the first bind: nothing was found out"));
    }
    let is_interrupted = is_interrupted
        || tokio::select! {
            () = probe.carry_out(plan) => false,
            () = interrupts.next() => true,
        };
    if is_interrupted {
        progress("interrupted: unbinding");
    }
    probe.unbind_all().await;
    let record = std::mem::take(&mut *lock(&probe.record));
    Ok(record)
}

/// Tells the user what happens, on the standard error: the standard output is the provider.
fn progress(text: &str) {
    eprintln!("{}", printable(text));
}

impl Probe<'_> {
    /// Requests the binds, one after the other, until one is refused. Fails if the first one is.
    async fn bind(&mut self, connector: &Connector, count: u16) -> Result<(), Failure> {
        for number in 0..count {
            if !self.allowance.take_bind() {
                break;
            }
            let outcome = self.bind_one(connector, number).await;
            let refused = match outcome {
                Ok(outcome) => {
                    let refused = !matches!(outcome, BindOutcome::Accepted { .. });
                    if let BindOutcome::Refused(status) = outcome {
                        progress(&format!("bind {} was refused: {status}", number + 1));
                    }
                    lock(&self.record).binds.push(outcome);
                    refused
                }
                Err(failure) if number == 0 => return Err(failure),
                Err(failure) => {
                    lock(&self.record).binds.push(BindOutcome::Failed(failure.what));
                    true
                }
            };
            if refused {
                break;
            }
        }
        progress(&format!("bound {} time(s)", self.binds.len()));
        Ok(())
    }

    async fn bind_one(&mut self, connector: &Connector, number: u16) -> Result<BindOutcome, Failure> {
        let bind = options::bind(self.target.endpoint, BindMode::Transceiver)?;
        let connecting = Connecting::to(self.target.endpoint, SESSION_LIMIT);
        let (client, inbox) = connector.connect(self.target.endpoint).await?;
        let record = Arc::clone(&self.record);
        client.observe(Recorder { record, bind: number, start: self.start });
        let response = match client.bind(&bind).await {
            Ok(response) => response,
            Err(RequestError::Refused { status, .. }) if number > 0 => {
                client.abort().await;
                return Ok(BindOutcome::Refused(status));
            }
            Err(error) => {
                let received = client.diagnose_bind(&error);
                return Err(Failure::bind(self.target.endpoint, bind.mode, received, error));
            }
        };
        drop(connecting);
        let accepted = response.bind_resp();
        let version = accepted.tlvs.sc_interface_version().map(|version| version.0);
        let system_id = accepted.system_id.to_string();
        let (record, start) = (Arc::clone(&self.record), self.start);
        let receiving = tokio::spawn(async move {
            receive(inbox, record).await;
            start.elapsed()
        });
        self.binds.push(Bound { number, client, receiving });
        Ok(BindOutcome::Accepted { version, system_id })
    }

    async fn carry_out(&mut self, plan: &Plan) {
        // Two binds show all that several show; others may need the rest.
        for bound in self.binds.split_off(self.binds.len().min(2)) {
            self.unbind(bound).await;
        }
        for (purpose, count) in &plan.steps {
            if *purpose == Purpose::Window {
                time::sleep(RATE_PAUSE).await;
            }
            progress(&format!("sending {count} x {purpose}"));
            if !self.send(*purpose, *count).await {
                break;
            }
        }
        progress(&format!("waiting {} s; an interrupt ends it early", plan.wait.as_secs()));
        self.wait(plan.wait).await;
        if plan.burst > 0 {
            time::sleep(RATE_PAUSE).await;
            progress(&format!("sending {} x {}", plan.burst, Purpose::Rate));
            self.send(Purpose::Rate, plan.burst).await;
        }
        if let Some(limit) = plan.idle {
            progress(&format!("leaving a bind idle for up to {} s", limit.as_secs()));
            self.idle(limit).await;
        }
    }

    /// Sends messages for a purpose. Returns whether it makes sense to send others: not if the first message was refused.
    async fn send(&mut self, purpose: Purpose, count: u16) -> bool {
        let (source, destination) = (self.target.source, self.target.destination);
        let reference = lock(&self.record).epoch.to_le_bytes()[0];
        let messages = messages(purpose, count, reference);
        if matches!(purpose, Purpose::Window | Purpose::Rate) {
            let requests: Vec<_> = messages.iter().map(|it| it.submit_sm(source, destination)).collect();
            self.submit_at_once(purpose, &requests).await;
            return true;
        }
        let mut accepted = 0;
        for message in &messages {
            let request = message.submit_sm(source, destination);
            accepted += u32::from(self.submit(purpose, message.bind, &request).await);
        }
        purpose != Purpose::Plain || accepted > 0
    }

    /// Returns the bind at this position among those that live; the last one if there are fewer.
    fn live(&self, at: usize) -> Option<(u16, &Client)> {
        let mut live = self.binds.iter().filter(|bound| matches!(bound.client.state(), State::Bound(_)));
        let bound = live.clone().nth(at).or_else(|| live.next_back());
        if bound.is_none() {
            progress("  not sent: no bind is left");
        }
        bound.map(|bound| (bound.number, &bound.client))
    }

    /// Submits one message. Returns whether the SMSC accepted it.
    async fn submit(&mut self, purpose: Purpose, bind: usize, message: &SubmitSm<'_>) -> bool {
        if self.live(bind).is_none() || !self.allowance.take_message() {
            return false;
        }
        let Some((number, client)) = self.live(bind) else { return false };
        lock(&self.record).expect(number, purpose);
        let outcome = client.submit(message).await;
        if let Err(error) = &outcome {
            progress(&format!("  {error}"));
        }
        outcome.is_ok()
    }

    /// Submits messages without waiting for responses, except that the window is kept if it is known.
    async fn submit_at_once(&mut self, purpose: Purpose, messages: &[SubmitSm<'_>]) {
        let allowed: Vec<_> = messages.iter().take_while(|_| self.allowance.take_message()).collect();
        let window = limits::window(&lock(&self.record).sent()).0.value;
        let Some((number, client)) = self.live(0) else { return };
        let record = &self.record;
        let submitting = allowed.into_iter().map(|message| Box::pin(client.submit(message))).collect();
        let at_most = usize::from(window.unwrap_or(u16::MAX));
        join_all(submitting, at_most, || lock(record).expect(number, purpose)).await;
    }

    /// Waits, and keeps the binds alive.
    async fn wait(&self, duration: Duration) {
        let mut keep_alive = time::interval(KEEP_ALIVE);
        keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick is at once.
        keep_alive.tick().await;
        let waiting = async {
            loop {
                keep_alive.tick().await;
                for bound in &self.binds {
                    // Fails if the session has ended, which is recorded at the end.
                    let _ = bound.client.request(&EnquireLink).await;
                }
            }
        };
        let ended = async {
            for bound in &self.binds {
                bound.client.closed().await;
            }
        };
        tokio::select! {
            () = time::sleep(duration) => {}
            () = waiting => {}
            () = ended => progress("the SMSC ended all sessions"),
        }
    }

    /// Leaves one bind idle until the SMSC ends its session or the limit is over.
    async fn idle(&mut self, limit: Duration) {
        for bound in self.binds.split_off(self.binds.len().min(1)) {
            self.unbind(bound).await;
        }
        let Some(Bound { number, client, .. }) = self.binds.first() else { return };
        let since = self.start.elapsed();
        lock(&self.record).idle = Some(Idle { bind: *number, since, limit, complete: false });
        // Within the limit or not: both are complete tests.
        let _ = time::timeout(limit, client.closed()).await;
        if let Some(idle) = &mut lock(&self.record).idle {
            idle.complete = true;
        }
        if let Some(bound) = self.binds.pop() {
            self.unbind(bound).await;
        }
    }

    async fn unbind_all(&mut self) {
        for bound in std::mem::take(&mut self.binds) {
            self.unbind(bound).await;
        }
    }

    /// Ends a session, unless the SMSC has ended it already, and records how it ended.
    async fn unbind(&self, bound: Bound) {
        let Bound { number, client, receiving } = bound;
        let had_ended = client.state() == State::Closed;
        let End { reason, error, .. } = if had_ended { client.closed().await } else { client.unbind().await };
        // It ends with the session, and fails only if it panics.
        let at = receiving.await.unwrap_or_else(|_| self.start.elapsed());
        let by_smsc = had_ended || reason == CloseReason::PeerUnbound;
        let reason = match error {
            Some(error) => format!("{reason} ({error})"),
            None => reason.to_string(),
        };
        lock(&self.record).ends.push(Ended { at, bind: number, by_smsc, reason });
    }
}

/// Acknowledges what is about the number of --to. Everything else belongs to other programs of the account: dropped, it is
/// refused with a temporary error, and the SMSC delivers it again.
async fn receive(mut inbox: Inbox<Esme>, record: Arc<Mutex<Record>>) {
    let mut delayed = JoinSet::new();
    while let Some(inbound) = inbox.recv().await {
        match inbound {
            Inbound::DeliverSm(message) => {
                let sm = message.get();
                if !lock(&record).is_ours(Delivered::DeliverSm(sm)) {
                    continue;
                }
                let is_segment = sm.esm_class.message_type().is_empty()
                    && sm.user_data().is_ok_and(|user_data| user_data.segment.is_some());
                if is_segment {
                    delayed.spawn(async move {
                        time::sleep(ACK_DELAY).await;
                        let _ = message.accept();
                    });
                } else {
                    // Fails if the session has ended: the SMSC delivers it again.
                    let _ = message.accept();
                }
            }
            Inbound::DataSm(message) if lock(&record).is_ours(Delivered::DataSm(message.get())) => {
                let _ = message.accept();
            }
            _ => {}
        }
    }
}

/// Polls futures in their order, so many at a time, until all are ready. Calls `start` before the first poll of each.
async fn join_all<F: Future + Unpin>(futures: Vec<F>, at_most: usize, mut start: impl FnMut()) {
    let mut waiting = futures.into_iter();
    let mut running = Vec::new();
    poll_fn(|cx| {
        loop {
            running.retain_mut(|future: &mut F| Pin::new(future).poll(cx).is_pending());
            if running.len() >= at_most {
                return Poll::Pending;
            }
            let Some(next) = waiting.next() else { break };
            start();
            running.push(next);
        }
        if running.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
