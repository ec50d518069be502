//! Durable jobs: each step is one transaction that holds its job's row.

mod expiry;
mod fanout;
mod replay;

use crate::connect::PostgresStore;
use async_trait::async_trait;
use railhead_model::{JobId, TenantNo, Timestamp};
use railhead_store::StoreError;
use railhead_store::jobs::{Jobs, NewReplay, Replay, Stepped};

#[async_trait]
impl Jobs for PostgresStore {
    async fn start_replay(&self, replay: &NewReplay) -> Result<(), StoreError> {
        self.desk_write(replay::start(self, replay)).await
    }

    async fn replay(&self, tenant: TenantNo, id: JobId) -> Result<Option<Replay>, StoreError> {
        self.desk_read(replay::one(self, tenant, id)).await
    }

    async fn replays(&self, tenant: TenantNo, before: Option<JobId>, limit: u32) -> Result<Vec<Replay>, StoreError> {
        self.desk_read(replay::list(self, tenant, before, limit)).await
    }

    async fn cancel_replay(&self, tenant: TenantNo, id: JobId, now: Timestamp) -> Result<bool, StoreError> {
        self.desk_write(replay::cancel(self, tenant, id, now)).await
    }

    async fn step_replay(&self, now: Timestamp) -> Result<Stepped, StoreError> {
        self.desk_write(replay::step(self, now)).await
    }

    async fn step_fanout(&self, now: Timestamp) -> Result<Stepped, StoreError> {
        self.desk_write(fanout::step(self, now)).await
    }

    async fn step_expiry(&self, before: Timestamp, now: Timestamp) -> Result<Stepped, StoreError> {
        self.desk_write(expiry::step(self, before, now)).await
    }

    async fn step_retention(&self, before: Timestamp) -> Result<Stepped, StoreError> {
        self.slow_write(expiry::retention(self, before)).await
    }
}
