//! Benchmark of texts: `cargo bench -p smpp-proto --bench text`.
//!
//! Encodes, decodes, splits and joins each text, and copies its UTF-8 for comparison. The table at the end has the
//! nanoseconds per character of the fastest batch.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use smpp_proto::sms::udh::ConcatRef;
use smpp_proto::sms::{Alphabet, Codings, Text, UserData};
use smpp_proto::{SubmitSm, Tlvs};

#[path = "support/fastest.rs"]
mod fastest;

/// The characters of each text: at least three segments of GSM 7-bit, or seven of UCS-2.
const CHARACTERS: u16 = 480;

fn texts() -> [(&'static str, Alphabet, String); 5] {
    let of = |words: &str| words.chars().cycle().take(CHARACTERS.into()).collect();
    [
        ("GSM 7-bit, ASCII letters", Alphabet::Gsm7, of("Your code is 12345678. Do not share it. ")),
        ("GSM 7-bit, accents and escapes", Alphabet::Gsm7, of("Grüße à Zürich: 25 € [Ωmega] {ñ} ")),
        ("GSM 7-bit, packed", Alphabet::Gsm7Packed, of("Your code is 12345678. Do not share it. ")),
        ("UCS-2, Cyrillic", Alphabet::Ucs2, of("Ваш код 12345678. Никому не говорите. ")),
        ("UCS-2, emoji", Alphabet::Ucs2, of("Поздравляем! 🎉👍🏽 Ваш заказ едет 🚚 ")),
    ]
}

fn bench(c: &mut Criterion) {
    let mut rows = Vec::new();
    let mut group = c.benchmark_group("text");
    // NaN if a command-line filter excludes the benchmark.
    let mut run = |name: &str, work: &mut dyn FnMut()| {
        fastest::fastest(&mut group, name, work).unwrap_or(f64::NAN) / f64::from(CHARACTERS)
    };
    for (name, alphabet, text) in &texts() {
        let codings = Codings::default().smsc_default(*alphabet);
        let data_coding = codings.data_coding(*alphabet).unwrap();
        let coded = Text::coded(text, *alphabet, <_>::default(), data_coding).unwrap();
        let mut octets = Vec::with_capacity(4 * usize::from(CHARACTERS));
        let mut copied = String::with_capacity(4 * usize::from(CHARACTERS));
        let copy = run(&format!("{name}: copy"), &mut || {
            copied.clear();
            copied.push_str(black_box(text));
            black_box(&copied);
        });
        let encode = run(&format!("{name}: encode"), &mut || {
            octets.clear();
            alphabet.encode(black_box(text), &mut octets).unwrap();
            black_box(&octets);
        });
        let decode = run(&format!("{name}: decode"), &mut || {
            black_box(alphabet.decode(black_box(&octets)));
        });
        let split = run(&format!("{name}: split"), &mut || {
            for submission in
                black_box(coded).segments(ConcatRef::Narrow(1)).unwrap().submissions(SubmitSm::default())
            {
                black_box(submission.submit_sm());
            }
        });
        let segments: Vec<_> = coded.segments(ConcatRef::Narrow(1)).unwrap().collect();
        let join = run(&format!("{name}: join"), &mut || {
            let user_data = segments.iter().map(|segment| {
                let (esm_class, data_coding) = (segment.esm_class(), segment.data_coding());
                UserData::of(esm_class, data_coding, segment.as_bytes(), &Tlvs::EMPTY).unwrap()
            });
            black_box(codings.decode_segments(user_data));
        });
        rows.push((*name, [copy, encode, decode, split, join]));
    }
    println!(
        "{:<32} {:>6} {:>7} {:>7} {:>7} {:>7}",
        "ns per character", "copy", "encode", "decode", "split", "join"
    );
    for (name, [copy, encode, decode, split, join]) in rows {
        println!("{name:<32} {copy:>6.2} {encode:>7.2} {decode:>7.2} {split:>7.2} {join:>7.2}");
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(500))
        .sample_size(10);
    targets = bench
}
criterion_main!(benches);
