//! The rate limit, as the peer sees it: at most the rate in any sliding second, and at least 99 % of it, for callers whose
//! timers are late.

use std::time::Duration;

use smpp_proto::session::{Config, Esme, Instant, Rate, RateLimiter, RateMeter, Refusal};
use smpp_proto::{BindMode, QuerySm};

use super::support::{Peer, bound_esme};

const SECOND: u64 = 1_000_000_000;
const MILLI: u64 = 1_000_000;

/// A small random generator (xorshift).
struct Rng(u64);

impl Rng {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}

/// The messages that left: the times, and how many left then.
#[derive(Default)]
struct Departures(Vec<(u64, usize)>);

impl Departures {
    fn count(&self) -> usize {
        self.0.iter().map(|(_, messages)| messages).sum()
    }

    /// Returns the highest number of messages in any second that does not contain its end.
    fn most_in_a_second(&self) -> usize {
        let (mut within, mut first, mut most) = (0, 0, 0);
        for (at, messages) in &self.0 {
            within += messages;
            while self.0[first].0 + SECOND <= *at {
                within -= self.0[first].1;
                first += 1;
            }
            most = most.max(within);
        }
        most
    }
}

/// An ESME that has always something to send, on a clock that the test sets.
struct Sender {
    esme: Peer<Esme>,
    now: u64,
    output: Vec<u8>,
    message_length: usize,
    departures: Departures,
}

impl Sender {
    fn new(rate: Rate) -> Self {
        let config = Config::default()
            .rate(rate)
            .window(u16::MAX)
            .max_output(usize::MAX)
            .response_timeout(Duration::from_secs(3600))
            .enquire_link_interval(None);
        let mut esme = bound_esme(config, BindMode::Transceiver);
        let mut output = Vec::new();
        let now = 10 * SECOND;
        // The first message, to measure its length.
        esme.submit(Instant::from_nanos(now), "hello").unwrap();
        assert!(esme.session.poll_transmit(&mut output));
        let message_length = output.len();
        Self { esme, now, output, message_length, departures: Departures(vec![(now, 1)]) }
    }

    /// Submits as many messages as the session accepts now. Their octets leave `delay` later. Returns when to retry.
    fn submit_all(&mut self, delay: u64) -> u64 {
        let at = Instant::from_nanos(self.now);
        let retry = loop {
            match self.esme.submit(at, "hello") {
                Ok(_) => {}
                Err(Refusal::RateLimited(retry)) => break retry.as_nanos(),
                Err(other) => panic!("{other:?}"),
            }
        };
        assert!(retry > self.now);
        self.now += delay;
        self.esme.handle_timeouts(Instant::from_nanos(self.now));
        self.output.clear();
        if self.esme.session.poll_transmit(&mut self.output) {
            assert_eq!(self.output.len() % self.message_length, 0, "only messages");
            self.departures.0.push((self.now, self.output.len() / self.message_length));
        }
        retry
    }
}

#[test]
fn no_sliding_second_holds_more_than_the_rate_however_late_the_caller_is() {
    for seed in 1..=120 {
        let mut rng = Rng(u64::wrapping_mul(seed, 0x9E37_79B9_7F4A_7C15));
        let most: u64 = [20, 200, 3_000, 50_000][seed as usize % 4];
        let limit = 1 + rng.below(most) as u32;
        let burst = if rng.below(3) == 0 { 1 + rng.below(u64::from(limit) / 20 + 1) as u32 } else { 1 };
        let mut sender = Sender::new(Rate::per_second(limit).with_burst(burst));
        // The messages that are measured fit into the window.
        let end = sender.now + SECOND * 30_000.min(6 * u64::from(limit)) / u64::from(limit);
        // How late the caller is, from a microsecond to longer than the slack.
        let lateness = [MILLI / 1_000, MILLI, 4 * MILLI, 12 * MILLI][rng.below(4) as usize];
        while sender.now < end {
            let delay = if rng.below(2) == 0 { rng.below(lateness) } else { 0 };
            let retry = sender.submit_all(delay);
            let late = match rng.below(200) {
                // A pause.
                0 => rng.below(SECOND / 2),
                1 => rng.below(40 * MILLI),
                _ => rng.below(lateness),
            };
            sender.now = sender.now.max(retry + late);
        }
        let most = sender.departures.most_in_a_second();
        assert!(most <= limit as usize, "{most} in a second at {limit}, burst {burst}, seed {seed}");
    }
}

