//! Promises of [`crate::Record`].

use super::world::{attempt, key, new_host, record_all};
use super::{Core, START, World};
use crate::record::{Change, RecordAnswer, Recording};
use crate::work::Command;
use crate::{Store, StoreError};
use bytes::Bytes;
use railhead_model::{AttemptKey, DeliveryState, End, OutcomeClass};

/// A retry updates the row: due, attempts, tries, since, rev.
pub async fn a_retry_waits_again<S: Core>(store: &S) {
    let world = World::new(store, 1).await;
    world.publish(store, START, 1).await;
    let row = world.waiting(store, world.to()).await[0];
    let due = START.plus_ms(5_000);
    let answers = store.record(world.host, &[world.retry(&row, due)]).await.expect("a recording");
    let after = world.waiting(store, world.to()).await[0];
    assert_eq!(answers, [RecordAnswer::Applied(after.rev)], "the answer carries the new rev");
    assert_ne!(after.rev, row.rev, "every change changes the rev");
    assert_eq!((after.due, after.attempts, after.tries), (due, 1, 1), "a retry waits again, one attempt used");
    assert_eq!(after.since, Some(START), "the start of the first attempt is kept");
    let second = world.recording(
        &after,
        Change::Retry { due: due.plus_ms(1), attempts: 1, since: START },
        Some(attempt(2, OutcomeClass::Throttled, "throttled")),
    );
    record_all(store, world.host, &[second]).await;
    let last = world.waiting(store, world.to()).await[0];
    assert_eq!((last.attempts, last.tries), (1, 2), "an attempt that costs nothing counts among the tries alone");
}

/// An end takes the row from the queue, for good.
pub async fn an_end_leaves_the_queue<S: Core>(store: &S) {
    let world = World::new(store, 1).await;
    world.publish(store, START, 4).await;
    let rows = world.waiting(store, world.to()).await;
    let ends = [End::Delivered, End::Dead, End::Expired, End::Cancelled];
    let mut batch: Vec<_> = rows.iter().zip(ends).map(|(row, end)| world.end(row, end, "code", START)).collect();
    batch[2].attempt = None; // expired without an attempt
    record_all(store, world.host, &batch).await;
    assert_eq!(world.waiting(store, world.to()).await, [], "an ended delivery waits no longer");
}

/// A recording of a rev that is not the present one changes nothing of the state.
pub async fn another_rev_is_refused<S: Core>(store: &S) {
    let world = World::new(store, 1).await;
    world.publish(store, START, 1).await;
    let old = world.waiting(store, world.to()).await[0];
    record_all(store, world.host, &[world.retry(&old, START.plus_ms(1_000))]).await;
    let present = world.waiting(store, world.to()).await[0];
    let late = world.end(&old, End::Delivered, "http-200", START);
    let answers = store.record(world.host, &[late]).await.expect("a batch");
    assert_eq!(answers, [RecordAnswer::Refused], "a row that changed since it was loaded refuses the record");
    assert_eq!(world.waiting(store, world.to()).await, [present], "a refused record changes no state");
}

/// A host that was fenced, or never joined, writes nothing at all.
pub async fn a_fenced_host_writes_nothing<S: Core>(store: &S) {
    let world = World::new(store, 1).await;
    world.publish(store, START, 2).await;
    let before = world.waiting(store, world.to()).await;
    let batch = [world.end(&before[0], End::Delivered, "http-200", START), world.retry(&before[1], START)];
    let answer = store.record(new_host(), &batch).await;
    assert_eq!(answer, Err(StoreError::Fenced), "a host that never joined is refused");
    assert_eq!(world.waiting(store, world.to()).await, before, "a refused host writes nothing");
}

