//! Jobs: fan-out, replay, expiry, retention. One step is one transaction of the writer, kept short.

mod fanout;
mod replay;
mod retention;

use crate::SqliteStore;
use async_trait::async_trait;
use railhead_model::{JobId, TenantNo, Timestamp};
use railhead_store::StoreError;
use railhead_store::jobs::{Jobs, NewReplay, Replay, Stepped};

#[async_trait]
impl Jobs for SqliteStore {
    async fn start_replay(&self, replay: &NewReplay) -> Result<(), StoreError> {
        let replay = replay.clone();
        self.inner.writer.run(move |connection| Box::pin(replay::start(connection, replay))).await
    }

    async fn replay(&self, tenant: TenantNo, id: JobId) -> Result<Option<Replay>, StoreError> {
        self.inner.readers.run(move |connection| Box::pin(replay::one(connection, tenant, id))).await
    }

    async fn replays(&self, tenant: TenantNo, before: Option<JobId>, limit: u32) -> Result<Vec<Replay>, StoreError> {
        self.inner.readers.run(move |connection| Box::pin(replay::list(connection, tenant, before, limit))).await
    }

    async fn cancel_replay(&self, tenant: TenantNo, id: JobId, now: Timestamp) -> Result<bool, StoreError> {
        self.inner.writer.run(move |connection| Box::pin(replay::cancel(connection, tenant, id, now))).await
    }

    async fn step_replay(&self, now: Timestamp) -> Result<Stepped, StoreError> {
        self.inner.writer.run(move |connection| Box::pin(replay::step(connection, now))).await
    }

    async fn step_fanout(&self, now: Timestamp) -> Result<Stepped, StoreError> {
        self.inner.writer.run(move |connection| Box::pin(fanout::step(connection, now))).await
    }

    async fn step_expiry(&self, before: Timestamp, now: Timestamp) -> Result<Stepped, StoreError> {
        self.inner.writer.run(move |connection| Box::pin(retention::expire(connection, before, now))).await
    }

    async fn step_retention(&self, before: Timestamp) -> Result<Stepped, StoreError> {
        self.inner.writer.run(move |connection| Box::pin(retention::delete(connection, before))).await
    }
}

#[cfg(test)]
pub(crate) fn statements() -> Vec<&'static str> {
    let mut all = retention::DELETES.to_vec();
    all.push(replay::AFTER.as_str());
    all
}
