//! The SMSC of a scenario: a session of the other role, and what its application does.

use std::time::Duration;

use smpp_proto::session::{Config, Smsc};
use smpp_proto::{COctets, CommandStatus, DeliverSm, EsmClass, ShortMessage, SubmitSm, SubmitSmResp};
use smpp_tokio::{Inbound, InboundRequest, Peer, start};
use tokio::time::sleep;

use crate::network::End;
use crate::rng::Rng;

/// How an SMSC behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behaviour {
    /// Messages that get no response, in percent.
    pub(crate) silent: u64,
    /// Messages that are throttled, in percent.
    pub(crate) throttled: u64,
    /// The longest time before a response, in milliseconds.
    pub(crate) latency: u64,
    /// Mobile-originated messages.
    pub(crate) deliveries: u64,
    /// Binds that get no response, in percent.
    pub(crate) silent_binds: u64,
    /// Whether the SMSC unbinds by itself.
    pub(crate) unbinds: bool,
}

impl Behaviour {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        Self {
            silent: [0, 0, 10, 50][rng.below(4) as usize],
            throttled: [0, 0, 20][rng.below(3) as usize],
            latency: [1, 500, 15_000][rng.below(3) as usize],
            deliveries: rng.below(6),
            silent_binds: [0, 0, 30][rng.below(3) as usize],
            unbinds: rng.percent(10),
        }
    }
}

/// Serves one connection until it ends.
pub(crate) async fn serve(io: End, config: Config, behaviour: Behaviour, mut rng: Rng) {
    let (peer, mut inbox) = start::<Smsc, _>(io, config);
    let mut silent = Vec::new();
    while let Some(inbound) = inbox.recv().await {
        match inbound {
            Inbound::Bind(bind) => {
                if rng.percent(behaviour.silent_binds) {
                    silent.push(Inbound::Bind(bind));
                    continue;
                }
                let _ = bind.accept();
                tokio::spawn(deliver(peer.clone(), behaviour, rng.fork()));
            }
            Inbound::SubmitSm(message) if rng.percent(behaviour.silent) => {
                silent.push(Inbound::SubmitSm(message));
            }
            Inbound::SubmitSm(message) if rng.percent(behaviour.throttled) => {
                let _ = message.refuse(CommandStatus::RTHROTTLED);
            }
            Inbound::SubmitSm(message) => {
                let latency = rng.millis(behaviour.latency);
                let receipt = rng.percent(80).then(|| rng.millis(5_000));
                if latency.is_zero() {
                    answer(&message_id(&message), message);
                } else {
                    tokio::spawn(answer_later(peer.clone(), message, latency, receipt));
                }
            }
            _ => {}
        }
    }
}

fn message_id(message: &InboundRequest<Smsc, SubmitSm<'static>>) -> String {
    format!("{:x}", message.frame().header().sequence.0)
}

fn answer(id: &str, message: InboundRequest<Smsc, SubmitSm<'static>>) {
    let message_id = COctets::new(id.as_bytes()).unwrap();
    let _ = message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }));
}

/// Answers a message after a while, then delivers its receipt.
async fn answer_later(
    peer: Peer,
    message: InboundRequest<Smsc, SubmitSm<'static>>,
    latency: Duration,
    receipt: Option<Duration>,
) {
    sleep(latency).await;
    let id = message_id(&message);
    let wants_receipt = message.get().registered_delivery.bits() & 3 != 0;
    answer(&id, message);
    let Some(delay) = receipt.filter(|_| wants_receipt) else { return };
    sleep(delay).await;
    let text =
        format!("id:{id} sub:001 dlvrd:001 submit date:2001010000 done date:2001010000 stat:DELIVRD err:000");
    let receipt = DeliverSm {
        esm_class: EsmClass::from_bits_retain(4),
        short_message: ShortMessage::new(text.as_bytes()).unwrap(),
        ..DeliverSm::default()
    };
    let _ = peer.deliver(&receipt).await;
}

/// Delivers mobile-originated messages, and unbinds if the behaviour says so.
async fn deliver(peer: Peer, behaviour: Behaviour, mut rng: Rng) {
    for _ in 0..behaviour.deliveries {
        sleep(rng.millis(10_000)).await;
        let message =
            DeliverSm { short_message: ShortMessage::new(b"Hello").unwrap(), ..DeliverSm::default() };
        let _ = peer.deliver(&message).await;
    }
    if behaviour.unbinds {
        sleep(rng.millis(30_000)).await;
        peer.unbind().await;
    }
}
