//! The setters of the options, as another crate calls them: each sets its field and no other.

use std::time::Duration;

use smpp_proto::account::{
    Backoff, Binds, Credentials, Options, ReceiptOptions, SegmentAckMode, Statuses, UnansweredPolicy,
};
use smpp_proto::provider::{
    HostStatus, LongMessages, Provider, ReceiptDialect, ReceiptRoute, ReceiptScope, Region, StateWord,
    StatusTable, SubmitAction, TlsVersion,
};
use smpp_proto::server::{self, AccountName, Admission, BindLimits, DeliveryOptions};
use smpp_proto::session::{Config, Operations, Rate};
use smpp_proto::simulator::{
    DeliveryRoute, Dialect, Echo, Faults, IdForm, MoMessage, MoSegmentation, ReceiptContent, ReceiptTiming,
    Rules, SegmentReceipts, StateWeights, SubmitTlvs,
};
use smpp_proto::sms::gsm7::Language;
use smpp_proto::sms::time::UtcOffset;
use smpp_proto::sms::udh::ConcatRef;
use smpp_proto::sms::{
    Alphabet, Codings, Detection, IdFallback, IdNotation, IdSource, MessageIdPolicy, MessageReference,
    NumericIds, ReassemblyLimits, Receipt, ReceiptCarrier, SegmentInfo, TextOptions, UserData, udh,
};
use smpp_proto::tlv::{NetworkErrorCode, NetworkErrorType};
use smpp_proto::{
    BindMode, CommandStatus, DataCoding, Endpoint, EsmClass, InterfaceVersion, MessageState, Npi, Quirks,
    RegisteredDelivery, Tag, Tlv, Tlvs, Tolerance, Ton,
};

const RATE: Rate = Rate::per_second(7);
const TIME: Duration = Duration::from_millis(1_234_567);

/// Sets each field of a value to another value, and reads it back.
macro_rules! check {
    ($base:expr, $($field:ident($value:expr) => $expected:expr,)+) => {$({
        let base = $base;
        let mut changed = base.clone().$field($value);
        assert!(changed.$field == $expected, "{}", stringify!($field));
        assert!(changed != base, "{}: the value is another one", stringify!($field));
        changed.$field = base.$field.clone();
        assert!(changed == base, "{}: no other field is set", stringify!($field));
    })+};
    // The value is the field.
    ($base:expr; $($field:ident: $value:expr,)+) => { check!($base, $($field($value) => $value,)+); };
    // The value is inside an `Option`. `None` is accepted as well.
    ($base:expr; optional $($field:ident: $value:expr,)+) => {
        check!($base, $($field($value) => Some($value),)+);
        $(assert!($base.$field($value).$field(None).$field.is_none());)+
    };
    // The value is inside an `Option`.
    ($base:expr; some $($field:ident: $value:expr,)+) => { check!($base, $($field($value) => Some($value),)+); };
}

#[test]
fn options_of_an_account() {
    let endpoint = Endpoint::plain("smsc", 2775);
    check!(Credentials::new("shop", "s3cret"),
        system_id("other") => "other",
        password("other") => "other",
        system_type("VMA") => "VMA",
        address_range("^49") => "^49",
        tlvs([(Tag(0x1500), vec![1])]) => [(Tag(0x1500), vec![1])],
    );
    check!(Credentials::default(); addr_ton: Ton::NATIONAL, addr_npi: Npi::ISDN,);
    check!(Backoff::default(); initial: TIME, max: TIME, reset_after: TIME,);
    check!(ReceiptOptions::default();
        dialect: ReceiptDialect::UNSTATED.esm_classes(&[EsmClass::DELIVERY_ACKNOWLEDGEMENT]),
        capacity: 7, max_age: TIME, remember_completed: TIME, early_capacity: 7,
    );
    let options = || Options::new(Credentials::new("shop", "s3cret"), &Provider::UNSTATED);
    check!(options();
        credentials: Credentials::new("other", "s3cret"), interface_version: InterfaceVersion::V3_3,
        bind_quirks: Quirks::LONG_STRING, binds: Binds::pairs(2), max_binds: 7, connect_interval: TIME,
        backoff: Backoff::default().max(TIME), session: Config::default().window(7), connect_timeout: TIME,
        text: TextOptions::default().codings(Codings::GSM7), long_messages: LongMessages::Sar, queue_capacity: 7,
        request_capacity: 7, unanswered_policy: UnansweredPolicy::Resend(1), spread_segments: true,
        statuses: Statuses::default().on_submit(CommandStatus::RSYSERR, SubmitAction::Stop),
        receipts: ReceiptOptions::default().max_age(TIME), reassembly: ReassemblyLimits::default().max_age(TIME),
        segment_ack_timeout: TIME, unbind_timeout: TIME, segment_ack_mode: SegmentAckMode::Strict,
    );
    check!(options(), endpoints([endpoint.clone()]) => [endpoint.clone()],);
    check!(options(); optional rate: RATE, seed: 7,);
    check!(endpoint.clone(), host("other") => "other", port(1) => 1,);
    check!(Endpoint::tls("smsc", 2776), system_id("shop") => Some("shop".to_owned()), password("x") => Some("x".to_owned()),);
}

