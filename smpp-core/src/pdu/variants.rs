//! [`Pdu`]: any PDU, with its decoder and its encoder.

use alloc::vec::Vec;
use core::fmt;

use super::alert::AlertNotification;
use super::bind::{Bind, BindMode, BindResp, Outbind};
use super::broadcast::{
    BroadcastSm, BroadcastSmResp, CancelBroadcastSm, QueryBroadcastSm, QueryBroadcastSmResp,
};
use super::data::{DataSm, DataSmResp};
use super::decode;
use super::message::{DeliverSm, DeliverSmResp, SubmitSm, SubmitSmResp};
use super::multi::{SubmitMulti, SubmitMultiResp};
use super::query::{CancelSm, QuerySm, QuerySmResp, ReplaceSm};
use crate::header::{CommandId, CommandStatus, Header, SequenceNumber};
use crate::tlv::Tlvs;
use crate::wire::{DecodeError, Emit, FieldVisitor, Quirks, Sink, SliceSink, Tolerance, WithoutTlvs};

/// Defines [`Pdu`] from a list of the PDUs and their commands. The bind PDUs are written out, because three commands
/// share each of them.
macro_rules! pdus {
    (
        requests { $($(#[$request_meta:meta])* $request:ident = $request_id:ident,)+ }
        responses { $($(#[$response_meta:meta])* $response:ident = $response_id:ident,)+ }
        without_body { $($(#[$empty_meta:meta])* $empty:ident = $empty_id:ident,)+ }
    ) => {
        /// Any PDU.
        ///
        /// The body of a response is optional: `None` if the response has no body, as most error responses.
        ///
        /// ```
        /// use smpp_proto::{CommandStatus, Frame, Pdu, SequenceNumber, Tolerance};
        /// let frame = Frame::encode(&Pdu::EnquireLink, CommandStatus::ROK, SequenceNumber(7));
        /// assert_eq!(frame.octets(), [0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 7]);
        /// let (pdu, quirks) = frame.pdu(Tolerance::LENIENT)?;
        /// assert!(matches!(pdu, Pdu::EnquireLink) && quirks.is_empty());
        /// # Ok::<(), smpp_proto::DecodeError>(())
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        #[non_exhaustive]
        pub enum Pdu<'a> {
            /// bind_receiver, bind_transmitter or bind_transceiver.
            Bind(Bind<'a>),
            /// bind_receiver_resp, bind_transmitter_resp or bind_transceiver_resp, by mode.
            BindResp(BindMode, Option<BindResp<'a>>),
            $($(#[$request_meta])* $request($request<'a>),)+
            $($(#[$response_meta])* $response(Option<$response<'a>>),)+
            $($(#[$empty_meta])* $empty,)+
        }

        impl<'a> Pdu<'a> {
            /// Returns the `command_id` of the PDU.
            pub const fn command(&self) -> CommandId {
                match self {
                    Self::Bind(bind) => bind.mode.command(),
                    Self::BindResp(mode, _) => mode.command().response(),
                    $(Self::$request(_) => CommandId::$request_id,)+
                    $(Self::$response(_) => CommandId::$response_id,)+
                    $(Self::$empty => CommandId::$empty_id,)+
                }
            }

            /// Returns the optional parameters of the PDU. They are empty for a PDU without body.
            pub fn tlvs(&self) -> Tlvs<'a> {
                match self {
                    Self::Bind(body) => body.tlvs,
                    Self::BindResp(_, Some(body)) => body.tlvs,
                    $(Self::$request(body) => body.tlvs,)+
                    $(Self::$response(Some(body)) => body.tlvs,)+
                    _ => Tlvs::EMPTY,
                }
            }

            /// Decodes a whole PDU, and passes each field of its body to `visitor`.
            #[inline]
            pub(crate) fn read<V: FieldVisitor>(
                octets: &'a [u8],
                tolerance: Tolerance,
                visitor: V,
            ) -> Result<(Self, Quirks), DecodeError> {
                match Header::of(octets).command {
                    CommandId::BIND_RECEIVER | CommandId::BIND_TRANSMITTER | CommandId::BIND_TRANSCEIVER => {
                        decode::with_body(octets, tolerance, visitor, Self::Bind)
                    }
                    $(CommandId::$request_id => decode::with_body(octets, tolerance, visitor, Self::$request),)+
                    $(CommandId::$response_id => {
                        decode::with_body(octets, tolerance, visitor, Self::$response)
                    })+
                    $(CommandId::$empty_id => decode::without_body(octets, tolerance, visitor, || Self::$empty),)+
                    command => match BindMode::from_command(command) {
                        Some(mode) => {
                            decode::with_body(octets, tolerance, visitor, |body| Self::BindResp(mode, body))
                        }
                        None => Err(decode::unknown_command(command)),
                    },
                }
            }

            fn emit<S: Sink>(&self, status: CommandStatus, sequence: SequenceNumber, out: &mut S) {
                let mut header = |command| emit_header(command, status, sequence, out);
                match self {
                    $(Self::$request(body) => {
                        header(CommandId::$request_id);
                        body.emit(out);
                    })+
                    $(Self::$response(body) => {
                        header(CommandId::$response_id);
                        body.emit(out);
                    })+
                    $(Self::$empty => header(CommandId::$empty_id),)+
                    Self::Bind(body) => {
                        header(body.mode.command());
                        body.emit(out);
                    }
                    Self::BindResp(mode, body) => {
                        header(mode.command().response());
                        body.emit(out);
                    }
                }
            }
        }
    };
}

pdus! {
    requests {
        /// outbind.
        Outbind = OUTBIND,
        /// submit_sm.
        SubmitSm = SUBMIT_SM,
        /// submit_multi.
        SubmitMulti = SUBMIT_MULTI,
        /// deliver_sm.
        DeliverSm = DELIVER_SM,
        /// data_sm.
        DataSm = DATA_SM,
        /// query_sm.
        QuerySm = QUERY_SM,
        /// cancel_sm.
        CancelSm = CANCEL_SM,
        /// replace_sm.
        ReplaceSm = REPLACE_SM,
        /// alert_notification.
        AlertNotification = ALERT_NOTIFICATION,
        /// broadcast_sm (SMPP 5.0).
        BroadcastSm = BROADCAST_SM,
        /// query_broadcast_sm (SMPP 5.0).
        QueryBroadcastSm = QUERY_BROADCAST_SM,
        /// cancel_broadcast_sm (SMPP 5.0).
        CancelBroadcastSm = CANCEL_BROADCAST_SM,
    }
    responses {
        /// submit_sm_resp.
        SubmitSmResp = SUBMIT_SM_RESP,
        /// submit_multi_resp.
        SubmitMultiResp = SUBMIT_MULTI_RESP,
        /// deliver_sm_resp.
        DeliverSmResp = DELIVER_SM_RESP,
        /// data_sm_resp.
        DataSmResp = DATA_SM_RESP,
        /// query_sm_resp.
        QuerySmResp = QUERY_SM_RESP,
        /// broadcast_sm_resp (SMPP 5.0).
        BroadcastSmResp = BROADCAST_SM_RESP,
        /// query_broadcast_sm_resp (SMPP 5.0).
        QueryBroadcastSmResp = QUERY_BROADCAST_SM_RESP,
    }
    without_body {
        /// cancel_sm_resp.
        CancelSmResp = CANCEL_SM_RESP,
        /// replace_sm_resp.
        ReplaceSmResp = REPLACE_SM_RESP,
        /// cancel_broadcast_sm_resp (SMPP 5.0).
        CancelBroadcastSmResp = CANCEL_BROADCAST_SM_RESP,
        /// unbind.
        Unbind = UNBIND,
        /// unbind_resp.
        UnbindResp = UNBIND_RESP,
        /// enquire_link.
        EnquireLink = ENQUIRE_LINK,
        /// enquire_link_resp.
        EnquireLinkResp = ENQUIRE_LINK_RESP,
        /// generic_nack.
        GenericNack = GENERIC_NACK,
    }
}

impl Pdu<'_> {
    /// Returns whether the octets are a submit_sm_resp or deliver_sm_resp with status `ESME_ROK` that carries only a
    /// message id and has no deviations.
    #[inline(always)]
    pub(crate) fn is_plain_message_id(octets: &[u8]) -> bool {
        let Header { command, status, .. } = Header::of(octets);
        if !matches!(command, CommandId::SUBMIT_SM_RESP | CommandId::DELIVER_SM_RESP) || !status.is_ok() {
            return false;
        }
        Self::plain_message_id(octets).is_some()
    }

    /// Returns the message id of a submit_sm_resp with status `ESME_ROK` that carries only that and has no deviations; `None` for
    /// any other response. The caller has checked the command and the status.
    #[inline(always)]
    pub(crate) fn plain_message_id(octets: &[u8]) -> Option<&[u8]> {
        let body = decode::fast_path::<Option<SubmitSmResp<'_>>>(octets, Tolerance::STRICT);
        let body = body.flatten().filter(|body| body.tlvs.is_empty())?;
        Some(body.message_id.as_bytes())
    }

    /// Decodes a deliver_sm that has no deviations; `None` for any other PDU. What the caller does not use costs nothing but its
    /// checks.
    #[inline(always)]
    pub(crate) fn plain_deliver_sm(octets: &[u8]) -> Option<DeliverSm<'_>> {
        if Header::of(octets).command != CommandId::DELIVER_SM {
            return None;
        }
        decode::fast_path(octets, Tolerance::STRICT)
    }

    /// Returns whether the PDU is a submit_sm that has no deviations.
    #[inline(always)]
    pub(crate) fn is_plain_submit_sm(octets: &[u8]) -> bool {
        Header::of(octets).command == CommandId::SUBMIT_SM
            && decode::fast_path::<SubmitSm<'_>>(octets, Tolerance::STRICT).is_some()
    }

    /// Appends the encoded PDU to `out`. A response with `None` has no body on the wire.
    pub fn encode(&self, status: CommandStatus, sequence: SequenceNumber, out: &mut Vec<u8>) {
        let start = out.len();
        self.emit(status, sequence, out);
        patch_length(out, start);
    }

    /// Encodes the PDU to the start of `out` and returns the number of octets written.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] if `out` cannot hold the PDU. The content of `out` is then unspecified.
    pub fn encode_into(
        &self,
        status: CommandStatus,
        sequence: SequenceNumber,
        out: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let available = out.len();
        let mut sink = SliceSink::new(out);
        self.emit(status, sequence, &mut sink);
        let needed = sink.needed();
        if needed > available {
            return Err(BufferTooSmall { needed, available });
        }
        patch_length(out.get_mut(..needed).unwrap_or_default(), 0);
        Ok(needed)
    }
}

/// The slice passed to [`Pdu::encode_into`] is too small for the PDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BufferTooSmall {
    /// The length of the PDU, in octets.
    pub needed: usize,
    /// The length of the slice, in octets.
    pub available: usize,
}

impl fmt::Display for BufferTooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the PDU has {} octets, but the buffer only {}: pass a larger buffer",
            self.needed, self.available
        )
    }
}

impl core::error::Error for BufferTooSmall {}

/// Appends one PDU with this body, or without body. Omits the TLVs unless `tlvs` is set. Returns whether the PDU is
/// complete: `false` if a TLV was omitted.
#[inline(always)]
pub(crate) fn encode<B: Emit>(
    command: CommandId,
    status: CommandStatus,
    sequence: SequenceNumber,
    body: Option<&B>,
    tlvs: bool,
    out: &mut Vec<u8>,
) -> bool {
    let start = out.len();
    let mut complete = true;
    emit_header(command, status, sequence, out);
    match body {
        Some(body) if tlvs => body.emit(out),
        Some(body) => {
            let mut sink = WithoutTlvs { out, omitted: false };
            body.emit(&mut sink);
            complete = !sink.omitted;
        }
        None => {}
    }
    patch_length(out, start);
    complete
}

/// Appends the header with a length of zero. [`patch_length`] writes the length later.
#[inline]
fn emit_header<S: Sink>(command: CommandId, status: CommandStatus, sequence: SequenceNumber, out: &mut S) {
    let words = [0, command.0, status.0, sequence.0].map(u32::to_be_bytes);
    out.put(words.as_flattened());
}

/// Writes the length of the PDU that begins at `start` and ends at the end of `out`.
fn patch_length(out: &mut [u8], start: usize) {
    let length = (out.len() - start) as u32;
    if let Some(octets) = out.get_mut(start..start + 4) {
        octets.copy_from_slice(&length.to_be_bytes());
    }
}
