//! Binds of an account, their number and their rate.

use std::thread;

use smpp_proto::server::{AccountName, Admission, BindLimits};
use smpp_proto::session::{CloseReason, Config, Rate, Smsc};
use smpp_proto::{Address, BindMode, CommandStatus, Destination, List, QuerySm, SubmitMulti, Tolerance};
use smpp_std::{
    BindRequest, BoundSession, Client, HandleRoute, Inbound, Listener, Server, ServerLimits, Service,
};

use crate::common::watched;
use crate::server::support::{TRX, bind, connect, deliver, delivered, esme, event, refused, serve, submit};

#[test]
fn the_fifth_bind_is_refused_until_one_ends() {
    watched(|| {
        let limits = ServerLimits::default().binds_per_account(4);
        let (server, address, test) = serve(limits, Config::default());
        let mut held = Vec::new();
        for mode in [TRX, BindMode::Receiver, BindMode::Transmitter, TRX] {
            // A bind with a wrong password does not count.
            let (guesser, inbox) = connect(address);
            let error = bind(&guesser, "shop", "guessed", mode).unwrap_err();
            assert_eq!(error.status(), Some(CommandStatus::RINVPASWD));
            held.push((guesser, inbox));
            held.push(esme(address, "shop", mode));
        }
        assert_eq!(refused(address, "shop", TRX), Some(CommandStatus::RALYBND));
        test.event("refused shop: ESME_RALYBND");
        // The limit is for each account. The service sets that of `vip`.
        let _vip = esme(address, "vip", TRX);
        assert_eq!(refused(address, "vip", TRX), Some(CommandStatus::RALYBND));

        let modes: Vec<_> = server.binds().of(b"shop").iter().map(BoundSession::mode).collect();
        assert_eq!(modes, [TRX, BindMode::Receiver, BindMode::Transmitter, TRX]);
        assert_eq!(held[1].0.unbind().reason, CloseReason::Unbound);
        let (fifth, _inbox) = esme(address, "shop", TRX);
        // A bind that is aborted does not count either.
        fifth.abort();
        test.event("ended shop: the connection ended without unbind");
        esme(address, "shop", TRX);
    });
}

#[test]
fn no_race_of_binds_exceeds_the_limit() {
    watched(|| {
        let limits = ServerLimits::default().binds_per_account(4);
        let (server, address, _test) = serve(limits, Config::default());
        for _ in 0..30 {
            let binds = [(); 24].map(|()| {
                thread::spawn(move || {
                    let (client, inbox) = connect(address);
                    let bound = bind(&client, "shop", "secret", TRX).is_ok();
                    (bound, client, inbox)
                })
            });
            let all = binds.map(|bind| bind.join().unwrap());
            assert_eq!(all.iter().filter(|(bound, ..)| *bound).count(), 4);
            // Some of the round before may still be closing their connections.
            let listed = server.binds().of(b"shop");
            assert_eq!(listed.iter().filter(|bound| bound.peer().state().is_bound()).count(), 4);
            for (bound, client, _) in all {
                if bound {
                    client.unbind();
                }
            }
        }
        let stats = server.binds().stats();
        assert_eq!((stats.counters.bound, stats.counters.binds_refused), (30 * 4, 30 * 20));
    });
}

#[test]
fn an_account_can_bind_again_at_once_after_its_unbind() {
    watched(|| {
        let (_server, address, _test) = serve(ServerLimits::default(), Config::default());
        for _ in 0..200 {
            let (client, _inbox) = esme(address, "vip", TRX);
            assert_eq!(client.unbind().reason, CloseReason::Unbound);
        }
    });
}

/// Sends so many messages at once. Returns how many were throttled.
fn throttled(client: &Client, messages: usize) -> usize {
    let pending: Vec<_> = (0..messages).map(|_| client.submit_pipelined(&submit(b"id")).unwrap()).collect();
    let outcomes = pending.into_iter().map(|pending| pending.wait().map_err(|error| error.status()));
    outcomes.filter(|outcome| matches!(outcome, Err(Some(CommandStatus::RTHROTTLED)))).count()
}

