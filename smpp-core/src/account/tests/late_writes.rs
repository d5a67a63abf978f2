//! Octets that an adapter takes later than they were encoded, and observers that panic meanwhile.

extern crate std;

use core::task::Poll;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::pdu::Pdu;
use crate::session::{Direction, ObservedPdu, Observer, Rate};

/// Returns the most of these times that are within a second.
fn most_in_a_second(left: &[Instant]) -> usize {
    let within = |first: usize| left[first..].iter().take_while(|at| **at - left[first] < SECOND).count();
    (0..left.len()).map(within).max().unwrap_or_default()
}

/// An adapter that leaves the output of some messages for 5 ms, and then writes that of each message at once.
#[test]
fn octets_that_leave_late_count_when_they_leave() {
    for (rate, burst) in [(1000, 7), (50, 1)] {
        let session = Config::default().window(5_000).rate(Rate::per_second(rate));
        let options = options().binds(Binds::transceivers(1)).max_binds(1).queue_capacity(10_000);
        let mut sim = Simulation::new(options.rate(Rate::per_second(rate)).session(session));
        sim.advance(SECOND);
        sim.answers = false;
        let (start, link) = (sim.now, LinkId(0));
        let submit = |account: &mut Account, now| {
            account.submit(now, &Message::text(&template(), "x")).unwrap();
        };
        (0..burst).for_each(|_| submit(&mut sim.account, start));
        let mut left = Vec::new();
        let mut now = start + Duration::from_millis(5);
        while now < start + 3 * SECOND {
            sim.account.handle_timeout(now);
            for is_late in [left.is_empty(), false] {
                let mut out = Vec::new();
                sim.account.poll_transmit_at(now, link, &mut out);
                sim.account.handle_transmitted(now, link, out.len());
                let mut rest = &out[..];
                while let Ok(Some((_, after))) = crate::frame::split(rest, 70_000) {
                    left.push(now);
                    rest = after;
                }
                if is_late {
                    (0..3_000).for_each(|_| submit(&mut sim.account, now));
                }
            }
            now = sim.account.poll_timeout().unwrap().max(now);
        }
        assert!(left.len() as u32 > 2 * rate, "{} left", left.len());
        assert_eq!(most_in_a_second(&left), rate as usize);
    }
}

/// Panics at the first response to a message.
struct Panicking(bool);

impl Observer for Panicking {
    fn observe(&mut self, _: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        let is_response = pdu.header().command == CommandId::SUBMIT_SM_RESP && direction == Direction::In;
        assert!(!is_response || std::mem::replace(&mut self.0, true), "an observer panics");
    }
}

#[test]
fn a_message_whose_response_makes_the_observer_panic_is_unanswered() {
    for is_direct in [false, true] {
        let options = options().binds(Binds::transceivers(1)).max_binds(1);
        let mut account = Account::<Panicking>::new(options, Instant::ZERO).unwrap();
        let mut router = EventRouter::<u32>::new(8);
        let (now, link) = (Instant::ZERO, LinkId(0));
        account.handle_timeout(now);
        account.handle_resolved(now, link, Ok(&[address(1)]));
        assert!(account.handle_connected(now, link, Panicking(false)));
        let exchange =
            |account: &mut Account<Panicking>, router: &mut EventRouter<u32>, response: &Pdu<'_>| {
                let (mut request, mut octets) = (Vec::new(), Vec::new());
                assert!(account.poll_transmit(link, &mut request));
                account.handle_transmitted(now, link, request.len());
                let (frame, _) = crate::frame::split(&request, 70_000).unwrap().unwrap();
                response.encode(CommandStatus::ROK, frame.header().sequence, &mut octets);
                let mut input = &octets[..];
                if is_direct {
                    router.handle_input(now, account, link, &mut input);
                } else {
                    account.handle_input(now, link, &mut input);
                }
                while let Some(event) = account.poll_event() {
                    router.handle_event(now, account, event);
                }
            };
        exchange(&mut account, &mut router, &Pdu::BindResp(BindMode::Transceiver, Some(BindResp::default())));
        let number = router.submit(now, &mut account, &Message::text(&template(), "x")).unwrap();
        let message_id = COctets::new(b"17").unwrap();
        let response = Pdu::SubmitSmResp(Some(SubmitSmResp { message_id, ..SubmitSmResp::default() }));
        let panicked =
            catch_unwind(AssertUnwindSafe(|| exchange(&mut account, &mut router, &response))).is_err();
        assert!(panicked);
        account.handle_closed(now, link);
        while let Some(event) = account.poll_event() {
            router.handle_event(now, &mut account, event);
        }
        router.take_outcomes(&mut account);
        let Poll::Ready(Err(SendError::Failed { outcome, .. })) = router.poll_outcome(number, &mut None)
        else {
            panic!("no outcome, is_direct: {is_direct}")
        };
        assert!(matches!(outcome.segments[0], SegmentOutcome::Unanswered { .. }), "{outcome:?}");
        assert_eq!(account.queued(), 0);
    }
}
