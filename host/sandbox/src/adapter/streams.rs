//! `streams`: declared by the contract, offered by a later version. No handle is ever given out.

use super::{Guest, Unsupported, not_yet};
use crate::bindings::railhead::plugin::credentials::Part;
use crate::bindings::railhead::plugin::streams::{Failure, Host, HostConnection, Security};
use wasmtime::component::Resource;

type Connection = Resource<Unsupported>;

impl HostConnection for Guest {
    fn connect(&mut self, _: String, _: u16, _: Security) -> wasmtime::Result<Result<Connection, Failure>> {
        Ok(Err(not_yet("streams")))
    }

    fn start_tls(&mut self, _: Connection) -> wasmtime::Result<Result<(), Failure>> {
        Ok(Err(not_yet("streams")))
    }

    fn channel_binding(&mut self, _: Connection) -> wasmtime::Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn write(&mut self, _: Connection, _: Vec<Part>) -> wasmtime::Result<Result<(), Failure>> {
        Ok(Err(not_yet("streams")))
    }

    fn read(&mut self, _: Connection, _: u32, _: u32) -> wasmtime::Result<Result<Vec<u8>, Failure>> {
        Ok(Err(not_yet("streams")))
    }

    fn drop(&mut self, _: Connection) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl Host for Guest {
    fn wait(&mut self, _: Vec<Connection>, _: u32) -> wasmtime::Result<Vec<u32>> {
        Ok(Vec::new())
    }

    fn lookup_srv(&mut self, _: String) -> wasmtime::Result<Result<Vec<(String, u16)>, Failure>> {
        Ok(Err(not_yet("streams")))
    }
}
