//! Room for sessions: so many on the host, and of them so many of one tenant.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A tenant holds at most one in so many places of the pool.
const TENANT_SHARE: u32 = 10;

/// All room that there is.
pub(super) struct Places {
    host: Arc<Room>,
    tenants: Mutex<HashMap<i64, Arc<Room>>>,
    all: usize,
    per_tenant: usize,
}

/// Places, and who waits for one.
pub(super) struct Room {
    free: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// The right to one session.
pub(crate) struct Place {
    pub(super) _of_host: OwnedSemaphorePermit,
    pub(super) _of_tenant: OwnedSemaphorePermit,
}

impl Places {
    pub fn new(places: u32) -> Self {
        let number = |places: u32| usize::try_from(places.max(1)).unwrap_or(1);
        let (all, per_tenant) = (number(places), number(places / TENANT_SHARE));
        Self { host: Room::new(all), tenants: Mutex::default(), all, per_tenant }
    }

    pub fn host(&self) -> &Room {
        &self.host
    }

    /// The room of a tenant.
    pub fn of(&self, tenant: i64) -> Arc<Room> {
        self.tenants().entry(tenant).or_insert_with(|| Room::new(self.per_tenant)).clone()
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.all.saturating_sub(self.host.free.available_permits())
    }

    /// True if a session of this tenant had better make room than stay idle.
    pub fn are_wanted(&self, of_tenant: &Room) -> bool {
        of_tenant.is_wanted() || self.host.is_wanted()
    }

    /// Forgets tenants without sessions.
    pub fn forget_unused(&self) {
        let all = self.per_tenant;
        self.tenants().retain(|_, room| room.free.available_permits() < all || Arc::strong_count(room) > 1);
    }

    fn tenants(&self) -> MutexGuard<'_, HashMap<i64, Arc<Room>>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    fn new(places: usize) -> Arc<Self> {
        Arc::new(Self { free: Arc::new(Semaphore::new(places)), waiting: AtomicUsize::new(0) })
    }

    /// A place; where none is free, `make_room` may free one, and whoever gives a session back sees that one is wanted.
    /// `None`: never, for the semaphore is never closed.
    pub async fn take(&self, make_room: impl FnOnce()) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = self.free.clone().try_acquire_owned() {
            return Some(permit);
        }
        // Before it looks for room: what becomes idle after that is seen by who puts it there.
        let _waiting = Waiting::of(&self.waiting);
        make_room();
        self.free.clone().acquire_owned().await.ok()
    }

    fn is_wanted(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }
}

/// Counts itself for as long as it is there.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn of(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
