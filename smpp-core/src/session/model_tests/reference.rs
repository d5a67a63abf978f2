//! The reference model.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::step::{Answer, Arrival, Ended, Reported, Step, Tag, Target};
use crate::frame::SequenceNumber;
use crate::pdu::{CommandId, CommandStatus};
use crate::session::{CloseReason, Refusal, UnansweredReason};

/// The configured timeouts, in seconds.
pub(super) const RESPONSE_TIMEOUT: u64 = 10;
pub(super) const ENQUIRE_LINK_INTERVAL: u64 = 30;
pub(super) const DRAIN_TIMEOUT: u64 = 8;

/// Octets of a deliver_sm_resp without a message_id.
const DELIVER_RESP_LENGTH: u64 = 17;

/// Octets of a submit_sm without its text.
pub(super) const EMPTY_SUBMIT_LENGTH: u64 = 33;

/// The configuration. Times are in seconds.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) window: usize,
    pub(super) max_output: u64,
    /// The first sequence number.
    pub(super) start: SequenceNumber,
    pub(super) keep_alive: bool,
    pub(super) max_unanswered: usize,
    pub(super) backpressure_timeout: u64,
    pub(super) late_response_timeout: u64,
    pub(super) max_response_timeouts: u64,
}

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is true or false independently of the others")]
pub(super) struct Model {
    pub(super) options: Options,

    pub(super) now: u64,
    pub(super) stage: Stage,
    /// When the stage times out.
    pub(super) stage_timeout: Option<u64>,
    /// Why the session has ended.
    pub(super) end: Option<CloseReason>,

    pub(super) in_flight: Vec<InFlight>,
    /// Requests that have timed out and keep their place in the window.
    pub(super) timed_out: Vec<InFlight>,
    /// Whether a request has timed out, and the peer has sent nothing since.
    suspended: bool,
    /// When the session ends because the peer answers no request.
    unresponsive: Option<u64>,

    /// PDUs that have arrived, and that the session has not read.
    unread: VecDeque<Arrival>,
    /// Whether the peer has closed its side.
    eof: bool,
    /// Requests of the peer that the application has not answered.
    pub(super) unanswered: usize,
    /// When the session reads on although the application answers nothing, and whether it does.
    backpressure: Option<u64>,
    overloaded: bool,

    /// Submits accepted and enquire_links sent so far.
    pub(super) submits: usize,
    pub(super) enquire_links: usize,
    /// The enquire_link that waits for its response, and its timeout unless another PDU has arrived since.
    pub(super) enquire_link: Option<usize>,
    pub(super) enquire_link_timeout: Option<u64>,
    /// When the session checks whether the peer is silent.
    keep_alive_check: Option<u64>,
    /// Whether an unbind waits for its response.
    pub(super) unbind: bool,
    /// Requests with lower indices than these may share their sequence number with a later request.
    pub(super) unique_from: (usize, usize),
    pub(super) last_received: u64,

    /// Octets encoded, and octets that the transport has accepted, since the start.
    pub(super) encoded: u64,
    pub(super) transmitted: u64,
    /// Position of the end of the application's last response in the output stream, in octets.
    responses_end: u64,
    enquire_link_end: u64,
    enquire_link_at: u64,
    /// It has not left in time.
    enquire_link_is_late: bool,
    /// When the session next checks whether the transport has accepted octets, and whether it has.
    pub(super) stall_check: Option<u64>,
    pub(super) has_progress: bool,

    /// The effects of the last step: events, and PDUs with their lengths.
    pub(super) reported: Vec<Reported>,
    pub(super) sent: Vec<(CommandId, u64)>,
    /// The requests that lost their place in the window without a response.
    pub(super) freed: Vec<Target>,
    /// Valid reasons to refuse the last submit. The session may return any of them.
    pub(super) refusals: Vec<Refusal>,
}

