//! The words of Railhead as types: no I/O, no async, no global clock.
//!
//! One word for one thing. What a word means is said on its type; what a type is called here, it is called in the
//! store, the API, the pages and the documents.

pub mod attempt;
pub mod delivery;
pub mod destination;
pub mod event;
pub mod ids;
pub mod manifest;
pub mod outcome;
pub mod random;
pub mod retry;
pub mod route;
pub mod time;

pub use attempt::{Attempt, BodyPart, Exchange, ExchangeRequest, ExchangeResponse, Header, Timings, Transcript};
pub use delivery::{DeliveryState, End, Origin};
pub use destination::{
    Batch, DestinationSpec, DestinationState, Fields, Jitter, Ordering, RateLimit, RetryPolicy, TransformRef,
};
pub use event::Event;
pub use ids::{
    AttemptKey, DeliveryKey, DestinationId, DestinationNo, EnvironmentNo, EventUid, HostId, IdError, JobId, KeyId,
    ShardNo, TenantId, TenantNo,
};
pub use manifest::Manifest;
pub use outcome::{Outcome, OutcomeClass, Reason};
pub use random::{Random, SystemRandom};
pub use route::{Route, Verdict};
pub use time::{Clock, SystemClock, Timestamp};
