//! The hosts of AWS themselves: their names lead to this machine, where TLS for them stands before `moto`.

use crate::policies::{ROLE, moto};
use crate::run::{events_of_two_types, outcomes};
use crate::store::pass_on;
use async_trait::async_trait;
use railhead_harness::s3;
use railhead_model::manifest::CredentialKind;
use railhead_model::{Clock, Event, SystemClock};
use railhead_plugin_harness::{Authority, HttpPeer, Received, SettledEvent};
use railhead_sandbox::egress::{Egress, EgressPolicy, Names, Service};
use railhead_sandbox::{Call, CallEvent, CredentialValue, Sandbox, SandboxConfig, Target};
use rcgen::CertificateParams;
use serde_json::{Value, json};
use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

const STORE: &str = "events.s3.eu-west-1.amazonaws.com";
const TOKENS: &str = "sts.eu-west-1.amazonaws.com";
/// An address of this machine that nothing else uses: AWS listens at port 443, and so must whoever stands for it.
const HERE: Ipv4Addr = Ipv4Addr::new(127, 77, 4, 43);

struct Leading;

#[async_trait]
impl Names for Leading {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let known = matches!(name, STORE | TOKENS);
        if known { Ok(vec![HERE.into()]) } else { Err(io::Error::other("no such name")) }
    }

    async fn services(&self, _: &str) -> io::Result<Vec<Service>> {
        Ok(Vec::new())
    }
}

/// Carries what comes to port 443 on to a server.
fn gate(listener: TcpListener, to: u16) {
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
            for (mut from, mut into) in [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)] {
                thread::spawn(move || {
                    let _ = io::copy(&mut from, &mut into);
                    let _ = into.shutdown(std::net::Shutdown::Write);
                });
            }
        }
    });
}

struct Aws {
    sandbox: Arc<Sandbox>,
    target: Target,
}

impl Aws {
    async fn new(roots: &str, config: Value, operator: String) -> Self {
        let policy = EgressPolicy { allow: vec![IpAddr::from(HERE).into()], ..EgressPolicy::default() };
        let egress = Egress::with_names(policy, Some(roots.as_bytes()), Arc::new(Leading)).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let sandbox =
            Sandbox::new(SandboxConfig { cpu_budget_ms: 10_000, ..SandboxConfig::default() }, Arc::new(egress), clock)
                .unwrap();
        let connector = sandbox.load(railhead_plugins::S3).await.unwrap();
        let field = connector.manifest.credentials.iter().find(|field| field.operator).unwrap().clone();
        assert_eq!(field.kind, CredentialKind::Aws);
        let value = CredentialValue {
            field: field.name,
            version: 0,
            kind: field.kind,
            usage: field.usage,
            value: operator.into_bytes().into(),
        };
        let target = Target {
            connector,
            tenant: 1,
            tenant_id: "acme".to_owned(),
            destination: 1,
            revision: 1,
            config,
            credentials: vec![value],
        };
        Self { sandbox, target }
    }

    async fn deliver(&self, events: Vec<Event>) -> Vec<SettledEvent> {
        let settled: Arc<Mutex<Vec<SettledEvent>>> = Arc::default();
        let keep = settled.clone();
        let with = |event| CallEvent { event: Arc::new(event), attempt: 1, traceparent: None };
        let call = Call {
            batch_id: "bat_1_1".to_owned(),
            batched: true,
            deadline_ms: 60_000,
            events: events.into_iter().map(with).collect(),
        };
        let settle = Arc::new(move |new| keep.lock().unwrap().extend(new));
        self.sandbox.deliver(self.target.clone(), call, settle).await;
        let mut settled = std::mem::take(&mut *settled.lock().unwrap());
        settled.sort_by_key(|event: &SettledEvent| event.index);
        settled
    }
}

#[tokio::test]
async fn the_services_own_identity_assumes_a_role_with_the_tenants_external_id() {
    let Some((moto, keys)) = moto() else { return };
    let listener = TcpListener::bind((HERE, 443)).ok().or_else(|| s3::skipped("port 443 cannot be had"));
    let Some(listener) = listener else { return };
    let authority = Authority::new("Stands for Amazon").unwrap();
    let names = CertificateParams::new([STORE.to_owned(), TOKENS.to_owned()]).unwrap();
    let address = moto.address();
    let peer = HttpPeer::with_tls(authority.server_with(names).unwrap(), move |received: &Received| {
        pass_on(address, received, |_| ())
    });
    let peer = peer.unwrap();
    gate(listener, peer.origin().rsplit(':').next().unwrap().parse().unwrap());

    let operator = &keys["operator"];
    let text = |name: &str| operator[name].as_str().unwrap().to_owned();
    let (id, secret) = (text("access_key_id"), text("secret_access_key"));
    let mut own: Value = serde_json::from_str(&s3::keys(&id, &secret, None)).unwrap();
    own["external_id"] = "acme+7f3b/2".into();
    let config = json!({"bucket": "events", "region": "eu-west-1", "prefix": "live", "role_arn": ROLE});
    let aws = Aws::new(&authority.pem(), config, own.to_string()).await;
    for code in ["stored", "duplicate"] {
        let settled = aws.deliver(events_of_two_types()).await;
        assert_eq!(outcomes(&settled), [("delivered", code); 3], "{settled:?}");
        assert!(!format!("{settled:?}").contains(&secret));
    }
    let received = peer.received();
    let of = |host: &str| received.iter().filter(|request| request.header("host") == host).collect::<Vec<_>>();
    let (asked, puts) = (of(TOKENS), of(STORE));
    assert_eq!((asked.len(), puts.len()), (1, 4));
    assert!(asked[0].text().contains("&ExternalId=acme%2B7f3b%2F2"), "{}", asked[0].text());
    // Percent-encoded JSON: the session may write there, and nowhere else.
    let policy = asked[0].text().split("&Policy=").nth(1).unwrap().to_owned();
    assert!(policy.contains("arn%3Aaws%3As3%3A%3A%3Aevents%2Flive%2F%2A"), "{policy}");
    assert!(asked[0].header("authorization").contains(&format!("Credential={id}/")));
    assert!(
        puts.iter().all(|put| !put.header("authorization").contains(&id)),
        "the operator's keys sign for the token service only"
    );
}
