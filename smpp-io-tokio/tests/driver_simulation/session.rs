//! Scenarios of a single session.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use smpp_proto::session::{Esme, UnansweredReason};
use smpp_proto::{Bind, CommandId, SubmitSm};
use smpp_tokio::{Connector, Inbound, Inbox, RequestError};
use tokio::time::{Instant, sleep, timeout};

use crate::account::config;
use crate::checks::Connection;
use crate::network::{Faults, connection};
use crate::rng::Rng;
use crate::smsc::{Behaviour, serve};

pub(crate) async fn run(mut rng: Rng) {
    let config = config(&mut rng);
    let behaviour = Behaviour { silent_binds: 0, ..Behaviour::new(&mut rng) };
    let connection_log = Connection::default();
    let faults = Faults::new(&mut rng, true);
    let (near, far) = connection(&faults, &connection_log.trace);
    tokio::spawn(serve(far, config, behaviour, rng.fork()));
    let near = Arc::new(Mutex::new(Some(near)));
    let connector = Connector::new().config(config).dial(move |_| {
        let near = near.lock().unwrap().take().unwrap();
        async { Ok(near) }
    });
    let (client, inbox) = connector.connect(&"smpp://192.0.2.1".parse().unwrap()).await.unwrap();
    client.observe(connection_log.clone());
    let bound = client.bind(&Bind::default()).await.is_ok();
    let serving = tokio::spawn(receive(inbox, rng.fork()));
    let mut sending = Vec::new();
    for _ in 0..=rng.below(20) {
        let (client, log, mut rng) = (client.clone(), connection_log.clone(), rng.fork());
        sending.push(tokio::spawn(async move {
            sleep(rng.millis(60_000)).await;
            let outcome = if rng.percent(10) {
                // The caller gives up.
                let Ok(outcome) = timeout(rng.millis(5_000), client.submit(&SubmitSm::default())).await
                else {
                    return;
                };
                outcome
            } else {
                client.submit(&SubmitSm::default()).await
            };
            if let Err(RequestError::Unanswered(UnansweredReason::Timeout)) = outcome {
                let sent = Instant::now().checked_sub(config.response_timeout).unwrap();
                assert!(log.sent(CommandId::SUBMIT_SM, sent), "a request timed out at the wrong time");
            }
        }));
    }
    sleep(rng.millis(90_000)).await;
    let shutdown = Instant::now();
    // Draining, then the response to unbind; after an unbind of the SMSC also the last octets.
    let phases = if behaviour.unbinds { 2 } else { 1 };
    let limit = config.drain_timeout + config.response_timeout * phases + Duration::from_millis(1);
    let end = timeout(limit, client.unbind()).await.expect("the shutdown takes too long");
    for sending in sending {
        // Those that are not submitted yet are refused.
        sending.await.unwrap();
    }
    drop(client);
    serving.await.unwrap();
    if bound {
        connection_log.check(&config, shutdown);
    }
    let _ = end;
}

/// Acknowledges the deliveries, some of them late.
async fn receive(mut inbox: Inbox<Esme>, mut rng: Rng) {
    while let Some(inbound) = inbox.recv().await {
        if rng.percent(20) {
            sleep(rng.millis(3_000)).await;
        }
        if let Inbound::DeliverSm(message) = inbound {
            let _ = message.accept();
        }
    }
}
