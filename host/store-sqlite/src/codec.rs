//! Columns to words and back.

use crate::error::{Res, damaged};
use bytes::Bytes;
use railhead_model::{
    Attempt, AttemptKey, DeliveryKey, DestinationNo, EventUid, JobId, Origin, OutcomeClass, Reason, TenantNo, Timestamp,
};
use railhead_store::history::AttemptRow;
use sqlx::Row as _;
use sqlx::decode::Decode;
use sqlx::sqlite::{Sqlite, SqliteRow};
use uuid::Uuid;

/// The cells of a row, read from left to right.
pub(crate) struct Cells<'r> {
    row: &'r SqliteRow,
    next: usize,
}

impl<'r> Cells<'r> {
    pub fn new(row: &'r SqliteRow) -> Self {
        Self { row, next: 0 }
    }

    /// Steps over some cells.
    pub fn skip(&mut self, count: usize) {
        self.next += count;
    }

    /// The next cell as it is.
    pub fn get<T: Decode<'r, Sqlite>>(&mut self) -> Res<T> {
        let index = self.next;
        self.next += 1;
        Ok(self.row.try_get_unchecked(index)?)
    }

    pub fn int(&mut self) -> Res<i64> {
        self.get()
    }

    pub fn count(&mut self) -> Res<u32> {
        u32::try_from(self.int()?).map_err(|_| damaged("a count out of range"))
    }

    pub fn flag(&mut self) -> Res<bool> {
        Ok(self.int()? != 0)
    }

    pub fn text(&mut self) -> Res<String> {
        self.get()
    }

    pub fn bytes(&mut self) -> Res<Bytes> {
        Ok(Bytes::from(self.get::<Vec<u8>>()?))
    }

    pub fn maybe_bytes(&mut self) -> Res<Option<Bytes>> {
        Ok(self.get::<Option<Vec<u8>>>()?.map(Bytes::from))
    }

    /// A blob of a fixed length.
    pub fn array<const N: usize>(&mut self) -> Res<[u8; N]> {
        self.get::<&[u8]>()?.try_into().map_err(|_| damaged("a hash of a wrong length"))
    }

    pub fn maybe_array<const N: usize>(&mut self) -> Res<Option<[u8; N]>> {
        let blob: Option<&[u8]> = self.get()?;
        blob.map(|blob| blob.try_into().map_err(|_| damaged("a hash of a wrong length"))).transpose()
    }

    pub fn uuid(&mut self) -> Res<Uuid> {
        Ok(Uuid::from_bytes(self.array()?))
    }

    pub fn uid(&mut self) -> Res<EventUid> {
        Ok(EventUid(self.uuid()?))
    }

    pub fn maybe_job(&mut self) -> Res<Option<JobId>> {
        Ok(self.maybe_array()?.map(|bytes| JobId(Uuid::from_bytes(bytes))))
    }

    pub fn time(&mut self) -> Res<Timestamp> {
        Ok(Timestamp(self.int()?))
    }

    pub fn maybe_time(&mut self) -> Res<Option<Timestamp>> {
        Ok(self.get::<Option<i64>>()?.map(Timestamp))
    }

    pub fn maybe_run(&mut self) -> Res<Option<u32>> {
        let run: Option<i64> = self.get()?;
        run.map(|run| u32::try_from(run).map_err(|_| damaged("a run out of range"))).transpose()
    }

    pub fn tenant(&mut self) -> Res<TenantNo> {
        Ok(TenantNo(self.int()?))
    }

    pub fn destination(&mut self) -> Res<DestinationNo> {
        Ok(DestinationNo(self.int()?))
    }

    /// `event, destination, run`.
    pub fn key(&mut self) -> Res<DeliveryKey> {
        Ok(DeliveryKey { event: self.uid()?, destination: self.destination()?, run: self.count()? })
    }

    /// A number that stands for a word.
    pub fn word<T>(&mut self, from: impl Fn(u8) -> Option<T>) -> Res<T> {
        let number = u8::try_from(self.int()?).ok();
        number.and_then(from).ok_or_else(|| damaged("a number that stands for no word"))
    }

    pub fn origin(&mut self) -> Res<Origin> {
        self.word(Origin::from_number)
    }

    pub fn json<T: serde::de::DeserializeOwned>(&mut self) -> Res<T> {
        let text: &str = self.get()?;
        serde_json::from_str(text).map_err(|error| damaged(&error.to_string()))
    }

    /// `n, started_at, duration_ms, outcome, reason_code, message, status, connector_version, config_revision`;
    /// `None` where `n` is null.
    pub fn maybe_attempt(&mut self) -> Res<Option<Attempt>> {
        let Some(n) = self.maybe_run()? else {
            self.skip(8);
            return Ok(None);
        };
        Ok(Some(Attempt {
            n,
            started_at: self.time()?,
            duration_ms: self.count()?,
            outcome: self.word(OutcomeClass::from_number)?,
            reason: Reason { code: self.text()?, message: self.text()?, status: self.get()? },
            connector_version: self.text()?,
            config_revision: self.int()?,
        }))
    }

    /// The same, then `transcript, owner`.
    pub fn maybe_attempt_row(&mut self) -> Res<Option<AttemptRow>> {
        let attempt = self.maybe_attempt()?;
        let transcript = self.maybe_bytes()?;
        let owner: Option<&[u8]> = self.get()?;
        let read = |bytes| AttemptKey::from_bytes(bytes).ok_or_else(|| damaged("the owner of a transcript"));
        let owner = owner.map(read).transpose()?;
        Ok(attempt.map(|attempt| AttemptRow { attempt, transcript, owner }))
    }
}

/// An id's bytes as SQLite takes them.
pub(crate) fn blob(id: &Uuid) -> &[u8] {
    id.as_bytes()
}

/// JSON as text. Everything that we store serializes; a failure would be a bug, and is named.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> Res<String> {
    serde_json::to_string(value).map_err(|error| damaged(&error.to_string()))
}

/// Numbers as one JSON list, for `json_each`.
pub(crate) fn list(numbers: impl IntoIterator<Item = i64>) -> String {
    let mut text = String::from("[");
    for number in numbers {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&number.to_string());
    }
    text.push(']');
    text
}

/// The smallest event uid of this time: everything below it was accepted earlier.
pub(crate) fn first_uid(at: Timestamp) -> EventUid {
    EventUid::new(at, [0; 10])
}
