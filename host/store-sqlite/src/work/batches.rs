//! Stable batches.

use crate::codec::{Cells, json};
use crate::error::{Res, damaged};
use crate::lease::unfenced;
use railhead_model::{DestinationNo, HostId};
use railhead_store::work::StableBatch;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

pub(super) async fn open(connection: &mut SqliteConnection, host: HostId, batches: Vec<StableBatch>) -> Res<()> {
    unfenced(connection, host).await?;
    // Members never change once they are stored.
    let sql = "INSERT INTO batch (destination, number, members, due, attempts) VALUES (?, ?, ?, ?, ?)
               ON CONFLICT (destination, number) DO UPDATE SET due = excluded.due, attempts = excluded.attempts";
    for batch in batches {
        let query = sqlx::query(sql).bind(batch.destination.0).bind(batch.number as i64).bind(json(&batch.members)?);
        query.bind(batch.due.0).bind(i64::from(batch.attempts)).execute(&mut *connection).await?;
    }
    Ok(())
}

pub(super) async fn read(connection: &mut SqliteConnection, asked: String) -> Res<Vec<StableBatch>> {
    let sql = "SELECT b.destination, b.number, b.members, b.due, b.attempts
               FROM json_each(?) asked CROSS JOIN batch b ON b.destination = asked.value ORDER BY 1, 2";
    let rows = sqlx::query(sql).bind(asked).fetch_all(&mut *connection).await?;
    let mut batches = rows.iter().map(batch).collect::<Res<Vec<_>>>()?;
    for batch in &mut batches {
        let mut left = Vec::with_capacity(batch.members.len());
        for key in std::mem::take(&mut batch.members) {
            let waits = sqlx::query("SELECT 1 FROM work WHERE event = ? AND destination = ? AND run = ?")
                .bind(key.event.0.as_bytes().to_vec())
                .bind(key.destination.0)
                .bind(i64::from(key.run));
            if waits.fetch_optional(&mut *connection).await?.is_some() {
                left.push(key);
            }
        }
        batch.members = left;
    }
    Ok(batches)
}

pub(super) async fn close(
    connection: &mut SqliteConnection,
    host: HostId,
    destination: DestinationNo,
    number: u64,
) -> Res<()> {
    unfenced(connection, host).await?;
    let query = sqlx::query("DELETE FROM batch WHERE destination = ? AND number = ?");
    query.bind(destination.0).bind(number as i64).execute(connection).await?;
    Ok(())
}

fn batch(row: &SqliteRow) -> Res<StableBatch> {
    let mut cells = Cells::new(row);
    Ok(StableBatch {
        destination: cells.destination()?,
        number: u64::try_from(cells.int()?).map_err(|_| damaged("a batch number below zero"))?,
        members: cells.json()?,
        due: cells.time()?,
        attempts: cells.count()?,
    })
}
