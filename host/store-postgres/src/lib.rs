//! The store on PostgreSQL 15 or newer: many hosts, one database.
//!
//! Hot statements have pinned plans. The statistics of a queue table lie: it is empty at one moment and holds millions
//! of rows at the next. So engine connections plan without statistics (`enable_seqscan=off`, generic plans), and every
//! statement that touches `work` probes its indexes row by row (`unnest(…) CROSS JOIN LATERAL (…)`); `work` is never
//! joined with `unnest` plainly. A test looks at the plans.
//!
//! What people read of a tenant is read as a role that row-level security binds ([`reader`]).
//!
//! `event`, `delivery`, `attempt` and `transcript` are partitioned by the event's UTC day and dropped by the day.

mod accept;
mod connect;
mod deadline;
mod directory;
mod error;
mod hints;
mod history;
mod jobs;
mod lease;
mod lent;
mod migrate;
mod partition;
mod reader;
mod record;
mod rows;
mod schema_error;
mod start;
mod work;

pub use connect::{PostgresOptions, PostgresStore};
pub use migrate::{Migrated, Patience};
pub use schema_error::SchemaError;
