//! How do I keep messages and receipts in my own database without losing any?
//!
//! **Short answer.** This crate stores nothing on disk: its queue and its receipt table are in memory. Let the database be
//! the queue: mark a row as `sending` and commit, then submit it with its primary key as the [`Message::key`]; store the
//! ids when the SMSC has accepted it; set [`Message::receipts_to`] to [`ReceiptDestination::Arrivals`], and accept each
//! receipt after you have committed it. After a restart, rows that are still `sending` are in doubt, and
//! [`AccountConnector::expect`] waits for the receipts of the others.
//!
//! The example `outbox` (`smpp-io-tokio/examples/outbox.rs`) is such a program with SQLite. A test kills it a hundred times
//! at random moments under load: nothing is sent twice, nothing is lost, and every receipt reaches its row.
//!
//! # What to store, and when
//!
//! | moment | store | state of your row |
//! | --- | --- | --- |
//! | a message is to be sent | recipient, text | `queued` |
//! | before [`Account::submit`] | | `sending` |
//! | `Ok(sent)` | every id in [`Sent::ids`], in the order of the segments | `accepted` |
//! | [`SendError`] with [`is_safe_to_resend`](crate::account::SendError::is_safe_to_resend) | the reason | `queued` again, or `failed` |
//! | [`SendError`] otherwise | the reason, and the ids that exist | `uncertain` |
//! | [`Arrival::LateOutcome`] with your key | the id of the segment, or the status | `accepted` once every segment is accepted, or `failed` |
//! | a receipt arrives, with your key | state, `err`, time | the receipt's state, if final |
//! | the process starts | | `uncertain` if it is still `sending` |
//! | an MO message arrives | sender, recipient, text | |
//!
//! The outcome, the receipts and what is unresolved have the key of the message ([`MessageKey`], at most 64 octets): [`Sent::key`],
//! [`SendError::Failed`], [`Arrival::LateOutcome`], [`ReceiptMatch::key`], [`Unresolved`]. [`MessageNumber`]s are valid in
//! one process only; the event stream, which is for logs, shows them and no keys.
//!
//! # Send: the database is the queue
//!
//! ```no_run
//! use smpp_proto::account::{Message, ReceiptDestination};
//! use smpp_proto::{Address, InvalidOctets, RegisteredDelivery, SubmitSm};
//! use smpp_tokio::account::{Account, SendError, Sent};
//!
//! /// Your database.
//! trait Store: Clone + Send + Sync + 'static {
//!     /// Marks so many queued rows as `sending`, commits, and returns them: key, recipient, text.
//!     fn mark_as_sending(&self, limit: usize) -> impl Future<Output = Vec<(i64, String, String)>> + Send;
//!     fn outcome(&self, key: i64, outcome: Result<Sent, SendError>) -> impl Future<Output = ()> + Send;
//!     fn failed(&self, key: i64, reason: String) -> impl Future<Output = ()> + Send;
//! }
//!
//! fn message(key: i64, recipient: &str, text: String) -> Result<Message, InvalidOctets> {
//!     let template = SubmitSm {
//!         destination: Address::international(recipient)?,
//!         registered_delivery: RegisteredDelivery::RECEIPT,
//!         ..SubmitSm::default()
//!     };
//!     let message = Message::text(&template, text).key(key.to_be_bytes());
//!     Ok(message.receipts_to(ReceiptDestination::Arrivals))
//! }
//!
//! async fn send(account: Account, store: impl Store) -> Result<(), Box<dyn std::error::Error>> {
//!     loop {
//!         let capacity = account.ready().await?;
//!         for (key, recipient, text) in store.mark_as_sending(capacity).await {
//!             let ticket = match message(key, &recipient, text) {
//!                 Ok(message) => account.submit(&message).await.map_err(|error| error.to_string()),
//!                 Err(error) => Err(error.to_string()),
//!             };
//!             let store = store.clone();
//!             match ticket {
//!                 Ok(ticket) => drop(tokio::spawn(async move { store.outcome(key, ticket.outcome().await).await })),
//!                 // Nothing of it was sent. The other messages go on.
//!                 Err(reason) => store.failed(key, reason).await,
//!             }
//!         }
//!         // If there was none, wait for new rows here.
//!     }
//! }
//! ```
//!
//! Why this sends nothing twice: a message leaves the process only after its row is committed as `sending`, and only rows
//! that are `queued` are sent. So a process that is killed at any moment leaves each message in a row that is `queued`, and
//! was never sent; or `sending`, and is not sent again by itself; or has its outcome.
//!
//! How many are in doubt afterwards: those that are `sending`. [`Account::ready`] keeps them few. It waits until a bind has
//! free places in its window, and returns how many: no message waits in the account's queue that can wait in the database.
//! So at most the [`window`](smpp_proto::session::Config::window) of each bind is in doubt, and next to none while there is
//! no bind. Add the rows whose outcome has arrived and is not committed yet: if your database is slower than the SMSC,
//! limit them, as the example does. One task submits: `ready` reserves nothing.
//!
//! [`Event::HandedToTransport`] says for each segment that its octets may leave from now on. With
//! [`smpp_proto::account::Account`] itself you fetch the events before you transmit: commit "handed over" for them first, and
//! only these rows are in doubt after a crash; the others were never sent. In this crate the octets are written while your
//! task reads the event, so it is no proof that a message was not sent. Use the state `sending` for that.
//!
//! # Receive: acknowledge after the commit
//!
//! ```no_run
//! use smpp_proto::CommandStatus;
//! use smpp_proto::account::{MessageKey, SegmentOutcome};
//! use smpp_tokio::account::{Arrival, Arrivals};
//!
//! /// Your database. `Err` means that nothing was committed.
//! trait Store {
//!     async fn receipt(&self, key: Option<&MessageKey>, id: &[u8], state: u8, is_final: bool) -> Result<(), ()>;
//!     async fn message(&self, from: &str, to: &str, text: &str) -> Result<(), ()>;
//!     async fn accepted_late(&self, key: Option<MessageKey>, segment: u8, id: &[u8]);
//!     async fn refused_late(&self, key: Option<MessageKey>, segment: u8, reason: String);
//! }
//!
//! async fn receive(mut arrivals: Arrivals, store: impl Store) {
//!     while let Some(arrival) = arrivals.recv().await {
//!         match arrival {
//!             Arrival::Receipt(receipt) => {
//!                 let (read, matched) = receipt.get();
//!                 let key = matched.as_ref().and_then(|matched| matched.key.as_ref());
//!                 let stored = store.receipt(key, read.id.as_bytes(), read.state.0, read.is_final).await;
//!                 let _ = match stored {
//!                     // An error here means that the bind is gone: the SMSC delivers it again.
//!                     Ok(()) => receipt.accept(),
//!                     Err(()) => receipt.refuse(CommandStatus::RX_T_APPN),
//!                 };
//!             }
//!             Arrival::Message(message) => {
//!                 let read = message.get();
//!                 let (from, to) = (read.source(), read.destination());
//!                 let text = read.text().unwrap_or_default();
//!                 let stored = store.message(&from.digits.to_string(), &to.digits.to_string(), &text).await;
//!                 let _ = match stored {
//!                     Ok(()) => message.accept(),
//!                     Err(()) => message.refuse(CommandStatus::RX_T_APPN),
//!                 };
//!             }
//!             // The SMSC responded after the timeout: the row is `uncertain`.
//!             Arrival::LateOutcome { key, segment, outcome, .. } => match outcome {
//!                 SegmentOutcome::Accepted { id, .. } => store.accepted_late(key, segment, id.as_bytes()).await,
//!                 refused => store.refused_late(key, segment, refused.to_string()).await,
//!             },
//!             _ => {} // alert_notification
//!         }
//!     }
//! }
//! ```
//!
//! With [`ReceiptDestination::Arrivals`] no receipt of the message is acknowledged before you accept it, whether you hold its
//! [`Sent`] or not. With the default, [`ReceiptDestination::Sent`], receipts that arrive while `Sent` exists are acknowledged
//! at once and exist only in memory. If you drop `Sent`, those come through [`Arrivals`] too, and
//! [`Unacknowledged::is_acknowledged`] is true: `accept()` and `refuse()` return [`AckError::AlreadyAcknowledged`]. Store
//! them, because the SMSC does not deliver them again.
//!
//! A receipt without a match belongs to a message of another program, to one that was in doubt, or to one that you did not
//! expect: see below. [`Arrival::LateOutcome`] has no acknowledgement and comes once.
//!
//! One loop like this handles one arrival at a time. For more throughput commit in batches: collect arrivals, commit
//! once, then accept each. They may be accepted in any order;
//! [`Config::max_unanswered`](smpp_proto::session::Config::max_unanswered) (256 for each bind) bounds the batch. Respond
//! before the SMSC's own timeout, usually some seconds.
//!
//! Dropping an [`Unacknowledged`] responds with `ESME_RX_T_APPN`, so a panic in your code does not lose the message.
//!
//! The tool `smpp receive` stores messages and receipts in a file, and acknowledges each after it is on disk.
//!
//! # At start
//!
//! 1. Change the rows that are `sending` to `uncertain`, and decide about them as for `Unanswered`: see
//!    [`errors_and_retries`](super::errors_and_retries). Do not send them again by yourself if a second copy does harm.
//! 2. Pass the messages whose final receipts are missing to [`AccountConnector::expect`], with the ids of their segments and
//!    their keys. Then their receipts have a [`ReceiptMatch`] as if this process had sent them. The account waits before it
//!    connects, so no receipt comes too early. [`Account::expect`] adds one later.
//! 3. Start reading [`Arrivals`] before you send: receipts for messages of the previous process come at once.
//!
//! ```
//! use std::time::Duration;
//!
//! use smpp_proto::account::Expected;
//! use smpp_proto::sms::MessageIdPolicy;
//!
//! // The id of segment 0 as the SMSC sent it. Of segment 1 the database has the key of the id.
//! let key = MessageIdPolicy::EXACT.submitted_key(b"7f00a1b3");
//! let expected = Expected::new(2)
//!     .id(0, b"7f00a1b2")
//!     .id_key(1, key)
//!     .key(4711_i64.to_be_bytes())
//!     .wait(Duration::from_secs(24 * 3600));
//! # drop(expected);
//! ```
//!
//! [`ReceiptOptions::capacity`] bounds how many segments wait, those of earlier processes included; beyond it `expect` is an
//! error. [`ReceiptOptions::max_age`] bounds how long.
//!
//! # What a crash leaves uncertain
//!
//! | the process is killed | afterwards |
//! | --- | --- |
//! | while the row is `sending` | the message may or may not have been accepted. Its ids are unknown. A receipt may arrive for an id that you do not have |
//! | after `accepted`, before the receipt | nothing is lost: the receipt arrives after the restart, with your key if the message is expected |
//! | between your commit and `accept()` | the SMSC delivers it again: your commit sees a duplicate |
//! | while segments of an MO message wait for others | segments that were acknowledged while the others were missing: **lost**. The others are redelivered. [`Options::segment_ack_mode`] says when the account acknowledges a segment: by default after 50 ms if the SMSC may wait for it |
//!
//! A receipt proves that a message in doubt was accepted. It has no match, because the id is unknown, but it comes from the
//! recipient of the message: look for an `uncertain` row with this recipient. Some SMSCs also return
//! `user_message_reference` (16 bits, SMPP 3.4 §5.3.2.17) in receipts: put part of your key there. It is in
//! [`Receipt::user_message_reference`].
//!
//! ```
//! use smpp_proto::account::Message;
//! use smpp_proto::{Address, SubmitSm, Tlv, Tlvs};
//!
//! let tlvs = [Tlv::user_message_reference(4711)];
//! let template = SubmitSm {
//!     destination: Address::international("6591234567")?,
//!     tlvs: Tlvs::list(&tlvs),
//!     ..SubmitSm::default()
//! };
//! let message = Message::text(&template, "Hello");
//! assert_eq!(message.pdu().tlvs().user_message_reference(), Some(4711));
//! # Ok::<(), smpp_proto::InvalidOctets>(())
//! ```
//!
//! # Ids in the database
//!
//! Store ids as octets (`VARBINARY(64)`, `BYTEA`), as the SMSC sent them. To find a row by the id of a receipt, store
//! [`MessageIdKey::to_octets`] of the [`MessageIdPolicy`] in addition, and index it (`VARBINARY(73)`): its form never
//! changes, and equal ids have equal keys however the provider writes them. See
//! [`delivery_receipts`](super::delivery_receipts).
//!
//! # Idempotence: recognise what comes twice
//!
//! | what | recognised by the account | your key |
//! | --- | --- | --- |
//! | a receipt of a message of this process, or of an expected one | yes, until [`remember_completed`](smpp_proto::account::ReceiptOptions::remember_completed) (120 s) after the last final receipt of the message | (message id, state) |
//! | a receipt that was accepted before a restart | no | (message id, state) |
//! | a segment of an MO message | yes, while the message is incomplete, while you have not acknowledged it, and for 2 minutes after your `accept()` | |
//! | an MO message of one PDU, or a receipt of an unknown message | if its bind has ended before your response has left this process: once, for 2 minutes | an id of the provider, or (sender, recipient, text, minute) |
//! | the same, and the response was lost on its way to the SMSC | no | the same |
//!
//! An MO message of one PDU has no id, and a person may send "yes" twice. So the account takes an equal PDU for a redelivery
//! only if the SMSC cannot have read a response to the first one; then the SMSC delivers the first one again, and of two
//! equal messages you get two. After [`accept`](crate::account::Unacknowledged::accept) has failed because the bind has
//! ended, keep what you have stored: the account acknowledges the redelivery by itself.
//!
//! 8x8 sends such an id as a TLV: [`MO_MESSAGE_ID`](smpp_proto::provider::eight_by_eight::MO_MESSAGE_ID). An update such
//! as `UPDATE ... SET state = ? WHERE id = ? AND state NOT IN (final states)` is idempotent by itself.
//!
//! A receipt with an id that your table does not have: acknowledge it, and log it. Refusing it makes the SMSC repeat it
//! until it expires.
//!
//! # At the end
//!
//! [`Account::shutdown`] returns the messages that were not accepted since the call, and those whose receipts are missing,
//! with their keys: write them to their rows. Keep [`Arrivals`] until it has returned: receipts that nobody can store are
//! refused, and come again after the restart. See [`graceful_shutdown`](super::graceful_shutdown).
//!
//! # Blocking crate
//!
//! `smpp-std` has the same types and the same rules: `account.ready()`, `arrivals.recv()`, commit, `accept()`, without
//! `await`.
//!
//! [`Account::expect`]: crate::account::Account::expect
//! [`Account::ready`]: crate::account::Account::ready
//! [`Account::shutdown`]: crate::account::Account::shutdown
//! [`Account::submit`]: crate::account::Account::submit
//! [`AccountConnector::expect`]: crate::account::AccountConnector::expect
//! [`AckError::AlreadyAcknowledged`]: crate::account::AckError::AlreadyAcknowledged
//! [`Arrival::LateOutcome`]: crate::account::Arrival::LateOutcome
//! [`Arrivals`]: crate::account::Arrivals
//! [`Event::HandedToTransport`]: smpp_proto::account::Event::HandedToTransport
//! [`Message::key`]: smpp_proto::account::Message::key
//! [`Message::receipts_to`]: smpp_proto::account::Message::receipts_to
//! [`MessageIdKey::to_octets`]: smpp_proto::sms::MessageIdKey::to_octets
//! [`MessageIdPolicy`]: smpp_proto::sms::MessageIdPolicy
//! [`MessageKey`]: smpp_proto::account::MessageKey
//! [`MessageNumber`]: smpp_proto::account::MessageNumber
//! [`Options::segment_ack_mode`]: smpp_proto::account::Options::segment_ack_mode
//! [`Receipt::user_message_reference`]: smpp_proto::sms::Receipt::user_message_reference
//! [`ReceiptDestination::Arrivals`]: smpp_proto::account::ReceiptDestination::Arrivals
//! [`ReceiptDestination::Sent`]: smpp_proto::account::ReceiptDestination::Sent
//! [`ReceiptMatch`]: smpp_proto::account::ReceiptMatch
//! [`ReceiptMatch::key`]: smpp_proto::account::ReceiptMatch::key
//! [`ReceiptOptions::capacity`]: smpp_proto::account::ReceiptOptions::capacity
//! [`ReceiptOptions::max_age`]: smpp_proto::account::ReceiptOptions::max_age
//! [`SendError`]: crate::account::SendError
//! [`SendError::Failed`]: crate::account::SendError::Failed
//! [`Sent`]: crate::account::Sent
//! [`Sent::ids`]: crate::account::Sent::ids
//! [`Sent::key`]: crate::account::Sent::key
//! [`Unacknowledged`]: crate::account::Unacknowledged
//! [`Unacknowledged::is_acknowledged`]: crate::account::Unacknowledged::is_acknowledged
//! [`Unresolved`]: smpp_proto::account::Unresolved
