use super::*;
use serde_json::json;

/// A manifest with these members in the place of its own.
fn judged(members: &Value) -> Result<(), String> {
    let mut manifest = json!({"name": "x", "version": "0.1.0", "contract": CONTRACT, "label": "X", "category": "http",
        "config_schema": {}, "credentials": [{"name": "url", "label": "", "kind": "url", "use": "url"}],
        "origins": [{"name": "sts", "literal": "https://sts.amazonaws.com", "token_endpoint": true},
            {"name": "bucket", "template": "https://{/bucket}.s3.amazonaws.com"},
            {"name": "own", "config": "/endpoint"}, {"name": "secret", "credential": "url"}]});
    for (name, value) in members.as_object().unwrap() {
        manifest[name] = value.clone();
    }
    check(&serde_json::from_value(manifest).unwrap())
}

fn operators(members: &Value) -> Value {
    let mut field = json!({"name": "role", "label": "", "kind": "aws", "use": "sign-request", "operator": true});
    for (name, value) in members.as_object().unwrap() {
        field[name] = value.clone();
    }
    json!([field, {"name": "url", "label": "", "kind": "url", "use": "url"}])
}

#[test]
fn what_is_the_operators_goes_nowhere_that_a_tenant_chooses() {
    assert_eq!(judged(&json!({"credentials": operators(&json!({"origins": ["sts"]}))})), Ok(()));
    for wrong in [
        json!({}),
        json!({"origins": ["sts", "own"]}),
        json!({"origins": ["secret"]}),
        json!({"origins": ["sts"], "shared": true}),
        json!({"origins": ["sts"], "generate": "ed25519"}),
    ] {
        let refused = judged(&json!({"credentials": operators(&wrong)})).unwrap_err();
        assert!(refused.contains("role is the operator's"), "{wrong}: {refused}");
    }
}

#[test]
fn what_it_is_exchanged_for_must_have_somewhere_to_go() {
    let sts = json!({"name": "sts", "literal": "https://sts.amazonaws.com", "token_endpoint": true});
    let own = json!({"name": "own", "config": "/endpoint"});
    let credentials = operators(&json!({"origins": ["sts"]}));
    let refused = judged(&json!({"credentials": credentials, "origins": [sts, own]})).unwrap_err();
    assert!(refused.contains("may go"), "{refused}");
    let api = json!({"name": "api", "literal": "https://api.example.com"});
    assert_eq!(judged(&json!({"credentials": credentials, "origins": [sts, own, api]})), Ok(()));
}

#[test]
fn names_versions_and_origins_are_what_they_should_be() {
    let field = |name: &str| {
        json!({"credentials": [{"name": name, "label": "", "kind": "url", "use": "url"}],
        "origins": [{"name": "own", "config": "/endpoint"}]})
    };
    let origin = |name: &str, url: &str| json!({"origins": [{"name": name, "literal": url}]});
    let version = |version: &str| json!({"version": version});
    let azure = |usage: &str| json!({"credentials": [{"name": "url", "label": "", "kind": "azure-key", "use": usage}]});
    for good in [
        field("api_key-2"),
        origin("api_2", "https://api.example.com:8443"),
        version("0.1.0"),
        version("10.20.30-rc.1+build.007"),
        azure("sign-request"),
    ] {
        assert_eq!(judged(&good), Ok(()), "{good}");
    }
    for wrong in [
        field("Api"),
        field("a b"),
        field(""),
        field(&"a".repeat(65)),
        origin("a+b", "https://api.example.com"),
        origin("\u{430}pi", "https://api.example.com"),
        origin("api", "api.example.com"),
        origin("api", "ftp://api.example.com"),
        origin("api", "https://user@api.example.com"),
        version(""),
        version("1.2"),
        version("1.02.3"),
        version("v1.2.3"),
        version("1.2.3-"),
        version("1.2.3-01"),
        version("latest"),
        azure("token"),
        azure("place"),
    ] {
        assert!(judged(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn nothing_that_people_read_acts() {
    for acts in ["\u{202e}", "\u{2066}", "\u{200f}", "\u{1b}[2J", "\u{0}", "\u{85}"] {
        for wrong in [
            json!({"label": format!("X{acts}")}),
            json!({"setup": format!("Do{acts} this.")}),
            json!({"least_grant": acts}),
            json!({"target": acts}),
            json!({"version": format!("0.1.0{acts}")}),
            json!({"config_schema": {"properties": {"a": {"title": acts}}}}),
            json!({"config_schema": {"properties": {acts: {}}}}),
            json!({"credentials": [{"name": "url", "label": acts, "kind": "url", "use": "url"}]}),
        ] {
            let refused = judged(&wrong).unwrap_err();
            assert!(refused.contains("direction of text"), "{wrong}: {refused}");
        }
    }
    assert!(judged(&json!({"label": "two\nlines"})).is_err());
    assert_eq!(judged(&json!({"setup": "two\nlines", "label": "\u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{1f680}"})), Ok(()));
}
