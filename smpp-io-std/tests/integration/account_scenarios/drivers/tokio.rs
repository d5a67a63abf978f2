//! An application with `smpp_tokio::account`.

use std::sync::Arc;
use std::time::Duration;

use smpp_proto::account::{
    AccountEvent, DeliveryReceipt, Message, MessageRequest, MessageRequestError, NoMoreReceipts,
    ReceiptMatch, SendError, SubmitError, Unresolved,
};
use smpp_proto::session::Response;
use smpp_tokio::account::{Account, Arrivals, Events, Sent, Ticket};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::{Accepted, App, Arrived, Start, same_in_both, same_methods};

same_in_both!(smpp_tokio);

struct Tokio {
    account: Account,
    arrivals: Option<Arrivals>,
    events: Events,
    tickets: Vec<Option<Ticket>>,
    sent: Vec<Option<Sent>>,
    request: Option<JoinHandle<Result<Response, MessageRequestError>>>,
    shutdown: Option<JoinHandle<Vec<Unresolved>>>,
    /// [`start`] holds it as well: the account ends in it after the application has dropped everything.
    runtime: Arc<Runtime>,
}

pub(crate) fn start() -> Start {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let runtime = Arc::new(runtime);
    Box::new(move |settings| {
        let waits = settings.bind_timeout.is_some();
        let connector = connector(settings);
        let started =
            runtime.block_on(async { if waits { connector.connect().await } else { connector.start() } });
        let (account, arrivals) = started.map_err(|error| error.to_string())?;
        let events = account.events();
        Ok(Box::new(Tokio {
            account,
            arrivals: Some(arrivals),
            events,
            tickets: Vec::new(),
            sent: Vec::new(),
            request: None,
            shutdown: None,
            runtime: Arc::clone(&runtime),
        }))
    })
}

impl App for Tokio {
    same_methods!();

    fn submit(&mut self, message: &Message) -> Result<usize, SubmitError> {
        self.tickets.push(Some(self.runtime.block_on(self.account.submit(message))?));
        self.sent.push(None);
        Ok(self.tickets.len() - 1)
    }

    fn ready(&mut self) -> Result<usize, SubmitError> {
        self.runtime.block_on(self.account.ready())
    }

    fn outcome(&mut self, number: usize) -> Result<Accepted, SendError> {
        let ticket = self.tickets[number].take().expect("each outcome is fetched once");
        let sent = self.runtime.block_on(ticket.outcome())?;
        Ok(accepted(self.sent[number].insert(sent)))
    }

    fn receipt(&mut self, number: usize) -> Result<(DeliveryReceipt, ReceiptMatch), NoMoreReceipts> {
        let sent = self.sent[number].as_mut().expect("it was accepted");
        self.runtime.block_on(sent.next_receipt())
    }

    fn arrival(&mut self) -> Option<Arrived> {
        self.runtime.block_on(self.arrivals.as_mut()?.recv()).map(arrived)
    }

    fn event(&mut self) -> Option<AccountEvent> {
        self.runtime.block_on(self.events.recv())
    }

    fn request(&mut self, request: MessageRequest) {
        let account = self.account.clone();
        self.request = Some(self.runtime.spawn(async move { account.request(&request).await }));
    }

    fn response(&mut self) -> Result<Response, MessageRequestError> {
        let request = self.request.take().expect("a request was begun");
        self.runtime.block_on(request).expect("it does not panic")
    }

    fn shutdown(&mut self, timeout: Duration) {
        let account = self.account.clone();
        self.shutdown = Some(self.runtime.spawn(async move { account.shutdown(timeout).await }));
    }

    fn unresolved(&mut self) -> Vec<Unresolved> {
        let shutdown = self.shutdown.take().expect("the shutdown was begun");
        self.runtime.block_on(shutdown).expect("it does not panic")
    }
}
