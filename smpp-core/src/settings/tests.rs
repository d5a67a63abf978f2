use alloc::string::ToString;
use alloc::vec;
use core::time::Duration;

use proptest::prelude::*;

use crate::account::{
    Backoff, Binds, Credentials, Options, ReceiptOptions, SegmentAckMode, Statuses, UnansweredPolicy,
};
use crate::header::{CommandStatus, InterfaceVersion};
use crate::pdu::BindMode;
use crate::provider::{
    BindAction, HostStatus, LongMessages, Provider, ReceiptDialect, ReceiptRoute, ReceiptScope, Region,
    StateWord, StatusTable, SubmitAction, TlsVersion,
};
use crate::session::{Config, Operations, Rate};
use crate::sms::gsm7::Language;
use crate::sms::time::UtcOffset;
use crate::sms::{
    Alphabet, Codings, Detection, IdFallback, IdNotation, MessageIdPolicy, NumericIds, ReassemblyLimits,
    TextOptions,
};
use crate::values::{DataCoding, EsmClass, MessageState, Npi, RegisteredDelivery, Ton};
use crate::wire::{Quirks, Tolerance};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn error<T: serde::de::DeserializeOwned>(text: &str) -> alloc::string::String {
    toml::from_str::<T>(text).err().expect(text).to_string()
}

#[test]
fn a_configuration_has_a_key_for_each_field() {
    let read: Config = toml::from_str(
        r#"
        window = 1
        max_unanswered = 2
        backpressure_timeout = "3s"
        max_pdu = 4000
        max_output = 5000
        max_malformed = 6
        tolerance = "strict"
        operations = ["submit_sm", "deliver_sm"]
        assumed_version = "5.0"
        peer_version = "3.3"
        rate = { per_second = 50, burst = 10 }
        slow_down_when_throttled = false
        session_init_timeout = "7s"
        awaits_outbind = true
        enquire_link_interval = "none"
        response_timeout = 8
        late_response_timeout = 8.5
        max_response_timeouts = 9
        inactivity_timeout = "1m"
        enquire_link_is_activity = true
        drain_timeout = "10s"
        "#,
    )
    .unwrap();
    let expected = Config {
        window: 1,
        max_unanswered: 2,
        backpressure_timeout: seconds(3),
        max_pdu: 4000,
        max_output: 5000,
        max_malformed: 6,
        tolerance: Some(Tolerance::STRICT),
        operations: Operations::SUBMIT_SM | Operations::DELIVER_SM,
        assumed_version: InterfaceVersion::V5_0,
        peer_version: Some(InterfaceVersion::V3_3),
        rate: Some(Rate::per_second(50).with_burst(10)),
        slow_down_when_throttled: false,
        session_init_timeout: seconds(7),
        awaits_outbind: true,
        enquire_link_interval: None,
        response_timeout: seconds(8),
        late_response_timeout: Duration::from_millis(8500),
        max_response_timeouts: 9,
        inactivity_timeout: Some(seconds(60)),
        enquire_link_is_activity: true,
        drain_timeout: seconds(10),
    };
    assert_eq!(read, expected);
    assert_eq!(toml::from_str(""), Ok(Config::default()));
}

