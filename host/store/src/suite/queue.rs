//! Promises of [`crate::WorkStore::refill`].

use super::world::{accept_all, hash, record_all, refill};
use super::{Core, START, World};
use crate::work::{Position, RefillAsk};
use railhead_model::Ordering;

/// Without an order rows come by (due, event, run), what waits for later too, and pages follow each other.
pub async fn refill_goes_by_due_and_pages<S: Core>(store: &S) {
    let world = World::new(store, 2).await;
    world.publish(store, START, 30).await;
    let rows = world.waiting(store, world.to()).await;
    // Every third one waits again, some to the same time.
    let batch: Vec<_> = rows
        .iter()
        .step_by(3)
        .enumerate()
        .map(|(index, row)| world.retry(row, START.plus_ms(1_000 - (index as i64 % 4))))
        .collect();
    record_all(store, world.host, &batch).await;
    let all = world.waiting(store, world.to()).await;
    assert_eq!(all.len(), 30, "what waits for later comes too");
    let mut sorted = all.clone();
    sorted.sort_by_key(|row| (row.due, row.key.event, row.key.run));
    assert_eq!(all, sorted, "a refill is ordered by (due, event, run)");
    let mut paged = Vec::new();
    let mut after = None;
    loop {
        let ask = RefillAsk { destination: world.to(), ordered: false, after, limit: 7 };
        let page = refill(store, ask).await;
        let whole = page.len() == 7;
        after = page.last().map(|row| Position::Due(row.due, row.key.event, row.key.run)).or(after);
        paged.extend(page);
        if !whole {
            break;
        }
    }
    assert_eq!(paged, all, "pages follow each other without a gap or a repeat");
}

/// With an order rows come by seq, whatever their due times are.
pub async fn refill_goes_by_seq_and_pages<S: Core>(store: &S) {
    let world = World::with(store, 1, Ordering::Destination).await;
    for round in 0..5 {
        let mut batch = Vec::new();
        for index in 0..4 {
            let mut event = world.event(store, START.plus_ms(100 - round * 10 + index)).await;
            event.lanes = vec![(world.to(), hash(index as u64 % 2))];
            batch.push(event);
        }
        accept_all(store, &batch).await;
    }
    let ask = RefillAsk { destination: world.to(), ordered: true, after: None, limit: 100 };
    let first = refill(store, ask).await[0];
    record_all(store, world.host, &[world.retry(&first, START.plus_ms(999_999))]).await;
    let all = refill(store, ask).await;
    assert_eq!(all.len(), 20, "every row with a lane comes");
    assert!(all.windows(2).all(|pair| pair[0].seq < pair[1].seq), "an ordered refill goes by seq");
    assert_eq!(all[0].key, first.key, "a retry keeps its place in the order");
    assert_eq!((all[0].seq, all[0].lane), (first.seq, first.lane), "a retry keeps its seq and lane");
    let rest = refill(store, RefillAsk { after: Some(Position::Seq(all[6].seq)), limit: 5, ..ask }).await;
    assert_eq!(rest, all[7..12], "a page begins after its position and holds no more than asked");
}

/// Several asks are answered each, in order, the empty ones too.
pub async fn refill_answers_each_ask<S: Core>(store: &S) {
    let world = World::new(store, 3).await;
    world.publish(store, START, 3).await;
    let rows = world.waiting(store, world.destinations[1]).await;
    let batch: Vec<_> =
        rows.iter().map(|row| world.end(row, railhead_model::End::Delivered, "http-200", START)).collect();
    record_all(store, world.host, &batch).await;
    let ask =
        |index: usize, limit| RefillAsk { destination: world.destinations[index], ordered: false, after: None, limit };
    let answers = store.refill(&[ask(2, 2), ask(1, 5), ask(0, 5)]).await.expect("a refill");
    let found: Vec<_> = answers.iter().map(|answer| (answer.destination, answer.rows.len())).collect();
    let expected = [(world.destinations[2], 2), (world.destinations[1], 0), (world.destinations[0], 3)];
    assert_eq!(found, expected, "each ask has its answer, in order");
    assert_eq!(store.refill(&[]).await.expect("a refill"), [], "no ask, no answer");
}

/// A row carries the bytes of its event's payload, and keeps them when it waits again.
pub async fn rows_know_the_bytes_of_their_payloads<S: Core>(store: &S) {
    let world = World::new(store, 1).await;
    let mut events = [world.event(store, START).await, world.event(store, START.plus_ms(1)).await];
    events[0].payload_bytes = 70_000;
    accept_all(store, &events).await;
    let rows = world.waiting(store, world.to()).await;
    assert_eq!(rows.iter().map(|row| row.bytes).collect::<Vec<_>>(), [70_000, 9], "accept stores the bytes");
    record_all(store, world.host, &[world.retry(&rows[0], START)]).await;
    let row = world.row(store, rows[0].key).await.expect("the row");
    assert_eq!(row.bytes, 70_000, "a retry keeps them");
    world.end_all(store, world.to(), railhead_model::End::Dead, START).await;
    let again = store.redeliver(rows[0].key, railhead_model::Origin::Retry, START).await.expect("a new run");
    assert_eq!(world.row(store, again).await.expect("the new run").bytes, 70_000, "a new run has them too");
}
