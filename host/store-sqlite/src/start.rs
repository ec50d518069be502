//! Starts on record: what might have killed its host is not tried for ever.

use crate::codec::{Cells, blob};
use crate::error::Res;
use crate::lease::unfenced;
use railhead_model::{DeliveryKey, HostId};
use railhead_store::record::{POISON_STARTS, Started};
use sqlx::sqlite::SqliteConnection;

/// See [`railhead_store::Record::start`]. A host counts once for an attempt; a recorded attempt has raised `tries`, and
/// the count begins anew. Few rows at a time: only suspects are started so.
pub(crate) async fn start(
    connection: &mut SqliteConnection,
    host: HostId,
    deliveries: Vec<DeliveryKey>,
) -> Res<Vec<Started>> {
    unfenced(connection, host).await?;
    let mut answers = Vec::with_capacity(deliveries.len());
    for key in deliveries {
        answers.push(start_one(connection, host, key).await?);
    }
    Ok(answers)
}

async fn start_one(connection: &mut SqliteConnection, host: HostId, key: DeliveryKey) -> Res<Started> {
    let sql = "SELECT CASE WHEN starts_tries = tries THEN starts ELSE 0 END, starts_by IS ? FROM work
               WHERE event = ? AND destination = ? AND run = ?";
    let query = sqlx::query(sql).bind(blob(&host.0)).bind(blob(&key.event.0)).bind(key.destination.0);
    let Some(row) = query.bind(i64::from(key.run)).fetch_optional(&mut *connection).await? else {
        return Ok(Started::Gone);
    };
    let mut cells = Cells::new(&row);
    let (count, own): (i64, i64) = (cells.int()?, cells.int()?);
    if count > 0 && own != 0 {
        return Ok(Started::Go);
    }
    if count >= i64::from(POISON_STARTS) {
        return Ok(Started::Poisoned);
    }
    let sql = "UPDATE work SET starts = ?, starts_tries = tries, starts_by = ?
               WHERE event = ? AND destination = ? AND run = ?";
    let query = sqlx::query(sql).bind(count + 1).bind(blob(&host.0)).bind(blob(&key.event.0));
    query.bind(key.destination.0).bind(i64::from(key.run)).execute(connection).await?;
    Ok(Started::Go)
}
