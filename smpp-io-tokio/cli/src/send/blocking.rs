//! Sends messages over SMPP and waits for their delivery receipts, with blocking sockets and one thread.
//!
//! Without arguments it starts an SMSC of its own, which follows 8x8's rules, and sends it three messages:
//!
//! ```text
//! cargo run --release --example send_blocking
//! ```
//!
//! Against a real SMSC, the password in `SMPP_PASSWORD`:
//!
//! ```text
//! cargo run --release --example send_blocking -- \
//!     --url smpps://SYSTEM_ID@smpp.8x8.com:2776 --from 8x8 --to 6591234567 --text "Hello"
//! ```

#[path = "../../../smpp-io-tokio/examples/support/job.rs"]
mod job;
mod smsc;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use smpp_core::session::Esme;
use smpp_io_std::{
    ConnectError, ConnectErrorKind, Connection, Connector, End, Inbound, Stream, TlsError, tls,
};

use job::{Account, Arguments, Ledger, Message, Report, Stop};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let report = arguments.report();
    match run(&arguments, report) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(stop) => {
            report.stop(&stop);
            stop.status.into()
        }
    }
}

/// Binds, sends, waits, unbinds. Whether all went well.
fn run(arguments: &Arguments, report: Report) -> Result<bool, Stop> {
    let texts = arguments.texts();
    let messages = arguments.messages(&texts)?;
    let (account, connector) = target(arguments, report)?;
    let bind = account.bind()?;

    let mut connection = connector.connect(&account.endpoint).map_err(|error| no_connection(&error))?;
    report.connected(&account);
    connection.observe(arguments.observer(&account)?);
    let answer = connection.bind(&bind).map_err(|error| Stop::bind(&error))?;
    report.bound(&account, &answer);

    let mut ledger = Ledger::new(report);
    let exchanged = submit(&mut connection, &messages, &mut ledger, report)
        .and_then(|()| await_receipts(&mut connection, &mut ledger, arguments.timeout()));
    let End { reason, error } = match exchanged {
        Ok(()) => connection.unbind(),
        Err(end) => end,
    };
    ledger.ended(reason, error.as_deref())
}

/// Submits part after part, each once the one before is answered. Only the end of the session stops it.
fn submit(
    connection: &mut Connection<Esme, Stream>,
    messages: &[Message<'_>],
    ledger: &mut Ledger,
    report: Report,
) -> Result<(), End> {
    for message in messages {
        message.explain(report);
        for part in &message.parts {
            let outcome = connection.submit(&part.submit_sm());
            ledger.submitted(part, outcome);
            // The SMSC may send receipts already: they are answered in between.
            while receive(connection, ledger, Duration::ZERO)? {}
        }
    }
    Ok(())
}

/// Waits until no receipt is missing, or the time is over.
fn await_receipts(
    connection: &mut Connection<Esme, Stream>,
    ledger: &mut Ledger,
    timeout: Duration,
) -> Result<(), End> {
    ledger.explain_waiting();
    let deadline = Instant::now() + timeout;
    while !ledger.is_complete() {
        let left = deadline.saturating_duration_since(Instant::now());
        if !receive(connection, ledger, left)? {
            ledger.give_up(timeout);
        }
    }
    Ok(())
}

/// Notes what the SMSC delivers, and answers it: what is not answered comes again. Whether something came in
/// time.
fn receive(
    connection: &mut Connection<Esme, Stream>,
    ledger: &mut Ledger,
    timeout: Duration,
) -> Result<bool, End> {
    match connection.recv(Some(timeout))? {
        Some(Inbound::DeliverSm(message)) => {
            ledger.delivered(&message.get());
            connection.accept(message)?;
            Ok(true)
        }
        Some(other) => connection.refuse(other).map(|()| true),
        None => Ok(false),
    }
}

/// Where to bind, trusting whom.
fn target(arguments: &Arguments, report: Report) -> Result<(Account, Connector), Stop> {
    let connector = Connector::new().config(job::config());
    let Some(account) = arguments.account()? else {
        let (address, ca_pem) = smsc::start().map_err(Stop::local)?;
        let trust = tls::ca_pem(ca_pem.as_bytes()).map_err(Stop::local)?;
        let account = Account::local(address.port(), smsc::ACCOUNT, report);
        return Ok((account, connector.tls(trust)));
    };
    match &arguments.ca {
        Some(ca) => Ok((account, connector.tls(tls::ca_file(ca).map_err(Stop::ca)?))),
        None => Ok((account, connector)),
    }
}

/// The error brings its own advice, at the end of its text; here it gets a line of its own.
fn no_connection(error: &ConnectError) -> Stop {
    let theirs = error.kind.advice().unwrap_or_default();
    let text = error.to_string();
    let what = text.strip_suffix(theirs).unwrap_or(&text).trim_end_matches("; ");
    let advice = match &error.kind {
        ConnectErrorKind::Handshake(_, TlsError::Certificate(_)) => {
            "If the server's certificate authority is your own, name its PEM file with --ca; and use the host \
             name that the certificate is for."
        }
        _ => theirs,
    };
    Stop::failed(what, advice)
}
