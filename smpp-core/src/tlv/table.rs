//! The table of every optional parameter of SMPP 3.4 (§5.3.2) and 5.0 (§4.8.4).

/// Passes the table to the macro `$define`, in tag order. Each row has the constant, the name in the specification,
/// the number, the lengths and the kind: `value` (at most four octets), `parts` (octets of a structure), `octets`,
/// `text` or `time` (text that ends with NUL), `telematics` (one octet, or two from some peers).
macro_rules! tag_table {
    ($define:ident) => {
        $define! {
            /// The component of the device that the message is addressed to (SMPP 3.4 §5.3.2.1).
            DEST_ADDR_SUBUNIT dest_addr_subunit = 0x0005, 1..=1, value(AddrSubunit);
            /// The network type of the recipient (SMPP 3.4 §5.3.2.3).
            DEST_NETWORK_TYPE dest_network_type = 0x0006, 1..=1, value(NetworkType);
            /// The bearer that carries the message to the recipient (SMPP 3.4 §5.3.2.5).
            DEST_BEARER_TYPE dest_bearer_type = 0x0007, 1..=1, value(BearerType);
            /// The telematic interworking of the recipient (SMPP 3.4 §5.3.2.7).
            DEST_TELEMATICS_ID dest_telematics_id = 0x0008, 2..=2, value(u16);
            /// The component of the device that sent the message (SMPP 3.4 §5.3.2.2).
            SOURCE_ADDR_SUBUNIT source_addr_subunit = 0x000D, 1..=1, value(AddrSubunit);
            /// The network type of the sender (SMPP 3.4 §5.3.2.4).
            SOURCE_NETWORK_TYPE source_network_type = 0x000E, 1..=1, value(NetworkType);
            /// The bearer that carried the message from the sender (SMPP 3.4 §5.3.2.6).
            SOURCE_BEARER_TYPE source_bearer_type = 0x000F, 1..=1, value(BearerType);
            /// The telematic interworking of the sender (SMPP 3.4 §5.3.2.8).
            /// One octet. The accessor also reads two octets, which some peers send.
            SOURCE_TELEMATICS_ID source_telematics_id = 0x0010, 1..=1, telematics(u8);
            /// How long the SMSC keeps the message, in seconds (SMPP 3.4 §5.3.2.9).
            QOS_TIME_TO_LIVE qos_time_to_live = 0x0017, 4..=4, value(u32);
            /// The protocol above the bearer (SMPP 3.4 §5.3.2.10).
            PAYLOAD_TYPE payload_type = 0x0019, 1..=1, value(PayloadType);
            /// A text that explains the status of the response (SMPP 3.4 §5.3.2.11).
            ADDITIONAL_STATUS_INFO_TEXT additional_status_info_text = 0x001D, 1..=256, text;
            /// The id of the message that a delivery receipt reports on (SMPP 3.4 §5.3.2.12).
            RECEIPTED_MESSAGE_ID receipted_message_id = 0x001E, 1..=65, text;
            /// The message waiting indication of the handset (SMPP 3.4 §5.3.2.13).
            MS_MSG_WAIT_FACILITIES ms_msg_wait_facilities = 0x0030, 1..=1, value(MsMsgWaitFacilities);
            /// The privacy level of the message (SMPP 3.4 §5.3.2.14).
            PRIVACY_INDICATOR privacy_indicator = 0x0201, 1..=1, value(PrivacyIndicator);
            /// The subaddress of the sender (SMPP 3.4 §5.3.2.15).
            SOURCE_SUBADDRESS source_subaddress = 0x0202, 2..=23, parts(Subaddress<'a>);
            /// The subaddress of the recipient (SMPP 3.4 §5.3.2.16).
            DEST_SUBADDRESS dest_subaddress = 0x0203, 2..=23, parts(Subaddress<'a>);
            /// A reference number that the ESME assigned to the message (SMPP 3.4 §5.3.2.17).
            USER_MESSAGE_REFERENCE user_message_reference = 0x0204, 2..=2, value(u16);
            /// The response code that the user entered (SMPP 3.4 §5.3.2.18).
            USER_RESPONSE_CODE user_response_code = 0x0205, 1..=1, value(u8);
            /// The application port of the sender (SMPP 3.4 §5.3.2.20).
            SOURCE_PORT source_port = 0x020A, 2..=2, value(u16);
            /// The application port of the recipient, called dest_port in SMPP 5.0 (SMPP 3.4 §5.3.2.21).
            DESTINATION_PORT destination_port = 0x020B, 2..=2, value(u16);
            /// The reference number of a concatenated message, the same in all its segments (SMPP 3.4 §5.3.2.22).
            SAR_MSG_REF_NUM sar_msg_ref_num = 0x020C, 2..=2, value(u16);
            /// The language of the text (SMPP 3.4 §5.3.2.19).
            LANGUAGE_INDICATOR language_indicator = 0x020D, 1..=1, value(LanguageIndicator);
            /// The number of segments of the message, `1..=255` (SMPP 3.4 §5.3.2.23).
            SAR_TOTAL_SEGMENTS sar_total_segments = 0x020E, 1..=1, value(u8);
            /// The number of this segment, `1..=255` (SMPP 3.4 §5.3.2.24).
            SAR_SEGMENT_SEQNUM sar_segment_seqnum = 0x020F, 1..=1, value(u8);
            /// The protocol version that the SMSC speaks (SMPP 3.4 §5.3.2.25).
            SC_INTERFACE_VERSION sc_interface_version = 0x0210, 1..=1, value(InterfaceVersion);
            /// Whether the callback number may be shown (SMPP 3.4 §5.3.2.37).
            /// May occur several times: [`Tlvs::all`](crate::Tlvs::all) returns all of them.
            CALLBACK_NUM_PRES_IND callback_num_pres_ind = 0x0302, 1..=1, value(CallbackNumPresInd);
            /// The name that belongs to the callback number (SMPP 3.4 §5.3.2.38).
            /// May occur several times: [`Tlvs::all`](crate::Tlvs::all) returns all of them.
            CALLBACK_NUM_ATAG callback_num_atag = 0x0303, 1..=65, parts(CallbackNumAtag<'a>);
            /// The number of messages in the mailbox, `0..=99` (SMPP 3.4 §5.3.2.39).
            NUMBER_OF_MESSAGES number_of_messages = 0x0304, 1..=1, value(u8);
            /// A number to call back (SMPP 3.4 §5.3.2.36).
            /// May occur several times: [`Tlvs::all`](crate::Tlvs::all) returns all of them.
            CALLBACK_NUM callback_num = 0x0381, 4..=19, parts(CallbackNum<'a>);
            /// Whether the delivery pending flag was set (SMPP 3.4 §5.3.2.28).
            DPF_RESULT dpf_result = 0x0420, 1..=1, value(DpfResult);
            /// Whether to set the delivery pending flag if delivery fails (SMPP 3.4 §5.3.2.29).
            SET_DPF set_dpf = 0x0421, 1..=1, value(SetDpf);
            /// Whether the subscriber can be reached (SMPP 3.4 §5.3.2.30).
            MS_AVAILABILITY_STATUS ms_availability_status = 0x0422, 1..=1, value(MsAvailabilityStatus);
            /// The error code of the network for a failed delivery (SMPP 3.4 §5.3.2.31).
            NETWORK_ERROR_CODE network_error_code = 0x0423, 3..=3, value(NetworkErrorCode);
            /// The message text, if `short_message` is too small for it (SMPP 3.4 §5.3.2.32).
            MESSAGE_PAYLOAD message_payload = 0x0424, 0..=65535, octets;
            /// Why the message was not delivered (SMPP 3.4 §5.3.2.33).
            DELIVERY_FAILURE_REASON delivery_failure_reason = 0x0425, 1..=1, value(DeliveryFailureReason);
            /// Whether more messages for the same recipient follow (SMPP 3.4 §5.3.2.34).
            MORE_MESSAGES_TO_SEND more_messages_to_send = 0x0426, 1..=1, value(MoreMessagesToSend);
            /// The state of the message (SMPP 3.4 §5.3.2.35).
            MESSAGE_STATE message_state = 0x0427, 1..=1, value(MessageState);
            /// The load of the peer (SMPP 5.0 §4.8.4).
            CONGESTION_STATE congestion_state = 0x0428, 1..=1, value(CongestionState);
            /// The operation of a USSD dialogue (SMPP 3.4 §5.3.2.44).
            USSD_SERVICE_OP ussd_service_op = 0x0501, 1..=1, value(UssdServiceOp);
            /// The channel of a cell broadcast (SMPP 5.0 §4.8.4).
            BROADCAST_CHANNEL_INDICATOR broadcast_channel_indicator = 0x0600, 1..=1, value(BroadcastChannelIndicator);
            /// The content type of the broadcast (SMPP 5.0 §4.8.4).
            BROADCAST_CONTENT_TYPE broadcast_content_type = 0x0601, 3..=3, value(BroadcastContentType);
            /// More information about the content of the broadcast (SMPP 5.0 §4.8.4).
            BROADCAST_CONTENT_TYPE_INFO broadcast_content_type_info = 0x0602, 1..=255, octets;
            /// The message class of the broadcast (SMPP 5.0 §4.8.4).
            BROADCAST_MESSAGE_CLASS broadcast_message_class = 0x0603, 1..=1, value(BroadcastMessageClass);
            /// How often to repeat the broadcast. 0: as long as it is valid (SMPP 5.0 §4.8.4).
            BROADCAST_REP_NUM broadcast_rep_num = 0x0604, 2..=2, value(u16);
            /// The time from one broadcast to the next (SMPP 5.0 §4.8.4).
            BROADCAST_FREQUENCY_INTERVAL broadcast_frequency_interval = 0x0605, 3..=3,
                value(BroadcastFrequencyInterval);
            /// The area of the broadcast. In a response: an area where it failed (SMPP 5.0 §4.8.4).
            /// May occur several times: [`Tlvs::all`](crate::Tlvs::all) returns all of them.
            BROADCAST_AREA_IDENTIFIER broadcast_area_identifier = 0x0606, 1..=101, parts(BroadcastAreaIdentifier<'a>);
            /// Why the broadcast failed in an area (SMPP 5.0 §4.8.4).
            /// May occur several times: [`Tlvs::all`](crate::Tlvs::all) returns all of them.
            BROADCAST_ERROR_STATUS broadcast_error_status = 0x0607, 4..=4, value(CommandStatus);
            /// How many subscribers of an area the broadcast reached, in percent (SMPP 5.0 §4.8.4).
            /// May occur several times: [`Tlvs::all`](crate::Tlvs::all) returns all of them.
            BROADCAST_AREA_SUCCESS broadcast_area_success = 0x0608, 1..=1, value(BroadcastAreaSuccess);
            /// When the broadcast ended: 16 characters, absolute (SMPP 5.0 §4.8.4, SMPP 3.4 §7.1).
            BROADCAST_END_TIME broadcast_end_time = 0x0609, 16..=17, time;
            /// The subscriber group that receives the broadcast (SMPP 5.0 §4.8.4).
            BROADCAST_SERVICE_GROUP broadcast_service_group = 0x060A, 1..=255, octets;
            /// The billing information (SMPP 5.0 §4.8.4).
            BILLING_IDENTIFICATION billing_identification = 0x060B, 1..=1024, parts(BillingIdentification<'a>);
            /// The network of the sender; used with `source_node_id` (SMPP 5.0 §4.8.4).
            SOURCE_NETWORK_ID source_network_id = 0x060D, 7..=65, text;
            /// The network of the recipient; used with `dest_node_id` (SMPP 5.0 §4.8.4).
            DEST_NETWORK_ID dest_network_id = 0x060E, 7..=65, text;
            /// The node of the sender: six decimal digits (SMPP 5.0 §4.8.4).
            SOURCE_NODE_ID source_node_id = 0x060F, 6..=6, octets;
            /// The node of the recipient: six decimal digits (SMPP 5.0 §4.8.4).
            DEST_NODE_ID dest_node_id = 0x0610, 6..=6, octets;
            /// The number portability status of the recipient (SMPP 5.0 §4.8.4).
            DEST_ADDR_NP_RESOLUTION dest_addr_np_resolution = 0x0611, 1..=1, value(DestAddrNpResolution);
            /// The location routing number of a ported number (SMPP 5.0 §4.8.4).
            DEST_ADDR_NP_INFORMATION dest_addr_np_information = 0x0612, 10..=10, octets;
            /// The country of a ported number (SMPP 5.0 §4.8.4).
            DEST_ADDR_NP_COUNTRY dest_addr_np_country = 0x0613, 1..=5, octets;
            /// How long the device displays the message (SMPP 3.4 §5.3.2.26).
            DISPLAY_TIME display_time = 0x1201, 1..=1, value(DisplayTime);
            /// The alert signal (SMPP 3.4 §5.3.2.40).
            SMS_SIGNAL sms_signal = 0x1203, 2..=2, value(u16);
            /// How long the device keeps the message (SMPP 3.4 §5.3.2.27).
            MS_VALIDITY ms_validity = 0x1204, 1..=4, value(MsValidity);
            /// How the device alerts the user to the message (SMPP 3.4 §5.3.2.41).
            ALERT_ON_MESSAGE_DELIVERY alert_on_message_delivery = 0x130C, 0..=1, value(AlertOnMessageDelivery);
            /// The kind of reply that the sender expects (SMPP 3.4 §5.3.2.42).
            ITS_REPLY_TYPE its_reply_type = 0x1380, 1..=1, value(ItsReplyType);
            /// The position of the message in an interactive session (SMPP 3.4 §5.3.2.43).
            ITS_SESSION_INFO its_session_info = 0x1383, 2..=2, value(ItsSessionInfo);
        }
    };
}
pub(super) use tag_table;
