//! Limits of connections, and connections without a bind.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use smpp_proto::session::Config;
use smpp_proto::{Bind, BindMode, COctets, Endpoint, Password};
use smpp_std::testing::Certificate;
use smpp_std::{Connector, Listener, Server, ServerLimits};

use crate::common::watched;
use crate::server::support::{TRX, bind, closed, connect, esme, event, serve, submit, test_service, until};

#[test]
fn binds_are_listed() {
    watched(|| {
        let (service, test) = test_service();
        let certificate = Certificate::for_localhost().unwrap();
        let secure = Listener::bind("127.0.0.1:0", Config::default()).unwrap();
        let secure = secure.tls(certificate.server_tls());
        let plain = Listener::bind("127.0.0.1:0", Config::default()).unwrap();
        let name = COctets::new(b"our_smsc").unwrap();
        let server = Server::builder(service).system_id(name).listen(plain).listen(secure).start().unwrap();
        let [plain, secure] = *server.local_addrs() else { panic!() };
        let events = test.echo();

        let (client, _inbox) = esme(plain, "shop", BindMode::Transmitter);
        client.submit(&submit(b"1")).unwrap();
        let endpoint = Endpoint::tls("localhost", secure.port());
        let connector = Connector::new().tls(certificate.client_tls());
        let (client, _inbox) = connector.start(&endpoint).unwrap();
        let password = Password::new(b"secret").unwrap();
        let answer = client.bind(&Bind { password, ..Bind::default() }).unwrap();
        assert_eq!(answer.bind_resp().system_id.as_bytes(), b"our_smsc");

        let list = server.binds().list();
        let seen: Vec<_> = list.iter().map(|it| (it.system_id(), it.mode(), it.is_tls())).collect();
        assert_eq!(seen, [(&b"shop"[..], BindMode::Transmitter, false), (b"", TRX, true)]);
        assert_eq!(list[0].stats().received.total().pdus(), 2, "the bind and one message");
        assert!(list[0].peer_addr().ip().is_loopback() && list[0].id() < list[1].id());
        assert_eq!(server.binds().connections(), 2);
        event(&events, "bound shop");
        event(&events, "bound ");
    });
}

