//! The ESME that measures, over tokio.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use smpp_proto::session::NotSentReason;
use smpp_proto::{Endpoint, SubmitSm, Tlvs};
use smpp_tokio::{Client, Connector, RequestError, Response};
use tokio::task::JoinSet;
use tokio::time;

use super::results::{Ended, Results};
use super::{Arguments, MODE, message};
use crate::connecting::{Connecting, SESSION_LIMIT};
use crate::failure::Failure;
use crate::options;

/// Messages that one task has in flight. With fewer, tasks cost more than the messages; with more, a task that is woken
/// for one outcome polls many other messages.
const IN_FLIGHT_PER_TASK: usize = 16;

/// The messages, and what the tasks share.
struct Load {
    /// Messages that no task has submitted yet.
    left: AtomicI64,
    text: Vec<u8>,
    to: String,
    /// Messages with an outcome.
    done: AtomicU64,
    start: Instant,
}

/// Binds, submits, unbinds, prints the results. Returns whether every message was accepted.
pub(super) async fn submit(arguments: &Arguments, url: &str) -> Result<bool, Failure> {
    let endpoint = arguments.endpoint(url)?;
    let connector = Connector::new().config(arguments.config());
    let connector = match options::trust(&endpoint, arguments.ca())? {
        Some(trust) => connector.tls(trust),
        None => connector,
    };
    let connecting = Connecting::to(&endpoint, SESSION_LIMIT);
    let mut clients = Vec::new();
    for _ in 0..arguments.connections {
        clients.push(bound(&connector, &endpoint).await?);
    }
    drop(connecting);
    let load = Arc::new(Load {
        left: AtomicI64::new(arguments.messages().cast_signed()),
        text: message::text(arguments.length),
        to: arguments.to().into(),
        done: AtomicU64::new(0),
        start: Instant::now(),
    });
    let mut tasks = JoinSet::new();
    for client in &clients {
        for first in (0..usize::from(arguments.window)).step_by(IN_FLIGHT_PER_TASK) {
            let in_flight = IN_FLIGHT_PER_TASK.min(usize::from(arguments.window) - first);
            tasks.spawn(Arc::clone(&load).run(client.clone(), in_flight, Results::new()?));
        }
    }
    let progress = arguments.progress();
    let mut tick = time::interval(Duration::from_millis(100));
    let mut results = Results::new()?;
    while !tasks.is_empty() {
        tokio::select! {
            _ = tick.tick() => progress.set_position(load.done.load(Ordering::Relaxed)),
            Some(Ok(task)) = tasks.join_next() => results.add(task),
        }
    }
    let took = load.start.elapsed();
    progress.finish_and_clear();
    let mut ended = Vec::new();
    for client in &clients {
        ended.push(Ended::from(client.unbind().await));
    }
    Ok(results.print(arguments.messages(), took, &ended, arguments.json))
}

impl Load {
    /// Keeps so many messages in flight until none is left, or the session has ended. Each slot submits one message after
    /// another and awaits each.
    async fn run(self: Arc<Self>, client: Client, in_flight: usize, mut results: Results) -> Results {
        let payload = message::payload(&self.text);
        let message = SubmitSm { tlvs: Tlvs::list(&payload), ..message::submit_sm(&self.text, &self.to) };
        // `None`: the slot has ended.
        let mut slots: Vec<_> = (0..in_flight)
            .map(|_| self.take().then(|| (self.nanos(), Box::pin(client.submit(&message)))))
            .collect();
        poll_fn(|cx| {
            // All outcomes of one poll arrived at the same time.
            let (now, before) = (self.nanos(), results.total());
            for slot in &mut slots {
                while let Some((submitted, submission)) = slot {
                    let Poll::Ready(outcome) = submission.as_mut().poll(cx) else { break };
                    results.count(&outcome, now - *submitted);
                    if is_over(&outcome) || !self.take() {
                        *slot = None;
                        break;
                    }
                    *submitted = now;
                    submission.set(client.submit(&message));
                }
            }
            self.done.fetch_add(results.total() - before, Ordering::Relaxed);
            if slots.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        results
    }

    /// Returns the nanoseconds since the start.
    fn nanos(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// Takes one of the messages that are left. Returns whether there was one.
    fn take(&self) -> bool {
        self.left.fetch_sub(1, Ordering::Relaxed) > 0
    }
}

/// Returns whether the session accepts no more requests.
fn is_over(outcome: &Result<Response, RequestError>) -> bool {
    use NotSentReason::{Closed, Closing, State};
    matches!(outcome, Err(RequestError::NeverSent(Closed(_) | Closing(_) | State(_))))
}

/// Connects and binds. Deliveries are refused, because the inbox is dropped: the SMSC keeps them.
async fn bound(connector: &Connector, endpoint: &Endpoint) -> Result<Client, Failure> {
    let bind = options::bind(endpoint, MODE)?;
    let (client, _) = connector.connect(endpoint).await?;
    let bound = client.bind(&bind).await;
    bound.map_err(|error| Failure::bind(endpoint, MODE, client.diagnose_bind(&error), error))?;
    Ok(client)
}
