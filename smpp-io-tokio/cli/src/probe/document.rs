//! The findings as the fields of a provider, each with its evidence. No I/O.

use std::fmt::Display;
use std::time::Duration;

use smpp_proto::provider::ReceiptRoute;
use smpp_proto::sms::{Alphabet, Detection, IdFallback, IdNotation, MessageIdPolicy, NumericIds, Receipt};
use smpp_proto::{CommandStatus, Endpoint, MessageState};

use super::finding::{Finding, ReceiptContent, SegmentReceipts, TlvUse};
use super::findings::Findings;
use super::limits::status_name;
use crate::output::is_control;

/// A provider, ready to be written.
#[derive(Debug)]
pub(super) struct Document {
    /// Lines for the beginning.
    pub(super) title: Vec<String>,
    /// The fields of `Provider`.
    pub(super) provider: Vec<Field>,
    /// The fields of `Codings`.
    pub(super) codings: Vec<Field>,
    /// The fields of `ReceiptDialect`.
    pub(super) receipts: Vec<Field>,
    /// What `Provider` has no field for.
    pub(super) observed: Vec<Field>,
}

/// One value.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    /// `None` if it was not found out.
    pub(super) value: Option<Value>,
    /// The evidence, or why it was not found out.
    pub(super) evidence: String,
}

/// A value in both languages.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) toml: String,
    pub(super) rust: String,
}

impl Value {
    fn new(toml: impl Display, rust: impl Display) -> Self {
        Self { toml: toml.to_string(), rust: rust.to_string() }
    }

    /// A text, which is the same in both languages.
    fn text(text: &str) -> Self {
        let quoted = quoted(text);
        Self::new(&quoted, &quoted)
    }

    /// A number or a truth value, which is the same in both languages.
    fn plain(value: impl Display) -> Self {
        Self::new(&value, &value)
    }

    /// A value that only TOML has: `Provider` has no field for it.
    fn observed(toml: impl Display) -> Self {
        Self::new(toml, "")
    }

    fn observed_texts<T: AsRef<str>>(texts: &[T]) -> Self {
        let quoted: Vec<_> = texts.iter().map(|text| quoted(text.as_ref())).collect();
        Self::observed(format_args!("[{}]", quoted.join(", ")))
    }
}

impl Field {
    fn new<T>(name: &'static str, finding: &Finding<T>, value: impl FnOnce(&T) -> Value) -> Self {
        Self { name, value: finding.value.as_ref().map(value), evidence: finding.evidence.clone() }
    }

    fn known(name: &'static str, value: Value, evidence: impl Display) -> Self {
        Self { name, value: Some(value), evidence: evidence.to_string() }
    }

    fn unknown(name: &'static str, why: impl Display) -> Self {
        Self { name, value: None, evidence: why.to_string() }
    }
}

/// Returns a text in quotes, as both TOML and Rust read it.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            // Nothing else that could end a line or a text; TOML and Rust escape differently.
            _ if is_control(character) => out.push('\u{FFFD}'),
            _ => out.push(character),
        }
    }
    out + "\""
}

impl Document {
    /// Lays out the findings about this endpoint. `title` are lines for the beginning.
    pub(super) fn new(endpoint: &Endpoint, title: Vec<String>, findings: &Findings) -> Self {
        Self {
            title,
            provider: provider(endpoint, findings),
            codings: codings(findings),
            receipts: receipts(findings),
            observed: observed(findings),
        }
    }
}

