//! `smpp decode --web`: the PDUs on a page.

use std::collections::HashMap;
use std::error::Error;
use std::fmt::Display;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smpp_proto::Frame;

use super::dump::{Output, Place};
use crate::failure::{Failure, finish};
use crate::interrupts::Interrupts;
use crate::output::printable;
use crate::runtime;
use crate::web::{Limits, Log, Page, PageOptions, Recorder};

/// The newest PDUs of a capture that are kept.
const LIMITS: Limits = Limits { entries: 100_000, octets: 256 << 20 };

/// Connections of which the requests and responses are matched; beyond them, all are forgotten.
const MAX_CONNECTIONS: usize = 10_000;

/// Records PDUs in a log.
pub(super) struct Recording {
    log: Arc<Log>,
    /// The recorder of each connection, by its two ends, the lower one first.
    recorders: HashMap<(SocketAddr, SocketAddr), Recorder>,
}

impl Recording {
    fn new() -> Self {
        Self { log: Log::new(LIMITS), recorders: HashMap::new() }
    }
}

impl Output for Recording {
    fn pdu(&mut self, place: Place, frame: Frame<Vec<u8>>) -> io::Result<()> {
        let unknown = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let (from, to, time) = match place {
            Place::Input => (unknown, unknown, Duration::ZERO),
            Place::Stream { from, to, time } => (from, to, time),
        };
        let ends = (from.min(to), from.max(to));
        if self.recorders.len() >= MAX_CONNECTIONS && !self.recorders.contains_key(&ends) {
            self.recorders.clear();
        }
        let log = &self.log;
        let recorder = self.recorders.entry(ends).or_insert_with(|| Recorder::new(Arc::clone(log)));
        recorder.pdu(time, (from, to), frame);
        Ok(())
    }

    fn note(&mut self, place: Place, text: impl Display) -> io::Result<()> {
        eprintln!("{place}{}", printable(text));
        Ok(())
    }

    fn failure(&mut self, place: Place, text: impl Display) -> io::Result<()> {
        self.note(place, text)
    }
}

/// Reads the input, and serves the page until it is interrupted.
pub(super) fn run(
    listen: &str,
    remote: bool,
    read: impl FnOnce(&mut Recording) -> Result<(), Box<dyn Error>>,
) -> ExitCode {
    let mut recording = Recording::new();
    if let Err(error) = read(&mut recording) {
        return finish(Err(Failure::other(error)));
    }
    let log = recording.log;
    let served = runtime::with_threads(1).and_then(|runtime| runtime.block_on(serve(listen, remote, log)));
    finish(served.map(|()| true))
}

async fn serve(listen: &str, remote: bool, log: Arc<Log>) -> Result<(), Failure> {
    let mut interrupts = Interrupts::new().map_err(Failure::other)?;
    let page = Page::listen(PageOptions { listen, remote }, Arc::clone(&log), Instant::now()).await?;
    let (pdus, dropped) = log.len();
    let older = if dropped > 0 { format!(", {dropped} older ones left out") } else { String::new() };
    crate::output::line(format_args!("page on {} with {pdus} PDUs{older}", page.url()));
    tokio::select! {
        () = page.serve() => {}
        () = interrupts.next() => {}
    }
    Ok(())
}
