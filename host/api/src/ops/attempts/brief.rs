//! Attempts as lists show them: bodies cut, so that a page costs little however large the requests were.

use crate::auth::Action;
use crate::call::Call;
use crate::ops::attempts::get::{MAX_OTHERS, open};
use crate::ops::events::payload::payload;
use crate::problem::Problem;
use crate::views::{self, Wire};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use railhead_model::{AttemptKey, BodyPart, DeliveryKey, EventUid, Fields};
use railhead_store::directory::Tenant;
use railhead_store::history::AttemptRow;
use railhead_vault::TenantKeys;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of a body that a list shows.
const MAX_BODY: usize = 16 * 1024;

/// Makes the views of one delivery's attempts.
pub struct Briefs<'a> {
    call: &'a Call,
    tenant: &'a Tenant,
    keys: Arc<TenantKeys>,
    delivery: DeliveryKey,
    may: bool,
    payloads: Payloads,
}

/// Beginnings of payloads as they were sent under one selection: attempts of a delivery share them.
#[derive(Default)]
struct Payloads {
    fields: Option<Fields>,
    known: BTreeMap<EventUid, Option<Beginning>>,
}

#[derive(Clone)]
struct Beginning {
    bytes: Vec<u8>,
    /// Bytes of all of it.
    all: usize,
}

impl<'a> Briefs<'a> {
    /// For attempts of this delivery.
    ///
    /// # Errors
    /// 500 if the tenant's key does not open.
    pub fn new(call: &'a Call, tenant: &'a Tenant, delivery: DeliveryKey) -> Result<Self, Problem> {
        let may = call.may(Action::PayloadsRead);
        Ok(Self { call, tenant, keys: call.keys(tenant)?, delivery, may, payloads: Payloads::default() })
    }

    /// An attempt with what went over the wire, its bodies cut.
    ///
    /// # Errors
    /// The store's; 500 for what does not open.
    pub async fn view(&mut self, row: &AttemptRow) -> Result<Value, Problem> {
        let mut transcript = open(&self.keys, self.delivery, row)?;
        if let Some(transcript) = &mut transcript {
            if self.payloads.fields != transcript.fields {
                self.payloads = Payloads { fields: transcript.fields.clone(), known: BTreeMap::new() };
            }
            for exchange in &mut transcript.exchanges {
                let exchange = std::sync::Arc::make_mut(exchange);
                let (body, bytes) = (std::mem::take(&mut exchange.request.body), exchange.request.body_bytes);
                exchange.request.body = self.cut(body, bytes).await?;
                if let Some(response) = &mut exchange.response {
                    let body = std::mem::take(&mut response.body);
                    response.body = self.cut(body, response.body_bytes).await?;
                }
            }
        }
        let key = AttemptKey { delivery: self.delivery, n: row.attempt.n };
        Ok(views::attempt(key, &row.attempt, transcript.as_ref(), &Wire::default()))
    }

    /// The first parts of a body of so many bytes, payloads filled in. No payload after the cut is read.
    async fn cut(&mut self, parts: Vec<BodyPart>, all: u64) -> Result<Vec<BodyPart>, Problem> {
        let (mut out, mut left, mut in_base64) = (Vec::new(), MAX_BODY, false);
        let mut parts = parts.into_iter();
        for part in parts.by_ref() {
            if part == BodyPart::InBase64 {
                in_base64 = true;
                continue;
            }
            let encode = std::mem::take(&mut in_base64);
            let Some(known) = self.bytes(&part).await? else {
                out.push(part);
                continue;
            };
            let (bytes, whole) = if encode { in_text(known) } else { (known.bytes, known.all) };
            let fits = bytes.len() == whole && whole <= left;
            let shown = bytes.get(..bytes.len().min(left)).unwrap_or_default();
            left -= shown.len();
            out.push(shown_part(shown, fits));
            if !fits {
                let shown = u64::try_from(MAX_BODY - left).unwrap_or(0);
                out.push(BodyPart::Omitted(all.saturating_sub(shown)));
                return Ok(out);
            }
        }
        Ok(out)
    }

    /// A part's bytes, or as many as are shown at most; `None`: they are not there, or not for the caller's eyes.
    async fn bytes(&mut self, part: &BodyPart) -> Result<Option<Beginning>, Problem> {
        let uid = match part {
            BodyPart::Text(text) => return Ok(Some(Beginning::of(text.as_bytes()))),
            BodyPart::Base64(text) => return Ok(STANDARD.decode(text).ok().map(|bytes| Beginning::of(&bytes))),
            BodyPart::EventData => self.delivery.event,
            BodyPart::OtherEvent(uid) => *uid,
            BodyPart::Omitted(_) | BodyPart::InBase64 => return Ok(None),
        };
        if !self.may {
            return Ok(None);
        }
        if let Some(known) = self.payloads.known.get(&uid) {
            return Ok(known.clone());
        }
        if self.payloads.known.len() > MAX_OTHERS {
            return Ok(None);
        }
        let plain = payload(self.call, self.tenant, uid).await?;
        let sent = match (&self.payloads.fields, plain) {
            (Some(fields), Some(plain)) => {
                railhead_routing::select(fields, &plain).ok().map(|sent| Beginning::of(&sent))
            }
            (_, plain) => plain.map(|plain| Beginning::of(&plain)),
        };
        self.payloads.known.insert(uid, sent.clone());
        Ok(sent)
    }
}

impl Beginning {
    fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.get(..MAX_BODY).unwrap_or(bytes).to_vec(), all: bytes.len() }
    }
}

/// Its bytes in base64, as far as whole groups of three are known, and how many they would be.
fn in_text(known: Beginning) -> (Vec<u8>, usize) {
    let whole = known.all.div_ceil(3) * 4;
    let groups = if known.bytes.len() == known.all { known.all } else { known.bytes.len() / 3 * 3 };
    (STANDARD.encode(known.bytes.get(..groups).unwrap_or_default()).into_bytes(), whole)
}

/// Text where it is; a character that the cut went through is left out.
fn shown_part(bytes: &[u8], fits: bool) -> BodyPart {
    match std::str::from_utf8(bytes) {
        Ok(text) => BodyPart::Text(text.to_owned()),
        Err(error) if !fits && error.error_len().is_none() => {
            let text = bytes.get(..error.valid_up_to()).unwrap_or_default();
            BodyPart::Text(String::from_utf8_lossy(text).into_owned())
        }
        Err(_) => BodyPart::Base64(STANDARD.encode(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_keeps_text_text_and_groups_whole() {
        assert_eq!(shown_part("aü".as_bytes(), true), BodyPart::Text("aü".into()));
        assert_eq!(shown_part(&"aü".as_bytes()[..2], false), BodyPart::Text("a".into()));
        assert_eq!(shown_part(&[0xff, 0], false), BodyPart::Base64("/wA=".into()));
        let long = Beginning::of(&vec![0; MAX_BODY + 2]);
        assert_eq!((long.bytes.len(), long.all), (MAX_BODY, MAX_BODY + 2));
        let (text, whole) = in_text(long);
        assert_eq!((text.len(), whole), (MAX_BODY / 3 * 4, (MAX_BODY + 2).div_ceil(3) * 4));
        assert_eq!(in_text(Beginning::of(b"[1]")), (b"WzFd".to_vec(), 4));
    }
}
