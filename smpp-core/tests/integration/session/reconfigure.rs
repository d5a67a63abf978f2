//! Changing the configuration of a session that runs.

use std::time::Duration;

use smpp_proto::session::{CloseReason, Config, Instant, Rate, Refusal, Timer};
use smpp_proto::{BindMode, CommandId, Pdu};

use super::support::{OwnedEvent, OwnedOutcome, bound_esme, bound_smsc, request, secs, submit_sm};

const NOW: Instant = Instant::ZERO;

fn config() -> Config {
    Config::default().window(4)
}

#[test]
fn a_smaller_window_keeps_what_is_in_flight_and_a_larger_one_accepts_more() {
    let mut esme = bound_esme(config(), BindMode::Transceiver);
    for tag in ["1", "2", "3", "4"] {
        esme.submit(NOW, tag).unwrap();
    }
    esme.session.reconfigure(NOW, config().window(2));
    assert_eq!(esme.submit(NOW, "5"), Err(Refusal::WindowFull));
    assert_eq!(esme.session.in_flight(), 4);
    esme.session.reconfigure(NOW, config().window(6));
    esme.submit(NOW, "5").unwrap();
    esme.submit(NOW, "6").unwrap();
    assert_eq!(esme.submit(NOW, "7"), Err(Refusal::WindowFull));
}

#[test]
fn a_new_rate_limit_holds_in_the_second_after_the_change() {
    for (before, after) in [(Some(50), 10), (Some(5), 10), (None, 10)] {
        let rate = |limit: u32| Rate::per_second(limit).with_burst(3);
        let session = |limit: Option<u32>| config().rate(limit.map(rate)).window(1000);
        let mut esme = bound_esme(session(before), BindMode::Transceiver);
        let mut now = NOW + secs(1);
        for _ in 0..4 {
            let _ = esme.submit(now, "before");
        }
        esme.session.reconfigure(now, session(Some(after)));
        let end = now + secs(1);
        let mut sent = 0;
        while now < end {
            match esme.submit(now, "after") {
                Ok(_) => sent += 1,
                Err(Refusal::RateLimited(at)) => now = at,
                Err(other) => panic!("{other:?}"),
            }
        }
        assert!((6..=after).contains(&sent), "{sent} after {before:?}");
        esme.session.reconfigure(now, session(None));
        for _ in 0..50 {
            esme.submit(now, "unlimited").unwrap();
        }
    }
}

#[test]
fn a_slower_rate_counts_from_the_last_message() {
    let session = |rate: Option<Rate>| config().rate(rate).window(1000);
    for before in [Some(Rate::per_second(50)), None] {
        let mut esme = bound_esme(session(before), BindMode::Transceiver);
        let last = NOW + secs(1);
        esme.submit(last, "before").unwrap();
        let now = last + Duration::from_millis(30);
        esme.session.reconfigure(now, session(Some(Rate::per_second(10))));
        // It is due after 100.8 ms. After a limit, it may be sent up to 8 ms earlier.
        let next = last + Duration::from_micros(if before.is_some() { 92_800 } else { 100_800 });
        assert_eq!(esme.submit(now, "early"), Err(Refusal::RateLimited(next)));
        esme.submit(next, "after").unwrap();
        // Without a limit for a moment, it is not forgotten.
        esme.session.reconfigure(next, session(None));
        esme.session.reconfigure(next, session(Some(Rate::per_second(20))));
        let next = next + Duration::from_micros(50_400);
        assert_eq!(esme.submit(now, "early"), Err(Refusal::RateLimited(next)));
    }
}

#[test]
fn a_new_response_timeout_holds_for_requests_in_flight() {
    let mut esme = bound_esme(config(), BindMode::Transceiver);
    esme.submit(NOW, "hello").unwrap();
    esme.transmit();
    let shorter = config().response_timeout(secs(3));
    esme.session.reconfigure(NOW + secs(1), shorter);
    assert_eq!(esme.session.poll_timeout(), Some((NOW + secs(3), Timer::Response)));
    esme.handle_timeouts(NOW + secs(3));
    let timeout = OwnedOutcome::Unanswered(smpp_proto::session::UnansweredReason::Timeout);
    assert!(esme.take_events().contains(&OwnedEvent::Outcome("hello", timeout)));
}

