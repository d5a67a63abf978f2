//! The faults by their names: `--fault NAME[=VALUE]`, and the switches of the page.

use std::time::Duration;

use smpp_proto::CommandStatus;
use smpp_proto::simulator::Dialect;
use smpp_tokio::testing::Faults;

/// The longest delay, in milliseconds.
const MAX_DELAY: u64 = 24 * 60 * 60 * 1000;

/// All faults.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct FaultSettings {
    /// `Rules::throttled_percent`.
    pub(super) throttled_percent: u8,
    pub(super) faults: Faults,
}

/// A fault, where its value is.
pub(super) enum Fault<'a> {
    Switch(&'a mut bool),
    Percent(&'a mut u8),
    Millis(&'a mut Duration),
    Octets(&'a mut usize),
    Status(&'a mut Option<CommandStatus>),
}

/// The names of all faults.
pub(super) const NAMES: [&str; 15] = [
    "slow",
    "throttle",
    "reorder",
    "drop",
    "reset",
    "wrong-sequence",
    "cut",
    "corrupt-length",
    "corrupt-body",
    "half-close",
    "coalesce",
    "max-write",
    "silent",
    "refuse-binds",
    "no-unbind-resp",
];

impl FaultSettings {
    /// Returns the fault with this name.
    pub(super) fn get(&mut self, name: &str) -> Option<Fault<'_>> {
        let Self { throttled_percent, faults } = self;
        Some(match name {
            "slow" => Fault::Millis(&mut faults.response_delay),
            "throttle" => Fault::Percent(throttled_percent),
            "reorder" => Fault::Switch(&mut faults.reorder),
            "drop" => Fault::Percent(&mut faults.drop_percent),
            "reset" => Fault::Percent(&mut faults.reset_percent),
            "wrong-sequence" => Fault::Percent(&mut faults.wrong_sequence_percent),
            "cut" => Fault::Percent(&mut faults.cut_percent),
            "corrupt-length" => Fault::Percent(&mut faults.corrupt_length_percent),
            "corrupt-body" => Fault::Percent(&mut faults.corrupt_body_percent),
            "half-close" => Fault::Percent(&mut faults.half_close_percent),
            "coalesce" => Fault::Switch(&mut faults.coalesce),
            "max-write" => Fault::Octets(&mut faults.max_write),
            "silent" => Fault::Switch(&mut faults.silent),
            "refuse-binds" => Fault::Status(&mut faults.refuse_binds),
            "no-unbind-resp" => Fault::Switch(&mut faults.no_unbind_resp),
            _ => return None,
        })
    }

    /// Sets a fault as `--fault` has it: `NAME`, or `NAME=VALUE`.
    pub(super) fn set_text(&mut self, text: &str) -> Result<(), String> {
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        let fault = self.get(name).ok_or_else(|| format!("write one of {}", NAMES.join(", ")))?;
        match (fault, value) {
            (Fault::Switch(on), None) => *on = true,
            (Fault::Switch(_), Some(_)) => return Err(format!("write {name}, without a value")),
            (Fault::Status(status), value) => *status = Some(parse_status(name, value.unwrap_or_default())?),
            (fault, value) => {
                let number = value.and_then(|value| value.parse().ok());
                fault.set_number(name, number.ok_or_else(|| format!("write {name}=NUMBER"))?)?;
            }
        }
        Ok(())
    }
}

impl Fault<'_> {
    /// Sets a fault whose value is a number.
    pub(super) fn set_number(self, name: &str, number: u64) -> Result<(), String> {
        match self {
            Self::Percent(percent) => {
                let value = u8::try_from(number).ok().filter(|value| *value <= 100);
                *percent = value.ok_or_else(|| format!("{name}: write a percentage, 0 to 100"))?;
            }
            Self::Millis(delay) if number <= MAX_DELAY => *delay = Duration::from_millis(number),
            Self::Millis(_) => return Err(format!("{name}: write milliseconds, 0 to {MAX_DELAY}")),
            Self::Octets(octets) => {
                *octets = usize::try_from(number).map_err(|_| format!("{name}: write a number of octets"))?;
            }
            Self::Switch(_) | Self::Status(_) => return Err(format!("{name}: a number is no value of it")),
        }
        Ok(())
    }
}

/// Parses a status such as `RBINDFAIL` or `0x0000000D`.
pub(super) fn parse_status(name: &str, text: &str) -> Result<CommandStatus, String> {
    let mut dialect = Dialect::default();
    let parsed = dialect.set("bind-status", text);
    parsed.map_err(|_| format!("{name}: write a status such as RBINDFAIL or 0x0000000D"))?;
    Ok(dialect.bind_status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_has_a_name_and_changes_by_it_alone() {
        for name in NAMES {
            let mut all = FaultSettings::default();
            let text = match all.get(name).unwrap() {
                Fault::Switch(_) => name.to_owned(),
                Fault::Status(_) => format!("{name}=RBINDFAIL"),
                _ => format!("{name}=7"),
            };
            all.set_text(&text).unwrap();
            let changed: Vec<_> = NAMES
                .into_iter()
                .filter(|name| {
                    let mut default = FaultSettings::default();
                    format(default.get(name).unwrap()) != format(all.get(name).unwrap())
                })
                .collect();
            assert_eq!(changed, [name]);
        }
        // No field of `Faults` is without a name.
        let mut all = FaultSettings::default();
        for name in NAMES {
            let _ = all.set_text(name).or_else(|_| all.set_text(&format!("{name}=7")));
            let _ = all.set_text(&format!("{name}=RBINDFAIL"));
        }
        let printed = format!("{:?}", all.faults);
        let unset = ["false", ": 0,", ": 0 ", "None", ": 0ns"].map(|text| printed.contains(text));
        assert_eq!(unset, [false; 5], "{printed}");
    }

    fn format(fault: Fault<'_>) -> String {
        match fault {
            Fault::Switch(value) => format!("{value:?}"),
            Fault::Percent(value) => format!("{value:?}"),
            Fault::Millis(value) => format!("{value:?}"),
            Fault::Octets(value) => format!("{value:?}"),
            Fault::Status(value) => format!("{value:?}"),
        }
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for wrong in [
            "drop=101",
            "drop",
            "drop=-1",
            "slow=x",
            "slow=99999999999",
            "reorder=1",
            "refuse-binds=ROK",
            "refuse-binds",
            "max-write=x",
            "colour=red",
            "",
        ] {
            assert!(FaultSettings::default().set_text(wrong).is_err(), "{wrong}");
        }
    }
}
