//! Decoding user data into text.

use alloc::string::String;
use alloc::vec::Vec;

use super::alphabet::Alphabet;
use super::coding::Codings;
use super::gsm7::{Shifts, packed};
use super::udh;
use super::user_data::UserData;
use crate::pdu::DataCoding;

impl Codings {
    /// The text of a message: what `octets` spell behind the user data header, if there is one, with the national
    /// tables that it names. `None` if they are no text, or the `data_coding` is not known.
    ///
    /// ```
    /// use smpp_core::DataCoding;
    /// use smpp_core::sms::{Codings, udh};
    ///
    /// let (header, octets) = udh::split(&[3, 0x25, 1, 1, b'D', b'a', 0x0C])?;
    /// let text = Codings::default().decode(DataCoding(0), Some(header), octets);
    /// assert_eq!(text.as_deref(), Some("Dağ"), "Turkish, by a locking shift");
    /// # Ok::<(), udh::MalformedHeader>(())
    /// ```
    pub fn decode(
        self,
        data_coding: DataCoding,
        header: Option<udh::Header<'_>>,
        octets: &[u8],
    ) -> Option<String> {
        self.decode_segments([UserData { header, octets, data_coding, ..UserData::default() }])
    }

    /// The text of a message that came in parts, in order. `None` if one of them is no text, or its `data_coding` is not
    /// known.
    ///
    /// A sender may have cut through a character; its halves are put together. The `data_coding` and the shift tables
    /// are each part's own.
    pub fn decode_segments<'a>(self, parts: impl IntoIterator<Item = UserData<'a>>) -> Option<String> {
        let (mut text, mut run) = (String::new(), Run::new());
        for part in parts {
            run.part(self.alphabet(part.data_coding)?, &part, &mut text)?;
        }
        run.end(&mut text)?;
        Some(text)
    }
}

impl UserData<'_> {
    /// The alphabet on a bind with these codings, if it is known.
    pub const fn alphabet(&self, codings: Codings) -> Option<Alphabet> {
        codings.alphabet(self.data_coding)
    }

    /// The text: see [`Codings::decode`].
    pub fn text(&self, codings: Codings) -> Option<String> {
        codings.decode(self.data_coding, self.header, self.octets)
    }
}

/// The septets or octets of consecutive parts that are read as one, since characters may be cut through.
struct Run {
    /// Never packed: septets were unpacked.
    alphabet: Alphabet,
    shifts: Shifts,
    octets: Vec<u8>,
}

impl Run {
    const fn new() -> Self {
        Self { alphabet: Alphabet::Gsm7, shifts: Shifts::NONE, octets: Vec::new() }
    }

    fn part(&mut self, alphabet: Alphabet, part: &UserData<'_>, text: &mut String) -> Option<()> {
        let is_packed = alphabet == Alphabet::Gsm7Packed;
        let alphabet = if is_packed { Alphabet::Gsm7 } else { alphabet };
        let shifts = part.header.map_or(Shifts::NONE, |header| header.shifts());
        if (alphabet, shifts) != (self.alphabet, self.shifts) || self.ends_here(part.octets) {
            self.end(text)?;
            (self.alphabet, self.shifts) = (alphabet, shifts);
        }
        if is_packed {
            let length = part.header.map_or(0, |header| header.encoded_len());
            self.octets.append(&mut packed::unpack(part.octets, length));
        } else {
            self.octets.extend_from_slice(part.octets);
        }
        Some(())
    }

    /// Whether what follows cannot be read as one with what is there.
    fn ends_here(&self, following: &[u8]) -> bool {
        match self.alphabet {
            // Half a unit of UTF-16 whose other half does not follow: joined, it would shift all that comes.
            Alphabet::Ucs2 => self.octets.len() % 2 == 1 && following.len().is_multiple_of(2),
            // Back to ASCII and at once to something else: its decoder takes two escapes in a row for an error.
            #[cfg(feature = "charsets")]
            Alphabet::Charset(charset) => {
                charset == encoding_rs::ISO_2022_JP
                    && self.octets.ends_with(b"\x1B(B")
                    && following.starts_with(b"\x1B")
            }
            _ => false,
        }
    }

