//! What goes over the wire.

use crate::answers::{error, stored};
use crate::run::{destination, of_type, outcomes, rows};
use railhead_harness::S3Fs;
use railhead_model::BodyPart;
use railhead_plugin_harness::{HttpPeer, events};
use serde_json::json;

#[tokio::test]
async fn an_object_is_one_signed_put() {
    let peer = HttpPeer::answering(stored()).unwrap();
    let destination = destination(peer.origin(), json!({"prefix": "in"})).await.batch_id("bat_1_7");
    assert_eq!(outcomes(&destination.deliver(events(3)).await), [("delivered", "stored"); 3]);
    let put = peer.only();
    assert_eq!(
        put.line,
        "PUT /events/in/event_type%3Dorder.created/dt%3D2026-01-01/hour%3D00/part-bat_1_7.ndjson.gz HTTP/1.1"
    );
    let headers = ["content-type", "content-encoding", "if-none-match"].map(|name| put.header(name));
    assert_eq!(headers, ["application/x-ndjson", "gzip", "*"]);
    assert!(put.header("authorization").starts_with("AWS4-HMAC-SHA256 Credential=AKIARAILHEADTEST/"));
    let signed = put.header("authorization").split("SignedHeaders=").nth(1).unwrap();
    for name in ["content-encoding", "content-type", "host", "if-none-match", "x-amz-content-sha256", "x-amz-date"] {
        assert!(signed.contains(name), "{name}: {signed}");
    }
    assert_eq!(rows("x.gz", &put.body).len(), 3);
}

#[tokio::test]
async fn settings_of_objects_are_headers() {
    let peer = HttpPeer::answering(stored()).unwrap();
    let more = json!({
        "encryption": "kms", "kms_key_id": "alias/events", "bucket_key": true, "storage_class": "STANDARD_IA",
        "bucket_owner_full_control": true, "overwrite": true, "compression": "none"
    });
    destination(peer.origin(), more).await.deliver(events(1)).await;
    let put = peer.only();
    for (name, value) in [
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption-aws-kms-key-id", "alias/events"),
        ("x-amz-server-side-encryption-bucket-key-enabled", "true"),
        ("x-amz-storage-class", "STANDARD_IA"),
        ("x-amz-acl", "bucket-owner-full-control"),
    ] {
        assert_eq!(put.header(name), value);
    }
    assert!(!put.headers.contains_key("if-none-match") && !put.headers.contains_key("content-encoding"));
}

#[tokio::test]
async fn a_preview_is_what_a_delivery_sends() {
    let peer = HttpPeer::answering(stored()).unwrap();
    let destination = destination(peer.origin(), json!({"encryption": "aes256"})).await;
    let batch = || vec![of_type(1, "order.created", "1"), of_type(2, "order.paid", "2")];
    let shown = destination.preview(batch()).await.unwrap();
    assert!(peer.received().is_empty());
    let settled = destination.deliver(batch()).await;
    assert_eq!((shown.len(), peer.received().len()), (2, 2));
    for (carries, preview) in &shown {
        let sent = &settled[carries[0] as usize].transcript.exchanges[0].request;
        let given = |request: &railhead_model::ExchangeRequest| -> Vec<(String, String)> {
            let own = ["authorization", "x-amz-date"]; // of the moment
            request
                .headers
                .iter()
                .filter(|header| !own.contains(&header.0.as_str()))
                .map(|h| (h.0.clone(), h.1.clone()))
                .collect()
        };
        assert_eq!((&preview.request.method, &preview.request.url), (&sent.method, &sent.url));
        assert_eq!(given(&preview.request), given(sent));
        // The same references to data, which each tells from where it stands.
        let text = |request: &railhead_model::ExchangeRequest| {
            request
                .body
                .iter()
                .map(|part| if let BodyPart::Text(text) = part { text.clone() } else { "data".to_owned() })
                .collect::<String>()
        };
        assert_eq!((text(&preview.request), preview.request.body_bytes), (text(sent), sent.body_bytes));
    }
}

#[tokio::test]
async fn no_secret_is_on_the_wire_or_on_record() {
    // It sends back what it should not know.
    let peer = HttpPeer::answering(error(403, "AccessDenied", &format!("<Key>{}</Key>", S3Fs::SECRET_KEY))).unwrap();
    let settled = destination(peer.origin(), json!({})).await.deliver(events(1)).await;
    let seen = format!("{settled:?}");
    assert!(!seen.contains(S3Fs::SECRET_KEY), "{seen}");
    let put = peer.only();
    assert!(!format!("{:?}", put.headers).contains(S3Fs::SECRET_KEY));
    let signature = put.header("authorization").rsplit("Signature=").next().unwrap();
    assert!(!seen.contains(signature), "whoever has the signature may send the request again");
}
