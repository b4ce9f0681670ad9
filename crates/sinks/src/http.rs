//! The one HTTP client of the process, for the primary and for the AWS SDK alike.
//!
//! reqwest over rustls with ring: aws-lc-rs costs some 28 ms of CPU at the first handshake, most of a
//! small function's time slice. Proxies come from the settings, names from threads of its own
//! (`resolve`), authorities from files (`authorities`), and of interim answers a few are read
//! (`interim`). The client is built on first need, and again after the environment was frozen long
//! enough for its idle connections to be dead without either side saying so.
//!
//! Invariants: nothing here panics where a thread, a descriptor or an answer cannot be had; no text of
//! another library reaches an error; no redirect is followed, and nothing is sent twice.

mod authorities;
mod body;
mod interim;
mod resolve;

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backstop_config::{CaFile, Proxies, Proxy};
use backstop_delivery::{Clock, Failure, Wall};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};

use authorities::Trusted;
pub use authorities::{HttpError, authorities};
pub(crate) use body::{drain, read};
use interim::Interim;
use resolve::{NoAddress, Resolver};

/// After so long without a request, pooled connections are not trusted: load balancers and NAT
/// gateways drop idle ones silently, and a request on such a one hangs until its timeout.
const POOL_IS_STALE: Duration = Duration::from_secs(20);
/// From the look-up of the name to the end of the handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const USER_AGENT: &str = concat!("backstop/", env!("CARGO_PKG_VERSION"));

/// A lazily built, shared HTTP client.
#[derive(Debug, Clone)]
pub struct SharedHttp(Arc<Inner>);

struct Inner {
    trusted: Trusted,
    proxies: Proxies,
    resolver: Arc<Resolver>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tls: Option<rustls::ClientConfig>,
    /// By the proxy they go through; directly without one.
    clients: HashMap<Option<Proxy>, reqwest::Client>,
    last_used: Wall,
}

impl SharedHttp {
    /// A client that trusts the built-in certificate authorities, and those in `ca_files` as well.
    /// `warn` hears, when the client is built, what is wrong with one.
    pub fn new(
        ca_files: Vec<CaFile>,
        proxies: Proxies,
        clock: Arc<dyn Clock>,
        warn: impl Fn(&HttpError) + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            trusted: Trusted::new(ca_files, warn),
            proxies,
            resolver: Arc::default(),
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
        let response = self.send(request).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read(response, most_bytes)
            .await
            .map_err(|_| Failure::Reset)?;
        let mut answer = Response::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        Ok(answer)
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn send(
        &self,
        mut request: Request<Bytes>,
    ) -> Result<reqwest::Response, Failure> {
        let uri = request.uri();
        let encrypted = uri.scheme_str() == Some("https");
        let host = uri.host().ok_or(Failure::NotSent)?;
        let proxy = self.0.proxies.of(encrypted, host, uri.port_u16());
        let client = self.client(proxy).map_err(|_| Failure::NotSent)?;
        let interim = Interim::watch(&mut request);
        let request = request.try_into().map_err(|_| Failure::NotSent)?;
        tokio::select! {
            biased;
            answer = client.execute(request) => answer.or_else(|error| {
                if is_refused_by_proxy(&error) {
                    Ok(refusal(StatusCode::PROXY_AUTHENTICATION_REQUIRED))
                } else {
                    Err(failure(&error))
                }
            }),
            // Dropping the request closes its connection.
            () = interim.too_many() => Err(Failure::Reset),
        }
    }

    fn client(&self, proxy: Option<&Proxy>) -> Result<reqwest::Client, HttpError> {
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
        let client = build(tls, self.0.resolver.clone(), proxy.as_ref())?;
        Ok(state.clients.entry(proxy).or_insert(client).clone())
    }

    /// Drops all connections: they were made before a snapshot.
    pub(crate) fn reset(&self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.clients.clear();
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one factory")]
fn build(
    tls: rustls::ClientConfig,
    resolver: Arc<Resolver>,
    proxy: Option<&Proxy>,
) -> Result<reqwest::Client, HttpError> {
    // What the library says of an address may quote it.
    let setup = |_: reqwest::Error| HttpError::Setup;
    let builder = reqwest::Client::builder();
    // Either call keeps it from reading variables of its own.
    let builder = match proxy {
        Some(proxy) => builder.proxy(through(proxy).map_err(setup)?),
        None => builder.no_proxy(),
    };
    builder
        .tls_backend_preconfigured(tls)
        .dns_resolver(resolver)
        .redirect(reqwest::redirect::Policy::none())
        // The chain decides about retries; a hidden one would break its budgets.
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(USER_AGENT)
        .build()
        .map_err(setup)
}

fn through(proxy: &Proxy) -> reqwest::Result<reqwest::Proxy> {
    let scheme = if proxy.encrypted { "https" } else { "http" };
    let address = format!("{scheme}://{}:{}", proxy.host, proxy.port);
    let through = reqwest::Proxy::all(address)?;
    let authorization = proxy.authorization.as_ref();
    let value = authorization.and_then(|text| HeaderValue::from_str(text.expose()).ok());
    Ok(match value {
        Some(mut value) => {
            value.set_sensitive(true);
            through.custom_http_auth(value)
        }
        None => through,
    })
}

/// Why there is no answer.
fn failure(error: &reqwest::Error) -> Failure {
    if !error.is_connect() {
        // The request may have arrived.
        return if error.is_timeout() {
            Failure::TimedOut
        } else {
            Failure::Reset
        };
    }
    // Whatever it was, nothing was sent.
    let of_tls = causes(error).any(|cause| cause.is::<rustls::Error>());
    if causes(error).any(|cause| cause.is::<NoAddress>()) {
        Failure::Dns
    } else if of_tls {
        Failure::Tls
    } else {
        Failure::Refused
    }
}

/// Whether a proxy wants other credentials before it makes a tunnel.
fn is_refused_by_proxy(error: &reqwest::Error) -> bool {
    // The connector has no type for it, only these words of its own.
    error.is_connect()
        && causes(error)
            .any(|cause| cause.to_string() == "tunnel error: proxy authorization required")
}

/// An error and what is behind it.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause| {
        let cause: &'e (dyn Error + 'static) = *cause;
        // An I/O error's own source skips the error it wraps, and rustls's travel wrapped, more than once.
        let wrapped = cause
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        match wrapped {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => cause.source(),
        }
    })
}

/// The status with which a proxy has refused a tunnel, as the answer to the request.
fn refusal(status: StatusCode) -> reqwest::Response {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = status;
    answer.into()
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
