//! The router as a client meets it: over the model store and a real engine with scripted connectors.

mod bad_input;
mod callers;
mod config;
mod examples;
mod history;
mod hosts;
mod operators;
mod overview;
mod pipeline;
mod publishing;
mod world;