/// The same batch again, after an unknown outcome, finds its own changes and does nothing twice.
pub async fn an_unknown_outcome_may_be_sent_again<S: Core>(store: &S) {
    let world = World::new(store, 1).await;
    world.publish(store, START, 2).await;
    let rows = world.waiting(store, world.to()).await;
    let batch = [world.retry(&rows[0], START.plus_ms(9_000)), world.end(&rows[1], End::Dead, "http-410", START)];
    record_all(store, world.host, &batch).await;
    let after = world.waiting(store, world.to()).await;
    let again = store.record(world.host, &batch).await.expect("a batch");
    assert_eq!(again, [RecordAnswer::Refused; 2], "a batch that is sent again finds its own changes");
    assert_eq!(world.waiting(store, world.to()).await, after, "a batch that is sent again changes nothing");
}

/// Answers stand in the order of the batch, whatever order the store works in.
pub async fn answers_come_in_order<S: Core>(store: &S) {
    let world = World::new(store, 2).await;
    world.publish(store, START, 40).await;
    let mut rows = world.waiting(store, world.destinations[1]).await;
    rows.extend(world.waiting(store, world.destinations[0]).await);
    rows.reverse();
    let mut batch = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let mut recording =
            if index % 2 == 0 { world.retry(row, START) } else { world.end(row, End::Delivered, "http-200", START) };
        recording.rev += u32::from(index % 3 == 0); // a rev that is not there
        batch.push(recording);
    }
    let answers = store.record(world.host, &batch).await.expect("a batch");
    for (index, answer) in answers.iter().enumerate() {
        let refused = *answer == RecordAnswer::Refused;
        assert_eq!(refused, index % 3 == 0, "answer {index} belongs to recording {index}");
    }
    let left = world.waiting(store, world.destinations[0]).await.len()
        + world.waiting(store, world.destinations[1]).await.len();
    let ended = (0..rows.len()).filter(|index| index % 2 == 1 && index % 3 != 0).count();
    assert_eq!(left, rows.len() - ended, "exactly what was applied as an end has left the queue");
}

/// Every attempt is on record with its transcript, the last one too.
pub async fn attempts_are_on_record<S: Store>(store: &S) {
    let world = World::new(store, 1).await;
    let event = &world.publish(store, START, 1).await[0];
    let key = key(event, world.to());
    for n in 1..=3 {
        let row = world.waiting(store, world.to()).await[0];
        record_all(store, world.host, &[world.retry(&row, START)]).await;
        let found = store.attempts(world.tenant.no, key).await.expect("a read");
        assert_eq!(found.len(), n, "an unfinished delivery's attempts are on record");
    }
    let shown = store.delivery(world.tenant.no, key).await.expect("a read").expect("a delivery");
    assert_eq!((shown.state, shown.tries), (DeliveryState::Retrying, 3), "a tried delivery is retrying");
    assert_eq!(shown.code, "http-503", "a retrying delivery shows its last attempt's code");
    let row = world.waiting(store, world.to()).await[0];
    let end = world.end(&row, End::Dead, "http-410", START.plus_ms(77));
    record_all(store, world.host, std::slice::from_ref(&end)).await;
    let found = store.attempts(world.tenant.no, key).await.expect("a read");
    let numbers: Vec<_> = found.iter().map(|row| row.attempt.n).collect();
    assert_eq!(numbers, [1, 2, 3, 4], "attempts are listed by n, the last one included");
    assert_eq!(Some(&found[3].attempt), end.attempt.as_ref(), "an attempt comes back as it was recorded");
    assert_eq!(found[3].transcript, end.transcript, "an attempt keeps its transcript");
    let shown = store.delivery(world.tenant.no, key).await.expect("a read").expect("a delivery");
    assert_eq!((shown.state, shown.code.as_str()), (DeliveryState::Dead, "http-410"), "an end and its code are shown");
    assert_eq!((shown.attempts, shown.tries), (4, 4), "attempts and tries are kept at the end");
    assert_eq!(shown.ended_at, Some(START.plus_ms(77)), "the time of the end is kept");
    assert_eq!(shown.last_attempt, end.attempt, "the last attempt is shown");
}

