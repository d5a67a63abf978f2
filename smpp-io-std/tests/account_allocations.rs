//! Limits for the allocations of a message that a blocking account sends. This is a test binary of its own because it has its
//! own allocator, which counts for all threads; so it is also one test. The SMSC, in a thread of this process, allocates
//! nothing for a message.

mod common;

use std::alloc::System;
use std::collections::VecDeque;

use common::{account_options, watched};
use smpp_common::in_place_smsc::InPlaceSmsc;
use smpp_proto::account::Message;
use smpp_proto::session::Config;
use smpp_proto::{Address, MessageState, RegisteredDelivery, ShortMessage, SubmitSm};
use smpp_std::account::{Account, AccountConnector, Ticket};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const WINDOW: u16 = 64;
const MESSAGES: usize = 5_000;

/// What a message allocates at most, in hundredths of an allocation and in octets, without and with a receipt. How many
/// receipts wait for this thread depends on which thread runs when: if many do, their buffers are not used again.
const WITHOUT_RECEIPT: (usize, usize) = (20, 40);
const WITH_RECEIPT: (usize, usize) = (100, 260);

/// Sends messages, a window of them at once. Waits for the outcome of each, and for its receipt if it requests one.
fn send(account: &Account, message: &Message) {
    let mut in_flight: VecDeque<Ticket> = VecDeque::with_capacity(WINDOW.into());
    let mut left = MESSAGES;
    loop {
        while left > 0 && in_flight.len() < WINDOW.into() {
            in_flight.push_back(account.submit(message).unwrap());
            left -= 1;
        }
        let Some(ticket) = in_flight.pop_front() else { return };
        let mut sent = ticket.outcome().unwrap();
        if message.asks_for_receipts() {
            assert_eq!(sent.receipt(), Ok(MessageState::DELIVERED));
        }
    }
}

#[test]
fn a_message_through_a_blocking_account_costs_few_allocations() {
    watched(|| {
        let whole = SubmitSm {
            destination: Address::international("6591234567").unwrap(),
            short_message: ShortMessage::new(&[b'x'; 60]).unwrap(),
            ..SubmitSm::default()
        };
        let template = SubmitSm {
            short_message: ShortMessage::default(),
            registered_delivery: RegisteredDelivery::RECEIPT,
            ..whole
        };
        let text = Message::text(&template, "The quick brown fox jumps over the lazy dog.");
        let mut failed = Vec::new();
        for (what, message, (hundredths, octets)) in [
            ("without a receipt", Message::submit_sm(&whole), WITHOUT_RECEIPT),
            ("with a receipt", text, WITH_RECEIPT),
        ] {
            let address = InPlaceSmsc::default().start().unwrap();
            let options = account_options().session(Config::default().window(WINDOW));
            let endpoint = format!("smpp://{address}").parse().unwrap();
            let (account, _) = AccountConnector::new(&endpoint, options).connect().unwrap();
            // The buffers and tables grow to their size.
            send(&account, &message);
            let region = Region::new(ALLOCATOR);
            send(&account, &message);
            let stats = region.change();
            let (count, bytes) = (stats.allocations + stats.reallocations, stats.bytes_allocated);
            if count * 100 > MESSAGES * hundredths || bytes > MESSAGES * octets {
                failed.push(format!(
                    "{what}: {}.{:02} allocations of {} octets",
                    count / MESSAGES,
                    count * 100 / MESSAGES % 100,
                    bytes / MESSAGES
                ));
            }
        }
        assert!(failed.is_empty(), "{failed:#?}");
    });
}
