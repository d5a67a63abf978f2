//! A service that passes everything on to the test, and the clients that bind to it.

use std::future::{Future, pending, poll_fn};
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use smpp_core::session::{Config, Esme, Rate, RequestError, Smsc};
use smpp_core::{
    Bind, BindMode, COctets, CommandStatus, DeliverSm, Password, ShortMessage, SubmitSm, SubmitSmResp,
};
use smpp_io_tokio::{
    Admission, BindRequest, BoundSession, Client, Inbound, InboundRequest, Inbox, Listener, Server,
    ServerEvent, ServerLimits, Service, start,
};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// What takes longer never happens.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Passes what it is asked on to the test, and tells what happens in lines.
pub(crate) struct EventRouter {
    requests: mpsc::UnboundedSender<(BoundSession, Inbound<Smsc>)>,
    told: mpsc::UnboundedSender<String>,
}

/// The test's side of the desk.
pub(crate) struct Front {
    requests: mpsc::UnboundedReceiver<(BoundSession, Inbound<Smsc>)>,
    told: mpsc::UnboundedReceiver<String>,
}

pub(crate) fn desk() -> (EventRouter, Front) {
    let (requests, for_test) = mpsc::unbounded_channel();
    let (told, lines) = mpsc::unbounded_channel();
    (EventRouter { requests, told }, Front { requests: for_test, told: lines })
}

/// Says when it is dropped.
struct Dropped(&'static str, mpsc::UnboundedSender<String>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.1.send(format!("{} dropped", self.0));
    }
}

impl Service for EventRouter {
    async fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
        let bind = request.bind();
        match bind.system_id.as_bytes() {
            b"undecided" => {
                let _dropped = Dropped("decision", self.told.clone());
                let _ = self.told.send("decision begun".into());
                pending().await
            }
            _ if !bind.password.equals(b"secret") => Err(CommandStatus::RINVPASWD),
            b"trap" => panic!("as asked"),
            b"vip" => Ok(Admission { binds: Some(1), rate: Some(Rate::per_second(1000)) }),
            _ => Ok(Admission::default()),
        }
    }

    async fn request(&self, bound: &BoundSession, request: Inbound<Smsc>) {
        let text = match &request {
            Inbound::SubmitSm(message) => message.get().text().to_vec(),
            _ => Vec::new(),
        };
        match &*text {
            b"forever" => {
                let _dropped = Dropped("request", self.told.clone());
                return pending().await;
            }
            b"trap" => panic!("as asked"),
            b"later a trap" => {
                tokio::task::yield_now().await;
                panic!("as asked");
            }
            _ => {}
        }
        let _ = self.requests.send((bound.clone(), request));
    }

    fn event(&self, event: ServerEvent<'_>) {
        let line = match event {
            ServerEvent::ConnectionRejected { reason: cap, .. } => format!("turned away: {cap}"),
            ServerEvent::NotBound { error: Some(error), .. } => format!("not bound: {error}"),
            ServerEvent::NotBound { error: None, .. } => "not bound".into(),
            ServerEvent::BindRefused { system_id, status, .. } => {
                format!("refused {}: {status:?}", system_id.escape_ascii())
            }
            ServerEvent::Bound(bound) => format!("bound {}", bound.system_id().escape_ascii()),
            ServerEvent::Throttled(bound) => format!("throttled {}", bound.system_id().escape_ascii()),
            ServerEvent::Ended { bound, end } => format!("ended {}: {end}", bound.system_id().escape_ascii()),
            _ => return,
        };
        let _ = self.told.send(line);
    }
}

impl Front {
    /// The next message, with who sent it.
    pub(crate) async fn message(&mut self) -> (BoundSession, InboundRequest<Smsc, SubmitSm<'static>>) {
        let next = timeout(PATIENCE, self.requests.recv()).await.expect("no message");
        let Some((bound, Inbound::SubmitSm(message))) = next else { panic!("no message") };
        (bound, message)
    }

    /// Answers each message with its own text as the id, from now on.
    pub(crate) fn echo(mut self) -> mpsc::UnboundedReceiver<String> {
        tokio::spawn(async move {
            while let Some((_, request)) = self.requests.recv().await {
                let Inbound::SubmitSm(message) = request else { continue };
                let id = message.get().text().to_vec();
                let message_id = COctets::new(&id).unwrap();
                let _ = message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }));
            }
        });
        self.told
    }

    /// Waits until it is told that.
    pub(crate) async fn told(&mut self, line: &str) {
        told(&mut self.told, line).await;
    }
}

pub(crate) async fn told(lines: &mut mpsc::UnboundedReceiver<String>, expected: &str) {
    let wait = async { while lines.recv().await.is_some_and(|line| line != expected) {} };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never told: {expected}"));
}

/// A server on one plain address.
pub(crate) async fn serve(limits: ServerLimits, config: Config) -> (Server, SocketAddr, Front) {
    let (desk, front) = desk();
    let listener = Listener::bind("127.0.0.1:0", config).await.unwrap();
    let server = Server::builder(desk).limits(limits).listen(listener).start().unwrap();
    let address = server.local_addrs()[0];
    (server, address, front)
}

pub(crate) async fn connect(address: SocketAddr) -> (Client, Inbox<Esme>) {
    start(TcpStream::connect(address).await.unwrap(), Config::default())
}

pub(crate) async fn bind(
    client: &Client,
    system_id: &str,
    password: &str,
    mode: BindMode,
) -> Result<(), RequestError> {
    let bind = Bind {
        mode,
        system_id: COctets::new(system_id.as_bytes()).unwrap(),
        password: Password::new(password.as_bytes()).unwrap(),
        ..Bind::default()
    };
    timeout(PATIENCE, client.bind(&bind)).await.expect("no answer to the bind").map(|_| ())
}

/// A bound ESME.
pub(crate) async fn esme(address: SocketAddr, system_id: &str, mode: BindMode) -> (Client, Inbox<Esme>) {
    let (client, inbox) = connect(address).await;
    bind(&client, system_id, "secret", mode).await.unwrap();
    (client, inbox)
}

pub(crate) fn submit(text: &[u8]) -> SubmitSm<'_> {
    SubmitSm { short_message: ShortMessage::new(text).unwrap(), ..SubmitSm::default() }
}

pub(crate) fn deliver(text: &[u8]) -> DeliverSm<'_> {
    DeliverSm { short_message: ShortMessage::new(text).unwrap(), ..DeliverSm::default() }
}

/// The next message at an ESME.
pub(crate) async fn delivered(inbox: &mut Inbox<Esme>) -> InboundRequest<Esme, DeliverSm<'static>> {
    let inbound = timeout(PATIENCE, inbox.recv()).await.expect("nothing was delivered");
    let Some(Inbound::DeliverSm(message)) = inbound else { panic!("nothing was delivered") };
    message
}

/// As far as the future goes by itself.
pub(crate) async fn begin(future: &mut (impl Future + Unpin)) {
    let begun = poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_pending())).await;
    assert!(begun, "it is done at once");
}

/// Reads until the server has closed the connection.
pub(crate) async fn closed(stream: &mut TcpStream) {
    let mut octets = [0; 64];
    let end = async { while let Ok(1..) = stream.read(&mut octets).await {} };
    timeout(PATIENCE, end).await.expect("the connection is not closed");
}

pub(crate) const TRX: BindMode = BindMode::Transceiver;
