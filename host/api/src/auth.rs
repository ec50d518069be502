//! Who asks, and what they may do. [`authorize`] alone decides, for every route.
//!
//! It is private, and so is what it reads: what a [`Principal`] may do is known here only. The way in is [`caller`], then
//! [`admit`], and an operation runs with nothing but the [`Permit`] that this gives. Where it needs a finer look it asks its
//! permit, which asks [`authorize`] too.

mod action;
mod caller;

pub use action::{Action, SCOPES};
pub(crate) use caller::caller;

use crate::codes;
use crate::operation::{Operation, Place};
use crate::problem::Problem;
use crate::query::{ENVIRONMENT, Query};
use crate::state::ApiState;
use railhead_model::{EnvironmentNo, KeyId, Timestamp};
use railhead_store::directory::Environment;
use std::fmt;
use std::sync::Arc;

/// What an operation touches, as far as permission goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resource {
    /// The host as a whole.
    Host,
    /// Something that belongs to an environment.
    In(EnvironmentNo),
}

/// What a caller reaches.
#[derive(Clone)]
enum Reach {
    /// Nobody showed a key.
    Nothing,
    /// Everything: the administrator.
    Everything,
    /// One environment, as far as these scopes allow.
    One(EnvironmentNo, Vec<String>),
}

/// Who asks.
#[derive(Clone)]
pub struct Principal {
    /// `key_…`; `None` for keys that the host's settings give, and without any.
    key: Option<KeyId>,
    reach: Reach,
    /// When the key ends; `None`: never.
    expires_at: Option<Timestamp>,
    /// SHA-256 of the key's secret.
    hash: [u8; 32],
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal").field("key", &self.key).finish_non_exhaustive()
    }
}

/// For logs.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.key, &self.reach) {
            (Some(key), _) => key.fmt(f),
            (None, Reach::Nothing) => Ok(()),
            (None, _) => f.write_str("settings"),
        }
    }
}

/// Decides whether somebody may do something; `None` is what needs no key.
fn authorize(principal: &Principal, action: Option<Action>, resource: Resource) -> Result<(), Problem> {
    let Some(action) = action else { return Ok(()) };
    match &principal.reach {
        Reach::Nothing => Err(caller::unauthenticated()),
        Reach::Everything => Ok(()),
        // Whatever the scopes: what is somebody else's is not there.
        Reach::One(own, _) if matches!(resource, Resource::In(environment) if environment != *own) => {
            Err(Problem::not_found("object"))
        }
        Reach::One(_, scopes) => {
            let allows = |scope: &String| scope == action.scope() || scope == "*";
            if action != Action::Admin && scopes.iter().any(allows) {
                return Ok(());
            }
            let detail = format!("This operation needs the scope `{}`.", action.scope());
            Err(Problem::new(&codes::MISSING_SCOPE, detail))
        }
    }
}

/// Lets a caller carry out an operation in the environment of its key; an administrator's request names one.
///
/// # Errors
/// 403 `missing-scope`; 404 for what belongs to another environment; 400 for an environment that the caller cannot name, or
/// an administrator has to.
pub(crate) async fn admit(
    state: &ApiState,
    operation: &'static Operation,
    principal: Principal,
    query: &Query,
) -> Result<Permit, Problem> {
    let environment = place(state, operation, &principal, query).await?;
    let permit = Permit { operation, principal: Arc::new(principal), environment };
    authorize(&permit.principal, operation.action, permit.resource())?;
    Ok(permit)
}

async fn place(
    state: &ApiState,
    operation: &Operation,
    principal: &Principal,
    query: &Query,
) -> Result<Option<Arc<Environment>>, Problem> {
    match (&principal.reach, query.get(ENVIRONMENT)) {
        _ if operation.action.is_none() => Ok(None),
        (Reach::Nothing, _) => Ok(None),
        (Reach::One(own, _), named) => {
            let own = state.environment(*own).await?;
            // The same words whether or not there is such an environment: its name is not for other environments' keys.
            if named.is_some_and(|name| name != own.name) {
                return Err(Problem::query(ENVIRONMENT, "The key belongs to another environment."));
            }
            Ok(Some(own))
        }
        (Reach::Everything, Some(name)) => {
            let found = state.environment_named(name).await?;
            found.map(Some).ok_or_else(|| Problem::query(ENVIRONMENT, "There is no such environment."))
        }
        (Reach::Everything, None) if operation.place == Place::Environment => {
            Err(Problem::new(&codes::ENVIRONMENT_REQUIRED, "Add `?environment=<name>`: this key belongs to none."))
        }
        (Reach::Everything, None) => Ok(None),
    }
}

