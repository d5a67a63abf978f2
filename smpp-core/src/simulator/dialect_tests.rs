//! The dialects of the simulated SMSC.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::header::InterfaceVersion;
use crate::pdu::{DataCoding, EsmClass, MessageState, RegisteredDelivery, ShortMessage};
use crate::sms::{Alphabet, Codings, Detection, IdSource, Receipt};
use crate::tlv::{Tag, Tlv, Tlvs};
use crate::wire::COctets;
use core::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Returns an SMSC with this dialect, and its binds: transceivers.
fn smsc<const N: usize>(dialect: &str) -> (Simulator, [SimulatedBind; N]) {
    let rules = Rules { dialect: dialect.parse().unwrap(), max_binds: N as u16, ..Rules::default() };
    let mut smsc = Simulator::new(rules);
    smsc.add_account("shop", "secret");
    let bind = Bind {
        system_id: COctets::new(b"shop").unwrap(),
        password: crate::Password::new(b"secret").unwrap(),
        ..Bind::default()
    };
    let binds = [(); N].map(|()| smsc.bind(&bind).unwrap());
    (smsc, binds)
}

fn message(text: &'static [u8]) -> SubmitSm<'static> {
    SubmitSm {
        source: Address::international("6580000000").unwrap(),
        destination: Address::international("6591234567").unwrap(),
        registered_delivery: RegisteredDelivery::RECEIPT,
        short_message: ShortMessage::new(text).unwrap(),
        ..SubmitSm::default()
    }
}

/// Submits a message and returns the id of the response.
fn submit(smsc: &mut Simulator, bind: SimulatedBind, message: &SubmitSm<'_>) -> String {
    smsc.submit(Instant::ZERO, bind, message).unwrap()
}

/// Submits a text in three segments and returns the ids of the responses.
fn submit_segments(smsc: &mut Simulator, bind: SimulatedBind) -> Vec<String> {
    let text = "x".repeat(400);
    let segments = Text::new(&text).segments(ConcatRef::Narrow(7)).unwrap();
    segments.submissions(message(b"")).map(|it| submit(smsc, bind, &it.submit_sm())).collect()
}

/// Returns what is delivered within a minute, in order.
fn deliveries(smsc: &mut Simulator) -> Vec<Delivery> {
    let mut all = Vec::new();
    while let Some(due) = smsc.poll_timeout() {
        assert!(due <= Instant::ZERO + 60 * SECOND, "not due within a minute");
        all.extend(smsc.poll_delivery(due).inspect(|delivery| smsc.accepted(delivery)));
    }
    all
}

/// Returns the id in the text of a receipt.
fn text_id(delivery: &Delivery) -> String {
    let sm = delivery.deliver_sm();
    String::from_utf8(Receipt::parse(sm.text()).unwrap().id.to_vec()).unwrap()
}

#[test]
fn ids_have_the_notation_of_the_dialect() {
    let (mut smsc, [bind]) = smsc("ids=hex,text-ids=dec12,tlv-ids=HEX10,receipt=text+tlvs");
    let id = submit(&mut smsc, bind, &message(b"Hello"));
    let number = u64::from_str_radix(&id, 16).unwrap();
    let delivery = &deliveries(&mut smsc)[0];
    assert_eq!(text_id(delivery), format!("{number:012}"));
    let sm = delivery.deliver_sm();
    let in_tlv = String::from_utf8(sm.tlvs.receipted_message_id().unwrap().to_vec()).unwrap();
    assert_eq!(in_tlv, format!("{number:010X}"));
    assert_eq!(id.len(), 8, "{id}");
}

#[test]
fn every_form_of_ids_gives_different_ids() {
    for (form, length) in [("uuid", 36), ("UUID", 36), ("dec", 10), ("hex9", 9), ("HEX", 8), ("text64", 64)] {
        let form: IdForm = form.parse().unwrap();
        let ids: Vec<_> = (0..1000).map(|number| form.id(1, 0x9000_0000 + number)).collect();
        assert!(ids.iter().all(|id| id.len() == length), "{}", ids[0]);
        let mut unique = ids.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), ids.len());
    }
    for text in ["", "hex0", "dec65", "uuid4", "octal", "hex-1"] {
        assert_eq!(text.parse::<IdForm>(), Err(UnknownIdForm), "{text}");
    }
}