const ACME: Provider = Provider {
    name: "Acme",
    host: "smpp.acme.example",
    regions: &[Region { name: "Europe", host: "eu.acme.example", status: HostStatus::Documented }],
    plain_port: Some(3550),
    tls_port: None,
    tls_versions: &[TlsVersion::V1_3, TlsVersion::V1_2],
    interface_version: InterfaceVersion::V3_4,
    bind_quirks: Quirks::LONG_STRING,
    max_binds: Some(2),
    recommended_binds: &[BindMode::Transmitter, BindMode::Receiver],
    rate: Some(Rate::per_second(20)),
    window: Some(10),
    enquire_link_interval: Some(seconds(60)),
    operations: Operations::BINDS.union(Operations::SUBMIT_SM),
    codings: Codings { smsc_default: Alphabet::Latin1, ia5: Alphabet::Ascii },
    data_codings: &[DataCoding(0), DataCoding(0xF0)],
    alphabets: &[Alphabet::Latin1, Alphabet::Ucs2],
    long_messages: Some(LongMessages::Sar),
    max_message_id: Some(36),
    receipts: ReceiptDialect {
        registered_delivery: Some(RegisteredDelivery::RECEIPT_ON_FAILURE),
        request_on_last_segment: true,
        scope: ReceiptScope::Message,
        states: &[MessageState::DELIVERED, MessageState::UNDELIVERABLE, MessageState::UNKNOWN],
        final_states: &[MessageState::DELIVERED],
        state_words: &[StateWord { word: "READ", state: MessageState::DELIVERED, is_final: true }],
        route: Some(ReceiptRoute::SubmittingBind),
        detection: Detection::ByTlvs,
        esm_classes: &[EsmClass::from_bits_retain(8)],
        parser: None,
        message_ids: MessageIdPolicy {
            ignore_case: true,
            numbers: Some(NumericIds { submitted: IdNotation::Hexadecimal, receipted: IdNotation::Decimal }),
        },
        id_fallback: IdFallback::OtherNotation,
        offset: match UtcOffset::from_quarters(-15) {
            Ok(offset) => Some(offset),
            Err(_) => None,
        },
    },
    statuses: StatusTable {
        submit: &[
            (CommandStatus::RTHROTTLED, SubmitAction::Pause { times: 10, delay: seconds(1) }),
            (CommandStatus::RSYSERR, SubmitAction::Retry { times: 2, delay: Duration::from_millis(250) }),
            (CommandStatus(0x400), SubmitAction::Rebind { times: 3 }),
            (CommandStatus::RMSGQFUL, SubmitAction::Refuse),
            (CommandStatus::RINVSRCADR, SubmitAction::Stop),
        ],
        bind: &[(CommandStatus::RALYBND, BindAction::Retry), (CommandStatus::RBINDFAIL, BindAction::Stop)],
    },
};

#[test]
fn a_provider_has_a_key_for_each_field() {
    let read: Provider = toml::from_str(
        r#"
        base = "8x8"
        name = "Acme"
        host = "smpp.acme.example"
        regions = [{ name = "Europe", host = "eu.acme.example" }]
        plain_port = 3550
        tls_port = "none"
        tls_versions = ["1.3", "1.2"]
        interface_version = "3.4"
        bind_quirks = ["long_string"]
        max_binds = 2
        recommended_binds = ["transmitter", "receiver"]
        rate = 20
        window = 10
        enquire_link_interval = 60
        operations = ["binds", "submit_sm"]
        data_codings = [0, 0xF0]
        alphabets = ["latin1", "ucs2"]
        long_messages = "sar"
        max_message_id = 36

        [statuses]
        submit = [
            { status = "ESME_RTHROTTLED", action = "pause", times = 10, delay = 1 },
            { status = "rsyserr", action = "retry", times = 2, delay = "250ms" },
            { status = 0x0400, action = "rebind", times = 3 },
            { status = "RMSGQFUL", action = "refuse" },
            { status = "RINVSRCADR", action = "stop" },
        ]
        bind = [{ status = "RALYBND", action = "retry" }, { status = "RBINDFAIL", action = "stop" }]

        [codings]
        smsc_default = "latin1"
        ia5 = "ascii"

        [receipts]
        registered_delivery = 2
        request_on_last_segment = true
        scope = "message"
        states = ["delivered", "UNDELIVERABLE", 7]
        final_states = ["delivered"]
        state_words = [{ word = "READ", state = "delivered", is_final = true }]
        route = "submitting_bind"
        detection = "by_tlvs"
        esm_classes = [0x08]
        message_ids = { ignore_case = true, submitted = "hexadecimal", receipted = "decimal" }
        id_fallback = "other_notation"
        offset = "-03:45"
        "#,
    )
    .unwrap();
    assert_eq!(read, ACME);
    assert_eq!(toml::from_str("base = \"8x8\""), Ok(Provider::EIGHT_BY_EIGHT));
    assert_eq!(toml::from_str(""), Ok(Provider::UNSTATED));
}

