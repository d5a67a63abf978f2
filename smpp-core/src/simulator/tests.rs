//! The rules of the simulated SMSC.

use alloc::format;
use alloc::string::ToString;
use core::time::Duration;

use super::*;
use crate::pdu::{MessageState, RegisteredDelivery, ShortMessage};
use crate::provider::Provider;
use crate::wire::COctets;

const SECOND: Duration = Duration::from_secs(1);

fn bind(password: &'static [u8], mode: BindMode) -> Bind<'static> {
    Bind {
        mode,
        system_id: COctets::new(b"shop").unwrap(),
        password: crate::Password::new(password).unwrap(),
        ..Bind::default()
    }
}

fn smsc() -> Simulator {
    // 2026-11-23 01:02:03 UTC
    let mut smsc = Simulator::new(Rules { epoch: 1_795_395_723, ..Rules::default() });
    smsc.add_account("shop", "secret");
    smsc
}

fn message() -> SubmitSm<'static> {
    SubmitSm {
        destination: Address::international("6591234567").unwrap(),
        registered_delivery: RegisteredDelivery::RECEIPT,
        short_message: ShortMessage::new(b"Hello, this is a longer text").unwrap(),
        ..SubmitSm::default()
    }
}

#[test]
fn the_fifth_bind_is_refused_until_one_ends() {
    let mut smsc = smsc();
    let good = bind(b"secret", BindMode::Transceiver);
    let ids: Vec<_> = (0..4).map(|_| smsc.bind(&good).unwrap()).collect();
    assert_eq!(smsc.bind(&good), Err(CommandStatus::RALYBND));
    smsc.release(ids[0]);
    assert!(smsc.bind(&good).is_ok());
    assert_eq!(smsc.bind(&bind(b"wrong!", BindMode::Receiver)), Err(CommandStatus::RINVPASWD));
    assert_eq!(smsc.bind(&Bind::default()), Err(CommandStatus::RINVSYSID));
}

#[test]
fn the_fifty_first_message_of_a_second_is_throttled() {
    let mut smsc = smsc();
    let id = smsc.bind(&bind(b"secret", BindMode::Transceiver)).unwrap();
    let now = Instant::ZERO + SECOND;
    assert!((0..50).all(|_| smsc.submit(now, id, &message()).is_ok()));
    assert_eq!(smsc.submit(now, id, &message()), Err(CommandStatus::RTHROTTLED));
    assert!(smsc.submit(now + SECOND, id, &message()).is_ok());
}

#[test]
fn a_receipt_goes_to_a_receiving_bind_and_is_redelivered_if_refused() {
    let mut smsc = smsc();
    let transmitter = smsc.bind(&bind(b"secret", BindMode::Transmitter)).unwrap();
    let now = Instant::ZERO + SECOND;
    let message_id = smsc.submit(now, transmitter, &message()).unwrap();
    assert_eq!(smsc.poll_timeout(), None, "no bind receives");
    let receiver = smsc.bind(&bind(b"secret", BindMode::Receiver)).unwrap();
    let due = smsc.poll_timeout().unwrap();
    assert!(smsc.poll_delivery(now).is_none(), "not due yet");
    let delivery = smsc.poll_delivery(due).unwrap();
    assert_eq!(delivery.bind, receiver);
    let deliver_sm = delivery.deliver_sm();
    assert_eq!(deliver_sm.source.digits.as_bytes(), b"6591234567", "the addresses are swapped");
    let text = core::str::from_utf8(deliver_sm.text()).unwrap();
    assert_eq!(
        text,
        format!(
            "id:{message_id} sub:001 dlvrd:001 submit date:2611230102 done date:2611230102 \
             stat:DELIVRD err:000 Text:Hello, this is a lon"
        )
    );
    smsc.redeliver(due, delivery);
    assert!(smsc.poll_delivery(due).is_none());
    assert!(smsc.poll_delivery(due + SECOND).is_some());
}

#[test]
fn a_delivery_that_fails_at_once_is_not_due_at_once_again() {
    let mut smsc = Simulator::new(Rules::default().receipt_delay(Duration::ZERO));
    smsc.add_account("shop", "secret");
    let id = smsc.bind(&bind(b"secret", BindMode::Transceiver)).unwrap();
    smsc.submit(Instant::ZERO, id, &message()).unwrap();
    let never_sent = smsc.poll_delivery(Instant::ZERO).expect("no delay");
    smsc.redeliver(Instant::ZERO, never_sent);
    let due = smsc.poll_timeout().expect("it is tried again");
    assert!(due > Instant::ZERO && smsc.poll_delivery(Instant::ZERO).is_none());
    let refused = smsc.poll_delivery(due).expect("it is due");
    smsc.delivered(due, refused, Err(DeliveryFailure::Refused(CommandStatus::RX_T_APPN)));
    assert!(smsc.poll_timeout().is_some_and(|again| again > due));
}

