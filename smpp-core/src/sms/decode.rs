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
    /// Decodes the text of one message: `octets` follow the user data header, whose national language tables apply.
    ///
    /// Returns `None` if the octets are not text, or if the `data_coding` has no known alphabet.
    ///
    /// ```
    /// use smpp_proto::DataCoding;
    /// use smpp_proto::sms::{Codings, udh};
    ///
    /// let (header, octets) = udh::split(&[3, 0x25, 1, 1, b'D', b'a', 0x0C])?;
    /// let text = Codings::default().decode(DataCoding(0), Some(header), octets);
    /// assert_eq!(text.as_deref(), Some("Dağ"), "Turkish, by a locking shift");
    /// # Ok::<(), udh::MalformedHeader>(())
    /// ```
    pub fn decode(
        self,
        data_coding: DataCoding,
        header: Option<udh::UserDataHeader<'_>>,
        octets: &[u8],
    ) -> Option<String> {
        self.decode_segments([UserData { header, octets, data_coding, ..UserData::default() }])
    }

    /// Decodes the text of the segments of a concatenated message, in order.
    ///
    /// Returns `None` if one of them is not text, or if its `data_coding` has no known alphabet.
    ///
    /// A sender may have split a character between two segments: its segments are joined. The `data_coding` and the
    /// national language tables apply to each segment separately.
    pub fn decode_segments<'a>(self, segments: impl IntoIterator<Item = UserData<'a>>) -> Option<String> {
        let (mut text, mut run) = (String::new(), SegmentRun::new());
        for segment in segments {
            run.push(self.alphabet(segment.data_coding)?, &segment, &mut text)?;
        }
        run.finish(&mut text)?;
        Some(text)
    }
}

impl UserData<'_> {
    /// Returns the alphabet of [`data_coding`](Self::data_coding), if it is known.
    pub const fn alphabet(&self, codings: Codings) -> Option<Alphabet> {
        codings.alphabet(self.data_coding)
    }

    /// Decodes the text: see [`Codings::decode`].
    pub fn text(&self, codings: Codings) -> Option<String> {
        codings.decode(self.data_coding, self.header, self.octets)
    }
}

/// The octets (or unpacked septets) of consecutive segments with the same alphabet and tables. They are decoded
/// together, because a character may be split between two segments.
struct SegmentRun {
    /// Never [`Alphabet::Gsm7Packed`]: septets are unpacked first.
    alphabet: Alphabet,
    shifts: Shifts,
    octets: Vec<u8>,
}

impl SegmentRun {
    const fn new() -> Self {
        Self { alphabet: Alphabet::Gsm7, shifts: Shifts::NONE, octets: Vec::new() }
    }

    fn push(&mut self, alphabet: Alphabet, segment: &UserData<'_>, text: &mut String) -> Option<()> {
        let is_packed = alphabet == Alphabet::Gsm7Packed;
        let alphabet = if is_packed { Alphabet::Gsm7 } else { alphabet };
        let shifts = segment.header.map_or(Shifts::NONE, |header| header.shifts());
        if (alphabet, shifts) != (self.alphabet, self.shifts) || self.must_end_before(segment.octets) {
            self.finish(text)?;
            (self.alphabet, self.shifts) = (alphabet, shifts);
        }
        if is_packed {
            let length = segment.header.map_or(0, |header| header.encoded_len());
            self.octets.append(&mut packed::unpack(segment.octets, length));
        } else {
            self.octets.extend_from_slice(segment.octets);
        }
        Some(())
    }

    /// Returns whether the octets of the next segment cannot be decoded together with the present ones.
    fn must_end_before(&self, following: &[u8]) -> bool {
        match self.alphabet {
            // Half of a UTF-16 unit without its other half: joined, it would misalign all following units.
            Alphabet::Ucs2 => self.octets.len() % 2 == 1 && following.len().is_multiple_of(2),
            // ISO-2022-JP: a return to ASCII directly before another escape. The decoder rejects two escapes in a row.
            #[cfg(feature = "charsets")]
            Alphabet::Charset(charset) => {
                charset == encoding_rs::ISO_2022_JP
                    && self.octets.ends_with(b"\x1B(B")
                    && following.starts_with(b"\x1B")
            }
            _ => false,
        }
    }

    fn finish(&mut self, text: &mut String) -> Option<()> {
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
    fn split_characters_are_joined() {
        let join = |codings: Codings, data_coding, segments: &[&'static [u8]]| {
            let data_coding = DataCoding(data_coding);
            let segment = |octets: &&'static [u8]| UserData { octets, data_coding, ..UserData::default() };
            codings.decode_segments(segments.iter().map(segment)).unwrap()
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
    fn tables_apply_to_one_segment() {
        let header = |octets| Some(udh::split(octets).unwrap().0);
        let turkish = header(&[3, 0x24, 1, 1]);
        let join = |segments: &[(Option<udh::UserDataHeader<'static>>, &'static [u8])]| {
            let segment = |&(header, octets)| UserData { header, octets, ..UserData::default() };
            Codings::default().decode_segments(segments.iter().map(segment)).unwrap()
        };
        assert_eq!(join(&[(None, b"\x1Bg"), (turkish, b"\x1Bg"), (None, b"\x1Bg")]), "gğg");
        // An escape at the end does not use the tables of the next segment.
        assert_eq!(join(&[(None, b"a\x1B"), (turkish, b"g")]), "a g");
        let malformed = header(&[4, 0x24, 1, 1, 0x25]);
        assert_eq!(Codings::default().decode(DataCoding(0), malformed, b"\x1Bg").as_deref(), Some("g"));
    }

    #[test]
    fn the_data_coding_applies_to_one_segment() {
        let segment = |data_coding, octets| UserData { octets, data_coding, ..UserData::default() };
        let segments = [segment(DataCoding(0), &b"\x00"[..]), segment(DataCoding::UCS2, &[0x4E, 0x94])];
        assert_eq!(Codings::default().decode_segments(segments).as_deref(), Some("@五"));
        let segments = [segment(DataCoding(0), &b"a"[..]), segment(DataCoding::OCTETS, b"b")];
        assert_eq!(Codings::default().decode_segments(segments), None, "octets are not text");
        assert_eq!(Codings::default().decode(DataCoding::OCTETS, None, b""), None);
    }

    #[test]
    fn packed_septets_follow_the_fill_bits() {
        let packed = Codings { smsc_default: Alphabet::Gsm7Packed, ..Codings::default() };
        let (header, octets) = udh::split(&[5, 0, 3, 1, 2, 1, 0x90, 0x69]).unwrap();
        assert_eq!(packed.decode(DataCoding(0), Some(header), octets).as_deref(), Some("Hi"));
    }
}
