//! How do I set the rate limit and the window, and what do they guarantee?
//!
//! **Short answer.** Set [`Config::rate`] to what the provider allows for one bind, and [`Config::window`] to at least
//! `rate × response time`. The session never sends more messages than the rate in any sliding second, and never has
//! more requests in flight than the window. [`Options::rate`] limits all binds of an account together. Calls above the
//! limits wait; they do not fail.
//!
//! ```
//! use smpp_proto::account::{Binds, Credentials, Options};
//! use smpp_proto::provider::Provider;
//! use smpp_proto::session::{Config, Rate};
//!
//! // One session.
//! let config = Config::default().window(32).rate(Rate::per_second(50));
//!
//! // An account: the limits hold for each bind, so two binds may send 100 messages a second.
//! let mut options = Options::new(Credentials::new("shop", "s3cret"), &Provider::UNSTATED);
//! options.max_binds = 2;
//! options.binds = Binds::transceivers(2);
//! options.session = config;
//! assert_eq!(options.check(), Ok(()));
//! ```
//!
//! A rate, a window or a `response_timeout` of 0 cannot work: [`Options::check`](smpp_proto::account::Options::check) and
//! [`Config::check`](smpp_proto::session::Config::check) say so, and accounts, connectors, and listeners that open a socket refuse it when they
//! start. With a transport or a socket of your own, call `check` yourself. For no rate limit state `None`.
//!
//! # Rate: messages a second
//!
//! [`Rate::per_second`]`(50)` sends at most 50 messages in *any* sliding second, not only in each calendar second, and
//! sustains 99.2 % of that. It is a token bucket (GCRA).
//!
//! Timers are late: tokio's by 1 to 2 ms, those of a busy machine by more. So each message has a turn, and may leave from 8 ms
//! before its turn on. A message that leaves late, but before its turn, does not delay the next ones. To keep the limit in
//! every sliding second, the turns are 1.008 s / `per_second` apart. What that means at different rates:
//!
//! | rate | turns apart | at once after a pause | leave together under load | timers a second |
//! | --- | --- | --- | --- | --- |
//! | 1 | 1.008 s | 1 | 1 | 1 |
//! | 50 | 20.16 ms | 1 | 1 | 50 |
//! | 200 | 5.04 ms | 2 | 1 | 198 |
//! | 1,000 | 1.008 ms | 8 | 2 or more | at most 496 |
//! | 5,000 | 0.2 ms | 40 | 10 or more | at most 496 |
//! | 50,000 | 20 us | 397 | 100 or more | at most 500 |
//!
//! Above 500 messages a second, the session waits up to 2 ms for messages to leave together: one timer and one write carry
//! those of 2 ms, and the cost of a message falls. A turn that comes more than 6 ms late, because the process did not get the
//! processor, loses the time beyond 6 ms.
//!
//! - It counts `submit_sm`, `deliver_sm`, `data_sm`, `submit_multi` and `broadcast_sm`; each segment of a long message
//!   counts. Binds, `query_sm`, `enquire_link` and responses do not count.
//! - A message counts when it is encoded. If the driver takes the octets later than the limit assumes, the next messages
//!   wait for longer. If the transport takes nothing for a while, encoded messages (at most `window`) leave together
//!   afterwards.
//! - The default is no limit. [`Provider::config`] and [`Options::new`] set the rate that the provider publishes.
//! - It is for each bind. For all binds together see [a rate for the whole account](#a-rate-for-the-whole-account).
//!
//! [`Rate::with_burst`] lets messages leave together after a pause. The sliding-second limit still holds, so a burst
//! lowers the sustained rate to `per_second - burst + 1`. Late timers use the burst as well, so it costs nothing beyond. A
//! burst that is no more than the messages of 8 ms changes nothing: they may leave at once by default.
//!
//! | rate | burst | sustained messages a second |
//! | --- | --- | --- |
//! | 50 | 1 (default) | 49.6 |
//! | 50 | 10 | 41 |
//! | 50 | 50 | 1 |
//! | 1,000 | 8 | 992 |
//! | 1,000 | 100 | 901 |
//!
//! # Window: requests in flight
//!
//! [`Config::window`] (default 16, at most 65,535) is the number of requests of yours that may be unanswered on one
//! bind. The session's own `enquire_link` and `unbind` do not count. Throughput is at most `window / response time`:
//!
//! | response time | window 1 | window 16 | window 64 |
//! | --- | --- | --- | --- |
//! | 10 ms | 100 messages a second | 1,600 | 6,400 |
//! | 100 ms | 10 | 160 | 640 |
//! | 500 ms | 2 | 32 | 128 |
//!
//! How to choose: take the provider's limit if it states one. Otherwise `rate × response time × 2`, at least 10. The
//! measured response time is in [`Stats::response_times`]:
//!
//! ```no_run
//! # fn example(client: &smpp_tokio::Client) {
//! let stats = client.stats();
//! println!("{} in flight, smoothed response time {:?}", stats.in_flight, stats.response_times.smoothed());
//! # }
//! ```
//!
//! With a larger window, more messages may be accepted without your knowing when a connection breaks.
//!
//! # How to keep the window full
//!
//! One task that awaits each message before the next has one request in flight, however large the window is. Run many:
//!
//! ```no_run
//! use smpp_proto::account::Message;
//! use smpp_tokio::account::Account;
//! use tokio::task::JoinSet;
//!
//! # async fn example(account: Account, messages: Vec<Message>) {
//! let mut outcomes = JoinSet::new();
//! for message in messages {
//!     // Waits while the queue is full, so the set stays bounded by `Options::queue_capacity`
//!     // plus the finished tasks that are not joined yet.
//!     let Ok(ticket) = account.submit(&message).await else { break };
//!     outcomes.spawn(ticket.outcome());
//!     while outcomes.try_join_next().is_some() {}
//! }
//! while outcomes.join_next().await.is_some() {}
//! # }
//! ```
//!
//! An account gives each message to the bind with the most free window that may send now. The segments of a long message
//! follow on the bind that sent the first, in order; [`Options::spread_segments`] sends them on all binds. A message that
//! waits for its bind does not stop others. Within one priority older messages go first; [`Priority::High`] goes before all
//! others. [`Message::in_order`] keeps the order for one destination, at the price of one response time for each message.
//!
//! # A rate for the whole account
//!
//! [`Config::rate`] limits each bind. If the provider limits the account, set [`Options::rate`] as well: all binds together
//! never send more than it in any sliding second, also across reconnects.
//!
//! ```
//! use smpp_proto::account::{Binds, Credentials, Options};
//! use smpp_proto::provider::Provider;
//! use smpp_proto::session::Rate;
//!
//! // 4 binds of at most 50 messages a second, together at most 120.
//! let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::EIGHT_BY_EIGHT)
//!     .binds(Binds::transceivers(4))
//!     .rate(Rate::per_second(120));
//! # let _ = options;
//! ```
//!
//! # submit_multi
//!
//! A `submit_multi` counts as many messages as it has destinations. It waits until the second before it has room for all of
//! them, and messages behind it wait for it. One with more destinations than the limit of a second is sent alone, after a
//! second without messages; the pause after it is longer.
//!
//! # When the SMSC says "slower"
//!
//! On `ESME_RTHROTTLED` the session halves its rate and recovers within 10 s:
//! [`reconnecting_and_throttling`](super::reconnecting_and_throttling). If you see it often, lower the rate by a few
//! percent.
//!
//! # Server side: enforce a rate
//!
//! [`ServerLimits::rate`] (or [`Admission::rate`] for one bind) makes a [`Server`](crate::Server) refuse messages above
//! the rate with `ESME_RTHROTTLED`, without asking the [`Service`](crate::Service), and report
//! [`ServerEvent::Throttled`](crate::ServerEvent::Throttled); [`ServerLimits::rate_status`](crate::ServerLimits::rate_status)
//! sets another status. [`ServerLimits::account_rate`](crate::ServerLimits::account_rate) limits all binds of an account
//! together. It counts with [`RateMeter`]: at most the limit in any 950 ms. The 50 ms are a grace for the network,
//! so that an ESME that keeps the limit exactly is never refused. Refused messages do not count. It allows a burst of the
//! whole limit at once. A `submit_multi` counts as many messages as it has destinations.
//!
//! ```
//! use core::time::Duration;
//! use smpp_proto::session::{Instant, Rate, RateMeter};
//!
//! let mut meter = RateMeter::new(Rate::per_second(2));
//! assert!(meter.take(Instant::ZERO).is_ok() && meter.take(Instant::ZERO).is_ok());
//! assert_eq!(meter.take(Instant::ZERO), Err(Instant::ZERO + Duration::from_millis(950)));
//! ```
//!
//! In the other direction [`Config::max_unanswered`](smpp_proto::session::Config::max_unanswered) bounds what the peer
//! may have in flight: [`backpressure`](super::backpressure).
//!
//! # Blocking crate
//!
//! `smpp-std` keeps the same rate and window; `submit` of a session blocks. To fill the window from one thread, use
//! `submit_pipelined`, or `Account::submit` and its `Ticket`s.
//!
//! [`Admission::rate`]: crate::Admission::rate
//! [`Config::rate`]: smpp_proto::session::Config::rate
//! [`Config::window`]: smpp_proto::session::Config::window
//! [`Message::in_order`]: smpp_proto::account::Message::in_order
//! [`Options::new`]: smpp_proto::account::Options::new
//! [`Options::rate`]: smpp_proto::account::Options::rate
//! [`Options::spread_segments`]: smpp_proto::account::Options::spread_segments
//! [`Priority::High`]: smpp_proto::account::Priority::High
//! [`Provider::config`]: smpp_proto::provider::Provider::config
//! [`RateMeter`]: smpp_proto::session::RateMeter
//! [`Rate::per_second`]: smpp_proto::session::Rate::per_second
//! [`Rate::with_burst`]: smpp_proto::session::Rate::with_burst
//! [`ServerLimits::rate`]: crate::ServerLimits::rate
//! [`Stats::response_times`]: smpp_proto::session::Stats::response_times
