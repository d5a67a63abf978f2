//! What the peer says with a refusal, why calls fail after the end, and which PDUs a session rejects.

use std::io;

use smpp_proto::account::{
    AccountEvent, Binds, Credentials, LinkEvent, Message, Options, SegmentOutcome, SendError,
};
use smpp_proto::provider::Provider;
use smpp_proto::session::{
    CloseReason, Config, Direction, Esme, Instant, ObservedPdu, Observer, Refusal, RejectedPdu, Smsc, State,
};
use smpp_proto::{AlertNotification, Bind, CommandId, CommandStatus, SubmitSm, Tag, frame};
use smpp_tokio::account::{AccountConnector, AccountError};
use smpp_tokio::{Inbound, NotSentReason, RequestError, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// A vendor's parameter.
const PRICE: Tag = Tag(0x1405);

/// Encodes a PDU with any body.
fn raw(command: CommandId, status: CommandStatus, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(frame::HEADER_LENGTH + body.len()).unwrap();
    [[length, command.0, status.0, sequence].map(u32::to_be_bytes).as_flattened(), body].concat()
}

/// Encodes `additional_status_info_text` and the price.
fn reason(text: &str) -> Vec<u8> {
    let text = [text.as_bytes(), &[0]].concat();
    let parameter = |tag: Tag, value: &[u8]| {
        [&tag.0.to_be_bytes()[..], &u16::try_from(value.len()).unwrap().to_be_bytes(), value].concat()
    };
    [parameter(Tag::ADDITIONAL_STATUS_INFO_TEXT, &text), parameter(PRICE, b"0.0042")].concat()
}

/// Reads the next PDU, and returns its command and sequence number.
async fn read(stream: &mut DuplexStream) -> io::Result<(CommandId, u32)> {
    let length = stream.read_u32().await?;
    let mut rest = vec![0; length as usize - 4];
    stream.read_exact(&mut rest).await?;
    let word = |at: usize| u32::from_be_bytes(rest[at..at + 4].try_into().unwrap());
    Ok((CommandId(word(0)), word(8)))
}

/// An SMSC that answers each request with these, one after the other, and accepts every later one.
async fn smsc(mut stream: DuplexStream, mut answers: Vec<(CommandStatus, &'static str)>) {
    answers.reverse();
    while let Ok((command, sequence)) = read(&mut stream).await {
        let (status, body) = match answers.pop() {
            Some((CommandStatus::ROK, id)) => (CommandStatus::ROK, [id.as_bytes(), &[0]].concat()),
            Some((status, text)) => (status, reason(text)),
            None => {
                (CommandStatus::ROK, if command == CommandId::UNBIND { Vec::new() } else { b"id\0".to_vec() })
            }
        };
        let answer = raw(command.response(), status, sequence, &body);
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_request_returns_what_the_smsc_says() {
    let (near, far) = duplex(1 << 16);
    let (client, _inbox) = start::<Esme, _>(near, Config::default());
    crate::spawn(smsc(
        far,
        vec![
            (CommandStatus::RBINDFAIL, "maintenance until 06:00"),
            (CommandStatus::ROK, "smsc"),
            (CommandStatus::RINVDSTADR, "no route to 65"),
        ],
    ));
    let error = client.bind(&Bind::default()).await.unwrap_err();
    assert!(error.to_string().ends_with("the peer says \"maintenance until 06:00\""), "{error}");
    client.bind(&Bind::default()).await.unwrap();
    match client.submit(&SubmitSm::default()).await {
        Err(RequestError::Refused { status, response, .. }) => {
            assert_eq!(status, CommandStatus::RINVDSTADR);
            assert_eq!(response.additional_status_info_text().as_deref(), Some("no route to 65"));
            assert_eq!(response.tlv(PRICE), Some(&b"0.0042"[..]));
        }
        other => panic!("{other:?}"),
    }
    let accepted = client.submit(&SubmitSm::default()).await.unwrap();
    assert_eq!(accepted.additional_status_info_text(), None);
}

#[tokio::test(start_paused = true)]
async fn an_account_returns_what_the_smsc_says() {
    let connector = |answers: &[(CommandStatus, &'static str)]| {
        let answers = answers.to_vec();
        let options = Options::new(Credentials::new("shop", "secret"), &Provider::UNSTATED)
            .binds(Binds::transceivers(1));
        AccountConnector::new(&"smpp://192.0.2.1".parse().unwrap(), options).dial(move |_| {
            let (near, far) = duplex(1 << 16);
            crate::spawn(smsc(far, answers.clone()));
            async { io::Result::Ok(near) }
        })
    };
    let answers = [(CommandStatus::ROK, "smsc"), (CommandStatus::RINVDSTADR, "no route to 65")];
    let (account, _arrivals) = connector(&answers).connect().await.unwrap();
    let error = account.send(&Message::text(&SubmitSm::default(), "Hello")).await.err().unwrap();
    let SendError::Failed { outcome, .. } = &error else { panic!("{error:?}") };
    let Err(SegmentOutcome::Refused { status, response }) = outcome.result() else { panic!("{outcome:?}") };
    assert_eq!(*status, CommandStatus::RINVDSTADR);
    assert_eq!(response.additional_status_info_text().as_deref(), Some("no route to 65"));
    assert_eq!(response.tlv(PRICE), Some(&b"0.0042"[..]));
    assert!(error.to_string().ends_with("the peer says \"no route to 65\""), "{error}");

    let refused = [(CommandStatus::RINVPASWD, "expired yesterday")];
    let error = connector(&refused).connect().await.err().unwrap();
    let AccountError::Refused { status: CommandStatus::RINVPASWD, response } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(response.additional_status_info_text().as_deref(), Some("expired yesterday"));
    assert!(error.to_string().contains("the peer says \"expired yesterday\""), "{error}");
    let (account, _arrivals) = connector(&refused).start().unwrap();
    let mut events = account.events();
    let event = loop {
        match events.recv().await.unwrap() {
            AccountEvent::Link { event: LinkEvent::Binding { .. }, .. } => {}
            event => break event,
        }
    };
    assert!(event.to_string().contains("the peer says \"expired yesterday\""), "{event}");
    let AccountEvent::Link { event: LinkEvent::BindRefused { error, .. }, .. } = event else {
        panic!("{event:?}")
    };
    let RequestError::Refused { status, response } = error else { panic!("{error:?}") };
    assert_eq!(status, CommandStatus::RINVPASWD);
    assert_eq!(response.additional_status_info_text().as_deref(), Some("expired yesterday"));
}

#[tokio::test(start_paused = true)]
async fn after_the_end_each_call_says_why_the_session_ended() {
    let (near, far) = duplex(1 << 16);
    let (client, mut client_inbox) = start::<Esme, _>(near, Config::default());
    let (peer, mut inbox) = start::<Smsc, _>(far, Config::default());
    let accept = async {
        let Some(Inbound::Bind(bind)) = inbox.recv().await else { panic!("no bind") };
        bind.accept().unwrap();
    };
    let bind = Bind::default();
    let (bound, ()) = tokio::join!(client.bind(&bind), accept);
    bound.unwrap();
    // Unanswered, it delays the answer to the unbind: the session is shutting down until then.
    let delivering = crate::spawn({
        let peer = peer.clone();
        async move { peer.request(&smpp_proto::DeliverSm::default()).await }
    });
    let Some(Inbound::DeliverSm(held)) = client_inbox.recv().await else { panic!("no message") };
    let unbinding = crate::spawn({
        let client = client.clone();
        async move { client.unbind().await }
    });
    tokio::task::yield_now().await;
    let error = client.submit(&SubmitSm::default()).await.unwrap_err();
    assert_eq!(error, RequestError::NeverSent(NotSentReason::Closing(CloseReason::Unbound)));
    assert_eq!(error.to_string(), "not sent: the session is shutting down: this side unbinds");
    held.accept().unwrap();
    delivering.await.unwrap().unwrap();
    assert_eq!(unbinding.await.unwrap().reason, CloseReason::Unbound);

    let error = client.submit(&SubmitSm::default()).await.unwrap_err();
    assert_eq!(error, RequestError::NeverSent(NotSentReason::Closed(CloseReason::Unbound)));
    assert_eq!(client.state(), State::Closed);
    peer.closed().await;
    let error = peer.deliver(&smpp_proto::DeliverSm::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "not sent: the session has ended: the peer unbound");
    let closed = Refusal::Closed(CloseReason::PeerUnbound);
    assert_eq!(peer.notify(&AlertNotification::default()), Err(closed));
}

/// Sends each rejected PDU as a line.
struct Rejections(tokio::sync::mpsc::UnboundedSender<String>);

impl Observer for Rejections {
    fn observe(&mut self, _: Instant, _: Direction, _: ObservedPdu<'_>) {}

    fn rejected(&mut self, _: Instant, pdu: RejectedPdu<'_>) {
        let _ = self.0.send(format!("{pdu}, {} octets shown", pdu.octets().len()));
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_sees_rejected_pdus_of_a_session_and_of_an_account() {
    // A deliver_sm that ends after its first field, and an unknown command.
    let invalid = [
        raw(CommandId::DELIVER_SM, CommandStatus::ROK, 7, b"\0"),
        raw(CommandId(0x22), CommandStatus::ROK, 8, b""),
    ];
    let expected = [
        "deliver_sm 7, 17 octets: malformed: deliver_sm: source_addr_ton at octet 17: \
         the PDU ends before the end of the field, 17 octets shown",
        "command 0x00000022 8, 16 octets: unknown command_id, 16 octets shown",
    ];

    let (near, mut far) = duplex(1 << 16);
    let (client, _inbox) = start::<Esme, _>(near, Config::default());
    let (sender, mut seen) = tokio::sync::mpsc::unbounded_channel();
    client.observe(Rejections(sender));
    far.write_all(&invalid.concat()).await.unwrap();
    for line in expected {
        assert_eq!(seen.recv().await.as_deref(), Some(line));
    }
    let stats = client.stats();
    assert_eq!((stats.malformed, stats.unknown_commands, stats.refused), (1, 1, 0));

    let (sender, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let options = Options::new(Credentials::new("shop", "secret"), &Provider::UNSTATED);
    let connector = AccountConnector::new(&"smpp://192.0.2.1".parse().unwrap(), options)
        .observe(move |_| Rejections(sender.clone()))
        .dial(move |_| {
            let (near, mut far) = duplex(1 << 16);
            let invalid = invalid.concat();
            crate::spawn(async move {
                let (command, sequence) = read(&mut far).await.unwrap();
                let accepted = raw(command.response(), CommandStatus::ROK, sequence, b"smsc\0");
                far.write_all(&[accepted, invalid].concat()).await.unwrap();
                smsc(far, Vec::new()).await;
            });
            async { io::Result::Ok(near) }
        });
    let (account, _arrivals) = connector.connect().await.unwrap();
    for line in expected {
        assert_eq!(seen.recv().await.as_deref(), Some(line));
    }
    let stats = account.links()[0].2.unwrap();
    assert_eq!((stats.malformed, stats.unknown_commands, stats.refused), (1, 1, 0));
}
