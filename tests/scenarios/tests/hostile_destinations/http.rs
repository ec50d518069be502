//! Servers that speak HTTP wrongly, slowly, or without end.

use super::{AMPLE_MS, Case, short_ms};
use flate2::Compression;
use flate2::write::GzEncoder;
use railhead_harness::{Peer, Reply};
use std::io::Write as _;
use std::time::Duration;

/// A whole answer of 200.
pub fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// The case whose answer is script wherever text may stand.
pub const SCRIPT_EVERYWHERE: &str = "script-everywhere";
/// What its header and its body say.
pub const SCRIPTS: [&str; 2] = ["<script>alert(2)</script>", "<script>alert(document.cookie)</script>"];

type Row = (&'static str, Reply, &'static str, &'static str, Option<u16>);

/// Every case, its peer listening.
pub async fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let short = (0..).map(short_ms).zip(without_end());
    let others = [cut_short(), too_much(), malformed(), odd_but_http()].into_iter().flatten();
    for (timeout_ms, (name, reply, outcome, code, status)) in short.chain(others.map(|row| (AMPLE_MS, row))) {
        let peer = Peer::start(move |_| reply.clone()).await;
        let url = peer.url("/hook");
        cases.push(Case { name, peer, url, expected: (outcome, code, status), timeout_ms });
    }
    cases
}

fn raw(text: impl Into<String>) -> Vec<u8> {
    text.into().into_bytes()
}

