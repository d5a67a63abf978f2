//! Both sides, the link between them, and what happens when.

use smpp_core::session::{CloseReason, Esme, Instant, Side, Smsc};

use super::harness::link::Pipe;
use super::harness::rng::Rng;
use super::harness::{Coverage, Watch, ticks};
use super::messages::{self, Speaker};
use super::peer::Peer;
use super::scenario::{Fault, FaultKind, Scenario};
use super::scene::Scene;
use super::trace::replay;

pub(crate) struct World {
    scenario: Scenario,
    scene: Scene,
    esme: Peer<Esme>,
    smsc: Peer<Smsc>,
    /// From the ESME to the SMSC, and back.
    up: Pipe,
    down: Pipe,
    /// What is still to go wrong, and when.
    faults: Vec<(Instant, Fault)>,
}

/// What can happen next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Timers of this side are due.
    Wake(Side),
    /// This side can read on.
    Read(Side),
    /// The application of this side wants something.
    Act(Side),
    /// The application of this side answers.
    Answer(Side),
    /// The output of this side is taken from its session.
    Take(Side),
    /// The link takes octets of this side.
    Carry(Side),
    /// Octets arrive at this side.
    Deliver(Side),
    /// The end of the stream arrives at this side.
    HangUp(Side),
    Fault,
}

const STEPS: [Step; 17] = [
    Step::Wake(Side::Esme),
    Step::Wake(Side::Smsc),
    Step::Read(Side::Esme),
    Step::Read(Side::Smsc),
    Step::Act(Side::Esme),
    Step::Act(Side::Smsc),
    Step::Answer(Side::Esme),
    Step::Answer(Side::Smsc),
    Step::Take(Side::Esme),
    Step::Take(Side::Smsc),
    Step::Carry(Side::Esme),
    Step::Carry(Side::Smsc),
    Step::Deliver(Side::Esme),
    Step::Deliver(Side::Smsc),
    Step::HangUp(Side::Esme),
    Step::HangUp(Side::Smsc),
    Step::Fault,
];

/// `at!(world, side, peer => ..)`: the same for whichever side.
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

/// Plays the scenario of `seed`, and panics where something is not as it should be. Says what happened.
pub(crate) fn simulate(seed: u64, watch: Watch) -> Coverage {
    let mut rng = Rng::new(seed);
    let scenario = Scenario::new(&mut rng);
    if watch == Watch::Steps {
        eprintln!("{scenario:#?}");
    }
    let mut world = World::new(scenario, rng, watch);
    world.play();
    let World { scenario, mut scene, esme, smsc, .. } = world;
    let trace = match scenario.traced {
        Some(Side::Esme) => esme.into_trace(),
        Some(Side::Smsc) => smsc.into_trace(),
        None => None,
    };
    if let Some(trace) = trace {
        if watch == Watch::Steps {
            eprintln!("{trace}");
        }
        assert_eq!(replay(&trace), trace, "told the same, a session says the same");
        scene.count(|| "replayed".into());
    }
    scene.witness.coverage
}

impl World {
    fn new(scenario: Scenario, rng: Rng, watch: Watch) -> Self {
        let Scenario { start, lateness, esme, smsc, .. } = scenario;
        let strict = esme.settings.strict || smsc.settings.strict;
        let mut faults: Vec<(Instant, Fault)> =
            scenario.faults.iter().map(|fault| (start + ticks(fault.begins), *fault)).collect();
        faults.sort_by_key(|(at, _)| *at);
        Self {
            scene: Scene::new(rng, start, scenario.calm, strict, watch),
            esme: Peer::new(&esme, start, lateness, scenario.traced == Some(Side::Esme)),
            smsc: Peer::new(&smsc, start, lateness, scenario.traced == Some(Side::Smsc)),
            up: Pipe::new(esme.way, start),
            down: Pipe::new(smsc.way, start),
            scenario,
            faults,
        }
    }

