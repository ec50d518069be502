//! The plans of hot statements, and of what people read: index probes only, on tables that were full and are empty, and
//! on full ones; and no look into a day that the asked uids rule out.

use crate::fixture::{Fixture, NOON, end, retry};
use crate::security::{Filled, fill, number};
use crate::server;
use railhead_model::time::DAY_MS;
use railhead_model::{DestinationNo, End, Ordering, Origin, ShardNo, Timestamp};
use railhead_store::directory::Expect;
use railhead_store::history::{DeliveryFilter, EventFilter};
use railhead_store::work::Command;
use railhead_store::{Accept, Directory, History, Jobs, Position, Record, RefillAsk, WorkStore};
use railhead_store_postgres::{PostgresOptions, PostgresStore};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// Each plan with what was really run of it.
const SETUP: &str = "
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET session_preload_libraries = auto_explain', current_database());
    EXECUTE format('ALTER DATABASE %I SET auto_explain.log_min_duration = 0', current_database());
    EXECUTE format('ALTER DATABASE %I SET auto_explain.log_analyze = on', current_database());
END $$;
ALTER TABLE work SET (autovacuum_enabled = off)";

/// Waiting deliveries of somebody else.
const FILL_QUEUE: &str = "
INSERT INTO work (event, destination, run, tenant, due, origin, made_at)
SELECT (lpad(to_hex(NOON + 2000), 12, '0') || lpad(to_hex(i), 20, '0'))::uuid, 1000 + i % 50, 0, 999, i, 0, i
    FROM generate_series(1, 60000) AS i; ANALYZE work";

/// A queue may be empty after it was full. Days are only ever filled, after their statistics said that they are empty.
const EMPTY_QUEUE: &str = "DELETE FROM work WHERE tenant = 999; ANALYZE work, event, delivery, attempt";

/// Events and ended deliveries of somebody else, of noon.
const FILL_DAY: &str = "
INSERT INTO event (uid, tenant, idh, digest, id, type, at, route, origin, head, payload_bytes)
SELECT (lpad(to_hex(NOON + 1000), 12, '0') || lpad(to_hex(i), 20, '0'))::uuid, 999, gen_random_uuid(), gen_random_uuid(),
    'x', 'x', 0, '', 0, '', 0 FROM generate_series(1, 10000) AS i;
INSERT INTO delivery (event, destination, run, tenant, state, code, attempts, tries, at, origin, made_at)
SELECT (lpad(to_hex(NOON + 1000), 12, '0') || lpad(to_hex(i), 20, '0'))::uuid, 1000 + i % 50, 0, 999, i % 2, '', 1, 1, 0, 0, 0
    FROM generate_series(1, 10000) AS i";

const ANALYZE: &str = "ANALYZE work, event, delivery, attempt";

/// What the database is like, and how it came to be so.
const STATES: [(&str, &[&str]); 3] = [
    ("queue full once, empty now", &[FILL_QUEUE, EMPTY_QUEUE]),
    ("days filled since their statistics", &[FILL_DAY]),
    ("all full", &[FILL_QUEUE, ANALYZE]),
];

/// Words of each hot statement.
const HOT: [&str; 25] = [
    "AS u(uid, tenant, gen,",
    "first.digest",
    "AS r(ord, event",
    "AS u(ord, event",
    "AS u(ord, destination, due",
    "AS u(ord, destination, seq",
    "SELECT u.no, w.due",
    "AS n FROM (\n    SELECT 1 FROM work",
    "AS u(uid)\nCROSS JOIN LATERAL (\n    SELECT * FROM event e",
    "SET due = $4, rev = rev + 1",
    "'cancelled'",
    "last.run + 1",
    "CASE WHEN w.starts_tries",
    "starts_by = NULL",
    "AS open FROM (",
    "FROM fanout f",
    "WITH old AS MATERIALIZED",
    "row_number() OVER (ORDER BY due",
    "WITH chosen AS MATERIALIZED (\n    SELECT w.event",
    "WITH chosen AS MATERIALIZED (\n    SELECT event",
    "FROM tenant WHERE no = ANY",
    "FROM destination WHERE no = ANY($1",
    "WHERE shard + 0 = ANY",
    "AS u(shard)",
    "SELECT * FROM batch b",
];

/// Words of each statement that people read with.
const READ: [&str; 11] = [
    "head, origin FROM event WHERE uid = $1",
    "head, origin FROM event WHERE tenant = $1 AND id",
    "head, origin FROM event WHERE tenant = $1 AND uid",
    "SELECT uid FROM event WHERE tenant",
    "AS uid FROM delivery WHERE destination",
    "AS uid FROM delivery WHERE tenant",
    "AS u(uid)\n            CROSS JOIN LATERAL (SELECT e.type",
    "FROM attempt WHERE event = $1",
    "SELECT sealed FROM transcript",
    "s(state)",
    "FROM credential WHERE destination",
];

