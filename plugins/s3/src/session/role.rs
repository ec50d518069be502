//! What is asked of a token service for a session of a role.

use crate::config::{Config, Encryption};
use crate::request::form_value;
use serde_json::{Value, json};

/// Bytes of a key's ARN: none of AWS is longer, and a policy has 2048.
const MAX_KEY_ARN: usize = 256;

/// The form of AssumeRole (AWS STS API Reference). `external_id`: what the role's trust policy is to ask for.
pub fn form(config: &Config, arn: &str, external_id: Option<&str>) -> String {
    let duration = config.role_duration_s.to_string();
    let mut form = vec![
        ("Action", "AssumeRole"),
        ("Version", "2011-06-15"),
        ("RoleArn", arn),
        ("RoleSessionName", &config.role_session_name),
        ("DurationSeconds", &duration),
    ];
    form.extend(external_id.map(|id| ("ExternalId", id)));
    let policy = policy(config, arn).to_string();
    // Compatible services know some of AWS's actions only, and refuse a policy that names others.
    form.extend(config.sts_endpoint.is_none().then_some(("Policy", policy.as_str())));
    form.iter().map(|(name, value)| format!("{name}={}", form_value(value))).collect::<Vec<_>>().join("&")
}

/// What the session may do at most, whatever its role may: write objects under the prefix.
fn policy(config: &Config, arn: &str) -> Value {
    let partition = arn.split(':').nth(1).unwrap_or("aws");
    let bucket = format!("arn:{partition}:s3:::{}", config.bucket);
    let prefix = config.prefix.trim_end_matches('/');
    let folder = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    // An asterisk of the prefix stands for itself.
    let objects = format!("{bucket}/{}*", folder.replace('*', "${*}"));
    let write: &[&str] =
        if config.bucket_owner_full_control { &["s3:PutObject", "s3:PutObjectAcl"] } else { &["s3:PutObject"] };
    let allow = |actions: &[&str], resource: &str| json!({"Effect": "Allow", "Action": actions, "Resource": resource});
    let mut statements = vec![allow(write, &objects)];
    if !config.check_object {
        statements.push(allow(&["s3:ListBucket"], &bucket));
    }
    if config.encryption != Encryption::Aes256 {
        // A bucket may encrypt with a key that is not named here, and policies do not know keys by alias.
        let key = config.kms_key_id.as_deref().filter(|key| key.starts_with("arn:") && key.contains(":key/"));
        statements.push(allow(&["kms:GenerateDataKey"], key.filter(|key| key.len() <= MAX_KEY_ARN).unwrap_or("*")));
    }
    json!({"Version": "2012-10-17", "Statement": statements})
}

#[cfg(test)]
mod tests {
    use super::{form, policy};
    use crate::config::tests::config;
    use serde_json::{Value, json};

    const ROLE: &str = "arn:aws:iam::111122223333:role/writer";

    /// Actions, each with what it is allowed on.
    fn allowed(more: Value, arn: &str) -> Vec<(String, String)> {
        let policy = policy(&config(&more), arn);
        let statements = policy["Statement"].as_array().unwrap().iter();
        let pairs = |statement: &Value| -> Vec<(String, String)> {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let actions = statement["Action"].as_array().unwrap();
            actions.iter().map(|action| (text(action), text(&statement["Resource"]))).collect()
        };
        statements.flat_map(pairs).collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|&(action, resource)| (action.to_owned(), resource.to_owned())).collect()
    }

    #[test]
    fn a_session_may_write_under_the_prefix_and_no_more() {
        let own_keys = json!({"prefix": "live/", "encryption": "aes256"});
        assert_eq!(allowed(own_keys, ROLE), pairs(&[("s3:PutObject", "arn:aws:s3:::events/live/*")]));
        let key = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd";
        let kms = json!({"encryption": "kms", "kms_key_id": key});
        let write = ("s3:PutObject", "arn:aws:s3:::events/*");
        assert_eq!(allowed(kms, ROLE), pairs(&[write, ("kms:GenerateDataKey", key)]));
        for more in [json!({}), json!({"encryption": "kms", "kms_key_id": "alias/events"})] {
            assert_eq!(allowed(more, ROLE), pairs(&[write, ("kms:GenerateDataKey", "*")]));
        }
        let more =
            json!({"prefix": "a*", "bucket_owner_full_control": true, "check_object": false, "encryption": "aes256"});
        let objects = "arn:aws-cn:s3:::events/a${*}/*";
        assert_eq!(
            allowed(more, "arn:aws-cn:iam::111122223333:role/writer"),
            pairs(&[
                ("s3:PutObject", objects),
                ("s3:PutObjectAcl", objects),
                ("s3:ListBucket", "arn:aws-cn:s3:::events")
            ])
        );
    }

    #[test]
    fn the_longest_policy_is_one_that_aws_takes() {
        let key = |length: usize| format!("arn:aws:kms:eu-west-1:111122223333:key/{}", "k".repeat(length));
        for length in [36, 217, 218, 2000] {
            let more = json!({
                "bucket": "b".repeat(63), "prefix": "*".repeat(256), "bucket_owner_full_control": true,
                "check_object": false, "encryption": "kms", "kms_key_id": key(length),
            });
            // AWS takes 2048 characters.
            assert!(policy(&config(&more), ROLE).to_string().len() < 2048);
        }
    }

    #[test]
    fn a_form_names_the_external_id_and_the_policy() {
        let asked = form(&config(&json!({"encryption": "aes256"})), ROLE, Some("a+b"));
        let (before, policy) = asked.split_once("&Policy=").unwrap();
        assert!(before.starts_with("Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333"));
        assert!(before.ends_with("&DurationSeconds=3600&ExternalId=a%2Bb"), "{before}");
        assert!(policy.starts_with("%7B%22") && policy.contains("s3%3APutObject"), "{policy}");
        let elsewhere = config(&json!({"sts_endpoint": "https://sts.example.com"}));
        assert!(!form(&elsewhere, ROLE, None).contains("Policy="));
    }
}
