//! The settings of a node.

use std::time::Duration;

/// The settings of a [`Node`](super::Node). All nodes of an account must have the same [`max_binds`](Self::max_binds),
/// [`lease`](Self::lease) and [`ack_wait`](Self::ack_wait).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many binds the account may hold on all nodes together. Default 4.
    pub max_binds: u16,
    /// How long a lease of a bind lives without being renewed. The engine deletes it then. Default 9 s.
    pub lease: Duration,
    /// How long the queue waits for an acknowledgement before it delivers a message again. Default 30 s.
    pub ack_wait: Duration,
    /// How many messages of each priority the node takes from the queue ahead. Default 200.
    pub prefetch: usize,
    /// How many messages the node submits for each bind before they have outcomes: so many are in doubt if the node is
    /// killed. Default 10.
    pub window: usize,
    /// How many messages a second a bind takes. The node submits no faster, so that fewer messages are in doubt if it is killed.
    /// `None` for no limit. Default 50.
    pub rate: Option<u32>,
    /// How often a message that asks for it is sent again when it is uncertain whether the SMSC has it. Default 3.
    pub max_resends: u32,
    /// How long the node waits before it repeats a request that failed. Default 200 ms.
    pub retry: Duration,
    /// How long the node looks for the id of a receipt that nobody knows yet, before the receipt is told as unmatched: the
    /// response of the message may be in the hands of another node. An SMSC that waits less for the answer delivers the receipt
    /// again. Default 5 s.
    pub lookup: Duration,
    /// How long a receipt or a message from a phone waits to be stored at most; then it is refused with a temporary error.
    /// Default 20 s.
    pub answer: Duration,
    /// How long the key of a message is remembered after its outcome. Default 24 h.
    pub remember: Duration,
    /// How long a message from a phone waits for its next part, before what there is of it is told. Default 1 h.
    pub part_age: Duration,
    /// How often the node that has the first lease looks for such messages, and for keys to forget. Default 60 s.
    pub housekeeping: Duration,
    /// How many receipts and messages from phones the node stores at a time. Default 1,000.
    pub deliveries: usize,
    /// How many receipts wait for an id that nobody knows yet. Beyond it such a receipt is refused with a temporary error, so
    /// that they leave room for the others. Default 200.
    pub lookups: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_binds: 4,
            lease: Duration::from_secs(9),
            ack_wait: Duration::from_secs(30),
            prefetch: 200,
            window: 10,
            rate: Some(50),
            max_resends: 3,
            retry: Duration::from_millis(200),
            lookup: Duration::from_secs(5),
            answer: Duration::from_secs(20),
            remember: Duration::from_secs(24 * 3_600),
            part_age: Duration::from_secs(3_600),
            housekeeping: Duration::from_secs(60),
            deliveries: 1_000,
            lookups: 200,
        }
    }
}
