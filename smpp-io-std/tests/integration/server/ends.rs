//! What a shutdown, the drop of a server, the end of a session, and the timeouts end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use smpp_proto::session::{CloseReason, Config, NotSentReason, RequestError, UnansweredReason};
use smpp_proto::{Bind, COctets, CommandStatus, Pdu};
use smpp_std::ServerLimits;

use crate::common::{octets, watched};
use crate::server::support::{
    TIMEOUT, TRX, bind, connect, deliver, delivered, esme, event, serve, submit, until,
};

const MILLISECOND: Duration = Duration::from_millis(1);

/// A short time in which a session waits for an application that does not respond.
fn impatient() -> Config {
    Config::default().backpressure_timeout(50 * MILLISECOND).drain_timeout(50 * MILLISECOND)
}

fn undecided() -> Bind<'static> {
    Bind { system_id: COctets::new(b"undecided").unwrap(), ..Bind::default() }
}

#[test]
fn a_shutdown_completes_requests_in_flight() {
    watched(|| {
        let (server, address, test) = serve(ServerLimits::default(), Config::default());
        let (client, mut inbox) = esme(address, "shop", TRX);
        let idle = connect(address).0;
        until(|| server.binds().connections() == 2);
        let submitted = client.submit_pipelined(&submit(b"?")).unwrap();
        let (_, held) = test.message();
        let binds = server.binds().clone();
        let delivering = thread::spawn(move || binds.deliver(b"shop", &deliver(b"!")));
        let arrived = delivered(&mut inbox);
        let binds = server.binds().clone();
        let stopping = thread::spawn(move || server.shutdown(TIMEOUT));
        // Connections without a bind are closed.
        idle.closed();
        held.accept().unwrap();
        submitted.wait().unwrap();
        arrived.accept().unwrap();
        delivering.join().unwrap().unwrap();
        let shutdown = stopping.join().unwrap();
        assert_eq!((shutdown.aborted(), shutdown.not_bound), (0, 1));
        let reasons: Vec<_> = shutdown.ended.iter().map(|(_, end)| end.reason).collect();
        assert_eq!(reasons, [CloseReason::Unbound]);
        assert_eq!(client.closed().reason, CloseReason::PeerUnbound);
        assert_eq!(binds.connections(), 0);
        assert!(TcpStream::connect(address).is_err(), "the server still listens");
        let error = binds.deliver(b"shop", &deliver(b"!")).unwrap_err();
        assert_eq!(error, RequestError::NeverSent(NotSentReason::NoBind));
        test.event("bound shop");
        test.event("ended shop: closed by unbind of this side");
    });
}

#[test]
fn a_shutdown_aborts_after_its_timeout() {
    watched(|| {
        let (server, address, test) = serve(ServerLimits::default(), Config::default());
        let (client, _inbox) = esme(address, "shop", TRX);
        let submitted = client.submit_pipelined(&submit(b"?")).unwrap();
        let (_, held) = test.message();
        let shutdown = server.shutdown(50 * MILLISECOND);
        assert_eq!((shutdown.aborted(), shutdown.ended.len()), (1, 1));
        let error = submitted.wait().unwrap_err();
        let closed = UnansweredReason::Closed(CloseReason::Disconnected);
        assert_eq!(error, RequestError::Unanswered(closed));
        test.event("ended shop: aborted");
        drop(held);
    });
}

#[test]
fn dropping_a_server_aborts_every_session() {
    watched(|| {
        let (server, address, test) = serve(ServerLimits::default(), Config::default());
        let (bound, _inbox) = esme(address, "shop", TRX);
        let (idle, _inbox) = connect(address);
        until(|| server.binds().connections() == 2);
        let binds = server.binds().clone();
        drop(server);
        assert_eq!(bound.closed().reason, CloseReason::Disconnected);
        idle.closed();
        test.event("ended shop: aborted");
        until(|| binds.connections() == 0);
        assert!(binds.list().is_empty());
    });
}

