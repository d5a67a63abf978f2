//! A service that passes requests and events to the test, and helpers for clients.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use smpp_proto::server::BindLimits;
use smpp_proto::session::{Config, Esme, Rate, RequestError, Smsc};
use smpp_proto::{
    Bind, BindMode, COctets, CommandStatus, DeliverSm, Password, ShortMessage, SubmitSm, SubmitSmResp,
};
use smpp_std::{
    Admission, BindRequest, BoundSession, Client, HandleRoute, Inbound, InboundRequest, Inbox, Listener,
    Server, ServerEvent, ServerLimits, Service, start,
};

/// The test fails if something takes longer.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) const TRX: BindMode = BindMode::Transceiver;

type Request = (BoundSession, Inbound<HandleRoute<Smsc>>);

/// Passes the requests to the test, and the events as lines.
pub(crate) struct TestService {
    requests: Mutex<mpsc::Sender<Request>>,
    events: Mutex<mpsc::Sender<String>>,
    /// Lets the bind of `undecided` and the requests with the text `work` go on, one for each.
    gate: Mutex<mpsc::Receiver<()>>,
}

/// Receives the requests and the events of a [`TestService`].
pub(crate) struct TestHandle {
    requests: mpsc::Receiver<Request>,
    pub(crate) events: mpsc::Receiver<String>,
    pub(crate) gate: mpsc::Sender<()>,
}

pub(crate) fn test_service() -> (TestService, TestHandle) {
    let (request_sender, requests) = mpsc::channel();
    let (event_sender, events) = mpsc::channel();
    let (gate, opened) = mpsc::channel();
    let (requests_to, events_to) = (Mutex::new(request_sender), Mutex::new(event_sender));
    let service = TestService { requests: requests_to, events: events_to, gate: Mutex::new(opened) };
    (service, TestHandle { requests, events, gate })
}

impl TestService {
    fn emit(&self, line: impl Into<String>) {
        let _ = self.events.lock().unwrap_or_else(PoisonError::into_inner).send(line.into());
    }

    fn wait(&self) {
        let _ = self.gate.lock().unwrap_or_else(PoisonError::into_inner).recv();
    }
}

impl Service for TestService {
    fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
        let bind = request.bind();
        match bind.system_id.as_bytes() {
            b"undecided" => {
                self.emit("decision begun");
                self.wait();
                self.emit("decision ended");
                Ok(Admission::default())
            }
            _ if !bind.password.equals(b"secret") => Err(CommandStatus::RINVPASWD),
            b"panic" => panic!("expected panic"),
            b"vip" => Ok(Admission::default().binds(BindLimits::total(1)).rate(Rate::per_second(1000))),
            _ => Ok(Admission::default()),
        }
    }

    fn request(&self, bound: &BoundSession, request: Inbound<HandleRoute<Smsc>>) {
        let text = match &request {
            Inbound::SubmitSm(message) => message.get().text().to_vec(),
            _ => Vec::new(),
        };
        match &*text {
            b"work" => {
                self.emit("work begun");
                self.wait();
                drop(request);
                return self.emit("work done");
            }
            b"panic" => panic!("expected panic"),
            _ => {}
        }
        let _ = self.requests.lock().unwrap_or_else(PoisonError::into_inner).send((bound.clone(), request));
    }

    fn event(&self, event: ServerEvent<'_>) {
        self.emit(match event {
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
            ServerEvent::AcceptFailed { .. } => "accept failed".into(),
            _ => return,
        });
    }
}

impl TestHandle {
    /// Waits for the next message. Returns it and its bind.
    pub(crate) fn message(&self) -> (BoundSession, InboundRequest<SubmitSm<'static>, HandleRoute<Smsc>>) {
        let (bound, inbound) = self.requests.recv_timeout(TIMEOUT).expect("no message");
        let Inbound::SubmitSm(message) = inbound else { panic!("no message") };
        (bound, message)
    }

