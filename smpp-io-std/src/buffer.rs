//! The receive buffer of a session.

/// The initial size in octets. It is enough for a session with little traffic.
const INITIAL: usize = 1024;

/// Received octets that the session has not consumed. The buffer grows when a PDU does not fit or a read has filled it,
/// up to `limit`, the longest PDU that the session accepts.
#[derive(Debug)]
pub(crate) struct Buffer {
    octets: Vec<u8>,
    filled: usize,
    limit: usize,
    /// Whether the last read filled the buffer, so that more octets probably wait in the socket.
    was_full: bool,
}

impl Buffer {
    pub(crate) fn new(limit: usize) -> Self {
        Self { octets: vec![0; INITIAL.min(limit)], filled: 0, limit, was_full: false }
    }

    /// Frees memory if the buffer is empty.
    pub(crate) fn shrink(&mut self) {
        if self.filled == 0 && self.octets.len() > INITIAL {
            *self = Self::new(self.limit);
        }
    }

    /// Raises the limit. A lower one changes nothing.
    pub(crate) fn raise_limit(&mut self, limit: usize) {
        self.limit = self.limit.max(limit);
    }

    /// Returns the octets that were received.
    pub(crate) fn received(&self) -> &[u8] {
        self.octets.get(..self.filled).unwrap_or_default()
    }

    /// Keeps the last `remaining` octets and drops those before them.
    pub(crate) fn keep_last(&mut self, remaining: usize) {
        let remaining = remaining.min(self.filled);
        self.octets.copy_within(self.filled - remaining..self.filled, 0);
        self.filled = remaining;
    }

    /// Returns the space to read into. It is empty only if the buffer is full and has reached its limit.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        if self.was_full {
            self.was_full = false;
            let length = (2 * self.octets.len()).clamp(INITIAL.min(self.limit), self.limit);
            self.octets.resize(length, 0);
        }
        self.octets.get_mut(self.filled..).unwrap_or_default()
    }

    /// Records that a read has put `read` octets into [`space`](Self::space).
    pub(crate) fn advance(&mut self, read: usize) {
        self.filled = self.octets.len().min(self.filled + read);
        self.was_full = self.filled == self.octets.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(buffer: &mut Buffer, octets: &[u8]) -> usize {
        let space = buffer.space();
        let read = space.len().min(octets.len());
        space[..read].copy_from_slice(&octets[..read]);
        buffer.advance(read);
        read
    }

    #[test]
    fn the_buffer_grows_as_needed_up_to_its_limit() {
        let mut buffer = Buffer::new(3000);
        assert_eq!([read(&mut buffer, &[1; 5000]), buffer.octets.len()], [1024, 1024]);
        assert_eq!([read(&mut buffer, &[2; 5000]), buffer.octets.len()], [1024, 2048]);
        assert_eq!([read(&mut buffer, &[3; 5000]), buffer.octets.len()], [952, 3000]);
        assert_eq!(read(&mut buffer, &[4; 5000]), 0);
        assert_eq!(Buffer::new(100).octets.len(), 100);
    }

    #[test]
    fn an_empty_buffer_shrinks_to_its_initial_size() {
        let mut buffer = Buffer::new(3000);
        read(&mut buffer, &[1; 1024]);
        read(&mut buffer, &[1; 1]);
        buffer.shrink();
        assert_eq!(
            (buffer.received().len(), buffer.octets.len()),
            (1025, 2048),
            "not while octets are in it"
        );
        buffer.keep_last(0);
        buffer.shrink();
        assert_eq!([buffer.octets.len(), read(&mut buffer, &[1; 5000])], [1024, 1024]);
    }

    #[test]
    fn remaining_octets_move_to_the_front() {
        let mut buffer = Buffer::new(3000);
        read(&mut buffer, b"abcdef");
        buffer.keep_last(2);
        assert_eq!(buffer.received(), b"ef");
        read(&mut buffer, b"gh");
        assert_eq!(buffer.received(), b"efgh");
        buffer.keep_last(0);
        assert_eq!(buffer.received(), b"");
    }

    #[test]
    fn the_buffer_grows_after_a_read_that_filled_it() {
        let mut buffer = Buffer::new(3000);
        read(&mut buffer, &[1; 1023]);
        buffer.keep_last(0);
        assert_eq!(read(&mut buffer, &[1; 5000]), 1024);
        buffer.keep_last(0);
        assert_eq!(read(&mut buffer, &[1; 5000]), 2048);
    }
}
