//! One exchange at a time, for as long as it holds.

use super::*;
use railhead_model::Timestamp;
use railhead_model::manifest::CredentialUse;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use tokio::sync::Notify;

#[derive(Default)]
struct Hand(AtomicU64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }

    fn monotonic_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

struct World {
    tokens: Arc<Tokens>,
    hand: Arc<Hand>,
    clock: Arc<dyn Clock>,
    exchanges: Arc<AtomicUsize>,
}

impl World {
    fn new() -> Self {
        let hand = Arc::new(Hand::default());
        Self { tokens: Arc::default(), clock: hand.clone(), hand, exchanges: Arc::default() }
    }

    fn at(&self, ms: u64) {
        self.hand.0.store(ms, Ordering::SeqCst);
    }

    /// Asks for a token; an exchange would bring this.
    async fn ask(&self, brings: Result<(&str, Option<u64>), Failure>) -> Result<String, &'static str> {
        let exchanges = self.exchanges.clone();
        let brings = brings.map(|(text, life_ms)| Fresh { token: token(text), life_ms });
        let exchange = async move {
            exchanges.fetch_add(1, Ordering::SeqCst);
            brings
        };
        self.tokens.exchanged("main", &self.clock, exchange).await.map(|token| text(&token)).map_err(|why| why.code)
    }

    fn kept(&self) -> Option<String> {
        self.tokens.kept("main", self.clock.monotonic_ms()).map(|token| text(&token))
    }

    fn count(&self) -> usize {
        self.exchanges.load(Ordering::SeqCst)
    }
}

fn token(text: &str) -> Arc<Secret> {
    Secret::derived("token", CredentialUse::Place, &["a".to_owned()], text.as_bytes().to_vec())
}

fn text(token: &Secret) -> String {
    String::from_utf8(token.bytes().to_vec()).unwrap()
}

fn failure(kind: FailureKind) -> Failure {
    Failure::new(kind, "test", "A test.")
}

#[tokio::test]
async fn a_token_is_kept_until_shortly_before_it_expires() {
    for (life_ms, kept_ms) in [
        (Some(3_600_000), 3_540_000),
        (Some(60_000), 54_000),
        (Some(1_000), 5_000),
        (Some(u64::MAX), 86_340_000),
        (None, 540_000),
    ] {
        let world = World::new();
        assert_eq!(world.kept(), None);
        assert_eq!(world.ask(Ok(("token-one", life_ms))).await.as_deref(), Ok("token-one"));
        world.at(kept_ms - 1);
        assert_eq!(world.kept().as_deref(), Some("token-one"), "{life_ms:?}");
        world.at(kept_ms);
        assert_eq!(world.kept(), None, "{life_ms:?}");
        assert!(!world.tokens.are_live(kept_ms));
    }
}

#[tokio::test]
async fn those_who_ask_at_once_share_one_exchange() {
    let world = World::new();
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let ask = || {
        let (exchanges, begun, go) = (world.exchanges.clone(), begun.clone(), go.clone());
        world.tokens.exchanged("main", &world.clock, async move {
            exchanges.fetch_add(1, Ordering::SeqCst);
            begun.notify_one();
            go.notified().await;
            Ok(Fresh { token: token("token-one"), life_ms: None })
        })
    };
    // The first one who asks stops waiting: the exchange goes on for the others.
    tokio::select! {
        _ = ask() => panic!("not before it may"),
        () = begun.notified() => {}
    }
    let others = futures::future::join_all((0..50).map(|_| ask()));
    let (made, ()) = tokio::join!(others, async { go.notify_one() });
    assert!(made.iter().all(|made| made.as_ref().is_ok_and(|token| text(token) == "token-one")));
    assert_eq!(world.count(), 1);
}

