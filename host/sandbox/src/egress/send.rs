//! One exchange, from pieces to the record of it.

use super::aside::starting_on;
use super::clients::Route;
use super::failure::{Failure, FailureKind};
use super::fill::{self, Ready};
use super::outgoing::Outgoing;
use super::timing::{PHASES, Phases, Stopwatch};
use super::{Inner, Purpose, Response, SendContext, Sent, answer, capture, errors, origin, resolver};
use railhead_model::{Exchange, ExchangeRequest};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

impl Inner {
    /// Judges, fills in, sends, reads, masks.
    pub(super) async fn send(&self, destination: i64, outgoing: Outgoing, ctx: &SendContext) -> Sent {
        let bound = outgoing.timeout.map_or(ctx.left, |timeout| timeout.min(ctx.left));
        if bound.is_zero() {
            let failure = Failure::new(FailureKind::Timeout, "deadline", "No time was left to send the request.");
            return refused(&outgoing, ctx, failure);
        }
        let http2 = outgoing.http2;
        let (mut ready, making) = match prepare(outgoing, ctx).await {
            Ok(made) => made,
            Err(sent) => return *sent,
        };
        let mut record = Record { making, ..Record::new(std::mem::take(&mut ready.captured)) };
        let result = self.exchange(destination, ready, http2, bound, ctx, &mut record).await;
        let may_have_arrived = result.as_ref().map_or_else(|failure| !failure.before_sending(), |_| true);
        record.end(result, may_have_arrived)
    }

    async fn exchange(
        &self,
        destination: i64,
        ready: Ready,
        http2: bool,
        bound: Duration,
        ctx: &SendContext,
        record: &mut Record,
    ) -> Result<Response, Failure> {
        let Ready { method, url, headers, body, captured: _, masks, identity } = ready;
        let (scheme, host, port) = origin::parts(&url)?;
        let (plain, host) = (scheme == "http", host.to_owned());
        let masks = (ctx.purpose == Purpose::Send).then_some(masks);
        let phases = record.phases.clone();
        let threads = self.aside.threads(destination, ctx.slow, ctx.clock.monotonic_ms());
        let head = PHASES.scope(phases, async {
            self.judge_address(&url, port, plain).await?;
            let identity = identity.as_ref().and_then(|secret| secret.identity()).filter(|_| !plain);
            let route = Route { plain, host: &host, port, http2, identity, apart: threads.is_some() };
            let client = self.clients.get(destination, route, ctx.clock.monotonic_ms())?;
            let mut request = reqwest::Request::new(method, url);
            *request.headers_mut() = headers;
            *request.body_mut() = (!body.is_empty()).then(|| body.into());
            starting_on(threads, client.execute(request)).await.map_err(|error| errors::of(error, &host))
        });
        let head = tokio::time::timeout(bound, head).await;
        self.aside.note(destination, head.is_ok().then(|| record.watch.us()), ctx.clock.monotonic_ms());
        let answer = head.unwrap_or_else(|_| Err(no_answer(&host, &record.phases)))?;
        let head_us = record.answered();
        let left = bound.saturating_sub(Duration::from_micros(head_us));
        let answer = answer::read(answer, masks.as_ref(), left, &host).await?;
        record.exchange.timings.body_us = Some(answer.body_us);
        record.exchange.response = Some(capture::response(&answer.response, ctx));
        answer.failure.map_or(Ok(answer.response), Err)
    }

    /// Judges what the client's resolver will not see: addresses written as such, names that the proxy resolves, and
    /// plain HTTP where none is allowed at all.
    async fn judge_address(&self, url: &Url, port: u16, plain: bool) -> Result<(), Failure> {
        let admit = |ip| self.policy.admit(SocketAddr::new(ip, port), plain, url.host_str().unwrap_or_default());
        match url.host() {
            Some(Host::Ipv4(ip)) => admit(ip.into()),
            Some(Host::Ipv6(ip)) => admit(ip.into()),
            Some(Host::Domain(name)) if plain && self.policy.never_plain() => {
                let message = format!("`{name}` was to be reached without TLS. Use an https:// URL.");
                Err(Failure::denied("plaintext-not-allowed", message))
            }
            Some(Host::Domain(name)) if self.policy.proxy.is_some() => {
                resolver::admitted(&*self.names, &self.policy, name, port, plain).await.map(drop)
            }
            Some(Host::Domain(_)) | None => Ok(()),
        }
    }
}

/// Bytes of a body past which a request is made on a thread of its own.
const LARGE: usize = 256 * 1024;

/// What is known of an exchange so far.
struct Record {
    exchange: Exchange,
    phases: Arc<Phases>,
    watch: Stopwatch,
    making: Duration,
}

impl Record {
    fn new(request: ExchangeRequest) -> Self {
        let exchange = Exchange { request, ..Exchange::default() };
        Self { exchange, phases: Arc::default(), watch: Stopwatch::start(), making: Duration::ZERO }
    }

    fn answered(&mut self) -> u64 {
        let us = self.watch.us();
        self.exchange.timings.head_us = Some(us);
        us
    }

    fn end(mut self, result: Result<Response, Failure>, may_have_arrived: bool) -> Sent {
        let timings = &mut self.exchange.timings;
        timings.dns_us = self.phases.dns_us();
        timings.connect_us = self.phases.connect_us();
        timings.total_us = self.watch.us();
        self.exchange.failure = result.as_ref().err().map(Failure::reason);
        Sent { result, exchange: self.exchange, may_have_arrived, making: self.making }
    }
}

/// Makes a request of pieces; a large one, whose compression and signatures take long, apart from the tasks that wait.
async fn prepare(outgoing: Outgoing, ctx: &SendContext) -> Result<(Ready, Duration), Box<Sent>> {
    let make = |outgoing: Outgoing, ctx: &SendContext| {
        let watch = Stopwatch::start();
        let made = fill::ready(&outgoing, ctx);
        let making = watch.elapsed();
        let refused = |failure| Box::new(Sent { making, ..refused(&outgoing, ctx, failure) });
        made.map(|ready| (ready, making)).map_err(refused)
    };
    if outgoing.body_bytes <= LARGE {
        return make(outgoing, ctx);
    }
    let (target, apart) = (Outgoing::to(outgoing.method.clone(), outgoing.target.clone()), ctx.clone());
    let made = tokio::task::spawn_blocking(move || make(outgoing, &apart)).await;
    made.unwrap_or_else(|_| {
        let failure = Failure::new(FailureKind::Other, "request-failed", "The request could not be made.");
        Err(Box::new(refused(&target, ctx, failure)))
    })
}

fn refused(outgoing: &Outgoing, ctx: &SendContext, failure: Failure) -> Sent {
    let failure = Failure { message: ctx.masker.text(&failure.message).into_owned(), ..failure };
    Record::new(capture::refused(outgoing, &ctx.masker)).end(Err(failure), false)
}

fn no_answer(host: &str, phases: &Phases) -> Failure {
    let what = match (phases.dns_us(), phases.connect_us()) {
        (_, Some(_)) => "did not answer in time",
        (None, None) | (Some(_), None) => "could not be reached or did not answer in time",
    };
    Failure::new(FailureKind::Timeout, "timeout", format!("{host} {what}."))
}
