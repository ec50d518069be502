//! The plans of hot statements: index probes only, on a table that was full and is empty, and on a full one.

use crate::fixture::{Fixture, NOON, end, retry};
use crate::server;
use railhead_model::{End, Ordering};
use railhead_store::work::Command;
use railhead_store::{Accept, Position, Record, RefillAsk, WorkStore};
use railhead_store_postgres::{PostgresOptions, PostgresStore};
use sqlx::{Connection, PgConnection};

const SETUP: &str = "
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET session_preload_libraries = auto_explain', current_database());
    EXECUTE format('ALTER DATABASE %I SET auto_explain.log_min_duration = 0', current_database());
END $$;
ALTER TABLE work SET (autovacuum_enabled = off)";

const FILL: &str = "
INSERT INTO work (event, destination, run, tenant, due, origin, made_at)
SELECT gen_random_uuid(), 1000 + i % 50, 0, 1, i, 0, i FROM generate_series(1, 60000) AS i; ANALYZE work";

const EMPTY: &str = "DELETE FROM work WHERE destination >= 1000; ANALYZE work";

#[tokio::test]
async fn hot_statements_probe_indexes_whatever_the_statistics_say() {
    let Some(mut f) = Fixture::new().await else { return };
    let mut admin = PgConnection::connect(&f.url).await.expect("a connection");
    f.store.ensure_partitions(NOON).await.expect("partitions");
    sqlx::raw_sql(SETUP).execute(&mut admin).await.expect("the setup");
    for (what, sql) in [("full once, empty now", &[FILL, EMPTY][..]), ("full", &[FILL][..])] {
        for sql in sql {
            sqlx::raw_sql(*sql).execute(&mut admin).await.expect("rows");
        }
        let seen = server::log().len();
        f.store = PostgresStore::connect(&f.url, &PostgresOptions::default()).await.expect("a connection");
        run_all(&mut f, what).await;
        f.store.close().await;
        check(what, &server::log()[seen..]);
    }
}

/// Every hot statement at least once.
async fn run_all(f: &mut Fixture, what: &str) {
    let to = f.destination(&what.replace([' ', ','], "-"), Ordering::None).await;
    let mut events: Vec<_> = (0..30).map(|_| f.event(NOON, &[to])).collect();
    events[0].lanes = vec![(to, [1; 16])];
    f.store.accept(&events).await.expect("answers");
    f.store.accept(&events).await.expect("answers");
    let by_due = RefillAsk { destination: to, ordered: false, after: None, limit: 100 };
    let by_seq = RefillAsk { ordered: true, after: Some(Position::Seq(0)), ..by_due };
    let rows = f.store.refill(&[by_due, by_seq]).await.expect("rows").remove(0).rows;
    assert_eq!(rows.len(), 30);
    let mut batch: Vec<_> = rows.iter().map(|row| end(row.key, row.tenant, row.rev, 1, End::Delivered)).collect();
    batch[0] = retry(rows[0].key, rows[0].tenant, 0, 1);
    batch[1] = end(rows[1].key, rows[1].tenant, 7, 1, End::Delivered);
    f.store.record(f.host, &batch).await.expect("answers");
    f.store.survey(&[to]).await.expect("due times");
    f.store.waiting(&[to], 10).await.expect("counts");
    f.store.payloads(&[events[3].uid]).await.expect("events");
    f.store.command(rows[0].key, Command::RetryNow, NOON).await.expect("a command");
    f.store.command(rows[0].key, Command::Cancel, NOON).await.expect("a command");
}

fn check(what: &str, log: &str) {
    let plans: Vec<_> = log.split("Query Text:").skip(1).collect();
    for statement in [
        "AS u(uid, tenant, gen,",
        "first.digest",
        "AS r(ord, event",
        "AS u(ord, event",
        "AS u(ord, destination, due",
        "AS u(ord, destination, seq",
        "SELECT u.no, w.due",
        "AS n FROM (SELECT 1 FROM work",
    ] {
        assert!(plans.iter().any(|plan| plan.contains(statement)), "{what}: no plan of {statement}");
    }
    for plan in plans.iter().filter(|plan| plan.contains("work") || plan.contains("event")) {
        let tables = ["work", "event", "delivery", "attempt", "tenant", "host"];
        assert!(!tables.iter().any(|table| plan.contains(&format!("Seq Scan on {table}"))), "{what}: {plan}");
        let lines: Vec<_> = plan.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            let scan = line.contains("Scan using")
                && ["work", "event", "delivery"].iter().any(|t| line.contains(&format!(" on {t}")));
            let probed =
                lines[i + 1..].iter().take_while(|next| !next.contains("->")).any(|next| next.contains("Index Cond:"));
            assert!(!scan || probed, "{what}: a whole index is read: {line}\n{plan}");
        }
    }
}
