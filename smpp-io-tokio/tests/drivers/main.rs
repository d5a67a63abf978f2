//! The drivers of sessions, servers and accounts: half-closed connections, the end of a transport, bursts, wake-ups, transports of the
//! application, and the errors of connecting.

mod bursts;
mod closing;
mod connect_errors;
mod dial;
mod half_close;
mod peer;
mod wakeups;
