//! The probe against the simulated SMSC, without I/O and with simulated time.

use std::time::Duration;

use smpp_proto::session::{Direction, Instant};
use smpp_proto::simulator::{Delivery, ReceiptTiming, Rules, SimulatedBind, Simulator};
use smpp_proto::{
    Address, Bind, BindMode, COctets, CommandStatus, DeliverSmResp, Frame, Password, Pdu, SequenceNumber,
    SubmitSm, SubmitSmResp, Tlvs,
};

use super::limits;
use super::messages::messages;
use super::plan::{Allowance, Limits, Plan, Purpose};
use super::record::{BindOutcome, Ended, Idle, Record};

/// The number that the messages go to, and come from.
pub(super) const NUMBER: &str = "6591234567";

/// 2026-11-23 01:02:03 UTC.
pub(super) const EPOCH: u64 = 1_795_395_723;

/// How long the SMSC takes to respond.
const RESPONSE_TIME: Duration = Duration::from_millis(10);

/// How long the response to a segment that comes back takes.
const ACK_DELAY: Duration = Duration::from_millis(500);

pub(super) struct Simulation {
    smsc: Simulator,
    rules: Rules,
    record: Record,
    now: Instant,
    binds: Vec<SimulatedBind>,
    allowance: Allowance,
    sequence: u32,
    /// Deliveries whose response is not sent yet.
    unanswered: Vec<(Instant, Delivery, SequenceNumber)>,
    /// How many messages were submitted.
    submitted: usize,
}

/// Returns limits that allow everything.
pub(super) fn generous() -> Limits {
    Limits {
        messages: 80,
        binds: 4,
        exceed_rate: true,
        idle: Some(Duration::from_secs(60)),
        wait: Duration::from_secs(10),
    }
}

/// Carries out the plan for these limits against an SMSC with this dialect, and returns what was observed.
pub(super) fn run(dialect: &str, limits: &Limits) -> Record {
    run_with(Rules::default().dialect(dialect.parse().unwrap()).max_binds(2), limits)
}

pub(super) fn run_with(rules: Rules, limits: &Limits) -> Record {
    let rules = rules.epoch(EPOCH);
    let mut smsc = Simulator::new(rules.clone());
    smsc.add_account("shop", "s3cret");
    let mut simulation = Simulation {
        smsc,
        rules,
        record: Record::new(NUMBER, EPOCH.try_into().unwrap()),
        now: Instant::ZERO,
        binds: Vec::new(),
        allowance: Allowance::new(limits),
        sequence: 0,
        unanswered: Vec::new(),
        submitted: 0,
    };
    let plan = Plan::new(limits);
    simulation.carry_out(&plan);
    assert!(simulation.submitted <= limits.messages.into(), "{} messages", simulation.submitted);
    assert!(simulation.record.binds.len() <= limits.binds.into(), "{} binds", simulation.record.binds.len());
    simulation.record
}

impl Simulation {
    fn carry_out(&mut self, plan: &Plan) {
        self.bind(plan.binds);
        for (purpose, count) in &plan.steps {
            if *purpose == Purpose::Window {
                self.wait(Duration::from_secs(1));
            }
            self.send(*purpose, *count);
        }
        self.wait(plan.wait);
        if plan.burst > 0 {
            self.wait(Duration::from_secs(1));
            self.send(Purpose::Rate, plan.burst);
        }
        self.wait(Duration::from_secs(1));
        if let Some(limit) = plan.idle {
            let ends = self.rules.dialect.idle_timeout.filter(|timeout| *timeout <= limit);
            if let Some(timeout) = ends {
                let at = self.record.last_activity(0).unwrap() + timeout;
                self.record.ends.push(Ended {
                    at,
                    bind: 0,
                    by_smsc: true,
                    reason: "the peer unbound".into(),
                });
            }
            self.record.idle = Some(Idle { bind: 0, since: self.now - Instant::ZERO, limit, complete: true });
        }
    }

    fn bind(&mut self, count: u16) {
        let bind = Bind {
            mode: BindMode::Transceiver,
            system_id: COctets::new(b"shop").unwrap(),
            password: Password::new(b"s3cret").unwrap(),
            ..Bind::default()
        };
        for _ in 0..count {
            assert!(self.allowance.take_bind());
            match self.smsc.bind(&bind) {
                Ok(id) => {
                    self.binds.push(id);
                    let version = self.rules.dialect.sc_interface_version.map(|version| version.0);
                    self.record.binds.push(BindOutcome::Accepted { version, system_id: "smsc".into() });
                }
                Err(status) => {
                    self.record.binds.push(BindOutcome::Refused(status));
                    break;
                }
            }
        }
        for id in self.binds.split_off(self.binds.len().min(2)) {
            self.smsc.release(id);
        }
    }

