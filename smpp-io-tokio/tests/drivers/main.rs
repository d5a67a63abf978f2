//! The drivers of sessions, servers and accounts: half-closed connections, bursts, wake-ups, transports of the
//! application, and the errors of connecting.

mod bursts;
mod connect_errors;
mod dial;
mod half_close;
mod peer;
mod wakeups;