#[derive(Clone, Debug)]
pub(super) struct InFlight {
    pub(super) tag: Tag,
    pub(super) sent_at: u64,
    /// Position of the request's end in the output stream, in octets.
    pub(super) end: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stage {
    Bound,
    /// Sends unbind when no request is in flight.
    Draining,
    Unbinding,
    /// The peer has sent unbind, and the application has requests to answer.
    PeerUnbinding,
    /// The peer has unbound. Requests in flight may still be answered.
    PeerUnbound,
    /// The peer has closed its side, and responses of the application are outstanding or not transmitted. Ends with this
    /// reason.
    PeerFinished(CloseReason),
    /// Ends when all output is transmitted.
    Flushing(CloseReason),
    Closed,
}

impl Model {
    pub(super) fn new(options: Options) -> Self {
        Self {
            keep_alive_check: options.keep_alive.then_some(ENQUIRE_LINK_INTERVAL),
            options,
            now: 0,
            stage: Stage::Bound,
            stage_timeout: None,
            end: None,
            in_flight: Vec::new(),
            timed_out: Vec::new(),
            suspended: false,
            unresponsive: None,
            unread: VecDeque::new(),
            eof: false,
            unanswered: 0,
            backpressure: None,
            overloaded: false,
            submits: 0,
            enquire_links: 0,
            enquire_link: None,
            enquire_link_timeout: None,
            unbind: false,
            unique_from: (0, 0),
            last_received: 0,
            encoded: 0,
            transmitted: 0,
            responses_end: 0,
            enquire_link_end: 0,
            enquire_link_at: 0,
            enquire_link_is_late: false,
            stall_check: None,
            has_progress: false,
            reported: Vec::new(),
            sent: Vec::new(),
            freed: Vec::new(),
            refusals: Vec::new(),
        }
    }

    pub(super) fn run(&mut self, step: &Step) {
        self.reported.clear();
        self.sent.clear();
        self.freed.clear();
        self.refusals.clear();
        match *step {
            Step::Submit(text) => self.submit(text),
            Step::Respond(to, answer, flipped) => {
                self.unread.push_back(Arrival::Response(to, answer, flipped.is_some()));
            }
            Step::PeerDelivers => self.unread.push_back(Arrival::DeliverSm),
            Step::PeerEnquires => self.unread.push_back(Arrival::EnquireLink),
            Step::PeerUnbinds => self.unread.push_back(Arrival::Unbind),
            Step::Answer => self.answer(),
            Step::Transmit(octets) => self.transmit(octets),
            Step::Wait(seconds) => (0..seconds).for_each(|_| self.wait_one_second()),
            Step::WrapSequence(_) => self.unique_from = (self.submits, self.enquire_links),
            Step::Unbind if self.stage == Stage::Bound => {
                self.stage = Stage::Draining;
                self.stage_timeout = Some(self.now + DRAIN_TIMEOUT);
                self.advance();
            }
            // The shutdown has begun.
            Step::Unbind => {}
            Step::Eof => self.end_of_stream(),
            Step::Disconnect => self.close(self.disconnect_reason()),
            Step::Abort => self.close(CloseReason::Aborted),
        }
        self.read();
    }

    /// Reads what has arrived, as far as the session reads.
    fn read(&mut self) {
        while self.reads() {
            match self.unread.pop_front() {
                Some(Arrival::Response(to, answer, other_number)) => {
                    self.receive_response(to, answer, other_number);
                }
                Some(Arrival::DeliverSm) => self.receive_deliver_sm(),
                Some(Arrival::EnquireLink) => {
                    self.receive();
                    self.send(CommandId::ENQUIRE_LINK_RESP, 16);
                }
                Some(Arrival::Unbind) => self.receive_unbind(),
                None => return,
            }
        }
    }

    fn end_of_stream(&mut self) {
        self.eof = true;
        if matches!(self.stage, Stage::Bound | Stage::Draining | Stage::Unbinding) {
            if self.stage == Stage::Bound {
                self.stage_timeout = Some(self.now + DRAIN_TIMEOUT);
            }
            self.leave_bound_state(Stage::PeerFinished(self.disconnect_reason()));
        }
        self.advance();
    }

    /// Returns the reason of the end if the connection ends now.
    fn disconnect_reason(&self) -> CloseReason {
        match self.stage {
            Stage::Unbinding if self.pending() == 0 => CloseReason::Unbound,
            Stage::PeerUnbinding | Stage::PeerUnbound => CloseReason::PeerUnbound,
            Stage::PeerFinished(reason) | Stage::Flushing(reason) => reason,
            _ => CloseReason::Disconnected,
        }
    }

    fn answer(&mut self) {
        self.unanswered -= 1;
        (self.backpressure, self.overloaded) = (None, false);
        if !matches!(self.stage, Stage::Flushing(_) | Stage::Closed) {
            self.send(CommandId::DELIVER_SM_RESP, DELIVER_RESP_LENGTH);
            self.responses_end = self.encoded;
            self.advance();
        }
    }