    fn observe(
        &mut self,
        bind: usize,
        direction: Direction,
        pdu: &Pdu<'_>,
        status: CommandStatus,
        sequence: SequenceNumber,
    ) {
        let frame: Frame<Vec<u8>> = Frame::encode(pdu, status, sequence);
        let (at, bind) = (self.now - Instant::ZERO, u16::try_from(bind).unwrap());
        self.record.observe(at, bind, direction, frame.octets());
    }

    fn send(&mut self, purpose: Purpose, count: u16) {
        let number = Address::international(NUMBER).unwrap();
        let messages = messages(purpose, count, 7);
        let requests: Vec<_> = messages.iter().map(|it| (it.bind, it.submit_sm(number, number))).collect();
        let at_once = match purpose {
            Purpose::Window | Purpose::Rate => {
                let window = limits::window(&self.record.sent()).0.value;
                usize::from(window.unwrap_or(u16::MAX))
            }
            _ => 1,
        };
        for group in requests.chunks(at_once) {
            let responses: Vec<_> =
                group.iter().map(|(bind, request)| self.submit(purpose, *bind, request)).collect();
            if self.rules.receipt_timing == ReceiptTiming::BeforeResponse {
                self.deliver();
            }
            // A burst is within one second.
            self.now =
                self.now + if purpose == Purpose::Rate { Duration::from_micros(10) } else { RESPONSE_TIME };
            for (bind, sequence, outcome) in responses {
                self.respond(bind, sequence, &outcome);
            }
            if purpose != Purpose::Rate {
                self.deliver();
            }
        }
    }

    fn submit(
        &mut self,
        purpose: Purpose,
        bind: usize,
        request: &SubmitSm<'_>,
    ) -> (usize, SequenceNumber, Result<String, CommandStatus>) {
        assert!(self.allowance.take_message());
        let bind = bind.min(self.binds.len() - 1);
        self.sequence += 1;
        self.submitted += 1;
        let sequence = SequenceNumber(self.sequence);
        self.record.expect(bind.try_into().unwrap(), purpose);
        self.observe(bind, Direction::Out, &Pdu::SubmitSm(*request), CommandStatus::ROK, sequence);
        (bind, sequence, self.smsc.submit(self.now, self.binds[bind], request))
    }

    fn respond(&mut self, bind: usize, sequence: SequenceNumber, outcome: &Result<String, CommandStatus>) {
        let dialect = self.rules.dialect.clone();
        let tlvs = dialect.tlvs_of_response();
        let (body, status) = match outcome {
            Ok(id) => {
                let message_id = COctets::new(id.as_bytes()).unwrap();
                (Some(SubmitSmResp { message_id, tlvs: Tlvs::list(&tlvs) }), CommandStatus::ROK)
            }
            Err(status) => (None, *status),
        };
        self.observe(bind, Direction::In, &Pdu::SubmitSmResp(body), status, sequence);
        self.smsc.responded(self.binds[bind]);
    }

    /// Delivers what is due, and responds to what was delivered.
    fn deliver(&mut self) {
        loop {
            let answered = self.unanswered.iter().position(|(at, ..)| *at <= self.now);
            if let Some(at) = answered {
                let (_, delivery, sequence) = self.unanswered.remove(at);
                let bind = self.position(&delivery);
                let response = Pdu::DeliverSmResp(Some(DeliverSmResp::default()));
                self.observe(bind, Direction::Out, &response, CommandStatus::ROK, sequence);
                self.smsc.accepted(&delivery);
                continue;
            }
            let Some(delivery) = self.smsc.poll_delivery(self.now) else { return };
            self.sequence += 1;
            let sequence = SequenceNumber(self.sequence);
            let bind = self.position(&delivery);
            self.observe(
                bind,
                Direction::In,
                &Pdu::DeliverSm(delivery.deliver_sm()),
                CommandStatus::ROK,
                sequence,
            );
            let user_data = delivery.deliver_sm().user_data();
            let is_segment = delivery.state().is_none() && user_data.is_ok_and(|it| it.segment.is_some());
            let delay = if is_segment { ACK_DELAY } else { Duration::ZERO };
            self.unanswered.push((self.now + delay, delivery, sequence));
        }
    }

    fn position(&self, delivery: &Delivery) -> usize {
        self.binds.iter().position(|id| *id == delivery.bind).unwrap()
    }

    fn wait(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            self.deliver();
            let next = self.unanswered.iter().map(|(at, ..)| *at).chain(self.smsc.poll_timeout()).min();
            match next.filter(|next| *next <= end) {
                Some(next) => self.now = self.now.max(next),
                None => break,
            }
        }
        self.now = end;
    }
}