#[tokio::test]
async fn statements_probe_indexes_whatever_the_statistics_say() {
    let Some(mut f) = Fixture::new().await else { return };
    let mut admin = PgConnection::connect(&f.url).await.expect("a connection");
    f.store.ensure_partitions(NOON).await.expect("partitions");
    let filled = fill(&mut f, "filled").await;
    sqlx::raw_sql(SETUP).execute(&mut admin).await.expect("the setup");
    for (what, sql) in STATES {
        for sql in sql {
            let sql = sql.replace("NOON", &NOON.0.to_string());
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await.expect("rows");
        }
        let seen = server::log().len();
        f.store = PostgresStore::connect(&f.url, &PostgresOptions::default()).await.expect("a connection");
        run_hot(&mut f, what).await;
        closed(&f, &mut admin).await;
        check(what, &plans(&server::log()[seen..], "tenant"), &HOT);
        let seen = server::log().len();
        f.store = PostgresStore::connect(&f.url, &PostgresOptions::default()).await.expect("a connection");
        run_reads(&f, &filled).await;
        closed(&f, &mut admin).await;
        check(what, &plans(&server::log()[seen..], "tenant"), &READ);
    }
}

/// The store is closed, and every process that served it has ended: it may log a plan after its client is gone.
async fn closed(f: &Fixture, admin: &mut PgConnection) {
    f.store.close().await;
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    while sqlx::query_scalar::<_, i64>(others).fetch_one(&mut *admin).await.expect("a count") > 0 {
        tokio::task::yield_now().await;
    }
}

/// Every hot statement at least once.
async fn run_hot(f: &mut Fixture, what: &str) {
    let to = f.destination(&what.replace([' ', ','], "-"), Ordering::None).await;
    let mut events: Vec<_> = (0..30).map(|_| f.event(NOON, &[to])).collect();
    events[0].lanes = vec![(to, [1; 16])];
    f.store.accept(&events).await.expect("answers");
    f.store.accept(&events).await.expect("answers");
    f.store.accept_patiently(&events).await.expect("answers");
    let by_due = RefillAsk { destination: to, ordered: false, after: None, limit: 100 };
    let by_seq = RefillAsk { ordered: true, after: Some(Position::Seq(0)), ..by_due };
    let rows = f.store.refill(&[by_due, by_seq]).await.expect("rows").remove(0).rows;
    assert_eq!(rows.len(), 30);
    let mut batch: Vec<_> = rows.iter().map(|row| end(row.key, row.tenant, row.rev, 1, End::Delivered)).collect();
    batch[0] = retry(rows[0].key, rows[0].tenant, 0, 1);
    batch[1] = end(rows[1].key, rows[1].tenant, 7, 1, End::Delivered);
    f.store.start(f.host, &[rows[0].key], false).await.expect("a start");
    f.store.unstart(f.host, &[rows[0].key]).await.expect("no start");
    f.store.record(f.host, &batch).await.expect("answers");
    f.store.survey(&[to]).await.expect("due times");
    f.store.waiting(&[to], 10).await.expect("counts");
    f.store.payloads(&[events[3].uid]).await.expect("events");
    f.store.command(rows[0].key, Command::RetryNow, NOON).await.expect("a command");
    f.store.command(rows[0].key, Command::Cancel, NOON).await.expect("a command");
    f.store.redeliver(rows[5].key, Origin::Retry, NOON).await.expect("a run");
    run_loads(f, to).await;
    run_jobs(f, to).await;
}

/// What a take-over reads.
async fn run_loads(f: &Fixture, to: DestinationNo) {
    let all: Vec<_> = (0..=255).map(ShardNo).collect();
    f.store.destinations_of(&all, None, 500).await.expect("destinations");
    let found = f.store.destinations_of(&[to.shard()], Some(DestinationNo(to.0 - 1)), 500).await.expect("destinations");
    assert_eq!(found.first().map(|found| found.no), Some(to));
    f.store.destinations_by_no(&[to]).await.expect("destinations");
    f.store.tenants_by_no(&[f.tenant.no]).await.expect("tenants");
    f.store.batches(&[to]).await.expect("batches");
}

/// What goes through a queue that may be long.
async fn run_jobs(f: &mut Fixture, to: DestinationNo) {
    f.store.step_fanout(NOON).await.expect("a step");
    f.store.step_replay(NOON).await.expect("a step");
    f.store.step_expiry(NOON.plus_ms(-DAY_MS), NOON).await.expect("a step");
    let mut ordered = f.store.destinations_by_no(&[to]).await.expect("a read").remove(0);
    ordered.spec.ordering = Ordering::Destination;
    f.store.put_destination(&ordered, Expect::Anything).await.expect("a write");
    assert!(f.store.delete_destination(f.tenant.no, &ordered.id, NOON).await.expect("a deletion"));
}

