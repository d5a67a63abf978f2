// Observed, without a field of `Provider`:
// - smsc_system_id: "smsc"; system_id of the bind response
// - sc_interface_version: not found out: the bind response has no sc_interface_version
// - bind_status: not found out: 1 bind(s) at a time were accepted, and --max-binds allows no more
// - rate_status: not found out: not tested; --exceed-rate with a larger --budget tests it
// - window_status: not found out: not tested; a larger --budget tests it
// - responses_in_order: not found out: not tested; a larger --budget tests it
// - idle_cut: not found out: not tested; --idle SECONDS tests it
// - smsc_enquire_link_interval: not found out: 0 enquire_link of the SMSC seen
// - submit_tlvs: not found out: not tested; a larger --budget tests it
// - response_tlvs: not found out: no message was accepted
// - accepted_data_codings: not found out: no message was accepted
// - response_message_ids: not found out: no response had a message_id
// - text_message_ids: not found out: no text of a receipt had an id
// - receipted_message_ids: not found out: no receipt had receipted_message_id
// - receipted_message_id_policy: not found out: no receipt arrived: it may need more --wait
// - receipt_content: not found out: no receipt arrived: it may need more --wait
// - segment_receipts: not found out: no segments were accepted
// - intermediate_states: not found out: no receipt arrived: it may need more --wait
// - state_change: not found out: no receipt arrived: it may need more --wait
// - receipt_esm_classes: not found out: no receipt arrived: it may need more --wait
// - leading_nul: not found out: no receipt arrived: it may need more --wait
// - receipts_before_response: not found out: no receipt arrived: it may need more --wait
// - mo_segments_on_several_binds: not found out: no message in several segments came back: --to is no number
// of the account, or it needs more --wait
// - mo_one_segment_at_a_time: not found out: no message in several segments came back: --to is no number of
// the account, or it needs more --wait

/// A provider for smpp-proto.
pub const PROVIDER: smpp_proto::provider::Provider = smpp_proto::provider::Provider::UNSTATED
    // the host, for want of a name
    .name("smpp.example")
    // from --url
    .host("smpp.example")
    // plain_port: not found out: --url names the other port
    // from --url
    .tls_port(2776)
    // interface_version: not found out: the bind response has no sc_interface_version
    // max_binds: not found out: 1 bind(s) at a time were accepted, and --max-binds allows no more
    // rate: not found out: not tested; --exceed-rate with a larger --budget tests it
    // window: not found out: not tested; a larger --budget tests it
    // enquire_link_interval: not found out: not tested; --idle SECONDS tests it
    // statuses: not found out: at the rate limit: not tested; --exceed-rate with a larger --budget tests it;
    // at the bind limit: 1 bind(s) at a time were accepted, and --max-binds allows no more
    // operations: not found out: only submit_sm was tested
    // data_codings: not found out: no message was accepted
    // alphabets: not found out: no message that would show it was accepted
    // long_messages: not found out: not tested; a larger --budget tests it
    // max_message_id: not found out: no response had a message_id
    .codings(
        smpp_proto::provider::Provider::UNSTATED.codings
            // smsc_default: not found out: no message that would show it was accepted
            // ia5: not found out: data_coding 1 was not tested
    )
    .receipts(
        smpp_proto::provider::ReceiptDialect::UNSTATED
            // registered_delivery: not found out: no receipt arrived: it may need more --wait
            // request_on_last_segment: not found out: each message requested receipts in all its segments
            // scope: not found out: no segments were accepted
            // states: not found out: no receipt arrived: it may need more --wait
            // final_states: not found out: no receipt arrived: it may need more --wait
            // state_words: not found out: no word of 0 receipts is unknown
            // route: not found out: no receipt arrived: it may need more --wait
            // detection: not found out: no receipt arrived: it may need more --wait
            // esm_classes: not found out: no receipt arrived: it may need more --wait
            // message_ids: not found out: no receipt arrived: it may need more --wait
            // id_fallback: not found out: no receipt arrived: it may need more --wait
            // offset: not found out: no receipt arrived: it may need more --wait
    )
    ;
