//! Two sessions with a simulated clock and link.
//!
//! [`Peer`] drives a session as an adapter does, and records its events. [`Pair`] connects two of them. The helpers also
//! check in every test that each accepted request has exactly one outcome, that no event follows the end, and that a timer
//! that is due does not stay due.

use std::collections::VecDeque;
use std::time::Duration;

use smpp_proto::session::{
    CloseReason, Config, Esme, Event, Instant, Outcome, Refusal, Reply, Request, Role, SentBy, Session, Smsc,
    Timer, UnansweredReason,
};
use smpp_proto::{
    Address, Bind, BindMode, BindResp, COctets, CommandId, CommandStatus, DecodeErrorKind, DeliverSm,
    Operation, Password, Pdu, SequenceNumber, ShortMessage, SubmitSm, SubmitSmResp, frame,
};

pub(crate) type Tag = &'static str;

/// An event without the borrowed octets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OwnedEvent {
    Request(CommandId),
    Outcome(Tag, OwnedOutcome),
    Refused(CommandId, CommandStatus),
    Malformed(CommandId, DecodeErrorKind),
    LateResponse(SequenceNumber, OwnedOutcome),
    UnexpectedResponse(CommandId),
    PeerUnbind,
    Closed(CloseReason),
}

/// An outcome without the borrowed octets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OwnedOutcome {
    /// The message_id or system_id of the response.
    Accepted(String),
    Refused(CommandStatus),
    Nacked(CommandStatus),
    NeverSent(CloseReason),
    Unanswered(UnansweredReason),
}

pub(crate) struct Peer<R> {
    pub(crate) session: Session<R, Tag>,
    pub(crate) binds: VecDeque<Reply<Bind<'static>>>,
    pub(crate) submits: VecDeque<Reply<SubmitSm<'static>>>,
    pub(crate) delivers: VecDeque<Reply<DeliverSm<'static>>>,
    pub(crate) closed: Option<CloseReason>,
    /// Octets that have arrived and that the session has not read.
    pub(crate) unread: Vec<u8>,
    events: Vec<OwnedEvent>,
    /// Requests without an outcome.
    open: Vec<Tag>,
}

