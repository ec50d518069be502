//! Migrations: once, in order, beside hosts at work, and never by surprise.

use crate::fixture::{Fixture, NOON, destination, tenant};
use crate::server;
use railhead_model::{DestinationNo, Ordering};
use railhead_store::directory::Expect;
use railhead_store::{Accept, Accepted, Directory, RefillAsk, StoreError, WorkStore};
use railhead_store_postgres::{Migrated, Patience, PostgresOptions, PostgresStore, SchemaError};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering as Memory};

/// Gives way at once.
const SHORT: Patience = Patience { lock_ms: 100, statement_ms: 1_000, tries: 3, pause_ms: 20, others_ms: 300 };

/// Every migration, as its file's name and text.
fn files() -> Vec<(i32, String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("migrations").map(|file| file.expect("a file")).collect();
    files.sort_by_key(std::fs::DirEntry::file_name);
    let read = |file: &std::fs::DirEntry| {
        let name = file.file_name().into_string().expect("a name");
        let name = name.trim_end_matches(".sql").to_owned();
        (name[..4].parse().expect("a number"), name, std::fs::read_to_string(file.path()).expect("a text"))
    };
    files.iter().map(read).collect()
}

fn names() -> Vec<String> {
    files().into_iter().map(|(_, name, _)| name).collect()
}

/// A database as a program left it that knew the migrations up to this one, before there were checksums.
async fn at(newest: i32) -> Option<(String, PgConnection)> {
    let url = server::database().await?;
    let mut old = PgConnection::connect(&url).await.expect("a connection");
    let books = "CREATE TABLE railhead_migration
                 (no int PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())";
    sqlx::raw_sql(books).execute(&mut old).await.expect("the books");
    for (no, name, sql) in files().into_iter().filter(|(no, ..)| *no <= newest) {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut old).await.expect("a migration");
        let row = sqlx::query("INSERT INTO railhead_migration (no, name) VALUES ($1, $2)").bind(no).bind(name);
        row.execute(&mut old).await.expect("a row");
    }
    Some((url, old))
}

async fn open(url: &str) -> PostgresStore {
    PostgresStore::connect(url, &PostgresOptions::default()).await.expect("a connection")
}

async fn run(connection: &mut PgConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(connection).await.expect(sql);
}

#[tokio::test]
async fn hosts_that_start_at_once_migrate_once() {
    let Some(url) = server::database().await else { return };
    let store = open(&url).await;
    assert_eq!(store.pending().await, Ok(names()));
    let (a, b) = tokio::join!(store.migrate(), store.migrate());
    let mut runs = [a.expect("one"), b.expect("the other")];
    runs.sort_by_key(|run| run.applied.len());
    assert_eq!(runs, [Migrated::default(), Migrated { applied: names(), reader: true }]);
    assert_eq!(store.pending().await, Ok(vec![]));
    assert_eq!(store.check_reader().await, Ok(()));
}

#[tokio::test]
async fn a_database_of_the_first_version_is_brought_up_to_date_with_what_is_in_it() {
    let Some((url, mut old)) = at(1).await else { return };
    let row = "INSERT INTO work (event, destination, run, tenant, due, origin, made_at)
               VALUES ('018bcfe5-b50f-795a-845c-407e52256862', 1, 0, 1, 5, 0, 5)";
    run(&mut old, row).await;
    let store = open(&url).await;
    store.ensure_partitions(NOON).await.expect("partitions of the first version");
    assert_eq!(store.migrate().await.map(|done| done.applied), Ok(names()[1..].to_vec()));
    let ask = RefillAsk { destination: DestinationNo(1), ordered: false, after: None, limit: 9 };
    let found = store.refill(&[ask]).await.expect("a refill").remove(0).rows;
    assert_eq!(found.iter().map(|row| row.bytes).collect::<Vec<_>>(), [0], "what waited waits as before");
    let leaf = "SELECT count(*) FROM information_schema.columns
                WHERE (table_name LIKE 'attempt\\_2%' OR table_name LIKE 'delivery\\_2%') AND column_name = 'owner'
                OR table_name LIKE 'transcript\\_2%' AND column_name = 'run'";
    let columns: i64 = sqlx::query_scalar(leaf).fetch_one(&mut old).await.expect("a count");
    assert_eq!(columns, 15, "the partitions that were there have the new columns");
    let sums: i64 =
        sqlx::query_scalar("SELECT count(checksum) FROM railhead_migration").fetch_one(&mut old).await.expect("sums");
    assert_eq!(usize::try_from(sums), Ok(names().len()), "the old ones have checksums now");
}

