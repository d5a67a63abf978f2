use super::*;
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;

const START: Instant = Instant::ZERO;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Counts the messages in the second after `start` if each is sent as soon as the limiter allows. It counts to 10,000.
fn sent_in_a_second(limiter: &mut RateLimiter, start: Instant) -> usize {
    let end = start + millis(1000);
    let mut now = start.max(limiter.ready_at(start));
    let mut sent = 0;
    while now < end && sent < 10_000 {
        limiter.take(now);
        sent += 1;
        now = now.max(limiter.ready_at(now));
    }
    sent
}

#[test]
fn an_overloaded_peer_halves_the_rate_which_then_recovers() {
    for burst in [1, 10] {
        let mut limiter = RateLimiter::new(Rate::per_second(50).with_burst(burst));
        let at = |seconds: u64| START + millis(1000 * seconds);
        limiter.slow_down(at(0), at(0), millis(1), Load::Full);
        let counts: Vec<usize> = (0..12).map(|second| sent_in_a_second(&mut limiter, at(second))).collect();
        let half = (51 - burst as usize) / 2;
        assert!((half - 2..=half + 2).contains(&counts[0]), "{counts:?}");
        assert!(counts[..10].is_sorted(), "{counts:?}");
        assert!(counts[5] > half + 5 && counts[5] < 46, "{counts:?}");
        assert!(counts[10..].iter().all(|count| *count >= 50 - burst as usize), "{counts:?}");
    }
}

#[test]
fn a_message_sent_before_a_slow_down_causes_no_further_slow_down() {
    let mut limiter = RateLimiter::new(Rate::per_second(10));
    let later = START + millis(50);
    for _ in 0..5 {
        limiter.slow_down(later, START, millis(1), Load::Full);
    }
    assert_eq!(limiter.ready_at(later), later + Duration::from_micros(2 * 100_800));
    limiter.slow_down(later, later, millis(1), Load::NearlyFull);
    assert_eq!(limiter.ready_at(later), later + Duration::from_micros(2 * 100_800 * 9 / 8));
}

#[test]
fn a_slow_down_never_stops_messages() {
    let mut limiter = RateLimiter::new(Rate::per_second(50));
    for step in 0..40 {
        let now = START + millis(step);
        limiter.slow_down(now, now, Duration::MAX, Load::Full);
    }
    assert!(limiter.ready_at(START) <= START + millis(1040));
    let mut slower = RateLimiter::new(Rate::per_second(1));
    slower.slow_down(START, START, Duration::ZERO, Load::Full);
    assert_eq!(slower.ready_at(START), START + millis(1008), "a lower rate stays");
}

#[test]
fn a_high_rate_is_halved_exactly() {
    for (mut limiter, nanos) in
        [(RateLimiter::new(Rate::per_second(10_000)), 100_800), (RateLimiter::unlimited(), 100_000)]
    {
        limiter.slow_down(START, START, Duration::from_micros(100), Load::Full);
        assert_eq!(limiter.ready_at(START), START + Duration::from_nanos(2 * nanos));
    }
}

#[test]
fn without_a_rate_limit_the_observed_rate_is_halved() {
    let mut limiter = RateLimiter::unlimited();
    limiter.take(START);
    limiter.take(START);
    limiter.slow_down(START, START, millis(5), Load::Full);
    assert_eq!(limiter.ready_at(START), START + millis(10));
    // The rate grows from 100 messages per second to 200, by 10 in each second.
    for second in 0..10 {
        let sent = sent_in_a_second(&mut limiter, START + millis(1000 * second as u64));
        let expected = 100 + 10 * second;
        assert!((expected - 3..=expected + 13).contains(&sent), "{sent} in second {second}");
    }
    let recovered = START + Duration::from_secs(11);
    limiter.take(recovered);
    assert_eq!(limiter.ready_at(recovered), recovered, "the limit has ended");
}

proptest! {
    #[test]
    fn no_sliding_second_holds_more_than_the_limit(
        limit in 1_u32..60,
        burst in 0_u32..60,
        steps in prop::collection::vec((0_u64..80_000_000, prop::bool::weighted(0.1)), 1..400),
    ) {
        let mut limiter = RateLimiter::new(Rate::per_second(limit).with_burst(burst));
        let mut now = 0;
        let mut taken = Vec::new();
        for (step, overloaded) in steps {
            now += step;
            if overloaded {
                let now = Instant::from_nanos(now);
                limiter.slow_down(now, now, Duration::ZERO, Load::Full);
            }
            // Send as many as the limiter allows at this time.
            while limiter.ready_at(Instant::from_nanos(now)).as_nanos() <= now {
                limiter.take(Instant::from_nanos(now));
                taken.push(now);
            }
        }
        for (index, &start) in taken.iter().enumerate() {
            let within = taken[index..].iter().take_while(|&&at| at < start + SECOND).count();
            prop_assert!(within <= limit as usize, "{within} in a second at a limit of {limit}");
        }
    }
}

