//! `smpp receive`, with and without `--blocking`, killed again and again: what it acknowledged is on disk.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::common::{PROGRAM, hexadecimal, new_file, smpp, with_timeout};
use serde_json::{Value, json};
use smpp_proto::session::{Config, Smsc};
use smpp_proto::{Address, CommandStatus, DataCoding, DeliverSm, EsmClass, ShortMessage};
use smpp_std::{
    Admission, BindRequest, BoundSession, HandleRoute, Inbound, Listener, RequestError, Response, Server,
    Service,
};

const MESSAGES: usize = 300;

/// Accepts every bind.
struct AcceptAll;

impl Service for AcceptAll {
    fn bind(&self, _: &BindRequest) -> Result<Admission, CommandStatus> {
        Ok(Admission::default())
    }

    fn request(&self, _: &BoundSession, _: Inbound<HandleRoute<Smsc>>) {}
}

/// The arguments that select an adapter.
const ADAPTERS: [&[&str]; 2] = [&[], &["--blocking"]];

/// A receiver, killed when it is dropped.
struct Receiver(Child);

impl Receiver {
    fn start(adapter: &[&str], server: &Server, file: &Path) -> Self {
        Self::run(Command::new(PROGRAM), adapter, server, file)
    }

    /// Reads so many lines of the standard output.
    fn lines(&mut self, count: usize) -> Vec<String> {
        let stdout = BufReader::new(self.0.stdout.as_mut().unwrap());
        stdout.lines().take(count).map(Result::unwrap).collect()
    }

    fn run(mut command: Command, adapter: &[&str], server: &Server, file: &Path) -> Self {
        let url = format!("smpp://shop@{}", server.local_addrs()[0]);
        command.arg("receive").args(adapter).args(["--url", &url, "--file"]).arg(file);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// Waits for its end. Returns the exit status and the standard error.
    fn end(mut self) -> (Option<i32>, String) {
        let mut error = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut error).unwrap();
        (self.0.wait().unwrap().code(), error)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // It fails if the process has ended.
        let _ = self.0.kill();
        self.0.wait().unwrap();
    }
}

fn server() -> Server {
    let listener = Listener::bind("127.0.0.1:0", Config::default().window(32)).unwrap();
    Server::builder(AcceptAll).listen(listener).start().unwrap()
}