#[test]
fn bound_connections_are_not_closed_for_new_ones() {
    watched(|| {
        let limits = ServerLimits::default().connections_per_address(2);
        let (server, address, test) = serve(limits, Config::default());
        let first = esme(address, "shop", TRX);
        let second = esme(address, "shop", TRX);
        closed(&mut TcpStream::connect(address).unwrap());
        test.event("rejected: the limit of connections per address is reached");
        assert_eq!(server.binds().list().len(), 2);
        second.0.unbind();
        until(|| server.binds().connections() == 1);
        let (_third, _inbox) = esme(address, "shop", TRX);
        drop(first);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn connections_are_limited_per_address_and_in_total() {
    watched(|| {
        use std::net::SocketAddr;

        use smpp_proto::session::Esme;
        use smpp_std::start;
        use socket2::{Domain, Socket, Type};

        let limits = ServerLimits::default().connections_per_address(1).connections(2);
        let (server, address, test) = serve(limits, Config::default());
        let from = |host: [u8; 4]| -> TcpStream {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.bind(&SocketAddr::from((host, 0)).into()).unwrap();
            socket.connect(&address.into()).unwrap();
            socket.into()
        };
        let bound = |host| {
            let (client, inbox) = start::<Esme, _>(from(host), Config::default()).unwrap();
            bind(&client, "shop", "secret", TRX).unwrap();
            (client, inbox)
        };
        let _first = bound([127, 0, 0, 1]);
        let _second = bound([127, 0, 0, 2]);
        closed(&mut from([127, 0, 0, 2]));
        test.event("rejected: the limit of connections per address is reached");
        closed(&mut from([127, 0, 0, 3]));
        test.event("rejected: the limit of connections is reached");
        assert_eq!(server.binds().connections(), 2);
    });
}

#[test]
fn idle_connections_of_an_address_do_not_block_its_binds() {
    watched(|| {
        let limits = ServerLimits::default().binds_per_account(100);
        let (server, address, test) = serve(limits, Config::default());
        let _events = test.echo();
        let idle: Vec<_> = (0..200).map(|_| TcpStream::connect(address).unwrap()).collect();
        let binds: Vec<_> = (0..38).map(|_| esme(address, "shop", TRX)).collect();
        for (client, _) in &binds {
            assert_eq!(client.submit(&submit(b"accepted")).unwrap().message_id(), b"accepted");
        }
        let stats = server.binds().stats();
        assert_eq!((stats.bound, stats.bound + stats.unbound), (38, 100));
        drop(idle);
    });
}

#[test]
fn a_flood_of_connections_does_not_block_binds() {
    watched(|| {
        let limits = ServerLimits::default().connections(100).connections_per_address(100);
        let (server, address, test) = serve(limits, Config::default());
        let _events = test.echo();
        let (early, _inbox) = esme(address, "shop", TRX);
        let mut idle = VecDeque::new();
        for number in 0..2_000 {
            idle.push_back(TcpStream::connect(address).unwrap());
            if idle.len() > 300 {
                idle.pop_front();
            }
            if number % 50 == 49 {
                // The queue of the listener is short: a client that finds it full tries again after a second.
                until(|| server.binds().stats().counters.connected > number);
            }
            if number % 200 == 199 {
                let (client, _inbox) = esme(address, "shop", TRX);
                let answer = client.submit(&submit(b"accepted")).unwrap();
                assert_eq!(answer.message_id(), b"accepted");
                client.unbind();
                assert!(server.binds().connections() <= 200, "twice the limit");
            }
        }
        assert_eq!(early.submit(&submit(b"still bound")).unwrap().message_id(), b"still bound");
    });
}

#[test]
fn connections_without_a_bind_hold_little() {
    watched(|| {
        let limits = ServerLimits::default().unbound_octets(10_000);
        let (server, address, test) = serve(limits, Config::default());
        // The beginning of a PDU that is too long before the bind.
        let mut long = TcpStream::connect(address).unwrap();
        long.write_all(&[0, 0, 4, 1, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1]).unwrap();
        closed(&mut long);
        // Each sends most of a PDU.
        let part = [&[0, 0, 4, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1][..], &[0; 984]].concat();
        let mut peers: Vec<_> = (0..20)
            .map(|_| {
                let mut tcp = TcpStream::connect(address).unwrap();
                tcp.write_all(&part).unwrap();
                tcp
            })
            .collect();
        until(|| server.binds().stats().counters.not_bound == 11);
        let stats = server.binds().stats();
        assert_eq!((stats.unbound, stats.unbound_octets), (10, 10_000));
        let is_open = |tcp: &mut TcpStream| {
            tcp.set_nonblocking(true).unwrap();
            tcp.read(&mut [0; 1]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
        };
        peers[..10].iter_mut().for_each(closed);
        assert!(peers[10..].iter_mut().all(is_open), "the oldest are closed");
        // Bound, a session accepts longer PDUs.
        let (client, _inbox) = esme(address, "shop", TRX);
        let octets = vec![b'x'; 60_000];
        let payload = [smpp_proto::Tlv::message_payload(&octets).unwrap()];
        let tlvs = smpp_proto::Tlvs::list(&payload);
        let sent = client.submit_pipelined(&smpp_proto::SubmitSm { tlvs, ..submit(b"") }).unwrap();
        let (_, message) = test.message();
        assert_eq!(message.get().text().len(), 60_000);
        message.accept().unwrap();
        sent.wait().unwrap();
    });
}

#[test]
fn a_client_that_does_not_bind_in_time_is_closed() {
    watched(|| {
        let (service, test) = test_service();
        let certificate = Certificate::for_localhost().unwrap();
        let config = Config::default().session_init_timeout(Duration::from_millis(100));
        let secure = Listener::bind("127.0.0.1:0", config).unwrap().tls(certificate.server_tls());
        let plain = Listener::bind("127.0.0.1:0", config).unwrap();
        let server = Server::builder(service).listen(plain).listen(secure).start().unwrap();
        let [plain, secure] = *server.local_addrs() else { panic!() };
        closed(&mut TcpStream::connect(secure).unwrap());
        test.event("not bound: the client did not complete the TLS handshake within session_init_timeout");
        // Clients that send an incomplete PDU, octet by octet.
        let hello = [0x16, 0x03, 0x01, 0x40, 0x00];
        let pdu = [0, 0, 0, 100, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1];
        let handshake = "the client did not complete the TLS handshake within session_init_timeout";
        let no_bind = "the session ended before a bind: no bind within session_init_timeout";
        for (address, octets, expected) in [(secure, &hello[..], handshake), (plain, &pdu[..], no_bind)] {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
            let mut octets = octets.iter().copied().chain(std::iter::repeat(b'x')).take(80);
            loop {
                // It fails after the server has closed the connection.
                if let Some(octet) = octets.next()
                    && stream.write_all(&[octet]).is_err()
                {
                    break;
                }
                match stream.read(&mut [0; 64]) {
                    Ok(0) => break,
                    Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
                    _ => {}
                }
            }
            test.event(&format!("not bound: {expected}"));
        }
        until(|| server.binds().connections() == 0);
    });
}

#[test]
fn the_listener_works_without_a_server() {
    watched(|| {
        let listener = Listener::bind("127.0.0.1:0", Config::default()).unwrap();
        let address = listener.local_addr().unwrap();
        let clients = std::thread::spawn(move || {
            let (refused, _inbox) = connect(address);
            let status = bind(&refused, "shop", "guessed", TRX).unwrap_err().status();
            let (client, inbox) = esme(address, "shop", TRX);
            assert!(client.submit(&submit(b"1")).is_ok());
            (status, client, inbox)
        });
        let request = listener.accept().unwrap().bind_request().unwrap();
        assert!(!request.bind().password.equals(b"secret"));
        request.refuse(smpp_proto::CommandStatus::RINVPASWD);
        let request = listener.accept().unwrap().bind_request().unwrap();
        let (_peer, mut inbox) = request.accept(COctets::default()).unwrap();
        let Some(smpp_std::Inbound::SubmitSm(message)) = inbox.recv() else { panic!() };
        message.accept().unwrap();
        let (status, ..) = clients.join().unwrap();
        assert_eq!(status, Some(smpp_proto::CommandStatus::RINVPASWD));
    });
}
