//! The task of one connection of an account: resolves, connects, and carries octets.

use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use smpp_common::LastFailure;
use smpp_proto::Endpoint;
use smpp_proto::account::{ConnectFailure, LinkId, LinkState};
use smpp_proto::session;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time;

use super::settings::{Settings, connect_error};
use super::shared::{Inner, Shared};
use crate::clock::{Timer, after};
use crate::dial::{BoxedTransport, handshake, in_time, tcp, tls_config};
use crate::error::ConnectErrorKind;
use crate::pump::{self, Progress, Pump};
use crate::wait::WakeList;

/// How long the task waits for the transport to close, for example for the close_notify of TLS to leave.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

const PANICKED: &str = "a resolver or observer of the application has panicked";

/// An attempt to connect.
pub(super) struct Attempt {
    pub(super) link: LinkId,
    pub(super) endpoint: Endpoint,
    pub(super) timeout: Duration,
}

/// Resolves the addresses of the host.
pub(super) async fn resolve(shared: &Arc<Shared>, attempt: &Attempt, cancelled: oneshot::Receiver<()>) {
    let Attempt { link, endpoint, timeout } = attempt;
    let (link, resolving) = (*link, (shared.settings.resolver)(endpoint));
    let Some(resolved) = unless_cancelled(cancelled, time::timeout(*timeout, resolving)).await else {
        return shared.with_now(|inner, now| inner.account.handle_closed(now, link));
    };
    let resolved = resolved.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let resolved = match resolved {
        Ok(addresses) if addresses.is_empty() => Err(ConnectErrorKind::no_address()),
        resolved => resolved.map_err(ConnectErrorKind::Resolve),
    };
    report(shared, link, |inner, now| match resolved {
        Ok(addresses) => inner.account.handle_resolved(now, link, Ok(&addresses)),
        Err(failure) => {
            let detail = failure.detail();
            inner.last_error = Some(connect_error(endpoint, failure));
            inner.account.handle_resolved(now, link, Err(&detail));
        }
    });
}

/// Passes the result of an attempt to the account. If the account has given the attempt up meanwhile, it waits for the end of this
/// task instead.
fn report(shared: &Shared, link: LinkId, result: impl FnOnce(&mut Inner, session::Instant)) {
    shared.with_now(|inner, now| {
        if inner.account.link_state(link) == Some(LinkState::Closing) {
            inner.account.handle_closed(now, link);
        } else {
            result(inner, now);
        }
    });
}

/// Connects, and carries octets until the session has ended.
pub(super) async fn connect(
    shared: &Arc<Shared>,
    attempt: &Attempt,
    address: SocketAddr,
    cancelled: oneshot::Receiver<()>,
) {
    let link = attempt.link;
    match unless_cancelled(cancelled, dial(&shared.settings, attempt, address)).await {
        None => {}
        Some(Ok(Transport::Tcp(stream))) => run_session(shared, link, stream).await,
        Some(Ok(Transport::Other(stream))) => run_session(shared, link, stream).await,
        Some(Err(kind)) => {
            let (failure, detail) = (kind.failure(), kind.detail());
            let error = connect_error(&attempt.endpoint, kind);
            return report(shared, link, |inner, now| {
                inner.last_error = Some(error);
                inner.account.handle_connect_failed(now, link, failure, &detail);
            });
        }
    }
    shared.with_now(|inner, now| inner.account.handle_closed(now, link));
}

