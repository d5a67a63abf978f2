//! A message costs no allocation. The binary is its own: it brings its own allocator, which counts per thread.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test helpers")]

use allocation_counter::measure;
use smpp_core::session::{Config, Esme, Event, Instant, Outcome, Request, Session, Smsc};
use smpp_core::{
    Address, Bind, BindResp, COctets, CommandStatus, Frame, Pdu, SequenceNumber, ShortMessage, SubmitSm,
    SubmitSmResp, Tag, Tlv, Tlvs, Tolerance,
};

fn message() -> SubmitSm<'static> {
    SubmitSm {
        destination: Address::international("6591234567").unwrap(),
        short_message: ShortMessage::new(b"Your code is 123456").unwrap(),
        ..SubmitSm::default()
    }
}

/// Nothing below would mean anything otherwise.
#[test]
fn the_allocator_counts() {
    let allocated = measure(|| drop(std::hint::black_box(vec![0_u8; 8])));
    assert_eq!(allocated.count_total, 1, "{allocated:?}");
}

struct Line {
    esme: Session<Esme, u32>,
    smsc: Session<Smsc, u32>,
    octets: Vec<u8>,
}

impl Line {
    /// One request there, one answer back: the tag that it bears.
    fn exchange(&mut self) -> Option<u32> {
        let now = Instant::ZERO;
        self.octets.clear();
        self.esme.poll_transmit(&mut self.octets);
        self.esme.handle_transmitted(self.octets.len());
        let mut input = &self.octets[..];
        while let Some(event) = self.smsc.handle_input(now, &mut input) {
            let Event::Request { request, .. } = event else { panic!("{event:?}") };
            let message_id = COctets::new(b"0123456789").unwrap();
            let answered = match request {
                Request::Bind(_, reply) => self.smsc.respond(reply, Ok(BindResp::default())),
                Request::SubmitSm(_, reply) => {
                    self.smsc.respond(reply, Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }))
                }
                other => panic!("{other:?}"),
            };
            answered.unwrap();
        }
        self.octets.clear();
        self.smsc.poll_transmit(&mut self.octets);
        self.smsc.handle_transmitted(self.octets.len());
        let mut input = &self.octets[..];
        match self.esme.handle_input(now, &mut input)? {
            Event::Outcome { tag, outcome: Outcome::Accepted(_), .. } => Some(tag),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_message_there_and_its_answer_back_allocate_nothing() {
    let (config, now) = (Config::default(), Instant::ZERO);
    let mut line =
        Line { esme: Session::new(config, now), smsc: Session::new(config, now), octets: Vec::new() };
    line.esme.request(now, &Bind::default(), 0).unwrap();
    assert_eq!(line.exchange(), Some(0));
    let message = message();
    let mut round_trip = |tag| {
        line.esme.request(now, &message, tag).unwrap();
        assert_eq!(line.exchange(), Some(tag));
    };
    // The buffers, which are exchanged between session and caller, find their size.
    (0..4).for_each(&mut round_trip);
    let allocated = measure(|| (0..1000).for_each(&mut round_trip));
    assert_eq!(allocated.count_total, 0, "{allocated:?}");
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
        assert!(cut.pdu(Tolerance::LENIENT).is_err(), "nor does an error");
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
fn an_idle_session_holds_no_memory() {
    let allocated = measure(|| {
        let session =
            Session::<Smsc, u32>::new(Config { window: u16::MAX, ..Config::default() }, Instant::ZERO);
        assert_eq!(session.in_flight(), 0);
    });
    assert_eq!(allocated.count_total, 0, "{allocated:?}");
}
