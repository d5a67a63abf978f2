//! What became of the messages, and how long it took.
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::fs;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::json;
use smpp_io_std::{RequestError, Response};

/// The longest response time that is told apart, in nanoseconds.
const LONGEST: u64 = 600_000_000_000;

/// Outcomes, and the response times of those that were answered.
pub(crate) struct Tally {
    accepted: u64,
    refused: u64,
    never_sent: u64,
    unanswered: u64,
    /// In nanoseconds.
    times: Histogram<u64>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        let times = Histogram::new_with_max(LONGEST, 2).expect("the bounds are good");
        Self { accepted: 0, refused: 0, never_sent: 0, unanswered: 0, times }
    }

    pub(crate) fn count(&mut self, outcome: &Result<Response, RequestError>, took: Duration) {
        match outcome {
            Ok(_) => return self.accept(took),
            Err(RequestError::Refused(_) | RequestError::Nacked(_)) => self.refused += 1,
            Err(RequestError::NeverSent(_)) => return self.never_sent += 1,
            Err(_) => return self.unanswered += 1,
        }
        self.times.saturating_record(took.as_nanos() as u64);
    }

    pub(crate) fn accept(&mut self, took: Duration) {
        self.accepted += 1;
        self.times.saturating_record(took.as_nanos() as u64);
    }

    /// Messages with an outcome.
    pub(crate) fn all(&self) -> u64 {
        self.accepted + self.refused + self.never_sent + self.unanswered
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.never_sent += other.never_sent;
        self.unanswered += other.unanswered;
        self.times += &other.times;
    }
}

/// Prints what became of so many messages. Whether every one was accepted, and every session ended well.
pub(crate) fn print(tally: &Tally, messages: u64, took: Duration, ended: &[String], json: bool) -> bool {
    let Tally { accepted, refused, unanswered, times, .. } = tally;
    // What no thread came to was not sent either.
    let never_sent = tally.never_sent + messages.saturating_sub(tally.all());
    let seconds = took.as_secs_f64();
    let answered = accepted + refused;
    let rate = answered as f64 / seconds;
    let micros = |quantile| times.value_at_quantile(quantile) as f64 / 1000.0;
    let (p50, p99, p999) = (micros(0.5), micros(0.99), micros(0.999));
    let most = times.max() as f64 / 1000.0;
    let cpu = cpu_time();
    if json {
        let result = json!({
            "messages": messages, "accepted": accepted, "refused": refused,
            "never_sent": never_sent, "unanswered": unanswered,
            "seconds": seconds, "per_second": rate, "cpu_seconds": cpu,
            "micros": { "p50": p50, "p99": p99, "p99.9": p999, "max": most },
            "ended": ended,
        });
        println!("{result}");
    } else {
        println!("{accepted} accepted, {refused} refused, {never_sent} never sent, {unanswered} unanswered");
        println!("{rate:.0} a second for {seconds:.2} s");
        println!("response times: p50 {p50:.1} us, p99 {p99:.1} us, p99.9 {p999:.0} us, max {most:.0} us");
        if let Some(cpu) = cpu {
            let each = cpu * 1e6 / (answered as f64).max(1.0);
            println!("CPU time of this side: {cpu:.2} s, {each:.2} us a message");
        }
        for end in ended {
            println!("session: {end}");
        }
    }
    *accepted == messages
}

/// The CPU time of this process so far, in seconds, user and system, to a hundredth; where Linux tells it.
pub(crate) fn cpu_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name, in parentheses, may hold spaces; the times are the 12th and the 13th word behind it.
    let (_, words) = stat.rsplit_once(')')?;
    let ticks = words.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
    Some(f64::from(ticks.sum::<Result<u32, _>>().ok()?) / 100.0)
}
