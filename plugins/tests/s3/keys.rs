//! Keys of types of any length. `moto` refuses keys of more than 1,024 bytes, as AWS does.

use crate::run::{config, of_type, outcomes, rows, sandbox};
use railhead_harness::{Moto, s3};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};

/// All objects.
const LIST: &str = r#"
s3 = client("s3")
keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket="events").get("Contents", [])]
read = lambda key: s3.get_object(Bucket="events", Key=key)["Body"].read()
print(json.dumps({key: list(read(key)) for key in keys}))
"#;

#[tokio::test]
async fn types_of_any_length_have_keys() {
    // It asks for no credentials.
    let Some(moto) = Moto::start(u32::MAX) else { return };
    let _ = moto.run(
        r#"client("s3").create_bucket(Bucket="events", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})"#,
    );
    let (harness, connector) = sandbox().await;
    let destination = |more: Value| {
        let destination = harness.destination(&connector, config(&moto.url(), more));
        destination.credential("keys", &s3::keys("AKIAANYBODY", "any/secret/0123456789", None))
    };
    let kinds = ["ж".repeat(256), format!("{}щ", "ж".repeat(255)), "\u{10ffff}".repeat(256), "a".repeat(256)];
    let batch = |from: u8| (from..).zip(&kinds).map(|(n, kind)| of_type(n, kind, "1")).collect::<Vec<_>>();
    let batched = destination(json!({"prefix": "p".repeat(255), "compression": "none"})).batched().batch_id("bat_1_7");
    for code in ["stored", "duplicate"] {
        let settled = batched.deliver(batch(1)).await;
        assert_eq!(outcomes(&settled), [("delivered", code); 4], "{settled:?}");
    }
    let deep = format!("{0}/{0}/{{tenant}}/{{event_type}}/{{hash}}", "k".repeat(240));
    let settled = destination(json!({"key": deep, "compression": "none"})).deliver(batch(10)).await;
    assert_eq!(outcomes(&settled), [("delivered", "stored"); 4], "{settled:?}");
    let objects: BTreeMap<String, Vec<u8>> = serde_json::from_str(&moto.run(LIST)).unwrap();
    assert_eq!(objects.len(), 8);
    assert!(objects.keys().all(|key| key.len() <= 1024 && key.split('/').all(|segment| segment.len() <= 255)));
    let row = |(key, body): (&String, &Vec<u8>)| rows(key, body).remove(0)["event_type"].as_str().unwrap().to_owned();
    let types: HashSet<_> = objects.iter().map(row).collect();
    assert_eq!(types, kinds.into_iter().collect(), "rows have the whole type");
}
