//! railhead-harness
