//! What the operator's own identity signs for a tenant at AWS's token service: that it assumes a role under the tenant's
//! external id, and nothing else. A role's trust policy cannot know by itself for whom the operator asks.

use super::super::failure::Failure;
use super::super::sign::Wire;
use crate::secret::Secret;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, Method};

/// The attribute of an operator's keys that tells the account that they are of, where the operator said so.
const ACCOUNT: &str = "account-id";
/// The attribute that tells the tenant's external id.
const EXTERNAL_ID: &str = "external-id";
/// By it other protocols of AWS name an action.
const X_AMZ_TARGET: HeaderName = HeaderName::from_static("x-amz-target");

/// Judges a request as it goes over the wire.
///
/// # Errors
/// `operator-assume-role`.
pub(super) fn check(keys: &Secret, (service, region): (&str, &str), wire: &Wire<'_>) -> Result<(), Failure> {
    if !keys.is_operators() || !service.eq_ignore_ascii_case("sts") {
        return Ok(());
    }
    let plain = wire.method == Method::POST && wire.url.path() == "/" && wire.url.query().is_none();
    if !plain || !is_form(wire.headers) {
        return refused("is a POST of a form to /, without a query");
    }
    if !is_region(region) || !is_at_home(wire.url.host_str().unwrap_or_default(), region) {
        return refused("is for a region of AWS, and goes to the service of that region");
    }
    let form = Form::of(wire.body);
    if form.one("Action") != Some("AssumeRole") {
        return refused("has one `Action`, which is AssumeRole");
    }
    let own = keys.attribute(EXTERNAL_ID).filter(|id| !id.is_empty());
    if own.is_none() || form.one("ExternalId") != own.as_deref() {
        return refused("has one `ExternalId`, which is that of the destination's own tenant");
    }
    let Some(account) = form.one("RoleArn").and_then(account) else {
        return refused("has one `RoleArn`, which is that of a role in an account");
    };
    if keys.attribute(ACCOUNT).is_some_and(|own| own == account) {
        return refused("names a role of another account than the operator's own");
    }
    Ok(())
}

fn refused(rule: &str) -> Result<(), Failure> {
    let message = format!("What the operator's identity signs for AWS's token service {rule}.");
    Err(Failure::denied("operator-assume-role", message))
}

fn is_form(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let form = |value: &http::HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        text.split(';').next().is_some_and(|kind| kind.trim() == "application/x-www-form-urlencoded")
    };
    types.next().is_some_and(form)
        && types.next().is_none()
        && !headers.contains_key(CONTENT_ENCODING)
        && !headers.contains_key(X_AMZ_TARGET)
}

/// `eu-central-1`: what a tenant names as one is no other label below AWS's domain, such as that of its storage.
fn is_region(region: &str) -> bool {
    let (places, number) = region.rsplit_once('-').unwrap_or_default();
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number && places.contains('-') && places.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

/// `sts.eu-central-1.amazonaws.com`, and the one for all regions; of any other host its manifest says enough.
fn is_at_home(host: &str, region: &str) -> bool {
    let label = host.strip_prefix("sts.").and_then(|rest| rest.split('.').next());
    label.is_none_or(|label| label == region || label == "amazonaws")
}

/// `arn:aws:iam::123456789012:role/name`
fn account(arn: &str) -> Option<&str> {
    let mut parts = arn.split(':');
    let (head, _partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, role) = (parts.next()?, parts.next()?, parts.next()?);
    let fits = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let is_role = (head, service, region) == ("arn", "iam", "") && role.starts_with("role/") && parts.next().is_none();
    (fits && is_role).then_some(account)
}

/// A form, as any reader of it would read it.
struct Form(Vec<(String, String)>);

impl Form {
    /// Empty where readers may differ: a name that is not made of letters, digits and dots.
    fn of(body: &[u8]) -> Self {
        let pairs: Vec<_> = url::form_urlencoded::parse(body).into_owned().collect();
        let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
        Self(if pairs.iter().all(|(name, _)| plain(name)) { pairs } else { Vec::new() })
    }

    /// The value of a name that is there once, in whichever case.
    fn one(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let (known, value) = found.next()?;
        (known == name && found.next().is_none()).then_some(value)
    }
}

#[cfg(test)]
mod tests;
