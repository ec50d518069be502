//! What is looked at while the connector runs.

mod answers;
mod faults;
mod odd;
pub(crate) mod secrets;
mod sending;
mod stream;

use crate::stage::Stage;
use std::io;

pub(crate) use stream::stream;

/// A connector that speaks HTTP.
pub(crate) async fn http(stage: &Stage) -> io::Result<()> {
    if !sending::arrives(stage).await? {
        // Nothing else can be told of a connector that delivers nothing.
        return Ok(());
    }
    sending::batches(stage).await?;
    sending::same_again(stage).await?;
    sending::previews(stage).await?;
    sending::checks(stage).await?;
    answers::statuses(stage).await?;
    answers::cases(stage).await?;
    faults::cut(stage).await?;
    faults::one_of_several(stage).await?;
    odd::events(stage).await?;
    secrets::rotation(stage).await
}
