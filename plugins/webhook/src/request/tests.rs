use super::*;
use railhead_sdk::config::parse;
use railhead_sdk::parts::joined;
use serde_json::json;

const UID: &str = "railheaduid";

fn event(data: &[u8]) -> Event {
    Event {
        id: "ord_1".to_owned(),
        type_: "order.created".to_owned(),
        source: "/shop".to_owned(),
        time: "2026-01-01T00:00:00.000Z".to_owned(),
        subject: None,
        tenant: "acme".to_owned(),
        content_type: "application/json".to_owned(),
        attributes: Vec::new(),
        data: data.to_vec(),
    }
}

fn of_type(content_type: &str, data: &[u8]) -> Event {
    Event { content_type: content_type.to_owned(), ..event(data) }
}

fn with(attributes: &[(&str, &str)], data: &[u8]) -> Event {
    let attributes = attributes.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    Event { attributes, ..event(data) }
}

fn config(mode: &str) -> Config {
    parse(&json!({"mode": mode}).to_string()).unwrap()
}

/// The body as the host puts it together.
fn text(mode: &str, event: Event) -> String {
    let plan = plan(&config(mode), 0, &event, None);
    String::from_utf8(joined(&plan.body, &[event])).unwrap()
}

fn header<'a>(plan: &'a Plan, name: &str) -> Option<&'a str> {
    plan.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

#[test]
fn standard_wraps_the_very_bytes() {
    let data = b"{ \"b\":1.0,\n\"a\" : \"\\u00e9\" }";
    assert_eq!(
        text("standard", event(data)),
        "{\"type\":\"order.created\",\"timestamp\":\"2026-01-01T00:00:00.000Z\",\"data\":{ \"b\":1.0,\n\"a\" : \"\\u00e9\" }}"
    );
    let plan = plan(&config("standard"), 0, &event(data), None);
    assert!(plan.body.contains(&Part::EventData(0)));
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
            let parsed: Value = serde_json::from_str(&text(mode, of_type(content_type, data))).unwrap();
            let encoded = joined(&[Part::EventDataBase64(0)], &[event(data)]);
            assert_eq!(parsed["data_base64"].as_str().map(str::as_bytes), Some(&*encoded), "{mode} {content_type}");
            assert_eq!(parsed.get("data"), None);
        }
    }
}

#[test]
fn what_says_json_in_other_words_is_json() {
    for content_type in ["application/vnd.acme+json", "Application/JSON; charset=utf-8", "text/json"] {
        let parsed: Value = serde_json::from_str(&text("standard", of_type(content_type, b"[1]"))).unwrap();
        assert_eq!(parsed["data"], json!([1]), "{content_type}");
    }
}

#[test]
fn no_data_is_null_or_left_out() {
    let parsed: Value = serde_json::from_str(&text("standard", event(b""))).unwrap();
    assert_eq!(parsed["data"], Value::Null);
    let parsed: Value = serde_json::from_str(&text("cloudevents-structured", event(b""))).unwrap();
    assert_eq!((parsed.get("data"), parsed.get("datacontenttype")), (None, None));
    assert!(plan(&config("raw"), 0, &event(b""), None).body.is_empty());
}

#[test]
fn raw_is_the_data_and_its_type() {
    let plan = plan(&config("raw"), 0, &of_type("text/csv", b"a,b\r\n"), None);
    assert_eq!(plan.body, [Part::EventData(0)]);
    assert_eq!(header(&plan, "content-type"), Some("text/csv"));
}

#[test]
fn structured_is_one_cloudevent() {
    let event = with(&[("region", "eu \"1\""), (UID, "evt_1")], b"{\"a\":1}");
    let event = Event { subject: Some("o/1".to_owned()), ..event };
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
    let event = with(&[("region", "Zürich \"50%\""), ("id", "forged")], b"{}");
    let plan = plan(&config("cloudevents-binary"), 0, &event, None);
    assert_eq!(plan.body, [Part::EventData(0)]);
    assert_eq!(header(&plan, "content-type"), Some("application/json"));
    assert_eq!(header(&plan, "ce-specversion"), Some("1.0"));
    assert_eq!(header(&plan, "ce-id"), Some("ord_1"));
    assert_eq!(header(&plan, "ce-region"), Some("Z%C3%BCrich%20%2250%25%22"));
    assert_eq!(plan.headers.iter().filter(|(name, _)| name == "ce-id").count(), 1);
}

