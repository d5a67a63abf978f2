//! Tests with captures that they make themselves.

use std::io::{self, Read};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use etherparse::PacketBuilder;
use smpp_proto::pcap::Capture;
use smpp_proto::session::{Config, Direction, Esme, Instant, Session};
use smpp_proto::{Bind, CommandStatus, Frame, Pdu, SequenceNumber, SubmitSm, Tolerance, frame};

use super::capture;
use super::connections::Options;
use super::dump::Dump;

const OPTIONS: Options = Options { port: None, max_pdu: frame::DEFAULT_MAX_LENGTH, resync: false };

/// A pcap file of a client at 10.0.0.1:4000 and a server at 10.0.0.2. A packet comes each millisecond.
struct Recording {
    file: Vec<u8>,
    port: u16,
    packets: u32,
}

#[derive(Clone, Copy)]
enum Side {
    Client,
    Server,
}
use Side::{Client, Server};

impl Recording {
    fn new(link: u32, port: u16) -> Self {
        let words = [0xA1B2_C3D4, 0x0002_0004, 0, 0, 0x0004_0000, link];
        Self { file: words.map(u32::to_be_bytes).concat(), port, packets: 0 }
    }

    fn ethernet(port: u16) -> Self {
        Self::new(1, port)
    }

    fn packet(&mut self, packet: &[u8], original: usize) {
        let lengths = [packet.len(), original].map(|length| u32::try_from(length).unwrap());
        let words = [1_700_000_000, 1000 * self.packets, lengths[0], lengths[1]];
        self.file.extend(words.map(u32::to_be_bytes).concat());
        self.file.extend(packet);
        self.packets += 1;
    }

    /// `flags`: any of S, F and R.
    fn segment(&mut self, from: Side, sequence: u32, flags: &str, octets: &[u8]) {
        let packet = ethernet(self.port, from, sequence, flags, octets);
        self.packet(&packet, packet.len());
    }

    /// Both SYNs: octets begin at 1000 and at 5000.
    fn open(mut self) -> Self {
        self.segment(Client, 999, "S", b"");
        self.segment(Server, 4999, "S", b"");
        self
    }

    /// Returns the text, and whether all of the capture could be decoded.
    fn dump(&self, options: Options) -> (String, bool) {
        let mut dump = Dump::new(Vec::new(), Tolerance::LENIENT);
        let mut input = OneOctetReader(&self.file);
        let head = capture::head(&mut input).unwrap();
        capture::read(&head, input, options, &mut dump).unwrap();
        (dump.text(), !dump.has_failed())
    }

    /// Compares the first line of each paragraph, and whether all of the capture could be decoded.
    #[track_caller]
    fn assert(&self, options: Options, lines: &[&str], fine: bool) {
        let (text, read) = self.dump(options);
        let found: Vec<_> =
            text.trim_end().split("\n\n").filter_map(|paragraph| paragraph.lines().next()).collect();
        assert_eq!(found, lines);
        assert_eq!(read, fine);
    }
}

/// Reads one octet at a time, as a pipe may.
struct OneOctetReader<'a>(&'a [u8]);

impl Read for OneOctetReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(1);
        self.0.read(&mut buffer[..length])
    }
}

fn ethernet(port: u16, from: Side, sequence: u32, flags: &str, octets: &[u8]) -> Vec<u8> {
    let (source, destination, ports) = match from {
        Client => ([10, 0, 0, 1], [10, 0, 0, 2], (4000, port)),
        Server => ([10, 0, 0, 2], [10, 0, 0, 1], (port, 4000)),
    };
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(source, destination, 64);
    let mut builder = builder.tcp(ports.0, ports.1, sequence, 1024).ack(1);
    for flag in flags.chars() {
        builder = match flag {
            'S' => builder.syn(),
            'F' => builder.fin(),
            _ => builder.rst(),
        };
    }
    let mut packet = Vec::new();
    builder.write(&mut packet, octets).unwrap();
    packet
}

/// 16 octets.
fn enquire_link(sequence: u32) -> Vec<u8> {
    Frame::encode(&Pdu::EnquireLink, CommandStatus::ROK, SequenceNumber(sequence)).into_inner()
}

/// 33 octets.
fn submit_sm(sequence: u32) -> Vec<u8> {
    let pdu = Pdu::SubmitSm(SubmitSm::default());
    Frame::encode(&pdu, CommandStatus::ROK, SequenceNumber(sequence)).into_inner()
}

