//! Runs the fuzz targets on their stored corpora.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "test helpers")]

use std::fs;
use std::path::Path;

use crate::check;

#[path = "../../../fuzz/fuzz_targets/binds.rs"]
mod binds;

#[path = "../../../fuzz/fuzz_targets/session_steps.rs"]
mod session_steps;

#[path = "../../../fuzz/fuzz_targets/sms_checks.rs"]
mod sms_checks;

#[path = "../../../fuzz/fuzz_targets/receipt_checks.rs"]
mod receipt_checks;

/// Runs the check of a target on each file of its corpus, which must have at least `minimum` files.
fn replay(target: &str, minimum: usize, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let files: Vec<_> = fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= minimum, "too few files in {}", corpus.display());
    for file in files {
        check(&fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())));
    }
}

#[test]
fn the_account_target_passes_on_its_corpus() {
    replay("account", 150, binds::account);
}

#[test]
fn the_decode_target_passes_on_its_corpus() {
    replay("decode", 170, check::decode);
}

#[test]
fn the_roundtrip_target_passes_on_its_corpus() {
    replay("roundtrip", 100, check::round_trip);
}

#[test]
fn the_receipt_target_passes_on_its_corpus() {
    replay("receipt", 110, receipt_checks::receipt);
}

#[test]
fn the_session_target_passes_on_its_corpus() {
    replay("session", 20, session_steps::session);
}

#[test]
fn the_sms_target_passes_on_its_corpus() {
    replay("sms", 30, sms_checks::sms);
}
