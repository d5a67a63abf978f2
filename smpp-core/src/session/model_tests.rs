//! Compares a session with a simple reference model: the requests of an ESME, from the bind to the end.
//!
//! The model holds the requests in flight in a `Vec`, and counts seconds and octets. For each step it predicts the events
//! that the session emits and the PDUs that it sends. The test checks sequence numbers separately: they must be valid and
//! in order, and must differ from those of requests that wait for a response.

mod generator;
mod reference;
mod step;

use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;

use super::window::Window;
use super::{Config, Esme, Event, Instant, Outcome, Reply, Request, Session, State, UnansweredReason};
use crate::frame::{self, SequenceNumber};
use crate::pdu::{
    Bind, BindMode, BindResp, CommandId, CommandStatus, DeliverSm, DeliverSmResp, Pdu, ShortMessage,
    SubmitSm, SubmitSmResp,
};
use generator::{Scenario, scenario};
use reference::{DRAIN_TIMEOUT, ENQUIRE_LINK_INTERVAL, Model, Options, RESPONSE_TIMEOUT, Stage};
use step::{Answer, Ended, Reported, Step, Tag, Target};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4 * ProptestConfig::default().cases))]

    #[test]
    fn a_session_behaves_like_the_model(scenario in scenario()) {
        compare(scenario);
    }
}

#[test]
fn the_end_of_the_stream_behaves_like_the_model_without_a_keep_alive() {
    let options = Options {
        window: 1,
        max_output: 10_000,
        start: SequenceNumber(1),
        keep_alive: false,
        max_unanswered: 1,
        backpressure_timeout: 1,
        late_response_timeout: 0,
        max_response_timeouts: 0,
    };
    compare(Scenario { options, steps: [Step::Submit(0), Step::Eof].into() });
}

/// Performs the steps with a session and with the model.
fn compare(Scenario { options, steps }: Scenario) {
    let mut harness = Harness::new(&options);
    let mut model = Model::new(options);
    harness.check_invariants(&model);
    for step in steps {
        model.run(&step);
        harness.apply(&model, step);
        harness.check_invariants(&model);
    }
}

/// The session, and the sequence numbers that it uses.
struct Harness {
    session: Session<Esme, Tag>,
    /// Octets of the peer that the session has not read.
    unread: Vec<u8>,
    /// Requests of the peer that the application has not answered.
    replies: Vec<Reply<DeliverSm<'static>>>,
    submits: Vec<SequenceNumber>,
    enquire_links: Vec<SequenceNumber>,
    unbind: SequenceNumber,
    /// The sequence numbers of requests that wait for a response.
    awaiting: Vec<SequenceNumber>,
    /// Those among them that lose their place in the window during this step. Their numbers may be used again.
    freed: Vec<Target>,
    /// The sequence number after the last one.
    next: SequenceNumber,
}

impl Harness {
    fn new(options: &Options) -> Self {
        let start = options.start;
        let config = Config {
            window: options.window as u16,
            max_output: options.max_output as usize,
            max_unanswered: options.max_unanswered as u16,
            backpressure_timeout: Duration::from_secs(options.backpressure_timeout),
            response_timeout: Duration::from_secs(RESPONSE_TIMEOUT),
            late_response_timeout: Duration::from_secs(options.late_response_timeout),
            max_response_timeouts: options.max_response_timeouts as u16,
            enquire_link_interval: options.keep_alive.then_some(Duration::from_secs(ENQUIRE_LINK_INTERVAL)),
            drain_timeout: Duration::from_secs(DRAIN_TIMEOUT),
            // The rate limiter has tests of its own.
            slow_down_when_throttled: false,
            ..Config::default()
        };
        let mut session = Session::new(config, Instant::ZERO);
        session.window = Window::starting_at(config.window, start);
        assert_eq!(session.request(Instant::ZERO, &Bind::default(), Tag::MAX), Ok(start));
        let mut octets = Vec::new();
        session.poll_transmit(&mut octets);
        session.handle_transmitted(octets.len());
        octets.clear();
        let resp = Pdu::BindResp(BindMode::Transceiver, Some(BindResp::default()));
        resp.encode(CommandStatus::ROK, start, &mut octets);
        let event = session.handle_input(Instant::ZERO, &mut &octets[..]);
        assert!(matches!(event, Some(Event::Outcome { outcome: Outcome::Accepted(_), .. })), "{event:?}");
        Self {
            session,
            unread: Vec::new(),
            replies: Vec::new(),
            submits: Vec::new(),
            enquire_links: Vec::new(),
            unbind: SequenceNumber::default(),
            awaiting: Vec::new(),
            freed: Vec::new(),
            next: start.next(),
        }
    }

