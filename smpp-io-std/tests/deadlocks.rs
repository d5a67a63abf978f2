//! What must not stop a session for ever: full buffers on both sides, handles dropped in any order, panics, handlers
//! that never answer, peers that never read.

mod common;

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::{bind, message, watched};
use smpp_core::session::{
    CloseReason, Config, Direction, Esme, ObservedPdu, Observer, Smsc, UnansweredReason,
};
use smpp_core::{CommandId, CommandStatus, DeliverSm, Pdu, SequenceNumber, SubmitSm, Tag, Tlv, Tlvs};
use smpp_io_std::{
    Client, Connection, Duplex, Inbound, Inbox, NotSentReason, Peer, RequestError, TlsStream, start, tls,
};

const SECOND: Duration = Duration::from_secs(1);

/// Octets that a socket holds: far less than a window of messages. Below a few segments TCP itself crawls.
const NARROW: usize = 16 * 1024;

/// Two connected sockets that hold little.
fn narrow() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let listening = socket2::SockRef::from(&listener);
    listening.set_recv_buffer_size(NARROW).unwrap();
    listening.set_send_buffer_size(NARROW).unwrap();
    let there = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    there.set_recv_buffer_size(NARROW).unwrap();
    there.set_send_buffer_size(NARROW).unwrap();
    there.connect(&listener.local_addr().unwrap().into()).unwrap();
    let (there, here) = (TcpStream::from(there), listener.accept().unwrap().0);
    there.set_nodelay(true).unwrap();
    here.set_nodelay(true).unwrap();
    (there, here)
}

/// One direction of a connection in memory, which holds a few octets.
#[derive(Default)]
struct Pipe {
    octets: Mutex<(VecDeque<u8>, bool)>,
    moved: Condvar,
}

/// One end.
struct End {
    from: Arc<Pipe>,
    to: Arc<Pipe>,
    timeouts: [Mutex<Duration>; 2],
}

fn tiny() -> (End, End) {
    let (one, other) = (Arc::new(Pipe::default()), Arc::new(Pipe::default()));
    let end = |from: &Arc<Pipe>, to: &Arc<Pipe>| End {
        from: Arc::clone(from),
        to: Arc::clone(to),
        timeouts: [Mutex::new(SECOND), Mutex::new(SECOND)],
    };
    (end(&one, &other), end(&other, &one))
}

impl Pipe {
    const HOLDS: usize = 7;

    /// Moves octets once `can` says so or the pipe is closed.
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
        let has_room = |octets: &VecDeque<u8>| octets.len() < Pipe::HOLDS;
        self.to.transfer(timeout, has_room, |octets, closed| {
            if closed {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            octets.write(&new[..new.len().min(Pipe::HOLDS - octets.len())])
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

/// A session on each end; the ESME is bound.
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
    bound(narrow(), config)
}

/// Both sides fill their windows with large messages and wait for all outcomes, again and again.
fn flood(((client, mut inbox), (peer, mut requests)): Pair, window: usize) {
    let text = vec![b'x'; 3000];
    let tlvs = [Tlv::new(Tag(0x0424), &text).unwrap()];
    let submit = SubmitSm { tlvs: Tlvs::list(&tlvs), ..message() };
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
                let tickets: Vec<_> =
                    (0..window).map(|_| peer.deliver_pipelined(&deliver).unwrap()).collect();
                for ticket in tickets {
                    drop(ticket.wait().unwrap());
                }
            }
        });
        for _ in 0..10 {
            let tickets: Vec<_> = (0..window).map(|_| client.submit_pipelined(&submit).unwrap()).collect();
            for ticket in tickets {
                drop(ticket.wait().unwrap());
            }
        }
        delivering.join().unwrap();
        assert_eq!(client.unbind().reason, CloseReason::Unbound);
    });
}

#[test]
fn both_sides_write_full_windows_into_narrow_sockets() {
    watched(|| {
        let config = Config { window: 100, max_output: 1 << 20, ..Config::default() };
        flood(pair(config), 100);
    });
}

