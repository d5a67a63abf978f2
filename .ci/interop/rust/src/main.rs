//! The Rust crates smpp34 and rusmppc against our SMSC, and an SMSC with smpp34 for our client:
//!
//! ```text
//! interop-peers client smpp34|rusmppc HOST PORT basic|tls|burst|half-close|throttled
//! interop-peers server smpp34
//! ```
//!
//! The checks are those of clients.py; `tls` is `basic` over the TLS of the crate, which trusts the certificates in the file
//! `SSL_CERT_FILE`. The server is that of servers.py.

use std::collections::HashSet;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::process::exit;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use async_trait::async_trait;
use rusmpp::pdus::{BindTransceiver, DeliverSmResp, SubmitSm};
use rusmpp::types::{COctetString, OctetString};
use rusmpp::values::{Npi, RegisteredDelivery, Ton};
use rusmpp::{CommandStatus, Pdu};
use rusmppc::{ConnectionBuilder, Event};
use smpp34::client::{BIND_TYPE, SMSC, SmppClient, SmppClientListener};
use smpp34::{
    SmppConnectionInformation, SmppError, SmppServer, SmppServerListener, bind_transceiver,
    bind_transceiver_resp, deliver_sm, deliver_sm_resp, submit_sm, submit_sm_resp,
};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_stream::StreamExt;

const BURST: usize = 1000;
const WINDOW: usize = 100;
const TIMEOUT: Duration = Duration::from_secs(30);
const SYSTEM_ID: &str = "shop";
const PASSWORD: &str = "s3cret";
const TO: &str = "6591234567";

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The texts of the delivery receipts.
type Receipts = mpsc::UnboundedReceiver<Vec<u8>>;

/// A bound client of one of the crates.
enum Peer {
    /// The session ends when the `SmppClient` is dropped.
    Smpp34 {
        smsc: SMSC,
        _client: Box<SmppClient>,
    },
    Rusmppc(rusmppc::Client),
}

impl Peer {
    /// Sends a message and returns its id, if the SMSC does not throttle it.
    async fn submit(&self, receipt: bool) -> Outcome<Option<String>> {
        match self {
            Self::Smpp34 { smsc, .. } => {
                let message = smsc.submit_sm().source_addr_ton(5).source_addr("shop");
                let message = message.dest_addr_ton(1).dest_addr_npi(1).destination_addr(TO);
                let message = message.registered_delivery(receipt.into()).short_message(b"Hello");
                let response = message.send().await.map_err(|error| format!("submit_sm: {error:?}"))?;
                match response.get_error() {
                    _ if response.is_success() => Ok(response.message_id),
                    SmppError::ESME_RTHROTTLED => Ok(None),
                    error => Err(format!("the answer is {error:?}").into()),
                }
            }
            Self::Rusmppc(client) => {
                let message = SubmitSm::builder()
                    .source_addr_ton(Ton::Alphanumeric)
                    .source_addr(COctetString::from_str("shop")?)
                    .dest_addr_ton(Ton::International)
                    .dest_addr_npi(Npi::Isdn)
                    .destination_addr(COctetString::from_str(TO)?)
                    .registered_delivery(RegisteredDelivery::from(u8::from(receipt)))
                    .short_message(OctetString::from_str("Hello")?)
                    .build();
                match client.submit_sm(message).await {
                    Ok(response) => Ok(Some(response.message_id().as_str().to_owned())),
                    Err(rusmppc::error::Error::UnexpectedResponse { response })
                        if response.status() == CommandStatus::EsmeRthrottled =>
                    {
                        Ok(None)
                    }
                    Err(error) => Err(error.into()),
                }
            }
        }
    }

    /// Sends a message and returns its id. Fails if the SMSC throttles the message.
    async fn submit_accepted(&self, receipt: bool) -> Outcome<String> {
        self.submit(receipt).await?.filter(|id| !id.is_empty()).ok_or("throttled, or without an id".into())
    }

    async fn unbind(&self) -> Outcome<()> {
        match self {
            Self::Smpp34 { smsc, .. } => {
                let response = smsc.send_unbind().await.map_err(|error| format!("unbind: {error:?}"))?;
                if response.is_success() { Ok(()) } else { Err("unbind is refused".into()) }
            }
            Self::Rusmppc(client) => Ok(client.unbind().await?),
        }
    }
}

/// What smpp34 calls when something happens on the connection of its client.
struct Listener {
    bound: mpsc::UnboundedSender<Outcome<SMSC>>,
    receipts: mpsc::UnboundedSender<Vec<u8>>,
}

#[async_trait]
impl SmppClientListener for Listener {
    async fn on_smsc_bound(&self, smsc: SMSC, _session: &String) {
        let _ = self.bound.send(Ok(smsc));
    }

    async fn on_connection_failed(&self, error: &str) {
        let _ = self.bound.send(Err(error.into()));
    }

    async fn on_deliver_sm(
        &self,
        request: deliver_sm,
        _connection: &SmppConnectionInformation,
        _session: &String,
    ) -> deliver_sm_resp {
        let _ = self.receipts.send(request.short_message.clone());
        request.accept()
    }
}

