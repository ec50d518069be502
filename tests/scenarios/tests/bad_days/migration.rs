//! A migration of every hot table under load, behind a reader that holds it up.

use crate::database::{connect, run};
use crate::day::{Day, hosts, turn};
use railhead_harness::Postgres;
use sqlx::{AssertSqlSafe, PgConnection};
use std::sync::Arc;
use std::time::Duration;

/// Undoes the fourth migration: hosts run without it as well, with one safeguard less for what people read.
const UNDO: &str = "
SET lock_timeout = '500ms';
DO $$
DECLARE p record;
BEGIN
    FOR p IN SELECT tablename FROM pg_policies WHERE policyname = 'own' ORDER BY tablename LOOP
        EXECUTE format('DROP POLICY own ON %I', p.tablename);
        EXECUTE format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY', p.tablename);
    END LOOP;
    DROP FUNCTION railhead_tenant();
    DELETE FROM railhead_migration WHERE no = 4;
END $$";

/// How long the reader holds the migration up.
const HELD: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_under_load() {
    let turn = turn().await;
    let Some(postgres) = Postgres::start(&[]).await else { return };
    let day = Day::begin(turn, hosts(&postgres, 2).await).await;
    day.acknowledged(50).await;
    undo(&mut connect(&postgres.url()).await).await;

    let fault = day.fault("a migration");
    let mut reader = connect(&postgres.url()).await;
    run(&mut reader, "BEGIN; SELECT count(*) FROM event; SELECT count(*) FROM work").await;
    let cluster = Arc::clone(&day.cluster);
    let migrations: Vec<_> = (0..2)
        .map(|host| {
            let cluster = Arc::clone(&cluster);
            tokio::spawn(async move { cluster.command(host, &["migrate"]).await })
        })
        .collect();
    tokio::time::sleep(HELD).await;
    // It gives way again and again: what the hosts do goes on.
    day.acknowledged(50).await;
    day.arrived().await;
    run(&mut reader, "COMMIT").await;
    let mut told = String::new();
    for migration in migrations {
        let (done, words) = migration.await.expect("runs");
        assert!(done, "{words}");
        told.push_str(&words);
    }
    assert_eq!(told.matches("0004").count(), 1, "one of the two applies it: {told}");
    day.recovered(fault).await;

    day.acknowledged(50).await;
    for host in 0..2 {
        assert_eq!(day.cluster.ends(host), [], "a migration ends no host:\n{}", day.cluster.log(host));
    }
    day.judge().await;
}

/// Gives way to the hosts, as a migration does.
async fn undo(connection: &mut PgConnection) {
    for _ in 0..100 {
        match sqlx::raw_sql(AssertSqlSafe(UNDO.to_owned())).execute(&mut *connection).await {
            Ok(_) => return,
            Err(error) => assert!(error.to_string().contains("lock timeout"), "{error}"),
        }
    }
    panic!("the hosts never let go of their tables");
}
