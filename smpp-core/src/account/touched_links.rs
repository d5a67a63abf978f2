//! The connection slots whose sessions may have changed.

use alloc::vec::Vec;
use core::mem;

use super::link::LinkId;

/// The slots whose sessions may have changed, for the account and for the adapter.
#[derive(Debug, Default)]
pub(super) struct TouchedLinks {
    unchecked: Vec<LinkId>,
    changed: Vec<LinkId>,
}

/// In which lists of [`TouchedLinks`] a slot is.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// The account has not looked at it since.
    pub(super) is_unchecked: bool,
    /// The adapter has not looked at it since.
    pub(super) is_changed: bool,
}

impl TouchedLinks {
    /// Adds a slot, unless it is there.
    #[inline]
    pub(super) fn add(&mut self, link: LinkId, touched: &mut Touched) {
        if !mem::replace(&mut touched.is_unchecked, true) {
            self.unchecked.push(link);
        }
        self.add_changed(link, touched);
    }

    /// Adds a slot for the adapter only.
    #[inline]
    pub(super) fn add_changed(&mut self, link: LinkId, touched: &mut Touched) {
        if !mem::replace(&mut touched.is_changed, true) {
            self.changed.push(link);
        }
    }

    /// Returns whether the account has looked at all slots since they changed.
    pub(super) const fn is_checked(&self) -> bool {
        self.unchecked.is_empty()
    }

    pub(super) fn next_unchecked(&mut self) -> Option<LinkId> {
        self.unchecked.pop()
    }

    pub(super) fn next_changed(&mut self) -> Option<LinkId> {
        self.changed.pop()
    }
}
