//! The HTTP server of the page.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_DISPOSITION, HeaderValue, LOCATION, SET_COOKIE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::guard::{Access, Denied, Guard, Token};
use super::log::Log;
use super::observer::Captures;
use super::page::{self, file, text};
use super::transport::WriteTimeout;
use crate::failure::Failure;

/// Connections at once, and those of them that receive events.
const MAX_CONNECTIONS: usize = 64;
const MAX_EVENT_STREAMS: usize = 16;

/// Downloads of the capture at once: each takes the memory of the capture.
const MAX_DOWNLOADS: usize = 2;

/// Octets of a body that are passed on at once.
const CHUNK: usize = 64 * 1024;

/// Octets of the head of a request, and of its body.
const MAX_HEAD: usize = 16 * 1024;
const MAX_BODY: usize = 64 * 1024;

/// How long the head of a request may take, its body, and the answer of the SMSC.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// PDUs in one answer, and in one event.
const MAX_ENTRIES: usize = 500;

/// How often events are sent.
const EVENT_INTERVAL: Duration = Duration::from_millis(250);

/// Every so many events the state of the SMSC and the plots are sent, even if nothing has changed.
const STATE_EVERY: u32 = 4;

/// Requests that wait for the SMSC.
const MAX_CALLS: usize = 16;

/// How long to wait after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where the page is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageOptions<'a> {
    /// ADDRESS:PORT.
    pub(crate) listen: &'a str,
    /// Whether the address may be another than a loopback address. Then a token is required.
    pub(crate) remote: bool,
}

/// What the page asks the running SMSC.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Request {
    /// Accounts, binds and settings.
    State,
    /// Send a message from a phone.
    Message(Value),
    /// Change faults and receipts.
    Settings(Value),
    /// End all connections: `how` is reset, close or half-close.
    End(Value),
}

/// A request with the sender of its answer: a JSON document, or what is wrong.
pub(crate) type Call = (Request, oneshot::Sender<Result<Value, String>>);

/// A page that is listened for, and not served yet.
pub(crate) struct Page {
    listener: TcpListener,
    address: SocketAddr,
    shared: Shared,
    url: String,
}

struct Shared {
    guard: Guard,
    log: Arc<Log>,
    start: Instant,
    /// `None` for a capture.
    live: Option<Live>,
    event_streams: Arc<Semaphore>,
    downloads: Arc<Semaphore>,
}

struct Live {
    captures: Captures,
    calls: mpsc::Sender<Call>,
}

impl Page {
    /// Listens.
    pub(crate) async fn listen(
        options: PageOptions<'_>,
        log: Arc<Log>,
        start: Instant,
    ) -> Result<Self, Failure> {
        let listen = options.listen;
        let listener = TcpListener::bind(listen).await.map_err(|error| Failure::listen(listen, &error))?;
        let address = listener.local_addr().map_err(|error| Failure::listen(listen, &error))?;
        let token = if address.ip().is_loopback() {
            None
        } else if options.remote {
            Some(Token::random().map_err(Failure::other)?)
        } else {
            return Err(Failure::usage(
                format_args!("--web {listen}: the page would be open to other machines"),
                "Use a loopback address such as 127.0.0.1:8080 and an SSH tunnel, or allow it with --web-remote.",
            ));
        };
        let query = token.as_ref().map(|token| format!("?token={}", token.reveal())).unwrap_or_default();
        // No browser opens the unspecified address.
        let shown = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
            IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, address.port()).into(),
            _ => address,
        };
        let url = format!("http://{shown}/{query}");
        let guard = Guard::new(token, address.port());
        let (event_streams, downloads) = (Semaphore::new(MAX_EVENT_STREAMS), Semaphore::new(MAX_DOWNLOADS));
        let (event_streams, downloads) = (Arc::new(event_streams), Arc::new(downloads));
        let shared = Shared { guard, log, start, live: None, event_streams, downloads };
        Ok(Self { listener, address, shared, url })
    }

    /// Serves a running SMSC, which answers the calls.
    pub(crate) fn live(&mut self, captures: Captures) -> mpsc::Receiver<Call> {
        let (calls, receiver) = mpsc::channel(MAX_CALLS);
        self.shared.live = Some(Live { captures, calls });
        receiver
    }

    /// Returns the URL, with the token: print it once.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Returns the address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves the page. Never returns; dropping the future closes all connections.
    pub(crate) async fn serve(self) {
        let shared = Arc::new(self.shared);
        let mut connections = JoinSet::new();
        let mut unknown = Unknown::default();
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    while connections.try_join_next().is_some() {}
                    // Beyond the limit, one that has not shown its right to the page makes room, the oldest first: strangers
                    // do not shut out who has it. If there is none, the connection is closed at once.
                    if connections.len() >= MAX_CONNECTIONS {
                        if !unknown.close_oldest() {
                            continue;
                        }
                        connections.join_next().await;
                    }
                    let is_granted = Arc::new(AtomicBool::new(false));
                    let served = serve_connection(stream, Arc::clone(&shared), Arc::clone(&is_granted));
                    unknown.push(connections.spawn(served), is_granted);
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            }
        }
    }
}

