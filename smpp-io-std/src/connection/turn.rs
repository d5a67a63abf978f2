//! The turns of a connection: each writes, reads once, and drives the session.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use smpp_proto::session::{Instant, Role, Timer};

use super::Connection;
use crate::error::End;
use crate::halves::SOCKET_BUFFER_MAX;
use crate::transport::{MAX_LATENESS, MIN_WAIT, Transport, is_pause};

/// The longest time that one read waits. Most deadlines are further away, so the read timeout seldom changes.
const MAX_READ: Duration = Duration::from_secs(1);

impl<R: Role, S: Transport> Connection<R, S> {
    /// Takes turns until all output is written. `now` is the current time.
    pub(super) fn write_all(&mut self, now: Instant) -> Result<(), End> {
        self.write_until(now, None)
    }

    /// Takes turns until all output is written, at most until `deadline`. `now` is the current time.
    pub(super) fn write_until(&mut self, now: Instant, deadline: Option<Instant>) -> Result<(), End> {
        self.write_output(Some(now));
        loop {
            if let Some(end) = &self.events.end {
                return Err(end.clone());
            }
            if !self.write_failed && !self.has_output() {
                return Ok(());
            }
            if deadline.is_some_and(|deadline| deadline <= self.now()) {
                return Ok(());
            }
            self.turn(Some(Instant::ZERO));
        }
    }

    /// Takes one turn: writes, reads once, passes the input and the time to the session, writes its output. The read waits
    /// until the session's next deadline, and at most until `until`.
    pub(super) fn turn(&mut self, until: Option<Instant>) {
        self.write_output(None);
        self.read_once(until);
        self.drive_session();
        self.write_output(None);
    }

    /// Takes a turn that ends at `until` or earlier. A read may return late by [`MAX_LATENESS`], so it ends that much earlier.
    /// The rest is a sleep, which is exact enough for the rate limit.
    pub(super) fn wait_for_rate(&mut self, until: Instant) {
        let now = self.now();
        let last_read = Instant::after((until - Instant::ZERO).saturating_sub(MAX_LATENESS));
        if now < last_read {
            self.turn(Some(last_read));
        } else {
            thread::sleep(until - now);
            self.turn(Some(Instant::ZERO));
        }
    }

    /// Reads once. If the session wants no input, sleeps instead, until its next deadline and at most until `until`. If
    /// input was left over that the session wants now, does neither.
    fn read_once(&mut self, until: Option<Instant>) {
        let now = self.now();
        let wants_input = self.session.wants_input();
        if self.held && wants_input {
            return;
        }
        let deadline = self.session.poll_timeout().map(|(at, _)| at);
        let until = deadline.into_iter().chain(until).min();
        let wait = until.map_or(MAX_READ, |until| (until - now).min(MAX_READ));
        // If the transport is blocked, wait only for as long as it takes to try to write again.
        let wait = if self.write_failed || self.has_output() { MIN_WAIT } else { wait };
        if !wants_input {
            if !self.write_failed && deadline.is_some() {
                thread::sleep(wait);
            }
            self.catch_up(self.now());
            return;
        }
        match self.read(wait) {
            Ok(0) if self.write_failed => self.handle_disconnect(None),
            // The session reads no more. It still transmits the responses of the application.
            Ok(0) => self.session.handle_eof(),
            Ok(read) => {
                self.received.advance(read);
                // A timeout counts only after all received octets were read, however late the program reads them.
                // But a peer that never pauses must not stop the clock.
                self.octets_since = self.octets_since.saturating_add(read);
                if self.octets_since > SOCKET_BUFFER_MAX {
                    self.caught_up = now;
                }
            }
            Err(error) if is_pause(&error) => self.catch_up(now),
            Err(error) => self.handle_disconnect(Some(error)),
        }
    }

