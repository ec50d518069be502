use super::ledger::{MAX_CALL_BYTES, MAX_EVENT_BYTES, MAX_EXCHANGES, size};
use super::*;
use railhead_model::event::Head;
use railhead_model::{BodyPart, ExchangeRequest, SystemClock};

fn event(n: u8) -> CallEvent {
    let event = Event {
        uid: EventUid::new(Timestamp(1), [n; 10]),
        id: n.to_string(),
        event_type: "a".to_owned(),
        accepted_at: Timestamp(1),
        head: Head::default(),
        data: bytes::Bytes::new(),
    };
    CallEvent { event: Arc::new(event), attempt: 1, traceparent: None }
}

/// A delivery of so many events, each shown so many exchanges of so many bytes: what the records of them hold.
fn records(events: u8, shown: usize, bytes: usize) -> Vec<Vec<Arc<Exchange>>> {
    let call =
        Call { batch_id: String::new(), batched: false, deadline_ms: 1, events: (0..events).map(event).collect() };
    let settled: Arc<Mutex<Vec<SettledEvent>>> = Arc::default();
    let keep = settled.clone();
    let settle: Settle = Arc::new(move |settled| keep.lock().unwrap().extend(settled));
    let running = Running::new(Purpose::Deliver, call, Arc::new(SystemClock::new()), Some(settle));
    for index in 0..u32::from(events) {
        for n in 0..shown {
            let body = vec![BodyPart::Text("x".repeat(bytes))];
            let request = ExchangeRequest { method: n.to_string(), body, body_bytes: 7, ..Default::default() };
            running.show(&[index, index], Exchange { request, ..Default::default() });
        }
    }
    running.finish(&Ended::Returned);
    let settled = std::mem::take(&mut *settled.lock().unwrap());
    settled.into_iter().map(|event| event.transcript.exchanges).collect()
}

#[test]
fn a_record_keeps_the_last_exchanges() {
    let many = records(1, 40, 1).remove(0);
    let kept: Vec<&str> = many.iter().map(|exchange| exchange.request.method.as_str()).collect();
    assert_eq!((kept.len(), kept.first(), kept.last()), (MAX_EXCHANGES, Some(&"24"), Some(&"39")));
    let large = records(1, 10, MAX_EVENT_BYTES / 2).remove(0);
    assert_eq!(large.len(), 2);
    let one = records(1, 3, MAX_EVENT_BYTES * 2).remove(0);
    assert_eq!(one.iter().map(|exchange| exchange.request.method.as_str()).collect::<Vec<_>>(), ["2"]);
}

#[test]
fn the_records_of_a_call_are_bounded_together() {
    let all = records(200, 4, 64 * 1024);
    let bytes: usize = all.iter().flatten().map(|exchange| size(exchange)).sum();
    assert!(bytes <= MAX_CALL_BYTES, "{bytes}");
    let last = all.last().and_then(|exchanges| exchanges.last()).unwrap();
    assert_eq!((last.request.method.as_str(), &last.request.body[..]), ("3", &[BodyPart::Omitted(7)][..]));
}
