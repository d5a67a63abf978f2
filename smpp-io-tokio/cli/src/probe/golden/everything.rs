// Observed, without a field of `Provider`:
// - smsc_system_id: "smsc"; system_id of the bind response
// - sc_interface_version: 0x33; sc_interface_version of the bind response
// - bind_status: "ESME_RBINDFAIL"; bind 3 was refused with ESME_RBINDFAIL while 2 of the probe were bound;
// binds of other programs count, too
// - rate_status: "ESME_RMSGQFUL"; of 70 messages sent on one bind within 0 ms, 50 were accepted within the
// second before the first refusal with ESME_RMSGQFUL
// - window_status: "ESME_RSYSERR"; of 4 messages at once, those with at most 2 in flight were accepted, the
// others were refused with ESME_RSYSERR
// - responses_in_order: true; 74 responses to messages at once, all in order
// - idle_cut: 30; the SMSC ended a bind 30.0 s after its last PDU: the peer unbound
// - smsc_enquire_link_interval: not found out: 0 enquire_link of the SMSC seen
// - submit_tlvs: "given_back"; user_message_reference was accepted, and in the receipt
// - response_tlvs: ["0x1400"]; TLVs of 58 responses
// - accepted_data_codings: [0, 8]; data_coding of accepted messages; others were not tested
// - response_message_ids: "hexadecimal in lower case, 8 characters"; 58 seen, such as "9ac5a438"
// - text_message_ids: "decimal, 12 characters, with leading zeros"; 15 seen, such as "002596643896"
// - receipted_message_ids: "hexadecimal in upper case, 10 characters, with leading zeros"; 15 seen, such as
// "009AC5A438"
// - receipted_message_id_policy: { ignore_case = false, submitted = "hexadecimal", receipted = "hexadecimal"
// }; 15 of 15 ids in the receipted_message_id are that of a response: the same hexadecimal number, with other
// case or leading zeros
// - receipt_content: { text = true, receipted_message_id = true, message_state = true }; of 15 receipts, 15
// had the id in the text, 15 had receipted_message_id, 15 had message_state
// - segment_receipts: "last"; 2 segments had an id each; 1 of them had receipts, the last one
// - intermediate_states: ["enroute"]; 5 of 15 receipts: ENROUTE with esm_class 0x20
// - state_change: ["delivered", "undeliverable"]; a receipt with UNDELIVERABLE followed one with DELIVERED
// for the same message
// - receipt_esm_classes: [0x20, 0x24]; esm_class of 15 receipts: 0x20 (5), 0x24 (10)
// - leading_nul: true; 15 of 15 texts began with a NUL
// - receipts_before_response: false; 0 of 15 receipts came before the submit_sm_resp
// - mo_segments_on_several_binds: true; 2 segments of one text arrived on 2 binds
// - mo_one_segment_at_a_time: false; 1 of 2 segments came before the response to the one before
// - remarks: ["The SMSC ended bind 1 after 42.3 s: the peer unbound"]; what else happened

