//! Drafts on their way: sent, and sent again, until each has its answer. None fails for what another one meets.

use super::admission::{Entered, Load, Ticket};
use super::lane::One;
use super::prepare::{self, Prepared};
use super::tables::{Table, TableError};
use crate::draft::{Draft, Overloaded, Published, Refusal};
use crate::running::Shared;
use futures::stream::{FuturesUnordered, StreamExt as _};
use railhead_model::{EnvironmentNo, EventUid, Origin, TenantNo};
use railhead_store::directory::Destination;
use railhead_store::{Accepted, FirstEvent};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a publisher waits at most. What was sent to the store by then may be stored all the same.
const PATIENCE: Duration = Duration::from_secs(25);
/// How often a draft is routed again because its tenant's configuration changed meanwhile.
const ROUTINGS: usize = 6;
/// Pauses before what met a write of its tenant's configuration is sent again, in milliseconds.
const PAUSES_MS: [u64; 5] = [10, 25, 50, 100, 200];
/// After the pauses it waits for that write, so often.
const WAITS: usize = 3;

/// What all drafts of one call have in common.
pub(super) struct Sending<'a> {
    pub shared: &'a Arc<Shared>,
    pub environment: EnvironmentNo,
    /// A test: goes to this destination alone, whatever routing says.
    pub only: Option<&'a Destination>,
}

/// A draft on its way: where its answer goes, and the uid that it keeps over all sendings.
pub(super) struct Open<'a> {
    index: usize,
    uid: EventUid,
    draft: &'a Draft,
    /// How often it was found stale, and how often its tenant was busy.
    stale: usize,
    busy: usize,
}

impl<'a> Open<'a> {
    pub const fn new(index: usize, uid: EventUid, draft: &'a Draft) -> Self {
        Self { index, uid, draft, stale: 0, busy: 0 }
    }

    /// It was sent with others often enough.
    const fn is_alone(&self) -> bool {
        self.busy > PAUSES_MS.len()
    }
}

/// A draft whose tenant is known, and how its events are routed.
type Routed<'a> = (Open<'a>, Arc<Table>);

/// A draft that was sent.
struct Sent<'a> {
    open: Open<'a>,
    table: Arc<Table>,
    digest: [u8; 16],
    deliveries: u32,
}

/// What is known so far, by index.
struct Answers(Vec<Option<Published>>);

impl Answers {
    fn set(&mut self, index: usize, answer: Published) {
        if let Some(slot) = self.0.get_mut(index) {
            *slot = Some(answer);
        }
    }

    fn all(self) -> Vec<Published> {
        let late = || Published::Unavailable("the store did not answer in time".into());
        self.0.into_iter().map(|answer| answer.unwrap_or_else(late)).collect()
    }
}

