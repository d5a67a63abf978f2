//! Requests that wait for a place, when their tasks run in an order that the test chooses: few polls for each message, first
//! in first out, and no place is lost when a request is dropped.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use smpp_proto::account::{Credentials, Message, Options};
use smpp_proto::provider::Provider;
use smpp_proto::session::{Config, Esme, Operations, Rate, Request, SentBy, Smsc};
use smpp_proto::{Bind, BindResp, DataSm, Operation, ShortMessage, SubmitSm};
use smpp_tokio::account::AccountConnector;
use smpp_tokio::{Client, Inbound, Inbox, Peer, start};
use tokio::io::duplex;
use tokio::task::yield_now;
use tokio::time::{advance, timeout};

/// The messages that the SMSC has received, by their text.
type Received = Arc<Mutex<Vec<u8>>>;

async fn bound(config: Config, pipe: usize) -> (Client, Peer, Inbox<Smsc>) {
    let (near, far) = duplex(pipe);
    let (client, _) = start::<Esme, _>(near, config);
    let (peer, mut inbox) = start::<Smsc, _>(far, Config::default().max_unanswered(1_000));
    let bind = Bind::default();
    let (answer, ()) = tokio::join!(client.bind(&bind), async {
        let Some(Inbound::Bind(bind)) = inbox.recv().await else { panic!("no bind") };
        bind.accept().unwrap();
    });
    answer.unwrap();
    (client, peer, inbox)
}

/// Answers all requests in the inbox at once. Returns whether there were any.
async fn answer_all(inbox: &mut Inbox<Smsc>) -> bool {
    let mut requests = Vec::new();
    while let Poll::Ready(Some(request)) = poll_once(inbox.recv()).await {
        requests.push(request);
    }
    let any = !requests.is_empty();
    for request in requests {
        match request {
            Inbound::SubmitSm(message) => message.accept().unwrap(),
            Inbound::DataSm(message) => message.accept().unwrap(),
            _ => panic!("another request"),
        }
    }
    any
}

async fn poll_once<T>(future: impl Future<Output = T>) -> Poll<T> {
    let mut future = pin!(future);
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Which of the woken tasks runs next.
#[derive(Clone, Copy, Debug)]
enum Schedule {
    FirstWoken,
    LastWoken,
    /// A task runs only if no later task is woken: the reservation of the first in the line stays unused for longest.
    HighestNumber,
    Random(u64),
}

fn random(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize
}

type Submission<'c> = Pin<Box<dyn Future<Output = ()> + 'c>>;

/// Sends a request, which the SMSC accepts.
fn request<'c, O: Operation + SentBy<Esme>>(client: &'c Client, operation: &'c O) -> Submission<'c> {
    Box::pin(async { drop(client.request(operation).await.unwrap()) })
}

/// Puts the number of its task into the list of the woken ones.
struct TaskWaker {
    task: usize,
    woken: Arc<Mutex<Vec<usize>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let mut woken = self.woken.lock().unwrap();
        if !woken.contains(&self.task) {
            woken.push(self.task);
        }
    }
}

/// Tasks that run when the test says so.
struct Tasks<'c> {
    /// The future, until it is complete, and the waker.
    all: Vec<(Option<Submission<'c>>, Waker)>,
    woken: Arc<Mutex<Vec<usize>>>,
    polls: usize,
}

impl<'c> Tasks<'c> {
    fn new() -> Self {
        Self { all: Vec::new(), woken: Arc::default(), polls: 0 }
    }

    /// Adds a task, which is woken. Returns its number.
    fn spawn(&mut self, submission: Submission<'c>) -> usize {
        let task = self.all.len();
        let waker = Waker::from(Arc::new(TaskWaker { task, woken: Arc::clone(&self.woken) }));
        waker.wake_by_ref();
        self.all.push((Some(submission), waker));
        task
    }

    fn is_woken(&self, task: usize) -> bool {
        self.woken.lock().unwrap().contains(&task)
    }

    /// Takes the next task from the woken ones.
    fn next(&self, schedule: &mut Schedule) -> Option<usize> {
        let mut woken = self.woken.lock().unwrap();
        if woken.is_empty() {
            return None;
        }
        let at = match schedule {
            Schedule::FirstWoken => 0,
            Schedule::LastWoken => woken.len() - 1,
            Schedule::HighestNumber => (0..woken.len()).max_by_key(|at| woken[*at]).unwrap(),
            Schedule::Random(state) => random(state) % woken.len(),
        };
        Some(woken.remove(at))
    }