    fn submit(&mut self, text: u64) {
        match self.stage {
            Stage::Bound => {}
            Stage::Draining | Stage::Unbinding => self.refusals.push(Refusal::Closing(CloseReason::Unbound)),
            Stage::PeerUnbinding | Stage::PeerUnbound => {
                self.refusals.push(Refusal::Closing(CloseReason::PeerUnbound));
            }
            Stage::PeerFinished(reason) | Stage::Flushing(reason) => {
                self.refusals.push(Refusal::Closing(reason));
            }
            Stage::Closed => self.refusals.extend(self.end.map(Refusal::Closed)),
        }
        let full = self.in_flight.len() + self.timed_out.len() == self.options.window;
        if self.refusals.is_empty() && (full || self.suspended) {
            self.refusals.push(Refusal::WindowFull);
        }
        if self.stage == Stage::Bound && self.pending() >= self.options.max_output {
            self.refusals.push(Refusal::OutputFull);
        }
        if self.refusals.is_empty() {
            self.send(CommandId::SUBMIT_SM, EMPTY_SUBMIT_LENGTH + text);
            self.in_flight.push(InFlight { tag: self.submits, sent_at: self.now, end: self.encoded });
            self.submits += 1;
        }
    }

    fn receive_response(&mut self, to: Target, answer: Answer, other_number: bool) {
        self.receive();
        if other_number || answer == Answer::WrongCommand || !self.awaits(to) {
            return self.reported.push(Reported::UnexpectedResponse);
        }
        match to {
            Target::Submit(tag) => {
                let result = match answer {
                    Answer::Accept => Ended::Accepted,
                    Answer::Refuse => Ended::Refused(CommandStatus::RSUBMITFAIL),
                    Answer::Nack | Answer::WrongCommand => Ended::Nacked(CommandStatus::RINVCMDID),
                };
                let late = self.timed_out.iter().any(|request| request.tag == tag);
                self.in_flight.retain(|request| request.tag != tag);
                self.timed_out.retain(|request| request.tag != tag);
                self.unresponsive = None;
                self.reported.push(if late {
                    Reported::LateResponse(tag, result)
                } else {
                    Reported::Outcome(tag, result)
                });
                self.advance();
            }
            Target::EnquireLink(_) => {
                self.enquire_link = None;
                self.freed.push(to);
            }
            Target::Unbind => self.flush(CloseReason::Unbound),
        }
    }

    fn receive_deliver_sm(&mut self) {
        self.receive();
        let refusal = match self.stage {
            Stage::Bound | Stage::Draining | Stage::PeerUnbinding => {
                (self.unanswered == self.options.max_unanswered).then_some(CommandStatus::RTHROTTLED)
            }
            _ => Some(CommandStatus::RINVBNDSTS),
        };
        if let Some(status) = refusal {
            self.send(CommandId::DELIVER_SM_RESP, DELIVER_RESP_LENGTH);
            return self.reported.push(Reported::Refused(status));
        }
        self.unanswered += 1;
        self.reported.push(Reported::Request);
        if self.unanswered == self.options.max_unanswered {
            self.backpressure = Some(self.now + self.options.backpressure_timeout);
        }
    }

    fn receive_unbind(&mut self) {
        self.receive();
        if matches!(self.stage, Stage::Bound | Stage::Draining) {
            self.reported.push(Reported::PeerUnbind);
            self.stage = Stage::PeerUnbinding;
            self.stage_timeout = Some(self.now + DRAIN_TIMEOUT);
            self.advance();
        } else {
            self.send(CommandId::UNBIND_RESP, 16);
        }
    }

    fn answer_unbind(&mut self) {
        self.send(CommandId::UNBIND_RESP, 16);
        self.leave_bound_state(Stage::PeerUnbound);
        self.advance();
    }

    /// Records a received PDU: any PDU proves that the link works.
    fn receive(&mut self) {
        self.last_received = self.now;
        self.suspended = false;
        if self.enquire_link.is_some() {
            self.enquire_link_timeout = None;
            let bound = matches!(self.stage, Stage::Bound | Stage::Draining | Stage::PeerUnbinding);
            self.keep_alive_check =
                (self.options.keep_alive && bound).then_some(self.now + ENQUIRE_LINK_INTERVAL);
        }
    }

    fn transmit(&mut self, octets: u64) {
        let had_left = self.enquire_link_end <= self.transmitted;
        self.transmitted = self.encoded.min(self.transmitted + octets);
        let leaves = !had_left && self.enquire_link_end <= self.transmitted;
        if let Some(timeout) =
            self.enquire_link_timeout.as_mut().filter(|_| leaves && self.now > self.enquire_link_at)
        {
            *timeout += RESPONSE_TIMEOUT;
        }
        self.has_progress |= octets > 0;
        if self.pending() == 0 {
            self.stall_check = None;
        }
        self.advance();
    }

