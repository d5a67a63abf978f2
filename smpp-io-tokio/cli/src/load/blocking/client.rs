//! The ESME that measures, over blocking sockets.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use smpp_proto::session::Esme;
use smpp_proto::{SubmitSm, Tlvs};
use smpp_std::{Client, Connection, Connector, PendingResponse, RequestError, Response, Stream};

use crate::connecting::{Connecting, SESSION_LIMIT};
use crate::failure::Failure;
use crate::load::results::{Ended, Results};
use crate::load::{Arguments, MODE, message};
use crate::options;

/// What the threads share.
struct Load {
    messages: u64,
    /// Messages that a thread has taken.
    taken: AtomicU64,
    /// Messages with an outcome.
    done: AtomicU64,
    text: Vec<u8>,
    to: String,
}

/// How a thread submits.
enum Submitter {
    /// One message at a time, on a session without another thread.
    Alone(Box<Connection<Esme, Stream>>),
    /// One message at a time, on a session that threads share.
    OneByOne(Client),
    /// As many messages in flight as the window allows.
    Pipelined(Client),
}

/// Binds, submits, unbinds, prints the results. Returns whether every message was accepted.
pub(super) fn submit(arguments: &Arguments, url: &str) -> Result<bool, Failure> {
    let endpoint = arguments.endpoint(url)?;
    let connector = Connector::new().config(arguments.config());
    let connector = match options::trust(&endpoint, arguments.ca())? {
        Some(trust) => connector.tls(trust),
        None => connector,
    };
    let bind = options::bind(&endpoint, MODE)?;
    let connecting = Connecting::to(&endpoint, SESSION_LIMIT);
    let mut clients = Vec::new();
    let mut submitters = Vec::new();
    for _ in 0..arguments.connections {
        if arguments.alone {
            let connection = connector.bind(&endpoint, &bind)?;
            submitters.push(Submitter::Alone(Box::new(connection)));
            continue;
        }
        let (client, _) = connector.start(&endpoint)?;
        let bound = client.bind(&bind);
        bound.map_err(|error| Failure::bind(&endpoint, MODE, client.diagnose_bind(&error), error))?;
        match arguments.threads {
            Some(threads) => submitters.extend((0..threads).map(|_| Submitter::OneByOne(client.clone()))),
            None => submitters.push(Submitter::Pipelined(client.clone())),
        }
        clients.push(client);
    }
    drop(connecting);
    let load = Load {
        messages: arguments.messages(),
        taken: AtomicU64::new(0),
        done: AtomicU64::new(0),
        text: message::text(arguments.length),
        to: arguments.to().into(),
    };
    let progress = arguments.progress();
    let start = Instant::now();
    let mut results = Results::new()?;
    let mut ended = Vec::new();
    let took = thread::scope(|scope| {
        let threads: Vec<_> = submitters
            .into_iter()
            .map(|submitter| {
                let load = &load;
                scope.spawn(move || load.run(submitter, arguments.window.into()))
            })
            .collect();
        while !progress.is_hidden() && threads.iter().any(|thread| !thread.is_finished()) {
            progress.set_position(load.done.load(Ordering::Relaxed));
            thread::sleep(Duration::from_millis(100));
        }
        for thread in threads {
            let (counted, end) = thread.join().map_err(|_| Failure::other("a thread has panicked"))??;
            results.add(counted);
            ended.extend(end);
        }
        Ok::<_, Failure>(start.elapsed())
    })?;
    progress.finish_and_clear();
    ended.extend(clients.iter().map(|client| Ended::from(client.unbind())));
    Ok(results.print(arguments.messages(), took, &ended, arguments.json))
}

impl Load {
    /// Submits until no message is left, or the session has ended.
    fn run(&self, submitter: Submitter, window: usize) -> Result<(Results, Option<Ended>), Failure> {
        let mut results = Results::new()?;
        let payload = message::payload(&self.text);
        let message = SubmitSm { tlvs: Tlvs::list(&payload), ..message::submit_sm(&self.text, &self.to) };
        match submitter {
            Submitter::Alone(mut connection) => {
                self.one_by_one(&mut results, || connection.submit(&message));
                return Ok((results, Some(connection.unbind().into())));
            }
            Submitter::OneByOne(client) => self.one_by_one(&mut results, || client.submit(&message)),
            Submitter::Pipelined(client) => self.pipelined(&mut results, &client, &message, window),
        }
        Ok((results, None))
    }

    /// Takes one of the messages that are left. Returns whether there was one.
    fn take(&self) -> bool {
        self.taken.fetch_add(1, Ordering::Relaxed) < self.messages
    }

    fn one_by_one(&self, results: &mut Results, mut submit: impl FnMut() -> Result<Response, RequestError>) {
        let mut submitted = Instant::now();
        while self.take() {
            let outcome = submit();
            let now = Instant::now();
            results.count(&outcome, nanos(now - submitted));
            submitted = now;
            self.done.fetch_add(1, Ordering::Relaxed);
            if matches!(outcome, Err(RequestError::NeverSent(_))) {
                return;
            }
        }
    }

    /// Keeps the window full, and waits for each outcome in turn.
    fn pipelined(&self, results: &mut Results, client: &Client, message: &SubmitSm<'_>, window: usize) {
        let mut in_flight: VecDeque<(PendingResponse<_>, Instant)> = VecDeque::with_capacity(window);
        let mut now = Instant::now();
        let mut has_ended = false;
        loop {
            while !has_ended && in_flight.len() < window && self.take() {
                match client.submit_pipelined(message) {
                    Ok(pending) => in_flight.push_back((pending, now)),
                    Err(error) => {
                        // Those in flight still have their outcomes.
                        results.count(&Err(error), 0);
                        has_ended = true;
                    }
                }
            }
            let Some((pending, submitted)) = in_flight.pop_front() else { return };
            let outcome = pending.wait();
            now = Instant::now();
            results.count(&outcome, nanos(now - submitted));
            self.done.fetch_add(1, Ordering::Relaxed);
        }
    }
}

pub(super) fn nanos(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}
