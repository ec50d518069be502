//! A credential that rotates, overlaps and is withdrawn while sessions run.

use crate::support::{
    Answer, Receiver, SECRET, behave, call, deliver, eventually, misbehaving, sandbox, summary, target,
};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use railhead_sandbox::{CredentialValue, Target};
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

const NEWER: &str = "whsec_bmV3ZXIgc2VjcmV0IG9mIDMyIGJ5dGVzIGFuZCBtb3Jl";

/// A receiver that answers when it may, and knows which of its requests were cut before.
struct Held {
    url: String,
    /// Requests that came.
    came: Arc<Mutex<Vec<String>>>,
    /// Connections that their client closed while it waited for an answer.
    cut: watch::Receiver<usize>,
    answer: Arc<Notify>,
}

impl Held {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (sender, cut) = watch::channel(0);
        let held = Self { url, came: Arc::default(), cut, answer: Arc::default() };
        let (came, answer, sender) = (held.came.clone(), held.answer.clone(), Arc::new(sender));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (came, answer, sender) = (came.clone(), answer.clone(), sender.clone());
                tokio::spawn(async move {
                    let mut read = vec![0; 64 * 1024];
                    let length = stream.read(&mut read).await.unwrap_or(0);
                    came.lock().unwrap().push(String::from_utf8_lossy(&read[..length]).into_owned());
                    let gone = async { while stream.read(&mut read).await.is_ok_and(|more| more > 0) {} };
                    tokio::select! {
                        () = answer.notified() => {}
                        () = gone => return sender.send_modify(|cut| *cut += 1),
                    }
                    let _ =
                        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]").await;
                });
            }
        });
        held
    }

    fn count(&self) -> usize {
        self.came.lock().unwrap().len()
    }
}

/// The same destination at a later revision, with these versions of its signing secret, the newest first.
fn signed_with(before: &Target, later: i64, versions: &[(i64, &str)]) -> Arc<Target> {
    let mut after = before.clone();
    after.revision += later;
    let old = after.credentials.remove(0);
    let value = |(version, text): &(i64, &str)| CredentialValue {
        version: *version,
        value: text.as_bytes().to_vec().into(),
        ..old.clone()
    };
    after.credentials.splice(0..0, versions.iter().map(value));
    Arc::new(after)
}

#[tokio::test]
async fn receivers_get_both_signatures_while_a_rotation_overlaps() {
    let (sandbox, receiver) = (sandbox(), Receiver::start(Answer::Status(204)).await);
    let connector = sandbox.load(railhead_plugins::WEBHOOK).await.unwrap();
    let before = target(&connector, json!({ "url": receiver.url, "mode": "raw" }));
    let overlapping = signed_with(&before, 1, &[(2, NEWER), (1, SECRET)]);
    // The overlap ends without a new revision: time alone does it.
    let after = signed_with(&before, 1, &[(2, NEWER)]);
    for (target, secrets) in [(&before, &[SECRET][..]), (&overlapping, &[NEWER, SECRET]), (&after, &[NEWER])] {
        let settled = deliver(&sandbox, target, call(1, 10_000)).await;
        assert_eq!(summary(&settled)[0].0, "delivered");
        let (headers, body) = receiver.got.lock().unwrap().last().cloned().unwrap();
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        let signed =
            format!("{}.{}.{}", header("webhook-id"), header("webhook-timestamp"), String::from_utf8_lossy(&body));
        let signatures = secrets.iter().map(|secret| {
            let key = STANDARD.decode(secret.trim_start_matches("whsec_")).unwrap();
            let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes());
            format!("v1,{}", STANDARD.encode(signature))
        });
        assert_eq!(header("webhook-signature"), signatures.collect::<Vec<_>>().join(" "));
    }
    assert_eq!(sandbox.opened(), 3, "each set of versions has sessions of its own");
}

#[tokio::test]
async fn a_rotation_lets_what_runs_end_its_call_and_starts_anew_beside_it() {
    let (sandbox, receiver) = (sandbox(), Held::start().await);
    let connector = misbehaving(&sandbox).await;
    let before = target(&connector, json!({ "url": receiver.url, "behave": "slow-host" }));
    let after = signed_with(&before, 1, &[(2, NEWER)]);
    let old = deliver(&sandbox, &before, call(1, 30_000));
    let (old, new) = tokio::join!(old, async {
        eventually("the first request is under way", || receiver.count() == 1).await;
        sandbox.retire(before.destination);
        let new = deliver(&sandbox, &after, call(1, 30_000));
        let (new, ()) = tokio::join!(new, async {
            eventually("the second request is under way", || receiver.count() == 2).await;
            receiver.answer.notify_waiters();
        });
        new
    });
    for settled in [old, new] {
        assert_eq!(summary(&settled), [("delivered", "http-200".to_owned())]);
    }
    assert_eq!((sandbox.opened(), *receiver.cut.borrow()), (2, 0));
    let live = || sandbox.live() == 1;
    eventually("the old session is closed", live).await;
}

#[tokio::test]
async fn a_revocation_cuts_what_runs_and_lets_nothing_of_it_begin() {
    let (sandbox, mut receiver) = (sandbox(), Held::start().await);
    let connector = misbehaving(&sandbox).await;
    let before = target(&connector, json!({ "url": receiver.url, "behave": "slow-host" }));
    let (settled, ()) = tokio::join!(deliver(&sandbox, &before, call(2, 30_000)), async {
        eventually("the request is under way", || receiver.count() == 1).await;
        sandbox.revoke(before.destination, before.revision + 1);
    });
    let cut = ("uncertain", "credential-revoked".to_owned());
    assert_eq!(summary(&settled), [cut.clone(), cut], "it carried them, and may have arrived");
    receiver.cut.wait_for(|cut| *cut == 1).await.unwrap();
    eventually("its session is gone", || sandbox.live() == 0).await;

    let late = deliver(&sandbox, &before, call(1, 30_000)).await;
    assert_eq!(summary(&late), [("untried", "credential-revoked".to_owned())]);
    let checked = sandbox.check(before.clone(), call(0, 30_000)).await.unwrap_err();
    assert_eq!((checked.code.as_str(), receiver.count()), ("credential-revoked", 1));

    let after = Arc::new(Target { revision: before.revision + 1, ..(*target(&connector, behave("ok"))).clone() });
    assert_eq!(summary(&deliver(&sandbox, &after, call(1, 10_000)).await), [("delivered", "not-sent".to_owned())]);
}
