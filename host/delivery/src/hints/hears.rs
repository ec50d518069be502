//! What the other hosts tell.

use crate::core::Input;
use crate::running::Shared;
use railhead_store::hints::Hint;
use std::sync::Arc;

/// Does what hints ask for, for ever.
pub(crate) async fn listen(shared: Arc<Shared>) {
    let mut listener = shared.store.listener(shared.host);
    loop {
        for hint in listener.next().await {
            heard(&shared, hint);
        }
    }
}

fn heard(shared: &Shared, hint: Hint) {
    match hint {
        // The engine takes no notice of what it does not own.
        Hint::Work(nos) => shared.input(Input::Hinted(nos)),
        Hint::Config(tenant, nos) => shared.follow(tenant, &nos),
        Hint::Probe(nos) => shared.probe_here(nos),
        Hint::Keys => shared.forget_keys(),
        Hint::Erased(uids) => uids.into_iter().for_each(|uid| shared.payloads.erase(uid)),
        Hint::Shards => shared.lease.news.notify_one(),
        Hint::Jobs => {
            shared.jobs.notify_one();
            shared.fanouts.notify_one();
        }
        Hint::All => anything(shared),
    }
}

/// Nothing was heard for a while: whatever others may have told is looked up, and what may have been erased is let go of.
fn anything(shared: &Shared) {
    shared.payloads.clear();
    shared.keyring.forget_all();
    shared.forget_keys();
    shared.anything.notify_one();
    shared.reload.notify_one();
    shared.lease.news.notify_one();
    shared.jobs.notify_one();
    shared.fanouts.notify_one();
}
