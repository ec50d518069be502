//! The postgres connector through the sandbox, beside a native client: the same rows over TLS into the same server, one
//! run, one process.

use crate::process::Used;
use futures::StreamExt as _;
use railhead_harness::Postgres;
use railhead_model::event::Head;
use railhead_model::{Event, EventUid, Timestamp};
use railhead_plugin_harness::{Authority, Destination, Harness, Options};
use railhead_sandbox::SandboxConfig;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{Executor as _, Postgres as Sql, QueryBuilder};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Rows of one batch, and batches at once.
const BATCH: usize = 1_000;
const AT_ONCE: usize = 2;
const PASSWORD: &str = "a-password-of-the-bench";
const TABLE: &str = "(event_id text PRIMARY KEY, id text NOT NULL, event_type text NOT NULL, occurred_at timestamptz NOT \
                     NULL, tenant text NOT NULL, source text NOT NULL, payload jsonb, metadata jsonb NOT NULL, \
                     received_at timestamptz NOT NULL DEFAULT now())";

/// Writes `rows` rows each way and reports; nothing where no PostgreSQL is installed.
pub async fn run(rows: usize) -> Option<Value> {
    let server = Postgres::start(&[]).await?;
    let authority = prepared(&server).await;
    let batches = rows.div_ceil(BATCH);
    let (pool, destination) = (native(&server, &authority), sandboxed(&server, &authority).await);
    let (pool, destination) = (&pool, &destination);
    // Logins, and a table that has seen rows.
    destination_writes(destination, 1, AT_ONCE).await;
    pool_writes(pool, 2, AT_ONCE).await;
    let mut own = measured(batches, destination_writes(destination, 3, batches)).await;
    let mut other = measured(batches, pool_writes(pool, 4, batches)).await;
    // Once more in the other order: who comes second finds a larger log and warmer caches.
    other += measured(batches, pool_writes(pool, 5, batches)).await;
    own += measured(batches, destination_writes(destination, 6, batches)).await;
    Some(json!({
        "rows": 2 * batches * BATCH, "batch": BATCH, "at_once": AT_ONCE,
        "sandbox_rows_per_s": own.rate().round(), "native_rows_per_s": other.rate().round(),
        "rate_ratio": rounded(own.rate() / other.rate()),
        "sandbox_cpu_s_per_1000": rounded(own.cpu_per_1000()), "native_cpu_s_per_1000": rounded(other.cpu_per_1000()),
    }))
}

/// Rows, and what they took.
#[derive(Clone, Copy, Default)]
struct Measured {
    rows: f64,
    seconds: f64,
    cpu: f64,
}

impl Measured {
    fn rate(self) -> f64 {
        self.rows / self.seconds
    }

    fn cpu_per_1000(self) -> f64 {
        self.cpu / self.rows * 1_000.0
    }
}

impl std::ops::AddAssign for Measured {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.seconds += other.seconds;
        self.cpu += other.cpu;
    }
}

/// CPU of this process alone: the server is another one.
async fn measured(batches: usize, work: impl Future<Output = ()>) -> Measured {
    let (own, start) = (std::process::id(), Instant::now());
    let before = Used::alone(own);
    work.await;
    let rows = (batches * BATCH) as f64;
    Measured { rows, seconds: start.elapsed().as_secs_f64(), cpu: Used::alone(own).since(before).cpu }
}