    /// Reads once, and waits at most `wait`.
    fn read(&mut self, wait: Duration) -> io::Result<usize> {
        let space = self.received.space();
        if wait.is_zero() {
            self.read_timeout = None;
            return self.stream.read_available(space);
        }
        let wait = wait.max(MIN_WAIT);
        if self.read_timeout != Some(wait) {
            self.stream.set_read_timeout(Some(wait))?;
            self.read_timeout = Some(wait);
        }
        self.stream.read(space)
    }

    /// Records that there was nothing more to read at `now`.
    fn catch_up(&mut self, now: Instant) {
        self.caught_up = now;
        self.octets_since = 0;
        if self.write_failed {
            self.handle_disconnect(None);
        }
    }

    /// Passes the received octets to the session, and the time up to which all received octets were read.
    fn drive_session(&mut self) {
        let (now, had_ended) = (self.now(), self.events.end.is_some());
        let mut input = self.received.received();
        while let Some(event) = self.session.handle_input(now, &mut input) {
            let times = self.session.response_times();
            self.telemetry.record(&event, times, self.events.error.as_deref());
            self.events.handle_event(event);
        }
        let remaining = input.len();
        self.received.keep_last(remaining);
        self.held = remaining > 0 && !self.session.wants_input();
        while let Some(event) = self.session.handle_timeout(self.caught_up) {
            let times = self.session.response_times();
            self.telemetry.record(&event, times, self.events.error.as_deref());
            self.events.handle_event(event);
        }
        if self.shrink_at <= now {
            self.shrink_at = now + self.shrink_interval;
            self.shrink();
        }
        if self.events.end.is_some() && !had_ended {
            // The session has ended, with or without an error here.
            let _ = self.stream.shutdown();
        }
    }

    /// Frees the memory of empty buffers and tables. They grow again when they are needed.
    #[cold]
    fn shrink(&mut self) {
        self.session.shrink();
        self.received.shrink();
        if self.written == self.output.len() {
            self.output = Vec::new();
            self.written = 0;
        }
        self.events.inbox.shrink_to_fit();
    }

    /// Writes until there is no output, the transport takes no more, or a deadline of the session has passed. `now` is the
    /// time before the first write, if it is known.
    fn write_output(&mut self, mut now: Option<Instant>) {
        while !self.write_failed && self.has_output() && !self.is_due(now.take()) {
            match self.write() {
                Ok(()) => {}
                Err(error) if is_pause(&error) => return,
                Err(error) => {
                    // Octets that the peer sent before the failure are still read.
                    self.events.error = Some(Arc::new(error));
                    self.write_failed = true;
                }
            }
        }
    }

    fn has_output(&mut self) -> bool {
        if self.written == self.output.len() {
            self.output.clear();
            self.written = 0;
            self.session.poll_transmit(&mut self.output);
        }
        self.unflushed || !self.output.is_empty()
    }

    fn is_due(&self, now: Option<Instant>) -> bool {
        let deadline = self.session.poll_timeout();
        // Input that was left over does not go before output.
        deadline.is_some_and(|(at, timer)| timer != Timer::Input && at <= now.unwrap_or_else(|| self.now()))
    }

    /// Writes once, and flushes after the last octets.
    fn write(&mut self) -> io::Result<()> {
        let remaining = self.output.get(self.written..).unwrap_or_default();
        if !remaining.is_empty() {
            let written = self.stream.write(remaining)?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.written = self.output.len().min(self.written + written);
            self.unflushed = true;
            self.session.handle_transmitted(written);
        }
        if self.written == self.output.len() {
            self.stream.flush()?;
            self.unflushed = false;
        }
        Ok(())
    }

    /// Reports to the session that the transport has failed: with `error`, or with the error of an earlier write.
    fn handle_disconnect(&mut self, error: Option<io::Error>) {
        self.events.error = self.events.error.take().or(error.map(Arc::new));
        self.session.handle_disconnect();
        self.output.clear();
        self.written = 0;
        self.unflushed = false;
    }
}
