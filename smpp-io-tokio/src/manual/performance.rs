//! How fast is it, what does a message cost, and how do I measure it on my machine?
//!
//! **Short answer.** On two cores, client and server in two processes exchange 4 to 5 million `submit_sm` and responses
//! a second over four connections. A message costs each side about 1,000 instructions, no allocation for the
//! request, and at most one for its response. The network, the SMSC's rate and your database limit a real system long
//! before this crate does.
//!
//! # Figures
//!
//! Measured on two cores, loopback TCP without TLS, texts of 60 octets, windows of 64, each message awaited by itself.
//!
//! | what | figure |
//! | --- | --- |
//! | four connections, two processes, two cores | 4 to 5 million messages a second |
//! | one connection, both processes on one core (`taskset -c 0`) | 2.3 million a second |
//! | one connection, one process on each core | 0.8 to 1.0 million a second: each batch waits for the other core to wake up |
//! | CPU time for a million messages | 0.4 s; 0.9 s on two cores with one connection |
//! | instructions for a message, on each side | about 1,045 (ESME) and 940 (SMSC); the checks fail above 1,050 |
//! | allocations for a message | none for a request, at most one for its response |
//! | a server, requests from the inbox | 940 instructions, at most 0.55 allocations |
//! | a server, a service that waits once for each request | 1,610 instructions, at most 0.55 allocations |
//! | instructions to decode a `submit_sm` of 110 octets | 242 |
//! | decoding a mix of PDUs | takes 1.2 to 1.3 times as long as reading the same octets once |
//! | an idle bound session (`smpp-proto` only) | less than 1 KiB |
//! | an idle bind of a [`Server`](crate::Server), with its task | less than 2½ KiB of heap |
//!
//! More tasks than the window has places, client and server in one process on two threads, each message awaited by its
//! task, while two other processes keep both cores busy:
//!
//! | what | polls for a message | allocations for a message | messages a second |
//! | --- | --- | --- | --- |
//! | window of 16, 17 tasks | 2.1 | none | 360,000 |
//! | window of 64, 65 tasks | 2.0 | none | 1.1 million |
//! | window of 64, 100 tasks | 2.6 | none | 420,000 |
//! | window of 64, 10,000 tasks | 3.0 | none | 510,000 |
//! | a waiting request that is dropped, one of 100,000 in random order | | | 0.2 µs each |
//!
//! The polls do not depend on the load: a request that waits is polled when it comes, when a place is reserved for it, and
//! when its response has come.
//!
//! An [`Account`](crate::account::Account) costs more for each message than a session: it stores the message, splits
//! texts and keeps a table for receipts: about 2,620 instructions without a receipt and 4,930 with one that is awaited and
//! matched; 2,480 and 4,760 with `smpp-std`, whose bench submits a window before it waits. `.ci/instructions` counts them, and has
//! their limits.
//!
//! # Scale
//!
//! `.ci/scale` prints throughput, CPU time and peak memory of the client for each of these; the SMSC is another process
//! that responds in place. The figures are of two virtual cores, texts of 60 octets and windows of 64, unless something else is said: messages a
//! second, CPU time of the client for each message, its peak memory.
//!
//! | what | figure | command |
//! | --- | --- | --- |
//! | an account beside a session, one connection: the ratio of their rates | 0.73; 0.65 with `smpp-std` | `.ci/scale session` |
//! | an account, four connections beside one | 2.0 times (1.4 million a second); 0.7 times with `smpp-std`, where one thread drives them all | `.ci/scale connections` |
//! | an account with four connections, two threads beside one | 0.4 to 0.9 times, as fast as the cores exchange memory: see below | `.ci/scale threads` |
//! | four sessions, which share nothing, two threads beside one | 0.7 to 1.0 times: the SMSC takes one of the two cores | |
//! | receipts awaited, 1 bind | 360,000, 2.0 µs | `.ci/scale binds` |
//! | 4 binds | 550,000, 1.8 µs | |
//! | 32 binds | 390,000, 2.6 µs | |
//! | 1 bind of one account, window of 8 | 640,000, 1.0 µs, 7 MiB | `.ci/scale links` |
//! | 100 binds | 320,000, 2.3 µs, 12 MiB | |
//! | 1,000 binds | 167,000, 5.2 µs, 37 MiB | |
//! | 10,000 binds | 140,000, 14 µs with the binds, 291 MiB | |
//! | 1,000 outstanding receipts | 350,000, 2.0 µs, 23 MiB; `smpp-std` 260,000, 3.5 µs, 21 MiB | `.ci/scale outstanding` |
//! | 100,000 | 280,000, 2.7 µs, 43 MiB; 200,000, 4.4 µs, 43 MiB | |
//! | 1,000,000 | 220,000, 3.7 µs, 312 MiB; 180,000, 5.3 µs, 456 MiB | |
//! | 1,000,000 segments in the account's table: one accepted, its receipt matched in any order, forgotten | 0.15, 0.37 and 0.08 µs, 151 octets; the second is 0.35 to 0.6 with the memory of the host | `cargo test --release -p smpp-proto --lib figures -- --ignored --nocapture` |
//! | 1 waiting task | 26,000, 16 µs: each message waits for two wake-ups of the kernel | `.ci/scale tasks` |
//! | 64 tasks | 880,000, 0.7 µs; two threads 780,000, 1.1 µs | |
//! | 10,000 tasks | 550,000, 1.2 µs, 21 MiB; two threads 470,000, 2.8 µs | |
//! | 100,000 tasks | 350,000, 2.2 µs, 122 MiB; two threads 370,000, 3.9 µs | |
//! | messages of 1 KiB | 650,000, 1.0 µs; session 830,000, 0.6 µs | `.ci/scale sizes` |
//! | 4 KiB | 440,000, 1.9 µs; 720,000, 1.4 µs | |
//! | 16 KiB | 108,000, 8.4 µs; 166,000, 5.6 µs | |
//! | 63 KiB | 29,000, 33 µs; 52,000, 17 µs | |
//! | TLS beside TCP, `smpp smsc` as the server | 410,000, 0.83 µs; TCP 470,000, 0.81 µs | `.ci/scale tls` |
//! | a server with 19,900 bound sessions | 3.2 KB each; at rest, a keep-alive each 20 s, 36 ms of CPU time a second; shut down in 1.1 s | `.ci/scale server` |
//! | 64 threads that submit through one blocking account | 270,000, 7 µs with 0.12 futex calls | `smpp load --blocking --account --threads 64` |
//! | a rate of 1, 50, 200, 1,000, 5,000, 20,000, 50,000 a second | at least 99.2 % of it, also with `smpp-std`; at 5,000 5 µs | `smpp load --account --rate 50` |
//! | the example `minimal`: cold release build with two jobs, stripped program | 121 s (192 s of CPU time), 2.36 MB | `.ci/scale program` |
//!
//! An account has one lock. On a runtime with several threads its memory moves between the caches of the cores with almost
//! every message, which costs more than what is done under the lock: two threads send 500,000 to 1.4 million messages a second
//! on the same virtual machine, as its cores are near to each other or not, and one thread always 1.4 million or more. If one account has
//! to send more than 500,000 messages a second, give it a current-thread runtime of its own.
//!
//! `ADAPTER=--blocking` in front measures the blocking account, `MESSAGES=100000` makes the runs shorter.
//!
//! # Measure throughput on your machine
//!
//! Both sides in one process, each in a thread:
//!
//! ```sh
//! cargo run --release --bin smpp -- load
//! ```
//!
//! Two processes, as above; each prints its own CPU time:
//!
//! ```sh
//! cargo run --release --bin smpp -- load --serve 127.0.0.1:2775 --sessions 4
//! cargo run --release --bin smpp -- load --url smpp://a:b@127.0.0.1:2775 --messages 1000000 --connections 4
//! ```
//!
//! An account, whose receipts are awaited and matched, against an SMSC that sends them in place:
//!
//! ```sh
//! cargo run --release --bin smpp -- load --serve 127.0.0.1:2775 --receipts
//! cargo run --release --bin smpp -- load --url smpp://a:b@127.0.0.1:2775 --messages 1000000 --account --receipts
//! ```
//!
//! | flag | meaning | default |
//! | --- | --- | --- |
//! | `--url` | the SMSC to load | one in the same process |
//! | `--connections` | connections, each with a bind | 1 |
//! | `--window` | messages in flight on each connection | 64 |
//! | `--messages` | messages in all | 100,000 |
//! | `--length` | octets of each text; more than 254 go into `message_payload` | 60 |
//! | `--rate` | messages a second on each connection, at most | none |
//! | `--threads` | threads of the runtime | 1 |
//! | `--serve`, `--sessions` | be the SMSC; end after so many sessions | |
//! | `--queued` | the SMSC responds from the inbox instead of inline | off |
//! | `--account` | an account instead of sessions | off |
//! | `--receipts` | await a receipt for each message; with `--serve`, send them | off |
//! | `--outstanding` | receipts that are outstanding while more messages are sent | 0 |
//! | `--tasks` | tasks that wait, each for one message at a time | the windows together |
//! | `--blocking` | measure `smpp-std` instead | off |
//! | `--json` | one JSON object as the result | off |
//!
//! Do not load an SMSC that is not yours.
//!
//! # Measure instructions, allocations and contention
//!
//! | what | command |
//! | --- | --- |
//! | instructions for a message: sessions, servers, accounts (needs valgrind) | `.ci/instructions` |
//! | more tasks than places, polls, allocations, throughput and fairness | `cargo bench -p smpp-tokio --bench contention` |
//! | instructions for each PDU (needs valgrind) | `cargo bench -p smpp-proto --bench instructions` |
//! | decoding and encoding, beside a scan of the same octets | `cargo bench -p smpp-proto --bench codec` |
//! | a `submit_sm` and its response through both sessions, windows of 1, 64 and 4,096 | `cargo bench -p smpp-proto --bench session` |
//! | texts encoded, split, decoded and reassembled; a receipt | `cargo bench -p smpp-proto --bench text --bench receipt` |
//! | no allocation for a message | `cargo test -p smpp-proto --test allocations` and `--test integration receipts::` |
//! | allocations and memory of the adapters | `cargo test -p smpp-tokio -p smpp-std --test allocations --test account_allocations` |
//!
//! # Get this speed in your program
//!
//! - Keep many requests in flight, up to the window: [`rate_limits_and_windows`](super::rate_limits_and_windows). What
//!   is submitted between two turns of the session's task leaves in one write; what comes in one read is handed out at
//!   once.
//! - One task may poll many requests; a task for each request works too. PDUs are borrowed and encoded straight into
//!   the output buffer.
//! - A server that can respond at once uses [`Handle::respond_inline`](crate::Handle::respond_inline): no copy, no
//!   queue, no wake-up.
//! - Use more connections before more threads: a session is handled by one task.
//! - `TCP_NODELAY` is set by [`Connector`](crate::Connector), [`Listener`](crate::Listener) and accounts. Set it on
//!   transports of your own.
//! - Build with `lto = true` and `codegen-units = 1`, as this workspace does for `--release`.
//!
//! ```no_run
//! use smpp_proto::session::Request;
//! use smpp_proto::{COctets, SubmitSmResp};
//!
//! # fn example(peer: &smpp_tokio::Peer) {
//! let mut last = 0_u64;
//! peer.respond_inline(move |request, responder| match request {
//!     Request::SubmitSm(_, reply) => {
//!         last += 1;
//!         let id = last.to_string();
//!         let message_id = COctets::new(id.as_bytes()).unwrap_or_default();
//!         let _ = responder.respond(reply, Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }));
//!         None
//!     }
//!     other => Some(other), // goes to the inbox
//! });
//! # }
//! ```
