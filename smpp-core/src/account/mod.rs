//! Many binds of one account: which of them sends, when to connect where, which receipt is about what.
//!
//! An [`Account`] is a state machine as a session is, and holds the session of each of its binds. Octets and time
//! go in; octets, [`Action`]s and [`Event`]s come out. It knows no socket and asks no name server: the adapter does what
//! an action says, and tells what came of it.
//!
//! ```text
//!   submit, cancel, answer, set_binds, shutdown       poll_event: outcomes, receipts, messages, what links do
//!        │                                                 ▲
//!   ┌────▼─────────────────────────────────────────────────┴───┐
//!   │ queue: priority, deadline, order      ledger: receipts   │
//!   │ inbox: parts of messages              back-off, addresses│
//!   │   link 0: Session    link 1: Session    link 2: Session  │
//!   └────┬──────────▲──────────────────────────┬───────────────┘
//!        ▼          │                          ▼
//!   poll_transmit  handle_input          poll_action: Resolve, Connect, Close
//! ```
//!
//! # What an adapter does
//!
//! After each call of a method that takes the time, it looks at [`poll_action`](Account::poll_action) and
//! [`poll_event`](Account::poll_event) until they give none, at [`wants_transmit`](Account::wants_transmit) of each link,
//! and at the two kinds of deadlines: [`poll_timeout`](Account::poll_timeout) of the account, and
//! [`poll_link_timeout`](Account::poll_link_timeout) of each link, which is passed in only once all that has come on the
//! link has been.
//!
//! For each link it does what the adapter of a session does: [`handle_input`](Account::handle_input),
//! [`poll_transmit`](Account::poll_transmit), [`handle_transmitted`](Account::handle_transmitted),
//! [`handle_eof`](Account::handle_eof).
//!
//! ```
//! use core::net::SocketAddr;
//! use smpp_core::account::{Account, Action, Credentials, Message, Options};
//! use smpp_core::provider::Provider;
//! use smpp_core::session::Instant;
//! use smpp_core::{Address, SubmitSm};
//!
//! let now = Instant::ZERO;
//! let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::EIGHT_BY_EIGHT);
//! let mut account = Account::<()>::new(options, now)?;
//! let template = SubmitSm { destination: Address::international("6591234567")?, ..SubmitSm::default() };
//! let number = account.submit(now, &Message::text(&template, "Hello"))?;
//!
//! // It has no bind yet, and wants one.
//! let Some(Action::Resolve { link }) = account.poll_action() else { panic!() };
//! let address: SocketAddr = "192.0.2.1:2776".parse()?;
//! account.handle_resolved(now, link, &[address]);
//! assert_eq!(account.poll_action(), Some(Action::Connect { link, address }));
//! assert!(account.handle_connected(now, link, ()));
//! let mut bind = Vec::new();
//! assert!(account.poll_transmit(link, &mut bind));
//! assert_eq!(bind[4..8], [0, 0, 0, 9], "bind_transceiver");
//! # let _ = number;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An adapter whose users wait for outcomes, receipts and messages passes the events to a [`EventRouter`], which keeps what is
//! told until it is fetched, and says whom to wake.
//!
//! # What is kept
//!
//! - There are never more than [`max_binds`](Options::max_binds) connections, those that are being made or closed
//!   included: a place is used again only once [`handle_closed`](Account::handle_closed) was called. As long as there is
//!   no bind, one connection at a time finds the way; the others follow, [`stagger`](Options::connect_interval) apart.
//! - No bind sends faster than its [`rate`](crate::session::Config::rate), each part of a message counted, or has more in
//!   flight than its [`window`](crate::session::Config::window). Of the binds that can send, the one with most room does.
//! - Each message that is taken has exactly one [`Outcome`](Event::Outcome), whatever becomes of the binds. A part that
//!   was never sent goes on another bind; one that was sent and not answered does what the caller has chosen:
//!   [`UnansweredPolicy`].
//! - `ESME_RTHROTTLED` and `ESME_RMSGQFUL` pause the bind, and the part takes its old place in the queue; so does
//!   `ESME_RINVBNDSTS`, which says that the SMSC has begun to end the bind.
//! - A receipt that comes within [`age`](ReceiptOptions::max_age) reaches its message, whichever bind it comes on, also if it
//!   comes before the `submit_sm_resp`. One that comes twice is told once.
//! - What the SMSC delivers is answered when the application says so: [`Ack`].
//! - Wrong credentials stop it: [`Event::Stopped`].

