//! Checks: what the owner is told, and that no event is sent.

use crate::answers::{error, stored};
use crate::run::{destination, outcomes};
use railhead_harness::{S3Fs, s3};
use railhead_plugin_harness::{Answer, HttpPeer, events};
use serde_json::json;

#[tokio::test]
async fn a_check_writes_a_mark_and_says_so() {
    let Some(store) = S3Fs::start() else { return };
    store.make_bucket("events");
    let destination = destination(&store.url(), json!({"prefix": "live"})).await;
    for _ in 0..2 {
        let steps = destination.check().await.unwrap();
        assert_eq!(
            steps,
            [Ok("Objects can be written to the bucket \"events\": \"live/.railhead-check\" was.".to_owned())]
        );
    }
    assert_eq!(store.objects("events").keys().collect::<Vec<_>>(), ["live/.railhead-check"]);
    assert_eq!(outcomes(&destination.deliver(events(1)).await), [("delivered", "stored")]);
    let wrong = destination.rotated(&[("keys", &s3::keys(S3Fs::ACCESS_KEY, "wrong/secret/0123456789", None))]);
    assert_eq!(wrong.check().await.unwrap()[0].as_ref().unwrap_err().code, "secret-key-wrong");
}

#[tokio::test]
async fn a_check_that_may_write_nothing_asks_for_the_bucket() {
    let Some(store) = S3Fs::start() else { return };
    store.make_bucket("events");
    let destination = destination(&store.url(), json!({"check_object": false})).await;
    let steps = destination.check().await.unwrap();
    assert!(steps[0].as_ref().unwrap().starts_with("The bucket \"events\" is there"), "{steps:?}");
    assert!(store.objects("events").is_empty());
    for (answer, wrong) in [
        (Answer::status(403), None),
        (Answer::status(404), Some("bucket-not-found")),
        (Answer::status(301).header("x-amz-bucket-region", "us-west-2"), Some("wrong-region")),
        (Answer::status(500), Some("store-failed")),
    ] {
        let peer = HttpPeer::answering(answer).unwrap();
        let steps = crate::run::destination(peer.origin(), json!({"check_object": false})).await.check().await.unwrap();
        assert_eq!(steps[0].as_ref().err().map(|reason| reason.code.as_str()), wrong, "{steps:?}");
        assert_eq!(peer.only().method(), "HEAD");
    }
}

#[tokio::test]
async fn a_mark_tries_what_objects_need() {
    let peer = HttpPeer::answering_in_turn(vec![stored(), error(403, "AccessDenied", ""), Answer::Close]).unwrap();
    let destination =
        destination(peer.origin(), json!({"encryption": "kms", "kms_key_id": "k", "key": "{hash}"})).await;
    assert!(destination.check().await.unwrap()[0].is_ok());
    let put = &peer.received()[0];
    assert_eq!(
        (put.line.as_str(), put.header("x-amz-server-side-encryption")),
        ("PUT /events/.railhead-check HTTP/1.1", "aws:kms")
    );
    assert!(put.text().starts_with("Railhead wrote this"));
    assert_eq!(destination.check().await.unwrap()[0].as_ref().unwrap_err().code, "access-denied");
    assert!(destination.check().await.unwrap()[0].is_err());
}
