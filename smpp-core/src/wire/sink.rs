//! Where octets go.

use alloc::vec::Vec;

/// Where octets go. A `Vec` grows; a slice says when it is full.
pub trait Sink {
    /// Appends `octets`.
    fn put(&mut self, octets: &[u8]);

    /// Appends one octet.
    fn octet(&mut self, octet: u8);

    /// Whether TLVs are to be appended too.
    #[inline]
    fn takes_tlvs(&mut self) -> bool {
        true
    }
}

/// How a field, or a sequence of fields, is written.
pub trait Emit {
    /// Appends the octets.
    fn emit<S: Sink>(&self, out: &mut S);

    /// The octet, of a field that is one octet.
    #[inline]
    fn as_octet(&self) -> Option<u8> {
        None
    }
}

impl Emit for u8 {
    #[inline]
    fn emit<S: Sink>(&self, out: &mut S) {
        out.octet(*self);
    }

    #[inline]
    fn as_octet(&self) -> Option<u8> {
        Some(*self)
    }
}

/// Neighbouring fields of one octet each, put at once. Which fields those are is known when the code is compiled:
/// nothing of this is left but one copy of a constant length.
#[derive(Clone, Copy, Default)]
pub(crate) struct Run {
    /// The last `length` of its octets.
    octets: u64,
    length: usize,
}

impl Run {
    /// Adds a field of one octet, or puts what was collected and the field behind it.
    #[inline(always)]
    #[must_use]
    pub(crate) fn field<S: Sink>(self, field: &impl Emit, out: &mut S) -> Self {
        match field.as_octet() {
            Some(octet) if self.length < 8 => {
                Self { octets: self.octets << 8 | u64::from(octet), length: self.length + 1 }
            }
            Some(octet) => {
                self.flush(out);
                Self { octets: octet.into(), length: 1 }
            }
            None => {
                self.flush(out);
                field.emit(out);
                Self::default()
            }
        }
    }

    /// Puts what was collected.
    #[inline(always)]
    pub(crate) fn flush<S: Sink>(self, out: &mut S) {
        if self.length > 0 {
            out.put(self.octets.to_be_bytes().get(8 - self.length..).unwrap_or_default());
        }
    }
}

/// A body that may be absent.
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

/// A sink for a peer of version 3.3 or older: without TLVs, and it tells whether any were left out.
#[derive(Debug)]
pub(crate) struct WithoutTlvs<'a> {
    pub(crate) out: &'a mut Vec<u8>,
    pub(crate) left_out: bool,
}

impl Sink for WithoutTlvs<'_> {
    fn put(&mut self, octets: &[u8]) {
        self.out.put(octets);
    }

    fn octet(&mut self, octet: u8) {
        self.out.octet(octet);
    }

    fn takes_tlvs(&mut self) -> bool {
        self.left_out = true;
        false
    }
}

/// A sink over borrowed memory. It counts on past the end, so that the caller learns what was needed.
#[derive(Debug)]
pub(crate) struct SliceSink<'a> {
    free: &'a mut [u8],
    needed: usize,
}

impl<'a> SliceSink<'a> {
    pub(crate) fn new(free: &'a mut [u8]) -> Self {
        Self { free, needed: 0 }
    }

    /// How many octets were put, whether they found room or not.
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