#[test]
fn a_decision_that_takes_too_long_refuses_the_bind() {
    watched(|| {
        let limits = ServerLimits::default().decision_timeout(50 * MILLISECOND);
        let (server, address, test) = serve(limits, Config::default());
        let (client, _inbox) = connect(address);
        let error = client.bind(&undecided()).unwrap_err();
        assert_eq!(error.status(), Some(CommandStatus::RBINDFAIL));
        client.closed();
        test.event("refused undecided: ESME_RBINDFAIL");
        // Its thread goes on, and its connection counts until it returns.
        until(|| server.binds().stats().unbound == 0);
        assert_eq!((server.binds().connections(), server.binds().stats().closing), (1, 1));
        // Other binds do not wait for it.
        let (_shop, _inbox) = esme(address, "shop", TRX);
        drop(test.gate);
        event(&test.events, "decision ended");
        until(|| server.binds().connections() == 1);
        assert_eq!(server.binds().list().len(), 1, "the decision has no effect");
        assert_eq!(server.binds().stats().counters.binds_refused, 1);
    });
}

#[test]
fn no_bind_is_accepted_after_its_time_however_short_it_is() {
    watched(|| {
        let limits = ServerLimits::default().decision_timeout(Duration::ZERO);
        let (server, address, test) = serve(limits, Config::default());
        for _ in 0..200 {
            let (client, _inbox) = connect(address);
            // The service decides only afterwards.
            let error = client.bind(&undecided()).unwrap_err();
            assert_eq!(error.status(), Some(CommandStatus::RBINDFAIL));
            test.gate.send(()).unwrap();
            test.event("decision ended");
            until(|| server.binds().connections() == 0);
        }
        assert_eq!(server.binds().stats().counters.binds_refused, 200);
    });
}

#[test]
fn a_decision_ends_with_the_connection_and_with_the_server() {
    watched(|| {
        let config = Config::default().drain_timeout(50 * MILLISECOND);
        let (server, address, test) = serve(ServerLimits::default(), config);
        let (client, _inbox) = connect(address);
        let binding = client.clone();
        let binding = thread::spawn(move || binding.bind(&undecided()).map(drop));
        test.event("decision begun");
        client.abort();
        binding.join().unwrap().unwrap_err();
        until(|| server.binds().stats().counters.not_bound == 1);
        test.gate.send(()).unwrap();
        test.event("not bound: the session ended before a bind: the connection ended without unbind");

        let (client, _inbox) = connect(address);
        let binding = thread::spawn(move || client.bind(&undecided()).map(drop));
        test.event("decision begun");
        let began = Instant::now();
        let shutdown = server.shutdown(TIMEOUT);
        assert!(began.elapsed() < TIMEOUT / 2, "it waits for no decision");
        let error = binding.join().unwrap().unwrap_err();
        assert_eq!(error.status(), Some(CommandStatus::RBINDFAIL));
        assert_eq!((shutdown.not_bound, shutdown.ended.len()), (1, 0));
        test.gate.send(()).unwrap();
        test.event("not bound");
    });
}

#[test]
fn many_decisions_that_do_not_return_block_only_their_own_address() {
    watched(|| {
        let limits = ServerLimits::default().decision_timeout(20 * MILLISECOND).connections_per_address(5);
        let (server, address, test) = serve(limits, Config::default());
        for _ in 0..5 {
            let (client, _inbox) = connect(address);
            client.bind(&undecided()).unwrap_err();
            client.closed();
        }
        until(|| server.binds().stats().closing == 5);
        let (client, _inbox) = connect(address);
        bind(&client, "shop", "secret", TRX).unwrap_err();
        test.event("rejected: the limit of connections per address is reached");
        drop(test.gate);
        until(|| server.binds().connections() == 0);
        esme(address, "shop", TRX);
    });
}

#[test]
fn a_request_outlives_its_session() {
    watched(|| {
        let (server, address, test) = serve(ServerLimits::default(), impatient());
        let (client, _inbox) = esme(address, "shop", TRX);
        for _ in 0..3 {
            drop(client.submit_pipelined(&submit(b"work")).unwrap());
        }
        test.event("work begun");
        until(|| server.binds().list()[0].stats().unanswered == 3);
        client.abort();
        test.event("ended shop: the connection ended without unbind");
        assert!(server.binds().list().is_empty());
        let began = Instant::now();
        assert_eq!(server.shutdown(TIMEOUT).ended.len(), 0);
        assert!(began.elapsed() < TIMEOUT / 2, "it waits for no call");
        for _ in 0..3 {
            test.gate.send(()).unwrap();
            test.event("work done");
        }
    });
}