    fn play(&mut self) {
        let Scenario { start, active, lateness, esme, smsc, calm, .. } = self.scenario;
        self.run_until(start + active);
        self.heal();
        // Long enough for every request to be answered, or given up.
        let longest = esme.settings.response.max(smsc.settings.response) + lateness;
        let patience = if calm { ticks(2000) } else { longest };
        self.run_until(self.scene.now + patience + ticks(1));
        let bound = self.esme.state().is_bound() && self.smsc.state().is_bound();
        for side in self.leave_in_turn() {
            at!(self, side, peer => peer.unbind(&mut self.scene));
            let plan = if side == Side::Esme { esme } else { smsc };
            let settings = plan.settings;
            let most = settings.drain * 2 + (settings.response + lateness) * 4;
            self.run_until(self.scene.now + most);
            let closed = at!(self, side, peer => peer.closed());
            assert!(closed.is_some(), "{side:?} does not come to its end");
        }
        self.check_end(bound);
        self.esme.disturb(&mut self.scene);
        self.smsc.disturb(&mut self.scene);
    }

    fn leave_in_turn(&mut self) -> [Side; 2] {
        let first = super::scenario::side(&mut self.scene.rng);
        if self.scene.rng.chance(200) {
            // Both at once: their unbinds cross.
            at!(self, first.peer(), peer => peer.unbind(&mut self.scene));
        }
        [first, first.peer()]
    }

    fn check_end(&mut self, bound: bool) {
        let calm = self.scenario.calm;
        self.scene.check_end(calm);
        let ends = (self.esme.closed(), self.smsc.closed());
        self.scene.tell(|| format!("{ends:?}"));
        if ends == (Some(CloseReason::Unbound), Some(CloseReason::Unbound)) {
            self.scene.count(|| "unbinds crossed".into());
        }
        if !calm {
            return;
        }
        self.scene.count(|| "calm".into());
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
        let good = ends == both || ways.iter().any(|(esme, smsc)| ends == (Some(*esme), Some(*smsc)));
        assert!(good, "they part in good order, not by {ends:?}");
        if bound {
            let silent = self.esme.model.is_silent() || self.smsc.model.is_silent();
            assert!(!silent, "everything is answered");
        }
    }

    fn heal(&mut self) {
        self.scene.tell(|| "all is well again".into());
        self.faults.clear();
        self.up.heal();
        self.down.heal();
        (self.esme.acts, self.smsc.acts) = (None, None);
    }

    /// Takes one step after the other until it is `end`.
    fn run_until(&mut self, end: Instant) {
        let (mut steps, mut ready) = (0, Vec::with_capacity(STEPS.len()));
        loop {
            let next = self.next_steps(&mut ready);
            if next > end {
                break;
            }
            steps = if next > self.scene.now { 0 } else { steps + 1 };
            assert!(steps < 20_000, "time stands still");
            self.scene.now = next;
            let step = self.scene.rng.pick(&ready);
            self.take(step);
        }
        self.scene.now = end;
    }

