//! The response to a request, borrowed from the input or owned.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use crate::frame::{Frame, HEADER_LENGTH};
use crate::pdu::{BindResp, CommandId, Pdu, QuerySmResp, UnsuccessSme};
use crate::tlv::{Tag, Tlvs};
use crate::wire::{List, Quirks, Tolerance};

/// The longest submit_sm_resp without TLVs: a header and a message_id of 65 octets (SMPP 3.4 §4.4.2).
const INLINE_CAPACITY: usize = HEADER_LENGTH + 65;

/// The longest refusal that is kept whole. An account may hold one for each segment of its queue.
const MAX_REFUSAL: usize = 4096;

/// The longest response to an accepted request that is kept whole: a submit_multi_resp that refuses 255 recipients, and more
/// than 1,000 octets of TLVs. An account may hold one for each segment of its queue.
const MAX_ACCEPTED: usize = 8192;

/// How much of the peer's text is shown: the length of `additional_status_info_text` (SMPP 3.4 §5.3.2.11).
const MAX_SHOWN_TEXT: usize = 256;

/// The response to a request, as the peer sent it. Its fields are decoded when the caller asks for them.
///
/// The session emits a response that borrows the input, `Response<&[u8]>`; [`into_owned`](Response::into_owned) copies
/// it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Response<B = ResponseBuf>(B);

/// The owned octets of a response. Up to 81 octets are stored inline, without an allocation: enough for a submit_sm_resp
/// without TLVs.
#[derive(Clone)]
pub struct ResponseBuf(Storage);

#[derive(Clone)]
enum Storage {
    Inline { length: u8, octets: [u8; INLINE_CAPACITY] },
    Heap(Vec<u8>),
}

/// The response of a request that the peer refused: its body and TLVs, owned.
///
/// A response without a body, as most refusals, needs no allocation. Of a response longer than 4,096 octets the body is not
/// kept, so that a peer cannot fill the memory.
///
/// ```
/// use smpp_proto::session::RequestError;
/// use smpp_proto::tlv::Tag;
///
/// fn explain(error: &RequestError) {
///     if let RequestError::Refused { status, response } = error {
///         println!("{status}: {:?}", response.additional_status_info_text());
///         println!("a vendor's TLV: {:?}", response.tlv(Tag(0x1400)));
///     }
/// }
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RefusedResponse(Option<Box<[u8]>>);

impl RefusedResponse {
    fn new(octets: &[u8]) -> Self {
        let body = octets.get(HEADER_LENGTH..).unwrap_or_default();
        // A NUL alone is an empty message_id.
        let says_nothing = matches!(body, [] | [0]) || octets.len() > MAX_REFUSAL;
        Self((!says_nothing).then(|| octets.into()))
    }

    /// Returns the whole PDU as the peer sent it; `None` if it has no body, or one that was too long to be kept.
    pub fn frame(&self) -> Option<Frame<&[u8]>> {
        self.0.as_deref().map(Frame::from_valid)
    }

    /// Decodes the fields; `None` if there is no [`frame`](Self::frame). A malformed body counts as absent.
    pub fn pdu(&self) -> Option<Pdu<'_>> {
        decode(self.frame()?)
    }

    /// Returns the optional parameters of the response.
    pub fn tlvs(&self) -> Tlvs<'_> {
        self.pdu().map_or(Tlvs::EMPTY, |pdu| pdu.tlvs())
    }

    /// Returns the value of the first optional parameter with this tag, as the peer sent it.
    pub fn tlv(&self, tag: Tag) -> Option<&[u8]> {
        self.tlvs().get(tag)
    }

    /// Returns the peer's explanation of the status: see [`Response::additional_status_info_text`].
    pub fn additional_status_info_text(&self) -> Option<Cow<'_, str>> {
        status_text(self.tlvs())
    }
}

/// Shows only the peer's text: at most 256 characters, escaped.
impl fmt::Debug for RefusedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefusedResponse")?;
        match self.additional_status_info_text() {
            Some(text) => write!(f, "({})", ShownText(&text)),
            None => Ok(()),
        }
    }
}

