//! `smpp smsc`: an SMSC to test any SMPP client against, with the rules of 8x8, and with faults on request.

mod arguments;
mod events;
mod faults;
mod listeners;
#[cfg(feature = "web")]
mod settings;
#[cfg_attr(not(feature = "web"), path = "no_web.rs")]
mod web;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use smpp_proto::Address;
use smpp_proto::simulator::OriginateError;
use smpp_tokio::testing::{TestSmsc, TestSmscBuilder};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::failure::{Failure, finish};
use crate::interrupts::Interrupts;
use crate::runtime;
pub(crate) use arguments::Arguments;
use events::EventPrinter;
use listeners::Listeners;
use web::Web;

/// How long the sessions have to unbind.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// How often the live status line changes.
const STATUS_INTERVAL: Duration = Duration::from_millis(200);

/// Runs the SMSC until it is interrupted.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let served = arguments
        .check()
        .and_then(|()| runtime::multi_threaded())
        .and_then(|runtime| runtime::run(runtime, serve(arguments)));
    finish(served.map(|()| true))
}

/// Serves until the first interrupt, then unbinds every session.
async fn serve(arguments: &Arguments) -> Result<(), Failure> {
    let mut interrupts = Interrupts::new().map_err(Failure::other)?;
    let Listeners { listeners, mut listening } = Listeners::listen(arguments).await?;
    let mut web = Web::listen(arguments, &listeners).await?;
    let printer = Arc::new(EventPrinter::new(arguments.json));
    let subscriber = Arc::clone(&printer);
    let builder = TestSmsc::builder()
        .rules(arguments.rules())
        .faults(arguments.faults())
        .max_connections(arguments.max_connections)
        .log_capacity(0)
        .subscribe(move |event| subscriber.event(event));
    let builder = arguments
        .account
        .iter()
        .fold(builder, |builder, (system_id, password)| builder.account(system_id, password));
    let builder = web.observe(builder);
    let smsc = listeners.into_iter().fold(builder, TestSmscBuilder::listen);
    let smsc = smsc.start().await.map_err(Failure::other)?;
    let names: Vec<_> = arguments.account.iter().map(|(system_id, _)| &**system_id).collect();
    printer.listening(&listening.addresses(smsc.local_addrs()), &names);
    web.print(&printer);

    tokio::select! {
        () = originate(&smsc, arguments) => {}
        () = web.serve(&smsc) => {}
        () = show_status(&smsc, &printer) => {}
        () = listening.reload(arguments, &printer) => {}
        () = interrupts.next() => {}
    }
    printer.stopping();
    let shutdown = tokio::select! {
        shutdown = smsc.shutdown(SHUTDOWN_TIMEOUT) => shutdown,
        () = interrupts.next() => return Err(Failure::other("stopped at once: requests in flight are lost")),
    };
    printer.stopped(&shutdown);
    Ok(())
}

/// Sends mobile-originated messages to the account of --mo. Never returns.
async fn originate(smsc: &TestSmsc, arguments: &Arguments) {
    if let Some(account) = &arguments.mo {
        let mut turns = interval(arguments.mo_interval());
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let number = |digits| Address::international(digits).unwrap_or_default();
        let (source, destination) = (number(&arguments.mo_from), number(&arguments.mo_to));
        let mut left = arguments.mo_count.unwrap_or(u64::MAX);
        while left > 0 {
            turns.tick().await;
            match smsc.originate(account, source, destination, &arguments.mo_text) {
                Ok(_) => left -= 1,
                // It is tried again after some messages have been delivered.
                Err(OriginateError::Full) => {}
                Err(error) => {
                    eprintln!("error: --mo {account}: {error}");
                    break;
                }
            }
        }
    }
    std::future::pending::<()>().await;
}

/// Updates the live status line. Never returns.
async fn show_status(smsc: &TestSmsc, printer: &EventPrinter) {
    loop {
        let binds = smsc.binds();
        printer.update_status(binds.list().len(), binds.connections(), smsc.pending());
        sleep(STATUS_INTERVAL).await;
    }
}
