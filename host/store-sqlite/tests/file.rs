//! What the file promises: who may have it, what it keeps, what happens when it cannot be written.

use railhead_model::time::DAY_MS;
use railhead_model::{AttemptKey, DeliveryKey, DestinationNo, EventUid};
use railhead_store::suite::{START, World};
use railhead_store::{Accept, Accepted, Directory, Jobs as _, NewEvent, Record as _, RefillAsk, StoreError, WorkStore};
use railhead_store_sqlite::{OpenError, Options, SqliteStore, migrate, pending};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("deep").join("railhead.db");
    (folder, path)
}

async fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, Options::default()).await.expect("a store opens")
}

async fn stored(store: &SqliteStore, events: &[NewEvent]) -> usize {
    let uids: Vec<_> = events.iter().map(|event| event.uid).collect();
    store.payloads(&uids).await.expect("a read").len()
}

async fn foreign_connection(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path);
    SqliteConnection::connect_with(&options).await.expect("a connection beside the store")
}

#[tokio::test]
async fn what_was_answered_is_in_the_files_at_that_moment() {
    let (_folder, path) = folder();
    let store = open(&path).await;
    let world = World::new(&store, 2).await;
    let events = world.publish(&store, START, 20).await;
    // What a kill would leave: the files as they are, the host never closed them.
    let (_copies, copy) = folder();
    std::fs::create_dir_all(copy.parent().expect("a folder")).expect("a folder");
    let wal = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
    std::fs::copy(&path, &copy).expect("a copy");
    std::fs::copy(wal(&path), wal(&copy)).expect("a copy");
    let after = open(&copy).await;
    assert_eq!(stored(&after, &events).await, 20, "no answer leaves before the commit of its event is in the files");
    assert_eq!(world.waiting(&after, world.to()).await.len(), 20, "and the work with it");
}

#[tokio::test]
async fn a_closed_store_is_one_file() {
    let (_folder, path) = folder();
    let store = open(&path).await;
    let world = World::new(&store, 1).await;
    let events = world.publish(&store, START, 20).await;
    let beside = store.clone();
    store.close().await;
    assert!(beside.payloads(&[]).await.is_err() || beside.survey(&[world.to()]).await.is_err(), "closed for all");
    let wal = std::fs::metadata(format!("{}-wal", path.display())).map_or(0, |file| file.len());
    assert_eq!(wal, 0, "what was written is in the file itself");
    let (_copies, copy) = folder();
    std::fs::create_dir_all(copy.parent().expect("a folder")).expect("a folder");
    std::fs::copy(&path, &copy).expect("a copy");
    assert_eq!(stored(&open(&copy).await, &events).await, 20);
}

#[test]
fn what_was_answered_survives_a_host_that_never_closed() {
    let (_folder, path) = folder();
    let first = tokio::runtime::Runtime::new().expect("a runtime");
    let events = first.block_on(async {
        let store = open(&path).await;
        let world = World::new(&store, 1).await;
        world.publish(&store, START, 5).await
    });
    drop(first); // ends its tasks where they stand
    let second = tokio::runtime::Runtime::new().expect("a runtime");
    second.block_on(async {
        let store = open(&path).await;
        assert_eq!(stored(&store, &events).await, 5, "nothing acknowledged is lost");
    });
}

#[tokio::test]
async fn a_second_host_is_refused_until_the_first_has_closed() {
    let (_folder, path) = folder();
    let store = open(&path).await;
    let refused = SqliteStore::open(&path, Options::default()).await.expect_err("a second host is refused");
    assert!(matches!(refused, OpenError::InUse(_)), "{refused}");
    assert_eq!(refused.code(), "database-in-use");
    let other = store.clone();
    store.close().await;
    let closed = other.put_meta("name", b"value").await;
    assert!(matches!(closed, Err(StoreError::Unavailable(_))), "a closed store says so");
    open(&path).await.close().await;
}

#[tokio::test]
async fn a_caller_that_leaves_cancels_nothing() {
    let (_folder, path) = folder();
    let store = open(&path).await;
    let world = World::new(&store, 1).await;
    let event = world.event(&store, START).await;
    {
        let batch = [event.clone()];
        let mut left = store.accept(&batch);
        assert!(futures::poll!(&mut left).is_pending(), "it takes a while");
    }
    store.close().await; // finishes what it was sent
    let store = open(&path).await;
    assert_eq!(stored(&store, &[event]).await, 1, "the writer owns what it was sent");
}

