//! Ends of connections, and the shutdown of the server.

use super::*;
use crate::pdu::{SubmitSm, SubmitSmResp};

const NOW: Instant = Instant::ZERO;

#[test]
fn a_half_closed_connection_still_gets_its_responses() {
    let mut server = Server::new(Options::default());
    let mut application = Application::default();
    let mut peer = Peer::bound(&mut server, &mut application, "shop", TRX);
    peer.request(&mut server, &mut application, &SubmitSm::default(), "message");
    server.handle_eof(NOW, peer.connection);
    assert_eq!(server.registry().binds(b"shop"), 0, "it counts no more");
    let reply = application.requests.remove(0);
    server.respond(NOW, peer.connection, reply, Ok(SubmitSmResp::default())).unwrap();
    peer.exchange(&mut server, NOW, &mut application);
    assert_eq!(peer.outcomes.last(), Some(&("message", Some(CommandStatus::ROK))));
    server.handle_connection_timeout(NOW, peer.connection);
    assert_eq!(closes(&mut server), [peer.connection]);
    assert!(lines(&mut server).last().unwrap().ends_with("ended: the connection ended without unbind"));
}

#[test]
fn a_half_closed_connection_ends_although_no_response_comes() {
    let mut server = Server::new(Options::default());
    let mut application = Application::default();
    let mut peer = Peer::bound(&mut server, &mut application, "shop", TRX);
    peer.request(&mut server, &mut application, &SubmitSm::default(), "message");
    server.handle_eof(NOW, peer.connection);
    let (due, _) = server.poll_connection_timeout(peer.connection).unwrap();
    assert_eq!(due, NOW + Config::default().drain_timeout);
    server.handle_connection_timeout(due, peer.connection);
    assert_eq!(closes(&mut server), [peer.connection]);
}

#[test]
fn a_shutdown_unbinds_and_ends_with_closed() {
    let mut server = Server::new(Options::default());
    let mut application = Application::default();
    let mut peer = Peer::bound(&mut server, &mut application, "shop", TRX);
    let unbound = server.accept(NOW, address("192.0.2.1"), Config::default(), ()).unwrap();
    server.deliver(NOW, b"other", delivery(&[1])).unwrap();
    server.shutdown(NOW, Duration::from_secs(10));
    assert_eq!(closes(&mut server), [unbound]);
    assert_eq!(server.deliver(NOW, b"shop", delivery(&[2])), Err(DeliverError::ShutDown));
    let rejected = server.accept(NOW, address("192.0.2.1"), Config::default(), ());
    assert_eq!(rejected, Err(RejectReason::Stopping));
    peer.exchange(&mut server, NOW, &mut application);
    assert!(server.poll_timeout().is_some(), "the transport is not closed");
    server.handle_connection_timeout(NOW, peer.connection);
    assert_eq!(closes(&mut server), [peer.connection]);
    let last: Vec<_> = lines(&mut server).into_iter().rev().take(3).collect();
    assert_eq!(
        last,
        [
            "the server is shut down",
            "delivery 1 to other: not sent: the server shut down",
            "connection 1: shop from 192.0.2.1:4000 ended: closed by unbind of this side"
        ]
    );
    assert_eq!(server.poll_timeout(), None);
}

#[test]
fn a_server_without_connections_shuts_down_at_once() {
    let mut server = Server::new(Options::default());
    server.shutdown(NOW, Duration::from_secs(10));
    assert_eq!((kinds(&mut server), server.poll_timeout()), (alloc::vec!["closed"], None));
}

#[test]
fn a_shutdown_ends_in_time_whatever_the_application_does() {
    let mut server = Server::new(Options { connections_per_address: 1000, ..Options::default() });
    let mut application = Application {
        admission: Admission { binds: Some(BindLimits::total(1000)), ..Admission::default() },
        ..Application::default()
    };
    for _ in 0..600 {
        let mut peer = Peer::bound(&mut server, &mut application, "shop", TRX);
        peer.request(&mut server, &mut application, &SubmitSm::default(), "never answered");
    }
    server.shutdown(NOW, Duration::from_secs(4));
    // Some connections at a time.
    let mut calls = 1;
    while server.poll_timeout().unwrap() < at(1) {
        server.handle_timeout(NOW);
        calls += 1;
    }
    assert_eq!((calls, server.stats().bound), (3, 600));
    assert_eq!(server.poll_timeout(), Some(at(4000)));
    for _ in 0..20 {
        server.handle_timeout(at(4000));
    }
    assert_eq!(kinds(&mut server).last(), Some(&"closed"));
    assert_eq!((server.stats().bound, server.poll_timeout()), (0, None));
}
