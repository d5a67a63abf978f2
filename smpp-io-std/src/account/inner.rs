//! The account with all that belongs to it: who waits for what, and what is told to whom.

use std::collections::VecDeque;
use std::net::Shutdown;
use std::sync::{Arc, Condvar};

use smpp_core::account::{
    Account, Event, EventRouter, LinkEvent, LinkId, Message, MessageNumber, SubmitError,
};
use smpp_core::session::Instant;

use super::shared::Shared;
use super::task::Task;
use super::{AccountConnector, Watcher};

pub(super) struct Inner {
    pub(super) account: Account<Option<Watcher>>,
    /// What is to be fetched, and who waits for it.
    pub(super) desk: EventRouter<Arc<Condvar>>,
    /// Who waits for room, in order.
    pub(super) waiting: VecDeque<Arc<Condvar>>,
    /// The room that there was when it was last looked at.
    room: usize,
    pub(super) handles: usize,
    pub(super) tasks: Vec<Task>,
    /// When the clock looks at the time if nobody wakes it.
    pub(super) sleeps_until: Option<Instant>,
    /// What was last in the way of a bind.
    pub(super) failure: Option<String>,
}

impl Inner {
    pub(super) fn new(account: Account<Option<Watcher>>, connector: &AccountConnector) -> Self {
        Self {
            tasks: account.links().map(|(link, _)| Task::new(link)).collect(),
            desk: EventRouter::new(connector.arrivals_capacity),
            waiting: VecDeque::new(),
            room: account.available_capacity(),
            account,
            handles: 0,
            sleeps_until: None,
            failure: None,
        }
    }

    /// Gives the account a message that someone waits for.
    pub(super) fn submit(&mut self, now: Instant, message: &Message) -> Result<MessageNumber, SubmitError> {
        self.desk.submit(now, &mut self.account, message)
    }

    /// Wakes those for whom there is something at the desk.
    pub(super) fn wake(&mut self) {
        self.desk.take_wakers().for_each(|waiting| waiting.notify_one());
    }

    /// Has whoever is first in the queue look if there is more room.
    pub(super) fn tell_room(&mut self) {
        let room = self.account.available_capacity();
        if room > std::mem::replace(&mut self.room, room) {
            self.wake_first();
        }
    }

    /// Waits for room no more: the next may look.
    pub(super) fn leave_queue(&mut self, turn: &Arc<Condvar>) {
        self.waiting.retain(|waiting| !Arc::ptr_eq(waiting, turn));
        self.wake_first();
    }

    /// Who waits for room may look.
    pub(super) fn wake_first(&self) {
        self.waiting.front().inspect(|first| first.notify_one());
    }

    /// Tells all there is to tell, and has done all there is to do.
    pub(super) fn dispatch(&mut self, shared: &Arc<Shared>, now: Instant) {
        // Those that an observer's panic has left.
        self.wake();
        loop {
            while let Some(event) = self.account.poll_event() {
                self.tell(shared, now, event);
            }
            match self.account.poll_action() {
                Some(action) if !self.desk.is_over() => self.act(shared, now, action),
                Some(_) => {}
                None => return,
            }
        }
    }

    fn tell(&mut self, shared: &Shared, now: Instant, event: Event) {
        let changed =
            if let Event::Link { link, event: change } = event { Some((link, change)) } else { None };
        match event {
            Event::Stopped { .. } => {
                shared.settled.notify_all();
                self.wake_first();
            }
            Event::Closed { .. } => self.end(shared),
            _ => {}
        }
        self.desk.handle_event(now, &mut self.account, event);
        self.wake();
        // Last, as it may panic.
        if let Some((link, change)) = changed {
            self.link_changed(shared, link, change);
        }
    }

    fn link_changed(&mut self, shared: &Shared, link: LinkId, change: LinkEvent) {
        if let LinkEvent::BindRefused { address, error } = change {
            self.failure = Some(format!("{address}: bind {error}"));
        }
        shared.settled.notify_all();
        if let Some(watch) = &shared.connector.subscriber {
            watch(link, change);
        }
    }

    /// Lets everyone who waits see that the account is over.
    pub(super) fn end(&mut self, shared: &Shared) {
        self.desk.close();
        self.wake();
        self.tasks.iter().for_each(|task| task.interrupt(Shutdown::Read));
        self.wake_first();
        shared.ended.notify_all();
    }
}
