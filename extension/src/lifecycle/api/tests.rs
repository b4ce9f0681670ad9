//! What is tried again, and what is shown of a refusal.

use super::*;

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