#[test]
fn both_sides_write_full_windows_into_pipes_that_hold_seven_octets() {
    watched(|| {
        let config = Config { window: 30, max_output: 2000, ..Config::default() };
        flood(bound(tiny(), config), 30);
    });
}

#[test]
fn both_sides_write_full_windows_and_little_may_wait() {
    watched(|| {
        let config = Config { window: 100, max_output: 1000, ..Config::default() };
        flood(pair(config), 100);
    });
}

#[test]
fn both_sides_write_full_windows_over_tls() {
    watched(|| {
        let common::Certificates { ca_pem, server } = common::certificates();
        let (there, here) = narrow();
        let accepting = thread::spawn(move || TlsStream::accept(here, server, 10 * SECOND).unwrap());
        let trust = tls::ca_pem(ca_pem.as_bytes()).unwrap();
        let there = TlsStream::connect(there, "localhost", trust, 10 * SECOND).unwrap();
        let config = Config { window: 100, max_output: 1 << 20, ..Config::default() };
        flood(bound((there, accepting.join().unwrap()), config), 100);
    });
}

#[test]
fn one_thread_each_with_full_windows_is_enough() {
    watched(|| {
        // No thread is ever in `recv`, so what comes is answered once the inboxes are dropped.
        let ((client, inbox), (peer, requests)) = pair(Config { window: 200, ..Config::default() });
        let text = vec![b'x'; 3000];
        let tlvs = [Tlv::new(Tag(0x0424), &text).unwrap()];
        let submit = SubmitSm { tlvs: Tlvs::list(&tlvs), ..message() };
        let deliver = DeliverSm { tlvs: Tlvs::list(&tlvs), ..DeliverSm::default() };
        thread::scope(|scope| {
            let delivering = scope.spawn(|| {
                let tickets: Vec<_> = (0..200).map(|_| peer.deliver_pipelined(&deliver).unwrap()).collect();
                drop(requests);
                tickets.into_iter().filter_map(|ticket| ticket.wait().err()).count()
            });
            let tickets: Vec<_> = (0..200).map(|_| client.submit_pipelined(&submit).unwrap()).collect();
            drop(inbox);
            assert_eq!(tickets.into_iter().filter_map(|ticket| ticket.wait().err()).count(), 200);
            assert_eq!(delivering.join().unwrap(), 200);
        });
    });
}

