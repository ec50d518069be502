//! What a person asks of one waiting delivery.

use super::parts;
use crate::connect::PostgresStore;
use crate::error::{Commits, NO_PARTITION};
use railhead_model::{DeliveryKey, End, Timestamp};
use railhead_store::StoreError;
use railhead_store::work::{Command, Commanded};

const RETRY_NOW: &str = "
UPDATE work SET due = $4, rev = rev + 1 WHERE event = $1 AND destination = $2 AND run = $3 RETURNING rev";

const CANCEL: &str = "
WITH w AS (DELETE FROM work w WHERE w.event = $1 AND w.destination = $2 AND w.run = $3 RETURNING w.*)
INSERT INTO delivery (event, destination, run, tenant, state, code, attempts, tries, at, lane, origin, previous, job, made_at)
SELECT event, destination, run, tenant, $5, 'cancelled', attempts, tries, $4, lane, origin, previous, job, made_at FROM w
ON CONFLICT DO NOTHING RETURNING run";

pub async fn command(
    store: &PostgresStore,
    key: DeliveryKey,
    command: Command,
    now: Timestamp,
) -> Result<Commanded, StoreError> {
    match run(store, key, command, now).await {
        Err(StoreError::NotFound(NO_PARTITION)) => {
            store.ensure_days(vec![key.event.at().day()]).await?;
            run(store, key, command, now).await
        }
        other => other,
    }
}

async fn run(
    store: &PostgresStore,
    key: DeliveryKey,
    command: Command,
    now: Timestamp,
) -> Result<Commanded, StoreError> {
    let (event, destination, run) = parts(key);
    let query = match command {
        Command::RetryNow => sqlx::query(RETRY_NOW).bind(event).bind(destination).bind(run).bind(now.0),
        Command::Cancel => {
            sqlx::query(CANCEL).bind(event).bind(destination).bind(run).bind(now.0).bind(End::Cancelled as i16)
        }
    };
    let done = query.fetch_optional(&mut *store.desk().await?).await.commits()?;
    Ok(if done.is_some() { Commanded::Done } else { Commanded::NotWaiting })
}
