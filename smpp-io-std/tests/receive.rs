//! Kills the example `receive_blocking` again and again: every message that it has acknowledged is on disk.

mod common;

use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use common::watched;
use smpp_core::session::{Config, Smsc};
use smpp_core::{Address, CommandStatus, DeliverSm, ShortMessage};
use smpp_io_std::{
    BindRequest, BoundSession, HandleRoute, Inbound, Listener, RequestError, Response, Server, Service,
};

const MESSAGES: usize = 300;

struct AcceptAll;

impl Service for AcceptAll {
    fn bind(&self, _: &BindRequest) -> Result<(), CommandStatus> {
        Ok(())
    }

    fn request(&self, _: &BoundSession, _: Inbound<HandleRoute<Smsc>>) {}
}

/// Returns the path of the example, which is built next to this test.
fn program() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let profile = here.ancestors().nth(2).unwrap();
    let program = profile.join("examples").join(format!("receive_blocking{}", std::env::consts::EXE_SUFFIX));
    if !program.exists() {
        // Cargo has built only this test.
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--package", "smpp-io-std", "--example", "receive_blocking"]);
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success());
    }
    program
}

/// A process of the example. Dropping it kills the process.
struct Receiver(Child);

impl Receiver {
    fn start(server: &Server, file: &Path) -> Self {
        Self::run(Command::new(program()), server, file)
    }

    fn run(mut command: Command, server: &Server, file: &Path) -> Self {
        let url = format!("smpp://shop@{}", server.local_addrs()[0]);
        command.args(["--url", &url, "--file"]).arg(file).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// Waits until the process has ended, and returns its exit code and its stderr.
    fn end(mut self) -> (Option<i32>, String) {
        let mut stderr = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (self.0.wait().unwrap().code(), stderr)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.0.kill();
        self.0.wait().unwrap();
    }
}

/// Returns the path of a file that does not exist yet.
fn new_file(name: &str) -> PathBuf {
    let name = format!("{name}-{}.jsonl", std::process::id());
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_file(&file);
    file
}

fn server() -> Server {
    let listener = Listener::bind("127.0.0.1:0", Config { window: 32, ..Config::default() }).unwrap();
    Server::builder(AcceptAll).listen(listener).start().unwrap()
}

/// Waits for a bind, and returns its session.
fn bound(server: &Server) -> BoundSession {
    loop {
        if let Some(bound) = server.bound().pop() {
            return bound;
        }
        thread::yield_now();
    }
}

fn deliver(bound: &BoundSession, text: &str) -> Result<Response, RequestError> {
    bound.peer().deliver(&DeliverSm {
        source: Address::international("6591234567").unwrap(),
        short_message: ShortMessage::new(text.as_bytes()).unwrap(),
        ..DeliverSm::default()
    })
}

#[test]
fn an_incomplete_or_damaged_last_line_was_never_acknowledged() {
    watched(|| {
        let file = new_file("incomplete");
        let server = server();
        let receiver = Receiver::start(&server, &file);
        deliver(&bound(&server), "first").unwrap();
        drop(receiver);
        let line = fs::read(&file).unwrap();
        for (number, tail) in
            [&b"{\"from\":\"6591"[..], b"\0\0\0\0", b"\0\0\xff\n", b"{}\n"].iter().enumerate()
        {
            fs::write(&file, [&line, *tail].concat()).unwrap();
            while !server.bound().is_empty() {
                thread::yield_now();
            }
            let receiver = Receiver::start(&server, &file);
            let text = format!("second {number}");
            deliver(&bound(&server), &text).unwrap();
            drop(receiver);
            assert_eq!(stored(&file), (vec![hexadecimal("first"), hexadecimal(&text)], 0));
        }
        // A damaged line that is not the last one is never deleted.
        fs::write(&file, [b"garbage\n", &line[..]].concat()).unwrap();
        let (code, stderr) = Receiver::start(&server, &file).end();
        assert!(code == Some(1) && stderr.contains("line 1"), "{stderr}");
        assert_eq!(fs::read(&file).unwrap(), [b"garbage\n", &line[..]].concat());
        fs::remove_file(&file).unwrap();
    });
}

#[cfg(unix)]
#[test]
fn a_message_that_does_not_fit_on_the_disk_is_not_acknowledged() {
    watched(|| {
        let file = new_file("full");
        let server = server();
        // The limit on the file size is a few lines: the last of them is written in part.
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\""]).arg(program());
        let receiver = Receiver::run(shell, &server, &file);
        let peer = bound(&server);
        let mut texts = (0..).map(|number| format!("message {number}"));
        let mut acknowledged = Vec::new();
        let refused = loop {
            let text = texts.next().unwrap();
            match deliver(&peer, &text) {
                Ok(_) => acknowledged.push(hexadecimal(&text)),
                Err(error) => break (text, error),
            }
        };
        assert_eq!(refused.1, RequestError::Refused(CommandStatus::RX_T_APPN));
        let (code, stderr) = receiver.end();
        assert!(code == Some(1) && stderr.contains(file.to_str().unwrap()), "{stderr}");
        assert!(!fs::read(&file).unwrap().ends_with(b"\n"), "the last line was written in part");
        // The message is redelivered once there is room.
        while !server.bound().is_empty() {
            thread::yield_now();
        }
        let receiver = Receiver::start(&server, &file);
        deliver(&bound(&server), &refused.0).unwrap();
        drop(receiver);
        acknowledged.push(hexadecimal(&refused.0));
        assert_eq!(stored(&file), (acknowledged, 0));
        fs::remove_file(&file).unwrap();
    });
}

