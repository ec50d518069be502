//! The API's door: open from the first moment, so that whoever asks hears how far the start is.

use axum::Router;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use railhead_api::early::{self, Phase};
use railhead_vault::{Random as _, SystemRandom};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Answers for the host until there is one, and then is the host. Cheap to clone.
#[derive(Clone, Default)]
pub struct Gate(Arc<Inner>);

#[derive(Default)]
struct Inner {
    migrating: AtomicBool,
    routes: OnceLock<TowerToHyperService<Router>>,
}

impl Gate {
    /// Whether the start is busy with migrations now.
    pub fn migrating(&self, migrating: bool) {
        self.0.migrating.store(migrating, Ordering::Release);
    }

    /// From now on requests go to these routes.
    pub fn open(&self, routes: Router) {
        // It is opened once; a second time would change nothing.
        let _ = self.0.routes.set(TowerToHyperService::new(routes));
    }

    fn early(&self, path: &str) -> Response {
        let phase = if self.0.migrating.load(Ordering::Acquire) { Phase::Migrating } else { Phase::Starting };
        let mut bytes = [0; 16];
        SystemRandom.fill(&mut bytes);
        let request_id = format!("req_{:032x}", u128::from_be_bytes(bytes));
        early::answer(phase, path, &request_id).into_response()
    }
}

impl Service<Request<Incoming>> for Gate {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        match self.0.routes.get() {
            Some(routes) => Box::pin(routes.call(request)),
            None => Box::pin(std::future::ready(Ok(self.early(request.uri().path())))),
        }
    }
}
