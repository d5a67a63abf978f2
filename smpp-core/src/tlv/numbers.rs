//! Subaddresses, callback numbers, ported numbers and billing (SMPP 3.4 §5.3.2).

use super::typed::{octet_enum, parts, values};
use crate::pdu::{DataCoding, Npi, Ton};

octet_enum! {
    /// The kind of a subaddress (SMPP 3.4 §5.3.2.15).
    pub struct SubaddressTag {
        /// NSAP with an even number of digits.
        NSAP_EVEN = 0x80,
        /// NSAP with an odd number of digits.
        NSAP_ODD = 0x88,
        /// The user's own.
        USER_SPECIFIED = 0xA0,
    }
}

parts! {
    /// A subaddress (SMPP 3.4 §5.3.2.15, §5.3.2.16).
    pub struct Subaddress {
        /// What kind it is.
        pub tag: SubaddressTag,
        ..
        /// The subaddress: 1 to 22 octets.
        pub octets
    }
}

octet_enum! {
    /// How the digits of a [`CallbackNum`] are coded (SMPP 3.4 §5.3.2.36). Bit 0 tells.
    pub struct DigitMode {
        /// DTMF digits, four bits each (TBCD).
        TBCD = 0,
        /// ASCII.
        ASCII = 1,
    }
}

parts! {
    /// A number to call back (SMPP 3.4 §5.3.2.36).
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
    /// Whether the callback number may be shown, and who vouches for it (SMPP 3.4 §5.3.2.37). Bits 3-2 and 1-0
    /// are fields: compare [`presentation`](CallbackNumPresInd::presentation) and
    /// [`screening`](CallbackNumPresInd::screening), not single bits.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct CallbackNumPresInd: u8 {
        /// The user gave it, it was verified (bits 1-0); without any bit, it was not screened.
        const VERIFIED_PASSED = 0x01;
        /// The user gave it, it failed verification (bits 1-0).
        const VERIFIED_FAILED = 0x02;
        /// The network gave it (bits 1-0).
        const NETWORK_PROVIDED = 0x03;
        /// Hide it (bits 3-2); without any bit, it may be shown.
        const PRESENTATION_RESTRICTED = 0x04;
        /// There is no number (bits 3-2).
        const NUMBER_NOT_AVAILABLE = 0x08;
        const _ = !0;
    }
}

impl CallbackNumPresInd {
    /// Bits 3 and 2 alone: whether it may be shown. Empty if it may.
    #[must_use]
    pub const fn presentation(self) -> Self {
        Self::from_bits_retain(self.bits() & 0x0C)
    }

    /// Bits 1 and 0 alone: who vouches for it. Empty if nobody does.
    #[must_use]
    pub const fn screening(self) -> Self {
        Self::from_bits_retain(self.bits() & 0x03)
    }
}

parts! {
    /// The name that goes with a callback number (SMPP 3.4 §5.3.2.38).
    pub struct CallbackNumAtag {
        /// How the text is coded.
        pub data_coding: DataCoding,
        ..
        /// The text: at most 64 octets, no NUL at the end.
        pub text
    }
}

octet_enum! {
    /// What is known about the porting of a number (SMPP 5.0 §4.8.4).
    pub struct DestAddrNpResolution {
        /// Nobody asked.
        NOT_QUERIED = 0,
        /// It is not ported.
        NOT_PORTED = 1,
        /// It is ported.
        PORTED = 2,
    }
}

parts! {
    /// Whom to bill (SMPP 5.0 §4.8.4).
    pub struct BillingIdentification {
        /// What the octets are: from `0x80` on a format of the vendor's own, below reserved.
        pub format: u8,
        ..
        /// The billing information: at most 1,023 octets.
        pub octets
    }
}

values! {
    CallbackNumPresInd, u8 = CallbackNumPresInd::from_bits_retain, |bits: CallbackNumPresInd| bits.bits();
}