#[test]
fn options_of_a_session() {
    check!(Config::default();
        window: 7, max_unanswered: 7, backpressure_timeout: TIME, max_pdu: 77, max_output: 7, max_malformed: 7,
        operations: Operations::SUBMIT_SM, assumed_version: InterfaceVersion::V3_3, slow_down_when_throttled: false,
        session_init_timeout: TIME, awaits_outbind: true, response_timeout: TIME, late_response_timeout: TIME,
        max_response_timeouts: 77, enquire_link_is_activity: !Config::default().enquire_link_is_activity,
        drain_timeout: TIME,
    );
    check!(Config::default(); optional
        tolerance: Tolerance::STRICT, peer_version: InterfaceVersion::V3_3, rate: RATE, enquire_link_interval: TIME,
        inactivity_timeout: TIME,
    );
}

#[test]
fn options_of_a_server() {
    let options = server::Options::default;
    check!(BindLimits::total(4); transmitters: 1, receivers: 1, transceivers: 1,);
    check!(DeliveryOptions::default();
        capacity: 7, octets: 7, total_octets: 7, max_age: TIME, max_attempts: 7, retry_interval: TIME,
    );
    check!(options();
        connections: 7, connections_per_address: 7, unbound_connections: 7, unbound_octets: 7, unbound_pdu: 7,
        binds: BindLimits::total(4), binds_status: CommandStatus::RSYSERR, rate_status: CommandStatus::RMSGQFUL,
        decision_timeout: TIME, deliveries: DeliveryOptions::default().octets(7),
    );
    check!(options(); optional rate: RATE, account_rate: RATE, interface_version: InterfaceVersion::V5_0,);
    check!(options(), system_id(*b"smsc") => (*b"smsc").into(),);
    check!(Admission::default(); optional
        account: AccountName::new(b"shop"), binds: BindLimits::total(4), rate: RATE, account_rate: RATE,
        tolerance: Tolerance::STRICT, peer_version: InterfaceVersion::V3_3,
    );
}

