//! The event stream: its order, what a slow receiver loses, and the text of each event.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::ToString;
use core::cell::RefCell;
use core::task::Poll::{self, Pending, Ready};

use proptest::prelude::*;

use super::*;
use crate::diagnosis::ReceivedInstead;
use crate::session::{AcceptedResponse, CloseReason, RequestError, UnansweredReason};

const MILLIS: Duration = Duration::from_millis(1);

type Router = EventRouter<&'static str>;

/// Emits an event about this many unresolved messages: each number is an event of its own.
fn push(router: &mut Router, account: &mut Account, number: usize) {
    let ids = vec![MessageId::new(b"7"); number];
    let event = Event::ReceiptsExpired { message: MessageNumber(1), key: None, ids };
    router.handle_event(Instant::ZERO, account, event);
}

fn next(router: &mut Router, id: &ReceiverId) -> Poll<Option<AccountEvent>> {
    router.poll_event(id, &mut None)
}

fn numbered(number: usize) -> Poll<Option<AccountEvent>> {
    Ready(Some(AccountEvent::ReceiptsExpired { message: MessageNumber(1), key: None, segments: number }))
}

fn lagged(lost: u64) -> Poll<Option<AccountEvent>> {
    Ready(Some(AccountEvent::Lagged { lost }))
}

#[test]
fn a_slow_receiver_loses_the_oldest_events_and_is_told_how_many() {
    let mut account = Account::new(options(), Instant::ZERO).unwrap();
    let mut router = Router::new(1).with_events_capacity(3);
    let (slow, quick) = (router.add_receiver(), router.add_receiver());
    for number in 1..=5 {
        push(&mut router, &mut account, number);
        assert_eq!(next(&mut router, &quick), numbered(number));
    }
    assert_eq!(next(&mut router, &slow), lagged(2));
    for number in 3..=5 {
        assert_eq!(next(&mut router, &slow), numbered(number));
    }
    assert_eq!(next(&mut router, &slow), Pending);
}

#[test]
fn a_receiver_begins_where_it_is_made_and_the_first_gets_the_events_before_it() {
    let mut account = Account::new(options(), Instant::ZERO).unwrap();
    let mut router = Router::new(1);
    for number in 1..=70 {
        push(&mut router, &mut account, number);
    }
    let first = router.add_receiver();
    assert_eq!(next(&mut router, &first), numbered(7), "64 events are kept");
    let second = router.add_receiver();
    push(&mut router, &mut account, 71);
    assert_eq!(next(&mut router, &second), numbered(71));
    router.remove_receiver(&first);
    router.remove_receiver(&second);
    push(&mut router, &mut account, 72);
    let third = router.add_receiver();
    assert_eq!(next(&mut router, &third), Pending, "nothing is kept without a receiver");
    assert_eq!(next(&mut router, &first), Ready(None), "it is removed");
}

#[test]
fn an_event_wakes_every_receiver_that_waits_and_the_end_does_too() {
    let mut account = Account::new(options(), Instant::ZERO).unwrap();
    let mut router = Router::new(1);
    let (first, second) = (router.add_receiver(), router.add_receiver());
    assert_eq!(router.poll_event(&first, &mut Some("first")), Pending);
    assert_eq!(router.poll_event(&second, &mut Some("second")), Pending);
    push(&mut router, &mut account, 1);
    assert_eq!(router.take_wakers().collect::<Vec<_>>(), ["first", "second"]);
    assert_eq!(next(&mut router, &first), numbered(1));
    let mut waiter = Some("again");
    assert_eq!(router.poll_event(&first, &mut waiter), Pending);
    let mut replaced = Some("later");
    assert_eq!(router.poll_event(&first, &mut replaced), Pending);
    assert_eq!(replaced, Some("again"), "the router drops no waiter");
    router.close();
    assert_eq!(router.take_wakers().collect::<Vec<_>>(), ["later"]);
    assert_eq!(next(&mut router, &second), numbered(1), "what is there is not lost");
    assert_eq!((next(&mut router, &first), next(&mut router, &second)), (Ready(None), Ready(None)));
}

