//! What one tenant's reader cannot see, whatever a query asks for.

mod planted;

use crate::fixture::{Fixture, NOON, destination, end, retry, tenant};
use bytes::Bytes;
use railhead_model::{AttemptKey, DeliveryKey, DestinationNo, End, JobId, Ordering, TenantNo};
use railhead_store::directory::{Credential, Directory, Expect};
use railhead_store::history::DeliveryFilter;
use railhead_store::jobs::NewReplay;
use railhead_store::{Accept, Jobs, Record};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// Tables with rows of tenants, and whether the role may read them.
const TABLES: [(&str, bool); 10] = [
    ("attempt", true),
    ("credential", true),
    ("delivery", true),
    ("destination", true),
    ("event", true),
    ("fanout", false),
    ("job", true),
    ("tenant", false),
    ("transcript", true),
    ("work", true),
];

/// What a tenant has after [`fill`].
pub struct Filled {
    pub destination: DestinationNo,
    pub keys: Vec<DeliveryKey>,
    pub job: JobId,
}

/// Rows of the fixture's tenant in every table: an ended, a retried and a waiting delivery, and more.
pub async fn fill(f: &mut Fixture, id: &str) -> Filled {
    let no = f.store.next_destination_no().await.expect("a number");
    let mut given = destination(f.tenant.no, no, id, Ordering::None);
    given.credentials.push(Credential {
        field: "token".to_owned(),
        version: 1,
        sealed: Bytes::from_static(b"sealed-token"),
        public: json!({}),
        set_at: NOON,
        expires_at: None,
    });
    f.store.put_destination(&given, Expect::Absent).await.expect("a destination");
    f.tenant = f.store.tenant_by_no(f.tenant.no).await.expect("a read").expect("the tenant");
    let events = [f.event(NOON, &[no]), f.event(NOON, &[no]), f.named(NOON, number(f.tenant.no), &[no])];
    f.store.accept(&events).await.expect("answers");
    let keys: Vec<_> = events.iter().map(|event| DeliveryKey { event: event.uid, destination: no, run: 0 }).collect();
    let owner = Some(AttemptKey { delivery: DeliveryKey { run: 1 << 30, ..keys[1] }, n: 1 });
    let mut shared = retry(keys[1], f.tenant.no, 0, 1);
    shared.owner = owner;
    f.store.record(f.host, &[end(keys[0], f.tenant.no, 0, 1, End::Dead), shared]).await.expect("answers");
    let job = JobId::new(NOON, events[0].uid.0.as_bytes()[6..].try_into().expect("ten bytes"));
    let replay = NewReplay { id: job, tenant: f.tenant.no, filter: DeliveryFilter::default(), at: NOON };
    f.store.start_replay(&replay).await.expect("a job");
    let mut owner = PgConnection::connect(&f.url).await.expect("a connection");
    let fanout = sqlx::query("INSERT INTO fanout (event, tenant, after, lanes) VALUES ($1, $2, 0, '')");
    fanout.bind(events[0].uid.0).bind(f.tenant.no.0).execute(&mut owner).await.expect("a fan-out");
    Filled { destination: no, keys, job }
}

/// Vendor ids differ by tenant, as their hashes do.
pub fn number(tenant: TenantNo) -> u8 {
    u8::try_from(tenant.0).expect("few tenants")
}

/// Another tenant of the same environment.
pub async fn another(f: &Fixture, id: &str) -> Fixture {
    let made = f.store.put_tenant(&tenant(f.tenant.environment, id), Expect::Absent).await.expect("a tenant");
    Fixture { url: f.url.clone(), ..Fixture::over(f.store.clone(), made) }
}

/// Takes the role on as the store does, with this tenant or none.
pub async fn take_on(connection: &mut PgConnection, tenant: Option<TenantNo>) {
    let tenant = tenant.map_or(String::new(), |no| no.0.to_string());
    let sql = format!(
        "BEGIN; SELECT set_config('railhead.tenant', '{tenant}', true),
            set_config('role', 'railhead_reader_' || current_database(), true)"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.expect("the role");
}

async fn count(connection: &mut PgConnection, table: &str) -> Result<i64, String> {
    let counted = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}")));
    counted.fetch_one(connection).await.map_err(|error| {
        error.as_database_error().and_then(|error| error.code()).map_or_else(String::new, |code| code.into_owned())
    })
}

/// Counts in a transaction of the role.
async fn seen(connection: &mut PgConnection, tenant: Option<TenantNo>, table: &str) -> Result<i64, String> {
    take_on(connection, tenant).await;
    let seen = count(connection, table).await;
    sqlx::raw_sql("ROLLBACK").execute(connection).await.expect("its end");
    seen
}

