//! The ids of binds.

/// Identifies a bind that the simulator has admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BindId(pub(super) u64);
