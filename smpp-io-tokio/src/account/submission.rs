//! A message that waits for capacity in the account's queue.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use smpp_proto::account::Message;

use super::shared::{Shared, Submitted};

/// Submits a message once the queue has capacity for it, after the calls before it. It allocates nothing unless it has to
/// wait, and each poll takes the lock once.
pub(super) struct Submission<'a> {
    shared: &'a Shared,
    message: &'a Message,
    /// The ticket in the queue of those that wait, once it has had to wait.
    ticket: Option<u32>,
    /// The task waits for the outcome next.
    awaits_outcome: bool,
}

impl<'a> Submission<'a> {
    pub(super) const fn new(shared: &'a Shared, message: &'a Message) -> Self {
        Self { shared, message, ticket: None, awaits_outcome: false }
    }

    /// Also registers the task for the outcome, without another lock.
    pub(super) const fn awaiting_outcome(shared: &'a Shared, message: &'a Message) -> Self {
        Self { shared, message, ticket: None, awaits_outcome: true }
    }
}

impl Submission<'_> {
    #[cold]
    fn abandon(&self, ticket: u32) {
        let unused = self.shared.with(|inner, _| inner.abandon_submission(ticket));
        drop(unused);
    }
}

impl Future for Submission<'_> {
    /// The message, and whether the task is registered for its outcome.
    type Output = Submitted;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { shared, message, ticket, awaits_outcome } = self.get_mut();
        // The waker that is not needed is dropped after the lock is released.
        let (submitted, _unused) =
            shared.with(|inner, now| inner.submit_or_wait(now, message, ticket, cx.waker(), *awaits_outcome));
        submitted
    }
}

/// A message that is dropped while it waits leaves the queue. If it was woken, the next one is woken.
impl Drop for Submission<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.abandon(ticket);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use smpp_proto::SubmitSm;
    use smpp_proto::account::{Credentials, Options, SubmitError};
    use smpp_proto::provider::Provider;

    use super::*;
    use crate::account::connector::AccountConnector;
    use crate::account::ticket::Ticket;
    use crate::wait::tests::Counting;

    /// An account without a connection.
    fn shared(queue_capacity: usize) -> Arc<Shared> {
        let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::UNSTATED);
        let options = options.queue_capacity(queue_capacity);
        AccountConnector::new(&"smpp://localhost".parse().unwrap(), options).shared().unwrap()
    }

    fn submit(shared: &Arc<Shared>) -> Ticket {
        let message = short();
        Ticket::new(
            shared.with(|inner, now| inner.submit(now, &message, &mut None)).unwrap(),
            &message,
            shared,
        )
    }

    fn short() -> Message {
        Message::text(&SubmitSm::default(), "Hello")
    }

    /// Two segments.
    fn long() -> Message {
        Message::text(&SubmitSm::default(), "A text that is cut. ".repeat(10))
    }

    /// A submission with its task.
    struct Task<'a> {
        submission: Pin<Box<Submission<'a>>>,
        woken: Arc<Counting>,
    }

    impl<'a> Task<'a> {
        fn new(shared: &'a Shared, message: &'a Message) -> Self {
            let mut task =
                Self { submission: Box::pin(Submission::new(shared, message)), woken: Arc::default() };
            assert!(task.poll().is_pending());
            task
        }

        fn poll(&mut self) -> Poll<Submitted> {
            let waker = Arc::clone(&self.woken).into();
            self.submission.as_mut().poll(&mut Context::from_waker(&waker))
        }

        fn woken(&self) -> usize {
            self.woken.0.load(Ordering::SeqCst)
        }
    }

    #[test]
    fn messages_that_wait_are_queued_in_order_whatever_task_runs_first() {
        let shared = shared(2);
        let message = short();
        let (first, second) = (submit(&shared), submit(&shared));
        let mut waiting = [0; 3].map(|_| Task::new(&shared, &message));
        assert_eq!(waiting.each_ref().map(Task::woken), [0; 3]);
        shared.with(|inner, now| {
            inner.account.cancel(now, first.message());
            inner.account.cancel(now, second.message());
        });
        assert_eq!(waiting.each_ref().map(Task::woken), [1, 1, 0], "as many as have a place");
        assert!(waiting[1].poll().is_pending(), "the first goes first");
        let Poll::Ready(Ok((first, false))) = waiting[0].poll() else { panic!() };
        assert_eq!(waiting.each_ref().map(Task::woken), [1, 2, 0]);
        let Poll::Ready(Ok((second, false))) = waiting[1].poll() else { panic!() };
        assert!(second > first);
        assert!(waiting[2].poll().is_pending());
        let mut last = pin!(Submission::new(&shared, &message));
        shared.with(|inner, now| inner.account.cancel(now, first));
        // A call that comes later waits, although there is a place.
        assert!(last.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())).is_pending());
        assert!(waiting[2].poll().is_ready());
    }

    #[test]
    fn a_message_of_two_segments_is_not_woken_by_one_place() {
        let shared = shared(2);
        let (long, short) = (long(), short());
        let (first, second) = (submit(&shared), submit(&shared));
        let (mut head, next) = (Task::new(&shared, &long), Task::new(&shared, &short));
        shared.with(|inner, now| inner.account.cancel(now, first.message()));
        assert_eq!(head.woken(), 1);
        assert!(head.poll().is_pending());
        shared.with(|_, _| ());
        assert_eq!((head.woken(), next.woken()), (1, 0), "nothing has changed");
        shared.with(|inner, now| inner.account.cancel(now, second.message()));
        assert_eq!(head.woken(), 2);
        assert!(matches!(head.poll(), Poll::Ready(Ok(_))));
    }

    #[test]
    fn a_message_that_is_dropped_leaves_its_place_to_the_next() {
        let shared = shared(2);
        let (long, short) = (long(), short());
        let (first, _second) = (submit(&shared), submit(&shared));
        let mut waiting = [&long, &short, &short].map(|message| Task::new(&shared, message));
        shared.with(|inner, now| inner.account.cancel(now, first.message()));
        assert!(waiting[0].poll().is_pending());
        let [head, mut next, last] = waiting;
        drop(head);
        assert_eq!((next.woken(), last.woken()), (1, 0));
        assert!(matches!(next.poll(), Poll::Ready(Ok(_))));
    }

    #[test]
    fn a_message_that_ran_before_its_turn_fails_although_the_first_is_dropped() {
        let shared = shared(1);
        let message = short();
        let _first = submit(&shared);
        let [head, mut next] = [0; 2].map(|_| Task::new(&shared, &message));
        shared.with(|inner, now| inner.shutdown(now, Duration::from_secs(60)));
        assert!(next.poll().is_pending(), "it fails in its turn");
        drop(head);
        assert_eq!(next.woken(), 2);
        assert_eq!(next.poll(), Poll::Ready(Err(SubmitError::ShutDown)));
    }

    #[test]
    fn all_messages_that_wait_fail_when_the_account_is_shut_down() {
        let shared = shared(1);
        let message = short();
        let _first = submit(&shared);
        let mut waiting = [0; 3].map(|_| Task::new(&shared, &message));
        shared.with(|inner, now| inner.shutdown(now, Duration::from_secs(60)));
        assert_eq!(waiting.each_ref().map(Task::woken), [1; 3]);
        assert!(waiting[2].poll().is_pending(), "it fails in its turn");
        for task in &mut waiting {
            assert_eq!(task.poll(), Poll::Ready(Err(SubmitError::ShutDown)));
        }
        assert_eq!(waiting[2].woken(), 2);
    }
}
