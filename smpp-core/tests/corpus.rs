//! Replays the corpus of the fuzz target `decode`.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "test helpers")]

use std::fs;
use std::path::Path;

#[path = "../../fuzz/fuzz_targets/check.rs"]
mod check;

#[test]
fn the_corpus_of_decode_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/decode");
    let files: Vec<_> = fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 170, "the corpus is in {}", corpus.display());
    for file in files {
        check::decode(&fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())));
    }
}
