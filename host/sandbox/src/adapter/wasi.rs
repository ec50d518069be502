//! The little of WASI that a standard library needs to start, and `wasi:http` with what it takes. Everything else of `wasi:`
//! traps when it is called.

mod io;

pub use io::{InputStream, IoError, OutputStream, Pollable};

use super::{Guest, presentable};
use crate::limits::MAX_LOG_LINES;
use std::hash::{BuildHasher, Hasher, RandomState};
use wasmtime::StoreContextMut;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentType, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType};

/// `wasi:clocks/wall-clock.datetime`.
#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

/// Bytes of one write to standard error that are kept.
const MAX_LINE: usize = 4096;

/// Interfaces that are bound by type, once for all components: see `host/sandbox/wit/wasi.wit`.
const BOUND: [&str; 8] = [
    "clocks/monotonic-clock",
    "http/outgoing-handler",
    "http/types",
    "io/error",
    "io/poll",
    "io/streams",
    "random/insecure",
    "random/random",
];

type Context<'a> = StoreContextMut<'a, Guest>;

/// Links what a component imports of WASI, whichever 0.2 version it names.
pub(crate) fn link(linker: &mut Linker<Guest>, component: &Component) -> wasmtime::Result<()> {
    let engine = linker.engine().clone();
    for (name, import) in component.component_type().imports(&engine) {
        let Some(interface) = interface(name).filter(|interface| !BOUND.contains(interface)) else { continue };
        let ComponentItem::ComponentInstance(instance) = import.ty else { continue };
        let mut linked = linker.instance(name)?;
        for (item, export) in instance.exports(&engine) {
            match export.ty {
                ComponentItem::Resource(_) => resource(&mut linked, item)?,
                ComponentItem::ComponentFunc(_) => function(&mut linked, interface, item)?,
                _ => {}
            }
        }
    }
    Ok(())
}

/// `clocks/wall-clock` of `wasi:clocks/wall-clock@0.2.6`.
fn interface(name: &str) -> Option<&str> {
    name.strip_prefix("wasi:")?.split('@').next()
}

/// A type that an interface has, of its own or of `wasi:io`.
fn resource(linked: &mut LinkerInstance<'_, Guest>, name: &str) -> wasmtime::Result<()> {
    match name {
        "error" => shared::<IoError>(linked, name),
        "pollable" => shared::<Pollable>(linked, name),
        "input-stream" => shared::<InputStream>(linked, name),
        "output-stream" => shared::<OutputStream>(linked, name),
        // No guest ever gets one.
        _ => linked.resource(name, ResourceType::host::<()>(), |_, _| Ok(())),
    }
}

fn shared<T: Send + 'static>(linked: &mut LinkerInstance<'_, Guest>, name: &str) -> wasmtime::Result<()> {
    linked.resource(name, ResourceType::host::<T>(), |mut store, rep| {
        store.data_mut().table.delete(Resource::<T>::new_own(rep))?;
        Ok(())
    })
}

fn function(linked: &mut LinkerInstance<'_, Guest>, interface: &str, name: &str) -> wasmtime::Result<()> {
    match (interface, name) {
        ("cli/environment", "get-environment") => linked.func_wrap(name, |_: Context<'_>, (): ()| Ok((no_pairs(),))),
        ("cli/environment", "get-arguments") => linked.func_wrap(name, |_: Context<'_>, (): ()| Ok((no_texts(),))),
        ("cli/environment", "initial-cwd") => linked.func_wrap(name, |_: Context<'_>, (): ()| Ok((None::<String>,))),
        ("clocks/wall-clock", "now") => linked.func_wrap(name, |store: Context<'_>, (): ()| Ok((wall_time(&store),))),
        ("clocks/wall-clock", "resolution") => {
            linked.func_wrap(name, |_: Context<'_>, (): ()| Ok((Datetime { seconds: 0, nanoseconds: 1_000_000 },)))
        }
        // Seeds of hash maps. Nothing that must not be guessed is made in a guest.
        ("random/insecure-seed", "insecure-seed") => {
            linked.func_wrap(name, |_: Context<'_>, (): ()| Ok(((some_number(), some_number()),)))
        }
        ("cli/stderr", "get-stderr") => linked.func_wrap(name, |mut store: Context<'_>, (): ()| {
            let stream: Resource<OutputStream> = store.data_mut().table.push(OutputStream::Log)?;
            Ok((stream,))
        }),
        _ => {
            let missing = format!("wasi:{interface}#{name} is not offered to connectors");
            linked.func_new(name, move |_, _, _, _| Err(wasmtime::Error::msg(missing.clone())))
        }
    }
}

/// What a guest writes as it panics goes to the log, as lines of its own and with the same bound.
fn write_to_log(guest: &mut Guest, bytes: &[u8]) {
    guest.log_lines = guest.log_lines.saturating_add(1);
    if guest.log_lines > MAX_LOG_LINES {
        return;
    }
    let text = String::from_utf8_lossy(bytes.get(..MAX_LINE).unwrap_or(bytes));
    let text = presentable(&guest.scope.masker().text(&text));
    let connector = &guest.scope.connector.manifest.name;
    tracing::debug!(target: "railhead::plugin", connector, "{text}");
}

fn no_pairs() -> Vec<(String, String)> {
    Vec::new()
}

fn no_texts() -> Vec<String> {
    Vec::new()
}

fn wall_time(store: &Context<'_>) -> Datetime {
    let ms = u64::try_from(store.data().clock.now().0).unwrap_or(0);
    Datetime { seconds: ms / 1_000, nanoseconds: u32::try_from(ms % 1_000).unwrap_or(0) * 1_000_000 }
}

fn some_number() -> u64 {
    RandomState::new().build_hasher().finish()
}
