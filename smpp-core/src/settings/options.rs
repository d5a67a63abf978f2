//! The options of an account and the configuration of a session.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Unexpected, Visitor};

use super::binds::Urls;
use super::duration::{PositiveSpan, Span};
use super::names::Named;
use super::number::{AnyNumber, Positive, Whole};
use super::provider::{CodingsTable, DialectTable};
use super::statuses::StatusLists;
use super::table;
use super::value::{Flags, Items, OrNone, RateTable, SomeItems, Value};
use crate::account::{
    Backoff, Binds, Credentials, Options, ReceiptOptions, SegmentAckMode, UnansweredPolicy,
};
use crate::header::InterfaceVersion;
use crate::provider::{LongMessages, Provider};
use crate::session::{Config, Operations};
use crate::sms::gsm7::Language;
use crate::sms::{Alphabet, ReassemblyLimits, TextOptions};
use crate::values::{Npi, Ton};
use crate::wire::{Quirks, Tolerance};

table! {
    ConfigTable for Config {
        window: Positive<u16>,
        max_unanswered: Positive<u16>,
        backpressure_timeout: Span,
        max_pdu: Whole<usize, 16>,
        max_output: Positive<usize>,
        max_malformed: AnyNumber<u32>,
        tolerance: OrNone<Named<Tolerance>>,
        operations: Flags<Named<Operations>>,
        assumed_version: Named<InterfaceVersion>,
        peer_version: OrNone<Named<InterfaceVersion>>,
        rate: OrNone<RateTable>,
        slow_down_when_throttled: bool,
        session_init_timeout: PositiveSpan,
        awaits_outbind: bool,
        enquire_link_interval: OrNone<Span>,
        response_timeout: PositiveSpan,
        late_response_timeout: Span,
        max_response_timeouts: AnyNumber<u16>,
        inactivity_timeout: OrNone<PositiveSpan>,
        enquire_link_is_activity: bool,
        drain_timeout: Span,
    }
}

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut config = Self::default();
        ConfigTable::deserialize(deserializer)?.apply(&mut config);
        Ok(config)
    }
}

table! {
    BackoffTable for Backoff {
        initial: Span,
        max: Span,
        reset_after: Span,
    }
}

table! {
    ReceiptTable for ReceiptOptions {
        capacity: AnyNumber<usize>,
        max_age: Span,
        remember_completed: Span,
        early_capacity: AnyNumber<usize>,
    }
    tables {
        dialect: DialectTable,
    }
}

table! {
    ReassemblyTable for ReassemblyLimits {
        max_messages: AnyNumber<usize>,
        max_octets: AnyNumber<usize>,
        max_messages_per_sender: AnyNumber<usize>,
        max_octets_per_sender: AnyNumber<usize>,
        max_age: Span,
        duplicate_window: Span,
    }
}

type StaticTextOptions = TextOptions<'static>;

table! {
    TextTable for StaticTextOptions {
        alphabets: SomeItems<Named<Alphabet>>,
        languages: Items<Named<Language>>,
    }
    tables {
        codings: CodingsTable,
    }
}

table! {
    OptionsTable for Options {
        interface_version: Named<InterfaceVersion>,
        bind_quirks: Flags<Named<Quirks>>,
        binds: Binds,
        max_binds: AnyNumber<u16>,
        connect_interval: Span,
        connect_timeout: PositiveSpan,
        long_messages: Named<LongMessages>,
        queue_capacity: Positive<usize>,
        request_capacity: AnyNumber<usize>,
        unanswered_policy: UnansweredPolicy,
        rate: OrNone<RateTable>,
        spread_segments: bool,
        segment_ack_timeout: Span,
        unbind_timeout: Span,
        segment_ack_mode: Named<SegmentAckMode>,
        seed: OrNone<AnyNumber<u64>>,
    }
    tables {
        backoff: BackoffTable,
        session: ConfigTable,
        text: TextTable,
        receipts: ReceiptTable,
        reassembly: ReassemblyTable,
    }
    keys {
        system_id: String,
        password: Secret,
        system_type: String,
        addr_ton: Named<Ton>,
        addr_npi: Named<Npi>,
        address_range: String,
        provider: Provider,
        endpoints: Urls,
        statuses: StatusLists,
    }
}

impl OptionsTable {
    fn options<E: de::Error>(mut self) -> Result<Options, E> {
        let endpoints = self.endpoints.take().map(Urls::endpoints).transpose()?.unwrap_or_default();
        let of_url = endpoints.first().map(|first| (first.system_id.clone(), first.password.clone()));
        let (system_id, password) = of_url.unwrap_or_default();
        let credentials = Credentials {
            system_id: self.system_id.take().or(system_id).unwrap_or_default(),
            password: self.password.take().map(|Secret(password)| password).or(password).unwrap_or_default(),
            system_type: self.system_type.take().unwrap_or_default(),
            addr_ton: self.addr_ton.take().map(Value::value).unwrap_or_default(),
            addr_npi: self.addr_npi.take().map(Value::value).unwrap_or_default(),
            address_range: self.address_range.take().unwrap_or_default(),
            tlvs: Vec::new(),
        };
        if credentials.system_id.is_empty() {
            return Err(E::missing_field("system_id"));
        }
        let provider = self.provider.take().unwrap_or(Provider::UNSTATED);
        let mut options = Options { endpoints, ..Options::new(credentials, &provider) };
        if let Some(statuses) = self.statuses.take() {
            options.statuses = statuses.add_to(options.statuses);
        }
        self.apply(&mut options);
        Ok(options)
    }
}

impl<'de> Deserialize<'de> for Options {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        OptionsTable::deserialize(deserializer)?.options()
    }
}

/// A password. An error does not show what is stated instead of a text: it may be the password without quotes.
struct Secret(String);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Text {
            fn error<E: de::Error>(&self) -> E {
                E::custom(format_args!("invalid type, expected {}", self as &dyn de::Expected))
            }
        }

        impl Visitor<'_> for Text {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the password as a text in quotes")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
                Ok(Secret(text.into()))
            }

            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Secret, E> {
                Err(self.error())
            }

            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Secret, E> {
                Err(self.error())
            }

            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Secret, E> {
                Err(self.error())
            }
        }

        deserializer.deserialize_any(Text)
    }
}

impl Value for Binds {
    type Field = Self;

    fn value(self) -> Self {
        self
    }
}

impl Value for UnansweredPolicy {
    type Field = Self;

    fn value(self) -> Self {
        self
    }
}

impl<'de> Deserialize<'de> for UnansweredPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Resend {
            resend: AnyNumber<u16>,
        }

        struct Policy;

        impl<'de> Visitor<'de> for Policy {
            type Value = UnansweredPolicy;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"report\" or { resend = 2 }")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<UnansweredPolicy, E> {
                match name {
                    "report" => Ok(UnansweredPolicy::Report),
                    _ => Err(E::invalid_value(Unexpected::Str(name), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<UnansweredPolicy, A::Error> {
                let Resend { resend } = Resend::deserialize(MapAccessDeserializer::new(map))?;
                Ok(UnansweredPolicy::Resend(resend.get()))
            }
        }

        deserializer.deserialize_any(Policy)
    }
}
