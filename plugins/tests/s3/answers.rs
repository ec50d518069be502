//! What neither server can be made to answer: a peer answers as the documents of S3 and of compatible stores say.

use crate::run::{anonymous, destination, of_type, outcomes, sandbox, told};
use railhead_plugin_harness::{Answer, HttpPeer, events};
use serde_json::json;

/// An error document as S3 writes it.
pub fn error(status: u16, code: &str, more: &str) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>So it is.</Message>{more}\
         <RequestId>4</RequestId></Error>"
    );
    Answer::status(status).header("content-type", "application/xml").body(body)
}

pub fn stored() -> Answer {
    Answer::status(200).header("etag", "\"900150983cd24fb0d6963f7d28e17f72\"")
}

#[tokio::test]
async fn each_refusal_is_of_its_class_and_says_what_to_change() {
    let region = "<Region>us-west-2</Region>";
    for (answer, class, code, status, says) in [
        (
            error(403, "AccessDenied", ""),
            "misconfigured",
            "access-denied",
            "AccessDenied",
            "Grant s3:PutObject on the prefix in \"events\"",
        ),
        (
            error(404, "NoSuchBucket", ""),
            "misconfigured",
            "bucket-not-found",
            "NoSuchBucket",
            "Create it, or set the right bucket",
        ),
        (
            error(301, "PermanentRedirect", region),
            "misconfigured",
            "wrong-region",
            "PermanentRedirect",
            "Set region to us-west-2.",
        ),
        (
            error(400, "AuthorizationHeaderMalformed", region),
            "misconfigured",
            "wrong-region",
            "AuthorizationHeaderMalformed",
            "Set region to us-west-2.",
        ),
        (
            Answer::status(301).header("x-amz-bucket-region", "us-west-2"),
            "misconfigured",
            "wrong-region",
            "301",
            "Set region to us-west-2.",
        ),
        (
            error(403, "InvalidAccessKeyId", ""),
            "rejected_credentials",
            "access-key-unknown",
            "InvalidAccessKeyId",
            "Set a new key pair",
        ),
        (
            error(403, "SignatureDoesNotMatch", ""),
            "rejected_credentials",
            "secret-key-wrong",
            "SignatureDoesNotMatch",
            "Set the key pair again",
        ),
        (
            error(400, "ExpiredToken", ""),
            "rejected_credentials",
            "session-expired",
            "ExpiredToken",
            "Set a new key pair with its token",
        ),
        (
            error(403, "RequestTimeTooSkewed", "<ServerTime>2026-01-01T00:20:00Z</ServerTime>"),
            "transient",
            "clock-skewed",
            "RequestTimeTooSkewed",
            "2026-01-01T00:20:00Z",
        ),
        (error(503, "SlowDown", ""), "throttled", "slow-down", "SlowDown", "fewer requests"),
        (error(500, "InternalError", ""), "transient", "store-failed", "InternalError", "So it is."),
        (error(400, "EntityTooLarge", ""), "too_large", "object-too-large", "EntityTooLarge", "2 events"),
        (
            error(400, "KMS.DisabledException", ""),
            "misconfigured",
            "kms-key-unusable",
            "KMS.DisabledException",
            "enable the key",
        ),
        (error(409, "ConditionalRequestConflict", ""), "transient", "conflict", "ConditionalRequestConflict", ""),
        (error(412, "PreconditionFailed", ""), "delivered", "duplicate", "PreconditionFailed", "there already"),
        (error(200, "InternalError", ""), "transient", "store-failed", "InternalError", "So it is."),
    ] {
        let peer = HttpPeer::answering(answer).unwrap();
        let settled = destination(peer.origin(), json!({})).await.deliver(events(2)).await;
        assert_eq!(settled.len(), 2, "{code}");
        for event in &settled {
            let (was, its, word, message) = told(event);
            assert_eq!((was, its, word), (class, code, Some(status)), "{message}");
            assert!(message.contains(says), "{code}: {message}");
        }
        assert_eq!(peer.received().len(), 1, "{code}: it is the host that tries again");
    }
}

#[tokio::test]
async fn of_a_batch_each_object_has_its_own_outcome() {
    let peer =
        HttpPeer::deciding(
            |received| {
                if received.path().contains("order.paid") { error(503, "SlowDown", "") } else { stored() }
            },
        )
        .unwrap();
    let batch = vec![of_type(1, "order.created", "1"), of_type(2, "order.paid", "2"), of_type(3, "order.created", "3")];
    let settled = destination(peer.origin(), json!({})).await.deliver(batch).await;
    assert_eq!(outcomes(&settled), [("delivered", "stored"), ("throttled", "slow-down"), ("delivered", "stored")]);
    assert_eq!(peer.received().len(), 2);
    for event in &settled {
        assert_eq!(event.transcript.exchanges.len(), 1, "each has the request that carried it");
    }
}

#[tokio::test]
async fn a_store_that_knows_no_conditions_is_asked_without() {
    let named = "<Header>If-None-Match</Header>";
    for refusal in
        [error(501, "NotImplemented", ""), error(400, "NotImplemented", ""), error(501, "NotImplemented", named)]
    {
        let peer =
            HttpPeer::deciding(
                move |received| {
                    if received.headers.contains_key("if-none-match") { refusal.clone() } else { stored() }
                },
            )
            .unwrap();
        let destination = destination(peer.origin(), json!({})).await;
        for expected in [2, 3] {
            assert_eq!(outcomes(&destination.deliver(events(2)).await), [("delivered", "stored"); 2]);
            assert_eq!(peer.received().len(), expected, "it is remembered");
        }
        let received = peer.received();
        assert_eq!(received[0].header("if-none-match"), "*");
        assert_eq!((received[0].path(), &received[0].body), (received[1].path(), &received[1].body));
    }
}

