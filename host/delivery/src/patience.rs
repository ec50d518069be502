//! Asking again until the database answers.

use railhead_store::StoreError;
use std::time::Duration;

/// Pause before something is asked for again.
const AGAIN: Duration = Duration::from_millis(500);

/// Asks until asking again would bring nothing else. `what` says for the log what cannot be done meanwhile.
pub(crate) async fn patiently<T, F: Future<Output = Result<T, StoreError>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> Result<T, StoreError> {
    loop {
        match ask().await {
            Err(error) if error.is_retryable() => {
                tracing::warn!(%error, "{what} now; it is tried again");
                tokio::time::sleep(AGAIN).await;
            }
            answer => return answer,
        }
    }
}