/// Waits for a bind whose response has left, and returns it.
fn bound(server: &Server) -> BoundSession {
    loop {
        if let Some(bound) = server.binds().list().pop()
            && bound.peer().state().is_bound()
        {
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
fn a_cut_off_or_damaged_last_line_is_removed() {
    with_timeout(|| {
        for adapter in ADAPTERS {
            let file = new_file("torn");
            let server = server();
            let receiver = Receiver::start(adapter, &server, &file);
            deliver(&bound(&server), "first").unwrap();
            drop(receiver);
            let line = fs::read(&file).unwrap();
            for (number, tail) in
                [&b"{\"from\":\"6591"[..], b"\0\0\0\0", b"\0\0\xff\n", b"{}\n"].iter().enumerate()
            {
                fs::write(&file, [&line, *tail].concat()).unwrap();
                while !server.binds().list().is_empty() {
                    thread::yield_now();
                }
                let receiver = Receiver::start(adapter, &server, &file);
                let text = format!("second {number}");
                deliver(&bound(&server), &text).unwrap();
                drop(receiver);
                assert_eq!(stored(&file), (vec![hexadecimal("first"), hexadecimal(&text)], 0));
            }
            // A damaged line that is not the last one is not removed.
            fs::write(&file, [b"garbage\n", &line[..]].concat()).unwrap();
            let (code, error) = Receiver::start(adapter, &server, &file).end();
            assert!(code == Some(1) && error.contains("line 1"), "{error}");
            assert_eq!(fs::read(&file).unwrap(), [b"garbage\n", &line[..]].concat());
            fs::remove_file(&file).unwrap();
        }
    });
}

#[test]
fn the_text_of_messages_and_the_fields_of_receipts_are_stored_and_shown() {
    let receipt =
        b"id:4711 sub:001 dlvrd:000 submit date:2611230102 done date:2611230103 stat:UNDELIV err:012 text:Hi";
    let [gsm, ucs2, segment, receipt, odd] = [
        (&b"Gr\x7E\x1Ee"[..], 0, EsmClass::default()),
        (b"\x4F\x60\x59\x7D", 8, EsmClass::default()),
        (b"\x05\x00\x03\x2A\x03\x02part", 0, EsmClass::UDHI),
        (receipt, 0, EsmClass::DELIVERY_RECEIPT),
        (b"nothing", 0, EsmClass::DELIVERY_RECEIPT),
    ]
    .map(|(text, data_coding, esm_class)| DeliverSm {
        source: Address::international("6591234567").unwrap(),
        destination: Address::international("8888").unwrap(),
        esm_class,
        data_coding: DataCoding(data_coding),
        short_message: ShortMessage::new(text).unwrap(),
        ..DeliverSm::default()
    });
    with_timeout(move || {
        for adapter in ADAPTERS {
            let file = new_file("shown");
            let server = server();
            let mut receiver = Receiver::start(adapter, &server, &file);
            let bound = bound(&server);
            for message in [&gsm, &ucs2, &segment, &receipt, &odd, &gsm] {
                bound.peer().deliver(message).unwrap();
            }
            assert_eq!(
                receiver.lines(6),
                [
                    "message     from 6591234567 to 8888: Grüße",
                    "message     from 6591234567 to 8888: 你好",
                    "message     from 6591234567 to 8888, segment 2/3: part",
                    "receipt     4711: UNDELIVERABLE, err 012, done 2611230103",
                    "receipt     from 6591234567 to 8888, unreadable, the delivery receipt has no message id: nothing",
                    "message     from 6591234567 to 8888: Grüße (again)",
                ]
            );
            drop(receiver);
            let lines = fs::read_to_string(&file).unwrap();
            let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let decoded: Vec<_> = lines.iter().map(|line| line["decoded"].as_str().unwrap()).collect();
            assert_eq!(decoded[..3], ["Grüße", "你好", "part"]);
            assert_eq!((&lines[2]["segment"], &lines[2]["segments"]), (&2.into(), &3.into()));
            for (field, value) in [
                ("message_id", json!("4711")),
                ("state", json!("UNDELIVERABLE")),
                ("final", json!(true)),
                ("stat", json!("UNDELIV")),
                ("err", json!("012")),
                ("submit_date", json!("2611230102")),
                ("done_date", json!("2611230103")),
            ] {
                assert_eq!(lines[3][field], value, "{field}");
                assert_eq!(lines[0].get(field), None, "{field}: it is no receipt");
            }
            assert!(lines[4]["receipt_error"].is_string(), "{}", lines[4]);
            fs::remove_file(&file).unwrap();

            while !server.binds().list().is_empty() {
                thread::yield_now();
            }
            let quiet = [adapter, &["--quiet"]].concat();
            let mut receiver = Receiver::start(&quiet, &server, &file);
            let bound = self::bound(&server);
            bound.peer().deliver(&gsm).unwrap();
            bound.peer().unbind();
            let mut stdout = String::new();
            receiver.0.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
            assert_eq!(stdout, "");
            fs::remove_file(&file).unwrap();
        }
    });
}

/// A phone may send line breaks, control characters and marks that reorder what is shown.
#[test]
fn a_text_forges_no_line_and_controls_no_terminal() {
    let text = "Hi\nreceipt     4711: DELIVERED, err 000\r\t\u{9b}2J\u{85}\u{2028}\u{202e}\u{2066}\u{200f}";
    let ucs2: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    with_timeout(move || {
        for adapter in ADAPTERS {
            let file = new_file("forged");
            let server = server();
            let mut receiver = Receiver::start(adapter, &server, &file);
            let message = DeliverSm {
                source: Address::international("6591234567").unwrap(),
                destination: Address::international("8888").unwrap(),
                data_coding: DataCoding::UCS2,
                short_message: ShortMessage::new(&ucs2).unwrap(),
                ..DeliverSm::default()
            };
            bound(&server).peer().deliver(&message).unwrap();
            assert_eq!(
                receiver.lines(1)[0],
                "message     from 6591234567 to 8888: Hi\\nreceipt     4711: DELIVERED, err 000\\r\\t\\u{9b}2J\\u{85}\\u{2028}\
                 \\u{202e}\\u{2066}\\u{200f}"
            );
            drop(receiver);
            let stored = fs::read_to_string(&file).unwrap();
            let line = stored.strip_suffix('\n').unwrap();
            assert!(line.bytes().all(|octet| (b' '..=b'~').contains(&octet)), "{line:?}");
            assert_eq!(serde_json::from_str::<Value>(line).unwrap()["decoded"], text);
            fs::remove_file(&file).unwrap();
        }
    });
}

/// How many long lines are more than a pipe, the thread that prints and its queue of 1 MiB hold together.
#[cfg(unix)]
const LONG_LINES: usize = 15;

/// Delivers texts with long lines: each octet is a control character, which is printed as `\u{9b}`.
#[cfg(unix)]
fn deliver_long_lines(bound: &BoundSession) {
    use smpp_proto::{Tag, Tlv, Tlvs};
    let tlvs = [Tlv::new(Tag::MESSAGE_PAYLOAD, &[0x9b; 16_000]).unwrap()];
    let message =
        DeliverSm { data_coding: DataCoding::LATIN1, tlvs: Tlvs::list(&tlvs), ..DeliverSm::default() };
    for _ in 0..LONG_LINES {
        bound.peer().deliver(&message).unwrap();
    }
}

#[cfg(unix)]
fn terminate(receiver: &Receiver) {
    assert!(Command::new("kill").arg(receiver.0.id().to_string()).status().unwrap().success());
}

#[cfg(unix)]
fn leave_output_unread(adapter: &[&str]) {
    let file = new_file(&format!("unread{}", adapter.concat()));
    let server = server();
    let mut receiver = Receiver::start(adapter, &server, &file);
    let peer = bound(&server);
    deliver_long_lines(&peer);
    assert_eq!(stored(&file).0.len(), LONG_LINES, "each was acknowledged after it was stored");
    // Who reads after all sees where lines are missing, and the lines after them.
    let mut lines = BufReader::new(receiver.0.stdout.as_mut().unwrap()).lines().map(Result::unwrap);
    let notice = lines.find(|line| !line.starts_with("message ")).unwrap();
    let left_out = notice.strip_suffix(" lines left out: the output is not read").unwrap();
    let left_out: usize = left_out.strip_prefix("... ").unwrap().parse().unwrap();
    assert!((1..LONG_LINES).contains(&left_out), "{notice}");
    deliver(&peer, "read").unwrap();
    assert!(lines.next().unwrap().ends_with(": read"));
    // Again nobody reads; SIGTERM ends it.
    deliver_long_lines(&peer);
    terminate(&receiver);
    let stdout = receiver.0.stdout.take();
    let (code, error) = receiver.end();
    drop(stdout);
    assert_eq!(code, Some(0), "{error}");
    let mut end = error.lines().skip_while(|line| *line != "stopped: closed by unbind of this side");
    assert!(end.next().is_some(), "{error}");
    let notice = end.next().unwrap();
    assert!(
        notice.starts_with("... ") && notice.ends_with(" lines left out: the output is not read"),
        "{error}"
    );
    assert_eq!(stored(&file).0.len(), 2 * LONG_LINES + 1);
    fs::remove_file(&file).unwrap();
}

/// The adapters side by side: at its end, each command waits a second for its output to be read.
#[cfg(unix)]
#[test]
fn an_output_that_nobody_reads_stops_nothing() {
    with_timeout(|| {
        thread::scope(|scope| {
            for adapter in ADAPTERS {
                scope.spawn(|| leave_output_unread(adapter));
            }
        });
    });
}

#[cfg(unix)]
#[test]
fn a_closed_output_ends_only_the_printing() {
    with_timeout(|| {
        for adapter in ADAPTERS {
            let file = new_file("closed");
            let server = server();
            let mut receiver = Receiver::start(adapter, &server, &file);
            drop(receiver.0.stdout.take());
            let peer = bound(&server);
            deliver_long_lines(&peer);
            terminate(&receiver);
            let (code, error) = receiver.end();
            assert!(code == Some(0) && !error.contains("left out"), "{error}");
            assert_eq!(stored(&file).0.len(), LONG_LINES);
            fs::remove_file(&file).unwrap();
        }
    });
}

#[cfg(unix)]
#[test]
fn a_message_that_the_disk_cannot_hold_is_not_acknowledged() {
    with_timeout(|| {
        for adapter in ADAPTERS {
            let file = new_file("full");
            let server = server();
            // The file may grow to a few lines; the last write is cut off.
            let mut shell = Command::new("sh");
            shell.args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\""]).arg(PROGRAM);
            let receiver = Receiver::run(shell, adapter, &server, &file);
            let peer = bound(&server);
            let mut texts = (0..).map(|number| format!("message {number}"));
            let mut acknowledged = Vec::new();
            let refused = loop {
                let text = texts.next().unwrap();
                match deliver(&peer, &text) {
                    Ok(_) => acknowledged.push(hexadecimal(&text)),
                    Err(refusal) => break (text, refusal),
                }
            };
            assert_eq!(refused.1.status(), Some(CommandStatus::RX_T_APPN));
            let (code, error) = receiver.end();
            assert!(code == Some(1) && error.contains(file.to_str().unwrap()), "{error}");
            assert!(!fs::read(&file).unwrap().ends_with(b"\n"), "the last line is cut off");
            // The message is redelivered once there is room.
            while !server.binds().list().is_empty() {
                thread::yield_now();
            }
            let receiver = Receiver::start(adapter, &server, &file);
            deliver(&bound(&server), &refused.0).unwrap();
            drop(receiver);
            acknowledged.push(hexadecimal(&refused.0));
            assert_eq!(stored(&file), (acknowledged, 0));
            fs::remove_file(&file).unwrap();
        }
    });
}

#[test]
fn wrong_arguments_are_reported_and_create_no_file() {
    let file = new_file("none");
    for (url, message) in [
        ("http://shop@localhost", "--url: the scheme"),
        ("smpp://localhost", "no SYSTEM_ID"),
        ("smpp://a-name-that-is-too-long@localhost", "system_id"),
    ] {
        for adapter in ADAPTERS {
            let mut command = smpp(&["receive", "--url", url, "--file"]);
            let output = command.arg(&file).args(adapter).output().unwrap();
            let error = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.code() == Some(2) && error.contains(message), "{error}");
            assert!(!file.exists());
        }
    }
}

