//! Outcomes and response times.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Map, json};
use smpp_proto::CommandStatus;
use smpp_proto::account::SegmentOutcome;
use smpp_proto::session::{CloseReason, RequestError, Response};

use super::Arguments;
use crate::failure::Failure;
use crate::output::{json_line, printable};

/// The longest response time that is measured, in nanoseconds: ten minutes.
const LONGEST: u64 = 600_000_000_000;

/// The most statuses of refusals that are counted one by one. An SMSC may invent as many as it likes.
const MAX_STATUSES: usize = 64;

/// Counts of outcomes, and the response times of the messages that got a response.
pub(super) struct Results {
    accepted: u64,
    refused: u64,
    /// How many of them each status refused.
    statuses: BTreeMap<CommandStatus, u64>,
    never_sent: u64,
    unanswered: u64,
    /// Messages of an account whose receipt says that they are delivered.
    receipts: u64,
    /// In nanoseconds.
    times: Histogram<u64>,
    /// The last response time, and how many in a row were the same: messages sent together often get their responses
    /// together.
    last: (u64, u64),
}

/// The end of a session.
pub(super) struct Ended {
    reason: CloseReason,
    text: String,
}

impl From<smpp_tokio::End> for Ended {
    fn from(end: smpp_tokio::End) -> Self {
        Self { reason: end.reason, text: end.to_string() }
    }
}

impl Results {
    pub(super) fn new() -> Result<Self, Failure> {
        let times = Histogram::new_with_max(LONGEST, 2).map_err(Failure::other)?;
        let statuses = BTreeMap::new();
        Ok(Self {
            accepted: 0,
            refused: 0,
            statuses,
            never_sent: 0,
            unanswered: 0,
            receipts: 0,
            times,
            last: (0, 0),
        })
    }

    /// Counts an outcome that came after so many nanoseconds.
    pub(super) fn count(&mut self, outcome: &Result<Response, RequestError>, nanos: u64) {
        match outcome {
            Ok(_) => self.accepted += 1,
            Err(RequestError::Refused { status, .. } | RequestError::Nacked(status)) => {
                self.refuse(*status);
            }
            Err(RequestError::NeverSent(_)) => return self.never_sent += 1,
            Err(_) => return self.unanswered += 1,
        }
        self.record(nanos);
    }

    /// Counts an accepted message.
    pub(super) fn accept(&mut self, nanos: u64) {
        self.accepted += 1;
        self.record(nanos);
    }

    /// Counts an accepted message whose receipt was awaited, for so many nanoseconds.
    pub(super) fn accept_receipt(&mut self, is_delivered: bool, nanos: u64) {
        self.receipts += u64::from(is_delivered);
        self.accept(nanos);
    }

    /// Counts a message of an account that was not accepted; `None`: it was not submitted.
    pub(super) fn fail(&mut self, segment: Option<&SegmentOutcome>) {
        match segment {
            Some(SegmentOutcome::Refused { status, .. } | SegmentOutcome::Nacked(status)) => {
                self.refuse(*status);
            }
            Some(SegmentOutcome::Unanswered(_)) => self.unanswered += 1,
            _ => self.never_sent += 1,
        }
    }

    /// Counts a message that was refused with this status.
    fn refuse(&mut self, status: CommandStatus) {
        self.refused += 1;
        self.count_status(status, 1);
    }

    fn count_status(&mut self, status: CommandStatus, messages: u64) {
        if self.statuses.len() < MAX_STATUSES || self.statuses.contains_key(&status) {
            *self.statuses.entry(status).or_default() += messages;
        }
    }

    /// Returns the statuses of the refusals with how many each refused, the most frequent one first; `None` stands for those that
    /// are not counted one by one.
    fn refusals(&self) -> Vec<(Option<CommandStatus>, u64)> {
        let mut refusals: Vec<_> =
            self.statuses.iter().map(|(status, count)| (Some(*status), *count)).collect();
        let counted: u64 = self.statuses.values().sum();
        refusals.extend((counted < self.refused).then(|| (None, self.refused - counted)));
        refusals.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        refusals
    }

