//! What the peer says with a refusal, why calls fail after the end, and which PDUs a session rejects.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use crate::common::{bind, message, octets, watched};
use smpp_proto::account::{
    AccountEvent, Binds, Credentials, LinkEvent, Message, Options, SegmentOutcome, SendError,
};
use smpp_proto::provider::Provider;
use smpp_proto::session::{
    CloseReason, Config, Direction, Esme, Instant, ObservedPdu, Observer, Refusal, RejectedPdu, Smsc,
};
use smpp_proto::{
    AlertNotification, CommandId, CommandStatus, DataSm, DataSmResp, Pdu, Tag, Tlv, Tlvs, frame,
};
use smpp_std::account::{AccountConnector, AccountError};
use smpp_std::{
    Admission, BindRequest, BoundSession, Connection, Connector, HandleRoute, Inbound, Listener,
    NotSentReason, RequestError, Server, Service, start,
};

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
fn read(tcp: &mut TcpStream) -> std::io::Result<(CommandId, u32)> {
    let mut header = [0; frame::HEADER_LENGTH];
    tcp.read_exact(&mut header)?;
    let word = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().unwrap());
    tcp.read_exact(&mut vec![0; word(0) as usize - header.len()])?;
    Ok((CommandId(word(4)), word(12)))
}