impl<R: Role> Peer<R> {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            session: Session::new(config, Instant::ZERO),
            binds: VecDeque::new(),
            submits: VecDeque::new(),
            delivers: VecDeque::new(),
            closed: None,
            unread: Vec::new(),
            events: Vec::new(),
            open: Vec::new(),
        }
    }

    pub(crate) fn request<O>(
        &mut self,
        now: Instant,
        operation: &O,
        tag: Tag,
    ) -> Result<SequenceNumber, Refusal>
    where
        O: Operation + SentBy<R>,
    {
        match self.session.request(now, operation, tag) {
            Ok(sequence) => {
                self.open.push(tag);
                Ok(sequence)
            }
            Err(refused) => {
                assert_eq!(refused.tag, tag, "a refused request returns its tag");
                Err(refused.reason)
            }
        }
    }

    /// Passes octets to the session. Returns whether it emitted events.
    pub(crate) fn receive(&mut self, now: Instant, octets: &[u8]) -> bool {
        let before = self.events.len();
        self.unread.extend_from_slice(octets);
        let unread = std::mem::take(&mut self.unread);
        let mut input = &unread[..];
        while let Some(event) = self.session.handle_input(now, &mut input) {
            self.record(event);
        }
        self.unread = input.to_vec();
        self.events.len() > before
    }

    /// Passes the time to the session. Returns whether a timer was due.
    pub(crate) fn handle_timeouts(&mut self, now: Instant) -> bool {
        let due = |session: &Session<R, Tag>| session.poll_timeout().is_some_and(|(at, _)| at <= now);
        let was_due = due(&self.session);
        while let Some(event) = self.session.handle_timeout(now) {
            self.record(event);
        }
        if matches!(self.session.poll_timeout(), Some((_, Timer::Input))) {
            self.receive(now, &[]);
        }
        assert!(!due(&self.session), "{:?} stays due", self.session.poll_timeout());
        was_due
    }

    /// Takes all output of the session, as a transport that accepts everything.
    pub(crate) fn transmit(&mut self) -> Vec<u8> {
        let mut octets = Vec::new();
        assert_eq!(self.session.poll_transmit(&mut octets), !octets.is_empty());
        self.session.handle_transmitted(octets.len());
        octets
    }

    /// Returns the events since the last call.
    pub(crate) fn take_events(&mut self) -> Vec<OwnedEvent> {
        std::mem::take(&mut self.events)
    }

    fn record(&mut self, event: Event<'_, Tag>) {
        assert_eq!(self.closed, None, "{event:?} follows the end");
        let owned = match event {
            Event::Request { request, frame, .. } => {
                match request {
                    Request::Bind(_, reply) => self.binds.push_back(reply),
                    Request::SubmitSm(_, reply) => self.submits.push_back(reply),
                    Request::DeliverSm(_, reply) => self.delivers.push_back(reply),
                    other => panic!("{other:?}"),
                }
                OwnedEvent::Request(frame.header().command)
            }
            Event::Outcome { tag, outcome, .. } => {
                let open = self.open.iter().position(|open| *open == tag);
                self.open.remove(open.unwrap_or_else(|| panic!("a second outcome for {tag}: {outcome:?}")));
                OwnedEvent::Outcome(tag, owned_outcome(outcome))
            }
            Event::Refused { frame, status, .. } => OwnedEvent::Refused(frame.header().command, status),
            Event::Malformed { frame, error, .. } => {
                OwnedEvent::Malformed(frame.header().command, error.kind)
            }
            Event::LateResponse { sequence, outcome, .. } => {
                OwnedEvent::LateResponse(sequence, owned_outcome(outcome))
            }
            Event::UnexpectedResponse { frame, .. } => OwnedEvent::UnexpectedResponse(frame.header().command),
            Event::PeerUnbind => OwnedEvent::PeerUnbind,
            Event::Closed(reason) => {
                assert!(self.open.is_empty(), "no outcome for {:?}", self.open);
                self.closed = Some(reason);
                OwnedEvent::Closed(reason)
            }
            other => panic!("{other:?}"),
        };
        self.events.push(owned);
    }
}

fn owned_outcome(outcome: Outcome<'_>) -> OwnedOutcome {
    match outcome {
        Outcome::Accepted(response) => OwnedOutcome::Accepted(match response.pdu() {
            Some(Pdu::BindResp(_, Some(body))) => body.system_id.to_string(),
            Some(Pdu::SubmitSmResp(Some(body))) => body.message_id.to_string(),
            Some(Pdu::DeliverSmResp(Some(body))) => body.message_id.to_string(),
            other => panic!("{other:?}"),
        }),
        Outcome::Refused { status, .. } => OwnedOutcome::Refused(status),
        Outcome::Nacked(status) => OwnedOutcome::Nacked(status),
        Outcome::NeverSent(reason) => OwnedOutcome::NeverSent(reason),
        Outcome::Unanswered(reason) => OwnedOutcome::Unanswered(reason),
    }
}

impl Peer<Esme> {
    /// Submits `text`. The text is also the tag.
    pub(crate) fn submit(&mut self, now: Instant, text: Tag) -> Result<SequenceNumber, Refusal> {
        self.request(now, &submit_sm(text), text)
    }
}

impl Peer<Smsc> {
    /// Answers the oldest submit_sm with a message_id.
    pub(crate) fn accept(&mut self, message_id: &str) {
        let reply = self.submits.pop_front().expect("a submit_sm waits for an answer");
        self.session.respond(reply, Ok(submit_sm_resp(message_id))).unwrap();
    }
}