/// These setters can be called in constants.
#[test]
fn providers() {
    const OFFSET: UtcOffset = UtcOffset::UTC;
    const IDS: MessageIdPolicy = MessageIdPolicy::EXACT
        .ignore_case(true)
        .numbers(NumericIds::new(IdNotation::Hexadecimal, IdNotation::Decimal));
    const WORD: StateWord = StateWord::new("NACK", MessageState::REJECTED);
    const DIALECT: ReceiptDialect = ReceiptDialect::UNSTATED
        .registered_delivery(RegisteredDelivery::RECEIPT)
        .request_on_last_segment(true)
        .scope(ReceiptScope::Message)
        .states(&[MessageState::DELIVERED])
        .final_states(&[MessageState::DELIVERED])
        .state_words(&[WORD])
        .route(ReceiptRoute::AnyBind)
        .detection(Detection::ByContent)
        .esm_classes(&[EsmClass::DELIVERY_ACKNOWLEDGEMENT])
        .message_ids(IDS)
        .id_fallback(IdFallback::OtherId)
        .offset(OFFSET);
    const STATUSES: StatusTable =
        StatusTable::UNSTATED.submit(&[(CommandStatus::RSYSERR, SubmitAction::Stop)]);
    const REGION: Region = Region::new("Europe", "eu.smsc").status(HostStatus::Inferred);
    const PROVIDER: Provider = Provider::UNSTATED
        .name("Acme")
        .regions(&[REGION])
        .codings(Codings::DEFAULT.smsc_default(Alphabet::Latin1).ia5(Alphabet::Gsm7))
        .receipts(DIALECT)
        .statuses(STATUSES);
    assert_eq!((PROVIDER.name, PROVIDER.regions, PROVIDER.receipts), ("Acme", &[REGION][..], DIALECT));
    assert_eq!((PROVIDER.codings.smsc_default, PROVIDER.codings.ia5), (Alphabet::Latin1, Alphabet::Gsm7));
    assert_eq!((REGION.name, REGION.host, REGION.status), ("Europe", "eu.smsc", HostStatus::Inferred));
    assert!(
        WORD.is_final
            && !StateWord::new("NEW", MessageState::ENROUTE).is_final
            && !WORD.is_final(false).is_final
    );
    assert!(IDS.ignore_case && !IDS.ignore_case(false).ignore_case && Codings::DEFAULT == Codings::default());

    check!(Provider::UNSTATED;
        name: "Acme", host: "smsc", tls_versions: &[TlsVersion::V1_3], interface_version: InterfaceVersion::V3_3,
        bind_quirks: Quirks::LONG_STRING, recommended_binds: &[BindMode::Receiver], operations: Operations::SUBMIT_SM,
        codings: Codings::GSM7, data_codings: &[DataCoding::UCS2], alphabets: &[Alphabet::Ucs2], receipts: DIALECT,
        statuses: STATUSES, regions: &[REGION],
    );
    check!(Provider::UNSTATED; some
        plain_port: 2775, tls_port: 2776, max_binds: 7, rate: RATE, window: 7, enquire_link_interval: TIME,
        long_messages: LongMessages::Sar, max_message_id: 10,
    );
    check!(ReceiptDialect::UNSTATED;
        request_on_last_segment: true, scope: ReceiptScope::Message, states: &[MessageState::DELIVERED],
        final_states: &[MessageState::DELIVERED], state_words: &[WORD], detection: Detection::ByTlvs,
        esm_classes: &[EsmClass::DELIVERY_ACKNOWLEDGEMENT], message_ids: IDS, id_fallback: IdFallback::OtherId,
    );
    check!(ReceiptDialect::UNSTATED; some
        registered_delivery: RegisteredDelivery::RECEIPT, route: ReceiptRoute::AnyBind, offset: OFFSET,
    );
    check!(StatusTable::UNSTATED;
        submit: STATUSES.submit, bind: StatusTable::DEFAULT.bind,
    );
}

#[test]
fn texts_and_receipts() {
    check!(TextOptions::default();
        codings: Codings::GSM7, alphabets: &[Alphabet::Ucs2], languages: &[Language::TURKISH],
    );
    check!(ReassemblyLimits::default();
        max_messages: 7, max_octets: 7, max_messages_per_sender: 7, max_octets_per_sender: 7, max_age: TIME,
        duplicate_window: TIME,
    );
    let error = NetworkErrorCode { network: NetworkErrorType::GSM, code: 7 };
    check!(Receipt::default();
        id: b"7f", id_source: IdSource::Tlv { in_text: b"127" }, stat: b"DELIVRD", is_intermediate: true,
    );
    check!(Receipt::default(); some
        sub: 1, dlvrd: 1, submit_date: b"2601010000", done_date: b"2601010001", err: b"000", text: b"Hello",
        network_error_code: error, user_message_reference: 7,
    );
    let tlvs = [Tlv::user_message_reference(7)];
    check!(ReceiptCarrier::default();
        esm_class: EsmClass::DELIVERY_RECEIPT, data_coding: DataCoding::UCS2, user_data: b"id:1",
        tlvs: Tlvs::list(&tlvs),
    );
    let segment = SegmentInfo { reference: MessageReference::Udh(ConcatRef::Wide(1)), total: 2, number: 1 };
    check!(UserData::default(); octets: b"Hi", esm_class: EsmClass::UDHI, data_coding: DataCoding::UCS2,);
    check!(UserData::default(); optional segment: segment, header: udh::split(&[0]).unwrap().0,);
}

