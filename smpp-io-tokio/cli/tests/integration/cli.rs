//! The command `smpp`, run as a process.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};

use crate::common::{Smsc, hexadecimal, new_file, smpp, with_timeout};

/// Runs the command to its end. Returns exit status, standard output and standard error.
fn run(mut command: Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
    let [stdout, stderr] = [stdout, stderr].map(|octets| String::from_utf8(octets).unwrap());
    (status.code().unwrap(), stdout, stderr)
}

/// A process that is killed when it is dropped.
struct Running(Child);

impl Running {
    fn start(arguments: &[&str]) -> Self {
        Self(smpp(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Starts a process that prints "listening on ADDRESS:PORT ..." first. Returns that address too.
    fn listening(arguments: &[&str]) -> (Self, String) {
        let mut running = Self::start(arguments);
        let mut line = String::new();
        BufReader::new(running.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on ").and_then(|rest| rest.split_whitespace().next());
        let address = address.unwrap_or_else(|| panic!("{line}")).to_owned();
        (running, address)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It fails if the process has ended.
        let _ = self.0.kill();
        self.0.wait().unwrap();
    }
}

const SUBCOMMANDS: [&str; 7] = ["send", "receive", "smsc", "load", "probe", "decode", "completions"];

#[test]
fn the_help_of_each_subcommand_has_examples() {
    let (status, help, _) = run(smpp(&["--help"]));
    assert_eq!(status, 0);
    for subcommand in SUBCOMMANDS {
        assert!(help.contains(subcommand), "{help}");
        let (status, help, _) = run(smpp(&[subcommand, "--help"]));
        assert_eq!(status, 0, "{subcommand}");
        assert!(help.contains("Examples:") && help.contains(&format!("smpp {subcommand}")), "{help}");
    }
}

#[test]
fn smsc_names_the_settings_of_the_dialect() {
    let (_, help, _) = run(smpp(&["smsc", "--help"]));
    for (name, _) in smpp_proto::simulator::Dialect::settings() {
        assert!(help.contains(name), "{name}: {help}");
    }
    for (setting, message) in [
        ("colour=red", "the dialect has no setting \"colour\": use one of version, ids,"),
        ("window=0", "window: give a number from 1, or none"),
        ("idle=0", "idle: give milliseconds from 1, or none"),
        ("window", "write NAME=VALUE"),
    ] {
        let (status, _, error) = run(smpp(&["smsc", "--dialect", setting]));
        assert!(status == 2 && error.contains(message), "{error}");
    }
}

#[test]
fn send_delivers_to_the_smsc_inside_the_process() {
    with_timeout(|| {
        for adapter in [&["send"][..], &["send", "--blocking"]] {
            let (status, text, error) = run(smpp(adapter));
            assert_eq!((status, &*error), (0, ""), "{text}");
            assert_eq!(text.matches("-> message_id").count(), 5, "{text}");
            assert_eq!(text.matches(": DELIVERED").count(), 5, "{text}");
            assert!(text.ends_with("ended       closed by unbind of this side\n"), "{text}");
        }
    });
}

#[test]
fn send_leaves_at_the_smsc_what_is_for_others() {
    with_timeout(|| {
        let smsc = ["smsc", "--listen", "127.0.0.1:0", "--account", "shop:s3cret", "--receipt-delay", "300"];
        let (_smsc, address) = Running::listening(&smsc);
        let url = format!("smpp://shop:s3cret@{address}");
        let send = |text: &str, options: &[&str]| {
            run(smpp(&[&["send", "--url", &url, "--to", "6591234567", "--text", text], options].concat()))
        };
        let id_of = |text: &str| {
            let id = text.split_once("-> message_id ").and_then(|(_, rest)| rest.split_whitespace().next());
            id.unwrap_or_else(|| panic!("{text}")).to_owned()
        };
        // It ends before its receipt comes, which then waits for another bind.
        let (status, text, _) = send("one", &["--timeout", "0"]);
        assert_eq!(status, 1, "{text}");
        let waiting = id_of(&text);
        // The SMSC still has it after the first adapter: the second gets it, too.
        for adapter in [&[][..], &["--blocking"]] {
            let (status, text, error) = send("two", adapter);
            assert_eq!((status, &*error), (0, ""), "{text}");
            let left = text.lines().find(|line| line.contains("left at the SMSC"));
            assert!(left.is_some_and(|line| line.ends_with(&waiting)), "{waiting}: {text}");
            assert_eq!(text.matches(": DELIVERED").count(), 1, "{text}");
        }
    });
}

#[test]
fn send_states_a_message_class_and_a_data_coding() {
    for (arguments, expected) in [
        (&["--flash", "--text", "Leave now"][..], "data_coding 16,"),
        (&["--class", "1", "--text", "五"], "data_coding 25,"),
        (&["--data-coding", "8", "--text", "Hello"], "data_coding 8,"),
        (&["--data-coding", "0xf0", "--text", "Hello", "--blocking"], "data_coding 240,"),
    ] {
        let (status, output, errors) = run(smpp(&[&["send"], arguments].concat()));
        assert_eq!(status, 0, "{output}{errors}");
        assert!(output.contains(expected), "{output}");
    }
    for arguments in [
        &["--data-coding", "4", "--text", "Hello"][..],
        &["--data-coding", "3", "--text", "五"],
        &["--data-coding", "3", "--flash", "--text", "Hello"],
    ] {
        let (status, _, errors) = run(smpp(&[&["send"], arguments].concat()));
        assert_eq!(status, 2, "{errors}");
        assert!(errors.contains("data-coding") || errors.contains("data_coding"), "{errors}");
    }
}

#[test]
fn send_prints_json_and_writes_a_capture_that_decode_reads() {
    with_timeout(|| {
        for blocking in [None, Some("--blocking")] {
            let capture = new_file("capture");
            let mut command = smpp(&["send", "--json", "--pcap"]);
            command.arg(&capture).args(blocking);
            let (status, text, _) = run(command);
            assert_eq!(status, 0, "{text}");
            let events: Vec<serde_json::Value> =
                text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let count = |name| events.iter().filter(|event| event["event"] == name).count();
            let counts = ["connected", "bound", "accepted", "receipt", "unbound", "error"].map(count);
            assert_eq!(counts, [1, 1, 5, 5, 1, 0], "{text}");
            let accepted = events.iter().filter(|event| event["event"] == "accepted");
            let number = |event: &serde_json::Value, name| event[name].as_u64().unwrap();
            let segments = accepted.map(|event| (number(event, "segment"), number(event, "segments")));
            let segments: Vec<_> = segments.collect();
            assert_eq!(segments, [(1, 1), (1, 1), (1, 3), (2, 3), (3, 3)], "{text}");

            let (status, text, _) = run(smpp(&["decode", capture.to_str().unwrap()]));
            assert_eq!(status, 0, "{text}");
            assert!(text.contains("bind_transceiver  sequence 1") && !text.contains("s3cret"), "{text}");
            fs::remove_file(capture).unwrap();
        }
    });
}

#[test]
fn a_wrong_password_is_reported_without_the_password() {
    with_timeout(|| {
        let (_smsc, address) =
            Running::listening(&["smsc", "--listen", "127.0.0.1:0", "--account", "shop:s3cret"]);
        let url = format!("smpp://shop:guessed@{address}");
        let send = ["send", "--url", &url, "--to", "6591234567", "--text", "Hello"];
        let file = new_file("wrong-password");
        let receive = ["receive", "--url", &url, "--file", file.to_str().unwrap()];
        let load = ["load", "--url", &url];
        let alone = ["load", "--url", &url, "--blocking", "--alone"];
        let (status, _, error) = run(smpp(&alone));
        assert!(status == 1 && error.contains("Check the password"), "{error}");
        for arguments in [&send[..], &receive, &load] {
            for blocking in [None, Some("--blocking")] {
                let mut command = smpp(arguments);
                let (status, text, error) = run({
                    command.args(blocking);
                    command
                });
                assert_eq!(status, 1, "{arguments:?}");
                assert!(error.contains("ESME_RINVPASWD") && error.contains("Check the password"), "{error}");
                assert!(error.contains(&format!("to smpp://{address} as \"shop\" failed: ")), "{error}");
                assert!(!text.contains("guessed") && !error.contains("guessed"), "{text}{error}");
            }
        }
        fs::remove_file(file).unwrap();
        // The URL has no password, and neither has the environment.
        let url = format!("smpp://shop@{address}");
        let (status, _, error) = run(smpp(&["send", "--url", &url, "--to", "6591234567", "--text", "Hello"]));
        assert!(status == 2 && error.contains("SMPP_PASSWORD"), "{error}");
    });
}

#[test]
fn decode_prints_each_field() {
    let (status, text, _) = run(smpp(&["decode", "00000010", "00000015", "00000000", "00000001"]));
    assert_eq!(status, 0);
    assert!(text.starts_with("enquire_link  sequence 1 ESME_ROK, 16 octets\n"), "{text}");
    assert!(text.contains("00 00 00 15                 command_id"), "{text}");
    let (status, text, _) = run(smpp(&["decode", "00000010", "00000015", "00000000"]));
    assert!(status == 1 && text.contains("ends inside a PDU"), "{text}");
    let (status, _, error) = run(smpp(&["decode", "no-such-file.pcap"]));
    assert!(status == 2 && error.contains("no file no-such-file.pcap, and not hex digits"), "{error}");
    let (status, _, error) = run(smpp(&["decode", "001"]));
    assert!(status == 2 && error.contains("3 hex digits: the number must be even"), "{error}");
}

#[test]
fn completions_for_three_shells() {
    for shell in ["bash", "zsh", "fish"] {
        let (status, script, _) = run(smpp(&["completions", shell]));
        assert_eq!(status, 0, "{shell}");
        for subcommand in SUBCOMMANDS {
            assert!(script.contains(subcommand), "{shell}: {script}");
        }
    }
}

#[test]
fn load_measures_each_variant() {
    with_timeout(|| {
        for variant in [
            &["--connections", "2", "--threads", "2"][..],
            &["--queued"],
            &["--rate", "100000"],
            &["--blocking"],
            &["--blocking", "--threads", "4"],
            &["--blocking", "--alone"],
            &["--blocking", "--raw"],
        ] {
            let arguments = [&["load", "--messages", "1000", "--json"], variant].concat();
            let (status, text, error) = run(smpp(&arguments));
            assert_eq!(status, 0, "{variant:?}: {text}{error}");
            let result: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(result["accepted"], 1000, "{text}");
            assert!(result["micros"]["p99"].as_f64().unwrap() > 0.0, "{text}");
        }
    });
}

#[test]
fn load_counts_refusals_by_status() {
    with_timeout(|| {
        let smsc = ["smsc", "--listen", "127.0.0.1:0", "--account", "shop:s3cret", "--rate", "0"];
        let refuse = ["--dialect", "refuse=6591234567:RINVDSTADR"];
        let (_smsc, address) = Running::listening(&[&smsc[..], &refuse].concat());
        let url = format!("smpp://shop:s3cret@{address}");
        for variant in [&[][..], &["--blocking"], &["--account"], &["--account", "--blocking"]] {
            let load = |more: &[&str]| {
                run(smpp(&[&["load", "--url", &url, "--messages", "20"], variant, more].concat()))
            };
            let (status, text, error) = load(&[]);
            assert_eq!(status, 1, "{variant:?}: {text}{error}");
            let expected =
                "0 accepted, 20 refused, 0 never sent, 0 unanswered\n  refused with ESME_RINVDSTADR: 20\n";
            assert!(text.starts_with(expected), "{variant:?}: {text}");
            let (_, text, _) = load(&["--json"]);
            let result: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(result["refused_by_status"], serde_json::json!({ "ESME_RINVDSTADR": 20 }), "{text}");
        }
    });
}

/// A host that accepts the TCP connection and then says nothing.
#[test]
fn a_command_that_waits_for_a_host_says_so() {
    with_timeout(|| {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("smpp://shop:s3cret@{}", silent.local_addr().unwrap());
        let files = [new_file("waits"), new_file("waits-blocking")];
        let mut waiting = Vec::new();
        for (blocking, file) in [None, Some("--blocking")].into_iter().zip(&files) {
            for command in [
                &["send", "--url", &url, "--to", "6591234567", "--text", "Hello", "--json"][..],
                &["receive", "--url", &url, "--file", file.to_str().unwrap()],
                &["load", "--url", &url, "--json"],
                &["load", "--url", &url, "--account", "--json"],
            ] {
                let arguments: Vec<_> = command.iter().copied().chain(blocking).collect();
                waiting.push(Running::start(&arguments));
            }
        }
        waiting.push(Running::start(&["probe", "--url", &url, "--to", "6591234567", "--yes"]));
        let expected = format!("still connecting to smpp://{} and binding, ", silent.local_addr().unwrap());
        for mut waiting in waiting {
            // `probe` prints its plan first.
            let mut lines = BufReader::new(waiting.0.stderr.take().unwrap()).lines().map(Result::unwrap);
            assert!(lines.any(|line| line.starts_with(&expected)));
            waiting.0.kill().unwrap();
            let stdout = io::read_to_string(waiting.0.stdout.take().unwrap()).unwrap();
            // `receive` and `probe` print nothing yet.
            let is_json = |line: &str| serde_json::from_str::<serde_json::Value>(line).is_ok();
            assert!(stdout.lines().all(is_json), "{stdout}");
        }
        for file in files {
            fs::remove_file(file).unwrap();
        }
    });
}

#[test]
fn load_through_an_account() {
    with_timeout(|| {
        for variant in [
            &["--connections", "2", "--threads", "2"][..],
            &["--receipts"],
            &["--receipts", "--outstanding", "300", "--tasks", "10"],
            &["--length", "2000", "--receipts"],
            &["--blocking"],
            &["--blocking", "--receipts", "--connections", "2"],
            &["--blocking", "--receipts", "--outstanding", "300", "--threads", "4"],
        ] {
            let arguments = [&["load", "--account", "--messages", "500", "--json"], variant].concat();
            let (status, text, error) = run(smpp(&arguments));
            assert_eq!(status, 0, "{variant:?}: {text}{error}");
            let result: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(result["accepted"], 500, "{text}");
            let receipts = if variant.contains(&"--receipts") { 500 } else { 0 };
            assert_eq!(result["receipts"], receipts, "{variant:?}: {text}");
            assert!(result["peak_memory"].as_u64().is_none_or(|octets| octets > 1 << 20), "{text}");
        }
    });
}

#[test]
fn load_through_an_account_in_two_processes() {
    with_timeout(|| {
        let (_server, address) = Running::listening(&["load", "--serve", "127.0.0.1:0", "--receipts"]);
        for blocking in [None, Some("--blocking")] {
            let mut command = smpp(&["load", "--account", "--receipts", "--messages", "1000"]);
            command.args(["--url", &format!("smpp://a:b@{address}")]).args(blocking);
            let (status, text, error) = run(command);
            assert_eq!(status, 0, "{text}{error}");
            assert!(text.starts_with("1000 accepted, 0 refused, 0 never sent, 0 unanswered\n"), "{text}");
            assert!(text.ends_with("1000 receipts\n"), "{text}");
        }
    });
}

#[test]
fn load_in_two_processes() {
    with_timeout(|| {
        for blocking in [None, Some("--blocking")] {
            let serve = ["load", "--serve", "127.0.0.1:0", "--sessions", "1"];
            let serve: Vec<_> = serve.into_iter().chain(blocking).collect();
            let (mut server, address) = Running::listening(&serve);
            let mut command = smpp(&["load", "--messages", "1000"]);
            command.args(["--url", &format!("smpp://a:b@{address}")]).args(blocking);
            let (status, text, error) = run(command);
            assert_eq!(status, 0, "{text}{error}");
            assert!(text.starts_with("1000 accepted, 0 refused, 0 never sent, 0 unanswered\n"), "{text}");
            assert!(server.0.wait().unwrap().success(), "it ends after one session");
        }
    });
}

#[test]
fn a_count_of_zero_that_cannot_work_is_refused_at_once() {
    for arguments in [
        &["smsc", "--max-connections", "0"][..],
        &["smsc", "--max-binds", "0"],
        &["smsc", "--mo", "demo_shop", "--mo-count", "0"],
        &["load", "--serve", "127.0.0.1:0", "--sessions", "0"],
        &["load", "--window", "0"],
        &["probe", "--url", "smpp://a:b@127.0.0.1:1", "--to", "6591234567", "--idle", "0"],
        &["decode", "00", "--max-pdu", "0"],
    ] {
        let (status, _, error) = run(smpp(arguments));
        assert!(status == 2 && error.contains("invalid value '0' for '--"), "{arguments:?}: {error}");
    }
}

#[test]
fn load_names_an_option_that_does_not_apply() {
    for (arguments, message) in [
        (["load", "--alone", "--json"], "--alone applies only with --blocking"),
        (["load", "--raw", "--json"], "--raw applies only with --blocking"),
        (["load", "--queued", "--blocking"], "--queued does not apply with --blocking"),
    ] {
        let (status, _, error) = run(smpp(&arguments));
        assert!(status == 2 && error.contains(message), "{error}");
    }
}

#[test]
fn smsc_receive_and_send_together() {
    with_timeout(|| {
        for blocking in [None, Some("--blocking")] {
            let mut smsc =
                Smsc::start(&["--mo", "shop", "--mo-count", "1", "--mo-text", "Hello from a phone"]);
            let url = smsc.url().replace('@', ":s3cret-word@");
            let file = new_file("together");
            let receive = ["receive", "--url", &url, "--file", file.to_str().unwrap()];
            let receive: Vec<_> = receive.into_iter().chain(blocking).collect();
            let mut receiver = Running::start(&receive);
            let mut line = String::new();
            BufReader::new(receiver.0.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
            assert!(line.starts_with("bound; 0 messages are in "), "{line}");

            let text = "Hello over three processes";
            let mut command =
                smpp(&["send", "--url", &url, "--to", "6591234567", "--text", text, "--no-receipt"]);
            command.args(blocking);
            let (status, sent, error) = run(command);
            assert_eq!(status, 0, "{sent}{error}");
            // The message of the phone is delivered to either bind. The receiver accepts it after it has stored it.
            smsc.wait_for_accepted_message();
            let stored = fs::read_to_string(&file).unwrap();
            let text = hexadecimal("Hello from a phone");
            assert!(stored.contains(&text) || sent.contains("Hello from a phone"), "{stored}{sent}");
            fs::remove_file(&file).unwrap();
        }
    });
}

#[cfg(unix)]
#[test]
fn an_interrupted_receiver_unbinds() {
    with_timeout(|| {
        for blocking in [None, Some("--blocking")] {
            let (_smsc, address) =
                Running::listening(&["smsc", "--listen", "127.0.0.1:0", "--account", "shop:s3cret"]);
            let url = format!("smpp://shop:s3cret@{address}");
            let file = new_file("interrupted");
            let receive = ["receive", "--url", &url, "--file", file.to_str().unwrap()];
            let receive: Vec<_> = receive.into_iter().chain(blocking).collect();
            let mut receiver = Running::start(&receive);
            let mut error = BufReader::new(receiver.0.stderr.take().unwrap());
            let mut line = String::new();
            error.read_line(&mut line).unwrap();
            assert!(line.starts_with("bound; "), "{line}");
            let kill = Command::new("kill").arg(receiver.0.id().to_string()).status().unwrap();
            assert!(kill.success());
            line.clear();
            error.read_line(&mut line).unwrap();
            assert_eq!(line, "stopped: closed by unbind of this side\n");
            assert!(receiver.0.wait().unwrap().success());
            fs::remove_file(&file).unwrap();
        }
    });
}

/// The host accepts the TCP connection and then says nothing.
#[cfg(unix)]
#[test]
fn an_interrupt_before_the_bind_ends_the_command_at_once() {
    with_timeout(|| {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let file = new_file("not-bound");
        let [plain, tls] = ["smpp://shop:s3cret@127.0.0.1", "smpps://shop:s3cret@127.0.0.1"]
            .map(|url| format!("{url}:{}", silent.local_addr().unwrap().port()));
        let receive = ["receive", "--file", file.to_str().unwrap(), "--url"];
        let probe = ["probe", "--to", "6591234567", "--yes", "--url"];
        let stopped = (0, "stopped: not bound yet");
        let no_probe = (1, "error: interrupted before the first bind: nothing was found out");
        for (command, more, (status, line)) in
            [(&receive[..], None, stopped), (&receive, Some("--blocking"), stopped), (&probe, None, no_probe)]
        {
            for (url, signal) in [(&plain, "-TERM"), (&plain, "-INT"), (&tls, "-TERM")] {
                let arguments: Vec<_> = command.iter().copied().chain([&**url]).chain(more).collect();
                let mut running = Running::start(&arguments);
                // The bind or the handshake has begun. Nothing answers it, and the peer keeps the connection.
                let (mut peer, _) = silent.accept().unwrap();
                io::Read::read_exact(&mut peer, &mut [0]).unwrap();
                let kill = Command::new("kill").args([signal, &running.0.id().to_string()]).status().unwrap();
                assert!(kill.success());
                let error = io::read_to_string(running.0.stderr.take().unwrap()).unwrap();
                assert_eq!(error.lines().last(), Some(line), "{arguments:?} {signal}: {error}");
                assert_eq!(running.0.wait().unwrap().code(), Some(status), "{arguments:?} {signal}");
                assert_eq!(io::read_to_string(running.0.stdout.take().unwrap()).unwrap(), "");
            }
        }
        assert_eq!(fs::read(&file).unwrap(), b"");
        fs::remove_file(&file).unwrap();
    });
}

#[test]
fn smsc_names_a_client_that_speaks_http() {
    with_timeout(|| {
        let (mut smsc, address) = Running::listening(&["smsc", "--listen", "127.0.0.1:0"]);
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let printed = BufReader::new(smsc.0.stdout.take().unwrap()).lines();
        let line = printed.map(Result::unwrap).find(|line| line.starts_with("not bound")).unwrap();
        assert!(line.contains("the peer sent HTTP, not SMPP") && line.contains("health check"), "{line}");
    });
}

#[cfg(unix)]
#[test]
fn an_interrupted_smsc_unbinds_and_prints_a_summary() {
    with_timeout(|| {
        let (mut smsc, _) = Running::listening(&["smsc", "--listen", "127.0.0.1:0"]);
        let kill = Command::new("kill").arg(smsc.0.id().to_string()).status().unwrap();
        assert!(kill.success());
        let rest = io::read_to_string(smsc.0.stdout.take().unwrap()).unwrap();
        assert!(rest.contains("stopped: 0 sessions unbound, 0 aborted"), "{rest}");
        assert!(smsc.0.wait().unwrap().success());
    });
}
