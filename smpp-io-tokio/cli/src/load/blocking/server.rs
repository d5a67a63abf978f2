//! The SMSC that is measured against, over blocking sockets: it accepts everything.

use std::error::Error;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use smpp_proto::session::{Config, Smsc};
use smpp_proto::{BindResp, CommandStatus};
use smpp_std::{
    Admission, BindRequest, BoundSession, Connection, End, HandleRoute, Inbound, Listener, Server,
    ServerLimits, Service,
};

use crate::failure::Failure;
use crate::load::message::{MessageIds, digits, response};
use crate::load::results::cpu_time;
use crate::output::printable;

/// The server lists a bind shortly after the service has accepted it: how often to look for it, and how long to wait in
/// between.
const LISTING_ATTEMPTS: u32 = 1000;
const LISTING_INTERVAL: Duration = Duration::from_millis(1);

/// Serves until so many sessions have ended, or without end.
pub(super) fn serve(address: &str, sessions: Option<usize>) -> Result<bool, Failure> {
    let config = Config::default().max_unanswered(u16::MAX);
    let listener = Listener::bind(address, config).map_err(|error| Failure::listen(address, &error))?;
    println!("listening on {}", listener.local_addr().map_err(Failure::other)?);
    let (events, received) = mpsc::channel();
    let service = AcceptAll { events: events.clone(), messages: AtomicU64::new(0) };
    let limits = ServerLimits::default().binds_per_account(u16::MAX).connections_per_address(usize::MAX);
    let server = Server::builder(service).limits(limits).listen(listener).start().map_err(Failure::other)?;
    let server = Arc::new(server);
    let mut ended = 0;
    while sessions.is_none_or(|sessions| ended < sessions) {
        match received.recv().map_err(Failure::other)? {
            Event::Bound(address) => {
                let (server, events) = (Arc::clone(&server), events.clone());
                thread::spawn(move || events.send(Event::Ended(wait_for_end(&server, address))));
            }
            Event::Ended(end) => {
                ended += 1;
                let cpu = cpu_time().map(|cpu| format!(", {cpu:.2} s of CPU time so far"));
                let end = end.map(|end| format!(": {}", printable(end))).unwrap_or_default();
                println!("a session has ended{end}{}", cpu.unwrap_or_default());
            }
        }
    }
    Ok(true)
}

/// Waits until the session with this address ends. Returns how; `None` if it ended before the server listed it.
fn wait_for_end(server: &Server, address: SocketAddr) -> Option<End> {
    for _ in 0..LISTING_ATTEMPTS {
        let listed = server.binds().list().into_iter().find(|bound| bound.peer_addr() == address);
        if let Some(bound) = listed {
            return Some(bound.peer().closed());
        }
        thread::sleep(LISTING_INTERVAL);
    }
    None
}

/// A bind that the service accepted, or the end of its session.
enum Event {
    Bound(SocketAddr),
    Ended(Option<End>),
}

/// Accepts every bind and every message, and numbers the messages.
struct AcceptAll {
    events: mpsc::Sender<Event>,
    messages: AtomicU64,
}

impl Service for AcceptAll {
    fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
        let sent = self.events.send(Event::Bound(request.peer_addr()));
        sent.map(|()| Admission::default()).map_err(|_| CommandStatus::RSYSERR)
    }

    fn request(&self, _: &BoundSession, request: Inbound<HandleRoute<Smsc>>) {
        let Inbound::SubmitSm(message) = request else { return };
        let id = digits(self.messages.fetch_add(1, Ordering::Relaxed));
        // It fails only if the session has ended: no response is expected then.
        let _ = message.respond(Ok(response(&id)));
    }
}

/// Serves each connection with one thread, which reads, responds and writes.
pub(super) fn serve_alone(address: &str) -> Result<bool, Failure> {
    let listener = TcpListener::bind(address).map_err(|error| Failure::listen(address, &error))?;
    println!("listening on {}", listener.local_addr().map_err(Failure::other)?);
    for stream in listener.incoming() {
        let stream = stream.map_err(Failure::other)?;
        // The client ends the connection.
        thread::spawn(move || answer(stream));
    }
    Ok(true)
}

fn answer(stream: TcpStream) -> Result<(), Box<dyn Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let mut connection = Connection::<Smsc, _>::new(stream, Config::default())?;
    let mut ids = MessageIds::after(*b"0000000000");
    while let Some(inbound) = connection.recv(None)? {
        match inbound {
            Inbound::Bind(bind) => connection.respond(bind, Ok(BindResp::default()))?,
            Inbound::SubmitSm(message) => connection.respond(message, Ok(ids.next()))?,
            other => connection.refuse(other)?,
        }
    }
    Ok(())
}
