//! The trace that an invocation belongs to.
//!
//! Lambda says it in X-Ray's header (`Root=1-…;Parent=…;Sampled=1`) or in W3C's (`00-…-…-01`). Without either the
//! ids follow from the request id, so that what comes again has the same ones.

use std::num::NonZeroU64;

use backstop_json::{Fnv, Json};
use backstop_sinks::trace::{self, SpanId, TraceId};

/// The ids of an invocation's span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trace {
    pub(super) id: TraceId,
    pub(super) span_id: SpanId,
    pub(super) parent: Option<SpanId>,
    is_said: bool,
}

impl Trace {
    /// By an event's `tracing`.
    pub(super) fn of(tracing: Option<Json<'_>>, request_id: &str) -> Self {
        let (mut stated, mut parent, mut own) = (None, None, None);
        for (name, value) in tracing.into_iter().flat_map(Json::members) {
            let text = value.string().unwrap_or_default();
            match &*name {
                "value" => {
                    stated = trace::trace_id(&text);
                    parent = stated.and_then(|_| trace::parent_id(&text));
                }
                "spanId" => own = trace::span_id(&text),
                _ => {}
            }
        }
        // A span is not its own parent.
        let own = own.filter(|id| Some(*id) != parent);
        Self {
            is_said: stated.is_some(),
            id: stated.unwrap_or_else(|| trace_id_of(request_id)),
            span_id: own.unwrap_or_else(|| span_id_of(request_id, "invocation")),
            parent,
        }
    }

    /// The trace's id, where Lambda has said it.
    pub(super) fn of_tracing(&self) -> Option<&str> {
        self.is_said.then_some(&*self.id)
    }
}

/// A request id is a UUID: 16 bytes, as a trace's id.
fn trace_id_of(request_id: &str) -> TraceId {
    let digits = request_id.replace('-', "");
    trace::trace_id(&digits).unwrap_or_else(|| {
        let half = |name: &str| span_id_of(request_id, name);
        TraceId::of_halves(half("high"), half("low"))
    })
}

/// The hash of both; never zero.
pub(super) fn span_id_of(request_id: &str, name: &str) -> SpanId {
    let mut hash = Fnv::default();
    for part in [request_id.as_bytes(), &[0], name.as_bytes()] {
        hash.add(part);
    }
    SpanId::of_number(NonZeroU64::new(hash.get()).unwrap_or(NonZeroU64::MIN))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const REQUEST: &str = "8286a188-ba32-4475-8077-530cd35c09a9";

    #[test]
    fn a_trace_is_read_in_each_form_and_made_of_the_request_id_otherwise() {
        let ids = |value: &str, span: &str| {
            let tracing = json!({"value": value, "spanId": span}).to_string();
            let trace = Trace::of(Json::of(&tracing), REQUEST);
            let parent = trace.parent.map(|id| id.to_string());
            (trace.id.to_string(), trace.span_id.to_string(), parent)
        };
        let (trace, span, parent) = (
            "62e900b2710d76f009d6e7785905449a",
            "54565fb41ac79632",
            "0efbd19962d95b05",
        );
        let x_ray = "Root=1-62e900b2-710d76f009d6e7785905449a;Parent=0efbd19962d95b05;Sampled=1";
        let w3c = "00-62e900b2710d76f009d6e7785905449a-0efbd19962d95b05-01";
        let said = (trace.to_owned(), span.to_owned(), Some(parent.to_owned()));
        assert_eq!(ids(x_ray, span), said);
        assert_eq!(ids(w3c, span), said);
        let made = span_id_of(REQUEST, "invocation").to_string();
        let own = (trace.to_owned(), made.clone(), Some(parent.to_owned()));
        assert_eq!(ids(x_ray, parent), own, "a span is not its own parent");
        for nothing in ["", "Root=1-0-0", "00-0-0-01", "ff"] {
            let of_request = (
                "8286a188ba3244758077530cd35c09a9".to_owned(),
                made.clone(),
                None,
            );
            assert_eq!(ids(nothing, ""), of_request, "{nothing}");
        }
        let odd = Trace::of(None, "not-a-uuid");
        assert_eq!((odd.id.len(), odd.span_id.len()), (32, 16));
    }
}
