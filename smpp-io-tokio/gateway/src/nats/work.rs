//! Taking messages from the queue.

use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{Consumer, pull};
use futures_util::StreamExt;
use tokio::time::timeout;

/// How long a pull waits for messages.
const EXPIRES: Duration = Duration::from_secs(3);

/// Fetches up to `count` messages of up to `octets` in all, and passes each to `handle` as it arrives. Returns when all have come, after some seconds
/// at most.
pub async fn pull(
    consumer: &Consumer<pull::Config>,
    (count, octets): (usize, usize),
    mut handle: impl FnMut(Message),
) {
    let all = async {
        let batch = consumer.batch().max_messages(count).max_bytes(octets).expires(EXPIRES).messages().await;
        let Ok(mut batch) = batch else {
            // NATS is away: it is asked again later.
            tokio::time::sleep(Duration::from_millis(500)).await;
            return;
        };
        while let Some(message) = batch.next().await {
            match message {
                Ok(message) => handle(message),
                Err(_) => return,
            }
        }
    };
    // A connection that is lost ends no batch.
    let _ = timeout(EXPIRES + Duration::from_secs(1), all).await;
}
