//! The newest PDUs, for the page.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use smpp_proto::{CommandId, CommandStatus, EsmClass, Frame, Header, Pdu, Tolerance};

use super::seconds::{Seconds, millis};
use crate::decode;

/// Requests of one connection whose responses are awaited. When there are more, all of them are forgotten.
const MAX_AWAITED: usize = 2000;

/// Characters of a text that the list shows.
const MAX_TEXT: usize = 2000;

/// What the list shows instead of a command.
const NO_PDU: &str = "no PDU";

/// Octets that an entry counts beside those of its PDU and its texts.
const OVERHEAD: usize = 512;

/// The size of a log: the oldest PDUs make room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// PDUs.
    pub(crate) entries: usize,
    /// Octets of the PDUs and of what is shown of them.
    pub(crate) octets: usize,
}

/// The newest PDUs of all connections, and the rates and response times of the last minutes.
#[derive(Debug)]
pub(crate) struct Log {
    limits: Limits,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: VecDeque<Entry>,
    /// The number of the first entry: how many were dropped.
    dropped: u64,
    octets: usize,
    /// Counts the changes.
    revision: u64,
    seconds: Seconds,
    /// The time of the last PDU.
    last: Duration,
}

/// A PDU.
#[derive(Debug)]
struct Entry {
    number: u64,
    /// The revision of the log that changed it last.
    revision: u64,
    /// The time since the log began.
    at: Duration,
    from: SocketAddr,
    to: SocketAddr,
    account: Arc<str>,
    /// `None` if what came is no PDU.
    frame: Option<Frame<Vec<u8>>>,
    summary: Summary,
    /// The status and the time of the response.
    answer: Option<(CommandStatus, Duration)>,
    /// Why the session rejected it.
    rejected: Option<String>,
}

/// What the list shows of a PDU.
#[derive(Debug, Default)]
struct Summary {
    kind: &'static str,
    source: String,
    destination: String,
    text: String,
    /// The message id: of the response to a message, or in a receipt.
    id: String,
}

/// Records the PDUs of one connection.
#[derive(Debug)]
pub(crate) struct Recorder {
    log: Arc<Log>,
    /// The system_id of the bind.
    account: Arc<str>,
    /// The number, command and time of each request without a response, by its sender and its sequence number.
    awaited: HashMap<(SocketAddr, u32), (u64, CommandId, Duration)>,
    /// The number of the last PDU.
    last: Option<u64>,
}

impl Recorder {
    pub(crate) fn new(log: Arc<Log>) -> Self {
        Self { log, account: "".into(), awaited: HashMap::new(), last: None }
    }

    /// Records a PDU, `at` after the log began. Passwords must have been replaced.
    pub(crate) fn pdu(&mut self, at: Duration, (from, to): (SocketAddr, SocketAddr), frame: Frame<Vec<u8>>) {
        let Header { command, status, sequence, .. } = frame.header();
        let mut summary = Summary::default();
        let mut message_id = None;
        if let Ok((pdu, _)) = frame.pdu(Tolerance::LENIENT) {
            // A string that is shifted may be the password.
            if let (Pdu::Bind(bind), false) = (&pdu, decode::is_shifted(&frame)) {
                self.account = text_of(bind.system_id.as_bytes()).into();
            }
            summary = Summary::of(&pdu);
            if let Pdu::SubmitSmResp(Some(response)) = &pdu {
                message_id = Some(text_of(response.message_id.as_bytes()));
            }
        }
        let request = command
            .is_response()
            .then(|| self.awaited.remove(&(to, sequence.0)))
            .flatten()
            .map(|(number, request, since)| (number, request, at.saturating_sub(since)));
        let mut log = self.log.lock();
        log.revision += 1;
        log.last = log.last.max(at);
        if let Some((number, request, took)) = request {
            log.seconds.response(at, request, status, took);
            let revision = log.revision;
            log.change(number, |entry| {
                entry.revision = revision;
                entry.answer = Some((status, took));
                entry.summary.id = message_id.unwrap_or_else(|| std::mem::take(&mut entry.summary.id));
            });
        }
        if !command.is_response() {
            log.seconds.request(at, command);
        }
        let entry = self.entry(at, (from, to), Some(frame), summary);
        let number = log.push(entry, self.log.limits);
        drop(log);
        self.last = Some(number);
        if !command.is_response() {
            if self.awaited.len() >= MAX_AWAITED {
                self.awaited.clear();
            }
            self.awaited.insert((from, sequence.0), (number, command, at));
        }
    }

    /// Records that the session rejected the last PDU.
    pub(crate) fn rejected(&mut self, why: String) {
        let Some(number) = self.last else { return };
        let mut log = self.log.lock();
        log.revision += 1;
        let revision = log.revision;
        log.change(number, |entry| {
            entry.revision = revision;
            entry.rejected = Some(why);
        });
    }

