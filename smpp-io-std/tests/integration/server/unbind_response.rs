//! A bind no longer counts when its ESME gets the response to its unbind.

use std::io;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use smpp_proto::CommandStatus;
use smpp_proto::session::{Config, Smsc};
use smpp_std::{
    Admission, BindRequest, BoundSession, Duplex, HandleRoute, Inbound, Listener, Server, ServerLimits,
    ServerStream, Service,
};

use crate::common::watched;
use crate::server::support::{TRX, bind, connect, esme};

/// Blocks after the write of an unbind_resp until the sender is dropped.
struct Gate(Arc<Mutex<mpsc::Receiver<()>>>);

impl Service for Gate {
    fn bind(&self, _: &BindRequest) -> Result<Admission, CommandStatus> {
        Ok(Admission::default())
    }

    fn request(&self, _: &BoundSession, _: Inbound<HandleRoute<Smsc>>) {}

    fn transport(&self, stream: ServerStream) -> Box<dyn Duplex> {
        Box::new(Gated(stream, Arc::clone(&self.0)))
    }
}

struct Gated(ServerStream, Arc<Mutex<mpsc::Receiver<()>>>);

impl Duplex for Gated {
    fn receive(&self, octets: &mut [u8]) -> io::Result<usize> {
        self.0.receive(octets)
    }

    fn transmit(&self, octets: &[u8]) -> io::Result<usize> {
        let written = self.0.transmit(octets);
        if octets.get(4..8) == Some(&[0x80, 0, 0, 6]) {
            let _ = self.1.lock().unwrap().recv();
        }
        written
    }

    fn transmit_held(&self) -> io::Result<()> {
        self.0.transmit_held()
    }

    fn set_receive_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_receive_timeout(timeout)
    }

    fn set_transmit_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_transmit_timeout(timeout)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
}

#[test]
fn a_bind_counts_no_more_when_the_response_to_its_unbind_leaves() {
    watched(|| {
        let (release, gate) = mpsc::channel();
        let listener = Listener::bind("127.0.0.1:0", Config::default()).unwrap();
        let limits = ServerLimits::default().binds_per_account(1);
        // An `Arc` of a service is one, with its transport.
        let service = Arc::new(Gate(Arc::new(Mutex::new(gate))));
        let server = Server::builder(service).limits(limits).listen(listener).start().unwrap();
        let address = server.local_addrs()[0];
        let (first, _inbox) = esme(address, "shop", TRX);
        // Then the ESME has the response, and the session of the server has not ended.
        first.unbind();
        let (second, _inbox) = connect(address);
        bind(&second, "shop", "secret", TRX).unwrap();
        drop(release);
    });
}