#[test]
fn several_at_once_wait_no_longer_than_the_slow_down() {
    let fifty = (RateLimiter::new(Rate::per_second(50)), Duration::from_micros(20_160));
    for (mut limiter, full_rate) in [(RateLimiter::unlimited(), millis(0)), fifty] {
        limiter.slow_down(START, START, Duration::MAX, Load::Full);
        let recovered = START + Duration::from_nanos(RECOVERY);
        assert_eq!(limiter.ready_for(START, 2), START + millis(2000));
        assert!(limiter.ready_for(START, 200) <= recovered + 49 * full_rate);
        assert!(limiter.ready_after(START, 200) <= recovered + 200 * full_rate);
        let sent = START + millis(1000);
        limiter.take_many(sent, 200);
        assert!(limiter.ready_at(sent) >= recovered);
        assert!(limiter.ready_at(sent) <= recovered + 200 * full_rate);
    }
}

#[test]
fn a_burst_counts_after_a_change_of_the_rate() {
    let burst = Rate::per_second(50).with_burst(10);
    let even = Some(Rate::per_second(50));
    for changes in [vec![even], vec![Some(burst), even, even]] {
        let mut limiter = RateLimiter::new(burst);
        let now = START + millis(5000);
        for _ in 0..10 {
            limiter.take(now);
        }
        for rate in &changes {
            limiter.set_rate(now, *rate);
        }
        let sent = sent_in_a_second(&mut limiter, now);
        assert!((30..=40).contains(&sent), "{sent} after {changes:?}");
    }
    let mut limiter = RateLimiter::new(burst);
    limiter.set_rate(START, Some(burst));
    for _ in 0..10 {
        limiter.take(START);
    }
    assert!(limiter.ready_at(START) > START, "an equal rate keeps the burst, and no more");
}

proptest! {
    #[test]
    fn no_sliding_second_holds_more_than_the_higher_limit_when_the_rate_changes(
        first in (1_u32..60, 0_u32..60),
        steps in prop::collection::vec(
            (0_u64..300_000_000, 1_u32..40, prop::option::weighted(0.2, (1_u32..60, 0_u32..60))),
            1..200,
        ),
    ) {
        let rate = |(limit, burst): (u32, u32)| Rate::per_second(limit).with_burst(burst);
        let mut limiter = RateLimiter::new(rate(first));
        let mut now = 0;
        // The limits by the times from which they hold.
        let mut limits = vec![(0, first.0)];
        let mut taken: Vec<(u64, u32)> = Vec::new();
        for (step, messages, change) in steps {
            now += step;
            let at = Instant::from_nanos(now);
            if let Some(change) = change {
                limiter.set_rate(at, Some(rate(change)));
                limits.push((now, change.0));
            } else if messages > 20 {
                while limiter.ready_at(at) <= at {
                    limiter.take(at);
                    taken.push((now, 1));
                }
            } else if limiter.ready_for(at, messages) <= at {
                limiter.take_many(at, messages);
                taken.push((now, messages));
            }
        }
        for (index, &(start, _)) in taken.iter().enumerate() {
            let end = start + SECOND;
            let within = taken[index..].iter().take_while(|(at, _)| *at < end);
            let count: u32 = within.clone().map(|(_, messages)| messages).sum();
            // The rate may have changed at the time of the first message, before or after it.
            let first = limits.iter().rposition(|(from, _)| *from < start).unwrap_or(0);
            let held = limits[first..].iter().take_while(|(from, _)| *from < end);
            let limit = held.map(|(_, limit)| *limit).max().unwrap_or(0);
            let is_alone = within.count() == 1;
            prop_assert!(is_alone || count <= limit, "{count} in a second at a limit of {limit}");
        }
    }
}

proptest! {
    #[test]
    fn no_sliding_second_holds_more_than_the_limit_when_several_are_sent_at_once(
        limit in 1_u32..60,
        burst in 0_u32..60,
        steps in prop::collection::vec((0_u64..300_000_000, 1_u32..70), 1..300),
    ) {
        let mut limiter = RateLimiter::new(Rate::per_second(limit).with_burst(burst));
        let mut now = 0;
        let mut taken: Vec<(u64, u32)> = Vec::new();
        for (step, messages) in steps {
            now += step;
            if messages % 3 == 0 {
                // Send single messages as long as the limiter allows.
                while limiter.ready_for(Instant::from_nanos(now), 1).as_nanos() <= now {
                    limiter.take(Instant::from_nanos(now));
                    taken.push((now, 1));
                }
                continue;
            }
            let ready = limiter.ready_for(Instant::from_nanos(now), messages).as_nanos();
            if ready > now {
                prop_assert!(ready - now <= 120 * SECOND, "they wait too long");
                limiter.hold_until(Instant::from_nanos(ready));
                prop_assert!(limiter.ready_at(Instant::from_nanos(now)).as_nanos() >= ready);
                now = ready;
            }
            limiter.take_many(Instant::from_nanos(now), messages);
            taken.push((now, messages));
        }
        for (index, &(start, messages)) in taken.iter().enumerate() {
            let within = taken[index..].iter().take_while(|(at, _)| *at < start + SECOND);
            let count: u32 = within.clone().map(|(_, messages)| messages).sum();
            let is_alone = within.count() == 1 && messages > limit;
            prop_assert!(is_alone || count <= limit, "{count} in a second at a limit of {limit}");
        }
    }
}

#[test]
fn without_burst_the_full_rate_is_sustained() {
    let mut limiter = RateLimiter::new(Rate::per_second(50));
    let mut now = Instant::ZERO;
    for _ in 0..50 {
        limiter.take(now);
        now = limiter.ready_at(now);
    }
    assert_eq!(now, Instant::from_nanos(SECOND), "fifty messages take one second");
}
