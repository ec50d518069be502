//! Refill: each destination's next rows, by an index range of its own.

use crate::connect::PostgresStore;
use crate::error::undone;
use crate::rows::{get, work_row};
use railhead_store::{Position, RefillAnswer, RefillAsk, StoreError};
use sqlx::postgres::PgRow;
use uuid::Uuid;

/// For destinations without an order.
const BY_DUE: &str = "
SELECT u.ord, w.* FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::uuid[], $5::int[], $6::bigint[])
    AS u(ord, destination, due, event, run, n)
CROSS JOIN LATERAL (
    SELECT * FROM work w
    WHERE w.destination = u.destination AND (w.due, w.event, w.run) > (u.due, u.event, u.run)
    ORDER BY w.destination, w.due, w.event, w.run LIMIT u.n
) w";

/// For destinations that keep an order.
const BY_SEQ: &str = "
SELECT u.ord, w.* FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[]) AS u(ord, destination, seq, n)
CROSS JOIN LATERAL (
    SELECT * FROM work w
    WHERE w.destination = u.destination AND w.lane IS NOT NULL AND w.seq > u.seq
    ORDER BY w.destination, w.seq LIMIT u.n
) w";

/// Before every position by due time: no run is negative.
const START: (i64, Uuid, i32) = (i64::MIN, Uuid::nil(), -1);

pub async fn refill(store: &PostgresStore, asks: &[RefillAsk]) -> Result<Vec<RefillAnswer>, StoreError> {
    let mut answers: Vec<_> =
        asks.iter().map(|ask| RefillAnswer { destination: ask.destination, rows: Vec::new() }).collect();
    let (by_seq, by_due): (Vec<_>, Vec<_>) = (0..).zip(asks).partition(|(_, ask)| ask.ordered);
    if !by_due.is_empty() {
        collect(&mut answers, &read_by_due(store, &by_due).await?)?;
    }
    if !by_seq.is_empty() {
        collect(&mut answers, &read_by_seq(store, &by_seq).await?)?;
    }
    Ok(answers)
}

async fn read_by_due(store: &PostgresStore, asks: &[(i32, &RefillAsk)]) -> Result<Vec<PgRow>, StoreError> {
    let after: Vec<_> = asks.iter().map(|(_, ask)| after_due(ask)).collect();
    sqlx::query(BY_DUE)
        .bind(asks.iter().map(|(ord, _)| *ord).collect::<Vec<_>>())
        .bind(asks.iter().map(|(_, ask)| ask.destination.0).collect::<Vec<_>>())
        .bind(after.iter().map(|after| after.0).collect::<Vec<_>>())
        .bind(after.iter().map(|after| after.1).collect::<Vec<_>>())
        .bind(after.iter().map(|after| after.2).collect::<Vec<_>>())
        .bind(asks.iter().map(|(_, ask)| i64::from(ask.limit)).collect::<Vec<_>>())
        .fetch_all(&mut *store.engine().await?)
        .await
        .map_err(undone)
}

async fn read_by_seq(store: &PostgresStore, asks: &[(i32, &RefillAsk)]) -> Result<Vec<PgRow>, StoreError> {
    let after = |ask: &RefillAsk| match ask.after {
        Some(Position::Seq(seq)) => seq,
        _ => i64::MIN,
    };
    sqlx::query(BY_SEQ)
        .bind(asks.iter().map(|(ord, _)| *ord).collect::<Vec<_>>())
        .bind(asks.iter().map(|(_, ask)| ask.destination.0).collect::<Vec<_>>())
        .bind(asks.iter().map(|(_, ask)| after(ask)).collect::<Vec<_>>())
        .bind(asks.iter().map(|(_, ask)| i64::from(ask.limit)).collect::<Vec<_>>())
        .fetch_all(&mut *store.engine().await?)
        .await
        .map_err(undone)
}

fn after_due(ask: &RefillAsk) -> (i64, Uuid, i32) {
    match ask.after {
        Some(Position::Due(due, event, run)) => (due.0, event.0, crate::rows::int(run)),
        _ => START,
    }
}

/// Puts rows into the answers of their asks; the rows of one ask come in its order.
fn collect(answers: &mut [RefillAnswer], rows: &[PgRow]) -> Result<(), StoreError> {
    for row in rows {
        let ord: i32 = get(row, "ord")?;
        let answer = usize::try_from(ord).ok().and_then(|i| answers.get_mut(i));
        answer.ok_or(StoreError::NotFound("refill ask"))?.rows.push(work_row(row)?);
    }
    Ok(())
}
