use super::*;
use crate::secret::Nature;
use http::HeaderValue;
use railhead_model::Timestamp;
use railhead_model::manifest::{CredentialKind, CredentialUse};
use serde_json::{Value, json};
use std::sync::Arc;

const FORM: &str = "application/x-www-form-urlencoded";
const ROLE: &str = "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fevents";

fn keys(operator: bool, more: Value) -> Arc<Secret> {
    let mut keys = json!({"access_key_id": "AKIAOPERATOR", "secret_access_key": "secret", "external_id": "rh-own"});
    keys.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (kind, nature) = ((CredentialKind::Aws, CredentialUse::SignRequest), Nature { operator, ..Nature::default() });
    Secret::parse_as("role", kind, &["sts".to_owned()], keys.to_string().as_bytes(), nature).unwrap()
}

fn judged(keys: &Secret, method: &Method, url: &str, headers: &[(&'static str, &'static str)], body: &str) -> bool {
    let mut all = HeaderMap::new();
    for (name, value) in headers {
        all.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let url = url.parse().unwrap();
    let wire = Wire {
        method,
        url: &url,
        headers: &mut all,
        body: body.as_bytes(),
        now: Timestamp(0),
        timestamp: "0",
        left: 0,
        made: Vec::new(),
    };
    let done = check(keys, ("sts", "eu-central-1"), &wire);
    assert!(done.as_ref().err().is_none_or(|failure| failure.code == "operator-assume-role"), "{done:?}");
    done.is_ok()
}

fn form(keys: &Secret, body: &str) -> bool {
    judged(keys, &Method::POST, "https://tokens.test/", &[("content-type", FORM)], body)
}

#[test]
fn it_assumes_a_role_under_the_tenants_own_external_id_and_nothing_else() {
    let keys = keys(true, json!({}));
    let good =
        format!("Action=AssumeRole&Version=2011-06-15&{ROLE}&ExternalId=rh-own&RoleSessionName=x&Tags.member.1.Key=a");
    assert!(form(&keys, &good));
    for (from, to) in [
        ("ExternalId=rh-own", ""),
        ("ExternalId=rh-own", "ExternalId=rh-other"),
        ("ExternalId=rh-own", "ExternalId="),
        ("ExternalId=rh-own", "externalid=rh-own"),
        ("ExternalId=rh-own", "ExternalId=rh-own&ExternalId=rh-other"),
        ("ExternalId=rh-own", "ExternalId=rh-own&externalId=rh-other"),
        ("ExternalId=rh-own", "ExternalId=rh-own&%45xternalId=rh-other"),
        ("ExternalId=rh-own", "ExternalId=rh-own&ExternalId%20=rh-other"),
        ("ExternalId=rh-own", "ExternalId=rh-own;x&%00ExternalId=y"),
        ("Action=AssumeRole", "Action=GetSessionToken"),
        ("Action=AssumeRole", "Action=GetFederationToken"),
        ("Action=AssumeRole", "Action=AssumeRole&Action=GetSessionToken"),
        (ROLE, ""),
        (ROLE, "RoleArn=events"),
        (ROLE, "RoleArn=arn:aws:iam::1234:role/x"),
        (ROLE, "RoleArn=arn:aws:iam::123456789012:user/x"),
        (ROLE, &format!("{ROLE}&{ROLE}")),
    ] {
        let body = good.replacen(from, to, 1);
        assert_ne!(body, good);
        assert!(!form(&keys, &body), "{body}");
    }
    let judge =
        |method: Method, url, headers: &[(&'static str, &'static str)]| judged(&keys, &method, url, headers, &good);
    let kind = ("content-type", FORM);
    assert!(judge(
        Method::POST,
        "https://tokens.test",
        &[("content-type", "application/x-www-form-urlencoded; charset=utf-8")]
    ));
    assert!(!judge(Method::GET, "https://tokens.test/", &[kind]));
    assert!(!judge(Method::POST, "https://tokens.test/x", &[kind]));
    assert!(!judge(Method::POST, "https://tokens.test/?Action=GetSessionToken", &[kind]));
    assert!(!judge(Method::POST, "https://tokens.test/", &[]));
    assert!(!judge(Method::POST, "https://tokens.test/", &[("content-type", "application/json")]));
    assert!(!judge(Method::POST, "https://tokens.test/", &[kind, ("content-encoding", "gzip")]));
    assert!(!judge(Method::POST, "https://tokens.test/", &[kind, ("x-amz-target", "x")]));
}

#[test]
fn it_goes_to_the_service_of_its_region() {
    let keys = keys(true, json!({}));
    let body = format!("Action=AssumeRole&{ROLE}&ExternalId=rh-own");
    let at = |host: &str| judged(&keys, &Method::POST, &format!("https://{host}/"), &[("content-type", FORM)], &body);
    for home in ["sts.eu-central-1.amazonaws.com", "sts.eu-central-1.amazonaws.com.cn", "sts.amazonaws.com", "moto"] {
        assert!(at(home), "{home}");
    }
    for away in ["sts.s3.amazonaws.com", "sts.eu-west-1.amazonaws.com", "sts.s3-website.amazonaws.com"] {
        assert!(!at(away), "{away}");
    }
    for region in ["eu-central-1", "us-gov-west-1", "cn-north-1", "ap-southeast-12"] {
        assert!(is_region(region), "{region}");
    }
    for other in ["s3", "", "s3-1", "eu-central", "eu-central-", "EU-central-1", "eu.central-1", "-1", "a-1"] {
        assert!(!is_region(other), "{other}");
    }
}

#[test]
fn a_role_of_the_operators_own_account_is_none_of_a_tenants() {
    let body = format!("Action=AssumeRole&{ROLE}&ExternalId=rh-own");
    assert!(form(&keys(true, json!({"account_id": "210987654321"})), &body));
    assert!(!form(&keys(true, json!({"account_id": "123456789012"})), &body));
}

#[test]
fn keys_without_an_external_id_assume_nothing_and_an_owners_own_anything() {
    let body = format!("Action=AssumeRole&{ROLE}");
    assert!(!form(&keys(true, json!({"external_id": null})), &body));
    assert!(!form(&keys(true, json!({"external_id": ""})), &format!("{body}&ExternalId=")));
    assert!(form(&keys(false, json!({})), "Action=GetSessionToken"));
}
