//! railhead-guest-build
