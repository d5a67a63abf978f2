//! The entries of an inbox, from the driver to the application. Their PDUs are stored one after the other in chunks.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use smpp_proto::session::Reply;
use smpp_proto::{
    Bind, BroadcastSm, CancelBroadcastSm, CancelSm, DataSm, DeliverSm, Frame, QueryBroadcastSm, QuerySm,
    ReplaceSm, SequenceNumber, SubmitMulti, SubmitSm,
};

use crate::macros::with_requests;
use crate::wait::RequestResult;

/// The octets of a chunk, unless one PDU is longer. As long as the application keeps one of the PDUs in it, it keeps the
/// memory of all.
const CHUNK: usize = 1024;

macro_rules! queued {
    ($($(#[$meta:meta])* $name:ident,)+) => {
        /// An entry of the inbox. That of a PDU has its length.
        pub(crate) enum Queued {
            $($name(u32, Reply<$name<'static>>),)+
            Notification(u32),
            /// In a box, because it is rare and larger than the others.
            LateResponse(SequenceNumber, Box<RequestResult>),
        }
    };
}

with_requests!(queued);

/// The entries that the application has not fetched.
#[derive(Default)]
pub(crate) struct InboundQueue {
    entries: Entries,
    /// The last chunk, with space for more.
    chunk: BytesMut,
}

#[derive(Default)]
struct Entries {
    queued: VecDeque<Queued>,
    /// The PDUs of these entries, without those in the last chunk.
    chunks: VecDeque<Bytes>,
}

/// The entries that the application has fetched in one go and that [`Inbox::recv`](crate::Inbox::recv) has not returned yet.
#[derive(Default)]
pub(crate) struct Fetched {
    entries: Entries,
    /// What is left of the chunk that the next PDU is in; if it is empty, the next PDU begins a chunk.
    chunk: Bytes,
}

impl InboundQueue {
    pub(crate) fn len(&self) -> usize {
        self.entries.queued.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.queued.is_empty()
    }

    /// Adds an entry that has no PDU.
    pub(crate) fn push(&mut self, queued: Queued) {
        self.entries.queued.push_back(queued);
    }

    /// Adds an entry with its PDU.
    #[inline]
    pub(crate) fn push_frame(&mut self, frame: Frame<&[u8]>, queued: Queued) {
        let octets = frame.octets();
        if self.chunk.capacity() - self.chunk.len() < octets.len() {
            self.add_chunk(octets.len());
        }
        self.chunk.extend_from_slice(octets);
        self.entries.queued.push_back(queued);
    }

    #[cold]
    fn add_chunk(&mut self, octets: usize) {
        if !self.chunk.is_empty() {
            self.entries.chunks.push_back(std::mem::take(&mut self.chunk).freeze());
        }
        if self.entries.queued.capacity() == 0 {
            // The first request is the bind, and in many sessions the only one.
            self.entries.queued.reserve_exact(1);
            self.chunk.reserve(octets);
        } else {
            self.chunk.reserve(octets.max(CHUNK));
        }
    }

    /// Moves all entries to `fetched`, which has none.
    pub(crate) fn fetch(&mut self, fetched: &mut Fetched) {
        if self.chunk.len() == self.chunk.capacity() {
            let chunk = std::mem::take(&mut self.chunk);
            self.entries.chunks.extend((!chunk.is_empty()).then(|| chunk.freeze()));
        } else if !self.chunk.is_empty() {
            self.entries.chunks.push_back(self.chunk.split().freeze());
        }
        std::mem::swap(&mut self.entries, &mut fetched.entries);
    }
}

impl Fetched {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.queued.is_empty()
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Queued> {
        self.entries.queued.pop_front()
    }

    /// Removes the PDU of the entry that was popped last; it has so many octets. There always is one.
    #[inline]
    pub(crate) fn pop_frame(&mut self, octets: u32) -> Option<Frame<Bytes>> {
        if self.chunk.is_empty() {
            self.chunk = self.entries.chunks.pop_front()?;
        }
        let octets = (octets as usize).min(self.chunk.len());
        Frame::new(self.chunk.split_to(octets))
    }
}

#[cfg(test)]
mod tests {
    use smpp_proto::session::RequestError;
    use smpp_proto::{Pdu, SequenceNumber};

    use super::*;

    /// Adds a PDU with this length, whose sequence number is `number`.
    fn push(queue: &mut InboundQueue, number: u32, length: usize) {
        let mut octets =
            Frame::encode(&Pdu::EnquireLink, smpp_proto::CommandStatus::ROK, SequenceNumber(number))
                .octets()
                .to_vec();
        octets.resize(length, 7);
        octets[..4].copy_from_slice(&(length as u32).to_be_bytes());
        let frame = Frame::new(octets.as_slice()).unwrap();
        queue.push_frame(frame, Queued::Notification(length as u32));
    }

    /// Returns the sequence number and the length of the next PDU.
    fn pop(fetched: &mut Fetched) -> Option<(u32, usize)> {
        let Queued::Notification(octets) = fetched.pop()? else { return Some((0, 0)) };
        let frame = fetched.pop_frame(octets).unwrap();
        Some((frame.header().sequence.0, frame.octets().len()))
    }

    #[test]
    fn entries_keep_their_order_and_their_pdus_in_chunks_of_any_length() {
        let (mut queue, mut fetched) = (InboundQueue::default(), Fetched::default());
        let lengths = [16, 60, 900, 60, 1024, 1025, 40, 4000, 16, 70, 1024, 16];
        // Fetched after each number of entries.
        for together in 1..=lengths.len() {
            let expected: Vec<_> = (1..).zip(lengths).collect();
            let mut popped = Vec::new();
            for batch in expected.chunks(together) {
                for (number, length) in batch {
                    push(&mut queue, *number, *length);
                }
                assert_eq!(queue.len(), batch.len());
                queue.fetch(&mut fetched);
                assert!(queue.is_empty());
                while let Some(next) = pop(&mut fetched) {
                    popped.push(next);
                }
                assert!(fetched.chunk.is_empty() && fetched.entries.chunks.is_empty());
            }
            assert_eq!(popped, expected, "{together} at once");
        }
    }

    #[test]
    fn a_pdu_keeps_at_most_the_memory_of_its_chunk_and_entries_without_a_pdu_keep_their_place() {
        let (mut queue, mut fetched) = (InboundQueue::default(), Fetched::default());
        push(&mut queue, 1, 50);
        assert_eq!((queue.chunk.capacity(), queue.entries.queued.capacity()), (50, 1), "the bind");
        push(&mut queue, 2, 60);
        let error = RequestError::NeverSent(smpp_proto::session::NotSentReason::TooLong);
        queue.push(Queued::LateResponse(SequenceNumber(9), Box::new(Err(error))));
        for number in 3..40 {
            push(&mut queue, number, 60);
            assert!(queue.chunk.capacity() <= CHUNK);
        }
        queue.fetch(&mut fetched);
        assert!(fetched.entries.chunks.iter().all(|chunk| chunk.len() <= CHUNK));
        let numbers: Vec<_> = std::iter::from_fn(|| pop(&mut fetched)).map(|(number, _)| number).collect();
        assert_eq!(numbers, [1, 2, 0].into_iter().chain(3..40).collect::<Vec<_>>());
    }
}
