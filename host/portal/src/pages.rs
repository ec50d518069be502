//! The pages, one file each.

pub mod deliveries;
pub mod delivery;
pub mod destination;
pub mod environment;
pub mod event;
pub mod events;
pub mod overview;
pub mod sign_in;
pub mod tenant;
pub mod tenants;

use crate::failure::Failure;
use crate::frame::redirect;
use axum::response::Response;

/// What a page answers.
pub type Answer = Result<Response, Failure>;

/// `/ui/` is `/ui`.
pub async fn home() -> Response {
    redirect("/ui")
}

/// Any other path.
pub async fn missing() -> Failure {
    Failure::missing()
}

/// Any other method.
pub async fn not_allowed() -> Failure {
    Failure::not_allowed()
}
