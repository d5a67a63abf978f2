//! The text form of a PDU: each field with its offset, its octets and its value.

use std::fmt::{self, Display};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use smpp_proto::frame::{Field, HEADER_LENGTH};
use smpp_proto::{CommandId, DecodeError, DecodeErrorKind, Frame, Header, Quirks, Tag, Tolerance};

use super::message;
use super::pdus::{Item, Pdus, Rest};

/// The largest number of octets of a field that are shown.
const SHOWN: usize = 8;

/// Writes PDUs, and records whether all of the input could be decoded.
#[derive(Debug)]
pub(super) struct Dump<W> {
    out: W,
    tolerance: Tolerance,
    failed: bool,
    /// Any string of the current PDU may be its password: hide all of them.
    hide_strings: bool,
}

impl<W: Write> Dump<W> {
    pub(super) fn new(out: W, tolerance: Tolerance) -> Self {
        Self { out, tolerance, failed: false, hide_strings: false }
    }

    /// Returns whether part of the input could not be decoded.
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Flushes the output.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
    /// Writes a PDU field by field.
    fn write_pdu(&mut self, place: Place, frame: &Frame<Vec<u8>>) -> io::Result<()> {
        let Header { length, command, status, sequence } = frame.header();
        writeln!(self.out, "{place}{command}  sequence {} {status:?}, {length} octets", sequence.0)?;
        let header: [(&str, &dyn Display); 4] = [
            ("command_length", &length),
            ("command_id", &command),
            ("command_status", &status),
            ("sequence_number", &sequence.0),
        ];
        for (index, ((name, value), octets)) in header.into_iter().zip(frame.octets().chunks(4)).enumerate() {
            self.row(4 * index, &hex(octets), name, value)?;
        }
        let mut written = Ok(());
        self.hide_strings = holds_password(command) && is_shifted(frame);
        let read = frame.fields(self.tolerance, &mut |field| {
            if written.is_ok() {
                written = self.field(&field);
            }
        });
        written?;
        match read {
            Ok((pdu, quirks)) => {
                for (name, value) in message::explain(&pdu) {
                    writeln!(self.out, "{:36}= {name:<25}  {value}", "")?;
                }
                for (name, quirk) in quirks.iter_names() {
                    writeln!(self.out, "  quirk: {}", words(quirk).unwrap_or(name))?;
                }
            }
            Err(error) => self.malformed(frame, error)?,
        }
        writeln!(self.out)
    }

    fn field(&mut self, field: &Field<'_, '_>) -> io::Result<()> {
        let Field { name, offset, octets, value, .. } = *field;
        match tag(name, octets) {
            _ if name == "password" => self.row(offset, "***", name, &format_args!("{value:?}")),
            None if self.hide_strings && octets.len() > 1 => self.row(offset, "***", name, &"***"),
            None => self.row(offset, &hex(octets), name, &format_args!("{value:?}")),
            Some(tag) => {
                let unknown = format!("tlv {:#06x}", tag.0);
                let name = if tag.name().is_some() { name } else { &unknown };
                let length = octets.len() - 4;
                self.row(offset, &hex(octets), name, &format_args!("length {length}: {value:?}"))
            }
        }
    }

    /// Writes why the rest of the PDU was not decoded.
    fn malformed(&mut self, frame: &Frame<Vec<u8>>, error: DecodeError) -> io::Result<()> {
        self.failed = true;
        let command = frame.header().command;
        let known = error.kind != DecodeErrorKind::UnknownCommand;
        let rest = frame.octets().get(error.offset..).unwrap_or_default();
        if known && error.offset >= HEADER_LENGTH && !rest.is_empty() {
            let octets = if holds_password(command) { "***".to_owned() } else { hex(rest) };
            self.row(error.offset, &octets, error.field, &format_args!("{} octets not read", rest.len()))?;
        }
        let what = if known { "malformed" } else { "not read" };
        let answer = if command.is_response() {
            "a receiver does not answer a response".to_owned()
        } else {
            format!("a receiver answers {:?}", error.status())
        };
        writeln!(self.out, "  {what}: {error}; {answer}")
    }

    fn row(&mut self, offset: usize, octets: &str, name: &str, value: &dyn Display) -> io::Result<()> {
        writeln!(self.out, "{offset:>6}  {octets:<26}  {name:<27}  {value}")
    }
}

impl<W: Write> Output for Dump<W> {
    fn pdu(&mut self, place: Place, frame: Frame<Vec<u8>>) -> io::Result<()> {
        self.write_pdu(place, &frame)
    }

