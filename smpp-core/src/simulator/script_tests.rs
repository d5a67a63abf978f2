//! Scripted answers, the log, and messages of phones.

use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use core::time::Duration;

use super::*;
use crate::pdu::{BindMode, DataCoding, MessageState, RegisteredDelivery, ShortMessage};
use crate::sms::{Codings, Pushed, Reassembler, ReassemblyLimits};

const PHONE: &str = "6591234567";

fn smsc() -> (Simulator, SimulatedBind) {
    let mut smsc = Simulator::new(Rules { rate: None, ..Rules::default() });
    smsc.add_account("shop", "secret");
    let bind = smsc.admit(b"shop", BindMode::Transceiver).unwrap();
    (smsc, bind)
}

fn message<'a>(to: &'a str, text: &'a str) -> SubmitSm<'a> {
    SubmitSm {
        source: Address::alphanumeric("8x8").unwrap(),
        destination: Address::international(to).unwrap(),
        registered_delivery: RegisteredDelivery::RECEIPT,
        short_message: ShortMessage::new(text.as_bytes()).unwrap(),
        ..SubmitSm::default()
    }
}

/// Returns the numbers, from 1, of those of ten messages that the rule refuses.
fn refused(when: When) -> Vec<usize> {
    let (mut smsc, bind) = smsc();
    smsc.script(when, Answer::refuse(CommandStatus::RSYSERR));
    let is_refused = |number: &usize| {
        let text = format!("message {number}");
        let to = if number.is_multiple_of(2) { PHONE } else { "6590000000" };
        smsc.respond(Instant::ZERO, bind, &message(to, &text)).outcome == Err(CommandStatus::RSYSERR)
    };
    (1..=10).filter(is_refused).collect()
}

#[test]
fn a_rule_answers_the_messages_that_it_names() {
    assert_eq!(refused(When::next()), [1]);
    assert_eq!(refused(When::nth(4)), [4]);
    assert_eq!(refused(When::every(3)), [3, 6, 9]);
    assert_eq!(refused(When::every(3).times(2)), [3, 6]);
    assert!(refused(When::always().times(0)).is_empty());
    assert_eq!(refused(When::every(0)), (1..=10).collect::<Vec<_>>());
    assert_eq!(refused(When::always().to("+6591234567")), [2, 4, 6, 8, 10]);
    assert_eq!(refused(When::nth(2).to(PHONE)), [4]);
    assert_eq!(refused(When::always().containing("e 1")), [1, 10]);
    assert_eq!(refused(When::next().from("8x8").containing("7")), [7]);
    assert!(refused(When::always().from("other")).is_empty());
}

#[test]
fn of_two_rules_the_oldest_applies_and_a_script_can_be_cleared() {
    let (mut smsc, bind) = smsc();
    smsc.script(When::next(), Answer::refuse(CommandStatus::RTHROTTLED));
    smsc.script(When::always(), Answer::refuse(CommandStatus::RMSGQFUL));
    let respond = |smsc: &mut Simulator| smsc.respond(Instant::ZERO, bind, &message(PHONE, "Hello")).outcome;
    assert_eq!(respond(&mut smsc), Err(CommandStatus::RTHROTTLED));
    assert_eq!(respond(&mut smsc), Err(CommandStatus::RMSGQFUL));
    smsc.clear_script();
    assert!(respond(&mut smsc).is_ok());
}

#[test]
fn an_answer_sets_the_id_the_time_the_fault_and_the_receipt() {
    let (mut smsc, bind) = smsc();
    let answer = Answer::accept().message_id("other").after(Duration::from_secs(2)).fault(ResponseFault::Cut);
    smsc.script(When::next(), answer.receipt(MessageState::EXPIRED));
    smsc.script(When::next(), Answer::never().no_receipt());
    let response = smsc.respond(Instant::ZERO, bind, &message(PHONE, "one"));
    assert_eq!(response.outcome.as_deref(), Ok("other"));
    assert_eq!((response.delay, response.fault), (Duration::from_secs(2), Some(ResponseFault::Cut)));
    assert_eq!(smsc.respond(Instant::ZERO, bind, &message(PHONE, "two")).fault, Some(ResponseFault::Never));
    let due = smsc.poll_timeout().unwrap();
    let receipt = smsc.poll_delivery(due).unwrap();
    assert_eq!(receipt.state(), Some(MessageState::EXPIRED));
    assert!(!receipt.deliver_sm().text().windows(5).any(|part| part == b"other"), "the real id");
    assert_eq!(smsc.pending(), 0, "the second message has no receipt");
}

