//! railhead-routing
