//! What a test waits for, and asserts on.

use std::pin::pin;
use std::sync::Arc;

use smpp_proto::CommandStatus;
use smpp_proto::simulator::{Log, LogEntry, LoggedBind, LoggedDelivery, LoggedMessage, NotLogged, Simulator};
use tokio::time::timeout;

use super::smsc::TestSmsc;

impl TestSmsc {
    /// Returns the log so far: binds, messages, receipts, refusals.
    pub fn log(&self) -> Vec<LogEntry> {
        self.with_log(|log| log.entries().cloned().collect())
    }

    /// Returns the accepted messages so far.
    pub fn messages(&self) -> Vec<LoggedMessage> {
        self.with_log(|log| log.messages().cloned().collect())
    }

    /// Reads or changes the log, under its lock.
    pub fn with_log<T>(&self, read: impl FnOnce(&mut Log) -> T) -> T {
        read(self.shared.simulator().log_mut())
    }

    /// Waits for the next message that the SMSC accepts, whole, and that was not returned before.
    ///
    /// ```
    /// use smpp_proto::{ShortMessage, SubmitSm, Address};
    /// use smpp_tokio::testing::TestSmsc;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let smsc = TestSmsc::in_memory().await?;
    /// let (client, _inbox) = smsc.connector().connect(&smsc.endpoint()).await?;
    /// client.bind(&smsc.bind()).await?;
    /// let destination = Address::international("6591234567")?;
    /// let short_message = ShortMessage::new(b"Hello")?;
    /// client.submit(&SubmitSm { destination, short_message, ..SubmitSm::default() }).await?;
    /// assert_eq!(smsc.next_message().await?.text.as_deref(), Some("Hello"));
    /// # Ok(())
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotLogged`] after the [wait limit](super::TestSmscBuilder::wait_limit).
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a future that is dropped takes nothing.
    pub async fn next_message(&self) -> Result<LoggedMessage, NotLogged> {
        self.wait_for("message", |simulator| simulator.log_mut().take_message()).await
    }

    /// Waits for the next `count` messages, as [`next_message`](Self::next_message).
    ///
    /// # Errors
    ///
    /// [`NotLogged`] if the wait limit is over before a message. Those before it are taken.
    ///
    /// # Cancel safety
    ///
    /// Not cancel-safe: a future that is dropped has taken messages. They stay in the log.
    pub async fn next_messages(&self, count: usize) -> Result<Vec<LoggedMessage>, NotLogged> {
        let mut messages = Vec::new();
        while messages.len() < count {
            messages.push(self.next_message().await?);
        }
        Ok(messages)
    }

    /// Waits for the next bind that was not returned before, accepted or refused: with the status of a refused one.
    ///
    /// # Errors
    ///
    /// As [`next_message`](Self::next_message).
    ///
    /// # Cancel safety
    ///
    /// As [`next_message`](Self::next_message).
    pub async fn next_bind(&self) -> Result<(Arc<LoggedBind>, Result<(), CommandStatus>), NotLogged> {
        self.wait_for("bind", |simulator| simulator.log_mut().take_bind()).await
    }

    /// Waits for the next message that the SMSC refuses and that was not returned before, and the status.
    ///
    /// # Errors
    ///
    /// As [`next_message`](Self::next_message).
    ///
    /// # Cancel safety
    ///
    /// As [`next_message`](Self::next_message).
    pub async fn next_refusal(&self) -> Result<(LoggedMessage, CommandStatus), NotLogged> {
        self.wait_for("refused message", |simulator| simulator.log_mut().take_refusal()).await
    }

    /// Waits for the end of the next delivery that was not returned before: a receipt, or a segment of a mobile-originated
    /// message.
    ///
    /// # Errors
    ///
    /// As [`next_message`](Self::next_message).
    ///
    /// # Cancel safety
    ///
    /// As [`next_message`](Self::next_message).
    pub async fn next_delivery(&self) -> Result<LoggedDelivery, NotLogged> {
        self.wait_for("delivery", |simulator| simulator.log_mut().take_delivery()).await
    }

    /// Waits until the log has what `find` looks for.
    ///
    /// # Errors
    ///
    /// As [`next_message`](Self::next_message).
    ///
    /// # Cancel safety
    ///
    /// As [`next_message`](Self::next_message).
    pub async fn wait_until<T>(&self, find: impl Fn(&Log) -> Option<T>) -> Result<T, NotLogged> {
        self.wait_for("such entry", |simulator| find(simulator.log())).await
    }

    pub(super) async fn wait_for<T>(
        &self,
        expected: &'static str,
        mut find: impl FnMut(&mut Simulator) -> Option<T>,
    ) -> Result<T, NotLogged> {
        let waiting = async {
            loop {
                // Registered before the look: an entry that follows it is not missed.
                let mut logged = pin!(self.shared.logged.notified());
                logged.as_mut().enable();
                let found = find(&mut self.shared.simulator());
                match found {
                    Some(found) => return found,
                    None => logged.await,
                }
            }
        };
        let limit = self.wait_limit;
        let found = timeout(limit, waiting).await;
        found.map_err(|_| NotLogged::new(expected, limit, self.shared.simulator().log()))
    }
}
