//! Record: results in one commit, fenced.

mod columns;

use crate::connect::PostgresStore;
use crate::error::{Commits, NO_PARTITION};
use crate::rows::{get, unsigned};
use async_trait::async_trait;
use columns::Columns;
use railhead_model::{DeliveryKey, HostId};
use railhead_store::StoreError;
use railhead_store::record::{Record, RecordAnswer, Recording, Started};
use sqlx::postgres::PgRow;
use std::collections::BTreeMap;

/// One statement, one commit.
///
/// `f` holds the fence open: FOR SHARE waits for a take-over that is about to fence this host, and then finds it fenced;
/// a take-over waits for this commit. (A plain EXISTS, or FOR KEY SHARE, would let a stopped host's write through.)
/// `k` holds the rows that are as the host loaded them, with the place of each. A row that was changed after this
/// statement began, and kept its rev (a start was counted), has a place that this statement cannot see: it neither goes
/// nor waits. So only what `gone` and `waits` really changed counts, and the rest is refused. `IS TRUE` keeps these tests
/// hashed lookups, as a join's plan would follow guesses about the size of `gone`.
/// `shared` keeps transcripts of requests that carried several deliveries, each once.
/// The row numbered -1 says that the fence was open.
const RECORD: &str = "
WITH f AS MATERIALIZED (SELECT 1 FROM host WHERE id = $1 AND NOT fenced FOR SHARE),
k AS MATERIALIZED (
    SELECT r.*, w.place, w.tenant, w.tries, w.lane, w.origin, w.previous, w.job, w.made_at
    FROM f CROSS JOIN unnest($2::int[], $3::uuid[], $4::bigint[], $5::int[], $6::int[], $7::smallint[], $8::bigint[],
            $9::int[], $10::bigint[], $11::text[], $12::int[], $13::bigint[], $14::int[], $15::smallint[], $16::text[],
            $17::text[], $18::text[], $19::text[], $20::bigint[], $21::bytea[], $22::bytea[])
        AS r(ord, event, destination, run, rev, state, at, attempts, since, code, n, started_at, duration_ms, outcome,
            reason, message, status, connector_version, config_revision, transcript, owner)
    CROSS JOIN LATERAL (
        SELECT w.ctid AS place, w.tenant, w.tries, w.lane, w.origin, w.previous, w.job, w.made_at FROM work w
        WHERE w.event = r.event AND w.destination = r.destination AND w.run = r.run AND w.rev = r.rev
        FOR UPDATE
    ) w),
gone AS (
    DELETE FROM work w WHERE w.ctid = ANY(ARRAY(SELECT k.place FROM k WHERE k.state IS NOT NULL))
    RETURNING w.event, w.destination, w.run),
ended AS (
    INSERT INTO delivery (event, destination, run, tenant, state, code, attempts, tries, at, lane, origin, previous, job,
        made_at, n, started_at, duration_ms, outcome, reason, message, status, connector_version, config_revision,
        transcript, owner)
    SELECT event, destination, run, tenant, state, code, attempts, GREATEST(tries, n), at, lane, origin, previous, job,
        made_at, n, started_at, duration_ms, outcome, reason, message, status, connector_version, config_revision,
        transcript, owner
    FROM k WHERE ((k.event, k.destination, k.run) IN (SELECT g.event, g.destination, g.run FROM gone g)) IS TRUE
    ON CONFLICT DO NOTHING),
waits AS (
    UPDATE work w SET due = k.at, attempts = k.attempts, since = k.since, tries = GREATEST(k.tries, k.n), rev = k.rev + 1
    FROM k WHERE w.ctid = k.place AND k.state IS NULL
    RETURNING k.ord, w.rev),
kept AS (
    INSERT INTO attempt (event, destination, run, n, started_at, duration_ms, outcome, reason, message, status,
        connector_version, config_revision, transcript, owner)
    SELECT event, destination, run, n, started_at, duration_ms, outcome, reason, message, status, connector_version,
        config_revision, transcript, owner
    FROM k WHERE k.n IS NOT NULL AND (k.ord IN (SELECT waits.ord FROM waits)) IS TRUE
    ON CONFLICT DO NOTHING),
shared AS (
    INSERT INTO transcript (event, destination, run, n, sealed)
    SELECT t.* FROM f CROSS JOIN unnest($23::uuid[], $24::bigint[], $25::bigint[], $26::int[], $27::bytea[])
        AS t(event, destination, run, n, sealed)
    ON CONFLICT DO NOTHING)
SELECT k.ord, k.rev + 1 AS rev FROM k
WHERE ((k.event, k.destination, k.run) IN (SELECT g.event, g.destination, g.run FROM gone g)) IS TRUE
UNION ALL SELECT waits.ord, waits.rev FROM waits
UNION ALL SELECT -1, 0 FROM f";

