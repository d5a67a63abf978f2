//! What the threads of an account do.

use std::sync::Arc;
use std::time::Duration;

use shuttle::sync::{Mutex, mpsc};
use shuttle::thread::{self, JoinHandle};
use smpp_proto::SubmitSm;
use smpp_proto::account::{Binds, Credentials, Message, Options};
use smpp_proto::provider::Provider;
use smpp_proto::session::{Config, Direction};
use smpp_proto::{CommandId, Pdu, RegisteredDelivery, SequenceNumber};

use crate::account::{Account, AccountConnector, Arrival, Arrivals};
use crate::pipe::{End, connection};
use crate::scenarios::{Panicking, count, deliveries, may_panic, octets, smsc, write_all};

pub(crate) const ALL: [(&str, fn()); 12] = [
    ("an account whose threads send", sending),
    ("an account whose thread submits and waits for nothing", submitting),
    ("an account whose tickets are cancelled and dropped", tickets),
    ("an account whose threads wait for capacity", full_queue),
    ("an account that shuts down while threads wait for capacity", shutdown),
    ("an account whose last handle is dropped while a thread waits", dropped_handles),
    ("an account that receives", arrivals),
    ("an account whose connection ends", reconnect),
    ("an account whose SMSC unbinds", peer_unbind),
    ("an account whose binds change", binds),
    ("an account whose thread panics while it sends", panic_while_sending),
    ("an account whose thread panics while it reads", panic_while_reading),
];

/// Long enough that the explorer never lets it pass.
const LONG: Duration = Duration::from_secs(60);

type Smscs = Arc<Mutex<Vec<JoinHandle<Vec<CommandId>>>>>;

fn options() -> Options {
    Options::new(Credentials::new("shop", "secret"), &Provider::UNSTATED)
        .binds(Binds::transceivers(1))
        .session(Config::default().enquire_link_interval(None))
        // A schedule is replayed by its seed alone.
        .seed(0)
}

/// Each connection has an SMSC of its own, which calls `act` with each command that it has answered.
fn connector(
    options: Options,
    smscs: &Smscs,
    act: impl Fn(CommandId, &End) + Clone + Send + Sync + 'static,
) -> AccountConnector {
    let smscs = Arc::clone(smscs);
    AccountConnector::new(&"smpp://localhost".parse().unwrap(), options)
        .resolver(|_| Ok(vec![([127, 0, 0, 1], 2775).into()]))
        .dial(move |_| {
            let (here, there) = connection(true);
            smscs.lock().unwrap().push(smsc(there, act.clone()));
            Ok(here)
        })
}

fn start(
    options: Options,
    act: impl Fn(CommandId, &End) + Clone + Send + Sync + 'static,
) -> (Account, Arrivals, Smscs) {
    let smscs = Smscs::default();
    let (account, arrivals) = connector(options, &smscs, act).start().unwrap();
    (account, arrivals, smscs)
}

fn message() -> Message {
    let template = SubmitSm { registered_delivery: RegisteredDelivery::default(), ..SubmitSm::default() };
    Message::text(&template, "Hello")
}

/// Returns how many PDUs with this command the SMSCs have received, once their connections have ended.
fn received(smscs: &Smscs, command: CommandId) -> usize {
    let smscs = std::mem::take(&mut *smscs.lock().unwrap());
    smscs.into_iter().map(|smsc| count(&smsc.join().unwrap(), command)).sum()
}

fn spawn<T: Send + 'static>(
    account: &Account,
    act: impl FnOnce(Account) -> T + Send + 'static,
) -> JoinHandle<T> {
    let account = account.clone();
    thread::spawn(move || act(account))
}

fn sending() {
    let (account, _arrivals, smscs) = start(options(), |_, _| ());
    let threads = [(); 2].map(|()| {
        spawn(&account, |account| {
            for _ in 0..2 {
                account.send(&message()).unwrap();
            }
        })
    });
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(account.shutdown(LONG).is_empty());
    assert_eq!(received(&smscs, CommandId::SUBMIT_SM), 4);
}

/// What a thread leaves is written, although no thread waits on the account.
fn submitting() {
    let (sender, receiver) = mpsc::channel();
    let (account, _arrivals, smscs) = start(options(), move |command, _| {
        if command == CommandId::SUBMIT_SM {
            sender.send(()).unwrap();
        }
    });
    let tickets = [(); 3].map(|()| account.submit(&message()).unwrap());
    (0..3).for_each(|_| receiver.recv().unwrap());
    assert!(tickets.into_iter().all(|ticket| ticket.outcome().is_ok()));
    account.shutdown(LONG);
    assert_eq!(received(&smscs, CommandId::SUBMIT_SM), 3);
}

fn tickets() {
    let (account, _arrivals, smscs) = start(options(), |_, _| ());
    let cancelling = spawn(&account, |account| {
        let ticket = account.submit(&message()).unwrap();
        ticket.cancel();
        ticket.outcome().is_ok()
    });
    let dropping = spawn(&account, |account| drop(account.submit(&message()).unwrap()));
    let waiting = spawn(&account, |account| account.submit(&message()).unwrap().outcome().unwrap());
    let accepted = cancelling.join().unwrap();
    dropping.join().unwrap();
    drop(waiting.join().unwrap());
    let unresolved = account.shutdown(LONG);
    let sent = received(&smscs, CommandId::SUBMIT_SM);
    assert!(sent == 2 + usize::from(accepted), "{sent} sent, {unresolved:?}");
}