#[tokio::test]
async fn a_newer_schema_is_refused_unless_it_works_with_this_program() {
    let Some(fixture) = Fixture::new().await else { return };
    let mut connection = PgConnection::connect(&fixture.url).await.expect("a connection");
    run(&mut connection, "INSERT INTO railhead_migration (no, name, works_with) VALUES (9998, 'later', 2)").await;
    assert_eq!(fixture.store.pending().await, Ok(vec![]), "it says that it does");
    assert_eq!(fixture.store.migrate().await, Ok(Migrated::default()));
    run(&mut connection, "INSERT INTO railhead_migration (no, name) VALUES (9999, 'later still')").await;
    for refused in [fixture.store.pending().await.err(), fixture.store.migrate().await.err()] {
        assert!(matches!(refused, Some(SchemaError::TooNew { theirs: 9999, .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn a_migration_that_is_not_what_was_applied_is_refused() {
    let Some(fixture) = Fixture::new().await else { return };
    let mut connection = PgConnection::connect(&fixture.url).await.expect("a connection");
    run(&mut connection, "UPDATE railhead_migration SET checksum = 'other' WHERE no = 2").await;
    let refused = fixture.store.migrate().await.expect_err("a refusal");
    assert_eq!((refused.code(), refused.is_retryable()), ("migration-changed", false));
    assert!(refused.to_string().contains("0002_batches"), "{refused}");
    assert_eq!(fixture.store.pending().await, Err(refused));
}

#[tokio::test]
async fn a_long_reader_delays_a_migration_and_never_the_hosts() {
    let Some((url, mut reader)) = at(3).await else { return };
    let store = open(&url).await;
    let loaded = Load::start(&store).await;
    run(&mut reader, "BEGIN; SELECT count(*) FROM event").await;
    let blocked = store.migrate_with(&SHORT).await.expect_err("the reader is still there");
    assert_eq!((blocked.code(), blocked.is_retryable()), ("migration-blocked", true), "{blocked}");
    let secured = "SELECT count(*) FROM pg_class WHERE relrowsecurity OR relname = 'railhead_tenant'";
    let half: i64 = sqlx::query_scalar(secured).fetch_one(&mut reader).await.expect("a count");
    assert_eq!(half, 0, "nothing of it was applied");
    // It waits as long as it takes, in short waits, with the hosts at work between them.
    let waits = Patience { tries: 10_000, ..SHORT };
    let (migrated, ()) = tokio::join!(store.migrate_with(&waits), run(&mut reader, "SELECT pg_sleep(0.5); COMMIT"));
    assert_eq!(migrated.map(|done| done.applied), Ok(vec!["0004_row_security".to_owned()]));
    loaded.end().await;
}

#[tokio::test]
async fn another_migration_is_waited_for_but_not_for_ever() {
    let Some((url, mut other)) = at(3).await else { return };
    let store = open(&url).await;
    run(&mut other, "SELECT pg_advisory_lock(8241984707393577316)").await;
    assert_eq!(store.migrate_with(&SHORT).await, Err(SchemaError::Elsewhere));
    other.close().await.expect("the end of the other");
    assert_eq!(store.migrate().await.map(|done| done.applied.len()), Ok(names().len() - 3));
}

#[tokio::test]
async fn without_the_right_to_make_roles_the_error_says_what_an_administrator_runs() {
    let Some(admins) = server::database().await else { return };
    let mut admin = PgConnection::connect(&admins).await.expect("a connection");
    let database = sqlx::query("SELECT current_database()::text").fetch_one(&mut admin).await.expect("a name");
    let database: String = database.get(0);
    let owned = format!("{database}_owned");
    for sql in [format!("CREATE ROLE {owned} LOGIN"), format!("CREATE DATABASE {owned} OWNER {owned}")] {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await.expect("a database");
    }
    let url = admins
        .replace(&format!("/{database}"), &format!("/{owned}"))
        .replace("user=railhead", &format!("user={owned}"));
    let store = open(&url).await;
    let Err(SchemaError::ReaderMissing { sql, .. }) = store.migrate().await else { panic!("it may not make roles") };
    assert_eq!(sql.matches(';').count(), 2, "{sql}");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await.expect("what the error says");
    assert_eq!(store.migrate().await, Ok(Migrated { applied: names(), reader: true }));
    assert_eq!(store.migrate().await, Ok(Migrated::default()));
    let environment = store.put_environment("live", &json!({}), Expect::Absent).await.expect("an environment");
    let made = store.put_tenant(&tenant(environment.no, "acme"), Expect::Absent).await.expect("a tenant");
    let no = store.next_destination_no().await.expect("a number");
    store.put_destination(&destination(made.no, no, "one", Ordering::None), Expect::Absent).await.expect("one");
    assert_eq!(store.destinations(made.no).await.expect("a read as the role").len(), 1);
}

#[tokio::test]
async fn a_reading_role_that_security_does_not_bind_is_refused() {
    let Some(fixture) = Fixture::new().await else { return };
    let mut admin = PgConnection::connect(&fixture.url).await.expect("a connection");
    for (sql, is_bound) in [("BYPASSRLS", false), ("NOBYPASSRLS", true), ("SUPERUSER", false), ("NOSUPERUSER", true)] {
        let alter = "DO $$ BEGIN EXECUTE format('ALTER ROLE %I ', 'railhead_reader_' || current_database()) || '";
        sqlx::raw_sql(AssertSqlSafe(format!("{alter}{sql}'; END $$"))).execute(&mut admin).await.expect("a change");
        let checked = fixture.store.check_reader().await;
        assert_eq!(checked.is_ok(), is_bound, "{sql}: {checked:?}");
        assert!(is_bound || matches!(checked, Err(SchemaError::ReaderUnbound { .. })), "{checked:?}");
        assert_eq!(fixture.store.migrate().await.is_ok(), is_bound, "{sql}");
    }
    let revoke =
        "DO $$ BEGIN EXECUTE format('REVOKE SELECT ON job FROM %I', 'railhead_reader_' || current_database()); END $$";
    run(&mut admin, revoke).await;
    assert_eq!(fixture.store.check_reader().await.map_err(|error| error.code()), Err("reader-role-ungranted"));
    assert_eq!(fixture.store.migrate().await, Ok(Migrated { applied: vec![], reader: true }), "granted again");
    assert_eq!(fixture.store.check_reader().await, Ok(()));
    let rename = "DO $$ BEGIN EXECUTE format('ALTER ROLE %I RENAME TO %I', 'railhead_reader_' || current_database(),
                  current_database() || '_gone'); END $$";
    run(&mut admin, rename).await;
    let Err(StoreError::Damaged(words)) = fixture.store.destinations(fixture.tenant.no).await else {
        panic!("no role")
    };
    assert!(words.contains("run `railhead migrate`"), "{words}");
}

/// Events that come all the time.
struct Load {
    stop: Arc<AtomicBool>,
    accepting: tokio::task::JoinHandle<usize>,
}

impl Load {
    async fn start(store: &PostgresStore) -> Self {
        let environment = store.put_environment("live", &json!({}), Expect::Absent).await.expect("an environment");
        let made = store.put_tenant(&tenant(environment.no, "acme"), Expect::Absent).await.expect("a tenant");
        store.ensure_partitions(NOON).await.expect("partitions");
        let mut fixture = Fixture::over(store.clone(), made);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let accepting = tokio::spawn(async move {
            let mut accepted = 0;
            while !stopped.load(Memory::Relaxed) {
                let event = fixture.event(NOON, &[DestinationNo(1)]);
                assert_eq!(fixture.store.accept(&[event]).await, Ok(vec![Accepted::Stored]));
                accepted += 1;
            }
            accepted
        });
        Self { stop, accepting }
    }

    /// All were accepted.
    async fn end(self) {
        self.stop.store(true, Memory::Relaxed);
        assert!(self.accepting.await.expect("no event was refused") > 0);
    }
}
