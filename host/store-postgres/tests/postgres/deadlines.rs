//! A network that fails: every call answers, and says whether it may have been done.

use crate::fixture::{Fixture, NOON};
use crate::server;
use railhead_model::Ordering;
use railhead_store::directory::Expect;
use railhead_store::{Accept, Accepted, Directory, History, StoreError, WorkStore};
use railhead_store_postgres::{PostgresOptions, PostgresStore};
use sqlx::{Connection, PgConnection};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// What happens to bytes on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// They arrive.
    Open,
    /// None arrives, and nobody is told.
    Stalled,
    /// The server hears, and its answers are lost.
    Deaf,
    /// Every connection is reset.
    Broken,
}

/// A network between a store and its server.
struct Network {
    way: watch::Sender<Way>,
    trap: Trap,
    url: String,
}

/// Words of the store at which the way changes, before they are let through.
type Trap = Arc<Mutex<Option<(String, Way)>>>;

impl Network {
    async fn to(database: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (way, trap) = (watch::Sender::new(Way::Open), Trap::default());
        let (of_all, trap_of_all) = (way.clone(), Arc::clone(&trap));
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, of_all.clone(), Arc::clone(&trap_of_all)));
            }
        });
        Self { way, trap, url: format!("postgres://railhead@127.0.0.1:{port}/{database}?sslmode=disable") }
    }

    fn is(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// It changes as soon as the store says this.
    fn will_be(&self, way: Way, at: &str) {
        *self.trap.lock().expect("the trap") = Some((at.to_owned(), way));
    }
}

async fn carry(near: TcpStream, way: watch::Sender<Way>, trap: Trap) {
    let Ok(far) = UnixStream::connect(server::socket()).await else { return };
    let (mut near_in, mut near_out) = near.into_split();
    let (mut far_in, mut far_out) = far.into_split();
    let mut broken = way.subscribe();
    tokio::select! {
        () = pass(&mut near_in, &mut far_out, &way, &[Way::Open, Way::Deaf], Some(&trap)) => {}
        () = pass(&mut far_in, &mut near_out, &way, &[Way::Open], None) => {}
        _ = broken.wait_for(|way| *way == Way::Broken) => {}
    }
}

/// Copies while the way is one of these.
async fn pass(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    way: &watch::Sender<Way>,
    goes: &[Way],
    trap: Option<&Trap>,
) {
    let mut seen = way.subscribe();
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(n) = from.read(&mut bytes).await {
        if let Some(trap) = trap {
            spring(trap, &bytes[..n], way);
        }
        let open = seen.wait_for(|way| goes.contains(way)).await.is_ok();
        if n == 0 || !open || to.write_all(&bytes[..n]).await.is_err() {
            return;
        }
    }
}

fn spring(trap: &Trap, bytes: &[u8], way: &watch::Sender<Way>) {
    let mut trap = trap.lock().expect("the trap");
    if trap.as_ref().is_some_and(|(words, _)| bytes.windows(words.len()).any(|part| part == words.as_bytes()))
        && let Some((_, then)) = trap.take()
    {
        way.send_replace(then);
    }
}

/// A store behind such a network, with short limits, and the same database beside it.
async fn behind() -> Option<(Network, PostgresStore, Fixture)> {
    let fixture = Fixture::new().await?;
    fixture.store.ensure_partitions(NOON).await.expect("partitions");
    let mut connection = PgConnection::connect(&fixture.url).await.expect("a connection");
    let name: String =
        sqlx::query_scalar("SELECT current_database()::text").fetch_one(&mut connection).await.expect("a name");
    let network = Network::to(&name).await;
    let options = PostgresOptions {
        engine_connections: 2,
        desk_connections: 2,
        acquire_ms: 4_000,
        engine_call_ms: 4_000,
        desk_call_ms: 4_000,
        ..PostgresOptions::default()
    };
    let store = PostgresStore::connect(&network.url, &options).await.expect("a connection");
    Some((network, store, fixture))
}

