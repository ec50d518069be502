//! Uses a secret of each kind as its field may be used, at a destination that sends everything back; then logs what came,
//! shows it, and dies with it.

use hostile_kit::{
    Credential, Encoding, Failure, Given, Hostile, Part, Request, Response, Signed, body, credential, credentials,
    host, http, text,
};

#[derive(Default)]
struct Dying;

impl Hostile for Dying {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let request = match credential("link") {
            Ok(link) => Request::to_secret("POST", &link)?,
            Err(_) => given.post("/echo"),
        };
        request.carries(&given.all());
        request.body(&[text(given.config())])?;
        let refused = fill(&request, given)?;
        let told = format!("{} {}", everything(&http::send(request)?), refused.join(" "));
        // As much as the log takes, a line at a time.
        for line in given.config().split("\",\"") {
            host::log("info", line, &[]);
        }
        for line in told.as_bytes().chunks(800).take(50) {
            host::log("debug", &String::from_utf8_lossy(line), &[]);
        }
        given.call.show(&given.all(), "text/plain", told.as_bytes(), told.as_bytes());
        eprintln!("{told}");
        panic!("{told}");
    }
}

/// Every field that has a value, in its one use; what the host said of those that it does not let anybody use yet.
fn fill(request: &Request, given: &Given<'_>) -> Result<Vec<String>, Failure> {
    if let Ok(secret) = credential("text") {
        request.header("x-text", &[Part::Secret((&secret, Encoding::Raw))])?;
        // As it is: the destination writes it in every other way.
        request.body(&[text("user:"), Part::Secret((&secret, Encoding::Raw))])?;
    }
    if let Ok(map) = credential("map") {
        for name in map.attribute("names").unwrap_or_default().lines() {
            request.header(name, &[Part::Secret((&map, Encoding::Raw))])?;
        }
    }
    if let Ok(secret) = credential("client_secret") {
        let token = exchanged(given, &secret)?;
        request.header("authorization", &[text("Bearer "), Part::Secret((&token, Encoding::Raw))])?;
    }
    for (field, algorithm) in [("bytes", "hmac-sha256"), ("key", "ed25519")] {
        if let Ok(key) = credential(field) {
            let (header, message) = (format!("x-{field}"), [Signed::Body]);
            request.sign_header(&header, &[], "", " ", &message, &[&key], algorithm, Encoding::Hex)?;
        }
    }
    let mut refused = Vec::new();
    if let Ok(keys) = credential("aws") {
        refused.extend(request.sign_aws(&keys, "sqs", "eu-west-1").err().map(|failure| failure.message));
    }
    if let Ok(key) = credential("google") {
        refused.extend(credentials::jwt(&key, "rs256", "{}", "{}").err().map(|failure| failure.message));
    }
    Ok(refused)
}

fn exchanged(given: &Given<'_>, secret: &Credential) -> Result<Credential, Failure> {
    let request = Request::new("POST", &format!("{}/token", given.setting("token")));
    request.body(&[text("client_secret="), Part::Secret((secret, Encoding::Form))])?;
    http::exchange("dying", request, "bearer", &[("token".to_owned(), "/access_token".to_owned())])
}

/// Headers, body and trailers.
fn everything(answer: &Response) -> String {
    let lines = |all: Vec<(String, String)>| all.into_iter().map(|(name, value)| format!("{name}: {value}\n"));
    let head: String = lines(answer.headers()).collect();
    let end: String = lines(answer.trailers()).collect();
    format!("{head}{}{end}", body(answer))
}

hostile_kit::hostile!(Dying);
