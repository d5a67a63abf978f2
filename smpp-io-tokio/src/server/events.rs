//! A receiver of the events of a server.

use smpp_proto::server::Event;
use tokio::sync::broadcast::{self, error::RecvError};

/// The events of a server, in the order in which they happened: [`BindRegistry::events`](super::BindRegistry::events).
///
/// A receiver that is too slow loses the oldest events: [`Event::Lagged`].
///
/// ```no_run
/// # async fn example(server: &smpp_tokio::Server) {
/// let mut events = server.binds().events();
/// while let Some(event) = events.recv().await {
///     println!("{event}");
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<Event>,
    /// Whether the last event was received.
    is_closed: bool,
}

impl Events {
    pub(super) const fn new(receiver: broadcast::Receiver<Event>) -> Self {
        Self { receiver, is_closed: false }
    }

    /// Waits for the next event. Returns `None` once the server is shut down.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a future that is dropped loses no event.
    pub async fn recv(&mut self) -> Option<Event> {
        if self.is_closed {
            return None;
        }
        match self.receiver.recv().await {
            Ok(event) => {
                self.is_closed = event == Event::Closed;
                Some(event)
            }
            Err(RecvError::Lagged(lost)) => Some(Event::Lagged { lost }),
            Err(RecvError::Closed) => None,
        }
    }
}
