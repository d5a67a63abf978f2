//! Optional parameters (TLVs): tag, length, value (SMPP 3.4 §3.2.4, §5.3).
//!
//! For every parameter of SMPP 3.4 and 5.0, [`Tlvs`] has a typed accessor and [`Tlv`] a constructor, named as in the
//! specification. Use [`Tlvs::get`] and [`Tlv::new`] with a [`Tag`] for others, such as vendor parameters.
//!
//! ```
//! use smpp_proto::tlv::{NetworkErrorCode, NetworkErrorType, Tlv, Tlvs};
//! use smpp_proto::MessageState;
//!
//! let error = NetworkErrorCode { network: NetworkErrorType::GSM, code: 27 };
//! let list = [
//!     Tlv::receipted_message_id(b"id-1")?,
//!     Tlv::message_state(MessageState::UNDELIVERABLE),
//!     Tlv::network_error_code(error),
//! ];
//! let tlvs = Tlvs::list(&list);
//! assert_eq!(tlvs.receipted_message_id(), Some(&b"id-1"[..]));
//! assert_eq!(tlvs.network_error_code(), Some(error));
//! assert_eq!(
//!     format!("{tlvs:?}"),
//!     "[receipted_message_id: \"id-1\", message_state: UNDELIVERABLE, \
//!      network_error_code: NetworkErrorCode { network: GSM, code: 27 }]"
//! );
//! # Ok::<(), smpp_proto::InvalidOctets>(())
//! ```

mod accessors;
mod broadcast;
mod list;
mod numbers;
mod read;
mod table;
mod tag;
#[cfg(test)]
mod tests;
mod value;
mod values;

pub use broadcast::{
    BroadcastAreaFormat, BroadcastAreaIdentifier, BroadcastAreaSuccess, BroadcastChannelIndicator,
    BroadcastContent, BroadcastContentType, BroadcastFrequencyInterval, BroadcastFrequencyUnit,
    BroadcastMessageClass, BroadcastNetworkType,
};
pub use list::{Tlv, TlvIter, Tlvs};
pub use numbers::{
    BillingIdentification, CallbackNum, CallbackNumAtag, CallbackNumPresInd, DestAddrNpResolution, DigitMode,
    Subaddress, SubaddressTag,
};
pub use tag::Tag;
pub use values::{
    AddrSubunit, AlertOnMessageDelivery, BearerType, CongestionState, DeliveryFailureReason, DisplayTime,
    DpfResult, ItsReplyType, ItsSessionInfo, LanguageIndicator, Load, MoreMessagesToSend,
    MsAvailabilityStatus, MsMsgWaitFacilities, MsValidity, MsValidityBehaviour, MsValidityPeriod,
    MsValidityUnit, NetworkErrorCode, NetworkErrorType, NetworkType, PayloadType, PrivacyIndicator, SetDpf,
    UssdServiceOp,
};
