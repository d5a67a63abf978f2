//! Two sessions, one clock, one link.
//!
//! [`Peer`] drives a session as an adapter would and keeps what it told; [`Pair`] joins two of them. Every test
//! checks by the way that each accepted request has one outcome, that nothing follows the end, and that a timer
//! which is due does not stay due.

use std::collections::VecDeque;
use std::time::Duration;

use smpp_core::session::{
    CloseReason, Config, Esme, Event, Instant, Outcome, Refusal, Reply, Request, Role, SentBy, Session, Smsc,
    UnansweredReason,
};
use smpp_core::{
    Address, Bind, BindMode, BindResp, COctets, CommandId, CommandStatus, DecodeErrorKind, DeliverSm,
    Operation, Password, Pdu, SequenceNumber, ShortMessage, SubmitSm, SubmitSmResp, frame,
};

pub(crate) type Tag = &'static str;

/// An event, without the octets it borrowed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    Request(CommandId),
    Outcome(Tag, SegmentOutcome),
    Refused(CommandId, CommandStatus),
    Malformed(CommandId, DecodeErrorKind),
    Stray(CommandId),
    PeerUnbind,
    Closed(CloseReason),
}

/// An outcome, likewise.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SegmentOutcome {
    /// With the message_id or system_id of the response.
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
    /// Octets that came and are not read yet.
    pub(crate) unread: Vec<u8>,
    told: Vec<Told>,
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
            told: Vec::new(),
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
                assert_eq!(refused.tag, tag, "a refused request gives its tag back");
                Err(refused.reason)
            }
        }
    }

    /// Octets arrive. Says whether that made the session tell anything.
    pub(crate) fn hear(&mut self, now: Instant, octets: &[u8]) -> bool {
        let told = self.told.len();
        self.unread.extend_from_slice(octets);
        let unread = std::mem::take(&mut self.unread);
        let mut input = &unread[..];
        while let Some(event) = self.session.handle_input(now, &mut input) {
            self.note(event);
        }
        self.unread = input.to_vec();
        self.told.len() > told
    }

    /// Time passes. Says whether anything was due.
    pub(crate) fn wake(&mut self, now: Instant) -> bool {
        let due = |session: &Session<R, Tag>| session.poll_timeout().is_some_and(|(at, _)| at <= now);
        let was_due = due(&self.session);
        while let Some(event) = self.session.handle_timeout(now) {
            self.note(event);
        }
        assert!(!due(&self.session), "{:?} stays due", self.session.poll_timeout());
        was_due
    }

    /// All that the session has to transmit, taken by the transport.
    pub(crate) fn speak(&mut self) -> Vec<u8> {
        let mut octets = Vec::new();
        assert_eq!(self.session.poll_transmit(&mut octets), !octets.is_empty());
        self.session.handle_transmitted(octets.len());
        octets
    }

    /// What was told since the last call.
    pub(crate) fn told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    fn note(&mut self, event: Event<'_, Tag>) {
        assert_eq!(self.closed, None, "{event:?} follows the end");
        let told = match event {
            Event::Request { request, frame, .. } => {
                match request {
                    Request::Bind(_, reply) => self.binds.push_back(reply),
                    Request::SubmitSm(_, reply) => self.submits.push_back(reply),
                    Request::DeliverSm(_, reply) => self.delivers.push_back(reply),
                    other => panic!("{other:?}"),
                }
                Told::Request(frame.header().command)
            }
            Event::Outcome { tag, outcome, .. } => {
                let open = self.open.iter().position(|open| *open == tag);
                self.open.remove(open.unwrap_or_else(|| panic!("a second outcome for {tag}: {outcome:?}")));
                Told::Outcome(tag, fate(outcome))
            }
            Event::Refused { frame, status } => Told::Refused(frame.header().command, status),
            Event::Malformed { frame, error } => Told::Malformed(frame.header().command, error.kind),
            Event::UnexpectedResponse { frame } => Told::Stray(frame.header().command),
            Event::PeerUnbind => Told::PeerUnbind,
            Event::Closed(why) => {
                assert!(self.open.is_empty(), "no outcome for {:?}", self.open);
                self.closed = Some(why);
                Told::Closed(why)
            }
            other => panic!("{other:?}"),
        };
        self.told.push(told);
    }
}

