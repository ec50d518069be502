//! Answers a check with two hundred thousand steps.

use hostile_kit::{Hostile, Reason};

#[derive(Default)]
struct Steps;

impl Hostile for Steps {
    fn check(&self) -> Vec<Result<String, Reason>> {
        vec![Ok("It looks well.".to_owned()); 200_000]
    }
}

hostile_kit::hostile!(Steps);
