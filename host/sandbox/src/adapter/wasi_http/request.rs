//! Requests under construction, and the moment at which the guest sends one.

use super::Held;
use super::answer::{FutureResponse, Unanswered};
use super::body::{Body, OutgoingBody};
use super::fields::{Entries, Fields};
use super::leaving::Leaving;
use crate::adapter::Guest;
use crate::bindings::wasi::wasi::http::outgoing_handler;
use crate::bindings::wasi::wasi::http::types::{ErrorCode, HostOutgoingRequest, HostRequestOptions, Method, Scheme};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Resource;

/// Behind an `outgoing-request` handle.
pub struct OutgoingRequest {
    method: Method,
    scheme: Option<Scheme>,
    authority: Option<String>,
    path: Option<String>,
    headers: Arc<Entries>,
    body: Option<Body>,
    held: Held,
}

/// Behind a `request-options` handle: nanoseconds.
#[derive(Clone, Copy, Default)]
pub struct RequestOptions {
    connect: Option<u64>,
    first_byte: Option<u64>,
    between_bytes: Option<u64>,
}

type Handle = Resource<OutgoingRequest>;
type Done = wasmtime::Result<Result<(), ()>>;

impl HostOutgoingRequest for Guest {
    fn new(&mut self, headers: Resource<Fields>) -> wasmtime::Result<Handle> {
        let headers = self.table.delete(headers)?.entries;
        let held = self.must_hold(0)?;
        let request = OutgoingRequest {
            method: Method::Get,
            scheme: None,
            authority: None,
            path: None,
            headers,
            body: None,
            held,
        };
        Ok(self.table.push(request)?)
    }

    fn body(&mut self, handle: Handle) -> wasmtime::Result<Result<Resource<OutgoingBody>, ()>> {
        let held = self.must_hold(0)?;
        let request = self.table.get_mut(&handle)?;
        if request.body.is_some() {
            return Ok(Err(()));
        }
        let body = Body::new(held);
        request.body = Some(body.clone());
        Ok(Ok(self.table.push(OutgoingBody { body, streamed: false })?))
    }

    fn method(&mut self, handle: Handle) -> wasmtime::Result<Method> {
        Ok(self.table.get(&handle)?.method.clone())
    }

    fn set_method(&mut self, handle: Handle, method: Method) -> Done {
        let more = if let Method::Other(name) = &method { name.len() } else { 0 };
        self.set(&handle, more, |request| request.method = method)
    }

    fn path_with_query(&mut self, handle: Handle) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&handle)?.path.clone())
    }

    fn set_path_with_query(&mut self, handle: Handle, path: Option<String>) -> Done {
        if path.as_ref().is_some_and(|path| !path.is_empty() && !path.starts_with(['/', '?'])) {
            return Ok(Err(()));
        }
        self.set(&handle, path.as_ref().map_or(0, String::len), |request| request.path = path)
    }

    fn scheme(&mut self, handle: Handle) -> wasmtime::Result<Option<Scheme>> {
        Ok(self.table.get(&handle)?.scheme.clone())
    }

    fn set_scheme(&mut self, handle: Handle, scheme: Option<Scheme>) -> Done {
        if matches!(scheme, Some(Scheme::Other(_))) {
            return Ok(Err(()));
        }
        self.set(&handle, 0, |request| request.scheme = scheme)
    }

    fn authority(&mut self, handle: Handle) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&handle)?.authority.clone())
    }

    fn set_authority(&mut self, handle: Handle, authority: Option<String>) -> Done {
        if authority.as_ref().is_some_and(|authority| authority.contains(['/', '?', '#', '\\'])) {
            return Ok(Err(()));
        }
        self.set(&handle, authority.as_ref().map_or(0, String::len), |request| request.authority = authority)
    }

    fn headers(&mut self, handle: Handle) -> wasmtime::Result<Resource<Fields>> {
        let entries = self.table.get(&handle)?.headers.clone();
        Ok(self.table.push(Fields { entries, fixed: true })?)
    }

    fn drop(&mut self, handle: Handle) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

