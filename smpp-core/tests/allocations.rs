//! Sending and answering a message allocates no memory. This test has a binary of its own, because it replaces the
//! allocator with one that counts per thread.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test helpers")]

use allocation_counter::{AllocationInfo, measure};
use smpp_proto::account::{self, Account, Action, Credentials};
use smpp_proto::provider::Provider;
use smpp_proto::server::{Admission, BindLimits, ConnectionId, Inbound, Options, Server};
use smpp_proto::session::{Config, Esme, Event, Instant, Outcome, Reply, Request, Role, Session, Smsc};
use smpp_proto::sms::{
    MessageReference, PushErrorReason, Pushed, Reassembler, ReassemblyLimits, SegmentInfo, UserData,
};
use smpp_proto::{
    Address, Bind, BindMode, BindResp, COctets, CommandStatus, DeliverSm, Frame, Pdu, SequenceNumber,
    ShortMessage, SubmitSm, SubmitSmResp, Tag, Tlv, Tlvs, Tolerance,
};

const NOW: Instant = Instant::ZERO;

fn message() -> SubmitSm<'static> {
    SubmitSm {
        destination: Address::international("6591234567").unwrap(),
        short_message: ShortMessage::new(b"Your code is 123456").unwrap(),
        ..SubmitSm::default()
    }
}

/// The other tests depend on this.
#[test]
fn the_allocator_counts_allocations() {
    let allocated = measure(|| drop(std::hint::black_box(vec![0_u8; 8])));
    assert_eq!(allocated.count_total, 1, "{allocated:?}");
}

/// A bound ESME and SMSC, and the octets between them.
struct Pair {
    esme: Session<Esme, u32>,
    smsc: Session<Smsc, u32>,
    octets: Vec<u8>,
    /// The requests that the SMSC has not answered yet.
    replies: Vec<Reply<SubmitSm<'static>>>,
}

impl Pair {
    fn bound(window: u16) -> Self {
        let config = Config::default().window(window).max_unanswered(window).max_output(1 << 20);
        let mut pair = Self {
            esme: Session::new(config, NOW),
            smsc: Session::new(config, NOW),
            octets: Vec::new(),
            replies: Vec::with_capacity(window.into()),
        };
        pair.esme.request(NOW, &Bind::default(), 0).unwrap();
        pair.transfer_to_smsc();
        pair.transfer_to_esme(|_, tag| assert_eq!(tag, 0));
        pair
    }

