//! alert_notification (SMPP 3.4 §4.12).

use super::Address;
use crate::tlv::Tlvs;
use crate::wire::wire_struct;

wire_struct! {
    /// A subscriber for whom a message waits can be reached again (SMPP 3.4 §4.12.1). It has no response.
    pub struct AlertNotification<'a> {
        /// The subscriber.
        pub source: Address<'a, 65>,
        /// The ESME that asked to be told.
        pub esme: Address<'a, 65>,
        /// `ms_availability_status`, usually.
        pub tlvs: Tlvs<'a>,
    }
}
