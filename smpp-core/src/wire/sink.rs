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

    /// Appends what was collected before, and the octets. The last of them may be collected instead.
    #[inline(always)]
    fn emit_behind<S: Sink>(&self, run: Run, out: &mut S) -> Run {
        run.flush(out);
        self.emit(out);
        Run::default()
    }
}

impl Emit for u8 {
    #[inline]
    fn emit<S: Sink>(&self, out: &mut S) {
        out.octet(*self);
    }

    #[inline(always)]
    fn emit_behind<S: Sink>(&self, run: Run, out: &mut S) -> Run {
        run.octet(*self, out)
    }
}

/// Neighbouring octets that each are a field, or the NUL or the length of one, put at once. Which those are is known
/// when the code is compiled: nothing of this is left but one copy of a constant length.
#[derive(Clone, Copy, Debug, Default)]
pub struct Run {
    /// The first `length` of its octets, the lowest first.
    octets: u64,
    length: usize,
}

impl Run {
    /// The NUL that ends a string.
    pub(crate) const NUL: Self = Self { octets: 0, length: 1 };

    /// Adds an octet.
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

    /// Puts what was collected.
    #[inline(always)]
    pub(crate) fn flush<S: Sink>(self, out: &mut S) {
        if self.length > 0 {
            out.put(self.octets.to_le_bytes().get(..self.length).unwrap_or_default());
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
