//! A reader that stays in its transaction, while days are made and dropped.

use crate::database::{connect, run, until};
use crate::day::{Day, hosts, turn};
use railhead_harness::Postgres;
use sqlx::PgConnection;

/// Partitioned by the day.
const TABLES: [&str; 4] = ["event", "delivery", "attempt", "transcript"];
const OLD_DAY: &str = "SELECT count(*) FROM pg_class WHERE relname = 'event_20200101'";

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_stays_in_its_transaction() {
    let turn = turn().await;
    let Some(postgres) = Postgres::start(&[]).await else { return };
    let day = Day::begin(turn, hosts(&postgres, 2).await).await;
    day.acknowledged(50).await;
    let mut desk = connect(&postgres.url()).await;
    let newest = without_last_day(&mut desk).await;
    with_old_day(&mut desk).await;

    let fault = day.fault("a reader stays in its transaction");
    let mut reader = connect(&postgres.url()).await;
    run(&mut reader, "BEGIN; SELECT count(*) FROM work").await;
    for table in TABLES {
        run(&mut reader, &format!("SELECT count(*) FROM {table}")).await;
    }
    // A start makes the days ahead, and drops those that are too old.
    day.cluster.kill(0);
    until(&mut desk, &format!("SELECT count(*) FROM pg_class WHERE relname = '{newest}'"), |count| count == 1).await;
    day.cluster.all_ready().await;
    day.acknowledged(100).await;
    day.arrived().await;
    run(&mut reader, "SELECT count(*) FROM event_20200101; COMMIT").await;
    day.recovered(fault).await;

    // What was in the way is gone: the next attempt drops the day. A start is one.
    let fault = day.fault("a host is killed");
    day.cluster.kill(1);
    until(&mut desk, OLD_DAY, |count| count == 0).await;
    day.recovered(fault).await;
    day.judge().await;
}

/// Takes away the last day that is made ahead; its partition's name.
async fn without_last_day(desk: &mut PgConnection) -> String {
    let newest: String =
        sqlx::query_scalar("SELECT max(relname::text) FROM pg_class WHERE relname ~ '^event_[0-9]{8}$'")
            .fetch_one(&mut *desk)
            .await
            .expect("a day");
    for table in TABLES {
        run(desk, &format!("DROP TABLE {}", newest.replace("event", table))).await;
    }
    newest
}

/// Adds a day that is older than anything is kept.
async fn with_old_day(desk: &mut PgConnection) {
    // 1 and 2 January 2020 as the first bytes of a UUIDv7.
    let (from, to) = ("016f5e66-e800-0000-0000-000000000000", "016f638d-4400-0000-0000-000000000000");
    for table in TABLES {
        let leaf = format!("{table}_20200101");
        run(desk, &format!("CREATE TABLE {leaf} (LIKE {table} INCLUDING ALL)")).await;
        run(desk, &format!("ALTER TABLE {table} ATTACH PARTITION {leaf} FOR VALUES FROM ('{from}') TO ('{to}')")).await;
    }
}