/// A provider for smpp-proto.
pub const PROVIDER: smpp_proto::provider::Provider = smpp_proto::provider::Provider::UNSTATED
    // the host, for want of a name
    .name("smpp.example")
    // from --url
    .host("smpp.example")
    // plain_port: not found out: --url names the other port
    // from --url
    .tls_port(2776)
    // the SMSC states 0x33; TLVs in submit_sm: user_message_reference was accepted, and in the receipt
    .interface_version(smpp_proto::InterfaceVersion::V3_4)
    // bind 3 was refused with ESME_RBINDFAIL while 2 of the probe were bound; binds of other programs count,
    // too
    .max_binds(2)
    // of 70 messages sent on one bind within 0 ms, 50 were accepted within the second before the first
    // refusal with ESME_RMSGQFUL
    .rate(smpp_proto::session::Rate::per_second(50))
    // of 4 messages at once, those with at most 2 in flight were accepted, the others were refused with
    // ESME_RSYSERR
    .window(2)
    // half of the time that a bind may be idle: the SMSC ended a bind 30.0 s after its last PDU: the peer
    // unbound
    .enquire_link_interval(core::time::Duration::from_secs(15))
    // at the rate limit: of 70 messages sent on one bind within 0 ms, 50 were accepted within the second
    // before the first refusal with ESME_RMSGQFUL; at the bind limit: bind 3 was refused with ESME_RBINDFAIL
    // while 2 of the probe were bound; binds of other programs count, too
    .statuses(smpp_proto::provider::StatusTable::UNSTATED.submit(&[(smpp_proto::CommandStatus::RMSGQFUL, smpp_proto::provider::SubmitAction::Pause { times: 10, delay: core::time::Duration::from_secs(1) })]).bind(&[(smpp_proto::CommandStatus::RBINDFAIL, smpp_proto::provider::BindAction::Retry)]))
    // operations: not found out: only submit_sm was tested
    // data_codings: not found out: [0, 8] were accepted, others not tested
    // the alphabet of data_coding 0, and UCS-2
    .alphabets(&[smpp_proto::sms::Alphabet::Latin1, smpp_proto::sms::Alphabet::Ucs2])
    // 2 segments with a user data header were accepted
    .long_messages(smpp_proto::provider::LongMessages::Udh8)
    // max_message_id: not found out: the longest seen has 8 octets
    .codings(
        smpp_proto::provider::Provider::UNSTATED.codings
            // the octets sent with data_coding 0 came back with data_coding 8 as "probe: $@[_`{é"; the
            // characters sent in UCS-2 came back with data_coding 8 as "probe: @$_é£"
            .smsc_default(smpp_proto::sms::Alphabet::Latin1)
            // ia5: not found out: data_coding 1 was not tested
    )
    .receipts(
        smpp_proto::provider::ReceiptDialect::UNSTATED
            // 15 receipts for 6 messages with registered_delivery 1
            .registered_delivery(smpp_proto::RegisteredDelivery::RECEIPT)
            // request_on_last_segment: not found out: each message requested receipts in all its segments
            // 2 segments had an id each; 1 of them had receipts, the last one
            .scope(smpp_proto::provider::ReceiptScope::Message)
            // states of 15 receipts: ENROUTE (5), DELIVRD (5), UNDELIV (5); others are possible
            .states(&[smpp_proto::MessageState::ENROUTE, smpp_proto::MessageState::DELIVERED, smpp_proto::MessageState::UNDELIVERABLE])
            // final_states: not found out: every message ended with a state that is final elsewhere as well
            // state_words: not found out: no word of 15 receipts is unknown
            // 5 of 15 receipts came on another bind than the message went
            .route(smpp_proto::provider::ReceiptRoute::AnyBind)
            // 0 of 15 receipts are not marked in esm_class; 0 of these have receipted_message_id and
            // message_state
            .detection(smpp_proto::sms::Detection::ByEsmClass)
            // esm_class of 15 receipts: 0x20 (5), 0x24 (10)
            .esm_classes(&[smpp_proto::EsmClass::from_bits_retain(0x24)])
            // 15 of 15 ids in the text are that of a response: hexadecimal in the response, decimal in the
            // receipt
            .message_ids(smpp_proto::sms::MessageIdPolicy::EXACT.numbers(smpp_proto::sms::NumericIds::new(smpp_proto::sms::IdNotation::Hexadecimal, smpp_proto::sms::IdNotation::Decimal)))
            // all of 15 receipts match their message
            .id_fallback(smpp_proto::sms::IdFallback::None)
            // the date "2611230632" at 01:02 UTC
            .offset(match smpp_proto::sms::time::UtcOffset::from_quarters(22) { Ok(offset) => offset, Err(_) => smpp_proto::sms::time::UtcOffset::UTC })
    )
    ;
