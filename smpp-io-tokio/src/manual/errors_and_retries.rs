//! A request failed. What happened, and may I send the message again?
//!
//! **Short answer.** Ask the error: [`RequestError::is_safe_to_resend`] for a session,
//! [`SendError::is_safe_to_resend`] for an account. `true` means that sending again cannot make the message arrive
//! twice. It does not mean that sending again helps: after `Refused`, look at the status first, and limit your retries
//! (see [Retry with a limit](#retry-with-a-limit)). The one dangerous outcome is `Unanswered`: the SMSC may have accepted the
//! message, and only you can decide between "maybe lost" and "maybe twice".
//!
//! # Decision table: session
//!
//! [`Handle::request`](crate::Handle::request), [`Client::submit`](crate::Client) and [`Client::bind`](crate::Client)
//! return `Result<Response, RequestError>`.
//!
//! | outcome | meaning | safe to resend? | what to do |
//! | --- | --- | --- | --- |
//! | `Ok(response)` | a response with `ESME_ROK` | no: it would be a second message | store the message id |
//! | [`RequestError::Refused`]` { status, response }` | a response with an error status | yes | see [what the peer says](#what-the-peer-says-with-a-response) and the table of statuses below |
//! | [`RequestError::Nacked`]`(status)` | `generic_nack`: the peer did not understand the request (SMPP 3.4 §4.3) | yes, but it will fail again | fix the request; is the operation offered? |
//! | [`RequestError::NeverSent`]`(reason)` | the last octet of the request was not handed to the transport | yes | see [`NotSentReason`] below |
//! | [`RequestError::Unanswered`]`(reason)` | sent; no usable response | **no: it may arrive twice** | your policy; see below |
//!
//! | [`NotSentReason`] | meaning | what to do |
//! | --- | --- | --- |
//! | `State` | not bound yet, or a receiver bind cannot submit | bind first; use a transmitter or transceiver |
//! | `Closing(reason)` | the session is shutting down, and will end for this reason | use another session, send again |
//! | `Closed(reason)` | the session has ended, or ended before the request left: see [`CloseReason`] | reconnect, send again |
//! | `Unsupported` | not in [`Config::operations`](smpp_proto::session::Config::operations) | do not send it, or widen the set |
//! | `Version` | the peer's version does not have the operation | do not send it |
//! | `TlvsUnsupported` | the peer speaks version 3.3, which has no TLVs | send it without TLVs (no `message_payload`, no `sar_`) |
//! | `TooLong` | longer than [`Config::max_pdu`](smpp_proto::session::Config::max_pdu) (70 KiB) | shorten it |
//! | `NoBind` | server side: the account has no receiving bind | keep it, deliver later |
//!
//! A full window, a reached rate limit or a full output buffer are not errors here: the call waits.
//!
//! | [`UnansweredReason`] | meaning |
//! | --- | --- |
//! | `Timeout` | no response within [`Config::response_timeout`](smpp_proto::session::Config::response_timeout) (10 s). A response within the next 60 s is reported: `Arrival::LateOutcome` of an account, `Inbound::LateResponse` of a session |
//! | `Closed(reason)` | the session ended first: see [`CloseReason`] |
//! | `Unreadable(error)` | a response with status `ESME_ROK` came, but its body cannot be decoded |
//!
//! | [`CloseReason`] | meaning |
//! | --- | --- |
//! | `Unbound` | the peer responded to your `unbind`, or closed the connection after it |
//! | `PeerUnbound` | the peer sent `unbind` |
//! | `Disconnected` | the connection ended without `unbind` |
//! | `Aborted` | `abort` was called, or the task that drives the session was dropped |
//! | `SessionInit` | no bind within `session_init_timeout` (10 s) |
//! | `LinkDead` | no PDU came within `response_timeout` after the transport has taken an `enquire_link` |
//! | `Unresponsive` | the peer responded to `enquire_link`, but to no request for `max_response_timeouts` (6) response timeouts |
//! | `Stalled` | the peer did not read: the transport took nothing for one to two `response_timeout` |
//! | `Inactive` | no message for `inactivity_timeout` (off by default) |
//! | `UnbindTimeout` | `unbind` got no response |
//! | `Framing` | an impossible `command_length`: the position in the stream is lost. The text names HTTP, TLS or other text |
//! | `TooManyMalformed` | more than `max_malformed` (1,000) PDUs could not be decoded, or were unknown commands |
//!
//! # What the peer says with a response
//!
//! A refusal keeps its response. Many SMSCs explain the status in the TLV `additional_status_info_text` (SMPP 3.4
//! §5.3.2.11), and add vendor TLVs, such as a price:
//!
//! ```no_run
//! use smpp_proto::SubmitSm;
//! use smpp_proto::tlv::Tag;
//! use smpp_tokio::{Client, RequestError};
//!
//! # async fn example(client: &Client, message: &SubmitSm<'_>) {
//! match client.submit(message).await {
//!     Ok(response) => println!("{}", response.message_id().escape_ascii()),
//!     Err(RequestError::Refused { status, response, .. }) => {
//!         println!("{status}; {:?}", response.additional_status_info_text());
//!         println!("vendor TLV: {:?}", response.tlv(Tag(0x1400)));
//!     }
//!     Err(error) => println!("{error}"),
//! }
//! # }
//! ```
//!
//! An account keeps the response of each segment. [`Sent::responses`](crate::account::Sent::responses) returns those of an
//! accepted message, one [`AcceptedResponse`](smpp_proto::session::AcceptedResponse) for each segment; they are also in
//! [`SegmentOutcome::Accepted`](smpp_proto::account::SegmentOutcome::Accepted). A response with nothing but the message id
//! costs no allocation; of one longer than 8,192 octets the body is not kept (`is_omitted`).
//!
//! ```no_run
//! use smpp_proto::tlv::Tag;
//!
//! # async fn example(account: &smpp_tokio::account::Account, message: &smpp_proto::account::Message) {
//! if let Ok(sent) = account.send(message).await {
//!     for (id, response) in sent.ids().iter().zip(sent.responses()) {
//!         println!("{id} costs {:?}", response.tlv(Tag(0x1400)));
//!     }
//! }
//! # }
//! ```
//!
//! For an account, [`SegmentOutcome::Refused`](smpp_proto::account::SegmentOutcome::Refused) has the same two fields, and so
//! have the error of a bind in [`LinkEvent::BindRefused`](smpp_proto::account::LinkEvent::BindRefused) and
//! [`AccountError::Refused`]. `Display` of each error shows the status by name and the text: at most 256 characters, with
//! control characters escaped. A response without a body costs no allocation; of one longer than 4,096 octets the body is not
//! kept.
//!
//! # Decision table: account
//!
//! [`Account::send`](crate::account::Account::send) returns `Result<Sent, SendError>`.
//!
//! | outcome | meaning | safe to resend? | what to do |
//! | --- | --- | --- | --- |
//! | `Ok(sent)` | every segment was accepted | no: it would be a second message | store `sent.ids()` |
//! | [`SendError::NotAccepted`]`(`[`SubmitError`]`)` | the account did not queue the message; nothing was sent | yes | table below |
//! | [`SendError::Failed`] | at least one segment was not accepted | only if [`MessageOutcome::is_safe_to_resend`] | look at each [`SegmentOutcome`] |
//! | [`SendError::DriverGone`] | the runtime that drives the account is gone | **no** | restart; treat as unanswered |
//! | later: `Arrival::LateOutcome { message, segment, outcome, .. }` with `Accepted { id, .. }` | accepted late: a segment that `SendError::Failed` reported as `Unanswered`; `message` is the number in `SendError::Failed` | no | store the id; its receipts are matched |
//! | later: the same with `Refused` or `Nacked` | refused late: nothing of this segment arrives | yes, if no other segment is `Accepted` or `Unanswered` | as for `Refused` |
//!
//! | [`SubmitError`] | meaning | what to do |
//! | --- | --- | --- |
//! | `Full` | the queue has no room now (`try_submit` only; `send` and `submit` wait) | wait for an outcome |
//! | `TooManySegments` | more segments than [`queue_capacity`](smpp_proto::account::Options::queue_capacity) | shorten it, or raise the capacity |
//! | `Text`, `Segments` | no alphabet fits, or more than 255 segments | fix the text or the options |
//! | `DataCoding(error)`, `Template(field)`, `SentAsItIs` | the template or the message states what cannot be sent: [`long_messages_and_encodings`](super::long_messages_and_encodings) | the text of the error says it |
//! | `Unsupported(command)` | the provider does not take data_sm, submit_multi, ... | send another operation, or add it to `session.operations` |
//! | `KeyTooLong` | the key of the message has more than 64 octets | shorten it |
//! | `ShutDown` | the account is shutting down | send it elsewhere, or later |
//! | `Stopped` | the SMSC rejected the credentials and no bind is left that could send, or it refused a message with a status that stops the account | `reconfigure` the account with correct ones, or `resume` it |
//!
//! | [`SegmentOutcome`] | safe to resend? | note |
//! | --- | --- | --- |
//! | `Accepted { id, bind, response }` | no | `bind` sent it; `response` has the TLVs: [what the peer says](#what-the-peer-says-with-a-response) |
//! | `Refused { status, response }`, `Nacked(status)` | yes | [what the peer says](#what-the-peer-says-with-a-response) |
//! | `NeverSent(reason)` | yes | `Expired` (the message's deadline), `Abandoned` (another segment failed), `Cancelled`, `ShutDown`, `Stopped`, `BindEnded` (the bind of [`Message::bind`](smpp_proto::account::Message::bind)), or `Request` (see `NotSentReason`) |
//! | `Unanswered(reason)` | **no: it may arrive twice** | the SMSC may respond late: `Arrival::LateOutcome` |
//!
//! ```no_run
//! use smpp_proto::account::{Message, SegmentOutcome};
//! use smpp_tokio::account::{Account, SendError};
//!
//! # async fn example(account: &Account, message: &Message) {
//! match account.send(message).await {
//!     Ok(sent) => println!("accepted as {:?}", sent.ids()),
//!     Err(SendError::Failed { outcome, .. }) if outcome.is_safe_to_resend() => match outcome.result() {
//!         Err(refused @ SegmentOutcome::Refused { .. }) => println!("do not repeat blindly: {refused}"),
//!         _ => println!("not sent: queue it again"),
//!     },
//!     Err(SendError::Failed { outcome, .. }) => {
//!         println!("perhaps sent; accepted segments: {:?}", outcome.ids().collect::<Vec<_>>());
//!     }
//!     Err(error) => println!("{error}"),
//! }
//! # }
//! ```
//!
//! A long message that was accepted in part cannot be resent in part: the account has no way to send single segments
//! again, and the recipient's phone joins only segments with the same reference number. Send the whole message again
//! (the accepted segments may arrive twice), or give it up.
//!
//! # Decision table: requests about a message
//!
//! [`query_sm`](crate::account::Account::query_sm), [`cancel_sm`](crate::account::Account::cancel_sm),
//! [`replace_sm`](crate::account::Account::replace_sm) and [`request`](crate::account::Account::request) of an account return
//! `Result<Response, MessageRequestError>`. The account sends such a request once.
//!
//! | [`MessageRequestError`](smpp_proto::account::MessageRequestError) | what to do |
//! | --- | --- |
//! | `Refused { status, response }`, `Nacked(status)` | the SMSC did nothing; it may know the message only on the bind that sent it: the account sends the request there while it tracks the receipts of the message; of a message without receipts name the bind, [`MessageRequest::bind`](smpp_proto::account::MessageRequest::bind) with [`Sent::binds`](crate::account::Sent::binds) |
//! | `NeverSent(reason)` | repeat it later: `Full`, `Expired`, `BindEnded`, `Withdrawn`, `ShutDown`, `Stopped`. With `Request(reason)` it fails again: the provider does not take the operation, for example |
//! | `Unanswered(reason)`, `DriverGone` | it may have taken effect: a `query_sm` says so |
//!
//! ```no_run
//! use smpp_proto::account::MessageRequestError;
//! use smpp_proto::{COctets, QuerySm};
//!
//! # async fn example(account: &smpp_tokio::account::Account, id: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
//! let query = QuerySm { message_id: COctets::new(id)?, ..QuerySm::default() };
//! match account.query_sm(&query).await {
//!     Ok(response) => println!("{:?}", response.query_sm_resp().map(|response| response.message_state)),
//!     Err(MessageRequestError::NeverSent(reason)) => println!("ask again later: {reason}"),
//!     Err(error) => println!("{error}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Retry with a limit
//!
//! The account retries `ESME_RTHROTTLED`, `ESME_RMSGQFUL` and others itself (see below). For what is left, retry only
//! temporary statuses, later, and not forever:
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use smpp_proto::CommandStatus;
//! use smpp_proto::account::{Message, SegmentOutcome};
//! use smpp_tokio::account::{Account, SendError, Sent};
//!
//! fn is_temporary(status: CommandStatus) -> bool {
//!     matches!(
//!         status,
//!         CommandStatus::RTHROTTLED
//!             | CommandStatus::RMSGQFUL
//!             | CommandStatus::RX_T_APPN
//!             | CommandStatus::RSYSERR
//!             | CommandStatus::RSUBMITFAIL
//!     )
//! }
//!
//! async fn send(account: &Account, message: &Message) -> Result<Sent, SendError> {
//!     let mut wait = Duration::from_secs(1);
//!     for _ in 0..4 {
//!         match account.send(message).await {
//!             Err(SendError::Failed { outcome, .. })
//!                 if outcome.is_safe_to_resend()
//!                     && matches!(outcome.result(), Err(SegmentOutcome::Refused { status, .. }) if is_temporary(*status)) => {}
//!             // Accepted, a lasting error, in doubt, or `SubmitError::ShutDown`: no retry.
//!             result => return result,
//!         }
//!         tokio::time::sleep(wait).await;
//!         wait *= 2;
//!     }
//!     account.send(message).await
//! }
//! ```
//!
//! # Errors of connecting and binding
//!
//! [`Connector::connect`](crate::Connector::connect) and [`Connector::bind`](crate::Connector::bind) fail with a
//! [`ConnectError`](crate::ConnectError). Its text says what failed, at which endpoint, and what to check.
//!
//! | [`ConnectErrorKind`](crate::ConnectErrorKind) | meaning |
//! | --- | --- |
//! | `Config(error)` | the configuration or the timeout of the connector cannot work, such as a window of 0; nothing was tried |
//! | `Resolve(error)` | the host name has no address |
//! | `Tls(error)` | there is no TLS configuration; nothing was tried |
//! | `Connect(attempts)` | no address accepted a TCP connection; each with the error of the operating system |
//! | `Handshake(address, error)` | TCP was accepted, TLS failed: see [`tls`](super::tls) |
//! | `Socket(error)` | the connection was made, but a socket option or the session's thread failed |
//! | `Bind(error)` | the SMSC refused the bind, or the bind was not sent |
//! | `BindUnanswered { received, .. }` | the bind has no response; `received` says what came instead |
//!
//! | [`ReceivedInstead`](crate::ReceivedInstead) | what to check |
//! | --- | --- |
//! | `Nothing` | the port, smpp or smpps, the IP allow-list |
//! | `Http` | the port: a web server, an HTTP API or a proxy answers there |
//! | `Tls` | connect by `smpps://` |
//! | `OtherProtocol`, `IncompletePdu` | the port |
//! | `InvalidLength` | whether the SMSC sends PDUs longer than `max_pdu` |
//! | `OtherPdus` | the bind mode; whether the SMSC echoes sequence number and command |
//!
//! An account reports the same in [`LinkEvent::BindRefused`](smpp_proto::account::LinkEvent::BindRefused), and failed
//! connections in [`LinkEvent::ConnectFailed`](smpp_proto::account::LinkEvent::ConnectFailed) with the error of the
//! operating system. A server names a client of another protocol in the text of [`AcceptError`](crate::AcceptError).
//!
//! # Errors of the start
//!
//! Starting an account fails with [`AccountError`]; the account is gone then.
//!
//! | [`AccountError`] | meaning | what to do |
//! | --- | --- | --- |
//! | `Url` | the URL is wrong | fix it |
//! | `Options(error)` | an option is missing, contradicts another one, or has a value with which nothing could work, such as `queue_capacity` 0 or an empty `text.alphabets`: the text names it | fix it |
//! | `Expect(error)` | the messages of [`AccountConnector::expect`](crate::account::AccountConnector::expect) are invalid, or have more segments than `receipts.capacity` | fix them, or raise the capacity |
//! | `Refused { endpoint, system_id, status, response, .. }` | the SMSC rejected the credentials | fix them; do not repeat, it may lock the account |
//! | `Untrusted(failure)` | every address was tried, and the certificate of the last one was rejected | see [`tls`](super::tls) |
//! | `Thread(error)` (only `smpp-std`) | the operating system cannot start a thread | check the limit on threads |
//! | `Timeout` | no bind within [`bind_timeout`](crate::account::AccountConnector::bind_timeout); `last` says what was in the way, `pending` what the account still waited for | network, allow-list, `ESME_RALYBND`: try again |
//!
//! # The cause of an error
//!
//! Every error that has a cause returns it: `source()` of the trait `Error`. The text of an error has the text of its cause, so that one line
//! of a log is enough; a reporter that prints the whole chain repeats it.
//!
//! ```
//! use std::error::Error;
//! use std::io;
//!
//! use smpp_tokio::ConnectError;
//!
//! /// Returns the error of the operating system.
//! fn os_error(error: &ConnectError) -> Option<&io::Error> {
//!     let mut causes = std::iter::successors(error.source(), |&cause| cause.source());
//!     causes.find_map(|cause| cause.downcast_ref())
//! }
//! ```
//!
//! # What the account retries by itself
//!
//! | event | what the account does |
//! | --- | --- |
//! | the session ended before the segment left (`NeverSent`) | sends it on another bind, or on the next one; no limit but the message's [`deadline`](smpp_proto::account::Message::deadline) |
//! | `ESME_RTHROTTLED` | pauses the bind for 1 s, sends the segment again in its old place, up to 10 times; after that `Refused` |
//! | `ESME_RMSGQFUL`, `ESME_RSYSERR`, `ESME_RX_T_APPN` | sends this message again after 1 s, up to 10, 3 and 3 times; after that `Refused`. Others are not delayed |
//! | `ESME_RINVBNDSTS` | sends the segment on another bind, up to 3 times; rebinds if the bind refuses two segments in a row |
//! | any other error status | reports `Refused` at once, abandons the unsent segments of the message |
//! | sent and unanswered | as [`UnansweredPolicy`] says |
//! | the bind is lost or refused | reconnects with back-off: [`reconnecting_and_throttling`](super::reconnecting_and_throttling) |
//!
//! [`Options::statuses`](smpp_proto::account::Options::statuses) changes what it does for a status, how often and after which
//! delay: [the table of
//! statuses](super::reconnecting_and_throttling#throttled-messages-esme_rthrottled-esme_rmsgqful-esme_rinvbndsts).
//!
//! [`UnansweredPolicy::Report`](smpp_proto::account::UnansweredPolicy::Report) is the default: the outcome is
//! `Unanswered` and you decide. [`UnansweredPolicy::Resend`](smpp_proto::account::UnansweredPolicy::Resend)`(n)` sends
//! the segment again up to `n` times: **it may arrive twice**. If none of them is accepted, the outcome stays
//! `Unanswered`, because the first may have been. Choose for each message:
//!
//! ```
//! use smpp_proto::SubmitSm;
//! use smpp_proto::account::{Message, UnansweredPolicy};
//!
//! let template = SubmitSm::default();
//! let code = Message::text(&template, "Your code is 123456").unanswered_policy(UnansweredPolicy::Resend(2));
//! let payment = Message::text(&template, "You paid 5 €").unanswered_policy(UnansweredPolicy::Report);
//! # let _ = (code, payment);
//! ```
//!
//! # command_status values worth knowing
//!
//! Names and values: SMPP 3.4 §5.1.3. "Retry" is advice for your own code; the last column is what an account does.
//!
//! | status | usual meaning | retry? | account |
//! | --- | --- | --- | --- |
//! | `ESME_RTHROTTLED` 0x58 | above the rate | later, slower | pauses the bind, retries; the session halves its rate for a while |
//! | `ESME_RMSGQFUL` 0x14 | the queue of the subscriber or of the SMSC is full | later | retries this message |
//! | `ESME_RINVBNDSTS` 0x04 | wrong state; often the SMSC has begun to close the bind. Some providers: invalid number | on another bind | retries there; rebinds if repeated |
//! | `ESME_RALYBND` 0x05 (to a bind) | too many binds; the SMSC may still count the old ones | with back-off | back-off, tries again |
//! | `ESME_RBINDFAIL` 0x0D (to a bind) | bind failed | with back-off | back-off, tries again |
//! | `ESME_RINVPASWD` 0x0E, `ESME_RINVSYSID` 0x0F, `ESME_RINVSYSTYP` 0x53, `ESME_RPROHIBITED` 0x101 (to a bind) | the account is not accepted | no: it may lock the account | stops until it is resumed or reconfigured; existing binds live on. If the SMSC has accepted the credentials before: back-off, tries again |
//! | any other status, or `generic_nack`, to a bind | | with back-off | back-off, tries again |
//! | `ESME_RSYSERR` 0x08 | fault inside the SMSC | a few times, later | retries 3 times |
//! | `ESME_RSUBMITFAIL` 0x45 | submit failed, no reason given | a few times, later | `Refused` |
//! | `ESME_RINVDSTADR` 0x0B, `ESME_RINVDSTTON` 0x50, `ESME_RINVDSTNPI` 0x51 | bad recipient | no | `Refused` |
//! | `ESME_RINVSRCADR` 0x0A, `ESME_RINVSRCTON` 0x48, `ESME_RINVSRCNPI` 0x49 | sender not allowed | no | `Refused` |
//! | `ESME_RINVMSGLEN` 0x01 | the text is too long for this SMSC | no | `Refused` |
//! | `ESME_RINVDCS` 0x104 | `data_coding` not accepted | no | `Refused` |
//! | `ESME_RX_T_APPN` 0x64 | temporary application error; the receiver of a `deliver_sm` asks for redelivery | later | retries 3 times; the account *sends* it for what it cannot take now |
//! | 0x400 to 0x4FF | the provider's own | ask the provider | `Refused` |
//!
//! `Display` of [`CommandStatus`](smpp_proto::CommandStatus) prints name, number and meaning.
//!
//! # Blocking crate
//!
//! `smpp-std` returns the same types. Its methods with a deadline add `DeadlineError`: `NeverSent` is safe to send
//! again, `InFlight` holds the `PendingResponse` to wait on. `send_until` of an account gives the `Ticket` back
//! instead.
//!
//! [`AccountError`]: crate::account::AccountError
//! [`AccountError::Refused`]: crate::account::AccountError::Refused
//! [`CloseReason`]: smpp_proto::session::CloseReason
//! [`MessageOutcome::is_safe_to_resend`]: smpp_proto::account::MessageOutcome::is_safe_to_resend
//! [`NotSentReason`]: crate::NotSentReason
//! [`RequestError::is_safe_to_resend`]: crate::RequestError::is_safe_to_resend
//! [`RequestError::Nacked`]: crate::RequestError::Nacked
//! [`RequestError::NeverSent`]: crate::RequestError::NeverSent
//! [`RequestError::Refused`]: crate::RequestError::Refused
//! [`RequestError::Unanswered`]: crate::RequestError::Unanswered
//! [`SegmentOutcome`]: smpp_proto::account::SegmentOutcome
//! [`SendError::DriverGone`]: crate::account::SendError::DriverGone
//! [`SendError::Failed`]: crate::account::SendError::Failed
//! [`SendError::NotAccepted`]: crate::account::SendError::NotAccepted
//! [`SendError::is_safe_to_resend`]: crate::account::SendError::is_safe_to_resend
//! [`SubmitError`]: smpp_proto::account::SubmitError
//! [`UnansweredPolicy`]: smpp_proto::account::UnansweredPolicy
//! [`UnansweredReason`]: smpp_proto::session::UnansweredReason