#[tokio::test]
async fn an_explicit_exchange_replaces_what_is_kept_but_not_within_ten_seconds() {
    let world = World::new();
    world.ask(Ok(("token-one", None))).await.unwrap();
    world.at(9_999);
    assert_eq!(world.ask(Ok(("token-two", None))).await.as_deref(), Ok("token-one"));
    world.at(10_000);
    assert_eq!(world.ask(Ok(("token-two", None))).await.as_deref(), Ok("token-two"));
    assert_eq!((world.kept().as_deref(), world.count()), (Some("token-two"), 2));
    // One that expired is replaced whenever it is asked for.
    world.at(30_000);
    world.ask(Ok(("token-three", Some(1_000)))).await.unwrap();
    world.at(35_000);
    assert_eq!(world.ask(Ok(("token-four", None))).await.as_deref(), Ok("token-four"));
}

#[tokio::test]
async fn a_failure_stands_for_a_moment() {
    for (kind, stands_ms) in [(FailureKind::Credential, 5_000), (FailureKind::Timeout, 2_000)] {
        let world = World::new();
        assert_eq!(world.ask(Err(failure(kind))).await, Err("test"));
        world.at(stands_ms - 1);
        assert_eq!((world.ask(Ok(("token-one", None))).await, world.count()), (Err("test"), 1), "{kind:?}");
        world.at(stands_ms);
        assert_eq!(world.ask(Ok(("token-one", None))).await.as_deref(), Ok("token-one"), "{kind:?}");
    }
    let world = World::new();
    assert_eq!(world.ask(Err(failure(FailureKind::Denied))).await, Err("test"));
    assert!(world.ask(Ok(("token-one", None))).await.is_ok(), "a request that was refused here says nothing of others");
}

#[tokio::test]
async fn a_token_to_be_renewed_serves_on_while_its_endpoint_is_down() {
    let world = World::new();
    world.ask(Ok(("token-one", Some(600_000)))).await.unwrap();
    world.at(545_000);
    assert_eq!(world.kept(), None);
    assert_eq!(world.ask(Err(failure(FailureKind::Connect))).await.as_deref(), Ok("token-one"));
    assert_eq!(world.kept().as_deref(), Some("token-one"));
    world.at(547_000);
    assert_eq!(world.ask(Err(failure(FailureKind::Credential))).await, Err("test"), "but not once it is refused");
    world.at(600_000);
    assert_eq!(world.ask(Err(failure(FailureKind::Connect))).await, Err("test"), "nor once it expired");
}

#[tokio::test]
async fn a_change_drops_what_is_kept_and_ends_what_is_under_way() {
    let world = World::new();
    world.ask(Ok(("token-one", None))).await.unwrap();
    world.tokens.clear();
    assert_eq!(world.kept(), None);
    let begun = Arc::new(Notify::new());
    let begins = begun.clone();
    let waiting = world.tokens.exchanged("main", &world.clock, async move {
        begins.notify_one();
        std::future::pending().await
    });
    let (made, ()) = tokio::join!(waiting, async {
        begun.notified().await;
        world.tokens.clear();
    });
    assert_eq!(made.unwrap_err().code, "exchange-ended");
    assert_eq!(world.ask(Ok(("token-two", None))).await.as_deref(), Ok("token-two"));
}

#[tokio::test]
async fn nothing_of_a_token_is_printed() {
    let world = World::new();
    world.ask(Ok(("token-one", None))).await.unwrap();
    assert_eq!(format!("{:?}", world.tokens), "Tokens { names: [\"main\"] }");
}

#[tokio::test]
async fn an_exchange_that_breaks_leaves_nobody_waiting() {
    let world = World::new();
    let broken = world.tokens.exchanged("main", &world.clock, async { panic!("a fault of the host") });
    assert_eq!(broken.await.unwrap_err().code, "exchange-ended");
    assert_eq!(world.ask(Ok(("token-one", None))).await.as_deref(), Ok("token-one"));
}

#[tokio::test]
async fn names_are_bounded() {
    let world = World::new();
    for n in 0..MAX_NAMES {
        let made = Ok(Fresh { token: token("token-one"), life_ms: None });
        world.tokens.exchanged(&n.to_string(), &world.clock, async { made }).await.unwrap();
    }
    assert_eq!(world.ask(Ok(("token-one", None))).await, Err("exchange-too-many"));
}
