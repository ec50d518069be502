//! Fan-out: the work rows of an event with too many matches for its accept commit.

use crate::connect::{PostgresStore, commit};
use crate::error::undone;
use crate::rows::get;
use crate::work::take_seqs;
use railhead_model::{DestinationNo, End, EventUid, Route, TenantNo, Timestamp};
use railhead_store::StoreError;
use railhead_store::jobs::{STEP, Stepped};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The oldest one that no other host steps right now, with its tenant's row: a write of configuration (which may delete a
/// destination) waits for the step, and fan-outs of a tenant that is being written wait without holding up others'. A
/// tenant's fan-outs are deleted with its row: none is left without one.
const CLAIM: &str = "
SELECT f.event, f.tenant, f.after, f.lanes FROM fanout f
CROSS JOIN LATERAL (SELECT t.no FROM tenant t WHERE t.no = f.tenant FOR SHARE SKIP LOCKED) t
ORDER BY f.event LIMIT 1 FOR UPDATE OF f SKIP LOCKED";

const MAKE: &str = "
INSERT INTO work (event, destination, run, tenant, due, lane, seq, origin, made_at, bytes)
SELECT $1, u.destination, 0, $2, $3, u.lane, u.seq, $4, $3, $8
FROM unnest($5::bigint[], $6::uuid[], $7::bigint[]) AS u(destination, lane, seq) ON CONFLICT DO NOTHING";

const CANCELLED: &str = "
INSERT INTO delivery (event, destination, run, tenant, state, code, attempts, tries, at, origin, made_at)
SELECT $1, u.destination, 0, $2, $6, 'destination-deleted', 0, 0, $7, $4, $3 FROM unnest($5::bigint[]) AS u(destination)
ON CONFLICT DO NOTHING";

const SOURCE: &str =
    "SELECT route, at, origin, payload_bytes FROM event WHERE uid >= $1 AND uid <= $1 ORDER BY uid LIMIT 1";

/// A fan-out as it is claimed.
struct Claimed {
    event: EventUid,
    tenant: TenantNo,
    after: i64,
    lanes: BTreeMap<i64, Uuid>,
}

/// What its event says.
struct Source {
    route: Route,
    at: i64,
    origin: i16,
    bytes: i32,
}

pub async fn step(store: &PostgresStore, now: Timestamp) -> Result<Stepped, StoreError> {
    let mut transaction = store.desk_begin().await?;
    let row = sqlx::query(CLAIM).fetch_optional(&mut *transaction).await.map_err(undone)?;
    let Some(row) = row else { return Ok(Stepped::default()) };
    let claimed = claimed(&row)?;
    let mut rest = Vec::new();
    let mut stepped = Stepped::default();
    if let Some(source) = source(&mut transaction, claimed.event).await? {
        rest = source.route.matched().map(|no| no.0).filter(|no| *no > claimed.after).collect();
        let later = rest.split_off(rest.len().min(STEP));
        stepped.destinations = make(&mut transaction, &claimed, &source, &rest, now).await?;
        stepped.rows = rest.len();
        if later.is_empty() {
            rest.clear();
        }
    }
    go_on(&mut transaction, claimed.event, rest.last().copied()).await?;
    stepped.more = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM fanout)")
        .fetch_one(&mut *transaction)
        .await
        .map_err(undone)?;
    commit(transaction).await?;
    Ok(stepped)
}

/// Work for the destinations that are still there, an end for those that are gone; answers with the former.
async fn make(
    connection: &mut PgConnection,
    claimed: &Claimed,
    source: &Source,
    step: &[i64],
    now: Timestamp,
) -> Result<Vec<DestinationNo>, StoreError> {
    let there: BTreeSet<i64> = sqlx::query_scalar("SELECT no FROM destination WHERE no = ANY($1::bigint[])")
        .bind(step.to_vec())
        .fetch_all(&mut *connection)
        .await
        .map_err(undone)?
        .into_iter()
        .collect();
    let (made, gone): (Vec<i64>, Vec<i64>) = step.iter().partition(|no| there.contains(no));
    let lanes: Vec<Option<Uuid>> = made.iter().map(|no| claimed.lanes.get(no).copied()).collect();
    let places = made.iter().zip(&lanes).filter(|(_, lane)| lane.is_some()).map(|(no, _)| (*no, 1)).collect();
    let before = take_seqs(connection, &places).await?;
    sqlx::query(MAKE)
        .bind(claimed.event.0)
        .bind(claimed.tenant.0)
        .bind(source.at)
        .bind(source.origin)
        .bind(made.clone())
        .bind(lanes)
        .bind(made.iter().map(|no| before.get(no).map_or(0, |seq| seq + 1)).collect::<Vec<_>>())
        .bind(source.bytes)
        .execute(&mut *connection)
        .await
        .map_err(undone)?;
    sqlx::query(CANCELLED)
        .bind(claimed.event.0)
        .bind(claimed.tenant.0)
        .bind(source.at)
        .bind(source.origin)
        .bind(gone)
        .bind(End::Cancelled as i16)
        .bind(now.0)
        .execute(connection)
        .await
        .map_err(undone)?;
    Ok(made.into_iter().map(DestinationNo).collect())
}

async fn source(connection: &mut PgConnection, event: EventUid) -> Result<Option<Source>, StoreError> {
    let row = sqlx::query(SOURCE).bind(event.0).fetch_optional(connection).await.map_err(undone)?;
    let Some(row) = row else { return Ok(None) };
    let route = Route::decode(get(&row, "route")?).map_err(|error| StoreError::Damaged(error.to_string()))?;
    let bytes = get(&row, "payload_bytes")?;
    Ok(Some(Source { route, at: get(&row, "at")?, origin: get(&row, "origin")?, bytes }))
}

/// Stores the last destination that got its row, or ends the fan-out.
async fn go_on(connection: &mut PgConnection, event: EventUid, after: Option<i64>) -> Result<(), StoreError> {
    let query = match after {
        Some(after) => sqlx::query("UPDATE fanout SET after = $2 WHERE event = $1").bind(event.0).bind(after),
        None => sqlx::query("DELETE FROM fanout WHERE event = $1").bind(event.0),
    };
    query.execute(connection).await.map(|_| ()).map_err(undone)
}

fn claimed(row: &PgRow) -> Result<Claimed, StoreError> {
    let lanes: &[u8] = get(row, "lanes")?;
    let lane = |chunk: &[u8]| {
        let (no, lane) = chunk.split_first_chunk::<8>()?;
        Some((i64::from_be_bytes(*no), Uuid::from_slice(lane).ok()?))
    };
    let lanes: Option<BTreeMap<_, _>> = lanes.chunks(24).map(lane).collect();
    Ok(Claimed {
        event: EventUid(get(row, "event")?),
        tenant: TenantNo(get(row, "tenant")?),
        after: get(row, "after")?,
        lanes: lanes.ok_or_else(|| StoreError::Damaged("the lanes of a fan-out".to_owned()))?,
    })
}