#[test]
fn keep_alive_and_inactivity_count_from_the_last_pdu() {
    let mut esme = bound_esme(config(), BindMode::Transceiver);
    assert_eq!(esme.session.poll_timeout(), Some((NOW + secs(20), Timer::EnquireLink)));
    let at = NOW + secs(5);
    esme.session.reconfigure(at, config().enquire_link_interval(None));
    assert_eq!(esme.session.poll_timeout(), None);
    let idle = config().enquire_link_interval(secs(8)).inactivity_timeout(secs(7));
    esme.session.reconfigure(at, idle);
    assert_eq!(esme.session.poll_timeout(), Some((NOW + secs(7), Timer::Inactivity)));
    esme.session.reconfigure(at, idle.inactivity_timeout(None));
    assert_eq!(esme.session.poll_timeout(), Some((NOW + secs(8), Timer::EnquireLink)));
    // The deadline of an enquire_link that was sent stays.
    esme.handle_timeouts(NOW + secs(8));
    esme.transmit();
    let sent = Some((NOW + secs(18), Timer::EnquireLinkResponse));
    assert_eq!(esme.session.poll_timeout(), sent);
    esme.session.reconfigure(NOW + secs(9), idle.enquire_link_interval(secs(1)));
    esme.session.reconfigure(NOW + secs(9), idle.inactivity_timeout(None));
    assert_eq!(esme.session.poll_timeout(), sent);
    esme.handle_timeouts(NOW + secs(18));
    assert_eq!(esme.closed, Some(CloseReason::LinkDead));
}

#[test]
fn backpressure_follows_max_unanswered() {
    let config = |max_unanswered| Config::default().max_unanswered(max_unanswered);
    let mut smsc = bound_smsc(config(4), BindMode::Transceiver);
    let flood: Vec<u8> =
        (2..8).flat_map(|sequence| request(Pdu::SubmitSm(submit_sm("x")), sequence)).collect();
    smsc.receive(NOW, &flood[..flood.len() / 2]);
    assert_eq!((smsc.submits.len(), smsc.session.wants_input()), (3, true));
    // Fewer than there are: the session reads no more, but not for ever.
    smsc.session.reconfigure(NOW, config(2));
    assert!(!smsc.session.wants_input());
    assert_eq!(smsc.session.poll_timeout(), Some((NOW + secs(5), Timer::Backpressure)));
    smsc.receive(NOW, &flood[flood.len() / 2..]);
    assert_eq!(smsc.submits.len(), 3);
    smsc.session.reconfigure(NOW, config(10));
    assert_eq!(smsc.session.poll_timeout(), Some((NOW, Timer::Input)), "what was left over");
    smsc.receive(NOW, &[]);
    assert_eq!((smsc.submits.len(), smsc.unread.len()), (6, 0));
    smsc.handle_timeouts(NOW + Duration::from_secs(6));
    assert_eq!(smsc.take_events(), [CommandId::SUBMIT_SM; 6].map(OwnedEvent::Request), "none was refused");
}

#[test]
fn a_larger_max_unanswered_ends_the_overload() {
    let config = |max_unanswered| Config::default().max_unanswered(max_unanswered);
    let mut smsc = bound_smsc(config(1), BindMode::Transceiver);
    let message = |sequence| request(Pdu::SubmitSm(submit_sm("x")), sequence);
    smsc.receive(NOW, &message(2));
    smsc.handle_timeouts(NOW + secs(5));
    assert!(smsc.session.wants_input(), "it refuses messages with ESME_RTHROTTLED");
    smsc.session.reconfigure(NOW + secs(5), config(2));
    smsc.receive(NOW + secs(6), &message(3));
    assert_eq!(
        (smsc.submits.len(), smsc.session.wants_input()),
        (2, false),
        "the next full load is held back"
    );
    assert_eq!(smsc.session.poll_timeout(), Some((NOW + secs(11), Timer::Backpressure)));
}
