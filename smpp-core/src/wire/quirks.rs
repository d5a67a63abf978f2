//! Deviations from the specification that a reader can tolerate.

bitflags::bitflags! {
    /// Known deviations from the specification: which of them a decoded PDU contains.
    ///
    /// Real peers send all of these. By default the decoder accepts them and reports them with the PDU;
    /// [`Tolerance`] makes them errors.
    ///
    /// ```
    /// use smpp_proto::{Frame, Quirks, Tolerance};
    /// // A submit_sm_resp whose message_id has no NUL.
    /// let octets = [&[0, 0, 0, 19, 0x80, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1][..], b"id7"].concat();
    /// let frame = Frame::new(octets).expect("one PDU");
    /// let (_, quirks) = frame.pdu(Tolerance::LENIENT)?;
    /// assert_eq!(quirks, Quirks::UNTERMINATED_STRING);
    /// assert!(frame.pdu(Tolerance::STRICT).is_err());
    /// # Ok::<(), smpp_proto::DecodeError>(())
    /// ```
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Quirks: u32 {
        /// A response with status `ESME_ROK` has no body although its body is mandatory (SMPP 3.4 §4.4.2).
        const ABSENT_BODY = 1;
        /// A string is longer than its field allows, for example a password of ten characters.
        const LONG_STRING = 1 << 1;
        /// The last string of a response, `message_id` or `system_id`, has no NUL.
        const UNTERMINATED_STRING = 1 << 2;
        /// A bind ends before `address_range`. Some 3.3 clients send this.
        const ABSENT_ADDRESS_RANGE = 1 << 3;
        /// One NUL follows the mandatory fields, usually `short_message`. The decoder drops it.
        const TRAILING_NUL = 1 << 4;
        /// The PDU ends within the header of its last TLV. The decoder drops these one to three octets.
        ///
        /// In a request the octets must look like the start of a TLV header: a tag of the specification or a
        /// vendor's tag. Any other octets are the remainder of a text whose `sm_length` is too small. The decoder
        /// rejects such a request, because it would shorten the text.
        const TRUNCATED_TLV = 1 << 5;
        /// Octets follow the end of the PDU, for example of one that has no body. The decoder ignores them.
        const TRAILING_OCTETS = 1 << 6;
        /// `short_message` has 255 octets: SMPP 5.0 allows this, 3.4 does not.
        const LONG_SHORT_MESSAGE = 1 << 7;
        /// The sequence number is 0 or above `0x7FFF_FFFF` (SMPP 3.4 §3.2).
        const SEQUENCE_RANGE = 1 << 8;
        /// A request carries a `command_status` other than 0.
        const STATUS_IN_REQUEST = 1 << 9;
        /// A C-Octet String, which must be ASCII (SMPP 3.4 §3.1), contains an octet above 0x7F. Usually it is an
        /// alphanumeric sender in Latin-1 or UTF-8.
        const NON_ASCII = 1 << 10;
        /// A time is neither empty nor 16 characters in the format of SMPP 3.4 §7.1. `final_date` may have 12.
        const TIME_FORMAT = 1 << 11;
        /// The value of a TLV has a length that its tag does not allow. Its typed accessor returns `None`. The
        /// exception is `source_telematics_id` with two octets, which several peers send: the accessor reads it.
        const TLV_LENGTH = 1 << 12;
        /// The text in a TLV does not end with NUL.
        const UNTERMINATED_TLV = 1 << 13;
        /// A TLV that the operation requires is missing, for example `sc_interface_version` in the response to a
        /// bind or `broadcast_area_identifier` in a broadcast_sm.
        const MISSING_TLV = 1 << 14;
        /// Both `short_message` and `message_payload` contain text (SMPP 3.4 §5.3.2.32).
        const BOTH_MESSAGE_FIELDS = 1 << 15;
        /// The body of an error response consists of TLVs only; the fields before them are missing.
        const TLVS_ONLY = 1 << 16;
        /// `number_of_dests` is 0, or 255, which SMPP 5.0 allows and 3.4 does not.
        const DESTINATION_COUNT = 1 << 17;
        /// The error response to a bind or a submit_sm has a body. The specification requires none
        /// (SMPP 3.4 §4.1.2, §4.4.2).
        const BODY_ON_ERROR = 1 << 18;
    }
}

/// Which [`Quirks`] the decoder accepts. All other deviations are errors.
///
/// The default is [`LENIENT`](Self::LENIENT). A field that reaches past the end of its PDU is always an error.
///
/// ```
/// use smpp_proto::{Quirks, Tolerance};
/// let no_long_passwords = Tolerance(Quirks::all() - Quirks::LONG_STRING);
/// # assert_ne!(no_long_passwords, Tolerance::LENIENT);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance(pub Quirks);

impl Tolerance {
    /// Accepts every known deviation. This is the default.
    pub const LENIENT: Self = Self(Quirks::all());
    /// Accepts no deviation.
    pub const STRICT: Self = Self(Quirks::empty());
    /// Accepts the deviations that lose or change nothing of a message: every known one but strings that are too long, a
    /// truncated TLV, octets behind the end, a `short_message` of 255 octets, and two texts.
    ///
    /// A session of an SMSC uses it for messages by default: it cannot deliver them as the ESME meant them.
    pub const FAITHFUL: Self = Self(
        Quirks::all().difference(
            Quirks::LONG_STRING
                .union(Quirks::TRUNCATED_TLV)
                .union(Quirks::TRAILING_OCTETS)
                .union(Quirks::LONG_SHORT_MESSAGE)
                .union(Quirks::BOTH_MESSAGE_FIELDS),
        ),
    );
}

impl Default for Tolerance {
    fn default() -> Self {
        Self::LENIENT
    }
}
