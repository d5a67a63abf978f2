//! Reads the files of [`smpp_proto::pcap`] with the crates `pcap-parser` and `etherparse`.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{LegacyPcapReader, Linktype, PcapBlockOwned, PcapError};
use proptest::prelude::*;
use smpp_proto::pcap::{Capture, CaptureStream};
use smpp_proto::session::{Config, Direction, Esme, Event, Instant, Request, Session, Smsc};
use smpp_proto::{
    Bind, BindResp, CommandStatus, DataSm, DataSmResp, EnquireLink, Frame, Password, Pdu, SequenceNumber,
    Tlv, Tlvs,
};

const EPOCH: Duration = Duration::new(1_700_000_000, 999_999_999);

/// One TCP segment of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Segment {
    time: Duration,
    from: SocketAddr,
    to: SocketAddr,
    sequence: u32,
    acknowledgement: u32,
    /// In the order S, F, A, P.
    flags: String,
    octets: Vec<u8>,
}

/// Returns all TCP segments of a file. Checks their lengths and checksums.
fn read(file: &[u8]) -> Vec<Segment> {
    let mut reader = LegacyPcapReader::new(1 << 16, file).unwrap();
    let mut segments = Vec::new();
    loop {
        match reader.next() {
            Ok((length, block)) => {
                match block {
                    PcapBlockOwned::LegacyHeader(header) => {
                        assert_eq!((header.version_major, header.version_minor), (2, 4));
                        assert_eq!(header.network, Linktype::ETHERNET);
                        assert!(header.is_nanosecond_precision());
                    }
                    PcapBlockOwned::Legacy(packet) => {
                        assert_eq!(
                            (packet.caplen, packet.origlen as usize),
                            (packet.origlen, packet.data.len())
                        );
                        let time = Duration::new(packet.ts_sec.into(), packet.ts_usec);
                        segments.push(segment(time, packet.data));
                    }
                    PcapBlockOwned::NG(_) => panic!("pcapng"),
                }
                reader.consume(length);
            }
            Err(PcapError::Eof) => return segments,
            Err(PcapError::Incomplete(_)) => reader.refill().unwrap(),
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn segment(time: Duration, packet: &[u8]) -> Segment {
    let sliced = SlicedPacket::from_ethernet(packet).unwrap();
    let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { panic!("no TCP") };
    let header = tcp.to_header();
    let (from, to): (IpAddr, IpAddr) = match sliced.net.unwrap() {
        NetSlice::Ipv4(ip) => {
            let ip = ip.header();
            assert_eq!(ip.header_checksum(), ip.to_header().calc_header_checksum());
            assert_eq!(usize::from(ip.total_len()), packet.len() - 14);
            assert_eq!(tcp.calc_checksum_ipv4(ip.source(), ip.destination()), Ok(tcp.checksum()));
            (ip.source_addr().into(), ip.destination_addr().into())
        }
        NetSlice::Ipv6(ip) => {
            let ip = ip.header();
            assert_eq!(usize::from(ip.payload_length()), packet.len() - 54);
            assert_eq!(tcp.calc_checksum_ipv6(ip.source(), ip.destination()), Ok(tcp.checksum()));
            (ip.source_addr().into(), ip.destination_addr().into())
        }
        NetSlice::Arp(_) => panic!("ARP"),
    };
    assert!(packet.len() <= 14 + 1500, "the packet is longer than the MTU of Ethernet");
    let flags = [(header.syn, 'S'), (header.fin, 'F'), (header.ack, 'A'), (header.psh, 'P')];
    Segment {
        time,
        from: SocketAddr::new(from, header.source_port),
        to: SocketAddr::new(to, header.destination_port),
        sequence: header.sequence_number,
        acknowledgement: header.acknowledgment_number,
        flags: flags.into_iter().filter(|(set, _)| *set).map(|(_, flag)| flag).collect(),
        octets: tcp.payload().to_vec(),
    }
}

/// Returns the octets that each side sent. Checks that sequence numbers have no gap, that acknowledgements are right,
/// and that the octets in flight stay within the window.
fn streams(segments: &[Segment]) -> HashMap<(SocketAddr, SocketAddr), Vec<u8>> {
    let mut next: HashMap<_, u32> = HashMap::new();
    let mut acknowledged: HashMap<_, u32> = HashMap::new();
    let mut streams: HashMap<_, Vec<u8>> = HashMap::new();
    for segment in segments {
        let (way, back) = ((segment.from, segment.to), (segment.to, segment.from));
        let expected = next.entry(way).or_insert(segment.sequence);
        assert_eq!(segment.sequence, *expected, "{segment:?}");
        let counted = segment.flags.contains(['S', 'F']);
        *expected += segment.octets.len() as u32 + u32::from(counted);
        let in_flight = *expected - acknowledged.get(&way).copied().unwrap_or_default();
        assert!(in_flight <= 0xFFFF, "{in_flight} octets are in flight");
        if segment.flags.contains('A') {
            assert_eq!(Some(&segment.acknowledgement), next.get(&back), "{segment:?}");
            acknowledged.insert(back, segment.acknowledgement);
        }
        streams.entry(way).or_default().extend(&segment.octets);
    }
    streams
}

type File = Arc<Mutex<Vec<u8>>>;

fn capture() -> (File, Capture<impl FnMut(&[u8]) + Clone>) {
    let file = File::default();
    let sink = Arc::clone(&file);
    (file, Capture::new(move |octets: &[u8]| sink.lock().unwrap().extend_from_slice(octets)))
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

type Both<W> = (Session<Esme, (), CaptureStream<W>>, Session<Smsc, (), CaptureStream<W>>);

/// Returns both sides of a bound session, each with its own observer.
fn bound<W: FnMut(&[u8])>(esme: CaptureStream<W>, smsc: CaptureStream<W>) -> Both<W> {
    let mut esme = Session::<Esme, (), _>::with_observer(Config::default(), Instant::ZERO, esme);
    let smsc = Session::<Smsc, (), _>::with_observer(Config::default(), Instant::ZERO, smsc);
    let bind = Bind { password: Password::new(b"secret08").unwrap(), ..Bind::default() };
    esme.request(Instant::ZERO, &bind, ()).unwrap();
    let mut pair = (esme, smsc);
    exchange(&mut pair, Instant::ZERO);
    pair
}

/// Transfers the output of each side to the other.
fn exchange<W: FnMut(&[u8])>((esme, smsc): &mut Both<W>, now: Instant) {
    let (mut there, mut back) = (Vec::new(), Vec::new());
    esme.poll_transmit(&mut there);
    esme.handle_transmitted(there.len());
    let mut rest = &there[..];
    while let Some(event) = smsc.handle_input(now, &mut rest) {
        match event {
            Event::Request { request: Request::Bind(_, reply), .. } => {
                smsc.respond(reply, Ok(BindResp::default())).unwrap();
            }
            Event::Request { request: Request::DataSm(_, reply), .. } => {
                smsc.respond(reply, Ok(DataSmResp::default())).unwrap();
            }
            _ => {}
        }
    }
    smsc.poll_transmit(&mut back);
    smsc.handle_transmitted(back.len());
    let mut rest = &back[..];
    while esme.handle_input(now, &mut rest).is_some() {}
}

#[test]
fn a_session_is_written_as_one_tcp_connection() {
    let (file, capture) = capture();
    let (local, peer) = (address("10.0.0.1:49152"), address("192.0.2.7:2775"));
    let esme = capture.stream(local, peer, Direction::Out, EPOCH);
    let mut esme = Session::<Esme, (), _>::with_observer(Config::default(), Instant::ZERO, esme);
    let bind = Bind { password: Password::new(b"secret08").unwrap(), ..Bind::default() };
    esme.request(Instant::from_nanos(1), &bind, ()).unwrap();
    drop(esme);
    let segments = read(&file.lock().unwrap());
    let shown: Vec<_> = segments
        .iter()
        .map(|segment| {
            let way = if segment.from == local { '>' } else { '<' };
            let Segment { flags, sequence, acknowledgement, octets, .. } = segment;
            format!("{way} {flags} {sequence} {acknowledgement} {}", octets.len())
        })
        .collect();
    let expected =
        ["> S 0 0 0", "< SA 0 1 0", "> A 1 1 0", "> AP 1 1 31", "> FA 32 1 0", "< FA 1 33 0", "> A 33 2 0"];
    assert_eq!(shown, expected);
    assert!(segments.iter().all(|segment| segment.time == Duration::from_secs(1_700_000_001)));
    assert!(
        segments.iter().all(|segment| [(local, peer), (peer, local)].contains(&(segment.from, segment.to)))
    );
    assert!(segments[3].octets.ends_with(b"\0********\0\0\x34\0\0\0"), "{:?}", segments[3].octets);
}

#[test]
fn several_sessions_share_a_file_and_both_sides_write_the_same_octets() {
    let (file, capture) = capture();
    let (client, server) = (address("[2001:db8::1]:5000"), address("[2001:db8::2]:2776"));
    let (other_client, other_server) = (address("127.0.0.1:5000"), address("127.0.0.1:2775"));
    let mut pair = bound(
        capture.stream(client, server, Direction::Out, EPOCH),
        capture.stream(other_server, other_client, Direction::In, EPOCH),
    );
    pair.0.request(Instant::ZERO, &EnquireLink, ()).unwrap();
    exchange(&mut pair, Instant::ZERO);
    drop(pair);
    let streams = streams(&read(&file.lock().unwrap()));
    assert_eq!(streams.len(), 4);
    assert_eq!(streams[&(client, server)], streams[&(other_client, other_server)]);
    assert_eq!(streams[&(server, client)], streams[&(other_server, other_client)]);
    let asked = Frame::encode(&Pdu::EnquireLink, CommandStatus::ROK, SequenceNumber(2));
    assert!(streams[&(client, server)].ends_with(asked.octets()));
}

#[test]
fn an_ipv4_address_with_an_ipv6_peer_is_mapped_to_ipv6() {
    let (file, capture) = capture();
    let (local, peer) = (address("10.0.0.1:1"), address("[2001:db8::2]:2"));
    let stream = capture.stream(local, peer, Direction::Out, EPOCH);
    let mut esme = Session::<Esme, (), _>::with_observer(Config::default(), Instant::ZERO, stream);
    esme.request(Instant::ZERO, &Bind::default(), ()).unwrap();
    assert_eq!(read(&file.lock().unwrap())[0].from, address("[::ffff:10.0.0.1]:1"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// PDUs of any size are written completely, and both sides write the same octets.
    #[test]
    fn pdus_of_any_size_are_written_completely(
        sizes in proptest::collection::vec(0_usize..40_000, 1..30),
        v6 in any::<bool>(),
    ) {
        let (file, capture) = capture();
        let of = |last| if v6 { address(&format!("[::{last}]:2775")) } else { address(&format!("127.0.0.{last}:2775")) };
        let (client, server, other) = (of(1), of(2), of(3));
        let mut pair = bound(
            capture.stream(client, server, Direction::Out, EPOCH),
            capture.stream(other, client, Direction::In, EPOCH),
        );
        let mut sent = 23 + 8;
        for (size, at) in sizes.into_iter().zip(1..) {
            let now = Instant::from_nanos(at);
            let payload = vec![at as u8; size];
            let tlvs = [Tlv::message_payload(&payload).unwrap()];
            let message = DataSm { tlvs: Tlvs::list(&tlvs), ..DataSm::default() };
            pair.0.request(now, &message, ()).unwrap();
            sent += 16 + 10 + 4 + size;
            if at % 5 == 0 {
                exchange(&mut pair, now);
            }
        }
        exchange(&mut pair, Instant::from_nanos(99));
        drop(pair);
        let segments = read(&file.lock().unwrap());
        prop_assert!(segments.iter().all(|segment| segment.time >= EPOCH));
        let streams = streams(&segments);
        prop_assert_eq!(streams[&(client, server)].len(), sent);
        prop_assert_eq!(&streams[&(server, client)], &streams[&(other, client)]);
    }
}
