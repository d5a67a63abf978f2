//! Replacing characters that the GSM 7-bit alphabet lacks.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::gsm7::Shifts;

/// The result of [`transliterate`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transliterated<'a> {
    /// The text after the replacements; borrowed if nothing was replaced.
    pub text: Cow<'a, str>,
    /// The replacements in the order of the text.
    pub replacements: Vec<Replacement>,
}

/// A replaced character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replacement {
    /// The position of the character: bytes from the start of the original text.
    pub position: usize,
    /// The original character.
    pub character: char,
    /// The replacement. Empty for an invisible character.
    pub with: &'static str,
}

/// Replaces characters that the GSM 7-bit alphabet lacks by similar ones: typographic quotes and dashes, spaces,
/// ligatures, full-width letters, Greek capitals that look like Latin ones, and accented letters.
///
/// Use it to avoid UCS-2, which needs more segments. It changes what the recipient reads, so the crate never calls it
/// by itself, and the result lists all replacements. If a character has no similar one, the text is returned unchanged:
/// it needs another alphabet anyway. Combining accents are removed; normalize the text first (Unicode NFC) to keep the
/// accented letters that the alphabet has.
///
/// ```
/// use smpp_proto::sms::{Alphabet, Text, transliterate};
/// use smpp_proto::sms::gsm7::Shifts;
///
/// let plain = transliterate("“Olá” – 5 €…", Shifts::NONE);
/// assert_eq!(plain.text, "\"Ola\" - 5 €...");
/// assert_eq!((plain.replacements.len(), plain.replacements[1].with), (5, "a"));
/// assert_eq!(Text::new(&plain.text).alphabet(), Alphabet::Gsm7);
/// ```
pub fn transliterate(text: &str, shifts: Shifts) -> Transliterated<'_> {
    let mut replacements = Vec::new();
    let mut plain = String::new();
    let mut copied = 0;
    for (position, character) in text.char_indices() {
        if shifts.septets(character).is_some() {
            continue;
        }
        let Some(with) = replacement_of(character) else {
            return Transliterated { text: text.into(), replacements: Vec::new() };
        };
        plain.push_str(text.get(copied..position).unwrap_or_default());
        plain.push_str(with);
        copied = position + character.len_utf8();
        replacements.push(Replacement { position, character, with });
    }
    if replacements.is_empty() {
        return Transliterated { text: text.into(), replacements };
    }
    plain.push_str(text.get(copied..).unwrap_or_default());
    Transliterated { text: plain.into(), replacements }
}

/// Returns the replacement, which consists of characters of the default alphabet.
fn replacement_of(character: char) -> Option<&'static str> {
    match character {
        // Full-width forms are in the order of ASCII.
        '\u{FF01}'..='\u{FF5E}' => {
            let index = character as usize - 0xFF01;
            FULL_WIDTH.get(index..=index)
        }
        // Combining accents.
        '\u{300}'..='\u{36F}' => Some(""),
        _ => {
            REPLACEMENTS.iter().find(|(characters, _)| characters.contains(character)).map(|(_, with)| *with)
        }
    }
}

/// ASCII from `!` on. The default alphabet lacks the grave accent, so an apostrophe replaces it.
const FULL_WIDTH: &str =
    "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_'abcdefghijklmnopqrstuvwxyz{|}~";

