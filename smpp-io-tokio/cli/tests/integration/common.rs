//! What the tests share: the command `smpp`, the SMSC that it runs, and a limit on the time of a test.

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use std::{fs, panic, thread};

use serde_json::Value;

/// The built program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_smpp");

/// Returns a command that runs `smpp` with these arguments, without SMPP_PASSWORD.
pub(crate) fn smpp(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env_remove("SMPP_PASSWORD");
    command
}

/// A running `smpp smsc --json`, which is killed when it is dropped.
pub(crate) struct Smsc {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Smsc {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let listen = ["smsc", "--json", "--listen", "127.0.0.1:0", "--account", "shop:s3cret-word"];
        let mut process = smpp(&[&listen, arguments].concat()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut smsc = Self { process, lines, address: String::new() };
        let listening = smsc.next_event().unwrap();
        listening["listen"][0]["address"].as_str().unwrap().clone_into(&mut smsc.address);
        smsc
    }

    /// Returns the URL of the account, without its password.
    pub(crate) fn url(&self) -> String {
        format!("smpp://shop@{}", self.address)
    }

    /// Waits for the next event. Returns `None` after the end of the process.
    fn next_event(&mut self) -> Option<Value> {
        // The last line of a process that was killed may be cut off.
        serde_json::from_str(&self.lines.next()?.unwrap()).ok()
    }

    /// Waits for an event. Returns it and those before it.
    pub(crate) fn wait_for(&mut self, is_expected: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut events = Vec::new();
        while !events.last().is_some_and(&is_expected) {
            events.push(self.next_event().expect("the SMSC runs"));
        }
        events
    }

    /// Waits until a bind has accepted a message of a phone. Returns this event and those before it.
    pub(crate) fn wait_for_accepted_message(&mut self) -> Vec<Value> {
        self.wait_for(|event| {
            event["event"] == "deliver_sm" && event["receipt"].is_null() && event["error"].is_null()
        })
    }

    /// Kills the SMSC and returns its other events.
    pub(crate) fn events(mut self) -> Vec<Value> {
        self.process.kill().unwrap();
        std::iter::from_fn(|| self.next_event()).collect()
    }
}

impl Drop for Smsc {
    fn drop(&mut self) {
        // It fails if the process has ended.
        let _ = self.process.kill();
        self.process.wait().unwrap();
    }
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
    run_with_timeout(Box::new(test));
}

/// Compiled once, not for each test.
fn run_with_timeout(test: Box<dyn FnOnce() + Send>) {
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
