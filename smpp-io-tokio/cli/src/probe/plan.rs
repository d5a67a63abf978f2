//! What the probe will do, within what it may do. No I/O.

use std::fmt::{self, Display};
use std::time::Duration;

/// The fewest messages of a rate test: fewer rarely exceed a rate limit.
const MIN_BURST: u16 = 10;

/// The most messages of a window test.
const MAX_WINDOW: u16 = 16;

/// What the probe may do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// How many messages it may send; a segment counts as one.
    pub(super) messages: u16,
    /// How many binds it may request.
    pub(super) binds: u16,
    /// Whether it may exceed the rate limit on purpose.
    pub(super) exceed_rate: bool,
    /// How long it may wait for the SMSC to close an idle bind; `None` for not at all.
    pub(super) idle: Option<Duration>,
    /// How long it waits for receipts and messages.
    pub(super) wait: Duration,
}

/// Why a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Purpose {
    /// A short text: ids, receipts, states.
    Plain,
    /// A short text with a TLV.
    Tlvs,
    /// A segment of a long text.
    Segment,
    /// Octets with `data_coding` 0 that mean other characters in each alphabet.
    DefaultAlphabet,
    /// The characters that have other octets in each alphabet, in UCS-2.
    Ucs2,
    /// One of several messages at once.
    Window,
    /// One of many messages within a second.
    Rate,
}

/// What the probe will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// How many binds it requests, one after the other.
    pub(super) binds: u16,
    /// The messages before the wait, in this order.
    pub(super) steps: Vec<(Purpose, u16)>,
    /// How long it then waits for receipts and messages.
    pub(super) wait: Duration,
    /// The messages of the rate test, after the wait.
    pub(super) burst: u16,
    /// How long it then leaves a bind idle.
    pub(super) idle: Option<Duration>,
}

impl Plan {
    /// Returns the most useful steps within the limits.
    pub(super) fn new(limits: &Limits) -> Self {
        let mut left = limits.messages;
        // By use: the first ones are planned even with a small budget.
        let wanted = [
            (Purpose::Plain, 1),
            (Purpose::Segment, 2),
            (Purpose::DefaultAlphabet, 1),
            (Purpose::Ucs2, 1),
            (Purpose::Tlvs, 1),
        ];
        let mut steps = Vec::new();
        for (purpose, count) in wanted {
            if let Some(rest) = left.checked_sub(count) {
                left = rest;
                steps.push((purpose, count));
            }
        }
        let burst_fits = limits.exceed_rate && left >= MIN_BURST;
        let window = left.min(if burst_fits { 4 } else { MAX_WINDOW });
        // One message alone shows no window.
        if window >= 2 {
            left -= window;
            steps.push((Purpose::Window, window));
        }
        let burst = if limits.exceed_rate && left >= MIN_BURST { left } else { 0 };
        steps.sort();
        Self { binds: limits.binds, steps, wait: limits.wait, burst, idle: limits.idle }
    }

    /// Returns how many messages it sends in all.
    pub(super) fn messages(&self) -> u16 {
        self.steps.iter().map(|(_, count)| count).sum::<u16>() + self.burst
    }

    /// Returns how many messages it sends for a purpose.
    pub(super) fn count(&self, purpose: Purpose) -> u16 {
        let planned = self.steps.iter().copied().chain([(Purpose::Rate, self.burst)]);
        planned.filter(|(other, _)| *other == purpose).map(|(_, count)| count).sum()
    }

    /// Returns the most messages that it sends at once.
    pub(super) fn most_at_once(&self) -> u16 {
        self.burst.max(self.count(Purpose::Window)).max(1)
    }
}

impl Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} message(s) and {} bind(s):", self.messages(), self.binds)?;
        writeln!(f, "  binds     {} transceiver(s), one after the other, until one is refused", self.binds)?;
        for (purpose, count) in &self.steps {
            writeln!(f, "  {count:>4} x    {purpose}")?;
        }
        writeln!(f, "  wait      {} s for receipts and for the messages to come back", self.wait.as_secs())?;
        if self.burst > 0 {
            writeln!(f, "  {:>4} x    {}", self.burst, Purpose::Rate)?;
        }
        match self.idle {
            Some(idle) => write!(f, "  idle      one bind, silent for up to {} s", idle.as_secs())?,
            None => write!(f, "  idle      not tested (--idle)")?,
        }
        if self.count(Purpose::Window) == 0 {
            write!(f, "\n  window    not tested: --budget leaves no messages for it")?;
        }
        if self.burst == 0 {
            write!(
                f,
                "\n  rate      not tested (--exceed-rate, with a --budget of {} or more)",
                6 + MIN_BURST + 4
            )?;
        }
        Ok(())
    }
}