/// Runs the task of a connection. If it panics, for example in the resolver or an observer, the connection has failed.
pub(super) async fn catch_panic(shared: &Shared, link: LinkId, task: impl Future<Output = ()>) {
    {
        let mut task = pin!(task);
        let completed = std::future::poll_fn(|cx| {
            let polled = catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(cx)));
            polled.map_or(Poll::Ready(false), |polled| polled.map(|()| true))
        });
        if completed.await {
            return;
        }
    }
    // The task has dropped its transport.
    let unused = shared.lock().begin_turn(link);
    drop(unused);
    shared.with_now(|inner, now| {
        inner.last_error = Some(LastFailure::Transport(Arc::new(io::Error::other(PANICKED))));
        let (account, failure) = (&mut inner.account, ConnectFailure::Network);
        match account.link_state(link) {
            Some(LinkState::Resolving) => account.handle_resolved(now, link, Err(PANICKED)),
            Some(LinkState::Connecting(_)) => {
                account.handle_connect_failed(now, link, failure, PANICKED);
            }
            _ => account.handle_closed(now, link),
        }
    });
}

/// Runs `work` until it completes; returns `None` if it is cancelled first.
async fn unless_cancelled<T>(
    mut cancelled: oneshot::Receiver<()>,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = pin!(work);
    std::future::poll_fn(|cx| match Pin::new(&mut cancelled).poll(cx) {
        Poll::Ready(_) => Poll::Ready(None),
        Poll::Pending => work.as_mut().poll(cx).map(Some),
    })
    .await
}

enum Transport {
    Tcp(TcpStream),
    Other(BoxedTransport),
}

/// Opens the transport to an address, TLS included, within the timeout of a connection.
async fn dial(
    settings: &Settings,
    attempt: &Attempt,
    address: SocketAddr,
) -> Result<Transport, ConnectErrorKind> {
    let Attempt { endpoint, timeout, .. } = attempt;
    let deadline = after(*timeout);
    // Before connecting, so that the error about a missing authority does not depend on the network.
    let config = if endpoint.tls {
        Some(tls_config(&settings.tls).await.map_err(ConnectErrorKind::Tls)?)
    } else {
        None
    };
    let stream = match &settings.dialer {
        Some(dialer) => in_time(deadline, dialer.dial(endpoint, address)).await.map(Transport::Other),
        None => in_time(deadline, tcp(address)).await.map(Transport::Tcp),
    };
    let stream = stream.map_err(|error| ConnectErrorKind::Connect(vec![(address, error)]))?;
    let Some(config) = config else { return Ok(stream) };
    let host = &endpoint.host;
    let secured: Result<BoxedTransport, _> = match stream {
        Transport::Tcp(stream) => {
            handshake(config, host, stream, deadline).await.map(|tls| Box::new(tls) as _)
        }
        Transport::Other(stream) => {
            handshake(config, host, stream, deadline).await.map(|tls| Box::new(tls) as _)
        }
    };
    secured.map(Transport::Other).map_err(|error| ConnectErrorKind::Handshake(address, error))
}

/// Carries octets until the session has ended, then closes the transport.
async fn run_session(shared: &Arc<Shared>, link: LinkId, io: impl AsyncRead + AsyncWrite + Unpin) {
    let observer = shared.settings.observer.as_ref().map(|observer| observer(link));
    let mut driver = LinkDriver {
        shared,
        link,
        pump: Pump::new(io),
        wants_input: true,
        timer: Timer::new(shared.clock),
        wake: WakeList::default(),
        has_yielded: false,
    };
    if shared.with_now(|inner, now| inner.account.handle_connected(now, link, observer)) {
        std::future::poll_fn(|cx| driver.poll(cx)).await;
    }
    // The result does not matter: the session has ended already.
    let shutdown = std::future::poll_fn(|cx| driver.pump.poll_shutdown(cx));
    let _ = time::timeout(SHUTDOWN_TIMEOUT, shutdown).await;
}

/// Carries octets between one transport and its session in the account.
struct LinkDriver<'a, S> {
    shared: &'a Shared,
    link: LinkId,
    pump: Pump<S>,
    wants_input: bool,
    timer: Timer,
    /// Empty between two turns.
    wake: WakeList,
    /// The task has let the tasks run that it has woken. What they have sent is in the output of the session.
    has_yielded: bool,
}