/// What the response to an accepted request says beside the message id: its TLVs, such as a price, and the recipients that
/// a submit_multi_resp refuses; owned.
///
/// A response with nothing but the message id needs no allocation. Of a response longer than 8,192 octets the body is not
/// kept, so that a peer cannot fill the memory: [`is_omitted`](Self::is_omitted).
///
/// ```
/// use smpp_proto::session::AcceptedResponse;
/// use smpp_proto::tlv::Tag;
///
/// fn price(response: &AcceptedResponse) -> Option<&[u8]> {
///     response.tlv(Tag(0x1400))
/// }
/// assert_eq!(price(&AcceptedResponse::default()), None);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AcceptedResponse(Option<Box<StoredPdu>>);

/// A PDU behind a thin pointer, so that a [`SegmentOutcome`](crate::account::SegmentOutcome) stays small. It is empty if the
/// PDU was too long.
#[derive(Clone, PartialEq, Eq)]
struct StoredPdu(Box<[u8]>);

impl AcceptedResponse {
    /// A response with nothing but the message id.
    const NO_FIELDS: Self = Self(None);

    fn new(octets: &[u8]) -> Self {
        let body = octets.get(HEADER_LENGTH..).unwrap_or_default();
        let after_id = body.iter().position(|octet| *octet == 0).and_then(|end| body.get(end + 1..));
        // An octet 0 alone is the count of the refused recipients in a submit_multi_resp.
        if matches!(after_id.unwrap_or_default(), [] | [0]) {
            return Self(None);
        }
        let kept = if octets.len() > MAX_ACCEPTED { &[] } else { octets };
        Self(Some(Box::new(StoredPdu(kept.into()))))
    }

    /// Returns the whole PDU as the peer sent it; `None` if it has nothing but the message id, or is
    /// [omitted](Self::is_omitted).
    pub fn frame(&self) -> Option<Frame<&[u8]>> {
        let octets = &self.0.as_deref()?.0;
        (!octets.is_empty()).then(|| Frame::from_valid(&octets[..]))
    }

    /// Decodes the fields; `None` if there is no [`frame`](Self::frame).
    pub fn pdu(&self) -> Option<Pdu<'_>> {
        decode(self.frame()?)
    }

    /// Returns the optional parameters of the response.
    pub fn tlvs(&self) -> Tlvs<'_> {
        self.pdu().map_or(Tlvs::EMPTY, |pdu| pdu.tlvs())
    }

    /// Returns the value of the first optional parameter with this tag, as the peer sent it.
    pub fn tlv(&self, tag: Tag) -> Option<&[u8]> {
        self.tlvs().get(tag)
    }

    /// Returns the recipients that a submit_multi_resp refuses, each with its status (SMPP 3.4 §4.5.2.1). The SMSC has
    /// accepted all others. Empty for any other response.
    pub fn unsuccessful(&self) -> impl Iterator<Item = UnsuccessSme<'_>> {
        let list = match self.pdu() {
            Some(Pdu::SubmitMultiResp(Some(response))) => response.unsuccessful,
            _ => List::EMPTY,
        };
        list.iter()
    }

    /// Returns whether the response says more than the message id, and is longer than 8,192 octets: its body is not kept.
    pub fn is_omitted(&self) -> bool {
        self.0.as_deref().is_some_and(|pdu| pdu.0.is_empty())
    }
}

/// Shows only how long the response is: a TLV may contain anything.
impl fmt::Debug for AcceptedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AcceptedResponse")?;
        match (self.frame(), self.is_omitted()) {
            (Some(frame), _) => write!(f, "({} octets)", frame.octets().len()),
            (None, true) => f.write_str("(omitted)"),
            (None, false) => Ok(()),
        }
    }
}

/// Decodes a response. A malformed body counts as absent.
fn decode(frame: Frame<&[u8]>) -> Option<Pdu<'_>> {
    let all = Tolerance(Quirks::all());
    let decoded = frame.into_pdu(all).or_else(|_| frame.header_only().into_pdu(all));
    decoded.ok().map(|(pdu, _)| pdu)
}

