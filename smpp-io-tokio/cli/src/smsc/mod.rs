//! An SMSC to test any SMPP client against, with the rules of 8x8, and with faults if you like.
//!
//! ```text
//! cargo run --release --example smsc -- --listen 127.0.0.1:2775 --account shop:s3cret
//! cargo run --release --example smsc -- --tls-listen 127.0.0.1:2776 --tls-ca ca.pem \
//!     --receipts DELIVRD=90,UNDELIV=10 --fault slow=200 --fault drop=5 --mo demo_shop
//! ```

mod arguments;
#[path = "../support/certificate.rs"]
mod certificate;
mod report;
#[path = "../support/smsc.rs"]
mod smsc;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use smpp_core::Address;
use smpp_core::session::Config;
use smpp_core::simulator::OriginateError;
use smpp_io_tokio::{Listener, tls};
use tokio::time::{MissedTickBehavior, interval, sleep};

use arguments::Arguments;
use report::Report;
use smsc::{Setup, Smsc};

/// How long the sessions have to unbind.
const PATIENCE: Duration = Duration::from_secs(10);

/// Octets that wait for an ESME before no more is read from it: one that never reads costs no more than a megabyte.
const MAX_OUTPUT: usize = 128 * 1024;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Err(what) = arguments.check() {
        Arguments::command().error(clap::error::ErrorKind::ValueValidation, what).exit();
    }
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs until it is interrupted, then stops in good order.
async fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let listeners = listeners(arguments).await?;
    let tls_from = listeners.len() - arguments.tls_listen.len();
    let report = Arc::new(Report::new(arguments.json));
    let watcher = Arc::clone(&report);
    let smsc = Smsc::start(Setup {
        rules: arguments.rules(),
        accounts: arguments.account.clone(),
        faults: arguments.faults(),
        listeners,
        connections: arguments.max_connections,
        watcher: Box::new(move |told| watcher.told(told)),
    })?;
    let addresses = smsc.server.local_addrs().iter().enumerate();
    let addresses: Vec<_> = addresses.map(|(index, address)| (*address, index >= tls_from)).collect();
    let names: Vec<_> = arguments.account.iter().map(|(system_id, _)| &**system_id).collect();
    report.listening(&addresses, &names);

    tokio::select! {
        () = smsc.run() => {}
        () = phone(&smsc, arguments) => {}
        () = live(&smsc, &report) => {}
        interrupted = interrupt() => interrupted?,
    }
    report.stopping();
    let shutdown = tokio::select! {
        shutdown = smsc.server.shutdown(PATIENCE) => shutdown,
        _ = interrupt() => return Err("stopped at once: what was under way is lost".into()),
    };
    report.stopped(&shutdown);
    Ok(())
}

/// Listens: without TLS first, then with it.
async fn listeners(arguments: &Arguments) -> Result<Vec<Listener>, Box<dyn Error>> {
    let mut listeners = Vec::new();
    for address in arguments.listen() {
        listeners.push(listen(&address).await?);
    }
    if arguments.tls_listen.is_empty() {
        return Ok(listeners);
    }
    let config = if let (Some(cert), Some(key)) = (&arguments.cert, &arguments.key) {
        tls::server_files(cert, key)
            .map_err(|error| format!("--cert and --key do not serve for TLS: {error}"))?
    } else {
        let made = certificate::for_localhost()?;
        if let Some(path) = &arguments.tls_ca {
            std::fs::write(path, made.authority.pem())
                .map_err(|error| format!("--tls-ca {}: {error}", path.display()))?;
        }
        tls::server(made.chain, made.key)?
    };
    for address in &arguments.tls_listen {
        listeners.push(listen(address).await?.tls(Arc::clone(&config)));
    }
    Ok(listeners)
}

async fn listen(address: &str) -> Result<Listener, Box<dyn Error>> {
    let config = Config { max_output: MAX_OUTPUT, ..Config::default() };
    let listener = Listener::bind(address, config).await;
    listener.map_err(|error| {
        let advice = "give an ADDRESS:PORT of this machine that is free, such as 127.0.0.1:2775";
        format!("cannot listen on {address}: {error}; {advice}").into()
    })
}

/// Has a phone write to an account, if that is asked for. Never ends.
async fn phone(smsc: &Smsc, arguments: &Arguments) {
    if let Some(account) = &arguments.mo {
        let mut turns = interval(arguments.mo_interval());
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let number = |digits| Address::international(digits).unwrap_or_default();
        let numbers = (number(&arguments.mo_from), number(&arguments.mo_to));
        let mut left = arguments.mo_count.unwrap_or(u64::MAX);
        while left > 0 {
            turns.tick().await;
            match smsc.desk.originate(account, numbers, &arguments.mo_text) {
                Ok(_) => left -= 1,
                // Later, when some of it has been fetched.
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

/// Keeps the line that lives alive. Never ends.
async fn live(smsc: &Smsc, report: &Report) {
    loop {
        let binds = smsc.server.binds();
        report.live(binds.list().len(), binds.connections(), smsc.desk.pending());
        sleep(Duration::from_millis(200)).await;
    }
}

/// Waits for ctrl-c, or for the signal that asks to end.
async fn interrupt() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
