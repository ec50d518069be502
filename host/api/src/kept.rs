//! Answers that many ask for at once and that cost much to make: made once, given to all for a moment.

use railhead_model::EnvironmentNo;
use serde_json::Value;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

/// How long an answer is given again, in milliseconds.
const KEPT_MS: u64 = 1_000;

/// The last answer of each environment.
#[derive(Default)]
pub struct Kept(Mutex<HashMap<EnvironmentNo, Arc<Slot>>>);

/// When it was made, and what it is. Whoever makes one holds the lock, so that the others wait for it.
type Slot = tokio::sync::Mutex<Option<(u64, Arc<Value>)>>;

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

impl Kept {
    /// The kept answer, or a new one. `now` is asked again for each look: it is the clock's monotonic milliseconds.
    ///
    /// # Errors
    /// What `make` says; that is not kept.
    pub async fn get<E>(
        &self,
        environment: EnvironmentNo,
        now: impl Fn() -> u64,
        make: impl Future<Output = Result<Value, E>>,
    ) -> Result<Arc<Value>, E> {
        let slot = Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(environment).or_default());
        let mut slot = slot.lock().await;
        if let Some((at, known)) = slot.as_ref()
            && now().saturating_sub(*at) < KEPT_MS
        {
            return Ok(Arc::clone(known));
        }
        let made = Arc::new(make.await?);
        *slot = Some((now(), Arc::clone(&made)));
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn an_answer_is_made_once_for_all_who_ask_within_a_moment() {
        let kept = Kept::default();
        let ask = |no: i32, now: u64, value: u64| {
            kept.get(EnvironmentNo(no), move || now, async move { Ok::<_, ()>(json!(value)) })
        };
        let (first, second) = tokio::join!(ask(1, 0, 1), ask(1, 0, 2));
        assert_eq!((first, second), (Ok(Arc::new(json!(1))), Ok(Arc::new(json!(1)))));
        assert_eq!(ask(2, 0, 3).await, Ok(Arc::new(json!(3))), "of its environment alone");
        assert_eq!(ask(1, KEPT_MS - 1, 4).await, Ok(Arc::new(json!(1))));
        assert_eq!(ask(1, KEPT_MS, 5).await, Ok(Arc::new(json!(5))));
        let failed = kept.get(EnvironmentNo(3), || 0, async { Err("no") }).await;
        assert_eq!((failed, ask(3, 0, 6).await), (Err("no"), Ok(Arc::new(json!(6)))), "a failure is not kept");
    }
}
