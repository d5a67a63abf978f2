//! Sends messages over SMPP and waits for their delivery receipts.
//!
//! Without arguments it starts an SMSC of its own, which follows 8x8's rules, and sends it three messages:
//!
//! ```text
//! cargo run --release --example send
//! ```
//!
//! Against a real SMSC, the password in `SMPP_PASSWORD`:
//!
//! ```text
//! cargo run --release --example send -- \
//!     --url smpps://SYSTEM_ID@smpp.8x8.com:2776 --from 8x8 --to 6591234567 --text "Hello"
//! ```

#[path = "../support/embedded.rs"]
mod embedded;
#[path = "../support/job.rs"]
mod job;

use std::process::ExitCode;

use clap::Parser;
use smpp_core::session::{Esme, State};
use smpp_io_tokio::{Client, ConnectError, Connector, End, Inbound, Inbox, TlsError, tls};
use tokio::sync::watch;
use tokio::time;

use job::{Account, Arguments, Ledger, Message, Report, Stop};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let report = arguments.report();
    match run(&arguments, report).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(stop) => {
            report.stop(&stop);
            stop.status.into()
        }
    }
}

/// Binds, sends, waits, unbinds. Whether all went well.
async fn run(arguments: &Arguments, report: Report) -> Result<bool, Stop> {
    let texts = arguments.texts();
    let messages = arguments.messages(&texts)?;
    let (account, connector) = target(arguments, report).await?;
    let bind = account.bind()?;

    let (client, inbox) =
        connector.connect(&account.endpoint).await.map_err(|error| no_connection(&error))?;
    report.connected(&account);
    client.observe(arguments.observer(&account)?);
    let answer = client.bind(&bind).await.map_err(|error| Stop::bind(&error))?;
    report.bound(&account, &answer);

    // Two tasks write into the ledger, and this one waits for what the other writes: a `watch` does both, and
    // as it is no queue, receipts never have to wait for anyone.
    let ledger = watch::Sender::new(Ledger::new(report));
    let mut receiving = tokio::spawn(receive(inbox, ledger.clone()));
    submit(&client, &messages, &ledger, report).await;

    let mut changes = ledger.subscribe();
    let received = tokio::select! {
        biased;
        _ = changes.wait_for(Ledger::is_complete) => false,
        // Only the end of the session ends it: nothing comes any more.
        _ = &mut receiving => true,
        () = time::sleep(arguments.timeout()) => {
            ledger.send_modify(|ledger| ledger.give_up(arguments.timeout()));
            false
        }
    };

    let End { reason, error } = client.unbind().await;
    if !received {
        // What came before the end of the session is still told. The task cannot have failed but by a panic.
        let _ = receiving.await;
    }
    let mut result = Ok(false);
    ledger.send_modify(|ledger| result = ledger.ended(reason, error.as_deref()));
    result
}

/// Submits part after part, each once the one before is answered. Only the end of the session stops it.
async fn submit(client: &Client, messages: &[Message<'_>], ledger: &watch::Sender<Ledger>, report: Report) {
    for message in messages {
        message.explain(report);
        for part in &message.parts {
            let outcome = client.submit(&part.submit_sm()).await;
            ledger.send_modify(|ledger| ledger.submitted(part, outcome));
            if client.state() == State::Closed {
                return;
            }
        }
    }
    ledger.borrow().explain_waiting();
}

/// Notes what the SMSC delivers, and answers it: what is not answered comes again.
async fn receive(mut inbox: Inbox<Esme>, ledger: watch::Sender<Ledger>) {
    while let Some(inbound) = inbox.recv().await {
        let Inbound::DeliverSm(message) = inbound else { continue };
        ledger.send_modify(|ledger| ledger.delivered(&message.get()));
        // If the session has ended meanwhile, the SMSC keeps the message and sends it again.
        let _ = message.accept();
    }
}

/// Where to bind, trusting whom.
async fn target(arguments: &Arguments, report: Report) -> Result<(Account, Connector), Stop> {
    let connector = Connector::new().config(job::config());
    let Some(account) = arguments.account()? else {
        let smsc = embedded::start().await.map_err(Stop::local)?;
        let trust = tls::client(smsc.roots).map_err(Stop::local)?;
        let account = Account::local(smsc.address.port(), embedded::ACCOUNT, report);
        return Ok((account, connector.tls(trust)));
    };
    match &arguments.ca {
        Some(ca) => Ok((account, connector.tls(tls::ca_file(ca).map_err(Stop::ca)?))),
        None => Ok((account, connector)),
    }
}

fn no_connection(error: &ConnectError) -> Stop {
    let advice = match error {
        ConnectError::Resolve { .. } => "Check the host name, and that this machine can resolve names.",
        ConnectError::Connect { .. } => {
            "Check host and port (2775 plain, 2776 TLS) and that no firewall is in the way."
        }
        ConnectError::Tls { error: TlsError::Certificate(_), .. } => {
            "If the server's certificate authority is your own, name its PEM file with --ca; and use the host \
             name that the certificate is for."
        }
        ConnectError::Tls { .. } => "Check that the port speaks TLS (2776 at 8x8); smpp:// is without TLS.",
        _ => "Check that the port speaks TLS, and that your address is on the provider's allow-list.",
    };
    Stop::failed(error, advice)
}
