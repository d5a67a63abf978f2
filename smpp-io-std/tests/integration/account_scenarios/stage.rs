//! What a scenario acts on: the application, the hosts of the SMSC, and the log.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::Duration;

use smpp_proto::account::{
    AccountEvent, AckError, Backoff, BindId, Binds, Credentials, Expected, LinkEvent, Message,
    MessageRequest, Options,
};
use smpp_proto::provider::Provider;
use smpp_proto::{Address, CommandStatus, Endpoint, RegisteredDelivery, SubmitSm};

use crate::account_scenarios::describe;
use crate::account_scenarios::drivers::{App, Arrived, Settings, Start};
use crate::account_scenarios::smsc::{Log, Peer, Smsc};

/// Long enough for a slow machine. No scenario waits for so long.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// A delay that a scenario waits for.
pub(crate) const SHORT: Duration = Duration::from_millis(20);

pub(crate) struct Stage {
    start: Start,
    app: Option<Box<dyn App>>,
    messages: BTreeMap<&'static str, usize>,
    /// The kinds of the events of each connection slot, and of the account.
    events: BTreeMap<String, Vec<&'static str>>,
    log: Log,
}

/// The options of a scenario with one transceiver at this SMSC. No timeout fires by itself.
pub(crate) fn options(smsc: &Smsc) -> Options {
    let mut options = Options::new(Credentials::new("shop", "secret"), &Provider::UNSTATED)
        .endpoints(vec![smsc.endpoint()])
        .max_binds(2)
        .connect_interval(Duration::from_millis(1))
        .connect_timeout(LONG)
        .unbind_timeout(LONG)
        .backoff(Backoff::default().initial(SHORT).max(SHORT).reset_after(LONG));
    options.session.response_timeout = LONG;
    options.session.drain_timeout = LONG;
    options.session.enquire_link_interval = None;
    options
}

/// A template without receipts.
pub(crate) fn template() -> SubmitSm<'static> {
    SubmitSm { destination: Address::international("6591").unwrap(), ..SubmitSm::default() }
}

/// A message without receipts.
pub(crate) fn text(text: &str) -> Message {
    Message::text(&template(), text)
}

/// A message that requests receipts.
pub(crate) fn receipted(text: &str) -> Message {
    let template = SubmitSm { registered_delivery: RegisteredDelivery::RECEIPT, ..template() };
    Message::text(&template, text)
}

/// An endpoint at which nothing listens.
pub(crate) fn closed() -> Endpoint {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    Endpoint::plain("127.0.0.1", port)
}

impl Stage {
    pub(crate) fn new(start: Start) -> Self {
        Self { start, app: None, messages: BTreeMap::new(), events: BTreeMap::new(), log: Log::default() }
    }

    pub(crate) fn into_log(self) -> Vec<String> {
        drop(self.app);
        self.log.take()
    }

    pub(crate) fn log(&self, line: impl Into<String>) {
        self.log.push(line.into());
    }

    pub(crate) fn app(&mut self) -> &mut dyn App {
        self.app.as_deref_mut().expect("the account was started")
    }

    /// Starts a host of the SMSC, with a name for the log.
    pub(crate) fn smsc(&self, name: &'static str) -> Smsc {
        Smsc::new(name, &self.log)
    }

    pub(crate) fn start(&mut self, options: Options) {
        self.start_expecting(options, Vec::new());
    }

    /// As [`start`](Self::start), with the messages of an earlier run.
    pub(crate) fn start_expecting(&mut self, options: Options, expected: Vec<Expected>) {
        self.start_with(Settings { options, expected, events_capacity: 1_000, bind_timeout: None });
    }

    /// Starts the account, and waits for its first bind, at most for so long.
    pub(crate) fn connect(&mut self, options: Options, bind_timeout: Duration) {
        let bind_timeout = Some(bind_timeout);
        self.start_with(Settings { options, expected: Vec::new(), events_capacity: 1_000, bind_timeout });
    }

    pub(crate) fn start_with(&mut self, settings: Settings) {
        match (self.start)(settings) {
            Ok(app) => self.app = Some(app),
            Err(error) => {
                // How far an attempt has come in so short a time differs.
                let shown = error.split("; at the end, ").next().unwrap_or_default();
                self.log(format!("the account does not start: {}", without_ports(shown)));
            }
        }
    }

    /// Submits a message. The name is for the log and the other steps.
    pub(crate) fn submit(&mut self, name: &'static str, message: &Message) {
        match self.app().submit(message) {
            Ok(number) => {
                self.messages.insert(name, number);
            }
            Err(error) => self.log(format!("{name}: {error}")),
        }
    }

    /// As [`submit`](Self::submit), without waiting for room in the queue.
    pub(crate) fn try_submit(&mut self, name: &'static str, message: &Message) {
        match self.app().try_submit(message) {
            Ok(number) => {
                self.messages.insert(name, number);
            }
            Err(error) => self.log(format!("{name}: {error}")),
        }
    }

    /// Waits until the account can send.
    pub(crate) fn ready(&mut self) {
        let line = match self.app().ready() {
            Ok(segments) => format!("ready for {segments}"),
            Err(error) => format!("ready: {error}"),
        };
        self.log(line);
    }

