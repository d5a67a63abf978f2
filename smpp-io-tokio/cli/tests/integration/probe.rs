//! `smpp probe`, run as a process, against `smpp smsc`.

use std::fs;
#[cfg(unix)]
use std::io::{BufRead, BufReader, Read};
#[cfg(unix)]
use std::process::Command;
use std::process::{Child, Output, Stdio};

use crate::common::{Smsc, hexadecimal, new_file, smpp, with_timeout};
use serde_json::Value;

/// Starts the probe.
fn start(smsc: &Smsc, arguments: &[&str]) -> Child {
    let url = smsc.url();
    let mut command = smpp(&[&["probe", "--url", &url, "--to", "6591234567"], arguments].concat());
    command.env("SMPP_PASSWORD", "s3cret-word").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits for the end of the probe. Returns exit status, standard output and standard error.
fn finish(probe: Child) -> (i32, String, String) {
    let Output { status, stdout, stderr } = probe.wait_with_output().unwrap();
    let [stdout, stderr] = [stdout, stderr].map(|octets| String::from_utf8(octets).unwrap());
    for text in [&stdout, &stderr] {
        assert!(!text.contains("s3cret-word"), "{text}");
    }
    (status.code().unwrap(), stdout, stderr)
}

/// Runs the probe. Returns exit status, standard output and standard error.
fn probe(smsc: &Smsc, arguments: &[&str]) -> (i32, String, String) {
    finish(start(smsc, arguments))
}

/// Sends SIGTERM to the probe.
#[cfg(unix)]
fn interrupt(probe: &Child) {
    let kill = Command::new("kill").arg(probe.id().to_string()).status().unwrap();
    assert!(kill.success());
}

fn count(events: &[Value], names: &[&str]) -> usize {
    events.iter().filter(|event| names.contains(&event["event"].as_str().unwrap_or_default())).count()
}

/// Starts an SMSC with these arguments and these settings of its dialect.
fn smsc(arguments: &str, dialect: &str) -> Smsc {
    let dialect = dialect.split_whitespace().flat_map(|setting| ["--dialect", setting]);
    Smsc::start(&arguments.split_whitespace().chain(dialect).collect::<Vec<_>>())
}

fn assert_has_lines(toml: &str, lines: &[&str]) {
    for line in lines {
        assert!(toml.lines().any(|found| found == *line), "{line}\n{toml}");
    }
}

#[test]
fn the_dialect_is_found_out_with_a_few_messages() {
    with_timeout(|| {
        let dialect = "version=5.0 ids=hex text-ids=dec12 tlv-ids=HEX10 receipt=text+tlvs segments=last esm-class=0x24 \
                       intermediate=ENROUTE correction=UNDELIV leading-nul=yes utc-offset=+05:30 route=in-turn \
                       tlvs=echo response-tlv=0x1400:3031 alphabet=latin1 echo=ucs2";
        let smsc = smsc("--receipt-delay 100", dialect);
        let files = [new_file("probe-toml"), new_file("probe-rust")];
        let [toml, rust] = files.each_ref().map(|file| file.to_str().unwrap());
        let (status, out, error) =
            probe(&smsc, &["--yes", "--wait", "2", "--budget", "6", "--toml", toml, "--rust", rust]);
        assert_eq!((status, &*out), (0, ""), "{error}");
        assert!(error.contains("6 message(s) and 2 bind(s):"), "{error}");
        let [toml, rust] = files.each_ref().map(|file| fs::read_to_string(file).unwrap());
        assert_has_lines(
            &toml,
            &[
                "smsc_default = \"latin1\"",
                "message_ids = { ignore_case = false, submitted = \"hexadecimal\", receipted = \"decimal\" }",
                "offset = \"+05:30\"",
                "route = \"any_bind\"",
                "sc_interface_version = 0x50",
                "submit_tlvs = \"given_back\"",
                "response_tlvs = [\"0x1400\"]",
                "segment_receipts = \"last\"",
                "intermediate_states = [\"enroute\"]",
                "state_change = [\"delivered\", \"undeliverable\"]",
                "receipt_esm_classes = [0x20, 0x24]",
                "leading_nul = true",
                "mo_segments_on_several_binds = true",
                "mo_one_segment_at_a_time = false",
            ],
        );
        assert!(rust.contains("pub const PROVIDER: smpp_proto::provider::Provider ="), "{rust}");
        for file in &files {
            fs::remove_file(file).unwrap();
        }
        let events = smsc.events();
        assert_eq!((count(&events, &["submit_sm"]), count(&events, &["bound"])), (6, 2));
    });
}

#[test]
fn the_limits_of_binds_window_and_rate_are_found_out_within_the_budget() {
    with_timeout(|| {
        let dialect = "bind-status=RBINDFAIL rate-status=RMSGQFUL window=2 window-status=RSYSERR";
        let smsc = smsc("--fault slow=100 --rate 5 --max-binds 2", dialect);
        let arguments = ["--yes", "--wait", "0", "--budget", "24", "--exceed-rate", "--max-binds", "3"];
        let (status, toml, error) = probe(&smsc, &arguments);
        assert_eq!(status, 0, "{error}");
        assert!(error.contains("24 message(s) and 3 bind(s):"), "{error}");
        assert_has_lines(
            &toml,
            &[
                "max_binds = 2",
                "window = 2",
                "bind_status = \"ESME_RBINDFAIL\"",
                "rate_status = \"ESME_RMSGQFUL\"",
                "window_status = \"ESME_RSYSERR\"",
            ],
        );
        let events = smsc.events();
        assert_eq!(count(&events, &["submit_sm", "throttled"]), 24);
        assert_eq!(count(&events, &["bound", "bind_refused"]), 3);
    });
}

#[test]
fn the_limit_of_idle_time_is_found_out() {
    with_timeout(|| {
        let smsc = smsc("", "idle=1000");
        let arguments = ["--yes", "--wait", "0", "--budget", "0", "--max-binds", "1", "--idle", "60"];
        let (status, toml, error) = probe(&smsc, &arguments);
        assert_eq!(status, 0, "{error}");
        // The probe receives the last response after the SMSC has begun to count.
        let cut = toml.lines().find_map(|line| line.strip_prefix("idle_cut = ")).unwrap();
        assert!((0.5..15.0).contains(&cut.parse::<f64>().unwrap()), "{toml}");
        assert_eq!(count(&smsc.events(), &["submit_sm"]), 0);
    });
}

/// It waits for receipts and messages until the test has seen those that it needs.
#[cfg(unix)]
#[test]
fn segments_that_come_one_at_a_time_are_found_out() {
    with_timeout(|| {
        let mut smsc = smsc("--receipt-delay 50", "one-at-a-time=yes echo=default");
        let probe = start(&smsc, &["--yes", "--wait", "600", "--budget", "6", "--max-binds", "1"]);
        let mut events = Vec::new();
        for _ in 0..6 {
            events.extend(smsc.wait_for_accepted_message());
        }
        interrupt(&probe);
        let (status, out, error) = finish(probe);
        assert_eq!(status, 0, "{error}");
        assert!(out.contains("\nmo_one_segment_at_a_time = true\n"), "{out}");
        assert!(
            out.contains("\nsmsc_default = \"gsm7\"\n") && out.contains("\n# window: not found out: "),
            "{out}"
        );
        assert!(!out.contains("\npub const PROVIDER"), "the standard output is a TOML file: {out}");
        events.extend(smsc.events());
        assert_eq!((count(&events, &["submit_sm"]), count(&events, &["bound"])), (6, 1));
    });
}

#[test]
fn what_belongs_to_others_is_delivered_to_them_again() {
    with_timeout(|| {
        let mo = "--mo shop --mo-from 6580000001 --mo-to 6580000002 --mo-count 1 --receipt-delay 100";
        let mut smsc = Smsc::start(&mo.split_whitespace().collect::<Vec<_>>());
        let (status, out, error) = probe(&smsc, &["--yes", "--wait", "0", "--idle", "1", "--budget", "1"]);
        assert_eq!(status, 0, "{error}");
        assert!(out.contains("about other numbers were delivered to the probe"), "{out}");
        assert!(out.contains("\n# idle_cut: not found out: receipts or messages of others"), "{out}");
        // Refused with a temporary error, it waits for the next bind.
        let file = new_file("probe-others");
        let mut receiver = smpp(&["receive", "--file", file.to_str().unwrap(), "--url", &smsc.url()]);
        let mut receiver =
            receiver.env("SMPP_PASSWORD", "s3cret-word").stderr(Stdio::null()).spawn().unwrap();
        smsc.wait_for_accepted_message();
        let stored = fs::read_to_string(&file).unwrap();
        assert!(stored.contains(&hexadecimal("Hello from a phone")), "{stored}");
        receiver.kill().unwrap();
        receiver.wait().unwrap();
        fs::remove_file(file).unwrap();
    });
}

#[cfg(unix)]
#[test]
fn an_interrupted_probe_unbinds_and_writes_what_it_found_out() {
    with_timeout(|| {
        let mut smsc = Smsc::start(&["--receipt-delay", "0"]);
        let mut probe = start(&smsc, &["--yes", "--wait", "600", "--budget", "1"]);
        let steps = BufReader::new(probe.stderr.take().unwrap()).lines().map(Result::unwrap);
        let mut steps = steps.skip_while(|line| !line.starts_with("waiting 600 s"));
        assert!(steps.next().is_some());
        interrupt(&probe);
        let mut out = String::new();
        probe.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        assert!(probe.wait().unwrap().success());
        assert!(steps.any(|line| line == "interrupted: unbinding"));
        assert!(out.contains("\nresponse_message_ids = \"UUID in lower case"), "{out}");
        for _ in 0..2 {
            let events = smsc.wait_for(|event| event["event"] == "ended");
            assert_eq!(events.last().unwrap()["reason"], "the peer unbound");
        }
        assert_eq!(count(&smsc.events(), &["ended"]), 0);
    });
}

#[test]
fn nothing_is_sent_without_consent() {
    with_timeout(|| {
        let smsc = Smsc::start(&[]);
        let (status, out, error) = probe(&smsc, &["--budget", "8"]);
        assert_eq!((status, &*out), (2, ""), "{error}");
        assert!(
            error.contains("8 message(s) and 2 bind(s):") && error.contains("start it with --yes"),
            "{error}"
        );
        assert_eq!(count(&smsc.events(), &["connected", "bound", "submit_sm"]), 0);
    });
}

#[test]
fn nothing_is_sent_if_a_file_cannot_be_written() {
    with_timeout(|| {
        let smsc = Smsc::start(&[]);
        let [toml, rust] = [new_file("probe-kept"), new_file("no-directory").join("acme.rs")];
        let [toml, rust] = [&toml, &rust].map(|file| file.to_str().unwrap());
        let (status, out, error) = probe(&smsc, &["--yes", "--wait", "0", "--toml", toml, "--rust", rust]);
        assert_eq!((status, &*out), (2, ""), "{error}");
        assert!(
            error.contains(&format!("error: --rust {rust}: ")) && error.contains("Nothing was sent."),
            "{error}"
        );
        assert!(!fs::exists(toml).unwrap());
        // A file that exists keeps its content until there is something to write.
        fs::write(toml, "precious").unwrap();
        let (status, ..) = probe(&smsc, &["--yes", "--wait", "0", "--toml", toml, "--rust", rust]);
        assert_eq!((status, &*fs::read_to_string(toml).unwrap()), (2, "precious"));
        assert_eq!(count(&smsc.events(), &["connected", "bound", "submit_sm"]), 0);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn what_was_found_out_is_printed_if_the_file_cannot_take_it() {
    with_timeout(|| {
        let smsc = Smsc::start(&[]);
        let (status, out, error) =
            probe(&smsc, &["--yes", "--wait", "0", "--budget", "0", "--toml", "/dev/full"]);
        assert_eq!(status, 1, "{error}");
        assert!(error.contains("--toml /dev/full: ") && error.contains("on the standard output"), "{error}");
        assert!(out.contains("[provider]"), "{out}");
    });
}

#[test]
fn a_first_message_that_is_refused_ends_the_sending() {
    with_timeout(|| {
        let smsc = Smsc::start(&["--dialect", "refuse=6591234567:RMSGQFUL"]);
        let (status, out, error) = probe(&smsc, &["--yes", "--wait", "0"]);
        assert_eq!(status, 0, "{error}");
        assert!(out.contains("\nrefusals = [\"ESME_RMSGQFUL (a short text)\"]\n"), "{out}");
        assert!(error.contains("ESME_RMSGQFUL"), "{error}");
        assert_eq!(count(&smsc.events(), &["submit_sm"]), 1);
    });
}
