//! Destinations' ids by number, also of those that were deleted: "where did my event go?" outlives them.

use crate::problem::Problem;
use crate::views::{self, Names};
use railhead_model::DestinationNo;
use railhead_store::directory::Destination;
use railhead_store::{Store, StoreError};

/// The ids of these destinations. One of a tenant that is gone, with all that belonged to it, has none.
///
/// # Errors
/// The store's.
pub async fn of(store: &dyn Store, nos: &[DestinationNo]) -> Result<Names, Problem> {
    let mut names = views::names(&store.destinations_by_no(nos).await?);
    for no in nos {
        if !names.contains_key(no)
            && let Some(id) = store.meta(&former(*no)).await?
        {
            names.insert(*no, String::from_utf8_lossy(&id).into_owned());
        }
    }
    Ok(names)
}

/// Keeps the id of a destination that is about to be deleted. Repeating is harmless.
///
/// # Errors
/// The store's.
pub async fn keep(store: &dyn Store, destination: &Destination) -> Result<(), StoreError> {
    store.put_meta(&former(destination.no), destination.id.as_str().as_bytes()).await.map(drop)
}

fn former(no: DestinationNo) -> String {
    format!("former-destination/{no}")
}
