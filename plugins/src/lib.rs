//! railhead-plugins
