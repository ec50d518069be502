//! Headers: lists that a guest makes, and those of its requests and answers, which it cannot change.

use super::Held;
use crate::adapter::{Guest, PIECE};
use crate::bindings::wasi::wasi::http::types::{HeaderError, HostFields};
use crate::egress;
use std::sync::Arc;
use wasmtime::component::Resource;

/// Behind a `fields` handle.
pub struct Fields {
    pub(super) entries: Arc<Entries>,
    /// Those of a request or an answer.
    pub(super) fixed: bool,
}

/// Names in lower case, and values.
#[derive(Default)]
pub(in crate::adapter) struct Entries {
    pub(super) list: Vec<(String, Vec<u8>)>,
    pub(super) held: Option<Held>,
}

/// Entries of one list. A request has at most 100 headers; answers too.
const MAX_FIELDS: usize = 1_000;

type Handle = Resource<Fields>;
type Changed<T> = wasmtime::Result<Result<T, HeaderError>>;

impl HostFields for Guest {
    fn new(&mut self) -> wasmtime::Result<Handle> {
        Ok(self.table.push(Fields { entries: Arc::default(), fixed: false })?)
    }

    fn from_list(&mut self, entries: Vec<(String, Vec<u8>)>) -> Changed<Handle> {
        if entries.len() > MAX_FIELDS {
            return Err(wasmtime::Error::msg("a list of headers holds more than a session may"));
        }
        let mut list = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            match checked(&name, &value) {
                Ok(name) => list.push((name, value)),
                Err(error) => return Ok(Err(error)),
            }
        }
        let held = Some(self.must_hold(size(&list))?);
        Ok(Ok(self.table.push(Fields { entries: Arc::new(Entries { list, held }), fixed: false })?))
    }

    fn get(&mut self, handle: Handle, name: String) -> wasmtime::Result<Vec<Vec<u8>>> {
        let fields = self.table.get(&handle)?;
        let named = fields.entries.list.iter().filter(|(given, _)| given.eq_ignore_ascii_case(&name));
        Ok(named.map(|(_, value)| value.clone()).collect())
    }

    fn has(&mut self, handle: Handle, name: String) -> wasmtime::Result<bool> {
        Ok(self.table.get(&handle)?.entries.list.iter().any(|(given, _)| given.eq_ignore_ascii_case(&name)))
    }

    fn set(&mut self, handle: Handle, name: String, values: Vec<Vec<u8>>) -> Changed<()> {
        if let Some(error) = values.iter().find_map(|value| checked(&name, value).err()) {
            return Ok(Err(error));
        }
        self.change_fields(&handle, &name, |list, name| {
            list.retain(|(given, _)| given != name);
            list.extend(values.into_iter().map(|value| (name.to_owned(), value)));
        })
    }

    fn delete(&mut self, handle: Handle, name: String) -> Changed<()> {
        self.change_fields(&handle, &name, |list, name| list.retain(|(given, _)| given != name))
    }

    fn append(&mut self, handle: Handle, name: String, value: Vec<u8>) -> Changed<()> {
        if let Err(error) = checked(&name, &value) {
            return Ok(Err(error));
        }
        self.change_fields(&handle, &name, |list, name| list.push((name.to_owned(), value)))
    }

    fn entries(&mut self, handle: Handle) -> wasmtime::Result<Vec<(String, Vec<u8>)>> {
        Ok(self.table.get(&handle)?.entries.list.clone())
    }

    fn clone(&mut self, handle: Handle) -> wasmtime::Result<Handle> {
        let list = self.table.get(&handle)?.entries.list.clone();
        let held = Some(self.must_hold(size(&list))?);
        Ok(self.table.push(Fields { entries: Arc::new(Entries { list, held }), fixed: false })?)
    }

    fn drop(&mut self, handle: Handle) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

impl Guest {
    fn change_fields(
        &mut self,
        handle: &Handle,
        name: &str,
        change: impl FnOnce(&mut Vec<(String, Vec<u8>)>, &str),
    ) -> Changed<()> {
        let name = match checked(name, b"") {
            Ok(name) => name,
            Err(error) => return Ok(Err(error)),
        };
        let none = self.must_hold(0)?;
        let room = self.room();
        let fields = self.table.get_mut(handle)?;
        let Some(entries) = Arc::get_mut(&mut fields.entries).filter(|_| !fields.fixed) else {
            return Ok(Err(HeaderError::Immutable));
        };
        let before = size(&entries.list);
        change(&mut entries.list, &name);
        let more = size(&entries.list).saturating_sub(before);
        if more > room || entries.list.len() > MAX_FIELDS {
            return Err(wasmtime::Error::msg("a list of headers holds more than a session may"));
        }
        entries.held.get_or_insert(none).grow(more);
        Ok(Ok(()))
    }
}

/// The name in lower case, where both can be sent. `content-length` is taken for languages that always set it; the host
/// compares it with the body and writes its own.
fn checked(name: &str, value: &[u8]) -> Result<String, HeaderError> {
    let lower = name.to_ascii_lowercase();
    if lower == "content-length" {
        return std::str::from_utf8(value).map(|_| lower).map_err(|_| HeaderError::InvalidSyntax);
    }
    let name = egress::header_name(name).map_err(|failure| match failure.code {
        "header-not-allowed" => HeaderError::Forbidden,
        _ => HeaderError::InvalidSyntax,
    })?;
    egress::check_header_value(&name, value).map_err(|_| HeaderError::InvalidSyntax)?;
    Ok(lower)
}

fn size(list: &[(String, Vec<u8>)]) -> usize {
    list.iter().map(|(name, value)| name.len() + value.len() + PIECE).fold(0, usize::saturating_add)
}