/// Switches TLS on, and makes role and table.
async fn prepared(server: &Postgres) -> Authority {
    let authority = Authority::new("Bench authority").expect("an authority");
    let (certificate, key) = authority.issue("localhost").expect("a certificate");
    let data = server.ask("SHOW data_directory");
    for (name, contents) in [("server.crt", &certificate), ("server.key", &key)] {
        let path = Path::new(&data).join(name);
        std::fs::write(&path, contents).expect("written");
        let mut owned = Command::new("sh");
        owned.args(["-c", r#"chmod 600 "$0" && chown "$(stat -c %U "$1")" "$0""#]).arg(&path).arg(&data);
        assert!(owned.status().expect("sh runs").success());
    }
    let _ = server.ask("ALTER SYSTEM SET ssl = on");
    let _ = server.ask("SELECT pg_reload_conf()");
    let _ = server.ask(&format!("CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'"));
    let _ = server.ask(&format!("CREATE TABLE events {TABLE}; GRANT ALL ON events TO app"));
    while server.ask("SHOW ssl") != "on" {
        tokio::task::yield_now().await;
    }
    authority
}

fn native(server: &Postgres, authority: &Authority) -> PgPool {
    let options = PgConnectOptions::new()
        .host("localhost")
        .port(server.address.port())
        .username("app")
        .password(PASSWORD)
        .database("postgres")
        .ssl_mode(PgSslMode::VerifyFull)
        .ssl_root_cert_from_pem(authority.pem().into_bytes());
    PgPoolOptions::new().max_connections(2).connect_lazy_with(options)
}

/// As one would write it by hand: one INSERT of many rows with nine parameters each.
async fn pool_writes(pool: &PgPool, run: u8, batches: usize) {
    let write = |batch| async move {
        let events = events(run, batch);
        let sql = "INSERT INTO events (event_id, id, event_type, occurred_at, tenant, source, payload, metadata, received_at) ";
        let mut insert: QueryBuilder<Sql> = QueryBuilder::new(sql);
        insert.push_values(&events, |mut row, event| {
            row.push_bind(event.uid.to_string()).push_bind(&event.id).push_bind(&event.event_type);
            row.push_bind(&event.head.time).push_unseparated("::timestamptz").push_bind("acme");
            row.push_bind(&event.head.source);
            row.push_bind(std::str::from_utf8(&event.data).expect("text")).push_unseparated("::jsonb");
            row.push_bind(r#"{"content_type": "application/json"}"#).push_unseparated("::jsonb");
            row.push_bind(&event.head.time).push_unseparated("::timestamptz");
        });
        insert.push(" ON CONFLICT (event_id) DO NOTHING");
        let done = pool.execute(insert.build()).await.expect("inserted");
        assert_eq!(done.rows_affected(), BATCH as u64);
    };
    futures::stream::iter(0..batches).map(write).buffer_unordered(AT_ONCE).for_each(|()| async {}).await;
}

async fn sandboxed(server: &Postgres, authority: &Authority) -> Destination {
    let options = Options { sandbox: SandboxConfig::default(), ..Options::default() };
    let harness = Harness::with(options).expect("a sandbox");
    let connector = harness.load(railhead_plugins::POSTGRES).await.expect("the connector");
    let config = json!({ "host": "localhost", "port": server.address.port(), "database": "postgres", "user": "app" });
    let destination = harness.destination(&connector, config);
    destination.credentials(&[("password", PASSWORD), ("tls_identity", &authority.pem())]).batched()
}

async fn destination_writes(destination: &Destination, run: u8, batches: usize) {
    let write = |batch| async move {
        for settled in destination.deliver(events(run, batch)).await {
            assert_eq!(settled.outcome.reason().code, "inserted", "{:?}", settled.outcome);
        }
    };
    futures::stream::iter(0..batches).map(write).buffer_unordered(AT_ONCE).for_each(|()| async {}).await;
}

/// A batch of 1 KB each; `run` makes them others than those of other runs.
fn events(run: u8, batch: usize) -> Vec<Event> {
    let at = Timestamp(1_700_000_000_000);
    let event = |n: usize| {
        let mut random = [0; 10];
        random[1] = run;
        random[2..].copy_from_slice(&((batch * BATCH + n) as u64).to_be_bytes());
        Event {
            uid: EventUid::new(at, random),
            id: format!("e{n}"),
            event_type: "order.created".to_owned(),
            accepted_at: at,
            head: Head {
                source: "/".to_owned(),
                time: at.to_string(),
                content_type: "application/json".to_owned(),
                ..Head::default()
            },
            data: crate::target::payload(n).to_string().into(),
        }
    };
    (0..BATCH).map(event).collect()
}

fn rounded(seconds: f64) -> f64 {
    (seconds * 10_000.0).round() / 10_000.0
}
