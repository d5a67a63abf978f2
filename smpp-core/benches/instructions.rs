//! Counts the instructions per PDU with valgrind: `cargo bench -p smpp-proto --bench instructions`.
//!
//! Unlike times, instruction counts are the same on every run of the same program. So this benchmark has limits, and
//! fails if a count exceeds its limit. It runs itself under callgrind with two numbers of iterations for each kind of
//! work: the difference of the two counts excludes the start of the program. Without valgrind it prints a message and
//! counts nothing.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::env;
use std::hint::black_box;
use std::process::{Command, ExitCode};

use smpp_proto::{CommandStatus, Frame, Pdu, SequenceNumber, Tolerance};

#[path = "support/mix.rs"]
mod mix;

use mix::{message, mix, scan};

const FEW: u64 = 1_000;
const MANY: u64 = 11_000;

/// The kinds of work, with the maximum number of instructions for a submit_sm of 110 octets.
const LIMITS: [(&str, u64); 2] = [("decode", 300), ("encode", 240)];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    match &arguments[..] {
        [_, work, row, iterations] => {
            run(work, row.parse().unwrap(), iterations.parse().unwrap());
            ExitCode::SUCCESS
        }
        _ => report(),
    }
}

/// Runs the work whose instructions are counted.
fn run(work: &str, row: usize, iterations: u64) {
    let rows = mix();
    let octets = &rows[row].octets;
    match work {
        "decode" => (0..iterations).for_each(|_| {
            let frame = Frame::new(black_box(&octets[..])).unwrap();
            black_box(&frame.into_pdu(Tolerance::LENIENT));
        }),
        "scan" => (0..iterations).for_each(|_| _ = black_box(scan(black_box(octets)))),
        "encode" => {
            let pdu = Pdu::SubmitSm(message());
            let mut out = Vec::with_capacity(256);
            for _ in 0..iterations {
                out.clear();
                black_box(&pdu).encode(CommandStatus::ROK, SequenceNumber(1), &mut out);
                black_box(&out);
            }
        }
        _ => panic!("unknown work {work}"),
    }
}

fn report() -> ExitCode {
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("valgrind is not installed: install it to count instructions");
        return ExitCode::SUCCESS;
    }
    println!("{:<40} {:>6} {:>6} {:>6}", "instructions", "octets", "scan", "decode");
    let mut all = [0; 2];
    let rows = mix();
    for (index, row) in rows.iter().enumerate() {
        let counts = [count("scan", index), count("decode", index)];
        all = [all[0] + counts[0], all[1] + counts[1]];
        println!("{:<40} {:>6} {:>6} {:>6}", row.name, row.octets.len(), counts[0], counts[1]);
    }
    let octets: usize = rows.iter().map(|row| row.octets.len()).sum();
    println!("{:<40} {octets:>6} {:>6} {:>6}", "mix", all[0], all[1]);

    let mut passed = true;
    for (work, limit) in LIMITS {
        let counted = count(work, 0);
        println!("{work} a submit_sm of 110 octets: {counted} instructions, limit {limit}");
        passed &= counted <= limit;
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns the number of instructions of one iteration.
fn count(work: &str, row: usize) -> u64 {
    let total = |iterations: u64| {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(env::current_exe().unwrap())
            .args([work, &row.to_string(), &iterations.to_string()])
            .output()
            .unwrap();
        let report = String::from_utf8_lossy(&output.stderr).into_owned();
        let collected = report.lines().find_map(|line| line.split_once("Collected : "));
        collected.unwrap_or_else(|| panic!("{report}")).1.trim().parse::<u64>().unwrap()
    };
    (total(MANY) - total(FEW)) / (MANY - FEW)
}
