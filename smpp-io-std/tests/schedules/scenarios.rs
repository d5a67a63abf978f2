//! What the threads do.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use shuttle::sync::mpsc;
use shuttle::thread;
use smpp_proto::session::{CloseReason, Config, Direction, Esme, Instant, ObservedPdu, Observer};
use smpp_proto::{
    Bind, BindMode, BindResp, CommandId, CommandStatus, DeliverSm, Pdu, SequenceNumber, SubmitSm,
    SubmitSmResp, frame,
};

use crate::handle::Client;
use crate::inbound::Inbound;
use crate::inbox::Inbox;
use crate::pipe::{End, connection};
use crate::start::start;
use crate::sync::thread::PANICKING;
use crate::transport::Duplex;

pub(crate) const ALL: [(&str, fn()); 10] = [
    ("threads that wait for responses", waiting_threads),
    ("threads that wait for the window", full_window),
    ("requests that no thread waits for", background),
    ("requests in both directions", both_directions),
    ("an inbox whose requests other threads answer", backpressure),
    ("a peer that closes its side", half_close),
    ("the drop of all handles", dropped_handles),
    ("an abort", abort),
    ("a panic of a thread that sends", panic_while_sending),
    ("a panic of a thread that reads", panic_while_reading),
];

fn config() -> Config {
    Config::default().enquire_link_interval(None)
}

pub(crate) fn octets(pdu: &Pdu<'_>, sequence: SequenceNumber) -> Vec<u8> {
    let mut out = Vec::new();
    pdu.encode(CommandStatus::ROK, sequence, &mut out);
    out
}