    fn note(&mut self, place: Place, text: impl Display) -> io::Result<()> {
        writeln!(self.out, "{place}{text}\n")
    }

    fn failure(&mut self, place: Place, text: impl Display) -> io::Result<()> {
        self.failed = true;
        self.note(place, text)
    }
}

/// Where a PDU was found.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// In the input.
    Input,
    /// In a TCP stream of a capture.
    Stream {
        from: SocketAddr,
        to: SocketAddr,
        /// The time since the first packet.
        time: Duration,
    },
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input => Ok(()),
            Self::Stream { from, to, time } => {
                write!(f, "{from} -> {to}  t={}.{:06}  ", time.as_secs(), time.subsec_micros())
            }
        }
    }
}

/// What becomes of the PDUs: they are written, or recorded.
pub(super) trait Output {
    /// Handles a PDU.
    fn pdu(&mut self, place: Place, frame: Frame<Vec<u8>>) -> io::Result<()>;

    /// Handles a line about a stream.
    fn note(&mut self, place: Place, text: impl Display) -> io::Result<()>;

    /// Handles the reason why part of the input cannot be decoded.
    fn failure(&mut self, place: Place, text: impl Display) -> io::Result<()>;

    /// Handles the PDUs that are complete.
    fn pdus(&mut self, place: Place, pdus: &mut Pdus) -> io::Result<()> {
        while let Some(item) = pdus.item() {
            match item {
                Item::Pdu(frame) => self.pdu(place, frame)?,
                Item::Broken(error) => self.failure(place, error)?,
                Item::Skipped(octets) => {
                    self.note(place, format_args!("skipped {octets} octets to the next plausible header"))?;
                }
            }
        }
        Ok(())
    }

    /// Handles what is left at the end of the stream.
    fn rest(&mut self, place: Place, pdus: &Pdus) -> io::Result<()> {
        match pdus.rest() {
            None => Ok(()),
            Some(Rest::Incomplete { octets }) => {
                self.failure(place, format_args!("ends inside a PDU: {octets} octets of it are there"))
            }
            Some(Rest::Unread { octets }) => {
                self.failure(place, format_args!("{octets} octets were left unread"))
            }
        }
    }
}

/// Returns a PDU field by field.
#[cfg(feature = "web")]
pub(super) fn describe(frame: &Frame<Vec<u8>>) -> String {
    let mut dump = Dump::new(Vec::new(), Tolerance::LENIENT);
    // Writing to memory cannot fail.
    let _ = dump.write_pdu(Place::Input, frame);
    String::from_utf8_lossy(dump.out.trim_ascii_end()).into_owned()
}

#[cfg(test)]
impl Dump<Vec<u8>> {
    /// Returns what was written.
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.out.clone()).unwrap()
    }
}

/// Formats the first octets; `..` if there are more.
fn hex(octets: &[u8]) -> String {
    let shown: Vec<_> = octets.iter().take(SHOWN).map(|octet| format!("{octet:02x}")).collect();
    shown.join(" ") + if octets.len() > SHOWN { " .." } else { "" }
}

/// Returns the tag if the field is a TLV: it begins with the tag of its name.
fn tag(name: &str, octets: &[u8]) -> Option<Tag> {
    let ([high, low, _, _], _) = octets.split_first_chunk()?;
    let tag = Tag(u16::from_be_bytes([*high, *low]));
    tag.name().map_or(name == "tlv", |known| known.eq_ignore_ascii_case(name)).then_some(tag)
}

/// Returns whether the body may hold a password: in a bind, and in an outbind (SMPP 3.4 §4.1.7).
fn holds_password(command: CommandId) -> bool {
    command.is_bind() || command == CommandId::OUTBIND
}

/// Returns whether the strings of a bind are shifted by a NUL too many or too few: any of them may be the password.
pub(super) fn is_shifted(frame: &Frame<Vec<u8>>) -> bool {
    let mut empty = Vec::new();
    let read = frame.fields(Tolerance::LENIENT, &mut |field| {
        if field.octets == [0] {
            empty.push(field.name);
        }
    });
    let long = read.is_ok_and(|(_, quirks)| quirks.contains(Quirks::LONG_STRING));
    read.is_err() || long || (empty.contains(&"password") && !empty.contains(&"system_type"))
}

