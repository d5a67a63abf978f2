//! The manual: one chapter for each question that users of this crate ask.
//!
//! This module holds documentation only. Every chapter begins with the short answer, and every Rust example in it
//! compiles.
//!
//! # Start here
//!
//! | you want to | chapter |
//! | --- | --- |
//! | send your first message; choose between account, session, server and the blocking crate | [`getting_started`] |
//! | find the name that another library uses for the same thing (cloudhopper, jSMPP, node-smpp, Kannel) | [`coming_from`] |
//!
//! # Sending and receiving messages
//!
//! | you want to | chapter |
//! | --- | --- |
//! | ask for delivery receipts (DLRs), wait for them, match them to your messages | [`delivery_receipts`] |
//! | send long texts and other alphabets; count segments; read long mobile-originated (MO) messages | [`long_messages_and_encodings`] |
//! | store messages and receipts in your own database without losing any | [`storing_messages_and_receipts`] |
//!
//! # Operating
//!
//! | you want to | chapter |
//! | --- | --- |
//! | decide after an error whether to send again | [`errors_and_retries`] |
//! | know when and how an account reconnects, and what it does for each status of the SMSC | [`reconnecting_and_throttling`] |
//! | use several hosts, failover, a proxy; change an account while it runs | [`reconnecting_and_throttling`](reconnecting_and_throttling#modes-several-hosts-failover) |
//! | set the rate limit and the window | [`rate_limits_and_windows`] |
//! | know every queue, its bound, and what happens when it is full | [`backpressure`] |
//! | stop without losing messages | [`graceful_shutdown`] |
//! | use TLS (smpps), your own certificate authority, client certificates | [`tls`] |
//! | log, measure and capture traffic | [`observability`] |
//!
//! # Testing and servers
//!
//! | you want to | chapter |
//! | --- | --- |
//! | test your program against an SMSC on your machine or inside the test; find out how a provider behaves | [`testing_against_an_smsc`] |
//! | write an SMSC or a gateway that ESMEs bind to | [`writing_an_smsc`] |
//! | use another runtime, another transport, or no runtime | [`embedding_the_core`] |
//!
//! # About the project
//!
//! | you want to | chapter |
//! | --- | --- |
//! | know how fast it is, and measure it on your machine | [`performance`] |
//! | know what is tested, and run those tests | [`test_evidence`] |
//!
//! # Words
//!
//! | word | meaning in this manual |
//! | --- | --- |
//! | ESME | the client side: the program that binds (external short message entity) |
//! | SMSC | the server side: what the ESME binds to (short message service centre) |
//! | session, connection | one SMPP connection, from TCP connect to close |
//! | bind | a session whose bind the SMSC has accepted; also the request for it |
//! | link, slot | one of the `max_binds` places for a connection in an account, numbered from 0: connecting, bound, or waiting for the next try |
//! | unresolved | a message that was not accepted, or whose final receipts are missing, when the account has shut down |
//! | `Arrivals` | what the SMSC delivers to an account and no [`Sent`](crate::account::Sent) waits for (MO messages, receipts, late responses): [`Arrivals`](crate::account::Arrivals) |
//! | endpoint | a host and a port, with TLS or without; a group of binds may have several, for failover |
//! | key | your own octets with a message, such as the primary key of its row: [`MessageKey`](smpp_proto::account::MessageKey) |
//! | dialect | how the delivery receipts of a provider differ from the specification: [`ReceiptDialect`](smpp_proto::provider::ReceiptDialect) |
//! | `Inbox` | the requests of the peer on one session: [`Inbox`](crate::Inbox) |
//! | `Client`, `Peer` | the handle of a session: [`Client`](crate::Client) on the side of the ESME, [`Peer`](crate::Peer) on the side of the SMSC |
//! | account | one system_id at the provider, with one or more binds |
//! | segment | one `submit_sm` or `deliver_sm`; a long message is several segments |
//! | in flight | sent (or about to be written), and without a response yet |
//! | window | how many requests may be in flight on one bind |
//! | delivery receipt, DLR | the `deliver_sm` (or `data_sm`) that reports what happened to a message |
//! | MO message | mobile-originated: a message that a phone sends to you |
//! | acknowledge | respond to a `deliver_sm` with `ESME_ROK`; the SMSC then forgets it |
//!
//! The result types of an account (`SendError`, `SubmitError`, `MessageOutcome`, `SegmentOutcome`) are in
//! [the decision table of errors_and_retries](errors_and_retries#decision-table-account).
//!
//! Sections of the specification are cited as `SMPP 3.4 §4.4.1`: "Short Message Peer to Peer Protocol Specification
//! v3.4", Issue 1.2.

pub mod backpressure;
pub mod coming_from;
pub mod delivery_receipts;
pub mod embedding_the_core;
pub mod errors_and_retries;
pub mod getting_started;
pub mod graceful_shutdown;
pub mod long_messages_and_encodings;
pub mod observability;
pub mod performance;
pub mod rate_limits_and_windows;
pub mod reconnecting_and_throttling;
pub mod storing_messages_and_receipts;
pub mod test_evidence;
pub mod testing_against_an_smsc;
pub mod tls;
pub mod writing_an_smsc;
