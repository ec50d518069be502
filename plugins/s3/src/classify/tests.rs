use super::{Answer, S3Error, answer};
use railhead_sdk::prelude::*;

fn of(status: u16, headers: &[(&str, &str)], body: &str) -> Answer<'static> {
    let headers = headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    let http = http::Answer { status, headers, now_ms: 0 };
    let error = S3Error::parse(body.as_bytes());
    Answer { http, error, floods: false, events: 2, conditional: true, bucket: "events", region: "us-east-1" }
}

fn error(status: u16, code: &str, more: &str) -> Answer<'static> {
    of(status, &[], &format!("<Error><Code>{code}</Code><Message>So it is.</Message>{more}</Error>"))
}

/// The class, the code, and what the message says.
fn told(outcome: Outcome) -> (&'static str, String, String) {
    let (class, reason) = match outcome {
        Outcome::Delivered(reason) => ("delivered", reason),
        Outcome::Throttled((reason, _)) => ("throttled", reason),
        Outcome::Transient((reason, _)) => ("transient", reason),
        Outcome::Uncertain(reason) => ("uncertain", reason),
        Outcome::Permanent(reason) => ("permanent", reason),
        Outcome::TooLarge(reason) => ("too-large", reason),
        Outcome::Misconfigured(reason) => ("misconfigured", reason),
        Outcome::RejectedCredentials(reason) => ("rejected-credentials", reason),
        Outcome::Untried => panic!("nothing was sent"),
    };
    (class, reason.code, reason.message)
}

#[test]
fn each_error_has_its_class_and_says_what_to_change() {
    for (status, code, class, ours, says) in [
        (404, "NoSuchBucket", "misconfigured", "bucket-not-found", "Create it"),
        (403, "AccessDenied", "misconfigured", "access-denied", "Grant s3:PutObject"),
        (403, "InvalidAccessKeyId", "rejected-credentials", "access-key-unknown", "Set a new key pair"),
        (403, "SignatureDoesNotMatch", "rejected-credentials", "secret-key-wrong", "Set the key pair again"),
        (400, "ExpiredToken", "rejected-credentials", "session-expired", "Set a new key pair"),
        (403, "RequestTimeTooSkewed", "transient", "clock-skewed", "operator"),
        (301, "PermanentRedirect", "misconfigured", "wrong-region", "Set the right"),
        (307, "TemporaryRedirect", "transient", "redirected", "new"),
        (503, "SlowDown", "throttled", "slow-down", "fewer requests"),
        (503, "ServiceUnavailable", "throttled", "slow-down", "fewer requests"),
        (500, "InternalError", "transient", "store-failed", "So it is."),
        (400, "RequestTimeout", "transient", "store-failed", "So it is."),
        (400, "EntityTooLarge", "too-large", "object-too-large", "2 events"),
        (400, "KMS.NotFoundException", "misconfigured", "kms-key-unusable", "kms_key_id"),
        (400, "KMS.DisabledException", "misconfigured", "kms-key-unusable", "enable the key"),
        (400, "KMS.ThrottlingException", "throttled", "slow-down", ""),
        (412, "PreconditionFailed", "delivered", "duplicate", "already"),
        (409, "OperationAborted", "transient", "conflict", ""),
        (409, "ConditionalRequestConflict", "transient", "conflict", ""),
        (400, "AccessControlListNotSupported", "misconfigured", "acl-not-supported", "bucket_owner_full_control"),
        (400, "InvalidStorageClass", "misconfigured", "storage-class-unknown", "storage_class"),
        (400, "BadDigest", "transient", "damaged", ""),
        (501, "NotImplemented", "misconfigured", "not-implemented", "storage_class"),
        (507, "XMinioStorageFull", "misconfigured", "store-full", "full"),
        (400, "NeverHeardOf", "misconfigured", "refused", "It says: So it is."),
        (599, "NeverHeardOf", "transient", "store-failed", "It says: So it is."),
        (200, "InternalError", "transient", "store-failed", "So it is."),
        (200, "NeverHeardOf", "transient", "store-failed", "So it is."),
        (200, "AccessDenied", "misconfigured", "access-denied", "Grant"),
    ] {
        let (was, said, message) = told(answer(&error(status, code, "")));
        assert_eq!((was, said.as_str()), (class, ours), "{status} {code}");
        assert!(message.contains(says), "{code}: {message}");
    }
}

