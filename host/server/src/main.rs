//! The `railhead` binary.
fn main() {}
