//! Hints, on the model: a channel that all its clones share.

use super::ModelStore;
use crate::StoreError;
use crate::hints::{Hint, Hints, Listener, Notifier};
use async_trait::async_trait;
use railhead_model::HostId;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Notifications that a listener may be behind.
const BEHIND: usize = 256;

type Told = (HostId, Vec<Hint>);

/// The end that speaks, from which others are made.
#[derive(Clone, Debug)]
pub(super) struct Channel(broadcast::Sender<Told>);

impl Default for Channel {
    fn default() -> Self {
        Self(broadcast::Sender::new(BEHIND))
    }
}

struct Speaks(HostId, broadcast::Sender<Told>);

struct Hears {
    host: HostId,
    told: broadcast::Receiver<Told>,
    connected: bool,
}

impl Hints for ModelStore {
    fn notifier(&self, host: HostId) -> Box<dyn Notifier> {
        Box::new(Speaks(host, self.hints.0.clone()))
    }

    fn listener(&self, host: HostId) -> Box<dyn Listener> {
        Box::new(Hears { host, told: self.hints.0.subscribe(), connected: false })
    }
}

#[async_trait]
impl Notifier for Speaks {
    async fn notify(&mut self, hints: &[Hint]) -> Result<(), StoreError> {
        let _ = self.1.send((self.0, hints.to_vec())); // nobody may listen
        Ok(())
    }
}

#[async_trait]
impl Listener for Hears {
    async fn next(&mut self) -> Vec<Hint> {
        if !std::mem::replace(&mut self.connected, true) {
            return vec![Hint::All];
        }
        loop {
            match self.told.recv().await {
                Ok((host, hints)) if host != self.host && !hints.is_empty() => return hints,
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return vec![Hint::All],
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}
