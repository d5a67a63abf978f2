//! Requests about messages: query_sm, cancel_sm, replace_sm.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::pdu::{CancelSm, MessageState, QuerySm, RegisteredDelivery, ReplaceSm, ShortMessage};
use crate::wire::COctets;

const DELAY: Duration = Duration::from_millis(200);

fn bound(rules: Rules) -> (Simulator, SimulatedBind) {
    // 2026-11-23 01:02:03 UTC
    let mut smsc = Simulator::new(Rules { epoch: 1_795_395_723, ..rules });
    smsc.add_account("shop", "secret");
    smsc.add_account("other", "secret");
    let bind = smsc.admit(b"shop", BindMode::Transceiver).unwrap();
    (smsc, bind)
}

fn source() -> Address<'static> {
    Address::alphanumeric("8x8").unwrap()
}

fn message() -> SubmitSm<'static> {
    SubmitSm {
        source: source(),
        destination: Address::international("6591234567").unwrap(),
        registered_delivery: RegisteredDelivery::RECEIPT,
        short_message: ShortMessage::new(b"Hello").unwrap(),
        ..SubmitSm::default()
    }
}

fn query(id: &str) -> QuerySm<'_> {
    QuerySm { message_id: COctets::new(id.as_bytes()).unwrap(), source: source(), ..QuerySm::default() }
}

fn cancel(id: &str) -> CancelSm<'_> {
    CancelSm { message_id: COctets::new(id.as_bytes()).unwrap(), source: source(), ..CancelSm::default() }
}

fn replace(id: &str) -> ReplaceSm<'_> {
    ReplaceSm {
        message_id: COctets::new(id.as_bytes()).unwrap(),
        source: source(),
        short_message: ShortMessage::new(b"Goodbye").unwrap(),
        ..ReplaceSm::default()
    }
}

/// Returns the texts of the deliveries that are due.
fn texts(smsc: &mut Simulator, now: Instant) -> Vec<String> {
    let due = core::iter::from_fn(|| smsc.poll_delivery(now));
    due.map(|delivery| String::from_utf8(delivery.deliver_sm().text().into()).unwrap()).collect()
}

#[test]
fn a_query_gives_the_state_of_a_known_message() {
    let (mut smsc, bind) = bound(Rules::default());
    let id = smsc.submit(Instant::ZERO, bind, &message()).unwrap();
    let before = smsc.query(Instant::ZERO, bind, &query(&id)).unwrap();
    assert_eq!(
        (before.state(), before.response(id.as_bytes()).final_date.is_empty()),
        (MessageState::ENROUTE, true)
    );
    let after = smsc.query(Instant::ZERO + DELAY, bind, &query(&id)).unwrap();
    let response = after.response(id.as_bytes());
    assert_eq!(
        (response.message_id.as_bytes(), response.message_state),
        (id.as_bytes(), MessageState::DELIVERED)
    );
    assert_eq!(response.final_date.as_bytes(), b"261123010203200+");

    let unknown = Err(CommandStatus::RINVMSGID);
    assert_eq!(smsc.query(Instant::ZERO, bind, &query("1")), unknown);
    let other_source = QuerySm { source: Address::default(), ..query(&id) };
    assert_eq!(smsc.query(Instant::ZERO, bind, &other_source), unknown);
    let other = smsc.admit(b"other", BindMode::Transceiver).unwrap();
    assert_eq!(
        smsc.query(Instant::ZERO, other, &query(&id)),
        unknown,
        "it is the message of another account"
    );
    smsc.release(other);
    assert_eq!(smsc.query(Instant::ZERO, other, &query(&id)), Err(CommandStatus::RINVBNDSTS));
}

