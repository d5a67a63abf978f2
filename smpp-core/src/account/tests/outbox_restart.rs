//! A program with a database, as the example `outbox`: it is killed at any moment and restarted, and expects the receipts of
//! its earlier processes. The SMSC survives.

use alloc::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const WINDOW: u16 = 3;
const BINDS: u16 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RowState {
    Queued,
    Sending,
    Accepted,
    Uncertain,
}

/// A row of the database. Its index is its key, and its text.
#[derive(Clone, Debug)]
struct Row {
    state: RowState,
    /// The SMSC's id as octets, or as the octets of its key.
    id: Option<Vec<u8>>,
    is_receipt_stored: bool,
}

struct Program {
    sim: Simulation,
    rows: Vec<Row>,
    handed: BTreeSet<usize>,
    /// The ids whose receipts the application has acknowledged: the SMSC does not deliver them again.
    acknowledged: BTreeSet<String>,
    stores_keys: bool,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Queue,
    /// Marks rows as sending, commits, and submits them.
    Send,
    /// The octets of the account reach the SMSC, and its responses do not return yet.
    Transmit,
    /// All octets move, and a second passes.
    Settle,
    /// The SMSC delivers the receipts that were not acknowledged. After it has stored so many, the process is killed.
    Receipts(Option<usize>),
    Disconnect,
    Kill,
}

fn options_of_program() -> Options {
    let session = Config { window: WINDOW, rate: None, enquire_link_interval: None, ..options().session };
    Options { session, binds: Binds::Transceivers(BINDS), max_binds: BINDS, ..options() }
}

impl Program {
    fn new(stores_keys: bool) -> Self {
        let sim = Simulation::new(options_of_program());
        Self { sim, rows: Vec::new(), handed: BTreeSet::new(), acknowledged: BTreeSet::new(), stores_keys }
    }

    fn send(&mut self) {
        let capacity = self.sim.account.ready_capacity().unwrap();
        let queued = self.rows.iter_mut().enumerate().filter(|(_, row)| row.state == RowState::Queued);
        for (index, row) in queued.take(capacity) {
            row.state = RowState::Sending;
            let text = index.to_string();
            let message = Message::text(&template(), text.as_str()).key(text.as_str());
            self.sim.account.submit(self.sim.now, &message).unwrap();
        }
    }

    /// Handles the events of the account: stores outcomes and receipts. Returns whether the process was killed after it had
    /// stored as many receipts as `kill_after`.
    fn handle_events(&mut self, mut kill_after: Option<usize>) -> bool {
        let mut events = core::mem::take(&mut self.sim.events);
        events.extend(core::iter::from_fn(|| self.sim.account.poll_event()));
        for event in events {
            match event {
                Event::HandedToTransport { key: Some(key), .. } => drop(self.handed.insert(index(&key))),
                Event::Outcome { key: Some(key), outcome, .. } => {
                    let row = &mut self.rows[index(&key)];
                    let id = outcome.ids().next().map(|id| id.as_bytes().to_vec());
                    row.state = if id.is_some() { RowState::Accepted } else { RowState::Uncertain };
                    let policy = self.sim.account.options().receipts.dialect.message_ids;
                    let key = |id: Vec<u8>| policy.submitted_key(&id).to_octets();
                    row.id = if self.stores_keys { id.map(key) } else { id };
                }
                Event::Receipt { receipt, matched, ack } => {
                    let id = receipt.id.to_string();
                    // Ids are the numbers of the submissions.
                    let sent: usize = self.sim.submitted[id.parse::<usize>().unwrap() - 1].2.parse().unwrap();
                    let row = &mut self.rows[sent];
                    match matched.and_then(|matched| matched.key) {
                        Some(key) => assert_eq!(index(&key), sent, "the receipt of another row"),
                        None => assert!(
                            matches!(row.state, RowState::Sending | RowState::Uncertain)
                                || row.is_receipt_stored,
                            "the receipt of row {sent}, {:?}, is not matched",
                            row.state
                        ),
                    }
                    row.is_receipt_stored = true;
                    if kill_after == Some(0) {
                        self.kill();
                        return true;
                    }
                    kill_after = kill_after.map(|more| more - 1);
                    if self.sim.account.acknowledge(self.sim.now, ack, Ok(())).is_ok() {
                        self.acknowledged.insert(id);
                    }
                }
                _ => {}
            }
        }
        false
    }