#[test]
fn a_detailed_receiver_gets_what_is_handed_to_the_transport_in_order_and_others_do_not() {
    let mut account = Account::new(options(), Instant::ZERO).unwrap();
    let mut router = Router::new(1);
    let receiver = router.add_receiver();
    let (message, bind) = (MessageNumber(1), BindId::new(LinkId(0), 1));
    let key = Some(MessageKey::new(b"row 1".to_vec()));
    let hand = |account: &mut Account, router: &mut Router, segment| {
        let event = Event::HandedToTransport { message, key: key.clone(), segment, bind };
        router.handle_event(Instant::ZERO, account, event);
        push(router, account, 1);
    };
    hand(&mut account, &mut router, 0);
    let detailed = router.add_detailed_receiver(&mut account);
    assert_eq!(router.poll_event(&detailed, &mut Some("detailed")), Pending, "from now on");
    hand(&mut account, &mut router, 1);
    assert_eq!(router.take_wakers().collect::<Vec<_>>(), ["detailed"]);
    let Ready(Some(handed)) = next(&mut router, &detailed) else { panic!() };
    assert_eq!(
        (handed.message(), handed.key(), handed.link()),
        (Some(message), key.as_ref(), Some(LinkId(0)))
    );
    assert!(matches!(handed, AccountEvent::HandedToTransport { segment: 1, .. }));
    assert_eq!(next(&mut router, &detailed), numbered(1));
    router.remove_receiver(&detailed);
    hand(&mut account, &mut router, 2);
    assert_eq!(next(&mut router, &detailed), Ready(None), "it is removed");
    for _ in 0..3 {
        assert_eq!(next(&mut router, &receiver), numbered(1));
    }
    assert_eq!(next(&mut router, &receiver), Pending);
    let detailed = router.add_detailed_receiver(&mut account);
    router.close();
    assert_eq!(next(&mut router, &detailed), Ready(None), "nothing is kept without a receiver");
}

#[test]
fn an_account_reports_what_is_handed_over_as_long_as_somebody_receives_it() {
    let bind = BindId::new(LinkId(0), 1);
    let event = || Event::HandedToTransport { message: MessageNumber(1), key: None, segment: 0, bind };
    for reported_before in [false, true] {
        let mut account = Account::<()>::new(options(), Instant::ZERO).unwrap();
        account.report_handed_over(reported_before);
        let mut router = Router::new(1);
        let receivers = [(); 2].map(|()| router.add_detailed_receiver(&mut account));
        router.remove_receiver(&receivers[0]);
        router.handle_event(Instant::ZERO, &mut account, event());
        assert!(account.reports_handed_over, "one is left");
        router.remove_receiver(&receivers[1]);
        router.handle_event(Instant::ZERO, &mut account, event());
        assert_eq!(account.reports_handed_over, reported_before, "as before the first receiver");
    }
}

#[test]
fn responses_of_the_smsc_are_bounded_in_octets() {
    let mut account = Account::<()>::new(options(), Instant::ZERO).unwrap();
    let mut router = Router::new(1);
    let receiver = router.add_receiver();
    for _ in 0..1_000 {
        let event =
            LinkEvent::ResolveFailed { detail: "x".repeat(1_000).into_boxed_str(), retry_in: Some(SECOND) };
        let link = LinkId(0);
        router.handle_event(Instant::ZERO, &mut account, Event::Link { link, event });
    }
    assert_eq!(next(&mut router, &receiver), lagged(1_000 - 262), "256 KiB are kept");
}

