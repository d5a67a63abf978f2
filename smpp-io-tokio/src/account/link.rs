//! One connection of an account: its addresses, its transport, its octets.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use smpp_core::account::{ConnectFailure, LinkId, LinkState};
use smpp_core::session::Instant;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio::time::{self, Sleep};

use super::driver::Shared;
use crate::connect::{handshake, tcp};
use crate::error::TlsError;
use crate::pump::{self, Moved, Pump};

/// How long the transport may take to say good-bye.
const LINGER: Duration = Duration::from_secs(2);

/// Asks for the addresses of the host.
pub(super) async fn resolve(shared: &Arc<Shared>, link: LinkId, gives_up: oneshot::Receiver<()>) {
    let resolving = (shared.connector.resolver)(&shared.connector.endpoint);
    let limit = shared.connector.options.connect_timeout;
    let Some(found) = unless(gives_up, time::timeout(limit, resolving)).await else {
        return shared.with(|inner, now| inner.account.handle_closed(now, link));
    };
    let found = found.unwrap_or_else(|elapsed| Err(elapsed.into()));
    shared.with(|inner, now| {
        let host = &shared.connector.endpoint.host;
        match &found {
            Ok(addresses) if addresses.is_empty() => inner.failure = Some(format!("{host} has no address")),
            Ok(_) => {}
            Err(error) => inner.failure = Some(format!("cannot resolve {host}: {error}")),
        }
        inner.account.handle_resolved(now, link, &found.unwrap_or_default());
    });
}

/// Connects, and carries octets until the session is over.
pub(super) async fn connect(
    shared: &Arc<Shared>,
    link: LinkId,
    address: SocketAddr,
    gives_up: oneshot::Receiver<()>,
) {
    let limit = shared.connector.options.connect_timeout;
    match unless(gives_up, time::timeout(limit, dial(shared, address))).await {
        None => {}
        Some(Ok(Ok(Transport::Tcp(stream)))) => carry(shared, link, stream).await,
        Some(Ok(Ok(Transport::Tls(stream)))) => carry(shared, link, stream).await,
        Some(Ok(Err((failure, error)))) => {
            return failed(shared, link, failure, format!("{address}: {error}"));
        }
        Some(Err(_)) => {
            let error = format!("{address}: no connection within {limit:?}");
            return failed(shared, link, ConnectFailure::Network, error);
        }
    }
    shared.with(|inner, now| inner.account.handle_closed(now, link));
}

/// The work of a connection. If it panics, in the resolver perhaps or in an observer, the connection has failed.
pub(super) async fn unless_it_panics(shared: &Shared, link: LinkId, work: impl Future<Output = ()>) {
    {
        let mut work = pin!(work);
        let survives = std::future::poll_fn(|cx| {
            let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx)));
            polled.map_or(Poll::Ready(false), |polled| polled.map(|()| true))
        });
        if survives.await {
            return;
        }
    }
    // Its transport is gone by now.
    shared.with(|inner, now| {
        inner.failure = Some("a hook of the application has panicked".into());
        let (account, failure) = (&mut inner.account, ConnectFailure::Network);
        let state = account.links().nth(link.index());
        match state {
            Some((_, LinkState::Resolving)) => account.handle_resolved(now, link, &[]),
            Some((_, LinkState::Connecting(_))) => account.handle_connect_failed(now, link, failure),
            _ => account.handle_closed(now, link),
        }
    });
}

/// The work done, or given up.
async fn unless<T>(mut gives_up: oneshot::Receiver<()>, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    std::future::poll_fn(|cx| match Pin::new(&mut gives_up).poll(cx) {
        Poll::Ready(_) => Poll::Ready(None),
        Poll::Pending => work.as_mut().poll(cx).map(Some),
    })
    .await
}

fn failed(shared: &Shared, link: LinkId, failure: ConnectFailure, error: String) {
    shared.with(|inner, now| {
        inner.failure = Some(error);
        inner.account.handle_connect_failed(now, link, failure);
    });
}

enum Transport {
    Tcp(tokio::net::TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<tokio::net::TcpStream>>),
}