    /// Lets a second pass. Timeouts of requests come first among those due in the same second.
    fn wait_one_second(&mut self) {
        self.now += 1;
        let now = Some(self.now);
        let sent_before = self.sent.len();
        while self.in_flight.first().is_some_and(|request| request.sent_at + RESPONSE_TIMEOUT == self.now) {
            self.time_out_request();
        }
        // Those count that are freed in this second.
        let awaits_response = !(self.in_flight.is_empty() && self.timed_out.is_empty());
        let longest = RESPONSE_TIMEOUT + self.options.late_response_timeout;
        let freed = |request: &InFlight| request.sent_at + longest == self.now;
        let tags = self.timed_out.iter().filter(|request| freed(request)).map(|request| request.tag);
        self.freed.extend(tags.map(Target::Submit));
        self.timed_out.retain(|request| !freed(request));
        if self.keep_alive_check == now {
            let due = self.last_received + ENQUIRE_LINK_INTERVAL;
            if !self.reads() {
                self.keep_alive_check = Some(self.now + RESPONSE_TIMEOUT);
            } else if due > self.now {
                self.keep_alive_check = Some(due);
            } else {
                self.send_enquire_link();
            }
        }
        if self.enquire_link_timeout == now {
            let has_left = self.enquire_link_end <= self.transmitted;
            if self.reads() && has_left {
                self.close(CloseReason::LinkDead);
            } else if self.reads() && self.enquire_link_is_late {
                self.close(CloseReason::Stalled);
            } else {
                self.enquire_link_is_late |= self.reads();
                self.enquire_link_timeout = Some(self.now + RESPONSE_TIMEOUT);
            }
        }
        if self.stall_check == now && self.has_progress {
            self.has_progress = false;
            self.stall_check = Some(self.now + RESPONSE_TIMEOUT);
        } else if self.stall_check == now {
            self.close(CloseReason::Stalled);
        }
        if self.stage_timeout == now {
            match self.stage {
                Stage::Bound | Stage::Closed => {}
                Stage::Draining => self.send_unbind(),
                Stage::Unbinding => self.close(CloseReason::UnbindTimeout),
                Stage::PeerUnbinding => {
                    self.stage_timeout = Some(self.now + RESPONSE_TIMEOUT);
                    self.answer_unbind();
                }
                Stage::PeerUnbound => self.flush(CloseReason::PeerUnbound),
                Stage::PeerFinished(reason) | Stage::Flushing(reason) => self.close(reason),
            }
        }
        if self.unresponsive == now {
            self.unresponsive = (!self.reads()).then_some(self.now + RESPONSE_TIMEOUT);
            if self.reads() && awaits_response {
                self.close(CloseReason::Unresponsive);
            }
        }
        if self.backpressure == now {
            (self.backpressure, self.overloaded) = (None, true);
        }
        if self.stage == Stage::Closed {
            // A PDU encoded in the second of the end is not transmitted.
            self.sent.truncate(sent_before);
        }
        self.read();
    }

    /// Lets the oldest request time out. It keeps its place in the window.
    fn time_out_request(&mut self) {
        let request = self.in_flight.remove(0);
        let ended = Ended::Unanswered(UnansweredReason::Timeout);
        self.reported.push(Reported::Outcome(request.tag, ended));
        if self.stage == Stage::Bound {
            if self.options.keep_alive {
                self.suspended = true;
                if self.enquire_link_timeout.is_none() {
                    self.send_enquire_link();
                }
            }
            if self.options.max_response_timeouts > 0 {
                let due = request.sent_at + RESPONSE_TIMEOUT * self.options.max_response_timeouts;
                self.unresponsive.get_or_insert(due);
            }
        }
        self.timed_out.push(request);
        self.advance();
    }

    fn send_enquire_link(&mut self) {
        // The session forgets the one before, which any PDU of the peer has answered.
        self.freed.extend(self.enquire_link.map(Target::EnquireLink));
        self.enquire_link = Some(self.enquire_links);
        self.enquire_link_timeout = Some(self.now + RESPONSE_TIMEOUT);
        self.keep_alive_check = None;
        self.enquire_links += 1;
        self.send(CommandId::ENQUIRE_LINK, 16);
        (self.enquire_link_end, self.enquire_link_at, self.enquire_link_is_late) =
            (self.encoded, self.now, false);
    }

