//! TLS below the session: what a peer may do at the level of records.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::common::watched;
use rustls::ServerConnection;
use smpp_std::{Duplex, TlsStream, tls};

const SECOND: Duration = Duration::from_secs(1);

/// The buffer size of a socket in octets.
const SOCKET_BUFFER: usize = 16 * 1024;

/// Connects a client and a plain rustls server over sockets with small buffers.
fn pair() -> (TlsStream, ServerConnection, TcpStream) {
    let crate::common::Certificates { ca_pem, server } = crate::common::certificates();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    socket2::SockRef::from(&listener).set_recv_buffer_size(SOCKET_BUFFER).unwrap();
    let there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    socket2::SockRef::from(&there).set_send_buffer_size(SOCKET_BUFFER).unwrap();
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

/// Sends the records of the server octet by octet, and returns all that the client decrypts.
fn send_octet_by_octet(server: &mut ServerConnection, stream: &TlsStream, here: &mut TcpStream) -> Vec<u8> {
    let mut records = Vec::new();
    while server.wants_write() {
        server.write_tls(&mut records).unwrap();
    }
    let (mut received, mut space) = (Vec::new(), [0; 5]);
    for octet in records {
        here.write_all(&[octet]).unwrap();
        loop {
            match stream.receive(&mut space) {
                Ok(read) => received.extend_from_slice(&space[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
    received
}

/// Reads the next octets. Skips the records of TLS itself.
fn read_client(stream: &TlsStream, octets: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.receive(octets) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
    }
}

/// Reads the next octets that the client has written.
fn read_server(server: &mut ServerConnection, here: &mut TcpStream, octets: &mut [u8]) -> io::Result<usize> {
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
fn records_that_come_octet_by_octet_and_key_updates_lose_nothing() {
    watched(|| {
        let (stream, mut server, mut here) = pair();
        stream.set_receive_timeout(Some(Duration::from_millis(1))).unwrap();
        for round in 0..3_u8 {
            server.writer().write_all(&[round; 20]).unwrap();
            // The client has to respond with a key update of its own.
            server.refresh_traffic_keys().unwrap();
            server.writer().write_all(b"new keys").unwrap();
            let received = send_octet_by_octet(&mut server, &stream, &mut here);
            assert_eq!(received, [&[round; 20][..], b"new keys"].concat());
            assert_eq!(stream.transmit(b"answer").unwrap(), 6);
            stream.transmit_held().unwrap();
            let mut octets = [0; 10];
            assert_eq!(read_server(&mut server, &mut here, &mut octets).unwrap(), 6);
            assert_eq!(&octets[..6], b"answer");
        }
    });
}

#[test]
fn a_close_notify_and_a_lost_connection_differ() {
    watched(|| {
        let (stream, mut server, mut here) = pair();
        stream.set_receive_timeout(Some(SECOND)).unwrap();
        server.writer().write_all(b"last").unwrap();
        server.send_close_notify();
        while server.wants_write() {
            server.write_tls(&mut here).unwrap();
        }
        let mut octets = [0; 10];
        assert_eq!(read_client(&stream, &mut octets).unwrap(), 4);
        assert_eq!(read_client(&stream, &mut octets).unwrap(), 0, "close_notify");
        // The client sends a close_notify as well.
        stream.close().unwrap();
        assert_eq!(read_server(&mut server, &mut here, &mut octets).unwrap(), 0);

        let (stream, _server, here) = pair();
        stream.set_receive_timeout(Some(SECOND)).unwrap();
        here.shutdown(Shutdown::Both).unwrap();
        assert_eq!(read_client(&stream, &mut octets).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    });
}

#[test]
fn a_slow_peer_receives_all_octets_in_order() {
    watched(|| {
        let (stream, mut server, mut here) = pair();
        stream.set_transmit_timeout(Some(Duration::from_millis(1))).unwrap();
        let sent: Vec<u8> = (0..200_000_u32).map(|number| (number % 251) as u8).collect();
        let expected = sent.clone();
        let taking = thread::spawn(move || {
            let (mut received, mut octets) = (Vec::new(), [0; 300]);
            while received.len() < expected.len() {
                let read = read_server(&mut server, &mut here, &mut octets).unwrap();
                received.extend_from_slice(&octets[..read]);
            }
            assert!(received == expected);
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
