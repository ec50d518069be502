//! The store's own statements, with the bug that security is there for: they forgot whose rows they read.
//!
//! Every statement that the store reads a tenant with is taken from the server's log, with its values. Its conditions on
//! the tenant are cut out. Then it runs once as the tables' owner, to show that the bug is one, and once as the role in
//! a transaction of another tenant.

use super::{Filled, another, fill, number, take_on};
use crate::fixture::{Fixture, NOON};
use crate::server;
use railhead_model::DeliveryState;
use railhead_store::history::{DeliveryFilter, EventFilter};
use railhead_store::{Directory, History, Jobs};
use railhead_store_postgres::{PostgresOptions, PostgresStore};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::collections::{BTreeMap, BTreeSet};

const LOG_ALL: &str =
    "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET log_statement = ''all''', current_database()); END $$";

/// A statement of the store with its values as SQL literals, `$1` first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Statement {
    sql: String,
    values: Vec<String>,
}

#[tokio::test]
async fn statements_that_forget_their_tenant_find_nothing_of_others() {
    let Some(mut f) = Fixture::new().await else { return };
    let filled = fill(&mut f, "one").await;
    let stranger = another(&f, "stranger").await.tenant.no;
    let mut connection = PgConnection::connect(&f.url).await.expect("a connection");
    let database: String =
        sqlx::query_scalar("SELECT current_database()::text").fetch_one(&mut connection).await.expect("a name");
    sqlx::raw_sql(LOG_ALL).execute(&mut connection).await.expect("the setting");
    let from = server::log().len();
    let store = PostgresStore::connect(&f.url, &PostgresOptions::default()).await.expect("a connection");
    read_all(&store, &f, &filled).await;
    store.close().await;
    let statements = scoped(&server::log()[from..], &database);
    assert!(statements.len() >= 16, "only {} statements were seen", statements.len());
    for statement in &statements {
        let planted = plant(statement, stranger.0);
        let sql = &planted.sql;
        assert_ne!(run(&mut connection, &planted).await, 0, "as the owner it finds what it must not: {sql}");
        take_on(&mut connection, Some(stranger)).await;
        assert_eq!(run(&mut connection, &planted).await, 0, "as the role of another tenant: {sql}");
        sqlx::raw_sql("ROLLBACK").execute(&mut connection).await.expect("its end");
    }
}

/// Every read of a tenant that the store has, in every way that makes another statement.
async fn read_all(store: &PostgresStore, f: &Fixture, filled: &Filled) {
    let (tenant, key, to) = (f.tenant.no, filled.keys[1], filled.destination);
    let is_there = "what was made is there";
    assert!(store.event(tenant, key.event).await.expect(is_there).is_some());
    assert!(store.event_by_id(tenant, &format!("order-{}", number(tenant))).await.expect(is_there).is_some());
    assert_eq!(store.events(tenant, &EventFilter::default(), None, 10).await.expect(is_there).rows.len(), 3);
    assert_eq!(store.deliveries_of(tenant, key.event).await.expect(is_there).len(), 1);
    assert!(store.delivery(tenant, key).await.expect(is_there).is_some());
    assert!(store.attempts(tenant, key).await.expect(is_there)[0].transcript.is_some());
    assert!(store.payload(tenant, key.event).await.expect(is_there).is_some());
    assert!(!store.counts(tenant, 10).await.expect(is_there).is_empty());
    for states in [vec![], vec![DeliveryState::Dead]] {
        for destination in [None, Some(to)] {
            let filter = DeliveryFilter { destination, states: states.clone(), ..DeliveryFilter::default() };
            assert!(!store.deliveries(tenant, &filter, None, 10).await.expect(is_there).rows.is_empty());
        }
    }
    assert!(store.replay(tenant, filled.job).await.expect(is_there).is_some());
    assert_eq!(store.replays(tenant, None, 10).await.expect(is_there).len(), 1);
    assert!(store.destination(tenant, &"one".parse().expect("an id")).await.expect(is_there).is_some());
    assert_eq!(store.destinations(tenant).await.expect(is_there)[0].credentials.len(), 1);
    assert_eq!(store.destinations_page(tenant, None, 10).await.expect(is_there).len(), 1);
    assert_eq!(store.standings(tenant, None, 10).await.expect(is_there).len(), 1);
    assert!(key.event.at() == NOON);
}