#[rustfmt::skip]
static REPLACEMENTS: [(&str, &str); 87] = [
    ("\u{200B}\u{200C}\u{200D}\u{2060}\u{FEFF}\u{AD}\u{FE0F}", ""),
    ("\u{A0}\u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\u{2005}\u{2006}\u{2007}\u{2008}\u{2009}\u{200A}\u{202F}\u{205F}\u{3000}\t", " "),
    ("\u{2028}\u{2029}\u{85}\u{0B}", "\n"),
    ("‘’‚‛′`´ʼˈ", "'"), ("“”„‟″«»〝〞", "\""), ("‹", "<"), ("›", ">"),
    ("‐‑‒–—―−", "-"), ("…", "..."), ("•·∙◦", "*"), ("×", "x"), ("÷", ":"), ("⁄∕", "/"), ("∗", "*"),
    ("©", "(c)"), ("®", "(r)"), ("™", "(tm)"), ("№", "No"), ("¦", "|"), ("¨", "\""), ("¯", "-"), ("¸", ","),
    ("¹", "1"), ("²", "2"), ("³", "3"), ("½", "1/2"), ("¼", "1/4"), ("¾", "3/4"), ("ª", "a"), ("º°", "o"),
    ("¢", "c"), ("±", "+-"), ("µμ", "u"), ("¶", ""),
    ("ﬀ", "ff"), ("ﬁ", "fi"), ("ﬂ", "fl"), ("ﬃ", "ffi"), ("ﬄ", "ffl"), ("Œ", "OE"), ("œ", "oe"), ("Ĳ", "IJ"), ("ĳ", "ij"),
    ("ÀÁÂÃĀĂĄǍΑ", "A"), ("áâãāăąǎ", "a"), ("Β", "B"), ("ĆĈĊČ", "C"), ("çćĉċč", "c"), ("ĎĐÐ", "D"), ("ďđð", "d"),
    ("ÈÊËĒĔĖĘĚΕ", "E"), ("êëēĕėęě", "e"), ("ĜĞĠĢ", "G"), ("ĝğġģ", "g"), ("ĤĦΗ", "H"), ("ĥħ", "h"),
    ("ÌÍÎÏĨĪĬĮİΙ", "I"), ("íîïĩīĭįı", "i"), ("Ĵ", "J"), ("ĵ", "j"), ("ĶΚ", "K"), ("ķĸ", "k"), ("ĹĻĽĿŁ", "L"), ("ĺļľŀł", "l"),
    ("Μ", "M"), ("ŃŅŇŊΝ", "N"), ("ńņňŋŉ", "n"), ("ÒÓÔÕŌŎŐΟ", "O"), ("óôõōŏő", "o"), ("Ρ", "P"), ("ŔŖŘ", "R"), ("ŕŗř", "r"),
    ("ŚŜŞŠȘẞ", "S"), ("śŝşšșſ", "s"), ("ŢŤŦȚΤ", "T"), ("ţťŧț", "t"), ("ÙÚÛŨŪŬŮŰŲ", "U"), ("úûũūŭůűų", "u"),
    ("ŴẀẂẄ", "W"), ("ŵẁẃẅ", "w"), ("ÝŶŸΥ", "Y"), ("ýÿŷ", "y"),
    ("ŹŻŽΖ", "Z"), ("źżž", "z"), ("Χ", "X"), ("Þ", "Th"), ("þ", "th"),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sms::gsm7::{self, Language};

    #[test]
    fn replacements_are_in_the_alphabet_and_replaced_characters_are_not() {
        let mut seen = Vec::new();
        for (characters, with) in REPLACEMENTS {
            assert!(gsm7::len(with).is_some(), "{with:?}");
            for character in characters.chars() {
                assert_eq!(gsm7::septets(character), None, "{character:?} needs no replacement");
                assert!(!seen.contains(&character), "{character:?} is listed twice");
                seen.push(character);
            }
        }
        for character in '\u{FF01}'..='\u{FF5E}' {
            assert!(replacement_of(character).is_some_and(|with| gsm7::len(with).is_some()), "{character}");
        }
        assert_eq!(
            (replacement_of('Ａ'), replacement_of('～'), replacement_of('！')),
            (Some("A"), Some("~"), Some("!"))
        );
    }

    #[test]
    fn characters_of_the_alphabet_are_unchanged() {
        let text = "Grüße, ça va à 5 €? ΔΦΓΛΩ";
        let plain = transliterate(text, Shifts::NONE);
        assert_eq!(plain.text, "Grüße, ca va à 5 €? ΔΦΓΛΩ");
        assert_eq!(plain.replacements, [Replacement { position: 9, character: 'ç', with: "c" }]);
        let turkish = transliterate(text, Shifts::single(Language::TURKISH));
        assert_eq!((turkish.text, turkish.replacements.len()), (text.into(), 0), "the Turkish table has it");
    }

    #[test]
    fn a_text_with_an_irreplaceable_character_is_unchanged() {
        for text in ["“五”", "👩\u{200D}💻", "❤\u{FE0F}"] {
            let plain = transliterate(text, Shifts::NONE);
            assert_eq!((plain.text, plain.replacements), (text.into(), Vec::new()));
        }
        assert_eq!(transliterate("ne\u{301}e", Shifts::NONE).text, "nee");
    }

    proptest! {
        #[test]
        fn the_original_follows_from_the_replacements(text in ".*|[“”–…áçéŁ五a€ \\n\u{200B}]*") {
            let plain = transliterate(&text, Shifts::NONE);
            let (mut original, mut from) = (String::new(), 0);
            let mut rest = &plain.text[..];
            for replacement in &plain.replacements {
                let unchanged = &text[from..replacement.position];
                original += unchanged;
                original.push(replacement.character);
                from = original.len();
                rest = rest.strip_prefix(unchanged).and_then(|rest| rest.strip_prefix(replacement.with)).unwrap();
            }
            prop_assert_eq!(original + rest, text);
        }
    }
}
