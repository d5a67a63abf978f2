//! The counters of a node, and the port on which they are served: `/metrics` for Prometheus, `/healthz`.

use std::fmt::Write;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::node::EventKind;

/// The kinds of events that are counted, in the order of the counters.
const KINDS: [EventKind; 8] = [
    EventKind::Accepted,
    EventKind::Refused,
    EventKind::Expired,
    EventKind::Uncertain,
    EventKind::Receipt,
    EventKind::Message,
    EventKind::Unmatched,
    EventKind::Invalid,
];

/// The counters and gauges of a node.
#[derive(Debug, Default)]
pub struct Metrics {
    events: [AtomicU64; KINDS.len()],
    /// Requests to NATS.
    pub requests: AtomicU64,
    /// Requests to NATS of which it is not known whether they were carried out.
    pub requests_failed: AtomicU64,
    /// Messages from the queue that the node works on.
    pub messages_in_hand: AtomicU64,
    /// Receipts and messages from phones that the node stores.
    pub deliveries_in_hand: AtomicU64,
    /// Leases that the node has.
    pub leases: AtomicU64,
    /// Binds that the SMSC has accepted.
    pub binds: AtomicU64,
    /// Connections that were closed by force because their leases ended.
    pub forced_closes: AtomicU64,
    /// Whether NATS is connected.
    pub is_connected: AtomicBool,
}

impl Metrics {
    /// Counts an event that is stored.
    pub fn count(&self, kind: EventKind) {
        if let Some((counter, _)) = self.events.iter().zip(KINDS).find(|(_, it)| *it == kind) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns how many events of a kind the node has stored.
    pub fn events(&self, kind: EventKind) -> u64 {
        let counter = self.events.iter().zip(KINDS).find(|(_, it)| *it == kind);
        counter.map_or(0, |(counter, _)| counter.load(Ordering::Relaxed))
    }

    /// Returns whether the node can work: NATS is connected, and it has a bind or no lease.
    pub fn is_healthy(&self) -> bool {
        let has_bind = self.binds.load(Ordering::Relaxed) > 0 || self.leases.load(Ordering::Relaxed) == 0;
        self.is_connected.load(Ordering::Relaxed) && has_bind
    }

    /// Returns all in the text format of Prometheus.
    pub fn text(&self) -> String {
        let mut text = String::from("# TYPE smpp_gateway_events_total counter\n");
        for (counter, kind) in self.events.iter().zip(KINDS) {
            let count = counter.load(Ordering::Relaxed);
            let _ = writeln!(text, "smpp_gateway_events_total{{kind=\"{}\"}} {count}", kind.name());
        }
        for (name, kind, value) in [
            ("nats_requests_total", "counter", &self.requests),
            ("nats_requests_failed_total", "counter", &self.requests_failed),
            ("forced_closes_total", "counter", &self.forced_closes),
            ("messages_in_hand", "gauge", &self.messages_in_hand),
            ("deliveries_in_hand", "gauge", &self.deliveries_in_hand),
            ("leases", "gauge", &self.leases),
            ("binds", "gauge", &self.binds),
        ] {
            let value = value.load(Ordering::Relaxed);
            let _ = writeln!(text, "# TYPE smpp_gateway_{name} {kind}\nsmpp_gateway_{name} {value}");
        }
        let connected = u8::from(self.is_connected.load(Ordering::Relaxed));
        let _ = writeln!(
            text,
            "# TYPE smpp_gateway_nats_connected gauge\nsmpp_gateway_nats_connected {connected}"
        );
        text
    }
}

/// Serves the counters until the task is aborted.
pub async fn serve(listener: TcpListener, metrics: Arc<Metrics>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let metrics = Arc::clone(&metrics);
                tokio::spawn(async move {
                    let _ = timeout(Duration::from_secs(5), answer(stream, &metrics)).await;
                });
            }
            // For example too many open files.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Answers one request of HTTP/1.
async fn answer(mut stream: TcpStream, metrics: &Metrics) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < 8_192 {
        let mut chunk = [0; 1_024];
        let length = stream.read(&mut chunk).await?;
        if length == 0 {
            return Ok(());
        }
        request.extend_from_slice(chunk.get(..length).unwrap_or_default());
    }
    let line = request.split(|octet| *octet == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let (status, body) = match line.split(' ').nth(1) {
        Some("/metrics") => ("200 OK", metrics.text()),
        Some("/healthz") if metrics.is_healthy() => ("200 OK", "ok\n".into()),
        Some("/healthz") => ("503 Service Unavailable", "NATS is not connected, or no bind is up\n".into()),
        _ => ("404 Not Found", "/metrics or /healthz\n".into()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(address: std::net::SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn counters_and_health_are_served() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let metrics = Arc::new(Metrics::default());
        let task = tokio::spawn(serve(listener, Arc::clone(&metrics)));
        assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 503 "));
        metrics.is_connected.store(true, Ordering::Relaxed);
        assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200 "));
        metrics.count(EventKind::Uncertain);
        let text = get(address, "/metrics").await;
        assert!(text.contains("\nsmpp_gateway_events_total{kind=\"uncertain\"} 1\n"), "{text}");
        assert!(text.contains("\nsmpp_gateway_nats_connected 1\n"), "{text}");
        assert!(get(address, "/").await.starts_with("HTTP/1.1 404 "));
        task.abort();
    }
}
