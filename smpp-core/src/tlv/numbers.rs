//! Subaddresses, callback numbers, ported numbers and billing (SMPP 3.4 §5.3.2).

use super::value::{integer_values, octet_enum, parts_and_octets};
use crate::values::{DataCoding, Npi, Ton};

octet_enum! {
    /// The kind of a subaddress (SMPP 3.4 §5.3.2.15).
    pub struct SubaddressTag {
        /// NSAP with an even number of digits.
        NSAP_EVEN = 0x80,
        /// NSAP with an odd number of digits.
        NSAP_ODD = 0x88,
        /// Defined by the user.
        USER_SPECIFIED = 0xA0,
    }
}

parts_and_octets! {
    /// A subaddress (SMPP 3.4 §5.3.2.15, §5.3.2.16).
    pub struct Subaddress {
        /// The kind of subaddress.
        pub tag: SubaddressTag,
        ..
        /// The subaddress: 1 to 22 octets.
        pub octets
    }
}

octet_enum! {
    /// How the digits of a [`CallbackNum`] are coded (SMPP 3.4 §5.3.2.36). Bit 0 states it.
    pub struct DigitMode {
        /// DTMF digits, four bits each (TBCD).
        TBCD = 0,
        /// ASCII.
        ASCII = 1,
    }
}

parts_and_octets! {
    /// A callback number (SMPP 3.4 §5.3.2.36).
    pub struct CallbackNum {
        /// How the digits are coded.
        pub digit_mode: DigitMode,
        /// Type of number.
        pub ton: Ton,
        /// Numbering plan.
        pub npi: Npi,
        ..
        /// The digits: 1 to 16 octets.
        pub digits
    }
}

bitflags::bitflags! {
    /// Whether the callback number may be shown, and who verified it (SMPP 3.4 §5.3.2.37). Bits 3-2 and 1-0 are
    /// fields: compare [`presentation`](CallbackNumPresInd::presentation) and
    /// [`screening`](CallbackNumPresInd::screening), not single bits.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct CallbackNumPresInd: u8 {
        /// The user provided the number and it passed verification (bits 1-0). Without these bits: the user provided it
        /// and it was not screened.
        const VERIFIED_PASSED = 0x01;
        /// The user provided the number and it failed verification (bits 1-0).
        const VERIFIED_FAILED = 0x02;
        /// The network provided the number (bits 1-0).
        const NETWORK_PROVIDED = 0x03;
        /// The number must not be shown (bits 3-2). Without these bits: it may be shown.
        const PRESENTATION_RESTRICTED = 0x04;
        /// The number is not available (bits 3-2).
        const NUMBER_NOT_AVAILABLE = 0x08;
        const _ = !0;
    }
}

impl CallbackNumPresInd {
    /// Returns only bits 3 and 2: whether the number may be shown. Empty if it may.
    #[must_use]
    pub const fn presentation(self) -> Self {
        Self::from_bits_retain(self.bits() & 0x0C)
    }

    /// Returns only bits 1 and 0: who verified the number. Empty if it was not screened.
    #[must_use]
    pub const fn screening(self) -> Self {
        Self::from_bits_retain(self.bits() & 0x03)
    }
}

parts_and_octets! {
    /// The name that belongs to a callback number (SMPP 3.4 §5.3.2.38).
    pub struct CallbackNumAtag {
        /// The character encoding of the text.
        pub data_coding: DataCoding,
        ..
        /// The text: at most 64 octets, without NUL at the end.
        pub text
    }
}

octet_enum! {
    /// The number portability status of a number (SMPP 5.0 §4.8.4).
    pub struct DestAddrNpResolution {
        /// The portability database was not queried.
        NOT_QUERIED = 0,
        /// The number is not ported.
        NOT_PORTED = 1,
        /// The number is ported.
        PORTED = 2,
    }
}

parts_and_octets! {
    /// Billing information (SMPP 5.0 §4.8.4).
    pub struct BillingIdentification {
        /// The format of the octets. Values from `0x80` on are vendor-specific, values below are reserved.
        pub format: u8,
        ..
        /// The billing information: at most 1,023 octets.
        pub octets
    }
}

integer_values! {
    CallbackNumPresInd, u8 = CallbackNumPresInd::from_bits_retain, |bits: CallbackNumPresInd| bits.bits();
}