mod event;
mod event_router;
mod incoming;
mod links;
mod message;
mod options;
mod outgoing;
mod queue;
mod receipts;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use crate::pdu::{BindMode, CommandStatus};
use crate::session::{Observer, State, Stats, Timer};
use crate::time::Instant;

pub use event::{Action, ConnectFailure, Event, LinkEvent, LinkId, Unresolved};
pub use event_router::{EventRouter, FirstBindError, RoutedEvent};
pub use incoming::{Ack, InboundMessage};
pub use message::{
    Message, MessageId, MessageNumber, MessageOutcome, Priority, SegmentNotSentReason, SegmentOutcome,
    SendError, SubmitError, UnansweredPolicy,
};
pub use options::{Backoff, Binds, Credentials, Options, OptionsError, ReceiptOptions};
pub use receipts::{DeliveryReceipt, NoMoreReceipts, ReceiptMatch};

use incoming::Inbox;
use links::Link;
use queue::Queue;
use receipts::Ledger;

/// The binds of one account, its messages and their receipts. An [`Observer`] `O` sees the PDUs of each bind.
pub struct Account<O = ()> {
    options: Options,
    links: Vec<Link<O>>,
    queue: Queue,
    ledger: Ledger,
    inbox: Inbox,
    /// Messages in parts that the application has not answered for.
    untaken: usize,
    actions: VecDeque<Action>,
    events: VecDeque<Event>,
    /// When the next connection may be begun.
    next_start: Instant,
    /// As long as there is no bind, none is begun before; and how many failures have led to that.
    blocked: (Instant, u32),
    /// The address of the last bind that was accepted.
    good: Option<SocketAddr>,
    /// The reference that the parts of the last message share.
    reference: u16,
    /// The state of the random numbers.
    random: u64,
    ending: Ending,
    stopped: Option<CommandStatus>,
}

/// How far the account's end has come.
#[derive(Debug)]
enum Ending {
    No,
    /// What was taken may still be sent until then.
    Draining {
        deadline: Instant,
        unresolved: Vec<Unresolved>,
    },
    /// The binds are being ended.
    Leaving {
        unresolved: Vec<Unresolved>,
    },
    Over,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Nothing: it is not wanted, or waits for its next try.
    Idle,
    /// It asks for the host's addresses.
    Resolving,
    /// It connects to this address.
    IncomingConnection(SocketAddr),
    /// It is connected to this address; the session is in this state.
    Open(SocketAddr, State),
    /// It is being closed.
    Closing,
}

impl<O> fmt::Debug for Account<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("system_id", &self.options.credentials.system_id)
            .field("queued", &self.queue.open())
            .field("awaited", &self.ledger.len())
            .finish_non_exhaustive()
    }
}

impl<O: Observer> Account<O> {
    /// An account without any bind yet: it wants the first at once.
    pub fn new(options: Options, now: Instant) -> Result<Self, OptionsError> {
        options.check()?;
        let random = options.seed;
        let mut account = Self {
            links: (0..options.max_binds).map(|_| Link::new(now)).collect(),
            queue: Queue::new(options.queue_capacity),
            ledger: Ledger::new(options.receipts),
            inbox: Inbox::new(options.reassembly, options.segment_ack_timeout),
            untaken: 0,
            actions: VecDeque::new(),
            events: VecDeque::new(),
            next_start: now,
            blocked: (now, 0),
            good: None,
            reference: random as u16,
            random,
            ending: Ending::No,
            stopped: None,
            options,
        };
        account.drive(now);
        Ok(account)
    }

    /// What it runs with.
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// Keeps so many binds from now on: more are made, or those at the end are unbound once what they have in flight is
    /// answered.
    ///
    /// Changing between transceivers and pairs ends the binds whose mode is another.
    pub fn set_binds(&mut self, now: Instant, binds: Binds) -> Result<(), OptionsError> {
        self.options.check_binds(binds)?;
        self.options.binds = binds;
        self.drive(now);
        Ok(())
    }

