use super::{Object, Planned, alone, form_value, headers, objects, path_of};
use crate::config::Config;
use crate::config::tests::config;
use railhead_sdk::prelude::*;
use serde_json::{Value, json};

/// 2026-01-31T23:59:59Z
const AT: u64 = 1_769_903_999_000;

fn event(event_type: &str, data: &str) -> Event {
    Event {
        id: "ord_1".to_owned(),
        type_: event_type.to_owned(),
        source: "/shop".to_owned(),
        time: "2026-02-03T01:30:00+02:00".to_owned(),
        subject: None,
        tenant: "acme".to_owned(),
        content_type: "application/json".to_owned(),
        attributes: vec![("railheaduid".to_owned(), "evt_1".to_owned())],
        data: data.as_bytes().to_vec(),
    }
}

fn planned<'a>(events: &'a [(Event, u64)]) -> Vec<Planned<'a>> {
    (0..).zip(events).map(|(index, (event, at))| Planned { index, event, accepted_ms: *at }).collect()
}

fn made(config: &Config, events: &[(Event, u64)]) -> Vec<Object> {
    objects(config, &config.checked().unwrap(), "bat_1_00ff", &planned(events))
}

fn lines(object: &Object, events: &[(Event, u64)]) -> Vec<Value> {
    let events: Vec<_> = events.iter().map(|(event, _)| event.clone()).collect();
    let text = String::from_utf8(parts::joined(&object.body, &events)).unwrap();
    assert!(text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn each_partition_is_an_object() {
    let events = [
        (event("order.created", "1"), AT),
        (event("order.paid", "2"), AT),
        (event("order.created", "3"), AT),
        (event("order.created", "4"), AT + 1000),
        (event("order.created", "5"), AT),
    ];
    let objects = made(&config(&json!({"prefix": "in"})), &events);
    let keys: Vec<_> = objects.iter().map(|object| (object.key.as_str(), object.carries.as_slice())).collect();
    assert_eq!(
        keys,
        [
            ("in/event_type=order.created/dt=2026-01-31/hour=23/part-bat_1_00ff.ndjson.gz", &[0, 2, 4][..]),
            ("in/event_type=order.paid/dt=2026-01-31/hour=23/part-bat_1_00ff.ndjson.gz", &[1]),
            ("in/event_type=order.created/dt=2026-02-01/hour=00/part-bat_1_00ff.ndjson.gz", &[3]),
        ]
    );
    let payloads: Vec<_> = lines(&objects[0], &events).iter().map(|line| line["payload"].clone()).collect();
    assert_eq!(payloads, [json!(1), json!(3), json!(5)]);
    assert!(made(&config(&json!({})), &[]).is_empty());
}

#[test]
fn a_template_may_put_all_into_one() {
    let events = [(event("a", "1"), AT), (event("b", "2"), AT + 1000)];
    let config = config(&json!({"key": "{year}/{hash}.{extension}", "compression": "none"}));
    let objects = made(&config, &events);
    assert_eq!(objects.len(), 1);
    assert_eq!((objects[0].key.as_str(), objects[0].carries.as_slice()), ("2026/bat_1_00ff.ndjson", &[0, 1][..]));
}

#[test]
fn partitions_go_by_the_chosen_time() {
    let by =
        |partition_by: &str| config(&json!({"partition_by": partition_by, "key": "{dt}/{month}/{day}/{hour}/{hash}"}));
    assert_eq!(made(&by("occurred"), &[(event("a", "1"), AT)])[0].key, "2026-02-02/02/02/23/bat_1_00ff");
    assert_eq!(made(&by("accepted"), &[(event("a", "1"), AT)])[0].key, "2026-01-31/01/31/23/bat_1_00ff");
    let untimed = Event { time: "yesterday".to_owned(), ..event("a", "1") };
    assert_eq!(made(&by("occurred"), &[(untimed, AT)])[0].key, "2026-01-31/01/31/23/bat_1_00ff");
}

#[test]
fn no_value_leaves_its_place_in_the_key() {
    let config = config(&json!({"key": "{tenant}/{event_type}/{hash}"}));
    for (event_type, segment) in [
        ("..", "%2E."),
        (".", "%2E"),
        ("a/../b", "a%2F..%2Fb"),
        ("a=b c", "a%3Db%20c"),
        ("a%2F", "a%252F"),
        ("ä", "%C3%A4"),
    ] {
        let key = &made(&config, &[(event(event_type, "1"), AT)])[0].key;
        assert_eq!(*key, format!("acme/{segment}/bat_1_00ff"));
        assert!(
            !path_of(key).split('/').any(|segment| matches!(segment, "." | ".." | "%2e" | "%2E" | "%2E." | "%2E%2E"))
        );
    }
}

#[test]
fn a_row_tells_when_it_was_accepted() {
    let events = [(event("a", "{\"n\": 1}"), AT)];
    let row = &lines(&made(&config(&json!({})), &events)[0], &events)[0];
    assert_eq!(row["received_at"], "2026-01-31T23:59:59.000Z");
    assert_eq!((&row["event_id"], &row["payload"]), (&json!("evt_1"), &json!({"n": 1})));
}

#[test]
fn what_stands_between_payloads_is_one_piece() {
    let events: Vec<_> = (0..100).map(|n| (event("a", &n.to_string()), AT)).collect();
    let objects = made(&config(&json!({})), &events);
    assert_eq!(objects[0].body.len(), 201);
    assert_eq!(lines(&objects[0], &events).len(), 100);
}

#[test]
fn headers_say_what_the_owner_wants() {
    let named = |config: &Config, conditional| -> Vec<String> {
        let all = headers(config, "application/x-ndjson", conditional);
        all.into_iter()
            .filter(|(name, _)| *name != "user-agent")
            .map(|(name, value)| format!("{name}: {value}"))
            .collect()
    };
    assert_eq!(named(&config(&json!({})), true), ["content-type: application/x-ndjson", "if-none-match: *"]);
    let kms = json!({
        "encryption": "kms", "kms_key_id": "k1", "bucket_key": true, "storage_class": "GLACIER_IR", "bucket_owner_full_control": true
    });
    assert_eq!(
        named(&config(&kms), false)[1..],
        [
            "x-amz-server-side-encryption: aws:kms",
            "x-amz-server-side-encryption-aws-kms-key-id: k1",
            "x-amz-server-side-encryption-bucket-key-enabled: true",
            "x-amz-storage-class: GLACIER_IR",
            "x-amz-acl: bucket-owner-full-control",
        ]
    );
    assert_eq!(named(&config(&json!({"encryption": "aes256"})), false)[1..], ["x-amz-server-side-encryption: AES256"]);
}

#[test]
fn texts_are_encoded_where_they_stand() {
    assert_eq!(path_of("a=b/c d+%é~"), "a%3Db/c%20d%2B%25%C3%A9~");
    assert_eq!(form_value("arn:aws:iam::1:role/a b+"), "arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa%20b%2B");
}

#[test]
fn an_object_is_the_same_where_others_of_its_batch_are_gone() {
    let types = ["a", "b", "a", "c", "b", "a"];
    let events: Vec<_> = (0..).zip(types).map(|(n, name)| (event(name, &n.to_string()), AT + n % 2 * 1000)).collect();
    let config = config(&json!({"prefix": "in"}));
    let whole = |events: &[(Event, u64)]| -> Vec<(String, Vec<Value>)> {
        made(&config, events).iter().map(|object| (object.key.clone(), lines(object, events))).collect()
    };
    let all = whole(&events);
    assert_eq!(all.len(), 5);
    // Any of the objects may have arrived, and its events come no more.
    for arrived in 0_u32..32 {
        let is_left = |at: usize| arrived & (1 << at) == 0;
        let objects = made(&config, &events);
        let of = |index: usize| objects.iter().position(|object| object.carries.contains(&(index as u32))).unwrap();
        let left: Vec<_> = (0..events.len()).filter(|index| is_left(of(*index))).map(|n| events[n].clone()).collect();
        let expected: Vec<_> = (0..all.len()).filter(|at| is_left(*at)).map(|at| all[at].clone()).collect();
        assert_eq!(whole(&left), expected);
    }
}

#[test]
fn a_type_of_any_length_has_a_key() {
    let longest = "\u{10ffff}".repeat(256);
    let kinds = [longest.clone(), format!("{longest}a"), "ж".repeat(256), "ж".repeat(255), "a".repeat(256)];
    let events: Vec<_> = kinds.iter().map(|kind| (event(kind, "1"), AT)).collect();
    let deep = format!("{}/{{event_type}}/{{tenant}}-{{event_type}}/{{hash}}", "k".repeat(240));
    for more in [json!({}), json!({"prefix": "p".repeat(255), "key": deep})] {
        let objects = made(&config(&more), &events);
        assert_eq!(objects.len(), kinds.len(), "each has its own");
        for object in &objects {
            assert!(object.key.len() <= 1024 && object.key.split('/').all(|segment| segment.len() <= 255));
        }
    }
}

#[test]
fn an_object_of_one_event_is_named_by_what_is_in_it() {
    let named = |more: &Value, event: &Event| {
        let config = config(more);
        let planned = Planned { index: 7, event, accepted_ms: AT };
        alone(&config, &config.checked().unwrap(), &planned).key
    };
    let all = event("order.created", r#"{"n":1,"of":2}"#);
    let usual = named(&json!({}), &all);
    assert_eq!(usual, named(&json!({}), &all), "whatever its place in the call");
    let name = usual.strip_prefix("event_type=order.created/dt=2026-01-31/hour=23/part-evt_1-").unwrap();
    assert_eq!(name.strip_suffix(".ndjson.gz").unwrap().len(), 32);
    let fewer = event("order.created", r#"{"n":1}"#);
    let text = Event { content_type: "text/plain".to_owned(), ..all.clone() };
    let keys = [
        usual,
        named(&json!({}), &fewer),
        named(&json!({}), &text),
        named(&json!({"storage_class": "GLACIER_IR"}), &all),
        named(&json!({"encryption": "aes256"}), &all),
        named(&json!({"compression": "zstd"}), &all),
    ];
    let different: std::collections::HashSet<_> = keys.iter().collect();
    assert_eq!(different.len(), keys.len(), "{keys:?}");
}
