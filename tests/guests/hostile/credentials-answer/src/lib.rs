//! Answers a challenge of MySQL with a secret that signs requests.

use hostile_kit::{Failure, Given, Hostile, credential, credentials};

#[derive(Default)]
struct Answer;

impl Hostile for Answer {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        let answer = credentials::answer(&credential("signing_key")?, "mysql-native", "user", &[7; 20])?;
        Ok(format!("It has {} bytes.", answer.len()))
    }
}

hostile_kit::hostile!(Answer);
