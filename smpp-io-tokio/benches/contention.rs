//! What it costs to wait for a place: more tasks than the window has places, on two threads, on the machine as it is and
//! beside two busy processes; and the cost of giving up one of 100,000 waiting requests.
//!
//! `cargo bench -p smpp-tokio --bench contention`; with `-- --test` a short run without busy processes. It prints for each
//! message the polls of its future and the allocations of both sides, the throughput, and the fairness: the messages of the
//! task that sent the fewest, as a share of the one that sent the most.
#![allow(clippy::cast_precision_loss, reason = "the figures are printed with few digits")]

use std::alloc::System;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::io::Read;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use smpp_proto::account::{Binds, Credentials, Message, Options};
use smpp_proto::provider::Provider;
use smpp_proto::session::{Config, Esme, Request};
use smpp_proto::{Address, Bind, COctets, Endpoint, ShortMessage, SubmitSm, SubmitSmResp};
use smpp_tokio::account::AccountConnector;
use smpp_tokio::{Client, Connector, Listener, Peer, start};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::runtime::Builder;
use tokio::task::JoinHandle;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Places in the window, and tasks that share them. Each task awaits one submit_sm after another.
const SESSIONS: [(u16, u32); 5] = [(16, 16), (16, 17), (64, 65), (64, 100), (64, 10_000)];

/// Places in the queue of an account, and tasks that share them. Each task awaits `send` for one message after another.
const ACCOUNTS: [(usize, u32); 2] = [(64, 65), (64, 1_000)];

/// Requests that are given up, and how many of them between two looks at the clock.
const WAITING: usize = 100_000;
const DROPPED_AT_ONCE: usize = 100;

fn main() -> Result<()> {
    let argument = std::env::args().nth(1);
    match argument.as_deref() {
        Some("spin") => spin(),
        Some("--test") => measure(Duration::from_millis(50), "as is", 1_000)?,
        // The arguments of `cargo bench`.
        _ => {
            measure(Duration::from_secs(3), "as is", WAITING)?;
            let _busy = [Busy::start()?, Busy::start()?];
            measure(Duration::from_secs(3), "busy", WAITING)?;
        }
    }
    Ok(())
}

fn measure(duration: Duration, load: &str, waiting: usize) -> Result<()> {
    println!(
        "{load:<6} {:<26} {:>12} {:>12} {:>14} {:>10}",
        "", "polls/msg", "allocs/msg", "messages/s", "fairness"
    );
    for (window, tasks) in SESSIONS {
        let figures = run(tasks, duration, |count| submit_to_session(window, tasks, count))?;
        println!("{load:<6} {:<26} {figures}", format!("window {window}, {tasks} tasks"));
    }
    for (queue, tasks) in ACCOUNTS {
        let figures = run(tasks, duration, |count| send_to_account(queue, tasks, count))?;
        println!("{load:<6} {:<26} {figures}", format!("account {queue}, {tasks} tasks"));
    }
    let each = give_up(waiting)?;
    println!(
        "{load:<6} giving up each of {waiting} waiting requests, in random order: {} ns",
        each.as_nanos()
    );
    Ok(())
}

/// A process that keeps one core busy until it is dropped, or until this process ends.
struct Busy(Child);

impl Busy {
    fn start() -> Result<Self> {
        Ok(Self(Command::new(std::env::current_exe()?).arg("spin").stdin(Stdio::piped()).spawn()?))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        // It fails only if the process has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Spins until standard input is closed.
fn spin() {
    let is_over = Arc::new(AtomicBool::new(false));
    let spinner = std::thread::spawn({
        let is_over = Arc::clone(&is_over);
        move || while !is_over.load(Ordering::Relaxed) {}
    });
    let _ = std::io::stdin().read(&mut [0]);
    is_over.store(true, Ordering::Relaxed);
    let _ = spinner.join();
}

/// What the tasks count together.
#[derive(Default)]
struct Counts {
    polls: AtomicU64,
    messages: AtomicU64,
    is_over: AtomicBool,
}

/// Counts the polls of a future.
struct Counted<'c, F> {
    future: Pin<Box<F>>,
    counts: &'c Counts,
}

impl<F: Future> Future for Counted<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.counts.polls.fetch_add(1, Ordering::Relaxed);
        self.future.as_mut().poll(cx)
    }
}

/// Runs the tasks that `start` starts for this long, and returns the figures.
fn run<F>(tasks: u32, duration: Duration, start: impl FnOnce(Arc<Counts>) -> F) -> Result<String>
where
    F: Future<Output = Result<Vec<JoinHandle<Result<u64>>>>>,
{
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let counts = Arc::new(Counts::default());
        let handles = start(Arc::clone(&counts)).await?;
        // Every task has had a turn, and the buffers have grown.
        while counts.messages.load(Ordering::Relaxed) < u64::from(tasks) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let figures = || {
            let allocations = ALLOCATOR.stats().allocations + ALLOCATOR.stats().reallocations;
            (counts.polls.load(Ordering::Relaxed), allocations, counts.messages.load(Ordering::Relaxed))
        };
        let (before, start) = (figures(), Instant::now());
        tokio::time::sleep(duration).await;
        let (after, elapsed) = (figures(), start.elapsed());
        counts.is_over.store(true, Ordering::Relaxed);
        let (mut fewest, mut most) = (u64::MAX, 0);
        for handle in handles {
            let sent = handle.await??;
            (fewest, most) = (fewest.min(sent), most.max(sent));
        }
        let messages = (after.2 - before.2).max(1) as f64;
        Ok(format!(
            "{:>12.2} {:>12.2} {:>14.0} {:>10.2}",
            (after.0 - before.0) as f64 / messages,
            (after.1 - before.1) as f64 / messages,
            messages / elapsed.as_secs_f64(),
            fewest as f64 / most.max(1) as f64
        ))
    })
}

