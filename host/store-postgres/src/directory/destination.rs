//! Destinations with their credentials.

use super::tenant::bump;
use crate::connect::{PostgresStore, commit};
use crate::error::{Commits, undone};
use crate::rows::{bytes, count, get, int, json, numbered, time, time_opt, to_json};
use railhead_model::{DestinationId, DestinationNo, DestinationSpec, DestinationState, Ordering, ShardNo, TenantNo};
use railhead_store::StoreError;
use railhead_store::directory::{Credential, Destination, Expect, MAX_REORDERED, Standing, sort_credentials};
use railhead_store::lease::SHARDS;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};
use std::collections::BTreeMap;

const SELECT: &str = "SELECT no, tenant, id, spec::text AS spec, connector_version, state, state_reason,
    health::text AS health, revision, created_at, updated_at FROM destination";

/// A share of all shards: their destinations are met often enough on a walk over the numbers. The index over shards is
/// left out of it, whatever statistics say: each page would sort all that is left.
const WALK: &str = "WHERE shard + 0 = ANY($1::smallint[]) AND no > $2 ORDER BY no LIMIT $3";

/// A few shards: the next numbers of each, of which the first are taken.
const EACH: &str = "WHERE no = ANY(ARRAY(
    SELECT n.no FROM unnest($1::smallint[]) AS u(shard)
    CROSS JOIN LATERAL (
        SELECT d.no FROM destination d WHERE d.shard = u.shard AND d.no > $2 ORDER BY d.shard, d.no LIMIT $3
    ) n
    ORDER BY n.no LIMIT $3)) ORDER BY no";

/// More shards than this are a share: no destination of theirs is met without seven others, at worst.
const FEW: usize = SHARDS / 8;

/// What was made before the destination kept an order joins it, in one lane, in the order of its due times. The rows
/// are locked before this (see `LOCK_UNLANED`), so a place cannot change under it.
const GIVE_LANES: &str = "
WITH rows AS MATERIALIZED (
    SELECT ctid AS spot, row_number() OVER (ORDER BY due, event, run) AS place, count(*) OVER () AS n
    FROM work WHERE destination = $1 AND lane IS NULL),
taken AS (
    INSERT INTO ordered (destination, seq) SELECT $1, count(*) FROM rows
    ON CONFLICT (destination) DO UPDATE SET seq = ordered.seq + EXCLUDED.seq RETURNING seq)
UPDATE work w SET lane = $2, seq = taken.seq - rows.n + rows.place, rev = w.rev + 1
FROM rows CROSS JOIN taken
WHERE w.ctid = rows.spot";

/// In the order in which results are recorded. They are found by their due times: in the other order they would be
/// looked for in the whole queue.
const LOCK_UNLANED: &str = "
WITH chosen AS MATERIALIZED (
    SELECT event, destination, run FROM work WHERE destination = $1 AND lane IS NULL ORDER BY destination, due)
SELECT count(*) FROM (SELECT * FROM chosen ORDER BY event, destination, run) s
CROSS JOIN LATERAL (
    SELECT 1 FROM work w WHERE w.event = s.event AND w.destination = s.destination AND w.run = s.run FOR UPDATE
) w";

/// How many wait, up to a bound.
const WAITING: &str = "
SELECT count(*) FROM (SELECT 1 FROM work WHERE destination = $1 ORDER BY destination, due LIMIT $2) x";

pub async fn by_id(
    store: &PostgresStore,
    tenant: TenantNo,
    id: &DestinationId,
) -> Result<Option<Destination>, StoreError> {
    let mut connection = store.reader(tenant).await?;
    let rows = sqlx::query(AssertSqlSafe(format!("{SELECT} WHERE tenant = $1 AND id = $2")))
        .bind(tenant.0)
        .bind(id.as_str())
        .fetch_all(&mut *connection)
        .await
        .map_err(undone)?;
    Ok(whole(&mut connection, &rows).await?.pop())
}

pub async fn of_tenant(store: &PostgresStore, tenant: TenantNo) -> Result<Vec<Destination>, StoreError> {
    let mut connection = store.reader(tenant).await?;
    let rows = sqlx::query(AssertSqlSafe(format!("{SELECT} WHERE tenant = $1 ORDER BY no")))
        .bind(tenant.0)
        .fetch_all(&mut *connection)
        .await
        .map_err(undone)?;
    whole(&mut connection, &rows).await
}

pub async fn page(
    store: &PostgresStore,
    tenant: TenantNo,
    before: Option<DestinationNo>,
    limit: u32,
) -> Result<Vec<Destination>, StoreError> {
    let mut connection = store.reader(tenant).await?;
    let sql = format!("{SELECT} WHERE tenant = $1 AND no < $2 ORDER BY no DESC LIMIT $3");
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(tenant.0)
        .bind(before.map_or(i64::MAX, |no| no.0))
        .bind(i64::from(limit))
        .fetch_all(&mut *connection)
        .await
        .map_err(undone)?;
    whole(&mut connection, &rows).await
}

