//! Events of tenants that were busy again and again. They wait for their tenant, each tenant in a commit of its own and
//! beside those of all others, so that nobody starves and nobody else waits.

use super::batch::{Batch, Locks};
use super::{Group, take};
use crate::running::Shared;
use railhead_model::TenantNo;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Tenants that are waited for at once: each holds a connection.
const TENANTS: usize = 2;

/// See the module.
#[derive(Default)]
pub(super) struct Patient {
    waiting: VecDeque<(TenantNo, Group)>,
    /// Whose commits run.
    tenants: BTreeSet<TenantNo>,
    commits: JoinSet<TenantNo>,
}

impl Patient {
    pub fn came(&mut self, tenant: TenantNo, group: Group) {
        self.waiting.push_back((tenant, group));
    }

    /// Nothing waits, and no commit runs.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && !self.is_running()
    }

    pub fn is_running(&self) -> bool {
        !self.commits.is_empty()
    }

    /// Starts what may run: all that waits of one tenant goes together.
    pub fn start(&mut self, shared: &Arc<Shared>) {
        while self.tenants.len() < TENANTS {
            let next = self.waiting.iter().map(|(tenant, _)| *tenant).find(|tenant| !self.tenants.contains(tenant));
            let Some(tenant) = next else { return };
            let batch = self.take(tenant, shared.options.accept_batch);
            self.tenants.insert(tenant);
            let shared = Arc::clone(shared);
            self.commits.spawn(async move {
                let batch = Batch::new(batch);
                let answers = batch.store(&shared, Locks::Wait).await;
                batch.answer(&shared, answers);
                tenant
            });
        }
    }

    /// Comes back when a commit is over; at once if none runs.
    pub async fn ended(&mut self) {
        match self.commits.join_next().await {
            Some(Ok(tenant)) => _ = self.tenants.remove(&tenant),
            Some(Err(error)) => {
                tracing::error!(%error, "a commit of a busy tenant ended without an answer");
                self.tenants.clear();
            }
            None => {}
        }
    }

    fn take(&mut self, tenant: TenantNo, most: usize) -> Vec<Group> {
        let (mut theirs, mut others) = (VecDeque::new(), VecDeque::new());
        for (whose, group) in self.waiting.drain(..) {
            if whose == tenant { theirs.push_back(group) } else { others.push_back((whose, group)) }
        }
        let batch = take(&mut theirs, most);
        others.extend(theirs.into_iter().map(|group| (tenant, group)));
        self.waiting = others;
        batch
    }
}
