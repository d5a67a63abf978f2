//! The options of an account, the configuration of a session and a provider as a file: `Deserialize` for
//! [`Options`](crate::account::Options), [`Config`](crate::session::Config), [`Provider`](crate::provider::Provider) and
//! [`Binds`](crate::account::Binds). Feature `serde`.
//!
//! Any format that `serde` reads will do; this is TOML:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use core::time::Duration;
//! use smpp_proto::account::{Binds, Options};
//! use smpp_proto::session::Rate;
//!
//! let options: Options = toml::from_str(
//!     r#"
//!     system_id = "shop"
//!     password = "s3cret"
//!     provider = "8x8"
//!     endpoints = ["smpps://smpp.8x8.com:2776"]
//!     binds = { transceivers = 2 }
//!     rate = 80
//!
//!     [session]
//!     enquire_link_interval = "20s"
//!     response_timeout = "1m30s"
//!
//!     [receipts]
//!     max_age = "48h"
//!     "#,
//! )?;
//! assert_eq!(options.binds, Binds::transceivers(2));
//! assert_eq!(options.rate, Some(Rate::per_second(80)));
//! assert_eq!(options.session.response_timeout, Duration::from_secs(90));
//! // What the file leaves out is as 8x8 publishes it, or the default.
//! assert_eq!(options.session.rate, Some(Rate::per_second(50)));
//! # Ok(())
//! # }
//! ```
//!
//! # The format
//!
//! Each key is the name of the field, and each is optional but `system_id`; a key that does not exist is an error that lists
//! those that do. A value is checked when it is read; [`Options::check`](crate::account::Options::check), which the account calls, checks
//! how they fit together.
//!
//! | type | value |
//! | --- | --- |
//! | duration | a text of numbers with the units `ms`, `s`, `m`, `h` and `d`: `"30s"`, `"1m30s"`, `"1.5s"`, `"72h"`; or a number of seconds |
//! | number | a whole number in the range of the field: most from 0; from 1 where 0 could not work, such as `window` |
//! | optional field | the value, or `"none"` |
//! | [`Rate`](crate::session::Rate) | messages per second: `50`; with a burst `{ per_second = 50, burst = 10 }` |
//! | enumeration | the name of the variant in lower case: `"gsm7"`, `"udh16"`, `"by_tlvs"`, `"adaptive"`, `"transceiver"` |
//! | [`CommandStatus`](crate::CommandStatus), [`MessageState`](crate::MessageState), [`Ton`](crate::Ton), [`Npi`](crate::Npi), [`DataCoding`](crate::DataCoding) | the name (`"ESME_RTHROTTLED"`, `"delivered"`, `"international"`) or the number; `DataCoding` only the number |
//! | set of flags | a list of names: `["submit_sm", "query_sm"]` |
//! | `message_ids` of a [`ReceiptDialect`](crate::provider::ReceiptDialect) | a table that says how ids in receipts are compared with those of responses: `{ ignore_case = true, submitted = "hexadecimal", receipted = "decimal" }`; see below |
//! | `endpoints` | a URL, or a list of URLs: `["smpps://smpp.8x8.com:2776"]`. If the file states no `system_id` or `password`, the first URL may |
//!
//! - `provider` is `"8x8"`, or a table in the format that `smpp probe` writes. Its key `base` names the provider that it starts from:
//!   `"8x8"`, or `"unstated"`, the default. Tables under `[session]`, `[receipts]` and so on change what follows from it. Its `host` and ports are for
//!   information: state `endpoints`.
//! - `binds` is a table of `transceivers`, `transmitters`, `receivers` and `pairs` with their numbers, or a list of such tables, each
//!   with `endpoints` of its own if it needs them: `[{ transmitters = 2, endpoints = ["smpps://tx.example.net"] }, { receivers = 1 }]`.
//! - `statuses` has the lists `submit` and `bind`: `[{ status = "ESME_RSYSERR", action = "retry", times = 5, delay = "2s" }]`. The actions
//!   of a submit are `refuse`, `retry`, `pause`, `rebind` and `stop`; of a bind `retry` and `stop`.
//! - `message_ids`, in `[receipts.dialect]` of the options or `[receipts]` of a provider, is a
//!   [`MessageIdPolicy`](crate::sms::MessageIdPolicy). `submitted` and `receipted` are the notations of ids in responses and in receipts,
//!   `"decimal"` or `"hexadecimal"`: then ids are compared as numbers. If only one of them is stated, it holds for both. If neither is, ids are
//!   compared as texts, with `ignore_case = true` in any case of letters. A table without keys means equal texts.
//! - `unanswered_policy` is `"report"`, or `{ resend = 2 }`.
//! - Only in code: [`ReceiptDialect::parser`](crate::provider::ReceiptDialect::parser) and the TLVs of
//!   [`Credentials`](crate::account::Credentials).
//!
//! The lists and texts of a [`Provider`](crate::provider::Provider) live as long as the program, so that it stays a constant that can be copied: each
//! `provider` table that is read takes their memory, usually less than a kilobyte, and never gives it back. Read it once for each start, not for
//! each message.
//!
//! An error never contains the password; the errors of the format itself may show the line of the file.

mod binds;
mod duration;
mod names;
mod number;
mod options;
mod provider;
mod statuses;
#[cfg(test)]
mod tests;
mod value;

/// Defines a table whose keys are fields of `$target`: values, then tables of their own, then keys that are no fields. A key that
/// is missing leaves its field as it is.
macro_rules! table {
    (
        $(#[$meta:meta])*
        $name:ident for $target:ident { $($field:ident: $value:ty,)* }
        $(tables { $($nested:ident: $table:ty,)* })?
        $(keys { $($key:ident: $type:ty,)* })?
    ) => {
        $(#[$meta])*
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            $(#[serde(default)] $field: Option<$value>,)*
            $($(#[serde(default)] $nested: Option<$table>,)*)?
            $($(#[serde(default)] $key: Option<$type>,)*)?
        }

        impl $name {
            pub(super) fn apply(self, target: &mut $target) {
                $(if let Some(value) = self.$field {
                    target.$field = $crate::settings::value::Value::value(value);
                })*
                $($(if let Some(table) = self.$nested {
                    table.apply(&mut target.$nested);
                })*)?
            }
        }
    };
}
use table;
