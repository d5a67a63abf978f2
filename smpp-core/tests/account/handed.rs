//! Checks that the account reports each segment as handed to the transport before its octets can leave.

use smpp_proto::account::MessageNumber;

use super::log::ConnectionId;
use super::messages::Messages;

impl Messages {
    /// Records and checks that the account reports a segment as handed to the transport of a connection.
    pub(crate) fn record_handed(&mut self, number: MessageNumber, segment: u8, connection: ConnectionId) {
        let index = self.index(number);
        let message = &mut self.all[index];
        assert!(message.outcome.is_none(), "handed to the transport after its outcome");
        let segment = &mut message.segments[usize::from(segment)];
        let sent_on = segment.sent_on.get(segment.handed);
        assert_eq!(sent_on, Some(&connection), "message {index} is not sent on this bind: {segment:?}");
        segment.handed += 1;
    }

    /// Checks that each segment which the account has sent was reported before its octets leave.
    pub(crate) fn check_handed(&self) {
        for index in &self.open {
            for segment in &self.all[*index].segments {
                assert_eq!(segment.handed, segment.sent_on.len(), "message {index}: {segment:?}");
            }
        }
    }

    /// Checks that a segment which the SMSC has received was reported as often.
    pub(crate) fn check_received(&self, message: usize, segment: u8, times: usize) {
        let handed = self.all[message].segments[usize::from(segment)].handed;
        assert!(times <= handed, "message {message} segment {segment} was not handed to the transport");
    }
}
