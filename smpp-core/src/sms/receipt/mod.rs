//! Delivery receipts (DLRs): reading and writing.

mod fields;
mod message;
mod parse;
#[cfg(test)]
mod tests;

pub use fields::{IdSource, Receipt, ReceiptError};
pub use message::{Detection, ReceiptCarrier, ReceiptParser};
