//! An application with `smpp_std::account`.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use smpp_proto::account::{
    AccountEvent, DeliveryReceipt, Message, MessageRequest, MessageRequestError, NoMoreReceipts,
    ReceiptMatch, SendError, SubmitError, Unresolved,
};
use smpp_proto::session::Response;
use smpp_std::account::{Account, Arrivals, Events, Sent, Ticket};

use super::{Accepted, App, Arrived, Start, same_in_both, same_methods};

same_in_both!(smpp_std);

struct Blocking {
    account: Account,
    arrivals: Option<Arrivals>,
    events: Events,
    tickets: Vec<Option<Ticket>>,
    sent: Vec<Option<Sent>>,
    request: Option<JoinHandle<Result<Response, MessageRequestError>>>,
    shutdown: Option<JoinHandle<Vec<Unresolved>>>,
}

pub(crate) fn start() -> Start {
    Box::new(|settings| {
        let waits = settings.bind_timeout.is_some();
        let connector = connector(settings);
        let started = if waits { connector.connect() } else { connector.start() };
        let (account, arrivals) = started.map_err(|error| error.to_string())?;
        let events = account.events();
        Ok(Box::new(Blocking {
            account,
            arrivals: Some(arrivals),
            events,
            tickets: Vec::new(),
            sent: Vec::new(),
            request: None,
            shutdown: None,
        }))
    })
}

impl App for Blocking {
    same_methods!();

    fn submit(&mut self, message: &Message) -> Result<usize, SubmitError> {
        self.tickets.push(Some(self.account.submit(message)?));
        self.sent.push(None);
        Ok(self.tickets.len() - 1)
    }

    fn ready(&mut self) -> Result<usize, SubmitError> {
        self.account.ready()
    }

    fn outcome(&mut self, number: usize) -> Result<Accepted, SendError> {
        let sent = self.tickets[number].take().expect("each outcome is fetched once").outcome()?;
        Ok(accepted(self.sent[number].insert(sent)))
    }

    fn receipt(&mut self, number: usize) -> Result<(DeliveryReceipt, ReceiptMatch), NoMoreReceipts> {
        self.sent[number].as_mut().expect("it was accepted").next_receipt()
    }

    fn arrival(&mut self) -> Option<Arrived> {
        self.arrivals.as_mut()?.recv().map(arrived)
    }

    fn event(&mut self) -> Option<AccountEvent> {
        self.events.recv()
    }

    fn request(&mut self, request: MessageRequest) {
        let account = self.account.clone();
        self.request = Some(thread::spawn(move || account.request(&request)));
    }

    fn response(&mut self) -> Result<Response, MessageRequestError> {
        self.request.take().expect("a request was begun").join().expect("it does not panic")
    }

    fn shutdown(&mut self, timeout: Duration) {
        let account = self.account.clone();
        self.shutdown = Some(thread::spawn(move || account.shutdown(timeout)));
    }

    fn unresolved(&mut self) -> Vec<Unresolved> {
        self.shutdown.take().expect("the shutdown was begun").join().expect("it does not panic")
    }
}
