//! The whole receiver of `host/RECEIVING.md`, as a process that a real host delivers to.

use super::{page, samples};
use railhead_harness::{Host, HostOptions, host};
use serde_json::json;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// Killed by its own id when dropped.
struct Receiver(Child);

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

async fn state(client: &railhead_harness::Client, id: &str) -> String {
    for _ in 0..200 {
        let (_, event) = client.get(&format!("/v1/tenants/acme/events/{id}")).await;
        let state = event["destinations"][0]["state"].as_str().unwrap_or_default().to_owned();
        if !["", "pending"].contains(&state.as_str()) {
            return state;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{id} has no state in 20 s");
}

async fn two_are_delivered(client: &railhead_harness::Client) -> bool {
    for _ in 0..200 {
        if client.list("/v1/tenants/acme/deliveries?state=delivered").await.len() == 2 {
            return true;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn the_receiver_of_the_page_takes_each_event_once_and_refuses_what_does_not_verify() {
    let (folder, data) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let page = page::read("host/RECEIVING.md");
    for (file, block) in [("verify.py", "python verify"), ("receiver.py", "python receiver")] {
        std::fs::write(folder.path().join(file), page::block(&page, block)).expect("written");
    }
    let address = host::free_port();
    let child = Command::new(samples::python())
        .arg("receiver.py")
        .current_dir(folder.path())
        .env("PORT", address.port().to_string())
        .env("WEBHOOK_SECRET", SECRET)
        .stdout(Stdio::piped())
        .spawn();
    let mut receiver = Receiver(child.expect("python runs"));
    let mut printed = BufReader::new(receiver.0.stdout.take().expect("piped")).lines();

    let host = Host::start(data.path(), &HostOptions::default()).await;
    let client = host.client();
    client.make_tenant("acme").await;
    let url = format!("http://{address}/hook");
    let mut hook = json!({"connector": "webhook", "config": {"url": url}, "credentials": {"signing_secret": SECRET},
                          "retry": {"schedule_ms": [1000, 1000, 1000, 1000, 1000]}});
    client.make_destination("acme", "hook", &hook).await;
    let publish = async |id: &str| {
        let event = json!({"tenant": "acme", "type": "order.created", "id": id, "data": {}});
        assert_eq!(client.post("/v1/events", &event).await.0, 202);
    };
    let mut next = || printed.next().expect("a line").expect("text");
    publish("first").await;
    assert_eq!(next(), "event first");
    assert_eq!(state(&client, "first").await, "delivered");

    // The same event again, and then another one: the receiver works on the other one only.
    let (status, body) = client.post("/v1/tenants/acme/replays", &json!({"filter": {}})).await;
    assert_eq!(status, 201, "{body}");
    assert!(two_are_delivered(&client).await, "{}", host.log());
    publish("second").await;
    assert_eq!(next(), "event second");

    hook["credentials"]["signing_secret"] = json!("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    client.make_destination("acme", "hook", &hook).await;
    publish("forged").await;
    assert_eq!(state(&client, "forged").await, "dead");
}