#[test]
fn ids_look_like_uuids_and_differ() {
    let mut smsc = smsc();
    let id = smsc.bind(&bind(b"secret", BindMode::Transceiver)).unwrap();
    let a = smsc.submit(Instant::ZERO, id, &message()).unwrap();
    let b = smsc.submit(Instant::ZERO, id, &message()).unwrap();
    assert_ne!(a, b);
    let groups: Vec<_> = a.split('-').map(str::len).collect();
    assert_eq!(groups, [8, 4, 4, 4, 12]);
}

#[test]
fn receipts_follow_the_rules() {
    let run = |rules: Rules| {
        let mut smsc = Simulator::new(Rules { rate: None, ..rules });
        smsc.add_account("shop", "secret");
        let id = smsc.bind(&bind(b"secret", BindMode::Transceiver)).unwrap();
        for _ in 0..1000 {
            let _ = smsc.submit(Instant::ZERO, id, &message());
        }
        core::iter::from_fn(move || smsc.poll_delivery(Instant::ZERO)).collect::<Vec<_>>()
    };
    let states: StateWeights = "DELIVRD=90, undeliv=10, EXPIRED=0".parse().unwrap();
    let rules = Rules { receipt_timing: ReceiptTiming::BeforeResponse, states, ..Rules::default() };
    let receipts = run(rules.clone());
    assert_eq!(receipts.len(), 1000, "all are due before the response");
    let failed: Vec<_> =
        receipts.iter().filter(|receipt| receipt.state() != Some(MessageState::DELIVERED)).collect();
    assert!((50..150).contains(&failed.len()), "{}", failed.len());
    for receipt in failed {
        let text = receipt.deliver_sm().text().escape_ascii().to_string();
        assert!(text.contains("dlvrd:000") && text.contains("stat:UNDELIV err:007"), "{text}");
    }
    let states = |receipts: &[Delivery]| -> Vec<_> { receipts.iter().map(Delivery::state).collect() };
    assert_eq!(states(&run(rules.clone())), states(&receipts), "the same seed gives the same states");
    assert_ne!(states(&run(Rules { seed: 1, ..rules.clone() })), states(&receipts));
    assert!(run(Rules { receipt_timing: ReceiptTiming::Never, ..rules.clone() }).is_empty());
    let throttled = run(Rules { throttled_percent: 30, ..rules });
    assert!((600..800).contains(&throttled.len()), "{}", throttled.len());
}

#[test]
fn a_parse_error_names_the_wrong_item() {
    let error = |text: &str| text.parse::<StateWeights>().unwrap_err();
    assert_eq!(error("DELIVRD,LOST=3"), StateWeightsError::State("LOST".into()));
    assert_eq!(error("DELIVRD=-3"), StateWeightsError::Weight("-3".into()));
    assert_eq!(error("DELIVRD=0"), StateWeightsError::Empty);
    assert_eq!(error(""), StateWeightsError::State(String::new()));
}

#[test]
fn a_long_mo_text_is_delivered_in_segments() {
    let mut smsc = smsc();
    let phone = Address::international("6591234567").unwrap();
    let shop = Address::international("6580000000").unwrap();
    let text = "A long text. ".repeat(20);
    assert_eq!(smsc.originate(Instant::ZERO, "shop", (phone, shop), &text), Ok(2));
    assert_eq!(smsc.originate(Instant::ZERO, "unknown", (phone, shop), "?"), Err(OriginateError::NoAccount));
    let endless = "x".repeat(255 * 153 + 1);
    let error = smsc.originate(Instant::ZERO, "shop", (phone, shop), &endless).unwrap_err();
    assert_eq!(error, OriginateError::Text(SegmentError::TooMany { needed: 256 }));
    assert_eq!(smsc.poll_timeout(), None, "no bind receives");
    smsc.bind(&bind(b"secret", BindMode::Receiver)).unwrap();
    let segments: Vec<_> = core::iter::from_fn(|| smsc.poll_delivery(Instant::ZERO)).collect();
    let mut whole = String::new();
    for (number, segment) in (1..).zip(&segments) {
        let sm = segment.deliver_sm();
        assert_eq!((segment.state(), sm.source, sm.destination), (None, phone, shop));
        let user_data = sm.user_data().unwrap();
        assert_eq!(user_data.segment.map(|it| (it.number, it.total)), Some((number, 2)));
        whole += &user_data.text(Provider::EIGHT_BY_EIGHT.codings).unwrap();
    }
    assert_eq!(whole, text);
}

