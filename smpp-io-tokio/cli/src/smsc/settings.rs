//! The faults and the receipts, which the page changes while the SMSC runs.

use std::time::Duration;

use serde_json::{Value, json};
use smpp_core::simulator::{ReceiptTiming, Rules, StateWeights};
use smpp_io_tokio::testing::Faults;

/// The longest delay of responses and of receipts.
const MAX_DELAY: u64 = 24 * 60 * 60 * 1000;

/// Faults and receipts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    /// The states of receipts, as `--receipts` has them: `DELIVRD=90,UNDELIV=10`.
    pub(super) states: String,
    pub(super) weights: StateWeights,
    pub(super) timing: ReceiptTiming,
    pub(super) delay: Duration,
    pub(super) throttled_percent: u8,
    pub(super) faults: Faults,
}

impl Settings {
    /// Sets these rules.
    pub(super) fn apply(&self, rules: &mut Rules) {
        rules.states = self.weights.clone();
        rules.receipt_timing = self.timing;
        rules.receipt_delay = self.delay;
        rules.throttled_percent = self.throttled_percent;
    }

    pub(super) fn json(&self) -> Value {
        let Faults { response_delay, reorder, drop_percent, reset_percent, coalesce, no_unbind_resp, .. } =
            self.faults;
        let timing = match self.timing {
            ReceiptTiming::Never => "never",
            ReceiptTiming::BeforeResponse => "before-response",
            _ => "delayed",
        };
        json!({
            "states": self.states,
            "timing": timing,
            "delay": millis(self.delay),
            "throttle": self.throttled_percent,
            "slow": millis(response_delay),
            "reorder": reorder,
            "drop": drop_percent,
            "reset": reset_percent,
            "coalesce": coalesce,
            "no-unbind-resp": no_unbind_resp,
        })
    }

    /// Returns the settings with these changes: an object with some of the names of [`json`](Self::json).
    pub(super) fn with(&self, changes: &Value) -> Result<Self, String> {
        let mut updated = self.clone();
        for (name, value) in changes.as_object().ok_or("write an object of settings")? {
            let Faults {
                response_delay, reorder, drop_percent, reset_percent, coalesce, no_unbind_resp, ..
            } = &mut updated.faults;
            match &**name {
                "states" => {
                    let text = value.as_str().ok_or("states: write a text such as DELIVRD=90,UNDELIV=10")?;
                    updated.weights =
                        text.parse().map_err(|error: smpp_core::simulator::StateWeightsError| {
                            format!("states: {error}")
                        })?;
                    text.clone_into(&mut updated.states);
                }
                "timing" => {
                    updated.timing = match value.as_str() {
                        Some("never") => ReceiptTiming::Never,
                        Some("delayed") => ReceiptTiming::Delayed,
                        Some("before-response") => ReceiptTiming::BeforeResponse,
                        _ => return Err("timing: write never, delayed or before-response".into()),
                    };
                }
                "delay" => updated.delay = delay(name, value)?,
                "slow" => *response_delay = delay(name, value)?,
                "throttle" => updated.throttled_percent = percent(name, value)?,
                "drop" => *drop_percent = percent(name, value)?,
                "reset" => *reset_percent = percent(name, value)?,
                "reorder" => *reorder = switch(name, value)?,
                "coalesce" => *coalesce = switch(name, value)?,
                "no-unbind-resp" => *no_unbind_resp = switch(name, value)?,
                _ => return Err(format!("there is no setting {name}")),
            }
        }
        Ok(updated)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn delay(name: &str, value: &Value) -> Result<Duration, String> {
    let millis = value.as_u64().filter(|millis| *millis <= MAX_DELAY);
    millis.map(Duration::from_millis).ok_or_else(|| format!("{name}: write milliseconds, 0 to {MAX_DELAY}"))
}

fn percent(name: &str, value: &Value) -> Result<u8, String> {
    let percent = value.as_u64().and_then(|percent| u8::try_from(percent).ok());
    percent.filter(|percent| *percent <= 100).ok_or_else(|| format!("{name}: write a percentage, 0 to 100"))
}

fn switch(name: &str, value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("{name}: write true or false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            states: "DELIVRD".into(),
            weights: "DELIVRD".parse().unwrap(),
            timing: ReceiptTiming::Delayed,
            delay: Duration::from_millis(500),
            throttled_percent: 0,
            faults: Faults::default(),
        }
    }

    #[test]
    fn each_setting_changes_and_reads_back() {
        let all = json!({
            "states": "DELIVRD=90,UNDELIV=10", "timing": "before-response", "delay": 7, "throttle": 20, "slow": 200,
            "reorder": true, "drop": 5, "reset": 1, "coalesce": true, "no-unbind-resp": true,
        });
        let changed = settings().with(&all).unwrap();
        assert_eq!(changed.json(), all);
        // Each by itself, and nothing else with it.
        for (name, value) in all.as_object().unwrap() {
            let one = settings().with(&json!({ name: value })).unwrap().json();
            let before = settings().json();
            for (other, value) in before.as_object().unwrap() {
                assert_eq!(one[other] == *value, name != other, "{name} {other}");
            }
            assert_eq!(one[name], *value);
        }
        let mut rules = Rules::default();
        changed.apply(&mut rules);
        assert_eq!((rules.throttled_percent, rules.receipt_timing), (20, ReceiptTiming::BeforeResponse));
        assert_eq!((rules.states, rules.receipt_delay), (changed.weights, Duration::from_millis(7)));
    }

    #[test]
    fn what_cannot_be_set_is_refused() {
        for wrong in [
            json!([]),
            json!({ "colour": "red" }),
            json!({ "drop": 101 }),
            json!({ "drop": -1 }),
            json!({ "drop": "5" }),
            json!({ "slow": MAX_DELAY + 1 }),
            json!({ "reorder": 1 }),
            json!({ "timing": "late" }),
            json!({ "states": "NOSUCH" }),
            json!({ "states": "DELIVRD=0" }),
        ] {
            assert!(settings().with(&wrong).is_err(), "{wrong}");
        }
    }
}
