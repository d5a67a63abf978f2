//! What the SMSC says with a refusal reaches the account's events, and a late acknowledgement says why the bind ended.

use super::*;
use crate::frame::{HEADER_LENGTH, SequenceNumber};
use crate::pdu::CommandId;
use crate::provider::SubmitAction;
use crate::session::{CloseReason, Refusal, RequestError};
use crate::tlv::Tag;

const SECOND: Duration = Duration::from_secs(1);

/// Encodes a response whose body is `additional_status_info_text`.
fn response(command: CommandId, status: CommandStatus, sequence: u32, text: &str) -> Vec<u8> {
    let text = [text.as_bytes(), &[0]].concat();
    let parameter =
        [&Tag::ADDITIONAL_STATUS_INFO_TEXT.0.to_be_bytes()[..], &(text.len() as u16).to_be_bytes(), &text];
    let body = parameter.concat();
    let header = [(HEADER_LENGTH + body.len()) as u32, command.0, status.0, sequence];
    [header.map(u32::to_be_bytes).as_flattened(), &body].concat()
}

#[test]
fn a_refused_segment_keeps_the_response() {
    for status in [CommandStatus::RINVDSTADR, CommandStatus::RTHROTTLED] {
        let once =
            Statuses::default().on_submit(status, SubmitAction::Pause { times: 0, delay: Duration::ZERO });
        let mut sim = Simulation::new(Options { statuses: once, ..options() });
        sim.advance(SECOND);
        sim.answers = false;
        let number = sim.send("Hello");
        sim.settle();
        let link = sim.unanswered[0].0;
        // The first request after the bind.
        let refusal = response(CommandId::SUBMIT_SM_RESP, status, SequenceNumber::FIRST.0 + 1, "no route");
        sim.account.handle_input(sim.now, link, &mut &refusal[..]);
        sim.settle();
        let [(refused, outcome)] = &sim.outcomes()[..] else { panic!("{:?}", sim.outcomes()) };
        let [SegmentOutcome::Refused { status: given, response }] = &outcome.segments[..] else {
            panic!("{outcome:?}");
        };
        assert_eq!((*refused, *given), (number, status));
        assert_eq!(response.additional_status_info_text().as_deref(), Some("no route"));
        let shown = outcome.segments[0].to_string();
        assert!(shown.ends_with("the peer says \"no route\""), "{shown}");
        assert!(
            size_of::<SegmentOutcome>() <= 56,
            "the outcome of an accepted segment stays small: its id and its bind are in it"
        );
    }
}

#[test]
fn a_refused_bind_keeps_the_response() {
    let endpoint = crate::Endpoint::tls("smsc.example", PORT).system_id("other").password("n0tthis");
    let mut account = Account::<()>::new(options().endpoints([endpoint]), Instant::ZERO).unwrap();
    let Some(Action::Resolve { link }) = account.poll_action() else { panic!() };
    account.handle_resolved(Instant::ZERO, link, Ok(&[address(1)]));
    assert!(account.poll_action().is_some());
    assert!(account.handle_connected(Instant::ZERO, link, ()));
    let sequence = SequenceNumber::FIRST.0;
    let status = CommandStatus::RINVPASWD;
    let refusal = response(CommandId::BIND_TRANSCEIVER_RESP, status, sequence, "expired yesterday");
    account.handle_input(Instant::ZERO, link, &mut &refusal[..]);
    let text = |response: &RefusedResponse| response.additional_status_info_text().map(String::from);
    let expected = Some("expired yesterday".to_string());
    let Some(Event::Link { event: LinkEvent::Binding { .. }, .. }) = account.poll_event() else { panic!() };
    let mut router = EventRouter::<()>::new(1);
    let Some(event) = account.poll_event() else { panic!("the refusal is reported") };
    let Event::Link { event: LinkEvent::BindRefused { error, .. }, .. } = &event else { panic!("{event:?}") };
    let error = error.clone();
    router.handle_event(Instant::ZERO, &mut account, event);
    let RequestError::Refused { status: refused, response } = &error else { panic!("{error:?}") };
    assert_eq!((*refused, text(response)), (status, expected.clone()));
    assert!(error.to_string().ends_with("the peer says \"expired yesterday\""), "{error}");
    let Some(Event::Stopped { cause, status: stopped, response }) = account.poll_event() else { panic!() };
    assert_eq!((cause, stopped, text(&response)), (StopCause::Bind, status, expected.clone()));

    router.handle_event(Instant::ZERO, &mut account, Event::Stopped { cause, status, response });
    let Some(Err(FirstBindError::Refused { endpoint, system_id, response, .. })) = router.first_bind() else {
        panic!();
    };
    assert_eq!(text(&response), expected);
    let endpoint = endpoint.as_deref();
    assert_eq!((endpoint, &*system_id), (Some("smpps://smsc.example:2776"), "shop"), "and no password");
}

#[test]
fn an_acknowledgement_after_the_end_of_the_bind_names_the_end() {
    let mut sim = Simulation::new(options());
    sim.advance(SECOND);
    sim.deliver(0, &DeliverSm::default());
    sim.settle();
    let ack = sim.events.drain(..).find_map(|event| match event {
        Event::Message { ack, .. } => Some(ack),
        _ => None,
    });
    let link = sim.servers[0].link;
    sim.account.handle_disconnect(sim.now, link);
    let refused = sim.account.acknowledge(sim.now, ack.unwrap(), Ok(()));
    assert_eq!(refused, Err(AckError::BindEnded(Refusal::Closed(CloseReason::Disconnected))));
}