fn chunked(rest: &str) -> Vec<u8> {
    raw(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{rest}"))
}

const PAUSE: Duration = Duration::from_millis(20);

/// Only time ends these.
fn without_end() -> Vec<Row> {
    let head = raw("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
    vec![
        ("hung", Reply::Stall(Vec::new()), "uncertain", "timeout", None),
        ("hung-in-status", Reply::Stall(raw("HTTP/1.1 2")), "uncertain", "timeout", None),
        ("hung-in-head", Reply::Stall(raw("HTTP/1.1 200 OK\r\nx-a: b\r\n")), "uncertain", "timeout", None),
        ("hung-in-body", Reply::Stall(head.clone()), "uncertain", "body-timeout", Some(200)),
        ("hung-in-chunk", Reply::Stall(chunked("ff\r\nabc")), "uncertain", "body-timeout", Some(200)),
        ("hung-before-trailers", Reply::Stall(chunked("1\r\na\r\n0\r\n")), "uncertain", "body-timeout", Some(200)),
        (
            "slow-head",
            Reply::Drip(raw("HTTP/1.1 200 OK\r\n"), raw("x: y\r\n"), PAUSE * 10),
            "uncertain",
            "timeout",
            None,
        ),
        ("slow-body", Reply::Drip(head, raw("x"), PAUSE), "uncertain", "body-timeout", Some(200)),
        ("slow-chunks", Reply::Drip(chunked(""), raw("1\r\nx\r\n"), PAUSE), "uncertain", "body-timeout", Some(200)),
        // Not without end: the HTTP library reads as long as they come, and would hold its thread (host/sandbox/src/egress/
        // aside.rs says what becomes of such a peer).
        (
            "many-continues",
            Reply::Stall(raw("HTTP/1.1 100 Continue\r\n\r\n".repeat(20_000))),
            "uncertain",
            "timeout",
            None,
        ),
        (
            "slow-continues",
            Reply::Drip(Vec::new(), raw("HTTP/1.1 100 Continue\r\n\r\n"), PAUSE),
            "uncertain",
            "timeout",
            None,
        ),
    ]
}

fn cut_short() -> Vec<Row> {
    let half = raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf");
    vec![
        ("closed-at-once", Reply::Close(Vec::new()), "uncertain", "connection-closed", None),
        ("closed-in-status", Reply::Close(raw("HTTP/1.1 2")), "uncertain", "connection-closed", None),
        ("closed-in-head", Reply::Close(raw("HTTP/1.1 200 OK\r\nx-a")), "uncertain", "connection-closed", None),
        ("closed-in-body", Reply::Close(half.clone()), "uncertain", "connection-closed", Some(200)),
        ("closed-in-chunk", Reply::Close(chunked("ff\r\nabc")), "uncertain", "connection-closed", Some(200)),
        (
            "closed-before-last-chunk",
            Reply::Close(chunked("3\r\nabc\r\n")),
            "uncertain",
            "connection-closed",
            Some(200),
        ),
        ("reset-at-once", Reply::Reset(Vec::new()), "uncertain", "connection-reset", None),
        ("reset-in-body", Reply::Reset(half), "uncertain", "connection-reset", Some(200)),
    ]
}

fn too_much() -> Vec<Row> {
    let head = raw("HTTP/1.1 200 OK\r\n\r\n");
    let many: String = (0..150).map(|n| format!("x-{n}: a\r\n")).collect();
    let long = format!("x-long: {}\r\n", "a".repeat(70_000));
    let headers = |more: &str| Reply::Whole(raw(format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{more}\r\n")));
    let gzip = |bytes: Vec<u8>| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", bytes.len());
        Reply::Whole([raw(head), bytes].concat())
    };
    let bomb = bomb(64 << 20);
    let nested = bomb_of(&bomb);
    vec![
        ("endless-body", Reply::Endless(head.clone(), vec![b'x'; 65_536]), "delivered", "http-200", Some(200)),
        (
            "endless-chunks",
            Reply::Endless(chunked(""), raw(format!("1000\r\n{}\r\n", "x".repeat(0x1000)))),
            "delivered",
            "http-200",
            Some(200),
        ),
        (
            "endless-failure",
            Reply::Endless(raw("HTTP/1.1 500 No\r\n\r\n"), vec![0; 65_536]),
            "transient",
            "http-500",
            Some(500),
        ),
        ("gzip-bomb", gzip(bomb), "delivered", "http-200", Some(200)),
        ("gzip-bomb-twice", gzip(nested), "delivered", "http-200", Some(200)),
        ("many-headers", headers(&many), "uncertain", "answer-head-too-large", None),
        ("long-header", headers(&long), "uncertain", "answer-head-too-large", None),
        (
            "endless-headers",
            Reply::Endless(raw("HTTP/1.1 200 OK\r\n"), raw("x-more: and more\r\n")),
            "uncertain",
            "answer-head-too-large",
            None,
        ),
        (
            "endless-header",
            Reply::Endless(raw("HTTP/1.1 200 OK\r\nx: "), vec![b'a'; 4_096]),
            "uncertain",
            "answer-head-too-large",
            None,
        ),
        (
            "endless-status-line",
            Reply::Endless(raw("HTTP/1.1 200 "), vec![b'a'; 4_096]),
            "uncertain",
            "answer-head-too-large",
            None,
        ),
        (
            "endless-chunk-extension",
            Reply::Endless(chunked("1;"), vec![b'a'; 4_096]),
            "uncertain",
            "http-invalid",
            Some(200),
        ),
        (
            "endless-trailers",
            Reply::Endless(chunked("0\r\n"), raw("x-more: and more\r\n")),
            "uncertain",
            "http-invalid",
            Some(200),
        ),
    ]
}

fn malformed() -> Vec<Row> {
    let invalid = |name, text: &str| (name, Reply::Whole(raw(text)), "uncertain", "http-invalid", None);
    vec![
        invalid("ssh", "SSH-2.0-OpenSSH_9.6\r\n\r\n"),
        invalid("mail", "220 mail.test ESMTP\r\n\r\n"),
        invalid("html-alone", "<html><body><script>alert(1)</script></body></html>\r\n\r\n"),
        invalid("http-0.9", "hello\r\n\r\n"),
        invalid("http-3.7", "HTTP/3.7 200 OK\r\n\r\n"),
        invalid("status-of-letters", "HTTP/1.1 2OO OK\r\n\r\n"),
        invalid("status-of-four-digits", "HTTP/1.1 2000 OK\r\n\r\n"),
        invalid("status-below-zero", "HTTP/1.1 -20 OK\r\n\r\n"),
        invalid("null-in-header", "HTTP/1.1 200 OK\r\nx-a: b\0c\r\n\r\n"),
        invalid("header-without-name", "HTTP/1.1 200 OK\r\n: b\r\n\r\n"),
        invalid("space-in-header-name", "HTTP/1.1 200 OK\r\nx a: b\r\n\r\n"),
        invalid("length-of-letters", "HTTP/1.1 200 OK\r\ncontent-length: ten\r\n\r\n"),
        invalid("length-below-zero", "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n"),
        invalid("length-past-64-bits", "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n"),
        invalid("two-lengths", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
        ("chunk-size-of-letters", Reply::Whole(chunked("zz\r\nabc\r\n")), "uncertain", "http-invalid", Some(200)),
        (
            "chunk-size-past-64-bits",
            Reply::Whole(chunked("fffffffffffffffff\r\nabc")),
            "uncertain",
            "http-invalid",
            Some(200),
        ),
        (
            "upgrade-nobody-asked-for",
            Reply::Whole(raw("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n")),
            "transient",
            "http-101",
            Some(101),
        ),
    ]
}

/// Strange, but answers.
fn odd_but_http() -> Vec<Row> {
    let whole = |text: String| Reply::Whole(raw(text));
    let to = |status: u16, location: &str| {
        whole(format!("HTTP/1.1 {status} Go\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"))
    };
    let script =
        "<script>alert(document.cookie)</script><img src=x onerror=alert(1)>\u{1b}]0;owned\u{7}\u{202e}\u{0}\u{9b}31m";
    vec![
        (
            "slow-but-in-time",
            Reply::Drip(raw("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"), raw("x"), PAUSE),
            "delivered",
            "http-200",
            Some(200),
        ),
        ("redirect-301", to(301, "/again"), "transient", "http-301", Some(301)),
        (
            "redirect-302-inside",
            to(302, "http://169.254.169.254/latest/meta-data/"),
            "transient",
            "http-302",
            Some(302),
        ),
        ("redirect-303-to-itself", to(303, "/hook"), "transient", "http-303", Some(303)),
        ("redirect-307-file", to(307, "file:///etc/passwd"), "transient", "http-307", Some(307)),
        ("redirect-308-nowhere", to(308, ""), "transient", "http-308", Some(308)),
        (
            "gone",
            whole("HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n".into()),
            "permanent",
            "destination-gone",
            Some(410),
        ),
        (
            "status-999",
            whole("HTTP/1.1 999 What\r\ncontent-length: 0\r\n\r\n".into()),
            "transient",
            "http-999",
            Some(999),
        ),
        (
            "throttled-for-ever",
            whole("HTTP/1.1 429 Slow\r\nretry-after: 99999999999999999999\r\ncontent-length: 0\r\n\r\n".into()),
            "throttled",
            "http-429",
            Some(429),
        ),
        (
            "throttled-by-nonsense",
            whole("HTTP/1.1 429 Slow\r\nretry-after: <script>\r\ncontent-length: 0\r\n\r\n".into()),
            "throttled",
            "http-429",
            Some(429),
        ),
        (
            SCRIPT_EVERYWHERE,
            whole(format!(
                "HTTP/1.1 500 <script>alert(1)</script>\r\nx-script: <script>alert(2)</script>\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\r\n{script}",
                script.len()
            )),
            "transient",
            "http-500",
            Some(500),
        ),
        (
            "bytes-that-are-no-text",
            Reply::Close(
                [raw("HTTP/1.1 500 No\r\nx-bytes: \u{ff}\u{9b}\r\n\r\n"), vec![0xff, 0xfe, 0, 0x1b, 0x9b]].concat(),
            ),
            "transient",
            "http-500",
            Some(500),
        ),
        (
            "body-after-204",
            whole("HTTP/1.1 204 None\r\n\r\nbut there is one".into()),
            "delivered",
            "http-204",
            Some(204),
        ),
        (
            "length-and-chunks",
            whole(
                "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n".into(),
            ),
            "delivered",
            "http-200",
            Some(200),
        ),
    ]
}

/// So many zeros, compressed: a thousandth of them.
fn bomb(bytes: usize) -> Vec<u8> {
    bomb_of(&vec![0; bytes])
}

fn bomb_of(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes).expect("in memory");
    gzip.finish().expect("in memory")
}