fn fate(outcome: Outcome<'_>) -> SegmentOutcome {
    match outcome {
        Outcome::Accepted(response) => SegmentOutcome::Accepted(match response.pdu() {
            Some(Pdu::BindResp(_, Some(body))) => body.system_id.to_string(),
            Some(Pdu::SubmitSmResp(Some(body))) => body.message_id.to_string(),
            Some(Pdu::DeliverSmResp(Some(body))) => body.message_id.to_string(),
            other => panic!("{other:?}"),
        }),
        Outcome::Refused { status, .. } => SegmentOutcome::Refused(status),
        Outcome::Nacked(status) => SegmentOutcome::Nacked(status),
        Outcome::NeverSent(why) => SegmentOutcome::NeverSent(why),
        Outcome::Unanswered(why) => SegmentOutcome::Unanswered(why),
    }
}

impl Peer<Esme> {
    /// Submits `text`, under itself as the tag.
    pub(crate) fn submit(&mut self, now: Instant, text: Tag) -> Result<SequenceNumber, Refusal> {
        self.request(now, &submit_sm(text), text)
    }
}

impl Peer<Smsc> {
    /// Answers the oldest submit_sm with a message_id.
    pub(crate) fn accept(&mut self, message_id: &str) {
        let reply = self.submits.pop_front().expect("a submit_sm waits");
        self.session.respond(reply, Ok(submit_sm_resp(message_id))).unwrap();
    }
}

/// An ESME whose bind of this mode has been accepted by nobody in particular.
pub(crate) fn bound_esme(config: Config, mode: BindMode) -> Peer<Esme> {
    let mut esme = Peer::new(config);
    let sequence = esme.request(Instant::ZERO, &bind(mode), "bind").unwrap();
    esme.speak();
    let resp = Pdu::BindResp(mode, Some(bind_resp()));
    esme.hear(Instant::ZERO, &octets(resp, CommandStatus::ROK, sequence.0));
    assert_eq!(esme.told(), [Told::Outcome("bind", accepted("SMSC"))]);
    esme
}

/// An SMSC to which nobody in particular is bound.
pub(crate) fn bound_smsc(config: Config, mode: BindMode) -> Peer<Smsc> {
    let mut smsc = Peer::new(config);
    smsc.hear(Instant::ZERO, &request(Pdu::Bind(bind(mode)), 1));
    let reply = smsc.binds.pop_front().unwrap();
    smsc.session.respond(reply, Ok(bind_resp())).unwrap();
    smsc.speak();
    assert_eq!(smsc.told(), [Told::Request(mode.command())]);
    smsc
}

