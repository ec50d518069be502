//! Against `moto`: users, policies, and roles that are assumed for a while.

use crate::run::{config, events_of_two_types, outcomes, sandbox, told};
use railhead_harness::{Moto, s3};
use railhead_plugin_harness::{Destination, events};
use serde_json::{Value, json};

/// The role of [`SETUP`].
pub const ROLE: &str = "arn:aws:iam::123456789012:role/writer";
/// Requests of [`SETUP`].
const SETUP_REQUESTS: u32 = 12;

/// A bucket; the user `writer`, who may write under `live/`; the role of that name, who may too; the user `narrow`, who may
/// write events of one type there; the user `operator`, who may assume roles and do nothing else.
const SETUP: &str = r#"
iam = client("iam")
client("s3").create_bucket(Bucket="events", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
def policy(action, resource, **more):
    statement = {"Effect": "Allow", "Action": action, **({"Resource": resource} if resource else {}), **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
write = policy("s3:PutObject", "arn:aws:s3:::events/live/*")
keys = {}
narrow = policy("s3:PutObject", "arn:aws:s3:::events/live/event_type=order.created/*")
for user, allowed in [("writer", write), ("narrow", narrow), ("operator", policy("sts:AssumeRole", "*"))]:
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    keys[user] = {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}
    iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=allowed)
iam.create_role(RoleName="writer", AssumeRolePolicyDocument=policy("sts:AssumeRole", None, Principal={"AWS": "*"}))
iam.put_role_policy(RoleName="writer", PolicyName="p", PolicyDocument=write)
print(json.dumps(keys))
"#;

/// A server with all that, and the keys of its users.
pub fn moto() -> Option<(Moto, Value)> {
    let moto = Moto::start(SETUP_REQUESTS)?;
    let keys = serde_json::from_str(&moto.run(SETUP)).unwrap();
    Some((moto, keys))
}

async fn destination(moto: &Moto, more: Value) -> Destination {
    let (harness, connector) = sandbox().await;
    harness.destination(&connector, config(&moto.url(), more)).batched()
}

#[tokio::test]
async fn the_least_grant_is_enough_and_no_more_is_had() {
    let Some((moto, keys)) = moto() else { return };
    let live = destination(&moto, json!({"prefix": "live"})).await.credential("keys", &keys["writer"].to_string());
    assert!(live.check().await.unwrap().iter().all(Result::is_ok));
    assert_eq!(outcomes(&live.deliver(events_of_two_types()).await), [("delivered", "stored"); 3]);
    assert_eq!(outcomes(&live.deliver(events_of_two_types()).await), [("delivered", "duplicate"); 3]);

    let elsewhere = live.clone().configured(config(&moto.url(), json!({"prefix": "other"})));
    let settled = elsewhere.deliver(events(2)).await;
    assert_eq!(outcomes(&settled), [("misconfigured", "access-denied"); 2]);
    assert!(told(&settled[0]).3.contains("Grant s3:PutObject"), "{settled:?}");
    let steps = elsewhere.check().await.unwrap();
    assert_eq!(steps[0].as_ref().unwrap_err().code, "access-denied");
}

#[tokio::test]
async fn an_object_that_is_refused_for_ever_keeps_no_other_back() {
    let Some((moto, keys)) = moto() else { return };
    let live = destination(&moto, json!({"prefix": "live"})).await.credential("keys", &keys["narrow"].to_string());
    for code in ["stored", "duplicate"] {
        let settled = live.deliver(events_of_two_types()).await;
        let refused = ("misconfigured", "access-denied");
        assert_eq!(outcomes(&settled), [("delivered", code), refused, ("delivered", code)], "{settled:?}");
    }
    // The host sends again what was refused, under the same number, and without what arrived.
    let rest = vec![events_of_two_types().remove(1)];
    assert_eq!(outcomes(&live.deliver(rest.clone()).await), [("misconfigured", "access-denied")]);
    let granted = live.rotated(&[("keys", &keys["writer"].to_string())]);
    assert_eq!(outcomes(&granted.deliver(rest).await), [("delivered", "stored")]);
    assert_eq!(outcomes(&granted.deliver(events_of_two_types()).await), [("delivered", "duplicate"); 3]);
}

#[tokio::test]
async fn a_bucket_that_is_missing_waits_for_its_owner() {
    // One that asks for no credentials.
    let Some(moto) = Moto::start(u32::MAX) else { return };
    let live =
        destination(&moto, json!({})).await.credential("keys", &s3::keys("AKIAANYBODY", "any/secret/0123456789", None));
    let settled = live.deliver(events(2)).await;
    assert_eq!(outcomes(&settled), [("misconfigured", "bucket-not-found"); 2]);
    assert_eq!(told(&settled[0]).2, Some("NoSuchBucket"), "{settled:?}");
    assert_eq!(live.check().await.unwrap()[0].as_ref().unwrap_err().code, "bucket-not-found");
    let _ = moto.run(
        r#"client("s3").create_bucket(Bucket="events", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})"#,
    );
    assert_eq!(outcomes(&live.deliver(events(2)).await), [("delivered", "stored"); 2]);
}

#[tokio::test]
async fn keys_that_are_not_known_wait_for_others() {
    let Some((moto, keys)) = moto() else { return };
    let id = keys["writer"]["access_key_id"].as_str().unwrap();
    for (given, code) in [
        (s3::keys(id, "not/the/secret/0123456789", None), "secret-key-wrong"),
        (s3::keys("AKIANOBODYKNOWSIT", "not/the/secret/0123456789", None), "access-key-unknown"),
    ] {
        let live = destination(&moto, json!({"prefix": "live"})).await.credential("keys", &given);
        let settled = live.deliver(events(2)).await;
        assert_eq!(outcomes(&settled), [("rejected_credentials", code); 2], "{settled:?}");
    }
    let wrong_class = destination(&moto, json!({"prefix": "live", "storage_class": "NEVER_HEARD_OF"})).await;
    let wrong_class = wrong_class.credential("keys", &keys["writer"].to_string());
    assert_eq!(outcomes(&wrong_class.deliver(events(1)).await), [("misconfigured", "storage-class-unknown")]);
}

#[tokio::test]
async fn a_session_of_a_token_service_signs_with_its_token() {
    let Some((moto, keys)) = moto() else { return };
    let operator = &keys["operator"];
    let session: Value = serde_json::from_str(&moto.run(&format!(
        r#"
sts = client("sts", aws_access_key_id={}, aws_secret_access_key={})
made = sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/writer", RoleSessionName="test")["Credentials"]
keys = {{"access_key_id": made["AccessKeyId"], "secret_access_key": made["SecretAccessKey"]}}
print(json.dumps(dict(keys, session_token=made["SessionToken"])))
"#,
        operator["access_key_id"], operator["secret_access_key"]
    )))
    .unwrap();
    let live = destination(&moto, json!({"prefix": "live"})).await.credential("keys", &session.to_string());
    let settled = live.deliver(events(2)).await;
    assert_eq!(outcomes(&settled), [("delivered", "stored"); 2], "{settled:?}");
    let mut ended = session;
    ended["session_token"] = "ended".into();
    let settled = live.rotated(&[("keys", &ended.to_string())]).deliver(events(2)).await;
    assert_eq!(outcomes(&settled), [("rejected_credentials", "session-expired"); 2], "{settled:?}");
}

#[tokio::test]
async fn a_role_is_assumed_with_the_owners_keys() {
    let Some((moto, keys)) = moto() else { return };
    let more = json!({"prefix": "live", "role_arn": ROLE, "sts_endpoint": moto.url()});
    let live = destination(&moto, more.clone()).await.credential("keys", &keys["operator"].to_string());
    let steps = live.check().await.unwrap();
    assert_eq!(steps[0].as_deref(), Ok("The role can be assumed."), "{steps:?}");
    assert!(steps[1].is_ok(), "{steps:?}");
    for code in ["stored", "duplicate"] {
        assert_eq!(outcomes(&live.deliver(events(2)).await), [("delivered", code); 2]);
    }
    // Who may write, and may assume nothing.
    let refused = destination(&moto, more).await.credential("keys", &keys["writer"].to_string());
    let settled = refused.deliver(events(2)).await;
    assert_eq!(outcomes(&settled), [("rejected_credentials", "exchange-refused"); 2], "{settled:?}");
    assert_eq!(refused.check().await.unwrap()[0].as_ref().unwrap_err().code, "exchange-refused");
}
