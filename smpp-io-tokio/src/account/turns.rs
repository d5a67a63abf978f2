//! The turns of the connections' tasks: which are woken, and what each waits for between two turns.

use std::task::Waker;

use smpp_proto::account::{LinkId, LinkState};
use smpp_proto::session::Instant;
use tokio::sync::oneshot;

use super::shared::Inner;
use crate::wait::WakeList;

/// The task of one connection.
#[derive(Default)]
pub(super) struct LinkTask {
    /// Cancels the task when it is dropped.
    pub(super) cancel: Option<oneshot::Sender<()>>,
    /// Its waker, unless it is woken or has its turn.
    pub(super) waker: Option<Waker>,
    /// It is woken, and has not had its turn.
    is_scheduled: bool,
    /// What the task waits for, since the end of its last turn.
    waits: Waits,
}

/// What the task of a connection waits for. Whatever changes the account compares it with the new state, and wakes the task
/// if it has something else to do.
#[derive(Clone, Copy, Default)]
struct Waits {
    /// Its output waits for the transport, which wakes the task.
    for_transport: bool,
    /// It reads from the transport.
    for_input: bool,
    /// It sleeps until this time at most.
    until: Option<Instant>,
}

impl Inner {
    /// Begins the turn of a connection's task. Returns its waker, for the end of the turn.
    pub(super) fn begin_turn(&mut self, link: LinkId) -> Option<Waker> {
        let task = self.links.get_mut(link.index())?;
        if std::mem::take(&mut task.is_scheduled) {
            self.scheduled -= 1;
        }
        task.waker.take()
    }

    /// Ends the turn of a connection's task that runs again at once: it needs no waker before that.
    pub(super) fn yield_turn(&mut self, link: LinkId) {
        if let Some(task) = self.links.get_mut(link.index())
            && !std::mem::replace(&mut task.is_scheduled, true)
        {
            self.scheduled += 1;
        }
    }

    /// Records that the tasks of the connections have no turn any more: each call does its work itself.
    pub(super) const fn forget_turns(&mut self) {
        self.scheduled = 0;
    }

    /// Adds the wakers of the connections whose tasks have something else to do than what they wait for to `wake`.
    pub(super) fn schedule_links(&mut self, wake: &mut WakeList) {
        let Self { account, links, scheduled, .. } = self;
        // Then each looks at its connection by itself.
        if *scheduled == links.len() {
            return;
        }
        while let Some(link) = account.poll_changed_link() {
            // A task without a waker has its turn later, and looks at its connection by itself.
            let Some(task) = links.get_mut(link.index()).filter(|task| task.waker.is_some()) else {
                continue;
            };
            let waits = task.waits;
            let is_busy = account.link_state(link) == Some(LinkState::Closing)
                || account.wants_transmit(link) && !waits.for_transport
                || account.wants_input(link) && !waits.for_input
                || account
                    .poll_link_timeout(link)
                    .is_some_and(|(at, _)| waits.until.is_none_or(|until| at < until));
            if is_busy {
                wake.add(task.waker.take());
                task.is_scheduled = true;
                *scheduled += 1;
            }
        }
    }

    /// Records what the task of a connection waits for at the end of its turn, and its waker. Output that is left waits for
    /// the transport: without this distinction, two connections that cannot write would wake each other forever. `known` is the
    /// waker of the turn before. Returns whether the task reads from the transport, and when it has to act at the latest.
    pub(super) fn end_turn(
        &mut self,
        link: LinkId,
        waker: &Waker,
        known: &mut Option<Waker>,
    ) -> (bool, Option<Instant>) {
        let waits = Waits {
            for_transport: self.account.wants_transmit(link),
            for_input: self.account.wants_input(link),
            until: self.account.poll_link_timeout(link).map(|(at, _)| at),
        };
        if let Some(task) = self.links.get_mut(link.index()) {
            task.waits = waits;
            let known = known.take_if(|known| known.will_wake(waker));
            task.waker = Some(known.unwrap_or_else(|| waker.clone()));
        }
        (waits.for_input, waits.until)
    }
}
