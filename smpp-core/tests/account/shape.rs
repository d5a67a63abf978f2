//! The application changes the account while it runs: its binds and its other options.

use smpp_proto::account::{Binds, Credentials};
use smpp_proto::session::Rate;

use super::scenario::{binds, endpoints, statuses, tight_reassembly, tight_receipts, working_binds};
use super::simulation::AccountSimulation;

#[derive(Clone, Copy, Debug)]
enum Change {
    Binds,
    Credentials,
    Endpoints,
    Limits,
    Nothing,
    Reassembly,
    Receipts,
    Sending,
    Statuses,
}

impl AccountSimulation {
    pub(crate) fn change_binds(&mut self) {
        let binds = binds(&mut self.context.rng, self.scenario.options.max_binds);
        self.context
            .count(|| if binds == Binds::NONE { "binds changed to none" } else { "binds changed" }.into());
        self.set_binds(binds);
        let too_many = Binds::transceivers(self.scenario.options.max_binds + 1);
        assert!(self.account.set_binds(self.context.now, too_many).is_err());
    }

    /// Makes sure that messages are sent and received from now on.
    pub(crate) fn restore_binds(&mut self) {
        let binds = working_binds(&mut self.context.rng, self.scenario.options.max_binds);
        self.set_binds(binds);
    }

    fn set_binds(&mut self, binds: Binds) {
        self.context.trace(|| format!("the application sets {binds:?}"));
        self.scenario.options.binds = binds.clone();
        self.account.set_binds(self.context.now, binds).expect("within max_binds");
        self.slots.change(self.context.now, &self.scenario.options);
        self.after();
    }

    pub(crate) fn reconfigure(&mut self) {
        let now = self.context.now;
        let rng = &mut self.context.rng;
        let changes = [
            Change::Binds,
            Change::Credentials,
            Change::Endpoints,
            Change::Limits,
            Change::Nothing,
            Change::Reassembly,
            Change::Receipts,
            Change::Sending,
            Change::Statuses,
        ];
        let change = rng.pick(&changes);
        let options = self.account.options().clone();
        let options = match change {
            Change::Binds => {
                let max_binds = rng.within(1..=self.slots.all.len() as u64) as u16;
                options.max_binds(max_binds).binds(binds(rng, max_binds))
            }
            Change::Credentials => {
                options.credentials(Credentials::new("shop", rng.pick(&["s3cret", "n3w"])))
            }
            Change::Endpoints => options.endpoints(endpoints(rng)),
            Change::Limits => {
                let rate = rng.chance(600).then(|| Rate::per_second(rng.within(1..=40) as u32));
                let session = options.session.window(rng.within(1..=8) as u16).rate(rate);
                let queue_capacity = self.account.queued().max(rng.within(3..=40) as usize);
                options.session(session).queue_capacity(queue_capacity)
            }
            // Ample limits stay ample.
            Change::Reassembly | Change::Receipts if self.scenario.ample_limits => return,
            Change::Nothing => options,
            Change::Reassembly => options.reassembly(tight_reassembly(rng)),
            Change::Receipts => {
                let receipts = tight_receipts(rng, options.receipts);
                options.receipts(receipts)
            }
            Change::Statuses => options.statuses(statuses(rng)),
            Change::Sending => {
                let rate = rng.chance(600).then(|| Rate::per_second(rng.within(5..=60) as u32));
                options.rate(rate).spread_segments(rng.chance(500))
            }
        };
        self.context.trace(|| format!("the application reconfigures {change:?}: {options:?}"));
        self.context.count(|| format!("reconfigured {change:?}"));
        self.account.reconfigure(now, options.clone()).expect("valid options");
        self.messages.change(&options);
        self.slots.change(now, &options);
        self.scenario.options = options;
        self.after();
    }

    pub(crate) fn resume(&mut self) {
        self.context.trace(|| "the application resumes".into());
        self.account.resume(self.context.now);
        if self.application.stopped.is_some() {
            self.slots.reset_backoff();
        }
        self.after();
    }
}
