//! The messages that programs publish to be sent.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use smpp_proto::account::Message;
use smpp_proto::sms::time::RelativeTime;
use smpp_proto::{Address, InvalidOctets, MessageClass, RegisteredDelivery, SubmitSm, Time};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::from_hex;
use crate::node::{Invalid, Priority};

/// The most octets of a key.
const MAX_KEY: usize = 64;

/// The most octets of a published message: more than a text of the most parts has, each of its characters escaped.
const MAX_PAYLOAD: usize = 256 << 10;

/// The most characters of a text, or octets: 255 parts.
const MAX_LENGTH: usize = 255 * 160;

/// A message to send, as a program publishes it. See `schema.json`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendRequest {
    /// The sender's own key. Default: the `Nats-Msg-Id`.
    pub key: Option<String>,
    /// The sender's address: a number, a short code or a name of up to 11 characters. Default: empty, the SMSC decides.
    pub from: Option<String>,
    /// The recipient: an international number.
    pub to: String,
    /// The text.
    pub text: Option<String>,
    /// Eight-bit data in hexadecimal digits, instead of a text.
    pub octets: Option<String>,
    /// The message class, 0 to 3. Class 0 is shown at once.
    pub class: Option<u8>,
    /// For how many seconds the SMSC tries to deliver it. Default: the SMSC decides.
    pub validity: Option<u64>,
    /// Whether to request delivery receipts. Default true.
    pub receipt: Option<bool>,
    /// The time after which it is not sent any more (RFC 3339). Default none.
    pub deadline: Option<String>,
    /// What happens if it is uncertain whether the SMSC has it. Default: it is reported.
    pub when_uncertain: Option<WhenUncertain>,
}

/// Without addresses, text and key.
impl fmt::Debug for SendRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendRequest").finish_non_exhaustive()
    }
}

/// What happens to a message of which it is uncertain whether the SMSC has accepted it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenUncertain {
    /// It is reported as `uncertain`.
    #[default]
    Report,
    /// It is sent again: the phone may receive it twice.
    Resend,
}

/// A message that can be submitted.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The sender's key.
    pub key: String,
    /// What happens if it is uncertain whether the SMSC has it.
    pub when_uncertain: WhenUncertain,
    /// How long it may wait, from now on. Zero if its deadline has passed.
    pub deadline: Option<Duration>,
    /// The message, without its deadline.
    pub message: Message,
}

fn invalid(key: Option<&str>, field: &str, reason: impl Into<String>) -> Invalid {
    let field = (!field.is_empty()).then(|| field.into());
    Invalid { key: key.map(Into::into), field, reason: reason.into() }
}

/// Reads a message that was published. `message_id` is its `Nats-Msg-Id`.
///
/// # Errors
///
/// [`Invalid`] says which field is wrong, and what would be right.
pub fn parse(
    payload: &[u8],
    message_id: Option<&str>,
    priority: Priority,
    now: OffsetDateTime,
) -> Result<Parsed, Invalid> {
    if payload.len() > MAX_PAYLOAD {
        return Err(invalid(message_id, "", format!("longer than {MAX_PAYLOAD} octets")));
    }
    let request: SendRequest = serde_json::from_slice(payload).map_err(|error| {
        // The key helps the sender even if another field is wrong.
        let value: Option<serde_json::Value> = serde_json::from_slice(payload).ok();
        let key = value.as_ref().and_then(|value| value.get("key")).and_then(|key| key.as_str());
        invalid(key.or(message_id), "", error.to_string())
    })?;
    request.message(message_id, priority, now)
}