#[test]
fn a_bind_above_its_rate_limit_is_throttled() {
    watched(|| {
        let limits = ServerLimits::default().rate(Rate::per_second(5));
        let (server, address, test) = serve(limits, Config::default());
        let events = test.echo();
        let (shop, _inbox) = esme(address, "shop", TRX);
        let (vip, _inbox) = esme(address, "vip", TRX);
        assert_eq!(throttled(&shop, 8), 3, "five of eight are within the limit");
        event(&events, "throttled shop");
        // A request without a message does not end it.
        shop.request(&QuerySm::default()).unwrap_err();
        assert_eq!(shop.submit(&submit(b"9")).unwrap_err().status(), Some(CommandStatus::RTHROTTLED));
        assert_eq!(server.binds().stats().counters.throttled, 1);
        assert_eq!(throttled(&vip, 8), 0, "the service sets a higher limit");

        // A submit_multi counts its destinations: two with three each exceed the limit.
        let (many, _inbox) = esme(address, "many", TRX);
        let destination = Destination::Sme(Address::international("6591234567").unwrap());
        let destinations = [destination; 3];
        let message =
            SubmitMulti { destinations: List::new(&destinations).unwrap(), ..SubmitMulti::default() };
        let [first, second] = [(); 2].map(|()| many.request_pipelined(&message).unwrap());
        assert_ne!(first.wait().unwrap_err().status(), Some(CommandStatus::RTHROTTLED), "it is dropped");
        assert_eq!(second.wait().unwrap_err().status(), Some(CommandStatus::RTHROTTLED));
    });
}

#[test]
fn the_limits_have_statuses_of_their_own() {
    watched(|| {
        let limits = ServerLimits::default()
            .binds_per_account(1)
            .binds_status(CommandStatus::RBINDFAIL)
            .rate(Rate::per_second(1))
            .rate_status(CommandStatus::RMSGQFUL);
        let (_server, address, test) = serve(limits, Config::default());
        let _events = test.echo();
        let (client, _inbox) = esme(address, "shop", TRX);
        assert_eq!(refused(address, "shop", TRX), Some(CommandStatus::RBINDFAIL));
        let pending = [(); 3].map(|()| client.submit_pipelined(&submit(b"1")).unwrap());
        let statuses = pending.map(|pending| pending.wait().err().and_then(|error| error.status()));
        assert_eq!(statuses[2], Some(CommandStatus::RMSGQFUL), "{statuses:?}");
    });
}

/// Ignores the case of a system_id.
struct IgnoresCase;

impl Service for IgnoresCase {
    fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
        let name = request.bind().system_id.as_bytes().to_ascii_lowercase();
        Ok(Admission::default()
            .account(AccountName::new(&name))
            .binds(BindLimits::total(2).receivers(1))
            .account_rate(Rate::per_second(3))
            .tolerance(Tolerance::STRICT))
    }

    fn request(&self, _: &BoundSession, request: Inbound<HandleRoute<Smsc>>) {
        if let Inbound::SubmitSm(message) = request {
            let _ = message.accept();
        }
    }
}

#[test]
fn an_account_has_one_limit_however_it_is_spelled() {
    watched(|| {
        let listener = Listener::bind("127.0.0.1:0", Config::default()).unwrap();
        let server = Server::builder(IgnoresCase).listen(listener).start().unwrap();
        let address = server.local_addrs()[0];
        let (first, _first) = esme(address, "Shop", TRX);
        let (_, mut receiver) = esme(address, "SHOP", BindMode::Receiver);
        for mode in [TRX, BindMode::Receiver] {
            assert_eq!(refused(address, "shop", mode), Some(CommandStatus::RALYBND));
        }
        let binds = server.binds().of(b"shop");
        assert_eq!(binds.iter().map(BoundSession::system_id).collect::<Vec<_>>(), [&b"Shop"[..], b"SHOP"]);
        assert!(binds.iter().all(|bound| bound.account().as_bytes() == b"shop"));
        assert_eq!(throttled(&first, 5), 2, "the rate of the account");
        for text in [b"1", b"2"] {
            drop(server.queue(b"shop", &deliver(text)).unwrap());
        }
        delivered(&mut receiver).accept().unwrap();
    });
}
