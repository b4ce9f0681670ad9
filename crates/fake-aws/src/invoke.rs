//! Invocations: what the function does is the test's business, with the configuration that it has here.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::HeaderName;
use http::{HeaderValue, Response};
use serde_json::json;

use crate::refusal::Refusal;
use crate::spec::FunctionSpec;
use crate::{Place, State};

/// The most of a log that is answered.
const TAIL: usize = 4096;

/// A function that is invoked.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Where it is.
    pub place: Place,
    /// As it is configured at this moment.
    pub function: FunctionSpec,
    pub payload: Bytes,
}

/// What becomes of it.
#[derive(Debug, Clone, Default)]
pub struct Invoked {
    /// Its request id.
    pub request_id: String,
    /// What it wrote, with the platform's lines.
    pub log: String,
    /// Whether it ended in an error.
    pub failed: bool,
}

type Answering = Pin<Box<dyn Future<Output = Invoked> + Send>>;

/// What runs the functions.
#[derive(Clone)]
pub(crate) struct Invoker(Arc<dyn Fn(Invocation) -> Answering + Send + Sync>);

impl fmt::Debug for Invoker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Invoker")
    }
}

impl Invoker {
    pub(crate) fn new<F>(run: impl Fn(Invocation) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Invoked> + Send + 'static,
    {
        Self(Arc::new(move |invocation| Box::pin(run(invocation))))
    }

    /// Invokes it, and answers as Lambda does.
    pub(crate) async fn answer(&self, invocation: Invocation) -> Response<Bytes> {
        let invoked = (self.0)(invocation).await;
        let log = invoked.log.as_bytes();
        let tail = BASE64_STANDARD.encode(&log[log.len().saturating_sub(TAIL)..]);
        let payload = if invoked.failed {
            json!({ "errorMessage": "it failed" })
        } else {
            json!({})
        };
        let mut response = Response::new(Bytes::from(payload.to_string()));
        let headers = response.headers_mut();
        let mut set = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        set("x-amz-log-result", &tail);
        set("x-amzn-requestid", &invoked.request_id);
        if invoked.failed {
            set("x-amz-function-error", "Unhandled");
        }
        response
    }
}

impl State {
    /// What is invoked; a refusal where nothing can be.
    pub(crate) fn invocation(
        &mut self,
        place: &Place,
        name: &str,
        payload: &Bytes,
    ) -> Result<(Invoker, Invocation), Refusal> {
        let (function, _) = self.functions.function(place, name)?;
        if function.spec.reserved_concurrency == Some(0) {
            return Err(Refusal::too_many());
        }
        let invocation = Invocation {
            place: place.clone(),
            function: function.spec.clone(),
            payload: payload.clone(),
        };
        let invoker = self.invoker.clone();
        let invoker = invoker.ok_or_else(|| Refusal::unknown("Invoke, without an invoker"))?;
        Ok((invoker, invocation))
    }
}
