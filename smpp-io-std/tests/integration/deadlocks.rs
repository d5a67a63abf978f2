//! A session must not hang: with full buffers on both sides, handles dropped in any order, panics, handlers that never
//! respond, peers that never read.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use crate::common::{bind, message, watched};
use smpp_proto::session::{
    CloseReason, Config, Direction, Esme, ObservedPdu, Observer, Smsc, UnansweredReason,
};
use smpp_proto::{
    CommandId, CommandStatus, DeliverSm, Pdu, SequenceNumber, ShortMessage, SubmitSm, Tag, Tlv, Tlvs,
};
use smpp_std::{
    Client, Connection, Duplex, Inbound, Inbox, NotSentReason, Peer, RequestError, TlsStream, start, tls,
};

const SECOND: Duration = Duration::from_secs(1);

/// The buffer size of a socket in octets: far less than a window of messages. With less than a few TCP segments, TCP itself
/// becomes slow.
const SOCKET_BUFFER: usize = 16 * 1024;

/// Connects two sockets with small buffers.
fn small_sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let listening = socket2::SockRef::from(&listener);
    listening.set_recv_buffer_size(SOCKET_BUFFER).unwrap();
    listening.set_send_buffer_size(SOCKET_BUFFER).unwrap();
    let there = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    there.set_recv_buffer_size(SOCKET_BUFFER).unwrap();
    there.set_send_buffer_size(SOCKET_BUFFER).unwrap();
    there.connect(&listener.local_addr().unwrap().into()).unwrap();
    let (there, here) = (TcpStream::from(there), listener.accept().unwrap().0);
    there.set_nodelay(true).unwrap();
    here.set_nodelay(true).unwrap();
    (there, here)
}

/// One direction of a connection in memory, with a buffer of a few octets.
#[derive(Default)]
struct Pipe {
    octets: Mutex<(VecDeque<u8>, bool)>,
    moved: Condvar,
}

/// One end of a connection in memory.
struct End {
    from: Arc<Pipe>,
    to: Arc<Pipe>,
    timeouts: [Mutex<Duration>; 2],
}

fn small_pipes() -> (End, End) {
    let (one, other) = (Arc::new(Pipe::default()), Arc::new(Pipe::default()));
    let end = |from: &Arc<Pipe>, to: &Arc<Pipe>| End {
        from: Arc::clone(from),
        to: Arc::clone(to),
        timeouts: [Mutex::new(SECOND), Mutex::new(SECOND)],
    };
    (end(&one, &other), end(&other, &one))
}

impl Pipe {
    const CAPACITY: usize = 7;

    /// Waits until `can` returns true or the pipe is closed, then moves octets.
    fn transfer<T>(
        &self,
        timeout: Duration,
        can: impl Fn(&VecDeque<u8>) -> bool,
        transfer: impl FnOnce(&mut VecDeque<u8>, bool) -> io::Result<T>,
    ) -> io::Result<T> {
        let octets = self.octets.lock().unwrap();
        let waits = |(octets, closed): &mut (VecDeque<u8>, bool)| !*closed && !can(octets);
        let (mut octets, late) = self.moved.wait_timeout_while(octets, timeout, waits).unwrap();
        if late.timed_out() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let (octets, closed) = &mut *octets;
        self.moved.notify_all();
        transfer(octets, *closed)
    }
}

impl Duplex for End {
    fn receive(&self, space: &mut [u8]) -> io::Result<usize> {
        let timeout = *self.timeouts[0].lock().unwrap();
        self.from.transfer(timeout, |octets| !octets.is_empty(), |octets, _| octets.read(space))
    }

    fn transmit(&self, new: &[u8]) -> io::Result<usize> {
        let timeout = *self.timeouts[1].lock().unwrap();
        let has_room = |octets: &VecDeque<u8>| octets.len() < Pipe::CAPACITY;
        self.to.transfer(timeout, has_room, |octets, closed| {
            if closed {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            octets.write(&new[..new.len().min(Pipe::CAPACITY - octets.len())])
        })
    }

    fn transmit_held(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_receive_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        *self.timeouts[0].lock().unwrap() = timeout.unwrap();
        Ok(())
    }

    fn set_transmit_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        *self.timeouts[1].lock().unwrap() = timeout.unwrap();
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        for pipe in [&self.from, &self.to] {
            pipe.octets.lock().unwrap().1 = true;
            pipe.moved.notify_all();
        }
        Ok(())
    }
}

type Pair = ((Client, Inbox<Esme>), (Peer, Inbox<Smsc>));