    /// Records that octets came, `at` after the log began, that are no PDU.
    pub(crate) fn broken(&mut self, at: Duration, ends: (SocketAddr, SocketAddr), why: String) {
        let summary = Summary { kind: "other", ..Summary::default() };
        let entry = Entry { rejected: Some(why), ..self.entry(at, ends, None, summary) };
        let mut log = self.log.lock();
        log.revision += 1;
        log.last = log.last.max(at);
        log.push(entry, self.log.limits);
    }

    /// Returns an entry that is not in the log yet.
    fn entry(
        &self,
        at: Duration,
        (from, to): (SocketAddr, SocketAddr),
        frame: Option<Frame<Vec<u8>>>,
        summary: Summary,
    ) -> Entry {
        let account = Arc::clone(&self.account);
        Entry { number: 0, revision: 0, at, from, to, account, frame, summary, answer: None, rejected: None }
    }
}

impl Log {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, inner: Mutex::default() })
    }

    /// Returns how many PDUs it holds, and how many it has dropped.
    pub(crate) fn len(&self) -> (usize, u64) {
        let log = self.lock();
        (log.entries.len(), log.dropped)
    }

    /// Returns the newest `limit` entries that changed after `revision` and contain `query`, oldest first; how many more
    /// there are; and the revision.
    pub(super) fn changes(&self, revision: u64, limit: usize, query: &str) -> Value {
        let log = self.lock();
        let query = query.to_lowercase();
        let mut found = log.entries.iter().rev();
        let mut found = found.by_ref().filter(|entry| entry.revision > revision && entry.contains(&query));
        let mut entries: Vec<_> = found.by_ref().take(limit).map(Entry::json).collect();
        entries.reverse();
        json!({
            "revision": log.revision,
            "entries": entries,
            "more": found.count(),
            "dropped": log.dropped,
        })
    }

    /// Returns the seconds of the last five minutes, up to `now` or, without it, up to the last PDU.
    pub(super) fn seconds(&self, now: Option<Duration>) -> Value {
        let log = self.lock();
        let now = now.unwrap_or(log.last).as_secs();
        json!({ "now": now, "seconds": log.seconds.since(now.saturating_sub(300)) })
    }

    /// Returns a PDU field by field, as `smpp decode` shows it.
    pub(super) fn describe(&self, number: u64) -> Option<String> {
        let mut log = self.lock();
        let entry = log.entry(number)?;
        let mut text = entry.frame.as_ref().map_or_else(|| NO_PDU.to_owned(), decode::describe);
        if let Some(why) = &entry.rejected {
            text += "\n  rejected: ";
            text += why;
        }
        Some(text)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn entry(&mut self, number: u64) -> Option<&mut Entry> {
        let index = usize::try_from(number.checked_sub(self.dropped)?).ok()?;
        self.entries.get_mut(index)
    }

    /// Adds an entry with the current revision. Returns its number.
    fn push(&mut self, entry: Entry, limits: Limits) -> u64 {
        let number = self.dropped + self.entries.len() as u64;
        self.octets += entry.octets();
        self.entries.push_back(Entry { number, revision: self.revision, ..entry });
        self.shrink(limits);
        number
    }

    /// Changes an entry, if the log still has it. Its octets may change.
    fn change(&mut self, number: u64, change: impl FnOnce(&mut Entry)) {
        let Some(entry) = self.entry(number) else { return };
        let before = entry.octets();
        change(entry);
        let after = entry.octets();
        self.octets = (self.octets + after).saturating_sub(before);
    }

    /// Drops the oldest entries.
    fn shrink(&mut self, limits: Limits) {
        while self.entries.len() > limits.entries || self.octets > limits.octets {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.dropped += 1;
            self.octets = self.octets.saturating_sub(oldest.octets());
        }
    }
}

impl Entry {
    fn octets(&self) -> usize {
        let Summary { source, destination, text, id, .. } = &self.summary;
        let texts = [source, destination, text, id].map(String::len).iter().sum::<usize>();
        let frame = self.frame.as_ref().map_or(0, |frame| frame.octets().len());
        OVERHEAD + frame + texts + self.rejected.as_ref().map_or(0, String::len)
    }