    fn apply(&mut self, model: &Model, step: Step) {
        let now = Instant::after(Duration::from_secs(model.now));
        self.freed.clone_from(&model.freed);
        let mut reported = model.reported.iter();
        let mut sent = model.sent.iter();
        match step {
            Step::Submit(text) => self.submit(now, text, model),
            Step::Respond(to, answer, flipped) => {
                let SequenceNumber(number) = self.sequence_of(to);
                let number = SequenceNumber(flipped.map_or(number, |bit| number ^ 1 << bit));
                self.unread.extend(response(to, answer, number));
            }
            Step::PeerDelivers => self.unread.extend(request(Pdu::DeliverSm(DeliverSm::default()))),
            Step::PeerEnquires => self.unread.extend(request(Pdu::EnquireLink)),
            Step::PeerUnbinds => self.unread.extend(request(Pdu::Unbind)),
            Step::Answer => {
                let reply = self.replies.pop().unwrap();
                // A session that ends refuses the response; then no deliver_sm_resp is predicted.
                let _ = self.session.respond(reply, Ok(DeliverSmResp::default()));
            }
            Step::Transmit(octets) => self.session.handle_transmitted(octets as usize),
            Step::Wait(seconds) => {
                for left in (0..seconds).rev() {
                    let now = Instant::after(Duration::from_secs(model.now - left));
                    self.check_timeout(now, &mut reported);
                    self.check_output(&mut sent);
                    self.read(now, &mut reported);
                    self.check_output(&mut sent);
                }
            }
            Step::WrapSequence(to) => {
                self.next = self.sequence_of(to);
                self.session.window.skip_to(self.next);
            }
            Step::Unbind => self.session.unbind(now),
            Step::Eof => self.session.handle_eof(),
            Step::Disconnect => self.session.handle_disconnect(),
            Step::Abort => self.session.abort(),
        }
        self.read(now, &mut reported);
        self.check_timeout(now, &mut reported);
        self.check_output(&mut sent);
        assert_eq!((reported.next(), sent.next()), (None, None), "predicted, but did not happen");
        self.awaiting = model.awaiting().into_iter().map(|to| self.sequence_of(to)).collect();
    }

    fn check_invariants(&self, model: &Model) {
        let counters = self.session.stats();
        assert_eq!(self.session.in_flight(), model.in_flight.len());
        assert_eq!(usize::from(counters.timed_out), model.timed_out.len());
        assert_eq!(usize::from(counters.unanswered), model.unanswered);
        assert_eq!(self.session.wants_input(), model.reads());
        assert_eq!(self.session.is_full(), model.pending() >= model.options.max_output);
        let state = match model.stage {
            Stage::Bound | Stage::Draining | Stage::PeerUnbinding => State::Bound(BindMode::Transceiver),
            Stage::Unbinding | Stage::PeerUnbound | Stage::PeerFinished(_) | Stage::Flushing(_) => {
                State::Unbinding
            }
            Stage::Closed => State::Closed,
        };
        assert_eq!(self.session.state(), state);
        let now = Instant::after(Duration::from_secs(model.now));
        assert!(self.session.poll_timeout().is_none_or(|(at, _)| at > now), "a timer stays due");
    }

    fn submit(&mut self, now: Instant, text: u64, model: &Model) {
        let text = alloc::vec![b'x'; text as usize];
        let short_message = ShortMessage::new(&text).unwrap();
        match self.session.request(
            now,
            &SubmitSm { short_message, ..SubmitSm::default() },
            self.submits.len(),
        ) {
            Ok(_) => assert_eq!(model.refusals, [], "accepted, against the prediction"),
            Err(refused) => {
                assert_eq!(refused.tag, self.submits.len());
                assert!(
                    model.refusals.contains(&refused.reason),
                    "{refused:?}, expected one of {:?}",
                    model.refusals
                );
            }
        }
    }