/// Starts a session on each end, and binds the ESME.
fn bound<S: Duplex + 'static>((there, here): (S, S), config: Config) -> Pair {
    let (client, inbox) = start::<Esme, _>(there, config).unwrap();
    let (peer, mut requests) = start::<Smsc, _>(here, config).unwrap();
    let binding = client.clone();
    let binding = thread::spawn(move || drop(binding.bind(&bind("secret")).unwrap()));
    let Some(Inbound::Bind(request)) = requests.recv() else { panic!("no bind") };
    request.accept().unwrap();
    binding.join().unwrap();
    ((client, inbox), (peer, requests))
}

fn pair(config: Config) -> Pair {
    bound(small_sockets(), config)
}

/// Both sides fill their windows with messages of this length and wait for all outcomes, ten times.
fn flood(((client, mut inbox), (peer, mut requests)): Pair, window: usize, length: usize) {
    let text = vec![b'x'; length];
    let tlvs = [Tlv::new(Tag(0x0424), &text).unwrap()];
    let short_message = ShortMessage::default();
    let submit = SubmitSm { short_message, tlvs: Tlvs::list(&tlvs), ..message() };
    let deliver = DeliverSm { tlvs: Tlvs::list(&tlvs), ..DeliverSm::default() };
    thread::scope(|scope| {
        scope.spawn(|| {
            while let Some(inbound) = inbox.recv() {
                let Inbound::DeliverSm(delivery) = inbound else { panic!("{inbound:?}") };
                delivery.accept().unwrap();
            }
        });
        scope.spawn(|| {
            while let Some(inbound) = requests.recv() {
                let Inbound::SubmitSm(message) = inbound else { panic!("{inbound:?}") };
                message.accept().unwrap();
            }
        });
        let delivering = scope.spawn(|| {
            for _ in 0..10 {
                let pending: Vec<_> =
                    (0..window).map(|_| peer.deliver_pipelined(&deliver).unwrap()).collect();
                for response in pending {
                    drop(response.wait().unwrap());
                }
            }
        });
        for _ in 0..10 {
            let pending: Vec<_> = (0..window).map(|_| client.submit_pipelined(&submit).unwrap()).collect();
            for response in pending {
                drop(response.wait().unwrap());
            }
        }
        delivering.join().unwrap();
        assert_eq!(client.unbind().reason, CloseReason::Unbound);
    });
}

#[test]
fn both_sides_write_full_windows_into_small_socket_buffers() {
    watched(|| {
        let config = Config::default().window(100).max_output(1 << 20);
        flood(pair(config), 100, 3_000);
    });
}

#[test]
fn both_sides_write_full_windows_into_buffers_of_seven_octets() {
    watched(|| {
        let config = Config::default().window(30).max_output(200);
        flood(bound(small_pipes(), config), 30, 300);
    });
}

#[test]
fn both_sides_write_full_windows_with_little_output_buffered() {
    watched(|| {
        let config = Config::default().window(100).max_output(1000);
        flood(pair(config), 100, 3_000);
    });
}

#[test]
fn both_sides_write_full_windows_over_tls() {
    watched(|| {
        let crate::common::Certificates { ca_pem, server } = crate::common::certificates();
        let (there, here) = small_sockets();
        let accepting = thread::spawn(move || TlsStream::accept(here, server, 10 * SECOND).unwrap());
        let trust = tls::ca_pem(ca_pem.as_bytes()).unwrap();
        let there = TlsStream::connect(there, "localhost", trust, 10 * SECOND).unwrap();
        let config = Config::default().window(100).max_output(1 << 20);
        flood(bound((there, accepting.join().unwrap()), config), 100, 3_000);
    });
}

#[test]
fn full_windows_need_only_one_thread_on_each_side() {
    watched(|| {
        // No thread calls `recv`, so the requests are answered when the inboxes are dropped.
        let ((client, inbox), (peer, requests)) = pair(Config::default().window(200));
        let text = vec![b'x'; 3000];
        let tlvs = [Tlv::new(Tag(0x0424), &text).unwrap()];
        let short_message = ShortMessage::default();
        let submit = SubmitSm { short_message, tlvs: Tlvs::list(&tlvs), ..message() };
        let deliver = DeliverSm { tlvs: Tlvs::list(&tlvs), ..DeliverSm::default() };
        thread::scope(|scope| {
            let delivering = scope.spawn(|| {
                let pending: Vec<_> = (0..200).map(|_| peer.deliver_pipelined(&deliver).unwrap()).collect();
                drop(requests);
                pending.into_iter().filter_map(|response| response.wait().err()).count()
            });
            let pending: Vec<_> = (0..200).map(|_| client.submit_pipelined(&submit).unwrap()).collect();
            drop(inbox);
            assert_eq!(pending.into_iter().filter_map(|response| response.wait().err()).count(), 200);
            assert_eq!(delivering.join().unwrap(), 200);
        });
    });
}

