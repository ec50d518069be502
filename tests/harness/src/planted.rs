//! Rows as hosts would have written them, put into a database by SQL: nobody can publish millions of events and wait for
//! their failures. No host may run meanwhile.

use crate::client::Client;
use crate::postgres::Postgres;
use railhead_model::DestinationNo;
use serde_json::json;
use std::fmt::Write as _;

/// Deliveries of one event.
const EACH: usize = 10;
/// Rows that one statement writes.
const STEP: usize = 500_000;
/// Destinations that a tenant may have.
const OF_A_TENANT: usize = 10_000;

/// A great outage: deliveries that failed and wait for their retry, for hours.
#[derive(Clone, Copy, Debug)]
pub struct Outage {
    /// Deliveries that wait.
    pub deliveries: usize,
    /// At so many destinations, of as few tenants as may have them: `out-0`, `out-1` …
    pub destinations: usize,
}

impl Outage {
    /// Makes the tenants, each with one destination of which the others become copies. Nobody listens there.
    ///
    /// # Panics
    /// If they are refused.
    pub async fn make_tenants(&self, client: &Client) {
        for tenant in self.tenants() {
            client.make_tenant(&tenant).await;
            let body = json!({"connector": "webhook", "config": {"url": "http://127.0.0.1:1/"}});
            client.make_destination(&tenant, "first", &body).await;
        }
    }

    /// Writes the other destinations, and all that waits. Each destination of a tenant has as many deliveries; they failed
    /// three times, and the next retry is due in six to twelve hours.
    ///
    /// # Panics
    /// If the database refuses.
    pub fn plant(&self, postgres: &Postgres) {
        let tenants = self.tenants();
        let share = |of: usize, no: usize| of * (no + 1) / tenants.len() - of * no / tenants.len();
        let mut before = 0;
        for (no, tenant) in tenants.iter().enumerate() {
            let (destinations, events) = (share(self.destinations, no), share(self.deliveries, no) / EACH);
            let first = copies_of_the_first(postgres, tenant, destinations);
            waiting(postgres, tenant, first, destinations, before..before + events);
            before += events;
        }
        settle(postgres, &["event", "work", "destination"]);
    }

    fn tenants(&self) -> Vec<String> {
        (0..self.destinations.div_ceil(OF_A_TENANT)).map(|no| format!("out-{no}")).collect()
    }
}

/// Writes so many copies of a tenant's one destination; the number of the first.
///
/// # Panics
/// If the database refuses.
#[must_use]
pub fn copies_of_the_first(postgres: &Postgres, tenant: &str, count: usize) -> i64 {
    let first: i64 = postgres.ask("SELECT nextval('destination_no')").parse().expect("a number");
    let last = first + i64::try_from(count).expect("a count");
    let mut rows = String::new();
    for no in first..last {
        let comma = if rows.is_empty() { "" } else { "," };
        write!(rows, "{comma}({no},{})", DestinationNo(no).shard().0).expect("a string");
    }
    // No columns are named that are copied as they are: the table may gain some.
    postgres.ask_file(&format!(
        "INSERT INTO destination SELECT copy.*
         FROM (VALUES {rows}) n (no, shard)
         JOIN destination d ON d.no = (
             SELECT min(d.no) FROM destination d JOIN tenant t ON t.no = d.tenant WHERE t.id = '{tenant}')
         CROSS JOIN LATERAL jsonb_populate_record(d, jsonb_build_object(
             'no', n.no, 'id', 'd-' || n.no, 'shard', n.shard)) AS copy;
         SELECT setval('destination_no', {last})"
    ));
    first
}

/// Writes a dead letter of every event of a tenant at each of its destinations.
///
/// # Panics
/// If the database refuses.
pub fn dead_letters(postgres: &Postgres, tenant: &str) {
    postgres.ask_file(&format!(
        "SET synchronous_commit = off;
         INSERT INTO delivery (event, destination, run, tenant, state, code, attempts, tries, at, origin, made_at,
             n, started_at, duration_ms, outcome, reason, message, status, connector_version, config_revision)
         SELECT e.uid, d.no, 0, t.no, 1, 'http-500', 1, 1, e.at, 0, e.at,
             1, e.at, 20, 2, 'http-500', 'The receiver answered 500.', '500', d.connector_version, 1
         FROM tenant t JOIN event e ON e.tenant = t.no JOIN destination d ON d.tenant = t.no WHERE t.id = '{tenant}'"
    ));
    settle(postgres, &["event", "delivery", "destination"]);
}

/// Events of the last minute with these numbers, and their unfinished deliveries.
fn waiting(postgres: &Postgres, tenant: &str, first: i64, destinations: usize, events: std::ops::Range<usize>) {
    let tenant = postgres.ask(&format!("SELECT no FROM tenant WHERE id = '{tenant}'"));
    let now_ms: i64 = postgres.ask("SELECT (extract(epoch FROM now()) * 1000)::bigint").parse().expect("a number");
    // Milliseconds, then what is random in a real one: the event's number.
    let uid = format!("(lpad(to_hex({now_ms} - 60000 + n % 50000), 12, '0') || '7' || lpad(to_hex(n), 19, '0'))::uuid");
    for begin in events.clone().step_by(STEP / EACH) {
        let end = events.end.min(begin + STEP / EACH) - 1;
        postgres.ask_file(&format!(
            "SET synchronous_commit = off;
             INSERT INTO event (uid, tenant, digest, id, type, at, route, origin, head, payload, payload_bytes)
             SELECT {uid}, {tenant}, md5(n::text)::uuid, 'out-' || n, 'order.created', {now_ms}, ''::bytea, 0,
                    decode(repeat('00', 64), 'hex'), decode(repeat(md5(n::text), 64), 'hex'), 1024
             FROM generate_series({begin}, {end}) n;
             INSERT INTO work (event, destination, run, tenant, due, attempts, tries, since, rev, origin, made_at, bytes)
             SELECT {uid}, {first} + (n::bigint * {EACH} + k) % {destinations}, 0, {tenant},
                    {now_ms} + 21600000 + (n::bigint * 7919) % 21600000, 3, 3, {now_ms}, 3, 0, {now_ms}, 1024
             FROM generate_series({begin}, {end}) n, generate_series(0, {EACH} - 1) k;"
        ));
    }
}

/// What autovacuum would have had the time for.
fn settle(postgres: &Postgres, tables: &[&str]) {
    for table in tables {
        postgres.ask_file(&format!("VACUUM (ANALYZE) {table}"));
    }
    postgres.ask_file("CHECKPOINT");
}
