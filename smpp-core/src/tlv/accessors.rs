//! The typed accessors of [`Tlvs`] and the constructors of [`Tlv`], from the table of parameters.

use core::fmt;

use super::broadcast::{
    BroadcastAreaIdentifier, BroadcastAreaSuccess, BroadcastChannelIndicator, BroadcastContentType,
    BroadcastFrequencyInterval, BroadcastMessageClass,
};
use super::list::{Tlv, Tlvs};
use super::numbers::{
    BillingIdentification, CallbackNum, CallbackNumAtag, CallbackNumPresInd, DestAddrNpResolution, Subaddress,
};
use super::table::tag_table;
use super::tag::{Tag, length_allowed, text};
use super::value::{ToShort, Value};
use super::values::{
    AddrSubunit, AlertOnMessageDelivery, BearerType, CongestionState, DeliveryFailureReason, DisplayTime,
    DpfResult, ItsReplyType, ItsSessionInfo, LanguageIndicator, MoreMessagesToSend, MsAvailabilityStatus,
    MsMsgWaitFacilities, MsValidity, NetworkErrorCode, NetworkType, PayloadType, PrivacyIndicator, SetDpf,
    UssdServiceOp,
};
use crate::header::{CommandStatus, InterfaceVersion};
use crate::values::MessageState;
use crate::wire::InvalidOctets;

/// The differences between the kinds of parameters: the type, how to read it and how to construct it.
macro_rules! kind {
    (type value $type:ty) => { $type };
    (type parts $type:ty) => { $type };
    (type telematics $type:ty) => { u16 };
    (type $octets:ident) => { &'a [u8] };

    (read $tlvs:ident $tag:ident $min:literal $max:literal value $type:ty) => {
        $tlvs.get(Tag::$tag).and_then(Value::read)
    };
    (read $tlvs:ident $tag:ident $min:literal $max:literal parts $type:ty) => {
        $tlvs.get(Tag::$tag).filter(|octets| length_allowed(Tag::$tag.0, octets.len())).and_then(Value::read)
    };
    (read $tlvs:ident $tag:ident $min:literal $max:literal octets) => {
        $tlvs.get(Tag::$tag).filter(|octets| length_allowed(Tag::$tag.0, octets.len()))
    };
    (read $tlvs:ident $tag:ident $min:literal $max:literal text) => {
        $tlvs.get(Tag::$tag).and_then(|octets| text(octets, $min - 1, $max - 1))
    };
    (read $tlvs:ident $tag:ident $min:literal $max:literal time) => {
        $tlvs.get(Tag::$tag).and_then(|octets| text(octets, 16, 16))
    };
    (read $tlvs:ident $tag:ident $min:literal $max:literal telematics $type:ty) => {
        $tlvs.get(Tag::$tag).and_then(|octets| u8::read(octets).map(u16::from).or_else(|| u16::read(octets)))
    };

    (construct $(#[$doc:meta])* $tag:ident $method:ident $min:literal $max:literal value $type:ty) => {
        $(#[$doc])*
        pub fn $method(value: $type) -> Self {
            Self::short(Tag::$tag, value.to_short())
        }
    };
    (construct $(#[$doc:meta])* $tag:ident $method:ident $min:literal $max:literal telematics $type:ty) => {
        $(#[$doc])*
        pub fn $method(value: $type) -> Self {
            Self::short(Tag::$tag, value.to_short())
        }
    };
    (construct $(#[$doc:meta])* $tag:ident $method:ident $min:literal $max:literal octets) => {
        $(#[$doc])*
        #[doc = ""]
        #[doc = "# Errors"]
        #[doc = ""]
        #[doc = concat!("[`InvalidOctets`] unless there are ", $min, " to ", $max, " octets.")]
        pub const fn $method(octets: &'a [u8]) -> Result<Self, InvalidOctets> {
            Self::octets(Tag::$tag, octets, $min, $max)
        }
    };
    (construct $(#[$doc:meta])* $tag:ident $method:ident $min:literal $max:literal text) => {
        $(#[$doc])*
        #[doc = ""]
        #[doc = "The encoder adds the NUL at the end."]
        #[doc = ""]
        #[doc = "# Errors"]
        #[doc = ""]
        #[doc = "[`InvalidOctets`] if the text is too short or too long, or contains a NUL."]
        pub const fn $method(text: &'a [u8]) -> Result<Self, InvalidOctets> {
            Self::text(Tag::$tag, text, $min - 1, $max - 1)
        }
    };
    (construct $(#[$doc:meta])* $tag:ident $method:ident $min:literal $max:literal time) => {
        $(#[$doc])*
        #[doc = ""]
        #[doc = "The encoder adds the NUL at the end."]
        #[doc = ""]
        #[doc = "# Errors"]
        #[doc = ""]
        #[doc = "[`InvalidOctets`] unless the text has 16 octets and no NUL."]
        pub const fn $method(text: &'a [u8]) -> Result<Self, InvalidOctets> {
            Self::text(Tag::$tag, text, 16, 16)
        }
    };
    (construct $(#[$doc:meta])* $tag:ident $method:ident $min:literal $max:literal parts $type:ty) => {};
}

macro_rules! accessors {
    ($($(#[$doc:meta])* $tag:ident $name:ident = $number:literal, $min:literal..=$max:literal,
        $kind:ident $(($type:ty))?;)+) => {
        /// Typed accessors. Each returns the value of the first parameter with its tag, and `None` if there is none or
        /// its length is wrong.
        impl<'a> Tlvs<'a> {
            $($(#[$doc])* pub fn $name(&self) -> Option<kind!(type $kind $($type)?)> {
                kind!(read self $tag $min $max $kind $($type)?)
            })+
        }

        /// Typed constructors. A value that is a structure of more than four octets has none: pass the result of its
        /// `to_vec` to [`Tlv::new`].
        impl<'a> Tlv<'a> {
            $(kind!(construct $(#[$doc])* $tag $name $min $max $kind $($type)?);)+
        }

        /// Writes the typed value of the only parameter in `tlvs`. Returns `None` if the tag is unknown or the length
        /// of the value is wrong.
        fn fmt_value(tag: Tag, tlvs: &Tlvs<'_>, f: &mut fmt::Formatter<'_>) -> Option<fmt::Result> {
            match tag {
                $(Tag::$tag => tlvs.$name().map(|value| value.fmt_value(f)),)+
                _ => None,
            }
        }
    };
}

tag_table!(accessors);

/// Shows the name and the typed value of a parameter: `message_state: DELIVERED`, `receipted_message_id: "abc"`. Shows
/// the number and the octets of an unknown one: `0x1501: "\x01"`.
impl fmt::Debug for Tlv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tag.name() {
            Some(name) => write!(f, "{name}: ")?,
            None => write!(f, "{:#06x}: ", self.tag.0)?,
        }
        TypedValue(*self).fmt(f)
    }
}

/// The `Debug` form of the value of a parameter, by its tag.
pub(super) struct TypedValue<'a>(pub(super) Tlv<'a>);

impl fmt::Debug for TypedValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(tlv) = self;
        if let Some(result) = fmt_value(tlv.tag, &Tlvs::list(core::slice::from_ref(tlv)), f) {
            return result;
        }
        tlv.value().fmt_value(f)?;
        if tlv.tag.name().is_some() {
            f.write_str(" (wrong length)")?;
        }
        Ok(())
    }
}
