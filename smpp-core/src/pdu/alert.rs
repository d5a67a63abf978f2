//! alert_notification (SMPP 3.4 §4.12).

use super::wire_struct::wire_struct;
use crate::tlv::Tlvs;
use crate::values::Address;

wire_struct! {
    /// Reports that a subscriber with a pending message can be reached again (SMPP 3.4 §4.12.1). It has no response.
    pub struct AlertNotification<'a> {
        /// The subscriber.
        pub source: Address<'a, 65>,
        /// The ESME that requested the notification.
        pub esme: Address<'a, 65>,
        /// Optional parameters, usually `ms_availability_status`.
        pub tlvs: Tlvs<'a>,
    }
}