    fn kill(&mut self) {
        self.sim.servers.clear();
        self.sim.events.clear();
        self.sim.account = Account::new(options_of_program(), self.sim.now).unwrap();
        let in_doubt = self.rows.iter_mut().filter(|row| row.state == RowState::Sending);
        let in_doubt = in_doubt.map(|row| row.state = RowState::Uncertain).count();
        assert!(in_doubt <= usize::from(WINDOW * BINDS), "{in_doubt} rows are in doubt");
        for (index, row) in self.rows.iter().enumerate() {
            if let Some(id) = row.id.as_ref().filter(|_| !row.is_receipt_stored) {
                let expected = Expected::new(1).key(index.to_string());
                let expected = if self.stores_keys {
                    expected.id_key(0, crate::sms::MessageIdKey::from_octets(id).unwrap())
                } else {
                    expected.id(0, id)
                };
                self.sim.account.expect(self.sim.now, expected).unwrap();
            }
        }
    }

    fn settle(&mut self) {
        self.sim.advance(SECOND);
        self.handle_events(None);
        // The responses to what was acknowledged.
        self.sim.settle();
    }

    fn receipts(&mut self, kill_after: Option<usize>) {
        self.settle();
        if self.sim.bound_links() == 0 {
            return;
        }
        for number in 1..=self.sim.submitted.len() {
            let id = number.to_string();
            // Fewer than the window of the SMSC's session.
            if !self.acknowledged.contains(&id) && self.sim.servers[0].session.in_flight() < 8 {
                self.sim.receipt(0, &id, "DELIVRD");
            }
        }
        self.sim.settle();
        if !self.handle_events(kill_after) {
            self.settle();
        }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Queue => {
                self.rows.push(Row { state: RowState::Queued, id: None, is_receipt_stored: false });
            }
            Step::Send => self.send(),
            Step::Transmit => {
                self.handle_events(None);
                for index in 0..self.sim.servers.len() {
                    let mut octets = Vec::new();
                    let link = self.sim.servers[index].link;
                    if self.sim.account.poll_transmit(link, &mut octets) {
                        self.sim.account.handle_transmitted(self.sim.now, link, octets.len());
                        self.sim.serve(index, &octets);
                    }
                }
            }
            Step::Settle => self.settle(),
            Step::Receipts(kill_after) => self.receipts(kill_after),
            Step::Disconnect => {
                if let Some(server) = self.sim.servers.first() {
                    self.sim.account.handle_disconnect(self.sim.now, server.link);
                    self.settle();
                }
            }
            Step::Kill => self.kill(),
        }
        self.check();
    }

    fn check(&self) {
        let mut seen = BTreeSet::new();
        for (_, _, text) in &self.sim.submitted {
            let row: usize = text.parse().unwrap();
            assert!(seen.insert(row), "the SMSC has row {row} twice");
            assert!(self.handed.contains(&row), "row {row} was not handed to the transport");
        }
        for (index, row) in self.rows.iter().enumerate() {
            assert!(row.state != RowState::Accepted || seen.contains(&index), "row {index} was never sent");
        }
    }
}

fn index(key: &MessageKey) -> usize {
    core::str::from_utf8(key.as_bytes()).unwrap().parse().unwrap()
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Queue),
        6 => Just(Step::Send),
        3 => Just(Step::Transmit),
        4 => Just(Step::Settle),
        3 => prop::option::of(0..3_usize).prop_map(Step::Receipts),
        1 => Just(Step::Disconnect),
        2 => Just(Step::Kill),
    ]
}

proptest! {
    #[test]
    fn a_program_that_is_killed_at_any_moment_sends_nothing_twice_and_has_every_receipt(
        steps in prop::collection::vec(step(), 1..80),
        stores_keys: bool,
    ) {
        let mut program = Program::new(stores_keys);
        for step in steps {
            program.run(step);
        }
        for _ in 0..program.rows.len() + 2 {
            for step in [Step::Settle, Step::Send, Step::Settle, Step::Receipts(None)] {
                program.run(step);
            }
        }
        for (index, row) in program.rows.iter().enumerate() {
            prop_assert!(matches!(row.state, RowState::Accepted | RowState::Uncertain), "row {index}: {row:?}");
            let is_sent = program.sim.submitted.iter().any(|(_, _, text)| *text == index.to_string());
            prop_assert_eq!(row.is_receipt_stored, is_sent, "row {}: {:?}", index, row);
        }
    }
}
