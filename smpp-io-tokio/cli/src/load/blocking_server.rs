//! The SMSC that is measured against: it takes everything.

use std::error::Error;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

use smpp_core::session::{Config, Smsc};
use smpp_core::{BindResp, COctets, CommandStatus, SubmitSmResp};
use smpp_io_std::{
    BindRequest, BoundSession, Connection, HandleRoute, Inbound, Listener, Server, ServerLimits, Service,
};

use super::Stop;
use super::report::cpu_time;

/// Serves until so many sessions have ended.
pub(crate) fn serve(address: &str, sessions: Option<usize>) -> Result<bool, Stop> {
    let config = Config { max_unanswered: u16::MAX, ..Config::default() };
    let listener = Listener::bind(address, config);
    let listener = listener.map_err(|error| Stop::failed(format!("cannot listen on {address}: {error}")))?;
    println!("listening on {}", listener.local_addr().map_err(Stop::failed)?);
    let (bound, binds) = mpsc::channel();
    let service = Everything { bound, messages: AtomicU64::new(0) };
    let limits = ServerLimits {
        binds_per_account: u16::MAX,
        connections_per_address: usize::MAX,
        ..ServerLimits::default()
    };
    let server = Server::builder(service).limits(limits).listen(listener).start().map_err(Stop::failed)?;
    for _ in 0..sessions.unwrap_or(usize::MAX) {
        let Ok(()) = binds.recv() else { break };
        for bound in server.bound() {
            let end = bound.peer().closed();
            let cpu = cpu_time().map(|cpu| format!(", {cpu:.2} s of CPU time so far")).unwrap_or_default();
            println!("a session has ended: {end}{cpu}");
        }
    }
    Ok(true)
}

/// Takes what comes, and numbers it.
struct Everything {
    bound: mpsc::Sender<()>,
    messages: AtomicU64,
}

impl Service for Everything {
    fn bind(&self, _: &BindRequest) -> Result<(), CommandStatus> {
        self.bound.send(()).map_err(|_| CommandStatus::RSYSERR)
    }

    fn request(&self, _: &BoundSession, request: Inbound<HandleRoute<Smsc>>) {
        let Inbound::SubmitSm(message) = request else { return };
        let id = id(self.messages.fetch_add(1, Ordering::Relaxed));
        // If the session has ended, the ESME has seen no answer.
        let _ = message.respond(Ok(taken(&id)));
    }
}

/// The same with one thread for each connection, which reads, answers and writes.
pub(crate) fn serve_alone(address: &str) -> Result<bool, Stop> {
    let listener = TcpListener::bind(address);
    let listener = listener.map_err(|error| Stop::failed(format!("cannot listen on {address}: {error}")))?;
    println!("listening on {}", listener.local_addr().map_err(Stop::failed)?);
    for stream in listener.incoming() {
        let stream = stream.map_err(Stop::failed)?;
        // An end is how the other side leaves.
        thread::spawn(move || answer(stream));
    }
    Ok(true)
}

fn answer(stream: TcpStream) -> Result<(), Box<dyn Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let mut connection = Connection::<Smsc, _>::new(stream, Config::default())?;
    let mut messages = 0;
    while let Some(inbound) = connection.recv(None)? {
        match inbound {
            Inbound::Bind(bind) => connection.respond(bind, Ok(BindResp::default()))?,
            Inbound::SubmitSm(message) => {
                messages += 1;
                connection.respond(message, Ok(taken(&id(messages))))?;
            }
            other => connection.refuse(other)?,
        }
    }
    Ok(())
}

/// Ten digits.
fn id(mut number: u64) -> [u8; 10] {
    let mut digits = [b'0'; 10];
    for digit in digits.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    digits
}

fn taken(id: &[u8]) -> SubmitSmResp<'_> {
    SubmitSmResp { message_id: COctets::new(id).unwrap_or_default(), ..SubmitSmResp::default() }
}
