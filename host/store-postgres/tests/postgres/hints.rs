//! Hints between hosts: NOTIFY and LISTEN.

use crate::fixture::{Fixture, NOON};
use railhead_model::{DestinationNo, HostId, TenantNo};
use railhead_store::Hints;
use railhead_store::hints::Hint;
use sqlx::Connection;
use std::time::Duration;

/// Far longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn what_one_host_tells_the_others_hear() {
    let Some(f) = Fixture::new().await else { return };
    let other = HostId::new(NOON, [2; 10]);
    let (mut own, mut hears) = (f.store.listener(f.host), f.store.listener(other));
    assert_eq!(tokio::join!(own.next(), hears.next()), (vec![Hint::All], vec![Hint::All]), "connected");
    let mut speaks = f.store.notifier(f.host);
    speaks.notify(&[]).await.expect("a sign of life");
    let work = Hint::Work(vec![DestinationNo(7)]);
    let hints = vec![work, Hint::Config(TenantNo(3), vec![]), Hint::Keys, Hint::Shards];
    speaks.notify(&hints).await.expect("a notification");
    let heard = tokio::time::timeout(LONG, hears.next()).await.expect("heard");
    assert_eq!(heard, hints, "a sign of life is nothing to hear");
    let mut back = f.store.notifier(other);
    back.notify(&[Hint::Jobs]).await.expect("a notification");
    let heard = tokio::time::timeout(LONG, own.next()).await.expect("heard");
    assert_eq!(heard, [Hint::Jobs], "nobody hears itself");
}

#[tokio::test]
async fn a_lost_connection_is_made_anew_and_told_of() {
    let Some(f) = Fixture::new().await else { return };
    let other = HostId::new(NOON, [2; 10]);
    let (mut hears, mut speaks) = (f.store.listener(other), f.store.notifier(f.host));
    assert_eq!(hears.next().await, [Hint::All]);
    speaks.notify(&[]).await.expect("a notification");
    let mut connection = sqlx::PgConnection::connect(&f.url).await.expect("a connection");
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sqlx::query(sql).execute(&mut connection).await.expect("cut");
    let heard = tokio::time::timeout(LONG, hears.next()).await.expect("connects again");
    assert_eq!(heard, [Hint::All], "something may have been missed");
    let told = async {
        while speaks.notify(&[Hint::Shards]).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, told).await.expect("connects again");
    assert_eq!(tokio::time::timeout(LONG, hears.next()).await.expect("heard"), [Hint::Shards]);
}