async fn smpp34_client(host: &str, port: u16, tls: bool) -> Outcome<(Peer, Receipts)> {
    let (bound, mut is_bound) = mpsc::unbounded_channel();
    let (sender, receipts) = mpsc::unbounded_channel();
    let mut client = SmppClient::new(
        host.to_owned(),
        port,
        tls,
        BIND_TYPE::TRX,
        SYSTEM_ID.to_owned(),
        PASSWORD.to_owned(),
        String::new(),
        0,
        0,
        String::new(),
        Arc::new(Listener { bound, receipts: sender }),
        WINDOW,
    );
    client.start().await;
    let smsc = is_bound.recv().await.ok_or("the client ended")??;
    Ok((Peer::Smpp34 { smsc, _client: Box::new(client) }, receipts))
}

/// The crate speaks SMPP 5.0 unless the check of the version is disabled.
async fn rusmppc_client(host: &str, port: u16, tls: bool) -> Outcome<(Peer, Receipts)> {
    let scheme = if tls { "smpps" } else { "smpp" };
    // Version 0.4.0 stops reading its queue of requests now and then in a burst, with none in flight, until something else
    // wakes the connection: here its timer for enquire_link.
    let builder = ConnectionBuilder::new().response_timeout(TIMEOUT).disable_interface_version_check();
    let builder = builder.enquire_link_interval(Duration::from_millis(50));
    let (client, mut events) = builder.connect(format!("{scheme}://{host}:{port}")).await?;
    let (sender, receipts) = mpsc::unbounded_channel();
    let answering = client.clone();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            let Event::Incoming(command) = event else { continue };
            if let Some(Pdu::DeliverSm(request)) = command.pdu() {
                let _ = answering.deliver_sm_resp(command.sequence_number(), DeliverSmResp::default()).await;
                let _ = sender.send(request.short_message().to_vec());
            }
        }
    });
    let bind = BindTransceiver::builder()
        .system_id(COctetString::from_str(SYSTEM_ID)?)
        .password(COctetString::from_str(PASSWORD)?)
        .build();
    client.bind_transceiver(bind).await?;
    Ok((Peer::Rusmppc(client), receipts))
}

async fn run_client(name: &str, host: &str, port: u16, check: &str) -> Outcome<()> {
    let tls = check == "tls";
    let (peer, mut receipts) = match name {
        "smpp34" => smpp34_client(host, port, tls).await?,
        "rusmppc" => rusmppc_client(host, port, tls).await?,
        _ => return Err("the client is smpp34 or rusmppc".into()),
    };
    let peer = Arc::new(peer);
    match check {
        "basic" | "tls" => {
            let id = peer.submit_accepted(true).await?;
            let receipt = receipts.recv().await.ok_or("no receipt")?;
            if !receipt.starts_with(format!("id:{id} ").as_bytes()) {
                return Err(format!("id \"{id}\", receipt \"{}\"", receipt.escape_ascii()).into());
            }
        }
        "burst" => {
            let window = Arc::new(Semaphore::new(WINDOW));
            let mut messages = JoinSet::new();
            for _ in 0..BURST {
                let (peer, window) = (peer.clone(), window.clone());
                messages.spawn(async move {
                    let _permit = window.acquire().await?;
                    peer.submit_accepted(false).await
                });
            }
            let ids = messages.join_all().await.into_iter().collect::<Outcome<HashSet<String>>>()?;
            if ids.len() != BURST {
                return Err(format!("{} different ids", ids.len()).into());
            }
        }
        // The connection then ends in one direction: there is no unbind.
        "half-close" => return peer.submit_accepted(false).await.map(drop),
        "throttled" => {
            if let Some(id) = peer.submit(false).await? {
                return Err(format!("accepted as \"{id}\"").into());
            }
        }
        _ => return Err(format!("no check is called {check}").into()),
    }
    peer.unbind().await
}

/// The SMSC: accepts every bind and message, except the first message with the text "throttle".
#[derive(Default)]
struct Smsc {
    accepted: AtomicU64,
    throttled: AtomicBool,
}

#[async_trait]
impl SmppServerListener for Smsc {
    async fn on_bind_transceiver(
        &self,
        request: bind_transceiver,
        _connection: &SmppConnectionInformation,
        _session: &String,
    ) -> bind_transceiver_resp {
        request.accept("smpp34".to_owned(), Some(0x34))
    }

    async fn on_submit_sm(
        &self,
        request: submit_sm,
        _connection: &SmppConnectionInformation,
        _session: &String,
    ) -> submit_sm_resp {
        if request.short_message == b"throttle" && !self.throttled.swap(true, Relaxed) {
            return request.reject(SmppError::ESME_RTHROTTLED);
        }
        let id = self.accepted.fetch_add(1, Relaxed) + 1;
        request.accept(id.to_string())
    }

    async fn on_listen_failed(&self, error: &str) {
        eprintln!("{error}");
        exit(1);
    }
}

async fn run_server() -> Outcome<()> {
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    // The server does not report which port it listens on, so port 0 is of no use: it gets one that was free a moment ago.
    let port = TcpListener::bind((address, 0))?.local_addr()?.port();
    let mut server = SmppServer::new(address, port, Arc::new(Smsc::default()));
    server.start().await;
    let connected = async {
        while tokio::net::TcpStream::connect((address, port)).await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(TIMEOUT, connected).await?;
    println!("listening on {address}:{port}");
    std::future::pending().await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["client", name, host, port, check] => {
            timeout(TIMEOUT, run_client(name, host, port.parse()?, check)).await?
        }
        ["server", "smpp34"] => run_server().await,
        _ => {
            Err("usage: interop-peers client smpp34|rusmppc HOST PORT CHECK, or interop-peers server smpp34"
                .into())
        }
    }
}