#[test]
fn handles_are_dropped_in_any_order() {
    watched(|| {
        for order in 0..24 {
            let config = Config { drain_timeout: Duration::from_millis(50), ..Config::default() };
            let ((client, mut inbox), (peer, requests)) = pair(config);
            let ticket = client.submit_pipelined(&message()).unwrap();
            let delivered = peer.deliver_pipelined(&DeliverSm::default()).unwrap();
            let incoming = inbox.recv().unwrap();
            let mut left: Vec<Box<dyn FnOnce()>> = vec![
                Box::new(move || drop(client)),
                Box::new(move || drop(inbox)),
                Box::new(move || drop(ticket)),
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
fn a_panic_gives_back_what_the_thread_held() {
    watched(|| {
        let ((client, mut inbox), (peer, mut requests)) = pair(Config { window: 1, ..Config::default() });
        let kept = Err(RequestError::Refused(CommandStatus::RX_T_APPN));
        let delivered = peer.deliver_pipelined(&DeliverSm::default()).unwrap();
        let holder = client.clone();
        let panicked = thread::spawn(move || {
            let _incoming = inbox.recv().unwrap();
            let _ticket = holder.submit_pipelined(&message()).unwrap();
            let _inbox = inbox;
            panic!("as it should")
        });
        assert!(panicked.join().is_err());
        assert_eq!(delivered.wait().map(drop), kept);
        let Some(Inbound::SubmitSm(request)) = requests.recv() else { panic!() };
        request.accept().unwrap();
        let submitting = thread::spawn(move || client.submit(&message()).map(drop));
        let Some(Inbound::SubmitSm(request)) = requests.recv() else { panic!() };
        request.accept().unwrap();
        assert_eq!(submitting.join().unwrap(), Ok(()));
    });
}

/// Panics at the first PDU of a kind.
struct Panics(Direction, CommandId);

impl Observer for Panics {
    fn observe(&mut self, _: smpp_core::session::Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        assert!(direction != self.0 || pdu.header().command != self.1, "as it should");
    }
}

#[test]
fn a_panic_of_an_observer_stops_nobody_else() {
    watched(|| {
        for (direction, command) in
            [(Direction::Out, CommandId::SUBMIT_SM), (Direction::In, CommandId::SUBMIT_SM_RESP)]
        {
            let config = Config {
                response_timeout: SECOND,
                drain_timeout: Duration::from_millis(50),
                ..Config::default()
            };
            let ((client, _inbox), (peer, mut requests)) = pair(config);
            client.observe(Panics(direction, command));
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
            client.observe(Panics(Direction::In, CommandId(0)));
            client.unbind();
            peer.closed();
            serving.join().unwrap();
        }
    });
}

/// Holds a handle, and does nothing.
struct Holds(#[expect(dead_code, reason = "it is only dropped")] Client);

impl Observer for Holds {
    fn observe(&mut self, _: smpp_core::session::Instant, _: Direction, _: ObservedPdu<'_>) {}
}

#[test]
fn an_observer_that_holds_a_handle_can_be_replaced() {
    watched(|| {
        let ((client, _inbox), _peer) = pair(Config::default());
        client.observe(Holds(client.clone()));
        client.observe(Holds(client.clone()));
        assert!(client.state().is_bound());
    });
}

#[test]
fn a_handler_that_never_answers_keeps_nothing_else_up() {
    watched(|| {
        let config = Config {
            max_unanswered: 3,
            enquire_link_interval: Some(Duration::from_millis(20)),
            response_timeout: SECOND,
            drain_timeout: Duration::from_millis(50),
            ..Config::default()
        };
        let ((client, mut inbox), (peer, mut requests)) = pair(config);
        let done = Arc::new(Barrier::new(2));
        let never = Arc::clone(&done);
        let handler = thread::spawn(move || {
            let _held = requests.recv();
            never.wait();
        });
        let tickets: Vec<_> = (0..5).map(|_| client.submit_pipelined(&message()).unwrap()).collect();
        // The other direction, the keep-alive and the limit go on.
        let delivering = thread::spawn({
            let peer = peer.clone();
            move || peer.deliver(&DeliverSm::default()).map(drop)
        });
        let Some(Inbound::DeliverSm(delivery)) = inbox.recv() else { panic!() };
        delivery.accept().unwrap();
        assert_eq!(delivering.join().unwrap(), Ok(()));
        let mut outcomes = tickets.into_iter().map(|ticket| ticket.wait().map(drop).unwrap_err());
        let timed_out = RequestError::Unanswered(UnansweredReason::Timeout);
        assert!(outcomes.by_ref().take(3).all(|outcome| outcome == timed_out));
        assert!(outcomes.all(|outcome| outcome == RequestError::Refused(CommandStatus::RTHROTTLED)));
        assert!(client.stats().sent.of(smpp_core::session::Kind::EnquireLink).requests > 1);
        // Its own requests unanswered, the SMSC unbinds in the end all the same.
        assert_eq!(peer.unbind().reason, CloseReason::Unbound);
        done.wait();
        handler.join().unwrap();
    });
}

#[test]
fn a_peer_that_reads_nothing_is_given_up() {
    watched(|| {
        let (there, here) = narrow();
        let config =
            Config { response_timeout: Duration::from_millis(400), window: 500, ..Config::default() };
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
        let submit = SubmitSm { tlvs: Tlvs::list(&tlvs), ..message() };
        let mut tickets = Vec::new();
        while let Ok(ticket) = client.submit_pipelined(&submit) {
            tickets.push(ticket);
        }
        let outcomes: Vec<_> = tickets.into_iter().map(|ticket| ticket.wait().unwrap_err()).collect();
        assert!(matches!(outcomes.first(), Some(RequestError::Unanswered(_))), "{outcomes:?}");
        assert_eq!(client.closed().reason, CloseReason::Stalled);
        let never = RequestError::NeverSent(NotSentReason::Closed(CloseReason::Stalled));
        assert_eq!(client.submit(&submit).unwrap_err(), never);
    });
}

/// A peer that asks whether the link lives, far too often, and takes no answer; after a while the connection is broken.
struct Deaf {
    asks: Mutex<VecDeque<u8>>,
    pauses: Mutex<u32>,
}

impl Deaf {
    fn new() -> Self {
        let mut ask = Vec::new();
        Pdu::EnquireLink.encode(CommandStatus::ROK, SequenceNumber(1), &mut ask);
        Self { asks: Mutex::new(ask.repeat(1000).into()), pauses: Mutex::new(5) }
    }
}

impl Duplex for Deaf {
    fn receive(&self, space: &mut [u8]) -> io::Result<usize> {
        self.asks.lock().unwrap().read(space)
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
fn a_connection_that_breaks_while_nothing_is_read_is_lost_at_once() {
    watched(|| {
        let config = Config {
            response_timeout: SECOND,
            max_pdu: 100,
            max_output: 1,
            enquire_link_interval: None,
            ..Config::default()
        };
        let (client, _inbox) = start::<Esme, _>(Deaf::new(), config).unwrap();
        let end = client.closed();
        assert_eq!(end.reason, CloseReason::Disconnected, "not given up only later");
        assert_eq!(end.error.unwrap().kind(), io::ErrorKind::ConnectionReset);
    });
}

#[test]
fn time_outs_come_though_nobody_waits() {
    watched(|| {
        let config = Config {
            response_timeout: Duration::from_millis(80),
            drain_timeout: Duration::from_millis(80),
            enquire_link_interval: None,
            ..Config::default()
        };
        let ((client, inbox), (peer, requests)) = pair(config);
        // A thread reads already, and knows of no deadline.
        thread::sleep(Duration::from_millis(30));
        let mut ticket = client.submit_pipelined(&message()).unwrap();
        let answer = loop {
            match ticket.try_outcome() {
                Ok(answer) => break answer,
                Err(still) => ticket = still,
            }
            thread::yield_now();
        };
        assert_eq!(answer.unwrap_err(), RequestError::Unanswered(UnansweredReason::Timeout));
        // The last handle goes with a request in flight, which holds the unbind back until the drain is over.
        let ticket = client.submit_pipelined(&message()).unwrap();
        drop((client, inbox, ticket));
        drop(requests);
        assert_eq!(peer.closed().reason, CloseReason::PeerUnbound);
    });
}

#[test]
fn an_end_amid_a_write_does_not_pass_for_never_sent() {
    watched(|| {
        for round in 0..50 {
            let (there, here) = narrow();
            let (client, _inbox) =
                start::<Esme, _>(there, Config { window: 50, ..Config::default() }).unwrap();
            let (_peer, mut requests) = start::<Smsc, _>(here, Config::default()).unwrap();
            let binding = client.clone();
            let binding = thread::spawn(move || drop(binding.bind(&bind("secret")).unwrap()));
            let Some(Inbound::Bind(request)) = requests.recv() else { panic!("no bind") };
            request.accept().unwrap();
            binding.join().unwrap();
            let counting = thread::spawn(move || {
                let mut came = 0;
                let deadline = Instant::now() + 10 * SECOND;
                while let Ok(Some(Inbound::SubmitSm(_))) = requests.recv_until(deadline) {
                    came += 1;
                }
                came
            });
            let submitting: Vec<_> = (0..4)
                .map(|_| {
                    let client = client.clone();
                    thread::spawn(move || {
                        let outcomes = (0..20).map_while(|_| client.submit_pipelined(&message()).ok());
                        outcomes.collect::<Vec<_>>()
                    })
                })
                .collect();
            (0..round * 20).for_each(|_| thread::yield_now());
            client.abort();
            let tickets = submitting.into_iter().flat_map(|thread| thread.join().unwrap());
            let outcomes: Vec<_> = tickets.map(smpp_io_std::PendingResponse::wait).collect();
            let never =
                |outcome: &&Result<_, RequestError>| matches!(outcome, Err(RequestError::NeverSent(_)));
            let sent = outcomes.len() - outcomes.iter().filter(never).count();
            assert!(counting.join().unwrap() <= sent, "what came was told as never sent");
        }
    });
}
