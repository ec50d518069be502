//! railhead-store-postgres
