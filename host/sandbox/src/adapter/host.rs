//! `host`: the call under way, a small cache, compression, logging.

use super::{CallHandle, Guest, failure};
use crate::bindings::railhead::plugin::host::{Failure, Host, HostCall, Outcome};
use crate::bindings::railhead::plugin::types::Kind;
use crate::call::Running;
use crate::compression::Codec;
use crate::limits::{MAX_APPEND, MAX_LOG_LINES};
use bytes::Bytes;
use railhead_model::{BodyPart, Exchange, ExchangeRequest, ExchangeResponse, Header};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime::component::Resource;

type Handle = Resource<CallHandle>;

/// Exchanges that a preview may show.
const MAX_SHOWN: usize = 100;

impl HostCall for Guest {
    fn batch_id(&mut self, _: Handle) -> wasmtime::Result<String> {
        Ok(self.call()?.call.batch_id.clone())
    }

    fn batched(&mut self, _: Handle) -> wasmtime::Result<bool> {
        Ok(self.call()?.call.batched)
    }

    fn attempt(&mut self, _: Handle, event: u32) -> wasmtime::Result<u32> {
        Ok(self.call()?.event(event).map_or(0, |event| event.attempt))
    }

    fn accepted_ms(&mut self, _: Handle, event: u32) -> wasmtime::Result<u64> {
        let at = self.call()?.event(event).map_or(0, |event| event.event.accepted_at.0);
        Ok(u64::try_from(at).unwrap_or(0))
    }

    fn traceparent(&mut self, _: Handle, event: u32) -> wasmtime::Result<Option<String>> {
        Ok(self.call()?.event(event).and_then(|event| event.traceparent.clone()))
    }

    fn now_ms(&mut self, _: Handle) -> wasmtime::Result<u64> {
        let call = self.call()?;
        let preview = call.purpose == crate::call::Purpose::Preview;
        let now = if preview { call.started_at } else { self.clock.now() };
        Ok(u64::try_from(now.0).unwrap_or(0))
    }

    fn left_ms(&mut self, _: Handle) -> wasmtime::Result<u32> {
        Ok(self.call()?.left_ms())
    }

    fn settle(&mut self, _: Handle, events: Vec<u32>, outcome: Outcome) -> wasmtime::Result<()> {
        let call = self.call()?;
        self.meter.charged(|| call.settle(&events, &self.outcome(outcome)));
        Ok(())
    }

    fn show(
        &mut self,
        _: Handle,
        events: Vec<u32>,
        media: String,
        request: Vec<u8>,
        answer: Vec<u8>,
    ) -> wasmtime::Result<()> {
        let call = self.call()?;
        if call.shown_count() >= MAX_SHOWN {
            return Ok(());
        }
        let (sent, came) = (request.len(), answer.len());
        self.meter.charged(|| {
            let (request, answer) = (self.captured(request), self.captured(answer));
            let media = (!media.is_empty()).then(|| Header("content-type".to_owned(), self.presentable(&media)));
            let headers: Vec<Header> = media.into_iter().collect();
            let request = ExchangeRequest {
                headers: headers.clone(),
                body: request,
                body_bytes: bytes(sent),
                ..Default::default()
            };
            let response = (came > 0).then(|| ExchangeResponse {
                headers,
                body: answer,
                body_bytes: bytes(came),
                ..Default::default()
            });
            call.show(&events, Exchange { request, response, ..Default::default() });
        });
        Ok(())
    }

