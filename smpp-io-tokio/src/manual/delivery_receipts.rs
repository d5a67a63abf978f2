//! How do I ask for delivery receipts (DLRs), wait for them and match them to my messages?
//!
//! **Short answer.** Set `registered_delivery: RegisteredDelivery::RECEIPT` in the template. Then either wait with
//! [`Sent::receipt`], or drop the [`Sent`] and read receipts from [`Arrivals`]. The account matches each receipt to its
//! message, on whichever bind it arrives, even if it arrives before the `submit_sm_resp`. A repeated receipt is
//! reported once.
//!
//! # Ask for a receipt
//!
//! `registered_delivery` of the `submit_sm` (SMPP 3.4 §5.2.17) decides:
//!
//! | value | the SMSC sends |
//! | --- | --- |
//! | [`RegisteredDelivery::RECEIPT`] | one final receipt, for success and failure |
//! | [`RECEIPT_ON_FAILURE`](smpp_proto::RegisteredDelivery::RECEIPT_ON_FAILURE) | a final receipt only if delivery fails |
//! | [`RECEIPT_ON_SUCCESS`](smpp_proto::RegisteredDelivery::RECEIPT_ON_SUCCESS) | a final receipt only if delivery succeeds (SMPP 5.0) |
//! | any of these with [`INTERMEDIATE`](smpp_proto::RegisteredDelivery::INTERMEDIATE) | intermediate notifications as well |
//!
//! With "only on failure" or "only on success" a receipt may never come. The wait then lasts until
//! [`ReceiptOptions::max_age`]: bound it with `tokio::time::timeout`.
//!
//! # Wait for the receipts of one message
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use smpp_proto::MessageState;
//! use smpp_proto::account::Message;
//! use smpp_tokio::account::{Account, NoMoreReceipts};
//! use tokio::time::timeout;
//!
//! # async fn example(account: &Account, message: &Message) -> Result<(), Box<dyn std::error::Error>> {
//! let mut sent = account.send(message).await?;
//! match timeout(Duration::from_secs(600), sent.receipt()).await {
//!     Ok(Ok(MessageState::DELIVERED)) => println!("delivered"),
//!     Ok(Ok(state)) => println!("not delivered: {state:?}"),
//!     Ok(Err(NoMoreReceipts::NotReceived)) => println!("no receipt within ReceiptOptions::max_age"),
//!     Ok(Err(reason)) => println!("{reason}"),
//!     Err(_) => println!("still under way: `sent.receipt()` can be called again"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! - [`Sent::receipt`] waits for the final receipt of *every* segment. It returns `DELIVERED` if all segments were
//!   delivered, otherwise the state of the first segment that was not. Intermediate receipts are skipped.
//! - [`Sent::next_receipt`] returns each receipt: a [`DeliveryReceipt`] (id, state, the word in `stat`, `err`, the PDU)
//!   with its [`ReceiptMatch`] (message number, segment, how many segments are pending, the state of the whole message).
//! - Both may be cancelled and called again. Do not mix the two for one message: `receipt` consumes the receipts that it
//!   has seen, also if it is cancelled. [`NoMoreReceipts`] says why no further receipt will arrive.
//! - The wait ends at the latest after [`ReceiptOptions::max_age`], 72 h by default. It also ends early if more than
//!   [`ReceiptOptions::capacity`] segments (default 100,000) wait for receipts: the account then gives up the oldest
//!   message.
//!
//! # Read all receipts in one place
//!
//! For more than a few messages do not keep a [`Sent`] for each. Take the ids, drop it, and read [`Arrivals`]:
//!
//! ```no_run
//! use smpp_tokio::account::{Arrival, Arrivals};
//!
//! # async fn example(mut arrivals: Arrivals) {
//! while let Some(arrival) = arrivals.recv().await {
//!     match arrival {
//!         Arrival::Receipt(receipt) => {
//!             let (read, matched) = receipt.get();
//!             println!("{} is {:?}, final: {}", read.id, read.state, read.is_final);
//!             if let Some(matched) = matched {
//!                 println!("segment {} of {} of message {}", matched.segment + 1, matched.segments, matched.message);
//!             }
//!             let _ = receipt.accept(); // acknowledge once it is stored
//!         }
//!         Arrival::Message(message) => drop(message.accept()),
//!         // A segment that was `Unanswered`: now its receipts are matched too.
//!         Arrival::LateOutcome { message, segment, outcome, .. } => println!("message {message}.{segment}: {outcome}"),
//!         _ => {}
//!     }
//! }
//! # }
//! ```
//!
//! Who acknowledges, and when:
//!
//! | the receipt is for | goes to | acknowledged |
//! | --- | --- | --- |
//! | a message whose [`Ticket`] or [`Sent`] you hold | that [`Sent`]; at most 1,024 wait there, more are refused with `ESME_RX_T_APPN` | at once, before you read it |
//! | a message whose [`Sent`] you dropped | [`Arrivals`] | by `accept()`; those that had arrived before the drop were acknowledged already: `accept()` and `refuse()` return [`AckError::AlreadyAcknowledged`](crate::account::AckError::AlreadyAcknowledged) |
//! | a message with [`receipts_to`](smpp_proto::account::Message::receipts_to)`(ReceiptDestination::Arrivals)`, or a `submit_multi` to a distribution list | [`Arrivals`]; [`Sent`] returns [`NoMoreReceipts::ToArrivals`](crate::account::NoMoreReceipts::ToArrivals) | by `accept()` |
//! | a message of which only some segments were accepted | [`Arrivals`] | by `accept()` |
//! | a message of an earlier process that is [expected](crate::account::AccountConnector::expect) | [`Arrivals`], with its match and key | by `accept()` |
//! | no message of this process | [`Arrivals`], with `None` as the match | by `accept()` |
//!
//! A receipt that waits in [`Sent`] exists only in memory. What to do about that:
//! [`storing_messages_and_receipts`](super::storing_messages_and_receipts).
//!
//! # Final and intermediate states
//!
//! | `stat` in the receipt | [`MessageState`] | final? |
//! | --- | --- | --- |
//! | `DELIVRD`, `DELIVERED` | `DELIVERED` | yes |
//! | `UNDELIV`, `UNDELIVERABLE`, `UNDELIVERED`, `UNDELIVRD`, `FAILED` | `UNDELIVERABLE` | yes |
//! | `EXPIRED` | `EXPIRED` | yes |
//! | `DELETED` | `DELETED` | yes |
//! | `REJECTD`, `REJECTED` | `REJECTED` | yes |
//! | `SKIPPED` | `SKIPPED` | yes |
//! | `ENROUTE`, `SENT` | `ENROUTE` | no |
//! | `ACCEPTD`, `ACCEPTED` | `ACCEPTED` | no: gateways send it before the delivery |
//! | `SCHEDLD`, `SCHEDULED` | `SCHEDULED` | no |
//! | `UNKNOWN`, or a word that is not listed | `UNKNOWN` | no |
//!
//! Case is ignored. [`ReceiptDialect::final_states`] and [`ReceiptDialect::state_words`] change this table for a provider
//! that reports `UNKNOWN` and then nothing more, or has words of its own. [`DeliveryReceipt::stat`] is the word as the
//! provider wrote it. The TLVs `receipted_message_id` and `message_state` win over the text (SMPP 3.4
//! §5.3.2.12, §5.3.2.35). `err` holds the provider's own codes; for 8x8 see
//! [`ErrorCode`](smpp_proto::provider::eight_by_eight::ErrorCode).
//!
//! # Match receipts by message id: hexadecimal, decimal, zero padding
//!
//! Some SMSCs write an id differently in the `submit_sm_resp` and in the receipt. [`MessageIdPolicy`] states how:
//!
//! | policy | `submit_sm_resp` | receipt | the same |
//! | --- | --- | --- | --- |
//! | [`EXACT`](smpp_proto::sms::MessageIdPolicy::EXACT) (default) | `7F00A1B2` | `7F00A1B2` | octet for octet |
//! | [`IGNORE_CASE`](smpp_proto::sms::MessageIdPolicy::IGNORE_CASE) | `7F00A1B2` | `7f00a1b2` | yes |
//! | [`IGNORE_LEADING_ZEROS`](smpp_proto::sms::MessageIdPolicy::IGNORE_LEADING_ZEROS) | `0012` | `12` | yes (decimal numbers) |
//! | [`HEXADECIMAL_TO_DECIMAL`](smpp_proto::sms::MessageIdPolicy::HEXADECIMAL_TO_DECIMAL) | `7F00A1B2` | `2130747826` | yes |
//! | [`DECIMAL_TO_HEXADECIMAL`](smpp_proto::sms::MessageIdPolicy::DECIMAL_TO_HEXADECIMAL) | `2130747826` | `7F00A1B2` | yes |
//!
//! Numbers have up to 256 bits. With the hexadecimal notations an id of 32 digits counts as a UUID and is not
//! converted.
//!
//! ```
//! use smpp_proto::account::{Credentials, Options};
//! use smpp_proto::provider::{Provider, ReceiptDialect};
//! use smpp_proto::sms::{Detection, MessageIdPolicy};
//!
//! let mut options = Options::new(Credentials::new("shop", "s3cret"), &Provider::UNSTATED);
//! options.receipts.dialect =
//!     ReceiptDialect::UNSTATED.message_ids(MessageIdPolicy::HEXADECIMAL_TO_DECIMAL);
//! # assert_eq!(options.receipts.dialect.detection, Detection::ByEsmClass);
//!
//! // The same policy as keys for a table of your own.
//! let policy = options.receipts.dialect.message_ids;
//! assert_eq!(policy.submitted_key(b"7f00A1B2"), policy.receipted_key(b"2130747826"));
//! ```
//!
//! Which of two ids counts: that in the TLV `receipted_message_id`, which has the notation of the `submit_sm_resp`, then
//! that in the text. If a provider puts something else into the TLV, or uses another notation there,
//! [`ReceiptDialect::id_fallback`] says which other ids the account tries if the first matches no message. They are tried
//! when no response can arrive any more that has the first one.
//!
//! Store the key of an id in a database with [`MessageIdKey::to_octets`]: it is the same for the `submit_sm_resp` and the
//! receipt, in every version of the library.
//!
//! # Receipts that differ: the dialect of a provider
//!
//! The settings of a provider's receipts are the fields of [`ReceiptDialect`], in
//! `Options::receipts.dialect` or in your [`Provider`](smpp_proto::provider::Provider). The default of each is the
//! specification. `smpp probe` finds most of them out, with a few messages to a number of yours, and writes them down as a
//! provider ([`testing_against_an_smsc`](super::testing_against_an_smsc)).
//!
//! | the provider | set |
//! | --- | --- |
//! | sends one receipt for a message of several segments, with the id of the first, of the last, or one that all segments share | [`scope`](smpp_proto::provider::ReceiptDialect::scope): [`ReceiptScope::Message`](smpp_proto::provider::ReceiptScope::Message) |
//! | sends a receipt for each segment that requests one, and you want one for the message | [`request_on_last_segment`](smpp_proto::provider::ReceiptDialect::request_on_last_segment): the account asks on the last segment only, and one receipt completes the message |
//! | gives all segments the same id, and sends a receipt for each | nothing: each receipt counts for the next segment |
//! | ends with `UNKNOWN`, or with fewer states | [`final_states`](smpp_proto::provider::ReceiptDialect::final_states) |
//! | has words of its own in `stat` | [`state_words`](smpp_proto::provider::ReceiptDialect::state_words) |
//! | marks receipts with `esm_class` 0x08, 0x24 or another type | [`esm_classes`](smpp_proto::provider::ReceiptDialect::esm_classes) |
//! | does not set `esm_class`, but the TLVs | [`detection`](smpp_proto::provider::ReceiptDialect::detection): [`Detection::ByTlvs`] |
//! | sets neither | [`Detection::ByContent`]: **every sender who can reach your number can forge receipts** |
//! | has another id, or another notation, in the TLV | [`id_fallback`](smpp_proto::provider::ReceiptDialect::id_fallback) |
//! | writes another format, for example comma-separated values | [`parser`](smpp_proto::provider::ReceiptDialect::parser): a function of yours, called before the built-in parser |
//!
//! A NUL before the text, commas or semicolons after the values, and a text in UCS-2 need no setting.
//!
//! ```
//! use smpp_proto::account::{Credentials, Options};
//! use smpp_proto::provider::{Provider, ReceiptDialect, ReceiptScope, StateWord};
//! use smpp_proto::{EsmClass, MessageState};
//!
//! let mut options = Options::new(Credentials::new("shop", "s3cret"), &Provider::UNSTATED);
//! options.receipts.dialect = ReceiptDialect::UNSTATED
//!     .scope(ReceiptScope::Message)
//!     .esm_classes(&[EsmClass::DELIVERY_ACKNOWLEDGEMENT])
//!     .final_states(&[MessageState::DELIVERED, MessageState::UNDELIVERABLE, MessageState::UNKNOWN])
//!     .state_words(const { &[StateWord::new("NACK", MessageState::REJECTED)] });
//! ```
//!
//! # No receipt is matched, or none comes: what to check
//!
//! | you see | likely cause | do |
//! | --- | --- | --- |
//! | all receipts come out of [`Arrivals`] with `None` as their match, and their ids are yours in another notation: `93f389d0` and `2482211280` | the provider converts ids | [`MessageIdPolicy`], the table above |
//! | the same, and the ids have nothing in common with yours | the id is elsewhere, or the messages are of another program of the account | [`ReceiptDialect::id_fallback`]; compare with the PDUs that `smpp send --trace` prints |
//! | texts such as `id:42 ... stat:DELIVRD` come as `Arrival::Message` | `esm_class` does not mark them as receipts | `esm_classes` or `detection` of the dialect |
//! | short messages get their receipt, long ones never all of them | one receipt for the whole message | `scope` of the dialect |
//! | the receipt is there, and [`Sent::receipt`] goes on waiting | its state is not final | the table of states; [`ReceiptDialect::final_states`] |
//! | nothing at all | `registered_delivery` is not set; all binds are transmitters; or the SMSC delivers to a bind of another program of the account | `RegisteredDelivery::RECEIPT`; add a receiver; end the other program |
//!
//! # Receipts that come early, late, twice, or after a restart
//!
//! | case | what the account does |
//! | --- | --- |
//! | before the `submit_sm_resp` | keeps it until every request that was in flight when it arrived has a response; then matches it, or delivers it to [`Arrivals`] unmatched. At most [`ReceiptOptions::early_capacity`] (default 64) wait; above that the oldest is delivered unmatched |
//! | on another bind | matches it: ids belong to the account |
//! | the same state twice | acknowledges the second, and reports it once. If the first is not acknowledged yet, the second is refused with `ESME_RX_T_APPN` |
//! | an intermediate state after the final one, or a final state again, within [`ReceiptOptions::remember_completed`] (default 120 s) of the message's last receipt | the same: a repeat, not reported again |
//! | another final state, for example `UNDELIV`, then `DELIVRD`, within the same time | reports it as a change: [`ReceiptMatch::previous`] is the state before. If the [`Sent`] has had its last receipt, it arrives through [`Arrivals`] |
//! | later than that | delivers it to [`Arrivals`] unmatched. Raise [`ReceiptOptions::remember_completed`] if your provider corrects states later: the messages count against [`ReceiptOptions::capacity`] meanwhile, but make room first |
//! | later than [`ReceiptOptions::max_age`] | delivers it to [`Arrivals`] unmatched |
//! | after a restart of your program | the matches are in memory: delivers it to [`Arrivals`] unmatched, unless you passed the message to [`AccountConnector::expect`](crate::account::AccountConnector::expect) |
//! | the `submit_sm_resp` had an empty id | cannot match: [`Sent`] reports [`NoMoreReceipts::NotReceived`] at once |
//! | the SMSC gave one id to two messages | the later message gets the receipt |
//! | the SMSC gave one id to several segments of a message | each receipt counts for the next of them |
//! | the SMSC gave an id of more than 64 octets | matches it. [`MessageId`](smpp_proto::account::MessageId) keeps the first octets and a digest |
//! | the text cannot be read | delivers it to [`Arrivals`] unmatched, state `UNKNOWN`, empty id |
//!
//! # Concatenated messages
//!
//! Each segment has its own id and its own receipts, unless the [dialect](#receipts-that-differ-the-dialect-of-a-provider)
//! says that there is one for the message. [`ReceiptMatch::pending`] counts the segments that still wait for
//! their final receipt; [`ReceiptMatch::message_state`] is `Some` in the last one. If a message was only partly
//! accepted ([`SendError::Failed`]), receipts of the accepted segments arrive through [`Arrivals`] and `message_state`
//! stays `None`, unless late responses (`Arrival::LateOutcome`) complete it: once every segment is accepted and has its
//! final receipt, the last receipt has `message_state`.
//!
//! # Blocking crate
//!
//! `smpp-std` has the same methods; `receipt_until`, `next_receipt_until` and `recv_until` bound the wait.
//!
//! # At session level
//!
//! A session does not match receipts. Parse each [`Inbound::DeliverSm`](crate::Inbound::DeliverSm) with
//! [`Receipt::of`](smpp_proto::sms::Receipt::of) and compare ids with [`MessageIdPolicy`]:
//!
//! ```
//! use smpp_proto::sms::{Detection, Receipt};
//! use smpp_proto::{DeliverSm, EsmClass, MessageState, ShortMessage};
//!
//! let message = DeliverSm {
//!     esm_class: EsmClass::DELIVERY_RECEIPT,
//!     short_message: ShortMessage::new(b"id:42 sub:001 dlvrd:001 stat:DELIVRD err:000 Text:Hello")?,
//!     ..DeliverSm::default()
//! };
//! let receipt = Receipt::of(&message, Detection::ByEsmClass).ok_or("not a receipt")??;
//! assert_eq!((receipt.id, receipt.state(), receipt.is_final()), (&b"42"[..], Some(MessageState::DELIVERED), true));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Arrivals`]: crate::account::Arrivals
//! [`DeliveryReceipt`]: smpp_proto::account::DeliveryReceipt
//! [`DeliveryReceipt::stat`]: smpp_proto::account::DeliveryReceipt::stat
//! [`Detection::ByContent`]: smpp_proto::sms::Detection::ByContent
//! [`Detection::ByTlvs`]: smpp_proto::sms::Detection::ByTlvs
//! [`MessageIdKey::to_octets`]: smpp_proto::sms::MessageIdKey::to_octets
//! [`MessageIdPolicy`]: smpp_proto::sms::MessageIdPolicy
//! [`MessageState`]: smpp_proto::MessageState
//! [`NoMoreReceipts`]: crate::account::NoMoreReceipts
//! [`NoMoreReceipts::NotReceived`]: crate::account::NoMoreReceipts::NotReceived
//! [`ReceiptDialect`]: smpp_proto::provider::ReceiptDialect
//! [`ReceiptDialect::final_states`]: smpp_proto::provider::ReceiptDialect::final_states
//! [`ReceiptDialect::id_fallback`]: smpp_proto::provider::ReceiptDialect::id_fallback
//! [`ReceiptDialect::state_words`]: smpp_proto::provider::ReceiptDialect::state_words
//! [`ReceiptMatch`]: smpp_proto::account::ReceiptMatch
//! [`ReceiptMatch::message_state`]: smpp_proto::account::ReceiptMatch::message_state
//! [`ReceiptMatch::pending`]: smpp_proto::account::ReceiptMatch::pending
//! [`ReceiptMatch::previous`]: smpp_proto::account::ReceiptMatch::previous
//! [`ReceiptOptions::capacity`]: smpp_proto::account::ReceiptOptions::capacity
//! [`ReceiptOptions::early_capacity`]: smpp_proto::account::ReceiptOptions::early_capacity
//! [`ReceiptOptions::max_age`]: smpp_proto::account::ReceiptOptions::max_age
//! [`ReceiptOptions::remember_completed`]: smpp_proto::account::ReceiptOptions::remember_completed
//! [`RegisteredDelivery::RECEIPT`]: smpp_proto::RegisteredDelivery::RECEIPT
//! [`SendError::Failed`]: crate::account::SendError::Failed
//! [`Sent`]: crate::account::Sent
//! [`Sent::next_receipt`]: crate::account::Sent::next_receipt
//! [`Sent::receipt`]: crate::account::Sent::receipt
//! [`Ticket`]: crate::account::Ticket
