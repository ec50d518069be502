//! The postgres connector in the real sandbox, against a real PostgreSQL on loopback that wants TLS and SCRAM.

#[path = "postgres/between.rs"]
mod between;
#[path = "postgres/canary.rs"]
mod canary;
#[path = "postgres/certificates.rs"]
mod certificates;
#[path = "postgres/checks.rs"]
mod checks;
#[path = "postgres/frozen.rs"]
mod frozen;
#[path = "postgres/login.rs"]
mod login;
#[path = "postgres/lost.rs"]
mod lost;
#[path = "postgres/outcomes.rs"]
mod outcomes;
#[path = "postgres/preview.rs"]
mod preview;
#[path = "postgres/rows.rs"]
mod rows;
#[path = "postgres/run.rs"]
mod run;
#[path = "postgres/server.rs"]
mod server;
#[path = "postgres/strange.rs"]
mod strange;
#[path = "postgres/tables.rs"]
mod tables;
#[path = "postgres/tls.rs"]
mod tls;