#[test]
fn pdus_of_two_directions_split_over_segments() {
    let mut recording = Recording::ethernet(2775).open();
    let client = [submit_sm(1), submit_sm(2), enquire_link(3)].concat();
    let server = enquire_link(9);
    recording.segment(Client, 1000, "", &client[..20]);
    recording.segment(Server, 5000, "", &server[..1]);
    // Out of order, twice, and with what is known already.
    recording.segment(Client, 1050, "", &client[50..]);
    recording.segment(Client, 1010, "", &client[10..40]);
    recording.segment(Server, 5001, "F", &server[1..]);
    recording.segment(Client, 1000, "", &client[..20]);
    recording.segment(Client, 1040, "", &client[40..50]);
    recording.segment(Client, 1082, "F", b"");
    recording.segment(Client, 1000, "", &client);
    let lines = [
        "10.0.0.1:4000 -> 10.0.0.2:2775  t=0.005000  submit_sm  sequence 1 ESME_ROK, 33 octets",
        "10.0.0.2:2775 -> 10.0.0.1:4000  t=0.006000  enquire_link  sequence 9 ESME_ROK, 16 octets",
        "10.0.0.1:4000 -> 10.0.0.2:2775  t=0.008000  submit_sm  sequence 2 ESME_ROK, 33 octets",
        "10.0.0.1:4000 -> 10.0.0.2:2775  t=0.008000  enquire_link  sequence 3 ESME_ROK, 16 octets",
    ];
    recording.assert(OPTIONS, &lines, true);
}

#[test]
fn a_gap_ends_its_direction_unless_a_header_is_searched() {
    let mut recording = Recording::ethernet(2775).open();
    recording.segment(Client, 1000, "", &submit_sm(1));
    recording.segment(Client, 1043, "F", &[&[0; 10], &enquire_link(2)[..]].concat());
    recording.segment(Server, 5000, "", &enquire_link(9));
    let before = [
        "10.0.0.1:4000 -> 10.0.0.2:2775  t=0.002000  submit_sm  sequence 1 ESME_ROK, 33 octets",
        "10.0.0.2:2775 -> 10.0.0.1:4000  t=0.004000  enquire_link  sequence 9 ESME_ROK, 16 octets",
        "10.0.0.1:4000 -> 10.0.0.2:2775  t=0.004000  10 octets are missing from the capture: the stream cannot be \
         read on",
    ];
    let unread = "10.0.0.1:4000 -> 10.0.0.2:2775  t=0.004000  26 octets were left unread";
    recording.assert(OPTIONS, &[&before[..], &[unread]].concat(), false);
    let found = [
        "10.0.0.1:4000 -> 10.0.0.2:2775  t=0.004000  skipped 10 octets to the next plausible header",
        "10.0.0.1:4000 -> 10.0.0.2:2775  t=0.004000  enquire_link  sequence 2 ESME_ROK, 16 octets",
    ];
    recording.assert(Options { resync: true, ..OPTIONS }, &[&before[..], &found].concat(), false);
}

#[test]
fn a_packet_that_was_not_captured_whole_is_a_gap() {
    let mut recording = Recording::ethernet(2775).open();
    let packet = ethernet(2775, Client, 1000, "F", &submit_sm(1));
    recording.packet(&packet[..packet.len() - 3], packet.len());
    let (text, fine) = recording.dump(OPTIONS);
    assert!(text.contains("3 octets are missing from the capture"), "{text}");
    assert!(text.contains("30 octets were left unread"), "{text}");
    assert!(!fine);
}

#[test]
fn a_capture_that_starts_in_mid_stream_says_so() {
    let mut recording = Recording::ethernet(2775);
    recording.segment(Client, 70, "", &enquire_link(1));
    recording.segment(Server, 90, "", &enquire_link(9)[3..]);
    recording.segment(Client, 86, "R", b"reset");
    let lines = [
        "10.0.0.1:4000 -> 10.0.0.2:2775  t=0.000000  begins in mid-stream: the capture has no SYN of it",
        "10.0.0.1:4000 -> 10.0.0.2:2775  t=0.000000  enquire_link  sequence 1 ESME_ROK, 16 octets",
        "10.0.0.2:2775 -> 10.0.0.1:4000  t=0.001000  begins in mid-stream: the capture has no SYN of it",
        "10.0.0.2:2775 -> 10.0.0.1:4000  t=0.001000  command_length 268435456 is outside 16..=71680: no further PDU \
         can be read, close the connection",
        "10.0.0.2:2775 -> 10.0.0.1:4000  t=0.002000  13 octets were left unread",
    ];
    recording.assert(OPTIONS, &lines, false);
}

