//! Which types may be sent to and shared between threads: a change that takes this away does not compile.

use smpp_proto::SubmitSm;
use smpp_proto::account::InboundMessage;
use smpp_proto::session::{Esme, Smsc};

use crate::account::{self, Account, AccountConnector, Arrivals};
use crate::{
    Acceptor, BindRegistry, BindRequest, BoundSession, Client, Connection, Connector, Handle, HandleRoute,
    Inbound, InboundRequest, Inbox, IncomingConnection, Listener, Peer, PendingResponse, SentRequest, Server,
    ServerBuilder, ServerStream, Stream, TlsStream,
};

const fn send<T: Send>() {}
const fn send_and_sync<T: Send + Sync>() {}

macro_rules! assert_types {
    ($check:ident: $($type:ty),* $(,)?) => {
        const _: () = { $($check::<$type>();)* };
    };
}

assert_types![
    send_and_sync: Account, AccountConnector, Arrivals, account::Arrival, account::AccountError, account::Events,
    account::Sent, account::Ticket, account::Unacknowledged<InboundMessage>,
    Connector, Client, Peer, Handle<Esme>, Handle<Smsc>, Inbox<Esme>, Inbox<Smsc>, Inbound<HandleRoute<Esme>>,
    InboundRequest<SubmitSm<'static>, HandleRoute<Smsc>>, PendingResponse<Esme>,
    Acceptor, BindRegistry, BindRequest, BoundSession, Listener, Server, ServerBuilder<()>, crate::Events,
    crate::ServerEvent<'static>, crate::Shutdown, crate::ConnectError, crate::AcceptError, crate::End,
    crate::ProxyProtocol, crate::Network, crate::DialTarget, Stream, TlsStream,
    crate::tls::ClientTls, crate::tls::ServerTls, crate::tls::TlsInfo, crate::tls::TlsError,
    crate::testing::TestSmsc, crate::testing::TestSmscBuilder, crate::testing::Certificate,
];

// What they hold of the application has to be `Send` alone: its transport, its observer. A queued delivery waits at a channel of `std`.
assert_types![send: crate::QueuedDelivery, Connection<Esme, Stream>, IncomingConnection, ServerStream, SentRequest];
