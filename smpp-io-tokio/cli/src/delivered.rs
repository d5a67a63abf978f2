//! What an SMSC delivers to `smpp send` and `smpp receive`: a deliver_sm or a data_sm.

use smpp_proto::provider::Provider;
use smpp_proto::sms::udh::MalformedHeader;
use smpp_proto::sms::{Detection, Receipt, ReceiptCarrier, ReceiptError, SegmentInfo, UserData};
use smpp_proto::{DataCoding, DataSm, DeliverSm};

/// The fields that a deliver_sm and a data_sm have in common.
pub(crate) struct Delivered<'a> {
    /// The digits of the sender.
    pub(crate) from: &'a [u8],
    /// The digits of the recipient.
    pub(crate) to: &'a [u8],
    /// The esm_class, the data_coding, the text and the TLVs.
    pub(crate) carrier: ReceiptCarrier<'a>,
    user_data: Result<UserData<'a>, MalformedHeader>,
}

impl<'a> Delivered<'a> {
    /// Returns the text. `None` if the `data_coding` means no text, or the octets are not in its alphabet. If the user data
    /// header is malformed, all octets are decoded.
    pub(crate) fn text(&self) -> Option<String> {
        let codings = Provider::EIGHT_BY_EIGHT.codings;
        match &self.user_data {
            Ok(user_data) => user_data.text(codings),
            Err(_) => codings.decode(self.carrier.data_coding, None, self.carrier.user_data),
        }
    }

    /// Returns the text of a receipt: that of the SMSC, which is ASCII in any alphabet but UCS-2.
    pub(crate) fn receipt_text(&self) -> String {
        let ucs2 = (self.carrier.data_coding == DataCoding::UCS2).then(|| self.text()).flatten();
        ucs2.unwrap_or_else(|| String::from_utf8_lossy(self.carrier.text()).into_owned())
    }

    /// Returns which segment of a long message it is.
    pub(crate) fn segment(&self) -> Option<SegmentInfo> {
        self.user_data.as_ref().ok().and_then(|user_data| user_data.segment)
    }

    /// Reads the delivery receipt. Returns `None` if it is not one.
    pub(crate) fn receipt<'b>(
        &self,
        detection: Detection,
        buffer: &'b mut Vec<u8>,
    ) -> Option<Result<Receipt<'b>, ReceiptError>>
    where
        'a: 'b,
    {
        Receipt::of_with_buffer(self.carrier, detection, buffer)
    }
}

impl<'a> From<&DeliverSm<'a>> for Delivered<'a> {
    fn from(message: &DeliverSm<'a>) -> Self {
        let (from, to) = (message.source.digits.as_bytes(), message.destination.digits.as_bytes());
        Self { from, to, carrier: message.into(), user_data: message.user_data() }
    }
}

impl<'a> From<&DataSm<'a>> for Delivered<'a> {
    fn from(message: &DataSm<'a>) -> Self {
        let (from, to) = (message.source.digits.as_bytes(), message.destination.digits.as_bytes());
        Self { from, to, carrier: message.into(), user_data: message.user_data() }
    }
}
