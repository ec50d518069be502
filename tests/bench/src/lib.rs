//! railhead-bench
