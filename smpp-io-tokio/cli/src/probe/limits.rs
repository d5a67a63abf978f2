//! Conclusions about binds, rate, window and idle time. No I/O.

use std::time::Duration;

use smpp_proto::session::Direction;
use smpp_proto::{CommandId, CommandStatus};

use super::finding::Finding;
use super::plan::Purpose;
use super::record::{BindOutcome, Record, Sent};

const SECOND: Duration = Duration::from_secs(1);

/// The name that the SMSC gives itself.
pub(super) fn name(record: &Record) -> Finding<String> {
    match record.binds.first() {
        Some(BindOutcome::Accepted { system_id, .. }) if !system_id.is_empty() => {
            Finding::found(system_id.clone(), "system_id of the bind response")
        }
        Some(BindOutcome::Accepted { .. }) => Finding::unknown("the bind response has no system_id"),
        _ => Finding::unknown("no bind was accepted"),
    }
}

pub(super) fn version(record: &Record) -> Finding<u8> {
    match record.binds.first() {
        Some(BindOutcome::Accepted { version: Some(version), .. }) => {
            Finding::found(*version, "sc_interface_version of the bind response")
        }
        Some(BindOutcome::Accepted { .. }) => {
            Finding::unknown("the bind response has no sc_interface_version")
        }
        _ => Finding::unknown("no bind was accepted"),
    }
}

/// Returns the cap of binds, and the status of a bind beyond it.
pub(super) fn bind_cap(record: &Record) -> (Finding<u16>, Finding<CommandStatus>) {
    let bound = record.bound();
    let refused = record.binds.iter().find_map(|outcome| match outcome {
        BindOutcome::Refused(status) => Some(*status),
        _ => None,
    });
    match refused {
        Some(status) if bound > 0 => {
            let evidence = format!(
                "bind {} was refused with {} while {bound} of the probe were bound; binds of other programs count, too",
                bound + 1,
                status_name(status)
            );
            let cap = u16::try_from(bound).unwrap_or(u16::MAX);
            (Finding::found(cap, &evidence), Finding::found(status, evidence))
        }
        _ => {
            let failed = record.binds.iter().find_map(|outcome| match outcome {
                BindOutcome::Failed(reason) => Some(format!("the next one failed: {reason}")),
                _ => None,
            });
            let reason = failed.unwrap_or_else(|| "--max-binds allows no more".into());
            let why = format!("{bound} bind(s) at a time were accepted, and {reason}");
            (Finding::unknown(&why), Finding::unknown(why))
        }
    }
}

