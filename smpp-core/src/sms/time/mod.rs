//! Times as values: when a message is to be sent, how long it is good for, when it was delivered.
//!
//! A [`Time`] of a PDU is text, `YYMMDDhhmmsstnnp`, and stays as the peer wrote it. Here it becomes an
//! [`AbsoluteTime`], a point in time with its distance from UTC, or a [`RelativeTime`], a span from the SMSC's now
//! (SMPP 3.4 §7.1.1); and either becomes a [`UnixTime`], a moment in UTC. There is no clock here: now is an argument.
//!
//! Sending a message on Christmas Eve, good for two hours:
//!
//! ```
//! use core::time::Duration;
//! use smpp_core::SubmitSm;
//! use smpp_core::sms::time::{AbsoluteTime, RelativeTime, UnixTime, UtcOffset};
//!
//! let schedule = AbsoluteTime::from_unix(UnixTime::from_secs(1_798_135_200), UtcOffset::UTC)?.encode();
//! let validity = RelativeTime::from_duration(Duration::from_secs(2 * 60 * 60))?.encode();
//! let message = SubmitSm {
//!     schedule_delivery_time: schedule.as_time(),
//!     validity_period: validity.as_time(),
//!     ..SubmitSm::default()
//! };
//! assert_eq!(message.schedule_delivery_time.as_bytes(), b"261224180000000+");
//! assert_eq!(message.validity_period.as_bytes(), b"000000020000000R");
//! # Ok::<(), smpp_core::sms::time::TimeError>(())
//! ```
//!
//! Reading them, as an SMSC does:
//!
//! ```
//! # use smpp_core::SubmitSm;
//! use smpp_core::sms::time::{TimeValue, UnixTime};
//! # let validity = smpp_core::Time::new(b"000000020000000R").unwrap();
//! # let message = SubmitSm { validity_period: validity, ..SubmitSm::default() };
//! let now = UnixTime::from_secs(1_798_135_200);
//! let expires = TimeValue::read(message.validity_period)?.map(|validity| validity.to_unix(now));
//! assert_eq!(expires, Some(UnixTime::from_secs(1_798_142_400)));
//! assert_eq!(TimeValue::read(message.schedule_delivery_time)?, None, "at once");
//! # Ok::<(), smpp_core::sms::time::TimeError>(())
//! ```
//!
//! What an SMSC reports, `final_date` and the dates of a receipt, comes in more forms: [`ReportedTime`] reads them.

mod absolute;
mod civil;
#[cfg(any(feature = "chrono", feature = "jiff", feature = "time"))]
mod convert;
mod error;
mod format;
mod offset;
mod relative;
mod reported;
mod value;

pub use absolute::AbsoluteTime;
pub use civil::{LocalTime, UnixTime};
pub use error::TimeError;
pub use format::TimeText;
pub use offset::UtcOffset;
pub use relative::RelativeTime;
pub use reported::ReportedTime;
pub use value::TimeValue;
