//! The drivers of sessions, servers and accounts: their turns, bursts, wake-ups, half-closed connections, the end of a
//! transport, transports of the application, and the errors of connecting.

mod attempts;
mod bursts;
mod closing;
mod connect_errors;
mod dial;
mod half_close;
mod link_turns;
mod peer;
mod turns;
mod wakeups;