impl SendRequest {
    fn message(
        &self,
        message_id: Option<&str>,
        priority: Priority,
        now: OffsetDateTime,
    ) -> Result<Parsed, Invalid> {
        let key = self.valid_key(message_id)?;
        let wrong = |field: &str, reason: String| invalid(Some(key), field, reason);
        let octets = |field: &'static str| {
            move |error: InvalidOctets| invalid(Some(key), field, format!("not an address: {error}"))
        };
        let digits = self.to.strip_prefix('+').unwrap_or(&self.to);
        if digits.is_empty() || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
            return Err(wrong("to", "not an international number: + and digits".into()));
        }
        let validity = match self.validity {
            None => None,
            Some(seconds) => {
                let time = RelativeTime::from_duration(Duration::from_secs(seconds));
                Some(time.map_err(|error| wrong("validity", error.to_string()))?.encode())
            }
        };
        let template = SubmitSm {
            source: match &self.from {
                Some(from) => Address::sender(from).map_err(octets("from"))?,
                None => Address::default(),
            },
            destination: Address::international(&self.to).map_err(octets("to"))?,
            validity_period: validity.as_ref().map_or(Time::EMPTY, |time| time.as_time()),
            registered_delivery: match self.receipt {
                Some(false) => RegisteredDelivery::empty(),
                _ => RegisteredDelivery::RECEIPT,
            },
            ..SubmitSm::default()
        };
        if self.text.as_ref().is_some_and(|text| text.chars().count() > MAX_LENGTH) {
            return Err(wrong("text", format!("longer than {MAX_LENGTH} characters")));
        }
        if self.octets.as_ref().is_some_and(|digits| digits.len() > 2 * MAX_LENGTH) {
            return Err(wrong("octets", format!("longer than {MAX_LENGTH} octets")));
        }
        let mut message = match (&self.text, &self.octets) {
            (Some(text), None) => Message::text(&template, text.as_str()),
            (None, Some(digits)) => match from_hex(digits) {
                Some(octets) => Message::octets(&template, octets),
                None => return Err(wrong("octets", "not pairs of hexadecimal digits".into())),
            },
            (Some(_), Some(_)) => return Err(wrong("octets", "state text or octets, not both".into())),
            (None, None) => return Err(wrong("text", "missing: state text or octets".into())),
        };
        if let Some(class) = self.class {
            message = message.class(match class {
                0 => MessageClass::Flash,
                1 => MessageClass::Device,
                2 => MessageClass::Sim,
                3 => MessageClass::Terminal,
                _ => return Err(wrong("class", format!("{class} is not from 0 to 3"))),
            });
        }
        let deadline = match &self.deadline {
            None => None,
            Some(text) => {
                let at = OffsetDateTime::parse(text, &Rfc3339).map_err(|error| {
                    wrong("deadline", format!("not a time like 2030-01-31T12:00:00Z: {error}"))
                })?;
                Some(Duration::try_from(at - now).unwrap_or_default())
            }
        };
        let message = message.key(key).priority(match priority {
            Priority::High => smpp_proto::account::Priority::High,
            Priority::Normal => smpp_proto::account::Priority::Normal,
            Priority::Low => smpp_proto::account::Priority::Low,
        });
        let when_uncertain = self.when_uncertain.unwrap_or_default();
        Ok(Parsed { key: key.into(), when_uncertain, deadline, message })
    }

    /// Returns the key, if the field and the header do not contradict each other.
    fn valid_key<'a>(&'a self, message_id: Option<&'a str>) -> Result<&'a str, Invalid> {
        let key = match (self.key.as_deref(), message_id) {
            (Some(key), Some(id)) if key != id => {
                return Err(invalid(Some(key), "key", "differs from the header Nats-Msg-Id"));
            }
            (Some(key), _) | (None, Some(key)) => key,
            (None, None) => {
                return Err(invalid(None, "key", "missing: state it here or in the header Nats-Msg-Id"));
            }
        };
        let is_printable = key.bytes().all(|octet| octet.is_ascii_graphic());
        if key.is_empty() || key.len() > MAX_KEY || !is_printable {
            let reason = "not 1 to 64 printable ASCII characters without spaces";
            return Err(invalid(Some(&key.chars().take(MAX_KEY).collect::<String>()), "key", reason));
        }
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> OffsetDateTime {
        OffsetDateTime::parse(text, &Rfc3339).unwrap()
    }

    fn read(json: &str, id: Option<&str>) -> Result<Parsed, Invalid> {
        parse(json.as_bytes(), id, Priority::Normal, at("2030-01-31T12:00:00Z"))
    }

    fn error(json: &str) -> (String, String) {
        let error = read(json, None).unwrap_err();
        (error.field.unwrap_or_default(), error.reason)
    }

    #[test]
    fn a_message_is_read() {
        let all = r#"{"key":"a-1","from":"8x8","to":"+6591234567","text":"Hello","class":0,"validity":3600,
            "receipt":false,"deadline":"2030-01-31T12:01:00Z","when_uncertain":"resend"}"#;
        let parsed = read(all, Some("a-1")).unwrap();
        assert_eq!((parsed.key.as_str(), parsed.when_uncertain), ("a-1", WhenUncertain::Resend));
        assert_eq!(parsed.deadline, Some(Duration::from_secs(60)));
        assert!(!parsed.message.asks_for_receipts());
        let smpp_proto::Pdu::SubmitSm(template) = parsed.message.pdu() else { panic!() };
        assert_eq!(template.destination.digits.as_bytes(), b"6591234567");
        assert_eq!(template.validity_period.as_bytes(), b"000000010000000R");
        let least = read(r#"{"to":"6591234567","octets":"00ff"}"#, Some("b")).unwrap();
        assert!(least.key == "b" && least.message.asks_for_receipts() && least.deadline.is_none());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (json, field, reason) in [
            (r#"{"key":"k","to":"+65","text":"a","octets":"00"}"#, "octets", "not both"),
            (r#"{"key":"k","to":"+65"}"#, "text", "missing"),
            (r#"{"to":"+65","text":"a"}"#, "key", "Nats-Msg-Id"),
            (r#"{"key":"a b","to":"+65","text":"a"}"#, "key", "1 to 64"),
            (r#"{"key":"k","to":"shop","text":"a"}"#, "to", "international"),
            (r#"{"key":"k","to":"+6591234567891234567890","text":"a"}"#, "to", "address"),
            (r#"{"key":"k","to":"+65","text":"a","from":"a name too long"}"#, "from", "address"),
            (r#"{"key":"k","to":"+65","text":"a","class":4}"#, "class", "0 to 3"),
            (r#"{"key":"k","to":"+65","octets":"0"}"#, "octets", "pairs"),
            (r#"{"key":"k","to":"+65","text":"a","deadline":"soon"}"#, "deadline", "2030"),
            (r#"{"key":"k","to":"+65","text":"a","txet":"b"}"#, "", "unknown field `txet`"),
            (r#"{"key":"k","text":"a"}"#, "", "missing field `to`"),
            ("Hello", "", "expected value"),
        ] {
            let found = error(json);
            assert!(found.0 == field && found.1.contains(reason), "{json}: {found:?}");
        }
        let differs = read(r#"{"key":"k","to":"+65","text":"a"}"#, Some("other")).unwrap_err();
        assert_eq!((differs.key.as_deref(), differs.field.as_deref()), (Some("k"), Some("key")));
    }

    #[test]
    fn what_is_too_long_is_refused_before_it_is_read() {
        let long = |count: usize| format!(r#"{{"key":"k","to":"+65","text":"{}"}}"#, "a".repeat(count));
        assert!(read(&long(MAX_LENGTH), None).is_ok());
        assert_eq!(error(&long(MAX_LENGTH + 1)), ("text".into(), "longer than 40800 characters".into()));
        let error = read(&long(MAX_PAYLOAD), Some("k")).unwrap_err();
        assert!(error.key.as_deref() == Some("k") && error.reason.contains("262144"), "{error:?}");
    }

    #[test]
    fn the_schema_has_the_fields_that_are_read() {
        let schema: serde_json::Value = serde_json::from_str(super::super::SCHEMA).unwrap();
        let fields: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        let unknown = error(r#"{"?":1}"#).1;
        assert_eq!(fields.len(), 10);
        for field in fields {
            assert!(unknown.contains(&format!("`{field}`")), "{field} is not read: {unknown}");
        }
    }
}