proptest! {
    /// The log behaves as a queue for each receiver, of which the oldest entries are lost.
    #[test]
    fn each_receiver_gets_each_event_once_in_order_or_is_told(
        capacity in 1_usize..5,
        steps in prop::collection::vec((0_usize..8, 0_usize..3), 1..80),
    ) {
        let mut account = Account::new(options(), Instant::ZERO).unwrap();
        let mut router = Router::new(1).with_events_capacity(capacity);
        // Each receiver, and the events that it has not read.
        let mut receivers = vec![(router.add_receiver(), VecDeque::new())];
        let mut number = 0;
        for (step, which) in steps {
            match step {
                0..4 => {
                    number += 1;
                    push(&mut router, &mut account, number);
                    for (_, unread) in &mut receivers {
                        unread.push_back(number);
                    }
                }
                4 if receivers.len() < 3 => receivers.push((router.add_receiver(), VecDeque::new())),
                5 if receivers.len() > 1 => {
                    let (id, _) = receivers.remove(which % receivers.len());
                    router.remove_receiver(&id);
                }
                _ => {
                    let which = which % receivers.len();
                    let (id, unread) = &mut receivers[which];
                    let lost = unread.len().saturating_sub(capacity);
                    let event = next(&mut router, id);
                    if lost > 0 {
                        unread.drain(..lost);
                        prop_assert_eq!(event, lagged(lost as u64));
                    } else {
                        prop_assert_eq!(event, unread.pop_front().map_or(Pending, numbered));
                    }
                }
            }
        }
    }
}

#[test]
fn the_stream_has_the_life_of_an_account_in_order() {
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(1), ..options() });
    let mut router = Router::new(10);
    let receiver = router.add_receiver();
    sim.advance(SECOND);
    sim.submit_status = vec![CommandStatus::RTHROTTLED, CommandStatus::RINVDSTADR];
    sim.send("Hello");
    sim.advance(2 * SECOND);
    sim.answers = false;
    sim.send("Hello");
    sim.advance(SECOND);
    let link = sim.servers[0].link;
    sim.account.handle_disconnect(sim.now, link);
    sim.advance(5 * SECOND);
    sim.account.shutdown(sim.now, SECOND);
    sim.advance(SECOND);
    for event in core::mem::take(&mut sim.events) {
        router.handle_event(sim.now, &mut sim.account, event);
    }
    let shown = core::iter::from_fn(|| match next(&mut router, &receiver) {
        Ready(event) => Some(event?.kind()),
        Pending => None,
    });
    let expected = [
        "binding",
        "bound",
        "throttled",
        "paused",
        "resumed",
        "message_failed",
        "message_in_doubt",
        "message_failed",
        "link_closed",
        "binding",
        "bound",
        "link_closed",
        "closed",
    ];
    assert_eq!(shown.collect::<Vec<_>>(), expected);
}