    /// Polls a task, woken or not.
    fn poll(&mut self, task: usize) -> Poll<()> {
        self.woken.lock().unwrap().retain(|woken| *woken != task);
        let (submission, waker) = &mut self.all[task];
        let Some(future) = submission else { return Poll::Ready(()) };
        self.polls += 1;
        future.as_mut().poll(&mut Context::from_waker(waker)).map(|()| *submission = None)
    }

    /// Polls all woken tasks in the order in which they were woken, until no more are woken.
    async fn run(&mut self) {
        loop {
            settle().await;
            let Some(task) = self.next(&mut Schedule::FirstWoken) else { return };
            let _ = self.poll(task);
        }
    }
}

/// Both sides of the session run until they have nothing to do.
async fn settle() {
    for _ in 0..12 {
        yield_now().await;
    }
}

/// Sends `each` requests one after another in each of `count` tasks, and returns the polls. The session runs after each
/// poll. The SMSC answers what it has received when no task is woken, so that many places become free at once.
async fn polls<O: Operation + SentBy<Esme>>(
    config: Config,
    pipe: usize,
    operation: &O,
    (count, each): (usize, usize),
    mut schedule: Schedule,
) -> usize {
    let (client, _peer, mut inbox) = bound(config, pipe).await;
    let mut tasks = Tasks::new();
    let mut left = vec![each; count];
    for _ in 0..count {
        tasks.spawn(request(&client, operation));
    }
    while left.iter().any(|left| *left > 0) {
        if let Some(task) = tasks.next(&mut schedule) {
            if tasks.poll(task).is_ready() {
                left[task] -= 1;
                if left[task] > 0 {
                    tasks.all[task].0 = Some(request(&client, operation));
                    tasks.all[task].1.wake_by_ref();
                }
            }
        } else if !answer_all(&mut inbox).await {
            advance(Duration::from_millis(10)).await;
        }
        settle().await;
        assert!(tasks.polls <= 10 * count * each, "{schedule:?}");
    }
    tasks.polls
}

const SCHEDULES: [Schedule; 6] = [
    Schedule::FirstWoken,
    Schedule::LastWoken,
    Schedule::HighestNumber,
    Schedule::Random(1),
    Schedule::Random(2),
    Schedule::Random(3),
];

