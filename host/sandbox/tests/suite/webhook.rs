//! The webhook connector, as it will run.

use crate::support::{Answer, Receiver, SECRET, call, deliver, sandbox, summary, target};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use railhead_model::{BodyPart, Event};
use railhead_sandbox::Target;
use serde_json::json;
use std::sync::Arc;

#[tokio::test]
async fn events_arrive_signed_and_are_on_record() {
    let (sandbox, receiver) = (sandbox(), Receiver::start(Answer::Status(204)).await);
    let connector = sandbox.load(railhead_plugins::WEBHOOK).await.unwrap();
    let target = target(&connector, json!({ "url": receiver.url, "mode": "raw" }));

    let settled = deliver(&sandbox, &target, call(3, 10_000)).await;

    for (class, code) in summary(&settled) {
        assert_eq!((class, code.as_str()), ("delivered", "http-204"));
    }
    let got = receiver.got.lock().unwrap();
    assert_eq!(got.len(), 3);
    for (headers, body) in got.iter() {
        let header = |name: &str| headers[name].to_str().unwrap();
        let signed =
            format!("{}.{}.{}", header("webhook-id"), header("webhook-timestamp"), std::str::from_utf8(body).unwrap());
        let key = STANDARD.decode(SECRET.trim_start_matches("whsec_")).unwrap();
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes());
        assert_eq!(header("webhook-signature"), format!("v1,{}", STANDARD.encode(signature.as_ref())));
    }
    let exchanges = &settled[0].transcript.exchanges;
    assert_eq!(exchanges.len(), 1);
    assert_eq!(exchanges[0].request.body, [BodyPart::EventData]);
    assert_eq!(exchanges[0].response.as_ref().map(|response| response.status), Some(204));
}

#[tokio::test]
async fn a_payload_that_is_not_json_is_on_record_by_reference_too() {
    let (sandbox, receiver) = (sandbox(), Receiver::start(Answer::Status(204)).await);
    let connector = sandbox.load(railhead_plugins::WEBHOOK).await.unwrap();
    let mut call = call(1, 10_000);
    let mut event = Event::clone(&call.events[0].event);
    event.head.content_type = "text/plain".to_owned();
    call.events[0].event = Arc::new(event);
    let settled = deliver(&sandbox, &target(&connector, json!({ "url": receiver.url })), call).await;

    let encoded = STANDARD.encode("{\"n\": 0 }");
    let body = receiver.got.lock().unwrap()[0].1.clone();
    let sent: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(sent["data_base64"], encoded.as_str());
    let kept = &settled[0].transcript.exchanges[0].request.body;
    let [BodyPart::Text(_), BodyPart::InBase64, BodyPart::EventData, BodyPart::Text(end)] = kept.as_slice() else {
        panic!("{kept:?}");
    };
    assert_eq!(end, "\"}");
}

#[tokio::test]
async fn a_credential_too_short_to_be_masked_waits_for_its_owner() {
    let sandbox = sandbox();
    let connector = sandbox.load(railhead_plugins::WEBHOOK).await.unwrap();
    let mut target = Target::clone(&target(&connector, json!({ "url": "http://127.0.0.1:9/" })));
    target.credentials[1].value = b"1234567".to_vec().into();
    let settled = deliver(&sandbox, &Arc::new(target), call(1, 10_000)).await;
    assert_eq!(summary(&settled), [("misconfigured", "credential-invalid".to_owned())]);
}

#[tokio::test]
async fn a_preview_shows_the_requests_and_sends_nothing() {
    let (sandbox, receiver) = (sandbox(), Receiver::start(Answer::Status(204)).await);
    let connector = sandbox.load(railhead_plugins::WEBHOOK).await.unwrap();
    let target = target(&connector, json!({ "url": receiver.url }));

    let shown = sandbox.preview(target, call(2, 10_000)).await.unwrap();

    assert_eq!(shown.iter().map(|(events, _)| events.clone()).collect::<Vec<_>>(), [vec![0], vec![1]]);
    let request = &shown[0].1.request;
    assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", receiver.url.as_str()));
    assert!(request.headers.iter().any(|header| header.0 == "webhook-id"), "{request:?}");
    assert_eq!(receiver.count(), 0);
}

#[tokio::test]
async fn a_check_reaches_the_endpoint_without_an_event() {
    let (sandbox, receiver) = (sandbox(), Receiver::start(Answer::Status(405)).await);
    let connector = sandbox.load(railhead_plugins::WEBHOOK).await.unwrap();
    let target = target(&connector, json!({ "url": receiver.url }));

    let steps = sandbox.check(target, call(0, 10_000)).await.unwrap();

    assert!(steps.iter().all(Result::is_ok), "{steps:?}");
    assert_eq!(receiver.count(), 1);
    assert!(receiver.got.lock().unwrap()[0].1.is_empty());
}

#[tokio::test]
async fn a_configuration_that_the_connector_refuses_waits_for_a_person() {
    let sandbox = sandbox();
    let connector = sandbox.load(railhead_plugins::WEBHOOK).await.unwrap();
    let settled = deliver(&sandbox, &target(&connector, json!({ "what": 1 })), call(1, 10_000)).await;
    assert_eq!(summary(&settled), [("misconfigured", "session-open-failed".to_owned())]);
}
