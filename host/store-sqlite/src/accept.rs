//! Accept: four kinds of statement a batch, each over many rows.

use crate::SqliteStore;
use crate::codec::{Cells, blob, list};
use crate::error::Res;
use crate::multi::Multi;
use crate::work::queue::{NewWork, insert_work};
use async_trait::async_trait;
use railhead_model::{DeliveryKey, EventUid, TenantNo};
use railhead_store::StoreError;
use railhead_store::accept::{Accept, Accepted, FirstEvent, MAX_DIRECT, NewEvent};
use sqlx::sqlite::SqliteConnection;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

static KNOWN: LazyLock<Multi> = LazyLock::new(|| {
    Multi::new("WITH asked (uid) AS (VALUES", 1, ") SELECT e.uid FROM asked a CROSS JOIN event e ON e.uid = a.uid")
});

static FIRSTS: LazyLock<Multi> = LazyLock::new(|| {
    Multi::new(
        "WITH asked (day, idh) AS (VALUES",
        2,
        ") SELECT e.day, e.idh, e.uid, e.id, e.digest, e.deliveries
         FROM asked a CROSS JOIN event e ON e.day = a.day AND e.idh = a.idh",
    )
});

static INSERT_EVENTS: LazyLock<Multi> = LazyLock::new(|| {
    Multi::new(
        "INSERT INTO event (uid, tenant, day, idh, digest, id, type, at, route, deliveries, origin, payload_bytes,
         head, payload) VALUES",
        14,
        "",
    )
});

static INSERT_FANOUTS: LazyLock<Multi> =
    LazyLock::new(|| Multi::new("INSERT INTO fanout (event, tenant, lanes) VALUES", 3, ""));

#[async_trait]
impl Accept for SqliteStore {
    async fn accept(&self, batch: &[NewEvent]) -> Result<Vec<Accepted>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let batch = batch.to_vec();
        self.inner.writer.run(move |connection| Box::pin(accept(connection, batch))).await
    }
}

type Firsts = BTreeMap<(i32, [u8; 16]), FirstEvent>;

async fn accept(connection: &mut SqliteConnection, batch: Vec<NewEvent>) -> Res<Vec<Accepted>> {
    let generations = generations(connection, &batch).await?;
    let mut known = known(connection, &batch).await?;
    let mut firsts = firsts(connection, &batch).await?;
    let mut stored = Vec::with_capacity(batch.len());
    let mut answers = Vec::with_capacity(batch.len());
    for event in &batch {
        let answer = judge(event, &generations, &known, &firsts);
        if answer == Accepted::Stored && known.insert(event.uid) {
            if let Some(idh) = event.idh {
                firsts.insert((event.uid.at().day(), idh), first_of(event));
            }
            stored.push(event);
        }
        answers.push(answer);
    }
    insert(connection, &stored).await?;
    Ok(answers)
}

fn judge(
    event: &NewEvent,
    generations: &BTreeMap<TenantNo, i64>,
    known: &BTreeSet<EventUid>,
    firsts: &Firsts,
) -> Accepted {
    if known.contains(&event.uid) {
        return Accepted::Stored; // the first sending stored it
    }
    match generations.get(&event.tenant) {
        None => return Accepted::NoTenant,
        Some(generation) if *generation != event.generation => return Accepted::Stale,
        Some(_) => {}
    }
    let first = event.idh.and_then(|idh| {
        let day = event.uid.at().day();
        firsts.get(&(day, idh)).or_else(|| firsts.get(&(day - 1, idh)))
    });
    first.map_or(Accepted::Stored, |first| Accepted::Duplicate(first.clone()))
}

async fn generations(connection: &mut SqliteConnection, batch: &[NewEvent]) -> Res<BTreeMap<TenantNo, i64>> {
    let tenants: BTreeSet<i64> = batch.iter().map(|event| event.tenant.0).collect();
    let sql = "SELECT t.no, t.generation FROM json_each(?) asked CROSS JOIN tenant t ON t.no = asked.value";
    let rows = sqlx::query(sql).bind(list(tenants)).fetch_all(connection).await?;
    let pair = |row| {
        let mut cells = Cells::new(row);
        Ok((cells.tenant()?, cells.int()?))
    };
    rows.iter().map(pair).collect()
}

