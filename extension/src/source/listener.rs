//! The HTTP server that Lambda posts telemetry to, and the function its own, on a port each ([`Origin`]).
//!
//! Every process of the sandbox can reach it, so what a stranger can make it hold is bounded: the
//! number of connections, each one's headers and body, and how long a body may take.

mod address;
mod otlp;

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::Inbox;
use super::connections::{Activity, Connections, MOST_CONNECTIONS, MOST_OF_FUNCTION};

/// The largest body taken. With the buffering we ask for (262,144 bytes) Lambda sends at most twice
/// that and some metadata; four MiB leaves room for what the documentation does not say.
pub(crate) const MOST_BODY_BYTES: usize = 4 * 1024 * 1024;
/// The most that is read of a body that is too large, before the connection is closed on it.
const MOST_DISCARDED_BYTES: usize = 64 * 1024 * 1024;
/// Lambda sends a handful.
const MOST_HEADERS: usize = 32;
/// All of a head together.
const MOST_HEAD_BYTES: usize = 8 * 1024;
/// The read buffer of a connection. hyper's own bound is 400 KiB; with much less than this a body would be
/// read in many small pieces.
const MOST_BUFFERED_BYTES: usize = 64 * 1024;
/// The longest that a body may stand still, and that it is waited for in all. Lambda writes all of it at once, over
/// loopback.
const STALLED: Duration = Duration::from_secs(5);
/// What one wait counts for at most: a freeze in the middle of a body may be in it.
const MOST_OF_A_WAIT: Duration = Duration::from_secs(1);
/// The pause after a connection that could not be accepted, and the longest.
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(640);
/// The bodies of the function's that are read at a time: 32 MiB at most.
const MOST_READERS: usize = 8;

/// The port at which OpenTelemetry's SDKs look for a receiver.
const OTLP_PORT: u16 = 4318;

/// A bound listener.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    port: u16,
    origin: Origin,
}

/// Who posts there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Lambda,
    /// The function: OTLP.
    Function,
}

/// Which address it is bound to, where that is not the one of the hosts file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OtherAddress {
    pub(crate) address: IpAddr,
    /// What kept it from the addresses of the hosts file; nothing where that has none.
    pub(crate) refused: Vec<(IpAddr, io::ErrorKind)>,
}

impl Listener {
    /// Binds to the sandbox's own address, or to the next best: see [`address`].
    pub(crate) async fn bind(runtime_api: &str) -> io::Result<(Self, Option<OtherAddress>)> {
        let candidates = address::candidates(&address::hosts(), runtime_api);
        let (listener, elsewhere) = address::bind(&candidates).await?;
        let port = listener.local_addr()?.port();
        let origin = Origin::Lambda;
        let bound = Self {
            socket: listener,
            port,
            origin,
        };
        Ok((bound, elsewhere))
    }

    /// Binds to the port at which the function's SDK posts: on loopback, which nobody else reaches.
    pub(crate) async fn bind_otlp() -> io::Result<Self> {
        let port = OTLP_PORT;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let origin = Origin::Function;
        Ok(Self {
            socket: listener,
            port,
            origin,
        })
    }

    /// Where Lambda is to post.
    pub(crate) fn uri(&self) -> String {
        format!("http://{}:{}/", address::SANDBOX, self.port)
    }

    /// Serves until the process ends.
    pub(crate) async fn serve(self, inbox: Arc<Inbox>) {
        let origin = self.origin;
        let mut connections = Connections::new(match origin {
            Origin::Lambda => MOST_CONNECTIONS,
            Origin::Function => MOST_OF_FUNCTION,
        });
        let readers = Arc::new(Semaphore::new(MOST_READERS));
        let mut pause = PAUSE;
        loop {
            let Ok((stream, _)) = self.socket.accept().await else {
                // Out of descriptors, say: those in use have to end first, and looking costs CPU.
                tokio::time::sleep(pause).await;
                pause = LONGEST_PAUSE.min(pause * 2);
                continue;
            };
            pause = PAUSE;
            // An SDK takes a connection that is closed for a lost export: it waits instead.
            while origin == Origin::Function && !connections.have_room() {
                tokio::time::sleep(PAUSE).await;
            }
            let (inbox, readers) = (inbox.clone(), readers.clone());
            connections.admit(|activity| {
                if origin == Origin::Function {
                    activity.is_awaited();
                }
                let serving = serve_connection(stream, origin, inbox, (activity, readers));
                tokio::spawn(serving).abort_handle()
            });
        }
    }
}

