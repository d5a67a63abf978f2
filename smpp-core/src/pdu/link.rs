//! Requests and responses without a body (SMPP 3.4 §4.2, §4.11).

use crate::wire::{Emit, Sink};

/// Checks whether the peer is alive: the keep-alive request (SMPP 3.4 §4.11.1). An idle session sends it by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EnquireLink;

/// Announces the end of the session (SMPP 3.4 §4.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unbind;

/// The body of a response that has no body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoBody;

macro_rules! emit_nothing {
    ($($name:ident)+) => {$(
        impl Emit for $name {
            fn emit<S: Sink>(&self, _: &mut S) {}
        }
    )+};
}

emit_nothing! {
    EnquireLink
    Unbind
    NoBody
}