    /// Enters the next stage if nothing is left to wait for in this one.
    fn advance(&mut self) {
        let answered = self.unanswered == 0;
        match self.stage {
            Stage::Draining if self.in_flight.is_empty() && answered => self.send_unbind(),
            Stage::PeerUnbinding if answered => self.answer_unbind(),
            Stage::PeerUnbound if self.in_flight.is_empty() || self.eof => {
                self.flush(CloseReason::PeerUnbound);
            }
            Stage::PeerFinished(reason) if answered && self.responses_end <= self.transmitted => {
                self.close(reason);
            }
            Stage::Flushing(reason) if self.pending() == 0 => self.close(reason),
            _ => {}
        }
    }

    fn send_unbind(&mut self) {
        self.send(CommandId::UNBIND, 16);
        self.unbind = true;
        self.leave_bound_state(Stage::Unbinding);
        self.stage_timeout = Some(self.now + RESPONSE_TIMEOUT);
    }

    /// From now on the session sends no enquire_link, and does not check whether the peer is alive.
    fn leave_bound_state(&mut self, stage: Stage) {
        (self.keep_alive_check, self.enquire_link_timeout, self.unresponsive) = (None, None, None);
        self.stage = stage;
    }

    fn flush(&mut self, reason: CloseReason) {
        self.leave_bound_state(Stage::Flushing(reason));
        (self.enquire_link, self.unbind, self.stall_check, self.backpressure) = (None, false, None, None);
        self.stage_timeout = Some(self.now + RESPONSE_TIMEOUT);
        self.advance();
    }

    fn close(&mut self, reason: CloseReason) {
        if self.stage == Stage::Closed {
            return;
        }
        for request in self.in_flight.drain(..) {
            let ended = if request.end > self.transmitted {
                Ended::NeverSent(reason)
            } else {
                Ended::Unanswered(UnansweredReason::Closed(reason))
            };
            self.reported.push(Reported::Outcome(request.tag, ended));
        }
        self.timed_out.clear();
        self.end = Some(reason);
        self.reported.push(Reported::Closed(reason));
        self.leave_bound_state(Stage::Closed);
        (self.enquire_link, self.unbind, self.stall_check, self.backpressure) = (None, false, None, None);
        self.stage_timeout = None;
        self.unique_from = (self.submits, self.enquire_links);
    }

    fn send(&mut self, command: CommandId, octets: u64) {
        if self.pending() == 0 {
            self.has_progress = true;
            self.stall_check = Some(self.now + RESPONSE_TIMEOUT);
        }
        self.encoded += octets;
        self.sent.push((command, octets));
    }

    pub(super) fn pending(&self) -> u64 {
        self.encoded - self.transmitted
    }

    pub(super) fn reads(&self) -> bool {
        let full = self.unanswered == self.options.max_unanswered && !self.overloaded;
        !matches!(self.stage, Stage::Flushing(_) | Stage::Closed) && !self.eof && !full
    }

    /// Returns whether the session has read everything that has arrived.
    pub(super) fn has_read_all(&self) -> bool {
        self.unread.is_empty()
    }

    pub(super) fn awaits(&self, to: Target) -> bool {
        self.awaiting().contains(&to)
    }

    /// Returns the requests that wait for a response, in time or late.
    pub(super) fn awaiting(&self) -> Vec<Target> {
        let submits = self.timed_out.iter().chain(&self.in_flight).map(|request| Target::Submit(request.tag));
        submits
            .chain(self.enquire_link.map(Target::EnquireLink))
            .chain(self.unbind.then_some(Target::Unbind))
            .collect()
    }

    /// Returns the requests that wait for a response and whose response will be for them when it is read. While the session
    /// does not read, a request may end, and another may get its sequence number if the numbers have wrapped.
    pub(super) fn answerable(&self) -> Vec<Target> {
        let is_unique = |to: &Target| match *to {
            Target::Submit(tag) => tag >= self.unique_from.0,
            Target::EnquireLink(place) => place >= self.unique_from.1,
            Target::Unbind => true,
        };
        let mut answerable = self.awaiting();
        answerable.retain(|to| is_unique(to) || self.reads());
        answerable
    }

    /// Returns the latest requests that no longer wait for a response, and whose sequence numbers are unique.
    pub(super) fn finished(&self) -> Vec<Target> {
        let (submits, enquire_links) = self.unique_from;
        let submits = (submits..self.submits).map(Target::Submit);
        let all = submits.chain((enquire_links..self.enquire_links).map(Target::EnquireLink));
        let mut finished: Vec<Target> = all.filter(|to| !self.awaits(*to)).collect();
        finished.drain(..finished.len().saturating_sub(4));
        finished
    }
}
