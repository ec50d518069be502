//! `credentials.aws-presign`: a URL that is good for a while, and is itself a secret.

use super::{Credential, Guest, PIECE, allow_use, failure};
use crate::bindings::railhead::plugin::types::{Failure, Kind};
use crate::egress::{aws_presigned, may_go};
use crate::secret::Secret;
use railhead_model::manifest::CredentialUse;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Resource;

impl Guest {
    /// See `aws-presign` in the contract.
    pub(super) fn presigned(
        &mut self,
        keys: &Resource<Credential>,
        scope: (&str, &str),
        url: &str,
        ttl_s: u32,
    ) -> wasmtime::Result<Result<Resource<Credential>, Failure>> {
        let keys = self.secret(keys)?;
        let meter = self.meter.clone();
        let made = match meter.charged(|| self.made_url(&keys, scope, url, ttl_s)) {
            Ok(made) => made,
            Err(failure) => return Ok(Err(failure)),
        };
        let held = made.bytes().len().saturating_add(PIECE);
        if !self.hold(held) {
            let message = "The credentials that this session made hold more bytes than a session may.";
            return Ok(Err(failure(Kind::TooLarge, "session-too-large", message)));
        }
        let handle = self.table.push(Credential(made))?;
        self.composed.insert(handle.rep(), held);
        Ok(Ok(handle))
    }

    fn made_url(&self, keys: &Secret, scope: (&str, &str), url: &str, ttl_s: u32) -> Result<Arc<Secret>, Failure> {
        allow_use(keys, CredentialUse::Token)?;
        if keys.is_operators() && scope.0.eq_ignore_ascii_case("sts") {
            let message = "With the operator's keys a role is assumed by `exchange` only.";
            return Err(failure(Kind::Denied, "operator-assume-role", message));
        }
        // Egress judges it again when it is used; whoever builds it should know at once.
        may_go(&self.scope.origins, keys, url)?;
        let ttl = Duration::from_secs(ttl_s.into());
        let url = aws_presigned(keys, scope, url, ttl, self.clock.now())?;
        Secret::made_url(keys.field(), keys.origins(), &url, keys.heritage())
            .map_err(|error| failure(Kind::Invalid, "url-invalid", error.message))
    }
}
