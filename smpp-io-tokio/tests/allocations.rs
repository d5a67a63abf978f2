//! Limits for the memory of a message, of an idle session, and of a peer that never reads. This is a test binary of its
//! own, because it sets the allocator, which counts for each thread; each test is one thread.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use smpp_common::in_place_smsc::InPlaceSmsc;
use smpp_proto::account::{Credentials, Message, Options};
use smpp_proto::provider::Provider;
use smpp_proto::session::{Config, Esme, Kind, Request, Smsc};
use smpp_proto::{
    Address, Bind, BindResp, COctets, CommandStatus, Frame, MessageState, Pdu, RegisteredDelivery,
    SequenceNumber, ShortMessage, SubmitSm, SubmitSmResp,
};
use smpp_tokio::account::{Account, AccountConnector};
use smpp_tokio::{
    Admission, BindRequest, BoundSession, Client, Connector, Inbound, Inbox, Listener, Peer, Server,
    ServerLimits, Service, start,
};
use tokio::io::{AsyncWriteExt, duplex};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// What a message allocates at most, in hundredths of an allocation and in octets: in a server whose service awaits once,
/// in one that takes requests from the inbox, and in an account without and with a receipt.
const SERVICE: (u64, u64) = (55, 150);
const INBOX: (u64, u64) = (55, 150);
const ACCOUNT: (u64, u64) = (20, 60);
const ACCOUNT_WITH_RECEIPT: (u64, u64) = (10, 180);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A runtime whose clock advances only while all tasks wait.
fn paused_runtime() -> Runtime {
    Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

fn message() -> SubmitSm<'static> {
    SubmitSm {
        destination: Address::international("6591234567").unwrap(),
        short_message: ShortMessage::new(&[b'x'; 60]).unwrap(),
        ..SubmitSm::default()
    }
}

fn response() -> SubmitSmResp<'static> {
    let message_id = COctets::new(b"5f0c4c5e-2b4e-4d0c-9a53-0d1f3c1f6a11").unwrap();
    SubmitSmResp { message_id, ..SubmitSmResp::default() }
}

/// Returns a bound client and its server, over a pipe.
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

fn respond_inline(peer: &Peer) {
    peer.respond_inline(|request, responder| match request {
        Request::SubmitSm(_, reply) => {
            responder.respond(reply, Ok(response())).unwrap();
            None
        }
        other => Some(other),
    });
}

fn respond_from_inbox(mut inbox: Inbox<Smsc>) -> JoinHandle<()> {
    tokio::spawn(async move {
        while let Some(Inbound::SubmitSm(message)) = inbox.recv().await {
            message.respond(Ok(response())).unwrap();
        }
    })
}

