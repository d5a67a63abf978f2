//! How many binds, in which modes, at which endpoints.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use super::number::AnyNumber;
use crate::account::Binds;
use crate::endpoint::Endpoint;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    transceivers: Option<AnyNumber<u16>>,
    transmitters: Option<AnyNumber<u16>>,
    receivers: Option<AnyNumber<u16>>,
    pairs: Option<AnyNumber<u16>>,
    endpoints: Option<Urls>,
}

impl Group {
    fn add_to<E: de::Error>(self, mut binds: Binds) -> Result<Binds, E> {
        let Self { transceivers, transmitters, receivers, pairs, endpoints } = self;
        let endpoints = endpoints.map(Urls::endpoints).transpose()?;
        let of_modes = [
            transceivers.map(AnyNumber::get).map(Binds::transceivers),
            transmitters.map(AnyNumber::get).map(Binds::transmitters),
            receivers.map(AnyNumber::get).map(Binds::receivers),
            pairs.map(AnyNumber::get).map(Binds::pairs),
        ];
        for group in of_modes.into_iter().flatten() {
            binds = binds.and(match &endpoints {
                Some(endpoints) => group.at(endpoints.iter().cloned()),
                None => group,
            });
        }
        Ok(binds)
    }
}

impl<'de> Deserialize<'de> for Binds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Groups;

        impl<'de> Visitor<'de> for Groups {
            type Value = Binds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table such as { transceivers = 2 }, or a list of such tables")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Binds, A::Error> {
                Group::deserialize(MapAccessDeserializer::new(map))?.add_to(Binds::NONE)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Binds, A::Error> {
                let mut binds = Binds::NONE;
                while let Some(group) = list.next_element::<Group>()? {
                    binds = group.add_to(binds)?;
                }
                Ok(binds)
            }
        }

        deserializer.deserialize_any(Groups)
    }
}

/// The URLs of endpoints: one, or a list. An error does not show them: a URL may have a password.
pub(super) struct Urls(Vec<String>);

impl Urls {
    pub(super) fn endpoints<E: de::Error>(self) -> Result<Vec<Endpoint>, E> {
        let parse = |(index, url): (usize, &String)| {
            url.parse().map_err(|error| E::custom(format_args!("URL {} of endpoints: {error}", index + 1)))
        };
        self.0.iter().enumerate().map(parse).collect()
    }
}

impl<'de> Deserialize<'de> for Urls {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;

        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Urls;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a URL, or a list of URLs")
            }

            fn visit_str<E: de::Error>(self, url: &str) -> Result<Urls, E> {
                Ok(Urls(alloc::vec![url.into()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Urls, A::Error> {
                let mut urls = Vec::new();
                while let Some(url) = list.next_element()? {
                    urls.push(url);
                }
                Ok(Urls(urls))
            }
        }

        deserializer.deserialize_any(OneOrMore)
    }
}
