//! The messages: texts, and the segments that they are split into.

use smpp_proto::sms::udh::ConcatRef;
use smpp_proto::sms::{Submission, Text, TextOptions};
use smpp_proto::{Address, MessageClass, RegisteredDelivery, SubmitSm};

use super::Arguments;
use crate::failure::Failure;
use crate::report::Report;

/// One text, split into segments.
pub(super) struct Message<'a> {
    number: u16,
    text: Text<'a>,
    characters: usize,
    pub(super) segments: Vec<Segment<'a>>,
}

/// One submit_sm.
pub(super) struct Segment<'a> {
    /// The number of its message.
    pub(super) message: u16,
    pub(super) submission: Submission<'a>,
}

impl Arguments {
    /// Returns the texts to send: that of --text, or three examples.
    pub(super) fn texts(&self) -> Vec<String> {
        let long = "A long text is cut into segments, each with a header that says which segment it is. ";
        match &self.text {
            Some(text) => vec![text.clone()],
            None => vec![
                "Hello from Rust: plain GSM text".into(),
                "Text with an emoji \u{1F44B} goes as UTF-16".into(),
                long.chars().cycle().take(400).collect(),
            ],
        }
    }

    /// Returns the messages, ready to be submitted.
    pub(super) fn messages<'a>(&'a self, texts: &'a [String]) -> Result<Vec<Message<'a>>, Failure> {
        if texts.iter().any(String::is_empty) {
            return Err(Failure::usage(
                "--text is empty",
                "An empty message costs what a full one costs: give a text.",
            ));
        }
        let receipt = if self.no_receipt { RegisteredDelivery::empty() } else { RegisteredDelivery::RECEIPT };
        let template = SubmitSm {
            source: self.source()?,
            destination: self.destination()?,
            registered_delivery: receipt,
            ..SubmitSm::default()
        };
        (1..)
            .zip(texts)
            .map(|(number, text)| Message::new(number, self.text_of(text)?, text, template))
            .collect()
    }

    /// Returns a text in the alphabet that the arguments ask for.
    fn text_of<'a>(&self, content: &'a str) -> Result<Text<'a>, Failure> {
        let options = TextOptions::default();
        let class = if self.flash { Some(0) } else { self.class };
        let class = class.map(|class| match class {
            0 => MessageClass::Flash,
            1 => MessageClass::Device,
            2 => MessageClass::Sim,
            _ => MessageClass::Terminal,
        });
        let text = match (self.data_coding, class) {
            (None, None) => return Ok(Text::new(content)),
            (None, Some(class)) => options.text_of_class(content, class),
            (Some(data_coding), None) => options.text_as(content, data_coding),
            (Some(data_coding), Some(class)) => {
                let with_class = options.codings.with_class(data_coding, class).ok_or_else(|| {
                    let what = format!(
                        "--data-coding {:#04x} cannot have message class {}",
                        data_coding.0, class as u8
                    );
                    Failure::usage(what, "Leave out --data-coding or --class: 0x10 to 0x1b state both.")
                })?;
                options.text_as(content, with_class)
            }
        };
        text.map_err(|error| Failure::usage(format_args!("--text: {error}"), "Leave out --data-coding."))
    }

    fn source(&self) -> Result<Address<'_>, Failure> {
        Address::sender(&self.from).map_err(|error| {
            let what = format!("--from \"{}\": {error}", self.from);
            Failure::usage(what, "Give a number, a short code, or up to 11 letters, digits and spaces.")
        })
    }

    fn destination(&self) -> Result<Address<'_>, Failure> {
        let to = self.to.as_deref().unwrap_or("6591234567");
        let address = Address::international(to).map_err(|error| error.to_string()).and_then(|address| {
            let digits = address.digits.as_bytes().len();
            // ITU-T E.164 §6.1: at most 15 digits; no country's numbers have fewer than 7 with its code.
            match digits {
                // No country code begins with 0: it is the prefix of a call abroad, or of a trunk.
                7..=15 if address.digits.as_bytes().first() != Some(&b'0') => Ok(address),
                7..=15 => Err("it begins with 0, and no country code does".into()),
                1 => Err("1 digit".into()),
                _ => Err(format!("{digits} digits")),
            }
        });
        address.map_err(|error| {
            let what = format!("--to \"{to}\" is no phone number: {error}");
            Failure::usage(
                what,
                "Give country code and number, 7 to 15 digits without spaces, such as 6591234567.",
            )
        })
    }
}

impl<'a> Message<'a> {
    fn new(number: u16, text: Text<'a>, content: &str, template: SubmitSm<'a>) -> Result<Self, Failure> {
        // The number is the reference that the segments of one message share.
        let segments = text.segments(ConcatRef::Wide(number)).map_err(|error| {
            Failure::usage(format_args!("--text: {error}"), "Send it as several messages.")
        })?;
        let submissions = segments.submissions(template);
        let segments = submissions.map(|submission| Segment { message: number, submission }).collect();
        Ok(Self { number, text, characters: content.chars().count(), segments })
    }

    /// Reports how the text is encoded and split.
    pub(super) fn explain(&self, report: Report) {
        report.explain("");
        report.explain(format_args!(
            "message {}   {} characters as {:?}, data_coding {}, in {} segment(s)",
            self.number,
            self.characters,
            self.text.alphabet(),
            self.text.data_coding().0,
            self.segments.len()
        ));
    }
}

impl Segment<'_> {
    /// Returns the request.
    pub(super) fn submit_sm(&self) -> SubmitSm<'_> {
        self.submission.submit_sm()
    }
}
