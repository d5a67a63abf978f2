//! Providers and their dialects of receipts.

use alloc::string::{String, ToString};
use core::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Unexpected, Visitor};

use super::duration::Span;
use super::names::Named;
use super::number::Positive;
use super::statuses::StatusLists;
use super::table;
use super::value::{Flags, Items, OrNone, RateTable, SomeItems, Text, Value};
use crate::header::InterfaceVersion;
use crate::pdu::BindMode;
use crate::provider::{
    HostStatus, LongMessages, Provider, ReceiptDialect, ReceiptRoute, ReceiptScope, Region, StateWord,
    TlsVersion,
};
use crate::session::Operations;
use crate::sms::time::UtcOffset;
use crate::sms::{Alphabet, Codings, Detection, IdFallback, IdNotation, MessageIdPolicy, NumericIds};
use crate::values::{DataCoding, EsmClass, MessageState, RegisteredDelivery};
use crate::wire::Quirks;

/// The providers that the library knows, by the names that a file may state.
const NAMES: &str = "\"8x8\" or \"unstated\"";

fn by_name(name: &str) -> Option<Provider> {
    match name {
        "8x8" => Some(Provider::EIGHT_BY_EIGHT),
        "unstated" => Some(Provider::UNSTATED),
        _ => None,
    }
}

impl<'de> Deserialize<'de> for Provider {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrTable;

        impl<'de> Visitor<'de> for NameOrTable {
            type Value = Provider;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "the name of a provider, {NAMES}, or a table with its values")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Provider, E> {
                by_name(name).ok_or_else(|| E::invalid_value(Unexpected::Str(name), &self))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Provider, A::Error> {
                let table = ProviderTable::deserialize(MapAccessDeserializer::new(map))?;
                let base = table.base.as_deref().unwrap_or("unstated");
                let mut provider = by_name(base).ok_or_else(|| {
                    let base = Unexpected::Str(base);
                    de::Error::invalid_value(base, &format_args!("{NAMES} as the base").to_string().as_str())
                })?;
                table.apply(&mut provider);
                Ok(provider)
            }
        }

        deserializer.deserialize_any(NameOrTable)
    }
}

table! {
    ProviderTable for Provider {
        name: Text,
        host: Text,
        regions: Items<RegionTable>,
        plain_port: OrNone<Positive<u16>>,
        tls_port: OrNone<Positive<u16>>,
        tls_versions: Items<Named<TlsVersion>>,
        interface_version: Named<InterfaceVersion>,
        bind_quirks: Flags<Named<Quirks>>,
        max_binds: OrNone<Positive<u16>>,
        recommended_binds: Items<Named<BindMode>>,
        rate: OrNone<RateTable>,
        window: OrNone<Positive<u16>>,
        enquire_link_interval: OrNone<Span>,
        operations: Flags<Named<Operations>>,
        data_codings: Items<Named<DataCoding>>,
        alphabets: SomeItems<Named<Alphabet>>,
        long_messages: OrNone<Named<LongMessages>>,
        max_message_id: OrNone<Positive<usize>>,
        statuses: StatusLists,
    }
    tables {
        codings: CodingsTable,
        receipts: DialectTable,
    }
    keys {
        base: String,
    }
}

table! {
    CodingsTable for Codings {
        smsc_default: Named<Alphabet>,
        ia5: Named<Alphabet>,
    }
}

table! {
    /// `ReceiptDialect`, but for the function `parser`.
    DialectTable for ReceiptDialect {
        registered_delivery: OrNone<Named<RegisteredDelivery>>,
        request_on_last_segment: bool,
        scope: Named<ReceiptScope>,
        states: Items<Named<MessageState>>,
        final_states: Items<Named<MessageState>>,
        state_words: Items<StateWordTable>,
        route: OrNone<Named<ReceiptRoute>>,
        detection: Named<Detection>,
        esm_classes: Items<Named<EsmClass>>,
        message_ids: PolicyTable,
        id_fallback: Named<IdFallback>,
        offset: OrNone<Named<UtcOffset>>,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegionTable {
    name: Text,
    host: Text,
}

impl Value for RegionTable {
    type Field = Region;

    fn value(self) -> Region {
        Region { name: self.name.value(), host: self.host.value(), status: HostStatus::Documented }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StateWordTable {
    word: Text,
    state: Named<MessageState>,
    is_final: bool,
}

impl Value for StateWordTable {
    type Field = StateWord;

    fn value(self) -> StateWord {
        StateWord { word: self.word.value(), state: self.state.value(), is_final: self.is_final }
    }
}

/// `MessageIdPolicy`. With one notation, ids have it on both sides.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyTable {
    #[serde(default)]
    ignore_case: bool,
    submitted: Option<Named<IdNotation>>,
    receipted: Option<Named<IdNotation>>,
}

impl Value for PolicyTable {
    type Field = MessageIdPolicy;

    fn value(self) -> MessageIdPolicy {
        let (submitted, receipted) = (self.submitted.map(Value::value), self.receipted.map(Value::value));
        let numbers = submitted.or(receipted).zip(receipted.or(submitted));
        let numbers = numbers.map(|(submitted, receipted)| NumericIds { submitted, receipted });
        MessageIdPolicy { ignore_case: self.ignore_case, numbers }
    }
}
