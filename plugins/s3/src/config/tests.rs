use super::Config;
use serde_json::{Value, json};

pub fn config(more: &Value) -> Config {
    let mut config = json!({"bucket": "events", "region": "eu-west-1"});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(config).unwrap()
}

#[test]
fn buckets_have_an_address() {
    for (more, url) in [
        (json!({}), "https://events.s3.eu-west-1.amazonaws.com/"),
        (json!({"path_style": true}), "https://s3.eu-west-1.amazonaws.com/events/"),
        (json!({"bucket": "events.example.com"}), "https://s3.eu-west-1.amazonaws.com/events.example.com/"),
        (json!({"bucket": "a_b"}), "https://s3.eu-west-1.amazonaws.com/a_b/"),
        (json!({"region": "cn-north-1"}), "https://events.s3.cn-north-1.amazonaws.com.cn/"),
        (json!({"endpoint": "https://s3.example.com"}), "https://s3.example.com/events/"),
        (json!({"endpoint": "http://127.0.0.1:9000/"}), "http://127.0.0.1:9000/events/"),
        (json!({"endpoint": "https://events.oss.example.com", "path_style": false}), "https://events.oss.example.com/"),
    ] {
        assert_eq!(config(&more).bucket_url(), url, "{more}");
    }
    assert_eq!(config(&json!({})).sts_url(), "https://sts.eu-west-1.amazonaws.com/");
    assert_eq!(config(&json!({"region": "cn-north-1"})).sts_url(), "https://sts.cn-north-1.amazonaws.com.cn/");
    assert_eq!(config(&json!({"sts_endpoint": "http://127.0.0.1:1"})).sts_url(), "http://127.0.0.1:1/");
}

#[test]
fn what_is_left_out_has_a_default() {
    let config = config(&json!({}));
    let key = config.checked().unwrap().render(|placeholder, _| format!("<{placeholder:?}>"));
    assert_eq!(key, "event_type=<EventType>/dt=<Dt>/hour=<Hour>/part-<Hash>.<Extension>");
    assert_eq!(config.compression.extension(), "ndjson.gz");
    assert!(config.check_object && !config.overwrite);
}

#[test]
fn what_does_not_fit_together_is_told() {
    for (more, code) in [
        (json!({"kms_key_id": "k"}), "kms-without-encryption"),
        (json!({"bucket_key": true, "encryption": "aes256"}), "kms-without-encryption"),
        (json!({"key": "part"}), "key-without-hash"),
        (json!({"prefix": "../x"}), "key-path"),
    ] {
        assert_eq!(config(&more).checked().unwrap_err().code, code, "{more}");
    }
}
