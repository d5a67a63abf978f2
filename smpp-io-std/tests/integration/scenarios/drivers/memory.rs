//! The session with octets in memory, and a clock that jumps from one deadline to the next.

use std::collections::{HashMap, VecDeque};

use smpp_proto::session::{
    CloseReason, Config, Esme, Event, Instant, NotSentReason, Refusal, Reply, Request, RequestError,
    Response, SentBy, Session,
};
use smpp_proto::{CommandStatus, DeliverSm, DeliverSmResp, Operation, frame};

use super::Driver;
use crate::common::{bind, message};

pub(crate) struct Memory {
    session: Session<Esme, usize>,
    now: Instant,
    /// The number of requests so far.
    requests: usize,
    /// The requests that wait for window capacity.
    waiting: VecDeque<usize>,
    /// When the rate limit allows the next of them.
    rate_limited_until: Option<Instant>,
    outcomes: HashMap<usize, Result<Response, RequestError>>,
    inbox: VecDeque<(String, Reply<DeliverSm<'static>>)>,
    to_esme: Vec<u8>,
    to_peer: Vec<u8>,
    end: Option<CloseReason>,
}

impl Memory {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            session: Session::new(config, Instant::ZERO),
            now: Instant::ZERO,
            requests: 0,
            waiting: VecDeque::new(),
            rate_limited_until: None,
            outcomes: HashMap::new(),
            inbox: VecDeque::new(),
            to_esme: Vec::new(),
            to_peer: Vec::new(),
            end: None,
        }
    }

    fn request<O: Operation + SentBy<Esme>>(&mut self, operation: &O, number: usize) {
        let Err(refused) = self.session.request(self.now, operation, number) else { return };
        if let Refusal::RateLimited(at) = refused.reason {
            self.rate_limited_until = Some(at);
        }
        match self.end.map(NotSentReason::Closed).or(refused.reason.permanent()) {
            Some(reason) => drop(self.outcomes.insert(number, Err(RequestError::NeverSent(reason)))),
            None => self.waiting.push_back(number),
        }
    }

    /// Does everything that can happen now.
    fn process(&mut self) {
        let input = std::mem::take(&mut self.to_esme);
        let mut input = &input[..];
        while let Some(event) = self.session.handle_input(self.now, &mut input) {
            self.handle_event(event);
        }
        self.to_esme = input.to_vec();
        while let Some(event) = self.session.handle_timeout(self.now) {
            self.handle_event(event);
        }
        for number in std::mem::take(&mut self.waiting) {
            self.request(&message(), number);
        }
        let mut output = Vec::new();
        if self.session.poll_transmit(&mut output) {
            self.session.handle_transmitted(output.len());
            self.to_peer.append(&mut output);
            self.process();
        }
    }

    fn handle_event(&mut self, event: Event<'_, usize>) {
        match event {
            Event::Outcome { tag, outcome, .. } => {
                self.outcomes.insert(tag, outcome.into_result());
            }
            Event::Request { request: Request::DeliverSm(_, reply), frame, .. } => {
                let header = frame.header();
                self.inbox.push_back((format!("{} {}", header.command, header.sequence.0), reply));
            }
            Event::Closed(reason) => self.end = Some(reason),
            _ => {}
        }
    }

    /// Advances the clock until `poll` returns something.
    fn until<T>(&mut self, mut poll: impl FnMut(&mut Self) -> Option<T>) -> T {
        loop {
            self.process();
            if let Some(value) = poll(self) {
                return value;
            }
            let deadline = self.session.poll_timeout().map(|(at, _)| at);
            self.now = deadline
                .into_iter()
                .chain(self.rate_limited_until.take())
                .min()
                .expect("it would wait without limit");
        }
    }
}

impl Driver for Memory {
    fn bind(&mut self) {
        self.request(&bind("secret"), self.requests);
        self.requests += 1;
    }

    fn submit(&mut self) {
        self.process();
        self.request(&message(), self.requests);
        self.requests += 1;
    }

    fn outcome(&mut self, number: usize) -> Result<Response, RequestError> {
        self.until(|memory| memory.outcomes.remove(&number))
    }

    fn receive(&mut self, answer: Option<Result<(), CommandStatus>>) -> String {
        let (seen, reply) = self.until(|memory| memory.inbox.pop_front());
        // An adapter refuses a request that the application drops.
        let answer = answer.unwrap_or(Err(DeliverSm::UNANSWERED));
        self.session.respond(reply, answer.map(|()| DeliverSmResp::default())).unwrap();
        seen
    }

    fn unbind(&mut self) {
        self.session.unbind(self.now);
    }

    fn abort(&mut self) {
        self.session.abort();
    }

    fn end(&mut self) -> CloseReason {
        self.until(|memory| memory.end)
    }

    fn peer_sends(&mut self, octets: &[u8]) {
        self.to_esme.extend_from_slice(octets);
    }

    fn peer_reads(&mut self) -> Option<Vec<u8>> {
        self.until(|memory| {
            let Some((pdu, rest)) = frame::split(&memory.to_peer, 1000).unwrap() else {
                return memory.end.map(|_| None);
            };
            let (pdu, rest) = (pdu.octets().to_vec(), rest.to_vec());
            memory.to_peer = rest;
            Some(Some(pdu))
        })
    }

    fn peer_disconnects(&mut self) {
        self.process();
        self.session.handle_eof();
    }
}
