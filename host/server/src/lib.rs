//! railhead-server