impl Guest {
    fn set(&mut self, handle: &Handle, more: usize, set: impl FnOnce(&mut OutgoingRequest)) -> Done {
        drop(self.must_hold(more)?);
        let request = self.table.get_mut(handle)?;
        request.held.grow(more);
        set(request);
        Ok(Ok(()))
    }
}

impl HostRequestOptions for Guest {
    fn new(&mut self) -> wasmtime::Result<Resource<RequestOptions>> {
        Ok(self.table.push(RequestOptions::default())?)
    }

    fn connect_timeout(&mut self, handle: Resource<RequestOptions>) -> wasmtime::Result<Option<u64>> {
        Ok(self.table.get(&handle)?.connect)
    }

    fn set_connect_timeout(&mut self, handle: Resource<RequestOptions>, time: Option<u64>) -> Done {
        self.table.get_mut(&handle)?.connect = time;
        Ok(Ok(()))
    }

    fn first_byte_timeout(&mut self, handle: Resource<RequestOptions>) -> wasmtime::Result<Option<u64>> {
        Ok(self.table.get(&handle)?.first_byte)
    }

    fn set_first_byte_timeout(&mut self, handle: Resource<RequestOptions>, time: Option<u64>) -> Done {
        self.table.get_mut(&handle)?.first_byte = time;
        Ok(Ok(()))
    }

    fn between_bytes_timeout(&mut self, handle: Resource<RequestOptions>) -> wasmtime::Result<Option<u64>> {
        Ok(self.table.get(&handle)?.between_bytes)
    }

    fn set_between_bytes_timeout(&mut self, handle: Resource<RequestOptions>, time: Option<u64>) -> Done {
        self.table.get_mut(&handle)?.between_bytes = time;
        Ok(Ok(()))
    }

    fn drop(&mut self, handle: Resource<RequestOptions>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

impl RequestOptions {
    /// What bounds the whole exchange: the host knows one time for it. Where no first byte is waited for, the call's.
    fn bound(self) -> Option<Duration> {
        self.first_byte.map(|first| Duration::from_nanos(first.saturating_add(self.connect.unwrap_or(0))))
    }
}

impl outgoing_handler::Host for Guest {
    fn handle(
        &mut self,
        request: Handle,
        options: Option<Resource<RequestOptions>>,
    ) -> wasmtime::Result<Result<Resource<FutureResponse>, ErrorCode>> {
        let OutgoingRequest { method, scheme, authority, path, headers, body, held } = self.table.delete(request)?;
        let options = options.map(|options| self.table.delete(options)).transpose()?.unwrap_or_default();
        let unanswered = Unanswered::new();
        let answer = FutureResponse(unanswered.slot());
        let leaving = Box::new(Leaving {
            method: name(method),
            url: url(scheme, authority, path),
            headers,
            bound: options.bound(),
            unanswered,
            _held: held,
        });
        let Some(body) = body else {
            self.leave((leaving, Bytes::new(), None));
            return Ok(Ok(self.table.push(answer)?));
        };
        match body.send(leaving) {
            Ok(Some(complete)) => self.leave(complete),
            Ok(None) => {}
            Err(code) => return Ok(Err(code)),
        }
        Ok(Ok(self.table.push(answer)?))
    }
}

fn name(method: Method) -> String {
    let known = match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(name) => return name,
    };
    known.to_owned()
}

/// As egress reads it. Without a scheme it is HTTPS; without an authority it is refused there.
fn url(scheme: Option<Scheme>, authority: Option<String>, path: Option<String>) -> String {
    let scheme = match scheme {
        Some(Scheme::Http) => "http",
        Some(Scheme::Https) | None => "https",
        Some(Scheme::Other(_)) => "other",
    };
    format!("{scheme}://{}{}", authority.unwrap_or_default(), path.unwrap_or_default())
}
