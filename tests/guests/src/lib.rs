//! railhead-test-guests
