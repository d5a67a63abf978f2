//! Times of a PDU: scheduled delivery, validity period, and the dates that an SMSC reports.
//!
//! To send a time, start from [`AbsoluteTime`] (a point in time with its offset from UTC) or [`RelativeTime`] (a span
//! from the current time of the SMSC; SMPP 3.4 §7.1.1) and call `encode`. To read one, start from [`TimeValue::read`]
//! for time fields, or from [`ReportedTime::parse`] for the dates of delivery receipts. Each converts to a
//! [`UnixTime`], a moment in UTC.
//!
//! The field of a PDU is a [`Time`](crate::Time), which keeps the text `YYMMDDhhmmsstnnp` as the peer wrote it. This
//! module reads no clock: the current time is an argument.
//!
//! # Scheduled delivery and validity period
//!
//! A message to be delivered on Christmas Eve, valid for two hours:
//!
//! ```
//! use core::time::Duration;
//! use smpp_proto::SubmitSm;
//! use smpp_proto::sms::time::{AbsoluteTime, RelativeTime, UnixTime, UtcOffset};
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
//! # Ok::<(), smpp_proto::sms::time::TimeError>(())
//! ```
//!
//! # Reading time fields
//!
//! As an SMSC does:
//!
//! ```
//! # use smpp_proto::SubmitSm;
//! use smpp_proto::sms::time::{TimeValue, UnixTime};
//! # let validity = smpp_proto::Time::new(b"000000020000000R").unwrap();
//! # let message = SubmitSm { validity_period: validity, ..SubmitSm::default() };
//! let now = UnixTime::from_secs(1_798_135_200);
//! let expires = TimeValue::read(message.validity_period)?.map(|validity| validity.to_unix(now));
//! assert_eq!(expires, Some(UnixTime::from_secs(1_798_142_400)));
//! assert_eq!(TimeValue::read(message.schedule_delivery_time)?, None, "at once");
//! # Ok::<(), smpp_proto::sms::time::TimeError>(())
//! ```
//!
//! # Dates of delivery receipts
//!
//! `final_date` and the dates of a delivery receipt come in more formats: [`ReportedTime`] reads them.
//!
//! # Other time crates
//!
//! The features `time`, `chrono` and `jiff` convert [`UnixTime`] from and to the moments of those crates.

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
