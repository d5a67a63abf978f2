//! A session that was busy frees the memory of its buffers and tables once it is quiet. This is a test binary of its own
//! because it has its own allocator, which counts for all threads; so it is also one test.

mod common;

use std::alloc::System;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use common::{bind, message, watched};
use smpp_proto::account::{Binds, Credentials, Message, Options};
use smpp_proto::provider::Provider;
use smpp_proto::session::{Config, Esme, Kind, Smsc, Stats};
use smpp_proto::{CommandStatus, RegisteredDelivery, SubmitSm};
use smpp_std::account::AccountConnector;
use smpp_std::{
    Admission, BindRequest, BoundSession, Connection, HandleRoute, Inbound, Inbox, Listener, Server, Service,
    start,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const BURST: usize = 256;

/// Returns the octets that the process holds.
fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated)
}

fn config() -> Config {
    let enquire_link_interval = Some(Duration::from_millis(25));
    Config::default().window(256).max_unanswered(256).enquire_link_interval(enquire_link_interval)
}

fn enquire_links(stats: &Stats) -> u64 {
    stats.sent.of(Kind::EnquireLink).requests
}

/// Returns the two ends of a connection.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let esme = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (esme, listener.accept().unwrap().0)
}

/// Accepts the bind and each message, in a thread, until the session ends.
fn serve(mut inbox: Inbox<Smsc>) {
    thread::spawn(move || {
        while let Some(inbound) = inbox.recv() {
            match inbound {
                Inbound::Bind(bind) => bind.accept().unwrap(),
                Inbound::SubmitSm(message) => message.accept().unwrap(),
                _ => {}
            }
        }
    });
}

fn handles() -> impl Sized {
    let (esme, smsc) = pair();
    let before = held();
    let (client, inbox) = start::<Esme, _>(esme, config()).unwrap();
    let (peer, requests) = start::<Smsc, _>(smsc, config()).unwrap();
    serve(requests);
    client.bind(&bind("secret")).unwrap();
    let pending: Vec<_> = (0..BURST).map(|_| client.submit_pipelined(&message()).unwrap()).collect();
    for pending in pending {
        pending.wait().unwrap();
    }
    let quiet = || enquire_links(&client.stats()) + enquire_links(&peer.stats());
    let began = quiet();
    while quiet() < began + 4 {
        thread::yield_now();
    }
    // Both sides together.
    let held = held() - before;
    assert!(held < 2 * 4096, "{held} octets");
    (client, inbox, peer)
}

fn connection() -> impl Sized {
    let (esme, smsc) = pair();
    let before = held();
    let mut connection = Connection::<Esme, _>::new(esme, config()).unwrap();
    let (peer, requests) = start::<Smsc, _>(smsc, config()).unwrap();
    serve(requests);
    connection.bind(&bind("secret")).unwrap();
    let sent: Vec<_> = (0..BURST).map(|_| connection.send(&message()).unwrap()).collect();
    for sent in sent {
        connection.wait(sent).unwrap();
    }
    let began = enquire_links(&connection.stats());
    while enquire_links(&connection.stats()) < began + 4 {
        assert!(connection.recv(Some(Duration::from_millis(10))).unwrap().is_none());
    }
    // Both sides together.
    let held = held() - before;
    assert!(held < 2 * 4096, "{held} octets");
    (connection, peer)
}

struct AcceptsAll;

impl Service for AcceptsAll {
    fn bind(&self, _: &BindRequest) -> Result<Admission, CommandStatus> {
        Ok(Admission::default())
    }

    fn request(&self, _: &BoundSession, request: Inbound<HandleRoute<Smsc>>) {
        if let Inbound::SubmitSm(message) = request {
            message.accept().unwrap();
        }
    }
}

fn account() -> impl Sized {
    let listener = Listener::bind("127.0.0.1:0", config()).unwrap();
    let server = Server::builder(AcceptsAll).listen(listener).start().unwrap();
    let options = Options::new(Credentials::new("shop", "secret"), &Provider::UNSTATED)
        .binds(Binds::transceivers(1))
        .session(config());
    let endpoint = format!("smpp://{}", server.local_addrs()[0]).parse().unwrap();
    let (account, arrivals) = AccountConnector::new(&endpoint, options).connect().unwrap();
    let bound = held();
    let message = SubmitSm { registered_delivery: RegisteredDelivery::default(), ..message() };
    let tickets: Vec<_> =
        (0..BURST).map(|_| account.submit(&Message::submit_sm(&message)).unwrap()).collect();
    for ticket in tickets {
        ticket.outcome().unwrap();
    }
    let stats = || account.links()[0].2.unwrap();
    let began = enquire_links(&stats());
    while enquire_links(&stats()) < began + 4 {
        thread::yield_now();
    }
    let held = held();
    assert!(held < bound + 4096, "{bound} octets, then {held}");
    (account, arrivals, server)
}

#[test]
fn a_session_that_was_busy_holds_less_than_four_kibibytes_after_two_keep_alive_periods() {
    watched(|| {
        // None ends before the last one is measured.
        let _sessions = (handles(), connection(), account());
    });
}
