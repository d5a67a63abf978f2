//! Sends the messages of a database and stores their delivery receipts. It may be killed at any moment: no message is lost
//! or sent twice, every receipt reaches its row, and what is in doubt is marked as `uncertain`.
//!
//! Start an SMSC, and this program; then add messages. It runs until it is killed, and creates the tables at its first start.
//! Decide yourself about messages that are `uncertain`: sending one again may deliver it twice.
//!
//! ```sh
//! cargo run --bin smpp -- smsc --listen 127.0.0.1:2775 --account shop:s3cret
//! cargo run -p smpp-tokio --example outbox -- smpp://shop:s3cret@127.0.0.1:2775 outbox.db
//! sqlite3 outbox.db "INSERT INTO messages (recipient, text) VALUES ('6591234567', 'Hello')"
//! ```

use std::error::Error;
use std::sync::Mutex;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Result as Stored, params};
use smpp_tokio::account::{Account, AccountConnector, Arrival, Arrivals, SendError, Sent};
use smpp_tokio::smpp_proto::account::{
    Credentials, DeliveryReceipt, Expected, Message, Options, ReceiptDestination, ReceiptMatch,
};
use smpp_tokio::smpp_proto::{Address, Pdu, RegisteredDelivery, SubmitSm, provider::Provider};
use tokio::task::JoinSet;

/// A message is queued, sending, then accepted, failed or uncertain. A commit is on disk (`synchronous = FULL`).
const SCHEMA: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, recipient TEXT NOT NULL, text TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'queued', reason TEXT);
    CREATE INDEX IF NOT EXISTS states ON messages (state);
    CREATE TABLE IF NOT EXISTS segments (message, segment, total, smsc_id, PRIMARY KEY (message, segment));
    CREATE TABLE IF NOT EXISTS receipts (smsc_id, state, is_final, message, segment, PRIMARY KEY (smsc_id, state));";

/// The most messages that are marked as sending, and in doubt if this process is killed.
const IN_DOUBT: usize = 10;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let [url, path] = <[String; 2]>::try_from(std::env::args().skip(1).collect::<Vec<_>>())
        .map_err(|_| "usage: outbox URL DATABASE")?;
    let db = Connection::open(path)?;
    db.busy_timeout(Duration::from_secs(10))?;
    db.execute_batch(SCHEMA)?;
    // A process was killed while it sent these: the SMSC may have accepted them. A person decides about them.
    db.execute("UPDATE messages SET state = 'uncertain' WHERE state = 'sending'", [])?;
    let options = Options::new(Credentials::default(), &Provider::UNSTATED);
    let connector = AccountConnector::new(&url.parse()?, options).expect(without_receipt(&db)?);
    let (account, arrivals) = connector.start()?;
    let db = Mutex::new(db);
    tokio::try_join!(send(account, &db), receive(arrivals, &db))?;
    Ok(())
}

/// Returns what earlier processes sent, and whose final receipts are missing.
fn without_receipt(db: &Connection) -> Stored<Vec<Expected>> {
    let mut query = db.prepare(
        "SELECT message, segment, total, smsc_id FROM segments s WHERE NOT EXISTS (SELECT 1 FROM receipts r
            WHERE r.message = s.message AND r.segment = s.segment AND r.is_final)",
    )?;
    let rows = query.query_map([], |row| {
        let expected = Expected::new(row.get(2)?).key(row.get::<_, i64>(0)?.to_be_bytes());
        Ok(expected.id(row.get(1)?, &row.get::<_, Vec<u8>>(3)?))
    })?;
    rows.collect()
}

