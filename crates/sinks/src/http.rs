//! The one HTTP client of the process, for the primary and for the AWS SDK alike.
//!
//! rustls with ring: aws-lc-rs costs some 28 ms of CPU at the first handshake, most of a small
//! function's time slice. The client is built on first need, and built anew after the environment
//! was frozen long enough for its idle connections to be dead without either side saying so.

mod body;

use std::error::Error;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backstop_config::CaFile;
use backstop_delivery::{Clock, Failure, Wall};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

pub(crate) use body::{drain, read};

/// After so long without a request, pooled connections are not trusted: load balancers and NAT
/// gateways drop idle ones silently, and a request on such a one hangs until its time-out.
const POOL_IS_STALE: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const USER_AGENT: &str = concat!("backstop/", env!("CARGO_PKG_VERSION"));

/// A lazily built, shared HTTP client.
#[derive(Debug, Clone)]
pub struct SharedHttp(Arc<Inner>);

struct Inner {
    ca_files: Vec<CaFile>,
    clock: Arc<dyn Clock>,
    warn: Box<dyn Fn(&HttpError) + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tls: Option<rustls::ClientConfig>,
    clients: Clients,
    last_used: Wall,
}

/// Through the proxy that the environment names, or past it.
#[derive(Debug, Default)]
struct Clients {
    proxied: Option<reqwest::Client>,
    direct: Option<reqwest::Client>,
}

/// The client could not be built. Says why, and what to change.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HttpError {
    /// The certificate file could not be used.
    #[error(
        "{variable}={path}: {problem}; only the built-in certificate authorities are trusted until this is mended"
    )]
    CaFile {
        /// The variable that names the file.
        variable: &'static str,
        /// The file's path.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// TLS or the client could not be set up.
    #[error("the HTTPS client could not be set up: {0}")]
    Setup(String),
}

impl SharedHttp {
    /// A client that trusts the built-in certificate authorities, and those in `ca_files` as well.
    /// `warn` is told, when the client is built, of what is wrong with a file.
    pub fn new(
        ca_files: impl IntoIterator<Item = CaFile>,
        clock: Arc<dyn Clock>,
        warn: impl Fn(&HttpError) + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            ca_files: ca_files.into_iter().collect(),
            clock,
            warn: Box::new(warn),
            state: Mutex::default(),
        }))
    }

    /// The client for a host, built now if it is not there yet. No proxy can reach what is inside
    /// the execution environment: a collector on loopback, the credentials' link-local address.
    pub fn client(&self, host: &str) -> Result<reqwest::Client, HttpError> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.0.clock.wall();
        if now.since(state.last_used) > POOL_IS_STALE {
            state.clients = Clients::default();
        }
        state.last_used = now;
        let is_inside = is_inside_the_environment(host);
        let clients = &state.clients;
        let existing = if is_inside {
            &clients.direct
        } else {
            &clients.proxied
        };
        if let Some(client) = existing {
            return Ok(client.clone());
        }
        let tls = match &state.tls {
            Some(tls) => tls.clone(),
            None => state.tls.insert(self.tls_config()?).clone(),
        };
        let client = build(tls, is_inside)?;
        let clients = &mut state.clients;
        let slot = if is_inside {
            &mut clients.direct
        } else {
            &mut clients.proxied
        };
        Ok(slot.insert(client).clone())
    }

    /// A certificate file that cannot be read must not cost the sinks that do without it.
    fn tls_config(&self) -> Result<rustls::ClientConfig, HttpError> {
        let mut roots = rustls::RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.into(),
        };
        for file in &self.0.ca_files {
            if let Err(error) = add_ca_file(&mut roots, file) {
                (self.0.warn)(&error);
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| HttpError::Setup(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(config)
    }

    /// Drops all connections: they were made before a snapshot.
    pub(crate) fn reset(&self) {
        self.0
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clients = Clients::default();
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one factory")]
fn build(tls: rustls::ClientConfig, is_direct: bool) -> Result<reqwest::Client, HttpError> {
    let builder = reqwest::Client::builder();
    let builder = if is_direct {
        builder.no_proxy()
    } else {
        builder
    };
    builder
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        // The chain decides about retries; a hidden one would break its budgets.
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(USER_AGENT)
        .build()
        .map_err(|error| HttpError::Setup(error.to_string()))
}

fn is_inside_the_environment(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_local = |address: IpAddr| match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unicast_link_local(),
    };
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_local)
}

fn add_ca_file(roots: &mut rustls::RootCertStore, file: &CaFile) -> Result<(), HttpError> {
    let CaFile { variable, path } = file;
    let problem = |problem: String| HttpError::CaFile {
        variable,
        path: path.clone(),
        problem,
    };
    let pem = std::fs::read(path).map_err(|error| problem(error.to_string()))?;
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| problem(error.to_string()))?;
    // A system bundle holds some that no one can use; only none at all is an error.
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 {
        Err(problem("holds no certificate".to_owned()))
    } else {
        Ok(())
    }
}

