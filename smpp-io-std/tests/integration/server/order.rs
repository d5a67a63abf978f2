//! The order in which deliveries leave.

use smpp_proto::BindMode;
use smpp_proto::session::{Config, Esme};
use smpp_std::{Inbox, ServerLimits};

use crate::common::watched;
use crate::server::support::{TRX, deliver, delivered, esme, serve};

/// Waits for these messages in their order, and accepts them.
fn expect(inbox: &mut Inbox<Esme>, texts: std::ops::Range<u8>, round: u32) {
    for expected in texts {
        let message = delivered(inbox);
        assert_eq!(message.get().text(), [expected], "round {round}");
        message.accept().unwrap();
    }
}

#[test]
fn queued_deliveries_leave_in_their_order() {
    watched(|| {
        // Most wait, and leave when the ESME has responded to others.
        let (server, address, _test) = serve(ServerLimits::default(), Config::default().window(8));
        let (_client, mut inbox) = esme(address, "shop", BindMode::Receiver);
        for round in 0..20 {
            for number in 0..100 {
                drop(server.queue(b"shop", &deliver(&[number])).unwrap());
            }
            expect(&mut inbox, 0..100, round);
        }
    });
}

#[test]
fn deliveries_of_a_bind_that_ends_move_in_their_order() {
    watched(|| {
        let (server, address, _test) = serve(ServerLimits::default(), Config::default().window(16));
        for round in 0..20 {
            let account = format!("shop{round}");
            let (leaving, mut first) = esme(address, &account, TRX);
            for number in 0..10 {
                drop(server.queue(account.as_bytes(), &deliver(&[number])).unwrap());
            }
            let held: Vec<_> = (0..10).map(|_| delivered(&mut first)).collect();
            let (_staying, mut second) = esme(address, &account, TRX);
            leaving.abort();
            expect(&mut second, 0..10, round);
            drop(held);
        }
    });
}