#[test]
fn rules_of_a_simulated_smsc() {
    let id = IdForm::Decimal { digits: 12 };
    check!(Rules::default();
        max_binds: 7, throttled_percent: 7, receipt_timing: ReceiptTiming::Never, receipt_delay: TIME,
        states: StateWeights::all(MessageState::EXPIRED), max_receipts: 7, epoch: 7,
        dialect: Dialect::default().leading_nul(true), seed: 7,
    );
    check!(Rules::default(); optional rate: RATE,);
    check!(Dialect::default();
        response_ids: id, text_ids: id, tlv_ids: id, receipt_content: ReceiptContent::Tlvs,
        segment_receipts: SegmentReceipts::Last, receipt_esm_class: EsmClass::UDHI,
        intermediate_esm_class: EsmClass::UDHI, leading_nul: true,
        receipt_offset: UtcOffset::from_quarters(22).unwrap(), route: DeliveryRoute::InTurn, one_at_a_time: true,
        submit_tlvs: SubmitTlvs::Echo, bind_status: CommandStatus::RSYSERR, rate_status: CommandStatus::RSYSERR,
        window_status: CommandStatus::RMSGQFUL, default_alphabet: Alphabet::Latin1,
    );
    check!(Dialect::default(), sc_interface_version(None) => None,
        response_tlvs([(Tag(0x1400), vec![1])]) => [(Tag(0x1400), vec![1])],
        refused_destinations([("49".to_owned(), CommandStatus::RINVDSTADR)])
            => [("49".to_owned(), CommandStatus::RINVDSTADR)],
    );
    check!(Dialect::default(); optional
        intermediate: MessageState::ENROUTE, correction: MessageState::EXPIRED, window: 7, echo: Echo::Ucs2,
        idle_timeout: TIME,
    );
    check!(Faults::default();
        response_delay: TIME, reorder: true, drop_percent: 7, reset_percent: 7, wrong_sequence_percent: 7,
        cut_percent: 7, corrupt_length_percent: 7, corrupt_body_percent: 7, half_close_percent: 7, coalesce: true,
        no_unbind_resp: true, silent: true, max_write: 7,
    );
    check!(Faults::default(); optional refuse_binds: CommandStatus::RBINDFAIL,);
    check!(MoMessage::new("49", "8888", "Hello"); segmentation: MoSegmentation::Sar,);
    check!(MoMessage::new("49", "8888", "Hello"); optional account: "shop", data_coding: DataCoding::UCS2,);
}

/// The defaults as constants of another crate, with setters that are `const`.
#[test]
fn defaults_are_constants() {
    const CONFIG: Config = Config::DEFAULT.window(7).response_timeout(TIME);
    const BACKOFF: Backoff = Backoff::DEFAULT.max(TIME);
    const RECEIPTS: ReceiptOptions = ReceiptOptions::DEFAULT.capacity(7);
    const REASSEMBLY: ReassemblyLimits = ReassemblyLimits::DEFAULT.max_messages(7);
    const TEXT: TextOptions<'static> = TextOptions::DEFAULT.alphabets(&[Alphabet::Ucs2]);
    const DELIVERIES: DeliveryOptions = DeliveryOptions::DEFAULT.capacity(7);
    const FAULTS: Faults = Faults::DEFAULT.drop_percent(7);
    const DIALECT: Dialect = Dialect::DEFAULT;
    assert_eq!(CONFIG, Config::default().window(7).response_timeout(TIME));
    assert_eq!(BACKOFF, Backoff::default().max(TIME));
    assert_eq!(RECEIPTS, ReceiptOptions::default().capacity(7));
    assert_eq!(REASSEMBLY, ReassemblyLimits::default().max_messages(7));
    assert_eq!(TEXT, TextOptions::default().alphabets(&[Alphabet::Ucs2]));
    assert_eq!(DELIVERIES, DeliveryOptions::default().capacity(7));
    assert_eq!(FAULTS, Faults::default().drop_percent(7));
    assert_eq!(DIALECT, Dialect::default());
}
