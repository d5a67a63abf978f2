//! The driving of `smpp receive --blocking`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use smpp_proto::CommandStatus;
use smpp_std::{Client, Connector, Inbound};

use super::store::Store;
use super::{Arguments, MODE, report_bound, report_stopped, report_stored};
use crate::connecting::{Connecting, SESSION_LIMIT};
use crate::failure::Failure;
use crate::interrupts::Interrupts;
use crate::{options, runtime};

/// Binds and stores what arrives, until a signal.
pub(super) fn receive(arguments: &Arguments) -> Result<(), Failure> {
    let endpoint = arguments.endpoint()?;
    let connector = match options::trust(&endpoint, arguments.ca.as_deref())? {
        Some(trust) => Connector::new().tls(trust),
        None => Connector::new(),
    };
    let bind = options::bind(&endpoint, MODE)?;
    let mut store = Store::open(&arguments.file)?;
    let printer = arguments.printer()?;
    // The session has a thread that keeps it alive, however long the disk takes.
    let connecting = Connecting::to(&endpoint, SESSION_LIMIT);
    let (client, mut inbox) = connector.start(&endpoint)?;
    let bound = client.bind(&bind);
    bound.map_err(|error| Failure::bind(&endpoint, MODE, client.diagnose_bind(&error), error))?;
    drop(connecting);
    let interrupted = unbind_when_interrupted(client.clone())?;
    report_bound(arguments, &store);
    while let Some(inbound) = inbox.recv() {
        // Any other request is refused when it is dropped.
        let Inbound::DeliverSm(message) = inbound else { continue };
        match store.append(message.frame().octets(), &message.get()) {
            Ok(line) => {
                // If the session has ended, the SMSC redelivers the message.
                let _ = message.accept();
                report_stored(printer.as_ref(), line);
            }
            Err(failure) => {
                // The SMSC redelivers this message and those that wait in the inbox.
                let _ = message.refuse(CommandStatus::RX_T_APPN);
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

/// Starts a thread that waits for a signal, then unbinds. Returns whether a signal has come. The sockets stay blocking: only
/// the signals use tokio.
fn unbind_when_interrupted(client: Client) -> Result<Arc<AtomicBool>, Failure> {
    let runtime = runtime::with_threads(1)?;
    let mut interrupts = runtime.block_on(async { Interrupts::new() }).map_err(Failure::other)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    thread::spawn(move || {
        runtime.block_on(interrupts.next());
        flag.store(true, Ordering::Release);
        client.unbind();
    });
    Ok(interrupted)
}