    fn end(&mut self, text: &mut String) -> Option<()> {
        if !self.octets.is_empty() || self.alphabet == Alphabet::Octets {
            text.push_str(&self.alphabet.decode_shifted(self.shifts, &self.octets)?);
            self.octets.clear();
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_put_together() {
        let join = |codings: Codings, data_coding, parts: &[&'static [u8]]| {
            let data_coding = DataCoding(data_coding);
            let part = |octets: &&'static [u8]| UserData { octets, data_coding, ..UserData::default() };
            codings.decode_segments(parts.iter().map(part)).unwrap()
        };
        let codings = Codings::default();
        assert_eq!(join(codings, 8, &[&[0x00, 0x41, 0xD8, 0x3D], &[0xDE, 0x00]]), "A😀", "a surrogate pair");
        assert_eq!(join(codings, 0, &[b"5 \x1B", b"e"]), "5 €", "an escape and its septet");
        assert_eq!(join(codings, 8, &[&[0x00, 0x41, 0xD8], &[0x00, 0x42]]), "A\u{FFFD}B", "half a unit");
        assert_eq!(join(codings, 8, &[&[0x04, 0x1F, 0x04], &[0x40]]), "Пр", "a unit of two halves");
        assert_eq!(join(codings, 5, &[&[0x8A], &[0xBF]]), "漢", "an octet of two");
        let packed = Codings { smsc_default: Alphabet::Gsm7Packed, ..codings };
        assert_eq!(join(packed, 0, &[&[0x1B], &[0x65]]), "€", "packed, one septet each");
    }

    #[test]
    fn tables_are_each_parts_own() {
        let header = |octets| Some(udh::split(octets).unwrap().0);
        let turkish = header(&[3, 0x24, 1, 1]);
        let join = |parts: &[(Option<udh::Header<'static>>, &'static [u8])]| {
            let part = |&(header, octets)| UserData { header, octets, ..UserData::default() };
            Codings::default().decode_segments(parts.iter().map(part)).unwrap()
        };
        assert_eq!(join(&[(None, b"\x1Bg"), (turkish, b"\x1Bg"), (None, b"\x1Bg")]), "gğg");
        // An escape at the end has nothing to do with the next part's tables.
        assert_eq!(join(&[(None, b"a\x1B"), (turkish, b"g")]), "a g");
        let malformed = header(&[4, 0x24, 1, 1, 0x25]);
        assert_eq!(Codings::default().decode(DataCoding(0), malformed, b"\x1Bg").as_deref(), Some("g"));
    }

    #[test]
    fn the_data_coding_is_each_parts_own() {
        let part = |data_coding, octets| UserData { octets, data_coding, ..UserData::default() };
        let parts = [part(DataCoding(0), &b"\x00"[..]), part(DataCoding::UCS2, &[0x4E, 0x94])];
        assert_eq!(Codings::default().decode_segments(parts).as_deref(), Some("@五"));
        let parts = [part(DataCoding(0), &b"a"[..]), part(DataCoding::OCTETS, b"b")];
        assert_eq!(Codings::default().decode_segments(parts), None, "octets are no text");
        assert_eq!(Codings::default().decode(DataCoding::OCTETS, None, b""), None);
    }

    #[test]
    fn packed_septets_follow_the_fill_bits() {
        let packed = Codings { smsc_default: Alphabet::Gsm7Packed, ..Codings::default() };
        let (header, octets) = udh::split(&[5, 0, 3, 1, 2, 1, 0x90, 0x69]).unwrap();
        assert_eq!(packed.decode(DataCoding(0), Some(header), octets).as_deref(), Some("Hi"));
    }
}
