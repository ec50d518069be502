//! Joins, renews, takes over and gives away.

use super::giving::Giving;
use super::loader::{self, Wanted};
use super::own_ms;
use crate::core::Input;
use crate::driver::{Cleared, Message};
use crate::running::Shared;
use crate::{config, measures};
use railhead_model::ShardNo;
use railhead_store::StoreError;
use railhead_store::lease::Owned;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// After a renewal that failed: three more fit into what is left of the lease.
const AGAIN_MS: u64 = 500;
/// Another host's lease is looked at so long after it ended, in milliseconds: clocks are read in whole ones.
const AFTER_MS: u64 = 20;
/// News and cleared shards gather for so long: hosts release many at once.
const GATHER: Duration = Duration::from_millis(25);

/// See the module.
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    wanted: watch::Sender<Wanted>,
    loads: watch::Receiver<Wanted>,
    giving: Giving,
    suspects: Vec<ShardNo>,
    cleared: mpsc::UnboundedReceiver<ShardNo>,
    clear: mpsc::UnboundedSender<ShardNo>,
    /// When the database is asked next, on the monotonic clock.
    next_ms: u64,
}

impl Keeper {
    /// Makes this host known and takes what is free.
    ///
    /// # Errors
    /// Of the store.
    pub async fn join(shared: &Arc<Shared>) -> Result<Self, StoreError> {
        let before_ms = shared.clock.monotonic_ms();
        shared.store.join(shared.host, shared.clock.now()).await?;
        let (wanted, loads) = watch::channel(Wanted::default());
        let (clear, cleared) = mpsc::unbounded_channel();
        let (giving, suspects) = (Giving::default(), Vec::new());
        let mut keeper =
            Self { shared: Arc::clone(shared), wanted, loads, giving, suspects, cleared, clear, next_ms: 0 };
        // The lease runs from the joining.
        let owned = match shared.store.take_over(shared.host, shared.clock.now()).await {
            Err(error) if error.is_retryable() => {
                tracing::warn!(%error, "no shards could be taken over yet; it is tried again");
                Owned::default()
            }
            answer => answer?,
        };
        tracing::info!(host = %shared.host, shards = owned.shards.len(), "joined");
        keeper.hold(before_ms, &owned);
        // Those that have more than their share now need not find it out.
        shared.outbox.shards();
        Ok(keeper)
    }

    /// Loads what is owned, and keeps the lease until the task is ended or the host is fenced.
    pub async fn run(mut self) {
        // Loading many destinations must not keep the lease from being renewed.
        let mut loading = tokio::task::JoinSet::new();
        loading.spawn(loader::run(Arc::clone(&self.shared), self.loads.clone()));
        let shared = Arc::clone(&self.shared);
        loop {
            let wake_ms = self.giving.next_ms().map_or(self.next_ms, |at| at.min(self.next_ms));
            let wait = wake_ms.saturating_sub(shared.clock.monotonic_ms());
            let asked = tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(wait)) => false,
                () = shared.lease.news.notified() => {
                    tokio::time::sleep(GATHER).await;
                    true
                }
                cleared = self.cleared.recv() => {
                    cleared.into_iter().for_each(|shard| self.giving.cleared(shard));
                    tokio::time::sleep(GATHER).await;
                    false
                }
            };
            while let Ok(shard) = self.cleared.try_recv() {
                self.giving.cleared(shard);
            }
            self.cut();
            // First: what is given back stays out of what runs here until it is certain, and can wait.
            let turn = match asked || self.next_ms <= shared.clock.monotonic_ms() {
                true => self.renew().await,
                false => Ok(()),
            };
            let turn = match turn {
                Ok(()) => self.release().await,
                failed => failed,
            };
            match turn {
                Ok(()) => {}
                Err(StoreError::Fenced) => return shared.fenced(),
                Err(error) => {
                    tracing::warn!(%error, "the lease could not be renewed, or shards not given back; it is tried again");
                    self.next_ms = shared.clock.monotonic_ms() + AGAIN_MS;
                }
            }
        }
    }

    /// Cuts what still runs at shards that are given away and had their time.
    fn cut(&mut self) {
        let late = self.giving.overdue(self.shared.clock.monotonic_ms());
        if !late.is_empty() {
            tracing::info!(
                shards = late.len(),
                "what still runs at shards that are given away is cut, and repeated there"
            );
            self.shared.input(Input::Cut(late));
        }
    }

    /// Gives back what has come to rest. Unless it worked for certain, it is done again.
    async fn release(&mut self) -> Result<(), StoreError> {
        let clear = self.giving.clear();
        if clear.is_empty() {
            return Ok(());
        }
        self.shared.store.release(self.shared.host, &clear).await?;
        self.giving.released(&clear);
        self.shared.outbox.shards();
        tracing::info!(shards = clear.len(), "shards were handed over");
        Ok(())
    }

    async fn renew(&mut self) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        let (before_ms, now) = (shared.clock.monotonic_ms(), shared.clock.now());
        self.next_ms = before_ms + shared.options.renew_ms;
        let mut owned = shared.store.renew(shared.host, now).await?;
        // The lease runs from the renewal, whatever becomes of the rest.
        self.hold(before_ms, &owned);
        if shared.is_accepting() && owned.wants_more() {
            owned = shared.store.take_over(shared.host, now).await?;
            self.hold(before_ms, &owned);
        }
        if let Some(next) = owned.next.filter(|_| shared.is_accepting()) {
            // Right after the next lease ends, unless that host renews: its shards wait for nobody's timer.
            let left = u64::try_from(next.since(owned.now)).unwrap_or(0).max(AFTER_MS);
            self.next_ms = self.next_ms.min(shared.clock.monotonic_ms() + left + AFTER_MS);
        }
        Ok(())
    }

    /// Takes up what is owned: the engine runs all of it but what is on its way to another host.
    fn hold(&mut self, before_ms: u64, owned: &Owned) {
        let shared = Arc::clone(&self.shared);
        let now_ms = shared.clock.monotonic_ms();
        let all: BTreeSet<ShardNo> = owned.shards.iter().map(|(no, _)| *no).collect();
        self.giving.keep(&all);
        let begun = match shared.is_accepting() {
            true => self.giving.begin(owned, now_ms, &shared.options),
            false => Vec::new(),
        };
        let mine: BTreeSet<ShardNo> = all.into_iter().filter(|no| !self.giving.has(*no)).collect();
        metrics::gauge!(measures::SHARDS).set(mine.len() as f64);
        let until_mono_ms = before_ms + own_ms(&shared.options);
        shared.lease.extend(until_mono_ms, mine.clone());
        self.suspect(&owned.suspects);
        let shards = mine.iter().copied().collect();
        shared.input(Input::Lease { host: shared.host, until_mono_ms, shards });
        if self.wanted.send_if_modified(|wanted| wanted.change(&mine)) {
            shared.fleet.outside(&mine).into_iter().for_each(|no| config::drop_destination(&shared, no));
        }
        for shard in begun {
            shared.tell(Message::Clear(Cleared { shard, tell: self.clear.clone() }));
        }
    }

    fn suspect(&mut self, suspects: &[ShardNo]) {
        if self.suspects != suspects {
            if !suspects.is_empty() {
                tracing::warn!(
                    shards = suspects.len(),
                    "hosts died again and again: destinations of these shards run one attempt at a time for a while"
                );
            }
            self.suspects = suspects.to_vec();
            self.shared.input(Input::Suspects(suspects.to_vec()));
        }
    }
}