#[test]
fn a_file_that_cannot_be_created_is_reported_before_the_bind() {
    let file = new_file("no-directory").join("received.jsonl");
    for adapter in ADAPTERS {
        let mut command = smpp(&["receive", "--url", "smpp://shop:s3cret@localhost:1", "--file"]);
        let output = command.arg(&file).args(adapter).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        let what = format!("error: --file {}: ", file.display());
        assert!(error.starts_with(&what) && error.contains("in a directory that exists"), "{error}");
    }
}

/// Returns the texts of the whole lines, and how many lines are marked `again`.
fn stored(file: &Path) -> (Vec<String>, usize) {
    let content = fs::read_to_string(file).unwrap_or_default();
    let whole = content.rfind('\n').map_or("", |end| &content[..end]);
    let lines: Vec<serde_json::Value> =
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let again = lines.iter().filter(|line| line["again"] == true).count();
    let text = |line: &serde_json::Value| line["text"].as_str().unwrap().to_owned();
    (lines.iter().map(text).collect(), again)
}

#[test]
fn a_receiver_that_is_killed_has_stored_what_it_acknowledged() {
    with_timeout(|| {
        for adapter in ADAPTERS {
            let file = new_file("received");
            let server = server();
            let mut left: Vec<String> = (0..MESSAGES).map(|number| format!("message {number}")).collect();
            let mut acknowledged = HashSet::new();
            let mut kills = 0;
            let mut receiver = Receiver::start(adapter, &server, &file);
            while !left.is_empty() {
                let Some(bound) = server.binds().list().pop() else {
                    thread::yield_now();
                    continue;
                };
                // More than a window at once, so that some messages are in the receiver's inbox when it is killed.
                let in_flight: Vec<_> = left
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
                for (pending, text) in in_flight {
                    if pending.wait().is_ok() {
                        acknowledged.insert(hexadecimal(&text));
                    }
                    if acknowledged.len() == enough && kills < 8 {
                        kills += 1;
                        drop(receiver);
                        let (texts, _) = stored(&file);
                        let texts: HashSet<_> = texts.into_iter().collect();
                        assert!(acknowledged.is_subset(&texts), "a message was acknowledged and not stored");
                        receiver = Receiver::start(adapter, &server, &file);
                    }
                }
                left.retain(|text| !acknowledged.contains(&hexadecimal(text)));
            }
            drop(receiver);
            assert!(kills > 3, "{kills}");
            let (texts, again) = stored(&file);
            let different: HashSet<_> = texts.iter().collect();
            assert_eq!(different.len(), MESSAGES, "no message is lost");
            assert_eq!(texts.len() - different.len(), again, "redelivered messages are marked");
            fs::remove_file(&file).unwrap();
            server.shutdown(Duration::from_secs(1));
        }
    });
}
