//! One connection of a [`super::FaultServer`]: where the faults are played.
//!
//! Invariant: each request is observed exactly once. Must not remember anything from one request to
//! the next, or a fault would not take effect at once.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::Answer;
use super::body::Reply;
use super::stream::{ConnectionControl, ControlledStream};
use crate::fault::Fault;
use crate::time::http_date_after;
use crate::tls::Acceptors;

/// How a connection begins.
pub(super) enum Handshake {
    Plain,
    Tls(TlsAcceptor),
    /// The client's hello is answered with an alert.
    Failing,
    /// Not at all.
    Reset,
}

impl Handshake {
    /// What a server with these certificates does under this fault.
    pub(super) fn under(fault: Option<Fault>, tls: Option<&Acceptors>) -> Self {
        match (fault, tls) {
            (Some(Fault::Tls), Some(_)) => Self::Failing,
            (Some(Fault::ExpiredCertificate), Some(tls)) => Self::Tls(tls.expired.clone()),
            (Some(Fault::Tls | Fault::ExpiredCertificate), None) => Self::Reset,
            (_, Some(tls)) => Self::Tls(tls.valid.clone()),
            (_, None) => Self::Plain,
        }
    }
}

/// Serves a connection until either side ends it. Of `faults`, the one it began under is seen.
pub(super) async fn serve<A: Answer>(
    stream: TcpStream,
    handshake: Handshake,
    answer: Arc<A>,
    faults: watch::Receiver<Option<Fault>>,
) {
    // A server that waits to fill a segment would show up as latency of the client.
    stream.set_nodelay(true).ok();
    let control = Arc::new(ConnectionControl::default());
    let wire = ControlledStream::new(stream, Arc::clone(&control));
    let cut = cut_off(faults.clone());
    tokio::select! {
        () = speak(wire, handshake, answer, &faults, &control) => {}
        () = control.reset_requested() => {}
        () = cut => control.reset(),
    }
}

/// Waits for a fault that open connections do not survive.
async fn cut_off(mut faults: watch::Receiver<Option<Fault>>) {
    while faults.changed().await.is_ok() {
        if faults
            .borrow_and_update()
            .is_some_and(Fault::is_of_connections)
        {
            return;
        }
    }
    pending::<()>().await;
}

async fn speak<A: Answer>(
    mut wire: ControlledStream,
    handshake: Handshake,
    answer: Arc<A>,
    faults: &watch::Receiver<Option<Fault>>,
    control: &ConnectionControl,
) {
    let service = service_fn(|request| respond(request, &answer, faults, control));
    // How a connection ends is the client's to judge: the server only counts requests.
    match handshake {
        Handshake::Tls(acceptor) => {
            if let Ok(stream) = acceptor.accept(wire).await {
                converse(stream, service, control).await;
            }
        }
        Handshake::Plain => converse(wire, service, control).await,
        Handshake::Failing => wire.fail_handshake().await,
        Handshake::Reset => control.reset(),
    }
}

/// HTTP, until either side ends it, or a request asks for a flood.
async fn converse<W, S>(wire: W, service: S, control: &ConnectionControl)
where
    W: AsyncRead + AsyncWrite + Unpin,
    S: HttpService<Incoming, ResBody = Reply, Error = Infallible> + Unpin,
{
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(wire), service);
    let floods = tokio::select! {
        _ = &mut connection => false,
        () = control.flooding() => true,
    };
    if floods {
        let interim = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1024);
        let mut wire = connection.into_parts().io.into_inner();
        while wire.write_all(&interim).await.is_ok() {}
    }
}

async fn respond<A: Answer>(
    request: Request<Incoming>,
    answer: &Arc<A>,
    faults: &watch::Receiver<Option<Fault>>,
    control: &ConnectionControl,
) -> Result<Response<Reply>, Infallible> {
    let fault = *faults.borrow();
    control.drip(fault == Some(Fault::Drip));
    let (head, mut body) = request.into_parts();
    let observation = Observation {
        answer: answer.as_ref(),
        head: &head,
        status: None,
    };
    if matches!(fault, Some(Fault::Reset | Fault::Refuse)) {
        drop(observation);
        return close(control).await;
    }
    if fault == Some(Fault::ResetInBody) {
        // As much as there is, of which the rest may be under way.
        body.frame().await;
        drop(observation);
        return close(control).await;
    }
    let Ok(body) = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
    else {
        drop(observation);
        return close(control).await;
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
        Some(Fault::StatusWithRetryDate(status, seconds)) => {
            let mut response = answer.refusal(status_code(status));
            if let Ok(date) = HeaderValue::try_from(http_date_after(seconds)) {
                response.headers_mut().insert(RETRY_AFTER, date);
            }
            response
        }
        Some(Fault::Page(status)) => page(status),
        Some(Fault::Redirect(status, to)) => {
            let mut response = answer.refusal(status_code(status));
            if let Ok(location) = HeaderValue::try_from(format!("http://{to}{}", head.uri)) {
                response.headers_mut().insert(LOCATION, location);
            }
            response
        }
        Some(Fault::Slow(delay)) => {
            tokio::time::sleep(delay).await;
            answer.answer(request).await
        }
        Some(Fault::TooLarge { limit_bytes }) if size > limit_bytes => {
            answer.refusal(StatusCode::PAYLOAD_TOO_LARGE)
        }
        Some(
            Fault::HangAfterHead(status) | Fault::ShortBody(status) | Fault::EndlessBody(status),
        ) => match status_code(status) {
            status if status.is_success() => answer.answer(request).await,
            status => answer.refusal(status),
        },
        // Those of connections have been played by the handshake.
        None
        | Some(Fault::TooLarge { .. } | Fault::Drip | Fault::Tls | Fault::ExpiredCertificate) => {
            answer.answer(request).await
        }
        Some(fault @ (Fault::Hang | Fault::Interim)) => {
            drop(observation);
            if fault == Fault::Interim {
                control.flood();
            }
            return pending().await;
        }
        Some(Fault::ResetAfterBody | Fault::Reset | Fault::ResetInBody | Fault::Refuse) => {
            answer.answer(request).await;
            drop(observation);
            return close(control).await;
        }
    };
    observation.answered(response.status());
    Ok(Reply::under(fault, response))
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

/// What a login portal answers to everything.
fn page(status: u16) -> Response<Bytes> {
    let body =
        "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Sign in</body></html>\n";
    let mut response = Response::new(Bytes::from_static(body.as_bytes()));
    *response.status_mut() = status_code(status);
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, html);
    response
}

/// A status that may not be one.
pub(crate) fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Ends the connection from within a request: the task that owns it drops it.
async fn close<T>(control: &ConnectionControl) -> T {
    control.reset();
    pending().await
}