/// The events of connections, and their texts.
fn link_cases() -> Vec<(AccountEvent, &'static str)> {
    let (address, mode) = (address(1), BindMode::Transceiver);
    let refused = |status| RequestError::Refused { status, response: RefusedResponse::default() };
    let at = |event| AccountEvent::Link { link: LinkId(1), event };
    vec![
        (
            at(LinkEvent::Binding { mode, address }),
            "link 1: connected to 192.0.2.1:2776, binding as transceiver",
        ),
        (
            at(LinkEvent::Bound { bind: BindId::new(LinkId(1), 1), mode, address }),
            "link 1: bound as transceiver at 192.0.2.1:2776",
        ),
        (
            at(LinkEvent::ResolveFailed { detail: "timed out".into(), retry_in: Some(750 * MILLIS) }),
            "link 1: cannot resolve the host: timed out; next attempt in 750 ms",
        ),
        (
            at(LinkEvent::ConnectFailed {
                address,
                failure: ConnectFailure::Network,
                detail: "Connection refused".into(),
                retry_in: Some(12_340 * MILLIS),
            }),
            "link 1: cannot connect to 192.0.2.1:2776: no connection to the server: Connection refused; next attempt in \
             12.3 s",
        ),
        (
            at(LinkEvent::ConnectFailed {
                address,
                failure: ConnectFailure::Network,
                detail: "Connection refused".into(),
                retry_in: None,
            }),
            "link 1: cannot connect to 192.0.2.1:2776: no connection to the server: Connection refused; trying the \
             next address",
        ),
        (
            at(LinkEvent::BindRefused { address, error: refused(CommandStatus::RINVPASWD), received: None }),
            "link 1: bind failed at 192.0.2.1:2776: refused by the peer: ESME_RINVPASWD (0x0000000e): password wrong; check the password",
        ),
        (
            at(LinkEvent::BindRefused {
                address,
                error: RequestError::Unanswered(UnansweredReason::Timeout),
                received: Some(ReceivedInstead::Http),
            }),
            "link 1: bind failed at 192.0.2.1:2776: sent but not answered, the peer may have accepted it: no response \
             within response_timeout; the peer sent HTTP, not SMPP; check the port: this is that of a web server, an HTTP \
             API or a proxy, not of an SMSC",
        ),
        (
            at(LinkEvent::Throttled { status: CommandStatus::RTHROTTLED }),
            "link 1: throttled by the SMSC: ESME_RTHROTTLED (0x00000058): sending faster than allowed; the segment is sent again later",
        ),
        (
            at(LinkEvent::Paused { status: CommandStatus::RTHROTTLED, resume_in: SECOND }),
            "link 1: sending is paused for 1.0 s: ESME_RTHROTTLED (0x00000058): sending faster than allowed",
        ),
        (
            at(LinkEvent::Retrying { status: CommandStatus::RMSGQFUL, retry_in: SECOND }),
            "link 1: the SMSC refuses messages for the moment: ESME_RMSGQFUL (0x00000014): message queue full; each is sent \
             again in 1.0 s, others meanwhile",
        ),
        (at(LinkEvent::Resumed), "link 1: sending is resumed"),
        (at(LinkEvent::PeerUnbind), "link 1: the SMSC sent unbind; the account answers it and rebinds"),
        (
            at(LinkEvent::Closed {
                address,
                reason: CloseReason::LinkDead,
                refused: None,
                retry_in: Some(90 * SECOND),
            }),
            "link 1: connection to 192.0.2.1:2776 closed: the peer did not answer enquire_link within response_timeout; \
             rebinding in 90 s",
        ),
        (
            at(LinkEvent::Closed {
                address,
                reason: CloseReason::Unbound,
                refused: None,
                retry_in: Some(Duration::ZERO),
            }),
            "link 1: connection to 192.0.2.1:2776 closed: closed by unbind of this side; rebinding now",
        ),
        (
            at(LinkEvent::Closed {
                address,
                reason: CloseReason::Unbound,
                refused: Some(CommandStatus::RALYBND),
                retry_in: Some(SECOND),
            }),
            "link 1: connection to 192.0.2.1:2776 closed: the SMSC refused the bind: ESME_RALYBND (0x00000005): the \
             account is already at its limit of binds, or the session is bound; rebinding in 1.0 s",
        ),
        (
            at(LinkEvent::Closed { address, reason: CloseReason::Unbound, refused: None, retry_in: None }),
            "link 1: connection to 192.0.2.1:2776 closed: closed by unbind of this side",
        ),
    ]
}

