//! A `Handle` and an `Inbox`, with a thread for each request.

use std::thread::{self, JoinHandle};

use smpp_proto::session::{CloseReason, Config, Esme, RequestError, Response};
use smpp_proto::{CommandStatus, DeliverSmResp};
use smpp_std::{Client, Inbound, Inbox, start};

use super::{Driver, Peer};
use crate::common::{bind, message};

pub(crate) struct Threads {
    client: Client,
    inbox: Inbox<Esme>,
    requests: Vec<Option<JoinHandle<Result<Response, RequestError>>>>,
    peer: Peer,
}

impl Threads {
    pub(crate) fn new(config: Config) -> Self {
        let (peer, stream) = Peer::connected();
        let (client, inbox) = start(stream, config).unwrap();
        Self { client, inbox, requests: Vec::new(), peer }
    }

    fn request(&mut self, request: impl FnOnce(Client) -> Result<Response, RequestError> + Send + 'static) {
        let client = self.client.clone();
        self.requests.push(Some(thread::spawn(|| request(client))));
    }
}

impl Driver for Threads {
    fn bind(&mut self) {
        self.request(|client| client.bind(&bind("secret")));
    }

    fn submit(&mut self) {
        self.request(|client| client.submit(&message()));
    }

    fn outcome(&mut self, number: usize) -> Result<Response, RequestError> {
        self.requests[number].take().expect("each outcome is fetched once").join().unwrap()
    }

    fn receive(&mut self, answer: Option<Result<(), CommandStatus>>) -> String {
        let Some(Inbound::DeliverSm(delivery)) = self.inbox.recv() else { panic!("nothing came") };
        let header = delivery.frame().header();
        if let Some(answer) = answer {
            delivery.respond(answer.map(|()| DeliverSmResp::default())).unwrap();
        }
        format!("{} {}", header.command, header.sequence.0)
    }

    fn unbind(&mut self) {
        let client = self.client.clone();
        thread::spawn(move || client.unbind());
    }

    fn abort(&mut self) {
        self.client.abort();
    }

    fn end(&mut self) -> CloseReason {
        self.client.closed().reason
    }

    fn peer_sends(&mut self, octets: &[u8]) {
        self.peer.send(octets);
    }

    fn peer_reads(&mut self) -> Option<Vec<u8>> {
        self.peer.read()
    }

    fn peer_disconnects(&mut self) {
        self.peer.cut();
    }
}