/// Returns an ESME that is bound in this mode, without a peer session.
pub(crate) fn bound_esme(config: Config, mode: BindMode) -> Peer<Esme> {
    let mut esme = Peer::new(config);
    let sequence = esme.request(Instant::ZERO, &bind(mode), "bind").unwrap();
    esme.transmit();
    let resp = Pdu::BindResp(mode, Some(bind_resp()));
    esme.receive(Instant::ZERO, &octets(resp, CommandStatus::ROK, sequence.0));
    assert_eq!(esme.take_events(), [OwnedEvent::Outcome("bind", accepted("SMSC"))]);
    esme
}

/// Returns an SMSC to which an ESME is bound in this mode, without a peer session.
pub(crate) fn bound_smsc(config: Config, mode: BindMode) -> Peer<Smsc> {
    let mut smsc = Peer::new(config);
    smsc.receive(Instant::ZERO, &request(Pdu::Bind(bind(mode)), 1));
    let reply = smsc.binds.pop_front().unwrap();
    smsc.session.respond(reply, Ok(bind_resp())).unwrap();
    smsc.transmit();
    assert_eq!(smsc.take_events(), [OwnedEvent::Request(mode.command())]);
    smsc
}

/// One direction of the link.
pub(crate) struct Pipe {
    octets: Vec<u8>,
    /// Whether the link accepts no octets from the sender.
    pub(crate) stalled: bool,
    /// Whether the link accepts all octets and loses them.
    pub(crate) lossy: bool,
    /// The largest number of octets delivered at once.
    pub(crate) chunk: usize,
}

pub(crate) struct Pair {
    pub(crate) now: Instant,
    pub(crate) esme: Peer<Esme>,
    pub(crate) smsc: Peer<Smsc>,
    pub(crate) to_smsc: Pipe,
    pub(crate) to_esme: Pipe,
}

impl Pair {
    pub(crate) fn new(esme: Config, smsc: Config) -> Self {
        let pipe = || Pipe { octets: Vec::new(), stalled: false, lossy: false, chunk: usize::MAX };
        Self {
            now: Instant::ZERO,
            esme: Peer::new(esme),
            smsc: Peer::new(smsc),
            to_smsc: pipe(),
            to_esme: pipe(),
        }
    }

    /// Returns two sessions that are bound as transceiver, with the default configuration.
    pub(crate) fn bound() -> Self {
        Self::bound_with(Config::default(), Config::default())
    }

    /// Returns two sessions that are bound as transceiver.
    pub(crate) fn bound_with(esme: Config, smsc: Config) -> Self {
        let mut pair = Self::new(esme, smsc);
        pair.bind(BindMode::Transceiver);
        pair.esme.take_events();
        pair.smsc.take_events();
        pair
    }

    pub(crate) fn bind(&mut self, mode: BindMode) {
        self.esme.request(self.now, &bind(mode), "bind").unwrap();
        self.settle();
        let reply = self.smsc.binds.pop_front().expect("a bind waits for an answer");
        self.smsc.session.respond(reply, Ok(bind_resp())).unwrap();
        self.settle();
    }

    /// The ESME submits `text`, and the SMSC receives it.
    pub(crate) fn submit(&mut self, text: Tag) -> SequenceNumber {
        let sequence = self.esme.submit(self.now, text).unwrap();
        self.settle();
        sequence
    }

    /// Lets `duration` pass, and handles all timers that become due.
    pub(crate) fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            self.settle();
            let due = [self.esme.session.poll_timeout(), self.smsc.session.poll_timeout()];
            match due.into_iter().flatten().map(|(at, _)| at).min() {
                Some(at) if at <= end => self.now = at,
                _ => break,
            }
        }
        self.now = end;
    }

    /// Moves octets until none are left. A side that has ended closes the connection.
    pub(crate) fn settle(&mut self) {
        let now = self.now;
        loop {
            let mut progress = self.to_smsc.transfer(now, &mut self.esme, &mut self.smsc);
            progress |= self.to_esme.transfer(now, &mut self.smsc, &mut self.esme);
            progress |= self.esme.handle_timeouts(now) | self.smsc.handle_timeouts(now);
            if !progress {
                return;
            }
        }
    }

    /// Breaks the connection. Octets in transit are lost.
    pub(crate) fn cut(&mut self) {
        (self.to_smsc.lossy, self.to_esme.lossy) = (true, true);
        self.esme.session.handle_disconnect();
        self.smsc.session.handle_disconnect();
        self.settle();
    }

    /// Makes the link lose all octets, in both directions.
    pub(crate) fn lose_octets(&mut self) {
        (self.to_smsc.lossy, self.to_esme.lossy) = (true, true);
    }
}