async fn known(connection: &mut SqliteConnection, batch: &[NewEvent]) -> Res<BTreeSet<EventUid>> {
    let rows = KNOWN.fetch(connection, batch, |args, event| {
        args.push(blob(&event.uid.0));
    });
    rows.await?.iter().map(|row| Cells::new(row).uid()).collect()
}

/// The stored events with the same `idh`, of the events' own days and the days before.
async fn firsts(connection: &mut SqliteConnection, batch: &[NewEvent]) -> Res<Firsts> {
    let asked: BTreeSet<(i32, [u8; 16])> = batch
        .iter()
        .filter_map(|event| event.idh.map(|idh| (event.uid.at().day(), idh)))
        .flat_map(|(day, idh)| [(day, idh), (day - 1, idh)])
        .collect();
    let asked: Vec<_> = asked.into_iter().collect();
    let rows = FIRSTS.fetch(connection, &asked, |args, (day, idh)| {
        args.push(*day).push(idh.as_slice());
    });
    let first = |row| {
        let mut cells = Cells::new(row);
        let day = i32::try_from(cells.int()?).unwrap_or(0);
        let key = (day, cells.array()?);
        let first =
            FirstEvent { uid: cells.uid()?, id: cells.text()?, digest: cells.array()?, deliveries: cells.count()? };
        Ok((key, first))
    };
    rows.await?.iter().map(first).collect()
}

fn first_of(event: &NewEvent) -> FirstEvent {
    FirstEvent { uid: event.uid, id: event.id.clone(), digest: event.digest, deliveries: matches(event) }
}

fn matches(event: &NewEvent) -> u32 {
    u32::try_from(event.route.matched().count()).unwrap_or(u32::MAX)
}

async fn insert(connection: &mut SqliteConnection, stored: &[&NewEvent]) -> Res<()> {
    let mut events: Vec<_> = stored.to_vec();
    events.sort_by_key(|event| event.uid); // in the order of the indexes
    let direct = |event: &&&NewEvent| matches(event) as usize <= MAX_DIRECT;
    // In the order of the batch, which is the order of the lanes.
    let work: Vec<NewWork> = stored.iter().filter(direct).flat_map(|event| first_runs(event)).collect();
    let fanouts: Vec<_> = events.iter().filter(|event| !direct(event)).copied().collect();
    INSERT_EVENTS
        .execute(connection, &events, |args, event| {
            args.push(blob(&event.uid.0)).push(event.tenant.0).push(event.uid.at().day());
            args.push(event.idh.as_ref().map(<[u8; 16]>::as_slice)).push(event.digest.as_slice());
            args.push(event.id.as_str()).push(event.event_type.as_str()).push(event.at.0);
            args.push(event.route.encode()).push(i64::from(matches(event))).push(event.origin as i32);
            args.push(i64::from(event.payload_bytes)).push(&event.head[..]).push(&event.payload[..]);
        })
        .await?;
    insert_work(connection, work).await?;
    INSERT_FANOUTS
        .execute(connection, &fanouts, |args, event| {
            args.push(blob(&event.uid.0)).push(event.tenant.0).push(encode_lanes(event));
        })
        .await?;
    Ok(())
}

fn first_runs(event: &NewEvent) -> impl Iterator<Item = NewWork> + '_ {
    event.route.matched().map(|destination| NewWork {
        key: DeliveryKey { event: event.uid, destination, run: 0 },
        tenant: event.tenant,
        lane: event.lanes.iter().find(|(no, _)| *no == destination).map(|(_, lane)| *lane),
        origin: event.origin,
        previous: None,
        job: None,
        due: event.at,
        bytes: event.payload_bytes,
    })
}

fn encode_lanes(event: &NewEvent) -> Vec<u8> {
    event.lanes.iter().flat_map(|(no, lane)| no.0.to_be_bytes().into_iter().chain(*lane)).collect()
}

#[cfg(test)]
pub(crate) fn statements() -> Vec<&'static str> {
    [&KNOWN, &FIRSTS, &INSERT_EVENTS, &INSERT_FANOUTS].into_iter().flat_map(|multi| multi.statements()).collect()
}
