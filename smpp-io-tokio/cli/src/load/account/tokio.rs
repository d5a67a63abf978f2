//! The account that is measured, over tokio.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use smpp_tokio::account::{Account, AccountConnector, Sent};
use tokio::task::JoinSet;
use tokio::time;

use super::{INTERVAL, Load, TIMEOUT, is_bound, is_delivered, not_all_bound, segment};
use crate::connecting::{ACCOUNT_LIMIT, Connecting};
use crate::failure::Failure;
use crate::load::Arguments;
use crate::load::results::Results;
use crate::options;

/// The results that tasks share: results for each of a hundred thousand tasks would take more memory than the account.
const SHARED_RESULTS: usize = 64;

/// Connects, sends, shuts down, prints the results. Returns whether every message was accepted, and every receipt arrived.
pub(in crate::load) async fn submit(arguments: &Arguments, url: &str) -> Result<bool, Failure> {
    let endpoint = arguments.endpoint(url)?;
    let connector = AccountConnector::new(&endpoint, super::options(arguments));
    let connector = match options::trust(&endpoint, arguments.ca())? {
        Some(trust) => connector.tls(trust),
        None => connector,
    };
    let connecting = Connecting::to(&endpoint, ACCOUNT_LIMIT);
    let (account, _) = connector.connect().await.map_err(Failure::other)?;
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
        time::sleep(INTERVAL).await;
    }
    let load = Arc::new(Load::new(arguments));
    let mut tasks = JoinSet::new();
    let mut shared = Vec::new();
    for _ in 0..SHARED_RESULTS.min(arguments.in_flight()) {
        shared.push(Arc::new(Mutex::new(Results::new()?)));
    }
    for (task, results) in (0..arguments.in_flight()).zip(shared.iter().cycle()) {
        let outstanding = arguments.outstanding_of(task);
        tasks.spawn(Arc::clone(&load).run(account.clone(), outstanding, Arc::clone(results)));
    }
    let progress = arguments.progress();
    let mut tick = time::interval(Duration::from_millis(100));
    while !tasks.is_empty() {
        tokio::select! {
            _ = tick.tick() => progress.set_position(load.done.load(Ordering::Relaxed)),
            Some(_) = tasks.join_next() => {}
        }
    }
    let took = load.start.elapsed();
    progress.finish_and_clear();
    let unresolved = account.shutdown(TIMEOUT).await;
    let mut results = Results::new()?;
    for shared in shared.into_iter().filter_map(Arc::into_inner) {
        results.add(shared.into_inner().unwrap_or_else(PoisonError::into_inner));
    }
    Ok(results.print_account(arguments, took, unresolved.len()))
}

impl Load {
    /// Sends one message at a time until none is left. Waits for the oldest receipt while more than so many are outstanding.
    async fn run(self: Arc<Self>, account: Account, outstanding: usize, results: Arc<Mutex<Results>>) {
        let results = || results.lock().unwrap_or_else(PoisonError::into_inner);
        let mut waiting: VecDeque<(u64, Sent)> = VecDeque::new();
        loop {
            let is_last = !self.take();
            if !is_last {
                let submitted = self.nanos();
                match account.send(&self.message).await {
                    Ok(sent) if self.receipts => waiting.push_back((submitted, sent)),
                    Ok(_) => results().accept(self.nanos() - submitted),
                    Err(error) => results().fail(segment(&error)),
                }
                self.done.fetch_add(1, Ordering::Relaxed);
            }
            while waiting.len() > if is_last { 0 } else { outstanding } {
                if let Some((submitted, mut sent)) = waiting.pop_front() {
                    let state = sent.receipt().await;
                    results().accept_receipt(is_delivered(state), self.nanos() - submitted);
                }
            }
            if is_last {
                return;
            }
        }
    }
}