/// There is no time-out for headers: it would run on an idle connection as well, and fire after a freeze
/// just as Lambda posts again. A connection that says nothing costs little, and is the first to go.
async fn serve_connection(
    stream: TcpStream,
    origin: Origin,
    inbox: Arc<Inbox>,
    (activity, readers): (Activity, Arc<Semaphore>),
) {
    let beginning = activity.clone();
    let service = service_fn(move |request| {
        let (inbox, activity, readers) = (inbox.clone(), activity.clone(), readers.clone());
        async move {
            let response = match origin {
                Origin::Lambda => answer(take(request, &inbox, &activity).await),
                Origin::Function => otlp::take(request, &inbox, (&activity, &readers)).await,
            };
            activity.is_settled();
            Ok::<_, hyper::Error>(response)
        }
    });
    let mut connection = pin!(
        http1::Builder::new()
            // Nobody reads it, and it panics where the clock is outside of the years it can write.
            .auto_date_header(false)
            .max_headers(MOST_HEADERS)
            .max_header_size(MOST_HEAD_BYTES)
            .max_buf_size(MOST_BUFFERED_BYTES)
            .serve_connection(TokioIo::new(stream), service)
    );
    // A connection that breaks is the sender's to open again; what was acknowledged is ours.
    if timeout(STALLED, &mut connection).await.is_err() {
        beginning.is_settled();
        drop(connection.await);
    }
}

async fn take(request: Request<Incoming>, inbox: &Inbox, activity: &Activity) -> StatusCode {
    if request.method() != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED;
    }
    match read(request.into_body(), activity).await {
        Ok(Some(body)) => {
            let holding = activity.hold();
            let is_taken = inbox.push(body).await;
            drop(holding);
            if is_taken {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
        Ok(None) => {
            inbox.refuse_oversized();
            StatusCode::PAYLOAD_TOO_LARGE
        }
        Err(IncompleteBody::Stalled) => StatusCode::REQUEST_TIMEOUT,
        Err(IncompleteBody::CutOff) => StatusCode::BAD_REQUEST,
    }
}

/// The body did not come to its end: it is not acknowledged, so Lambda sends it again.
enum IncompleteBody {
    CutOff,
    Stalled,
}

/// The whole body in one piece, or `None` where it is too large. Such a one is read to its end all the
/// same, within reason: a sender hears our answer only after it has sent.
async fn read(mut body: Incoming, activity: &Activity) -> Result<Option<Bytes>, IncompleteBody> {
    let announced = usize::try_from(body.size_hint().exact().unwrap_or_default());
    let mut bytes = BytesMut::with_capacity(announced.unwrap_or_default().min(MOST_BODY_BYTES));
    let mut total = 0;
    let mut waited = Duration::ZERO;
    loop {
        activity.touch();
        let since = Instant::now();
        // What has arrived goes before the time: a freeze in the middle of a body is no stall.
        let frame = match timeout(STALLED, body.frame()).await {
            Ok(Some(frame)) => frame.map_err(|_| IncompleteBody::CutOff)?,
            Ok(None) => break,
            Err(_) => return Err(IncompleteBody::Stalled),
        };
        // A sender that dribbles never stands still.
        waited += (Instant::now() - since).min(MOST_OF_A_WAIT);
        if waited > STALLED {
            return Err(IncompleteBody::Stalled);
        }
        let Ok(data) = frame.into_data() else {
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

fn answer(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests;