impl Pipe {
    fn transfer<A: Role, B: Role>(&mut self, now: Instant, from: &mut Peer<A>, to: &mut Peer<B>) -> bool {
        if self.stalled {
            return false;
        }
        let octets = from.transmit();
        let mut progress = !octets.is_empty();
        if !self.lossy {
            self.octets.extend(octets);
            for chunk in std::mem::take(&mut self.octets).chunks(self.chunk) {
                to.receive(now, chunk);
            }
            progress |= to.receive(now, &[]);
            if from.closed.is_some() {
                to.session.handle_eof();
            }
        }
        progress
    }
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Returns one nanosecond less than this many seconds.
pub(crate) fn just_before(seconds: u64) -> Duration {
    Duration::from_nanos(seconds * 1_000_000_000 - 1)
}

pub(crate) fn bind(mode: BindMode) -> Bind<'static> {
    Bind {
        mode,
        system_id: COctets::new(b"ESME").unwrap(),
        password: Password::new(b"secret").unwrap(),
        interface_version: smpp_proto::InterfaceVersion::V3_4,
        ..Bind::default()
    }
}

pub(crate) fn bind_resp() -> BindResp<'static> {
    BindResp { system_id: COctets::new(b"SMSC").unwrap(), ..BindResp::default() }
}

pub(crate) fn submit_sm(text: &str) -> SubmitSm<'_> {
    SubmitSm {
        destination: Address::international("6591234567").unwrap(),
        short_message: ShortMessage::new(text.as_bytes()).unwrap(),
        ..SubmitSm::default()
    }
}

pub(crate) fn deliver_sm(text: &str) -> DeliverSm<'_> {
    DeliverSm { short_message: ShortMessage::new(text.as_bytes()).unwrap(), ..DeliverSm::default() }
}

pub(crate) fn submit_sm_resp(message_id: &str) -> SubmitSmResp<'_> {
    SubmitSmResp { message_id: message_id.try_into().unwrap(), ..SubmitSmResp::default() }
}

pub(crate) fn accepted(id: &str) -> OwnedOutcome {
    OwnedOutcome::Accepted(id.into())
}

/// Encodes a PDU.
pub(crate) fn octets(pdu: Pdu<'_>, status: CommandStatus, sequence: u32) -> Vec<u8> {
    let mut out = Vec::new();
    pdu.encode(status, SequenceNumber(sequence), &mut out);
    out
}

pub(crate) fn request(pdu: Pdu<'_>, sequence: u32) -> Vec<u8> {
    octets(pdu, CommandStatus::ROK, sequence)
}

/// Encodes any header with any body.
pub(crate) fn raw(command: CommandId, status: CommandStatus, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).unwrap();
    let mut out: Vec<u8> =
        [length, command.0, status.0, sequence].iter().flat_map(|word| word.to_be_bytes()).collect();
    out.extend_from_slice(body);
    out
}

/// Splits `stream` into PDUs: command, status, sequence number, body.
pub(crate) fn pdus(mut stream: &[u8]) -> Vec<(CommandId, CommandStatus, u32, &[u8])> {
    let mut pdus = Vec::new();
    while let Some((pdu, rest)) = frame::split(stream, usize::MAX).unwrap() {
        let header = pdu.header();
        pdus.push((header.command, header.status, header.sequence.0, &pdu.into_inner()[16..]));
        stream = rest;
    }
    assert_eq!(stream, b"", "the output ends within a PDU");
    pdus
}
