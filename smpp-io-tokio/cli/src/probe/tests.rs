//! A matrix of dialects: each is found out.

use std::time::Duration;

use smpp_proto::provider::{BindAction, Provider, ReceiptRoute, ReceiptScope, SubmitAction};
use smpp_proto::simulator::{ReceiptTiming, Rules, StateWeights};
use smpp_proto::sms::time::UtcOffset;
use smpp_proto::sms::{Alphabet, Detection, IdFallback, IdNotation, MessageIdPolicy, NumericIds};
use smpp_proto::{CommandStatus, Endpoint, EsmClass, MessageState};

use super::document::Document;
use super::finding::{SegmentReceipts, TlvUse};
use super::findings::Findings;
use super::plan::Limits;
use super::record::{BindOutcome, Delivered, Record};
use super::rust::Rust;
use super::simulation::{generous, run, run_with};
use super::toml::Toml;

/// Returns the findings about an SMSC with this dialect.
fn findings(dialect: &str) -> Findings {
    Findings::of(&run(dialect, &generous()))
}

/// Returns the findings about an SMSC whose messages come back.
fn echoing(dialect: &str) -> Findings {
    findings(&format!("echo=ucs2,{dialect}"))
}

#[test]
fn the_notation_of_ids_is_found_out() {
    let numbers =
        |submitted, receipted| MessageIdPolicy::EXACT.numbers(NumericIds::new(submitted, receipted));
    let (decimal, hexadecimal) = (IdNotation::Decimal, IdNotation::Hexadecimal);
    for (response, text, policy, shape) in [
        ("uuid", "uuid", MessageIdPolicy::EXACT, "UUID in lower case, 36 characters"),
        ("uuid", "UUID", MessageIdPolicy::IGNORE_CASE, "UUID in upper case, 36 characters"),
        ("dec", "dec", MessageIdPolicy::EXACT, "decimal, 10 characters"),
        ("dec", "dec14", MessageIdPolicy::IGNORE_LEADING_ZEROS, "decimal, 14 characters, with leading zeros"),
        ("dec14", "dec", MessageIdPolicy::IGNORE_LEADING_ZEROS, "decimal, 10 characters"),
        ("hex", "hex", MessageIdPolicy::EXACT, "hexadecimal in lower case, 8 characters"),
        ("hex", "HEX", MessageIdPolicy::IGNORE_CASE, "hexadecimal in upper case, 8 characters"),
        (
            "hex",
            "HEX12",
            numbers(hexadecimal, hexadecimal),
            "hexadecimal in upper case, 12 characters, with leading zeros",
        ),
        ("hex", "dec", numbers(hexadecimal, decimal), "decimal, 10 characters"),
        ("dec", "HEX", numbers(decimal, hexadecimal), "hexadecimal in upper case, 8 characters"),
        ("text64", "text64", MessageIdPolicy::EXACT, "text in lower case, 64 characters"),
        ("text20", "TEXT20", MessageIdPolicy::IGNORE_CASE, "text in upper case, 20 characters"),
    ] {
        let found = findings(&format!("ids={response},text-ids={text}"));
        assert_eq!(
            found.text_policy.value,
            Some(policy),
            "{response} {text}: {}",
            found.text_policy.evidence
        );
        assert_eq!(found.text_ids.value.unwrap().to_string(), shape, "{response} {text}");
        assert_eq!(found.tlv_policy.value, None);
        // The other place.
        let dialect = format!("ids={response},text-ids=text20,tlv-ids={text},receipt=tlvs");
        let found = findings(&dialect);
        assert_eq!(found.tlv_policy.value, Some(policy), "{dialect}: {}", found.tlv_policy.evidence);
        assert_eq!(found.tlv_ids.value.unwrap().to_string(), shape, "{dialect}");
        assert_eq!((found.text_policy.value, found.text_ids.value), (None, None), "{dialect}");
    }
    // Ids that have nothing to do with each other.
    let found = findings("ids=uuid,text-ids=dec");
    assert_eq!(found.text_policy.value, None);
    assert!(found.text_policy.evidence.contains("is that of a response in any notation"));
}

