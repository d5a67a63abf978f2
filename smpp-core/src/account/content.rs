//! What a message says, and the PDUs that it becomes.
//!
//! The template and the message may both state how the content is sent. What they state is sent, or the message is refused
//! ([`SubmitError`]): nothing is dropped.

use alloc::string::String;
use alloc::vec::Vec;

use super::error::{DataCodingError, SubmitError, TemplateField};
use super::options::Options;
use super::outbound_pdu::{Frames, RECEIPT_REQUEST, decode};
use crate::frame::Frame;
use crate::pdu::{DataCoding, EsmClass, MessageClass, Pdu, ReplaceIfPresent, SubmitSm};
use crate::sms::udh::UserDataHeader;
use crate::sms::{Alphabet, Segmentation, Text, TextError, TextForm, TextSource};
use crate::tlv::Tag;

/// The content of a message.
#[derive(Clone)]
pub(super) struct Content {
    body: Body,
    /// How many octets of TLVs the template of a text has, if it states nothing about the content.
    plain_tlvs: Option<u32>,
    pub(super) class: Option<MessageClass>,
    /// The elements of the user data header.
    pub(super) header: Vec<u8>,
    #[cfg(feature = "graphemes")]
    pub(super) whole_graphemes: bool,
}

#[derive(Clone)]
enum Body {
    /// The message's PDU is sent as it is.
    Whole,
    Text(String),
    Octets(Vec<u8>),
    PreparedText(String, TextForm),
    PreparedOctets(Vec<u8>, TextForm),
}

impl Content {
    const fn new(body: Body) -> Self {
        Self {
            body,
            plain_tlvs: None,
            class: None,
            header: Vec::new(),
            #[cfg(feature = "graphemes")]
            whole_graphemes: false,
        }
    }

    pub(super) const fn whole() -> Self {
        Self::new(Body::Whole)
    }

    pub(super) const fn text(text: String) -> Self {
        Self::new(Body::Text(text))
    }

    pub(super) const fn octets(octets: Vec<u8>) -> Self {
        Self::new(Body::Octets(octets))
    }

    /// Records what the template of a text is like, so that [`encode`](Self::encode) need not decode it.
    pub(super) fn with_template(self, template: &Pdu<'_>) -> Self {
        let plain_tlvs = match template {
            Pdu::SubmitSm(template)
                if template.data_coding == DataCoding::SMSC_DEFAULT && check(template).is_ok() =>
            {
                // A PDU is shorter than 2^32 octets.
                Some(template.tlvs.encoded_len() as u32)
            }
            _ => None,
        };
        Self { plain_tlvs, ..self }
    }

    /// Returns the text, the number of octets of its template's TLVs, and the `data_coding` that it has if it is GSM 7-bit; `None`
    /// if another alphabet may have to be chosen, or the text or its template states more.
    fn plain_text(&self, options: &Options) -> Option<(&str, usize, DataCoding)> {
        let (Body::Text(text), Some(tlvs)) = (&self.body, self.plain_tlvs) else { return None };
        #[cfg(feature = "graphemes")]
        if self.whole_graphemes {
            return None;
        }
        if self.class.is_some() || !self.header.is_empty() {
            return None;
        }
        let codings = options.text.codings;
        let coded = |alphabet: &Alphabet| Some((*alphabet, codings.data_coding(*alphabet)?));
        match options.text.alphabets.iter().find_map(coded)? {
            (Alphabet::Gsm7, data_coding) => Some((text, tlvs as usize, data_coding)),
            _ => None,
        }
    }

    pub(super) fn prepared(text: &Text<'_>) -> Self {
        let (source, header, form) = text.into_parts();
        let body = match source {
            TextSource::Text(text) => Body::PreparedText(text.into(), form),
            TextSource::Octets(octets) => Body::PreparedOctets(octets.into(), form),
        };
        Self { header: header.as_bytes().into(), ..Self::new(body) }
    }