#[tokio::test]
async fn a_full_disk_refuses_and_loses_nothing() {
    let (_folder, path) = folder();
    let options = Options { max_pages: Some(160), ..Options::default() };
    let store = SqliteStore::open(&path, options).await.expect("a store opens");
    let world = World::new(&store, 1).await;
    let (mut acknowledged, mut refused) = (Vec::new(), None);
    for index in 0..2_000 {
        let event = world.event(&store, START.plus_ms(index)).await;
        match store.accept(std::slice::from_ref(&event)).await {
            Ok(answers) => {
                assert_eq!(answers, [Accepted::Stored]);
                acknowledged.push(event);
            }
            Err(error) => {
                refused = Some((event, error));
                break;
            }
        }
    }
    let (event, error) = refused.expect("the disk is full at some time");
    assert!(matches!(error, StoreError::Unavailable(_)), "a full disk is unavailable: {error}");
    assert_eq!(stored(&store, &acknowledged).await, acknowledged.len(), "nothing acknowledged is lost");
    assert_eq!(stored(&store, std::slice::from_ref(&event)).await, 0, "what was refused was not done");
    // Several at once share a transaction: all of them are refused, none half done.
    let mut more = [world.event(&store, START).await, world.event(&store, START).await];
    more.iter_mut().for_each(|event| event.payload = vec![7; 1 << 20].into());
    let answers = futures::join!(store.accept(&more[..1]), store.accept(&more[1..]));
    assert!(matches!(answers, (Err(StoreError::Unavailable(_)), Err(StoreError::Unavailable(_)))), "{answers:?}");
    store.close().await;

    let store = open(&path).await; // the disk has room again
    assert_eq!(stored(&store, &acknowledged).await, acknowledged.len(), "nothing acknowledged is lost");
    assert_eq!(store.accept(&[event]).await, Ok(vec![Accepted::Stored]), "the same batch works later");
}

#[tokio::test]
async fn a_locked_database_refuses_and_recovers() {
    let (_folder, path) = folder();
    let options = Options { busy_limit: Duration::from_millis(50), ..Options::default() };
    let store = SqliteStore::open(&path, options).await.expect("a store opens");
    let world = World::new(&store, 1).await;
    let event = world.event(&store, START).await;
    let mut other = foreign_connection(&path).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.expect("a lock");
    let refused = store.accept(std::slice::from_ref(&event)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "a locked database is unavailable: {refused:?}");
    assert_eq!(stored(&store, std::slice::from_ref(&event)).await, 0, "reads go on, and nothing was done");
    sqlx::query("ROLLBACK").execute(&mut other).await.expect("the lock is given back");
    assert_eq!(store.accept(&[event]).await, Ok(vec![Accepted::Stored]), "the same batch works later");
}

#[tokio::test]
async fn a_refused_intent_does_not_take_its_neighbours_along() {
    let (_folder, path) = folder();
    let store = open(&path).await;
    let world = World::new(&store, 2).await;
    let before = store.stats();
    let event = world.event(&store, START).await;
    let batch = [event.clone()];
    let mut calls = Vec::new();
    for index in 0..20 {
        let (store, host) = (store.clone(), world.host);
        calls.push(async move {
            use railhead_store::Leases as _;
            let host = if index % 2 == 0 { host } else { railhead_model::HostId::new(START, [0xbb; 10]) };
            store.renew(host, START).await
        });
    }
    let (accepted, renewals) = futures::join!(store.accept(&batch), futures::future::join_all(calls));
    assert_eq!(accepted, Ok(vec![Accepted::Stored]));
    for (index, renewal) in renewals.into_iter().enumerate() {
        assert_eq!(renewal.is_ok(), index % 2 == 0, "each intent has its own answer");
    }
    let after = store.stats();
    assert_eq!(after.intents - before.intents, 21, "every intent took part");
    assert!(after.commits - before.commits < 21, "intents that wait at the same moment share a commit");
    assert!(after.wal_bytes > 0, "the log is measured");
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_folder, path) = folder();
    let store = open(&path).await;
    World::new(&store, 1).await;
    let mut names = 0;
    for file in std::fs::read_dir(path.parent().expect("a folder")).expect("a folder") {
        let file = file.expect("a file");
        let mode = file.metadata().expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{} is readable by its owner alone", file.path().display());
        names += 1;
    }
    assert!(names >= 3, "the database, its log and its lock are there");
}