#[test]
fn the_receipts_of_segments_are_found_out() {
    for (name, expected) in [
        ("each", SegmentReceipts::Each),
        ("first", SegmentReceipts::First),
        ("last", SegmentReceipts::Last),
        ("shared", SegmentReceipts::SharedId),
        ("shared-once", SegmentReceipts::SharedIdOnce),
    ] {
        for other in [
            "",
            "intermediate=ENROUTE",
            "intermediate=ACCEPTD,intermediate-esm-class=4",
            "correction=UNDELIV",
        ] {
            let found = findings(&format!("segments={name},{other}"));
            assert_eq!(found.segment_receipts.value, Some(expected), "{name} {other}");
        }
    }
    let none = Rules::default().receipt_timing(ReceiptTiming::Never);
    let found = Findings::of(&run_with(none, &generous()));
    assert_eq!((found.segment_receipts.value, found.receipts.value), (None, None));
    assert!(found.states.evidence.contains("no receipt arrived"), "{}", found.states.evidence);
}

#[test]
fn the_contents_of_receipts_are_found_out() {
    for (name, text, id_tlv, state_tlv) in [
        ("text", true, false, false),
        ("text+state", true, false, true),
        ("tlvs", false, true, true),
        ("text+tlvs", true, true, true),
    ] {
        let content = findings(&format!("receipt={name}")).content.value.unwrap();
        assert_eq!((content.text, content.id_tlv, content.state_tlv), (text, id_tlv, state_tlv), "{name}");
    }
}

#[test]
fn esm_class_and_a_leading_nul_are_found_out() {
    for (class, nul) in [(0x04, false), (0x08, true), (0x24, false), (0x00, true), (0x44, false)] {
        let dialect = format!("esm-class={class},leading-nul={}", if nul { "yes" } else { "no" });
        let found = findings(&dialect);
        assert_eq!(found.esm_classes.value, Some(vec![class]), "{dialect}");
        assert_eq!(found.leading_nul.value, Some(nul), "{dialect}");
        assert_eq!(found.text_policy.value, Some(MessageIdPolicy::EXACT), "{dialect}");
    }
}

#[test]
fn what_marks_receipts_is_found_out() {
    for (dialect, detection) in [
        ("", Detection::ByEsmClass),
        ("esm-class=0x24", Detection::ByEsmClass),
        ("esm-class=0", Detection::ByContent),
        ("esm-class=0,receipt=text+tlvs", Detection::ByTlvs),
        ("esm-class=0,receipt=tlvs", Detection::ByTlvs),
    ] {
        let found = findings(dialect);
        assert_eq!(found.detection.value, Some(detection), "{dialect}: {}", found.detection.evidence);
    }
}

#[test]
fn the_ids_that_an_account_has_to_try_are_found_out() {
    for (dialect, fallback) in [
        ("ids=hex,text-ids=dec", IdFallback::None),
        // The TLV has the notation of the response, or that of the text.
        ("ids=hex,text-ids=dec,tlv-ids=hex,receipt=text+tlvs", IdFallback::None),
        ("ids=hex,text-ids=dec,tlv-ids=dec,receipt=text+tlvs", IdFallback::OtherId),
        ("ids=hex,tlv-ids=dec,receipt=tlvs", IdFallback::OtherNotation),
        // The TLV has something else.
        ("ids=dec,text-ids=dec,tlv-ids=text20,receipt=text+tlvs", IdFallback::OtherId),
    ] {
        let found = findings(dialect);
        assert_eq!(found.id_fallback.value, Some(fallback), "{dialect}: {}", found.id_fallback.evidence);
    }
}

#[test]
fn states_before_and_after_the_final_one_are_found_out() {
    let found = findings("intermediate=ENROUTE,correction=UNDELIV");
    let (enroute, delivered, failed) =
        (MessageState::ENROUTE, MessageState::DELIVERED, MessageState::UNDELIVERABLE);
    assert_eq!(found.states.value, Some(vec![enroute, delivered, failed]));
    assert_eq!(found.intermediate.value, Some(vec![enroute]));
    assert_eq!(found.change.value, Some((delivered, failed)));
    let found = findings("");
    assert_eq!((found.intermediate.value, found.change.value), (Some(vec![]), None));
    assert_eq!((found.other_final_states.value, found.unknown_words.value), (None, None));
    let unknown = Rules::default().states(StateWeights::all(MessageState::UNKNOWN));
    let found = Findings::of(&run_with(unknown, &generous()));
    assert_eq!(found.states.value, Some(vec![MessageState::UNKNOWN]));
    assert_eq!(found.other_final_states.value, Some(vec![MessageState::UNKNOWN]));
    assert_eq!(found.segment_receipts.value, Some(SegmentReceipts::Each));
}

