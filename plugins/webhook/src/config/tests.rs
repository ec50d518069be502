use super::*;
use railhead_sdk::config;

fn parse(json: &str) -> Result<Config, Failure> {
    let config: Config = config::parse(json)?;
    config.check().map(|()| config)
}

fn code(json: &str) -> String {
    parse(json).expect_err(json).code
}

#[test]
fn an_empty_configuration_has_the_documented_defaults() {
    let config = parse("{}").unwrap();
    assert_eq!(config.method.as_str(), "POST");
    assert_eq!(config.mode, Mode::Standard);
    assert_eq!(config.header_prefix, "webhook-");
    assert_eq!(config.signatures, [Signature::STANDARD]);
    assert_eq!(config.api_key_header, "x-api-key");
}

#[test]
fn the_example_is_one() {
    let example: serde_json::Value = serde_json::from_str(include_str!("../../example.json")).unwrap();
    let config = parse(&example["config"].to_string()).unwrap();
    assert!(config.url.is_some() && config.is_signature("stripe-signature"));
}

#[test]
fn what_is_unknown_is_refused() {
    assert_eq!(code(r#"{"signatures": [{"scheme": "custom"}]}"#), "invalid-config");
    assert_eq!(code(r#"{"signatures": [{"scheme": "custom", "header": "x", "prefix": "y"}]}"#), "invalid-config");
    assert_eq!(code(r#"{"signatures": [{"scheme": "hmac"}]}"#), "invalid-config");
    assert_eq!(code(r#"{"oauth2": {"token_url": "https://x/"}}"#), "invalid-config");
    assert_eq!(code(r#"{"signatures": [{"scheme": "standard", "header": "x"}]}"#), "invalid-config");
    assert_eq!(code(r#"{"uri": "https://example.com"}"#), "invalid-config");
    assert_eq!(code(r#"{"method": "GET"}"#), "invalid-config");
}

#[test]
fn headers_cannot_forge_what_we_say_nor_carry_secrets_in_the_open() {
    for name in ["Webhook-Id", "webhook-signature", "CE-Type", "Host", "Content-Length", "Authorization", "proxy-x"] {
        assert_eq!(code(&format!(r#"{{"headers": {{"{name}": "x"}}}}"#)), "header-not-allowed", "{name}");
    }
    assert_eq!(code(r#"{"header_prefix": "svix-", "headers": {"Svix-Id": "x"}}"#), "header-not-allowed");
    assert_eq!(code(r#"{"api_key_header": "webhook-id"}"#), "header-not-allowed");
    assert_eq!(code(r#"{"api_key_header": "Content-Type"}"#), "header-not-allowed");
    assert_eq!(code(r#"{"headers": {"a b": "x"}}"#), "invalid-header");
    assert_eq!(code(r#"{"headers": {"a": "x\r\nb: y"}}"#), "invalid-header");
    assert_eq!(code(r#"{"header_prefix": "svix-", "headers": {"webhook-id": "mine"}}"#), "header-not-allowed");
    assert!(parse(r#"{"header_prefix": "svix-", "headers": {"webhook-kind": "mine"}}"#).is_ok());
}

#[test]
fn statuses_are_three_digits_with_a_class() {
    let config = parse(r#"{"status_outcomes": {"404": "permanent"}}"#).unwrap();
    assert_eq!(config.status_outcome(404), Some(Class::Permanent));
    assert_eq!(config.status_outcome(405), None);
    assert_eq!(code(r#"{"status_outcomes": {"4xx": "permanent"}}"#), "invalid-status");
    assert_eq!(code(r#"{"status_outcomes": {"404": "whatever"}}"#), "invalid-config");
}

#[test]
fn the_schema_offers_what_is_read_here() {
    let manifest: serde_json::Value = serde_json::from_str(crate::RAILHEAD_MANIFEST).unwrap();
    let fields = manifest["config_schema"]["properties"].as_object().unwrap();
    for (field, rules) in fields {
        let value = rules.get("default").or_else(|| rules["examples"].get(0)).unwrap_or_else(|| panic!("{field}"));
        let config = serde_json::json!({ field.as_str(): value });
        parse(&config.to_string()).unwrap_or_else(|error| panic!("{field}: {error:?}"));
    }
    assert_eq!(manifest["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn each_scheme_has_a_header_of_its_own() {
    let custom = |header: &str| format!(r#"{{"scheme": "custom", "header": "{header}"}}"#);
    let config = |signatures: &[String], more: &str| format!(r#"{{"signatures": [{}]{more}}}"#, signatures.join(","));
    let standard = r#"{"scheme": "standard"}"#.to_owned();
    assert!(parse(&config(&[standard.clone(), custom("Stripe-Signature"), custom("x-b")], "")).is_ok());
    assert!(parse(&config(&[custom("webhook-signature")], "")).is_ok());
    assert!(parse(&config(&[custom("Authorization")], "")).is_ok());
    assert_eq!(code(&config(&[standard.clone(), custom("Webhook-Signature")], "")), "two-headers");
    assert_eq!(code(&config(&[standard.clone(), standard], "")), "two-headers");
    assert_eq!(code(&config(&[custom("x-b"), custom("X-B")], "")), "two-headers");
    assert_eq!(code(&config(&[custom("x-b")], r#", "headers": {"X-B": "y"}"#)), "two-headers");
    for name in ["webhook-id", "host", "ce-id", "Content-Length", "Content-Type", "user-agent"] {
        assert_eq!(code(&config(&[custom(name)], "")), "header-not-allowed", "{name}");
    }
    assert_eq!(code(&config(&[custom("a b")], "")), "invalid-header");
    let words = r#"{"signatures": [{"scheme": "custom", "header": "x", "value": "{signatures}!"}]}"#;
    assert_eq!(code(words), "invalid-template");
}

#[test]
fn sealed_headers_forge_nothing_and_stand_once() {
    let config = parse(
        r#"{"header_prefix": "svix-", "headers": {"X-A": "y"}, "signatures": [{"scheme": "custom", "header": "x-s"}]}"#,
    )
    .unwrap();
    let code = |name: &str| config.check_sealed(name).map_err(|error| error.code);
    for name in ["svix-id", "webhook-signature", "ce-type", "traceparent", "x-s", "Content-Type", "user-agent"] {
        assert_eq!(code(name), Err("header-not-allowed".to_owned()), "{name}");
    }
    assert_eq!(code("x-a"), Err("two-headers".to_owned()));
    assert_eq!((code("authorization"), code("cookie"), code("x-b")), (Ok(()), Ok(()), Ok(())));
}
