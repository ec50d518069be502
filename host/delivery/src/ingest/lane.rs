//! The accept lane: one task that owns all accept commits.

use super::admission::{Admission, Bounds, Load, Ticket};
use super::gather::{Decision, Gather};
use super::prepare::Prepared;
use crate::draft::Overloaded;
use crate::measures;
use crate::options::Options;
use crate::running::Shared;
use railhead_store::{Accepted, NewEvent, StoreError};
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
    reply: oneshot::Sender<Answer>,
}

type Answer = Result<Vec<Accepted>, Overloaded>;
type One = Result<Accepted, Overloaded>;

enum Message {
    Group(Group),
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
    admission: Arc<Admission>,
}

pub(crate) fn new(options: &Options) -> (AcceptLane, AcceptQueue) {
    let (to, from) = mpsc::unbounded_channel();
    let admission = Admission::new(Bounds {
        bytes: options.accept_queue_bytes,
        wait_ms: options.accept_wait_ms,
        batch: options.accept_batch,
    });
    (AcceptLane { to, admission: Arc::clone(&admission) }, AcceptQueue { from, admission })
}

impl AcceptLane {
    /// Hands events over for one commit; the answer comes in their order. `None`: the lane is closed.
    pub fn send(&self, events: Vec<Prepared>, ticket: Ticket) -> Option<oneshot::Receiver<Answer>> {
        let (reply, answer) = oneshot::channel();
        self.to.send(Message::Group(Group { events, ticket, reply })).ok()?;
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
        let mut gather = Gather::new(shared.options.accept_gather_ms);
        let mut came = Vec::new();
        let mut queued = 0;
        loop {
            let now = shared.clock.monotonic_ms();
            let wait = match gather.decide(now, queued, commits.len()) {
                Decision::Commit => {
                    let batch = take(&mut queue, shared.options.accept_batch);
                    queued -= batch.iter().map(|group: &Group| group.events.len()).sum::<usize>();
                    gather.taken(now, queued);
                    commits.spawn(commit(Arc::clone(&shared), batch, Arc::clone(&self.admission)));
                    continue;
                }
                Decision::WaitUntil(until) => Some(Duration::from_millis(until.saturating_sub(now))),
                Decision::Wait => None,
            };
            if queued == 0 && commits.is_empty() {
                for done in flushes.drain(..) {
                    let _: Result<(), ()> = oneshot::Sender::send(done, ()); // whoever asked may have given up
                }
            }
            tokio::select! {
                n = self.from.recv_many(&mut came, 256) => if n == 0 { break },
                Some(_) = commits.join_next() => {}
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

async fn commit(shared: Arc<Shared>, groups: Vec<Group>, admission: Arc<Admission>) {
    let mut news = Vec::with_capacity(groups.len());
    let mut opened = Vec::with_capacity(groups.len());
    let mut waiting = Vec::with_capacity(groups.len());
    for group in groups {
        waiting.push((group.events.len(), group.ticket, group.reply));
        for prepared in group.events {
            news.push(prepared.new);
            opened.push(prepared.event);
        }
    }
    let no = admission.began(shared.clock.monotonic_ms());
    let answers = store(&shared, &news).await;
    let took_ms = admission.ended(no, shared.clock.monotonic_ms());
    metrics::histogram!(measures::COMMIT_SECONDS, "lane" => "accept").record(took_ms as f64 / 1_000.0);
    let is_stored = |answer: &One| *answer == Ok(Accepted::Stored);
    let stored = news.iter().zip(&opened).zip(&answers).filter(|(_, answer)| is_stored(answer));
    shared.stored(stored.map(|(event, _)| event));
    let mut answers = answers.into_iter();
    for (events, ticket, reply) in waiting {
        drop(ticket);
        let mine: Vec<One> = answers.by_ref().take(events).collect();
        let _ = reply.send(mine.into_iter().collect()); // a caller that left is no reason to stop
    }
    let Load { events, bytes } = admission.load();
    metrics::gauge!(measures::ACCEPT_QUEUE_EVENTS).set(events as f64);
    metrics::gauge!(measures::ACCEPT_QUEUE_BYTES).set(bytes as f64);
}

/// Delays before a commit that could not be done is tried again; after the last one the callers are told.
const RETRY_MS: [u64; 4] = [10, 50, 150, 400];
/// How often a commit of unknown outcome is sent again, a quarter of a second apart.
const REPEATS: usize = 40;

/// Sends the same batch until its outcome is known, or the store has been away for too long. A batch that fails on its
/// data is halved until the culprit is alone: what came with it is stored.
async fn store(shared: &Shared, batch: &[NewEvent]) -> Vec<One> {
    match repeat(shared, batch).await {
        Ok(answers) => answers.into_iter().map(Ok).collect(),
        Err(error) if !error.is_retryable() && batch.len() > 1 => {
            let (left, right) = batch.split_at(batch.len() / 2);
            let mut answers = Box::pin(store(shared, left)).await;
            answers.extend(Box::pin(store(shared, right)).await);
            answers
        }
        Err(error) => {
            tracing::error!(%error, events = batch.len(), "events could not be stored; their publishers are told");
            vec![Err(Overloaded::Unavailable(error.to_string())); batch.len()]
        }
    }
}

async fn repeat(shared: &Shared, batch: &[NewEvent]) -> Result<Vec<Accepted>, StoreError> {
    let mut delays = RETRY_MS.iter().copied();
    let mut repeats = std::iter::repeat_n(250, REPEATS);
    loop {
        let error = match shared.store.accept(batch).await {
            Ok(answers) if answers.len() == batch.len() => return Ok(answers),
            Ok(_) => return Err(StoreError::Damaged("an accept was answered for other events".into())),
            Err(error) => error,
        };
        let delay = match &error {
            StoreError::Unavailable(_) => delays.next(),
            StoreError::Unknown(_) => repeats.next(),
            _ => None,
        };
        let Some(ms) = delay else { return Err(error) };
        tracing::warn!(%error, events = batch.len(), "an accept commit is sent again");
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}
