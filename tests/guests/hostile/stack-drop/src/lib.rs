//! Recurses where nobody wrote a recursion: it drops a list of a million boxes.

use hostile_kit::{Failure, Given, Hostile};
use std::hint::black_box;

#[derive(Default)]
struct Drop;

struct Link {
    _rest: Option<Box<Link>>,
}

impl Hostile for Drop {
    fn deliver(&self, _: &Given<'_>) -> Result<String, Failure> {
        let list = (0..1_000_000).fold(None, |rest, _| Some(Box::new(Link { _rest: rest })));
        drop(black_box(list));
        Ok("It was dropped.".to_owned())
    }
}

hostile_kit::hostile!(Drop);
