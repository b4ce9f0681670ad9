//! One connection of a [`super::FaultServer`]: where the faults are played.
//!
//! A reset is a real one: the socket is closed with a linger of zero, so that the kernel sends RST
//! and throws away what was not sent. Invariant: each request is observed exactly once. Must not
//! remember anything from one request to the next, or a fault would not take effect at once.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio_rustls::TlsAcceptor;

use super::Answer;
use crate::fault::Fault;

/// Serves a connection until either side ends it.
pub(super) async fn serve<A: Answer>(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    answer: Arc<A>,
    faults: watch::Receiver<Option<Fault>>,
) {
    // A server that waits to fill a segment would show up as latency of the client.
    stream.set_nodelay(true).ok();
    let reset = Arc::new(Reset::default());
    let wire = Wire {
        stream,
        reset: Arc::clone(&reset),
    };
    let mut refused = faults.clone();
    tokio::select! {
        () = speak(wire, tls, answer, &faults, &reset) => {}
        () = reset.pulled() => {}
        _ = refused.wait_for(|fault| *fault == Some(Fault::Refuse)) => reset.pull(),
    }
}

async fn speak<A: Answer>(
    wire: Wire,
    tls: Option<TlsAcceptor>,
    answer: Arc<A>,
    faults: &watch::Receiver<Option<Fault>>,
    reset: &Reset,
) {
    let service = service_fn(|request| respond(request, &answer, faults, reset));
    let server = http1::Builder::new();
    // How a connection ends is the client's to judge: the server only counts requests.
    match tls {
        Some(acceptor) => {
            if let Ok(stream) = acceptor.accept(wire).await {
                server
                    .serve_connection(TokioIo::new(stream), service)
                    .await
                    .ok();
            }
        }
        None => {
            server
                .serve_connection(TokioIo::new(wire), service)
                .await
                .ok();
        }
    }
}

async fn respond<A: Answer>(
    request: Request<Incoming>,
    answer: &Arc<A>,
    faults: &watch::Receiver<Option<Fault>>,
    reset: &Reset,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let fault = *faults.borrow();
    let (head, body) = request.into_parts();
    let observation = Observation {
        answer: answer.as_ref(),
        head: &head,
        status: None,
    };
    if matches!(fault, Some(Fault::Reset | Fault::Refuse)) {
        drop(observation);
        return hang_up(reset).await;
    }
    let Ok(body) = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
    else {
        drop(observation);
        return hang_up(reset).await;
    };
    let size = body.len();
    let request = Request::from_parts(head.clone(), body);
    let response = match fault {
        Some(Fault::Status(status)) => answer.refusal(status_code(status)),
        Some(Fault::StatusWithRetryAfter(status, seconds)) => {
            let mut response = answer.refusal(status_code(status));
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
        Some(Fault::Slow(delay)) => {
            tokio::time::sleep(delay).await;
            answer.answer(request).await
        }
        Some(Fault::TooLarge { limit_bytes }) if size > limit_bytes => {
            answer.refusal(StatusCode::PAYLOAD_TOO_LARGE)
        }
        None | Some(Fault::TooLarge { .. }) => answer.answer(request).await,
        Some(Fault::Hang) => {
            drop(observation);
            return pending().await;
        }
        Some(Fault::ResetAfterBody | Fault::Reset | Fault::Refuse) => {
            answer.answer(request).await;
            drop(observation);
            return hang_up(reset).await;
        }
    };
    observation.answered(response.status());
    Ok(response.map(Full::new))
}

/// Tells the service about a request once, also when the client gave up in the middle of it.
struct Observation<'request, A: Answer> {
    answer: &'request A,
    head: &'request Parts,
    status: Option<StatusCode>,
}

impl<A: Answer> Observation<'_, A> {
    fn answered(mut self, status: StatusCode) {
        self.status = Some(status);
    }
}

impl<A: Answer> Drop for Observation<'_, A> {
    fn drop(&mut self) {
        self.answer.observe(self.head, self.status);
    }
}

fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Ends the connection from within a request: the task that owns it drops it.
async fn hang_up<T>(reset: &Reset) -> T {
    reset.pull();
    pending().await
}

/// The cord that resets a connection.
#[derive(Debug, Default)]
struct Reset {
    wanted: AtomicBool,
    pulled: Notify,
}

impl Reset {
    fn pull(&self) {
        self.wanted.store(true, Ordering::Release);
        self.pulled.notify_one();
    }

    async fn pulled(&self) {
        self.pulled.notified().await;
    }
}

/// A socket that closes with RST when its cord was pulled.
#[derive(Debug)]
struct Wire {
    stream: TcpStream,
    reset: Arc<Reset>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.reset.wanted.load(Ordering::Acquire) {
            // On a socket that is already gone there is nothing left to reset.
            self.stream.set_zero_linger().ok();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