#[test]
fn receipts_before_the_response_are_found_out() {
    let early = Rules::default().receipt_timing(ReceiptTiming::BeforeResponse);
    assert_eq!(Findings::of(&run_with(early, &generous())).before_response.value, Some(true));
    assert_eq!(findings("").before_response.value, Some(false));
}

#[test]
fn the_binds_of_receipts_and_segments_are_found_out() {
    for (name, route, several) in [
        ("in-turn", ReceiptRoute::AnyBind, true),
        ("submitting", ReceiptRoute::SubmittingBind, false),
        // The first bind gets everything.
        ("any", ReceiptRoute::AnyBind, false),
    ] {
        let found = echoing(&format!("route={name}"));
        assert_eq!(found.route.value, Some(route), "{name}: {}", found.route.evidence);
        assert_eq!(found.mo_on_several_binds.value, Some(several), "{name}");
    }
    let found = Findings::of(&run("echo=ucs2", &Limits { binds: 1, ..generous() }));
    assert_eq!((found.route.value, found.mo_on_several_binds.value), (None, None));
    for (name, one) in [("yes", true), ("no", false)] {
        let found = echoing(&format!("one-at-a-time={name}"));
        assert_eq!(found.mo_one_at_a_time.value, Some(one), "{name}: {}", found.mo_one_at_a_time.evidence);
    }
    let found = findings("");
    assert_eq!((found.mo_on_several_binds.value, found.mo_one_at_a_time.value), (None, None));
}

#[test]
fn the_alphabet_is_found_out_if_messages_come_back() {
    for (name, expected) in [
        ("gsm7", Alphabet::Gsm7),
        ("gsm7-packed", Alphabet::Gsm7Packed),
        ("ascii", Alphabet::Ascii),
        ("latin1", Alphabet::Latin1),
        ("ucs2", Alphabet::Ucs2),
    ] {
        for echo in ["default", "ucs2"] {
            let found = findings(&format!("alphabet={name},echo={echo}"));
            assert_eq!(found.alphabet.value, Some(expected), "{name} {echo}: {}", found.alphabet.evidence);
        }
    }
    let found = findings("");
    assert!(found.alphabet.value.is_none() && found.alphabet.evidence.contains("no message came back"));
}

#[test]
fn the_time_zone_is_found_out() {
    for (name, quarters) in [("+00:00", 0), ("+05:30", 22), ("-03:00", -12), ("+12:00", 48), ("-12:00", -48)]
    {
        let found = findings(&format!("utc-offset={name}"));
        assert_eq!(
            found.offset.value.map(UtcOffset::quarters),
            Some(quarters),
            "{name}: {}",
            found.offset.evidence
        );
    }
}

#[test]
fn tlvs_are_found_out() {
    let refused = TlvUse::Refused(CommandStatus::ROPTPARNOTALLWD);
    for (name, expected) in
        [("accept", TlvUse::Accepted), ("echo", TlvUse::GivenBack), ("ROPTPARNOTALLWD", refused)]
    {
        assert_eq!(findings(&format!("tlvs={name}")).submit_tlvs.value, Some(expected), "{name}");
    }
    let found = findings("response-tlv=0x1400:3031,response-tlv=0x001d:41");
    let names = ["0x1400".to_string(), "additional_status_info_text".into()];
    assert_eq!(found.response_tlvs.value, Some(names.into()));
    assert_eq!(findings("").response_tlvs.value, Some(vec![]));
}

#[test]
fn the_version_is_found_out() {
    for (name, expected) in [("3.3", Some(0x33)), ("3.4", Some(0x34)), ("5.0", Some(0x50)), ("none", None)] {
        assert_eq!(findings(&format!("version={name}")).version.value, expected, "{name}");
    }
}

