//! The binds of the simulator.

/// Identifies a bind that the simulator has admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SimulatedBind(pub(super) u64);