#[test]
fn wrong_arguments_are_reported_and_create_no_file() {
    let file = new_file("none");
    for (url, complaint) in [
        ("http://shop@localhost", "--url: scheme"),
        ("smpp://localhost", "SYSTEM_ID is missing"),
        ("smpp://a-name-that-is-too-long@localhost", "system_id"),
    ] {
        let output = Command::new(program()).args(["--url", url, "--file"]).arg(&file).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && stderr.contains(complaint), "{stderr}");
        assert!(!file.exists());
    }
}

/// Returns the texts in the complete lines, and how many of these lines are marked as redelivered.
fn stored(file: &Path) -> (Vec<String>, usize) {
    let content = fs::read_to_string(file).unwrap_or_default();
    let whole = content.rfind('\n').map_or("", |end| &content[..end]);
    let lines: Vec<serde_json::Value> =
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let again = lines.iter().filter(|line| line["again"] == true).count();
    let text = |line: &serde_json::Value| line["text"].as_str().unwrap().to_owned();
    (lines.iter().map(text).collect(), again)
}

fn hexadecimal(text: &str) -> String {
    text.bytes().flat_map(|octet| format!("{octet:02x}").into_bytes()).map(char::from).collect()
}

#[test]
fn a_killed_receiver_has_stored_every_message_that_it_acknowledged() {
    watched(|| {
        let file = new_file("received");
        let server = server();
        let mut left: Vec<String> = (0..MESSAGES).map(|number| format!("message {number}")).collect();
        let mut acknowledged = HashSet::new();
        let mut kills = 0;
        let mut receiver = Receiver::start(&server, &file);
        while !left.is_empty() {
            let Some(bound) = server.bound().pop() else {
                thread::yield_now();
                continue;
            };
            // More than a window at a time, so that some are in the receiver's inbox when it is killed.
            let pending: Vec<_> = left
                .iter()
                .take(50)
                .map_while(|text| {
                    let deliver = DeliverSm {
                        source: Address::international("6591234567").unwrap(),
                        short_message: ShortMessage::new(text.as_bytes()).unwrap(),
                        ..DeliverSm::default()
                    };
                    Some((bound.peer().deliver_pipelined(&deliver).ok()?, text.clone()))
                })
                .collect();
            let enough = acknowledged.len() + 20 + 7 * kills;
            for (response, text) in pending {
                if response.wait().is_ok() {
                    acknowledged.insert(hexadecimal(&text));
                }
                if acknowledged.len() == enough && kills < 8 {
                    kills += 1;
                    drop(receiver);
                    let (texts, _) = stored(&file);
                    let texts: HashSet<_> = texts.into_iter().collect();
                    assert!(acknowledged.is_subset(&texts), "acknowledged and not stored");
                    receiver = Receiver::start(&server, &file);
                }
            }
            left.retain(|text| !acknowledged.contains(&hexadecimal(text)));
        }
        drop(receiver);
        assert!(kills > 3, "{kills}");
        let (texts, again) = stored(&file);
        let different: HashSet<_> = texts.iter().collect();
        assert_eq!(different.len(), MESSAGES, "nothing is lost");
        assert_eq!(texts.len() - different.len(), again, "messages that came twice are marked");
        fs::remove_file(&file).unwrap();
        server.shutdown(Duration::from_secs(1));
    });
}
