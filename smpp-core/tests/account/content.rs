//! What the messages of the application contain: texts, octets, and whole PDUs.

use smpp_proto::account::{Message, Options};
use smpp_proto::provider::LongMessages;
use smpp_proto::sms::Text;
use smpp_proto::sms::udh::{Ports, UserDataHeaderBuf};
use smpp_proto::{Address, DataSm, Destination, List, MessageClass, ShortMessage, SubmitMulti, SubmitSm};

use super::deliveries::RECIPIENTS;
use super::harness::Recorder;
use super::harness::rng::Rng;
use super::smsc::text;

/// Draws a message with this template. Returns it, and how many segments it has.
pub(crate) fn draw(
    rng: &mut Rng,
    recorder: &mut Recorder,
    options: &Options,
    template: &SubmitSm<'_>,
) -> (Message, usize) {
    let length = rng.pick(&[0, 10, 10, 100, 300, 500]);
    let content = text(rng, length);
    let form = options.long_messages.segmentation(1);
    match rng.index(8) {
        0 => {
            let short_message = ShortMessage::new(b"as it is").expect("short");
            (Message::submit_sm(&SubmitSm { short_message, ..*template }), 1)
        }
        1 => {
            recorder.count(|| "submitted a data_sm".into());
            (Message::data_sm(&data_sm(template)), 1)
        }
        2 => {
            recorder.count(|| "submitted a submit_multi".into());
            (submit_multi(template), 1)
        }
        3 => {
            let text = Text::octets(content.as_bytes());
            let segments = text.segments(form).expect("short").len();
            (Message::octets(template, content.as_bytes()), segments)
        }
        4 => {
            recorder.count(|| "submitted a message class".into());
            let text = options.text.text_of_class(&content, MessageClass::Flash).expect("in UCS-2");
            let segments = text.segments(form).expect("short").len();
            if rng.chance(500) {
                (Message::prepared(template, &text), segments)
            } else {
                (Message::text(template, content.as_str()).class(MessageClass::Flash), segments)
            }
        }
        5 if options.long_messages != LongMessages::Sar => {
            recorder.count(|| "submitted ports".into());
            let mut header = UserDataHeaderBuf::new();
            header.push_ports(Ports { originator: 9200, destination: 2948 }).expect("one element");
            let text = options.text.text(&content).expect("UCS-2 encodes every text");
            let text = text.with_header(header.as_header()).expect("it fits");
            let segments = text.segments(form).expect("short").len();
            (Message::text(template, content.as_str()).ports(9200, 2948), segments)
        }
        _ => {
            let text = options.text.text(&content).expect("UCS-2 encodes every text");
            let segments = text.segments(form).expect("short").len();
            (Message::text(template, content.as_str()), segments)
        }
    }
}

/// Returns a submit_multi to several recipients, which are always the same.
pub(crate) fn to_several(recorder: &mut Recorder, template: &SubmitSm<'_>) -> (Message, usize) {
    recorder.count(|| "submitted a submit_multi to several recipients".into());
    let destinations =
        RECIPIENTS.map(|digits| Destination::Sme(Address::international(digits).expect("digits")));
    let message = SubmitMulti {
        source: template.source,
        registered_delivery: template.registered_delivery,
        destinations: List::new(&destinations).expect("three"),
        ..SubmitMulti::default()
    };
    (Message::submit_multi(&message), 1)
}

/// Returns a data_sm without a text.
fn data_sm<'a>(template: &SubmitSm<'a>) -> DataSm<'a> {
    DataSm {
        source: template.source.into(),
        destination: template.destination.into(),
        registered_delivery: template.registered_delivery,
        ..DataSm::default()
    }
}

/// Returns a submit_multi to one recipient: the account matches its receipts.
fn submit_multi(template: &SubmitSm<'_>) -> Message {
    let destinations = [Destination::Sme(template.destination)];
    Message::submit_multi(&SubmitMulti {
        source: template.source,
        destinations: List::new(&destinations).expect("one"),
        registered_delivery: template.registered_delivery,
        ..SubmitMulti::default()
    })
}
