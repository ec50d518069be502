//! The reading role: what API and pages read of a tenant is read as this role, which row-level security binds.
//!
//! It guards against wrong queries, not against foreign SQL: none is ever made from input. A role is of the whole
//! server, so it has the database's name in its own: who hosts two databases on one server must not read the other with it.

use crate::connect::PostgresStore;
use crate::error::undone;
use crate::schema_error::SchemaError;
use railhead_model::TenantNo;
use railhead_store::StoreError;
use sqlx::{AssertSqlSafe, PgConnection};

/// What the role may read. Grants are on tables only, never on their partitions.
const TABLES: &str = "destination, credential, event, work, delivery, attempt, transcript, job";

/// PostgreSQL cuts names at 63 bytes.
const NAME: &str = "SELECT ('railhead_reader_' || current_database())::name::text";

/// Without a role of that name: no row.
const STANDING: &str = "
SELECT r.rolsuper OR r.rolbypassrls OR pg_has_role(r.oid, c.relowner, 'USAGE') AS unbound
FROM pg_roles r CROSS JOIN pg_class c
WHERE r.rolname = $1 AND c.oid = to_regclass('event')";

const UNGRANTED: &str = "
SELECT EXISTS (
    SELECT 1 FROM unnest(string_to_array($2, ', ')) AS t(name)
    WHERE NOT has_table_privilege($1, to_regclass(t.name), 'SELECT'))
    OR NOT has_function_privilege($1, to_regprocedure('railhead_tenant()'), 'EXECUTE')
    OR NOT has_schema_privilege($1, (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('event')), 'USAGE')";

/// The role's name in this database.
pub async fn name(connection: &mut PgConnection) -> Result<String, StoreError> {
    sqlx::query_scalar(NAME).fetch_one(connection).await.map_err(undone)
}

/// Begins a transaction that sees one tenant, in one round trip. Both settings end with the transaction.
pub fn begin(role: &str, tenant: TenantNo) -> String {
    format!(
        "BEGIN READ ONLY; SELECT set_config('railhead.tenant', '{}', true), set_config('role', {}, true)",
        tenant.0,
        literal(role),
    )
}

/// No role, or no membership: a step of the installation is missing.
pub fn explain(error: StoreError) -> StoreError {
    match error {
        StoreError::Damaged(words) => {
            StoreError::Damaged(format!("the reading role cannot be taken on: run `railhead migrate` ({words})"))
        }
        other => other,
    }
}

impl PostgresStore {
    /// Proves that the reading role is there, is bound by row-level security, and reads what it must.
    ///
    /// # Errors
    /// [`SchemaError::ReaderMissing`] with the SQL that mends it, [`SchemaError::ReaderUnbound`],
    /// [`SchemaError::ReaderUngranted`].
    pub async fn check_reader(&self) -> Result<(), SchemaError> {
        let mut connection = self.aside().await?;
        let role = name(&mut connection).await?;
        if !stands(&mut connection, &role).await? {
            return Err(missing(&mut connection, &role).await?);
        }
        if ungranted(&mut connection, &role).await? { Err(SchemaError::ReaderUngranted { role }) } else { Ok(()) }
    }
}

/// Makes the role, and makes this user its member, where that is missing. True if it had to.
pub async fn make_role(connection: &mut PgConnection) -> Result<bool, SchemaError> {
    let role = name(connection).await?;
    if stands(connection, &role).await? {
        return Ok(false);
    }
    for sql in [create(&role), member(&role)] {
        match sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await.map_err(|error| code_of(&error)) {
            Ok(_) => {}
            Err(Some(code)) if code == EXISTS || code == EXISTS_NOW => {}
            Err(Some(code)) if code == FORBIDDEN => break,
            Err(code) => {
                let words = format!("the reading role cannot be made (SQLSTATE {})", code.unwrap_or_default());
                return Err(StoreError::Unavailable(words).into());
            }
        }
    }
    if stands(connection, &role).await? { Ok(true) } else { Err(missing(connection, &role).await?) }
}

/// Grants what is not granted yet. True if it had to.
pub async fn grant(connection: &mut PgConnection) -> Result<bool, SchemaError> {
    let role = name(connection).await?;
    if !ungranted(connection, &role).await? {
        return Ok(false);
    }
    let schema: String =
        sqlx::query_scalar("SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = 'event'::regclass")
            .fetch_one(&mut *connection)
            .await
            .map_err(undone)?;
    let role = identifier(&role);
    let sql = format!(
        "GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT SELECT ON {TABLES} TO {role};
         GRANT EXECUTE ON FUNCTION railhead_tenant() TO {role}"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map_err(undone)?;
    Ok(true)
}

const EXISTS: &str = "42710";
/// Somebody else made it at this moment.
const EXISTS_NOW: &str = "23505";
const FORBIDDEN: &str = "42501";

/// True if this user can take the role on, and row-level security binds it then.
async fn stands(connection: &mut PgConnection, role: &str) -> Result<bool, SchemaError> {
    let there: Option<bool> = sqlx::query_scalar("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = $1")
        .bind(role)
        .fetch_optional(&mut *connection)
        .await
        .map_err(undone)?;
    let unbound: Option<bool> =
        sqlx::query_scalar(STANDING).bind(role).fetch_optional(&mut *connection).await.map_err(undone)?;
    if there == Some(true) || unbound == Some(true) {
        return Err(SchemaError::ReaderUnbound { role: role.to_owned() });
    }
    Ok(there.is_some() && can_take_on(connection, role).await?)
}

/// Tries it: what membership means differs between versions of the server.
async fn can_take_on(connection: &mut PgConnection, role: &str) -> Result<bool, SchemaError> {
    let sql = format!("BEGIN; SET LOCAL ROLE {}; ROLLBACK", identifier(role));
    match sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await {
        Ok(_) => Ok(true),
        Err(error) if code_of(&error).as_deref() == Some(FORBIDDEN) => {
            sqlx::raw_sql("ROLLBACK").execute(connection).await.map_err(undone)?;
            Ok(false)
        }
        Err(error) => Err(undone(error).into()),
    }
}

async fn ungranted(connection: &mut PgConnection, role: &str) -> Result<bool, SchemaError> {
    let ungranted = sqlx::query_scalar(UNGRANTED).bind(role).bind(TABLES).fetch_one(connection).await;
    Ok(ungranted.map_err(undone)?)
}

async fn missing(connection: &mut PgConnection, role: &str) -> Result<SchemaError, StoreError> {
    let user: String = sqlx::query_scalar("SELECT current_user::text").fetch_one(connection).await.map_err(undone)?;
    let sql = format!("{}; GRANT {} TO {};", create(role), identifier(role), identifier(&user));
    Ok(SchemaError::ReaderMissing { role: role.to_owned(), sql })
}

fn create(role: &str) -> String {
    let role = identifier(role);
    format!("CREATE ROLE {role} NOLOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS")
}

fn member(role: &str) -> String {
    format!("GRANT {} TO CURRENT_USER", identifier(role))
}

fn code_of(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code()).map(std::borrow::Cow::into_owned)
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strange_database_name_stays_a_name() {
        let sql = begin("railhead_reader_o'neil", TenantNo(7));
        assert!(sql.ends_with("set_config('role', 'railhead_reader_o''neil', true)"), "{sql}");
        assert!(create("a\"b").starts_with("CREATE ROLE \"a\"\"b\" NOLOGIN"));
    }
}
