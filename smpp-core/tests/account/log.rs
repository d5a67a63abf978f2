//! The log of the PDUs that the account sends and receives, written by an observer of its sessions.

use std::cell::RefCell;
use std::rc::Rc;

use smpp_proto::session::{Direction, Instant, ObservedPdu, Observer};
use smpp_proto::{CommandId, CommandStatus, Frame, Pdu, SequenceNumber, Tolerance};

use super::alerts::Alert;

/// The number of a connection, in the order in which they were made.
pub(crate) type ConnectionId = usize;

/// A copy of a delivery: its index, and how often the account has emitted it, this copy included.
pub(crate) type DeliveryCopy = (usize, u32);

#[derive(Clone, Debug)]
pub(crate) struct LogEntry {
    pub(crate) at: Instant,
    pub(crate) connection: ConnectionId,
    pub(crate) sequence: SequenceNumber,
    pub(crate) pdu: LoggedPdu,
}

#[derive(Clone, Debug)]
pub(crate) enum LoggedPdu {
    /// The account sends a segment, by the test's numbers of the message and the segment.
    Submitted { message: usize, segment: u8 },
    /// The SMSC answers it; the id is empty if it refused it.
    Answered { status: CommandStatus, id: Vec<u8> },
    /// The SMSC refuses a PDU that it could not read.
    Nacked { status: CommandStatus },
    /// The account sends a request about a message, by the test's number of the request.
    Requested { request: usize },
    /// The SMSC answers such a request.
    RequestAnswered,
    /// The SMSC delivers a PDU, by the test's number of the delivery.
    Delivered { delivery: Option<usize> },
    /// The SMSC delivers a PDU whose fields cannot be read.
    Unreadable,
    /// The SMSC sends an alert_notification.
    Notified { alert: Alert },
}

pub(crate) type Log = Rc<RefCell<Vec<LogEntry>>>;

/// Writes the log of one connection.
pub(crate) struct LogObserver {
    pub(crate) connection: ConnectionId,
    pub(crate) log: Log,
}

/// Returns the test's numbers of the message and its segment, from 0.
pub(crate) fn segment_of(message: &smpp_proto::SubmitSm<'_>) -> (usize, u8) {
    let number = message.source.digits.to_string().parse().expect("a number");
    let segment =
        message.user_data().ok().and_then(|data| data.segment).map_or(0, |segment| segment.number - 1);
    (number, segment)
}

/// Returns the test's numbers of the message and its segment; `None` if the PDU carries no message.
pub(crate) fn segment_of_pdu(pdu: &Pdu<'_>) -> Option<(usize, u8)> {
    let number = |source: &str| source.parse().expect("a number");
    Some(match pdu {
        Pdu::SubmitSm(message) => segment_of(message),
        Pdu::DataSm(message) => (number(&message.source.digits.to_string()), 0),
        Pdu::SubmitMulti(message) => (number(&message.source.digits.to_string()), 0),
        _ => return None,
    })
}

/// Returns the test's number of a request about a message.
pub(crate) fn request_index(pdu: &Pdu<'_>) -> Option<usize> {
    let source = match pdu {
        Pdu::QuerySm(request) => request.source,
        Pdu::CancelSm(request) => request.source,
        Pdu::ReplaceSm(request) => request.source,
        _ => return None,
    };
    source.digits.to_string().parse().ok()
}

/// Returns the test's number of the delivery; `None` if the PDU delivers nothing.
pub(crate) fn delivery_index(pdu: &Pdu<'_>) -> Option<usize> {
    let service_type = match pdu {
        Pdu::DeliverSm(message) => message.service_type,
        Pdu::DataSm(message) => message.service_type,
        _ => return None,
    };
    service_type.to_string().parse().ok()
}

impl Observer for LogObserver {
    fn observe(&mut self, at: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        let header = pdu.header();
        let octets = pdu.octets();
        let Some(frame) = Frame::new(&octets[..]) else { return };
        let Ok((pdu, _)) = frame.into_pdu(Tolerance::LENIENT) else {
            if matches!(header.command, CommandId::DELIVER_SM | CommandId::DATA_SM) {
                let (connection, sequence) = (self.connection, header.sequence);
                self.log.borrow_mut().push(LogEntry { at, connection, sequence, pdu: LoggedPdu::Unreadable });
            }
            return;
        };
        let status = header.status;
        let logged = match (direction, pdu) {
            (Direction::Out, Pdu::DeliverSmResp(_) | Pdu::DataSmResp(_))
                if status == CommandStatus::RINVBNDSTS =>
            {
                // The session unbinds: the account does not see the PDU.
                let mut log = self.log.borrow_mut();
                let here = |entry: &&mut LogEntry| {
                    (entry.connection, entry.sequence) == (self.connection, header.sequence)
                        && matches!(entry.pdu, LoggedPdu::Delivered { .. })
                };
                if let Some(entry) = log.iter_mut().rfind(here) {
                    entry.pdu = LoggedPdu::Delivered { delivery: None };
                }
                return;
            }
            (Direction::Out, pdu) => match (segment_of_pdu(&pdu), request_index(&pdu)) {
                (Some((message, segment)), _) => LoggedPdu::Submitted { message, segment },
                (None, Some(request)) => LoggedPdu::Requested { request },
                (None, None) => return,
            },
            (Direction::In, Pdu::SubmitSmResp(response)) => {
                let id = response.map(|response| response.message_id.as_bytes().to_vec());
                LoggedPdu::Answered { status, id: id.unwrap_or_default() }
            }
            (Direction::In, Pdu::DataSmResp(response)) => {
                let id = response.map(|response| response.message_id.as_bytes().to_vec());
                LoggedPdu::Answered { status, id: id.unwrap_or_default() }
            }
            (Direction::In, Pdu::SubmitMultiResp(response)) => {
                let id = response.map(|response| response.message_id.as_bytes().to_vec());
                LoggedPdu::Answered { status, id: id.unwrap_or_default() }
            }
            (Direction::In, Pdu::GenericNack) => LoggedPdu::Nacked { status },
            (Direction::In, Pdu::QuerySmResp(_) | Pdu::CancelSmResp | Pdu::ReplaceSmResp) => {
                LoggedPdu::RequestAnswered
            }
            (Direction::In, pdu @ (Pdu::DeliverSm(_) | Pdu::DataSm(_))) => {
                LoggedPdu::Delivered { delivery: delivery_index(&pdu) }
            }
            (Direction::In, Pdu::AlertNotification(alert)) => {
                LoggedPdu::Notified { alert: Alert::of_pdu(&alert) }
            }
            _ => return,
        };
        let entry = LogEntry { at, connection: self.connection, sequence: header.sequence, pdu: logged };
        self.log.borrow_mut().push(entry);
    }
}
