//! A service that passes requests and events to the test, and helpers for clients.

use std::future::{Future, pending, poll_fn};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use smpp_proto::server::BindLimits;
use smpp_proto::session::{Config, Esme, Rate, RequestError, Smsc};
use smpp_proto::{
    Bind, BindMode, COctets, CommandStatus, DeliverSm, Password, ShortMessage, SubmitSm, SubmitSmResp,
};
use smpp_tokio::{
    Admission, BindRequest, BoundSession, Client, Inbound, InboundRequest, Inbox, Listener, Server,
    ServerEvent, ServerLimits, Service, start,
};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

/// The test fails if something takes longer.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// Passes the requests to the test, and the events as lines.
pub(crate) struct TestService {
    requests: mpsc::UnboundedSender<(BoundSession, Inbound<Smsc>)>,
    events: mpsc::UnboundedSender<String>,
    /// Lets the requests with the text `work` go on.
    work: Arc<Notify>,
}

/// Receives the requests and the events of a [`TestService`].
pub(crate) struct TestHandle {
    requests: mpsc::UnboundedReceiver<(BoundSession, Inbound<Smsc>)>,
    events: mpsc::UnboundedReceiver<String>,
    pub(crate) work: Arc<Notify>,
}

pub(crate) fn test_service() -> (TestService, TestHandle) {
    let (request_sender, requests) = mpsc::unbounded_channel();
    let (event_sender, events) = mpsc::unbounded_channel();
    let work = Arc::new(Notify::new());
    let service = TestService { requests: request_sender, events: event_sender, work: Arc::clone(&work) };
    (service, TestHandle { requests, events, work })
}

/// Sends an event when it is dropped.
struct ReportsDrop(&'static str, mpsc::UnboundedSender<String>);

impl Drop for ReportsDrop {
    fn drop(&mut self) {
        let _ = self.1.send(format!("{} dropped", self.0));
    }
}

impl Service for TestService {
    async fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
        let bind = request.bind();
        match bind.system_id.as_bytes() {
            b"undecided" => {
                let _dropped = ReportsDrop("decision", self.events.clone());
                let _ = self.events.send("decision begun".into());
                pending().await
            }
            _ if !bind.password.equals(b"secret") => Err(CommandStatus::RINVPASWD),
            b"panic" => panic!("expected panic"),
            b"vip" => Ok(Admission::default().binds(BindLimits::total(1)).rate(Rate::per_second(1000))),
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
                let _dropped = ReportsDrop("request", self.events.clone());
                return pending().await;
            }
            b"work" => {
                let dropped = ReportsDrop("request", self.events.clone());
                self.work.notified().await;
                std::mem::forget(dropped);
                let _ = self.events.send("work done".into());
            }
            b"panic" => panic!("expected panic"),
            b"panic later" => {
                tokio::task::yield_now().await;
                panic!("expected panic");
            }
            _ => {}
        }
        let _ = self.requests.send((bound.clone(), request));
    }

    fn event(&self, event: ServerEvent<'_>) {
        let line = match event {
            ServerEvent::ConnectionRejected { reason, .. } => format!("rejected: {reason}"),
            ServerEvent::NotBound { error: Some(error), .. } => format!("not bound: {error}"),
            ServerEvent::NotBound { error: None, .. } => "not bound".into(),
            ServerEvent::BindRefused { system_id, status, .. } => {
                format!("refused {}: {status:?}", system_id.escape_ascii())
            }
            ServerEvent::Bound(bound) => format!("bound {}", bound.system_id().escape_ascii()),
            ServerEvent::Throttled(bound) => format!("throttled {}", bound.system_id().escape_ascii()),
            ServerEvent::Ended { bound, end, .. } => {
                format!("ended {}: {end}", bound.system_id().escape_ascii())
            }
            _ => return,
        };
        let _ = self.events.send(line);
    }
}

impl TestHandle {
    /// Waits for the next message. Returns it and its bind.
    pub(crate) async fn message(&mut self) -> (BoundSession, InboundRequest<Smsc, SubmitSm<'static>>) {
        let next = timeout(TIMEOUT, self.requests.recv()).await.expect("no message");
        let Some((bound, Inbound::SubmitSm(message))) = next else { panic!("no message") };
        (bound, message)
    }

    /// Responds to each message with its text as the message id, from now on. Returns the events.
    pub(crate) fn echo(mut self) -> mpsc::UnboundedReceiver<String> {
        crate::spawn(async move {
            while let Some((_, request)) = self.requests.recv().await {
                let Inbound::SubmitSm(message) = request else { continue };
                let id = message.get().text().to_vec();
                let message_id = COctets::new(&id).unwrap();
                let _ = message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }));
            }
        });
        self.events
    }

    /// Waits for an event.
    pub(crate) async fn event(&mut self, expected: &str) {
        event(&mut self.events, expected).await;
    }
}

/// Waits for an event.
pub(crate) async fn event(events: &mut mpsc::UnboundedReceiver<String>, expected: &str) {
    let wait = async { while events.recv().await.is_some_and(|line| line != expected) {} };
    timeout(TIMEOUT, wait).await.unwrap_or_else(|_| panic!("no event: {expected}"));
}

/// Starts a server with one listener without TLS.
pub(crate) async fn serve(limits: ServerLimits, config: Config) -> (Server, SocketAddr, TestHandle) {
    let (service, test) = test_service();
    let listener = Listener::bind("127.0.0.1:0", config).await.unwrap();
    let server = Server::builder(service).limits(limits).listen(listener).start().unwrap();
    let address = server.local_addrs()[0];
    (server, address, test)
}

pub(crate) async fn connect(address: SocketAddr) -> (Client, Inbox<Esme>) {
    let stream = TcpStream::connect(address).await.unwrap();
    // Without it, Nagle's algorithm delays the responses of the client.
    stream.set_nodelay(true).unwrap();
    start(stream, Config::default())
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
    timeout(TIMEOUT, client.bind(&bind)).await.expect("no answer to the bind").map(|_| ())
}

/// Connects and binds an ESME.
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

/// Waits for the next message at an ESME.
pub(crate) async fn delivered(inbox: &mut Inbox<Esme>) -> InboundRequest<Esme, DeliverSm<'static>> {
    let inbound = timeout(TIMEOUT, inbox.recv()).await.expect("nothing was delivered");
    let Some(Inbound::DeliverSm(message)) = inbound else { panic!("nothing was delivered") };
    message
}

/// Polls a future once; it must not complete.
pub(crate) async fn begin(future: &mut (impl Future + Unpin)) {
    let is_pending = poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_pending())).await;
    assert!(is_pending, "the future completed");
}

/// Waits until the server has closed the connection.
pub(crate) async fn closed(stream: &mut TcpStream) {
    let mut octets = [0; 64];
    let end = async { while let Ok(1..) = stream.read(&mut octets).await {} };
    timeout(TIMEOUT, end).await.expect("the connection is not closed");
}

pub(crate) const TRX: BindMode = BindMode::Transceiver;
