//! Servers that read nothing, and connections that are dead or lost.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use smpp_proto::account::{Binds, Message, SegmentOutcome};
use smpp_proto::session::{CloseReason, Kind};
use smpp_proto::{RegisteredDelivery, SubmitSm, Tlv, Tlvs};
use smpp_std::account::{AccountConnector, SendError};

use crate::smsc::{Server, blocked, never_reads};
use crate::{SECOND, alone, bound, ends, fast, template, until};

#[test]
fn an_idle_bind_is_kept_and_a_dead_one_reconnects() {
    alone(|| {
        let server = Server::start("127.0.0.1:0");
        let (dead, go) = blocked();
        let (asked, good) = (AtomicU64::new(0), server.address);
        let mut options = fast(Binds::transceivers(1));
        options.session.enquire_link_interval = Some(Duration::from_millis(30));
        options.session.response_timeout = SECOND;
        let connector = AccountConnector::new(&server.endpoint(), options)
            .resolver(move |_| Ok(vec![if asked.fetch_add(1, Ordering::SeqCst) == 0 { dead } else { good }]));
        let (account, _arrivals) = connector.connect().unwrap();
        assert_eq!(ends(&account).next(), Some(CloseReason::LinkDead));
        let closed = account.stats().counters.links_closed;
        let probes = || {
            let stats = account.links().into_iter().find_map(|(.., stats)| stats);
            stats.map_or(0, |stats| stats.received.of(Kind::EnquireLink).responses)
        };
        until(|| probes() >= 5);
        assert_eq!((closed, account.stats().counters.links_closed), (1, 1));
        drop(go);
    });
}

/// Returns a connector whose first bind is to an SMSC that reads nothing, and whose other binds are to `server`; and a
/// message so long that the buffers of the sockets do not hold a thousand of them.
fn connector_to_blocked_smsc(
    server: &Server,
    response_timeout: Duration,
) -> (AccountConnector, mpsc::Sender<()>, Message) {
    let (blocked, go) = blocked();
    let (asked, good) = (AtomicU64::new(0), server.address);
    let mut options = fast(Binds::transceivers(1)).queue_capacity(2_000);
    options.session.window = 1_000;
    options.session.max_output = 64 << 20;
    options.session.response_timeout = response_timeout;
    let connector = AccountConnector::new(&server.endpoint(), options).resolver(move |_| {
        let first = asked.fetch_add(1, Ordering::SeqCst) == 0;
        Ok(vec![if first { blocked } else { good }])
    });
    let octets = vec![7; 30_000];
    let payload = [Tlv::message_payload(&octets).unwrap()];
    let registered_delivery = RegisteredDelivery::default();
    let big = SubmitSm { registered_delivery, tlvs: Tlvs::list(&payload), ..template() };
    (connector, go, Message::submit_sm(&big))
}

#[test]
fn a_server_that_reads_nothing_delays_no_other_bind() {
    alone(|| {
        let server = Server::start("127.0.0.1:0");
        let (connector, go, big) = connector_to_blocked_smsc(&server, 20 * SECOND);
        let (account, _arrivals) = connector.connect().unwrap();
        let submit = |number| (0..number).map(|_| account.submit(&big).unwrap()).collect::<Vec<_>>();
        let blocked = submit(900);
        account.set_binds(Binds::transceivers(2)).unwrap();
        until(|| bound(&account) == 2);
        for ticket in submit(500) {
            assert!(ticket.outcome().is_ok());
        }
        assert_eq!(account.queued(), 900, "the messages of the blocked bind are not lost");
        drop((go, blocked));
    });
}

#[test]
fn the_account_leaves_a_server_that_reads_nothing() {
    alone(|| {
        let server = Server::start("127.0.0.1:0");
        let (connector, go, big) = connector_to_blocked_smsc(&server, SECOND);
        let (account, _arrivals) = connector.connect().unwrap();
        let tickets: Vec<_> = (0..1_500).map(|_| account.submit(&big).unwrap()).collect();
        // After a timeout the session also sends enquire_link, which does not leave.
        assert_eq!(ends(&account).next(), Some(CloseReason::Stalled));
        // Each message has an outcome. One that was not sent goes on the next bind, unless it had timed out before.
        for ticket in tickets {
            match ticket.outcome() {
                Ok(_) => {}
                Err(SendError::Failed { outcome, .. }) => {
                    assert!(matches!(outcome.segments[..], [SegmentOutcome::Unanswered(_)]), "{outcome:?}");
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(account.send(&big).is_ok(), "the next bind is to the other server");
        drop(go);
    });
}

#[test]
fn a_lost_connection_is_detected_at_once_while_the_session_wants_no_input() {
    alone(|| {
        let address = never_reads();
        let mut options = fast(Binds::transceivers(1));
        options.session.max_pdu = 100;
        options.session.max_output = 1;
        options.session.response_timeout = 5 * SECOND;
        let connector = AccountConnector::new(&format!("smpp://{address}").parse().unwrap(), options);
        let (account, _arrivals) = connector.connect().unwrap();
        let reason = ends(&account).next();
        assert_eq!(reason, Some(CloseReason::Disconnected), "detected at once, not after a timeout");
    });
}