#[test]
fn a_cancelled_message_is_deleted_and_its_one_receipt_says_so() {
    let dialect = Dialect {
        intermediate: Some(MessageState::ENROUTE),
        echo: Some(Echo::Default),
        ..Dialect::default()
    };
    let (mut smsc, bind) = bound(Rules { dialect, ..Rules::default() });
    let id = smsc.submit(Instant::ZERO, bind, &message()).unwrap();
    let kept = smsc.submit(Instant::ZERO, bind, &message()).unwrap();
    assert_eq!(smsc.cancel(Instant::ZERO, bind, &cancel("1")), Err(CommandStatus::RINVMSGID));
    assert_eq!(smsc.cancel(Instant::ZERO, bind, &cancel(&id)), Ok(()));
    assert_eq!(smsc.query(Instant::ZERO, bind, &query(&id)).unwrap().state(), MessageState::DELETED);
    assert_eq!(smsc.cancel(Instant::ZERO, bind, &cancel(&id)), Err(CommandStatus::RCANCELFAIL));
    let [receipt] = &texts(&mut smsc, Instant::ZERO)[..] else { panic!("one receipt") };
    assert!(receipt.contains(&id) && receipt.contains("stat:DELETED"), "{receipt}");
    let rest = texts(&mut smsc, Instant::ZERO + DELAY);
    assert_eq!(rest.len(), 3, "{rest:?}");
    assert!(
        rest.iter().all(|text| !text.contains(&id)) && rest.iter().any(|text| text.contains("stat:DELIVRD"))
    );
    assert_eq!(smsc.cancel(Instant::ZERO + DELAY, bind, &cancel(&kept)), Err(CommandStatus::RCANCELFAIL));
}

#[test]
fn a_cancel_without_an_id_deletes_the_pending_messages_with_its_addresses() {
    let (mut smsc, bind) = bound(Rules::default());
    let ids: Vec<_> = (0..2).map(|_| smsc.submit(Instant::ZERO, bind, &message()).unwrap()).collect();
    let elsewhere = SubmitSm { destination: Address::international("6599999999").unwrap(), ..message() };
    let kept = smsc.submit(Instant::ZERO, bind, &elsewhere).unwrap();
    let all = CancelSm { destination: message().destination, ..cancel("") };
    assert_eq!(smsc.cancel(Instant::ZERO, bind, &all), Ok(()));
    for id in &ids {
        assert_eq!(smsc.query(Instant::ZERO, bind, &query(id)).unwrap().state(), MessageState::DELETED);
    }
    assert_eq!(smsc.query(Instant::ZERO, bind, &query(&kept)).unwrap().state(), MessageState::ENROUTE);
    assert_eq!(smsc.cancel(Instant::ZERO, bind, &all), Err(CommandStatus::RCANCELFAIL));
}

#[test]
fn a_replaced_message_has_its_new_text_in_its_receipt() {
    let (mut smsc, bind) = bound(Rules::default());
    let id = smsc.submit(Instant::ZERO, bind, &message()).unwrap();
    assert_eq!(smsc.replace(Instant::ZERO, bind, &replace(&id)), Ok(()));
    assert_eq!(smsc.replace(Instant::ZERO, bind, &replace("1")), Err(CommandStatus::RINVMSGID));
    let [receipt] = &texts(&mut smsc, Instant::ZERO + DELAY)[..] else { panic!("one receipt") };
    assert!(receipt.contains(&id) && receipt.contains("DELIVRD") && receipt.contains("Goodbye"), "{receipt}");
    assert_eq!(smsc.replace(Instant::ZERO + DELAY, bind, &replace(&id)), Err(CommandStatus::RREPLACEFAIL));
}

#[test]
fn the_oldest_messages_are_forgotten() {
    let (mut smsc, bind) =
        bound(Rules { rate: None, receipt_timing: ReceiptTiming::Never, ..Rules::default() });
    let ids: Vec<_> = (0..10_001).map(|_| smsc.submit(Instant::ZERO, bind, &message()).unwrap()).collect();
    assert_eq!(smsc.query(Instant::ZERO, bind, &query(&ids[0])), Err(CommandStatus::RINVMSGID));
    assert!(smsc.query(Instant::ZERO, bind, &query(&ids[1])).is_ok());
}
