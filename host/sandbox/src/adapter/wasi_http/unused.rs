//! What only servers use: a connector answers no requests.

use crate::adapter::Guest;
use crate::adapter::wasi_http::{Fields, IncomingBody, OutgoingBody};
use crate::bindings::wasi::wasi::http::types::{
    ErrorCode, HostIncomingRequest, HostOutgoingResponse, HostResponseOutparam, Method, Scheme,
};
use wasmtime::Result;
use wasmtime::component::Resource;

/// Behind handles that no guest ever gets.
pub enum Unused {}

type Handle = Resource<Unused>;

fn refused<T>() -> Result<T> {
    Err(wasmtime::Error::msg("wasi:http is offered to connectors for outgoing requests only"))
}

impl HostIncomingRequest for Guest {
    fn method(&mut self, _: Handle) -> Result<Method> {
        refused()
    }

    fn path_with_query(&mut self, _: Handle) -> Result<Option<String>> {
        refused()
    }

    fn scheme(&mut self, _: Handle) -> Result<Option<Scheme>> {
        refused()
    }

    fn authority(&mut self, _: Handle) -> Result<Option<String>> {
        refused()
    }

    fn headers(&mut self, _: Handle) -> Result<Resource<Fields>> {
        refused()
    }

    fn consume(&mut self, _: Handle) -> Result<std::result::Result<Resource<IncomingBody>, ()>> {
        refused()
    }

    fn drop(&mut self, _: Handle) -> Result<()> {
        refused()
    }
}

impl HostResponseOutparam for Guest {
    fn set(&mut self, _: Handle, _: std::result::Result<Handle, ErrorCode>) -> Result<()> {
        refused()
    }

    fn drop(&mut self, _: Handle) -> Result<()> {
        refused()
    }
}

impl HostOutgoingResponse for Guest {
    fn new(&mut self, _: Resource<Fields>) -> Result<Handle> {
        refused()
    }

    fn status_code(&mut self, _: Handle) -> Result<u16> {
        refused()
    }

    fn set_status_code(&mut self, _: Handle, _: u16) -> Result<std::result::Result<(), ()>> {
        refused()
    }

    fn headers(&mut self, _: Handle) -> Result<Resource<Fields>> {
        refused()
    }

    fn body(&mut self, _: Handle) -> Result<std::result::Result<Resource<OutgoingBody>, ()>> {
        refused()
    }

    fn drop(&mut self, _: Handle) -> Result<()> {
        refused()
    }
}