/// A transcript that several attempts share is kept once: each of them shows it, and a later one of the same key does
/// not replace it. The one that is refused shows it too.
pub async fn a_shared_transcript_is_kept_once<S: Store>(store: &S) {
    let world = World::new(store, 1).await;
    let events = world.publish(store, START, 5).await;
    let rows = world.waiting(store, world.to()).await;
    let owner = AttemptKey { delivery: rows[1].key, n: 1 << 30 };
    let share = |mut recording: Recording, text: &'static str| {
        recording.transcript = Some(Bytes::from_static(text.as_bytes()));
        recording.owner = Some(owner);
        recording
    };
    store.command(rows[2].key, Command::RetryNow, START.plus_ms(5)).await.expect("a command");
    let batch = [
        share(world.end(&rows[0], End::Delivered, "http-200", START), "what all saw"),
        share(world.retry(&rows[1], START), "what all saw"),
        share(world.retry(&rows[2], START), "what all saw"),
        world.end(&rows[3], End::Delivered, "http-200", START),
    ];
    let answers = store.record(world.host, &batch).await.expect("a batch");
    assert_eq!(answers[2], RecordAnswer::Refused, "the third changed meanwhile");
    let late = share(world.end(&rows[4], End::Dead, "http-413", START), "something else");
    record_all(store, world.host, &[late]).await;
    for index in [0, 1, 2, 4] {
        let found = store.attempts(world.tenant.no, key(&events[index], world.to())).await.expect("a read");
        assert_eq!(found.len(), 1, "every attempt is on record");
        assert_eq!(found[0].owner, Some(owner), "an attempt says what its transcript is sealed for");
        let shown = found[0].transcript.as_deref();
        assert_eq!(shown, Some(&b"what all saw"[..]), "a shared transcript is kept as it was first stored");
    }
    let alone = store.attempts(world.tenant.no, key(&events[3], world.to())).await.expect("a read").remove(0);
    assert_eq!((alone.owner, alone.transcript), (None, batch[3].transcript.clone()), "others keep their own");
}

/// An attempt whose record was refused is on record, and its number is not given again.
pub async fn a_refused_attempt_is_on_record<S: Store>(store: &S) {
    let world = World::new(store, 1).await;
    let event = &world.publish(store, START, 1).await[0];
    let key = key(event, world.to());
    let row = world.waiting(store, world.to()).await[0];
    store.command(key, Command::RetryNow, START.plus_ms(5)).await.expect("a command");
    let answers = store.record(world.host, &[world.retry(&row, START.plus_ms(60_000))]).await.expect("a batch");
    assert_eq!(answers, [RecordAnswer::Refused], "a command between load and record refuses the record");
    let found = store.attempts(world.tenant.no, key).await.expect("a read");
    assert_eq!(found.len(), 1, "a refused attempt is on record");
    let after = world.waiting(store, world.to()).await[0];
    assert_eq!((after.due, after.attempts), (START.plus_ms(5), 0), "a refused record changes no state");
    assert_eq!(after.tries, 1, "the number of an attempt on record is not given again");
    store.command(key, Command::Cancel, START.plus_ms(9)).await.expect("a command");
    let mut late = world.end(&after, End::Delivered, "http-200", START);
    late.attempt = Some(attempt(2, OutcomeClass::Delivered, "http-200"));
    let answers = store.record(world.host, &[late]).await.expect("a batch");
    assert_eq!(answers, [RecordAnswer::Refused], "an ended delivery refuses the record");
    let found = store.attempts(world.tenant.no, key).await.expect("a read");
    assert_eq!(found.len(), 2, "an attempt that came after the end is on record");
    let shown = store.delivery(world.tenant.no, key).await.expect("a read").expect("a delivery");
    assert_eq!(shown.state, DeliveryState::Cancelled, "the first end stays");
}