impl Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "a short text",
            Self::Tlvs => "a short text with the TLV user_message_reference",
            Self::Segment => "segments of one long text",
            Self::DefaultAlphabet => "octets with data_coding 0 that differ between alphabets",
            Self::Ucs2 => "a text in UCS-2 whose characters differ between alphabets",
            Self::Window => "short texts at once, for the window",
            Self::Rate => "short texts as fast as possible, for the rate limit",
        })
    }
}

/// What is left of what the probe may do. The probe takes each message and each bind from here before it sends or requests
/// it.
#[derive(Debug)]
pub(super) struct Allowance {
    messages: u16,
    binds: u16,
}

impl Allowance {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self { messages: limits.messages, binds: limits.binds }
    }

    /// Takes one message. Returns false if none is left: then it must not be sent.
    #[must_use]
    pub(super) fn take_message(&mut self) -> bool {
        take(&mut self.messages)
    }

    /// Takes one bind. Returns false if none is left: then it must not be requested.
    #[must_use]
    pub(super) fn take_bind(&mut self) -> bool {
        take(&mut self.binds)
    }
}

fn take(left: &mut u16) -> bool {
    let rest = left.checked_sub(1);
    *left = rest.unwrap_or(0);
    rest.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(messages: u16, exceed_rate: bool) -> Limits {
        Limits { messages, binds: 2, exceed_rate, idle: None, wait: Duration::from_secs(60) }
    }

    #[test]
    fn a_plan_never_exceeds_its_limits() {
        for exceed_rate in [false, true] {
            for messages in 0..300 {
                let plan = Plan::new(&limits(messages, exceed_rate));
                assert!(plan.messages() <= messages, "{messages}: {plan:?}");
                assert!(plan.burst == 0 || (exceed_rate && plan.burst >= MIN_BURST), "{messages}: {plan:?}");
                assert!([0, 2].contains(&plan.count(Purpose::Segment)), "half a text shows nothing");
                assert_ne!(plan.count(Purpose::Window), 1);
            }
        }
    }

    #[test]
    fn a_small_budget_goes_to_the_most_useful_steps() {
        let purposes = |messages| -> Vec<_> { Plan::new(&limits(messages, false)).steps };
        assert_eq!(purposes(0), []);
        assert_eq!(purposes(1), [(Purpose::Plain, 1)]);
        assert_eq!(purposes(3), [(Purpose::Plain, 1), (Purpose::Segment, 2)]);
        let ten = Plan::new(&limits(10, true));
        assert_eq!((ten.messages(), ten.count(Purpose::Window), ten.burst), (10, 4, 0));
        let hundred = Plan::new(&limits(100, true));
        assert_eq!((hundred.count(Purpose::Window), hundred.burst), (4, 90));
        assert_eq!(hundred.most_at_once(), 90);
    }

    #[test]
    fn the_plan_says_what_it_will_do_and_what_not() {
        let text = Plan::new(&limits(10, false)).to_string();
        assert!(text.starts_with("10 message(s) and 2 bind(s):\n"), "{text}");
        assert!(text.contains("   2 x    segments of one long text\n"), "{text}");
        assert!(
            text.contains("rate      not tested (--exceed-rate, with a --budget of 20 or more)"),
            "{text}"
        );
        let text = Plan::new(&limits(20, true)).to_string();
        assert!(
            text.contains("  10 x    short texts as fast as possible") && !text.contains("rate      not"),
            "{text}"
        );
    }

    #[test]
    fn the_allowance_ends() {
        let mut allowance = Allowance::new(&limits(2, false));
        assert_eq!([(); 4].map(|()| allowance.take_message()), [true, true, false, false]);
        assert_eq!([(); 3].map(|()| allowance.take_bind()), [true, true, false]);
    }
}