#[test]
fn the_cap_of_binds_and_its_status_are_found_out() {
    for status in ["RALYBND", "RBINDFAIL", "RSYSERR", "0x00000450"] {
        let found = findings(&format!("bind-status={status}"));
        let shown = found.bind_status.value.map(super::limits::status_name);
        let expected = if status.starts_with('R') { format!("ESME_{status}") } else { status.into() };
        assert_eq!((found.max_binds.value, shown), (Some(2), Some(expected)));
    }
    // It was not allowed to reach the cap.
    let found = Findings::of(&run("", &Limits { binds: 2, ..generous() }));
    assert_eq!((found.max_binds.value, found.bind_status.value), (None, None));
}

#[test]
fn a_bind_that_failed_is_no_sign_of_a_cap() {
    let mut record = run("ids=uuid", &Limits { binds: 2, ..generous() });
    record.binds.truncate(1);
    record.binds.push(BindOutcome::Failed("interrupted".into()));
    let found = Findings::of(&record).max_binds;
    assert_eq!(found.value, None);
    assert_eq!(found.evidence, "1 bind(s) at a time were accepted, and the next one failed: interrupted");
}

#[test]
fn the_rate_and_its_status_are_found_out() {
    for (status, expected) in
        [("RTHROTTLED", CommandStatus::RTHROTTLED), ("RMSGQFUL", CommandStatus::RMSGQFUL)]
    {
        let rules = Rules::default()
            .dialect(format!("rate-status={status}").parse().unwrap())
            .rate(smpp_proto::session::Rate::per_second(30));
        let found = Findings::of(&run_with(rules.clone(), &generous()));
        assert_eq!(found.rate_status.value, Some(expected));
        let rate = found.rate.value.unwrap();
        assert!((30..=33).contains(&rate), "{rate}: {}", found.rate.evidence);
        // Without the flag nothing exceeds the rate.
        let found = Findings::of(&run_with(rules, &Limits { exceed_rate: false, ..generous() }));
        assert_eq!((found.rate.value, found.rate_status.value), (None, None));
    }
    let unlimited = Findings::of(&run_with(Rules::default().rate(None), &generous()));
    assert_eq!(unlimited.rate.value, None);
    assert!(unlimited.rate.evidence.contains("were accepted"), "{}", unlimited.rate.evidence);
}

#[test]
fn the_window_is_found_out_and_kept() {
    let rules = Rules::default().dialect("window=3,window-status=RSYSERR".parse().unwrap());
    let found = Findings::of(&run_with(rules, &generous()));
    assert_eq!((found.window.value, found.window_status.value), (Some(3), Some(CommandStatus::RSYSERR)));
    // The burst kept the window, so that it shows the rate.
    assert_eq!(found.rate_status.value, Some(CommandStatus::RTHROTTLED), "{}", found.rate.evidence);
    // A rate limit is not taken for a window.
    for rate in 5..9 {
        let rules = Rules::default().rate(smpp_proto::session::Rate::per_second(rate));
        let found = Findings::of(&run_with(rules, &generous()));
        assert_eq!(found.window.value, None, "{rate}: {}", found.window.evidence);
        assert_eq!(
            found.rate_status.value,
            Some(CommandStatus::RTHROTTLED),
            "{rate}: {}",
            found.rate.evidence
        );
    }
    // No more was accepted one after the other than at once: both explain it.
    let few = Limits { messages: 3, ..generous() };
    let rules = Rules::default().dialect("window=1".parse().unwrap());
    let found = Findings::of(&run_with(rules, &Limits { messages: 5, ..few }));
    assert_eq!(found.window.value, None, "{}", found.window.evidence);
    let found = findings("");
    assert_eq!((found.window.value, found.in_order.value), (None, Some(true)));
    assert!(found.window.evidence.contains("4 in flight"), "{}", found.window.evidence);
}

#[test]
fn the_idle_time_is_found_out() {
    assert_eq!(findings("idle=30000").idle_cut.value, Some(Duration::from_secs(30)));
    let found = findings("idle=90000");
    assert!(found.idle_cut.value.is_none() && found.idle_cut.evidence.contains("within 60 s"));
    let found = Findings::of(&run("idle=30000", &Limits { idle: None, ..generous() }));
    assert!(found.idle_cut.value.is_none() && found.idle_cut.evidence.contains("--idle"));
}

