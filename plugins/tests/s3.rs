//! The S3 connector in the real sandbox: against `s3s-fs`, which verifies signatures, against `moto`, which knows
//! users, policies and roles, and against peers that answer what neither of them does.

#[path = "s3/answers.rs"]
mod answers;
#[path = "s3/aws.rs"]
mod aws;
#[path = "s3/checks.rs"]
mod checks;
#[path = "s3/keys.rs"]
mod keys;
#[path = "s3/nonsense.rs"]
mod nonsense;
#[path = "s3/policies.rs"]
mod policies;
#[path = "s3/requests.rs"]
mod requests;
#[path = "s3/roles.rs"]
mod roles;
#[path = "s3/run.rs"]
mod run;
#[path = "s3/schema.rs"]
mod schema;
#[path = "s3/store.rs"]
mod store;