#[test]
fn ports_and_first_octets_tell_what_is_smpp() {
    let pdu = "10.0.0.1:4000 -> 10.0.0.2:9000  t=0.002000  enquire_link  sequence 1 ESME_ROK, 16 octets";
    let mut recording = Recording::ethernet(9000).open();
    recording.segment(Client, 1000, "", &enquire_link(1));
    recording.assert(OPTIONS, &[pdu], true);
    let none = "no SMPP was found: 0 directions of TCP connections carry TLS, 0 something else (--port N reads a \
                port as SMPP)";
    recording.assert(Options { port: Some(9001), ..OPTIONS }, &[none], false);
    // What answers SMPP is not passed over in silence.
    recording.segment(Server, 5000, "", b"HTTP/1.1 200 OK");
    let text = recording.dump(OPTIONS).0;
    assert!(text.contains("the peer sent HTTP, not SMPP: \"HTTP\""), "{text}");

    let mut recording = Recording::ethernet(80).open();
    recording.segment(Client, 1000, "", b"GET / HTTP/1.1");
    let none = none.replace("0 something", "1 something");
    recording.assert(OPTIONS, &[&none], false);
    let text = recording.dump(Options { port: Some(80), ..OPTIONS }).0;
    assert!(text.contains("14 octets were left unread"), "{text}");
}

#[test]
fn tls_cannot_be_read() {
    let mut recording = Recording::ethernet(2776).open();
    recording.segment(Client, 1000, "", &[0x16]);
    recording.segment(Client, 1001, "", &[3, 1, 2, 0]);
    recording.segment(Client, 1005, "F", &[0; 512]);
    let (text, fine) = recording.dump(OPTIONS);
    assert!(text.contains("10.0.0.2:2776  t=0.003000  is TLS: cannot be read\n"), "{text}");
    assert!(text.contains("10.0.0.2:2776  t=0.004000  517 octets were left unread\n"), "{text}");
    assert!(!fine);
}

#[test]
fn the_same_ports_again_are_another_connection() {
    let mut recording = Recording::ethernet(2775).open();
    recording.segment(Client, 1000, "", &enquire_link(1)[..9]);
    recording.segment(Client, 70_000, "S", b"");
    recording.segment(Client, 70_000, "S", b"");
    recording.segment(Client, 70_001, "", &enquire_link(2));
    let lines = [
        "10.0.0.1:4000 -> 10.0.0.2:2775  t=0.003000  ends inside a PDU: 9 octets of it are there",
        "10.0.0.1:4000 -> 10.0.0.2:2775  t=0.005000  enquire_link  sequence 2 ESME_ROK, 16 octets",
    ];
    recording.assert(OPTIONS, &lines, false);
}

