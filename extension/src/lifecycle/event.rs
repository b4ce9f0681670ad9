//! What `/next` answers, read as far as it can be read: no odd event ends the extension.

use std::time::Duration;

use serde_json::Value;

/// How the one event reads that must not be missed.
const SHUTDOWN: &[u8] = b"\"SHUTDOWN\"";

/// A lifecycle event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// An id that is empty and a deadline of 0 are not known.
    Invoke {
        request_id: String,
        deadline_ms: u64,
    },
    Shutdown {
        shutdown_reason: String,
        deadline_ms: u64,
    },
    /// None that we registered for; kept apart so that a new kind never ends us.
    Other,
}

impl Event {
    /// Reads an event, whatever of it can be read. `None` where its kind is not known.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let event: Value = serde_json::from_slice(body).ok()?;
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let deadline_ms = milliseconds(&event["deadlineMs"]);
        Some(match event["eventType"].as_str()? {
            "INVOKE" => Self::Invoke {
                request_id: text("requestId"),
                deadline_ms,
            },
            "SHUTDOWN" => Self::Shutdown {
                shutdown_reason: text("shutdownReason"),
                deadline_ms,
            },
            _ => Self::Other,
        })
    }

    /// What an event is taken for that cannot be read: whatever it says, it is an answer to `/next`, so
    /// that a function may be running.
    pub(super) fn guess(body: &[u8]) -> Self {
        let is_shutdown = body.windows(SHUTDOWN.len()).any(|part| part == SHUTDOWN);
        let (text, deadline_ms) = (String::new(), 0);
        if is_shutdown {
            Self::Shutdown {
                shutdown_reason: text,
                deadline_ms,
            }
        } else {
            Self::Invoke {
                request_id: text,
                deadline_ms,
            }
        }
    }
}

/// Milliseconds in any form a number has in JSON; 0 where there are none.
fn milliseconds(value: &Value) -> u64 {
    let written = value.as_str().and_then(|text| text.trim().parse().ok());
    let whole = value.as_u64().or(written);
    let decimal = || value.as_f64().map(Duration::try_from_secs_f64);
    whole.unwrap_or_else(|| match decimal() {
        Some(Ok(seconds)) => seconds.as_secs(),
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "what a table expects")]
    fn invoke(request_id: &str, deadline_ms: u64) -> Option<Event> {
        let request_id = request_id.to_owned();
        Some(Event::Invoke {
            request_id,
            deadline_ms,
        })
    }

    #[expect(clippy::unnecessary_wraps, reason = "what a table expects")]
    fn shutdown(shutdown_reason: &str, deadline_ms: u64) -> Option<Event> {
        let shutdown_reason = shutdown_reason.to_owned();
        Some(Event::Shutdown {
            shutdown_reason,
            deadline_ms,
        })
    }

    #[test]
    fn of_an_event_is_read_what_can_be() {
        let deadline = |deadline: &str| {
            format!(r#"{{"eventType":"INVOKE","requestId":"r","deadlineMs":{deadline}}}"#)
        };
        for (body, expected) in [
            (deadline("1700000000000"), invoke("r", 1_700_000_000_000)),
            (deadline("1700000000000.7"), invoke("r", 1_700_000_000_000)),
            (deadline("1.7e12"), invoke("r", 1_700_000_000_000)),
            (
                deadline(r#"" 1700000000000 ""#),
                invoke("r", 1_700_000_000_000),
            ),
            (deadline("-1"), invoke("r", 0)),
            (deadline("1e400"), None),
            (deadline("1e300"), invoke("r", 0)),
            (deadline("null"), invoke("r", 0)),
            (deadline(r#""soon""#), invoke("r", 0)),
            (deadline("[1]"), invoke("r", 0)),
            (r#"{"eventType":"INVOKE"}"#.to_owned(), invoke("", 0)),
            (
                r#"{"eventType":"INVOKE","requestId":7,"deadlineMs":9}"#.to_owned(),
                invoke("", 9),
            ),
            (
                r#"{"deadlineMs":9,"shutdownReason":"spindown","eventType":"SHUTDOWN"}"#.to_owned(),
                shutdown("spindown", 9),
            ),
            (
                r#"{"eventType":"SHUTDOWN","shutdownReason":null,"deadlineMs":-9}"#.to_owned(),
                shutdown("", 0),
            ),
            (r#"{"eventType":"RESUME"}"#.to_owned(), Some(Event::Other)),
            (r#"{"eventType":1}"#.to_owned(), None),
            ("{}".to_owned(), None),
            ("[]".to_owned(), None),
            ("7".to_owned(), None),
            (r#"{"eventType":"INV"#.to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(Event::read(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_taken_for_an_invocation_unless_it_says_shutdown() {
        for body in [
            "",
            "{\"odd\":",
            r#"{"eventType":"INVOKE","requestId":"SHUTDOWN"#,
        ] {
            assert_eq!(Some(Event::guess(body.as_bytes())), invoke("", 0), "{body}");
        }
        let cut_off = r#"{"eventType":"SHUTDOWN","shutdownReason":"spin"#;
        assert_eq!(Some(Event::guess(cut_off.as_bytes())), shutdown("", 0));
    }
}
