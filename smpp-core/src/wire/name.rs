//! The names of fields, for errors and visitors.

/// The name of a field in the specification. An address has three names, for TON, NPI and digits. A counted field
/// has two, for its count and its content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldName {
    parts: &'static [&'static str; 3],
    part: usize,
}

impl FieldName {
    /// Returns the names that belong to a field of a PDU struct.
    pub(crate) const fn parts(field: &'static str) -> [&'static str; 3] {
        match field.as_bytes() {
            b"source" => ["source_addr_ton", "source_addr_npi", "source_addr"],
            b"destination" => ["dest_addr_ton", "dest_addr_npi", "destination_addr"],
            b"esme" => ["esme_addr_ton", "esme_addr_npi", "esme_addr"],
            b"address_range" => ["addr_ton", "addr_npi", "address_range"],
            b"short_message" => ["sm_length", "short_message", ""],
            b"destinations" => ["number_of_dests", "dest_flag", ""],
            b"unsuccessful" => ["no_unsuccess", "", ""],
            _ => [field; 3],
        }
    }

    /// Returns the first of these names.
    pub(crate) const fn new(parts: &'static [&'static str; 3]) -> Self {
        Self { parts, part: 0 }
    }

    /// Returns the name with this index of the same field.
    #[inline]
    pub(crate) const fn part(self, part: usize) -> Self {
        Self { parts: self.parts, part }
    }

    /// Returns the name as text.
    pub(crate) fn get(self) -> &'static str {
        self.parts.get(self.part).copied().unwrap_or_default()
    }
}

/// The [`FieldName`] of a struct field, as a constant.
macro_rules! field_name {
    ($field:expr) => {{
        const PARTS: [&str; 3] = $crate::wire::FieldName::parts($field);
        $crate::wire::FieldName::new(&PARTS)
    }};
}
pub(crate) use field_name;
