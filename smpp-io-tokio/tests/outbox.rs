//! Kills the example `outbox` at random moments under load, and checks what its documentation promises: no message is
//! accepted twice or lost, what is in doubt is marked, and every receipt reaches its row.
//!
//! The example runs as a process of its own, the SMSC in this one. `cargo test` builds the example; if only this test runs,
//! an example that was built earlier is used.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "test helpers")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use rusqlite::Connection;
use smpp_proto::simulator::{Rng, Rules};
use smpp_tokio::testing::{TestSmsc, TestSmscEvent};
use tokio::sync::watch;
use tokio::time::timeout;

/// The test fails if the example takes longer for a step.
const LIMIT: Duration = Duration::from_secs(30);

/// How many messages wait in the database at each start of the example.
const QUEUED: i64 = 60;

/// The most messages that one process may leave in doubt: a limit of the example.
const IN_DOUBT: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn an_outbox_that_is_killed_loses_nothing_and_sends_nothing_twice() {
    kill_and_check("a_few", 10).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes up to a minute: CI runs it in a step of its own"]
async fn an_outbox_that_is_killed_a_hundred_times_loses_nothing_and_sends_nothing_twice() {
    kill_and_check("a_hundred", 100).await;
}

async fn kill_and_check(name: &str, kills: usize) {
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    println!("seed {seed}");
    let mut rng = Rng::new(seed);
    let mut outbox = Outbox::start(name).await;
    for _ in 0..kills {
        outbox.queue_messages();
        let process = outbox.spawn();
        // The moment depends on what the SMSC has seen of this process, so that it is under load on a slow machine too. The
        // process runs on until the signal arrives: that may be between any two of its steps.
        let [submitted, events] = [40, 20].map(|below| (rng.next_u64() % below) as usize);
        outbox.wait_for_more(|seen| seen.submitted, submitted).await;
        outbox.wait_for_more(|seen| seen.events, events).await;
        process.kill();
    }
    let process = outbox.spawn();
    let deadline = Instant::now() + Duration::from_secs(60);
    while let Err(unfinished) = outbox.is_finished() {
        assert!(Instant::now() < deadline, "{unfinished}");
        // The last commit of the process comes after the last event of the SMSC, and a database reports no commits of others.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    process.kill();
    outbox.check(kills);
}

/// The example. It is killed when it is dropped, also if the test fails.
struct Process(Child);

impl Process {
    fn kill(mut self) {
        assert!(self.0.try_wait().unwrap().is_none(), "the example has ended by itself");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The database, the SMSC, and what it has accepted.
struct Outbox {
    path: PathBuf,
    db: Connection,
    messages: i64,
    smsc: TestSmsc,
    /// The ids that the SMSC has given to the messages of each recipient.
    accepted: Arc<Mutex<HashMap<String, Vec<String>>>>,
    seen: watch::Receiver<Seen>,
}

/// What the SMSC has seen.
#[derive(Default)]
struct Seen {
    /// The messages that it has received.
    submitted: usize,
    /// The messages that it has received, and its deliveries of receipts that have ended.
    events: usize,
}

impl Outbox {
    async fn start(name: &str) -> Self {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("outbox_{name}_{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        let path = path.join("outbox.db");
        let accepted = Arc::<Mutex<HashMap<String, Vec<String>>>>::default();
        let (sender, seen) = watch::channel(Seen::default());
        let by_recipient = Arc::clone(&accepted);
        let subscriber = move |event: TestSmscEvent<'_>| {
            let is_submitted = match event {
                TestSmscEvent::Submitted { message, outcome, .. } => {
                    let recipient = message.destination.digits.to_string();
                    let id = outcome.expect("the SMSC accepts every message").to_owned();
                    by_recipient.lock().unwrap().entry(recipient).or_default().push(id);
                    true
                }
                TestSmscEvent::Delivered { .. } => false,
                _ => return,
            };
            sender.send_modify(|seen| {
                seen.submitted += usize::from(is_submitted);
                seen.events += 1;
            });
        };
        let rules = Rules::default().max_binds(10).rate(None).receipt_delay(Duration::from_millis(30));
        let builder = TestSmsc::builder().rules(rules).subscribe(subscriber).wait_limit(LIMIT);
        let smsc = builder.start().await.unwrap();
        let db = Connection::open(&path).unwrap();
        db.busy_timeout(Duration::from_secs(10)).unwrap();
        let outbox = Self { path, db, messages: 0, smsc, accepted, seen };
        // The first process makes the tables, then it binds.
        let process = outbox.spawn();
        outbox.smsc.next_bind().await.unwrap().1.unwrap();
        process.kill();
        outbox
    }

    fn spawn(&self) -> Process {
        let (url, path) = (self.smsc.endpoint(), &self.path);
        let (system_id, password) = (url.system_id.unwrap(), url.password.unwrap());
        let url = format!("smpp://{system_id}:{password}@{}:{}", url.host, url.port);
        Process(Command::new(example()).arg(url).arg(path).stdin(Stdio::null()).spawn().unwrap())
    }

    /// Fills the table up to [`QUEUED`] messages, each to a recipient of its own.
    fn queue_messages(&mut self) {
        let missing = QUEUED - self.count("state = 'queued'");
        let transaction = self.db.unchecked_transaction().unwrap();
        for _ in 0..missing {
            self.messages += 1;
            let row = (self.messages, recipient(self.messages));
            transaction
                .execute("INSERT INTO messages (id, recipient, text) VALUES (?, ?, 'Hello')", row)
                .unwrap();
        }
        transaction.commit().unwrap();
    }

    fn count(&self, condition: &str) -> i64 {
        let query = format!("SELECT count(*) FROM messages WHERE {condition}");
        self.db.query_row(&query, [], |row| row.get(0)).unwrap()
    }

    /// Waits until a counter of the SMSC is higher by this number.
    async fn wait_for_more(&mut self, counter: fn(&Seen) -> usize, more: usize) {
        let target = counter(&self.seen.borrow()) + more;
        let reached = self.seen.wait_for(|seen| counter(seen) >= target);
        timeout(LIMIT, reached).await.expect("the example sends nothing").unwrap();
    }

    /// Returns whether every message has been sent, and every receipt has been delivered and stored.
    fn is_finished(&self) -> Result<(), String> {
        let open = self.count("state IN ('queued', 'sending')");
        if open > 0 {
            return Err(format!("{open} messages are not sent"));
        }
        let pending = self.smsc.pending();
        if pending > 0 {
            return Err(format!("{pending} receipts are not delivered"));
        }
        let receipts = self.receipts().len();
        let accepted = self.accepted.lock().unwrap().len();
        if receipts < accepted {
            Err(format!("{receipts} receipts of {accepted} are stored"))
        } else {
            Ok(())
        }
    }

    /// Returns the messages that have a final receipt, with the SMSC's ids in the receipts.
    fn receipts(&self) -> HashMap<i64, String> {
        let query = "SELECT message, smsc_id FROM receipts WHERE is_final AND message IS NOT NULL";
        let mut query = self.db.prepare(query).unwrap();
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, text(row.get(1)?)));
        query.query_map([], row).unwrap().map(Result::unwrap).collect()
    }

    fn check(&self, kills: usize) {
        let receipts = self.receipts();
        let accepted = self.accepted.lock().unwrap();
        let rows = "SELECT id, state, (SELECT smsc_id FROM segments WHERE message = id) FROM messages";
        let mut rows = self.db.prepare(rows).unwrap();
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, Option<Vec<u8>>>(2)?));
        let rows: Vec<(i64, String, Option<Vec<u8>>)> =
            rows.query_map([], row).unwrap().map(Result::unwrap).collect();
        assert_eq!(i64::try_from(rows.len()), Ok(self.messages), "no row is lost");
        let mut in_doubt = 0;
        for (message, state, stored) in rows {
            let ids = accepted.get(&recipient(message)).map(Vec::as_slice).unwrap_or_default();
            match &*state {
                "accepted" => {
                    assert_eq!(stored.map(text).as_slice(), ids, "message {message} is accepted once");
                }
                "uncertain" => {
                    assert!(ids.len() <= 1, "message {message} is accepted twice: {ids:?}");
                    in_doubt += 1;
                }
                state => panic!("message {message} is {state}"),
            }
            assert_eq!(receipts.get(&message), ids.first(), "the receipt of message {message}, {state}");
        }
        println!("{} messages, {} accepted, {in_doubt} in doubt", self.messages, accepted.len());
        assert!(in_doubt <= kills * IN_DOUBT, "{in_doubt} messages are in doubt");
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(self.path.parent().unwrap());
        }
    }
}

fn recipient(message: i64) -> String {
    format!("65{message:08}")
}

fn text(id: Vec<u8>) -> String {
    String::from_utf8(id).unwrap()
}

/// Returns the path of the example, which is beside the tests. Builds it if it is not there.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let path = profile.join("examples").join(format!("outbox{}", std::env::consts::EXE_SUFFIX));
    if !path.exists() {
        let name = match profile.file_name().unwrap().to_str().unwrap() {
            "debug" => "dev",
            other => other,
        };
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--package", "smpp-tokio", "--example", "outbox", "--profile", name]);
        build.arg("--target-dir").arg(profile.parent().unwrap());
        assert!(build.status().unwrap().success(), "the example does not build");
    }
    path
}
