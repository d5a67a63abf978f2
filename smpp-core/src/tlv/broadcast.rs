//! What the values of TLVs of a cell broadcast mean (SMPP 5.0 §4.8.4).

use super::value::{Inline, Octets, Value};
use super::values::octet_values;
use crate::wire::open_enum;

open_enum! {
    /// The channel of a cell broadcast (SMPP 5.0 §4.8.4.7).
    pub struct BroadcastChannelIndicator(u8) {
        /// Basic channel (default).
        BASIC = 0x00,
        /// Extended channel.
        EXTENDED = 0x01,
    }
}

open_enum! {
    /// The message class of a cell broadcast (SMPP 5.0 §4.8.4.12).
    pub struct BroadcastMessageClass(u8) {
        /// No class (default).
        NONE = 0x00,
        /// User defined.
        CLASS1 = 0x01,
        /// User defined.
        CLASS2 = 0x02,
        /// Terminal equipment.
        CLASS3 = 0x03,
    }
}

open_enum! {
    /// How an area is described (SMPP 5.0 §4.8.4.4).
    pub struct BroadcastAreaFormat(u8) {
        /// By name.
        ALIAS_NAME = 0x00,
        /// Ellipsoid arc (3GPP 23.032).
        ELLIPSOID_ARC = 0x01,
        /// Polygon (3GPP 23.032).
        POLYGON = 0x02,
    }
}

open_enum! {
    /// The unit of the interval between broadcasts (SMPP 5.0 §4.8.4.11).
    pub struct BroadcastFrequencyUnit(u8) {
        /// Count ignored.
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

open_enum! {
    /// The network that broadcasts (SMPP 5.0 §4.8.4.8).
    pub struct BroadcastNetworkType(u8) {
        /// Generic.
        GENERIC = 0x00,
        /// GSM 23.041.
        GSM = 0x01,
        /// TDMA IS-824.
        TDMA = 0x02,
        /// CDMA IS-824/IS-637.
        CDMA = 0x03,
    }
}

open_enum! {
    /// What a broadcast is about (SMPP 5.0 §4.8.4.8).
    pub struct BroadcastContent(u16) {
        /// Index.
        INDEX = 0x0000,
        /// Emergency.
        EMERGENCY = 0x0001,
        /// IRDB download.
        IRDB_DOWNLOAD = 0x0002,
        /// News flash.
        NEWS_FLASH = 0x0010,
        /// General news local.
        GENERAL_NEWS_LOCAL = 0x0011,
        /// General news regional.
        GENERAL_NEWS_REGIONAL = 0x0012,
        /// General news national.
        GENERAL_NEWS_NATIONAL = 0x0013,
        /// General news international.
        GENERAL_NEWS_INTERNATIONAL = 0x0014,
        /// Business news local.
        BUSINESS_NEWS_LOCAL = 0x0015,
        /// Business news regional.
        BUSINESS_NEWS_REGIONAL = 0x0016,
        /// Business news national.
        BUSINESS_NEWS_NATIONAL = 0x0017,
        /// Business news international.
        BUSINESS_NEWS_INTERNATIONAL = 0x0018,
        /// Sports news local.
        SPORTS_NEWS_LOCAL = 0x0019,
        /// Sports news regional.
        SPORTS_NEWS_REGIONAL = 0x001A,
        /// Sports news national.
        SPORTS_NEWS_NATIONAL = 0x001B,
        /// Sports news international.
        SPORTS_NEWS_INTERNATIONAL = 0x001C,
        /// Entertainment news local.
        ENTERTAINMENT_NEWS_LOCAL = 0x001D,
        /// Entertainment news regional.
        ENTERTAINMENT_NEWS_REGIONAL = 0x001E,
        /// Entertainment news national.
        ENTERTAINMENT_NEWS_NATIONAL = 0x001F,
        /// Entertainment news international.
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
        /// Directory national.
        DIRECTORY_NATIONAL = 0x0081,
        /// Directory international.
        DIRECTORY_INTERNATIONAL = 0x0082,
        /// Customer care national.
        CUSTOMER_CARE_NATIONAL = 0x0083,
        /// Customer care international.
        CUSTOMER_CARE_INTERNATIONAL = 0x0084,
        /// Local date time.
        LOCAL_DATE_TIME = 0x0085,
        /// Multi category.
        MULTI_CATEGORY = 0x0100,
    }
}

/// What a broadcast is about, in the terms of a network (SMPP 5.0 §4.8.4.8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BroadcastContentType {
    /// The network that broadcasts.
    pub network: BroadcastNetworkType,
    /// What it is about.
    pub content: BroadcastContent,
}

/// How often a broadcast is repeated (SMPP 5.0 §4.8.4.11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BroadcastFrequencyInterval {
    /// The unit of the interval.
    pub unit: BroadcastFrequencyUnit,
    /// How many units; not looked at where it is as often as possible.
    pub count: u16,
}

/// An area to broadcast to (SMPP 5.0 §4.8.4.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BroadcastArea<'a> {
    /// How it is described.
    pub format: BroadcastAreaFormat,
    /// The description: at most 100 octets.
    pub octets: &'a [u8],
}

/// In how much of an area a broadcast succeeded (SMPP 5.0 §4.8.4.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BroadcastAreaSuccess(
    /// Percent, `0..=100`, or [`UNKNOWN`](Self::UNKNOWN).
    pub u8,
);

impl BroadcastAreaSuccess {
    /// Nothing is known about it.
    pub const UNKNOWN: Self = Self(255);
}

octet_values! {
    BroadcastChannelIndicator = BroadcastChannelIndicator, |value| value.0;
    BroadcastMessageClass = BroadcastMessageClass, |value| value.0;
    BroadcastAreaSuccess = BroadcastAreaSuccess, |value| value.0;
}

impl Value<'_> for BroadcastContentType {
    fn read(octets: &[u8]) -> Option<Self> {
        let [network, high, low] = *octets else { return None };
        let content = BroadcastContent(u16::from_be_bytes([high, low]));
        Some(Self { network: BroadcastNetworkType(network), content })
    }
}

impl Inline for BroadcastContentType {
    fn inline(self) -> Octets {
        Octets::new(u32::from(self.network.0) << 16 | u32::from(self.content.0), 3)
    }
}

impl Value<'_> for BroadcastFrequencyInterval {
    fn read(octets: &[u8]) -> Option<Self> {
        let [unit, high, low] = *octets else { return None };
        Some(Self { unit: BroadcastFrequencyUnit(unit), count: u16::from_be_bytes([high, low]) })
    }
}

impl Inline for BroadcastFrequencyInterval {
    fn inline(self) -> Octets {
        Octets::new(u32::from(self.unit.0) << 16 | u32::from(self.count), 3)
    }
}

impl<'a> Value<'a> for BroadcastArea<'a> {
    fn read(octets: &'a [u8]) -> Option<Self> {
        let (format, octets) = octets.split_first()?;
        Some(Self { format: BroadcastAreaFormat(*format), octets })
    }
}
