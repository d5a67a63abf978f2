//! Rates and response times, second by second: what the plots of the page show.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};
use smpp_proto::{CommandId, CommandStatus};

/// Seconds that are kept.
const KEPT: usize = 300;

/// The newest seconds with traffic.
#[derive(Debug, Default)]
pub(super) struct Seconds(VecDeque<Second>);

#[derive(Debug, Default)]
struct Second {
    at: u64,
    submitted: Counted,
    delivered: Counted,
}

/// The requests of one kind in one second, and the responses in the same second.
#[derive(Debug, Default)]
struct Counted {
    requests: u64,
    refused: u64,
    responses: u64,
    /// The sum and the maximum of the response times.
    total: Duration,
    longest: Duration,
}

impl Seconds {
    /// Counts a request.
    pub(super) fn request(&mut self, at: Duration, command: CommandId) {
        if let Some(counted) = self.counted(at, command) {
            counted.requests += 1;
        }
    }

    /// Counts the response to a request.
    pub(super) fn response(
        &mut self,
        at: Duration,
        request: CommandId,
        status: CommandStatus,
        took: Duration,
    ) {
        if let Some(counted) = self.counted(at, request) {
            counted.refused += u64::from(status != CommandStatus::ROK);
            counted.responses += 1;
            counted.total += took;
            counted.longest = counted.longest.max(took);
        }
    }

    /// Returns the counters of this second; `None` for other requests, and for a second that is no longer kept.
    fn counted(&mut self, at: Duration, command: CommandId) -> Option<&mut Counted> {
        let second = at.as_secs();
        let is_submission = matches!(command, CommandId::SUBMIT_SM | CommandId::SUBMIT_MULTI);
        if !is_submission && command != CommandId::DELIVER_SM {
            return None;
        }
        if self.0.back().is_none_or(|last| last.at < second) {
            if self.0.len() >= KEPT {
                self.0.pop_front();
            }
            self.0.push_back(Second { at: second, ..Second::default() });
        }
        let found = self.0.iter_mut().rev().find(|kept| kept.at == second)?;
        Some(if is_submission { &mut found.submitted } else { &mut found.delivered })
    }

    /// Returns the seconds from `from` on.
    pub(super) fn since(&self, from: u64) -> Value {
        let seconds = self.0.iter().filter(|second| second.at >= from);
        let seconds = seconds.map(|second| {
            let Second { at, submitted, delivered } = second;
            json!({ "second": at, "submitted": submitted.json(), "delivered": delivered.json() })
        });
        seconds.collect()
    }
}

impl Counted {
    fn json(&self) -> Value {
        let mean = self.total.checked_div(u32::try_from(self.responses).unwrap_or(u32::MAX));
        json!({
            "requests": self.requests,
            "refused": self.refused,
            "mean": mean.map(millis),
            "max": mean.map(|_| millis(self.longest)),
        })
    }
}

/// Returns milliseconds with three decimals.
pub(super) fn millis(time: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "less than 2^53 microseconds, 285 years")]
    let micros = time.as_micros() as f64;
    micros / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_has_its_requests_and_its_response_times() {
        let mut seconds = Seconds::default();
        let at = Duration::from_millis;
        seconds.request(at(100), CommandId::SUBMIT_SM);
        seconds.request(at(200), CommandId::SUBMIT_SM);
        seconds.response(at(300), CommandId::SUBMIT_SM, CommandStatus::ROK, at(200));
        seconds.response(at(900), CommandId::SUBMIT_SM, CommandStatus::RTHROTTLED, at(700));
        seconds.request(at(1500), CommandId::DELIVER_SM);
        seconds.request(at(1600), CommandId::ENQUIRE_LINK);
        let none = json!({ "requests": 0, "refused": 0, "mean": null, "max": null });
        let first = json!({ "requests": 2, "refused": 1, "mean": 450.0, "max": 700.0 });
        let second = json!({ "requests": 1, "refused": 0, "mean": null, "max": null });
        assert_eq!(
            seconds.since(0),
            json!([
                { "second": 0, "submitted": first, "delivered": none },
                { "second": 1, "submitted": none, "delivered": second },
            ])
        );
        assert_eq!(seconds.since(2), json!([]));
    }

    #[test]
    fn the_number_of_seconds_is_limited() {
        let mut seconds = Seconds::default();
        for second in 0..2 * KEPT as u64 {
            seconds.request(Duration::from_secs(second), CommandId::SUBMIT_SM);
        }
        assert_eq!(seconds.0.len(), KEPT);
        seconds.request(Duration::ZERO, CommandId::SUBMIT_SM);
        assert_eq!(seconds.0.len(), KEPT);
    }
}
