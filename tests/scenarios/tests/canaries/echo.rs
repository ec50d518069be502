//! A receiver that sends back everything it ever learned, in every spelling, in every place of an answer.

use super::search::{Canary, spellings};
use railhead_harness::peer::{Request, TlsAcceptor};
use railhead_harness::{Peer, Reply, Waits};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What is known of the caller at each path.
pub type Known = Arc<Mutex<BTreeMap<String, Vec<Canary>>>>;

/// An answer's first line follows the event's id: `…-500` fails with 500, `…-reset` resets the connection half way.
pub async fn start(tls: Option<TlsAcceptor>, known: Known) -> Peer {
    Peer::start_with(Waits::Request, tls, move |request| {
        let path = request.target().split('?').next().unwrap_or_default();
        let learned = known.lock().expect("not poisoned").get(path).cloned().unwrap_or_default();
        let id = request.headers("webhook-id").next().unwrap_or_default();
        if path.ends_with("/token") {
            return Reply::Whole(token(&learned));
        }
        if path.ends_with("/no-token") {
            return Reply::Whole(refused_token(&learned));
        }
        match id.rsplit('-').next() {
            Some("reset") => Reply::Reset(answer("200", request, &learned)[..8 * 1024].to_vec()),
            Some("500") => Reply::Whole(answer("500", request, &learned)),
            Some("400") => Reply::Whole(answer("400", request, &learned)),
            _ => Reply::Whole(answer("200", request, &learned)),
        }
    })
    .await
}

fn answer(status: &str, request: &Request, learned: &[Canary]) -> Vec<u8> {
    let whole = [request.head.as_bytes(), &request.body].concat();
    let reason = learned.first().map(|canary| canary.value.clone()).unwrap_or_default();
    let mut head = [format!("HTTP/1.1 {status} ").as_bytes(), &reason, b"\r\n"].concat();
    let mut body = whole.clone();
    let mut trailers = Vec::new();
    for (n, canary) in learned.iter().enumerate() {
        for (m, (_, spelling)) in spellings(&canary.value).into_iter().enumerate() {
            header(&mut head, &format!("x-echo-{n}-{m}"), &spelling);
            header(&mut trailers, &format!("x-trailer-{n}-{m}"), &spelling);
            body.extend_from_slice(b"\nfor you: ");
            body.extend(spelling);
        }
        let hex = hex::encode(&canary.value);
        header(&mut head, &format!("x-{hex}"), b"1");
        header(&mut head, &format!("x-{}", hex.to_uppercase()), b"1");
        header(&mut trailers, &format!("x-{hex}"), b"1");
        header(&mut head, "set-cookie", &canary.value);
        header(&mut head, "location", &canary.value);
    }
    for (_, spelling) in spellings(&whole) {
        body.push(b'\n');
        body.extend(spelling);
    }
    let chunk = [format!("{:x}\r\n", body.len()).as_bytes(), &body, b"\r\n0\r\n", &trailers, b"\r\n"].concat();
    [&head, &b"transfer-encoding: chunked\r\n\r\n"[..], &chunk].concat()
}

fn header(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    // What no header can hold would make the answer invalid, and then nobody would read it.
    head.extend(value.iter().filter(|byte| **byte >= b' ' && **byte != 127));
    head.extend_from_slice(b"\r\n");
}

fn json(status: &str, body: &serde_json::Value) -> Vec<u8> {
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n", body.len());
    format!("{head}\r\n{body}").into_bytes()
}

/// The first canary of the path is the token that is given out.
fn token(learned: &[Canary]) -> Vec<u8> {
    let token = learned.first().map(|canary| String::from_utf8_lossy(&canary.value).into_owned());
    json("200 OK", &serde_json::json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600}))
}

fn refused_token(learned: &[Canary]) -> Vec<u8> {
    let told = learned.iter().flat_map(|canary| spellings(&canary.value));
    let told: Vec<_> = told.map(|(_, spelling)| String::from_utf8_lossy(&spelling).into_owned()).collect();
    json("400 Bad", &serde_json::json!({"error": "invalid_client", "error_description": told.join("\n")}))
}
