use std::net::IpAddr;

use super::*;

const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// What follows a header.
const NEXT: &[u8] = b"\x16\x03\x01\x02\x00";

fn proxy_protocol() -> ProxyProtocol {
    ProxyProtocol::from_trusted(["10.0.0.0/8".parse().unwrap()])
}

/// A header of version 2.
fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    [V2, &[command, family], &u16::try_from(rest.len()).unwrap().to_be_bytes(), rest].concat()
}

/// Reads a header from these octets and others after it, at most `chunk` at a time. Returns the result and how many octets were
/// read; they run out as a timeout.
fn read(header: &[u8], chunk: usize) -> (Result<Option<SocketAddr>, ProxyHeaderError>, usize) {
    let octets = [header, NEXT].concat();
    let mut reader = proxy_protocol().reader();
    let mut read = 0;
    loop {
        let space = reader.space();
        assert!(!space.is_empty() && space.len() <= MAX_HEADER);
        let length = space.len().min(chunk).min(octets.len() - read);
        if length == 0 {
            return (Err(ProxyHeaderError::Timeout), read);
        }
        space[..length].copy_from_slice(&octets[read..read + length]);
        read += length;
        match reader.advance(length) {
            Ok(HeaderProgress::Incomplete) => {}
            Ok(HeaderProgress::Complete(stated)) => return (Ok(stated), read),
            Err(error) => return (Err(error), read),
        }
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn headers_are_read_to_their_last_octet_and_no_further() {
    let v4 = [&[192, 0, 2, 1, 10, 0, 0, 1][..], &40_000u16.to_be_bytes(), &2775u16.to_be_bytes()].concat();
    let v6 = ["2001:db8::1", "2001:db8::2"].map(|text| match text.parse().unwrap() {
        IpAddr::V6(address) => address.octets(),
        IpAddr::V4(_) => unreachable!(),
    });
    let v6 = [&v6.concat()[..], &40_000u16.to_be_bytes(), &2775u16.to_be_bytes()].concat();
    let unix = [0; 216];
    let with_tlvs = [&v4[..], &[0x05, 0, 3, 1, 2, 3, 0xEE, 0x07, 0xD0], &[7; 2000]].concat();
    let v1 = |line: &str| line.as_bytes().to_vec();
    let longest = format!("PROXY UNKNOWN {}\r\n", "f".repeat(107 - 16));
    for (header, stated) in [
        (v1("PROXY TCP4 192.0.2.1 10.0.0.1 40000 2775\r\n"), Some(address("192.0.2.1:40000"))),
        (v1("PROXY TCP4 0.0.0.0 0.0.0.0 0 1\r\n"), Some(address("0.0.0.0:0"))),
        (v1("PROXY TCP6 2001:db8::1 2001:db8::2 40000 2775\r\n"), Some(address("[2001:db8::1]:40000"))),
        (v1("PROXY TCP6 :: :: 0 1\r\n"), Some(address("[::]:0"))),
        (v1("PROXY UNKNOWN\r\n"), None),
        (v1("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), None),
        (v1(&longest), None),
        (v2(0x21, 0x11, &v4), Some(address("192.0.2.1:40000"))),
        (v2(0x21, 0x21, &v6), Some(address("[2001:db8::1]:40000"))),
        (v2(0x21, 0x11, &with_tlvs), Some(address("192.0.2.1:40000"))),
        (v2(0x21, 0x31, &unix), None),
        (v2(0x21, 0x00, b""), None),
        (v2(0x20, 0x00, b""), None),
        (v2(0x20, 0x11, &v4), None),
        // The family of a local connection does not count, nor what follows it.
        (v2(0x20, 0xFF, b"xyz"), None),
    ] {
        for chunk in [1, 2, 3, 7, 16, usize::MAX] {
            assert_eq!(
                read(&header, chunk),
                (Ok(stated), header.len()),
                "{chunk}: {}",
                header.escape_ascii()
            );
        }
    }
}

#[test]
fn octets_that_are_no_header_are_refused_as_soon_as_possible() {
    let short = v2(0x21, 0x11, &[192, 0, 2, 1]);
    for (octets, most_read) in [
        (&b"\0\0\0\x17\0\0\0\x02"[..], 12),
        (b"\x16\x03\x01\x02\0\x01\0\x01\xFC\x03\x03\x01", 12),
        (b"PROXY TCP5 192.0.2.1 10.0.0.1 40000 2775\r\n", 12),
        (b"PROXY\tTCP4 192.0.2.1 10.0.0.1 40000 2775\r\n", 12),
        (b"GET / HTTP/1.1\r\n", 12),
        (b"PROXY TCP4\r\n", 12),
        (b"PROXY TCP4 192.0.2.1\r\n\r\n", 30),
        (b"PROXY TCP4 192.0.2.1 10.0.0.1 65536 2775\r\n", 42),
        (b"PROXY TCP4 192.0.2.256 10.0.0.1 40000 2775\r\n", 44),
        (b"PROXY TCP4 ::1 ::1 40000 2775\r\n", 31),
        (b"PROXY TCP4 192.0.2.1 10.0.0.1 40000 2775\n", 42),
        (b"PROXY UNKNOWN\n", 16),
        (b"\r\n\r\n\0\r\nQUIT\n\x11\x11\0\x0C", 16),
        (b"\r\n\r\n\0\r\nQUIT\n\x22\x11\0\x0C", 16),
        (&short, short.len()),
        (&v2(0x21, 0x41, &[0; 300]), 316),
    ] {
        let (result, read) = read(octets, usize::MAX);
        assert_eq!(result, Err(ProxyHeaderError::Malformed), "{}", octets.escape_ascii());
        assert!(read <= most_read, "{read}: {}", octets.escape_ascii());
    }
}

#[test]
fn headers_have_a_limit() {
    let line = format!("PROXY UNKNOWN {}\r\n", "f".repeat(108 - 16));
    assert_eq!(read(line.as_bytes(), usize::MAX), (Err(ProxyHeaderError::TooLong), 107));
    let longest = v2(0x20, 0, &vec![0; MAX_HEADER - 16]);
    assert_eq!(read(&longest, usize::MAX), (Ok(None), MAX_HEADER));
    let longer = v2(0x20, 0, &vec![0; MAX_HEADER - 15]);
    assert_eq!(read(&longer, usize::MAX), (Err(ProxyHeaderError::TooLong), 16));
    let mut reader = proxy_protocol().max_header(27).reader();
    for octets in [V2, &[0x21, 0x11, 0, 12]] {
        reader.space().copy_from_slice(octets);
        let progress = reader.advance(octets.len());
        let expected =
            if octets == V2 { Ok(HeaderProgress::Incomplete) } else { Err(ProxyHeaderError::TooLong) };
        assert_eq!(progress, expected);
    }
}

#[test]
fn no_octets_make_it_panic_or_hold_more_than_the_limit() {
    // Valid starts with random changes: every branch is reached.
    let starts = [
        b"PROXY TCP4 192.0.2.1 10.0.0.1 40000 2775\r\n".to_vec(),
        b"PROXY TCP6 2001:db8::1 2001:db8::2 40000 2775\r\n".to_vec(),
        b"PROXY UNKNOWN ffff\r\n".to_vec(),
        v2(0x21, 0x11, &[9; 40]),
        v2(0x21, 0x21, &[9; 40]),
        v2(0x20, 0x00, &[9; 4]),
        Vec::new(),
    ];
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let mut ends = [0; 2];
    for _ in 0..200_000 {
        let mut octets = starts[random(starts.len())].clone();
        octets.resize(octets.len() + random(8), b'\r');
        for _ in 0..random(4) {
            if !octets.is_empty() {
                let index = random(octets.len());
                octets[index] = b" \r\n0.:\x20\x21\x11\xFF"[random(10)];
            }
        }
        let chunk = 1 + random(40);
        let (result, read) = read(&octets, chunk);
        assert!(read <= octets.len() + NEXT.len());
        ends[usize::from(result.is_ok())] += 1;
    }
    assert!(ends[0] > 10_000 && ends[1] > 10_000, "{ends:?}");
}

#[test]
fn trusted_networks_decide() {
    let [proxy, other] = ["[::ffff:10.1.2.3]:40000", "192.0.2.1:40000"].map(|text| text.parse().unwrap());
    let proxy_protocol = proxy_protocol();
    assert_eq!(
        [proxy, other].map(|from| proxy_protocol.arrival(from)),
        [Arrival::Proxied, Arrival::Untrusted]
    );
    let direct = proxy_protocol.accept_direct(true);
    assert_eq!([proxy, other].map(|from| direct.arrival(from)), [Arrival::Proxied, Arrival::Direct]);
}
