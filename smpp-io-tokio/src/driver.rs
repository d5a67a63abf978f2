//! The driver of one connection: carries octets between a transport and its session.
//!
//! The driver is one future. Each turn of its loop writes and reads without the lock, then takes the lock once and lets
//! the session process everything. Output that is queued during a write leaves with the next write: batching needs no
//! timer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use smpp_proto::session::{Instant, Role};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time;

use crate::clock::Timer;
use crate::pump::{self, Progress, Pump};
use crate::shared::Shared;
use crate::wait::WakeList;

/// How long the driver waits for the transport to close, for example for the close_notify of TLS to leave.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Runs a session until it has ended, then closes the transport.
pub(crate) struct Driver<R: Role, S> {
    shared: Arc<Shared<R>>,
    pump: Pump<S>,
    wants_input: bool,
    timer: Timer,
    /// Empty between two turns.
    wake: WakeList,
    /// The session has ended, and the transport is being closed.
    closing: bool,
}

/// A driver that is dropped early, for example with its runtime, ends the session: no caller waits forever.
impl<R: Role, S> Drop for Driver<R, S> {
    fn drop(&mut self) {
        // After a panic in a turn, it holds the tasks whose requests have ended.
        let mut wake = std::mem::take(&mut self.wake);
        let shared = &self.shared;
        let mut core = shared.lock();
        // Does nothing if the session has ended.
        core.session.abort();
        let now = shared.clock.now();
        while core.dispatch(&mut wake, |session| session.handle_timeout(now)) {}
        drop(core);
        wake.wake_all();
        shared.ended.notify_waiters();
    }
}

/// Written by hand, because it is most of the memory of an idle session: an `async fn` would store its arguments twice,
/// and a timer for the end from the start.
impl<R: Role, S: AsyncRead + AsyncWrite + Unpin> Future for Driver<R, S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if !this.closing {
            ready!(this.poll_session(cx));
            this.shared.ended.notify_waiters();
            this.timer.reset(time::Instant::now() + SHUTDOWN_TIMEOUT);
            this.closing = true;
        }
        // The result does not matter: the session has ended already.
        match this.pump.poll_shutdown(cx) {
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => this.timer.poll_elapsed(cx),
        }
    }
}

impl<R: Role, S: AsyncRead + AsyncWrite + Unpin> Driver<R, S> {
    pub(crate) fn new(shared: Arc<Shared<R>>, io: S) -> Self {
        let timer = Timer::new(shared.clock);
        Self {
            shared,
            pump: Pump::new(io),
            wants_input: true,
            timer,
            wake: WakeList::default(),
            closing: false,
        }
    }

    /// Returns how many octets are read and not processed, or not written.
    pub(crate) fn held(&self) -> usize {
        self.pump.held()
    }

    /// Ready once the session has ended.
    fn poll_session(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut memory = pump::scratch();
        let mut scratch = ReadBuf::uninit(&mut memory);
        loop {
            let wanted_input = self.wants_input;
            let progress = self.pump.poll(cx, wanted_input, &mut scratch);
            let read = progress.read > 0;
            let turn = self.turn(cx, progress, &scratch);
            let has_woken = self.wake.wake_all();
            let Some((refilled, deadline)) = turn else { return Poll::Ready(()) };
            let deadline = deadline.map(|at| self.shared.clock.to_tokio(at));
            let elapsed = deadline.is_some_and(|at| self.timer.poll(cx, at).is_ready());
            if self.timer.take_fired() {
                // A session that was busy may be quiet by now.
                self.pump.shrink();
                self.wake = WakeList::default();
                let inbox = self.shared.lock().shrink();
                inbox.into_iter().for_each(Waker::wake);
            }
            if read && has_woken {
                // The woken tasks run first. They empty the inbox before more input fills it, and what they send leaves in
                // the next write.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !read && !refilled && !elapsed && wanted_input >= self.wants_input {
                return Poll::Pending;
            }
        }
    }

    /// Lets the session process what was sent and read and the current time. Returns whether there is new output, and the
    /// next deadline; `None` if the session has ended.
    fn turn(
        &mut self,
        cx: &mut Context<'_>,
        progress: Progress,
        scratch: &ReadBuf<'_>,
    ) -> Option<(bool, Option<Instant>)> {
        let wake = &mut self.wake;
        let now = self.shared.clock.now();
        let mut core = self.shared.lock();
        let core = &mut *core;
        core.session.handle_transmitted(progress.sent);
        let input = self.pump.input(scratch);
        let mut rest = input;
        while core.queue_submit_sm(now, &mut rest, wake)
            || core.dispatch(wake, |session| session.handle_input(now, &mut rest))
        {}
        let consumed = input.len() - rest.len();
        self.pump.consume(consumed, scratch);
        if let Some(error) = progress.error {
            core.transport_error = Some(Arc::new(error));
            core.session.handle_disconnect();
        } else if self.pump.is_at_end() && core.session.wants_input() {
            // The session has read all that the peer sent before it closed its side.
            core.session.handle_eof();
        }
        // Timeouts are checked after the input that has arrived is processed, so that a busy runtime does not look like a
        // silent peer. A peer that sends without a pause does not stop the clock: see `is_caught_up`.
        if self.pump.is_caught_up() {
            while core.dispatch(wake, |session| session.handle_timeout(now)) {}
        }
        if let Some(server) = &mut core.server
            && server.is_bound
            && !core.session.state().is_bound()
        {
            server.is_bound = false;
            if let Some(hook) = server.hook.upgrade() {
                hook.unbinding();
            }
        }
        if core.end.is_some() {
            return None;
        }
        // Wakes as many waiting requests as there is capacity for, so that they leave in one write.
        core.reserve(now, wake);
        let refilled = self.pump.refill(|output| core.session.poll_transmit(output));
        self.wants_input = core.session.wants_input();
        if !core.driver_waker.as_ref().is_some_and(|driver| driver.will_wake(cx.waker())) {
            core.driver_waker = Some(cx.waker().clone());
        }
        let deadline = core.session.poll_timeout().map(|(at, _)| at);
        Some((refilled, [deadline, core.rate_limited_until].into_iter().flatten().min()))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::Ordering;

    use smpp_proto::session::{Config, Esme};

    use crate::start::open_connected;
    use crate::wait::tests::Counting;

    use super::*;

    #[tokio::test]
    async fn a_driver_that_moves_to_another_task_is_woken_there() {
        let (near, _far) = tokio::io::duplex(64);
        let (handle, _inbox, driver) =
            open_connected::<Esme, _>(near, ([192, 0, 2, 1], 2775).into(), Config::default());
        let mut driver = pin!(driver);
        let tasks = [(), ()].map(|()| Arc::new(Counting::default()));
        for task in &tasks {
            let waker = Arc::clone(task).into();
            assert!(driver.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        handle.shared.with(|core, now| core.session.unbind(now));
        assert_eq!(tasks.map(|task| task.0.load(Ordering::SeqCst)), [0, 1]);
    }
}
