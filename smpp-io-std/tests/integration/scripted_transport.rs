//! A connection over a scripted transport: partial writes, timeouts, reads that hold several PDUs or a part of one.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use crate::common::{bind, message};
use smpp_proto::session::{
    CloseReason, Config, Direction, Esme, Instant, ObservedPdu, Observer, Smsc, State, UnansweredReason,
};
use smpp_proto::{
    BindMode, BindResp, COctets, CommandId, CommandStatus, DataSm, DataSmResp, DeliverSm, Outbind, Pdu,
    SequenceNumber, SubmitSmResp, Tag, Tlv, Tlvs, Tolerance, frame,
};
use smpp_std::{Connection, DeadlineError, Inbound, NotSentReason, RequestError, Transport};

/// The result of one read of the transport.
enum Step {
    Octets(Vec<u8>),
    Pause,
    Interrupted,
    Reset,
    /// The end of the stream, also for later reads.
    End,
}

/// The calls that the transport has received.
#[derive(Default)]
struct Log {
    written: Vec<u8>,
    flushed: usize,
    shutdowns: usize,
    zero_timeouts: usize,
}

struct Script {
    reads: VecDeque<Step>,
    /// The octets that each write takes: `None` is a timeout, `Some(0)` a failure. Later writes take everything.
    writes: VecDeque<Option<usize>>,
    log: Arc<Mutex<Log>>,
}

