//! The driving of `smpp send` over tokio.

use smpp_proto::session::{Esme, State};
use smpp_proto::{CommandStatus, DataSmResp, DeliverSmResp};
use smpp_tokio::testing::TestSmsc;
use smpp_tokio::{Client, Connector, End, Inbound, Inbox};
use tokio::sync::watch;
use tokio::time;

use super::message::Message;
use super::tracker::{MAX_WAITING, Tracker, Verdict};
use super::{Arguments, MODE, config, report_bound, report_connected, report_local_smsc};
use crate::connecting::{Connecting, SESSION_LIMIT};
use crate::delivered::Delivered;
use crate::failure::Failure;
use crate::options;
use crate::report::Report;

/// Binds, sends, waits for the receipts, unbinds. Returns whether every message was delivered.
pub(super) async fn send(arguments: &Arguments, report: Report) -> Result<bool, Failure> {
    let texts = arguments.texts();
    let messages = arguments.messages(&texts)?;
    let capture = arguments.capture_file()?;
    let connector = Connector::new().config(config());
    // The SMSC inside this process runs until the end of this function.
    let (_smsc, endpoint, connector) = if let Some(endpoint) = arguments.endpoint()? {
        let connector = match options::trust(&endpoint, arguments.ca.as_deref())? {
            Some(trust) => connector.tls(trust),
            None => connector,
        };
        (None, endpoint, connector)
    } else {
        let smsc = TestSmsc::builder().tls().start().await.map_err(Failure::local_smsc)?;
        let (endpoint, connector) = (smsc.endpoint(), connector.tls(smsc.client_tls()));
        report_local_smsc(report, &endpoint);
        (Some(smsc), endpoint, connector)
    };
    let bind = options::bind(&endpoint, MODE)?;

    let connecting = Connecting::to(&endpoint, SESSION_LIMIT);
    let (client, inbox) = connector.connect(&endpoint).await?;
    report_connected(report, &endpoint);
    client.observe(arguments.observer(&endpoint, capture));
    let response = client.bind(&bind).await;
    let response =
        response.map_err(|error| Failure::bind(&endpoint, MODE, client.diagnose_bind(&error), error))?;
    drop(connecting);
    report_bound(report, &endpoint, &response);

    // Two tasks change the tracker, and this one waits for changes by the other: a `watch` does both, and as it is no
    // queue, receiving never waits for its reader.
    let tracker = watch::Sender::new(Tracker::new(report));
    let mut receiving = tokio::spawn(receive(inbox, tracker.clone()));
    submit(&client, &messages, &tracker, report).await;

    let mut changes = tracker.subscribe();
    let session_ended = tokio::select! {
        biased;
        _ = changes.wait_for(Tracker::is_complete) => false,
        // The task ends only with the session: no more receipts arrive.
        _ = &mut receiving => true,
        () = time::sleep(arguments.timeout()) => {
            tracker.send_modify(|tracker| tracker.give_up(arguments.timeout()));
            false
        }
    };

    let End { reason, error, .. } = client.unbind().await;
    if !session_ended {
        // Receipts that arrived before the end of the session are still reported. The task fails only if it panics.
        let _ = receiving.await;
    }
    let mut result = Ok(false);
    tracker.send_modify(|tracker| result = tracker.ended(reason, error.as_deref()));
    result
}

/// Submits segment after segment, each after the response to the one before. Only the end of the session stops it.
async fn submit(client: &Client, messages: &[Message<'_>], tracker: &watch::Sender<Tracker>, report: Report) {
    for message in messages {
        message.explain(report);
        for segment in &message.segments {
            let outcome = client.submit(&segment.submit_sm()).await;
            tracker.send_modify(|tracker| tracker.submitted(segment, outcome));
            if client.state() == State::Closed {
                return;
            }
        }
    }
    tracker.send_modify(Tracker::all_submitted);
}

/// Accepts the receipts of the messages, and leaves all else at the SMSC. Ends with the session.
async fn receive(mut inbox: Inbox<Esme>, tracker: watch::Sender<Tracker>) {
    let mut changes = tracker.subscribe();
    // The session limits how many there are.
    let mut waiting = Vec::new();
    loop {
        tokio::select! {
            inbound = inbox.recv() => match inbound {
                Some(message @ (Inbound::DeliverSm(_) | Inbound::DataSm(_))) => waiting.push(message),
                // It is refused.
                Some(_) => continue,
                None => return,
            },
            // A segment has been submitted.
            _ = changes.changed(), if !waiting.is_empty() => {}
        }
        changes.mark_unchanged();
        for message in std::mem::take(&mut waiting) {
            let mut verdict = Verdict::Wait;
            tracker.send_if_modified(|tracker| {
                verdict = match &message {
                    Inbound::DeliverSm(message) => tracker.delivered(&Delivered::from(&message.get())),
                    Inbound::DataSm(message) => tracker.delivered(&Delivered::from(&message.get())),
                    _ => Verdict::LeaveAtSmsc,
                };
                verdict == Verdict::Accept
            });
            match verdict.result() {
                Some(result) => respond(message, result),
                None => waiting.push(message),
            }
        }
        let surplus = waiting.len().saturating_sub(MAX_WAITING);
        for message in waiting.drain(..surplus) {
            respond(message, Err(CommandStatus::RX_T_APPN));
        }
    }
}

/// Responds to a receipt or message. If the session has ended, the SMSC redelivers it.
fn respond(inbound: Inbound<Esme>, result: Result<(), CommandStatus>) {
    let _ = match inbound {
        Inbound::DeliverSm(message) => message.respond(result.map(|()| DeliverSmResp::default())),
        Inbound::DataSm(message) => message.respond(result.map(|()| DataSmResp::default())),
        _ => Ok(()),
    };
}