    pub(crate) fn expect(&mut self, expected: Expected) {
        if let Err(error) = self.app().expect(expected) {
            self.log(format!("expect: {error}"));
        }
    }

    /// Drops the account with everything that the application has of it.
    pub(crate) fn drop_account(&mut self) {
        self.app = None;
    }

    pub(crate) fn cancel(&mut self, name: &str) {
        let number = self.messages[name];
        self.app().cancel(number);
    }

    pub(crate) fn outcome(&mut self, name: &str) -> Option<BindId> {
        let number = self.messages[name];
        let outcome = self.app().outcome(number);
        self.log(format!("{name}: {}", describe::outcome(&outcome)));
        outcome.ok()?.bind
    }

    pub(crate) fn receipt(&mut self, name: &str) {
        let number = self.messages[name];
        let line = match self.app().receipt(number) {
            Ok((receipt, matched)) => describe::receipt(&receipt, Some(&matched)),
            Err(error) => error.to_string(),
        };
        self.log(format!("{name}: {line}"));
    }

    pub(crate) fn forget(&mut self, name: &str) {
        let number = self.messages[name];
        self.app().forget(number);
    }

    /// Waits for an arrival, and logs it.
    pub(crate) fn arrival(&mut self) -> Arrived {
        let arrived = self.app().arrival().expect("the account runs");
        let acknowledged = if arrived.is_acknowledged { " (acknowledged)" } else { "" };
        self.log(format!("arrives: {}{acknowledged}", arrived.description));
        arrived
    }

    /// Accepts what arrived, or refuses it.
    pub(crate) fn respond(&self, arrived: Arrived, result: Result<(), CommandStatus>) {
        let verb = if result.is_ok() { "accept" } else { "refuse" };
        let responded: Result<(), AckError> = (arrived.respond)(result);
        self.log(match responded {
            Ok(()) => verb.to_owned(),
            Err(error) => format!("{verb}: {error}"),
        });
    }

    pub(crate) fn accept(&self, arrived: Arrived) {
        self.respond(arrived, Ok(()));
    }

    pub(crate) fn set_binds(&mut self, binds: Binds) {
        if let Err(error) = self.app().set_binds(binds) {
            self.log(format!("set_binds: {error}"));
        }
    }

    pub(crate) fn reconfigure(&mut self, change: impl FnOnce(&mut Options)) {
        let mut options = self.app().options();
        change(&mut options);
        if let Err(error) = self.app().reconfigure(options) {
            self.log(format!("reconfigure: {error}"));
        }
    }

    pub(crate) fn request(&mut self, request: MessageRequest) {
        self.app().request(request);
    }

    pub(crate) fn response(&mut self) {
        let response = self.app().response();
        self.log(format!("response: {}", describe::response(&response)));
    }

    /// Waits for an event of this kind.
    pub(crate) fn wait_for(&mut self, kind: &str) -> AccountEvent {
        loop {
            let event = self.next_event().expect("the account runs");
            if event.kind() == kind {
                return event;
            }
        }
    }

    /// As [`wait_for`](Self::wait_for), and logs what the event says. Ports and this text are left out.
    pub(crate) fn shows(&mut self, kind: &str, left_out: &str) {
        let mut shown = self.wait_for(kind).to_string();
        if !left_out.is_empty() {
            shown = shown.replace(left_out, "...");
        }
        self.log(format!("event: {}", without_ports(&shown)));
    }

    /// Waits until this many binds were made, and returns them.
    pub(crate) fn wait_for_binds(&mut self, count: usize) -> Vec<BindId> {
        let bind = |event| match event {
            AccountEvent::Link { event: LinkEvent::Bound { bind, .. }, .. } => bind,
            other => panic!("{other}"),
        };
        (0..count).map(|_| bind(self.wait_for("bound"))).collect()
    }

    fn next_event(&mut self) -> Option<AccountEvent> {
        let event = self.app().event()?;
        let source = event.link().map_or("account".into(), |link| format!("link {link}"));
        self.events.entry(source).or_default().push(event.kind());
        Some(event)
    }

    /// Begins the shutdown; [`end`](Self::end) waits for it.
    pub(crate) fn shutdown(&mut self, timeout: Duration) {
        self.app().shutdown(timeout);
    }

    /// Shuts down the account. The SMSC responds to the unbinds of these peers.
    pub(crate) fn end_with(&mut self, peers: &mut [&mut Peer]) {
        self.shutdown(LONG);
        for peer in peers {
            peer.unbinds();
        }
        self.end();
    }

    /// Waits for the end of the shutdown, and logs the unresolved messages, and the events of each connection slot.
    pub(crate) fn end(&mut self) {
        for unresolved in self.app().unresolved() {
            self.log(format!("unresolved: {}", describe::unresolved(&unresolved)));
        }
        while self.next_event().is_some() {}
        for (source, kinds) in std::mem::take(&mut self.events) {
            self.log(format!("events of {source}: {}", kinds.join(" ")));
        }
    }
}

/// Replaces the ports in a text, which differ from run to run.
fn without_ports(text: &str) -> String {
    let mut parts = text.split("127.0.0.1:");
    let mut line = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        line += "127.0.0.1:PORT";
        line += part.trim_start_matches(|letter: char| letter.is_ascii_digit());
    }
    line
}