#[test]
fn a_refused_destination_is_reported() {
    let found = findings("refuse=6591234567:RMSGQFUL");
    assert!(found.refusals[0].starts_with("ESME_RMSGQFUL (a short text)"), "{:?}", found.refusals);
    assert_eq!(found.submit_tlvs.value, None, "it is not for the TLV");
}

#[test]
fn a_small_budget_finds_out_less_and_says_so() {
    let none = Limits { messages: 0, binds: 1, exceed_rate: true, idle: None, wait: Duration::ZERO };
    let found = Findings::of(&run("", &none));
    assert_eq!(found.version.value, Some(0x34));
    assert!(found.response_ids.value.is_none() && found.segment_receipts.value.is_none());
    let one = Findings::of(&run("", &Limits { messages: 1, wait: Duration::from_secs(1), ..none }));
    assert_eq!(one.text_policy.value, Some(MessageIdPolicy::EXACT));
    assert!(one.window.evidence.contains("not tested"), "{}", one.window.evidence);
}

/// Every setting of the dialect that can be combined.
const EVERYTHING: &str = "version=3.3,ids=hex,text-ids=dec12,tlv-ids=HEX10,receipt=text+tlvs,segments=last,\
                          esm-class=0x24,intermediate=ENROUTE,correction=UNDELIV,leading-nul=yes,utc-offset=+05:30,\
                          route=in-turn,tlvs=echo,response-tlv=0x1400:3031,bind-status=RBINDFAIL,rate-status=RMSGQFUL,\
                          window=2,window-status=RSYSERR,alphabet=latin1,echo=ucs2,idle=30000";

fn document(record: &Record) -> Document {
    let endpoint: Endpoint = "smpps://shop:s3cret@smpp.example".parse().unwrap();
    let title = vec!["A provider for smpp-proto.".into()];
    Document::new(&endpoint, title, &Findings::of(record))
}

/// Returns the documents whose Rust source is in `golden`.
fn everything() -> Document {
    document(&run(EVERYTHING, &generous()))
}

fn nothing() -> Document {
    let limits = Limits { messages: 0, binds: 1, exceed_rate: false, idle: None, wait: Duration::ZERO };
    document(&run("version=none", &limits))
}

#[test]
fn a_status_without_a_name_is_written_as_a_number() {
    let rust = Rust(&document(&run("bind-status=0x00000450", &generous()))).to_string();
    assert!(
        rust.contains("(smpp_proto::CommandStatus(0x0000_0450), smpp_proto::provider::BindAction::Retry)"),
        "{rust}"
    );
}

/// What the probe writes as Rust source is compiled here.
#[expect(unreachable_pub, reason = "a program includes the source where it wants")]
mod golden {
    pub(super) mod everything {
        include!("golden/everything.rs");
    }
    pub(super) mod nothing {
        include!("golden/nothing.rs");
    }
}

#[test]
fn the_output_is_that_of_the_golden_files() {
    for (name, document, rust, toml) in [
        (
            "everything",
            everything(),
            include_str!("golden/everything.rs"),
            include_str!("golden/everything.toml"),
        ),
        ("nothing", nothing(), include_str!("golden/nothing.rs"), include_str!("golden/nothing.toml")),
    ] {
        let outputs =
            [("rs", Rust(&document).to_string(), rust), ("toml", Toml(&document).to_string(), toml)];
        for (extension, output, golden) in outputs {
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/probe/golden");
                std::fs::write(directory.join(format!("{name}.{extension}")), output).unwrap();
            } else {
                assert_eq!(output, golden, "{name}.{extension}: run this test with UPDATE_GOLDEN=1");
            }
        }
    }
}

