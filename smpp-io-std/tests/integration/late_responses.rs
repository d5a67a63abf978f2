//! A response that comes after its request has timed out reaches the application, with its message id.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::common::{RawPeer, bind, message, octets, watched};
use smpp_proto::session::{Config, Esme, Response, UnansweredReason};
use smpp_proto::{BindMode, BindResp, COctets, CommandId, CommandStatus, Pdu, SequenceNumber, SubmitSmResp};
use smpp_std::{Connection, Inbound, ReplyRoute, RequestError, start};

const TIMED_OUT: RequestError = RequestError::Unanswered(UnansweredReason::Timeout);

fn config() -> Config {
    Config::default().response_timeout(Duration::from_millis(200)).max_response_timeouts(0)
}

/// Returns the two ends of a connection.
fn pair() -> (TcpStream, RawPeer) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let esme = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (esme, RawPeer::new(listener.accept().unwrap().0))
}

fn bind_resp() -> Vec<u8> {
    octets(&Pdu::BindResp(BindMode::Transceiver, Some(BindResp::default())), 1)
}

/// Returns an accepting response to the request with this sequence number.
fn submit_resp(sequence: u32) -> Vec<u8> {
    let message_id = COctets::new(b"late").unwrap();
    octets(&Pdu::SubmitSmResp(Some(SubmitSmResp { message_id, ..SubmitSmResp::default() })), sequence)
}

/// Returns a refusing response to the request with this sequence number.
fn refusal(sequence: u32) -> Vec<u8> {
    let mut out = Vec::new();
    Pdu::SubmitSmResp(None).encode(CommandStatus::RSUBMITFAIL, SequenceNumber(sequence), &mut out);
    out
}

fn late<L: ReplyRoute>(inbound: Option<Inbound<L>>) -> (SequenceNumber, Result<Response, RequestError>) {
    let Some(Inbound::LateResponse { sequence, result }) = inbound else { panic!("no late response") };
    (sequence, result)
}

/// Writes the responses to the requests 2 and 3, and a delivery after them.
fn respond_late(peer: &mut RawPeer) {
    let delivery = octets(&Pdu::DeliverSm(smpp_proto::DeliverSm::default()), 7);
    peer.tcp.write_all(&[submit_resp(2), refusal(3), delivery].concat()).unwrap();
}

#[test]
fn a_late_response_reaches_the_inbox() {
    watched(|| {
        let (esme, mut peer) = pair();
        let (client, mut inbox) = start::<Esme, _>(esme, config()).unwrap();
        peer.tcp.write_all(&bind_resp()).unwrap();
        client.bind(&bind("secret")).unwrap();
        let pending = [(); 2].map(|()| client.submit_pipelined(&message()).unwrap());
        assert_eq!(pending.map(|pending| pending.wait().unwrap_err()), [TIMED_OUT; 2]);
        respond_late(&mut peer);
        let (sequence, result) = late(inbox.recv());
        assert_eq!((sequence, result.unwrap().message_id()), (SequenceNumber(2), &b"late"[..]));
        let (sequence, result) = late(inbox.recv());
        let status = result.unwrap_err().status();
        assert_eq!((sequence, status), (SequenceNumber(3), Some(CommandStatus::RSUBMITFAIL)));
        let Some(Inbound::DeliverSm(delivery)) = inbox.recv() else { panic!("no delivery") };
        delivery.accept().unwrap();
        assert_eq!(client.stats().late_responses, 2);
    });
}

#[test]
fn a_late_response_reaches_the_one_thread_of_a_connection() {
    watched(|| {
        let (esme, mut peer) = pair();
        let mut connection = Connection::<Esme, _>::new(esme, config()).unwrap();
        peer.tcp.write_all(&bind_resp()).unwrap();
        connection.bind(&bind("secret")).unwrap();
        let sent = [(); 2].map(|()| connection.send(&message()).unwrap());
        assert_eq!(sent.map(|sent| connection.wait(sent).unwrap_err()), [TIMED_OUT; 2]);
        respond_late(&mut peer);
        let (sequence, result) = late(connection.recv(None).unwrap());
        assert_eq!((sequence, result.unwrap().message_id()), (SequenceNumber(2), &b"late"[..]));
        let second = connection.recv(None).unwrap().unwrap();
        assert!(matches!(second, Inbound::LateResponse { sequence: SequenceNumber(3), .. }));
        // There is nothing to answer.
        connection.refuse(second).unwrap();
        let Some(Inbound::DeliverSm(delivery)) = connection.recv(None).unwrap() else {
            panic!("no delivery")
        };
        connection.accept(delivery).unwrap();
        while peer.read().unwrap().0 != CommandId::DELIVER_SM_RESP {}
    });
}

/// An application that fetches nothing does not make the inbox grow.
#[test]
fn late_responses_beyond_the_capacity_of_the_inbox_are_counted_and_dropped() {
    watched(|| {
        let (esme, mut peer) = pair();
        let (client, mut inbox) = start::<Esme, _>(esme, config().max_unanswered(1)).unwrap();
        peer.tcp.write_all(&bind_resp()).unwrap();
        client.bind(&bind("secret")).unwrap();
        let pending = [(); 2].map(|()| client.submit_pipelined(&message()).unwrap());
        assert_eq!(pending.map(|pending| pending.wait().unwrap_err()), [TIMED_OUT; 2]);
        respond_late(&mut peer);
        while client.stats().unanswered == 0 {
            std::thread::yield_now();
        }
        assert_eq!(client.stats().late_responses, 2);
        assert_eq!(late(inbox.recv()).0, SequenceNumber(2));
        assert!(matches!(inbox.recv(), Some(Inbound::DeliverSm(_))), "a request is never dropped");
    });
}
