//! SRV records are looked up below the configured server's domain, and nowhere else.

use crate::support::{context, open_policy};
use async_trait::async_trait;
use railhead_sandbox::egress::{AllowedOrigin, Egress, FailureKind, Names, Service};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

/// Knows the services of one name, and keeps what it was asked for.
struct Records(Arc<Mutex<Vec<String>>>);

#[async_trait]
impl Names for Records {
    async fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        Ok(Vec::new())
    }

    async fn services(&self, name: &str) -> io::Result<Vec<Service>> {
        self.0.lock().unwrap().push(name.to_owned());
        let service = |host: &str, port, priority, weight| Service { host: host.to_owned(), port, priority, weight };
        match name {
            "_mongodb._tcp.cluster0.abc.example.test" => Ok(vec![
                service("later.abc.example.test.", 27_017, 20, 100),
                service("light.abc.example.test.", 27_018, 10, 1),
                service("heavy.abc.example.test.", 27_019, 10, 50),
                service(".", 0, 5, 0),
            ]),
            "_down._tcp.cluster0.abc.example.test" => Err(io::ErrorKind::TimedOut.into()),
            _ => Ok(Vec::new()),
        }
    }
}

#[tokio::test]
async fn services_are_looked_up_where_the_manifest_discovers() {
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let egress = Egress::with_names(open_policy(), None, Arc::new(Records(asked.clone()))).unwrap();
    let mut ctx = context("cluster0.abc.example.test", 27_017, &[]);
    let lookup = async |name: &str, ctx: &_| egress.lookup_srv(name, ctx).await.map_err(|failure| failure.code);
    assert_eq!(lookup("_mongodb._tcp.cluster0.abc.example.test", &ctx).await, Err("srv-not-allowed"));
    ctx.origins = [AllowedOrigin::server("server", "cluster0.abc.example.test", 27_017, true).unwrap()].into();
    for name in ["_mongodb._tcp.example.test", "_mongodb._tcp.evil.test", "_mongodb._tcp.xabc.example.test"] {
        assert_eq!(lookup(name, &ctx).await, Err("srv-not-allowed"), "{name}");
    }
    for name in ["", "cluster0.abc.example.test", "_mongodb.cluster0.abc.example.test", "_a b._tcp.abc.example.test"] {
        assert_eq!(lookup(name, &ctx).await, Err("srv-invalid"), "{name}");
    }
    assert!(asked.lock().unwrap().is_empty());
    let hosts = ["heavy.abc.example.test", "light.abc.example.test", "later.abc.example.test"].map(str::to_owned);
    let found: Vec<_> = hosts.into_iter().zip([27_019, 27_018, 27_017]).collect();
    assert_eq!(lookup("_MongoDB._tcp.Cluster0.abc.example.test.", &ctx).await, Ok(found));
    assert_eq!(lookup("_none._tcp.abc.example.test", &ctx).await, Err("dns-not-found"));
    let failure = egress.lookup_srv("_down._tcp.cluster0.abc.example.test", &ctx).await.unwrap_err();
    assert_eq!((failure.kind, failure.code), (FailureKind::Dns, "dns-failed"));
}
