//! A destination's configuration.
//!
//! The host has validated it against the schema that is derived from it. What a schema cannot say is looked at here.

mod choices;
pub mod key;

pub use self::choices::{Compression, Encryption, PartitionBy};
use self::key::KeyTemplate;
use railhead_sdk::Schema;
use serde::Deserialize;

/// What the owner of a destination sets.
#[derive(Debug, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
#[schema(
    title = "S3",
    // Where the region stands in the name of a host of AWS, it must be one of theirs.
    extend = {
        "if": {
            "anyOf": [
                { "not": { "required": ["endpoint"] } },
                { "required": ["role_arn"], "not": { "required": ["sts_endpoint"] } }
            ]
        },
        "then": { "properties": { "region": { "pattern": "^[a-z]{2}(-[a-z]+)+-[0-9]+$" } } }
    }
)]
pub struct Config {
    /// Name of the bucket that objects are written to.
    #[schema(
        title = "Bucket",
        pattern = "^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$",
        min_length = 3,
        max_length = 63,
        examples = ["acme-events"]
    )]
    pub bucket: String,

    /// The bucket's region, such as `eu-west-1`. With an endpoint it is what that store's documents say; those that have no
    /// regions take `us-east-1` or `auto`.
    #[schema(
        title = "Region",
        pattern = "^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$",
        max_length = 63,
        examples = ["eu-west-1"],
        // Hosts of AWS that begin so are buckets of anybody, such as `sts.s3.amazonaws.com`.
        extend = { "not": { "pattern": "^s3" } }
    )]
    pub region: String,

    /// Address of a compatible store, such as MinIO, Ceph, R2 or Spaces. Leave it out for AWS.
    #[schema(
        title = "Endpoint",
        format = "uri",
        min_length = 10,
        max_length = 512,
        pattern = "^https?://[^\\s/?#@]+/?$",
        examples = ["https://s3.example.com"]
    )]
    pub endpoint: Option<String>,

    /// Where the bucket's name stands: in the path of the address, or in its host. With an endpoint the default is
    /// the path; `false` then means that the endpoint is the bucket's own address. Without one the default is the
    /// host, unless the name has dots or underscores.
    #[schema(title = "Bucket in the path")]
    pub path_style: Option<bool>,

    /// What all keys begin with. A slash follows it.
    #[serde(default)]
    #[schema(
        title = "Prefix",
        max_length = 256,
        pattern = "^[A-Za-z0-9!_.*'()=/-]*$",
        default = "",
        examples = ["railhead/live"]
    )]
    pub prefix: String,

    /// How keys go on after the prefix. Placeholders: {event_type}, {tenant}, {dt} (the UTC day as 2026-01-31),
    /// {year}, {month}, {day}, {hour}, {hash} (once: it tells the object from all others and is the same at every
    /// attempt), {extension} (`ndjson`, `ndjson.gz` or `ndjson.zst`). Events with another key than their neighbours'
    /// go into an object of their own.
    #[serde(default = "default_key")]
    #[schema(
        title = "Key",
        max_length = 512,
        pattern = "^[A-Za-z0-9!_.*'()=/{}-]*\\{hash\\}[A-Za-z0-9!_.*'()=/{}-]*$",
        default = "event_type={event_type}/dt={dt}/hour={hour}/part-{hash}.{extension}"
    )]
    pub key: String,

    /// Whose time decides about {dt}, {hour} and their like. `accepted`: when the event was accepted here; a
    /// partition is complete soon after its hour, and an event stays in its own whenever it is sent. `occurred`: the
    /// event's own time, or `accepted` where it has none; late events come into old partitions.
    #[serde(default)]
    #[schema(title = "Partition by", default = "accepted")]
    pub partition_by: PartitionBy,

    /// How objects are compressed.
    #[serde(default)]
    #[schema(title = "Compression", default = "gzip")]
    pub compression: Compression,

    /// What a repeated attempt does. `false`: it leaves an object that is there already as it is (`If-None-Match`),
    /// where the store can tell. `true`: it writes the same object again.
    #[serde(default)]
    #[schema(title = "Overwrite", default = false)]
    pub overwrite: bool,

    /// How the store is asked to encrypt objects. `bucket-default`: as the bucket says. `aes256`: with the store's
    /// own keys (SSE-S3). `kms`: with the key `kms_key_id` of AWS KMS, or the account's key for S3 (SSE-KMS).
    #[serde(default)]
    #[schema(title = "Encryption", default = "bucket-default")]
    pub encryption: Encryption,

    /// Id or ARN of the KMS key; for `encryption: kms`.
    #[schema(
        title = "KMS key",
        min_length = 1,
        max_length = 2048,
        pattern = "^[A-Za-z0-9:/_-]+$",
        examples = ["arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"]
    )]
    pub kms_key_id: Option<String>,

    /// Uses a key of the bucket, which makes fewer and cheaper calls to KMS; for `encryption: kms`.
    #[serde(default)]
    #[schema(title = "Bucket key", default = false)]
    pub bucket_key: bool,

    /// The storage class of objects; the bucket's usual one where it is left out.
    #[schema(
        title = "Storage class",
        pattern = "^[A-Z][A-Z0-9_]{1,63}$",
        examples = ["STANDARD_IA", "INTELLIGENT_TIERING"]
    )]
    pub storage_class: Option<String>,

    /// Gives the bucket's owner full control of objects (the ACL `bucket-owner-full-control`); for buckets of another
    /// account that still use ACLs.
    #[serde(default)]
    #[schema(title = "Bucket owner has full control", default = false)]
    pub bucket_owner_full_control: bool,

    /// A role that is assumed to write: by this service's own identity where there is no credential `keys`, and then
    /// its trust policy names this service and your external id; else with these keys.
    #[schema(
        title = "Role",
        max_length = 2048,
        pattern = "^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}$",
        examples = ["arn:aws:iam::111122223333:role/railhead-writer"]
    )]
    pub role_arn: Option<String>,

    /// The session's name in CloudTrail; for `role_arn`.
    #[serde(default = "default_session_name")]
    #[schema(title = "Role session name", pattern = "^[A-Za-z0-9_+=,.@-]{2,64}$", default = "railhead")]
    pub role_session_name: String,

    /// Seconds that a session of the role lives; at most what the role allows.
    #[serde(default = "default_role_duration")]
    #[schema(title = "Role session seconds", minimum = 900, maximum = 43200, default = 3600)]
    pub role_duration_s: u32,

    /// Address of a token service that is compatible with AWS STS; for `role_arn` with the credential `keys`. Leave
    /// it out for AWS.
    #[schema(
        title = "STS endpoint",
        format = "uri",
        min_length = 10,
        max_length = 512,
        pattern = "^https?://[^\\s/?#@]+/?$",
        examples = ["https://sts.example.com"]
    )]
    pub sts_endpoint: Option<String>,

    /// A check writes the small object `.railhead-check` under the prefix: it alone proves that objects may be written.
    /// `false`: it only asks for the bucket, which needs the permission `s3:ListBucket` to say anything.
    #[serde(default = "yes")]
    #[schema(title = "Check by writing", default = true)]
    pub check_object: bool,
}