#[test]
fn link_layers() {
    let whole = ethernet(2775, Client, 1000, "S", &enquire_link(1));
    let (addresses, ip) = (&whole[..12], &whole[14..]);
    let ip6 = {
        let client = [0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let builder = PacketBuilder::ip(etherparse::IpHeaders::Ipv6(
            etherparse::Ipv6Header {
                source: client,
                destination: client,
                hop_limit: 9,
                ..Default::default()
            },
            etherparse::Ipv6Extensions::default(),
        ));
        let mut packet = Vec::new();
        builder.tcp(4000, 2775, 1000, 1024).syn().write(&mut packet, &enquire_link(1)).unwrap();
        packet
    };
    let with = |header: &[u8]| [header, ip].concat();
    for (link, packet) in [
        (1, whole.clone()),
        (1, [&whole[..], &[0; 6]].concat()),
        (1, [addresses, &[0x81, 0, 0, 7, 8, 0], ip].concat()),
        (1, [addresses, &[0x88, 0xA8, 0, 9, 0x81, 0, 0, 7, 8, 0], ip].concat()),
        (1, [addresses, &[0x86, 0xDD], &ip6].concat()),
        (0, with(&[2, 0, 0, 0])),
        (108, with(&[0, 0, 0, 2])),
        (101, with(&[])),
        (101, ip6.clone()),
        (113, with(&[0, 0, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0, 8, 0])),
        (276, with(&[8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0])),
    ] {
        let mut recording = Recording::new(link, 2775);
        recording.packet(&packet, packet.len());
        let (text, fine) = recording.dump(OPTIONS);
        assert!(fine && text.contains("enquire_link  sequence 1"), "link type {link}: {text}");
    }
    let mut recording = Recording::new(105, 2775);
    recording.packet(&whole, whole.len());
    let (text, _) = recording.dump(OPTIONS);
    assert!(text.contains("1 packets were not read: link type 105"), "{text}");
}

#[test]
fn pcapng() {
    let block = |kind: u32, body: &[u8]| {
        let body = [body, &vec![0; body.len().next_multiple_of(4) - body.len()]].concat();
        let length = u32::try_from(body.len() + 12).unwrap().to_le_bytes();
        [&kind.to_le_bytes(), &length[..], &body, &length].concat()
    };
    let packet = |nanoseconds: u32, octets: &[u8]| {
        let length = u32::try_from(octets.len()).unwrap();
        let words = [0, 0, nanoseconds, length, length].map(u32::to_le_bytes).concat();
        block(6, &[words, octets.to_vec()].concat())
    };
    let blocks = [
        block(0x0A0D_0D0A, &[0x4D, 0x3C, 0x2B, 0x1A, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]),
        // Ethernet, with a clock of nanoseconds.
        block(1, &[1, 0, 0, 0, 0, 0, 4, 0, 9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0]),
        // Interface statistics, which are skipped.
        block(5, &[0; 12]),
        packet(1_000, &ethernet(2775, Client, 999, "S", b"")),
        packet(2_501_000, &ethernet(2775, Client, 1000, "F", &enquire_link(1))),
    ];
    let line = "10.0.0.1:4000 -> 10.0.0.2:2775  t=0.002500  enquire_link  sequence 1 ESME_ROK, 16 octets";
    let recording = Recording { file: blocks.concat(), port: 2775, packets: 0 };
    recording.assert(OPTIONS, &[line], true);
    let cut = recording.file[..recording.file.len() - 5].to_vec();
    let (text, fine) = Recording { file: cut, ..recording }.dump(OPTIONS);
    assert!(text.contains("the capture ends inside a packet"), "{text}");
    assert!(!fine);
}

#[test]
fn a_capture_of_smpp_proto_is_decoded() {
    let file = Arc::new(Mutex::new(Vec::new()));
    let capture = Capture::new({
        let file = Arc::clone(&file);
        move |octets: &[u8]| file.lock().unwrap().extend_from_slice(octets)
    });
    for (client, server) in [("10.0.0.1:4000", "10.0.0.2:2776"), ("[::1]:4000", "[::2]:2776")] {
        let (client, server) = (client.parse().unwrap(), server.parse().unwrap());
        let stream = capture.stream(client, server, Direction::Out, Duration::from_secs(1_700_000_000));
        let mut session = Session::<Esme, (), _>::with_observer(Config::default(), Instant::ZERO, stream);
        session.request(Instant::ZERO, &Bind::default(), ()).unwrap();
        let mut input = &enquire_link(9)[..];
        session.handle_input(Instant::ZERO + Duration::from_micros(1500), &mut input);
    }
    let recording = Recording { file: file.lock().unwrap().clone(), port: 2776, packets: 0 };
    let lines = [
        "10.0.0.1:4000 -> 10.0.0.2:2776  t=0.000000  bind_transceiver  sequence 1 ESME_ROK, 23 octets",
        "10.0.0.2:2776 -> 10.0.0.1:4000  t=0.001500  enquire_link  sequence 9 ESME_ROK, 16 octets",
        "10.0.0.1:4000 -> 10.0.0.2:2776  t=0.001500  enquire_link_resp  sequence 9 ESME_ROK, 16 octets",
        "[::1]:4000 -> [::2]:2776  t=0.000000  bind_transceiver  sequence 1 ESME_ROK, 23 octets",
        "[::2]:2776 -> [::1]:4000  t=0.001500  enquire_link  sequence 9 ESME_ROK, 16 octets",
        "[::1]:4000 -> [::2]:2776  t=0.001500  enquire_link_resp  sequence 9 ESME_ROK, 16 octets",
    ];
    recording.assert(OPTIONS, &lines, true);
}