#[test]
fn handles_are_dropped_in_any_order() {
    watched(|| {
        for order in 0..24 {
            let config = Config::default().drain_timeout(Duration::from_millis(50));
            let ((client, mut inbox), (peer, requests)) = pair(config);
            let response = client.submit_pipelined(&message()).unwrap();
            let delivered = peer.deliver_pipelined(&DeliverSm::default()).unwrap();
            let incoming = inbox.recv().unwrap();
            let mut left: Vec<Box<dyn FnOnce()>> = vec![
                Box::new(move || drop(client)),
                Box::new(move || drop(inbox)),
                Box::new(move || drop(response)),
                Box::new(move || drop(incoming)),
            ];
            for places in (1..=4).rev() {
                let next = order / (1..places).product::<usize>() % places;
                left.remove(next)();
            }
            drop(requests);
            assert_eq!(peer.closed().reason, CloseReason::PeerUnbound);
            drop(delivered);
        }
    });
}

#[test]
fn a_panic_releases_what_the_thread_held() {
    watched(|| {
        let ((client, mut inbox), (peer, mut requests)) = pair(Config::default().window(1));
        let delivered = peer.deliver_pipelined(&DeliverSm::default()).unwrap();
        let holder = client.clone();
        let panicked = thread::spawn(move || {
            let _incoming = inbox.recv().unwrap();
            let _ticket = holder.submit_pipelined(&message()).unwrap();
            let _inbox = inbox;
            panic!("on purpose")
        });
        assert!(panicked.join().is_err());
        assert_eq!(delivered.wait().unwrap_err().status(), Some(CommandStatus::RX_T_APPN));
        let Some(Inbound::SubmitSm(request)) = requests.recv() else { panic!() };
        request.accept().unwrap();
        let submitting = thread::spawn(move || client.submit(&message()).map(drop));
        let Some(Inbound::SubmitSm(request)) = requests.recv() else { panic!() };
        request.accept().unwrap();
        assert_eq!(submitting.join().unwrap(), Ok(()));
    });
}

/// An observer that panics at the first PDU of a kind.
struct PanicsAt(Direction, CommandId);

impl Observer for PanicsAt {
    fn observe(&mut self, _: smpp_proto::session::Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        assert!(direction != self.0 || pdu.header().command != self.1, "on purpose");
    }
}

#[test]
fn a_panic_of_an_observer_does_not_stop_other_threads() {
    watched(|| {
        for (direction, command) in
            [(Direction::Out, CommandId::SUBMIT_SM), (Direction::In, CommandId::SUBMIT_SM_RESP)]
        {
            let config = Config::default().response_timeout(SECOND).drain_timeout(Duration::from_millis(50));
            let ((client, _inbox), (peer, mut requests)) = pair(config);
            client.observe(PanicsAt(direction, command));
            let serving = thread::spawn(move || {
                while let Some(inbound) = requests.recv() {
                    if let Inbound::SubmitSm(message) = inbound {
                        message.accept().unwrap();
                    }
                }
            });
            let others = [client.clone(), client.clone()].map(|client| {
                thread::spawn(move || {
                    let _ = panic::catch_unwind(AssertUnwindSafe(|| drop(client.submit(&message()))));
                })
            });
            for thread in others {
                thread.join().unwrap();
            }
            client.observe(PanicsAt(Direction::In, CommandId(0)));
            client.unbind();
            peer.closed();
            serving.join().unwrap();
        }
    });
}