/// Calls until the network's new state is felt by every connection that was made before.
async fn until_stored(store: &PostgresStore, event: &railhead_store::NewEvent) {
    loop {
        match store.accept(std::slice::from_ref(event)).await {
            Ok(answers) => return assert_eq!(answers, [Accepted::Stored]),
            Err(error) => assert!(error.is_retryable(), "{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_stalled_network_is_an_error_within_seconds_and_never_a_hang() {
    let Some((network, store, mut f)) = behind().await else { return };
    let to = f.destination("one", Ordering::None).await;
    let (first, second) = (f.event(NOON, &[to]), f.event(NOON, &[to]));
    assert_eq!(store.accept(std::slice::from_ref(&first)).await, Ok(vec![Accepted::Stored]));
    assert!(store.event(f.tenant.no, first.uid).await.expect("a read").is_some());
    network.will_be(Way::Stalled, &second.id);
    let accepted = store.accept(std::slice::from_ref(&second)).await;
    assert!(matches!(accepted, Err(StoreError::Unknown(_))), "it may have been done: {accepted:?}");
    // All connections, the pools' places, and new connections: each call answers.
    let asked = [to];
    for _ in 0..2 {
        let (one, two, read) =
            tokio::join!(store.survey(&asked), store.survey(&asked), store.event(f.tenant.no, first.uid));
        for surveyed in [one, two] {
            assert!(matches!(surveyed, Err(StoreError::Unavailable(_))), "a read changes nothing: {surveyed:?}");
        }
        assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    }
    network.is(Way::Open);
    until_stored(&store, &second).await;
    assert_eq!(f.waiting(to).await, 2);
    loop {
        let (one, two) = tokio::join!(store.survey(&asked), store.survey(&asked));
        if one.is_ok() && two.is_ok() {
            break; // no place in the pool was lost
        }
    }
    assert_eq!(store.destinations(f.tenant.no).await.map(|all| all.len()), Ok(1));
}

#[tokio::test]
async fn an_answer_that_is_lost_leaves_the_outcome_unknown_and_the_batch_is_sent_again() {
    let Some((network, store, mut f)) = behind().await else { return };
    let to = f.destination("one", Ordering::None).await;
    let (first, second) = (f.event(NOON, &[to]), f.event(NOON, &[to]));
    store.accept(std::slice::from_ref(&first)).await.expect("the statement is prepared");
    network.will_be(Way::Deaf, &second.id);
    let accepted = store.accept(std::slice::from_ref(&second)).await;
    assert!(matches!(accepted, Err(StoreError::Unknown(_))), "{accepted:?}");
    network.is(Way::Open);
    until_stored(&store, &second).await;
    assert_eq!(f.waiting(to).await, 2, "sent twice, stored once");
}

#[tokio::test]
async fn connections_that_were_reset_are_made_anew() {
    let Some((network, store, mut f)) = behind().await else { return };
    let to = f.destination("one", Ordering::None).await;
    let event = f.event(NOON, &[to]);
    network.will_be(Way::Broken, &event.id);
    let accepted = store.accept(std::slice::from_ref(&event)).await;
    assert!(accepted.as_ref().is_err_and(StoreError::is_retryable), "{accepted:?}");
    network.is(Way::Open);
    until_stored(&store, &event).await;
    assert_eq!(f.waiting(to).await, 1);
}

#[tokio::test]
async fn what_the_server_stopped_was_not_done() {
    let Some(mut f) = Fixture::new().await else { return };
    let to = f.destination("one", Ordering::None).await;
    let event = f.delivery(to).await;
    let options = PostgresOptions { engine_statement_ms: 200, ..PostgresOptions::default() };
    let store = PostgresStore::connect(&f.url, &options).await.expect("a connection");
    let mut blocker = PgConnection::connect(&f.url).await.expect("a connection");
    sqlx::raw_sql("BEGIN; LOCK TABLE work").execute(&mut blocker).await.expect("a lock");
    let next = f.event(NOON, &[to]);
    let accepted = store.accept(std::slice::from_ref(&next)).await;
    assert!(matches!(accepted, Err(StoreError::Unavailable(_))), "it is known: {accepted:?}");
    sqlx::raw_sql("ROLLBACK").execute(&mut blocker).await.expect("the unlock");
    assert_eq!(f.store.event(f.tenant.no, next.uid).await, Ok(None));
    assert!(f.store.event(f.tenant.no, event.event).await.expect("a read").is_some());
}

#[tokio::test]
async fn a_call_that_is_given_up_leaves_no_transaction_behind() {
    let Some(f) = Fixture::new().await else { return };
    let options = PostgresOptions { desk_connections: 1, ..PostgresOptions::default() };
    let store = PostgresStore::connect(&f.url, &options).await.expect("a connection");
    // Dropped at every place where a call may be given up, the beginning of its transaction included.
    for most in 1..16 {
        let name = format!("after-{most}");
        let settings = serde_json::json!({});
        let mut call = Box::pin(store.put_environment(&name, &settings, Expect::Anything));
        let mut polls = 0;
        std::future::poll_fn(|context| {
            polls += 1;
            let over = call.as_mut().poll(context).is_ready() || polls == most;
            if over { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
        drop(call);
        store.put_meta(&name, b"kept").await.expect("a write that commits by itself");
        assert_eq!(f.store.meta(&name).await, Ok(Some(bytes::Bytes::from_static(b"kept"))), "given up at poll {most}");
    }
}