/// The statements that ran in transactions of the role, each once.
fn scoped(log: &str, database: &str) -> Vec<Statement> {
    let mut found = BTreeSet::new();
    let mut sessions: BTreeMap<String, (bool, Option<String>)> = BTreeMap::new();
    for (session, entry) in entries(log, database) {
        let (inside, waits) = sessions.entry(session).or_default();
        if let Some(sql) = entry.strip_prefix("LOG:  statement: ") {
            *inside = sql.contains("set_config('railhead.tenant'");
        } else if let Some(execute) = entry.strip_prefix("LOG:  execute ") {
            *waits = execute.split_once(": ").map(|(_, sql)| sql.to_owned()).filter(|_| *inside);
        } else if let Some(values) = entry.strip_prefix("DETAIL:  parameters: ")
            && let Some(sql) = waits.take()
        {
            found.insert(Statement { sql, values: literals(values) });
        }
    }
    found.into_iter().collect()
}

/// Session and text of each entry of this database; further lines of an entry begin with a tab.
fn entries(log: &str, database: &str) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for line in log.lines() {
        match (line.strip_prefix('\t'), line.split_once("] ")) {
            (Some(more), _) => {
                if let Some((_, text)) = all.last_mut() {
                    text.push('\n');
                    text.push_str(more);
                }
            }
            (None, Some((head, rest))) if head.contains(" [") => {
                let (owner, text) = rest.split_once(' ').unwrap_or((rest, ""));
                all.push((format!("{owner} {}", head.split_once(" [").map_or("", |(_, pid)| pid)), text.to_owned()));
            }
            _ => {}
        }
    }
    all.retain(|(session, _)| session.split(' ').next() == Some(database));
    all
}

/// `$1 = 'a', $2 = NULL` as literals.
fn literals(text: &str) -> Vec<String> {
    let mut values = Vec::new();
    let mut rest = text;
    while let Some((_, value)) = rest.split_once(" = ") {
        let mut end = value.len().min(4); // NULL
        if let Some(quoted) = value.strip_prefix('\'') {
            let quoted: Vec<_> = quoted.char_indices().collect();
            let mut i = 0;
            while quoted[i].1 != '\'' || quoted.get(i + 1).is_some_and(|next| next.1 == '\'') {
                i += if quoted[i].1 == '\'' { 2 } else { 1 };
            }
            end = quoted[i].0 + 2;
        }
        values.push(value[..end].to_owned());
        rest = &value[end..];
    }
    values
}

/// Cuts out every condition on the tenant; what it was compared with is the asking tenant then, and means nothing.
fn plant(statement: &Statement, asks: i64) -> Statement {
    let mut planted = statement.clone();
    for (i, value) in planted.values.iter_mut().enumerate() {
        let place = format!("${}", i + 1);
        let mut was = false;
        for condition in ["e.tenant = ", "d.tenant = ", "t.tenant = ", "tenant = "] {
            let condition = format!("{condition}{place}");
            was |= planted.sql.contains(&condition);
            planted.sql = planted.sql.replace(&condition, &format!("{place}::bigint IS NOT NULL"));
        }
        if was {
            *value = format!("'{asks}'");
        }
    }
    planted
}

/// Runs it; how much it found: rows, or what its rows count.
async fn run(connection: &mut PgConnection, statement: &Statement) -> i64 {
    let Statement { sql, values } = statement;
    let prepare = format!("PREPARE planted AS SELECT COALESCE(json_agg(x)::text, '[]') FROM ({sql}) x");
    sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection).await.expect(sql);
    let execute = format!("EXECUTE planted({})", values.join(", "));
    let rows = sqlx::raw_sql(AssertSqlSafe(execute)).fetch_all(&mut *connection).await.expect(sql);
    sqlx::raw_sql("DEALLOCATE planted").execute(connection).await.expect("the end of it");
    let text: &str = sqlx::Row::get(&rows[0], 0);
    let rows: Vec<Value> = serde_json::from_str(text).expect("rows");
    let counts = |row: &Value| row.as_object().is_some_and(|row| row.len() == 2 && row.contains_key("state"));
    rows.iter().map(|row| if counts(row) { row["n"].as_i64().unwrap_or_default() } else { 1 }).sum()
}
