//! What a stop of the account does to the messages that wait.

use smpp_proto::account::StopCause;

use super::Messages;

/// Whether a stop of the account has ended the segments of a message that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Abandoned {
    No,
    /// It may have: the account had stopped because of a bind, and does so as soon as no bind can send.
    Perhaps,
    Yes,
}

impl Messages {
    /// Records that the account has stopped.
    pub(crate) fn stop(&mut self, cause: StopCause) {
        self.stopped = true;
        if cause == StopCause::Message {
            self.abandon(Abandoned::Yes);
        }
    }

    /// Records that the account sends messages again.
    pub(crate) fn resume(&mut self) {
        self.abandon(Abandoned::Perhaps);
    }

    fn abandon(&mut self, abandoned: Abandoned) {
        for index in &self.open {
            let message = &mut self.all[*index];
            if message.abandoned != Abandoned::Yes {
                message.abandoned = abandoned;
            }
        }
    }
}
