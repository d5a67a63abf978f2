//! What the tests share: the command `smpp`, and a limit on the time of a test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use std::{fs, panic, thread};

/// The built program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_smpp");

/// Returns a command that runs `smpp` with these arguments, without SMPP_PASSWORD.
pub(crate) fn smpp(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env_remove("SMPP_PASSWORD");
    command
}

/// Returns the path of a file that does not exist yet.
pub(crate) fn new_file(name: &str) -> PathBuf {
    let name = format!("{name}-{}.jsonl", std::process::id());
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_file(&file);
    file
}

/// Returns the octets of a text in hexadecimal.
pub(crate) fn hexadecimal(text: &str) -> String {
    text.bytes().flat_map(|octet| format!("{octet:02x}").into_bytes()).map(char::from).collect()
}

/// Runs a test in a thread; it fails if it takes longer than two minutes.
pub(crate) fn with_timeout(test: impl FnOnce() + Send + 'static) {
    let (done, finished) = channel();
    let thread = thread::spawn(move || {
        test();
        done.send(()).unwrap();
    });
    match finished.recv_timeout(Duration::from_secs(120)) {
        Err(RecvTimeoutError::Timeout) => panic!("the test takes longer than two minutes"),
        Err(RecvTimeoutError::Disconnected) => panic::resume_unwind(thread.join().unwrap_err()),
        Ok(()) => {}
    }
}
