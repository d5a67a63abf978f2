//! How do I test my program against an SMSC?
//!
//! **Short answer.** Inside a test start `smpp_tokio::testing::TestSmsc` (feature `testing`): one line, in memory or on a
//! free port, receipts included. The test asserts on its log, scripts answers, sends messages as a phone does, and breaks
//! connections. On your machine run `smpp smsc`. Both follow the rules of 8x8 unless you say otherwise. For an SMSC with rules
//! of your own put the simulator of `smpp-proto` behind a [`Server`](crate::Server).
//!
//! # An SMSC inside a test: the feature `testing`
//!
//! ```sh
//! cargo add --dev smpp-tokio --features testing
//! ```
//!
//! ```
//! # #[cfg(not(feature = "testing"))]
//! # fn main() {}
//! # #[cfg(feature = "testing")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use smpp_proto::account::{Credentials, Message, Options};
//! use smpp_proto::provider::Provider;
//! use smpp_proto::{Address, MessageState, RegisteredDelivery, SubmitSm};
//! use smpp_tokio::testing::TestSmsc;
//!
//! let smsc = TestSmsc::in_memory().await?;
//! let options = Options::new(Credentials::default(), &Provider::EIGHT_BY_EIGHT);
//! let (account, _arrivals) = smsc.account_connector(options).connect().await?;
//!
//! // Your program, which gets the account:
//! let template = SubmitSm {
//!     destination: Address::international("6591234567")?,
//!     registered_delivery: RegisteredDelivery::RECEIPT,
//!     ..SubmitSm::default()
//! };
//! let mut sent = account.send(&Message::text(&template, "Hello")).await?;
//! assert_eq!(sent.receipt().await?, MessageState::DELIVERED);
//!
//! // What the SMSC saw:
//! let message = smsc.next_message().await?;
//! assert_eq!((&*message.destination, message.text.as_deref()), ("6591234567", Some("Hello")));
//! assert_eq!(smsc.next_delivery().await?.state, Some(MessageState::DELIVERED));
//! # Ok(())
//! # }
//! ```
//!
//! | where | start | connect |
//! | --- | --- | --- |
//! | in memory, without a port | `TestSmsc::in_memory()` | `smsc.connector()`, `smsc.account_connector(options)`, or `smsc.dialer()` for a connector of your own |
//! | on a free port | `TestSmsc::start()` | the same, or `smsc.endpoint()`: address, system_id and password |
//! | with TLS, a certificate made at run time | `TestSmsc::builder().tls().start()` | the same, or `smsc.client_tls()` |
//! | with accounts, [`Rules`](smpp_proto::simulator::Rules), faults | `TestSmsc::builder().account("shop", "secret").start()` | the same |
//! | the same, in memory | `TestSmsc::builder().rules(rules).in_memory().start()` | the same |
//!
//! With tokio's paused clock (`#[tokio::test(start_paused = true)]`, feature `test-util`) use an SMSC in memory: timeouts of
//! your program and delays of the SMSC then cost no time. On a port the paused clock jumps while octets are on their way.
//!
//! `smsc.account_connector(options)` replaces the `system_id` and the `password` in the options by those of the SMSC's first account, as a URL
//! with credentials does: `Credentials::default()` will do. For another account use
//! `AccountConnector::new(&smsc.endpoint().system_id("other").password("s3cret"), options)` with the dialer of the SMSC if it is in memory, and
//! with `smsc.client_tls()` if it speaks TLS.
//!
//! Dropping the SMSC closes all connections. Any number of SMSCs run side by side in one process.
//!
//! ## What the SMSC received
//!
//! | to assert on | call |
//! | --- | --- |
//! | the next message, whole and decoded, or several | `next_message()`, `next_messages(3)` |
//! | the next bind, accepted or refused | `next_bind()` |
//! | the next message that was refused, with the status | `next_refusal()`: a pair |
//! | the next receipt or MO segment, and whether the program accepted it | `next_delivery()` |
//! | anything else | `wait_until(\|log\| ...)`, `messages()`, `log()` |
//!
//! Each waits, for 10 s unless `TestSmscBuilder::wait_limit` says otherwise, and returns each
//! entry once. The error of a wait that was in vain shows the log. So tests need no `sleep`.
//!
//! ## Answers of your choice
//!
//! ```
//! # #[cfg(not(feature = "testing"))]
//! # fn main() {}
//! # #[cfg(feature = "testing")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! use smpp_proto::{Address, CommandStatus, MessageState, SubmitSm};
//! use smpp_tokio::testing::{Answer, ResponseFault, TestSmsc, When};
//!
//! let smsc = TestSmsc::in_memory().await?;
//! smsc.script(When::next(), Answer::refuse(CommandStatus::RTHROTTLED));
//! smsc.script(When::every(10).to("+6591234567"), Answer::accept().receipt(MessageState::EXPIRED));
//! smsc.script(When::always().containing("slow"), Answer::accept().after(Duration::from_secs(3)));
//! smsc.script(When::nth(100), Answer::accept().fault(ResponseFault::Cut));
//!
//! let (client, _inbox) = smsc.connector().connect(&smsc.endpoint()).await?;
//! client.bind(&smsc.bind()).await?;
//! let message = SubmitSm { destination: Address::international("6591234567")?, ..SubmitSm::default() };
//! assert_eq!(client.submit(&message).await.unwrap_err().status(), Some(CommandStatus::RTHROTTLED));
//! assert!(client.submit(&message).await.is_ok());
//! # Ok(())
//! # }
//! ```
//!
//! | to test | answer or fault |
//! | --- | --- |
//! | throttling, a full queue, any status | `Answer::refuse(CommandStatus::RTHROTTLED)` |
//! | a slow response; none | `Answer::accept().after(..)`; `Answer::never()` |
//! | responses out of order | `ResponseFault::AfterNext`; all of them: `Faults::default().reorder(true)` |
//! | a receipt that matches no message | `Answer::accept().message_id("other")` |
//! | another sequence number | `ResponseFault::WrongSequence` |
//! | a state in the receipt; no receipt | `Answer::accept().receipt(MessageState::EXPIRED)`; `.no_receipt()` |
//! | a connection that ends inside a PDU; a reset | `ResponseFault::Cut`; `ResponseFault::Reset` |
//! | octets that are wrong | `ResponseFault::CorruptLength`, `ResponseFault::CorruptBody` |
//! | half-close | `ResponseFault::HalfClose` |
//! | all connections end now | `smsc.end_connections(StreamEnd::Reset)`, `Close`, `HalfClose` |
//! | an SMSC that hangs | `smsc.set_faults(Faults::default().silent(true))` |
//! | PDUs in pieces; many in one packet | `Faults::default().max_write(1)`; `Faults::default().coalesce(true)` |
//! | binds that are refused | `Faults::default().refuse_binds(CommandStatus::RBINDFAIL)` |
//! | a share of messages unanswered, or answered by a reset | `Faults::default().drop_percent(5).reset_percent(1)` |
//! | a share of responses that are wrong, cut, or followed by a half-close | `Faults::default().wrong_sequence_percent(1).cut_percent(1).corrupt_length_percent(1).corrupt_body_percent(1).half_close_percent(1)` |
//! | an SMSC that does not respond to `unbind` | `Faults::default().no_unbind_resp(true)` |
//! | failed deliveries | `Rules::default().states("DELIVRD=90,UNDELIV=10".parse()?)` |
//! | receipts that come late | `Rules::default().receipt_delay(Duration::from_secs(60))` |
//! | receipts before the `submit_sm_resp`, or none | `Rules::default().receipt_timing(ReceiptTiming::BeforeResponse)`, `ReceiptTiming::Never` |
//! | a rate limit; a share of messages throttled | `Rules::default().rate(rate)`; `Rules::default().throttled_percent(20)` |
//! | `ESME_RALYBND` | `Rules::default().max_binds(1)` |
//! | an SMSC with ways of its own | `Rules::default().dialect("ids=hex,text-ids=dec10,segments=last".parse()?)` |
//! | reconnect | drop the SMSC and start another one on the same port, or `end_connections` |
//!
//! The module `testing` re-exports all these types. `start`, `set_faults` and `change_rules` refuse values that cannot work, with the name of the
//! field: a percentage above 100, a rate of 0.
//!
//! `set_faults`, `script` and `change_rules` work while clients are bound. `TestSmscBuilder::observe` shows a test every PDU.
//!
//! ## Messages of phones
//!
//! ```
//! # #[cfg(not(feature = "testing"))]
//! # fn main() {}
//! # #[cfg(feature = "testing")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use smpp_proto::account::{Credentials, Options};
//! use smpp_proto::provider::Provider;
//! use smpp_tokio::account::Arrival;
//! use smpp_tokio::testing::{MoMessage, MoSegmentation, TestSmsc};
//!
//! let smsc = TestSmsc::in_memory().await?;
//! let options = Options::new(Credentials::default(), &Provider::EIGHT_BY_EIGHT);
//! let (_account, mut arrivals) = smsc.account_connector(options).connect().await?;
//! // Your program, which accepts what arrives:
//! let program = tokio::spawn(async move {
//!     let mut texts = Vec::new();
//!     while texts.len() < 2 {
//!         if let Some(Arrival::Message(message)) = arrivals.recv().await {
//!             texts.extend(message.get().text());
//!             message.accept().unwrap();
//!         }
//!     }
//!     texts
//! });
//! // Returns when the program has accepted all segments.
//! smsc.deliver("+6591234567", "8888", "STOP").await?;
//! let long = "一条很长的短信".repeat(40);
//! let message = MoMessage::new("+6591234567", "8888", &long);
//! smsc.deliver_message(&message.segmentation(MoSegmentation::Sar)).await?;
//! assert_eq!(program.await?, ["STOP".to_string(), long]);
//! # Ok(())
//! # }
//! ```
//!
//! If the account has no bind that receives, `deliver` waits for one: a test may call it before its program has bound. After the wait limit
//! the error is `DeliverError::NoBind`, with the account and the log; the message still waits for a bind. `DeliverError::Timeout` says that the
//! program has a bind and has not responded.
//!
//! A message that the program refuses is an error of `deliver`, and is not sent again. `smsc.originate(...)` queues a message
//! without waiting, and sends it again until it is accepted.
//!
//! ## Reproducible tests
//!
//! The same rules and calls give the same decisions: the seed is part of the rules. It also gives the same message ids, so an
//! SMSC that is started again with the same seed repeats them. A program that stores ids in a database needs another seed
//! each time: `smpp smsc` draws one unless `--seed` is given.
//!
//! `TestSmsc` answers `query_sm`, `cancel_sm` and `replace_sm` about the messages that it has accepted. A
//! [`Service`](crate::Service) of your own asks the simulator: `Simulator::query`, `cancel` and `replace`. Otherwise it refuses
//! them (`ESME_RQUERYFAIL` and the like).
//!
//! # An SMSC on your machine
//!
//! ```sh
//! cargo run --bin smpp -- smsc --listen 127.0.0.1:2775 --account shop:s3cret
//! ```
//!
//! Connect any client to `smpp://shop:s3cret@127.0.0.1:2775`. Defaults: four binds for an account, 50 messages a second
//! for a bind, receipts `DELIVRD` after 500 ms on any bind.
//!
//! | to test | add |
//! | --- | --- |
//! | failed deliveries | `--receipts DELIVRD=90,UNDELIV=10` |
//! | receipts before the `submit_sm_resp` | `--receipt-delay before-response` |
//! | MO messages, also long ones | `--mo shop --mo-text "..." --mo-count 10` |
//! | throttling | `--rate 10`, or `--fault throttle=20` (percent) |
//! | slow responses; responses in another order | `--fault slow=200` (ms); `--fault reorder` |
//! | unanswered messages; reset connections | `--fault drop=5`; `--fault reset=1` (percent) |
//! | an SMSC that does not respond to `unbind` | `--fault no-unbind-resp` |
//! | many PDUs in one packet | `--fault coalesce` |
//! | an SMSC with ways of its own | `--dialect NAME=VALUE`, several times: the next section |
//! | TLS | `--tls-listen 127.0.0.1:2776 --tls-ca ca.pem` |
//! | a script that reads events | `--json` |
//! | by hand, in a browser | `--web 127.0.0.1:8080` |
//!
//! # See what your program sends, in a browser
//!
//! ```sh
//! cargo run --bin smpp -- smsc --account shop:s3cret --web 127.0.0.1:8080
//! ```
//!
//! The page lists binds, and messages and receipts as they arrive, with search, and shows each PDU field by field with its
//! deviations from SMPP 3.4 and without passwords. It plots rates and response times, sends messages from a phone, switches
//! faults and receipt states while clients are bound, and offers a capture (pcap) to download. `smpp decode FILE.pcap --web`
//! opens a capture in the same page. Other machines can use the page only with `--web-remote` and the token in the URL that
//! the command prints.
//!
//! # Dialects: what SMSCs do differently
//!
//! [`Dialect`](smpp_proto::simulator::Dialect) holds what SMSCs do in their own way and few manuals state. By default the test
//! SMSC is plain. `smpp smsc --dialect NAME=VALUE` sets the same properties as the fields; so does
//! [`Dialect::set`](smpp_proto::simulator::Dialect::set).
//!
//! | to test | setting of the dialect |
//! | --- | --- |
//! | ids in several notations: hexadecimal in responses, decimal in receipts | `ids=hex`, `text-ids=dec12`, `tlv-ids=HEX10` |
//! | receipts in TLVs, in the text, or in both | `receipt=tlvs`, `receipt=text`, `receipt=text+tlvs` |
//! | one receipt for a long message, or one id for all its segments | `segments=first`, `last`, `shared`, `shared-once` |
//! | receipts with another `esm_class`, or with a NUL first | `esm-class=0x24`, `leading-nul=yes` |
//! | a state before the final one, another one after it | `intermediate=ENROUTE`, `correction=DELIVRD` |
//! | dates in another time zone | `utc-offset=+05:30` |
//! | receipts and segments on several binds, or one at a time | `route=in-turn`, `route=submitting`, `one-at-a-time=yes` |
//! | TLVs that are refused, or given back; TLVs in responses | `tlvs=ROPTPARNOTALLWD`, `tlvs=echo`, `response-tlv=0x1400:3031` |
//! | other statuses at the limits of binds, rate and window | `bind-status=RBINDFAIL`, `rate-status=RMSGQFUL`, `window=4`, `window-status=RSYSERR` |
//! | a subscriber whose queue is full | `refuse=6591234567:RMSGQFUL` |
//! | an SMSC that states another version, or none | `version=3.3`, `version=none` |
//! | another alphabet for `data_coding` 0, and messages to oneself that come back | `alphabet=latin1`, `echo=default`, `echo=ucs2` |
//! | an SMSC that ends idle binds | `idle=30000` (milliseconds) |
//!
//! `smpp probe` works the other way round: it finds out which of these a provider does, and writes a
//! [`Provider`](smpp_proto::provider::Provider).
//!
//! # An SMSC with rules of your own
//!
//! [`Simulator`](smpp_proto::simulator::Simulator) decides how the SMSC responds and when receipts are due. This server
//! uses it for messages, and leaves everything else to you: change `bind`, `request` or `deliver` to play the SMSC that
//! your program must survive.
//!
//! ```
//! use std::collections::HashMap;
//! use std::sync::{Arc, Mutex};
//! use std::time::Duration;
//!
//! use smpp_proto::account::{Credentials, Message, Options};
//! use smpp_proto::provider::Provider;
//! use smpp_proto::session::{Config, Instant, Smsc};
//! use smpp_proto::simulator::{self, Rules, Simulator};
//! use smpp_proto::{Address, COctets, CommandStatus, MessageState, RegisteredDelivery, SubmitSm, SubmitSmResp};
//! use smpp_tokio::account::Account;
//! use smpp_tokio::{
//!     Admission, BindId, BindRegistry, BindRequest, BoundSession, Inbound, Listener, Server, ServerEvent, Service,
//! };
//!
//! struct Simulated {
//!     start: tokio::time::Instant,
//!     simulator: Mutex<Simulator>,
//!     binds: Mutex<HashMap<BindId, simulator::SimulatedBind>>,
//! }
//!
//! impl Simulated {
//!     fn now(&self) -> Instant {
//!         Instant::after(self.start.elapsed())
//!     }
//!
//!     /// Delivers receipts when they are due.
//!     async fn deliver(self: Arc<Self>, binds: BindRegistry) {
//!         loop {
//!             tokio::time::sleep(Duration::from_millis(5)).await;
//!             loop {
//!                 let next = self.simulator.lock().unwrap().poll_delivery(self.now());
//!                 let Some(delivery) = next else { break };
//!                 if binds.deliver(delivery.system_id.as_bytes(), &delivery.deliver_sm()).await.is_err() {
//!                     self.simulator.lock().unwrap().redeliver(self.now(), delivery);
//!                 }
//!             }
//!         }
//!     }
//! }
//!
//! impl Service for Simulated {
//!     async fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
//!         self.simulator.lock().unwrap().authenticate(&request.bind())?;
//!         Ok(Admission::default())
//!     }
//!
//!     async fn request(&self, bound: &BoundSession, request: Inbound<Smsc>) {
//!         let Inbound::SubmitSm(message) = request else { return };
//!         let Some(bind) = self.binds.lock().unwrap().get(&bound.id()).copied() else { return };
//!         let response = self.simulator.lock().unwrap().submit(self.now(), bind, &message.get());
//!         let response = response.as_deref().map_err(|status| *status).map(|id| SubmitSmResp {
//!             message_id: COctets::new(id.as_bytes()).unwrap_or_default(),
//!             ..SubmitSmResp::default()
//!         });
//!         let _ = message.respond(response);
//!     }
//!
//!     fn event(&self, event: ServerEvent<'_>) {
//!         let mut binds = self.binds.lock().unwrap();
//!         match event {
//!             ServerEvent::Bound(bound) => {
//!                 let id = self.simulator.lock().unwrap().admit(bound.system_id(), bound.mode());
//!                 binds.extend(id.map(|id| (bound.id(), id)));
//!             }
//!             ServerEvent::Ended { bound, .. } => {
//!                 if let Some(id) = binds.remove(&bound.id()) {
//!                     self.simulator.lock().unwrap().release(id);
//!                 }
//!             }
//!             _ => {}
//!         }
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let rules = Rules::default().receipt_delay(Duration::from_millis(20));
//!     let mut simulator = Simulator::new(rules);
//!     simulator.add_account("shop", "s3cret");
//!     let smsc = Arc::new(Simulated {
//!         start: tokio::time::Instant::now(),
//!         simulator: Mutex::new(simulator),
//!         binds: Mutex::default(),
//!     });
//!     let listener = Listener::bind("127.0.0.1:0", Config::default()).await?;
//!     let server = Server::builder(Arc::clone(&smsc)).listen(listener).start()?;
//!     tokio::spawn(smsc.deliver(server.binds().clone()));
//!     let url = format!("smpp://{}", server.local_addrs()[0]);
//!
//!     // From here on: your program under test.
//!     let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::EIGHT_BY_EIGHT);
//!     let (account, _arrivals) = Account::connect(&url, options).await?;
//!     let template = SubmitSm {
//!         destination: Address::international("6591234567")?,
//!         registered_delivery: RegisteredDelivery::RECEIPT,
//!         ..SubmitSm::default()
//!     };
//!     let mut sent = account.send(&Message::text(&template, "Hello")).await?;
//!     assert_eq!(sent.receipt().await?, MessageState::DELIVERED);
//!     assert!(account.shutdown(Duration::from_secs(1)).await.is_empty());
//!     Ok(())
//! }
//! ```
//!
//! [`Service::transport`](crate::Service::transport) can wrap the stream to test slow or broken networks.
//!
//! # Both ends in memory, with simulated time
//!
//! [`start`](crate::start) runs a session over any stream. With `tokio::io::duplex` no socket is needed, and with
//! tokio's paused clock (feature `test-util`) timeouts cost no time:
//!
//! ```
//! use smpp_proto::session::{Config, Esme, Smsc};
//! use smpp_proto::{Bind, BindResp, CommandStatus, SubmitSm};
//! use smpp_tokio::{Inbound, RequestError, start};
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let (near, far) = tokio::io::duplex(64 * 1024);
//!     let (client, _inbox) = start::<Esme, _>(near, Config::default());
//!     let (_peer, mut inbox) = start::<Smsc, _>(far, Config::default());
//!     tokio::spawn(async move {
//!         while let Some(request) = inbox.recv().await {
//!             match request {
//!                 Inbound::Bind(bind) => drop(bind.respond(Ok(BindResp::default()))),
//!                 Inbound::SubmitSm(message) => drop(message.refuse(CommandStatus::RINVDSTADR)),
//!                 _ => {}
//!             }
//!         }
//!     });
//!     client.bind(&Bind::default()).await?;
//!     let refused = client.submit(&SubmitSm::default()).await;
//!     assert!(matches!(refused, Err(RequestError::Refused { status: CommandStatus::RINVDSTADR, .. })));
//!     Ok(())
//! }
//! ```
//!
//! # Without I/O
//!
//! [`smpp_proto::session::Session`] and [`smpp_proto::account::Account`] have no clock and no sockets: tests pass octets
//! and time, and are deterministic. See [`embedding_the_core`](super::embedding_the_core).
//!
//! # Blocking crate
//!
//! `smpp_std::testing::TestSmsc` (feature `testing`) is for blocking programs. Its names are the same, without `async`, except:
//!
//! | | `smpp_tokio` | `smpp_std` |
//! | --- | --- | --- |
//! | methods that wait | `async` | block the thread |
//! | `TestSmsc::in_memory` | works on paused time | a socket pair for each connection, real time |
//! | `TestSmsc::shutdown` | yes | no: drop it, which aborts the sessions |
//! | `TestSmsc::local_addrs`, `TestSmscBuilder::listen` | any number of listeners | no: one free port, `TestSmsc::local_addr` |
//! | `TestSmscBuilder::max_connections` | yes, 1,000 by default | no: 1,000 |
//! | `TestSmscBuilder::subscribe` and `TestSmscEvent`, `observe` | yes | no: use the log, or a `Server` of your own |
