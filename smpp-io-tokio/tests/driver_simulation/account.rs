//! Scenarios of an account with one or two binds.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use smpp_proto::account::{
    AccountEvent, Backoff, Binds, Credentials, LinkEvent, Message, Options, SegmentNotSentReason,
    SegmentOutcome, SendError,
};
use smpp_proto::provider::Provider;
use smpp_proto::session::{CloseReason, Config, UnansweredReason};
use smpp_proto::{CommandId, RegisteredDelivery, SubmitSm};
use smpp_tokio::account::{Account, AccountConnector, Arrival, Arrivals, Ticket};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::checks::Connection;
use crate::network::{Faults, connection};
use crate::rng::Rng;
use crate::smsc::{Behaviour, serve};

/// The account may end in the very millisecond of its deadline.
const MILLISECOND: Duration = Duration::from_millis(1);

/// The session configuration of a scenario.
pub(crate) fn config(rng: &mut Rng) -> Config {
    Config::default()
        .window([1, 2, 16][rng.below(3) as usize])
        .max_unanswered([1, 2, 256][rng.below(3) as usize])
        .enquire_link_interval(
            [None, Some(Duration::from_secs(20)), Some(Duration::from_secs(7))][rng.below(3) as usize],
        )
        .response_timeout(Duration::from_millis(5_000 + rng.below(6_000)))
        .drain_timeout(Duration::from_millis(1_000 + rng.below(4_000)))
        .backpressure_timeout(Duration::from_millis(1_000 + rng.below(2_000)))
        .max_response_timeouts([0, 2, 6][rng.below(3) as usize])
        .late_response_timeout(Duration::from_millis(rng.below(60_000)))
}

/// What the connections of an account share with the checks.
#[derive(Clone, Default)]
struct World {
    connections: Arc<Mutex<Vec<Connection>>>,
    /// The connection that was dialed last and has no observer yet.
    dialed: Arc<Mutex<Option<Connection>>>,
    /// The ends of sessions.
    ends: Arc<Mutex<Vec<(Instant, CloseReason)>>>,
}

pub(crate) async fn run(mut rng: Rng) {
    let config = config(&mut rng);
    let (behaviour, faulty) = (Behaviour::new(&mut rng), rng.percent(70));
    let world = World::default();
    let options = Options::new(Credentials::new("shop", "secret"), &Provider::UNSTATED)
        .session(config)
        .binds(Binds::transceivers(1 + rng.below(2) as u16))
        .max_binds(2)
        .backoff(Backoff::default().initial(Duration::from_secs(1)))
        .seed(rng.next());
    let dialing = (world.clone(), Mutex::new(rng.fork()));
    let (observing, watched) = (world.clone(), world.clone());
    let smsc_config = Config::default().max_unanswered([1, 4, 256][rng.below(3) as usize]);
    let unbind_timeout = options.unbind_timeout;
    let connector = AccountConnector::new(&"smpp://192.0.2.1".parse().unwrap(), options)
        .dial(move |_| {
            let (world, mut rng) = (dialing.0.clone(), dialing.1.lock().unwrap().fork());
            async move {
                sleep(rng.millis(300)).await;
                let connection_log = Connection::default();
                let network = Faults::new(&mut rng, faulty);
                let (near, far) = connection(&network, &connection_log.trace);
                tokio::spawn(serve(far, smsc_config, behaviour, rng));
                world.connections.lock().unwrap().push(connection_log.clone());
                *world.dialed.lock().unwrap() = Some(connection_log);
                Ok(near)
            }
        })
        .observe(move |_| observing.dialed.lock().unwrap().take().unwrap());
    let (account, arrivals) = connector.start().unwrap();
    let mut events = account.events();
    let watching = tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if let AccountEvent::Link { event: LinkEvent::Closed { reason, .. }, .. } = event {
                watched.ends.lock().unwrap().push((Instant::now(), reason));
            }
        }
    });
    let receiving = tokio::spawn(receive(arrivals, rng.fork()));
    let mut sending = Vec::new();
    for _ in 0..=rng.below(12) {
        sending.push(tokio::spawn(send(account.clone(), world.clone(), config, rng.fork())));
    }
    let end = Instant::now() + rng.millis(120_000);
    if rng.percent(20) {
        sleep(rng.millis(60_000)).await;
        let _ = account.set_binds(Binds::transceivers(1 + rng.below(2) as u16));
    }
    if rng.percent(20) {
        sleep(rng.millis(60_000)).await;
        let credentials = Credentials::new("shop", if rng.percent(50) { "other" } else { "secret" });
        let (binds, max_binds) = (Binds::transceivers(rng.below(4) as u16), 3);
        account
            .reconfigure(account.options().credentials(credentials).binds(binds).max_binds(max_binds))
            .unwrap();
    }
    sleep_until(end).await;
    let shutdown = Instant::now();
    let within = rng.millis(20_000);
    // The queue, the unbinds, and 2 s for the transports to close.
    let limit = within + unbind_timeout + Duration::from_secs(2) + MILLISECOND;
    if timeout(limit, account.shutdown(within)).await.is_err() {
        let listings: Vec<_> = world.connections.lock().unwrap().iter().map(Connection::listing).collect();
        let (links, listings) = (account.links(), listings.join("\n"));
        panic!("{links:?} after {limit:?} of shutdown ({within:?} to drain); {config:?}: {listings}");
    }
    for sending in sending {
        timeout(Duration::from_secs(90), sending).await.expect("a message has no outcome").unwrap();
    }
    drop(account);
    receiving.await.unwrap();
    watching.await.unwrap();
    for connection in world.connections.lock().unwrap().iter() {
        connection.check(&config, shutdown);
        let unbind_by = shutdown + within + config.drain_timeout;
        connection.check_unbind(unbind_by);
    }
    check_ends(&world, &config);
}

