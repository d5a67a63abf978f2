//! Measures the time to decode and encode PDUs: `cargo bench -p smpp-proto --bench codec`.
//!
//! For each PDU it also measures a lower bound: a hand-written scan of the same octets, which only finds the NUL of
//! each string and skips the TLV headers. The table at the end shows the fastest run of each, in nanoseconds.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use smpp_proto::{CommandStatus, Frame, Pdu, SequenceNumber, Tolerance, frame};

#[path = "support/fastest.rs"]
mod fastest;
#[path = "support/mix.rs"]
mod mix;

use mix::{message, mix, scan};

/// The fastest batch of each benchmark, in nanoseconds per run.
type Fastest = RefCell<BTreeMap<String, f64>>;

/// Runs `work` and records its fastest batch.
fn bench(group: &mut BenchmarkGroup<'_, WallTime>, fastest: &Fastest, name: String, work: impl FnMut()) {
    if let Some(best) = fastest::fastest(group, &name, work) {
        fastest.borrow_mut().insert(name, best);
    }
}

#[inline]
fn decode(frame: Frame<&[u8]>) {
    black_box(&black_box(frame).into_pdu(Tolerance::LENIENT));
}

fn decoding(c: &mut Criterion) {
    let rows = mix();
    let fastest = Fastest::default();
    let mut group = c.benchmark_group("decode");
    for row in &rows {
        assert_eq!(scan(&row.octets), Some(row.octets.len()), "{}", row.name);
        bench(&mut group, &fastest, format!("{} (scan)", row.name), || {
            black_box(scan(black_box(&row.octets)));
        });
        let frame = Frame::new(&row.octets[..]).unwrap();
        bench(&mut group, &fastest, row.name.into(), || decode(frame));
    }
    bench(&mut group, &fastest, "mix (scan)".into(), || {
        for row in &rows {
            black_box(scan(black_box(&row.octets)));
        }
    });
    let frames: Vec<_> = rows.iter().map(|row| Frame::new(&row.octets[..]).unwrap()).collect();
    bench(&mut group, &fastest, "mix".into(), || frames.iter().for_each(|frame| decode(*frame)));
    let stream = rows.iter().map(|row| &row.octets[..]).collect::<Vec<_>>().concat();
    bench(&mut group, &fastest, "mix, out of one stream".into(), || {
        let mut rest = black_box(&stream[..]);
        while let Ok(Some((frame, after))) = frame::split(rest, frame::DEFAULT_MAX_LENGTH) {
            decode(frame);
            rest = after;
        }
    });
    group.finish();

    let fastest = fastest.borrow();
    println!("{:<40} {:>6} {:>8} {:>9} {:>6}", "PDU", "octets", "scan ns", "decode ns", "ratio");
    let all: usize = rows.iter().map(|row| row.octets.len()).sum();
    let rows = rows.iter().map(|row| (row.name, row.octets.len()));
    for (name, octets) in rows.chain([("mix", all), ("mix, out of one stream", all)]) {
        let scanned = name.split_once(", out of").map_or(name, |(name, _)| name);
        // A filter on the command line can exclude benchmarks.
        if let (Some(read), Some(scan)) = (fastest.get(name), fastest.get(&format!("{scanned} (scan)"))) {
            println!("{name:<40} {octets:>6} {scan:>8.1} {read:>9.1} {:>6.2}", read / scan);
        }
    }
}

fn encoding(c: &mut Criterion) {
    let pdu = Pdu::SubmitSm(message());
    let (status, sequence) = (CommandStatus::ROK, SequenceNumber(1));
    let fastest = Fastest::default();
    let mut group = c.benchmark_group("encode");
    let mut out = Vec::with_capacity(110);
    bench(&mut group, &fastest, "submit_sm, 110 octets, to a Vec".into(), || {
        out.clear();
        black_box(&pdu).encode(status, sequence, &mut out);
        black_box(&out);
    });
    let mut slice = [0; 256];
    bench(&mut group, &fastest, "submit_sm, 110 octets, to a slice".into(), || {
        black_box(black_box(&pdu).encode_into(status, sequence, black_box(&mut slice))).unwrap();
    });
    group.finish();
    for (name, written) in fastest.borrow().iter() {
        println!("{name:<40} {written:>23.1} ns");
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30);
    targets = decoding, encoding
}
criterion_main!(benches);
