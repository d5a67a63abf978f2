//! The tests of the public interface: one binary, so that it is built and linked once.

mod corpus;
mod tls;
