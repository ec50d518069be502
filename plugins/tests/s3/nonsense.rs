//! A server that is no store, or breaks: no event is lost, and none is told as delivered.

use crate::answers::{error, stored};
use crate::run::{comes_again, destination, outcomes, told};
use railhead_plugin_harness::{Answer, HttpPeer, events};
use serde_json::json;

#[tokio::test]
async fn nonsense_is_never_an_arrival() {
    let page = Answer::status(200).header("content-type", "text/html").body("<html><title>Log in</title></html>");
    let deep = "<Error>".repeat(100_000);
    let binary = (0..=255).cycle().take(300_000).collect::<Vec<u8>>();
    for (answer, class, code) in [
        (page, "misconfigured", "not-a-store"),
        (Answer::status(204), "misconfigured", "not-a-store"),
        (Answer::status(302).header("location", "https://login.example"), "misconfigured", "not-a-store"),
        (Answer::status(405), "misconfigured", "refused"),
        (Answer::status(500).body(deep), "transient", "store-failed"),
        (Answer::status(502).body(binary), "transient", "store-failed"),
        (Answer::Flood(64 * 1024 * 1024), "uncertain", "answer-too-long"),
        (error(400, &"x".repeat(100_000), ""), "misconfigured", "refused"),
    ] {
        let peer = HttpPeer::answering(answer).unwrap();
        let settled = destination(peer.origin(), json!({})).await.deliver(events(2)).await;
        assert_eq!(outcomes(&settled), [(class, code); 2], "{settled:?}");
    }
}

#[tokio::test]
async fn what_breaks_may_have_arrived() {
    for answer in [Answer::Close, Answer::Reset, Answer::Bytes(b"SSH-2.0-OpenSSH_9.2\r\n".as_slice().into())] {
        let peer = HttpPeer::answering(answer.clone()).unwrap();
        let settled = destination(peer.origin(), json!({})).await.deliver(events(2)).await;
        assert!(settled.iter().all(|event| told(event).0 == "uncertain"), "{answer:?}: {settled:?}");
    }
    for answer in [Answer::Hang, Answer::HeadOnly(200)] {
        let peer = HttpPeer::answering(answer.clone()).unwrap();
        let settled = destination(peer.origin(), json!({})).await.deadline_ms(2_000).deliver(events(2)).await;
        assert_eq!(settled.len(), 2);
        assert!(settled.iter().all(|event| told(event).0 == "uncertain" && comes_again(&event.outcome)), "{settled:?}");
    }
}

#[tokio::test]
async fn one_object_that_hangs_does_not_keep_the_others() {
    let peer =
        HttpPeer::deciding(|received| if received.path().contains("order.paid") { Answer::Hang } else { stored() })
            .unwrap();
    let batch = vec![crate::run::of_type(1, "order.paid", "1"), crate::run::of_type(2, "order.created", "2")];
    let settled = destination(peer.origin(), json!({})).await.deadline_ms(3_000).deliver(batch).await;
    assert_eq!((told(&settled[0]).0, told(&settled[1]).1), ("uncertain", "stored"), "{settled:?}");
}