#[test]
fn a_receipt_may_be_text_or_tlvs_alone() {
    let (mut smsc, [bind]) = smsc("receipt=tlvs");
    let id = submit(&mut smsc, bind, &message(b"Hello"));
    let delivery = &deliveries(&mut smsc)[0];
    let sm = delivery.deliver_sm();
    assert_eq!(sm.text(), b"");
    let receipt = Receipt::of(&sm, Detection::ByEsmClass).unwrap().unwrap();
    assert_eq!(
        (receipt.id, receipt.id_source, receipt.state()),
        (id.as_bytes(), IdSource::Tlv { in_text: b"" }, Some(MessageState::DELIVERED))
    );

    let (mut smsc, [bind]) = self::smsc("receipt=text,leading-nul=yes,esm-class=0x24,utc-offset=+05:30");
    submit(&mut smsc, bind, &message(b"Hello"));
    let delivery = &deliveries(&mut smsc)[0];
    let sm = delivery.deliver_sm();
    assert!(sm.tlvs.is_empty() && sm.text().starts_with(b"\0id:"), "{}", sm.text().escape_ascii());
    assert_eq!(sm.esm_class.bits(), 0x24);
    let text = sm.text().escape_ascii().to_string();
    assert!(text.contains("submit date:7001010530"), "{text}");
}

#[test]
fn receipts_are_about_each_segment_or_about_one() {
    for (dialect, ids, receipts) in [
        ("each", 3, &[0, 1, 2][..]),
        ("first", 3, &[0]),
        ("last", 3, &[2]),
        ("shared", 1, &[0, 0, 0]),
        ("shared-once", 1, &[0]),
    ] {
        let (mut smsc, [bind]) = smsc(&format!("segments={dialect}"));
        let submitted = submit_segments(&mut smsc, bind);
        let mut unique = submitted.clone();
        unique.dedup();
        assert_eq!(unique.len(), ids, "{dialect}");
        let about: Vec<_> = deliveries(&mut smsc).iter().map(text_id).collect();
        let expected: Vec<_> = receipts.iter().map(|at| submitted[*at].clone()).collect();
        assert_eq!(about, expected, "{dialect}");
        // A message in one segment always has its own.
        submit(&mut smsc, bind, &message(b"Hello"));
        assert_eq!(deliveries(&mut smsc).len(), 1, "{dialect}");
    }
}

#[test]
fn messages_with_shared_ids_are_told_apart() {
    let (mut smsc, [bind]) = smsc("segments=shared-once");
    let text = "x".repeat(300);
    let submissions = |reference| {
        let segments = Text::new(&text).segments(ConcatRef::Narrow(reference)).unwrap();
        segments.submissions(message(b"")).collect::<Vec<_>>()
    };
    let (one, other) = (submissions(1), submissions(2));
    let mut ids: Vec<_> =
        [&one[0], &other[0], &one[1], &other[1]].map(|it| submit(&mut smsc, bind, &it.submit_sm())).to_vec();
    assert_eq!((&ids[0], &ids[1]), (&ids[2], &ids[3]));
    ids.dedup();
    assert_eq!(ids.len(), 4);
    // Complete messages are removed: the same reference is a new message.
    assert_ne!(submit(&mut smsc, bind, &one[0].submit_sm()), ids[0]);
}

#[test]
fn states_may_precede_and_follow_the_final_one() {
    let (mut smsc, [bind]) = smsc("intermediate=ENROUTE,correction=UNDELIV");
    submit(&mut smsc, bind, &message(b"Hello"));
    let receipts = deliveries(&mut smsc);
    let states: Vec<_> = receipts.iter().map(|it| (it.state(), it.deliver_sm().esm_class)).collect();
    let (receipt, intermediate) = (EsmClass::DELIVERY_RECEIPT, EsmClass::INTERMEDIATE_NOTIFICATION);
    assert_eq!(
        states,
        [
            (Some(MessageState::ENROUTE), intermediate),
            (Some(MessageState::DELIVERED), receipt),
            (Some(MessageState::UNDELIVERABLE), receipt)
        ]
    );
}

