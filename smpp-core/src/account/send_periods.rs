//! Which segments are still in flight of those that were at an earlier time.

use alloc::collections::VecDeque;

/// Counts the segments in flight by the period in which they were sent. A period ends when the caller has to know later whether
/// all that was in flight has its response: so there is one, unless receipts have arrived before their `submit_sm_resp`.
#[derive(Debug)]
pub(super) struct SendPeriods {
    /// The number of the first period that is counted.
    first: u64,
    /// The segments in flight of each period from the first on. Only the last may be 0 if it is the first, too.
    in_flight: VecDeque<usize>,
    total: usize,
}

impl SendPeriods {
    pub(super) const fn new() -> Self {
        Self { first: 1, in_flight: VecDeque::new(), total: 0 }
    }

    /// Returns how many segments are in flight.
    pub(super) const fn total(&self) -> usize {
        self.total
    }

    /// Counts a segment that was sent, and returns its period.
    #[inline]
    pub(super) fn begin(&mut self) -> u64 {
        self.total += 1;
        match self.in_flight.back_mut() {
            Some(last) => *last += 1,
            None => self.in_flight.push_back(1),
        }
        self.first + self.in_flight.len() as u64 - 1
    }

    /// Counts the end of a segment that was sent in this period.
    #[inline]
    pub(super) fn end(&mut self, period: u64) {
        let index = period.checked_sub(self.first).map(|index| index as usize);
        if let Some(count) = index.and_then(|index| self.in_flight.get_mut(index)) {
            *count = count.saturating_sub(1);
            self.total = self.total.saturating_sub(1);
        }
        while self.in_flight.len() > 1 && self.in_flight.front() == Some(&0) {
            self.in_flight.pop_front();
            self.first += 1;
        }
    }

    /// Frees memory if most of it is unused.
    pub(super) fn shrink(&mut self) {
        if self.in_flight.len() < self.in_flight.capacity() / 4 {
            self.in_flight.shrink_to(2 * self.in_flight.len());
        }
    }

    /// Returns the period of the last segments in flight: those that are sent after [`separate`](Self::separate) have a later
    /// one.
    pub(super) fn last(&self) -> u64 {
        let length = self.in_flight.len() as u64;
        let is_empty = self.in_flight.back().is_none_or(|last| *last == 0);
        (self.first + length).saturating_sub(if is_empty && length > 0 { 2 } else { 1 })
    }

    /// Ends the last period, unless nothing is in flight of it.
    pub(super) fn separate(&mut self) {
        if self.in_flight.back().is_some_and(|last| *last > 0) {
            self.in_flight.push_back(0);
        }
    }

    /// Returns whether a segment of this period, or of an earlier one, is still in flight.
    pub(super) fn is_in_flight(&self, period: u64) -> bool {
        self.first <= period && self.in_flight.front().is_some_and(|first| *first > 0)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn a_period_is_in_flight_until_all_that_was_sent_in_it_has_ended() {
        let mut periods = SendPeriods::new();
        assert!(!periods.is_in_flight(periods.last()), "nothing was sent");
        let [first, second] = [periods.begin(), periods.begin()];
        let before = periods.last();
        periods.separate();
        let third = periods.begin();
        periods.end(first);
        assert!(periods.is_in_flight(before));
        periods.end(second);
        assert!(!periods.is_in_flight(before) && periods.is_in_flight(periods.last()));
        periods.separate();
        periods.separate();
        assert_eq!((periods.last(), periods.total()), (third, 1), "nothing was sent after the third");
        periods.end(third);
        assert!(!periods.is_in_flight(u64::MAX));
        assert_eq!(periods.in_flight.len(), 1, "periods do not pile up");
    }

    #[test]
    fn many_periods_give_their_memory_back() {
        let mut periods = SendPeriods::new();
        let sent: Vec<u64> = (0..1_000)
            .map(|_| {
                let sent = periods.begin();
                periods.separate();
                sent
            })
            .collect();
        periods.shrink();
        for sent in &sent[..999] {
            periods.end(*sent);
        }
        periods.shrink();
        assert!(periods.in_flight.capacity() <= 8, "{}", periods.in_flight.capacity());
        assert!(periods.is_in_flight(sent[999]) && !periods.is_in_flight(sent[998]));
    }
}