async fn assert_polls<O: Operation + SentBy<Esme>>(config: Config, pipe: usize, operation: O, tasks: usize) {
    let each = 5;
    for schedule in SCHEDULES {
        let polls = polls(config, pipe, &operation, (tasks, each), schedule);
        let polls = timeout(Duration::from_secs(3600), polls).await.expect("a request was not woken");
        assert!(polls <= 3 * tasks * each, "{polls} polls for {tasks} times {each} messages, {schedule:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waits_for_the_window_takes_three_polls() {
    for (window, tasks) in [(1, 2), (1, 20), (16, 17), (16, 40), (64, 65), (64, 100)] {
        assert_polls(Config::default().window(window), 64 * 1024, SubmitSm::default(), tasks).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waits_for_the_output_takes_three_polls() {
    for max_output in [1, 500] {
        assert_polls(Config::default().window(64).max_output(max_output), 100, SubmitSm::default(), 100)
            .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waits_for_the_rate_limit_takes_few_polls() {
    for rate in [Rate::per_second(50), Rate::per_second(50).with_burst(10)] {
        assert_polls(Config::default().window(64).rate(rate), 64 * 1024, SubmitSm::default(), 30).await;
    }
}

/// The session refuses submit_sm for good. The requests that wait are others.
#[tokio::test(start_paused = true)]
async fn a_request_that_is_no_submit_sm_takes_three_polls() {
    let operations = Operations::BINDS | Operations::DATA_SM;
    let config = Config::default().window(4).operations(operations);
    assert_polls(config, 64 * 1024, DataSm::default(), 10).await;
}

fn text(octet: &u8) -> SubmitSm<'_> {
    let short_message = ShortMessage::new(std::slice::from_ref(octet)).unwrap();
    SubmitSm { short_message, ..SubmitSm::default() }
}

/// Messages with the texts 0 to 255.
fn numbered() -> Vec<SubmitSm<'static>> {
    static TEXTS: [u8; 256] = {
        let mut texts = [0; 256];
        let mut at = 0;
        while at < texts.len() {
            texts[at] = at as u8;
            at += 1;
        }
        texts
    };
    TEXTS.iter().map(text).collect()
}

/// Records the messages, and leaves them to the inbox.
fn record(peer: &Peer) -> Received {
    let received = Received::default();
    let recorded = Arc::clone(&received);
    peer.respond_inline(move |request, _| {
        if let Request::SubmitSm(message, _) = &request {
            recorded.lock().unwrap().extend(message.text());
        }
        Some(request)
    });
    received
}

async fn answer_next(inbox: &mut Inbox<Smsc>) {
    let next = timeout(Duration::from_secs(1), inbox.recv()).await.expect("a request was not woken");
    let Some(Inbound::SubmitSm(message)) = next else { panic!("no message") };
    message.accept().unwrap();
    settle().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_request_does_not_take_the_place_of_one_whose_task_runs_late() {
    let (client, peer, mut inbox) = bound(Config::default().window(1), 64 * 1024).await;
    let (received, messages) = (record(&peer), numbered());
    let mut tasks = Tasks::new();
    for message in &messages[..2] {
        tasks.spawn(request(&client, message));
    }
    tasks.run().await;
    answer_next(&mut inbox).await;
    assert!(tasks.is_woken(1), "the place is reserved");
    let new = tasks.spawn(request(&client, &messages[2]));
    assert!(tasks.poll(new).is_pending());
    settle().await;
    assert_eq!(*received.lock().unwrap(), [0]);
    tasks.run().await;
    assert_eq!(*received.lock().unwrap(), [0, 1]);
    answer_next(&mut inbox).await;
    tasks.run().await;
    assert_eq!(*received.lock().unwrap(), [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn the_reserved_place_of_a_dropped_request_goes_to_the_next() {
    let (client, peer, mut inbox) = bound(Config::default().window(1), 64 * 1024).await;
    let (received, messages) = (record(&peer), numbered());
    let mut tasks = Tasks::new();
    for message in &messages[..4] {
        tasks.spawn(request(&client, message));
    }
    tasks.run().await;
    answer_next(&mut inbox).await;
    for dropped in [1, 2] {
        assert!(tasks.is_woken(dropped) && !tasks.is_woken(3));
        tasks.all[dropped].0 = None;
    }
    assert!(tasks.is_woken(3), "nothing else wakes it");
    tasks.run().await;
    assert_eq!(*received.lock().unwrap(), [0, 3]);
}

/// A task that does not run keeps one place. The others share the rest, also those of the rate limit.
#[tokio::test(start_paused = true)]
async fn a_reserved_place_that_is_not_used_does_not_stop_the_others() {
    for rate in [None, Some(Rate::per_second(50))] {
        let config = Config::default().window(2).rate(rate);
        let (client, _peer, mut inbox) = bound(config, 64 * 1024).await;
        let message = SubmitSm::default();
        let mut tasks = Tasks::new();
        for _ in 0..20 {
            tasks.spawn(request(&client, &message));
        }
        // Each has its place in the line.
        for task in 0..20 {
            assert!(tasks.poll(task).is_pending());
        }
        tasks.woken.lock().unwrap().clear();
        for _ in 0..2_000 {
            settle().await;
            answer_all(&mut inbox).await;
            advance(Duration::from_millis(10)).await;
            let woken = std::mem::take(&mut *tasks.woken.lock().unwrap());
            for task in woken.into_iter().filter(|task| *task != 5) {
                let _ = tasks.poll(task);
            }
        }
        let waiting: Vec<_> = (0..20).filter(|task| tasks.all[*task].0.is_some()).collect();
        assert_eq!(waiting, [5], "with the rate limit {rate:?}");
        assert!(tasks.poll(5).is_pending());
        settle().await;
        answer_all(&mut inbox).await;
        tasks.run().await;
        assert!(tasks.all[5].0.is_none());
    }
}

/// Random requests come, are dropped anywhere in the line, with a reserved place, or in flight, and are answered. The tasks
/// run in the order in which they are woken. Those that are not dropped before are sent in the order of their first poll.
#[tokio::test(start_paused = true)]
async fn requests_are_sent_in_order_whichever_are_dropped() {
    for seed in 0..60 {
        let mut state = seed;
        let window = 1 + (random(&mut state) % 3) as u16;
        let (client, peer, mut inbox) = bound(Config::default().window(window), 64 * 1024).await;
        let (received, messages) = (record(&peer), numbered());
        let mut tasks = Tasks::new();
        let mut line = VecDeque::new();
        let mut sent = 0;
        for _ in 0..200 {
            match random(&mut state) % 6 {
                0..=2 => {
                    // A new request may be sent before one whose task has been woken and has not run.
                    tasks.run().await;
                    let task = tasks.spawn(request(&client, &messages[tasks.all.len()]));
                    let _ = tasks.poll(task);
                    line.push_back(task);
                }
                3 => {
                    // Every other time one that has a reserved place, if there is one.
                    let woken = tasks.woken.lock().unwrap().first().copied();
                    let any = random(&mut state) % tasks.all.len().max(1);
                    let task = woken.filter(|_| random(&mut state).is_multiple_of(2)).unwrap_or(any);
                    if let Some((submission, _)) = tasks.all.get_mut(task) {
                        *submission = None;
                    }
                }
                4 if received.lock().unwrap().len() > sent => {
                    answer_next(&mut inbox).await;
                    sent += 1;
                }
                _ => tasks.run().await,
            }
        }
        // The rest is answered.
        loop {
            tasks.run().await;
            if received.lock().unwrap().len() == sent {
                break;
            }
            answer_next(&mut inbox).await;
            sent += 1;
        }
        let received = received.lock().unwrap();
        assert!(received.is_sorted(), "seed {seed}: {received:?}");
        let left: Vec<_> = line.iter().filter(|task| tasks.all[**task].0.is_some()).collect();
        assert!(left.is_empty(), "seed {seed}: {left:?} wait, and the window is free");
    }
}

/// The same for the queue of an account: messages are queued in the order of the calls, whatever the order in which the tasks
/// run.
#[tokio::test(start_paused = true)]
async fn a_message_that_waits_for_the_queue_of_an_account_takes_four_polls_in_order() {
    for schedule in SCHEDULES {
        let mut options = Options::new(Credentials::new("shop", "secret"), &Provider::UNSTATED);
        options.queue_capacity = 8;
        let inboxes = Arc::new(Mutex::new(Vec::new()));
        let received = Received::default();
        let (opened, recorded) = (Arc::clone(&inboxes), Arc::clone(&received));
        let connector = AccountConnector::new(&"smpp://192.0.2.1".parse().unwrap(), options);
        let connector = connector.dial(move |_| {
            let (near, far) = duplex(64 * 1024);
            let (peer, inbox) = start::<Smsc, _>(far, Config::default());
            let recorded = Arc::clone(&recorded);
            peer.respond_inline(move |request, responder| match request {
                Request::Bind(_, reply) => {
                    responder.respond(reply, Ok(BindResp::default())).unwrap();
                    None
                }
                request => {
                    if let Request::SubmitSm(message, _) = &request {
                        recorded.lock().unwrap().extend(message.text());
                    }
                    Some(request)
                }
            });
            opened.lock().unwrap().push((peer, inbox));
            async { std::io::Result::Ok(near) }
        });
        let (account, _arrivals) = connector.connect().await.unwrap();
        let (_peer, mut inbox) = inboxes.lock().unwrap().pop().unwrap();
        let messages: Vec<_> = numbered().iter().take(60).map(Message::submit_sm).collect();
        let mut schedule = schedule;
        let mut tasks = Tasks::new();
        for message in &messages {
            let account = &account;
            let task = tasks.spawn(Box::pin(async move { drop(account.submit(message).await.unwrap()) }));
            let _ = tasks.poll(task);
        }
        while received.lock().unwrap().len() < messages.len() {
            settle().await;
            if let Some(task) = tasks.next(&mut schedule) {
                let _ = tasks.poll(task);
            } else {
                answer_all(&mut inbox).await;
                advance(Duration::from_millis(10)).await;
            }
        }
        assert!(received.lock().unwrap().is_sorted(), "{schedule:?}: {received:?}");
        assert!(tasks.polls <= 4 * messages.len(), "{} polls for 60 messages, {schedule:?}", tasks.polls);
    }
}