/// Submits a message, and checks when its outcome arrives.
async fn send(account: Account, world: World, config: Config, mut rng: Rng) {
    sleep(rng.millis(60_000)).await;
    let receipt = if rng.percent(50) { RegisteredDelivery::RECEIPT } else { RegisteredDelivery::default() };
    let template = SubmitSm { registered_delivery: receipt, ..SubmitSm::default() };
    let mut message = Message::text(&template, "Hello");
    let deadline = rng.percent(30).then(|| rng.millis(30_000));
    if let Some(deadline) = deadline {
        message = message.deadline(deadline);
    }
    let submitted = Instant::now();
    let Ok(ticket) = account.try_submit(&message) else { return };
    let wait = rng.percent(10).then(|| rng.millis(20_000));
    check_outcome(ticket, wait, &world, &config, deadline.map(|deadline| submitted + deadline)).await;
}

async fn check_outcome(
    ticket: Ticket,
    cancel_after: Option<Duration>,
    world: &World,
    config: &Config,
    deadline: Option<Instant>,
) {
    if let Some(after) = cancel_after {
        sleep(after).await;
        ticket.cancel();
        return;
    }
    let Err(SendError::Failed { outcome, .. }) = ticket.outcome().await else { return };
    let now = Instant::now();
    for segment in &outcome.segments {
        match segment {
            SegmentOutcome::Unanswered(UnansweredReason::Timeout) => {
                let sent = now.checked_sub(config.response_timeout).unwrap();
                let connections = world.connections.lock().unwrap();
                let is_sent =
                    connections.iter().any(|connection| connection.sent(CommandId::SUBMIT_SM, sent));
                assert!(is_sent, "a request timed out at {now:?}, and none was sent at {sent:?}");
            }
            SegmentOutcome::NeverSent(SegmentNotSentReason::Expired) => {
                assert!(Some(now) >= deadline, "expired at {now:?}, before {deadline:?}");
                // A segment that was in flight at its deadline may come back later.
                let was_sent = world.connections.lock().unwrap().iter().any(|connection| {
                    connection.pdus.lock().unwrap().iter().any(|seen| seen.command == CommandId::SUBMIT_SM)
                });
                assert!(Some(now) == deadline || was_sent, "expired at {now:?}, not at {deadline:?}");
            }
            _ => {}
        }
    }
}

/// Acknowledges the deliveries, some of them late.
async fn receive(mut arrivals: Arrivals, mut rng: Rng) {
    let mut held = Vec::new();
    while let Some(arrival) = arrivals.recv().await {
        let pause = rng.millis(3_000);
        if rng.percent(20) {
            sleep(pause).await;
        }
        match arrival {
            Arrival::Message(message) if rng.percent(30) => held.push(message),
            Arrival::Message(message) => message.accept().unwrap_or_default(),
            Arrival::Receipt(receipt) => receipt.accept().unwrap_or_default(),
            _ => {}
        }
    }
}

/// The deadlines that end a session are kept.
fn check_ends(world: &World, config: &Config) {
    let connections = world.connections.lock().unwrap();
    let unresponsive = config.response_timeout * u32::from(config.max_response_timeouts);
    for (at, reason) in world.ends.lock().unwrap().iter() {
        let (command, before) = match reason {
            CloseReason::LinkDead => (CommandId::ENQUIRE_LINK, config.response_timeout),
            CloseReason::SessionInit => (CommandId::BIND_TRANSCEIVER, config.session_init_timeout),
            CloseReason::Unresponsive => (CommandId::SUBMIT_SM, unresponsive),
            _ => continue,
        };
        // The checks of the link are postponed by a response timeout while the session does not read. An enquire_link that
        // does not leave at once has up to two more.
        let postponed = match reason {
            CloseReason::SessionInit => 0,
            _ if config.max_unanswered < 256 => 20,
            CloseReason::LinkDead => 2,
            _ => 0,
        };
        let is_due = (0..=postponed).any(|times| {
            let due = at.checked_sub(before + config.response_timeout * times);
            let begun = |connection: &Connection, due| {
                let late = times > 0 || *reason != CloseReason::LinkDead;
                connection.sent(command, due) && (late || connection.left(command, due))
            };
            due.is_some_and(|due| connections.iter().any(|connection| begun(connection, due)))
        });
        assert!(is_due, "{reason} at {at:?}, and no {command} was sent {before:?} before");
    }
}
