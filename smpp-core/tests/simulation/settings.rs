//! A configuration that can be written to a trace and read back.

use std::fmt;
use std::time::Duration;

use smpp_proto::Tolerance;
use smpp_proto::session::{Config, Rate};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) window: u16,
    pub(crate) max_unanswered: u16,
    pub(crate) backpressure: Duration,
    pub(crate) max_pdu: usize,
    pub(crate) max_output: usize,
    pub(crate) max_malformed: u32,
    pub(crate) strict: bool,
    /// Messages per second, and the burst.
    pub(crate) rate: Option<(u32, u32)>,
    pub(crate) session_init: Duration,
    pub(crate) enquire_link: Option<Duration>,
    pub(crate) response: Duration,
    pub(crate) late_response: Duration,
    pub(crate) max_timeouts: u16,
    pub(crate) inactivity: Option<Duration>,
    pub(crate) drain: Duration,
}

impl Settings {
    pub(crate) fn config(&self) -> Config {
        Config::default()
            .window(self.window)
            .max_unanswered(self.max_unanswered)
            .backpressure_timeout(self.backpressure)
            .max_pdu(self.max_pdu)
            .max_output(self.max_output)
            .max_malformed(self.max_malformed)
            .tolerance(if self.strict { Tolerance::STRICT } else { Tolerance::LENIENT })
            .rate(self.rate.map(|(limit, burst)| Rate::per_second(limit).with_burst(burst)))
            .session_init_timeout(self.session_init)
            .enquire_link_interval(self.enquire_link)
            .response_timeout(self.response)
            .late_response_timeout(self.late_response)
            .max_response_timeouts(self.max_timeouts)
            .inactivity_timeout(self.inactivity)
            .drain_timeout(self.drain)
    }

    /// Parses the output of [`Display`](fmt::Display). Returns `None` if a setting is missing.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let value = |name: &str| {
            text.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
        };
        let number = |name: &str| value(name)?.parse::<u64>().ok();
        let time = |name: &str| number(name).map(Duration::from_nanos);
        let rate = value("rate")?;
        Some(Self {
            window: number("window")? as u16,
            max_unanswered: number("max_unanswered")? as u16,
            backpressure: time("backpressure")?,
            max_pdu: number("max_pdu")? as usize,
            max_output: number("max_output")? as usize,
            max_malformed: number("max_malformed")? as u32,
            strict: value("strict")? == "true",
            rate: rate
                .split_once('/')
                .and_then(|(limit, burst)| Some((limit.parse().ok()?, burst.parse().ok()?))),
            session_init: time("session_init")?,
            enquire_link: time("enquire_link"),
            response: time("response")?,
            late_response: time("late_response")?,
            max_timeouts: number("max_timeouts")? as u16,
            inactivity: time("inactivity"),
            drain: time("drain")?,
        })
    }
}

/// A line of `name=value`. Times are in nanoseconds; `-` is none.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = |time: Option<Duration>| time.map_or("-".into(), |time| time.as_nanos().to_string());
        write!(f, "window={} max_unanswered={}", self.window, self.max_unanswered)?;
        write!(f, " backpressure={}", nanos(Some(self.backpressure)))?;
        write!(f, " max_pdu={} max_output={}", self.max_pdu, self.max_output)?;
        write!(f, " max_malformed={} strict={}", self.max_malformed, self.strict)?;
        let rate = self.rate.map_or("-".into(), |(limit, burst)| format!("{limit}/{burst}"));
        write!(f, " rate={rate} session_init={}", nanos(Some(self.session_init)))?;
        write!(f, " enquire_link={} response={}", nanos(self.enquire_link), nanos(Some(self.response)))?;
        write!(f, " late_response={}", nanos(Some(self.late_response)))?;
        write!(f, " max_timeouts={}", self.max_timeouts)?;
        write!(f, " inactivity={} drain={}", nanos(self.inactivity), nanos(Some(self.drain)))
    }
}
