//! More requests at once than the application may have unanswered: the session stops reading, and refuses none.

use std::time::Duration;

use smpp_proto::session::{Config, Request, Smsc};
use smpp_proto::{CommandStatus, SubmitSm};
use smpp_tokio::account::Arrival;
use smpp_tokio::{
    Admission, BindRequest, BoundSession, Client, Inbound, Inbox, Listener, Peer, Server, Service, start,
};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::drivers::peer::{
    BIND_TRANSCEIVER, DELIVER_SM, RESPONSE, SUBMIT_SM, ScriptedSmsc, accepted, bind, messages, pdu, read,
};

const BURST: usize = 3_000;

/// Accepts each message at once, or after one wait.
struct AcceptAll {
    waits: bool,
}

impl Service for AcceptAll {
    async fn bind(&self, _: &BindRequest) -> Result<Admission, CommandStatus> {
        Ok(Admission::default())
    }

    async fn request(&self, bound: &BoundSession, request: Inbound<Smsc>) {
        assert!(bound.stats().unanswered <= Config::default().max_unanswered);
        if self.waits {
            tokio::task::yield_now().await;
        }
        if let Inbound::SubmitSm(message) = request {
            let _ = message.accept();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_accepts_all_requests_of_a_burst() {
    for waits in [false, true] {
        let listener = Listener::bind("127.0.0.1:0", Config::default()).await.unwrap();
        let server = Server::builder(AcceptAll { waits }).listen(listener).start().unwrap();
        let mut io = TcpStream::connect(server.local_addrs()[0]).await.unwrap();
        bind(&mut io).await;
        let (mut reader, mut writer) = io.split();
        let burst = messages(SUBMIT_SM, BURST as u32);
        let (written, answers) = tokio::join!(writer.write_all(&burst), accepted(&mut reader, BURST));
        written.unwrap();
        assert_eq!(answers, BURST, "waits: {waits}");
    }
}

/// Returns a bound session of an SMSC, and the pipe to it.
async fn bound() -> (Peer, Inbox<Smsc>, DuplexStream) {
    let (near, mut far) = duplex(1 << 20);
    let (peer, mut inbox) = start::<Smsc, _>(near, Config::default());
    let binding = async {
        let Some(Inbound::Bind(bind)) = inbox.recv().await else { panic!("no bind") };
        bind.accept().unwrap();
    };
    tokio::join!(bind(&mut far), binding);
    (peer, inbox, far)
}

#[tokio::test(start_paused = true)]
async fn an_inbox_accepts_all_requests_of_a_burst() {
    let (peer, mut inbox, mut far) = bound().await;
    far.write_all(&messages(SUBMIT_SM, BURST as u32)).await.unwrap();
    let serving = crate::spawn(async move {
        let mut most = 0;
        while let Some(Inbound::SubmitSm(message)) = inbox.recv().await {
            most = most.max(peer.stats().unanswered);
            message.accept().unwrap();
        }
        most
    });
    assert_eq!(accepted(&mut far, BURST).await, BURST);
    drop(far);
    assert_eq!(serving.await.unwrap(), Config::default().max_unanswered);
}

#[tokio::test(start_paused = true)]
async fn inline_responses_accept_all_requests_of_a_burst() {
    let (peer, _inbox, mut far) = bound().await;
    peer.respond_inline(|request, responder| match request {
        Request::SubmitSm(_, reply) => {
            responder.respond(reply, Ok(smpp_proto::SubmitSmResp::default())).unwrap();
            None
        }
        other => Some(other),
    });
    far.write_all(&messages(SUBMIT_SM, BURST as u32)).await.unwrap();
    assert_eq!(accepted(&mut far, BURST).await, BURST);
}

#[tokio::test(start_paused = true)]
async fn an_account_accepts_all_deliveries_of_a_burst() {
    let (smsc, connector) = ScriptedSmsc::new(Config::default(), true);
    let (_account, mut arrivals) = connector.connect().await.unwrap();
    smsc.send(0, messages(DELIVER_SM, BURST as u32));
    for number in 0..BURST {
        let arrival = timeout(Duration::from_secs(1), arrivals.recv()).await;
        let Ok(Some(Arrival::Message(message))) = arrival else { panic!("{number}: {arrival:?}") };
        message.accept().unwrap();
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    let responses = smsc.received(DELIVER_SM | RESPONSE);
    let accepted = responses.iter().filter(|(.., response)| response.status == 0).count();
    assert_eq!(accepted, BURST);
}

/// The response is behind more requests than the application may have unanswered.
#[tokio::test(start_paused = true)]
async fn an_application_that_awaits_its_own_response_first_gets_it_after_backpressure_timeout() {
    let config = Config::default().response_timeout(Duration::from_secs(30));
    let (near, mut far) = duplex(1 << 20);
    let (client, _inbox): (Client, _) = start(near, config);
    let smsc = async {
        assert_eq!(read(&mut far).await.map(|pdu| pdu.command), Some(BIND_TRANSCEIVER));
        far.write_all(&pdu(BIND_TRANSCEIVER | RESPONSE, 1, b"\0")).await.unwrap();
        assert_eq!(read(&mut far).await.map(|pdu| pdu.command), Some(SUBMIT_SM));
        far.write_all(&messages(DELIVER_SM, 1_000)).await.unwrap();
        far.write_all(&pdu(SUBMIT_SM | RESPONSE, 2, b"id\0")).await.unwrap();
    };
    let application = async {
        client.bind(&smpp_proto::Bind::default()).await.unwrap();
        let start = Instant::now();
        let response = client.submit(&SubmitSm::default()).await.unwrap();
        assert_eq!(response.message_id(), b"id");
        start.elapsed().as_secs()
    };
    let ((), seconds) = tokio::join!(smsc, application);
    assert_eq!(seconds, config.backpressure_timeout.as_secs());
    assert_eq!(client.stats().unanswered, config.max_unanswered);
}
