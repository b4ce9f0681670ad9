//! The HTTP server that Lambda posts telemetry to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::Inbox;

/// The largest body taken. With the buffering we ask for (262,144 bytes) Lambda sends at most twice
/// that and some metadata; four MiB leaves room for what the documentation does not say.
pub(crate) const MOST_BODY_BYTES: usize = 4 * 1024 * 1024;
/// The most that is read of a body that is too large, before the connection is closed on it.
const MOST_DISCARDED_BYTES: usize = 64 * 1024 * 1024;
/// The name by which Lambda reaches us; an entry of the environment's hosts file.
const SANDBOX: &str = "sandbox.localdomain";

/// A bound listener.
#[derive(Debug)]
pub(crate) struct Listener {
    listener: TcpListener,
    port: u16,
}

impl Listener {
    /// Binds to the sandbox's own address where the hosts file has one.
    pub(crate) async fn bind(runtime_api: &str) -> io::Result<Self> {
        let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
        let address = sandbox_address(&hosts, runtime_api);
        let listener = TcpListener::bind(SocketAddr::new(address, 0)).await?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// Where Lambda is to post.
    pub(crate) fn uri(&self) -> String {
        format!("http://{SANDBOX}:{}/", self.port)
    }

    /// Serves until the process ends.
    pub(crate) async fn serve(self, inbox: Arc<Inbox>) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(serve_connection(stream, inbox.clone()));
                }
                // Out of descriptors, say: those in use have to end first.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
}

/// The sandbox's address. Without an entry for it the platform is reached, and reaches us, over
/// loopback (emulators), or over an address that we cannot know.
fn sandbox_address(hosts: &str, runtime_api: &str) -> IpAddr {
    let entry = hosts.lines().find_map(|line| {
        let mut words = line
            .split('#')
            .next()
            .unwrap_or_default()
            .split_ascii_whitespace();
        let address = words.next()?.parse().ok()?;
        words.any(|name| name == SANDBOX).then_some(address)
    });
    let host = runtime_api
        .rsplit_once(':')
        .map_or(runtime_api, |(host, _)| host);
    let loopback = host == "localhost" || host.parse().is_ok_and(|host: IpAddr| host.is_loopback());
    let fallback = if loopback {
        Ipv4Addr::LOCALHOST
    } else {
        Ipv4Addr::UNSPECIFIED
    };
    entry.unwrap_or(IpAddr::V4(fallback))
}

async fn serve_connection(stream: TcpStream, inbox: Arc<Inbox>) {
    let service = service_fn(move |request| {
        let inbox = inbox.clone();
        async move { Ok::<_, hyper::Error>(answer(take(request, &inbox).await)) }
    });
    // A connection that breaks is Lambda's to open again; what was acknowledged is ours.
    drop(
        http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await,
    );
}

async fn take(request: Request<Incoming>, inbox: &Inbox) -> StatusCode {
    if request.method() != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED;
    }
    match read(request.into_body()).await {
        Ok(Some(body)) => {
            inbox.push(body).await;
            StatusCode::OK
        }
        Ok(None) => {
            inbox.refuse_oversized();
            StatusCode::PAYLOAD_TOO_LARGE
        }
        // Cut off before it was whole: not acknowledged, so Lambda sends it again.
        Err(_) => StatusCode::BAD_REQUEST,
    }
}

/// The whole body in one piece, or `None` where it is too large. Such a one is read to its end all the
/// same, within reason: a sender hears our answer only after it has sent.
async fn read(mut body: Incoming) -> Result<Option<Bytes>, hyper::Error> {
    let announced = usize::try_from(body.size_hint().exact().unwrap_or_default());
    let mut bytes = BytesMut::with_capacity(announced.unwrap_or_default().min(MOST_BODY_BYTES));
    let mut total = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        total += data.len();
        if total <= MOST_BODY_BYTES {
            bytes.extend_from_slice(&data);
        } else if total > MOST_DISCARDED_BYTES {
            break;
        } else {
            bytes = BytesMut::new();
        }
    }
    Ok((total <= MOST_BODY_BYTES).then(|| bytes.freeze()))
}

fn answer(status: StatusCode) -> Response<Empty<Bytes>> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listener_binds_to_the_sandbox_only_where_it_can_be_known() {
        let hosts = "127.0.0.1 localhost\n169.254.79.129 sandbox.localdomain sandbox # Lambda\n";
        let address = |hosts, api| sandbox_address(hosts, api).to_string();
        assert_eq!(address(hosts, "127.0.0.1:9001"), "169.254.79.129");
        assert_eq!(
            address("127.0.0.1 localhost", "127.0.0.1:9001"),
            "127.0.0.1"
        );
        assert_eq!(
            address("# 1.2.3.4 sandbox.localdomain", "localhost:9001"),
            "127.0.0.1"
        );
        assert_eq!(address("", "169.254.100.1:9001"), "0.0.0.0");
    }
}