    /// Passes what has arrived to the session, which reads all of it unless it stops reading.
    fn read<'m>(&mut self, now: Instant, reported: &mut impl Iterator<Item = &'m Reported>) {
        let arrived = core::mem::take(&mut self.unread);
        let mut input = &arrived[..];
        while let Some(event) = self.session.handle_input(now, &mut input) {
            self.check_event(event, reported);
        }
        assert!(input.is_empty() || !self.session.wants_input());
        self.unread = input.to_vec();
    }

    fn check_timeout<'m>(&mut self, now: Instant, reported: &mut impl Iterator<Item = &'m Reported>) {
        while let Some(event) = self.session.handle_timeout(now) {
            self.check_event(event, reported);
        }
    }

    fn check_event<'m>(&mut self, event: Event<'_, Tag>, reported: &mut impl Iterator<Item = &'m Reported>) {
        let event = match event {
            Event::Outcome { tag, sequence, outcome } => {
                assert_eq!(self.submits[tag], sequence);
                if !matches!(outcome, Outcome::Unanswered(UnansweredReason::Timeout)) {
                    self.awaiting.retain(|number| *number != sequence);
                }
                Reported::Outcome(tag, ended(outcome))
            }
            Event::LateResponse { sequence, outcome } => {
                self.awaiting.retain(|number| *number != sequence);
                let tag = self.submits.iter().rposition(|number| *number == sequence).unwrap();
                Reported::LateResponse(tag, ended(outcome))
            }
            Event::UnexpectedResponse { .. } => Reported::UnexpectedResponse,
            Event::Request { request: Request::DeliverSm(_, reply), .. } => {
                self.replies.push(reply);
                Reported::Request
            }
            Event::Refused { status, .. } => Reported::Refused(status),
            Event::PeerUnbind => Reported::PeerUnbind,
            Event::Closed(reason) => Reported::Closed(reason),
            other => panic!("{other:?}"),
        };
        assert_eq!(Some(&event), reported.next());
    }

    /// Takes the output of the session, and checks its PDUs and sequence numbers.
    fn check_output<'m>(&mut self, sent: &mut impl Iterator<Item = &'m (CommandId, u64)>) {
        let mut octets = Vec::new();
        self.session.poll_transmit(&mut octets);
        let mut stream = &octets[..];
        while let Some((pdu, rest)) = frame::split(stream, frame::DEFAULT_MAX_LENGTH).unwrap() {
            let header = pdu.header();
            assert_eq!(Some(&(header.command, header.length.into())), sent.next());
            match header.command {
                CommandId::SUBMIT_SM => self.submits.push(header.sequence),
                CommandId::ENQUIRE_LINK => self.enquire_links.push(header.sequence),
                CommandId::UNBIND => self.unbind = header.sequence,
                _ => assert_eq!(header.sequence, PEER_SEQUENCE),
            }
            if !header.command.is_response() {
                self.check_sequence(header.sequence);
            }
            stream = rest;
        }
        assert_eq!(stream, [], "the output ends within a PDU");
    }

    /// Checks that the sequence number is the next one. It may skip as many numbers as requests wait for a response, and as many
    /// that share a slot with one of them. It may skip one more where the numbers wrap: without 0, the last and the first number
    /// may share a slot.
    fn check_sequence(&mut self, given: SequenceNumber) {
        assert!(given.is_valid(), "{given:?}");
        let is_freed = |to: &Target| match *to {
            // It may be sent later in this step.
            Target::EnquireLink(place) => self.enquire_links.get(place) == Some(&given),
            to => self.sequence_of(to) == given,
        };
        let awaits = self.awaiting.contains(&given) && !self.freed.iter().any(is_freed);
        assert!(!awaits, "{given:?} still waits for a response");
        let max_skipped = self.awaiting.len() * 2 + usize::from(given < self.next);
        let mut skipped = 0;
        while self.next != given {
            skipped += 1;
            self.next = self.next.next();
            assert!(skipped <= max_skipped, "{given:?} is out of order");
        }
        self.next = given.next();
        self.awaiting.push(given);
    }

    fn sequence_of(&self, to: Target) -> SequenceNumber {
        match to {
            Target::Submit(tag) => self.submits[tag],
            Target::EnquireLink(place) => self.enquire_links[place],
            Target::Unbind => self.unbind,
        }
    }
}

fn ended(outcome: Outcome<'_>) -> Ended {
    match outcome {
        Outcome::Accepted(_) => Ended::Accepted,
        Outcome::Refused { status, .. } => Ended::Refused(status),
        Outcome::Nacked(status) => Ended::Nacked(status),
        Outcome::NeverSent(reason) => Ended::NeverSent(reason),
        Outcome::Unanswered(reason) => Ended::Unanswered(reason),
    }
}

/// The sequence number of the peer's requests. The session's own requests may have the same number.
const PEER_SEQUENCE: SequenceNumber = SequenceNumber(2);

fn request(pdu: Pdu<'_>) -> Vec<u8> {
    let mut octets = Vec::new();
    pdu.encode(CommandStatus::ROK, PEER_SEQUENCE, &mut octets);
    octets
}

fn response(to: Target, answer: Answer, number: SequenceNumber) -> Vec<u8> {
    let correct = match to {
        Target::Submit(_) => Pdu::SubmitSmResp(Some(SubmitSmResp::default())),
        Target::EnquireLink(_) => Pdu::EnquireLinkResp,
        Target::Unbind => Pdu::UnbindResp,
    };
    let (pdu, status) = match answer {
        Answer::Accept => (correct, CommandStatus::ROK),
        Answer::Refuse => (correct, CommandStatus::RSUBMITFAIL),
        Answer::Nack => (Pdu::GenericNack, CommandStatus::RINVCMDID),
        Answer::WrongCommand => (Pdu::CancelSmResp, CommandStatus::ROK),
    };
    let mut octets = Vec::new();
    pdu.encode(status, number, &mut octets);
    octets
}
