//! railhead-sandbox
