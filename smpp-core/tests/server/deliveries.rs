//! The model of the deliveries: each has one outcome, and what the ESMEs have received agrees with it.

use std::collections::HashMap;
use std::time::Duration;

use smpp_proto::server::{ConnectionId, DeliveryId, DeliveryOutcome};
use smpp_proto::session::Instant;

use super::scenario::Scenario;

pub(crate) struct DeliveryModel {
    pub(crate) account: String,
    pub(crate) octets: usize,
    at_most_once: bool,
    pub(crate) deadline: Instant,
    received: usize,
    /// How often the ESMEs have accepted it.
    accepted: usize,
    refused: usize,
    pub(crate) outcome: Option<DeliveryOutcome>,
}

#[derive(Default)]
pub(crate) struct Deliveries {
    pub(crate) all: HashMap<u32, DeliveryModel>,
    pub(crate) open: usize,
    /// The number and the octets of those of each account without an outcome.
    of_accounts: HashMap<String, (usize, usize)>,
}

/// Returns the account that a system_id counts for.
pub(crate) fn account_of(system_id: &str, scenario: &Scenario) -> String {
    if scenario.ignores_case { system_id.to_ascii_lowercase() } else { system_id.to_string() }
}

impl Deliveries {
    pub(crate) fn record_queued(
        &mut self,
        number: u32,
        (account, octets): (&str, usize),
        at_most_once: bool,
        deadline: Instant,
    ) {
        let account = account.to_string();
        let (count, sum) = self.of_accounts.entry(account.clone()).or_default();
        (*count, *sum) = (*count + 1, *sum + octets);
        let model = DeliveryModel {
            account,
            octets,
            at_most_once,
            deadline,
            received: 0,
            accepted: 0,
            refused: 0,
            outcome: None,
        };
        self.all.insert(number, model);
        self.open += 1;
    }

    pub(crate) fn record_received(
        &mut self,
        number: u32,
        system_id: &str,
        connection: ConnectionId,
        scenario: &Scenario,
    ) {
        let delivery = self.all.get_mut(&number).expect("a delivery that nobody has queued");
        assert_eq!(delivery.account, account_of(system_id, scenario), "on {connection}: another account");
        delivery.received += 1;
        assert!(
            !delivery.at_most_once || delivery.received <= delivery.refused + 1,
            "{number} was sent again without a refusal"
        );
    }

    pub(crate) fn record_answered(&mut self, number: u32, is_accepted: bool) {
        let delivery = self.all.get_mut(&number).unwrap();
        *(if is_accepted { &mut delivery.accepted } else { &mut delivery.refused }) += 1;
    }

    pub(crate) fn record_outcome(
        &mut self,
        now: Instant,
        (id, key): (DeliveryId, u64),
        account: &str,
        outcome: DeliveryOutcome,
    ) -> bool {
        let delivery = self.all.get_mut(&(key as u32)).expect("an outcome of no delivery");
        assert_eq!(delivery.account, account);
        assert!(delivery.outcome.is_none(), "{id} has two outcomes");
        match &outcome {
            DeliveryOutcome::Accepted(_) => assert!(delivery.accepted > 0, "no ESME has accepted {id}"),
            DeliveryOutcome::NeverSent(reason) => {
                assert_eq!(delivery.received, 0, "{id} was received: {reason:?}");
                if *reason == smpp_proto::server::DeliveryNotSentReason::Expired {
                    assert!(delivery.deadline <= now, "{id} expired early");
                }
            }
            _ => {}
        }
        let is_retried = delivery.received > 1;
        delivery.outcome = Some(outcome);
        let (count, sum) = self.of_accounts.get_mut(account).unwrap();
        (*count, *sum) = (*count - 1, *sum - delivery.octets);
        self.open -= 1;
        is_retried
    }

    /// Checks that none is without an outcome for long after its deadline. One in flight then waits for its response.
    pub(crate) fn check_deadlines(&self, now: Instant, patience: Duration) {
        let is_late = |it: &&DeliveryModel| it.outcome.is_none() && it.deadline + patience < now;
        assert_eq!(self.all.values().filter(is_late).count(), 0, "deliveries without an outcome");
    }

    /// Returns the number and the octets of the deliveries of an account without an outcome.
    pub(crate) fn open_of(&self, account: &str) -> (usize, usize) {
        self.of_accounts.get(account).copied().unwrap_or_default()
    }
}
