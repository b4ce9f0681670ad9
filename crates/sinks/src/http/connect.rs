//! Connections: an address or a proxy, a tunnel through it, TLS.
//!
//! Invariants: an error says what failed in the chain's own terms, and quotes nobody; a connection
//! stands within [`LONGEST`] or fails; of a proxy's answer at most [`MOST_PROXY_HEAD_BYTES`] are read.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use backstop_config::Proxy;
use backstop_delivery::Failure;
use http::{HeaderValue, StatusCode, Uri};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower_service::Service;

use super::resolve::{NoAddress, Resolver};
use super::stream::{Socket, Stream, Wire};

/// From the look-up of the name to the end of the handshake.
const LONGEST: Duration = Duration::from_secs(3);
const KEEPALIVE: Duration = Duration::from_secs(15);
/// Bytes that were sent and are not acknowledged for so long end the connection.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);
const MOST_PROXY_HEAD_BYTES: usize = 8 * 1024;
const REFUSED: NoConnection = NoConnection::Failed(Failure::Refused);

/// Why there is no connection; nothing of the request has been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoConnection {
    /// The proxy wants other credentials.
    Refused(StatusCode),
    /// It could not be made.
    Failed(Failure),
}

impl NoConnection {
    /// What is behind an error of the client, where it has to do with the connection's beginning.
    pub(super) fn behind(error: &legacy::Error) -> Option<Self> {
        match find::<Self>(error) {
            Some(found) => Some(*found),
            // Whatever it was, nothing was sent.
            None if error.is_connect() => Some(REFUSED),
            None => None,
        }
    }
}

impl fmt::Display for NoConnection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Refused(_) => "the proxy refused the tunnel",
            Self::Failed(_) => "no connection",
        })
    }
}

impl Error for NoConnection {}

/// The first error of a type, from this one down.
fn find<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    let mut source = Some(error);
    while let Some(cause) = source {
        if let Some(found) = cause.downcast_ref() {
            return Some(found);
        }
        source = cause.source();
    }
    None
}

/// The value of `Proxy-Authorization`.
pub(super) fn authorization(proxy: &Proxy) -> Option<HeaderValue> {
    let text = proxy.authorization.as_ref()?.expose();
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Makes connections, all of them through the same proxy or through none.
#[derive(Clone)]
pub(super) struct Connector {
    tcp: HttpConnector<Resolver>,
    tls: Arc<rustls::ClientConfig>,
    proxy: Option<Arc<Proxy>>,
}

impl Connector {
    pub(super) fn new(
        resolver: Resolver,
        tls: Arc<rustls::ClientConfig>,
        proxy: Option<Proxy>,
    ) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(resolver);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEPALIVE));
        tcp.set_keepalive_interval(Some(KEEPALIVE));
        tcp.set_keepalive_retries(Some(3));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
        // Shared out among the addresses of a name: one that is silent leaves time for the next.
        tcp.set_connect_timeout(Some(LONGEST));
        Self {
            tcp,
            tls,
            proxy: proxy.map(Arc::new),
        }
    }

    async fn connect(mut self, to: Uri) -> Result<Stream, NoConnection> {
        let encrypted = to.scheme_str() == Some("https");
        let Some(proxy) = self.proxy.take() else {
            let socket = self.socket(to.clone()).await?;
            if !encrypted {
                return Ok(Stream::plain(socket, false));
            }
            return Ok(self.handshake(to.host(), socket).await?.into());
        };
        let scheme = if proxy.encrypted { "https" } else { "http" };
        let address = format!("{scheme}://{}:{}/", proxy.host, proxy.port);
        let address = address.parse().map_err(|_| REFUSED)?;
        let socket = self.socket(address).await?;
        let mut wire: Box<dyn Wire> = if proxy.encrypted {
            Box::new(self.handshake(Some(&proxy.host), socket).await?)
        } else {
            Box::new(socket)
        };
        if !encrypted {
            return Ok(Stream::of(wire, true));
        }
        tunnel(&mut wire, &to, authorization(&proxy)).await?;
        Ok(self.handshake(to.host(), wire).await?.into())
    }

    async fn socket(&mut self, to: Uri) -> Result<Socket, NoConnection> {
        let stream = self.tcp.call(to).await.map_err(|error| {
            if find::<NoAddress>(&error).is_some() {
                NoConnection::Failed(Failure::Dns)
            } else {
                // No address answered, or the system gave no socket: nothing was sent either way.
                REFUSED
            }
        })?;
        Ok(Socket::new(stream.into_inner()))
    }

    async fn handshake<W: Wire>(
        &self,
        host: Option<&str>,
        wire: W,
    ) -> Result<tokio_rustls::client::TlsStream<W>, NoConnection> {
        let tls = NoConnection::Failed(Failure::Tls);
        let host = host.ok_or(tls)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(|_| tls)?;
        let stream = TlsConnector::from(self.tls.clone())
            .connect(name, wire)
            .await;
        // rustls's errors travel within errors of I/O; any other is of the connection itself.
        stream.map_err(|error| {
            let is_tls = match error.get_ref() {
                Some(inner) => inner.is::<rustls::Error>(),
                None => false,
            };
            if is_tls { tls } else { REFUSED }
        })
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = NoConnection;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, NoConnection>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoConnection>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let connecting = self.clone().connect(to);
        Box::pin(async move { timeout(LONGEST, connecting).await.unwrap_or(Err(REFUSED)) })
    }
}

/// Has the proxy connect us to the host (RFC 9110, section 9.3.6).
async fn tunnel(
    wire: &mut Box<dyn Wire>,
    to: &Uri,
    authorization: Option<HeaderValue>,
) -> Result<(), NoConnection> {
    let host = to.host().ok_or(REFUSED)?;
    let port = to.port_u16().unwrap_or(443);
    let mut request =
        format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n").into_bytes();
    request.extend(b"User-Agent: ");
    request.extend(super::OURSELVES.as_bytes());
    if let Some(authorization) = authorization {
        request.extend(b"\r\nProxy-Authorization: ");
        request.extend(authorization.as_bytes());
    }
    request.extend(b"\r\n\r\n");
    wire.write_all(&request).await.map_err(|_| REFUSED)?;
    wire.flush().await.map_err(|_| REFUSED)?;

    let mut head = Vec::with_capacity(1024);
    while !head.ends_with(b"\r\n\r\n") {
        let read = wire.read_buf(&mut head).await.map_err(|_| REFUSED)?;
        if read == 0 || head.len() > MOST_PROXY_HEAD_BYTES {
            return Err(REFUSED);
        }
    }
    let status = head
        .strip_prefix(b"HTTP/1.")
        .and_then(|rest| rest.get(2..5));
    match status.and_then(|status| StatusCode::from_bytes(status).ok()) {
        Some(status) if status.is_success() => Ok(()),
        Some(status @ StatusCode::PROXY_AUTHENTICATION_REQUIRED) => {
            Err(NoConnection::Refused(status))
        }
        Some(_) | None => Err(REFUSED),
    }
}
