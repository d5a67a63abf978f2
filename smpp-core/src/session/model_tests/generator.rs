//! Random configurations and steps for the reference model.

use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use super::reference::{Model, Options, Stage};
use super::step::{Answer, Step};
use crate::frame::SequenceNumber;

/// The configuration and the steps of one case.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) options: Options,
    pub(super) steps: Vec<Step>,
}

/// Generates a scenario. Which steps are possible depends on the steps before, so each one is chosen by a seed of its own: a case
/// that fails stays valid when some of its steps are left out.
pub(super) fn scenario() -> impl Strategy<Value = Scenario> {
    (options(), vec(any::<[u8; 16]>(), 1..60)).prop_map(|(options, seeds)| {
        let mut model = Model::new(options.clone());
        let steps = seeds.iter().map(|seed| {
            let rng = TestRng::from_seed(RngAlgorithm::XorShift, seed);
            let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
            let step = step(&model).new_tree(&mut runner).unwrap().current();
            model.run(&step);
            step
        });
        let steps = steps.collect();
        Scenario { options, steps }
    })
}

fn options() -> impl Strategy<Value = Options> {
    let last = SequenceNumber::LAST.0;
    let start = prop_oneof![Just(1), last - 12..=last];
    let max_output = prop_oneof![Just(10_000), 1..300_u64];
    let keep_alive = prop::bool::weighted(0.8);
    (1..8_usize, max_output, start, keep_alive, 1..4_usize, 1..12_u64, 0..15_u64, 0..4_u64).prop_map(
        |(window, max_output, start, keep_alive, max_unanswered, backpressure, late, max_timeouts)| Options {
            window,
            max_output,
            start: SequenceNumber(start),
            keep_alive,
            max_unanswered,
            backpressure_timeout: backpressure,
            late_response_timeout: late,
            max_response_timeouts: max_timeouts,
        },
    )
}

/// Generates a step that is possible now.
fn step(model: &Model) -> impl Strategy<Value = Step> {
    let mut steps = alloc::vec![
        (40, (0..40_u64).prop_map(Step::Submit).boxed()),
        (15, (0..120_u64).prop_map(Step::Transmit).boxed()),
        (10, (0..20_u64).prop_map(Step::Transmit).boxed()),
        (8, (1..4_u64).prop_map(Step::Wait).boxed()),
        (6, (4..35_u64).prop_map(Step::Wait).boxed()),
        (8, Just(Step::PeerDelivers).boxed()),
        (4, Just(Step::PeerEnquires).boxed()),
        (2, Just(Step::PeerUnbinds).boxed()),
        (4, Just(Step::Unbind).boxed()),
        // End the connection often during the shutdown.
        (if model.stage == Stage::Bound { 1 } else { 8 }, Just(Step::Eof).boxed()),
        (if model.stage == Stage::Bound { 1 } else { 5 }, Just(Step::Disconnect).boxed()),
        (1, Just(Step::Abort).boxed()),
    ];
    let answer = || select(&[Answer::Accept, Answer::Refuse, Answer::Nack, Answer::WrongCommand][..]);
    let flipped = || prop::option::weighted(0.1, 8..32_u32);
    for (weight, to) in [(40, model.answerable()), (8, model.finished())] {
        if !to.is_empty() {
            let respond = (select(to), answer(), flipped());
            steps
                .push((weight, respond.prop_map(|(to, answer, bit)| Step::Respond(to, answer, bit)).boxed()));
        }
    }
    if model.unanswered > 0 {
        steps.push((8, Just(Step::Answer).boxed()));
    }
    if !model.awaiting().is_empty() && model.has_read_all() {
        steps.push((4, select(model.awaiting()).prop_map(Step::WrapSequence).boxed()));
    }
    prop::strategy::Union::new_weighted(steps)
}