/// Returns the message_id of a response; empty if it has none.
fn message_id(response: Option<Pdu<'_>>) -> &[u8] {
    match response {
        Some(Pdu::SubmitSmResp(Some(response))) => response.message_id.as_bytes(),
        Some(Pdu::SubmitMultiResp(Some(response))) => response.message_id.as_bytes(),
        Some(Pdu::DataSmResp(Some(response))) => response.message_id.as_bytes(),
        Some(Pdu::BroadcastSmResp(Some(response))) => response.message_id.as_bytes(),
        _ => &[],
    }
}

/// Returns the message_id of a submit_sm_resp that has nothing else, as most have: without decoding it.
fn lone_id(response: &[u8]) -> Option<&[u8]> {
    if Frame::from_valid(response).header().command != CommandId::SUBMIT_SM_RESP {
        return None;
    }
    let (end, id) = response.get(HEADER_LENGTH..)?.split_last()?;
    // A longer id is not as the specification says.
    let has_nul = has_nul(id);
    (*end == 0 && matches!(id.len(), 1..=64) && !has_nul).then_some(id)
}

/// Returns whether an octet is zero: it looks at 8 octets at once.
#[inline]
fn has_nul(octets: &[u8]) -> bool {
    const ONES: u64 = u64::MAX / 255;
    let (chunks, rest) = octets.as_chunks();
    let is_nul = |chunk: &[u8; 8]| {
        let octets = u64::from_le_bytes(*chunk);
        octets.wrapping_sub(ONES) & !octets & (ONES << 7) != 0
    };
    chunks.iter().any(is_nul) || rest.contains(&0)
}

/// Returns `additional_status_info_text`, up to its NUL.
fn status_text(tlvs: Tlvs<'_>) -> Option<Cow<'_, str>> {
    let text = tlvs.get(Tag::ADDITIONAL_STATUS_INFO_TEXT)?;
    let text = text.split(|octet| *octet == 0).next().unwrap_or_default();
    Some(String::from_utf8_lossy(text))
}

impl ResponseBuf {
    pub(super) const EMPTY: Self = Self(Storage::Inline { length: 0, octets: [0; INLINE_CAPACITY] });

    #[cold]
    fn on_heap(octets: &[u8]) -> Self {
        Self(Storage::Heap(octets.to_vec()))
    }

    #[inline(always)]
    fn copy(&mut self, from: &[u8]) {
        if let Storage::Inline { length, octets } = &mut self.0
            && let Some(target) = octets.get_mut(..from.len())
        {
            target.copy_from_slice(from);
            *length = from.len() as u8;
        } else {
            *self = Self::on_heap(from);
        }
    }
}

impl AsRef<[u8]> for ResponseBuf {
    fn as_ref(&self) -> &[u8] {
        match &self.0 {
            Storage::Inline { length, octets } => octets.get(..usize::from(*length)).unwrap_or_default(),
            Storage::Heap(octets) => octets,
        }
    }
}

/// Compares the octets.
impl PartialEq for ResponseBuf {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}

impl Eq for ResponseBuf {}

/// Shows only the header, as [`Frame`] does.
impl fmt::Debug for ResponseBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Frame::from_valid(self.as_ref()).fmt(f)
    }
}

impl Response {
    pub(super) const EMPTY: Self = Self(ResponseBuf::EMPTY);

    /// Replaces the octets by those of `from`.
    #[inline(always)]
    pub(super) fn copy_from(&mut self, from: Response<&[u8]>) {
        self.0.copy(from.0);
    }
}

impl<'a> Response<&'a [u8]> {
    pub(crate) fn new(frame: Frame<&'a [u8]>) -> Self {
        Self(frame.into_inner())
    }

    /// Copies the response, so that it no longer borrows the input.
    pub fn into_owned(self) -> Response {
        let mut owned = ResponseBuf::EMPTY;
        owned.copy(self.0);
        Response(owned)
    }

