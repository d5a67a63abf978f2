//! How do I stop without losing messages?
//!
//! **Short answer.** Call [`Account::shutdown`]`(timeout)` and look at what it returns: each [`Unresolved`] is a
//! message that was not accepted since `shutdown` was called, or whose receipt has not arrived. Messages that failed
//! earlier are not in the list: `send` has returned their outcomes. Whatever the SMSC does, the call returns within
//! `timeout` + 5 s. For one session call [`Handle::unbind`]; for a
//! server [`Server::shutdown`]. Await them before the process exits: dropping the runtime closes the connections
//! without an unbind.
//!
//! # Shut down an account
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use smpp_proto::account::Unresolved;
//! use smpp_tokio::account::Account;
//!
//! # async fn example(account: Account) -> Result<(), Box<dyn std::error::Error>> {
//! tokio::signal::ctrl_c().await?;
//! for unresolved in account.shutdown(Duration::from_secs(10)).await {
//!     match unresolved {
//!         Unresolved::NotAccepted { message, outcome, .. } if outcome.is_safe_to_resend() => {
//!             println!("message {message} was not sent: keep it for the next start");
//!         }
//!         Unresolved::NotAccepted { message, outcome, .. } => {
//!             println!("message {message} may have been sent in part: {:?}", outcome.ids().collect::<Vec<_>>());
//!         }
//!         Unresolved::NoReceipt { message, ids, .. } => {
//!             println!("message {message} was accepted; receipts are pending for {ids:?}");
//!         }
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! (`tokio::signal` needs tokio's feature `signal`.)
//!
//! What happens, in order:
//!
//! 1. New messages are refused: [`SubmitError::ShutDown`](smpp_proto::account::SubmitError::ShutDown). Callers that wait
//!    for room in the queue get the same error. Tasks with their own retry loop must stop on `SubmitError::ShutDown`.
//! 2. Queued messages are still sent until `timeout` has passed, or the queue is empty. Binds are still made if one is
//!    missing.
//! 3. What is still queued ends as `NeverSent(ShutDown)`. The rest of `timeout`, but at least [`Options::unbind_timeout`]
//!    (3 s), is for what follows. Two thirds of it, at most [`Config::drain_timeout`] (5 s), are for the responses to what is
//!    in flight. An arrival that you have not accepted or refused delays the unbind of its bind as long.
//! 4. Each bind sends `unbind` and waits for the response, at most [`Config::response_timeout`] (10 s), and at most until
//!    the time of step 3 has passed. What is still in flight then is `Unanswered`.
//! 5. The connections are closed, within 2 s. `shutdown` returns.
//!
//! So it takes at most `timeout` + `unbind_timeout` (3 s) + 2 s, whatever the SMSC does. To end within 10 s, for example,
//! pass a `timeout` of 5 s. A longer `unbind_timeout` leaves fewer messages in doubt if the SMSC responds slowly. A call
//! that you cancel, for example with `tokio::time::timeout`, does not stop the shutdown: the account goes on with it for as
//! long as the runtime lives, and a further call of `shutdown` returns the list.
//!
//! It does not wait for delivery receipts: those that are pending are in [`Unresolved::NoReceipt`], and the SMSC delivers
//! them to the account's next bind. If `shutdown` is called several times, the earliest deadline counts, and one call
//! gets the list.
//!
//! Every [`Ticket`](crate::account::Ticket) and `send` that waits gets its outcome. Segments of MO messages that are
//! not complete: if all of them are unanswered, they are refused with `ESME_RX_T_APPN`, so the SMSC keeps them.
//! Otherwise you get what there is through [`Arrivals`](crate::account::Arrivals). Read
//! [`Arrivals`](crate::account::Arrivals) until it returns `None`.
//!
//! # Drop an account
//!
//! When the last [`Account`] handle *and* the [`Arrivals`](crate::account::Arrivals) are dropped, the account shuts
//! down with a timeout of zero: queued messages are not sent, in-flight messages may finish, then it unbinds. It needs
//! the runtime for that.
//!
//! # End a session: `unbind`, `abort`, drop
//!
//! | | in flight | `unbind` is sent | returns |
//! | --- | --- | --- | --- |
//! | [`Handle::unbind`] | may get a response within [`Config::drain_timeout`] (5 s); requests of the peer that you have to respond to count too | yes | [`End`](crate::End), usually `Unbound`; `UnbindTimeout` after [`Config::response_timeout`] |
//! | the last [`Handle`](crate::Handle) and the [`Inbox`](crate::Inbox) are dropped | the same | yes | |
//! | [`Handle::abort`] | `NeverSent` or `Unanswered` | no | `Aborted` |
//! | the runtime is dropped | the same | no | `Aborted` |
//! | the peer sends `unbind` | may get a response; no new requests; the session responds to the `unbind` after you have responded to all its requests, or after `drain_timeout` | | `PeerUnbound` |
//!
//! `unbind` ends the session for all clones of the handle. Requests that still wait for their turn end as `NeverSent`.
//!
//! ```no_run
//! use smpp_proto::session::CloseReason;
//!
//! # async fn example(client: smpp_tokio::Client) {
//! let end = client.unbind().await;
//! if end.reason != CloseReason::Unbound {
//!     eprintln!("not a clean end: {end}");
//! }
//! # }
//! ```
//!
//! # Shut down a server
//!
//! [`Server::shutdown`]`(timeout)` stops listening, closes connections without a bind, lets each session finish what is
//! under way (`drain_timeout`), and unbinds. Sessions that are left after `timeout` are aborted. The result lists how
//! each ended.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! # async fn example(server: smpp_tokio::Server) -> Result<(), Box<dyn std::error::Error>> {
//! tokio::signal::ctrl_c().await?;
//! let shutdown = server.shutdown(Duration::from_secs(15)).await;
//! println!("{} sessions ended, {} were aborted", shutdown.ended.len(), shutdown.aborted());
//! # Ok(())
//! # }
//! ```
//!
//! Dropping a [`Server`](crate::Server) stops it at once and aborts every session.
//!
//! # A service with Ctrl-C and SIGTERM
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use smpp_proto::account::{Credentials, Options};
//! use smpp_proto::provider::Provider;
//! use smpp_tokio::account::{Account, Arrival, Arrivals};
//!
//! async fn stop_signal() {
//!     #[cfg(unix)]
//!     {
//!         use tokio::signal::unix::{SignalKind, signal};
//!         if let Ok(mut terminate) = signal(SignalKind::terminate()) {
//!             tokio::select! {
//!                 _ = terminate.recv() => return,
//!                 _ = tokio::signal::ctrl_c() => return,
//!             }
//!         }
//!     }
//!     let _ = tokio::signal::ctrl_c().await;
//! }
//!
//! async fn receive(mut arrivals: Arrivals) {
//!     // Ends with `None` once the account has ended and everything is read.
//!     while let Some(arrival) = arrivals.recv().await {
//!         // Store it first, then:
//!         match arrival {
//!             Arrival::Message(message) => drop(message.accept()),
//!             Arrival::Receipt(receipt) => drop(receipt.accept()),
//!             Arrival::LateOutcome { message, outcome, .. } => println!("late: message {message}: {outcome}"),
//!             _ => {}
//!         }
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::EIGHT_BY_EIGHT);
//!     let (account, arrivals) = Account::connect("smpps://smpp.8x8.com", options).await?;
//!     let receiver = tokio::spawn(receive(arrivals));
//!     stop_signal().await;
//!     let unresolved = account.shutdown(Duration::from_secs(10)).await;
//!     println!("{} messages are unresolved", unresolved.len());
//!     receiver.await?;
//!     Ok(())
//! }
//! ```
//!
//! Give the process manager more time than the sum above, for example 20 s, before it kills the process.
//!
//! # Blocking crate
//!
//! `smpp-std` has the same methods, and they block: `Account::shutdown`, `Handle::unbind`, `Server::shutdown`, with
//! the same bounds. A dropped one-thread `Connection` closes the transport without `unbind`: call `Connection::unbind`.
//!
//! [`Account`]: crate::account::Account
//! [`Account::shutdown`]: crate::account::Account::shutdown
//! [`Config::drain_timeout`]: smpp_proto::session::Config::drain_timeout
//! [`Config::response_timeout`]: smpp_proto::session::Config::response_timeout
//! [`Options::unbind_timeout`]: smpp_proto::account::Options::unbind_timeout
//! [`Handle::abort`]: crate::Handle::abort
//! [`Handle::unbind`]: crate::Handle::unbind
//! [`Server::shutdown`]: crate::Server::shutdown
//! [`Unresolved`]: smpp_proto::account::Unresolved
//! [`Unresolved::NoReceipt`]: smpp_proto::account::Unresolved::NoReceipt
