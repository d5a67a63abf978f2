//! The account that is measured, over blocking sockets.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use smpp_std::account::{Account, AccountConnector, Sent, Ticket};

use super::{INTERVAL, Load, TIMEOUT, is_bound, is_delivered, not_all_bound, segment};
use crate::connecting::{ACCOUNT_LIMIT, Connecting};
use crate::failure::Failure;
use crate::load::Arguments;
use crate::load::results::Results;
use crate::options;

/// Connects, sends, shuts down, prints the results. Returns whether every message was accepted, and every receipt arrived.
pub(in crate::load) fn submit(arguments: &Arguments, url: &str) -> Result<bool, Failure> {
    let endpoint = arguments.endpoint(url)?;
    let connector = AccountConnector::new(&endpoint, super::options(arguments));
    let connector = match options::trust(&endpoint, arguments.ca())? {
        Some(trust) => connector.tls(trust),
        None => connector,
    };
    let connecting = Connecting::to(&endpoint, ACCOUNT_LIMIT);
    let (account, _) = connector.connect().map_err(Failure::other)?;
    drop(connecting);
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let bound = account.links().iter().filter(|(_, state, _)| is_bound(state)).count();
        if bound >= arguments.connections.into() {
            break;
        }
        if Instant::now() > deadline {
            return Err(not_all_bound(bound, arguments));
        }
        thread::sleep(INTERVAL);
    }
    // Without --threads one thread keeps all windows full.
    let (threads, in_flight) = match arguments.threads {
        Some(_) => (arguments.in_flight(), 1),
        None => (1, arguments.in_flight()),
    };
    let load = Load::new(arguments);
    let progress = arguments.progress();
    let mut results = Results::new()?;
    thread::scope(|scope| {
        let mut running = Vec::new();
        for thread in 0..threads {
            let outstanding =
                if threads == 1 { arguments.outstanding } else { arguments.outstanding_of(thread) };
            let (load, account, results) = (&load, &account, Results::new()?);
            running.push(scope.spawn(move || load.run_blocking(account, in_flight, outstanding, results)));
        }
        while !progress.is_hidden() && running.iter().any(|thread| !thread.is_finished()) {
            progress.set_position(load.done.load(Ordering::Relaxed));
            thread::sleep(Duration::from_millis(100));
        }
        for thread in running {
            results.add(thread.join().map_err(|_| Failure::other("a thread has panicked"))?);
        }
        Ok::<_, Failure>(())
    })?;
    let took = load.start.elapsed();
    progress.finish_and_clear();
    let unresolved = account.shutdown(TIMEOUT);
    Ok(results.print_account(arguments, took, unresolved.len()))
}

impl Load {
    /// Keeps so many messages in flight until none is left, and waits for the oldest receipt while more than so many are
    /// outstanding.
    fn run_blocking(
        &self,
        account: &Account,
        in_flight: usize,
        outstanding: usize,
        mut results: Results,
    ) -> Results {
        let mut submitted: VecDeque<(u64, Ticket)> = VecDeque::new();
        let mut waiting: VecDeque<(u64, Sent)> = VecDeque::new();
        loop {
            while submitted.len() < in_flight && self.take() {
                match account.submit(&self.message) {
                    Ok(ticket) => submitted.push_back((self.nanos(), ticket)),
                    Err(_) => results.fail(None),
                }
            }
            let next = submitted.pop_front();
            let is_last = next.is_none();
            if let Some((at, ticket)) = next {
                match ticket.outcome() {
                    Ok(sent) if self.receipts => waiting.push_back((at, sent)),
                    Ok(_) => results.accept(self.nanos() - at),
                    Err(error) => results.fail(segment(&error)),
                }
                self.done.fetch_add(1, Ordering::Relaxed);
            }
            while waiting.len() > if is_last { 0 } else { outstanding } {
                if let Some((at, mut sent)) = waiting.pop_front() {
                    let state = sent.receipt();
                    results.accept_receipt(is_delivered(state), self.nanos() - at);
                }
            }
            if is_last {
                return results;
            }
        }
    }
}
