//! MO messages: one sender beside others, redeliveries after lost acknowledgements, and an SMSC that sends one segment at a
//! time.

use super::*;
use crate::Address;

const MILLISECOND: Duration = Duration::from_millis(1);

/// Returns a bound account with this many transceivers.
fn bound(binds: u16, options: Options) -> Simulation {
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(binds), ..options });
    sim.advance(SECOND);
    assert_eq!(sim.bound_links(), usize::from(binds));
    sim.events.clear();
    sim
}

/// The octets of a segment: a header with a reference, and a text.
struct Segment(Vec<u8>);

impl Segment {
    fn new(reference: u16, number: u8, total: u8) -> Self {
        let [high, low] = reference.to_be_bytes();
        let text = [b'a' + number; 20];
        Self([&[6, 8, 4, high, low, total, number][..], &text].concat())
    }

    fn from(&self, sender: &'static str) -> DeliverSm<'_> {
        DeliverSm {
            esm_class: EsmClass::UDHI,
            short_message: ShortMessage::new(&self.0).unwrap(),
            ..single(sender, b"")
        }
    }
}

fn single<'a>(sender: &'static str, text: &'a [u8]) -> DeliverSm<'a> {
    DeliverSm {
        source: Address::international(sender).unwrap(),
        destination: Address::international("6580001").unwrap(),
        short_message: ShortMessage::new(text).unwrap(),
        ..DeliverSm::default()
    }
}

impl Simulation {
    fn deliver_now(&mut self, server: usize, message: &DeliverSm<'_>) {
        self.deliver(server, message);
        self.settle();
    }

    /// Delivers a PDU, and returns its octets as the account has read them.
    fn deliver_octets(&mut self, server: usize, message: &DeliverSm<'_>) -> Vec<u8> {
        self.deliver(server, message);
        let mut octets = Vec::new();
        let session = &mut self.servers[server].session;
        assert!(session.poll_transmit(&mut octets));
        session.handle_transmitted(octets.len());
        self.pass(server, &octets);
        octets
    }

    fn pass(&mut self, server: usize, octets: &[u8]) {
        let mut input = octets;
        self.account.handle_input(self.now, self.servers[server].link, &mut input);
        self.events.extend(core::iter::from_fn(|| self.account.poll_event()));
    }

    /// The connection breaks. What the account has not transmitted is lost.
    fn cut_server(&mut self, server: usize) {
        let link = self.servers[server].link;
        self.account.handle_disconnect(self.now, link);
        self.settle();
    }

    /// Removes and returns the messages that were emitted.
    fn messages(&mut self) -> Vec<(InboundMessage, Ack)> {
        let mut messages = Vec::new();
        for event in core::mem::take(&mut self.events) {
            match event {
                Event::Message { message, ack } => messages.push((message, ack)),
                other => self.events.push(other),
            }
        }
        messages
    }

    fn message(&mut self) -> (InboundMessage, Ack) {
        let mut messages = self.messages();
        assert_eq!(messages.len(), 1);
        messages.remove(0)
    }

    fn accept(&mut self, ack: Ack) -> Result<(), AckError> {
        self.account.acknowledge(self.now, ack, Ok(()))
    }

