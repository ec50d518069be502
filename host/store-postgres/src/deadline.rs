//! Client-side deadlines: the server's own time limits do not help where its answers do not arrive.

use crate::connect::PostgresStore;
use railhead_store::StoreError;
use std::time::Duration;

/// A call of the store on its way. It is boxed before it is wrapped: some are large, and would be copied for each layer.
pub trait Call<T>: Future<Output = Result<T, StoreError>> + Send {}
impl<T, F: Future<Output = Result<T, StoreError>> + Send> Call<T> for F {}

/// What a call that did not answer in time may have done.
#[derive(Clone, Copy)]
enum Late {
    /// Nothing: it reads.
    Nothing,
    /// Perhaps all of it.
    Perhaps,
}

/// The longest that dropping a day may take, in milliseconds; nobody waits for it.
const SLOW_MS: u64 = 120_000;

/// A statement about leases on a connection that went silent is given up after so long, in milliseconds: of a lease of 6 s
/// that is renewed every 2 s, enough is left to do it again on a new one.
const LEASE_MS: u64 = 1_500;

impl PostgresStore {
    /// A read of the engine.
    pub(crate) fn engine_read<T>(&self, call: impl Call<T>) -> impl Call<T> {
        within(self.limits().engine_call_ms, Late::Nothing, Box::pin(call))
    }

    /// A write of the engine: it is repeatable, and sent again after an unknown outcome.
    pub(crate) fn engine_write<T>(&self, call: impl Call<T>) -> impl Call<T> {
        within(self.limits().engine_call_ms, Late::Perhaps, Box::pin(call))
    }

    /// A write about a lease that runs, on [`PostgresStore::lease_line`].
    pub(crate) fn lease_write<T>(&self, call: impl Call<T>) -> impl Call<T> {
        within(LEASE_MS, Late::Perhaps, Box::pin(call))
    }

    /// Days that are dropped: with its locks, and files of many gigabytes.
    pub(crate) fn slow_write<T>(&self, call: impl Call<T>) -> impl Call<T> {
        within(SLOW_MS, Late::Perhaps, Box::pin(call))
    }

    /// A read for a person.
    pub(crate) fn desk_read<T>(&self, call: impl Call<T>) -> impl Call<T> {
        within(self.limits().desk_call_ms, Late::Nothing, Box::pin(call))
    }

    /// A write of configuration, or a step of a job.
    pub(crate) fn desk_write<T>(&self, call: impl Call<T>) -> impl Call<T> {
        within(self.limits().desk_call_ms, Late::Perhaps, Box::pin(call))
    }
}

/// A connection whose call was given up is left to [`crate::lent::Lent`].
async fn within<T>(ms: u64, late: Late, call: impl Call<T>) -> Result<T, StoreError> {
    tokio::time::timeout(Duration::from_millis(ms), call).await.unwrap_or_else(|_| {
        let words = format!("no answer within {ms} ms");
        Err(match late {
            Late::Nothing => StoreError::Unavailable(words),
            Late::Perhaps => StoreError::Unknown(words),
        })
    })
}