    fn record(&mut self, nanos: u64) {
        if self.last.0 != nanos {
            self.flush();
            self.last.0 = nanos;
        }
        self.last.1 += 1;
    }

    /// Records the response times that were the same.
    fn flush(&mut self) {
        let (nanos, count) = std::mem::take(&mut self.last);
        self.times.saturating_record_n(nanos, count);
    }

    /// Adds the results of another task or thread.
    pub(super) fn add(&mut self, mut other: Self) {
        other.flush();
        self.accepted += other.accepted;
        self.refused += other.refused;
        for (status, messages) in other.statuses {
            self.count_status(status, messages);
        }
        self.never_sent += other.never_sent;
        self.unanswered += other.unanswered;
        self.receipts += other.receipts;
        self.times += &other.times;
    }

    /// Returns the number of messages with an outcome.
    pub(super) fn total(&self) -> u64 {
        self.accepted + self.refused + self.never_sent + self.unanswered
    }

    /// Prints the results of so many messages. Returns whether every message was accepted, and every session unbound.
    pub(super) fn print(self, messages: u64, took: Duration, ended: &[Ended], json: bool) -> bool {
        let accepted = self.print_all(messages, took, ended, json);
        accepted && ended.iter().all(|ended| ended.reason == CloseReason::Unbound)
    }

    /// Prints the results of an account that left so many messages unresolved. Returns whether every message was accepted,
    /// and every receipt that was requested arrived.
    pub(super) fn print_account(self, arguments: &Arguments, took: Duration, unresolved: usize) -> bool {
        let receipts = self.receipts;
        let accepted = self.print_all(arguments.messages(), took, &[], arguments.json);
        let expected = if arguments.receipts { arguments.messages() } else { 0 };
        if !arguments.json && arguments.receipts {
            println!("{receipts} receipts");
        }
        accepted && receipts == expected && unresolved == 0
    }

    /// Prints the results. Returns whether every message was accepted.
    fn print_all(mut self, messages: u64, took: Duration, ended: &[Ended], json: bool) -> bool {
        self.flush();
        let Self { accepted, refused, unanswered, times, .. } = &self;
        // Messages that no task submitted were never sent either.
        let never_sent = self.never_sent + messages.saturating_sub(self.total());
        let seconds = took.as_secs_f64();
        let answered = accepted + refused;
        let rate = answered as f64 / seconds;
        let micros = |quantile| times.value_at_quantile(quantile) as f64 / 1000.0;
        let (p50, p99, p999) = (micros(0.5), micros(0.99), micros(0.999));
        let max = times.max() as f64 / 1000.0;
        let cpu = cpu_time();
        let texts: Vec<_> = ended.iter().map(|ended| &*ended.text).collect();
        let refusals = self.refusals();
        if json {
            let result = json!({
                "messages": messages, "accepted": accepted, "refused": refused,
                "refused_by_status": refusals.iter().map(|(status, count)| (name(*status), json!(count))).collect::<Map<_, _>>(),
                "never_sent": never_sent, "unanswered": unanswered,
                "seconds": seconds, "per_second": rate, "cpu_seconds": cpu,
                "micros": { "p50": p50, "p99": p99, "p99.9": p999, "max": max },
                "receipts": self.receipts, "peak_memory": peak_memory(), "ended": texts,
            });
            println!("{}", json_line(&result));
        } else {
            println!(
                "{accepted} accepted, {refused} refused, {never_sent} never sent, {unanswered} unanswered"
            );
            for (status, count) in refusals {
                println!("  refused with {}: {count}", name(status));
            }
            println!("{rate:.0} a second for {seconds:.2} s");
            println!("response times: p50 {p50:.1} us, p99 {p99:.1} us, p99.9 {p999:.0} us, max {max:.0} us");
            if let Some(cpu) = cpu {
                let each = cpu * 1e6 / (answered as f64).max(1.0);
                println!("CPU time of this process: {cpu:.2} s, {each:.2} us a message");
            }
            if let Some(octets) = peak_memory() {
                println!("memory of this process at most: {:.1} MiB", octets as f64 / f64::from(1 << 20));
            }
            for text in texts {
                println!("session: {}", printable(text));
            }
        }
        *accepted == messages
    }
}