async fn send(account: Account, db: &Mutex<Connection>) -> Result<(), Failure> {
    let mut outcomes = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(outcome) = outcomes.join_next() => {
                let (id, outcome) = outcome?;
                store_outcome(id, &outcome, &mut db.lock().unwrap())?;
            }
            capacity = account.ready(), if outcomes.len() < IN_DOUBT => {
                // Committed before the account has the messages: whatever may leave this process is marked.
                let limit = capacity?.min(IN_DOUBT - outcomes.len());
                let batch = mark_as_sending(&db.lock().unwrap(), limit)?;
                if batch.is_empty() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                for (id, recipient, text) in batch {
                    let submitted = match message(id, &recipient, text) {
                        Ok(message) => account.submit(&message).await.map_err(Failure::from),
                        Err(error) => Err(error),
                    };
                    match submitted {
                        Ok(ticket) => drop(outcomes.spawn(async move { (id, ticket.outcome().await) })),
                        // Nothing of it was sent, and the other messages go on.
                        Err(error) => store_failure(id, &error.to_string(), &db.lock().unwrap())?,
                    }
                }
            }
        }
    }
}

fn message(id: i64, recipient: &str, text: String) -> Result<Message, Failure> {
    let template = SubmitSm {
        destination: Address::international(recipient)?,
        registered_delivery: RegisteredDelivery::RECEIPT,
        ..SubmitSm::default()
    };
    let message = Message::text(&template, text).key(id.to_be_bytes());
    Ok(message.receipts_to(ReceiptDestination::Arrivals))
}

fn mark_as_sending(db: &Connection, limit: usize) -> Stored<Vec<(i64, String, String)>> {
    let mut update = db.prepare_cached(
        "UPDATE messages SET state = 'sending' WHERE id IN (SELECT id FROM messages WHERE state = 'queued'
            ORDER BY id LIMIT ?) RETURNING id, recipient, text",
    )?;
    update.query_map([limit], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
}

fn store_failure(id: i64, reason: &str, db: &Connection) -> Stored<()> {
    db.execute("UPDATE messages SET state = 'failed', reason = ? WHERE id = ?", params![reason, id]).map(drop)
}

fn store_outcome(id: i64, outcome: &Result<Sent, SendError>, db: &mut Connection) -> Stored<()> {
    let (ids, state, reason) = match outcome {
        Ok(sent) => (sent.ids(), "accepted", None),
        Err(error) if error.is_safe_to_resend() => (&[][..], "failed", Some(error.to_string())),
        Err(error) => (&[][..], "uncertain", Some(error.to_string())),
    };
    let transaction = db.transaction()?;
    for (segment, smsc_id) in ids.iter().enumerate() {
        let row = params![id, segment, ids.len(), smsc_id.as_bytes()];
        transaction.execute("INSERT OR REPLACE INTO segments VALUES (?, ?, ?, ?)", row)?;
    }
    transaction
        .execute("UPDATE messages SET state = ?, reason = ? WHERE id = ?", params![state, reason, id])?;
    transaction.commit()
}

async fn receive(mut arrivals: Arrivals, db: &Mutex<Connection>) -> Result<(), Failure> {
    while let Some(arrival) = arrivals.recv().await {
        if let Arrival::Receipt(receipt) = arrival {
            store_receipt(&receipt.get().0, receipt.get().1.as_ref(), &db.lock().unwrap())?;
            // Only now. If it fails, the bind is gone, and the SMSC delivers the receipt again.
            let _ = receipt.accept();
        }
    }
    Ok(())
}

fn store_receipt(
    receipt: &DeliveryReceipt,
    matched: Option<&ReceiptMatch>,
    db: &Connection,
) -> Stored<usize> {
    let key = matched.and_then(|matched| matched.key.as_ref()?.as_bytes().try_into().ok());
    let message = match (key, receipt.pdu()) {
        (Some(key), _) => Some(i64::from_be_bytes(key)),
        // The SMSC has accepted a message that was in doubt: the receipt comes from its recipient.
        (None, Some(Pdu::DeliverSm(pdu))) => {
            let query = "SELECT id FROM messages WHERE recipient = ? AND state IN ('sending', 'uncertain')";
            db.query_row(query, [pdu.source.digits.to_string()], |row| row.get(0)).optional()?
        }
        _ => None,
    };
    let segment = matched.map(|matched| matched.segment);
    let row = params![receipt.id.as_bytes(), receipt.state.0, receipt.is_final, message, segment];
    db.execute("INSERT OR IGNORE INTO receipts VALUES (?, ?, ?, ?, ?)", row)
}
