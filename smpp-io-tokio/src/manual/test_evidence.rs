//! What is tested, and how do I run those tests myself?
//!
//! **Short answer.** `cargo test --workspace --features full` runs everything that needs only Rust and a C compiler, but few
//! random scenarios; `.ci/run` runs everything. The tests compare with tables written from the specification, with other
//! SMPP software, with simple models, and with thousands of random scenarios over faulty links, each of which can be
//! replayed by its seed.
//!
//! # Protocol: encoding and decoding
//!
//! | what is tested | command |
//! | --- | --- |
//! | 173 PDUs and streams, written from the specifications and checked with other decoders: every field, octet for octet, both ways; malformed PDUs with the kind of error and the response | `cargo test -p smpp-proto --test integration vectors::` |
//! | every tag, enumeration and status of the specifications against tables | `cargo test -p smpp-proto --test integration tables::` |
//! | each known deviation of real peers: read and reported, or refused with field, position and status | `cargo test -p smpp-proto --test integration tolerance::` |
//! | any valid PDU survives encode and decode; any octets are decoded within their frame or refused; any chunking of a stream gives the same events | `cargo test -p smpp-proto --test integration properties::` |
//! | fuzzing: targets `account`, `decode`, `roundtrip`, `session`, `sms`, `receipt` | `mkdir -p target/found && cargo +nightly fuzz run decode target/found fuzz/corpus/decode` (needs cargo-fuzz and a C++ compiler); `cargo test` replays the corpora |
//!
//! # Sessions
//!
//! | what is tested | command |
//! | --- | --- |
//! | binds, exchange, limits, keep-alive, ending, versions, in simulated time | `cargo test -p smpp-proto --test integration session::` |
//! | each side, state and command against the specification's matrix, written out by hand (SMPP 3.4 §2.3) | `cargo test -p smpp-proto --test integration session::matrix::` |
//! | two sessions over a link that delays, splits, stalls, loses, corrupts and breaks, with tiny random limits. After every call: exactly one outcome for each request, every bound and rate kept, every end explained. 100,000 scenarios | `cargo test --profile simulation -p smpp-proto --test simulation`; `SCENARIOS=` sets the number, `SEED=` replays one |
//! | window, sequence numbers and outcomes against a simple model | `cargo test -p smpp-proto --lib model` |
//! | recorded traces replay to the same events and octets | `smpp-core/tests/traces`, replayed by the simulation |
//! | no allocation for a message in codec and session, nor for a receipt; an idle bound session below 1 KiB; reassembly holds what it counts | `cargo test -p smpp-proto --test allocations` and `--test integration receipts::` |
//!
//! # Texts and receipts
//!
//! | what is tested | command |
//! | --- | --- |
//! | any text in every alphabet, national table and segmentation: split, counted independently, at most 140 octets for each segment on the air interface, reassembled | `cargo test -p smpp-proto --lib sms` |
//! | receipts in the forms that SMSCs are known to send; a forged one does not count as a receipt; any octets are parsed or refused | `cargo test -p smpp-proto --test integration receipts::` and `--lib receipt` |
//! | segments in any order, repeated and mixed: each message is complete and returned once, every segment is returned, limits hold | `cargo test -p smpp-proto --lib reassemble` |
//!
//! # Accounts
//!
//! | what is tested | command |
//! | --- | --- |
//! | an account with failing servers, DNS, network, SMSC and application: never more connections than allowed, half-open ones included; no bind above its rate in any sliding second; one outcome for each message that agrees with what the SMSC saw; every receipt at its message, once. Statuses, dialects of receipts and kinds of messages differ; groups of binds, endpoints, options and credentials change meanwhile; between PDUs comes what is none, and octets of PDUs are changed. 50,000 scenarios | `cargo test --profile simulation -p smpp-proto --test account`; `SCENARIOS=`, `SEED=` as above |
//! | MO messages: a sender of a thousand first segments beside others; segments, single messages and receipts redelivered after an acknowledgement was lost, and equal messages that are not redeliveries; an SMSC that sends one segment at a time, in milliseconds | `cargo test -p smpp-proto --lib phones`; in random scenarios `--test account` |
//! | an account over sockets: the SMSC is killed under load and started again, TLS connections are reset inside records, an address that never responds is skipped, a fifth bind is refused; the counters agree | `cargo test -p smpp-tokio --test integration -- account:: account_faults::`, `cargo test -p smpp-std --test account` |
//! | responses with TLVs, flash messages, `data_sm`, `submit_multi`, `query_sm`, `cancel_sm` and `replace_sm` through an account | `cargo test -p smpp-tokio --test integration account_requests::`, `cargo test -p smpp-std --test account` |
//! | the statuses of a submit and of a bind, dialects of receipts, keys and messages of an earlier process, in simulated time | `cargo test -p smpp-proto --lib account` |
//! | transmitters and receivers on two hosts, failover, changes while the account runs, resuming, a SOCKS5 proxy, Unix sockets | `cargo test -p smpp-tokio --test integration account_shape::`, `cargo test -p smpp-std --test account` and `--test integration dial::` |
//!
//! # Adapters and servers
//!
//! | what is tested | command |
//! | --- | --- |
//! | a server: limits, timeouts, rates, 10,000 connections that never bind, deliveries to receivers that break | `cargo test -p smpp-tokio --test integration -- server:: faults::` |
//! | sockets, TLS 1.2 and 1.3, untrusted certificates, broken connections, each adapter against the other's server | `cargo test -p smpp-tokio -p smpp-std` |
//! | one list of scenarios over the state machine, both forms of the blocking adapter, and tokio: the same events | `cargo test -p smpp-std --test integration scenarios::` |
//! | one list of scenarios of an application and a scripted SMSC over both forms of an account: the same PDUs, outcomes with keys, receipts, arrivals, events and errors, for endpoints, credentials, statuses, named binds, requests about messages, receipts of each kind, messages from phones, shutdown | `cargo test -p smpp-std --test integration account_scenarios::`; `SCENARIO=` selects by name |
//! | accounts and sessions through the real drivers, on a paused clock and over a network that delays, splits, stalls, half-closes and cuts: one outcome for each message, every deadline kept to the millisecond, no task left over. 20,000 scenarios | `cargo test --profile simulation -p smpp-tokio --test driver_simulation`; `SCENARIOS=`, `SEED=` as above |
//! | requests that wait for a place while their tasks run in an unfavourable order: at most 3 polls for a message, first in first out, no place lost when a request is dropped | `cargo test -p smpp-tokio --test integration wait_queue::` |
//! | bursts of 3,000 requests, half-close, deadlines that move nearer, transports of the application, failed reads and writes, what answers instead of an SMSC | `cargo test -p smpp-tokio --test integration drivers::`, `cargo test -p smpp-std --test integration -- backpressure:: wake_ups:: dial:: connect_errors::` |
//! | arrivals, events and inboxes as streams; arrivals and events as iterators | `cargo test -p smpp-tokio --features stream --test integration streams::`, `cargo test -p smpp-std --test account` |
//! | certificates that are trusted or not, and the texts of the errors | `cargo test -p smpp-common` |
//! | the locks and threads of the blocking adapter under a schedule explorer: no lost wake-up, no deadlock, at most one system call for ten messages of threads that take turns | `cargo test -p smpp-std --test schedules`; `SMPP_SCHEDULES=`, `SMPP_SCHEDULES_SEED=` |
//! | no deadlock with full windows in both directions over tiny buffers, handles dropped in any order, panics in user threads | `cargo test -p smpp-std --test integration deadlocks::` |
//! | refusals with everything that the peer says, PDUs that a session rejects, in both adapters | `cargo test -p smpp-tokio -p smpp-std --test integration refusals::` |
//! | a quiet session of the blocking adapter sleeps in one read, and keeps deadlines that are set meanwhile | `cargo test -p smpp-std --test integration long_reads::` |
//! | late responses, memory of quiet binds, and the shutdown of a server with observers that block, in the blocking adapter | `cargo test -p smpp-std --test idle_memory` and `--test integration -- late_responses:: server::blocked:: server::ends::` |
//! | a receiver (`smpp receive`) that is killed again and again acknowledges nothing that is not on disk | `cargo test -p smpp-cli --test integration receive::` |
//! | the example `outbox`, killed a hundred times under load: no message is lost or sent twice, what is in doubt is marked, every receipt reaches its row | `cargo build -p smpp-tokio --features full --example outbox`, then `cargo test -p smpp-tokio --features full --test outbox -- --include-ignored` |
//! | `smpp probe` finds out the dialects of a simulated SMSC, within its budget, and the Rust source that it writes compiles | `cargo test -p smpp-cli` |
//! | logs and metrics, and that they hold no texts, numbers or passwords | `cargo test -p smpp-tokio --features full --test integration observability::` |
//! | an idle bind of a [`Server`](crate::Server) below 2½ KiB of heap; allocations for a request | `cargo test -p smpp-tokio --test allocations` |
//! | a capture is read back, checksums and sequence numbers included | `cargo test -p smpp-proto --test integration pcap::` |
//!
//! # Interoperability with other SMPP software
//!
//! Plain and TLS, with bursts of 1,000 messages, half-close and throttling: as client and as server npm `smpp` 0.5.1 and
//! 0.6.0-rc.4, PyPI `smpp.twisted3` 0.8, the Rust crate `smpp34` 1.5.1 and Debian's Net::SMPP; as client PyPI `smpplib` 2.2.4
//! and `aiosmpplib` 0.7.4, the Rust crate `rusmppc` 0.4.0, and Debian's Kannel.
//!
//! ```sh
//! .ci/interop/run
//! ```
//!
//! # Speed
//!
//! Benches, instruction counts with limits, and their commands: [`performance`](super::performance).
//!
//! # Replay a random scenario
//!
//! A failing simulation prints its seed. This replays that scenario and prints each step:
//!
//! ```sh
//! SEED=1234 cargo test -p smpp-proto --test simulation -- --nocapture
//! ```
//!
//! # What the compiler checks
//!
//! - No `unsafe` in any crate: `forbid(unsafe_code)`.
//! - No `unwrap`, `expect`, `panic!` or indexing in library code: denied by clippy in the project's own checks.
//! - A side cannot send a request of the other side:
//!
//! ```compile_fail,E0277
//! use smpp_proto::session::{Config, Instant, Session, Smsc};
//! let mut smsc = Session::<Smsc, ()>::new(Config::default(), Instant::ZERO);
//! smsc.request(Instant::ZERO, &smpp_proto::SubmitSm::default(), ()); // an SMSC does not send submit_sm
//! ```
//!
//! - Every example in this manual and in the README compiles: `cargo test -p smpp-tokio --doc --features full`.