pub async fn standings(
    store: &PostgresStore,
    tenant: TenantNo,
    before: Option<DestinationNo>,
    limit: u32,
) -> Result<Vec<Standing>, StoreError> {
    let rows = sqlx::query(
        "SELECT no, state, health::text AS health FROM destination
         WHERE tenant = $1 AND no < $2 ORDER BY no DESC LIMIT $3",
    )
    .bind(tenant.0)
    .bind(before.map_or(i64::MAX, |no| no.0))
    .bind(i64::from(limit))
    .fetch_all(&mut *store.reader(tenant).await?)
    .await
    .map_err(undone)?;
    let read = |row: &PgRow| {
        Ok(Standing {
            no: DestinationNo(get(row, "no")?),
            state: numbered(row, "state", DestinationState::from_number)?,
            health: json(row, "health")?,
        })
    };
    rows.iter().map(read).collect()
}

pub async fn by_nos(store: &PostgresStore, nos: &[DestinationNo]) -> Result<Vec<Destination>, StoreError> {
    let mut connection = store.desk().await?;
    let rows = sqlx::query(AssertSqlSafe(format!("{SELECT} WHERE no = ANY($1::bigint[]) ORDER BY no")))
        .bind(nos.iter().map(|no| no.0).collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .await
        .map_err(undone)?;
    whole(&mut connection, &rows).await
}

pub async fn of_shards(
    store: &PostgresStore,
    shards: &[ShardNo],
    after: Option<DestinationNo>,
    limit: u32,
) -> Result<Vec<Destination>, StoreError> {
    let mut connection = store.desk().await?;
    let of_shards = if shards.len() <= FEW { EACH } else { WALK };
    let rows = sqlx::query(AssertSqlSafe(format!("{SELECT} {of_shards}")))
        .bind(shards.iter().map(|no| i16::from(no.0)).collect::<Vec<_>>())
        .bind(after.map_or(i64::MIN, |no| no.0))
        .bind(i64::from(limit))
        .fetch_all(&mut *connection)
        .await
        .map_err(undone)?;
    whole(&mut connection, &rows).await
}

pub async fn next_no(store: &PostgresStore) -> Result<DestinationNo, StoreError> {
    sqlx::query_scalar("SELECT nextval('destination_no')")
        .fetch_one(&mut *store.desk().await?)
        .await
        .map(DestinationNo)
        .commits()
}

pub async fn put(store: &PostgresStore, given: &Destination, expect: Expect) -> Result<Destination, StoreError> {
    let mut transaction = store.desk_begin().await?;
    bump(&mut transaction, given.tenant).await?; // also: one writer of this tenant's destinations at a time
    let found = find(&mut transaction, given).await?;
    let revision = expect.next(found.as_ref().map(|found| found.revision))?;
    upsert(&mut transaction, given, revision).await?;
    put_credentials(&mut transaction, given).await?;
    if given.spec.ordering != Ordering::None {
        give_lanes(&mut transaction, given.no, found.is_some_and(|found| found.ordered)).await?;
    }
    let rows = sqlx::query(AssertSqlSafe(format!("{SELECT} WHERE no = $1")))
        .bind(given.no.0)
        .fetch_all(&mut *transaction)
        .await
        .map_err(undone)?;
    let stored = whole(&mut transaction, &rows).await?.pop().ok_or(StoreError::NotFound("destination"))?;
    commit(transaction).await?;
    Ok(stored)
}

/// What waits joins the order, if it is not too much: meanwhile the tenant's publishers wait. A destination that kept an
/// order before (`already`) has at most the rest of a fan-out without a place; with much before it, that stays so.
async fn give_lanes(connection: &mut PgConnection, no: DestinationNo, already: bool) -> Result<(), StoreError> {
    let most = MAX_REORDERED as i64;
    let query = sqlx::query_scalar(WAITING).bind(no.0).bind(most + 1);
    let waiting: i64 = query.fetch_one(&mut *connection).await.map_err(undone)?;
    match (waiting > most, already) {
        (true, false) => return Err(StoreError::TooManyWaiting),
        (true, true) => return Ok(()),
        (false, _) => {}
    }
    sqlx::query(LOCK_UNLANED).bind(no.0).execute(&mut *connection).await.map_err(undone)?;
    sqlx::query(GIVE_LANES).bind(no.0).bind(uuid::Uuid::nil()).execute(connection).await.map(|_| ()).map_err(undone)
}

/// Of a destination that is there.
struct Found {
    revision: i64,
    /// It keeps an order.
    ordered: bool,
}

/// The destination that is there. Its number and its id must belong together.
async fn find(connection: &mut PgConnection, given: &Destination) -> Result<Option<Found>, StoreError> {
    let rows = sqlx::query(
        "SELECT no, tenant, id, revision, spec::text AS spec FROM destination
         WHERE no = $1 OR (tenant = $2 AND id = $3)",
    )
    .bind(given.no.0)
    .bind(given.tenant.0)
    .bind(given.id.as_str())
    .fetch_all(connection)
    .await
    .map_err(undone)?;
    let mut found = None;
    for row in &rows {
        let (no, tenant, id): (i64, i64, &str) = (get(row, "no")?, get(row, "tenant")?, get(row, "id")?);
        if no != given.no.0 {
            return Err(StoreError::Conflict("a destination with this id exists".to_owned()));
        }
        if tenant != given.tenant.0 || id != given.id.as_str() {
            return Err(StoreError::Conflict("this number belongs to another destination".to_owned()));
        }
        let spec: DestinationSpec = json(row, "spec")?;
        found = Some(Found { revision: get(row, "revision")?, ordered: spec.ordering != Ordering::None });
    }
    Ok(found)
}

async fn upsert(connection: &mut PgConnection, given: &Destination, revision: i64) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO destination (no, tenant, id, shard, spec, connector_version, state, state_reason, health, revision,
            created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5::json, $6, $7, $8, $9::json, $10, $11, $12)
         ON CONFLICT (no) DO UPDATE SET spec = EXCLUDED.spec, connector_version = EXCLUDED.connector_version,
            state = EXCLUDED.state, state_reason = EXCLUDED.state_reason, revision = EXCLUDED.revision,
            updated_at = EXCLUDED.updated_at",
    )
    .bind(given.no.0)
    .bind(given.tenant.0)
    .bind(given.id.as_str())
    .bind(i16::from(given.no.shard().0))
    .bind(to_json(&given.spec)?)
    .bind(&given.connector_version)
    .bind(given.state as i16)
    .bind(&given.state_reason)
    .bind(to_json(&given.health)?)
    .bind(revision)
    .bind(given.created_at.0)
    .bind(given.updated_at.0)
    .execute(connection)
    .await
    .map(|_| ())
    .map_err(undone)
}