fn full_queue() {
    let (account, _arrivals, smscs) = start(options().queue_capacity(2), |_, _| ());
    let threads = [(); 4].map(|()| spawn(&account, |account| drop(account.send(&message()).unwrap())));
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    account.shutdown(LONG);
    assert_eq!(received(&smscs, CommandId::SUBMIT_SM), 4);
}

fn shutdown() {
    let (account, _arrivals, smscs) = start(options().queue_capacity(1), |_, _| ());
    let threads = [(); 3].map(|()| spawn(&account, |account| account.send(&message()).is_ok()));
    let closing = spawn(&account, |account| account.closed());
    account.shutdown(LONG);
    let accepted = threads.map(|thread| usize::from(thread.join().unwrap())).iter().sum::<usize>();
    closing.join().unwrap();
    assert_eq!(received(&smscs, CommandId::SUBMIT_SM), accepted);
}

fn dropped_handles() {
    let (account, arrivals, smscs) = start(options(), |_, _| ());
    let ticket = account.submit(&message()).unwrap();
    let waiting = thread::spawn(move || ticket.outcome().is_ok());
    let dropping = thread::spawn(move || drop(arrivals));
    drop(account);
    dropping.join().unwrap();
    let accepted = waiting.join().unwrap();
    // The threads of the account end by themselves. The message has left if it was accepted.
    assert!(received(&smscs, CommandId::SUBMIT_SM) >= usize::from(accepted));
}

/// The session reads no further while a message is not acknowledged.
fn arrivals() {
    let session = options().session.max_unanswered(1);
    let (account, mut arrivals, smscs) = start(options().session(session), |command, end| {
        if command == CommandId::BIND_TRANSCEIVER {
            deliveries(end, 3);
        }
    });
    let receiving = thread::spawn(move || {
        for _ in 0..3 {
            let Some(Arrival::Message(message)) = arrivals.recv() else { panic!("no message") };
            message.accept().unwrap();
        }
        arrivals
    });
    account.send(&message()).unwrap();
    let mut arrivals = receiving.join().unwrap();
    let ended = thread::spawn(move || assert!(arrivals.recv().is_none()));
    account.shutdown(LONG);
    ended.join().unwrap();
    assert_eq!(received(&smscs, CommandId::DELIVER_SM_RESP), 3);
}

/// The SMSC closes its side after the first message.
fn reconnect() {
    let (account, _arrivals, smscs) = start(options(), |command, end| {
        if command == CommandId::SUBMIT_SM {
            end.finish();
        }
    });
    let threads = [(); 2].map(|()| spawn(&account, |account| drop(account.send(&message()))));
    // The back-off before the next connection is longer than the explorer lets pass, so a message may be left.
    let closing = spawn(&account, |account| account.shutdown(Duration::ZERO));
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    closing.join().unwrap();
    received(&smscs, CommandId::UNBIND);
}

/// The SMSC unbinds after the first message, and does not close the connection.
fn peer_unbind() {
    let smscs = Smscs::default();
    let connector = connector(options(), &smscs, |command, end| {
        if command == CommandId::SUBMIT_SM {
            write_all(end, &octets(&Pdu::Unbind, SequenceNumber(9)));
        }
    });
    let (account, _arrivals) = connector.connect().unwrap();
    let sending = [(); 2].map(|()| spawn(&account, |account| account.submit(&message()).unwrap()));
    let tickets = sending.map(|thread| thread.join().unwrap());
    // Until the connection has ended.
    assert_eq!(received(&smscs, CommandId::UNBIND_RESP), 1);
    account.shutdown(Duration::ZERO);
    drop(tickets);
}

fn binds() {
    let options = options().binds(Binds::transceivers(2)).max_binds(2).connect_interval(Duration::ZERO);
    let (account, _arrivals, smscs) = start(options, |_, _| ());
    let sending = [(); 2].map(|()| spawn(&account, |account| drop(account.send(&message()).unwrap())));
    let changing = spawn(&account, |account| account.set_binds(Binds::transceivers(1)).unwrap());
    sending.into_iter().for_each(|thread| thread.join().unwrap());
    changing.join().unwrap();
    assert!(account.shutdown(LONG).is_empty());
    assert_eq!(received(&smscs, CommandId::SUBMIT_SM), 2);
}

/// The bind or the account may end by the panic, but no thread waits without limit.
fn panic_at(direction: Direction) {
    let smscs = Smscs::default();
    let connector = connector(options(), &smscs, |_, _| ()).observe(move |_| Panicking::new(direction));
    let (account, _arrivals) = connector.start().unwrap();
    let threads = [(); 3].map(|()| {
        spawn(&account, |account| {
            drop(may_panic(|| account.submit(&message()).map(|ticket| ticket.outcome())))
        })
    });
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    account.shutdown(Duration::ZERO);
    received(&smscs, CommandId::SUBMIT_SM);
}

fn panic_while_sending() {
    panic_at(Direction::Out);
}

fn panic_while_reading() {
    panic_at(Direction::In);
}
