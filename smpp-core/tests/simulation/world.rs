//! Both sides, the link between them, and the order of events.

use smpp_proto::session::{CloseReason, Esme, Instant, Side, Smsc};

use super::context::Context;
use super::harness::link::Pipe;
use super::harness::rng::Rng;
use super::harness::{Coverage, Verbosity, ticks};
use super::messages::{self, SendPdu};
use super::peer::Peer;
use super::scenario::{Fault, FaultKind, Scenario};
use super::trace::replay;

pub(crate) struct World {
    scenario: Scenario,
    context: Context,
    esme: Peer<Esme>,
    smsc: Peer<Smsc>,
    /// From the ESME to the SMSC, and back.
    up: Pipe,
    down: Pipe,
    /// The faults to come, with their times.
    faults: Vec<(Instant, Fault)>,
}

/// A step of the simulation.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Timers of this side are due.
    Timeout(Side),
    /// This side can continue to read.
    Read(Side),
    /// The application of this side acts.
    Act(Side),
    /// The application of this side answers a request.
    Respond(Side),
    /// The output of this side is taken from its session.
    PollTransmit(Side),
    /// The link accepts octets of this side.
    Transmit(Side),
    /// Octets arrive at this side.
    Deliver(Side),
    /// The end of the stream arrives at this side.
    Eof(Side),
    Fault,
}

const STEPS: [Step; 17] = [
    Step::Timeout(Side::Esme),
    Step::Timeout(Side::Smsc),
    Step::Read(Side::Esme),
    Step::Read(Side::Smsc),
    Step::Act(Side::Esme),
    Step::Act(Side::Smsc),
    Step::Respond(Side::Esme),
    Step::Respond(Side::Smsc),
    Step::PollTransmit(Side::Esme),
    Step::PollTransmit(Side::Smsc),
    Step::Transmit(Side::Esme),
    Step::Transmit(Side::Smsc),
    Step::Deliver(Side::Esme),
    Step::Deliver(Side::Smsc),
    Step::Eof(Side::Esme),
    Step::Eof(Side::Smsc),
    Step::Fault,
];

/// `at!(world, side, peer => ..)` evaluates the expression with the peer of the side.
macro_rules! at {
    ($world:expr, $side:expr, $peer:ident => $body:expr) => {
        match $side {
            Side::Esme => {
                let $peer = &mut $world.esme;
                $body
            }
            Side::Smsc => {
                let $peer = &mut $world.smsc;
                $body
            }
        }
    };
}

/// Runs the scenario of `seed`, and panics if a check fails. Returns the coverage.
pub(crate) fn simulate(seed: u64, verbosity: Verbosity) -> Coverage {
    let mut rng = Rng::new(seed);
    let scenario = Scenario::new(&mut rng);
    if verbosity == Verbosity::Steps {
        eprintln!("{scenario:#?}");
    }
    let mut world = World::new(scenario, rng, verbosity);
    world.run();
    let World { scenario, mut context, esme, smsc, .. } = world;
    let trace = match scenario.traced {
        Some(Side::Esme) => esme.into_trace(),
        Some(Side::Smsc) => smsc.into_trace(),
        None => None,
    };
    if let Some(trace) = trace {
        if verbosity == Verbosity::Steps {
            eprintln!("{trace}");
        }
        assert_eq!(replay(&trace), trace, "the replay differs from the trace");
        context.count(|| "replayed".into());
    }
    context.recorder.coverage
}

impl World {
    fn new(scenario: Scenario, rng: Rng, verbosity: Verbosity) -> Self {
        let Scenario { start, lateness, esme, smsc, .. } = scenario;
        let strict = esme.settings.strict || smsc.settings.strict;
        let mut faults: Vec<(Instant, Fault)> =
            scenario.faults.iter().map(|fault| (start + ticks(fault.begins), *fault)).collect();
        faults.sort_by_key(|(at, _)| *at);
        Self {
            context: Context::new(rng, start, scenario.calm, strict, verbosity),
            esme: Peer::new(&esme, start, lateness, scenario.traced == Some(Side::Esme)),
            smsc: Peer::new(&smsc, start, lateness, scenario.traced == Some(Side::Smsc)),
            up: Pipe::new(esme.pipe, start),
            down: Pipe::new(smsc.pipe, start),
            scenario,
            faults,
        }
    }

