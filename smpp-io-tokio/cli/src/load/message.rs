//! The messages of the client and their ids at the server.

use smpp_proto::{Address, COctets, ShortMessage, SubmitSm, SubmitSmResp, Tag, Tlv};

/// The longest short_message, in octets. Longer texts go into message_payload.
const MAX_SHORT: usize = 254;

/// Returns so many octets of text.
pub(super) fn text(length: u16) -> Vec<u8> {
    b"The quick brown fox jumps over the lazy dog. ".iter().copied().cycle().take(length.into()).collect()
}

/// Returns the TLVs of a message with this text: its message_payload, if the text is too long for the short_message.
pub(super) fn payload(text: &[u8]) -> Vec<Tlv<'_>> {
    if text.len() > MAX_SHORT {
        Tlv::new(Tag::MESSAGE_PAYLOAD, text).into_iter().collect()
    } else {
        Vec::new()
    }
}

/// Returns the message, with an empty short_message if the text is too long for it: see [`payload`].
pub(super) fn submit_sm<'a>(text: &'a [u8], to: &'a str) -> SubmitSm<'a> {
    SubmitSm {
        destination: Address::international(to).unwrap_or_default(),
        short_message: ShortMessage::new(text).unwrap_or_default(),
        ..SubmitSm::default()
    }
}

/// Message ids: numbers of ten digits.
pub(super) struct MessageIds([u8; 10]);

impl MessageIds {
    /// Returns the ids that follow this one.
    pub(super) fn after(digits: [u8; 10]) -> Self {
        Self(digits)
    }

    /// Returns a response with the next id.
    #[inline]
    pub(super) fn next(&mut self) -> SubmitSmResp<'_> {
        for digit in self.0.iter_mut().rev() {
            if *digit < b'9' {
                *digit += 1;
                break;
            }
            *digit = b'0';
        }
        response(&self.0)
    }
}

/// Returns the ten digits of a number.
pub(super) fn digits(mut number: u64) -> [u8; 10] {
    let mut digits = [b'0'; 10];
    for digit in digits.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    digits
}

/// Returns a response with this message id.
#[inline]
pub(super) fn response(message_id: &[u8]) -> SubmitSmResp<'_> {
    SubmitSmResp { message_id: COctets::new(message_id).unwrap_or_default(), ..SubmitSmResp::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_ids_count_up() {
        assert_eq!(digits(1_234_567_890_123), *b"4567890123");
        let mut ids = MessageIds::after(digits(99));
        assert_eq!(ids.next().message_id.as_bytes(), b"0000000100");
        assert_eq!(ids.next().message_id.as_bytes(), b"0000000101");
    }
}