#[test]
fn the_log_has_binds_messages_refusals_and_receipts_in_order() {
    let (mut smsc, bind) = smsc();
    let refused_bind = Bind { system_id: crate::COctets::new(b"who").unwrap(), ..Bind::default() };
    let peer = "192.0.2.1:5000".parse().ok();
    smsc.record_refused_bind(&refused_bind, peer, CommandStatus::RINVSYSID);
    smsc.script(When::nth(2), Answer::refuse(CommandStatus::RMSGQFUL));
    let id = smsc.respond(Instant::ZERO, bind, &message(PHONE, "Hello")).outcome.unwrap();
    smsc.respond(Instant::ZERO, bind, &message(PHONE, "again")).outcome.unwrap_err();
    let due = smsc.poll_timeout().unwrap();
    for outcome in [Err(DeliveryFailure::Refused(CommandStatus::RX_T_APPN)), Ok(())] {
        let due = due.max(smsc.poll_timeout().unwrap());
        let receipt = smsc.poll_delivery(due).unwrap();
        smsc.delivered(due, receipt, outcome);
    }
    smsc.release(bind);
    let lines: Vec<_> = smsc.log().entries().map(ToString::to_string).collect();
    let receipt = format!("receipt DELIVERED of {id} from \"{PHONE}\" to \"8x8\"");
    let expected = [
        "bound: shop (Transceiver)".to_string(),
        format!("bind refused with {}: who (Transceiver) from 192.0.2.1:5000", CommandStatus::RINVSYSID),
        format!("message: from \"8x8\" to \"{PHONE}\": \"Hello\""),
        format!("message refused with {}: from \"8x8\" to \"{PHONE}\": \"again\"", CommandStatus::RMSGQFUL),
        format!("{receipt}: the ESME refused it with {}", CommandStatus::RX_T_APPN),
        format!("{receipt}: accepted"),
        "ended: shop (Transceiver)".into(),
    ];
    assert_eq!(lines, expected);
    let log = smsc.log_mut();
    assert_eq!(log.take_bind().unwrap().1, Ok(()));
    assert_eq!(log.take_bind().unwrap().1, Err(CommandStatus::RINVSYSID));
    assert_eq!(log.take_message().unwrap().message_ids, [id]);
    assert_eq!(log.take_refusal().unwrap().0.text.as_deref(), Some("again"));
    assert!(log.take_delivery().unwrap().outcome.is_err() && log.take_delivery().unwrap().outcome.is_ok());
    assert!(log.take_bind().is_none() && log.take_message().is_none());
    assert!(log.take_refusal().is_none() && log.take_delivery().is_none());
}

#[test]
fn a_long_message_is_logged_once_whole_and_again_when_it_is_sent_again() {
    let (mut smsc, bind) = smsc();
    let text = "Ein langer Text über Grüße. ".repeat(12);
    let template = message(PHONE, "");
    let segments: Vec<_> =
        Text::new(&text).segments(ConcatRef::Wide(7)).unwrap().submissions(template).collect();
    assert_eq!(segments.len(), 3);
    for _ in 0..2 {
        let mut ids = Vec::new();
        for segment in segments.iter().rev() {
            assert_eq!(smsc.log_mut().take_message(), None);
            ids.push(smsc.respond(Instant::ZERO, bind, &segment.submit_sm()).outcome.unwrap());
        }
        let logged = smsc.log_mut().take_message().unwrap();
        ids.reverse();
        assert_eq!((logged.text.as_deref(), logged.message_ids), (Some(&*text), ids));
    }
}

#[test]
fn a_full_log_loses_its_oldest_entries_and_an_empty_one_records_nothing() {
    let (mut smsc, bind) = smsc();
    smsc.log_mut().set_capacity(3);
    for number in 0..5 {
        smsc.respond(Instant::ZERO, bind, &message(PHONE, &number.to_string()));
    }
    let texts: Vec<_> = smsc.log().messages().map(|message| message.text.clone().unwrap()).collect();
    assert_eq!((texts, smsc.log().removed()), (vec!["2".to_string(), "3".into(), "4".into()], 3));
    assert_eq!(smsc.log_mut().take_message().unwrap().text.as_deref(), Some("2"));
    smsc.log_mut().clear();
    assert_eq!(smsc.log_mut().take_message(), None);
    smsc.respond(Instant::ZERO, bind, &message(PHONE, "new"));
    assert_eq!(smsc.log_mut().take_message().unwrap().text.as_deref(), Some("new"));
    smsc.log_mut().set_capacity(0);
    smsc.respond(Instant::ZERO, bind, &message(PHONE, "not logged"));
    assert_eq!(smsc.log().entries().count(), 0);
}

