//! The names of subjects, streams and keys in NATS.

use std::fmt::Write;

/// The names of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    account: String,
}

impl Names {
    /// Creates the names for a system_id, as [`token`] writes it: no two accounts have the same names.
    pub fn new(system_id: &str) -> Self {
        Self { account: token(system_id) }
    }

    /// Returns the account as it is in subjects.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Returns the name of a stream: `SMS-ACCOUNT-PART`.
    pub fn stream(&self, part: &str) -> String {
        format!("SMS-{}-{part}", self.account)
    }

    /// Returns the name of the stream of a key-value bucket.
    pub fn bucket_stream(&self, part: &str) -> String {
        format!("KV_SMS-{}-{part}", self.account)
    }

    /// Returns the subject of a key in a bucket.
    pub fn key(&self, part: &str, key: &str) -> String {
        format!("$KV.SMS-{}-{part}.{key}", self.account)
    }

    /// Returns the subject of a queue, or of all with `*`.
    pub fn send(&self, priority: &str) -> String {
        format!("sms.{}.send.{priority}", self.account)
    }

    /// Returns the subjects of all events.
    pub fn events(&self) -> String {
        format!("sms.{}.event.>", self.account)
    }

    /// Returns the subject of an event: its kind, what it is about, and what distinguishes it from others of this kind about
    /// the same.
    pub fn event(&self, kind: &str, about: &str, detail: &str) -> String {
        format!("sms.{}.event.{kind}.{}.{}", self.account, short_token(about), short_token(detail))
    }

    /// Returns the id of an event: the words of its subject in another order.
    pub fn event_id(kind: &str, about: &str, detail: &str) -> String {
        format!("{}:{kind}:{}", short_token(about), short_token(detail))
    }

    /// Returns the subject of the parts of a message from a phone, or of all with `*`.
    pub fn group(&self, group: &str) -> String {
        format!("sms.{}.part.{group}", self.account)
    }
}

/// Returns the kind of the event that has this subject.
pub fn event_kind(subject: &str) -> &str {
    subject.split('.').nth(3).unwrap_or_default()
}

/// The most characters of a word in the subject of an event. Longer ones are replaced by a hash: NATS limits subjects.
const MAX_WORD: usize = 256;

fn short_token(word: &str) -> String {
    let token = token(word);
    if token.len() <= MAX_WORD { token } else { format!("={:032x}", hash(word.as_bytes())) }
}

/// Returns the 128-bit FNV-1a hash.
pub(crate) fn hash(octets: &[u8]) -> u128 {
    octets.iter().fold(0x6C62_272E_07BB_0142_62B8_2175_6295_C58D_u128, |hash, octet| {
        (hash ^ u128::from(*octet)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013B)
    })
}

/// Returns a system_id or a message's key as NATS allows it in subjects and names: letters, digits, `-` and `_` stay, other octets become `=` and two
/// hexadecimal digits. An empty one becomes `=`.
pub fn token(key: &str) -> String {
    if key.is_empty() {
        return "=".into();
    }
    let mut token = String::with_capacity(key.len());
    for octet in key.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => token.push(char::from(octet)),
            _ => {
                let _ = write!(token, "={octet:02x}");
            }
        }
    }
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_keys_have_different_tokens() {
        assert_eq!(token("order-4711_a"), "order-4711_a");
        assert_eq!(token("a.b"), "a=2eb");
        assert_eq!(token("a=2eb"), "a=3d2eb");
        assert_eq!(token(""), "=");
        // The examples of the README.
        assert_eq!([token("order 47.11"), token("a=b")], ["order=2047=2e11", "a=3db"]);
        assert_eq!(Names::new("my_shop 1").send("high"), "sms.my_shop=201.send.high");
    }

    #[test]
    fn the_subject_of_an_event_has_five_words_of_limited_length() {
        let names = Names::new("my.shop");
        let subject = names.event("accepted", "order.1", "17");
        assert_eq!(subject, "sms.my=2eshop.event.accepted.order=2e1.17");
        assert_eq!(event_kind(&subject), "accepted");
        let long = "7".repeat(5_000);
        let subjects = [long.clone() + "1", long + "2"].map(|id| names.event("unmatched", &id, ""));
        assert_ne!(subjects[0], subjects[1]);
        assert!(subjects[0].len() < 100, "{}", subjects[0]);
    }

    #[test]
    fn different_accounts_have_different_names() {
        assert_ne!(Names::new("a.b"), Names::new("a_b"));
        assert_eq!(Names::new("a.b").stream("SEND"), "SMS-a=2eb-SEND");
    }
}
