//! Servers on sockets that the application also accepts connections from.

use std::net::{TcpListener, TcpStream};
use std::sync::{Mutex, mpsc};
use std::thread;

use smpp_proto::CommandStatus;
use smpp_proto::session::{Config, Smsc};
use smpp_std::{
    Admission, BindRequest, BoundSession, HandleRoute, Inbound, Listener, Server, ServerEvent, ServerLimits,
    Service,
};

use crate::common::watched;
use crate::server::support::TIMEOUT;

/// Waits in the event of a connection that is rejected, which the thread that accepts emits.
struct WaitInEvent {
    begun: Mutex<mpsc::Sender<()>>,
    gate: Mutex<mpsc::Receiver<()>>,
}

impl Service for WaitInEvent {
    fn bind(&self, _: &BindRequest) -> Result<Admission, CommandStatus> {
        Err(CommandStatus::RBINDFAIL)
    }

    fn request(&self, _: &BoundSession, _: Inbound<HandleRoute<Smsc>>) {}

    fn event(&self, event: ServerEvent<'_>) {
        if let ServerEvent::ConnectionRejected { .. } = event {
            self.begun.lock().unwrap().send(()).unwrap();
            let _ = self.gate.lock().unwrap().recv();
        }
    }
}

#[test]
fn a_server_ends_if_the_application_accepts_the_connection_that_wakes_its_thread() {
    watched(|| {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let (clone, address) = (tcp.try_clone().unwrap(), tcp.local_addr().unwrap());
        let (begun_sender, begun) = mpsc::channel();
        let (gate, opened) = mpsc::channel();
        let service = WaitInEvent { begun: Mutex::new(begun_sender), gate: Mutex::new(opened) };
        let limits = ServerLimits::default().connections(0);
        let listener = Listener::new(tcp, Config::default());
        let server = Server::builder(service).limits(limits).listen(listener).start().unwrap();
        let _rejected = TcpStream::connect(address).unwrap();
        begun.recv().unwrap();
        let stopping = thread::spawn(move || server.shutdown(TIMEOUT));
        // The thread is in the event, and misses this one.
        drop(clone.accept().unwrap());
        drop(gate);
        assert_eq!(stopping.join().unwrap().aborted(), 0);
        let _client = TcpStream::connect(address).unwrap();
        clone.accept().unwrap();
    });
}

#[cfg(unix)]
#[test]
fn the_unix_socket_of_a_server_that_has_ended_stays_usable() {
    use std::io::{Read, Write};
    use std::os::unix::net::{UnixListener, UnixStream};

    use crate::server::support::test_service;

    watched(|| {
        let path = std::env::temp_dir().join(format!("smpp-std-shared-{}.sock", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let unix = UnixListener::bind(&path).unwrap();
        let clone = unix.try_clone().unwrap();
        for is_shut_down in [true, false] {
            let (service, _test) = test_service();
            let listener = Listener::unix(clone.try_clone().unwrap(), Config::default());
            let server = Server::builder(service).listen(listener).start().unwrap();
            if is_shut_down {
                assert_eq!(server.shutdown(TIMEOUT).aborted(), 0);
            } else {
                drop(server);
            }
            let mut client = UnixStream::connect(&path).unwrap();
            client.write_all(b"!").unwrap();
            // Others are those that have woken the thread of the server.
            while clone.accept().unwrap().0.read(&mut [0]).unwrap() == 0 {}
        }
        std::fs::remove_file(&path).unwrap();
    });
}
