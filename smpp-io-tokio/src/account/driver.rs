//! The task of an account: performs its actions and its timeouts.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use smpp_proto::account::{Action, ConnectFailure};
use tokio::sync::oneshot;
use tokio::time;

use super::link::{self, Attempt};
use super::shared::Shared;

/// The most calls that end an account whose driver is dropped. Each ends hundreds of messages.
const MAX_CALLS: usize = 1 << 20;

const NO_ENDPOINT: &str = "the options name no endpoint for it";

/// Performs the actions of the account until it has ended.
pub(super) struct Driver(pub(super) Arc<Shared>);

impl Driver {
    pub(super) async fn run(self) {
        let shared = &self.0;
        loop {
            let (actions, deadline, is_over) = {
                let mut inner = shared.lock();
                inner.driver_deadline = inner.account.poll_timeout();
                (std::mem::take(&mut inner.actions), inner.driver_deadline, inner.router.is_over())
            };
            for action in actions {
                self.perform(action);
            }
            if is_over {
                return;
            }
            let wakeup = shared.driver_wakeup.notified();
            let Some(at) = deadline else {
                wakeup.await;
                continue;
            };
            if time::timeout_at(shared.clock.to_tokio(at), wakeup).await.is_err() {
                shared.with_now(|inner, now| inner.account.handle_timeout(now));
            }
        }
    }

    fn perform(&self, action: Action) {
        let (Action::Resolve { link } | Action::Connect { link, .. } | Action::Close { link }) = action;
        let (cancel, cancelled) = oneshot::channel();
        let attempt = {
            let mut inner = self.0.lock();
            let attempt = inner.account.endpoint(link).map(|endpoint| Attempt {
                link,
                endpoint: endpoint.clone(),
                timeout: inner.account.options().connect_timeout,
            });
            let Some(task) = inner.links.get_mut(link.index()) else { return };
            // Cancels the previous task of the connection, if it still runs.
            task.cancel = Some(cancel);
            attempt
        };
        let Some(attempt) = attempt else {
            // A change of the binds has taken the endpoint.
            return self.0.with_now(|inner, now| {
                inner.last_error = None;
                // Each call does nothing unless the connection is in that state.
                inner.account.handle_resolved(now, link, Err(NO_ENDPOINT));
                inner.account.handle_connect_failed(now, link, ConnectFailure::Network, NO_ENDPOINT);
            });
        };
        let shared = Arc::clone(&self.0);
        match action {
            Action::Resolve { .. } => drop(tokio::spawn(async move {
                link::catch_panic(&shared, link, link::resolve(&shared, &attempt, cancelled)).await;
            })),
            Action::Connect { address, .. } => drop(tokio::spawn(async move {
                link::catch_panic(&shared, link, link::connect(&shared, &attempt, address, cancelled)).await;
            })),
            Action::Close { .. } => {}
        }
    }
}

/// A driver that is dropped early, for example with its runtime, ends the account: no caller waits forever.
impl Drop for Driver {
    fn drop(&mut self) {
        let shared = &self.0;
        let now = shared.clock.now();
        let mut inner = shared.lock();
        // All connections are closed: segments in flight are reported as unanswered, queued ones as never sent. An account
        // that has ended stays as it is.
        inner.account.shutdown(now, Duration::ZERO);
        let links: Vec<_> = inner.account.links().map(|(link, _)| link).collect();
        // Each call handles a part of what is outstanding.
        for _ in 0..MAX_CALLS {
            for link in &links {
                inner.account.handle_closed(now, *link);
            }
            inner.dispatch(now);
            if inner.router.is_over() || inner.account.poll_timeout().is_none_or(|at| at > now) {
                break;
            }
            inner.account.handle_timeout(now);
        }
        inner.router.close();
        inner.forget_turns();
        // Connection tasks that still run end when they are woken.
        let tasks = std::mem::take(&mut inner.links);
        let submissions = inner.take_submissions();
        drop(inner);
        shared.notify(true);
        tasks.into_iter().filter_map(|task| task.waker).chain(submissions).for_each(Waker::wake);
        shared.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Wake};

