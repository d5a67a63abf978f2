//! `command_status` (SMPP 3.4 §5.1.3, SMPP 5.0 §4.7.6).

use core::fmt;

/// The outcome of an operation, in responses. Any value is kept: vendors use `0x400..=0x4FF`.
///
/// ```
/// use smpp_proto::CommandStatus;
/// assert_eq!(CommandStatus(0x58), CommandStatus::RTHROTTLED);
/// assert_eq!(CommandStatus(0x58).to_string(), "ESME_RTHROTTLED (0x00000058): sending faster than allowed");
/// assert_eq!(CommandStatus(0x450).to_string(), "0x00000450: a vendor's own status");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct CommandStatus(
    /// The number on the wire.
    pub u32,
);

/// Defines each code once: constant, value, meaning.
macro_rules! statuses {
    ($($name:ident = $value:literal, $meaning:literal;)+) => {
        impl CommandStatus {
            $(#[doc = concat!("`ESME_", stringify!($name), "`: ", $meaning, ".")]
            pub const $name: Self = Self($value);)+

            /// Returns the name in the specification, such as `ESME_RTHROTTLED`. `None` for a status that the
            /// specification does not define.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some(concat!("ESME_", stringify!($name))),)+
                    _ => None,
                }
            }

            /// Returns the status with this name, in any case, with or without `ESME_`.
            #[cfg(feature = "serde")]
            pub(crate) fn from_name(name: &str) -> Option<Self> {
                let is_prefixed = name.get(..5).is_some_and(|prefix| prefix.eq_ignore_ascii_case("ESME_"));
                let name = if is_prefixed { name.get(5..)? } else { name };
                [$((stringify!($name), Self::$name),)+]
                    .into_iter()
                    .find(|(known, _)| known.eq_ignore_ascii_case(name))
                    .map(|(_, status)| status)
            }

            /// Returns the meaning of the status in one line.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $meaning,)+
                    Self(0x400..=0x4FF) => "a vendor's own status",
                    _ => "a status the specification does not define",
                }
            }
        }
    };
}

statuses! {
    ROK = 0x0000, "success";
    RINVMSGLEN = 0x0001, "sm_length or the message length is wrong";
    RINVCMDLEN = 0x0002, "command_length is wrong; usually carried by generic_nack";
    RINVCMDID = 0x0003, "command_id not known or not supported";
    RINVBNDSTS = 0x0004, "operation not allowed in this session state";
    RALYBND = 0x0005, "the account is already at its limit of binds, or the session is bound";
    RINVPRTFLG = 0x0006, "priority_flag value not accepted";
    RINVREGDLVFLG = 0x0007, "registered_delivery value not accepted";
    RSYSERR = 0x0008, "internal fault of the peer";
    RINVSRCADR = 0x000A, "source address not accepted";
    RINVDSTADR = 0x000B, "destination address not accepted";
    RINVMSGID = 0x000C, "message_id unknown or malformed";
    RBINDFAIL = 0x000D, "bind refused, reason not given";
    RINVPASWD = 0x000E, "password wrong";
    RINVSYSID = 0x000F, "system_id wrong";
    RCANCELFAIL = 0x0011, "cancel_sm could not be carried out";
    RREPLACEFAIL = 0x0013, "replace_sm could not be carried out";
    RMSGQFUL = 0x0014, "message queue full";
    RINVSERTYP = 0x0015, "service_type not accepted";
    RINVNUMDESTS = 0x0033, "number_of_dests out of range";
    RINVDLNAME = 0x0034, "distribution list name unknown";
    RINVDESTFLAG = 0x0040, "dest_flag in submit_multi is neither 1 nor 2";
    RINVSUBREP = 0x0042, "submit with replace_if_present_flag could not be honoured";
    RINVESMCLASS = 0x0043, "esm_class value not accepted";
    RCNTSUBDL = 0x0044, "submission to a distribution list not possible";
    RSUBMITFAIL = 0x0045, "submit_sm or submit_multi failed, reason not given";
    RINVSRCTON = 0x0048, "source TON not accepted";
    RINVSRCNPI = 0x0049, "source NPI not accepted";
    RINVDSTTON = 0x0050, "destination TON not accepted";
    RINVDSTNPI = 0x0051, "destination NPI not accepted";
    RINVSYSTYP = 0x0053, "system_type not accepted";
    RINVREPFLAG = 0x0054, "replace_if_present_flag value not accepted";
    RINVNUMMSGS = 0x0055, "number of messages out of range";
    RTHROTTLED = 0x0058, "sending faster than allowed";
    RINVSCHED = 0x0061, "schedule_delivery_time malformed or not accepted";
    RINVEXPIRY = 0x0062, "validity_period malformed or not accepted";
    RINVDFTMSGID = 0x0063, "sm_default_msg_id unknown";
    RX_T_APPN = 0x0064, "receiving ESME reports a temporary application fault";
    RX_P_APPN = 0x0065, "receiving ESME reports a permanent application fault";
    RX_R_APPN = 0x0066, "receiving ESME rejects this message";
    RQUERYFAIL = 0x0067, "query_sm could not be carried out";
    RINVOPTPARSTREAM = 0x00C0, "the TLV area of the PDU cannot be parsed";
    ROPTPARNOTALLWD = 0x00C1, "this TLV is not allowed in this PDU";
    RINVPARLEN = 0x00C2, "a parameter length is wrong";
    RMISSINGOPTPARAM = 0x00C3, "a required TLV is missing";
    RINVOPTPARAMVAL = 0x00C4, "a TLV value is not accepted";
    RDELIVERYFAILURE = 0x00FE, "delivery failed (data_sm_resp, transaction mode)";
    RUNKNOWNERR = 0x00FF, "fault without a code";
    RSERTYPUNAUTH = 0x0100, "service_type not authorised for this ESME";
    RPROHIBITED = 0x0101, "operation prohibited for this ESME";
    RSERTYPUNAVAIL = 0x0102, "service_type not available";
    RSERTYPDENIED = 0x0103, "service_type denied";
    RINVDCS = 0x0104, "data_coding not accepted";
    RINVSRCADDRSUBUNIT = 0x0105, "source_addr_subunit not accepted";
    RINVDSTADDRSUBUNIT = 0x0106, "dest_addr_subunit not accepted";
    RINVBCASTFREQINT = 0x0107, "broadcast_frequency_interval not accepted";
    RINVBCASTALIAS_NAME = 0x0108, "broadcast area alias unknown";
    RINVBCASTAREAFMT = 0x0109, "broadcast area format not accepted";
    RINVNUMBCAST_AREAS = 0x010A, "number of broadcast areas not accepted";
    RINVBCASTCNTTYPE = 0x010B, "broadcast_content_type not accepted";
    RINVBCASTMSGCLASS = 0x010C, "broadcast_message_class not accepted";
    RBCASTFAIL = 0x010D, "broadcast_sm failed";
    RBCASTQUERYFAIL = 0x010E, "query_broadcast_sm failed";
    RBCASTCANCELFAIL = 0x010F, "cancel_broadcast_sm failed";
    RINVBCAST_REP = 0x0110, "broadcast_rep_num not accepted";
    RINVBCASTSRVGRP = 0x0111, "broadcast_service_group not accepted";
    RINVBCASTCHANIND = 0x0112, "broadcast_channel_indicator not accepted";
}

impl CommandStatus {
    /// Returns whether the operation succeeded.
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for CommandStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({:#010x}): {}", self.0, self.meaning()),
            None => write!(f, "{:#010x}: {}", self.0, self.meaning()),
        }
    }
}

impl fmt::Debug for CommandStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#010x}", self.0),
        }
    }
}
