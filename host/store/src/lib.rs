//! What the host needs of a database, in the host's words.
//!
//! The hot methods are *intents over batches*: one statement or transaction each, never a handle that is passed
//! outside. Every batch may be sent again after an unknown outcome: ids are minted before sending, so repeating is
//! harmless. Interactive units of work exist only for configuration ([`directory`]).
//!
//! Queue and history are different things: unfinished deliveries are [`work`] rows, the only rows that are updated or
//! deleted on the hot path; events, ended deliveries and attempts are written once.

pub mod accept;
pub mod directory;
pub mod error;
pub mod hints;
pub mod history;
pub mod jobs;
pub mod lease;
pub mod record;
pub mod work;

#[cfg(feature = "model")]
pub mod model;
#[cfg(feature = "suite")]
pub mod suite;

pub use accept::{Accept, Accepted, FirstEvent, NewEvent};
pub use directory::Directory;
pub use error::StoreError;
pub use hints::Hints;
pub use history::History;
pub use jobs::Jobs;
pub use lease::Leases;
pub use record::{Change, Record, RecordAnswer, Recording, Started};
pub use work::{Position, RefillAnswer, RefillAsk, StoredEvent, WorkRow, WorkStore};

/// A whole store: what `serve` needs.
pub trait Store: Accept + Record + WorkStore + Leases + Hints + Jobs + Directory + History {}
impl<T: Accept + Record + WorkStore + Leases + Hints + Jobs + Directory + History> Store for T {}