/// Every statement that people read with.
async fn run_reads(f: &Fixture, filled: &Filled) {
    let (store, tenant, key) = (&f.store, f.tenant.no, filled.keys[1]);
    store.event(tenant, key.event).await.expect("an event");
    store.event_by_id(tenant, &format!("order-{}", number(tenant))).await.expect("an event");
    // Of one day: no other is looked at.
    let (since, until) = (Some(NOON.plus_ms(-1)), Some(NOON.plus_ms(1)));
    store.events(tenant, &EventFilter { since, until, event_type: None }, None, 10).await.expect("events");
    store.deliveries_of(tenant, key.event).await.expect("deliveries");
    store.attempts(tenant, key).await.expect("attempts");
    store.counts(tenant, 10).await.expect("counts");
    for states in [vec![], vec![railhead_model::DeliveryState::Dead]] {
        for destination in [None, Some(filled.destination)] {
            let filter =
                DeliveryFilter { destination, states: states.clone(), since, until, ..DeliveryFilter::default() };
            store.deliveries(tenant, &filter, None, 10).await.expect("deliveries");
        }
    }
    store.replay(tenant, filled.job).await.expect("a replay");
    store.replays(tenant, None, 10).await.expect("replays");
    store.destinations(tenant).await.expect("destinations");
    store.standings(tenant, None, 10).await.expect("destinations");
}

/// Statements with their plans.
fn plans<'a>(log: &'a str, one_of: &str) -> Vec<&'a str> {
    let plans: Vec<_> = log.split("Query Text:").skip(1).collect();
    assert!(plans.iter().any(|plan| plan.contains(one_of)), "no plan in the log");
    plans
}

fn check(what: &str, plans: &[&str], statements: &[&str]) {
    let plain = |text: &str| text.replace('\t', "");
    for statement in statements {
        let found = plans.iter().any(|plan| plain(plan).contains(statement));
        assert!(found, "{what}: no plan of {statement}");
    }
    for plan in plans {
        let lines: Vec<_> = plan.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            let tables = [
                "work",
                "event",
                "delivery",
                "attempt",
                "transcript",
                "tenant",
                "host",
                "destination",
                "job",
                "fanout",
            ];
            assert!(!tables.iter().any(|t| line.contains(&format!("Seq Scan on {t}"))), "{what}: {line}\n{plan}");
            let own = || lines[i + 1..].iter().take_while(|next| !next.contains("->"));
            let condition = own().find(|next| next.contains("Index Cond:")).copied().unwrap_or_default();
            let Some(leads) = leading(line) else { continue };
            let begins = match leads {
                "destination" | "tenant" => [format!("({leads} ="), format!("ROW({leads}")],
                _ => [format!("({leads} "), format!("ROW({leads}")],
            };
            let probes = begins.iter().any(|begin| condition.contains(begin));
            assert!(probes, "{what}: a whole index may be read: {line}\n{condition}\n{plan}");
        }
    }
    for statement in statements.iter().filter(|statement| !EVERY_DAY.contains(statement)) {
        for plan in plans.iter().filter(|plan| plain(plan).contains(statement)) {
            let strays: Vec<_> = plan.lines().filter(|line| is_stray(line)).collect();
            assert_eq!(strays, Vec::<&str>::new(), "{what}: days are read that cannot have it: {plan}");
        }
    }
}

/// The first column of the index that a line scans: without a condition on it the scan is no probe, whatever it costs
/// while the table is small. Days that a run did not touch count too: they show the plans of days that are still empty.
fn leading(line: &str) -> Option<&'static str> {
    let (_, name) = line.split_once(" using ")?;
    let name = name.split(' ').next()?;
    let of = |table: &str| name.starts_with(table);
    Some(match name {
        _ if name.ends_with("_idh") => "idh",
        "work_due" | "work_seq" | "work_lane" => "destination",
        "work_job" => "job",
        "destination_shard" => "shard",
        "batch_pkey" => "destination",
        _ if name.ends_with("_destination_event_idx") => "destination",
        _ if name.ends_with("_tenant_uid_idx") || name.ends_with("_tenant_id_idx") => "tenant",
        _ if name.ends_with("_tenant_event_idx") || name == "job_tenant" => "tenant",
        _ if name.ends_with("_pkey") && of("event_2") => "uid",
        _ if name.ends_with("_pkey") && ["work", "delivery_2", "attempt_2", "transcript_2"].into_iter().any(of) => {
            "event"
        }
        _ if name.ends_with("_pkey") && ["tenant", "destination"].into_iter().any(of) => "no",
        _ => return None,
    })
}

/// These look for something whose day nobody knows, in the newest first.
const EVERY_DAY: [&str; 2] = ["head, origin FROM event WHERE tenant = $1 AND id", "s(state)"];

/// A look into another day than noon's and the one before, which may have the same vendor id.
fn is_stray(line: &str) -> bool {
    let days = [NOON, NOON.plus_ms(-DAY_MS)].map(|at: Timestamp| at.to_string()[..10].replace('-', ""));
    let leaf = |table: &&str| line.contains(&format!(" on {table}_2"));
    let is_leaf = line.contains("Scan") && ["event", "delivery", "attempt", "transcript"].iter().any(leaf);
    let is_leaf = is_leaf && !line.contains("Bitmap Index Scan"); // told of by the line above it
    is_leaf && !line.contains("never executed") && !days.iter().any(|day| line.contains(&format!("_{day} ")))
}
