//! The page of `smpp smsc --web` and `smpp decode --web`: one page of HTML, embedded in the program, over HTTP on a
//! loopback address.
//!
//! [`Log`] holds the newest PDUs, [`LogObserver`] fills it from the sessions of the SMSC, [`Page`] serves both to browsers.
//! What needs the running SMSC is a [`Call`], which the SMSC's own task answers.

mod guard;
mod log;
mod observer;
mod page;
mod seconds;
mod server;
mod transport;

pub(crate) use log::{Limits, Log, Recorder};
pub(crate) use observer::{Captures, LogObserver};
pub(crate) use server::{Call, Page, PageOptions, Request};
