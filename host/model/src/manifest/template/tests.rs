use super::OriginTemplate;
use crate::manifest::{Origin, Place};
use serde_json::{Value, json};

const S3: &str = "https://{/bucket}.s3.{/region}.amazonaws.com";

fn template(text: &str) -> Option<OriginTemplate> {
    serde_json::from_value(json!(text)).ok()
}

fn resolved(config: &Value) -> Option<String> {
    template(S3).unwrap().resolve(config)
}

#[test]
fn values_stand_in_labels() {
    let config = json!({"bucket": "events-2", "region": "eu-west-1"});
    assert_eq!(resolved(&config).as_deref(), Some("https://events-2.s3.eu-west-1.amazonaws.com"));
    let nested = template("https://{/at/0/name}.example.com:8443").unwrap();
    assert_eq!(nested.resolve(&json!({"at": [{"name": "a"}]})).as_deref(), Some("https://a.example.com:8443"));
    assert_eq!(template(S3).unwrap().pointers().collect::<Vec<_>>(), ["/bucket", "/region"]);
}

#[test]
fn what_is_no_label_makes_no_origin() {
    let long = "a".repeat(64);
    for bucket in [
        "evil.example",
        "evil.example/",
        "evil.example#",
        "evil.example?",
        "evil\\",
        "a:b@evil",
        "a:1",
        "%2e",
        "a%23",
        "",
        "-a",
        "a-",
        "A",
        "a b",
        "a\n",
        "a\t",
        "ä",
        "a\u{3002}b",
        "a\u{ad}b",
        "{/region}",
        "a_b",
        &long,
    ] {
        assert_eq!(resolved(&json!({"bucket": bucket, "region": "eu-west-1"})), None, "{bucket:?}");
        assert_eq!(resolved(&json!({"bucket": "events", "region": bucket})), None, "{bucket:?}");
    }
    for config in [json!({"bucket": "events"}), json!({"bucket": 7, "region": "x"}), json!({}), json!(null)] {
        assert_eq!(resolved(&config), None, "{config}");
    }
}

#[test]
fn the_domain_is_the_manifests_own() {
    for refused in [
        "https://{/bucket}",
        "https://{/bucket}.com",
        "https://a.{/bucket}",
        "https://a.{/bucket}.com",
        "https://a.b.{/bucket}",
        "https://s3-{/region}.amazonaws.com",
        "https://{/region}x.amazonaws.com",
        "https://{/bucket}{/region}.amazonaws.com",
        "https://{/bucket}.0.1",
        "https://{/bucket}.s3.amazonaws.com.",
        "https://{/bucket}..amazonaws.com",
        "https://{bucket}.amazonaws.com",
        "https://{}.amazonaws.com",
        "https://{/bucket}.amazonaws.com/",
        "https://{/bucket}.amazonaws.com/path",
        "https://{/bucket}.amazonaws.com:0",
        "https://{/bucket}.amazonaws.com:x",
        "https://{/bucket}.amazonaws.com:{/port}",
        "https://user@{/bucket}.amazonaws.com",
        "http://{/bucket}.amazonaws.com",
        "HTTPS://{/bucket}.amazonaws.com",
        "https://s3.amazonaws.com",
        "https://{/bucket}.Amazonaws.com",
        "",
    ] {
        assert!(template(refused).is_none(), "{refused}");
    }
}

#[test]
fn a_manifest_holds_it_beside_other_places() {
    let text = json!({"name": "bucket", "template": S3, "token_endpoint": false});
    let origin: Origin = serde_json::from_value(text.clone()).unwrap();
    assert!(matches!(&origin.place, Place::Template(_)));
    assert_eq!(serde_json::to_value(&origin).unwrap(), text);
    let error = serde_json::from_value::<OriginTemplate>(json!("https://{/x}")).unwrap_err();
    assert!(error.to_string().contains("no template of an origin"), "{error}");
}