impl Read for Script {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        match self.reads.pop_front() {
            Some(Step::Octets(mut next)) => {
                let read = next.len().min(octets.len());
                octets[..read].copy_from_slice(&next[..read]);
                if read < next.len() {
                    self.reads.push_front(Step::Octets(next.split_off(read)));
                }
                Ok(read)
            }
            Some(Step::Pause) => Err(io::ErrorKind::WouldBlock.into()),
            Some(Step::Interrupted) => Err(io::ErrorKind::Interrupted.into()),
            Some(Step::Reset) => Err(io::ErrorKind::ConnectionReset.into()),
            Some(Step::End) => Ok(0),
            None => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl Write for Script {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let taken = match self.writes.pop_front() {
            Some(Some(0)) => return Err(io::ErrorKind::BrokenPipe.into()),
            Some(Some(some)) => some.min(octets.len()),
            Some(None) => return Err(io::ErrorKind::WouldBlock.into()),
            None => octets.len(),
        };
        self.log.lock().unwrap().written.extend_from_slice(&octets[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut log = self.log.lock().unwrap();
        log.flushed = log.written.len();
        Ok(())
    }
}

impl Transport for Script {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.log.lock().unwrap().zero_timeouts += usize::from(timeout == Some(Duration::ZERO));
        Ok(())
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        Self::set_read_timeout(self, timeout)
    }

    fn shutdown(&mut self) -> io::Result<()> {
        self.log.lock().unwrap().shutdowns += 1;
        Ok(())
    }
}

fn octets(pdu: &Pdu<'_>, sequence: u32) -> Vec<u8> {
    let mut out = Vec::new();
    pdu.encode(CommandStatus::ROK, SequenceNumber(sequence), &mut out);
    out
}

fn bind_resp() -> Vec<u8> {
    octets(&Pdu::BindResp(BindMode::Transceiver, Some(BindResp::default())), 1)
}

fn submit_resp(sequence: u32) -> Vec<u8> {
    let message_id = COctets::new(b"id-7").unwrap();
    octets(&Pdu::SubmitSmResp(Some(SubmitSmResp { message_id, ..SubmitSmResp::default() })), sequence)
}

fn deliver(sequence: u32) -> Vec<u8> {
    octets(&Pdu::DeliverSm(DeliverSm::default()), sequence)
}

fn esme(
    config: Config,
    reads: impl IntoIterator<Item = Step>,
    writes: impl IntoIterator<Item = Option<usize>>,
) -> (Connection<Esme, Script>, Arc<Mutex<Log>>) {
    let log = Arc::new(Mutex::new(Log::default()));
    let (reads, writes) = (reads.into_iter().collect(), writes.into_iter().collect());
    let script = Script { reads, writes, log: Arc::clone(&log) };
    (Connection::new(script, config).unwrap(), log)
}

fn commands(mut stream: &[u8]) -> Vec<CommandId> {
    let mut commands = Vec::new();
    while let Some((pdu, rest)) = frame::split(stream, 100_000).unwrap() {
        commands.push(pdu.header().command);
        stream = rest;
    }
    assert!(stream.is_empty(), "a PDU was written in part");
    commands
}

#[test]
fn writes_of_one_octet_lose_nothing() {
    let reads = [Step::Octets(bind_resp()), Step::Interrupted, Step::Pause, Step::Octets(submit_resp(2))];
    let (mut connection, log) = esme(Config::default(), reads, vec![Some(1); 500]);
    connection.bind(&bind("secret")).unwrap();
    assert_eq!(connection.submit(&message()).unwrap().message_id(), b"id-7");
    let log = log.lock().unwrap();
    assert_eq!(commands(&log.written), [CommandId::BIND_TRANSCEIVER, CommandId::SUBMIT_SM]);
    assert_eq!((log.flushed, log.zero_timeouts), (log.written.len(), 0));
    assert_eq!(connection.stats().transmitted, log.written.len() as u64);
}

#[test]
fn writes_continue_after_timeouts() {
    let writes = [Some(5), None, None, Some(1), None];
    // One read for each write that times out, and the response after the whole request.
    let reads = [Step::Pause, Step::Pause, Step::Pause, Step::Octets(bind_resp())];
    let (mut connection, log) = esme(Config::default(), reads, writes);
    connection.bind(&bind("secret")).unwrap();
    assert_eq!(commands(&log.lock().unwrap().written), [CommandId::BIND_TRANSCEIVER]);
}

#[test]
fn the_stream_reads_the_same_wherever_it_is_split() {
    let enquire_link = octets(&Pdu::EnquireLink, 9);
    let stream = [bind_resp(), deliver(5), enquire_link, submit_resp(2), deliver(6)].concat();
    for at in 0..=stream.len() {
        let (head, tail) = stream.split_at(at);
        let reads = [head, tail].into_iter().filter(|part| !part.is_empty());
        let reads = reads.flat_map(|part| [Step::Octets(part.to_vec()), Step::Pause]);
        let (mut connection, log) = esme(Config::default(), reads, []);
        connection.bind(&bind("secret")).unwrap();
        // If the whole stream was read with the bind response, the submit_sm_resp came before its request.
        if connection.stats().unexpected_responses == 0 {
            assert_eq!(connection.submit(&message()).unwrap().message_id(), b"id-7", "split at {at}");
        }
        for sequence in [5, 6] {
            let Some(Inbound::DeliverSm(delivery)) = connection.recv(None).unwrap() else { panic!("{at}") };
            assert_eq!(delivery.frame().header().sequence, SequenceNumber(sequence));
            connection.accept(delivery).unwrap();
        }
        let written = log.lock().unwrap().written.clone();
        let answers =
            commands(&written).into_iter().filter(|command| command.is_response()).collect::<Vec<_>>();
        let deliver_sm_resp = CommandId::DELIVER_SM_RESP;
        assert_eq!(answers, [CommandId::ENQUIRE_LINK_RESP, deliver_sm_resp, deliver_sm_resp]);
    }
}

#[test]
fn a_pdu_larger_than_the_buffer_arrives_whole() {
    let text = vec![b'x'; 60_000];
    let tlvs = [smpp_proto::Tlv::new(smpp_proto::Tag(0x0424), &text).unwrap()];
    let large = DeliverSm { tlvs: smpp_proto::Tlvs::list(&tlvs), ..DeliverSm::default() };
    let reads = [bind_resp(), octets(&Pdu::DeliverSm(large), 1)].concat();
    let reads = reads.chunks(777).map(|chunk| Step::Octets(chunk.to_vec())).collect::<Vec<_>>();
    let (mut connection, _) = esme(Config::default(), reads, []);
    connection.bind(&bind("secret")).unwrap();
    let Some(Inbound::DeliverSm(delivery)) = connection.recv(None).unwrap() else { panic!() };
    assert_eq!(delivery.get().text(), text);
    connection.accept(delivery).unwrap();
}

#[test]
fn buffered_pdus_are_read_once_there_is_room_for_output() {
    // Four responses fill the output. The rest of the one large read waits in the buffer, not in the socket.
    let config = Config::default().max_output(64);
    let flood: Vec<u8> = (1..=40).flat_map(|sequence| octets(&Pdu::EnquireLink, sequence)).collect();
    let (mut connection, log) = esme(config, [Step::Octets([bind_resp(), flood].concat())], []);
    connection.bind(&bind("secret")).unwrap();
    while log.lock().unwrap().written.len() < crate::common::length(&bind("secret")) + 40 * 16 {
        assert!(connection.recv(Some(Duration::ZERO)).unwrap().is_none());
    }
}

#[test]
fn a_request_that_was_written_in_part_was_never_sent() {
    let bind_length = crate::common::length(&bind("secret"));
    let writes = [Some(bind_length), Some(3), Some(0)];
    let (mut connection, log) = esme(Config::default(), [Step::Octets(bind_resp())], writes);
    connection.bind(&bind("secret")).unwrap();
    let error = connection.submit(&message()).unwrap_err();
    assert_eq!(error, RequestError::NeverSent(NotSentReason::Closed(CloseReason::Disconnected)));
    assert!(error.is_safe_to_resend());
    let end = connection.recv(None).unwrap_err();
    assert_eq!(end.error.unwrap().kind(), io::ErrorKind::BrokenPipe, "the transport's own error is kept");
    assert_eq!(log.lock().unwrap().shutdowns, 1);
    assert_eq!(connection.state(), State::Closed);
    assert!(connection.submit(&message()).unwrap_err().is_safe_to_resend());
}

#[test]
fn a_request_without_a_response_is_unanswered_when_the_connection_is_lost() {
    for step in [Step::End, Step::Reset] {
        let failed = matches!(step, Step::Reset);
        let (mut connection, _) = esme(Config::default(), [Step::Octets(bind_resp()), step], []);
        connection.bind(&bind("secret")).unwrap();
        let error = connection.submit(&message()).unwrap_err();
        assert_eq!(error, RequestError::Unanswered(UnansweredReason::Closed(CloseReason::Disconnected)));
        assert!(!error.is_safe_to_resend());
        let end = connection.recv(None).unwrap_err();
        assert_eq!(end.reason, CloseReason::Disconnected);
        assert_eq!(end.error.is_some(), failed, "the transport's own error is kept");
    }
}

#[test]
fn an_exchange_has_a_deadline() {
    let soon = || std::time::Instant::now() + Duration::from_millis(20);
    let config = Config::default().window(1);
    let reads =
        std::iter::once(Step::Octets(bind_resp())).chain(std::iter::repeat_with(|| Step::Pause).take(60));
    let (mut connection, log) = esme(config, reads.chain([Step::Octets(submit_resp(2))]), []);
    connection.bind(&bind("secret")).unwrap();
    let Err(DeadlineError::InFlight(sent)) = connection.submit_until(&message(), std::time::Instant::now())
    else {
        panic!("there is no response yet")
    };
    // The window is full.
    let late = connection.request_until(&message(), std::time::Instant::now());
    assert!(matches!(late, Err(DeadlineError::NeverSent)), "{late:?}");
    let text = late.unwrap_err().to_string();
    assert!(text.ends_with("it is safe to send it again"), "{text}");
    let sent = connection.wait_until(sent, std::time::Instant::now()).unwrap_err();
    assert_eq!(commands(&log.lock().unwrap().written), [CommandId::BIND_TRANSCEIVER, CommandId::SUBMIT_SM]);
    assert_eq!(connection.wait(sent).unwrap().message_id(), b"id-7");
    // A peer that takes nothing.
    let (mut connection, _) = esme(config, [Step::Octets(bind_resp())], [Some(1 << 20)]);
    connection.bind(&bind("secret")).unwrap();
    connection.submit_until(&message(), soon()).unwrap_err();
}

#[test]
fn a_deadline_also_covers_a_write_that_the_peer_does_not_take() {
    let bind_length = crate::common::length(&bind("secret"));
    let writes = std::iter::once(Some(bind_length)).chain(std::iter::repeat_n(None, 1_000_000));
    let (mut connection, _) = esme(Config::default(), [Step::Octets(bind_resp())], writes);
    connection.bind(&bind("secret")).unwrap();
    let began = std::time::Instant::now();
    let late = connection.submit_until(&message(), began + Duration::from_millis(20));
    assert!(matches!(late, Err(DeadlineError::InFlight(_))), "{late:?}");
    let text = late.unwrap_err().to_string();
    assert!(
        text.ends_with("it may still accept it, so wait for the outcome before sending it again"),
        "{text}"
    );
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_session_closes_when_the_peer_reads_nothing() {
    let config = Config::default().response_timeout(Duration::from_millis(20));
    let (mut connection, _) = esme(config, [], std::iter::repeat_n(None, 1_000_000));
    assert!(connection.bind(&bind("secret")).is_err());
    assert_eq!(connection.recv(None).unwrap_err().reason, CloseReason::Stalled);
}

#[test]
fn responses_that_came_before_a_write_failed_are_handled() {
    let sent = crate::common::length(&bind("secret"));
    let submit = octets(&Pdu::SubmitSm(message()), 2).len();
    let reads = [Step::Octets(bind_resp()), Step::Octets([submit_resp(2), submit_resp(3)].concat())];
    let writes = [sent, submit, submit, 0].map(Some);
    let (mut connection, _) = esme(Config::default(), reads, writes);
    connection.bind(&bind("secret")).unwrap();
    let answered = [connection.send(&message()).unwrap(), connection.send(&message()).unwrap()];
    let failed = connection.send(&message()).unwrap();
    for pending in answered {
        assert_eq!(connection.wait(pending).unwrap().message_id(), b"id-7");
    }
    let error = connection.wait(failed).unwrap_err();
    assert_eq!(error, RequestError::NeverSent(NotSentReason::Closed(CloseReason::Disconnected)));
}

#[test]
fn responses_in_the_socket_are_in_time_however_late_they_are_read() {
    let config = Config::default().response_timeout(Duration::from_millis(300)).window(50);
    // One response in each read, so that many reads are needed.
    let answers = (2..=50).map(|sequence| Step::Octets(submit_resp(sequence)));
    let (mut connection, _) = esme(config, std::iter::once(Step::Octets(bind_resp())).chain(answers), []);
    connection.bind(&bind("secret")).unwrap();
    let pending: Vec<_> = (2..=50).map(|_| connection.send(&message()).unwrap()).collect();
    // The application waits meanwhile for a peer that sends no response. When that times out, the responses above are overdue.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = TcpStream::connect(silent.local_addr().unwrap()).unwrap();
    let error = Connection::<Esme, _>::new(other, config).unwrap().bind(&bind("secret")).unwrap_err();
    assert_eq!(error, RequestError::Unanswered(UnansweredReason::Timeout));
    for pending in pending {
        connection.wait(pending).unwrap();
    }
}

#[test]
fn unbind_refuses_requests_that_were_not_fetched() {
    let unbind_resp = octets(&Pdu::UnbindResp, 2);
    let reads = [[bind_resp(), deliver(1)].concat(), unbind_resp].map(Step::Octets);
    let (mut connection, log) = esme(Config::default(), reads, []);
    connection.bind(&bind("secret")).unwrap();
    assert_eq!(connection.unbind().reason, CloseReason::Unbound);
    let log = log.lock().unwrap();
    let (_, rest) = frame::split(&log.written, 1000).unwrap().unwrap();
    let (refusal, _) = frame::split(rest, 1000).unwrap().unwrap();
    assert_eq!(refusal.header().command, CommandId::DELIVER_SM_RESP);
    assert_eq!(refusal.header().status, CommandStatus::RX_T_APPN);
    assert_eq!(commands(&log.written).last(), Some(&CommandId::UNBIND));
    assert_eq!(log.shutdowns, 1);
}

#[test]
fn the_peers_unbind_is_answered_and_ends_the_connection() {
    let unbind = octets(&Pdu::Unbind, 3);
    let (mut connection, log) = esme(Config::default(), [Step::Octets([bind_resp(), unbind].concat())], []);
    connection.bind(&bind("secret")).unwrap();
    assert_eq!(connection.recv(None).unwrap_err().reason, CloseReason::PeerUnbound);
    assert_eq!(commands(&log.lock().unwrap().written).last(), Some(&CommandId::UNBIND_RESP));
}

#[test]
fn an_smsc_closes_a_connection_without_a_bind() {
    let config = Config::default().session_init_timeout(Duration::from_millis(5));
    let log = Arc::default();
    let script = Script { reads: VecDeque::new(), writes: VecDeque::new(), log };
    let mut connection = Connection::<Smsc, _>::new(script, config).unwrap();
    assert_eq!(connection.recv(None).unwrap_err().reason, CloseReason::SessionInit);
}

#[test]
fn debug_output_does_not_show_the_password() {
    let request = octets(&Pdu::Bind(bind("hunter2")), 1);
    let script =
        Script { reads: [Step::Octets(request)].into(), writes: VecDeque::new(), log: Arc::default() };
    let mut connection = Connection::<Smsc, _>::new(script, Config::default()).unwrap();
    let inbound = connection.recv(None).unwrap().unwrap();
    let Inbound::Bind(request) = &inbound else { panic!() };
    assert!(request.get().password.equals(b"hunter2"));
    assert!(request.frame().pdu(Tolerance::STRICT).is_ok());
    let shown = format!("{inbound:?} {connection:?} {:?}", request.get());
    assert!(!shown.contains("hunter2"), "{shown}");
    let Inbound::Bind(request) = inbound else { panic!() };
    connection.respond(request, Err(CommandStatus::RBINDFAIL)).unwrap();
}

#[test]
fn notifications_are_written_and_errors_carry_a_reason() {
    let outbind = octets(&Pdu::Outbind(Outbind::default()), 1);
    let reads = [octets(&Pdu::Bind(bind("")), 1), octets(&Pdu::DataSm(DataSm::default()), 2)];
    let log = Arc::new(Mutex::new(Log::default()));
    let script =
        Script { reads: reads.map(Step::Octets).into(), writes: VecDeque::new(), log: Arc::clone(&log) };
    let mut connection = Connection::<Smsc, _>::new(script, Config::default()).unwrap();
    connection.notify(&Outbind::default()).unwrap();
    assert_eq!(log.lock().unwrap().written, outbind);
    assert_eq!(connection.notify(&Outbind::default()), Err(NotSentReason::State(State::Outbound)));
    let Inbound::Bind(request) = connection.recv(None).unwrap().unwrap() else { panic!() };
    connection.respond(request, Ok(BindResp::default())).unwrap();
    let Inbound::DataSm(message) = connection.recv(None).unwrap().unwrap() else { panic!() };
    let list = [Tlv::u8(Tag::DELIVERY_FAILURE_REASON, 2)];
    let reason = DataSmResp { tlvs: Tlvs::list(&list), ..DataSmResp::default() };
    connection.respond_with_reason(message, CommandStatus::RDELIVERYFAILURE, &reason).unwrap();
    assert!(log.lock().unwrap().written.ends_with(&[0, 0, 0, 2, 0, 0x04, 0x25, 0, 1, 2]));
}

#[test]
fn an_observer_sees_every_pdu_and_no_password() {
    struct Recorder(mpsc::Sender<String>);
    impl Observer for Recorder {
        fn observe(&mut self, _: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
            assert!(!String::from_utf8_lossy(&pdu.octets()).contains("hunter2"));
            let _ = self.0.send(format!("{direction:?} {pdu}"));
        }
    }
    let request = octets(&Pdu::Bind(bind("hunter2")), 1);
    let script =
        Script { reads: [Step::Octets(request)].into(), writes: VecDeque::new(), log: Arc::default() };
    let mut connection = Connection::<Smsc, _>::new(script, Config::default()).unwrap();
    let (sender, seen) = mpsc::channel();
    connection.observe(Recorder(sender));
    let Inbound::Bind(request) = connection.recv(None).unwrap().unwrap() else { panic!() };
    connection.respond(request, Err(CommandStatus::RBINDFAIL)).unwrap();
    drop(connection);
    let seen: Vec<String> = seen.iter().collect();
    assert_eq!(seen[1..], ["Out bind_transceiver_resp 1 ESME_RBINDFAIL, 16 octets"]);
    assert!(seen[0].starts_with("In bind_transceiver 1, "), "{seen:?}");
}
