//! The driving of `smpp receive --blocking`.

use smpp_core::CommandStatus;
use smpp_io_std::{Connector, Inbound};

use super::store::Store;
use super::{Arguments, MODE, Never, report_bound};
use crate::failure::Failure;
use crate::options;

/// Binds and stores what arrives.
pub(super) fn receive(arguments: &Arguments) -> Result<Never, Failure> {
    let endpoint = arguments.endpoint()?;
    let connector = match options::trust(&endpoint, arguments.ca.as_deref())? {
        Some(trust) => Connector::new().tls(trust),
        None => Connector::new(),
    };
    let bind = options::bind(&endpoint, MODE)?;
    let mut store = Store::open(&arguments.file)?;
    // The session has a thread that keeps it alive, however long the disk takes.
    let (client, mut inbox) = connector.start(&endpoint)?;
    client.bind(&bind).map_err(|error| Failure::bind(MODE, &error))?;
    report_bound(arguments, &store);
    while let Some(inbound) = inbox.recv() {
        // Any other request is refused when it is dropped.
        let Inbound::DeliverSm(message) = inbound else { continue };
        match store.append(message.frame().octets(), &message.get()) {
            // If the session has ended, the SMSC redelivers the message.
            Ok(()) => drop(message.accept()),
            Err(failure) => {
                // The SMSC redelivers this message and those that wait in the inbox.
                let _ = message.refuse(CommandStatus::RX_T_APPN);
                drop(inbox);
                client.unbind();
                return Err(failure);
            }
        }
    }
    Err(Failure::other(client.closed()))
}