    /// Ends the account: takes no more messages, sends what it has until `deadline` from now, then unbinds.
    ///
    /// The last event is [`Event::Closed`]. It comes `deadline` and the time to unbind
    /// ([`drain`](crate::session::Config::drain_timeout), [`response`](crate::session::Config::response_timeout)) from now at the latest,
    /// if each [`Action::Close`] is done. Of several calls the earliest deadline counts.
    pub fn shutdown(&mut self, now: Instant, deadline: Duration) {
        let until = now + deadline;
        match &mut self.ending {
            Ending::No => self.ending = Ending::Draining { deadline: until, unresolved: Vec::new() },
            Ending::Draining { deadline, .. } => *deadline = until.min(*deadline),
            Ending::Leaving { .. } | Ending::Over => {}
        }
        self.drive(now);
    }

    /// What the adapter is to do next.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// What has happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next. `None`: never, as things stand. Ask again
    /// after each call of another method.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if matches!(self.ending, Ending::Over) {
            return None;
        }
        let draining = match self.ending {
            Ending::Draining { deadline, .. } => Some(deadline),
            _ => None,
        };
        [
            self.next_link_start(),
            self.next_dispatch(),
            self.queue.poll_timeout(),
            self.ledger.poll_timeout(),
            self.inbox.poll_timeout(),
            draining,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Acts on the time.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.expire_receipts(now);
        self.handle_inbox_timeout(now);
        self.drive(now);
    }

    /// What each connection is doing, in the order of their places.
    pub fn links(&self) -> impl Iterator<Item = (LinkId, LinkState)> {
        self.links.iter().zip(0..).map(|(link, index)| (LinkId(index), link.state()))
    }

    /// In which mode a connection is bound.
    pub fn mode(&self, link: LinkId) -> Option<BindMode> {
        match self.links.get(link.index())?.state() {
            LinkState::Open(_, State::Bound(mode)) => Some(mode),
            _ => None,
        }
    }

    /// The counters of a connection's session.
    pub fn stats(&self, link: LinkId) -> Option<Stats> {
        Some(self.links.get(link.index())?.session()?.stats())
    }

    /// Parts of messages that there is room for in the queue.
    pub const fn room(&self) -> usize {
        self.queue.room()
    }

    /// Parts of messages that wait or are in flight.
    pub const fn queued(&self) -> usize {
        self.queue.open()
    }

    /// Parts of messages that wait for receipts, or had their last not long ago.
    pub fn awaited(&self) -> usize {
        self.ledger.len()
    }

    /// When [`handle_link_timeout`](Self::handle_link_timeout) is to be called next for this connection, and why.
    pub fn poll_link_timeout(&self, link: LinkId) -> Option<(Instant, Timer)> {
        self.links.get(link.index())?.session()?.poll_timeout()
    }

    fn tell(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Does all that can be done now.
    fn drive(&mut self, now: Instant) {
        self.start_links(now);
        self.dispatch(now);
        self.approach_end(now);
    }

    /// Takes the end a step further if what it waits for has come.
    fn approach_end(&mut self, now: Instant) {
        let is_done = self.queue.open() == 0 || self.is_stuck();
        if let Ending::Draining { deadline, ref mut unresolved } = self.ending
            && (is_done || deadline <= now)
        {
            self.ending = Ending::Leaving { unresolved: core::mem::take(unresolved) };
            self.give_up_all(now, message::SegmentNotSentReason::ShutDown);
            self.empty_inbox(now);
            self.start_links(now);
        }
        if let Ending::Leaving { ref mut unresolved } = self.ending
            && self.links.iter().all(Link::is_idle)
        {
            let mut unresolved = core::mem::take(unresolved);
            self.ending = Ending::Over;
            self.empty_inbox(now);
            self.release_early();
            unresolved
                .extend(self.ledger.drain().map(|(message, ids)| Unresolved::NoReceipt { message, ids }));
            self.tell(Event::Closed { unresolved });
        }
    }
}