const REFUSED: &str = "42501";

#[tokio::test]
async fn a_reader_sees_its_tenant_and_nothing_without_one() {
    let Some(mut f) = Fixture::new().await else { return };
    fill(&mut f, "one").await;
    let mut other = another(&f, "other").await;
    other.made = 1_000; // other events
    fill(&mut other, "two").await;
    let nobody = another(&f, "nobody").await.tenant.no;
    let mut connection = PgConnection::connect(&f.url).await.expect("a connection");
    for (table, granted) in TABLES {
        let all = count(&mut connection, table).await.expect("the owner sees all");
        if !granted {
            assert_eq!(seen(&mut connection, Some(f.tenant.no), table).await, Err(REFUSED.to_owned()), "{table}");
            // Its policy holds all the same, should it ever be granted.
            let grant = format!(
                "DO $$ BEGIN EXECUTE format('GRANT SELECT ON {table} TO %I', 'railhead_reader_' || current_database()); END $$"
            );
            sqlx::raw_sql(AssertSqlSafe(grant)).execute(&mut connection).await.expect("a grant");
        }
        let (mine, theirs) = (
            seen(&mut connection, Some(f.tenant.no), table).await.expect(table),
            seen(&mut connection, Some(other.tenant.no), table).await.expect(table),
        );
        assert!(mine > 0 && mine == theirs, "{table}: {mine} {theirs}");
        let own = i64::from(table == "tenant");
        assert_eq!(mine + theirs + own, all, "{table}");
        assert_eq!(seen(&mut connection, Some(nobody), table).await, Ok(own), "{table}");
        assert_eq!(seen(&mut connection, None, table).await, Ok(0), "{table}");
    }
}

#[tokio::test]
async fn a_reader_writes_nothing_and_reads_no_partition() {
    let Some(mut f) = Fixture::new().await else { return };
    fill(&mut f, "one").await;
    let mut connection = PgConnection::connect(&f.url).await.expect("a connection");
    let leaves: Vec<String> =
        sqlx::query_scalar("SELECT relname::text FROM pg_class WHERE relispartition AND relkind = 'r'")
            .fetch_all(&mut connection)
            .await
            .expect("partitions");
    assert_eq!(leaves.len(), 4);
    let others = ["meta", "environment", "api_key", "answer", "host", "shard", "batch", "railhead_migration"];
    for table in leaves.iter().map(String::as_str).chain(others) {
        assert_eq!(seen(&mut connection, Some(f.tenant.no), table).await, Err(REFUSED.to_owned()), "{table}");
    }
    for sql in [
        "UPDATE event SET payload = NULL",
        "DELETE FROM work",
        "INSERT INTO fanout VALUES (gen_random_uuid(), 1, 0, '')",
    ] {
        take_on(&mut connection, Some(f.tenant.no)).await;
        let refused = sqlx::raw_sql(sql).execute(&mut connection).await.expect_err(sql);
        assert_eq!(refused.as_database_error().and_then(|error| error.code()).as_deref(), Some(REFUSED), "{sql}");
        sqlx::raw_sql("ROLLBACK").execute(&mut connection).await.expect("its end");
    }
}

#[tokio::test]
async fn every_table_that_the_role_reads_has_policies_and_the_role_is_bound_by_them() {
    let Some(mut f) = Fixture::new().await else { return };
    fill(&mut f, "one").await;
    let mut connection = PgConnection::connect(&f.url).await.expect("a connection");
    let sql = "SELECT c.relname::text, c.relrowsecurity, c.relispartition FROM pg_class c
               WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
               AND has_table_privilege('railhead_reader_' || current_database(), c.oid, 'SELECT, INSERT, UPDATE, DELETE')
               ORDER BY 1";
    let readable: Vec<(String, bool, bool)> = sqlx::query_as(sql).fetch_all(&mut connection).await.expect("tables");
    let expected: Vec<_> =
        TABLES.iter().filter(|(_, granted)| *granted).map(|(table, _)| ((*table).to_owned(), true, false)).collect();
    assert_eq!(readable, expected);
    let sql = "SELECT rolsuper OR rolbypassrls OR rolcanlogin OR rolcreaterole OR rolinherit OR rolcreatedb
               FROM pg_roles WHERE rolname = 'railhead_reader_' || current_database()";
    let rights: bool = sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect("the role");
    assert!(!rights);
}