#[tokio::test]
async fn a_store_that_lacks_something_else_still_gets_conditions() {
    let other = "<Header>x-amz-storage-class</Header>";
    for (refusal, requests, told) in [
        (error(501, "NotImplemented", ""), 2, ("misconfigured", "not-implemented")),
        (error(501, "NotImplemented", other), 1, ("misconfigured", "not-implemented")),
        (Answer::status(501), 1, ("transient", "store-failed")),
    ] {
        let mut answers = vec![refusal; requests];
        answers.push(stored());
        let peer = HttpPeer::answering_in_turn(answers).unwrap();
        let destination = destination(peer.origin(), json!({})).await;
        assert_eq!(outcomes(&destination.deliver(events(1)).await), [told]);
        assert_eq!(peer.received().len(), requests, "once more, and not for ever");
        assert_eq!(outcomes(&destination.deliver(events(1)).await), [("delivered", "stored")]);
        let last = peer.received().pop().unwrap();
        assert_eq!(last.header("if-none-match"), "*", "it is not to blame");
    }
}

#[tokio::test]
async fn too_large_alone_is_for_good() {
    let peer = HttpPeer::answering(error(400, "EntityTooLarge", "")).unwrap();
    let destination = destination(peer.origin(), json!({})).await;
    assert_eq!(outcomes(&destination.deliver(events(1)).await), [("permanent", "object-too-large")]);
    assert_eq!(outcomes(&destination.deliver(events(2)).await), [("too_large", "object-too-large"); 2]);
}

#[tokio::test]
async fn what_can_never_work_is_told_before_anything_is_sent() {
    let peer = HttpPeer::answering(stored()).unwrap();
    for (more, says) in [
        (json!({"key": "{dt}"}), "key: It must name {hash} once"),
        (json!({"key": "{hash}/{uuid}"}), "{event_type}"),
        (json!({"prefix": "../other"}), "prefix: It must not"),
        (json!({"key": "{hash}/"}), "key: It must not end in a slash"),
        (json!({"prefix": "p".repeat(256)}), "prefix, key: Keys have at most 1024 bytes"),
        (json!({"key": format!("{}{{event_type}}/{{hash}}", "k".repeat(200))}), "Set a shorter prefix or key."),
        (json!({"bucket_key": true}), "encryption: kms"),
    ] {
        let destination = destination(peer.origin(), more).await;
        let settled = destination.deliver(events(1)).await;
        assert_eq!(told(&settled[0]).0, "misconfigured", "{settled:?}");
        assert!(told(&settled[0]).3.contains(says), "{settled:?}");
        let checked = destination.check().await.unwrap_err();
        assert!(checked.message.contains(says), "{checked:?}");
    }
    let settled = anonymous(peer.origin(), json!({})).await.deliver(events(1)).await;
    assert!(told(&settled[0]).3.contains("Set a key pair as the credential keys"), "{settled:?}");
    let role = "arn:aws:iam::111122223333:role/x";
    for (more, says) in [
        (json!({"role_arn": role}), "Leave endpoint out, or set a key pair as the credential keys."),
        (
            json!({"role_arn": role, "sts_endpoint": peer.origin()}),
            "sts_endpoint is for a role that is assumed with the credential keys",
        ),
    ] {
        let settled = anonymous(peer.origin(), more).await.deliver(events(1)).await;
        assert_eq!(told(&settled[0]).0, "misconfigured", "{settled:?}");
        assert!(told(&settled[0]).3.contains(says), "{settled:?}");
    }
    let (harness, connector) = sandbox().await;
    let at_aws = json!({"bucket": "events", "region": "eu-west-1", "role_arn": role});
    let settled = harness.destination(&connector, at_aws).batched().deliver(events(1)).await;
    assert_eq!(told(&settled[0]).0, "misconfigured", "{settled:?}");
    assert!(told(&settled[0]).3.contains("Set a key pair as the credential keys, or ask its operator."), "{settled:?}");
    assert!(peer.received().is_empty());
}

#[tokio::test]
async fn a_bucket_of_aws_is_at_its_own_host() {
    // Previews send nothing.
    let mut destination = destination("http://127.0.0.1:9", json!({})).await;
    for (config, host) in [
        (json!({"bucket": "events", "region": "eu-west-1"}), "https://events.s3.eu-west-1.amazonaws.com/event_type%3D"),
        (json!({"bucket": "a.b.c", "region": "eu-west-1"}), "https://s3.eu-west-1.amazonaws.com/a.b.c/event_type%3D"),
        (
            json!({"bucket": "events", "region": "cn-north-1"}),
            "https://events.s3.cn-north-1.amazonaws.com.cn/event_type%3D",
        ),
        (
            json!({"bucket": "events", "region": "eu-west-1", "path_style": true}),
            "https://s3.eu-west-1.amazonaws.com/events/",
        ),
    ] {
        destination = destination.configured(config);
        let shown = destination.preview(events(1)).await.unwrap();
        assert!(shown[0].1.request.url.starts_with(host), "{}", shown[0].1.request.url);
    }
    let foreign = json!({"bucket": "evil.example#", "region": "eu-west-1", "path_style": false});
    let settled = destination.configured(foreign).deliver(events(1)).await;
    assert_eq!(outcomes(&settled), [("misconfigured", "origin-not-allowed")], "{settled:?}");
}
