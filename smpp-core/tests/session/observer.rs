//! An observer sees every PDU, without the password.

use std::cell::RefCell;
use std::rc::Rc;

use smpp_core::session::{Config, Direction, Esme, Event, Instant, ObservedPdu, Observer, Session, Smsc};
use smpp_core::{Bind, BindMode, COctets, CommandId, CommandStatus, Outbind, Password, Pdu};

use super::support::{bind_resp, octets, raw, request};

const NOW: Instant = Instant::from_nanos(5);

type Records = Vec<(Instant, Direction, Vec<u8>, String)>;

/// Records every PDU.
#[derive(Clone, Default)]
struct Recorder(Rc<RefCell<Records>>);

impl Observer for Recorder {
    fn observe(&mut self, at: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        self.0.borrow_mut().push((at, direction, pdu.octets().into_owned(), format!("{pdu:?}")));
    }
}

fn bind(password: &str) -> Bind<'_> {
    Bind {
        mode: BindMode::Transceiver,
        system_id: COctets::new(b"ESME").unwrap(),
        password: Password::new(password.as_bytes()).unwrap(),
        ..Bind::default()
    }
}

#[test]
fn an_observer_sees_every_pdu_in_order_without_the_password() {
    let recorder = Recorder::default();
    let mut esme = Session::<Esme, (), _>::with_observer(Config::default(), NOW, Some(recorder.clone()));
    esme.request(NOW, &bind("secret08"), ()).unwrap();
    let answer = octets(Pdu::BindResp(BindMode::Transceiver, Some(bind_resp())), CommandStatus::ROK, 1);
    let malformed = raw(CommandId::DELIVER_SM, CommandStatus::ROK, 9, b"x");
    let mut input = &[&answer[..], &malformed[..]].concat()[..];
    while esme.handle_input(NOW, &mut input).is_some() {}

    let masked = request(Pdu::Bind(bind("********")), 1);
    let refused = raw(CommandId::DELIVER_SM_RESP, CommandStatus::RINVSERTYP, 9, b"\0");
    let seen = recorder.0.borrow();
    let expected = [
        (NOW, Direction::Out, masked, "bind_transceiver 1, 35 octets".to_owned()),
        (NOW, Direction::In, answer, "bind_transceiver_resp 1 ESME_ROK, 21 octets".to_owned()),
        (NOW, Direction::In, malformed, "deliver_sm 9, 17 octets".to_owned()),
        (NOW, Direction::Out, refused, "deliver_sm_resp 9 ESME_RINVSERTYP, 17 octets".to_owned()),
    ];
    assert_eq!(*seen, expected);
}

#[test]
fn a_malformed_bind_does_not_show_the_password() {
    let long = b"ESME\0a-password-longer-than-any\0\0\x34\0\0\0".to_vec();
    let cut = b"ESME\0secret08".to_vec();
    let no_nul = b"ESMEsecret08".to_vec();
    let outbind = octets(
        Pdu::Outbind(Outbind { password: Password::new(b"secret08").unwrap(), ..Outbind::default() }),
        CommandStatus::ROK,
        3,
    );
    let binds =
        [long, cut, no_nul].map(|body| raw(CommandId::BIND_RECEIVER, CommandStatus::RSYSERR, 3, &body));
    for octets in binds.into_iter().chain([outbind]) {
        let recorder = Recorder::default();
        let mut smsc = Session::<Smsc, (), _>::with_observer(Config::default(), NOW, recorder.clone());
        let mut input = &octets[..];
        while let Some(event) = smsc.handle_input(NOW, &mut input) {
            if let Event::Request { request, .. } = event {
                smsc.refuse(request).unwrap();
            }
        }
        let seen = recorder.0.borrow();
        let shown = &seen[0].2;
        assert_eq!(
            (shown.len(), &shown[..16]),
            (octets.len(), &octets[..16]),
            "the other octets are unchanged"
        );
        let text = String::from_utf8_lossy(shown);
        assert!(!text.contains("secret") && !text.contains("password"), "{text}");
    }
}

#[test]
fn an_observer_can_be_reached_and_replaced() {
    let first = Recorder::default();
    let mut session = Session::<Esme, (), _>::with_observer(Config::default(), NOW, (first.clone(), None));
    session.request(NOW, &bind(""), ()).unwrap();
    assert!(session.observer().1.is_none());
    let second = Recorder::default();
    session.observer_mut().1 = Some(second.clone());
    let octets = request(Pdu::EnquireLink, 4);
    assert!(session.handle_input(NOW, &mut &octets[..]).is_none());
    let seen = |recorder: &Recorder| {
        recorder.0.borrow().iter().map(|(_, direction, ..)| *direction).collect::<Vec<_>>()
    };
    assert_eq!(seen(&first), [Direction::Out, Direction::In, Direction::Out]);
    assert_eq!(seen(&second), [Direction::In, Direction::Out], "it sees PDUs from then on");
}