#[tokio::test]
async fn migrations_go_forward_only_and_are_asked_for() {
    let (_folder, path) = folder();
    let versions = pending(&path).await.expect("a list");
    assert!(!versions.is_empty(), "a file that is not there lacks every version");
    let strict = Options { migrate: false, ..Options::default() };
    let refused = SqliteStore::open(&path, strict.clone()).await.expect_err("an empty file is not migrated");
    assert_eq!(refused.code(), "database-not-migrated", "{refused}");
    assert_eq!(migrate(&path).await.expect("migrations"), versions, "what is pending is run");
    assert_eq!(migrate(&path).await.expect("migrations"), Vec::<&str>::new(), "and not run again");
    assert_eq!(pending(&path).await.expect("a list"), Vec::<&str>::new(), "then nothing is pending");
    SqliteStore::open(&path, strict.clone()).await.expect("a migrated file opens").close().await;
    let mut other = foreign_connection(&path).await;
    sqlx::query("INSERT INTO migration (name) VALUES ('9999_later')").execute(&mut other).await.expect("a row");
    other.close().await.expect("a close");
    let refused = SqliteStore::open(&path, Options::default()).await.expect_err("a newer file is refused");
    assert_eq!(refused.code(), "database-newer", "{refused}");
}

#[tokio::test]
async fn a_file_of_the_first_version_is_brought_up_to_date_with_what_is_in_it() {
    let (_folder, path) = folder();
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut old = SqliteConnection::connect_with(&options).await.expect("a file");
    let key = DeliveryKey { event: EventUid::new(START, [1; 10]), destination: DestinationNo(1), run: 0 };
    let rows = "CREATE TABLE migration (no INTEGER PRIMARY KEY, name TEXT NOT NULL);
                INSERT INTO migration (name) VALUES ('0001_store');";
    for script in [include_str!("../migrations/0001_store.sql"), rows] {
        sqlx::raw_sql(script).execute(&mut old).await.expect("the first version");
    }
    let sql = "INSERT INTO work (event, destination, run, tenant, due, attempts, tries, rev, seq, origin, made_at)
               VALUES (?, 1, 0, 1, 5, 0, 0, 0, 0, 0, 5)";
    sqlx::query(sql).bind(key.event.0.as_bytes().to_vec()).execute(&mut old).await.expect("a delivery");
    old.close().await.expect("a close");
    let store = open(&path).await;
    let ask = RefillAsk { destination: key.destination, ordered: false, after: None, limit: 9 };
    let found = store.refill(&[ask]).await.expect("a refill").remove(0).rows;
    assert_eq!(found.iter().map(|row| (row.key, row.bytes)).collect::<Vec<_>>(), [(key, 0)], "it waits as before");
    store.close().await;
}

#[tokio::test]
async fn a_shared_transcript_goes_with_its_day() {
    let (_folder, path) = folder();
    let store = open(&path).await;
    let world = World::new(&store, 1).await;
    world.publish(&store, START.plus_ms(-2 * DAY_MS), 2).await;
    let rows = world.waiting(&store, world.to()).await;
    let mut batch = [world.retry(&rows[0], START), world.retry(&rows[1], START)];
    let owner = AttemptKey { delivery: rows[0].key, n: 1 << 30 };
    batch.iter_mut().for_each(|recording| recording.owner = Some(owner));
    store.record(world.host, &batch).await.expect("a batch");
    let mut other = foreign_connection(&path).await;
    let kept = "SELECT (SELECT count(*) FROM transcript), (SELECT count(transcript) FROM attempt)";
    let counts: (i64, i64) = sqlx::query_as(kept).fetch_one(&mut other).await.expect("a count");
    assert_eq!(counts, (1, 0), "one copy for both");
    while store.step_retention(START).await.expect("a step").more {}
    let counts: (i64, i64) = sqlx::query_as(kept).fetch_one(&mut other).await.expect("a count");
    assert_eq!(counts, (0, 0), "nothing of the day is left");
}

#[tokio::test]
async fn what_is_no_database_is_left_alone() {
    let (_folder, path) = folder();
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let text = "This is a letter, and it is long enough to be taken for the header of a database file, but is none.\n";
    std::fs::write(&path, text.repeat(50)).expect("a file");
    let refused = SqliteStore::open(&path, Options::default()).await.expect_err("a letter is refused");
    assert_eq!(refused.code(), "database-refused", "{refused}");
    assert_eq!(std::fs::read_to_string(&path).expect("the letter"), text.repeat(50), "nothing is overwritten");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_moved_into_the_file_while_the_writer_goes_on() {
    let (_folder, path) = folder();
    let store = open(&path).await;
    let world = World::new(&store, 1).await;
    let mut written = 0;
    while written < 48 << 20 {
        let mut batch = Vec::new();
        for index in 0..16 {
            let mut event = world.event(&store, START.plus_ms(index)).await;
            event.payload = vec![7; 64 << 10].into();
            written += event.payload.len();
            batch.push(event);
        }
        store.accept(&batch).await.expect("a batch");
    }
    let file = std::fs::metadata(&path).expect("the file").len();
    assert!(file > 8 << 20, "checkpoints moved the log into the file while it was written: {file} bytes");
    assert!(store.stats().wal_bytes < 128 << 20, "the log does not grow without bound");
}
