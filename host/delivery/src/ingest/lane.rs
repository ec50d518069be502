//! The accept lane: one task that owns all accept commits.

mod batch;
mod patient;

use super::admission::{Admission, Bounds, Ticket};
use super::gather::{Decision, Gather};
use super::prepare::Prepared;
use crate::draft::Overloaded;
use crate::measures;
use crate::options::Options;
use crate::running::Shared;
use batch::{Batch, Locks};
use patient::Patient;
use railhead_model::TenantNo;
use railhead_store::Accepted;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// What one caller sent: all of it goes into one commit.
struct Group {
    events: Vec<Prepared>,
    /// Its room in the queue, until it is answered.
    ticket: Ticket,
    reply: oneshot::Sender<Vec<One>>,
}

/// The answer to one event: whatever becomes of others that came with it.
pub(crate) type One = Result<Accepted, Overloaded>;

enum Message {
    Group(Group),
    /// Of a tenant that was busy again and again: waits for it, beside the commits of all others.
    Patient(TenantNo, Group),
    /// Answered once nothing waits and no commit runs.
    Flush(oneshot::Sender<()>),
}

/// The callers' end of the lane.
pub(crate) struct AcceptLane {
    /// Unbounded, because whatever goes in holds a [`Ticket`].
    to: mpsc::UnboundedSender<Message>,
    /// The door.
    pub admission: Arc<Admission>,
}

/// The task's end, until it is spawned.
pub(crate) struct AcceptQueue {
    from: mpsc::UnboundedReceiver<Message>,
}

pub(crate) fn new(options: &Options) -> (AcceptLane, AcceptQueue) {
    let (to, from) = mpsc::unbounded_channel();
    let admission = Admission::new(Bounds {
        bytes: options.accept_queue_bytes,
        wait_ms: options.accept_wait_ms,
        batch: options.accept_batch,
    });
    (AcceptLane { to, admission }, AcceptQueue { from })
}

impl AcceptLane {
    /// Hands events over for one commit; the answers come in their order. `alone`: they are this tenant's, and wait for a
    /// write of its configuration. `None`: the lane is closed.
    pub fn send(
        &self,
        events: Vec<Prepared>,
        ticket: Ticket,
        alone: Option<TenantNo>,
    ) -> Option<oneshot::Receiver<Vec<One>>> {
        let (reply, answer) = oneshot::channel();
        let group = Group { events, ticket, reply };
        let message = match alone {
            Some(tenant) => Message::Patient(tenant, group),
            None => Message::Group(group),
        };
        self.to.send(message).ok()?;
        Some(answer)
    }

    /// Waits until all that was sent so far has its answer.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.to.send(Message::Flush(done)).is_ok() {
            let _ = flushed.await; // an error says that the lane is gone, and with it what waited
        }
    }
}

impl AcceptQueue {
    /// Runs the lane until every handle on it is gone.
    pub async fn run(mut self, shared: Arc<Shared>) {
        let mut queue = VecDeque::new();
        let mut flushes = Vec::new();
        let mut commits = JoinSet::new();
        let mut patient = Patient::default();
        let mut gather = Gather::new(shared.options.accept_gather_ms);
        let mut came = Vec::new();
        let mut queued = 0;
        loop {
            patient.start(&shared);
            let now = shared.clock.monotonic_ms();
            let wait = match gather.decide(now, queued, commits.len()) {
                Decision::Commit => {
                    let batch = take(&mut queue, shared.options.accept_batch);
                    queued -= batch.iter().map(|group: &Group| group.events.len()).sum::<usize>();
                    gather.taken(now, queued);
                    commits.spawn(commit(Arc::clone(&shared), batch));
                    continue;
                }
                Decision::WaitUntil(until) => Some(Duration::from_millis(until.saturating_sub(now))),
                Decision::Wait => None,
            };
            if queued == 0 && commits.is_empty() && patient.is_idle() {
                for done in flushes.drain(..) {
                    let _: Result<(), ()> = oneshot::Sender::send(done, ()); // whoever asked may have given up
                }
            }
            tokio::select! {
                n = self.from.recv_many(&mut came, 256) => if n == 0 { break },
                Some(_) = commits.join_next() => {}
                () = patient.ended(), if patient.is_running() => {}
                () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
            }
            let now = shared.clock.monotonic_ms();
            for message in came.drain(..) {
                match message {
                    Message::Group(group) => {
                        queued += group.events.len();
                        gather.arrived(now, group.events.len());
                        queue.push_back(group);
                    }
                    Message::Patient(tenant, group) => patient.came(tenant, group),
                    Message::Flush(done) => flushes.push(done),
                }
            }
        }
    }
}

/// Whole groups up to `most` events, and at least one group.
fn take(queue: &mut VecDeque<Group>, most: usize) -> Vec<Group> {
    let mut batch = Vec::new();
    let mut events = 0;
    while let Some(group) = queue.pop_front() {
        events += group.events.len();
        if events > most && !batch.is_empty() {
            queue.push_front(group);
            break;
        }
        batch.push(group);
    }
    batch
}

async fn commit(shared: Arc<Shared>, groups: Vec<Group>) {
    let admission = &shared.accept.admission;
    let batch = Batch::new(groups);
    let no = admission.began(shared.clock.monotonic_ms());
    let answers = batch.store(&shared, Locks::Skip).await;
    let took_ms = admission.ended(no, shared.clock.monotonic_ms());
    metrics::histogram!(measures::COMMIT_SECONDS, "lane" => "accept").record(took_ms as f64 / 1_000.0);
    batch.answer(&shared, answers);
}
