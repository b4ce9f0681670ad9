//! The one HTTP client of the process, for the primary and for the AWS SDK alike.
//!
//! hyper's pooled client over connections of our own making: `connect` (addresses, proxies, TLS with
//! rustls and ring; aws-lc-rs costs some 28 ms of CPU at the first handshake), `resolve` (names),
//! `stream` (a connection that yields), `interim` (1xx answers are few). The client is built on first
//! need, and again after the environment was frozen long enough for its idle connections to be dead
//! without either side saying so.
//!
//! Invariants: nothing here panics where a thread, a descriptor or an answer cannot be had; whatever a
//! server sends, no single request keeps the other tasks from running; no text of another library
//! reaches an error; no redirect is followed, and nothing is sent twice.

mod authorities;
mod body;
mod connect;
mod interim;
mod resolve;
mod stream;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backstop_config::{CaFile, Proxies, Proxy};
use backstop_delivery::{Clock, Departure, Failure, Wall};
use bytes::Bytes;
use http::header::{ACCEPT, HeaderValue, PROXY_AUTHORIZATION, USER_AGENT};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use authorities::Trusted;
pub use authorities::{HttpError, authorities};
use body::Outgoing;
pub(crate) use body::{drain, read};
use connect::{Connector, NoConnection};
use interim::Interim;
use resolve::Resolver;

/// After so long without a request, pooled connections are not trusted: load balancers and NAT
/// gateways drop idle ones silently, and a request on such a one hangs until its time-out.
const POOL_IS_STALE: Duration = Duration::from_secs(20);
/// An answer's head; hyper's own bound is 400 KiB.
const MOST_HEAD_BYTES: usize = 64 * 1024;
const OURSELVES: HeaderValue =
    HeaderValue::from_static(concat!("backstop/", env!("CARGO_PKG_VERSION")));

type Client = legacy::Client<Connector, Outgoing>;

/// An answer: its body has yet to be read, or there is none because a proxy has answered.
pub(crate) type Answered = Response<Option<Incoming>>;

/// A lazily built, shared HTTP client.
#[derive(Debug, Clone)]
pub struct SharedHttp(Arc<Inner>);

struct Inner {
    trusted: Trusted,
    proxies: Proxies,
    resolver: Resolver,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tls: Option<Arc<rustls::ClientConfig>>,
    /// By the proxy they go through; directly without one.
    clients: HashMap<Option<Proxy>, Client>,
    last_used: Wall,
}

impl SharedHttp {
    /// A client that trusts the built-in certificate authorities, and those in `ca_files` as well. `warn` hears, when the client is built, what is wrong with one.
    pub fn new(
        ca_files: Vec<CaFile>,
        proxies: Proxies,
        clock: Arc<dyn Clock>,
        warn: impl Fn(&HttpError) + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            trusted: Trusted::new(ca_files, warn),
            proxies,
            resolver: Resolver::default(),
            clock,
            state: Mutex::default(),
        }))
    }

    /// Sends a request and waits for the whole answer, of which no more than `most_bytes` are kept.
    pub async fn fetch(
        &self,
        request: Request<Bytes>,
        most_bytes: usize,
    ) -> Result<Response<Vec<u8>>, Failure> {
        let (head, body) = self.send(request).await?.into_parts();
        let body = match body {
            Some(body) => read(body, most_bytes).await.map_err(|_| Failure::Reset)?,
            None => Vec::new(),
        };
        Ok(Response::from_parts(head, body))
    }

    /// What time it is, for what an answer says of times.
    pub(crate) fn now(&self) -> Wall {
        self.0.clock.wall()
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn send(&self, request: Request<Bytes>) -> Result<Answered, Failure> {
        let departure = Departure::current();
        let mut request = request.map(|body| Outgoing::new(body, departure));
        let uri = request.uri();
        let encrypted = uri.scheme_str() == Some("https");
        let host = uri.host().ok_or(Failure::NotSent)?;
        let proxy = self.0.proxies.of(encrypted, host, uri.port_u16());
        let client = self.client(proxy).map_err(|_| Failure::NotSent)?;
        let headers = request.headers_mut();
        headers.entry(USER_AGENT).or_insert(OURSELVES);
        headers
            .entry(ACCEPT)
            .or_insert(HeaderValue::from_static("*/*"));
        // Within a tunnel the proxy sees no headers; there the connector says who we are.
        if !encrypted && let Some(authorization) = proxy.and_then(connect::authorization) {
            headers.insert(PROXY_AUTHORIZATION, authorization);
        }
        let interim = Interim::watch(&mut request);
        tokio::select! {
            biased;
            answer = client.request(request) => match answer {
                Ok(answer) => Ok(answer.map(Some)),
                Err(error) => match NoConnection::behind(&error) {
                    Some(NoConnection::Refused(status)) => Ok(refusal(status)),
                    Some(NoConnection::Failed(failure)) => Err(failure),
                    None => Err(Failure::Reset),
                },
            },
            // Dropping the request closes its connection.
            () = interim.too_many() => Err(Failure::Reset),
        }
    }

    fn client(&self, proxy: Option<&Proxy>) -> Result<Client, HttpError> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.0.clock.wall();
        if now.since(state.last_used) > POOL_IS_STALE {
            state.clients.clear();
        }
        state.last_used = now;
        let proxy = proxy.cloned();
        if let Some(client) = state.clients.get(&proxy) {
            return Ok(client.clone());
        }
        let tls = match &state.tls {
            Some(tls) => tls.clone(),
            None => state.tls.insert(self.0.trusted.tls_config()?).clone(),
        };
        let client = self.build(tls, proxy.clone());
        Ok(state.clients.entry(proxy).or_insert(client).clone())
    }

    fn build(&self, tls: Arc<rustls::ClientConfig>, proxy: Option<Proxy>) -> Client {
        legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .http1_max_buf_size(MOST_HEAD_BYTES)
            .build(Connector::new(self.0.resolver.clone(), tls, proxy))
    }

    /// Drops all connections: they were made before a snapshot.
    pub(crate) fn reset(&self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.clients.clear();
    }
}

/// The status with which a proxy has refused a tunnel, as the answer to the request.
fn refusal(status: StatusCode) -> Answered {
    let mut answer = Response::new(None);
    *answer.status_mut() = status;
    answer
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SharedHttp")
            .field("trusted", &self.trusted)
            .field("proxies", &self.proxies)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
