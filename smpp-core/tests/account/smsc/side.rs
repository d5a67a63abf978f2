//! The SMSC's side of a connection: a session of the scripted SMSC, or a connection of the server.

use smpp_proto::frame::Frame;
use smpp_proto::server;
use smpp_proto::session::{
    CloseReason, Event, Instant, Outcome, Reply, Request, Session, Smsc as Role, State,
};
use smpp_proto::{AlertNotification, Bind, CommandStatus};

use super::host::ServerHost;

pub(super) enum Side {
    Scripted(Box<Session<Role, usize>>),
    /// `None`: the server has rejected the connection, or knows it no more.
    Server(Option<server::ConnectionId>),
}

/// What the SMSC handles.
pub(super) enum Inbound<'b> {
    /// A bind; the server keeps its reply token.
    Bind(Option<Reply<Bind<'static>>>),
    Request(Request<'b>),
    /// A request that the session has refused by itself.
    Refused(Frame<&'b [u8]>, CommandStatus),
    /// How a delivery of the scripted SMSC ended.
    Outcome(usize, Outcome<'b>),
    Closed(CloseReason),
    Other,
}

impl<'b> From<Event<'b, usize>> for Inbound<'b> {
    fn from(event: Event<'b, usize>) -> Self {
        match event {
            Event::Request { request: Request::Bind(_, reply), .. } => Self::Bind(Some(reply)),
            Event::Request { request, .. } => Self::Request(request),
            Event::Refused { frame, status, .. } => Self::Refused(frame, status),
            Event::Outcome { tag, outcome, .. } => Self::Outcome(tag, outcome),
            Event::Closed(reason) => Self::Closed(reason),
            _ => Self::Other,
        }
    }
}

impl Side {
    /// Returns the connection of the server.
    fn of_server<'a>(
        &self,
        host: Option<&'a mut ServerHost>,
    ) -> Option<(&'a mut ServerHost, server::ConnectionId)> {
        match self {
            Self::Server(Some(id)) => host.map(|host| (host, *id)),
            _ => None,
        }
    }

    pub(super) fn handle_input<'b>(
        &mut self,
        host: Option<&mut ServerHost>,
        now: Instant,
        input: &mut &'b [u8],
    ) -> Option<Inbound<'b>> {
        if let Self::Scripted(session) = self {
            return session.handle_input(now, input).map(Inbound::from);
        }
        let Some((host, id)) = self.of_server(host) else {
            *input = &[];
            return None;
        };
        host.handle_input(now, id, input)
    }

    pub(super) fn handle_eof(&mut self, host: Option<&mut ServerHost>, now: Instant) {
        if let Self::Scripted(session) = self {
            session.handle_eof();
        } else if let Some((host, id)) = self.of_server(host) {
            host.server.handle_eof(now, id);
        }
    }

    pub(super) fn handle_transmitted(&mut self, host: Option<&mut ServerHost>, now: Instant, octets: usize) {
        if let Self::Scripted(session) = self {
            session.handle_transmitted(octets);
        } else if let Some((host, id)) = self.of_server(host) {
            host.server.handle_transmitted(now, id, octets);
        }
    }

    pub(super) fn unbind(&mut self, host: Option<&mut ServerHost>, now: Instant) {
        if let Self::Scripted(session) = self {
            session.unbind(now);
        } else if let Some((host, id)) = self.of_server(host) {
            host.server.unbind(now, id);
        }
    }

    /// Sends an alert_notification, and returns whether the session accepts it.
    pub(super) fn notify(
        &mut self,
        host: Option<&mut ServerHost>,
        now: Instant,
        alert: &AlertNotification<'_>,
    ) -> bool {
        if let Self::Scripted(session) = self {
            return session.notify(now, alert).is_ok();
        }
        self.of_server(host).is_some_and(|(host, id)| host.server.notify(now, id, alert).is_ok())
    }

    pub(super) fn poll_transmit(&mut self, host: Option<&mut ServerHost>, out: &mut Vec<u8>) -> bool {
        if let Self::Scripted(session) = self {
            return session.poll_transmit(out);
        }
        self.of_server(host).is_some_and(|(host, id)| host.server.poll_transmit(id, out))
    }

    pub(super) fn wants_input(&self, host: Option<&ServerHost>) -> bool {
        match (self, host) {
            (Self::Scripted(session), _) => session.wants_input(),
            (Self::Server(Some(id)), Some(host)) => host.server.wants_input(*id),
            _ => false,
        }
    }

    pub(super) fn poll_timeout(&self, host: Option<&ServerHost>) -> Option<Instant> {
        let due = match (self, host) {
            (Self::Scripted(session), _) => session.poll_timeout(),
            (Self::Server(Some(id)), Some(host)) => host.server.poll_connection_timeout(*id),
            _ => None,
        };
        due.map(|(at, _)| at)
    }

    /// Returns the state of the session of a scripted SMSC.
    pub(super) fn state(&self) -> Option<State> {
        match self {
            Self::Scripted(session) => Some(session.state()),
            Self::Server(_) => None,
        }
    }
}
