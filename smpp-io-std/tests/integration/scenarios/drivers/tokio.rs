//! The tokio adapter, with a task for each request.

use std::net::TcpStream;

use smpp_proto::session::{CloseReason, Config, Esme, RequestError, Response};
use smpp_proto::{CommandStatus, DeliverSmResp};
use smpp_tokio::{Client, Inbound, Inbox, start};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::{Driver, Peer};
use crate::common::{bind, message};

pub(crate) struct Tokio {
    runtime: Runtime,
    client: Client,
    inbox: Inbox<Esme>,
    requests: Vec<Option<JoinHandle<Result<Response, RequestError>>>>,
    peer: Peer,
}

impl Tokio {
    pub(crate) fn new(config: Config) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (peer, stream) = Peer::connected();
        let (client, inbox) = runtime.block_on(async { start(into_tokio(stream), config) });
        Self { runtime, client, inbox, requests: Vec::new(), peer }
    }
}

fn into_tokio(stream: TcpStream) -> tokio::net::TcpStream {
    stream.set_nonblocking(true).unwrap();
    tokio::net::TcpStream::from_std(stream).unwrap()
}

impl Driver for Tokio {
    fn bind(&mut self) {
        let client = self.client.clone();
        let request = self.runtime.spawn(async move { client.bind(&bind("secret")).await });
        self.requests.push(Some(request));
    }

    fn submit(&mut self) {
        let client = self.client.clone();
        let request = self.runtime.spawn(async move { client.submit(&message()).await });
        self.requests.push(Some(request));
    }

    fn outcome(&mut self, number: usize) -> Result<Response, RequestError> {
        let request = self.requests[number].take().expect("each outcome is fetched once");
        self.runtime.block_on(request).unwrap()
    }

    fn receive(&mut self, answer: Option<Result<(), CommandStatus>>) -> String {
        let inbound = self.runtime.block_on(self.inbox.recv());
        let Some(Inbound::DeliverSm(delivery)) = inbound else { panic!("nothing came") };
        let header = delivery.frame().header();
        if let Some(answer) = answer {
            delivery.respond(answer.map(|()| DeliverSmResp::default())).unwrap();
        }
        format!("{} {}", header.command, header.sequence.0)
    }

    fn unbind(&mut self) {
        let client = self.client.clone();
        self.runtime.spawn(async move { client.unbind().await });
    }

    fn abort(&mut self) {
        self.runtime.block_on(self.client.abort());
    }

    fn end(&mut self) -> CloseReason {
        self.runtime.block_on(self.client.closed()).reason
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