/// That somebody may carry out an operation, and where. Only [`admit`] makes one.
#[derive(Clone, Debug)]
pub struct Permit {
    operation: &'static Operation,
    principal: Arc<Principal>,
    environment: Option<Arc<Environment>>,
}

impl Permit {
    /// What was permitted.
    #[must_use]
    pub const fn operation(&self) -> &'static Operation {
        self.operation
    }

    /// Where; `None` only for operations on the host.
    #[must_use]
    pub const fn environment(&self) -> Option<&Arc<Environment>> {
        self.environment.as_ref()
    }

    /// Decides about a further action at the same place, within the same request.
    ///
    /// # Errors
    /// 403 `missing-scope`.
    pub fn authorize(&self, action: Action) -> Result<(), Problem> {
        authorize(&self.principal, Some(action), self.resource())
    }

    /// As [`Permit::authorize`], for what an answer can do without.
    #[must_use]
    pub fn may(&self, action: Action) -> bool {
        self.authorize(action).is_ok()
    }

    /// True if the caller may do all that a key of this environment with these scopes may: only then may it make or end one.
    #[must_use]
    pub fn covers(&self, scopes: &[String]) -> bool {
        let given = |action: &&Action| scopes.iter().any(|scope| scope == "*" || scope == action.scope());
        SCOPES.iter().filter(given).all(|action| self.may(*action))
    }

    /// True if the caller's key is in force as long as one until then (`None`: for ever): only then may it make one.
    #[must_use]
    pub fn lasts(&self, until: Option<Timestamp>) -> bool {
        self.principal.expires_at.is_none_or(|own| until.is_some_and(|at| at <= own))
    }

    /// When the caller's key ends, for keys that it makes and for words; `None`: never.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.principal.expires_at
    }

    /// Tells any two keys apart, those of settings too. Not for logs.
    #[must_use]
    pub fn mark(&self) -> &[u8; 32] {
        &self.principal.hash
    }

    fn resource(&self) -> Resource {
        self.environment.as_ref().map_or(Resource::Host, |environment| Resource::In(environment.no))
    }
}

/// Its holder, for logs.
impl fmt::Display for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.principal.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(reach: Reach) -> Principal {
        Principal { key: None, reach, expires_at: None, hash: [0; 32] }
    }

    fn key(scopes: &[&str]) -> Principal {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        holder(Reach::One(EnvironmentNo(1), scopes))
    }

    #[test]
    fn scopes_decide_within_the_own_environment_and_nothing_outside() {
        let (own, other) = (Resource::In(EnvironmentNo(1)), Resource::In(EnvironmentNo(2)));
        let status = |principal: &Principal, action: Action, resource| {
            authorize(principal, Some(action), resource).map_err(|problem| problem.status())
        };
        let some = key(&["tenants"]);
        assert_eq!(status(&some, Action::Tenants, own), Ok(()));
        assert_eq!(status(&some, Action::Keys, own), Err(403));
        assert_eq!(status(&some, Action::Tenants, other), Err(404));
        let all = key(&["*"]);
        assert_eq!(status(&all, Action::Keys, own), Ok(()));
        assert_eq!(status(&all, Action::Keys, other), Err(404));
        assert_eq!(status(&all, Action::Admin, Resource::Host), Err(403));
        assert_eq!(status(&all, Action::Admin, own), Err(403));
        let pretender = key(&["admin"]);
        assert_eq!(status(&pretender, Action::Keys, own), Err(403));
        assert_eq!(status(&pretender, Action::Admin, Resource::Host), Err(403));
        let admin = holder(Reach::Everything);
        assert_eq!(status(&admin, Action::Admin, Resource::Host), Ok(()));
        assert_eq!(status(&admin, Action::EventsWrite, other), Ok(()));
        let nobody = holder(Reach::Nothing);
        assert_eq!(status(&nobody, Action::EventsRead, own), Err(401));
        assert!(authorize(&nobody, None, Resource::Host).is_ok());
    }
}