/// Attempts whose row changed or ended meanwhile: they were made, so they are on record, and their numbers are not
/// given again. An attempt that is inline in its ended delivery is there already.
const REFUSED: &str = "
WITH f AS MATERIALIZED (SELECT 1 FROM host WHERE id = $1 AND NOT fenced FOR SHARE),
r AS MATERIALIZED (
    SELECT u.* FROM f CROSS JOIN unnest($2::int[], $3::uuid[], $4::bigint[], $5::int[], $6::int[], $7::smallint[],
            $8::bigint[], $9::int[], $10::bigint[], $11::text[], $12::int[], $13::bigint[], $14::int[], $15::smallint[],
            $16::text[], $17::text[], $18::text[], $19::text[], $20::bigint[], $21::bytea[], $22::bytea[])
        AS u(ord, event, destination, run, rev, state, at, attempts, since, code, n, started_at, duration_ms, outcome,
            reason, message, status, connector_version, config_revision, transcript, owner)
    LEFT JOIN LATERAL (
        SELECT 1 AS there FROM delivery d
        WHERE d.event = u.event AND d.destination = u.destination AND d.run = u.run AND d.n = u.n LIMIT 1
    ) inline ON true
    WHERE inline.there IS NULL),
k AS MATERIALIZED (
    SELECT w.place, r.n FROM r CROSS JOIN LATERAL (
        SELECT w.ctid AS place FROM work w
        WHERE w.event = r.event AND w.destination = r.destination AND w.run = r.run AND w.tries < r.n
        FOR UPDATE
    ) w),
counted AS (UPDATE work w SET tries = GREATEST(w.tries, k.n) FROM k WHERE w.ctid = k.place),
kept AS (
    INSERT INTO attempt (event, destination, run, n, started_at, duration_ms, outcome, reason, message, status,
        connector_version, config_revision, transcript, owner)
    SELECT event, destination, run, n, started_at, duration_ms, outcome, reason, message, status, connector_version,
        config_revision, transcript, owner
    FROM r
    ON CONFLICT DO NOTHING),
shared AS (
    INSERT INTO transcript (event, destination, run, n, sealed)
    SELECT t.* FROM f CROSS JOIN unnest($23::uuid[], $24::bigint[], $25::bigint[], $26::int[], $27::bytea[])
        AS t(event, destination, run, n, sealed)
    ON CONFLICT DO NOTHING)
SELECT -1 AS ord, 0 AS rev FROM f";

#[async_trait]
impl Record for PostgresStore {
    async fn record(&self, host: HostId, batch: &[Recording]) -> Result<Vec<RecordAnswer>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.engine_write(self.record_all(host, batch)).await
    }

    async fn start(&self, host: HostId, deliveries: &[DeliveryKey], alone: bool) -> Result<Vec<Started>, StoreError> {
        self.engine_write(crate::start::start(self, host, deliveries, alone)).await
    }

    async fn unstart(&self, host: HostId, deliveries: &[DeliveryKey]) -> Result<(), StoreError> {
        self.engine_write(crate::start::unstart(self, host, deliveries)).await
    }
}

impl PostgresStore {
    async fn record_all(&self, host: HostId, batch: &[Recording]) -> Result<Vec<RecordAnswer>, StoreError> {
        let all = Columns::new(batch.iter().enumerate());
        let applied = match self.run(RECORD, host, &all).await {
            Err(StoreError::NotFound(NO_PARTITION)) => {
                self.ensure_days(batch.iter().map(|recording| recording.key.event.at().day()).collect()).await?;
                self.run(RECORD, host, &all).await?
            }
            other => other?,
        };
        let refused = |i: &usize| !i32::try_from(*i).is_ok_and(|ord| applied.contains_key(&ord));
        let attempts = batch.iter().enumerate().filter(|(i, recording)| refused(i) && recording.attempt.is_some());
        let late = Columns::new(attempts);
        if !late.is_empty() {
            // The batch is durable by now. Sent again, all of it is refused, and its attempts are kept once.
            self.run(REFUSED, host, &late).await.map_err(|error| match error {
                StoreError::Unavailable(words) => StoreError::Unknown(words),
                other => other,
            })?;
        }
        let answer = |ord| applied.get(&ord).map_or(RecordAnswer::Refused, |rev| RecordAnswer::Applied(*rev));
        Ok((0..).take(batch.len()).map(answer).collect())
    }

    /// Runs one of the two statements; the new rev of each row that it changed, by its number in the batch.
    async fn run(
        &self,
        sql: &'static str,
        host: HostId,
        columns: &Columns<'_>,
    ) -> Result<BTreeMap<i32, u32>, StoreError> {
        let query = columns.bind(sqlx::query(sql).bind(host.0));
        let rows = query.fetch_all(&mut *self.engine().await?).await.commits()?;
        let mut revs = rows.iter().map(rev_of).collect::<Result<BTreeMap<_, _>, _>>()?;
        match revs.remove(&-1) {
            Some(_) => Ok(revs),
            None => Err(StoreError::Fenced),
        }
    }
}

fn rev_of(row: &PgRow) -> Result<(i32, u32), StoreError> {
    Ok((get(row, "ord")?, unsigned(get(row, "rev")?)?))
}
