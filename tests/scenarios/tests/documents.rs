//! What the documents say is so: their code runs, their tables are those of the code, what they name exists.

#[path = "documents/answers.rs"]
mod answers;
#[path = "documents/names.rs"]
mod names;
#[path = "documents/operator.rs"]
mod operator;
#[path = "documents/page.rs"]
mod page;
#[path = "documents/postgres.rs"]
mod postgres;
#[path = "documents/receiver.rs"]
mod receiver;
#[path = "documents/samples.rs"]
mod samples;
