use super::*;
use crate::config::tests::config;

const ONE_TABLE: &str = r#"{"host": "h", "database": "d", "user": "u"}"#;
const PER_TYPE: &str = r#"{"host": "h", "database": "d", "user": "u", "table_per_event_type": true}"#;

fn event(uid: &str, event_type: &str, data: &[u8]) -> Event {
    Event {
        id: "ord_1".to_owned(),
        type_: event_type.to_owned(),
        source: "/shop".to_owned(),
        time: "2026-01-01T00:00:00Z".to_owned(),
        subject: Some("s".to_owned()),
        tenant: "acme".to_owned(),
        content_type: "application/json; charset=utf-8".to_owned(),
        attributes: vec![("railheaduid".to_owned(), uid.to_owned()), ("region".to_owned(), "eu".to_owned())],
        data: data.to_vec(),
    }
}

fn rows(events: &[Event]) -> Vec<Row<'_>> {
    (0..).zip(events).map(|(index, event)| Row::of(index, event, 1_767_225_600_123)).collect()
}

/// All pieces, with data as `<index>` and `{index}`.
fn flat(pieces: &[Piece]) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Piece::Data(index) => format!("<{index}>"),
        Piece::DataBase64(index) => format!("{{{index}}}"),
    };
    pieces.iter().map(piece).collect()
}

#[test]
fn events_are_grouped_by_table_and_sorted_by_id() {
    let events = [event("evt_2", "b", b"1"), event("evt_1", "a", b"1"), event("evt_1", "b", b"1")];
    let one = groups(&config(ONE_TABLE), rows(&events));
    assert_eq!(one.iter().map(Group::indexes).collect::<Vec<_>>(), [vec![1, 2, 0]]);
    let many = groups(&config(PER_TYPE), rows(&events));
    assert_eq!(many.iter().map(Group::indexes).collect::<Vec<_>>(), [vec![1], vec![2, 0]]);
}

#[test]
fn data_goes_as_it_is_and_only_the_host_touches_it() {
    let sent = |content_type: &str, data: &[u8]| {
        let events = [Event { content_type: content_type.to_owned(), ..event("evt_1", "t", data) }];
        flat(&transaction(&groups(&config(ONE_TABLE), rows(&events)), 1))
    };
    assert!(sent("application/json", br#"{"a":1}"#).contains("\u{1}<0>"));
    assert!(sent("application/cloudevents+json", b"1").contains("\u{1}<0>"));
    assert!(sent("text/plain", b"say").contains("\u{1}\"{0}\""));
    assert!(sent("application/json", b"{").contains("\u{1}\"{0}\""));
    let empty = sent("application/json", b"");
    assert!(!empty.contains("<0>") && !empty.contains("{0}"));
}

#[test]
fn metadata_are_those_of_every_table() {
    for (content_type, data) in [("application/json", "1"), ("text/plain", "x"), ("application/json", "")] {
        let event = Event { content_type: content_type.to_owned(), ..event("evt_1", "t", data.as_bytes()) };
        let own: Value = serde_json::from_str(&railhead_sdk::row::metadata(&event)).unwrap();
        assert_eq!(Row::of(0, &event, 0).metadata(), own);
    }
}

#[test]
fn a_transaction_tells_the_servers_time_and_ends_with_sync() {
    let events = [event("evt_1", "order.paid", b"1")];
    let sent = flat(&transaction(&groups(&config(PER_TYPE), rows(&events)), 4_000));
    let at = |text: &str| sent.find(text).unwrap_or_else(|| panic!("{text}: {sent}"));
    assert!(at("BEGIN") < at("SET LOCAL statement_timeout = 4000"));
    assert!(at("statement_timeout") < at("SET LOCAL client_min_messages = error"));
    assert!(at("client_min_messages") < at(r#"INSERT INTO "public"."order_paid" ("event_id","#));
    assert!(sent.ends_with("S\0\0\0\u{4}"));
}

#[test]
fn what_is_shown_has_no_data_and_few_rows() {
    let events: Vec<_> = (0..25).map(|_| event("evt_1", "t", b"\"secret\"")).collect();
    let shown = groups(&config(ONE_TABLE), rows(&events)).remove(0).shown();
    assert_eq!((shown["rows"].as_u64(), shown["parameters_left_out"].as_u64()), (Some(25), Some(5)));
    let row = &shown["parameters"][0];
    assert_eq!((row["event_id"].as_str(), row["tenant"].as_str()), (Some("evt_1"), Some("acme")));
    assert_eq!(row["metadata"]["attributes"], json!({ "region": "eu" }));
    assert_eq!(row["payload"], json!({ "event_data": 0, "bytes": 8 }));
    assert_eq!(row["received_at"], "2026-01-01T00:00:00.123Z");
    assert!(!shown.to_string().contains("secret"));
}
