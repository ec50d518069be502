//! Fan-out: the deliveries of an event with very many matches.

use crate::codec::{Cells, blob, list};
use crate::error::{Res, damaged};
use crate::work::queue::{NewWork, end_work, insert_work, load_work};
use railhead_model::{DeliveryKey, DestinationNo, End, EventUid, Origin, Route, TenantNo, Timestamp};
use railhead_store::jobs::{STEP, Stepped};
use sqlx::sqlite::SqliteConnection;
use std::collections::{BTreeMap, BTreeSet};

/// The oldest fan-out.
struct Fanout {
    uid: EventUid,
    tenant: TenantNo,
    lanes: BTreeMap<DestinationNo, [u8; 16]>,
    at: Timestamp,
    origin: Origin,
    bytes: u32,
    /// What is left of its matches.
    left: Vec<DestinationNo>,
}

pub(super) async fn step(connection: &mut SqliteConnection, now: Timestamp) -> Res<Stepped> {
    let Some(fanout) = oldest(connection).await? else { return Ok(Stepped::default()) };
    let (step, rest) = fanout.left.split_at(fanout.left.len().min(STEP));
    let keys: Vec<_> = step.iter().map(|no| DeliveryKey { event: fanout.uid, destination: *no, run: 0 }).collect();
    let work = keys.iter().map(|key| first_run(&fanout, *key)).collect();
    insert_work(connection, work).await?;
    let live = live(connection, step).await?;
    end_orphans(connection, &keys, &live, now).await?;
    match step.last().filter(|_| !rest.is_empty()) {
        Some(last) => {
            let query = sqlx::query("UPDATE fanout SET cursor = ? WHERE event = ?").bind(last.0);
            query.bind(blob(&fanout.uid.0)).execute(&mut *connection).await?;
        }
        None => {
            let query = sqlx::query("DELETE FROM fanout WHERE event = ?").bind(blob(&fanout.uid.0));
            query.execute(&mut *connection).await?;
        }
    }
    let more: i64 = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM fanout)").fetch_one(connection).await?;
    Ok(Stepped { destinations: live.into_iter().collect(), rows: step.len(), more: more != 0 })
}

async fn oldest(connection: &mut SqliteConnection) -> Res<Option<Fanout>> {
    let sql = "SELECT f.event, f.tenant, f.lanes, f.cursor, e.at, e.origin, e.payload_bytes, e.route
               FROM fanout f CROSS JOIN event e ON e.uid = f.event ORDER BY f.event LIMIT 1";
    let Some(row) = sqlx::query(sql).fetch_optional(connection).await? else { return Ok(None) };
    let mut cells = Cells::new(&row);
    let (uid, tenant, lanes) = (cells.uid()?, cells.tenant()?, decode_lanes(cells.get()?)?);
    let cursor: Option<i64> = cells.get()?;
    let (at, origin, bytes) = (cells.time()?, cells.origin()?, cells.count()?);
    let route = Route::decode(cells.get()?).map_err(|error| damaged(&error.to_string()))?;
    let left = route.matched().filter(|no| cursor.is_none_or(|last| no.0 > last)).collect();
    Ok(Some(Fanout { uid, tenant, lanes, at, origin, bytes, left }))
}

fn first_run(fanout: &Fanout, key: DeliveryKey) -> NewWork {
    let lane = fanout.lanes.get(&key.destination).copied();
    let Fanout { tenant, origin, at, bytes, .. } = *fanout;
    NewWork { key, tenant, lane, origin, previous: None, job: None, due: at, bytes }
}

async fn live(connection: &mut SqliteConnection, step: &[DestinationNo]) -> Res<BTreeSet<DestinationNo>> {
    let sql = "SELECT d.no FROM json_each(?) asked CROSS JOIN destination d ON d.no = asked.value";
    let rows = sqlx::query(sql).bind(list(step.iter().map(|no| no.0))).fetch_all(connection).await?;
    rows.iter().map(|row| Cells::new(row).destination()).collect()
}

/// Deliveries of destinations that were deleted since the event was accepted end at once.
async fn end_orphans(
    connection: &mut SqliteConnection,
    keys: &[DeliveryKey],
    live: &BTreeSet<DestinationNo>,
    now: Timestamp,
) -> Res<()> {
    let orphans: Vec<_> = keys.iter().filter(|key| !live.contains(&key.destination)).copied().collect();
    let rows: Vec<_> = load_work(connection, &orphans).await?.into_values().map(|stored| stored.row).collect();
    end_work(connection, &rows, End::Cancelled, "destination-deleted", now).await
}

fn decode_lanes(bytes: &[u8]) -> Res<BTreeMap<DestinationNo, [u8; 16]>> {
    let (pairs, rest) = bytes.as_chunks::<24>();
    if !rest.is_empty() {
        return Err(damaged("lanes of a wrong length"));
    }
    let pair = |pair: &[u8; 24]| {
        let (no, lane) = pair.split_first_chunk::<8>()?;
        Some((DestinationNo(i64::from_be_bytes(*no)), lane.try_into().ok()?))
    };
    pairs.iter().map(|bytes| pair(bytes).ok_or_else(|| damaged("lanes of a wrong length"))).collect()
}