#[test]
fn options_have_a_key_for_each_field() {
    let read: Options = toml::from_str(
        r#"
        system_id = "shop"
        password = "s3cret"
        system_type = "VMA"
        addr_ton = "international"
        addr_npi = "isdn"
        address_range = "65*"
        provider = "8x8"
        interface_version = "5.0"
        bind_quirks = ["long_string"]
        endpoints = ["smpps://other:word@smpp.example.net:2776", "smpp://smpp2.example.net"]
        binds = [{ transmitters = 2, endpoints = ["smpps://tx.example.net"] }, { receivers = 1, pairs = 1 }]
        max_binds = 9
        connect_interval = "1s"
        connect_timeout = "2s"
        long_messages = "payload"
        queue_capacity = 3
        request_capacity = 4
        unanswered_policy = { resend = 5 }
        rate = 80
        spread_segments = true
        segment_ack_timeout = "6s"
        unbind_timeout = "7s"
        segment_ack_mode = "strict"
        seed = 8

        [statuses]
        submit = [{ status = "RSYSERR", action = "refuse" }]
        bind = [{ status = "RINVPASWD", action = "retry" }]
        "#,
    )
    .unwrap();
    let endpoint = |url: &str| url.parse().unwrap();
    let provider = Provider::EIGHT_BY_EIGHT;
    let expected = Options {
        credentials: Credentials {
            system_type: "VMA".into(),
            addr_ton: Ton::INTERNATIONAL,
            addr_npi: Npi::ISDN,
            address_range: "65*".into(),
            ..Credentials::new("shop", "s3cret")
        },
        interface_version: InterfaceVersion::V5_0,
        bind_quirks: Quirks::LONG_STRING,
        endpoints: vec![
            endpoint("smpps://other:word@smpp.example.net:2776"),
            endpoint("smpp://smpp2.example.net"),
        ],
        binds: Binds::transmitters(2)
            .at([endpoint("smpps://tx.example.net")])
            .and(Binds::receivers(1))
            .and(Binds::pairs(1)),
        max_binds: 9,
        connect_interval: seconds(1),
        connect_timeout: seconds(2),
        long_messages: LongMessages::Payload,
        queue_capacity: 3,
        request_capacity: 4,
        unanswered_policy: UnansweredPolicy::Resend(5),
        statuses: Statuses::new(&provider.statuses)
            .on_submit(CommandStatus::RSYSERR, SubmitAction::Refuse)
            .on_bind(CommandStatus::RINVPASWD, BindAction::Retry),
        rate: Some(Rate::per_second(80)),
        spread_segments: true,
        segment_ack_timeout: seconds(6),
        unbind_timeout: seconds(7),
        segment_ack_mode: SegmentAckMode::Strict,
        seed: Some(8),
        ..Options::new(Credentials::default(), &provider)
    };
    assert_eq!(read, expected);
}

#[test]
fn the_tables_of_options_have_a_key_for_each_field() {
    let read: Options = toml::from_str(
        r#"
        system_id = "shop"
        provider = "8x8"

        [backoff]
        initial = "1s"
        max = "2m"
        reset_after = "3s"

        [session]
        window = 20

        [text]
        alphabets = ["gsm7", "ucs2"]
        languages = ["turkish"]
        codings = { ia5 = "ascii" }

        [receipts]
        capacity = 10
        max_age = "48h"
        remember_completed = "1m"
        early_capacity = 11
        dialect = { detection = "by_content" }

        [reassembly]
        max_messages = 12
        max_octets = 13
        max_messages_per_sender = 14
        max_octets_per_sender = 15
        max_age = "16s"
        duplicate_window = "17s"
        "#,
    )
    .unwrap();
    let provider = Provider::EIGHT_BY_EIGHT;
    let expected = Options {
        backoff: Backoff { initial: seconds(1), max: seconds(120), reset_after: seconds(3) },
        session: Config { window: 20, ..provider.config() },
        text: TextOptions {
            codings: Codings { ia5: Alphabet::Ascii, ..provider.codings },
            alphabets: &[Alphabet::Gsm7, Alphabet::Ucs2],
            languages: &[Language::TURKISH],
        },
        receipts: ReceiptOptions {
            dialect: ReceiptDialect { detection: Detection::ByContent, ..provider.receipts },
            capacity: 10,
            max_age: seconds(48 * 3600),
            remember_completed: seconds(60),
            early_capacity: 11,
        },
        reassembly: ReassemblyLimits {
            max_messages: 12,
            max_octets: 13,
            max_messages_per_sender: 14,
            max_octets_per_sender: 15,
            max_age: seconds(16),
            duplicate_window: seconds(17),
        },
        ..Options::new(Credentials::new("shop", ""), &provider)
    };
    assert_eq!(read, expected);
}

