//! railhead-vault