/// Describes a deviation from the specification. `None` if it has no description here.
fn words(quirk: Quirks) -> Option<&'static str> {
    Some(match quirk {
        Quirks::ABSENT_BODY => "the response has the status ESME_ROK and lacks its mandatory body",
        Quirks::LONG_STRING => "a string is longer than its field allows",
        Quirks::UNTERMINATED_STRING => "the string that ends the response lacks its NUL",
        Quirks::ABSENT_ADDRESS_RANGE => "the bind ends before address_range, as some 3.3 clients send it",
        Quirks::TRAILING_NUL => "a NUL follows short_message and belongs to nothing",
        Quirks::TRUNCATED_TLV => "the octets after the last TLV are too few for another; they were dropped",
        Quirks::TRAILING_OCTETS => "octets follow the last field, or a PDU that has no body",
        Quirks::LONG_SHORT_MESSAGE => "short_message has 255 octets: allowed by SMPP 5.0, not by 3.4",
        Quirks::SEQUENCE_RANGE => "sequence_number is outside 1..=0x7fffffff",
        Quirks::STATUS_IN_REQUEST => "the request carries a command_status other than 0",
        Quirks::NON_ASCII => "a string that is ASCII by the specification holds an octet above 0x7f",
        Quirks::TIME_FORMAT => "a time is neither empty nor YYMMDDhhmmsstnnp",
        Quirks::TLV_LENGTH => "the value of a TLV has a length that its tag does not allow",
        Quirks::UNTERMINATED_TLV => "the text in a TLV lacks its NUL",
        Quirks::MISSING_TLV => "a TLV that the operation needs is missing",
        Quirks::BOTH_MESSAGE_FIELDS => "both short_message and message_payload hold a text",
        Quirks::TLVS_ONLY => "the error response has TLVs alone, without the string before them",
        Quirks::BODY_ON_ERROR => "the error response has a body, which it is not to have",
        Quirks::DESTINATION_COUNT => "number_of_dests is outside 1..=254",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use smpp_proto::{
        Address, Bind, CommandStatus, DataCoding, DeliverSm, EsmClass, MessageState, Password, Pdu,
        SequenceNumber, ShortMessage, Tlv, Tlvs,
    };

    use super::*;

    /// Dumps these octets. Returns the text and whether all of them could be decoded.
    fn dump(octets: &[u8], tolerance: Tolerance) -> (String, bool) {
        let mut dump = Dump::new(Vec::new(), tolerance);
        let mut pdus = Pdus::new(smpp_proto::frame::DEFAULT_MAX_LENGTH, false);
        pdus.push(octets);
        dump.pdus(Place::Input, &mut pdus).unwrap();
        dump.rest(Place::Input, &pdus).unwrap();
        (dump.text(), !dump.failed)
    }

    fn encode(pdu: &Pdu<'_>) -> Vec<u8> {
        Frame::encode(pdu, CommandStatus::ROK, SequenceNumber(7)).into_inner()
    }

    fn bind() -> Vec<u8> {
        let bind = Bind {
            system_id: "shop".try_into().unwrap(),
            password: Password::new(b"s3cret").unwrap(),
            ..Bind::default()
        };
        encode(&Pdu::Bind(bind))
    }

    fn assert_lines(text: &str, lines: &[&str]) {
        for line in lines {
            assert!(text.lines().any(|found| found == *line), "no line\n{line}\nin\n{text}");
        }
    }

    #[test]
    fn a_receipt_is_decoded_to_its_fields() {
        let line = b"id:7F00A1B2 sub:001 dlvrd:001 submit date:2611230102 done date:2611230103 stat:DELIVRD \
                     err:000 text:10 \x02 Hello";
        let list = [Tlv::u8(Tag::MESSAGE_STATE, 2), Tlv::new(Tag(0x1401), b"mine").unwrap()];
        let receipt = DeliverSm {
            source: Address::international("6591234567").unwrap(),
            destination: Address::alphanumeric("8x8").unwrap(),
            esm_class: EsmClass::DELIVERY_RECEIPT,
            data_coding: DataCoding::SMSC_DEFAULT,
            short_message: ShortMessage::new(line).unwrap(),
            tlvs: Tlvs::list(&list),
            ..DeliverSm::default()
        };
        let (text, fine) = dump(&encode(&Pdu::DeliverSm(receipt)), Tolerance::LENIENT);
        assert!(fine);
        let state = format!("{:?}", MessageState::DELIVERED);
        assert_lines(
            &text,
            &[
                "deliver_sm  sequence 7 ESME_ROK, 169 octets",
                "     0  00 00 00 a9                 command_length               169",
                "     8  00 00 00 00                 command_status               ESME_ROK (0x00000000): success",
                "    17  01                          source_addr_ton              INTERNATIONAL",
                "    19  36 35 39 31 32 33 34 35 ..  source_addr                  \"6591234567\"",
                &format!(
                    "   156  04 27 00 01 02              message_state                length 1: {state}"
                ),
                "                                    = text                       \"id:7F00A1B2 sub:001 dlvrd:001 \
                 submit date:2611230102 done date:2611230103 stat:DELIVRD err:000 text:10 $ Hello\" (Gsm7)",
                "                                    = receipt id                 \"7F00A1B2\"",
                "                                    = receipt dlvrd              1",
                "                                    = receipt stat               \"DELIVRD\": DELIVERED, final",
                "                                    = receipt text               \"10 $ Hello\"",
            ],
        );
        assert!(
            text.contains("  14 01 00 04 6d 69 6e 65     tlv 0x1401                   length 4: "),
            "{text}"
        );
    }

    #[test]
    fn a_password_is_never_shown() {
        let octets = bind();
        let (text, fine) = dump(&octets, Tolerance::LENIENT);
        assert!(fine);
        assert_lines(&text, &["    21  ***                         password                     ***"]);
        // Cut short at any octet, with a matching length.
        for length in 17..octets.len() {
            let mut cut = octets[..length].to_vec();
            cut[3] = u8::try_from(length).unwrap();
            let (shown, _) = dump(&cut, Tolerance::STRICT);
            for secret in ["s3c", "73 33", "63 72"] {
                assert!(!text.contains(secret) && !shown.contains(secret), "{shown}");
            }
        }
    }

    #[test]
    fn a_password_in_the_place_of_another_field_is_not_shown() {
        let bodies =
            [&b"sixteen-octets-!s3cret\0\0\x34\0\0\0"[..], b"shop\0\0s3cret\0\x34\0\0\0", b"shop\0s3cret"];
        for body in bodies {
            let length = u32::try_from(16 + body.len()).unwrap();
            let header = [length, CommandId::BIND_TRANSCEIVER.0, 0, 1].map(u32::to_be_bytes);
            let (shown, _) = dump(&[header.as_flattened(), body].concat(), Tolerance::LENIENT);
            for secret in ["s3c", "73 33", "63 72"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }

    #[test]
    fn a_malformed_pdu_is_shown_up_to_the_fault() {
        let message =
            DeliverSm { short_message: ShortMessage::new(b"Hello").unwrap(), ..DeliverSm::default() };
        let mut octets = encode(&Pdu::DeliverSm(message));
        let sm_length = octets.len() - 6;
        octets[sm_length] = 200;
        let (text, fine) = dump(&octets, Tolerance::LENIENT);
        assert!(!fine);
        assert_lines(
            &text,
            &[
                "    30  00                          data_coding                  SMSC_DEFAULT",
                "    32  c8 48 65 6c 6c 6f           sm_length                    6 octets not read",
                "  malformed: deliver_sm: sm_length at octet 32: the length reaches past the end of the PDU; a \
                 receiver answers ESME_RINVMSGLEN",
            ],
        );
    }

    #[test]
    fn a_tolerated_deviation_is_reported_and_malformed_if_strict() {
        let octets = Frame::encode(&Pdu::EnquireLink, CommandStatus::ROK, SequenceNumber(0)).into_inner();
        let (text, fine) = dump(&octets, Tolerance::LENIENT);
        assert!(fine);
        assert_lines(&text, &["  quirk: sequence_number is outside 1..=0x7fffffff"]);
        let (text, fine) = dump(&octets, Tolerance::STRICT);
        assert!(!fine);
        assert!(text.contains("  malformed: enquire_link: sequence_number at octet 12"), "{text}");
    }

    #[test]
    fn an_unknown_command_and_an_unfinished_pdu() {
        let octets = [0, 0, 0, 17, 0, 0, 0x77, 0x77, 0, 0, 0, 0, 0, 0, 0, 1, 9, 0, 0];
        let (text, fine) = dump(&octets, Tolerance::LENIENT);
        assert!(!fine);
        assert_lines(
            &text,
            &[
                "  not read: command_id 0x00007777 is not known; a receiver answers ESME_RINVCMDID",
                "ends inside a PDU: 2 octets of it are there",
            ],
        );
    }
}
