//! The drivers of sessions, servers and accounts: half-closed connections, bursts, wake-ups, and transports of the
//! application.

mod bursts;
mod dial;
mod half_close;
mod peer;
mod wakeups;