fn provider(endpoint: &Endpoint, findings: &Findings) -> Vec<Field> {
    let of_url = "from --url";
    let port = |name, is_this: bool| {
        if is_this {
            Field::known(name, Value::plain(endpoint.port), of_url)
        } else {
            Field::unknown(name, "--url names the other port")
        }
    };
    vec![
        Field::known("name", Value::text(&endpoint.host), "the host, for want of a name"),
        Field::known("host", Value::text(&endpoint.host), of_url),
        port("plain_port", !endpoint.tls),
        port("tls_port", endpoint.tls),
        interface_version(findings),
        Field::new("max_binds", &findings.max_binds, |it| Value::plain(it)),
        Field::new("rate", &findings.rate, |it| {
            Value::new(it, format_args!("smpp_proto::session::Rate::per_second({it})"))
        }),
        Field::new("window", &findings.window, |it| Value::plain(it)),
        keep_alive(findings),
        statuses(findings),
        Field::unknown("operations", "only submit_sm was tested"),
        match &findings.accepted_codings.value {
            Some(accepted) => {
                Field::unknown("data_codings", format_args!("{accepted:?} were accepted, others not tested"))
            }
            None => Field::unknown("data_codings", &findings.accepted_codings.evidence),
        },
        Field::new("alphabets", &findings.alphabet, |it| {
            let (toml, rust) = (alphabet(*it), format!("smpp_proto::sms::Alphabet::{it:?}"));
            match it {
                Alphabet::Ucs2 => Value::new("[\"ucs2\"]", format_args!("&[{rust}]")),
                _ => Value::new(
                    format_args!("[\"{toml}\", \"ucs2\"]"),
                    format_args!("&[{rust}, smpp_proto::sms::Alphabet::Ucs2]"),
                ),
            }
        })
        .with(|field| {
            if field.value.is_some() {
                field.evidence = "the alphabet of data_coding 0, and UCS-2".into();
            }
        }),
        Field::new("long_messages", &findings.udh_segments, |_| {
            Value::new("\"udh8\"", "smpp_proto::provider::LongMessages::Udh8")
        }),
        match &findings.response_ids.value {
            Some(shape) => Field::unknown(
                "max_message_id",
                format_args!("the longest seen has {} octets", shape.longest()),
            ),
            None => Field::unknown("max_message_id", &findings.response_ids.evidence),
        },
    ]
}

/// The version to state in a bind: 3.3 only for an SMSC that says so and takes no TLVs.
fn interface_version(findings: &Findings) -> Field {
    let takes_tlvs = matches!(findings.submit_tlvs.value, Some(TlvUse::GivenBack | TlvUse::Accepted));
    Field::new("interface_version", &findings.version, |stated| {
        let (toml, rust) = if *stated < 0x34 && !takes_tlvs { ("3.3", "V3_3") } else { ("3.4", "V3_4") };
        Value::new(format_args!("\"{toml}\""), format_args!("smpp_proto::InterfaceVersion::{rust}"))
    })
    .with(|field| {
        if let Some(stated) = findings.version.value {
            field.evidence = format!(
                "the SMSC states {stated:#04x}; TLVs in submit_sm: {}",
                findings.submit_tlvs.evidence
            );
        }
    })
}

