//! Destinations with their credentials.

use super::tenants::bump;
use crate::codec::{Cells, json, list};
use crate::error::{Res, damaged};
use crate::work::queue::take_seqs;
use railhead_model::{DestinationId, DestinationNo, DestinationState, End, Ordering, ShardNo, TenantNo, Timestamp};
use railhead_store::StoreError;
use railhead_store::directory::{Credential, Destination, Expect, MAX_REORDERED, Standing, sort_credentials};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use std::collections::BTreeMap;
use std::sync::LazyLock;

const COLUMNS: &str = "d.no, d.tenant, d.id, d.spec, d.connector_version, d.state, d.state_reason, d.health,
                       d.revision, d.created_at, d.updated_at";

/// Ends what waits at a destination: `?1` its number, `?2` the end, `?3` the time.
const END_ALL: &str = "INSERT INTO delivery (event, destination, run, tenant, state, code, attempts, tries, at, lane,
    origin, previous, job, made_at)
    SELECT event, destination, run, tenant, ?2, 'destination-deleted', attempts, tries, ?3, lane, origin, previous, job,
    made_at FROM work WHERE destination = ?1";

/// Gives all that waits without a lane at `?1` the zero lane, and places from `?2` on.
const GIVE_LANES: &str = "UPDATE work SET lane = zeroblob(16), seq = placed.seq, rev = rev + 1
               FROM (SELECT event, run, ?2 - 1 + row_number() OVER (ORDER BY due, event, run) AS seq
                     FROM work WHERE destination = ?1 AND lane IS NULL) AS placed
               WHERE work.destination = ?1 AND work.event = placed.event AND work.run = placed.run";

/// What goes with a destination.
const DELETES: [&str; 5] = [
    "DELETE FROM work WHERE destination = ?",
    "DELETE FROM batch WHERE destination = ?",
    "DELETE FROM ordered WHERE destination = ?",
    "DELETE FROM credential WHERE destination = ?",
    "DELETE FROM destination WHERE no = ?",
];

pub(super) async fn by_id(
    connection: &mut SqliteConnection,
    tenant: TenantNo,
    id: DestinationId,
) -> Res<Option<Destination>> {
    static SQL: LazyLock<String> =
        LazyLock::new(|| format!("SELECT {COLUMNS} FROM destination d WHERE d.tenant = ? AND d.id = ?"));
    let query = sqlx::query(SQL.as_str()).bind(tenant.0).bind(id.as_str());
    let rows = query.fetch_all(&mut *connection).await?;
    Ok(whole(connection, rows).await?.pop())
}

pub(super) async fn of_tenant(connection: &mut SqliteConnection, tenant: TenantNo) -> Res<Vec<Destination>> {
    static SQL: LazyLock<String> =
        LazyLock::new(|| format!("SELECT {COLUMNS} FROM destination d WHERE d.tenant = ? ORDER BY d.no"));
    let rows = sqlx::query(SQL.as_str()).bind(tenant.0).fetch_all(&mut *connection).await?;
    whole(connection, rows).await
}

pub(super) async fn page(
    connection: &mut SqliteConnection,
    tenant: TenantNo,
    before: Option<DestinationNo>,
    limit: u32,
) -> Res<Vec<Destination>> {
    // The numbers alone are sorted: the index by tenant holds them, so only a page's own rows are read.
    static SQL: LazyLock<String> = LazyLock::new(|| {
        format!(
            "SELECT {COLUMNS} FROM (SELECT no FROM destination WHERE tenant = ? AND no < ? ORDER BY no DESC LIMIT ?) asked
             CROSS JOIN destination d ON d.no = asked.no ORDER BY d.no DESC"
        )
    });
    let query = sqlx::query(SQL.as_str()).bind(tenant.0).bind(before.map_or(i64::MAX, |no| no.0));
    let rows = query.bind(i64::from(limit)).fetch_all(&mut *connection).await?;
    whole(connection, rows).await
}

pub(super) async fn standings(
    connection: &mut SqliteConnection,
    tenant: TenantNo,
    before: Option<DestinationNo>,
    limit: u32,
) -> Res<Vec<Standing>> {
    let sql = "SELECT d.no, d.state, d.health
               FROM (SELECT no FROM destination WHERE tenant = ? AND no < ? ORDER BY no DESC LIMIT ?) asked
               CROSS JOIN destination d ON d.no = asked.no ORDER BY d.no DESC";
    let query = sqlx::query(sql).bind(tenant.0).bind(before.map_or(i64::MAX, |no| no.0));
    let rows = query.bind(i64::from(limit)).fetch_all(connection).await?;
    let read = |row: &SqliteRow| {
        let mut cells = Cells::new(row);
        Ok(Standing {
            no: cells.destination()?,
            state: cells.word(DestinationState::from_number)?,
            health: cells.json()?,
        })
    };
    rows.iter().map(read).collect()
}