fn message() -> SubmitSm<'static> {
    SubmitSm {
        destination: Address::international("6591234567").unwrap_or_default(),
        short_message: ShortMessage::new(&[b'x'; 60]).unwrap_or_default(),
        ..SubmitSm::default()
    }
}

/// Answers each submit_sm where it is read.
fn respond(peer: &Peer) {
    peer.respond_inline(|request, responder| match request {
        Request::SubmitSm(_, reply) => {
            let message_id = COctets::new(b"0000000001").unwrap_or_default();
            // It fails only if the session has ended: no response is expected then.
            let _ = responder.respond(reply, Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }));
            None
        }
        other => Some(other),
    });
}

/// Starts an SMSC for one bind on loopback.
async fn serve() -> Result<Endpoint> {
    let listener = Listener::bind("127.0.0.1:0", Config::default()).await?;
    let endpoint = format!("smpp://{}", listener.local_addr()?).parse()?;
    tokio::spawn(async move {
        let (peer, _inbox) =
            listener.accept().await?.bind_request().await?.accept(COctets::new(b"bench")?)?;
        respond(&peer);
        peer.closed().await;
        Result::Ok(())
    });
    Ok(endpoint)
}

async fn submit_to_session(
    window: u16,
    tasks: u32,
    counts: Arc<Counts>,
) -> Result<Vec<JoinHandle<Result<u64>>>> {
    let connector = Connector::new().config(Config::default().window(window));
    let (client, _) = connector.connect(&serve().await?).await?;
    client.bind(&Bind { system_id: COctets::new(b"bench")?, ..Bind::default() }).await?;
    let task = |client: Client, counts: Arc<Counts>| async move {
        let message = message();
        let mut submission = Counted { future: Box::pin(client.submit(&message)), counts: &counts };
        let mut sent = 0;
        while !counts.is_over.load(Ordering::Relaxed) {
            (&mut submission).await?;
            counts.messages.fetch_add(1, Ordering::Relaxed);
            sent += 1;
            submission.future.set(client.submit(&message));
        }
        Ok(sent)
    };
    Ok((0..tasks).map(|_| tokio::spawn(task(client.clone(), Arc::clone(&counts)))).collect())
}

async fn send_to_account(
    queue_capacity: usize,
    tasks: u32,
    counts: Arc<Counts>,
) -> Result<Vec<JoinHandle<Result<u64>>>> {
    let mut options = Options::new(Credentials::new("bench", ""), &Provider::UNSTATED);
    options.queue_capacity = queue_capacity;
    options.binds = Binds::transceivers(1);
    options.session.window = 64;
    options.session.rate = None;
    let (account, _) = AccountConnector::new(&serve().await?, options).connect().await?;
    let account = Arc::new(account);
    let task = |account: Arc<smpp_tokio::account::Account>, counts: Arc<Counts>| async move {
        let (template, mut sent) = (message(), 0);
        while !counts.is_over.load(Ordering::Relaxed) {
            let message = Message::submit_sm(&template);
            Counted { future: Box::pin(account.send(&message)), counts: &counts }.await?;
            counts.messages.fetch_add(1, Ordering::Relaxed);
            sent += 1;
        }
        Ok(sent)
    };
    Ok((0..tasks).map(|_| tokio::spawn(task(Arc::clone(&account), Arc::clone(&counts)))).collect())
}

/// Lets so many requests wait, and drops them in random order. Returns the time for each.
fn give_up(waiting: usize) -> Result<Duration> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (near, far) = tokio::io::duplex(4096);
        let (client, _) = start::<Esme, _>(near, Config::default().window(1));
        let (peer, mut inbox) = start::<smpp_proto::session::Smsc, _>(far, Config::default());
        let serving = tokio::spawn(async move {
            if let Some(smpp_tokio::Inbound::Bind(bind)) = inbox.recv().await {
                let _ = bind.accept();
            }
            inbox
        });
        client.bind(&Bind::default()).await?;
        let message = message();
        let mut requests: Vec<_> = (0..=waiting).map(|_| Box::pin(client.submit(&message))).collect();
        poll_fn(|cx| {
            let all_wait = requests.iter_mut().all(|request| request.as_mut().poll(cx).is_pending());
            Poll::Ready(all_wait)
        })
        .await;
        // A linear congruential generator is random enough to miss the caches.
        let mut random = 1_u64;
        for left in (2..requests.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let other = 1 + (random >> 33) as usize % left;
            requests.swap(left, other);
        }
        // The median of short times, because other processes interrupt a long one.
        let mut times = Vec::with_capacity(waiting / DROPPED_AT_ONCE);
        while requests.len() > DROPPED_AT_ONCE {
            let start = Instant::now();
            requests.drain(requests.len() - DROPPED_AT_ONCE..).for_each(drop);
            times.push(start.elapsed());
        }
        times.sort_unstable();
        drop((peer, serving));
        Ok(times.get(times.len() / 2).ok_or("no times")?.div_f64(DROPPED_AT_ONCE as f64))
    })
}
