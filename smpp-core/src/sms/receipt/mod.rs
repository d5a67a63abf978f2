//! Delivery receipts (DLRs): reading and writing.

mod fields;
mod layout;
mod message;
mod parse;
#[cfg(test)]
mod tests;

pub(crate) use layout::UsualReceipt;

pub use fields::{IdSource, Receipt, ReceiptError};
pub use message::{Detection, ReceiptCarrier, ReceiptParser};