    /// Transfers the output of the ESME to the SMSC, which answers a bind immediately and stores the replies of
    /// messages.
    fn transfer_to_smsc(&mut self) {
        self.octets.clear();
        self.esme.poll_transmit(&mut self.octets);
        self.esme.handle_transmitted(self.octets.len());
        let mut input = &self.octets[..];
        while let Some(event) = self.smsc.handle_input(NOW, &mut input) {
            let Event::Request { request, .. } = event else { panic!("{event:?}") };
            match request {
                Request::Bind(_, reply) => self.smsc.respond(reply, Ok(BindResp::default())).unwrap(),
                Request::SubmitSm(_, reply) => self.replies.push(reply),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Transfers the output of the SMSC to the ESME, and calls `accepted` with the tag of each accepted request.
    fn transfer_to_esme(&mut self, mut accepted: impl FnMut(&mut Session<Esme, u32>, u32)) {
        self.octets.clear();
        self.smsc.poll_transmit(&mut self.octets);
        self.smsc.handle_transmitted(self.octets.len());
        let mut input = &self.octets[..];
        while let Some(event) = self.esme.handle_input(NOW, &mut input) {
            let Event::Outcome { tag, outcome: Outcome::Accepted(_), .. } = event else {
                panic!("{event:?}")
            };
            accepted(&mut self.esme, tag);
        }
    }

    /// Answers all requests in flight, in order or in reverse order. After each answer the ESME sends another message.
    fn answer_window(&mut self, message: &SubmitSm<'_>, in_order: bool) {
        let window = self.esme.in_flight();
        self.transfer_to_smsc();
        assert_eq!(self.replies.len(), window);
        if in_order {
            self.replies.reverse();
        }
        let message_id = COctets::new(b"0123456789").unwrap();
        while let Some(reply) = self.replies.pop() {
            self.smsc.respond(reply, Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() })).unwrap();
        }
        self.transfer_to_esme(|esme, tag| {
            esme.request(NOW, message, tag).unwrap();
            assert_eq!(esme.in_flight(), window, "the window stays full");
        });
    }
}

#[test]
fn a_message_and_its_response_allocate_nothing() {
    let message = message();
    for window in [1_u16, 64, 4096] {
        let mut pair = Pair::bound(window);
        for tag in 0..window {
            pair.esme.request(NOW, &message, tag.into()).unwrap();
        }
        for in_order in [true, false] {
            // Warm up: the buffers that session and caller exchange reach their final size.
            (0..4).for_each(|_| pair.answer_window(&message, in_order));
            let rounds = 4096 / window + 4;
            let allocated = measure(|| (0..rounds).for_each(|_| pair.answer_window(&message, in_order)));
            assert_eq!(allocated.count_total, 0, "window {window}, in order {in_order}: {allocated:?}");
        }
    }
}

/// Counts the memory of an idle bound session, including the session struct, but not the output that the caller took.
#[test]
fn an_idle_bound_session_uses_at_most_a_kibibyte() {
    let mut bind = Vec::new();
    Pdu::Bind(Bind::default()).encode(CommandStatus::ROK, SequenceNumber(1), &mut bind);
    let mut bind_resp = Vec::new();
    Pdu::BindResp(BindMode::Transceiver, Some(BindResp::default())).encode(
        CommandStatus::ROK,
        SequenceNumber(1),
        &mut bind_resp,
    );

    let mut smsc = None;
    let allocated = measure(|| {
        let mut session = Session::<Smsc, u32>::new(Config::default(), NOW);
        let Some(Event::Request { request: Request::Bind(_, reply), .. }) =
            session.handle_input(NOW, &mut &bind[..])
        else {
            panic!("no bind")
        };
        session.respond(reply, Ok(BindResp::default())).unwrap();
        transmit(&mut session);
        smsc = Some(session);
    });
    assert!(smsc.is_some_and(|session| session.state().is_bound()));
    let smsc = footprint::<Smsc>(allocated);

    let mut esme = None;
    let allocated = measure(|| {
        let mut session = Session::<Esme, u32>::new(Config::default(), NOW);
        session.request(NOW, &Bind::default(), 0).unwrap();
        transmit(&mut session);
        assert!(session.handle_input(NOW, &mut &bind_resp[..]).is_some());
        esme = Some(session);
    });
    assert!(esme.is_some_and(|session| session.state().is_bound()));
    let esme = footprint::<Esme>(allocated);

    assert!(smsc <= 1024 && esme <= 1024, "octets of an SMSC: {smsc}, of an ESME: {esme}");
}

#[test]
fn a_session_that_shrinks_frees_what_its_requests_took() {
    let mut pair = Pair::bound(64);
    for tag in 0..64 {
        pair.esme.request(NOW, &message(), tag).unwrap();
    }
    pair.transfer_to_smsc();
    for reply in core::mem::take(&mut pair.replies) {
        pair.smsc.respond(reply, Ok(SubmitSmResp::default())).unwrap();
    }
    pair.transfer_to_esme(|_, _| {});
    let freed = |shrunk: AllocationInfo| usize::try_from(-shrunk.bytes_current).unwrap();
    let esme = freed(measure(|| pair.esme.shrink()));
    assert!(esme > 64 * 40, "{esme} octets: the window");
    assert_eq!(measure(|| pair.esme.shrink()).bytes_current, 0, "nothing is left to free");
    // The sessions go on.
    pair.esme.request(NOW, &message(), 7).unwrap();
    pair.transfer_to_smsc();
    assert_eq!(pair.replies.len(), 1);
}

fn transmit<R: Role>(session: &mut Session<R, u32>) {
    let mut octets = Vec::new();
    session.poll_transmit(&mut octets);
    session.handle_transmitted(octets.len());
}

/// Returns the octets of a session struct and of its allocations.
fn footprint<R: Role>(allocated: AllocationInfo) -> usize {
    size_of::<Session<R, u32>>() + usize::try_from(allocated.bytes_current).unwrap()
}

#[test]
fn decoding_allocates_nothing() {
    let list = [Tlv::u16(Tag::USER_MESSAGE_REFERENCE, 7), Tlv::new(Tag::MESSAGE_PAYLOAD, b"text").unwrap()];
    let mut octets = Vec::new();
    Pdu::SubmitSm(SubmitSm { tlvs: Tlvs::list(&list), ..message() }).encode(
        CommandStatus::ROK,
        SequenceNumber(1),
        &mut octets,
    );
    let frame = Frame::new(&octets[..]).unwrap();
    let cut = Frame::new([&[0, 0, 0, 20][..], &octets[4..20]].concat()).unwrap();
    let allocated = measure(|| {
        let Ok((Pdu::SubmitSm(read), _)) = frame.pdu(Tolerance::LENIENT) else { panic!("{frame:?}") };
        assert_eq!(read.tlvs.user_message_reference(), Some(7));
        assert_eq!(read.tlvs.iter().count(), 2);
        assert!(cut.pdu(Tolerance::LENIENT).is_err(), "an error allocates nothing either");
    });
    assert_eq!(allocated.count_total, 0, "{allocated:?}");
}

#[test]
fn encoding_allocates_nothing_but_the_buffer() {
    let pdu = Pdu::SubmitSm(message());
    let mut slice = [0; 256];
    let mut buffer = Vec::with_capacity(256);
    let allocated = measure(|| {
        let length = pdu.encode_into(CommandStatus::ROK, SequenceNumber(1), &mut slice).unwrap();
        pdu.encode(CommandStatus::ROK, SequenceNumber(1), &mut buffer);
        assert_eq!(slice[..length], buffer);
    });
    assert_eq!(allocated.count_total, 0, "{allocated:?}");
}

#[test]
fn a_new_session_allocates_nothing() {
    let allocated = measure(|| {
        let session = Session::<Smsc, u32>::new(Config::default().window(u16::MAX), Instant::ZERO);
        assert_eq!(session.in_flight(), 0);
    });
    assert_eq!(allocated.count_total, 0, "{allocated:?}");
}

/// Pushes segment `number` of `total`, with 140 octets, of the message with this sender and reference.
fn push_segment(
    reassembler: &mut Reassembler,
    (sender, reference): (&str, u16),
    (number, total): (u8, u8),
) -> Pushed<()> {
    let source = Address::<21>::international(sender).unwrap();
    let destination = Address::<21>::international("6591234567").unwrap();
    let segment = Some(SegmentInfo { reference: MessageReference::Sar(reference), total, number });
    let user_data = UserData::default().octets(&[b'a'; 140]).segment(segment);
    reassembler.push(NOW, source, destination, &user_data, ()).unwrap()
}

/// The first segment of a message allocates its octets, and nothing else once the tables have their size. Each further
/// segment allocates its octets and grows the list of segments.
#[test]
fn a_reassembled_message_allocates_little() {
    let limits = ReassemblyLimits::default().max_octets(usize::MAX);
    let mut reassembler = Reassembler::new(limits);
    let mut complete = |total: u8, reference: u16| {
        let sender = (6_591_000_000 + u64::from(reference)).to_string();
        let push = |number| {
            let mut pushed = None;
            let of = (&sender[..], reference);
            let allocated = measure(|| pushed = Some(push_segment(&mut reassembler, of, (number, total))));
            assert_eq!(matches!(pushed, Some(Pushed::Complete(_))), number == total);
            allocated.count_total
        };
        (1..=total).map(push).collect::<Vec<_>>()
    };
    // Warm up: the tables reach their size.
    (0..1_500).for_each(|reference| drop(complete(2, reference)));
    for reference in 1_500..1_600 {
        assert_eq!(complete(2, reference), [1, 2]);
        assert_eq!(complete(3, reference), [1, 2, 2]);
        assert_eq!(complete(4, reference), [1, 2, 2, 3], "with the digests, to recognise a repeat");
    }
}

/// Counts everything that a first segment of 140 octets takes, the tables included.
#[test]
fn a_first_segment_takes_at_most_300_octets() {
    let limits = ReassemblyLimits::default().max_messages(usize::MAX).max_octets(usize::MAX);
    for (senders, messages) in [(1_000, 2_u16), (100, 20), (10_000, 1)] {
        let mut reassembler = Reassembler::new(limits);
        let numbers: Vec<_> = (0..senders).map(|sender| (6_591_000_000 + sender).to_string()).collect();
        let allocated = measure(|| {
            for sender in &numbers {
                for reference in 0..messages {
                    let pushed = push_segment(&mut reassembler, (sender, reference), (1, 2));
                    assert!(matches!(pushed, Pushed::Stored { .. }));
                }
            }
        });
        let parts = senders * u64::from(messages);
        let octets = u64::try_from(allocated.bytes_current).unwrap().div_ceil(parts);
        // Also with the steps in which the tables grow.
        let allocations = allocated.count_total;
        println!(
            "{senders} senders, {messages} messages each: {octets} octets, {allocations} allocations for {parts}"
        );
        assert!(octets <= 300, "{senders} senders, {messages} messages each: {octets} octets");
        assert!(
            allocations <= parts + parts / 5,
            "{senders} senders, {messages} each: {allocations} allocations"
        );
    }
}

/// The octets that a reassembler counts are the octets that it allocates, so that its limit holds.
#[test]
fn a_reassembler_allocates_no_more_octets_than_it_counts() {
    // The reassembler does not count the initial nodes of its trees.
    const UNCOUNTED: usize = 8 * 1024;
    let limits = ReassemblyLimits::default()
        .max_messages(usize::MAX)
        .max_octets(500_000)
        .max_messages_per_sender(usize::MAX)
        .max_octets_per_sender(usize::MAX);
    for (total, length) in [(2, 0), (2, 153), (3, 153), (9, 153), (255, 140), (2, 5_000)] {
        let mut reassembler = None;
        let octets = vec![b'a'; length];
        let allocated = measure(|| {
            let filled = reassembler.insert(Reassembler::<[u64; 3]>::new(limits));
            let full = (0..=u16::MAX).find_map(|reference| {
                (1..total).find_map(|number| {
                    let reference = MessageReference::Sar(reference.wrapping_mul(40_503));
                    let segment = Some(SegmentInfo { reference, total, number });
                    let user_data = UserData::default().octets(&octets).segment(segment);
                    let source = Address::international("6591234567").unwrap();
                    filled.push(NOW, source, source, &user_data, [0; 3]).err()
                })
            });
            assert_eq!(full.unwrap().reason, PushErrorReason::Full);
        });
        let counted = reassembler.unwrap().octets();
        let held = usize::try_from(allocated.bytes_current).unwrap();
        assert!(counted <= limits.max_octets && counted > limits.max_octets * 9 / 10, "{counted}");
        assert!(
            held <= counted + UNCOUNTED,
            "{held} octets allocated, {counted} counted: {total} segments of {length}"
        );
        assert!(
            held >= counted / 2,
            "{held} octets allocated, {counted} counted: {total} segments of {length}"
        );
    }
}

/// An MO message of one PDU is copied once.
#[test]
fn a_message_that_is_delivered_to_an_account_allocates_its_octets() {
    let options = account::Options::new(Credentials::new("test", ""), &Provider::EIGHT_BY_EIGHT);
    let mut account = Account::<()>::new(options, NOW).unwrap();
    let Some(Action::Resolve { link }) = account.poll_action() else { panic!("no bind") };
    account.handle_resolved(NOW, link, Ok(&["192.0.2.1:2775".parse().unwrap()]));
    assert!(account.handle_connected(NOW, link, ()));
    let mut output = Vec::new();
    assert!(account.poll_transmit(link, &mut output));
    let response = Pdu::BindResp(BindMode::Transceiver, Some(BindResp::default()));
    let response = Frame::encode(&response, CommandStatus::ROK, SequenceNumber(1));
    account.handle_input(NOW, link, &mut response.octets());
    while account.poll_event().is_some() {}

    let message = DeliverSm {
        source: Address::international("6591234567").unwrap(),
        short_message: ShortMessage::new(b"yes").unwrap(),
        ..DeliverSm::default()
    };
    let mut deliver = |sequence| {
        let delivered = Frame::encode(&Pdu::DeliverSm(message), CommandStatus::ROK, SequenceNumber(sequence));
        let allocated = measure(|| {
            account.handle_input(NOW, link, &mut delivered.octets());
            let Some(account::Event::Message { ack, .. }) = account.poll_event() else {
                panic!("no message")
            };
            account.acknowledge(NOW, ack, Ok(())).unwrap();
        });
        output.clear();
        account.poll_transmit(link, &mut output);
        account.handle_transmitted(NOW, link, output.len());
        (allocated.count_total, allocated.bytes_total, delivered.octets().len() as u64)
    };
    // The tables reach their size first.
    for sequence in 1..200 {
        let (count, octets, length) = deliver(sequence);
        if sequence < 100 {
            continue;
        }
        assert!(count <= 1 && octets <= length, "{count} allocations of {octets} octets for {length}");
    }
}

/// A server with this many binds, and what it holds for each.
fn server_with_binds(binds: usize) -> (Server, Vec<ConnectionId>, AllocationInfo) {
    let mut bind = Vec::new();
    Pdu::Bind(Bind { system_id: COctets::new(b"shop").unwrap(), ..Bind::default() }).encode(
        CommandStatus::ROK,
        SequenceNumber(1),
        &mut bind,
    );
    let options = Options::default()
        .connections(usize::MAX)
        .connections_per_address(usize::MAX)
        .binds(BindLimits::total(u16::MAX));
    let mut server = Server::new(options);
    let mut ids = Vec::with_capacity(binds);
    let allocated = measure(|| {
        for _ in 0..binds {
            let id = server.accept(NOW, ([192, 0, 2, 1], 1).into(), Config::default(), ()).unwrap();
            assert!(server.handle_input(NOW, id, &mut &bind[..]).is_some());
            server.decide(NOW, id, Ok(Admission::default())).unwrap();
            let mut octets = Vec::new();
            server.poll_transmit(id, &mut octets);
            server.handle_transmitted(NOW, id, octets.len());
            while server.poll_event().is_some() || server.poll_action().is_some() {}
            ids.push(id);
        }
    });
    (server, ids, allocated)
}

#[test]
fn an_idle_bind_of_a_server_holds_little() {
    const BINDS: usize = 1_000;
    let (server, _, allocated) = server_with_binds(BINDS);
    let each = usize::try_from(allocated.bytes_current).unwrap() / BINDS;
    assert_eq!(server.stats().bound, BINDS);
    // The session, its entry, and its places in the tables.
    assert!(each <= 1_228, "{each} octets of a bind");
}

#[test]
fn a_request_that_a_server_answers_in_place_allocates_nothing() {
    let (mut server, ids, _) = server_with_binds(2);
    let mut octets = Vec::new();
    for number in 2..102 {
        Pdu::SubmitSm(message()).encode(CommandStatus::ROK, SequenceNumber(number), &mut octets);
    }
    let mut output = Vec::new();
    let mut serve = |server: &mut Server| {
        let (mut input, mut requests) = (&octets[..], 0);
        while let Some(inbound) = server.handle_input(NOW, ids[0], &mut input) {
            let Inbound::Request { request: Request::SubmitSm(_, reply), .. } = inbound else { continue };
            server.respond(NOW, ids[0], reply, Ok(SubmitSmResp::default())).unwrap();
            requests += 1;
        }
        output.clear();
        server.poll_transmit(ids[0], &mut output);
        server.handle_transmitted(NOW, ids[0], output.len());
        requests
    };
    // Two rounds fill the two buffers of the output.
    for _ in 0..2 {
        assert_eq!(serve(&mut server), 100);
    }
    let allocated = measure(|| assert_eq!(serve(&mut server), 100));
    assert_eq!(allocated.count_total, 0, "{allocated:?}");
    let shrunk = measure(|| server.shrink(ids[0]));
    assert!(shrunk.bytes_current < 0, "the output buffer is freed: {shrunk:?}");
    assert_eq!(serve(&mut server), 100);
}
