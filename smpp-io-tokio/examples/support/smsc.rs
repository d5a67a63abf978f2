//! An SMSC to test against: the simulator of `smpp-core` decides, the `Server` of `smpp-io-tokio` carries it out.

#[path = "faults.rs"]
mod faults;

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::SystemTime;

use smpp_core::session::{Instant, RequestError, Smsc as Role};
use smpp_core::simulator::{self, Delivery, OriginateError, ReceiptTiming, Rng, Rules, Simulator};
use smpp_core::{Address, COctets, CommandStatus, MessageState, SubmitSmResp};
use smpp_io_tokio::{
    Admission, BindId, BindRegistry, BindRequest, BoundSession, Inbound, Listener, Server, ServerBuilder,
    ServerEvent, ServerLimits, ServerStream, Service,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time;

pub(crate) use faults::Faults;

/// What the SMSC calls itself.
const NAME: &[u8] = b"8x8_demo";

/// Deliveries that may be under way at once.
const UNDER_WAY: usize = 1000;

/// What it is to be.
pub(crate) struct Setup {
    /// Without an epoch: it is now.
    pub(crate) rules: Rules,
    /// Its accounts: system_id and password.
    pub(crate) accounts: Vec<(String, String)>,
    pub(crate) faults: Faults,
    pub(crate) listeners: Vec<Listener>,
    /// How many may connect at once, from wherever: its clients are on one machine, usually.
    pub(crate) connections: usize,
    /// Is told what happens.
    pub(crate) watcher: Box<dyn Fn(Told<'_>) + Send + Sync>,
}

/// What happens.
#[derive(Clone, Copy)]
pub(crate) enum Told<'a> {
    Server(ServerEvent<'a>),
    /// A message was taken, and its id given, or refused.
    Submitted {
        bound: &'a BoundSession,
        outcome: Result<&'a str, CommandStatus>,
    },
    /// A receipt for a state, or a message from a phone, was delivered or not.
    Delivered {
        system_id: &'a str,
        state: Option<MessageState>,
        outcome: Result<(), RequestError>,
    },
}

/// A running SMSC.
pub(crate) struct Smsc {
    pub(crate) server: Server,
    pub(crate) desk: Arc<EventRouter>,
}

/// What its connections share.
pub(crate) struct EventRouter {
    simulator: Mutex<Simulator>,
    /// What the simulator calls the binds of the server.
    binds: Mutex<HashMap<BindId, simulator::BindId>>,
    dice: Mutex<Rng>,
    faults: Faults,
    before_response: bool,
    watcher: Box<dyn Fn(Told<'_>) + Send + Sync>,
    /// There may be something to deliver.
    changed: Notify,
    start: time::Instant,
}

/// The server asks the desk.
struct Clerk(Arc<EventRouter>);

impl Smsc {
    /// Starts it; [`run`](Self::run) has to be run too.
    pub(crate) fn start(setup: Setup) -> io::Result<Self> {
        let Setup { rules, accounts, faults, listeners, connections, watcher } = setup;
        // The server counts binds and messages, so that the simulator does not have to.
        let limits = ServerLimits {
            connections,
            connections_per_address: connections,
            binds_per_account: rules.max_binds,
            rate: rules.rate,
            ..ServerLimits::default()
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let dice = Mutex::new(Rng::new(rules.seed));
        let before_response = rules.receipt_timing == ReceiptTiming::BeforeResponse;
        let mut simulator = Simulator::new(Rules { epoch: now.as_secs(), rate: None, ..rules });
        for (system_id, password) in &accounts {
            simulator.add_account(system_id, password);
        }
        let (simulator, binds, changed) = (Mutex::new(simulator), Mutex::default(), Notify::new());
        let start = time::Instant::now();
        let desk = Arc::new(EventRouter {
            simulator,
            binds,
            dice,
            faults,
            before_response,
            watcher,
            changed,
            start,
        });
        let name = COctets::new(NAME).unwrap_or_default();
        let builder = Server::builder(Clerk(Arc::clone(&desk))).limits(limits).system_id(name);
        let server = listeners.into_iter().fold(builder, ServerBuilder::listen).start()?;
        Ok(Self { server, desk })
    }

    /// Delivers receipts and messages when they are due, for as long as it is polled.
    pub(crate) async fn run(&self) {
        let desk = &self.desk;
        let mut under_way = JoinSet::new();
        loop {
            let due = desk.simulator().poll_timeout();
            match due {
                Some(due) => {
                    let due = desk.start + (due - Instant::ZERO);
                    let _ = time::timeout_at(due, desk.changed.notified()).await;
                }
                None => desk.changed.notified().await,
            }
            while let Some(delivery) = desk.next_delivery() {
                under_way.spawn(Arc::clone(desk).deliver(self.server.binds().clone(), delivery));
                if under_way.len() > UNDER_WAY {
                    under_way.join_next().await;
                }
            }
            while under_way.try_join_next().is_some() {}
        }
    }
}

impl Service for Clerk {
    async fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
        self.0.simulator().authenticate(&request.bind())?;
        Ok(Admission::default())
    }

    async fn request(&self, bound: &BoundSession, request: Inbound<Role>) {
        // 8x8 offers nothing else.
        let Inbound::SubmitSm(message) = request else { return };
        let desk = &self.0;
        let Some(id) = desk.binds().get(&bound.id()).copied() else { return };
        let taken = desk.simulator().submit(desk.now(), id, &message.get());
        let outcome = taken.as_deref().map_err(|status| *status);
        (desk.watcher)(Told::Submitted { bound, outcome });
        if desk.before_response {
            desk.deliver_on(bound).await;
        }
        desk.changed.notify_one();
        let late = desk.faults.lateness(&mut desk.dice());
        if !late.is_zero() {
            time::sleep(late).await;
        }
        // If the session has ended, nobody waits for the answer.
        let _ = message.respond(outcome.map(|message_id| SubmitSmResp {
            message_id: COctets::new(message_id.as_bytes()).unwrap_or_default(),
            ..SubmitSmResp::default()
        }));
    }

    fn event(&self, event: ServerEvent<'_>) {
        let desk = &self.0;
        match event {
            ServerEvent::Bound(bound) => {
                let id = desk.simulator().admit(bound.system_id(), bound.mode());
                desk.binds().extend(id.map(|id| (bound.id(), id)));
                desk.changed.notify_one();
            }
            ServerEvent::Ended { bound, .. } => {
                let id = desk.binds().remove(&bound.id());
                if let Some(id) = id {
                    desk.simulator().release(id);
                }
            }
            _ => {}
        }
        (desk.watcher)(Told::Server(event));
    }

    fn transport(&self, stream: ServerStream) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
        let seed = self.0.dice().next_u64();
        faults::line(stream, self.0.faults, Rng::new(seed))
    }
}

impl EventRouter {
    /// A phone sends a text to an account.
    pub(crate) fn originate(
        &self,
        account: &str,
        numbers: (Address<'_>, Address<'_>),
        text: &str,
    ) -> Result<usize, OriginateError> {
        let parts = self.simulator().originate(self.now(), account, numbers, text);
        self.changed.notify_one();
        parts
    }

    /// What is still to be delivered.
    pub(crate) fn pending(&self) -> usize {
        self.simulator().pending()
    }

    fn next_delivery(&self) -> Option<Delivery> {
        self.simulator().poll_delivery(self.now())
    }

    /// Delivers on any bind of the account.
    async fn deliver(self: Arc<Self>, binds: BindRegistry, delivery: Delivery) {
        let outcome = binds.deliver(delivery.system_id.as_bytes(), &delivery.deliver_sm()).await;
        self.delivered(delivery, outcome.map(|_| ()));
    }

    /// Sends what is due on this bind, without waiting for the answers.
    async fn deliver_on(self: &Arc<Self>, bound: &BoundSession) {
        while let Some(delivery) = self.next_delivery() {
            let (desk, peer) = (Arc::clone(self), bound.peer().clone());
            let mut sending = Box::pin(async move {
                let outcome = peer.deliver(&delivery.deliver_sm()).await;
                desk.delivered(delivery, outcome.map(|_| ()));
            });
            // As far as it goes: into the output, that is, where the answer to the message is to come behind it.
            if poll_fn(|cx| Poll::Ready(sending.as_mut().poll(cx))).await.is_pending() {
                tokio::spawn(sending);
            }
        }
    }

    /// What was not accepted is tried again later.
    fn delivered(&self, delivery: Delivery, outcome: Result<(), RequestError>) {
        let (system_id, state) = (&*delivery.system_id, delivery.state());
        (self.watcher)(Told::Delivered { system_id, state, outcome });
        if outcome.is_err() {
            self.simulator().redeliver(self.now(), delivery);
            self.changed.notify_one();
        }
    }

    fn now(&self) -> Instant {
        Instant::after(self.start.elapsed())
    }

    fn simulator(&self) -> MutexGuard<'_, Simulator> {
        self.simulator.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn binds(&self) -> MutexGuard<'_, HashMap<BindId, simulator::BindId>> {
        self.binds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dice(&self) -> MutexGuard<'_, Rng> {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
