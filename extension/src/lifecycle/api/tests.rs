//! What is read of events and refusals.

use super::*;

fn invoke(request_id: &str, deadline_ms: u64) -> Option<Event> {
    let request_id = request_id.to_owned();
    Some(Event::Invoke {
        request_id,
        deadline_ms,
    })
}

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

#[test]
fn only_a_failure_that_may_pass_is_tried_again() {
    let refused = |status: u16| ApiError::Refused {
        path: "",
        status: StatusCode::from_u16(status).unwrap(),
        kind: None,
    };
    for (status, expected) in [
        (400, false),
        (403, false),
        (429, true),
        (500, false),
        (503, true),
    ] {
        assert_eq!(refused(status).may_pass(), expected, "{status}");
    }
    assert!(!ApiError::Unreadable.may_pass());
}

#[test]
fn of_a_refusal_only_the_name_of_the_error_is_shown() {
    let cases = [
        (
            r#"{"errorType":"Extension.InvalidState","errorMessage":"hunter2"}"#,
            " (Extension.InvalidState)",
        ),
        (r#"{"errorType":"it is hunter2"}"#, ""),
        (r#"{"errorMessage":"hunter2"}"#, ""),
        ("hunter2", ""),
        ("", ""),
    ];
    for (body, shown) in cases {
        let error = ApiError::Refused {
            path: "/extension/register",
            status: StatusCode::FORBIDDEN,
            kind: error_type(body.as_bytes()),
        };
        let expected = format!("the Lambda API answered /extension/register with 403{shown}");
        assert_eq!(error.to_string(), expected, "{body}");
    }
    let long = format!(r#"{{"errorType":"{}"}}"#, "x".repeat(65));
    assert_eq!(error_type(long.as_bytes()), None);
}
