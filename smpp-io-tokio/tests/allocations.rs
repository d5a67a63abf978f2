//! What a message, an idle session and a peer that never reads cost in memory. The binary is its own: it brings its
//! own allocator, which counts per thread; each test is one thread.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::task::Poll;
use std::time::Duration;

use allocation_counter::measure;
use smpp_core::session::{Config, Esme, Kind, Request, Smsc};
use smpp_core::{
    Address, Bind, BindResp, COctets, CommandStatus, Frame, Pdu, SequenceNumber, ShortMessage, SubmitSm,
    SubmitSmResp,
};
use smpp_io_tokio::{
    Admission, BindRequest, BoundSession, Client, Inbound, Inbox, Listener, Peer, Server, ServerLimits,
    Service, start,
};
use tokio::io::{AsyncWriteExt, duplex};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::timeout;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn message() -> SubmitSm<'static> {
    SubmitSm {
        destination: Address::international("6591234567").unwrap(),
        short_message: ShortMessage::new(&[b'x'; 60]).unwrap(),
        ..SubmitSm::default()
    }
}

fn taken() -> SubmitSmResp<'static> {
    let message_id = COctets::new(b"5f0c4c5e-2b4e-4d0c-9a53-0d1f3c1f6a11").unwrap();
    SubmitSmResp { message_id, ..SubmitSmResp::default() }
}

/// A client and a server that are bound, over a pipe.
async fn bound(config: Config) -> (Client, Peer, Inbox<Smsc>) {
    let (near, far) = duplex(64 * 1024);
    let (client, _) = start::<Esme, _>(near, config);
    let (peer, mut inbox) = start::<Smsc, _>(far, config);
    let bind = Bind::default();
    let (answer, ()) = tokio::join!(client.bind(&bind), async {
        let Some(Inbound::Bind(bind)) = inbox.recv().await else { panic!("no bind") };
        bind.respond(Ok(BindResp::default())).unwrap();
    });
    answer.unwrap();
    (client, peer, inbox)
}

fn answer_at_once(peer: &Peer) {
    peer.respond_inline(|request, responder| match request {
        Request::SubmitSm(_, reply) => {
            responder.respond(reply, Ok(taken())).unwrap();
            None
        }
        other => Some(other),
    });
}

fn answer_from(mut inbox: Inbox<Smsc>) -> JoinHandle<()> {
    tokio::spawn(async move {
        while let Some(Inbound::SubmitSm(message)) = inbox.recv().await {
            message.respond(Ok(taken())).unwrap();
        }
    })
}

