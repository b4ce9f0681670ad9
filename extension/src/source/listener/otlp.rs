//! What the function posts: OTLP/HTTP (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).
//!
//! Unlike Lambda's telemetry a request is decoded before it is answered, because the answer says whether it can
//! be; and it is never held back, because the function waits for the answer.
//!
//! Must not: quote a request.

use std::time::Duration;

use backstop_delivery::{Signal, Wall};
use backstop_sinks::codec::gunzip;
use backstop_sinks::otlp::{Answer, Encoding, Refused, receive};
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::super::inbox::NotTaken;
use super::{
    Activity, Bytes, Full, Inbox, Incoming, IncompleteBody, MOST_BODY_BYTES, Method, Request,
    Response, StatusCode, answer, read,
};

/// When there may be room again, in seconds: a flush takes less.
const RETRY_AFTER_SECONDS: &str = "1";

/// The time within which a body must be there: the function is beside us.
const LONGEST_BODY: Duration = Duration::from_secs(5);

// Codes of gRPC.
const INVALID_ARGUMENT: u8 = 3;
const RESOURCE_EXHAUSTED: u8 = 8;
const UNAVAILABLE: u8 = 14;

/// Why a request is refused: the status, the code of gRPC, and the message.
type Refusal = (StatusCode, u8, &'static str);

const MALFORMED: Refusal = (
    StatusCode::BAD_REQUEST,
    INVALID_ARGUMENT,
    "the body is not a request of this signal in this encoding",
);
const NOT_GZIP: Refusal = (
    StatusCode::BAD_REQUEST,
    INVALID_ARGUMENT,
    "the body is not gzip",
);
const CUT_OFF: Refusal = (
    StatusCode::BAD_REQUEST,
    INVALID_ARGUMENT,
    "the body ended too early",
);
/// An SDK exports again after this status, and not after 408.
const STALLED: Refusal = (
    StatusCode::SERVICE_UNAVAILABLE,
    UNAVAILABLE,
    "the body was not there in time",
);
const TOO_LARGE: Refusal = (
    StatusCode::PAYLOAD_TOO_LARGE,
    INVALID_ARGUMENT,
    "the request is too large: export smaller batches",
);
const FULL: Refusal = (
    StatusCode::TOO_MANY_REQUESTS,
    RESOURCE_EXHAUSTED,
    "the buffer is full: try again later",
);
const CLOSED: Refusal = (
    StatusCode::SERVICE_UNAVAILABLE,
    UNAVAILABLE,
    "the environment ends",
);

/// Takes a request, and answers it.
pub(super) async fn take(
    request: Request<Incoming>,
    inbox: &Inbox,
    (activity, readers): (&Activity, &Semaphore),
) -> Response<Full<Bytes>> {
    let posting = inbox.begin_post();
    let holding = activity.hold();
    let signal = match request.uri().path() {
        "/v1/logs" => Signal::Log,
        "/v1/metrics" => Signal::Metric,
        "/v1/traces" => Signal::Span,
        _ => return answer(StatusCode::NOT_FOUND),
    };
    if request.method() != Method::POST {
        let response = answer(StatusCode::METHOD_NOT_ALLOWED);
        return with(response, ALLOW, "POST");
    }
    let header = |name| {
        let value = request.headers().get(name).map(HeaderValue::to_str);
        value.map(|text| text.unwrap_or("?").trim().to_ascii_lowercase())
    };
    let encoding = header(CONTENT_TYPE).as_deref().and_then(Encoding::of);
    let is_gzip = match header(CONTENT_ENCODING).as_deref() {
        None | Some("" | "identity") => Some(false),
        Some("gzip") => Some(true),
        Some(_) => None,
    };
    let (Some(encoding), Some(is_gzip)) = (encoding, is_gzip) else {
        return answer(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    };
    // Nobody closes the semaphore: there is a place, sooner or later.
    let reader = readers.acquire().await.ok();
    let body = timeout(LONGEST_BODY, read(request.into_body(), activity)).await;
    let body = body.unwrap_or(Err(IncompleteBody::Stalled));
    let taken = taken(body, signal, encoding, is_gzip, inbox);
    // The records are in the inbox before the request counts as answered.
    drop((holding, posting, reader));
    match taken {
        Ok(said) => respond(StatusCode::OK, said, encoding),
        Err((status, code, message)) => {
            let said = Answer::Refused(code, message);
            let response = respond(status, said, encoding);
            if status == StatusCode::TOO_MANY_REQUESTS {
                with(response, RETRY_AFTER, RETRY_AFTER_SECONDS)
            } else {
                response
            }
        }
    }
}

fn taken(
    body: Result<Option<Bytes>, IncompleteBody>,
    signal: Signal,
    encoding: Encoding,
    is_gzip: bool,
    inbox: &Inbox,
) -> Result<Answer, Refusal> {
    let body = match body {
        Ok(body) => body.ok_or(TOO_LARGE)?,
        Err(IncompleteBody::CutOff) => return Err(CUT_OFF),
        Err(IncompleteBody::Stalled) => return Err(STALLED),
    };
    let body = if is_gzip {
        let plain = gunzip(&body, MOST_BODY_BYTES as u64);
        plain
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::Other => TOO_LARGE,
                _ => NOT_GZIP,
            })?
            .into()
    } else {
        body
    };
    let received = receive(signal, encoding, &body, inbox.most_posted(), now());
    let received = received.map_err(|refused| match refused {
        Refused::Malformed => MALFORMED,
        Refused::TooLarge => TOO_LARGE,
    })?;
    let rejected = received.rejected;
    if !received.fragments.is_empty() {
        inbox.post(received).map_err(|why| match why {
            NotTaken::Full => FULL,
            NotTaken::Closed => CLOSED,
        })?;
    }
    Ok(if rejected > 0 {
        Answer::Partly(signal, rejected)
    } else {
        Answer::Taken
    })
}

/// For items that do not say when they were.
fn now() -> Wall {
    Wall(std::time::UNIX_EPOCH.elapsed().unwrap_or_default())
}

fn respond(status: StatusCode, said: Answer, encoding: Encoding) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(said.body(encoding).into()));
    *response.status_mut() = status;
    with(response, CONTENT_TYPE, encoding.content_type())
}

fn with(
    mut response: Response<Full<Bytes>>,
    name: HeaderName,
    value: &'static str,
) -> Response<Full<Bytes>> {
    let value = HeaderValue::from_static(value);
    response.headers_mut().insert(name, value);
    response
}

#[cfg(test)]
mod tests;
