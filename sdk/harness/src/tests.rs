//! The harness itself, with the webhook connector.

use crate::{Answer, Authority, Dialogue, Harness, HttpPeer, Options, Step, TcpPeer, event, events};
use railhead_model::{Outcome, OutcomeClass};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;

const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";

async fn came_to(harness: &Harness, url: &str, deadline_ms: u32) -> Outcome {
    let connector = harness.load(railhead_plugins::WEBHOOK).await.unwrap();
    let destination = harness.destination(&connector, json!({ "url": url })).credential("signing_secret", SECRET);
    destination.deadline_ms(deadline_ms).deliver_one(event(b"{}")).await.outcome
}

#[tokio::test]
async fn a_peer_answers_and_goes_wrong_as_it_is_told() {
    let harness = Harness::new().unwrap();
    let cases = [
        (Answer::status(204), OutcomeClass::Delivered),
        (Answer::text("429 Slow\r\nretry-after: 7"), OutcomeClass::Throttled),
        (Answer::Bytes(b"nonsense\r\n\r\n".as_slice().into()), OutcomeClass::Uncertain),
        (Answer::Close, OutcomeClass::Uncertain),
        (Answer::Reset, OutcomeClass::Uncertain),
        (Answer::Hang, OutcomeClass::Uncertain),
        (Answer::HeadOnly(200), OutcomeClass::Uncertain),
    ];
    for (answer, class) in cases {
        let peer = HttpPeer::answering(answer.clone()).unwrap();
        let deadline_ms = if matches!(answer, Answer::Hang | Answer::HeadOnly(_)) { 2_000 } else { 60_000 };
        let outcome = came_to(&harness, &peer.url("/hook"), deadline_ms).await;
        assert_eq!(outcome.class(), class, "{answer:?}: {outcome:?}");
        assert_eq!(peer.only().method(), "POST");
    }
    let port = TcpPeer::refused_port().unwrap();
    let refused = came_to(&harness, &format!("http://127.0.0.1:{port}/"), 60_000).await;
    assert_eq!(refused.class(), OutcomeClass::Transient, "{refused:?}");
}

#[tokio::test]
async fn a_peer_with_tls_is_trusted_by_its_authority() {
    let authority = Authority::new("Peers").unwrap();
    let peer = HttpPeer::with_tls(authority.server("localhost").unwrap(), |_| Answer::status(200)).unwrap();
    let harness = Harness::with(Options { roots: Some(authority.pem()), ..Options::default() }).unwrap();
    let trusted = came_to(&harness, &peer.url("/"), 60_000).await;
    assert_eq!(trusted.class(), OutcomeClass::Delivered, "{trusted:?}");
    let unknown = came_to(&Harness::new().unwrap(), &peer.url("/"), 60_000).await;
    assert_eq!(unknown.class(), OutcomeClass::Transient, "{unknown:?}");
}

#[tokio::test]
async fn sessions_go_when_a_destination_is_retired() {
    let harness = Harness::new().unwrap();
    let connector = harness.load(railhead_plugins::WEBHOOK).await.unwrap();
    let peer = HttpPeer::answering(Answer::status(200)).unwrap();
    let config = json!({ "url": peer.url("/hook") });
    let destination = harness.destination(&connector, config).credential("signing_secret", SECRET);
    assert_eq!(destination.deliver(events(3)).await.len(), 3);
    assert_eq!(destination.preview(events(2)).await.unwrap().len(), 2);
    assert_eq!(peer.received().len(), 3);
    destination.retire();
    harness.all_gone().await;
}

#[tokio::test]
async fn a_credential_that_the_manifest_does_not_have_is_a_mistake_of_the_test() {
    let harness = Harness::new().unwrap();
    let connector = harness.load(railhead_plugins::WEBHOOK).await.unwrap();
    let destination = harness.destination(&connector, json!({})).credential("passwrod", "12345678");
    let outcome = destination.deliver_one(event(b"{}")).await.outcome;
    assert_eq!(outcome.reason().code, "harness-credential");
    assert_eq!(destination.check().await.unwrap_err().code, "harness-credential");
}

#[test]
fn a_dialogue_goes_step_by_step() {
    let steps = vec![
        Step::Expect(b"hello\n".to_vec()),
        Step::Send(b"welcome\n".to_vec()),
        Step::ReadUntil(b"bye".to_vec()),
        Step::Close,
    ];
    let peer = TcpPeer::following(Dialogue(steps)).unwrap();
    let mut client = TcpStream::connect(("127.0.0.1", peer.port())).unwrap();
    client.write_all(b"hello\nand good bye").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "welcome\n");
    assert_eq!((peer.connections(), peer.received()), (1, vec![b"hello\nand good bye".to_vec()]));
    assert_eq!(peer.errors(), Vec::<String>::new());
}

#[test]
fn what_is_not_expected_ends_the_connection_and_is_kept() {
    let peer = TcpPeer::following(Dialogue(vec![Step::Expect(b"hello".to_vec())])).unwrap();
    let mut client = TcpStream::connect(("127.0.0.1", peer.port())).unwrap();
    client.write_all(b"howdy").unwrap();
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
    drop(client);
    while peer.errors().is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(peer.errors(), ["expected \"hello\", got \"howdy\""]);
}