    fn drop(&mut self, _: Handle) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl Host for Guest {
    fn cache_get(&mut self, key: String) -> wasmtime::Result<Option<Vec<u8>>> {
        Ok(self.cache.get(&key, self.clock.monotonic_ms()))
    }

    fn cache_put(&mut self, key: String, value: Vec<u8>, ttl_ms: u64) -> wasmtime::Result<Result<(), Failure>> {
        let now_ms = self.clock.monotonic_ms();
        let kept = self.meter.charged(|| self.cache.put(key, value, now_ms, ttl_ms));
        let message = "The cache of a destination holds at most 1 MiB.";
        Ok(kept.then_some(()).ok_or_else(|| failure(Kind::TooLarge, "cache-full", message)))
    }

    fn compress(&mut self, codec: String, level: i32, data: Vec<u8>) -> wasmtime::Result<Result<Vec<u8>, Failure>> {
        let Some(codec) = Codec::parse(&codec) else {
            let message = "This host compresses with gzip, zstd, lz4 and snappy.";
            return Ok(Err(failure(Kind::Invalid, "coding-unknown", message)));
        };
        if data.len() > MAX_APPEND {
            return Ok(Err(failure(Kind::TooLarge, "part-too-large", "At most 1 MiB is compressed at once.")));
        }
        Ok(self.meter.charged(|| codec.compress(Some(level), &data)).map_err(Into::into))
    }

    fn log(&mut self, level: String, message: String, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        self.log_lines = self.log_lines.saturating_add(1);
        if self.log_lines > MAX_LOG_LINES {
            return Ok(());
        }
        let (message, fields) = self.meter.charged(|| {
            let fields = fields.iter().take(32).map(|(name, value)| self.presentable(&format!("{name}={value}")));
            (self.presentable(&message), fields.collect::<Vec<_>>().join(" "))
        });
        let (connector, destination) = (&self.scope.connector.manifest.name, self.scope.destination);
        // Guests do not write above `info`: an operator's warnings are the host's own.
        match level.as_str() {
            "trace" | "debug" => {
                tracing::debug!(target: "railhead::plugin", connector, destination, level, fields, "{message}")
            }
            _ => tracing::info!(target: "railhead::plugin", connector, destination, level, fields, "{message}"),
        }
        Ok(())
    }
}

impl Guest {
    fn call(&self) -> wasmtime::Result<Arc<Running>> {
        self.running.clone().ok_or_else(|| wasmtime::format_err!("no call is under way"))
    }

    /// Shown bytes as the record keeps them: masked, bounded.
    fn captured(&self, shown: Vec<u8>) -> Vec<BodyPart> {
        crate::egress::shown(&self.scope.masker().bytes(Bytes::from(shown)))
    }
}

fn bytes(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// A destination's own small memory beside its sessions: schema versions, table ids. Lost at any time.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<BTreeMap<String, (u64, Vec<u8>)>>);

/// Keys and values of one destination, in bytes.
const MAX_CACHE: usize = 1024 * 1024;

impl Cache {
    fn get(&self, key: &str, now_ms: u64) -> Option<Vec<u8>> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(key).filter(|(until, _)| *until > now_ms).map(|(_, value)| value.clone())
    }

    /// False if it is full even without what expired.
    fn put(&self, key: String, value: Vec<u8>, now_ms: u64, ttl_ms: u64) -> bool {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|_, (until, _)| *until > now_ms);
        entries.remove(&key);
        // 64 bytes an entry for what the map itself takes.
        let size = |key: &str, value: &[u8]| key.len() + value.len() + 64;
        let used: usize = entries.iter().map(|(key, (_, value))| size(key, value)).sum();
        if used + size(&key, &value) > MAX_CACHE {
            return false;
        }
        entries.insert(key, (now_ms.saturating_add(ttl_ms), value));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_forgets_what_expired_and_is_bounded() {
        let cache = Cache::default();
        assert!(cache.put("a".into(), vec![1], 0, 10));
        assert_eq!(cache.get("a", 9), Some(vec![1]));
        assert_eq!(cache.get("a", 10), None);
        assert!(!cache.put("b".into(), vec![0; MAX_CACHE], 0, 10));
        assert!(cache.put("b".into(), vec![0; MAX_CACHE - 1_000], 20, 10));
        assert!(!cache.put("c".into(), vec![0; 2_000], 25, 10));
        assert!(cache.put("c".into(), vec![0; 2_000], 30, 10));
    }
}