#[test]
fn limits_have_the_statuses_of_the_dialect() {
    let dialect = "bind-status=RBINDFAIL,rate-status=0x0000000b,window=2,window-status=ESME_RSYSERR,\
                   refuse=6590000000:RMSGQFUL,tlvs=ROPTPARNOTALLWD";
    let (mut smsc, [bind]) = smsc(dialect);
    let again = Bind {
        system_id: COctets::new(b"shop").unwrap(),
        password: crate::Password::new(b"secret").unwrap(),
        ..Bind::default()
    };
    assert_eq!(smsc.bind(&again), Err(CommandStatus::RBINDFAIL));
    let hello = message(b"Hello");
    let status = |smsc: &mut Simulator, message| smsc.submit(Instant::ZERO, bind, message).err();
    assert_eq!([(); 3].map(|()| status(&mut smsc, &hello)), [None, None, Some(CommandStatus::RSYSERR)]);
    let respond = |smsc: &mut Simulator| (0..3).for_each(|_| smsc.responded(bind));
    respond(&mut smsc);
    let full = SubmitSm { destination: Address::international("6590000000").unwrap(), ..hello };
    assert_eq!(status(&mut smsc, &full), Some(CommandStatus::RMSGQFUL));
    let tlvs = [Tlv::user_message_reference(7)];
    let with_tlvs = SubmitSm { tlvs: Tlvs::list(&tlvs), ..hello };
    assert_eq!(status(&mut smsc, &with_tlvs), Some(CommandStatus::ROPTPARNOTALLWD));
    respond(&mut smsc);
    let refused = (0..60).find_map(|_| {
        smsc.responded(bind);
        status(&mut smsc, &hello)
    });
    assert_eq!(refused, Some(CommandStatus::RINVDSTADR));
}

#[test]
fn tlvs_of_a_message_come_back_in_its_receipt() {
    let (mut smsc, [bind]) = smsc("tlvs=echo,response-tlv=0x1400:3031");
    let tlvs = [Tlv::user_message_reference(0x1234)];
    submit(&mut smsc, bind, &SubmitSm { tlvs: Tlvs::list(&tlvs), ..message(b"Hello") });
    let delivery = &deliveries(&mut smsc)[0];
    assert_eq!(delivery.deliver_sm().tlvs.user_message_reference(), Some(0x1234));
    let dialect = &smsc.rules.dialect;
    assert_eq!(dialect.tlvs_of_response(), [Tlv::new(Tag(0x1400), b"01").unwrap()]);
}

#[test]
fn a_message_to_oneself_comes_back() {
    // The octet 0x24 is a currency sign in GSM 7-bit and a dollar in Latin-1.
    for (dialect, data_coding, octets) in [
        ("echo=default", DataCoding(0), &b"$"[..]),
        ("echo=ucs2", DataCoding::UCS2, &[0, 0xA4]),
        ("echo=ucs2,alphabet=latin1", DataCoding::UCS2, &[0, 0x24]),
    ] {
        let (mut smsc, [bind]) = smsc(dialect);
        submit(
            &mut smsc,
            bind,
            &SubmitSm { registered_delivery: RegisteredDelivery::empty(), ..message(b"$") },
        );
        let delivery = &deliveries(&mut smsc)[0];
        let sm = delivery.deliver_sm();
        assert_eq!((sm.data_coding, sm.text(), delivery.state()), (data_coding, octets, None), "{dialect}");
        assert_eq!((sm.source, sm.destination), (message(b"").source, message(b"").destination));
    }
    let (mut smsc, [bind]) = smsc("echo=default,alphabet=latin1");
    submit_segments(&mut smsc, bind);
    let messages: Vec<_> = deliveries(&mut smsc).into_iter().filter(|it| it.state().is_none()).collect();
    let codings = Codings { smsc_default: Alphabet::Latin1, ..Codings::default() };
    for (number, message) in (1..).zip(&messages) {
        let sm = message.deliver_sm();
        let user_data = sm.user_data().unwrap();
        assert_eq!(user_data.segment.map(|it| (it.number, it.total)), Some((number, 3)));
        assert!(user_data.text(codings).unwrap().starts_with("xxx"));
    }
    assert_eq!(messages.len(), 3);
    // In UCS-2 a segment is too long for short_message.
    let (mut smsc, [bind]) = self::smsc("echo=ucs2");
    submit_segments(&mut smsc, bind);
    let messages: Vec<_> = deliveries(&mut smsc).into_iter().filter(|it| it.state().is_none()).collect();
    let payload = messages[0].deliver_sm();
    assert_eq!((payload.short_message.as_bytes(), payload.text().len()), (&b""[..], 6 + 2 * 153));
    assert_eq!(payload.user_data().unwrap().segment.map(|it| it.total), Some(3));
}