    /// Responds to each message with its text as the message id, from now on. Returns the events.
    pub(crate) fn echo(self) -> mpsc::Receiver<String> {
        let Self { requests, events, gate } = self;
        thread::spawn(move || {
            for (_, request) in requests {
                let Inbound::SubmitSm(message) = request else { continue };
                let id = message.get().text().to_vec();
                let message_id = COctets::new(&id).unwrap();
                let _ = message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }));
            }
            drop(gate);
        });
        events
    }

    /// Waits for an event.
    pub(crate) fn event(&self, expected: &str) {
        event(&self.events, expected);
    }
}

/// Waits for an event.
pub(crate) fn event(events: &mpsc::Receiver<String>, expected: &str) {
    let deadline = Instant::now() + TIMEOUT;
    let mut others = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match events.recv_timeout(left) {
            Ok(line) if line == expected => return,
            Ok(line) => others.push(line),
            Err(error) => panic!("no event {expected}: {error}, but {others:?}"),
        }
    }
}

/// Waits until the condition holds.
pub(crate) fn until(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !condition() {
        assert!(Instant::now() < deadline, "it does not happen");
        thread::yield_now();
    }
}

/// Starts a server with one listener without TLS.
pub(crate) fn serve(limits: ServerLimits, config: Config) -> (Server, SocketAddr, TestHandle) {
    let (service, test) = test_service();
    let listener = Listener::bind("127.0.0.1:0", config).unwrap();
    let server = Server::builder(service).limits(limits).listen(listener).start().unwrap();
    let address = server.local_addrs()[0];
    (server, address, test)
}

pub(crate) fn connect(address: SocketAddr) -> (Client, Inbox<Esme>) {
    let stream = TcpStream::connect(address).unwrap();
    // Without it, Nagle's algorithm delays the responses of the client.
    stream.set_nodelay(true).unwrap();
    start(stream, Config::default()).unwrap()
}

pub(crate) fn bind(
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
    client.bind(&bind).map(drop)
}

/// Connects and binds an ESME.
pub(crate) fn esme(address: SocketAddr, system_id: &str, mode: BindMode) -> (Client, Inbox<Esme>) {
    let (client, inbox) = connect(address);
    bind(&client, system_id, "secret", mode).unwrap();
    (client, inbox)
}

/// Returns the status with which a new bind is refused.
pub(crate) fn refused(address: SocketAddr, system_id: &str, mode: BindMode) -> Option<CommandStatus> {
    let (client, _inbox) = connect(address);
    bind(&client, system_id, "secret", mode).unwrap_err().status()
}

pub(crate) fn submit(text: &[u8]) -> SubmitSm<'_> {
    SubmitSm { short_message: ShortMessage::new(text).unwrap(), ..SubmitSm::default() }
}

pub(crate) fn deliver(text: &[u8]) -> DeliverSm<'_> {
    DeliverSm { short_message: ShortMessage::new(text).unwrap(), ..DeliverSm::default() }
}

type Delivered = InboundRequest<DeliverSm<'static>, HandleRoute<Esme>>;

/// Waits for the next message at an ESME, at most until `deadline`.
pub(crate) fn delivered_until(inbox: &mut Inbox<Esme>, deadline: Instant) -> Option<Delivered> {
    match inbox.recv_until(deadline) {
        Ok(Some(Inbound::DeliverSm(message))) => Some(message),
        Ok(None) => None,
        other => panic!("nothing was delivered: {other:?}"),
    }
}

/// Waits for the next message at an ESME.
pub(crate) fn delivered(inbox: &mut Inbox<Esme>) -> Delivered {
    delivered_until(inbox, Instant::now() + TIMEOUT).expect("nothing was delivered")
}

/// Waits until the server has closed the connection.
pub(crate) fn closed(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    let began = Instant::now();
    while let Ok(1..) = stream.read(&mut [0; 64]) {}
    assert!(began.elapsed() < TIMEOUT, "the connection is not closed");
}