impl Field {
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// What the statuses at the limits mean: a bind pauses at the one of the rate, and is retried at the one of the cap, whatever
/// they mean elsewhere.
fn statuses(findings: &Findings) -> Field {
    let name = "statuses";
    let (rate, bind) = (findings.rate_status.value, findings.bind_status.value);
    if rate.is_none() && bind.is_none() {
        let why = format!(
            "at the rate limit: {}; at the bind limit: {}",
            findings.rate_status.evidence, findings.bind_status.evidence
        );
        return Field::unknown(name, why);
    }
    let row = |status: Option<CommandStatus>, toml: &str, rust: &str| {
        let (mut toml_row, mut rust_row) = (String::new(), String::new());
        if let Some(status) = status {
            toml_row = format!("{{ status = \"{}\", {toml} }}", status_name(status));
            let constant = match status.name().and_then(|name| name.strip_prefix("ESME_")) {
                Some(name) => format!("smpp_proto::CommandStatus::{name}"),
                None => {
                    format!("smpp_proto::CommandStatus({:#06x}_{:04x})", status.0 >> 16, status.0 & 0xFFFF)
                }
            };
            rust_row = format!("({constant}, {rust})");
        }
        (toml_row, rust_row)
    };
    let pause =
        "smpp_proto::provider::SubmitAction::Pause { times: 10, delay: core::time::Duration::from_secs(1) }";
    let (submit_toml, submit_rust) = row(rate, "action = \"pause\", times = 10, delay = 1", pause);
    let (bind_toml, bind_rust) = row(bind, "action = \"retry\"", "smpp_proto::provider::BindAction::Retry");
    let value = Value::new(
        format_args!("{{ submit = [{submit_toml}], bind = [{bind_toml}] }}"),
        format_args!(
            "smpp_proto::provider::StatusTable::UNSTATED.submit(&[{submit_rust}]).bind(&[{bind_rust}])"
        ),
    );
    let evidence = |found: bool, of: &str, evidence: &str| found.then(|| format!("{of}: {evidence}"));
    let evidence = [
        evidence(rate.is_some(), "at the rate limit", &findings.rate_status.evidence),
        evidence(bind.is_some(), "at the bind limit", &findings.bind_status.evidence),
    ];
    let evidence: Vec<_> = evidence.into_iter().flatten().collect();
    Field::known(name, value, evidence.join("; "))
}

/// Half of the time after which the SMSC ends an idle session.
fn keep_alive(findings: &Findings) -> Field {
    Field::new("enquire_link_interval", &findings.idle_cut, |cut| {
        let half = *cut / 2;
        let half = if half >= Duration::from_secs(1) { Duration::from_secs(half.as_secs()) } else { half };
        let rust = match half.subsec_nanos() {
            0 => format!("core::time::Duration::from_secs({})", half.as_secs()),
            _ => format!("core::time::Duration::from_millis({})", half.as_millis()),
        };
        Value::new(seconds(half), rust)
    })
    .with(|field| {
        if field.value.is_some() {
            field.evidence = format!("half of the time that a bind may be idle: {}", field.evidence);
        }
    })
}

/// Returns seconds, with milliseconds if there are any.
fn seconds(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => duration.as_secs().to_string(),
        millis => format!("{}.{millis:03}", duration.as_secs()),
    }
}

fn codings(findings: &Findings) -> Vec<Field> {
    vec![
        Field::new("smsc_default", &findings.alphabet, |it| {
            Value::new(
                format_args!("\"{}\"", alphabet(*it)),
                format_args!("smpp_proto::sms::Alphabet::{it:?}"),
            )
        }),
        Field::unknown("ia5", "data_coding 1 was not tested"),
    ]
}

const fn alphabet(alphabet: Alphabet) -> &'static str {
    match alphabet {
        Alphabet::Gsm7 => "gsm7",
        Alphabet::Gsm7Packed => "gsm7_packed",
        Alphabet::Ascii => "ascii",
        Alphabet::Latin1 => "latin1",
        _ => "ucs2",
    }
}