async fn dial(shared: &Shared, address: SocketAddr) -> Result<Transport, (ConnectFailure, TlsError)> {
    let connector = &shared.connector;
    let stream = tcp(address).await.map_err(|error| (ConnectFailure::Network, TlsError::Io(error)))?;
    if !connector.endpoint.tls {
        return Ok(Transport::Tcp(stream));
    }
    match handshake(&connector.endpoint.host, connector.tls.as_ref(), stream).await {
        Ok(stream) => Ok(Transport::Tls(Box::new(stream))),
        Err(error) => {
            let untrusted =
                matches!(error, TlsError::Certificate(_) | TlsError::ServerName | TlsError::NoRoots);
            Err((if untrusted { ConnectFailure::Untrusted } else { ConnectFailure::Network }, error))
        }
    }
}

/// Carries octets until the session is over, then takes leave.
async fn carry(shared: &Arc<Shared>, link: LinkId, io: impl AsyncRead + AsyncWrite + Unpin) {
    let observer = shared.connector.observer.as_ref().map(|observer| observer(link));
    let mut carrier = Carrier {
        shared,
        link,
        pump: Pump::new(io),
        wants_input: true,
        timer: Box::pin(time::sleep_until(shared.clock(Instant::ZERO))),
    };
    if shared.with(|inner, now| inner.account.handle_connected(now, link, observer)) {
        std::future::poll_fn(|cx| carrier.poll(cx)).await;
    }
    // The session is over whether or not the transport takes its leave.
    let shutdown = std::future::poll_fn(|cx| carrier.pump.poll_shutdown(cx));
    let _ = time::timeout(LINGER, shutdown).await;
}

/// Carries octets between one transport and its session in the account.
struct Carrier<'a, S> {
    shared: &'a Shared,
    link: LinkId,
    pump: Pump<S>,
    wants_input: bool,
    timer: Pin<Box<Sleep>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Carrier<'_, S> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut memory = pump::scratch();
        let mut scratch = ReadBuf::uninit(&mut memory);
        loop {
            let moved = self.pump.poll(cx, self.wants_input, &mut scratch);
            let went = moved.any();
            let Some((took, deadline)) = self.turn(cx, &moved, &scratch) else { return Poll::Ready(()) };
            let elapsed = self.poll_timer(cx, deadline).is_ready();
            if elapsed {
                // A bind that has been busy may be quiet by now.
                self.pump.shrink();
            } else if !went && !took {
                return Poll::Pending;
            }
        }
    }

    /// The session's turn: what was sent, what was read, what time it is; then what to write next and when to wake.
    /// `None` once it has ended.
    fn turn(
        &mut self,
        cx: &mut Context<'_>,
        moved: &Moved,
        scratch: &ReadBuf<'_>,
    ) -> Option<(bool, Option<Instant>)> {
        let Self { shared, link, pump, .. } = self;
        let link = *link;
        let (goes_on, took, wants_input, deadline) = shared.with_link(link, |inner, now| {
            let account = &mut inner.account;
            account.handle_transmitted(now, link, moved.sent);
            let input = pump.input(scratch);
            let mut rest = input;
            account.handle_input(now, link, &mut rest);
            let consumed = input.len() - rest.len();
            pump.consume(consumed, scratch);
            if let Some(error) = &moved.failure {
                inner.failure = Some(error.to_string());
            }
            if moved.eof || moved.failure.is_some() {
                account.handle_eof(now, link);
            }
            // What has come is read before silence is counted, however long the runtime was busy; but a peer that
            // never pauses does not stop the clock.
            if pump.is_caught_up() {
                account.handle_link_timeout(now, link);
            }
            let took = pump.refill(|output| account.poll_transmit(link, output));
            inner.rest(link, cx.waker());
            let account = &inner.account;
            let is_open = |(_, state)| matches!(state, LinkState::Open(..));
            let goes_on = account.links().nth(link.index()).is_some_and(is_open);
            (goes_on, took, account.wants_input(link), account.poll_link_timeout(link).map(|(at, _)| at))
        });
        self.wants_input = wants_input;
        goes_on.then_some((took, deadline))
    }

    /// Ready once the deadline has passed.
    fn poll_timer(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        let deadline = self.shared.clock(deadline);
        if self.timer.deadline() != deadline {
            self.timer.as_mut().reset(deadline);
        }
        ready!(self.timer.as_mut().poll(cx));
        Poll::Ready(())
    }
}