/// Returns the name of a status, or its number if it has none; `None` stands for all that are not counted one by one.
fn name(status: Option<CommandStatus>) -> String {
    status.map_or_else(|| "others".into(), |status| format!("{status:?}"))
}

/// Returns the CPU time of this process so far, in seconds, user and system; `None` where the system is not Linux.
pub(super) fn cpu_time() -> Option<f64> {
    // Exact, but only of threads that have not ended.
    let running = running_threads_cpu_time()?;
    Some(running.max(coarse_cpu_time().unwrap_or_default()))
}

/// Returns the most octets of memory that this process has held at once, its program included; `None` where the system is
/// not Linux.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(peak.split_whitespace().next()?.parse::<u64>().ok()? << 10)
}

/// Returns the CPU time of the threads that are running now: the first number of each schedstat, in nanoseconds.
fn running_threads_cpu_time() -> Option<f64> {
    let nanos = |task: fs::DirEntry| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    };
    let tasks = fs::read_dir("/proc/self/task").ok()?;
    Some(tasks.filter_map(|task| nanos(task.ok()?)).sum::<f64>() / 1e9)
}

/// Returns the CPU time of all threads, also those that have ended, to a hundredth of a second.
fn coarse_cpu_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name, in parentheses, may hold spaces; user and system time are the 12th and 13th word after it.
    let (_, words) = stat.rsplit_once(')')?;
    let ticks = words.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
    Some(f64::from(ticks.sum::<Result<u32, _>>().ok()?) / 100.0)
}

#[cfg(test)]
mod tests {
    use smpp_proto::CommandStatus;
    use smpp_proto::session::NotSentReason;

    use super::*;

    #[test]
    fn refusals_are_counted_by_status_and_more_statuses_than_the_limit_together() {
        let mut results = Results::new().unwrap();
        for _ in 0..3 {
            results.count(&Err(RequestError::Nacked(CommandStatus::RTHROTTLED)), 500);
        }
        results.fail(Some(&SegmentOutcome::Nacked(CommandStatus::RINVDSTADR)));
        let mut all = Results::new().unwrap();
        all.add(results);
        let expected = [(Some(CommandStatus::RTHROTTLED), 3), (Some(CommandStatus::RINVDSTADR), 1)];
        assert_eq!(all.refusals(), expected);
        for status in 0..MAX_STATUSES as u32 {
            all.fail(Some(&SegmentOutcome::Nacked(CommandStatus(0x400 + status))));
        }
        let refusals = all.refusals();
        assert_eq!((refusals.len(), refusals[0]), (MAX_STATUSES + 1, expected[0]));
        assert!(refusals.contains(&(None, 2)), "two statuses too many: {refusals:?}");
        assert_eq!(all.refused, refusals.iter().map(|(_, count)| count).sum::<u64>());
    }

    #[test]
    fn response_times_in_a_row_are_recorded_together() {
        let mut results = Results::new().unwrap();
        for nanos in [500, 500, 500, 900, 500] {
            results.accept(nanos);
        }
        results.count(&Err(RequestError::Nacked(CommandStatus::RINVCMDID)), 500);
        results.count(&Err(RequestError::NeverSent(NotSentReason::Closed(CloseReason::Aborted))), 7);
        let mut all = Results::new().unwrap();
        all.add(results);
        assert_eq!((all.total(), all.accepted, all.refused, all.never_sent), (7, 5, 1, 1));
        assert_eq!((all.times.len(), all.times.min(), all.times.max()), (6, 500, 903));
    }
}