fn receipts(findings: &Findings) -> Vec<Field> {
    vec![
        Field::new("registered_delivery", &findings.receipts, |_| {
            Value::new(1, "smpp_proto::RegisteredDelivery::RECEIPT")
        }),
        Field::unknown("request_on_last_segment", "each message requested receipts in all its segments"),
        Field::new("scope", &findings.segment_receipts, |it| match it {
            SegmentReceipts::Each | SegmentReceipts::SharedId => {
                Value::new("\"segment\"", "smpp_proto::provider::ReceiptScope::Segment")
            }
            _ => Value::new("\"message\"", "smpp_proto::provider::ReceiptScope::Message"),
        }),
        Field::new("states", &findings.states, |states| {
            Value::new(state_names(states), format_args!("&[{}]", rust_states(states)))
        }),
        Field::new("final_states", &findings.other_final_states, |others| {
            let mut states = Receipt::FINAL_STATES.to_vec();
            states.extend(others);
            Value::new(state_names(&states), format_args!("&[{}]", rust_states(&states)))
        }),
        Field::unknown(
            "state_words",
            match &findings.unknown_words.value {
                Some(words) => format!("{}: {}", findings.unknown_words.evidence, words.join(", ")),
                None => findings.unknown_words.evidence.clone(),
            },
        ),
        Field::new("route", &findings.route, |route| match route {
            ReceiptRoute::SubmittingBind => {
                Value::new("\"submitting_bind\"", "smpp_proto::provider::ReceiptRoute::SubmittingBind")
            }
            _ => Value::new("\"any_bind\"", "smpp_proto::provider::ReceiptRoute::AnyBind"),
        }),
        Field::new("detection", &findings.detection, |detection| {
            let (toml, rust) = match detection {
                Detection::ByContent => ("by_content", "ByContent"),
                Detection::ByTlvs => ("by_tlvs", "ByTlvs"),
                _ => ("by_esm_class", "ByEsmClass"),
            };
            Value::new(format_args!("\"{toml}\""), format_args!("smpp_proto::sms::Detection::{rust}"))
        }),
        Field::new("esm_classes", &findings.esm_classes, |classes| {
            // 0x04 and 0x20 are always receipts, and 0x00 is for `detection`.
            let mut types: Vec<_> = classes.iter().map(|class| class & 0x3C).collect();
            types.retain(|class| ![0, 0x04, 0x20].contains(class));
            types.dedup();
            let toml: Vec<_> = types.iter().map(|class| format!("{class:#04x}")).collect();
            let rust = toml.iter().map(|class| format!("smpp_proto::EsmClass::from_bits_retain({class})"));
            let rust: Vec<_> = rust.collect();
            Value::new(format_args!("[{}]", toml.join(", ")), format_args!("&[{}]", rust.join(", ")))
        }),
        message_ids(findings),
        Field::new("id_fallback", &findings.id_fallback, |fallback| {
            let (toml, rust) = match fallback {
                IdFallback::OtherId => ("other_id", "OtherId"),
                IdFallback::OtherNotation => ("other_notation", "OtherNotation"),
                _ => ("none", "None"),
            };
            Value::new(format_args!("\"{toml}\""), format_args!("smpp_proto::sms::IdFallback::{rust}"))
        }),
        Field::new("offset", &findings.offset, |offset| {
            // In a constant, only the range of the number could fail, and it is within.
            let rust = format!(
                "match smpp_proto::sms::time::UtcOffset::from_quarters({}) {{ Ok(offset) => offset, Err(_) => \
                 smpp_proto::sms::time::UtcOffset::UTC }}",
                offset.quarters()
            );
            Value::new(format_args!("\"{offset}\""), rust)
        }),
    ]
}

fn rust_states(states: &[MessageState]) -> String {
    let states: Vec<_> = states.iter().map(|state| format!("smpp_proto::MessageState::{state:?}")).collect();
    states.join(", ")
}

/// The policy of the texts; without ids in texts that of the TLVs.
fn message_ids(findings: &Findings) -> Field {
    let (text, tlv) = (&findings.text_policy, &findings.tlv_policy);
    let of_tlv = text.value.is_none() && tlv.value.is_some();
    Field::new("message_ids", if of_tlv { tlv } else { text }, |policy| {
        let rust = match *policy {
            MessageIdPolicy::EXACT => "smpp_proto::sms::MessageIdPolicy::EXACT".into(),
            MessageIdPolicy::IGNORE_CASE => "smpp_proto::sms::MessageIdPolicy::IGNORE_CASE".into(),
            _ => {
                let base = if policy.ignore_case { "IGNORE_CASE" } else { "EXACT" };
                format!("smpp_proto::sms::MessageIdPolicy::{base}{}", rust_numbers(policy.numbers))
            }
        };
        Value::new(policy_toml(*policy), rust)
    })
}

fn rust_numbers(numbers: Option<NumericIds>) -> String {
    let Some(NumericIds { submitted, receipted, .. }) = numbers else { return String::new() };
    format!(
        ".numbers(smpp_proto::sms::NumericIds::new(smpp_proto::sms::IdNotation::{submitted:?}, \
         smpp_proto::sms::IdNotation::{receipted:?}))"
    )
}

fn policy_toml(policy: MessageIdPolicy) -> String {
    let MessageIdPolicy { ignore_case, numbers, .. } = policy;
    let notation = |it: IdNotation| if it == IdNotation::Decimal { "decimal" } else { "hexadecimal" };
    match numbers {
        None => format!("{{ ignore_case = {ignore_case} }}"),
        Some(NumericIds { submitted, receipted, .. }) => format!(
            "{{ ignore_case = {ignore_case}, submitted = \"{}\", receipted = \"{}\" }}",
            notation(submitted),
            notation(receipted)
        ),
    }
}

fn state_names(states: &[MessageState]) -> String {
    let names: Vec<_> = states.iter().map(|state| format!("\"{}\"", state_name(*state))).collect();
    format!("[{}]", names.join(", "))
}

