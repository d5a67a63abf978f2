//! The account that is measured, over tokio.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use smpp_io_tokio::account::{Account, AccountConnector, Sent};
use tokio::task::JoinSet;
use tokio::time;

use super::{INTERVAL, Load, TIMEOUT, is_bound, is_delivered, not_all_bound, segment};
use crate::failure::Failure;
use crate::load::Arguments;
use crate::load::results::Results;
use crate::options;

/// Connects, sends, shuts down, prints the results. Returns whether every message was accepted, and every receipt arrived.
pub(in crate::load) async fn submit(arguments: &Arguments, url: &str) -> Result<bool, Failure> {
    let endpoint = arguments.endpoint(url)?;
    let connector = AccountConnector::new(&endpoint, super::options(arguments));
    let connector = match options::trust(&endpoint, arguments.ca())? {
        Some(trust) => connector.tls(trust),
        None => connector,
    };
    let (account, _) = connector.connect().await.map_err(Failure::other)?;
    let deadline = Instant::now() + TIMEOUT;
    while account.links().iter().filter(|(_, state, _)| is_bound(state)).count()
        < arguments.connections.into()
    {
        if Instant::now() > deadline {
            return Err(not_all_bound());
        }
        time::sleep(INTERVAL).await;
    }
    let load = Arc::new(Load::new(arguments));
    let mut tasks = JoinSet::new();
    for task in 0..arguments.in_flight() {
        let outstanding = arguments.outstanding_of(task);
        tasks.spawn(Arc::clone(&load).run(account.clone(), outstanding, Results::new()?));
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
    let unresolved = account.shutdown(TIMEOUT).await;
    Ok(results.print_account(arguments, took, unresolved.len()))
}

impl Load {
    /// Sends one message at a time until none is left. Waits for the oldest receipt while more than so many are outstanding.
    async fn run(self: Arc<Self>, account: Account, outstanding: usize, mut results: Results) -> Results {
        let mut waiting: VecDeque<(u64, Sent)> = VecDeque::new();
        loop {
            let is_last = !self.take();
            if !is_last {
                let submitted = self.nanos();
                match account.send(&self.message).await {
                    Ok(sent) if self.receipts => waiting.push_back((submitted, sent)),
                    Ok(_) => results.accept(self.nanos() - submitted),
                    Err(error) => results.fail(segment(&error)),
                }
                self.done.fetch_add(1, Ordering::Relaxed);
            }
            while waiting.len() > if is_last { 0 } else { outstanding } {
                if let Some((submitted, mut sent)) = waiting.pop_front() {
                    let state = sent.receipt().await;
                    results.accept_receipt(is_delivered(&state), self.nanos() - submitted);
                }
            }
            if is_last {
                return results;
            }
        }
    }
}