    use smpp_proto::SubmitSm;
    use smpp_proto::account::{Credentials, Expected, Message, Options, SendError};
    use smpp_proto::provider::Provider;

    use super::*;
    use crate::account::arrivals::Arrivals;
    use crate::account::handle::Account;
    use crate::account::settings::Settings;
    use crate::account::shared::Inner;
    use crate::account::ticket::Ticket;
    use crate::tls::ClientTls;
    use crate::wait::WakeList;

    fn shared() -> Arc<Shared> {
        Shared::new(settings()).unwrap()
    }

    fn settings() -> Settings {
        let credentials = Credentials::new("shop", "s3cret");
        let options = Options::new(credentials, &Provider::UNSTATED)
            .queue_capacity(1)
            .endpoints(vec!["smpp://localhost".parse().unwrap()]);
        Settings {
            options,
            tls: ClientTls::default(),
            dialer: None,
            arrivals_capacity: 1_000,
            expected: Vec::new(),
            events_capacity: 1_024,
            resolver: Box::new(|_| Box::pin(async { Ok(Vec::new()) })),
            observer: None,
        }
    }

    fn submit(shared: &Arc<Shared>) -> Ticket {
        let message = Message::text(&SubmitSm::default(), "Hello");
        Ticket::new(
            shared.with(|inner, now| inner.submit(now, &message, &mut None)).unwrap(),
            &message,
            shared,
        )
    }

    fn poll<T>(future: Pin<&mut impl Future<Output = T>>, waker: &Waker) -> Poll<T> {
        future.poll(&mut Context::from_waker(waker))
    }

    /// A waker that tries to lock the account when it is woken and when it is dropped.
    struct LockingWaker {
        shared: Arc<Shared>,
        locked: Arc<AtomicUsize>,
    }

    impl LockingWaker {
        fn lock(&self) {
            let is_unlocked = self.shared.try_lock();
            self.locked.fetch_add(usize::from(is_unlocked), Ordering::Relaxed);
        }
    }

    impl Wake for LockingWaker {
        fn wake(self: Arc<Self>) {
            self.lock();
        }
    }

    impl Drop for LockingWaker {
        fn drop(&mut self) {
            self.lock();
        }
    }

    #[test]
    fn wakers_are_woken_and_dropped_without_the_lock() {
        let shared = shared();
        let locked = Arc::new(AtomicUsize::new(0));
        let waker = || {
            let (shared, locked) = (Arc::clone(&shared), Arc::clone(&locked));
            Waker::from(Arc::new(LockingWaker { shared, locked }))
        };
        let mut outcome = pin!(submit(&shared).outcome());
        let mut arrivals = Arrivals::new(Account::new(Arc::clone(&shared)));
        let mut arrival = pin!(arrivals.recv());
        let account = Account::new(Arc::clone(&shared));
        let message = Message::text(&SubmitSm::default(), "Hello");
        let (mut capacity, mut closed) = (pin!(account.submit(&message)), pin!(account.closed()));
        let mut events = account.events();
        let mut event = pin!(events.recv());
        assert!(poll(capacity.as_mut(), &waker()).is_pending());
        assert!(poll(closed.as_mut(), &waker()).is_pending());
        // The second waker replaces the first one.
        for _ in 0..2 {
            assert!(poll(outcome.as_mut(), &waker()).is_pending());
            assert!(poll(arrival.as_mut(), &waker()).is_pending());
            assert!(poll(event.as_mut(), &waker()).is_pending());
        }
        assert_eq!(locked.load(Ordering::Relaxed), 3, "the three replaced wakers are dropped");
        drop(Driver(Arc::clone(&shared)));
        assert_eq!(locked.load(Ordering::Relaxed), 13, "the five others are woken and dropped");
        assert!(poll(outcome.as_mut(), Waker::noop()).is_ready());
        assert!(poll(arrival.as_mut(), Waker::noop()).is_ready());
        assert!(poll(event.as_mut(), Waker::noop()).is_ready());
        assert!(poll(capacity.as_mut(), Waker::noop()).is_ready());
        assert!(poll(closed.as_mut(), Waker::noop()).is_ready());
    }

