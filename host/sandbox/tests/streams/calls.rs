//! Streams of a guest: what its calls come to, and what is on record of them.

use crate::support::{Authority, LONG, Server, echo, egress};
use railhead_model::event::Head;
use railhead_model::manifest::{CredentialKind, CredentialUse};
use railhead_model::{BodyPart, Event, EventUid, Exchange, SystemClock, Timestamp};
use railhead_sandbox::{
    Call, CallEvent, Connector, CredentialValue, Sandbox, SandboxConfig, Settle, SettledEvent, Target,
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::io::AsyncWriteExt as _;

const PASSWORD: &str = "hunter2-hunter3";

struct World {
    sandbox: Arc<Sandbox>,
    connector: Arc<Connector>,
}

impl World {
    async fn new(authority: Option<&Authority>) -> Self {
        let config = SandboxConfig { max_instances: 8, ..SandboxConfig::default() };
        let sandbox = Sandbox::new(config, Arc::new(egress(authority)), Arc::new(SystemClock::new())).unwrap();
        let connector = sandbox.load(railhead_test_guests::STREAMING).await.unwrap();
        Self { sandbox, connector }
    }

    fn target(&self, port: u16, script: Value) -> Arc<Target> {
        let credential = |field: &str, usage, value: &str| CredentialValue {
            field: field.to_owned(),
            version: 1,
            kind: CredentialKind::Text,
            usage,
            value: value.as_bytes().to_vec().into(),
        };
        Arc::new(Target {
            connector: self.connector.clone(),
            tenant: 1,
            tenant_id: "acme".to_owned(),
            destination: 7,
            revision: 1,
            config: json!({ "host": "localhost", "port": port, "script": script }),
            credentials: vec![
                credential("password", CredentialUse::Wire, PASSWORD),
                credential("elsewhere", CredentialUse::Wire, "swordfish-sword"),
                credential("api_key", CredentialUse::Place, "sk_live_0123456789"),
            ],
        })
    }

    /// Hands two events over.
    async fn deliver(&self, target: &Arc<Target>, deadline_ms: u32) -> Vec<SettledEvent> {
        self.deliver_call(target, call(deadline_ms)).await
    }

    async fn deliver_call(&self, target: &Arc<Target>, call: Call) -> Vec<SettledEvent> {
        let settled = Arc::new(Mutex::new(Vec::new()));
        let keep = settled.clone();
        let settle: Settle = Arc::new(move |settled| keep.lock().unwrap().extend(settled));
        self.sandbox.deliver(target.clone(), call, settle).await;
        let mut settled = std::mem::take(&mut *settled.lock().unwrap());
        settled.sort_by_key(|event| event.index);
        assert_eq!(settled.len(), 2);
        settled
    }

    /// What each step of a script came to.
    async fn said(&self, port: u16, script: Value) -> Vec<String> {
        let settled = self.deliver(&self.target(port, script), 60_000).await;
        settled[0].outcome.reason().message.split(" | ").map(str::to_owned).collect()
    }
}

fn call(deadline_ms: u32) -> Call {
    let at = Timestamp(1_700_000_000_000);
    let event = |n: u8| Event {
        uid: EventUid::new(at, [n; 10]),
        id: format!("order-{n}"),
        event_type: "order.created".to_owned(),
        accepted_at: at,
        head: Head { source: "/".to_owned(), time: at.to_string(), ..Head::default() },
        data: bytes::Bytes::from(format!("{{\"n\": {n}}}")),
    };
    let events = (0..2).map(|n| CallEvent { event: Arc::new(event(n)), attempt: 1, traceparent: None }).collect();
    Call { batch_id: "batch-1".to_owned(), batched: false, deadline_ms, events }
}

fn words(settled: &[SettledEvent]) -> Vec<(&'static str, &str)> {
    settled.iter().map(|event| (event.outcome.class().as_str(), event.outcome.reason().code.as_str())).collect()
}

#[tokio::test]
async fn a_guest_upgrades_logs_in_and_writes_events() {
    let authority = Authority::new("known");
    let served = authority.acceptor(&["localhost"]);
    let server = Server::start(move |mut stream| {
        let served = served.clone();
        async move {
            let mut request = [0; 4];
            tokio::io::AsyncReadExt::read_exact(&mut stream, &mut request).await.unwrap();
            stream.write_all(b"S").await.unwrap();
            echo(served.accept(stream).await.unwrap()).await;
        }
    })
    .await;
    let world = World::new(Some(&authority)).await;
    let script = json!([
        { "connect": "upgrade" },
        { "binding": 0 },
        { "write": [0, [{ "text": "SSL?" }]] },
        { "read_exact": [0, 1] },
        { "start_tls": 0 },
        { "write": [0, [{ "text": "PASS " }, { "secret": "password" }, { "text": "\n" }]] },
        { "read_exact": [0, 21] },
        { "write": [0, [{ "composed": "password" }]] },
        { "read_exact": [0, 32] },
        { "write": [0, [{ "event": 1 }, { "text": ";" }, { "event_base64": 1 }]] },
        { "read_exact": [0, 21] },
        { "write": [0, [{ "secret": "elsewhere" }]] },
        { "write": [0, [{ "secret": "api_key" }]] },
        { "write": [0, [{ "event": 7 }]] },
        { "drop": 0 },
    ]);
    let said = world.said(server.port, script).await;
    let stars = "*".repeat(PASSWORD.len());
    let composed = "*".repeat(2 * PASSWORD.len() + 2);
    assert_eq!(
        said,
        [
            "ok",
            "none",
            "ok",
            "S",
            "ok",
            "ok",
            &format!("PASS {stars} "),
            "ok",
            &composed,
            "ok",
            "{\"n\": 1};eyJuIjogMX0=",
            "denied:secret-not-for-origin",
            "denied:credential-use",
            "invalid:no-such-event",
            "ok",
        ]
    );
}

#[tokio::test]
async fn a_guest_waits_for_several_connections() {
    let turns = Arc::new(Mutex::new(0));
    let server = Server::start(move |mut stream| {
        let mut turns = turns.lock().unwrap();
        *turns += 1;
        let turn = *turns;
        async move {
            match turn {
                1 => std::future::pending::<()>().await,
                2 => stream.write_all(b"hello").await.unwrap(),
                _ => drop(stream),
            }
            std::future::pending::<()>().await;
        }
    })
    .await;
    let world = World::new(None).await;
    let said = world
        .said(
            server.port,
            json!([
                { "connect": "plain" },
                { "connect": "plain" },
                { "wait": [[0, 1], 60_000] },
                { "read_exact": [1, 5] },
                { "wait": [[0, 1], 20] },
                { "connect": "plain" },
                { "wait": [[0, 1, 2], 60_000] },
                { "read": [2, 16, 60_000] },
                { "wait": [[], 20] },
            ]),
        )
        .await;
    assert_eq!(said, ["ok", "ok", "[1]", "hello", "[]", "ok", "[2]", "", "[]"]);
}

#[tokio::test]
async fn connections_are_few_and_those_dropped_make_room() {
    let server = Server::echo().await;
    let mut script = vec![json!({ "connect": "plain" }); 9];
    script.extend([json!({ "drop": 3 }), json!({ "connect": "plain" })]);
    let said = World::new(None).await.said(server.port, script.into()).await;
    let mut expected = ["ok"; 11];
    expected[8] = "toolarge:too-many-connections";
    assert_eq!(said, expected);
}

#[tokio::test]
async fn connections_live_on_from_call_to_call() {
    let server = Server::echo().await;
    let world = World::new(None).await;
    // In the second call the first connection is still there: number 0.
    let script = json!([{ "connect": "plain" }, { "write": [0, [{ "text": "hi" }]] }, { "read_exact": [0, 2] }]);
    let target = world.target(server.port, script);
    for _ in 0..2 {
        let settled = world.deliver(&target, 60_000).await;
        assert_eq!(settled[0].outcome.reason().message, "ok | ok | hi");
    }
    server.has_accepted(2).await;
    world.sandbox.retire(7);
}

#[tokio::test]
async fn a_preview_opens_nothing_and_shows() {
    let server = Server::echo().await;
    let world = World::new(None).await;
    let script = json!([
        { "connect": "plain" },
        { "connect_to": ["localhost", 1_024, "plain"] },
        { "lookup_srv": "_a._tcp.localhost" },
        { "show": [format!("INSERT {PASSWORD}"), "OK"] },
    ]);
    let shown = world.sandbox.preview(world.target(server.port, script), call(60_000)).await.unwrap();
    let texts: Vec<_> = shown.iter().map(|(events, exchange)| (events.clone(), body(exchange))).collect();
    let said = "preview:preview | preview:preview | preview:preview | ok";
    assert_eq!(texts, [(vec![0, 1], "INSERT ••••".to_owned()), (vec![0, 1], said.to_owned())]);
    assert_eq!(shown[0].1.request.headers[0].1, "application/sql");
    assert_eq!(server.accepts(), 0);
}

fn body(exchange: &Exchange) -> String {
    exchange.request.body.iter().map(|part| if let BodyPart::Text(text) = part { text.as_str() } else { "?" }).collect()
}

#[tokio::test]
async fn what_was_written_before_a_trap_is_uncertain() {
    let server = Server::echo().await;
    let world = World::new(None).await;
    let connect = json!({ "connect": "plain" });
    let write = json!({ "write": [0, [{ "event": 0 }]] });
    let cases = [
        (json!([connect, "trap"]), [("transient", "plugin-trap"); 2]),
        (json!([connect, write, "trap"]), [("uncertain", "plugin-trap"); 2]),
        (json!([connect, "settle_first", write, "trap"]), [("delivered", "first"), ("uncertain", "plugin-trap")]),
        (json!([connect, "silent"]), [("untried", "unsettled"); 2]),
        (json!([connect, write, "silent"]), [("uncertain", "unsettled"); 2]),
    ];
    for (revision, (script, expected)) in (2..).zip(cases) {
        let mut target = world.target(server.port, script.clone());
        Arc::get_mut(&mut target).unwrap().revision = revision;
        assert_eq!(words(&world.deliver(&target, 60_000).await), expected, "{script}");
    }
}

#[tokio::test]
async fn a_hung_server_leaves_time_to_settle() {
    let server = Server::start(|stream| async move {
        let _kept = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let world = World::new(None).await;
    let cases =
        [(json!({ "read": [0, 1, 4_000_000] }), "timeout:read-timeout"), (json!({ "wait": [[0], 4_000_000] }), "[]")];
    for (revision, (step, came)) in (2..).zip(cases) {
        let mut target = world.target(server.port, json!([{ "connect": "plain" }, step]));
        Arc::get_mut(&mut target).unwrap().revision = revision;
        let settled = world.deliver(&target, 3_000).await;
        assert_eq!(words(&settled), [("delivered", "done"); 2], "not cut by the deadline");
        assert_eq!(settled[0].outcome.reason().message, format!("ok | {came}"));
    }
}

#[tokio::test]
async fn a_flood_burns_the_guests_own_time() {
    let server =
        Server::start(|mut stream| async move { while stream.write_all(&[b'x'; 64 * 1024]).await.is_ok() {} }).await;
    let world = World::new(None).await;
    let settled =
        world.deliver(&world.target(server.port, json!([{ "connect": "plain" }, { "drain": 0 }])), 60_000).await;
    assert_eq!(words(&settled), [("transient", "cpu-limit"); 2]);
}

#[tokio::test]
async fn the_record_has_what_was_shown_or_how_much_was_exchanged() {
    let authority = Authority::new("known");
    let server = Server::tls_echo(&authority).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let world = World::new(Some(&authority)).await;
    let script = json!([
        { "connect": "tls" }, { "write": [0, [{ "text": "12345678" }]] }, { "read_exact": [0, 8] }, { "drop": 0 },
        { "connect_to": ["localhost", nobody, "tls"] },
    ]);
    let settled = world.deliver(&world.target(server.port, script), 60_000).await;
    let exchanges = &settled[1].transcript.exchanges;
    assert_eq!(exchanges.len(), 2);
    let (first, refused) = (&exchanges[0], &exchanges[1]);
    assert_eq!(
        (first.request.method.as_str(), first.request.url.clone()),
        ("", format!("tcp://localhost:{}", server.port))
    );
    assert_eq!((first.request.body_bytes, first.request.body.clone()), (8, vec![BodyPart::Omitted(8)]));
    assert_eq!(first.response.as_ref().unwrap().body_bytes, 8);
    assert_eq!((first.request.headers[0].0.as_str(), first.request.headers[0].1.as_str()), ("tls", "TLSv1_3"));
    assert!(first.failure.is_none() && first.timings.connect_us.is_some() && first.timings.total_us > 0);
    assert_eq!(refused.failure.as_ref().unwrap().code, "connect-refused");
    assert!(refused.response.is_none());

    let script = json!([{ "show": [format!("SELECT '{PASSWORD}'"), "1 row"] }]);
    let mut target = world.target(server.port, script);
    Arc::get_mut(&mut target).unwrap().revision = 2;
    let settled = world.deliver(&target, 60_000).await;
    let exchanges = &settled[0].transcript.exchanges;
    assert_eq!((exchanges.len(), body(&exchanges[0]).as_str()), (1, "SELECT '••••'"));
    assert_eq!(exchanges[0].response.as_ref().unwrap().body, [BodyPart::Text("1 row".to_owned())]);
}

#[tokio::test]
async fn checks_may_use_streams() {
    let server = Server::echo().await;
    let world = World::new(None).await;
    let script = json!([{ "connect": "plain" }, { "write": [0, [{ "text": "hi" }]] }, { "read_exact": [0, 2] }]);
    let mut call = call(60_000);
    call.events.clear();
    let steps = tokio::time::timeout(LONG, world.sandbox.check(world.target(server.port, script), call)).await;
    assert_eq!(steps.unwrap().unwrap(), [Ok("ok | ok | hi".to_owned())]);
}

#[tokio::test]
async fn what_one_write_comes_to_is_bounded_event_data_included() {
    let server = Server::start(|mut stream| async move {
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    })
    .await;
    let world = World::new(None).await;
    let script = json!([
        { "connect": "plain" },
        { "write": [0, vec![json!({ "event_base64": 0 }); 25]] },
        { "write": [0, vec![json!({ "event": 0 }); 33]] },
        { "write": [0, [{ "event_base64": 0 }, { "event": 0 }]] },
    ]);
    let mut call = call(60_000);
    Arc::get_mut(&mut call.events[0].event).unwrap().data = vec![b'x'; 1 << 20].into();
    let settled = world.deliver_call(&world.target(server.port, script), call).await;
    let refused = "toolarge:write-too-large";
    assert_eq!(settled[0].outcome.reason().message, ["ok", refused, refused, "ok"].join(" | "));
    let sent = settled[0].transcript.exchanges[0].request.body_bytes;
    assert_eq!(sent, (1 << 20) + (1_u64 << 20).div_ceil(3) * 4, "nothing of what was refused, and base64 of the whole");
}

#[tokio::test]
async fn a_wait_takes_each_connection_once() {
    let server = Server::echo().await;
    let world = World::new(None).await;
    let script = json!([{ "connect": "plain" }, { "wait": [[0, 0], 20] }]);
    let settled = world.deliver(&world.target(server.port, script), 60_000).await;
    assert_eq!(words(&settled), [("transient", "plugin-trap"); 2]);
    assert!(settled[0].outcome.reason().message.contains("a wait takes each connection once"), "{settled:?}");
}
