//! What became of the messages, and how long it took.

use std::fs;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::json;
use smpp_core::session::CloseReason;
use smpp_io_tokio::{End, RequestError, Response};

/// The longest response time that is told apart: ten minutes, in nanoseconds.
const LONGEST: u64 = 600_000_000_000;

/// Outcomes, and the response times of those that were answered.
pub(crate) struct Tally {
    accepted: u64,
    refused: u64,
    never_sent: u64,
    unanswered: u64,
    /// In nanoseconds.
    times: Histogram<u64>,
    /// The last response time, and how many in a row were the same: what is sent together is often answered together.
    last: (u64, u64),
}

/// The result.
pub(crate) struct Report<'a> {
    pub(crate) took: Duration,
    pub(crate) ends: Vec<End>,
    pub(crate) messages: u64,
    pub(crate) tally: &'a Tally,
}

impl Tally {
    pub(crate) fn new() -> Self {
        let times = Histogram::new_with_max(LONGEST, 2).expect("the bounds are good");
        Self { accepted: 0, refused: 0, never_sent: 0, unanswered: 0, times, last: (0, 0) }
    }

    pub(crate) fn count(&mut self, outcome: &Result<Response, RequestError>, nanos: u64) {
        match outcome {
            Ok(_) => self.accepted += 1,
            Err(RequestError::Refused(_) | RequestError::Nacked(_)) => self.refused += 1,
            Err(RequestError::NeverSent(_)) => return self.never_sent += 1,
            Err(_) => return self.unanswered += 1,
        }
        if self.last.0 != nanos {
            self.record();
            self.last.0 = nanos;
        }
        self.last.1 += 1;
    }

    /// Takes down the response times that were the same.
    fn record(&mut self) {
        let (nanos, count) = std::mem::take(&mut self.last);
        self.times.saturating_record_n(nanos, count);
    }

    /// Takes in another.
    pub(crate) fn add(&mut self, mut other: Self) {
        other.record();
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.never_sent += other.never_sent;
        self.unanswered += other.unanswered;
        self.times.add(&other.times).expect("their bounds are the same");
    }

    /// Messages with an outcome.
    pub(crate) fn all(&self) -> u64 {
        self.accepted + self.refused + self.never_sent + self.unanswered
    }
}

impl Report<'_> {
    /// Whether every message was accepted, and every session ended as asked.
    pub(crate) fn is_good(&self) -> bool {
        self.tally.accepted == self.messages && self.ends.iter().all(|end| end.reason == CloseReason::Unbound)
    }

    pub(crate) fn print(&self, json: bool) {
        let Tally { accepted, refused, unanswered, times, .. } = self.tally;
        // What no lane came to was not sent either.
        let never_sent = self.tally.never_sent + self.messages.saturating_sub(self.tally.all());
        let seconds = self.took.as_secs_f64();
        let answered = accepted + refused;
        let rate = answered as f64 / seconds;
        let micros = |quantile| times.value_at_quantile(quantile) as f64 / 1000.0;
        let (p50, p99, p999) = (micros(0.5), micros(0.99), micros(0.999));
        let most = times.max() as f64 / 1000.0;
        let cpu = cpu_time();
        let ended: Vec<String> = self.ends.iter().map(ToString::to_string).collect();
        if json {
            let result = json!({
                "messages": self.messages, "accepted": accepted, "refused": refused,
                "never_sent": never_sent, "unanswered": unanswered,
                "seconds": seconds, "per_second": rate, "cpu_seconds": cpu,
                "micros": { "p50": p50, "p99": p99, "p99.9": p999, "max": most },
                "ended": ended,
            });
            return println!("{result}");
        }
        println!("{accepted} accepted, {refused} refused, {never_sent} never sent, {unanswered} unanswered");
        println!("{rate:.0} a second for {seconds:.2} s");
        println!("response times: p50 {p50:.0} us, p99 {p99:.0} us, p99.9 {p999:.0} us, max {most:.0} us");
        if let Some(cpu) = cpu {
            let each = cpu * 1e6 / (answered as f64).max(1.0);
            println!("CPU time of this process: {cpu:.2} s, {each:.2} us a message");
        }
        for end in ended {
            println!("session: {end}");
        }
    }
}

/// The CPU time of this process so far, in seconds, user and system; where Linux tells it.
pub(crate) fn cpu_time() -> Option<f64> {
    // In nanoseconds, the first number of three; of threads that are still there.
    let nanos = |task: fs::DirEntry| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    };
    let tasks = fs::read_dir("/proc/self/task").ok()?;
    Some(tasks.filter_map(|task| nanos(task.ok()?)).sum::<f64>() / 1e9)
}