/// The other events, and their texts.
fn account_cases() -> Vec<(AccountEvent, &'static str)> {
    let (link, message) = (LinkId(1), MessageNumber(17));
    vec![
        (
            AccountEvent::HandedToTransport { message, key: None, segment: 2, bind: BindId::new(link, 3) },
            "message 17, segment 2: handed to the transport on link 1",
        ),
        (
            AccountEvent::MessageInDoubt {
                message,
                key: None,
                segment: 2,
                link,
                reason: UnansweredReason::Closed(CloseReason::Disconnected),
                resend: false,
            },
            "message 17, segment 2: sent on link 1 without a response, the SMSC may have accepted it: the connection ended \
             without unbind; it is not sent again",
        ),
        (
            AccountEvent::MessageFailed {
                message,
                key: None,
                outcome: super::refused(CommandStatus::RINVDSTADR),
                is_safe_to_resend: true,
            },
            "message 17 failed: refused by the peer: ESME_RINVDSTADR (0x0000000b): destination address not accepted; a resend is safe",
        ),
        (
            AccountEvent::MessageFailed {
                message,
                key: None,
                outcome: SegmentOutcome::NeverSent(SegmentNotSentReason::Expired),
                is_safe_to_resend: false,
            },
            "message 17 failed: not sent: the message's deadline passed; a resend may deliver it twice",
        ),
        (
            AccountEvent::LateOutcome {
                message,
                key: None,
                segment: 0,
                outcome: SegmentOutcome::Accepted {
                    id: MessageId::new(b"7"),
                    bind: BindId::new(link, 3),
                    response: AcceptedResponse::default(),
                },
            },
            "message 17, segment 0: late response: accepted as 7",
        ),
        (
            AccountEvent::ReceiptsExpired { message, key: None, segments: 1 },
            "message 17: no final delivery receipt for 1 segment; the account waits no longer",
        ),
        (
            AccountEvent::Stopped {
                cause: StopCause::Bind,
                status: CommandStatus::RINVSYSID,
                response: RefusedResponse::default(),
            },
            "stopped, the account binds no more: bind refused by the peer: ESME_RINVSYSID (0x0000000f): system_id wrong; check the system_id",
        ),
        (
            AccountEvent::Stopped {
                cause: StopCause::Message,
                status: CommandStatus(0x450),
                response: RefusedResponse::default(),
            },
            "stopped, the account sends no more: message refused by the peer: 0x00000450: a vendor's own status; resume the account once the provider takes its messages",
        ),
        (AccountEvent::Resumed, "resumed: the account binds and sends again"),
        (AccountEvent::Closed { unresolved: 3 }, "the account is shut down, 3 messages unresolved"),
        (AccountEvent::Lagged { lost: 1 }, "1 event lost: the receiver reads too slowly"),
    ]
}

#[test]
fn each_event_is_one_line_that_says_what_where_and_what_next() {
    let mut kinds = Vec::new();
    for (event, expected) in link_cases().into_iter().chain(account_cases()) {
        assert_eq!(event.to_string(), expected, "{event:?}");
        let has_link = expected.starts_with("link 1") || expected.contains("on link 1");
        assert_eq!(event.link().is_some(), has_link, "{event:?}");
        assert_eq!(event.message().is_some(), expected.starts_with("message 17"), "{event:?}");
        assert!(!format!("{event:?}").contains("s3cret"));
        if !kinds.contains(&event.kind()) {
            kinds.push(event.kind());
        }
    }
    assert_eq!(kinds.len(), 20, "each variant has a kind of its own: {kinds:?}");
}

/// Collects the commands of the PDUs that arrive.
struct Arrived(Rc<RefCell<Vec<CommandId>>>);

impl session::Observer for Arrived {
    fn observe(&mut self, _: Instant, direction: session::Direction, pdu: session::ObservedPdu<'_>) {
        if direction == session::Direction::In {
            self.0.borrow_mut().push(pdu.header().command);
        }
    }
}

#[test]
fn a_bind_is_reported_after_its_response_was_observed() {
    let now = Instant::ZERO;
    let mut account = Account::<Arrived>::new(options(), now).unwrap();
    let arrived = Rc::new(RefCell::new(Vec::new()));
    let Some(Action::Resolve { link }) = account.poll_action() else { panic!() };
    account.handle_resolved(now, link, Ok(&[address(1)]));
    assert!(account.handle_connected(now, link, Arrived(Rc::clone(&arrived))));
    let mut octets = Vec::new();
    let response = crate::Pdu::BindResp(BindMode::Transceiver, Some(BindResp::default()));
    response.encode(CommandStatus::ROK, crate::SequenceNumber::FIRST, &mut octets);
    let is_bound = |event: Event| matches!(event, Event::Link { event: LinkEvent::Bound { .. }, .. });
    for end in 0..=octets.len() {
        account.handle_input(now, link, &mut &octets[..end]);
        let was_observed = arrived.borrow()[..] == [CommandId::BIND_TRANSCEIVER_RESP];
        let is_reported = core::iter::from_fn(|| account.poll_event()).any(is_bound);
        assert_eq!((was_observed, is_reported), (end == octets.len(), end == octets.len()));
    }
}