#[test]
fn the_stores_own_word_is_kept() {
    let status = |outcome| match outcome {
        Outcome::Misconfigured(reason) | Outcome::TooLarge(reason) | Outcome::Delivered(reason) => reason.status,
        other => panic!("{other:?}"),
    };
    assert_eq!(status(answer(&error(404, "NoSuchBucket", ""))).as_deref(), Some("NoSuchBucket"));
    assert_eq!(status(answer(&of(404, &[], ""))).as_deref(), Some("404"));
    assert_eq!(status(answer(&of(413, &[], ""))).as_deref(), Some("413"));
    assert_eq!(status(answer(&of(200, &[("etag", "\"1\"")], ""))).as_deref(), Some("200"));
}

#[test]
fn a_bucket_elsewhere_is_told_where() {
    let region = "<Region>eu-west-1</Region>";
    for elsewhere in [
        error(400, "AuthorizationHeaderMalformed", region),
        error(301, "PermanentRedirect", region),
        of(301, &[("x-amz-bucket-region", "eu-west-1")], ""),
    ] {
        let (class, code, message) = told(answer(&elsewhere));
        assert_eq!((class, code.as_str()), ("misconfigured", "wrong-region"));
        assert!(message.ends_with("Set region to eu-west-1."), "{message}");
    }
    let endpoint = "<Endpoint>events.s3.eu-west-1.amazonaws.com</Endpoint>";
    assert!(
        told(answer(&error(301, "PermanentRedirect", endpoint))).2.contains("at events.s3.eu-west-1.amazonaws.com.")
    );
    let (class, code, _) = told(answer(&of(302, &[("location", "https://login.example")], "")));
    assert_eq!((class, code.as_str()), ("misconfigured", "not-a-store"));
}

#[test]
fn answers_without_words_are_classed_by_status() {
    for (status, class, code) in [
        (401, "misconfigured", "access-denied"),
        (403, "misconfigured", "access-denied"),
        (404, "misconfigured", "bucket-not-found"),
        (405, "misconfigured", "refused"),
        (408, "transient", "store-failed"),
        (409, "transient", "store-failed"),
        (412, "delivered", "duplicate"),
        (413, "too-large", "object-too-large"),
        (429, "throttled", "slow-down"),
        (500, "transient", "store-failed"),
        (501, "transient", "store-failed"),
        (502, "transient", "store-failed"),
        (503, "transient", "store-failed"),
        (507, "misconfigured", "store-full"),
        (200, "misconfigured", "not-a-store"),
        (204, "misconfigured", "not-a-store"),
        (99, "transient", "store-failed"),
        (999, "transient", "store-failed"),
    ] {
        let (was, said, _) = told(answer(&of(status, &[], "<html>login</html>")));
        assert_eq!((was, said.as_str()), (class, code), "{status}");
    }
    assert_eq!(told(answer(&of(200, &[("etag", "\"1\"")], ""))).1, "stored");
    let flood = Answer { floods: true, ..of(200, &[], "") };
    assert_eq!(told(answer(&flood)).0, "uncertain");
    let alone = Answer { events: 1, ..of(413, &[], "") };
    assert_eq!(told(answer(&alone)).0, "permanent");
    let unconditional = Answer { conditional: false, ..of(412, &[], "") };
    assert_eq!(told(answer(&unconditional)).0, "misconfigured");
}

#[test]
fn a_store_that_says_when_is_left_alone_until_then() {
    let body = "<Error><Code>SlowDown</Code></Error>";
    assert!(matches!(answer(&of(503, &[("retry-after", "7")], body)), Outcome::Throttled((_, 7_000))));
    assert!(matches!(answer(&of(503, &[("retry-after", "7")], "")), Outcome::Transient((_, Some(7_000)))));
}

#[test]
fn what_is_worth_a_second_request_is_known() {
    assert!(error(501, "NotImplemented", "").is_unconditional_store());
    assert!(error(400, "NotImplemented", "").is_unconditional_store());
    assert!(error(501, "NotImplemented", "<Header>If-None-Match</Header>").is_unconditional_store());
    assert!(!error(501, "NotImplemented", "<Header>x-amz-storage-class</Header>").is_unconditional_store());
    assert!(!of(501, &[], "").is_unconditional_store(), "a proxy's");
    assert!(!error(400, "InvalidRequest", "").is_unconditional_store());
    assert!(!Answer { conditional: false, ..error(501, "NotImplemented", "") }.is_unconditional_store());
    assert!(error(400, "ExpiredToken", "").is_expired());
    assert!(!error(403, "AccessDenied", "").is_expired());
}

#[test]
fn the_skewed_clock_is_the_operators() {
    let (_, _, message) =
        told(answer(&error(403, "RequestTimeTooSkewed", "<ServerTime>2026-01-01T00:00:00Z</ServerTime>")));
    assert!(message.contains("Its own says 2026-01-01T00:00:00Z."), "{message}");
}