#[test]
fn the_rust_source_is_a_provider() {
    let found = golden::everything::PROVIDER;
    assert_eq!((found.host, found.tls_port, found.plain_port), ("smpp.example", Some(2776), None));
    assert_eq!((found.max_binds, found.window), (Some(2), Some(2)));
    assert_eq!(found.enquire_link_interval, Some(Duration::from_secs(15)));
    assert_eq!(
        (found.codings.smsc_default, found.alphabets),
        (Alphabet::Latin1, &[Alphabet::Latin1, Alphabet::Ucs2][..])
    );
    assert_eq!(found.receipts.message_ids, MessageIdPolicy::HEXADECIMAL_TO_DECIMAL);
    assert_eq!(found.receipts.route, Some(ReceiptRoute::AnyBind));
    let pause = SubmitAction::Pause { times: 10, delay: Duration::from_secs(1) };
    assert_eq!(found.statuses.submit_action(CommandStatus::RMSGQFUL), pause);
    assert_eq!(found.statuses.bind_action(CommandStatus::RBINDFAIL), BindAction::Retry);
    assert_eq!(found.receipts.esm_classes, [EsmClass::from_bits_retain(0x24)]);
    assert_eq!((found.receipts.scope, found.receipts.id_fallback), (ReceiptScope::Message, IdFallback::None));
    assert_eq!(found.receipts.offset.map(UtcOffset::quarters), Some(22));
    let nothing = golden::nothing::PROVIDER;
    let unstated = Provider::UNSTATED.name("smpp.example").host("smpp.example").tls_port(2776);
    assert_eq!(nothing, unstated);
}

#[test]
fn the_toml_is_the_same_provider() {
    #[derive(serde::Deserialize)]
    struct File {
        provider: Provider,
    }

    for (toml, expected) in [
        (include_str!("golden/everything.toml"), golden::everything::PROVIDER),
        (include_str!("golden/nothing.toml"), golden::nothing::PROVIDER),
    ] {
        let file: File = toml::from_str(toml).unwrap();
        assert_eq!(file.provider, expected);
    }
}

#[test]
fn the_provider_reads_the_receipts_that_it_was_found_out_from() {
    let record = run(EVERYTHING, &generous());
    let dialect = golden::everything::PROVIDER.receipts;
    let keys: Vec<_> = record
        .sent()
        .iter()
        .filter_map(|message| message.response)
        .map(|answer| dialect.message_ids.submitted_key(answer.message_id))
        .collect();
    let mut receipts = 0;
    for (_, _, delivered) in record.delivered() {
        let Delivered::DeliverSm(sm) = delivered else { panic!("{delivered:?}") };
        let mut buffer = Vec::new();
        let Some(receipt) = dialect.read(&sm, &mut buffer) else { continue };
        let receipt = receipt.unwrap();
        let policy = dialect.message_ids;
        let mut all =
            policy.fallback_keys(&receipt, dialect.id_fallback).chain([policy.receipt_key(&receipt)]);
        assert!(all.any(|key| keys.contains(&key)), "{receipt:?}");
        receipts += 1;
    }
    assert_eq!(receipts, 15);
}

#[test]
fn what_an_smsc_sends_cannot_break_the_output() {
    let mut record = run("", &generous());
    let hostile = "x\"]\n\u{85}evil = 1 \\ */ #".to_string();
    record.binds[0] = super::record::BindOutcome::Accepted { version: None, system_id: hostile };
    let document = document(&record);
    let (toml, rust) = (Toml(&document).to_string(), Rust(&document).to_string());
    assert!(toml.contains("smsc_system_id = \"x\\\"]\u{FFFD}\u{FFFD}evil = 1 \\\\ */ #\"\n"), "{toml}");
    for line in toml.lines() {
        assert!(line.is_empty() || line.starts_with(['#', '[']) || line.contains(" = "), "{line}");
        assert!(!line.starts_with("evil"), "{line}");
    }
    assert!(rust.lines().all(|line| !line.trim_start().starts_with("evil")), "{rust}");
}

#[test]
fn each_value_has_its_evidence_and_the_rest_is_named() {
    for document in [everything(), nothing()] {
        let toml = Toml(&document).to_string();
        let mut before = "";
        for line in toml.lines() {
            if line.contains(" = ") && !line.starts_with('#') && !line.starts_with("format") {
                assert!(before.starts_with("# ") && before.len() > 2, "no evidence before {line}");
            }
            before = line;
        }
        for name in [
            "max_binds",
            "rate",
            "window",
            "statuses",
            "message_ids",
            "id_fallback",
            "scope",
            "segment_receipts",
            "idle_cut",
        ] {
            let (is_found, is_named) = (format!("\n{name} = "), format!("\n# {name}: not found out: "));
            assert!(toml.contains(&is_found) != toml.contains(&is_named), "{name}: {toml}");
        }
    }
}
