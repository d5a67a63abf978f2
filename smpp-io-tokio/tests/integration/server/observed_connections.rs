//! Observers of the connections of a server.

use std::net::SocketAddr;

use smpp_proto::session::{Config, Direction, Esme, Instant, ObservedPdu, Observer, RejectedPdu};
use smpp_proto::{COctets, CommandStatus, Frame, Pdu, SequenceNumber};
use smpp_tokio::{Listener, Server, start};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::support::{TRX, bind, connect, submit, test_service};

/// Sends each PDU and each rejected PDU as a line.
struct Lines(SocketAddr, mpsc::UnboundedSender<String>);

impl Observer for Lines {
    fn observe(&mut self, _: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        let _ = self.1.send(format!("{} {direction:?} {}", self.0, pdu.header().command));
    }

    fn rejected(&mut self, _: Instant, pdu: RejectedPdu<'_>) {
        let _ = self.1.send(format!("{} rejected {:?}", self.0, pdu.reason()));
    }
}

#[tokio::test]
async fn an_observer_of_the_server_sees_each_connection_from_its_first_pdu() {
    let (sender, mut lines) = mpsc::unbounded_channel();
    let (service, mut test) = test_service();
    let listener = Listener::bind("127.0.0.1:0", Config::default()).await.unwrap();
    let server = Server::builder(service)
        .listen(listener)
        .observe(move |address| Lines(address, sender.clone()))
        .start()
        .unwrap();
    let mut tcp = TcpStream::connect(server.local_addrs()[0]).await.unwrap();
    let address = tcp.local_addr().unwrap();
    // Before its bind the session refuses a message.
    let early: Frame<Vec<u8>> =
        Frame::encode(&Pdu::SubmitSm(submit(b"early")), CommandStatus::ROK, SequenceNumber(1));
    tcp.write_all(early.octets()).await.unwrap();
    for line in ["In submit_sm", "rejected Refused(ESME_RINVBNDSTS)", "Out submit_sm_resp"] {
        assert_eq!(lines.recv().await.unwrap(), format!("{address} {line}"));
    }
    // Bound, it counts what it rejects.
    let (client, _inbox) = start::<Esme, _>(tcp, Config::default());
    bind(&client, "shop", "secret", TRX).await.unwrap();
    test.event("bound shop").await;
    let bound = server.binds().of(b"shop").remove(0);
    let stats = bound.stats();
    assert_eq!((stats.refused, stats.malformed, stats.unknown_commands), (1, 0, 0));
    assert_eq!(lines.recv().await.unwrap(), format!("{address} In bind_transceiver"));
}

#[tokio::test]
async fn an_observer_of_an_accepted_connection_sees_its_bind() {
    let (sender, mut lines) = mpsc::unbounded_channel();
    let listener = Listener::bind("127.0.0.1:0", Config::default()).await.unwrap();
    let (client, _inbox) = connect(listener.local_addr().unwrap()).await;
    let connection = listener.accept().await.unwrap();
    let address = connection.peer_addr();
    let accept = async {
        let request = connection.observe(Lines(address, sender)).bind_request().await.unwrap();
        request.accept(COctets::default()).unwrap()
    };
    let (bound, _session) = tokio::join!(bind(&client, "shop", "secret", TRX), accept);
    bound.unwrap();
    assert_eq!(lines.recv().await.unwrap(), format!("{address} In bind_transceiver"));
}
