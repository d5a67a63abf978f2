//! The tests of the command: one binary, so that it is built and linked once.

mod cli;
mod common;
mod data_sm;
mod load;
mod probe;
mod receive;
mod smsc_listeners;
mod web;