#[test]
fn deliveries_take_the_route_of_the_dialect() {
    let (mut smsc, [one, other]) = smsc("route=in-turn");
    submit_segments(&mut smsc, one);
    let binds: Vec<_> = deliveries(&mut smsc).iter().map(|it| it.bind).collect();
    assert_eq!(binds, [one, other, one]);

    let (mut smsc, [one, other]) = self::smsc("route=submitting");
    submit(&mut smsc, other, &message(b"Hello"));
    submit(&mut smsc, one, &message(b"Hello"));
    let binds: Vec<_> = deliveries(&mut smsc).iter().map(|it| it.bind).collect();
    assert_eq!(binds, [other, one]);
    submit(&mut smsc, other, &message(b"Hello"));
    smsc.release(other);
    assert_eq!(deliveries(&mut smsc)[0].bind, one, "the bind has ended");
}

#[test]
fn the_next_delivery_waits_for_the_one_before() {
    let (mut smsc, [bind]) = smsc("one-at-a-time=yes");
    submit_segments(&mut smsc, bind);
    let due = smsc.poll_timeout().unwrap();
    let first = smsc.poll_delivery(due).unwrap();
    assert!(smsc.poll_timeout().is_none() && smsc.poll_delivery(due).is_none());
    smsc.accepted(&first);
    let second = smsc.poll_delivery(due).unwrap();
    smsc.redeliver(due, second);
    assert!(smsc.poll_delivery(due).is_some(), "a refused delivery is not waited for");
}

#[test]
fn a_setting_is_parsed_or_named() {
    let mut dialect = Dialect::default();
    for (name, value) in [
        ("version", "none"),
        ("version", "5.0"),
        ("intermediate", "none"),
        ("idle", "none"),
        ("idle", "1"),
        ("window", "none"),
        ("utc-offset", "-03:30"),
        ("alphabet", "gsm7-packed"),
        ("echo", "none"),
    ] {
        assert_eq!(dialect.set(name, value), Ok(()), "{name}={value}");
    }
    assert_eq!(dialect.sc_interface_version, Some(InterfaceVersion::V5_0));
    assert_eq!(dialect.receipt_offset.quarters(), -14);
    let before = dialect.clone();
    for (name, value) in [
        ("version", "4"),
        ("window", "0"),
        ("idle", "0"),
        ("utc-offset", "+13:00"),
        ("utc-offset", "+00:07"),
        ("esm-class", "256"),
        ("bind-status", "ROK"),
        ("bind-status", "0"),
        ("response-tlv", "0x1400:3"),
        ("response-tlv", "0x14000:30"),
        ("refuse", "6591234567"),
        ("leading-nul", ""),
    ] {
        let error = dialect.set(name, value).unwrap_err();
        assert!(error.to_string().starts_with(&format!("{name}: give ")), "{error}");
    }
    assert_eq!(dialect, before, "a wrong value changes nothing");
    let error = dialect.set("colour", "red").unwrap_err();
    assert!(error.to_string().contains("\"colour\": use one of version, ids,"), "{error}");
    // Each listed name is known.
    for (name, _) in Dialect::settings() {
        assert!(matches!(dialect.set(name, "?"), Err(DialectError::Value { .. })), "{name}");
    }
}