#[test]
fn what_is_missing_is_as_the_provider_states() {
    let read: Options =
        toml::from_str("system_id = \"shop\"\npassword = \"s3cret\"\nprovider = \"8x8\"").unwrap();
    assert_eq!(read, Options::new(Credentials::new("shop", "s3cret"), &Provider::EIGHT_BY_EIGHT));
    let read: Options = toml::from_str("endpoints = [\"smpps://shop:s3cret@smpp.8x8.com\"]").unwrap();
    assert_eq!(read.credentials, Credentials::new("shop", "s3cret"));
}

#[test]
fn errors_say_what_is_wrong_and_what_may_be_stated() {
    for (text, expected) in [
        ("", "missing field `system_id`"),
        ("system_id = \"shop\"\nwindow = 1", "unknown field `window`, expected one of `interface_version`"),
        (
            "system_id = \"shop\"\nprovider = \"9x9\"",
            "invalid value: string \"9x9\", expected the name of a provider, \"8x8\" or \"unstated\", or a table",
        ),
        ("system_id = \"shop\"\n[provider]\nbase = \"acme\"", "expected \"8x8\" or \"unstated\" as the base"),
        (
            "system_id = \"shop\"\n[session]\nresponse_timeout = \"30\"",
            "invalid value: string \"30\", expected a duration, such as \"30s\"",
        ),
        ("system_id = \"shop\"\nunbind_timeout = -1", "invalid value: integer `-1`, expected a duration"),
        (
            "system_id = \"shop\"\nunbind_timeout = -0.5",
            "invalid value: floating point `-0.5`, expected a duration",
        ),
        (
            "system_id = \"shop\"\nmax_binds = 70000",
            "invalid value: integer `70000`, expected a whole number from 0 to 65535",
        ),
        ("system_id = \"shop\"\nrate = 0", "invalid value: integer `0`, expected messages per second"),
        (
            "system_id = \"shop\"\n[text]\nalphabets = [\"gsm8\"]",
            "invalid value: string \"gsm8\", expected one of \"gsm7\", \"gsm7_packed\"",
        ),
        (
            "system_id = \"shop\"\n[session]\noperations = [\"submit\"]",
            "invalid value: string \"submit\", expected the name of an operation, such as \"submit_sm\"",
        ),
        (
            "system_id = \"shop\"\n[statuses]\nsubmit = [{ status = \"RNOSUCH\", action = \"stop\" }]",
            "invalid value: string \"RNOSUCH\", expected a command_status",
        ),
        (
            "system_id = \"shop\"\n[statuses]\nsubmit = [{ status = 8, action = \"again\" }]",
            "unknown variant `again`, expected one of `refuse`, `retry`, `pause`, `rebind`, `stop`",
        ),
        (
            "system_id = \"shop\"\nbinds = { transceiver = 2 }",
            "unknown field `transceiver`, expected one of `transceivers`",
        ),
        ("system_id = \"shop\"\nbinds = 2", "expected a table such as { transceivers = 2 }"),
        ("system_id = \"shop\"\nunanswered_policy = \"resend\"", "expected \"report\" or { resend = 2 }"),
    ] {
        let error = error::<Options>(text);
        assert!(error.contains(expected), "{text:?}: {error}");
    }
}

