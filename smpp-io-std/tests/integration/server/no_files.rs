//! A process that may open no more files. The limit is that of a process, so the test runs in one of its own.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use smpp_proto::session::Config;
use smpp_std::ServerLimits;

use crate::common::watched;
use crate::server::support::{TIMEOUT, TRX, esme, serve, submit, until};

const CHILD: &str = "SMPP_TEST_WITH_FEW_FILES";

#[test]
fn a_listener_survives_without_free_file_descriptors() {
    let program = std::env::current_exe().unwrap();
    let name = "server::no_files::in_a_process_with_few_files";
    let command = format!("ulimit -n 40; exec '{}' --exact {name} --nocapture", program.display());
    let output = Command::new("sh").args(["-c", &command]).env(CHILD, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed") && text.contains("accepted again"), "{text}");
}

#[test]
fn in_a_process_with_few_files() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    watched(|| {
        let (server, address, test) = serve(ServerLimits::default(), Config::default());
        let (client, _inbox) = esme(address, "shop", TRX);
        let mut stat = File::open("/proc/self/stat").unwrap();
        let began = Instant::now();
        // Each takes one descriptor here, and one more once it is accepted.
        let held: Vec<_> = std::iter::from_fn(|| TcpStream::connect(address).ok()).collect();
        test.event("accept failed");
        let before = cpu_ticks(&mut stat);
        for _ in 0..4 {
            test.event("accept failed");
        }
        assert!(began.elapsed() >= Duration::from_millis(400), "it pauses 100 ms after each");
        assert!(cpu_ticks(&mut stat) - before < 20, "it spins");
        drop(held);
        until(|| server.binds().stats().unbound == 0);
        let _echo = test.echo();
        assert_eq!(client.submit(&submit(b"1")).unwrap().message_id(), b"1");
        let (second, _inbox) = esme(address, "shop", TRX);
        assert_eq!(second.submit(&submit(b"2")).unwrap().message_id(), b"2");
        assert_eq!(server.shutdown(TIMEOUT).aborted(), 0);
        println!("accepted again");
    });
}

/// Returns the processor time of this process in ticks of 10 ms.
fn cpu_ticks(stat: &mut File) -> u64 {
    let mut text = String::new();
    stat.seek(SeekFrom::Start(0)).unwrap();
    stat.read_to_string(&mut text).unwrap();
    let fields: Vec<_> = text.rsplit(") ").next().unwrap().split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