    /// Returns whether what the list shows contains this text, in lower case.
    fn contains(&self, query: &str) -> bool {
        if query.is_empty() {
            return true;
        }
        let Summary { kind, source, destination, text, id } = &self.summary;
        let header = self.frame.as_ref().map(Frame::header);
        let answer = self.answer.map(|(status, _)| format!("{status:?}")).unwrap_or_default();
        let shown = [
            (*kind).to_owned(),
            source.to_lowercase(),
            destination.to_lowercase(),
            text.to_lowercase(),
            id.to_lowercase(),
            self.account.to_lowercase(),
            self.from.to_string(),
            self.to.to_string(),
            header.map_or_else(|| NO_PDU.to_lowercase(), |header| header.command.to_string()),
            header.map(|header| format!("{:?}", header.status).to_lowercase()).unwrap_or_default(),
            answer.to_lowercase(),
            self.rejected.as_deref().unwrap_or_default().to_lowercase(),
        ];
        shown.iter().any(|shown| shown.contains(query))
    }

    fn json(&self) -> Value {
        let header = self.frame.as_ref().map(Frame::header);
        let is_response = header.is_some_and(|header| header.command.is_response());
        let Summary { kind, source, destination, text, id } = &self.summary;
        let answer =
            self.answer.map(|(status, took)| json!({ "status": format!("{status:?}"), "ms": millis(took) }));
        json!({
            "n": self.number,
            "at": millis(self.at),
            "from": self.from,
            "to": self.to,
            "account": &*self.account,
            "command": header.map_or_else(|| NO_PDU.to_owned(), |header| header.command.to_string()),
            "status": header.map(|header| format!("{:?}", header.status)),
            "sequence": header.map(|header| header.sequence.0),
            "length": header.map(|header| header.length),
            "kind": if is_response { "response" } else { kind },
            "source": source,
            "destination": destination,
            "text": text,
            "id": id,
            "answer": answer,
            "rejected": self.rejected,
        })
    }
}

impl Summary {
    fn of(pdu: &Pdu<'_>) -> Self {
        let (kind, source, destination) = match pdu {
            Pdu::SubmitSm(it) => ("message", address(it.source.digits), address(it.destination.digits)),
            Pdu::DeliverSm(it) => {
                (incoming(it.esm_class), address(it.source.digits), address(it.destination.digits))
            }
            Pdu::DataSm(it) => (
                incoming(it.esm_class),
                text_of(it.source.digits.as_bytes()),
                text_of(it.destination.digits.as_bytes()),
            ),
            Pdu::SubmitMulti(it) => ("message", address(it.source.digits), "several".to_owned()),
            Pdu::Bind(_) | Pdu::Outbind(_) => ("bind", String::new(), String::new()),
            _ => ("other", String::new(), String::new()),
        };
        let (mut texts, mut id) = (Vec::new(), String::new());
        let is_receipt = kind == "receipt";
        for (name, value) in decode::explain(pdu) {
            match name {
                "receipt id" => value.trim_matches('"').clone_into(&mut id),
                "receipt stat" | "user data header" => texts.push(value),
                "text" | "data" if !is_receipt => texts.push(value),
                _ => {}
            }
        }
        let mut text = texts.join(", ");
        if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
            text.truncate(end);
            text += "..";
        }
        Self { kind, source, destination, text, id }
    }
}

/// Returns the kind of a deliver_sm or data_sm.
fn incoming(esm_class: EsmClass) -> &'static str {
    if esm_class.is_receipt() { "receipt" } else { "mo" }
}

fn address(digits: smpp_proto::COctets<'_, 21>) -> String {
    text_of(digits.as_bytes())
}