/// One direction of the link.
pub(crate) struct Pipe {
    octets: Vec<u8>,
    /// Takes nothing from the sender.
    pub(crate) stalled: bool,
    /// Takes all and delivers nothing.
    pub(crate) silent: bool,
    /// Octets delivered at once.
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
        let pipe = || Pipe { octets: Vec::new(), stalled: false, silent: false, chunk: usize::MAX };
        Self {
            now: Instant::ZERO,
            esme: Peer::new(esme),
            smsc: Peer::new(smsc),
            to_smsc: pipe(),
            to_esme: pipe(),
        }
    }

    /// Bound as a transceiver, both sides with the default configuration.
    pub(crate) fn bound() -> Self {
        Self::bound_with(Config::default(), Config::default())
    }

    /// Bound as a transceiver.
    pub(crate) fn bound_with(esme: Config, smsc: Config) -> Self {
        let mut pair = Self::new(esme, smsc);
        pair.bind(BindMode::Transceiver);
        pair.esme.told();
        pair.smsc.told();
        pair
    }

    pub(crate) fn bind(&mut self, mode: BindMode) {
        self.esme.request(self.now, &bind(mode), "bind").unwrap();
        self.settle();
        let reply = self.smsc.binds.pop_front().expect("a bind waits");
        self.smsc.session.respond(reply, Ok(bind_resp())).unwrap();
        self.settle();
    }

    /// The ESME submits `text`; the SMSC has it afterwards.
    pub(crate) fn submit(&mut self, text: Tag) -> SequenceNumber {
        let sequence = self.esme.submit(self.now, text).unwrap();
        self.settle();
        sequence
    }

    /// Lets `duration` pass, with all that becomes due meanwhile.
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

    /// Moves octets until nothing moves. Who has closed is hung up on.
    pub(crate) fn settle(&mut self) {
        let now = self.now;
        loop {
            let mut moved = self.to_smsc.carry(now, &mut self.esme, &mut self.smsc);
            moved |= self.to_esme.carry(now, &mut self.smsc, &mut self.esme);
            moved |= self.esme.wake(now) | self.smsc.wake(now);
            if !moved {
                return;
            }
        }
    }

    /// The connection fails; what was on its way is lost.
    pub(crate) fn cut(&mut self) {
        (self.to_smsc.silent, self.to_esme.silent) = (true, true);
        self.esme.session.handle_eof();
        self.smsc.session.handle_eof();
        self.settle();
    }

    /// The link takes octets and loses them, both ways.
    pub(crate) fn silence(&mut self) {
        (self.to_smsc.silent, self.to_esme.silent) = (true, true);
    }
}

impl Pipe {
    fn carry<A: Role, B: Role>(&mut self, now: Instant, from: &mut Peer<A>, to: &mut Peer<B>) -> bool {
        if self.stalled {
            return false;
        }
        let octets = from.speak();
        let mut moved = !octets.is_empty();
        if !self.silent {
            self.octets.extend(octets);
            for chunk in std::mem::take(&mut self.octets).chunks(self.chunk) {
                to.hear(now, chunk);
            }
            moved |= to.hear(now, &[]);
            if from.closed.is_some() {
                to.session.handle_eof();
            }
        }
        moved
    }
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn bind(mode: BindMode) -> Bind<'static> {
    Bind {
        mode,
        system_id: COctets::new(b"ESME").unwrap(),
        password: Password::new(b"secret").unwrap(),
        interface_version: smpp_core::InterfaceVersion::V3_4,
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

pub(crate) fn accepted(id: &str) -> SegmentOutcome {
    SegmentOutcome::Accepted(id.into())
}

/// A PDU as its sender writes it.
pub(crate) fn octets(pdu: Pdu<'_>, status: CommandStatus, sequence: u32) -> Vec<u8> {
    let mut out = Vec::new();
    pdu.encode(status, SequenceNumber(sequence), &mut out);
    out
}

pub(crate) fn request(pdu: Pdu<'_>, sequence: u32) -> Vec<u8> {
    octets(pdu, CommandStatus::ROK, sequence)
}

/// Any header with any body.
pub(crate) fn raw(command: CommandId, status: CommandStatus, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).unwrap();
    let mut out: Vec<u8> =
        [length, command.0, status.0, sequence].iter().flat_map(|word| word.to_be_bytes()).collect();
    out.extend_from_slice(body);
    out
}

/// The PDUs in `stream`: command, status, sequence number, body.
pub(crate) fn said(mut stream: &[u8]) -> Vec<(CommandId, CommandStatus, u32, &[u8])> {
    let mut pdus = Vec::new();
    while let Some((pdu, rest)) = frame::split(stream, usize::MAX).unwrap() {
        let header = pdu.header();
        pdus.push((header.command, header.status, header.sequence.0, &pdu.into_inner()[16..]));
        stream = rest;
    }
    assert_eq!(stream, b"", "a part of a PDU was transmitted");
    pdus
}
