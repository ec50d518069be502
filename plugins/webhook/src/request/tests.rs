use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

fn event<'a>(data: &'a [u8], attributes: &'a [(String, String)]) -> Event<'a> {
    Event {
        index: 0,
        id: "ord_1",
        event_type: "order.created",
        source: "/shop",
        time: "2026-01-01T00:00:00.000Z",
        subject: None,
        tenant: "acme",
        content_type: "application/json",
        attributes,
        data,
    }
}

fn config(mode: &str) -> Config {
    Config::parse(&json!({"mode": mode}).to_string()).unwrap()
}

/// The body as the host puts it together.
fn body(plan: &Plan, data: &[u8]) -> Vec<u8> {
    let piece = |piece: &Piece| match piece {
        Piece::Bytes(bytes) => bytes.clone(),
        Piece::Data(_) => data.to_vec(),
        Piece::DataBase64(_) => STANDARD.encode(data).into_bytes(),
    };
    plan.body.iter().flat_map(piece).collect()
}

fn text(mode: &str, event: Event<'_>) -> String {
    String::from_utf8(body(&plan(&config(mode), event, None), event.data)).unwrap()
}

fn header<'a>(plan: &'a Plan, name: &str) -> Option<&'a str> {
    plan.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

#[test]
fn standard_wraps_the_very_bytes() {
    let data = b"{ \"b\":1.0,\n\"a\" : \"\\u00e9\" }";
    assert_eq!(
        text("standard", event(data, &[])),
        "{\"type\":\"order.created\",\"timestamp\":\"2026-01-01T00:00:00.000Z\",\"data\":{ \"b\":1.0,\n\"a\" : \"\\u00e9\" }}"
    );
    let plan = plan(&config("standard"), event(data, &[]), None);
    assert!(plan.body.contains(&Piece::Data(0)));
}

#[test]
fn what_is_not_json_goes_as_base64() {
    for (content_type, data) in [
        ("application/json", &b"{\"a\":"[..]),
        ("application/json", b"\"\xff\""),
        ("text/plain", b"{}"),
        ("application/octet-stream", b"\0\x01"),
    ] {
        for mode in ["standard", "cloudevents-structured"] {
            let event = Event { content_type, ..event(data, &[]) };
            let parsed: Value = serde_json::from_str(&text(mode, event)).unwrap();
            assert_eq!(parsed["data_base64"], STANDARD.encode(data), "{mode} {content_type}");
            assert_eq!(parsed.get("data"), None);
        }
    }
}

#[test]
fn what_says_json_in_other_words_is_json() {
    for content_type in ["application/vnd.acme+json", "Application/JSON; charset=utf-8", "text/json"] {
        let parsed: Value =
            serde_json::from_str(&text("standard", Event { content_type, ..event(b"[1]", &[]) })).unwrap();
        assert_eq!(parsed["data"], json!([1]), "{content_type}");
    }
}

#[test]
fn no_data_is_null_or_left_out() {
    let parsed: Value = serde_json::from_str(&text("standard", event(b"", &[]))).unwrap();
    assert_eq!(parsed["data"], Value::Null);
    let parsed: Value = serde_json::from_str(&text("cloudevents-structured", event(b"", &[]))).unwrap();
    assert_eq!((parsed.get("data"), parsed.get("datacontenttype")), (None, None));
    assert!(plan(&config("raw"), event(b"", &[]), None).body.is_empty());
}

#[test]
fn raw_is_the_data_and_its_type() {
    let event = Event { content_type: "text/csv", ..event(b"a,b\r\n", &[]) };
    let plan = plan(&config("raw"), event, None);
    assert_eq!(plan.body, [Piece::Data(0)]);
    assert_eq!(header(&plan, "content-type"), Some("text/csv"));
}

#[test]
fn structured_is_one_cloudevent() {
    let attributes = [("region".to_owned(), "eu \"1\"".to_owned()), (UID_ATTRIBUTE.to_owned(), "evt_1".to_owned())];
    let event = Event { subject: Some("o/1"), ..event(b"{\"a\":1}", &attributes) };
    let parsed: Value = serde_json::from_str(&text("cloudevents-structured", event)).unwrap();
    let expected = json!({
        "specversion": "1.0", "id": "ord_1", "source": "/shop", "type": "order.created", "subject": "o/1",
        "time": "2026-01-01T00:00:00.000Z", "tenant": "acme", "region": "eu \"1\"",
        "datacontenttype": "application/json", "data": {"a": 1},
    });
    assert_eq!(parsed, expected);
}

#[test]
fn binary_puts_the_envelope_in_headers() {
    let attributes = [("region".to_owned(), "Zürich \"50%\"".to_owned()), ("id".to_owned(), "forged".to_owned())];
    let plan = plan(&config("cloudevents-binary"), event(b"{}", &attributes), None);
    assert_eq!(plan.body, [Piece::Data(0)]);
    assert_eq!(header(&plan, "content-type"), Some("application/json"));
    assert_eq!(header(&plan, "ce-specversion"), Some("1.0"));
    assert_eq!(header(&plan, "ce-id"), Some("ord_1"));
    assert_eq!(header(&plan, "ce-region"), Some("Z%C3%BCrich%20%2250%25%22"));
    assert_eq!(plan.headers.iter().filter(|(name, _)| name == "ce-id").count(), 1);
}

