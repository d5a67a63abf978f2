//! The application: it decides on binds and answers requests, late or never, and delivers.

use smpp_proto::server::{AccountName, Admission, ConnectionId, Delivery, Server};
use smpp_proto::session::{Instant, Refusal, Reply, Request};
use smpp_proto::{
    Bind, CommandStatus, DeliverSm, ShortMessage, SubmitMulti, SubmitMultiResp, SubmitSm, SubmitSmResp,
};

use super::deliveries::{Deliveries, account_of};
use super::harness::rng::Rng;
use super::harness::{Recorder, span};
use super::scenario::Scenario;

type Decision = Result<Admission, CommandStatus>;

enum Token {
    SubmitSm(Reply<SubmitSm<'static>>),
    SubmitMulti(Reply<SubmitMulti<'static>>),
}

/// Something that the application has done.
pub(crate) struct Done {
    /// The connection that it was about, if it was about one.
    pub(crate) connection: Option<ConnectionId>,
}

#[derive(Default)]
pub(crate) struct Application {
    decisions: Vec<(Instant, ConnectionId, Decision)>,
    replies: Vec<(Instant, ConnectionId, Token)>,
    next_delivery: Option<Instant>,
    last_delivery: u32,
}

impl Application {
    pub(crate) fn new() -> Self {
        Self { next_delivery: Some(Instant::ZERO), ..Self::default() }
    }

    /// Begins a decision, which it may never make.
    pub(crate) fn begin_decision(
        &mut self,
        rng: &mut Rng,
        recorder: &mut Recorder,
        (now, scenario): (Instant, &Scenario),
        connection: ConnectionId,
        bind: &Bind<'_>,
    ) {
        if rng.chance(scenario.never_decides) {
            recorder.count(|| "decision never".into());
            return;
        }
        let system_id = bind.system_id.as_bytes();
        let decision = if bind.password.equals(b"secret") {
            Ok(Admission::default()
                .account(scenario.ignores_case.then(|| AccountName::new(&system_id.to_ascii_lowercase())))
                .binds(scenario.binds)
                .account_rate(scenario.account_rate)
                .tolerance(scenario.tolerance))
        } else {
            Err(CommandStatus::RINVPASWD)
        };
        self.decisions.push((now + span(rng, 0, scenario.decision_delay), connection, decision));
    }

    /// Begins to work on a request. Returns how many messages it is.
    pub(crate) fn handle_request(
        &mut self,
        rng: &mut Rng,
        (now, scenario): (Instant, &Scenario),
        connection: ConnectionId,
        request: Request<'_>,
    ) -> u32 {
        let (token, messages) = match request {
            Request::SubmitSm(_, reply) => (Token::SubmitSm(reply), 1),
            Request::SubmitMulti(message, reply) => {
                (Token::SubmitMulti(reply), message.destinations.iter().count() as u32)
            }
            other => panic!("an unexpected request: {other:?}"),
        };
        if !rng.chance(scenario.never_replies) {
            self.replies.push((now + span(rng, 0, scenario.reply_delay), connection, token));
        }
        messages
    }

    pub(crate) fn due(&self) -> Option<Instant> {
        let decision = self.decisions.iter().map(|(at, ..)| *at).min();
        let reply = self.replies.iter().map(|(at, ..)| *at).min();
        [decision, reply, self.next_delivery].into_iter().flatten().min()
    }

    /// Does one thing that is due.
    pub(crate) fn step(
        &mut self,
        rng: &mut Rng,
        recorder: &mut Recorder,
        (now, scenario): (Instant, &Scenario),
        server: &mut Server<()>,
        deliveries: &mut Deliveries,
    ) -> Option<Done> {
        if let Some(index) = self.decisions.iter().position(|(at, ..)| *at <= now) {
            let (_, connection, decision) = self.decisions.swap_remove(index);
            if server.decide(now, connection, decision) == Err(smpp_proto::server::BindRefusal::Ended) {
                recorder.count(|| "decision after the end".into());
            }
            return Some(Done { connection: Some(connection) });
        }
        if let Some(index) = self.replies.iter().position(|(at, ..)| *at <= now) {
            let (_, connection, token) = self.replies.swap_remove(index);
            let responded = match token {
                Token::SubmitSm(reply) => server.respond(now, connection, reply, Ok(SubmitSmResp::default())),
                Token::SubmitMulti(reply) => {
                    server.respond(now, connection, reply, Ok(SubmitMultiResp::default()))
                }
            };
            if let Err(Refusal::Closed(_)) = responded {
                recorder.count(|| "reply after the end".into());
            }
            return Some(Done { connection: Some(connection) });
        }
        if self.next_delivery.is_some_and(|at| at <= now) {
            self.next_delivery = Some(now + span(rng, 1, 2 * scenario.client_pause));
            self.deliver(rng, recorder, (now, scenario), server, deliveries);
            return Some(Done { connection: None });
        }
        None
    }

    fn deliver(
        &mut self,
        rng: &mut Rng,
        recorder: &mut Recorder,
        (now, scenario): (Instant, &Scenario),
        server: &mut Server<()>,
        deliveries: &mut Deliveries,
    ) {
        self.last_delivery += 1;
        let number = self.last_delivery;
        let text = number.to_be_bytes();
        let message = DeliverSm { short_message: ShortMessage::new(&text).unwrap(), ..DeliverSm::default() };
        let mut delivery = Delivery::deliver_sm(&message).key(number.into());
        let at_most_once = rng.chance(300);
        if at_most_once {
            delivery = delivery.at_most_once();
        }
        if rng.chance(300) {
            delivery = delivery.only_if_bound();
        }
        let account = account_of(rng.pick(&["a", "A", "b", "B"]), scenario);
        // 16 of the header, 17 of empty fields, and the text.
        let octets = 16 + 17 + text.len();
        let max_age = scenario.options.deliveries.max_age;
        match server.deliver(now, account.as_bytes(), delivery) {
            Ok(_) => {
                deliveries.record_queued(number, (&account, octets), at_most_once, now + max_age);
            }
            Err(error) => recorder.count(|| format!("delivery not accepted {error:?}")),
        }
    }
}
