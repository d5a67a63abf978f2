//! The values of the broadcast parameters (SMPP 5.0 §4.8.4).

use super::value::{octet_and_u16, octet_enum, parts_and_octets};
use crate::open_enum::open_enum;

octet_enum! {
    /// The channel of a cell broadcast (SMPP 5.0 §4.8.4).
    pub struct BroadcastChannelIndicator {
        /// The basic channel. The default.
        BASIC = 0,
        /// The extended channel.
        EXTENDED = 1,
    }
}

octet_enum! {
    /// The message class of a broadcast (SMPP 5.0 §4.8.4).
    pub struct BroadcastMessageClass {
        /// No class. The default.
        NONE = 0,
        /// Class 1: defined by the user.
        CLASS1 = 1,
        /// Class 2: defined by the user.
        CLASS2 = 2,
        /// Class 3: for an attached terminal.
        CLASS3 = 3,
    }
}

octet_enum! {
    /// The type of network that defines a content type (SMPP 5.0 §4.8.4).
    pub struct BroadcastNetworkType {
        /// Any network.
        GENERIC = 0,
        /// GSM: 3GPP TS 23.041.
        GSM = 1,
        /// TDMA: IS-824.
        TDMA = 2,
        /// CDMA: IS-824, IS-637.
        CDMA = 3,
    }
}

open_enum! {
    /// The content of a broadcast (SMPP 5.0 §4.8.4).
    pub struct BroadcastContent(u16) {
        /// An index.
        INDEX = 0x0000,
        /// An emergency.
        EMERGENCY = 0x0001,
        /// An IRDB download.
        IRDB_DOWNLOAD = 0x0002,
        /// A news flash.
        NEWS_FLASH = 0x0010,
        /// General news, local.
        GENERAL_NEWS_LOCAL = 0x0011,
        /// General news, regional.
        GENERAL_NEWS_REGIONAL = 0x0012,
        /// General news, national.
        GENERAL_NEWS_NATIONAL = 0x0013,
        /// General news, international.
        GENERAL_NEWS_INTERNATIONAL = 0x0014,
        /// Business news, local.
        BUSINESS_NEWS_LOCAL = 0x0015,
        /// Business news, regional.
        BUSINESS_NEWS_REGIONAL = 0x0016,
        /// Business news, national.
        BUSINESS_NEWS_NATIONAL = 0x0017,
        /// Business news, international.
        BUSINESS_NEWS_INTERNATIONAL = 0x0018,
        /// Sports news, local.
        SPORTS_NEWS_LOCAL = 0x0019,
        /// Sports news, regional.
        SPORTS_NEWS_REGIONAL = 0x001A,
        /// Sports news, national.
        SPORTS_NEWS_NATIONAL = 0x001B,
        /// Sports news, international.
        SPORTS_NEWS_INTERNATIONAL = 0x001C,
        /// Entertainment news, local.
        ENTERTAINMENT_NEWS_LOCAL = 0x001D,
        /// Entertainment news, regional.
        ENTERTAINMENT_NEWS_REGIONAL = 0x001E,
        /// Entertainment news, national.
        ENTERTAINMENT_NEWS_NATIONAL = 0x001F,
        /// Entertainment news, international.
        ENTERTAINMENT_NEWS_INTERNATIONAL = 0x0020,
        /// Medical.
        MEDICAL = 0x0021,
        /// Doctors.
        DOCTORS = 0x0022,
        /// Pharmacy.
        PHARMACY = 0x0023,
        /// Local traffic.
        LOCAL_TRAFFIC = 0x0030,
        /// Long distance traffic.
        LONG_DISTANCE_TRAFFIC = 0x0031,
        /// Taxis.
        TAXIS = 0x0032,
        /// Weather.
        WEATHER = 0x0033,
        /// Airport schedules.
        AIRPORT_SCHEDULES = 0x0034,
        /// Restaurants.
        RESTAURANTS = 0x0035,
        /// Lodgings.
        LODGINGS = 0x0036,
        /// Retail directory.
        RETAIL_DIRECTORY = 0x0037,
        /// Advertisements.
        ADVERTISEMENTS = 0x0038,
        /// Stock quotes.
        STOCK_QUOTES = 0x0039,
        /// Employment.
        EMPLOYMENT = 0x0040,
        /// Technology news.
        TECHNOLOGY_NEWS = 0x0041,
        /// District.
        DISTRICT = 0x0070,
        /// Network information.
        NETWORK_INFORMATION = 0x0071,
        /// Operator services.
        OPERATOR_SERVICES = 0x0080,
        /// Directory enquiries, national.
        DIRECTORY_NATIONAL = 0x0081,
        /// Directory enquiries, international.
        DIRECTORY_INTERNATIONAL = 0x0082,
        /// Customer care, national.
        CUSTOMER_CARE_NATIONAL = 0x0083,
        /// Customer care, international.
        CUSTOMER_CARE_INTERNATIONAL = 0x0084,
        /// Local date and time.
        LOCAL_DATE_TIME = 0x0085,
        /// Several categories.
        MULTI_CATEGORY = 0x0100,
    }
}

