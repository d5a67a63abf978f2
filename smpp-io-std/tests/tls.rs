//! TLS under the session: what a peer may do below the level of PDUs.

mod common;

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use common::watched;
use rustls::ServerConnection;
use smpp_io_std::{Duplex, TlsStream, tls};

const SECOND: Duration = Duration::from_secs(1);

/// Octets that a socket holds.
const NARROW: usize = 16 * 1024;

/// The client's side, and the server's as rustls has it, over sockets that hold little.
fn pair() -> (TlsStream, ServerConnection, TcpStream) {
    let common::Certificates { ca_pem, server } = common::certificates();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    socket2::SockRef::from(&listener).set_recv_buffer_size(NARROW).unwrap();
    let there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    socket2::SockRef::from(&there).set_send_buffer_size(NARROW).unwrap();
    let mut here = listener.accept().unwrap().0;
    there.set_nodelay(true).unwrap();
    here.set_nodelay(true).unwrap();
    let accepting = thread::spawn(move || {
        let mut server = ServerConnection::new(server).unwrap();
        while server.is_handshaking() {
            server.complete_io(&mut here).unwrap();
        }
        (server, here)
    });
    let trust = tls::ca_pem(ca_pem.as_bytes()).unwrap();
    let there = TlsStream::connect(there, "localhost", trust, 10 * SECOND).unwrap();
    let (server, here) = accepting.join().unwrap();
    (there, server, here)
}

/// All that comes in the records that the server has made, each octet in a segment of its own.
fn drip(server: &mut ServerConnection, stream: &TlsStream, here: &mut TcpStream) -> Vec<u8> {
    let mut records = Vec::new();
    while server.wants_write() {
        server.write_tls(&mut records).unwrap();
    }
    let (mut come, mut space) = (Vec::new(), [0; 5]);
    for octet in records {
        here.write_all(&[octet]).unwrap();
        loop {
            match stream.receive(&mut space) {
                Ok(read) => come.extend_from_slice(&space[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
    come
}

/// The next octets that have come. Records of TLS's own are nothing yet.
fn come(stream: &TlsStream, octets: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.receive(octets) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
    }
}

/// The next octets that the client has written.
fn taken(server: &mut ServerConnection, here: &mut TcpStream, octets: &mut [u8]) -> io::Result<usize> {
    loop {
        match server.reader().read(octets) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
        server.read_tls(here)?;
        server.process_new_packets().map_err(io::Error::other)?;
    }
}

#[test]
fn records_octet_by_octet_and_new_keys_amid_them_lose_nothing() {
    watched(|| {
        let (stream, mut server, mut here) = pair();
        stream.set_receive_timeout(Some(Duration::from_millis(1))).unwrap();
        for round in 0..3_u8 {
            server.writer().write_all(&[round; 20]).unwrap();
            // The client has to answer with new keys of its own.
            server.refresh_traffic_keys().unwrap();
            server.writer().write_all(b"new keys").unwrap();
            let come = drip(&mut server, &stream, &mut here);
            assert_eq!(come, [&[round; 20][..], b"new keys"].concat());
            assert_eq!(stream.transmit(b"answer").unwrap(), 6);
            stream.transmit_held().unwrap();
            let mut octets = [0; 10];
            assert_eq!(taken(&mut server, &mut here, &mut octets).unwrap(), 6);
            assert_eq!(&octets[..6], b"answer");
        }
    });
}

#[test]
fn an_end_in_good_order_is_none_of_a_cut_connection() {
    watched(|| {
        let (stream, mut server, mut here) = pair();
        stream.set_receive_timeout(Some(SECOND)).unwrap();
        server.writer().write_all(b"last").unwrap();
        server.send_close_notify();
        while server.wants_write() {
            server.write_tls(&mut here).unwrap();
        }
        let mut octets = [0; 10];
        assert_eq!(come(&stream, &mut octets).unwrap(), 4);
        assert_eq!(come(&stream, &mut octets).unwrap(), 0, "close_notify");
        // It takes leave as well.
        stream.close().unwrap();
        assert_eq!(taken(&mut server, &mut here, &mut octets).unwrap(), 0);

        let (stream, _server, here) = pair();
        stream.set_receive_timeout(Some(SECOND)).unwrap();
        here.shutdown(Shutdown::Both).unwrap();
        assert_eq!(come(&stream, &mut octets).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    });
}

#[test]
fn what_a_slow_peer_takes_bit_by_bit_comes_whole_and_in_order() {
    watched(|| {
        let (stream, mut server, mut here) = pair();
        stream.set_transmit_timeout(Some(Duration::from_millis(1))).unwrap();
        let sent: Vec<u8> = (0..200_000_u32).map(|number| (number % 251) as u8).collect();
        let expected = sent.clone();
        let taking = thread::spawn(move || {
            let (mut come, mut octets) = (Vec::new(), [0; 300]);
            while come.len() < expected.len() {
                let read = taken(&mut server, &mut here, &mut octets).unwrap();
                come.extend_from_slice(&octets[..read]);
            }
            assert!(come == expected);
        });
        let mut left = &sent[..];
        let paused = |result: io::Result<usize>| match result {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            taken => Some(taken.unwrap()),
        };
        while !left.is_empty() {
            left = &left[paused(stream.transmit(left)).unwrap_or(0)..];
        }
        while paused(stream.transmit_held().map(|()| 0)).is_none() {}
        taking.join().unwrap();
    });
}