/// The connections that have made no permitted request, the oldest first.
#[derive(Default)]
struct Unknown(VecDeque<(AbortHandle, Arc<AtomicBool>)>);

impl Unknown {
    fn push(&mut self, connection: AbortHandle, is_granted: Arc<AtomicBool>) {
        self.0.retain(|(connection, is_granted)| {
            !connection.is_finished() && !is_granted.load(Ordering::Relaxed)
        });
        self.0.push_back((connection, is_granted));
    }

    /// Closes the oldest one. Returns `false` if there is none.
    fn close_oldest(&mut self) -> bool {
        while let Some((connection, is_granted)) = self.0.pop_front() {
            if !connection.is_finished() && !is_granted.load(Ordering::Relaxed) {
                connection.abort();
                return true;
            }
        }
        false
    }
}

/// Serves a connection. Sets `is_granted` once it makes a permitted request.
async fn serve_connection(stream: TcpStream, shared: Arc<Shared>, is_granted: Arc<AtomicBool>) {
    let service = service_fn(move |request| {
        let (shared, is_granted) = (Arc::clone(&shared), Arc::clone(&is_granted));
        async move { Ok::<_, Infallible>(shared.respond(request, &is_granted).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_HEAD);
    // An error means that the browser has gone, or has not sent HTTP.
    let _ = builder.serve_connection(TokioIo::new(WriteTimeout::new(stream)), service).await;
}

impl Shared {
    async fn respond(
        self: Arc<Self>,
        request: hyper::Request<Incoming>,
        is_granted: &AtomicBool,
    ) -> Response<Body> {
        match self.guard.check(request.method(), request.uri(), request.headers()) {
            Err(Denied(status, why)) => return text(status, why),
            Ok(Access::SetCookie(cookie)) => {
                is_granted.store(true, Ordering::Relaxed);
                let mut response = text(StatusCode::SEE_OTHER, "");
                response.headers_mut().insert(LOCATION, HeaderValue::from_static("/"));
                if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                    response.headers_mut().insert(SET_COOKIE, cookie);
                }
                return response;
            }
            Ok(Access::Granted) => is_granted.store(true, Ordering::Relaxed),
        }
        let path = request.uri().path();
        match *request.method() {
            Method::GET => self.get(path, request.uri().query().unwrap_or_default()).await,
            Method::POST if path == "/api/mo" => self.post(request, Request::Message).await,
            Method::POST if path == "/api/settings" => self.post(request, Request::Settings).await,
            Method::POST if path == "/api/end" => self.post(request, Request::End).await,
            _ => text(StatusCode::METHOD_NOT_ALLOWED, "There is no such operation."),
        }
    }

    async fn get(self: Arc<Self>, path: &str, query: &str) -> Response<Body> {
        if let Some((content_type, content)) = file(path) {
            return page::response(StatusCode::OK, content_type, Body::whole(content));
        }
        let parameter = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| decoded(value)).unwrap_or_default()
        };
        match path {
            "/api/events" => self.events(),
            "/api/state" => page::json(StatusCode::OK, &self.state().await),
            "/api/pdus" => {
                let after = parameter("after").parse().unwrap_or(0);
                page::json(StatusCode::OK, &self.log.changes(after, MAX_ENTRIES, &parameter("q")))
            }
            "/api/pdu" => match parameter("n").parse().ok().and_then(|number| self.log.describe(number)) {
                Some(description) => text(StatusCode::OK, description),
                None => text(StatusCode::NOT_FOUND, "This PDU is no longer in the log."),
            },
            "/capture.pcap" => self.capture(),
            _ => text(StatusCode::NOT_FOUND, "There is nothing here."),
        }
    }

    /// Sends the capture of a running SMSC.
    fn capture(&self) -> Response<Body> {
        let Some(live) = &self.live else {
            return text(StatusCode::NOT_FOUND, "The page shows a capture: it is the file itself.");
        };
        let Ok(permit) = Arc::clone(&self.downloads).try_acquire_owned() else {
            return text(StatusCode::SERVICE_UNAVAILABLE, "Others download the capture: try again.");
        };
        let body = Body { _permit: Some(permit), ..Body::whole(live.captures.file()) };
        let mut response = page::response(StatusCode::OK, "application/vnd.tcpdump.pcap", body);
        let name = HeaderValue::from_static("attachment; filename=\"smpp.pcap\"");
        response.headers_mut().insert(CONTENT_DISPOSITION, name);
        response
    }

    /// Passes the body of a request to the SMSC.
    async fn post(&self, request: hyper::Request<Incoming>, call: fn(Value) -> Request) -> Response<Body> {
        let body = Limited::new(request.into_body(), MAX_BODY).collect();
        let body = match timeout(BODY_TIMEOUT, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(_)) => return text(StatusCode::PAYLOAD_TOO_LARGE, "The request is cut, or too long."),
            Err(_) => return text(StatusCode::REQUEST_TIMEOUT, "The request takes too long."),
        };
        let Ok(value) = serde_json::from_slice(&body) else {
            return text(StatusCode::BAD_REQUEST, "This is not JSON.");
        };
        match self.call(call(value)).await {
            Ok(value) => page::json(StatusCode::OK, &value),
            Err(why) => text(StatusCode::UNPROCESSABLE_ENTITY, why),
        }
    }

    /// Asks the SMSC.
    async fn call(&self, request: Request) -> Result<Value, String> {
        let live = self.live.as_ref().ok_or("The page shows a capture: no SMSC is running.")?;
        let (answer, answered) = oneshot::channel();
        let asked = async {
            live.calls.send((request, answer)).await.ok()?;
            answered.await.ok()
        };
        match timeout(CALL_TIMEOUT, asked).await {
            Ok(Some(answer)) => answer,
            _ => Err("The SMSC is stopping.".into()),
        }
    }

    /// Returns the state of the SMSC and the plots.
    async fn state(&self) -> Value {
        let now = self.live.is_some().then(|| self.start.elapsed());
        let (pdus, dropped) = self.log.len();
        json!({
            "live": self.live.is_some(),
            "smsc": self.call(Request::State).await.unwrap_or_default(),
            "plots": self.log.seconds(now),
            "pdus": pdus,
            "dropped": dropped,
        })
    }

    /// Sends the changes of the log and the state as server-sent events.
    fn events(self: Arc<Self>) -> Response<Body> {
        let Ok(permit) = Arc::clone(&self.event_streams).try_acquire_owned() else {
            return text(StatusCode::SERVICE_UNAVAILABLE, "The page is open too often: close one.");
        };
        // One event waits: a slow browser misses the older changes of the log, not the newest.
        let (events, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            let mut ticks = interval(EVENT_INTERVAL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let (mut revision, mut tick) = (0, 0);
            loop {
                tokio::select! {
                    _ = ticks.tick() => {}
                    () = events.closed() => return,
                }
                let log = self.log.changes(revision, MAX_ENTRIES, "");
                let newest = log["revision"].as_u64().unwrap_or(revision);
                let is_due = tick % STATE_EVERY == 0;
                tick = tick.wrapping_add(1);
                if !is_due && newest == revision {
                    continue;
                }
                revision = newest;
                let state = if is_due { self.state().await } else { Value::Null };
                let event = json!({ "log": log, "state": state });
                // JSON has no line break.
                if events.send(Bytes::from(format!("data: {event}\n\n"))).await.is_err() {
                    return;
                }
            }
        });
        let body = Body { content: Content::Events(receiver), _permit: Some(permit) };
        page::response(StatusCode::OK, "text/event-stream", body)
    }
}