pub(crate) fn write_all(end: &End, mut octets: &[u8]) {
    while !octets.is_empty() {
        match end.transmit(octets) {
            Ok(taken) => octets = &octets[taken..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::yield_now(),
            Err(_) => return,
        }
    }
}

pub(crate) fn deliveries(end: &End, number: u32) {
    let all = (1..=number)
        .flat_map(|sequence| octets(&Pdu::DeliverSm(DeliverSm::default()), SequenceNumber(sequence)));
    write_all(end, &all.collect::<Vec<_>>());
}

/// Runs an SMSC that answers each request, until the end of the stream. It calls `act` with each command after it has
/// answered it. Returns the commands.
pub(crate) fn smsc(
    end: End,
    act: impl Fn(CommandId, &End) + Send + 'static,
) -> thread::JoinHandle<Vec<CommandId>> {
    thread::spawn(move || {
        let (mut received, mut commands) = (Vec::new(), Vec::new());
        let mut space = [0; 256];
        loop {
            while let Some((pdu, rest)) = frame::split(&received, 1000).unwrap() {
                let header = pdu.header();
                let rest = rest.to_vec();
                received = rest;
                commands.push(header.command);
                let answer = match header.command {
                    CommandId::BIND_TRANSCEIVER => {
                        Pdu::BindResp(BindMode::Transceiver, Some(BindResp::default()))
                    }
                    CommandId::SUBMIT_SM => Pdu::SubmitSmResp(Some(SubmitSmResp::default())),
                    CommandId::UNBIND => Pdu::UnbindResp,
                    _ => continue,
                };
                write_all(&end, &octets(&answer, header.sequence));
                act(header.command, &end);
            }
            match end.receive(&mut space) {
                Ok(0) => return commands,
                Ok(read) => received.extend_from_slice(&space[..read]),
                Err(_) => {}
            }
        }
    })
}

type Session = (Client, Inbox<Esme>, thread::JoinHandle<Vec<CommandId>>);

/// Starts a session and binds it.
fn bound(config: Config, act: impl Fn(CommandId, &End) + Send + 'static) -> Session {
    bound_over(connection(true), config, act)
}

fn bound_over(
    (here, there): (End, End),
    config: Config,
    act: impl Fn(CommandId, &End) + Send + 'static,
) -> Session {
    let smsc = smsc(there, act);
    let (client, inbox) = start::<Esme, _>(here, config).unwrap();
    client.bind(&Bind::default()).unwrap();
    (client, inbox, smsc)
}

fn submit(client: &Client, number: usize) -> thread::JoinHandle<()> {
    let client = client.clone();
    thread::spawn(move || {
        for _ in 0..number {
            client.submit(&SubmitSm::default()).unwrap();
        }
    })
}

pub(crate) fn count(commands: &[CommandId], command: CommandId) -> usize {
    commands.iter().filter(|found| **found == command).count()
}

fn waiting_threads() {
    let (client, inbox, smsc) = bound(config(), |_, _| ());
    let submitting = [submit(&client, 2), submit(&client, 2)];
    submitting.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(client.unbind().reason, CloseReason::Unbound);
    assert_eq!(count(&smsc.join().unwrap(), CommandId::SUBMIT_SM), 4);
    drop(inbox);
}

/// Many threads submit and wait. Returns how many messages.
pub(crate) fn many_waiting_threads() -> usize {
    let (client, _inbox, smsc) = bound_over(connection(false), config().window(64), |_, _| ());
    let submitting = [(); 8].map(|()| submit(&client, 3));
    submitting.into_iter().for_each(|thread| thread.join().unwrap());
    client.abort();
    count(&smsc.join().unwrap(), CommandId::SUBMIT_SM)
}

fn full_window() {
    let (client, _inbox, smsc) = bound(config().window(1), |_, _| ());
    let submitting = [submit(&client, 1), submit(&client, 1), submit(&client, 1)];
    submitting.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(client.unbind().reason, CloseReason::Unbound);
    assert_eq!(count(&smsc.join().unwrap(), CommandId::SUBMIT_SM), 3);
}

fn background() {
    let (client, _inbox, smsc) = bound(config(), |_, _| ());
    let mut pending = client.submit_pipelined(&SubmitSm::default()).unwrap();
    let dropped = client.submit_pipelined(&SubmitSm::default()).unwrap();
    drop(dropped);
    loop {
        match pending.try_outcome() {
            Ok(outcome) => break drop(outcome.unwrap()),
            Err(still_pending) => pending = still_pending,
        }
        thread::yield_now();
    }
    assert_eq!(client.unbind().reason, CloseReason::Unbound);
    assert_eq!(count(&smsc.join().unwrap(), CommandId::SUBMIT_SM), 2);
}

fn both_directions() {
    let (client, mut inbox, smsc) = bound(config(), |command, end| {
        if command == CommandId::SUBMIT_SM {
            deliveries(end, 1);
        }
    });
    let receiving = thread::spawn(move || {
        for _ in 0..2 {
            let Some(Inbound::DeliverSm(message)) = inbox.recv() else { panic!("no delivery") };
            message.accept().unwrap();
        }
        inbox
    });
    let submitting = [submit(&client, 1), submit(&client, 1)];
    submitting.into_iter().for_each(|thread| thread.join().unwrap());
    let mut inbox = receiving.join().unwrap();
    assert_eq!(client.unbind().reason, CloseReason::Unbound);
    assert!(inbox.recv().is_none());
    assert_eq!(count(&smsc.join().unwrap(), CommandId::DELIVER_SM_RESP), 2);
}

fn backpressure() {
    let config = config().max_unanswered(1);
    let (client, mut inbox, smsc) = bound(config, |command, end| {
        if command == CommandId::BIND_TRANSCEIVER {
            deliveries(end, 3);
        }
    });
    let (sender, receiver) = mpsc::channel();
    let answering = thread::spawn(move || {
        for _ in 0..3 {
            let Ok(Inbound::DeliverSm(message)) = receiver.recv() else { panic!("another request") };
            message.accept().unwrap();
        }
    });
    for _ in 0..3 {
        sender.send(inbox.recv().unwrap()).unwrap();
    }
    answering.join().unwrap();
    assert_eq!(client.unbind().reason, CloseReason::Unbound);
    assert_eq!(count(&smsc.join().unwrap(), CommandId::DELIVER_SM_RESP), 3);
}

fn half_close() {
    let (client, mut inbox, smsc) = bound(config(), |command, end| {
        if command == CommandId::SUBMIT_SM {
            deliveries(end, 2);
            end.finish();
        }
    });
    let submitting = thread::spawn({
        let client = client.clone();
        move || drop(client.submit(&SubmitSm::default()))
    });
    for _ in 0..2 {
        let Some(Inbound::DeliverSm(message)) = inbox.recv() else { panic!("no delivery") };
        message.accept().unwrap();
    }
    assert!(inbox.recv().is_none());
    submitting.join().unwrap();
    assert_eq!(client.closed().reason, CloseReason::Disconnected);
    assert_eq!(count(&smsc.join().unwrap(), CommandId::DELIVER_SM_RESP), 2);
}

/// Without pauses: the drop does not wait for the transport, and the read of the background thread may be a long one.
fn dropped_handles() {
    let (client, inbox, smsc) = bound_over(connection(false), config(), |_, _| ());
    let submitting = [submit(&client, 1), submit(&client, 1)];
    drop(inbox);
    drop(client);
    submitting.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(count(&smsc.join().unwrap(), CommandId::UNBIND), 1);
}

fn abort() {
    let (client, mut inbox, smsc) = bound(config(), |_, _| ());
    let submitting = [(); 2].map(|()| {
        let client = client.clone();
        thread::spawn(move || drop(client.submit(&SubmitSm::default())))
    });
    let receiving = thread::spawn(move || assert!(inbox.recv().is_none()));
    assert_eq!(client.abort().reason, CloseReason::Aborted);
    submitting.into_iter().for_each(|thread| thread.join().unwrap());
    receiving.join().unwrap();
    smsc.join().unwrap();
}

shuttle::thread_local! {
    /// Whether the thread is one of the application that may panic.
    static MAY_PANIC: Cell<bool> = Cell::new(false);
}

/// Panics once, in a thread of the application, at a PDU in this direction.
pub(crate) struct Panicking(Direction, bool);

impl Panicking {
    pub(crate) fn new(direction: Direction) -> Self {
        Self(direction, false)
    }
}

impl Observer for Panicking {
    fn observe(&mut self, _: Instant, direction: Direction, _: ObservedPdu<'_>) {
        if direction == self.0 && MAY_PANIC.with(Cell::get) && !std::mem::replace(&mut self.1, true) {
            PANICKING.with(|panicking| panicking.set(true));
            // Without the panic hook, which reports the schedule of a failure.
            resume_unwind(Box::new("on purpose"));
        }
    }
}

/// Calls the function in a thread of the application. Returns `None` if it has panicked.
pub(crate) fn may_panic<T>(act: impl FnOnce() -> T) -> Option<T> {
    MAY_PANIC.with(|may_panic| may_panic.set(true));
    let returned = catch_unwind(AssertUnwindSafe(act));
    MAY_PANIC.with(|may_panic| may_panic.set(false));
    PANICKING.with(|panicking| panicking.set(false));
    returned.ok()
}

fn panic_at(direction: Direction) {
    let (client, _inbox, smsc) = bound(config(), |_, _| ());
    client.observe(Panicking::new(direction));
    let submitting = [(); 3].map(|()| {
        let client = client.clone();
        thread::spawn(move || {
            let submitted = may_panic(|| client.submit(&SubmitSm::default()));
            submitted.map(|outcome| drop(outcome.unwrap())).is_none()
        })
    });
    let panicked = submitting.map(|thread| thread.join().unwrap());
    let panicked = panicked.iter().filter(|panicked| **panicked).count();
    // A response may also be read by the background thread.
    assert!(panicked == 1 || (panicked == 0 && direction == Direction::In), "{panicked} threads panicked");
    assert_eq!(client.abort().reason, CloseReason::Aborted);
    smsc.join().unwrap();
}

fn panic_while_sending() {
    panic_at(Direction::Out);
}

fn panic_while_reading() {
    panic_at(Direction::In);
}
