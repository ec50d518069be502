//! The way of a request where something goes wrong on the host's side.

use super::world::{LIVE, World};
use crate::answer::Answer;
use crate::codes;
use crate::operation::{Operation, Place, Verb};
use crate::ops::events::publish::overloaded;
use crate::problem::Problem;
use crate::route;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::routing::MethodRouter;
use http::Request;
use railhead_delivery::Overloaded;
use railhead_store::StoreError;
use serde_json::Value;
use tower::ServiceExt as _;

static PANICS: Operation = Operation {
    id: "test.panics",
    verb: Verb::Post,
    path: "/panics",
    place: Place::Host,
    run: |_| Box::pin(async { panic!("a defect with a secret in it") }),
    ..Operation::BASE
};

async fn send(world: &World, body: Body) -> (u16, Value) {
    let request = Request::post("/panics").body(body).expect("a request");
    let router = Router::new().route(PANICS.path, route(MethodRouter::new(), &world.state, &PANICS));
    let response = router.oneshot(request).await.expect("infallible");
    let status = response.status().as_u16();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    (status, serde_json::from_slice(&bytes).expect("a document"))
}

#[tokio::test]
async fn a_panic_is_a_problem_document_that_gives_nothing_away() {
    let world = World::empty().await;
    let (status, problem) = send(&world, Body::empty()).await;
    assert_eq!((status, &problem["code"]), (500, &Value::from("internal")));
    assert!(!problem.to_string().contains("secret"));
    world.send(LIVE, "get", "/v1/tenants", &[], "").await.expect(200);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_given_up() {
    let world = World::empty().await;
    let never = Body::from_stream(futures::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    let (status, problem) = send(&world, never).await;
    assert_eq!((status, &problem["code"]), (408, &Value::from("body-timeout")));
}

#[test]
fn an_order_that_too_many_would_have_to_join_is_refused_with_a_way_out() {
    let problem = Problem::from(StoreError::TooManyWaiting);
    assert_eq!((problem.status(), problem.code), (409, &codes::TOO_MANY_WAITING));
    assert!(problem.detail.contains("ordering"), "{}", problem.detail);
}

#[test]
fn what_may_work_later_says_when() {
    let problems = [
        (Problem::from(StoreError::Unavailable("disk full: /var/x".into())), &codes::UNAVAILABLE, "1"),
        (Problem::from(StoreError::Unknown("lost".into())), &codes::UNAVAILABLE, "1"),
        (overloaded(Overloaded::Busy { retry_after_s: 7 }), &codes::OVERLOADED, "7"),
        (overloaded(Overloaded::Unavailable("locked".into())), &codes::UNAVAILABLE, "1"),
    ];
    for (problem, code, seconds) in problems {
        assert_eq!((problem.status(), problem.code), (503, code));
        let answer = Answer::problem(&problem, "req_1");
        assert_eq!(answer.header_value(&http::header::RETRY_AFTER), Some(seconds));
        assert!(!String::from_utf8_lossy(&answer.body).contains("/var/x"));
    }
}