    fn run(&mut self) {
        let Scenario { start, active, lateness, esme, smsc, calm, .. } = self.scenario;
        self.run_until(start + active);
        self.heal();
        // Long enough for every request to be answered or to time out.
        let longest = esme.settings.response.max(smsc.settings.response) + lateness;
        let wait = if calm { ticks(2000) } else { longest };
        self.run_until(self.context.now + wait + ticks(1));
        let bound = self.esme.state().is_bound() && self.smsc.state().is_bound();
        for side in self.unbind_order() {
            at!(self, side, peer => peer.unbind(&mut self.context));
            let plan = if side == Side::Esme { esme } else { smsc };
            let settings = plan.settings;
            let most = settings.drain * 2 + (settings.response + lateness) * 4;
            self.run_until(self.context.now + most);
            let closed = at!(self, side, peer => peer.closed());
            assert!(closed.is_some(), "{side:?} does not end");
        }
        self.check_end(bound);
        self.esme.use_after_end(&mut self.context);
        self.smsc.use_after_end(&mut self.context);
    }

    fn unbind_order(&mut self) -> [Side; 2] {
        let first = super::scenario::side(&mut self.context.rng);
        if self.context.rng.chance(200) {
            // Both sides unbind at once: the unbinds cross.
            at!(self, first.peer(), peer => peer.unbind(&mut self.context));
        }
        [first, first.peer()]
    }

    fn check_end(&mut self, bound: bool) {
        let calm = self.scenario.calm;
        self.context.check_end(calm);
        let ends = (self.esme.closed(), self.smsc.closed());
        self.context.print(|| format!("{ends:?}"));
        if ends == (Some(CloseReason::Unbound), Some(CloseReason::Unbound)) {
            self.context.count(|| "unbinds crossed".into());
        }
        if !calm {
            return;
        }
        self.context.count(|| "calm".into());
        let ways: &[_] = if bound {
            &[
                (CloseReason::Unbound, CloseReason::PeerUnbound),
                (CloseReason::PeerUnbound, CloseReason::Unbound),
            ]
        } else {
            &[
                (CloseReason::Unbound, CloseReason::Disconnected),
                (CloseReason::Disconnected, CloseReason::Unbound),
                (CloseReason::Unbound, CloseReason::PeerUnbound),
                (CloseReason::PeerUnbound, CloseReason::Unbound),
            ]
        };
        let both = (Some(CloseReason::Unbound), Some(CloseReason::Unbound));
        let expected = ends == both || ways.iter().any(|(esme, smsc)| ends == (Some(*esme), Some(*smsc)));
        assert!(expected, "without faults both sides unbind, not {ends:?}");
        if bound {
            let missing = self.esme.model.has_missing_responses() || self.smsc.model.has_missing_responses();
            assert!(!missing, "all requests must be answered");
        }
    }

    fn heal(&mut self) {
        self.context.print(|| "faults end".into());
        self.faults.clear();
        self.up.heal();
        self.down.heal();
        (self.esme.next_action, self.smsc.next_action) = (None, None);
    }

    /// Runs step after step until the time is `end`.
    fn run_until(&mut self, end: Instant) {
        let (mut steps, mut ready) = (0, Vec::with_capacity(STEPS.len()));
        loop {
            let next = self.next_steps(&mut ready);
            if next > end {
                break;
            }
            steps = if next > self.context.now { 0 } else { steps + 1 };
            assert!(steps < 20_000, "endless steps at one time");
            self.context.now = next;
            let step = self.context.rng.pick(&ready);
            self.run_step(step);
        }
        self.context.now = end;
    }

    /// Collects the steps that are due next, and returns their time. Without a step the time is the maximum.
    fn next_steps(&mut self, ready: &mut Vec<Step>) -> Instant {
        let mut next = Instant::from_nanos(u64::MAX);
        for step in STEPS {
            let Some(at) = self.due(step).map(|at| at.max(self.context.now)) else { continue };
            if at < next {
                ready.clear();
                next = at;
            }
            if at == next {
                ready.push(step);
            }
        }
        next
    }

    /// Returns when the step is due, if it is.
    fn due(&mut self, step: Step) -> Option<Instant> {
        let now = self.context.now;
        match step {
            Step::Timeout(side) => at!(self, side, peer => peer.next_timeout()),
            Step::Read(side) => at!(self, side, peer => peer.next_read()),
            Step::Act(side) => at!(self, side, peer => peer.next_action),
            Step::Respond(side) => at!(self, side, peer => peer.next_response()),
            Step::PollTransmit(side) => at!(self, side, peer => peer.next_poll),
            Step::Transmit(side) => {
                let waits = at!(self, side, peer => !peer.output.is_empty());
                (waits && self.pipe_from(side).capacity() > 0).then_some(now)
            }
            Step::Deliver(side) => {
                let reads = at!(self, side, peer => peer.reads_stream() || peer.closed().is_some());
                self.pipe_from(side.peer()).arrival().filter(|_| reads)
            }
            Step::Eof(side) => {
                let open = at!(self, side, peer => peer.reads_stream() && !peer.model.history.eof);
                self.pipe_from(side.peer()).end().filter(|_| open)
            }
            Step::Fault => self.faults.first().map(|(at, _)| *at),
        }
    }

