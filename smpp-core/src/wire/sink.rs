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
}

impl Emit for u8 {
    #[inline]
    fn emit<S: Sink>(&self, out: &mut S) {
        out.octet(*self);
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
        self.needed += octets.len();
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
        self.put(&[octet]);
    }
}
