//! An SMSC that follows 8x8's rules: bind cap, rate, receipts on any bind of the account.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use smpp_core::session::Instant;
use smpp_core::simulator::{BindId, Delivery, Rules, Simulator};
use smpp_core::{COctets, SubmitSmResp};
use smpp_io_tokio::{Connecting, Inbound, Listener, Peer};
use tokio::sync::Notify;
use tokio::time;

struct State {
    simulator: Mutex<Simulator>,
    peers: Mutex<HashMap<BindId, Peer>>,
    /// There may be a receipt to send.
    changed: Notify,
    start: time::Instant,
}

/// Serves what the listener accepts, in tasks of its own.
pub(crate) fn serve(
    listener: Listener,
    accounts: &[(&str, &str)],
) -> Result<SocketAddr, Box<dyn std::error::Error>> {
    let address = listener.local_addr()?;
    let epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let mut simulator =
        Simulator::new(Rules { epoch, receipt_delay: Duration::from_millis(500), ..Rules::default() });
    for (system_id, password) in accounts {
        simulator.add_account(system_id, password);
    }
    let state = Arc::new(State {
        simulator: Mutex::new(simulator),
        peers: Mutex::default(),
        changed: Notify::new(),
        start: time::Instant::now(),
    });
    tokio::spawn(Arc::clone(&state).deliver_receipts());
    tokio::spawn(state.accept(listener));
    Ok(address)
}

impl State {
    async fn accept(self: Arc<Self>, listener: Listener) {
        loop {
            match listener.accept().await {
                Ok(connecting) => drop(tokio::spawn(Arc::clone(&self).session(connecting))),
                // Short of something, file descriptors perhaps: sessions that end make room.
                Err(_) => time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// One connection, from the TLS handshake to the end.
    async fn session(self: Arc<Self>, connecting: Connecting) {
        let Ok(request) = connecting.bind_request().await else { return };
        let admitted = self.simulator().bind(&request.bind());
        let id = match admitted {
            Ok(id) => id,
            Err(status) => {
                request.refuse(status).await;
                return;
            }
        };
        if let Ok((peer, mut inbox)) = request.accept(COctets::new(b"8x8_demo").unwrap_or_default()) {
            self.peers().insert(id, peer);
            self.changed.notify_one();
            while let Some(inbound) = inbox.recv().await {
                let Inbound::SubmitSm(message) = inbound else { continue };
                let taken = self.simulator().submit(self.now(), id, &message.get());
                let _ = match &taken {
                    Ok(message_id) => message.respond(Ok(SubmitSmResp {
                        message_id: COctets::new(message_id.as_bytes()).unwrap_or_default(),
                        ..SubmitSmResp::default()
                    })),
                    Err(status) => message.refuse(*status),
                };
                self.changed.notify_one();
            }
        }
        self.peers().remove(&id);
        self.simulator().release(id);
    }

    /// Sends each receipt when it is due, on the bind that the simulator chooses.
    async fn deliver_receipts(self: Arc<Self>) {
        loop {
            let due = self.simulator().poll_timeout();
            match due {
                Some(due) => {
                    let due = self.start + (due - Instant::ZERO);
                    let _ = time::timeout_at(due, self.changed.notified()).await;
                }
                None => self.changed.notified().await,
            }
            while let Some(delivery) = self.next_receipt() {
                tokio::spawn(Arc::clone(&self).deliver(delivery));
            }
        }
    }

    fn next_receipt(&self) -> Option<Delivery> {
        self.simulator().poll_delivery(self.now())
    }

    async fn deliver(self: Arc<Self>, delivery: Delivery) {
        let peer = self.peers().get(&delivery.bind).cloned();
        let delivered = match peer {
            Some(peer) => peer.deliver(&delivery.deliver_sm()).await.is_ok(),
            None => false,
        };
        if !delivered {
            self.simulator().redeliver(self.now(), delivery);
            self.changed.notify_one();
        }
    }

    fn now(&self) -> Instant {
        Instant::after(self.start.elapsed())
    }

    fn simulator(&self) -> std::sync::MutexGuard<'_, Simulator> {
        self.simulator.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn peers(&self) -> std::sync::MutexGuard<'_, HashMap<BindId, Peer>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
