//! `interface_version` (SMPP 3.4 §5.2.4).

use core::fmt;

use crate::open_enum::open_enum;

open_enum! {
    /// The protocol version that a side speaks (SMPP 3.4 §5.2.4). Values up to `0x33` mean 3.3 or older. The
    /// default is 3.4.
    pub struct InterfaceVersion(u8) default V3_4 {
        /// SMPP 3.3.
        V3_3 = 0x33,
        /// SMPP 3.4.
        V3_4 = 0x34,
        /// SMPP 5.0.
        V5_0 = 0x50,
    }
}

impl InterfaceVersion {
    /// Returns whether a side of this version can read TLVs: 3.4 and later can.
    pub const fn reads_tlvs(self) -> bool {
        self.0 >= Self::V3_4.0
    }

    /// Returns the version if it is one that exists: 3.3, 3.4 or 5.0. Some peers state 0, 0x03, 0x22 or other values that
    /// name no version; a session treats them as unstated.
    ///
    /// ```
    /// use smpp_proto::InterfaceVersion;
    /// assert_eq!(InterfaceVersion(0x33).known(), Some(InterfaceVersion::V3_3));
    /// assert_eq!(InterfaceVersion(0x22).known(), None);
    /// ```
    pub const fn known(self) -> Option<Self> {
        match self {
            Self::V3_3 | Self::V3_4 | Self::V5_0 => Some(self),
            _ => None,
        }
    }
}

/// `3.4`.
impl fmt::Display for InterfaceVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 >> 4, self.0 & 0xF)
    }
}