pub(super) async fn by_no(connection: &mut SqliteConnection, nos: Vec<DestinationNo>) -> Res<Vec<Destination>> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        format!("SELECT {COLUMNS} FROM json_each(?) asked CROSS JOIN destination d ON d.no = asked.value")
    });
    let asked = list(nos.iter().map(|no| no.0));
    let rows = sqlx::query(SQL.as_str()).bind(asked).fetch_all(&mut *connection).await?;
    whole(connection, rows).await
}

pub(super) async fn of_shards(
    connection: &mut SqliteConnection,
    shards: Vec<ShardNo>,
    after: Option<DestinationNo>,
    limit: u32,
) -> Res<Vec<Destination>> {
    // One host owns (nearly) all shards: walking the numbers beats sorting what many shards give.
    static SQL: LazyLock<String> = LazyLock::new(|| {
        format!(
            "SELECT {COLUMNS} FROM destination d WHERE d.no > ? AND d.shard IN (SELECT value FROM json_each(?))
             ORDER BY d.no LIMIT ?"
        )
    });
    let query = sqlx::query(SQL.as_str()).bind(after.map_or(i64::MIN, |no| no.0));
    let query = query.bind(list(shards.iter().map(|no| i64::from(no.0)))).bind(i64::from(limit));
    let rows = query.fetch_all(&mut *connection).await?;
    whole(connection, rows).await
}

pub(super) async fn put(
    connection: &mut SqliteConnection,
    destination: Destination,
    expect: Expect,
) -> Res<Destination> {
    let found = by_no(connection, vec![destination.no]).await?.pop();
    check_names(connection, &destination, found.as_ref()).await?;
    let revision = expect.next(found.as_ref().map(|found| found.revision))?;
    let already = found.as_ref().is_some_and(|found| found.spec.ordering != Ordering::None);
    bump(connection, destination.tenant).await?;
    let mut stored = Destination { revision, ..destination };
    sort_credentials(&mut stored.credentials);
    if let Some(found) = found {
        stored.created_at = found.created_at;
        stored.health = found.health;
    }
    insert(connection, &stored).await?;
    if stored.spec.ordering != Ordering::None {
        give_lanes(connection, stored.no, already).await?;
    }
    Ok(stored)
}

async fn check_names(
    connection: &mut SqliteConnection,
    destination: &Destination,
    found: Option<&Destination>,
) -> Res<()> {
    if found.is_some_and(|found| found.tenant != destination.tenant || found.id != destination.id) {
        return Err(StoreError::Conflict("this number belongs to another destination".to_owned()).into());
    }
    let same = by_id(connection, destination.tenant, destination.id.clone()).await?;
    if same.is_some_and(|same| same.no != destination.no) {
        return Err(StoreError::Conflict("a destination with this id exists".to_owned()).into());
    }
    Ok(())
}