#[test]
fn the_message_id_is_the_publishers_where_it_can_be() {
    let attributes = [(UID_ATTRIBUTE.to_owned(), "evt_1".to_owned())];
    let long = "x".repeat(129);
    for (id, expected) in
        [("ord_1", "ord_1"), ("a.b", "evt_1"), ("é", "evt_1"), ("", "evt_1"), (long.as_str(), "evt_1")]
    {
        let plan = plan(&config("raw"), Event { id, ..event(b"1", &attributes) }, None);
        assert_eq!(plan.id, expected, "{id}");
        assert_eq!(header(&plan, "webhook-id"), Some(expected));
    }
    assert_eq!(plan(&config("raw"), Event { id: "a.b", ..event(b"1", &[]) }, None).id, "612e62");
}

#[test]
fn configured_headers_stand_beside_ours_or_instead() {
    let config = Config::parse(
        r#"{"header_prefix": "svix-", "headers": {"X-Env": "live", "User-Agent": "Acme", "Content-Type": "text/x"}}"#,
    )
    .unwrap();
    let plan = plan(&config, event(b"{}", &[]), Some("00-1-2-01"));
    assert_eq!(header(&plan, "svix-id"), Some("ord_1"));
    assert_eq!(header(&plan, "X-Env"), Some("live"));
    assert_eq!(header(&plan, "traceparent"), Some("00-1-2-01"));
    assert_eq!(header(&plan, "User-Agent"), Some("Acme"));
    assert_eq!((header(&plan, "user-agent"), header(&plan, "content-type")), (None, None));
}

#[test]
fn we_say_who_we_are() {
    let plan = plan(&config("raw"), event(b"{}", &[]), None);
    assert!(header(&plan, "user-agent").unwrap().starts_with("Railhead/"));
}

/// The bodies of a batch, put together as the host does it.
fn array(mode: &str, events: &[Event<'_>]) -> (Plan, String) {
    let config = config(mode);
    let elements = events.iter().map(|event| batch::element(config.mode, *event).unwrap()).collect();
    let plan = batch::plan(&config, "dst_1-7", elements);
    let piece = |piece: &Piece| match piece {
        Piece::Bytes(bytes) => bytes.clone(),
        Piece::Data(index) => events[*index as usize].data.to_vec(),
        Piece::DataBase64(index) => STANDARD.encode(events[*index as usize].data).into_bytes(),
    };
    let body = plan.body.iter().flat_map(piece).collect();
    (plan, String::from_utf8(body).unwrap())
}

#[test]
fn a_batch_is_an_array_of_the_bodies() {
    let one = event(b"{ \"a\":1 }", &[]);
    let two = Event { index: 1, id: "ord_2", content_type: "text/plain", ..event(b"hello", &[]) };
    for mode in ["standard", "cloudevents-structured"] {
        let (plan, body) = array(mode, &[one, two]);
        assert_eq!(body, format!("[{},{}]", text(mode, one), text(mode, two)), "{mode}");
        assert_eq!((plan.id.as_str(), header(&plan, "webhook-id")), ("dst_1-7", Some("dst_1-7")));
        assert_eq!(header(&plan, "webhook-batch-size"), Some("2"));
    }
    assert_eq!(header(&array("standard", &[one]).0, "content-type"), Some("application/json"));
    let (plan, body) = array("cloudevents-structured", &[one]);
    assert_eq!(header(&plan, "content-type"), Some("application/cloudevents-batch+json"));
    assert!(body.starts_with("[{"), "one event is an array too");
    assert_eq!(array("raw", &[one, Event { index: 1, ..one }]).1, "[{ \"a\":1 },{ \"a\":1 }]");
}

#[test]
fn only_json_stands_in_an_array_as_it_is() {
    for data in [&b"a,b"[..], b"", b"{"] {
        assert_eq!(batch::element(Mode::Raw, event(data, &[])), None);
        assert!(batch::element(Mode::Standard, event(data, &[])).is_some());
    }
    let csv = Event { content_type: "text/csv", ..event(b"1", &[]) };
    assert_eq!(batch::element(Mode::Raw, csv), None);
    assert!(!batch::is_batchable(Mode::CloudeventsBinary) && batch::is_batchable(Mode::Raw));
}

#[test]
fn the_number_of_a_batch_is_spelled_so_that_it_can_be_signed() {
    let id = |batch_id: &str| batch::plan(&config("raw"), batch_id, Vec::new()).id;
    assert_eq!((id("dst_1-7").as_str(), id("a.b-7").as_str()), ("dst_1-7", "612e622d37"));
}
