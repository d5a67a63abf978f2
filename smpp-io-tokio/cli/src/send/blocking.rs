//! The driving of `smpp send --blocking`: blocking sockets, one thread.

use std::time::{Duration, Instant};

use smpp_proto::session::Esme;
use smpp_proto::{CommandStatus, DataSmResp, DeliverSmResp};
use smpp_std::testing::TestSmsc;
use smpp_std::{Connection, Connector, End, Inbound, Stream};

use super::message::Message;
use super::tracker::{MAX_WAITING, Tracker, Verdict};
use super::{Arguments, MODE, config, report_bound, report_connected, report_local_smsc};
use crate::connecting::{Connecting, SESSION_LIMIT};
use crate::delivered::Delivered;
use crate::failure::Failure;
use crate::options;
use crate::report::Report;

/// Binds, sends, waits for the receipts, unbinds. Returns whether every message was delivered.
pub(super) fn send(arguments: &Arguments, report: Report) -> Result<bool, Failure> {
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
        let smsc = TestSmsc::builder().tls().start().map_err(Failure::local_smsc)?;
        let (endpoint, connector) = (smsc.endpoint(), connector.tls(smsc.client_tls()));
        report_local_smsc(report, &endpoint);
        (Some(smsc), endpoint, connector)
    };
    let bind = options::bind(&endpoint, MODE)?;

    let connecting = Connecting::to(&endpoint, SESSION_LIMIT);
    let mut connection = connector.connect(&endpoint)?;
    report_connected(report, &endpoint);
    connection.observe(arguments.observer(&endpoint, capture));
    let response = connection
        .bind(&bind)
        .map_err(|error| Failure::bind(&endpoint, MODE, connection.diagnose_bind(&error), error))?;
    drop(connecting);
    report_bound(report, &endpoint, &response);

    let (mut tracker, mut waiting) = (Tracker::new(report), Vec::new());
    let exchanged = submit(&mut connection, &messages, &mut tracker, &mut waiting, report)
        .and_then(|()| await_receipts(&mut connection, &mut tracker, &mut waiting, arguments.timeout()));
    let End { reason, error, .. } = match exchanged {
        Ok(()) => connection.unbind(),
        Err(end) => end,
    };
    tracker.ended(reason, error.as_deref())
}

/// Submits segment after segment, each after the response to the one before. Only the end of the session stops it.
fn submit(
    connection: &mut Connection<Esme, Stream>,
    messages: &[Message<'_>],
    tracker: &mut Tracker,
    waiting: &mut Waiting,
    report: Report,
) -> Result<(), End> {
    for message in messages {
        message.explain(report);
        for segment in &message.segments {
            let outcome = connection.submit(&segment.submit_sm());
            tracker.submitted(segment, outcome);
            // Receipts that have arrived are acknowledged before the next segment is submitted.
            while receive(connection, waiting, Duration::ZERO)? {}
            respond(connection, tracker, waiting)?;
        }
    }
    tracker.all_submitted();
    respond(connection, tracker, waiting)
}

/// Waits until no receipt is pending, or the timeout expires.
fn await_receipts(
    connection: &mut Connection<Esme, Stream>,
    tracker: &mut Tracker,
    waiting: &mut Waiting,
    timeout: Duration,
) -> Result<(), End> {
    let deadline = Instant::now() + timeout;
    while !tracker.is_complete() {
        let left = deadline.saturating_duration_since(Instant::now());
        if !receive(connection, waiting, left)? {
            tracker.give_up(timeout);
        }
        respond(connection, tracker, waiting)?;
    }
    Ok(())
}

/// What the SMSC has delivered without a response. The session limits how many there are.
type Waiting = Vec<Inbound>;

/// Receives one message or receipt. Returns whether one arrived in time.
fn receive(
    connection: &mut Connection<Esme, Stream>,
    waiting: &mut Waiting,
    timeout: Duration,
) -> Result<bool, End> {
    match connection.recv(Some(timeout))? {
        Some(message @ (Inbound::DeliverSm(_) | Inbound::DataSm(_))) => waiting.push(message),
        Some(other) => connection.refuse(other)?,
        None => return Ok(false),
    }
    Ok(true)
}

/// Accepts the receipts of the messages, and leaves all else at the SMSC.
fn respond(
    connection: &mut Connection<Esme, Stream>,
    tracker: &mut Tracker,
    waiting: &mut Waiting,
) -> Result<(), End> {
    for message in std::mem::take(waiting) {
        let verdict = match &message {
            Inbound::DeliverSm(message) => tracker.delivered(&Delivered::from(&message.get())),
            Inbound::DataSm(message) => tracker.delivered(&Delivered::from(&message.get())),
            _ => Verdict::LeaveAtSmsc,
        };
        match verdict.result() {
            Some(result) => respond_to(connection, message, result)?,
            None => waiting.push(message),
        }
    }
    let surplus = waiting.len().saturating_sub(MAX_WAITING);
    for message in waiting.drain(..surplus) {
        respond_to(connection, message, Err(CommandStatus::RX_T_APPN))?;
    }
    Ok(())
}

fn respond_to(
    connection: &mut Connection<Esme, Stream>,
    inbound: Inbound,
    result: Result<(), CommandStatus>,
) -> Result<(), End> {
    match inbound {
        Inbound::DeliverSm(message) => connection.respond(message, result.map(|()| DeliverSmResp::default())),
        Inbound::DataSm(message) => connection.respond(message, result.map(|()| DataSmResp::default())),
        other => connection.refuse(other),
    }
}
