//! A `Connection`, which works only while the application is in one of its methods.

use std::collections::VecDeque;
use std::net::TcpStream;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use smpp_proto::session::{CloseReason, Config, Esme, NotSentReason, RequestError, Response, SentBy};
use smpp_proto::{CommandStatus, DeliverSmResp, Operation};
use smpp_std::{Connection, End, Inbound, SentRequest};

use super::{Driver, Peer};
use crate::common::{bind, message};

/// How long one call works.
const STEP: Duration = Duration::from_millis(1);

pub(crate) struct OneThread {
    /// `None` once the connection has ended.
    connection: Option<Connection<Esme, TcpStream>>,
    window: usize,
    requests: Vec<Request>,
    inbox: VecDeque<Inbound>,
    end: Option<End>,
    unbinding: Option<JoinHandle<End>>,
    peer: Peer,
}

enum Request {
    /// The request waits for window capacity, before it is sent.
    Queued,
    InFlight(Option<SentRequest>),
    Ended(Result<Response, RequestError>),
}

impl OneThread {
    pub(crate) fn new(config: Config) -> Self {
        let (peer, stream) = Peer::connected();
        let connection = Some(Connection::new(stream, config).unwrap());
        Self {
            connection,
            window: config.window.into(),
            requests: Vec::new(),
            inbox: VecDeque::new(),
            end: None,
            unbinding: None,
            peer,
        }
    }

    fn send<O: Operation + SentBy<Esme>>(&mut self, operation: &O) -> Request {
        match self.connection.as_mut().map(|connection| connection.send(operation)) {
            Some(Ok(pending)) => Request::InFlight(Some(pending)),
            Some(Err(error)) => Request::Ended(Err(error)),
            None => {
                let reason = self.end.as_ref().map_or(CloseReason::Aborted, |end| end.reason);
                Request::Ended(Err(RequestError::NeverSent(NotSentReason::Closed(reason))))
            }
        }
    }

    /// Works for one step, then checks the outcomes of the requests.
    fn work(&mut self) {
        match self.connection.as_mut().map(|connection| connection.recv(Some(STEP))) {
            Some(Ok(inbound)) => self.inbox.extend(inbound),
            Some(Err(end)) => self.end = Some(end),
            None => {}
        }
        for number in 0..self.requests.len() {
            if let Request::InFlight(pending) = &mut self.requests[number] {
                match pending.take().expect("the request is in flight").try_outcome() {
                    Ok(answer) => self.requests[number] = Request::Ended(answer),
                    Err(still_in_flight) => *pending = Some(still_in_flight),
                }
            }
        }
        let pending = |request: &&Request| matches!(request, Request::InFlight(_));
        while self.requests.iter().filter(pending).count() < self.window
            && let Some(next) = self.requests.iter().position(|request| matches!(request, Request::Queued))
        {
            self.requests[next] = self.send(&message());
        }
    }
}

impl Driver for OneThread {
    fn bind(&mut self) {
        let request = self.send(&bind("secret"));
        self.requests.push(request);
    }

    fn submit(&mut self) {
        self.requests.push(Request::Queued);
        self.work();
    }

    fn outcome(&mut self, number: usize) -> Result<Response, RequestError> {
        loop {
            self.work();
            if let Request::Ended(answer) = &self.requests[number] {
                return answer.clone();
            }
        }
    }

    fn receive(&mut self, answer: Option<Result<(), CommandStatus>>) -> String {
        while self.inbox.is_empty() {
            self.work();
        }
        let Some(Inbound::DeliverSm(delivery)) = self.inbox.pop_front() else { panic!("nothing came") };
        let header = delivery.frame().header();
        let connection = self.connection.as_mut().expect("the connection has not ended");
        match answer {
            Some(answer) => connection.respond(delivery, answer.map(|()| DeliverSmResp::default())).unwrap(),
            // The connection does not refuse a request that the application drops.
            None => connection.refuse(Inbound::DeliverSm(delivery)).unwrap(),
        }
        format!("{} {}", header.command, header.sequence.0)
    }

    fn unbind(&mut self) {
        // It waits for the end. So another thread calls it, while this one acts for the peer.
        let connection = self.connection.take().expect("the connection has not ended");
        self.unbinding = Some(thread::spawn(move || connection.unbind()));
    }

    fn abort(&mut self) {
        self.connection.take().expect("the connection has not ended").close();
        self.end = Some(End::new(CloseReason::Aborted, None));
    }

    fn end(&mut self) -> CloseReason {
        if let Some(unbinding) = self.unbinding.take() {
            return unbinding.join().unwrap().reason;
        }
        loop {
            if let Some(end) = &self.end {
                return end.reason;
            }
            self.work();
        }
    }

    fn peer_sends(&mut self, octets: &[u8]) {
        self.peer.send(octets);
    }

    fn peer_reads(&mut self) -> Option<Vec<u8>> {
        while self.connection.is_some() && self.end.is_none() && !self.peer.has_sent() {
            self.work();
        }
        self.peer.read()
    }

    fn peer_disconnects(&mut self) {
        self.peer.cut();
    }
}
