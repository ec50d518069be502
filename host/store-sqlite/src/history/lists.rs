//! Lists of deliveries: two streams, the waiting and the ended, merged newest first.

use super::rows::{ENDED, ENDED_LAST, WAITING, WAITING_LAST, read_ended, read_waiting};
use crate::codec::{Cells, blob, first_uid};
use crate::error::Res;
use futures::future::BoxFuture;
use railhead_model::{DeliveryKey, DeliveryState, DestinationNo, EventUid, TenantNo};
use railhead_store::history::{DeliveryFilter, DeliveryRow, MAX_EXAMINED, Page};
use sqlx::sqlite::SqliteConnection;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use uuid::Uuid;

/// Rows that are read of each stream at once at most.
const CHUNK: usize = 500;

/// Events that one step walks where their deliveries are looked up by event.
const WINDOW: usize = 1_000;

/// What bounds both streams; the walks differ in which index leads.
const BOUNDS: &str = "AND (?6 IS NULL OR {t}.destination = ?6)
    AND ({t}.event, {t}.destination, {t}.run) < (?3, ?4, ?5)
    ORDER BY {e} DESC, {t}.destination DESC, {t}.run DESC LIMIT ?7";

static WAITING_BY_EVENT: LazyLock<String> = LazyLock::new(|| {
    let from = "FROM event e CROSS JOIN work w ON w.event = e.uid";
    let bounds = BOUNDS.replace("{t}", "w").replace("{e}", "e.uid");
    format!("SELECT {WAITING} {from} {WAITING_LAST} WHERE e.tenant = ?1 AND e.uid >= ?2 AND e.uid <= ?3 {bounds}")
});

static ENDED_BY_EVENT: LazyLock<String> = LazyLock::new(|| {
    let from = "FROM event e CROSS JOIN delivery d ON d.event = e.uid";
    let bounds = BOUNDS.replace("{t}", "d").replace("{e}", "e.uid");
    format!("SELECT {ENDED} {from} {ENDED_LAST} WHERE e.tenant = ?1 AND e.uid >= ?2 AND e.uid <= ?3 {bounds}")
});

static ENDED_BY_DESTINATION: LazyLock<String> = LazyLock::new(|| {
    let from = "FROM delivery d INDEXED BY delivery_destination CROSS JOIN event e ON e.uid = d.event";
    let bounds = BOUNDS.replace("{t}", "d").replace("{e}", "d.event").replace("?6 IS NULL OR ", "");
    format!("SELECT {ENDED} {from} {ENDED_LAST} WHERE d.tenant = ?1 AND d.event >= ?2 AND d.event <= ?3 {bounds}")
});

static FAILED: LazyLock<String> = LazyLock::new(|| {
    let from = "FROM delivery d INDEXED BY delivery_failed CROSS JOIN event e ON e.uid = d.event";
    let bounds = BOUNDS.replace("{t}", "d").replace("{e}", "d.event");
    format!(
        "SELECT {ENDED} {from} {ENDED_LAST}
         WHERE d.tenant = ?1 AND d.state <> 0 AND d.event >= ?2 AND d.event <= ?3 {bounds}"
    )
});

pub(super) fn page(
    connection: &mut SqliteConnection,
    tenant: TenantNo,
    filter: DeliveryFilter,
    before: Option<DeliveryKey>,
    limit: u32,
) -> BoxFuture<'_, Res<Page<DeliveryRow, DeliveryKey>>> {
    Box::pin(async move {
        let mut walk = Walk::new(tenant, &filter, before, limit);
        let mut page = Page { rows: Vec::new(), next: before };
        while walk.examined < MAX_EXAMINED {
            if !walk.window(connection).await? {
                return Ok(Page { next: None, ..page });
            }
            if !walk.fill(connection, &filter, &mut page).await? {
                return Ok(page);
            }
            page.next = Some(walk.before);
        }
        Ok(page)
    })
}

/// A walk from newer to older keys.
struct Walk {
    tenant: TenantNo,
    plan: Plan,
    destination: Option<i64>,
    limit: usize,
    chunk: usize,
    examined: usize,
    /// Everything from here on is done.
    before: DeliveryKey,
    /// No event older than this.
    oldest: Uuid,
    /// The oldest event of the present window.
    window: Uuid,
    /// The window reaches to `oldest`.
    last_window: bool,
    started: bool,
}

/// Which streams there are, and which index leads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plan {
    /// Events lead: windows of them, and both streams.
    Events { waiting: bool, ended: bool },
    /// The ended of one destination.
    Destination,
    /// The failures of one tenant.
    Failures,
}

impl Walk {
    fn new(tenant: TenantNo, filter: &DeliveryFilter, before: Option<DeliveryKey>, limit: u32) -> Self {
        let newest = filter.until.map_or(Uuid::max(), |until| first_uid(until).0);
        let newest = filter.event.map_or(newest, |event| newest.min(event.0));
        // Destinations count from 1: with 0 the newest event itself is out (`until`), with the highest it is in.
        let included = filter.event.is_some() || filter.until.is_none();
        let destination = DestinationNo(if included { i64::MAX } else { 0 });
        let top = DeliveryKey { event: EventUid(newest), destination, run: u32::MAX };
        let oldest = filter.since.map_or(Uuid::nil(), |since| first_uid(since).0);
        let oldest = filter.event.map_or(oldest, |event| oldest.max(event.0));
        Self {
            tenant,
            plan: Plan::of(filter),
            destination: filter.destination.map(|no| no.0),
            limit: limit as usize,
            chunk: (limit as usize + 1).clamp(50, CHUNK),
            examined: 0,
            before: before.map_or(top, |before| before.min(top)),
            oldest,
            window: oldest,
            last_window: true,
            started: false,
        }
    }