async fn put_credentials(connection: &mut PgConnection, given: &Destination) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM credential WHERE destination = $1")
        .bind(given.no.0)
        .execute(&mut *connection)
        .await
        .map_err(undone)?;
    for credential in &given.credentials {
        sqlx::query(
            "INSERT INTO credential (destination, field, version, sealed, public, set_at, expires_at)
             VALUES ($1, $2, $3, $4, $5::json, $6, $7)",
        )
        .bind(given.no.0)
        .bind(&credential.field)
        .bind(int(credential.version))
        .bind(&*credential.sealed)
        .bind(to_json(&credential.public)?)
        .bind(credential.set_at.0)
        .bind(credential.expires_at.map(|at| at.0))
        .execute(&mut *connection)
        .await
        .map_err(undone)?;
    }
    Ok(())
}

/// Destinations with their credentials, in the order of the rows.
async fn whole(connection: &mut PgConnection, rows: &[PgRow]) -> Result<Vec<Destination>, StoreError> {
    let mut all = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let credentials = sqlx::query(
        "SELECT destination, field, version, sealed, public::text AS public, set_at, expires_at
         FROM credential WHERE destination = ANY($1::bigint[])",
    )
    .bind(all.iter().map(|destination| destination.no.0).collect::<Vec<_>>())
    .fetch_all(connection)
    .await
    .map_err(undone)?;
    let mut by_no: BTreeMap<i64, Vec<Credential>> = BTreeMap::new();
    for row in &credentials {
        by_no.entry(get(row, "destination")?).or_default().push(credential(row)?);
    }
    for destination in &mut all {
        destination.credentials = by_no.remove(&destination.no.0).unwrap_or_default();
        sort_credentials(&mut destination.credentials);
    }
    Ok(all)
}

fn read(row: &PgRow) -> Result<Destination, StoreError> {
    let id: &str = row.try_get("id").map_err(undone)?;
    Ok(Destination {
        no: DestinationNo(get(row, "no")?),
        tenant: TenantNo(get(row, "tenant")?),
        id: id.parse().map_err(|_| StoreError::Damaged("a destination's id".to_owned()))?,
        spec: json(row, "spec")?,
        connector_version: get(row, "connector_version")?,
        state: numbered(row, "state", DestinationState::from_number)?,
        state_reason: get(row, "state_reason")?,
        credentials: Vec::new(),
        health: json(row, "health")?,
        revision: get(row, "revision")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
    })
}

fn credential(row: &PgRow) -> Result<Credential, StoreError> {
    Ok(Credential {
        field: get(row, "field")?,
        version: count(row, "version")?,
        sealed: bytes(row, "sealed")?,
        public: json(row, "public")?,
        set_at: time(row, "set_at")?,
        expires_at: time_opt(row, "expires_at")?,
    })
}
