//! Reading and writing one submit_sm of 110 octets: `cargo bench -p smpp-core --bench codec`.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use smpp_core::{
    Address, CommandStatus, Frame, Pdu, RegisteredDelivery, SequenceNumber, ShortMessage, SubmitSm, Tolerance,
};

const LENGTH: usize = 110;

fn message() -> SubmitSm<'static> {
    SubmitSm {
        source: Address::alphanumeric("8x8").unwrap(),
        destination: Address::international("6591234567").unwrap(),
        registered_delivery: RegisteredDelivery::RECEIPT,
        short_message: ShortMessage::new(b"Your code is 12345678. It is valid for ten minutes. Tell nobody.")
            .unwrap(),
        ..SubmitSm::default()
    }
}

fn codec(c: &mut Criterion) {
    let pdu = Pdu::SubmitSm(message());
    let (status, sequence) = (CommandStatus::ROK, SequenceNumber(1));
    let mut octets = Vec::with_capacity(LENGTH);
    pdu.encode(status, sequence, &mut octets);
    assert_eq!(octets.len(), LENGTH);

    let mut group = c.benchmark_group("submit_sm of 110 octets");
    group.throughput(Throughput::Elements(1));
    group.bench_function("decode", |b| {
        b.iter(|| Frame::new(black_box(&octets[..])).map(|frame| frame.into_pdu(Tolerance::LENIENT)));
    });
    let mut out = Vec::with_capacity(LENGTH);
    group.bench_function("encode to a Vec", |b| {
        b.iter(|| {
            out.clear();
            black_box(&pdu).encode(status, sequence, &mut out);
            black_box(&out).len()
        });
    });
    let mut slice = [0; 256];
    group.bench_function("encode to a slice", |b| {
        b.iter(|| black_box(&pdu).encode_into(status, sequence, black_box(&mut slice)));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(50);
    targets = codec
}
criterion_main!(benches);