impl From<u16> for BroadcastContent {
    fn from(number: u16) -> Self {
        Self(number)
    }
}

impl From<BroadcastContent> for u16 {
    fn from(content: BroadcastContent) -> Self {
        content.0
    }
}

octet_and_u16! {
    /// The content type of a broadcast, with the type of network that defines it (SMPP 5.0 §4.8.4).
    pub struct BroadcastContentType {
        /// The type of network that defines the content type.
        pub network: BroadcastNetworkType,
        /// The content.
        pub content: BroadcastContent,
    }
}

octet_enum! {
    /// The unit of a [`BroadcastFrequencyInterval`] (SMPP 5.0 §4.8.4).
    pub struct BroadcastFrequencyUnit {
        /// No interval. The count has no meaning.
        AS_OFTEN_AS_POSSIBLE = 0x00,
        /// Seconds.
        SECONDS = 0x08,
        /// Minutes.
        MINUTES = 0x09,
        /// Hours.
        HOURS = 0x0A,
        /// Days.
        DAYS = 0x0B,
        /// Weeks.
        WEEKS = 0x0C,
        /// Months.
        MONTHS = 0x0D,
        /// Years.
        YEARS = 0x0E,
    }
}

octet_and_u16! {
    /// The time from one broadcast to the next (SMPP 5.0 §4.8.4).
    pub struct BroadcastFrequencyInterval {
        /// The unit.
        pub unit: BroadcastFrequencyUnit,
        /// The number of units.
        pub count: u16,
    }
}

octet_enum! {
    /// How a [`BroadcastAreaIdentifier`] describes its area (SMPP 5.0 §4.8.4).
    pub struct BroadcastAreaFormat {
        /// By name.
        ALIAS_NAME = 0,
        /// As an arc of an ellipsoid (3GPP TS 23.032).
        ELLIPSOID_ARC = 1,
        /// As a polygon (3GPP TS 23.032).
        POLYGON = 2,
    }
}

parts_and_octets! {
    /// The area of a broadcast (SMPP 5.0 §4.8.4).
    pub struct BroadcastAreaIdentifier {
        /// The format of the area.
        pub format: BroadcastAreaFormat,
        ..
        /// The name or the shape of the area: at most 100 octets.
        pub area
    }
}

octet_enum! {
    /// The share of subscribers of an area that a broadcast reached, in percent (SMPP 5.0 §4.8.4).
    pub struct BroadcastAreaSuccess default UNKNOWN {
        /// Not known.
        UNKNOWN = 255,
    }
}

impl BroadcastAreaSuccess {
    /// Returns the percentage, or `None` above 100.
    pub const fn percent(self) -> Option<u8> {
        if self.0 <= 100 { Some(self.0) } else { None }
    }
}