    /// The steps that are due next, and when: never, if there are none.
    fn next_steps(&mut self, ready: &mut Vec<Step>) -> Instant {
        let mut next = Instant::from_nanos(u64::MAX);
        for step in STEPS {
            let Some(at) = self.due(step).map(|at| at.max(self.scene.now)) else { continue };
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

    /// When the step is due, if it is.
    fn due(&mut self, step: Step) -> Option<Instant> {
        let now = self.scene.now;
        match step {
            Step::Wake(side) => at!(self, side, peer => peer.wakes()),
            Step::Read(side) => at!(self, side, peer => peer.reads(now)),
            Step::Act(side) => at!(self, side, peer => peer.acts),
            Step::Answer(side) => at!(self, side, peer => peer.answers()),
            Step::Take(side) => at!(self, side, peer => peer.takes),
            Step::Carry(side) => {
                let waits = at!(self, side, peer => !peer.output.is_empty());
                (waits && self.from(side).room() > 0).then_some(now)
            }
            Step::Deliver(side) => {
                let listens = at!(self, side, peer => peer.wants_input() || peer.closed().is_some());
                self.from(side.peer()).arrival().filter(|_| listens)
            }
            Step::HangUp(side) => {
                let open = at!(self, side, peer => peer.closed().is_none() && !peer.model.life.eof);
                self.from(side.peer()).end().filter(|_| open)
            }
            Step::Fault => self.faults.first().map(|(at, _)| *at),
        }
    }

    /// The way from this side.
    fn from(&mut self, side: Side) -> &mut Pipe {
        if side == Side::Esme { &mut self.up } else { &mut self.down }
    }

    fn take(&mut self, step: Step) {
        let scene = &mut self.scene;
        match step {
            Step::Wake(side) => at!(self, side, peer => peer.wake(scene)),
            Step::Read(side) => at!(self, side, peer => peer.read(scene)),
            Step::Act(side) => at!(self, side, peer => peer.act(scene)),
            Step::Answer(side) => at!(self, side, peer => peer.answer(scene)),
            Step::Take(side) => at!(self, side, peer => peer.take(scene)),
            Step::Carry(Side::Esme) => carry(scene, &mut self.esme, &mut self.up),
            Step::Carry(Side::Smsc) => carry(scene, &mut self.smsc, &mut self.down),
            Step::Deliver(side) => {
                let pipe = if side == Side::Esme { &mut self.down } else { &mut self.up };
                let octets = pipe.deliver(&mut scene.rng);
                at!(self, side, peer => peer.hear(scene, &octets));
            }
            Step::HangUp(side) => at!(self, side, peer => peer.eof(scene)),
            Step::Fault => self.fail(),
        }
        let now = self.scene.now;
        for side in [Side::Esme, Side::Smsc] {
            // Who is done closes the connection.
            if at!(self, side, peer => peer.closed().is_some()) {
                self.from(side).finish(now);
            }
        }
    }

    /// The next fault begins, or goes on.
    fn fail(&mut self) {
        let (at, fault) = self.faults.remove(0);
        let Fault { kind, from, ends, .. } = fault;
        let end = self.scenario.start + ticks(ends);
        let first = at == self.scenario.start + ticks(fault.begins);
        let now = self.scene.now;
        self.scene.tell(|| format!("{kind:?} from {from:?}"));
        self.scene.count(|| format!("fault {kind:?}"));
        let pipe = self.from(from);
        match kind {
            FaultKind::Stall => pipe.stalled = first,
            FaultKind::Hold => pipe.held = first,
            FaultKind::Squeeze => pipe.squeezed = first,
            FaultKind::Corrupt => pipe.corrupting = first,
            FaultKind::HalfClose => pipe.finish(now),
            FaultKind::Loss => pipe.lossy = true,
            FaultKind::Cut => {
                self.up.cut(now);
                self.down.cut(now);
                self.esme.eof(&mut self.scene);
                self.smsc.eof(&mut self.scene);
            }
            FaultKind::Strangers | FaultKind::Nonsense | FaultKind::Noise | FaultKind::Flood => {
                self.inject(kind, from.peer());
            }
        }
        let lasts =
            matches!(kind, FaultKind::Stall | FaultKind::Hold | FaultKind::Squeeze | FaultKind::Corrupt);
        let again = match kind {
            _ if lasts => first.then_some(end).filter(|end| *end > at),
            FaultKind::Strangers | FaultKind::Nonsense => {
                Some(at + ticks(self.scene.rng.within(1..=4))).filter(|next| *next <= end)
            }
            _ => None,
        };
        if let Some(next) = again {
            self.faults.push((next, fault));
            self.faults.sort_by_key(|(at, _)| *at);
        }
    }

    /// Octets arrive that nobody sent.
    fn inject(&mut self, kind: FaultKind, to: Side) {
        if at!(self, to, peer => !peer.wants_input()) {
            return;
        }
        let in_flight = at!(self, to, peer => peer.model.in_flight());
        let rng = &mut self.scene.rng;
        let octets = match kind {
            FaultKind::Noise => {
                let length = rng.count(40);
                rng.octets(length)
            }
            FaultKind::Flood => {
                let request = messages::enquire_link();
                request.octets().repeat(rng.count(60))
            }
            _ => messages::stranger(rng, &in_flight, kind == FaultKind::Nonsense).into_inner(),
        };
        if kind == FaultKind::Noise || at!(self, to, peer => peer.is_between_pdus()) {
            self.scene.tainted = true;
            at!(self, to, peer => peer.hear(&mut self.scene, &octets));
        }
    }
}

fn carry<R: Speaker>(scene: &mut Scene, from: &mut Peer<R>, pipe: &mut Pipe) {
    let (taken, damaged) = pipe.take(&mut scene.rng, scene.now, &from.output);
    scene.tainted |= damaged;
    from.transmit(scene, taken);
}
