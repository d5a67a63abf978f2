//! An SMSC: admits one account, accepts its messages and delivers a receipt for each that asks for one.
//! ```sh
//! cargo run -p smpp-tokio --example server -- 127.0.0.1:2775
//! ```

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use smpp_tokio::smpp_proto::session::{Config, Smsc};
use smpp_tokio::smpp_proto::sms::Receipt;
use smpp_tokio::smpp_proto::{COctets, CommandStatus, DeliverSm, Pdu, RegisteredDelivery};
use smpp_tokio::smpp_proto::{ShortMessage, SubmitSmResp, Tolerance};
use smpp_tokio::{Admission, BindRequest, BoundSession, Inbound, Listener, Server, Service};

struct Shop;
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Service for Shop {
    async fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
        let bind = request.bind();
        let known = bind.system_id.as_bytes() == b"shop" && bind.password.equals(b"s3cret");
        if known { Ok(Admission::default()) } else { Err(CommandStatus::RINVPASWD) }
    }

    async fn request(&self, session: &BoundSession, request: Inbound<Smsc>) {
        let Inbound::SubmitSm(message) = request else { return }; // refuses it with a temporary error
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed).to_string();
        let message_id = COctets::new(id.as_bytes()).unwrap_or_default();
        let frame = message.frame().clone();
        // An error means that the session has ended: the ESME then reports the message as unanswered.
        let _ = message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }));
        let Ok((Pdu::SubmitSm(submit_sm), _)) = frame.pdu(Tolerance::LENIENT) else { return };
        if !submit_sm.registered_delivery.contains(RegisteredDelivery::RECEIPT) {
            return;
        }
        let receipt = Receipt::default().id(id.as_bytes()).stat(b"DELIVRD");
        let mut text = Vec::new();
        receipt.emit(&mut text);
        let dlr = DeliverSm {
            source: submit_sm.destination,
            destination: submit_sm.source,
            esm_class: receipt.esm_class(),
            short_message: ShortMessage::new(&text).unwrap_or_default(),
            ..DeliverSm::default()
        };
        println!("message {id}: receipt {:?}", session.peer().deliver(&dlr).await.map(drop));
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("usage: server ADDRESS:PORT")?;
    let listener = Listener::bind(address, Config::default()).await?;
    println!("listening on {}", listener.local_addr()?);
    let server = Server::builder(Shop).listen(listener).start()?;
    tokio::signal::ctrl_c().await?;
    server.shutdown(Duration::from_secs(10)).await;
    Ok(())
}