type Answers = VecDeque<(CommandStatus, &'static str)>;

/// Answers each request with these, one after the other, and accepts every later one.
fn answer(mut tcp: TcpStream, mut answers: Answers) {
    while let Ok((command, sequence)) = read(&mut tcp) {
        let (status, body) = match answers.pop_front() {
            Some((CommandStatus::ROK, id)) => (CommandStatus::ROK, [id.as_bytes(), &[0]].concat()),
            Some((status, text)) => (status, reason(text)),
            None => {
                (CommandStatus::ROK, if command == CommandId::UNBIND { Vec::new() } else { b"id\0".to_vec() })
            }
        };
        if tcp.write_all(&raw(command.response(), status, sequence, &body)).is_err() {
            return;
        }
    }
}

/// Starts an SMSC, and returns its address. Each connection gets the same answers, after these octets.
fn smsc(first: Vec<u8>, answers: &[(CommandStatus, &'static str)]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answers: Answers = answers.iter().copied().collect();
    thread::spawn(move || {
        for tcp in listener.incoming() {
            let (mut tcp, answers, first) = (tcp.unwrap(), answers.clone(), first.clone());
            thread::spawn(move || {
                tcp.write_all(&first).unwrap();
                answer(tcp, answers);
            });
        }
    });
    address
}

fn check_refused(error: RequestError) {
    match error {
        RequestError::Refused { status, response, .. } => {
            assert_eq!(status, CommandStatus::RINVDSTADR);
            assert_eq!(response.additional_status_info_text().as_deref(), Some("no route to 65"));
            assert_eq!(response.tlv(PRICE), Some(&b"0.0042"[..]));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_refused_request_returns_what_the_smsc_says() {
    watched(|| {
        let answers = [
            (CommandStatus::RBINDFAIL, "maintenance until 06:00"),
            (CommandStatus::ROK, "smsc"),
            (CommandStatus::RINVDSTADR, "no route to 65"),
        ];
        let endpoint = format!("smpp://{}", smsc(Vec::new(), &answers)).parse().unwrap();
        let says = "the peer says \"maintenance until 06:00\"";
        let connector = Connector::new();
        let mut connection = connector.connect(&endpoint).unwrap();
        let error = connection.bind(&bind("secret")).unwrap_err().to_string();
        assert!(error.ends_with(says), "{error}");
        connection.bind(&bind("secret")).unwrap();
        check_refused(connection.submit(&message()).unwrap_err());
        connection.submit(&message()).unwrap();

        let (client, _inbox) = connector.start(&endpoint).unwrap();
        let error = client.bind(&bind("secret")).unwrap_err().to_string();
        assert!(error.ends_with(says), "{error}");
        client.bind(&bind("secret")).unwrap();
        check_refused(client.submit_pipelined(&message()).unwrap().wait().unwrap_err());

        let error = connector.bind(&endpoint, &bind("secret")).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    });
}

fn account(address: SocketAddr) -> AccountConnector {
    let options =
        Options::new(Credentials::new("shop", "secret"), &Provider::UNSTATED).binds(Binds::transceivers(1));
    AccountConnector::new(&format!("smpp://{address}").parse().unwrap(), options)
}

#[test]
fn an_account_returns_what_the_smsc_says() {
    watched(|| {
        let answers = [(CommandStatus::ROK, "smsc"), (CommandStatus::RINVDSTADR, "no route to 65")];
        let (sending, _arrivals) = account(smsc(Vec::new(), &answers)).connect().unwrap();
        let error = sending.send(&Message::submit_sm(&message())).err().unwrap();
        let SendError::Failed { outcome, .. } = &error else { panic!("{error:?}") };
        let Err(SegmentOutcome::Refused { status, response }) = outcome.result() else {
            panic!("{outcome:?}")
        };
        check_refused(RequestError::Refused { status: *status, response: response.clone() });
        assert!(error.to_string().ends_with("the peer says \"no route to 65\""), "{error}");

        let refused = || account(smsc(Vec::new(), &[(CommandStatus::RINVPASWD, "expired yesterday")]));
        let error = refused().connect().err().unwrap();
        let AccountError::Refused { status: CommandStatus::RINVPASWD, response, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(response.additional_status_info_text().as_deref(), Some("expired yesterday"));
        assert!(error.to_string().contains("the peer says \"expired yesterday\""), "{error}");
        assert!(error.to_string().starts_with("the bind to smpp://127.0.0.1:"), "{error}");
        let named = " as \"shop\" failed: refused by the peer: ESME_RINVPASWD";
        assert!(error.to_string().contains(named) && !error.to_string().contains("secret"), "{error}");
        let (failing, _arrivals) = refused().start().unwrap();
        let event = failing.events().find(|event| event.kind() == "bind_refused").unwrap();
        assert!(event.to_string().contains("the peer says \"expired yesterday\""), "{event}");
        let AccountEvent::Link { event: LinkEvent::BindRefused { error, .. }, .. } = event else {
            panic!("{event:?}");
        };
        let RequestError::Refused { response, .. } = error else { panic!("{error:?}") };
        assert_eq!(response.additional_status_info_text().as_deref(), Some("expired yesterday"));
    });
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

#[test]
fn after_the_end_each_call_says_why_the_session_ended() {
    watched(|| {
        let (near, far) = pair();
        let (peer, mut inbox) = start::<Smsc, _>(far, Config::default()).unwrap();
        let serving = thread::spawn(move || {
            let Some(Inbound::Bind(request)) = inbox.recv() else { panic!("no bind") };
            request.accept().unwrap();
            inbox
        });
        let mut connection = Connection::<Esme, _>::new(near, Config::default()).unwrap();
        connection.bind(&bind("secret")).unwrap();
        let _inbox = serving.join().unwrap();
        let unbinding = thread::spawn(move || peer.unbind());
        let end = connection.recv(None).unwrap_err();
        assert_eq!(end.reason, CloseReason::PeerUnbound);
        unbinding.join().unwrap();
        let error = connection.submit(&message()).unwrap_err();
        assert_eq!(error, RequestError::NeverSent(NotSentReason::Closed(CloseReason::PeerUnbound)));
        assert_eq!(error.to_string(), "not sent: the session has ended: the peer unbound");

        let (near, far) = pair();
        let (client, _inbox) = start::<Esme, _>(near, Config::default()).unwrap();
        let (peer, mut inbox) = start::<Smsc, _>(far, Config::default()).unwrap();
        thread::spawn(move || {
            let Some(Inbound::Bind(request)) = inbox.recv() else { panic!("no bind") };
            request.accept().unwrap();
            assert!(inbox.recv().is_none());
        });
        client.bind(&bind("secret")).unwrap();
        assert_eq!(client.unbind().reason, CloseReason::Unbound);
        let unbound = RequestError::NeverSent(NotSentReason::Closed(CloseReason::Unbound));
        assert_eq!(client.submit(&message()).unwrap_err(), unbound);
        assert_eq!(client.submit_pipelined(&message()).err().unwrap(), unbound);
        peer.closed();
        let closed = Refusal::Closed(CloseReason::PeerUnbound);
        assert_eq!(peer.notify(&AlertNotification::default()), Err(closed));
    });
}

/// Sends each rejected PDU as a line.
struct Rejections(mpsc::Sender<String>);

impl Observer for Rejections {
    fn observe(&mut self, _: Instant, _: Direction, _: ObservedPdu<'_>) {}

    fn rejected(&mut self, _: Instant, pdu: RejectedPdu<'_>) {
        let _ = self.0.send(format!("{pdu}, {} octets shown", pdu.octets().len()));
    }
}

/// A deliver_sm that ends after its first field, and an unknown command.
fn invalid() -> Vec<u8> {
    [
        raw(CommandId::DELIVER_SM, CommandStatus::ROK, 7, b"\0"),
        raw(CommandId(0x22), CommandStatus::ROK, 8, b""),
    ]
    .concat()
}

const REJECTIONS: [&str; 2] = [
    "deliver_sm 7, 17 octets: malformed: deliver_sm: source_addr_ton at octet 17: \
     the PDU ends before the end of the field, 17 octets shown",
    "command 0x00000022 8, 16 octets: unknown command_id, 16 octets shown",
];

#[test]
fn an_observer_sees_rejected_pdus_of_a_session_and_of_an_account() {
    watched(|| {
        let (near, mut far) = pair();
        let (client, _inbox) = start::<Esme, _>(near, Config::default()).unwrap();
        let (sender, seen) = mpsc::channel();
        client.observe(Rejections(sender));
        far.write_all(&invalid()).unwrap();
        assert_eq!([seen.recv().unwrap(), seen.recv().unwrap()], REJECTIONS);
        let stats = client.stats();
        assert_eq!((stats.malformed, stats.unknown_commands, stats.refused), (1, 1, 0));

        let (near, mut far) = pair();
        let mut connection = Connection::<Esme, _>::new(near, Config::default()).unwrap();
        let (sender, seen) = mpsc::channel();
        connection.observe(Rejections(sender));
        far.write_all(&invalid()).unwrap();
        drop(far);
        connection.recv(None).unwrap_err();
        assert_eq!([seen.recv().unwrap(), seen.recv().unwrap()], REJECTIONS);
        assert_eq!(connection.stats().unknown_commands, 1);

        let (sender, seen) = mpsc::channel();
        let connector = account(smsc(invalid(), &[])).observe(move |_| Rejections(sender.clone()));
        let (account, _arrivals) = connector.connect().unwrap();
        assert_eq!([seen.recv().unwrap(), seen.recv().unwrap()], REJECTIONS);
        let stats = account.links()[0].2.unwrap();
        assert_eq!((stats.malformed, stats.unknown_commands, stats.refused), (1, 1, 0));
    });
}

struct Shop;

impl Service for Shop {
    fn bind(&self, _: &BindRequest) -> Result<Admission, CommandStatus> {
        Ok(Admission::default())
    }

    fn request(&self, _: &BoundSession, _: Inbound<HandleRoute<Smsc>>) {}
}

#[test]
fn an_observer_of_the_server_sees_each_connection_from_its_first_pdu() {
    struct Lines(SocketAddr, mpsc::Sender<String>);
    impl Observer for Lines {
        fn observe(&mut self, _: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
            let _ = self.1.send(format!("{} {direction:?} {}", self.0, pdu.header().command));
        }

        fn rejected(&mut self, _: Instant, pdu: RejectedPdu<'_>) {
            let _ = self.1.send(format!("{} rejected {:?}", self.0, pdu.reason()));
        }
    }
    watched(|| {
        let (sender, lines) = mpsc::channel();
        let server = Server::builder(Shop)
            .listen(Listener::bind("127.0.0.1:0", Config::default()).unwrap())
            .observe(move |address| Lines(address, sender.clone()))
            .start()
            .unwrap();
        let mut tcp = TcpStream::connect(server.local_addrs()[0]).unwrap();
        let address = tcp.local_addr().unwrap();
        // Before its bind the session refuses a message.
        tcp.write_all(&octets(&Pdu::SubmitSm(message()), 1)).unwrap();
        for line in ["In submit_sm", "rejected Refused(ESME_RINVBNDSTS)", "Out submit_sm_resp"] {
            assert_eq!(lines.recv().unwrap(), format!("{address} {line}"));
        }
        tcp.write_all(&octets(&Pdu::Bind(bind("secret")), 2)).unwrap();
        for line in ["In bind_transceiver", "Out bind_transceiver_resp"] {
            assert_eq!(lines.recv().unwrap(), format!("{address} {line}"));
        }
        // The session stays in the registry while it is bound.
        let stats = server.binds().list()[0].stats();
        assert_eq!((stats.refused, stats.malformed, stats.unknown_commands), (1, 0, 0));
    });
}

#[test]
fn a_refused_data_sm_has_the_parameters_that_the_smsc_gives() {
    watched(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_smsc, mut requests) =
            start::<Smsc, _>(listener.accept().unwrap().0, Config::default()).unwrap();
        let serving = thread::spawn(move || {
            let Some(Inbound::Bind(request)) = requests.recv() else { panic!("no bind") };
            request.accept().unwrap();
            let Some(Inbound::DataSm(message)) = requests.recv() else { panic!("no message") };
            let price = [Tlv::new(PRICE, b"0.0042").unwrap()];
            let body = DataSmResp { tlvs: Tlvs::list(&price), ..DataSmResp::default() };
            message.respond_with_reason(CommandStatus::RSUBMITFAIL, &body).unwrap();
        });
        let (client, _inbox) = start::<Esme, _>(there, Config::default()).unwrap();
        client.bind(&bind("secret")).unwrap();
        let error = client.request(&DataSm::default()).unwrap_err();
        let RequestError::Refused { status, response } = error else { panic!("{error}") };
        assert_eq!(status, CommandStatus::RSUBMITFAIL);
        assert_eq!(response.tlv(PRICE), Some(&b"0.0042"[..]));
        serving.join().unwrap();
    });
}
