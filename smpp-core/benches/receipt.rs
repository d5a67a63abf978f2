//! Benchmark of delivery receipts: `cargo bench -p smpp-proto --bench receipt`.
//!
//! The table at the end has the nanoseconds of the fastest run of each operation.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::cell::RefCell;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use smpp_proto::sms::{Detection, MessageIdPolicy, Receipt};
use smpp_proto::{DataCoding, DeliverSm, EsmClass, MessageState, ShortMessage, Tlv, Tlvs};

#[path = "support/fastest.rs"]
mod fastest;

/// A receipt of 8x8: 148 octets with a UUID.
const TYPICAL: &[u8] = b"id:bda7b1bd-4c04-4c1c-9b2e-1b2c3d4e5f60 sub:001 dlvrd:001 submit date:2611230102 \
                         done date:2611230103 stat:DELIVRD err:000 Text:Your code is 123456.";
const SHORT: &[u8] = b"id:7F00A1B2 stat:DELIVRD";
const UUID: &[u8] = b"bda7b1bd-4c04-4c1c-9b2e-1b2c3d4e5f60";
/// 2^128 in both notations.
const HEXADECIMAL: &[u8] = b"100000000000000000000000000000000";
const DECIMAL: &[u8] = b"340282366920938463463374607431768211456";

/// The nanoseconds per run of the fastest batch, for each benchmark.
type Fastest = RefCell<Vec<(String, f64)>>;

/// Runs a benchmark and records its fastest batch.
fn bench(group: &mut BenchmarkGroup<'_, WallTime>, fastest: &Fastest, name: &str, work: impl FnMut()) {
    let best = fastest::fastest(group, name, work);
    fastest.borrow_mut().extend(best.map(|best| (name.to_owned(), best)));
}

fn reading(c: &mut Criterion) {
    let fastest = Fastest::default();
    let mut group = c.benchmark_group("receipt");
    let long = [TYPICAL, &[b'x'; 1000][..]].concat();
    for (name, text) in
        [("text, 148 octets", TYPICAL), ("text, 24 octets", SHORT), ("text, 1148 octets", &long[..])]
    {
        bench(&mut group, &fastest, name, || {
            black_box(&Receipt::parse(black_box(text))).as_ref().unwrap();
        });
    }

    let message = DeliverSm {
        esm_class: EsmClass::DELIVERY_RECEIPT,
        short_message: ShortMessage::new(TYPICAL).unwrap(),
        ..DeliverSm::default()
    };
    let tlvs = [Tlv::receipted_message_id(UUID).unwrap(), Tlv::message_state(MessageState::DELIVERED)];
    let with_tlvs = DeliverSm { tlvs: Tlvs::list(&tlvs), ..message };
    for (name, message) in [("deliver_sm", message), ("deliver_sm with TLVs", with_tlvs)] {
        bench(&mut group, &fastest, name, || {
            black_box(&Receipt::of(black_box(&message), Detection::ByEsmClass)).as_ref().unwrap();
        });
    }
    let wide: Vec<_> = SHORT.iter().flat_map(|&octet| [0, octet]).collect();
    let wide = DeliverSm {
        data_coding: DataCoding::UCS2,
        short_message: ShortMessage::new(&wide).unwrap(),
        ..message
    };
    let mut buffer = Vec::with_capacity(SHORT.len());
    bench(&mut group, &fastest, "deliver_sm in UCS-2, 48 octets", || {
        let receipt = Receipt::of_with_buffer(black_box(&wide), Detection::ByEsmClass, &mut buffer);
        black_box(&receipt).as_ref().unwrap();
    });

    let receipt = Receipt::parse(TYPICAL).unwrap();
    bench(&mut group, &fastest, "state and whether it is final", || {
        let receipt = black_box(&receipt);
        black_box((receipt.state(), receipt.is_final()));
    });
    let mut out = Vec::with_capacity(TYPICAL.len());
    bench(&mut group, &fastest, "written, 148 octets", || {
        out.clear();
        black_box(&receipt).emit(&mut out);
        black_box(&out);
    });

    for (name, policy, submitted, receipted) in [
        ("ids: UUIDs, exact", MessageIdPolicy::EXACT, UUID, UUID),
        (
            "ids: 33 hexadecimal digits, 39 decimal ones",
            MessageIdPolicy::HEXADECIMAL_TO_DECIMAL,
            HEXADECIMAL,
            DECIMAL,
        ),
    ] {
        assert!(policy.same(submitted, receipted));
        bench(&mut group, &fastest, name, || {
            black_box(policy.same(black_box(submitted), black_box(receipted)));
        });
    }
    group.finish();
    for (name, nanoseconds) in fastest.borrow().iter() {
        println!("{name:<45} {nanoseconds:>8.1} ns");
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30);
    targets = reading
}
criterion_main!(benches);
