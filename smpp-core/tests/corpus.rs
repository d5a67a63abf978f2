//! Replays the corpora of the fuzz targets.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "test helpers")]

use std::fs;
use std::path::Path;

#[path = "../../fuzz/fuzz_targets/binds.rs"]
mod binds;

#[path = "../../fuzz/fuzz_targets/check.rs"]
mod check;

#[path = "../../fuzz/fuzz_targets/session_steps.rs"]
mod session_steps;

#[path = "../../fuzz/fuzz_targets/texts.rs"]
mod texts;

#[path = "../../fuzz/fuzz_targets/told.rs"]
mod told;

/// Shows each file of a corpus to the target's check.
fn replay(target: &str, least: usize, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let files: Vec<_> = fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= least, "the corpus is in {}", corpus.display());
    for file in files {
        check(&fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())));
    }
}

#[test]
fn the_corpus_of_account_holds() {
    replay("account", 150, binds::account);
}

#[test]
fn the_corpus_of_decode_holds() {
    replay("decode", 170, check::decode);
}

#[test]
fn the_corpus_of_roundtrip_holds() {
    replay("roundtrip", 100, check::round_trip);
}

#[test]
fn the_corpus_of_receipt_holds() {
    replay("receipt", 110, told::receipt);
}

#[test]
fn the_corpus_of_session_holds() {
    replay("session", 20, session_steps::session);
}

#[test]
fn the_corpus_of_sms_holds() {
    replay("sms", 30, texts::sms);
}