/// How a turn has ended.
enum Turn {
    /// The task may wait. `refilled`: there is new output. `deadline`: when it has to act at the latest.
    Done { refilled: bool, deadline: Option<session::Instant> },
    /// The tasks that were woken run first, then this one again.
    Yield,
    /// The session has ended.
    Ended,
}

impl<S: AsyncRead + AsyncWrite + Unpin> LinkDriver<'_, S> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut memory = pump::scratch();
        let mut scratch = ReadBuf::uninit(&mut memory);
        if std::mem::take(&mut self.has_yielded) {
            let Self { shared, link, pump, .. } = self;
            // What the woken tasks have sent leaves in one write.
            let now = shared.clock.now();
            let mut inner = shared.lock();
            inner.send_queued(now);
            pump.refill(|output| inner.account.poll_transmit(*link, output));
        }
        loop {
            let wanted_input = self.wants_input;
            let progress = self.pump.poll(cx, wanted_input, &mut scratch);
            let read = progress.read > 0;
            let (refilled, deadline) = match self.turn(cx, progress, &scratch) {
                Turn::Done { refilled, deadline } => (refilled, deadline),
                Turn::Yield => {
                    self.has_yielded = true;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Turn::Ended => return Poll::Ready(()),
            };
            let deadline = deadline.map(|at| self.shared.clock.to_tokio(at));
            let elapsed = deadline.is_some_and(|at| self.timer.poll(cx, at).is_ready());
            if self.timer.take_fired() {
                // A bind that was busy may be quiet by now.
                self.pump.shrink();
                self.wake = WakeList::default();
                let mut inner = self.shared.lock();
                inner.account.shrink(self.link);
                inner.router.shrink();
            }
            if !read && !refilled && !elapsed && wanted_input >= self.wants_input {
                return Poll::Pending;
            }
        }
    }

    /// Lets the session process what was sent and read and the current time, and wakes the tasks that have something to do.
    fn turn(&mut self, cx: &mut Context<'_>, progress: Progress, scratch: &ReadBuf<'_>) -> Turn {
        let Self { shared, link, pump, wake, .. } = self;
        let link = *link;
        let has_read = progress.read > 0;
        let now = shared.clock.now();
        let mut locked = shared.lock();
        let inner = &mut *locked;
        let mut known = inner.begin_turn(link);
        let now = inner.advance_clock(now);
        let account = &mut inner.account;
        account.handle_transmitted(now, link, progress.sent);
        let input = pump.input(scratch);
        let mut rest = input;
        inner.router.handle_input(now, account, link, &mut rest);
        let consumed = input.len() - rest.len();
        pump.consume(consumed, scratch);
        if let Some(error) = progress.error {
            let error = Arc::new(error);
            inner.last_error = Some(LastFailure::Transport(Arc::clone(&error)));
            inner.transport_error = Some(error);
            account.handle_disconnect(now, link);
        } else if pump.is_at_end() && account.wants_input(link) {
            // The session has read all that the SMSC sent before it closed its side.
            account.handle_eof(now, link);
        }
        // Timeouts are checked after the input that has arrived is processed, so that a busy runtime does not look like a
        // silent peer. A peer that sends without a pause does not stop the clock: see `is_caught_up`.
        if pump.is_caught_up() {
            account.handle_link_timeout(now, link);
        }
        // Acknowledges the receipts: their responses leave with the next write.
        let notices = inner.end_call(now, shared, wake, true);
        let is_running = matches!(inner.account.link_state(link), Some(LinkState::Open(..)));
        let turn = if !is_running {
            Turn::Ended
        } else if has_read && !wake.is_empty() {
            self.wants_input = inner.account.wants_input(link);
            inner.yield_turn(link);
            Turn::Yield
        } else {
            let refilled = pump.refill(|output| inner.account.poll_transmit(link, output));
            let (wants_input, deadline) = inner.end_turn(link, cx.waker(), &mut known);
            self.wants_input = wants_input;
            Turn::Done { refilled, deadline }
        };
        drop(locked);
        shared.announce(notices, wake);
        turn
    }
}