#[test]
fn an_account_without_a_receiver_does_not_delay_others() {
    let mut smsc = smsc();
    smsc.add_account("other", "secret");
    let shop = smsc.bind(&bind(b"secret", BindMode::Transmitter)).unwrap();
    let other = smsc.admit(b"other", BindMode::Transceiver).unwrap();
    smsc.submit(Instant::ZERO, shop, &message()).unwrap();
    smsc.submit(Instant::ZERO, other, &message()).unwrap();
    let due = smsc.poll_timeout().unwrap();
    assert_eq!(smsc.poll_delivery(due).unwrap().bind, other);
    assert!(smsc.poll_delivery(due).is_none());
    assert_eq!((smsc.pending(), smsc.admit(b"unknown", BindMode::Receiver)), (1, None));
}

#[test]
fn changed_rules_apply_to_the_messages_that_follow() {
    let mut smsc = smsc();
    let bind = smsc.bind(&bind(b"secret", BindMode::Transceiver)).unwrap();
    let first = smsc.submit(Instant::ZERO, bind, &message()).unwrap();
    smsc.change_rules(|rules| {
        rules.throttled_percent = 100;
        rules.seed = 1;
    })
    .unwrap();
    assert_eq!(smsc.submit(Instant::ZERO, bind, &message()), Err(CommandStatus::RTHROTTLED));
    smsc.change_rules(|rules| {
        rules.throttled_percent = 0;
        rules.states = StateWeights::all(MessageState::EXPIRED);
    })
    .unwrap();
    assert!(smsc.submit(Instant::ZERO, bind, &message()).is_ok());
    // The message before keeps its state.
    let states = core::iter::from_fn(|| smsc.poll_delivery(Instant::ZERO + SECOND)).map(|it| it.state());
    let states: Vec<_> = states.collect();
    assert_eq!(states, [Some(MessageState::DELIVERED), Some(MessageState::EXPIRED)]);
    // The seed, and with it the ids of messages, stay the same.
    let mut same = self::smsc();
    let bind = same.bind(&self::bind(b"secret", BindMode::Transceiver)).unwrap();
    assert_eq!(same.submit(Instant::ZERO, bind, &message()), Ok(first));
    assert_eq!(smsc.rules().seed, same.rules().seed);
}

type Setter = fn(Faults, u8) -> Faults;

#[test]
fn rules_and_faults_that_cannot_work_are_refused_with_the_name_of_the_field() {
    let rate = Rules::default().rate(crate::session::Rate::per_second(0));
    let window = Rules::default().dialect(Dialect::default().window(0));
    let idle = Rules::default().dialect(Dialect::default().idle_timeout(Duration::ZERO));
    for (rules, field) in [
        (rate, "rate is 0 "),
        (Rules::default().throttled_percent(101), "throttled_percent is above 100"),
        (window, "dialect.window is 0"),
        (idle, "dialect.idle_timeout is zero"),
    ] {
        let error = rules.check().unwrap_err().to_string();
        assert!(
            error.starts_with(field) && error.contains("set it to") | error.contains("set a longer"),
            "{error}"
        );
    }
    assert_eq!(Rules::default().throttled_percent(100).check(), Ok(()));
    let faults: [(Setter, &str); 7] = [
        (Faults::drop_percent, "drop_percent"),
        (Faults::reset_percent, "reset_percent"),
        (Faults::wrong_sequence_percent, "wrong_sequence_percent"),
        (Faults::cut_percent, "cut_percent"),
        (Faults::corrupt_length_percent, "corrupt_length_percent"),
        (Faults::corrupt_body_percent, "corrupt_body_percent"),
        (Faults::half_close_percent, "half_close_percent"),
    ];
    for (with, field) in faults {
        assert_eq!(with(Faults::DEFAULT, 100).check(), Ok(()));
        let error = with(Faults::DEFAULT, 200).check().unwrap_err();
        assert_eq!((error.option, error.problem), (field, "is above 100: set it to 0 to 100"));
    }
    let mut smsc = smsc();
    assert!(smsc.change_rules(|rules| rules.throttled_percent = 200).is_err());
    assert_eq!(smsc.rules().throttled_percent, 0, "the rules are unchanged");
}

#[test]
fn a_message_of_a_phone_without_an_outcome_says_whether_a_bind_receives() {
    let mut smsc = smsc();
    let message = MoMessage::new("+6591234567", "8888", "Hello");
    let limit = 10 * SECOND;
    let why = |smsc: &Simulator| {
        let waited = NotLogged::new("outcome of the message", limit, smsc.log());
        smsc.no_outcome(&message, waited)
    };
    smsc.bind(&bind(b"secret", BindMode::Transmitter)).unwrap();
    let error = why(&smsc);
    assert!(matches!(&error, DeliverError::NoBind { system_id, .. } if system_id == "shop"), "{error}");
    let expected = "no outcome of the message within 10s, because the account \"shop\" has no bind that receives: bind as a \
                    transceiver or as a receiver; the log of the SMSC";
    assert!(error.to_string().starts_with(expected), "{error}");
    smsc.bind(&bind(b"secret", BindMode::Receiver)).unwrap();
    assert!(matches!(why(&smsc), DeliverError::Timeout(_)));
}
