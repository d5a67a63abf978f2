//! What an observer of the server's sessions sees: it checks how deliveries are sent, and knows the messages that the server
//! refuses by itself.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use smpp_proto::session::{Direction, Instant, ObservedPdu, Observer};
use smpp_proto::{CommandId, CommandStatus, Frame, Pdu, SequenceNumber, Tolerance};

use super::super::log::{ConnectionId, delivery_index, segment_of_pdu};
use super::settings;

/// A delivery that was sent, and has no response.
struct Sent {
    connection: ConnectionId,
    sequence: SequenceNumber,
    at: Instant,
}

#[derive(Default)]
pub(super) struct ServerLog {
    /// The segments that have arrived, and that the server has neither refused nor passed to the application.
    arrived: Vec<(ConnectionId, SequenceNumber, usize, u8)>,
    /// The segments that the server has refused by itself.
    pub(super) refused: Vec<(usize, u8, CommandStatus)>,
    sent: BTreeMap<usize, Sent>,
    /// The deliveries that were sent again, and the connections on which they had no response: these have ended.
    moved: Vec<(usize, ConnectionId)>,
    /// The responses to deliveries.
    pub(super) responses: Vec<(usize, CommandStatus)>,
    /// The PDUs of the account of which octets were changed.
    pub(super) corrupted: Vec<(ConnectionId, SequenceNumber)>,
}

/// Observes a session of the server.
pub(super) struct ServerObserver {
    pub(super) connection: ConnectionId,
    pub(super) log: Rc<RefCell<ServerLog>>,
}

impl ServerLog {
    /// Records that the server has passed a request to the application.
    pub(super) fn record_passed(&mut self, connection: ConnectionId, sequence: SequenceNumber) {
        self.arrived.retain(|(on, number, ..)| (*on, *number) != (connection, sequence));
    }

    /// Records that a session has ended: what it has not answered never is.
    pub(super) fn record_end(&mut self, connection: ConnectionId) {
        self.sent.retain(|_, sent| sent.connection != connection);
        self.arrived.retain(|(on, ..)| *on != connection);
    }

    /// Checks that a delivery was sent again only because its connection has ended. Call it after all events.
    pub(super) fn check_moved(&mut self, has_ended: impl Fn(ConnectionId) -> bool) {
        for (delivery, connection) in self.moved.drain(..) {
            assert!(has_ended(connection), "delivery {delivery} is in flight twice");
        }
    }

    fn record_sent(&mut self, delivery: usize, sent: Sent) {
        let Sent { connection, at, .. } = sent;
        let config = settings::config();
        self.sent.retain(|_, sent| sent.at + config.response_timeout > at);
        let other = self.sent.insert(delivery, sent);
        self.moved.extend(other.map(|other| (delivery, other.connection)));
        let in_flight = self.sent.values().filter(|sent| sent.connection == connection).count();
        assert!(in_flight <= config.window.into(), "more deliveries in flight than the window of a bind");
    }
}

impl Observer for ServerObserver {
    fn observe(&mut self, at: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        let (header, connection) = (pdu.header(), self.connection);
        let sequence = header.sequence;
        let mut log = self.log.borrow_mut();
        let is_corrupted = log.corrupted.contains(&(connection, sequence));
        let decoded = |handle: &mut dyn FnMut(&Pdu<'_>)| {
            let octets = pdu.octets();
            let frame = Frame::new(&octets[..]).expect("a whole PDU");
            match frame.into_pdu(Tolerance::LENIENT) {
                Ok((pdu, _)) => handle(&pdu),
                Err(error) => assert!(is_corrupted, "the account sends correct PDUs: {error}"),
            }
        };
        match (direction, header.command) {
            (Direction::In, CommandId::SUBMIT_SM | CommandId::DATA_SM | CommandId::SUBMIT_MULTI) => {
                decoded(&mut |pdu| {
                    let (message, segment) = segment_of_pdu(pdu).expect("a message of the test");
                    log.arrived.push((connection, sequence, message, segment));
                });
            }
            (
                Direction::Out,
                CommandId::SUBMIT_SM_RESP | CommandId::DATA_SM_RESP | CommandId::SUBMIT_MULTI_RESP,
            ) => {
                let is_this = |(on, number, ..): &(ConnectionId, SequenceNumber, usize, u8)| {
                    (*on, *number) == (connection, sequence)
                };
                if let Some(index) = log.arrived.iter().position(is_this) {
                    let (.., message, segment) = log.arrived.remove(index);
                    log.refused.push((message, segment, header.status));
                }
            }
            (Direction::Out, CommandId::DELIVER_SM | CommandId::DATA_SM) => decoded(&mut |pdu| {
                let delivery = delivery_index(pdu).expect("a delivery of the test");
                log.record_sent(delivery, Sent { connection, sequence, at });
            }),
            (
                Direction::In,
                CommandId::DELIVER_SM_RESP | CommandId::DATA_SM_RESP | CommandId::GENERIC_NACK,
            ) => {
                let is_this = |sent: &Sent| (sent.connection, sent.sequence) == (connection, sequence);
                let found = log.sent.iter().find(|(_, sent)| is_this(sent)).map(|(delivery, _)| *delivery);
                if let Some(delivery) = found {
                    log.sent.remove(&delivery);
                    log.responses.push((delivery, header.status));
                }
            }
            _ => {}
        }
    }
}
