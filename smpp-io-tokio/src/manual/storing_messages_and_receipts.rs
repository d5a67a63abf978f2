//! How do I keep messages and receipts in my own database without losing any?
//!
//! **Short answer.** This crate stores nothing on disk: its queue and its receipt table are in memory. Write a row
//! before you send, store the message ids when the SMSC has accepted, and acknowledge what arrives only after your
//! commit: `arrivals.recv()`, commit, `accept()`. The SMSC redelivers what was not acknowledged, so make the commit
//! idempotent.
//!
//! # What to store, and when
//!
//! | moment | store | state of your row |
//! | --- | --- | --- |
//! | before [`Account::send`] | your own key, recipient, text | `sending` |
//! | `Ok(sent)` | every id in [`Sent::ids`], in the order of the segments | `accepted` |
//! | [`SendError`] with [`is_safe_to_resend`](crate::account::SendError::is_safe_to_resend) | the reason | `queued` again, or `failed` |
//! | [`SendError`] otherwise | the reason, the ids that exist, and `message` of [`SendError::Failed`] | `unknown` |
//! | [`Arrival::LateOutcome`] | the id of the segment, or the status | `accepted` once every segment is accepted, or `failed` |
//! | a receipt arrives | state, `err`, time | the receipt's state, if final |
//! | an MO message arrives | sender, recipient, text | |
//!
//! Store ids as octets (`VARBINARY(64)`, `BYTEA`), as the SMSC sent them. If the provider writes ids differently in
//! receipts, compute the lookup key with its [`MessageIdPolicy`]: [`delivery_receipts`](super::delivery_receipts).
//!
//! # Send
//!
//! ```no_run
//! use smpp_core::account::{Message, MessageNumber};
//! use smpp_io_tokio::account::{Account, SendError};
//!
//! /// Your database.
//! trait Store {
//!     async fn accepted(&self, key: u64, ids: Vec<Vec<u8>>);
//!     async fn queue_again(&self, key: u64, reason: String);
//!     /// `message` finds the row again if an `Arrival::LateOutcome` follows.
//!     async fn unknown(&self, key: u64, message: Option<MessageNumber>, reason: String);
//! }
//!
//! /// The row `key` is committed with the state `sending` before this is called.
//! async fn send(account: &Account, store: &impl Store, key: u64, message: &Message) {
//!     match account.send(message).await {
//!         Ok(sent) => {
//!             let ids = sent.ids().iter().map(|id| id.as_bytes().to_vec()).collect();
//!             store.accepted(key, ids).await;
//!             // From here on the receipts of this message arrive through `Arrivals`.
//!             drop(sent);
//!         }
//!         // A refusal repeats; look at the status before you send again.
//!         Err(error) if error.is_safe_to_resend() => store.queue_again(key, error.to_string()).await,
//!         Err(error) => {
//!             let message = match &error {
//!                 SendError::Failed { message, .. } => Some(*message),
//!                 _ => None,
//!             };
//!             store.unknown(key, message, error.to_string()).await;
//!         }
//!     }
//! }
//! ```
//!
//! # Receive: acknowledge after the commit
//!
//! ```no_run
//! use smpp_core::CommandStatus;
//! use smpp_core::account::{MessageNumber, SegmentOutcome};
//! use smpp_io_tokio::account::{Arrival, Arrivals};
//!
//! /// Your database. `Err` means that nothing was committed.
//! trait Store {
//!     async fn receipt(&self, id: &[u8], state: u8, is_final: bool) -> Result<(), ()>;
//!     async fn message(&self, from: &str, to: &str, text: &str) -> Result<(), ()>;
//!     async fn accepted_late(&self, message: MessageNumber, segment: u8, id: &[u8]);
//!     async fn refused_late(&self, message: MessageNumber, segment: u8, reason: String);
//! }
//!
//! async fn receive(mut arrivals: Arrivals, store: impl Store) {
//!     while let Some(arrival) = arrivals.recv().await {
//!         match arrival {
//!             Arrival::Receipt(receipt) => {
//!                 let (read, _) = receipt.get();
//!                 let stored = store.receipt(read.id.as_bytes(), read.state.0, read.is_final).await;
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
//!             // The SMSC responded after the timeout: `message` is the number in `SendError::Failed`.
//!             Arrival::LateOutcome { message, segment, outcome } => match outcome {
//!                 SegmentOutcome::Accepted(id) => store.accepted_late(message, segment, id.as_bytes()).await,
//!                 refused => store.refused_late(message, segment, refused.to_string()).await,
//!             },
//!             _ => {} // alert_notification
//!         }
//!     }
//! }
//! ```
//!
//! [`Arrival::LateOutcome`] has no acknowledgement and comes once. It may come before your task has stored the number of
//! the message: look again later if no row has it.
//!
//! One loop like this handles one arrival at a time. For more throughput commit in batches: collect arrivals, commit
//! once, then accept each. They may be accepted in any order;
//! [`Config::max_unanswered`](smpp_core::session::Config::max_unanswered) (256 for each bind) bounds the batch. Respond
//! before the SMSC's own timeout, usually some seconds.
//!
//! Dropping an [`Unacknowledged`] responds with `ESME_RX_T_APPN`, so a panic in your code does not lose the message.
//!
//! The tool `smpp receive` is a complete program of this kind: it stores messages and receipts in a file, and
//! acknowledges each after it is on disk.
//!
//! # What a crash leaves uncertain
//!
//! | the process is killed | afterwards |
//! | --- | --- |
//! | while the row is `sending` | the message may or may not have been accepted. Its ids are unknown. A receipt may arrive for an id you do not have |
//! | after `accepted`, before the receipt | nothing is lost: the receipt arrives after the restart, unmatched, through [`Arrivals`]; look the id up |
//! | between your commit and `accept()` | the SMSC delivers it again: your commit sees a duplicate |
//! | between the response of the SMSC and the drop of [`Sent`] | a receipt that came in between was acknowledged already and existed only in memory: **lost**. Drop [`Sent`] as soon as the ids are stored. Mark a message as unknown if no receipt has come within your own limit |
//! | while segments of an MO message wait for others | segments that were held longer than [`Options::segment_ack_timeout`] (5 s) were acknowledged: **lost**. The others are redelivered |
//!
//! If the receipts must survive in every case, use a session instead of an account: a `deliver_sm` in the
//! [`Inbox`](crate::Inbox) is never acknowledged before your [`accept`](crate::InboundRequest::accept).
//! [`smpp_core::account::Account`] without the adapter gives the same control with binds and matching: each
//! [`Event::Receipt`](smpp_core::account::Event::Receipt) has its [`Ack`](smpp_core::account::Ack).
//!
//! Rows that are still `sending` at the start: decide as for `Unanswered`, see
//! [`errors_and_retries`](super::errors_and_retries). Some SMSCs return `user_message_reference` (16 bits, SMPP 3.4
//! §5.3.2.17) in receipts: put part of your key there, and a receipt can name the row even if its id was never stored.
//! It is in [`Receipt::user_message_reference`].
//!
//! ```
//! use smpp_core::account::Message;
//! use smpp_core::{Address, SubmitSm, Tlv, Tlvs};
//!
//! let tlvs = [Tlv::user_message_reference(4711)];
//! let template = SubmitSm {
//!     destination: Address::international("6591234567")?,
//!     tlvs: Tlvs::list(&tlvs),
//!     ..SubmitSm::default()
//! };
//! let message = Message::text(&template, "Hello");
//! assert_eq!(message.template().tlvs.user_message_reference(), Some(4711));
//! # Ok::<(), smpp_core::InvalidOctets>(())
//! ```
//!
//! # Idempotence: recognise what comes twice
//!
//! | what | recognised by the account | your key |
//! | --- | --- | --- |
//! | a receipt of a message of this process | yes, until [`remember_completed`](smpp_core::account::ReceiptOptions::remember_completed) (120 s) after the last final receipt of the message | (message id, state) |
//! | a receipt after a restart | no | (message id, state) |
//! | a segment of an MO message | yes, while the message is incomplete and for 2 minutes afterwards | |
//! | an MO message of one PDU | no | an id of the provider, or (sender, recipient, text, minute) |
//!
//! 8x8 sends such an id as a TLV: [`MO_MESSAGE_ID`](smpp_core::provider::eight_by_eight::MO_MESSAGE_ID). An update such
//! as `UPDATE ... SET state = ? WHERE id = ? AND state NOT IN (final states)` is idempotent by itself.
//!
//! # At start
//!
//! 1. Load the rows that are `queued` and send them. Decide about those that are `sending`.
//! 2. Start reading [`Arrivals`] before you send: receipts for messages of the previous process come at once.
//! 3. A receipt with an id that your table does not have: acknowledge it, and log it. Refusing it makes the SMSC repeat
//!    it until it expires.
//!
//! # At the end
//!
//! [`Account::shutdown`] returns the messages that were not accepted since the call, and those whose receipts are missing:
//! write them to their rows. See [`graceful_shutdown`](super::graceful_shutdown).
//!
//! # Blocking crate
//!
//! `smpp-io-std` has the same types and the same rules: `arrivals.recv()`, commit, `accept()`, without `await`.
//!
//! [`Account::send`]: crate::account::Account::send
//! [`Arrival::LateOutcome`]: crate::account::Arrival::LateOutcome
//! [`Account::shutdown`]: crate::account::Account::shutdown
//! [`Arrivals`]: crate::account::Arrivals
//! [`MessageIdPolicy`]: smpp_core::sms::MessageIdPolicy
//! [`Options::segment_ack_timeout`]: smpp_core::account::Options::segment_ack_timeout
//! [`Receipt::user_message_reference`]: smpp_core::sms::Receipt::user_message_reference
//! [`SendError`]: crate::account::SendError
//! [`SendError::Failed`]: crate::account::SendError::Failed
//! [`Sent`]: crate::account::Sent
//! [`Sent::ids`]: crate::account::Sent::ids
//! [`Unacknowledged`]: crate::account::Unacknowledged
