//! An SMSC inside this process: the rules of 8x8, TLS, one thread for each connection.

#[path = "../../../smpp-io-tokio/examples/support/certificate.rs"]
mod certificate;

use std::error::Error;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rustls::ServerConfig;
use smpp_core::session::{Config, Smsc};
use smpp_core::simulator::{BindId, Delivery, Rules, Simulator};
use smpp_core::{BindResp, COctets, InterfaceVersion, SubmitSmResp, Tlv, Tlvs};
use smpp_io_std::{Connection, End, Inbound, SentRequest, TlsStream, tls};

/// The account that it knows: system_id and password.
pub(crate) const ACCOUNT: (&str, &str) = ("demo_shop", "s3cret");

/// How often a connection looks for receipts that another one has found.
const LOOK: Duration = Duration::from_millis(20);

/// What the connections share.
struct Service {
    simulator: Simulator,
    /// Receipts that are due, each for the bind it names.
    due: Vec<Delivery>,
}

#[derive(Clone)]
struct Shared {
    service: Arc<Mutex<Service>>,
    start: Instant,
}

/// Starts it on a free port. Gives its address, and the PEM of a certificate authority made for it.
pub(crate) fn start() -> Result<(SocketAddr, String), Box<dyn Error>> {
    let made = certificate::for_localhost()?;
    let server = tls::server(made.chain, made.key)?;
    let epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let rules = Rules { epoch, receipt_delay: Duration::from_millis(500), ..Rules::default() };
    let mut simulator = Simulator::new(rules);
    simulator.add_account(ACCOUNT.0, ACCOUNT.1);
    let service = Arc::new(Mutex::new(Service { simulator, due: Vec::new() }));
    let shared = Shared { service, start: Instant::now() };

    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (shared, server) = (shared.clone(), Arc::clone(&server));
            // How a connection ends is the client's to tell.
            thread::spawn(move || shared.serve(stream, server));
        }
    });
    Ok((address, made.authority.pem()))
}

impl Shared {
    fn serve(
        &self,
        stream: TcpStream,
        server: Arc<ServerConfig>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        stream.set_nodelay(true)?;
        let config = Config::default();
        let stream = TlsStream::accept(stream, server, config.session_init_timeout)?;
        let mut bind = None;
        let end = self.session(stream, config, &mut bind)?;
        if let Some(bind) = bind {
            self.service().simulator.release(bind);
        }
        Err(end.into())
    }

    /// Answers what the ESME asks and sends it its receipts, until the connection ends.
    fn session(&self, stream: TlsStream, config: Config, bind: &mut Option<BindId>) -> io::Result<End> {
        let mut connection = Connection::<Smsc, _>::new(stream, config)?;
        let mut on_its_way = None;
        loop {
            let answered = match connection.recv(Some(LOOK)) {
                Ok(Some(Inbound::Bind(request))) => {
                    let admitted = self.service().simulator.bind(&request.get());
                    *bind = admitted.ok();
                    let system_id = COctets::new(b"8x8_demo").unwrap_or_default();
                    let version = [Tlv::sc_interface_version(InterfaceVersion::V3_4)];
                    let response = BindResp { system_id, tlvs: Tlvs::list(&version) };
                    connection.respond(request, admitted.map(|_| response))
                }
                Ok(Some(Inbound::SubmitSm(message))) => {
                    // The session lets none through before the bind.
                    let Some(bind) = *bind else { continue };
                    let now = self.now();
                    let taken = self.service().simulator.submit(now, bind, &message.get());
                    let response = taken.as_ref().map(|id| SubmitSmResp {
                        message_id: COctets::new(id.as_bytes()).unwrap_or_default(),
                        ..SubmitSmResp::default()
                    });
                    connection.respond(message, response.map_err(|status| *status))
                }
                Ok(Some(other)) => connection.refuse(other),
                Ok(None) => Ok(()),
                Err(end) => Err(end),
            };
            on_its_way = self.receipt(&mut connection, *bind, on_its_way);
            if let Err(end) = answered {
                return Ok(end);
            }
        }
    }

    /// Sends one receipt at a time, without waiting: the ESME may answer after its next message only. One
    /// that is not accepted is tried again later.
    fn receipt(
        &self,
        connection: &mut Connection<Smsc, TlsStream>,
        bind: Option<BindId>,
        on_its_way: Option<(SentRequest, Delivery)>,
    ) -> Option<(SentRequest, Delivery)> {
        if let Some((pending, delivery)) = on_its_way {
            match pending.try_outcome() {
                Err(pending) => return Some((pending, delivery)),
                Ok(Ok(_)) => {}
                Ok(Err(_)) => self.redeliver(delivery),
            }
        }
        let delivery = self.next_receipt(bind?)?;
        if let Ok(pending) = connection.send(&delivery.deliver_sm()) {
            return Some((pending, delivery));
        }
        self.redeliver(delivery);
        None
    }

    fn next_receipt(&self, bind: BindId) -> Option<Delivery> {
        let now = self.now();
        let mut service = self.service();
        while let Some(delivery) = service.simulator.poll_delivery(now) {
            service.due.push(delivery);
        }
        let mine = service.due.iter().position(|delivery| delivery.bind == bind)?;
        Some(service.due.remove(mine))
    }

    fn redeliver(&self, delivery: Delivery) {
        let now = self.now();
        self.service().simulator.redeliver(now, delivery);
    }

    fn now(&self) -> smpp_core::session::Instant {
        smpp_core::session::Instant::after(self.start.elapsed())
    }

    fn service(&self) -> MutexGuard<'_, Service> {
        self.service.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