#[test]
fn messages_of_phones_arrive_in_every_form_and_alphabet() {
    let texts = ["Hello", "Grüße für 10 €", "你好 🙂", &"a long text ".repeat(40), &"很长的文本".repeat(40)];
    let forms = [MoSegmentation::Udh, MoSegmentation::WideUdh, MoSegmentation::Sar, MoSegmentation::Payload];
    let (mut smsc, _) = smsc();
    for (text, segmentation) in texts.iter().flat_map(|text| forms.map(|form| (text, form))) {
        let sent = MoMessage { segmentation, ..MoMessage::new("+6591234567", "8888", text) };
        let id = smsc.deliver(Instant::ZERO, &sent).unwrap();
        let mut reassembler = Reassembler::new(ReassemblyLimits::default());
        let mut received = None;
        while let Some(delivery) = smsc.poll_delivery(Instant::ZERO) {
            assert_eq!(smsc.poll_delivered(id), None);
            let deliver_sm = delivery.deliver_sm();
            let (source, destination) = (deliver_sm.source, deliver_sm.destination);
            assert_eq!((source.digits.as_bytes(), destination.ton.0), (PHONE.as_bytes(), 6));
            let user_data = deliver_sm.user_data().unwrap();
            match reassembler.push(Instant::ZERO, source, destination, &user_data, ()).unwrap() {
                Pushed::Standalone(()) => received = user_data.text(Codings::default()),
                Pushed::Complete(whole) => received = whole.text(Codings::default()),
                _ => {}
            }
            smsc.delivered(Instant::ZERO, delivery, Ok(()));
        }
        assert_eq!(received.as_deref(), Some(*text), "{segmentation:?}");
        assert_eq!(smsc.poll_delivered(id), Some(Ok(())));
    }
}

#[test]
fn a_refused_message_of_a_phone_is_not_sent_again_and_a_wrong_one_not_at_all() {
    let (mut smsc, _) = smsc();
    let id = smsc.deliver(Instant::ZERO, &MoMessage::new(PHONE, "8888", "Hello")).unwrap();
    let delivery = smsc.poll_delivery(Instant::ZERO).unwrap();
    let refused = DeliveryFailure::Refused(CommandStatus::RX_P_APPN);
    smsc.delivered(Instant::ZERO, delivery, Err(refused));
    assert_eq!((smsc.pending(), smsc.poll_delivered(id)), (0, Some(Err(refused))));
    let mut deliver = |message: MoMessage<'_>| smsc.deliver(Instant::ZERO, &message).unwrap_err();
    let hello = MoMessage::new(PHONE, "8888", "Hello");
    assert_eq!(deliver(MoMessage { account: Some("who"), ..hello }), OriginateError::NoAccount);
    assert!(matches!(
        deliver(MoMessage { source: "too long for a name", ..hello }),
        OriginateError::Address(_)
    ));
    let latin1 = MoMessage { text: "你好", data_coding: Some(DataCoding::LATIN1), ..hello };
    assert!(matches!(deliver(latin1), OriginateError::Encoding(_)));
    assert_eq!(smsc.pending(), 0);
}

#[test]
fn a_scripted_message_id_always_fits_into_the_response() {
    let ninety = "9".repeat(90);
    let accents = format!("{}é", "9".repeat(63));
    for (scripted, expected) in
        [("short", "short"), (&*ninety, &ninety[..64]), (&*accents, &ninety[..63]), ("a\0b", "a")]
    {
        let (mut smsc, bind) = smsc();
        smsc.script(When::next(), Answer::accept().message_id(scripted));
        let id = smsc.respond(Instant::ZERO, bind, &message(PHONE, "text")).outcome.unwrap();
        assert_eq!(id, expected);
        assert!(crate::wire::COctets::<65>::new(id.as_bytes()).is_ok());
    }
}
