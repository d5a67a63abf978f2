//! Properties of any delivery receipt and of any pair of message ids. The fuzz target and the tests of `smpp-proto`
//! share them.

use smpp_proto::sms::{
    Detection, IdNotation, IdSource, MessageIdPolicy, NumericIds, Receipt, ReceiptCarrier, ReceiptError,
};
use smpp_proto::{DataCoding, EsmClass, MessageState, Tag, Tlv, Tlvs};

/// The octets are `esm_class`, `data_coding`, a length and a state; the rest is a text, a message, and two ids that are
/// split at the length.
pub(crate) fn receipt(octets: &[u8]) {
    let [esm_class, data_coding, length, state, text @ ..] = octets else { return };
    let (id, rest) = text.split_at(text.len().min(usize::from(*length)));
    check_text(text);
    let tlvs = [
        Tlv::new(Tag::RECEIPTED_MESSAGE_ID, id).expect("short enough"),
        Tlv::message_state(MessageState(*state)),
        Tlv::user_message_reference(7),
    ];
    for tlvs in [&[][..], &tlvs] {
        check_message(
            ReceiptCarrier::default()
                .esm_class(EsmClass::from_bits_retain(*esm_class))
                .data_coding(DataCoding(*data_coding))
                .user_data(text)
                .tlvs(Tlvs::list(tlvs)),
        );
    }
    check_ids(id, rest);
}

fn check_text(text: &[u8]) {
    let receipt = match Receipt::parse(text) {
        Ok(receipt) => receipt,
        Err(error) => return assert_ne!(error, ReceiptError::Ucs2, "a text alone has no data_coding"),
    };
    check_fields(&receipt, &[text]);
    let mut out = Vec::new();
    receipt.emit(&mut out);
    // A NUL at the end is not part of the receipt.
    if !out.ends_with(b"\0") {
        assert_eq!(Receipt::parse(&out), Ok(receipt));
    }
}

/// Every field is a part of the input.
fn check_fields(receipt: &Receipt<'_>, inputs: &[&[u8]]) {
    let assert_inside = |field: &[u8]| {
        let within = |all: &[u8]| {
            let (all, field) = (all.as_ptr_range(), field.as_ptr_range());
            all.start <= field.start && field.end <= all.end
        };
        assert!(inputs.iter().any(|all| within(all)), "{receipt:?}");
    };
    let Receipt { id, submit_date, done_date, stat, err, text, .. } = *receipt;
    assert!(!id.is_empty() && !stat.is_empty());
    assert_inside(id);
    [submit_date, done_date, err, text].into_iter().flatten().for_each(assert_inside);
    let in_input = inputs.iter().any(|all| all.as_ptr_range().contains(&stat.as_ptr()));
    assert!(in_input || receipt.state().is_some(), "the word is from the text or from the state");
}

fn check_message(carrier: ReceiptCarrier<'_>) {
    let class = carrier.esm_class.message_type();
    let id = carrier.tlvs.receipted_message_id().unwrap_or_default();
    let mut buffer = Vec::new();
    let by_esm_class = Receipt::of(carrier, Detection::ByEsmClass);
    match by_esm_class {
        Some(Ok(receipt)) => {
            check_fields(&receipt, &[carrier.user_data, id]);
            assert_eq!(receipt.esm_class(), class);
        }
        Some(Err(_)) => assert_eq!(class, EsmClass::DELIVERY_RECEIPT),
        None => assert_ne!(class, EsmClass::DELIVERY_RECEIPT),
    }
    let by_content = Receipt::of(carrier, Detection::ByContent);
    if class.is_empty() {
        assert_eq!(by_esm_class, None, "a mobile-originated message is not a receipt");
        assert!(!matches!(by_content, Some(Err(_))));
    } else {
        assert_eq!(by_esm_class, by_content);
    }
    let Some(Ok(receipt)) = Receipt::of_with_buffer(carrier, Detection::ByContent, &mut buffer) else {
        return assert!(!matches!(by_content, Some(Ok(_))), "the buffer only adds receipts");
    };
    let text = receipt.text;
    let (esm_class, stat) = (receipt.esm_class(), receipt.state().and_then(Receipt::stat_word));
    let receipt = receipt.stat(stat.unwrap_or(receipt.stat));
    let (mut out, tlvs) = (Vec::new(), receipt.tlvs().collect::<Vec<_>>());
    receipt.emit(&mut out);
    // An id in a TLV may contain white space, or end with what separates the fields of a text.
    let is_one_word = !receipt.id.iter().any(u8::is_ascii_whitespace) && !receipt.id.ends_with(b",");
    if !out.ends_with(b"\0") && is_one_word && !receipt.id.ends_with(b";") {
        let emitted = ReceiptCarrier::default()
            .esm_class(esm_class)
            .data_coding(DataCoding::SMSC_DEFAULT)
            .user_data(&out)
            .tlvs(Tlvs::list(&tlvs));
        let has_id_tlv = emitted.tlvs.receipted_message_id().is_some_and(|id| !id.is_empty());
        let id_source = if has_id_tlv { IdSource::Tlv { in_text: receipt.id } } else { IdSource::Text };
        let expected = receipt.id_source(id_source);
        assert_eq!(Receipt::of(emitted, Detection::ByEsmClass), Some(Ok(expected)));
    }
    assert!(text.is_none_or(|text| text.len() <= carrier.user_data.len()));
}

/// Parses an id with the standard library. `None` if it may be a UUID or exceeds 128 bits.
fn parse_number(id: &[u8], notation: IdNotation) -> Option<u128> {
    let digits = std::str::from_utf8(id).ok()?;
    match notation {
        _ if !id.iter().all(u8::is_ascii_alphanumeric) => None,
        IdNotation::Decimal => digits.parse().ok(),
        IdNotation::Hexadecimal if digits.len() == 32 => None,
        _ => u128::from_str_radix(digits, 16).ok(),
    }
}

/// Every policy matches an id with itself if both sides have the same notation, and its result agrees with its keys.
fn check_ids(one: &[u8], other: &[u8]) {
    let notations = [IdNotation::Decimal, IdNotation::Hexadecimal];
    let pairs = notations.map(|submitted| notations.map(|receipted| NumericIds::new(submitted, receipted)));
    let numbers = pairs.into_iter().flatten().map(Some).chain([None]);
    for (numbers, ignore_case) in numbers.flat_map(|numbers| [(numbers, false), (numbers, true)]) {
        let mut policy = MessageIdPolicy::EXACT.ignore_case(ignore_case);
        policy.numbers = numbers;
        let same = policy.same(one, other);
        let order = policy.submitted_key(one).cmp(&policy.receipted_key(other));
        assert_eq!(same, order.is_eq(), "{policy:?}");
        if let Some(NumericIds { submitted, receipted, .. }) = numbers
            && let (Some(one), Some(other)) = (parse_number(one, submitted), parse_number(other, receipted))
        {
            assert_eq!(order, one.cmp(&other), "{policy:?}");
        }
        if numbers.is_none_or(|NumericIds { submitted, receipted, .. }| submitted == receipted) {
            assert!(policy.same(one, one), "{policy:?}");
            assert_eq!(same, policy.same(other, one), "{policy:?}");
        }
        let is_number = |id: &[u8]| !id.is_empty() && id.iter().all(u8::is_ascii_hexdigit);
        if !is_number(one) || !is_number(other) {
            let equal = if ignore_case { one.eq_ignore_ascii_case(other) } else { one == other };
            assert!(equal || !same || one.len().min(other.len()) > 64, "{policy:?}");
        }
    }
}