#[test]
fn a_number_out_of_range_is_refused_with_its_range() {
    for (text, expected) in [
        ("[session]\nwindow = 0", "integer `0`, expected a whole number from 1 to 65535"),
        ("[session]\nwindow = 65536", "integer `65536`, expected a whole number from 1 to 65535"),
        ("[session]\nwindow = 1.5", "floating point `1.5`, expected a whole number from 1 to 65535"),
        ("[session]\nwindow = \"8\"", "string \"8\", expected a whole number from 1 to 65535"),
        ("[session]\nmax_unanswered = 0", "expected a whole number from 1 to 65535"),
        ("[session]\nmax_pdu = 15", "integer `15`, expected a whole number, 16 or more"),
        ("[session]\nmax_output = 0", "integer `0`, expected a whole number, 1 or more"),
        ("[session]\nmax_malformed = -1", "integer `-1`, expected a whole number from 0 to 4294967295"),
        ("[session]\nresponse_timeout = 0", "zero, expected a duration above zero"),
        ("[session]\nsession_init_timeout = \"0s\"", "zero, expected a duration above zero"),
        ("[session]\ninactivity_timeout = 0", "zero, expected a duration above zero"),
        ("[session]\nrate = 4294967296", "expected messages per second from 1 to 4294967295"),
        ("rate = { per_second = 0 }", "integer `0`, expected a whole number from 1 to 4294967295"),
        (
            "rate = { per_second = 50, burst = 51 }",
            "burst is 51, more than per_second, 50: set it to 1 to 50",
        ),
        ("connect_timeout = 0", "zero, expected a duration above zero"),
        ("queue_capacity = 0", "integer `0`, expected a whole number, 1 or more"),
        ("binds = { pairs = 65536 }", "integer `65536`, expected a whole number from 0 to 65535"),
        ("unanswered_policy = { resend = -1 }", "integer `-1`, expected a whole number from 0 to 65535"),
        ("[text]\nalphabets = []", "invalid length 0, expected a list with one value or more"),
        ("[provider]\nwindow = 0", "integer `0`, expected a whole number from 1 to 65535"),
        ("[provider]\nmax_message_id = 0", "integer `0`, expected a whole number, 1 or more"),
        ("[provider]\nplain_port = 0", "integer `0`, expected a whole number from 1 to 65535"),
        ("[provider]\nalphabets = []", "invalid length 0, expected a list with one value or more"),
    ] {
        let lines = text.lines().count();
        let error = error::<Options>(&alloc::format!("system_id = \"shop\"\n{text}"));
        assert!(error.contains(expected), "{text:?}: {error}");
        assert!(error.contains(&alloc::format!("at line {}", lines + 1)), "{error}");
    }
}

#[test]
fn errors_do_not_show_passwords() {
    let one: Options = toml::from_str("endpoints = \"smpps://shop:s3cret@smpp.8x8.com\"").unwrap();
    assert_eq!((one.endpoints.len(), one.credentials), (1, Credentials::new("shop", "s3cret")));
    for text in [
        "binds = { pairs = 1, endpoints = \"smpps://shop:s3cret@\" }",
        "endpoints = { url = \"smpps://shop:s3cret@smpp.8x8.com\" }",
        "endpoints = [\"smpps://shop:s3cret@smpp.8x8.com\", 5]",
    ] {
        let error = toml::from_str::<Options>(text).unwrap_err();
        assert!(!error.message().contains("s3cret"), "{}", error.message());
    }
    for password in ["4711", "47.11"] {
        let error = toml::from_str::<Options>(&alloc::format!("system_id = \"shop\"\npassword = {password}"));
        let error = error.unwrap_err();
        assert_eq!(error.message(), "invalid type, expected the password as a text in quotes");
    }
    let error =
        toml::from_str::<Options>(r#"endpoints = ["smpp://host", "smpps://shop:s3cret@smpp.8x8.com:99999"]"#);
    let error = error.unwrap_err().message().to_string();
    assert!(error.starts_with("URL 2 of endpoints: the port is not a number from 1 to 65535"), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
}

proptest! {
    /// Whole milliseconds survive in each way to write them.
    #[test]
    fn any_duration_can_be_written(millis in 0_u64..10_000_000_000) {
        let expected = Ok(Duration::from_millis(millis));
        let (seconds, rest) = (millis / 1000, millis % 1000);
        for text in [
            alloc::format!("{millis}ms"),
            alloc::format!("{seconds}.{rest:03}s"),
            alloc::format!("{}h{}m{}s{rest}ms", seconds / 3600, seconds / 60 % 60, seconds % 60),
        ] {
            let config = toml::from_str::<Config>(&alloc::format!("drain_timeout = \"{text}\""));
            prop_assert_eq!(config.map(|config| config.drain_timeout), expected.clone(), "{}", text);
        }
    }
}
