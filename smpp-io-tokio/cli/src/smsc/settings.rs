//! The faults and the receipts, which the page changes while the SMSC runs.

use std::time::Duration;

use serde_json::{Value, json};
use smpp_proto::CommandStatus;
use smpp_proto::simulator::{ReceiptTiming, Rules, StateWeights};

use super::faults::{Fault, FaultSettings, NAMES, parse_status};

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
    pub(super) faults: FaultSettings,
}

impl Settings {
    /// Sets these rules.
    pub(super) fn apply(&self, rules: &mut Rules) {
        rules.states = self.weights.clone();
        rules.receipt_timing = self.timing;
        rules.receipt_delay = self.delay;
        rules.throttled_percent = self.faults.throttled_percent;
    }

    pub(super) fn json(&self) -> Value {
        let timing = match self.timing {
            ReceiptTiming::Never => "never",
            ReceiptTiming::BeforeResponse => "before-response",
            _ => "delayed",
        };
        let mut all = json!({ "states": self.states, "timing": timing, "delay": millis(self.delay) });
        let mut faults = self.faults;
        for name in NAMES {
            all[name] = faults.get(name).map_or(Value::Null, |fault| match fault {
                Fault::Switch(on) => json!(on),
                Fault::Percent(percent) => json!(percent),
                Fault::Millis(delay) => json!(millis(*delay)),
                Fault::Octets(octets) => json!(octets),
                // Empty if binds are not refused.
                Fault::Status(status) => json!(status.map(name_of).unwrap_or_default()),
            });
        }
        all
    }

    /// Returns the settings with these changes: an object with some of the names of [`json`](Self::json).
    pub(super) fn with(&self, changes: &Value) -> Result<Self, String> {
        let mut updated = self.clone();
        for (name, value) in changes.as_object().ok_or("write an object of settings")? {
            match &**name {
                "states" => {
                    let text = value.as_str().ok_or("states: write a text such as DELIVRD=90,UNDELIV=10")?;
                    updated.weights =
                        text.parse().map_err(|error: smpp_proto::simulator::StateWeightsError| {
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
                _ => match updated.faults.get(name) {
                    Some(Fault::Switch(on)) => *on = switch(name, value)?,
                    Some(Fault::Status(status)) => {
                        let text = value.as_str().ok_or_else(|| format!("{name}: write a status"))?.trim();
                        *status = (!text.is_empty()).then(|| parse_status(name, text)).transpose()?;
                    }
                    Some(fault) => {
                        let number = value.as_u64();
                        fault.set_number(name, number.ok_or_else(|| format!("{name}: write a number"))?)?;
                    }
                    None => return Err(format!("there is no setting {name}")),
                },
            }
        }
        Ok(updated)
    }
}

/// Returns the name of a status; its number if it has none.
fn name_of(status: CommandStatus) -> String {
    status.name().map_or_else(|| format!("0x{:08X}", status.0), Into::into)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn delay(name: &str, value: &Value) -> Result<Duration, String> {
    let millis = value.as_u64().filter(|millis| *millis <= MAX_DELAY);
    millis.map(Duration::from_millis).ok_or_else(|| format!("{name}: write milliseconds, 0 to {MAX_DELAY}"))
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
            faults: FaultSettings::default(),
        }
    }

    #[test]
    fn each_setting_changes_and_reads_back() {
        let all = json!({
            "states": "DELIVRD=90,UNDELIV=10", "timing": "before-response", "delay": 7, "throttle": 20, "slow": 200,
            "reorder": true, "drop": 5, "reset": 1, "coalesce": true, "no-unbind-resp": true, "wrong-sequence": 2,
            "cut": 3, "corrupt-length": 4, "corrupt-body": 6, "half-close": 8, "max-write": 9, "silent": true,
            "refuse-binds": "ESME_RBINDFAIL",
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
            json!({ "refuse-binds": "NOSUCH" }),
            json!({ "refuse-binds": 13 }),
            json!({ "max-write": -1 }),
            json!({ "states": "NOSUCH" }),
            json!({ "states": "DELIVRD=0" }),
        ] {
            assert!(settings().with(&wrong).is_err(), "{wrong}");
        }
    }
}
