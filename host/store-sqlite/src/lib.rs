//! railhead-store-sqlite