fn state_name(state: MessageState) -> String {
    format!("{state:?}").to_ascii_lowercase()
}

fn status_value(status: CommandStatus) -> Value {
    Value::observed(format_args!("\"{}\"", status_name(status)))
}

fn observed(findings: &Findings) -> Vec<Field> {
    let shape = |shape: &super::ids::Shape| Value::observed(quoted(&shape.to_string()));
    let mut fields = vec![
        Field::new("smsc_system_id", &findings.smsc, |it| Value::observed(quoted(it))),
        Field::new("sc_interface_version", &findings.version, |it| {
            Value::observed(format_args!("{it:#04x}"))
        }),
        Field::new("bind_status", &findings.bind_status, |it| status_value(*it)),
        Field::new("rate_status", &findings.rate_status, |it| status_value(*it)),
        Field::new("window_status", &findings.window_status, |it| status_value(*it)),
        Field::new("responses_in_order", &findings.in_order, |it| Value::plain(it)),
        Field::new("idle_cut", &findings.idle_cut, |it| Value::observed(seconds(*it))),
        Field::new("smsc_enquire_link_interval", &findings.enquire_link, |it| Value::observed(seconds(*it))),
        Field::new("submit_tlvs", &findings.submit_tlvs, |it| {
            Value::observed(match it {
                TlvUse::GivenBack => "\"given_back\"".into(),
                TlvUse::Accepted => "\"accepted\"".into(),
                TlvUse::Refused(status) => format!("\"{}\"", status_name(*status)),
            })
        }),
        Field::new("response_tlvs", &findings.response_tlvs, |it| Value::observed_texts(it)),
        Field::new("accepted_data_codings", &findings.accepted_codings, |it| {
            Value::observed(format_args!("{it:?}"))
        }),
        Field::new("response_message_ids", &findings.response_ids, shape),
        Field::new("text_message_ids", &findings.text_ids, shape),
        Field::new("receipted_message_ids", &findings.tlv_ids, shape),
        Field::new("receipted_message_id_policy", &findings.tlv_policy, |it| {
            Value::observed(policy_toml(*it))
        }),
        Field::new("receipt_content", &findings.content, |it| {
            let ReceiptContent { text, id_tlv, state_tlv } = it;
            Value::observed(format_args!(
                "{{ text = {text}, receipted_message_id = {id_tlv}, message_state = {state_tlv} }}"
            ))
        }),
        Field::new("segment_receipts", &findings.segment_receipts, |it| {
            Value::observed(match it {
                SegmentReceipts::Each => "\"each\"",
                SegmentReceipts::First => "\"first\"",
                SegmentReceipts::Last => "\"last\"",
                SegmentReceipts::SharedId => "\"shared_id\"",
                SegmentReceipts::SharedIdOnce => "\"shared_id_once\"",
            })
        }),
        Field::new("intermediate_states", &findings.intermediate, |it| Value::observed(state_names(it))),
        Field::new("state_change", &findings.change, |(before, after)| {
            Value::observed(state_names(&[*before, *after]))
        }),
        Field::new("receipt_esm_classes", &findings.esm_classes, |classes| {
            let classes: Vec<_> = classes.iter().map(|class| format!("{class:#04x}")).collect();
            Value::observed(format_args!("[{}]", classes.join(", ")))
        }),
        Field::new("leading_nul", &findings.leading_nul, |it| Value::plain(it)),
        Field::new("receipts_before_response", &findings.before_response, |it| Value::plain(it)),
        Field::new("mo_segments_on_several_binds", &findings.mo_on_several_binds, |it| Value::plain(it)),
        Field::new("mo_one_segment_at_a_time", &findings.mo_one_at_a_time, |it| Value::plain(it)),
    ];
    if !findings.refusals.is_empty() {
        let value = Value::observed_texts(&findings.refusals);
        fields.push(Field::known("refusals", value, "refusals of messages that exceed no limit"));
    }
    if !findings.remarks.is_empty() {
        fields.push(Field::known("remarks", Value::observed_texts(&findings.remarks), "what else happened"));
    }
    fields
}
