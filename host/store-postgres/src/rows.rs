//! Between rows and the host's types.

use crate::error::undone;
use bytes::Bytes;
use railhead_model::{
    Attempt, AttemptKey, DeliveryKey, DestinationNo, EventUid, JobId, Origin, OutcomeClass, Reason, TenantNo, Timestamp,
};
use railhead_store::history::AttemptRow;
use railhead_store::{StoreError, WorkRow};
use sqlx::postgres::PgRow;
use sqlx::{Decode, Postgres, Row, Type};
use std::borrow::Cow;
use uuid::Uuid;

/// A column's value.
pub fn get<'r, T: Decode<'r, Postgres> + Type<Postgres>>(row: &'r PgRow, column: &str) -> Result<T, StoreError> {
    row.try_get(column).map_err(undone)
}

/// A count that is stored as a signed number.
pub fn count(row: &PgRow, column: &str) -> Result<u32, StoreError> {
    unsigned(get(row, column)?)
}

/// A count that may be absent.
pub fn count_opt(row: &PgRow, column: &str) -> Result<Option<u32>, StoreError> {
    get::<Option<i32>>(row, column)?.map(unsigned).transpose()
}

/// A point in time.
pub fn time(row: &PgRow, column: &str) -> Result<Timestamp, StoreError> {
    get(row, column).map(Timestamp)
}

/// A point in time that may be absent.
pub fn time_opt(row: &PgRow, column: &str) -> Result<Option<Timestamp>, StoreError> {
    Ok(get::<Option<i64>>(row, column)?.map(Timestamp))
}

/// A small closed type by its number.
pub fn numbered<T>(row: &PgRow, column: &str, from: impl Fn(u8) -> Option<T>) -> Result<T, StoreError> {
    let number: i16 = get(row, column)?;
    u8::try_from(number)
        .ok()
        .and_then(from)
        .ok_or_else(|| StoreError::Damaged(format!("{column} is {number}, which means nothing")))
}

/// Bytes.
pub fn bytes(row: &PgRow, column: &str) -> Result<Bytes, StoreError> {
    get::<Vec<u8>>(row, column).map(Bytes::from)
}

/// JSON that was read as text.
pub fn json<T: serde::de::DeserializeOwned>(row: &PgRow, column: &str) -> Result<T, StoreError> {
    let text: &str = get(row, column)?;
    serde_json::from_str(text).map_err(|error| StoreError::Damaged(format!("{column}: {error}")))
}

/// JSON to be bound as text and cast.
pub fn to_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Damaged(error.to_string()))
}

/// A count as it is stored.
pub fn int(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// A count as it was stored.
pub fn unsigned(number: i32) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|_| StoreError::Damaged(format!("a count is {number}")))
}

/// Text that came from outside: PostgreSQL cannot store the character NUL.
pub fn text(from: &str) -> Cow<'_, str> {
    if from.contains('\0') { Cow::Owned(from.replace('\0', "\u{FFFD}")) } else { Cow::Borrowed(from) }
}

/// A 16-byte hash as it is stored.
pub fn hash(bytes: [u8; 16]) -> Uuid {
    Uuid::from_bytes(bytes)
}

/// The key of a delivery.
pub fn key(row: &PgRow) -> Result<DeliveryKey, StoreError> {
    Ok(DeliveryKey {
        event: EventUid(get(row, "event")?),
        destination: DestinationNo(get(row, "destination")?),
        run: count(row, "run")?,
    })
}

/// An unfinished delivery.
pub fn work_row(row: &PgRow) -> Result<WorkRow, StoreError> {
    Ok(WorkRow {
        key: key(row)?,
        tenant: TenantNo(get(row, "tenant")?),
        due: time(row, "due")?,
        attempts: count(row, "attempts")?,
        tries: count(row, "tries")?,
        since: time_opt(row, "since")?,
        rev: count(row, "rev")?,
        lane: get::<Option<Uuid>>(row, "lane")?.map(Uuid::into_bytes),
        seq: get(row, "seq")?,
        origin: numbered(row, "origin", Origin::from_number)?,
        previous: count_opt(row, "previous")?,
        job: get::<Option<Uuid>>(row, "job")?.map(JobId),
        bytes: count(row, "bytes")?,
    })
}

/// The attempt that a row carries, if it carries one (`n` is not null).
pub fn attempt(row: &PgRow) -> Result<Option<Attempt>, StoreError> {
    let Some(n) = count_opt(row, "n")? else { return Ok(None) };
    Ok(Some(Attempt {
        n,
        started_at: time(row, "started_at")?,
        duration_ms: count(row, "duration_ms")?,
        outcome: numbered(row, "outcome", OutcomeClass::from_number)?,
        reason: Reason { code: get(row, "reason")?, message: get(row, "message")?, status: get(row, "status")? },
        connector_version: get(row, "connector_version")?,
        config_revision: get(row, "config_revision")?,
    }))
}

/// The same with its transcript.
pub fn attempt_row(row: &PgRow) -> Result<Option<AttemptRow>, StoreError> {
    let transcript = get::<Option<Vec<u8>>>(row, "transcript")?.map(Bytes::from);
    let owner = get::<Option<&[u8]>>(row, "owner")?.map(owner).transpose()?;
    Ok(attempt(row)?.map(|attempt| AttemptRow { attempt, transcript, owner }))
}

fn owner(bytes: &[u8]) -> Result<AttemptKey, StoreError> {
    AttemptKey::from_bytes(bytes).ok_or_else(|| StoreError::Damaged("the owner of a transcript".to_owned()))
}
