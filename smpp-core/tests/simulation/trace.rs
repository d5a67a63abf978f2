//! Records the calls of a session and their results as lines of text, and replays them.
//!
//! A line is a method call, with times in nanoseconds and octets in hexadecimal digits. The following lines with `=` are
//! its results. Octets that arrive (`receive`) wait until the session reads them (`input`). A line with `#` is a comment.

use std::fmt::{Debug, Write};

use smpp_proto::session::{Esme, Event, Instant, Refusal, Refused, Session, Side, Smsc};
use smpp_proto::{CommandId, CommandStatus, Frame, SequenceNumber};

use super::messages::{Octets, PendingReply, SendPdu, Tag, pdu};
use super::settings::Settings;

/// A session that records its trace.
pub(crate) struct Traced<R> {
    pub(crate) session: Session<R, Tag>,
    trace: Option<String>,
}

impl<R: SendPdu> Traced<R> {
    pub(crate) fn new(settings: &Settings, now: Instant, traced: bool) -> Self {
        let trace = traced.then(|| format!("{:?} {} {settings}\n", R::SIDE, now.as_nanos()));
        Self { session: Session::new(settings.config(), now), trace }
    }

    pub(crate) fn into_trace(self) -> Option<String> {
        self.trace
    }

    fn line(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push_str(&line());
            trace.push('\n');
        }
    }

    fn result(&mut self, result: &impl Debug) {
        self.line(|| format!("= {result:?}"));
    }

    pub(crate) fn request(
        &mut self,
        now: Instant,
        tag: Tag,
        frame: &Octets,
    ) -> Result<SequenceNumber, Refused<Tag>> {
        self.line(|| format!("request {} {tag} {}", now.as_nanos(), hex(frame.octets())));
        let result = R::send(&mut self.session, now, &pdu(frame), tag);
        self.result(&result);
        result
    }

    pub(crate) fn notify(&mut self, now: Instant, frame: &Octets) -> Option<Result<(), Refusal>> {
        let result = R::notify(&mut self.session, now, &pdu(frame))?;
        self.line(|| format!("notify {} {}", now.as_nanos(), hex(frame.octets())));
        self.result(&result);
        Some(result)
    }

    /// Answers with the response in `frame`, or with its status if that is an error.
    pub(crate) fn respond(&mut self, reply: PendingReply, frame: &Octets) -> Result<(), Refusal> {
        self.line(|| format!("respond {}", hex(frame.octets())));
        let status = frame.header().status;
        let answer = if status.is_ok() { Ok(pdu(frame)) } else { Err(status) };
        let result = reply.answer(&mut self.session, answer);
        self.result(&result);
        result
    }

    /// Records octets that have arrived. The caller keeps them for [`read`](Self::read).
    pub(crate) fn receive(&mut self, octets: &[u8]) {
        self.line(|| format!("receive {}", hex(octets)));
    }

    pub(crate) fn read<'b>(&mut self, now: Instant, input: &mut &'b [u8]) -> Option<Event<'b, Tag>> {
        self.line(|| format!("input {}", now.as_nanos()));
        let event = self.session.handle_input(now, input);
        if let Some(event) = &event {
            self.result(event);
        }
        event
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<Event<'static, Tag>> {
        self.line(|| format!("timeout {}", now.as_nanos()));
        let event = self.session.handle_timeout(now);
        if let Some(event) = &event {
            self.result(event);
        }
        event
    }

    pub(crate) fn poll_transmit(&mut self, out: &mut Vec<u8>) -> bool {
        self.line(|| "transmit".into());
        let before = out.len();
        let any = self.session.poll_transmit(out);
        self.line(|| format!("= {}", hex(&out[before..])));
        any
    }

    pub(crate) fn transmitted(&mut self, octets: usize) {
        self.line(|| format!("transmitted {octets}"));
        self.session.handle_transmitted(octets);
    }

    pub(crate) fn unbind(&mut self, now: Instant) {
        self.line(|| format!("unbind {}", now.as_nanos()));
        self.session.unbind(now);
    }

    pub(crate) fn abort(&mut self) {
        self.line(|| "abort".into());
        self.session.abort();
    }

    pub(crate) fn eof(&mut self) {
        self.line(|| "eof".into());
        self.session.handle_eof();
    }

    pub(crate) fn disconnect(&mut self) {
        self.line(|| "disconnect".into());
        self.session.handle_disconnect();
    }
}