/// Returns the rate limit in messages per second, and the status of a message beyond it.
pub(super) fn rate(sent: &[Sent<'_>]) -> (Finding<u32>, Finding<CommandStatus>) {
    let burst: Vec<_> = sent.iter().filter(|message| message.purpose == Purpose::Rate).collect();
    let Some(first) = burst.first() else {
        let why = "not tested; --exceed-rate with a larger --budget tests it";
        return (Finding::unknown(why), Finding::unknown(why));
    };
    let status_of = |message: &&Sent<'_>| message.response.map(|answer| answer.status);
    let refused = burst.iter().find_map(|message| {
        let status = status_of(message).filter(|status| *status != CommandStatus::ROK)?;
        Some((message.at, status))
    });
    let duration = burst.last().map_or(Duration::ZERO, |last| last.at.saturating_sub(first.at));
    let total = burst.len();
    let Some((refused_at, status)) = refused else {
        let why = format!("all {total} messages sent within {} ms were accepted", duration.as_millis());
        return (Finding::unknown(&why), Finding::unknown(why));
    };
    let within = |at: Duration| at <= refused_at && at + SECOND >= refused_at;
    let accepted = |message: &&&Sent<'_>| status_of(message) == Some(CommandStatus::ROK);
    let before = burst.iter().filter(accepted).filter(|message| within(message.at)).count();
    let evidence = format!(
        "of {total} messages sent on one bind within {} ms, {before} were accepted within the second before the first refusal with {}",
        duration.as_millis(),
        status_name(status)
    );
    let limit = u32::try_from(before).unwrap_or(u32::MAX);
    let limit = if limit == 0 { Finding::unknown(&evidence) } else { Finding::found(limit, &evidence) };
    (limit, Finding::found(status, evidence))
}

/// Returns the largest window, and the status of a message beyond it.
pub(super) fn window(sent: &[Sent<'_>]) -> (Finding<u16>, Finding<CommandStatus>) {
    let tested: Vec<_> = sent.iter().filter(|message| message.purpose == Purpose::Window).collect();
    if tested.is_empty() {
        let why = "not tested; a larger --budget tests it";
        return (Finding::unknown(why), Finding::unknown(why));
    }
    let mut accepted = 0;
    let mut refused: Option<(usize, CommandStatus)> = None;
    for message in &tested {
        let in_flight = in_flight(sent, message);
        match message.response.map(|answer| answer.status) {
            Some(CommandStatus::ROK) => accepted = accepted.max(in_flight),
            Some(status) if refused.is_none_or(|(least, _)| in_flight < least) => {
                refused = Some((in_flight, status));
            }
            _ => {}
        }
    }
    let unanswered = tested.iter().filter(|message| message.response.is_none()).count();
    let total = tested.len();
    match refused {
        Some((least, status)) if accepted > 0 && least > accepted && steady(sent) <= accepted => {
            let why = format!(
                "of {total} messages at once, those with more than {accepted} in flight were refused with {}; a limit of \
                 {accepted} messages per second would look the same",
                status_name(status)
            );
            (Finding::unknown(&why), Finding::found(status, why))
        }
        Some((least, status)) if accepted > 0 && least > accepted => {
            let evidence = format!(
                "of {total} messages at once, those with at most {accepted} in flight were accepted, the others were \
                 refused with {}",
                status_name(status)
            );
            let window = u16::try_from(accepted).unwrap_or(u16::MAX);
            (Finding::found(window, &evidence), Finding::found(status, evidence))
        }
        Some((_, status)) => {
            let why = format!(
                "some of {total} messages at once were refused with {}, whatever was in flight",
                status_name(status)
            );
            (Finding::unknown(&why), Finding::found(status, why))
        }
        None if unanswered > 0 => {
            let why = format!("{unanswered} of {total} messages at once were not answered");
            (Finding::unknown(&why), Finding::unknown(why))
        }
        None => {
            let why = format!("{total} messages at once were accepted, with at most {accepted} in flight");
            (Finding::unknown(&why), Finding::unknown(why))
        }
    }
}

/// Returns how many messages that were sent one after the other were accepted within a second on the first bind: a rate
/// limit is at least as high.
fn steady(sent: &[Sent<'_>]) -> usize {
    let one_by_one = sent.iter().filter(|message| {
        let is_accepted = message.response.is_some_and(|answer| answer.status == CommandStatus::ROK);
        message.bind == 0 && is_accepted && !matches!(message.purpose, Purpose::Window | Purpose::Rate)
    });
    let times: Vec<_> = one_by_one.map(|message| message.at).collect();
    let within =
        |first: &Duration| times.iter().filter(|at| (*first..=*first + SECOND).contains(*at)).count();
    times.iter().map(within).max().unwrap_or(0)
}

/// Returns how many messages of a bind are in flight once this one is sent, with it.
fn in_flight(sent: &[Sent<'_>], message: &Sent<'_>) -> usize {
    let is_in_flight = |other: &&Sent<'_>| {
        other.bind == message.bind
            && other.index <= message.index
            && other.response.is_none_or(|answer| answer.index > message.index)
    };
    sent.iter().filter(is_in_flight).count()
}

/// Returns whether responses arrive in the order of the requests.
pub(super) fn in_order(sent: &[Sent<'_>]) -> Finding<bool> {
    let tested = sent.iter().filter(|message| matches!(message.purpose, Purpose::Window | Purpose::Rate));
    let answers: Vec<_> = tested.filter_map(|message| message.response).map(|answer| answer.index).collect();
    if answers.len() < 2 {
        return Finding::unknown("not tested; a larger --budget tests it");
    }
    let count = answers.len();
    if answers.is_sorted() {
        return Finding::found(true, format!("{count} responses to messages at once, all in order"));
    }
    Finding::found(false, format!("{count} responses to messages at once, some out of order"))
}

/// Returns after how much idle time the SMSC ends a session.
pub(super) fn idle_cut(record: &Record) -> Finding<Duration> {
    let Some(idle) = &record.idle else {
        return Finding::unknown("not tested; --idle SECONDS tests it");
    };
    let limit = idle.limit.as_secs();
    let ended = record.ends.iter().find(|ended| ended.bind == idle.bind && ended.by_smsc);
    let last = record.last_activity(idle.bind);
    match (ended, last) {
        (Some(ended), Some(last)) => {
            let cut = ended.at.saturating_sub(last);
            let evidence = format!(
                "the SMSC ended a bind {:.1} s after its last PDU: {}",
                cut.as_secs_f32(),
                ended.reason
            );
            Finding::found(cut, evidence)
        }
        _ if record.last_foreign(idle.bind).is_some_and(|at| at > idle.since) => {
            Finding::unknown("receipts or messages of others kept the bind busy")
        }
        _ if idle.complete => Finding::unknown(format!("the SMSC did not end an idle bind within {limit} s")),
        _ => Finding::unknown("the test was interrupted"),
    }
}

/// Returns the shortest time between two enquire_links of the SMSC on one bind.
pub(super) fn enquire_link(record: &Record) -> Finding<Duration> {
    let of_smsc = |it: &&super::record::Observed| {
        it.direction == Direction::In && it.command() == CommandId::ENQUIRE_LINK
    };
    let all: Vec<_> = record.pdus.iter().filter(of_smsc).map(|it| (it.bind, it.at)).collect();
    let intervals = all.iter().enumerate().filter_map(|(index, (bind, at))| {
        let before = all.get(..index)?.iter().rev().find(|(other, _)| other == bind)?;
        Some(at.saturating_sub(before.1))
    });
    match intervals.min() {
        Some(least) => Finding::found(least, format!("{} enquire_links of the SMSC", all.len())),
        None => Finding::unknown(format!("{} enquire_link of the SMSC seen", all.len())),
    }
}

/// Returns the name of a status, or its number.
pub(super) fn status_name(status: CommandStatus) -> String {
    status.name().map_or_else(|| format!("{:#010x}", status.0), str::to_string)
}
