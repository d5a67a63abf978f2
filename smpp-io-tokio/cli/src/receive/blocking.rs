//! The driving of `smpp receive --blocking`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use smpp_proto::session::Esme;
use smpp_proto::{CommandStatus, DataSmResp, DeliverSmResp, Endpoint};
use smpp_std::{Client, Connector, HandleRoute, Inbound, Inbox};

use super::store::Store;
use super::{Arguments, MODE, NOT_BOUND, report_bound, report_stopped, report_stored};
use crate::connecting::{Connecting, SESSION_LIMIT};
use crate::delivered::Delivered;
use crate::failure::Failure;
use crate::interrupts::Interrupts;
use crate::{options, runtime};

/// What the threads report.
enum Report {
    Bound(Result<(Client, Inbox<Esme>), Failure>),
    /// A signal has come.
    Interrupted,
}

/// Binds and stores what arrives, until a signal.
pub(super) fn receive(arguments: &Arguments) -> Result<(), Failure> {
    let endpoint = arguments.endpoint()?;
    let connector = match options::trust(&endpoint, arguments.ca.as_deref())? {
        Some(trust) => Connector::new().tls(trust),
        None => Connector::new(),
    };
    // Wrong arguments create no file.
    options::bind(&endpoint, MODE)?;
    let mut store = Store::open(&arguments.file)?;
    let printer = arguments.printer()?;
    let (sender, reports) = channel();
    report_interrupt(sender.clone())?;
    let connecting = Connecting::to(&endpoint, SESSION_LIMIT);
    // In another thread, so that a signal ends the program meanwhile.
    start_thread(move || {
        let _ = sender.send(Report::Bound(bound(&connector, &endpoint)));
    })?;
    let Ok(Report::Bound(bound)) = reports.recv() else {
        drop(connecting);
        report_stopped(NOT_BOUND);
        return Ok(());
    };
    let (client, mut inbox) = bound?;
    drop(connecting);
    let interrupted = unbind_when_interrupted(client.clone(), reports)?;
    report_bound(arguments, &store);
    while let Some(inbound) = inbox.recv() {
        let stored = match &inbound {
            Inbound::DeliverSm(message) => {
                store.append(message.frame().octets(), &Delivered::from(&message.get()))
            }
            Inbound::DataSm(message) => {
                store.append(message.frame().octets(), &Delivered::from(&message.get()))
            }
            // Any other request is refused when it is dropped.
            _ => continue,
        };
        match stored {
            Ok(line) => {
                respond(inbound, Ok(()));
                report_stored(printer.as_ref(), line);
            }
            Err(failure) => {
                // The SMSC redelivers this message and those that wait in the inbox.
                respond(inbound, Err(CommandStatus::RX_T_APPN));
                drop(inbox);
                client.unbind();
                return Err(failure);
            }
        }
    }
    let end = client.closed();
    if interrupted.load(Ordering::Acquire) {
        report_stopped(end);
        return Ok(());
    }
    Err(Failure::other(end))
}

/// Responds to a message. If the session has ended, the SMSC redelivers it.
fn respond(inbound: Inbound<HandleRoute<Esme>>, result: Result<(), CommandStatus>) {
    let _ = match inbound {
        Inbound::DeliverSm(message) => message.respond(result.map(|()| DeliverSmResp::default())),
        Inbound::DataSm(message) => message.respond(result.map(|()| DataSmResp::default())),
        _ => Ok(()),
    };
}

/// Connects and binds. The session has a thread that keeps it alive, however long the disk takes.
fn bound(connector: &Connector, endpoint: &Endpoint) -> Result<(Client, Inbox<Esme>), Failure> {
    let bind = options::bind(endpoint, MODE)?;
    let (client, inbox) = connector.start(endpoint)?;
    let bound = client.bind(&bind);
    bound.map_err(|error| Failure::bind(endpoint, MODE, client.diagnose_bind(&error), error))?;
    Ok((client, inbox))
}

/// Starts a thread that waits for a signal and reports it. The sockets stay blocking: only the signals use tokio.
fn report_interrupt(reports: Sender<Report>) -> Result<(), Failure> {
    let runtime = runtime::with_threads(1)?;
    let mut interrupts = runtime.block_on(async { Interrupts::new() }).map_err(Failure::other)?;
    start_thread(move || {
        runtime.block_on(interrupts.next());
        let _ = reports.send(Report::Interrupted);
    })
}

/// Starts a thread that unbinds after a signal. Returns whether a signal has come.
fn unbind_when_interrupted(client: Client, reports: Receiver<Report>) -> Result<Arc<AtomicBool>, Failure> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    start_thread(move || {
        if let Ok(Report::Interrupted) = reports.recv() {
            flag.store(true, Ordering::Release);
            client.unbind();
        }
    })?;
    Ok(interrupted)
}

fn start_thread(run: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let started = thread::Builder::new().spawn(run);
    started.map(drop).map_err(|error| Failure::other(format_args!("cannot start a thread: {error}")))
}
