//! A peer that writes and reads single PDUs, and an SMSC of several connections for accounts.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use smpp_proto::account::{Credentials, Options};
use smpp_proto::provider::Provider;
use smpp_proto::session::Config;
use smpp_tokio::account::AccountConnector;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

pub(crate) const SUBMIT_SM: u32 = 4;
pub(crate) const DELIVER_SM: u32 = 5;
pub(crate) const UNBIND: u32 = 6;
pub(crate) const BIND_TRANSCEIVER: u32 = 9;
pub(crate) const RESPONSE: u32 = 0x8000_0000;

/// The fields of a submit_sm or deliver_sm without a text.
const EMPTY_MESSAGE: [u8; 17] = [0; 17];

/// A PDU that a peer has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) command: u32,
    pub(crate) status: u32,
    pub(crate) sequence: u32,
}

/// Encodes a PDU.
pub(crate) fn pdu(command: u32, sequence: u32, body: &[u8]) -> Vec<u8> {
    let mut pdu = Vec::new();
    for field in [16 + body.len() as u32, command, 0, sequence] {
        pdu.extend_from_slice(&field.to_be_bytes());
    }
    pdu.extend_from_slice(body);
    pdu
}

/// Encodes `count` submit_sm or deliver_sm, with the sequence numbers from 1000.
pub(crate) fn messages(command: u32, count: u32) -> Vec<u8> {
    (0..count).flat_map(|number| pdu(command, 1000 + number, &EMPTY_MESSAGE)).collect()
}

/// Encodes a delivery receipt of a message.
pub(crate) fn receipt(sequence: u32, id: &str) -> Vec<u8> {
    let text =
        format!("id:{id} sub:001 dlvrd:001 submit date:2001010000 done date:2001010000 stat:DELIVRD err:000");
    let mut body = vec![0; 7];
    // The esm_class of a receipt.
    body.extend_from_slice(&[4, 0, 0, 0, 0, 0, 0, 0, 0, text.len() as u8]);
    body.extend_from_slice(text.as_bytes());
    pdu(DELIVER_SM, sequence, &body)
}

/// Reads a PDU; `None` at the end of the stream.
pub(crate) async fn read(io: &mut (impl AsyncRead + Unpin)) -> Option<Received> {
    let mut header = [0; 16];
    io.read_exact(&mut header).await.ok()?;
    let field = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let mut body = vec![0; field(0) as usize - 16];
    io.read_exact(&mut body).await.ok()?;
    Some(Received { command: field(4), status: field(8), sequence: field(12) })
}

/// Binds as an ESME.
pub(crate) async fn bind(io: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    io.write_all(&pdu(BIND_TRANSCEIVER, 1, &[0, 0, 0, 0x34, 0, 0, 0])).await.unwrap();
    assert_eq!(read(io).await.map(|bound| bound.status), Some(0));
}

/// Reads responses until there are `count`, or until the end of the stream. Returns how many were accepted.
pub(crate) async fn accepted(io: &mut (impl AsyncRead + Unpin), count: usize) -> usize {
    let mut accepted = 0;
    let mut read_all = async || {
        for _ in 0..count {
            let Some(response) = read(io).await else { return };
            accepted += usize::from(response.status == 0);
        }
    };
    let _ = timeout(Duration::from_secs(60), read_all()).await;
    accepted
}

/// What an SMSC has read, with the time and the number of the connection.
pub(crate) type Log = Arc<Mutex<Vec<(Instant, usize, Received)>>>;

/// An SMSC that accepts binds, answers submit_sm, enquire_link and unbind, and writes what the test sends to it.
pub(crate) struct ScriptedSmsc {
    pub(crate) log: Log,
    pub(crate) connections: Arc<Mutex<Vec<mpsc::UnboundedSender<Vec<u8>>>>>,
}

impl ScriptedSmsc {
    /// Returns the SMSC, and the connector of an account that connects to it. The SMSC answers submit_sm with the message id
    /// `id` if `answers`.
    pub(crate) fn new(config: Config, answers: bool) -> (Self, AccountConnector) {
        let smsc = Self { log: Log::default(), connections: Arc::default() };
        let (log, connections) = (Arc::clone(&smsc.log), Arc::clone(&smsc.connections));
        let options = Options::new(Credentials::new("shop", "secret"), &Provider::UNSTATED)
            .session(config)
            .connect_interval(Duration::from_millis(1))
            .max_binds(2);
        let endpoint = "smpp://192.0.2.1".parse().unwrap();
        let connector = AccountConnector::new(&endpoint, options).dial(move |_| {
            let (near, far) = duplex(1 << 16);
            let (sender, script) = mpsc::unbounded_channel();
            let mut all = connections.lock().unwrap();
            all.push(sender);
            crate::spawn(serve(far, script, Arc::clone(&log), all.len() - 1, answers));
            async { io::Result::Ok(near) }
        });
        (smsc, connector)
    }

    /// Writes octets to a connection.
    pub(crate) fn send(&self, connection: usize, octets: Vec<u8>) {
        self.connections.lock().unwrap()[connection].send(octets).unwrap();
    }

    /// Returns the PDUs with a command that have been read, with their times and connections.
    pub(crate) fn received(&self, command: u32) -> Vec<(Instant, usize, Received)> {
        let log = self.log.lock().unwrap();
        log.iter().filter(|(.., received)| received.command == command).copied().collect()
    }
}

async fn serve(
    io: DuplexStream,
    mut script: mpsc::UnboundedReceiver<Vec<u8>>,
    log: Log,
    connection: usize,
    answers: bool,
) {
    let (mut reader, mut writer) = tokio::io::split(io);
    let (responses, mut waiting) = mpsc::unbounded_channel();
    crate::spawn(async move {
        loop {
            let octets = tokio::select! {
                Some(octets) = waiting.recv() => octets,
                Some(octets) = script.recv() => octets,
                else => return,
            };
            let _: Vec<u8> = octets;
            if writer.write_all(&octets).await.is_err() {
                return;
            }
        }
    });
    while let Some(received) = read(&mut reader).await {
        log.lock().unwrap().push((Instant::now(), connection, received));
        let body: &[u8] = match received.command {
            SUBMIT_SM if !answers => continue,
            SUBMIT_SM => b"id\0",
            BIND_TRANSCEIVER => b"\0",
            command if command & RESPONSE == 0 => b"",
            _ => continue,
        };
        let _ = responses.send(pdu(received.command | RESPONSE, received.sequence, body));
    }
}

/// Lets all tasks do what they can do now.
pub(crate) async fn settle() {
    sleep(Duration::from_millis(1)).await;
}
