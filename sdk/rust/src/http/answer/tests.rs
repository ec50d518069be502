use super::*;

/// 2026-01-01T00:00:00Z
const NOW: u64 = 1_767_225_600_000;

fn answer(status: u16, headers: &[(&str, &str)]) -> Answer {
    let headers = headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    Answer { status, headers, now_ms: NOW }
}

#[test]
fn every_status_has_its_class() {
    let cases = [
        (&[200, 201, 202, 204, 299][..], Class::Delivered),
        (&[301, 302, 307, 308, 404, 408, 409, 425, 500, 502, 503, 504, 599, 600, 99], Class::Transient),
        (&[401, 403, 407], Class::RejectedCredentials),
        (&[400, 405, 410, 413, 415, 422, 451], Class::Permanent),
        (&[429], Class::Throttled),
    ];
    for (statuses, class) in cases {
        for &status in statuses {
            assert_eq!(usual(status), class, "{status}");
        }
    }
}

#[test]
fn retry_after_is_seconds_or_a_date_in_three_forms() {
    let cases = [
        ("120", Some(120_000)),
        (" 0 ", Some(0)),
        ("Thu, 01 Jan 2026 00:01:00 GMT", Some(60_000)),
        ("Thursday, 01-Jan-26 00:01:00 GMT", Some(60_000)),
        ("Thu Jan  1 00:01:00 2026", Some(60_000)),
        ("Wed, 31 Dec 2025 00:00:00 GMT", Some(0)),
        ("99999999999999999999999", Some(u64::MAX)),
        ("-5", None),
        ("soon", None),
        ("", None),
    ];
    for (value, expected) in cases {
        assert_eq!(answer(503, &[("Retry-After", value)]).retry_after_ms(), expected, "{value:?}");
    }
}

#[test]
fn retry_after_counts_wherever_it_is_tried_again() {
    let outcome = |status| answer(status, &[("retry-after", "7")]).usual_outcome("It", 1);
    assert!(matches!(outcome(503), Outcome::Transient((_, Some(7_000)))));
    assert!(matches!(outcome(429), Outcome::Throttled((_, 7_000))));
    assert!(matches!(outcome(400), Outcome::Permanent(_)));
    assert!(matches!(answer(429, &[]).usual_outcome("It", 1), Outcome::Throttled((_, DEFAULT_THROTTLE_MS))));
}

#[test]
fn a_refused_batch_is_split_until_one_event_is_at_fault() {
    let outcome = answer(422, &[]).usual_outcome("The endpoint", 2);
    let Outcome::TooLarge(reason) = outcome else { panic!("{outcome:?}") };
    assert_eq!((reason.code.as_str(), reason.status.as_deref()), ("http-422", Some("422")));
    assert_eq!(reason.message, "The endpoint answered 422 to 2 events; they go in smaller batches.");
    assert!(matches!(answer(401, &[]).usual_outcome("It", 2), Outcome::RejectedCredentials(_)));
}