async fn insert(connection: &mut SqliteConnection, stored: &Destination) -> Res<()> {
    let sql = "INSERT OR REPLACE INTO destination (no, tenant, shard, id, spec, ordered, connector_version, state,
               state_reason, health, revision, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let query = sqlx::query(sql).bind(stored.no.0).bind(stored.tenant.0).bind(i64::from(stored.no.shard().0));
    let query = query.bind(stored.id.as_str()).bind(json(&stored.spec)?).bind(stored.spec.ordering != Ordering::None);
    let query = query.bind(stored.connector_version.as_str()).bind(stored.state as i32);
    let query = query.bind(stored.state_reason.as_deref()).bind(json(&stored.health)?).bind(stored.revision);
    query.bind(stored.created_at.0).bind(stored.updated_at.0).execute(&mut *connection).await?;
    sqlx::query("DELETE FROM credential WHERE destination = ?").bind(stored.no.0).execute(&mut *connection).await?;
    let sql = "INSERT INTO credential (destination, field, version, sealed, public, set_at, expires_at)
               VALUES (?, ?, ?, ?, ?, ?, ?)";
    for credential in &stored.credentials {
        let query = sqlx::query(sql).bind(stored.no.0).bind(credential.field.as_str());
        let query = query.bind(i64::from(credential.version)).bind(&credential.sealed[..]);
        let query = query.bind(json(&credential.public)?).bind(credential.set_at.0);
        query.bind(credential.expires_at.map(|at| at.0)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// What was made before the destination kept an order joins it, in one lane, in the order of its due times, if it is not
/// too much: the writer waits for it. A destination that kept an order before (`already`) has at most the rest of a
/// fan-out without a place; with much before it, that stays so.
async fn give_lanes(connection: &mut SqliteConnection, no: DestinationNo, already: bool) -> Res<()> {
    let waiting = "SELECT count(*) FROM (SELECT 1 FROM work WHERE destination = ? LIMIT ?)";
    let query = sqlx::query_scalar(waiting).bind(no.0).bind(MAX_REORDERED as i64 + 1);
    let waiting: i64 = query.fetch_one(&mut *connection).await?;
    if waiting > MAX_REORDERED as i64 {
        return if already { Ok(()) } else { Err(StoreError::TooManyWaiting.into()) };
    }
    let loose = "SELECT count(*) FROM work WHERE destination = ? AND lane IS NULL";
    let loose: i64 = sqlx::query_scalar(loose).bind(no.0).fetch_one(&mut *connection).await?;
    if loose == 0 {
        return Ok(());
    }
    let first = take_seqs(connection, no, loose).await?;
    sqlx::query(GIVE_LANES).bind(no.0).bind(first).execute(connection).await?;
    Ok(())
}

pub(super) async fn delete(
    connection: &mut SqliteConnection,
    tenant: TenantNo,
    id: DestinationId,
    now: Timestamp,
) -> Res<bool> {
    let query = sqlx::query_scalar("SELECT no FROM destination WHERE tenant = ? AND id = ?");
    let found: Option<i64> = query.bind(tenant.0).bind(id.as_str()).fetch_optional(&mut *connection).await?;
    let Some(no) = found else { return Ok(false) };
    bump(connection, tenant).await?;
    let ends = sqlx::query(END_ALL).bind(no).bind(End::Cancelled as i32).bind(now.0);
    ends.execute(&mut *connection).await?;
    for sql in DELETES {
        sqlx::query(sql).bind(no).execute(&mut *connection).await?;
    }
    Ok(true)
}

/// Destinations with their credentials.
async fn whole(connection: &mut SqliteConnection, rows: Vec<SqliteRow>) -> Res<Vec<Destination>> {
    let mut found: Vec<Destination> = rows.iter().map(destination).collect::<Res<_>>()?;
    if found.is_empty() {
        return Ok(found);
    }
    let sql = "SELECT c.destination, c.field, c.version, c.sealed, c.public, c.set_at, c.expires_at
               FROM json_each(?) asked CROSS JOIN credential c ON c.destination = asked.value
               ORDER BY c.destination, c.field, c.version DESC";
    let asked = list(found.iter().map(|found| found.no.0));
    let mut credentials: BTreeMap<DestinationNo, Vec<Credential>> = BTreeMap::new();
    for row in sqlx::query(sql).bind(asked).fetch_all(connection).await? {
        let mut cells = Cells::new(&row);
        credentials.entry(cells.destination()?).or_default().push(credential(&mut cells)?);
    }
    for destination in &mut found {
        destination.credentials = credentials.remove(&destination.no).unwrap_or_default();
    }
    Ok(found)
}

fn destination(row: &SqliteRow) -> Res<Destination> {
    let mut cells = Cells::new(row);
    Ok(Destination {
        no: cells.destination()?,
        tenant: cells.tenant()?,
        id: cells.text()?.parse().map_err(|_| damaged("a destination id"))?,
        spec: cells.json()?,
        connector_version: cells.text()?,
        state: cells.word(DestinationState::from_number)?,
        state_reason: cells.get()?,
        credentials: Vec::new(),
        health: cells.json()?,
        revision: cells.int()?,
        created_at: cells.time()?,
        updated_at: cells.time()?,
    })
}

fn credential(cells: &mut Cells<'_>) -> Res<Credential> {
    Ok(Credential {
        field: cells.text()?,
        version: cells.count()?,
        sealed: cells.bytes()?,
        public: cells.json()?,
        set_at: cells.time()?,
        expires_at: cells.maybe_time()?,
    })
}

#[cfg(test)]
pub(crate) fn statements() -> Vec<&'static str> {
    [END_ALL, GIVE_LANES].into_iter().chain(DELETES).collect()
}
