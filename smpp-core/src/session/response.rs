//! The response to a request, borrowed from the input or owned.

use alloc::vec::Vec;
use core::fmt;

use crate::frame::{Frame, HEADER_LENGTH};
use crate::pdu::{BindResp, Pdu};
use crate::wire::{Quirks, Tolerance};

/// The longest submit_sm_resp without TLVs: a header and a message_id of 65 octets (SMPP 3.4 §4.4.2).
const INLINE_CAPACITY: usize = HEADER_LENGTH + 65;

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
    pub(super) fn new(frame: Frame<&'a [u8]>) -> Self {
        Self(frame.into_inner())
    }

    /// Copies the response, so that it no longer borrows the input.
    pub fn into_owned(self) -> Response {
        let mut owned = ResponseBuf::EMPTY;
        owned.copy(self.0);
        Response(owned)
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
        match self.pdu() {
            Some(Pdu::SubmitSmResp(Some(response))) => response.message_id.as_bytes(),
            Some(Pdu::SubmitMultiResp(Some(response))) => response.message_id.as_bytes(),
            Some(Pdu::DataSmResp(Some(response))) => response.message_id.as_bytes(),
            Some(Pdu::BroadcastSmResp(Some(response))) => response.message_id.as_bytes(),
            _ => &[],
        }
    }

    /// Returns the response to a bind: the system_id and the version of the SMSC (SMPP 3.4 §4.1.2). It is empty for any
    /// other response.
    pub fn bind_resp(&self) -> BindResp<'_> {
        match self.pdu() {
            Some(Pdu::BindResp(_, Some(response))) => response,
            _ => BindResp::default(),
        }
    }

    /// Decodes the fields. This always returns `Some`, because the session has decoded the PDU before.
    ///
    /// The body of a refusal may be damaged; an unreadable body counts as absent. Deviations that the session's
    /// [`tolerance`](super::Config::tolerance) forbids are decoded here nevertheless.
    pub fn pdu(&self) -> Option<Pdu<'_>> {
        let frame = self.frame();
        let all = Tolerance(Quirks::all());
        let decoded = frame.into_pdu(all).or_else(|_| frame.header_only().into_pdu(all));
        decoded.ok().map(|(pdu, _)| pdu)
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
