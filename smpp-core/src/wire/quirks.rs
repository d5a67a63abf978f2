//! What is read although the specification does not allow it.

bitflags::bitflags! {
    /// Known deviations from the specification that were read all the same, reported with the PDU.
    ///
    /// Real peers do all of these; a tolerant reader tells instead of refusing.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Quirks: u32 {
        /// A response with status `ESME_ROK` came without its mandatory body (SMPP 3.4 §4.4.2).
        const ABSENT_BODY = 1;
        /// A string is longer than its field allows, for example a password of ten characters.
        const LONG_STRING = 1 << 1;
        /// The string that ends a response, `message_id` or `system_id`, lacks its NUL.
        const UNTERMINATED_STRING = 1 << 2;
        /// A bind ended before `address_range`, as some 3.3 clients send it.
        const ABSENT_ADDRESS_RANGE = 1 << 3;
        /// One NUL followed the mandatory fields: `short_message`, usually.
        const TRAILING_NUL = 1 << 4;
        /// The PDU ends within the header of its last TLV; those one to three octets were dropped.
        ///
        /// In a request they must look like the beginning of one, a tag of the specification: anything else is
        /// what a wrong `sm_length` leaves over, and reading on would cut a text short. Such a request is refused.
        const TRUNCATED_TLV = 1 << 5;
        /// Octets followed a PDU that has no body.
        const TRAILING_OCTETS = 1 << 6;
        /// `short_message` has 255 octets: allowed by SMPP 5.0, not by 3.4.
        const LONG_SHORT_MESSAGE = 1 << 7;
        /// The sequence number is 0 or above `0x7FFF_FFFF` (SMPP 3.4 §3.2).
        const SEQUENCE_RANGE = 1 << 8;
        /// A request carries a `command_status` other than 0.
        const STATUS_IN_REQUEST = 1 << 9;
        /// An octet above 0x7F in a C-Octet String, which is ASCII (SMPP 3.4 §3.1): a name in Latin-1 or UTF-8 as
        /// the address of a sender, usually.
        const NON_ASCII = 1 << 10;
        /// A time is neither empty nor 16 characters of SMPP 3.4 §7.1 (`final_date`: or 12).
        const TIME_FORMAT = 1 << 11;
        /// The value of a TLV has a length that its tag does not allow. Its typed accessor gives nothing, but for
        /// `source_telematics_id` of two octets, which several peers send.
        const TLV_LENGTH = 1 << 12;
        /// The text in a TLV lacks its NUL.
        const UNTERMINATED_TLV = 1 << 13;
        /// A TLV that the operation needs is missing: `sc_interface_version` in the response to a bind, the areas
        /// of a broadcast.
        const MISSING_TLV = 1 << 14;
        /// Both `short_message` and `message_payload` hold a text (SMPP 3.4 §5.3.2.32).
        const BOTH_MESSAGE_FIELDS = 1 << 15;
        /// The body of an error response has TLVs alone, without the string before them.
        const TLVS_ONLY = 1 << 16;
        /// `number_of_dests` is 0, or 255, which SMPP 5.0 allows and 3.4 does not.
        const DESTINATION_COUNT = 1 << 17;
        /// The error response to a bind or a submit_sm has a body, which it is not to have (SMPP 3.4 §4.1.2, §4.4.2).
        const BODY_ON_ERROR = 1 << 18;
    }
}

/// Which [`Quirks`] a reader accepts. The others become errors.
///
/// Never tolerated, whatever is set here: a field that crosses its frame.
///
/// ```
/// use smpp_core::{Quirks, Tolerance};
/// let no_long_passwords = Tolerance(Quirks::all() - Quirks::LONG_STRING);
/// # assert_ne!(no_long_passwords, Tolerance::LENIENT);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance(pub Quirks);

impl Tolerance {
    /// Reads everything that can be read. The default.
    pub const LENIENT: Self = Self(Quirks::all());
    /// Refuses every known deviation.
    pub const STRICT: Self = Self(Quirks::empty());
}

impl Default for Tolerance {
    fn default() -> Self {
        Self::LENIENT
    }
}
