//! I know cloudhopper-smpp, jSMPP, node-smpp or Kannel. What is the same thing called here?
//!
//! **Short answer.** A cloudhopper or node-smpp session is a [`Client`] with an [`Inbox`]. What your program built
//! around it (reconnect, several binds, rate limit, long messages, receipt matching) is an [`Account`]. Kannel's `group
//! = smsc` is an [`Account`] with its [`Options`].
//!
//! # What is different everywhere
//!
//! | elsewhere | here |
//! | --- | --- |
//! | an error or a timeout after a submit: unknown state | four outcomes: refused, not understood, never sent, unanswered. [`errors_and_retries`](super::errors_and_retries) |
//! | `enquire_link` is a timer of your program | the session sends it after 20 s of silence, and responds to it |
//! | window of 1, or no window | window of 16, with backpressure: [`Config::window`] |
//! | one session, reconnect loop of your own | an account keeps its binds |
//! | `deliver_sm` gets its response when the handler returns | you call `accept()`, when it is stored |
//! | texts are bytes plus `data_coding` that you choose | [`Message::text`] chooses; [`long_messages_and_encodings`](super::long_messages_and_encodings) |
//!
//! # cloudhopper-smpp (Java)
//!
//! | cloudhopper | here |
//! | --- | --- |
//! | `SmppSessionConfiguration` | [`Config`], [`Endpoint`], [`Bind`]; for an account [`Options`] |
//! | `setHost`, `setPort`, `setUseSsl` | [`Endpoint`]: `smpps://host:port` |
//! | `setSystemId`, `setPassword`, `setSystemType`, `setAddressRange` | [`Credentials`], or fields of [`Bind`] |
//! | `setType(SmppBindType.TRANSCEIVER)` | [`Binds::transceivers`], or `mode` of [`Bind`] |
//! | `setWindowSize` | [`Config::window`] |
//! | `setRequestExpiryTimeout` | [`Config::response_timeout`] |
//! | `setWindowWaitTimeout` | `tokio::time::timeout` around `submit`; [`Message::deadline`] |
//! | `setConnectTimeout` | [`Connector::timeout`](crate::Connector::timeout), [`Options::connect_timeout`](smpp_proto::account::Options::connect_timeout) |
//! | `setBindTimeout` | [`Config::response_timeout`]; for an account also [`AccountConnector::bind_timeout`](crate::account::AccountConnector::bind_timeout) |
//! | `setCountersEnabled`, `getCounters` | always on: [`Handle::stats`](crate::Handle::stats) |
//! | `getLoggingOptions().setLogBytes(true)` | [`Handle::observe`](crate::Handle::observe) |
//! | `DefaultSmppClient.bind(configuration, handler)` | [`Connector::connect`](crate::Connector::connect), then `client.bind(...)` |
//! | `session.submit(submitSm, timeout)` | `client.submit(&submit_sm).await` |
//! | `session.sendRequestPdu(pdu, timeout, false)`, `WindowFuture` | any number of futures of `client.submit`; a [`Ticket`](crate::account::Ticket) of an account |
//! | `session.unbind(timeout)`, `session.destroy()` | [`Handle::unbind`](crate::Handle::unbind), [`Handle::abort`](crate::Handle::abort) |
//! | `SmppSessionHandler.firePduRequestReceived` | [`Inbox::recv`](crate::Inbox::recv), or [`Arrivals::recv`](crate::account::Arrivals::recv) |
//! | `fireExpectedPduResponseReceived` | the value of `client.submit(...).await` |
//! | `fireUnexpectedPduResponseReceived` | counted: `Stats::unexpected_responses` |
//! | `firePduRequestExpired` | `Err(RequestError::Unanswered(Timeout))` |
//! | `fireChannelUnexpectedlyClosed` | [`Handle::closed`](crate::Handle::closed) returns [`End`](crate::End); an account reconnects |
//! | `SmppTimeoutException`, `SmppChannelException` | [`RequestError::Unanswered`](crate::RequestError::Unanswered), [`RequestError::NeverSent`](crate::RequestError::NeverSent), [`ConnectError`](crate::ConnectError) |
//! | `CharsetUtil.encode(text, CHARSET_GSM)` | [`Text::gsm7`](smpp_proto::sms::Text::gsm7), or [`Message::text`] |
//! | `GsmUtil.createConcatenatedBinaryShortMessages` | [`Text::segments`](smpp_proto::sms::Text::segments) |
//! | `DeliveryReceipt.parseShortMessage` | [`Receipt::of`](smpp_proto::sms::Receipt::of) |
//! | `DefaultSmppServer`, `SmppServerHandler.sessionBindRequested` | [`Server`](crate::Server), [`Service::bind`](crate::Service::bind) |
//! | `SmppServerConfiguration.setMaxConnectionSize` | [`ServerLimits::connections`](crate::ServerLimits::connections) |
//!
//! # jSMPP (Java)
//!
//! | jSMPP | here |
//! | --- | --- |
//! | `SMPPSession` | [`Client`] with [`Inbox`] |
//! | `connectAndBind(host, port, BindParameter)` | [`Connector::connect`](crate::Connector::connect), `client.bind(...)` |
//! | `submitShortMessage(...)` | `client.submit(&SubmitSm { .. }).await` |
//! | `setEnquireLinkTimer` | [`Config::enquire_link_interval`] |
//! | `setTransactionTimer` | [`Config::response_timeout`] |
//! | `setPduProcessorDegree` | none: read the [`Inbox`] and spawn tasks. Bound: [`Config::max_unanswered`] |
//! | `MessageReceiverListener.onAcceptDeliverSm` | [`Inbound::DeliverSm`](crate::Inbound::DeliverSm) from the inbox |
//! | throwing `ProcessRequestException` in a listener | `message.refuse(status)` |
//! | `deliverSm.getShortMessageAsDeliveryReceipt()` | [`Receipt::of`](smpp_proto::sms::Receipt::of) |
//! | `SessionStateListener.onStateChange` | [`Handle::state`](crate::Handle::state), [`Handle::closed`](crate::Handle::closed) |
//! | `NegativeResponseException` | [`RequestError::Refused`](crate::RequestError::Refused) |
//! | `ResponseTimeoutException` | [`RequestError::Unanswered`](crate::RequestError::Unanswered) |
//! | `unbindAndClose()` | [`Handle::unbind`](crate::Handle::unbind) |
//! | `SMPPServerSessionListener`, `ServerMessageReceiverListener` | [`Listener`](crate::Listener), [`Service`](crate::Service) |
//!
//! # node-smpp (JavaScript)
//!
//! | node-smpp | here |
//! | --- | --- |
//! | `smpp.connect({ url: "ssmpp://host:2775" })` | [`Endpoint`] `smpps://host:2775`, [`Connector::connect`](crate::Connector::connect) |
//! | `auto_enquire_link_period: 10000` | [`Config::enquire_link_interval`] (it counts from the peer's last PDU) |
//! | `session.bind_transceiver({ system_id, password }, callback)` | `client.bind(&Bind { system_id, password, .. }).await` |
//! | `session.submit_sm({...}, pdu => pdu.command_status)` | `client.submit(...).await`: `Err(RequestError::Refused { status, .. })` unless `ESME_ROK` |
//! | `pdu.message_id` | `response.message_id()` |
//! | `session.on("deliver_sm", pdu => session.send(pdu.response()))` | `inbox.recv()`, `message.accept()` |
//! | `pdu.response({ command_status })` | `message.refuse(status)` |
//! | `short_message: "text"` | [`Message::text`]; `short_message` of [`SubmitSm`](smpp_proto::SubmitSm) is octets |
//! | `short_message: { udh, message }` | [`Text::with_header`](smpp_proto::sms::Text::with_header); long texts are split for you |
//! | `session.on("close")`, `session.on("error")` | [`Handle::closed`](crate::Handle::closed) |
//! | `session.pause()`, `session.resume()` | stop reading the [`Inbox`]; at [`Config::max_unanswered`] the session stops reading |
//! | `session.unbind()`, `session.close()` | [`Handle::unbind`](crate::Handle::unbind), [`Handle::abort`](crate::Handle::abort) |
//! | `smpp.createServer(session => ...)` | [`Server`](crate::Server), [`Service`](crate::Service) |
//!
//! # Kannel (`group = smsc`, `smsc = smpp`)
//!
//! Kannel is a gateway program, this is a library: HTTP, routing and storage of DLRs are yours.
//!
//! | Kannel | here |
//! | --- | --- |
//! | `smsc-id` | a variable that holds the [`Account`]; the label given to `metrics::publish_account` |
//! | `host`, `port`, `use-ssl` | [`Endpoint`] |
//! | `smsc-username`, `smsc-password`, `system-type`, `address-range`, `bind-addr-ton`, `bind-addr-npi` | [`Credentials`] |
//! | `interface-version` | [`Options::interface_version`](smpp_proto::account::Options::interface_version) |
//! | `transceiver-mode = true` | [`Binds::transceivers`]; otherwise [`Binds::pairs`] |
//! | `max-pending-submits` | [`Config::window`] |
//! | `throughput` | [`Config::rate`], for each bind; [`Options::rate`](smpp_proto::account::Options::rate), for all together |
//! | `enquire-link-interval` | [`Config::enquire_link_interval`] |
//! | `reconnect-delay` | [`Options::backoff`](smpp_proto::account::Options::backoff): grows, with a random part |
//! | `wait-ack`, `wait-ack-expire` | [`Config::response_timeout`], [`UnansweredPolicy`](smpp_proto::account::UnansweredPolicy) |
//! | `connection-timeout` | [`Config::enquire_link_interval`] plus [`Config::response_timeout`] |
//! | `msg-id-type` | [`MessageIdPolicy`](smpp_proto::sms::MessageIdPolicy), below |
//! | `alt-charset` | [`Codings`](smpp_proto::sms::Codings) in [`Options::text`](smpp_proto::account::Options::text) |
//! | `alt-dcs` | [`Message::class`](smpp_proto::account::Message::class), or [`Text::with_data_coding`](smpp_proto::sms::Text::with_data_coding) with [`Message::prepared`](smpp_proto::account::Message::prepared) |
//! | `dlr-mask` of a message | [`RegisteredDelivery`](smpp_proto::RegisteredDelivery) of its template |
//! | `dlr-url`, `dlr-storage` | [`Sent::receipt`](crate::account::Sent::receipt), [`Arrivals`](crate::account::Arrivals), your database |
//!
//! | `msg-id-type` | `submit_sm_resp` | `deliver_sm` | policy |
//! | --- | --- | --- | --- |
//! | `0x00` | decimal | decimal | [`IGNORE_LEADING_ZEROS`](smpp_proto::sms::MessageIdPolicy::IGNORE_LEADING_ZEROS) |
//! | `0x01` | hexadecimal | decimal | [`HEXADECIMAL_TO_DECIMAL`](smpp_proto::sms::MessageIdPolicy::HEXADECIMAL_TO_DECIMAL) |
//! | `0x02` | decimal | hexadecimal | [`DECIMAL_TO_HEXADECIMAL`](smpp_proto::sms::MessageIdPolicy::DECIMAL_TO_HEXADECIMAL) |
//! | `0x03` | hexadecimal | hexadecimal | a [`MessageIdPolicy`](smpp_proto::sms::MessageIdPolicy) with numbers that are hexadecimal on both sides |
//!
//! A `group = smsc` as a program:
//!
//! ```
//! use std::time::Duration;
//!
//! use smpp_proto::account::{Backoff, Binds, Credentials, Options};
//! use smpp_proto::provider::Provider;
//! use smpp_proto::session::{Config, Rate};
//!
//! let credentials = Credentials::new("shop", "s3cret").system_type("VMA");
//! let mut options = Options::new(credentials, &Provider::UNSTATED);
//! options.binds = Binds::transceivers(1); // transceiver-mode = true
//! options.session = options.session
//!     .window(10) // max-pending-submits = 10
//!     .rate(Rate::per_second(50)) // throughput = 50
//!     .enquire_link_interval(Duration::from_secs(30)) // enquire-link-interval = 30
//!     .response_timeout(Duration::from_secs(60)); // wait-ack = 60
//! options.backoff = Backoff::default().initial(Duration::from_secs(10)); // reconnect-delay = 10
//! assert_eq!(options.check(), Ok(()));
//! ```
//!
//! [`Account`]: crate::account::Account
//! [`Bind`]: smpp_proto::Bind
//! [`Binds::pairs`]: smpp_proto::account::Binds::pairs
//! [`Binds::transceivers`]: smpp_proto::account::Binds::transceivers
//! [`Client`]: crate::Client
//! [`Config`]: smpp_proto::session::Config
//! [`Config::enquire_link_interval`]: smpp_proto::session::Config::enquire_link_interval
//! [`Config::max_unanswered`]: smpp_proto::session::Config::max_unanswered
//! [`Config::rate`]: smpp_proto::session::Config::rate
//! [`Config::response_timeout`]: smpp_proto::session::Config::response_timeout
//! [`Config::window`]: smpp_proto::session::Config::window
//! [`Credentials`]: smpp_proto::account::Credentials
//! [`Endpoint`]: smpp_proto::Endpoint
//! [`Inbox`]: crate::Inbox
//! [`Message::deadline`]: smpp_proto::account::Message::deadline
//! [`Message::text`]: smpp_proto::account::Message::text
//! [`Options`]: smpp_proto::account::Options
