//! What the host has on record: its database, copied while no host runs, and what its API says in the end.

use crate::ledger::Pair;
use crate::plan::{Destination, TENANTS, tenant};
use railhead_harness::Client;
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// A delivery on record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// `None`: it waits.
    pub end: Option<End>,
    /// Attempts, as they are counted.
    pub tries: usize,
    /// In the order of their numbers.
    pub attempts: Vec<Attempt>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub state: &'static str,
    pub code: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub n: usize,
    pub code: String,
    /// What the receiver answered; `None`: nothing.
    pub status: Option<u16>,
}

/// Every delivery in the database of a host that is dead: of a copy, so that nobody is in the way of the next one.
pub async fn copied(data: &Path) -> Vec<(Pair, Recorded)> {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["railhead.db", "railhead.db-wal"] {
        if data.join(name).exists() {
            std::fs::copy(data.join(name), folder.path().join(name)).expect("a copy");
        }
    }
    let options = SqliteConnectOptions::new().filename(folder.path().join("railhead.db")).pragma("query_only", "1");
    let mut database = options.disable_statement_logging().connect().await.expect("a database");
    let sound: String = sqlx::query_scalar("PRAGMA quick_check").fetch_one(&mut database).await.expect("an answer");
    assert_eq!(sound, "ok", "the database is damaged");
    let rows = deliveries(&mut database).await;
    database.close().await.expect("closes");
    rows
}

/// Deaths of hosts go on record ten minutes before they happen, so that kills seconds apart count as kills that far apart.
/// A host that finds three in ten minutes takes what it delivers for their cause, and delivers it one at a time: then
/// there are no 200 in flight to be killed.
pub async fn kills_far_apart(data: &Path) {
    let options = SqliteConnectOptions::new().filename(data.join("railhead.db")).disable_statement_logging();
    let mut database = options.connect().await.expect("a database");
    let sql = "CREATE TRIGGER kills_far_apart AFTER UPDATE OF died1 ON shard WHEN NEW.died1 > OLD.died1
               BEGIN UPDATE shard SET died1 = NEW.died1 - 600001 WHERE no = NEW.no; END";
    sqlx::query(sql).execute(&mut database).await.expect("a trigger");
    database.close().await.expect("closes");
}

async fn deliveries(database: &mut SqliteConnection) -> Vec<(Pair, Recorded)> {
    let mut attempts = attempts(database).await;
    let mut rows = Vec::new();
    // A delivery that stands in both tables comes twice, and so does one of an event that was accepted twice.
    for (table, columns) in [("work", "NULL, NULL, w.tries, NULL"), ("delivery", "w.state, w.code, w.tries, w.n")] {
        let sql = format!(
            "SELECT e.id, d.id, w.event, w.destination, {columns}{last} FROM {table} w
             JOIN event e ON e.uid = w.event JOIN destination d ON d.no = w.destination",
            last = if table == "work" { ", NULL, NULL" } else { ", w.reason_code, w.status" },
        );
        for row in sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut *database).await.expect("rows") {
            let key: (Vec<u8>, i64) = (row.get(2), row.get(3));
            let mut attempts = attempts.remove(&key).unwrap_or_default();
            if row.get::<Option<i64>, _>(7).is_some() {
                attempts.push(attempt(&row, 7));
            }
            attempts.sort_by_key(|attempt| attempt.n);
            let end = row.get::<Option<i64>, _>(4).map(|state| End { state: word(state), code: row.get(5) });
            rows.push((pair(row.get(0), row.get(1)), Recorded { end, tries: count(row.get(6)), attempts }));
        }
    }
    assert!(attempts.is_empty(), "attempts of no delivery: {attempts:?}");
    rows
}

/// All but the last of those that ended.
async fn attempts(database: &mut SqliteConnection) -> BTreeMap<(Vec<u8>, i64), Vec<Attempt>> {
    let sql = "SELECT event, destination, n, reason_code, status FROM attempt";
    let mut attempts: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in sqlx::query(sql).fetch_all(database).await.expect("rows") {
        attempts.entry((row.get(0), row.get(1))).or_default().push(attempt(&row, 2));
    }
    attempts
}

/// `n, reason_code, status` from a column on.
fn attempt(row: &SqliteRow, from: usize) -> Attempt {
    Attempt { n: count(row.get(from)), code: row.get(from + 1), status: status(row.get(from + 2)) }
}

/// What the API says of every delivery, once none of them waits any more.
pub async fn told(client: &Client) -> BTreeMap<Pair, Value> {
    let mut all = BTreeMap::new();
    for n in 0..TENANTS {
        for row in told_of(client, &tenant(n)).await {
            let text = |name: &str| row[name].as_str().unwrap_or_else(|| panic!("no {name} in {row}"));
            let twice = all.insert(pair(text("event_id"), text("destination")), row.clone());
            assert!(twice.is_none(), "the API tells of a delivery twice: {row}");
        }
    }
    all
}

async fn told_of(client: &Client, tenant: &str) -> Vec<Value> {
    let path = format!("/v1/tenants/{tenant}/deliveries");
    for _ in 0..600 {
        if client.list(&format!("{path}?state=pending,retrying")).await.is_empty() {
            return client.list(&path).await;
        }
        // What the receiver answered is recorded a moment later; nothing tells when.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("deliveries of {tenant} still wait, minutes after the receiver took the last one");
}

fn pair(event: &str, destination: &str) -> Pair {
    let number = |text: &str, mark: char| text.strip_prefix(mark).and_then(|n| n.parse().ok()).expect("an id of ours");
    Pair { event: number(event, 'e'), to: Destination(number(destination, 'd')) }
}

fn word(state: i64) -> &'static str {
    ["delivered", "dead", "expired", "cancelled"][count(state)]
}

fn status(text: Option<&str>) -> Option<u16> {
    text.map(|text| text.parse().expect("a status"))
}

fn count(number: i64) -> usize {
    usize::try_from(number).expect("a count")
}