/// Replays the calls of a trace on a new session, and returns the trace that results.
pub(crate) fn replay(trace: &str) -> String {
    let mut lines = trace.lines().filter(|line| !line.starts_with('#'));
    let (side, rest) = lines.next().and_then(|line| line.split_once(' ')).expect("a side");
    let (start, settings) = rest.split_once(' ').expect("a start");
    let settings = Settings::read(settings).expect("all settings");
    let calls = lines.filter(|line| !line.starts_with('='));
    match side {
        "Esme" => Replayer::<Esme>::new(&settings, instant(start)).replay(calls),
        "Smsc" => Replayer::<Smsc>::new(&settings, instant(start)).replay(calls),
        other => panic!("{other} is neither {:?} nor {:?}", Side::Esme, Side::Smsc),
    }
}

struct Replayer<R> {
    session: Traced<R>,
    unread: Vec<u8>,
    output: Vec<u8>,
    pending: Vec<((CommandId, SequenceNumber), PendingReply)>,
}

impl<R: SendPdu> Replayer<R> {
    fn new(settings: &Settings, start: Instant) -> Self {
        let session = Traced::new(settings, start, true);
        Self { session, unread: Vec::new(), output: Vec::new(), pending: Vec::new() }
    }

    fn replay<'a>(mut self, calls: impl Iterator<Item = &'a str>) -> String {
        for call in calls {
            let words: Vec<&str> = call.split(' ').collect();
            match words[..] {
                ["request", now, tag, octets] => {
                    let tag = tag.parse().expect("a tag");
                    // The trace records the result.
                    let _ = self.session.request(instant(now), tag, &frame(octets));
                }
                ["notify", now, octets] => {
                    let _ = self.session.notify(instant(now), &frame(octets));
                }
                ["respond", octets] => self.respond(&frame(octets)),
                ["receive", octets] => {
                    let octets = unhex(octets);
                    self.session.receive(&octets);
                    self.unread.extend(octets);
                }
                ["input", now] => self.read(instant(now)),
                ["timeout", now] => drop(self.session.handle_timeout(instant(now))),
                ["transmit"] => {
                    self.session.poll_transmit(&mut self.output);
                }
                ["transmitted", octets] => {
                    self.session.transmitted(octets.parse().expect("a number"));
                }
                ["unbind", now] => self.session.unbind(instant(now)),
                ["abort"] => self.session.abort(),
                ["eof"] => self.session.eof(),
                ["disconnect"] => self.session.disconnect(),
                _ => panic!("unknown call {call:?}"),
            }
        }
        self.session.into_trace().unwrap_or_default()
    }

    fn read(&mut self, now: Instant) {
        let unread = std::mem::take(&mut self.unread);
        let mut input = &unread[..];
        if let Some(Event::Request { request, frame, .. }) = self.session.read(now, &mut input) {
            let header = frame.header();
            self.pending.push(((header.command, header.sequence), PendingReply::new(request)));
        }
        self.unread = input.to_vec();
    }

    fn respond(&mut self, frame: &Octets) {
        let header = frame.header();
        let answers = |(command, sequence): (CommandId, SequenceNumber)| {
            command.response() == header.command && sequence == header.sequence
        };
        let index = self.pending.iter().position(|(key, _)| answers(*key)).expect("a request to answer");
        let (_, reply) = self.pending.remove(index);
        let _ = self.session.respond(reply, frame);
    }
}

/// Returns an error response without a body.
pub(crate) fn refusal(command: CommandId, status: CommandStatus, sequence: SequenceNumber) -> Octets {
    let words = [16, command.response().0, status.0, sequence.0].map(u32::to_be_bytes);
    Frame::new(words.concat()).expect("a header")
}

fn instant(nanos: &str) -> Instant {
    Instant::from_nanos(nanos.parse().expect("a time"))
}

fn frame(octets: &str) -> Octets {
    Frame::new(unhex(octets)).expect("one PDU")
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(2 * octets.len()), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = (0..digits.len()).step_by(2).map(|at| &digits[at..at + 2]);
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal digits")).collect()
}