#[test]
fn too_many_requests_are_dropped_with_their_session() {
    watched(|| {
        let limits = ServerLimits::default().detached_requests(0);
        let (server, address, test) = serve(limits, impatient());
        let (client, _inbox) = esme(address, "shop", TRX);
        for _ in 0..3 {
            drop(client.submit_pipelined(&submit(b"work")).unwrap());
        }
        test.event("work begun");
        until(|| server.binds().list()[0].stats().unanswered == 3);
        client.abort();
        test.event("ended shop: the connection ended without unbind");
        test.gate.send(()).unwrap();
        test.event("work done");
        until(|| server.binds().connections() == 0);
        assert!(test.events.try_iter().all(|line| line != "work begun"));
    });
}

#[test]
fn a_bind_works_while_its_request_waits() {
    watched(|| {
        let config = impatient().max_unanswered(1);
        let (server, address, test) = serve(ServerLimits::default(), config);
        let (client, mut inbox) = esme(address, "shop", TRX);
        drop(client.submit_pipelined(&submit(b"work")).unwrap());
        test.event("work begun");
        thread::scope(|scope| {
            let delivering = scope.spawn(|| server.deliver(b"shop", &deliver(b"3")).map(drop));
            delivered(&mut inbox).accept().unwrap();
            delivering.join().unwrap().unwrap();
        });
        client.abort();
        test.event("ended shop: the connection ended without unbind");
        drop(test.gate);
    });
}

#[test]
fn requests_can_be_answered_later_or_dropped() {
    watched(|| {
        let (_server, address, test) = serve(ServerLimits::default(), Config::default());
        let (client, _inbox) = esme(address, "shop", TRX);
        let [first, second] = [b"1", b"2"].map(|text| client.submit_pipelined(&submit(text)).unwrap());
        let ((bound, held), (_, dropped)) = (test.message(), test.message());
        assert_eq!((bound.system_id(), held.get().text()), (&b"shop"[..], &b"1"[..]));
        drop(dropped);
        let error = second.wait().unwrap_err();
        assert_eq!(error.status(), Some(CommandStatus::RSYSERR), "a temporary error");
        held.accept().unwrap();
        first.wait().unwrap();
    });
}

#[test]
fn a_panic_of_the_service_refuses_one_bind() {
    watched(|| {
        let (server, address, test) = serve(ServerLimits::default(), Config::default());
        let (_shop, _inbox) = esme(address, "shop", TRX);
        let (panics, _inbox) = connect(address);
        let error = bind(&panics, "panic", "secret", TRX).unwrap_err();
        assert_eq!(error.status(), Some(CommandStatus::RBINDFAIL));
        panics.closed();
        assert_eq!(server.binds().list().len(), 1);
        test.event("refused panic: ESME_RBINDFAIL");
    });
}

#[test]
fn timeouts_may_be_unlimited() {
    watched(|| {
        let config = Config::default().session_init_timeout(Duration::MAX);
        let limits = ServerLimits::default().decision_timeout(Duration::MAX);
        let (server, address, _test) = serve(limits, config);
        let (client, _inbox) = esme(address, "shop", TRX);
        let shutdown = server.shutdown(Duration::MAX);
        assert_eq!((shutdown.ended.len(), shutdown.aborted()), (1, 0));
        assert_eq!(client.closed().reason, CloseReason::PeerUnbound);
    });
}

#[test]
fn a_bind_that_is_closed_for_another_connection_is_refused() {
    watched(|| {
        let limits = ServerLimits::default().unbound_connections(1);
        let (_server, address, test) = serve(limits, Config::default());
        let mut tcp = TcpStream::connect(address).unwrap();
        tcp.write_all(&octets(&Pdu::Bind(undecided()), 1)).unwrap();
        test.event("decision begun");
        let _newer = TcpStream::connect(address).unwrap();
        let mut response = Vec::new();
        tcp.set_read_timeout(Some(TIMEOUT)).unwrap();
        let _ = tcp.read_to_end(&mut response);
        assert_eq!(
            &response[4..12],
            &[0x80, 0, 0, 9, 0, 0, 0, 0x0D],
            "bind_transceiver_resp, ESME_RBINDFAIL"
        );
        drop(test.gate);
        event(&test.events, "not bound");
    });
}
