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

    /// Returns the subject of a kind of event, or of all with `*`.
    pub fn event(&self, kind: &str) -> String {
        format!("sms.{}.event.{kind}", self.account)
    }

    /// Returns the subject of a part of a message from a phone.
    pub fn part(&self, group: &str, number: &str) -> String {
        format!("sms.{}.part.{group}.{number}", self.account)
    }
}

/// Returns a system_id or a message's key as NATS allows it in subjects and names: letters, digits, `-` and `_` stay, other octets become `=` and two
/// hexadecimal digits.
pub fn token(key: &str) -> String {
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
        assert_eq!(Names::new("my_shop 1").send("high"), "sms.my_shop=201.send.high");
    }

    #[test]
    fn different_accounts_have_different_names() {
        assert_ne!(Names::new("a.b"), Names::new("a_b"));
        assert_eq!(Names::new("a.b").stream("SEND"), "SMS-a=2eb-SEND");
    }
}