    /// Returns how many deliveries wait for the account's response.
    fn waiting(&self) -> usize {
        self.servers.iter().map(|server| server.session.in_flight()).sum()
    }
}

#[test]
fn a_thousand_first_segments_of_one_sender_do_not_keep_out_others() {
    for mode in [SegmentAckMode::Adaptive, SegmentAckMode::Strict] {
        let mut sim = bound(1, Options { segment_ack_mode: mode, ..options() });
        for reference in 0..1_000 {
            sim.deliver_now(0, &Segment::new(reference, 1, 2).from("6591234567"));
        }
        // No time has passed: no segment was acknowledged, and the SMSC keeps those that made room.
        assert_eq!((sim.refusals.len(), sim.waiting(), sim.messages().len()), (950, 50, 0), "{mode:?}");
        assert!(sim.refusals.iter().all(|status| *status == CommandStatus::RX_T_APPN));
        for sender in ["6587654321", "6587654322"] {
            for number in 1..=3 {
                sim.deliver_now(0, &Segment::new(7, number, 3).from(sender));
            }
            let (message, ack) = sim.message();
            assert!(
                message.is_complete() && message.source() == Address::international(sender).unwrap().into()
            );
            sim.accept(ack).unwrap();
        }
        // The first sender's newest message can be completed.
        sim.deliver_now(0, &Segment::new(999, 2, 2).from("6591234567"));
        let (message, ack) = sim.message();
        assert!(message.is_complete());
        sim.accept(ack).unwrap();
        assert_eq!(sim.refusals.len(), 950);
    }
}

#[test]
fn what_makes_room_is_emitted_if_it_was_acknowledged() {
    let reassembly = crate::sms::ReassemblyLimits {
        max_messages_per_sender: 2,
        ..crate::sms::ReassemblyLimits::default()
    };
    let mut sim = bound(1, Options { reassembly, ..options() });
    sim.deliver_now(0, &Segment::new(1, 1, 2).from("6591234567"));
    sim.advance(60 * MILLISECOND);
    assert_eq!(sim.waiting(), 0, "the SMSC has deleted it");
    sim.deliver_now(0, &Segment::new(2, 1, 2).from("6591234567"));
    sim.deliver_now(0, &Segment::new(3, 1, 2).from("6591234567"));
    let (message, ack) = sim.message();
    assert!(!message.is_complete());
    assert_eq!(message.octets(), [b'b'; 20]);
    sim.accept(ack).unwrap();
    sim.deliver_now(0, &Segment::new(4, 1, 2).from("6591234567"));
    assert_eq!((sim.messages().len(), sim.refusals.len()), (0, 1), "the second one is left to the SMSC");
}

#[test]
fn messages_that_displace_each_other_are_emitted_in_the_end() {
    let reassembly = crate::sms::ReassemblyLimits {
        max_messages_per_sender: 1,
        ..crate::sms::ReassemblyLimits::default()
    };
    let mut sim = bound(1, Options { reassembly, segment_ack_mode: SegmentAckMode::Strict, ..options() });
    // The SMSC redelivers what was refused.
    for reference in [1, 2, 1, 2] {
        sim.deliver_now(0, &Segment::new(reference, 1, 2).from("6591234567"));
    }
    assert_eq!((sim.refusals.len(), sim.waiting()), (2, 2));
    let (message, ack) = sim.message();
    assert!(!message.is_complete());
    sim.accept(ack).unwrap();
    sim.settle();
    assert_eq!(sim.waiting(), 1);
}

#[test]
fn the_oldest_message_of_all_makes_room_when_the_whole_is_full() {
    let reassembly =
        crate::sms::ReassemblyLimits { max_messages: 2, ..crate::sms::ReassemblyLimits::default() };
    let mut sim = bound(1, Options { reassembly, ..options() });
    for sender in ["1", "2", "3"] {
        sim.deliver_now(0, &Segment::new(1, 1, 2).from(sender));
    }
    assert_eq!((sim.refusals.len(), sim.waiting()), (1, 2));
    for sender in ["2", "3"] {
        sim.deliver_now(0, &Segment::new(1, 2, 2).from(sender));
    }
    assert_eq!(sim.messages().iter().filter(|(message, _)| message.is_complete()).count(), 2);
}

/// Delivers messages of three segments, each segment once the one before is acknowledged. Returns how long each message
/// takes.
fn deliver_one_at_a_time(sim: &mut Simulation, messages: u16) -> Vec<Duration> {
    let mut took = Vec::new();
    for reference in 0..messages {
        let start = sim.now;
        for number in 1..=3 {
            sim.deliver_now(0, &Segment::new(100 + reference, number, 3).from("6591234567"));
            while sim.waiting() > 0 && number < 3 {
                sim.advance(MILLISECOND);
            }
        }
        let (message, ack) = sim.message();
        assert!(message.is_complete());
        sim.accept(ack).unwrap();
        sim.settle();
        took.push(sim.now - start);
    }
    took
}

/// Delivers a message of three segments at once.
fn deliver_ahead(sim: &mut Simulation, reference: u16) {
    for number in 1..=3 {
        sim.deliver_now(0, &Segment::new(reference, number, 3).from("6591234567"));
    }
    assert_eq!(sim.waiting(), 3, "the SMSC keeps all segments until the application has stored them");
    let (message, ack) = sim.message();
    assert!(message.is_complete());
    sim.accept(ack).unwrap();
    sim.settle();
    assert_eq!(sim.waiting(), 0);
}

#[test]
fn an_smsc_that_sends_one_segment_at_a_time_does_not_wait() {
    let mut sim = bound(1, options());
    let took = deliver_one_at_a_time(&mut sim, 3);
    assert!(took.iter().all(|took| *took < 300 * MILLISECOND), "{took:?}");
    let mut strict = bound(1, Options { segment_ack_mode: SegmentAckMode::Strict, ..options() });
    assert_eq!(deliver_one_at_a_time(&mut strict, 1), [10 * SECOND]);
    let short = Options { segment_ack_timeout: 10 * MILLISECOND, ..options() };
    assert_eq!(deliver_one_at_a_time(&mut bound(1, short), 1), [20 * MILLISECOND], "the upper limit");
}

#[test]
fn an_smsc_that_sends_ahead_keeps_the_segments() {
    let mut sim = bound(1, options());
    deliver_ahead(&mut sim, 1);
    // The account has learnt it: two segments, and the third comes 4 s later.
    for number in 1..=2 {
        sim.deliver_now(0, &Segment::new(2, number, 3).from("6591234567"));
    }
    sim.advance(4 * SECOND);
    assert_eq!(sim.waiting(), 2);
    sim.advance(SECOND);
    assert_eq!(sim.waiting(), 0, "the upper limit");
}

#[test]
fn an_smsc_at_its_window_does_not_wait() {
    let mut sim = bound(1, options());
    // The most that this SMSC has ever had unanswered: three.
    deliver_ahead(&mut sim, 1);
    for number in 1..=3 {
        sim.deliver_now(0, &Segment::new(2, number, 4).from("6591234567"));
    }
    sim.advance(49 * MILLISECOND);
    assert_eq!(sim.waiting(), 3);
    sim.advance(MILLISECOND);
    assert_eq!(sim.waiting(), 0);
}

#[test]
fn an_smsc_that_no_longer_sends_ahead_waits_once() {
    let mut sim = bound(1, options());
    deliver_ahead(&mut sim, 1);
    let took = deliver_one_at_a_time(&mut sim, 3);
    assert!(took[0] >= 5 * SECOND && took[0] < 5 * SECOND + 300 * MILLISECOND, "{took:?}");
    assert!(took[1..].iter().all(|took| *took < 300 * MILLISECOND), "{took:?}");
}

#[test]
fn segments_redelivered_after_a_lost_acknowledgement_are_acknowledged_whatever_else_is_held() {
    let mut sim = bound(2, options());
    for number in 1..=2 {
        sim.deliver_now(0, &Segment::new(1, number, 2).from("6591234567"));
    }
    let (_, ack) = sim.message();
    // Another message is incomplete, and a third waits for the application.
    sim.deliver_now(1, &Segment::new(1, 1, 2).from("6587654321"));
    for number in 1..=2 {
        sim.deliver_now(1, &Segment::new(2, number, 2).from("6587654321"));
    }
    let (_, waiting) = sim.message();
    sim.cut_server(0);
    let busy = sim.waiting();
    // The application has not accepted it: the SMSC keeps the segments.
    sim.deliver_now(0, &Segment::new(1, 1, 2).from("6591234567"));
    assert_eq!(sim.refusals, [CommandStatus::RX_T_APPN]);
    assert!(sim.accept(ack).is_err());
    for number in 1..=2 {
        sim.deliver_now(0, &Segment::new(1, number, 2).from("6591234567"));
    }
    assert_eq!((sim.refusals.len(), sim.waiting(), sim.messages().len()), (1, busy, 0));
    // Those of the message that waits are refused.
    sim.deliver_now(0, &Segment::new(2, 1, 2).from("6587654321"));
    assert_eq!(sim.refusals.len(), 2);
    sim.accept(waiting).unwrap();
}

#[test]
fn a_redelivered_segment_replaces_one_whose_bind_has_ended() {
    let strict = Options { segment_ack_mode: SegmentAckMode::Strict, ..options() };
    let mut sim = bound(2, strict);
    sim.deliver_now(0, &Segment::new(1, 1, 2).from("6591234567"));
    sim.deliver_now(1, &Segment::new(1, 1, 2).from("6591234567"));
    assert_eq!(sim.refusals.len(), 1, "the first bind lives");
    sim.cut_server(0);
    sim.deliver_now(0, &Segment::new(1, 1, 2).from("6591234567"));
    assert_eq!((sim.refusals.len(), sim.waiting()), (1, 1), "held again");
    sim.deliver_now(0, &Segment::new(1, 2, 2).from("6591234567"));
    let (message, ack) = sim.message();
    assert!(message.is_complete());
    assert_eq!(sim.accept(ack), Ok(()), "both segments are acknowledged");
    sim.settle();
    assert_eq!(sim.waiting(), 0);
}

#[test]
fn the_duplicate_window_counts_from_the_acceptance() {
    let mut sim = bound(2, options());
    for number in 1..=2 {
        sim.deliver_now(0, &Segment::new(1, number, 2).from("6591234567"));
    }
    let (_, ack) = sim.message();
    sim.cut_server(0);
    sim.advance(100 * SECOND);
    assert!(sim.accept(ack).is_err());
    sim.advance(100 * SECOND);
    sim.deliver_now(0, &Segment::new(1, 1, 2).from("6591234567"));
    assert_eq!((sim.waiting(), sim.refusals.len()), (0, 0));
    sim.advance(21 * SECOND);
    sim.deliver_now(0, &Segment::new(1, 1, 2).from("6591234567"));
    assert_eq!(sim.waiting(), 1, "a new message");
}

#[test]
fn an_incomplete_message_that_was_taken_is_not_given_again() {
    let reassembly =
        crate::sms::ReassemblyLimits { max_age: SECOND, ..crate::sms::ReassemblyLimits::default() };
    let strict = Options { segment_ack_mode: SegmentAckMode::Strict, reassembly, ..options() };
    let mut sim = bound(2, strict);
    sim.deliver_now(0, &Segment::new(1, 1, 2).from("6591234567"));
    sim.advance(SECOND);
    let (message, ack) = sim.message();
    assert!(!message.is_complete());
    sim.cut_server(0);
    assert!(sim.accept(ack).is_err());
    sim.deliver_now(0, &Segment::new(1, 1, 2).from("6591234567"));
    sim.advance(5 * SECOND);
    assert_eq!((sim.waiting(), sim.messages().len()), (0, 0));
}

#[test]
fn a_single_pdu_whose_acknowledgement_never_left_is_not_given_again() {
    let mut sim = bound(2, options());
    sim.deliver_now(0, &single("6591234567", b"yes"));
    let (_, ack) = sim.message();
    // Accepted, and the connection breaks before the response leaves.
    sim.accept(ack).unwrap();
    sim.cut_server(0);
    sim.deliver_now(0, &single("6591234567", b"yes"));
    assert_eq!((sim.waiting(), sim.messages().len()), (0, 0), "acknowledged, and not given again");
    sim.deliver_now(0, &single("6591234567", b"yes"));
    assert_eq!(sim.messages().len(), 1, "the person has written it twice");
}

#[test]
fn the_acknowledgement_of_a_redelivery_may_be_lost_too() {
    let mut sim = bound(2, options());
    sim.deliver_now(0, &single("6591234567", b"yes"));
    let (_, ack) = sim.message();
    sim.cut_server(0);
    assert!(sim.accept(ack).is_err(), "the bind has ended");
    for _ in 0..3 {
        sim.deliver_octets(0, &single("6591234567", b"yes"));
        sim.cut_server(0);
        sim.advance(10 * SECOND);
    }
    sim.deliver_now(0, &single("6591234567", b"yes"));
    assert_eq!((sim.waiting(), sim.messages().len()), (0, 0));
}

#[test]
fn a_single_pdu_whose_acknowledgement_has_left_may_be_another_message() {
    let mut sim = bound(2, options());
    sim.deliver_now(0, &single("6591234567", b"yes"));
    let (_, ack) = sim.message();
    sim.accept(ack).unwrap();
    sim.settle();
    sim.cut_server(0);
    sim.deliver_now(0, &single("6591234567", b"yes"));
    assert_eq!(sim.messages().len(), 1, "a second message must not be lost");
}

#[test]
fn equal_messages_on_binds_that_live_are_all_given() {
    let mut sim = bound(2, options());
    for server in [0, 1, 0] {
        sim.deliver_now(server, &single("6591234567", b"yes"));
    }
    let messages = sim.messages();
    assert_eq!(messages.len(), 3);
    for (_, ack) in messages {
        sim.accept(ack).unwrap();
    }
    sim.settle();
    assert_eq!(sim.waiting(), 0);
}

#[test]
fn a_redelivery_gets_the_response_that_the_application_gives_to_the_first_copy() {
    for result in [Ok(()), Err(CommandStatus::RX_T_APPN)] {
        let mut sim = bound(2, options());
        sim.deliver_now(0, &single("6591234567", b"yes"));
        let (_, ack) = sim.message();
        sim.cut_server(0);
        sim.deliver_now(0, &single("6591234567", b"yes"));
        assert_eq!((sim.waiting(), sim.messages().len()), (1, 0), "it waits with the first copy");
        assert_eq!(sim.account.acknowledge(sim.now, ack, result), Ok(()), "on the bind of the redelivery");
        sim.settle();
        assert_eq!((sim.waiting(), sim.refusals.len()), (0, usize::from(result.is_err())));
        sim.deliver_now(0, &single("6591234567", b"yes"));
        assert_eq!(sim.messages().len(), 1, "another message, or the refused one again");
    }
}

#[test]
fn two_equal_messages_are_given_twice_though_one_is_redelivered() {
    let mut sim = bound(2, options());
    sim.deliver_now(0, &single("6591234567", b"yes"));
    sim.deliver_now(0, &single("6591234567", b"yes"));
    let acks: Vec<_> = sim.messages().into_iter().map(|(_, ack)| ack).collect();
    assert_eq!(acks.len(), 2);
    sim.cut_server(0);
    for ack in acks {
        assert!(sim.accept(ack).is_err());
    }
    for _ in 0..2 {
        sim.deliver_now(0, &single("6591234567", b"yes"));
    }
    assert_eq!((sim.waiting(), sim.messages().len()), (0, 0));
    sim.deliver_now(0, &single("6591234567", b"yes"));
    assert_eq!(sim.messages().len(), 1, "the third");
}

#[test]
fn a_request_that_is_repeated_with_its_sequence_number_is_one_request() {
    let mut sim = bound(1, options());
    let octets = sim.deliver_octets(0, &single("6591234567", b"yes"));
    sim.pass(0, &octets);
    let (_, ack) = sim.message();
    sim.accept(ack).unwrap();
    sim.settle();
    assert_eq!((sim.waiting(), sim.refusals.len()), (0, 0));
    let stats = sim.account.stats();
    assert_eq!(stats.total.session.unanswered, 0, "the repetition has its response");
    // The first request was answered: an SMSC without distinct sequence numbers sends another message.
    sim.pass(0, &octets);
    assert_eq!(sim.messages().len(), 1);
}

#[test]
fn a_receipt_without_a_message_is_not_given_again() {
    let mut sim = bound(2, options());
    sim.receipt(0, "unknown", "DELIVRD");
    sim.settle();
    let Some(Event::Receipt { matched: None, ack, .. }) = sim.events.pop() else { panic!() };
    sim.cut_server(0);
    assert!(sim.accept(ack).is_err());
    sim.events.clear();
    sim.receipt(0, "unknown", "DELIVRD");
    sim.settle();
    assert_eq!((sim.waiting(), sim.matches().len()), (0, 0));
    sim.receipt(0, "unknown", "DELIVRD");
    sim.settle();
    assert_eq!(sim.matches().len(), 1);
}

#[test]
fn the_memory_of_lost_acknowledgements_is_bounded_in_number_and_time() {
    let reassembly =
        crate::sms::ReassemblyLimits { max_messages: 2, ..crate::sms::ReassemblyLimits::default() };
    let mut sim = bound(2, Options { reassembly, ..options() });
    for text in [b"a", b"b", b"c"] {
        sim.deliver_now(0, &single("6591234567", text));
    }
    let acks: Vec<_> = sim.messages().into_iter().map(|(_, ack)| ack).collect();
    for ack in acks {
        sim.accept(ack).unwrap();
    }
    sim.cut_server(0);
    sim.deliver_now(0, &single("6591234567", b"a"));
    assert_eq!(sim.messages().len(), 1, "the oldest is forgotten");
    sim.deliver_now(0, &single("6591234567", b"b"));
    assert_eq!(sim.messages().len(), 0);
    sim.advance(120 * SECOND);
    sim.deliver_now(0, &single("6591234567", b"c"));
    assert_eq!(sim.messages().len(), 1, "after the duplicate window");
}

/// Returns when an account whose SMSC is away tries to connect, and the reference of its first long message.
fn attempts_and_reference(seed: Option<u64>) -> (Vec<Instant>, Vec<u8>) {
    let mut sim = Simulation::new(Options { seed, ..options() });
    sim.unreachable = vec![address(1)];
    sim.advance(60 * SECOND);
    sim.unreachable.clear();
    sim.advance(60 * SECOND);
    let attempts = sim.connects.iter().map(|(at, _)| *at).collect();
    sim.send(&"x".repeat(200));
    let mut octets = Vec::new();
    assert!(sim.account.poll_transmit(sim.servers[0].link, &mut octets));
    let at = octets.windows(3).position(|header| header == [6, 8, 4]).unwrap();
    (attempts, octets[at + 3..at + 5].to_vec())
}

#[test]
fn the_seed_decides_jitter_and_references() {
    let of = |seed| attempts_and_reference(Some(seed));
    assert_eq!(of(7), of(7));
    assert_ne!(of(7).0, of(8).0);
    assert_ne!(of(7).1, of(8).1);
    assert_eq!(attempts_and_reference(None), of(0), "without a seed the core is deterministic");
}

#[test]
fn a_message_of_one_segment_says_nothing_about_an_smsc_that_sends_ahead() {
    let mut sim = bound(1, options());
    deliver_ahead(&mut sim, 1);
    sim.deliver_now(0, &Segment::new(2, 1, 3).from("6591234567"));
    sim.advance(5 * SECOND);
    assert_eq!(sim.waiting(), 0, "the upper limit");
    sim.deliver_now(0, &Segment::new(3, 1, 1).from("6591234567"));
    let (message, ack) = sim.message();
    assert!(message.is_complete());
    sim.accept(ack).unwrap();
    sim.advance(2 * SECOND);
    for number in 1..=2 {
        sim.deliver_now(0, &Segment::new(4, number, 3).from("6591234567"));
    }
    sim.advance(4 * SECOND);
    assert_eq!(sim.waiting(), 2, "it still sends ahead");
}

#[test]
fn a_pdu_whose_response_was_lost_is_forgotten_after_the_duplicate_window() {
    let mut sim = bound(1, options());
    sim.deliver_octets(0, &single("6591234567", b"yes"));
    let (_, ack) = sim.message();
    sim.accept(ack).unwrap();
    // The response has not left.
    sim.cut_server(0);
    assert_eq!(sim.account.delivered_pdus.len(), 1);
    sim.advance(crate::sms::ReassemblyLimits::default().duplicate_window);
    sim.deliver_octets(0, &single("6591234567", b"no"));
    assert_eq!(sim.account.delivered_pdus.len(), 1, "only the new one");
}
