//! What a session counts.

/// Counters of one session, since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// PDUs read.
    pub pdus_in: u64,
    /// PDUs written to the output.
    pub pdus_out: u64,
    /// Octets of the PDUs read.
    pub octets_in: u64,
    /// Octets handed to the transport.
    pub octets_out: u64,
    /// Responses to nothing.
    pub strays: u64,
    /// PDUs read with tolerated deviations.
    pub quirks: u64,
    /// PDUs that could not be read, unknown commands aside.
    pub malformed: u64,
    /// Requests of ours that were not answered in time.
    pub timeouts: u64,
}