fn text_of(octets: &[u8]) -> String {
    octets.escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use smpp_proto::{Address, SequenceNumber, ShortMessage, SubmitSm, SubmitSmResp};

    use super::*;

    const LIMITS: Limits = Limits { entries: 3, octets: 1 << 20 };

    fn ends() -> (SocketAddr, SocketAddr) {
        (([127, 0, 0, 1], 40000).into(), ([127, 0, 0, 1], 2775).into())
    }

    fn submit(recorder: &mut Recorder, sequence: u32, text: &'static [u8]) {
        let message = SubmitSm {
            destination: Address::international("6591234567").unwrap(),
            short_message: ShortMessage::new(text).unwrap(),
            ..SubmitSm::default()
        };
        let frame = Frame::encode(&Pdu::SubmitSm(message), CommandStatus::ROK, SequenceNumber(sequence));
        recorder.pdu(Duration::from_millis(100), ends(), frame);
    }

    #[test]
    fn a_response_completes_its_request() {
        let log = Log::new(LIMITS);
        let mut recorder = Recorder::new(Arc::clone(&log));
        submit(&mut recorder, 7, b"Hello");
        let before = log.changes(0, 10, "");
        assert_eq!(before["entries"][0]["answer"], Value::Null);
        let response = SubmitSmResp { message_id: "7F".try_into().unwrap(), ..SubmitSmResp::default() };
        let response = Pdu::SubmitSmResp(Some(response));
        let frame = Frame::encode(&response, CommandStatus::ROK, SequenceNumber(7));
        let (esme, smsc) = ends();
        recorder.pdu(Duration::from_millis(350), (smsc, esme), frame);
        let after = log.changes(before["revision"].as_u64().unwrap(), 10, "");
        assert_eq!(after["entries"].as_array().unwrap().len(), 2, "{after}");
        let request = &after["entries"][0];
        assert_eq!(request["answer"], json!({ "status": "ESME_ROK", "ms": 250.0 }));
        assert_eq!((&request["id"], &request["kind"]), (&json!("7F"), &json!("message")));
        assert_eq!(after["entries"][1]["kind"], "response");
        assert_eq!(log.seconds(None)["seconds"][0]["submitted"]["mean"], 250.0);
    }

    #[test]
    fn the_oldest_entries_make_room() {
        let log = Log::new(LIMITS);
        let mut recorder = Recorder::new(Arc::clone(&log));
        for sequence in 1..=5 {
            submit(&mut recorder, sequence, b"Hello");
        }
        assert_eq!(log.len(), (3, 2));
        assert!(log.describe(1).is_none() && log.describe(5).is_none());
        assert!(log.describe(4).unwrap().contains("\"Hello\" (Gsm7)"));

        let small = Log::new(Limits { entries: 1000, octets: 3 * OVERHEAD });
        let mut recorder = Recorder::new(Arc::clone(&small));
        for sequence in 1..=50 {
            submit(&mut recorder, sequence, &[b'a'; 200]);
        }
        assert_eq!(small.len(), (1, 49));
        // A rejection counts as well.
        recorder.rejected("x".repeat(OVERHEAD * 4));
        submit(&mut recorder, 51, b"Hello");
        assert_eq!(small.len(), (1, 50));
    }

    #[test]
    fn octets_that_are_no_pdu_have_an_entry_of_their_own() {
        let log = Log::new(LIMITS);
        let mut recorder = Recorder::new(Arc::clone(&log));
        submit(&mut recorder, 1, b"Hello");
        recorder.broken(Duration::from_millis(200), ends(), "command_length 3".to_owned());
        let shown = log.changes(0, 10, "");
        let [pdu, broken] = &shown["entries"].as_array().unwrap()[..] else { panic!("{shown}") };
        assert_eq!((&pdu["rejected"], &broken["rejected"]), (&Value::Null, &json!("command_length 3")));
        assert_eq!((&broken["n"], &broken["command"]), (&json!(1), &json!("no PDU")));
        assert_eq!(broken["at"], 200.0);
        assert_eq!(log.describe(1).unwrap(), "no PDU\n  rejected: command_length 3");
        // The next PDU is marked, not what came before.
        submit(&mut recorder, 2, b"Bye");
        recorder.rejected("refused".to_owned());
        assert_eq!(log.changes(0, 10, "refused")["entries"][0]["sequence"], 2);
    }

    #[test]
    fn the_octets_of_the_log_are_those_of_its_entries() {
        let log = Log::new(LIMITS);
        let mut recorder = Recorder::new(Arc::clone(&log));
        let (esme, smsc) = ends();
        for sequence in 1..=10 {
            submit(&mut recorder, sequence, b"Hello");
            let message_id = "0123456789".try_into().unwrap();
            let response = SubmitSmResp { message_id, ..SubmitSmResp::default() };
            let response = Pdu::SubmitSmResp(Some(response));
            let frame = Frame::encode(&response, CommandStatus::ROK, SequenceNumber(sequence));
            recorder.pdu(Duration::from_millis(350), (smsc, esme), frame);
            recorder.rejected("first".to_owned());
            recorder.rejected("again".to_owned());
            let inner = log.lock();
            assert_eq!(inner.octets, inner.entries.iter().map(Entry::octets).sum::<usize>());
        }
    }

    #[test]
    fn search_finds_what_the_list_shows() {
        let log = Log::new(LIMITS);
        let mut recorder = Recorder::new(Arc::clone(&log));
        submit(&mut recorder, 1, b"Hello");
        submit(&mut recorder, 2, b"Bye");
        let found = |query: &str| log.changes(0, 10, query)["entries"].as_array().unwrap().len();
        assert_eq!(
            ["HELLO", "bye", "659123", "submit_sm", ":2775", "nothing"].map(found),
            [1, 1, 2, 2, 2, 0]
        );
        let newest = log.changes(0, 1, "");
        assert_eq!((&newest["entries"][0]["sequence"], &newest["more"]), (&json!(2), &json!(1)));
    }

    #[test]
    fn the_requests_that_await_a_response_are_limited() {
        let log = Log::new(LIMITS);
        let mut recorder = Recorder::new(log);
        for sequence in 1..=3 * MAX_AWAITED as u32 {
            submit(&mut recorder, sequence, b"Hello");
        }
        assert!(recorder.awaited.len() <= MAX_AWAITED);
    }
}