/// Submits one message after another in each of so many lanes, each awaited for itself.
async fn submit(client: &Client, lanes: usize, each: usize) {
    let message = message();
    let mut lanes: Vec<_> = (0..lanes).map(|_| (each, Box::pin(client.submit(&message)))).collect();
    poll_fn(|cx| {
        lanes.retain_mut(|(left, submission)| {
            while let Poll::Ready(outcome) = submission.as_mut().poll(cx) {
                assert_eq!(outcome.unwrap().message_id(), taken().message_id.as_bytes());
                *left -= 1;
                if *left == 0 {
                    return false;
                }
                submission.set(client.submit(&message));
            }
            true
        });
        if lanes.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Allocations of both sides for `lanes` times `each` messages, once the buffers have found their size.
fn allocations(lanes: usize, each: usize, at_once: bool) -> u64 {
    let runtime = runtime();
    let config = Config { window: 64, ..Config::default() };
    let (client, peer, inbox) = runtime.block_on(bound(config));
    if at_once {
        answer_at_once(&peer);
    }
    let _serving = {
        let _context = runtime.enter();
        answer_from(inbox)
    };
    runtime.block_on(submit(&client, lanes, 20));
    measure(|| runtime.block_on(submit(&client, lanes, each))).count_total
}

#[test]
fn a_message_that_is_answered_at_once_costs_no_allocation_on_either_side() {
    // What there is, is of the lanes.
    for (lanes, each) in [(1, 1000), (64, 100)] {
        let allocations = allocations(lanes, each, true);
        assert!(allocations <= 10 + lanes as u64, "{allocations} for {lanes} times {each}");
    }
}

#[test]
fn a_message_that_waits_for_its_answer_costs_one_allocation_of_the_server() {
    for (lanes, each) in [(1, 1000), (64, 100)] {
        let allocations = allocations(lanes, each, false);
        let messages = (lanes * each) as u64;
        assert!(allocations <= messages + 10 + lanes as u64, "{allocations} for {lanes} times {each}");
    }
}

/// Tasks of their own, woken in one go, cost one list of them.
#[test]
fn tasks_that_wait_cost_no_allocation_either() {
    const TASKS: usize = 64;
    let runtime = runtime();
    let (client, peer, _inbox) = runtime.block_on(bound(Config { window: 64, ..Config::default() }));
    answer_at_once(&peer);
    let round = |each| {
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let client = client.clone();
                async move { submit(&client, 1, each).await }
            })
            .map(|task| runtime.spawn(task))
            .collect();
        runtime.block_on(async {
            for task in tasks {
                task.await.unwrap();
            }
        });
    };
    round(20);
    let allocations = measure(|| round(100)).count_total;
    assert!(allocations < (TASKS * 100 / 10) as u64, "{allocations} for {TASKS} times 100");
}

/// Binds that have nothing to say, one after another: octets held of each. `serve` sees to it that the server has done
/// with a bind whose answer has come.
fn held_of_each_bind(runtime: &Runtime, address: SocketAddr, mut serve: impl FnMut()) -> usize {
    const SESSIONS: usize = 100;
    let mut bind = Vec::new();
    Pdu::Bind(Bind::default()).encode(CommandStatus::ROK, SequenceNumber(1), &mut bind);
    let mut clients = Vec::with_capacity(SESSIONS + 1);
    let mut one = || {
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(&bind).unwrap();
        serve();
        client.set_nonblocking(true).unwrap();
        while client.peek(&mut [0]).is_err() {
            runtime.block_on(tokio::task::yield_now());
        }
        // Once more, so that the session's task sees that all of its answer has gone.
        runtime.block_on(tokio::task::yield_now());
        let mut answer = [0; 64];
        assert!(client.read(&mut answer).unwrap() > 16);
        clients.push(client);
    };
    one();
    let held = measure(|| (0..SESSIONS).for_each(|_| one())).bytes_current;
    usize::try_from(held).unwrap() / SESSIONS
}

/// What the server holds of each session that is bound and has nothing to say, in a task of its own that waits for
/// requests.
#[test]
fn an_idle_bound_session_of_a_listener_holds_less_than_two_and_a_half_kibibytes() {
    let runtime = runtime();
    let listener = runtime.block_on(Listener::bind("127.0.0.1:0", Config::default())).unwrap();
    let mut tasks = Vec::with_capacity(200);
    let each = held_of_each_bind(&runtime, listener.local_addr().unwrap(), || {
        let connecting = runtime.block_on(listener.accept()).unwrap();
        // What brings about the bind is larger than the session: in a box it is gone after it.
        let bind_request = Box::pin(connecting.bind_request());
        let (bound, is_bound) = tokio::sync::oneshot::channel();
        tasks.push(runtime.spawn(async move {
            let (peer, mut inbox) = bind_request.await.unwrap().accept(COctets::default()).unwrap();
            drop(peer);
            bound.send(()).unwrap();
            assert!(inbox.recv().await.is_none());
        }));
        runtime.block_on(is_bound).unwrap();
    });
    assert!(each < 2560, "{each} octets a session");
}

/// Admits everyone, and answers nothing.
struct Porter;

impl Service for Porter {
    async fn bind(&self, _request: &BindRequest) -> Result<Admission, CommandStatus> {
        Ok(Admission::default())
    }

    async fn request(&self, _bound: &BoundSession, _request: Inbound<Smsc>) {}
}

/// All that a hosted session needs, its task and its place in the registry included.
#[test]
fn an_idle_bound_session_of_a_server_holds_less_than_two_and_a_quarter_kibibytes() {
    let runtime = runtime();
    let server = runtime.block_on(async {
        let listener = Listener::bind("127.0.0.1:0", Config::default()).await.unwrap();
        let limits =
            ServerLimits { connections_per_address: 200, binds_per_account: 200, ..ServerLimits::default() };
        Server::builder(Porter).limits(limits).listen(listener).start().unwrap()
    });
    let each = held_of_each_bind(&runtime, server.local_addrs()[0], || {});
    assert_eq!(server.binds().list().len(), 101);
    assert!(each < 2304, "{each} octets a session");
}

/// The answers that nobody reads are bounded, and what is bounded by them is what is read.
#[test]
fn a_peer_that_sends_and_never_reads_costs_less_than_a_mebibyte() {
    for at_once in [true, false] {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let mut line = None;
        let allocated = measure(|| {
            line = Some(runtime.block_on(async {
                let (near, mut far) = duplex(64 * 1024);
                let (peer, mut inbox) = start::<Smsc, _>(near, Config::default());
                let bind = Frame::encode(&Pdu::Bind(Bind::default()), CommandStatus::ROK, SequenceNumber(1));
                far.write_all(bind.octets()).await.unwrap();
                let Some(Inbound::Bind(bind)) = inbox.recv().await else { panic!("no bind") };
                bind.accept().unwrap();
                if at_once {
                    answer_at_once(&peer);
                }
                let serving = answer_from(inbox);
                let submit = Frame::encode(&Pdu::SubmitSm(message()), CommandStatus::ROK, SequenceNumber(2));
                while timeout(Duration::from_secs(1), far.write_all(submit.octets())).await.is_ok() {}
                (peer, far, serving)
            }));
        });
        let (peer, ..) = line.as_ref().unwrap();
        let requests = peer.stats().received.of(Kind::Message).requests;
        assert!(requests > 5_000, "it read {requests} messages, far more than it can answer");
        let held = allocated.bytes_current;
        assert!(held < 1 << 20, "{held} octets held");
    }
}
