//! The output of encoders.

use alloc::vec::Vec;

/// The output of an encoder: a `Vec` that grows, or a slice.
pub trait Sink {
    /// Appends `octets`.
    fn put(&mut self, octets: &[u8]);

    /// Appends one octet.
    fn octet(&mut self, octet: u8);

    /// Returns whether the encoder appends TLVs. A sink for a peer older than SMPP 3.4 returns `false`.
    #[inline]
    fn accepts_tlvs(&mut self) -> bool {
        true
    }
}

/// How to encode a field, or a sequence of fields.
pub trait Emit {
    /// Appends the encoded octets.
    fn emit<S: Sink>(&self, out: &mut S);

    /// Appends the pending octets and then the encoded octets. Returns the last octets as pending instead of
    /// appending them, if there are few.
    #[inline(always)]
    fn emit_after<S: Sink>(&self, pending: PendingOctets, out: &mut S) -> PendingOctets {
        pending.flush(out);
        self.emit(out);
        PendingOctets::default()
    }
}

impl Emit for u8 {
    #[inline]
    fn emit<S: Sink>(&self, out: &mut S) {
        out.octet(*self);
    }

    #[inline(always)]
    fn emit_after<S: Sink>(&self, pending: PendingOctets, out: &mut S) -> PendingOctets {
        pending.octet(*self, out)
    }
}

/// Up to eight neighbouring octets that are appended together: fields of one octet, the NUL of a string, a length.
/// Their number is known at compile time, so the compiler reduces this type to one copy of a constant length.
#[derive(Clone, Copy, Debug, Default)]
pub struct PendingOctets {
    /// The first `length` octets of this number are pending, the lowest first.
    octets: u64,
    length: usize,
}

impl PendingOctets {
    /// The NUL that ends a string.
    pub(crate) const NUL: Self = Self { octets: 0, length: 1 };

    /// Adds an octet. Appends the pending octets to `out` first if there are eight.
    #[inline(always)]
    #[must_use]
    pub(crate) fn octet<S: Sink>(self, octet: u8, out: &mut S) -> Self {
        if self.length < 8 {
            let octets = self.octets | u64::from(octet) << (8 * self.length);
            return Self { octets, length: self.length + 1 };
        }
        self.flush(out);
        Self { octets: octet.into(), length: 1 }
    }

    /// Appends the pending octets to `out`.
    #[inline(always)]
    pub(crate) fn flush<S: Sink>(self, out: &mut S) {
        if self.length > 0 {
            out.put(self.octets.to_le_bytes().get(..self.length).unwrap_or_default());
        }
    }
}

/// An optional body. `None` encodes to no octets.
impl<T: Emit> Emit for Option<T> {
    #[inline]
    fn emit<S: Sink>(&self, out: &mut S) {
        if let Some(body) = self {
            body.emit(out);
        }
    }
}

impl Sink for Vec<u8> {
    #[inline]
    fn put(&mut self, octets: &[u8]) {
        self.extend_from_slice(octets);
    }

    #[inline]
    fn octet(&mut self, octet: u8) {
        self.push(octet);
    }
}

/// A sink that omits TLVs, for a peer of version 3.3 or older.
#[derive(Debug)]
pub(crate) struct WithoutTlvs<'a> {
    pub(crate) out: &'a mut Vec<u8>,
    /// Whether any TLV was omitted.
    pub(crate) omitted: bool,
}

impl Sink for WithoutTlvs<'_> {
    fn put(&mut self, octets: &[u8]) {
        self.out.put(octets);
    }

    fn octet(&mut self, octet: u8) {
        self.out.octet(octet);
    }

    fn accepts_tlvs(&mut self) -> bool {
        self.omitted = true;
        false
    }
}

/// A sink over a slice. After the slice is full it only counts, so that the caller learns the needed length.
#[derive(Debug)]
pub(crate) struct SliceSink<'a> {
    free: &'a mut [u8],
    needed: usize,
}

impl<'a> SliceSink<'a> {
    pub(crate) fn new(free: &'a mut [u8]) -> Self {
        Self { free, needed: 0 }
    }

    /// Returns the number of octets appended, including those that did not fit.
    pub(crate) fn needed(&self) -> usize {
        self.needed
    }
}

impl Sink for SliceSink<'_> {
    #[inline]
    fn put(&mut self, octets: &[u8]) {
        self.needed = self.needed.saturating_add(octets.len());
        match core::mem::take(&mut self.free).split_at_mut_checked(octets.len()) {
            Some((head, tail)) => {
                head.copy_from_slice(octets);
                self.free = tail;
            }
            None => self.free = &mut [],
        }
    }

    #[inline]
    fn octet(&mut self, octet: u8) {
        self.needed = self.needed.saturating_add(1);
        if let Some((first, tail)) = core::mem::take(&mut self.free).split_first_mut() {
            *first = octet;
            self.free = tail;
        }
    }
}
