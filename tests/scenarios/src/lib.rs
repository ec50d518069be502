//! railhead-scenarios
