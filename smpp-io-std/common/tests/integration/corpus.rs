//! Replays the corpus of the fuzz target `proxy_header` with stable Rust, and random changes of it.

use std::fs;
use std::path::Path;

#[path = "../../../../fuzz/fuzz_targets/proxy_header_checks.rs"]
mod proxy_header_checks;

#[test]
fn the_corpus_of_proxy_headers_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/proxy_header");
    let files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
    assert!(files.len() > 10, "{}", files.len());
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    for file in &files {
        proxy_header_checks::header(file);
        for _ in 0..5000 {
            let mut octets = file.clone();
            for _ in 0..=random(3) {
                let index = random(octets.len());
                let octet = b" \r\n0.:\x20\x21\x11\xFF"[random(10)];
                match random(3) {
                    0 => octets[index] = octet,
                    1 => octets.insert(index, octet),
                    _ if octets.len() > 1 => drop(octets.remove(index)),
                    _ => {}
                }
            }
            proxy_header_checks::header(&octets);
        }
    }
}
