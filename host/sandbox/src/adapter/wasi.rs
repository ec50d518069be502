//! The little of WASI that a standard library needs to start. Everything else of `wasi:` traps when it is called.

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

/// The one stream that there is: standard error.
struct ErrorStream;

/// `wasi:io/streams.stream-error`. It never happens: what is too much is dropped.
#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
#[allow(dead_code)] // the type of an answer that is not given
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<()>),
    #[component(name = "closed")]
    Closed,
}

type OfStream = (Resource<ErrorStream>,);
type Written = Result<(), StreamError>;

/// Bytes of one write, and of what is kept of one.
const MAX_WRITE: u64 = 4096;
const MAX_LINE: usize = 4096;

type Context<'a> = StoreContextMut<'a, Guest>;

/// Links what a component imports of WASI, whichever 0.2 version it names.
pub(crate) fn link(linker: &mut Linker<Guest>, component: &Component) -> wasmtime::Result<()> {
    let engine = linker.engine().clone();
    for (name, import) in component.component_type().imports(&engine) {
        let Some(interface) = interface(name) else { continue };
        let ComponentItem::ComponentInstance(instance) = import.ty else { continue };
        let mut linked = linker.instance(name)?;
        for (item, export) in instance.exports(&engine) {
            match export.ty {
                ComponentItem::Resource(_) if item == "output-stream" => {
                    linked.resource(item, ResourceType::host::<ErrorStream>(), |_, _| Ok(()))?;
                }
                ComponentItem::Resource(_) => linked.resource(item, ResourceType::host::<()>(), |_, _| Ok(()))?,
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

fn function(linked: &mut LinkerInstance<'_, Guest>, interface: &str, name: &str) -> wasmtime::Result<()> {
    match (interface, name) {
        ("cli/environment", "get-environment") => linked.func_wrap(name, |_: Context<'_>, (): ()| Ok((no_pairs(),))),
        ("cli/environment", "get-arguments") => linked.func_wrap(name, |_: Context<'_>, (): ()| Ok((no_texts(),))),
        ("cli/environment", "initial-cwd") => linked.func_wrap(name, |_: Context<'_>, (): ()| Ok((None::<String>,))),
        ("clocks/monotonic-clock", "now") => {
            // Coarse: milliseconds. Guests time nothing finer.
            linked.func_wrap(name, |store: Context<'_>, (): ()| Ok((nanoseconds(store.data().clock.monotonic_ms()),)))
        }
        ("clocks/monotonic-clock", "resolution") => {
            linked.func_wrap(name, |_: Context<'_>, (): ()| Ok((nanoseconds(1),)))
        }
        ("clocks/wall-clock", "now") => linked.func_wrap(name, |store: Context<'_>, (): ()| Ok((wall_time(&store),))),
        ("clocks/wall-clock", "resolution") => {
            linked.func_wrap(name, |_: Context<'_>, (): ()| Ok((Datetime { seconds: 0, nanoseconds: 1_000_000 },)))
        }
        // Seeds of hash maps. Nothing that must not be guessed is made in a guest.
        ("random/insecure-seed", "insecure-seed") => {
            linked.func_wrap(name, |_: Context<'_>, (): ()| Ok(((some_number(), some_number()),)))
        }
        ("cli/stderr", "get-stderr") => {
            linked.func_wrap(name, |_: Context<'_>, (): ()| Ok((Resource::<ErrorStream>::new_own(0),)))
        }
        ("io/streams", "[method]output-stream.check-write") => {
            linked.func_wrap(name, |_: Context<'_>, _: OfStream| Ok((Ok::<_, StreamError>(MAX_WRITE),)))
        }
        ("io/streams", "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush") => linked
            .func_wrap(name, |store: Context<'_>, (_, bytes): (Resource<ErrorStream>, Vec<u8>)| {
                write_to_log(store, &bytes);
                Ok((Written::Ok(()),))
            }),
        ("io/streams", "[method]output-stream.flush" | "[method]output-stream.blocking-flush") => {
            linked.func_wrap(name, |_: Context<'_>, _: OfStream| Ok((Written::Ok(()),)))
        }
        // It is always ready.
        ("io/streams", "[method]output-stream.subscribe") => {
            linked.func_wrap(name, |_: Context<'_>, _: OfStream| Ok((Resource::<()>::new_own(0),)))
        }
        ("io/poll", "[method]pollable.block") => linked.func_wrap(name, |_: Context<'_>, _: (Resource<()>,)| Ok(())),
        _ => {
            let missing = format!("wasi:{interface}#{name} is not offered to connectors");
            linked.func_new(name, move |_, _, _, _| Err(wasmtime::Error::msg(missing.clone())))
        }
    }
}

/// What a guest writes as it panics goes to the log, as lines of its own and with the same bound.
fn write_to_log(mut store: Context<'_>, bytes: &[u8]) {
    let guest = store.data_mut();
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

const fn nanoseconds(ms: u64) -> u64 {
    ms.saturating_mul(1_000_000)
}

fn wall_time(store: &Context<'_>) -> Datetime {
    let ms = u64::try_from(store.data().clock.now().0).unwrap_or(0);
    Datetime { seconds: ms / 1_000, nanoseconds: u32::try_from(ms % 1_000).unwrap_or(0) * 1_000_000 }
}

fn some_number() -> u64 {
    RandomState::new().build_hasher().finish()
}