/// Decodes percent-encoding (RFC 3986 §2.1). What is not encoded in this way stays as it is.
fn decoded(text: &str) -> String {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.first_chunk().and_then(|digits: &[u8; 2]| str::from_utf8(digits).ok());
        let digits =
            digits.filter(|digits| *first == b'%' && digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let octet = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        octets.push(octet.unwrap_or(*first));
        rest = octet.and_then(|_| after.get(2..)).unwrap_or(after);
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// The body of a response.
pub(super) struct Body {
    content: Content,
    /// Held until the body is sent.
    _permit: Option<OwnedSemaphorePermit>,
}

enum Content {
    Whole(Bytes),
    Events(mpsc::Receiver<Bytes>),
}

impl Body {
    pub(super) fn whole(content: impl Into<Bytes>) -> Self {
        Self { content: Content::Whole(content.into()), _permit: None }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match &mut self.content {
            Content::Whole(rest) => {
                let length = rest.len().min(CHUNK);
                Poll::Ready((length > 0).then(|| rest.split_to(length)))
            }
            Content::Events(events) => events.poll_recv(cx),
        };
        next.map(|octets| octets.map(|octets| Ok(Frame::data(octets))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.content, Content::Whole(rest) if rest.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(rest) => SizeHint::with_exact(rest.len() as u64),
            Content::Events(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding() {
        for (text, expected) in [
            ("a%20b", "a b"),
            ("%E4%BA%94", "五"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
            ("%ff", "\u{FFFD}"),
            ("%+1", "%+1"),
            ("+", "+"),
        ] {
            assert_eq!(decoded(text), expected, "{text}");
        }
    }
}