/// An observer that holds a handle and does nothing.
struct HoldsHandle(#[expect(dead_code, reason = "it is only dropped")] Client);

impl Observer for HoldsHandle {
    fn observe(&mut self, _: smpp_proto::session::Instant, _: Direction, _: ObservedPdu<'_>) {}
}

#[test]
fn an_observer_that_holds_a_handle_can_be_replaced() {
    watched(|| {
        let ((client, _inbox), _peer) = pair(Config::default());
        client.observe(HoldsHandle(client.clone()));
        client.observe(HoldsHandle(client.clone()));
        assert!(client.state().is_bound());
    });
}

#[test]
fn a_handler_that_never_responds_delays_nothing_else() {
    watched(|| {
        let config = Config::default()
            .max_unanswered(3)
            .backpressure_timeout(Duration::from_millis(50))
            .enquire_link_interval(Duration::from_millis(20))
            .response_timeout(SECOND)
            .drain_timeout(Duration::from_millis(50));
        let ((client, mut inbox), (peer, mut requests)) = pair(config);
        let done = Arc::new(Barrier::new(2));
        let never = Arc::clone(&done);
        let handler = thread::spawn(move || {
            let _held = requests.recv();
            never.wait();
        });
        let pending: Vec<_> = (0..5).map(|_| client.submit_pipelined(&message()).unwrap()).collect();
        // The other direction, the keep-alive and the limit of unanswered requests still work.
        let delivering = thread::spawn({
            let peer = peer.clone();
            move || peer.deliver(&DeliverSm::default()).map(drop)
        });
        let Some(Inbound::DeliverSm(delivery)) = inbox.recv() else { panic!() };
        delivery.accept().unwrap();
        assert_eq!(delivering.join().unwrap(), Ok(()));
        let mut outcomes = pending.into_iter().map(|response| response.wait().map(drop).unwrap_err());
        let timed_out = RequestError::Unanswered(UnansweredReason::Timeout);
        assert!(outcomes.by_ref().take(3).all(|outcome| outcome == timed_out));
        assert!(outcomes.all(|outcome| outcome.status() == Some(CommandStatus::RTHROTTLED)));
        while client.stats().sent.of(smpp_proto::session::Kind::EnquireLink).requests < 2 {
            thread::yield_now();
        }
        // With unanswered requests of the ESME, the SMSC still unbinds.
        assert_eq!(peer.unbind().reason, CloseReason::Unbound);
        done.wait();
        handler.join().unwrap();
    });
}

#[test]
fn a_session_closes_when_the_peer_reads_nothing() {
    watched(|| {
        let (there, here) = small_sockets();
        // On a busy machine, the bind takes less.
        let config = Config::default().response_timeout(SECOND / 2).window(500);
        let (client, _inbox) = start::<Esme, _>(there, config).unwrap();
        let mut smsc = Connection::<Smsc, _>::new(here, Config::default()).unwrap();
        let binding = client.clone();
        let binding = thread::spawn(move || drop(binding.bind(&bind("secret")).unwrap()));
        let Some(Inbound::Bind(request)) = smsc.recv(None).unwrap() else { panic!() };
        smsc.accept(request).unwrap();
        binding.join().unwrap();
        // From here on the SMSC does nothing.
        let text = vec![b'x'; 30_000];
        let tlvs = [Tlv::new(Tag(0x0424), &text).unwrap()];
        let short_message = ShortMessage::default();
        let submit = SubmitSm { short_message, tlvs: Tlvs::list(&tlvs), ..message() };
        let mut pending = Vec::new();
        while let Ok(response) = client.submit_pipelined(&submit) {
            pending.push(response);
        }
        let outcomes: Vec<_> = pending.into_iter().map(|response| response.wait().unwrap_err()).collect();
        assert!(matches!(outcomes.first(), Some(RequestError::Unanswered(_))), "{outcomes:?}");
        // After a timeout the session also sends enquire_link, which does not leave.
        assert_eq!(client.closed().reason, CloseReason::Stalled);
        let never = RequestError::NeverSent(NotSentReason::Closed(CloseReason::Stalled));
        assert_eq!(client.submit(&submit).unwrap_err(), never);
    });
}

/// A peer that sends a thousand enquire_links and reads no response. After a while the connection is reset.
struct NeverReads {
    requests: Mutex<VecDeque<u8>>,
    pauses: Mutex<u32>,
}

impl NeverReads {
    fn new() -> Self {
        let mut enquire_link = Vec::new();
        Pdu::EnquireLink.encode(CommandStatus::ROK, SequenceNumber(1), &mut enquire_link);
        Self { requests: Mutex::new(enquire_link.repeat(1000).into()), pauses: Mutex::new(5) }
    }
}

impl Duplex for NeverReads {
    fn receive(&self, space: &mut [u8]) -> io::Result<usize> {
        self.requests.lock().unwrap().read(space)
    }

    fn transmit(&self, _: &[u8]) -> io::Result<usize> {
        let mut pauses = self.pauses.lock().unwrap();
        *pauses = pauses.checked_sub(1).ok_or(io::ErrorKind::ConnectionReset)?;
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn transmit_held(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_receive_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_transmit_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reset_is_detected_at_once_while_the_session_wants_no_input() {
    watched(|| {
        let config =
            Config::default().response_timeout(SECOND).max_pdu(100).max_output(1).enquire_link_interval(None);
        let (client, _inbox) = start::<Esme, _>(NeverReads::new(), config).unwrap();
        let end = client.closed();
        assert_eq!(end.reason, CloseReason::Disconnected, "detected at once, not after a timeout");
        assert_eq!(end.error.unwrap().kind(), io::ErrorKind::ConnectionReset);
    });
}