#[test]
fn the_message_id_is_the_publishers_where_it_can_be() {
    let long = "x".repeat(129);
    for (id, expected) in
        [("ord_1", "ord_1"), ("a.b", "evt_1"), ("é", "evt_1"), ("", "evt_1"), (long.as_str(), "evt_1")]
    {
        let plan = plan(&config("raw"), 0, &Event { id: id.to_owned(), ..with(&[(UID, "evt_1")], b"1") }, None);
        assert_eq!(plan.id, expected, "{id}");
        assert_eq!(header(&plan, "webhook-id"), Some(expected));
    }
    assert_eq!(plan(&config("raw"), 0, &Event { id: "a.b".to_owned(), ..event(b"1") }, None).id, "612e62");
}

#[test]
fn configured_headers_stand_beside_ours_or_instead() {
    let config: Config = parse(
        r#"{"header_prefix": "svix-", "headers": {"X-Env": "live", "User-Agent": "Acme", "Content-Type": "text/x"}}"#,
    )
    .unwrap();
    let plan = plan(&config, 0, &event(b"{}"), Some("00-1-2-01"));
    assert_eq!(header(&plan, "svix-id"), Some("ord_1"));
    assert_eq!(header(&plan, "X-Env"), Some("live"));
    assert_eq!(header(&plan, "traceparent"), Some("00-1-2-01"));
    assert_eq!(header(&plan, "User-Agent"), Some("Acme"));
    assert_eq!((header(&plan, "user-agent"), header(&plan, "content-type")), (None, None));
}

#[test]
fn we_say_who_we_are() {
    let plan = plan(&config("raw"), 0, &event(b"{}"), None);
    assert!(header(&plan, "user-agent").unwrap().starts_with("Railhead/"));
}

/// The bodies of a batch, put together as the host does it.
fn array(mode: &str, events: &[Event]) -> (Plan, String) {
    let config = config(mode);
    let element = |(index, event)| batch::element(config.mode, index, event).unwrap();
    let plan = batch::plan(&config, "dst_1-7", (0..).zip(events).map(element).collect());
    let body = joined(&plan.body, events);
    (plan, String::from_utf8(body).unwrap())
}

#[test]
fn a_batch_is_an_array_of_the_bodies() {
    let one = event(b"{ \"a\":1 }");
    let two = Event { id: "ord_2".to_owned(), ..of_type("text/plain", b"hello") };
    for mode in ["standard", "cloudevents-structured"] {
        let (plan, body) = array(mode, &[one.clone(), two.clone()]);
        assert_eq!(body, format!("[{},{}]", text(mode, one.clone()), text(mode, two.clone())), "{mode}");
        assert_eq!((plan.id.as_str(), header(&plan, "webhook-id")), ("dst_1-7", Some("dst_1-7")));
        assert_eq!(header(&plan, "webhook-batch-size"), Some("2"));
    }
    assert_eq!(header(&array("standard", std::slice::from_ref(&one)).0, "content-type"), Some("application/json"));
    let (plan, body) = array("cloudevents-structured", std::slice::from_ref(&one));
    assert_eq!(header(&plan, "content-type"), Some("application/cloudevents-batch+json"));
    assert!(body.starts_with("[{"), "one event is an array too");
    assert_eq!(array("raw", &[one.clone(), one]).1, "[{ \"a\":1 },{ \"a\":1 }]");
}

#[test]
fn only_json_stands_in_an_array_as_it_is() {
    for data in [&b"a,b"[..], b"", b"{"] {
        assert_eq!(batch::element(Mode::Raw, 0, &event(data)), None);
        assert!(batch::element(Mode::Standard, 0, &event(data)).is_some());
    }
    assert_eq!(batch::element(Mode::Raw, 0, &of_type("text/csv", b"1")), None);
    assert!(!batch::is_batchable(Mode::CloudeventsBinary) && batch::is_batchable(Mode::Raw));
}

#[test]
fn the_number_of_a_batch_is_spelled_so_that_it_can_be_signed() {
    let id = |batch_id: &str| batch::plan(&config("raw"), batch_id, Vec::new()).id;
    assert_eq!((id("dst_1-7").as_str(), id("a.b-7").as_str()), ("dst_1-7", "612e622d37"));
}
