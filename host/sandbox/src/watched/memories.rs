//! Memories of guests that are searched when a call ends, and once more when they go.

use super::search::Found;
use crate::adapter::Guest;
use crate::limits::MAX_MEMORY;
use std::cell::RefCell;
use std::sync::{Arc, Mutex};
use wasmtime::{LinearMemory, MemoryCreator, MemoryType, Store};

/// A page of one byte repeated holds nothing, and most of a memory is that.
const PAGE: usize = 4096;
/// Of such a page, what a secret may still reach into.
const MARGIN: usize = 256;

/// One look into all memories of a guest.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    /// The name of its connector.
    pub(crate) guest: String,
    /// Which call ended: `Open`, `Check`, `Deliver`, `Preview`, `Idle`, `Close`; `Drop` is the end of a memory.
    pub(crate) call: String,
    /// Bytes of its memories.
    pub(crate) bytes: usize,
    pub(crate) found: Found,
}

/// All looks into the guests of one engine.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<Vec<Look>>>);

impl Watch {
    /// The looks since the last time.
    pub(crate) fn take(&self) -> Vec<Look> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    fn look(&self, guest: &str, call: &str, memories: &[Bytes]) {
        let memories: Vec<_> = memories.iter().map(|bytes| bytes.lock().unwrap()).collect();
        let found = Found::in_pieces(memories.iter().flat_map(|memory| filled(&memory.all[..memory.size])));
        let bytes = memories.iter().map(|memory| memory.size).sum();
        self.0.lock().unwrap().push(Look { guest: guest.to_owned(), call: call.to_owned(), bytes, found });
    }
}

/// The memories of one guest; empty where nobody watches.
#[derive(Clone, Default)]
pub(crate) struct Memories(Arc<Mutex<Vec<(Watch, Bytes)>>>);

/// Written by the guest while it runs, read while it does not.
type Bytes = Arc<Mutex<Memory>>;

struct Memory {
    /// As long as it may become, so that it never moves; the system gives what is touched of it.
    all: Vec<u8>,
    size: usize,
}

thread_local! {
    /// Whose the next memory of this thread is: it is made right after its guest was allowed to have it.
    static NEXT: RefCell<Option<Memories>> = const { RefCell::new(None) };
}

impl Memories {
    /// The guest's next memory is about to be made, or one of them to grow.
    pub(crate) fn expect_one(&self) {
        NEXT.set(Some(self.clone()));
    }
}

impl std::fmt::Debug for Memories {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Memories")
    }
}

/// Looks into the memories of a guest whose call ended, however it did.
pub(crate) fn call_ended(store: &Store<Guest>, call: &str) {
    let guest = store.data();
    let (watches, memories): (Vec<_>, Vec<_>) = guest.limiter.memories.0.lock().unwrap().iter().cloned().unzip();
    if let Some(watch) = watches.first() {
        watch.look(&guest.scope.connector.manifest.name, call, &memories);
    }
}

/// Runs of pages that are not one byte repeated, and a little of those around them.
fn filled(memory: &[u8]) -> impl Iterator<Item = &[u8]> {
    let pages: Vec<bool> = memory.chunks(PAGE).map(|page| page[1..] != page[..page.len() - 1]).collect();
    let mut runs = Vec::new();
    let mut end = 0;
    for run in pages.chunk_by(|one, next| one == next) {
        let start = end;
        end += run.len();
        if run[0] {
            runs.push((start * PAGE).saturating_sub(MARGIN)..memory.len().min(end * PAGE + MARGIN));
        }
    }
    runs.into_iter().map(|run| &memory[run])
}

// SAFETY: a memory is a vector of its own, zeroed, that is longer than it says.
unsafe impl MemoryCreator for Watch {
    fn new_memory(
        &self,
        _: MemoryType,
        minimum: usize,
        _: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        assert_eq!((reserved.unwrap_or(0), guard), (0, 0), "code that relies on a guard would leave the vector");
        let bytes = Bytes::new(Mutex::new(Memory { all: vec![0; MAX_MEMORY], size: minimum }));
        let owner = NEXT.take().expect("the limiter was asked");
        owner.0.lock().unwrap().push((self.clone(), bytes.clone()));
        Ok(Box::new(Watched { bytes, watch: self.clone() }))
    }
}

struct Watched {
    bytes: Bytes,
    watch: Watch,
}

// SAFETY: the address is that of `MAX_MEMORY` bytes, as long as the memory is there.
unsafe impl LinearMemory for Watched {
    fn byte_size(&self) -> usize {
        self.bytes.lock().unwrap().size
    }

    fn byte_capacity(&self) -> usize {
        MAX_MEMORY
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        assert!(new_size <= MAX_MEMORY, "the limiter allows no more");
        self.bytes.lock().unwrap().size = new_size;
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        self.bytes.lock().unwrap().all.as_mut_ptr()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watch.look("", "Drop", std::slice::from_ref(&self.bytes));
    }
}
