//! Which types and futures may be sent to and shared between threads: a change that takes this away does not compile.
#![expect(dead_code, reason = "the functions have to compile, nothing else")]

use std::time::Duration;

use smpp_proto::account::Message;
use smpp_proto::session::{Esme, Smsc};
use smpp_proto::{Bind, CommandStatus, Endpoint, SubmitSm};

use crate::account::{self, Account, AccountConnector, Arrivals, Events, Sent};
use crate::server::Service;
use crate::{
    Acceptor, BindRegistry, BindRequest, BoundSession, Client, Connector, Handle, Inbound, InboundRequest,
    Inbox, IncomingConnection, Listener, Peer, Responder, Server, ServerBuilder, ServerStream,
};

const fn send<T: Send>() {}
const fn send_and_sync<T: Send + Sync>() {}
const fn send_future<T: Future + Send>(_: &T) {}

macro_rules! assert_types {
    ($check:ident: $($type:ty),* $(,)?) => {
        const _: () = { $($check::<$type>();)* };
    };
}

assert_types![
    send_and_sync: Account, AccountConnector, Arrivals, account::Arrival, account::AccountError, Events, Sent,
    account::Ticket, account::Unacknowledged<smpp_proto::account::InboundMessage>,
    Connector, Client, Peer, Handle<Esme>, Handle<Smsc>, Inbox<Esme>, Inbox<Smsc>, Inbound<Esme>, Inbound<Smsc>,
    InboundRequest<Esme, SubmitSm<'static>>,
    Acceptor, BindRegistry, BindRequest, BoundSession, Listener, Server, ServerBuilder<()>, crate::Events, crate::ServerEvent<'static>,
    crate::QueuedDelivery, crate::Shutdown, crate::ConnectError, crate::AcceptError, crate::End,
    crate::ProxyProtocol, crate::Network, crate::DialTarget,
    crate::tls::ClientTls, crate::tls::ServerTls, crate::tls::TlsInfo, crate::tls::TlsError,
    crate::testing::TestSmsc, crate::testing::TestSmscBuilder, crate::testing::Certificate,
];

// What they hold of the application has to be `Send` alone: its transport, its observer.
assert_types![send: IncomingConnection, ServerStream, Responder<'static, Smsc>];

fn futures_of_sessions(connector: &Connector, endpoint: &Endpoint, client: &Client, inbox: &mut Inbox<Esme>) {
    let bind = Bind::default();
    send_future(&connector.connect(endpoint));
    send_future(&connector.bind(endpoint, &bind));
    send_future(&client.bind(&bind));
    send_future(&client.submit(&SubmitSm::default()));
    send_future(&client.unbind());
    send_future(&client.closed());
    send_future(&inbox.recv());
}

fn futures_of_accounts(account: &Account, arrivals: &mut Arrivals, sent: &mut Sent, events: &mut Events) {
    let message = Message::text(&SubmitSm::default(), "");
    send_future(&account.send(&message));
    send_future(&account.submit(&message));
    send_future(&arrivals.recv());
    send_future(&sent.receipt());
    send_future(&events.recv());
    send_future(&account.shutdown(Duration::ZERO));
}

fn futures_of_starts(connector: AccountConnector, listener: &Listener, incoming: IncomingConnection) {
    send_future(&connector.connect());
    send_future(&listener.accept());
    send_future(&incoming.bind_request());
}

fn futures_of_servers(server: Server, request: BindRequest, service: &impl Service) {
    send_future(&service.bind(&request));
    send_future(&request.refuse(CommandStatus::RBINDFAIL));
    send_future(&server.shutdown(Duration::ZERO));
}