    /// Returns the message id, and a copy of what an accepting response says beside it.
    pub(crate) fn into_accepted(self) -> (&'a [u8], AcceptedResponse) {
        if let Some(id) = lone_id(self.0) {
            return (id, AcceptedResponse::NO_FIELDS);
        }
        let id = message_id(decode(Frame::from_valid(self.0)));
        let is_id_alone = !id.is_empty() && self.0.len() == HEADER_LENGTH + id.len() + 1;
        (id, if is_id_alone { AcceptedResponse::NO_FIELDS } else { AcceptedResponse::new(self.0) })
    }

    /// Copies a response with an error status.
    pub(crate) fn into_refused(self) -> RefusedResponse {
        RefusedResponse::new(self.0)
    }
}

impl<B: AsRef<[u8]>> Response<B> {
    /// Returns the whole PDU as the peer sent it.
    pub fn frame(&self) -> Frame<&[u8]> {
        Frame::from_valid(self.0.as_ref())
    }

    /// Returns the message_id that the SMSC assigned, as sent (SMPP 3.4 §4.4.2): from a submit_sm_resp, submit_multi_resp,
    /// data_sm_resp or broadcast_sm_resp. Empty if the response has none.
    pub fn message_id(&self) -> &[u8] {
        lone_id(self.0.as_ref()).unwrap_or_else(|| message_id(self.pdu()))
    }

    /// Returns the response to a bind: the system_id and the version of the SMSC (SMPP 3.4 §4.1.2). It is empty for any
    /// other response.
    pub fn bind_resp(&self) -> BindResp<'_> {
        match self.pdu() {
            Some(Pdu::BindResp(_, Some(response))) => response,
            _ => BindResp::default(),
        }
    }

    /// Returns the response to a query_sm: the state of the message (SMPP 3.4 §4.8.2). `None` for any other response.
    pub fn query_sm_resp(&self) -> Option<QuerySmResp<'_>> {
        match self.pdu() {
            Some(Pdu::QuerySmResp(response)) => response,
            _ => None,
        }
    }

    /// Returns the optional parameters of the response.
    pub fn tlvs(&self) -> Tlvs<'_> {
        self.pdu().map_or(Tlvs::EMPTY, |pdu| pdu.tlvs())
    }

    /// Returns the value of the first optional parameter with this tag, as the peer sent it.
    pub fn tlv(&self, tag: Tag) -> Option<&[u8]> {
        self.tlvs().get(tag)
    }

    /// Returns the peer's explanation of the status, up to its NUL (SMPP 3.4 §5.3.2.11). Octets that are not UTF-8 become
    /// `U+FFFD`. The text comes from the peer: it may be of any length and contain control characters.
    pub fn additional_status_info_text(&self) -> Option<Cow<'_, str>> {
        status_text(self.tlvs())
    }

    /// Decodes the fields. This always returns `Some`, because the session has decoded the PDU before.
    ///
    /// The body of a refusal may be damaged; an unreadable body counts as absent. Deviations that the session's
    /// [`tolerance`](super::Config::tolerance) forbids are decoded here nevertheless.
    pub fn pdu(&self) -> Option<Pdu<'_>> {
        decode(self.frame())
    }
}

impl<B: AsRef<[u8]>> fmt::Debug for Response<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pdu() {
            Some(pdu) => pdu.fmt(f),
            None => self.frame().fmt(f),
        }
    }
}

/// Shows a text of the peer in quotation marks: at most 256 characters, and none that controls a terminal or a log.
pub(super) struct ShownText<'a>(pub(super) &'a str);

impl fmt::Display for ShownText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut remaining = MAX_SHOWN_TEXT;
        f.write_char('"')?;
        for c in self.0.chars() {
            let escaped = c.escape_debug();
            let length = if c == '\'' { 1 } else { escaped.len() };
            let Some(rest) = remaining.checked_sub(length) else {
                f.write_char('…')?;
                break;
            };
            remaining = rest;
            if c == '\'' { f.write_char(c) } else { escaped.fmt(f) }?;
        }
        f.write_char('"')
    }
}
