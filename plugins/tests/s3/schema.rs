//! Which configurations the host takes before the connector sees them.

use crate::run::sandbox;
use jsonschema::PatternOptions;
use serde_json::{Value, json};

#[tokio::test]
async fn a_region_in_the_name_of_a_host_of_aws_is_one_of_theirs() {
    let (_, connector) = sandbox().await;
    let options = jsonschema::options().with_pattern_options(PatternOptions::regex());
    let schema = options.build(&connector.manifest.config_schema).unwrap();
    let takes = |region: &str, more: &Value| {
        let mut config = json!({"bucket": "events", "region": region});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        schema.is_valid(&config)
    };
    let aws = ["eu-west-1", "us-gov-west-1", "cn-northwest-1", "ap-southeast-2"];
    let others = ["auto", "us-east-1", "fr-par", "nbg1", "default", "us-west-004"];
    let never = ["s3", "s3-eu-west-1", "s3-website-us-east-1", "S3", "a.b", "a/b", ""];
    let endpoint = json!({"endpoint": "https://s3.example.com"});
    let role = json!({"role_arn": "arn:aws:iam::111122223333:role/x"});
    let with = |a: &Value, b: &Value| {
        let mut both = a.clone();
        both.as_object_mut().unwrap().extend(b.as_object().unwrap().clone());
        both
    };
    let tokens = with(&endpoint, &with(&role, &json!({"sts_endpoint": "https://sts.example.com"})));
    for more in [json!({}), role.clone(), with(&endpoint, &role)] {
        assert!(aws.iter().all(|region| takes(region, &more)), "{more}");
        let refused = ["auto", "fr-par", "nbg1", "us-west-004x"].iter().chain(&never);
        refused.for_each(|region| assert!(!takes(region, &more), "{region} {more}"));
    }
    for more in [endpoint, tokens] {
        assert!(aws.iter().chain(&others).all(|region| takes(region, &more)), "{more}");
        assert!(!never.iter().any(|region| takes(region, &more)), "{more}");
    }
}