fn default_key() -> String {
    "event_type={event_type}/dt={dt}/hour={hour}/part-{hash}.{extension}".to_owned()
}

fn default_session_name() -> String {
    "railhead".to_owned()
}

const fn default_role_duration() -> u32 {
    3600
}

const fn yes() -> bool {
    true
}

/// Why a configuration cannot be used: a stable code, and words for its owner.
#[derive(Debug, PartialEq, Eq)]
pub struct Unusable {
    pub code: &'static str,
    pub message: String,
}

impl Unusable {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl Config {
    /// The template of keys, where all fits together.
    pub fn checked(&self) -> Result<KeyTemplate, Unusable> {
        if self.encryption != Encryption::Kms && (self.kms_key_id.is_some() || self.bucket_key) {
            let message = "kms_key_id and bucket_key are for `encryption: kms`. Set that, or leave them out.";
            return Err(Unusable::new("kms-without-encryption", message));
        }
        KeyTemplate::parse(&self.prefix, &self.key)
    }

    /// Where the bucket is: what keys are appended to. It ends in a slash.
    pub fn bucket_url(&self) -> String {
        let Self { bucket, region, .. } = self;
        match &self.endpoint {
            Some(endpoint) => {
                let endpoint = endpoint.trim_end_matches('/');
                if self.path_style.unwrap_or(true) { format!("{endpoint}/{bucket}/") } else { format!("{endpoint}/") }
            }
            None if self.path_style.unwrap_or(!is_label(bucket)) => {
                format!("https://s3.{region}.{}/{bucket}/", self.domain())
            }
            None => format!("https://{bucket}.s3.{region}.{}/", self.domain()),
        }
    }

    /// Where roles are assumed.
    pub fn sts_url(&self) -> String {
        match &self.sts_endpoint {
            Some(endpoint) => format!("{}/", endpoint.trim_end_matches('/')),
            None => format!("https://sts.{}.{}/", self.region, self.domain()),
        }
    }

    /// Of AWS in this part of the world.
    fn domain(&self) -> &'static str {
        if self.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
    }
}

/// True if the name can be a label of a host that certificates of AWS cover.
fn is_label(bucket: &str) -> bool {
    !bucket.contains(['.', '_'])
}

#[cfg(test)]
pub mod tests;
