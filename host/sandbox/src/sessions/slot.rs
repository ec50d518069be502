//! What one edition of a destination has: its sessions, and what they share.

use super::places::Room;
use crate::adapter::Cache;
use crate::session::Session;
use crate::target::{Edition, Scope};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;

/// A session that nobody uses goes after so long.
pub(super) const IDLE_MS: u64 = 30_000;

/// One edition of a destination.
pub(crate) struct Slot {
    pub(super) edition: Edition,
    pub(super) scope: Arc<Scope>,
    pub(super) cache: Arc<Cache>,
    /// As many as it may have sessions.
    pub(super) turns: Arc<Semaphore>,
    pub(super) max: u32,
    /// Its last call ran into the deadline: one session at a time until a call succeeds.
    pub(super) suspect: AtomicBool,
    pub(super) used_ms: AtomicU64,
    idle: Mutex<Idle>,
    /// Of its tenant.
    pub(super) room: Arc<Room>,
}

#[derive(Default)]
pub(super) struct Idle {
    pub(super) sessions: Vec<Session>,
    /// No session comes back any more.
    retired: bool,
}

impl Slot {
    pub(super) fn new(edition: Edition, scope: Arc<Scope>, room: Arc<Room>, now: u64) -> Self {
        let max = scope.connector.manifest.max_sessions.clamp(1, 64);
        Self {
            edition,
            scope,
            cache: Arc::default(),
            turns: Arc::new(Semaphore::new(usize::try_from(max).unwrap_or(1))),
            max,
            suspect: AtomicBool::new(false),
            used_ms: AtomicU64::new(now),
            idle: Mutex::default(),
            room,
        }
    }

    /// Keeps a session for the next call; gives it back if none comes.
    pub(super) fn put(&self, session: Session) -> Option<Session> {
        let mut idle = self.idle();
        if idle.retired {
            return Some(session);
        }
        idle.sessions.push(session);
        None
    }

    pub(super) fn retire(&self) -> Vec<Session> {
        let mut idle = self.idle();
        idle.retired = true;
        std::mem::take(&mut idle.sessions)
    }

    pub(super) fn expired(&self, now: u64) -> Vec<Session> {
        let old = |session: &mut Session| now.saturating_sub(session.used_ms) >= IDLE_MS;
        self.idle().sessions.extract_if(.., old).collect()
    }

    pub(super) fn wants_idle(&self, now: u64) -> Option<Session> {
        self.idle().sessions.extract_if(.., |session| session.idle_at_ms.is_some_and(|at| at <= now)).next()
    }

    pub(super) fn oldest_ms(&self) -> Option<u64> {
        self.idle().sessions.iter().map(|session| session.used_ms).min()
    }

    pub(super) fn take_oldest(&self) -> Vec<Session> {
        let mut idle = self.idle();
        let oldest = idle.sessions.iter().map(|session| session.used_ms).min();
        let session = idle.sessions.extract_if(.., |session| Some(session.used_ms) == oldest).next();
        session.into_iter().collect()
    }

    pub(super) fn is_unused(&self, now: u64) -> bool {
        let free = self.turns.available_permits() == usize::try_from(self.max).unwrap_or(1);
        free && self.idle().sessions.is_empty() && now.saturating_sub(self.used_ms.load(Ordering::Relaxed)) >= IDLE_MS
    }

    pub(super) fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
