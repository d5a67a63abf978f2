//! The SMSC that is a server: what its adapter does, and what it reports.

use smpp_proto::CommandStatus;
use smpp_proto::server::DeliveryOutcome;

use super::super::context::Context;
use super::super::messages::{Messages, Seen, Verdict};
use super::side::Side;
use super::{Fault, Smsc};

impl Smsc {
    /// Handles what the server reports after a call.
    pub(super) fn handle_server_events(&mut self, context: &mut Context, messages: &Messages) {
        let Some(host) = &mut self.host else { return };
        host.handle_events(context);
        let ended = std::mem::take(&mut host.ended);
        for connection in host.misframed.drain(..) {
            self.corrupted.check_up(connection);
        }
        self.handle_server_log(context, messages);
        for (index, outcome) in ended {
            context.trace(|| format!("  SMSC: delivery {index}: {outcome:?}"));
            let result = match outcome {
                DeliveryOutcome::Accepted(_) => Some(true),
                DeliveryOutcome::Refused { .. } => Some(false),
                _ => None,
            };
            self.end_delivery(context, messages, index, result);
        }
    }

    /// Checks the responses to deliveries, and records the messages that the server has refused by itself.
    fn handle_server_log(&mut self, context: &mut Context, messages: &Messages) {
        let Some(host) = &mut self.host else { return };
        let mut log = host.log.borrow_mut();
        for (message, segment, status) in log.refused.drain(..) {
            let options = &host.settings.options;
            let has_rate = options.rate.is_some() || options.account_rate.is_some();
            let is_rate = has_rate && status == options.rate_status;
            assert!(is_rate || status == CommandStatus::RINVBNDSTS, "the server refuses: {status:?}");
            context.count(|| if is_rate { "server: rate limit" } else { "SMSC has unbound" }.into());
            let before = self.seen.iter().filter(|seen| (seen.message, seen.segment) == (message, segment));
            messages.check_received(message, segment, before.count() + 1);
            self.seen.push(Seen { message, segment, verdict: Verdict::Refused(status) });
        }
        for (delivery, status) in log.responses.drain(..) {
            if status == CommandStatus::RX_T_APPN {
                self.deliveries.check_refused(delivery);
            }
        }
    }

    /// The account's side has closed a connection: the adapter reports it, or closes the connection.
    pub(super) fn handle_eof(&mut self, context: &mut Context, messages: &Messages, index: usize) {
        let closes_at_once = self.host.is_some() && context.rng.chance(300);
        let Self { connections, host, .. } = self;
        if let (Side::Server(Some(id)), true) = (&connections[index].side, closes_at_once) {
            let id = *id;
            self.close_on_server(context, messages, id);
        } else {
            connections[index].side.handle_eof(host.as_deref_mut(), context.now);
            self.handle_server_events(context, messages);
        }
    }

    fn close_on_server(
        &mut self,
        context: &mut Context,
        messages: &Messages,
        id: smpp_proto::server::ConnectionId,
    ) {
        let Self { connections, host, .. } = self;
        let Some(host) = host else { return };
        host.close(context, id);
        let is_this = |connection: &&mut super::Connection| matches!(connection.side, Side::Server(Some(other)) if other == id);
        if let Some(connection) = connections.iter_mut().find(is_this) {
            (connection.side, connection.ended) = (Side::Server(None), true);
        }
        self.handle_server_events(context, messages);
    }

    /// Runs the timers of a connection of the server. Returns whether that has changed something.
    pub(super) fn run_timers_of_server(
        &mut self,
        context: &mut Context,
        index: usize,
        messages: &Messages,
    ) -> bool {
        let now = context.now;
        let (Side::Server(Some(id)), Some(host)) = (&self.connections[index].side, &mut self.host) else {
            return false;
        };
        let (id, before) = (*id, host.server.poll_connection_timeout(*id));
        if before.is_none_or(|(at, _)| at > now) {
            return false;
        }
        host.server.handle_connection_timeout(now, id);
        let moved = host.server.poll_connection_timeout(id) != before;
        self.handle_server_events(context, messages);
        moved
    }

    /// Runs what belongs to no connection of the account: timers, closes, and the next start.
    pub(super) fn run_server(&mut self, context: &mut Context, messages: &Messages) -> bool {
        let Some(host) = &mut self.host else { return false };
        let mut moved = host.run_timers(context.now);
        self.handle_server_events(context, messages);
        while let Some(id) = self.host.as_mut().and_then(|host| host.next_close(context.now)) {
            // What the session has left to transmit leaves before.
            let Self { connections, host, .. } = self;
            for connection in connections.iter_mut() {
                if matches!(connection.side, Side::Server(Some(other)) if other == id) {
                    let output = &mut connection.server_output;
                    connection.side.poll_transmit(host.as_deref_mut(), output);
                }
            }
            self.close_on_server(context, messages, id);
            moved = true;
        }
        moved | self.host.as_mut().is_some_and(|host| host.restart(context))
    }

    /// Begins a fault of the whole SMSC.
    pub(super) fn fail_as_a_whole(&mut self, context: &mut Context, fault: Fault) {
        let Some(host) = &mut self.host else { return };
        match fault {
            Fault::Restart => host.shut_down(context, false),
            Fault::Crowded => host.accept_strangers(context),
            _ => {}
        }
    }

    /// Ends the SMSC for good.
    pub(crate) fn shut_down(&mut self, context: &mut Context) {
        if let Some(host) = &mut self.host {
            host.shut_down(context, true);
        }
    }

    /// Checks that the SMSC has ended, and has left nothing.
    pub(crate) fn check_end(&self) {
        if let Some(host) = &self.host {
            host.check_end();
        }
    }
}
