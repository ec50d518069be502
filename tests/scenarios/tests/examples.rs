//! `examples/` is so: the compose example's steps run, as processes; what the files name is what the host has.

#[path = "examples/files.rs"]
mod files;
#[path = "examples/steps.rs"]
mod steps;
