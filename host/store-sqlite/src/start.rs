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
    alone: bool,
) -> Res<Vec<Started>> {
    unfenced(connection, host).await?;
    let mut answers = Vec::with_capacity(deliveries.len());
    for key in deliveries {
        answers.push(start_one(connection, host, key, alone).await?);
    }
    Ok(answers)
}

async fn start_one(connection: &mut SqliteConnection, host: HostId, key: DeliveryKey, alone: bool) -> Res<Started> {
    let sql = "SELECT CASE WHEN starts_tries = tries THEN starts ELSE 0 END, starts_by IS ? FROM work
               WHERE event = ? AND destination = ? AND run = ?";
    let query = sqlx::query(sql).bind(blob(&host.0)).bind(blob(&key.event.0)).bind(key.destination.0);
    let Some(row) = query.bind(i64::from(key.run)).fetch_optional(&mut *connection).await? else {
        return Ok(Started::Gone);
    };
    let mut cells = Cells::new(&row);
    let (count, last): (i64, i64) = (cells.int()?, cells.int()?);
    let own = count > 0 && last != 0;
    if !own && count >= i64::from(POISON_STARTS) {
        return Ok(Started::Poisoned);
    }
    if count > i64::from(own) && !alone {
        return Ok(Started::Alone);
    }
    if own {
        return Ok(Started::Go);
    }
    let sql = "UPDATE work SET starts = ?, starts_tries = tries, starts_by = ?
               WHERE event = ? AND destination = ? AND run = ?";
    let query = sqlx::query(sql).bind(count + 1).bind(blob(&host.0)).bind(blob(&key.event.0));
    query.bind(key.destination.0).bind(i64::from(key.run)).execute(connection).await?;
    Ok(Started::Go)
}

/// See [`railhead_store::Record::unstart`].
pub(crate) async fn unstart(connection: &mut SqliteConnection, host: HostId, deliveries: Vec<DeliveryKey>) -> Res<()> {
    unfenced(connection, host).await?;
    for key in deliveries {
        let sql = "UPDATE work SET starts = starts - 1, starts_by = NULL
                   WHERE event = ? AND destination = ? AND run = ? AND starts_by = ? AND starts_tries = tries";
        let query = sqlx::query(sql).bind(blob(&key.event.0)).bind(key.destination.0).bind(i64::from(key.run));
        query.bind(blob(&host.0)).execute(&mut *connection).await?;
    }
    Ok(())
}