    /// Returns the pipe from this side.
    fn pipe_from(&mut self, side: Side) -> &mut Pipe {
        if side == Side::Esme { &mut self.up } else { &mut self.down }
    }

    fn run_step(&mut self, step: Step) {
        let context = &mut self.context;
        match step {
            Step::Timeout(side) => at!(self, side, peer => peer.handle_timeouts(context)),
            Step::Read(side) => {
                context.count(|| "input resumed".into());
                at!(self, side, peer => peer.read(context));
            }
            Step::Act(side) => at!(self, side, peer => peer.act(context)),
            Step::Respond(side) => at!(self, side, peer => peer.answer(context)),
            Step::PollTransmit(side) => at!(self, side, peer => peer.poll_transmit(context)),
            Step::Transmit(Side::Esme) => transmit(context, &mut self.esme, &mut self.up),
            Step::Transmit(Side::Smsc) => transmit(context, &mut self.smsc, &mut self.down),
            Step::Deliver(side) => {
                let pipe = if side == Side::Esme { &mut self.down } else { &mut self.up };
                let octets = pipe.deliver(&mut context.rng);
                at!(self, side, peer => peer.receive(context, &octets));
            }
            Step::Eof(side) => at!(self, side, peer => peer.eof(context)),
            Step::Fault => self.apply_fault(),
        }
        let now = self.context.now;
        for side in [Side::Esme, Side::Smsc] {
            // A side that has ended closes the connection.
            if at!(self, side, peer => peer.closed().is_some()) {
                self.pipe_from(side).finish(now);
            }
        }
    }

    /// Begins or ends the next fault.
    fn apply_fault(&mut self) {
        let (at, fault) = self.faults.remove(0);
        let Fault { kind, from, ends, .. } = fault;
        let end = self.scenario.start + ticks(ends);
        let first = at == self.scenario.start + ticks(fault.begins);
        let now = self.context.now;
        self.context.print(|| format!("{kind:?} from {from:?}"));
        self.context.count(|| format!("fault {kind:?}"));
        let pipe = self.pipe_from(from);
        match kind {
            FaultKind::Stall => pipe.stalled = first,
            FaultKind::Hold => pipe.held = first,
            FaultKind::SmallBuffer => pipe.limited = first,
            FaultKind::Corrupt => pipe.corrupting = first,
            FaultKind::HalfClose => pipe.finish(now),
            FaultKind::Loss => pipe.lossy = true,
            FaultKind::Cut => {
                self.up.cut(now);
                self.down.cut(now);
                self.esme.disconnect(&mut self.context);
                self.smsc.disconnect(&mut self.context);
            }
            FaultKind::UnsolicitedPdus
            | FaultKind::MalformedPdus
            | FaultKind::RandomOctets
            | FaultKind::Flood => {
                self.inject(kind, from.peer());
            }
        }
        let lasts =
            matches!(kind, FaultKind::Stall | FaultKind::Hold | FaultKind::SmallBuffer | FaultKind::Corrupt);
        let again = match kind {
            _ if lasts => first.then_some(end).filter(|end| *end > at),
            FaultKind::UnsolicitedPdus | FaultKind::MalformedPdus => {
                Some(at + ticks(self.context.rng.within(1..=4))).filter(|next| *next <= end)
            }
            _ => None,
        };
        if let Some(next) = again {
            self.faults.push((next, fault));
            self.faults.sort_by_key(|(at, _)| *at);
        }
    }

    /// Delivers octets that the peer did not send.
    fn inject(&mut self, kind: FaultKind, to: Side) {
        if at!(self, to, peer => !peer.wants_input()) {
            return;
        }
        let in_flight = at!(self, to, peer => peer.model.in_flight());
        let rng = &mut self.context.rng;
        let octets = match kind {
            FaultKind::RandomOctets => {
                let length = rng.count(40);
                rng.octets(length)
            }
            FaultKind::Flood => {
                let request = messages::enquire_link();
                request.octets().repeat(rng.count(60))
            }
            _ => messages::unsolicited_pdu(rng, &in_flight, kind == FaultKind::MalformedPdus).into_inner(),
        };
        if kind == FaultKind::RandomOctets || at!(self, to, peer => peer.is_between_pdus()) {
            self.context.tainted = true;
            at!(self, to, peer => peer.receive(&mut self.context, &octets));
        }
    }
}

fn transmit<R: SendPdu>(context: &mut Context, from: &mut Peer<R>, pipe: &mut Pipe) {
    let (accepted, damaged) = pipe.accept(&mut context.rng, context.now, &from.output);
    context.tainted |= damaged;
    from.transmit(context, accepted);
}