/// A timer that fires at whole milliseconds, and up to a further one late.
fn timer(rng: &mut Rng, at: u64) -> u64 {
    at.next_multiple_of(MILLI) + rng.below(MILLI)
}

#[test]
fn late_timers_cost_less_than_a_hundredth_of_the_rate() {
    for limit in [1, 2, 7, 50, 125, 200, 333, 500, 1_000, 2_500, 5_000, 20_000, 50_000_u32] {
        let mut rng = Rng(u64::from(limit) + 1);
        let mut sender = Sender::new(Rate::per_second(limit));
        let (start, messages) = (sender.now, u64::from(limit * 100).min(60_000));
        let end = start + SECOND * messages / u64::from(limit);
        let mut turns = 0;
        while sender.now < end {
            let delay = rng.below(MILLI / 5);
            let retry = sender.submit_all(delay);
            turns += 1;
            sender.now = sender.now.max(timer(&mut rng, retry));
        }
        let sent = sender.departures.count();
        assert!(sent as u64 * 100 >= messages * 99, "{sent} of {messages} at {limit}");
        assert!(sender.departures.most_in_a_second() <= limit as usize, "at {limit}");
        if limit >= 5_000 {
            assert!(sent >= 12 * turns, "{turns} turns for {sent} messages at {limit}");
        }
    }
}

#[test]
fn responses_do_not_tear_the_messages_of_a_turn_apart() {
    let mut sender = Sender::new(Rate::per_second(5_000));
    let mut turns = 0;
    // The caller looks every 50 us, as if responses woke it.
    for _ in 0..10_000 {
        let before = sender.departures.0.len();
        sender.submit_all(0);
        turns += sender.departures.0.len() - before;
        sender.now += 50_000;
    }
    let sent = sender.departures.count();
    assert!(sent >= 2_475, "{sent} in half a second");
    assert!(sent >= 9 * turns, "{turns} turns for {sent} messages");
}

#[test]
fn after_a_pause_no_more_messages_leave_at_once_than_the_slack_holds() {
    for (limit, expected) in [(1, 1), (50, 1), (125, 1), (200, 2), (1_000, 8), (5_000, 40), (50_000, 397)] {
        let mut sender = Sender::new(Rate::per_second(limit));
        sender.now += 5 * SECOND;
        sender.submit_all(0);
        assert_eq!(sender.departures.0.last().unwrap().1, expected, "at {limit}");
    }
}

#[test]
fn only_messages_count() {
    let config = Config::default().rate(Rate::per_second(1));
    let mut esme = bound_esme(config, BindMode::Transceiver);
    let now = Instant::ZERO;
    esme.submit(now, "message").unwrap();
    assert!(matches!(esme.submit(now, "next"), Err(Refusal::RateLimited(_))));
    assert!(esme.request(now, &QuerySm::default(), "query").is_ok(), "it is no message");
}

#[test]
fn a_rate_of_zero_is_refused_by_the_check_and_counts_as_one_without_it() {
    let rate = Rate::per_second(0);
    assert_eq!(rate.limit(), 0, "it stays what it is, so that a check finds it");
    let error = Config::default().rate(rate).check().unwrap_err().to_string();
    assert_eq!(
        error,
        "rate is 0 messages per second, so none could be sent: set it to 1 or more, or None for no limit"
    );
    assert_eq!(Config::default().rate(rate.with_burst(5)).check().unwrap_err().option, "rate");
    assert_eq!(Config::default().rate(Rate::per_second(1)).check(), Ok(()));
    let (mut limiter, mut one) = (RateLimiter::new(rate), RateLimiter::new(Rate::per_second(1)));
    let mut meter = RateMeter::new(rate);
    limiter.take(Instant::ZERO);
    one.take(Instant::ZERO);
    assert_eq!(limiter.ready_at(Instant::ZERO), one.ready_at(Instant::ZERO));
    assert!(meter.take(Instant::ZERO).is_ok() && meter.take(Instant::ZERO).is_err());
}