/// Submits `each` messages one after another in each of `lanes` concurrent futures.
async fn submit(client: &Client, lanes: usize, each: usize) {
    let message = message();
    let mut lanes: Vec<_> = (0..lanes).map(|_| (each, Box::pin(client.submit(&message)))).collect();
    poll_fn(|cx| {
        lanes.retain_mut(|(left, submission)| {
            while let Poll::Ready(outcome) = submission.as_mut().poll(cx) {
                assert_eq!(outcome.unwrap().message_id(), response().message_id.as_bytes());
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

/// Returns the allocations of both sides for `lanes` times `each` messages, after the buffers have grown to their size.
fn allocations(lanes: usize, each: usize, inline: bool) -> AllocationInfo {
    let runtime = paused_runtime();
    let config = Config::default().window(64);
    let (client, peer, inbox) = runtime.block_on(bound(config));
    if inline {
        respond_inline(&peer);
    }
    let _serving = {
        let _context = runtime.enter();
        respond_from_inbox(inbox)
    };
    runtime.block_on(submit(&client, lanes, 20));
    measure(|| runtime.block_on(submit(&client, lanes, each)))
}

#[test]
fn a_message_with_an_inline_response_allocates_nothing_on_either_side() {
    // The lanes themselves allocate.
    for (lanes, each) in [(1, 1000), (64, 100)] {
        let allocations = allocations(lanes, each, true).count_total;
        assert!(allocations <= 10 + lanes as u64, "{allocations} for {lanes} times {each}");
    }
}

#[test]
fn a_refusal_without_a_body_allocates_nothing_on_either_side() {
    let runtime = runtime();
    let (client, peer, _inbox) = runtime.block_on(bound(Config::default()));
    peer.respond_inline(|request, responder| match request {
        Request::SubmitSm(_, reply) => {
            responder.respond(reply, Err(CommandStatus::RINVDSTADR)).unwrap();
            None
        }
        other => Some(other),
    });
    let message = message();
    let refuse = |times| {
        runtime.block_on(async {
            for _ in 0..times {
                let error = client.submit(&message).await.unwrap_err();
                assert_eq!(error.status(), Some(CommandStatus::RINVDSTADR));
            }
        });
    };
    refuse(20);
    let allocations = measure(|| refuse(1000)).count_total;
    assert!(allocations <= 10, "{allocations}");
}

/// Over a pipe, both sides together; the client allocates nothing.
#[test]
fn a_message_from_the_inbox_costs_the_server_a_fraction_of_an_allocation() {
    for (lanes, each) in [(1, 1000), (64, 100)] {
        check(allocations(lanes, each, false), (lanes * each) as u64, INBOX.0, INBOX.1);
    }
}

/// Checks what so many messages have allocated against the limits for one, in hundredths of an allocation and in octets.
fn check(allocated: AllocationInfo, messages: u64, hundredths: u64, octets: u64) {
    let (count, bytes) = (allocated.count_total, allocated.bytes_total);
    assert!(
        count * 100 <= messages * hundredths && bytes <= messages * octets,
        "{count} allocations of {bytes} octets for {messages} messages: {}.{:02} of {} octets each",
        count / messages,
        count * 100 / messages % 100,
        bytes / messages
    );
}

/// Responds to a request after it has awaited once.
struct AwaitsOnce;

impl Service for AwaitsOnce {
    async fn bind(&self, _request: &BindRequest) -> Result<Admission, CommandStatus> {
        Ok(Admission::default())
    }

    async fn request(&self, _bound: &BoundSession, request: Inbound<Smsc>) {
        tokio::task::yield_now().await;
        let Inbound::SubmitSm(message) = request else { panic!("another request") };
        message.respond(Ok(response())).unwrap();
    }
}

/// The client allocates nothing: see above.
#[test]
fn a_message_to_a_service_that_awaits_once_costs_the_server_a_fraction_of_an_allocation() {
    let runtime = runtime();
    let (client, _server) = runtime.block_on(async {
        let listener = Listener::bind("127.0.0.1:0", Config::default()).await.unwrap();
        let server = Server::builder(AwaitsOnce).listen(listener).start().unwrap();
        let endpoint = format!("smpp://{}", server.local_addrs()[0]).parse().unwrap();
        let connector = Connector::new().config(Config::default().window(64));
        let (client, _) = connector.connect(&endpoint).await.unwrap();
        client.bind(&Bind::default()).await.unwrap();
        (client, server)
    });
    runtime.block_on(submit(&client, 64, 20));
    check(measure(|| runtime.block_on(submit(&client, 64, 100))), 6400, SERVICE.0, SERVICE.1);
}

/// Sends so many messages, one after another in each of 64 tasks. Waits for the outcome of each, and for its receipt if it
/// requests one.
async fn send(account: &Account, message: &Arc<Message>, each: usize) {
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let (account, message) = (account.clone(), Arc::clone(message));
            tokio::spawn(async move {
                for _ in 0..each {
                    let mut sent = account.send(&message).await.unwrap();
                    if message.asks_for_receipts() {
                        assert_eq!(sent.receipt().await, Ok(MessageState::DELIVERED));
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// Returns what 6,400 messages allocate in an account and its driver. The SMSC has a thread of its own.
fn allocations_of_an_account(message: Message) -> AllocationInfo {
    let runtime = runtime();
    let address = InPlaceSmsc::default().start().unwrap();
    let mut options = Options::new(Credentials::new("test", ""), &Provider::UNSTATED);
    options.session.window = 64;
    let connector = AccountConnector::new(&format!("smpp://{address}").parse().unwrap(), options);
    let (account, _) = runtime.block_on(connector.connect()).unwrap();
    let message = Arc::new(message);
    runtime.block_on(send(&account, &message, 20));
    measure(|| runtime.block_on(send(&account, &message, 100)))
}

#[test]
fn a_whole_submit_sm_through_an_account_costs_few_allocations() {
    let allocated = allocations_of_an_account(Message::submit_sm(&message()));
    check(allocated, 6400, ACCOUNT.0, ACCOUNT.1);
}

#[test]
fn a_text_through_an_account_and_its_receipt_cost_few_allocations() {
    let template = SubmitSm {
        short_message: ShortMessage::default(),
        registered_delivery: RegisteredDelivery::RECEIPT,
        ..message()
    };
    let text = "The quick brown fox jumps over the lazy dog.";
    let allocated = allocations_of_an_account(Message::text(&template, text));
    check(allocated, 6400, ACCOUNT_WITH_RECEIPT.0, ACCOUNT_WITH_RECEIPT.1);
}

/// Several tasks that are woken at once cost one list of wakers.
#[test]
fn waiting_tasks_cost_no_allocation_for_each_message() {
    const TASKS: usize = 64;
    let runtime = runtime();
    let (client, peer, _inbox) = runtime.block_on(bound(Config::default().window(64)));
    respond_inline(&peer);
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

/// Returns the octets that the server holds for each idle bind. `serve` runs the server until it has handled one bind.
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
        // The session's task runs once more, after its response is written.
        runtime.block_on(tokio::task::yield_now());
        let mut answer = [0; 64];
        assert!(client.read(&mut answer).unwrap() > 16);
        clients.push(client);
    };
    one();
    let held = measure(|| (0..SESSIONS).for_each(|_| one())).bytes_current;
    usize::try_from(held).unwrap() / SESSIONS
}

/// Each bound session waits for requests in a task of its own.
#[test]
fn an_idle_bound_session_of_a_listener_holds_less_than_two_and_a_half_kibibytes() {
    let runtime = runtime();
    let listener = runtime.block_on(Listener::bind("127.0.0.1:0", Config::default())).unwrap();
    let mut tasks = Vec::with_capacity(200);
    let each = held_of_each_bind(&runtime, listener.local_addr().unwrap(), || {
        let connecting = runtime.block_on(listener.accept()).unwrap();
        // The future of the bind is larger than the session. In a box, its memory is freed after the bind.
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

/// Accepts every bind, and responds to no request.
struct AcceptsAll;

impl Service for AcceptsAll {
    async fn bind(&self, _request: &BindRequest) -> Result<Admission, CommandStatus> {
        Ok(Admission::default())
    }

    async fn request(&self, _bound: &BoundSession, _request: Inbound<Smsc>) {}
}

/// The memory includes the task and the entry in the registry.
#[test]
fn an_idle_bound_session_of_a_server_holds_less_than_two_and_a_half_kibibytes() {
    let runtime = runtime();
    let server = runtime.block_on(async {
        let listener = Listener::bind("127.0.0.1:0", Config::default()).await.unwrap();
        let limits = ServerLimits::default().connections_per_address(200).binds_per_account(200);
        Server::builder(AcceptsAll).limits(limits).listen(listener).start().unwrap()
    });
    let each = held_of_each_bind(&runtime, server.local_addrs()[0], || {});
    assert_eq!(server.binds().list().len(), 101);
    assert!(each < 2560, "{each} octets a session");
}

/// The output of a session is bounded. At the bound it stops reading.
#[test]
fn a_peer_that_sends_and_never_reads_costs_less_than_a_mebibyte() {
    for inline in [true, false] {
        let runtime = paused_runtime();
        let mut connection = None;
        let allocated = measure(|| {
            connection = Some(runtime.block_on(async {
                let (near, mut far) = duplex(64 * 1024);
                let (peer, mut inbox) = start::<Smsc, _>(near, Config::default());
                let bind = Frame::encode(&Pdu::Bind(Bind::default()), CommandStatus::ROK, SequenceNumber(1));
                far.write_all(bind.octets()).await.unwrap();
                let Some(Inbound::Bind(bind)) = inbox.recv().await else { panic!("no bind") };
                bind.accept().unwrap();
                if inline {
                    respond_inline(&peer);
                }
                let serving = respond_from_inbox(inbox);
                let submit = Frame::encode(&Pdu::SubmitSm(message()), CommandStatus::ROK, SequenceNumber(2));
                while timeout(Duration::from_secs(1), far.write_all(submit.octets())).await.is_ok() {}
                (peer, far, serving)
            }));
        });
        let (peer, ..) = connection.as_ref().unwrap();
        let requests = peer.stats().received.of(Kind::Message).requests;
        assert!(requests > 5_000, "{requests} messages were read, far more than can be answered");
        let held = allocated.bytes_current;
        assert!(held < 1 << 20, "{held} octets held");
    }
}

/// The buffers and tables of a bind shrink when it is quiet.
#[test]
fn a_bind_that_was_busy_holds_less_than_four_kibibytes_after_two_keep_alive_periods() {
    let runtime = paused_runtime();
    let config = Config::default().window(256);
    let mut sides = None;
    let held = measure(|| {
        sides = Some(runtime.block_on(async {
            let (near, far) = duplex(1);
            let (client, _) = start::<Esme, _>(near, config);
            let (peer, mut inbox) = start::<Smsc, _>(far, config);
            let bind = Bind::default();
            let (answer, ()) = tokio::join!(client.bind(&bind), async {
                let Some(Inbound::Bind(bind)) = inbox.recv().await else { panic!("no bind") };
                bind.respond(Ok(BindResp::default())).unwrap();
            });
            answer.unwrap();
            let serving = respond_from_inbox(inbox);
            submit(&client, 256, 1).await;
            tokio::time::sleep(2 * config.enquire_link_interval.unwrap()).await;
            (client, peer, serving)
        }));
    });
    // Both sides together.
    assert!(held.bytes_current < 2 * 4096, "{} octets", held.bytes_current);
}

/// Responds to a request after it has awaited once; its future has more than 4,096 octets.
struct AwaitsWithMuch;

impl Service for AwaitsWithMuch {
    async fn bind(&self, _request: &BindRequest) -> Result<Admission, CommandStatus> {
        Ok(Admission::default())
    }

    async fn request(&self, _bound: &BoundSession, request: Inbound<Smsc>) {
        let memory = [7_u8; 4096];
        tokio::task::yield_now().await;
        std::hint::black_box(&memory);
        let Inbound::SubmitSm(message) = request else { panic!("another request") };
        message.respond(Ok(response())).unwrap();
    }
}

/// The slots that the futures of a service run in are kept while the session is busy, and freed when it is quiet.
#[test]
fn the_memory_of_the_futures_of_a_service_is_freed_when_the_session_is_quiet() {
    const FUTURES: i64 = 64 * 4096;
    let runtime = runtime();
    let config = Config::default().window(64);
    let (client, _server) = runtime.block_on(async {
        let listener = Listener::bind("127.0.0.1:0", Config::default()).await.unwrap();
        let server = Server::builder(AwaitsWithMuch).listen(listener).start().unwrap();
        let endpoint = format!("smpp://{}", server.local_addrs()[0]).parse().unwrap();
        let (client, _) = Connector::new().config(config).connect(&endpoint).await.unwrap();
        client.bind(&Bind::default()).await.unwrap();
        (client, server)
    });
    for round in 0..2 {
        let busy = measure(|| runtime.block_on(submit(&client, 64, 10))).bytes_current;
        assert!(busy > FUTURES, "round {round}: {busy} octets held");
        let quiet = measure(|| {
            runtime.block_on(async {
                tokio::time::pause();
                tokio::time::sleep(3 * config.enquire_link_interval.unwrap()).await;
                tokio::time::resume();
            });
        });
        assert!(quiet.bytes_current < -FUTURES, "round {round}: {} octets", quiet.bytes_current);
    }
}
