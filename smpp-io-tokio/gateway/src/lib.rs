//! One SMPP account on many machines: a gateway between SMPP 3.4 and NATS JetStream.

pub mod node;