    /// Sets the next window. False: there is none.
    async fn window(&mut self, connection: &mut SqliteConnection) -> Res<bool> {
        if self.started && self.last_window {
            return Ok(false);
        }
        self.started = true;
        if !matches!(self.plan, Plan::Events { .. }) {
            return Ok(true);
        }
        let sql = "SELECT min(uid), count(*) FROM (SELECT uid FROM event WHERE tenant = ? AND uid <= ? AND uid >= ?
                   ORDER BY uid DESC LIMIT ?)";
        let query = sqlx::query(sql).bind(self.tenant.0).bind(blob(&self.before.event.0)).bind(blob(&self.oldest));
        let row = query.bind(WINDOW as i64).fetch_one(connection).await?;
        let mut cells = Cells::new(&row);
        let first = cells.maybe_array()?.map(Uuid::from_bytes);
        let events = usize::try_from(cells.int()?).unwrap_or(0);
        self.examined += events / 10; // walking past an event costs a fraction of showing a delivery
        self.last_window = events < WINDOW;
        self.window = first.filter(|_| !self.last_window).unwrap_or(self.oldest);
        Ok(first.is_some())
    }

    /// Reads the window's deliveries. False: the page is full, or enough was examined.
    async fn fill(
        &mut self,
        connection: &mut SqliteConnection,
        filter: &DeliveryFilter,
        page: &mut Page<DeliveryRow, DeliveryKey>,
    ) -> Res<bool> {
        loop {
            let (rows, whole) = self.next(connection).await?;
            for row in rows {
                if page.rows.len() == self.limit || self.examined >= MAX_EXAMINED {
                    return Ok(false);
                }
                self.examined += 1;
                self.before = row.key;
                page.next = Some(row.key);
                if filter.matches(&row) {
                    page.rows.push(row);
                }
            }
            if whole {
                let event = EventUid(self.window);
                self.before = DeliveryKey { event, destination: DestinationNo(i64::MIN), run: 0 };
                return Ok(true);
            }
        }
    }

    /// The next rows of both streams, newest first, and whether they end the window.
    async fn next(&mut self, connection: &mut SqliteConnection) -> Res<(Vec<DeliveryRow>, bool)> {
        let mut found: BTreeMap<DeliveryKey, DeliveryRow> = BTreeMap::new();
        // Below the horizon a stream that was cut short may have more.
        let mut horizon: Option<DeliveryKey> = None;
        for (sql, ended) in self.plan.streams() {
            let rows = self.read(connection, sql, ended).await?;
            if rows.len() == self.chunk {
                horizon = horizon.max(rows.last().map(|row| row.key));
            }
            found.extend(rows.into_iter().map(|row| (row.key, row))); // the ended come last, and win
        }
        let rows = found.into_values().rev().filter(|row| horizon.is_none_or(|horizon| row.key >= horizon));
        Ok((rows.collect(), horizon.is_none()))
    }

    async fn read(&self, connection: &mut SqliteConnection, sql: &'static str, ended: bool) -> Res<Vec<DeliveryRow>> {
        let query = sqlx::query(sql).bind(self.tenant.0).bind(blob(&self.window)).bind(blob(&self.before.event.0));
        let query = query.bind(self.before.destination.0).bind(i64::from(self.before.run)).bind(self.destination);
        let rows = query.bind(self.chunk as i64).fetch_all(connection).await?;
        let read = if ended { read_ended } else { read_waiting };
        rows.iter().map(|row| read(&mut Cells::new(row))).collect()
    }
}

impl Plan {
    fn of(filter: &DeliveryFilter) -> Self {
        let asks = |state: &DeliveryState| filter.states.is_empty() || filter.states.contains(state);
        let waiting = [DeliveryState::Pending, DeliveryState::Retrying].iter().any(asks);
        let delivered = asks(&DeliveryState::Delivered);
        let failed = [DeliveryState::Dead, DeliveryState::Expired, DeliveryState::Cancelled].iter().any(asks);
        if filter.event.is_some() || waiting {
            return Self::Events { waiting, ended: delivered || failed };
        }
        if filter.destination.is_some() {
            return Self::Destination;
        }
        if delivered { Self::Events { waiting, ended: true } } else { Self::Failures }
    }

    /// Statements, and whether each reads the ended.
    fn streams(self) -> Vec<(&'static str, bool)> {
        let (waiting, ended) = match self {
            Self::Events { waiting, ended } => (waiting, ended),
            Self::Destination => return vec![(&ENDED_BY_DESTINATION, true)],
            Self::Failures => return vec![(&FAILED, true)],
        };
        let waiting = waiting.then(|| (WAITING_BY_EVENT.as_str(), false));
        let ended = ended.then(|| (ENDED_BY_EVENT.as_str(), true));
        waiting.into_iter().chain(ended).collect()
    }
}

#[cfg(test)]
pub(crate) fn statements() -> Vec<&'static str> {
    vec![&WAITING_BY_EVENT, &ENDED_BY_EVENT, &ENDED_BY_DESTINATION, &FAILED]
}
