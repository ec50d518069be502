use super::*;
use railhead_model::{Event, EventUid, Timestamp};

fn event(data: &'static str) -> CallEvent {
    let at = Timestamp(1_700_000_000_000);
    let event = Event {
        uid: EventUid::new(at, [1; 10]),
        id: "order-1".to_owned(),
        event_type: "order.created".to_owned(),
        accepted_at: at,
        head: railhead_model::event::Head::default(),
        data: Bytes::from_static(data.as_bytes()),
    };
    CallEvent { event: Arc::new(event), attempt: 1, traceparent: None }
}

fn told(body: &'static str, events: &[CallEvent]) -> Vec<String> {
    let parts = with_references(Bytes::from_static(body.as_bytes()), events);
    let told = |part: &Part| match part {
        Part::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Part::EventData(index, _) => format!("event {index}"),
        other => panic!("{other:?}"),
    };
    parts.iter().map(told).collect()
}

#[test]
fn event_data_in_a_body_is_referred_to() {
    let events = [event(r#"{"first":1}"#), event(r#"{"second":2}"#), event("{}")];
    let body = r#"[{"first":1},{"second":2},{}]"#;
    assert_eq!(told(body, &events), ["[", "event 0", ",", "event 1", ",{}]"]);
    assert_eq!(told(r#"{"second":2}"#, &events), ["event 1"]);
    assert_eq!(told(r#"{"second":3}"#, &events), [r#"{"second":3}"#]);
    assert_eq!(told("", &events), [""; 0]);
}

#[test]
fn a_content_length_is_that_of_the_body() {
    assert_eq!(check_length(b"3", 3).map_err(|failure| failure.code), Ok(()));
    for wrong in [&b"4"[..], b"", b"-3", b"3, 3", b"\xff"] {
        assert_eq!(check_length(wrong, 3).map_err(|failure| failure.code), Err("content-length".to_owned()));
    }
}
