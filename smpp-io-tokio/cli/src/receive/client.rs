//! The driving of `smpp receive` over tokio.

use smpp_proto::session::Esme;
use smpp_proto::{CommandStatus, DataSmResp, DeliverSmResp};
use smpp_tokio::{Connector, Inbound};
use tokio::task::block_in_place;

use super::store::Store;
use super::{Arguments, MODE, NOT_BOUND, report_bound, report_stopped, report_stored};
use crate::connecting::{Connecting, SESSION_LIMIT};
use crate::delivered::Delivered;
use crate::failure::Failure;
use crate::interrupts::Interrupts;
use crate::options;

/// Binds and stores what arrives, until a signal.
pub(super) async fn receive(arguments: &Arguments) -> Result<(), Failure> {
    let endpoint = arguments.endpoint()?;
    let connector = match options::trust(&endpoint, arguments.ca.as_deref())? {
        Some(trust) => Connector::new().tls(trust),
        None => Connector::new(),
    };
    let bind = options::bind(&endpoint, MODE)?;
    let mut store = Store::open(&arguments.file)?;
    let printer = arguments.printer()?;
    let mut interrupts = Interrupts::new().map_err(Failure::other)?;
    let connecting = Connecting::to(&endpoint, SESSION_LIMIT);
    let bound = async {
        let (client, inbox) = connector.connect(&endpoint).await?;
        let bound = client.bind(&bind).await;
        bound.map_err(|error| Failure::bind(&endpoint, MODE, client.diagnose_bind(&error), error))?;
        Ok::<_, Failure>((client, inbox))
    };
    let (client, mut inbox) = tokio::select! {
        bound = bound => bound?,
        () = interrupts.next() => {
            drop(connecting);
            report_stopped(NOT_BOUND);
            return Ok(());
        }
    };
    drop(connecting);
    report_bound(arguments, &store);
    loop {
        let inbound = tokio::select! {
            inbound = inbox.recv() => inbound,
            () = interrupts.next() => {
                // The SMSC redelivers the messages that wait in the inbox.
                drop(inbox);
                report_stopped(client.unbind().await);
                return Ok(());
            }
        };
        let Some(inbound) = inbound else { break };
        // Other threads of the runtime keep the session alive, however long the disk takes.
        let stored = block_in_place(|| match &inbound {
            Inbound::DeliverSm(message) => {
                Some(store.append(message.frame().octets(), &Delivered::from(&message.get())))
            }
            Inbound::DataSm(message) => {
                Some(store.append(message.frame().octets(), &Delivered::from(&message.get())))
            }
            _ => None,
        });
        match stored {
            // Any other request is refused when it is dropped.
            None => {}
            Some(Ok(line)) => {
                respond(inbound, Ok(()));
                report_stored(printer.as_ref(), line);
            }
            Some(Err(failure)) => {
                // The SMSC redelivers this message and those that wait in the inbox.
                respond(inbound, Err(CommandStatus::RX_T_APPN));
                drop(inbox);
                client.unbind().await;
                return Err(failure);
            }
        }
    }
    Err(Failure::other(client.closed().await))
}

/// Responds to a message. If the session has ended, the SMSC redelivers it.
fn respond(inbound: Inbound<Esme>, result: Result<(), CommandStatus>) {
    let _ = match inbound {
        Inbound::DeliverSm(message) => message.respond(result.map(|()| DeliverSmResp::default())),
        Inbound::DataSm(message) => message.respond(result.map(|()| DataSmResp::default())),
        _ => Ok(()),
    };
}