    /// Splits the content into segments, and adds a PDU for each to `frames`. `pdu` is the template, or the whole PDU.
    pub(super) fn encode(
        &self,
        pdu: &Frame<Vec<u8>>,
        options: &Options,
        reference: u16,
        frames: &mut Frames,
    ) -> Result<(), SubmitError> {
        if matches!(self.body, Body::Whole) {
            let states_more = self.class.is_some() || !self.header.is_empty();
            #[cfg(feature = "graphemes")]
            let states_more = states_more || self.whole_graphemes;
            if states_more {
                return Err(SubmitError::SentAsItIs);
            }
            frames.push_frame(pdu);
            return Ok(());
        }
        let segmentation = options.long_messages.segmentation(reference);
        if segmentation != Segmentation::Payload
            && let Some((text, tlvs, data_coding)) = self.plain_text(options)
            && frames.push_text(pdu.octets(), tlvs, data_coding, |out| Text::emit_gsm7_segment(text, out))
        {
            return Ok(());
        }
        // Only a submit_sm is a template.
        let Pdu::SubmitSm(template) = decode(pdu) else { return Err(SubmitError::SentAsItIs) };
        check(&template)?;
        let mut text = self.coded(template.data_coding, options)?;
        if !self.header.is_empty() {
            text = text.with_header(UserDataHeader(&self.header)).map_err(SubmitError::Segments)?;
        }
        #[cfg(feature = "graphemes")]
        if self.whole_graphemes {
            text = text.whole_graphemes();
        }
        let tlvs = template.tlvs.encoded_len();
        if frames.push_text(pdu.octets(), tlvs, text.data_coding(), |out| {
            text.emit_only_segment(segmentation, out)
        }) {
            return Ok(());
        }
        let segments = text.segments(segmentation).map_err(SubmitError::Segments)?;
        if segments.len() > 1 {
            if template.replace_if_present_flag != ReplaceIfPresent::NO {
                return Err(SubmitError::Template(TemplateField::ReplaceIfPresent));
            }
            let data_coding = text.data_coding();
            if matches!(self.body, Body::Octets(_))
                && options.text.codings.alphabet(data_coding) != Some(Alphabet::Octets)
            {
                let error = DataCodingError::Split { data_coding, segments: segments.len() };
                return Err(SubmitError::DataCoding(error));
            }
        }
        let on_last = options.receipts.dialect.request_on_last_segment;
        for submission in segments.submissions(template) {
            let mut submit_sm = submission.submit_sm();
            if on_last && submission.segment().number() < submission.segment().total() {
                submit_sm.registered_delivery.remove(RECEIPT_REQUEST);
            }
            frames.push(&Pdu::SubmitSm(submit_sm));
        }
        Ok(())
    }

    /// Returns the text or data with its `data_coding`. `stated` is that of the template: 0 states nothing.
    fn coded(&self, stated: DataCoding, options: &Options) -> Result<Text<'_>, SubmitError> {
        let is_stated = stated != DataCoding::SMSC_DEFAULT;
        let codings = options.text.codings;
        let with_class = |data_coding| match self.class {
            None => Ok(data_coding),
            Some(class) => codings
                .with_class(data_coding, class)
                .ok_or(SubmitError::DataCoding(DataCodingError::Class { data_coding, class })),
        };
        let prepared = |source, form: TextForm| {
            if is_stated && stated != form.data_coding {
                let conflict = DataCodingError::Conflict { template: stated, text: form.data_coding };
                return Err(SubmitError::DataCoding(conflict));
            }
            let text = Text::from_parts(source, form);
            Ok(text.with_data_coding(with_class(form.data_coding)?))
        };
        match &self.body {
            Body::Text(text) if is_stated => {
                let data_coding = with_class(stated)?;
                options.text.text_as(text, data_coding).map_err(|error| stated_error(data_coding, error))
            }
            Body::Text(text) => match self.class {
                None => options.text.text(text),
                Some(class) => options.text.text_of_class(text, class),
            }
            .map_err(SubmitError::Text),
            Body::Octets(octets) => {
                let data_coding = with_class(if is_stated { stated } else { DataCoding::OCTETS })?;
                Ok(Text::octets(octets).with_data_coding(data_coding))
            }
            Body::PreparedText(text, form) => prepared(TextSource::Text(text), *form),
            Body::PreparedOctets(octets, form) => prepared(TextSource::Octets(octets), *form),
            // `encode` has returned.
            Body::Whole => Ok(Text::octets(&[])),
        }
    }
}

/// Checks that nothing in the template describes another content.
fn check(template: &SubmitSm<'_>) -> Result<(), SubmitError> {
    let sar = [Tag::SAR_MSG_REF_NUM, Tag::SAR_TOTAL_SEGMENTS, Tag::SAR_SEGMENT_SEQNUM];
    let field = if template.esm_class.contains(EsmClass::UDHI) {
        TemplateField::UserDataHeader
    } else if !template.short_message.is_empty() {
        TemplateField::ShortMessage
    } else if template.sm_default_msg_id != 0 {
        TemplateField::SmDefaultMsgId
    } else if template.tlvs.get(Tag::MESSAGE_PAYLOAD).is_some() {
        TemplateField::MessagePayload
    } else if sar.into_iter().any(|tag| template.tlvs.get(tag).is_some()) {
        TemplateField::Sar
    } else {
        return Ok(());
    };
    Err(SubmitError::Template(field))
}

/// Returns why a text cannot be sent with the `data_coding` that the message states.
const fn stated_error(data_coding: DataCoding, error: TextError) -> SubmitError {
    match error {
        TextError::Unencodable(unencodable) => {
            SubmitError::DataCoding(DataCodingError::Unencodable { data_coding, unencodable })
        }
        TextError::NotText(data_coding) => SubmitError::DataCoding(DataCodingError::NotText { data_coding }),
        TextError::NoAlphabet => SubmitError::Text(error),
    }
}