impl Sending<'_> {
    /// One answer for each draft, within [`PATIENCE`].
    ///
    /// # Errors
    /// [`Overloaded`]: nothing came in.
    pub async fn send(&self, open: Vec<Open<'_>>) -> Result<Vec<Published>, Overloaded> {
        let mut answers = Answers(vec![None; open.len()]);
        // Leaving cancels nothing: the lane owns what it was given.
        match tokio::time::timeout(PATIENCE, self.rounds(open, &mut answers)).await {
            Ok(done) => done?,
            Err(_) => tracing::warn!("publishers get no answer in time; what they sent may be stored all the same"),
        }
        Ok(answers.all())
    }

    async fn rounds(&self, open: Vec<Open<'_>>, answers: &mut Answers) -> Result<(), Overloaded> {
        let mut routed = self.look_up(open, answers).await;
        let ticket = self.enter(&mut routed, answers)?;
        let sent = self.commit(routed, ticket, None).await;
        let mut open = self.judge(sent, answers);
        while !open.is_empty() {
            pause(&open).await;
            let mut parts = BTreeMap::<_, Vec<_>>::new();
            for (one, table) in self.look_up(open, answers).await {
                let alone = one.is_alone().then_some(table.tenant.no);
                parts.entry(alone).or_default().push((one, table));
            }
            let commits = parts.into_iter().map(|(alone, routed)| {
                let ticket = self.shared.accept.admission.again(loads(&routed));
                self.commit(routed, ticket, alone)
            });
            // Each is judged when it is done: what was stored must not be told the end of another one's patience.
            let mut commits: FuturesUnordered<_> = commits.collect();
            open = Vec::new();
            while let Some(sent) = commits.next().await {
                open.extend(self.judge(sent, answers));
            }
        }
        Ok(())
    }

    /// The tables of the drafts' tenants; answers for those that have none.
    async fn look_up<'d>(&self, open: Vec<Open<'d>>, answers: &mut Answers) -> Vec<Routed<'d>> {
        let mut routed = Vec::with_capacity(open.len());
        for one in open {
            match self.shared.tables.get(self.environment, &one.draft.tenant).await {
                Ok(table) => routed.push((one, table)),
                Err(TableError::Unknown) => answers.set(one.index, Published::Refused(unknown_tenant(one.draft))),
                Err(TableError::Unavailable(why)) => answers.set(one.index, Published::Unavailable(why)),
            }
        }
        routed
    }

    /// Lets in what may come in; answers for tenants that are over their share.
    fn enter(&self, routed: &mut Vec<Routed<'_>>, answers: &mut Answers) -> Result<Ticket, Overloaded> {
        let Entered { ticket, over_share, retry_after_s } =
            self.shared.accept.admission.enter(self.shared.clock.monotonic_ms(), loads(routed))?;
        routed.retain(|(one, table)| {
            let is_in = !over_share.contains(&table.tenant.no);
            if !is_in {
                answers.set(one.index, Published::OverShare { retry_after_s });
            }
            is_in
        });
        Ok(ticket)
    }

    /// Routes, seals and commits.
    async fn commit<'d>(
        &self,
        routed: Vec<Routed<'d>>,
        ticket: Ticket,
        alone: Option<TenantNo>,
    ) -> Vec<(Sent<'d>, One)> {
        if routed.is_empty() {
            return Vec::new();
        }
        let (mut group, mut sent) = (Vec::with_capacity(routed.len()), Vec::with_capacity(routed.len()));
        for (open, table) in routed {
            let prepared = self.prepare(&open, &table);
            sent.push(Sent { open, table, digest: prepared.new.digest, deliveries: prepared.deliveries() });
            group.push(prepared);
            // Routing a long list takes time: other tasks get their turn between its events.
            tokio::task::coop::consume_budget().await;
        }
        let gone: One = Err(Overloaded::Unavailable("the host shuts down".into()));
        let answers = match self.shared.accept.send(group, ticket, alone) {
            Some(answer) => answer.await.unwrap_or_default(),
            None => Vec::new(),
        };
        let answers = answers.into_iter().chain(std::iter::repeat(gone));
        sent.into_iter().zip(answers).collect()
    }

    fn prepare(&self, open: &Open<'_>, table: &Table) -> Prepared {
        let mut prepared = prepare::prepare(open.draft, open.uid, table);
        if let Some(destination) = self.only {
            prepared.only(table, destination);
            prepared.new.origin = Origin::Test;
        }
        prepared
    }

    /// Answers for what is decided; the rest is sent again.
    fn judge<'d>(&self, sent: Vec<(Sent<'d>, One)>, answers: &mut Answers) -> Vec<Open<'d>> {
        let mut again = Vec::new();
        for (Sent { mut open, table, digest, deliveries }, accepted) in sent {
            let answer = match accepted {
                Ok(Accepted::Stored) => stored(&open, deliveries),
                Ok(Accepted::Duplicate(first)) => duplicate(first, digest),
                Ok(Accepted::Stale | Accepted::NoTenant) => {
                    self.shared.tables.outdated(self.environment, &table);
                    open.stale += 1;
                    if open.stale < ROUTINGS {
                        again.push(open);
                        continue;
                    }
                    Published::Unavailable("the tenant's configuration changes all the time".into())
                }
                Ok(Accepted::Busy) => {
                    open.busy += 1;
                    if open.busy <= PAUSES_MS.len() + WAITS {
                        again.push(open);
                        continue;
                    }
                    Published::Unavailable("the tenant's configuration is being written".into())
                }
                Err(Overloaded::OverShare { retry_after_s }) => Published::OverShare { retry_after_s },
                Err(Overloaded::Unavailable(why)) => Published::Unavailable(why),
                Err(error @ Overloaded::Busy { .. }) => Published::Unavailable(error.to_string()),
            };
            answers.set(open.index, answer);
        }
        again
    }
}

/// As long as the most patient of them waits.
async fn pause(open: &[Open<'_>]) {
    let of = |one: &Open<'_>| PAUSES_MS.get(one.busy.checked_sub(1)?).copied();
    if let Some(ms) = open.iter().filter_map(of).max() {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

fn loads(routed: &[Routed<'_>]) -> BTreeMap<TenantNo, Load> {
    let mut loads = BTreeMap::<_, Load>::new();
    for (one, table) in routed {
        let load = loads.entry(table.tenant.no).or_default();
        load.events += 1;
        load.bytes += prepare::room(one.draft, table);
    }
    loads
}

fn unknown_tenant(draft: &Draft) -> Refusal {
    Refusal {
        code: Refusal::UNKNOWN_TENANT,
        pointer: "/tenant",
        detail: format!("there is no tenant `{}` in this environment", draft.tenant),
    }
}

fn stored(open: &Open<'_>, deliveries: u32) -> Published {
    tracing::debug!(event = %open.uid, deliveries, "accepted");
    let id = open.draft.id.clone().unwrap_or_else(|| open.uid.to_string());
    Published::Accepted { uid: open.uid, id, deliveries }
}

fn duplicate(first: FirstEvent, digest: [u8; 16]) -> Published {
    if first.digest == digest {
        return Published::Duplicate { uid: first.uid, id: first.id, deliveries: first.deliveries };
    }
    let detail = format!("the id `{}` was used for another event ({}) with other content", first.id, first.uid);
    Published::Refused(Refusal { code: Refusal::EVENT_ID_CONFLICT, pointer: "/id", detail })
}