    #[test]
    fn two_accounts_of_one_process_have_different_seeds_unless_they_are_given() {
        let seed = |shared: Arc<Shared>| shared.lock().account.options().seed;
        let seeds = [seed(shared()), seed(shared())];
        assert!(seeds[0].is_some() && seeds[0] != seeds[1], "{seeds:?}");
        let given = || {
            let settings = settings();
            let options = settings.options.seed(7);
            Shared::new(Settings { options, ..settings }).unwrap()
        };
        assert_eq!([seed(given()), seed(given())], [Some(7); 2]);
    }

    #[test]
    fn dropping_the_driver_ends_the_account_before_its_deadline() {
        let shared = shared();
        let ticket = submit(&shared);
        shared.with(|inner, now| inner.account.shutdown(now, Duration::from_secs(60)));
        let account = Account::new(Arc::clone(&shared));
        let mut closed = pin!(account.closed());
        assert!(poll(closed.as_mut(), Waker::noop()).is_pending());
        drop(Driver(shared));
        assert!(poll(closed.as_mut(), Waker::noop()).is_ready());
        assert_eq!(account.shared().lock().router.take_unresolved().len(), 1);
        let outcome = poll(pin!(ticket.outcome()), Waker::noop());
        assert!(matches!(outcome, Poll::Ready(Err(SendError::Failed { .. }))));
    }

    #[test]
    fn dropping_the_driver_ends_the_account_whatever_is_outstanding() {
        const MESSAGES: usize = 2_000;
        let options = settings().options.queue_capacity(MESSAGES);
        let expected = (0..MESSAGES).map(|id| Expected::new(1).id(0, id.to_string().as_bytes()));
        let expected = expected.collect();
        let shared = Shared::new(Settings { options, expected, ..settings() }).unwrap();
        let tickets: Vec<_> = (0..MESSAGES).map(|_| submit(&shared)).collect();
        let account = Account::new(Arc::clone(&shared));
        let mut closed = pin!(account.closed());
        assert!(poll(closed.as_mut(), Waker::noop()).is_pending());
        drop(Driver(shared));
        assert!(poll(closed.as_mut(), Waker::noop()).is_ready());
        for ticket in tickets {
            let outcome = poll(pin!(ticket.outcome()), Waker::noop());
            assert!(matches!(outcome, Poll::Ready(Err(SendError::Failed { .. }))));
        }
        assert_eq!(account.shared().lock().router.take_unresolved().len(), 2 * MESSAGES);
    }

    #[test]
    fn a_connection_that_waits_for_its_transport_is_not_woken_by_the_account() {
        let shared = shared();
        let link = shared.lock().account.links().next().unwrap().0;
        let now = shared.clock.now();
        shared.with(|inner, _| {
            inner.account.handle_resolved(now, link, Ok(&[([192, 0, 2, 1], 2775).into()]));
            assert!(inner.account.handle_connected(now, link, None));
        });
        let busy = |inner: &mut Inner| {
            let mut wake = WakeList::default();
            inner.schedule_links(&mut wake);
            wake.wake_all()
        };
        let mut inner = shared.lock();
        // The transport accepts nothing: the bind stays in the output.
        inner.end_turn(link, Waker::noop(), &mut None);
        assert_eq!((inner.account.wants_transmit(link), busy(&mut inner)), (true, false));
        // The transport accepts everything.
        assert!(inner.account.poll_transmit(link, &mut Vec::new()));
        inner.end_turn(link, Waker::noop(), &mut None);
        assert!(!busy(&mut inner));
        inner.account.shutdown(now, Duration::from_secs(1));
        inner.account.handle_disconnect(now, link);
        assert!(busy(&mut inner), "the connection is to be closed");
    }
}