/// What kind of failure stands behind an error of the client.
pub(crate) fn failure(error: &reqwest::Error) -> Failure {
    let mut source: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(cause) = source {
        if cause.downcast_ref::<rustls::Error>().is_some() {
            return Failure::Tls;
        }
        // An I/O error's own source skips the error it wraps, and rustls's travel wrapped, more than once.
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            if io.kind() == ErrorKind::ConnectionRefused {
                return Failure::Refused;
            }
            if let Some(inner) = io.get_ref() {
                source = Some(inner);
                continue;
            }
        }
        // The connector has no type for a failed look-up, only this text.
        if cause.to_string() == "dns error" {
            return Failure::Dns;
        }
        source = cause.source();
    }
    if error.is_connect() {
        // Whatever it was, nothing was sent.
        return Failure::Refused;
    }
    if error.is_timeout() {
        Failure::TimedOut
    } else {
        Failure::Reset
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SharedHttp")
            .field("ca_files", &self.ca_files)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use backstop_delivery::SystemClock;

    use super::*;

    #[test]
    fn a_ca_file_that_cannot_be_used_is_named_and_costs_nothing_else() {
        let warnings = Arc::<Mutex<Vec<String>>>::default();
        for (variable, path) in [
            ("SSL_CERT_FILE", "/nonexistent.pem"),
            ("AWS_CA_BUNDLE", "/dev/null"),
        ] {
            let heard = warnings.clone();
            let warn = move |error: &HttpError| {
                heard.lock().expect("no one panics").push(error.to_string());
            };
            let path = path.to_owned();
            let file = Some(CaFile { variable, path });
            let http = SharedHttp::new(file, Arc::new(SystemClock), warn);
            assert!(http.client("example.com").is_ok());
        }
        let warnings = warnings.lock().expect("no one panics");
        assert!(warnings[0].starts_with("SSL_CERT_FILE=/nonexistent.pem: No such file"));
        assert!(warnings[1].starts_with("AWS_CA_BUNDLE=/dev/null: holds no certificate"));
    }

    #[tokio::test]
    async fn of_an_answer_no_more_is_read_than_was_asked_for() {
        let body = |bytes| reqwest::Response::from(http::Response::new(vec![b'x'; bytes]));
        for (sent, read_bytes) in [(0, 0), (9, 9), (10, 10), (11, 10), (1_000_000, 10)] {
            let read = read(body(sent), 10).await.expect("it is in memory");
            assert_eq!(read.len(), read_bytes, "of {sent}");
        }
    }

    /// The settings let only ASCII through, so the lock file has the `idna_adapter` without tables.
    #[test]
    fn a_host_in_punycode_is_taken_as_it_is() {
        let host = |url: &str| {
            let url = reqwest::Url::parse(url).expect("an address");
            url.host_str().map(str::to_owned)
        };
        for name in ["xn--bcher-kva.example", "xn--fiqs8s", "intake.example.com"] {
            let url = format!("https://{name}/v1");
            assert_eq!(host(&url).as_deref(), Some(name));
        }
    }

    #[test]
    fn no_proxy_is_asked_for_what_is_inside_the_environment() {
        for host in [
            "localhost",
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
            "169.254.170.2",
            "[fe80::1]",
        ] {
            assert!(is_inside_the_environment(host), "{host}");
        }
        for host in [
            "example.com",
            "10.0.0.1",
            "localhost.example.com",
            "[2001:db8::1]",
        ] {
            assert!(!is_inside_the_environment(host), "{host}");
        }
    }
}
