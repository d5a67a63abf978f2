//! What the account sends and hears, PDU by PDU, as an observer of its sessions sees it.

use std::cell::RefCell;
use std::rc::Rc;

use smpp_core::session::{Direction, Instant, ObservedPdu, Observer};
use smpp_core::{CommandStatus, Frame, Pdu, SequenceNumber, Tolerance};

/// A connection that was made, by its number.
pub(crate) type ConnectionId = usize;

#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) at: Instant,
    pub(crate) connection: ConnectionId,
    pub(crate) sequence: SequenceNumber,
    pub(crate) what: Said,
}

#[derive(Clone, Debug)]
pub(crate) enum Said {
    /// The account sends a part of a message, by the numbers that the test gave them.
    Submits { message: usize, part: u8 },
    /// It is answered: with an id, or not.
    Answered { status: CommandStatus, id: Vec<u8> },
    /// The SMSC delivers a receipt, by the number that the test gave it, or anything else.
    Delivered { delivery: Option<usize> },
}

pub(crate) type Log = Rc<RefCell<Vec<Line>>>;

/// Writes the log of one connection.
pub(crate) struct Spy {
    pub(crate) connection: ConnectionId,
    pub(crate) log: Log,
}

/// Which message of the test it is, and which part of it, from 0.
pub(crate) fn name(message: &smpp_core::SubmitSm<'_>) -> (usize, u8) {
    let number = message.source.digits.to_string().parse().expect("a number");
    let part = message.user_data().ok().and_then(|data| data.segment).map_or(0, |part| part.number - 1);
    (number, part)
}

/// Which delivery of the test it is.
pub(crate) fn delivery(message: &smpp_core::DeliverSm<'_>) -> Option<usize> {
    message.service_type.to_string().parse().ok()
}

impl Observer for Spy {
    fn observe(&mut self, at: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        let header = pdu.header();
        let octets = pdu.octets();
        let Some(frame) = Frame::new(&octets[..]) else { return };
        let Ok((pdu, _)) = frame.into_pdu(Tolerance::LENIENT) else { return };
        let status = header.status;
        let what = match (direction, pdu) {
            (Direction::Out, Pdu::SubmitSm(message)) => {
                let (message, part) = name(&message);
                Said::Submits { message, part }
            }
            (Direction::In, Pdu::SubmitSmResp(response)) => {
                let id = response.map(|response| response.message_id.as_bytes().to_vec());
                Said::Answered { status, id: id.unwrap_or_default() }
            }
            (Direction::In, Pdu::DeliverSm(message)) => Said::Delivered { delivery: delivery(&message) },
            _ => return,
        };
        let line = Line { at, connection: self.connection, sequence: header.sequence, what };
        self.log.borrow_mut().push(line);
    }
}
