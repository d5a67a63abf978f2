//! The example `receive_blocking`, killed again and again: what it acknowledged is on disk.

mod common;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use common::watched;
use smpp_core::session::{Config, Smsc};
use smpp_core::{Address, CommandStatus, DeliverSm, ShortMessage};
use smpp_io_std::{BindRequest, Bound, Inbound, Listener, Server, Service, Threaded};

const MESSAGES: usize = 300;

struct Everyone;

impl Service for Everyone {
    fn bind(&self, _: &BindRequest) -> Result<(), CommandStatus> {
        Ok(())
    }

    fn request(&self, _: &Bound, _: Inbound<Threaded<Smsc>>) {}
}

/// The example's program, next to this one.
fn program() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let profile = here.ancestors().nth(2).unwrap();
    let program = profile.join("examples").join(format!("receive_blocking{}", std::env::consts::EXE_SUFFIX));
    if !program.exists() {
        // Only this test was asked for.
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--package", "smpp-io-std", "--example", "receive_blocking"]);
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success());
    }
    program
}

/// A receiver, killed when it is dropped.
struct Receiver(Child);

impl Receiver {
    fn start(server: &Server, file: &Path) -> Self {
        let url = format!("smpp://shop@{}", server.local_addrs()[0]);
        let mut command = Command::new(program());
        command.args(["--url", &url, "--file"]).arg(file).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// The texts in the lines that are whole, and how many of them are marked as having come again.
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
fn a_receiver_that_is_killed_has_stored_what_it_acknowledged() {
    watched(|| {
        let file =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("received-{}.jsonl", std::process::id()));
        let _ = fs::remove_file(&file);
        let listener = Listener::bind("127.0.0.1:0", Config { window: 32, ..Config::default() }).unwrap();
        let server = Server::builder(Everyone).listen(listener).start().unwrap();
        let mut left: Vec<String> = (0..MESSAGES).map(|number| format!("message {number}")).collect();
        let mut acknowledged = HashSet::new();
        let mut kills = 0;
        let mut receiver = Receiver::start(&server, &file);
        while !left.is_empty() {
            let Some(bound) = server.bound().pop() else {
                thread::yield_now();
                continue;
            };
            // A few windows at once, so that some are in the receiver's inbox when it is killed.
            let tickets: Vec<_> = left
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
            for (ticket, text) in tickets {
                if ticket.wait().is_ok() {
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
        assert_eq!(texts.len() - different.len(), again, "what came twice is marked");
        fs::remove_file(&file).unwrap();
        server.shutdown(Duration::from_secs(1));
    });
}
