//! Explores schedules of the threads of one session, and of an account: the sources of the crate, compiled with the locks
//! and threads of shuttle, over a connection in memory. A lost wake-up is a deadlock, which the explorer reports with the schedule.
//!
//! The schedules are random. The seed is printed; `SMPP_SCHEDULES_SEED` sets it, `SMPP_SCHEDULES` the number of schedules of
//! each scenario, `SMPP_SCHEDULES_OF` a part of the names of the scenarios to run.
#![allow(dead_code, unreachable_pub, unused_imports, missing_docs, clippy::pedantic, clippy::nursery)]
#![allow(rustdoc::broken_intra_doc_links)]

#[path = "../../src/account/mod.rs"]
mod account;
mod account_scenarios;
#[path = "../../src/background.rs"]
mod background;
#[path = "../../src/buffer.rs"]
mod buffer;
#[path = "../../src/dial.rs"]
mod dial;
#[path = "../../src/end_request.rs"]
mod end_request;
#[path = "../../src/error.rs"]
mod error;
#[path = "../../src/halves.rs"]
mod halves;
#[path = "../../src/handle.rs"]
mod handle;
#[path = "../../src/handle_route.rs"]
mod handle_route;
#[path = "../../src/inbound.rs"]
mod inbound;
#[path = "../../src/inbox.rs"]
mod inbox;
mod one_core;
#[path = "../../src/pending_requests.rs"]
mod pending_requests;
#[path = "../../src/pending_response.rs"]
mod pending_response;
mod pipe;
mod scenarios;
#[path = "../../src/session_hook.rs"]
mod session_hook;
#[path = "../../src/session_state.rs"]
mod session_state;
#[path = "../../src/shared.rs"]
mod shared;
#[path = "../../src/start.rs"]
mod start;
#[path = "../../src/stream.rs"]
mod stream;
mod sync;
#[path = "../../src/tls.rs"]
mod tls;
#[path = "../../src/tls_stream.rs"]
mod tls_stream;
#[path = "../../src/transport.rs"]
mod transport;
#[path = "../../src/waiter.rs"]
mod waiter;
#[path = "../../src/waiting_threads.rs"]
mod waiting_threads;

use shuttle::Runner;
use shuttle::scheduler::RandomScheduler;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// An account needs more than the small stack that the explorer gives each thread.
fn config() -> shuttle::Config {
    let mut config = shuttle::Config::new();
    config.stack_size = 256 << 10;
    config
}

/// Checks how many system calls the parks and wake-ups of many threads cost that take turns.
fn system_calls() {
    static MESSAGES: AtomicUsize = AtomicUsize::new(0);
    let count = || _ = MESSAGES.fetch_add(scenarios::many_waiting_threads(), Relaxed);
    Runner::new(one_core::OneCore::new(), config()).run(count);
    let calls = sync::thread::SYSTEM_CALLS.load(Relaxed);
    let messages = MESSAGES.load(Relaxed);
    println!("{calls} system calls of {messages} messages");
    assert!(10 * calls <= messages, "{calls} system calls of {messages} messages");
}

fn main() {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64);
    let seed = number("SMPP_SCHEDULES_SEED").unwrap_or(clock);
    let schedules = number("SMPP_SCHEDULES").unwrap_or(200) as usize;
    println!("SMPP_SCHEDULES_SEED={seed}, {schedules} schedules of each scenario");
    let only = std::env::var("SMPP_SCHEDULES_OF").unwrap_or_default();
    if "system calls".contains(&only) {
        system_calls();
    }
    let all = scenarios::ALL.into_iter().chain(account_scenarios::ALL);
    let left = Mutex::new(all.filter(|(name, _)| name.contains(&only)));
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
    std::thread::scope(|scope| {
        for _ in 0..available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((name, scenario)) = next() {
                    let began = Instant::now();
                    println!("schedules of {name} ...");
                    Runner::new(RandomScheduler::new_from_seed(seed, schedules), config()).run(scenario);
                    println!("schedules of {name} ... ok, {:.1?}", began.elapsed());
                }
            });
        }
    });
}
